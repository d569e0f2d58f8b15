# SPDX-License-Identifier: LGPL-3.0-or-later
"""A chip that is a row of registers, as most are: a pointer is written first, then what follows is written or read."""

from __future__ import annotations

from .chip import I2cChip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Registers(I2cChip):
    """A chip of *count* registers of 8 or 16 bits, which may be written, but for those that are *read_only*.

    The pointer goes on by one with each register, and from the last to the first, unless *increments* is false. Of 16
    bits the higher byte comes first, or, with *order* "little", the lower one. ``values`` may be read and changed at
    any time; *on_write*(register, value) is called when a register has been written.
    """

    def __init__(
        self,
        width: int = 8,
        count: int = 256,
        values: Mapping[int, int] | None = None,
        order: str = "big",
        increments: bool = True,
        read_only: tuple[int, ...] = (),
        on_write: Callable[[int, int], object] | None = None,
    ) -> None:
        if width not in (8, 16):
            raise ValueError(f"registers have 8 or 16 bits, not {width}")
        if not 1 <= count <= 256:
            raise ValueError(f"a chip has 1 to 256 registers, not {count}")
        if order not in ("big", "little"):
            raise ValueError(f"order is big or little, not {order!r}")
        self.width, self.count = width, count
        self.values = [0] * count
        self.on_write = on_write
        self._order, self._step = order, 1 if increments else 0
        self._read_only = frozenset(read_only)
        self._pointer, self._has_pointer = 0, False
        self._bytes: list[int] = []  # of a 16-bit register, those that have come or that are still to go
        for register, value in (values or {}).items():
            self.set(register, value)

    def set(self, register: int, value: int) -> None:
        """Set a register, a read-only one too. ValueError for one that is not there, or has no room for the value."""
        if not 0 <= register < self.count:
            raise ValueError(f"registers are 0 to {self.count - 1}, not {register}")
        if not 0 <= value < 1 << self.width:
            raise ValueError(f"a register of {self.width} bits has no {value}")
        self.values[register] = value

    def start(self, is_read: bool) -> bool:
        """Acknowledge; the first written byte is the pointer."""
        self._has_pointer = is_read
        self._bytes = []
        return True

    def write(self, byte: int) -> bool:
        """Take the pointer, or a byte of a register."""
        if not self._has_pointer:
            self._pointer, self._has_pointer = byte % self.count, True
        elif self.width == 8:
            self._put(byte)
        else:
            self._bytes.append(byte)
            if len(self._bytes) == 2:
                self._put(int.from_bytes(self._bytes, "big" if self._order == "big" else "little"))
                self._bytes = []
        return True

    def _put(self, value: int) -> None:
        register = self._pointer
        self._pointer = (register + self._step) % self.count
        if register not in self._read_only:
            self.values[register] = value
            if self.on_write is not None:
                self.on_write(register, value)

    def read(self) -> int:
        """Give a byte of the register that the pointer is at."""
        if self._bytes:
            return self._bytes.pop()
        value = self.values[self._pointer]
        self._pointer = (self._pointer + self._step) % self.count
        if self.width == 8:
            return value & 0xFF
        first, second = value >> 8 & 0xFF, value & 0xFF
        if self._order == "little":
            first, second = second, first
        self._bytes.append(second)
        return first
