# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio``: look at lines and change them from the shell, run programs written for RPi.GPIO.

A verb is a row in index and a function; a first word that begins with "-" is one of the original's options, in classic.
"""

from .command import curses as curses
from .command import main as main
