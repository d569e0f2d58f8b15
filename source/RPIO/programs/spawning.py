# SPDX-License-Identifier: LGPL-3.0-or-later
"""Starting a program: in a session of its own, within limits, on pipes or a terminal. See spawn() of the C core."""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import struct
import termios

from .. import _gpio
from ..processes import hooks
from . import process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PR_SET_CHILD_SUBREAPER = 36
"""Source: Linux, include/uapi/linux/prctl.h."""
IN_SYSTEMD = "/run/systemd/system"
"""Source: sd_booted(3)."""


class Started:
    """A program that has been started, and this side of what it reads and writes: -1 for what there is not.

    On a terminal all three are one descriptor, and ``stderr`` is none.
    """

    def __init__(self, pid: int, stdin: int, stdout: int, stderr: int) -> None:
        self.pid, self.stdin, self.stdout, self.stderr = pid, stdin, stdout, stderr


def spawn(
    words: Sequence[str],
    environment: Mapping[str, str],
    folder: str,
    size: tuple[int, int] | None,
    kept: Sequence[int],
    limits: Sequence[int],
) -> Started:
    """Start a program: *words* in *folder*, on a terminal of *size* rows and columns, or on pipes. It has the
    descriptors *kept* besides; *limits* are those of Limits.numbers().

    Raises:
        OSError: it cannot be started, or nothing is left for one more.
    """
    ours: list[int] = []
    its: list[int] = []
    pairs = [os.fsencode(f"{name}={value}") for name, value in environment.items()]
    try:
        with hooks.making:
            _open(size, ours, its)
        standard = (its[0], its[-2 % len(its)], its[-1])
        pid = _gpio.spawn(
            os.fsencode(words[0]),
            [*map(os.fsencode, words)],
            pairs,
            os.fsencode(folder),
            standard,
            size is not None,
            sorted(kept),
            list(limits),
        )
    except BaseException as e:
        _close(ours)
        if isinstance(e, OSError) and e.filename is not None:
            what = folder if e.filename == "folder" else words[0] if e.filename == "execve" else e.filename
            raise type(e)(e.errno, e.strerror, what) from None
        raise
    finally:
        _close(its)
    for fd in ours:
        os.set_blocking(fd, False)
    return Started(pid, ours[0], ours[0], -1) if size is not None else Started(pid, *ours)


def _open(size: tuple[int, int] | None, ours: list[int], its: list[int]) -> None:
    if size is not None:
        master, slave = os.openpty()
        ours.append(master)
        its.append(slave)
        resize(slave, *size)
        return
    for is_read in (True, False, False):
        reader, writer = os.pipe()
        ours.append(writer if is_read else reader)
        its.append(reader if is_read else writer)


def _close(fds: list[int]) -> None:
    while fds:
        os.close(fds.pop())


def resize(fd: int, rows: int, columns: int) -> None:
    """Tell a terminal its size. Source: Linux, tty_ioctl(4), TIOCSWINSZ."""
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))


def be_subreaper() -> None:
    """Have those come to this process whose parents have ended. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "no subreaper")


def scope_words(limits: process.Limits, cpu_percent: int) -> list[str]:
    """What stands before a command line that is to run in a scope of systemd's, with limits; nothing where there is
    none to be had. Source: systemd-run(1), systemd.resource-control(5).
    """
    is_root = os.geteuid() == 0
    bus = f"/run/user/{os.geteuid()}/bus"
    found = shutil.which("systemd-run")
    if found is None or not os.path.isdir(IN_SYSTEMD) or not (is_root or os.path.exists(bus)):
        return []
    words = [found, "--scope", "--quiet", "--collect", *([] if is_root else ["--user"])]
    for name, value in (
        ("MemoryMax", f"{limits.memory_mb}M" if limits.memory_mb else ""),
        ("TasksMax", str(limits.processes) if limits.processes else ""),
        ("CPUQuota", f"{cpu_percent}%" if cpu_percent else ""),
    ):
        words += ["-p", f"{name}={value}"] if value else []
    return [*words, "--"]
