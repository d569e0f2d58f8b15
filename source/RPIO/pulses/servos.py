# SPDX-License-Identifier: LGPL-3.0-or-later
"""Servos: one pulse in each subcycle, by the hardware's PWM where a line is connected to it, else in a channel.

Texts are the original RPIO's where it had one.
"""

from __future__ import annotations

from .. import errors
from ..constants import DELAY_VIA_PWM
from .slots import check_number, check_times

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import RLock

    from .drives import Drives
    from .hardware import HardwareLines
    from .pwmchip import PwmChannel
    from .rules import Rules
    from .subcycles import Subcycles

    Wanted = tuple[int | None, int, str | None]
    """Of a channel: its number or any, its subcycle in microseconds, and "dma" or "soft" where anybody insists."""


class Servos:
    """The servos of a board. What goes into *channels* is theirs; here is what the hardware drives."""

    def __init__(
        self, channels: Subcycles, drives: Drives, rules: Rules, hardware: HardwareLines, lock: RLock
    ) -> None:
        self._channels, self._drives, self._hardware, self._lock = channels, drives, hardware, lock
        self._rules = rules
        self._by_hardware: dict[int, PwmChannel] = {}

    check_times = staticmethod(check_times)

    # -- in channels -----------------------------------------------------------------------------

    def setup(self, number: int | None, subcycle_time_us: int, increment_us: int, asked: str | None) -> None:
        """Call setup() where it was not, for servos on a channel of that number or on any.

        Raises:
            AttributeError: setup() was called for another increment.
            PulseError: these cannot be a channel's; setup() took other means than what is *asked* for.
        """
        channels = self._channels
        with self._lock:
            if number is not None:
                check_number(number)
            check_times(subcycle_time_us, increment_us)
            if not channels.is_setup:
                channels.setup(increment_us, DELAY_VIA_PWM, fall_back=True, asked=asked)
            if asked not in (None, channels.means):
                raise errors.PulseError(
                    f"PWM is already setup with means={channels.means!r} (not {asked!r})",
                    hint="PWM.cleanup() first, or make that servo first",
                )
            if channels.increment_us != increment_us:
                raise AttributeError(
                    f"Error: PWM is already setup with pulse_incr_us={channels.increment_us} (not {increment_us})"
                )

    def _channel(self, wanted: Wanted) -> int:
        """Return the channel that is wanted, or one that servos with this subcycle share; initialised.

        Raises:
            AttributeError: it has another subcycle.
            DMAError: it is to be by DMA, and is not, or cannot be.
        """
        channels, (number, subcycle_time_us, asked) = self._channels, wanted
        is_named = number is not None
        number = self._number(wanted)
        if not channels.is_initialized(number):
            channels.init(number, subcycle_time_us, asked, is_named)
        channel = channels.channel(number)
        if channel.subcycle_time_us != subcycle_time_us:
            raise AttributeError(
                f"Error: DMA channel {number} has already been initialized with "
                f"subcycle_time_us={channel.subcycle_time_us} (not {subcycle_time_us})"
            )
        if asked not in (None, channel.means.name):
            raise errors.DMAError(
                f"channel {number} is not by DMA", hint="take another channel, or leave out means="
            )
        channels.share(number, subcycle_time_us)
        return number

    def _number(self, wanted: Wanted) -> int:
        """Without a number, servos share a channel: the original's default, 0, where that has their subcycle."""
        number, subcycle_time_us, asked = wanted
        if number is None:
            return self._channels.shared_number(subcycle_time_us, asked, {subcycle_time_us: 0})
        return number

    def means_of(self, wanted: Wanted) -> str | None:
        """What makes the pulses of the channel that is wanted; None before setup()."""
        channels = self._channels
        with self._lock:
            if not channels.is_setup:
                return None
            number = self._number(wanted)
            return channels.channel(number).means.name if channels.is_initialized(number) else channels.means

    # -- a servo ---------------------------------------------------------------------------------

    def set(self, wanted: Wanted, line: int, width_us: int, increment_us: int) -> None:
        """Have a pulse of that width on the line in each subcycle, by the means that is wanted."""
        if self.is_for_hardware(line, wanted[2]):
            self._set_hardware(line, wanted[1], width_us)
            return
        with self._lock:
            number = self._channel(wanted)
        self._channels.replace(number, line, 0, width_us // increment_us)

    def is_for_hardware(self, line: int, asked: str | None) -> bool:
        """Whether the hardware's PWM makes the pulses of the line, or would.

        Raises:
            NotSupportedError: it is *asked* for, and it cannot be.
        """
        has = line in self._by_hardware
        if asked == "hardware" and not has:
            self._hardware.check(line)
        if self._rules.is_limited(line):
            return False
        return has or (asked in (None, "hardware") and self._hardware.has(line))

    def _set_hardware(self, line: int, subcycle_time_us: int, width_us: int) -> None:
        if not 0 <= width_us <= subcycle_time_us:
            raise errors.PulseError(
                f"a pulse of {width_us}us does not fit into a subcycle of {subcycle_time_us}us"
            )
        with self._lock:
            self._rules.ask_pulses(line, subcycle_time_us * 1000, width_us * 1000)
            if line not in self._by_hardware:
                self._drives.attach(line, self, "a servo", self._lose, by_hardware=True)
                try:
                    self._by_hardware[line] = self._hardware.take(line)
                except BaseException:
                    self._drives.detach(line, self)
                    raise
            self._by_hardware[line].set(subcycle_time_us * 1000, width_us * 1000)
            self._by_hardware[line].enable()

    def stop(self, wanted: Wanted, line: int) -> None:
        """Remove all pulses of a line from the channel that is wanted, or those of the hardware."""
        channels = self._channels
        with self._lock:
            if line in self._by_hardware:
                self.stop_hardware(line)
                return
            if wanted[2] == "hardware":
                raise errors.PulseError(f"GPIO {line} has no pulses of this servo")
            number = self._number(wanted)
            if not channels.is_initialized(number):
                raise errors.PulseError(f"gpio {line} has not been used on channel {number} yet")
            channels.clear_line(number, line)

    def stop_hardware(self, line: int) -> None:
        """End what the hardware makes of it, low."""
        with self._lock:
            hardware = self._by_hardware.pop(line, None)
            if hardware is not None:
                self._channels.note_end(line)
                hardware.set_low()
                hardware.close()
                self._drives.detach(line, self)

    def _lose(self, line: int) -> None:
        """The line is being cleaned up."""
        self._channels.note_end(line)
        self.stop_hardware(line)

    def stop_all_hardware(self) -> None:
        """End what the hardware makes, of all lines."""
        for line in list(self._by_hardware):
            self.stop_hardware(line)

    def forget(self) -> None:
        """In the child of a fork: all of it is the parent's."""
        self._by_hardware.clear()
