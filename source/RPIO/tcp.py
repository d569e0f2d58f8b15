# SPDX-License-Identifier: LGPL-3.0-or-later
"""TCP callbacks: a port whose clients talk to a Python function.

What one receive delivers is one message, stripped of white space at its ends; a blank one, and an end of
stream, close the connection. There is no framing, no greeting and no authentication: see doc/tcp.

A client can be slow, silent or dead without anybody else noticing. Sending never blocks: what the kernel
does not take at once waits in a buffer of the client, and while anything waits there the client is not read
any more, so that one who sends without reading only stops himself. A client whose buffer is full, or whose
host has gone, is closed.

Source: the documentation of RPIO 0.10, "TCP Socket Interrupts".
"""

from __future__ import annotations

import errno
import os
import socket
from _thread import RLock

from . import log, threads
from .callbacks import Worker, run_callback
from .dispatcher import ERROR, HANGUP, READ, WRITE, Dispatcher
from .tcp_client import Message, TcpClient

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .tcp_client import Callback

    Socket = socket.socket
else:
    # The loop watches it; where a program has put others in its place, greenlets wait for those.
    Socket = threads.original("socket", "socket")

MESSAGE_BYTES = 1024
"""What one receive takes at most, as in the original."""
MAX_CLIENTS = 1024
"""Connections of one port; one more is closed at once."""
ACCEPTS_PER_TURN = 64
BACKLOG = 128
KEEPALIVE_IDLE_S, KEEPALIVE_INTERVAL_S, KEEPALIVE_PROBES = 60, 10, 3
SEND_TIMEOUT_MS = 60_000
"""TCP_USER_TIMEOUT: how long data may stay unacknowledged before the client counts as dead."""
WHITE_SPACE = " \t\n\r\x0b\x0c"


class Connection(TcpClient, Socket):
    """A TcpClient, as a socket."""


