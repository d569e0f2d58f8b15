# SPDX-License-Identifier: LGPL-3.0-or-later
"""The screen of ``rpio sim``: the board's lines, whose keys are the fingers outside, and who came and went.

The board is served by the loop in a thread, so that nobody waits for the screen; this one looks at the board.
"""

from __future__ import annotations

import os
import select
from datetime import datetime
from logging import getLogger
from time import monotonic

from ... import constants, errors, facade
from ...backends.remote import who
from ...board.declared import NOBODY
from ...server import serving
from .. import verb
from ..options import gpios
from . import sim_rows as screen
from .curses_app import ESCAPE, NO_KEY, draw, in_terminal, styles
from .lines import Messages

TYPE_CHECKING = False
if TYPE_CHECKING:
    from curses import window

    from ...board.declared import Owner
    from ...chips.circuit import Built
    from ...server.sessions.sessions import Session
    from .curses_screen import Row

BUSY_S, IDLE_S = 0.1, 1.0
"""How often the board is looked at: where there are programs or fingers on it, and where there are none."""
PRESS_NS = 200_000_000


def show(path: str, for_ns: int | None, built: Built | None = None, file: str = "") -> int:
    """Serve the board of this program at a socket, and show it, with the circuit of a *file*, until the user quits; the
    exit status.
    """
    import curses

    try:
        curses.setupterm()
    except curses.error as e:
        text = f"curses cannot use this terminal, TERM={os.environ.get('TERM', '')}: {e}"
        raise errors.GPIOError(text, hint="rpio sim --quiet does without a screen") from None
    app = App(None if for_ns is None else monotonic() + for_ns / 1e9, built, file)
    serving.serve(facade.board, 0, "127.0.0.1", path, app.news)
    facade.wait_for_interrupts(threaded=True)
    status = in_terminal(app.run)
    return 0 if status == 130 else status  # Ctrl+C is how it ends


def clean(text: str) -> str:
    """The text with a question mark for what cannot be shown."""
    return "".join(c if c.isprintable() else "?" for c in text)


