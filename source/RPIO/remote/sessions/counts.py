# SPDX-License-Identifier: LGPL-3.0-or-later
"""What another process counts for this one: each counter is read by one request, and no edge comes here."""

from __future__ import annotations

from ... import constants, errors
from ...wire.terms import COUNTERS_MAX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Reading = tuple[int, int, int, int, int, float, int]

NS_PER_US, NS_PER_MS = 1000, 1_000_000
EDGES = {1: constants.RISING, 2: constants.FALLING, 3: constants.BOTH}


class There:
    """A counter or an encoder there. What it said last is told when it has ended."""

    def __init__(self, counts: Counts, number: int, lines: tuple[int, ...]) -> None:
        self._counts, self.number, self.lines = counts, number, lines
        self.last: Reading = (0, 0, 0, 0, 0, 0.0, 0)

    def read(self) -> Reading:
        """What has come of it by now."""
        return self._counts.read(self)

    def set(self, count: int) -> int:
        """Count on from there; return the count until now."""
        return self._counts.set(self, count)

    def end(self) -> None:
        """Count no more. Twice is fine."""
        self._counts.end(self)


class Counts:
    """All of a connection's. *do* asks for an operation: it is given its name and values. *where* is for people."""

    def __init__(
        self, where: object, do: Callable[..., tuple[Any, ...]], is_gone: Callable[[], bool]
    ) -> None:
        self._where, self._do, self._is_gone = where, do, is_gone
        self._open: dict[int, There] = {}
        self._lost: set[There] = set()

    def begin(self, lines: list[int], bits: int, filter_us: int, holdoff_ns: int, window_ns: int) -> There:
        """Have the edges of a line counted, or the steps of two."""
        free = [number for number in range(COUNTERS_MAX) if number not in self._open]
        if not free:
            raise errors.NotSupportedError(
                f"{self._where} counts {COUNTERS_MAX} times for one program", hint="close() a counter first"
            )
        made = There(self, free[0], tuple(lines))
        self._open[made.number] = made  # first: whatever becomes of it, it is ended
        window_ms = window_ns / NS_PER_MS
        try:
            if len(lines) > 1:
                self._do("encoder", made.number, *lines, filter_us, window_ms)
            else:
                holdoff_us = holdoff_ns // NS_PER_US
                self._do("counter", made.number, *lines, EDGES[bits], filter_us, holdoff_us, window_ms)
        except BaseException:
            self.end(made)
            raise
        return made

    def read(self, there: There) -> Reading:
        """What has come of it by now, or had."""
        self._check_kept(there)
        if self._open.get(there.number) is there:
            there.last = self._do("count", there.number)
        return there.last

    def set(self, there: There, count: int) -> int:
        """Count on from there; return the count until now."""
        self._check_kept(there)
        before = there.last[0]
        if self._open.get(there.number) is there:
            (before,) = self._do("recount", there.number, count)
        there.last = (count, *there.last[1:])
        return int(before)

    def _check_kept(self, there: There) -> None:
        if there in self._lost:
            lines = " and ".join(f"GPIO {line}" for line in there.lines)
            raise errors.ConnectionLost(
                f"{self._where} has ended what counted {lines} meanwhile, at {there.last[0]} when it was read last",
                False,
                "begin another one",
            )

    def end(self, there: There) -> None:
        """Count no more. Twice is fine."""
        if self._open.get(there.number) is not there:
            return
        try:
            if not self._is_gone():
                self._read_last(there)
                self._do("uncount", there.number)
        finally:
            self._open.pop(there.number, None)

    def _read_last(self, there: There) -> None:
        try:
            self.read(there)
        except (errors.GPIOError, OSError):
            return  # it has ended there, or never begun: what it said before is all there is

    def end_of(self, line: int) -> None:
        """The line is given back: nothing of it is counted any more."""
        for there in list(self._open.values()):
            if line in there.lines:
                self.end(there)

    def close(self) -> None:
        """They end with the connection, and say what they have said last."""
        self._open.clear()

    def forget_all(self) -> None:
        """They have ended with the session, or are the parent's."""
        self._lost.update(self._open.values())
        self._open.clear()
