# SPDX-License-Identifier: LGPL-3.0-or-later
"""Values and calls between two programs, one of which has the objects: bytes <-> values, nothing of sockets.

What is sent is a frame: its size, a kind, the number of a conversation, that of a question in it, and a body. See
doc/protocol.

Bytes are made and read by pack() and unpack() of the C core (or its stand-in), and what is rare by a Side here.
Data crosses as data: None, bool, int, float, complex, str, bytes, bytearray, slices, tuples, lists, dicts, sets, and
arrays. Everything else stays where it is, and a number stands for it at the other side. Nothing is named by what is
read here, and nothing is made but what these types are.
"""

from __future__ import annotations

import struct

from .._gpio import pack, unpack
from ..errors import ProtocolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    Bytes = bytes | bytearray | memoryview

HEAD = 13
"""Bytes before the body: its size, the kind, the conversation that it belongs to, and the question's number there."""
FRAME_MAX = 1 << 26
"""Bytes of a body."""
DIMENSIONS_MAX = 32

# -- kinds of frames ----------------------------------------------------------------------------

GET, SET, DELETE, CALL, METHOD, OPERATE, IMPORT, SHIP, TAKE = range(1, 10)
ANSWER, FAILED = 20, 21
DROPPED, GIVEN_UP, BEAT, PRINTED, ENDED, LIMITS = range(30, 36)
ASKS = frozenset(range(GET, TAKE + 1))
KNOWN = frozenset((*ASKS, ANSWER, FAILED, *range(DROPPED, LIMITS + 1)))
"""GET to TAKE ask for something, and are answered by ANSWER or FAILED with the numbers of the question."""

# -- what an object can do ----------------------------------------------------------------------

TRAITS = (
    *("call", "len", "iter", "next", "getitem", "setitem", "delitem", "contains", "enter", "exit", "bool"),
    *(
        "int",
        "float",
        "index",
        "bytes",
        "reversed",
        "hash",
        "eq",
        "lt",
        "le",
        "gt",
        "ge",
        "neg",
        "pos",
        "abs",
    ),
    *(
        "invert",
        "round",
        "add",
        "sub",
        "mul",
        "truediv",
        "floordiv",
        "mod",
        "pow",
        "and",
        "or",
        "xor",
        "lshift",
    ),
    *(
        "rshift",
        "matmul",
        "radd",
        "rsub",
        "rmul",
        "rtruediv",
        "rfloordiv",
        "rmod",
        "rpow",
        "rand",
        "ror",
        "rxor",
    ),
    *("iadd", "isub", "imul", "itruediv", "divmod", "complex", "str", "repr", "dir"),
)
"""Special methods without their underscores. Bit N of an object's traits says that its type has the N-th."""
TRAIT_BITS = {name: 1 << at for at, name in enumerate(TRAITS)}
OPERATIONS = frozenset(TRAITS)

ARRAY_KINDS = ("memoryview", "array", "ndarray")
FORMATS = frozenset("?cbBhHiIlLqQnNefd") | {"Zf", "Zd"}
"""Elements of arrays: those of struct, in this machine's order, and numpy's complex numbers. Source: PEP 3118."""


class Offered:
    """An object of the other side: its number there, what it can do, what it is, and how it came about."""

    __slots__ = ("kind", "number", "traits", "type_name")

    def __init__(self, number: int, traits: int, type_name: str, kind: str) -> None:
        self.number, self.traits, self.type_name, self.kind = number, traits, type_name, kind

    def written(self) -> list[Bytes]:
        """Its bytes."""
        head = struct.pack(">cIQ", b"h", self.number, self.traits)
        return [
            head
            + b"".join(_sized(text.encode("utf-8", "surrogatepass")) for text in (self.type_name, self.kind))
        ]


