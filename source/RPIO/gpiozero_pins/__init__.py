# SPDX-License-Identifier: LGPL-3.0-or-later
"""gpiozero on RPIO's lines: its devices on this machine, on a simulated board, on another machine.

::

    GPIOZERO_PIN_FACTORY=rpio python3 lamp.py                         # what RPIO would take here
    GPIOZERO_PIN_FACTORY=rpiosim python3 lamp.py                      # a simulated board
    GPIOZERO_PIN_FACTORY=rpio RPIO_BACKEND=ssh://pi python3 lamp.py   # the pins of another machine

    from gpiozero import LED
    from RPIO.gpiozero_pins import RPIOFactory

    here, there = RPIOFactory(), RPIOFactory("ssh://pi2")
    LED(17, pin_factory=here).source = Button(4, pin_factory=there)

gpiozero loads this by its entry points; nothing else of RPIO imports it, or gpiozero.
"""

from .entry import RPIOFactory as RPIOFactory
from .entry import RPIORemoteFactory as RPIORemoteFactory
from .entry import RPIOSimFactory as RPIOSimFactory
from .pin import RPIOPin as RPIOPin
from .refusals import PinRefused as PinRefused
