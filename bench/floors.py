# SPDX-License-Identifier: LGPL-3.0-or-later
"""What the hot paths cost, beside the floor they stand on. One table: the best of several rounds, in nanoseconds.

Registers are a file mapped in place of /dev/gpiomem, so a store costs what a store to memory costs: the
figures are the library's own. Edges are records in a pipe, dispatched to a callback that does nothing.
"""

import os
import tempfile
import timeit

from table import blank, filled, report

from RPIO import _gpio, constants
from RPIO.backends.regs import RegsBackend
from RPIO.backends.sim import SimBackend
from RPIO.backends.sim_time import ManualClock
from RPIO.board.board import Board
from RPIO.loop.dispatcher import Dispatcher
from RPIO.machine.boards import by_name

ROUNDS = 15
EVENTS = 640
ROWS = [
    blank(what, "", "ns")
    for what in (
        "floor: a Python function that does nothing",
        "floor: the C call behind output()",
        *(
            f"{board}: {call}"
            for board in ("Board on registers", "Board, simulated")
            for call in ("output(17, 1)", "output([17, 18], 1)", "input(17)")
        ),
        "edges: record to on_edge(), bursts of 640",
        "edges: write, wait and dispatch of one",
    )
]


def best_ns(statement, names, number=20_000):
    """Nanoseconds of one execution, the best of ROUNDS."""
    return min(timeit.repeat(statement, globals=names, number=number, repeat=ROUNDS)) / number * 1e9


def board_on(backend, hardware):
    board = Board()
    board.use(backend, hardware)
    board.setup([17, 18], constants.OUT, constants.PUD_OFF, 0)
    return board


def levels(board):
    """The functions that touch a level."""
    names = {"board": board, "pair": [17, 18]}
    calls = ("board.output(17, 1)", "board.output(pair, 1)", "board.input(17)")
    return [best_ns(call, names) for call in calls]


def edges():
    """One edge from the pipe to the callback, in batches and alone."""
    seen = []
    dispatcher = Dispatcher(_gpio.Poller(), seen.append)
    reader, writer = os.pipe2(os.O_NONBLOCK)
    dispatcher.add_edges(reader, dispatcher.new_token(), print)
    many = b"".join(_gpio.event_encode(17, n % 2, n, n + 1) for n in range(EVENTS))
    one = many[:48]

    def burst():
        os.write(writer, many)
        while dispatcher.step(0):
            pass

    def single():
        os.write(writer, one)
        dispatcher.step(0)

    took = [
        best_ns("burst()", {"burst": burst}, 100) / EVENTS,
        best_ns("single()", {"single": single}, 2_000),
    ]
    dispatcher.remove(reader)
    dispatcher.close()
    os.close(reader)
    os.close(writer)
    return took


def rows():
    """The rows of the table: no peer, no bar."""
    hardware = by_name("3B+")
    with tempfile.NamedTemporaryFile() as file:
        file.truncate(0x1000)
        block = _gpio.Registers(hardware.gpio_compatible, file.name)
        regs = board_on(RegsBackend(block, "file", file.name), hardware)
        sim = board_on(SimBackend(hardware, ManualClock()), hardware)
        found = [
            best_ns("f(17, 1)", {"f": lambda a, b: None}),
            best_ns("w(17, 1)", {"w": block.write}),
            *levels(regs),
            *levels(sim),
            *edges(),
        ]
        regs.close()
        sim.close()
    return filled(ROWS, [(None, ns) for ns in found])


if __name__ == "__main__":
    report(rows())
