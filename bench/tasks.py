# SPDX-License-Identifier: LGPL-3.0-or-later
"""Timed tasks on the real clock, two busy processes beside them: how late each level is written, in one run with a
thread that does nothing but clock_nanosleep(2).

    bench/tasks.py          the figures as JSON
    bench/tasks.py play     has the tasks done, and prints how late each one was

Twenty lines have tasks of 5 to 400 ms, one behind the other, each planned for when the one before it ends. Medians of
several rounds: on a machine where nothing is idle, chance has a large part in the 99th of a hundred.
"""

import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from table import blank, filled

LINES, SECONDS, ROUNDS = range(2, 22), 8, 5
MS = 1_000_000
SHORTEST_MS, LONGEST_MS = 5, 400
OVER_US = 1000
"""So much later may the 99th of a hundred be than that of the bare thread."""
TAILS = ("p50", "p99", "worst")
ROWS = [
    *(blank(f"timed tasks on 20 lines: lateness: {tail}", "clock_nanosleep", "us") for tail in TAILS),
    blank("timed tasks on 20 lines: 99 of 100 are as late", "that + 1 ms", "us", 1.0),
]

BARE = r"""
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int main(int argc, char **argv)
{
    int64_t due_ns = now_ns(), end_ns = due_ns + (int64_t)atoi(argv[1]) * 1000000000;
    srand(1);
    while (due_ns < end_ns) {
        due_ns += (int64_t)(rand() % 20000 + 100) * 1000; /* as often as some line's level is written */
        struct timespec due = {due_ns / 1000000000, due_ns % 1000000000};
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL))
            ;
        printf("%lld\n", (long long)(now_ns() - due_ns));
    }
    return 0;
}
"""


def built(folder):
    """The program of the bare thread."""
    source, program = Path(folder, "bare.c"), Path(folder, "bare")
    source.write_text(BARE)
    subprocess.run(["gcc", "-O2", "-o", program, source], check=True)
    return program


def play():
    """Have the tasks done on a simulated board; print how late each level was written, in nanoseconds."""
    from RPIO.board.board import Board
    from RPIO.board.declared import Owner
    from RPIO.tasks.engine import Tasks

    board, client, chance = Board("sim:4B"), Owner("bench"), random.Random(1)
    backend, levels, changes, begun = (
        board.backend,
        {},
        {line: [] for line in LINES},
        {line: [] for line in LINES},
    )
    plain = backend.write

    def write(line, level):
        plain(line, level)
        if levels.get(line) != level:
            levels[line] = level
            changes[line].append(time.monotonic_ns())

    backend.write = write
    tasks = Tasks(board.leases, lambda: board.dispatcher)
    board.dispatcher.run_in_background()
    for line in LINES:
        pin = tasks.pin(client, line)

        def on_end(task, how, text, line=line):
            begun[line].append(task.begun_ns)

        pin.add("off", 2000)  # before which all of them have been added
        at_ms, level = 0, 0
        while at_ms < SECONDS * 1000:
            level = 1 - level
            ms = chance.randint(SHORTEST_MS, LONGEST_MS)
            pin.add("on" if level else "off", ms, on_end=on_end)
            at_ms += ms
    while tasks.listed():
        time.sleep(0.5)
    for line in LINES:
        for planned_ns, changed_ns in zip(begun[line], changes[line][1:], strict=False):
            print(changed_ns - planned_ns)


def tails(values):
    return [statistics.median(values), statistics.quantiles(values, n=100)[98], max(values)]


def beside(bare):
    """Both at the same time: how late they were."""
    both = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        for command in ([bare, str(SECONDS)], [sys.executable, __file__, "play"])
    ]
    return [tails([int(ns) / 1e3 for ns in one.communicate()[0].split()]) for one in both]


def rows():
    """The rows of this part."""
    with tempfile.TemporaryDirectory() as folder:
        bare = built(folder)
        busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
        try:
            rounds = [beside(bare) for _ in range(ROUNDS)]
        finally:
            for one in busy:
                one.kill()
                one.wait()
    theirs, ours = [
        [statistics.median(found) for found in zip(*of, strict=True)] for of in zip(*rounds, strict=True)
    ]
    return filled(ROWS, [*zip(theirs, ours, strict=True), (theirs[1] + OVER_US, ours[1])])


if __name__ == "__main__":
    if sys.argv[1:] == ["play"]:
        play()
    else:
        print(json.dumps([row._asdict() for row in rows()]))
