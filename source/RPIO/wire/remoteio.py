# SPDX-License-Identifier: LGPL-3.0-or-later
"""remoteio's protocols, of which one name covers four: which one a client speaks is recognised by its first bytes.

::

    BARE   "b 7 on 2000"                   four words, and no end: nothing is answered            (package 1.0.x)
    FOUR   "b 7 on 600 "                   four words, a blank behind each: nothing is answered   (package 2.0, 2.1)
    SIX    "b 7 on 1500 0.0 0.0 "          six words, a blank behind each: one reply for each     (git, autumn of 2024)
    LINES  "dev_0 LED blink on_time=1\\n"   a line for each command, one reply for each            (git, 2025)

Words: numbering (``b`` for pins of the header, ``g`` for GPIOs), pin, command, time in ms, and two arguments. What is
not clear from the start is decided like this:

- A second word that begins with a capital letter is the name of a class: LINES. Else the first word is ``b`` or ``g``.
- ``create`` as the third word: SIX, whose clients begin with it. No other generation has that command.
- ``b`` or ``g`` within or behind the fourth word, which is a number, begins the next record: BARE where nothing is in
  between (two commands that TCP has put together, which the original cannot read), FOUR where a blank is.
- Anything else behind the fourth word: SIX.
- Nothing behind it: the record ends when nothing more comes for QUIET_S. Without a blank it is BARE, whose records all
  end like that; with one it is FOUR, whose records end with the blank from then on. So a record of SIX that is no
  ``create``, is the first of all, and stops for that long behind its fourth word, is taken for another one's.

Line ends are blanks to words, for people at a terminal. Whoever sends what cannot be any of it (a browser, TLS) is
told so and closed, as is who sends a wrong number of words, or a word or a line without an end.

Source: schech1/remoteio, 67ca095 to 711c38e, and its packages 1.0.12 and 2.1.
"""

from __future__ import annotations

from ..errors import ProtocolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

PORT = 8509
BARE, FOUR, SIX, LINES = "four words without an end", "four words", "six words", "lines"
QUIET_S = 0.02
"""After so long without a byte a record is over that has no end of its own."""
WORD_MAX = 64
LINE_MAX = 1 << 14
BOARD, GPIO = "b", "g"
CREATE, CLOSE = "create", "close"

BLANKS = b" \t\r\n"
PRINTABLE = bytes(range(0x20, 0x7F)) + BLANKS
FIRST_OF_WORD = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_")
OF_WORD = FIRST_OF_WORD | frozenset(b"0123456789")
CAPITALS = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ")
OF_NUMBER = frozenset(b"+-.0123456789iInN")
"""What a number may begin with, the infinite one and the one that is none included."""
NEXT = b"bg"

CREATED = b"!"
QUEUED = b"! command on execution-queue"
NEEDS_MORE, IS_OPEN = 0, -1


class Record:
    """One record of words. *wrong* says what is no number in it; *number* is the pin's, -1 where it has none."""

    __slots__ = ("arg1", "arg2", "command", "number", "numbering", "pin", "time_ms", "wrong")

    def __init__(self, words: Sequence[bytes]) -> None:
        numbering, pin, command = words[:3]
        self.numbering, self.pin, self.command = numbering.decode(), pin.decode(), command.decode()
        self.number = int(self.pin) if self.pin.isdigit() and len(self.pin) < 5 else -1
        self.wrong = ""
        self.time_ms = self._number(words[3])
        is_long = len(words) > 4
        self.arg1 = self._number(words[4]) if is_long else None
        self.arg2 = self._number(words[5]) if is_long else None

    def _number(self, word: bytes) -> float:
        try:
            if b"_" in word:
                raise ValueError
            return float(word)
        except ValueError:
            self.wrong = f"{word.decode('ascii')!r} is no number"
            return 0.0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Record) and repr(self) == repr(other)

    def __repr__(self) -> str:
        words = (self.numbering, self.pin, self.command, self.time_ms, self.arg1, self.arg2)
        return f"Record({', '.join(map(repr, words))}{f', wrong: {self.wrong}' if self.wrong else ''})"


