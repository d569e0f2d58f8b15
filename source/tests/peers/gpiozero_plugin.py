# SPDX-License-Identifier: LGPL-3.0-or-later
# ruff: noqa: E402 # what is to be missing is so before they are imported
"""A pytest plugin for gpiozero's own tests: RPIO in RPi.GPIO's place, on a simulated Pi 3B+ with a wire."""

import sys

# By `rpio run` there would be one. Its tests of SPI want a wire between two pins; one that fails there is collected by
# a later one in the middle of a lock of gpiozero's, which its close() takes as well: test_chip_drivers has SPI.
sys.modules["spidev"] = None

from gpiozero_wants import mock_factory, no_default_factory, pwm
from wired_board import use_wired_board

import RPIO

OTHER_FACTORIES = ("[native]", "[lgpio]", "[pigpio]", "[rpio]", "[rpiosim]", "[rpioremote]")
WANTS_NO_LIBRARY = "test_default_pin_factory_order"  # RPi.GPIO is to be missing there

__all__ = ["mock_factory", "no_default_factory", "pwm"]

use_wired_board()
RPIO.install_as_rpi_gpio()


def pytest_collection_modifyitems(items):
    """Leave out what has another library below it than ours."""
    items[:] = [
        item for item in items if not item.name.endswith(OTHER_FACTORIES) and item.name != WANTS_NO_LIBRARY
    ]
