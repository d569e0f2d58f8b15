# SPDX-License-Identifier: LGPL-3.0-or-later
"""Which line is on which pin, and what each is well known as, for every header that a Raspberry Pi has had.

Sources: *common.c* and *py_gpio.c* are RPi.GPIO 0.7.1; the names are those of the Raspberry Pi documentation, "GPIO and
the 40-pin header", and of the tables of alternate functions in the BCM2835 and RP1 peripherals manuals.
"""

from __future__ import annotations

HEADER_26_REV2: dict[int, int | str] = {
    **{1: "3V3", 2: "5V", 3: 2, 4: "5V", 5: 3, 6: "GND", 7: 4, 8: 14, 9: "GND", 10: 15},
    **{11: 17, 12: 18, 13: 27, 14: "GND", 15: 22, 16: 23, 17: "3V3", 18: 24, 19: 10, 20: "GND"},
    **{21: 9, 22: 25, 23: 11, 24: 8, 25: "GND", 26: 7},
}
HEADER_26_REV1: dict[int, int | str] = {**HEADER_26_REV2, 3: 0, 5: 1, 13: 21}
HEADER_40: dict[int, int | str] = {
    **HEADER_26_REV2,
    **{27: 0, 28: 1, 29: 5, 30: "GND", 31: 6, 32: 12, 33: 13, 34: "GND", 35: 19, 36: 16},
    **{37: 26, 38: 20, 39: "GND", 40: 21},
}
P5: dict[int, int | str] = {1: "5V", 2: "3V3", 3: 28, 4: 29, 5: 30, 6: 31, 7: "GND", 8: "GND"}
"""The second header of the revision 2 boards: a place of its own, so its pins are no BOARD channels."""

HEADERS: dict[str, dict[int, int | str]] = {
    "26 rev 1": HEADER_26_REV1,
    "26 rev 2": HEADER_26_REV2,
    "40": HEADER_40,
    "none": {},
}
"""Layout name -> pin -> line, or the name of a supply. Source: *common.c* and the boards' schematics."""

ID_EEPROM_PINS = (27, 28)
"""Pins 27 and 28 of the 40-pin header carry a HAT's ID EEPROM; RPi.GPIO refuses them (common.c)."""

FIXED_PULL_UPS = {0: (), 1: (0, 1, 2, 3), 2: (2, 3), 3: (2, 3)}
"""P1_REVISION -> lines with a resistor to 3V3 on the board, the I2C lines. Source: *py_gpio.c*."""

# fmt: off
NAMES: dict[int, tuple[str, ...]] = {
    0: ("ID_SD", "SDA0"), 1: ("ID_SC", "SCL0"), 2: ("SDA1",), 3: ("SCL1",),
    4: ("GPCLK0",), 5: ("GPCLK1",), 6: ("GPCLK2",),
    7: ("CE1",), 8: ("CE0",), 9: ("MISO",), 10: ("MOSI",), 11: ("SCLK",),
    12: ("PWM0",), 13: ("PWM1",), 14: ("TXD",), 15: ("RXD",),
    18: ("PWM0", "PCM_CLK"), 19: ("PWM1", "PCM_FS"), 20: ("PCM_DIN",), 21: ("PCM_DOUT",),
}
# fmt: on
"""Line of the 40-pin header -> what it is well known as."""
NAMES_26 = {line: NAMES[line] for line in (2, 3, 4, 7, 8, 9, 10, 11, 14, 15)} | {18: NAMES[18]}
NAMES_26 |= {0: ("SDA0",), 1: ("SCL0",), 28: ("SDA0",), 29: ("SCL0",)}
NAMES_RP1 = {**NAMES, 18: ("PWM2", "PCM_CLK"), 19: ("PWM3", "PCM_FS")}
"""RP1 has four PWM channels on the header, the SoCs before it two."""


def is_well_known(line: int) -> bool:
    """Whether a line is well known for another use than GPIO."""
    return line in NAMES or line in NAMES_26


def usable_lines(header: dict[int, int | str]) -> dict[int, int]:
    """Pin -> line of a header, without supplies and the ID EEPROM."""
    return {pin: line for pin, line in header.items() if isinstance(line, int) and pin not in ID_EEPROM_PINS}
