# SPDX-License-Identifier: LGPL-3.0-or-later
"""Recordings as CSV, SVG and as a drawing for the terminal."""

from __future__ import annotations

from html import escape

from .recording import UNKNOWN, Loss, Recording, name_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO

UNITS = (("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1000), ("ns", 1))
"""Units of time, the longest first, and their nanoseconds."""


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


def column_mark(marks: str, edges: int, level: int) -> str:
    """The character of a column that had so many edges, the *level* of one without; *marks* is one of MARKS."""
    low, high, edge, busy, unknown, _ = tuple(marks)
    return (edge if edges == 1 else busy) if edges else (low, high, unknown)[level]


def draw(recording: Recording, width: int, unicode: bool) -> Iterator[str]:
    """Yield the rows of a drawing that is *width* characters wide, and a row for every line that lost edges."""
    marks = MARKS[unicode]
    lost = marks[-1]
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
            row.append(lost if column in gaps[index] else column_mark(marks, edges[index][column], level))
            level = after[index].get(column, level)
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
