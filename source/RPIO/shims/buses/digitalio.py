# SPDX-License-Identifier: LGPL-3.0-or-later
"""CircuitPython's ``digitalio``, on whatever has the lines. Under ``rpio run``, without Blinka."""

from RPIO.shims.circuit_pins import DigitalInOut, Direction, DriveMode, Pin, Pull

__all__ = ["DigitalInOut", "Direction", "DriveMode", "Pin", "Pull"]
