# SPDX-License-Identifier: LGPL-3.0-or-later
"""An I2C bus of another machine by gRPC: ``smbus://HOST:50051/1``.

Where there is an RPIO, rpio.v1 is spoken, which has every call. Elsewhere it is smbus-proxy's protocol, which has eight
of them, and wants to be pinged each second.
"""

from __future__ import annotations

import re

from .. import errors, threads
from .._gpio import Turn
from ..backends.buses import I2cBus
from ..processes import hooks
from ..remote.sessions.answers import error_of
from ..wire.grpc.extra import missing

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl as tls
    from collections.abc import Sequence
    from typing import Any

    from ..remote.grpc import Caller, Refused
    from ..wire.smbus import Message, SmbusCall
    from .smbus_proxy import Proxy

SCHEME = "smbus"
PORT, BUS = 50051, 1
CALL_S = 10.0
"""The deadline of a call."""
HOLD_S = 60.0
"""So long may a bus be held."""
PLACE = re.compile(r"smbus://(\[[^\]/]+\]|[^\[\]:/@]+)(?::(\d{1,5}))?(?:/(\d{1,3}))?/?", re.ASCII)


def place_of(url: str) -> tuple[str, int, int]:
    """The host, the port and the number of the bus of ``smbus://HOST[:PORT][/BUS]``. Raises ValueError."""
    found = PLACE.fullmatch(url)
    port = int(found[2]) if found is not None and found[2] else PORT
    if found is None or not 0 < port < 65536:
        raise ValueError(f"{url!r} is no smbus://HOST:PORT/BUS, such as smbus://pi:{PORT}/{BUS}")
    return found[1].strip("[]"), port, int(found[3]) if found[3] else BUS


def bus_at(url: str) -> GrpcBus:
    """Return the bus of a place. A token (RPIO_TOKEN_FILE) is shown on this machine alone: nothing is encrypted.

    Raises:
        ValueError: it is none; else see GrpcBus.
    """
    threads.load("RPIO.remote.places.tokens")
    from ..remote.places.tokens import shown

    host, port, number = place_of(url)
    is_here = host in ("localhost", "::1") or host.startswith("127.")
    return GrpcBus(host, port, number, token=shown() if is_here else "")


class GrpcBus(I2cBus):
    """The bus of that number at a server of gRPC. *ssl*: a context, for one that has TLS; *token*: what is shown to an
    RPIO there. Calls of several threads come one after the other; the first one connects.

    Raises:
        NotSupportedError: grpclib or protobuf is missing; the text has the command.
        OSError: ECONNREFUSED where nobody listens; and what opening the bus there says.
    """

    def __init__(
        self,
        host: str,
        port: int = PORT,
        number: int = BUS,
        timeout_s: float = CALL_S,
        ssl: tls.SSLContext | None = None,
        token: str = "",
    ) -> None:
        try:
            threads.load("RPIO.remote.grpc")
            threads.load("RPIO.wire.grpc.rpio_v1_pb2")
        except ImportError as e:
            raise missing(e) from None
        from ..remote.grpc import Caller

        caller = Caller(host, port, ssl)
        self.name = f"I2C bus {number} at {caller}"
        self.lock = Turn()
        self._spoken: _RpioV1 | Proxy = _RpioV1(caller, number, timeout_s, token)
        try:
            self._spoken = self._choose(self._spoken, caller, number, timeout_s)
        except BaseException:
            caller.close()
            raise
        hooks.look_after(self)

    def _choose(self, ours: _RpioV1, caller: Caller, number: int, timeout_s: float) -> _RpioV1 | Proxy:
        from ..remote.grpc import UNIMPLEMENTED, Refused

        try:
            ours.open()
        except Refused as e:
            if e.status != UNIMPLEMENTED:
                raise _told(e) from None
            threads.load("RPIO.i2c.smbus_proxy")
            from .smbus_proxy import Proxy

            theirs = Proxy(caller, number, timeout_s)
            theirs.open()
            return theirs
        return ours

    @property
    def is_of_rpio(self) -> bool:
        """Whether an RPIO is there, and no smbus-proxy."""
        return isinstance(self._spoken, _RpioV1)

    def functions(self) -> int:
        """Return what it can do, the FUNC_ bits of wire.smbus."""
        return self._spoken.functions()

    def smbus(self, call: SmbusCall) -> bytes:
        """Carry out a call: see I2cBus."""
        return self._spoken.smbus(call)

    def transfer(self, messages: Sequence[Message]) -> list[bytes]:
        """Carry out messages: see I2cBus."""
        return self._spoken.transfer(messages)

    def hold(self, wait_s: float) -> None:
        """Have the bus alone, for a minute at most: see I2cBus. Raises OSError EOPNOTSUPP where that is no RPIO."""
        self._spoken.hold(wait_s)

    def release(self) -> bool:
        """Let others have it again. Whether it was held until now."""
        return self._spoken.release()

    def close(self) -> None:
        """Give it up. Twice is fine."""
        self._spoken.close()

    def after_fork(self) -> None:
        """In the child of a fork: another thread may have had it, and what it is connected to is the parent's."""
        self.lock._at_fork_reinit()
        self.is_held = False

    def shut_down(self) -> None:
        """The program ends."""
        self.close()


