# SPDX-License-Identifier: LGPL-3.0-or-later
"""What ``rpio-curses`` shows: from the state of the lines to rows of text, without a terminal.

A row is a list of spans, (text, style), which together are exactly as wide as the terminal. A style is a name; what
it looks like is for curses_app to say, and a terminal without colours loses nothing but colours.
"""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import wrap

from .lines import KEY_HELP, LABELS, LIVE_HELP, Line, actions, facts_of, function_of, level_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    Span = tuple[str, str]
    Row = list[Span]

SMALLEST = (24, 6)
"""Columns and rows below which there is only a word about it."""

TWO_PANES_WIDTH, HELP_BESIDE_WIDTH = 60, 72
"""Columns from which on menu and help are beside the list; in a narrower terminal they take the place of the list."""

LIST_WIDTH = 29
FRAME_ROWS = 5
"""What is not a GPIO: title, upper border, names of the columns, lower border, foot."""

UTF8_BORDERS = "┌┬┐│└┴┘─"
ASCII_BORDERS = "+++|+++-"

PIN_WIDTH = 27
"""Columns that the list needs to show pins too."""

KEYS = (
    "Up/Down: move  Enter: actions  h: help  q: quit",
    "Enter: actions  h: help",
    "h: help  q: quit",
)
PWM_KEYS = ("Enter: actions  +/-: duty  h: help  q: quit", "+/-: duty  h: help")
MENU_KEYS = ("Up/Down: move  Enter: do it  Left: back", "Enter: do  Left: back")
HELP_KEYS = ("Up/Down: scroll  any other key: back", "h: back")
"""What the foot says, the first of each that fits."""

HELP = (*KEY_HELP, "", *LIVE_HELP)


@dataclass
class State:
    """Everything that the screen depends on but its size."""

    title: str
    lines: list[Line]
    features: frozenset[str] = frozenset({"pulls", "pwm"})
    selected: int = 0
    menu: int | None = None  # the chosen entry of the open menu
    help: int | None = None  # the first row of the open help
    message: str = ""
    refresh: str = "once a second"  # of lines that are not live
    page: int = 1  # rows of the list as last drawn, for PgUp and PgDn

    @property
    def line(self) -> Line:
        """The line that is chosen."""
        return self.lines[self.selected]


# -- moving ---------------------------------------------------------------------------------------------------


def move(state: State, by: int) -> None:
    """Go up or down in what is open: the menu goes round, the list ends, and so does the help when it is drawn."""
    if state.help is not None:
        state.help += by
    elif state.menu is not None:
        state.menu = (state.menu + by) % len(actions(state.line, state.features))
    else:
        state.selected = max(0, min(len(state.lines) - 1, state.selected + by))


