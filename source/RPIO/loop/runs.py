# SPDX-License-Identifier: LGPL-3.0-or-later
"""Who runs the loop: one at a time, and who asks for it explicitly gets it; the background makes way and comes back."""

from __future__ import annotations

from _thread import RLock
from time import monotonic_ns

from .. import errors
from ..threads import allocate_lock, get_ident

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Nest(Protocol):
        """Another event loop that runs ours."""

        def is_dead(self) -> bool:
            """Whether it has been closed: it will neither run ours nor give it back."""


CLAIM_STEP_S = 0.05
"""How often who wants the loop looks whether it is free, should nobody tell him."""


class Run:
    """One who runs the loop, from claim() on.

    A signal handler may raise at any call, so what must not be missed is no call: who has had the loop says so with
    ``run.is_over = True`` in a ``finally`` clause, and tells others with Dispatcher.release() after that.
    """

    __slots__ = ("for_claim", "is_background", "is_nested", "is_over", "is_stopped", "thread")

    def __init__(self, is_background: bool = False, is_nested: bool = False) -> None:
        self.is_background, self.is_nested = is_background, is_nested
        self.thread: int | None = None  # until it has begun
        self.is_stopped = False  # it has been told to end
        self.for_claim = False  # the background one, by who begins it again
        self.is_over = False

    @property
    def is_present(self) -> bool:
        """Whether it may be in the loop now, or get there."""
        return not self.is_over and not (self.is_stopped and self.thread is None)


