# SPDX-License-Identifier: LGPL-3.0-or-later
"""What a row of the table of operations is: a name, typed arguments, a result; from words, and into words."""

from __future__ import annotations

from .kinds import Kind, Repeated

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

REQUIRED = object()
"""Stands for the default of an argument that has none."""


class Argument:
    """One argument of an operation."""

    __slots__ = ("default", "kind", "name")

    def __init__(self, name: str, kind: Kind, default: object = REQUIRED) -> None:
        self.name, self.kind, self.default = name, kind, default


class Operation:
    """What can be asked. *is_repeatable*: done twice is the same as done once, so who does not know may ask again."""

    __slots__ = ("arguments", "is_repeatable", "least", "name", "result", "scope", "text")

    def __init__(
        self,
        name: str,
        arguments: Sequence[Argument],
        result: Sequence[Kind],
        scope: str,
        is_repeatable: bool,
        text: str,
    ) -> None:
        self.name, self.arguments, self.result = name, tuple(arguments), tuple(result)
        self.scope, self.is_repeatable, self.text = scope, is_repeatable, text
        self.least = sum(argument.default is REQUIRED for argument in arguments)

    def values(self, words: Sequence[str]) -> tuple[object, ...]:
        """Return the value of each argument, from words. Raises ValueError, which names the argument."""
        arguments = self.arguments
        if len(words) < self.least:
            raise ValueError(f"{self.name} needs {arguments[len(words)].name.upper()}; {self.usage()}")
        found: list[object] = []
        for at, argument in enumerate(arguments):
            kind = argument.kind
            try:
                if isinstance(kind, Repeated):
                    found.append(kind.read_all(words[at:]) if len(words) > at else argument.default)
                    return tuple(found)
                found.append(kind.read(words[at]) if at < len(words) else argument.default)
            except ValueError as e:
                raise ValueError(f"{argument.name.upper()} of {self.name}: {e}") from None
        if len(words) > len(arguments):
            raise ValueError(f"{self.name} has no {words[len(arguments)][:40]!r}; {self.usage()}")
        return tuple(found)

    def words(self, values: Sequence[object]) -> list[str]:
        """The words of these values, without those at the end that are defaults."""
        given = list(values)
        while given and len(given) > self.least and given[-1] == self.arguments[len(given) - 1].default:
            given.pop()
        return written([argument.kind for argument in self.arguments], given)

    def result_words(self, result: Sequence[object]) -> list[str]:
        """The words of a result."""
        return written(self.result, result)

    def usage(self) -> str:
        """How it is written."""
        words = [self.name]
        for argument in self.arguments:
            word = argument.name.upper() + ("..." if isinstance(argument.kind, Repeated) else "")
            words.append(word if argument.default is REQUIRED else f"[{word}]")
        return " ".join(words)


def written(kinds: Sequence[Kind], values: Sequence[object]) -> list[str]:
    """The words of values of these kinds, of which the last may be repeated."""
    words: list[str] = []
    for kind, value in zip(kinds, values, strict=False):
        if isinstance(kind, Repeated):
            words += kind.all_written(value)  # type: ignore[arg-type]
        else:
            words.append(kind.written(value))
    return words


def read(kinds: Sequence[Kind], words: Sequence[str]) -> tuple[object, ...]:
    """Return the values of words of these kinds, which are all there. Raises ValueError."""
    found: list[object] = []
    for at, kind in enumerate(kinds):
        if isinstance(kind, Repeated):
            found.append(kind.read_all(words[at:]))
            return tuple(found)
        if at >= len(words):
            raise ValueError(f"{kind.text} is missing")
        found.append(kind.read(words[at]))
    if len(words) > len(kinds):
        raise ValueError(f"{len(words) - len(kinds)} words too many")
    return tuple(found)
