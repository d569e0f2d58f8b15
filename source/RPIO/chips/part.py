# SPDX-License-Identifier: LGPL-3.0-or-later
"""What hangs on lines of a simulated board: it hears its lines, drives them, and does something later.

Each is as much of the thing as a program can notice. Times are milliseconds of the board's clock; a test moves that,
and in real time they are as exact as threads of Python are: about 0.1 ms.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..backends.sim import SimBackend

NS_PER_MS = 1_000_000


class Part:
    """A thing on lines of a board."""

    def __init__(self, board: SimBackend) -> None:
        self._board, self._clock = board, board.clock

    @property
    def _now_ms(self) -> float:
        return self._clock.now_ns() / NS_PER_MS

    def _after(self, ms: float, action: Callable[[], object]) -> None:
        """Call action() when so much time has gone by; what is to happen now happens now."""
        if ms <= 0:
            self._clock.call_now(action)
        else:
            self._clock.call_at(self._clock.now_ns() + round(ms * NS_PER_MS), action)


def check_ms(name: str, ms: float, least: float = 0) -> None:
    """Refuse a time that cannot be."""
    if isinstance(ms, bool) or not isinstance(ms, (int, float)):
        raise TypeError(f"{name} is a number of milliseconds, not {ms!r}")
    if not least <= ms <= 86_400_000:
        raise ValueError(f"{name} is from {least} ms to a day, not {ms!r}")
