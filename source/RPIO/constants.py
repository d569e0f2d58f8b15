# SPDX-License-Identifier: LGPL-3.0-or-later
"""The constants that every part shares, with the values of RPi.GPIO.

A *line* is a BCM number (what the chip and the kernel call it), a *pin* is a place on the header,
a *channel* is whichever of the two the numbering mode says.

Source: RPi.GPIO 0.7.1 for all values but ``ALTn``, which are the 3-bit codes of GPFSELn (BCM2835 ARM
Peripherals, 6.1, "GPIO Function Select Registers"); ``IN`` and ``OUT`` are, as in RPi.GPIO, the reverse
of the register. RP1 has functions beyond ALT5; they follow on.
"""

VERSION = "1.0.0.dev0"
VERSION_GPIO = "1.0.0.dev0/0.7.1"
"""Of the C core, and of the RPi.GPIO whose interface it has."""

LOW, HIGH = 0, 1
OUT, IN = 0, 1
BOARD, BCM = 10, 11
UNKNOWN = -1
PUD_OFF, PUD_DOWN, PUD_UP = 20, 21, 22
RISING, FALLING, BOTH = 31, 32, 33
SERIAL, SPI, I2C, HARD_PWM = 40, 41, 42, 43

ALT0, ALT1, ALT2, ALT3, ALT4, ALT5 = 4, 5, 6, 7, 3, 2
ALT6, ALT7, ALT8 = 8, 9, 10
NO_FUNCTION = 31

EDGE_BITS = {RISING: 1, FALLING: 2, BOTH: 3}
"""Edge constant -> the bits that a rising (1) and a falling (2) edge have in the C core."""


def edge_bits(edge: object) -> "int | None":
    """Return the C core's bits of an edge constant, None for what is none."""
    from _operator import index  # here, for this module is all that an import of RPIO loads

    return EDGE_BITS.get(index(edge)) if hasattr(edge, "__index__") else None


FUNCTION_NAMES = {
    OUT: "OUTPUT",
    IN: "INPUT",
    ALT0: "ALT0",
    ALT1: "ALT1",
    ALT2: "ALT2",
    ALT3: "ALT3",
    ALT4: "ALT4",
    ALT5: "ALT5",
    ALT6: "ALT6",
    ALT7: "ALT7",
    ALT8: "ALT8",
    NO_FUNCTION: "NONE",
}

PULL_NAMES = {PUD_OFF: "off", PUD_DOWN: "down", PUD_UP: "up"}
PULLS = {pull: pull for pull in PULL_NAMES}

PI_CHIP_LABELS = ("pinctrl-rp1", "pinctrl-bcm2711", "pinctrl-bcm2835")
"""What the gpiochip of a Raspberry Pi's header is called, whatever else is known of the machine.
Source: Linux, drivers/pinctrl/bcm/pinctrl-bcm2835.c and drivers/pinctrl/pinctrl-rp1.c."""

EVENT_BUFFER_SIZE = 1024
"""Edges that a watched line holds until they are read; the kernel's own cap for one request."""

PWM_PERIODS_NS = (1_000, 1_000_000_000_000_000)
"""The shortest and the longest period of software PWM: a megahertz and eleven days. The bounds of the C core."""
PWM_KEPT_NS = 200_000
"""The shortest period that software PWM can be relied on for: 5 kHz, two wake-ups of some 50 us each."""
DELAY_VIA_PWM, DELAY_VIA_PCM = 0, 1
"""What paces pulses by DMA: RPIO.PWM's names. Here, for a program that makes none need not load what makes them."""
WAVE_EDGES_MAX = 100_000
"""Of a wave by software. The bound of the C core."""
