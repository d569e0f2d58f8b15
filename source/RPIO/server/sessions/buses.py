# SPDX-License-Identifier: LGPL-3.0-or-later
"""The I2C and SPI buses of a served board: whose turn it is, and who holds one for a sequence of calls.

One call at a time at each bus, and each as a whole. Those who ask take turns: one call of each who waits, in the order
in which they have come. A bus that answers at once is asked in the loop's thread; for one that does not, a thread of
its own waits. Who holds a bus has all turns, until he lets go of it, or his time is over, or he is gone.

All methods are the loop's thread's. Nothing here knows what protocol is spoken.
"""

from __future__ import annotations

from _thread import allocate_lock
from collections import deque
from errno import EBUSY

from ... import errors, threads
from ...wire.bus_operations import HOLD_MAX_S
from ...wire.terms import NAME

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from ...backends import Backend

    Done = Callable[[Any, "Exception | None"], object]
    RunLater = Callable[[Callable[[], object]], object]
    T = TypeVar("T")

NS_PER_S = 1_000_000_000
WAIT_S = 5.0
"""How long a call waits for its turn, and for who holds the bus."""
WAITING_MAX = 64
"""Calls of one who asks that may wait at a bus."""
BUSES_MAX = 256


class _Job:
    """A call that waits for its turn, until *until_ns*, and for who holds the bus, until *held_until_ns*. *work* None:
    it wants to hold the bus itself.
    """

    __slots__ = ("done", "held_until_ns", "hold_ns", "name", "until_ns", "who", "work")

    def __init__(
        self,
        who: object,
        name: str,
        work: Callable[[Any], Any] | None,
        done: Done,
        until_ns: int,
        held_until_ns: int,
        hold_ns: int = 0,
    ) -> None:
        self.who, self.name, self.work, self.done = who, name, work, done
        self.until_ns, self.held_until_ns, self.hold_ns = until_ns, held_until_ns, hold_ns


