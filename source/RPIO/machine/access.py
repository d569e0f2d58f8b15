# SPDX-License-Identifier: LGPL-3.0-or-later
"""Why a device file stays shut, and what to type about it. The hints never raise."""

from __future__ import annotations

import os

from .. import errors

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
    mine = status.st_gid in ids()[1]
    return _advice(path, _group_name(status.st_gid), status.st_gid, status.st_mode, mine)


def no_access(error: PermissionError) -> errors.NoAccessError:
    """The same error, with whose the file is; what helps is the hint."""
    path = str(error.filename)
    text, hint = f"No access to {path}{ownership(path)}", access_hint(path)
    if not hasattr(errors.NoAccessError, "add_note"):  # before Python 3.11 no traceback shows the hint
        text = f"{text}. {hint}"
    return errors.NoAccessError(error.errno, text, path, hint=hint)


def _advice(path: str, group: str | None, gid: int, mode: int, mine: bool) -> str:
    """The line for a file that exists; *mine* says that this process is in its group."""
    owner = f"{path} belongs to group {group or f'{gid} (which has no name)'}"
    group_may = mode & 0o060 == 0o060
    if path == "/dev/mem":
        return f"{owner} and is for root alone: run with sudo"
    if ids()[0] == 0 or (mine and group_may):
        return f"{owner}, which should do: a container needs it passed in ('docker run --device {path}')"
    if group in (None, "root") or not group_may:
        sudo = f"{owner} (mode {mode & 0o777:03o}): run with sudo"
        if not path.startswith("/dev/"):
            return sudo
        return f"{sudo}, or give it to the group {device(path)[1]}: 'rpio doctor' prints the command"
    return f"{owner}: type 'sudo usermod -aG {group} $USER', then log in again"


def ids() -> tuple[int, set[int]]:
    """User and groups of this process; -1 and none on a system that has no such numbers."""
    if not hasattr(os, "geteuid"):
        return -1, set()
    return os.geteuid(), {os.getegid(), *os.getgroups()}


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
