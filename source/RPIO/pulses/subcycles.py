# SPDX-License-Identifier: LGPL-3.0-or-later
"""The channels of RPIO.PWM: pulses in a subcycle that repeats, in slots of one width, on any number of lines.

The book of what was asked for is here, and so are the rules. A *means* carries it out, see channel_means. Texts are
the original RPIO's where it had one.
"""

from __future__ import annotations

from .. import errors, log
from ..constants import DELAY_VIA_PCM, DELAY_VIA_PWM
from . import dma_engine as dma
from .means import CHANNEL_MAX, Channel, DmaMeans, SoftMeans

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import RLock
    from collections.abc import Callable

    from ..backends import Backend
    from ..machine.boards import Hardware
    from .drives import Drives
    from .pwmchip import PwmChannel

SUBCYCLE_MIN_US = 3000
INCREMENT_MAX_US = 1000


class PulseChannels:
    """All channels of a board. *make_output* sets a line up as an output, low, where it is none."""

    def __init__(
        self,
        pulses: Drives,
        make_output: Callable[[int], None],
        backend: Callable[[], Backend],
        opened: Callable[[], Backend | None],
        hardware: Callable[[], Hardware],
        open_hardware: Callable[[int], PwmChannel],
        lock: RLock,
    ) -> None:
        self._pulses, self._make_output, self._open_hardware = pulses, make_output, open_hardware
        self._backend, self._opened, self._hardware, self._lock = backend, opened, hardware, lock
        self._means: DmaMeans | SoftMeans | None = None
        self._timer = SoftMeans(opened)  # for channels that DMA has no room for
        self._increment_us = 0
        self._channels: dict[int, Channel] = {}
        self._is_for_waves = False  # the means was opened for a wave, not by setup()
        self._servo_channels: dict[int, int] = {}  # subcycle -> the channel that servos share
        self._lent_channels: dict[int, int] = {}  # the same, begun for PWM objects and of no servo
        self._hardware_servos: dict[int, PwmChannel] = {}
        self._ends: dict[int, int] = {}  # line -> how often its pulses have been ended

    # -- setup ------------------------------------------------------------------------------------

    @property
    def is_setup(self) -> bool:
        """Whether setup() was called."""
        with self._lock:
            return self._means is not None and not self._is_for_waves

    @property
    def means(self) -> str | None:
        """What carries pulses out: "dma", "soft", or None before setup()."""
        with self._lock:
            return self._means.name if self._means and not self._is_for_waves else None

    @property
    def engine(self) -> dma.Engine | None:
        """The DMA engine, where it is what carries pulses out."""
        means = self._means  # once: another thread may clean up
        return means.engine if isinstance(means, DmaMeans) else None

    @property
    def increment_us(self) -> int:
        """The width of a slot.

        Raises:
            PulseError: setup() was not called.
        """
        with self._lock:
            self._check_setup("asking for the increment")
            return self._increment_us

    @property
    def slot_us(self) -> int:
        """The width of a slot of the means that is open, for setup() or for waves; 0: none is."""
        return self._increment_us

    def setup(
        self, increment_us: int, delay_hw: int, fall_back: bool = False, asked: str | None = None
    ) -> None:
        """Open the means. *fall_back*: take the C timer also where DMA could be, but is refused. See PWM.setup().

        *asked* is "dma" or "soft", where anybody insists.
        """
        with self._lock:
            self.release_waves()
            if self._means is not None and self._is_for_waves:
                raise errors.DMAError(
                    "a wave is being played by DMA, with slots of its own", hint="stop() it first"
                )
            if self._means is not None:
                raise errors.PulseError(
                    "setup(..) has already been called before",
                    hint=f"the increment is {self._increment_us} us; cleanup() first for another",
                )
            self._check_increment(increment_us)
            if delay_hw not in (DELAY_VIA_PWM, DELAY_VIA_PCM):
                raise errors.PulseError(f"delay_hw is DELAY_VIA_PWM or DELAY_VIA_PCM, not {delay_hw!r}")
            self._means = self._open_means(increment_us, delay_hw, fall_back, asked)
            self._increment_us = increment_us

    def _check_increment(self, increment_us: int) -> None:
        if not 1 <= increment_us <= INCREMENT_MAX_US:
            raise errors.PulseError(f"pulse_incr_us is 1 to {INCREMENT_MAX_US} us, not {increment_us}")

    def check_times(self, subcycle_time_us: int, increment_us: int) -> None:
        """Raise PulseError for what cannot be the times of a servo."""
        self._check_increment(increment_us)
        self._check_subcycle(subcycle_time_us, increment_us)

    def open_for_waves(self, increment_us: int) -> None:
        """Open the DMA engine for a wave, where setup() was not called; release_waves() closes it again.

        Raises:
            GPIOError: it is refused.
        """
        with self._lock:
            if self._means is None:
                self._means = self._paced(dma.Engine(self._hardware()), DELAY_VIA_PWM, increment_us)
                self._increment_us, self._is_for_waves = increment_us, True

    def release_waves(self) -> None:
        """Close what open_for_waves() has opened, where no wave is played by it any more."""
        with self._lock:
            self._pulses.collect()
            self.close_unused()

    def close_unused(self) -> None:
        """The same, for what has been let go of."""
        with self._lock:
            engine = self.engine
            if self._is_for_waves and engine is not None and not engine.is_used:
                engine.close()
                self.forget()

    def _open_means(
        self, increment_us: int, delay_hw: int, fall_back: bool, asked: str | None
    ) -> DmaMeans | SoftMeans:
        if asked == "soft":
            return self._timer
        reason = dma.why_not(self._hardware(), self._backend())
        if reason is None:
            try:
                engine = dma.Engine(self._hardware())
            except errors.GPIOError as e:
                if not fall_back or asked:
                    raise
                reason = str(e)
            else:
                return self._paced(engine, delay_hw, increment_us)
        if asked:
            raise errors.DMAError(f"PWM by DMA is not possible here: {reason}")
        log.warning("PWM by DMA is not possible here: %s. The C timer makes the pulses instead.", reason)
        return self._timer

    def _paced(self, engine: dma.Engine, delay_hw: int, increment_us: int) -> DmaMeans:
        try:
            return DmaMeans(engine, delay_hw, increment_us)
        except BaseException:
            engine.close()
            raise

    def _check_setup(self, what: str) -> DmaMeans | SoftMeans:
        if self._means is None or self._is_for_waves:
            raise errors.PulseError(f"you need to call `setup(..)` before {what}", hint="PWM.setup() first")
        return self._means

    # -- channels ---------------------------------------------------------------------------------

    def init(
        self, number: int, subcycle_time_us: int, asked: str | None = None, is_named: bool = True
    ) -> None:
        """Begin a channel. See PWM.init_channel().

        *asked* is "dma" where the C timer will not do. *is_named*: the program has chosen the number.
        """
        with self._lock:
            means = self._check_setup("initializing channels")
            self._check_number(number)
            if number in self._channels:
                raise errors.PulseError(
                    f"channel {number} already initialized.", hint="PWM.clear_channel() empties it"
                )
            self._check_subcycle(subcycle_time_us, self._increment_us)
            channel = Channel(number, subcycle_time_us, self._increment_us)
            self._pulses.collect()
            channel.means = self._start(means, channel, asked, is_named)
            self._channels[number] = channel

    def _start(
        self, means: DmaMeans | SoftMeans, channel: Channel, asked: str | None, is_named: bool
    ) -> DmaMeans | SoftMeans:
        try:
            means.start(channel, is_named)
        except dma.NoChannelError as e:
            if asked == "dma":
                raise
            log.warning(
                "Channel %d of RPIO.PWM is not by DMA: %s. The C timer makes its pulses instead.",
                channel.number,
                e,
            )
            return self._timer
        return means

    def _check_number(self, number: int) -> None:
        if not 0 <= number <= CHANNEL_MAX:
            raise errors.PulseError(
                f"maximum channel is {CHANNEL_MAX} (requested channel {number})",
                hint=f"take one from 0 to {CHANNEL_MAX}: it is a name, and any DMA channel that is free serves it",
            )

    def _check_subcycle(self, subcycle_time_us: int, increment_us: int) -> None:
        if subcycle_time_us < SUBCYCLE_MIN_US:
            raise errors.PulseError(
                f"subcycle time {subcycle_time_us}us is too small (min={SUBCYCLE_MIN_US}us)"
            )
        slots, rest = divmod(subcycle_time_us, increment_us)
        if rest:
            raise errors.PulseError(
                f"subcycle time {subcycle_time_us}us is no multiple of the increment, {increment_us}us"
            )
        if slots > dma.SLOTS_MAX:
            raise errors.PulseError(
                f"subcycle time {subcycle_time_us}us is too long: {slots} increments (max={dma.SLOTS_MAX})"
            )

    def is_subcycle(self, subcycle_time_us: int) -> bool:
        """Whether a channel may have this subcycle."""
        try:
            self._check_subcycle(subcycle_time_us, self._increment_us)
        except errors.PulseError:
            return False
        return True

    def setup_for_servos(
        self, number: int | None, subcycle_time_us: int, increment_us: int, asked: str | None
    ) -> None:
        """Call setup() where it was not, for servos on a channel of that number or on any.

        Raises:
            AttributeError: setup() was called for another increment.
            PulseError: these cannot be a channel's; setup() took other means than what is *asked* for.
        """
        with self._lock:
            if number is not None:
                self._check_number(number)
            self.check_times(subcycle_time_us, increment_us)
            if not self.is_setup:
                self.setup(increment_us, DELAY_VIA_PWM, fall_back=True, asked=asked)
            if asked not in (None, self.means):
                raise errors.PulseError(
                    f"PWM is already setup with means={self.means!r} (not {asked!r})",
                    hint="PWM.cleanup() first, or make that servo first",
                )
            if self.increment_us != increment_us:
                raise AttributeError(
                    f"Error: PWM is already setup with pulse_incr_us={self.increment_us} (not {increment_us})"
                )

    def servo_channel(self, number: int | None, subcycle_time_us: int, asked: str | None) -> int:
        """Return the channel of that number, or one that servos with this subcycle share; initialised.

        Raises:
            AttributeError: it has another subcycle.
            DMAError: it is to be by DMA, and is not, or cannot be.
        """
        with self._lock:
            is_named = number is not None
            number = self._of_servos(number, subcycle_time_us, asked)
            if number not in self._channels:
                self.init(number, subcycle_time_us, asked, is_named)
            channel = self.channel(number)
            if channel.subcycle_time_us != subcycle_time_us:
                raise AttributeError(
                    f"Error: DMA channel {number} has already been initialized with "
                    f"subcycle_time_us={channel.subcycle_time_us} (not {subcycle_time_us})"
                )
            if asked not in (None, channel.means.name):
                raise errors.DMAError(
                    f"channel {number} is not by DMA", hint="take another channel, or leave out means="
                )
            self._servo_channels.setdefault(subcycle_time_us, number)
            if self._lent_channels.get(subcycle_time_us) == number:
                self._lent_channels.pop(subcycle_time_us, None)
            return number

    def means_of_servos(self, number: int | None, subcycle_time_us: int, asked: str | None) -> str | None:
        """What makes the pulses of the channel that servo_channel() would return; None before setup()."""
        with self._lock:
            if not self.is_setup:
                return None
            channel = self._channels.get(self._of_servos(number, subcycle_time_us, asked))
            return self.means if channel is None else channel.means.name

    def stop_servo(self, number: int | None, subcycle_time_us: int, asked: str | None, line: int) -> None:
        """Remove all pulses of a line from the channel that servo_channel() would return, or those of the hardware."""
        with self._lock:
            if line in self._hardware_servos:
                self.stop_hardware_servo(line)
                return
            if asked == "hardware":
                raise errors.PulseError(f"GPIO {line} has no pulses of this servo")
            number = self._of_servos(number, subcycle_time_us, asked)
            if number not in self._channels:
                raise errors.PulseError(f"gpio {line} has not been used on channel {number} yet")
            self.clear_line(number, line)

    def _of_servos(self, number: int | None, subcycle_time_us: int, asked: str | None) -> int:
        """Without a number, servos share a channel: the original's default, 0, where that has their subcycle."""
        if number is None:
            return self._shared(subcycle_time_us, asked, self._servo_channels, {subcycle_time_us: 0})
        return number

    def _shared(self, subcycle_time_us: int, asked: str | None, *numbers: dict[int, int]) -> int:
        """Return the number of a channel that has this subcycle, of those or of the lent ones; or of a free one."""
        self._check_setup("choosing a channel")
        for shared in (*numbers, self._lent_channels):
            channel = self._channels.get(shared.get(subcycle_time_us, -1))
            if (
                channel is not None
                and channel.subcycle_time_us == subcycle_time_us
                and asked in (None, channel.means.name)
            ):
                return channel.number
        free = [number for number in range(CHANNEL_MAX + 1) if number not in self._channels]
        if not free:
            raise errors.PulseError(f"all {CHANNEL_MAX + 1} channels are initialized", hint="cleanup() first")
        return free[0]

    # -- lines of PWM objects: see dma_lines.py ----------------------------------------------------

    def shared_channel(self, subcycle_time_us: int) -> int:
        """Return a channel for a line of a PWM object; initialised.

        Raises:
            GPIOError: none is free.
        """
        with self._lock:
            number = self._shared(subcycle_time_us, "dma", self._servo_channels)
            if number not in self._channels:
                self.init(number, subcycle_time_us, "dma", is_named=False)
                self._lent_channels[subcycle_time_us] = number
            return number

    def lend(self, number: int, line: int, width: int) -> None:
        """Give a line, which is somebody else's, this pulse in a channel, or (0) none."""
        with self._lock:
            channel = self.channel(number)
            channel.pulses.setdefault(line, {})
            if width:
                self._replace(channel, line, 0, width)
            elif channel.pulses[line]:
                self.clear_line(number, line)

    def take_back(self, number: int, line: int) -> None:
        """End what lend() began, low; and the channel, where nobody else uses it."""
        with self._lock:
            channel = self._channels.get(number)
            if channel is None:
                return
            self._lose(channel, line)
            if not channel.pulses and number in self._lent_channels.values():
                channel.means.stop(channel)
                self._lent_channels.pop(channel.subcycle_time_us, None)
                self._channels.pop(number, None)

    def set_hardware_servo(self, line: int, subcycle_ns: int, width_ns: int) -> None:
        """Have the hardware's PWM make the pulses of a line that is connected to it."""
        with self._lock:
            if line not in self._hardware_servos:
                self._pulses.attach(line, self, "a servo", self._lose_hardware_servo, by_hardware=True)
                try:
                    self._hardware_servos[line] = self._open_hardware(line)
                except BaseException:
                    self._pulses.detach(line, self)
                    raise
            self._hardware_servos[line].set(subcycle_ns, width_ns)
            self._hardware_servos[line].enable()

    def has_hardware_servo(self, line: int) -> bool:
        """Whether the hardware makes the pulses of a servo on the line."""
        return line in self._hardware_servos

    def stop_hardware_servo(self, line: int) -> None:
        """End that, low."""
        with self._lock:
            hardware = self._hardware_servos.pop(line, None)
            if hardware is not None:
                self._note_end(line)
                hardware.set_low()
                hardware.close()
                self._pulses.detach(line, self)

    def _lose_hardware_servo(self, line: int) -> None:
        """The line is being cleaned up."""
        self._note_end(line)
        self.stop_hardware_servo(line)

    def check_hardware_free(self, line: int) -> None:
        """Raise for the hardware's PWM of a line where that paces DMA."""
        engine = self.engine
        if engine is not None and engine.uses_pwm:
            raise errors.DMAError(
                f"The PWM hardware of GPIO {line} paces DMA",
                hint="setup(delay_hw=PWM.DELAY_VIA_PCM) leaves it alone",
            )

    def is_initialized(self, number: int) -> bool:
        """Whether the channel was initialised."""
        return number in self._channels

    def channel(self, number: int) -> Channel:
        """Return a channel.

        Raises:
            PulseError: it was not initialised.
        """
        channel = self._channels.get(number)
        if channel is None:
            raise errors.PulseError(
                f"channel {number} has not been initialized with `init_channel(..)`",
                hint=f"PWM.init_channel({number}) first",
            )
        return channel

    def _new_pulse(self, number: int, line: int, start: int, width: int) -> Channel:
        """Check a pulse, and have its line be an output of the channel."""
        self._check_setup("adding pulses")
        channel = self.channel(number)
        last = self._backend().line_count - 1
        if not 0 <= line <= last:
            raise errors.PulseError(
                f"there is no GPIO {line} on this board", hint=f"pulses take BCM numbers, 0 to {last}"
            )
        channel.means.check_line(line)
        if not 0 <= start < channel.slots or width < 0:
            raise errors.PulseError(
                f"cannot add pulse to channel {number}: start {start}, width {width}",
                hint=f"starts are 0 to {channel.slots - 1}, and a width is 0 (low from there on) or more, "
                f"in slots of {self._increment_us} us",
            )
        if start + width > channel.slots:
            raise errors.PulseError(
                f"cannot add pulse to channel {number}: start+width exceed max_width of {channel.slots} "
                f"(start {start}, width {width})",
                hint=f"the subcycle has {channel.slots} slots of {self._increment_us} us",
            )
        return channel

    def _take(self, channel: Channel, line: int) -> None:
        self._pulses.check_free(line, channel)
        if line not in channel.pulses:
            self._make_output(line)
            self._pulses.attach(
                line,
                channel,
                f"channel {channel.number} of RPIO.PWM",
                lambda line: self._lose(channel, line),
                lambda: self._resume(channel),
            )
            channel.pulses[line] = {}

    def _resume(self, channel: Channel) -> None:
        if self._channels.get(channel.number) is channel:
            channel.means.resume(channel)

    def add(self, number: int, line: int, start: int, width: int) -> None:
        """Add a pulse. See PWM.add_channel_pulse()."""
        with self._lock:
            channel = self._new_pulse(number, line, start, width)
            self._take(channel, line)
            self._carry_out(channel, line, channel.laid(line, start, width), channel.means.add, start, width)

    def replace(self, number: int, line: int, start: int, width: int) -> None:
        """Make this the line's only pulse, without a glitch."""
        with self._lock:
            channel = self._new_pulse(number, line, start, width)
            self._take(channel, line)
            self._replace(channel, line, start, width)

    def _replace(self, channel: Channel, line: int, start: int, width: int) -> None:
        pulses = {start: width} if width else {}
        self._carry_out(channel, line, pulses, channel.means.replace, start, width)

    def _carry_out(
        self,
        channel: Channel,
        line: int,
        pulses: dict[int, int],
        change: Callable[[Channel, int, int, int], None],
        *numbers: int,
    ) -> None:
        """These become the line's pulses by that change, or stay what they were."""
        before = channel.pulses[line]
        channel.note(line, pulses)
        try:
            change(channel, line, *numbers)
        except BaseException:
            channel.pulses[line] = before
            raise

    def unless_ended(self, line: int, change: Callable[[], None]) -> None:
        """Change the pulses of a line; where a signal handler ends them before that is done, end them again."""
        with self._lock:
            before = self._ends.get(line)
            try:
                change()
            except Exception:
                if self._ends.get(line) == before:
                    raise
            if self._ends.get(line) != before:
                self._end_again(line)

    def _channels_with(self, line: int) -> list[Channel]:
        return [channel for channel in self._channels.values() if line in channel.pulses]

    def _end_again(self, line: int) -> None:
        with self._lock:
            self.stop_hardware_servo(line)
            for channel in self._channels_with(line):
                if self._pulses.has(line, channel):
                    self.clear_line(channel.number, line)
                else:
                    self._lose(channel, line)

    def _note_end(self, line: int) -> None:
        self._ends[line] = self._ends.get(line, 0) + 1

    def clear_line(self, number: int, line: int) -> None:
        """Remove all pulses of a line from a channel; the line stays the channel's."""
        with self._lock:
            channel = self.channel(number)
            self._note_end(line)
            if line not in channel.pulses:
                raise errors.PulseError(f"gpio {line} has not been used on channel {number} yet")
            channel.note(line, {})
            if line in channel.pulses:  # else a signal handler has cleaned it up meanwhile
                channel.means.clear(channel, line)

    def clear(self, number: int) -> None:
        """Remove all pulses from a channel."""
        with self._lock:
            for line in list(self.channel(number).pulses):
                self.clear_line(number, line)

    def _lose(self, channel: Channel, line: int) -> None:
        """The line is being cleaned up: no pulses any more, and not the channel's."""
        with self._lock:
            self._note_end(line)
            if self._channels.get(channel.number) is channel and line in channel.pulses:
                channel.pulses.pop(line, None)
                channel.means.lose(channel, line)

    def describe(self, number: int) -> str:
        """Return a channel and its pulses as text."""
        with self._lock:
            channel = self.channel(number)
            lines = [
                f"channel {number}: {channel.slots} slots of {channel.increment_us} us "
                f"({channel.subcycle_time_us} us), by {channel.means.describe(channel)}"
            ]
            for line, pulses in sorted(channel.pulses.items()):
                shown = (f"{start}+{width}" for start, width in sorted(pulses.items()))
                lines.append(f"  GPIO {line:2}: {', '.join(shown) or 'no pulse'}")
            return "\n".join(lines)

    # -- the end ----------------------------------------------------------------------------------

    def cleanup(self) -> None:
        """End all channels, their lines low, by DMA after the pulse that is on; forget setup(). Twice is fine."""
        with self._lock:
            for line in list(self._hardware_servos):
                self.stop_hardware_servo(line)
            self._pulses.end_lent()
            means, channels = self._means, list(self._channels.values())
            if means is None:
                return
            try:
                for channel in channels:
                    self._end(channel)
            finally:
                means.close()
                self.forget()

    def _end(self, channel: Channel) -> None:
        """End a channel, and let go of its lines, whatever happens."""
        try:
            if channel.means.name == "dma":
                self.clear(channel.number)
            channel.means.stop(channel)
        finally:
            channel.is_over = True
            for line in channel.pulses:
                self._note_end(line)
                self._pulses.detach(line, channel)

    def abandon(self) -> None:
        """In the child of a fork: all of it is the parent's."""
        if self.engine is not None:
            self.engine.abandon()
        self._hardware_servos.clear()
        self.forget()

    def forget(self) -> None:
        """Nothing is set up any more."""
        self._timer.close()
        self._servo_channels.clear()
        self._lent_channels.clear()
        self._increment_us = 0
        self._channels.clear()
        self._means, self._is_for_waves = None, False  # the last: who is interrupted before begins again
