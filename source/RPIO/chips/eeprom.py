# SPDX-License-Identifier: LGPL-3.0-or-later
"""24Cxx, memories that keep what they have: one or two bytes of address, then data.

Source: Microchip AT24C02C and AT24C32E data sheets: 6 (a write takes 5 ms at most, meanwhile it does not acknowledge;
the address rolls over within a page), 8 (reads roll over at the end of the memory).
"""

from __future__ import annotations

from .chip import I2cChip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..backends.sim import SimBackend

ONE_BYTE_MOST = 256
PAGES = {128: 8, 256: 8, 4096: 32, 8192: 32, 16384: 64, 32768: 64, 65536: 128}
"""Bytes of the memory -> of a page."""


class Eeprom(I2cChip):
    """A memory of *size* bytes, 128 (24C01), 256 (24C02), or 4096 (24C32) to 65536 (24C512), doubling each time.

    A write takes *write_ms* at its end; until then it does not acknowledge its address. ``data`` is a bytearray.
    """

    def __init__(self, board: SimBackend, size: int = 4096, data: bytes = b"", write_ms: float = 5.0) -> None:
        if size not in PAGES:
            raise ValueError(f"size is one of {', '.join(map(str, PAGES))}, not {size}")
        if len(data) > size:
            raise ValueError(f"{len(data)} bytes are more than the memory has, {size}")
        self.data = bytearray(b"\xff" * size)
        self.data[: len(data)] = data
        self._clock, self._page, self._write_ns = board.clock, PAGES[size], round(write_ms * 1_000_000)
        self._address_bytes = 1 if size <= ONE_BYTE_MOST else 2
        self._address = self._next = self._missing = 0
        self._written: dict[int, int] = {}
        self._busy_until_ns = 0

    def start(self, is_read: bool) -> bool:
        """Acknowledge, unless it writes."""
        self._written = {}
        if self._busy_until_ns and self._clock.now_ns() < self._busy_until_ns:
            return False
        self._missing = 0 if is_read else self._address_bytes
        if not is_read:
            self._next = 0
        return True

    def write(self, byte: int) -> bool:
        """Take a byte of the address, or of the page, which is written at the end."""
        if self._missing:
            self._missing -= 1
            self._next = self._next << 8 | byte
            if not self._missing:
                self._address = self._next % len(self.data)
            return True
        self._written[self._address] = byte
        first = self._address - self._address % self._page
        self._address = first + (self._address + 1) % self._page
        return True

    def read(self) -> int:
        """Give the next byte."""
        byte = self.data[self._address]
        self._address = (self._address + 1) % len(self.data)
        return byte

    def stop(self) -> None:
        """Write what has come."""
        if self._written:
            for address, byte in self._written.items():
                self.data[address] = byte
            self._written = {}
            self._busy_until_ns = self._clock.now_ns() + self._write_ns
