# SPDX-License-Identifier: LGPL-3.0-or-later
"""The wait of the loop, and what descriptors are gathered in: what the C core and epoll do elsewhere."""

from __future__ import annotations

from _thread import RLock
from errno import EBADF, EINVAL, ENOENT

from .edges import EdgeEvent, events_read
from .looking import check_open, look
from .sources import READ, Source, changed
from .tally import SEQ_MASK, Tally

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    Taps = tuple[tuple[Tally, int], ...]

ERROR = 8
TOKEN_MAX = (1 << 63) - 1
COUNTING_WAITS = 64
"""That bring nothing but what is counted, and then the caller may look around."""


class _Watch:
    """A descriptor that is watched."""

    __slots__ = ("is_parked", "is_quiet", "lost", "mask", "reads_edges", "seq", "taps", "token")

    def __init__(self, token: int, mask: int, reads_edges: bool) -> None:
        self.token, self.mask, self.reads_edges = token, mask, reads_edges
        self.is_parked = self.is_quiet = False
        self.seq = self.lost = 0
        self.taps: Taps = ()

    def count_by(self, taps: Taps, is_quiet: bool) -> None:
        """Have its events counted there."""
        for tally, place in taps:
            if (tally, place) not in self.taps:
                tally.begin(place, self.token, self.seq)
        self.taps, self.is_quiet = taps, bool(is_quiet and taps)

    def take(self, event: EdgeEvent) -> bool:
        """Count an event; whether others want it."""
        event.token = self.token
        missing = (event.seq - self.seq - 1) & SEQ_MASK
        if missing <= SEQ_MASK // 2:
            self.seq = event.seq
            self.lost += missing * self.is_quiet
        for tally, place in self.taps:
            tally.feed(place, event)
        return not self.is_quiet


class Poller(Source):
    """A wait that reads edge events itself. One thread waits, any may change it."""

    def __init__(self) -> None:
        super().__init__()
        self._watches: dict[int, _Watch] = {}
        self._lock = RLock()
        self._is_waiting = self._is_woken = self._has_counted = False

    def fileno(self) -> int:
        """The number, which nests; -1 when closed."""
        return self.number

    @property
    def is_ready(self) -> bool:
        """Whether it has been woken."""
        return self._is_woken

    def members(self) -> Mapping[int, int]:
        """What is watched."""
        return {fd: watch.mask for fd, watch in list(self._watches.items())}

    def forget(self, fd: int) -> None:
        """It has been closed without a word."""
        self._watches.pop(fd, None)

    def _watch(self, fd: int, watch: _Watch) -> None:
        if not 0 < watch.token <= TOKEN_MAX:
            raise OSError(EINVAL, f"{watch.token} is no token")
        if self.number < 0:
            raise OSError(EBADF, "the poller is closed")
        check_open(fd)
        self._watches[fd] = watch  # in the place of one that was closed without a word
        changed()

    def add(self, fd: int, token: int, mask: int, /) -> None:
        """Watch fd for the events in mask; token, from 1 to 2**63 - 1, names it."""
        self._watch(fd, _Watch(token, mask, False))

    def modify(self, fd: int, token: int, mask: int, /) -> None:
        """Change the events of a watched fd."""
        if fd not in self._watches:
            raise OSError(ENOENT, f"{fd} is not watched")
        self._watch(fd, _Watch(token, mask, False))

    def add_edges(self, fd: int, token: int, taps: Taps = (), is_quiet: bool = False, /) -> None:
        """Watch a line; its events are read in wait(). (tally, place), ... count them there; where that is_quiet,
        wait() has none of them.
        """
        _check_taps(taps)
        watch = _Watch(token, READ, True)
        watch.count_by(taps, is_quiet)
        self._watch(fd, watch)

    def count(self, fd: int, taps: Taps, is_quiet: bool, seen: int, /) -> tuple[int, int]:
        """Have a line's events counted by these; seen is the number of the last one that was seen here. (number of the
        last one read, how many were missing unheard).
        """
        _check_taps(taps)
        with self._lock:
            watch = self._watches.get(fd)
            if watch is None or not watch.reads_edges or watch.is_parked:
                raise OSError(ENOENT, f"{fd} is not watched")
            if 0 < (seen - watch.seq) & SEQ_MASK <= SEQ_MASK // 2:
                watch.seq = seen & SEQ_MASK
            watch.count_by(taps, is_quiet)
            lost, watch.lost = watch.lost, 0
            return watch.seq, lost

    def remove(self, fd: int, /) -> None:
        """Stop watching; after this returns, nothing reads fd."""
        with self._lock:
            watch = self._watches.pop(fd, None)
        if watch is None:
            raise OSError(ENOENT, f"{fd} is not watched")
        changed()

    def park(self, fd: int, /) -> bool:
        """End the watch of a line that stays open until remove(), for add_edges() to go on with. Whether a thread
        waits, and reads what is left.
        """
        watch = self._watches.get(fd)
        if watch is None:
            return False
        watch.is_parked, watch.taps, watch.is_quiet = True, (), False
        return self._is_waiting

    def wake(self) -> None:
        """End the wait at once; from any thread or signal handler."""
        if self.number < 0:
            raise OSError(EBADF, "the poller is closed")
        self._is_woken = True
        changed()

    def wait(self, timeout_s: float | None, edges: list[EdgeEvent], /) -> list[tuple[int, int]]:
        """Wait at most so long, None for ever. Return [(token, mask), ...], what is ready; append an EdgeEvent for
        every edge, in order of time.
        """
        if not isinstance(edges, list):
            raise TypeError("wait() takes a timeout in seconds and a list")
        if timeout_s is not None and not timeout_s >= 0:
            raise ValueError("timeout_s must not be negative")
        if self.number < 0:
            raise OSError(EBADF, "the poller is closed")
        if self._is_waiting:
            raise RuntimeError("another thread is waiting on this poller")
        self._is_waiting = True
        asked: dict[int, _Watch] = {}

        def members() -> Mapping[int, int]:
            """And keep which they were."""
            asked.update(self._watches)
            return self.members()

        try:
            for _ in range(COUNTING_WAITS):
                found = look(members, timeout_s, lambda: self._is_woken, self)
                self._is_woken = self._has_counted = False
                before, ready = len(edges), self._collect(found, asked, edges)
                if ready or len(edges) > before or not self._has_counted:
                    return ready
                timeout_s = 0  # nobody is told of that: see what else there is
            return []
        finally:
            self._is_waiting = False

    def _collect(
        self, found: dict[int, int], asked: dict[int, _Watch], edges: list[EdgeEvent]
    ) -> list[tuple[int, int]]:
        ready: list[tuple[int, int]] = []
        read: list[EdgeEvent] = []
        for fd, events in found.items():
            with self._lock:
                watch = self._watches.get(fd)
                if watch is None or watch is not asked.get(fd):
                    continue  # another's by now, which will be looked at next time
                if not watch.reads_edges:
                    ready.append((watch.token, events))
                elif not self._read(fd, watch, read):
                    ready.append((watch.token, ERROR))
        read.sort(key=lambda event: event.timestamp_ns)
        edges.extend(read)
        return ready

    def _read(self, fd: int, watch: _Watch, read: list[EdgeEvent]) -> bool:
        try:
            events = events_read(fd)
        except OSError:
            return False
        if not watch.is_parked:
            wanted = [event for event in events if watch.take(event)]
            self._has_counted = self._has_counted or len(wanted) < len(events)
            read.extend(wanted)
        return True

    def close(self) -> None:
        """Have no number any more. Twice is fine."""
        self._watches = {}
        super().close()


