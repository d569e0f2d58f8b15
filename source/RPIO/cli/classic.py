# SPDX-License-Identifier: LGPL-3.0-or-later
"""The original ``rpio``'s options as they are typed, and its help. What each does is in options."""

from __future__ import annotations

import argparse

from . import help, index
from .options import ACTIONS
from .told import add_backend, carry_out

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


def parser() -> argparse.ArgumentParser:
    """Return the parser of the classic options."""
    p = help.QuietParser(
        prog="rpio",
        usage=USAGE,
        description="Inspect and change GPIOs: those of other programs too.",
        epilog=EXAMPLES.format(verbs=index.shown()),
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
    add_backend(p)
    add("-v", "--verbose", action="store_true", help="log what is done, and show tracebacks")
    return p


def run(argv: list[str]) -> int:
    """Carry the options out; return the exit status."""
    p = parser()
    return carry_out(p, argv, lambda options: _do_all(p, options), says_its_name=False)


def _do_all(p: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    wanted = [(name, action) for name, action in ACTIONS if getattr(options, name)]
    if not wanted:
        p.print_help()
    for name, action in wanted:
        action(getattr(options, name))
