# SPDX-License-Identifier: LGPL-3.0-or-later
"""The callbacks of watched lines: which edges each gets, when it holds off, and what was lost.

A line has any number of *subscriptions*, each with its own edge and hold-off; the kernel is armed with the union.
``Subscription`` is one callback of add_interrupt_callback(), ``Detection`` RPi.GPIO's event detection with its
latch and callbacks, ``Wait`` a wait_for_edge() that lasts.
"""

from __future__ import annotations

import os

from .. import constants as model
from .. import errors, log, threads
from ..loop.callbacks import Worker, run_callback
from .undoing import Undoing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import RLock
    from collections.abc import Callable, Iterator

    from .._gpio import EdgeEvent, Pipe
    from ..loop.dispatcher import Dispatcher

    EdgeCallback = Callable[[int, int], object]
    ChannelCallback = Callable[[int], object]


SEQ_MASK = 0xFFFFFFFF
"""``line_seqno`` of struct gpio_v2_line_event is a __u32."""


class Subscription:
    """One callback on one line; with a *worker* it runs in a thread of its own."""

    __slots__ = ("bits", "callback", "holdoff_ns", "last_ns", "worker")

    def __init__(
        self, bits: int, callback: EdgeCallback | None, holdoff_ns: int, worker: Worker | None = None
    ) -> None:
        self.bits = bits
        self.callback = callback
        self.holdoff_ns = holdoff_ns
        self.last_ns: int | None = None
        self.worker = worker

    def accepts(self, event: EdgeEvent) -> bool:
        """Whether the event is of its edge and outside its hold-off, which counts from accepted edges."""
        if not self.bits & (1 if event.value else 2):
            return False
        if self.last_ns is not None and 0 <= event.timestamp_ns - self.last_ns < self.holdoff_ns:
            log.debug("- don't start interrupt callback due to debouncing")
            return False
        self.last_ns = event.timestamp_ns
        return True

    def deliver(self, event: EdgeEvent, watched: WatchedLine) -> None:
        """Run the callback, here or in its own thread."""
        if self.worker is not None:
            if not self.worker.put(event.line, event.value) and not self.worker.is_closed:
                watched.count_lost(event.line, 1, self.worker.why_not)
        elif self.callback is not None:
            run_callback(self.callback, event.line, event.value)

    def lose(self, line: int) -> None:
        """The line's chip has gone: no more edges come. A callback just stays."""

    def close(self) -> None:
        """End the callback's thread; what is queued for it is dropped."""
        if self.worker is not None:
            self.worker.close()


class Detection(Subscription):
    """RPi.GPIO's event detection of a line: a latch, and callbacks of the channel, in order of registration."""

    __slots__ = ("_channel_of", "callbacks", "detected")

    def __init__(self, bits: int, holdoff_ns: int, channel_of: Callable[[int], int]) -> None:
        super().__init__(bits, None, holdoff_ns)
        self._channel_of = channel_of
        self.callbacks: tuple[ChannelCallback, ...] = ()
        self.detected = False

    def deliver(self, event: EdgeEvent, watched: WatchedLine) -> None:
        self.detected = True
        channel = self._channel_of(event.line)
        for callback in self.callbacks:
            if self in watched.subscriptions:  # an earlier one may have removed it
                run_callback(callback, channel)


class Wait(Subscription):
    """A wait_for_edge(): the first accepted edge ends it."""

    __slots__ = ("_done", "event", "lost", "over", "pipe")

    def __init__(self, bits: int, holdoff_ns: int, last_ns: int | None) -> None:
        super().__init__(bits, None, holdoff_ns)
        self.last_ns = last_ns
        self.event: EdgeEvent | None = None
        self.over = False  # there was an edge, or somebody has ended the watch
        self.lost = False  # the chip has gone
        # no Event: a signal handler that ends the wait must not need what block() holds
        self._done = threads.lock_of_program()
        self._done.acquire()
        self.pipe: Pipe | None = None  # of a wait inside a callback: becomes readable at the end

    def accepts(self, event: EdgeEvent) -> bool:
        return self.event is None and super().accepts(event)

    def deliver(self, event: EdgeEvent, watched: WatchedLine) -> None:
        self.event = event
        threads.at_home(self._end)

    def lose(self, line: int) -> None:
        self.lost = True
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
            os.write(pipe.writer, b"x")

    def block(self, timeout_s: float | None) -> None:
        """Sleep until it is over, or the timeout."""
        for nap_s in threads.naps(timeout_s):
            if self._done.acquire(timeout=-1 if nap_s is None else nap_s) or self.over:
                return


