# SPDX-License-Identifier: LGPL-3.0-or-later
"""A device on an SPI bus of another process, or another machine: each transfer is one request, and its answer."""

from __future__ import annotations

from _thread import RLock
from errno import EINVAL

from ..backends.buses import SpiBus

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..backends.buses import SpiSettings
    from ..backends.remote import RemoteBackend

SPEED_MAX_HZ = 1 << 31


class RemoteSpiBus(SpiBus):
    """The device of a bus and a chip select beside the lines of a backend, in whose session everything is asked."""

    def __init__(self, backend: RemoteBackend, bus: int, device: int) -> None:
        self.lock = RLock()
        self._ask = backend.ask
        self._place = bus, device
        self.name = f"SPI device {bus}.{device} at {backend.place}"

    def configure(self, settings: SpiSettings) -> None:
        """Refuse what no device could have; the device itself sees them with the next transfer."""
        if not 0 < settings.speed_hz <= SPEED_MAX_HZ:
            raise OSError(EINVAL, "Invalid argument")

    def transfer(self, data: bytes, settings: SpiSettings) -> bytes:
        """Write and read at once."""
        self.configure(settings)
        mine = settings
        (got,) = self._ask(
            "spi",
            *self._place,
            mine.mode,
            mine.speed_hz,
            mine.bits_per_word,
            mine.delay_us,
            mine.keeps_selected,
            data,
        )
        return got  # type: ignore[no-any-return]

    def close(self) -> None:
        """Nothing: the session is the board's."""
