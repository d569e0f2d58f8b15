# SPDX-License-Identifier: LGPL-3.0-or-later
"""Who holds which line: programs, drivers, sysfs; and the daemons of other libraries."""

from __future__ import annotations

import itertools

from . import overlays
from .finding import NOTE, OK, WARNING, Finding, count, gpios

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .patient import Patient

SYSFS = "/sys/class/gpio"
DAEMONS = {
    "pigpiod": (
        "it has DMA channels and the clock of PWM or PCM, sets lines behind everybody's back, and lines that it drives "
        "are not seen as held",
        "pigpiod",
    ),
    "rgpiod": ("it holds lines for its clients until they let them go", "rgpiod"),
    "lgd": ("it holds lines for its clients until they let them go", "lgd"),
}
"""Name of the process -> why it matters, its unit of systemd. Source: the documentation of pigpio and of lg."""
DRIVERS = ("spi", "onewire", "w1")
"""What drivers call themselves when they hold lines."""
SWITCH = "a dtparam or dtoverlay line in config.txt switches it off"
PIGPIO_PID = "/run/pigpio.pid"
"""Of pigpiod, and of a program that uses its library without it. Source: pigpio, PI_LOCKFILE."""


STORM_HZ = 5000
"""So many interrupts a second take a tenth of a core or more."""
LOOK_S = 0.25


def held(patient: Patient) -> Iterator[Finding]:
    """The lines that are held, one finding for each holder."""
    backend, hardware = patient.backend, patient.hardware
    if backend is None or hardware is None:
        return
    holders: dict[str, list[int]] = {}
    for line in hardware.header_lines or range(backend.line_count):
        name = backend.consumer(line)
        if name:
            shown = "".join(c if c.isprintable() else "?" for c in name)
            holders.setdefault(shown, []).append(line)
    for name, lines in holders.items():
        yield from _holder(patient, name, lines)
    if not holders and backend.outside() is None and backend.features & {"consumers", "filter"}:
        yield Finding(OK, "no line of the header is held")


def _holder(patient: Patient, name: str, lines: list[int]) -> Iterator[Finding]:
    """Who that is: the kernel tells the name alone, and newer ones in fdinfo which process has which line."""
    if name == "sysfs":
        return  # exports() has the command
    if patient.backend is not None and patient.backend.name == "remote":
        yield Finding(NOTE, f"{gpios(lines)}: held by {name!r}, as who serves the board says")
        return
    chip = _header_chip(patient)
    left = set(lines)
    for process in patient.processes():
        own = left & {line for device, line in process.lines if chip in ("", device)}
        if own:
            text = f"{gpios(list(own))}: held by {name!r}, {process}"
            yield Finding(NOTE, text, "to end it", f"kill {process.pid}")
            left -= own
    if left:
        yield _guess(patient, f"{gpios(list(left))}: held by {name!r}", name, left)


def _guess(patient: Patient, text: str, name: str, lines: set[int]) -> Finding:
    """Who holds lines that no process is known to hold."""
    by_driver = {line for driver in overlays.drivers(patient) for line in driver.lines}
    perhaps = [process for process in patient.processes() if process.holds_lines and not process.lines]
    if name.startswith(DRIVERS) or (lines <= by_driver and not perhaps):
        return Finding(
            NOTE, f"{text}, a driver", "see the findings about drivers" if lines <= by_driver else SWITCH
        )
    if len(perhaps) == 1:
        return Finding(NOTE, f"{text}, probably {perhaps[0]}", "to end it", f"kill {perhaps[0].pid}")
    if perhaps:
        return Finding(NOTE, f"{text}, one of {', '.join(map(str, perhaps))}")
    if patient.unseen:
        command = f"sudo {patient.executable} -m RPIO doctor"
        return Finding(NOTE, f"{text}, a driver or a program of another user", "to see which", command)
    return Finding(NOTE, f"{text}, a driver", SWITCH)


