# SPDX-License-Identifier: LGPL-3.0-or-later
"""TCP callbacks: a port whose clients talk to a Python function.

What one receive delivers is one message, stripped of white space at its ends; a blank one, and an end of
stream, close the connection. There is no framing, no greeting and no authentication: see doc/tcp.

A client can be slow, silent or dead without anybody else noticing. Sending never blocks: what the kernel
does not take at once waits in a buffer of the client, and while anything waits there the client is not read
any more, so that one who sends without reading only stops himself. A client whose buffer is full, or whose
host has gone, is closed. How much clients may have, all together, is in tcp_limits.

The descriptors of a port are in an epoll of its own, which the loop watches as one. Each time the loop comes by, the
port handles one message: that of the client who was served longest ago. So clients take turns, edges come in between,
and a stop() leaves the messages that have not been read where they are, in the kernel. (Linux nests epolls five deep,
and this is the third: the loop's own still fits into another loop's, and that into one more.)

What may be interrupted by an exception of a signal handler stands in its book (Ports.servers, Guests.clients) first and
leaves it last, and each step in between may be done twice.

Source: the documentation of RPIO 0.10, "TCP Socket Interrupts".
"""

from __future__ import annotations

import socket
from collections import deque
from time import monotonic_ns

from .. import log
from ..processes import hooks
from .callbacks import run_callback
from .dispatcher import Dispatcher
from .kernel import gathering
from .masks import ERROR, HANGUP, READ, WRITE
from .tcp_client import MSG_DONTWAIT, Message, TcpClient
from .tcp_guests import Guests
from .tcp_limits import MESSAGE_BYTES, READY_AT_ONCE, RETRY_S
from .tcp_listener import Listener, Socket
from .tcp_options import OPTIONS
from .tcp_turns import Turns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .._gpio import Timer
    from .tcp_client import Callback

WHITE_SPACE = " \t\n\r\x0b\x0c"


class Connection(TcpClient, Socket):
    """A TcpClient, as a socket."""


