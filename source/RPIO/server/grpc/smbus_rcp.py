# SPDX-License-Identifier: LGPL-3.0-or-later
"""smbus-proxy's service, as its own server has it, but for what that does wrong.

A client that opens a bus gets an id, which it says with every call; who neither pings nor calls for 5 seconds has gone,
which is looked at every 10. What fails is told with code 1 and ``proxy server: `` before its text. Calls on a bus come
one after the other, and none is in the middle of another one's.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from time import monotonic

from ... import log as rpio_log
from ...wire.grpc import smbus_rcp_pb2 as pb
from ...wire.smbus import (
    ADDRESS_MAX,
    BLOCK_MAX,
    BYTE,
    BYTE_DATA,
    I2C_BLOCK_DATA,
    WORD_DATA,
    SmbusCall,
)
from .errors import is_told
from .port import Call, Method

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from ...backends.buses import I2cBus

    class Guest(Protocol):
        """Who a client is to the rest of the program."""

        async def run(self, call: str, bus: int, work: Callable[[I2cBus], Any]) -> Any:
            """Do *work* with a bus, alone, for the call of that name. Raises what forbids it, or fails."""

        def end(self) -> None:
            """It has gone. Twice is fine."""


IDLE_S, LOOK_S = 5, 10
CLIENTS_MAX, CLIENTS_OF_ONE_MAX = 256, 64
"""In all, and of one connection: a part of the sessions that there may be (sessions/sessions), so that there is room
for those who come by another way."""
PREFIX = "proxy server: "
FAILED = 1
LOGGER = "SmbusRcpServer"


class Client:
    """One who has opened a bus."""

    __slots__ = ("bus", "calls", "connection", "guest", "id", "seen_s")

    def __init__(self, id: str, bus: int, guest: Guest, seen_s: float, connection: object) -> None:
        self.id, self.bus, self.guest, self.seen_s = id, bus, guest, seen_s
        self.connection = connection
        """By which it was opened. It may be said on any."""
        self.calls = 0
        """Those that are being carried out."""


def _number(name: str, value: int, most: int) -> int:
    if not 0 <= value <= most:
        raise ValueError(f"{name} is 0 to {most:#x}, not {value:#x}")
    return value


def _address(request: Any) -> int:
    return _number("the address", request.i2c_addr, ADDRESS_MAX)


def _register(request: Any) -> int:
    return _number("the register", request.register, 0xFF)


def _read_byte(r: Any) -> SmbusCall:
    return SmbusCall(_address(r), True, BYTE)


def _write_byte(r: Any) -> SmbusCall:
    return SmbusCall(_address(r), False, BYTE, _number("the value", r.value, 0xFF))


def _read_byte_data(r: Any) -> SmbusCall:
    return SmbusCall(_address(r), True, BYTE_DATA, _register(r))


def _write_byte_data(r: Any) -> SmbusCall:
    data = bytes((_number("the value", r.value, 0xFF),))
    return SmbusCall(_address(r), False, BYTE_DATA, _register(r), data)


def _read_word_data(r: Any) -> SmbusCall:
    return SmbusCall(_address(r), True, WORD_DATA, _register(r))


def _write_word_data(r: Any) -> SmbusCall:
    data = _number("the value", r.value, 0xFFFF).to_bytes(2, "little")
    return SmbusCall(_address(r), False, WORD_DATA, _register(r), data)


def _read_block(r: Any) -> SmbusCall:
    length = r.length or BLOCK_MAX
    if not 1 <= length <= BLOCK_MAX:
        raise ValueError(f"a block has 1 to {BLOCK_MAX} bytes, not {length}")
    return SmbusCall(_address(r), True, I2C_BLOCK_DATA, _register(r), length=length)


def _write_block(r: Any) -> SmbusCall:
    if not 1 <= len(r.data) <= BLOCK_MAX:
        raise ValueError(f"a block has 1 to {BLOCK_MAX} bytes, not {len(r.data)}")
    return SmbusCall(_address(r), False, I2C_BLOCK_DATA, _register(r), r.data)


CALLS: dict[str, Callable[[Any], SmbusCall]] = {
    "read_byte": _read_byte,
    "write_byte": _write_byte,
    "read_byte_data": _read_byte_data,
    "write_byte_data": _write_byte_data,
    "read_word_data": _read_word_data,
    "write_word_data": _write_word_data,
    "read_i2c_block_data": _read_block,
    "write_i2c_block_data": _write_block,
}
"""What each is as an SMBus call; its request's name ends with _request."""


def _number_of(data: bytes) -> int:
    return int.from_bytes(data, "little")


