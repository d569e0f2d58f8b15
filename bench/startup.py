# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio -i 17`` from start to end, beside a Python that does nothing, in turn.

bench/startup.py      milliseconds of each, the best of all rounds, as JSON
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from table import blank, filled

ROUNDS = 25
BAR = 2.3
ROWS = [
    blank("rpio -i 17, start to end", "python -c pass", "ms", BAR),
    blank("rpio -i 17, start to end", "import argparse", "ms"),
]
COMMANDS = {
    "nothing": [sys.executable, "-c", "pass"],
    "argparse": [sys.executable, "-c", "import argparse"],
    "rpio -i 17": [str(Path(sys.executable).with_name("rpio")), "-i", "17"],
}


def run():
    """Milliseconds of each command, the best of all rounds."""
    took_ms = {name: [] for name in COMMANDS}
    env = {**os.environ, "RPIO_BACKEND": "sim"}
    for _ in range(ROUNDS):
        for name, command in COMMANDS.items():
            begin = time.perf_counter()
            subprocess.run(command, env=env, stdout=subprocess.DEVNULL, check=True)
            took_ms[name].append((time.perf_counter() - begin) * 1e3)
    return {name: min(took) for name, took in took_ms.items()}


def rows():
    """The command beside Python alone, and beside Python with argparse."""
    found = run()
    return filled(ROWS, [(found[name], found["rpio -i 17"]) for name in ("nothing", "argparse")])


if __name__ == "__main__":
    print(json.dumps(run()))
