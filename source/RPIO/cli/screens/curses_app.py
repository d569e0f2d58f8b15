# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio-curses``: look at all lines at once and change them, in a terminal.

What is known of the lines is in lines, what is on the screen in curses_screen. The loop of RPIO is nested in the one
that waits for keys, so that nothing runs while nothing moves.
"""

from __future__ import annotations

import argparse
import os
import select
import signal
from logging import getLogger
from time import monotonic

from ... import errors, facade
from ...loop.nesting import Nesting
from .. import verb
from ..told import UsageError
from . import curses_screen as screen
from .lines import DUTY_STEPS, LESS, MORE, REFRESH_S, REST_S, Lines, Messages, actions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from curses import window
    from types import FrameType

MODES = ("dev", "no_rpio", "no_thread")
ESCAPE_MS = 50
"""How long to wait for the rest of a key that begins with Escape."""

NO_KEY, ESCAPE = -1, 27

EXAMPLES = """\
  rpio-curses                     the lines of this machine
  rpio-curses dev                 try it without hardware
  rpio-curses no_thread           look at them only when a key is pressed
  rpio-curses --backend sim:3B+   on a simulated Pi 3B+

modes:
  dev, no_rpio   a simulated board: no hardware is touched
  no_thread      look at the lines only when a key is pressed

