# SPDX-License-Identifier: LGPL-3.0-or-later
"""The simulated board on which everything is interrupted, and what has to be true of it after cleanup()."""

from __future__ import annotations

import os
import threading

import RPIO
from interrupted.moments import Interrupted
from RPIO import facade, model
from RPIO.backends.clock import ManualClock
from RPIO.backends.sim import SimBackend
from RPIO.boards import by_name
from RPIO.errors import GPIOError
from support import wait_until as _wait_until

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from interrupted.calls import Call

PIN = 17
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


class World:
    """A board, used once so that everything is loaded; *call* is the row of the table that is about to be tried."""

    def __init__(self, row: Call) -> None:
        facade.new_board()
        self.row = row
        self.backend = SimBackend(by_name("4B"), ManualClock())
        facade.board.use(self.backend, self.backend.hardware)
        self.things: dict[str, object] = {}
        for _ in range(2):
            self.prepare()
            self.call()
            self.end()
            self.begin_anew()
        assert wait_until(lambda: not facade.board.dispatcher.is_busy)
        self.threads = {thread for thread in threading.enumerate() if not thread.name.startswith("RPIO")}
        self.descriptors = descriptors()

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
        self.begin_anew()

    def check_any(self, error: BaseException | None) -> None:
        """The same after a handler that has cleaned up: what the call needs may be gone before it comes to it."""
        assert error is None or isinstance(error, (GPIOError, OSError, RuntimeError, ValueError)), repr(error)
        self.check(None)

    def check_books(self) -> None:
        """What is registered, driven and held: nothing."""
        board = facade.board
        outputs = [line.net for line in self.backend._lines if line.function != model.IN]
        assert not outputs, f"still driven: {outputs}"
        assert not len(board._watched), "still watched"
        assert not board.has_ports, "still served"
        assert not board._directions and not board._owned and not board._taken
        assert not board.pulses._book, f"still pulsed: {board.pulses._book}"
        assert not any(line.watch for line in self.backend._lines), "edges still asked for"
        for lock in (board._lock, self.backend._lock, board.dispatcher._lock):
            assert not lock._is_owned(), "a lock is held"
        assert wait_until(lambda: not board.dispatcher.is_busy), "the loop goes on"
        assert wait_until(lambda: descriptors() == self.descriptors), (self.descriptors, descriptors())
        assert wait_until(lambda: not set(threading.enumerate()) - self.threads), threading.enumerate()
        assert not board.dispatcher.has_handlers, board.dispatcher._tokens

    def begin_anew(self) -> None:
        """The next program in the same process works, and hears its edges."""
        heard = threading.Lock()
        heard.acquire()
        RPIO.setup(22, RPIO.OUT, initial=1)
        assert self.backend.function(22) == model.OUT
        RPIO.setup(PIN, RPIO.IN, pull_up_down=RPIO.PUD_UP)
        self.backend.drive(PIN, None)
        RPIO.add_event_detect(PIN, RPIO.FALLING, lambda channel: heard.release())
        self.backend.drive(PIN, 0)
        assert heard.acquire(timeout=20), "no edge came"
        self.backend.drive(PIN, None)
        RPIO.cleanup()

    def close(self) -> None:
        """Back to no board."""
        vars(self.backend).pop("watch", None)
        facade.new_board()
