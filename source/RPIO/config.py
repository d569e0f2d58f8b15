# SPDX-License-Identifier: LGPL-3.0-or-later
"""Configuration files: TOML, in which every mistake is told with its file, line and column.

Files are read in the order of config_files. A later one adds to the earlier ones, and its keys take the place of
theirs; nothing is forgotten because another file is there. Python's parser says what a text means, and nothing of
where it stands: `positions()` finds that out for a text that the parser has accepted.
"""

from __future__ import annotations

import os

from . import errors
from .config_files import VARIABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Path = tuple[str | int, ...]
    """Where a value is: the keys of tables, and the numbers of what stands in arrays."""

SIZE_MAX = 1 << 20
"""Bytes of a file. Who has more to say has taken the wrong one."""


class Place:
    """A line and a column of a file, both from 1."""

    __slots__ = ("column", "file", "line")

    def __init__(self, file: str, line: int, column: int) -> None:
        self.file, self.line, self.column = file, line, column

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Document:
    """What a file says, and where."""

    def __init__(self, file: str, values: dict[str, object], places: Mapping[Path, Place]) -> None:
        self.file, self.values, self._places = file, values, places

    def place(self, path: Path) -> Place:
        """Where the key of a value stands, or that of the table around it."""
        while path and path not in self._places:
            path = path[:-1]
        return self._places.get(path) or Place(self.file, 1, 1)

    def error(self, path: Path, text: str, hint: str = "") -> errors.ConfigError:
        """The error that says it of that value."""
        return errors.ConfigError(f"{self.place(path)}: {text}", hint=hint)


def read(file: str, hint: str = "it may have rules for lines") -> Document:
    """Read a file. *hint* is for who has named one that is not there.

    Raises:
        ConfigError: it cannot be read, or is no TOML; the text has file, line and column.
    """
    try:
        with open(file, "rb") as opened:
            data = opened.read(SIZE_MAX + 1)
    except OSError as e:
        if errors.is_lack(e):
            raise
        hint = f"{VARIABLE} names it" if file == os.environ.get(VARIABLE) else hint
        raise errors.ConfigError(f"{file}: {e.strerror}", hint=hint) from e
    if len(data) > SIZE_MAX:
        raise errors.ConfigError(f"{file}: more than {SIZE_MAX >> 20} MB are no configuration")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as e:
        line = data.count(b"\n", 0, e.start) + 1
        raise errors.ConfigError(f"{file}:{line}: this is not UTF-8") from e
    return parse(text, file)


def parse(text: str, file: str) -> Document:
    """The same of a text; *file* is what its errors call it."""
    loads, error_class = _parser(file)
    text = text.replace("\r\n", "\n")
    try:
        values = loads(text)
    except error_class as e:
        what, _, where = str(e).partition(" (at ")
        raise errors.ConfigError(f"{_where(text, file, where)}: {what[:1].lower()}{what[1:]}") from e
    except RecursionError as e:
        raise errors.ConfigError(f"{file}: too deep for a configuration") from e
    return Document(file, values, {path: Place(file, *at) for path, at in positions(text).items()})


def _parser(file: str) -> tuple[Callable[[str], dict[str, object]], type[Exception]]:
    from importlib import import_module

    for name in ("tomllib", "tomli"):  # the second is Python 3.10's
        try:
            parser = import_module(name)
        except ImportError:
            continue
        return parser.loads, parser.TOMLDecodeError
    raise errors.ConfigError(
        f"{file}: Python 3.10 cannot read TOML by itself", hint="pip install 'RPIO[remote]'"
    )


def _where(text: str, file: str, at: str) -> Place:
    """What the parser says of the place: "line 3, column 5)", or "end of document)"."""
    numbers = [int(word) for word in at.rstrip(")").replace(",", "").split() if word.isdigit()]
    if len(numbers) == 2:
        return Place(file, *numbers)
    lines = text.split("\n")
    return Place(file, len(lines), len(lines[-1]) + 1)


# -- where the keys are -------------------------------------------------------------------------


def positions(text: str) -> dict[Path, tuple[int, int]]:
    """Return path -> (line, column) of every key, both from 1, in a text that is TOML.

    A table has the position of its header or, without one, of the first key that makes it; an element of an array that
    of its first character. Source: toml.io/en/v1.0.0.
    """
    return dict(_Scanner(text).found())


QUOTES = ('"""', "'''", '"', "'")
SPACE, END_OF_BARE = " \t", frozenset(" \t\n#.=]},")


