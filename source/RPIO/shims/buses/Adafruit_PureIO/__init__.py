# SPDX-License-Identifier: LGPL-3.0-or-later
"""``Adafruit_PureIO``: its module smbus, on whatever has the lines. Under ``rpio run``."""
