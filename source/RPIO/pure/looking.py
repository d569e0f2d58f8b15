# SPDX-License-Identifier: LGPL-3.0-or-later
"""Sleeping until one of many is ready: sources of ours, and sockets, for which poll(2) or select(2) waits.

Nothing is kept in the kernel: each look begins with what is wanted then. That costs a microsecond for each descriptor,
and needs nothing that a system lacks; the C core has epoll.
"""

from __future__ import annotations

from _weakref import ref
from errno import EBADF
from time import monotonic_ns

from .sources import FIRST, READ, asleep, source_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from socket import socket as Socket

    from .sources import Source

WRITE, ERROR, HANGUP, CLOSED = 4, 8, 16, 32
"""Of poll(2), which epoll has too; CLOSED is POLLNVAL."""


_sockets: dict[int, ref[SocketPipe]] = {}


class SocketPipe:
    """A pipe of the kernel's own, for who sleeps there: two sockets, since Windows waits for nothing else."""

    def __init__(self) -> None:
        import socket

        from ..processes import hooks

        self._ends: tuple[Socket, Socket] | None = None
        with hooks.making:
            self._ends = ends = socket.socketpair()
        _sockets[id(self)] = ref(self)
        for end in ends:
            end.setblocking(False)

    @property
    def reader(self) -> int:
        """The end to read; -1 when closed."""
        return self._ends[0].fileno() if self._ends is not None else -1

    @property
    def writer(self) -> int:
        """The end to write; -1 when closed."""
        return self._ends[1].fileno() if self._ends is not None else -1

    def ring(self) -> None:
        """Make it readable. Twice is fine, and so is one that is closed."""
        ends = self._ends
        if ends is not None:
            try:
                ends[1].send(b"x")
            except OSError:
                return  # it is full, and has been rung, or it has just been closed

    def get(self, most: int, /) -> bytes:
        """Read at most so many bytes. BlockingIOError where there are none."""
        ends = self._ends
        if ends is None:
            raise BlockingIOError
        return ends[0].recv(most)

    def drain(self) -> None:
        """Make it unreadable."""
        try:
            self.get(4096)
        except OSError:
            return

    def close(self) -> None:
        """Close both ends. Twice is fine."""
        ends, self._ends = self._ends, None
        if ends is not None:
            for end in ends:
                end.close()

    def __del__(self, known: dict[int, ref[SocketPipe]] = _sockets) -> None:
        known.pop(id(self), None)  # at the end of the program the module may have no names any more
        self.close()


_idle: list[SocketPipe] = []


def close_sockets() -> None:
    """In the child of a fork: these are the parent's."""
    _idle.clear()
    for me in list(_sockets.values()):
        pipe = me()
        if pipe is not None:
            pipe.close()


class _Look:
    """What is wanted now, taken apart into what a kernel knows and what we do."""

    def __init__(self) -> None:
        self.ready: dict[int, int] = {}
        self.wanted: dict[int, int] = {}
        self.due_ns: int | None = None
        self._parts: list[tuple[int, int, int, Source | None]] = []
        self._seen: set[tuple[int, int]] = set()

    def add(self, top: int, fd: int, mask: int, holder: Source | None) -> None:
        """*top* is ready when *fd* is, which *holder* has among its members."""
        source = source_of(fd)
        if source is None and 0 <= fd < FIRST:
            self.wanted[fd] = self.wanted.get(fd, 0) | mask
            self._parts.append((fd, top, mask, holder))
        elif source is None:
            self._note_closed(top, fd, holder)
        elif mask & READ:
            if source.is_ready:
                self.ready[top] = READ
            due_ns = source.due_ns
            if due_ns is not None:
                self.due_ns = due_ns if self.due_ns is None else min(due_ns, self.due_ns)
            for member, its_mask in source.members().items():
                if (top, member) not in self._seen:
                    self._seen.add((top, member))
                    self.add(top, member, its_mask, source)

    def _note_closed(self, top: int, fd: int, holder: Source | None) -> None:
        if holder is not None:
            holder.forget(fd)
        elif fd == top:
            self.ready[top] = CLOSED

    def note(self, found: Mapping[int, int]) -> None:
        """The kernel's answer."""
        for fd, top, mask, holder in self._parts:
            events = found.get(fd, 0)
            if events & CLOSED:
                self._note_closed(top, fd, holder)
            elif events & (mask | ERROR | HANGUP):
                mine = events & (mask | ERROR | HANGUP)
                self.ready[top] = self.ready.get(top, 0) | (mine if fd == top else READ)


