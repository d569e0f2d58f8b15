# SPDX-License-Identifier: LGPL-3.0-or-later
"""The loop: one epoll over edges and sockets, one thread that waits, callbacks there or in their own threads.

The Dispatcher knows descriptors, not lines. A *handler* belongs to a descriptor and is called with the epoll
events that are ready; edges do not go through handlers: the poller reads them itself, and ``on_edge`` gets
those of one wake-up, in order of time.

Every registration has a token of its own. A descriptor may be closed by one callback and its number reused
by the next within the same batch; the token of the closed one is then unknown and its event is dropped.
"""

from __future__ import annotations

from _signal import set_wakeup_fd  # type: ignore[import-not-found]
from _thread import RLock
from time import monotonic_ns

from . import errors, log
from .threads import allocate_lock, get_ident, in_main_thread, original

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from threading import Thread
    from typing import Protocol

    from ._gpio import EdgeEvent, Poller

    Handler = Callable[[int], object]

    class Nest(Protocol):
        """Another event loop that runs ours."""

        def is_dead(self) -> bool:
            """Whether it has been closed: it will neither run ours nor give it back."""


READ, WRITE, ERROR, HANGUP = 1, 4, 8, 16
"""EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP (the select module would be one more import)."""

JOIN_TIMEOUT_S = 2.0
"""How long close() waits for a thread that is inside a callback."""

EXIT_TIMEOUT_S = 0.1
"""The same at the end of the program, whose daemon threads end anyway."""


class Bell:
    """A descriptor that is readable when a signal has come, for a loop in the main thread.

    Python runs a handler there, between two instructions. A signal that comes after the last look for one, and before
    the system call that waits, does not end that call: its handler, Ctrl+C's too, would wait for the next edge.
    """

    def __init__(self) -> None:
        from os import O_CLOEXEC, O_NONBLOCK, pipe2

        self.reader = self._writer = -1
        try:
            self.reader, self._writer = pipe2(O_CLOEXEC | O_NONBLOCK)
            before = set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        except (
            OSError,
            ValueError,
        ):  # no descriptor left, or a thread that gets no signals: the wait does without
            self.close()
            return
        if before >= 0:  # another loop of the program hears of them
            set_wakeup_fd(before)
            self.close()

    def heard(self, events: int) -> None:
        """Make room for the next signal. The handler has run, or will when this returns."""
        from os import read

        read(self.reader, 4096)

    def close(self) -> None:
        """Give the descriptors back. Twice is fine."""
        from os import close

        reader, writer, self.reader, self._writer = self.reader, self._writer, -1, -1
        if writer >= 0:
            try:
                now = set_wakeup_fd(-1)
                if now not in (-1, writer):
                    set_wakeup_fd(now)
            except ValueError:
                pass  # a thread that gets no signals has set none
            close(writer)
        if reader >= 0:
            close(reader)


