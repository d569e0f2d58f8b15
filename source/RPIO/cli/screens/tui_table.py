# SPDX-License-Identifier: LGPL-3.0-or-later
"""The table of ``rpio tui``: a row a line, in the order of the header, with its level and its wave.

It draws row by row and only what has changed. Which columns there are depends on the width: the GPIO and its level
come first, the wave takes what is left.
"""

from __future__ import annotations

from time import monotonic_ns
from typing import NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from ... import constants
from .lines import Line, function_of, level_of, pull_of
from .trace import COLUMN_NS, PULSES, Trace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Cell = tuple[str, str]

WIDTHS = {"": 2, "Pin": 4, "GPIO": 5, "Function": 9, "Pull": 5, "Level": 8, "wave": 8, "Held by": 14}
"""Columns as they stand, and how wide each is with the space behind it; the wave is at least so wide."""

BY_WORTH = ("GPIO", "Level", "", "Function", "Pin", "wave", "Pull", "Held by")
"""The same, the least dispensable first."""

MARK_WIDTH = 2
"""The level without its name, where there is no room for more."""

WAVE_BEFORE_HOLDER = 30
"""How wide the wave is before there is room for who holds lines."""

MARKS = {"high": "●", "low": "○", "pwm": "◐"}


class Column(NamedTuple):
    """A column that fits: what it is, where it begins, how wide it is."""

    name: str
    x: int
    width: int


def columns(width: int) -> tuple[Column, ...]:
    """The columns that a table of a width has."""
    left, chosen = width, {}
    for name in BY_WORTH:
        own = MARK_WIDTH if name == "Level" and left < WIDTHS[name] else WIDTHS[name]
        needs = own + (WAVE_BEFORE_HOLDER - WIDTHS["wave"] if name == "Held by" else 0)
        if left < needs:
            break
        chosen[name] = own
        left -= own
    if "wave" in chosen:
        chosen["wave"] += left
    found, x = [], 0
    for name in WIDTHS:
        if name in chosen:
            found.append(Column(name, x, chosen[name]))
            x += chosen[name]
    return tuple(found)


def level_cell(line: Line) -> Cell:
    """The level with its mark, and its style: that of an output looks as if it could be pressed."""
    text, style = level_of(line)
    text = f"{MARKS[style]} {text}" if style in MARKS else text
    return text, f"{style}-out" if line.function == constants.OUT and style in ("high", "low") else style


