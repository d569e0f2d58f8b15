# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio run``: run a program that says ``import RPi.GPIO``, unchanged, on RPIO."""

from __future__ import annotations

import argparse
import os
import sys

from .. import errors, facade, shims
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
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    p.add_argument(
        "--backend", metavar="NAME", help="auto, regs, cdev, sysfs, sim, sim:4B...: what drives the lines"
    )
    p.add_argument(
        "-m", "--module", action="store_true", help="the program is the name of a module, not a file"
    )
    p.add_argument("program", help="the file to run")
    p.add_argument("arguments", nargs=argparse.REMAINDER, help="handed to the program")
    return p


def run(argv: list[str]) -> int:
    """Run the program in this process; its own exit status, and its own exceptions, are those of ``rpio run``."""
    import runpy

    options = parser().parse_args(argv)
    if not options.module and not os.path.exists(options.program):
        return complain(f"rpio run: there is no file {options.program!r}", "", 2)
    if options.backend is not None:
        try:
            facade.use(options.backend)
        except errors.NoBackendError as e:
            return complain(f"rpio run: {e}", e.hint, 2)
        os.environ["RPIO_BACKEND"] = options.backend
    _stand_in()
    sys.argv = [options.program, *options.arguments]
    if options.module:
        sys.path[0] = os.getcwd()
        runpy.run_module(options.program, run_name="__main__", alter_sys=True)
    else:
        sys.path[0] = os.path.dirname(os.path.abspath(options.program))
        runpy.run_path(options.program, run_name="__main__")
    return 0


def _stand_in() -> None:
    """RPi.GPIO is RPIO here, and in the Python processes that the program starts."""
    facade.install_as_rpi_gpio()
    paths = [shims.FOLDER, *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
