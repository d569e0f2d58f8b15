# SPDX-License-Identifier: LGPL-3.0-or-later
"""PWM by software on 8 lines at 1 kHz, RPIO beside RPi.GPIO: how far rising edges are from their place, and what
it costs. One table: medians of several rounds, both libraries in turn.

Registers are a file in memory. A small C program on a core of its own takes what is written to GPSET0, again and
again, with the time; jitter is |interval - 1 ms| between rising edges of a line, CPU is that of the whole process.
RPi.GPIO's sleeps add up, so that its rate is less than it was asked for.

Duties with a common measure share moments of the period: 10, 20, ... 80 % need four wake-ups. Those without need nine,
and then the floor is above the bar: a bare thread that does nothing at nine moments of a millisecond, in the last rows,
on two timers as RPIO's or with clock_nanosleep(). RPi.GPIO's sleeps may end late by 50 us (its timer slack), so that
several end in one interrupt: its jitter and its low cost are one thing.

    bench/pwm.py
"""

import ctypes
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from table import blank, filled, report

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "source" / "tests"))

LINES = (4, 5, 6, 12, 13, 16, 17, 18)
PERIOD_NS = 1_000_000
WARM_UP_S = 0.5
ROUNDS, SECONDS = 5, 2
DUTIES = {
    # title -> percents; what RPIO may take of the processor, of what RPi.GPIO takes
    "one duty": ([50] * len(LINES), 0.6),
    "8 duties": (range(10, 90, 10), 0.6),
    "8 odd duties": ((11, 23, 37, 41, 53, 67, 71, 83), 1.3),  # more, in some runs: see above
}
COLUMNS = [
    # name, unit, scale, bar
    ("jitter p50", "us", 1e-3, None),
    ("jitter p99", "us", 1e-3, 0.5),
    ("processor", "%", 100, None),
    ("frequency", "Hz", 1, None),
]
MOMENTS = (2, 4, 9)
"""The wake-ups of a period: those of one duty, of eight that share moments, and of eight that do not."""
ROWS = [
    *(
        blank(f"PWM, 8 lines, {title}: {name}", "RPi.GPIO", unit, most if name == "processor" else bar)
        for title, (_, most) in DUTIES.items()
        for name, unit, _, bar in COLUMNS
    ),
    *(blank(f"floor: a thread, {n} wake-ups a ms", "clock_nanosleep", "%") for n in MOMENTS),
]

OBSERVER = r"""
#define _GNU_SOURCE
#include <stdint.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/* GPSET0 and GPCLR0, BCM2835 ARM Peripherals, 6.1 */
enum { SET = 0x1c / 4, CLEAR = 0x28 / 4 };

struct store { uint64_t at_ns; uint32_t bits; };

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

long observe(uint32_t *block, uint64_t for_ns, struct store *out, long max)
{
    uint64_t end = now_ns() + for_ns, now;
    long count = 0;
    while ((now = now_ns()) < end && count < max) {
        uint32_t bits = __atomic_load_n(&block[SET], __ATOMIC_RELAXED);
        if (bits && (bits = __atomic_exchange_n(&block[SET], 0, __ATOMIC_RELAXED)))
            out[count++] = (struct store){now, bits};
        if (__atomic_load_n(&block[CLEAR], __ATOMIC_RELAXED))
            __atomic_exchange_n(&block[CLEAR], 0, __ATOMIC_RELAXED);
    }
    return count;
}

/* A thread that wakes up at 0, 1/10, ... of a millisecond and does nothing: its share of the processor, in percent. */
double floor_percent(unsigned moments, unsigned periods, int use_timers)
{
    int timers[2] = {timerfd_create(CLOCK_MONOTONIC, 0), timerfd_create(CLOCK_MONOTONIC, 0)};
    uint64_t begin = now_ns() + 1000000, count = (uint64_t)moments * periods, expirations;
    struct timespec cpu[2];
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu[0]);
    for (uint64_t n = 0; n <= count; n++) {
        uint64_t at = begin + n / moments * 1000000 + n % moments * 100000;
        struct itimerspec spec = {.it_value = {(time_t)(at / 1000000000), (long)(at % 1000000000)}};
        if (!use_timers)
            clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &spec.it_value, 0);
        else if (timerfd_settime(timers[n % 2], TFD_TIMER_ABSTIME, &spec, 0) == 0 && n)
            (void)!read(timers[(n - 1) % 2], &expirations, sizeof expirations);
    }
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu[1]);
    close(timers[0]);
    close(timers[1]);
    double spent = (double)(cpu[1].tv_sec - cpu[0].tv_sec) + (double)(cpu[1].tv_nsec - cpu[0].tv_nsec) / 1e9;
    return spent / (periods / 1000.0) * 100.0;
}
"""

