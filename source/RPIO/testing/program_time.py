# SPDX-License-Identifier: LGPL-3.0-or-later
"""The module ``time`` on a simulated board's clock, for programs under test. See rpio_time in RPIO.pytest_plugin.

In the thread of the test, sleep() moves the board's clock, and each look at the clock or at a level moves it by a
microsecond, so that a loop that waits for either gets there. In any other thread sleep() waits until the test's
thread has moved the clock so far; the clock stands while such a thread is awake, at most PATIENCE_S of real time.
"""

from __future__ import annotations

import sys
import threading
import time
from weakref import WeakSet

from .world import TestIsOver

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from threading import Thread
    from types import ModuleType

    from .world import SimulatedBoard

CLOCKS = ("time", "monotonic", "perf_counter")
PATIENCE_S = 0.2
REAL_TIME_FOR = frozenset(
    {
        *("asyncio", "concurrent", "logging", "multiprocessing", "selectors", "subprocess", "threading"),
        *("_pytest", "coverage", "hypothesis", "pluggy", "pytest", "pytest_timeout", "xdist"),
        "RPIO",
    }
)
"""Packages that go on seeing the machine's time: they wait for real things, or measure tests."""

_real_sleep, _real_monotonic = time.sleep, time.monotonic


class ProgramTime:
    """What ``time`` is to a program while it is installed. *tick_us*: what each look costs, in microseconds."""

    def __init__(self, world: SimulatedBoard) -> None:
        self.tick_us = 1.0
        self._world = world
        self._clock = world.clock
        self._before: WeakSet[Thread] = WeakSet(threading.enumerate())
        self._elsewhere: WeakSet[Thread] = WeakSet()  # waits for something that is not the clock
        self._wakers: dict[int, threading.Event] = {}
        self._over = False
        self._fakes: dict[str, tuple[Callable[..., object], Callable[..., object]]] = {}
        for name in CLOCKS:
            start_ns = getattr(time, f"{name}_ns")() - self._clock.now_ns()
            self._add(f"{name}_ns", self._reading(f"{name}_ns", lambda ns: ns, start_ns))
            self._add(name, self._reading(name, lambda ns: ns / 1e9, start_ns))
        self._add("sleep", self._sleep)

    def _add(self, name: str, fake: Callable[..., object]) -> None:
        self._fakes[name] = (getattr(time, name), fake)

    # -- in and out ------------------------------------------------------------------------------

    def install(self) -> None:
        """Put the functions in place, where a module has said ``from time import sleep`` too."""
        self._exchange({id(real): fake for real, fake in self._fakes.values()})
        self._clock.before_moving = self._wait_for_threads
        self._world.spend = self.spend

    def remove(self) -> None:
        """Put the machine's own back, and end the threads that sleep."""
        self._exchange({id(fake): real for real, fake in self._fakes.values()})
        self._clock.before_moving = None
        self._world.spend = None
        self._over = True
        usual = threading.excepthook
        threading.excepthook = lambda args: None if args.exc_type is TestIsOver else usual(args)
        for thread in threading.enumerate():
            if thread.ident in self._wakers:
                self._wakers[thread.ident].set()
                thread.join(PATIENCE_S)
        threading.excepthook = usual

    @staticmethod
    def _exchange(others: dict[int, Callable[..., object]]) -> None:
        for module in _modules():
            names = vars(module)
            for name, value in list(names.items()):
                if id(value) in others:
                    names[name] = others[id(value)]

    # -- the functions ---------------------------------------------------------------------------

    def spend(self) -> None:
        """Let a look at the clock or at a level take its time."""
        if self._world.is_mine():
            self._clock.advance(round(self.tick_us * 1000))

    def _reading(self, name: str, unit: Callable[[int], float], start_ns: int) -> Callable[[], object]:
        real = getattr(time, name)

        def _read() -> object:
            if self._over or _wants_real_time():
                return real()
            self.spend()
            return unit(start_ns + self._clock.now_ns())

        _read.__name__ = _read.__qualname__ = name
        return _read

    def _sleep(self, seconds: float, /) -> None:
        if self._over or _wants_real_time():
            _real_sleep(seconds)
            return
        ns = round(seconds * 1e9)
        if ns < 0:
            raise ValueError("sleep length must be non-negative")
        if self._world.is_mine():
            self._clock.advance(max(ns, round(self.tick_us * 1000)))
        else:
            self._sleep_until(self._clock.now_ns() + ns)

    # -- other threads ---------------------------------------------------------------------------

    def _sleep_until(self, when_ns: int) -> None:
        """Sleep in a thread that is not the test's."""
        thread, waker = threading.current_thread(), threading.Event()

        def _wake() -> None:
            del self._wakers[ident], self._world.asleep[ident]
            waker.set()
            self._wait_for(thread)

        ident = threading.get_ident()
        self._clock.call_at(when_ns, _wake)
        self._elsewhere.discard(thread)
        self._wakers[ident] = waker
        self._world.asleep[ident] = when_ns
        waker.wait()
        if self._over:
            raise TestIsOver

    def _wait_for_threads(self) -> None:
        """Before the clock moves: until the program's threads sleep, or wait for something else."""
        if not self._world.is_mine():
            return
        for thread in threading.enumerate():
            if thread not in self._before:
                self._wait_for(thread)

    def _wait_for(self, thread: Thread) -> None:
        end_s = _real_monotonic() + PATIENCE_S
        while thread.is_alive() and not self._is_idle(thread):
            if _real_monotonic() > end_s:
                self._elsewhere.add(thread)
            else:
                _real_sleep(0.0001)

    def _is_idle(self, thread: Thread) -> bool:
        if thread.ident in self._world.asleep or thread in self._elsewhere:
            return True
        return any(worker.runs_in(thread.ident) and not worker.is_busy() for worker in self._world.workers())


def _modules() -> Iterator[ModuleType]:
    """``time`` itself, and the modules that are neither Python's own nor of those with real time."""
    yield time
    for name, module in list(sys.modules.items()):
        package = name.partition(".")[0]
        if (
            package not in sys.stdlib_module_names
            and package not in REAL_TIME_FOR
            and hasattr(module, "__dict__")
        ):
            yield module


def _wants_real_time() -> bool:
    """Whether the module that called the caller is one that should see the machine's time."""
    name = sys._getframe(2).f_globals.get("__name__") or ""
    return name.partition(".")[0] in REAL_TIME_FOR
