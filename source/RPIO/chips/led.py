# SPDX-License-Identifier: LGPL-3.0-or-later
"""An LED: whether it is lit, how bright it looks, and what it has done."""

from __future__ import annotations

from collections import deque

from .part import Part

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..backends.sim import SimBackend

FLICKER_MS = 40.0
"""A period longer than that is seen as blinking, a shorter one as brightness."""
PERIODS, HISTORY = 10, 10_000
"""How many periods the brightness is of, and how many changes are kept."""


class Led(Part):
    """An LED from a line to ground, or, with *is_active_high* false, to 3.3 V.

    ``history`` has its last 10,000 changes, (ms, is it lit), by the board's clock.
    """

    def __init__(self, board: SimBackend, line: int, is_active_high: bool = True) -> None:
        super().__init__(board)
        self._line, self._on_level = line, int(is_active_high)
        self.history: deque[tuple[float, bool]] = deque(maxlen=HISTORY)
        self._periods: deque[tuple[float, float]] = deque(maxlen=PERIODS)  # (lit, long) in ms
        self._on_ms: float | None = None
        self._off_ms = 0.0
        board.on_change(line, self._changed)

    @property
    def is_lit(self) -> bool:
        """Whether it is lit right now."""
        return self._board.read(self._line) == self._on_level

    @property
    def brightness(self) -> float:
        """How bright it looks, 0 to 1: the duty of the last periods, or, without short ones, whether it is lit."""
        now_ms, is_lit = self._now_ms, self.is_lit
        if not self._periods:
            return float(is_lit)
        length_ms = self._periods[-1][1]
        since_ms = now_ms - (self._on_ms or 0.0)
        if length_ms > FLICKER_MS or since_ms > 2 * length_ms:
            return float(is_lit)
        periods = list(self._periods)
        return sum(lit for lit, _ in periods) / sum(long for _, long in periods)

    def _changed(self, level: int) -> None:
        now_ms, is_lit = self._now_ms, level == self._on_level
        self.history.append((now_ms, is_lit))
        if not is_lit:
            self._off_ms = now_ms
            return
        if self._on_ms is not None and now_ms > self._on_ms:
            if now_ms - self._on_ms > FLICKER_MS:
                self._periods.clear()
            self._periods.append((self._off_ms - self._on_ms, now_ms - self._on_ms))
        self._on_ms = now_ms