def window(count: int, chosen: int, room: int) -> range:
    """Which of so many entries are shown, the chosen one in the middle where that is possible."""
    first = max(0, min(chosen - room // 2, count - room))
    return range(first, min(count, first + room))


# -- drawing --------------------------------------------------------------------------------------------------


def rows(state: State, width: int, height: int, utf8: bool = True) -> list[Row]:
    """The whole screen."""
    if width < SMALLEST[0] or height < SMALLEST[1]:
        return too_small(width, height)
    state.page = room = height - FRAME_ROWS
    borders = UTF8_BORDERS if utf8 else ASCII_BORDERS
    panes = _panes(state, width, room)
    found = [
        fit([(f" {title(state.title, width - 1)}", "title")], width, "title"),
        _edge(panes, borders[:3], borders[7]),
    ]
    for at in range(room + 1):
        row: Row = [(borders[3], "frame")]
        for pane_width, _, _, body in panes:
            row += [*fit(body[at] if at < len(body) else [], pane_width), (borders[3], "frame")]
        found.append(row)
    found += [_edge(panes, borders[4:7], borders[7], foot=True), _foot(state, width)]
    return found if utf8 else [[(ascii_of(text), style) for text, style in row] for row in found]


def too_small(width: int, height: int) -> list[Row]:
    """A word to those who see next to nothing."""
    words: tuple[str, ...] = (
        "too small:",
        f"{width}x{height}",
        "needs",
        f"{SMALLEST[0]}x{SMALLEST[1]}",
        "q: quit",
    )
    if height < len(words):
        words = ("too small",)
    return [fit([(word, "plain")], width) for word in words[:height]]


def ascii_of(text: str) -> str:
    """The text with a question mark for what a terminal without UTF-8 cannot show."""
    return text.encode("ascii", "replace").decode()


def fit(spans: Sequence[Span], width: int, style: str = "plain") -> Row:
    """Cut or pad to a width."""
    found: Row = []
    for text, its_style in spans:
        found.append((text[:width], its_style))
        width -= len(text[:width])
    return [*found, (" " * width, style)] if width else found


def title(text: str, width: int) -> str:
    """The title "PROGRAM  BOARD": where there is no room for both the board alone, and what is cut has a mark."""
    board = text.partition("  ")[2]
    if len(text) <= width or not board:
        return text[:width]
    return board if len(board) <= width else board[: max(width - 3, 0)] + "..."


def _panes(state: State, width: int, room: int) -> list[tuple[int, str, str, list[Row]]]:
    """(width, title, foot, rows) of each pane; a row more than room, for the list has a heading."""
    shown = window(len(state.lines), state.selected, room)
    foot = f"{shown[0] + 1}-{shown[-1] + 1} of {len(state.lines)}" if len(shown) < len(state.lines) else ""
    if width >= (TWO_PANES_WIDTH if state.help is None else HELP_BESIDE_WIDTH):
        right = width - LIST_WIDTH - 3
        listed = (LIST_WIDTH, "GPIOs", foot, _list(state, shown, LIST_WIDTH))
        return [listed, (right, *_side(state, right, room + 1))]
    if state.menu is not None or state.help is not None:
        return [(width - 2, *_side(state, width - 2, room + 1))]
    return [(width - 2, "GPIOs", foot, _list(state, shown, width - 2))]


def _edge(panes: list[tuple[int, str, str, list[Row]]], corners: str, dash: str, foot: bool = False) -> Row:
    """A border with the titles of the panes, or what stands at their feet."""
    row: Row = [(corners[0], "frame")]
    for at, (width, title, below, _) in enumerate(panes):
        text = below if foot else title
        text = f" {text} "[: width - 1] if text else ""
        row += [(dash, "frame"), (text, "heading"), (dash * (width - 1 - len(text)), "frame")]
        row.append((corners[2] if at == len(panes) - 1 else corners[1], "frame"))
    return row


def _list(state: State, shown: range, width: int) -> list[Row]:
    has_pins = width >= PIN_WIDTH
    found: list[Row] = [
        [(" GPIO  Pin  Function  Level" if has_pins else " GPIO  Function  Level", "heading")]
    ]
    for at in shown:
        line, chosen = state.lines[at], at == state.selected
        level, style = level_of(line)
        pin = f"  {'-' if line.pin is None else line.pin:>3}" if has_pins else ""
        left = f"{'>' if chosen else ' '}{line.gpio:>4}{pin}  {function_of(line):<8}  "
        row = [(left, "plain"), (level, style)]
        found.append(fit([("".join(t for t, _ in row), "chosen")], width, "chosen") if chosen else row)
    return found


def _side(state: State, width: int, room: int) -> tuple[str, str, list[Row]]:
    """The other pane: help, or menu and facts of the chosen line."""
    if state.help is not None:
        lines = [piece for text in HELP for piece in wrap(text, width - 2, subsequent_indent="  ") or [""]]
        first = state.help = max(0, min(state.help, len(lines) - room))
        foot = f"{first + 1}-{first + room} of {len(lines)}" if len(lines) > room else ""
        return "Help", foot, [[(f" {text}", "plain")] for text in lines[first : first + room]]
    facts: list[Row] = [
        [(f" {name:<9} {text}", "plain")] for name, text in facts_of(state.line, state.refresh)
    ]
    title = f"GPIO {state.line.gpio}"
    if state.menu is None:
        return title, "", facts
    entries = actions(state.line, state.features)
    menu: list[Row] = []
    for at in window(len(entries), state.menu, room):
        mark, style = (">", "chosen") if at == state.menu else (" ", "plain")
        menu.append(fit([(f" {mark} {LABELS[entries[at]]}", style)], width, style))
    return f"{title} {function_of(state.line)}", "", [*menu, [], *facts][: max(room, len(menu))]


def _foot(state: State, width: int) -> Row:
    if state.message:
        return fit([(f" {state.message}", "message")], width)
    line = state.line
    keys: tuple[str, ...] = KEYS if line.duty is None else PWM_KEYS
    keys = HELP_KEYS if state.help is not None else MENU_KEYS if state.menu is not None else keys
    return fit([(" " + next((text for text in keys if len(text) < width), keys[-1]), "plain")], width)