def look(
    members: Callable[[], Mapping[int, int]],
    timeout_s: float | None,
    is_woken: Callable[[], bool],
    holder: Source | None = None,
) -> dict[int, int]:
    """Sleep until one is ready, or *is_woken*, or for that time; return what is ready, and for what.

    *members* is asked again whenever something has changed; *holder* has them, and is told of those that have been
    closed. None waits for ever.
    """
    end_ns = None if timeout_s is None else monotonic_ns() + int(min(timeout_s, 1e9) * 1e9)
    bell = _take()
    try:
        asleep.append(bell)
        while True:
            if is_woken():
                end_ns = 0
            now = _Look()
            for fd, mask in members().items():
                now.add(fd, fd, mask, holder)
            if now.ready:
                end_ns = 0
            found = _ask(now.wanted, bell, _seconds_until(end_ns, now.due_ns))
            now.note(found)
            if now.ready or (end_ns is not None and monotonic_ns() >= end_ns):
                return now.ready
    finally:
        _leave(bell)


def _take() -> SocketPipe:
    try:
        return _idle.pop()
    except IndexError:
        return SocketPipe()


def _leave(bell: SocketPipe) -> None:
    if bell in asleep:
        asleep.remove(bell)
    if bell.reader >= 0:  # else this is the child of a fork, whose parent sleeps on
        bell.drain()
        _idle.append(bell)


def _seconds_until(*ends_ns: int | None) -> float | None:
    times = [end_ns for end_ns in ends_ns if end_ns is not None]
    return max(0, min(times) - monotonic_ns()) / 1e9 if times else None


def _ask(wanted: dict[int, int], bell: SocketPipe, timeout_s: float | None) -> dict[int, int]:
    if timeout_s == 0 and not wanted:
        return {}
    found = _ask_kernel({**wanted, bell.reader: READ}, timeout_s)
    if found.pop(bell.reader, 0):
        bell.drain()
    return found


def check_open(fd: int) -> None:
    """Raise OSError for a descriptor that is none."""
    if (source_of(fd) is None and not 0 <= fd < FIRST) or _ask_kernel_at_once(fd) & CLOSED:
        raise OSError(EBADF, f"{fd} is no open descriptor")


def _ask_kernel_at_once(fd: int) -> int:
    return 0 if source_of(fd) is not None else _ask_kernel({fd: READ}, 0).get(fd, 0)


def _ask_kernel(wanted: dict[int, int], timeout_s: float | None) -> dict[int, int]:
    from ..threads import original

    try:
        poll = original("select", "poll")()
    except AttributeError:
        return _ask_select(wanted, timeout_s)
    for fd, mask in wanted.items():
        poll.register(fd, mask)
    ms = None if timeout_s is None else -int(-timeout_s * 1000 // 1)  # not a moment too early
    return dict(poll.poll(ms))


def _ask_select(wanted: dict[int, int], timeout_s: float | None) -> dict[int, int]:
    from ..threads import original

    select = original("select", "select")
    readers = [fd for fd, mask in wanted.items() if mask & READ]
    writers = [fd for fd, mask in wanted.items() if mask & WRITE]
    try:
        heard = select(readers, writers, writers, timeout_s)
    except (OSError, ValueError):
        closed = {fd: CLOSED for fd in wanted if _is_closed(select, fd)}
        if not closed:
            raise
        return closed
    found: dict[int, int] = {}
    for fds, event in zip(heard, (READ, WRITE, ERROR), strict=True):
        for fd in fds:
            found[fd] = found.get(fd, 0) | event
    return found


def _is_closed(select: Callable[..., object], fd: int) -> bool:
    try:
        select([fd], [], [], 0)
    except (OSError, ValueError):
        return True
    return False


def has_socket(fd: int, mask: int, timeout_s: float) -> bool:
    """Sleep until a socket is ready for that, or for that time; nothing else wakes who sleeps here."""
    return bool(_ask_kernel({fd: mask}, timeout_s))


def readable(fds: Sequence[int], timeout_s: float | None) -> bool:
    """Sleep until one of them is readable, or for that time."""
    return bool(look(lambda: dict.fromkeys(fds, READ), timeout_s, lambda: False))
