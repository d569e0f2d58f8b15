# SPDX-License-Identifier: LGPL-3.0-or-later
"""HC-SR04: a distance as the length of an echo."""

from __future__ import annotations

from .part import Part

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..backends.sim import SimBackend

TRIGGER_MS, PING_MS, NOTHING_MS = 0.010, 0.2, 38.0
SOUND_CM_PER_MS = 34.3
DISTANCE_MAX_CM = 400.0


class Ultrasonic(Part):
    """A trigger of 10 us; eight periods of 40 kHz later the echo line is high for the sound's way there and back.

    ``distance_cm`` may be changed at any time; without an obstacle, None, echo is high for 38 ms. ``pings`` counts.
    Source: the HC-SR04 user guide (Elec Freaks).
    """

    def __init__(self, board: SimBackend, trigger: int, echo: int, distance_cm: float | None = 100.0) -> None:
        super().__init__(board)
        self._echo, self.distance_cm = echo, distance_cm
        self.pings = 0
        self._high_since_ms: float | None = None
        board.drive(echo, 0)
        board.on_change(trigger, self._triggered)

    def _triggered(self, level: int) -> None:
        since_ms = self._high_since_ms
        self._high_since_ms = self._now_ms if level else None
        if level or since_ms is None or round(self._now_ms - since_ms, 6) < TRIGGER_MS:
            return
        self.pings += 1
        length_ms = NOTHING_MS if self.distance_cm is None else self.distance_cm * 2 / SOUND_CM_PER_MS
        self._after(PING_MS, lambda: self._board.drive(self._echo, 1))
        self._after(PING_MS + length_ms, lambda: self._board.drive(self._echo, 0))
