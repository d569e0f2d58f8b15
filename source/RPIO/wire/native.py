# SPDX-License-Identifier: LGPL-3.0-or-later
"""RPIO's own protocol: a line of text for a request, so that a person can type it. See doc/protocol.

::

    write 17 1            ->  ok
    read 17 27 #5         ->  ok 1 0 #5
    write 99 1 #6         ->  error InvalidChannelException "there is no line 99 on this chip" #6
    watch 4 falling       ->  ok
                              edge 4 0 1712345678901234 1 0

Words are separated by blanks; one that is empty, has a blank or begins with ``"`` or ``#`` is a string of JSON.
The id is the client's, and comes back with the answer; without one, answers come in the order of the requests.
"""

from __future__ import annotations

from .. import threads
from ..errors import ProtocolError
from .operations import OPERATIONS
from .rows import Operation, read, written

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

FIRST_MAX, LINE_MAX = 1024, 1 << 22
"""Bytes of the first line and of any: a wave of 100,000 edges has less."""
ID_MAX = (1 << 63) - 1
NOT_OURS = "this is RPIO's own protocol, and that is none of its operations"
WORD_ENDS = " \t\r\n\v\f"


class Request:
    """An operation and the values of its arguments; *id* is None where there is none."""

    __slots__ = ("id", "operation", "values")

    def __init__(self, operation: Operation, values: tuple[object, ...], id: int | None = None) -> None:
        self.operation, self.values, self.id = operation, values, id


class Refused:
    """A line that is no request, though it might be one: what is wrong."""

    __slots__ = ("id", "text")

    def __init__(self, text: str, id: int | None) -> None:
        self.text, self.id = text, id


class Answer:
    """What became of a request: the words of its result; or *error*, the name of its class, and as words its text, what
    to do about it, and the system's number for it.
    """

    __slots__ = ("error", "id", "words")

    def __init__(self, words: Sequence[str], id: int | None, error: str = "") -> None:
        self.words, self.id, self.error = words, id, error

    def values(self, operation: Operation) -> tuple[object, ...]:
        """The result. Raises ProtocolError where it is none of that operation."""
        try:
            return read(operation.result, self.words)
        except ValueError as e:
            raise ProtocolError(f"the answer to {operation.name}: {e}") from None


class Edge:
    """An edge that was watched: the level after it, the device's time, its number, and how many were lost before it."""

    __slots__ = ("level", "line", "lost", "seq", "timestamp_ns")

    def __init__(self, line: int, level: int, timestamp_ns: int, seq: int, lost: int) -> None:
        self.line, self.level, self.timestamp_ns, self.seq, self.lost = line, level, timestamp_ns, seq, lost


class Ended:
    """There will be no more edges of a line, and why. *lost*, where there will be, but so many of late were lost."""

    __slots__ = ("line", "lost", "text")

    def __init__(self, line: int, text: str, lost: int = 0) -> None:
        self.line, self.text, self.lost = line, text, lost


TASK_ENDS = ("done", "cancelled", "failed")


class TaskEnded:
    """How a task has ended, and why."""

    __slots__ = ("how", "number", "text")

    def __init__(self, number: int, how: str, text: str) -> None:
        self.number, self.how, self.text = number, how, text


# -- words --------------------------------------------------------------------------------------


def split(line: str) -> list[str]:
    """The words of a line. Raises ProtocolError for a string that is none."""
    if '"' not in line:
        return line.split()
    threads.load("json")
    from json import JSONDecodeError, JSONDecoder

    words, at, decode = [], 0, JSONDecoder(strict=False).raw_decode
    while at < len(line):
        if line[at] in WORD_ENDS:
            at += 1
        elif line[at] == '"':
            try:
                word, at = decode(line, at)
            except JSONDecodeError as e:
                raise ProtocolError(
                    f"a string that does not end, or is none of JSON: {line[at : at + 40]!r}"
                ) from e
            words.append(word)
        else:
            end = at
            while end < len(line) and line[end] not in WORD_ENDS:
                end += 1
            words.append(line[at:end])
            at = end
    return words


def joined(words: Sequence[str], id: int | None = None) -> bytes:
    """The line of these words."""
    text = " ".join([_quoted(word) for word in words])
    return (f"{text}\n" if id is None else f"{text} #{id}\n").encode()


def _quoted(word: str) -> str:
    if word and word[0] not in '"#' and word.isascii() and word.isprintable() and " " not in word:
        return word
    threads.load("json")
    from json import dumps

    return dumps(word)


def _id_of(words: list[str], line: str) -> int | None:
    """Take the id from the end of the words of a line, where there is one: a string that looks like one is none."""
    last = words[-1] if words else ""
    if last[:1] != "#" or line.rstrip(WORD_ENDS).endswith('"'):
        return None
    words.pop()
    digits = last[1:]
    if not (digits.isascii() and digits.isdigit() and len(digits) < 20) or int(digits) > ID_MAX:
        raise ProtocolError(f"{last[:40]!r} is no id: # and a number")
    return int(digits)


# -- lines from bytes ---------------------------------------------------------------------------


class Lines:
    """Lines out of what comes in pieces of any size."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._begun = b""

    @property
    def begun(self) -> bytes:
        """What has come of the line that is not complete."""
        return self._begun

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that are complete now. Raises ProtocolError for one that is too long."""
        *lines, self._begun = (self._begun + data).split(b"\n")
        if len(self._begun) > self.most or any(len(line) > self.most for line in lines):
            self._begun = b""
            raise ProtocolError(f"a line of more than {self.most} bytes")
        return lines


