# SPDX-License-Identifier: LGPL-3.0-or-later
"""The simulated board on which everything is interrupted, and what has to be true of it after cleanup()."""

from __future__ import annotations

import gc
import logging
import os
import sys
import threading
from collections import Counter

import RPIO
from interrupted.moments import Interrupted
from RPIO import constants, facade
from RPIO.backends.sim import SimBackend
from RPIO.backends.sim_time import ManualClock
from RPIO.errors import GPIOError
from RPIO.machine.boards import by_name
from waiting import wait_until as _wait_until

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from interrupted.calls import Call
    from RPIO.backends import Backend

PIN = 17
RLock = type(threading.RLock())
PATIENCE_S = float(os.environ.get("RPIO_INTERRUPTED_PATIENCE_S", "20"))
"""For a thread that is on its way out: it comes at once."""


def wait_until(done: Callable[[], bool]) -> bool:
    """As support's."""
    return bool(_wait_until(done, PATIENCE_S))


def descriptors() -> list[str]:
    """What the process has open. Not the loop's ring, which comes and goes with the thread that waits."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{name}"))
        except OSError:
            continue  # that of the listing
    return sorted(name for name in found if name != "anon_inode:[io_uring]" and not name.startswith("/proc"))


def threads() -> set[threading.Thread]:
    """Those that run. Python keeps what it has made for a thread that is none of its own, also when that has ended."""
    alive = sys._current_frames()
    return {thread for thread in threading.enumerate() if thread.ident in alive}


def locks() -> dict[str, threading.RLock]:
    """Those of everybody, ours and Python's: what modules have, and the handlers of logging."""
    found = {f"a handler of logging's, {handler()!r}": handler().lock for handler in logging._handlerList}
    for name, module in list(sys.modules.items()):
        found |= {f"{name}.{key}": value for key, value in vars(module).items() if isinstance(value, RLock)}
    return {name: lock for name, lock in found.items() if lock is not None}


def c_threads() -> list[str]:
    """Those of the C core, by their names."""
    found = []
    for number in os.listdir("/proc/self/task"):
        try:
            with open(f"/proc/self/task/{number}/comm", encoding="utf-8") as file:
                found.append(file.read().strip())
        except OSError:
            continue  # it has just ended
    return [name for name in found if name in ("rpio-pwm", "RPIO sysfs")]