def _name() -> str:
    """Who this is, for those who look who is there: in ASCII, as metadata is."""
    threads.load("RPIO.backends.remote")
    from ..backends.remote import program, who

    return "".join(c if " " <= c <= "~" else "?" for c in f"{who()}, {program()}")


def _told(error: Refused) -> Exception:
    """The error that an RPIO tells."""
    said = {key: str(error.metadata.get(f"rpio-{key}", "")) for key in ("error", "errno", "hint")}
    if not said["error"]:
        return errors.ProtocolError(f"gRPC's status {error.status}: {error.text}")
    return error_of(said["error"], [error.text, said["hint"], said["errno"]])


class _RpioV1:
    """A bus by rpio.v1."""

    def __init__(self, caller: Caller, number: int, timeout_s: float, token: str) -> None:
        from ..wire.grpc import rpio_v1_pb2 as pb

        self._pb, self._caller, self._number, self._timeout_s = pb, caller, number, timeout_s
        self._metadata = {"rpio-client": _name()} | ({"authorization": f"Bearer {token}"} if token else {})
        self._functions: int | None = None
        self._held: object = None
        """The connection by which it is held. On another one it is not."""

    def _ask(self, name: str, request: Any, reply: Any, wait_s: float = 0.0) -> Any:
        from ..remote.grpc import Refused

        path, timeout_s = f"/rpio.v1.I2c/{name}", self._timeout_s + wait_s
        try:
            return self._caller.ask(path, request, reply, timeout_s, self._metadata, self._held)[0]
        except Refused as e:
            raise _told(e) from None
        except errors.ConnectionLost:
            self._held = None  # this is told once
            raise

    def open(self) -> None:
        """Look whether the bus is there. Raises Refused."""
        pb = self._pb
        request = pb.BusRequest(bus=self._number)
        path = "/rpio.v1.I2c/Functions"
        reply = self._caller.ask(path, request, pb.FunctionsReply, self._timeout_s, self._metadata)[0]
        self._functions = reply.functions

    def functions(self) -> int:
        """What it can do."""
        if self._functions is None:
            self.open()
        return self._functions or 0

    def smbus(self, call: SmbusCall) -> bytes:
        """Carry out a call."""
        pb = self._pb
        request = pb.SmbusRequest(
            bus=self._number,
            address=call.address,
            size=call.size,
            read=call.is_read,
            command=call.command,
            data=call.data,
            length=call.length,
            pec=call.has_pec,
            force=call.is_forced,
        )
        return bytes(self._ask("Smbus", request, pb.DataReply).data)

    def transfer(self, messages: Sequence[Message]) -> list[bytes]:
        """Carry out messages."""
        pb = self._pb
        found = [pb.Message(address=m.address, flags=m.flags, data=m.data, length=m.length) for m in messages]
        request = pb.TransferRequest(bus=self._number, messages=found)
        return list(self._ask("Transfer", request, pb.TransferReply).data)

    def hold(self, wait_s: float) -> None:
        """Have the bus alone."""
        pb = self._pb
        request = pb.HoldRequest(bus=self._number, most_s=HOLD_S, wait_s=wait_s)
        self._ask("Hold", request, pb.HoldReply, wait_s)
        self._held = self._caller.connection()

    def release(self) -> bool:
        """Hold it no longer."""
        pb = self._pb
        if self._held is None:
            return False
        try:
            request = pb.BusRequest(bus=self._number)
            return bool(self._ask("Release", request, pb.ReleaseBusReply).was_held)
        except errors.ConnectionLost:
            return False  # nor was it
        finally:
            self._held = None

    def close(self) -> None:
        """Give it up."""
        self._caller.close()
