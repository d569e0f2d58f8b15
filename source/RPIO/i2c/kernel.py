# SPDX-License-Identifier: LGPL-3.0-or-later
"""smbus2's class as it is used here: the calls that are made again and again cost less, and messages may be ours.

What such a call tells the kernel is a structure of smbus2's. It makes one for each call; here one of each kind is made
once, and taken out while it is used: whoever comes meanwhile, another thread or a signal handler, makes another one.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from ..processes import hooks
from ..stand_ins import installed

smbus2: Any = installed("smbus2")
library: Any = sys.modules[smbus2.SMBus.__module__]
if TYPE_CHECKING:
    SMBus: Any
else:
    SMBus = smbus2.SMBus

READ, WRITE = library.I2C_SMBUS_READ, library.I2C_SMBUS_WRITE
BYTE_DATA, WORD_DATA = library.I2C_SMBUS_BYTE_DATA, library.I2C_SMBUS_WORD_DATA
SMBUS = library.I2C_SMBUS


class KernelCalls(SMBus):  # type: ignore[misc]
    """smbus2.SMBus on a bus of the kernel's."""

    def __init__(self, bus: int | str | None = None, force: bool = False) -> None:
        self._spare: dict[tuple[int, int], list[tuple[Any, Any]]] = {
            (direction, size): [] for direction in (READ, WRITE) for size in (BYTE_DATA, WORD_DATA)
        }
        self._path: int | str | None = None
        super().__init__(bus, force)
        hooks.look_after(self)

    def open(self, bus: int | str) -> None:
        """As smbus2's."""
        self._path = bus
        super().open(bus)

    def after_fork(self) -> None:
        """In the child of a fork: the parent's file has one address for both, and each would take it for its own."""
        was_open, pec = self.fd is not None, self.pec
        self.close()
        if was_open and self._path is not None:
            self.open(self._path)
            if pec:
                self.enable_pec(pec)

    def shut_down(self) -> None:
        """At the end of the program: the kernel closes it."""

    def _exchange(
        self,
        kind: tuple[int, int],
        i2c_addr: int,
        register: int,
        force: bool | None,
        value: int | None = None,
    ) -> int:
        """Do a call of that direction and size; return what the data are afterwards. Raises OSError."""
        if self.address != i2c_addr or force is not None or self._force_last is not self.force:
            self._set_address(i2c_addr, force=force)
        spare = self._spare[kind]
        if spare:
            message, data = pair = spare.pop()
        else:
            message = library.i2c_smbus_ioctl_data.create(kind[0], 0, kind[1])
            data = message.data.contents
            pair = message, data
        message.command = register
        if value is not None:
            data.byte = value
        library.ioctl(self.fd, SMBUS, message)
        found: int = data.byte if kind[1] == BYTE_DATA else data.word
        spare.append(pair)
        return found

    def read_byte_data(self, i2c_addr: int, register: int, force: bool | None = None) -> int:
        return self._exchange((READ, BYTE_DATA), i2c_addr, register, force)

    def write_byte_data(self, i2c_addr: int, register: int, value: int, force: bool | None = None) -> None:
        self._exchange((WRITE, BYTE_DATA), i2c_addr, register, force, value)

    def read_word_data(self, i2c_addr: int, register: int, force: bool | None = None) -> int:
        return self._exchange((READ, WORD_DATA), i2c_addr, register, force)

    def i2c_rdwr(self, *i2c_msgs: Any) -> None:
        super().i2c_rdwr(*[smbus2.i2c_msg.from_buffer(msg) for msg in i2c_msgs])
