# SPDX-License-Identifier: LGPL-3.0-or-later
"""Timed tasks on the lines of a board: a queue for each line, one task after the other, all lines at the same time.

A task that has a time occupies its line for so long, and what follows begins when that is over: at the planned moment,
however late its end was noticed, so that times add up. The line is off then, unless the next task begins at once. One
without a time is done at once, and what it has begun goes on until the next. In the mode "nowait" a new task ends the
one that is running; nothing waits then.

What was accepted is done: when a client goes, its tasks go on to their ends, and then its lines are off and given back.
What the board's rules forbid when its time has come is a task that has failed, and the next one goes on. While a line
has a queue it is that queue's, and busy for everybody else.

There is one thread, that of the loop, and one timer.
"""

from __future__ import annotations

from errno import EBUSY
from itertools import count
from time import monotonic_ns

from .. import errors, log
from .._gpio import Timer
from ..board.declared import Owner
from ..board.undoing import do_all
from ..loop.masks import READ
from ..wire.terms import NAME
from .devices import LeasedLine
from .queues import CANCELLED, DONE, FAILED, MODES, NOWAIT, WAIT, Task, TaskPin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from ..board.leases import Leases
    from ..loop.dispatcher import Dispatcher

__all__ = ["CANCELLED", "DONE", "FAILED", "MODES", "NOWAIT", "WAIT", "Task", "TaskPin", "Tasks"]

SOON_NS, REST_MAX_NS = 1_000, 10**17
RETRY_NS = 10**9
NS_PER_S, NS_PER_MS = 1_000_000_000, 1_000_000


