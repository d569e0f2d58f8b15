# SPDX-License-Identifier: LGPL-3.0-or-later
"""The program of ``rpio tui``: what keys and the mouse do, and the loop of RPIO within that of Textual.

What is known of the lines is in lines, shared with rpio-curses. While nothing moves, nothing runs but one look a second
at the lines that are not watched.
"""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import suppress
from contextvars import Context, copy_context
from time import monotonic, monotonic_ns

import textual.app
from rich.markup import escape
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.events import Resize
from textual.geometry import Size
from textual.timer import Timer
from textual.widgets import Footer, Static

from ... import facade
from ...loop.nesting import Nesting
from .curses_screen import title
from .journal import Journal
from .lines import BACK, DUTY_STEPS, LABELS, LESS, MORE, REFRESH_S, REST_S, Line, Lines, Messages, level_of
from .trace import COLUMN_NS
from .tui_look import BERRY, CSS
from .tui_parts import Entry, Help, Log, Side
from .tui_table import Table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..._gpio import EdgeEvent

BUSY_S = 0.01
"""How long edges are read at once: with REST_S between, reading a line that oscillates takes a sixth of the time."""

BESIDE_WIDTH = 72
"""From how many columns on the chosen line is beside the table; in less, its menu takes the table's place."""

FRAME_WIDTH, FRAME_HEIGHT, LOG_HEIGHT = 24, 8, 15
"""From which size on there are frames, with title and footer from that height on; and the log."""


def _key(keys: str, action: str, text: str = "", shown: str | None = None) -> Binding:
    """A key that does something at once: were it for a widget, the next one could overtake it."""
    return Binding(keys, action, text, show=bool(text), key_display=shown, priority=True)


