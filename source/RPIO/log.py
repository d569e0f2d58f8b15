# SPDX-License-Identifier: LGPL-3.0-or-later
"""The log of RPIO: the logger "RPIO" of the standard library, imported only by those who use it.

``import logging`` costs more than all of RPIO's import. A program that has not imported it cannot see a
DEBUG message either, so those are dropped here; a warning is worth the import.
"""

from __future__ import annotations

import sys
from time import monotonic_ns

from . import threads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from logging import Logger
    from typing import Any, TypeVar

    T = TypeVar("T")

LINES_A_MINUTE = 3
"""Of one kind, where others decide how often it happens: enough to see what goes on, and 1 MB a day at most."""
MINUTE_NS = 60_000_000_000


LEVELS = {"debug": 10, "info": 20, "warning": 30}
"""Those of logging. Source: the standard library, "Logging Levels"."""


def debug(message: str, *args: object) -> None:
    """Log what the library is doing; nothing where the program has not imported logging."""
    _log_if_wanted("debug", message, *args)


def hears_debug() -> bool:
    """Whether somebody hears debug(): for what is done again and again."""
    logger = _loggers[0] if _loggers else _logger()
    return logger is not None and logger.getEffectiveLevel() <= LEVELS["debug"]


def info(message: str, *args: object) -> None:
    """Log what is otherwise than was asked for, without harm; as debug()."""
    _log_if_wanted("info", message, *args)


_loggers: list[Logger] = []
"""The logger, once somebody has needed it: asking by name locks all of logging each time."""


def _logger() -> Logger | None:
    """Return it; None where the program has not imported logging."""
    if not _loggers:
        # Another thread may be in the middle of importing it: then it is there, and empty.
        get_logger = getattr(sys.modules.get("logging"), "getLogger", None)
        if get_logger is None:
            return None
        _loggers.append(_unlocking(get_logger, "RPIO"))
    return _loggers[0]


def _log_if_wanted(level: str, message: str, *args: object) -> None:
    logger = _logger()
    if logger is not None and logger.getEffectiveLevel() <= LEVELS[level]:  # asked without logging's lock
        threads.at_home(_unlocking, getattr(logger, level), message, *args)


def _unlocking(function: Callable[..., T], *args: object) -> T:
    """Call something of logging's.

    Where a signal handler raises between logging's acquire() and the "try" that follows, before CPython 3.13, the lock
    would stay with this thread, and the next other thread that logs would wait for good.
    """
    others = _owned_locks()
    try:
        return function(*args)
    except BaseException:
        for lock in _owned_locks():
            while lock not in others and _is_owned(lock):
                lock.release()
        raise


def _owned_locks() -> list[Any]:
    """Those of logging's locks on the way of a record that this thread has."""
    logging = sys.modules["logging"]
    locks = [getattr(logging, "_lock", None), getattr(getattr(logging, "lastResort", None), "lock", None)]
    above = _loggers[0] if _loggers else None
    while above is not None:
        locks += [getattr(handler, "lock", None) for handler in above.handlers]
        above = above.parent if above.propagate else None
    return [lock for lock in locks if _is_owned(lock)]


def _is_owned(lock: object) -> bool:
    """Whether this thread has it: an RLock, as logging makes them; a handler may have none, or another kind."""
    look = getattr(lock, "_is_owned", None)
    return look is not None and bool(look())


def warning(message: str, *args: object) -> None:
    """Log what the user should know; goes to stderr where no logging is configured."""
    threads.load("threading")
    threads.load("logging")
    _log_if_wanted("warning", message, *args)


def be_quiet(is_quiet: bool) -> None:
    """Log errors alone, or everything."""
    threads.load("threading")
    threads.load("logging")
    import logging

    logger = _logger()
    if logger is not None:
        _unlocking(logger.setLevel, logging.ERROR if is_quiet else logging.DEBUG)


class Sparing:
    """Warnings that a stranger can bring about as often as he likes: LINES_A_MINUTE of each kind, and how many more.

    For one thread. A handler of the program's that fails is its own affair: nothing is raised here.
    """

    def __init__(self) -> None:
        self._kinds: dict[str, list[int]] = {}  # kind -> [when its minute began, how many there were since]
        self._last: dict[str, str] = {}  # kind -> the last one that was left out

    def warning(self, kind: str, message: str, *args: object) -> bool:
        """Log it, or count it; whether tell() has something to say later."""
        self.tell()
        minute = self._kinds.setdefault(kind, [monotonic_ns(), 0])
        minute[1] += 1
        if minute[1] <= LINES_A_MINUTE:
            self._log(message, *args)
        else:
            self._last[kind] = message % args
        return bool(self._last)

    def tell(self) -> bool:
        """Log how many more there were of the kinds whose minute is over; whether others wait."""
        now_ns = monotonic_ns()
        for kind, (since_ns, count) in list(self._kinds.items()):
            if now_ns - since_ns >= MINUTE_NS:
                del self._kinds[kind]
                last = self._last.pop(kind, "")
                if last:
                    self._log("%s ... and %s more in the last minute", last, f"{count - LINES_A_MINUTE:,}")
        return bool(self._last)

    @staticmethod
    def _log(message: str, *args: object) -> None:
        try:
            warning(message, *args)
        except Exception as e:
            say(f"RPIO: {message % args} (and logging it failed: {e!r})")


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
