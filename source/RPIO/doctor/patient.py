# SPDX-License-Identifier: LGPL-3.0-or-later
"""The machine that is examined: its files below *root*, who asks, and by which interpreter.

A directory can stand in for a machine, and a subclass for what a directory cannot model: owners, a chip's ioctl.
Reading never raises: a file that is missing or may not be read is empty.
"""

from __future__ import annotations

import os
import platform
import stat
import sys
import time

from .. import errors
from .._gpio import PURE, File, chip_info, chip_open
from ..machine import access
from ..machine.commands import output_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..backends import Backend
    from ..machine.boards import Hardware

NEVER_WAITING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
"""To open what may be a terminal, or a FIFO."""
LOOK_S = 3.0
"""How long the processes of the machine may be looked through: a busy server has tens of thousands of descriptors."""
LINE_FILES = ("anon_inode:gpio-line", "anon_inode:gpio-linehandle", "anon_inode:gpio-event")
"""What a request for lines is called in /proc/PID/fd. Source: Linux, drivers/gpio/gpiolib-cdev.c."""


class Process:
    """A process, and what it has of GPIO as far as this user may see: chips, whether it holds lines, and which.

    *lines* are (chip, line) where the kernel tells them (fdinfo, Linux 6.4), else empty.
    """

    __slots__ = ("chips", "command", "holds_lines", "lines", "name", "pid")

    def __init__(self, pid: int, name: str, command: str) -> None:
        self.pid, self.name, self.command = pid, name, command or name
        self.chips: set[str] = set()
        self.holds_lines = False
        self.lines: set[tuple[str, int]] = set()

    def __str__(self) -> str:
        return f"process {self.pid} ({self.command})"


