# SPDX-License-Identifier: LGPL-3.0-or-later
"""Play a Recording back: drive lines as it has them, in its own time or as fast as possible."""

from __future__ import annotations

from .recording import UNKNOWN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from .recording import Recording

    class Clock(Protocol):
        """The time that goes by meanwhile: the machine's, or one that sleep_until() moves."""

        def now_ns(self) -> int:
            """The time in nanoseconds."""

        def sleep_until(self, when_ns: int) -> None:
            """Return when the clock is there."""


def play(
    recording: Recording, drive: Callable[[int, int | None], object], clock: Clock, fast: bool = False
) -> None:
    """Call drive(line, level) for every edge at its time, and with None, to let go, for a level that is unknown.

    The levels at the start come first, and at the end, whatever ends it, all lines are let go.
    """
    try:
        for line, level in zip(recording.lines, recording.initial, strict=True):
            drive(line, None if level == UNKNOWN else level)
        start_ns = clock.now_ns()
        for time_ns, line, level in recording:
            if not fast and start_ns + time_ns > clock.now_ns():
                clock.sleep_until(start_ns + time_ns)
            drive(line, None if level == UNKNOWN else level)
        if not fast:
            clock.sleep_until(start_ns + recording.span_ns)
    finally:
        for line in recording.lines:
            drive(line, None)
