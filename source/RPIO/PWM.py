# SPDX-License-Identifier: LGPL-3.0-or-later
"""``RPIO.PWM``: RPi.GPIO's class of software PWM.

::

    RPIO.setup(18, RPIO.OUT)
    led = RPIO.PWM(18, 100)         # 100 Hz
    led.start(25)                   # a quarter of each period high
    led.ChangeDutyCycle(50)
    led.stop()

The module is its class: ``RPIO.PWM(18, 100)`` and ``import RPIO.PWM`` are both what programs do.
"""

from __future__ import annotations

import sys
from _operator import index

from . import arguments, facade


class PWM:
    """Software PWM on an output: *channel* in the numbering mode of the moment, *frequency* in Hz.

    Nothing is driven before start(). One thread of the C core drives all of them with absolute deadlines, so a
    frequency does not drift; edges come some microseconds late when the machine is busy. A change of frequency
    or duty cycle counts from the next period on. setup() of the channel as an input
    interrupts it; cleanup() and the end of the program end it.

    Raises:
        PWMExistsError: another PWM object drives the channel: stop() that one. (A RuntimeError.)
        WrongDirectionException: the channel is not set up as OUT. (A RuntimeError.)
        ValueError: the frequency is not greater than 0, or beyond what software can do (1 MHz).
    """

    __slots__ = ("__weakref__", "_duty", "_line", "_period_ns", "_running")

    def __init__(self, channel: int, frequency: float) -> None:
        self._running = False
        self._duty = 0.0
        channel = index(channel)
        arguments.real(frequency)  # types come first, values after the channel
        self._line = facade.board.pulses.claim(channel, self)
        try:
            self._period_ns = arguments.period_ns_of(frequency)
        except ValueError:
            self._end()
            raise

    def start(self, dutycycle: float) -> None:
        """Begin, or go on, with *dutycycle* percent of each period high: 0.0 to 100.0. The frequency is the last one.

        Raises:
            WrongDirectionException: the channel is no output any more. PWMExistsError. ValueError.
        """
        self._duty = arguments.duty_of(dutycycle)
        facade.board.pulses.start(self._line, self, *self._times_ns)
        self._running = True

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
        """End with the output low; start() begins again with the same frequency. Twice is fine."""
        self._end()

    def _end(self) -> None:
        """Not stop() itself, which a subclass may have overridden."""
        self._running = False
        line = getattr(self, "_line", None)
        if line is not None:
            facade.board.pulses.end(line, self)

    @property
    def _times_ns(self) -> tuple[int, int]:
        return self._period_ns, round(self._period_ns * self._duty)

    def __del__(self) -> None:
        self._end()  # as RPi.GPIO: a program that lets go of the object expects silence


PWM.__spec__ = __spec__  # type: ignore[attr-defined]
sys.modules[__name__] = PWM  # type: ignore[assignment]