class Tasks:
    """All queues of a board. *now_ns* is the clock of their times."""

    def __init__(
        self, leases: Leases, loop: Callable[[], Dispatcher], now_ns: Callable[[], int] = monotonic_ns
    ) -> None:
        self._leases, self._loop, self.now_ns = leases, loop, now_ns
        self._pins: dict[int, TaskPin] = {}
        self._clients: dict[int, Owner] = {}
        self._numbers = count(1)
        self._timer: Timer | None = None
        self._is_ticking = self._is_closed = False
        self._armed_ns: int | None = None

    # -- for clients -----------------------------------------------------------------------------

    def pin(self, client: Owner, line: int, mode: str = WAIT) -> TaskPin:
        """Return the queue of a line, which is taken as an output that is off where the client has none there yet.

        Raises:
            LineBusyError: somebody else has the line, or the client's own queue is being closed. ValueError: the mode
            is none. InvalidChannelException, ReadOnlyError...: what the board says.
        """
        with self._leases.lock:
            pin = self._pins.get(line)
            if pin is None or self._clients[line] is not client:
                return self._open(client, line, mode)  # which says who has it
            if pin.is_closing:
                raise errors.LineBusyError(
                    EBUSY, f"GPIO {line} is being closed", hint="wait until its last task has ended"
                )
            return pin

    def _open(self, client: Owner, line: int, mode: str) -> TaskPin:
        if mode not in MODES:
            raise ValueError(f"a mode is one of {', '.join(MODES)}, not {mode!r}")
        self._have_timer()
        owner = Owner(f"tasks of {client.name}"[: NAME.most])
        device = LeasedLine(self._leases, owner, line)

        def free() -> None:
            """It has been given back."""
            if self._pins.get(line) is made:
                self._pins.pop(line, None)
                self._clients.pop(line, None)

        made = TaskPin(line, mode, device, self._leases.lock, self._numbers, self.now_ns, self._arm, free)
        self._clients[line] = client
        self._pins[line] = made
        return made

    def leave(self, client: Owner) -> None:
        """The client has gone: every task that it was told is accepted is done still, then its lines are given back."""
        with self._leases.lock:
            do_all(*[pin.leave for pin in self._of(client)])

    def cancel_all(self, client: Owner, text: str = "its client has been turned out") -> None:
        """Take back all tasks of a client: its lines are off."""
        with self._leases.lock:
            do_all(*[lambda pin=pin: pin.cancel_all(text) for pin in self._of(client)])

    def end(self, client: Owner, line: int) -> None:
        """Take back all tasks of a client's line, and give it back; nothing where the client has none there."""
        with self._leases.lock:
            if self._clients.get(line) is client:
                self._pins[line].end("the line was given back")

    def _of(self, client: Owner) -> list[TaskPin]:
        return [pin for line, pin in list(self._pins.items()) if self._clients.get(line) is client]

    # -- for everybody ---------------------------------------------------------------------------

    def lines_of(self, numbers: Collection[int]) -> set[int]:
        """The lines of tasks, but for those that have ended, or never were."""
        with self._leases.lock:
            return self._lines_of(numbers)

    def _lines_of(self, numbers: Collection[int]) -> set[int]:
        return {line for line, pin in self._pins.items() if pin.has(numbers)}

    def cancel(self, numbers: Collection[int], who: str) -> set[int]:
        """Take tasks back, in the name of *who*: those that wait are never begun, one that runs ends, and its line is
        off or goes on with the next that is left. Return those that there were.
        """
        wanted, gone = set(numbers), set()
        with self._leases.lock:
            for pin in list(self._pins.values()):
                gone.update(pin.cancel(wanted, f"by {who}"))
        return gone

    def listed(self) -> list[tuple[int, int, str, str, int, int, str]]:
        """Of each task that has not ended: its number, line, name, whether it waits, runs or goes on, its time and what
        is left of that in milliseconds, and whose it is.
        """
        with self._leases.lock:
            now_ns, rows = self.now_ns(), []
            for line, pin in sorted(self._pins.items()):
                name = self._clients[line].name
                rows += [self._row(task, line, state, now_ns, name) for task, state in pin.listed()]
            return rows

    @staticmethod
    def _row(
        task: Task, line: int, state: str, now_ns: int, client: str
    ) -> tuple[int, int, str, str, int, int, str]:
        left_ns = max(0, task.ends_ns - now_ns) if task.begun_ns and task.time_ns else task.time_ns
        return task.number, line, task.name, state, task.time_ns // NS_PER_MS, left_ns // NS_PER_MS, client

    # -- time ------------------------------------------------------------------------------------

    def due_ns(self) -> int | None:
        """When tick() has something to do."""
        times = [pin.wakes_ns for pin in self._pins.values()]
        return min([time for time in times if time is not None], default=None)

    def tick(self) -> None:
        """Do what is due. From the loop's thread."""
        with self._leases.lock:
            self._is_ticking = True
            try:
                now_ns = self.now_ns()
                do_all(*[lambda pin=pin: pin.tick(now_ns) for pin in self._due(now_ns)])
            finally:
                self._is_ticking, self._armed_ns = False, None
        self._arm()

    def _due(self, now_ns: int) -> list[TaskPin]:
        pins = [(pin, pin.wakes_ns) for pin in self._pins.values()]
        return [pin for pin, wakes_ns in pins if wakes_ns is not None and wakes_ns <= now_ns]

    def _have_timer(self) -> None:
        loop = self._loop()
        if self._timer is None:
            self._timer = Timer()
        timer = self._timer
        if timer.fileno() >= 0 and not loop.has(timer.fileno()):  # also where that has failed before
            loop.add(timer.fileno(), self._on_timer, READ, lambda: self._is_closed)

    def _arm(self) -> None:
        """Set the timer. It may ring for nothing, and never too late."""
        due_ns, timer = self.due_ns(), self._timer
        if due_ns is None or self._is_ticking or timer is None or timer.fileno() < 0:
            return
        if self._armed_ns is None or due_ns < self._armed_ns:
            self._armed_ns = due_ns
            timer.start(min(max(SOON_NS, due_ns - self.now_ns()), REST_MAX_NS) / NS_PER_S)

    def _on_timer(self, events: int) -> None:
        timer = self._timer
        if timer is None or not timer.over():
            return
        try:
            self.tick()
        except (
            Exception
        ):  # a fault of ours, or no memory: without the timer nothing would ever be switched off
            log.callback_failed(self._on_timer)
            timer.start(RETRY_NS / NS_PER_S)
        except BaseException:  # of a signal handler: what is left is soon done
            timer.start(SOON_NS / NS_PER_S)
            raise

    # -- the end ---------------------------------------------------------------------------------

    def close(self) -> None:
        """Take back everything: all lines are off, and free. Twice is fine."""
        self._is_closed = True
        text = "whoever serves has ended"
        do_all(*[lambda pin=pin: pin.end(text) for pin in list(self._pins.values())], self._close_timer)

    def _close_timer(self) -> None:
        timer = self._timer
        if timer is not None and timer.fileno() >= 0:
            do_all(lambda: self._leave_loop(timer.fileno()), timer.close)

    def _leave_loop(self, fd: int) -> None:
        loop = self._loop()
        if loop.has(fd):
            loop.remove(fd)

    def abandon(self) -> None:
        """Close the descriptor alone, in the child of a fork."""
        if self._timer is not None:
            self._timer.close()