class Line:
    """One command of LINES; *text* has its parameters, see remoteio_objects."""

    __slots__ = ("command", "ident", "kind", "text")

    def __init__(self, ident: str, kind: str, command: str, text: str = "") -> None:
        self.ident, self.kind, self.command, self.text = ident, kind, command, text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Line) and repr(self) == repr(other)

    def __repr__(self) -> str:
        return f"Line({self.ident!r}, {self.kind!r}, {self.command!r}, {self.text!r})"


class Server:
    """What a client sends, in pieces of any size.

    *kind* is BARE, FOUR, SIX or LINES, and "" until that is known. Once *error* says what is wrong nothing is heard any
    more: what came before it counts.
    """

    def __init__(self) -> None:
        self.kind = ""
        self.error = ""
        self._held = b""

    @property
    def has_replies(self) -> bool:
        """Whether the client reads what it is answered: not one of four words. Who is none of them may as well."""
        return self.kind not in (BARE, FOUR)

    @property
    def is_waiting(self) -> bool:
        """Whether quiet() has to be called when nothing more has come for QUIET_S."""
        if self.error or self.kind in (SIX, LINES):
            return False
        words = self._held.split()
        return len(words) == 4 and words[0] in (b"b", b"g") and words[3][:1] not in (b"b", b"g")

    def feed(self, data: bytes) -> list[Record | Line]:
        """Return what is complete."""
        if self.error:
            return []
        self._held += data
        found: list[Record | Line] = []
        try:
            if not self.kind:
                self._recognise()
            if self.kind:
                self._cut(found)
        except ProtocolError as e:
            self.error, self._held = str(e), b""
        return found

    def quiet(self) -> list[Record | Line]:
        """Nothing has come for QUIET_S, or the client has closed: what is a record then."""
        if not self.is_waiting:
            return []
        if not self.kind:
            self.kind = FOUR if self._held[-1:] in BLANKS else BARE
        return self.feed(b" ")

    # -- which one -------------------------------------------------------------------------------

    def _recognise(self) -> None:
        """Find the kind, as soon as it is clear. Raises ProtocolError for what is none."""
        held = self._held
        words = held.split(None, 5)[:5]
        if len(words) > 1 and words[1][0] in CAPITALS and OF_WORD.issuperset(words[0]):
            self.kind = LINES
            return
        _check_bytes(held)
        _check(words)
        if not words:
            self._held = b""  # line ends
        elif words[0][0] not in FIRST_OF_WORD or not OF_WORD.issuperset(words[0]):
            raise ProtocolError(f"{words[0].decode()!r} begins no record of remoteio's")
        elif len(words) > 1 and words[0] not in (b"b", b"g"):
            raise ProtocolError(f"a record begins with b or g, not {words[0].decode()!r}")
        elif len(words) > 3 or (len(words) == 3 and held[-1:] in BLANKS):
            self._recognise_words(words)

    def _recognise_words(self, words: list[bytes]) -> None:
        """The same where three words are complete."""
        if words[2] == CREATE.encode():
            self.kind = SIX
        elif len(words) > 3 and _next_in(words[3]) >= 0:
            self.kind = BARE
        elif len(words) > 4:
            self.kind = FOUR if words[4][:1] in (b"b", b"g") else SIX
            if self.kind == SIX and words[4][0] not in OF_NUMBER:
                raise ProtocolError(
                    f"{words[4].decode()!r} is neither an argument nor the beginning of a record"
                )

    # -- what is complete ------------------------------------------------------------------------

    def _cut(self, found: list[Record | Line]) -> None:
        if self.kind == LINES:
            self._cut_lines(found)
            return
        held = self._held
        _check_bytes(held)
        words = held.split()
        is_over = held[-1:] in BLANKS
        left = (self._cut_six if self.kind == SIX else self._cut_four)(words, is_over, found)
        self._held = b" ".join(left) + (b" " if is_over and left else b"")
        _check(left)

    @staticmethod
    def _cut_six(words: list[bytes], is_over: bool, found: list[Record | Line]) -> list[bytes]:
        """Return the words of the record that is not complete."""
        complete = len(words) - (not is_over and bool(words))
        end = complete - complete % 6
        for at in range(0, end, 6):
            six = words[at : at + 6]
            if six[0] != b"b" or not {b"b", b"g"}.isdisjoint(six[3:]):
                raise ProtocolError(f"a record is b and five words more, not {b' '.join(six).decode()!r}")
            _check(six)
            found.append(Record(six))
        return words[end:]

    @staticmethod
    def _cut_four(words: list[bytes], is_over: bool, found: list[Record | Line]) -> list[bytes]:
        """The same. The fourth word ends where the next record begins, if no blank is there."""
        words.reverse()  # a piece of one that is put back is put at the end
        while len(words) >= 4:
            cut = _next_in(words[-4])
            if cut > 0:
                words[-4:-3] = [words[-4][cut:], words[-4][:cut]]
            elif len(words) == 4 and not is_over:
                break
            four = [words.pop() for _ in range(4)]
            _check(four)
            record = Record(four)
            if four[0] not in (b"b", b"g") or record.wrong:
                raise ProtocolError(
                    f"a record is b or g, a pin, a command and a time, not {b' '.join(four).decode()!r}"
                )
            found.append(record)
        words.reverse()
        return words

    def _cut_lines(self, found: list[Record | Line]) -> None:
        *lines, self._held = self._held.split(b"\n")
        for line in lines:
            if line.strip():
                found.append(_line_of(line))
        if len(self._held) > LINE_MAX:
            raise ProtocolError(f"a line of more than {LINE_MAX} bytes")


