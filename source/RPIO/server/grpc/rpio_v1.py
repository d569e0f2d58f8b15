# SPDX-License-Identifier: LGPL-3.0-or-later
"""rpio.v1, as wire/grpc/rpio_v1.proto has it: buses and lines for clients in any language.

Who calls is a session, as with RPIO's own protocol: one for each connection, and token that is shown there. What may be
done is asked of its rights, what is done at lines is done by the handlers of that protocol.
"""

from __future__ import annotations

from errno import EAGAIN, ECONNABORTED

from ... import constants, errors
from ...wire.bus_operations import HOLD_MAX_S, HOLD_WAIT_MAX_S
from ...wire.grpc import rpio_v1_pb2 as pb
from ...wire.native import Request
from ...wire.operations import OPERATIONS
from ...wire.smbus import (
    ADDRESS_MAX,
    BLOCK_MAX,
    BYTE,
    BYTE_DATA,
    I2C_BLOCK_DATA,
    M_RD,
    M_TEN,
    MESSAGE_MAX,
    MESSAGES_MAX,
    SIZES,
    WORD_DATA,
    Message,
    SmbusCall,
    check_call,
)
from ...wire.terms import LINES_MAX
from ..sessions.native import perform
from ..settings import beyond
from .port import Call, Method
from .waiting import Waiting, buses_of
from .watch import Feed, FeedWatch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from typing import Any, TypeVar

    from ...backends.buses import I2cBus
    from ..sessions.sessions import Session, Sessions
    from .port import Connection

    T = TypeVar("T")

HOLD_S = 10.0
BUS_MAX = 0xFFFFF
TEN_BIT_MAX = 0x3FF
PULLS = {pb.SetupRequest.OFF: "off", pb.SetupRequest.UP: "up", pb.SetupRequest.DOWN: "down"}
EDGES = {pb.WatchRequest.RISING: "rising", pb.WatchRequest.FALLING: "falling"}
HINT = "pair this machine with it (`rpio pair` there, and here), or show a token of `rpio token new`"
TOKENS_MAX = 16
"""Of one connection."""
VISITORS_MAX = 256
"""Of all: a part of the sessions that there may be, so that there is room for those who come by another way."""


def token_of(call: Call) -> str:
    """The token that a call shows; "" for none. Raises ValueError."""
    kind, _, token = call.said("authorization").partition(" ")
    if kind and kind.lower() != "bearer":
        raise ValueError("authorization is `Bearer` and a token of `rpio token new`")
    return token.strip()


def begin_session(sessions: Sessions, call: Call, kind: str, token: str = "", more: str = "") -> Session:
    """Begin one for a client of that kind; *more* is said of it. Who does not say who he is goes by his address.

    Raises:
        NotAllowedError: for a token or a certificate that is none, and for who shows neither where that is wanted.
        OSError: for one too many.
    """
    who, peer = call.said("rpio-client"), call.connection.peer
    program = (kind if who.strip() else f"{kind} client from {peer}") + more
    session = sessions.begin(peer)
    try:
        call.connection.admit(session)
        beyond.grant(session, b"", token, call.connection.is_open)
        if not session.rights and not call.connection.is_open:
            raise errors.NotAllowedError("this device is not open to whom it does not know", hint=HINT)
        call.connection.is_known = True
        session.introduce(who.strip(), program, 0.0)
    except BaseException as e:
        session.end()
        if isinstance(e, errors.NotAllowedError):
            call.connection.refused(str(e))
        raise
    return session


class Visitor:
    """A session, and what ends with it."""

    __slots__ = ("feeds", "session", "waiting")

    def __init__(self, session: Session) -> None:
        self.session, self.waiting = session, Waiting()
        self.feeds: dict[Feed, None] = {}

        def end() -> None:
            """The session is over."""
            self.waiting.end()
            for feed in list(self.feeds):
                feed.end("the session is over")

        session.on_end = end


