# SPDX-License-Identifier: LGPL-3.0-or-later
"""What a TCP callback gets: a client, which is a socket, and a message. They need no socket module to be named."""

from __future__ import annotations

import codecs
from _collections_abc import Callable
from _thread import RLock

from .dispatcher import READ, WRITE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from socket import socket as Socket
    from typing import Protocol

    class Port(Protocol):
        """What a client needs of its server."""

        callback: Callback

        def update(self, client: TcpClient) -> None:
            """Wait for what the client wants now."""

        def has(self, client: TcpClient) -> bool:
            """Whether the client is in the loop."""

        def forget(self, client: TcpClient) -> None:
            """Take the client out of the loop."""

        def drop(self, client: TcpClient, reason: str, discard: bool = False) -> None:
            """Close the connection."""

else:
    Socket = object  # tcp.Connection is a socket, too

Callback = Callable[["TcpClient", "Message"], object]
SEND_BUFFER_BYTES = 1 << 20
"""What may wait for one client."""
MSG_NOSIGNAL = 0x4000
"""Of send(2); Linux, include/linux/socket.h."""


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

    ``send()`` and ``sendall()`` accept str (sent as UTF-8) and bytes from any thread. ``close()`` is
    ``RPIO.close_tcp_client(client.fileno())``. ``RPIO.tcp_clients()`` returns all that are connected.
    """

    def __init__(self, fd: int, server: Port) -> None:
        self._server = server
        self._unsent = bytearray()
        self._sending = RLock()
        self.paused = False
        self._closing = False
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        super().__init__(fileno=fd)

    @property
    def callback(self) -> Callback:
        """The callback of its port."""
        return self._server.callback

    def send(self, data: str | bytes, flags: int = 0, /) -> int:  # type: ignore[override]
        """Send all of *data*, now or as the client reads it, and return its length in bytes. Never blocks.

        Raises:
            OSError: ENOBUFS, more than SEND_BUFFER_BYTES would wait for this client (it is closed);
                EBADF: it is closed; EPIPE, ECONNRESET: the peer has gone.
        """
        from errno import EBADF, ENOBUFS

        payload = data.encode() if isinstance(data, str) else bytes(data)
        with self._sending:
            if self._closing or self.fileno() < 0:
                raise OSError(EBADF, "the connection is closed")
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

    def sendall(self, data: str | bytes, flags: int = 0, /) -> None:  # type: ignore[override]
        """As send()."""
        self.send(data, flags)

    def _send_now(self, payload: bytes | bytearray, flags: int = 0) -> int:
        try:
            return super().send(payload, flags | MSG_NOSIGNAL)
        except BlockingIOError:
            return 0

    def flush(self) -> None:
        """Send what waits, as much as the kernel takes. Called by the loop."""
        with self._sending:
            del self._unsent[: self._send_now(self._unsent)]
            if self._closing and not self._unsent:
                self.discard()
            else:
                self._server.update(self)

    @property
    def wanted(self) -> int:
        """The epoll events to wait for: writing while something waits to be sent, else reading."""
        return WRITE if self._unsent else 0 if self.paused else READ

    def close(self) -> None:
        """Close the connection as soon as all that was sent has gone; a second close() does not wait for that."""
        with self._sending:
            if self._unsent and not self._closing and self._server.has(self):
                self._closing = True
                self._server.update(self)
            else:
                self.discard()

    def discard(self) -> None:
        """Close the connection now; what waits to be sent is dropped. Twice is fine."""
        self._unsent.clear()
        self._server.forget(self)
        super().close()
