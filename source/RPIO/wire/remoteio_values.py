# SPDX-License-Identifier: LGPL-3.0-or-later
"""Values as remoteio's clients of lines write them, which its own server evaluates: here they have a grammar.

A value is None, True, False, a number, a string in either quotes, a tuple or list of values, ``Color(...)``,
``Tone(...)`` or a colour such as ``#ff0000``. Parameters are names, ``=`` and values, with ``;`` in between; one within
quotes is a character like any other.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

DEPTH_MAX, ITEMS_MAX, DIGITS_MAX = 8, 256, 32
DIGITS = frozenset("0123456789")
OF_NUMBER = frozenset("0123456789.eE+-")
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"'}
CONSTANTS = {"None": None, "True": True, "False": False}
MADE = ("Color", "Tone")


class Made:
    """A value that is made by a call: Color("red"). *name* is one of MADE."""

    __slots__ = ("args", "name")

    def __init__(self, name: str, args: tuple[object, ...]) -> None:
        self.name, self.args = name, args

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Made) and (self.name, self.args) == (other.name, other.args)

    def __repr__(self) -> str:
        return f"{self.name}{self.args!r}"


class _Text:
    """A text that is read from left to right. Raises ValueError."""

    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0

    def next(self) -> str:
        """What comes, blanks left out; "" at the end."""
        text = self._text
        while self._at < len(text) and text[self._at] in " \t":
            self._at += 1
        return text[self._at : self._at + 1]

    def take(self, what: str) -> bool:
        """Take that character, if it comes."""
        if self.next() != what:
            return False
        self._at += 1
        return True

    def expect(self, what: str) -> None:
        """Take it."""
        if not self.take(what):
            raise ValueError(f"{what!r} is expected, not {self._text[self._at : self._at + 10]!r}")

    def run(self, characters: Callable[[str], bool]) -> str:
        """Take as many of these as come."""
        text, begin = self._text, self._at
        while self._at < len(text) and characters(text[self._at]):
            self._at += 1
        return text[begin : self._at]

    def name(self) -> str:
        """Take a name."""
        self.next()
        found = self.run(lambda c: c.isalnum() or c == "_")
        if not found.isidentifier():
            raise ValueError(f"a name is expected, not {self._text[self._at - len(found) :][:10]!r}")
        return found

    def value(self, depth: int = 0) -> object:
        """Take a value."""
        if depth > DEPTH_MAX:
            raise ValueError("values within values within values")
        first = self.next()
        if first in ("'", '"'):
            return self._string(first)
        if self.take("("):
            return self._tuple(depth)
        if self.take("["):
            return self._items("]", depth)[0]
        if self.take("#"):
            digits = self.run(str.isalnum)
            return Made("Color", (f"#{digits}",))
        if first and first in "0123456789.+-":
            return self._number()
        name = self.name()
        if name in CONSTANTS:
            return CONSTANTS[name]
        if name not in MADE or not self.take("("):
            raise ValueError(f"{name!r} is no value; text stands in quotes within quotes")
        return Made(name, tuple(self._items(")", depth)[0]))

    def _string(self, quote: str) -> str:
        self._at += 1
        found: list[str] = []
        text = self._text
        while self._at < len(text):
            c = text[self._at]
            self._at += 1
            if c == quote:
                return "".join(found)
            if c == "\\":
                c = ESCAPES.get(text[self._at : self._at + 1], "")
                self._at += 1
                if not c:
                    raise ValueError("a backslash before what needs none")
            found.append(c)
        raise ValueError("a string that does not end")

    def _tuple(self, depth: int) -> object:
        items, has_comma = self._items(")", depth)
        return items[0] if len(items) == 1 and not has_comma else tuple(items)

    def _items(self, end: str, depth: int) -> tuple[list[object], bool]:
        """What is between brackets, and whether a comma was behind the last."""
        items: list[object] = []
        has_comma = False
        while not self.take(end):
            if items and not has_comma:
                raise ValueError(f"',' or {end!r} is expected")
            if len(items) == ITEMS_MAX:
                raise ValueError(f"more than {ITEMS_MAX} values")
            items.append(self.value(depth + 1))
            has_comma = self.take(",")
        return items, has_comma

    def _number(self) -> float:
        word = self.run(OF_NUMBER.__contains__)
        if len(word) > DIGITS_MAX:
            raise ValueError(f"a number of more than {DIGITS_MAX} digits")
        try:
            return int(word) if DIGITS.issuperset(word.lstrip("+-")) else float(word)
        except ValueError:
            raise ValueError(f"{word!r} is no number") from None


def parameters(text: str) -> dict[str, object]:
    """The parameters of a line, ``a=1;b=(2, 3)``. Raises ValueError."""
    reader, found = _Text(text), {}
    while reader.next():
        name = reader.name()
        if name in found:
            raise ValueError(f"{name!r} is there twice")
        reader.expect("=")
        found[name] = reader.value()
        if reader.next():
            reader.expect(";")
    return found
