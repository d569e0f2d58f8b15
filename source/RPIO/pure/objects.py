# SPDX-License-Identifier: LGPL-3.0-or-later
"""Files, locks with a time limit, finalizers, calls apart: what the C core makes whole against signal handlers.

Here a handler that raises in the one instant after a call leaves a descriptor open, or a module half loaded, as in any
other program in Python.
"""

from __future__ import annotations

import os
from _thread import RLock
from _weakref import ref
from os import close
from types import MethodType

from . import looking, sources

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_files: dict[int, ref[File]] = {}


class File:
    """A file that is open, and not in programs that are started; closed with its object."""

    def __init__(self, path: str, flags: int, stays: bool = False, /) -> None:
        self.fd = -1
        self._stays = stays
        self.fd = os.open(path, flags | getattr(os, "O_CLOEXEC", 0), 0o600)
        _files[id(self)] = ref(self)

    def close(self) -> None:
        """Close it. Twice is fine."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            close(fd)

    def close_after_fork(self) -> None:
        """Close it in the child of a fork, unless it stays open there."""
        if not self._stays:
            self.close()

    def __enter__(self) -> File:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __del__(self, known: dict[int, ref[File]] = _files) -> None:
        known.pop(id(self), None)  # at the end of the program the module may have no names any more
        self.close()


def close_after_fork() -> None:
    """Close all that is open, in the child of a fork, and does not stay: it is the parent's."""
    sources.close_all()
    looking.close_sockets()
    for me in list(_files.values()):
        file = me()
        if file is not None:
            file.close_after_fork()


class Turn:
    """A lock that its thread may take again, as threading.RLock."""

    def __init__(self) -> None:
        self._lock = RLock()

    def __enter__(self) -> bool:
        return self._lock.acquire()

    def __exit__(self, *error: object) -> None:
        self._lock.release()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take it; whether it is taken."""
        return self._lock.acquire(blocking, timeout if blocking else -1)

    def release(self) -> None:
        """Release it. RuntimeError: another thread has it."""
        self._lock.release()

    def _at_fork_reinit(self) -> None:
        if not self._lock._is_owned():  # type: ignore[attr-defined] # by the thread that forked
            self._lock._at_fork_reinit()  # type: ignore[attr-defined]


class Held:
    """``with Held(lock, timeout_s) as is_held``; 0 waits for nobody."""

    def __init__(self, lock: Any, timeout_s: float, /) -> None:
        self._lock, self._timeout_s, self._is_held = lock, timeout_s, False

    def __enter__(self) -> bool:
        if self._timeout_s > 0:
            self._is_held = bool(self._lock.acquire(True, self._timeout_s))
        else:
            self._is_held = bool(self._lock.acquire(False))
        return self._is_held

    def __exit__(self, *error: object) -> None:
        is_held, self._is_held = self._is_held, False
        if is_held:
            self._lock.release()


class Finalizer:
    """A __del__ that calls function(object)."""

    def __init__(self, function: Callable[[Any], object], /) -> None:
        self._function = function

    def __get__(self, instance: Any, owner: object = None) -> Any:
        return self if instance is None else MethodType(self, instance)

    def __call__(self, instance: Any, /) -> None:
        """Do its work."""
        self._function(instance)


def apart(function: Callable[..., Any], /, *args: object) -> Any:
    """Call function(*args). Return what it does, or raise it."""
    return function(*args)
