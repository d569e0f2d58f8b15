# SPDX-License-Identifier: LGPL-3.0-or-later
"""``RPIO.PWM``: RPi.GPIO's class, and the original RPIO's functions, channels and servos.

::

    RPIO.setup(18, RPIO.OUT)
    led = RPIO.PWM(18, 100)         # 100 Hz
    led.start(25)                   # a quarter of each period high
    led.ChangeDutyCycle(50)
    led.stop()

    from RPIO import PWM
    servo = PWM.Servo()
    servo.set_servo(17, 1200)       # a pulse of 1200 us, every 20 ms
    servo.stop_servo(17)

    PWM.setup()                     # slots of 10 us
    PWM.init_channel(5)             # that repeat every 20 ms
    PWM.add_channel_pulse(5, 17, start=50, width=100)

Pulses are made by the best means that there is: the hardware's PWM, where an overlay has connected the line to it; DMA,
which takes no processor time and has no jitter; or the C timer. ``means`` tells which.

The module is its class: ``RPIO.PWM(18, 100)`` and ``import RPIO.PWM`` are both what programs do.
"""

from __future__ import annotations

import sys
from _operator import index

from . import arguments, errors, facade
from .channels import DELAY_VIA_PCM, DELAY_VIA_PWM
from .model import VERSION as RPIO_VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .channels import PulseChannels


def _channels() -> PulseChannels:
    return facade.board.channels


def _means_of(means: str | None) -> str | None:
    """Check what makes pulses, if anybody insists."""
    if means not in (None, "hardware", "dma", "soft"):
        raise ValueError(f"means is 'hardware', 'dma', 'soft' or None, not {means!r}")
    return means


