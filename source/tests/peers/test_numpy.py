# SPDX-License-Identifier: LGPL-3.0-or-later
"""numpy's numbers and arrays, as channels and as values, beside the real RPi.GPIO."""

import json
import os
import subprocess
import sys

import pytest

from . import fakepi, peers

NUMPY = "numpy==2.2.6"
CALLS = {
    "setup(np.array([17, 27]), OUT)": None,
    "setup([17, 27], OUT)": None,
    "output(np.array([17, 27]), 1)": None,
    "output([17, 27], np.array([1, 0]))": None,
    "output(17, np.array([1]))": None,
    "output([17, 27], [np.array([1]), 0])": None,
    "output(17, 1.0 + np.float64(0))": None,
    "input(np.array([17]))": None,
    "cleanup(np.array([17]))": None,
    "setup([np.array([17])], OUT)": None,
    # what the real one refuses, and means something
    "output(17, np.bool_(True))": "0",
    "output(17, np.array([3, 1])[0] > 2)": "0",
    "output([17, 27], list(np.array([3, 1]) > 2))": "0",
    "setup(np.int64(17), OUT)": "0",
    "output(np.uint8(17), np.int32(1))": "0",
    "output(list(np.array([17, 27])), list(np.array([0, 1])))": "0",
    "output(np.array(17), np.array(1))": "0",
}
"""What is called -> what the call does here where the real one raises; None: the same as there."""
PROGRAM = f"""
import json, sys
import numpy as np
if "RPIO" in sys.argv:
    import RPIO
    RPIO.install_as_rpi_gpio()
from RPi.GPIO import *

setmode(BCM)
setup(17, OUT)
setup(27, OUT)
told = {{}}
for call in {list(CALLS)}:
    try:
        told[call] = f"{{eval(call) or 0}}"
    except (TypeError, ValueError) as e:
        told[call] = f"ValueError: {{e}}" if isinstance(e, ValueError) else "TypeError"
print(json.dumps(told))
"""


def outcomes(*command, **env):
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, env={**os.environ, **env}, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def both(rpi_gpio, fetch):
    """Call -> (theirs, ours)."""
    numpy = str(fetch(peers.installed, NUMPY))
    theirs = outcomes(
        *fakepi.command(), sys.executable, "-c", PROGRAM, PYTHONPATH=f"{rpi_gpio}{os.pathsep}{numpy}"
    )
    ours = outcomes(sys.executable, "-c", PROGRAM, "RPIO", PYTHONPATH=numpy, RPIO_BACKEND="sim:3B+")
    return {call: (theirs[call], ours[call]) for call in CALLS}


@pytest.mark.parametrize("call", CALLS)
def test_a_call_with_numpys_numbers_does_what_it_does_there_or_what_it_means(both, call):
    theirs, ours = both[call]
    if CALLS[call] is None:
        assert ours == theirs
    else:
        assert ours == CALLS[call] and theirs.startswith(("ValueError", "TypeError"))
