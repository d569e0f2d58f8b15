# SPDX-License-Identifier: LGPL-3.0-or-later
"""What gpiozero's own tests want of a conftest.py, which its sdist has not: for the plugins beside."""

import sys
import threading

import pytest
from gpiozero import Device
from gpiozero.pins.mock import MockFactory, MockPWMPin

sys.modules["conftest"] = sys.modules[__name__]


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
