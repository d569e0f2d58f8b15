# SPDX-License-Identifier: LGPL-3.0-or-later
"""Programs that run on the device, and who has them run: bytes <-> messages, nothing of sockets.

What is sent is a frame: the size of its body (4 bytes, the most significant first), its kind, the body. A body is a
message, which is JSON, or data of one program: the length of its id, the id, the bytes. An id is the client's own name
for a program, on his connection alone: he gives it with ``start`` or ``attach``. See doc/protocol.

The messages are rows of a table. What is no row, or has not what its row says, is refused and nothing is done.
"""

from __future__ import annotations

import json
import struct

from ..errors import ProtocolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

HEAD = struct.Struct(">IB")
BODY_MAX = 1 << 22
"""Bytes of a body."""
ID_MAX = 64
"""Bytes of an id."""
DATA_MAX = 1 << 16
"""Bytes of data that are sent in one frame, but for pictures."""
VERSION = 1

MESSAGE, STDIN, STDOUT, STDERR, VIDEO, CONTENT = range(1, 7)
"""Kinds of frames. CONTENT is of a file that is being sent: its id is empty."""
KINDS = range(MESSAGE, CONTENT + 1)

RUNNERS = ("python3", "exec", "shell")
SIGNALS = ("HUP", "INT", "QUIT", "KILL", "USR1", "USR2", "TERM", "CONT", "STOP", "TSTP", "WINCH")
KEY_EVENTS = ("keydown", "keyup")
TEXT_MAX = 1 << 22
WORDS_MAX = 1024
LINES_MAX = 64
ROWS_MAX = 10_000
FILES_MAX = 4096
"""How many files one upload may have."""


def text(most: int = 4096, least: int = 0) -> Callable[[object], bool]:
    """Whether a value is text of such a length, without a NUL."""
    return lambda value: isinstance(value, str) and least <= len(value) <= most and "\0" not in value


def whole(least: int, most: int) -> Callable[[object], bool]:
    """Whether a value is a whole number in that range."""
    return lambda value: type(value) is int and least <= value <= most


def one_of(words: tuple[str, ...]) -> Callable[[object], bool]:
    """Whether a value is one of these words."""
    return lambda value: isinstance(value, str) and value in words


def many(check: Callable[[object], bool], most: int) -> Callable[[object], bool]:
    """Whether a value is a list of such values."""
    return lambda value: isinstance(value, list) and len(value) <= most and all(map(check, value))


def mapping(most: int) -> Callable[[object], bool]:
    """Whether a value is an object with no more names than that."""
    return lambda value: isinstance(value, dict) and len(value) <= most


def _is_switch(value: object) -> bool:
    return isinstance(value, bool)


class Row:
    """A message: whether it is of one program, what its data must have, and what it may have."""

    __slots__ = ("may", "must", "of_program", "text")

    def __init__(
        self,
        text: str,
        of_program: bool = False,
        must: Mapping[str, Callable[[object], bool]] | None = None,
        may: Mapping[str, Callable[[object], bool]] | None = None,
    ) -> None:
        self.text, self.of_program, self.must, self.may = text, of_program, must or {}, may or {}


NUMBER = whole(1, 1 << 53)
ROWS_COLUMNS = {"rows": whole(1, ROWS_MAX), "cols": whole(1, ROWS_MAX)}

