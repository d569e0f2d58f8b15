# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio-curses``: look at all lines at once and change them, in a terminal.

What is on the screen is in curses_screen. The loop of RPIO is nested in the one that waits for keys, so that nothing
runs while nothing moves. Only inputs that were set up here are watched: a watch of another line would take it.
"""

from __future__ import annotations

import argparse
import os
import select
import signal
from logging import Handler, LogRecord, getLogger
from time import monotonic

from .. import PWM, errors, facade, model, opening
from . import curses_screen as screen
from . import doctor
from .classic import complain, gpios

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from curses import window
    from types import FrameType
    from typing import TypeVar

    T = TypeVar("T")

MODES = ("dev", "no_rpio", "no_thread")
REFRESH_S = 1.0
"""How often lines are read of which no edge tells."""

REST_S = 0.05
"""How long edges wait after some have been handled: a line that oscillates redraws the screen no more often."""

ESCAPE_MS = 50
"""How long to wait for the rest of a key that begins with Escape."""

NO_KEY, ESCAPE = -1, 27
FAILURES = (errors.GPIOError, OSError, ValueError, RuntimeError)

EPILOG = """\
modes:
  dev, no_rpio   a simulated board: no hardware is touched
  no_thread      look at the lines only when a key is pressed

examples:
  rpio-curses                     the lines of this machine
  rpio-curses dev                 try it without hardware
  rpio-curses --backend sim:3B+   on a simulated Pi 3B+

h in the program shows its keys. NO_COLOR=1 does without colours.
"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of ``rpio-curses``."""
    p = argparse.ArgumentParser(
        prog="rpio-curses",
        usage="rpio-curses [--backend NAME] [dev | no_rpio | no_thread]",
        description="Look at all GPIOs and change them, in a terminal.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    p.add_argument(
        "--backend", metavar="NAME", help="auto, regs, cdev, sysfs, sim, sim:4B...: what drives the lines"
    )
    p.add_argument("modes", nargs="*", metavar="mode", help=", ".join(MODES))
    return p


def run(argv: list[str]) -> int:
    """Run until the user quits; return the exit status."""
    p = parser()
    options = p.parse_args(argv)
    for mode in options.modes:
        if mode not in MODES:
            p.error(f"there is no mode {mode!r}, only {', '.join(MODES)}")
    spec = _spec(options.backend, options.modes)
    if spec is None:
        p.error(f"{options.modes[0]} is a simulated board, and --backend {options.backend} is none")
    if not (os.isatty(0) and os.isatty(1)):
        return complain("rpio-curses needs a terminal", "without one: rpio -I shows all lines", 2)
    try:
        import curses

        curses.setupterm()
    except ImportError as e:
        return complain(f"this Python comes without curses: {e}", "rpio -I shows all lines", 1)
    except curses.error as e:
        text = f"curses cannot use this terminal, TERM={os.environ.get('TERM', '')}: {e}"
        return complain(text, "TERM=xterm rpio-curses may help; rpio -I shows all lines", 1)
    facade.setwarnings(False)
    try:
        if spec:
            facade.use(spec)
            if opening.split(spec)[0] == "sim":
                opening.look(spec)
        app = App(is_live="no_thread" not in options.modes)
    except FAILURES as e:
        return complain(f"rpio-curses: {e}", getattr(e, "hint", ""), 1)
    status = in_terminal(app.run)
    if status != 128 + signal.SIGHUP:  # then there is nobody to read it
        for text in app.last_words():
            print(text)
    return status


def _spec(backend: str | None, modes: list[str]) -> str | None:
    """What to use, "" for what RPIO_BACKEND says; None where a simulation is wanted and another backend named."""
    if not set(modes) & {"dev", "no_rpio"}:
        return backend or ""
    wanted = backend or os.environ.get("RPIO_BACKEND", "")
    if wanted.partition(":")[0] == "sim":
        return wanted
    return None if backend else "sim"


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


def is_utf8() -> bool:
    """Whether the user's locale says UTF-8; Python makes UTF-8 of the C locale for itself, which does not count."""
    import locale

    if locale.nl_langinfo(locale.CODESET).upper().replace("-", "") != "UTF8":
        return False
    names = [os.environ.get(name, "") for name in ("LC_ALL", "LC_CTYPE", "LANG")]
    is_coerced = (
        not names[0] and names[1] in ("C.UTF-8", "C.utf8", "UTF-8") and names[2] in ("", "C", "POSIX")
    )
    return not is_coerced


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


