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
    "Arrows, PgUp, PgDn, Home, End   choose a line",
    "0 to 9       type the number of a GPIO",
    "h            this help",
    "q, Ctrl+C    end the board; programs on it are told",
    "",
    "Programs find it with RPIO_BACKEND=sim, rpio tui --backend sim looks at it from another terminal.",
)
LOG_ROWS, LOG_FROM, FACTS_FROM = 4, 16, 9
"""How many rows of the log there are, and from which height on there are the log, and the facts of the chosen line."""
TWO_COLUMNS_WIDTH = 76
COLUMNS = (
    ("GPIO", 4, 0),
    ("Pin", 3, 46),
    ("Is", 4, 30),
    ("Level", 5, 0),
    ("Pull", 4, 36),
    ("Outside", 7, 24),
    ("Held by", 0, 34),
)
"""Name, width, and from which width on there is room for it; the last one has what is left."""
LEVELS = {0: ("Low", "low"), 1: ("High", "high")}
SHORT = {constants.IN: "in", constants.OUT: "out"}
DRIVEN = {0: "low", 1: "high"}


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
    is_left: bool = False  # by who has gone
    part: str = ""  # of the circuit, there


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
    beside: int = 0  # how many lines further the second column begins; 0 where there is none

    @property
    def line(self) -> Shown:
        """The line that is chosen."""
        return self.lines[self.selected]


def rows(state: State, width: int, height: int, utf8: bool = True) -> list[Row]:
    """The whole screen."""
    if width < SMALLEST[0] or height < SMALLEST[1]:
        return too_small(width, height)
    borders = UTF8_BORDERS if utf8 else ASCII_BORDERS
    count = f"{state.programs} program{'' if state.programs == 1 else 's'} "
    head = title(state.title, width - len(count) - 2)
    found = [fit([(f" {head}".ljust(width - len(count)), "title"), (count, "title")], width, "title")]
    if state.is_help:
        found.append(_border(["Help"], width, borders[0] + borders[2], borders[7]))
        body = [*_help(width - 2, height - 4), *[[] for _ in range(height)]][: height - 4]
        found += [_framed(row, width, borders[3]) for row in body]
    else:
        found += _board(state, width, height, borders, "├┤" if utf8 else "++")
    found += [_border([], width, borders[4] + borders[6], borders[7]), _foot(state, width)]
    return found if utf8 else [[(ascii_of(text), style) for text, style in row] for row in found]


def _board(state: State, width: int, height: int, borders: str, tees: str) -> list[Row]:
    """The lines, what is known of the chosen one, and the log where there is room for it."""
    log = LOG_ROWS if height >= LOG_FROM else 0
    facts = 1 if height >= FACTS_FROM else 0
    state.page = room = height - 5 - facts - (log + 1 if log else 0)
    body = _list(state, width - 2, room)
    shown = window(len(state.lines), state.selected, room)
    is_part = not state.beside and len(shown) < len(state.lines)
    part = f" {shown[0] + 1}-{shown[-1] + 1} of {len(state.lines)}" if is_part else ""
    found = [_border([f"Lines{part}"], width, borders[0] + borders[2], borders[7])]
    body += [[] for _ in range(room + 1 - len(body))]
    if facts:
        body.append([(f" {_facts(state.line)}", "message")])
    found += [_framed(row, width, borders[3]) for row in body]
    if log:
        found.append(_border(["Who came and went"], width, tees, borders[7]))
        told = [*[row.text for row in list(state.log)], *[""] * LOG_ROWS][:LOG_ROWS]
        found += [_framed([(f" {text}", "plain")], width, borders[3]) for text in told]
    return found


def _border(words: list[str], width: int, corners: str, dash: str) -> Row:
    """A border with a word in it."""
    text = "".join(f" {word} " for word in words)[: width - 3]
    return [
        (corners[0] + dash, "frame"),
        (text, "heading"),
        (dash * (width - 3 - len(text)) + corners[1], "frame"),
    ]


def _framed(row: Row, width: int, side: str) -> Row:
    return [(side, "frame"), *fit(row, width - 2), (side, "frame")]


def _columns(width: int) -> list[tuple[str, int]]:
    """The columns that there is room for, and how wide each is."""
    found = [(name, own) for name, own, needs in COLUMNS if width >= needs]
    left = width - sum(own + 1 for _, own in found)
    return [(name, own or max(0, left)) for name, own in found]


def _list(state: State, width: int, room: int) -> list[Row]:
    """The lines in one column, or, where that is too long, in two."""
    beside = 2 if len(state.lines) > room and width >= TWO_COLUMNS_WIDTH else 1
    own_width = (width - (beside - 1)) // beside
    columns = _columns(own_width)
    state.beside = -(-len(state.lines) // beside) if beside > 1 else 0
    heading = " " + " ".join(_padded(name, name, own) for name, own in columns)
    found: list[Row] = [[(" ".join([heading[:own_width].ljust(own_width)] * beside), "heading")]]
    if beside == 1:
        return found + [
            _line(state, at, columns, width) for at in window(len(state.lines), state.selected, room)
        ]
    for at in window(state.beside, state.selected % state.beside, room):
        left = _line(state, at, columns, own_width)
        second = at + state.beside
        right = _line(state, second, columns, own_width) if second < len(state.lines) else []
        found.append([*left, (" ", "frame"), *right])
    return found


def _line(state: State, at: int, columns: list[tuple[str, int]], width: int) -> Row:
    line, is_chosen = state.lines[at], at == state.selected
    row: Row = [(">" if is_chosen else " ", "plain")]
    for name, own in columns:
        text, style = _cell(name, line)
        row += [(_padded(name, text, own)[:own], style), (" ", "plain")]
    return (
        fit([("".join(text for text, _ in row), "chosen")], width, "chosen") if is_chosen else fit(row, width)
    )


def _padded(name: str, text: str, width: int) -> str:
    return f"{text:>{width}}" if name in ("GPIO", "Pin") else f"{text:<{width}}"


def _cell(name: str, line: Shown) -> tuple[str, str]:
    if name == "Level":
        return LEVELS[line.level]
    if name == "Outside":
        return _outside(line), "plain" if line.driven is None else "message"
    is_input = line.function == constants.IN
    return {
        "GPIO": str(line.gpio),
        "Pin": "-" if line.pin is None else str(line.pin),
        "Is": SHORT.get(line.function, constants.FUNCTION_NAMES.get(line.function, "-")),
        "Pull": _pull(line) if is_input else "",
        "Held by": "(left)" if line.is_left else line.holder,
    }[name], "plain"


def _pull(line: Shown) -> str:
    return constants.PULL_NAMES.get(-1 if line.pull is None else line.pull, "-")


def _outside(line: Shown) -> str:
    return "" if line.driven is None else "pressed" if line.is_pressed else DRIVEN[line.driven]


def _facts(line: Shown) -> str:
    """All that is known of a line, where the table has no room for it."""
    pin = "" if line.pin is None else f", pin {line.pin}"
    pull = f", pull {_pull(line)}" if line.function == constants.IN else ""
    driven = "" if line.driven is None else f"; from outside {_outside(line)}"
    part = f"; at it {line.part}" if line.part else ""
    holder = f"; held by {line.holder}" if line.holder else "; left by who has gone" if line.is_left else ""
    function = constants.FUNCTION_NAMES.get(line.function, "-")
    return f"GPIO {line.gpio}{pin}: {function}{pull}, {LEVELS[line.level][0].lower()}{driven}{part}{holder}"


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
