# SPDX-License-Identifier: LGPL-3.0-or-later
"""Two connections, each of which gets what comes from the other: no loop and no thread here, whoever has one drives it.

A connection is a socket that does not block, or what behaves like one (remote/tls, Channel). As much is read as the
other side takes, and never more than AT_ONCE waits on either way; the end of what one sends is told to the other.
"""

from __future__ import annotations

import socket
import struct

from ...loop.masks import READ, WRITE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    End = Any
    """recv, send, shutdown, close and fileno of a socket; ``is_pending`` where something is to be sent yet."""

AT_ONCE = 1 << 16
ROUNDS = 4
"""So often a way goes on before others have their turn."""


class Way:
    """One direction."""

    def __init__(self, source: End, sink: End, first: bytes = b"") -> None:
        self.source, self.sink = source, sink
        self._left = memoryview(first)
        self.is_at_end = False
        """No more comes from the source."""
        self.is_over = False
        """And the sink has been told so."""

    @property
    def is_full(self) -> bool:
        """It waits for the sink to take more, and else for the source to have more."""
        return bool(self._left)

    def go_on(self) -> bool:
        """Move what can be moved; whether there may be more at once. Raises OSError: it is lost."""
        return all(self._move() for _ in range(ROUNDS))

    def _move(self) -> bool:
        try:
            if not self._left and not self.is_at_end:
                self._left = memoryview(self.source.recv(AT_ONCE))
                self.is_at_end = not self._left
            if self._left:
                sent = self._sent()
                self._left = self._left[sent:]
        except BlockingIOError:
            return False
        if self.is_at_end and not self._left and not self.is_over and not is_pending(self.sink):
            self.is_over = True
            self.sink.shutdown(socket.SHUT_WR)
        return not self.is_at_end and not self._left

    def _sent(self) -> int:
        """Send some; return how much. Who takes nothing any more may have said why: that is on its way still."""
        try:
            return int(self.sink.send(self._left))
        except (BrokenPipeError, ConnectionResetError):
            self.drop()
            return 0

    def drop(self) -> None:
        """Nobody takes anything there any more."""
        self._left, self.is_at_end, self.is_over = memoryview(b""), True, True


class Pipe:
    """Both directions between two connections. *first* has come from *one* already."""

    def __init__(self, one: End, other: End, first: bytes = b"") -> None:
        self.one, self.other = one, other
        self.forth, self.back = Way(one, other, first), Way(other, one)

    def go_on(self) -> bool:
        """Move what can be moved; whether there may be more at once. Raises OSError: one side is lost."""
        for end in (self.one, self.other):
            if is_pending(end):
                end.flush()
        goes_forth = self.forth.go_on()
        return self.back.go_on() or goes_forth

    @property
    def is_over(self) -> bool:
        """Whether both have ended, and nothing is left to be sent."""
        return (
            self.forth.is_over
            and self.back.is_over
            and not is_pending(self.one)
            and not is_pending(self.other)
        )

    def masks(self) -> tuple[int, int]:
        """What the two are to be watched for; 0 for nothing."""
        return _mask(self.one, self.forth, self.back), _mask(self.other, self.back, self.forth)

    def has_hung_up(self, end: End) -> None:
        """One side neither sends nor takes anything more: what has come from it is on its way still. Who has closed his
        socket with something unread is told of as an error, which recv() raises behind what has come.
        """
        (self.back if end is self.one else self.forth).drop()

    def cut_off(self) -> None:
        """One side is lost, and may have had more to say: close both, so that the other one takes what has come for no
        whole. By TLS that is said by saying nothing, by TCP with a reset; a unix socket has no word for it.

        Source: socket(7), SO_LINGER.
        """
        for end in (self.one, self.other):
            is_tcp = end.family in (socket.AF_INET, socket.AF_INET6) and not hasattr(end, "tls")
            if is_tcp and end.fileno() >= 0:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        """Close both. Twice is fine."""
        try:
            self.one.close()
        finally:
            self.other.close()


def is_pending(end: End) -> bool:
    """Whether more is to be sent there than was said to it."""
    return bool(getattr(end, "is_pending", False))


def _mask(end: End, away: Way, towards: Way) -> int:
    reads = READ if not away.is_full and not away.is_at_end else 0
    return reads | (WRITE if towards.is_full or is_pending(end) else 0)
