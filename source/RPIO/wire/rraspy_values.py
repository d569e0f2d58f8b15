# SPDX-License-Identifier: LGPL-3.0-or-later
"""The values of RRaspPY's protocol: a tag, then the value, big-endian. What has not come whole yet is known as such.

Written is what the original writes where that says all of it, and a wider tag, which it reads too, where it would lose
something: a float of 32 bits where those have it, else one of 64; 03, 04 or 08 for an int. Text is UTF-8 (the
original's is bytes, of whatever kind); bytes that are none come as surrogates, and go back as they came.

Source: fbreton06/RRaspPY 2122932, serialize.py.
"""

from __future__ import annotations

from math import isnan
from struct import Struct, error

from ..errors import ProtocolError

NONE, BOOL, TEXT = 0x00, 0x09, 0x0A
FLOAT32, FLOAT64 = 0x0C, 0x0D
TUPLE, LIST, DICT = 0x65, 0x66, 0x67

NUMBERS = {
    0x01: Struct(">b"),
    0x02: Struct(">h"),
    0x03: Struct(">i"),
    0x04: Struct(">q"),
    0x05: Struct(">B"),
    0x06: Struct(">H"),
    0x07: Struct(">I"),
    0x08: Struct(">Q"),
    BOOL: Struct(">?"),
    FLOAT32: Struct(">f"),
    FLOAT64: Struct(">d"),
}
"""Tag -> what follows it. Tags 0B (unicode), 64 (handle) and 68 (callback) are declared, and neither side has them."""
INTS = ((0x03, -(1 << 31), 1 << 31), (0x04, -(1 << 63), 1 << 63), (0x08, 0, 1 << 64))
"""Tag, the least and one more than the most: those that are written, the first that fits."""
CONTAINERS = (TUPLE, LIST, DICT)
COUNT = NUMBERS[0x06]
COUNT_MAX, DEPTH_MAX = 0xFFFF, 32
"""Bytes of a text, and values of a container, that 16 bits can count; containers in containers."""


def written(value: object, depth: int = 0) -> bytes:
    """The bytes of a value.

    Raises:
        ValueError: it has too much of something. TypeError: it cannot be written at all.
    """
    if value is None:
        return b"\0"
    if isinstance(value, bool):
        return bytes((BOOL, value))
    if isinstance(value, int):
        for tag, least, end in INTS:
            if least <= value < end:
                return bytes((tag,)) + NUMBERS[tag].pack(value)
        raise ValueError("a number of more than 64 bits")
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, (str, bytes, bytearray)):
        data = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else bytes(value)
        return _counted(TEXT, len(data), "bytes") + data
    if isinstance(value, (tuple, list, dict)):
        if depth >= DEPTH_MAX:
            raise ValueError(f"more than {DEPTH_MAX} lists in each other")
        tag = TUPLE if isinstance(value, tuple) else LIST if isinstance(value, list) else DICT
        items = [item for pair in value.items() for item in pair] if isinstance(value, dict) else value
        return _counted(tag, len(value), "values") + b"".join(written(item, depth + 1) for item in items)
    raise TypeError(f"a {type(value).__name__} cannot be sent")


def _float(value: float) -> bytes:
    try:
        data = NUMBERS[FLOAT32].pack(value)
    except OverflowError:
        data = b""
    if data and (NUMBERS[FLOAT32].unpack(data)[0] == value or isnan(value)):
        return bytes((FLOAT32,)) + data
    return bytes((FLOAT64,)) + NUMBERS[FLOAT64].pack(value)


def _counted(tag: int, count: int, what: str) -> bytes:
    if count > COUNT_MAX:
        raise ValueError(f"{count} {what}, of which there can be {COUNT_MAX}")
    return bytes((tag,)) + COUNT.pack(count)


class _Begun:
    """A container whose values come."""

    __slots__ = ("items", "left", "tag")

    def __init__(self, tag: int, count: int) -> None:
        self.tag, self.left = tag, 2 * count if tag == DICT else count
        self.items: list[object] = []

    def whole(self) -> object:
        """The container. Raises ProtocolError."""
        if self.tag == LIST:
            return self.items
        if self.tag == TUPLE:
            return tuple(self.items)
        try:
            return dict(zip(self.items[::2], self.items[1::2], strict=True))
        except TypeError as e:
            raise ProtocolError(f"a key of a dict that can be none: {e}") from None


class Values:
    """Values out of what comes in pieces of any size. Each byte is looked at once, however many pieces there are.

    Not more than *most* bytes are taken, which bounds the values as well: none has less than one.
    """

    def __init__(self, most: int) -> None:
        self._most, self._come = most, 0
        self._data, self._at = bytearray(), 0
        self._begun: list[_Begun] = []
        self.done: list[object] = []
        """Those that are whole, in order. Whoever uses one takes it out."""

    @property
    def is_between(self) -> bool:
        """Whether nothing of a value that is not whole has come."""
        return not self._begun and self._at == len(self._data)

    def feed(self, data: bytes) -> None:
        """Take what has come. Raises ProtocolError for what is no value, and for too much."""
        self._come += len(data)
        if self._come > self._most:
            raise ProtocolError(f"a message of more than {self._most} bytes")
        self._data += data
        while self._take():
            pass
        if self._at > 4096:
            del self._data[: self._at]
            self._at = 0

    def _take(self) -> bool:
        """Take a value, or the beginning of a container; whether there was one."""
        data, at = self._data, self._at
        if at == len(data):
            return False
        tag = data[at]
        if tag == NONE:
            self._at = at + 1
            self._put(None)
            return True
        layout = COUNT if tag == TEXT or tag in CONTAINERS else NUMBERS.get(tag)
        if layout is None:
            raise ProtocolError(f"there is no value with the tag {tag:02x}")
        end = at + 1 + layout.size
        if len(data) < end:
            return False
        try:
            (found,) = layout.unpack_from(data, at + 1)
        except error as e:
            raise ProtocolError(f"a value with the tag {tag:02x}: {e}") from None
        if tag == TEXT:
            start, end = end, end + found
            if len(data) < end:
                return False
            found = data[start:end].decode("utf-8", "surrogateescape")
        self._at = end
        if tag in CONTAINERS:
            if len(self._begun) >= DEPTH_MAX:
                raise ProtocolError(f"more than {DEPTH_MAX} lists in each other")
            self._begun.append(_Begun(tag, found))
            self._end_those_that_are_full()
        else:
            self._put(found)
        return True

    def _put(self, value: object) -> None:
        if not self._begun:
            self.done.append(value)
            return
        self._begun[-1].items.append(value)
        self._begun[-1].left -= 1
        self._end_those_that_are_full()

    def _end_those_that_are_full(self) -> None:
        while self._begun and not self._begun[-1].left:
            value = self._begun.pop().whole()
            if self._begun:
                self._begun[-1].items.append(value)
                self._begun[-1].left -= 1
            else:
                self.done.append(value)
