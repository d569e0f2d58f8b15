# SPDX-License-Identifier: LGPL-3.0-or-later
"""A WebSocket of a client who has programs run: what he sends is translated for the programs' keeper, and back.

The keeper is connected to when the first message wants it. Nothing is stored here: while the client does not read, the
keeper is not read either, which then does not read the program; and after a time he is dropped.
"""

from __future__ import annotations

import asyncio
import select
from collections import deque
from time import monotonic
from typing import TYPE_CHECKING

from aiohttp import WSMsgType, web

from ... import errors, log
from ...board.undoing import do_all
from ...wire.further import Dialect, joined
from ...wire.runs import BODY_MAX, TOLD, Data, Message, Reader

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from aiohttp import WSMessage

    from ..sessions.sessions import Session

    Connect = Callable[[Session], socket.socket]

MESSAGE_MAX = BODY_MAX
"""Bytes of a message of a client's."""
READ_BYTES = 1 << 16
LARGE = 1 << 15
"""What is longer takes turns."""
STALL_S = 30.0
"""So long may a client take nothing at all of what is sent to him."""
PIECES_S = 0.004
"""So long is waited for the rest of a line."""
LOOK_S = 1.0
"""So often it is looked whether a client who is not read is there still."""
RDHUP = 0x2000
"""Source: poll(2), POLLRDHUP."""
CLOSE_S = 2.0
"""So long is waited for a client's answer to a close."""
NORMAL, GOING_AWAY, POLICY, FAILED = 1000, 1001, 1008, 1011
"""Source: RFC 6455, 7.4.1."""
ENDED = "this session is over: its token was revoked, or what runs programs here has ended"