class TcpServer:
    """A listening port on a Dispatcher; open() opens it.

    *make_room* says whether there is room for one more client.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        port: int,
        callback: Callback,
        threaded: bool,
        make_room: Callable[[], bool],
    ) -> None:
        self._dispatcher = dispatcher
        self.port = port
        self._callback = callback
        self._make_room = make_room
        self._guests = Guests(callback, self._accept_again)
        self.clients = self._guests.clients
        self._changing = self._guests.lock
        self.worker = Turns(callback, f"RPIO port {port}", self._guests) if threaded else None
        self._listener: Listener | None = None
        self._timer: Timer | None = None
        self._timer_runs = False
        self._ready: deque[tuple[TcpClient, int]] = deque()  # by turns; with the events of the last look
        self._turn = 0
        self._log = log.Sparing()

    @property
    def is_closed(self) -> bool:
        """Whether close() was called."""
        return self._guests.is_closed

    def open(self, host: str) -> None:
        """Listen. Where that fails, close() closes what is open already.

        Raises:
            OSError: the port is in use or not allowed, the address is not this machine's; no descriptor is left.
        """
        from .._gpio import Timer

        with self._changing:
            with hooks.making:
                self._guests.epoll = epoll = gathering()
            self._timer = timer = Timer()  # now, for it is wanted when there is no descriptor left
            self._listener = listener = Listener(epoll, host, self.port)
            self.port = listener.open()
            epoll.register(timer.fileno(), READ)
            self._dispatcher.add(epoll.fileno(), self._on_ready, READ, lambda: self.is_closed)
        log.debug("Socket server started at port %s and callback added.", self.port)

    # -- the loop's side -------------------------------------------------------------------------

    def _on_ready(self, events: int) -> None:
        if not self._ready:
            self._look()
        while self._ready:
            client, what = self._ready.popleft()
            if self._guests.are(client):
                self._turn += 1
                client.turn = self._turn
                self._on_client(client, what)
                return

    def _known(self, found: dict[int, int]) -> list[tuple[TcpClient, int]]:
        return [(self.clients[fd], what) for fd, what in found.items() if fd in self.clients]

    def _look(self) -> None:
        """See who is ready, and welcome those who are new."""
        with self._changing:
            listener, timer = self._listener, self._timer
            if self._guests.is_closed or self._guests.epoll is None or timer is None or listener is None:
                return
            found = dict(self._guests.epoll.poll(0, READY_AT_ONCE))
            is_over = found.pop(timer.fileno(), 0)
            has_new = found.pop(listener.fileno(), 0)
            here = self._known(found)
        self._ready.extend(sorted(here, key=lambda pair: pair[0].turn))
        if is_over:
            self._on_timer()
        if has_new:
            self._accept(listener)

    def _accept(self, listener: Listener) -> None:
        try:
            for address, failure in listener.accept(self._take):
                try:
                    if failure is not None:
                        raise failure
                    self._welcome(address)
                except Exception as e:  # whatever it is, the others are served
                    self._warn("welcome", "port %s: %s could not be served: %r", self.port, address, e)
                if self._guests.is_closed:
                    return
        except OSError as e:
            self._rest(listener, e)

    def _rest(self, listener: Listener, error: OSError) -> None:
        """Accept nobody until a client leaves, or for RETRY_S: no descriptor or no memory is left for the next one."""
        with self._changing:
            if self._guests.is_closed:
                return
            listener.rest()
        self._wake_later()
        self._warn(
            "accept", "port %s: those who connect have to wait, %s", self.port, error.strerror or error
        )

    def _accept_again(self) -> None:
        if self._listener is not None:
            self._listener.go_on()

    def _wake_later(self) -> None:
        with self._changing:
            if self._timer is not None and not self._guests.is_closed and not self._timer_runs:
                self._timer.start(RETRY_S)
                self._timer_runs = True  # who begins it again before it is over puts it off, perhaps for ever

    def _on_timer(self) -> None:
        """Try again what did not go, and say what has not been said."""
        with self._changing:
            self._timer_runs = False
            if self._timer is not None:
                self._timer.over()
            self._accept_again()
        threads_lack = self.worker is not None and not self._go_on(self.worker)
        if self._log.tell() or threads_lack:
            self._wake_later()

    def _warn(self, kind: str, message: str, *args: object) -> None:
        if self._log.warning(kind, message, *args):
            self._wake_later()

    def _take(self, fd: int) -> None:
        self._guests.arriving = Connection(fd, self._guests)

    def _welcome(self, address: object) -> None:
        client = self._guests.arriving
        assert client is not None
        try:
            if not self._make_room():
                self._warn(
                    "full", "port %s: %s refused, all who are connected have spoken", self.port, address
                )
                client.discard()
                return
            client.setblocking(False)
            for level, option, value in OPTIONS:
                client.setsockopt(level, option, value)
            client.came_ns = monotonic_ns()
            self._guests.take_in(client)
        except BaseException:  # Ctrl+C too
            client.discard()
            raise
        log.debug("- connection from %s, fd %s", address, client.number)

    def turn_out(self, client: TcpClient) -> bool:
        """Close a client that has never spoken, to make room; False where it has just done so."""
        try:
            with self._changing:
                if client.recv(1, socket.MSG_PEEK | MSG_DONTWAIT):
                    return False
        except OSError:
            pass  # BlockingIOError: it is silent; any other: it has gone
        self._warn("silent", "port %s: a client that never spoke is closed, others want its place", self.port)
        self._guests.drop(client, "others want its place", discard=True)
        return True

    def crowd(self) -> int:
        """How many clients are connected; those that have gone, and left messages for a threaded callback, too."""
        waiting = self.worker.waiting() if self.worker is not None else []
        return len(self.clients) + sum(not self._guests.are(client) for client in waiting)

    def _on_client(self, client: TcpClient, events: int) -> None:
        try:
            if events & WRITE:
                client.flush()
            if events & (ERROR | HANGUP) and not events & READ:
                self._guests.drop(client, "the peer has gone", discard=True)
            elif events & READ and client.wanted & READ:  # not, where that has changed since the look
                self._receive(client)
        except OSError as e:
            self._guests.drop(client, e.strerror or str(e), discard=True)
        except Exception as e:
            self._warn("serve", "port %s: a client could not be served, and is closed: %r", self.port, e)
            self._guests.drop(client, repr(e), discard=True)

    def _receive(self, client: TcpClient) -> None:
        with self._changing:  # nobody closes it in between, and its number is not another's
            if not self._guests.are(client):
                return
            try:
                data = client.recv(MESSAGE_BYTES, MSG_DONTWAIT)
            except BlockingIOError:
                return
        if data.strip():
            text = client.decoder.decode(data).strip(WHITE_SPACE)
            if text:
                self._deliver(client, text)
            return
        rest = client.decoder.decode(b"", final=True)
        if rest:
            self._deliver(client, rest)
        reason = "a blank message" if data else "end of stream"
        if self.worker is None or not self.worker.leave(client, reason):
            self._guests.drop(client, reason)

    def _deliver(self, client: TcpClient, text: str) -> None:
        client.has_spoken = True
        if self.worker is None:
            run_callback(self._callback, client, Message(text))
        elif not self.worker.put(client, Message(text)):
            self._no_thread()

    def _go_on(self, worker: Turns) -> bool:
        gone_on = worker.go_on()
        if not gone_on:
            self._no_thread()
        return gone_on

    def _no_thread(self) -> None:
        self._warn("thread", "port %s: no thread can be started for its callback, messages wait", self.port)
        self._wake_later()

    def close(self) -> None:
        """Close the port and every connection. May be interrupted, and is done again then; twice is fine."""
        with self._changing:
            self._guests.is_closed = True
            self._leave_loop()
            for client in list(self.clients.values()):
                client.discard()
            self._close_own()
        if self.worker is not None:
            self.worker.close()

    def _leave_loop(self) -> None:
        epoll = self._guests.epoll
        if epoll is None or epoll.closed or not self._dispatcher.has(epoll.fileno()):
            return
        try:
            self._dispatcher.remove(epoll.fileno())
        except FileNotFoundError:
            return  # what was to add it, or has removed it, was interrupted

    def _close_own(self) -> None:
        for own in (self._listener, self._timer, self._guests.epoll):
            if own is not None:
                own.close()

    def abandon(self) -> None:
        """Close the descriptors alone, in the child of a fork."""
        self._guests.abandon()
        self._close_own()
