# SPDX-License-Identifier: LGPL-3.0-or-later
"""smbus2's own tests, unmodified, on RPIO.i2c; and what the tests in the kernel rig compare with, fetched."""

import importlib.util
import os
import re
import subprocess
import sys

import pytest

from RPIO.shims.buses import smbus2 as shim
from RPIO.spi import SpiDev

from . import peers

SMBUS2, SPIDEV = "smbus2==0.6.1", "spidev==3.8"
TESTS = 14
PROGRAM = """
import sys, unittest
import test_datatypes, test_smbus2
import RPIO.i2c

class SMBus(RPIO.i2c.SMBus):
    # a test sets this, which is smbus2's own; on a bus of the kernel's that has it
    _pec = property(lambda self: self.pec, lambda self, value: setattr(self._calls, "_pec", value))

test_smbus2.SMBus = SMBus
test_smbus2.i2c_msg = test_datatypes.i2c_msg = RPIO.i2c.i2c_msg
suite = unittest.TestSuite(map(unittest.defaultTestLoader.loadTestsFromModule, (test_smbus2, test_datatypes)))
done = unittest.TextTestRunner(stream=sys.stdout).run(suite)
sys.exit(not done.wasSuccessful())
"""


def test_its_own_tests_pass(fetch):
    source = fetch(peers.sdist, SMBUS2)
    path = [str(fetch(peers.installed, SMBUS2)), str(source / "tests")]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path), "RPIO_BACKEND": "cdev"},
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert f"Ran {TESTS} tests" in done.stdout


@pytest.fixture
def theirs(fetch):
    """smbus2's modules by their text, which no import of another test can change."""
    folder = fetch(peers.installed, SMBUS2) / "smbus2"
    return {name: (folder / name).read_text() for name in ("__init__.py", "smbus2.py")}


def test_our_smbus2_has_its_names_and_values(theirs):
    version = re.search(r'__version__ = "(.+)"', theirs["__init__.py"])[1]
    assert shim.__version__ == version
    names = {}
    head = theirs["smbus2.py"].partition("# Pointer definitions")[0]
    exec(compile(head, "smbus2.py", "exec"), names)
    for name, value in names.items():
        if name.startswith("I2C_"):
            assert getattr(shim.smbus2, name) == value, name
    assert {flag.name: flag.value for flag in shim.I2cFunc} == {
        flag.name: flag.value for flag in names["I2cFunc"]
    }


def test_our_spidev_has_its_names(fetch):
    folder = fetch(peers.installed, SPIDEV)
    spec = importlib.util.spec_from_file_location("spidev", next(folder.glob("spidev*.so")))
    spidev = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(spidev)
    assert {name for name in dir(spidev.SpiDev) if name[0] != "_"} == {
        name for name in dir(SpiDev) if name[0] != "_"
    }


def test_what_the_kernel_rig_compares_with_is_there(fetch):
    for packages in (("i2c-tools", "libi2c0"), ("python3-smbus", "libi2c0")):
        assert any(fetch(peers.debian, *packages).iterdir())
        assert peers.kept("+".join(packages))
