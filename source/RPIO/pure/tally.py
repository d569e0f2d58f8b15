# SPDX-License-Identifier: LGPL-3.0-or-later
"""What counts edges, as tally.c does."""

from __future__ import annotations

from _thread import RLock
from collections import deque
from itertools import islice, pairwise

from .edges import EdgeEvent

MARKS = 1024
SEQ_MASK = 0xFFFFFFFF


class _Mark:
    """An edge that has been taken: what it has counted, and the levels after it."""

    __slots__ = ("move", "place", "state", "timestamp_ns", "value")

    def __init__(self, timestamp_ns: int, place: int, value: int, move: int = 0) -> None:
        self.timestamp_ns, self.place, self.value, self.move = timestamp_ns, place, int(bool(value)), move
        self.state = 0

    def reckon(self, state: int) -> None:
        """What it counts after these levels, in quadrature."""
        bit = 1 << self.place
        if bool(state & bit) == bool(self.value):
            self.state, self.move = state, 0
            return
        self.state = state ^ bit
        self.move = 1 if (self.state in (1, 2)) == (self.place == 0) else -1


class _Place:
    """A line."""

    __slots__ = ("is_assumed", "seq", "token")

    def __init__(self) -> None:
        self.token = self.seq = 0
        self.is_assumed = False


class Tally:
    """Counts edges of one line, or the steps of two."""

    def __init__(self, lines: int, edges: int = 3, holdoff_ns: int = 0) -> None:
        if not 1 <= lines <= 2 or not 0 <= edges <= 3:
            raise ValueError("a tally has one line, or two, and edges 0 to 3")
        self._edges, self._holdoff_ns = edges, holdoff_ns
        self._places = [_Place() for _ in range(lines)]
        self._lock = RLock()
        self._count = self._lost = self._skipped = self._state_before = 0
        self._marks: list[_Mark] = []
        self._is_forgetful = False

    def has(self, place: int) -> bool:
        """Whether it has such a line. Raises ValueError for a number that is none of its."""
        return self._place(place) is not None

    def _place(self, place: int) -> _Place:
        if not 0 <= place < len(self._places):
            raise ValueError("it has no such line")
        return self._places[place]

    def begin(self, place: int, token: int, seq: int) -> None:
        """From here on the edges of a line are those of this token, from behind that number."""
        with self._lock:
            line = self._place(place)
            line.token, line.seq = token, seq

    def levels(self, a: int, b: int, /) -> None:
        """Say what the levels of an encoder's lines are as it begins."""
        with self._lock:
            self._assume_all((a, b))

    def _assume_all(self, levels: tuple[int, int]) -> None:
        for place, level in enumerate(levels[: len(self._places)]):
            self._assume(place, level)
        if len(self._places) > 1:
            self._reckon_from(0)

    def _assume(self, place: int, level: int) -> None:
        if self._is_forgetful or any(mark.place == place for mark in self._marks):
            return
        self._places[place].is_assumed = True
        self._set_before(place, level)

    def _set_before(self, place: int, level: int) -> None:
        bit = 1 << place
        self._state_before = self._state_before & ~bit | (bit if level else 0)

    def feed(self, place: int, event: EdgeEvent, /) -> None:
        """Count an EdgeEvent of its first line (0) or second (1), unless it has been."""
        line = self._place(place)
        if not isinstance(event, EdgeEvent):
            raise TypeError(f"an EdgeEvent is expected, not {type(event).__name__}")
        with self._lock:
            self._feed(place, line, event)

    def _feed(self, place: int, line: _Place, event: EdgeEvent) -> None:
        if event.token not in (0, line.token):
            return
        missing = (event.seq - line.seq - 1) & SEQ_MASK
        if missing > SEQ_MASK // 2:
            return
        if missing:
            line.is_assumed = False
        self._lost += missing
        line.seq = event.seq
        if len(self._places) == 1:
            self._take_edge(event)
        else:
            self._take_step(place, event)

    def _insert(self, number: int, mark: _Mark) -> int:
        if len(self._marks) == MARKS:
            self._state_before = self._marks[0].state
            del self._marks[0]
            self._is_forgetful = True
            number -= number > 0
        self._marks.insert(number, mark)
        return number

    def _take_edge(self, event: EdgeEvent) -> None:
        if not self._edges & (1 if event.value else 2):
            return
        if self._marks and 0 <= event.timestamp_ns - self._marks[-1].timestamp_ns < self._holdoff_ns:
            return
        self._insert(len(self._marks), _Mark(event.timestamp_ns, 0, event.value, 1))
        self._count += 1

    def _take_step(self, place: int, event: EdgeEvent) -> None:
        number = len(self._marks)
        while number > 0 and self._is_late(event, place, self._marks[number - 1]):
            number -= 1
        if number == 0 and self._is_forgetful:
            self._skipped += 1
        mark = _Mark(event.timestamp_ns, place, event.value)
        number = self._insert(number, mark)
        mark.reckon(self._marks[number - 1].state if number else self._state_before)
        self._account(mark, 1)
        if self._places[place].is_assumed:
            self._places[place].is_assumed = False
            self._set_before(place, not event.value)
            number = 0
        self._reckon_from(number)

    @staticmethod
    def _is_late(event: EdgeEvent, place: int, mark: _Mark) -> bool:
        return mark.timestamp_ns > event.timestamp_ns and mark.place != place

    def _account(self, mark: _Mark, times: int) -> None:
        self._count += times * mark.move
        self._skipped += times * (not mark.move)

    def _reckon_from(self, number: int) -> None:
        state = self._marks[number - 1].state if number else self._state_before
        for mark in islice(self._marks, number, None):
            self._account(mark, -1)
            mark.reckon(state)
            self._account(mark, 1)
            state = mark.state

    def read(self, now_ns: int, window_ns: int, /) -> tuple[int, int, int, int, int, float, int]:
        """(count, lost, skipped, last_ns, period_ns, rate_hz, direction)."""
        if now_ns < 0 or window_ns < 0:
            raise OverflowError("times are not negative")
        with self._lock:
            marks = list(self._marks)
            head = self._count, self._lost, self._skipped
        marks = [mark for mark in marks if mark.move]
        if not marks:
            return *head, 0, 0, 0.0, 0
        last = marks[-1]
        found = deque(marks[-2:])
        for mark in reversed(marks[:-2]):
            if now_ns - mark.timestamp_ns > window_ns:
                break
            found.appendleft(mark)
        times = [mark.timestamp_ns for mark in found]
        gaps = [max(0, b - a) for a, b in pairwise(times)]
        longest_ns, silent_ns = max(gaps, default=0), max(0, now_ns - last.timestamp_ns)
        taken_ns = sum(gaps) + max(0, silent_ns - longest_ns)
        has_stopped = silent_ns > window_ns and silent_ns // 4 > longest_ns
        rate_hz = 0.0
        if gaps and taken_ns > 0 and not has_stopped:
            rate_hz = sum(mark.move for mark in islice(found, 1, None)) * 1e9 / taken_ns
        return *head, last.timestamp_ns, gaps[-1] if gaps else 0, rate_hz, last.move

    def set(self, count: int, /) -> int:
        """Count on from there; return what it was until now."""
        if not -(1 << 63) <= count < 1 << 63:
            raise OverflowError("a count has 64 bits")
        with self._lock:
            before, self._count = self._count, count
        return before