class _Desk:
    """One bus. *run_later* has something called in the loop's thread, from any other one."""

    def __init__(
        self, bus: Any, run_later: Callable[[Callable[[], object]], object], now_ns: Callable[[], int]
    ) -> None:
        self.bus: Any = bus
        self._run_later, self._now_ns = run_later, now_ns
        self.holder: object = None
        self.holder_name = ""
        self.until_ns = 0
        """When the hold is over."""
        self._queues: dict[object, deque[_Job]] = {}  # in the order of their turns
        self._is_busy = False
        self._is_going = False
        self._is_closed = False
        self._job: _Job | None = None  # what the thread carries out
        self._wanted = allocate_lock()  # locked while there is nothing to be done for the thread
        self._thread: threads.Started | None = None

    # -- turns -----------------------------------------------------------------------------------

    def do_now(self, who: object, work: Callable[[Any], Any]) -> tuple[bool, Any, Exception | None]:
        """Carry out a call of his, where that can be done now: whether it was, its result, its error."""
        bus = self.bus
        if not bus.is_quick or self._is_busy or self._queues or self.holder not in (None, who):
            return False, None, None
        if not bus.lock.acquire(blocking=False):  # a thread of this very program uses it
            return False, None, None
        return True, *_carried_out(work, bus)

    def take(self, job: _Job) -> None:
        """Put it in, at the end of his queue. Raises BusError where too many of his are waiting."""
        queue = self._queues.get(job.who)
        if queue is None:
            queue = self._queues[job.who] = deque()
        elif len(queue) >= WAITING_MAX:
            raise errors.BusError(EBUSY, f"{WAITING_MAX} calls wait for {self.bus.name} already")
        queue.append(job)
        self.go_on()

    def withdraw(self, job: _Job) -> None:
        """Nobody waits for it any more: carry it out no more, or let go of what it has got. Twice is fine."""
        queue = self._queues.get(job.who)
        if queue is not None and job in queue:
            queue.remove(job)
            if not queue:
                self._queues.pop(job.who)
        elif job.work is None and self._job is not job:
            self.release(job.who)

    def _next(self) -> _Job | None:
        """Take out the one whose turn it is; None where nobody may."""
        for who in list(self._queues):
            if self.holder is not None and self.holder is not who:
                continue
            queue = self._queues.pop(who)
            job = queue.popleft()
            if queue:
                self._queues[who] = queue  # behind the others
            return job
        return None

    def go_on(self) -> None:
        """Carry out what can be. Who is told that it is done may ask again: that comes in the round further out."""
        if self._is_going:
            return
        self._is_going = True
        try:
            while not self._is_busy and not self._is_closed:
                job = self._next()
                if job is None:
                    return
                self._carry_out(job)
        finally:
            self._is_going = False

    def _carry_out(self, job: _Job) -> None:
        bus = self.bus
        if job.work is None:
            self._grant(job)
        elif bus.is_quick and bus.lock.acquire(blocking=False):
            self._is_busy = True  # for who asks in the middle of it
            try:
                result, error = _carried_out(job.work, bus)
            finally:
                self._is_busy = False
            job.done(result, error)
        else:  # it takes a while, or a thread of this program uses it
            self._is_busy, self._job = True, job
            self._have_thread()
            self._wanted.release()

    # -- the thread, for what does not answer at once --------------------------------------------

    def _have_thread(self) -> None:
        if self._thread is None:
            self._wanted.acquire()
            self._thread = threads.start(self._serve, "RPIO bus")

    def _serve(self) -> None:
        bus = self.bus
        while True:
            self._wanted.acquire()
            job = self._job
            if job is None or job.work is None:  # it is closed
                return
            until_ns = job.held_until_ns if bus.is_held else job.until_ns
            left_s = max(0.0, (until_ns - self._now_ns()) / NS_PER_S)
            result: Any = None
            error: Exception | None = None
            if bus.lock.acquire(True, left_s):
                result, error = _carried_out(job.work, bus)
            else:
                error = errors.BusError(EBUSY, f"{bus.name} is held by the program that has it")
            self._run_later(lambda job=job, result=result, error=error: self._has_done(job, result, error))  # type: ignore[misc]
            if self._is_closed:
                bus.close()
                return

    def _has_done(self, job: _Job, result: Any, error: Exception | None) -> None:
        self._is_busy, self._job = False, None
        job.done(result, error)
        self.go_on()

    # -- holding ---------------------------------------------------------------------------------

    def _grant(self, job: _Job) -> None:
        """Have him hold it, also among programs of this machine that hold it without asking here."""
        if self.holder is None:
            try:
                self.bus.hold(0.0)
            except OSError as e:
                job.done(None, e)
                return
        self.holder, self.holder_name = job.who, job.name
        self.until_ns = self._now_ns() + job.hold_ns
        job.done(None, None)

    def release(self, who: object) -> bool:
        """He lets go of it, or waits for it no more. Whether he had it."""
        for job in [job for job in self._queues.get(who, ()) if job.work is None]:
            self.withdraw(job)
            job.done(None, errors.BusError(EBUSY, f"{self.bus.name} is not wanted any more"))
        if self.holder is not who:
            return False
        self.holder, self.holder_name = None, ""
        self.bus.release()
        self.go_on()
        return True

    def gone(self, who: object) -> None:
        """He is gone: nothing of his is carried out any more, and what he held is free."""
        for job in self._queues.pop(who, ()):
            job.done(
                None, errors.BusError(EBUSY, f"{self.bus.name} is not asked any more: its client has gone")
            )
        self.release(who)

    def due_ns(self) -> int | None:
        """When tick() has something to do."""
        times = [self._late_ns(job) for queue in self._queues.values() for job in queue]
        if self.holder is not None:
            times.append(self.until_ns)
        return min(times, default=None)

    def _late_ns(self, job: _Job) -> int:
        """When it has waited for too long."""
        return job.until_ns if self.holder in (None, job.who) else min(job.until_ns, job.held_until_ns)

    def tick(self) -> None:
        """End what has lasted too long."""
        now_ns = self._now_ns()
        if self.holder is not None and self.until_ns <= now_ns:
            self.release(self.holder)
        late = [job for queue in self._queues.values() for job in queue if self._late_ns(job) <= now_ns]
        error = self._is_held()
        for job in late:
            self.withdraw(job)
        for job in late:
            job.done(None, error)

    def _is_held(self) -> errors.BusError:
        by = self.holder_name if self.holder is not None else "a call that does not end"
        return errors.BusError(
            EBUSY, f"{self.bus.name} is held by {by}", hint="`rpio who` tells who is there"
        )

    def close(self) -> None:
        """Answer those who wait, and close the bus when its last call has ended."""
        self._is_closed = True
        queues, self._queues = self._queues, {}
        for queue in queues.values():
            for job in queue:
                job.done(None, errors.BusError(EBUSY, f"{self.bus.name} is no longer served"))
        if self.holder is not None:
            self.bus.release()
        if self._is_busy:
            return  # its thread closes it
        if self._thread is not None:
            self._wanted.release()
        self.bus.close()


def _carried_out(work: Callable[[Any], Any], bus: Any) -> tuple[Any, Exception | None]:
    """Do it, with the lock of the bus, which is released then; its result, or its error."""
    try:
        return work(bus), None
    except Exception as e:
        return None, e
    finally:
        bus.lock.release()


def _i2c() -> Any:
    """What finds I2C buses. Loaded with the first: most sessions want none."""
    threads.load("RPIO.i2c.opening")
    from ...i2c import opening

    return opening


async def _awaited(begin: Callable[[Done], Callable[[], object]]) -> Any:
    """Begin something, and wait for what it is done with; what *begin* returns withdraws it."""
    import asyncio

    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def done(result: Any, error: Exception | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)

    withdraw = begin(done)
    try:
        return await future
    except asyncio.CancelledError:
        withdraw()
        raise