class WatchedLine:
    """The subscriptions of a line, and what the kernel was asked for on their behalf."""

    __slots__ = ("fd", "filter_us", "gone", "lost", "seq", "subscriptions", "token")

    def __init__(self, filter_us: int) -> None:
        self.fd: int | None = None
        self.filter_us = filter_us
        self.token = 0
        self.seq = 0
        self.lost = 0
        self.gone = False  # its chip is
        self.subscriptions: tuple[Subscription, ...] = ()

    @property
    def edge(self) -> int | None:
        """The union of the edges of all subscriptions."""
        bits = 0
        for subscription in self.subscriptions:
            bits |= subscription.bits
        return {1: model.RISING, 2: model.FALLING, 3: model.BOTH}.get(bits)

    def dispatch(self, event: EdgeEvent) -> None:
        """Hand an edge to those who want it."""
        self.count_missing(event)
        for subscription in self.subscriptions:
            # an earlier callback of this very event may have removed it
            if subscription in self.subscriptions and subscription.accepts(event):
                try:
                    subscription.deliver(event, self)
                except MemoryError:  # of ours: a callback's is its own affair
                    self.count_lost(event.line, 1, "there was no memory to hand it on")

    def count_missing(self, event: EdgeEvent) -> None:
        """Count what the numbers of the events say is missing before this one. They are of 32 bits, and begin anew."""
        missing = (event.seq - self.seq - 1) & SEQ_MASK
        if missing > SEQ_MASK // 2:
            return  # an older one
        self.seq = event.seq
        if missing:
            self.count_lost(event.line, missing, "the kernel's buffer was full")

    def count_lost(self, line: int, count: int, why: str) -> None:
        """Count lost edges; the first loss of a line is logged."""
        first = self.lost == 0
        self.lost += count
        if first:
            log.warning("GPIO %s: %s edges lost, %s (RPIO.events_lost() counts on)", line, count, why)


def _none() -> None:
    """There is none."""


def _none_of(line: int) -> None:
    """There is none."""


