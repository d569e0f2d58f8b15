# SPDX-License-Identifier: LGPL-3.0-or-later
"""Recordings as VCD, at once or as they grow, and back.

Source: IEEE 1364-2001, chapter 18. A loss is a ``$comment``, which read_vcd() understands.
"""

from __future__ import annotations

import re

from .recording import UNKNOWN, Recording, name_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import TextIO

    from .recording import Loss

TIMESCALES = {"1us": 1000, "1ns": 1}
"""What a VCD can be written in -> nanoseconds. sigrok makes a sample of every unit: 1 ns is a huge stream there."""

FEMTOSECONDS = {"s": 10**15, "ms": 10**12, "us": 10**9, "ns": 10**6, "ps": 10**3, "fs": 1}
VALUES = {0: "0", 1: "1", UNKNOWN: "x"}


def identifier(number: int) -> str:
    """The VCD identifier of a number: printable characters, the fewest that do."""
    text = ""
    number += 1
    while number:
        number, digit = divmod(number - 1, 94)
        text += chr(33 + digit)
    return text


def write_vcd(recording: Recording, file: TextIO, timescale: str = "1us") -> None:
    """Write a recording, edge by edge. Edges of the same unit of time stay, one after the other."""
    writer = Writer(file, recording, timescale)
    writer.write(recording)
    writer.end(recording.end_ns)


