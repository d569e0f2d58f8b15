# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio run``: run a program that says ``import RPi.GPIO``, unchanged, on RPIO."""

from __future__ import annotations

import argparse
import os

from .. import errors, facade, opening, shims
from . import help
from .classic import complain

EXAMPLES = """\
examples:
  rpio run blink.py                       on this machine's own lines
  rpio run --backend sim:3B+ blink.py 10  on a simulated Pi 3B+, with an argument for the program
  rpio run -m pytest tests                a module, as python -m does
"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of ``rpio run``."""
    p = argparse.ArgumentParser(
        prog="rpio run",
        description="Run a Python program; where it says `import RPi.GPIO`, it gets RPIO, with RPi.GPIO's rules.",
        epilog=EXAMPLES,
        formatter_class=help.Formatter,
        allow_abbrev=False,
    )
    p.add_argument(
        "--backend", metavar="NAME", help="auto, regs, cdev, sysfs, sim, sim:4B...: what drives the lines"
    )
    p.add_argument(
        "-m", "--module", action="store_true", help="the program is the name of a module, not a file"
    )
    p.add_argument("program", help="the file to run")
    p.add_argument("arguments", nargs="*", default=[], help="handed to the program")
    return p


def split(argv: list[str]) -> tuple[list[str], list[str]]:
    """Return the words for ``rpio run``, the last of them the program, and the program's own."""
    at = 0
    while at < len(argv) and argv[at].startswith("-"):
        if argv[at] == "--":
            at += 1
            break
        at += 2 if argv[at] == "--backend" else 1
    return argv[: at + 1], argv[at + 1 :]


def run(argv: list[str]) -> int:
    """Run the program in this process; its own exit status, and its own exceptions, are those of ``rpio run``."""
    ours, arguments = split(argv)
    options = parser().parse_args(ours)
    if not options.module and not os.path.exists(options.program):
        return complain(f"rpio run: there is no file {options.program!r}", "", 2)
    if options.backend is not None:
        try:
            facade.use(options.backend)
            if opening.split(options.backend)[0] == "sim":
                opening.look(options.backend)  # a model that is none would show at the program's first line
        except (errors.NoBackendError, ValueError) as e:
            return complain(f"rpio run: {e}", getattr(e, "hint", ""), 2)
        os.environ["RPIO_BACKEND"] = options.backend
    _stand_in()
    from . import program

    try:
        start = program.run_module if options.module else program.run_file
        return start(options.program, arguments)
    except program.NoSuchModule as e:
        return complain(f"rpio run: {e}", "", 1)


def _stand_in() -> None:
    """RPi.GPIO is RPIO here, and in the Python processes that the program starts.

    multiprocessing hands on sys.path, where facade.install_as_rpi_gpio() has put the folder; others read PYTHONPATH.
    """
    facade.install_as_rpi_gpio()
    paths = [shims.FOLDER, *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
