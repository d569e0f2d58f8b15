# SPDX-License-Identifier: LGPL-3.0-or-later
"""What a simulated chip is to its bus: somebody who is told every byte, and answers."""

from __future__ import annotations


class I2cChip:
    """A chip on an I2C bus, byte by byte. The bus calls it, one call at a time, whichever thread has the bus.

    A call from it that fails is the chip's bug: what is wrong on the wire is said by not acknowledging.
    """

    def start(self, is_read: bool) -> bool:
        """Its address has come, after a start or a repeated one; whether it acknowledges."""
        return True

    def write(self, byte: int) -> bool:
        """A byte has come; whether it acknowledges."""
        return True

    def read(self) -> int:
        """Return the next byte, 0 to 255."""
        return 0xFF  # nobody pulls SDA down

    def stop(self) -> None:
        """The transfer is over."""


class SpiChip:
    """A chip on an SPI bus."""

    def select(self) -> None:
        """Its chip select has gone low."""

    def transfer(self, byte: int) -> int:
        """A byte goes in while another comes out."""
        return 0

    def deselect(self) -> None:
        """Its chip select has gone high."""
