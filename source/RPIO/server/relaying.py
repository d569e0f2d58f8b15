# SPDX-License-Identifier: LGPL-3.0-or-later
"""Bytes handed on between two streams and a socket, by the kernel where one of each two is a pipe."""

from __future__ import annotations

import os
import socket
import stat
from math import ceil
from time import monotonic

from .. import log, threads
from ..loop.masks import ERROR, HANGUP, READ, WRITE

AT_ONCE = 1 << 16
IDLE = "nothing has come from the other machine for %g s: it counts as gone"
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


def relay(reader: int, writer: int, there: socket.socket, idle_s: float | None = None) -> None:
    """Hand on bytes both ways until either side has gone. The end of *reader* is told, and what is on its way comes.
    Where nothing has been read there for *idle_s* it has gone as well.

    Neither *writer* nor the socket may block.
    """
    there.setblocking(False)
    forth, back = Way(reader, there.fileno()), Way(there.fileno(), writer)
    try:
        _relay(forth, back, there, idle_s)
    except (BrokenPipeError, ConnectionResetError):
        return  # one side has gone


def _relay(forth: Way, back: Way, there: socket.socket, idle_s: float | None) -> None:
    heard_s = monotonic()
    while not back.is_over:
        left_s = None if idle_s is None or forth.is_over else max(0.0, heard_s + idle_s - monotonic())
        ready = _wait([way for way in (forth, back) if not way.is_over], back.sink, left_s)
        if forth.source in ready:
            heard_s = monotonic()
        elif left_s == 0:
            log.warning(IDLE, idle_s)
            return
        for way in (back, forth):
            if way.waits_for[0] in ready and not way.is_over:
                way.go_on()
        if ready.get(back.sink, 0) & (ERROR | HANGUP):
            return  # nobody reads there any more
        if forth.is_over and forth.source >= 0:
            forth.source = -1
            there.shutdown(socket.SHUT_WR)


def _wait(ways: list[Way], sink: int, most_s: float | None) -> dict[int, int]:
    """Sleep until one can go on, or nobody reads *sink* any more; *most_s* at most."""
    poll = threads.original("select", "poll")()
    wanted: dict[int, int] = {sink: 0}
    for way in ways:
        fd, mask = way.waits_for
        wanted[fd] = wanted.get(fd, 0) | mask
    for fd, mask in wanted.items():
        poll.register(fd, mask)
    return dict(poll.poll(None if most_s is None else ceil(1000 * most_s)))
