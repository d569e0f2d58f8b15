# SPDX-License-Identifier: LGPL-3.0-or-later
"""Resources end, and nothing is lost by that: memory, descriptors, threads, at every call that wants some."""

import pytest

from scarce.running import CALLS_STEP, STEP, run
from support import native
from waiting import LIMIT_S


@native("the preloaded library would have to be built for, and loaded by, the emulator")
@pytest.mark.timeout(20 * LIMIT_S)
@pytest.mark.parametrize("world", ["sim", "cdev"])
@pytest.mark.slow
def test_what_lacks_something_says_so_and_loses_nothing(world):
    assert run(world, CALLS_STEP) > 100


@native("the preloaded library would have to be built for, and loaded by, the emulator")
@pytest.mark.timeout(20 * LIMIT_S)
@pytest.mark.slow
def test_an_interpreter_without_memory_says_so_and_loses_nothing():
    pytest.importorskip("_testcapi")
    try:
        found = run("memory", STEP)
    except AssertionError as e:
        # There are moments at which CPython itself does not outlive it, in plain Python code; they come and go, and a
        # fault of ours comes again.
        if "status -11" not in str(e):
            raise
        found = run("memory", STEP)
    assert found > 20
