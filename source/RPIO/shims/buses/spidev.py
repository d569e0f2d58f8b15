# SPDX-License-Identifier: LGPL-3.0-or-later
"""``spidev``: its class, which is RPIO's, on whatever has the lines. Under ``rpio run``."""

from RPIO.spi import SpiDev

__version__ = "3.8"
__all__ = ["SpiDev"]
