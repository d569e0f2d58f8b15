# SPDX-License-Identifier: LGPL-3.0-or-later
"""``smbus`` of a device of RRaspPY's: all of py-smbus 4.3, where the original has four methods. Under ``rpio run``."""

from __future__ import annotations

from collections.abc import Sequence

from RPIO.shims.rraspy_program import Kept


def _bytes(values: Sequence[int]) -> str:
    return f"[{', '.join(f'{value:d}' for value in values)}]"


class SMBus:
    """SMBus([bus]) -> a bus of the device, as /dev/i2c-[bus] there.

    Methods raise OSError with the device's number of the error, as smbus does.
    """

    def __init__(self, bus: int | None = None) -> None:
        self._kept: Kept | None = None
        if bus is not None:
            self.open(bus)

    def open(self, bus: int) -> None:
        """open(bus): connect to another bus."""
        kept = Kept("smbus", "smbus", None, f"smbus.SMBus({bus:d})")
        self.close()
        self._kept = kept

    def close(self) -> None:
        """close(): let go of the bus. Twice is fine."""
        kept, self._kept = self._kept, None
        if kept is not None:
            kept.end("close()")

    def _ask(self, command: str) -> object:
        if self._kept is None:
            raise OSError(9, "Bad file descriptor")
        return self._kept.ask(command)

    def _int(self, command: str) -> int:
        return int(self._ask(command))  # type: ignore[call-overload, no-any-return]

    def _list(self, command: str) -> list[int]:
        found: list[int] = list(self._ask(command))  # type: ignore[call-overload]
        return found

    @property
    def pec(self) -> int:
        """Whether packets have an error code."""
        return self._int("pec")

    @pec.setter
    def pec(self, value: object) -> None:
        """Have them have one, or not."""
        self._ask(f"__setattr__('pec', {int(bool(value))})")

    def write_quick(self, addr: int) -> None:
        """write_quick(addr): the read/write bit alone."""
        self._ask(f"write_quick({addr:d})")

    def read_byte(self, addr: int) -> int:
        """read_byte(addr) -> result"""
        return self._int(f"read_byte({addr:d})")

    def write_byte(self, addr: int, val: int) -> None:
        """write_byte(addr, val)"""
        self._ask(f"write_byte({addr:d}, {val:d})")

    def read_byte_data(self, addr: int, cmd: int) -> int:
        """read_byte_data(addr, cmd) -> result"""
        return self._int(f"read_byte_data({addr:d}, {cmd:d})")

    def write_byte_data(self, addr: int, cmd: int, val: int) -> None:
        """write_byte_data(addr, cmd, val)"""
        self._ask(f"write_byte_data({addr:d}, {cmd:d}, {val:d})")

    def read_word_data(self, addr: int, cmd: int) -> int:
        """read_word_data(addr, cmd) -> result"""
        return self._int(f"read_word_data({addr:d}, {cmd:d})")

    def write_word_data(self, addr: int, cmd: int, val: int) -> None:
        """write_word_data(addr, cmd, val)"""
        self._ask(f"write_word_data({addr:d}, {cmd:d}, {val:d})")

    def process_call(self, addr: int, cmd: int, val: int) -> int:
        """process_call(addr, cmd, val) -> result"""
        return self._int(f"process_call({addr:d}, {cmd:d}, {val:d})")

    def read_block_data(self, addr: int, cmd: int) -> list[int]:
        """read_block_data(addr, cmd) -> results"""
        return self._list(f"read_block_data({addr:d}, {cmd:d})")

    def write_block_data(self, addr: int, cmd: int, vals: Sequence[int]) -> None:
        """write_block_data(addr, cmd, vals)"""
        self._ask(f"write_block_data({addr:d}, {cmd:d}, {_bytes(vals)})")

    def block_process_call(self, addr: int, cmd: int, vals: Sequence[int]) -> list[int]:
        """block_process_call(addr, cmd, vals) -> results"""
        return self._list(f"block_process_call({addr:d}, {cmd:d}, {_bytes(vals)})")

    def read_i2c_block_data(self, addr: int, cmd: int, len: int = 32) -> list[int]:
        """read_i2c_block_data(addr, cmd, len=32) -> results"""
        return self._list(f"read_i2c_block_data({addr:d}, {cmd:d}, {len:d})")

    def write_i2c_block_data(self, addr: int, cmd: int, vals: Sequence[int]) -> None:
        """write_i2c_block_data(addr, cmd, vals)"""
        self._ask(f"write_i2c_block_data({addr:d}, {cmd:d}, {_bytes(vals)})")
