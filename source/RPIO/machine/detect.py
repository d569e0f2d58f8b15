# SPDX-License-Identifier: LGPL-3.0-or-later
"""Which board this is, where its peripherals are, and why a device file stays shut.

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


# --- device files that may not be opened --------------------------------------------------------

# Beginning of the path -> group that the device should have, what to do if the file is not there.
# Source: 99-com.rules of raspberrypi-sys-mods; Raspberry Pi documentation, config.txt.
DEVICES = (
    ("/dev/gpiomem", "gpio", "this kernel has no gpiomem driver; RPIO_BACKEND=cdev does without"),
    ("/dev/gpiochip", "gpio", "this kernel has no GPIO chip, or the container does not show it"),
    ("/dev/i2c-", "i2c", "put dtparam=i2c_arm=on into config.txt, reboot, and type 'sudo modprobe i2c-dev'"),
    ("/dev/spidev", "spi", "put dtparam=spi=on into config.txt and reboot"),
    ("/dev/pio", "gpio", "only boards with RP1 (Raspberry Pi 5) have it, with a kernel that knows it"),
    ("/sys/class/gpio", "gpio", "this kernel has no sysfs GPIO; RPIO_BACKEND=cdev does without"),
    ("/sys/class/pwm", "gpio", "put dtoverlay=pwm-2chan into config.txt and reboot"),
)
ANY_DEVICE = ("", "gpio", "the driver for it is not loaded, or the container does not show it")


def ownership(path: str) -> str:
    """Return " (root:gpio, 0660)", or "" where that cannot be seen. Never raises."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return ""
    user = "root" if status.st_uid == 0 else status.st_uid
    return f" ({user}:{_group_name(status.st_gid) or status.st_gid}, {status.st_mode & 0o7777:04o})"


def access_hint(path: str) -> str:
    """Say in one line why *path* may not be opened, and what to type about it. Never raises."""
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return f"{path} does not exist: {device(path)[2]}"
    except OSError as error:
        return f"{path} cannot be looked at ({error.strerror}): run with sudo"
    mine = status.st_gid in (os.getegid(), *os.getgroups())
    return _advice(path, _group_name(status.st_gid), status.st_gid, status.st_mode, mine)


def _advice(path: str, group: str | None, gid: int, mode: int, mine: bool) -> str:
    """The line for a file that exists; *mine* says that this process is in its group."""
    owner = f"{path} belongs to group {group or f'{gid} (which has no name)'}"
    group_may = mode & 0o060 == 0o060
    if path == "/dev/mem":
        return f"{owner} and is for root alone: run with sudo"
    if os.geteuid() == 0 or (mine and group_may):
        return f"{owner}, which should do: a container needs it passed in ('docker run --device {path}')"
    if group in (None, "root") or not group_may:
        sudo = f"{owner} (mode {mode & 0o777:03o}): run with sudo"
        if not path.startswith("/dev/"):
            return sudo
        return f"{sudo}, or give it to the group {device(path)[1]}: 'rpio doctor' prints the command"
    return f"{owner}: type 'sudo usermod -aG {group} $USER', then log in again"


def udev_rule(path: str) -> tuple[str, str, str]:
    """Return the rule that gives a device file to its group, the file that it belongs in, and that group."""
    group = device(path)[1]
    kernel = os.path.basename(path).rstrip("0123456789.") + "*"
    rule = f'KERNEL=="{kernel}", GROUP="{group}", MODE="0660"'
    return rule, f"/etc/udev/rules.d/60-{group}.rules", group


def device(path: str) -> tuple[str, str, str]:
    """Return the row of DEVICES for a path."""
    return next((row for row in DEVICES if path.startswith(row[0])), ANY_DEVICE)


def _group_name(gid: int) -> str | None:
    try:
        import grp  # an interpreter whose files this user may not read has none

        return grp.getgrgid(gid).gr_name
    except (KeyError, ImportError):
        return None
