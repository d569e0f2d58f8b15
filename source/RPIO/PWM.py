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

from . import arguments, facade, log
from ._gpio import Finalizer
from .constants import DELAY_VIA_PCM, DELAY_VIA_PWM
from .constants import VERSION as RPIO_VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .pulses.servos import Servos
    from .pulses.subcycles import Subcycles


def _channels() -> Subcycles:
    return facade.board.pulses.channels


def _servos() -> Servos:
    return facade.board.pulses.servos


def _means_of(means: str | None) -> str | None:
    """Check what makes pulses, if anybody insists."""
    if means not in (None, "hardware", "dma", "soft"):
        raise ValueError(f"means is 'hardware', 'dma', 'soft' or None, not {means!r}")
    return means


class Servo:
    """Servos, or whatever else takes one pulse in each subcycle, on any number of lines.

    A line that an overlay has connected to the hardware's PWM gets its pulses from there; the others by DMA from one
    channel, or from the C timer where DMA cannot be or is refused. *dma_channel* is the name of a channel, as
    PWM.init_channel() has them; None takes the one that servos with this subcycle share. It is begun with the first
    pulse. *subcycle_time_us* is the time from pulse to pulse, *pulse_incr_us* what widths are multiples of. *means*
    insists on "hardware", "dma" or "soft". setup() is called where it was not yet.

    Raises:
        AttributeError: setup() has been called for another increment.
        RuntimeError: a channel or a time is out of range; see PWM.setup().
    """

    def __init__(
        self,
        dma_channel: int | None = None,
        subcycle_time_us: int = 20_000,
        pulse_incr_us: int = 10,
        *,
        means: str | None = None,
    ) -> None:
        self._number = None if dma_channel is None else arguments.integer("dma_channel", dma_channel)
        self._subcycle_time_us = arguments.integer("subcycle_time_us", subcycle_time_us)
        self._increment_us = arguments.integer("pulse_incr_us", pulse_incr_us)
        self._asked_means = _means_of(means)
        if means == "hardware":
            _servos().check_times(self._subcycle_time_us, self._increment_us)
        else:
            _servos().setup(self._number, self._subcycle_time_us, self._increment_us, means)

    @property
    def _wanted(self) -> tuple[int | None, int, str | None]:
        """What is wanted of the channel."""
        return self._number, self._subcycle_time_us, self._asked_means

    @property
    def means(self) -> str | None:
        """What makes the pulses of lines that the hardware's PWM does not reach, or would: "dma" or "soft"."""
        if self._asked_means == "hardware":
            return None
        return _servos().means_of(self._wanted)

    def means_of(self, gpio: int) -> str | None:
        """What makes the pulses of this line, when it is set: "hardware", "dma" or "soft"."""
        return "hardware" if _servos().is_for_hardware(gpio, self._asked_means) else self.means

    def set_servo(self, gpio: int, pulse_width_us: float) -> None:
        """Have a pulse of that width on the GPIO (BCM number) in each subcycle, from the next one on, without a glitch.

        1500.0 is 1500: angles are computed. 0 is no pulse: low.

        Raises:
            AttributeError: the width is no multiple of the increment, or the channel has another subcycle.
            RuntimeError: it is too long, or the GPIO is not on the header; see PWM.init_channel().
        """
        gpio = arguments.integer("gpio", gpio)
        _channels().unless_ended(gpio, lambda: self._set(gpio, pulse_width_us))

    def _set(self, gpio: int, pulse_width_us: float) -> None:
        if isinstance(pulse_width_us, (str, bytes)) or not hasattr(pulse_width_us, "__mod__"):
            raise TypeError(f"pulse_width_us is a number of microseconds, not {pulse_width_us!r}")
        if self._asked_means != "hardware":
            self._increment_us = _channels().increment_us
        if pulse_width_us % self._increment_us:
            raise AttributeError(
                f"Pulse width increment granularity {self._increment_us}us cannot divide a pulse-time of "
                f"{pulse_width_us}us"
            )
        _servos().set(self._wanted, gpio, int(pulse_width_us), self._increment_us)

    def stop_servo(self, gpio: int) -> None:
        """End the pulses of the GPIO, which stays an output, low.

        Raises:
            RuntimeError: it has none.
        """
        _servos().stop(self._wanted, arguments.integer("gpio", gpio))


class _Means:
    """What makes the pulses, or would: "hardware", "dma" or "soft"."""

    def __get__(self, pwm: PWM | None, kind: type[PWM]) -> str:
        if pwm is None:
            return self  # type: ignore[return-value]
        return _means(pwm)