def _header_chip(patient: Patient) -> str:
    """The name of the chip of the header, "gpiochip0" say; "" where it is not known."""
    label = patient.hardware.chip_label if patient.hardware is not None else None
    for name in patient.listed("/dev"):
        if name.startswith("gpiochip") and label is not None and not patient.link(f"/dev/{name}"):
            found = patient.chip(f"/dev/{name}")
            if found is not None and found[0] == label:
                return name
    return ""


def exports(patient: Patient) -> Iterator[Finding]:
    """Lines that somebody has exported, and perhaps forgotten: that outlives a program."""
    bases = []
    for name in patient.listed(SYSFS):
        base, size = (patient.text(f"{SYSFS}/{name}/{what}") for what in ("base", "ngpio"))
        if name.startswith("gpiochip") and base.isdecimal() and size.isdecimal():
            bases.append((int(base), int(size), patient.text(f"{SYSFS}/{name}/label")))
    for name in patient.listed(SYSFS):
        if name.startswith("gpio") and name[4:].isdecimal():
            number = int(name[4:])
            chip = next((row for row in bases if row[0] <= number < row[0] + row[1]), None)
            of = f"GPIO {number - chip[0]} of {chip[2]}" if chip else f"number {number}"
            direction, level = (patient.text(f"{SYSFS}/{name}/{what}") for what in ("direction", "value"))
            yield Finding(
                NOTE,
                f"{of} is exported through sysfs ({direction or '?'}, {level or '?'})",
                "to free it, where no program uses it",
                f"echo {number} | sudo tee {SYSFS}/unexport",
            )


def interrupts(patient: Patient) -> Iterator[Finding]:
    """Lines whose interrupts keep the processor busy: one that oscillates, or a level that nobody clears."""
    before = _interrupts(patient)
    if not before:
        return
    passed_s = patient.wait(LOOK_S)
    for key, now in _interrupts(patient).items():
        rate = (now - before.get(key, now)) / passed_s
        if rate >= STORM_HZ:
            chip, line, name = key
            yield Finding(
                WARNING,
                f"GPIO {line} of {chip} makes {rate:,.0f} interrupts a second ({name or 'nobody says for whom'})",
                "a wire that nobody drives, or a fast signal: give the line a pull, or end who watches it",
            )


def _interrupts(patient: Patient) -> dict[tuple[str, int, str], int]:
    """Chip, line and whose it is -> interrupts so far, of the lines that have an interrupt."""
    found = {}
    for row in patient.text("/proc/interrupts").splitlines()[1:]:
        words = row.split()[1:]
        counts = list(itertools.takewhile(str.isdecimal, words))
        about = words[len(counts) :]
        if len(about) >= 2 and about[0].startswith("pinctrl-") and about[1].isdecimal():
            found[about[0], int(about[1]), " ".join(about[3:])] = sum(map(int, counts))
    return found


def users(patient: Patient) -> Iterator[Finding]:
    """Programs that have a gpiochip open or hold lines."""
    found = [process for process in patient.processes() if process.chips or process.holds_lines]
    if found:
        named = ", ".join(map(str, found[:5])) + (f" and {len(found) - 5} more" if found[5:] else "")
        yield Finding(NOTE, f"{count(len(found), 'program')} with a gpiochip open: {named}")


def daemons(patient: Patient) -> Iterator[Finding]:
    """pigpiod and its like."""
    running = {process.name: process for process in patient.processes()}
    for name, (why, unit) in DAEMONS.items():
        if name in running:
            yield Finding(
                WARNING,
                f"{name} runs (process {running[name].pid}): {why}",
                "",
                f"sudo systemctl stop {unit}",
            )
    text = patient.text(PIGPIO_PID) or patient.text("/var" + PIGPIO_PID)
    owner = next((p for p in running.values() if str(p.pid) == text), None)
    if owner is not None and owner.name not in DAEMONS:
        why = DAEMONS["pigpiod"][0]
        yield Finding(WARNING, f"{owner} uses pigpio: {why}", "to end it", f"sudo kill {owner.pid}")
