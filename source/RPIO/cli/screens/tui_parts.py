# SPDX-License-Identifier: LGPL-3.0-or-later
"""What stands around the table of ``rpio tui``: the chosen line with its menu, the log, the help."""

from __future__ import annotations

from collections import deque

from rich.segment import Segment
from textual import events
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.geometry import Size
from textual.message import Message
from textual.screen import ModalScreen
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widgets import Static

from . import journal
from .lines import BACK, KEY_HELP, LABELS, LIVE_HELP, MOST_ACTIONS, Line, actions, facts_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


class Entry(Static):
    """A button of one row."""

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    Entry {
        width: 1fr; height: 1; padding: 0 1; background: $panel;
        &:hover { background: $primary 60%; }
        &.-chosen { background: $primary; color: $text; text-style: bold; }
    }
    """

    class Pressed(Message):
        """It was clicked."""

        def __init__(self, action: str) -> None:
            super().__init__()
            self.action = action

    def __init__(self) -> None:
        super().__init__("", markup=False)
        self.menu_action = ""

    def be(self, action: str, is_chosen: bool) -> None:
        """Be the entry of an action; of "" none."""
        if action != self.menu_action:
            self.menu_action = action
            self.update(LABELS.get(action, ""))
        self.display = bool(action)
        self.set_class(is_chosen, "-chosen")

    def on_click(self) -> None:
        """Tell what is to be done."""
        self.post_message(self.Pressed(self.menu_action))


class Side(VerticalScroll, can_focus=False):
    """What is known of the chosen line, and the menu of what can be done to it."""

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    Side {
        scrollbar-size: 0 1;
        & > .facts { height: auto; padding: 0 1; margin: 0 0 1 0; }
        & > #below { margin: 1 0 0 0; }
    }
    """

    def __init__(self, features: frozenset[str], refresh: str) -> None:
        super().__init__()
        self._features, self._refresh = features, refresh
        self._above = Static("", id="above", classes="facts", markup=False)
        self._below = Static("", id="below", classes="facts", markup=False)
        self._entries = [Entry() for _ in range(MOST_ACTIONS)]
        self._shown = -1, ""
        self._chosen: int | None = None

    def compose(self) -> ComposeResult:
        """Facts and the menu."""
        yield self._above
        yield from self._entries
        yield self._below

    def put_menu(self, is_beside: bool) -> None:
        """Put the menu below the facts, or above them, where there may be room for no more."""
        self._above.display, self._below.display = is_beside, not is_beside

    @property
    def entries(self) -> list[Entry]:
        """Those that are shown."""
        return [entry for entry in self._entries if entry.menu_action]

    def show(self, line: Line) -> None:
        """Show a line. Only a menu that has the keys has an entry that leaves it."""
        facts = [("Pin", "-" if line.pin is None else str(line.pin)), *facts_of(line, self._refresh)]
        text = "\n".join(f"{name:<8} {fact}" for name, fact in facts)
        if (line.gpio, text) != self._shown:
            self._shown = line.gpio, text
            self.border_title = f"GPIO {line.gpio}"
            self._above.update(text)
            self._below.update(text)
        found = actions(line, self._features)
        found = found if self.is_open else found[: found.index(BACK)]
        for at, entry in enumerate(self._entries):
            entry.be(found[at] if at < len(found) else "", at == self._chosen)

    # -- the keys --

    @property
    def is_open(self) -> bool:
        """Whether the menu has the keys."""
        return self._chosen is not None

    @property
    def chosen(self) -> Entry:
        """The entry that the keys are at."""
        return self._entries[self._chosen or 0]

    def open(self, line: Line) -> None:
        """Give the keys to the menu."""
        self._choose(0, line)

    def close(self, line: Line) -> None:
        """Take them back."""
        self._choose(None, line)

    def move(self, by: int, line: Line) -> None:
        """Go to another entry; after the last comes the first."""
        self._choose(((self._chosen or 0) + by) % len(self.entries), line)

    def _choose(self, at: int | None, line: Line) -> None:
        self._chosen = at
        self.set_class(self.is_open, "-open")
        self.show(line)
        if self.is_open:
            self.call_after_refresh(self.scroll_to_widget, self.chosen, animate=False)


class Log(ScrollView, can_focus=False):
    """Rows of text, the last of which are seen unless it has been scrolled; so many are kept, and no more."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES = {"log--time", "log--plain", "log--edge", "log--error", "log--done"}
    DEFAULT_CSS = """
    Log {
        scrollbar-size: 0 1;
        padding: 0 1;
        & > .log--time { color: $secondary; }
        & > .log--edge { color: $success; }
        & > .log--done { color: $warning; }
        & > .log--error { color: $error; text-style: bold; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self.rows: deque[journal.Row] = deque(maxlen=journal.ROWS)
        self._widest = 0
        self._follows = True

    def add(self, rows: Iterable[journal.Row]) -> None:
        """Add rows at the end."""
        for row in rows:
            self.rows.append(row)
            self._widest = max(self._widest, len(row[0]))
        self.virtual_size = Size(self._widest, len(self.rows))
        self.call_after_refresh(self._follow)
        self.refresh()

    def _follow(self) -> None:
        """Go to the end, once there is one; who has scrolled in the meantime stays."""
        if self._follows:
            self.scroll_to(y=self.max_scroll_y, animate=False, force=True, immediate=True)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Follow the end again as soon as it is in sight."""
        super().watch_scroll_y(old_value, new_value)
        self._follows = new_value >= self.max_scroll_y

    def render_line(self, y: int) -> Strip:
        """Draw a row: the time, and what was."""
        base, (x, first), width = self.rich_style, self.scroll_offset, self.size.width
        if first + y >= len(self.rows):
            return Strip.blank(width, base)
        text, style = self.rows[first + y]
        clock, _, rest = text.partition("  ")
        look = [
            base + self.get_component_rich_style(f"log--{name}", partial=True) for name in ("time", style)
        ]
        strip = Strip([Segment(clock + "  ", look[0]), Segment(rest, look[1])])
        return strip.crop_extend(x, x + width, base)

    def on_resize(self) -> None:
        """Keep the end in sight."""
        self.call_after_refresh(self._follow)


HELP = (
    *KEY_HELP[:-3],
    "Space        toggle an output",
    "l            show or hide the log",
    *KEY_HELP[-3:],
    "",
    "Mouse: a click chooses a line, another",
    "opens its menu; a click on the level",
    "of an output toggles it.",
    "",
    *LIVE_HELP,
    "Waves of lines that are not live are",
    "grey: they are seen once a second.",
)


class Help(ModalScreen[None]):
    """The keys, until one is pressed."""

    DEFAULT_CSS = """
    Help {
        align: center middle;
        & > VerticalScroll {
            width: 46; max-width: 100%; height: auto; max-height: 100%;
            border: round $primary; border-title-style: bold; padding: 0 1; background: $surface;
            scrollbar-size-vertical: 1;
        }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._body = VerticalScroll(Static("\n".join(HELP), markup=False))
        self._body.border_title, self._body.border_subtitle = "Help", "any key: back"

    def compose(self) -> ComposeResult:
        """One text, which can be scrolled."""
        yield self._body

    def on_key(self, event: events.Key) -> None:
        """Scroll, or leave."""
        event.stop()
        event.prevent_default()
        if event.key in ("up", "down"):
            self._body.scroll_relative(y=1 if event.key == "down" else -1, animate=False)
        else:
            self._leave()

    def on_click(self) -> None:
        """Leave."""
        self._leave()

    def _leave(self) -> None:
        """Leave, unless a key before this one has done so."""
        if self.is_current:
            self.dismiss()
