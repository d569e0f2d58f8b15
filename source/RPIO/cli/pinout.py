# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio pinout``: the board's headers with what each pin is and does, as text, SVG or JSON. Changes no line."""

from __future__ import annotations

import argparse
import os
import sys

from .. import boards, errors, facade, opening, pinout
from .classic import complain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..boards import Hardware
    from ..pinout import Header, Live

EXAMPLES = """\
examples:
  rpio pinout                     this board, with functions, levels and who holds a line
  rpio pinout --find spi          only the pins of a kind or name; also gnd, 17 (a GPIO), pin11, out
  rpio pinout --model 5B          another board
  rpio pinout -o header.svg       as a picture
  rpio pinout --json              for programs
"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of ``rpio pinout``."""
    p = argparse.ArgumentParser(
        prog="rpio pinout",
        description="Show the board's headers: what each pin is, and what it does now. Changes no line.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    p.add_argument("--model", metavar="NAME", help=f"this board; one of {', '.join(boards.MODELS)}")
    p.add_argument(
        "--backend", metavar="NAME", help="auto, regs, cdev, sysfs, sim, sim:4B...: what reads the lines"
    )
    p.add_argument("-o", "--output", metavar="FILE.svg", help="write a picture")
    p.add_argument("--json", action="store_true", help="print all that is known, as JSON")
    p.add_argument("--find", metavar="WORD", help="only the pins that have this number, name or function")
    return p


def run(argv: list[str]) -> int:
    """Show the headers; 1 where the board cannot be read or nothing is found, 2 for what cannot be meant."""
    options = parser().parse_args(argv)
    usage = _wrong_usage(options)
    if usage:
        return complain(f"rpio pinout: {usage}", "", 2)
    try:
        if options.backend is not None:
            facade.use(options.backend)
        hardware, is_here = _board(options.model, options.backend)
        headers = pinout.rows(hardware, _live if is_here else None)
    except (errors.NoBackendError, ValueError) as e:  # ValueError: a model that is none
        return _failed(e, 2 if options.backend is not None or isinstance(e, ValueError) else 1)
    except (errors.GPIOError, OSError) as e:
        return _failed(e, 1)
    if options.find is not None:
        for header in headers:
            header.rows = [row for row in header.rows if row.matches(options.find)]
        headers = [header for header in headers if header.rows]
        if not headers:
            return complain(
                f"rpio pinout: no pin of {hardware.name} is {options.find!r}; rpio pinout shows all", "", 1
            )
    if options.output is not None:
        return _write(options.output, headers, hardware)
    if options.json:
        _print_json(hardware, headers, is_here)
    else:
        _print_text(hardware, headers, options.find is not None)
    return 0


def _wrong_usage(options: argparse.Namespace) -> str:
    if options.output is not None and not options.output.lower().endswith(".svg"):
        return f"-o writes SVG only: name the file header.svg, say, not {options.output!r}"
    if options.output is not None and (options.json or options.find is not None):
        return "-o draws whole headers: leave --json and --find out"
    if options.find is not None and not options.find.strip():
        return "--find needs a word, such as spi, gnd or 17"
    return ""


def _failed(error: Exception, status: int) -> int:
    """Say in one line what is wrong and what to do."""
    said, hint = str(error), getattr(error, "hint", "")
    return complain(f"rpio pinout: {said}" + (f"; {hint}" if hint and hint not in said else ""), "", status)


def _board(name: str | None, backend: str | None) -> tuple[Hardware, bool]:
    """Return the board that is wanted, and whether its lines can be read: it is the one in use, and opens."""
    if name is None:
        _ = facade.board.backend  # opened now, for only then is a simulated board known to be one
        return facade.board.hardware, True
    wanted = boards.by_name(name)
    here = opening.look(backend)
    if here is None or here.model != wanted.model:
        return wanted, False
    try:
        _ = facade.board.backend
    except (errors.GPIOError, OSError):
        return here, False
    return here, True


def _live(line: int) -> Live:
    """What a line does now; what cannot be read, or not without a risk, is left out.

    Where the kernel is asked (cdev, sysfs) a level is read by taking the line for a moment. A line that a driver
    has as SCL or TXD, say, may lose that function when it is given back, and the kernel does not tell the function:
    so lines that are well known for another use than GPIO are not taken.
    """
    backend = facade.board.backend
    function: str
    level: int | None = None
    try:
        function = pinout.FUNCTIONS.get(facade.gpio_function(line), "")
    except (errors.NotSupportedError, errors.InvalidChannelException):
        function = ""
    if "functions" in backend.features or not pinout.is_well_known(line):
        try:
            level = facade.forceinput(line)
        except (errors.NotSupportedError, errors.LineBusyError, errors.InvalidChannelException):
            pass
    elif function == "IN":
        function = ""  # or any of the alternate functions
    return function, level, backend.consumer(line)


def _write(path: str, headers: list[Header], hardware: Hardware) -> int:
    if not headers:
        return complain(f"rpio pinout: {hardware.name} has no header to draw; try --model 4B", "", 1)
    try:
        with open(path, "w", encoding="utf-8", newline="\n") as file:
            file.write(pinout.svg(headers))
    except OSError as e:
        return complain(f"rpio pinout: {path} cannot be written: {e.strerror}", "", 1)
    return 0


def _print_json(hardware: Hardware, headers: list[Header], is_here: bool) -> None:
    import json

    found = {header.name: [row.as_dict() for row in header.rows] for header in headers}
    print(
        json.dumps(
            {"model": hardware.model, "name": hardware.name, "live": is_here, "headers": found}, indent=1
        )
    )


def _print_text(hardware: Hardware, headers: list[Header], as_list: bool) -> None:
    import shutil

    width, unicode = max(shutil.get_terminal_size().columns, 10), _has_unicode()
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    if not headers:
        print(f"{hardware.name}: no header is known; rpio -I shows the lines, --model 4B a Raspberry Pi")
    elif as_list:
        for header in headers:
            print(f"{header.title}\n{pinout.listing(header.rows, width, colour, unicode)}", end="")
    else:
        print(pinout.text(headers, width, colour, unicode), end="")


def _has_unicode() -> bool:
    """Only UTF-8: other encodings have the marks, but not what a line's holder may be called."""
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
