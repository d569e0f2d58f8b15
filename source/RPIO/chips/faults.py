# SPDX-License-Identifier: LGPL-3.0-or-later
"""What can be wrong with a chip on a simulated I2C bus: it stands around the chip and spoils what passes."""

from __future__ import annotations

from .chip import I2cChip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Fault:
    """What is wrong at an address; *times* is how often yet, None for ever."""

    def __init__(self, address: int, times: int | None) -> None:
        if times is not None and times < 1:
            raise ValueError(f"times is 1 or more, not {times}")
        self.address, self._times = address, times

    @property
    def is_over(self) -> bool:
        """Whether it has happened as often as it was to."""
        return self._times == 0

    def happens(self) -> bool:
        """Whether it happens now, which counts."""
        if self._times is not None:
            if self._times == 0:
                return False
            self._times -= 1
        return True

    def around(self, chip: I2cChip) -> I2cChip:
        """Return the chip with this around it, for a message."""
        raise NotImplementedError


class _Around(I2cChip):
    """Hands everything on."""

    def __init__(self, chip: I2cChip) -> None:
        self._chip = chip

    def start(self, is_read: bool) -> bool:
        return self._chip.start(is_read)

    def write(self, byte: int) -> bool:
        return self._chip.write(byte)

    def read(self) -> int:
        return self._chip.read()


class Nack(Fault):
    """It does not acknowledge: its address, or the written byte of that number, from 0."""

    def __init__(self, address: int, times: int | None, at_byte: int | None) -> None:
        super().__init__(address, times)
        self._at_byte = at_byte

    def around(self, chip: I2cChip) -> I2cChip:
        """Return the chip with this around it, for a message."""
        return _Deaf(self, chip, self._at_byte)


class _Deaf(_Around):
    def __init__(self, fault: Fault, chip: I2cChip, at_byte: int | None) -> None:
        super().__init__(chip)
        self._fault, self._left = fault, at_byte

    def start(self, is_read: bool) -> bool:
        if self._left is None and self._fault.happens():
            return False
        return self._chip.start(is_read)

    def write(self, byte: int) -> bool:
        if self._left is not None:
            self._left -= 1
            if self._left < 0 and self._fault.happens():
                return False
        return self._chip.write(byte)


class Stretch(Fault):
    """It holds the clock at each byte."""

    def __init__(self, address: int, times: int | None, wait: Callable[[], object]) -> None:
        super().__init__(address, times)
        self._wait = wait

    def hold(self) -> None:
        """Let the time go by, if it happens now."""
        if self.happens():
            self._wait()

    def around(self, chip: I2cChip) -> I2cChip:
        """Return the chip with this around it, for a message."""
        return _Slow(self, chip)


class _Slow(_Around):
    def __init__(self, fault: Stretch, chip: I2cChip) -> None:
        super().__init__(chip)
        self._fault = fault

    def write(self, byte: int) -> bool:
        self._fault.hold()
        return self._chip.write(byte)

    def read(self) -> int:
        self._fault.hold()
        return self._chip.read()
