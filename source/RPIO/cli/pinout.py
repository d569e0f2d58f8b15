# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio pinout``: the board's headers with what each pin is and does, as text, SVG or JSON. Changes no line."""

from __future__ import annotations

import argparse
import sys

from .. import errors, facade
from ..backends import opening
from ..machine import boards
from ..machine import pinout as drawing
from . import told, verb
from .keeping import File, check_path
from .told import WHY_NOT, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..machine.boards import Hardware
    from ..machine.pinout import Header, Live

EXAMPLES = """\
  rpio pinout                     this board, with functions, levels and who holds a line
  rpio pinout --find spi          only the pins of a kind or name; also gnd, 17 (a GPIO), pin11, out
  rpio pinout --model 5B          another board
  rpio pinout -o header.svg       as a picture
  rpio pinout --json              for programs
"""


def pinout_parser() -> argparse.ArgumentParser:
    """The parser of ``rpio pinout``."""
    p = verb.parser(
        "pinout",
        "Show the board's headers: what each pin is, and what it does now. Changes no line.",
        EXAMPLES,
        json=True,
    )
    p.add_argument("--model", metavar="NAME", help=f"this board; one of {', '.join(boards.MODELS)}")
    p.add_argument("-o", "--output", metavar="FILE.svg", help="write a picture")
    p.add_argument(
        "--find",
        metavar="WORD",
        help="only the pins that have this number, name or function; or a list of such",
    )
    return p


def pinout(options: argparse.Namespace) -> None:
    """``rpio pinout``"""
    _check(options)
    hardware, is_here = _board(options.model, options.backend)
    headers = drawing.rows(hardware, _live if is_here else None)
    if options.find is not None:
        words = options.find.split(",")
        for header in headers:
            header.rows = [row for row in header.rows if any(map(row.matches, words))]
        headers = [header for header in headers if header.rows]
        rows = [row for header in headers for row in header.rows]
        for word in words:
            if not any(row.matches(word) for row in rows):
                raise errors.GPIOError(f"no pin of {hardware.name} is {word!r}", hint="rpio pinout shows all")
    if options.output is not None:
        if not headers:
            raise errors.GPIOError(f"{hardware.name} has no header to draw", hint="try --model 4B")
        with File(options.output) as file:
            file.text.write(drawing.svg(headers))
    elif options.json:
        _print_json(hardware, headers, is_here)
    else:
        _print_text(hardware, headers, is_here, options.find is not None)


def _check(options: argparse.Namespace) -> None:
    """Raise UsageError for options that exclude each other or mean nothing."""
    if options.output is not None:
        check_path(options.output, (".svg",))
        if options.json or options.find is not None:
            raise UsageError("-o draws whole headers: leave --json and --find out")
    if options.find is not None and not all(word.strip() for word in options.find.split(",")):
        raise UsageError("--find needs a word, such as spi, gnd or 17")


def _board(name: str | None, backend: str | None) -> tuple[Hardware, bool]:
    """Return the board that is wanted, and whether its lines can be read: it is the one in use, and opens."""
    if name is None:
        try:
            _ = facade.board.backend  # opened now, for only then is a simulated board known to be one
        except (errors.GPIOError, OSError) as e:
            here = opening.look(backend)
            if here is None:
                raise
            verb.note(f"without functions and levels: {told.reason(e)}; see: rpio doctor")
            return here, False
        return facade.board.hardware, True
    try:
        wanted = boards.by_name(name)
    except ValueError as e:
        raise UsageError(f"--model {name}: {e}") from None
    here = opening.look(backend)
    if here is None or here.model != wanted.model:
        return wanted, False
    try:
        _ = facade.board.backend
    except (errors.GPIOError, OSError):
        return here, False
    return here, True


def _live(line: int) -> Live:
    """What a line does now; what cannot be read, or not without a risk, is left out."""
    try:
        function = drawing.FUNCTIONS.get(facade.gpio_function(line), "")
    except (errors.NotSupportedError, errors.InvalidChannelException):
        function = ""
    if function == "IN" and not facade.board.lines.may_peek(line):
        function = ""  # or any of the alternate functions
    return function, facade.board.lines.peek(line), facade.board.backend.consumer(line)


def _print_json(hardware: Hardware, headers: list[Header], is_here: bool) -> None:
    import json

    found = {header.name: [row.as_dict() for row in header.rows] for header in headers}
    print(
        json.dumps(
            {"model": hardware.model, "name": hardware.name, "live": is_here, "headers": found}, indent=1
        )
    )


def _print_text(hardware: Hardware, headers: list[Header], is_here: bool, as_list: bool) -> None:
    import shutil

    width, unicode = max(shutil.get_terminal_size().columns, 10), verb.is_utf8(sys.stdout)
    colour = verb.has_colours(sys.stdout)
    if not headers:
        print(f"{hardware.name}: no header is known; rpio -I shows the lines, --model 4B a Raspberry Pi")
    elif as_list:
        for header in headers:
            print(f"{header.title}\n{drawing.listing(header.rows, width, colour, unicode)}", end="")
    else:
        print(drawing.text(headers, width, colour, unicode), end="")
    if is_here and hidden(headers):
        verb.note(WHY_NOT)


def hidden(headers: list[Header]) -> bool:
    """Whether a level is not shown because a look might disturb somebody."""
    lines = [row.line for header in headers for row in header.rows if row.level is None]
    return any(line is not None and not facade.board.lines.may_peek(line) for line in lines)
