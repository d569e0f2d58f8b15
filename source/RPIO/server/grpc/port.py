# SPDX-License-Identifier: LGPL-3.0-or-later
"""gRPC by grpclib: a port, its connections, and what the methods of services have to do with both.

A service is a table of methods, each an asynchronous function from a Call and its message to an answer, and knows
nothing of grpclib. What an error is in gRPC is said here.
"""

from __future__ import annotations

import asyncio
import logging
import ssl as tls
from types import coroutine

from google.protobuf.message import DecodeError
from grpclib import const, server
from grpclib.const import Status
from grpclib.exceptions import GRPCError
from grpclib.health.service import Health
from grpclib.metadata import encode_grpc_message
from grpclib.protocol import H2Protocol
from grpclib.reflection.service import ServerReflection
from h2.exceptions import StreamClosedError

from ... import log
from ...loop.corked import Corked, remember_few
from ...loop.tcp_listener import explain_bind
from ...loop.tcp_options import is_of_this_machine, set_options
from ...machine.network import plain
from ..outside.arrivals import Arrivals
from ..settings import beyond
from .errors import is_told, told

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Mapping
    from typing import Any

    from ..sessions.sessions import Session

MESSAGE_MAX = 1 << 20
"""Bytes of a message: a transfer has at most 42 times 8192."""
CONTENT_TYPE = "application/grpc"
HEADERS = ((":status", "200"), ("content-type", f"{CONTENT_TYPE}+proto"))
UNITS_S = {"H": 3600, "M": 60, "S": 1, "m": 1e-3, "u": 1e-6, "n": 1e-9}
"""Of grpc-timeout. Source: grpc.io, "gRPC over HTTP2"."""
CONNECTIONS_MAX = 256
"""Far fewer than there may be sessions, and descriptors: whoever comes by another way finds room."""
BACKLOG = 128
FIRST_S = 20.0
"""So long has a connection by TLS to show who it is."""


class Call:
    """What a method is told of the call beside its message. *connection* is one object as long as that lasts."""

    __slots__ = ("connection", "metadata", "trailing")

    def __init__(self, connection: Connection, metadata: Mapping[str, object]) -> None:
        self.connection, self.metadata = connection, metadata
        self.trailing: dict[str, str] = {}
        """What is said in the trailing metadata."""

    def said(self, key: str) -> str:
        """The value of a key of its metadata; "" without one."""
        value = self.metadata.get(key, "")
        return value if isinstance(value, str) else ""


class Method:
    """A method: its path, the classes of its messages, and what does it."""

    __slots__ = ("act", "is_streamed", "path", "reply", "request")

    def __init__(
        self,
        path: str,
        request: Any,
        reply: Any,
        act: Callable[[Call, Any], Awaitable[Any]] | Callable[[Call, Any], AsyncIterator[Any]],
        is_streamed: bool = False,
    ) -> None:
        self.path, self.request, self.reply, self.act = path, request, reply, act
        self.is_streamed = is_streamed
        """Many answers: *act* is an asynchronous generator, whose first is None when it has begun."""


