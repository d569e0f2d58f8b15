# SPDX-License-Identifier: LGPL-3.0-or-later
"""A bus of another process, or another machine, over RPIO's own protocol: each call is one request, and its answer."""

from __future__ import annotations

from time import monotonic, sleep

from .._gpio import Turn
from ..backends.buses import I2cBus
from ..errors import BusError, NoBusError
from ..remote.sessions.answers import head, result_of
from ..wire.operations import OPERATIONS
from ..wire.smbus import M_RD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from ..backends.remote import RemoteBackend
    from ..wire.smbus import Message, SmbusCall

HOLD_MAX_S = 60.0
"""So long may a bus be held."""


READS_MAX = 1024
WAIT_S = 5.0
"""How long a call waits for who holds the bus."""
ASK_S = 0.02
"""As long waits the server, and then this side: so a bus that is wanted by others as well is not missed for long."""


class RemoteBus(I2cBus):
    """Bus *number* beside the lines of a backend, in whose session everything is asked."""

    def __init__(self, backend: RemoteBackend, number: int) -> None:
        self._backend, self._number = backend, number
        self._ask = backend.ask
        self.name = f"I2C bus {number} at {backend.place}"
        self.lock = Turn()
        self._reads: dict[tuple[int, ...], bytes] = {}
        """The lines of calls that read, which are asked again and again."""

    def functions(self) -> int:
        (functions,) = self._ask("i2c_functions", self._number)
        return int(functions)

    def smbus(self, call: SmbusCall) -> bytes:
        key = call.address, call.size, call.command, call.length, call.has_pec, call.is_forced
        line = self._reads.get(key) if call.is_read else None
        if line is None:
            line = head(
                "smbus",
                self._number,
                call.address,
                call.is_read,
                call.size,
                call.command,
                call.data,
                call.length,
                call.has_pec,
                call.is_forced,
            )
            if call.is_read and len(self._reads) < READS_MAX:
                self._reads[key] = line
        answer = self._backend.ask_line(line)
        if answer.startswith(
            b"error BusError "
        ):  # somebody holds it, or there is a crowd: once more, for a while
            (data,) = self._patiently(lambda: self._result(line), WAIT_S)
            return data  # type: ignore[no-any-return]
        if answer.startswith(b"ok ") and answer[3:].isalnum():  # in a hurry
            try:
                return bytes.fromhex(answer[3:].decode())
            except ValueError:
                pass  # it is told below
        (data,) = result_of(OPERATIONS["smbus"], answer)
        return data  # type: ignore[no-any-return]

    def transfer(self, messages: Sequence[Message]) -> list[bytes]:
        rows = [(m.address, m.flags, m.length if m.flags & M_RD else len(m.data), m.data) for m in messages]
        (answers,) = self._patiently(lambda: self._ask("i2c", self._number, rows), WAIT_S)
        return list(answers)

    def hold(self, wait_s: float) -> None:
        self._patiently(lambda: self._ask("i2c_hold", self._number, HOLD_MAX_S, ASK_S), wait_s)

    def _result(self, line: bytes) -> tuple[Any, ...]:
        return result_of(OPERATIONS["smbus"], self._backend.ask_line(line))

    def _patiently(self, ask: Callable[[], tuple[Any, ...]], wait_s: float) -> tuple[Any, ...]:
        """Ask until the bus is free, for so long. The server waits for moments alone: in between, the connection is for
        other threads of this program.
        """
        until_s = monotonic() + wait_s
        while True:
            try:
                return ask()
            except NoBusError:
                raise
            except BusError:
                if monotonic() >= until_s:
                    raise
            sleep(ASK_S)

    def release(self) -> bool:
        (was_held,) = self._ask("i2c_release", self._number)
        return bool(was_held)

    def after_fork(self) -> None:
        self.lock._at_fork_reinit()
        self.is_held = False

    def close(self) -> None:
        """Nothing: the session is the board's."""


def bus_beside(backend: RemoteBackend, number: int) -> I2cBus:
    """Return the bus of that number beside a backend's lines, the same each time."""
    found = backend.buses.get(number)
    if found is None:
        made = RemoteBus(backend, number)
        made.functions()  # whether there is one
        found = backend.buses.setdefault(number, made)
    return found
