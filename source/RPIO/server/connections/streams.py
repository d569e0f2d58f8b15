# SPDX-License-Identifier: LGPL-3.0-or-later
"""A client at two descriptors: he is read at one, and written to at the other, as with standard input and output."""

from __future__ import annotations

import os

from ..._gpio import PURE
from ...loop.masks import READ, WRITE
from .links import House, Link

BY_READ, BY_READ_NOW = (0, 0) if PURE else (-1, -2)
"""Flags of a LineReader for what is no socket, and for a pipe that is shared with somebody who may make it block."""


class Ends:
    """The two, as a Link has a socket."""

    def __init__(self) -> None:
        self.reader = self.writer = -1

    def fileno(self) -> int:
        """What is read; negative when it is closed."""
        return self.reader

    def send(self, data: bytes, flags: int = 0) -> int:
        """Send what the kernel takes; there are no flags for that. BlockingIOError where that is nothing."""
        return os.write(self.writer, data)

    def close(self) -> None:
        """Close both. Twice is fine."""
        # First the number: a signal handler may raise as soon as it is closed, and whoever closes it again is told so.
        reader, self.reader = self.reader, -1
        if reader >= 0:
            os.close(reader)
        writer, self.writer = self.writer, -1
        if writer >= 0:
            os.close(writer)


class StreamLink(Link):
    """Who is there. The two are watched for one thing each."""

    def __init__(self, house: House, ends: Ends, peer: str) -> None:
        self._ends = ends
        super().__init__(house, ends, peer)  # type: ignore[arg-type] # it is asked for no more than there is
        self._writes = 0

    def begin(self) -> None:
        """Hear him. Raises PermissionError where the descriptors are those of files, which are always ready."""
        ends = self._ends
        self._loop.add(ends.reader, self.on_ready, READ, lambda: self.is_closed)
        self._loop.add(ends.writer, self.on_ready, 0, lambda: self.is_closed)

    def _want(self) -> None:
        reads = READ if self.talk.listens else 0
        writes = WRITE if self._left else 0
        if reads != self._mask:
            self._mask = reads
            self._loop.modify(self._ends.reader, reads)
        if writes != self._writes:
            self._writes = writes
            self._loop.modify(self._ends.writer, writes)

    def _leave_loop(self) -> None:
        for fd in (self._ends.reader, self._ends.writer):
            self._leave_loop_at(fd)

    def _leave_loop_at(self, fd: int) -> None:
        if fd >= 0 and self._loop.has(fd):
            self._loop.remove(fd)
