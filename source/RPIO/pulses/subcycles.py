# SPDX-License-Identifier: LGPL-3.0-or-later
"""The channels of RPIO.PWM: pulses in a subcycle that repeats, in slots of one width, on any number of lines.

The book of what was asked for is here, and so are the rules. A *means* carries it out, see means. Texts are
the original RPIO's where it had one.
"""

from __future__ import annotations

from .. import errors, log
from ..constants import DELAY_VIA_PCM, DELAY_VIA_PWM
from . import dma_engine
from .means import DmaMeans, SoftMeans, open_dma, paced
from .rules import check_means
from .slots import Slots, check_increment, check_number, check_subcycle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import RLock
    from collections.abc import Callable

    from ..backends import Backend
    from ..machine.boards import Hardware
    from .drives import Drives
    from .rules import Rules


class Subcycles:
    """All channels of a board. *make_output* sets a line up as an output, low, where it is none."""

    def __init__(
        self,
        pulses: Drives,
        make_output: Callable[[int], None],
        rules: Rules,
        backend: Callable[[], Backend],
        opened: Callable[[], Backend | None],
        hardware: Callable[[], Hardware],
        lock: RLock,
    ) -> None:
        self._pulses, self._make_output, self._rules = pulses, make_output, rules
        # What the hardware makes for servos; set by who has those.
        self.end_servos: Callable[[], object]
        self.end_servo: Callable[[int], object]
        self._backend, self._opened, self._hardware, self._lock = backend, opened, hardware, lock
        self._means: DmaMeans | SoftMeans | None = None
        self._timer = SoftMeans(opened)  # for channels that DMA has no room for
        self._increment_us = 0
        self._channels: dict[int, Slots] = {}
        self._is_for_waves = False  # the means was opened for a wave, not by setup()
        self._servo_channels: dict[int, int] = {}  # subcycle -> the channel that servos share
        self._lent_channels: dict[int, int] = {}  # the same, begun for PWM objects and of no servo
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
    def engine(self) -> dma_engine.Engine | None:
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
        """Open the means, *asked* or any. *fall_back*: the C timer, where DMA is refused. See PWM.setup()."""
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
            check_increment(increment_us)
            if delay_hw not in (DELAY_VIA_PWM, DELAY_VIA_PCM):
                raise errors.PulseError(f"delay_hw is DELAY_VIA_PWM or DELAY_VIA_PCM, not {delay_hw!r}")
            self._means = (
                open_dma(self._hardware(), self._backend(), increment_us, delay_hw, fall_back, asked)
                if asked != "soft"
                else None
            ) or self._timer
            self._increment_us = increment_us

    def open_for_waves(self, increment_us: int) -> None:
        """Open the DMA engine for a wave, where setup() was not called; release_waves() closes it again.

        Raises:
            GPIOError: it is refused.
        """
        with self._lock:
            if self._means is None:
                self._means = paced(dma_engine.Engine(self._hardware()), DELAY_VIA_PWM, increment_us)
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
            check_number(number)
            if number in self._channels:
                raise errors.PulseError(
                    f"channel {number} already initialized.", hint="PWM.clear_channel() empties it"
                )
            check_subcycle(subcycle_time_us, self._increment_us)
            channel = Slots(number, subcycle_time_us, self._increment_us)
            self._pulses.collect()
            channel.means = self._start(means, channel, asked, is_named)
            self._channels[number] = channel

    def _start(
        self, means: DmaMeans | SoftMeans, channel: Slots, asked: str | None, is_named: bool
    ) -> DmaMeans | SoftMeans:
        try:
            means.start(channel, is_named)
        except dma_engine.NoChannelError as e:
            if asked == "dma":
                raise
            log.warning(
                "Channel %d of RPIO.PWM is not by DMA: %s. The C timer makes its pulses instead.",
                channel.number,
                e,
            )
            return self._timer
        return means

    def shared_number(self, subcycle_time_us: int, asked: str | None, *more: dict[int, int]) -> int:
        """Return a channel with this subcycle that others share, one of those servos or of PWM objects; or a free one.

        *more* are numbers that servos have not used, and would.
        """
        self._check_setup("choosing a channel")
        for shared in (self._servo_channels, *more, self._lent_channels):
            channel = self._channels.get(shared.get(subcycle_time_us, -1))
            if (
                channel is not None
                and channel.subcycle_time_us == subcycle_time_us
                and asked in (None, channel.means.name)
            ):
                return channel.number
        free = [number for number in range(dma_engine.CHANNEL_MAX + 1) if number not in self._channels]
        if not free:
            raise errors.PulseError(
                f"all {dma_engine.CHANNEL_MAX + 1} channels are initialized", hint="cleanup() first"
            )
        return free[0]

    # -- lines of PWM objects: see pwm_by_dma ------------------------------------------------------

    def share(self, number: int, subcycle_time_us: int) -> None:
        """Servos use that channel now: it stays when PWM objects have left it."""
        self._servo_channels.setdefault(subcycle_time_us, number)
        if self._lent_channels.get(subcycle_time_us) == number:
            self._lent_channels.pop(subcycle_time_us, None)

    def shared_channel(self, subcycle_time_us: int) -> int:
        """Return a channel for a line of a PWM object; initialised.

        Raises:
            GPIOError: none is free.
        """
        with self._lock:
            number = self.shared_number(subcycle_time_us, "dma")
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
                self._carry_out(channel, line, {0: width}, channel.means.replace, 0, width)
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

    def channel(self, number: int) -> Slots:
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

    def _new_pulse(self, number: int, line: int, start: int, width: int) -> Slots:
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

    def _take(self, channel: Slots, line: int, pulses: dict[int, int]) -> None:
        self._pulses.check_free(line, channel)
        self._rules.ask_wave(*channel.as_wave(line, pulses), 0)
        check_means(self._rules, line, channel.means.name)
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
        self._rules.arm(line)

    def _resume(self, channel: Slots) -> None:
        if self._channels.get(channel.number) is channel:
            channel.means.resume(channel)

    def add(self, number: int, line: int, start: int, width: int) -> None:
        """Add a pulse. See PWM.add_channel_pulse()."""
        with self._lock:
            channel = self._new_pulse(number, line, start, width)
            pulses = channel.laid(line, start, width)
            self._take(channel, line, pulses)
            self._carry_out(channel, line, pulses, channel.means.add, start, width)

    def replace(self, number: int, line: int, start: int, width: int) -> None:
        """Make this the line's only pulse, without a glitch."""
        with self._lock:
            channel = self._new_pulse(number, line, start, width)
            pulses = {start: width} if width else {}
            self._take(channel, line, pulses)
            self._carry_out(channel, line, pulses, channel.means.replace, start, width)

    def _carry_out(
        self,
        channel: Slots,
        line: int,
        pulses: dict[int, int],
        change: Callable[[Slots, int, int, int], None],
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

    def _end_again(self, line: int) -> None:
        with self._lock:
            self.end_servo(line)
            for channel in list(filter(lambda c: line in c.pulses, list(self._channels.values()))):
                if self._pulses.has(line, channel):
                    self.clear_line(channel.number, line)
                else:
                    self._lose(channel, line)

    def note_end(self, line: int) -> None:
        """The pulses of a line have been ended: who is changing them ends them again."""
        self._ends[line] = self._ends.get(line, 0) + 1

    def clear_line(self, number: int, line: int) -> None:
        """Remove all pulses of a line from a channel; the line stays the channel's."""
        with self._lock:
            channel = self.channel(number)
            self.note_end(line)
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

    def _lose(self, channel: Slots, line: int) -> None:
        """The line is being cleaned up: no pulses any more, and not the channel's."""
        with self._lock:
            self.note_end(line)
            if self._channels.get(channel.number) is channel and line in channel.pulses:
                channel.pulses.pop(line, None)
                channel.means.lose(channel, line)

    def describe(self, number: int) -> str:
        """Return a channel and its pulses as text."""
        with self._lock:
            return self.channel(number).describe()

    # -- the end ----------------------------------------------------------------------------------

    def cleanup(self) -> None:
        """End all channels, their lines low, by DMA after the pulse that is on; forget setup(). Twice is fine."""
        with self._lock:
            self.end_servos()
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

    def _end(self, channel: Slots) -> None:
        """End a channel, and let go of its lines, whatever happens."""
        try:
            if channel.means.name == "dma":
                self.clear(channel.number)
            channel.means.stop(channel)
        finally:
            channel.is_over = True
            for line in channel.pulses:
                self.note_end(line)
                self._pulses.detach(line, channel)

    def abandon(self) -> None:
        """In the child of a fork: all of it is the parent's."""
        if self.engine is not None:
            self.engine.abandon()
        self.forget()

    def forget(self) -> None:
        """Nothing is set up any more."""
        self._timer.close()
        self._servo_channels.clear()
        self._lent_channels.clear()
        self._increment_us = 0
        self._channels.clear()
        self._means, self._is_for_waves = None, False  # the last: who is interrupted before begins again