class RpioV1:
    """The services Board, I2c and Gpio."""

    def __init__(self, sessions: Sessions, version: str) -> None:
        self._sessions, self._version = sessions, version
        self._visitors: dict[Connection, dict[str, Visitor]] = {}

    def methods(self) -> list[Method]:
        """What it serves."""
        found = [
            Method("/rpio.v1.Board/Info", pb.InfoRequest, pb.InfoReply, self._info),
            Method("/rpio.v1.I2c/Buses", pb.BusesRequest, pb.BusesReply, self._list_buses),
            Method("/rpio.v1.I2c/Functions", pb.BusRequest, pb.FunctionsReply, self._functions),
            Method("/rpio.v1.I2c/Smbus", pb.SmbusRequest, pb.DataReply, self._smbus),
            Method("/rpio.v1.I2c/Transfer", pb.TransferRequest, pb.TransferReply, self._transfer),
            Method("/rpio.v1.I2c/Hold", pb.HoldRequest, pb.HoldReply, self._hold),
            Method("/rpio.v1.I2c/Release", pb.BusRequest, pb.ReleaseBusReply, self._let_go),
            Method("/rpio.v1.Gpio/Setup", pb.SetupRequest, pb.SetupReply, self._setup),
            Method("/rpio.v1.Gpio/Read", pb.LinesRequest, pb.ReadReply, self._read),
            Method("/rpio.v1.Gpio/Write", pb.WriteLinesRequest, pb.WriteLinesReply, self._write),
            Method("/rpio.v1.Gpio/Release", pb.LinesRequest, pb.ReleaseReply, self._release),
            Method("/rpio.v1.Gpio/Watch", pb.WatchRequest, pb.Edge, self._watch, True),
        ]
        for name, (request, reply, make, answer) in NAMED.items():
            act = self._named(name, make, answer)
            found.append(Method(f"/rpio.v1.I2c/{name}", request, reply, act))
        return found

    # -- who calls -------------------------------------------------------------------------------

    def _visitor(self, call: Call) -> Visitor:
        """Who calls: the one who was here before on that connection with that token, or a new one."""
        connection, token = call.connection, token_of(call)
        known = self._visitors.get(connection)
        if known is None:
            if connection.closing:
                raise OSError(ECONNABORTED, "the connection is closed")
            self._visitors[connection] = known = {}
            connection.on_lost.append(lambda: self._lost(connection))
        visitor = known.get(token)
        if visitor is not None and not visitor.session.is_over:
            return visitor
        if len(known) >= TOKENS_MAX:
            raise ValueError(f"{TOKENS_MAX} tokens at most are shown on one connection")
        if sum(map(len, self._visitors.values())) >= VISITORS_MAX:
            raise OSError(EAGAIN, f"there are {VISITORS_MAX} clients of gRPC, and there may be no more")
        session = begin_session(self._sessions, call, "gRPC", token)
        known[token] = visitor = Visitor(session)
        return visitor

    def _lost(self, connection: Connection) -> None:
        for visitor in self._visitors.pop(connection, {}).values():
            visitor.session.end()

    def _perform(self, call: Call, name: str, values: tuple[object, ...]) -> Any:
        """Do an operation of the table."""
        session = self._visitor(call).session
        return perform(self._sessions.leases, session, Request(OPERATIONS[name], values))

    def _perform_words(self, call: Call, name: str, *words: object) -> Any:
        """The same with words, as the table checks them. Raises ValueError."""
        return self._perform(call, name, OPERATIONS[name].values([str(word) for word in words]))

    async def _on_bus(
        self, call: Call, name: str, bus: int, work: Callable[[I2cBus], T], *values: object
    ) -> T:
        """Do *work* with a bus, when it is the client's turn, for the operation of that name with those values."""
        visitor = self._admitted(call, name, bus, *values)
        return await visitor.waiting.on_bus(visitor.session, bus, work)  # type: ignore[no-any-return]

    def _admitted(self, call: Call, name: str, bus: int, *values: object) -> Visitor:
        """Who calls, and may do that with a bus."""
        visitor = self._visitor(call)
        values = _check(bus, BUS_MAX, "a bus"), *values
        visitor.session.rights.check(Request(OPERATIONS[name], values))
        return visitor

    async def _call(self, call: Call, bus: int, asked: SmbusCall) -> bytes:
        check_call(asked)
        return await self._on_bus(call, "smbus", bus, lambda found: found.smbus(asked))

    # -- the board -------------------------------------------------------------------------------

    async def _info(self, call: Call, request: Any) -> Any:
        board, revision, lines, features = self._perform(call, "info", ())
        return pb.InfoReply(
            board=board, revision=revision, lines=lines, features=features, version=self._version
        )

    # -- buses -----------------------------------------------------------------------------------

    async def _list_buses(self, call: Call, request: Any) -> Any:
        (rows,) = self._perform(call, "i2c_buses", ())
        make = pb.BusesReply.Bus
        return pb.BusesReply(buses=[make(bus=b, functions=f, name=n, holder=h) for b, f, n, h in rows])

    async def _functions(self, call: Call, request: Any) -> Any:
        (found,) = self._perform(call, "i2c_functions", (_check(request.bus, BUS_MAX, "a bus"),))
        return pb.FunctionsReply(functions=found)

    async def _smbus(self, call: Call, request: Any) -> Any:
        if request.size not in SIZES:
            raise ValueError(f"there is no SMBus call of size {request.size}")
        asked = SmbusCall(
            _check(request.address, ADDRESS_MAX, "an address"),
            request.read,
            request.size,
            _check(request.command, 0xFF, "a command"),
            _block(request.data),
            _check(request.length, BLOCK_MAX, "a length"),
            request.pec,
            request.force,
        )
        return pb.DataReply(data=await self._call(call, request.bus, asked))

    async def _transfer(self, call: Call, request: Any) -> Any:
        if not 1 <= len(request.messages) <= MESSAGES_MAX:
            raise ValueError(f"a transfer has 1 to {MESSAGES_MAX} messages, not {len(request.messages)}")
        messages = [_message(message) for message in request.messages]
        data = await self._on_bus(call, "i2c", request.bus, lambda bus: bus.transfer(messages))
        return pb.TransferReply(data=data)

    def _named(self, name: str, make: Callable[[Any], SmbusCall], answer: Callable[[bytes], Any]) -> Any:
        async def act(call: Call, request: Any) -> Any:
            """Carry out that call."""
            return answer(await self._call(call, request.bus, make(request)))

        return act

    async def _hold(self, call: Call, request: Any) -> Any:
        most_s, wait_s = request.most_s or HOLD_S, request.wait_s
        if not 0 < most_s <= HOLD_MAX_S or not 0 <= wait_s <= HOLD_WAIT_MAX_S:
            raise ValueError(
                f"a bus is held for up to {HOLD_MAX_S:g} s, and waited for up to {HOLD_WAIT_MAX_S:g} s"
            )
        visitor, number = self._admitted(call, "i2c_hold", request.bus, most_s, wait_s), request.bus
        session, buses = visitor.session, buses_of(visitor.session)
        await visitor.waiting.wait(buses.hold(session, session.owner.name, number, most_s, wait_s))
        return pb.HoldReply()

    async def _let_go(self, call: Call, request: Any) -> Any:
        (was_held,) = self._perform(call, "i2c_release", (_check(request.bus, BUS_MAX, "a bus"),))
        return pb.ReleaseBusReply(was_held=was_held)

    # -- lines -----------------------------------------------------------------------------------

    async def _setup(self, call: Call, request: Any) -> Any:
        if request.direction == pb.SetupRequest.OUT:
            level: object = request.level if request.HasField("level") else "?"
            self._perform_words(call, "output", request.line, level)
        elif request.direction == pb.SetupRequest.IN:
            self._perform_words(call, "input", request.line, PULLS.get(request.pull, "-"))
        else:
            raise ValueError(f"a direction is IN or OUT, not {request.direction}")
        return pb.SetupReply()

    async def _read(self, call: Call, request: Any) -> Any:
        return pb.ReadReply(levels=self._perform_words(call, "read", *request.lines)[0])

    async def _write(self, call: Call, request: Any) -> Any:
        words = [word for pair in request.levels for word in (pair.line, pair.level)]
        self._perform_words(call, "write", *words)
        return pb.WriteLinesReply()

    async def _release(self, call: Call, request: Any) -> Any:
        self._perform_words(call, "release", *request.lines)
        return pb.ReleaseReply()

    async def _watch(self, call: Call, request: Any) -> AsyncIterator[Any]:
        visitor, leases = self._visitor(call), self._sessions.leases
        operation, lines = OPERATIONS["watch"], list(dict.fromkeys(request.lines))
        if not 1 <= len(lines) <= LINES_MAX:
            raise ValueError("there are no lines to watch")
        feed, begun = Feed(), dict[int, FeedWatch]()
        visitor.feeds[feed] = None
        try:
            for number in lines:
                words = (number, EDGES.get(request.which, "both"), request.filter_us, request.holdoff_us)
                values: Any = operation.values([str(word) for word in words])
                visitor.session.rights.check(Request(operation, values))
                line, edge, filter_us, holdoff_us, _ = values
                watch = FeedWatch(feed, line, constants.edge_bits(edge) or 0, holdoff_us * 1000)
                begun[line] = watch
                watch.counts_from(leases.watch(line, watch, filter_us, None))
            yield None
            while True:
                for found in await feed.next():
                    yield found
        finally:
            visitor.feeds.pop(feed, None)
            for line, watch in begun.items():
                leases.unwatch(line, watch)