class Runs:
    """The one who runs the loop, and those who want it. What a loop is, its subclass knows."""

    def __init__(self) -> None:
        self._stops = 0
        self._lock = RLock()  # a signal handler may come in between, and remove what is being added
        self._run: Run | None = None  # who runs the loop
        self._left = allocate_lock()  # released when somebody has left it
        self._left.acquire()
        self.nested_in: Nest | None = None  # where another event loop calls step() when fileno() is readable
        self._background_wanted = False

    def _wake(self) -> None:
        """Have who waits look whether it has been told to stop. The Dispatcher's: it knows what is waited on."""
        raise NotImplementedError

    def _start_background(self) -> None:
        """Begin the thread of the background loop, where that is wanted and nobody runs the loop. The Dispatcher's."""
        raise NotImplementedError

    @property
    def running(self) -> bool:
        """Whether a loop other than the background one runs and has not been asked to stop."""
        run = self._run
        return (
            run is not None and run.is_present and not (run.is_stopped or run.is_background or run.is_nested)
        )

    @property
    def is_busy(self) -> bool:
        """Whether anybody has the loop, one who has been told to leave it too."""
        self._leave_dead_nest()
        run = self._run
        return run is not None and run.is_present

    @property
    def in_loop(self) -> bool:
        """Whether the caller runs in the thread that runs the loop: in a callback."""
        run = self._run
        return run is not None and not run.is_over and run.thread == get_ident()

    @property
    def is_nested(self) -> bool:
        """Whether another event loop runs it."""
        run = self._run
        return run is not None and run.is_present and run.is_nested

    # -- claiming it ------------------------------------------------------------------------------

    def claim(self, run: Run | None = None) -> Run:
        """Become the one who runs the loop, with step(), until ``run.is_over = True`` and release(run).

        A background loop makes way after its callback; one that has been told to stop is waited for. A stop() in
        the meantime is for this loop.

        Raises:
            AlreadyRunningError: it runs already, in this thread or another.
        """
        run = run or Run()
        self._become(run, get_ident())
        return run

    def _become(self, run: Run, thread: int | None) -> None:
        stops = self._stops
        while not self._take(run, thread):
            self._wait_for_leaver(CLAIM_STEP_S)
        if self._stops != stops:
            run.is_stopped = True

    def _take(self, run: Run, thread: int | None) -> bool:
        """Whether the loop is this one's now; who is in the way has been told."""
        self._leave_dead_nest()
        with self._lock:
            present = self._run
            if present is None or not present.is_present:
                run.thread = thread
                self._run = run
                return True
            if present.is_nested or self.in_loop or not (present.is_background or present.is_stopped):
                raise errors.AlreadyRunningError(
                    "wait_for_interrupts() is running already",
                    hint="one loop serves all callbacks; end it with stop_waiting_for_interrupts() first",
                )
            if present.is_background:
                present.for_claim = True
                self._stop(present)
            return False

    def _wait_for_leaver(self, timeout_s: float) -> None:
        self._left.acquire(timeout=timeout_s)

    def nest(self, nest: Nest | None = None) -> bool:
        """Claim the loop for the event loop of this thread, which calls step(0) whenever fileno() is readable.

        False, without waiting, where somebody else runs it. stop() does not end it, unnest() does; and
        when *nest* is dead, the next who wants the loop takes it.
        """
        self._leave_dead_nest()
        run = Run(is_nested=True)
        with self._lock:
            if self._run is not None and self._run.is_present:
                return False
            run.thread = get_ident()
            self._run, self.nested_in = run, nest
        return True

    def unnest(self, nest: Nest | None = None) -> None:
        """Release the loop if it is still nested there."""
        with self._lock:
            if self.nested_in is not nest:
                return
            run = self._run
            if run is not None and run.is_nested:
                run.is_over = True
            else:
                run = None
            self.nested_in = None  # the last: who is interrupted before does it again
        if run is not None:
            self.release(run)

    def _leave_dead_nest(self) -> None:
        nest = self.nested_in
        if nest is not None and nest.is_dead():
            self.unnest(nest)

    def release(self, run: Run) -> None:
        """Let others run the loop, which this one did; the background one goes on where it is wanted."""
        with self._lock:
            run.is_over = True
            present = self._run
            if present is not None and present is not run:
                present.for_claim = False  # it made way for one who does not come
        self._tell_waiting()
        self._start_background()

    def _tell_waiting(self) -> None:
        try:
            self._left.release()
        except RuntimeError:
            pass  # they have been told, and have not looked yet

    def release_unless_begun(self, run: Run) -> None:
        """Let others run the loop where no thread has begun to; one that begins later ends at once."""
        with self._lock:
            begun = run.thread is not None
        if not begun:
            self.release(run)

    def _stop(self, run: Run) -> None:
        run.is_stopped = True
        self._wake()

    # -- the background loop ---------------------------------------------------------------------

    def run_in_background(self) -> None:
        """Have a daemon thread run the loop whenever nobody else does, until end_background(). Twice is fine."""
        self._background_wanted = True
        self._leave_dead_nest()
        self._start_background()

    def go_on_in_background(self) -> None:
        """From the end of the next run on the same: who is served when the loop is stopped has lines still."""
        self._background_wanted = True

    def _take_background(self, run: Run) -> bool:
        """Whether this run is the background loop now: it is wanted, and nobody runs the loop."""
        with self._lock:
            if not self._background_wanted or (self._run is not None and self._run.is_present):
                return False  # who runs the loop now does this when he leaves
            self._run = run
        if self._background_wanted:
            return True
        run.is_stopped = True  # who has just ended it may have looked for it before it was there
        return False

    def _end_background_loop(self) -> None:
        run = self._run
        if run is not None and run.is_background and run.is_present:
            self._stop(run)

    def end_background(self) -> None:
        """End the background loop after its callback, and do not begin it again. Does not wait."""
        self._background_wanted = False
        self._end_background_loop()

    def _has_left(self, timeout_s: float) -> bool:
        """Whether nobody runs the loop any more, within that time."""
        end_ns = monotonic_ns() + int(timeout_s * 1e9)
        while self.is_busy:
            left_s = (end_ns - monotonic_ns()) / 1e9
            if left_s <= 0:
                return False
            self._wait_for_leaver(min(left_s, CLAIM_STEP_S))
        return True
