# SPDX-License-Identifier: LGPL-3.0-or-later
"""``Adafruit_GPIO``: what drivers of chips need of 1.0.3, on whatever has the lines. Under ``rpio run``."""

from .GPIO import *  # noqa: F403 - as the original
