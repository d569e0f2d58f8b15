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

from table import Row, report

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "source" / "tests"))

CALLS = {
    # what is called -> statement, what ours may cost of theirs
    "output(17, 1)": ("G.output(17, 1)", 0.4),
    "input(17)": ("G.input(17)", 0.4),
    "output([17, 18], 1)": ("G.output(pair, 1)", 0.67),
    "output([17, 18], [0, 1])": ("G.output(pair, levels)", None),
}
ROUNDS, NUMBER = 40, 20_000
IMPORTS = 40
IMPORT_BAR = 1.5


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
        names = {"G": library, "pair": [17, 18], "levels": [0, 1]}
        timers |= {(what, name): timeit.Timer(call, globals=names) for what, (call, _) in CALLS.items()}
    found = {key: [] for key in timers}
    for _ in range(ROUNDS):
        for key in random.sample(list(timers), len(timers)):
            found[key].append(timers[key].timeit(NUMBER) / NUMBER * 1e9)
    return {what: {name: found[what, name] for name in libraries} for what in CALLS}


def import_us(module):
    """What one import costs a process that has imported nothing else, in microseconds."""
    code = f"from time import perf_counter as t; a = t(); import {module}; print((t() - a) * 1e6)"
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)


def imports_us():
    """Library -> times, in turn. Runs on the fake Pi, where RPi.GPIO can be imported."""
    modules = {"theirs": "RPi.GPIO", "ours": "RPIO"}
    rounds = [{name: import_us(module) for name, module in modules.items()} for _ in range(IMPORTS)]
    return {name: [one[name] for one in rounds] for name in modules}


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
    table = []
    for what, (_, bar) in CALLS.items():
        theirs, ours = (found["calls"][what][name] for name in ("theirs", "ours"))
        table.append(Row(f"registers: {what}", "RPi.GPIO", min(theirs), min(ours), "ns", bar))
    theirs, ours = (statistics.median(found["imports"][name]) for name in ("theirs", "ours"))
    return [*table, Row("import", "RPi.GPIO", theirs, ours, "us", IMPORT_BAR)]


if __name__ == "__main__":
    if sys.argv[1:] == ["on-the-fake-pi"]:
        print(json.dumps({"calls": calls_ns(), "imports": imports_us()}))
    else:
        report(rows())
