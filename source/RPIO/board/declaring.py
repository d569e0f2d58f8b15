# SPDX-License-Identifier: LGPL-3.0-or-later
"""How rules are declared: by the program, or in configuration files. Nothing of this is loaded where none are."""

from __future__ import annotations

from .. import errors
from .rules import HIGH, LOW, SAFE_STATES, Interlock, LineRules, Rules

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..config import Document, Path

ON_TIME_MAX_S = 1e6
"""Eleven days: so far ahead is a timer set."""
CHANGES_MAX_PER_S = 1e6


def _word(words: tuple[str, ...], what: str) -> Callable[[object], str]:
    def check(value: object) -> str:
        if not isinstance(value, str) or value not in words:
            raise ValueError(
                f"{value!r} is no {what}: {', '.join(words[:-1])} or {words[-1]}{_near(value, words)}"
            )
        return value

    return check


def _number(most: float, what: str) -> Callable[[object], float]:
    def check(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= most:
            raise ValueError(f"{what} is a number above 0, {most:g} at most, not {value!r}")
        return float(value)

    return check


def _switch(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"it is true or false, not {value!r}")
    return value


def _name(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= 64 or not value.isprintable():
        raise ValueError(f"a name is text of 1 to 64 characters, not {value!r}")
    return value


KEYS: dict[str, tuple[str, Callable[[object], object]]] = {
    "name": ("name", _name),
    "safe": ("safe", _word(SAFE_STATES, "safe state")),
    "active": ("active", _word((LOW, HIGH), "level")),
    "longest_on_s": ("longest_on_s", _number(ON_TIME_MAX_S, "the longest on-time, in seconds,")),
    "changes_per_s": ("changes_per_s", _number(CHANGES_MAX_PER_S, "the number of changes a second")),
    "read_only": ("is_read_only", _switch),
}
"""Key -> the attribute, and what reads its value."""


OF_DAEMON = ("serve", "access", "run", "rraspy", "smbus", "remoteio", "further", "audit")
"""Tables that say how `rpio serve` goes about it; server/settings/settings reads them."""


def _near(word: object, words: Mapping[str, object] | tuple[str, ...]) -> str:
    """``: did you mean "safe"?`` where one of the words is near."""
    from difflib import get_close_matches

    found = get_close_matches(str(word), list(words), 1)
    return f"; did you mean {found[0]!r}?" if found else ""


class Draft(Rules):
    """Rules that are added to, before they are in force."""

    def __init__(self, rules: Rules) -> None:
        super().__init__()
        for line, of_line in rules.lines.items():
            for key, place in of_line.places.items():
                self._set(line, key, getattr(of_line, KEYS[key][0]), place)
        self.interlocks = list(rules.interlocks)

    def _set(self, line: int, key: str, value: object, place: str) -> None:
        rules = self.lines.setdefault(line, LineRules())
        attribute, _ = KEYS[key]
        setattr(rules, attribute, value)
        rules.places[key] = place

    def declare(self, line: int, place: str, values: Mapping[str, object]) -> None:
        """Add to the rules of a line, or change them.

        Raises:
            ValueError: a value that cannot be, or that another rule contradicts. TypeError: an unknown rule.
        """
        for key, value in values.items():
            if key not in KEYS:
                raise TypeError(f"there is no rule {key!r}{_near(key, KEYS)}")
            self._set(line, key, KEYS[key][1](value), place)
        if values:
            self._check(line)

    def interlock(self, lines: tuple[int, ...], name: str, place: str) -> None:
        """Let one of these at most be on. Twice is once.

        Raises:
            ValueError: fewer than two, the same twice, or two whose safe state is to be on.
        """
        if len(lines) < 2 or len(set(lines)) != len(lines):
            raise ValueError(f"an interlock is of two lines or more, each of them once, not {list(lines)!r}")
        others = [other for other in self.interlocks if set(other.lines) != set(lines)]
        self.interlocks = [*others, Interlock(lines, _name(name) if name != "" else "", place)]
        self._check_safe_states()

    def _check(self, line: int) -> None:
        rules = self.lines[line]
        if rules.is_read_only and {"safe", "longest_on_s", "changes_per_s"} & set(rules.places):
            raise ValueError(
                f"GPIO {line} is read only: there is nothing to limit, and no state to bring it to"
            )
        self._check_safe_states()

    def _check_safe_states(self) -> None:
        for interlock in self.interlocks:
            on = [line for line in interlock.lines if self.of(line).safe == self.of(line).active]
            if len(on) > 1:
                names = " and ".join(f"GPIO {line}" for line in on)
                raise ValueError(f"{names} are on in their safe states, which {interlock} forbids")

    # -- files -----------------------------------------------------------------------------------

    def read(self, document: Document) -> None:
        """Add what a file declares.

        Raises:
            ConfigError: what it says cannot be; the text begins with file, line and column.
        """
        for key, value in document.values.items():
            if key == "line":
                self._read_lines(document, value)
            elif key == "interlock":
                self._read_interlocks(document, value)
            elif key not in OF_DAEMON:
                near = _near(key, ("line", "interlock", *OF_DAEMON))
                raise document.error((key,), f"there is no {key!r} here{near}")

    def _read_lines(self, document: Document, tables: object) -> None:
        for key, values in _table(document, ("line",), tables).items():
            path: Path = ("line", key)
            if not key.isascii() or not key.isdigit() or str(int(key)) != key:
                raise document.error(path, f"a line is its BCM number, not {key!r}", "[line.17] is GPIO 17")
            for name, value in _table(document, path, values).items():
                with _told(document, (*path, name)) as place:
                    self.declare(int(key), place, {name: value})

    def _read_interlocks(self, document: Document, tables: object) -> None:
        if not isinstance(tables, list):
            raise document.error(("interlock",), "it is a list of tables", "begin each with [[interlock]]")
        for number, table in enumerate(tables):
            path: Path = ("interlock", number)
            values = _table(document, path, table)
            for key in values:
                if key not in ("lines", "name"):
                    near = _near(key, ("lines", "name"))
                    raise document.error((*path, key), f"an interlock has lines and a name, no {key!r}{near}")
            lines = values.get("lines")
            if not isinstance(lines, list) or not all(type(line) is int and line >= 0 for line in lines):
                text = f"lines are a list of BCM numbers, not {lines!r}"
                raise document.error((*path, "lines"), text, "lines = [17, 27]")
            with _told(document, (*path, "lines")):
                name = values.get("name", "")
                self.interlock(
                    tuple(lines), name if isinstance(name, str) else _name(name), str(document.place(path))
                )


def _table(document: Document, path: Path, value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise document.error(path, f"{path[-1]!r} is a table", "[line.17] begins that of GPIO 17")
    return value


class _told:
    """What is wrong in a file is told with its place."""

    def __init__(self, document: Document, path: Path) -> None:
        self._document, self._path = document, path

    def __enter__(self) -> str:
        return str(self._document.place(self._path))

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, (TypeError, ValueError)) and not isinstance(error, errors.ConfigError):
            raise self._document.error(self._path, str(error)) from error
