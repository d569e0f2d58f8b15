# SPDX-License-Identifier: LGPL-3.0-or-later
"""The power supply: what the firmware says of it, in sentences. Where it says that is in machine/power."""

from __future__ import annotations

from ..machine import detect, power
from .finding import NOTE, OK, PROBLEM, WARNING, Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .patient import Patient

BITS = {
    power.UNDER_VOLTAGE: "the voltage is too low",
    power.CAPPED: "the clock is capped",
    power.THROTTLED_NOW: "the processor is throttled",
    power.SOFT_LIMIT: "the soft temperature limit is in force",
}
SUPPLY = "a better power supply (5 V, 3 A; 5 A for a Pi 5) or a shorter, thicker cable; check with"
COOLING = "a heat sink or a fan, and air; check with"
COMMAND = "vcgencmd get_throttled"


def supply(patient: Patient) -> Iterator[Finding]:
    """Under-voltage and throttling, now and since the start."""
    bits = _bits(patient)
    low = power.alarm(patient.text, patient.listed)
    if bits is None and low is None:
        if detect.detect(patient.root):
            yield Finding(
                NOTE, "the power supply is not known: neither rpi_volt in /sys/class/hwmon nor vcgencmd tells"
            )
        return
    now = (bits or 0) & 0xF | (power.UNDER_VOLTAGE if low else 0)
    past = (bits or 0) >> power.PAST & 0xF & ~now
    if now:
        yield Finding(
            PROBLEM if now & power.UNDER_VOLTAGE else WARNING, f"{_said(now)}, now", _advice(now), COMMAND
        )
    if past:
        yield Finding(WARNING, f"since the start: {_said(past)}, at times", _advice(past), COMMAND)
    if not now and not past:
        how = "no under-voltage now" if bits is None else "no under-voltage and no throttling since the start"
        yield Finding(OK, how)


def _said(bits: int) -> str:
    return ", ".join(text for bit, text in BITS.items() if bits & bit)


def _advice(bits: int) -> str:
    return SUPPLY if bits & power.UNDER_VOLTAGE else COOLING


def _bits(patient: Patient) -> int | None:
    program = patient.which("vcgencmd")
    said = patient.output_of([program, "get_throttled"]) if program else ""
    bits = power.bits_of(said.partition("=")[2])
    return power.bits_of(patient.text(power.THROTTLED)) if bits is None else bits
