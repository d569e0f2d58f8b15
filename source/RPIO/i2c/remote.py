# SPDX-License-Identifier: LGPL-3.0-or-later
"""A bus of another process, or another machine, over RPIO's own protocol: each call is one request, and its answer."""

from __future__ import annotations

from .._gpio import Turn
from ..backends.buses import I2cBus
from ..remote.answers import head, result_of
from ..wire.operations import OPERATIONS
from ..wire.smbus import M_RD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..backends.remote import RemoteBackend
    from ..wire.smbus import Message, SmbusCall

HOLD_MAX_S = 60.0
"""So long may a bus be held."""


READS_MAX = 1024


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
        if answer.startswith(b"ok ") and answer[3:].isalnum():  # in a hurry
            try:
                return bytes.fromhex(answer[3:].decode())
            except ValueError:
                pass  # it is told below
        (data,) = result_of(OPERATIONS["smbus"], answer)
        return data  # type: ignore[no-any-return]

    def transfer(self, messages: Sequence[Message]) -> list[bytes]:
        rows = [(m.address, m.flags, m.length if m.flags & M_RD else len(m.data), m.data) for m in messages]
        (answers,) = self._ask("i2c", self._number, rows)
        return list(answers)

    def hold(self, wait_s: float) -> None:
        self._ask("i2c_hold", self._number, HOLD_MAX_S, float(wait_s))

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
