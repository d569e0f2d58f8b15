# SPDX-License-Identifier: LGPL-3.0-or-later
"""SMBus calls on a bus that is none of the kernel's: as smbus2's methods, of which each is one SmbusCall.

Values have been checked by bus.SMBus, whose other side this is.
"""

from __future__ import annotations

from errno import EOPNOTSUPP

from ..wire import smbus
from ..wire.smbus import SmbusCall
from .message import fill, message_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..backends.buses import I2cBus
    from .message import i2c_msg


class Calls:
    """The calls of smbus2.SMBus, carried by *bus*. *force* is what calls have that say nothing else."""

    fd: int | None = None
    """There is no descriptor."""

    def __init__(self, bus: I2cBus, force: bool) -> None:
        self.bus, self.force = bus, force
        self.address: int | None = None
        self._carry = bus.smbus
        self._funcs: int | None = None
        self.pec = 0

    @property
    def funcs(self) -> int:
        """What the bus can do."""
        if self._funcs is None:
            self._funcs = self.bus.functions()
        return self._funcs

    def enable_pec(self, enable: bool = True) -> None:
        """Have a check byte with each call. Raises OSError where the bus cannot."""
        if not self.funcs & smbus.FUNC_SMBUS_PEC:
            raise OSError("SMBUS_PEC is not a feature")
        self.pec = int(enable)

    def _call(
        self,
        address: int,
        is_read: bool,
        size: int,
        command: int,
        data: bytes,
        force: bool | None,
        length: int = 0,
    ) -> bytes:
        is_forced = self.force if force is None else force
        self.address = address
        return self._carry(
            SmbusCall(address, is_read, size, command, data, length, bool(self.pec), is_forced)
        )

    def write_quick(self, i2c_addr: int, force: bool | None = None) -> None:
        self._call(i2c_addr, False, smbus.QUICK, 0, b"", force)

    def read_byte(self, i2c_addr: int, force: bool | None = None) -> int:
        return self._call(i2c_addr, True, smbus.BYTE, 0, b"", force)[0]

    def write_byte(self, i2c_addr: int, value: int, force: bool | None = None) -> None:
        self._call(i2c_addr, False, smbus.BYTE, value, b"", force)

    def read_byte_data(self, i2c_addr: int, register: int, force: bool | None = None) -> int:
        return self._call(i2c_addr, True, smbus.BYTE_DATA, register, b"", force)[0]

    def write_byte_data(self, i2c_addr: int, register: int, value: int, force: bool | None = None) -> None:
        self._call(i2c_addr, False, smbus.BYTE_DATA, register, bytes((value,)), force)

    def read_word_data(self, i2c_addr: int, register: int, force: bool | None = None) -> int:
        return int.from_bytes(self._call(i2c_addr, True, smbus.WORD_DATA, register, b"", force), "little")

    def write_word_data(self, i2c_addr: int, register: int, value: int, force: bool | None = None) -> None:
        self._call(i2c_addr, False, smbus.WORD_DATA, register, value.to_bytes(2, "little"), force)

    def process_call(self, i2c_addr: int, register: int, value: int, force: bool | None = None) -> int:
        data = value.to_bytes(2, "little")
        return int.from_bytes(
            self._call(i2c_addr, False, smbus.PROCESS_CALL, register, data, force), "little"
        )

    def read_block_data(self, i2c_addr: int, register: int, force: bool | None = None) -> list[int]:
        return list(self._call(i2c_addr, True, smbus.BLOCK_DATA, register, b"", force))

    def write_block_data(
        self, i2c_addr: int, register: int, data: Sequence[int], force: bool | None = None
    ) -> None:
        self._call(i2c_addr, False, smbus.BLOCK_DATA, register, bytes(data), force)

    def block_process_call(
        self, i2c_addr: int, register: int, data: Sequence[int], force: bool | None = None
    ) -> list[int]:
        return list(self._call(i2c_addr, False, smbus.BLOCK_PROC_CALL, register, bytes(data), force))

    def read_i2c_block_data(
        self, i2c_addr: int, register: int, length: int, force: bool | None = None
    ) -> list[int]:
        return list(self._call(i2c_addr, True, smbus.I2C_BLOCK_DATA, register, b"", force, length))

    def write_i2c_block_data(
        self, i2c_addr: int, register: int, data: Sequence[int], force: bool | None = None
    ) -> None:
        self._call(i2c_addr, False, smbus.I2C_BLOCK_DATA, register, bytes(data), force)

    def i2c_rdwr(self, *i2c_msgs: i2c_msg) -> None:
        if not self.funcs & smbus.FUNC_I2C:
            raise OSError(EOPNOTSUPP, f"{self.bus.name} can carry no plain I2C")
        answers = iter(self.bus.transfer([message_of(msg) for msg in i2c_msgs]))
        for msg in i2c_msgs:
            if msg.flags & smbus.M_RD:
                fill(msg, next(answers))

    def close(self) -> None:
        """Nothing: the bus is others' as well."""