def said_of(error: Exception) -> str:
    """An error for people, with what to do."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    hint = getattr(error, "hint", "")
    return f"{text} ({hint})" if hint else text


class Patience:
    """Around what is sent: who takes nothing of it for some time is dropped."""

    def __init__(self, drop: Callable[[], object], most_s: float = STALL_S) -> None:
        self._drop, self._most_s = drop, most_s
        self._timers: list[asyncio.TimerHandle] = []

    def __enter__(self) -> None:
        self._timers.append(asyncio.get_running_loop().call_later(self._most_s, self._drop))

    def __exit__(self, *exc: object) -> None:
        self._timers.pop().cancel()


class Turns:
    """What is large is sent one after the other, each in a turn of the loop of its own: pictures come to all who look
    at the same time, and edges of lines have to get in between.
    """

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._is_taken = False

    async def take(self) -> None:
        """Wait for a turn in which nobody else sends what is large."""
        loop = asyncio.get_running_loop()
        if self._is_taken:
            waiting: asyncio.Future[None] = loop.create_future()
            self._waiting.append(waiting)
            try:
                await waiting
            except asyncio.CancelledError:
                if not waiting.cancelled():  # it was its turn already
                    self._next()
                raise
        self._is_taken = True
        loop.call_soon(self._next)

    def _next(self) -> None:
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():  # else who has waited has gone
                waiting.set_result(None)
                return
        self._is_taken = False


def has_gone(transport: asyncio.Transport | None) -> bool:
    """Whether a client has closed the connection, or is lost; also while he is not read."""
    if transport is None or transport.is_closing():
        return True
    poll = select.poll()
    poll.register(transport.get_extra_info("socket").fileno(), RDHUP)
    return bool(poll.poll(0))


TURNS = Turns()


class Keeper:
    """A connection to the programs' keeper, for a session, whose end is the end of it."""

    def __init__(self, session: Session, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._frames = Reader(TOLD)
        self._session, self._end_there = session, session.on_end

    @classmethod
    async def connect(cls, connect: Connect, session: Session) -> Keeper:
        """Connect. Raises GPIOError or OSError, which says why that cannot be."""
        made = connect(session)
        try:
            return cls(session, *await asyncio.open_unix_connection(sock=made, limit=READ_BYTES))
        except BaseException:
            made.close()
            raise

    def also(self, end: Callable[[], object]) -> None:
        """Have that done, too, when the session ends."""
        self._session.on_end = lambda: do_all(self._end_there, end)

    async def ask(self, frames: bytes, client: asyncio.Transport | None) -> None:
        """Send; a program that does not read has its client wait. Raises OSError where one of them has gone."""
        self._writer.write(frames)
        if not self._writer.transport.get_write_buffer_size():
            return
        waiting = asyncio.ensure_future(self._writer.drain())
        try:
            while not (await asyncio.wait({waiting}, timeout=LOOK_S))[0]:
                _check_there(client)  # of a client who is not read, nothing else is heard
        finally:
            waiting.cancel()
        await waiting

    async def hear(self) -> list[Message | Data]:
        """Return what it tells next; nothing when it has gone. Raises ProtocolError, OSError."""
        found: list[Message | Data] = []
        while not found:
            data = await self._reader.read(READ_BYTES)
            if not data:
                break
            found += map(_sound, self._frames.feed(data))
        return found

    async def hear_on(
        self, found: list[Message | Data], is_begun: Callable[[Sequence[Message | Data]], bool]
    ) -> None:
        """Wait a moment for the rest of what was begun."""
        end_s = monotonic() + PIECES_S
        while is_begun(found) and (left_s := end_s - monotonic()) > 0:
            try:
                more = await asyncio.wait_for(self.hear(), left_s)
            except (TimeoutError, asyncio.TimeoutError):  # which are two classes before Python 3.11
                break
            if not more:
                break
            found += more

    def close(self) -> None:
        """Close the connection, which ends what it has started. Twice is fine."""
        self._writer.transport.abort()
        self._session.on_end = self._end_there


def _check_there(client: asyncio.Transport | None) -> None:
    if has_gone(client):
        raise ConnectionResetError("the client has gone")


def _sound(found: Message | Data | errors.ProtocolError) -> Message | Data:
    if isinstance(found, errors.ProtocolError):
        raise found
    return found


class Socket:
    """A client's. *last* is the id of the program with which it ends; "" for none."""

    def __init__(self, session: Session, dialect: Dialect, connect: Connect, last: str = "") -> None:
        self._session, self._dialect, self._connect, self._last = session, dialect, connect, last
        self._keeper: Keeper | None = None
        self._telling: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[object] | None = None
        self._transport: asyncio.Transport | None = None
        self._patience = Patience(self._drop)
        self._ws = web.WebSocketResponse(
            timeout=CLOSE_S, protocols=("rpio",), compress=False, max_msg_size=MESSAGE_MAX
        )

    async def serve(self, request: web.Request, first: str = "") -> web.WebSocketResponse:
        """Serve it until it ends; *first* is as if the client had begun with it."""
        self._session.on_end = self._has_ended
        try:
            await self._ws.prepare(request)
            self._transport = request.transport
            if self._session.is_over:
                self.close(POLICY, ENDED)
            if first:
                await self._hear(first)
            async for message in self._ws:
                await self._take(message)
            if self._closing is not None:  # who returns first has it closed with another code
                await asyncio.wait([self._closing])
        except OSError as e:  # the client has gone, in the middle of something
            log.debug("- %s: %s", self._session.owner.name, e)
        finally:
            self._finish()
        return self._ws

    async def _take(self, message: WSMessage) -> None:
        if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
            await self._hear(message.data)

    async def _hear(self, text: object) -> None:
        turn = self._dialect.hear(text)
        for answer in turn.down:
            await self._say(answer)
        if turn.up:
            await self._ask(turn.up)

    async def _ask(self, frames: bytes) -> None:
        if self._keeper is None:
            try:
                self._keeper = await Keeper.connect(self._connect, self._session)
            except (OSError, errors.GPIOError) as e:
                await self._say(self._dialect.failed(said_of(e)))
                return
            self._keeper.also(self._has_ended)
            self._telling = asyncio.get_running_loop().create_task(self._tell(self._keeper))
        await self._keeper.ask(frames, self._transport)

    async def _say(self, text: str) -> None:
        if len(text) > LARGE:
            await TURNS.take()
        with self._patience:
            await self._ws.send_str(text)

    async def _tell(self, keeper: Keeper) -> None:
        """Tell the client what the keeper tells, until one of them has gone."""
        code, why = FAILED, "what runs programs here has ended"
        try:
            while found := await keeper.hear():
                await keeper.hear_on(found, self._dialect.is_begun)
                for said in joined(found):
                    for text in self._dialect.tell(said):
                        await self._say(text)
                if self._last and any(map(self._is_last, found)):
                    code, why = NORMAL, ""
                    break
        except (OSError, errors.ProtocolError) as e:
            log.debug("- %s: %s", self._session.owner.name, e)
        except Exception:
            log.callback_failed(self._tell)
        self.close(code, why)

    def _is_last(self, found: Message | Data) -> bool:
        if not isinstance(found, Message) or found.process != self._last:
            return False
        return found.type == "stopped" or (found.type == "error" and found.data.get("about") == "start")

    def _drop(self) -> None:
        """The client takes nothing."""
        log.warning("%s has taken nothing for %g s, and is dropped", self._session.owner.name, STALL_S)
        if self._transport is not None:
            self._transport.abort()
        if self._keeper is not None:
            self._keeper.close()

    def _has_ended(self) -> None:
        """The session is over, by somebody else."""
        if self._transport is not None:  # else it is looked at when there is one
            self.close(POLICY, ENDED)

    def close(self, code: int = GOING_AWAY, why: str = "the daemon ends") -> asyncio.Task[object]:
        """Say good-bye to the client. Twice is fine."""
        if self._keeper is not None:
            self._keeper.close()
        if self._closing is None:
            good_bye = self._ws.close(code=code, message=why.encode())
            self._closing = asyncio.get_running_loop().create_task(good_bye)
        return self._closing

    def _finish(self) -> None:
        telling, keeper = self._telling, self._keeper
        if keeper is None:
            self._session.on_end = lambda: None
        if telling is not None and telling is not asyncio.current_task():
            telling.cancel()
        do_all(*([keeper.close] if keeper is not None else []), self._session.end)
