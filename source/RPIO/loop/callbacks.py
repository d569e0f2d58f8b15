# SPDX-License-Identifier: LGPL-3.0-or-later
"""Running callbacks: what becomes of their exceptions, and threads of their own for those that take long."""

from __future__ import annotations

import sys
from _thread import RLock

from .. import log, threads
from ..threads import in_main_thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable
    from threading import Condition

WORKER_QUEUE_SIZE = 1024
"""Calls that wait for one threaded callback; more are dropped and counted."""


def run_callback(callback: Callable[..., object], *args: object) -> None:
    """Call, and hand whatever comes out to the program's hook: a callback never ends the loop.

    In a program of greenlets it runs in one of them, and has returned when this returns.
    SystemExit ends the program, from any thread: that is what who writes sys.exit() means, and what RPi.GPIO does.
    KeyboardInterrupt passes in the main thread; in another it would end that thread alone, and nobody would be told.
    """
    home = threads.homes.get(threads.get_ident()) if threads.homes else None
    if home is not None:
        home.call(run_callback, callback, *args)
        return
    _call(callback, args, in_worker=False)


def _call(callback: Callable[..., object], args: tuple[object, ...], in_worker: bool) -> None:
    try:
        try:
            callback(*args)
        except SystemExit:
            raise
        except BaseException as e:
            if not isinstance(e, Exception) and in_main_thread():
                raise
            log.callback_failed(callback, in_worker)
    except SystemExit as e:  # also of the program's hook, which may log and then end the program
        if in_main_thread():
            raise
        _end_program(e)


def _end_program(exit_: SystemExit) -> None:
    """End the program from a thread that is not the main one, where raising would end that thread alone.

    The functions of atexit run and what was printed is written; the main thread is not asked, for it may sleep.
    """
    import atexit
    import os

    code = exit_.code
    status = 0 if code is None else code & 0xFF if isinstance(code, int) else 1
    if code is not None and not isinstance(code, int):
        log.say(str(code))
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except ValueError:
            pass  # it is closed
        except OSError:  # the disk is full
            if stream is sys.stdout:
                status = 120  # with which Python says that what was printed is lost
    os._exit(status)


class Worker:
    """A thread of its own for one callback: calls run in order, one at a time.

    The queue is bounded; put() says whether the call was taken. The thread starts with the first call and is
    a daemon: an endless callback does not keep the program alive.
    """

    def __init__(self, callback: Callable[..., object], name: str) -> None:
        self._callback = callback
        self._name = name
        self._busy = False
        self.why_not = ""
        self._thread: threads.Started | None = None
        self._servant: object = (
            None  # of _thread: one that a signal's exception has kept from being it ends itself
        )
        self._queue: deque[tuple[object, ...]] | None = None
        self._ready: Condition | None = None
        self.is_closed = False

    def _start(self) -> None:
        threads.load("collections")
        threads.load("threading")
        from collections import deque
        from threading import Condition

        if self._ready is None:
            self._queue, self._ready = deque(), Condition(RLock())
        threads.at_home(self._start_thread)

    def _start_thread(self) -> None:
        servant = self._servant = object()
        self._thread = threads.start_of_program(lambda: self._run(servant), self._name)

    def _tell(self) -> None:
        if self._ready is not None:
            with self._ready:
                self._ready.notify()

    def put(self, *args: object) -> bool:
        """Queue a call; False where it was not taken, ``why_not`` says why. Never blocks. One thread puts.

        A thread that could not be started, or has ended for lack of memory, is tried again with the next call.
        """
        if self.is_closed:
            return False
        if (
            self._thread is None or self._thread.is_over
        ):  # which lacked memory, and what is queued waits for the next
            try:
                self._start()
            except (RuntimeError, MemoryError) as e:
                self.why_not = f"its thread did not start: {e}"
                return False
        if self._queue is None or self._ready is None:
            return False
        if len(self._queue) >= WORKER_QUEUE_SIZE:
            self.why_not = "the threaded callback is too slow"
            return False
        with self._ready:
            self._queue.append(args)
        threads.at_home(self._tell)
        return True

    def _run(self, servant: object) -> None:
        queue, ready = self._queue, self._ready
        if queue is None or ready is None:
            return
        while not self.is_closed:
            with ready:
                while not queue and not self.is_closed and self._servant is servant:
                    ready.wait()
                if self.is_closed or self._servant is not servant:
                    return
                self._busy = True
                args = queue.popleft()
            try:
                _call(self._callback, args, in_worker=True)
            except BaseException as e:  # a greenlet of the main thread, and who started it would drop it
                if not threads.patched_by():
                    raise
                from .green import raise_in_main

                raise_in_main(e)
            self._busy = False

    def close(self) -> None:
        """Drop what is queued and end the thread after the call that runs now. Does not wait for it."""
        self.is_closed = True
        threads.at_home(self._tell)

    def is_busy(self) -> bool:
        """Whether a call is queued or runs."""
        return self._busy or bool(self._queue)

    def is_alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread is not None and not self._thread.is_over

    def runs_in(self, ident: int | None) -> bool:
        """Whether its thread is the one with that number."""
        return self._thread is not None and self._thread.ident is not None and self._thread.ident == ident

    @property
    def ident(self) -> int | None:
        """The number of its thread; None as long as there is none."""
        return None if self._thread is None else self._thread.ident

    def join(self, timeout_s: float) -> None:
        """Wait until the thread has ended, at most so long; returns at once when called from that thread."""
        if self._thread is not None:
            self._thread.join(timeout_s)
