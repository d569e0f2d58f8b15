# SPDX-License-Identifier: LGPL-3.0-or-later
"""The buses that a simulated board has, with chips or without: I2C 0 and 1, SPI 0.0 and 0.1."""

from __future__ import annotations

from errno import ENOENT

from ..errors import NoBusError
from .i2c_bus import SimulatedI2cBus
from .spi_bus import SimulatedSpi

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..backends.sim import SimBackend

I2C_BUSES = (0, 1)
"""0 is the one of the HATs' EEPROMs and, on the first model B, of the header."""
SPI_DEVICES = ((0, 0), (0, 1))


def i2c_bus(backend: SimBackend, number: int) -> SimulatedI2cBus:
    """Return the board's I2C bus of that number, always the same one.

    Raises:
        FileNotFoundError: it has none of that number; its hint names those that it has.
    """
    if number not in I2C_BUSES:
        raise NoBusError(
            ENOENT,
            f"there is no I2C bus {number}",
            hint="a simulated board has the I2C buses 0 and 1; on a Raspberry Pi the line dtparam=i2c_arm=on in "
            "/boot/firmware/config.txt makes bus 1, dtoverlay=i2c3 and others more",
        )
    found = backend.buses.get(f"i2c-{number}")
    if not isinstance(found, SimulatedI2cBus):
        found = backend.buses.setdefault(f"i2c-{number}", SimulatedI2cBus(backend, number))
        assert isinstance(found, SimulatedI2cBus)
    return found


def spi_bus(backend: SimBackend, bus: int, device: int) -> SimulatedSpi:
    """Return the board's SPI bus and chip select of those numbers, always the same one.

    Raises:
        FileNotFoundError: it has none of those numbers; its hint names those that it has.
    """
    if (bus, device) not in SPI_DEVICES:
        raise NoBusError(
            ENOENT,
            f"there is no SPI device {bus}.{device}",
            hint="a simulated board has SPI 0.0 and 0.1; on a Raspberry Pi the line dtparam=spi=on in "
            "/boot/firmware/config.txt makes those, dtoverlay=spi1-1cs and others more",
        )
    name = f"spi{bus}.{device}"
    found = backend.buses.get(name)
    if not isinstance(found, SimulatedSpi):
        found = backend.buses.setdefault(name, SimulatedSpi(bus, device))
        assert isinstance(found, SimulatedSpi)
    return found


def i2c_numbers(backend: SimBackend) -> list[int]:
    """The numbers of the board's I2C buses."""
    return list(I2C_BUSES)
