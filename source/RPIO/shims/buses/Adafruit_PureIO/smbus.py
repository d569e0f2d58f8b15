# SPDX-License-Identifier: LGPL-3.0-or-later
"""The SMBus of Adafruit_PureIO 1.1.12: names, arguments and errors are its, the bus is RPIO's. Under ``rpio run``."""

from __future__ import annotations

from collections.abc import Sequence

from RPIO import i2c
from RPIO.i2c import i2c_msg
from RPIO.wire.smbus import BLOCK_MAX

CLOSED = "Bus must be opened before operations are made against it!"


class SMBus:
    """A bus. Without a number it is opened by open(); numbers are cut to the bits that they have on the bus.

    Methods raise OSError where the bus says no, AssertionError where it is not open.
    """

    def __init__(self, bus: int | None = None) -> None:
        self._bus = i2c.SMBus()
        self._is_open = False
        if bus is not None:
            self.open(bus)

    def open(self, bus: int) -> None:
        """Open it, in the place of another."""
        self.close()
        self._bus.open(bus)
        self._is_open = True

    def close(self) -> None:
        """Close it. Twice is fine."""
        self._is_open = False
        self._bus.close()

    def __enter__(self) -> SMBus:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _opened(self) -> i2c.SMBus:
        assert self._is_open, CLOSED
        return self._bus

    def read_byte(self, addr: int) -> int:
        """Read a byte."""
        return self._opened().read_byte(addr & 0x7F)

    def read_bytes(self, addr: int, number: int) -> bytes:
        """Read bytes."""
        return self._exchange(addr, b"", number)

    def read_byte_data(self, addr: int, cmd: int) -> int:
        """Read the byte of a register."""
        return self._opened().read_byte_data(addr & 0x7F, cmd & 0xFF)

    def read_word_data(self, addr: int, cmd: int) -> int:
        """Read the word of a register, the lower byte first."""
        return self._opened().read_word_data(addr & 0x7F, cmd & 0xFF)

    def read_block_data(self, addr: int, cmd: int) -> list[int]:
        """The original has none."""
        raise NotImplementedError

    def read_i2c_block_data(
        self, addr: int, cmd: int | bytes | bytearray | memoryview, length: int = 32
    ) -> bytearray:
        """Read bytes from a register on, whose number may have several bytes."""
        self._opened()
        if isinstance(cmd, int) and 0 < length <= BLOCK_MAX:
            return bytearray(self._bus.read_i2c_block_data(addr & 0x7F, cmd, length))
        return bytearray(self._exchange(addr, bytes((cmd,)) if isinstance(cmd, int) else bytes(cmd), length))

    def write_quick(self, addr: int) -> None:
        """Write nothing but the address."""
        self._opened().write_quick(addr & 0x7F)

    def write_byte(self, addr: int, val: int) -> None:
        """Write a byte."""
        self._opened().write_byte(addr & 0x7F, val & 0xFF)

    def write_bytes(self, addr: int, buf: Sequence[int]) -> None:
        """Write bytes."""
        self._exchange(addr, bytes(buf))

    def write_byte_data(self, addr: int, cmd: int, val: int) -> None:
        """Write a byte to a register."""
        self._opened().write_byte_data(addr & 0x7F, cmd & 0xFF, val & 0xFF)

    def write_word_data(self, addr: int, cmd: int, val: int) -> None:
        """Write a word to a register, the lower byte first."""
        self._opened().write_word_data(addr & 0x7F, cmd & 0xFF, val & 0xFFFF)

    def write_block_data(self, addr: int, cmd: int, vals: Sequence[int]) -> None:
        """Write bytes to a register, their number before them."""
        self.write_i2c_block_data(addr, cmd, [len(vals) & 0xFF, *vals])

    def write_i2c_block_data(self, addr: int, cmd: int, vals: Sequence[int]) -> None:
        """Write bytes from a register on: any number of them."""
        data = bytes(vals)
        if 0 < len(data) <= BLOCK_MAX:
            self._opened().write_i2c_block_data(addr & 0x7F, cmd & 0xFF, list(data))
        else:
            self._exchange(addr, bytes((cmd & 0xFF,)) + data)

    def process_call(self, addr: int, cmd: int, val: int) -> int:
        """Write a word to a register, and read the answer."""
        data = (val & 0xFFFF).to_bytes(2, "little")
        return int.from_bytes(self._exchange(addr, bytes((cmd & 0xFF,)) + data, 2), "little")

    def _exchange(self, addr: int, sent: bytes, length: int = 0) -> bytes:
        messages = [i2c_msg.write(addr & 0x7F, sent)] if sent else []
        if length:
            messages.append(i2c_msg.read(addr & 0x7F, length))
        self._opened().i2c_rdwr(*messages)
        return bytes(messages[-1]) if length else b""
