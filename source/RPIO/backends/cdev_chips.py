# SPDX-License-Identifier: LGPL-3.0-or-later
"""The gpiochips in /dev: which there are, which is the board's own, which speak a version that will do."""

from __future__ import annotations

import errno
import os

from .. import constants, errors
from .._gpio import File, chip_info, chip_open, line_info


def chip_paths(dev: str = "/dev") -> list[str]:
    """Return the device files of all gpiochips, by number; symbolic links are other names of the same."""
    try:
        names = os.listdir(dev)
    except OSError as e:
        if errors.is_lack(e):
            raise  # else a machine with chips would be taken for one without
        return []
    numbered = sorted(
        (int(name[8:]), name) for name in names if name.startswith("gpiochip") and name[8:].isdecimal()
    )
    paths = [os.path.join(dev, name) for _, name in numbered]
    return [path for path in paths if not os.path.islink(path)]


def usable() -> bool:
    """Whether this kernel has gpiochips of version 2. One that may not be opened counts: its error says what to do."""
    paths = chip_paths()
    for path in paths:
        try:
            chip = chip_open(path)
        except OSError as e:
            if errors.is_lack(e):
                raise
            continue
        with chip:
            return speaks_v2(chip.fd)
    return bool(paths)


def speaks_v2(chip_fd: int) -> bool:
    """Whether the kernel has version 2 of the interface, as from 5.10 on."""
    try:
        line_info(chip_fd, 0)
    except OSError as e:
        return e.errno not in (errno.EINVAL, errno.ENOTTY)
    return True


def chips() -> tuple[dict[str, str], OSError | None]:
    """Return label -> device file of all gpiochips, the first of each label, and the error of one that is shut."""
    labels: dict[str, str] = {}
    refused: OSError | None = None
    for path in chip_paths():
        try:
            chip = chip_open(path)
        except OSError as e:
            if errors.is_lack(e):
                raise  # else another chip would be taken for the one that is meant
            refused = e
            continue
        with chip:
            labels.setdefault(chip_info(chip.fd)[1], path)
    return labels, refused


def find_chip(argument: str, label: str | None) -> str:
    """Return the device file of the chip that is meant: a path, "gpiochip0", a label, or the board's own.

    A Raspberry Pi's chip is known by its *label*: numbers have changed between kernels. So it is on a machine that
    tells nothing of itself, where *label* is None. Other boards: the first.

    Raises:
        NoBackendError: no such chip; the text lists those that are there.
        OSError: none of them may be opened.
    """
    if argument.startswith("/"):
        return argument
    named = next((path for path in chip_paths() if argument == os.path.basename(path)), None)
    if named is not None:
        return named
    labels, refused = chips()
    wanted = argument or label
    if wanted is None and labels:
        return next(
            (labels[name] for name in constants.PI_CHIP_LABELS if name in labels), next(iter(labels.values()))
        )
    if wanted in labels:
        return labels[wanted]
    if refused is not None:
        raise refused
    there = ", ".join(f"{path} ({name})" for name, path in labels.items()) or "none"
    raise errors.NoBackendError(
        f"there is no gpiochip {wanted!r} here" if wanted else "there is no gpiochip here",
        hint=f"gpiochips of this machine: {there}",
    )


def open_chip(path: str) -> File:
    """Open a gpiochip. NoBackendError where it is none, OSError."""
    try:
        return chip_open(path)
    except OSError as e:
        if e.errno == errno.ENOTTY:
            raise errors.NoBackendError(
                f"{path} is no gpiochip", hint="gpiochips are /dev/gpiochip0, ..."
            ) from None
        raise
