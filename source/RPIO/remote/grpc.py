# SPDX-License-Identifier: LGPL-3.0-or-later
"""A connection of gRPC for threads: grpclib's, whose loop is run by whoever asks, for as long as his call lasts.

There is no thread in between that would have to be woken and waited for. Between calls nobody runs the loop; what has
come meanwhile is taken first.
"""

from __future__ import annotations

import asyncio
import os
from errno import ECONNREFUSED, EDEADLK, ETIMEDOUT
from select import select
from selectors import DefaultSelector
from time import monotonic

from google.protobuf.message import DecodeError
from grpclib import client
from grpclib.exceptions import StreamTerminatedError
from grpclib.metadata import decode_grpc_message
from grpclib.protocol import H2Protocol
from grpclib.utils import Wrapper
from h2.exceptions import H2Error

from .. import errors, threads
from ..loop.corked import Corked, remember_few
from ..loop.tcp_options import look_after, set_options
from ..processes import hooks

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl as tls
    from collections.abc import Awaitable, Callable, Mapping
    from typing import Any, TypeVar

    T = TypeVar("T")

RESTED_S = 0.2
"""After so long without a call it is looked whether the other side has closed the connection."""
SHUT_DOWN_S = 1.0
KNOWN_MAX = 64
"""Beginnings of requests that are kept."""


class Refused(Exception):
    """A call has failed: gRPC's status, its text, and its trailing metadata."""

    def __init__(self, status: int, text: str, metadata: Mapping[str, str]) -> None:
        super().__init__(text)
        self.status, self.text, self.metadata = status, text, metadata


UNKNOWN, UNIMPLEMENTED = 2, 12
"""Statuses of gRPC. Source: grpc.io, "Status codes and their use in gRPC"."""


class _Selector(DefaultSelector):
    """What asks the kernel only when there is nothing else to do: a call goes through the loop three times, and waits
    once.
    """

    is_to_look = False

    def select(self, timeout: float | None = None) -> Any:
        """What is ready."""
        if timeout is not None and timeout <= 0 and not self.is_to_look:
            return []
        return super().select(timeout)


class _Link(H2Protocol):
    """grpclib's protocol, which sends a request in one go."""

    def connection_made(self, transport: Any) -> None:
        """There is a connection."""
        made = transport.get_extra_info("socket")
        if made is not None:
            set_options(made)
            look_after(made)
        corked = Corked(transport)
        self.flush, self.abort = corked.flush, corked.abort
        super().connection_made(corked)  # type: ignore[arg-type]
        remember_few(self)


class Channel(client.Channel):
    """grpclib's, with such a protocol."""

    def _protocol_factory(self) -> H2Protocol:
        return _Link(client.Handler(), self._config, self._h2_config)

    def __del__(self) -> None:
        """Nothing: who ends without a close() has the kernel close it, as with any socket."""