class TcpServer:
    """A listening port on a Dispatcher."""

    def __init__(
        self, dispatcher: Dispatcher, port: int, callback: Callback, threaded: bool, host: str = "0.0.0.0"
    ) -> None:
        self._dispatcher = dispatcher
        self.callback = callback
        self.worker = Worker(callback, f"RPIO port {port}", self._resume) if threaded else None
        self.clients: dict[int, TcpClient] = {}
        self._changing = RLock()  # over clients, their registrations, and _closed
        self._closed = False
        self._listener = self._listen(host, port)
        self.port: int = self._listener.getsockname()[1]
        self._spare_fd = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        dispatcher.add(self._listener.fileno(), self._on_listener)
        log.debug("Socket server started at port %s and callback added.", self.port)

    @staticmethod
    def _listen(host: str, port: int) -> socket.socket:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = Socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, port))
            listener.listen(BACKLOG)
            listener.setblocking(False)
        except OSError as e:
            listener.close()
            raise explain_bind(e, host, port) from None
        except BaseException:
            listener.close()
            raise
        return listener

    # -- the loop's side -------------------------------------------------------------------------

    def _on_listener(self, events: int) -> None:
        for _ in range(ACCEPTS_PER_TURN):
            try:
                fd, address = _accept(self._listener)
            except BlockingIOError:
                return
            except OSError as e:
                if e.errno not in (errno.EMFILE, errno.ENFILE):
                    log.warning("port %s: a connection could not be accepted: %s", self.port, e)
                    return
                self._refuse_one(e)
                continue
            self._welcome(Socket(fileno=fd), address)

    def _refuse_one(self, error: OSError) -> None:
        """Out of descriptors: use the spare one to accept and close, or epoll would report it for ever."""
        log.warning("port %s: connection refused, %s", self.port, error.strerror)
        self._close_spare()
        try:
            os.close(_accept(self._listener)[0])
        except OSError as e:
            log.debug("- the refused connection has gone: %s", e)
        try:
            self._spare_fd = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as e:
            log.debug("- no spare descriptor: %s", e)  # another thread was faster

    def _close_spare(self) -> None:
        spare, self._spare_fd = self._spare_fd, -1
        if spare >= 0:
            os.close(spare)

    def _welcome(self, connection: socket.socket, address: object) -> None:
        if len(self.clients) >= MAX_CLIENTS:
            log.warning("port %s: %s refused, %s clients are connected", self.port, address, MAX_CLIENTS)
            connection.close()
            return
        connection.setblocking(False)
        for level, option, value in (
            (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
            (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
            (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE_S),
            (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S),
            (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEPALIVE_PROBES),
            (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SEND_TIMEOUT_MS),
        ):
            connection.setsockopt(level, option, value)
        client = Connection(connection.detach(), self)
        try:
            client.setblocking(False)
            fd = client.fileno()
            with self._changing:
                if self._closed:
                    client.discard()
                    return
                self._dispatcher.add(fd, lambda events: self._on_client(client, events))
                self.clients[fd] = client
        except BaseException:  # Ctrl+C too
            client.discard()
            raise
        log.debug("- connection from %s, fd %s", address, fd)

    def _on_client(self, client: TcpClient, events: int) -> None:
        try:
            if events & WRITE:
                client.flush()
            if events & (ERROR | HANGUP) and not events & READ:
                self.drop(client, "the peer has gone", discard=True)
            elif events & (READ | ERROR | HANGUP):
                self._receive(client)
        except OSError as e:
            self.drop(client, e.strerror or str(e), discard=True)

    def _receive(self, client: TcpClient) -> None:
        if self.worker is not None and self.worker.full:
            self._pause()
            return
        try:
            data = client.recv(MESSAGE_BYTES)
        except BlockingIOError:
            return
        if data.strip():
            text = client._decoder.decode(data).strip(WHITE_SPACE)
            if text:
                self._deliver(client, text)
            return
        rest = client._decoder.decode(b"", final=True)
        if rest:
            self._deliver(client, rest)
        self.drop(client, "a blank message" if data else "end of stream")

    def _deliver(self, client: TcpClient, text: str) -> None:
        if self.worker is None:
            run_callback(self.callback, client, Message(text))
        elif not self.worker.put(client, Message(text)):
            self.drop(client, "the port is closed")

    def _pause(self) -> None:
        """The threaded callback is behind: read nobody until it has caught up, so that nothing is lost."""
        log.debug("- port %s: the callback is behind, not reading", self.port)
        self._set_paused(True)
        if self.worker is None or not self.worker.full:
            self._resume()  # it caught up while the pause was being set

    def _set_paused(self, paused: bool) -> None:
        for client in list(self.clients.values()):
            client.paused = paused
            self.update(client)

    def _resume(self) -> None:
        """The worker's thread has emptied its queue by half."""
        self._set_paused(False)

    # -- the clients' side -----------------------------------------------------------------------

    def update(self, client: TcpClient) -> None:
        """Wait for what the client wants now."""
        fd = client.fileno()
        with self._changing:
            if self.clients.get(fd) is client:
                self._dispatcher.modify(fd, client.wanted)

    def forget(self, client: TcpClient) -> None:
        """Take the client out of the loop; its socket stays open."""
        fd = client.fileno()
        with self._changing:
            if fd >= 0 and self.clients.get(fd) is client:
                del self.clients[fd]
                self._dispatcher.remove(fd)

    def has(self, client: TcpClient) -> bool:
        """Whether the client is in the loop."""
        with self._changing:
            return self.clients.get(client.fileno()) is client

    def drop(self, client: TcpClient, reason: str, discard: bool = False) -> None:
        """Close the connection of one client; *discard* what waits to be sent to it."""
        log.debug("closing client socket fd %s: %s", client.fileno(), reason)
        if discard:
            client.discard()
        else:
            client.close()

    def close(self) -> None:
        """Close the port and every connection. Twice is fine."""
        with self._changing:
            self._closed = True
            if self._listener.fileno() >= 0:
                self._dispatcher.remove(self._listener.fileno())
                self._listener.close()
                self._close_spare()
            clients = list(self.clients.values())
        for client in clients:
            client.discard()
        if self.worker is not None:
            self.worker.close()

    def abandon(self) -> None:
        """Close the descriptors alone, in the child of a fork."""
        for client in list(self.clients.values()):
            Socket.close(client)
        self.clients.clear()
        self._listener.close()
        self._close_spare()


def _accept(listener: socket.socket) -> tuple[int, object]:
    """The descriptor of a new connection; accept() would make a socket of it, of whoever has replaced them."""
    return listener._accept()  # type: ignore[attr-defined, no-any-return]


def explain_bind(error: OSError, host: str, port: int) -> OSError:
    """The same error of bind(2), saying which port and what to do."""
    where = f"port {port} on {host}"
    advice = {
        errno.EADDRINUSE: f"{where} is in use already (see: ss -ltnp 'sport = :{port}')",
        errno.EACCES: f"{where} may not be opened: ports below 1024 are for root, choose a higher one",
        errno.EADDRNOTAVAIL: f"{host} is no address of this machine (see: ip address)",
    }
    number = error.errno if error.errno is not None else errno.EINVAL
    return type(error)(number, advice.get(number, f"{where}: {error.strerror or error}"))


def check_address(host: str, port: int) -> None:
    """Raise for what is no host or no TCP port; port 0 lets the kernel choose."""
    if not isinstance(host, str):
        raise TypeError(f"host must be an address such as '127.0.0.1', not {type(host).__name__}")
    if not isinstance(port, int):
        raise TypeError(f"port must be an int from 0 to 65535, not {type(port).__name__}")
    if not 0 <= port <= 65535:
        raise ValueError(f"port must be from 0 to 65535, not {port}")
