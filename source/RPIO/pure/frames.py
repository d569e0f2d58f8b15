# SPDX-License-Identifier: LGPL-3.0-or-later
"""FrameReader: frames of wire/objects out of what a stream delivers in pieces of any size."""

from __future__ import annotations

from errno import EAGAIN, EIO, EPROTO

from .lines import _received
from .looking import has_socket
from .sources import READ

TYPE_CHECKING = False
if TYPE_CHECKING:
    Frame = tuple[int, int, int, bytes]

HEAD = 13


class FrameReader:
    """Frames: a body has *most* bytes; bit N of *kinds* says that there are frames of kind N; those from *aside* on
    belong to no conversation.
    """

    def __init__(self, most: int, kinds: int, aside: int) -> None:
        self._most, self._kinds, self._aside = most, kinds, aside
        self._begun = bytearray()

    def read(self, fd: int, mails: dict[int, list[Frame]], strange: list[Frame], timeout_ms: int, /) -> int:
        """Wait so long (-1: for ever) for something to come, receive once, and append each frame that is complete now
        to the list of its conversation, or to *strange*. Returns how many bytes came, 0 at the end of the stream, and
        -errno: -EAGAIN when the time is over, -EPROTO for what is no frame.
        """
        if not isinstance(mails, dict) or not isinstance(strange, list):
            raise TypeError("frames go into the lists of a dict, and into a list")
        if not has_socket(fd, READ, 1e6 if timeout_ms < 0 else timeout_ms / 1000):
            return -EAGAIN
        try:
            data = _received(fd, 0)
        except OSError as e:
            return -(e.errno or EIO)
        begun = self._begun
        begun += data
        while len(begun) >= HEAD:
            size, kind = int.from_bytes(begun[:4], "big"), begun[4]
            if size > self._most or kind >= 64 or not self._kinds >> kind & 1:
                return -EPROTO
            if len(begun) < HEAD + size:
                break
            number, turn = (int.from_bytes(begun[at : at + 4], "big") for at in (5, 9))
            frame = kind, number, turn, bytes(begun[HEAD : HEAD + size])
            del begun[: HEAD + size]
            found = mails.get(number) if kind < self._aside else None
            (strange if found is None else found).append(frame)
        return len(data)


class FrameWriter:
    """Bytes to a descriptor that does not block."""

    def __init__(self) -> None:
        self._left = b""

    def write(self, fd: int, parts: list[bytes | bytearray | memoryview], /) -> int:
        """Send these bytes behind what is left, as far as the kernel takes them, and keep what it does not. Returns how
        many bytes are left, or -errno.
        """
        if not isinstance(parts, list):
            raise TypeError("what is sent is a list of bytes")
        self._left = left = b"".join([self._left, *parts])
        if left:
            try:
                self._left = left[_sent(fd, left) :]
            except OSError as e:
                return -(e.errno or EIO)
        return len(self._left)


def _sent(fd: int, data: bytes) -> int:
    """How much of it a socket takes now."""
    from _socket import AF_INET, SOCK_STREAM, socket

    whose = socket(AF_INET, SOCK_STREAM, 0, fd)
    try:
        return whose.send(data)
    except BlockingIOError:
        return 0
    finally:
        whose.detach()
