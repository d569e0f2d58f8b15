# SPDX-License-Identifier: LGPL-3.0-or-later
"""Which board this is, and where its peripherals are.

Everything is read from below *root*, so that a directory can stand in for a machine. Nothing here
raises on files that are missing, unreadable or odd: what they do not tell is not known. Where there is no descriptor to
read them with, nothing is known at all, and that is an OSError.

Source: the device tree and /proc/cpuinfo as Raspberry Pi's kernels, upstream ones and QEMU have them;
RPi.GPIO 0.7.1 (cpuinfo.c, c_gpio.c) reads the same files.
"""

from __future__ import annotations

import os

from .. import errors
from . import boards

REVISION = "proc/device-tree/system/linux,revision"
COMPATIBLE = "proc/device-tree/compatible"
MODEL = "proc/device-tree/model"
RANGES = "proc/device-tree/soc/ranges"
CPUINFO = "proc/cpuinfo"

BUS_PERIPHERALS = 0x7E000000
"""Where the VideoCore sees its peripherals. Source: BCM2835 ARM Peripherals, 1.2.3; BCM2711 likewise."""


def detect(root: str = "/") -> boards.Hardware | None:
    """Return this machine's board, or None if it is no Raspberry Pi.

    The revision code comes from the device tree or from /proc/cpuinfo. Kernels that tell none
    (upstream ones, QEMU; 0 counts as none) have ``compatible`` and ``model``. Containers often hide
    the device tree.
    """
    compatibles = tuple(text for text in _text(root, COMPATIBLE).split("\0") if text)
    cpuinfo = _cpuinfo(root)
    model = _text(root, MODEL).strip("\0\n ") or cpuinfo.get("Model", "")
    code = _tree_revision(root) or _cpuinfo_revision(cpuinfo)
    if code:
        return boards.decode(code, compatibles, model)
    if _is_pi(compatibles, model) or (_is_pi_cpuinfo(cpuinfo) and not compatibles):
        return boards.from_compatible(compatibles, model)
    return None


def peripheral_base(root: str = "/") -> int | None:
    """Return the physical address of the SoC's peripherals, or None if there is none to be had.

    The first entry of ``soc/ranges`` is bus address, physical address, size. The physical address has
    one cell on BCM2835 to 2837 and two on BCM2711, the upper one first; no peripherals start below
    16 MB, so a word as small as that is an upper half. Elsewhere, the table of boards answers.
    """
    data = _read(root, RANGES)
    bus, first, second = (int.from_bytes(data[at : at + 4], "big") for at in (0, 4, 8))
    base = first if first >= 1 << 24 else first << 32 | second
    if len(data) >= 12 and bus == BUS_PERIPHERALS and base >= 1 << 24:
        return base
    hardware = detect(root)
    return hardware.peripheral_base if hardware else None


def _read(root: str, path: str) -> bytes:
    try:
        with open(os.path.join(root, path), "rb") as file:
            return file.read()
    except OSError as e:
        if errors.is_lack(e):
            raise  # else a Raspberry Pi would be taken for none, and simulated
        return b""


def _text(root: str, path: str) -> str:
    return _read(root, path).decode("utf-8", "replace")


def _cpuinfo(root: str) -> dict[str, str]:
    """The "key : value" lines of /proc/cpuinfo; of repeated keys the last."""
    pairs = (line.partition(":") for line in _text(root, CPUINFO).splitlines())
    return {key.strip(): value.strip() for key, colon, value in pairs if colon}


def _tree_revision(root: str) -> int:
    data = _read(root, REVISION)
    return int.from_bytes(data, "big") if len(data) == 4 else 0


def _cpuinfo_revision(cpuinfo: dict[str, str]) -> int:
    """The revision code in /proc/cpuinfo, or 0. Other ARM boards have a "Revision" of their own meaning."""
    if not _is_pi_cpuinfo(cpuinfo):
        return 0
    try:
        code = int(cpuinfo.get("Revision", ""), 16)
    except ValueError:
        return 0
    return code if 0 < code <= 0xFFFFFFFF else 0


def _is_pi_cpuinfo(cpuinfo: dict[str, str]) -> bool:
    """Every Raspberry Pi says BCM2708, BCM2835 or their like, whatever its SoC, or has a "Model" line."""
    return cpuinfo.get("Hardware", "").startswith("BCM2") or _is_pi((), cpuinfo.get("Model", ""))


def _is_pi(compatibles: tuple[str, ...], model: str) -> bool:
    return model.startswith("Raspberry Pi") or any(text.startswith("raspberrypi,") for text in compatibles)
