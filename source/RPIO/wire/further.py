# SPDX-License-Identifier: LGPL-3.0-or-later
"""Further-Link's JSON, in its two dialects, <-> the messages of wire/runs. No sockets here.

``/run-py`` is the older one: one program at a time, messages of ``type`` and ``data`` alone. ``/run`` has several
programs, and four keys in each message that is told. What a client has sent becomes frames for the programs' keeper, or
a refusal; what the keeper tells becomes texts for the client. Texts are written as Python's json writes them, spaces
included: that is how the original does.
Source: pt-further-link's README of November 2020, and exchanges with the original.
"""

from __future__ import annotations

import json
from codecs import getincrementaldecoder

from .. import log
from ..errors import ProtocolError
from .runs import (
    ASKED,
    BODY_MAX,
    DATA_MAX,
    HEAD,
    STDERR,
    STDIN,
    STDOUT,
    VIDEO,
    Data,
    Message,
    check,
    is_id,
    shown,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from codecs import IncrementalDecoder
    from collections.abc import Iterable, Mapping, Sequence

BAD_MESSAGE, BAD_UPLOAD = "Bad message", "Bad upload"
"""The original's words of an error."""
ROWS, COLS = 4, 60
"""Of a terminal that nobody has given a size."""
THE_ONE = "main"
"""The id that the program of /run-py has at the keeper."""
NO_FILE = "there is no file "
"""How the keeper's refusal begins of a path where no file is (programs/recipe)."""
OUTPUTS = {STDOUT: "stdout", STDERR: "stderr"}
PIECE_MAX = 4096
"""More is no piece of a line."""
BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
REMEMBERED = 1024
"""Of so many ids at most is anything remembered."""

RUN: dict[str, dict[str, str]] = {
    "start": {
        "runner": "runner",
        "code": "code",
        "path": "path",
        "pty": "pty",
        "rows": "rows",
        "cols": "cols",
        "args": "args",
        "venv": "venv",
        "lines": "lines",
        "whenBusy": "when_busy",
        "name": "name",
        "detached": "detached",
    },
    "stop": {},
    "resize": {"rows": "rows", "cols": "cols"},
    "keyevent": {"key": "key", "event": "event"},
    "signal": {"signal": "signal"},
    "eof": {},
    "detach": {},
    "attach": {"number": "number", "follow": "follow"},
    "list": {},
    "end": {"number": "number", "signal": "signal"},
    "forget": {"number": "number"},
}
"""What /run asks, but for ping and stdin: type -> a name in its data -> the name that wire/runs has. Others are passed
over, as the original does.
"""


class Turn:
    """What comes of what a client has sent: frames for the keeper, texts for the client."""

    __slots__ = ("down", "up")

    def __init__(self, up: bytes = b"", *down: str) -> None:
        self.up, self.down = up, list(down)


def framed(message: Message) -> bytes:
    """The frame of a message. Raises ProtocolError for one that is too long."""
    found = message.written()
    if len(found) - HEAD.size > BODY_MAX:
        raise ProtocolError(f"{message.type}: that is more than {BODY_MAX} bytes")
    return found


def _stdin(process: str, data: Mapping[str, object]) -> bytes:
    value = data.get("input")
    if not isinstance(value, str):
        raise ProtocolError(f"stdin: input is text, not {shown(value)}")
    left = value.encode("utf-8", "replace")
    parts = [left[at : at + DATA_MAX] for at in range(0, len(left), DATA_MAX)]
    return b"".join(Data(STDIN, process, part).written() for part in parts)


def _read(text: object) -> tuple[str, object, dict[str, object]]:
    """The type, the process and the data of what a client has sent. Raises ProtocolError."""
    if not isinstance(text, str):
        raise ProtocolError("a message is text, not bytes")
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as e:
        raise ProtocolError(f"a message that is no JSON: {e}") from None
    if not isinstance(said, dict) or not isinstance(said.get("type"), str):
        raise ProtocolError("a message is an object with a type")
    data = said.get("data")
    if data is not None and not isinstance(data, dict):
        raise ProtocolError("data is an object")
    return said["type"], said.get("process"), data or {}


class Texts:
    """Bytes of a program's streams -> text: a character that comes in two parts is one, what is none is U+FFFD."""

    def __init__(self) -> None:
        self._decoders: dict[tuple[str, int], IncrementalDecoder] = {}

    def more(self, found: Data) -> str:
        """The text of more bytes; "" where they are the beginning of a character."""
        key = found.process, found.kind
        decoder = self._decoders.get(key)
        if decoder is None:
            self._decoders[key] = decoder = getincrementaldecoder("utf-8")("replace")
        return decoder.decode(found.value)

    def last(self, process: str) -> list[tuple[int, str]]:
        """What is left of characters that nothing more comes of: kind and text."""
        ended = [(kind, self._decoders.pop((process, kind), None)) for kind in OUTPUTS]
        texts = [(kind, decoder.decode(b"", True)) for kind, decoder in ended if decoder is not None]
        return [(kind, text) for kind, text in texts if text]


def picture(value: bytes) -> str:
    """A picture in base64, as JSON has it. It is not read, but that nothing else is in it."""
    if value.translate(None, BASE64):
        return json.dumps(value.decode("utf-8", "replace"))
    return f'"{value.decode("ascii")}"'


def joined(found: Iterable[Message | Data]) -> list[Message | Data]:
    """The same, with outputs of a program that follow on each other as one."""
    done: list[Message | Data] = []
    for said in found:
        last = done[-1] if done else None
        if (
            isinstance(said, Data)
            and isinstance(last, Data)
            and said.kind == last.kind in OUTPUTS
            and said.process == last.process
            and len(last.value) < DATA_MAX
        ):
            done[-1] = Data(said.kind, said.process, last.value + said.value)
        else:
            done.append(said)
    return done


class Dialect:
    """One connection's state, and how it is spoken there."""

    def __init__(self) -> None:
        self._texts = Texts()
        self._terminals: set[str] = set()  # ids of programs that have one

    def is_begun(self, found: Sequence[Message | Data]) -> bool:
        """Whether a line was begun last whose end may come at once: Python writes print() in several pieces. On a
        terminal each piece is for somebody who looks at it.
        """
        last = found[-1]
        return (
            isinstance(last, Data)
            and last.kind in OUTPUTS
            and len(last.value) < PIECE_MAX
            and last.process not in self._terminals
            and not last.value.endswith(b"\n")
        )

    def hear(self, text: object) -> Turn:
        """What comes of a message of the client's."""
        try:
            return self._hear(*_read(text))
        except ProtocolError as e:
            return Turn(b"", self.refused(str(e)))

    def tell(self, found: Message | Data) -> list[str]:
        """What the client is told of what the keeper has told."""
        if isinstance(found, Data):
            return self._tell_data(found)
        left: list[str] = []
        if found.type in ("stopped", "detached"):
            left = [
                self._output(found.process, OUTPUTS[kind], json.dumps(text))
                for kind, text in self._texts.last(found.process)
            ]
        return left + self._tell(found)

    def _tell_data(self, found: Data) -> list[str]:
        if found.kind == VIDEO:
            return [self._output(found.process, "video", picture(found.value))]
        name = OUTPUTS.get(found.kind)
        text = self._texts.more(found) if name is not None else ""
        return [self._output(found.process, name, json.dumps(text))] if name is not None and text else []

    def refused(self, why: str) -> str:
        """The text of a refusal."""
        raise NotImplementedError

    def failed(self, why: str) -> str:
        """The text of what could not be done: the keeper has heard nothing of it."""
        return self.refused(why)

    def _hear(self, type: str, process: object, data: dict[str, object]) -> Turn:
        raise NotImplementedError

    def _tell(self, found: Message) -> list[str]:
        raise NotImplementedError

    def _output(self, process: str, type: str, text: str) -> str:
        """A message of text that is JSON already."""
        raise NotImplementedError


# -- /run-py --------------------------------------------------------------------------------------


def _two_keys(type: str, data: object = None) -> str:
    return json.dumps({"type": type, "data": data})


class RunPy(Dialect):
    """The dialect of /run-py. Its errors are the original's words and no others; why a start has failed is logged."""

    def __init__(self) -> None:
        super().__init__()
        self._is_busy = False  # a program was started, and has not stopped

    def refused(self, why: str) -> str:
        """The text of a refusal."""
        return _two_keys("error", {"message": BAD_MESSAGE})

    def failed(self, why: str) -> str:
        """The text of what could not be done: the keeper has heard nothing of it."""
        self._is_busy = False
        log.warning("/run-py: nothing was started: %s", why)
        return _two_keys("error", {"message": BAD_MESSAGE})

    def _hear(self, type: str, process: object, data: dict[str, object]) -> Turn:
        if type == "ping":
            return Turn(b"", _two_keys("pong"))
        if type == "upload":
            return Turn(framed(upload(data.get("directory"))))
        if type not in ("start", "stdin", "stop"):
            raise ProtocolError(f"there is no message {type[:40]!r}")
        if self._is_busy is (type == "start"):
            raise ProtocolError(f"{type}: {'a' if self._is_busy else 'no'} program is running")
        if type == "stdin":
            return Turn(_stdin(THE_ONE, data))
        found = framed(Message("stop", THE_ONE) if type == "stop" else self._start(data))
        self._is_busy = True
        return Turn(found)

    def _start(self, data: dict[str, object]) -> Message:
        script, path, directory = (data.get(name) for name in ("sourceScript", "sourcePath", "directoryName"))
        wanted: dict[str, object] = {"runner": "python3"}
        if isinstance(script, str):
            wanted["code"] = script
            if directory:
                wanted["directory"] = directory
        elif path:
            wanted["path"] = path
        else:
            raise ProtocolError("start: it has neither sourceScript nor sourcePath")
        check("start", ASKED["start"], wanted)
        return Message("start", THE_ONE, wanted)

    def _tell(self, found: Message) -> list[str]:
        if found.type == "stopped":
            self._is_busy = False
            return [_two_keys("stopped", {"exitCode": found.data["exitCode"]})]
        if found.type in ("started", "uploaded"):
            return [_two_keys(found.type)]
        if found.type != "error":
            return []  # hello, or what this dialect has no word for
        about = found.data.get("about")
        if about == "upload":
            return [_two_keys("error", {"message": BAD_UPLOAD})]
        if about == "start":
            return self._not_started(str(found.data["message"]))
        return [self.refused("")]

    def _not_started(self, why: str) -> list[str]:
        self._is_busy = False
        if not why.startswith(NO_FILE):
            return [self.failed(why)]
        # Of a file that is not there the original's clients hear what Python has to say of it, and its status.
        text = f"python3: can't open file {why[len(NO_FILE) :]!r}: [Errno 2] No such file or directory\n"
        output = self._output("", "stderr", json.dumps(text))
        return [_two_keys("started"), output, _two_keys("stopped", {"exitCode": 2})]

    def _output(self, process: str, type: str, text: str) -> str:
        return f'{{"type": "{type}", "data": {{"output": {text}}}}}'


# -- /run -----------------------------------------------------------------------------------------


class Run(Dialect):
    """The dialect of /run. *client* is echoed; *is_pty*: programs have a terminal unless their start says otherwise."""

    def __init__(self, client: str = "", is_pty: bool = False) -> None:
        super().__init__()
        self._is_pty = is_pty
        self._client = json.dumps(client)
        self._numbers: dict[str, object] = {}  # id -> the program's number
        self._detached: set[str] = set()  # ids that were started so

    def _four_keys(self, type: str, data: object = None, process: str | None = None) -> str:
        return (
            f'{{"type": {json.dumps(type)}, "data": {json.dumps(data)}, "client": {self._client}, '
            f'"process": {json.dumps(process)}}}'
        )

    def refused(self, why: str) -> str:
        """The text of a refusal."""
        return self._four_keys("error", {"message": BAD_MESSAGE, "reason": why})

    def _hear(self, type: str, process: object, data: dict[str, object]) -> Turn:
        if type == "ping":
            return Turn(b"", self._four_keys("pong"))
        names = {"input": "input"} if type == "stdin" else RUN.get(type)
        if names is None:
            raise ProtocolError(f"there is no message {type[:40]!r}")
        row = ASKED.get(type)
        of_program = row is None or row.of_program
        if of_program and (not process or not is_id(process)):
            raise ProtocolError(f"{type}: process is text of 1 to 64 bytes")
        id = str(process) if of_program else ""
        if row is None:
            return Turn(_stdin(id, data))
        wanted = {names[name]: value for name, value in data.items() if name in names and value is not None}
        if type == "start":
            self._complete(id, wanted)
        try:
            check(type, row, wanted)
        except ProtocolError as e:
            raise ProtocolError(_in_our_names(str(e))) from None
        return Turn(framed(Message(type, id, wanted)))

    def _complete(self, id: str, wanted: dict[str, object]) -> None:
        """What a start has not said."""
        if self._is_pty:
            wanted.setdefault("pty", True)
        if wanted.get("pty") is True:
            if len(self._terminals) < REMEMBERED:
                self._terminals.add(id)
            wanted.setdefault("rows", ROWS)
            wanted.setdefault("cols", COLS)
        if wanted.get("detached") is True and len(self._detached) < REMEMBERED:
            self._detached.add(id)

    def _tell(self, found: Message) -> list[str]:
        type, id, data = found.type, found.process, found.data
        if type == "error":
            return [self._tell_error(id, data)]
        told: object = None
        if type == "started":
            self._numbers[id] = data.get("number")
            if id in self._detached:  # who wants to find it again, has to know
                told = {"number": data.get("number"), "name": data.get("name")}
            self._detached.discard(id)
        elif type == "attached":
            self._numbers[id] = data.get("number")
            if data.get("pty"):
                self._terminals.add(id)
            told = data
        elif type == "detached":
            self._terminals.discard(id)
            told = {"number": self._numbers.pop(id, None)}
        elif type == "stopped":
            self._terminals.discard(id)
            self._numbers.pop(id, None)
            told = {"exitCode": data["exitCode"]}
        elif type == "keylisten":
            told = {"output": data.get("key", ""), "key": data.get("key", "")}
        elif type in ("waiting", "listed", "ending", "forgotten"):
            told = data or None
        else:
            return []  # hello
        return [self._four_keys(type, told, id or None)]

    def _tell_error(self, id: str, data: Mapping[str, object]) -> str:
        about = data.get("about", "")
        if about == "start" and id not in self._numbers:
            self._detached.discard(id)
            self._terminals.discard(id)
        said = {"message": BAD_MESSAGE, "reason": data.get("message", ""), "about": about, "of": id or None}
        return self._four_keys("error", said)

    def _output(self, process: str, type: str, text: str) -> str:
        id = json.dumps(process)
        return (
            f'{{"type": "{type}", "data": {{"output": {text}}}, "client": {self._client}, "process": {id}}}'
        )


def _in_our_names(text: str) -> str:
    return text.replace("when_busy", "whenBusy")


# -- uploads --------------------------------------------------------------------------------------


def upload(directory: object) -> Message:
    """The message of an upload: {"name": ..., "files": {...}}. Raises ProtocolError for another shape.

    What is in the files is looked at by the keeper, who has another error for that.
    """
    if not isinstance(directory, dict):
        raise ProtocolError(f"an upload is an object, not {shown(directory)}")
    wanted = {name: directory[name] for name in ("name", "files") if name in directory}
    check("upload", ASKED["upload"], wanted)
    return Message("upload", "", wanted)
