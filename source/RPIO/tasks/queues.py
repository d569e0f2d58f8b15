# SPDX-License-Identifier: LGPL-3.0-or-later
"""The queue of one line: what runs there, what waits behind it, and what it does when its time has come."""

from __future__ import annotations

from collections import deque
from errno import EBUSY, ENOBUFS

from .. import errors, log
from .courses import CLOSE, COURSES, checked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import RLock
    from collections.abc import Callable, Collection, Iterator
    from typing import Protocol

    from .courses import Course, Step

    OnEnd = Callable[["Task", str, str], object]

    class Device(Protocol):
        """What drives the line."""

        def drive(self, share: float) -> None:
            """Have it be so much of full power."""

        def foresee(self, share: float | None, after_ns: int) -> None:
            """Have it be so after so long, even where nobody comes then; None for nothing."""

        @property
        def is_sure(self) -> bool:
            """Whether that is done, where its time has come."""

        def give_back(self) -> None:
            """It is free."""


WAIT, NOWAIT = "wait", "nowait"
MODES = (WAIT, NOWAIT)
WAITING_MAX = 1024
"""Tasks that wait at one line."""
DONE, CANCELLED, FAILED = "done", "cancelled", "failed"
WAITS, RUNS, GOES_ON = "waits", "runs", "goes-on"
SLIP_NS = 20_000_000
"""What begins later than that, or than a quarter of its time, has its whole time from then on; else what is planned
stays: a pulse is rather late than too short, and times add up all the same.
"""
BEHIND_NS = 500_000
"""So long after the C timer the loop comes: if both woke up at once, the one would be in the other's way."""
NOTHING: Course = iter(())
"""The course of a line where nothing goes on."""