class _Messages(Handler):
    """What RPIO logs goes to the foot of the screen, not across it."""

    def __init__(self, state: screen.State) -> None:
        super().__init__()
        self._state = state

    def emit(self, record: LogRecord) -> None:
        """Show it until the next key."""
        self._state.message = record.getMessage()


# -- the program ----------------------------------------------------------------------------------------------


class App:
    """The state, what keys do to it, and the loop."""

    def __init__(self, is_live: bool = True) -> None:
        hardware = facade.board.hardware
        pins = {line: pin for pin, line in hardware.header.items() if isinstance(line, int)}
        lines = [screen.Line(gpio, pins.get(gpio)) for gpio in gpios()]
        self.state = screen.State(f"rpio-curses  {facade.describe()}", lines, facade.board.backend.features)
        self.is_live = is_live
        if not is_live:
            self.state.refresh = "at each key"
        self._lines = {line.gpio: line for line in lines}
        self._watched: set[int] = set()
        self._pwm: dict[int, PWM] = {}
        self._is_over = False
        self.look()

    # -- what is known of the lines --

    def look(self) -> None:
        """Read everything. A menu closes that another program has made one of a function of the past."""
        state = self.state
        entries = screen.actions(state.line, state.features)
        for line in self._lines.values():
            self.look_at(line)
        if state.menu is not None and entries != screen.actions(state.line, state.features):
            state.menu = None
            state.message = (
                f"GPIO {state.line.gpio} has become {screen.function_of(state.line)} from elsewhere"
            )

    def look_at(self, line: screen.Line) -> None:
        """Read one line. Changes nothing, and leaves lines that others hold to them."""
        board, gpio = facade.board, line.gpio
        line.function = _or(facade.gpio_function, gpio, model.UNKNOWN)
        line.is_ours = board.direction(gpio) is not None
        line.is_live = gpio in self._watched and line.function == model.IN
        line.holder = "" if line.is_ours else _or(board.backend.consumer, gpio, "")
        line.pull = _or(board.backend.pull, gpio, None) if line.function == model.IN else None
        line.level = None if line.duty is not None else _or(facade.forceinput, gpio, None)

    def _watch(self, gpio: int) -> None:
        """Have edges tell of an input that was set up here."""
        if not self.is_live or gpio in self._watched or facade.board.direction(gpio) != model.IN:
            return
        try:
            facade.add_interrupt_callback(gpio, self._edge, "both", pull_up_down=None)
        except FAILURES:
            return  # no edges here: it is read with the others
        self._watched.add(gpio)

    def _edge(self, gpio: int, value: int) -> None:
        self._lines[gpio].level = value

    # -- what the menu does --

    def act(self, action: str) -> None:
        """Carry out an entry of the menu on the chosen line; errors are for the foot of the screen."""
        line = self.state.line
        if action not in (screen.MORE, screen.LESS):
            self.state.menu = None
        try:
            if action in DUTY_STEPS:
                self.change_duty(DUTY_STEPS[action])
            elif action == screen.PWM:
                self._start_pwm(line)
            elif action != screen.BACK:
                self._end_pwm(line)
                ACTIONS[action](line.gpio)
                self._watch(line.gpio)
        except FAILURES as e:
            self.state.message = str(e)
        self.look_at(line)

    def change_duty(self, by: int) -> None:
        """Lengthen or shorten the pulses of the chosen line, if it has some."""
        line = self.state.line
        if line.duty is not None:
            line.duty = max(0, min(100, line.duty + by))
            self._pwm[line.gpio].ChangeDutyCycle(line.duty)

    def _start_pwm(self, line: screen.Line) -> None:
        if facade.board.direction(line.gpio) != model.OUT:
            facade.setup(line.gpio, model.OUT)
        pwm = self._pwm[line.gpio] = PWM(line.gpio, screen.PWM_HZ)
        pwm.start(screen.DUTY_FIRST)
        line.duty = screen.DUTY_FIRST

    def _end_pwm(self, line: screen.Line) -> None:
        pwm, line.duty = self._pwm.pop(line.gpio, None), None
        if pwm is not None:
            pwm.stop()

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
            self.look_at(state.line)
            state.menu = 0
        elif name == "enter":
            self.act(screen.actions(state.line, state.features)[state.menu or 0])
        elif name in ("+", "=", "-"):
            self.act(screen.LESS if name == "-" else screen.MORE)
        elif name in ("page up", "page down", "home", "end") and state.menu is None:
            far = state.page if name.startswith("page") else len(state.lines)
            screen.move(state, far if name in ("page down", "end") else -far)
        if name == "r" or not self.is_live:
            self.look()

    # -- the loop --

    def run(self, stdscr: window, signals: int) -> None:
        """Show, wait, do what came, until the user quits."""
        logger, messages = getLogger("RPIO"), _Messages(self.state)
        logger.addHandler(messages)
        dispatcher = facade.board.dispatcher
        is_nested = self.is_live and dispatcher.nest()
        try:
            self._loop(stdscr, signals, dispatcher.fileno() if is_nested else None)
        finally:
            if is_nested:
                dispatcher.release()
            logger.removeHandler(messages)

    def _loop(self, stdscr: window, signals: int, edges: int | None) -> None:
        import curses

        try:
            curses.curs_set(0)
        except curses.error:
            pass  # this terminal cannot hide it
        look, utf8 = styles(), is_utf8()
        shown: list[screen.Row] | None = None
        next_look_s, rested_s = monotonic() + REFRESH_S, 0.0
        while not self._is_over:
            height, width = stdscr.getmaxyx()
            rows = screen.rows(self.state, width, height, utf8)
            if rows != shown:
                draw(stdscr, rows, look)
                shown = rows
            now_s = monotonic()
            ends = [next_look_s] if self.is_live else []
            poll = select.poll()
            poll.register(0, select.POLLIN)
            poll.register(signals, select.POLLIN)
            if edges is not None and now_s >= rested_s:
                poll.register(edges, select.POLLIN)
            elif edges is not None:
                ends.append(rested_s)
            ready = dict(poll.poll(max(0.0, min(ends) - now_s) * 1000 + 1 if ends else None))
            if edges in ready:
                facade.board.dispatcher.step(0)
                rested_s = monotonic() + REST_S
            if signals in ready:
                os.read(signals, 1024)
                curses.resizeterm(*reversed(os.get_terminal_size(1)))
                stdscr.clear()
                shown = None
            if 0 in ready and self._read_keys(stdscr) == 0 and ready[0] & (select.POLLHUP | select.POLLERR):
                return  # the terminal has gone
            if self.is_live and monotonic() >= next_look_s:
                self.look()
                next_look_s = monotonic() + REFRESH_S

    def _read_keys(self, stdscr: window) -> int:
        """Handle all keys that wait; how many there were."""
        count = 0
        while not self._is_over and (key := stdscr.getch()) != NO_KEY:
            self.key(key)
            count += 1
        return count

    def last_words(self) -> list[str]:
        """What becomes of the lines that were set here, now that the program ends."""
        found = []
        mine = [line for line in self._lines.values() if facade.board.direction(line.gpio) is not None]
        with_pwm = ", ".join(str(line.gpio) for line in mine if line.duty is not None)
        outputs = ", ".join(
            str(line.gpio) for line in mine if line.function == model.OUT and line.duty is None
        )
        if with_pwm:
            found.append(f"GPIO {with_pwm}: the PWM ends with rpio-curses")
        if outputs:
            name = facade.board.backend.name
            found.append(f"GPIO {outputs}, set to output: such lines {_fate(name)}")
        return found


