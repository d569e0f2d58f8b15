# SPDX-License-Identifier: LGPL-3.0-or-later
"""Contacts: buttons that are pressed, switches that stay, with the bounces that contacts have."""

from __future__ import annotations

from functools import partial

from .part import Part, check_ms

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..backends.sim import SimBackend

GROUND, SUPPLY = 0, 1
BOUNCES_MAX = 1000


class Contact(Part):
    """A contact between a line and *to*, 0 for ground or 1 for 3.3 V.

    It closes, and opens, with so many *bounces*, each *bounce_ms* closed and as long open. The line needs a pull, the
    board's own or a resistor: *has_resistor* puts one to 3.3 V there.
    """

    def __init__(
        self,
        board: SimBackend,
        line: int,
        to: int = GROUND,
        bounces: int = 0,
        bounce_ms: float = 0.5,
        has_resistor: bool = False,
    ) -> None:
        super().__init__(board)
        if to not in (GROUND, SUPPLY):
            raise ValueError(f"a contact is to 0 or 1, not {to!r}")
        if not 0 <= bounces <= BOUNCES_MAX:
            raise ValueError(f"bounces are 0 to {BOUNCES_MAX}, not {bounces!r}")
        check_ms("bounce_ms", bounce_ms, 0.001)
        self._line, self._to, self._bounces, self._bounce_ms = line, to, bounces, bounce_ms
        self.is_closed = False
        if has_resistor:
            board.pull_up(line)

    def _change(self, is_closed: bool, after_ms: float) -> None:
        for n in range(2 * self._bounces + 1):
            self._after(after_ms + n * self._bounce_ms, partial(self._touch, is_closed == (n % 2 == 0)))

    def _touch(self, is_closed: bool) -> None:
        self.is_closed = is_closed
        self._board.drive(self._line, self._to if is_closed else None)


class Button(Contact):
    """A button, which goes back by itself."""

    def press(self, ms: float = 120, after_ms: float = 0) -> None:
        """Press it for so long, now or a bit later. Does not wait: the rest happens as the clock goes on."""
        check_ms("ms", ms)
        check_ms("after_ms", after_ms)
        self._change(True, after_ms)
        self._change(False, after_ms + max(ms, self._settling_ms))

    @property
    def _settling_ms(self) -> float:
        return (2 * self._bounces + 1) * self._bounce_ms if self._bounces else 0.001

    def push(self) -> None:
        """Press it, and keep it pressed."""
        self._change(True, 0)

    def release(self) -> None:
        """Let go of it."""
        self._change(False, 0)

    @property
    def is_pressed(self) -> bool:
        """Whether its contact is closed."""
        return self.is_closed


class Switch(Contact):
    """A switch, or a door's contact: it stays as it is."""

    def close(self, after_ms: float = 0) -> None:
        """Close it, now or a bit later."""
        check_ms("after_ms", after_ms)
        self._change(True, after_ms)

    def open(self, after_ms: float = 0) -> None:
        """Open it, now or a bit later."""
        check_ms("after_ms", after_ms)
        self._change(False, after_ms)
