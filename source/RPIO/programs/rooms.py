# SPDX-License-Identifier: LGPL-3.0-or-later
"""The folder that a keeper has for the fresh ones of its programs: its own, since a user may have two keepers with one
work directory, a daemon's and that of his logins. It is locked while that lives; those of dead ones are taken away.
"""

from __future__ import annotations

import fcntl
import os
import shutil

from ..processes import hooks


class Room:
    """A keeper's. open() first."""

    def __init__(self) -> None:
        self._path = ""
        self._fd = -1

    def open(self, folder: str, name: str) -> list[str]:
        """Make it, of that *name* in *folder*; return the names of those that were taken away. Raises OSError."""
        os.makedirs(folder, 0o700, exist_ok=True)
        all = _opened(folder)
        try:
            fcntl.flock(all, fcntl.LOCK_EX)  # between its making and its lock it looks like a dead one's
            dead = [name for name in os.listdir(folder) if _is_dead(os.path.join(folder, name))]
            for each in dead:
                _remove(os.path.join(folder, each))
            self._path = os.path.join(folder, name)
            self.made()
        finally:
            os.close(all)
        return dead

    def made(self) -> str:
        """Where it is. It is made anew where somebody has removed it. Raises OSError."""
        if not os.path.isdir(self._path):
            os.makedirs(self._path, 0o700)
            self._leave()
            self._fd = _opened(self._path)
            fcntl.flock(self._fd, fcntl.LOCK_EX)
        return self._path

    def _leave(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def close(self) -> None:
        """Remove it. Twice is fine."""
        if self._fd >= 0:
            _remove(self._path)
            self._leave()


def _opened(folder: str) -> int:
    with hooks.making:
        return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def _is_dead(path: str) -> bool:
    """Whether that is nobody's who lives."""
    if os.path.islink(path) or not os.path.isdir(path):
        return True
    try:
        fd = _opened(path)
    except OSError:
        return True  # nobody has one that he cannot open
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(fd)
    return True


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)  # a program may be writing there still
    elif os.path.lexists(path):
        os.unlink(path)