ASKED = {
    "hello": Row("Answered by hello: nothing is said before something is asked."),
    "ping": Row("Answered by pong."),
    "start": Row(
        "Have a program run. RUNNER: the interpreter, the file itself, or the user's shell. CODE is what is written "
        "into a file; else PATH is the file, relative to the work directory where it is not absolute. With CODE, PATH "
        "is an existing directory and DIRECTORY one of the work directory that is made where it is missing; without "
        "either it is a fresh one, which is removed afterwards. ARGS: the program's arguments. PTY: on a terminal of "
        "ROWS and COLS. VENV: the virtual environment whose Python it is. LINES: those that it has to itself among "
        "programs; WHEN_BUSY: whether it waits for them, or is refused. DETACHED: it goes on without its client. NAME: "
        "how it is listed. Answered by started, or by waiting and, later, started.",
        True,
        {"runner": one_of(RUNNERS)},
        {
            "code": text(TEXT_MAX),
            "path": text(),
            "directory": text(),
            "args": many(text(1 << 16), WORDS_MAX),
            "pty": _is_switch,
            **ROWS_COLUMNS,
            "venv": text(),
            "lines": many(whole(0, 1023), LINES_MAX),
            "when_busy": one_of(("wait", "refuse")),
            "detached": _is_switch,
            "name": text(200),
        },
    ),
    "eof": Row("Nothing more comes for its standard input.", True),
    "stop": Row("End it, and all that it has started: SIGTERM, and SIGKILL after a grace time.", True),
    "signal": Row("Send a signal to its process group.", True, {"signal": one_of(SIGNALS)}),
    "resize": Row("Its terminal has another size now.", True, ROWS_COLUMNS),
    "keyevent": Row(
        "A key that it listens for went down or up.",
        True,
        {"key": text(100, 1), "event": one_of(KEY_EVENTS)},
    ),
    "detach": Row("It goes on without this client; its output is kept. Answered by detached.", True),
    "attach": Row(
        "Have what a program that runs, or has ended, has written lately and writes from now on, and write to it. "
        "FOLLOW false: what it has written alone, and then detached. Answered by attached.",
        True,
        {"number": NUMBER},
        {"follow": _is_switch},
    ),
    "list": Row("Answered by listed, with the programs that run or wait, and detached ones that have ended."),
    "end": Row(
        "As stop or signal, of any program. Answered by ending.",
        False,
        {"number": NUMBER},
        {"signal": one_of(SIGNALS)},
    ),
    "forget": Row(
        "Drop what is kept of a program that has ended. Answered by forgotten.", False, {"number": NUMBER}
    ),
    "upload": Row(
        "Make a directory of the work directory that has these files and no others, or leave it as it is. FILES: path "
        'below it -> {"type": "text", "content": {"text": ...}} or {"type": "url", "content": {"url", "bucketName", '
        '"fileName"}}. Answered by uploaded.',
        False,
        {"name": text(), "files": mapping(FILES_MAX)},
    ),
    "sync": Row(
        "Begin to bring a directory of the work directory up to date: FILES is path -> [size, SHA-256 in hexadecimal, "
        "mode]. What was uploaded before and is not among them goes, what programs have made stays. Answered by "
        "wanted, with the paths of those that differ. Then content comes for each, in that order, and commit.",
        False,
        {"name": text(), "files": mapping(FILES_MAX)},
    ),
    "file": Row("CONTENT frames of this file come now.", False, {"path": text()}),
    "commit": Row("All of it has been sent. Answered by uploaded."),
}
"""What a client may ask."""

TOLD = {
    "hello": Row(
        "Which version of this is spoken, as whom programs run, and where the work directory is.",
        False,
        {"version": NUMBER, "user": text(), "work": text()},
    ),
    "pong": Row("Answers ping."),
    "started": Row("It runs.", True, {"number": NUMBER, "pid": NUMBER, "name": text()}),
    "waiting": Row(
        "It waits for lines that others have; WHY says for which.", True, {"number": NUMBER, "why": text()}
    ),
    "stopped": Row(
        "It has ended; minus the signal's number where that has done it.",
        True,
        {"exitCode": whole(-1024, 1 << 32)},
    ),
    "attached": Row(
        "Output follows. LOST bytes of it were dropped before.",
        True,
        {"number": NUMBER, "name": text(), "pty": _is_switch, "lost": whole(0, 1 << 62)},
    ),
    "detached": Row("It is no program of this connection any more.", True),
    "keylisten": Row("It listens for a key.", True, {"key": text(100)}),
    "listed": Row("The programs.", False, {"programs": many(mapping(64), 4096)}),
    "ending": Row("It was told."),
    "forgotten": Row("It is."),
    "wanted": Row("Whose content is to be sent.", False, {"files": many(text(), FILES_MAX)}),
    "uploaded": Row("All is there.", False, {"fetched_urls": _is_switch}),
    "error": Row(
        'ABOUT, a type, was not done; "" is what is no message. Of a start: the id is free again. "owner": the program '
        'is ended, for what its owner has shown is revoked. "token": what this client has shown is, and the connection '
        "ends.",
        False,
        {"message": text(1 << 16), "about": text()},
    ),
}
"""What a client is told. Any of them may have an id."""


class Message:
    """A message: its type, the id of the program that it is about ("" for none), and its data."""

    __slots__ = ("data", "process", "type")

    def __init__(self, type: str, process: str = "", data: Mapping[str, Any] | None = None) -> None:
        self.type, self.process, self.data = type, process, data or {}

    def __repr__(self) -> str:
        return f"<{self.type} {self.process!r} {self.data!r}>"

    def written(self) -> bytes:
        """The frame."""
        said: dict[str, object] = {"type": self.type}
        if self.process:
            said["process"] = self.process
        if self.data:
            said["data"] = self.data
        body = json.dumps(said, separators=(",", ":")).encode()
        return HEAD.pack(len(body), MESSAGE) + body