def _next_in(word: bytes) -> int:
    """Where the next record begins in a number; -1 for nowhere."""
    places = [place for place in map(word.find, (b"b", b"g")) if place >= 0]
    return min(places, default=-1)


def _check_bytes(data: bytes) -> None:
    """Raise ProtocolError for what is no text."""
    strange = data.translate(None, PRINTABLE)
    if strange:
        raise ProtocolError(f"{strange[:1]!r} is in no record of remoteio's")


def _check(words: Sequence[bytes]) -> None:
    """Raise ProtocolError for a word without an end."""
    if words and max(map(len, words)) > WORD_MAX:
        raise ProtocolError(f"a word of more than {WORD_MAX} bytes")


def _line_of(line: bytes) -> Line:
    if len(line) > LINE_MAX:
        raise ProtocolError(f"a line of more than {LINE_MAX} bytes")
    try:
        words = line.rstrip(b"\r").decode().lstrip(" ").split(" ", 3)
    except UnicodeDecodeError:
        raise ProtocolError("a line that is no UTF-8") from None
    if len(words) < 3 or not all(word.isidentifier() and len(word) <= WORD_MAX for word in words[:3]):
        raise ProtocolError(f"a line is IDENT CLASS COMMAND and parameters, not {' '.join(words)[:40]!r}")
    return Line(*words)


# -- what is answered ---------------------------------------------------------------------------


def creation_failed(pin: str) -> bytes:
    """The pin cannot be had."""
    return f"? {pin} Led creation failure".encode()


def ignored(command: str) -> bytes:
    """The pin was not created, or is closed."""
    return f"? command ignored: {command}".encode()


def refused(text: str) -> bytes:
    """Something is wrong with the record."""
    return f"? {text}".encode()


# -- the other side: a client of SIX ------------------------------------------------------------


def request(pin: int, command: str, time_ms: float = 0, arg1: float = 0.0, arg2: float = 0.0) -> bytes:
    """A record, of a pin of the header."""
    return f"{BOARD} {pin} {command} {time_ms} {arg1} {arg2} ".encode()


def reply_length(data: bytes, pin: int, command: str) -> int:
    """How much of *data* is the reply to such a record, which ends with nothing: NEEDS_MORE where it is not all;
    IS_OPEN for text that is none of the original's, and ends when nothing more comes.
    """
    if command == CREATE:
        known: tuple[bytes, ...] = (CREATED, creation_failed(str(pin)))
    else:
        known = (QUEUED, ignored(command))
    for reply in known:
        if data.startswith(reply):
            return len(reply)
        if reply.startswith(data):
            return NEEDS_MORE
    return IS_OPEN