class Writer:
    """A VCD that grows: the header from what a recording begins with, then what came next, then the end."""

    def __init__(self, file: TextIO, first: Recording, timescale: str = "1us") -> None:
        self._write, self._unit_ns = file.write, TIMESCALES[timescale]
        self._ids = [identifier(index) for index in range(len(first.lines))]
        self._start_ns, self._now = first.start_ns, 0
        write = file.write
        write(
            f"$version RPIO $end\n$timescale {timescale[0]} {timescale[1:]} $end\n$scope module gpio $end\n"
        )
        for line, name in zip(first.lines, self._ids, strict=True):
            write(f"$var wire 1 {name} {name_of(line)} $end\n")
        write("$upscope $end\n$enddefinitions $end\n#0\n$dumpvars\n")
        for level, name in zip(first.initial, self._ids, strict=True):
            write(f"{VALUES[level]}{name}\n")
        write("$end\n")

    def write(self, recording: Recording) -> None:
        """Add the edges and losses of a recording, none of which is before what has been written."""
        write, start_ns, unit_ns, ids, now = self._write, self._start_ns, self._unit_ns, self._ids, self._now
        losses, at = recording.losses, 0
        for time_ns, index, level in zip(
            recording.times_ns, recording.indices, recording.levels, strict=True
        ):
            while at < len(losses) and losses[at].after_ns < time_ns:
                now = self._lose(losses[at], now)
                at += 1
            then = (time_ns - start_ns) // unit_ns
            if then > now:
                write(f"#{then}\n")
                now = then
            write(f"{VALUES[level]}{ids[index]}\n")
        for loss in losses[at:]:
            now = self._lose(loss, now)
        self._now = now

    def _lose(self, loss: Loss, now: int) -> int:
        """Write a loss at its time; return the time of the file then."""
        then = max(now, (loss.after_ns - self._start_ns) // self._unit_ns)
        if then != now:
            self._write(f"#{then}\n")
        self._write(f"$comment lost {loss.missing} edges of {name_of(loss.line)} $end\n")
        return then

    def reach(self, time_ns: int) -> None:
        """Write that it lasts until then, at least."""
        then = (time_ns - self._start_ns) // self._unit_ns
        if then > self._now:
            self._write(f"#{then}\n")
            self._now = then

    def end(self, end_ns: int) -> None:
        """Write when it ended: a unit later where that is the unit of the last edge, which sigrok would not see."""
        now = self._now
        self.reach(end_ns)
        if self._now == now:
            self._write(f"#{now + 1}\n")


LOST = re.compile(r"lost (\d+) edges of (\S+)")
NAME = re.compile(r"(?:GPIO|BCM)[_ ]?(\d+)", re.IGNORECASE)


def read_vcd(text: Iterable[str], lines: Mapping[str, int] | None = None) -> Recording:
    """Return the recording that the lines of a VCD make; times begin at the first of the file.

    A variable of one bit is the line that *lines* says for its name, or the one that it is named after ("GPIO17");
    others are skipped. x and z are UNKNOWN.

    Raises:
        ValueError: it is no VCD, with the number of the line; or no variable is a line.
    """
    return _Reader(lines or {}).read(text)


class _Reader:
    """The state of reading a VCD."""

    def __init__(self, lines: Mapping[str, int]) -> None:
        self._lines = lines
        self._number = 0
        self._scale_fs = 10**6
        self._indices: dict[str, list[int]] = {}
        self._known: set[str] = set()
        self._skipped: list[str] = []
        self._recording = Recording([])
        self._now: int | None = None
        self._first = 0
        self._levels: list[int] = []
        self._losses: dict[int, tuple[int, int]] = {}

    def _bad(self, text: str) -> ValueError:
        return ValueError(f"line {self._number} of the VCD: {text}")

    def _tokens(self, text: Iterable[str]) -> Iterator[str]:
        for self._number, line in enumerate(text, 1):
            yield from line.split()

    def _until_end(self, tokens: Iterator[str], what: str) -> list[str]:
        began = self._number
        words: list[str] = []
        for word in tokens:
            if word == "$end":
                return words
            words.append(word)
        self._number = began
        raise self._bad(f"{what} has no $end")

    def read(self, text: Iterable[str]) -> Recording:
        """Read it all."""
        tokens = self._tokens(text)
        defined = False
        for word in tokens:
            if word in ("$dumpvars", "$dumpall", "$dumpon", "$dumpoff", "$end"):
                if not defined:
                    raise self._bad(f"{word} before $enddefinitions")
            elif word[0] == "$":
                defined = self._directive(word, self._until_end(tokens, word)) or defined
            elif not defined:
                raise self._bad(f"{word[:40]!r} is no declaration: is this a VCD file?")
            elif word[0] == "#":
                self._time(word)
            else:
                self._change(word, tokens)
        if not defined:
            raise self._bad("the file ends before $enddefinitions: is this a VCD file?")
        return self._finished()

    def _directive(self, word: str, words: list[str]) -> bool:
        """Carry a declaration out; True for the last."""
        if word == "$timescale":
            self._timescale("".join(words))
        elif word == "$var":
            self._variable(words)
        elif word == "$comment":
            self._comment(" ".join(words))
        elif word == "$enddefinitions":
            self._check_lines()
            return True
        return False

    def _timescale(self, text: str) -> None:
        match = re.fullmatch(r"(1|10|100)(s|ms|us|ns|ps|fs)", text)
        if match is None:
            raise self._bad(f"{text[:40]!r} is no timescale, as 1us or 10ns are")
        self._scale_fs = int(match[1]) * FEMTOSECONDS[match[2]]

    def _variable(self, words: list[str]) -> None:
        if len(words) < 4 or not words[1].isdecimal():
            raise self._bad("a $var has a type, a width, an identifier and a name")
        width, identity, name = int(words[1]), words[2], words[3]
        self._known.add(identity)
        match = NAME.fullmatch(name)
        line = self._lines.get(name, int(match[1]) if match else None)
        if width != 1 or line is None:
            self._skipped.append(name)
            return
        if line in self._recording.lines:
            raise self._bad(f"{name} is GPIO {line}, which another variable is already")
        self._indices.setdefault(identity, []).append(len(self._recording.lines))
        self._recording.lines.append(line)
        self._recording.initial.append(UNKNOWN)
        self._levels.append(UNKNOWN)

    def _check_lines(self) -> None:
        if not self._recording.lines:
            names = ", ".join(self._skipped[:8]) or "none at all"
            raise ValueError(f"no variable of the VCD is a line of one bit; it has: {names}")

    def _comment(self, text: str) -> None:
        match = LOST.match(text)
        name = NAME.fullmatch(match[2]) if match else None
        if match and name and int(name[1]) in self._recording.lines:
            index = self._recording.lines.index(int(name[1]))
            self._losses[index] = int(match[1]), self._now_ns()

    def _now_ns(self) -> int:
        return (self._now or 0) * self._scale_fs // 10**6

    def _time(self, word: str) -> None:
        if not word[1:].isdecimal():
            raise self._bad(f"{word[:40]!r} is no time")
        now = int(word[1:])
        if self._now is None:
            self._first = now
        elif now < self._now:
            raise self._bad(f"time runs backwards, from {self._now} to {now}")
        self._now = now
        if self._now_ns() >= 1 << 63:
            raise self._bad(f"{word[:40]!r} is more than 292 years")

    def _change(self, word: str, tokens: Iterator[str]) -> None:
        value, identity = word[0].lower(), word[1:]
        if value in "br":
            value, identity = identity[-1:].lower(), next(tokens, "")
            if word[0] in "rR" or identity not in self._indices:
                value = "x"
        if value not in "01xz" or not value or not identity:
            raise self._bad(f"{word[:40]!r} is no change of a level")
        if identity not in self._known:
            raise self._bad(f"{word[:40]!r} is of a variable that was not declared")
        level = int(value) if value in "01" else UNKNOWN
        for index in self._indices.get(identity, ()):
            self._set(index, level)

    def _set(self, index: int, level: int) -> None:
        now_ns = self._now_ns()
        lost = self._losses.pop(index, None)
        if lost is not None:
            self._recording.lose(index, *lost, now_ns)
        elif level == self._levels[index]:
            return  # said again, by $dumpall for one
        began = self._now is not None and (self._now > self._first or self._levels[index] != UNKNOWN)
        self._levels[index] = level
        if began:
            self._recording.add(now_ns, index, level)
        else:
            self._recording.initial[index] = level

    def _finished(self) -> Recording:
        recording, end_ns = self._recording, self._now_ns()
        for index, lost in self._losses.items():
            recording.lose(index, *lost, end_ns)
        recording.losses.sort(key=lambda loss: loss.after_ns)
        recording.start_ns, recording.end_ns = self._first * self._scale_fs // 10**6, end_ns
        return recording
