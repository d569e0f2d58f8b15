# SPDX-License-Identifier: LGPL-3.0-or-later
"""An I2C bus by smbus-proxy's protocol, of its own server or of ours.

It has eight calls. Who has opened a bus is to say so each second; where he has said nothing for too long the server
forgets him, and he opens it again.
"""

from __future__ import annotations

import os
import re
from errno import EOPNOTSUPP, EREMOTEIO
from weakref import ref

from .. import errors, threads
from ..remote.grpc import Refused
from ..wire import smbus
from ..wire.grpc import smbus_rcp_pb2 as pb
from ..wire.smbus import BYTE, BYTE_DATA, I2C_BLOCK_DATA, WORD_DATA

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from ..remote.grpc import Caller
    from ..wire.smbus import Message, SmbusCall

PING_S, CLOSE_S = 1.0, 1.0
END_S = 2.0
PREFIX = "proxy server: "
SYSTEM_ERROR = re.compile(r"\[Errno (\d{1,4})\] (.*)", re.DOTALL)
OF_PROXY = (
    smbus.FUNC_SMBUS_READ_BYTE
    | smbus.FUNC_SMBUS_WRITE_BYTE
    | smbus.FUNC_SMBUS_READ_BYTE_DATA
    | smbus.FUNC_SMBUS_WRITE_BYTE_DATA
    | smbus.FUNC_SMBUS_READ_WORD_DATA
    | smbus.FUNC_SMBUS_WRITE_WORD_DATA
    | smbus.FUNC_SMBUS_READ_I2C_BLOCK
    | smbus.FUNC_SMBUS_WRITE_I2C_BLOCK
)
"""What smbus-proxy's protocol has."""
NAMES = {BYTE: "byte", BYTE_DATA: "byte_data", WORD_DATA: "word_data", I2C_BLOCK_DATA: "i2c_block_data"}
KINDS = ("quick", "byte", "byte data", "word data", "process call", "block data", "", "block process call")


def _unsupported(what: str) -> OSError:
    text = f"smbus-proxy's protocol has no {what}; `rpio serve --smbus` there has"
    return OSError(EOPNOTSUPP, f"{os.strerror(EOPNOTSUPP)}: {text}")


