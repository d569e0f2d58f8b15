# SPDX-License-Identifier: LGPL-3.0-or-later
"""From a bus and a chip select to who carries them.

Numbers are those of the machine whose lines the program has in use: this one's, a simulated board's, or another
machine's. A path (/dev/spidev0.1) is this machine's in any case.
"""

from __future__ import annotations

from errno import ENOENT

from .. import errors, threads
from ..backends import in_use, opening
from ..machine import access

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..backends import Backend
    from ..backends.buses import SpiBus

OF_KERNEL = ("regs", "cdev", "sysfs")
"""The backends beside whose lines are the buses of this machine's kernel."""
ENABLE = "switch it on with `sudo raspi-config nonint do_spi 0`, or by dtparam=spi=on in config.txt, and boot again"


def bus_of(bus: int, device: int) -> SpiBus:
    """Return the device of a bus and a chip select.

    Raises:
        NoBusError: there is none. (A FileNotFoundError.) NoAccessError: it may not be opened. (A PermissionError.)
        NoBackendError, OSError: it cannot be reached, or opened.
    """
    machine = in_use.machine()
    if machine.opened is None:  # no line is opened for a bus of this machine's
        word = opening.word_of(machine.spec)
        if word == "auto":
            word = opening.choose(opening.look(machine.spec))
        if word in OF_KERNEL:
            return bus_at(f"/dev/spidev{bus:d}.{device:d}")
    return of_backend(machine.backend, bus, device)


def bus_at(path: str) -> SpiBus:
    """Return the device of this machine that has that path."""
    threads.load("RPIO.spi.linux")
    from .linux import LinuxSpiBus

    try:
        return LinuxSpiBus(path)
    except PermissionError as e:
        raise access.no_access(e) from None
    except FileNotFoundError:
        raise errors.NoBusError(ENOENT, f"there is no SPI device {path}", hint=ENABLE) from None


def of_backend(backend: Backend, bus: int, device: int) -> SpiBus:
    """Return the device of a bus and a chip select beside a backend's lines."""
    make = BESIDE.get(backend.name)
    if make is None:
        return bus_at(f"/dev/spidev{bus:d}.{device:d}")
    return make(backend, bus, device)


def _simulated(backend: Backend, bus: int, device: int) -> SpiBus:
    threads.load("RPIO.chips.buses")
    from ..chips.buses import spi_bus

    return spi_bus(backend, bus, device)  # type: ignore[arg-type]


def _remote(backend: Backend, bus: int, device: int) -> SpiBus:
    threads.load("RPIO.spi.remote")
    from .remote import RemoteSpiBus

    return RemoteSpiBus(backend, bus, device)  # type: ignore[arg-type]


def _of_rraspy(backend: Backend, bus: int, device: int) -> SpiBus:
    raise errors.NotSupportedError("a device of RRaspPY's has no SPI")


BESIDE: dict[str, Callable[[Backend, int, int], SpiBus]] = {
    "sim": _simulated,
    "remote": _remote,
    "rraspy": _of_rraspy,
}
"""The name of a backend -> whose devices are beside its lines; this machine's kernel's where it is not here."""
