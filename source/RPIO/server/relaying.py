# SPDX-License-Identifier: LGPL-3.0-or-later
"""Bytes handed on between two streams and a socket, by the kernel where one of each two is a pipe."""

from __future__ import annotations

import os
import socket
import stat

from .. import threads
from ..loop.masks import ERROR, HANGUP, READ, WRITE

AT_ONCE = 1 << 16
NONBLOCK = 2
"""SPLICE_F_NONBLOCK. Source: Linux, include/linux/splice.h."""


class Way:
    """One direction. It reads no more than the other end takes."""

    def __init__(self, source: int, sink: int) -> None:
        self.source, self.sink = source, sink
        self._splices = any(stat.S_ISFIFO(os.fstat(fd).st_mode) for fd in (source, sink))
        self._left = b""
        self.is_full = False
        """It waits for the sink to take more."""
        self.is_over = False

    @property
    def waits_for(self) -> tuple[int, int]:
        """What it waits for: a descriptor, and whether that is to be read or written."""
        return (self.sink, WRITE) if self.is_full else (self.source, READ)

    def go_on(self) -> None:
        """Move what can be moved. BrokenPipeError and the like come out of this."""
        try:
            count = self._splice() if self._splices else self._copy()
        except BlockingIOError:
            self.is_full = not self.is_full  # either the sink is, or nothing has come
        else:
            self.is_full = bool(self._left)
            self.is_over = not count

    def _splice(self) -> int:
        return os.splice(self.source, self.sink, AT_ONCE, flags=NONBLOCK)

    def _copy(self) -> int:
        data = self._left or os.read(self.source, AT_ONCE)
        self._left = data
        count = os.write(self.sink, data) if data else 0
        self._left = data[count:]
        return count


def relay(reader: int, writer: int, there: socket.socket) -> None:
    """Hand on bytes both ways until either side has gone. The end of *reader* is told, and what is on its way comes.

    Neither *writer* nor the socket may block.
    """
    there.setblocking(False)
    forth, back = Way(reader, there.fileno()), Way(there.fileno(), writer)
    try:
        _relay(forth, back, there)
    except (BrokenPipeError, ConnectionResetError):
        return  # one side has gone


def _relay(forth: Way, back: Way, there: socket.socket) -> None:
    while not back.is_over:
        ready = _wait([way for way in (forth, back) if not way.is_over], back.sink)
        for way in (back, forth):
            if way.waits_for[0] in ready and not way.is_over:
                way.go_on()
        if ready.get(back.sink, 0) & (ERROR | HANGUP):
            return  # nobody reads there any more
        if forth.is_over and forth.source >= 0:
            forth.source = -1
            there.shutdown(socket.SHUT_WR)


def _wait(ways: list[Way], sink: int) -> dict[int, int]:
    """Sleep until one can go on, or nobody reads *sink* any more."""
    poll = threads.original("select", "poll")()
    wanted: dict[int, int] = {sink: 0}
    for way in ways:
        fd, mask = way.waits_for
        wanted[fd] = wanted.get(fd, 0) | mask
    for fd, mask in wanted.items():
        poll.register(fd, mask)
    return dict(poll.poll())
