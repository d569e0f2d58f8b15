# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio -i 17`` from start to end, beside a Python that does nothing, in turn.

bench/startup.py      both medians in milliseconds, as JSON
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROUNDS = 25
BAR = 2.5
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
    """The command, and what of it is argparse."""
    from table import Row

    found = run()
    ours = found["rpio -i 17"]
    return [
        Row("rpio -i 17, start to end", "python -c pass", found["nothing"], ours, "ms", BAR),
        Row("the same", "import argparse", found["argparse"], ours, "ms"),
    ]


if __name__ == "__main__":
    print(json.dumps(run()))
