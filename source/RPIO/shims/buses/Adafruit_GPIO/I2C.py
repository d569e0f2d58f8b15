# SPDX-License-Identifier: LGPL-3.0-or-later
"""Devices on an I2C bus by Adafruit_GPIO's names. Source: Adafruit_GPIO 1.0.3, I2C.py, for names and defaults."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from . import Platform


def reverseByteOrder(data: int) -> int:
    """Return a number with its bytes in the other order."""
    return int.from_bytes(data.to_bytes(max(1, (data.bit_length() + 7) // 8), "big"), "little")


def get_default_bus() -> int:
    """Return the bus of the header: 0 of the first model B, else 1.

    Raises:
        RuntimeError: it is no Raspberry Pi.
    """
    if Platform.platform_detect() != Platform.RASPBERRY_PI:
        raise RuntimeError("Could not determine default I2C bus for platform.")
    return 0 if Platform.pi_revision() == 1 else 1


def get_i2c_device(
    address: int, busnum: int | None = None, i2c_interface: Callable[[int], Any] | None = None, **kwargs: Any
) -> Device:
    """Return the device at an address, on the header's bus or another."""
    return Device(address, get_default_bus() if busnum is None else busnum, i2c_interface, **kwargs)


def require_repeated_start() -> None:
    """Nothing: kernels that had to be told (before 4.4) are none that RPIO runs on."""


class Device:
    """The device at an address. *i2c_interface* makes an SMBus of a bus number; Adafruit_PureIO's where it is None."""

    def __init__(self, address: int, busnum: int, i2c_interface: Callable[[int], Any] | None = None) -> None:
        self._address = address
        make = i2c_interface or import_module("Adafruit_PureIO.smbus").SMBus
        self._bus = make(busnum)

    def writeRaw8(self, value: int) -> None:
        """Write a byte."""
        self._bus.write_byte(self._address, value & 0xFF)

    def write8(self, register: int, value: int) -> None:
        """Write a byte to a register."""
        self._bus.write_byte_data(self._address, register, value & 0xFF)

    def write16(self, register: int, value: int) -> None:
        """Write a word to a register, the lower byte first."""
        self._bus.write_word_data(self._address, register, value & 0xFFFF)

    def writeList(self, register: int, data: Sequence[int]) -> None:
        """Write bytes from a register on."""
        self._bus.write_i2c_block_data(self._address, register, data)

    def readList(self, register: int, length: int) -> bytearray:
        """Read bytes from a register on."""
        return self._bus.read_i2c_block_data(self._address, register, length)  # type: ignore[no-any-return]

    def readRaw8(self) -> int:
        """Read a byte."""
        return int(self._bus.read_byte(self._address)) & 0xFF

    def readU8(self, register: int) -> int:
        """Read the byte of a register, 0 to 255."""
        return int(self._bus.read_byte_data(self._address, register)) & 0xFF

    def readS8(self, register: int) -> int:
        """The same, -128 to 127."""
        value = self.readU8(register)
        return value - 0x100 if value > 0x7F else value

    def readU16(self, register: int, little_endian: bool = True) -> int:
        """Read the word of a register, 0 to 65535; its lower or its upper byte comes first."""
        value = int(self._bus.read_word_data(self._address, register)) & 0xFFFF
        return value if little_endian else (value & 0xFF) << 8 | value >> 8

    def readS16(self, register: int, little_endian: bool = True) -> int:
        """The same, -32768 to 32767."""
        value = self.readU16(register, little_endian)
        return value - 0x10000 if value > 0x7FFF else value

    def readU16LE(self, register: int) -> int:
        """readU16(), the lower byte first."""
        return self.readU16(register)

    def readU16BE(self, register: int) -> int:
        """readU16(), the upper byte first."""
        return self.readU16(register, little_endian=False)

    def readS16LE(self, register: int) -> int:
        """readS16(), the lower byte first."""
        return self.readS16(register)

    def readS16BE(self, register: int) -> int:
        """readS16(), the upper byte first."""
        return self.readS16(register, little_endian=False)
