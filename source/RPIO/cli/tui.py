# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio tui``: what ``rpio-curses`` does, on Textual: with a mouse, waves and a log.

Textual is an extra, and imported only to show the screen.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys

from . import verb
from .classic import complain

WANTED = "textual>=1.0"

EXAMPLES = """\
  rpio tui                    the lines of this machine
  rpio tui --backend sim      try it without hardware

h in the program shows its keys. NO_COLOR=1 does without colours. It needs Textual; rpio-curses does without.
"""


def parser() -> argparse.ArgumentParser:
    """The parser of ``rpio tui``."""
    return verb.parser(
        "tui", "Look at all GPIOs and change them, in a terminal, with a mouse, waves and a log.", EXAMPLES
    )


def run(argv: list[str]) -> int:
    """``rpio tui``"""
    return verb.carry_out(parser(), argv, _show)


def _show(options: argparse.Namespace) -> int:
    if not all(map(os.isatty, (0, 1, 2))):  # Textual draws on stderr
        return complain("rpio tui needs a terminal", "without one: rpio -I shows all lines", 2)
    try:
        from . import tui_app
    except ImportError as e:
        why = "" if isinstance(e, ModuleNotFoundError) else f" ({e})"  # then it is one that is too old
        command = f"{sys.executable or 'python3'} -m pip install '{WANTED}'"
        text = f"rpio tui needs Textual{why}, the extra [tui]: {command}; rpio-curses does without"
        return complain(text, "", 1)
    app = tui_app.App()
    status = tui_app.in_terminal(app)
    if status != 128 + signal.SIGHUP:  # then there is nobody to read it
        for text in app.lines.last_words("rpio tui"):
            print(text)
    return status
