# SPDX-License-Identifier: LGPL-3.0-or-later
"""pack() and unpack(): the values of wire/objects, to bytes and out of bytes that come from anybody."""

from __future__ import annotations

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    Bytes = bytes | bytearray | memoryview

FRAME_MAX, DEEPEST, HEAD = 1 << 26, 64, 13
TOO_DEEP = f"a value that is more than {DEEPEST} deep, or contains itself, cannot cross"
TOO_LARGE = f"more than {FRAME_MAX >> 20} MB do not cross in one piece: send it in several"
INT_MIN, INT_MAX = -(1 << 63), (1 << 63) - 1


class _Packer:
    def __init__(self, written: Callable[[object], list[Bytes]]) -> None:
        self._written = written
        self.parts: list[Bytes] = []
        self.size = self._deep = 0

    def put(self, data: Bytes) -> None:
        """Append bytes. Raises ValueError where that is too much."""
        self.size += len(data)
        if self.size > FRAME_MAX:
            raise ValueError(TOO_LARGE)
        self.parts.append(data)

    def value(self, value: object) -> None:
        """Append a value."""
        cls = type(value)
        if value is None:
            self.put(b"N")
        elif cls is bool:
            self.put(b"T" if value else b"F")
        elif cls is int and INT_MIN <= value <= INT_MAX:  # type: ignore[operator]
            self.put(struct.pack(">cq", b"i", value))
        elif cls is float:
            self.put(struct.pack(">cd", b"d", value))
        elif cls is str:
            self._sized(b"s", value.encode("utf-8", "surrogatepass"))  # type: ignore[attr-defined]
        elif cls is bytes:
            self._sized(b"b", value)  # type: ignore[arg-type]
        elif cls is tuple or cls is list:
            self.items(b"l" if cls is list else b"t", value)  # type: ignore[arg-type]
        elif cls is dict:
            self.items(b"m", [item for pair in value.items() for item in pair])  # type: ignore[attr-defined]
        else:
            for part in self._written(value):
                self.put(part)

    def _sized(self, tag: bytes, data: bytes) -> None:
        self.put(tag + min(len(data), FRAME_MAX).to_bytes(4, "big"))
        self.put(data)

    def items(self, tag: bytes, values: Sequence[object]) -> None:
        """Append several in one."""
        self._deep += 1
        if self._deep > DEEPEST:
            raise ValueError(TOO_DEEP)
        self.put(tag + len(values).to_bytes(4, "big"))
        for value in values:
            self.value(value)
        self._deep -= 1


def pack(
    kind: int,
    conversation: int,
    turn: int,
    values: Sequence[object],
    written: Callable[[object], list[Bytes]],
    /,
) -> list[Bytes]:
    """Return the frame with these values, in pieces. What is no plain data is written by written(value)."""
    packer = _Packer(written)
    for value in values:
        packer.value(value)
    return [struct.pack(">IBII", packer.size, kind, conversation, turn), *packer.parts]


class _Unpacker:
    def __init__(self, body: Bytes, special: Callable[[int, Any], object]) -> None:
        self._view, self._special = memoryview(body), special
        self._at = self._deep = 0

    @property
    def left(self) -> int:
        """How many bytes have not been read."""
        return len(self._view) - self._at

    def _take(self, size: int) -> memoryview:
        if size > self.left:
            raise ValueError("a value that ends in the middle")
        found = self._view[self._at : self._at + size]
        self._at += size
        return found

    def _number(self, size: int = 4) -> int:
        return int.from_bytes(self._take(size), "big")

    def _text(self) -> str:
        return str(self._take(self._number()), "utf-8", "surrogatepass")

    def _items(self) -> tuple[object, ...]:
        count = self._number()
        self._deep += 1
        if self._deep > DEEPEST or count > self.left:
            raise ValueError("a value with more parts than there are bytes, or one that is too deep")
        found = tuple(self.value() for _ in range(count))
        self._deep -= 1
        return found

    def _dict(self) -> dict[object, object]:
        items = self._items()
        if len(items) % 2:
            raise ValueError("a dict with half a pair")
        return dict(zip(items[::2], items[1::2], strict=True))

    def value(self) -> object:
        """Read the next one."""
        tag = self._take(1)[0]
        read = READERS.get(tag)
        if read is not None:
            return read(self)
        special = SPECIAL.get(tag)
        if special is None:
            raise ValueError("this is no value")
        return self._special(tag, special(self))


READERS: dict[int, Callable[[_Unpacker], object]] = {
    ord("N"): lambda at: None,
    ord("T"): lambda at: True,
    ord("F"): lambda at: False,
    ord("e"): lambda at: ...,
    ord("i"): lambda at: struct.unpack(">q", at._take(8))[0],
    ord("d"): lambda at: struct.unpack(">d", at._take(8))[0],
    ord("c"): lambda at: complex(*struct.unpack(">dd", at._take(16))),
    ord("s"): _Unpacker._text,
    ord("b"): lambda at: bytes(at._take(at._number())),
    ord("t"): _Unpacker._items,
    ord("l"): lambda at: list(at._items()),
    ord("m"): _Unpacker._dict,
}
SPECIAL: dict[int, Callable[[_Unpacker], object]] = {
    ord("o"): _Unpacker._number,
    ord("h"): lambda at: (at._number(), at._number(8), at._text(), at._text()),
    **dict.fromkeys(b"BI", lambda at: bytes(at._take(at._number()))),
    **dict.fromkeys(b"SZ:aE", _Unpacker._items),
}


def unpack(body: Bytes, special: Callable[[int, Any], object], /) -> list[Any]:
    """Return the values of a body. What is no plain data is made by special(tag, what was read)."""
    unpacker = _Unpacker(body, special)
    found = []
    while unpacker.left:
        found.append(unpacker.value())
    return found