class Caller:
    """Calls of one connection, one after the other. *ssl* is the context of TLS; None for none."""

    def __init__(self, host: str, port: int, ssl: tls.SSLContext | None = None) -> None:
        self.host, self.port = host, port
        self._ssl = ssl
        self._lock = threads.allocate_lock()
        self._caller = 0
        """The thread that has a call."""
        self._process = os.getpid()
        self._loop: asyncio.SelectorEventLoop | None = None
        self._channel: Any = None
        self._known: dict[tuple[object, ...], list[tuple[str, str]]] = {}
        self._left: list[object] = []  # of the parent of a fork: what it goes on using
        self._last_s = 0.0
        self.is_closed = False

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    # -- asking ----------------------------------------------------------------------------------

    def ask(
        self,
        path: str,
        request: Any,
        reply: Any,
        timeout_s: float,
        metadata: Mapping[str, str],
        only_on: object = None,
    ) -> tuple[Any, Mapping[str, str]]:
        """Call a method; return the answer, and the trailing metadata. *only_on*: on that connection() and no other.

        Raises:
            Refused: it has failed there. OSError: ECONNREFUSED where nobody listens, ETIMEDOUT after *timeout_s*.
            ConnectionLost: nobody can tell whether it has been done.
        """
        has_begun, used = False, None

        async def act(channel: Any) -> tuple[Any, Mapping[str, str]]:
            nonlocal has_begun, used
            used = channel
            if only_on is not None and not (channel._connected and channel._protocol is only_on):
                raise errors.ConnectionLost(
                    f"the connection to {self} was lost, and what was held by it", False
                )
            wrapper = Wrapper()
            timer = asyncio.get_running_loop().call_later(timeout_s, wrapper.cancel, asyncio.TimeoutError())
            with wrapper:
                try:
                    protocol = await channel.__connect__()
                    has_begun = True
                    return await _unary(
                        protocol, wrapper, self._headers(path, timeout_s, metadata), request, reply
                    )
                finally:
                    timer.cancel()

        try:
            return self.run(act)
        except (TimeoutError, asyncio.TimeoutError):
            self.drop(used)
            raise OSError(ETIMEDOUT, f"{self} has not answered within {timeout_s:g} s") from None
        except (StreamTerminatedError, H2Error, AssertionError, AttributeError) as e:
            self.drop(used)
            raise errors.ConnectionLost(f"the connection to {self} is lost: {e}", None) from None
        except ConnectionRefusedError:
            hint = "`rpio serve --smbus` serves there, at 50051 where nothing else is said"
            raise _with_hint(OSError(ECONNREFUSED, f"nobody listens at {self}"), hint) from None
        except errors.ConnectionLost:
            raise
        except OSError as e:
            if has_begun:
                self.drop(used)
                raise errors.ConnectionLost(f"the connection to {self} is lost: {e}", None) from None
            raise

    def _headers(self, path: str, timeout_s: float, metadata: Mapping[str, str]) -> list[tuple[str, str]]:
        """What a request begins with: the same text each time, which HTTP/2 sends as a few bytes."""
        key = path, timeout_s, *metadata.values()
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= KNOWN_MAX:
                self._known.clear()
            self._known[key] = found = [
                (":method", "POST"),
                (":scheme", "http" if self._ssl is None else "https"),
                (":path", path),
                (":authority", str(self)),
                ("grpc-timeout", f"{max(1, round(timeout_s * 1000))}m"),
                ("te", "trailers"),
                ("content-type", "application/grpc"),
                *metadata.items(),
            ]
        return found

    def connection(self) -> object:
        """What stands for the connection that there is; None for none."""
        return getattr(self._channel, "_protocol", None)

    def run(self, act: Callable[[Any], Awaitable[T]]) -> T:
        """Do something with the channel, in this thread; where that has an asyncio loop that runs, in another one."""
        if self._process != os.getpid():
            self._leave_to_parent()
        if self._caller == threads.get_ident():
            raise OSError(EDEADLK, f"a signal handler asks {self} in the middle of a call of its own thread")
        return self._where_no_loop_runs(lambda: self._run(act))

    def _run(self, act: Callable[[Any], Awaitable[T]]) -> T:
        with self._lock:
            try:
                self._caller = threads.get_ident()
                return self._run_alone(act)
            finally:
                self._caller = 0

    def _run_alone(self, act: Callable[[Any], Awaitable[T]]) -> T:
        loop = self._ready()
        now_s = monotonic()
        try:
            if now_s - self._last_s > RESTED_S:
                loop.run_until_complete(self._take_what_came())
            return loop.run_until_complete(act(self._channel))
        except Exception:
            raise
        except BaseException:  # of a signal handler: nobody goes on with what is half done
            self._end()
            raise
        finally:
            self._last_s = monotonic()

    def _ready(self) -> asyncio.SelectorEventLoop:
        if self.is_closed:
            raise ValueError(f"the connection to {self} is closed")
        if self._loop is None:
            hooks.look_after(self)
            with hooks.making:
                self._selector = _Selector()
                self._loop = asyncio.SelectorEventLoop(self._selector)
        if self._channel is None:
            self._loop.run_until_complete(self._make())
        return self._loop

    async def _make(self) -> None:
        self._channel = Channel(self.host, self.port, ssl=self._ssl)

    async def _take_what_came(self) -> None:
        """Have the loop read, so that a connection that the other side has closed is known to be so."""
        fd = self._fd()
        if fd is not None and select([fd], [], [], 0)[0]:
            self._selector.is_to_look = True
            for _ in range(3):
                await asyncio.sleep(0)
            self._selector.is_to_look = False

    def _fd(self) -> int | None:
        transport = self._transport()
        made = transport.get_extra_info("socket") if transport is not None else None
        fd = made.fileno() if made is not None else -1
        return fd if 0 <= fd < 1024 else None  # select()'s most

    def _transport(self) -> Any:
        """The one of the connection; None where there is none."""
        protocol = getattr(self._channel, "_protocol", None)
        connection = getattr(protocol, "connection", None)
        return getattr(connection, "_transport", None)

    def soon(self, act: Callable[[Any], Awaitable[object]]) -> bool:
        """Do something beside a call that runs now; whether one does. From another thread."""
        loop, channel = self._loop, self._channel
        if not self._caller or loop is None or channel is None:
            return False
        try:
            loop.call_soon_threadsafe(lambda: loop.create_task(_alone(act(channel))))
        except RuntimeError:
            return False  # it has ended just now
        return True

    # -- the end ---------------------------------------------------------------------------------

    def drop(self, channel: Any = None) -> None:
        """Have the next call make another connection. *channel*: unless another one has been made in its place."""
        self._where_no_loop_runs(lambda: self._drop_locked(channel))

    def _drop_locked(self, channel: Any) -> None:
        with self._lock:
            if channel is None or channel is self._channel:
                self._drop()

    def _where_no_loop_runs(self, act: Callable[[], T]) -> T:
        """Do it in this thread; where that has an asyncio loop that runs, in another one."""
        if threads.patched_by() or asyncio._get_running_loop() is not None:
            return _aside(act)
        return act()

    def _drop(self) -> None:
        channel, self._channel = self._channel, None
        loop = self._loop
        if channel is not None and loop is not None:
            loop.run_until_complete(_close(channel))

    def _end(self) -> None:
        """Close all of it."""
        loop, self._loop = self._loop, None
        channel, self._channel = self._channel, None
        if loop is None:
            return
        try:
            if channel is not None:
                loop.run_until_complete(_close(channel))
        finally:
            loop.close()

    def close(self) -> None:
        """Close the connection. Twice is fine."""
        self.is_closed = True
        if self._process != os.getpid():
            self._leave_to_parent()
        if self._caller == threads.get_ident():
            return  # of a signal handler: the call below ends it, when it asks again
        self._where_no_loop_runs(self._close)

    def _close(self) -> None:
        with self._lock:
            self._end()

    def after_fork(self) -> None:
        """In the child of a fork: see run()."""

    def shut_down(self) -> None:
        """The program ends: close it, unless another thread has a call that lasts."""
        if self._process == os.getpid() and self._lock.acquire(timeout=SHUT_DOWN_S):
            try:
                self._where_no_loop_runs(self._end)
            finally:
                self._lock.release()

    def _leave_to_parent(self) -> None:
        """In the child of a fork: the connection is the parent's, and the loop's epoll is shared with it, so nothing is
        unregistered there.
        """
        transport = self._transport()
        made = transport.get_extra_info("socket") if transport is not None else None
        self._left.append((self._loop, self._channel))
        self._loop = self._channel = None
        self._lock, self._caller = threads.allocate_lock(), 0
        self._process = os.getpid()
        real = getattr(made, "_sock", None)
        if real is not None:
            real.close()


