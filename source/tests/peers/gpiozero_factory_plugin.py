# SPDX-License-Identifier: LGPL-3.0-or-later
"""A pytest plugin for gpiozero's own tests: on real pins with our factories, of a simulated Pi 3B+ with a wire.

RPIO_FACTORIES has the names of the factories, RPIO_OVER is as with behind.py; where a chip is there, no
board is made.
"""

import os

from gpiozero_wants import mock_factory, no_default_factory, pwm
from wired_board import use_wired_board

__all__ = ["mock_factory", "no_default_factory", "pwm"]

FACTORIES = os.environ["RPIO_FACTORIES"].split()

if os.environ["RPIO_BACKEND"].startswith("sim"):
    os.environ["RPIO_BACKEND"] = use_wired_board() or os.environ["RPIO_BACKEND"]


def pytest_collection_modifyitems(items):
    """Leave out what is on other people's pins."""
    items[:] = [item for item in items if wanted(item)]


def wanted(item):
    """Whether a test is on no factory's pins, or on those of one that is asked for."""
    name = item.callspec.params.get("pin_factory_name") if hasattr(item, "callspec") else None
    return name is None or name in FACTORIES
