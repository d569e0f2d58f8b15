# SPDX-License-Identifier: LGPL-3.0-or-later
"""What the options of the original ``rpio`` do: one function each, in the order in which they are carried out.

Source: the rpio(1) manual of RPIO 0.10.1. What differs is in doc/differences.
"""

from __future__ import annotations

import sys

from .. import constants, errors, facade
from .told import WHY_NOT, UsageError, say_if_released

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

NO_SUCH_GPIO = 5
"""Exit status of the original for a GPIO that the board does not have."""

PULLS = {"pullup": constants.PUD_UP, "pulldown": constants.PUD_DOWN, "pulloff": constants.PUD_OFF}
EDGES = ("rising", "falling", "both")


# -- reading what was typed ---------------------------------------------------------------------------------


def number(text: str) -> int:
    """Read a GPIO number."""
    if not text.strip().isdecimal():
        raise UsageError(f"{text!r} is not a GPIO number; see: rpio --help")
    return int(text)


def is_valid(gpio: int) -> bool:
    """Whether the board has this GPIO where people can reach it."""
    return gpio in gpios()


def gpios() -> tuple[int, ...]:
    """The GPIOs of this board: those of its header, or all lines where there is no header."""
    hardware = facade.board.hardware
    return hardware.header_lines or tuple(range(hardware.line_count))


def valid(text: str) -> int:
    """Read a GPIO number that this board has."""
    gpio = number(text)
    if not is_valid(gpio):
        raise UsageError(f"GPIO {gpio}: not a valid gpio-id for this board", NO_SUCH_GPIO)
    return gpio


def expand(text: str) -> tuple[list[str], bool]:
    """Read "4,17" or "2-8": the parts, and whether it was a range, whose gaps are skipped."""
    if "-" not in text:
        return text.split(","), False
    first, _, last = text.partition("-")
    low, high = number(first), number(last)
    if low > high:
        raise UsageError(f"the range {text} runs backwards; did you mean {high}-{low}?")
    return [str(gpio) for gpio in range(low, high + 1)], True


def level(text: str) -> int:
    """Read a level."""
    if text not in ("0", "1"):
        raise UsageError(f"{text!r} is not a level: use 0 or 1")
    return int(text)


# -- the options --------------------------------------------------------------------------------------------


def show_version(_: bool) -> None:
    """--version"""
    print("RPIO v{} (gpio-lib v{})".format(*facade.version()))


def set_output(text: str) -> None:
    """--setoutput N[:V]"""
    gpio, colon, value = text.partition(":")
    line = valid(gpio)
    facade.setup(line, constants.OUT, initial=level(value) if colon else None)
    say_if_released([line])


def set_input(text: str) -> None:
    """--setinput N[:PULL]"""
    gpio, colon, pull = text.partition(":")
    line = valid(gpio)
    if colon and pull not in PULLS:
        raise UsageError(f"Error: '{pull}' not (pullup, pulldown, pulloff)", 1)
    facade.setup(line, constants.IN, PULLS.get(pull, constants.PUD_OFF))


def inspect(text: str) -> None:
    """-i IDS"""
    parts, is_range = expand(text)
    for part in parts:
        gpio = number(part)
        if is_valid(gpio):
            show(gpio, level_of)
        elif not is_range:
            print(f"GPIO {gpio}: does not exist", file=sys.stderr)


def inspect_all(_: bool) -> None:
    """-I"""
    lines = facade.board.lines
    left_out = False
    for gpio in gpios():
        show(gpio, lines.peek)
        left_out = left_out or not lines.may_peek(gpio)
    if left_out:
        print(WHY_NOT, file=sys.stderr)


def level_of(gpio: int) -> int | None:
    """The level of a line that was asked for; None where it cannot be read without disturbing who has the line."""
    try:
        return facade.forceinput(gpio)
    except (errors.NotSupportedError, errors.LineBusyError):
        return None


def show(gpio: int, level_of: Callable[[int], int | None]) -> None:
    """Print function and level; "-" for a level that cannot be read."""
    name = constants.FUNCTION_NAMES.get(facade.gpio_function(gpio), "-")
    value = level_of(gpio)
    print(f"GPIO {gpio}: {name:<6} ({'-' if value is None else value})")


def write(text: str) -> None:
    """-s N:V"""
    gpio, colon, value = text.partition(":")
    if not colon:
        raise UsageError(f"{text!r}: the value is missing; for example: rpio -s {gpio}:1")
    line, bit = valid(gpio), level(value)
    function = facade.gpio_function(line)
    if function == constants.OUT:
        facade.forceoutput(line, bit)
        say_if_released([line])
    else:
        raise UsageError(
            f"Cannot output to GPIO {gpio}, because it is setup as {constants.FUNCTION_NAMES.get(function, '-')}. "
            f"Use --setoutput {gpio} first.",
            1,
        )


def print_edge(gpio: int, value: int) -> None:
    """What -w prints."""
    print(f"GPIO {gpio} interrupt: value = {value}", flush=True)


def watch(text: str) -> None:
    """-w N[:EDGE][:PULL],..."""
    ids, colon, suffix = text.partition(":") if "-" in text else (text, "", "")
    parts, is_range = expand(ids)
    watched = []
    for part in parts:
        gpio, *words = (part + colon + suffix).split(":")
        if is_range and not is_valid(number(gpio)):
            continue
        edge, pull = "both", constants.PUD_OFF
        for word in words:
            if word in EDGES:
                edge = word
            elif word in PULLS:
                pull = PULLS[word]
            else:
                raise UsageError(
                    f"{word!r} is neither an edge ({', '.join(EDGES)}) nor a pull ({', '.join(PULLS)})"
                )
        watched.append((valid(gpio), edge, pull))
    for line, *_ in watched:
        function = facade.gpio_function(line)
        if function not in (constants.IN, constants.UNKNOWN):
            raise UsageError(
                f"Cannot watch GPIO {line}, because it is setup as {constants.FUNCTION_NAMES.get(function, '-')}. "
                f"Use --setinput {line} first.",
                1,
            )
    for line, edge, pull in watched:
        facade.add_interrupt_callback(line, print_edge, edge, pull)
    print("Waiting for interrupts (exit with Ctrl+C) ...", flush=True)
    try:
        facade.wait_for_interrupts()
    except KeyboardInterrupt:
        pass


def show_sysinfo(_: bool) -> None:
    """--sysinfo"""
    print("{}: Model {}, Revision {}, RAM: {} MB, Maker: {}".format(*facade.sysinfo()))


ACTIONS = (
    ("version", show_version),
    ("setoutput", set_output),
    ("setinput", set_input),
    ("inspect", inspect),
    ("inspect_all", inspect_all),
    ("set", write),
    ("wait_for_interrupts", watch),
    ("sysinfo", show_sysinfo),
)
"""Option -> what it does, in the original's order."""
