# SPDX-License-Identifier: LGPL-3.0-or-later
"""The callbacks of a watched line: which edges each gets, when it holds off, and what was lost."""

from __future__ import annotations

from . import log, model
from .dispatcher import Worker, run_callback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ._gpio import EdgeEvent

    EdgeCallback = Callable[[int, int], object]


class Subscription:
    """One callback on one line."""

    __slots__ = ("bits", "callback", "holdoff_ns", "last_ns", "worker")

    def __init__(self, bits: int, callback: EdgeCallback, holdoff_ns: int, worker: Worker | None) -> None:
        self.bits = bits
        self.callback = callback
        self.holdoff_ns = holdoff_ns
        self.last_ns: int | None = None
        self.worker = worker

    def accepts(self, event: EdgeEvent) -> bool:
        """Whether the event is of its edge and outside its hold-off, which counts from accepted edges."""
        if not self.bits & (1 if event.value else 2):
            return False
        if self.last_ns is not None and event.timestamp_ns - self.last_ns < self.holdoff_ns:
            log.debug("- don't start interrupt callback due to debouncing")
            return False
        self.last_ns = event.timestamp_ns
        return True

    def deliver(self, event: EdgeEvent, watched: WatchedLine) -> None:
        """Run the callback, here or in its own thread."""
        if self.worker is None:
            run_callback(self.callback, event.line, event.value)
        elif not self.worker.put(event.line, event.value):
            watched.count_lost(event.line, 1, "the threaded callback is too slow")


class WatchedLine:
    """The callbacks of a line, and what the kernel was asked for on their behalf."""

    __slots__ = ("fd", "filter_us", "lost", "seq", "subscriptions", "token")

    def __init__(self, filter_us: int) -> None:
        self.fd: int | None = None
        self.filter_us = filter_us
        self.token = 0
        self.seq = 0
        self.lost = 0
        self.subscriptions: tuple[Subscription, ...] = ()

    @property
    def edge(self) -> int | None:
        """The union of the edges of all callbacks."""
        bits = 0
        for subscription in self.subscriptions:
            bits |= subscription.bits
        return {1: model.RISING, 2: model.FALLING, 3: model.BOTH}.get(bits)

    def count_missing(self, event: EdgeEvent) -> None:
        """Count what the numbers of the events say is missing before this one."""
        missing = event.seq - self.seq - 1
        self.seq = event.seq
        if missing > 0:
            self.count_lost(event.line, missing, "the kernel's buffer was full")

    def count_lost(self, line: int, count: int, why: str) -> None:
        """Count lost edges; the first loss of a line is logged."""
        first = self.lost == 0
        self.lost += count
        if first:
            log.warning("GPIO %s: %s edges lost, %s (RPIO.events_lost() counts on)", line, count, why)

    def close(self) -> None:
        """End the callbacks' threads; what is queued for them is dropped."""
        subscriptions, self.subscriptions = self.subscriptions, ()
        for subscription in subscriptions:
            if subscription.worker is not None:
                subscription.worker.close()
