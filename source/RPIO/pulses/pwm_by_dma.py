# SPDX-License-Identifier: LGPL-3.0-or-later
"""PWM objects by DMA: lines of one period share a channel, in which each has one pulse."""

from __future__ import annotations

from .. import errors, log
from . import dma_engine
from .drives import NoLines
from .slots import NS_PER_US, is_subcycle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .subcycles import Subcycles


PERIOD_MAX_US = 1_000_000
"""A slower lamp is worth no memory of the VideoCore's: 6.8 MB is what a second of 10 us takes."""


class DmaLines(NoLines):
    """The lines that DMA drives for PWM objects, in channels that setup() has made possible."""

    def __init__(self, channels: Subcycles) -> None:
        self._channels = channels
        self._numbers: dict[int, int] = {}  # line -> its channel

    def drives(self, line: int) -> bool:
        """Whether DMA makes the pulses of the line."""
        return line in self._numbers

    @property
    def lines(self) -> list[int]:
        """All of them."""
        return list(self._numbers)

    def fits(self, line: int, period_ns: int) -> bool:
        """Whether a period is a subcycle: PWM.setup() was called and took DMA, and the slots divide it."""
        if self._channels.means != "dma" or line >= dma_engine.LINES:
            return False
        period_us, rest = divmod(period_ns, NS_PER_US)
        return not rest and period_us <= PERIOD_MAX_US and is_subcycle(period_us, self._channels.increment_us)

    def check(self, line: int, period_ns: int) -> None:
        """Raise DMAError with the reason, where the line cannot have PWM with that period by DMA."""
        if self._channels.means is None:
            reason = "before PWM.setup()"
        elif self._channels.means != "dma":
            reason = "where PWM.setup() has taken the C timer; the log says why"
        elif line >= dma_engine.LINES:
            reason = f"on lines above {dma_engine.LINES - 1}"
        elif not self.fits(line, period_ns):
            reason = (
                f"with a period of {period_ns / 1e6:g} ms: it takes 3 ms to 1 s, "
                f"a multiple of the slots of {self._channels.increment_us} us"
            )
        else:
            return
        raise errors.DMAError(
            f"GPIO {line}: no PWM by DMA {reason}", hint="PWM.setup() first, or another means"
        )

    def drive(self, line: int, period_ns: int, high_ns: int) -> bool:
        """Begin or change the pulses, as wide as is nearest in slots. False: it cannot be, and the line is low."""
        number = self._channel_of(line, period_ns)
        if self._numbers.get(line, number) != number:
            self.leave(line)
        if number is None:
            return False
        slot_ns = self._channels.increment_us * NS_PER_US
        try:
            self._channels.lend(number, line, (high_ns + slot_ns // 2) // slot_ns)
        finally:
            # What has begun can be left, also where a signal handler has left it in the middle.
            self._numbers[line] = number
        return True

    def _channel_of(self, line: int, period_ns: int) -> int | None:
        if not self.fits(line, period_ns):
            return None
        try:
            return self._channels.shared_channel(period_ns // NS_PER_US)
        except errors.GPIOError as e:
            log.warning("GPIO %d: no PWM by DMA: %s. The C timer makes the pulses instead.", line, e)
            return None

    def leave(self, line: int) -> bool:
        """End the pulses, low. Whether there were any."""
        number = self._numbers.get(line)
        if number is None:
            return False
        self._channels.take_back(number, line)
        self._numbers.pop(line, None)
        return True

    def forget(self) -> None:
        """Nothing is driven any more, or by another process."""
        self._numbers.clear()