class Own:
    """An object of the other side, which that one has offered: its number there."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number

    def written(self) -> list[Bytes]:
        """Its bytes."""
        return [b"o" + self.number.to_bytes(4, "big")]


class Array:
    """Elements of one type: *kind* is which type of array has them, *format* and *shape* are the buffer protocol's."""

    __slots__ = ("data", "format", "kind", "shape")

    def __init__(self, kind: str, format: str, shape: tuple[int, ...], data: Bytes) -> None:
        self.kind, self.format, self.shape, self.data = kind, format, shape, data

    def written(self) -> list[Bytes]:
        """Its bytes; the elements are not copied."""
        data = memoryview(self.data).cast("B")
        head = _many(b"a", 4, _plain(self.kind, self.format, self.shape))
        return [head + b"b" + min(data.nbytes, FRAME_MAX).to_bytes(4, "big"), data]

    @classmethod
    def read(cls, values: tuple[object, ...]) -> Array:
        """The array of what has been read. Raises ProtocolError."""
        if len(values) != 4:
            raise ProtocolError("an array that is none")
        kind, form, shape, data = values
        is_sound = (
            type(kind) is str
            and type(form) is str
            and kind in ARRAY_KINDS
            and form in FORMATS
            and type(shape) is tuple
            and len(shape) <= DIMENSIONS_MAX
            and all(type(size) is int and size >= 0 for size in shape)
            and type(data) is bytes
        )
        if not is_sound:
            raise ProtocolError("an array that is none")
        count = 1
        for size in shape:  # type: ignore[attr-defined]
            count *= size
        form = _of_here(form, count, len(data))  # type: ignore[arg-type]
        if count * item_size(form) != len(data):  # type: ignore[arg-type]
            raise ProtocolError("an array with more or fewer bytes than its shape has")
        return cls(kind, form, shape, data)  # type: ignore[arg-type]


class ErrorClass:
    """A class of errors: its module and name, and the names of those of Python and RPIO that it is one of."""

    __slots__ = ("bases", "module", "name")

    def __init__(self, module: str, name: str, bases: tuple[str, ...]) -> None:
        self.module, self.name, self.bases = module, name, bases

    def written(self) -> list[Bytes]:
        """Its bytes."""
        return [_many(b"E", 3, _plain(self.module, self.name, self.bases))]

    @classmethod
    def read(cls, values: tuple[object, ...]) -> ErrorClass:
        """The class of what has been read. Raises ProtocolError."""
        bases = values[2] if len(values) == 3 else None
        if type(bases) is not tuple or not all(type(name) is str for name in (*values[:2], *bases)):
            raise ProtocolError("a class of errors that is none")
        return cls(values[0], values[1], bases)  # type: ignore[arg-type]


class NoSuchObject(LookupError):
    """An object that is none any more, or never was."""


# -- bytes --------------------------------------------------------------------------------------


def item_size(form: str) -> int:
    """Bytes of an element."""
    return 2 * struct.calcsize(form[1]) if form[0] == "Z" else struct.calcsize(form)


OF_SIZE = {("l", 4): "i", ("l", 8): "q", ("L", 4): "I", ("L", 8): "Q"}


