# SPDX-License-Identifier: LGPL-3.0-or-later
"""What a program is made of: its file, the words of its command line, its folder, its environment.

What is refused is refused before anything is started, with what stands in the way.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import sys
from itertools import islice

from .. import errors, stand_ins
from ..machine import folders
from . import process, rooms

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

FRESH = ".run"
"""The folder of the work directory for those that have none of their own."""
HEADER = re.compile(r"#\s*rpio:\s*lines\s+(\d+(?:[\s,]+\d+)*)\s*$", re.ASCII)
HEADER_LINES = 10
"""In so many lines may a program declare those that it has to itself."""
LINES_MAX, LINE_MAX = 64, 1023
LINE_BYTES = 4096
FILES_MAX = 100
"""So many names are tried for a file of code."""
TERMINAL = "xterm-256color"
NAMES = {"python3": "{}.py", "exec": "exec-{}"}
"""What a file of code is called, by its runner. Source: interop with Further-Link's."""


class Recipe:
    """What is to be started. clean_up() takes away what was made for it. Twice is fine."""

    def __init__(
        self, words: list[str], folder: str, environment: dict[str, str], lines: tuple[int, ...], name: str
    ) -> None:
        self.words, self.folder, self.environment, self.lines, self.name = (
            words,
            folder,
            environment,
            lines,
            name,
        )
        self.file = ""
        """What is run; "" for a shell."""
        self.files: list[str] = []
        """Files and folders of its own."""

    def clean_up(self) -> None:
        """Take them away."""
        while self.files:
            path = self.files[-1]
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path, ignore_errors=True)  # the program may be writing there still
            elif os.path.lexists(path):
                os.unlink(path)
            self.files.pop()


