# SPDX-License-Identifier: LGPL-3.0-or-later
# ruff: noqa: E402 # what is to be missing is so before they are imported
"""A pytest plugin for gpiozero's own tests: RPIO in RPi.GPIO's place, on a simulated Pi 3B+ with a wire.

gpiozero's sdist has its tests without their conftest.py, so what they want of it is here, and goes by its name.
"""

import sys
import threading

import pytest

# By `rpio run` there would be one. Its tests of SPI want a wire between two pins; one that fails there is collected by
# a later one in the middle of a lock of gpiozero's, which its close() takes as well: test_chip_drivers has SPI.
sys.modules["spidev"] = None

from gpiozero import Device
from gpiozero.pins.mock import MockFactory, MockPWMPin
from wired_board import use_wired_board

import RPIO

OTHER_FACTORIES = ("[native]", "[lgpio]", "[pigpio]")
WANTS_NO_LIBRARY = "test_default_pin_factory_order"  # RPi.GPIO is to be missing there

sys.modules["conftest"] = sys.modules[__name__]


use_wired_board()
RPIO.install_as_rpi_gpio()


def pytest_collection_modifyitems(items):
    """Leave out what has another library below it than ours."""
    items[:] = [
        item for item in items if not item.name.endswith(OTHER_FACTORIES) and item.name != WANTS_NO_LIBRARY
    ]


@pytest.fixture
def no_default_factory(monkeypatch):
    """No factory has been chosen yet; afterwards the one from before is."""
    monkeypatch.setattr(Device, "pin_factory", None)


@pytest.fixture
def mock_factory(monkeypatch):
    """gpiozero's own simulation is the default; it forgets its pins afterwards."""
    factory = MockFactory()
    monkeypatch.setattr(Device, "pin_factory", factory)
    yield factory
    factory.reset()


@pytest.fixture
def pwm(mock_factory):
    """The pins of the simulation can do PWM."""
    mock_factory.pin_class = MockPWMPin


class ThreadedTest(threading.Thread):
    """A call in a thread of its own; *result* waits for it."""

    def __init__(self, call):
        super().__init__(daemon=True)
        self._call = call
        self._result = None
        self.start()

    def run(self):
        self._result = self._call()

    @property
    def result(self):
        self.join(10)
        return self._result
