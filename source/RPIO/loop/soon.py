# SPDX-License-Identifier: LGPL-3.0-or-later
"""Calls for the loop's thread: made by any other, or at a time."""

from __future__ import annotations

from collections import deque
from heapq import heapify, heappop, heappush
from time import monotonic_ns

from .. import log
from .._gpio import Timer
from .masks import READ

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .dispatcher import Dispatcher

    Call = Callable[[], object]

NS_PER_S = 1_000_000_000
AT_ONCE_S = 1e-6


class Later:
    """A call at a time, which may be taken back."""

    __slots__ = ("call", "due_ns")

    def __init__(self, due_ns: int, call: Call) -> None:
        self.due_ns, self.call = due_ns, call

    def cancel(self) -> None:
        """It is not made. Twice is fine."""
        self.call = _nothing

    def __lt__(self, other: Later) -> bool:
        return self.due_ns < other.due_ns


def _nothing() -> None:
    return None


CANCELLED_MAX = 64
"""So many that were taken back may wait for their time; with more the others are put in order anew."""


class Soon:
    """What is to be called. Without a call there is no wake-up."""

    def __init__(self, loop: Dispatcher) -> None:
        self._loop = loop
        self._calls: deque[Call] = deque()
        self._later: list[Later] = []
        self._timer = Timer()
        loop.add(self._timer.fileno(), self._on_timer, READ)

    def call(self, call: Call) -> None:
        """Have it called in the loop's thread. From any thread, or a signal handler."""
        self._calls.append(call)
        self._timer.start(AT_ONCE_S)

    def after(self, seconds: float, call: Call) -> Later:
        """Have it called then. The loop's thread."""
        made = Later(monotonic_ns() + round(seconds * NS_PER_S), call)
        heappush(self._later, made)
        self._set()
        return made

    def _set(self) -> None:
        if len(self._later) > CANCELLED_MAX:
            self._later = [later for later in self._later if later.call is not _nothing]
            heapify(self._later)
        while self._later and self._later[0].call is _nothing:
            heappop(self._later)
        if self._later:
            self._timer.start(max(AT_ONCE_S, (self._later[0].due_ns - monotonic_ns()) / NS_PER_S))
        if self._calls:
            self._timer.start(AT_ONCE_S)

    def _on_timer(self, events: int) -> None:
        if not self._timer.over():
            return
        try:
            for _ in range(len(self._calls)):
                _made(self._calls.popleft())
            now_ns = monotonic_ns()
            while self._later and self._later[0].due_ns <= now_ns:
                _made(heappop(self._later).call)
        finally:
            self._set()

    def close(self) -> None:
        """Call nothing any more. Twice is fine."""
        if self._timer.fileno() >= 0:
            if self._loop.has(self._timer.fileno()):
                self._loop.remove(self._timer.fileno())
            self._timer.close()


def _made(call: Call) -> None:
    try:
        call()
    except Exception:
        log.callback_failed(call)