class World:
    """A board, used once so that everything is loaded; *row* is the row of the table that is about to be tried.

    Whether the program can begin anew is asked at each *anew_each*-th check, and at the end. It costs more than all the
    rest of a check, since threads start and end; and what is broken then stays broken.
    """

    def __init__(self, row: Call, anew_each: int = 1) -> None:
        gc.collect()
        facade.new_board()
        others = threads()  # of other tests' boards, too, which end when they like
        self.row = row
        self._anew_each = anew_each
        self._checks = 0
        self.use(self.open_backend())
        self.things: dict[str, object] = {}
        for _ in range(2):
            self.prepare()
            self.call()
            self.end()
            self.begin_anew()
        assert wait_until(lambda: not facade.board.dispatcher.is_busy)
        assert wait_until(lambda: not any("timerfd" in name for name in self.open_files())), (
            "PWM's thread stays"
        )
        self.threads = others | {thread for thread in threads() if not thread.name.startswith("RPIO")}
        self.descriptors = self.open_files()
        self.locks = locks()

    # -- the machine, and what is seen of it from outside ----------------------------------------------------

    backend: Backend
    hardware = by_name("4B")

    def open_backend(self) -> Backend:
        """A backend of this machine."""
        return SimBackend(self.hardware, ManualClock())

    def use(self, backend: Backend) -> None:
        """Have the board drive that."""
        self.backend = backend
        facade.board.use(backend, self.hardware)

    def drive(self, line: int, level: int | None) -> None:
        """Hold a line from outside; None lets go."""
        self.backend.drive(line, level)  # type: ignore[attr-defined]

    def driven(self) -> list[int]:
        """The lines that drive their pins."""
        lines = self.backend._lines  # type: ignore[attr-defined]
        return [number for number, line in enumerate(lines) if line.function != constants.IN]

    def watched(self) -> list[int]:
        """The lines of which edges are asked for."""
        return [number for number, line in enumerate(self.backend._lines) if line.watch]  # type: ignore[attr-defined]

    def handlers(self) -> set[int]:
        """The descriptors that the loop has for others."""
        loop = facade.board.dispatcher
        return set(loop._tokens) - ({loop._bell.reader} if loop._bell is not None else set())

    def open_files(self) -> list[str]:
        """What the process has open."""
        return descriptors()

    def is_closed(self) -> bool:
        """Whether nothing more is open than at the beginning. What asyncio leaves half made goes with the garbage."""
        if _wait_until(lambda: not self._more_files(), 0.01):
            return True
        gc.collect()
        return not self._more_files()

    def _more_files(self) -> Counter[str]:
        return Counter(self.open_files()) - Counter(self.descriptors)

    # -- what a program does ---------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Do what a program has done before the call."""
        for step in self.row.before:
            step(self.things)

    def call(self) -> object:
        """The call itself."""
        return self.row.call(self.things)

    def end(self) -> None:
        """What a program does at its end; it may say so twice."""
        vars(self.backend).pop("watch", None)
        RPIO.stop_waiting_for_interrupts()
        RPIO.cleanup()
        RPIO.PWM.cleanup()
        for step in self.row.after:
            step(self.things)
        self.things.clear()
        RPIO.cleanup()

    def check(self, error: BaseException | None) -> None:
        """Clean up; then nothing is left of what was interrupted, and the program can begin anew."""
        assert error is None or type(error) is Interrupted, repr(error)
        self.end()
        self.check_books()
        self._checks += 1
        if self._checks % self._anew_each == 0:
            self.begin_anew()

    def check_any(self, error: BaseException | None) -> None:
        """The same after a handler that has cleaned up: what the call needs may be gone before it comes to it."""
        assert error is None or isinstance(error, (GPIOError, OSError, RuntimeError, ValueError)), repr(error)
        self.check(None)

    def check_books(self) -> None:
        """What is registered, driven and held: nothing."""
        board = facade.board
        assert not self.driven(), f"still driven: {self.driven()}"
        held = [name for name, lock in self.locks.items() if lock._is_owned()]
        assert not held, f"for all other threads it is locked: {held}"
        assert not len(board.watched), "still watched"
        assert not board.waiting.has_ports, "still served"
        assert not board.book.directions and not board.book.owned and not board.book.taken
        pulses = board.made_pulses
        assert pulses is None or not pulses.drives.book, f"still pulsed: {pulses.drives.book}"
        assert not self.watched(), f"edges still asked for: {self.watched()}"
        limited = [line for line in range(28) if self.backend.limit_left(line) is not None]
        assert not limited, f"there are limits of {limited}"
        for lock in (board.lock, getattr(self.backend, "_lock", board.lock), board.dispatcher._lock):
            assert not lock._is_owned(), "a lock is held"
        assert wait_until(lambda: not board.dispatcher.is_busy), "the loop goes on"
        assert wait_until(lambda: not c_threads()), c_threads()
        assert wait_until(self.is_closed), f"still open: {self._more_files()}"
        assert wait_until(lambda: not threads() - self.threads), threads() - self.threads
        assert not self.handlers(), f"still in the loop: {self.handlers()}"

    def begin_anew(self) -> None:
        """The next program in the same process works, and hears its edges."""
        heard = threading.Lock()
        heard.acquire()
        RPIO.setup(22, RPIO.OUT, initial=1)
        assert self.backend.function(22) == constants.OUT
        RPIO.setup(PIN, RPIO.IN, pull_up_down=RPIO.PUD_UP)
        self.drive(PIN, None)
        RPIO.add_event_detect(PIN, RPIO.FALLING, lambda channel: heard.release())
        self.drive(PIN, 0)
        assert heard.acquire(timeout=20), "no edge came"
        self.drive(PIN, None)
        RPIO.cleanup()

    def close(self) -> None:
        """Back to no board."""
        vars(self.backend).pop("watch", None)
        facade.new_board()
