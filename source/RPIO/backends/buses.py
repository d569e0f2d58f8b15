# SPDX-License-Identifier: LGPL-3.0-or-later
"""What an I2C and an SPI bus promise, whoever carries them: the kernel, a simulated board, or another machine."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import RLock
    from collections.abc import Sequence
    from typing import Any

    from .._gpio import Turn
    from ..wire.smbus import Message, SmbusCall


class I2cBus:
    """An I2C bus. Calls of several threads come one after the other, each as a whole."""

    name: str = ""
    """What it is, for people: "/dev/i2c-1"."""
    is_quick: bool = False
    """It answers at once, so that nobody needs a thread to wait for it."""
    lock: Turn
    """Of who uses it in this process: held for a call, or for a sequence of them."""

    is_held: bool = False
    """A thread of this process holds it for a sequence of calls: the one that has the lock."""

    def functions(self) -> int:
        """Return what it can do, the FUNC_ bits of wire.smbus."""
        raise NotImplementedError

    def smbus(self, call: SmbusCall) -> bytes:
        """Carry out a call; return what was read, without counts and PEC: of a word the lower byte first.

        Raises:
            OSError: EREMOTEIO (or ENXIO) where nobody acknowledges, ETIMEDOUT where the bus is stuck, EBADMSG for a
                wrong PEC, EPROTO for a block whose length is none, EOPNOTSUPP for what the bus cannot do, EBUSY for an
                address that a driver has.
        """
        raise NotImplementedError

    def transfer(self, messages: Sequence[Message]) -> list[bytes]:
        """Carry out messages with repeated starts between them and one stop; return what each of those that read has
        read. Errors are those of smbus().
        """
        raise NotImplementedError

    def calls(self, force: bool) -> Any:
        """Return an smbus2.SMBus on it, where there is one; None elsewhere."""
        return None

    def hold(self, wait_s: float) -> None:
        """Have it alone among all programs that reach it, as far as that can be had; wait so long for who has it. The
        caller has the lock, so that there is one hold at a time.

        Raises:
            BusError: somebody has it still; the text says who. (An OSError, EBUSY.)
        """

    def release(self) -> bool:
        """Let others have it again. Whether it was held until now."""
        return True

    def after_fork(self) -> None:
        """Make it usable in the child of a fork, where another thread may have held a lock of it."""

    def close(self) -> None:
        """Give it up. Twice is fine."""
        raise NotImplementedError


class SpiBus:
    """A device on an SPI bus: a bus and a chip select."""

    name: str = ""
    is_quick: bool = False
    is_held: bool = False
    """Nobody holds one for longer than a call."""
    lock: RLock
    """Of who uses it in this process: a server holds it for a transfer of somebody's."""
    block_max: int = 4096
    """Bytes of one transfer."""

    def transfer(self, data: bytes, settings: SpiSettings) -> bytes:
        """Select the device, write *data*, and return what came meanwhile, as long.

        Raises:
            OSError: EINVAL for settings that the bus cannot have, EMSGSIZE for more than block_max bytes.
        """
        raise NotImplementedError

    def after_fork(self) -> None:
        """Make it usable in the child of a fork, where another thread may have held a lock of it."""

    def write(self, data: bytes, settings: SpiSettings) -> None:
        """Write alone: where both directions share a wire (SPI_3WIRE) there is no other way."""
        self.transfer(data, settings)

    def read(self, length: int, settings: SpiSettings) -> bytes:
        """Read alone. Nothing at all is read to have the device let go of: see SpiDev.read0."""
        return self.transfer(bytes(length), settings) if length else b""

    def settings(self) -> SpiSettings:
        """Return how the device is set before anything else is asked for."""
        return SpiSettings()

    def configure(self, settings: SpiSettings) -> None:
        """Try settings without a transfer. Errors are those of transfer()."""

    def fileno(self) -> int:
        """Return the descriptor of its file; -1 where it has none."""
        return -1

    def close(self) -> None:
        """Give it up. Twice is fine."""
        raise NotImplementedError


class SpiSettings:
    """How a transfer goes: mode 0 to 3 and further flags of the kernel's, speed, bits of a word, times."""

    __slots__ = ("bits_per_word", "delay_us", "keeps_selected", "mode", "speed_hz")

    def __init__(
        self,
        mode: int = 0,
        speed_hz: int = 125_000_000,
        bits_per_word: int = 8,
        delay_us: int = 0,
        keeps_selected: bool = False,
    ) -> None:
        self.mode, self.speed_hz, self.bits_per_word = mode, speed_hz, bits_per_word
        self.delay_us, self.keeps_selected = delay_us, keeps_selected
