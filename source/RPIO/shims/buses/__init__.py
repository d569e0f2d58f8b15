# SPDX-License-Identifier: LGPL-3.0-or-later
"""Libraries of I2C and SPI by their names, on whatever has the lines: see ``stand_ins``. Under ``rpio run``."""
