# SPDX-License-Identifier: LGPL-3.0-or-later
"""The simulated board's time: the machine's own, or a clock that tests move by hand."""

from __future__ import annotations

import _heapq as heapq  # which heapq is made of, and a short run is quicker without
import time
from _thread import RLock

from ..threads import allocate_lock, start

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import LockType
    from collections.abc import Callable


def _without(
    due: list[tuple[int, int, Callable[[], object]]], number: int
) -> list[tuple[int, int, Callable[[], object]]]:
    left = [entry for entry in due if entry[1] != number]
    heapq.heapify(left)
    return left


class ManualClock:
    """A clock that stands still until advance(): tests that need seconds take none."""

    def __init__(self, start_ns: int = 0) -> None:
        self._now_ns = start_ns
        self._due: list[tuple[int, int, Callable[[], object]]] = []
        self._count = 0

    def now_ns(self) -> int:
        """The time in nanoseconds."""
        return self._now_ns

    def call_at(self, when_ns: int, action: Callable[[], object]) -> int:
        """Call action() when the clock gets there; in order of time, then of the calls of call_at(). For forget()."""
        self._count += 1
        number = self._count
        heapq.heappush(self._due, (when_ns, number, action))
        return number

    def forget(self, number: int) -> None:
        """Do not call what call_at() has returned that for; nothing where it has been called."""
        self._due = _without(self._due, number)

    def sleep_until(self, when_ns: int) -> None:
        """Move there."""
        self.advance(max(0, when_ns - self._now_ns))

    def advance(self, ns: int) -> None:
        """Move forward by *ns* nanoseconds; everything due on the way happens at its own time.

        What is due may move the clock itself; the time never goes back.
        """
        if ns < 0:
            raise ValueError(f"time only goes forward: {ns} ns")
        end_ns = self._now_ns + ns
        while self._due and self._due[0][0] <= end_ns:
            when_ns, _, action = heapq.heappop(self._due)
            self._now_ns = max(self._now_ns, when_ns)
            action()
        self._now_ns = max(self._now_ns, end_ns)

    def spend(self, ns: int) -> None:
        """Let the time go by that a call takes on a real board: whoever asks again and again gets there."""
        self.advance(ns)

    def call_now(self, action: Callable[[], object]) -> None:
        """Call action() now: something that happens outside of the program."""
        action()

    def __len__(self) -> int:
        """How much is due."""
        return len(self._due)

    @property
    def next_due_ns(self) -> int | None:
        """When the next thing happens; None for never."""
        return self._due[0][0] if self._due else None

    def after_fork(self) -> None:
        """Forget what is due: the parent does it."""
        self._due.clear()

    def close(self) -> None:
        """Forget what is due."""
        self._due.clear()


class RealClock:
    """CLOCK_MONOTONIC, the time of the kernel's events. A daemon thread starts with the first call_at()."""

    def __init__(self) -> None:
        self._due: list[tuple[int, int, Callable[[], object]]] = []
        self._count = 0
        self._lock = RLock()  # over _due
        self._changed: LockType | None = None  # released: the thread looks again
        self._closed = False

    @staticmethod
    def now_ns() -> int:
        """The time in nanoseconds."""
        return time.monotonic_ns()

    def call_at(self, when_ns: int, action: Callable[[], object]) -> int:
        """Call action() at that time, in the clock's thread. For forget()."""
        with self._lock:
            self._count += 1
            number = self._count
            heapq.heappush(self._due, (when_ns, number, action))
            first, changed = self._changed is None, self._changed or allocate_lock()
            self._changed = changed
        if first:
            try:
                start(lambda: self._run(changed), "RPIO simulated time")
            except BaseException:
                self._changed = None  # the next call tries again; a thread that has begun nevertheless ends
                self._tell(changed)
                raise
        self._tell(changed)
        return number

    def forget(self, number: int) -> None:
        """Do not call what call_at() has returned that for; nothing where it has been called."""
        with self._lock:
            self._due = _without(self._due, number)

    @staticmethod
    def _tell(changed: LockType) -> None:
        try:
            changed.release()
        except RuntimeError:
            pass  # it has been told, and has not looked yet

    def _run(self, changed: LockType) -> None:
        while not self._closed and self._changed is changed:
            action, wait_s = None, -1.0
            with self._lock:
                if self._due:
                    wait_s = max(0, self._due[0][0] - time.monotonic_ns()) / 1e9
                    action = None if wait_s else heapq.heappop(self._due)[2]
            if action is not None:
                action()
            else:
                changed.acquire(timeout=wait_s)

    @staticmethod
    def spend(ns: int) -> None:
        """Nothing: a call takes the time that it takes."""

    @staticmethod
    def call_now(action: Callable[[], object]) -> None:
        """Call action() now: something that happens outside of the program."""
        action()

    @staticmethod
    def sleep_until(when_ns: int) -> None:
        """Sleep until that time."""
        time.sleep(max(0, when_ns - time.monotonic_ns()) / 1e9)

    def after_fork(self) -> None:
        """Forget what is due, and the thread, which the child does not have."""
        self._lock = RLock()  # another thread may have held it
        self._due, self._changed = [], None

    def close(self) -> None:
        """End the thread, if there is one."""
        self._closed = True
        if self._changed is not None:
            self._tell(self._changed)