def _check(value: int, most: int, what: str) -> int:
    if value > most:
        raise ValueError(f"{what} is 0 to {most}, not {value}")
    return value


def _block(data: bytes) -> bytes:
    if len(data) > BLOCK_MAX:
        raise ValueError(f"a block has 1 to {BLOCK_MAX} bytes, not {len(data)}")
    return data


def _message(message: Any) -> Message:
    flags = _check(message.flags, 0xFFFF, "flags")
    most = TEN_BIT_MAX if flags & M_TEN else ADDRESS_MAX
    length = _check(message.length, MESSAGE_MAX, "the length of a message")
    if len(message.data) > MESSAGE_MAX:
        raise ValueError(f"a message has at most {MESSAGE_MAX} bytes, not {len(message.data)}")
    if message.data and flags & M_RD:
        raise ValueError("a message that reads has no data")
    return Message(_check(message.address, most, "an address"), flags, message.data, length)


# -- the named calls ----------------------------------------------------------------------------


def _to(request: Any) -> int:
    return _check(request.address, ADDRESS_MAX, "an address")


def _register(request: Any) -> int:
    return _check(request.register, 0xFF, "a register")


def _bytes(value: int, size: int) -> bytes:
    return _check(value, (1 << 8 * size) - 1, "the value").to_bytes(size, "little")


