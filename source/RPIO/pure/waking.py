# SPDX-License-Identifier: LGPL-3.0-or-later
"""RPIO's loop within one that knows descriptors of the kernel's alone, asyncio's or a screen's: a thread sleeps for it.

It tells when there is something to do, and sleeps again when that has been done.
"""

from __future__ import annotations

from .. import threads
from .looking import SocketPipe, readable
from .sources import Pipe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    class EventLoop(Protocol):
        """One that can be told things from another thread, as asyncio's can; whether it has add_reader() or not."""

        def call_soon_threadsafe(self, callback: Callable[[], object], /) -> object:
            """Call it in the loop's thread. RuntimeError where that is closed."""

        def is_closed(self) -> bool:
            """Whether it runs nothing any more."""


LOOK_S = 1.0
"""How often is looked whether the other loop has been closed without a word."""


class Waker:
    """The thread. *tell* is called in it when *number* is readable, and again after go_on(), until *is_dead*."""

    def __init__(self, number: int, tell: Callable[[], object], is_dead: Callable[[], bool]) -> None:
        self._number, self._tell, self._is_dead = number, tell, is_dead
        self._is_over = False
        self._bell = Pipe()
        self._done = threads.allocate_lock()
        self._done.acquire()
        threads.start(self._run, "RPIO waker")

    def _run(self) -> None:
        bell = self._bell.reader
        while not self._is_over:
            if self._is_dead():
                return
            if readable((self._number, bell), LOOK_S) and not self._is_over:
                try:
                    self._tell()
                except RuntimeError:
                    return  # that loop is closed
                self._done.acquire()

    def go_on(self) -> None:
        """It has been done. Twice is fine."""
        try:
            self._done.release()
        except RuntimeError:
            return  # the thread sleeps already

    def end(self) -> None:
        """End the thread. Twice is fine."""
        self._is_over = True
        if self._bell.writer >= 0:
            self._bell.put(b"x")
        self.go_on()


class Told:
    """An event loop as one that has add_reader() for the numbers of our sources."""

    def __init__(self, outer: EventLoop) -> None:
        self._outer = outer
        self._waker: Waker | None = None

    def add_reader(self, fd: int, callback: Callable[[], object], /) -> None:
        """Call callback() whenever it is readable."""
        self.remove_reader(fd)

        def do() -> None:
            """In the loop's thread."""
            if self._waker is waker:
                try:
                    callback()
                finally:
                    waker.go_on()

        self._waker = waker = Waker(fd, lambda: self._outer.call_soon_threadsafe(do), self._outer.is_closed)

    def remove_reader(self, fd: int, /) -> None:
        """Do so no longer."""
        waker, self._waker = self._waker, None
        if waker is not None:
            waker.end()

    def is_closed(self) -> bool:
        """Whether it runs nothing any more."""
        return self._outer.is_closed()


class Shown:
    """A number of our sources as a descriptor of the kernel's, *fd*, for who looks at that himself."""

    def __init__(self, number: int) -> None:
        self._pipe = SocketPipe()
        self.fd = self._pipe.reader
        self._waker = Waker(number, self._pipe.ring, lambda: False)

    def done(self) -> None:
        """What there was to do has been done."""
        self._pipe.drain()
        self._waker.go_on()

    def close(self) -> None:
        """End it. Twice is fine."""
        self._waker.end()
        self._pipe.close()