class App:
    """The state, what keys do to it, and the loop."""

    def __init__(self, until_s: float | None = None, built: Built | None = None, file: str = "") -> None:
        pins = {line: pin for pin, line in facade.board.hardware.header.items() if isinstance(line, int)}
        board = facade.board.backend.describe()
        circuit = "" if built is None else f", {clean(os.path.basename(file))}"
        self.state = screen.State(
            f"rpio sim  {board}{circuit}",
            [
                screen.Shown(gpio, pins.get(gpio), part=clean(built.at(gpio) if built else ""))
                for gpio in gpios()
            ],
        )
        outside = facade.board.backend.outside()
        assert outside is not None
        self._outside = outside
        self._until_s = until_s
        self._pressed: dict[int, float] = {}
        self._is_over = False
        self._came: dict[Session, screen.LogRow] = {}
        self.look()

    # -- what there is --

    def news(self, what: str, session: Session) -> None:
        """Somebody has come or gone. The loop's thread."""
        log, name = self.state.log, self._name(session.owner)
        row = self._came.pop(session, None)
        if what == "came":
            self._came[session] = self._tell(f"{name} came")
        elif (
            row is not None and log and log[-1] is row
        ):  # a command, say: nobody else has come or gone meanwhile
            row.text += " and went"
        else:
            self._tell(f"{name} went")
        self.state.programs = len(self._came)

    def _name(self, owner: Owner) -> str:
        """Who it is, without the user and machine where those are this one's."""
        return str(owner).removeprefix(f"{who()}, ")

    def _tell(self, text: str) -> screen.LogRow:
        """Add to the log, from any thread."""
        row = screen.LogRow(f"{datetime.now():%H:%M:%S}  {clean(text)}")
        self.state.log.append(row)
        return row

    def look(self) -> None:
        """Look at all lines."""
        backend, safety = facade.board.backend, facade.board.safety
        for line in self.state.lines:
            gpio = line.gpio
            line.function, line.level, line.pull = (
                backend.function(gpio),
                backend.read(gpio),
                backend.pull(gpio),
            )
            line.driven = self._outside.driven(gpio)
            line.is_pressed = line.driven is not None and self._pressed.get(gpio, 0) > monotonic()
            holder = safety.holder(gpio)
            line.is_left = line.function == constants.OUT and safety.owners.get(gpio) is NOBODY
            line.holder = "" if holder is None else clean(self._name(holder))

    # -- fingers --

    def press(self) -> None:
        """Press the chosen line, to the other level than it has."""
        line = self.state.line
        level = 1 - facade.board.backend.read(line.gpio)
        self._pressed[line.gpio] = monotonic() + PRESS_NS / 1e9
        self._outside.press(line.gpio, PRESS_NS, level)
        self._warn()

    def drive(self, value: int | None) -> None:
        """Drive the chosen line, or let go of it."""
        self._pressed.pop(self.state.line.gpio, None)
        self._outside.drive(self.state.line.gpio, value)
        self._warn()

    def _warn(self) -> None:
        """A driven output is a short circuit, where the levels differ."""
        line = self.state.line
        is_output = facade.board.backend.function(line.gpio) == constants.OUT
        is_short = is_output and self._outside.driven(line.gpio) is not None
        if is_short:
            self.state.message = (
                f"GPIO {line.gpio} is an output: what drives it from outside is a short circuit"
            )

    def let_go_of_all(self) -> None:
        """Let go of whatever is driven."""
        for line in self.state.lines:
            if self._outside.driven(line.gpio) is not None:
                self._outside.drive(line.gpio, None)

    # -- keys --

    def key(self, key: int) -> None:
        """Do what a key means."""
        import curses

        state = self.state
        state.message = ""
        name = chr(key) if 0 < key < 128 else ""
        if name.isdigit():
            self._type(name)
            return
        state.typed = ""
        moves = {
            curses.KEY_UP: -1,
            curses.KEY_DOWN: 1,
            curses.KEY_LEFT: -state.beside,
            curses.KEY_RIGHT: state.beside,
            curses.KEY_PPAGE: -state.page,
            curses.KEY_NPAGE: state.page,
            curses.KEY_HOME: -len(state.lines),
            curses.KEY_END: len(state.lines),
        }
        if name == "q":
            self._is_over = True
        elif state.is_help:
            state.is_help = False
        elif key in moves:
            to = state.selected + moves[key]
            if key not in (curses.KEY_LEFT, curses.KEY_RIGHT) or 0 <= to < len(state.lines):
                state.selected = max(0, min(len(state.lines) - 1, to))
        elif name == "h" or key == ESCAPE:
            state.is_help = name == "h"
        elif name == " ":
            self.press()
        elif name in ("u", "d", "l"):
            self.drive({"u": 1, "d": 0, "l": None}[name])
        elif name == "L":
            self.let_go_of_all()

    def _type(self, digit: str) -> None:
        """Go to the GPIO whose number is typed; a digit that makes none of it begins another."""
        state = self.state
        numbers = [line.gpio for line in state.lines]
        for text in (state.typed + digit, digit):
            if any(str(number).startswith(text) for number in numbers):
                state.typed = text
                state.selected = numbers.index(int(text)) if int(text) in numbers else state.selected
                return
        state.typed, state.message = "", f"there is no GPIO {state.typed + digit} on the header"

    # -- the loop --

    def run(self, stdscr: window, signals: int) -> None:
        """Show, wait, do what came, until the user quits or the time is over."""
        logger, messages = getLogger("RPIO"), Messages(self._tell)
        logger.addHandler(messages)
        try:
            self._loop(stdscr, signals)
        finally:
            logger.removeHandler(messages)

    def _loop(self, stdscr: window, signals: int) -> None:
        import curses

        try:
            curses.curs_set(0)
        except curses.error:
            pass  # this terminal cannot hide it
        look, utf8 = styles(), verb.has_utf8_terminal()
        shown: list[Row] | None = None
        poll = select.poll()
        poll.register(0, select.POLLIN)
        poll.register(signals, select.POLLIN)
        while not self._is_over:
            height, width = stdscr.getmaxyx()
            self.look()
            rows = screen.rows(self.state, width, height, utf8)
            if rows != shown:
                draw(stdscr, rows, look)
                shown = rows
            ready = dict(poll.poll(self._wait_s() * 1000 + 1))
            if signals in ready:
                os.read(signals, 1024)
                curses.resizeterm(*reversed(os.get_terminal_size(1)))
                stdscr.clear()
                shown = None
            if 0 in ready and self._read_keys(stdscr) == 0 and ready[0] & (select.POLLHUP | select.POLLERR):
                return  # the terminal has gone
            if self._until_s is not None and monotonic() >= self._until_s:
                return

    def _wait_s(self) -> float:
        """How long to sleep unless a key comes."""
        is_busy = bool(self._came) or any(line.driven is not None for line in self.state.lines)
        wait_s = BUSY_S if is_busy else IDLE_S
        return wait_s if self._until_s is None else max(0.0, min(wait_s, self._until_s - monotonic()))

    def _read_keys(self, stdscr: window) -> int:
        """Handle all keys that wait; how many there were."""
        count = 0
        while not self._is_over and (key := stdscr.getch()) != NO_KEY:
            self.key(key)
            count += 1
        return count
