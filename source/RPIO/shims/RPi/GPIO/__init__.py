# SPDX-License-Identifier: LGPL-3.0-or-later
"""RPi.GPIO, played by RPIO: the names, values, rules and texts of RPi.GPIO 0.7.1, and nothing else.

What differs is in RPIO's documentation, "Differences".
"""

import sys as _sys

import RPIO as _RPIO
from RPIO import (
    BCM,
    BOARD,
    BOTH,
    FALLING,
    HARD_PWM,
    HIGH,
    I2C,
    IN,
    LOW,
    OUT,
    PUD_DOWN,
    PUD_OFF,
    PUD_UP,
    RISING,
    SERIAL,
    SPI,
    UNKNOWN,
    add_event_callback,
    add_event_detect,
    cleanup,
    event_detected,
    getmode,
    input,
    output,
    remove_event_detect,
    setmode,
    setup,
    wait_for_edge,
)
from RPIO import facade as _facade
from RPIO.arguments import also_called as _also_called

VERSION = "0.7.1"


class PWM(_RPIO.PWM):
    """Software PWM on an output: PWM(channel, frequency in Hz). See RPIO.PWM."""

    __slots__ = ()


_PURPOSES = {
    _RPIO.ALT0: {
        **dict.fromkeys((0, 1, 2, 3, 28, 29), I2C),
        **dict.fromkeys(range(7, 12), SPI),
        **dict.fromkeys((12, 13), HARD_PWM),
        **dict.fromkeys((14, 15), SERIAL),
    },
    _RPIO.ALT4: dict.fromkeys(range(16, 22), SPI),
    _RPIO.ALT5: dict.fromkeys((18, 19), HARD_PWM),
}
"""Alternate function -> line -> what RPi.GPIO calls it. Its table is the BCM2835's."""


@_also_called(gpio="channel")
def gpio_function(channel: int) -> int:
    """Return what a channel is now: IN, OUT, SPI, I2C, HARD_PWM, SERIAL or UNKNOWN. Needs no setup()."""
    function = _RPIO.gpio_function(channel)
    if function in (IN, OUT):
        return function
    return _PURPOSES.get(function, {}).get(_RPIO.channel_to_gpio(channel), UNKNOWN)


def setwarnings(gpio_warnings: int) -> None:
    """Switch warnings on or off."""
    _RPIO.setwarnings(gpio_warnings)
    _tell_gpiozero()


def _tell_gpiozero() -> None:
    """Have gpiozero ask RPIO which Raspberry Pi it is on, where that is simulated: /proc does not know of it.

    Its factory for RPi.GPIO calls setwarnings() when it begins, before it asks; nothing public of it tells it.
    Source: gpiozero 2.0.1, pins/rpigpio.py and pins/local.py.
    """
    local = _sys.modules.get("gpiozero.pins.local")
    ask = getattr(local, "get_pi_revision", None)
    if ask is None or getattr(ask, "__module__", "") == __name__:
        return

    def get_pi_revision() -> int:
        """As gpiozero's, of the board that RPIO simulates."""
        board = _facade.board
        code = board.hardware.revision_code if board.backend.outside() is not None else None
        return ask() if code is None else code

    local.get_pi_revision = get_pi_revision  # type: ignore[union-attr]


_facade.board.be_strict()
_facade.have_lazy_names(globals())


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


__all__ = [
    "BCM",
    "BOARD",
    "BOTH",
    "FALLING",
    "HARD_PWM",
    "HIGH",
    "I2C",
    "IN",
    "LOW",
    "OUT",
    "PUD_DOWN",
    "PUD_OFF",
    "PUD_UP",
    "PWM",
    "RISING",
    "RPI_INFO",
    "RPI_REVISION",
    "SERIAL",
    "SPI",
    "UNKNOWN",
    "VERSION",
    "add_event_callback",
    "add_event_detect",
    "cleanup",
    "event_detected",
    "getmode",
    "gpio_function",
    "input",
    "output",
    "remove_event_detect",
    "setmode",
    "setup",
    "setwarnings",
    "wait_for_edge",
]