def _fate(name: str) -> str:
    """What the backend of that name does with outputs that are left as they are."""
    if name == "cdev":
        return f"are the program's only while it runs; {doctor.when_killed(name, doctor._persists())}"
    return doctor.when_killed(name, None).partition(";")[0]


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


def _or(ask: Callable[[int], T], gpio: int, otherwise: T) -> T:
    """What the board says of a line, or *otherwise* where it cannot be told."""
    try:
        return ask(gpio)
    except FAILURES:
        return otherwise


DUTY_STEPS = {screen.MORE: screen.DUTY_STEP, screen.LESS: -screen.DUTY_STEP}

ACTIONS: dict[str, Callable[[int], object]] = {
    screen.OUTPUT: lambda gpio: facade.setup(gpio, model.OUT),
    screen.INPUT: lambda gpio: facade.setup(gpio, model.IN),
    screen.UP: lambda gpio: facade.setup(gpio, model.IN, model.PUD_UP),
    screen.DOWN: lambda gpio: facade.setup(gpio, model.IN, model.PUD_DOWN),
    screen.OFF: lambda gpio: facade.setup(gpio, model.IN, model.PUD_OFF),
    screen.HIGH: lambda gpio: facade.forceoutput(gpio, 1),
    screen.LOW: lambda gpio: facade.forceoutput(gpio, 0),
    screen.NO_PWM: lambda gpio: None,
}
"""Action -> what it does to a line, whose PWM has been ended."""