def _means(pwm: PWM) -> str:
    return pwm._rpio_drives.means_of(pwm._rpio_line, pwm._rpio_period_ns, pwm._rpio_asked_means)


class _AnyNew:
    """As in C, where __new__() looks at no arguments: those of a subclass may hand theirs on.

    A class of its own, so that PWM's signature is that of its __init__().
    """

    __slots__ = ()

    def __new__(cls, *args: object, **keywords: object) -> _AnyNew:
        return super().__new__(cls)


class PWM(_AnyNew):
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

    # Subclasses have attributes of any name, and may be called PWM, so that two underscores would not keep them apart.
    __slots__ = (
        "__weakref__",
        "_rpio_asked_means",
        "_rpio_drives",
        "_rpio_duty",
        "_rpio_line",
        "_rpio_period_ns",
        "_rpio_running",
    )
    means = _Means()  # no property, which would keep a subclass from having an attribute of that name

    Servo = Servo

    DELAY_VIA_PWM, DELAY_VIA_PCM = DELAY_VIA_PWM, DELAY_VIA_PCM
    LOG_LEVEL_DEBUG, LOG_LEVEL_ERRORS = 0, 1
    LOG_LEVEL_DEFAULT = LOG_LEVEL_DEBUG
    SUBCYCLE_TIME_US_DEFAULT = 20_000
    PULSE_WIDTH_INCREMENT_GRANULARITY_US_DEFAULT = 10
    VERSION = RPIO_VERSION

    def __init__(self, channel: int, frequency: float, *, means: str | None = None) -> None:
        self._rpio_running: bool
        _end(self)  # called again, perhaps for another channel
        self._rpio_duty = 0.0
        channel = arguments.integer("channel", channel)
        arguments.real(frequency)  # types come first, values after the channel
        self._rpio_asked_means = _means_of(means)
        self._rpio_line = facade.board.line_of(channel)  # before it is claimed: __del__ lets go of it
        self._rpio_drives = facade.board.pulses.drives
        self._rpio_drives.claim(self._rpio_line, self, means)
        try:
            self._rpio_period_ns = arguments.period_ns_of(frequency)
        except (ValueError, MemoryError):
            self._rpio_drives.drop(self._rpio_line, self)
            raise

    def start(self, dutycycle: float) -> None:
        """Begin, or go on, with *dutycycle* percent of each period high: 0.0 to 100.0. The frequency is the last one.

        Raises:
            WrongDirectionException: the channel is no output any more. PWMExistsError. ValueError.
        """
        with self._rpio_drives.lock:
            was_running, self._rpio_running = self._rpio_running, True
            try:
                self._rpio_duty = arguments.duty_of(dutycycle)
                self._rpio_drives.start(self._rpio_line, self, self._rpio_asked_means, *_times_ns(self))
            except BaseException:
                self._rpio_running = was_running
                raise
            if not self._rpio_running:  # stopped in the middle
                _end(self)

    def ChangeDutyCycle(self, dutycycle: float) -> None:
        """Have *dutycycle* percent of each period high: 0.0 to 100.0. Before start() it is only checked."""
        with self._rpio_drives.lock:
            self._rpio_duty = arguments.duty_of(dutycycle)
            if self._rpio_running:
                self._rpio_drives.change(self._rpio_line, self, *_times_ns(self))

    def ChangeFrequency(self, frequency: float) -> None:
        """Change the frequency, in Hz. Before start() it is the one to start with."""
        with self._rpio_drives.lock:
            self._rpio_period_ns = arguments.period_ns_of(frequency)
            if self._rpio_running:
                self._rpio_drives.change(self._rpio_line, self, *_times_ns(self))

    def __repr__(self) -> str:
        line = getattr(self, "_rpio_line", None)
        if line is None or not hasattr(self, "_rpio_period_ns"):
            return object.__repr__(self)
        kind = type(self)
        name = "RPIO.PWM" if kind is PWM else f"{kind.__module__}.{kind.__qualname__}"
        state = f"{self._rpio_duty * 100:g} % by {_means(self)}" if self._rpio_running else "stopped"
        return f"<{name} on GPIO {line}: {1e9 / self._rpio_period_ns:.10g} Hz, {state}>"

    def stop(self) -> None:
        """End with the output low; start() begins again with the same frequency. Twice is fine.

        A signal handler may call it: what it has interrupted begins nothing again.
        """
        _end(self)

    @Finalizer
    def __del__(self) -> None:
        # As RPi.GPIO: a program that lets go of the object expects silence. Not by stop(), which may be overridden.
        line = getattr(self, "_rpio_line", None)
        drives = getattr(self, "_rpio_drives", None)
        if drives is not None and line is not None:
            drives.drop(line, self)

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
        _channels().setup(
            arguments.integer("pulse_incr_us", pulse_incr_us), arguments.integer("delay_hw", delay_hw)
        )

    @staticmethod
    def init_channel(channel: int, subcycle_time_us: int = 20_000) -> None:
        """Start a channel, 0 to 14, whose pulses repeat every *subcycle_time_us*: 3000 or more.

        The number is a name. With DMA, the DMA channel of that number carries it out if it is free, else another one
        that is; two can run at a time, and the C timer carries out further ones. print_channel() and the log say which.

        Raises:
            RuntimeError: the channel is out of range, or initialised already; setup() was not called; the subcycle is
            too short, or no multiple of the increment; there is no memory for so many slots.
        """
        _channels().init(
            arguments.integer("channel", channel), arguments.integer("subcycle_time_us", subcycle_time_us)
        )

    @staticmethod
    def add_channel_pulse(dma_channel: int, gpio: int, start: int, width: int) -> None:
        """Have the GPIO (BCM number) high from slot *start* for *width* slots, in each subcycle.

        Its first pulse makes it an output. A pulse takes the place of those that begin in it, and of the rest of one
        that reaches into it; so a second one at the same start changes the width, and width 0 is low from there on. One
        that touches another becomes one with it.

        Raises:
            RuntimeError: the channel has not been initialised; the pulse does not fit into the subcycle; the GPIO is
            not on the header, or another channel's.
        """
        number, gpio = arguments.integer("dma_channel", dma_channel), arguments.integer("gpio", gpio)
        start, width = arguments.integer("start", start), arguments.integer("width", width)
        _channels().unless_ended(gpio, lambda: _channels().add(number, gpio, start, width))

    @staticmethod
    def clear_channel(channel: int) -> None:
        """Remove all pulses from a channel. RuntimeError: it has not been initialised.

        With DMA it returns when those that are on are over, in a subcycle at most: the lines may be driven then.
        """
        _channels().clear(arguments.integer("channel", channel))

    @staticmethod
    def clear_channel_gpio(channel: int, gpio: int) -> None:
        """Remove all pulses of a GPIO from a channel, as clear_channel(). RuntimeError: it has never had any there."""
        _channels().clear_line(arguments.integer("channel", channel), arguments.integer("gpio", gpio))

    @staticmethod
    def print_channel(channel: int) -> None:
        """Print the channel's times, what makes its pulses, and all of them."""
        print(_channels().describe(arguments.integer("channel", channel)))

    @staticmethod
    def set_loglevel(level: int) -> None:
        """LOG_LEVEL_DEBUG or LOG_LEVEL_ERRORS: what the logger "RPIO" of the standard library lets through.

        Any int will do, as it always has: above LOG_LEVEL_DEBUG it is errors alone.
        """
        log.be_quiet(arguments.integer("level", level) > PWM.LOG_LEVEL_DEBUG)

    @staticmethod
    def is_setup() -> bool:
        """Whether setup() was called."""
        return _channels().is_setup

    @staticmethod
    def is_channel_initialized(channel: int) -> bool:
        """Whether init_channel() was called for it."""
        return _channels().is_initialized(arguments.integer("channel", channel))

    @staticmethod
    def get_pulse_incr_us() -> int:
        """The width of a slot in microseconds. RuntimeError before setup()."""
        return _channels().increment_us

    @staticmethod
    def get_channel_subcycle_time_us(channel: int) -> int:
        """The subcycle of a channel in microseconds. RuntimeError where it has not been initialised."""
        return _channels().channel(arguments.integer("channel", channel)).subcycle_time_us

    @staticmethod
    def cleanup() -> None:
        """End all channels and servos, their GPIOs low, and waves that DMA plays. setup() begins again."""
        facade.board.pulses.end_channels()


def _end(pwm: PWM) -> None:
    """What stop() does, whatever a subclass has in its place."""
    pwm._rpio_running = False
    drives = getattr(pwm, "_rpio_drives", None)
    if drives is not None:
        drives.end(pwm._rpio_line, pwm)


def _times_ns(pwm: PWM) -> tuple[int, int]:
    return pwm._rpio_period_ns, round(pwm._rpio_period_ns * pwm._rpio_duty)


PWM._PWM = PWM  # type: ignore[attr-defined]  # the C module of the original had the same functions
PWM.__spec__ = __spec__  # type: ignore[attr-defined]
sys.modules[__name__] = PWM  # type: ignore[assignment]
