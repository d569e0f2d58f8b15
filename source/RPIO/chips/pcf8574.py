# SPDX-License-Identifier: LGPL-3.0-or-later
"""PCF8574: eight pins that are inputs and outputs at once.

Source: NXP PCF8574 data sheet (rev. 5), 8.1 (quasi-bidirectional: a 1 is a weak pull-up, which anybody may pull down),
8.2 to 8.4 (all pins are 1 after power-up), 8.5 (interrupt: reset by a read, a write, or inputs that are as they were).
"""

from __future__ import annotations

from .chip import I2cChip
from .expander import InterruptOutput, Pins

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..backends.sim import SimBackend


class Pcf8574(I2cChip):
    """*pins*: which are wired to lines, {0: 17}. *interrupt*: the line at INT. ``drive(pin, value)`` is the world
    outside, ``level(pin)`` a voltmeter.
    """

    def __init__(
        self, board: SimBackend, pins: Mapping[int, int] | None = None, interrupt: int | None = None
    ) -> None:
        self._board, self._latch, self._seen = board, 0xFF, 0xFF
        self._is_ready = False
        self._interrupt = InterruptOutput(board, interrupt)
        self._pins = Pins(board, 8, pins or {}, self._changed)
        self.drive, self.level = self._pins.drive, self._pins.level
        self._put(0xFF)
        self._is_ready = True
        self._see()

    def _put(self, latch: int) -> None:
        self._latch = latch
        for pin in range(8):
            is_high = bool(latch >> pin & 1)
            self._pins.set(pin, None if is_high else 0, is_high)

    def _see(self) -> int:
        """The levels, which are no news any more."""
        self._seen = levels = self._pins.levels()
        self._interrupt.show(None)
        return levels

    def _changed(self) -> None:
        if self._is_ready:
            is_news = (self._pins.levels() ^ self._seen) & self._latch
            self._interrupt.show(0 if is_news else None)

    def write(self, byte: int) -> bool:
        with self._board.whole():
            self._is_ready = False  # what it changes itself is no news
            self._put(byte)
            self._is_ready = True
            self._see()
        return True

    def read(self) -> int:
        with self._board.whole():
            return self._see()
