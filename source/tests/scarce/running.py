# SPDX-License-Identifier: LGPL-3.0-or-later
"""A world where something is lacking is a process of its own, with a library preloaded whose calls fail: program.py."""

import os
import subprocess
import sys
from pathlib import Path

from scarce.library import build
from waiting import LIMIT_S

STEP = int(os.environ.get("RPIO_INTERRUPTED_STEP", "23"))
"""Each so many requests of the interpreter; `make test-every` takes them all."""
CALLS_STEP = min(STEP, 23)
"""The same of calls of the C library."""
TESTS = Path(__file__).parents[1]


def run(world, step, rows=()):
    """Run the program to its end, with all rows or with these; return at how many points something was lacking."""
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-m", "scarce.program", world, str(step), *rows],
        capture_output=True,
        text=True,
        timeout=20 * LIMIT_S,
        env={**os.environ, "LD_PRELOAD": str(build()), "RPIO_BACKEND": "sim", "PYTHONPATH": str(TESTS)},
        check=False,
    )
    lines = done.stdout.splitlines()
    broken = [line for line in lines if line.startswith("BROKEN")]
    if done.returncode != 0:
        broken.append(f"it ended with status {done.returncode} {lines[-1:]}")
    assert not broken, "\n".join([*broken, done.stderr[-20_000:]])
    return int(lines[-1].removeprefix("points "))