def begun_ns(due_ns: int, now_ns: int, time_ns: int) -> int:
    """When something has begun that was due then, begins now, and lasts so long."""
    return due_ns if now_ns - due_ns <= min(SLIP_NS, time_ns // 4) else now_ns


class Task:
    """One task of a line. *number* is of all tasks of the board; *time_ns* is 0 for what is done at once."""

    __slots__ = ("arg1", "arg2", "begun_ns", "name", "number", "on_end", "time_ns")

    def __init__(
        self, number: int, name: str, time_ns: int, arg1: float, arg2: float, on_end: OnEnd | None
    ) -> None:
        self.number, self.name, self.time_ns = number, name, time_ns
        self.arg1, self.arg2, self.on_end = arg1, arg2, on_end
        self.begun_ns = 0

    def course(self, share: float) -> Course:
        """What it does, from what was before."""
        make, _, _ = COURSES[self.name]
        return make(share, self.arg1, self.arg2)

    @property
    def ends_ns(self) -> int:
        """When it is over, of one that has begun."""
        return self.begun_ns + self.time_ns

    def tell(self, how: str, text: str = "") -> None:
        """Say once how it has ended."""
        on_end, self.on_end = self.on_end, None
        if on_end is not None:
            try:
                on_end(self, how, text)
            except Exception:
                log.callback_failed(on_end)


class TaskPin:
    """The queue of a line. *numbers* gives each task its number; *on_change* is called when ``due_ns`` may be another,
    *on_free* when the line has been given back.
    """

    def __init__(
        self,
        line: int,
        mode: str,
        device: Device,
        lock: RLock,
        numbers: Iterator[int],
        now_ns: Callable[[], int],
        on_change: Callable[[], object],
        on_free: Callable[[], object],
    ) -> None:
        if mode not in MODES:
            raise ValueError(f"a mode is one of {', '.join(MODES)}, not {mode!r}")
        self.line, self.mode = line, mode
        self._device, self._lock, self._numbers, self._now_ns = device, lock, numbers, now_ns
        self._on_change, self._on_free = on_change, on_free
        self.waiting: deque[Task] = deque()
        self.running: Task | None = None
        """What occupies the line until its time is over."""
        self.going_on: Task | None = None
        """What has been done at once, and goes on until the next."""
        self.is_closing = False
        """It takes no more tasks, and is given back behind the last one."""
        self.is_left = False
        """Its client has gone: the same, and whatever goes on ends."""
        self.due_ns: int | None = None
        """When tick() has something to do."""
        self._course: Course = NOTHING
        self._coming: Step | None = None  # the step of the course behind this one
        self._foreseen: tuple[int, float | None] | None = None
        self._share = 0.0
        self._is_free = False
        self._log = log.Sparing()

    # -- tasks come ------------------------------------------------------------------------------

    def add(
        self,
        name: str,
        time_ms: float = 0.0,
        arg1: float | None = None,
        arg2: float | None = None,
        on_end: OnEnd | None = None,
    ) -> Task:
        """Accept a task: it will be done. *on_end* is called with it, "done", "cancelled" or "failed", and why.

        Raises:
            ValueError, TypeError: it is none. LineBusyError: the line is being closed. OSError (ENOBUFS): it is full.
        """
        time_ns, first, second = checked(name, time_ms, arg1, arg2)
        with self._lock:
            self._check_room()
            task = Task(next(self._numbers), name, time_ns, first, second, on_end)
            if name == CLOSE:
                self.is_closing = True
            elif self.mode == NOWAIT:
                self._interrupt(f"{name} has taken its place")
            self.waiting.append(task)
            self._begin_now()
            self._has_changed()
        return task

    def _check_room(self) -> None:
        if self.is_closing or self.is_left:
            raise errors.LineBusyError(
                EBUSY,
                f"GPIO {self.line} is being closed: it takes no more tasks",
                hint="wait until its last one has ended, and open it again",
            )
        if len(self.waiting) >= WAITING_MAX:
            raise OSError(
                ENOBUFS, f"{WAITING_MAX} tasks of GPIO {self.line} are waiting: this one is not taken"
            )

    def _interrupt(self, text: str) -> None:
        """End what runs; its level stays for what comes now."""
        task, self.running = self.running, None
        if task is not None:
            task.tell(CANCELLED, text)

    # -- time passes -----------------------------------------------------------------------------

    def tick(self, now_ns: int) -> None:
        """Do what is due."""
        while self.due_ns is not None and self.due_ns <= now_ns:
            due_ns = self.due_ns
            task = self.running
            is_done = self._foreseen == (due_ns, self._share_at_due()) and self._device.is_sure
            self._go_on(task, due_ns, due_ns if is_done else now_ns)
        self._foresee(now_ns)

    def _go_on(self, task: Task | None, due_ns: int, now_ns: int) -> None:
        if task is not None and task.ends_ns <= due_ns:
            self.running, self._course = None, NOTHING
            task.tell(DONE)
            self._begin_waiting(due_ns, now_ns)
            self._rest()
        elif not self._step(due_ns, now_ns):
            self._begin_waiting(due_ns, now_ns)
            self._rest()

    @property
    def wakes_ns(self) -> int | None:
        """When tick() is wanted: behind the C timer, where that writes what is due."""
        if self.due_ns is None or self._foreseen is None or not self._device.is_sure:
            return self.due_ns
        return self.due_ns + BEHIND_NS

    def _share_at_due(self) -> float | None:
        """What is to be driven next; None where that is not known yet."""
        task = self.running
        if task is None or self.due_ns != task.ends_ns:
            return self._coming[0] if self._coming is not None else None
        if not self.waiting:
            return 0.0
        behind = self.waiting[0]
        if behind.name == CLOSE:
            return 0.0
        if not behind.time_ns and len(self.waiting) > 1:
            return None  # several at one moment, each of which is to be seen
        return next(behind.course(self._share))[0]

    def _foresee(self, now_ns: int) -> None:
        """Have what comes next come in time, even where this program is kept from it then."""
        due_ns = self.due_ns
        foreseen = None if due_ns is None else (due_ns, self._share_at_due())
        if foreseen != self._foreseen:
            self._foreseen = foreseen
            if foreseen is None:
                self._device.foresee(None, 0)
            else:
                self._device.foresee(foreseen[1], foreseen[0] - now_ns)

    def _has_changed(self) -> None:
        if not self._is_free:
            self._foresee(self._now_ns())
        self._on_change()

    def _begin_waiting(self, due_ns: int, now_ns: int) -> None:
        """Begin what waits: all that is done at once, up to one that takes time."""
        while self.waiting and self.running is None:
            self._begin(self.waiting.popleft(), due_ns, now_ns)

    def _begin_now(self) -> None:
        if self.running is None:
            now_ns = self._now_ns()
            self._begin_waiting(now_ns, now_ns)

    def _begin(self, task: Task, due_ns: int, now_ns: int) -> None:
        if task.name == CLOSE:
            self.give_back()
            task.tell(DONE)
            return
        task.begun_ns = begun_ns(due_ns, now_ns, task.time_ns)
        self._course, self._coming = task.course(self._share), None
        self.running, self.going_on = (task, None) if task.time_ns else (None, task)
        if self._step(due_ns, now_ns) and self.going_on is task:
            task.tell(DONE)

    def _step(self, due_ns: int, now_ns: int) -> bool:
        """The next step of the course; False where it has failed, and what runs with it."""
        share, lasts_ns = self._coming or next(self._course)
        self._coming = next(self._course) if lasts_ns is not None else None
        times_ns = [] if lasts_ns is None else [begun_ns(due_ns, now_ns, lasts_ns) + lasts_ns]
        if self.running is not None:
            times_ns.append(self.running.ends_ns)
        self.due_ns = min(times_ns, default=None)
        try:
            self._drive(share)
        except Exception as e:
            self._has_failed(e)
            return False
        self._share = share
        return True

    def _drive(self, share: float) -> None:
        if self._foreseen is not None:
            self._foreseen = None
            self._device.foresee(None, 0)  # first: a timer that is late would write over what comes now
        self._device.drive(share)

    def _has_failed(self, error: Exception) -> None:
        if not errors.is_refusal(error):
            log.callback_failed(self._device.drive)  # a fault of ours: the others go on
        task = self.running or self.going_on
        self.running, self.going_on, self._course, self.due_ns = None, None, NOTHING, None
        if task is not None:
            text = (error.strerror if isinstance(error, OSError) else None) or str(error)
            self._log.warning(task.name, "%s of GPIO %d has failed: %s", task.name, self.line, text)
            task.tell(FAILED, text)
        self._off()

    def _rest(self) -> None:
        """Nothing waits perhaps: then the line is off, where nothing goes on, and given back where nobody wants it."""
        if self.running is None and not self._is_free and (self._course is NOTHING or self.is_left):
            self._course, self.going_on, self.due_ns = NOTHING, None, None
            if self.is_left:
                self.give_back()
            else:
                self._off()

    def _off(self) -> None:
        self._share = 0.0
        try:
            self._drive(0.0)
        except (errors.GPIOError, OSError) as e:
            self._log.warning("off", "GPIO %d is not off behind its tasks: %s", self.line, e)

    # -- ending ----------------------------------------------------------------------------------

    def give_back(self) -> None:
        """Off, and free. Twice is fine."""
        if self._is_free:
            return
        self.is_closing = self._is_free = True
        self._course, self.going_on, self.due_ns = NOTHING, None, None
        self._off()
        try:
            self._device.give_back()
        finally:
            self._on_free()

    def leave(self) -> None:
        """Its client has gone: every task that was accepted is done still."""
        with self._lock:
            self.is_left = True
            self._rest()
            self._has_changed()

    def cancel(self, numbers: Collection[int], text: str) -> list[int]:
        """Take tasks back: those that wait are never begun, not even for a moment, and one that runs or goes on ends.
        Return those that there were.
        """
        with self._lock:
            gone = self._among(numbers)
            if gone:
                self._take_back(gone, text)
        return [task.number for task in gone]

    def has(self, numbers: Collection[int]) -> bool:
        """Whether one of these tasks has not ended."""
        return bool(self._among(numbers))

    def _among(self, numbers: Collection[int]) -> list[Task]:
        return [task for task, _ in self.listed() if task.number in numbers]

    def _take_back(self, gone: list[Task], text: str) -> None:
        numbers = {task.number for task in gone}
        self.waiting = deque([task for task in self.waiting if task.number not in numbers])
        if any(task.name == CLOSE for task in gone):
            self.is_closing = False
        if self.running in gone or self.going_on in gone:
            self.running, self.going_on, self._course, self.due_ns = None, None, NOTHING, None
        for task in gone:
            task.tell(CANCELLED, text)
        self._begin_now()
        self._rest()
        self._has_changed()

    def cancel_all(self, text: str) -> None:
        """Take all of them back: the line is off."""
        with self._lock:
            tasks = [task for task, _ in self.listed()]
            self.waiting.clear()
            self.running, self.going_on, self._course, self.due_ns = None, None, NOTHING, None
            for task in tasks:
                task.tell(CANCELLED, text)
            self.is_closing = self.is_left
            self._rest()
            self._has_changed()

    def end(self, text: str) -> None:
        """Take all of them back, and give the line back now."""
        with self._lock:
            self.is_left = True
            self.cancel_all(text)

    # -- what there is ---------------------------------------------------------------------------

    def listed(self) -> list[tuple[Task, str]]:
        """What goes on or runs, and what waits."""
        now = [(self.going_on, GOES_ON), (self.running, RUNS)]
        return [
            *((task, state) for task, state in now if task is not None),
            *((t, WAITS) for t in self.waiting),
        ]