class Buses:
    """The buses beside a board's lines. *on_time* is called when tick() has to come at another time than before."""

    def __init__(
        self,
        backend: Callable[[], Backend],
        run_later: RunLater,
        now_ns: Callable[[], int],
        on_time: Callable[[], object],
    ) -> None:
        self._backend, self._run_later, self._now_ns, self._on_time = backend, run_later, now_ns, on_time
        self._desks: dict[tuple[int, ...], _Desk] = {}

    def desk(self, *key: int) -> _Desk:
        """That of an I2C bus, by its number, or of an SPI device, by those of its bus and its select.

        Raises:
            NoBusError: there is none.
        """
        found = self._desks.get(key)
        if found is None:
            if len(self._desks) >= BUSES_MAX:
                raise errors.BusError(EBUSY, f"{BUSES_MAX} buses are in use already")
            bus = self._open(*key)
            found = self._desks[key] = _Desk(bus, self._run_later, self._now_ns)
        return found

    def _open(self, number: int, *device: int) -> Any:
        if device:
            threads.load("RPIO.spi.opening")
            from ...spi.opening import of_backend

            return of_backend(self._backend(), number, *device)
        bus = _i2c().of_backend(self._backend(), number)
        bus.functions()  # whether there is one
        return bus

    def do_now(
        self, who: object, key: tuple[int, ...], work: Callable[[Any], Any]
    ) -> tuple[bool, Any, Exception | None]:
        """Call *work* with the bus, where that can be done now: whether it was, its result, its error. Elsewhere it
        takes a turn: see ask().
        """
        return self.desk(*key).do_now(who, work)

    def ask(
        self,
        who: object,
        name: str,
        key: tuple[int, ...],
        work: Callable[[Any], Any],
        done: Done,
        held_wait_s: float = WAIT_S,
    ) -> Callable[[], object]:
        """Have *work* called with the bus when it is his turn, and *done* with its result, or its error, in the loop's
        thread. *name* is who that is, for others. He waits *held_wait_s* for who holds it. Return what withdraws it.
        """
        return self._take(_Job(who, name, work, done, *self._times(held_wait_s)), key)

    def ask_to_hold(
        self, who: object, name: str, key: tuple[int, ...], most_s: float, wait_s: float, done: Done
    ) -> Callable[[], object]:
        """Have him hold the bus, for so long at most; *done* is called when he does, or with the error. He waits
        *wait_s* for who has it. Return what withdraws that, or lets go.
        """
        until_ns, held_until_ns = self._times(wait_s)
        job = _Job(
            who, name, None, done, max(until_ns, held_until_ns), held_until_ns, round(most_s * NS_PER_S)
        )
        return self._take(job, key)

    def _times(self, held_wait_s: float) -> tuple[int, int]:
        now_ns = self._now_ns()
        return now_ns + round(WAIT_S * NS_PER_S), now_ns + round(held_wait_s * NS_PER_S)

    def _take(self, job: _Job, key: tuple[int, ...]) -> Callable[[], object]:
        desk = self.desk(*key)
        desk.take(job)
        desk.tick()  # who does not wait is answered now
        self._on_time()
        return lambda: desk.withdraw(job)

    async def run(self, who: object, name: str, number: int, work: Callable[[Any], T]) -> T:
        """The same for asyncio, of an I2C bus: return what *work* returns. Raises its error, or BusError."""
        is_done, result, error = self.do_now(who, (number,), work)
        if not is_done:
            return await _awaited(lambda done: self.ask(who, name, (number,), work, done))  # type: ignore[no-any-return]
        if error is not None:
            raise error
        return result  # type: ignore[no-any-return]

    async def hold(
        self, who: object, name: str, number: int, most_s: float = HOLD_MAX_S, wait_s: float = WAIT_S
    ) -> None:
        """The same as ask_to_hold() for asyncio. Raises BusError."""
        await _awaited(lambda done: self.ask_to_hold(who, name, (number,), most_s, wait_s, done))

    def release(self, who: object, key: tuple[int, ...]) -> bool:
        """He lets go of it. Whether he had it."""
        return self.desk(*key).release(who)

    def gone(self, who: object) -> None:
        """He is gone: what he held is free. Twice is fine."""
        for desk in list(self._desks.values()):
            desk.gone(who)

    def listed(self) -> list[tuple[int, int, str, str]]:
        """The I2C buses there are: number, what each can do, what it is, and who holds it. Nothing is known of what one
        can do that may not be opened.
        """
        return [self._row(number) for number in _i2c().numbers_beside(self._backend())]

    def _row(self, number: int) -> tuple[int, int, str, str]:
        try:
            desk = self.desk(number)
            return number, desk.bus.functions(), desk.bus.name, desk.holder_name
        except OSError as e:
            return number, 0, f"/dev/i2c-{number}: {e.strerror or e}"[: NAME.most], ""

    def due_ns(self) -> int | None:
        """When tick() has something to do."""
        times = [desk.due_ns() for desk in self._desks.values()]
        return min((time for time in times if time is not None), default=None)

    def tick(self) -> None:
        """End holds and waits whose time is over."""
        for desk in list(self._desks.values()):
            desk.tick()

    def close(self) -> None:
        """Answer those who wait, and close all. Twice is fine."""
        desks, self._desks = self._desks, {}
        for desk in desks.values():
            desk.close()
