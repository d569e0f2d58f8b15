# SPDX-License-Identifier: LGPL-3.0-or-later
"""A program on a device with a virtual environment of its own, which has numpy and no RPIO, within the usual limits."""

import subprocess
import sys

import pytest

from keeper_parts import keeping
from RPIO.programs.process import Limits

from . import peers
from .test_numpy import NUMPY

CODE = """\
import sys
import numpy as np
import RPi.GPIO as GPIO
from further_link import send_image

print(sys.prefix)
print((np.arange(1000).reshape(10, 100) @ np.ones(100)).sum())
GPIO.setmode(GPIO.BCM)
GPIO.setup(17, GPIO.OUT, initial=1)
print(GPIO.input(17))
send_image(b"\\xff\\xd8\\xff" + np.zeros(100, np.uint8).tobytes())
"""


@pytest.fixture
def venv(tmp_path):
    """One that has numpy."""
    folder = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "numpy.pth").write_text(f"{peers.installed(NUMPY)}\n")
    return folder


def test_a_program_has_the_packages_of_its_environment_and_lines_by_the_daemons_rpio(venv, tmp_path):
    with keeping(tmp_path, limits=Limits().words()) as keeper:
        client = keeper.client()
        status, out, err = client.run(runner="python3", code=CODE, venv=str(venv))
        assert (status, err) == (0, b"")
        assert out.decode().split() == [str(venv), "499500.0", "1"]
        client.close()
