# SPDX-License-Identifier: LGPL-3.0-or-later
"""Lines of text out of what a socket delivers, and where edges go that a server tells of."""

from __future__ import annotations

from errno import EBADF

from .edges import event_encode
from .sources import pipe_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .sources import Pipe

PIECE = 1 << 16
LINES_MAX = 4096
RECORD_BYTES = 48
WAITING_MAX = 1024 * RECORD_BYTES
"""The kernel's, per line."""
NUMBER_MAX = (1 << 63) - 1
STEP_MAX = (1 << 31) - 1
FLAGS_MAX = 2
"""MSG_PEEK, the highest flag that all systems have under one number. MSG_DONTWAIT is none of those: sockets that are
read here never block."""


class _Route:
    """Where the edges of a line go."""

    __slots__ = ("ours", "pipe", "theirs")

    def __init__(self, pipe: Pipe | None) -> None:
        self.pipe = pipe
        self.theirs = 0  # the server's number of the last edge
        self.ours = 0  # that of its record, which has 32 bits

    def go_to(self, number: int) -> None:
        """The server's number is that now."""
        if number > self.theirs:
            self.ours = (self.ours + min(number - self.theirs, STEP_MAX)) & 0xFFFFFFFF
            self.theirs = number

    def put(self, record: bytes) -> None:
        """Have it delivered; the oldest makes room."""
        pipe = self.pipe
        try:
            if pipe is not None:
                while pipe.waiting() >= WAITING_MAX:
                    pipe.get(RECORD_BYTES)
                pipe.put(record)
        except OSError:
            return  # the loop has just read it all, or it was closed


class EdgeRoutes:
    """Edges that a server tells of, into the pipes of their lines."""

    def __init__(self, count: int) -> None:
        if not 1 <= count <= LINES_MAX:
            raise ValueError(f"there are 1 to {LINES_MAX} lines, not {count}")
        self._routes = [_Route(None) for _ in range(count)]

    def _route(self, line: int) -> _Route:
        if not 0 <= line < len(self._routes):
            raise ValueError(f"there is no line {line}")
        return self._routes[line]

    def set(self, line: int, reader: int, writer: int, /) -> None:
        """Have the edges of a line go into a pipe, from number 1."""
        self._route(line)
        self._routes[line] = _Route(pipe_of(writer))

    def drop(self, line: int, /) -> None:
        """No more: the pipe is about to be closed."""
        self._route(line)
        self._routes[line] = _Route(None)

    def restart(self, line: int, /) -> None:
        """The server begins anew with its numbers."""
        self._route(line).theirs = 0

    def lose(self, line: int, last: int, /) -> int:
        """The server's last edge was that; return how many were lost."""
        route = self._route(line)
        lost = max(0, last - route.theirs)
        route.go_to(last)
        return lost

    def last(self, line: int, /) -> int:
        """The server's number of the last edge."""
        return self._route(line).theirs

    def take(self, text: bytes) -> bool:
        """Whether the line of text is an edge, which has gone its way."""
        word, *words = text.split(b" ")
        if word != b"edge" or len(words) != 5 or not all(map(_is_number, words)):
            return False
        line, level, at_ns, number, lost = map(int, words)
        if line >= len(self._routes) or level > 1 or max(at_ns, number, lost) > NUMBER_MAX:
            return False
        route = self._routes[line]
        if route.pipe is not None and number > route.theirs:
            route.go_to(number)
            route.put(event_encode(line, level, at_ns, route.ours))
        return True


class LineReader:
    """Lines out of what a socket delivers in pieces of any size; but edges go where EdgeRoutes has them go."""

    def __init__(self, most: int, routes: EdgeRoutes | None = None) -> None:
        if most < 1:
            raise ValueError("a line has at least one byte")
        self.most = most
        self._routes = routes
        self._begun = b""

    @property
    def begun(self) -> bytes:
        """What has come of the line that is not complete."""
        return self._begun

    def read(self, fd: int, lines: list[bytes], flags: int, /) -> int:
        """Receive once, and append the lines that are complete now, without their ends. Returns how many bytes came, 0
        at the end of the stream. BlockingIOError where nothing waits: the socket does not block.
        """
        if not isinstance(lines, list):
            raise TypeError("lines go into a list")
        data = _received(fd, flags & FLAGS_MAX)
        self.feed(data, lines)
        return len(data)

    def feed(self, data: bytes, lines: list[bytes], /) -> None:
        """The same with bytes that have come otherwise: out of an encrypted connection, say."""
        if not isinstance(lines, list):
            raise TypeError("lines go into a list")
        *whole, rest = (self._begun + data).split(b"\n")
        self._begun = b""
        for line in whole:
            self._check(line)
            if self._routes is None or not self._routes.take(line):
                lines.append(line)
        self._check(rest)
        self._begun = rest

    def _check(self, line: bytes) -> None:
        if len(line) > self.most:
            raise ValueError(f"a line of more than {self.most} bytes")


def _is_number(word: bytes) -> bool:
    return word.isdigit() and len(word) < 20


def _received(fd: int, flags: int) -> bytes:
    """What a socket has that is somebody else's, by its number: os.read() knows none of them on Windows."""
    if fd < 0:
        raise OSError(EBADF, "the socket is closed")
    from _socket import AF_INET, SOCK_STREAM, socket  # whoever has replaced that of the module socket

    borrowed = socket(AF_INET, SOCK_STREAM, 0, fd)  # no matter which kind it is: that is for who connects
    try:
        return borrowed.recv(PIECE, flags)
    finally:
        borrowed.detach()
