# SPDX-License-Identifier: LGPL-3.0-or-later
"""``smbus``: py-smbus 4.3 of i2c-tools, on whatever has the lines. Under ``rpio run``.

Source: i2c-tools 4.3, py-smbus/smbusmodule.c, for names, arguments and errors.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from RPIO import i2c
from RPIO.wire.smbus import BLOCK_MAX

Result = TypeVar("Result")
LIST = "Third argument must be a list of at least one, but not more than 32 integers"


def _block(values: list[int]) -> list[int]:
    if not isinstance(values, list) or not all(isinstance(value, int) for value in values):
        raise TypeError(LIST)
    if len(values) > BLOCK_MAX:
        raise OverflowError(LIST)
    return [value & 0xFF for value in values]


class SMBus:
    """SMBus([bus]) -> SMBus: a bus, connected to /dev/i2c-[bus] or its like.

    Numbers are cut to the bits that they have there. Methods raise OSError.
    """

    def __init__(self, bus: int | None = None) -> None:
        self._bus = i2c.SMBus()
        if bus is not None:
            self.open(bus)

    def open(self, bus: int) -> None:
        """open(bus): connect to another bus."""
        self._bus.open(int(bus))

    def close(self) -> None:
        """close(): let go of the bus. Twice is fine."""
        self._bus.close()

    def _ask(self, call: Callable[..., Result], addr: int, *more: object) -> Result:
        """An address that no device can have is the kernel's affair, which says EINVAL."""
        if not 0 <= addr <= 0x7F:
            raise OSError(22, "Invalid argument")
        return call(addr, *more)

    @property
    def pec(self) -> int:
        """Whether packets have an error code."""
        return int(self._bus.pec)

    @pec.setter
    def pec(self, value: object) -> None:
        """Have them have one, or not."""
        if bool(value) != bool(self._bus.pec):
            self._bus.enable_pec(bool(value))

    def write_quick(self, addr: int) -> None:
        """write_quick(addr): the read/write bit alone."""
        self._ask(self._bus.write_quick, addr)

    def read_byte(self, addr: int) -> int:
        """read_byte(addr) -> result"""
        return self._ask(self._bus.read_byte, addr)

    def write_byte(self, addr: int, val: int) -> None:
        """write_byte(addr, val)"""
        self._ask(self._bus.write_byte, addr, val & 0xFF)

    def read_byte_data(self, addr: int, cmd: int) -> int:
        """read_byte_data(addr, cmd) -> result"""
        return self._ask(self._bus.read_byte_data, addr, cmd & 0xFF)

    def write_byte_data(self, addr: int, cmd: int, val: int) -> None:
        """write_byte_data(addr, cmd, val)"""
        self._ask(self._bus.write_byte_data, addr, cmd & 0xFF, val & 0xFF)

    def read_word_data(self, addr: int, cmd: int) -> int:
        """read_word_data(addr, cmd) -> result"""
        return self._ask(self._bus.read_word_data, addr, cmd & 0xFF)

    def write_word_data(self, addr: int, cmd: int, val: int) -> None:
        """write_word_data(addr, cmd, val)"""
        self._ask(self._bus.write_word_data, addr, cmd & 0xFF, val & 0xFFFF)

    def process_call(self, addr: int, cmd: int, val: int) -> int:
        """process_call(addr, cmd, val) -> result"""
        return self._ask(self._bus.process_call, addr, cmd & 0xFF, val & 0xFFFF)

    def read_block_data(self, addr: int, cmd: int) -> list[int]:
        """read_block_data(addr, cmd) -> results"""
        return self._ask(self._bus.read_block_data, addr, cmd & 0xFF)

    def write_block_data(self, addr: int, cmd: int, vals: list[int]) -> None:
        """write_block_data(addr, cmd, vals)"""
        self._ask(self._bus.write_block_data, addr, cmd & 0xFF, _block(vals))

    def block_process_call(self, addr: int, cmd: int, vals: list[int]) -> list[int]:
        """block_process_call(addr, cmd, vals) -> results"""
        return self._ask(self._bus.block_process_call, addr, cmd & 0xFF, _block(vals))

    def read_i2c_block_data(self, addr: int, cmd: int, len: int = 32) -> list[int]:
        """read_i2c_block_data(addr, cmd, len=32) -> results"""
        if not 0 <= len <= BLOCK_MAX:
            raise OSError(22, "Invalid argument")
        return self._ask(self._bus.read_i2c_block_data, addr, cmd & 0xFF, len)

    def write_i2c_block_data(self, addr: int, cmd: int, vals: list[int]) -> None:
        """write_i2c_block_data(addr, cmd, vals)"""
        self._ask(self._bus.write_i2c_block_data, addr, cmd & 0xFF, _block(vals))
