# SPDX-License-Identifier: LGPL-3.0-or-later
"""RPIO beside RPi.GPIO 0.7.1, unmodified, in one process on the same fake registers, and what an import costs.

bench/registers.py
"""

import json
import os
import random
import statistics
import subprocess
import sys
import timeit
import warnings
from pathlib import Path

from table import blank, filled, report

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "source" / "tests"))

CALLS = {
    # what is called -> statement, what ours may cost of theirs
    "output(17, 1)": ("G.output(17, 1)", 0.4),
    "input(17)": ("G.input(17)", 0.4),
    "output([17, 18], 1)": ("G.output(pair, 1)", 0.67),
    "output([17, 18], [0, 1])": ("G.output(pair, levels)", None),
    "output(17, 1), input(22)": ("G.output(17, 1); G.input(22)", 0.4),
}
ROUNDS, NUMBER = 40, 20_000
IMPORTS = {
    # what is done -> statement, what ours may cost of theirs
    "import": ("import {module}", 1.5),
    "import, and the first call": ("import {module} as G; G.setmode(G.BCM)", None),
}
IMPORT_ROUNDS = 40
ROWS = [
    *(blank(f"registers: {what}", "RPi.GPIO", "ns", bar) for what, (_, bar) in CALLS.items()),
    *(blank(what, "RPi.GPIO", "us", bar) for what, (_, bar) in IMPORTS.items()),
]


def calls_ns():
    """Statement -> library -> the times of all rounds, in nanoseconds. Runs on the fake Pi."""
    import RPi.GPIO as theirs

    import RPIO as ours

    warnings.simplefilter("ignore")
    libraries = {"theirs": theirs, "ours": ours}
    timers = {}
    for name, library in libraries.items():
        library.setwarnings(False)
        library.setmode(library.BCM)
        library.setup([17, 18], library.OUT)
        library.setup(22, library.IN)
        names = {"G": library, "pair": [17, 18], "levels": [0, 1]}
        timers |= {(what, name): timeit.Timer(call, globals=names) for what, (call, _) in CALLS.items()}
    found = {key: [] for key in timers}
    for _ in range(ROUNDS):
        for key in random.sample(list(timers), len(timers)):
            found[key].append(timers[key].timeit(NUMBER) / NUMBER * 1e9)
    return {what: {name: found[what, name] for name in libraries} for what in CALLS}


def import_us(statement, module):
    """What it costs a process that has imported nothing else, in microseconds."""
    done = statement.format(module=module)
    code = f"from time import perf_counter as t; a = t(); {done}; print((t() - a) * 1e6)"
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)


def imports_us():
    """What -> library -> times, in turn. Runs on the fake Pi, where RPi.GPIO can be imported."""
    modules = {"theirs": "RPi.GPIO", "ours": "RPIO"}
    found = {what: {name: [] for name in modules} for what in IMPORTS}
    for _ in range(IMPORT_ROUNDS):
        for what, (statement, _) in IMPORTS.items():
            for name, module in modules.items():
                found[what][name].append(import_us(statement, module))
    return found


def rows():
    """The rows of the table."""
    from peers import fakepi, peers

    environment = {**os.environ, "PYTHONPATH": str(peers.rpi_gpio()), "RPIO_BACKEND": "regs"}
    done = subprocess.run(
        [*fakepi.command(), sys.executable, __file__, "on-the-fake-pi"],
        env=environment,
        stdout=subprocess.PIPE,
        check=True,
    )
    found = json.loads(done.stdout)
    best = [tuple(min(took[name]) for name in ("theirs", "ours")) for took in found["calls"].values()]
    usual = [
        tuple(statistics.median(took[name]) for name in ("theirs", "ours"))
        for took in found["imports"].values()
    ]
    return filled(ROWS, best + usual)


if __name__ == "__main__":
    if sys.argv[1:] == ["on-the-fake-pi"]:
        print(json.dumps({"calls": calls_ns(), "imports": imports_us()}))
    else:
        report(rows())
