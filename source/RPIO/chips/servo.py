# SPDX-License-Identifier: LGPL-3.0-or-later
"""A hobby servo: its arm goes where the length of the last pulse says."""

from __future__ import annotations

from collections import deque

from ..backends.sim_time import ManualClock
from .part import Part

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..backends.sim import SimBackend

LEAST_US, MOST_US = 300.0, 3000.0
"""A pulse that is shorter or longer is none for it."""
TIRED_MS = 100.0
"""Without a pulse for so long it does not hold its place any more."""
HISTORY = 10_000


class Servo(Part):
    """A servo whose arm turns by *degrees*, half of them to each side, from pulses of *least_us* to *most_us*.

    ``angles`` has the last 10,000 changes of its angle, (ms, degrees).
    """

    def __init__(
        self,
        board: SimBackend,
        line: int,
        least_us: float = 1000.0,
        most_us: float = 2000.0,
        degrees: float = 180.0,
    ) -> None:
        super().__init__(board)
        if not LEAST_US <= least_us < most_us <= MOST_US:
            text = f"pulses are {LEAST_US:g} to {MOST_US:g} us, the longest not the shortest"
            raise ValueError(f"{text}, not {least_us:g} and {most_us:g}")
        self._least_us, self._most_us, self._degrees = least_us, most_us, degrees
        self.angles: deque[tuple[float, float]] = deque(maxlen=HISTORY)
        self.pulse_us: float | None = None
        """How long the pulse is that it goes by; None before the first. In real time, which jitters, the middle one
        of the last three."""
        self._last: deque[float] = deque(maxlen=1 if isinstance(board.clock, ManualClock) else 3)
        self._since_ms: float | None = None
        self._pulse_ms = 0.0
        board.on_change(line, self._changed)

    @property
    def angle(self) -> float | None:
        """Where its arm is, in degrees, 0 in the middle; None before the first pulse. At its ends it stops."""
        if self.pulse_us is None:
            return None
        part = (self.pulse_us - self._least_us) / (self._most_us - self._least_us)
        return round((min(max(part, 0.0), 1.0) - 0.5) * self._degrees, 6)

    @property
    def is_held(self) -> bool:
        """Whether pulses hold the arm where it is."""
        return self.pulse_us is not None and self._now_ms - self._pulse_ms <= TIRED_MS

    def _changed(self, level: int) -> None:
        now_ms = self._now_ms
        if level:
            self._since_ms = now_ms
            return
        if self._since_ms is None:
            return
        length_us = round((now_ms - self._since_ms) * 1000, 3)
        self._since_ms = None
        if LEAST_US <= length_us <= MOST_US:
            self._pulse_ms = now_ms
            self._last.append(length_us)
            self._go(sorted(self._last)[len(self._last) // 2])

    def _go(self, pulse_us: float) -> None:
        before, self.pulse_us = self.angle, pulse_us
        angle = self.angle
        if angle is not None and angle != before:
            self.angles.append((self._pulse_ms, angle))
