# SPDX-License-Identifier: LGPL-3.0-or-later
"""A pytest plugin for gpiozero's own tests on a real kernel's gpiochip: with a wire between two lines of gpio-sim.

The kernel's simulator has no wires: before a test looks at one of the two pins, what the other one drives, or pulls, is
put on it. Runs in the kernel rig.
"""

import sys
from pathlib import Path

from gpiozero.pins import Pin
from gpiozero_factory_plugin import (
    mock_factory,
    no_default_factory,
    pwm,
    pytest_collection_modifyitems,
)

from RPIO.gpiozero_pins import RPIOPin, factory

sys.path.append(str(Path(__file__).parents[1]))
from kernel import gpiosim

__all__ = ["mock_factory", "no_default_factory", "pwm", "pytest_collection_modifyitems"]

WIRED = (22, 27)
CHIP = gpiosim.find("pinctrl-bcm2835")


class WiredPin(RPIOPin):
    """A pin that a wire may lead to."""

    def _get_state(self):
        if self._number in WIRED:
            self._carry()
        return RPIOPin.state.fget(self)

    state = property(_get_state, RPIOPin.state.fset, doc=Pin.state.__doc__)

    def _carry(self):
        """Have the level of the stronger end on the other one, which is an input."""
        ends = [self.factory.pin(line) for line in WIRED]
        strong = sorted(ends, key=lambda pin: (pin.function == "output", pin.pull != "floating"))[-1]
        weak = ends[1 - ends.index(strong)]
        if weak.function == "input":
            CHIP.drive(weak._number, CHIP.level(strong._number))


factory.RPIOPin = WiredPin
