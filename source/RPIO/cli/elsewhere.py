# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio run --there HOST``: bring a program to another machine, and run it there as if it ran here."""

from __future__ import annotations

import os
import re
import sys

from .. import errors
from ..backends import opening
from ..remote import uploads
from ..remote.places.places import Place
from ..remote.programs import Line
from ..wire.runs import ASKED, LINES_MAX, TEXT_MAX, Message, check
from . import raw, verb
from .following import ID, LOST, Following, Left
from .told import UsageError, reason
from .uploading import Bar

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

NAME_MAX = 200
"""Characters of how a program is listed. Source: wire/runs, "start"."""


def place_of(host: str) -> Place:
    """Where the programs of a host are asked for. Raises UsageError."""
    try:
        return Place(opening.at_host(host))
    except ValueError as e:
        raise UsageError(str(e)) from None


def line_to(place: Place) -> Line:
    """A connection to who has programs run there, not open as yet."""
    from ..backends.remote import program, who

    return Line(place, who(), program())


def run(options: argparse.Namespace) -> int:
    """Run it there; return its exit status."""
    started = Start(options)
    line = line_to(place_of(options.there))
    try:
        line.open()
        started.bring(line)
        if options.detach:
            return _detach(line, started, options.there)
        has_pty = bool(started.data.get("pty"))
        following = Following(line, _says, has_pty, has_stdin=not started.has_read_stdin)
        line.send(Message("start", ID, started.data))
        return follow(following, "run", options.there)
    finally:
        line.close()


def follow(following: Following, name: str, host: str) -> int:
    """Follow a program; return the exit status, and say what has become of it where this side has not seen its end."""
    try:
        return following.run()
    except Left:
        verb.note(f"rpio {name}: {_goes_on(following.number, host)}")
        return 0
    except errors.CommandError:
        raise
    except errors.GPIOError as e:
        if not following.is_running:
            raise
        number = following.number
        fate = f"program {number} ends with it, for it was not detached"
        if isinstance(e, errors.NotAllowedError):
            fate = f"what was started by it has been ended there, detached programs too\n{e.hint}"
        elif following.is_detached:
            fate = _goes_on(number, host)
        verb.note(f"rpio {name}: {reason(e)}\n{fate}")
        return LOST


def _goes_on(number: int, host: str) -> str:
    return f"program {number} goes on; rpio attach {number} --on {host} is there again"


def _says(text: str) -> None:
    verb.note(f"rpio run: {text}")


def _detach(line: Line, started: Start, host: str) -> int:
    """Start it, and leave it there."""
    line.send(Message("start", ID, {**started.data, "detached": True}))
    found = line.next(None)
    while not isinstance(found, Message) or found.type not in ("started", "waiting", "error"):
        found = line.next(None)
    if found.type == "error":
        raise errors.CommandError(found.data["message"])
    if found.type == "waiting":
        _says(f"waits: {found.data['why']}")
    number = found.data["number"]
    print(number, flush=True)
    verb.note(
        f"rpio run: {started.data['name']} is program {number}\n"
        f"  rpio attach {number} --on {host}   be there again\n"
        f"  rpio logs -f {number} --on {host}  what it writes\n"
        f"  rpio kill {number} --on {host}     end it"
    )
    return 0


class Start:
    """What is to be started, as wire/runs says it, and what has to be brought there first."""

    def __init__(self, options: argparse.Namespace) -> None:
        """Raises UsageError, and what of a folder cannot be brought."""
        self._options = options
        self._plan: uploads.Plan | None = None
        self._name = ""
        self.has_read_stdin = False
        self.data: dict[str, Any] = {"runner": "python3"}
        self._choose()
        if options.arguments:
            self.data["args"] = options.arguments
        if options.venv is not None:
            self.data["venv"] = options.venv
        if options.lines is not None:
            self.data["lines"] = lines_of(options.lines)
        if options.refuse:
            self.data["when_busy"] = "refuse"
        if self._has_pty():
            rows, columns = raw.size()
            self.data |= {"pty": True, "rows": rows, "cols": columns}
        self.data["name"] = self.data["name"][:NAME_MAX]
        try:
            check("start", ASKED["start"], self.data)
        except errors.ProtocolError as e:
            raise UsageError(str(e)) from None

    def _has_pty(self) -> bool:
        if self._options.pty is not None:
            return bool(self._options.pty)
        return raw.are_terminals() and not self._options.detach and not self.has_read_stdin

    def _choose(self) -> None:
        options = self._options
        if options.shell:
            if options.program is not None:
                raise UsageError("--shell is a program itself, and takes no other")
            self.data |= {"runner": "shell", "name": "shell"}
        elif options.program is None:
            raise UsageError("which program? rpio run --there HOST FILE|FOLDER [ARGUMENT ...]")
        elif options.code:
            self.data |= {"code": _checked(options.program), "name": "-c"}
        elif options.program == "-":
            self.has_read_stdin = True
            text = sys.stdin.buffer.read().decode("utf-8", "surrogateescape")
            self.data |= {"code": _checked(text), "name": "-"}
        else:
            self._choose_files(options.program)
        if self._plan is None and (options.as_name is not None or options.main is not None):
            raise UsageError("--as and --main are for files that are brought there")

    def _choose_files(self, path: str) -> None:
        """A script goes into a directory of its own, and a folder as it is."""
        options = self._options
        self._name = name = options.as_name if options.as_name is not None else uploads.name_of(path)
        if not name or "/" in name or name in (".", ".."):
            raise UsageError(f"{name!r} is no name of a directory; --as NAME gives it one")
        if os.path.isdir(path):
            self._plan = uploads.of_folder(path)
            main = uploads.main_of(self._plan, path, options.main or "")
        elif os.path.exists(path):
            if options.main is not None:
                raise UsageError("--main is for a folder, and which of its files runs")
            self._plan = uploads.of_script(path)
            (main,) = self._plan.files
        else:
            raise UsageError(f"there is no file {path!r}")
        self.data |= {"path": f"{name}/{main}", "name": name if os.path.isdir(path) else main}

    def bring(self, line: Line) -> None:
        """Bring there what is to run, as far as it is not there already."""
        plan, options = self._plan, self._options
        if plan is None:
            return
        if plan.strange and not options.quiet:
            _says(f"left out, for they are no files: {uploads.named(plan.strange)}")
        with Bar(f"{self._name} to {options.there}", not options.quiet) as bar:
            line.upload(self._name, plan, bar.show)


def _checked(text: str) -> str:
    if len(text) > TEXT_MAX or "\0" in text:
        raise UsageError(
            f"a program in one word has at most {TEXT_MAX} characters, and no NUL; put it in a file"
        )
    return text


def lines_of(text: str) -> list[int]:
    """Read "17,18", "GPIO17 18" or "2-8". Which lines there are is the other machine's affair."""
    found: set[int] = set()
    for word in re.split(r"[\s,]+", text.strip().strip(",")):
        match = re.fullmatch(r"(?:GPIO|BCM)?(\d{1,4})(?:-(\d{1,4}))?", word, re.ASCII | re.IGNORECASE)
        last = int(match[2] or match[1]) if match else -1
        if match is None or last < int(match[1]) or last > 1023:
            raise UsageError(f"{word!r} is no line; for example 17,18 or 2-8, numbered as BCM does")
        found |= set(range(int(match[1]), last + 1))
    if len(found) > LINES_MAX:
        raise UsageError(f"a program has at most {LINES_MAX} lines to itself")
    return sorted(found)