class Data:
    """Bytes of a program, of one of the kinds STDIN to CONTENT."""

    __slots__ = ("kind", "process", "value")

    def __init__(self, kind: int, process: str, value: bytes) -> None:
        self.kind, self.process, self.value = kind, process, value

    def __repr__(self) -> str:
        return f"<{self.kind} {self.process!r} {len(self.value)} bytes>"

    def written(self) -> bytes:
        """The frame."""
        return head(self.kind, self.process, len(self.value)) + self.value


def head(kind: int, process: str, size: int) -> bytes:
    """What stands before *size* bytes of data."""
    name = process.encode()
    return HEAD.pack(1 + len(name) + size, kind) + bytes((len(name),)) + name


def read(body: bytes, rows: Mapping[str, Row]) -> Message:
    """Read a message that is one of these rows. Raises ProtocolError."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError) as e:
        raise ProtocolError(f"a message that is no JSON: {e}") from None
    if not isinstance(said, dict) or not isinstance(said.get("type"), str):
        raise ProtocolError("a message is an object with a type")
    type, process, data = said["type"], said.get("process", ""), said.get("data")
    row = rows.get(type)
    if row is None:
        raise ProtocolError(f"there is no message {type[:40]!r}")
    if not is_id(process) or (row.of_program and not process):
        raise ProtocolError(f"{type}: process is an id of 1 to {ID_MAX} bytes")
    data = {} if data is None else data
    if not isinstance(data, dict):
        raise ProtocolError(f"{type}: data is an object")
    check(type, row, data)
    return Message(type, process, data)


def check(type: str, row: Row, data: Mapping[str, object]) -> None:
    """Raise ProtocolError where data is not what the row says."""
    for name, is_right in row.must.items():
        if name not in data:
            raise ProtocolError(f"{type}: {name} is missing")
        if not is_right(data[name]):
            raise ProtocolError(f"{type}: {name} cannot be {shown(data[name])}")
    for name, value in data.items():
        if name in row.must:
            continue
        if name not in row.may:
            raise ProtocolError(f"{type}: there is no {name[:40]!r}")
        if not row.may[name](value):
            raise ProtocolError(f"{type}: {name} cannot be {shown(value)}")


def shown(value: object) -> str:
    """A value for people, not all of a long one."""
    found = repr(value)
    return found if len(found) <= 60 else f"{found[:57]}..."


def is_id(process: object) -> bool:
    """Whether that can be an id, or is none: ""."""
    if not isinstance(process, str) or "\0" in process or len(process) > ID_MAX:
        return False
    try:
        return len(process.encode()) <= ID_MAX
    except UnicodeEncodeError:  # half of a pair, of which JSON knows
        return False


class Reader:
    """Bytes in, frames out; *rows* are the messages that may come."""

    def __init__(self, rows: Mapping[str, Row] = ASKED) -> None:
        self._rows = rows
        self._left = bytearray()

    @property
    def is_in_frame(self) -> bool:
        """Whether one has begun, and not ended."""
        return bool(self._left)

    def feed(self, data: bytes) -> list[Message | Data | ProtocolError]:
        """Return what is whole now. A frame that is none raises ProtocolError, after which nothing can be read; a
        message that is none comes as the error, in its place.
        """
        left = self._left
        left += data
        found: list[Message | Data | ProtocolError] = []
        at = 0
        while len(left) - at >= HEAD.size:
            size, kind = HEAD.unpack_from(left, at)
            if kind not in KINDS or size > BODY_MAX:
                raise ProtocolError("that is no frame of programs")
            end = at + HEAD.size + size
            if end > len(left):
                break
            found.append(self._frame(kind, bytes(left[at + HEAD.size : end])))
            at = end
        del left[:at]
        return found

    def _frame(self, kind: int, body: bytes) -> Message | Data | ProtocolError:
        if kind != MESSAGE:
            return data_of(kind, body)
        try:
            return read(body, self._rows)
        except ProtocolError as e:
            return e


def data_of(kind: int, body: bytes) -> Data:
    """Read the body of a frame of data. Raises ProtocolError."""
    size = body[0] if body else ID_MAX + 1
    if size > ID_MAX or len(body) < 1 + size:
        raise ProtocolError("data of no program")
    try:
        return Data(kind, body[1 : 1 + size].decode(), body[1 + size :])
    except UnicodeDecodeError:
        raise ProtocolError("an id that is no text") from None
