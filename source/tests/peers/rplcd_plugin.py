# SPDX-License-Identifier: LGPL-3.0-or-later
"""A pytest plugin for RPLCD's own tests: RPIO in RPi.GPIO's place. Their conftest.py is not in the sdist."""

import importlib
import sys
from pathlib import Path

import pytest

import RPIO
from RPIO.backends.sim import SimBackend
from RPIO.machine.boards import by_name

sys.path.append(str(Path(__file__).parents[1]))
import behind

if behind.IS_REMOTE:
    behind.use(SimBackend(by_name("3B+")))
RPIO.install_as_rpi_gpio()
GPIO = importlib.import_module("RPi.GPIO")


@pytest.fixture
def charlcd_kwargs():
    """The wiring that RPLCD's manual shows."""
    yield {
        **{
            "numbering_mode": GPIO.BOARD,
            "pin_rs": 15,
            "pin_rw": 18,
            "pin_e": 16,
            "pins_data": [21, 22, 23, 24],
        },
    }
    GPIO.cleanup()
