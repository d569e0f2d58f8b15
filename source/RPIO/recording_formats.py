# SPDX-License-Identifier: LGPL-3.0-or-later
"""Recordings as VCD, CSV, SVG and as a drawing for the terminal; and from VCD back.

Source for VCD: IEEE 1364-2001, chapter 18. A loss is a ``$comment`` there, which read_vcd() understands.
"""

from __future__ import annotations

import re
from html import escape

from .recording import UNKNOWN, Loss, Recording

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import TextIO

TIMESCALES = {"1us": 1000, "1ns": 1}
"""What a VCD can be written in -> nanoseconds. sigrok makes a sample of every unit: 1 ns is a huge stream there."""

UNITS = (("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1000), ("ns", 1))
"""Units of time, the longest first, and their nanoseconds."""

FEMTOSECONDS = {"s": 10**15, "ms": 10**12, "us": 10**9, "ns": 10**6, "ps": 10**3, "fs": 1}


def name_of(line: int) -> str:
    """What a line is called."""
    return f"GPIO{line}"


def time_text(time_ns: int) -> str:
    """A time in the unit that suits it: "1.5 ms"."""
    for unit, size in UNITS:
        if abs(time_ns) >= size:
            return f"{time_ns / size:.6g} {unit}"
    return "0 s"


def loss_text(recording: Recording, loss: Loss) -> str:
    """A loss as a sentence."""
    edges = "1 edge" if loss.missing == 1 else f"{loss.missing} edges"
    after_ns = loss.after_ns - recording.start_ns
    return f"{edges} of {name_of(loss.line)} lost after {time_text(after_ns)}"


# -- VCD ----------------------------------------------------------------------------------------------------


def identifier(number: int) -> str:
    """The VCD identifier of a number: printable characters, the fewest that do."""
    text = ""
    number += 1
    while number:
        number, digit = divmod(number - 1, 94)
        text += chr(33 + digit)
    return text


def write_vcd(recording: Recording, file: TextIO, timescale: str = "1us") -> None:
    """Write a VCD, edge by edge. Edges of the same unit of time stay, one after the other."""
    unit_ns = TIMESCALES[timescale]
    ids = [identifier(index) for index in range(len(recording.lines))]
    values = {0: "0", 1: "1", UNKNOWN: "x"}
    write = file.write
    write(f"$version RPIO $end\n$timescale {timescale[0]} {timescale[1:]} $end\n$scope module gpio $end\n")
    for line, name in zip(recording.lines, ids, strict=True):
        write(f"$var wire 1 {name} {name_of(line)} $end\n")
    write("$upscope $end\n$enddefinitions $end\n#0\n$dumpvars\n")
    for level, name in zip(recording.initial, ids, strict=True):
        write(f"{values[level]}{name}\n")
    write("$end\n")
    now, start_ns = 0, recording.start_ns
    losses, at = recording.losses, 0
    for time_ns, index, level in zip(recording.times_ns, recording.indices, recording.levels, strict=True):
        while at < len(losses) and losses[at].after_ns < time_ns:
            now = _write_loss(recording, losses[at], write, now, unit_ns)
            at += 1
        then = (time_ns - start_ns) // unit_ns
        if then != now:
            write(f"#{then}\n")
            now = then
        write(f"{values[level]}{ids[index]}\n")
    for loss in losses[at:]:
        now = _write_loss(recording, loss, write, now, unit_ns)
    end = recording.span_ns // unit_ns
    if end > now:
        write(f"#{end}\n")


def _write_loss(
    recording: Recording, loss: Loss, write: Callable[[str], object], now: int, unit_ns: int
) -> int:
    """Write a loss at its time; return the time of the file then."""
    then = max(now, (loss.after_ns - recording.start_ns) // unit_ns)
    if then != now:
        write(f"#{then}\n")
    write(f"$comment lost {loss.missing} edges of {name_of(loss.line)} $end\n")
    return then


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


# -- CSV ----------------------------------------------------------------------------------------------------


def write_csv(recording: Recording, file: TextIO) -> None:
    """Write time_s,line,level: the levels at the start, then every edge. A loss is a line that begins with #."""
    values = {0: "0", 1: "1", UNKNOWN: "x"}
    write, losses, at = file.write, recording.losses, 0
    write("time_s,line,level\n")
    for line, level in zip(recording.lines, recording.initial, strict=True):
        write(f"{_seconds(0)},{line},{values[level]}\n")
    for time_ns, line, level in recording:
        while at < len(losses) and losses[at].after_ns < time_ns + recording.start_ns:
            write(f"# {loss_text(recording, losses[at])}\n")
            at += 1
        write(f"{_seconds(time_ns)},{line},{values[level]}\n")
    for loss in losses[at:]:
        write(f"# {loss_text(recording, loss)}\n")


def _seconds(time_ns: int) -> str:
    return f"{time_ns // 10**9}.{time_ns % 10**9:09d}"


# -- SVG ----------------------------------------------------------------------------------------------------

LABEL_PX, PLOT_PX, ROW_PX, HIGH_PX, TOP_PX = 70, 900, 36, 22, 10
STYLE = """\
text{font:12px sans-serif;fill:#222}.wave{fill:none;stroke:#0b6bcb;stroke-width:1.2}
.grid{stroke:#8886;stroke-width:.5}.lost{fill:#e00;fill-opacity:.35;stroke:#e00}
.bad{fill:#d00}.back{fill:#fff}
@media (prefers-color-scheme:dark){text{fill:#ddd}.wave{stroke:#6cb6ff}.back{fill:#161b22}.bad{fill:#f66}}
"""


def write_svg(recording: Recording, file: TextIO) -> None:
    """Write a drawing: one row a line, a time axis, losses in red.

    A tenth of a pixel has at most one stroke, so the file stays small however many edges there are.
    """
    rows, span_ns = len(recording.lines), max(1, recording.span_ns)
    bottom = TOP_PX + rows * ROW_PX
    texts = [loss_text(recording, loss) for loss in recording.losses]
    width, height = LABEL_PX + PLOT_PX + 40, bottom + 28 + 16 * min(len(texts), 10)
    write = file.write
    write(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}">\n')
    write(f'<style>{STYLE}</style>\n<rect class="back" width="{width}" height="{height}"/>\n')
    for time_ns, text in ticks(span_ns):
        x = f"{LABEL_PX + time_ns * PLOT_PX / span_ns:.1f}"
        write(f'<line class="grid" x1="{x}" x2="{x}" y1="{TOP_PX}" y2="{bottom}"/>')
        write(f'<text x="{x}" y="{bottom + 16}" text-anchor="middle">{escape(text)}</text>\n')
    for index, line in enumerate(recording.lines):
        y = TOP_PX + (index + 1) * ROW_PX - 7
        write(f'<text x="4" y="{y - 6}">{escape(name_of(line))}</text>\n<path class="wave" d="')
        _write_wave(recording, index, y, write)
        write('"/>\n')
    for loss, text in zip(recording.losses, texts, strict=True):
        y = TOP_PX + recording.lines.index(loss.line) * ROW_PX + 4
        x0, x1 = (
            LABEL_PX + (t - recording.start_ns) * PLOT_PX / span_ns for t in (loss.after_ns, loss.before_ns)
        )
        write(
            f'<rect class="lost" x="{x0:.1f}" y="{y}" width="{max(1.0, x1 - x0):.1f}" height="{ROW_PX - 8}">'
        )
        write(f"<title>{escape(text)}</title></rect>\n")
    for number, text in enumerate(texts[:10]):
        more = f" (and {len(texts) - 10} more losses)" if number == 9 and len(texts) > 10 else ""
        write(f'<text class="bad" x="4" y="{bottom + 34 + 16 * number}">{escape(text + more)}</text>\n')
    write("</svg>\n")


def ticks(span_ns: int) -> Iterator[tuple[int, str]]:
    """Between four and ten round times from 0 on, all in the same unit."""
    step_ns = 1
    while span_ns / step_ns > 10:
        step_ns = step_ns * 5 // 2 if str(step_ns)[0] == "2" else step_ns * 2
    unit, size = next((unit for unit in UNITS if unit[1] <= span_ns), UNITS[-1])
    for time_ns in range(0, span_ns + 1, step_ns):
        yield time_ns, f"{time_ns / size:g} {unit}"


def _write_wave(recording: Recording, index: int, low: int, write: Callable[[str], object]) -> None:
    """The path of one line. A place with many edges is one stroke from top to bottom."""
    height = {0: low, 1: low - HIGH_PX, UNKNOWN: low - HIGH_PX // 2}
    span_ns, start_ns = max(1, recording.span_ns), recording.start_ns
    level = drawn = recording.initial[index]
    last = -1
    write(f"M{LABEL_PX} {height[level]}")
    for time_ns, owner, after in zip(recording.times_ns, recording.indices, recording.levels, strict=True):
        if owner != index:
            continue
        x = (time_ns - start_ns) * PLOT_PX * 10 // span_ns
        if x != last:
            if drawn != level:
                write(f"V{height[level]}")  # the last of those that shared a place
            write(f"H{LABEL_PX + x / 10:g}V{height[after]}")
            last, drawn = x, after
        level = after
    if drawn != level:
        write(f"V{height[level]}")
    write(f"H{LABEL_PX + PLOT_PX}")


# -- the terminal -------------------------------------------------------------------------------------------

MARKS = {False: "_-|#?!", True: "\u2581\u2594\u2502\u2588?!"}
"""Low, high, an edge, several edges, unknown, lost: in ASCII, and in Unicode."""


def draw(recording: Recording, width: int, unicode: bool) -> Iterator[str]:
    """Yield the rows of a drawing that is *width* characters wide, and a row for every line that lost edges."""
    low, high, edge, busy, unknown, lost = tuple(MARKS[unicode])
    names = [name_of(line) for line in recording.lines]
    label = max(map(len, names), default=0) + 1
    columns, span_ns, start_ns = max(10, width - label), max(1, recording.span_ns), recording.start_ns
    edges = [bytearray(columns) for _ in names]
    after: list[dict[int, int]] = [{} for _ in names]
    for time_ns, index, level in zip(recording.times_ns, recording.indices, recording.levels, strict=True):
        column = min(columns - 1, (time_ns - start_ns) * columns // span_ns)
        if edges[index][column] < 2:
            edges[index][column] += 1
        after[index][column] = level
    gaps: list[set[int]] = [set() for _ in names]
    for loss in recording.losses:
        first, last = (
            min(columns - 1, (t - start_ns) * columns // span_ns) for t in (loss.after_ns, loss.before_ns)
        )
        gaps[recording.lines.index(loss.line)].update(range(first, last + 1))
    for index, name in enumerate(names):
        level, row = recording.initial[index], []
        for column in range(columns):
            row.append((low, high, unknown)[level])
            if edges[index][column]:
                row[-1] = edge if edges[index][column] == 1 else busy
                level = after[index][column]
            if column in gaps[index]:
                row[-1] = lost
        yield f"{name:<{label}}{''.join(row)}"
    end = time_text(recording.span_ns)
    yield f"{'':<{label}}0{end:>{columns - 1}}"
    first_of = {loss.line: loss for loss in reversed(recording.losses)}
    for line, count in recording.lost().items():
        times = sum(loss.line == line for loss in recording.losses)
        if times == 1:
            yield f"{lost} {loss_text(recording, first_of[line])}"
        else:
            after_ns = first_of[line].after_ns - start_ns
            yield f"{lost} {count} edges of {name_of(line)} lost in {times} places, first after {time_text(after_ns)}"