class Dispatcher:
    """The wait, and who gets what came out of it.

    *poller* is an ``RPIO._gpio.Poller``; *on_edge* is called with each EdgeEvent. add(), modify(), remove() and
    stop() may be called from any thread, stop() from a signal handler too.
    """

    def __init__(self, poller: Poller, on_edge: Callable[[EdgeEvent], object]) -> None:
        self._poller = poller
        self._on_edge = on_edge
        self._edges: list[EdgeEvent] = []  # read, and not yet dispatched when the loop was stopped
        self._stops = 0
        self._handlers: dict[int, Handler] = {}
        self._tokens: dict[int, int] = {}
        self._last_token = 0
        self._lock = RLock()  # a signal handler may come in between, and remove what is being added
        self._turn = allocate_lock()  # held by the thread that runs the loop
        self._owner: int | None = None
        self._running = False
        self._thread: Thread | None = None
        self._claimers = 0  # threads that wait for their turn
        self._nested = False  # another event loop calls step() when fileno() is readable
        self.nested_in: Nest | None = None  # that one, where it has said so
        self._background_wanted = False
        self._background_running = False
        self._bell: Bell | None = None

    def fileno(self) -> int:
        """The epoll descriptor; readable when step(0) has something to do. For nesting in another loop."""
        return self._poller.fileno()

    # -- registrations ---------------------------------------------------------------------------

    def _new_token(self, fd: int, handler: Handler) -> int:
        with self._lock:
            self._last_token += 1
            self._handlers[self._last_token] = handler
            self._tokens[fd] = self._last_token
            return self._last_token

    def _forget(self, fd: int) -> None:
        with self._lock:
            token = self._tokens.pop(fd, None)
            if token is not None:
                del self._handlers[token]

    def add(self, fd: int, handler: Handler, mask: int = READ) -> None:
        """Call handler(events) in the loop's thread whenever *fd* is ready for one of *mask*."""
        token = self._new_token(fd, handler)
        try:
            self._poller.add(fd, token, mask)
        except BaseException:
            self._forget(fd)
            raise

    def add_edges(
        self, fd: int, on_error: Handler, note: Callable[[int], object] = lambda token: None
    ) -> int:
        """Read edge events from *fd*; on_error(events) where that fails, as after the removal of the chip.

        Returns the token that these events will carry, and notes it before: another thread may read one at once.
        """
        token = self._new_token(fd, on_error)
        try:
            note(token)
            self._poller.add_edges(fd, token)
        except BaseException:
            self._forget(fd)
            raise
        return token

    def has(self, fd: int) -> bool:
        """Whether *fd* is registered."""
        return fd in self._tokens

    def modify(self, fd: int, mask: int) -> None:
        """Change what a registered *fd* is watched for; 0 leaves errors and hang-ups."""
        self._poller.modify(fd, self._tokens[fd], mask)

    def remove(self, fd: int) -> None:
        """Forget *fd*. After this its handler is not called and nothing reads it, so it may be closed."""
        self._forget(fd)
        self._poller.remove(fd)

    def park(self, fd: int) -> bool:
        """Forget the edges of *fd*, which stays open until remove(); add_edges() is then no system call.

        Whether a thread waits: it reads what is left there, and drops it.
        """
        self._forget(fd)
        return self._poller.park(fd)

    now_ns = staticmethod(monotonic_ns)
    """The clock of timeouts."""

    def wait_readable(self, fds: Sequence[int], timeout_s: float | None) -> bool:
        """Block within a callback, where the loop does not run, until one is readable; False after the timeout."""
        poll = original("select", "poll")()
        for fd in fds:
            poll.register(fd, READ)  # POLLIN is the same
        return bool(poll.poll(None if timeout_s is None else timeout_s * 1000))

    # -- the loop --------------------------------------------------------------------------------

    def step(self, timeout_s: float | None) -> int:
        """Wait once, dispatch what came, return how many things that were. None waits for ever.

        After a stop() in a callback the edges that have been read wait for the next step; descriptors that are
        ready will be ready again.
        """
        stops, edges, done = self._stops, self._edges, 0
        ready = self._poller.wait(0 if edges else timeout_s, edges)
        try:
            for event in edges:
                done += 1
                self._on_edge(event)
                if self._stops != stops:
                    return done
        finally:  # Ctrl+C, too: the rest is for who runs the loop next
            del edges[:done]
        for number, (token, events) in enumerate(ready, 1):
            self._handle(token, events)
            if self._stops != stops:
                return done + number
        return done + len(ready)

    def _handle(self, token: int, events: int) -> None:
        handler = self._handlers.get(token)
        if handler is None:
            return
        log.debug("- epoll event on token %s: %s", token, events)
        try:
            handler(events)
        except Exception:
            # A fault of ours, or of the system: without that descriptor, the loop lives on.
            log.callback_failed(handler)
            for fd in [fd for fd, number in list(self._tokens.items()) if number == token]:
                self.remove(fd)

    @property
    def has_handlers(self) -> bool:
        """Whether anything is registered."""
        return bool(self._handlers)

    @property
    def running(self) -> bool:
        """Whether a loop other than the background one runs and has not been asked to stop."""
        return self._running

    @property
    def in_loop(self) -> bool:
        """Whether the caller runs in the thread that runs the loop: in a callback."""
        return self._owner == get_ident()

    def claim(self) -> None:
        """Become the thread that runs the loop, with step(), until release().

        A background loop makes way after its callback; one that has been told to stop is waited for. A stop() in
        the meantime is for this loop.

        Raises:
            AlreadyRunningError: it runs already, in this thread or another.
        """
        stops = self._stops
        self._leave_dead_nest()
        with self._lock:
            self._claimers += 1
        try:
            self._end_background_loop()
            while not self._take_turn(0.05):
                if self._running or self._nested or self.in_loop:
                    raise errors.AlreadyRunningError(
                        "wait_for_interrupts() is running already",
                        hint="one loop serves all callbacks; end it with stop_waiting_for_interrupts() first",
                    )
                self._end_background_loop()
        finally:
            with self._lock:
                self._claimers -= 1
        self._owner = get_ident()
        self._running = self._stops == stops

    def _take_turn(self, timeout_s: float) -> bool:
        return self._turn.acquire(timeout=timeout_s)

    def nest(self, nest: Nest | None = None) -> bool:
        """Claim the loop for the event loop of this thread, which calls step(0) whenever fileno() is readable.

        False, without waiting, where somebody else runs it. stop() does not end it, unnest() or release() does; and
        when *nest* is dead, the next who wants the loop takes it.
        """
        self._leave_dead_nest()
        if not self._turn.acquire(blocking=False):
            return False
        self._nested = True
        self.nested_in = nest
        self._owner = get_ident()
        return True

    def unnest(self, nest: Nest) -> None:
        """Release the loop if it is still nested there."""
        with self._lock:
            if self.nested_in is not nest:
                return
            self.nested_in = None
        self.release()

    def _leave_dead_nest(self) -> None:
        nest = self.nested_in
        if nest is not None and nest.is_dead():
            self.unnest(nest)

    def release(self) -> None:
        """Let others run the loop; the background one goes on where it is wanted."""
        self._running = self._nested = False
        self._owner = None
        self._turn.release()
        self._start_background()

    def _loop_with_bell(self) -> None:
        """The loop in the main thread, which a signal ends at any moment."""
        try:
            self._bell = Bell()
            if self._bell.reader >= 0:
                self.add(self._bell.reader, self._bell.heard)
        except BaseException:
            self._put_bell_away()
            self.release()
            raise
        try:
            self._loop()
        finally:
            self._put_bell_away()

    def _put_bell_away(self) -> None:
        bell, self._bell = self._bell, None
        if bell is not None:
            if self.has(bell.reader):
                self.remove(bell.reader)
            bell.close()

    def _loop(self) -> None:
        self._owner = get_ident()
        try:
            while self._running:
                self.step(None)
        finally:
            self.release()

    def run(self) -> None:
        """Dispatch until stop(). Blocks; without anything to do it sleeps in the kernel.

        Raises:
            AlreadyRunningError: it runs already, in this thread or another.
        """
        self.claim()
        if in_main_thread():
            self._loop_with_bell()
        else:
            self._loop()

    def start_thread(self) -> None:
        """Run the loop in a daemon thread of its own; stop() works as soon as this has returned."""
        self._run_in_thread(self._loop)

    def _run_in_thread(self, loop: Callable[[], object]) -> None:
        self.claim()
        self._owner = None  # the new thread's
        try:
            self._start(loop)
        except BaseException:
            self.release()
            raise

    def _start(self, target: Callable[[], object]) -> None:
        from threading import Thread

        self._thread = Thread(target=target, name="RPIO loop", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the loop after the callbacks of the edge that is handled now. From any thread or signal handler.

        Takes no lock, and does nothing where no loop runs. The background loop goes on.
        """
        self._stops += 1
        self._running = False
        self._wake()

    def _wake(self) -> None:
        if self._poller.fileno() >= 0:
            self._poller.wake()

    # -- the background loop ---------------------------------------------------------------------

    def run_in_background(self) -> None:
        """Have a daemon thread run the loop whenever nobody else does, until end_background(). Twice is fine."""
        self._background_wanted = True
        self._leave_dead_nest()
        self._start_background()

    def _start_background(self) -> None:
        if not self._background_wanted or not self._turn.acquire(blocking=False):
            return  # whoever runs the loop now starts the thread when he leaves
        self._background_running = True
        try:
            self._start(self._background_loop)
        except BaseException:
            self._background_running = False
            self._turn.release()
            raise

    def _background_loop(self) -> None:
        self._owner = get_ident()
        try:
            while self._background_running:
                self.step(None)
        finally:
            self._background_running = False
            self._owner = None
            self._turn.release()
        if not self._claimers:
            self._start_background()  # wanted again while this one was on its way out

    def _end_background_loop(self) -> None:
        if self._background_running:
            self._background_running = False
            self._wake()

    def end_background(self) -> None:
        """End the background loop after its callback, and do not begin it again. Does not wait."""
        self._background_wanted = False
        self._end_background_loop()

    def shut_down(self) -> None:
        """End the loop because the program ends: wait EXIT_TIMEOUT_S for its callback, and close nothing."""
        self.end_background()
        if not in_main_thread():
            return  # sys.exit() in a callback: a loop in the main thread must not return, and end the program otherwise
        self.stop()
        if not self.in_loop and self._take_turn(EXIT_TIMEOUT_S):
            self._turn.release()

    def close(self) -> None:
        """Stop, wait for the loop's thread (JOIN_TIMEOUT_S at most), close the epoll descriptor. Twice is fine."""
        self.end_background()
        self.stop()
        if not self.in_loop and self._take_turn(JOIN_TIMEOUT_S):
            self._turn.release()
            if self._thread is not None:
                self._thread.join(JOIN_TIMEOUT_S)
            self._poller.close()

    def abandon(self) -> None:
        """Close the descriptors without a word to epoll: for the child of a fork, which shares it."""
        self._handlers.clear()
        self._tokens.clear()
        if self._bell is not None:
            self._bell.close()  # the parent's loop would hear of this process's signals
            self._bell = None
        self._running = self._background_running = self._background_wanted = False
        self._poller.close()