class Proxy:
    """The bus of that number. open() it first."""

    def __init__(self, caller: Caller, number: int, timeout_s: float) -> None:
        self._caller, self._number, self._timeout_s = caller, number, timeout_s
        self._id = ""
        self._process = os.getpid()
        self._pinger: _Pinger | None = None

    # -- the session -----------------------------------------------------------------------------

    def open(self) -> None:
        """Open the bus there, and have it pinged from now on."""
        request = pb.open_request(i2c_bus=self._number)
        status, trailing = self._asked("open", request, pb.operation_status, {})
        _check(status)
        self._id = str(trailing.get("client_id", ""))
        if not self._id:
            raise errors.ProtocolError(f"{self._caller} has opened a bus, and given no client_id")
        if self._pinger is None or self._process != os.getpid():
            self._pinger = _Pinger(self)
        self._process = os.getpid()

    def _asked(self, name: str, request: Any, reply: Any, metadata: dict[str, str]) -> tuple[Any, Any]:
        try:
            return self._caller.ask(f"/SmbusRcp/{name}", request, reply, self._timeout_s, metadata)
        except Refused as e:
            # The original's server fails so in the middle of a block read that fails.
            raise OSError(
                EREMOTEIO, f"{os.strerror(EREMOTEIO)}: {name} at {self._caller}: {e.text}"
            ) from None

    def _ask(self, name: str, request: Any, reply: Any) -> Any:
        """Ask it with the id; with another one where that is over."""
        if self._process != os.getpid():
            self.open()  # in the child of a fork: the other id is the parent's
        for turn in range(2):
            id = self._id
            answer = self._asked(name, request, reply, {"client_id": id})[0]
            status = answer if reply is pb.operation_status else answer.status
            if status.code and status.exception == f"{PREFIX}'{id}'" and not turn:
                self.open()  # it had said nothing for too long: nothing has been done
                continue
            _check(status)
            break
        return answer

    def ping(self) -> None:
        """Say that one is there still. From the thread that does so: beside a call, or alone."""
        id = self._id
        if not self._caller.soon(self._ping):
            try:
                request = pb.keep_alive(info="request")
                self._asked("ping", request, pb.operation_status, {"client_id": id})
            except (OSError, errors.GPIOError, ValueError):
                return  # the next call tells, or opens it again

    async def _ping(self, channel: Any) -> None:
        from grpclib.client import UnaryUnaryMethod

        ask = UnaryUnaryMethod(channel, "/SmbusRcp/ping", pb.keep_alive, pb.operation_status)
        await ask(pb.keep_alive(info="request"), timeout=self._timeout_s, metadata={"client_id": self._id})

    def close(self) -> None:
        """Give it up."""
        pinger, self._pinger = self._pinger, None
        if pinger is not None:
            pinger.end()
        if self._caller.is_closed:
            return
        try:
            if self._id and self._process == os.getpid():
                self._timeout_s = min(self._timeout_s, CLOSE_S)
                self._asked("close", pb.close_request(), pb.operation_status, {"client_id": self._id})
        except (OSError, errors.GPIOError):
            return  # it has gone already
        finally:
            self._caller.close()

    # -- calls -----------------------------------------------------------------------------------

    def functions(self) -> int:
        """What the protocol has."""
        return OF_PROXY

    def smbus(self, call: SmbusCall) -> bytes:
        """Carry out one of its calls."""
        size, is_read = call.size, call.is_read
        if size not in NAMES:
            raise _unsupported(KINDS[size] if 0 <= size < len(KINDS) else f"call of size {size}")
        if call.has_pec:
            raise _unsupported("check byte (PEC)")
        name = f"{'read' if is_read else 'write'}_{NAMES[size]}"
        values: dict[str, Any] = {"i2c_addr": call.address}
        if size != BYTE:
            values["register"] = call.command
        if not is_read and size == BYTE:
            values["value"] = call.command
        elif not is_read:
            is_block = size == I2C_BLOCK_DATA
            values["data" if is_block else "value"] = (
                call.data if is_block else int.from_bytes(call.data, "little")
            )
        elif size == I2C_BLOCK_DATA:
            values["length"] = call.length
        reply = getattr(pb, f"{name}_response", pb.operation_status)
        answer = self._ask(name, getattr(pb, f"{name}_request")(**values), reply)
        if not is_read:
            return b""
        if size == I2C_BLOCK_DATA:
            return bytes(answer.data)[: call.length]  # the original reads 32, whatever is asked
        return int(answer.data & 0xFFFF).to_bytes(2, "little")[: 2 if size == WORD_DATA else 1]

    def transfer(self, messages: Sequence[Message]) -> list[bytes]:
        """None of its calls."""
        raise _unsupported("transfers of plain I2C")

    def hold(self, wait_s: float) -> None:
        """None of its calls."""
        raise _unsupported("way to hold a bus")

    def release(self) -> bool:
        """Nothing is held."""
        return False


def _check(status: Any) -> None:
    """Raise the error that a status is."""
    if not status.code:
        return
    text = status.exception.removeprefix(PREFIX)
    found = SYSTEM_ERROR.match(text)
    if found is not None:
        raise OSError(int(found[1]), found[2])
    raise OSError(EREMOTEIO, f"{os.strerror(EREMOTEIO)}: {text or 'the server does not say why'}")


class _Pinger:
    """The thread that pings a bus, as long as somebody has it and does not end it."""

    def __init__(self, bus: Proxy) -> None:
        self._bus = ref(bus)
        self._over = threads.allocate_lock()
        self._over.acquire()
        self._process = os.getpid()
        self._started = threads.start(self._run, "RPIO smbus ping")

    def _run(self) -> None:
        while not self._over.acquire(timeout=PING_S):
            bus = self._bus()
            if bus is None:
                return
            bus.ping()
            del bus

    def end(self) -> None:
        """End it."""
        if self._process == os.getpid() and not self._started.is_over:
            self._over.release()
            self._started.join(END_S)
