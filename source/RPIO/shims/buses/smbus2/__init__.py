# SPDX-License-Identifier: LGPL-3.0-or-later
"""``smbus2``: its names, which are RPIO's classes, on whatever has the lines. Under ``rpio run``."""

from .smbus2 import I2cFunc, SMBus, i2c_msg

__version__ = "0.6.1"
__all__ = ["I2cFunc", "SMBus", "i2c_msg"]
