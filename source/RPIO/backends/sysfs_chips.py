# SPDX-License-Identifier: LGPL-3.0-or-later
"""The folders of /sys/class/gpio: which chips there are, and which device file is the same chip."""

from __future__ import annotations

import os

from .. import constants, errors
from .._gpio import chip_info, chip_open, line_info, line_info_v1
from ..machine.files import text_of
from .checks import check_pull

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = "/sys/class/gpio"
DEVICES = "/sys/bus/gpio/devices"


def chips(root: str = ROOT) -> dict[str, str]:
    """Return folder -> label of the chips, by the number of their first line."""
    found = []
    try:
        names = os.listdir(root)
    except OSError as e:
        if errors.is_lack(e):
            raise  # else a machine with chips would be taken for one without
        return {}
    for name in names:
        if name.startswith("gpiochip") and name[8:].isdecimal():
            try:
                found.append(
                    (int(name[8:]), os.path.join(root, name), text_of(os.path.join(root, name, "label")))
                )
            except OSError as e:
                if errors.is_lack(e):
                    raise
                # else it has just gone
    return {folder: label for _, folder, label in sorted(found)}


def usable(root: str = ROOT) -> bool:
    """Whether there are chips, and not just the read-only look at them that containers get."""
    try:
        return bool(chips(root)) and not os.statvfs(os.path.join(root, "export")).f_flag & os.ST_RDONLY
    except OSError as e:
        if errors.is_lack(e):
            raise
        return False


def find_chip(argument: str, label: str | None, root: str = ROOT) -> str:
    """Return the folder of the chip that is meant: "gpiochip512", a label, or the board's own.

    A Raspberry Pi's chip is known by its *label*: bases have changed between kernels. So it is on a machine that
    tells nothing of itself, where *label* is None. Other boards: the lowest base.

    Raises:
        NoBackendError: no such chip; the text lists those that are there.
    """
    there = chips(root)
    if not there and _is_new_layout(root):
        raise errors.NoBackendError(
            f"{root} of this kernel has chips of the new layout alone (chip0/export...), which tell of no edges",
            hint="RPIO_BACKEND=cdev drives the same lines; kernels with CONFIG_GPIO_SYSFS_LEGACY have the old layout",
        )
    wanted = (
        argument or label or next((name for name in constants.PI_CHIP_LABELS if name in there.values()), None)
    )
    for folder, name in there.items():
        if wanted is None or wanted in (name, os.path.basename(folder), folder):
            return folder
    listed = ", ".join(f"{os.path.basename(folder)} ({name})" for folder, name in there.items()) or "none"
    raise errors.NoBackendError(
        f"there is no chip {wanted!r} in {root}" if wanted else f"there is no chip in {root}",
        hint=f"chips that this kernel shows there: {listed}",
    )


def _is_new_layout(root: str) -> bool:
    """Whether there are chips as kernels without CONFIG_GPIO_SYSFS_LEGACY show them, and them alone."""
    try:
        return any(name.startswith("chip") and name[4:].isdecimal() for name in os.listdir(root))
    except OSError:
        return False


def find_device(folder: str) -> str | None:
    """Return the device file of the same chip; None where it is not known for certain or may not be opened."""
    label, count = text_of(os.path.join(folder, "label")), int(text_of(os.path.join(folder, "ngpio")))
    parent = os.path.realpath(os.path.join(folder, "device"))
    found = []
    for name in os.listdir(DEVICES) if os.path.isdir(DEVICES) else []:
        if parent in (where := os.path.realpath(os.path.join(DEVICES, name)), os.path.dirname(where)):
            try:
                chip = chip_open(f"/dev/{name}")
            except OSError as e:
                if errors.is_lack(e):
                    raise
                continue
            with chip:
                if chip_info(chip.fd)[1:] == (label, count):
                    found.append(f"/dev/{name}")
    return found[0] if len(found) == 1 else None  # chips of one device may share a label


class Informant:
    """A chip's device file, None for none: it tells of lines that are not exported, also on kernels where it can do no
    more.
    """

    def __init__(self, device: str | None) -> None:
        self._chip = chip_open(device) if device is not None else None
        self._ask = self._find(self._chip.fd) if self._chip is not None else None

    @staticmethod
    def _find(chip_fd: int) -> Callable[[int, int], dict[str, object]] | None:
        for ask in (line_info, line_info_v1):
            try:
                ask(chip_fd, 0)
            except OSError:
                continue
            return ask
        return None

    @property
    def tells(self) -> bool:
        """Whether it does."""
        return self._ask is not None

    def info(self, line: int) -> dict[str, object]:
        """What is known of a line without touching it: {} where that is nothing. OSError."""
        if self._ask is None or self._chip is None:
            return {}
        return self._ask(self._chip.fd, line)

    def close(self) -> None:
        """Close it. Twice is fine."""
        if self._chip is not None:
            self._chip.close()


def check_no_pull(pull: int) -> None:
    """Raise NotSupportedError for a pull, of which sysfs knows none, and InvalidPullException for what is none."""
    check_pull(pull)
    if pull != constants.PUD_OFF:
        raise errors.NotSupportedError(
            f"sysfs cannot set pulls: PUD_{constants.PULL_NAMES[pull].upper()} needs registers "
            "(RPIO_BACKEND=regs) or a kernel from 5.10 on (RPIO_BACKEND=cdev)",
            hint="with a resistor on the board PUD_OFF will do; it leaves the pull as it is",
        )
