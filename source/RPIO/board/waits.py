# SPDX-License-Identifier: LGPL-3.0-or-later
"""wait_for_edge(): one subscription that lasts until its edge, asleep or in the place of the loop."""

from __future__ import annotations

from .. import threads
from .._gpio import Pipe, events_read
from .subscriptions import Subscription

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import RLock

    from .. import errors
    from .._gpio import EdgeEvent
    from ..loop.dispatcher import Dispatcher
    from .edges import WatchedLines
    from .subscriptions import WatchedLine


class Wait(Subscription):
    """A wait_for_edge(): the first accepted edge ends it."""

    __slots__ = ("_done", "event", "lost", "over", "pipe")

    def __init__(self, bits: int, holdoff_ns: int, last_ns: int | None) -> None:
        super().__init__(bits, None, holdoff_ns)
        self.last_ns = last_ns
        self.event: EdgeEvent | None = None
        self.over = False  # there was an edge, or somebody has ended the watch
        self.lost: errors.LineGoneError | None = None
        """The chip has gone, or who has it."""
        # no Event: a signal handler that ends the wait must not need what block() holds
        self._done = threads.lock_of_program()
        self._done.acquire()
        self.pipe: Pipe | None = None  # of a wait inside a callback: becomes readable at the end

    def accepts(self, event: EdgeEvent) -> bool:
        return self.event is None and super().accepts(event)

    def deliver(self, event: EdgeEvent, watched: WatchedLine) -> None:
        self.event = event
        threads.at_home(self._end)

    def lose(self, line: int, why: errors.LineGoneError) -> None:
        self.lost = why
        threads.at_home(self._end)

    def close(self) -> None:
        self._end()

    def _end(self) -> None:
        self.over = True
        try:
            self._done.release()
        except RuntimeError:
            pass  # it has ended already
        pipe = self.pipe
        if pipe is not None and pipe.writer >= 0:
            pipe.put(b"x")

    def block(self, timeout_s: float | None) -> None:
        """Sleep until it is over, or the timeout."""
        for nap_s in threads.naps(timeout_s):
            if self._done.acquire(timeout=-1 if nap_s is None else nap_s) or self.over:
                return

    def abandon(self) -> None:
        super().abandon()
        self.over = True  # also for what has been called while it waits

    def stand_in(
        self, line: int, lines: WatchedLines, loop: Dispatcher, timeout_s: float | None, lock: RLock
    ) -> None:
        """Wait inside a callback, where the loop does not run: read this line's edges here, and no other's."""
        end_ns = loop.now_ns() + int((timeout_s or 0) * 1e9)
        with lock:
            watched = lines.get(line)
            fd = watched.fd if watched is not None else None
            pipe = self.pipe = Pipe()
        try:
            while (
                watched is not None and not self.over and (event := loop.next_edge(watched.token)) is not None
            ):
                watched.dispatch(event)  # the loop has read it, and was about to
            while watched is not None and fd is not None and not self.over:
                left_s = None if timeout_s is None else max(0.0, (end_ns - loop.now_ns()) / 1e9)
                if not _wait_readable(lines, loop, fd, pipe.reader, left_s):
                    return
                with lock:  # nobody closes the descriptor meanwhile
                    try:
                        events = events_read(fd) if watched.fd == fd and not self.over else []
                    except OSError:
                        events = []
                        lines.lose(line)
                    fd = watched.fd
                for event in events:
                    watched.dispatch(event)
        finally:
            self.pipe = None  # closed with its last user


def _wait_readable(
    lines: WatchedLines, loop: Dispatcher, fd: int, wake_fd: int, left_s: float | None
) -> bool:
    """Wait for one of both, and for the removal of the chip; False after the timeout."""
    gone_fd = lines.source.gone_fd()
    if gone_fd is None:
        return loop.wait_readable((fd, wake_fd), left_s)
    if not loop.wait_readable((fd, wake_fd, gone_fd), left_s):
        return False
    if loop.wait_readable((gone_fd,), 0):
        lines.source.look_whether_gone()
    return True
