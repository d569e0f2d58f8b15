# SPDX-License-Identifier: LGPL-3.0-or-later
"""Who is at a bus: each address is asked, in a way that changes nothing there."""

from __future__ import annotations

from errno import EBUSY, EIO, ENODEV, ENXIO, EREMOTEIO

from .. import errors
from ..wire.smbus import FUNC_SMBUS_QUICK, FUNC_SMBUS_READ_BYTE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Protocol

    class Asked(Protocol):
        """An SMBus."""

        @property
        def funcs(self) -> int:
            """What it can do."""

        def write_quick(self, i2c_addr: int) -> None:
            """Send the address alone."""

        def read_byte(self, i2c_addr: int) -> int:
            """Return a byte."""


NOBODY = frozenset({ENXIO, EREMOTEIO, ENODEV, EIO})
"""What adapters say where nobody acknowledges."""
READ_BY_BYTE = (range(0x30, 0x38), range(0x50, 0x60))
"""Addresses where a quick write might change something, of EEPROMs mostly: a byte is read there. Source: the manual of
i2cdetect(8).
"""
QUICK, BYTE = "quick", "byte"
"""How is asked: by a quick write, or by reading a byte."""


def probed(
    smbus: Asked, addresses: Sequence[int], how: str | None = None
) -> Iterator[tuple[int, bool, bool]]:
    """Ask at each of these addresses: yield it, whether somebody is there, and whether a kernel driver has it. *how* is
    QUICK or BYTE, at all of them; None is what suits each.

    Raises:
        OSError: the bus itself does not work (ETIMEDOUT: it is stuck), or another one holds it.
    """
    functions = smbus.funcs
    for address in addresses:
        way = how or (BYTE if any(address in some for some in READ_BY_BYTE) else QUICK)
        if way == QUICK and not functions & FUNC_SMBUS_QUICK:
            way = BYTE
        elif way == BYTE and not functions & FUNC_SMBUS_READ_BYTE:
            way = QUICK
        yield address, *_asked(smbus, address, way)


def _asked(smbus: Asked, address: int, way: str) -> tuple[bool, bool]:
    """Whether somebody is there, and whether a driver has it."""
    try:
        if way == QUICK:
            smbus.write_quick(address)
        else:
            smbus.read_byte(address)
    except errors.GPIOError:
        raise
    except OSError as e:
        if e.errno == EBUSY:
            return True, True
        if e.errno in NOBODY:
            return False, False
        raise
    return True, False
