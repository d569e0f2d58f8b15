# SPDX-License-Identifier: LGPL-3.0-or-later
"""What a loop can wait for that no kernel needs to know: pipes of edges, timers, and what others are gathered in.

Each has a number that looks like a descriptor, above all that a kernel gives: whoever takes descriptors takes it too.
Whoever sleeps is woken when any of them changes, looks again, and goes on sleeping where it was not for him: there are
one or two sleepers in a program.
"""

from __future__ import annotations

import itertools
from _thread import RLock
from _weakref import ref
from errno import EAGAIN, EBADF
from time import monotonic_ns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Protocol

    class Sleeper(Protocol):
        """Who waits in the kernel."""

        def ring(self) -> None:
            """End that. From any thread or signal handler."""


FIRST = 1 << 40
"""No descriptor, and no handle of a Windows socket, is as high."""
CAPACITY = 1 << 16
"""Bytes of a pipe, as Linux has it."""
READ = 1

_numbers = itertools.count(FIRST)
_known: dict[int, ref[Source]] = {}
asleep: list[Sleeper] = []
"""Those to be woken by a change."""


def changed() -> None:
    """Have all who sleep look again. From any thread or signal handler."""
    for sleeper in tuple(asleep):
        sleeper.ring()


class Source:
    """Something with a number, which is -1 when it is closed."""

    def __init__(self) -> None:
        self.number = next(_numbers)
        _known[self.number] = ref(self)

    def __del__(self, known: dict[int, ref[Source]] = _known) -> None:
        known.pop(self.number, None)  # at the end of the program the module may have no names any more

    @property
    def is_ready(self) -> bool:
        """Whether there is something to read."""
        return False

    @property
    def due_ns(self) -> int | None:
        """When it will be ready by itself."""
        return None

    def members(self) -> Mapping[int, int]:
        """Descriptors, real ones too, and their masks: it is ready when one of them is."""
        return {}

    def forget(self, fd: int) -> None:
        """That one has been closed without a word."""

    def close(self) -> None:
        """Have no number any more. Twice is fine. Takes no lock: in the child of a fork another thread has had it."""
        number, self.number = self.number, -1
        _known.pop(number, None)
        changed()


def source_of(fd: int) -> Source | None:
    """Who has that number; None for nobody, or for a descriptor of the kernel's."""
    me = _known.get(fd)
    return me() if me is not None else None


def close_all() -> None:
    """In the child of a fork: nobody sleeps, and what is open is the parent's."""
    asleep.clear()
    for me in list(_known.values()):
        source = me()
        if source is not None:
            source.close()


class Pipe(Source):
    """A pipe within the process; closed with its object. *reader* and *writer* are one number, -1 when closed."""

    def __init__(self) -> None:
        super().__init__()
        self._data = bytearray()
        self._lock = RLock()

    @property
    def reader(self) -> int:
        """The end to read."""
        return self.number

    writer = reader

    @property
    def is_ready(self) -> bool:
        """Whether anything waits."""
        return bool(self._data)

    def put(self, data: bytes, /) -> int:
        """Write, and never wait; return how many bytes. BlockingIOError where there is no room."""
        if not isinstance(data, bytes):
            raise TypeError("bytes go into a pipe")
        with self._lock:
            self._check_open()
            if len(self._data) + len(data) > CAPACITY:
                raise BlockingIOError(EAGAIN, "the pipe is full")
            self._data += data
        changed()
        return len(data)

    def get(self, most: int, /) -> bytes:
        """Read at most so many bytes, and never wait. BlockingIOError where there are none."""
        with self._lock:
            self._check_open()
            if not self._data:
                raise BlockingIOError(EAGAIN, "the pipe is empty")
            taken = bytes(self._data[:most])
            del self._data[:most]
            return taken

    def waiting(self) -> int:
        """How many bytes wait."""
        return len(self._data)

    def _check_open(self) -> None:
        if self.number < 0:
            raise OSError(EBADF, "the pipe is closed")


def pipe_of(fd: int) -> Pipe:
    """The pipe of that number. OSError (EBADF) where there is none."""
    source = source_of(fd)
    if isinstance(source, Pipe):
        return source
    raise OSError(EBADF, f"{fd} is no pipe of edges")


class Timer(Source):
    """A number that becomes readable when a time is over."""

    def __init__(self) -> None:
        super().__init__()
        self._due_ns: int | None = None

    @property
    def due_ns(self) -> int | None:
        """When that is."""
        return self._due_ns

    @property
    def is_ready(self) -> bool:
        """Whether it is over."""
        due_ns = self._due_ns
        return due_ns is not None and monotonic_ns() >= due_ns

    def start(self, seconds: float, /) -> None:
        """Begin anew: it is readable after so long, until over()."""
        if not 0 < seconds < 1e9:
            raise ValueError("a timer runs for more than 0 and less than 1e9 seconds")
        if self.number < 0:
            raise OSError(EBADF, "the timer is closed")
        self._due_ns = monotonic_ns() + max(1, int(seconds * 1e9))
        changed()

    def over(self) -> bool:
        """Whether the time is over; tells it once. Never blocks."""
        is_over = self.is_ready
        if is_over:
            self._due_ns = None
        return is_over

    def fileno(self) -> int:
        """The number; -1 when closed."""
        return self.number
