# SPDX-License-Identifier: LGPL-3.0-or-later
"""Kinds of arguments and results: what is read from a word, and how it is written down."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class Kind:
    """What one word of a request or an answer means."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text
        """What it is, for people."""

    def read(self, word: str) -> object:
        """Return the value. Raises ValueError, whose text says what it is instead."""
        raise NotImplementedError

    def written(self, value: object) -> str:
        """The word of a value; the other way round."""
        return str(value)

    def _refuse(self, word: str) -> ValueError:
        return ValueError(f"{word[:40]!r} is no {self.text}")


class Number(Kind):
    """A whole number of these bounds."""

    __slots__ = ("high", "low")

    def __init__(self, text: str, low: int, high: int) -> None:
        super().__init__(f"{text}, {low} to {high}")
        self.low, self.high = low, high

    def read(self, word: str) -> int:
        if len(word) <= 20 and word.isascii() and word.lstrip("-").isdigit():
            value = int(word)
            if self.low <= value <= self.high:
                return value
        raise self._refuse(word)


class Real(Kind):
    """A number of these bounds, with or without a fraction."""

    __slots__ = ("high", "low")

    def __init__(self, text: str, low: float, high: float) -> None:
        super().__init__(f"{text}, {low:g} to {high:g}")
        self.low, self.high = low, high

    def read(self, word: str) -> float:
        try:
            value = float(word) if len(word) <= 40 and word.isascii() and "_" not in word else None
        except ValueError:
            value = None
        if value is None or not self.low <= value <= self.high:  # a NaN is neither
            raise self._refuse(word)
        return value

    def written(self, value: object) -> str:
        return f"{float(value):.17g}"  # type: ignore[arg-type]


class Word(Kind):
    """One of some words, each of which stands for a value."""

    __slots__ = ("values", "words")

    def __init__(self, text: str, values: dict[str, object]) -> None:
        super().__init__(f"{text}: {', '.join(values)}")
        self.values, self.words = values, {value: word for word, value in values.items()}

    def read(self, word: str) -> object:
        if word not in self.values:
            raise self._refuse(word)
        return self.values[word]

    def written(self, value: object) -> str:
        return self.words[value]


class Text(Kind):
    """Any text, so long at most."""

    __slots__ = ("most",)

    def __init__(self, text: str, most: int) -> None:
        super().__init__(f"{text}, of {most} characters at most")
        self.most = most

    def read(self, word: str) -> str:
        if len(word) > self.most:
            raise self._refuse(word)
        return word


class Octets(Kind):
    """Bytes, as hexadecimal digits, so many at most; - for none."""

    __slots__ = ("most",)

    def __init__(self, text: str, most: int) -> None:
        super().__init__(f"{text}: hexadecimal digits of {most} bytes at most, or - for none")
        self.most = most

    def read(self, word: str) -> bytes:
        if word == "-":
            return b""
        try:
            data = bytes.fromhex(word) if word.isalnum() else b""  # which would skip blanks
        except ValueError:
            data = b""
        if not 0 < len(data) <= self.most:
            raise self._refuse(word)
        return data

    def written(self, value: object) -> str:
        return value.hex() or "-"  # type: ignore[attr-defined]


class Maybe(Kind):
    """One of another kind, or - for None."""

    __slots__ = ("kind",)

    def __init__(self, kind: Kind) -> None:
        super().__init__(f"{kind.text}, or - for none")
        self.kind = kind

    def read(self, word: str) -> object:
        return None if word == "-" else self.kind.read(word)

    def written(self, value: object) -> str:
        return "-" if value is None else self.kind.written(value)


class Repeated(Kind):
    """The rest of the words: groups of these kinds. A value is a list, of tuples where a group has several."""

    __slots__ = ("kinds", "least", "most")

    def __init__(self, text: str, kinds: Sequence[Kind], most: int, least: int = 1) -> None:
        super().__init__(text)
        self.kinds, self.most, self.least = tuple(kinds), most, least

    def read_all(self, words: Sequence[str]) -> list[object]:
        """Return the values of these words."""
        size = len(self.kinds)
        groups, rest = divmod(len(words), size)
        if rest or not self.least <= groups <= self.most:
            limits = f"{self.least} to {self.most} groups of {size}"
            raise ValueError(f"{self.text} are {limits}, not {len(words)} words")
        if size == 1:
            return [self.kinds[0].read(word) for word in words]
        return [
            tuple(kind.read(word) for kind, word in zip(self.kinds, words[at : at + size], strict=True))
            for at in range(0, len(words), size)
        ]

    def all_written(self, values: Sequence[object]) -> list[str]:
        """The words of these values."""
        if len(self.kinds) == 1:
            return [self.kinds[0].written(value) for value in values]
        return [
            kind.written(one)
            for value in values
            for kind, one in zip(self.kinds, value, strict=True)  # type: ignore[call-overload]
        ]
