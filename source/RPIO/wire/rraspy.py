# SPDX-License-Identifier: LGPL-3.0-or-later
"""RRaspPY's protocol, both sides of it: a message is a byte that says its kind, then values.

::

    host: b0 00 00 0a 000b "1 + 2 * 0.5"   ->   device: 0b 0c 40000000          execute: a value comes back
    host: b0 00 00 0a 000f "GPIO.PWM(18, 9)"  ->   device: 0d 06 0000          or the number of an object
    host: b0 06 0000 00 0a 0009 "start(50)"   ->   device: 0a                  of which it is asked something
    device: d0 0a 000a "evtDetect6" 03 00000006   ->   host: 0a                  an event: over a connection of its own

Each request has a connection of its own, with its answer. **There is no length**: the end of a message is where its
values end. The original takes what one receive of 4096 bytes delivers for all of it; here it may come in pieces. Two
kinds have as many values as they like, and the first is all that they need: more may follow one that is whole
(``MAY_GO_ON``), until the other side has closed or nothing comes.

Source: fbreton06/RRaspPY 2122932, device.py, host.py, common.py.
"""

from __future__ import annotations

from ..errors import ProtocolError
from .rraspy_values import COUNT, Values, written

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

FAILED, OK, VALUES, HANDLE = 0x09, 0x0A, 0x0B, 0x0D
REMOVE_HANDLE, REMOVE_CALLBACK, EXECUTE, IMPORT, CALLBACK, REMOVE_CALLBACKS = (
    0x90,
    0xA0,
    0xB0,
    0xC0,
    0xD0,
    0xE0,
)

ORIGINAL_MAX = 4096
"""Bytes of a message that the original can take."""
MESSAGE_MAX = 1 << 20
"""Bytes of one that is taken here."""

NEEDS_MORE, MAY_GO_ON, COMPLETE = "needs more", "may go on", "complete"

# -- what a message has: one letter a value, and what follows the last may come as often as it likes

NUMBER, TEXT, TEXT_OR_NONE, NUMBER_OR_NONE, MORE = "n", "t", "t?", "n?", "*"

FIELDS: dict[int, tuple[str, ...]] = {
    IMPORT: (TEXT, TEXT, TEXT_OR_NONE),
    EXECUTE: (NUMBER_OR_NONE, TEXT_OR_NONE, TEXT),
    REMOVE_HANDLE: (NUMBER,),
    REMOVE_CALLBACK: (TEXT,),
    REMOVE_CALLBACKS: (TEXT,),
    CALLBACK: (TEXT, MORE),
    OK: (),
    FAILED: (TEXT,),
    HANDLE: (NUMBER,),
    VALUES: (MORE,),
}
"""Kind -> its values: module, name, package; handle, callback, command; a handle; an id; the beginning of ids; an id
and the arguments; nothing; what is wrong; a handle; what has come of it."""
LEAST = {CALLBACK: 1, VALUES: 1}
"""How many values one of those that may go on has when the other side has closed."""

REQUESTS = frozenset({IMPORT, EXECUTE, REMOVE_HANDLE, REMOVE_CALLBACK, REMOVE_CALLBACKS})
"""What a device hears."""
ANSWERS = frozenset({OK, FAILED, HANDLE, VALUES})
"""What comes back from it."""
CALLBACKS = frozenset({CALLBACK})
"""What a host hears at its own port."""
HEARD = frozenset({OK, FAILED})
"""What comes back from that."""

EXPECTED = {
    NUMBER: "a number from 0 to 65535",
    NUMBER_OR_NONE: "a number from 0 to 65535, or nothing",
    TEXT: "text",
    TEXT_OR_NONE: "text, or nothing",
}


class Message:
    """A kind, and the values of it."""

    __slots__ = ("kind", "values")

    def __init__(self, kind: int, *values: object) -> None:
        self.kind, self.values = kind, values

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Message) and (self.kind, self.values) == (other.kind, other.values)

    def __repr__(self) -> str:
        return f"Message(0x{self.kind:02x}, {', '.join(map(repr, self.values))})"

    def to_bytes(self, most: int = MESSAGE_MAX) -> bytes:
        """The message, of so many bytes at most.

        Raises:
            ValueError: a value, or all of them, are too long. TypeError: what cannot be sent.
        """
        fields = _fields(self.kind, len(self.values))
        parts = [bytes((self.kind,))]
        for field, value in zip(fields, self.values, strict=True):
            if not _is(field, value):
                raise ValueError(f"{EXPECTED[field]} is expected, not {value!r}")
            is_handle = field in (NUMBER, NUMBER_OR_NONE) and isinstance(value, int)
            parts.append(b"\x06" + COUNT.pack(value) if is_handle else written(value))
        data = b"".join(parts)
        if len(data) > most:
            raise ValueError(f"Too many parameters: size {len(data)} exceeds")  # the original's words
        return data


