# SPDX-License-Identifier: LGPL-3.0-or-later
"""What a TCP callback gets: a client, which is a socket, and a message. They need no socket module to be named."""

from __future__ import annotations

import codecs
from _collections_abc import Callable
from sys import platform

from .masks import READ, WRITE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import RLock
    from socket import socket as Socket
    from typing import Protocol

    class Port(Protocol):
        """What a client needs of its server."""

        callback: Callback
        lock: RLock
        """Over the descriptors of its clients: who has it sends to no other, whoever closes this one meanwhile."""

        def update(self, client: TcpClient) -> None:
            """Wait for what the client wants now."""

        def has(self, client: TcpClient) -> bool:
            """Whether the client is in the loop."""

        def forget(self, client: TcpClient) -> None:
            """Take the client out of the loop; its socket stays open."""

        def end(self, client: TcpClient) -> None:
            """Take the client out of the loop and close its socket."""

        def drop(self, client: TcpClient, reason: str, discard: bool = False) -> None:
            """Close the connection."""

else:
    Socket = object  # tcp.Connection is a socket, too

Callback = Callable[["TcpClient", "Message"], object]
Bytes = str | bytes | bytearray | memoryview
"""What may be sent; others that are bytes-like (array.array, say) too."""
MSG_DONTWAIT, MSG_NOSIGNAL = (0x40, 0x4000) if platform == "linux" else (0, 0)
"""Of send(2); Linux, include/linux/socket.h. Elsewhere Python has switched that signal off, and a client's socket does
not block."""


class Message(str):
    """What a client has sent: a str, undecodable bytes replaced, which also answers decode().

    On Python 3 the original RPIO gave bytes, on Python 2 str; programs for both are written.
    """

    __slots__ = ()

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Return the message, which is decoded already, as a plain str."""
        return str(self)


class TcpClient(Socket):
    """The connection that a TCP callback gets: a socket whose send() takes str and never blocks.

    ``send()`` and ``sendall()`` accept str (sent as UTF-8) and whatever has bytes, from any thread. ``close()`` is
    ``RPIO.close_tcp_client(client.fileno())``. ``RPIO.tcp_clients()`` returns all that are connected.
    """

    def __init__(self, fd: int, server: Port) -> None:
        self._server = server
        self._unsent = bytearray()
        self._closing = False
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")
        """Of the port's: a character may come in two halves."""
        self.number = fd
        """The descriptor under which the loop knows it, which fileno() does not tell any more when it is closed."""
        self.came_ns = 0
        self.has_spoken = False
        self.turn = 0
        """When it was served last: a number that grows with each turn of its port."""
        self.paused = False
        super().__init__(fileno=fd)

    @property
    def callback(self) -> Callback:
        """The callback of its port."""
        return self._server.callback

    def send(self, data: Bytes, flags: int = 0, /) -> int:  # type: ignore[override]
        """Send all of *data*, now or as the client reads it, and return its length in bytes. Never blocks.

        Raises:
            OSError: ENOBUFS, more than SEND_BUFFER_BYTES would wait for this client (it is closed);
                EBADF: it is closed; EPIPE, ECONNRESET: the peer has gone.
            TypeError: *data* is neither str nor bytes-like, as with any socket.
        """
        from errno import EBADF, ENOBUFS

        from .tcp_limits import SEND_BUFFER_BYTES  # here: this module is loaded by who wants no port, too

        payload = bytes_of(data)
        with self._server.lock:
            if self._closing:
                raise OSError(EBADF, "the connection is closed")
            self._check_open()
            taken = 0
            if not self._unsent:
                taken = self._send_now(payload, flags)
            if len(self._unsent) + len(payload) - taken > SEND_BUFFER_BYTES:
                self._server.drop(self, "it does not read what it is sent", discard=True)
                raise OSError(ENOBUFS, f"{SEND_BUFFER_BYTES} bytes wait for this client; connection closed")
            self._unsent += payload[taken:]
            if self._unsent:
                self._server.update(self)
        return len(payload)

    def sendall(self, data: Bytes, flags: int = 0, /) -> None:  # type: ignore[override]
        """As send()."""
        self.send(data, flags)

    def _check_open(self) -> None:
        if self.fileno() < 0:
            from errno import EBADF

            raise OSError(EBADF, "the connection is closed")

    def _send_now(self, payload: bytes | bytearray, flags: int = 0) -> int:
        try:
            return super().send(payload, flags | MSG_NOSIGNAL | MSG_DONTWAIT)
        except BlockingIOError:
            return 0

    def flush(self) -> None:
        """Send what waits, as much as the kernel takes. Called by the loop."""
        with self._server.lock:
            self._check_open()
            unsent = self._unsent
            del unsent[: self._send_now(unsent)]
            if self._closing and not unsent:
                self.discard()
            else:
                self._server.update(self)

    @property
    def wanted(self) -> int:
        """The epoll events to wait for: writing while something waits to be sent, else reading."""
        return WRITE if self._unsent else 0 if self.paused else READ

    def detach(self) -> int:
        """Give the connection away: the port forgets it, and the caller closes the descriptor that is returned.

        What still waits to be sent is dropped. The descriptor does not block, as it was.
        """
        with self._server.lock:
            self._unsent = bytearray()
            self._server.forget(self)
            return super().detach()

    def close(self) -> None:
        """Close the connection as soon as all that was sent has gone; a second close() does not wait for that."""
        with self._server.lock:
            if self._unsent and not self._closing and self._server.has(self):
                self._closing = True
                self._server.update(self)
            else:
                self.discard()

    def discard(self) -> None:
        """Close the connection now; what waits to be sent is dropped. Twice is fine."""
        self._unsent = bytearray()  # another one: this may be in the middle of being sent
        self._server.end(self)


def bytes_of(data: Bytes) -> bytes:
    """What there is to send. A number is refused: bytes(5) would be five zeros."""
    if isinstance(data, str):
        return data.encode()
    try:
        view = memoryview(data)
    except TypeError:
        raise TypeError(f"a str or a bytes-like object is required, not '{type(data).__name__}'") from None
    return view.tobytes()