async def _unary(
    protocol: Any, wrapper: Wrapper, headers: list[tuple[str, str]], request: Any, reply: Any
) -> tuple[Any, Mapping[str, str]]:
    """A call with one message each way, between grpclib's streams of bytes and messages: see server/grpc/port."""
    data = request.SerializeToString()
    processor = protocol.processor
    stream = processor.connection.create_stream(wrapper=wrapper)
    release = await stream.send_request(headers, _processor=processor)
    try:
        await stream.send_data(b"\0" + len(data).to_bytes(4, "big") + data, end_stream=True)
        protocol.flush()
        said = dict(await stream.recv_headers())
        answer = None
        if "grpc-status" not in said:
            _check_begin(said)
            head = await stream.recv_data(5)
            if head:
                answer = await stream.recv_data(int.from_bytes(head[1:], "big"))
            said = dict(await stream.recv_trailers())
        status = said.get("grpc-status", "2")
        if status != "0":
            number = int(status) if status.isdigit() and len(status) < 4 else UNKNOWN
            raise Refused(number, decode_grpc_message(said.get("grpc-message", "")), said)
        if answer is None:
            raise errors.ProtocolError("there is no message in an answer of gRPC")
        return reply.FromString(answer), said
    except DecodeError:
        raise errors.ProtocolError("an answer of gRPC is no message of that method") from None
    finally:
        if stream.closable:
            stream.reset_nowait()
        release()


def _check_begin(said: Mapping[str, str]) -> None:
    """Raise ProtocolError where that is no answer of gRPC's."""
    status, kind = said.get(":status"), said.get("content-type", "")
    if status != "200" or not kind.startswith("application/grpc"):
        raise errors.ProtocolError(f"no gRPC is spoken there: it answers with status {status}, {kind[:40]!r}")


async def _alone(act: Awaitable[object]) -> None:
    """Do it; what fails is left to the next one who asks."""
    try:
        await act
    except Exception:
        return


async def _close(channel: Any) -> None:
    """Close a channel, and let its tasks and its transport end."""
    mine = asyncio.current_task()
    left = [task for task in asyncio.all_tasks() if task is not mine]
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    protocol = channel._protocol
    channel.close()
    if protocol is not None:
        protocol.abort()  # TLS would wait for the other side's last word
    for _ in range(3):
        await asyncio.sleep(0)


def _aside(act: Callable[[], T]) -> T:
    """Call it in a thread of Python's own, and wait."""
    ended = threads.lock_of_program()
    ended.acquire()
    found: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        """What the thread does."""
        try:
            found.append(act())
        except BaseException as e:
            failed.append(e)
        finally:
            threads.at_home(ended.release)

    started = threads.start(run, "RPIO gRPC call")
    if threads.patched_by():
        started.join(1e6)
    else:
        ended.acquire()
    if failed:
        raise failed[0]
    return found[0]


def _with_hint(error: OSError, hint: str) -> OSError:
    """An error of the system's, with what to do."""
    error.hint = hint  # type: ignore[attr-defined]
    if hasattr(error, "add_note"):
        error.add_note(hint)
    return error
