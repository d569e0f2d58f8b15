# SPDX-License-Identifier: LGPL-3.0-or-later
"""What is counted here for a session: the same as for a program of this machine, by numbers that the client chooses."""

from __future__ import annotations

from ... import constants, errors
from ...board.tapping import Here
from ...board.undoing import do_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ...board.leases import Leases
    from ...board.tapping import Reading, Tap

NS_PER_US, NS_PER_MS = 1000, 1_000_000
BOTH_BITS = 3


class Counts:
    """The counters of a session."""

    def __init__(self, leases: Leases) -> None:
        self._leases = leases
        self._open: dict[int, tuple[tuple[object, ...], Here]] = {}

    def counter(
        self, number: int, line: int, edge: int, filter_us: int, holdoff_us: int, window_ms: float
    ) -> None:
        """Count edges of a line."""
        bits = constants.edge_bits(edge) or 0
        self._begin(number, {line: bits}, filter_us, holdoff_us, window_ms)

    def encoder(self, number: int, a: int, b: int, filter_us: int, window_ms: float) -> None:
        """Count steps of two."""
        if a == b:
            raise ValueError(f"an encoder has two lines, and GPIO {a} is one")
        self._begin(number, {a: BOTH_BITS, b: BOTH_BITS}, filter_us, 0, window_ms)

    def _begin(
        self, number: int, lines: dict[int, int], filter_us: int, holdoff_us: int, window_ms: float
    ) -> None:
        what = (tuple(lines.items()), filter_us, holdoff_us, window_ms)
        known = self._open.get(number)
        if known is not None and known[0] == what and not known[1].is_over:
            return  # it is asked for again: the answer was lost
        self.end(number)
        leases = self._leases

        def add(line: int, make: Callable[[], Tap]) -> None:
            """As a watch."""
            leases.watch(line, make(), filter_us, None)

        times_ns = holdoff_us * NS_PER_US, round(window_ms * NS_PER_MS)
        found = Here(lines, *times_ns, leases.clock, add, leases.unwatch, leases.lock)
        self._open[number] = what, found
        found.begin(leases.read)

    def _of(self, number: int) -> Here:
        known = self._open.get(number)
        if known is None:
            raise errors.NotWatchedError(f"there is no counter {number}", hint="begin it first")
        if known[1].is_over:
            raise errors.NotWatchedError(f"counter {number} has ended: its line has been given another use")
        return known[1]

    def read(self, number: int) -> Reading:
        """What has come of one."""
        return self._of(number).read()

    def set(self, number: int, count: int) -> int:
        """Count on from there; return the count until now."""
        return self._of(number).set(count)

    def end(self, number: int) -> None:
        """Count no more. Twice is fine."""
        known = self._open.get(number)
        if known is not None:
            known[1].end()
            self._open.pop(number, None)

    def end_all(self) -> None:
        """The session is over."""
        do_all(*[lambda number=number: self.end(number) for number in list(self._open)])
