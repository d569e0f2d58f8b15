# SPDX-License-Identifier: LGPL-3.0-or-later
"""Files of the kernel's, read and written in one call; those that udev gives to their group late are waited for."""

from __future__ import annotations

import os
import time

from .._gpio import File

UDEV_STEP_S = 0.01
"""Between two tries. Nothing tells a program that udev has done its work, which takes it some tens of milliseconds."""


def text_of(path: str) -> str:
    """Return what the file says, without white space around it."""
    with File(path, os.O_RDONLY) as file:
        return os.read(file.fd, 4096).decode("utf-8", "replace").strip()  # sysfs shows a page at most


def open_file(path: str, flags: int, until_s: float = 0.0, stays: bool = False) -> File:
    """Open; where it may not be, try again until that time: udev gives a new line's files to their group late.

    What *stays* is open in the child of a fork, too.
    """
    while True:
        try:
            return File(path, flags, stays)
        except PermissionError:
            if time.monotonic() >= until_s:
                raise
        time.sleep(UDEV_STEP_S)


def write_file(path: str, text: str, until_s: float = 0.0) -> None:
    """Write in one call; the error of a write has the path too."""
    with open_file(path, os.O_WRONLY, until_s) as file:
        try:
            os.write(file.fd, text.encode())
        except OSError as e:
            e.filename = path
            raise