h in the program shows its keys. NO_COLOR=1 does without colours.
"""


def curses_parser() -> argparse.ArgumentParser:
    """The parser of ``rpio-curses``."""
    p = verb.parser("curses", "Look at all GPIOs and change them, in a terminal.", EXAMPLES)
    p.prog = "rpio-curses"
    p.add_argument("modes", nargs="*", metavar="MODE", help="dev, no_rpio or no_thread, explained below")
    return p


def curses(options: argparse.Namespace) -> int:
    """``rpio-curses``"""
    _choose(options.backend, options.modes)
    if not (os.isatty(0) and os.isatty(1)):
        raise UsageError("it needs a terminal", hint="without one: rpio -I shows all lines")
    try:
        import curses

        curses.setupterm()
    except ImportError as e:
        raise errors.GPIOError(
            f"this Python comes without curses: {e}", hint="rpio -I shows all lines"
        ) from None
    except curses.error as e:
        raise errors.GPIOError(
            f"curses cannot use this terminal, TERM={os.environ.get('TERM', '')}: {e}",
            hint="TERM=xterm rpio-curses may help; rpio -I shows all lines",
        ) from None
    app = App(is_live="no_thread" not in options.modes)
    status = in_terminal(app.run)
    if status != 128 + signal.SIGHUP:  # then there is nobody to read it
        for text in app.lines.last_words("rpio-curses"):
            print(text)
    return status


def _choose(backend: str | None, modes: list[str]) -> None:
    """Use a simulated board in the modes that want one, unless --backend or RPIO_BACKEND has chosen it."""
    for mode in modes:
        if mode not in MODES:
            raise UsageError(f"there is no mode {mode!r}, only {', '.join(MODES)}")
    if not set(modes) & {"dev", "no_rpio"}:
        return
    if (backend or os.environ.get("RPIO_BACKEND", "")).partition(":")[0] != "sim":
        if backend is not None:
            raise UsageError(f"{modes[0]} is a simulated board, and --backend {backend} is none")
        facade.use("sim")


# -- the terminal ---------------------------------------------------------------------------------------------


def in_terminal(main: Callable[[window, int], object]) -> int:
    """Call main(window, descriptor), where the descriptor is readable after signals, and restore the terminal.

    Ctrl+C ends it with 130, as the shell has it; SIGTERM and SIGHUP end it too, and not before the terminal is as it
    was.
    """
    import curses
    import locale

    try:
        locale.setlocale(locale.LC_ALL, "")
    except locale.Error:
        pass  # a locale that is not installed: ASCII
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    before = {
        number: signal.signal(number, handler)
        for number, handler in (
            (signal.SIGWINCH, lambda number, frame: None),
            (signal.SIGTERM, _end),
            (signal.SIGHUP, _end),
            (signal.SIGINT, signal.default_int_handler),
        )
    }
    wakeup_before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    try:
        stdscr = curses.initscr()
        try:
            curses.noecho()
            curses.cbreak()
            stdscr.keypad(True)
            stdscr.nodelay(True)
            curses.set_escdelay(ESCAPE_MS)
            main(stdscr, reader)
        finally:
            stdscr.keypad(False)
            curses.echo()
            curses.nocbreak()
            curses.endwin()
    except KeyboardInterrupt:
        return 130
    except _Ended as e:
        return 128 + int(e.args[0])
    finally:
        signal.set_wakeup_fd(wakeup_before)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(reader)
        os.close(writer)
    return 0


class _Ended(BaseException):
    """A signal has asked for the end."""


def _end(number: int, frame: FrameType | None) -> None:
    raise _Ended(number)


def styles() -> dict[str, int]:
    """What the styles of curses_screen look like here."""
    import curses

    found = {
        "title": curses.A_REVERSE,
        "heading": curses.A_BOLD,
        "chosen": curses.A_REVERSE,
        "message": curses.A_BOLD,
        "high": curses.A_BOLD,
        "pwm": curses.A_BOLD,
    }
    if os.environ.get("NO_COLOR") or not curses.has_colors():
        return found
    curses.start_color()
    curses.use_default_colors()
    for number, (style, colour) in enumerate(
        (("high", curses.COLOR_GREEN), ("pwm", curses.COLOR_CYAN), ("message", curses.COLOR_YELLOW)), 1
    ):
        curses.init_pair(number, colour, -1)
        found[style] |= curses.color_pair(number)
    return found


# -- the program ----------------------------------------------------------------------------------------------


class App:
    """The state, what keys do to it, and the loop."""

    def __init__(self, is_live: bool = True) -> None:
        self.lines = lines = Lines(is_live)
        self.state = screen.State(
            f"rpio-curses  {lines.board_text}", lines.all, lines.features, refresh=lines.refresh
        )
        self._is_over = False

    def look(self) -> None:
        """Read everything. A menu closes that another program has made one of a function of the past."""
        state = self.state
        message = self.lines.look(state.line)
        if state.menu is not None and message:
            state.menu, state.message = None, message

    def act(self, action: str) -> None:
        """Carry out an entry of the menu on the chosen line; errors are for the foot of the screen."""
        if action not in DUTY_STEPS:
            self.state.menu = None
        self.state.message = self.lines.act(self.state.line, action) or self.state.message

    def _tell(self, text: str) -> None:
        """Show it until the next key."""
        self.state.message = text

    # -- keys --

    def key(self, key: int) -> None:
        """Do what a key means."""
        import curses

        state = self.state
        state.message = ""
        names = {
            curses.KEY_UP: "up",
            curses.KEY_DOWN: "down",
            curses.KEY_LEFT: "left",
            curses.KEY_RIGHT: "right",
            curses.KEY_ENTER: "enter",
            curses.KEY_PPAGE: "page up",
            curses.KEY_NPAGE: "page down",
            curses.KEY_HOME: "home",
            curses.KEY_END: "end",
            ESCAPE: "left",
        }
        name = names.get(key) or {10: "enter", 13: "enter"}.get(key) or (chr(key) if 0 < key < 128 else "")
        if name == "q":
            self._is_over = True
        elif name in ("up", "down"):
            screen.move(state, 1 if name == "down" else -1)
        elif state.help is not None:
            state.help = None
        elif name == "h":
            state.help = 0
        elif name == "left":
            state.menu = None
        elif name in ("enter", "right") and state.menu is None:
            self.lines.look_at(state.line)
            state.menu = 0
        elif name == "enter":
            self.act(actions(state.line, state.features)[state.menu or 0])
        elif name in ("+", "=", "-"):
            self.act(LESS if name == "-" else MORE)
        elif name in ("page up", "page down", "home", "end") and state.menu is None:
            far = state.page if name.startswith("page") else len(state.lines)
            screen.move(state, far if name in ("page down", "end") else -far)
        if name == "r" or not self.lines.is_live:
            self.look()

    # -- the loop --

    def run(self, stdscr: window, signals: int) -> None:
        """Show, wait, do what came, until the user quits."""
        logger, messages = getLogger("RPIO"), Messages(self._tell)
        logger.addHandler(messages)
        nesting = Nesting(facade.board.dispatcher, None) if self.lines.is_live else None
        try:
            self._loop(stdscr, signals, nesting if nesting is not None and nesting.is_nested else None)
        finally:
            if nesting is not None:
                nesting.end()
            logger.removeHandler(messages)

    def _loop(self, stdscr: window, signals: int, nesting: Nesting | None) -> None:
        import curses

        try:
            curses.curs_set(0)
        except curses.error:
            pass  # this terminal cannot hide it
        look, utf8 = styles(), verb.has_utf8_terminal()
        edges = nesting.fd if nesting is not None else None
        shown: list[screen.Row] | None = None
        next_look_s, rested_s = monotonic() + REFRESH_S, 0.0
        while not self._is_over:
            height, width = stdscr.getmaxyx()
            rows = screen.rows(self.state, width, height, utf8)
            if rows != shown:
                draw(stdscr, rows, look)
                shown = rows
            now_s = monotonic()
            ends = [next_look_s] if self.lines.is_live else []
            poll = select.poll()
            poll.register(0, select.POLLIN)
            poll.register(signals, select.POLLIN)
            if edges is not None and now_s >= rested_s:
                poll.register(edges, select.POLLIN)
            elif edges is not None:
                ends.append(rested_s)
            ready = dict(poll.poll(max(0.0, min(ends) - now_s) * 1000 + 1 if ends else None))
            if nesting is not None and edges in ready:
                nesting.step()
                rested_s = monotonic() + REST_S
            if signals in ready:
                os.read(signals, 1024)
                curses.resizeterm(*reversed(os.get_terminal_size(1)))
                stdscr.clear()
                shown = None
            if 0 in ready and self._read_keys(stdscr) == 0 and ready[0] & (select.POLLHUP | select.POLLERR):
                return  # the terminal has gone
            if self.lines.is_live and monotonic() >= next_look_s:
                self.look()
                next_look_s = monotonic() + REFRESH_S

    def _read_keys(self, stdscr: window) -> int:
        """Handle all keys that wait; how many there were."""
        count = 0
        while not self._is_over and (key := stdscr.getch()) != NO_KEY:
            self.key(key)
            count += 1
        return count


def draw(stdscr: window, rows: list[screen.Row], look: dict[str, int]) -> None:
    """Bring the rows onto the screen; curses sends what has changed."""
    import curses

    stdscr.erase()
    for y, row in enumerate(rows):
        x = 0
        for text, style in row:
            try:
                stdscr.addstr(y, x, text, look.get(style, 0))
            except curses.error:
                pass  # the cell at the lower right end, after which there is no place for the cursor
            x += len(text)
    stdscr.refresh()
