# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio read``, ``write``, ``mode`` and ``pull``: levels and functions of lines, those of other programs too."""

from __future__ import annotations

import argparse

from .. import constants, errors, facade
from . import verb
from .options import level_of
from .told import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

MODES = {"in": constants.IN, "input": constants.IN, "out": constants.OUT, "output": constants.OUT}
PULLS = {"up": constants.PUD_UP, "down": constants.PUD_DOWN, "off": constants.PUD_OFF}


def a(name: str) -> str:
    """A function as in a sentence: "an OUTPUT"."""
    return f"{'an' if name[0] in 'AIO' else 'a'} {name}"


def _level(text: str) -> int:
    levels = {"0": 0, "1": 1, "low": 0, "high": 1, "off": 0, "on": 1}
    if text.lower() not in levels:
        raise UsageError(f"{text!r} is not a level: use 0 or 1")
    return levels[text.lower()]


# -- read ---------------------------------------------------------------------------------------------------


def read_parser() -> argparse.ArgumentParser:
    """The parser of ``rpio read``."""
    p = verb.parser(
        "read",
        "Print levels: 0 or 1 of one line, a line of text for each of several. Changes nothing.",
        "  rpio read 17\n  rpio read 4,17 --json\n  [ $(rpio read J8:11) = 1 ] && echo pressed",
        json=True,
    )
    verb.add_pins(p)
    return p


def read(options: argparse.Namespace) -> None:
    """``rpio read``"""
    lines = verb.lines(options.pins)
    levels = {line: level_of(line) for line in lines}
    if options.json:
        verb.print_json({str(line): level for line, level in levels.items()})
    elif len(lines) == 1 and levels[lines[0]] is not None:
        print(levels[lines[0]])
    else:
        for line, level in levels.items():
            print(f"GPIO {line}: {'-' if level is None else level}")
    unread = [line for line, level in levels.items() if level is None]
    if unread:
        why = [_why_unread(line) for line in unread]
        hint = "see: rpio doctor" if any(map(facade.board.backend.consumer, unread)) else ""
        raise errors.GPIOError("\n".join(why), hint=hint)


def _why_unread(line: int) -> str:
    """Why there is no level of a line that was asked for. Of one that nobody has rpio doctor knows nothing either."""
    holder = facade.board.backend.consumer(line)
    if holder:
        return f"GPIO {line}: only who holds it can read it, and that is {holder!r}"
    if facade.gpio_function(line) == constants.OUT:
        return (
            f"GPIO {line} is an output that nobody holds, and the kernel tells the level of one to its holder alone: "
            f"rpio mode {line} out takes it over without a change of level"
        )
    try:
        facade.forceinput(line)
    except errors.NotSupportedError as e:
        return str(e)
    return f"GPIO {line}: it could not be read just now"


# -- write --------------------------------------------------------------------------------------------------


def write_parser() -> argparse.ArgumentParser:
    """The parser of ``rpio write``."""
    p = verb.parser(
        "write",
        "Set outputs. A line that is not an output is refused, and nothing is written then; --output makes it one.",
        "  rpio write 17=1\n  rpio write 17=1 18,22=0\n  rpio write 17=1 --output --hold    until Ctrl+C",
    )
    p.add_argument("levels", nargs="+", metavar="PINS=LEVEL", help="17=1, or 4,17=0; written in this order")
    p.add_argument("-o", "--output", action="store_true", help="make them outputs first, with that level")
    p.add_argument("--hold", action="store_true", help="keep the lines until Ctrl+C")
    verb.add_for(p, "keep the lines so long")
    return p


def pairs(words: Sequence[str]) -> list[tuple[int, int]]:
    """Lines and levels, from words such as 17=1 and 4,18=0."""
    wanted: list[tuple[int, int]] = []
    for text in words:
        names, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"{text!r}: the level is missing; for example: {names}=1")
        wanted += [(line, _level(value)) for line in verb.lines(names)]
    return wanted


def write(options: argparse.Namespace) -> None:
    """``rpio write``"""
    wanted = pairs(options.levels)
    if not options.output:
        for line, _ in wanted:
            function = facade.gpio_function(line)
            if function != constants.OUT:
                name = constants.FUNCTION_NAMES.get(function, "-")
                raise errors.WrongDirectionException(
                    f"GPIO {line} is {a(name)}, not an output; nothing was written",
                    hint="with --output it becomes one, which drives what is connected to it",
                )
    for line, value in wanted:
        if options.output:
            facade.setup(line, constants.OUT, initial=value)
        else:
            facade.forceoutput(line, value)
    if options.hold or options.for_ns is not None:
        verb.hold(options.for_ns)
    else:
        verb.say_what_ends([line for line, _ in wanted])


# -- mode and pull ------------------------------------------------------------------------------------------


def mode_parser() -> argparse.ArgumentParser:
    """The parser of ``rpio mode``."""
    p = verb.parser(
        "mode",
        "Show what lines are, or make them inputs or outputs.",
        "  rpio mode 17\n  rpio mode 17 in\n  rpio mode 17,18 out --level 0",
        json=True,
    )
    verb.add_pins(p)
    p.add_argument("mode", nargs="?", choices=[*MODES], help="without it, show what they are")
    p.add_argument("--level", metavar="0|1", help="of an output, from its first moment on")
    return p


def mode(options: argparse.Namespace) -> None:
    """``rpio mode``"""
    if options.mode is None and options.pins[-1] in MODES:  # argparse gives all words to the pins
        options.mode = options.pins.pop()
    lines = verb.lines(options.pins)
    value = None if options.level is None else _level(options.level)
    if value is not None and MODES.get(options.mode) != constants.OUT:
        raise UsageError("--level is for outputs: rpio mode PINS out --level 0")
    for line in lines:
        if options.mode is None:
            break
        if MODES[options.mode] == constants.OUT:
            facade.setup(line, constants.OUT, initial=value)
        else:
            facade.setup(line, constants.IN)
    if options.mode is not None:
        verb.say_what_ends(lines)
    if options.mode is None:
        names = {line: constants.FUNCTION_NAMES.get(facade.gpio_function(line), "-") for line in lines}
        if options.json:
            verb.print_json({str(line): name for line, name in names.items()})
        else:
            for line, name in names.items():
                print(f"GPIO {line}: {name}")


def pull_parser() -> argparse.ArgumentParser:
    """The parser of ``rpio pull``."""
    p = verb.parser("pull", "Set the pull resistors of inputs.", "  rpio pull 17 up\n  rpio pull 4,17 off")
    verb.add_pins(p)
    p.add_argument("pull", choices=[*PULLS])
    return p


def pull(options: argparse.Namespace) -> None:
    """``rpio pull``"""
    lines = verb.lines(options.pins)
    for line in lines:
        function = facade.gpio_function(line)
        if function != constants.IN:
            name = constants.FUNCTION_NAMES.get(function, "-")
            raise errors.WrongDirectionException(
                f"GPIO {line} is {a(name)}, not an input; no pull was set",
                hint=f"rpio mode {line} in makes it one",
            )
    for line in lines:
        facade.setup(line, constants.IN, PULLS[options.pull])
    verb.say_what_ends(lines)
