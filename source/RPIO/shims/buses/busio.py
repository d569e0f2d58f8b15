# SPDX-License-Identifier: LGPL-3.0-or-later
"""CircuitPython's ``busio``: I2C and SPI, on whatever has the lines. Under ``rpio run``, without Blinka."""

from RPIO.shims.circuit_buses import I2C, SPI

__all__ = ["I2C", "SPI"]
