# SPDX-License-Identifier: LGPL-3.0-or-later
"""What was seen on some lines for some time: their levels at the start, every edge, and which edges were lost.

Ten or so bytes an edge: times, lines and levels are arrays side by side. Nothing here touches a line or a file:
vcd and formats write, draw and read recordings, capture makes them.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from itertools import islice
from operator import le
from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

UNKNOWN = -1
"""A level that is neither 0 nor 1: VCD's x and z."""


def name_of(line: int) -> str:
    """What a line is called."""
    return f"GPIO{line}"


class Loss(NamedTuple):
    """Edges of a line that nobody read in time: how many, and the times of the edges before and after them."""

    line: int
    missing: int
    after_ns: int
    before_ns: int


class Recording:
    """The edges of *lines*, in the order of time once finish() has been called.

    An edge is a time, an index into ``lines`` and the level after it: the same position of ``times_ns``, ``indices``
    and ``levels``. ``initial`` has the level of each line at ``start_ns``.
    """

    __slots__ = ("end_ns", "indices", "initial", "levels", "lines", "losses", "start_ns", "times_ns")

    def __init__(self, lines: Sequence[int], initial: Sequence[int] = (), start_ns: int = 0) -> None:
        self.lines = list(lines)
        self.initial = list(initial) or [0] * len(self.lines)
        self.start_ns = self.end_ns = start_ns
        self.times_ns = array("q")
        self.indices = array("H")
        self.levels = array("b")
        self.losses: list[Loss] = []

    def __len__(self) -> int:
        return len(self.times_ns)

    def __iter__(self) -> Iterator[tuple[int, int, int]]:
        """Every edge as (time in ns since the start, line, level)."""
        start_ns, lines = self.start_ns, self.lines
        for time_ns, index, level in zip(self.times_ns, self.indices, self.levels, strict=True):
            yield time_ns - start_ns, lines[index], level

    @property
    def span_ns(self) -> int:
        """How long it lasts."""
        return self.end_ns - self.start_ns

    def add(self, time_ns: int, index: int, level: int) -> None:
        """Add an edge of the line lines[index]."""
        self.times_ns.append(time_ns)
        self.indices.append(index)
        self.levels.append(level)

    def lose(self, index: int, count: int, after_ns: int, before_ns: int) -> None:
        """Note that *count* edges of a line are missing between these times."""
        self.losses.append(Loss(self.lines[index], count, after_ns, before_ns))

    def lost(self) -> dict[int, int]:
        """Line -> how many of its edges were lost; lines without a loss are left out."""
        counts: dict[int, int] = {}
        for loss in self.losses:
            counts[loss.line] = counts.get(loss.line, 0) + loss.missing
        return counts

    def counts(self) -> list[int]:
        """How many edges each line has."""
        return [self.indices.count(index) for index in range(len(self.lines))]

    def finish(self, start_ns: int, end_ns: int) -> None:
        """Put the edges in order of time and cut them to the window; make the initial levels fit the edges.

        A level is read a moment before or after the kernel begins to report edges: the first edge of a line, which is
        the opposite of what was before, knows better, unless an edge was lost before it.
        """
        self._sort()
        self.start_ns, self.end_ns = start_ns, max(start_ns, end_ns)
        self._correct_initial()
        first = 0
        while first < len(self.times_ns) and self.times_ns[first] < start_ns:
            self.initial[self.indices[first]] = self.levels[first]
            first += 1
        last = len(self.times_ns)
        while last > first and self.times_ns[last - 1] > self.end_ns:
            last -= 1
        for edges in (self.times_ns, self.indices, self.levels):
            del edges[last:]
            del edges[:first]
        self.losses = [
            loss._replace(after_ns=max(loss.after_ns, start_ns), before_ns=min(loss.before_ns, self.end_ns))
            for loss in sorted(self.losses, key=lambda loss: loss.after_ns)
            if loss.before_ns >= start_ns and loss.after_ns <= self.end_ns
        ]

    def take_before(self, time_ns: int) -> Recording:
        """Take the edges before a time out: a recording of their own, that begins where this one did until now."""
        self._sort()
        self._correct_initial()
        taken = Recording(self.lines, self.initial, self.start_ns)
        taken.end_ns = self.start_ns = max(self.start_ns, time_ns)
        count = bisect_left(self.times_ns, time_ns)
        for to, edges in (
            (taken.times_ns, self.times_ns),
            (taken.indices, self.indices),
            (taken.levels, self.levels),
        ):
            to.extend(edges[:count])
            del edges[:count]
        for index, level in zip(taken.indices, taken.levels, strict=True):
            self.initial[index] = level
        self.losses.sort(key=lambda loss: loss.after_ns)
        taken.losses = [loss for loss in self.losses if loss.before_ns < time_ns]
        self.losses = [loss for loss in self.losses if loss.before_ns >= time_ns]
        return taken

    def _sort(self) -> None:
        """Insertion: the lines are read one after the other, so an edge is at most a few places off."""
        times, indices, levels = self.times_ns, self.indices, self.levels
        if all(map(le, times, islice(times, 1, None))):
            return
        for i in range(1, len(times)):
            time_ns = times[i]
            if times[i - 1] <= time_ns:
                continue
            to = i
            while to > 0 and times[to - 1] > time_ns:
                to -= 1
            for edges in (times, indices, levels):
                edges.insert(to, edges.pop(i))

    def _correct_initial(self) -> None:
        missing = set(range(len(self.lines)))
        lost_at = {loss.line: loss.before_ns for loss in reversed(self.losses)}  # the first of each line
        for time_ns, index, level in zip(self.times_ns, self.indices, self.levels, strict=True):
            if index not in missing:
                continue
            missing.discard(index)
            if level != UNKNOWN and lost_at.get(self.lines[index], time_ns + 1) > time_ns:
                self.initial[index] = 1 - level
            if not missing:
                return
