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


def say(text: str) -> None:
    """Write a line to stderr; a program that has none, or a broken one, goes on without it."""
    if sys.stderr is None:
        return
    try:
        print(text, file=sys.stderr)
    except (OSError, ValueError):
        return  # it is closed: there is nowhere to say that either


def callback_failed(callback: object, in_worker: bool = False) -> None:
    """Name a callback on stderr, and hand the exception being handled to the program's hook, which prints it.

    That is sys.excepthook, as with RPi.GPIO, or threading.excepthook in the thread of a threaded callback: a program
    that logs what goes wrong hears of it.
    """
    kind, error, trace = sys.exc_info()
    try:
        name = repr(callback)
    except Exception:
        name = object.__repr__(callback)
    say(f"RPIO: exception in callback {name}, ignored:")
    try:
        if in_worker:
            import threading

            threading.excepthook(threading.ExceptHookArgs((kind, error, trace, threading.current_thread())))
        else:
            sys.excepthook(kind, error, trace)  # type: ignore[arg-type]
    except SystemExit:
        raise
    except BaseException as e:
        if not isinstance(e, Exception) and threads.in_main_thread():
            raise
        _hook_failed()


def _hook_failed() -> None:
    import traceback

    try:
        say("RPIO: exception in the program's excepthook:\n" + traceback.format_exc())
    except Exception:
        return  # an exception whose text cannot be made: there is no more to say