class Patient:
    """This machine and this process; what tests and ``cli.doctor`` know better they set."""

    def __init__(self, root: str = "/") -> None:
        self.root = root
        self.uid, self.gids = access.ids()
        self.has_core = not PURE  # the C module
        self.environ: Mapping[str, str] = os.environ
        self.release, self.architecture = platform.release(), platform.machine()
        self.bits = 64 if sys.maxsize > 1 << 32 else 32
        self.executable, self.prefix, self.base_prefix = sys.executable, sys.prefix, sys.base_prefix
        here = ("", self.environ.get("PWD"))  # what lies there is not installed
        self.search_path = [path for path in sys.path if path not in here]
        self.hardware: Hardware | None = None  # what lines are driven of; the simulated board, say
        self.backend: Backend | None = None
        self.error: Exception | None = None  # why there is no backend
        self._processes: list[Process] | None = None
        self.unseen = 0  # processes whose descriptors this user may not see

    # -- files -----------------------------------------------------------------------------------

    def path(self, name: str) -> str:
        """Where a file of the machine is, "/dev/gpiochip0" say."""
        return os.path.join(self.root, name.lstrip("/"))

    def data(self, name: str) -> bytes:
        """What the file has, at most a megabyte; b"" where it cannot be read."""
        try:
            with open(self.path(name), "rb") as file:
                return file.read(1 << 20)
        except OSError:
            return b""

    def text(self, name: str) -> str:
        """The same as text, without the white space and the NUL around it."""
        return self.data(name).decode("utf-8", "replace").strip("\0 \t\r\n")

    def listed(self, folder: str) -> list[str]:
        """The names in a folder, in order; none where it cannot be read."""
        try:
            return sorted(os.listdir(self.path(folder)), key=lambda name: (len(name), name))
        except OSError:
            return []

    def exists(self, name: str) -> bool:
        """Whether there is such a file."""
        return os.path.exists(self.path(name))

    def link(self, name: str) -> str:
        """Where a symbolic link points; "" for what is none, or may not be seen."""
        try:
            return os.readlink(self.path(name))
        except OSError:
            return ""

    def which(self, program: str) -> str:
        """Where the shell finds a program; "" for nowhere."""
        for folder in self.environ.get("PATH", "").split(os.pathsep):
            found = os.path.join(folder, program)
            if folder and os.access(self.path(found), os.X_OK) and os.path.isfile(self.path(found)):
                return found
        return ""

    def wait(self, seconds: float) -> float:
        """Let time pass, to see what changes; return how much has."""
        began_s = time.monotonic()
        time.sleep(seconds)
        return time.monotonic() - began_s

    # -- what a directory cannot model ----------------------------------------------------------------

    def owner(self, name: str) -> tuple[int, int, int] | None:
        """User, group and mode of a file; None where there is none."""
        try:
            found = os.stat(self.path(name))
        except OSError:
            return None
        return found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)

    def may_open(self, name: str) -> bool:
        """Whether it opens for reading and writing: modes do not tell of a container's rules and of access lists."""
        try:
            File(self.path(name), os.O_RDWR | NEVER_WAITING).close()
        except OSError:
            return False
        return True

    def chip(self, name: str) -> tuple[str, int] | None:
        """Label and number of lines of a gpiochip; None where it does not open or is none."""
        try:
            chip = chip_open(self.path(name))
        except (OSError, errors.NoBackendError):
            return None
        with chip:
            return chip_info(chip.fd)[1:]

    def output_of(self, words: list[str], timeout_s: float = 2.0) -> str:
        """What a program prints, "" where it fails or takes longer."""
        return output_of(words, timeout_s)

    # -- who asks --------------------------------------------------------------------------------------

    @property
    def user(self) -> str:
        """The name of the user, of the one who typed sudo as well; "$USER" where it is not known."""
        if self.uid == 0 and self.environ.get("SUDO_USER"):
            return self.environ["SUDO_USER"]
        for line in self.text("/etc/passwd").splitlines():
            name, _, rest = line.partition(":")
            if rest.split(":")[1:2] == [str(self.uid)]:
                return name
        return self.environ.get("USER", "$USER")

    def groups(self) -> dict[str, tuple[int, list[str]]]:
        """Name -> number and members, of /etc/group."""
        rows = (line.split(":") for line in self.text("/etc/group").splitlines())
        return {
            row[0]: (int(row[2]), [name for name in row[3].split(",") if name])
            for row in rows
            if len(row) > 3 and row[2].isdecimal()
        }

    def compatibles(self) -> list[str]:
        """The device tree's names of this machine, the board first."""
        return [name for name in self.text("/proc/device-tree/compatible").split("\0") if name]

    # -- processes -------------------------------------------------------------------------------------

    def processes(self) -> list[Process]:
        """All but this one, looked through once, for LOOK_S at most."""
        if self._processes is None:
            self._processes = []
            end = time.monotonic() + LOOK_S
            for pid in self.listed("/proc"):
                if time.monotonic() > end:
                    break
                if pid.isdecimal() and int(pid) != os.getpid():
                    self._processes.append(self._process(pid))
        return self._processes

    def _process(self, pid: str) -> Process:
        command = self.text(f"/proc/{pid}/cmdline").replace("\0", " ")
        shown = "".join(c if c.isprintable() else "?" for c in command)
        process = Process(
            int(pid), self.text(f"/proc/{pid}/comm"), shown[:57] + "..." if shown[60:] else shown
        )
        try:
            descriptors = os.listdir(self.path(f"/proc/{pid}/fd"))
        except OSError:
            self.unseen += 1
            return process
        for fd in descriptors:
            target = self.link(f"/proc/{pid}/fd/{fd}")
            if target.startswith(LINE_FILES):
                process.holds_lines = True
                process.lines |= self._lines(pid, fd)
            elif target.startswith("/dev/gpiochip"):
                process.chips.add(target)
        return process

    def _lines(self, pid: str, fd: str) -> set[tuple[str, int]]:
        """The lines of a request, as newer kernels tell them: "gpio-chip:" and "gpio-line:" in fdinfo."""
        chip, found = "", set()
        for row in self.text(f"/proc/{pid}/fdinfo/{fd}").splitlines():
            key, _, value = row.partition(":")
            if key == "gpio-chip":
                chip = value.strip()
            elif key == "gpio-line" and value.strip().isdecimal():
                found.add((chip, int(value)))
        return found
