# SPDX-License-Identifier: LGPL-3.0-or-later
"""The preloaded library: built once for each content, and what a program says to it."""

from __future__ import annotations

import ctypes
import hashlib
import os
import subprocess
import tempfile
from pathlib import Path

from c.soc_build import CACHE, compiler

HERE = Path(__file__).parent
SOURCES = [HERE / "scarce.c", HERE / "chip.c"]
FLAGS = (
    *("-std=c11", "-D_GNU_SOURCE", "-O2", "-g", "-fPIC", "-shared", "-pthread"),
    *("-Wall", "-Wextra", "-Wshadow", "-Werror"),
)

FUNCTIONS = (
    *("malloc", "calloc", "realloc", "mmap", "opendir", "open", "epoll_create1", "epoll_ctl", "eventfd"),
    *(
        "timerfd_create",
        "inotify_init1",
        "inotify_add_watch",
        "pipe2",
        "ioctl",
        "write",
        "socket",
        "setsockopt",
        "accept4",
    ),
    "pthread_create",
)
"""What can fail. The library has the same table, with the errors."""


def build() -> Path:
    """Return the library for LD_PRELOAD."""
    digest = hashlib.sha256(repr((FLAGS, compiler())).encode())
    for file in (*SOURCES, HERE / "scarce.h"):
        digest.update(file.read_bytes())
    library = CACHE / f"scarce-{digest.hexdigest()[:20]}.so"
    if not library.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        handle, work = tempfile.mkstemp(dir=CACHE)
        os.close(handle)
        subprocess.run([*compiler(), *FLAGS, "-o", work, *map(str, SOURCES), "-ldl"], check=True)
        os.rename(work, library)
    return library


class Scarce:
    """What has been preloaded into this process. *ours* are files of the libraries whose memory can end."""

    def __init__(self, *ours: str) -> None:
        self._library = ctypes.CDLL(None)
        self._library.scarce_disarm.restype = self._library.scarce_calls.restype = ctypes.c_long
        self.chip_shows, self.chip_drive = self._library.chip_shows, self._library.chip_drive
        self.chip_settle = self._library.chip_settle
        for row in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines():
            span, access, *_, path = row.split()
            if path in ours and "x" in access:
                begin, end = (int(number, 16) for number in span.split("-"))
                self._library.scarce_ours(ctypes.c_size_t(begin), ctypes.c_size_t(end))

    def chip_is_at(self, path: str) -> None:
        """Have a file be the device file of a gpiochip."""
        error = self._library.chip_is_at(path.encode())
        assert error == 0, os.strerror(-error)

    def count(self) -> None:
        """From now on calls are counted, and none fails."""
        self._library.scarce_arm(-1, ctypes.c_long(0), False)

    def calls(self, function: str) -> int:
        """How many calls of the function there were between count() or arm(), and disarm()."""
        return int(self._library.scarce_calls(self._which(function)))

    def arm(self, function: str, moment: int, all_after: bool) -> None:
        """From now on that call of the function fails, and perhaps all after it."""
        self._library.scarce_arm(self._which(function), ctypes.c_long(moment), all_after)

    def _which(self, function: str) -> int:
        number = int(self._library.scarce_which(function.encode()))
        assert number >= 0, function
        return number

    def disarm(self) -> int:
        """Nothing fails any more; how many calls have."""
        return int(self._library.scarce_disarm())
