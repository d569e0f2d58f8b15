# SPDX-License-Identifier: LGPL-3.0-or-later
"""The TCP ports of a program, which share what TCP may have of the machine."""

from __future__ import annotations

from .. import arguments, errors, log, threads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import RLock
    from collections.abc import Callable
    from typing import Protocol

    from .dispatcher import Dispatcher
    from .tcp import TcpServer
    from .tcp_client import TcpClient
    from .tcp_turns import Turns

    class Server(Protocol):
        """What has ports or paths open, and clients; the first is None where they are none of TCP callbacks."""

        port: int
        clients: dict[int, TcpClient]
        worker: Turns | None

        @property
        def is_closed(self) -> bool:
            """Whether close() was called."""

        def open(self, host: str) -> None:
            """Listen."""

        def close(self) -> None:
            """Close everything. Twice is fine."""

        def abandon(self) -> None:
            """Close the descriptors alone, in the child of a fork."""

        def crowd(self) -> int:
            """How many clients there are, as far as the machine has to care."""

        def turn_out(self, client: TcpClient) -> bool:
            """Close the connection of a client to make room; whether that has made any."""


class Ports:
    """All open ports.

    A port stands in *servers* before anything of it is open, and until all is closed: whatever interrupts either, the
    next close() finds it.
    """

    def __init__(self, dispatcher: Callable[[], Dispatcher], lock: RLock) -> None:
        self._dispatcher, self._lock = dispatcher, lock
        self.servers: list[Server] = []

    def add(self, port: int, callback: Callable[..., object], threaded: bool, host: str) -> TcpServer:
        """Open a port. See RPIO.add_tcp_callback()."""
        threads.load("RPIO.loop.tcp")
        from .tcp import TcpServer

        arguments.check_callback(
            callback,
            "socket, message",
            "Parameter must be callable" if callback is not None else "No callback",
        )
        arguments.check_parameters(callback, "socket, message")
        check_address(host, port)
        with self._lock:
            server = TcpServer(self._dispatcher(), port, callback, threaded, self.make_room)
            self.open(server, host)
        return server

    def open(self, server: Server, host: str) -> None:
        """Open a server, and close it with the others."""
        with self._lock:
            self.servers.append(server)
            try:
                server.open(host)
            except BaseException as e:  # Ctrl+C too
                was_closed = server.is_closed
                self._close(server)
                if not (was_closed and errors.is_refusal(e)):
                    raise  # else it is nobody's: a signal handler has closed the port meanwhile
            if server.is_closed:
                self._close(server)  # what was opened after that

    def _on(self, port: int | None) -> list[Server]:
        return [server for server in self.servers if port in (None, server.port)]

    def clients(self, port: int | None) -> list[TcpClient]:
        """The clients that are connected. See RPIO.tcp_clients()."""
        number = None if port is None else arguments.integer("port", port)
        with self._lock:
            servers = self._on(number)
            if number is not None and not servers:
                raise errors.NotWatchedError(
                    f"there is no TCP callback on port {number}", hint="add one with add_tcp_callback()"
                )
            return [client for server in servers for client in list(server.clients.values())]

    def close_client(self, fileno: int) -> None:
        """Close the connection of one TCP client."""
        fileno = arguments.integer("fileno", fileno)
        with self._lock:
            client = self._client(fileno)
            if client is None:
                raise errors.NoClientError(f"there is no TCP client with the number {fileno}")
            log.debug("closing client socket fd %s: close_tcp_client()", fileno)
            client.close()

    def _client(self, fileno: int) -> TcpClient | None:
        found = [server.clients.get(fileno) for server in list(self.servers)]
        return next((client for client in found if client is not None), None)

    def make_room(self) -> bool:
        """Whether there is room for one more client, if need be that of the longest silent one that never spoke.

        Who has spoken is never closed in favour of a stranger. Called in the loop's thread.
        """
        from .tcp_limits import most_clients

        servers = list(self.servers)
        too_many = sum(server.crowd() for server in servers) + 1 - most_clients()
        if too_many > 0:
            pairs = [(client, server) for server in servers for client in list(server.clients.values())]
            silent = [pair for pair in pairs if not pair[0].has_spoken]
            for client, its_server in sorted(silent, key=lambda pair: pair[0].came_ns):
                too_many -= its_server.turn_out(client)
                if too_many <= 0:
                    break
        return too_many <= 0

    def workers(self) -> list[Turns]:
        """The threads of threaded callbacks."""
        return [server.worker for server in self.servers if server.worker is not None]

    def close(self) -> None:
        """Close all ports and connections. May be interrupted, and is done again then; twice is fine."""
        with self._lock:
            for server in list(self.servers):
                self._close(server)

    def _close(self, server: Server) -> None:
        server.close()
        self.servers = [other for other in self.servers if other is not server]

    def abandon(self) -> None:
        """Close the descriptors alone, in the child of a fork."""
        for server in self.servers:
            server.abandon()
        self.servers.clear()


def check_address(host: str, port: int) -> None:
    """Raise for what is no host or no TCP port; port 0 lets the kernel choose."""
    if not isinstance(host, str):
        raise TypeError(f"host must be an address such as '127.0.0.1', not {type(host).__name__}")
    if not isinstance(port, int):
        raise TypeError(f"port must be an int from 0 to 65535, not {type(port).__name__}")
    if not 0 <= port <= 65535:
        raise ValueError(f"port must be from 0 to 65535, not {port}")