def _of_here(form: str, count: int, size: int) -> str:
    """The format here of numbers whose size is another one at the other side: a long has 32 bits or 64."""
    other = OF_SIZE.get((form.translate(LONGS), size // count if count else 0))
    return form if other is None or count * item_size(form) == size else other


LONGS = {ord("n"): "l", ord("N"): "L"}


def _sized(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def _many(tag: bytes, count: int, items: bytes) -> bytes:
    return tag + count.to_bytes(4, "big") + items


def _plain(*values: object) -> bytes:
    return _inner(values, Side().written)


def _inner(values: Sequence[object], written: Callable[[object], list[Bytes]]) -> bytes:
    return b"".join(pack(0, 0, 0, values, written))[HEAD:]


def _big(value: int) -> bytes:
    return b"I" + _sized(value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


class Side:
    """What a program does with values that are no plain data."""

    def __init__(self) -> None:
        self.written = self._written
        self.special = self._special

    # -- to bytes --------------------------------------------------------------------------------

    def lower(self, value: object) -> object:
        """What stands for a value that is no data: Offered, for an object of this side; Own, for one of the other's; an
        Array; an ErrorClass; or data. Raises TypeError where nothing can.
        """
        raise TypeError(f"a value of the type {type(value).__name__} cannot cross")

    def _written(self, value: object) -> list[Bytes]:
        cls = type(value)
        write = RARE.get(cls)
        if write is not None:
            return [write(value, self.written)]
        found = self.lower(value)
        if type(found) in STANDING_IN:
            return found.written()  # type: ignore[attr-defined, no-any-return]
        if type(found) is cls:
            raise TypeError(f"a value of the type {cls.__name__} cannot cross")
        return [_inner((found,), self.written)]

    # -- out of bytes ----------------------------------------------------------------------------

    def adopt(self, offered: Offered) -> object:
        """What is to stand here for an object of the other side."""
        raise ProtocolError("no objects of the other side are expected")

    def own(self, number: int) -> object:
        """The object of this side that has the number. Raises LookupError."""
        raise LookupError(f"there is no object {number}")

    def array(self, array: Array) -> object:
        """The array here."""
        return bytes(array.data)

    def error_class(self, found: ErrorClass) -> object:
        """The class of errors here."""
        return Exception

    def _special(self, tag: int, read: Any) -> object:
        return MADE[tag](self, read)

    def _own(self, number: int) -> object:
        try:
            return self.own(number)
        except LookupError as e:
            text = f"there is no object {number}: it has been dropped, or it is another session's"
            raise NoSuchObject(text) from e


STANDING_IN = frozenset((Offered, Own, Array, ErrorClass))
RARE: dict[type, Callable[[Any, Callable[[object], list[Bytes]]], bytes]] = {
    int: lambda value, written: _big(value),
    complex: lambda value, written: struct.pack(">cdd", b"c", value.real, value.imag),
    bytearray: lambda value, written: b"B" + _sized(bytes(value)),
    set: lambda value, written: _many(b"S", len(value), _inner(list(value), written)),
    frozenset: lambda value, written: _many(b"Z", len(value), _inner(list(value), written)),
    slice: lambda value, written: _many(b":", 3, _inner((value.start, value.stop, value.step), written)),
    type(Ellipsis): lambda value, written: b"e",
}
"""Data that pack() knows nothing of -> its bytes."""


def _slice(side: Side, parts: tuple[object, ...]) -> slice:
    if len(parts) != 3:
        raise ProtocolError("a slice has three parts")
    return slice(*parts)


MADE: dict[int, Callable[[Side, Any], object]] = {
    ord("o"): Side._own,
    ord("h"): lambda side, read: side.adopt(Offered(*read)),
    ord("a"): lambda side, read: side.array(Array.read(read)),
    ord("E"): lambda side, read: side.error_class(ErrorClass.read(read)),
    ord("B"): lambda side, read: bytearray(read),
    ord("I"): lambda side, read: int.from_bytes(read, "big", signed=True),
    ord("S"): lambda side, read: set(read),
    ord("Z"): lambda side, read: frozenset(read),
    ord(":"): _slice,
}
"""Tag -> what is made of what unpack() has read behind it."""


def frame(kind: int, conversation: int, turn: int, values: Sequence[object], side: Side) -> list[Bytes]:
    """The frame with these values, in pieces.

    Raises:
        TypeError: of a value that cannot cross. ValueError: of one that is too large, or too deep.
    """
    try:
        return pack(kind, conversation, turn, values, side.written)
    except RecursionError:
        raise ValueError("a value that contains itself, or is too deep, cannot cross") from None


def values_of(body: Bytes, side: Side) -> list[Any]:
    """The values of a body. Raises ProtocolError for what frame() does not write, NoSuchObject for an object that is
    none.
    """
    try:
        return unpack(body, side.special)
    except ProtocolError:
        raise
    except (ValueError, TypeError, RecursionError) as e:
        raise ProtocolError(f"this is no value ({e}): {bytes(body[:40])!r}") from e
