# SPDX-License-Identifier: LGPL-3.0-or-later
"""What cdev and sysfs share: lines that are descriptors, and a chip that may be removed."""

from __future__ import annotations

import errno
import functools
import os
from _thread import RLock

from .. import constants, errors
from .._gpio import File, file_watch
from .protocol import Backend

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import ParamSpec, TypeVar

    P = ParamSpec("P")
    T = TypeVar("T")


def locked(method: Callable[P, T]) -> Callable[P, T]:
    """Hold the object's `_lock`: a descriptor must not be closed, and its number used again, between look and use."""

    @functools.wraps(method)
    def call(*arguments: P.args, **keywords: P.kwargs) -> T:
        with arguments[0]._lock:  # type: ignore[attr-defined]
            return method(*arguments, **keywords)

    return call


class RemovalWatch:
    """A watch on the file at *path*, None for none, which begins when its descriptor is first asked for."""

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._file: File | None = None

    def fd(self) -> int | None:
        """Return a descriptor that is readable when the file may have gone; None where there is no file."""
        if self._file is None and self._path is not None:
            try:
                self._file = file_watch(self._path)
            except FileNotFoundError:
                pass  # it has gone already
        return self._file.fd if self._file is not None else None

    def drain(self) -> None:
        """Make the descriptor unreadable again."""
        if self._file is not None:
            try:
                os.read(self._file.fd, 4096)
            except BlockingIOError:
                pass  # nothing new

    def close(self) -> None:
        """Close the descriptor; fd() begins anew. Twice is fine."""
        file, self._file = self._file, None
        if file is not None:
            file.close()


class HoldingBackend(Backend):
    """A backend that holds the descriptors of its lines, one thread at a time."""

    holds_lines = holds_alone = True

    def __init__(self) -> None:
        self._lock = RLock()
        self._removal = RemovalWatch(None)

    def gone_fd(self) -> int | None:
        return self._removal.fd()

    @locked
    def is_gone(self) -> bool:
        self._removal.drain()
        return self._chip_is_gone()

    def _chip_is_gone(self) -> bool:
        """Ask the kernel whether the chip is no more: each backend has its own way."""
        raise NotImplementedError

    def after_fork(self) -> None:
        self._lock = RLock()  # another thread may have held it
        self._removal.close()


def busy(line: int, holder: str, path: str, label: str | None) -> errors.LineBusyError:
    """Return the error of a line that *holder* has, "" for one without a name, on the chip with that *label*."""
    by = f"by {holder!r}" if holder else "by a program or driver that gives no name"
    driver = "have its driver leave the line"
    if label in constants.PI_CHIP_LABELS:
        driver = "switch its driver off (a dtparam or dtoverlay line in config.txt)"
    return errors.LineBusyError(
        errno.EBUSY,
        f"GPIO {line} is in use {by}",
        path,
        hint=f"rpio doctor names the process that has it: end that, or {driver}",
    )
