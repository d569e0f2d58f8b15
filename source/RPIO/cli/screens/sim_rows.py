# SPDX-License-Identifier: LGPL-3.0-or-later
"""What ``rpio sim`` shows: from the state of its board to rows of text, without a terminal."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from textwrap import wrap

from ... import constants
from .curses_screen import (
    ASCII_BORDERS,
    SMALLEST,
    UTF8_BORDERS,
    ascii_of,
    fit,
    title,
    too_small,
    window,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .curses_screen import Row

KEYS = (
    "Space: press  u/d/l: high/low/let go  17: go to GPIO 17  h: help  q: quit",
    "Space: press  u/d/l: drive  h: help  q: quit",
    "Space: press  h: help  q: quit",
    "h: help  q: quit",
)
HELP_KEYS = ("any key: back",)
HELP = (
    "Fingers and wires outside of the board:",
    "",
    "Space        press: the other level for 0.2 s",
    "u            drive the line high (up)",
    "d            drive it low (down)",
    "l            let go of it",
    "L            let go of all lines",
    "",
    "Up, Down, PgUp, PgDn, Home, End   choose a line",
    "0 to 9       type the number of a GPIO",
    "h            this help",
    "q, Ctrl+C    end the board; programs on it are told",
    "",
    "Programs find it with RPIO_BACKEND=sim, rpio tui --backend sim looks at it from another terminal.",
)
LOG_ROWS, LOG_FROM = 5, 16
"""How many rows of the log there are, from which height on."""
COLUMNS = (
    ("GPIO", 5, 0),
    ("Pin", 4, 30),
    ("Function", 9, 40),
    ("Level", 6, 0),
    ("Pull", 5, 48),
    ("Outside", 8, 24),
    ("Held by", 0, 56),
)
"""Name, width, and from which width of the terminal on there is room for it; the last one has what is left."""
LEVELS = {0: ("Low", "low"), 1: ("High", "high")}
DRIVEN = {None: "-", 0: "low", 1: "high"}


@dataclass
class Shown:
    """What is known of one line."""

    gpio: int
    pin: int | None = None
    function: int = constants.IN
    level: int = 0
    pull: int | None = None
    driven: int | None = None
    is_pressed: bool = False
    holder: str = ""


class LogRow:
    """A row of the log, to which something may be added."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


@dataclass
class State:
    """Everything that the screen depends on but its size."""

    title: str
    lines: list[Shown]
    selected: int = 0
    typed: str = ""  # digits of a GPIO's number
    is_help: bool = False
    message: str = ""
    programs: int = 0
    log: deque[LogRow] = field(default_factory=lambda: deque(maxlen=LOG_ROWS))
    page: int = 1  # rows of the list as last drawn

    @property
    def line(self) -> Shown:
        """The line that is chosen."""
        return self.lines[self.selected]


def rows(state: State, width: int, height: int, utf8: bool = True) -> list[Row]:
    """The whole screen."""
    if width < SMALLEST[0] or height < SMALLEST[1]:
        return too_small(width, height)
    borders = UTF8_BORDERS if utf8 else ASCII_BORDERS
    log = LOG_ROWS if height >= LOG_FROM else 0
    state.page = room = height - 5 - (log + 1 if log else 0)
    count = f"{state.programs} program{'' if state.programs == 1 else 's'} "
    head = title(state.title, width - len(count) - 2)
    found: list[Row] = [
        fit([(f" {head}".ljust(width - len(count)), "title"), (count, "title")], width, "title")
    ]
    if state.is_help:
        body = _help(width - 2, height - 4)
        found.append(_border("Help", width, borders[0] + borders[2], borders[7]))
    else:
        body = _list(state, width - 2, room)
        found.append(_border("Lines", width, borders[0] + borders[2], borders[7]))
    shown = window(len(state.lines), state.selected, room)
    foot = f"{shown[0] + 1}-{shown[-1] + 1} of {len(state.lines)}" if len(shown) < len(state.lines) else ""
    body += [[] for _ in range((height - 4 if state.is_help else room + 1) - len(body))]
    found += [_framed(row, width, borders[3]) for row in body]
    if log and not state.is_help:
        found.append(_border(foot, width, "├┤" if utf8 else "++", borders[7], "Who came and went"))
        told = [*[row.text for row in list(state.log)], *[""] * LOG_ROWS][:LOG_ROWS]
        found += [_framed([(f" {text}", "plain")], width, borders[3]) for text in told]
        foot = ""
    found += [_border("" if state.is_help else foot, width, borders[4] + borders[6], borders[7])]
    found += [_foot(state, width)]
    return found if utf8 else [[(ascii_of(text), style) for text, style in row] for row in found]


def _border(text: str, width: int, corners: str, dash: str, second: str = "") -> Row:
    """A border with a word or two in it."""
    row: Row = [(corners[0] + dash, "frame")]
    left = width - 3
    for word in (text, second):
        if word:
            shown = f" {word} "[:left]
            row += [(shown, "heading"), (dash[: left - len(shown)], "frame")]
            left -= len(shown) + len(dash[: left - len(shown)])
    return [*row, (dash * left + corners[1], "frame")]


def _framed(row: Row, width: int, side: str) -> Row:
    return [(side, "frame"), *fit(row, width - 2), (side, "frame")]


def _list(state: State, width: int, room: int) -> list[Row]:
    columns = [(name, own) for name, own, needs in COLUMNS if width >= needs]
    heading = "".join(f"{name:>{own}}  " if own < 6 and name != "Pull" else f"{name:<{own}}  " for name, own in columns)
    found: list[Row] = [[(f" {heading}", "heading")]]
    for at in window(len(state.lines), state.selected, room):
        line, is_chosen = state.lines[at], at == state.selected
        row: Row = [(">" if is_chosen else " ", "plain")]
        for name, own in columns:
            text, style = _cell(name, line)
            padded = f"{text:>{own}}" if name in ("GPIO", "Pin") else f"{text:<{own}}"
            row += [(padded, style), ("  ", "plain")]
        found.append(fit([("".join(text for text, _ in row), "chosen")], width, "chosen") if is_chosen else row)
    return found


def _cell(name: str, line: Shown) -> tuple[str, str]:
    if name == "Level":
        return LEVELS[line.level]
    if name == "Outside":
        return ("pressed" if line.is_pressed else DRIVEN[line.driven]), "message" if line.driven is not None else "plain"
    is_input = line.function == constants.IN
    return {
        "GPIO": str(line.gpio),
        "Pin": "-" if line.pin is None else str(line.pin),
        "Function": constants.FUNCTION_NAMES.get(line.function, "-"),
        "Pull": constants.PULL_NAMES.get(-1 if line.pull is None else line.pull, "-") if is_input else "",
        "Held by": line.holder,
    }[name], "plain"


def _help(width: int, room: int) -> list[Row]:
    lines = [piece for text in HELP for piece in wrap(text, width - 2, subsequent_indent="  ") or [""]]
    return [[(f" {text}", "plain")] for text in lines[:room]]


def _foot(state: State, width: int) -> Row:
    if state.typed:
        return fit([(f" GPIO {state.typed}", "message")], width)
    if state.message and not state.is_help:
        return fit([(f" {state.message}", "message")], width)
    keys = HELP_KEYS if state.is_help else KEYS
    return fit([(" " + next((text for text in keys if len(text) < width), keys[-1]), "plain")], width)