def _text_of(line: bytes) -> str:
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as e:
        raise ProtocolError("a line that is not UTF-8") from e
    if "\0" in text:
        raise ProtocolError("a line with a zero in it")
    return text


class Server:
    """The side that is asked: lines to requests, answers and edges to bytes.

    **The first line decides.** What does not begin with an operation speaks to another service: a browser that a web
    page has sent here, say. It is told so once, and nothing behind that is read.
    """

    def __init__(self) -> None:
        self._lines = Lines(LINE_MAX)
        self.is_known = False
        """The first line was an operation."""

    def feed(self, data: bytes) -> list[Request | Refused]:
        """Return what is asked, in order; what comes after a line that is no request is still to be answered.

        Raises:
            ProtocolError: nothing more is to be read; ``requests`` of the error came before.
        """
        found: list[Request | Refused] = []
        try:
            for line in self._lines.feed(data):
                request = self.request(line)
                if request is not None:
                    found.append(request)
            self.check_begun(self._lines.begun)
        except ProtocolError as e:
            e.requests = found  # type: ignore[attr-defined]
            raise
        return found

    def request(self, line: bytes) -> Request | Refused | None:
        """Return what a line asks, None for an empty one. Raises ProtocolError."""
        self.check_begun(line)
        text = _text_of(line)
        words = split(text)
        id = _id_of(words, text)
        if not words:
            return None
        operation = OPERATIONS.get(words[0])
        if not self.is_known:
            if operation is None:
                raise ProtocolError(NOT_OURS)
            self.is_known = True
        if operation is None:
            return Refused(f"there is no operation {words[0][:40]!r}", id)
        try:
            return Request(operation, operation.values(words[1:]), id)
        except ValueError as e:
            return Refused(str(e), id)

    def check_begun(self, begun: bytes) -> None:
        """Raise ProtocolError for a first line that begins otherwise than any operation, or does not end: what speaks
        something else may never come to the end of a line.
        """
        if self.is_known:
            return
        if len(begun) > FIRST_MAX:
            raise ProtocolError(f"a first line of more than {FIRST_MAX} bytes")
        begun = begun.lstrip()
        word = begun.split(None, 1)[0] if begun else b""
        is_whole = len(word) < len(begun)
        if not any(
            name.encode() == word if is_whole else name.encode().startswith(word) for name in OPERATIONS
        ):
            raise ProtocolError(NOT_OURS)

    @staticmethod
    def answer(request: Request, result: Sequence[object] = ()) -> bytes:
        """The line that answers a request."""
        if not result:
            return b"ok\n" if request.id is None else b"ok #%d\n" % request.id
        return joined(["ok", *written(request.operation.result, result)], request.id)

    @staticmethod
    def error(name: str, words: Sequence[str], id: int | None) -> bytes:
        """The line that says what is wrong: the name of an error's class; its text, what to do, the system's number."""
        return joined(["error", name, *words], id)

    @staticmethod
    def edge(line: int, level: int, timestamp_ns: int, seq: int, lost: int = 0) -> bytes:
        """The line that tells of an edge."""
        return b"edge %d %d %d %d %d\n" % (line, level, timestamp_ns, seq, lost)

    @staticmethod
    def ended(line: int, text: str) -> bytes:
        """The line that says that there are no more edges of a line."""
        return joined(["ended", str(line), text])

    @staticmethod
    def lost(line: int, count: int) -> bytes:
        """The line that says how many of the last edges of a line were lost, where none has come since to tell."""
        return b"lost %d %d\n" % (line, count)

    @staticmethod
    def task_ended(number: int, how: str, text: str) -> bytes:
        """The line that says how a task has ended, and why."""
        return joined(["task", str(number), how, text])


class Client:
    """The side that asks: requests to bytes, bytes to answers and edges."""

    def __init__(self) -> None:
        self._lines = Lines(LINE_MAX)

    @staticmethod
    def request(request: Request) -> bytes:
        """The line of a request."""
        return joined([request.operation.name, *request.operation.words(request.values)], request.id)

    def feed(self, data: bytes) -> list[Answer | Edge | Ended | TaskEnded]:
        """Return what has come. Raises ProtocolError for what no server of this protocol says."""
        return [told(line) for line in self._lines.feed(data)]


def told(line: bytes) -> Answer | Edge | Ended | TaskEnded:
    """Return what a server says with a line. Raises ProtocolError for what none says."""
    if line.startswith(b"edge "):  # in a hurry
        numbers = line[5:].split()
        if len(numbers) == 5 and all(map(bytes.isdigit, numbers)) and max(map(len, numbers)) < 20:
            number, level, timestamp_ns, seq, lost = map(int, numbers)
            return Edge(number, level, timestamp_ns, seq, lost)
    text = _text_of(line)
    words = split(text)
    id = _id_of(words, text)
    match words:
        case ["ok", *result]:
            return Answer(result, id)
        case ["error", name, *rest] if 1 <= len(rest) <= 3:
            return Answer(rest, id, name)
        case ["ended", channel, text] if _is_number(channel) and id is None:
            return Ended(int(channel), text)
        case ["lost", channel, count] if _is_number(channel) and _is_number(count) and id is None:
            return Ended(int(channel), "", int(count))
        case ["task", task, how, text] if _is_number(task) and how in TASK_ENDS and id is None:
            return TaskEnded(int(task), how, text)
    raise ProtocolError(f"this is no answer of RPIO's own protocol: {line[:40]!r}")


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdigit() and len(word) < 20