class App(textual.app.App[None]):
    """The screen."""

    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False
    CSS = CSS
    BINDINGS = [
        _key("up", "move(-1)"),
        _key("down", "move(1)"),
        _key("pageup", "page(-1)"),
        _key("pagedown", "page(1)"),
        _key("home", "end_of_list(-1)"),
        _key("end", "end_of_list(1)"),
        _key("enter", "do", "Do it", "Enter"),
        _key("enter,right", "menu", "Actions", "Enter"),
        _key("left,escape", "close", "Back", "Left"),
        _key("space", "turn_over", "Toggle", "Space"),
        _key("plus,equals_sign", "duty(1)", "Duty", "+ -"),
        _key("minus", "duty(-1)"),
        _key("l", "log", "Log"),
        _key("r", "look", "Re-read"),
        _key("h", "help", "Help"),
        _key("q", "end(0)", "Quit"),
        _key("ctrl+c", "end(130)"),
        _key("ctrl+z", "suspend_process"),
    ]

    def __init__(self, journal: Journal | None = None, now_ns: Callable[[], int] = monotonic_ns) -> None:
        is_plain = bool(os.environ.get("NO_COLOR"))
        if not is_plain:
            os.environ.pop("NO_COLOR", None)  # an empty one is no wish, but to Textual
        super().__init__(ansi_color=True if is_plain else None)
        self.register_theme(BERRY)
        self.theme = "berry"
        self.set_class(is_plain, "plain")
        self.journal = journal or Journal()
        self.lines = Lines(on_edge=self._edge)
        self.table = Table(self.lines.all, now_ns)
        self.side = Side(self.lines.features, self.lines.refresh)
        self.rows = Log()
        self._title = Static(f"rpio tui  {self.lines.board_text}", id="title", markup=False)
        self._footer = Footer()
        self.wants_log = True
        self._room = Size(80, 24)
        self._offered = (False, False)
        self._messages = Messages(self._logged)
        self._handlers: list[logging.Handler] = []
        self._event_loop: asyncio.AbstractEventLoop | None = None
        self._mounted_in: Context | None = None  # what Textual wants for calls from elsewhere
        self._edges: Nesting | None = None  # where they come from
        self._waves: Timer | None = None

    def compose(self) -> ComposeResult:
        """The title, the table and what is known of a line, the log, the keys."""
        yield self._title
        with Horizontal(id="middle"):
            yield self.table
            yield self.side
        yield self.rows
        yield self._footer

    def on_mount(self) -> None:
        """Begin to listen."""
        self._event_loop, self._mounted_in = asyncio.get_running_loop(), copy_context()
        root = logging.getLogger()  # whose other handlers would write across the screen
        self._handlers, root.handlers = root.handlers, [self._messages]
        self.table.border_title, self.rows.border_title = "GPIOs", "Log"
        self._waves = self.set_interval(COLUMN_NS / 1e9, self._move_waves, pause=True)
        self.set_interval(REFRESH_S, self.action_look)
        nesting = Nesting(facade.board.dispatcher, self._event_loop, self._read_edges)
        self._edges = nesting if nesting.is_nested else None
        self.table.see()
        self.draw()

    def on_unmount(self) -> None:
        """Give back what was taken."""
        logging.getLogger().handlers = self._handlers
        if self._edges is not None:
            self._edges.end()
            self._edges = None
        self._event_loop = None

    # -- what comes by itself --

    def _listen(self) -> None:
        if self._edges is not None:
            self._edges.listen()

    def _read_edges(self) -> None:
        """Handle edges for a moment, show what they did, and rest."""
        assert self._edges is not None and self._event_loop is not None
        end_s = monotonic() + BUSY_S
        while self._edges.step() and monotonic() < end_s:
            pass
        self._edges.rest()
        self._event_loop.call_later(REST_S, self._listen)
        self.draw()

    def _edge(self, line: Line, event: EdgeEvent) -> None:
        self.table.traces[line.gpio].see(event.timestamp_ns, event.value)
        self.journal.edge(event)

    def _logged(self, text: str) -> None:
        """What RPIO logs, in any thread."""
        self.journal.say(text)
        if self._event_loop is not None:
            with suppress(RuntimeError):  # it has been closed meanwhile
                self._event_loop.call_soon_threadsafe(self._show_log, context=self._mounted_in)

    def _move_waves(self) -> None:
        self.table.redraw()
        if self._waves is not None and not self.table.moves():
            self._waves.pause()

    # -- what is on the screen --

    def draw(self) -> None:
        """Bring what is known onto the screen."""
        self.table.redraw()
        self.side.show(self.table.line)
        self._show_log()
        offered = self.side.is_open, self.table.line.duty is not None
        if offered != self._offered:
            self._offered = offered
            self.refresh_bindings()
        if self._waves is not None and self.table.moves():
            self._waves.resume()

    def _show_log(self) -> None:
        rows = self.journal.take()
        if rows:
            self.rows.add(rows)

    def _arrange(self) -> None:
        """Show what there is room for."""
        width, height = self._room
        is_beside, is_open = width >= BESIDE_WIDTH, self.side.is_open
        self._be(
            beside=is_beside, choosing=not is_open, framed=height >= FRAME_HEIGHT and width >= FRAME_WIDTH
        )
        self._title.update(title(f"rpio tui  {self.lines.board_text}", width - 2))
        self._title.display = self._footer.display = height >= FRAME_HEIGHT
        self.rows.display = self.wants_log and height >= LOG_HEIGHT
        self.side.put_menu(is_beside)
        self.side.display = is_beside or is_open
        self.table.display = is_beside or not is_open

    def _be(self, **classes: bool) -> None:
        """Have these classes, or not. All styles are made anew for a change: once for all of them."""
        changed = [name for name, wanted in classes.items() if self.has_class(name) != wanted]
        for name in changed:
            self.set_class(classes[name], name, update=name == changed[-1])

    def on_resize(self, event: Resize) -> None:
        """Fit the terminal."""
        self._room = event.size
        self._arrange()
        self.call_after_refresh(self.draw)

    def tell(self, text: str, is_error: bool = True) -> None:
        """Say something in the log, and on top of everything for a moment."""
        self.journal.say(text, "error" if is_error else "plain")
        self.notify(escape(text), severity="error" if is_error else "warning")

    # -- what keys and the mouse do --

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Whether a key means anything now: the footer shows those that do."""
        if isinstance(self.screen, Help):
            return parameters == (130,)
        if action in ("do", "close"):
            return self.side.is_open
        if action in ("menu", "page", "end_of_list"):
            return not self.side.is_open
        return action != "duty" or self.table.line.duty is not None

    def action_move(self, by: int) -> None:
        """Go up or down in what is open."""
        if self.side.is_open:
            self.side.move(by, self.table.line)
        else:
            self.table.choose(self.table.selected + by)

    def action_page(self, by: int) -> None:
        """Go far in the table."""
        self.table.choose(self.table.selected + by * self.table.page)

    def action_end_of_list(self, by: int) -> None:
        """Go to its first line or its last."""
        self.table.choose(by * len(self.table.lines))

    def act(self, action: str) -> None:
        """Carry out an entry of the menu on the chosen line."""
        line = self.table.line
        failure = self.lines.act(line, action)
        self._done(failure, f"GPIO {line.gpio}: {LABELS[action]}")

    def _done(self, failure: str, text: str) -> None:
        if failure:
            self.tell(failure)
        else:
            self.journal.say(text, "done")
        self.table.see()
        self.draw()

    def action_turn_over(self) -> None:
        """Turn the chosen output over."""
        line = self.table.line
        failure = self.lines.toggle(line)
        self._done(failure, f"GPIO {line.gpio}: {level_of(line)[0]}")

    def action_duty(self, sign: int) -> None:
        """Lengthen or shorten pulses."""
        self.act(MORE if sign > 0 else LESS)

    def action_look(self) -> None:
        """Read all lines."""
        message = self.lines.look(self.table.line)
        if message and self.side.is_open:
            self.action_close()
            self.tell(message, is_error=False)
        self.table.see()
        self.draw()

    def action_menu(self) -> None:
        """Give the keys to the menu."""
        self.lines.look_at(self.table.line)
        self.side.open(self.table.line)
        self._arrange()
        self.draw()

    def action_do(self) -> None:
        """Do what the keys are at in the menu."""
        self._do(self.side.chosen.menu_action)

    def action_close(self) -> None:
        """Leave the menu."""
        self.side.close(self.table.line)
        self._arrange()
        self.draw()

    def action_log(self) -> None:
        """Show the log, or hide it."""
        self.wants_log = not self.wants_log
        self._arrange()
        if self.wants_log and not self.rows.display:
            self.notify(f"the log needs {LOG_HEIGHT} rows", severity="warning")

    def action_help(self) -> None:
        """Show the keys."""
        self.push_screen(Help())

    def action_end(self, status: int) -> None:
        """End with this exit status."""
        self.exit(return_code=status)

    def on_table_chosen(self) -> None:
        """Show what is known of another line."""
        self.draw()

    def on_table_opened(self) -> None:
        """Open its menu, by mouse."""
        self.action_menu()

    def on_table_toggled(self) -> None:
        """Turn it over, by mouse."""
        self.action_turn_over()

    def on_entry_pressed(self, event: Entry.Pressed) -> None:
        """Do it, by mouse."""
        self._do(event.action)

    def _do(self, action: str) -> None:
        """Do it, and leave the menu; but not while the duty is changed."""
        if action != BACK:
            self.act(action)
        if self.side.is_open and action not in DUTY_STEPS:
            self.action_close()
