# SPDX-License-Identifier: LGPL-3.0-or-later
"""Lines by Adafruit_GPIO's names. Source: Adafruit_GPIO 1.0.3, GPIO.py, for names and values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any

OUT, IN = 0, 1
HIGH, LOW = True, False
RISING, FALLING, BOTH = 1, 2, 3
PUD_OFF, PUD_DOWN, PUD_UP = 0, 1, 2


class BaseGPIO:
    """What has lines: those of a machine, or of a chip. Who inherits has setup(), output() and input()."""

    NUM_GPIO = 0

    def setup(self, pin: int, mode: int, pull_up_down: int = PUD_OFF) -> None:
        """Make it IN or OUT."""
        raise NotImplementedError

    def output(self, pin: int, value: bool) -> None:
        """Set it."""
        raise NotImplementedError

    def input(self, pin: int) -> bool:
        """Read it."""
        raise NotImplementedError

    def set_high(self, pin: int) -> None:
        """Set it HIGH."""
        self.output(pin, HIGH)

    def set_low(self, pin: int) -> None:
        """Set it LOW."""
        self.output(pin, LOW)

    def is_high(self, pin: int) -> bool:
        """Whether it is HIGH."""
        return self.input(pin) == HIGH

    def is_low(self, pin: int) -> bool:
        """Whether it is LOW."""
        return self.input(pin) == LOW

    def output_pins(self, pins: Mapping[int, bool]) -> None:
        """Set several."""
        for pin, value in pins.items():
            self.output(pin, value)

    def setup_pins(self, pins: Mapping[int, int]) -> None:
        """Make several IN or OUT."""
        for pin, mode in pins.items():
            self.setup(pin, mode)

    def input_pins(self, pins: Iterable[int]) -> list[bool]:
        """Read several."""
        return [self.input(pin) for pin in pins]

    def cleanup(self, pin: int | None = None) -> None:
        """Give up one, or all."""
        raise NotImplementedError

    def _validate_pin(self, pin: int) -> None:
        if not 0 <= pin < self.NUM_GPIO:
            raise ValueError(f"Invalid GPIO value, must be between 0 and {self.NUM_GPIO}.")

    def _bit2(self, src: int, bit: int, val: object) -> int:
        return src | 1 << bit if val else src & ~(1 << bit)


class RPiGPIOAdapter(BaseGPIO):
    """The lines of RPi.GPIO, which is RPIO here."""

    def __init__(self, rpi_gpio: Any, mode: int | None = None) -> None:
        self.rpi_gpio = rpi_gpio
        rpi_gpio.setwarnings(False)
        if mode not in (None, rpi_gpio.BOARD, rpi_gpio.BCM):
            raise ValueError("Unexpected value for mode.  Must be BOARD or BCM.")
        rpi_gpio.setmode(rpi_gpio.BCM if mode is None else mode)
        self._modes = {OUT: rpi_gpio.OUT, IN: rpi_gpio.IN}
        self._pulls = {PUD_OFF: rpi_gpio.PUD_OFF, PUD_DOWN: rpi_gpio.PUD_DOWN, PUD_UP: rpi_gpio.PUD_UP}
        self._edges = {RISING: rpi_gpio.RISING, FALLING: rpi_gpio.FALLING, BOTH: rpi_gpio.BOTH}

    def setup(self, pin: int, mode: int, pull_up_down: int = PUD_OFF) -> None:
        """Make it IN or OUT."""
        more = {} if mode == OUT else {"pull_up_down": self._pulls[pull_up_down]}
        self.rpi_gpio.setup(pin, self._modes[mode], **more)

    def output(self, pin: int, value: bool) -> None:
        """Set it."""
        self.rpi_gpio.output(pin, value)

    def input(self, pin: int) -> bool:
        """Read it."""
        return self.rpi_gpio.input(pin)  # type: ignore[no-any-return]

    def add_event_detect(
        self, pin: int, edge: int, callback: Callable[[int], object] | None = None, bouncetime: int = -1
    ) -> None:
        """Look for edges, with a callback."""
        more: dict[str, object] = {} if callback is None else {"callback": callback}
        if bouncetime > 0:
            more["bouncetime"] = bouncetime
        self.rpi_gpio.add_event_detect(pin, self._edges[edge], **more)

    def remove_event_detect(self, pin: int) -> None:
        """Look no more."""
        self.rpi_gpio.remove_event_detect(pin)

    def add_event_callback(self, pin: int, callback: Callable[[int], object]) -> None:
        """Another callback."""
        self.rpi_gpio.add_event_callback(pin, callback)

    def event_detected(self, pin: int) -> bool:
        """Whether there has been an edge."""
        return self.rpi_gpio.event_detected(pin)  # type: ignore[no-any-return]

    def wait_for_edge(self, pin: int, edge: int) -> None:
        """Wait for one."""
        self.rpi_gpio.wait_for_edge(pin, self._edges[edge])

    def cleanup(self, pin: int | None = None) -> None:
        """Give up one, or all."""
        if pin is None:
            self.rpi_gpio.cleanup()
        else:
            self.rpi_gpio.cleanup(pin)


def get_platform_gpio(**keywords: Any) -> BaseGPIO:
    """Return the lines of this machine."""
    return RPiGPIOAdapter(import_module("RPi.GPIO"), **keywords)
