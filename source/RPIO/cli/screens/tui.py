# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio tui``: what ``rpio-curses`` does, on Textual: with a mouse, waves and a log; how it begins and ends.

Textual is an extra, and imported, as asyncio is, only to show the screen.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys

from ... import errors
from .. import verb
from ..told import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .tui_app import App

WANTED = "textual>=1.0"

GRACE_S = 1.0
"""How long Textual has to end where the terminal has gone: it may wait for ever to write there."""

EXAMPLES = """\
  rpio tui                    the lines of this machine
  rpio tui --backend sim      try it without hardware

h in the program shows its keys. NO_COLOR=1 does without colours. It needs Textual; rpio-curses does without.
"""


def tui_parser() -> argparse.ArgumentParser:
    """The parser of ``rpio tui``."""
    return verb.parser(
        "tui", "Look at all GPIOs and change them, in a terminal, with a mouse, waves and a log.", EXAMPLES
    )


def tui(options: argparse.Namespace) -> int:
    """``rpio tui``"""
    if not all(map(os.isatty, (0, 1, 2))):  # Textual draws on stderr
        raise UsageError("it needs a terminal", hint="without one: rpio -I shows all lines")
    if not verb.has_utf8_terminal():
        hint = "LC_ALL=C.UTF-8 rpio tui, if the terminal has it; rpio-curses does with ASCII"
        raise errors.GPIOError("it draws with UTF-8, which the locale does not have", hint=hint)
    try:
        from . import tui_app
    except ImportError as e:
        why = "" if isinstance(e, ModuleNotFoundError) else f" ({e})"  # then it is one that is too old
        command = f"{sys.executable or 'python3'} -m pip install '{WANTED}'"
        raise errors.GPIOError(
            f"it needs Textual{why}, the extra [tui]: {command}", hint="rpio-curses does without"
        ) from None
    app = tui_app.App()
    status = in_terminal(app)
    if status != 128 + signal.SIGHUP:  # then there is nobody to read it
        for text in app.lines.last_words("rpio tui"):
            print(text)
    return status


# -- the terminal ---------------------------------------------------------------------------------------------


class _HungUp(BaseException):
    """The terminal has gone, and the grace is over."""


def in_terminal(app: App) -> int:
    """Run the program; SIGTERM, SIGHUP and Ctrl+C end it, and not before the terminal is as it was."""
    import asyncio

    before = [signal.getsignal(number) for number in (signal.SIGHUP, signal.SIGALRM)]
    try:
        asyncio.run(_until_the_end(app))
        return app.return_code or 0
    except _HungUp:
        return 128 + signal.SIGHUP
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGHUP, before[0])
        signal.signal(signal.SIGALRM, before[1])


async def _until_the_end(app: App) -> None:
    import asyncio

    loop = asyncio.get_running_loop()

    def give_up(number: int, frame: object) -> None:
        """The grace is over."""
        raise _HungUp

    def hang_up(number: int, frame: object) -> None:
        """End, in time; not by the loop, which may be what waits."""
        signal.signal(signal.SIGALRM, give_up)
        signal.setitimer(signal.ITIMER_REAL, GRACE_S, GRACE_S)
        loop.call_soon_threadsafe(app.action_end, 128 + number)

    signal.signal(signal.SIGHUP, hang_up)
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, app.action_end, 128 + number)
    await app.run_async()