class Kitchen:
    """Where recipes come from: the work directory, the folder for code that names none ("" is a fresh one for each),
    and the virtual environment of those that name none ("" is this Python).
    """

    def __init__(self, work: str, temp: str = "", venv: str = "") -> None:
        self.work, self._temp, self._venv = work, temp, venv
        self._who = process.this_user()
        self.user = self._who.name
        """As whom programs run."""
        self._fresh = rooms.Room()

    def open(self, name: str) -> list[str]:
        """Make the work directory, with a place for this keeper's programs, which has that *name*; take away those of
        keepers that were killed, and return their names. Raises OSError.
        """
        os.makedirs(self.work, exist_ok=True)
        return self._fresh.open(os.path.join(self.work, FRESH), name)

    def close(self) -> None:
        """Take that away. Twice is fine."""
        self._fresh.close()

    def recipe(self, number: int, data: Mapping[str, Any], more: Mapping[str, str]) -> Recipe:
        """Return what program *number* is made of; *data* is that of a start message (see wire/runs), *more* goes into
        its environment.

        Raises:
            CommandError: what is asked for is not there, or cannot be.
            OSError: a file cannot be written.
        """
        runner = data["runner"]
        made = Recipe([], "", {}, (), "")
        try:
            self._find(made, number, runner, data)
            venv = self._environment(made, data.get("venv", ""), more)
            words = {
                "python3": [python_of(venv), "-u", made.file],
                "exec": [made.file],
                "shell": [made.environment["SHELL"]],
            }[runner]
            made.words = [*words, *data.get("args", ())]
            made.name = data.get("name") or made.name
            made.lines = self._lines(data, made)
        except BaseException:
            made.clean_up()
            raise
        return made

    def _find(self, made: Recipe, number: int, runner: str, data: Mapping[str, Any]) -> None:
        """Its file and its folder."""
        code, path = data.get("code"), data.get("path", "")
        if runner == "shell":
            made.folder = self._existing(path) if path else self._home()
            made.name = "shell"
        elif code is None:
            if not path:
                raise errors.CommandError("neither code nor the path of a file", hint="code or path in data")
            file = self._below_work(path)
            if not os.path.isfile(file):
                raise errors.CommandError(f"there is no file {file}")
            if runner == "exec" and not os.access(file, os.X_OK):
                raise errors.CommandError(f"{file} cannot be executed", hint=f"chmod +x {file}")
            made.file, made.folder, made.name = file, os.path.dirname(file), os.path.basename(path)
        else:
            made.folder = self._folder_for(made, number, path, data.get("directory", ""))
            self._write(made, NAMES[runner], number, code, 0o700 if runner == "exec" else 0o600)
            made.name = os.path.basename(made.file)

    def _write(self, made: Recipe, name: str, number: int, code: str, mode: int) -> None:
        """Write it into a file of its own: what is there may be somebody's program, or one of another keeper's."""
        for other in range(FILES_MAX):
            file = os.path.join(made.folder, name.format(f"{number}-{other}" if other else number))
            try:
                fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
            except FileExistsError:
                continue
            made.files.append(file)
            made.file = file
            with os.fdopen(fd, "w", encoding="utf-8", errors="surrogateescape", newline="") as written:
                written.write(code)
            return
        raise errors.CommandError(f"{file} is there already, and others of such names: it is written nowhere")

    def _folder_for(self, made: Recipe, number: int, path: str, directory: str) -> str:
        if path:
            return self._existing(path)
        if directory:
            return self._made(directory)
        if self._temp:
            return self._temp
        fresh = os.path.join(self._fresh.made(), str(number))
        made.files.append(fresh)
        os.mkdir(fresh, 0o700)
        return fresh

    def _made(self, directory: str) -> str:
        """A folder of the work directory, made where it is missing."""
        parts = directory.split("/")
        if (
            directory.startswith("/")
            or any(part in ("", ".", "..") for part in parts)
            or parts[0].startswith(".")
        ):
            raise errors.CommandError(
                f"{directory!r} is no directory of the work directory",
                hint=f"a name, or a path without .. that begins below {self.work}",
            )
        path = os.path.join(self.work, directory)
        os.makedirs(path, exist_ok=True)
        real, work = os.path.realpath(path), os.path.realpath(self.work)
        if os.path.commonpath((real, work)) != work:
            raise errors.CommandError(f"{directory!r} is a link that leads out of the work directory")
        return path

    def _existing(self, path: str) -> str:
        found = self._below_work(path)
        if not os.path.isdir(found):
            raise errors.CommandError(f"there is no directory {found}")
        return found

    def _below_work(self, path: str) -> str:
        return os.path.normpath(os.path.join(self.work, path))

    def _home(self) -> str:
        home = self._who.home
        return home if os.path.isdir(home) and os.access(home, os.X_OK) else self.work

    def _environment(self, made: Recipe, venv: str, more: Mapping[str, str]) -> str:
        """Set it; return the folder of the virtual environment, "" for none."""
        import pwd

        venv = self._below_work(venv or self._venv) if venv or self._venv else ""
        if venv and not os.path.exists(f"{venv}/bin/python3"):
            text = f"{venv} is no virtual environment: it has no bin/python3"
            raise errors.CommandError(text, hint=f"python3 -m venv {venv} there makes one")
        try:
            shell = pwd.getpwuid(os.geteuid()).pw_shell
        except KeyError:
            shell = ""
        runtime = f"/run/user/{os.geteuid()}"
        found = {
            **process.environment(self._who, {}),
            "TERM": TERMINAL,
            "SHELL": shell if os.access(shell or "/", os.X_OK) and shell else "/bin/sh",
            "PWD": made.folder,
            "PYTHONPATH": stand_ins.FOLDER,
            **{
                name: os.environ[name]
                for name in ("DISPLAY", "XAUTHORITY", "WAYLAND_DISPLAY")
                if name in os.environ
            },
            **({"XDG_RUNTIME_DIR": runtime} if os.path.isdir(runtime) else {}),
        }
        if venv:
            found["VIRTUAL_ENV"], found["PATH"] = venv, f"{venv}/bin:{found['PATH']}"
        else:
            found["GPIOZERO_PIN_FACTORY"] = "rpio"
        made.environment = {**found, **more}
        return venv

    def _lines(self, data: Mapping[str, Any], made: Recipe) -> tuple[int, ...]:
        """The lines that it has to itself: as it was asked for, else as it says itself."""
        asked = data.get("lines")
        if asked is not None:
            return tuple(sorted(set(asked)))
        return declared(made.file) if made.file else ()


def python_of(venv: str) -> str:
    """The interpreter."""
    return f"{venv}/bin/python3" if venv else sys.executable


def declared(file: str) -> tuple[int, ...]:
    """The lines that a file declares in its first ten lines: ``# rpio: lines 17,18``. Raises CommandError."""
    if not stat.S_ISREG(os.stat(file).st_mode):
        return ()
    with open(file, encoding="utf-8", errors="replace") as opened:
        begin = [line[:LINE_BYTES] for line in islice(opened, HEADER_LINES)]
    found = next(filter(None, map(HEADER.match, begin)), None)
    return _numbers(found[1], file) if found is not None else ()


def _numbers(words: str, file: str) -> tuple[int, ...]:
    lines = tuple(sorted({int(word) for word in words.replace(",", " ").split()}))
    if len(lines) > LINES_MAX or any(line > LINE_MAX for line in lines):
        raise errors.CommandError(f"{file}: `# rpio: lines` names no lines: they are BCM numbers")
    return lines


def backend() -> str:
    """What a program has as RPIO_BACKEND where nobody has told: the daemon of this machine, if there is one."""
    for path in folders.sockets():
        if os.path.exists(path) and os.access(path, os.W_OK):
            return f"remote+unix://{path}"
    return ""