class WatchedLines:
    """All watched lines of a board.

    *arm* asks the backend for the edges of a line and returns a descriptor; *disarm* ends that, and is told whether
    somebody goes on reading what is left there; *loop* returns the Dispatcher. Not locked: the Board calls all but
    dispatch() with its lock held.
    """

    def __init__(
        self,
        arm: Callable[[int, int, int], int],
        disarm: Callable[[int, bool], None],
        loop: Callable[[], Dispatcher],
    ) -> None:
        self._arm, self._disarm, self._loop = arm, disarm, loop
        self._watched: dict[int, WatchedLine] = {}
        self._lost_before: dict[int, int] = {}
        self._retired: list[Worker] = []  # closed, and perhaps still in their last callback
        self._undoing = Undoing()
        self._parked: dict[int, int] = {}  # line -> descriptor, which the loop keeps for the next watch
        # What Board knows: the descriptor of a line that lasts until it is let go of; Backend.gone_fd(), and what to
        # call when it is readable; whom to tell that a line is lost.
        self.lasting_fd: Callable[[int], int | None] = _none_of
        self.gone_fd: Callable[[], int | None] = _none
        self.look_whether_gone: Callable[[], object] = _none
        self.on_lost: Callable[[], object] = _none

    def __len__(self) -> int:
        return len(self._watched)

    def __contains__(self, line: int) -> bool:
        return line in self._watched

    def __iter__(self) -> Iterator[int]:
        return iter(list(self._watched))

    def get(self, line: int) -> WatchedLine | None:
        """What is known of a watched line."""
        return self._watched.get(line)

    def of_kind(self, line: int, kind: type[Subscription]) -> list[Subscription]:
        """The subscriptions of a line that are of exactly this class."""
        watched = self._watched.get(line)
        return [s for s in watched.subscriptions if type(s) is kind] if watched is not None else []

    def add(self, line: int, subscription: Subscription, filter_us: int | None = None) -> None:
        """Subscribe, and arm; undone where that fails. *filter_us* None takes the filter that the line has.

        Raises:
            ValueError: the line has another filter. What the backend raises.
        """
        self.finish()
        self.check_filter(line, filter_us)
        watched = self._watched.get(line)
        if watched is None:
            watched = WatchedLine(filter_us or 0)
        before = watched.subscriptions
        watched.subscriptions = (*before, subscription)
        self._watched[line] = watched
        try:
            self.resume(line)
        except BaseException as e:
            if self._watched.get(line) is watched and subscription in watched.subscriptions:
                self.discard(line, subscription)
                raise
            if not errors.is_refusal(e):
                raise  # else it is nobody's: a signal handler has ended the watch meanwhile

    def finish(self) -> None:
        """Undo what is left of watches that were ended, and whose end was interrupted."""
        self._undoing.finish()

    def check_filter(self, line: int, filter_us: int | None) -> None:
        """Raise ValueError where the line is watched with another filter."""
        watched = self._watched.get(line)
        if watched is not None and filter_us is not None and filter_us != watched.filter_us:
            raise ValueError(
                f"GPIO {line} is watched with filter_us={watched.filter_us}: the kernel has one filter per line"
            )

    def remove(self, line: int, kind: type[Subscription]) -> bool:
        """End the subscriptions of this class, and the watch where none is left; False where there were none."""
        gone = self.of_kind(line, kind)
        for subscription in gone:
            self.discard(line, subscription)
        return bool(gone)

    def discard(self, line: int, subscription: Subscription) -> None:
        """End one subscription, and the watch with the last; nothing where it has ended already."""
        self.finish()
        watched = self._watched.get(line)
        if watched is None or subscription not in watched.subscriptions:
            return
        if len(watched.subscriptions) == 1:
            self.drop(line)
            return
        left = tuple([s for s in watched.subscriptions if s is not subscription])
        watched.subscriptions = left
        self._undoing.steps += [lambda: self._close(subscription)]
        self.finish()
        self.resume(line)

    def resume(self, line: int) -> None:
        """Arm the backend with what the subscriptions of the line need."""
        watched = self._watched.get(line)
        if watched is None or watched.edge is None:
            return
        self.finish()
        parked = self._parked.get(line)
        if parked is not None and watched.fd is None:
            self._listen(line, watched, parked)  # before there can be edges: the loop reads it all the time
            self._parked.pop(line, None)
        try:
            fd = self._arm(line, watched.edge, watched.filter_us)
        except BaseException:
            if parked is not None:
                self.suspend(line)
            raise
        if watched.fd is None:
            self._listen(line, watched, fd)
        if self._watched.get(line) is not watched:  # a signal handler has ended it meanwhile
            self._disarm(line, False)

    def _listen(self, line: int, watched: WatchedLine, fd: int) -> None:
        loop = self._loop()
        token = loop.new_token()
        if self._watched.get(line) is watched:
            watched.fd, watched.seq, watched.token, watched.gone = fd, 0, token, False
            loop.add_edges(fd, token, lambda events: self.lose(line))
            if self._watched.get(line) is not watched:  # a signal handler has ended it meanwhile
                loop.remove_edges(fd, token)

    def suspend(self, line: int) -> None:
        """Disarm, and keep the subscriptions: the line becomes an output, or goes."""
        watched = self._watched.get(line)
        fd = None if watched is None else watched.fd
        if watched is not None and fd is not None:
            steps = self._disarming(line, fd, watched.token)
            watched.fd = None
            self._undoing.steps += steps
        self.finish()

    def _disarming(self, line: int, fd: int, token: int) -> list[Callable[[], object]]:
        if self.lasting_fd(line) == fd:
            return [lambda: self._park(line, fd)]
        loop = self._loop()
        return [lambda: loop.remove_edges(fd, token), lambda: self._disarm(line, False)]

    def _park(self, line: int, fd: int) -> None:
        """Disarm; keep a descriptor that lasts for the next watch. Each step may run twice, and resume() undoes it."""
        self._parked[line] = fd
        if self.lasting_fd(line) != fd:  # a signal handler has given the line back, and closed it
            self._parked.pop(line, None)
            return
        self._disarm(line, self._loop().park(fd))

    def let_go(self, line: int) -> None:
        """The descriptor of a line that is not watched is about to be closed. Twice is fine."""
        fd = self._parked.get(line)
        if fd is not None:
            try:
                self._loop().remove(fd)
            except OSError:
                pass  # the loop has lost it already, with its chip
            self._parked.pop(line, None)

    def let_go_all(self) -> None:
        """The same for all lines."""
        for line in list(self._parked):
            self.let_go(line)

    def drop(self, line: int) -> None:
        """End all subscriptions of a line, if there are any."""
        self.finish()
        watched = self._watched.get(line)
        if watched is None:
            return
        log.debug("- removing interrupts on gpio %s", line)
        # First the subscriptions, for a wait inside a callback polls the descriptor.
        steps: list[Callable[[], object]] = [
            lambda s=subscription: self._close(s)  # type: ignore[misc]
            for subscription in watched.subscriptions
        ]
        fd = watched.fd  # once: a signal handler may end the watch between two looks
        if fd is not None:
            steps += self._disarming(line, fd, watched.token)
        self._undoing.steps += steps
        if self._watched.pop(line, None) is watched:
            lost, watched.lost = watched.lost, 0
            self._lost_before[line] = self._lost_before.get(line, 0) + lost
        watched.subscriptions, watched.fd = (), None
        self.finish()

    def _close(self, subscription: Subscription) -> None:
        worker = subscription.worker
        if worker is not None and worker not in self._retired:
            self._retired = [*[other for other in self._retired if other.is_alive()], worker]
        subscription.close()

    def lose(self, line: int) -> None:
        """The chip of a line has gone: stop listening, before epoll reports it for ever, and end its waits."""
        watched = self._watched.get(line)
        if watched is not None and watched.fd is not None:
            log.warning("GPIO %s: its chip has gone, no more edges", line)
            fd, watched.fd, watched.gone = watched.fd, None, True
            self._loop().remove(fd)
            for subscription in watched.subscriptions:
                subscription.lose(line)
            self.on_lost()

    def check_there(self) -> None:
        """Raise LineGoneError where the chip of a watched line has gone."""
        for line, watched in list(self._watched.items()):
            if watched.gone:
                raise errors.LineGoneError.of(line)

    def forget(self) -> None:
        """In the child of a fork, which has none of it; the callback that forked may not have been its edge's last."""
        for watched in self._watched.values():
            for subscription in watched.subscriptions:
                if subscription.worker is not None:
                    subscription.worker.is_closed = True  # where its callback has forked, it ends with that
                if isinstance(subscription, Wait):
                    subscription.over = True  # the same of what has been called while it waits
            watched.subscriptions = ()
        self._watched.clear()
        self._parked.clear()
        self._retired = []
        self._undoing.steps = []

    def dispatch(self, event: EdgeEvent) -> None:
        """Hand an edge to its subscriptions. The loop's thread."""
        watched = self._watched.get(event.line)
        if (
            watched is not None and event.token == watched.token
        ):  # else it was read for a watch that has ended
            watched.dispatch(event)

    def lost(self) -> dict[int, int]:
        """How many edges each line has lost since its callbacks were first added."""
        counts = dict(self._lost_before)
        for line, watched in list(self._watched.items()):
            counts[line] = counts.get(line, 0) + watched.lost
        return counts

    def workers(self) -> list[Worker]:
        """The threads of threaded callbacks, those that are on their way out too."""
        return self._retired + [
            s.worker for watched in list(self._watched.values()) for s in watched.subscriptions if s.worker
        ]

    def wait_in_loop(self, line: int, wait: Wait, timeout_s: float | None, lock: RLock) -> None:
        """Wait inside a callback, where the loop does not run: read this line's edges here, and no other's."""
        from .. import _gpio

        loop = self._loop()
        end_ns = loop.now_ns() + int((timeout_s or 0) * 1e9)
        with lock:
            watched = self._watched.get(line)
            fd = watched.fd if watched is not None else None
            pipe = wait.pipe = _gpio.Pipe()
        try:
            while (
                watched is not None and not wait.over and (event := loop.next_edge(watched.token)) is not None
            ):
                watched.dispatch(event)  # the loop has read it, and was about to
            while watched is not None and fd is not None and not wait.over:
                left_s = None if timeout_s is None else max(0.0, (end_ns - loop.now_ns()) / 1e9)
                if not self._wait_readable(fd, pipe.reader, left_s):
                    return
                with lock:  # nobody closes the descriptor meanwhile
                    try:
                        events = _gpio.events_read(fd) if watched.fd == fd and not wait.over else []
                    except OSError:
                        events = []
                        self.lose(line)
                    fd = watched.fd
                for event in events:
                    watched.dispatch(event)
        finally:
            wait.pipe = None  # closed with its last user

    def _wait_readable(self, fd: int, wake_fd: int, left_s: float | None) -> bool:
        """Wait for one of both, and for the removal of the chip; False after the timeout."""
        loop, gone_fd = self._loop(), self.gone_fd()
        if gone_fd is None:
            return loop.wait_readable((fd, wake_fd), left_s)
        if not loop.wait_readable((fd, wake_fd, gone_fd), left_s):
            return False
        if loop.wait_readable((gone_fd,), 0):
            self.look_whether_gone()
        return True