def _value(data: bytes) -> Any:
    return pb.ValueReply(value=int.from_bytes(data, "little"))


def _data(data: bytes) -> Any:
    return pb.DataReply(data=data)


def _done(data: bytes) -> Any:
    return pb.WriteReply()


NAMED: dict[str, tuple[Any, Any, Callable[[Any], SmbusCall], Callable[[bytes], Any]]] = {
    "ReadByte": (pb.AddressRequest, pb.ValueReply, lambda r: SmbusCall(_to(r), True, BYTE), _value),
    "WriteByte": (
        pb.ByteRequest,
        pb.WriteReply,
        lambda r: SmbusCall(_to(r), False, BYTE, _check(r.value, 0xFF, "the value")),
        _done,
    ),
    "ReadByteData": (
        pb.RegisterRequest,
        pb.ValueReply,
        lambda r: SmbusCall(_to(r), True, BYTE_DATA, _register(r)),
        _value,
    ),
    "WriteByteData": (
        pb.ValueRequest,
        pb.WriteReply,
        lambda r: SmbusCall(_to(r), False, BYTE_DATA, _register(r), _bytes(r.value, 1)),
        _done,
    ),
    "ReadWordData": (
        pb.RegisterRequest,
        pb.ValueReply,
        lambda r: SmbusCall(_to(r), True, WORD_DATA, _register(r)),
        _value,
    ),
    "WriteWordData": (
        pb.ValueRequest,
        pb.WriteReply,
        lambda r: SmbusCall(_to(r), False, WORD_DATA, _register(r), _bytes(r.value, 2)),
        _done,
    ),
    "ReadBlock": (
        pb.ReadBlockRequest,
        pb.DataReply,
        lambda r: SmbusCall(
            _to(r),
            True,
            I2C_BLOCK_DATA,
            _register(r),
            length=_check(r.length, BLOCK_MAX, "a length") or BLOCK_MAX,
        ),
        _data,
    ),
    "WriteBlock": (
        pb.WriteBlockRequest,
        pb.WriteReply,
        lambda r: SmbusCall(_to(r), False, I2C_BLOCK_DATA, _register(r), _block(r.data)),
        _done,
    ),
}
"""Method -> its messages, the SMBus call that a request is, and the answer of what was read."""
