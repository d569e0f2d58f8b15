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

from .. import errors, threads
from ..wire.bus_operations import HOLD_MAX_S
from ..wire.terms import NAME

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from ..backends import Backend

    Done = Callable[[Any, "Exception | None"], object]
    RunLater = Callable[[Callable[[], object]], object]
    T = TypeVar("T")

NS_PER_S = 1_000_000_000
WAIT_S = 5.0
"""How long a call waits for who holds the bus."""
WAITING_MAX = 64
"""Calls of one who asks that may wait at a bus."""
BUSES_MAX = 256


class _Job:
    """A call that waits for its turn; *work* None is one that wants to hold the bus."""

    __slots__ = ("done", "hold_ns", "name", "until_ns", "who", "work")

    def __init__(
        self,
        who: object,
        name: str,
        work: Callable[[Any], Any] | None,
        done: Done,
        until_ns: int,
        hold_ns: int = 0,
    ) -> None:
        self.who, self.name, self.work, self.done = who, name, work, done
        self.until_ns, self.hold_ns = until_ns, hold_ns


class _Desk:
    """One bus. *run_later* has something called in the loop's thread, from any other one."""

    def __init__(
        self, bus: Any, run_later: Callable[[Callable[[], object]], object], now_ns: Callable[[], int]
    ) -> None:
        self.bus, self._run_later, self._now_ns = bus, run_later, now_ns
        self.holder: object = None
        self.holder_name = ""
        self.until_ns = 0
        """When the hold is over."""
        self._queues: dict[object, deque[_Job]] = {}  # in the order of their turns
        self._is_busy = False
        self._is_closed = False
        self._job: _Job | None = None  # what the thread carries out
        self._wanted = allocate_lock()  # locked while there is nothing to be done for the thread
        self._thread: threads.Started | None = None

    # -- turns -----------------------------------------------------------------------------------

    def is_free_for(self, who: object) -> bool:
        """Whether a call of his may be carried out now, by the caller."""
        return (
            self.bus.is_quick
            and not self._is_busy
            and not self._queues
            and (self.holder is None or self.holder is who)
        )

    def take(self, job: _Job) -> None:
        """Put it in, at the end of his queue. Raises BusError where too many of his are waiting."""
        queue = self._queues.get(job.who)
        if queue is None:
            queue = self._queues[job.who] = deque()
        elif len(queue) >= WAITING_MAX:
            raise errors.BusError(EBUSY, f"{WAITING_MAX} calls wait for {self.bus.name} already")
        queue.append(job)
        self.go_on()

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
        """Carry out what can be."""
        while not self._is_busy:
            job = self._next()
            if job is None:
                return
            if job.work is None:
                self.holder, self.holder_name = job.who, job.name
                self.until_ns = self._now_ns() + job.hold_ns
                job.done(None, None)
            elif self.bus.is_quick:
                self._is_busy = True  # for who asks in the middle of it
                try:
                    result, error = carried_out(job.work, self.bus)
                finally:
                    self._is_busy = False
                job.done(result, error)
            else:
                self._is_busy, self._job = True, job
                self._have_thread()
                self._wanted.release()

    # -- the thread of a bus that does not answer at once ----------------------------------------

    def _have_thread(self) -> None:
        if self._thread is None:
            self._wanted.acquire()
            self._thread = threads.start(self._serve, "RPIO bus")

    def _serve(self) -> None:
        while True:
            self._wanted.acquire()
            job = self._job
            if job is None or job.work is None:  # it is closed
                return
            result, error = carried_out(job.work, self.bus)
            self._run_later(lambda job=job, result=result, error=error: self._has_done(job, result, error))  # type: ignore[misc]

    def _has_done(self, job: _Job, result: Any, error: Exception | None) -> None:
        self._is_busy, self._job = False, None
        job.done(result, error)
        if self._is_closed:
            self._end_thread()
        else:
            self.go_on()

    def _end_thread(self) -> None:
        if self._thread is not None and not self._is_busy:
            self._thread = None
            self._wanted.release()
            self.bus.close()

    # -- holding ---------------------------------------------------------------------------------

    def release(self, who: object) -> bool:
        """He lets go of it. Whether he had it."""
        if self.holder is not who:
            return False
        self.holder, self.holder_name = None, ""
        self.go_on()
        return True

    def gone(self, who: object) -> None:
        """He is gone: nothing of his is carried out any more, and what he held is free."""
        self._queues.pop(who, None)
        self.release(who)

    def due_ns(self) -> int | None:
        """When tick() has something to do."""
        times = [job.until_ns for queue in self._queues.values() for job in queue]
        if self.holder is not None:
            times.append(self.until_ns)
        return min(times, default=None)

    def tick(self) -> None:
        """End what has lasted too long."""
        now_ns = self._now_ns()
        if self.holder is not None and self.until_ns <= now_ns:
            self.release(self.holder)
        for who, queue in list(self._queues.items()):
            late = [job for job in queue if job.until_ns <= now_ns]
            left = deque(job for job in queue if job.until_ns > now_ns)
            if left:
                self._queues[who] = left
            else:
                self._queues.pop(who)
            for job in late:
                job.done(None, self._is_held())

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
        if self._thread is not None:
            self._end_thread()
        elif not self._is_busy:
            self.bus.close()