def _fields(kind: int, count: int) -> tuple[str, ...]:
    """The fields of so many values. Raises ValueError for a number of them that the kind has not."""
    fields = FIELDS[kind]
    if fields[-1:] == (MORE,):
        fixed = fields[:-1]
        if count >= len(fixed):
            return (*fixed, *(MORE,) * (count - len(fixed)))
    elif count == len(fields):
        return fields
    raise ValueError(f"a message of the kind {kind:02x} with {count} values")


def _is(field: str, value: object) -> bool:
    if value is None:
        return field in (TEXT_OR_NONE, NUMBER_OR_NONE, MORE)
    if field in (NUMBER, NUMBER_OR_NONE):
        return type(value) is int and 0 <= value <= 0xFFFF
    return field == MORE or isinstance(value, str)


class Reader:
    """One message, of one of these kinds, out of what comes in pieces of any size.

    ``state`` is NEEDS_MORE, MAY_GO_ON or COMPLETE. Anything but a message of those kinds is a ProtocolError, with the
    first byte that shows it.
    """

    def __init__(self, kinds: Iterable[int], most: int = MESSAGE_MAX) -> None:
        self._kinds = frozenset(kinds)
        self._kind: int | None = None
        self._values = Values(most)
        self._taken: list[object] = []
        self._has_ended = False

    @property
    def state(self) -> str:
        """How much of it there is."""
        if self._kind is None or not self._values.is_between:
            return NEEDS_MORE
        fields = FIELDS[self._kind]
        if fields[-1:] != (MORE,):
            return COMPLETE if len(self._taken) == len(fields) else NEEDS_MORE
        if self._has_ended and len(self._taken) >= LEAST[self._kind]:
            return COMPLETE
        return MAY_GO_ON if len(self._taken) >= len(fields) else NEEDS_MORE

    def feed(self, data: bytes) -> str:
        """Take what has come; return the state. Raises ProtocolError."""
        if self._kind is None and data:
            if data[0] not in self._kinds:
                raise ProtocolError(f"this is no message of RRaspPY's protocol: it begins with {data[0]:02x}")
            self._kind, data = data[0], data[1:]
        if self._kind is not None:
            if data and self.state == COMPLETE:
                raise ProtocolError("more than one message")
            self._values.feed(data)
            self._check()
        return self.state

    def _check(self) -> None:
        """Look at what is whole. Raises ProtocolError for a value of the wrong kind, and for one too many."""
        assert self._kind is not None
        fields = FIELDS[self._kind]
        for value in self._values.done:
            at = len(self._taken)
            field = MORE if fields[-1:] == (MORE,) and at >= len(fields) - 1 else fields[at : at + 1]
            if not field:
                raise ProtocolError("more than one message")
            name = field if isinstance(field, str) else field[0]
            if not _is(name, value):
                raise ProtocolError(f"{EXPECTED[name]} is expected in a message {self._kind:02x}")
            self._taken.append(value)
        self._values.done.clear()
        if len(self._taken) == len(fields) and fields[-1:] != (MORE,) and not self._values.is_between:
            raise ProtocolError("more than one message")

    def end(self) -> str:
        """Nothing more comes: the other side has closed. Returns the state."""
        self._has_ended = True
        return self.state

    def message(self) -> Message:
        """The message, where the state is not NEEDS_MORE. Raises ProtocolError."""
        if self.state == NEEDS_MORE or self._kind is None:
            raise ProtocolError("a message that ends in the middle")
        return Message(self._kind, *self._taken)


def read(data: bytes, kinds: Iterable[int]) -> Message:
    """The message that these bytes are. Raises ProtocolError."""
    reader = Reader(kinds)
    reader.feed(data)
    reader.end()
    return reader.message()


def execute_failed(handle: int | None, command: str, callback: str | None, why: str) -> str:
    """The original's text of a command that failed."""
    return f'Execute "{handle}->{command} (Callback={callback}": {why}'


def import_failed(package: str | None, module: str, name: str, why: str) -> str:
    """The original's text of a module that cannot be imported."""
    return f'Import "{package}::{module} as {name}": {why}'
