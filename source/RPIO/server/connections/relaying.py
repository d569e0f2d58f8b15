# SPDX-License-Identifier: LGPL-3.0-or-later
"""Bytes handed on between two streams and a socket, by the kernel where one of each two is a pipe."""

from __future__ import annotations

import os
import socket
import stat
from time import monotonic

from ... import log, threads
from ...loop.masks import ERROR, HANGUP, READ, WRITE
from ...processes import hooks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from select import epoll as Epoll

AT_ONCE = 1 << 16
IDLE = "nothing has come from the other machine for %g s: it counts as gone"
NONBLOCK = 2
"""SPLICE_F_NONBLOCK. Source: Linux, include/linux/splice.h."""
GONE = ERROR | HANGUP


class Way:
    """One direction. It reads no more than the other end takes."""

    def __init__(self, source: int, sink: int) -> None:
        self.source, self.sink = source, sink
        splices = any(stat.S_ISFIFO(os.fstat(fd).st_mode) for fd in (source, sink))
        self._move = self._splice if splices else self._copy
        self._left = b""
        self.is_full = False
        """It waits for the sink to take more, and else for the source to have more."""
        self.is_over = self.is_told = False
        """No more comes from the source; the sink has been told so."""

    def go_on(self) -> bool:
        """Move what can be moved; whether it goes on as it was. BrokenPipeError and the like come out of this."""
        was_full = self.is_full
        try:
            count = self._move()
        except BlockingIOError:
            self.is_full = not was_full  # either the sink is, or nothing has come
        else:
            self.is_full = bool(self._left)
            self.is_over = not count
        return self.is_full == was_full and not self.is_over

    def _splice(self) -> int:
        return os.splice(self.source, self.sink, AT_ONCE, None, None, NONBLOCK)

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
    with hooks.making:
        epoll = threads.original("select", "epoll")()
    with epoll:
        epoll.register(writer, 0)
        watched = Watched(epoll, writer)
        try:
            _relay(watched, Way(reader, there.fileno()), Way(there.fileno(), writer), there, idle_s)
        except (BrokenPipeError, ConnectionResetError):
            return  # one side has gone


class Watched:
    """What the kernel watches for. Whoever is not waited for is not in it: he would say for ever that he has gone."""

    def __init__(self, epoll: Epoll, writer: int) -> None:
        self._epoll = epoll
        self.poll = epoll.poll
        self._masks = {writer: 0}
        self._always = writer  # none reads there any more: the end

    def set(self, fd: int, mask: int) -> None:
        """Watch for that; 0 for nothing."""
        before = self._masks.get(fd)
        if mask == before:
            return
        if mask or fd == self._always:
            call = self._epoll.register if before is None else self._epoll.modify
            call(fd, mask)
            self._masks[fd] = mask
        elif before is not None:
            self._epoll.unregister(fd)
            del self._masks[fd]


def _relay(watched: Watched, forth: Way, back: Way, there: socket.socket, idle_s: float | None) -> None:
    _watch(watched, forth, back)
    heard_s = monotonic()
    fd_there, writer, poll = there.fileno(), back.sink, watched.poll
    while not back.is_over:
        goes_on = True
        left_s = None if idle_s is None or forth.is_over else max(0.0, heard_s + idle_s - monotonic())
        ready = poll(left_s)
        if idle_s is not None and any(fd == forth.source for fd, _ in ready):
            heard_s = monotonic()
        elif left_s == 0:
            log.warning(IDLE, idle_s)
            return
        for fd, events in ready:
            if fd == writer:
                if events & GONE:
                    return  # nobody reads there any more
                goes_on &= back.go_on()
            elif fd != fd_there:
                goes_on &= forth.go_on()
            else:
                if forth.is_full and events & ~READ:
                    goes_on &= forth.go_on()
                if not back.is_full and events & ~WRITE:
                    goes_on &= back.go_on()
        if not goes_on:
            if forth.is_over and not forth.is_told:
                forth.is_told = True
                there.shutdown(socket.SHUT_WR)
            _watch(watched, forth, back)


def _watch(watched: Watched, forth: Way, back: Way) -> None:
    """Have the kernel watch for what the two wait for now."""
    watched.set(forth.source, 0 if forth.is_full or forth.is_over else READ)
    watched.set(back.source, (0 if back.is_full else READ) | (WRITE if forth.is_full else 0))
    watched.set(back.sink, WRITE if back.is_full else 0)
