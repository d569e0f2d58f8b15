# SPDX-License-Identifier: LGPL-3.0-or-later
"""A device that speaks SMBus itself: commands for bytes, words and blocks, process calls, and a PEC at the end.

Source: SMBus specification 3.2, 6.4 (a receiver does not acknowledge a wrong PEC; who reads on after the data gets the
PEC) and 6.5.
"""

from __future__ import annotations

from ..wire.smbus import BLOCK_MAX
from ..wire.smbus_messages import pec
from .chip import I2cChip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class SmbusDevice(I2cChip):
    """*values*: command -> what it has, bytes: one, two with the lower first, or, of *blocks*, 1 to 32.

    *processes*: command -> a function from the bytes that a process call writes to those that it answers. ``values``
    may be read and changed at any time. It needs its *address*, which a PEC covers.
    """

    def __init__(
        self,
        address: int,
        values: Mapping[int, bytes],
        blocks: tuple[int, ...] = (),
        processes: Mapping[int, Callable[[bytes], bytes]] | None = None,
    ) -> None:
        self.values = {command: bytes(value) for command, value in values.items()}
        self._blocks = frozenset(blocks)
        self._processes = dict(processes or {})
        for command, value in self.values.items():
            if not 1 <= len(value) <= (BLOCK_MAX if command in self._blocks else 2):
                raise ValueError(f"command 0x{command:02x} has {len(value)} bytes")
        self._address = address
        self._command = 0
        self._written: list[int] = []  # with the command
        self._crc = 0
        self._answer: list[int] = []

    def start(self, is_read: bool) -> bool:
        if is_read:
            self._answer = self._answered()
        self._crc = pec(bytes([self._address << 1 | is_read]), self._crc)
        return True

    def _answered(self) -> list[int]:
        """What the command answers, with a count where it is a block's."""
        written = bytes(self._written[1:])
        value = self.values.get(self._command, b"\xff")
        if written and self._command in self._processes:
            is_block = self._command in self._blocks
            value = self._processes[self._command](written[1:] if is_block else written)
        self._written = []
        return [*([len(value)] if self._command in self._blocks else []), *value]

    def write(self, byte: int) -> bool:
        if not self._written:
            self._command = byte
        if len(self._written) == self._length() + 1:
            return byte == self._crc
        self._crc = pec(bytes([byte]), self._crc)
        self._written.append(byte)
        return True

    def _length(self) -> int:
        """How many bytes are written behind the command."""
        if self._command not in self._blocks:
            return len(self.values.get(self._command, b"\0\0"))
        return BLOCK_MAX + 1 if len(self._written) < 2 else self._written[1] + 1

    def read(self) -> int:
        if not self._answer:
            return self._crc
        byte = self._answer.pop(0)
        self._crc = pec(bytes([byte]), self._crc)
        return byte

    def stop(self) -> None:
        if len(self._written) == self._length() + 1 and self._command in self.values:
            self.values[self._command] = bytes(self._written[2 if self._command in self._blocks else 1 :])
        self._written, self._crc, self._answer = [], 0, []
