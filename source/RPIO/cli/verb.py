# SPDX-License-Identifier: LGPL-3.0-or-later
"""What all verbs share: their parsers, their errors, how long they last, how they print."""

from __future__ import annotations

import argparse
import sys

from .. import errors, facade, opening
from . import help, pins
from .classic import UsageError, complain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

UNITS_S = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
PINS_HELP = "17, GPIO17, BOARD11 or J8:11; a list (4,17) or a range (2-8)"


def parser(name: str, description: str, examples: str = "", json: bool = False) -> argparse.ArgumentParser:
    """Return the parser of a verb, with the options that all have."""
    p = argparse.ArgumentParser(
        prog=f"rpio {name}",
        description=description,
        epilog=f"examples:\n{examples}" if examples else None,
        formatter_class=help.Formatter,
        allow_abbrev=False,
    )
    p.add_argument(
        "--backend", metavar="NAME", help="what drives the lines: auto, regs, cdev, sysfs, sim, sim:4B..."
    )
    p.add_argument("-v", "--verbose", action="store_true", help="show tracebacks, and log what is done")
    if json:
        p.add_argument("--json", action="store_true", help="print JSON, for programs")
    return p


def carry_out(
    p: argparse.ArgumentParser, argv: list[str], do: Callable[[argparse.Namespace], int | None]
) -> int:
    """Parse, do, and return the exit status: 0, 1 after an error that has been told, 2 for what was typed wrong."""
    options = p.parse_args(argv)
    if options.verbose:
        import logging

        logging.basicConfig(format="%(levelname)s | %(asctime)-15s | %(message)s", level=logging.DEBUG)
    try:
        use(options.backend)
        facade.setwarnings(False)
        return do(options) or 0
    except (UsageError, pins.PinError) as e:
        return complain(f"{p.prog}: {e}", f"see: {p.prog} --help", 2)
    except (errors.GPIOError, OSError, ValueError) as e:
        if options.verbose or isinstance(e, BrokenPipeError):
            raise
        text = e.strerror or str(e) if isinstance(e, OSError) else str(e)
        return complain(f"{p.prog}: {text}", getattr(e, "hint", ""), 1)


def use(backend: str | None) -> None:
    """Choose the backend of --backend."""
    if backend is None:
        return
    try:
        facade.use(backend)
        if opening.split(backend)[0] == "sim":
            opening.look(backend)
    except (errors.NoBackendError, ValueError) as e:
        hint = getattr(e, "hint", "")
        raise UsageError(f"{e}\n{hint}" if hint else str(e)) from None


def lines(text: str) -> list[int]:
    """The lines that were typed, on this board."""
    return pins.parse(text, facade.board.hardware)


def seconds(text: str) -> float:
    """Read "500us", "20ms", "5s", "2m" or "5"."""
    number = text.strip().lower()
    unit = next((u for u in ("us", "ms", "s", "m", "h") if number.endswith(u)), "")
    try:
        found = float(number.removesuffix(unit)) * UNITS_S.get(unit, 1.0)
    except ValueError:
        found = -1.0
    if not 0 <= found < 1e9:
        raise UsageError(f"{text!r} is no time; for example 500us, 20ms, 5s, 1m")
    return found


def print_json(found: object) -> None:
    """Print it, in one line for programs."""
    import json

    print(json.dumps(found))


def note(text: str) -> None:
    """Say something to the person at the terminal that is no result."""
    print(text, file=sys.stderr, flush=True)


def hold(for_s: float | None) -> None:
    """Stay as long, or until Ctrl+C; the lines are this program's."""
    import time

    try:
        if for_s is not None:
            time.sleep(for_s)
        while for_s is None:
            time.sleep(3600)
    except KeyboardInterrupt:
        pass
