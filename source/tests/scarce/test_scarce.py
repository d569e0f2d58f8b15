# SPDX-License-Identifier: LGPL-3.0-or-later
"""Resources end, and nothing is lost by that: memory, descriptors, threads, at every call that wants some.

Each world is a program in a process of its own, with a library preloaded in which calls fail: program.py.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scarce.library import build
from support import native
from waiting import LIMIT_S

STEP = int(os.environ.get("RPIO_INTERRUPTED_STEP", "23"))
"""Each so many requests of the interpreter; `make test-full` takes them all."""
CALLS_STEP = min(STEP, 3)
"""The same of calls of the C library."""
TESTS = Path(__file__).parents[1]


def run(*arguments):
    """Run the program to its end; return what was broken, and at how many points something was lacking."""
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-m", "scarce.program", *arguments],
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


@native("the preloaded library would have to be built for, and loaded by, the emulator")
@pytest.mark.timeout(20 * LIMIT_S)
@pytest.mark.parametrize("world", ["sim", "cdev"])
def test_what_lacks_something_says_so_and_loses_nothing(world):
    assert run(world, str(CALLS_STEP)) > 100


@native("the preloaded library would have to be built for, and loaded by, the emulator")
@pytest.mark.timeout(20 * LIMIT_S)
def test_an_interpreter_without_memory_says_so_and_loses_nothing():
    pytest.importorskip("_testcapi")
    assert run("memory", str(STEP)) > 20
