# SPDX-License-Identifier: LGPL-3.0-or-later
"""Lines whose edges are counted where they are read, in C (tally.c).

Each is a subscription like any other, so that cleanup(), forks and chips that go find it; but what the wait of the loop
reads, it counts there, and tells nobody else of it where nobody else has subscribed.
"""

from __future__ import annotations

from functools import partial
from time import monotonic_ns

from .. import errors
from .._gpio import Tally
from .subscriptions import Subscription

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import RLock
    from collections.abc import Callable

    from .._gpio import EdgeEvent
    from ..backends.protocol import Clock
    from .parts import Parts

    Reading = tuple[int, int, int, int, int, float, int]
    """Count, lost, skipped, last_ns, period_ns, rate_hz, direction: what Tally.read() returns."""


class Tap(Subscription):
    """A line whose edges go into a tally."""

    __slots__ = ("is_over", "lost")

    def __init__(self, bits: int, tally: Tally, place: int) -> None:
        super().__init__(bits, None, 0)
        self.tap = tally, place
        self.is_over = False
        self.lost: errors.LineGoneError | None = None

    def accepts(self, event: EdgeEvent) -> bool:
        """Count it, unless the wait has; nothing is left to be delivered."""
        if self.tap is not None:
            tally, place = self.tap
            tally.feed(place, event)
        return False

    def lose(self, line: int, why: errors.LineGoneError) -> None:
        """Its chip has gone."""
        self.lost = why

    def close(self) -> None:
        """Nothing more is counted."""
        self.is_over = True


class Here:
    """What is counted in this process. *lines* are those of it, each with its edges; *clock* is their board's. *add*
    subscribes to a line what it is given the maker of, and *discard* ends that; *lock* is the board's.
    """

    def __init__(
        self,
        lines: dict[int, int],
        holdoff_ns: int,
        window_ns: int,
        clock: Clock | None,
        add: Callable[[int, Callable[[], Tap]], object],
        discard: Callable[[int, Tap], object],
        lock: RLock,
    ) -> None:
        self.lines = lines
        self._tally = Tally(len(lines), next(iter(lines.values())), holdoff_ns)
        self._window_ns = window_ns
        self._now_ns: Callable[[], int] = monotonic_ns if clock is None else clock.now_ns
        self._add, self._discard, self._lock = add, discard, lock
        self._taps: dict[int, Tap] = {}

    def begin(self, read: Callable[[int], int], run: Callable[[], object] = lambda: None) -> None:
        """Begin to count; *read* reads a line's level. run() has the loop run: in one with the rest, so that a
        cleanup() comes before or after both.
        """
        try:
            with self._lock:
                self._begin(read)
                run()
        except BaseException:
            self.end()
            raise

    def _begin(self, read: Callable[[int], int]) -> None:
        for place, line in enumerate(self.lines):
            self._add(line, partial(self._tap, line, place))
        if len(self.lines) > 1:
            a, b = map(read, self.lines)
            self._tally.levels(a, b)

    def _tap(self, line: int, place: int) -> Tap:
        tap = self._taps[line] = Tap(self.lines[line], self._tally, place)
        return tap

    @property
    def is_over(self) -> bool:
        """Whether somebody has ended the watch of one of its lines."""
        return any(tap.is_over for tap in list(self._taps.values()))

    def read(self) -> Reading:
        """What has come of it by now. Raises LineGoneError."""
        for tap in list(self._taps.values()):
            _check_there(tap)
        return self._tally.read(self._now_ns(), self._window_ns)

    def set(self, count: int) -> int:
        """Count on from there; return the count until now."""
        return self._tally.set(count)

    def end(self) -> None:
        """Count no more. Twice is fine."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        for line, tap in list(self._taps.items()):
            self._discard(line, tap)
            self._taps.pop(line, None)


def _check_there(tap: Tap) -> None:
    why = tap.lost
    if why is not None:
        raise why.with_traceback(None)


def on_board(
    board: Parts, lines: dict[int, int], pull: int | None, filter_us: int, holdoff_ns: int, window_ns: int
) -> Here:
    """Begin to count for the program; the lines become inputs with that pull."""
    interrupts = board.interrupts

    def add(line: int, make: Callable[[], Tap]) -> None:
        """As add_interrupt_callback() does."""
        interrupts.add_own(line, pull, make, filter_us)

    found = Here(lines, holdoff_ns, window_ns, board.backend.clock, add, interrupts.unsubscribe, board.lock)
    found.begin(board.backend.read, board.dispatcher.run_in_background)
    return found