class SmbusRcp:
    """The service. *begin* makes the Guest of a new client, of his bus and his Call."""

    def __init__(
        self,
        begin: Callable[[int, Call], Guest],
        log: logging.Logger | None = None,
        now_s: Callable[[], float] = monotonic,
    ) -> None:
        self._begin, self._now_s = begin, now_s
        self._log = log if log is not None else logging.getLogger(LOGGER)
        self.clients: dict[str, Client] = {}
        """By their ids."""
        self._opening: list[object] = []
        """The connections of those who are about to be clients."""
        self._timer: asyncio.TimerHandle | None = None

    def methods(self) -> list[Method]:
        """What it serves."""
        status = pb.operation_status
        found = [
            Method("/SmbusRcp/open", pb.open_request, status, self._open),
            Method("/SmbusRcp/close", pb.close_request, status, self._close),
            Method("/SmbusRcp/ping", pb.keep_alive, status, self._ping),
        ]
        for name, make in CALLS.items():
            request = getattr(pb, f"{name}_request")
            reply = getattr(pb, f"{name}_response", status)
            found.append(Method(f"/SmbusRcp/{name}", request, reply, self._caller(name, make, reply)))
        return found

    # -- who calls -------------------------------------------------------------------------------

    async def _open(self, call: Call, request: Any) -> Any:
        connection, bus = call.connection, request.i2c_bus
        try:
            self._check_room(connection)
            self._opening.append(connection)
            try:
                guest = await self._opened(call, bus)
            finally:
                self._opening.remove(connection)
        except Exception as e:
            return _failed(e)
        id = secrets.token_hex(16)
        self.clients[id] = Client(id, bus, guest, self._now_s(), connection)
        call.trailing["client_id"] = id
        self._log.info("New client(%s) requests bus %s", id, bus)
        self._look_later()
        return pb.operation_status()

    def _check_room(self, connection: object) -> None:
        """Raise ValueError where there may be no more clients."""
        there = [*self._opening, *[client.connection for client in self.clients.values()]]
        if len(there) >= CLIENTS_MAX:
            raise ValueError(f"there are {CLIENTS_MAX} clients, and there may be no more")
        if there.count(connection) >= CLIENTS_OF_ONE_MAX:
            raise ValueError(f"{CLIENTS_OF_ONE_MAX} clients at most are those of one connection")

    async def _opened(self, call: Call, bus: int) -> Guest:
        """Return a guest whose bus there is."""
        guest = self._begin(bus, call)
        try:
            await guest.run("open", bus, lambda found: found.functions())
        except BaseException:
            guest.end()
            raise
        return guest

    def _client(self, call: Call) -> Client:
        """Who calls, who is here still with that. Raises as the original does."""
        id = call.said("client_id")
        if not id:
            raise ValueError("client id not found")
        client = self.clients[id]  # a KeyError's text is the id in quotes
        client.seen_s = self._now_s()
        return client

    async def _close(self, call: Call, request: Any) -> Any:
        try:
            client = self._client(call)
        except Exception as e:
            return _failed(e)
        self._log.info("Client(%s) release bus %s", client.id, client.bus)
        self._end(client)
        return pb.operation_status()

    async def _ping(self, call: Call, request: Any) -> Any:
        try:
            self._client(call)
        except Exception as e:
            return _failed(e)
        return pb.operation_status()

    def _end(self, client: Client) -> None:
        if self.clients.pop(client.id, None) is not None:
            client.guest.end()

    def forget(self, guest: Guest) -> None:
        """A guest has been ended by somebody else."""
        for client in [client for client in self.clients.values() if client.guest is guest]:
            self._end(client)

    def _look_later(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LOOK_S, self._look)

    def _look(self) -> None:
        """End those who have said nothing for long."""
        self._timer = None
        now_s = self._now_s()
        for client in [c for c in self.clients.values() if not c.calls and now_s - c.seen_s > IDLE_S]:
            self._log.info("No activity from client %s since %d sec delete it", client.id, IDLE_S)
            self._end(client)
        if self.clients:
            self._look_later()

    def end_all(self) -> None:
        """End all clients. Twice is fine."""
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        for client in list(self.clients.values()):
            self._end(client)

    # -- what they ask ---------------------------------------------------------------------------

    def _caller(self, name: str, make: Callable[[Any], SmbusCall], reply: Any) -> Callable[..., Any]:
        answer = _answerer(reply)
        has_register = name not in ("read_byte", "write_byte")

        async def act(call: Call, request: Any) -> Any:
            """Carry out a call; what fails is told."""
            try:
                client = self._client(call)
                if self._log.isEnabledFor(logging.INFO):
                    where = f" register {request.register:#x}" if has_register else ""
                    self._log.info("Client(%s) %s at %#x%s", client.id, name, request.i2c_addr, where)
                asked = make(request)
                client.calls += 1
                try:
                    data = await client.guest.run(name, client.bus, lambda bus: bus.smbus(asked))
                finally:
                    client.calls -= 1
                    client.seen_s = self._now_s()  # it may have waited for long
            except Exception as e:
                failed = _failed(e)
                return failed if reply is pb.operation_status else reply(status=failed)
            return answer(data)

        return act


def _answerer(reply: Any) -> Callable[[bytes], Any]:
    """What makes an answer of the bytes that were read. The status is there, and empty, as the original sends it."""
    ok = pb.operation_status()
    if reply is pb.operation_status:
        return lambda data: ok
    if reply is pb.read_i2c_block_data_response:
        return lambda data: reply(status=ok, data=data)
    return lambda data: reply(status=ok, data=_number_of(data))


def _failed(error: Exception) -> Any:
    """The status that says so."""
    if not (is_told(error) or isinstance(error, KeyError)):
        rpio_log.callback_failed(SmbusRcp)
    return pb.operation_status(code=FAILED, exception=f"{PREFIX}{error}")
