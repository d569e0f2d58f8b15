# SPDX-License-Identifier: LGPL-3.0-or-later
"""How this machine is: warm, busy, full, short of power. Of files alone; what they do not tell is None.

Sources: proc(5), of loadavg, meminfo, uptime; Linux, Documentation/ABI/testing/sysfs-class-thermal, -power and
-hwmon; what power.py names.
"""

from __future__ import annotations

import os
import time
from math import isfinite

from . import detect, power

THERMAL = "/sys/class/thermal"
SUPPLIES = "/sys/class/power_supply"
SENSORS = ("cpu-thermal", "cpu_thermal", "bcm2835_thermal", "soc-thermal", "x86_pkg_temp")
"""Types of a zone that is the processor's, the best first. Source: device trees of Raspberry Pi's, and others."""
COLDEST_C, HOTTEST_C = -60.0, 150.0
MEMORY = {"MemTotal": "total_bytes", "MemAvailable": "available_bytes"}
SWAP = {"SwapTotal": "total_bytes", "SwapFree": "free_bytes"}
FILE_MAX = 1 << 16


class Files:
    """The machine's files, below *root*. Nothing here raises: what cannot be read is empty."""

    def __init__(self, root: str) -> None:
        self.root = root

    def path(self, name: str) -> str:
        """Where a file is."""
        return os.path.join(self.root, name.lstrip("/"))

    def text(self, name: str) -> str:
        """What it says, without white space around it; "" for nothing."""
        try:
            with open(self.path(name), "rb") as file:
                return file.read(FILE_MAX).decode("utf-8", "replace").strip("\0 \t\r\n")
        except OSError:
            return ""

    def listed(self, folder: str) -> list[str]:
        """The names in a folder, 2 before 10."""
        try:
            return sorted(os.listdir(self.path(folder)), key=lambda name: (len(name), name))
        except OSError:
            return []

    def number(self, name: str) -> float | None:
        """The number that a file is."""
        return _number(self.text(name))


def health(work: str = "", root: str = "/") -> dict[str, object]:
    """Return how this machine is, for JSON. *work* is a directory whose disk is asked for as well.

    Never raises and starts no process. Where a kernel, a container or a board tells nothing of it, a value is None.
    Bytes are bytes, temperatures degrees Celsius; ``throttled`` is what the firmware of a Raspberry Pi says.
    """
    files = Files(root)
    return {
        "time": time.time(),
        "model": _model(root),
        "uptime_s": _number(files.text("/proc/uptime").partition(" ")[0]),
        "temperature_c": temperature(files),
        "load": load(files),
        "cpus": os.cpu_count(),
        "memory": _memory(files, MEMORY),
        "swap": _memory(files, SWAP),
        "throttled": throttled(files),
        "disk": {"/": _disk(files.path("/")), **({"work": _disk(files.path(work))} if work else {})},
        "battery": battery(files),
    }


def _model(root: str) -> str | None:
    try:
        hardware = detect.detect(root)
    except OSError:
        return None
    return hardware.name if hardware is not None else None


def temperature(files: Files) -> float | None:
    """The processor's, in degrees Celsius; that of the first zone where none says that it is the processor's."""
    found: dict[str, float] = {}
    for zone in files.listed(THERMAL):
        value = files.number(f"{THERMAL}/{zone}/temp") if zone.startswith("thermal_zone") else None
        if value is not None and COLDEST_C <= value / 1000 <= HOTTEST_C:
            found.setdefault(files.text(f"{THERMAL}/{zone}/type"), value / 1000)
    return next((found[name] for name in SENSORS if name in found), next(iter(found.values()), None))


def load(files: Files) -> list[float] | None:
    """How many processes have wanted to run, on average: the last minute, 5, 15."""
    values = [_number(word) for word in files.text("/proc/loadavg").split()[:3]]
    known = [value for value in values if value is not None]
    return known if len(known) == 3 else None


def _memory(files: Files, words: dict[str, str]) -> dict[str, float | None] | None:
    rows = (line.partition(":") for line in files.text("/proc/meminfo").splitlines())
    said = {name: _kilobytes(value) for name, _, value in rows}
    found = {ours: said.get(theirs) for theirs, ours in words.items()}
    return found if any(value is not None for value in found.values()) else None


def _kilobytes(text: str) -> float | None:
    number = _number(text.strip().removesuffix("kB"))
    return None if number is None else number * 1024


def throttled(files: Files) -> dict[str, bool | None] | None:
    """What the firmware says: of now, and of any time since the start; None for all of it where nothing tells.

    Where the sensor of the kernel alone is there it knows of the voltage, now.
    """
    bits = power.bits_of(files.text(power.THROTTLED))
    low = power.alarm(files.text, files.listed)
    if bits is None and low is None:
        return None

    def says(bit: int) -> bool | None:
        """Whether that bit is set, where bits are known."""
        return None if bits is None else bool(bits & bit)

    return {
        "under_voltage": bool((bits or 0) & power.UNDER_VOLTAGE or low),
        "capped": says(power.CAPPED),
        "throttled": says(power.THROTTLED_NOW),
        "soft_temperature_limit": says(power.SOFT_LIMIT),
        "under_voltage_since_start": True if low else says(power.UNDER_VOLTAGE << power.PAST),
        "capped_since_start": says(power.CAPPED << power.PAST),
        "throttled_since_start": says(power.THROTTLED_NOW << power.PAST),
        "soft_temperature_limit_since_start": says(power.SOFT_LIMIT << power.PAST),
    }


def _disk(path: str) -> dict[str, int] | None:
    """That of a directory, or of the one above that is there: how large, and how much of it a user may have."""
    while True:
        try:
            found = os.statvfs(path)
        except FileNotFoundError:
            above = os.path.dirname(path.rstrip("/"))
            if above in ("", path):
                return None
            path = above
        except (OSError, ValueError):
            return None
        else:
            return {
                "total_bytes": found.f_blocks * found.f_frsize,
                "free_bytes": found.f_bavail * found.f_frsize,
            }


def battery(files: Files) -> dict[str, object] | None:
    """The first one that is the machine's: how full in percent, and what it does, in the kernel's words."""
    for name in files.listed(SUPPLIES):
        at = f"{SUPPLIES}/{name}"
        if files.text(f"{at}/type") == "Battery" and files.text(f"{at}/scope") != "Device":
            return {
                "percent": files.number(f"{at}/capacity"),
                "status": files.text(f"{at}/status") or None,
                "name": name,
            }
    return None


def _number(text: str) -> float | None:
    """A whole number as one, others as they are; None for what is none, and for what is not finite."""
    try:
        found = float(text)
    except ValueError:
        return None
    if not isfinite(found):
        return None
    return int(found) if found.is_integer() and "." not in text else found
