# SPDX-License-Identifier: LGPL-3.0-or-later
"""What a counted edge costs on the simulated board's pipe, beside a callback in Python: time of the loop's thread.

Each edge is a record that is written to the pipe as the board writes it, at a steady rate, every one by itself; or many
at once, as they wait for a loop that was busy. The best of several rounds. Of pigpio, whose callbacks counted in a
thread of Python's as well, there is nothing to measure without its daemon, which needs a Raspberry Pi.
"""

import subprocess
import sys
import time

from table import blank, filled, report

from RPIO import _gpio
from RPIO.backends.sim import SimBackend
from RPIO.board.board import Board
from RPIO.machine.boards import by_name

ROUNDS = 7
EDGES = 4096
RATE_HZ = 20_000
BURST = 512
MOST_NS = 3000
A, B = 22, 23
ROWS = [
    blank("counter: an edge, 20,000 edges/s", "3 us", "ns", 1.0),
    blank("counter: an edge, 20,000 edges/s", "a callback", "ns", 0.5),
    blank("counter: an edge, in bursts of 512", "a callback", "ns", 0.5),
    blank("encoder: an edge, 20,000 edges/s", "a callback", "ns", 0.5),
]


class Line:
    """A watched line of a board, and the pipe that its records come out of."""

    def __init__(self, board, line):
        self.line, self.seq, self.writer = line, 0, board.backend._lines[line].watch.pipe._pipe.writer

    def records(self, times_ns):
        """The next edges, at these times."""
        first, self.seq = self.seq + 1, self.seq + len(times_ns)
        return [
            _gpio.event_encode(self.line, seq % 2, ns, seq)
            for seq, ns in zip(range(first, self.seq + 1), times_ns, strict=True)
        ]


OUTSIDE = """
import os, sys, time
writers, at_once, pause_ns = eval(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
data, size = sys.stdin.buffer.read(), 48 * at_once
next_ns = time.monotonic_ns()
for number, at in enumerate(range(0, len(data), size)):
    while time.monotonic_ns() < next_ns:
        pass
    os.write(writers[number % len(writers)], data[at : at + size])
    next_ns += pause_ns
"""
"""Another process, whose time is its own."""


def play(lines, records, at_once):
    """Write so many at once, in turn to these lines, at the rate."""
    writers = [line.writer for line in lines]
    pause_ns = 1_000_000_000 // RATE_HZ * at_once
    subprocess.run(
        [sys.executable, "-I", "-c", OUTSIDE, str(writers), str(at_once), str(pause_ns)],
        input=b"".join(records),
        pass_fds=writers,
        check=True,
    )


def best_ns(begin, numbers, at_once, has):
    """What the loop's thread takes for an edge."""
    board = Board()
    board.use(SimBackend(by_name("4B")), by_name("4B"))
    counted = begin(board)
    lines = [Line(board, number) for number in numbers]
    while board.dispatcher._thread.ident is None:
        time.sleep(0.001)
    clock, best = time.pthread_getcpuclockid(board.dispatcher._thread.ident), float("inf")
    for round_ in range(1, ROUNDS + 1):
        start_ns, many = time.monotonic_ns(), len(lines)
        each = [
            line.records(range(start_ns + place, start_ns + EDGES, many)) for place, line in enumerate(lines)
        ]
        records = [record for group in zip(*each, strict=True) for record in group]
        before_ns = time.clock_gettime_ns(clock)
        play(lines, records, at_once)
        while not has(counted, round_ * EDGES):
            time.sleep(0.001)
        best = min(best, (time.clock_gettime_ns(clock) - before_ns) / EDGES)
    board.close()
    return best


def counter(board):
    return board.counter(A, "both")


def encoder(board):
    return board.encoder(A, B)


def callback(board):
    seen = [0]

    def count(line, level):
        seen[0] += 1

    board.add_interrupt_callback(A, count)
    board.dispatcher.run_in_background()
    return seen


def rows():
    """A counter and an encoder beside a callback."""

    def has_counted(counted, count):
        return counted.count + counted.lost >= count

    def has_stepped(counted, count):  # a cycle of four edges is four steps
        return counted.steps + counted.lost >= count

    def has_called(seen, count):
        return seen[0] >= count

    steady = best_ns(callback, [A], 1, has_called)
    burst = best_ns(callback, [A], BURST, has_called)
    mine = best_ns(counter, [A], 1, has_counted)
    bursts = best_ns(counter, [A], BURST, has_counted)
    both = best_ns(encoder, [A, B], 1, has_stepped)
    return filled(ROWS, [(MOST_NS, mine), (steady, mine), (burst, bursts), (steady, both)])


if __name__ == "__main__":
    report(rows())
