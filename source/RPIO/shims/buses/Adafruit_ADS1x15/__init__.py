# SPDX-License-Identifier: LGPL-3.0-or-later
"""``Adafruit_ADS1x15``: all of 1.0.2's classes, on whatever has the lines. Under ``rpio run``."""

from .ADS1x15 import ADS1015, ADS1115

__all__ = ["ADS1015", "ADS1115"]
