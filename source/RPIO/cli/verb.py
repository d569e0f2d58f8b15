# SPDX-License-Identifier: LGPL-3.0-or-later
"""What all verbs share: their parsers, their errors, how long they last, how they print."""

from __future__ import annotations

import argparse
import os
import re
import sys
from contextlib import contextmanager

from .. import facade, threads
from . import help, pins
from .told import add_backend, say_if_released

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import NoReturn, TextIO

UNITS_NS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
LONGEST_NS = 365 * 24 * UNITS_NS["h"]
PINS_HELP = "17, GPIO17, BOARD11, pin11, SDA1; lists (4,17 or 4 17) and ranges (2-8)"


class Parser(help.QuietParser):
    """A parser whose errors name what to type next."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, how it is written, and where to read on; the status is 2."""
        hint = f"see: {self.prog} --help"
        if message.startswith("unrecognized arguments: -"):
            from difflib import get_close_matches

            typed = message.split()[2].partition("=")[0]
            for near in get_close_matches(typed, self._option_string_actions, 1):
                hint = f"did you mean: {near}"
        self.exit(2, f"{self.format_usage()}{self.prog}: {message}\n{hint}\n")


class MixedParser(Parser):
    """Options may stand between the words."""

    def parse_args(self, args: Sequence[str]) -> argparse.Namespace:  # type: ignore[override]
        """Parse words and options in any order."""
        return self.parse_intermixed_args(args)


class WrapperParser(Parser):
    """The parser of a verb that runs a program, its last positional: what follows is the program's, a "--" too."""

    def parse_args(self, args: Sequence[str]) -> argparse.Namespace:  # type: ignore[override]
        """Parse the words up to the program; options.arguments are the others."""
        missing = len(self._get_positional_actions())
        at, all_positional = 0, False
        while at < len(args) and missing:
            word = args[at]
            if all_positional or not word.startswith("-") or word == "-":
                missing -= 1
            elif word == "--":
                all_positional = True
            else:
                option = self._option_string_actions.get(word)
                at += option is not None and option.nargs is None
            at += 1
        options = super().parse_args(args[:at])
        options.arguments = list(args[at:])
        return options

    def format_usage(self) -> str:
        """Show where the program's own arguments are."""
        return super().format_usage().rstrip() + " [ARGUMENT ...]\n"


def parser(
    name: str,
    description: str,
    examples: str = "",
    json: bool = False,
    kind: type[Parser] = Parser,
    has_backend: bool = True,
) -> argparse.ArgumentParser:
    """Return the parser of a verb, with the options that all have; one that is about no lines *has_backend* not."""
    p = kind(
        prog=f"rpio {name}",
        description=description,
        epilog=f"examples:\n{examples}" if examples else None,
        formatter_class=help.Formatter,
        allow_abbrev=False,
    )
    if has_backend:
        add_backend(p)
    else:
        p.set_defaults(backend=None)
    p.add_argument("-v", "--verbose", action="store_true", help="show tracebacks, and log what is done")
    if json:
        p.add_argument("--json", action="store_true", help="print JSON, for programs")
    return p


def add_pins(p: argparse.ArgumentParser) -> None:
    """Add the lines that a verb is about: options.pins, for lines()."""
    p.add_argument("pins", metavar="PINS", nargs="+", help=PINS_HELP)


def add_for(p: argparse.ArgumentParser, help: str = "end after this time") -> None:
    """Add --for: options.for_ns, None without it."""
    p.add_argument(
        "--for", dest="for_ns", metavar="TIME", type=duration_ns, help=f"{help}: 500us, 20ms, 5s, 1m"
    )


def duration_ns(text: str) -> int:
    """Read "500us", "20ms", "1.5s", "2m" or "5", which are seconds. For argparse."""
    match = re.fullmatch(r"(\d{1,12}(?:\.\d{1,9})?) *(ns|us|µs|ms|s|m|h|)", text.strip())
    found = round(float(match[1]) * UNITS_NS[match[2] or "s"]) if match else 0
    if not 0 < found <= LONGEST_NS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time; for example 500us, 20ms, 5s, 1m")
    return found


def positive(text: str) -> int:
    """Read a count of 1 or more. For argparse."""
    if not text.strip().isdecimal() or not 0 < int(text) < 2**63:
        raise argparse.ArgumentTypeError(f"{text!r} is not a count of 1 or more")
    return int(text)


def lines(words: str | Sequence[str]) -> list[int]:
    """The lines that were typed, in one word or several, on this board."""
    text = words if isinstance(words, str) else joined(words)
    return pins.parse(text, facade.board.hardware)


def joined(words: Sequence[str]) -> str:
    """Several words as one list: "4," "17" is "4,17"."""
    return ",".join(word.strip(",") or word for word in words)


def print_json(found: object) -> None:
    """Print it, in one line for programs."""
    import json

    print(json.dumps(found))


def note(text: str) -> None:
    """Say something to the person at the terminal that is no result."""
    print(text, file=sys.stderr, flush=True)


def say_what_ends(lines: Sequence[int]) -> None:
    """What has been set ends with this program: where the kernel takes lines back, and on a simulated board."""
    if facade.board.backend.name == "sim":
        note("the simulated board ends with this command, and what was set on it")
    say_if_released(lines)


def hold(for_ns: int | None) -> None:
    """Stay as long, or until Ctrl+C; the lines are this program's."""
    import time

    try:
        for nap_s in threads.naps(None if for_ns is None else for_ns / 1e9):
            time.sleep(threads.NAP_S if nap_s is None else nap_s)
    except KeyboardInterrupt:
        pass


@contextmanager
def ended_in_order() -> Iterator[None]:
    """Within it SIGTERM, and SIGHUP of a terminal that closes, end the program as sys.exit() does: what is to be undone
    is. A signal that is ignored, as by nohup, stays so.
    """
    import signal

    def end(number: int, frame: object) -> None:
        """Exit as the shell has it."""
        raise SystemExit(128 + number)

    numbers = [
        number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) == signal.SIG_DFL
    ]
    for number in numbers:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)


def is_utf8(file: TextIO | None) -> bool:
    """Whether a stream takes every character."""
    return (getattr(file, "encoding", None) or "").lower().replace("-", "") == "utf8"


def has_utf8_terminal() -> bool:
    """Whether the user's locale says UTF-8; Python makes UTF-8 of the C locale for itself, which does not count."""
    import locale

    if locale.nl_langinfo(locale.CODESET).upper().replace("-", "") != "UTF8":
        return False
    names = [os.environ.get(name, "") for name in ("LC_ALL", "LC_CTYPE", "LANG")]
    is_coerced = (
        not names[0] and names[1] in ("C.UTF-8", "C.utf8", "UTF-8") and names[2] in ("", "C", "POSIX")
    )
    return not is_coerced


def has_colours(file: TextIO | None) -> bool:
    """Whether to write colours: to a terminal, and nowhere with NO_COLOR (https://no-color.org)."""
    return (
        file is not None
        and file.isatty()
        and not os.environ.get("NO_COLOR")
        and os.environ.get("TERM") != "dumb"
    )
