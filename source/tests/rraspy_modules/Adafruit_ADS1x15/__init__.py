# SPDX-License-Identifier: LGPL-3.0-or-later
"""Adafruit_ADS1x15 as a device of the tests has it."""

from .ADS1x15 import ADS1015, ADS1115

__all__ = ["ADS1015", "ADS1115"]
