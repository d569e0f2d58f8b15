# SPDX-License-Identifier: LGPL-3.0-or-later
"""Si4703, a radio: sixteen registers of 16 bits, whose reads begin in the middle, without a pointer.

Source: Silicon Laboratories Si4702/03-C19 data sheet, 4.9 (2-wire mode: a read begins with the upper byte of 0x0A and
wraps from 0x0F to 0x00; a write begins with the upper byte of 0x02), 5 (register summary), 6.
"""

from __future__ import annotations

from .chip import I2cChip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..backends.sim import SimBackend

DEVICE_ID, CHIP_ID, POWER, CHANNEL, STATUS, READ_CHANNEL, TEST_1 = 0x00, 0x01, 0x02, 0x03, 0x0A, 0x0B, 0x07
POWER_UP = {DEVICE_ID: 0x1242, CHIP_ID: 0x1200, TEST_1: 0x0100}
"""As a Si4703 that has just been reset showed them."""
FIRST_READ, FIRST_WRITTEN, LAST_WRITTEN = STATUS, POWER, 0x09
TUNE, TUNED, ENABLE, CHANNEL_BITS = 0x8000, 0x4000, 0x0001, 0x03FF
TUNE_NS = 60_000_000
"""Source: table 8, seek/tune time."""


class Si4703(I2cChip):
    """*rssi*: how strong the station is that it tunes to, 0 to 75. ``registers`` has the sixteen."""

    def __init__(self, board: SimBackend, rssi: int = 35) -> None:
        self._clock = board.clock
        self.registers = [POWER_UP.get(register, 0) for register in range(16)]
        self.rssi = rssi
        self._at = 0  # in bytes
        self._tuned_ns: int | None = None

    def start(self, is_read: bool) -> bool:
        """Acknowledge; where it begins depends on the direction alone."""
        if self._tuned_ns is not None and self._clock.now_ns() >= self._tuned_ns:
            self._tuned_ns = None
            self.registers[STATUS] = TUNED | self.rssi
            self.registers[READ_CHANNEL] = self.registers[CHANNEL] & CHANNEL_BITS
        self._at = 2 * (FIRST_READ if is_read else FIRST_WRITTEN)
        return True

    def write(self, byte: int) -> bool:
        """Take the next byte of a register, the higher one first."""
        register, is_lower = divmod(self._at, 2)
        self._at += 1
        if register > LAST_WRITTEN:
            return False
        before = self.registers[register]
        self.registers[register] = before & 0xFF00 | byte if is_lower else before & 0x00FF | byte << 8
        if register == CHANNEL and is_lower:
            self._tune()
        return True

    def _tune(self) -> None:
        if not self.registers[CHANNEL] & TUNE:
            self._tuned_ns = None
            self.registers[STATUS] &= ~TUNED
        elif self.registers[POWER] & ENABLE:
            self._tuned_ns = self._clock.now_ns() + TUNE_NS

    def read(self) -> int:
        """Give the next byte."""
        register, is_lower = divmod(self._at, 2)
        self._at = (self._at + 1) % 32
        value = self.registers[register]
        return value & 0xFF if is_lower else value >> 8
