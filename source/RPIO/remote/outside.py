# SPDX-License-Identifier: LGPL-3.0-or-later
"""The world outside of a simulated board that another process has."""

from __future__ import annotations

from time import monotonic_ns, sleep

from .. import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

NS_PER_MS = 1_000_000


class MachineTime:
    """The other process's time is this one's: both are on this machine, or nobody can tell."""

    @staticmethod
    def now_ns() -> int:
        """The time in nanoseconds."""
        return monotonic_ns()

    @staticmethod
    def sleep_until(when_ns: int) -> None:
        """Sleep until that time."""
        sleep(max(0, when_ns - monotonic_ns()) / 1e9)


class Outside:
    """What plays it from here: *do* asks the other side for an operation, by name, and returns its result."""

    clock = MachineTime()

    def __init__(self, do: Callable[..., tuple[Any, ...]], line_count: int) -> None:
        self._do, self._count = do, line_count

    def _line(self, line: int) -> int:
        if not 0 <= line < self._count:
            raise errors.InvalidChannelException(
                f"there is no line {line} on this board", hint=f"lines are 0 to {self._count - 1}"
            )
        return line

    @property
    def short_circuits(self) -> int:
        """How many times drivers on one wire have disagreed."""
        (count,) = self._do("short_circuits")
        return int(count)

    def drive(self, line: int, value: int | None) -> None:
        """Drive the line to 0 or 1; None lets go of it."""
        self._do("drive", self._line(line), None if value is None else int(bool(value)))

    def driven(self, line: int) -> int | None:
        """What it is driven to; None for nothing."""
        ((level,),) = self._do("driven", [self._line(line)])
        return level  # type: ignore[no-any-return]

    def press(self, line: int, ns: int, value: int) -> None:
        """Drive the line so long, then let go of it, whatever becomes of this program. Does not wait."""
        self._do("press", self._line(line), ns / NS_PER_MS, int(bool(value)))

    def is_watched(self, line: int) -> bool:
        """Whether edges of the line are heard."""
        (is_heard,) = self._do("watched", self._line(line))
        return bool(is_heard)

    def wire(self, a: int, b: int) -> None:
        """Join two lines with a wire."""
        self._do("wire", self._line(a), self._line(b))

    def unwire(self, line: int) -> None:
        """Take every wire off the line."""
        self._do("unwire", self._line(line))
