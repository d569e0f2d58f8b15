# SPDX-License-Identifier: LGPL-3.0-or-later
"""What the firmware says of the power supply, and of the clock that it has slowed down for it.

Sources: Linux, drivers/hwmon/raspberrypi-hwmon.c (``rpi_volt``); Raspberry Pi documentation, "vcgencmd", get_throttled;
Raspberry Pi's kernel, drivers/firmware/raspberrypi.c (the file get_throttled: hexadecimal, without "0x").
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

HWMON = "/sys/class/hwmon"
THROTTLED = "/sys/devices/platform/soc/soc:firmware/get_throttled"
"""Newer kernels write a warning with a backtrace to their log when somebody reads it, once."""

UNDER_VOLTAGE, CAPPED, THROTTLED_NOW, SOFT_LIMIT = 1, 2, 4, 8
PAST = 16
"""The same bits, so many further up: it has been so since the start."""


def bits_of(text: str) -> int | None:
    """The bits, as the file has them, or vcgencmd behind its "="; None for what is none."""
    try:
        return int(text.strip(), 16)
    except ValueError:
        return None


def alarm(text: Callable[[str], str], listed: Callable[[str], list[str]]) -> bool | None:
    """Whether the sensor of the kernel, which asks the firmware every two seconds, says that the voltage is too low;
    None where there is none. *text* reads a file, "" for what is none, *listed* the names in a folder.
    """
    for name in listed(HWMON):
        if text(f"{HWMON}/{name}/name") == "rpi_volt":
            said = text(f"{HWMON}/{name}/in0_lcrit_alarm")
            return said == "1" if said else None
    return None
