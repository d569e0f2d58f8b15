# SPDX-License-Identifier: LGPL-3.0-or-later
"""The log of RPIO: the logger "RPIO" of the standard library, imported only by those who use it.

``import logging`` costs more than all of RPIO's import. A program that has not imported it cannot see a
DEBUG message either, so those are dropped here; a warning is worth the import.
"""

import sys

from . import threads


def debug(message: str, *args: object) -> None:
    """Log what the library is doing; nothing where the program has not imported logging."""
    _log_if_wanted("debug", message, *args)


def info(message: str, *args: object) -> None:
    """Log what is otherwise than was asked for, without harm; as debug()."""
    _log_if_wanted("info", message, *args)


def _log_if_wanted(level: str, message: str, *args: object) -> None:
    # Another thread may be in the middle of importing it: then it is there, and empty.
    get_logger = getattr(sys.modules.get("logging"), "getLogger", None)
    if get_logger is not None:
        threads.at_home(getattr(get_logger("RPIO"), level), message, *args)


def warning(message: str, *args: object) -> None:
    """Log what the user should know; goes to stderr where no logging is configured."""
    import logging

    threads.at_home(logging.getLogger("RPIO").warning, message, *args)


def callback_failed(callback: object) -> None:
    """Print the traceback of the exception being handled to stderr, and name the callback."""
    import traceback

    try:
        print(f"RPIO: exception in callback {callback!r}, ignored:", file=sys.stderr)
        traceback.print_exc()
    except Exception:
        return  # stderr has gone, or the callback has no repr: there is nowhere left to say it
