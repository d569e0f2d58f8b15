# SPDX-License-Identifier: LGPL-3.0-or-later
"""The rules of lines, and interlocks, as they are in force. How they are declared is in declaring.

A rule that is there says so by its *place*, a file and a line, which the errors of who breaks it begin with.
"""

from __future__ import annotations

KEEP, INPUT, LOW, HIGH = SAFE_STATES = ("keep", "input", "low", "high")
"""What becomes of a line when it is lost. To keep it as it is is what happens where nothing is declared."""


ATTRIBUTES = {"read_only": "is_read_only"}
"""Key -> the attribute that has another name."""


class LineRules:
    """The rules of one line.

    *safe* is its safe state; *active* the level at which it is "on", LOW or HIGH as words; *longest_on_s* how long it
    may be on, None for ever; *changes_per_s* how often it may change, None for any; *is_read_only* that nobody drives
    it. *places* says where each was declared.
    """

    __slots__ = ("active", "changes_per_s", "is_read_only", "longest_on_s", "name", "places", "safe")

    def __init__(self) -> None:
        self.name = ""
        self.safe, self.active = KEEP, HIGH
        self.longest_on_s: float | None = None
        self.changes_per_s: float | None = None
        self.is_read_only = False
        self.places: dict[str, str] = {}

    def place(self, key: str) -> str:
        """Where that was declared."""
        return self.places.get(key, "")

    def is_on(self, level: int) -> bool:
        """Whether the line is on with that level."""
        return bool(level) == (self.active == HIGH)


class Interlock:
    """Lines of which one at most may be on."""

    __slots__ = ("lines", "name", "place")

    def __init__(self, lines: tuple[int, ...], name: str, place: str) -> None:
        self.lines, self.name, self.place = lines, name, place

    def __str__(self) -> str:
        return f"interlock {self.name!r} ({self.place})" if self.name else f"interlock ({self.place})"


class Rules:
    """All that is declared: *lines* by their BCM numbers, and *interlocks*."""

    def __init__(self) -> None:
        self.lines: dict[int, LineRules] = {}
        self.interlocks: list[Interlock] = []

    def __bool__(self) -> bool:
        return bool(self.lines or self.interlocks)

    def in_words(self) -> list[str]:
        """Each rule, and where it was declared."""
        of_lines = [
            f"GPIO {line}: {key.replace('_', ' ')} {getattr(rules, ATTRIBUTES.get(key, key))} ({place})"
            for line, rules in sorted(self.lines.items())
            for key, place in rules.places.items()
        ]
        names = [
            f"GPIO {' and '.join(map(str, interlock.lines))}: one of them at most is on, {interlock}"
            for interlock in self.interlocks
        ]
        return of_lines + names

    def interlock_of(self, line: int) -> Interlock | None:
        """The first interlock that names a line."""
        return next((interlock for interlock in self.interlocks if line in interlock.lines), None)

    def of(self, line: int) -> LineRules:
        """Those of a line, without any where none are declared."""
        return self.lines.get(line) or LineRules()
