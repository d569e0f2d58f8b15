# SPDX-License-Identifier: LGPL-3.0-or-later
"""A rotary encoder."""

from __future__ import annotations

from functools import partial

from .part import Part, check_ms

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..backends.sim import SimBackend

CLOCKWISE = ((0, 1), (0, 0), (1, 0), (1, 1))
COUNTER_CLOCKWISE = (*CLOCKWISE[-2::-1], CLOCKWISE[-1])
CLICKS_MAX = 1000


class Encoder(Part):
    """Two contacts to ground, open at rest in each click; A closes first clockwise. ``clicks`` counts, from 0.

    *has_resistors*: its module has pull-ups, stronger than the chip's pulls.
    """

    def __init__(self, board: SimBackend, a: int, b: int, has_resistors: bool = True) -> None:
        super().__init__(board)
        if a == b:
            raise ValueError(f"A and B are two lines, not GPIO {a} twice")
        self._lines = (a, b)
        self._now = (1, 1)
        self.clicks = 0
        if has_resistors:
            for line in self._lines:
                board.pull_up(line)

    def turn(self, clicks: int, quarter_ms: float = 2, bounces: int = 0, after_ms: float = 0) -> float:
        """Turn it by so many clicks, counter-clockwise where they are negative, a quarter of one each *quarter_ms*.

        Does not wait; returns in how many milliseconds it has been turned. *bounces*: of each contact, each time,
        within a quarter of that.
        """
        check_ms("quarter_ms", quarter_ms, 0.001)
        check_ms("after_ms", after_ms)
        if abs(clicks) > CLICKS_MAX:
            raise ValueError(f"clicks are {-CLICKS_MAX} to {CLICKS_MAX}, not {clicks}")
        at_ms: float = after_ms
        for _ in range(abs(clicks)):
            for a, b in CLOCKWISE if clicks > 0 else COUNTER_CLOCKWISE:
                self._after(at_ms, partial(self._move, (a, b), bounces, quarter_ms))
                at_ms += quarter_ms
            self._after(at_ms, partial(self._count, 1 if clicks > 0 else -1))
        return at_ms

    def _move(self, state: tuple[int, int], bounces: int, quarter_ms: float) -> None:
        step_ms = quarter_ms / 4 / (2 * bounces or 1)
        for line, before, now in zip(self._lines, self._now, state, strict=True):
            if before != now:
                for n in range(2 * bounces + 1):
                    self._after(n * step_ms, partial(self._drive, line, (now, before)[n % 2]))
        self._now = state

    def _drive(self, line: int, level: int) -> None:
        self._board.drive(line, None if level else 0)

    def _count(self, clicks: int) -> None:
        self.clicks += clicks