OURS = """
from RPIO import _gpio
from RPIO.backends.regs import RegsBackend
backend = RegsBackend(_gpio.Registers("brcm,bcm2835-gpio", {file!r}), "file", {file!r})
for line, percent in {lines}:
    backend.set_output(line, 0)
    backend.pwm(line, 1_000_000, percent * 10_000)
"""

THEIRS = """
import RPi.GPIO as GPIO
GPIO.setwarnings(False)
GPIO.setmode(GPIO.BCM)
running = []
for line, percent in {lines}:
    GPIO.setup(line, GPIO.OUT)
    running.append(GPIO.PWM(line, 1000))
    running[-1].start(percent)
"""

MEASURE = """
import os, sys, time
os.sched_setaffinity(0, {{{core}}})
{program}
print("ready", flush=True)
sys.stdin.readline()
cpu, real = time.process_time(), time.monotonic()
sys.stdin.readline()
print((time.process_time() - cpu) / (time.monotonic() - real), flush=True)
sys.stdin.readline()
os._exit(0)
"""


class Store(ctypes.Structure):
    """A write to GPSET0 that the observer has seen."""

    _fields_ = (("at_ns", ctypes.c_uint64), ("bits", ctypes.c_uint32))


class Observer:
    """A register file, and the C function that looks at it."""

    def __init__(self, folder):
        import mmap

        source, library = Path(folder, "observer.c"), Path(folder, "observer.so")
        source.write_text(OBSERVER)
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", library, source], check=True)
        compiled = ctypes.CDLL(str(library))
        self.floor_percent, self.floor_percent.restype = compiled.floor_percent, ctypes.c_double
        self._observe = compiled.observe
        self._observe.argtypes = (ctypes.c_void_p, ctypes.c_uint64, ctypes.c_void_p, ctypes.c_long)
        self._observe.restype = ctypes.c_long
        self.path = Path(folder, "registers")
        self.path.write_bytes(bytes(0x1000))
        with self.path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 0x1000)
        self._address = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))

    def jitter_ns(self, seconds):
        """What all rising edges of that time are away from 1 ms after their predecessors, sorted."""
        room = (Store * int(seconds * 20_000 + 1000))()
        count = self._observe(self._address, int(seconds * 1e9), room, len(room))
        jitter = []
        for line in LINES:
            rises = [store.at_ns for store in room[:count] if store.bits >> line & 1]
            jitter += [abs(b - a - PERIOD_NS) for a, b in itertools.pairwise(rises)]
        return sorted(jitter)


def run(observer, seconds, command, program, duties):
    """One round: (jitter p50, jitter p99, CPU share, frequency)."""
    program = program.format(file=str(observer.path), lines=list(zip(LINES, duties, strict=True)))
    code = MEASURE.format(program=program, core=0)
    with subprocess.Popen(
        [*command, sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "ready\n"
        time.sleep(WARM_UP_S)
        process.stdin.write("\n")
        process.stdin.flush()
        jitter = observer.jitter_ns(seconds)
        process.stdin.write("\n\n")
        process.stdin.flush()
        cpu = float(process.stdout.readline())
    return jitter[len(jitter) // 2], jitter[len(jitter) * 99 // 100], cpu, len(jitter) / len(LINES) / seconds


def measure(observer, duties, rounds=ROUNDS, seconds=SECONDS):
    """Rounds of both in turn: {name: medians}."""
    from peers import fakepi, peers

    fake = [*fakepi.command(memory=observer.path), "env", f"PYTHONPATH={peers.rpi_gpio()}"]
    libraries = {"RPIO": ((), OURS), "RPi.GPIO": (fake, THEIRS)}
    found = {name: [] for name in libraries}
    for _ in range(rounds):
        for name, (command, program) in libraries.items():
            found[name].append(run(observer, seconds, command, program, duties))
    return {
        name: [statistics.median(column) for column in zip(*rows, strict=True)]
        for name, rows in found.items()
    }


def floors(observer):
    """What the wake-ups alone cost, with clock_nanosleep() and on two timers."""
    return [[observer.floor_percent(moments, SECONDS * 1000, way) for way in (0, 1)] for moments in MOMENTS]


def rows():
    """The rows of the table."""
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(mine)})
    figures = []
    try:
        with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
            observer = Observer(folder)
            for duties, _ in DUTIES.values():
                found = measure(observer, duties)
                for column, (_, _, scale, _) in enumerate(COLUMNS):
                    figures.append([found[name][column] * scale for name in ("RPi.GPIO", "RPIO")])
            figures += floors(observer)
    finally:
        os.sched_setaffinity(0, mine)
    return filled(ROWS, figures)


if __name__ == "__main__":
    report(rows())