class Connection(server.Handler):
    """One connection. ``on_lost`` has what is to be done when it is closed, by whichever side.

    Our methods are served here, between grpclib's streams of bytes and what they do: its own way from the one to the
    other costs as much as all the rest of a call. Health and reflection go that way.
    """

    def __init__(self, port: GrpcPort) -> None:
        super().__init__(port.others, port.codec, None, port.__dispatch__)
        self._port = port
        self.peer = "somebody"
        self.address = ""
        """Where he is; "" where that is no address."""
        self.certificate = b""
        """What he has shown in the handshake, in DER."""
        self.is_open = True
        """What is open is open to him."""
        self.is_known = False
        """He has begun a session."""
        self.flush: Callable[[], object] = int
        """Sends what waits to be sent."""
        self.on_lost: list[Callable[[], object]] = []
        self._begun: list[tuple[Any, Coroutine[Any, Any, None]]] = []

    def accept(self, stream: Any, headers: Any, release_stream: Any) -> None:
        """Take a call, whose messages have a limit."""
        said = dict(headers)
        method = self._port.methods.get(said.get(":path", ""))
        if method is None and self._port.is_guarded and not self.is_known:
            self.mapping = {}  # what there is, strangers are not told
        if method is None or not said.get("content-type", "").startswith(CONTENT_TYPE):
            stream.recv_data = _bounded(stream.recv_data)
            super().accept(stream, headers, release_stream)
            return
        self.__gc_step__()
        self._begun.append((stream, self._serve(method, stream, said, release_stream)))

    def admit(self, session: Session) -> None:
        """Give a session of his the rights of where he is, and of his certificate. Raises NotAllowedError."""
        if self._port.is_guarded:
            self.is_open = beyond.admit(session, self.address)
        beyond.grant(session, self.certificate, "", self.is_open)

    def refused(self, why: str) -> None:
        """He has not shown who he is."""
        self._port.note(self.address or "somebody", why)

    def cancel(self, stream: Any) -> None:
        """The client has given a call up: what has not begun finds that its stream is closed."""
        if stream in self._tasks:
            super().cancel(stream)

    def go_on(self) -> None:
        """Begin what calls have come: with all that has come of them, most are done at once, and need no task."""
        begun, self._begun = self._begun, []
        for stream, serving in begun:
            try:
                waiting = serving.send(None)
            except StopIteration:
                continue
            self._tasks[stream] = self.loop.create_task(_go_on(serving, waiting))

    def close(self) -> None:
        """It is lost, or is to be closed. Twice is fine."""
        super().close()
        begun, self._begun = self._begun, []
        for _, serving in begun:
            serving.close()
        self._port.lost(self)
        waiting, self.on_lost = self.on_lost, []
        for act in waiting:
            act()

    async def _serve(self, method: Method, stream: Any, said: dict[str, str], release_stream: Any) -> None:
        """Carry out a call, and answer it, unless it is over or its client gone."""
        answering = _Answering(stream)
        deadline = _Deadline(said.get("grpc-timeout", ""), lambda: self._cancel_call(stream))
        call = Call(self, said)
        try:
            request = await _received(stream, method)
            if method.is_streamed:
                await self._stream(method, call, request, answering)
            else:
                await answering.send(await method.act(call, request))  # type: ignore[misc]
            await answering.end(Status.OK, "", call.trailing)
        except asyncio.CancelledError:
            if not deadline.is_over:
                raise
            await answering.end(Status.DEADLINE_EXCEEDED, "the deadline of the call is over", {})
        except StreamClosedError:
            pass  # the client has closed it
        except Exception as e:
            if not self.closing:
                await answering.fail(e, method)
        finally:
            deadline.end()
            release_stream()
            self.flush()

    def _cancel_call(self, stream: Any) -> None:
        task = self._tasks.get(stream)
        if task is not None:
            task.cancel()

    async def _stream(self, method: Method, call: Call, request: Any, answering: _Answering) -> None:
        answers: Any = method.act(call, request)
        try:
            async for reply in answers:
                await (answering.begin() if reply is None else answering.send(reply))
        finally:
            await answers.aclose()


async def _go_on(serving: Coroutine[Any, Any, None], waiting: Any) -> None:
    """Go on, as a task, with what has been begun, and waits for that."""
    await _steps(serving, waiting)


@coroutine
def _steps(serving: Coroutine[Any, Any, None], waiting: Any) -> Generator[Any, Any, None]:
    """What it waits for, again and again."""
    try:
        while True:
            try:
                value = yield waiting
            except BaseException as e:
                waiting = serving.throw(e)
            else:
                waiting = serving.send(value)
    except StopIteration:
        return


class _Answering:
    """What is said on the stream of a call."""

    __slots__ = ("_has_begun", "_stream")

    def __init__(self, stream: Any) -> None:
        self._stream, self._has_begun = stream, False

    async def begin(self) -> None:
        """Send the initial metadata."""
        if not self._has_begun:
            self._has_begun = True
            await self._stream.send_headers(HEADERS)

    async def send(self, reply: Any) -> None:
        """Send a message."""
        await self.begin()
        data = reply.SerializeToString()
        await self._stream.send_data(b"\0" + len(data).to_bytes(4, "big") + data)

    async def end(self, status: Status, text: str, metadata: Mapping[str, str]) -> None:
        """Send the status, and trailing metadata."""
        headers = [] if self._has_begun else list(HEADERS)
        headers.append(("grpc-status", str(status.value)))
        if text:
            headers.append(("grpc-message", encode_grpc_message(text)))
        headers += metadata.items()
        try:
            await self._stream.send_headers(headers, end_stream=True)
            if self._stream.closable:  # the client has not ended it
                self._stream.reset_nowait()
        except StreamClosedError:
            return  # the client has

    async def fail(self, error: Exception, method: Method) -> None:
        """Tell of an error: its text and status, and in metadata its class, the system's number, and what to do."""
        if isinstance(error, GRPCError):
            await self.end(error.status, error.message or "", {})
            return
        if not is_told(error):
            log.callback_failed(method.act)
        await self.end(*told(error))


class _Deadline:
    """Has *cancel* called when the time of a call is over. *text* is grpc-timeout; "" for none."""

    __slots__ = ("_cancel", "_timer", "is_over")

    def __init__(self, text: str, cancel: Callable[[], object]) -> None:
        self.is_over = False
        self._cancel = cancel
        self._timer: asyncio.TimerHandle | None = None
        number, unit = text[:-1], UNITS_S.get(text[-1:])
        if unit is not None and number.isdigit() and len(number) <= 8:
            self._timer = asyncio.get_running_loop().call_later(int(number) * unit, self._is_due)

    def _is_due(self) -> None:
        self.is_over = True
        self._cancel()

    def end(self) -> None:
        """The call is done."""
        if self._timer is not None:
            self._timer.cancel()


