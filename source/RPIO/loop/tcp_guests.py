# SPDX-License-Identifier: LGPL-3.0-or-later
"""The clients of a port: the book in which they stand, and what its epoll knows of them.

Who stands in the book is open or about to be closed. What may be interrupted by an exception of a signal handler begins
with the entry and ends with taking it out, and each step in between may be done twice: so it can be done again.
"""

from __future__ import annotations

from _thread import RLock

from .. import log
from .tcp_listener import Socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .kernel import Epoll
    from .tcp_client import Callback, TcpClient


class Guests:
    """The clients of a port. *on_left* is called, under the lock, when one has been closed: a descriptor is free.

    From any thread, but for take_in().
    """

    def __init__(self, callback: Callback, on_left: Callable[[], object]) -> None:
        self.callback = callback
        self._on_left = on_left
        self.clients: dict[int, TcpClient] = {}
        self.arriving: TcpClient | None = None
        """Who has connected last: for the child of a fork, until he stands among the clients."""
        self.lock = RLock()  # over clients, what epoll knows of them, and the flags of the port
        self.epoll: Epoll | None = None
        self.is_closed = False

    def take_in(self, client: TcpClient) -> None:
        """Enter a new client, and watch it; closed at once where the port is."""
        with self.lock:
            if self.is_closed or self.epoll is None:
                client.discard()
                return
            stale = self.clients.pop(client.number, None)
            if stale is not None:  # closed by its number, with os.close(); the number is another's now
                Socket.detach(stale)
            self.clients[client.number] = client
            self.arriving = None
            self.epoll.register(client.number, client.wanted)

    def are(self, client: TcpClient) -> bool:
        """Whether the client is one of them. For who has the lock, or can live with an answer of a moment ago."""
        return self.clients.get(client.number) is client

    def has(self, client: TcpClient) -> bool:
        """Whether the client is in the loop."""
        with self.lock:
            return self.are(client)

    def update(self, client: TcpClient) -> None:
        """Wait for what the client wants now."""
        with self.lock:
            if self.epoll is not None and self.are(client):
                try:
                    self.epoll.modify(client.number, client.wanted)
                except (OSError, ValueError):
                    return  # its end was interrupted, or that of the port, and will be done again

    def _unwatch(self, client: TcpClient) -> None:
        if self.epoll is not None and client.fileno() == client.number:
            try:
                self.epoll.unregister(client.number)
            except (OSError, ValueError):
                return  # that has been done before

    def forget(self, client: TcpClient) -> None:
        """Take the client out of the loop; its socket stays open. Twice is fine."""
        with self.lock:
            if self.are(client):
                self._unwatch(client)
                self.clients.pop(client.number, None)

    def end(self, client: TcpClient) -> None:
        """Take the client out of the loop and close its socket. Twice is fine."""
        with self.lock:
            here = self.are(client)
            if here:
                self._unwatch(client)
            try:
                Socket.close(client)
            except OSError as e:
                log.debug("- closed by its number before: %s", e)
            if here:
                self.clients.pop(client.number, None)  # last: until then who closes the port finds it
                self._on_left()
            elif self.arriving is client:
                self.arriving = None

    def drop(self, client: TcpClient, reason: str, discard: bool = False) -> None:
        """Close the connection of one client; *discard* what waits to be sent to it."""
        log.debug("closing client socket fd %s: %s", client.fileno(), reason)
        if discard:
            client.discard()
        else:
            client.close()

    def abandon(self) -> None:
        """Close the descriptors alone, in the child of a fork."""
        arriving = [self.arriving] if self.arriving is not None else []
        for client in [*self.clients.values(), *arriving]:
            Socket.close(client)
        self.clients.clear()
        self.arriving = None
