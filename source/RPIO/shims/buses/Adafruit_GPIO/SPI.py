# SPDX-License-Identifier: LGPL-3.0-or-later
"""Devices on an SPI bus by Adafruit_GPIO's names. Source: Adafruit_GPIO 1.0.3, SPI.py, for names and defaults."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

MSBFIRST, LSBFIRST = 0, 1


class SpiDev:
    """The device of a bus (port) and a chip select (device)."""

    def __init__(self, port: int, device: int, max_speed_hz: int = 500_000) -> None:
        self._device = import_module("spidev").SpiDev()
        self._device.open(port, device)
        self._device.max_speed_hz = max_speed_hz
        self._device.mode = 0
        self._device.cshigh = False

    def set_clock_hz(self, hz: int) -> None:
        """Set the speed."""
        self._device.max_speed_hz = hz

    def set_mode(self, mode: int) -> None:
        """Set the mode, 0 to 3."""
        if not 0 <= mode <= 3:
            raise ValueError("Mode must be a value 0, 1, 2, or 3.")
        self._device.mode = mode

    def set_bit_order(self, order: int) -> None:
        """MSBFIRST or LSBFIRST."""
        if order not in (MSBFIRST, LSBFIRST):
            raise ValueError("Order must be MSBFIRST or LSBFIRST.")
        self._device.lsbfirst = order == LSBFIRST

    def close(self) -> None:
        """Close it."""
        self._device.close()

    def write(self, data: Sequence[int]) -> None:
        """Write bytes."""
        self._device.writebytes(data)

    def read(self, length: int) -> bytearray:
        """Read bytes."""
        return bytearray(self._device.readbytes(length))

    def transfer(self, data: Sequence[int]) -> bytearray:
        """Write bytes, and return those that came meanwhile."""
        return bytearray(self._device.xfer2(data))
