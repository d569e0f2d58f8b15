# SPDX-License-Identifier: LGPL-3.0-or-later
"""The power supply: what the firmware says of under-voltage and of the clock that it has slowed down for it.

Sources: Linux, drivers/hwmon/raspberrypi-hwmon.c (``rpi_volt``); Raspberry Pi documentation, "vcgencmd", get_throttled;
Raspberry Pi's kernel, drivers/firmware/raspberrypi.c (the file get_throttled: hexadecimal, without "0x").
"""

from __future__ import annotations

from ..machine import detect
from .finding import NOTE, OK, PROBLEM, WARNING, Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .patient import Patient

HWMON = "/sys/class/hwmon"
THROTTLED = "/sys/devices/platform/soc/soc:firmware/get_throttled"
"""Asked last: newer kernels write a warning with a backtrace to their log when somebody reads it."""

UNDER_VOLTAGE = 1
BITS = {
    1: "the voltage is too low",
    2: "the clock is capped",
    4: "the processor is throttled",
    8: "the soft temperature limit is in force",
}
PAST = 16
"""The same bits, so many further up: it has been so since the start."""
SUPPLY = "a better power supply (5 V, 3 A; 5 A for a Pi 5) or a shorter, thicker cable; check with"
COOLING = "a heat sink or a fan, and air; check with"
COMMAND = "vcgencmd get_throttled"


def supply(patient: Patient) -> Iterator[Finding]:
    """Under-voltage and throttling, now and since the start."""
    bits = _bits(patient)
    low = _alarm(patient)
    if bits is None and low is None:
        if detect.detect(patient.root):
            yield Finding(
                NOTE, "the power supply is not known: neither rpi_volt in /sys/class/hwmon nor vcgencmd tells"
            )
        return
    now = (bits or 0) & 0xF | (UNDER_VOLTAGE if low else 0)
    past = (bits or 0) >> PAST & 0xF & ~now
    if now:
        yield Finding(
            PROBLEM if now & UNDER_VOLTAGE else WARNING, f"{_said(now)}, now", _advice(now), COMMAND
        )
    if past:
        yield Finding(WARNING, f"since the start: {_said(past)}, at times", _advice(past), COMMAND)
    if not now and not past:
        how = "no under-voltage now" if bits is None else "no under-voltage and no throttling since the start"
        yield Finding(OK, how)


def _said(bits: int) -> str:
    return ", ".join(text for bit, text in BITS.items() if bits & bit)


def _advice(bits: int) -> str:
    return SUPPLY if bits & UNDER_VOLTAGE else COOLING


def _alarm(patient: Patient) -> bool | None:
    """The sensor of the kernel, which asks the firmware every two seconds; None where there is none."""
    for name in patient.listed(HWMON):
        if patient.text(f"{HWMON}/{name}/name") == "rpi_volt":
            text = patient.text(f"{HWMON}/{name}/in0_lcrit_alarm")
            return text == "1" if text else None
    return None


def _bits(patient: Patient) -> int | None:
    program = patient.which("vcgencmd")
    said = patient.output_of([program, "get_throttled"]) if program else ""
    for text in (said.partition("=")[2].strip(), patient.text(THROTTLED)):
        try:
            return int(text, 16)
        except ValueError:
            continue
    return None
