# SPDX-License-Identifier: LGPL-3.0-or-later
"""The loop of a program whose threads are greenlets, by gevent or eventlet. Imported where there is such a patch.

The loop waits in a thread of Python's own, as always: edges are read, and event_detected() tells of them, even while
the greenlets are busy. Callbacks are handed to the hub of the greenlets, one after the other as the loop comes to them,
and the loop goes on when they have returned; each runs in a greenlet of its own, and may sleep there, emit to a socket,
or wait for an edge. A threaded callback is one greenlet.

The hub is that of the thread in which the loop is first wanted: the main one, in most programs.
"""

from __future__ import annotations

import os
from _thread import RLock
from collections import deque
from importlib import import_module

from .. import threads
from .dispatcher import Dispatcher
from .masks import READ
from .runs import Run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from .._gpio import EdgeEvent, Poller

    Call = Callable[..., object]

TURN_STEP_S = 0.001
"""How often a greenlet that wants the loop asks for it, while another is on its way out."""


class Gevent:
    """What is needed of gevent."""

    def __init__(self) -> None:
        gevent, select = import_module("gevent"), import_module("gevent.select")
        self.spawn: Call = gevent.spawn
        self.current: Call = gevent.getcurrent
        self.sleep: Call = gevent.sleep
        self._poll: Any = select.poll

    def wait_readable(self, fds: Sequence[int], timeout_s: float | None) -> bool:
        """Let the other greenlets run until one descriptor is readable; False after the timeout."""
        poll = self._poll()
        for fd in fds:
            poll.register(fd, READ)
        return bool(poll.poll(None if timeout_s is None else timeout_s * 1000))


class Eventlet:
    """The same of eventlet."""

    def __init__(self) -> None:
        eventlet, select = import_module("eventlet"), import_module("eventlet.green.select")
        self.spawn: Call = eventlet.spawn
        self.current: Call = eventlet.getcurrent
        self.sleep: Call = eventlet.sleep
        self._select: Any = select.select

    def wait_readable(self, fds: Sequence[int], timeout_s: float | None) -> bool:
        """As Gevent's."""
        return bool(self._select(fds, [], [], timeout_s)[0])


def library() -> Gevent | Eventlet:
    """Return the one that has replaced the program's threads."""
    return Gevent() if threads.patched_by() == "gevent" else Eventlet()


def raise_in_main(error: BaseException) -> None:
    """Have the main greenlet get an exception that is for it: SystemExit, KeyboardInterrupt."""

    library().spawn(_raise, error)  # the hub passes it on


def _raise(error: BaseException) -> None:
    raise error


class Hub:
    """The greenlets of one thread, for others: what is posted runs there.

    A greenlet of our own waits for it, as long as somebody serves this hub: it also keeps a hub that has nothing else
    to wait for from giving up.
    """

    def __init__(self) -> None:
        self.library = library()
        self.in_callback: object = None  # the greenlet that runs what call() has brought
        self._jobs: deque[tuple[Call, tuple[object, ...]]] = deque()
        self._lock = RLock()  # a signal handler may begin what it has interrupted
        self._servants = 0
        self._listens = self._closed = False
        self._fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def serve(self, function: Callable[[], object]) -> None:
        """Call it in a thread of Python's own, which then serves this hub."""
        with self._lock:
            self._servants += 1
            if not self._listens:
                self._listens = True
                self.library.spawn(self._run_jobs, self._fd)
        try:
            threads.start_new_thread(self._serve, (function,))
        except BaseException:
            self._put(self._leave)
            raise

    def _serve(self, function: Callable[[], object]) -> None:
        threads.homes[threads.get_ident()] = self
        try:
            function()
        finally:
            del threads.homes[threads.get_ident()]
            self._put(self._leave)

    def _leave(self) -> None:
        with self._lock:
            self._servants -= 1

    def _run_jobs(self, fd: int) -> None:
        while True:
            self.library.wait_readable((fd,), None)
            if self._fd != fd:  # in the child of a fork, where nobody else may close what a hub listens to
                os.close(fd)
                return
            try:
                os.eventfd_read(fd)
            except BlockingIOError:
                continue
            while self._jobs:
                function, args = self._jobs.popleft()
                function(*args)
            with self._lock:
                if self._servants == 0:
                    self._listens = False
                    if self._closed:
                        os.close(fd)
                    return

    def _put(self, function: Call, *args: object) -> None:
        self._jobs.append((function, args))
        os.eventfd_write(self._fd, 1)

    def post(self, function: Call, *args: object) -> None:
        """Have it called in a greenlet of its own."""
        self._put(self.library.spawn, function, *args)

    def call(self, function: Call, *args: object) -> None:
        """Call it in a greenlet of its own and wait until it has returned. For a thread that serves this hub."""
        done = threads.allocate_lock()
        done.acquire()

        def serve() -> None:
            self.in_callback = self.library.current()
            try:
                function(*args)
            finally:
                self.in_callback = None
                done.release()

        self.post(serve)
        done.acquire()

    def close(self) -> None:
        """Close the descriptor as soon as nobody serves this hub any more; nothing is posted after that."""
        with self._lock:  # not before: gevent's loop would not see that nothing is left to wait for
            if not self._listens and not self._closed:
                os.close(self._fd)
            self._closed = True

    def abandon(self) -> None:
        """In the child of a fork, which has neither the threads nor what they posted."""
        if not self._listens:
            os.close(self._fd)  # else that greenlet does: the hub may listen to nothing that is closed
        self._fd = -1
        threads.homes.clear()


class GreenDispatcher(Dispatcher):
    """A loop whose callbacks are greenlets, and for which greenlets wait without keeping the others from running."""

    def __init__(self, poller: Poller, on_edge: Callable[[EdgeEvent], object]) -> None:
        super().__init__(poller, on_edge)
        self._hub = Hub()

    def _start(self, target: Callable[[], object]) -> threads.Started:
        started = threads.Started(target, threads.allocate_lock())
        self._hub.serve(started.run)
        return started

    def run(self) -> None:
        """Dispatch until stop(); the other greenlets go on meanwhile.

        Raises:
            AlreadyRunningError: it runs already, in this greenlet or another.
        """
        ended, failures = threads.lock_of_program(), list[BaseException]()
        ended.acquire()

        def serve(run: Run) -> None:
            try:
                self._step_until_stopped(run)
            except BaseException as e:
                failures.append(e)
            finally:
                threads.at_home(ended.release)

        self._run_in_thread(serve)
        try:
            ended.acquire()
        except BaseException:  # Ctrl+C, or somebody ends this greenlet
            self.stop()
            raise
        if failures:
            raise failures[0]

    @property
    def in_loop(self) -> bool:
        """Whether the caller is a callback, or the thread of the loop itself."""
        callback = self._hub.in_callback
        return super().in_loop or (callback is not None and callback is self._hub.library.current())

    def _wait_for_leaver(self, timeout_s: float) -> None:
        end_ns = self.now_ns() + int(timeout_s * 1e9)
        while not self._left.acquire(blocking=False) and self.now_ns() < end_ns:
            self._hub.library.sleep(TURN_STEP_S)

    def wait_readable(self, fds: Sequence[int], timeout_s: float | None) -> bool:
        """As Dispatcher's, while other greenlets go on."""
        return self._hub.library.wait_readable(fds, timeout_s)

    def close(self) -> None:
        """As Dispatcher's."""
        super().close()
        self._hub.close()

    def abandon(self) -> None:
        """As Dispatcher's."""
        self._hub.abandon()
        super().abandon()
