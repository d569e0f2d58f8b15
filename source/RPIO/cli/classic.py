# SPDX-License-Identifier: LGPL-3.0-or-later
"""The options of the original ``rpio``: one function each, in the order in which they are carried out.

Source: the rpio(1) manual of RPIO 0.10.1. What differs is in doc/differences.
"""

from __future__ import annotations

import argparse
import sys

from .. import constants as model
from .. import errors, facade
from ..backends import opening
from . import VERBS, help

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

NO_SUCH_GPIO = 5
"""Exit status of the original for a GPIO that the board does not have."""

EXAMPLES = """\
examples:
  rpio -i 7            function and level of GPIO 7; also 7,8,9 and 1-9
  rpio -I              of every GPIO on the header
  rpio -w 7            show edges; also 7:rising, 7:falling:pullup, 7,17:pulldown and 1-9
  rpio -s 7:1          set GPIO 7, an output, to 1
  rpio --setinput 7    also 7:pullup, 7:pulldown, 7:pulloff
  rpio --setoutput 8   also 8:1, 8:0

{verbs}

GPIOs are BCM numbers. RPIO_BACKEND=sim tries it all on a simulated board.
"""

USAGE = """\
rpio [OPTION ...]
       rpio VERB ..."""

BACKEND_HELP = "what drives the lines: auto, regs, cdev, sysfs, sim, sim:4B..."

PULLS = {"pullup": model.PUD_UP, "pulldown": model.PUD_DOWN, "pulloff": model.PUD_OFF}
EDGES = ("rising", "falling", "both")


class UsageError(Exception):
    """What the user typed cannot be read; the text says what was expected. *status* is the exit status."""

    def __init__(self, text: str, status: int = 2, hint: str = "") -> None:
        super().__init__(text)
        self.status, self.hint = status, hint


def parser() -> argparse.ArgumentParser:
    """Return the parser of the classic options."""
    p = help.QuietParser(
        prog="rpio",
        usage=USAGE,
        description="Inspect and change GPIOs: those of other programs too.",
        epilog=EXAMPLES.format(verbs=verbs()),
        formatter_class=help.Formatter,
        allow_abbrev=False,
    )
    add = p.add_argument
    add("-i", "--inspect", metavar="GPIO", help="show function and level: 17, a list (4,17) or a range (2-8)")
    add("-I", "--inspect-all", action="store_true", help="show every GPIO of this board")
    add(
        "-w",
        "--wait_for_interrupts",
        metavar="GPIO[:EDGE][:PULL]",
        help="show edges until Ctrl+C; EDGE: rising, falling, both; PULL: pullup, pulldown, pulloff",
    )
    add("-s", "--set", metavar="GPIO:VALUE", help="set an output to 0 or 1")
    add("--setinput", metavar="GPIO[:PULL]", help="make a GPIO an input")
    add("--setoutput", metavar="GPIO[:VALUE]", help="make a GPIO an output, with this level")
    add("--sysinfo", action="store_true", help="show revision code, model, memory and maker of this board")
    add("-V", "--version", action="store_true", help="show the version")
    add("--backend", metavar="NAME", help=BACKEND_HELP)
    add("-v", "--verbose", action="store_true", help="log what is done, and show tracebacks")
    return p


def verbs() -> str:
    """The verbs as the help shows them."""
    rows = [f"  rpio {verb:<13}{row[1]}" for verb, row in VERBS.items()]
    return "\n".join(["verbs, each with a --help of its own:", *rows])


def run(argv: list[str]) -> int:
    """Carry the options out; return the exit status."""
    p = parser()
    try:
        options = p.parse_args(argv)
    except SystemExit as e:  # after the help, or what is wrong with the words
        raise SystemExit(written(p.prog, int(e.code or 0))) from None
    if options.verbose:
        import logging

        logging.basicConfig(format="%(levelname)s | %(asctime)-15s | %(message)s", level=logging.DEBUG)
    wanted = [(name, action) for name, action in ACTIONS if getattr(options, name)]
    if not wanted:
        p.print_help()
    return written(p.prog, _do(options, wanted))


