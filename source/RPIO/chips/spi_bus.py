# SPDX-License-Identifier: LGPL-3.0-or-later
"""A simulated SPI bus with one chip select."""

from __future__ import annotations

from _thread import RLock
from errno import EINVAL

from ..backends.buses import SpiBus
from .i2c_bus import error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..backends.buses import SpiSettings
    from .chip import SpiChip

LOOP = 0x20
"""The output is the input. Source: Linux, include/uapi/linux/spi/spi.h, SPI_LOOP."""
LSB_FIRST = 0x08
REVERSED = bytes(sum((byte >> bit & 1) << 7 - bit for bit in range(8)) for byte in range(256))


class SimulatedSpi(SpiBus):
    """A bus and a chip select of a simulated board; *chip* is who is there, None for nobody: all bits are 0."""

    is_quick = True

    def __init__(self, bus: int, device: int) -> None:
        self.name = f"simulated SPI device {bus}.{device}"
        self.chip: SpiChip | None = None
        self._selected: SpiChip | None = None
        self.lock = RLock()

    def add(self, chip: SpiChip) -> None:
        """Put a chip there. ValueError where another one is."""
        if self.chip not in (None, chip):
            raise ValueError(f"{self.name} is taken: {type(self.chip).__name__}")
        self.chip = chip

    def transfer(self, data: bytes, settings: SpiSettings) -> bytes:
        """Select the device, write *data*, and return what came meanwhile, as long.

        Raises:
            OSError: EINVAL for words that are no bytes, or a mode that is none.
        """
        if settings.bits_per_word not in (0, 8) or not 0 <= settings.mode <= 0xFF:
            raise error(EINVAL)
        if settings.mode & LOOP:
            return bytes(data)
        if settings.mode & LSB_FIRST:
            return self._carry(data.translate(REVERSED), settings).translate(REVERSED)
        return self._carry(data, settings)

    def _carry(self, data: bytes, settings: SpiSettings) -> bytes:
        with self.lock:
            chip = self.chip
            if chip is None:
                return bytes(len(data))
            if self._selected is not chip:
                self._selected = chip
                chip.select()
            try:
                return bytes([chip.transfer(byte) for byte in data])
            finally:
                if not settings.keeps_selected:
                    self._selected = None
                    chip.deselect()

    def after_fork(self) -> None:
        """Make it usable in the child, where another thread may have held it."""
        self.lock = RLock()

    def close(self) -> None:
        """Nothing: it is the board's, and there for the next one."""
