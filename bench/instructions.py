# SPDX-License-Identifier: LGPL-3.0-or-later
"""How many instructions output() and input() take, beside RPi.GPIO's: counted by valgrind, so they repeat.

    bench/instructions.py

Each call is run a number of times on the fake Pi under callgrind; what a loop without it takes is subtracted. The
ratios are a gate (source/tests/peers/test_instructions.py): times flicker, counts do not.
"""

import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import registers
from table import blank, filled, report

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "source" / "tests"))

CALLS = {what: call for what, call in registers.CALLS.items() if call[1] is not None}
"""Those of the times that have a bar: it holds for instructions, too."""
ROWS = [blank(f"instructions: {what}", "RPi.GPIO", "", bar) for what, (_, bar) in CALLS.items()]
NUMBER = 5_000
MODULES = {"theirs": "RPi.GPIO", "ours": "RPIO"}
PROGRAM = """
import {module} as G
G.setwarnings(False); G.setmode(G.BCM); G.setup([17, 18], G.OUT); G.setup(22, G.IN)
pair = [17, 18]
def run():
    for _ in range({number}):
        {call}
run()
"""


def why_not():
    """Why nothing can be counted here; "" where it can."""
    from peers import fakepi

    if shutil.which("valgrind") is None:
        return "needs valgrind: sudo apt install valgrind"
    return fakepi.why_not()


def count(module, call):
    """Instructions of a whole run."""
    from peers import fakepi, peers

    environment = {
        **os.environ,
        "PYTHONPATH": str(peers.rpi_gpio()),
        "PYTHONHASHSEED": "0",
        "RPIO_BACKEND": "regs",
    }
    program = PROGRAM.format(module=module, call=call, number=NUMBER)
    words = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", sys.executable, "-c", program]
    done = subprocess.run(
        [*fakepi.command(), *words], env=environment, capture_output=True, text=True, check=True
    )
    return int(re.search(r"Collected : (\d+)", done.stderr)[1])


def measure():
    """Statement -> library -> instructions of one call."""
    calls = {"nothing": "pass", **{what: call for what, (call, _) in CALLS.items()}}
    keys = [(what, name) for what in calls for name in MODULES]
    with ThreadPoolExecutor(2) as pool:
        totals = dict(
            zip(keys, pool.map(lambda key: count(MODULES[key[1]], calls[key[0]]), keys), strict=True)
        )
    return {
        what: {name: (totals[what, name] - totals["nothing", name]) / NUMBER for name in MODULES}
        for what in CALLS
    }


def rows():
    """The rows of the table."""
    return filled(ROWS, [(took["theirs"], took["ours"]) for took in measure().values()])


if __name__ == "__main__":
    if why_not():
        sys.exit(why_not())
    report(rows())