class _Scanner:
    """Goes through a text that is known to be TOML."""

    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0
        self._line, self._line_at = 1, 0
        self._counts: dict[Path, int] = {}  # of [[tables]]

    def found(self) -> Iterator[tuple[Path, tuple[int, int]]]:
        """Each path once, at the place where it begins."""
        seen: set[Path] = set()
        for path, place in self._all():
            if path not in seen:
                seen.add(path)
                yield path, place

    def _all(self) -> Iterator[tuple[Path, tuple[int, int]]]:
        table: Path = ()
        self._skip(SPACE + "\n")
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                is_array = self._text.startswith("[[", self._at)
                here = self._here()
                self._at += 2 if is_array else 1
                table = self._table([key for key, _ in self._keys()], is_array)
                self._at += 2 if is_array else 1
                for length in range(1, len(table) + 1):
                    yield table[:length], here
            else:
                yield from self._pair(table)
            self._skip(SPACE + "\n")

    def _table(self, keys: list[str], is_array: bool) -> Path:
        """The path of a header: what stands in [[tables]] stands in the last of them."""
        path: Path = ()
        for key in keys[:-1]:
            path = (*path, key)
            if path in self._counts:
                path = (*path, self._counts[path])
        path = (*path, keys[-1])
        if is_array:
            self._counts[path] = self._counts.get(path, -1) + 1
            path = (*path, self._counts[path])
        return path

    def _here(self) -> tuple[int, int]:
        newlines = self._text.count("\n", self._line_at, self._at)
        if newlines:
            self._line += newlines
            self._line_at = self._text.rindex("\n", 0, self._at) + 1
        return self._line, self._at - self._line_at + 1

    def _skip(self, characters: str) -> None:
        """Skip those, and comments."""
        text = self._text
        while self._at < len(text) and (text[self._at] in characters or text[self._at] == "#"):
            if text[self._at] == "#":
                end = text.find("\n", self._at)
                self._at = len(text) if end < 0 else end
                if "\n" not in characters:
                    return
            else:
                self._at += 1

    def _keys(self) -> list[tuple[str, tuple[int, int]]]:
        """A key, or several with dots between them; ends behind it."""
        found = []
        while True:
            self._skip(SPACE)
            here = self._here()
            found.append((self._key(), here))
            self._skip(SPACE)
            if self._text[self._at] != ".":
                return found
            self._at += 1

    def _key(self) -> str:
        begin = self._at
        if self._text[begin] in "\"'":
            self._string()
            quoted = self._text[begin : self._at]
            if quoted[0] == "'" or "\\" not in quoted:
                return quoted[1:-1]
            loads, _ = _parser("")
            return next(iter(loads(f"{quoted} = 0")))
        while self._text[self._at] not in END_OF_BARE:
            self._at += 1
        return self._text[begin : self._at]

    def _pair(self, table: Path) -> Iterator[tuple[Path, tuple[int, int]]]:
        path = table
        for key, here in self._keys():
            path = (*path, key)
            yield path, here
        self._at += 1  # =
        self._skip(SPACE)
        yield from self._value(path)

    def _value(self, path: Path) -> Iterator[tuple[Path, tuple[int, int]]]:
        first = self._text[self._at]
        if first in "\"'":
            self._string()
        elif first == "[":
            yield from self._array(path)
        elif first == "{":
            yield from self._inline_table(path)
        else:
            while self._at < len(self._text) and self._text[self._at] not in ",]}#\n":
                self._at += 1

    def _array(self, path: Path) -> Iterator[tuple[Path, tuple[int, int]]]:
        self._at += 1
        number = 0
        self._skip(SPACE + "\n")
        while self._text[self._at] != "]":
            yield (*path, number), self._here()
            yield from self._value((*path, number))
            number += 1
            self._skip(SPACE + "\n,")
        self._at += 1

    def _inline_table(self, path: Path) -> Iterator[tuple[Path, tuple[int, int]]]:
        self._at += 1
        self._skip(SPACE + "\n")
        while self._text[self._at] != "}":
            yield from self._pair(path)
            self._skip(SPACE + "\n,")
        self._at += 1

    def _string(self) -> None:
        """Go behind a string."""
        text = self._text
        quote = next(quote for quote in QUOTES if text.startswith(quote, self._at))
        self._at += len(quote)
        while not text.startswith(quote, self._at):
            self._at += 2 if text[self._at] == "\\" and quote[0] == '"' else 1
        self._at += len(quote)
        while len(quote) == 3 and text.startswith(quote[0], self._at):
            self._at += 1  # quotes before the closing ones are the string's
