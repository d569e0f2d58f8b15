# SPDX-License-Identifier: LGPL-3.0-or-later
"""What a key of a circuit's file may be: each check takes the value, and returns what is made of it or says what it is
instead of that.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    Check = Callable[[object], Any]

REQUIRED = object()
HEARS, DRIVES, PULLS, EITHER = "hears", "drives", "pulls", "either"
"""What a part does at a line: only listens; always drives it, high or low; at times pulls it to one side; drives it
where it is told to."""


class Wrong(ValueError):
    """What is wrong, and within the value where: a key or a number."""

    def __init__(self, text: str, within: tuple[str | int, ...] = ()) -> None:
        super().__init__(text)
        self.within = within


class Key:
    """A key: its check, what it is where it is left out, and what the part does at the lines that it names."""

    __slots__ = ("check", "default", "lines", "role")

    def __init__(
        self,
        check: Check,
        default: object = REQUIRED,
        role: str = "",
        lines: Callable[[Any], Iterable[int]] = lambda value: (value,),
    ) -> None:
        self.check, self.default, self.role, self.lines = check, default, role, lines


def near(word: object, words: Iterable[object]) -> str:
    """``; did you mean "button"?`` where one of the words is near."""
    from difflib import get_close_matches

    found = get_close_matches(str(word), [str(one) for one in words], 1)
    return f"; did you mean {found[0]!r}?" if found else ""


def whole(least: int, most: int, shown: str = "{}") -> Check:
    """A whole number."""

    def check(value: object) -> int:
        if type(value) is not int or not least <= value <= most:
            limits = f"{shown.format(least)} to {shown.format(most)}"
            raise Wrong(f"it is a whole number from {limits}, not {value!r}")
        return value

    return check


def number(least: float, most: float, unit: str) -> Check:
    """A number with a unit."""

    def check(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
            raise Wrong(f"it is a number from {least:g} to {most:g} {unit}, not {value!r}")
        return float(value)

    return check


def numbers(count: int, least: float, most: float, unit: str) -> Check:
    """A list of so many numbers."""
    each = number(least, most, unit)

    def check(value: object) -> list[float]:
        if not isinstance(value, list) or len(value) != count:
            raise Wrong(f"it is a list of {count} numbers, not {value!r}")
        found = []
        for at, one in enumerate(value):
            try:
                found.append(each(one))
            except Wrong as e:
                raise Wrong(str(e), (at,)) from None
        return found

    return check


def choice(*values: object) -> Check:
    """One of some values."""

    def check(value: object) -> object:
        if not any(type(value) is type(one) and value == one for one in values):
            names = ", ".join(repr(one) for one in values)
            raise Wrong(f"it is one of {names}, not {value!r}{near(value, values)}")
        return value

    return check


def switch(value: object) -> bool:
    """Yes or no."""
    if not isinstance(value, bool):
        raise Wrong(f"it is true or false, not {value!r}")
    return value


def text(least: int, most: int) -> Check:
    """A text of so many characters."""

    def check(value: object) -> str:
        if not isinstance(value, str) or not least <= len(value) <= most:
            raise Wrong(f"it is text of {least} to {most} characters, not {value!r}")
        return value

    return check


def name(value: object) -> str:
    """A name for something."""
    if not isinstance(value, str) or not 0 < len(value) <= 64 or not value.isprintable():
        raise Wrong(f"a name is text of 1 to 64 characters, not {value!r}")
    return value


LINES_MAX = 255


def line(value: object) -> int:
    """A line, by its BCM number; which of them there are depends on the board."""
    if type(value) is not int or not 0 <= value <= LINES_MAX:
        raise Wrong(f"a line is its BCM number, not {value!r}")
    return value


def two_lines(value: object) -> tuple[int, int]:
    """Two lines."""
    if not isinstance(value, list) or len(value) != 2:
        raise Wrong(f"a wire is between two lines, not {value!r}")
    first, second = line(value[0]), line(value[1])
    if first == second:
        raise Wrong(f"a wire is between two lines, not from GPIO {first} to itself")
    return first, second


def _number_of(word: str, most: int, what: str) -> int:
    """The number of a key, decimal or 0x."""
    try:
        found = int(word, 0)
    except ValueError:
        found = -1
    if not 0 <= found <= most:
        raise Wrong(f"{what} are 0 to {most}, not {word!r}", (word,))
    return found


def pins(count: int) -> Check:
    """Which pins of a chip are wired to which lines."""

    def check(value: object) -> dict[int, int]:
        if not isinstance(value, dict):
            raise Wrong(f"it says which pin is wired to which line, {{ 0 = 17 }}, not {value!r}")
        found: dict[int, int] = {}
        for word, wired in value.items():
            pin = _number_of(word, count - 1, "pins")
            try:
                found[pin] = line(wired)
            except Wrong as e:
                raise Wrong(str(e), (word,)) from None
        if len(set(found.values())) < len(found):
            raise Wrong("two pins are at one line")
        return found

    return check


def registers(value: object) -> dict[int, int]:
    """Which registers have which values."""
    if not isinstance(value, dict):
        raise Wrong(f"it says which register has which value, {{ 0x0F = 0x3C }}, not {value!r}")
    found = {}
    for word, one in value.items():
        register = _number_of(word, 255, "registers")
        if type(one) is not int or not 0 <= one <= 0xFFFF:
            raise Wrong(f"a register's value is a whole number from 0 to 0xffff, not {one!r}", (word,))
        found[register] = one
    return found