class Table(ScrollView, can_focus=False):
    """The lines, one of which is chosen."""

    ALLOW_SELECT = False
    STYLES = ("heading", "chosen", "high", "low", "high-out", "low-out", "pwm", "wave", "sampled", "plain")
    COMPONENT_CLASSES = {f"table--{name}" for name in STYLES}
    DEFAULT_CSS = """
    Table {
        overflow-x: hidden;
        scrollbar-size-vertical: 1;
        & > .table--heading { color: $secondary; text-style: bold; }
        & > .table--chosen { background: $primary-muted; text-style: bold; }
        & > .table--high { color: $success; }
        & > .table--low { color: $secondary; }
        & > .table--high-out { color: $background; background: $success; }
        & > .table--low-out { color: $foreground; background: $secondary-darken-3; }
        & > .table--pwm { color: $warning; }
        & > .table--wave { color: $success; }
        & > .table--sampled { color: $secondary-darken-2; }
    }
    """

    class Chosen(Message):
        """Another line is chosen."""

    class Opened(Message):
        """The chosen line was clicked."""

    class Toggled(Message):
        """The level of an output was clicked."""

        def __init__(self, line: Line) -> None:
            super().__init__()
            self.line = line

    def __init__(self, lines: Sequence[Line], now_ns: Callable[[], int] = monotonic_ns) -> None:
        super().__init__()
        self.lines = sorted(lines, key=lambda line: (line.pin is None, line.pin, line.gpio))
        self.traces = {line.gpio: Trace() for line in lines}
        self.selected = 0
        self.columns = columns(0)
        self._now_ns = now_ns
        self._drawn: dict[int, list[Cell]] = {}
        self._styles: dict[str, Style] = {}

    @property
    def line(self) -> Line:
        """The line that is chosen."""
        return self.lines[self.selected]

    # -- what is on it --

    def see(self) -> None:
        """Note the levels as they are known now; of lines that are live the edges do so."""
        now_ns = self._now_ns()
        for line in self.lines:
            self.traces[line.gpio].see(now_ns, line.level if line.duty is None else PULSES)

    def redraw(self) -> None:
        """Draw the rows that have changed."""
        for index in self._visible():
            cells = self._cells(index)
            if cells != self._drawn.get(index):
                self._drawn[index] = cells
                self.refresh(Region(0, index - self.scroll_offset.y + 1, self.size.width, 1))

    def moves(self) -> bool:
        """Whether a wave will be another a column later."""
        width, now_ns = self.wave_width, self._now_ns()
        return width > 0 and any(
            self.traces[self.lines[i].gpio].moves(now_ns, width) for i in self._visible()
        )

    @property
    def wave_width(self) -> int:
        """The characters of a wave: 0 where there is no room for one."""
        return next((column.width - 1 for column in self.columns if column.name == "wave"), 0)

    def _visible(self) -> range:
        first = self.scroll_offset.y
        return range(first, min(len(self.lines), first + max(0, self.size.height - 1)))

    def _cells(self, index: int) -> list[Cell]:
        """A row: texts as wide as their columns, and their styles."""
        line, is_chosen, found = self.lines[index], index == self.selected, []
        for name, _, width in self.columns:
            text, style = self._cell(name, line, is_chosen)
            if style.endswith("-out"):
                found += [(f"{text:<{width - 1}}"[: width - 1], style), (" ", "plain")]
            else:
                found.append((f"{text:<{width}}"[: max(1, width - 1)].ljust(width), style))
        return [*found, ("", "chosen" if is_chosen else "plain")]

    def _cell(self, name: str, line: Line, is_chosen: bool) -> Cell:
        if name == "":
            return (">" if is_chosen else ""), "plain"
        if name == "wave":
            text = self.traces[line.gpio].text(self._now_ns(), self.wave_width)
            return text, "pwm" if line.duty is not None else "wave" if line.is_ours else "sampled"
        if name == "Level":
            return level_cell(line)
        return {
            "Pin": lambda: "-" if line.pin is None else f"{line.pin:>3}",
            "GPIO": lambda: f"{line.gpio:>4}",
            "Function": lambda: function_of(line),
            "Pull": lambda: pull_of(line) if line.function == constants.IN else "",
            "Held by": lambda: line.holder,
        }[name](), "plain"

    def heading(self) -> str:
        """The names of the columns."""
        row = ""
        for name, _, width in self.columns:
            text = f"Last {self.wave_width * COLUMN_NS / 1e9:.0f} s" if name == "wave" else name
            text = f"{text:>{width - 1}}" if name in ("Pin", "GPIO") else text
            row += text[: max(1, width - 1)].ljust(width)
        return row

    def render_line(self, y: int) -> Strip:
        """Draw a row of the widget, the first of which is the heading."""
        width, index = self.size.width, y - 1 + self.scroll_offset.y
        base = self.rich_style
        if y == 0:
            strip = Strip([Segment(self.heading(), base + self._style("heading"))])
        elif index >= len(self.lines):
            strip = Strip([])
        else:
            cells = self._drawn[index] = self._cells(index)
            base += self._style(cells[-1][1])
            segments = [Segment(text, base + self._style(style)) for text, style in cells]
            strip = Strip(segments)
        return strip.adjust_cell_length(width, base)

    def _style(self, name: str) -> Style:
        if name not in self._styles:
            partial = self.get_component_rich_style(f"table--{name}", partial=True)
            self._styles[name] = partial
        return self._styles[name]

    def notify_style_update(self) -> None:
        """Forget the styles, which have become others."""
        self._styles = {}
        super().notify_style_update()

    def on_resize(self, event: events.Resize) -> None:
        """Fit the columns to the width."""
        self.virtual_size = Size(event.size.width, len(self.lines) + 1)
        self.columns = columns(self.size.width)
        self._drawn.clear()
        self._show_selected()
        self.refresh()

    # -- moving --

    @property
    def page(self) -> int:
        """How many lines there is room for."""
        return max(1, self.size.height - 1)

    def choose(self, index: int) -> None:
        """Choose a line; beyond the ends, the last one there."""
        index = max(0, min(len(self.lines) - 1, index))
        if index == self.selected:
            return
        self.selected = index
        self._show_selected()
        self.redraw()
        self.post_message(self.Chosen())

    def _show_selected(self) -> None:
        room, first = self.page, self.scroll_offset.y
        if not first <= self.selected < first + room:
            to = self.selected if self.selected < first else self.selected - room + 1
            self.scroll_to(y=to, animate=False, immediate=True)

    def on_click(self, event: events.Click) -> None:
        """Choose a line, open what is chosen, or toggle an output whose level it is."""
        at = event.get_content_offset(self)
        if at is None or at.y < 1 or at.y - 1 + self.scroll_offset.y >= len(self.lines):
            return
        index = at.y - 1 + self.scroll_offset.y
        level = next(column for column in (*self.columns, Column("Level", 0, 0)) if column.name == "Level")
        if level.x <= at.x < level.x + level.width - 1 and self.lines[index].function == constants.OUT:
            self.choose(index)
            self.post_message(self.Toggled(self.lines[index]))
        elif index == self.selected:
            self.post_message(self.Opened())
        else:
            self.choose(index)