def _do(options: argparse.Namespace, wanted: Sequence[tuple[str, Callable[..., object]]]) -> int:
    try:
        use(options.backend)
        facade.setwarnings(False)
        for name, action in wanted:
            action(getattr(options, name))
    except UsageError as e:
        return complain(str(e), e.hint, e.status)
    except BrokenPipeError:
        pass  # the reader has gone, and has what it wanted
    except (errors.GPIOError, OSError, ValueError) as e:  # ValueError: RPIO_BACKEND=sim:9Z
        if options.verbose:
            raise
        return complain(e.strerror or str(e) if isinstance(e, OSError) else str(e), getattr(e, "hint", ""), 1)
    return 0


def written(name: str, status: int) -> int:
    """Write what has been printed; return the status, 1 where it cannot be, unless the reader of a pipe has gone."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as e:
        sys.stdout = None  # keeps the interpreter from trying it once more
        if status == 0 and not isinstance(e, BrokenPipeError):
            return complain(f"{name}: standard output: {e.strerror}", "", 1)
    return status


def use(backend: str | None) -> None:
    """Choose the backend of --backend."""
    if backend is None:
        return
    try:
        facade.use(backend)
        if opening.split(backend)[0] == "sim":
            opening.look(backend)
    except (errors.NoBackendError, ValueError) as e:
        raise UsageError(str(e), hint=getattr(e, "hint", "")) from None


def complain(text: str, hint: str, status: int) -> int:
    """Print an error and what to do about it to stderr; return the status."""
    print(text if not hint or hint in text else f"{text}\n{hint}", file=sys.stderr)
    return status


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
    facade.setup(line, model.OUT, initial=level(value) if colon else None)
    say_if_released([line])


def set_input(text: str) -> None:
    """--setinput N[:PULL]"""
    gpio, colon, pull = text.partition(":")
    line = valid(gpio)
    if colon and pull not in PULLS:
        raise UsageError(f"Error: '{pull}' not (pullup, pulldown, pulloff)", 1)
    facade.setup(line, model.IN, PULLS.get(pull, model.PUD_OFF))


def say_if_released(lines: Sequence[int]) -> None:
    """A line of the character device is the program's only as long as the program runs."""
    if facade.board.backend.holds_lines:
        for line in lines:
            is_output = facade.gpio_function(line) == model.OUT
            ends = "may switch it to input" if is_output else "need not keep its pull"
            print(f"GPIO {line}: the kernel takes the line back when rpio ends, and {ends}", file=sys.stderr)


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
    from . import looking

    left_out = False
    for gpio in gpios():
        show(gpio, looking.level_of)
        left_out = left_out or not looking.may_look(gpio)
    if left_out:
        print(looking.WHY_NOT, file=sys.stderr)


def level_of(gpio: int) -> int | None:
    """The level of a line that was asked for; None where it cannot be read without disturbing who has the line."""
    try:
        return facade.forceinput(gpio)
    except (errors.NotSupportedError, errors.LineBusyError):
        return None


def show(gpio: int, level_of: Callable[[int], int | None]) -> None:
    """Print function and level; "-" for a level that cannot be read."""
    name = model.FUNCTION_NAMES.get(facade.gpio_function(gpio), "-")
    value = level_of(gpio)
    print(f"GPIO {gpio}: {name:<6} ({'-' if value is None else value})")


def write(text: str) -> None:
    """-s N:V"""
    gpio, colon, value = text.partition(":")
    if not colon:
        raise UsageError(f"{text!r}: the value is missing; for example: rpio -s {gpio}:1")
    line, bit = valid(gpio), level(value)
    function = facade.gpio_function(line)
    if function == model.OUT:
        facade.forceoutput(line, bit)
        say_if_released([line])
    else:
        raise UsageError(
            f"Cannot output to GPIO {gpio}, because it is setup as {model.FUNCTION_NAMES.get(function, '-')}. "
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
        edge, pull = "both", model.PUD_OFF
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
        if function not in (model.IN, model.UNKNOWN):
            raise UsageError(
                f"Cannot watch GPIO {line}, because it is setup as {model.FUNCTION_NAMES.get(function, '-')}. "
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