class Servo:
    """Servos, or whatever else takes one pulse in each subcycle, on any number of lines.

    A line that an overlay has connected to the hardware's PWM gets its pulses from there; the others by DMA from one
    channel, or from the C timer. *dma_channel* None takes one that servos share, and the C timer where DMA is
    refused; a number insists on that channel. *subcycle_time_us* is the time from pulse to pulse, *pulse_incr_us* what
    widths are multiples of. *means* insists on "hardware", "dma" or "soft". setup() is called where it was not yet.

    Raises:
        AttributeError: setup(), or the channel, have other times.
        RuntimeError: see PWM.setup() and PWM.init_channel().
    """

    def __init__(
        self,
        dma_channel: int | None = None,
        subcycle_time_us: int = 20_000,
        pulse_incr_us: int = 10,
        *,
        means: str | None = None,
    ) -> None:
        number = None if dma_channel is None else index(dma_channel)
        self._subcycle_time_us, self._increment_us = index(subcycle_time_us), index(pulse_incr_us)
        self._asked_means = _means_of(means)
        if means == "hardware":
            _channels().check_times(self._subcycle_time_us, self._increment_us)
        else:
            self._channel = _channels().servo_channel(
                number, self._subcycle_time_us, self._increment_us, means
            )

    @property
    def means(self) -> str | None:
        """What makes the pulses of lines that the hardware's PWM does not reach: "dma" or "soft"."""
        return None if self._asked_means == "hardware" else _channels().means

    def means_of(self, gpio: int) -> str | None:
        """What makes the pulses of this line, when it is set: "hardware", "dma" or "soft"."""
        return "hardware" if self._is_for_hardware(gpio) else self.means

    def set_servo(self, gpio: int, pulse_width_us: int) -> None:
        """Have a pulse of that width on the GPIO (BCM number) in each subcycle, from the next one on, without a glitch.

        Raises:
            AttributeError: the width is no multiple of the increment. RuntimeError: it is too long, or the GPIO is not
            on the header.
        """
        gpio, width_us = index(gpio), index(pulse_width_us)
        _channels().unless_ended(gpio, lambda: self._set(gpio, width_us))

    def _set(self, gpio: int, width_us: int) -> None:
        if self._asked_means != "hardware":
            self._increment_us = _channels().increment_us
        if width_us % self._increment_us:
            raise AttributeError(
                f"Pulse width increment granularity {self._increment_us}us cannot divide a pulse-time of {width_us}us"
            )
        if self._is_for_hardware(gpio):
            self._set_hardware(gpio, width_us)
        else:
            _channels().replace(self._channel, gpio, 0, width_us // self._increment_us)

    def _is_for_hardware(self, gpio: int) -> bool:
        """Whether the hardware's PWM makes the pulses of the line, or would.

        Raises:
            NotSupportedError: the servo insists on that, and it cannot be.
        """
        has = _channels().has_hardware_servo(gpio)
        if self._asked_means == "hardware" and not has:
            facade.board.hardware_lines.check(gpio)
        return has or (self._asked_means in (None, "hardware") and facade.board.hardware_lines.has(gpio))

    def _set_hardware(self, gpio: int, width_us: int) -> None:
        if not 0 < width_us <= self._subcycle_time_us:
            raise errors.PulseError(
                f"a pulse of {width_us}us does not fit into a subcycle of {self._subcycle_time_us}us"
            )
        _channels().set_hardware_servo(gpio, self._subcycle_time_us * 1000, width_us * 1000)

    def stop_servo(self, gpio: int) -> None:
        """End the pulses of the GPIO, which stays an output, low.

        Raises:
            RuntimeError: it has none.
        """
        gpio = index(gpio)
        if _channels().has_hardware_servo(gpio):
            _channels().stop_hardware_servo(gpio)
        elif self._asked_means == "hardware":
            raise errors.PulseError(f"GPIO {gpio} has no pulses of this servo")
        else:
            _channels().clear_line(self._channel, gpio)


class PWM:
    """PWM on an output: *channel* in the numbering mode of the moment, *frequency* in Hz.

    Nothing is driven before start(). Where an overlay has connected the channel to the hardware's PWM, and the program
    has not set it up as OUT, that makes the pulses. Else DMA does, where PWM.setup() was called and took it, and the
    period is 3 ms to 1 s and a multiple of its slots; pulses are then rounded to slots. Else one thread of the C core
    drives all lines with absolute deadlines, so a frequency does not drift; edges come some microseconds late when the
    machine is busy. ``means`` says which: "hardware", "dma" or "soft". A change of frequency or duty cycle counts from
    the next period on. setup() of the channel as an input interrupts it; cleanup() and the end of the program end it.
    *means* insists on one of the three; "hardware" ends with setup() of the channel.

    Raises:
        NotSupportedError: *means* is "hardware", and the channel has none, or is not connected to it; the text has the
            line for config.txt. DMAError: it is "dma", and start() cannot have that. (RuntimeErrors.)
        PWMExistsError: another PWM object drives the channel: stop() that one. (A RuntimeError.)
        WrongDirectionException: the channel is not set up as OUT. (A RuntimeError.)
        ValueError: the frequency is not greater than 0, or beyond what software can do (1 MHz).
    """

    __slots__ = ("__weakref__", "_asked_means", "_duty", "_line", "_period_ns", "_running")

    Servo = Servo

    DELAY_VIA_PWM, DELAY_VIA_PCM = DELAY_VIA_PWM, DELAY_VIA_PCM
    LOG_LEVEL_DEBUG, LOG_LEVEL_ERRORS = 0, 1
    LOG_LEVEL_DEFAULT = LOG_LEVEL_DEBUG
    SUBCYCLE_TIME_US_DEFAULT = 20_000
    PULSE_WIDTH_INCREMENT_GRANULARITY_US_DEFAULT = 10
    VERSION = RPIO_VERSION

    def __init__(self, channel: int, frequency: float, *, means: str | None = None) -> None:
        line: int | None = getattr(self, "_line", None)
        if line is not None:  # called again, perhaps for another channel
            facade.board.pulses.end(line, self)
        self._running = False
        self._duty = 0.0
        channel = index(channel)
        arguments.real(frequency)  # types come first, values after the channel
        self._asked_means = _means_of(means)
        self._line = facade.board.pulses.claim(channel, self, means)
        try:
            self._period_ns = arguments.period_ns_of(frequency)
        except ValueError:
            facade.board.pulses.drop(self._line, self)
            raise

    def start(self, dutycycle: float) -> None:
        """Begin, or go on, with *dutycycle* percent of each period high: 0.0 to 100.0. The frequency is the last one.

        Raises:
            WrongDirectionException: the channel is no output any more. PWMExistsError. ValueError.
        """
        was_running, self._running = self._running, True
        try:
            self._duty = arguments.duty_of(dutycycle)
            facade.board.pulses.start(self._line, self, self._asked_means, *self._times_ns)
        except BaseException:
            self._running = was_running
            raise
        if not self._running:  # stopped in the middle
            self.stop()

    def ChangeDutyCycle(self, dutycycle: float) -> None:
        """Have *dutycycle* percent of each period high: 0.0 to 100.0. Before start() it is only checked."""
        self._duty = arguments.duty_of(dutycycle)
        if self._running:
            facade.board.pulses.change(self._line, self, *self._times_ns)

    def ChangeFrequency(self, frequency: float) -> None:
        """Change the frequency, in Hz. Before start() it is the one to start with."""
        self._period_ns = arguments.period_ns_of(frequency)
        if self._running:
            facade.board.pulses.change(self._line, self, *self._times_ns)

    def stop(self) -> None:
        """End with the output low; start() begins again with the same frequency. Twice is fine.

        A signal handler may call it: what it has interrupted begins nothing again.
        """
        self._running = False
        line = getattr(self, "_line", None)
        if line is not None:
            facade.board.pulses.end(line, self)

    @property
    def means(self) -> str:
        """What makes the pulses, or would: "hardware", "dma" or "soft"."""
        return facade.board.pulses.means_of(self._line, self._period_ns, self._asked_means)

    @property
    def _times_ns(self) -> tuple[int, int]:
        return self._period_ns, round(self._period_ns * self._duty)

    def __del__(self) -> None:
        # As RPi.GPIO: a program that lets go of the object expects silence. Not by stop(), which may be overridden.
        line = getattr(self, "_line", None)
        if line is not None:
            facade.board.pulses.drop(line, self)

    # -- the original RPIO's functions ------------------------------------------------------------

    @staticmethod
    def setup(pulse_incr_us: int = 10, delay_hw: int = DELAY_VIA_PWM) -> None:
        """Prepare channels, with slots of *pulse_incr_us* (1 to 1000) microseconds. Once, until cleanup().

        With DMA, *delay_hw* is the hardware that takes the time: DELAY_VIA_PWM, which the headphone output then does
        without, or DELAY_VIA_PCM, which is I2S's. Where DMA cannot be (a Raspberry Pi 5, another board, a simulated
        one), one sentence in the log says why, and the C timer makes the pulses.

        Raises:
            RuntimeError: it was called before; a number is out of range; DMA is refused, by the rights of /dev/mem and
            /dev/vcio, by the kernel (CONFIG_STRICT_DEVMEM), or since another program has it.
        """
        _channels().setup(index(pulse_incr_us), index(delay_hw))

    @staticmethod
    def init_channel(channel: int, subcycle_time_us: int = 20_000) -> None:
        """Start a channel, 0 to 14, whose pulses repeat every *subcycle_time_us*: 3000 to 1,000,000.

        With DMA it is the DMA channel of that number, which has to be free; two can run at a time.

        Raises:
            RuntimeError: the channel is out of range, initialised already or in use; setup() was not called; the
            subcycle is too short, too long or no multiple of the increment; there is no memory.
        """
        _channels().init(index(channel), index(subcycle_time_us))

    @staticmethod
    def add_channel_pulse(dma_channel: int, gpio: int, start: int, width: int) -> None:
        """Have the GPIO (BCM number) high from slot *start* for *width* slots, in each subcycle.

        Its first pulse makes it an output. A pulse that touches another becomes one with it.

        Raises:
            RuntimeError: the channel has not been initialised; the pulse does not fit into the subcycle, or overlaps
            another one of this GPIO; the GPIO is not on the header.
        """
        number, gpio, start, width = index(dma_channel), index(gpio), index(start), index(width)
        _channels().unless_ended(gpio, lambda: _channels().add(number, gpio, start, width))

    @staticmethod
    def clear_channel(channel: int) -> None:
        """Remove all pulses from a channel. RuntimeError: it has not been initialised."""
        _channels().clear(index(channel))

    @staticmethod
    def clear_channel_gpio(channel: int, gpio: int) -> None:
        """Remove all pulses of a GPIO from a channel. RuntimeError: it has never had any there."""
        _channels().clear_line(index(channel), index(gpio))

    @staticmethod
    def print_channel(channel: int) -> None:
        """Print the channel's times, what makes its pulses, and all of them."""
        print(_channels().describe(index(channel)))

    @staticmethod
    def set_loglevel(level: int) -> None:
        """LOG_LEVEL_DEBUG or LOG_LEVEL_ERRORS: what the logger "RPIO" of the standard library lets through."""
        import logging

        levels = (logging.DEBUG, logging.ERROR)
        if level not in (PWM.LOG_LEVEL_DEBUG, PWM.LOG_LEVEL_ERRORS):
            raise errors.PulseError(f"the level is LOG_LEVEL_DEBUG or LOG_LEVEL_ERRORS, not {level!r}")
        logging.getLogger("RPIO").setLevel(levels[int(level)])

    @staticmethod
    def is_setup() -> bool:
        """Whether setup() was called."""
        return _channels().is_setup

    @staticmethod
    def is_channel_initialized(channel: int) -> bool:
        """Whether init_channel() was called for it."""
        return _channels().is_initialized(index(channel))

    @staticmethod
    def get_pulse_incr_us() -> int:
        """The width of a slot in microseconds. RuntimeError before setup()."""
        return _channels().increment_us

    @staticmethod
    def get_channel_subcycle_time_us(channel: int) -> int:
        """The subcycle of a channel in microseconds. RuntimeError where it has not been initialised."""
        return _channels().channel(index(channel)).subcycle_time_us

    @staticmethod
    def cleanup() -> None:
        """End all channels and servos, their GPIOs low, and waves that DMA plays. setup() begins again."""
        facade.board.player.stop_all("dma")
        _channels().cleanup()


PWM.__spec__ = __spec__  # type: ignore[attr-defined]
sys.modules[__name__] = PWM  # type: ignore[assignment]
