# SPDX-License-Identifier: LGPL-3.0-or-later
"""Threads and locks of Python itself, also in a program that has replaced them by gevent's or eventlet's.

Such a program (``gevent.monkey.patch_all()``, ``eventlet.monkey_patch()``) has greenlets where it says threads: they
take turns in one thread, each until it waits for something, and what waits in C stops them all. So whatever waits for
the kernel here runs in a thread of Python's own, and what belongs to the program (a callback, a lock that it waits for)
runs *at home*: in the thread that has its greenlets. ``loop/green`` takes it there; without a patch home is everywhere.
"""

from __future__ import annotations

import sys
from time import monotonic_ns

from ._gpio import apart

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import LockType
    from collections.abc import Callable, Iterator
    from threading import Thread
    from typing import Any, Protocol

    class Home(Protocol):
        """Where the greenlets of a program are, for a thread that serves it."""

        def post(self, function: Callable[..., object], *args: object) -> None:
            """Have it called there soon."""

        def call(self, function: Callable[..., object], *args: object) -> None:
            """Call it there, and wait until it has returned."""


def patched_by() -> str:
    """Return "gevent" or "eventlet" where one has replaced the program's threads, "" otherwise."""
    gevent, eventlet = sys.modules.get("gevent.monkey"), sys.modules.get("eventlet.patcher")
    if gevent is not None and gevent.is_module_patched("_thread"):
        return "gevent"
    return "eventlet" if eventlet is not None and eventlet.is_monkey_patched("thread") else ""


def original(module: str, name: str) -> Any:
    """Return what the standard library has under that name, whoever has replaced it."""
    gevent, eventlet = sys.modules.get("gevent.monkey"), sys.modules.get("eventlet.patcher")
    if gevent is not None:
        return gevent.get_original(module, name)
    if eventlet is not None and eventlet.already_patched:
        return getattr(eventlet.original(module), name)
    return getattr(__import__(module), name)


allocate_lock: Callable[[], LockType] = original("_thread", "allocate_lock")
get_ident: Callable[[], int] = original("_thread", "get_ident")
start_new_thread: Callable[..., int] = original("_thread", "start_new_thread")


def lock_of_program() -> LockType:
    """Return a lock for which the program may wait: its greenlets go on meanwhile. To be released at home."""
    import _thread

    return _thread.allocate_lock()


loads_apart = True
"""False in a process that Ctrl+C just ends."""

OF_THREADING = ("functools", "_weakrefset")
"""What it imports itself, and what these do, which can be loaded apart."""


def load(name: str) -> None:
    """Import a module of ours or the standard library's, unless it is there, where no signal handler runs.

    What one raises in the middle of an import can be lost, see module_apart.c. To be followed by the import itself.
    ``threading`` is imported here, and first by who loads what needs it: it takes who imports it for the main thread.
    """
    if name in sys.modules:
        return
    if patched_by() or not loads_apart:
        __import__(name)
    elif name == "threading":
        for needed in OF_THREADING:
            load(needed)
        __import__(name)
    else:
        apart(__import__, name)


class Started:
    """A thread that start() has begun."""

    __slots__ = ("_ended", "_function", "ident", "is_over")

    def __init__(self, function: Callable[[], object], ended: LockType) -> None:
        self._function = function
        self.ident: int | None = None  # until it runs
        self.is_over = False
        self._ended = ended
        ended.acquire()

    def run(self) -> None:
        """What the thread does."""
        self.ident = get_ident()
        try:
            self._function()
        finally:
            self.is_over = True
            self._ended.release()

    def join(self, timeout_s: float) -> bool:
        """Wait until it has ended, at most so long; returns at once when called from that thread. Whether it has."""
        if not self.is_over and self.ident != get_ident() and self._ended.acquire(timeout=timeout_s):
            self._ended.release()
        return self.is_over


def start(function: Callable[[], object], name: str) -> Started:
    """Call it in a daemon thread that is none of the program's greenlets.

    An exception of a signal handler, Ctrl+C's too, can come out of this: the thread runs then, or it does not.

    Raises:
        RuntimeError: there is no room for another thread.
    """
    started = Started(function, allocate_lock())
    if patched_by():
        start_new_thread(started.run, ())
        return started
    load("threading")
    from threading import Thread

    thread = Thread(target=started.run, name=name, daemon=True)
    if in_main_thread():
        # Thread.start() waits for the thread with a Condition, which a signal's exception leaves in disorder: another
        # thread, where no handler runs, does it.
        start_new_thread(_start_named, (thread, started))
    else:
        thread.start()
    return started


def start_of_program(function: Callable[[], object], name: str) -> Started:
    """The same in a thread of the program's: a greenlet where it has those. To be called at home."""
    if not patched_by():
        return start(function, name)
    from threading import Thread

    started = Started(function, lock_of_program())
    Thread(target=started.run, name=name, daemon=True).start()
    return started


def _start_named(thread: Thread, started: Started) -> None:
    try:
        thread.start()
    except RuntimeError:  # there is no room for one more: this one will do, without its name
        started.run()


def in_main_thread() -> bool:
    """Whether the caller runs in the program's main thread.

    Imports nothing: at the end of a program that Ctrl+C has ended, an import can change its exit status.
    """
    threading = sys.modules.get("threading")
    if threading is None:
        return True
    if not patched_by():
        return bool(threading.main_thread().ident == get_ident())
    from _thread import get_native_id  # loaded long ago, as os is; idents are those of greenlets here
    from os import getpid

    return get_native_id() == getpid()


NAP_S = 0.5
"""How long the main thread sleeps at most before it looks for signals again."""


def naps(timeout_s: float | None) -> Iterator[float | None]:
    """Yield how long to sleep at once, until that time is over; None is for ever.

    A signal that comes between Python's last look for one and its sleep does not end the sleep, and its handler runs
    only after that: Ctrl+C would be forgotten until the next one. So the main thread, where handlers run, takes naps.
    """
    end_ns = None if timeout_s is None else monotonic_ns() + int(timeout_s * 1e9)
    left_s, is_main = timeout_s, in_main_thread()
    while left_s is None or left_s >= 0:
        yield (NAP_S if left_s is None else min(left_s, NAP_S)) if is_main else left_s
        left_s = None if end_ns is None else (end_ns - monotonic_ns() - 1) / 1e9


homes: dict[int, Home] = {}
"""Thread -> the home that it serves; empty without a patch."""


def at_home(function: Callable[..., object], *args: object) -> None:
    """Call it at home: now where that is here, soon otherwise."""
    home = homes.get(get_ident()) if homes else None
    if home is None:
        function(*args)
    else:
        home.post(function, *args)
