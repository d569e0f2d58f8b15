# SPDX-License-Identifier: LGPL-3.0-or-later
"""What wants the edges of a line: which of them, when it holds off, and how it gets them; and what was lost.

A *subscription* is a small protocol that others take up, aio and capture and the screens: accepts() says whether an
edge is one for it, deliver() gets it, lose() hears that the chip has gone, close() that it is over. The first three run
in the loop's thread, close() in that of who ends it, with the board's lock; none of them may wait, and what deliver()
keeps has to be bounded.
"""

from __future__ import annotations

from .. import constants, log
from ..loop.callbacks import Worker, run_callback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from .. import errors
    from .._gpio import EdgeEvent, Tally
    from ..loop.dispatcher import Dispatcher

    EdgeCallback = Callable[[int, int], object]
    ChannelCallback = Callable[[int], object]

    class Source(Protocol):
        """Where edges come from: what Interrupts asks of the backend."""

        def arm(self, line: int, edge: int, filter_us: int) -> int:
            """Ask for the edges of a line; returns a descriptor."""

        def disarm(self, line: int, is_read: bool) -> None:
            """End that; *is_read* says that somebody goes on reading what is left there."""

        def lasting_fd(self, line: int) -> int | None:
            """The descriptor of a line that lasts until it is let go of."""

        def gone_fd(self) -> int | None:
            """A descriptor that is readable when the chip may have gone."""

        def look_whether_gone(self) -> None:
            """To be called then."""

        def gone_error(self, line: int) -> errors.LineGoneError:
            """The error of a line whose edges have ended so."""


SEQ_MASK = 0xFFFFFFFF
"""``line_seqno`` of struct gpio_v2_line_event is a __u32."""


class Subscription:
    """One callback on one line; with a *worker* it runs in a thread of its own."""

    __slots__ = ("bits", "callback", "holdoff_ns", "last_ns", "tap", "worker")
    outlasts_output = True
    """When somebody makes an output of the line it waits for that to be an input again; else it ends."""

    def __init__(
        self, bits: int, callback: EdgeCallback | None, holdoff_ns: int, worker: Worker | None = None
    ) -> None:
        self.bits = bits
        self.callback = callback
        self.holdoff_ns = holdoff_ns
        self.last_ns: int | None = None
        self.worker = worker
        self.tap: tuple[Tally, int] | None = None
        """What counts its edges in the wait itself, and as which line of it."""

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

    def lose(self, line: int, why: errors.LineGoneError) -> None:
        """The line's chip has gone, or who has it: no more edges come, *why* is an error that says. A callback just
        stays.
        """

    def close(self) -> None:
        """End the callback's thread; what is queued for it is dropped."""
        if self.worker is not None:
            self.worker.close()

    def abandon(self) -> None:
        """In the child of a fork, which has none of it: where the callback has forked, the thread ends with that."""
        if self.worker is not None:
            self.worker.is_closed = True


class WatchedLine:
    """The subscriptions of a line, and what the kernel was asked for on their behalf."""

    __slots__ = ("fd", "filter_us", "gone", "is_counted", "is_quiet", "lost", "seq", "subscriptions", "token")

    def __init__(self, filter_us: int) -> None:
        self.fd: int | None = None
        self.filter_us = filter_us
        self.token = 0
        self.seq: int | None = 0
        """The number of the last event; None where there have been others that only the wait has seen."""
        self.lost = 0
        self.is_counted = self.is_quiet = False  # in the wait, and there alone
        self.gone: errors.LineGoneError | None = None
        """Why no more edges come, where its chip has gone."""
        self.subscriptions: tuple[Subscription, ...] = ()

    def check_filter(self, line: int, filter_us: int) -> None:
        """Raise ValueError where that is another filter."""
        if filter_us != self.filter_us:
            raise ValueError(
                f"GPIO {line} is watched with filter_us={self.filter_us}: the kernel has one filter per line"
            )

    @property
    def edge(self) -> int | None:
        """The union of the edges of all subscriptions."""
        bits = 0
        for subscription in self.subscriptions:
            bits |= subscription.bits
        return {1: constants.RISING, 2: constants.FALLING, 3: constants.BOTH}.get(bits)

    @property
    def taps(self) -> tuple[tuple[Tally, int], ...]:
        """What counts its edges in the wait."""
        return tuple([s.tap for s in self.subscriptions if s.tap is not None])

    def is_listened_to(self, fd: int, token: int) -> None:
        """The loop is about to read it under that token."""
        self.fd, self.token, self.gone, self.seq = fd, token, None, 0
        taps = self.taps
        self.is_counted, self.is_quiet = bool(taps), len(taps) == len(self.subscriptions)

    def count(self, line: int, loop: Dispatcher) -> None:
        """Have the wait count for those who are subscribed now; add what was lost of what it alone has seen."""
        taps, fd = self.taps, self.fd
        if fd is None or not (taps or self.is_counted):
            return
        was_quiet, seen = self.is_quiet, self.seq
        if was_quiet:
            self.seq = None  # first: what is read after this goes on from there
        self.is_counted, self.is_quiet = bool(taps), len(taps) == len(self.subscriptions)
        found = loop.count(fd, self.token, taps, self.is_quiet, seen or 0)
        if found is None:
            return
        seq, lost = found
        if was_quiet and (self.seq is None or (self.seq - seq) & SEQ_MASK > SEQ_MASK // 2):
            self.seq = seq
        if lost:
            self.count_lost(line, lost, "the kernel's buffer was full")

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
        missing = (event.seq - self.seq - 1) & SEQ_MASK if self.seq is not None else 0
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