def _check_taps(taps: Taps) -> None:
    is_tuple = isinstance(taps, tuple)
    if not is_tuple or not all(map(_is_tap, taps)):
        raise TypeError("a tuple of (tally, place) is expected")


def _is_tap(tap: object) -> bool:
    if not isinstance(tap, tuple) or len(tap) != 2 or not isinstance(tap[0], Tally):
        return False
    return isinstance(tap[1], int) and tap[0].has(tap[1])


class Gathering(Source):
    """Descriptors under one number, which is readable when one of them is ready; the methods of select.epoll."""

    def __init__(self) -> None:
        super().__init__()
        self._masks: dict[int, int] = {}

    @property
    def closed(self) -> bool:
        """Whether close() was called."""
        return self.number < 0

    def fileno(self) -> int:
        """The number. ValueError when closed."""
        self._check_open()
        return self.number

    def _check_open(self) -> None:
        if self.number < 0:
            raise ValueError("I/O operation on closed epoll object")

    def members(self) -> Mapping[int, int]:
        """What is in it."""
        return dict(self._masks)

    def forget(self, fd: int) -> None:
        """It has been closed without a word."""
        self._masks.pop(fd, None)

    def register(self, fd: int, mask: int) -> None:
        """Add it."""
        self._check_open()
        check_open(fd)
        self._masks[fd] = mask
        changed()

    def modify(self, fd: int, mask: int) -> None:
        """Change what it is watched for; 0 leaves errors and hang-ups, as far as the system tells of them."""
        self._check_open()
        if fd not in self._masks:
            raise OSError(ENOENT, f"{fd} is not registered")
        self._masks[fd] = mask
        changed()

    def unregister(self, fd: int) -> None:
        """Take it out."""
        self._check_open()
        if self._masks.pop(fd, None) is None:
            raise OSError(ENOENT, f"{fd} is not registered")
        changed()

    def poll(self, timeout_s: float | None = None, most: int = -1) -> list[tuple[int, int]]:
        """Wait; return what is ready, and for what: so many at most, and others next time."""
        self._check_open()
        found = list(look(self.members, timeout_s, lambda: self.number < 0, self).items())
        if 0 < most < len(found):
            found = found[:most]
            for fd, _ in found:
                self._to_the_end(fd)
        return found

    def _to_the_end(self, fd: int) -> None:
        mask = self._masks.pop(fd, None)
        if mask is not None:
            self._masks[fd] = mask

    def close(self) -> None:
        """Have no number any more. Twice is fine."""
        self._masks = {}
        super().close()