def carried_out(work: Callable[[Any], Any], bus: Any) -> tuple[Any, Exception | None]:
    """Do it, unless another thread of this very program holds the bus; its result, or its error."""
    if bus.is_quick:
        if not bus.lock.acquire(blocking=False):
            return None, errors.BusError(EBUSY, f"{bus.name} is held by the program that has it")
    else:
        bus.lock.acquire()
    try:
        return work(bus), None
    except Exception as e:
        return None, e
    finally:
        bus.lock.release()


def _i2c() -> Any:
    """What finds I2C buses. Loaded with the first: most sessions want none."""
    threads.load("RPIO.i2c.opening")
    from ..i2c import opening

    return opening


async def _awaited(begin: Callable[[Done], object]) -> Any:
    """Begin something, and wait for what it is done with."""
    import asyncio

    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def done(result: Any, error: Exception | None) -> None:
        if future.cancelled():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)

    begin(done)
    return await future


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
        self.is_closed = False

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
            from ..spi.opening import of_backend

            return of_backend(self._backend(), number, *device)
        bus = _i2c().of_backend(self._backend(), number)
        bus.functions()  # whether there is one
        return bus

    def now(self, who: object, *key: int) -> Any:
        """Return the bus where it may be asked by the caller, now and once; None where that takes a turn: see ask()."""
        desk = self.desk(*key)
        return desk.bus if desk.is_free_for(who) else None

    def ask(
        self,
        who: object,
        name: str,
        key: tuple[int, ...],
        work: Callable[[Any], Any],
        done: Done,
        wait_s: float = WAIT_S,
    ) -> None:
        """Have *work* called with the bus when it is his turn, and *done* with its result, or its error, in the loop's
        thread. *name* is who that is, for others. He waits *wait_s* for who holds it.
        """
        until_ns = self._now_ns() + round(wait_s * NS_PER_S)
        self.desk(*key).take(_Job(who, name, work, done, until_ns))
        self._on_time()

    def ask_to_hold(
        self, who: object, name: str, key: tuple[int, ...], most_s: float, wait_s: float, done: Done
    ) -> None:
        """Have him hold the bus, for so long at most; *done* is called when he does, or with the error."""
        desk = self.desk(*key)
        until_ns = self._now_ns() + round(wait_s * NS_PER_S)
        desk.take(_Job(who, name, None, done, until_ns, round(most_s * NS_PER_S)))
        if wait_s == 0:
            desk.tick()
        self._on_time()

    async def run(self, who: object, name: str, number: int, work: Callable[[Any], T]) -> T:
        """The same for asyncio, of an I2C bus: return what *work* returns. Raises its error, or BusError."""
        bus = self.now(who, number)
        if bus is not None:
            result, error = carried_out(work, bus)
            if error is not None:
                raise error
            return result  # type: ignore[no-any-return]
        return await _awaited(lambda done: self.ask(who, name, (number,), work, done))  # type: ignore[no-any-return]

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
