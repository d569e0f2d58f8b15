# SPDX-License-Identifier: LGPL-3.0-or-later
"""Timed tasks on the real clock, two busy processes beside them: how late each level is written, in one run with a
thread that does nothing but clock_nanosleep(2).

    bench/tasks.py          the figures as JSON
    bench/tasks.py play     has the tasks done, and prints how late each level was

Twenty lines have tasks of 5 to 400 ms, one behind the other, each planned for when the one before it ends. They are
those of a gpiochip that a preloaded library plays (source/tests/scarce); another one in front of it notes when the call
comes that writes a level. Medians of several rounds: on a machine where nothing is idle, chance has a large part in the
99th of a hundred.
"""

import ctypes
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from table import blank, filled

TESTS = Path(__file__).resolve().parents[1] / "source" / "tests"
sys.path.insert(0, str(TESTS))

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


def built(folder, name, text, *flags):
    """What a text in C is."""
    source, made = Path(folder, f"{name}.c"), Path(folder, name)
    source.write_text(text)
    subprocess.run(["gcc", "-O2", *flags, "-o", made, source], check=True)
    return made


NOTES = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <linux/gpio.h>
#include <stdarg.h>
#include <stdint.h>
#include <time.h>

struct note { int64_t at_ns; int32_t fd, level; };
struct note notes[100000];
int note_count;

int ioctl(int fd, unsigned long request, ...)
{
    static int (*next)(int, unsigned long, ...);
    va_list rest;
    va_start(rest, request);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    if (!next)
        next = (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
    if (request == GPIO_V2_LINE_SET_VALUES_IOCTL) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        int number = __atomic_fetch_add(&note_count, 1, __ATOMIC_RELAXED);
        if (number < 100000)
            notes[number] = (struct note){(int64_t)now.tv_sec * 1000000000 + now.tv_nsec, fd,
                                          (int)((struct gpio_v2_line_values *)argument)->bits & 1};
    }
    return next(fd, request, argument);
}
"""


class Note(ctypes.Structure):
    """When a level was written, by what descriptor."""

    _fields_ = (("at_ns", ctypes.c_int64), ("fd", ctypes.c_int32), ("level", ctypes.c_int32))


def noted():
    """(fd, level, at_ns) of each write so far."""
    program = ctypes.CDLL(None)
    count = ctypes.c_int.in_dll(program, "note_count").value
    return [(n.fd, n.level, n.at_ns) for n in (Note * count).in_dll(program, "notes")]


def changes_of(fd):
    """When the level was another one than before, from the first write on: the C timer and the loop write both."""
    found, before = [], None
    for of, level, at_ns in noted():
        if of == fd and level != before:
            found.append(at_ns)
            before = level
    return found


def play():
    """Have the tasks done; print how late each level was written, in nanoseconds."""
    from RPIO.board.board import Board
    from RPIO.board.declared import Owner
    from RPIO.tasks.engine import Tasks
    from scarce.library import Scarce

    with tempfile.TemporaryDirectory() as folder:
        chip = Path(folder, "gpiochip0")
        chip.touch()
        Scarce().chip_is_at(str(chip))
        board, client, chance = Board(f"cdev:{chip}"), Owner("bench"), random.Random(1)
        tasks = Tasks(board.leases, lambda: board.dispatcher)
        board.dispatcher.run_in_background()
        begun, fds = {line: [] for line in LINES}, {}
        for line in LINES:
            pin = tasks.pin(client, line)
            fds[line] = board.backend.line_fd(line)

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
            for planned_ns, changed_ns in zip(begun[line], changes_of(fds[line])[1:], strict=False):
                print(changed_ns - planned_ns)


def tails(values):
    return [statistics.median(values), statistics.quantiles(values, n=100)[98], max(values)]


def beside(bare, notes):
    """Both at the same time: how late they were."""
    from scarce.library import build

    env = {**os.environ, "LD_PRELOAD": f"{notes}:{build()}", "PYTHONPATH": str(TESTS)}
    both = [
        subprocess.Popen([bare, str(SECONDS)], stdout=subprocess.PIPE, text=True),
        subprocess.Popen([sys.executable, __file__, "play"], stdout=subprocess.PIPE, text=True, env=env),
    ]
    return [tails([int(ns) / 1e3 for ns in one.communicate()[0].split()]) for one in both]


def rows():
    """The rows of this part."""
    with tempfile.TemporaryDirectory() as folder:
        bare, notes = built(folder, "bare", BARE), built(folder, "notes.so", NOTES, "-shared", "-fPIC")
        busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
        try:
            rounds = [beside(bare, notes) for _ in range(ROUNDS)]
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