def _bounded(receive: Callable[[int], Awaitable[bytes]]) -> Callable[[int], Awaitable[bytes]]:
    """What receives so many bytes, which are not too many."""

    async def bounded(size: int) -> bytes:
        """The same, bounded."""
        if size > MESSAGE_MAX:
            text = f"a message of {size} bytes; {MESSAGE_MAX} are the most"
            raise GRPCError(Status.RESOURCE_EXHAUSTED, text)
        return await receive(size)

    return bounded


async def _received(stream: Any, method: Method) -> Any:
    """The message of a call. Raises GRPCError for what is none."""
    receive = _bounded(stream.recv_data)
    try:
        head = await receive(5)
        if not head:
            raise GRPCError(Status.INVALID_ARGUMENT, "there is no message")
        if head[0]:
            raise GRPCError(Status.UNIMPLEMENTED, "messages are not to be compressed")
        size = int.from_bytes(head[1:], "big")
        return method.request.FromString(await receive(size) if size else b"")
    except (DecodeError, AssertionError):  # grpclib's, where the stream ends too early
        raise GRPCError(Status.INVALID_ARGUMENT, "that is no message of this method") from None


class _Named:
    """A name of a service, as grpclib's health and reflection ask for it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __mapping__(self) -> dict[str, None]:
        """What grpclib takes the name from."""
        return {f"/{self._name}/": None}


class GrpcPort(server.Server):
    """A port with services, and grpclib's health and reflection beside them. Where it *is_guarded* what is open is open
    to who comes from this machine, and others show a certificate or a token.
    """

    def __init__(self, methods: list[Method], is_guarded: bool = False) -> None:
        super().__init__([])
        self.is_guarded = is_guarded
        self.methods = {method.path: method for method in methods}
        self.codec = self._codec
        names = dict.fromkeys(method.path.split("/")[1] for method in methods)
        services: list[Any] = [_Named(name) for name in names]
        health = Health({service: [] for service in services})
        self.others: dict[str, const.Handler] = {}
        for other in ServerReflection.extend([*services, health]):
            if not isinstance(other, _Named):
                self.others.update(other.__mapping__())
        self._open: dict[Connection, None] = {}
        self.address = ("", 0)
        self._arrivals = Arrivals(self._protocol_factory, lambda: len(self._open), CONNECTIONS_MAX, "gRPC")
        self.note = self._arrivals.note
        """Somebody is refused, by his address, and why."""

    def _protocol_factory(self) -> H2Protocol:
        return _Link(Connection(self), self._config, self._h2_config, self._has_come)

    def _has_come(self, made: Connection) -> bool:
        """One has connected, and is through with the handshake; whether there is room for him."""
        self._open[made] = None
        return len(self._open) <= CONNECTIONS_MAX

    def lost(self, connection: Connection) -> None:
        """One is closed."""
        self._open.pop(connection, None)

    async def listen(self, address: str, port: int, ssl: tls.SSLContext | None = None) -> None:
        """Listen there; 0 lets the kernel choose the port. Raises OSError, which says what is wrong."""
        if ssl is not None:
            self.address = (address, await self._arrivals.listen(address, port, ssl))
            return
        try:
            await self.start(address, port, backlog=BACKLOG)
        except OSError as e:
            raise explain_bind(e, address, port) from None
        assert self._server is not None
        self.address = self._server.sockets[0].getsockname()[:2]  # type: ignore[attr-defined]

    def end(self) -> None:
        """Listen no more, and close all connections. Twice is fine."""
        self._arrivals.close()
        if self._server is not None:
            self.close()
        for made in list(self._open):
            made.close()


class _Link(H2Protocol):
    """grpclib's protocol, which knows who has connected; one too many is closed."""

    def __init__(
        self, made: Connection, config: Any, h2_config: Any, has_come: Callable[[Connection], bool]
    ) -> None:
        super().__init__(made, config, h2_config)
        self._made, self._has_come = made, has_come

    def data_received(self, data: bytes) -> None:
        """Something has come."""
        super().data_received(data)
        self._made.go_on()

    def connection_made(self, transport: Any) -> None:
        """Somebody has connected."""
        corked = Corked(transport)
        super().connection_made(corked)  # type: ignore[arg-type]
        remember_few(self)
        self._made.flush = corked.flush
        address = transport.get_extra_info("peername")
        if isinstance(address, tuple):
            if is_of_this_machine(plain(str(address[0]))):
                set_options(
                    transport.get_extra_info("socket")
                )  # the others are looked after by who lets them in
            self._made.address, self._made.peer = str(address[0]), f"{address[0]}:{address[1]}"
        tls = transport.get_extra_info("ssl_object")
        if tls is not None:
            self._made.certificate = tls.getpeercert(True) or b""
            silent = asyncio.get_running_loop().call_later(FIRST_S, self._too_late, transport)
            self._made.on_lost.append(silent.cancel)
        self._made.on_lost.append(corked.close)
        if not self._has_come(self._made):
            transport.abort()

    def _too_late(self, transport: Any) -> None:
        """He has had time to say who he is."""
        if not self._made.is_known:
            transport.abort()


def be_quiet() -> None:
    """Have grpclib not write down, with a traceback each, what strangers send that is no gRPC."""
    for name in ("grpclib.server", "grpclib.protocol"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
