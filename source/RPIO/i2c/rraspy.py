# SPDX-License-Identifier: LGPL-3.0-or-later
"""A bus of a device of RRaspPY's, by the smbus that it has there: each call is a command of the same name."""

from __future__ import annotations

from errno import EOPNOTSUPP

from .. import errors
from .._gpio import Turn
from ..backends.buses import I2cBus
from ..processes import hooks
from ..remote.rraspy_kept import Kept
from ..wire import smbus
from .calls import Calls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from ..remote.rraspy import Device
    from ..wire.smbus import Message, SmbusCall


class RraspyBus(I2cBus):
    """Bus *number* of a device: an object of its smbus.SMBus, which is this one's alone.

    py-smbus forces nothing: an address that a driver has there is EBUSY, whoever asks. Nor can others be kept out.

    Raises:
        NotSupportedError: the device has no smbus. OSError: it has no such bus, or cannot open it.
    """

    def __init__(self, device: Device, number: int) -> None:
        self.name = f"I2C bus {number} of the device at {device}"
        try:
            self._kept = Kept(device, "smbus", "smbus", None, f"smbus.SMBus({number:d})")
        except ImportError as e:
            hint = "apt install python3-smbus there, or pip install smbus2"
            raise errors.NotSupportedError(f"the device at {device} has no smbus: {e}", hint=hint) from None
        self.lock = _turns.of(f"{device}", number)
        self._has_pec = False

    def functions(self) -> int:
        return (
            smbus.FUNC_SMBUS_EMUL_ALL
        )  # smbus does not tell: what the bus cannot do it says when it is asked to

    def set_pec(self, has_pec: bool) -> None:
        """Have a check byte with each call from now on, or no more. Raises OSError where the device's bus cannot."""
        self._kept.ask(f"__setattr__('pec', {int(has_pec)})")
        self._has_pec = has_pec

    def smbus(self, call: SmbusCall) -> bytes:
        make = COMMANDS.get((call.size, call.is_read))
        if make is None:
            raise OSError(EOPNOTSUPP, f"{self.name}: smbus has no quick read")
        if call.has_pec != self._has_pec:
            self.set_pec(call.has_pec)
        command = make(call)
        found = self._kept.ask(command)
        if not call.is_read and call.size not in ANSWERED:
            return b""
        try:
            if call.size in WIDTHS:
                return int(found).to_bytes(WIDTHS[call.size], "little")  # type: ignore[call-overload, no-any-return]
            return bytes(list(found))  # type: ignore[call-overload]
        except (TypeError, ValueError, OverflowError):
            raise errors.ProtocolError(f"{self.name}: {command} is no bytes, but {found!r}") from None

    def transfer(self, messages: Sequence[Message]) -> list[bytes]:
        raise OSError(EOPNOTSUPP, f"{self.name}: smbus has no plain I2C")

    def calls(self, force: bool) -> Any:
        return _Calls(self, force)

    def close(self) -> None:
        self._kept.end("close()")


class _Calls(Calls):
    """Those on a device's bus, which is told at once that there is to be a check byte: it may say no."""

    bus: RraspyBus

    def enable_pec(self, enable: bool = True) -> None:
        self.bus.set_pec(bool(enable))
        super().enable_pec(enable)


WIDTHS = {smbus.BYTE: 1, smbus.BYTE_DATA: 1, smbus.WORD_DATA: 2, smbus.PROCESS_CALL: 2}
"""Bytes of an answer that is a number."""
ANSWERED = (smbus.PROCESS_CALL, smbus.BLOCK_PROC_CALL)
"""Writes that have an answer."""


def _register(name: str) -> Callable[[SmbusCall], str]:
    return lambda call: f"{name}({call.address}, {call.command})"


def _number(name: str) -> Callable[[SmbusCall], str]:
    return lambda call: f"{name}({call.address}, {call.command}, {int.from_bytes(call.data, 'little')})"


def _block(name: str) -> Callable[[SmbusCall], str]:
    return lambda call: f"{name}({call.address}, {call.command}, {list(call.data)})"


COMMANDS: dict[tuple[int, bool], Callable[[SmbusCall], str]] = {
    (smbus.QUICK, False): lambda call: f"write_quick({call.address})",
    (smbus.BYTE, True): lambda call: f"read_byte({call.address})",
    (smbus.BYTE, False): _register("write_byte"),
    (smbus.BYTE_DATA, True): _register("read_byte_data"),
    (smbus.BYTE_DATA, False): _number("write_byte_data"),
    (smbus.WORD_DATA, True): _register("read_word_data"),
    (smbus.WORD_DATA, False): _number("write_word_data"),
    (smbus.PROCESS_CALL, False): _number("process_call"),
    (smbus.BLOCK_DATA, True): _register("read_block_data"),
    (smbus.BLOCK_DATA, False): _block("write_block_data"),
    (smbus.BLOCK_PROC_CALL, False): _block("block_process_call"),
    (smbus.I2C_BLOCK_DATA, True): lambda call: (
        f"read_i2c_block_data({call.address}, {call.command}, {call.length})"
    ),
    (smbus.I2C_BLOCK_DATA, False): _block("write_i2c_block_data"),
}
"""Size and direction of a call -> its command. Source: i2c-tools 4.3, py-smbus/smbusmodule.c, for the names."""


class _Turns:
    """The turns of buses: those who use one in this process have the same."""

    def __init__(self) -> None:
        self._of: dict[tuple[str, int], Turn] = {}
        hooks.look_after(self)

    def of(self, device: str, number: int) -> Turn:
        """That of a bus."""
        return self._of.setdefault((device, number), Turn())

    def after_fork(self) -> None:
        """In the child of a fork: who had one is not here."""
        for turn in self._of.values():
            turn._at_fork_reinit()

    def shut_down(self) -> None:
        """At the end of the program: nothing."""


_turns = _Turns()
