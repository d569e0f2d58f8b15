# SPDX-License-Identifier: LGPL-3.0-or-later
"""The loop: one epoll over edges and sockets, one thread that waits, callbacks there or in their own threads.

The Dispatcher knows descriptors, not lines. A *handler* belongs to a descriptor and is called with the epoll
events that are ready; edges do not go through handlers: the poller reads them itself, and ``on_edge`` gets
those of one wake-up, in order of time.

Every registration has a token of its own. A descriptor may be closed by one callback and its number reused
by the next within the same batch; the token of the closed one is then unknown and its event is dropped.
"""

from __future__ import annotations

from sys import modules
from time import monotonic_ns

from .. import log
from ..threads import Started, get_ident, in_main_thread, load, naps, original, start
from .bell import Bell
from .in_order import read_on
from .masks import READ
from .runs import CLAIM_STEP_S, Run, Runs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .._gpio import EdgeEvent, Poller, Tally

    Handler = Callable[[int], object]


JOIN_TIMEOUT_S = 2.0
"""How long close() waits for a thread that is inside a callback."""

EXIT_TIMEOUT_S = 0.1
"""The same at the end of the program, whose daemon threads end anyway."""


class Dispatcher(Runs):
    """The wait, and who gets what came out of it.

    *poller* is an ``RPIO._gpio.Poller``; *on_edge* is called with each EdgeEvent. add(), modify(), remove() and
    stop() may be called from any thread, stop() from a signal handler too.
    """

    def __init__(self, poller: Poller, on_edge: Callable[[EdgeEvent], object]) -> None:
        super().__init__()
        self._poller = poller
        self._on_edge = on_edge
        self._edges: list[EdgeEvent] = []  # read, and not yet dispatched when the loop was stopped
        self._after_edges: list[Callable[[], object]] = []
        self._handlers: dict[int, Handler] = {}
        self._tokens: dict[int, int] = {}
        self._of_edges: set[int] = set()  # the tokens of add_edges()
        self._last_token = 0
        self._thread: Started | None = None
        self._bell: Bell | None = None

    def fileno(self) -> int:
        """The epoll descriptor; readable when step(0) has something to do. For nesting in another loop."""
        return self._poller.fileno()

    # -- registrations ---------------------------------------------------------------------------

    def new_token(self) -> int:
        """Return a token for add_edges()."""
        with self._lock:
            self._last_token += 1
            return self._last_token

    def _remember(self, fd: int, token: int, handler: Handler) -> None:
        with self._lock:
            self._forget(fd)  # that of a descriptor which was closed without a word
            self._handlers[token], self._tokens[fd] = handler, token

    def _forget(self, fd: int) -> None:
        with self._lock:
            token = self._tokens.get(fd, 0)
            self._handlers.pop(token, None)
            self._of_edges.discard(token)
            self._tokens.pop(fd, None)  # the last: who is interrupted before does it again

    def add(
        self, fd: int, handler: Handler, mask: int = READ, is_over: Callable[[], bool] | None = None
    ) -> None:
        """Call handler(events) in the loop's thread whenever *fd* is ready for one of *mask*.

        *is_over* says whether the descriptor has been closed: a signal handler may do so in the middle of this, and its
        number is then perhaps another's already.

        An exception of a signal handler may come out of this when it is done: remove() undoes it.
        """
        self._add(fd, handler, is_over, lambda token: self._poller.add(fd, token, mask))

    def add_edges(
        self,
        fd: int,
        token: int,
        on_error: Handler,
        is_over: Callable[[], bool] | None = None,
        taps: tuple[tuple[Tally, int], ...] = (),
        is_quiet: bool = False,
    ) -> None:
        """Read edge events from *fd*, which carry that token; on_error(events) where that fails, as after the removal
        of the chip. The wait has *taps* count them, and where that *is_quiet* hands none on. Otherwise as add().
        """
        self._of_edges.add(token)
        counted = (taps, is_quiet) if taps else ()
        self._add(fd, on_error, is_over, lambda token: self._poller.add_edges(fd, token, *counted), token)

    def count(
        self, fd: int, token: int, taps: tuple[tuple[Tally, int], ...], is_quiet: bool, seen: int
    ) -> tuple[int, int] | None:
        """Have the wait count by others: see Poller.count(). None where *fd* does not have that token any more."""
        if self._tokens.get(fd) != token:
            return None
        try:
            return self._poller.count(fd, taps, is_quiet, seen)
        except OSError as e:
            from errno import ENOENT

            if e.errno != ENOENT:
                raise
            return None  # a signal handler, or the loop, has just ended it

    def _add(
        self,
        fd: int,
        handler: Handler,
        is_over: Callable[[], bool] | None,
        tell: Callable[[int], object],
        token: int | None = None,
    ) -> None:
        if token is None:
            token = self.new_token()
        try:
            self._remember(fd, token, handler)
            tell(token)
            if is_over is not None and is_over():
                self.remove_token(fd, token)
        except OSError:
            self._forget(fd)
            raise
        except BaseException:
            self.remove_token(fd, token)
            raise

    def has(self, fd: int) -> bool:
        """Whether *fd* is registered."""
        return fd in self._tokens

    def modify(self, fd: int, mask: int) -> None:
        """Change what a registered *fd* is watched for; 0 leaves errors and hang-ups."""
        self._poller.modify(fd, self._tokens[fd], mask)

    def remove_token(self, fd: int, token: int) -> None:
        """remove(), where *fd* has that token still: it may be another's by now. Twice is fine."""
        if self._tokens.get(fd) == token:
            self.remove(fd)

    def remove(self, fd: int) -> None:
        """Forget *fd*: its handler is not called any more, nothing reads it, it may be closed. Twice is fine."""
        try:
            self._poller.remove(fd)
        except OSError as e:
            from errno import EBADF, ENOENT

            if e.errno not in (ENOENT, EBADF):
                self._forget(fd)  # nobody hears of it again, whatever epoll says
                raise
            # else somebody was interrupted after this, or a signal handler has done it meanwhile
        self._forget(fd)

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
        load("RPIO.loop.kernel")
        from .kernel import readable

        return any(readable(fds, nap_s) for nap_s in naps(timeout_s))

    # -- the loop --------------------------------------------------------------------------------

    def step(self, timeout_s: float | None) -> int:
        """Wait once, dispatch what came, return how many things that were. None waits for ever.

        After a stop() in a callback the edges that have been read wait for the next step; descriptors that are
        ready will be ready again.
        """
        stops, edges, done = self._stops, self._edges, 0
        ready = self._poller.wait(0 if edges else timeout_s, edges)
        if len(edges) > 1 and len(self._of_edges) > 1:
            ready = read_on(self._poller, edges, ready)
        while edges:  # after Ctrl+C the rest is for who runs the loop next
            event = edges[0]
            del edges[0]
            done += 1
            self._on_edge(event)
            if self._stops != stops:
                if not edges:
                    self._call_after_edges()
                return done
        if self._after_edges:
            self._call_after_edges()
        for number, (token, events) in enumerate(ready, 1):
            self._handle(token, events)
            if self._stops != stops:
                return done + number
        return done + len(ready)

    def after_edges(self, call: Callable[[], object]) -> None:
        """Call that once, when all edges that have been read are dispatched. In a callback of the loop's thread."""
        self._after_edges.append(call)

    def _call_after_edges(self) -> None:
        calls, self._after_edges = self._after_edges, []
        for call in calls:
            try:
                call()
            except Exception:
                log.callback_failed(call)

    def next_edge(self, token: int) -> EdgeEvent | None:
        """Take an edge with that token that has been read and not been dispatched: within a callback, which waits."""
        for number, event in enumerate(self._edges):
            if event.token == token:
                del self._edges[number]
                return event
        return None

    def _handle(self, token: int, events: int) -> None:
        handler = self._handlers.get(token)
        if handler is None:
            return
        if "logging" in modules and log.hears_debug():  # this is for every message
            log.debug("- epoll event on token %s: %s", token, events)
        try:
            handler(events)
        except Exception:
            # A fault of ours, or of the system: without that descriptor, the loop lives on.
            log.callback_failed(handler)
            for fd in [fd for fd, number in list(self._tokens.items()) if number == token]:
                self.remove(fd)

    @property
    def has_edges(self) -> bool:
        """Whether edges have been read, and not been dispatched yet."""
        return bool(self._edges)

    @property
    def has_handlers(self) -> bool:
        """Whether anything is registered that others have added."""
        return len(self._handlers) > (self._bell is not None and self.has(self._bell.reader))

    def _step_until_stopped(self, run: Run) -> None:
        while not run.is_stopped:
            self.step(None)

    def _step_with_bell(self, run: Run) -> None:
        """The same in the main thread, where a signal ends it at any moment."""
        if self._bell is None:
            try:
                self._bell = Bell()
            except OSError:  # no descriptor left: a wait that is just beginning does without
                self._step_until_stopped(run)
                return
        bell = self._bell
        try:
            if not self.has(bell.reader):
                self.add(bell.reader, bell.heard)
            bell.hang()
            self._step_until_stopped(run)
        finally:
            bell.take_down()  # it stays registered, and silent

    def run(self) -> None:
        """Dispatch until stop(). Blocks; without anything to do it sleeps in the kernel.

        Raises:
            AlreadyRunningError: it runs already, in this thread or another.
        """
        run = Run()
        try:
            self.claim(run)
            if in_main_thread():
                self._step_with_bell(run)
            else:
                self._step_until_stopped(run)
        finally:
            run.is_over = True
            self.release(run)

    def start_thread(self) -> None:
        """Run the loop in a daemon thread of its own; stop() works as soon as this has returned."""
        self._run_in_thread(self._step_until_stopped)

    def _run_in_thread(self, loop: Callable[[Run], object]) -> None:
        run = Run()
        try:
            self._become(run, None)
            self._thread = self._start(lambda: self._serve(run, loop))
        except BaseException:
            run.is_stopped = True  # whether the thread has begun or not
            self._wake()
            self.release_unless_begun(run)
            raise

    def _serve(self, run: Run, loop: Callable[[Run], object]) -> None:
        """What the thread of a loop does."""
        next_run: Run | None = run
        while next_run is not None:
            next_run = self._serve_one(next_run, loop)
            loop = self._step_until_stopped

    def _serve_one(self, run: Run, loop: Callable[[Run], object]) -> Run | None:
        """Serve that run; return the one that this thread has to serve next, if any."""
        with self._lock:
            if self._run is not run:
                return None
            begins = run.is_present  # else it was stopped before, and leaves all the same
            if begins:
                run.thread = get_ident()
        again = Run(is_background=True)
        takes_over = False
        try:
            if begins:
                self._outlast(loop, run)
        finally:
            run.is_over = True
            if run.for_claim:
                self._tell_waiting()
            else:
                try:
                    self.release(run)
                except (
                    RuntimeError,
                    MemoryError,
                ):  # no room for the background loop's thread: this one will do
                    takes_over = self._take_background(again)
        return again if takes_over else None

    def _outlast(self, loop: Callable[[Run], object], run: Run) -> None:
        """Run a loop in a thread, which has nobody to tell that there is no memory: it goes on when there is again."""
        while not run.is_stopped:
            try:
                loop(run)
            except MemoryError:
                log.warning("the loop lacks memory, and goes on in %s s", CLAIM_STEP_S)
                original("time", "sleep")(CLAIM_STEP_S)

    def _start(self, target: Callable[[], object]) -> Started:
        return start(target, "RPIO loop")

    def stop(self) -> None:
        """End the loop after the callbacks of the edge that is handled now. From any thread or signal handler.

        Takes no lock, and does nothing where no loop runs. The background loop goes on.
        """
        self._stops += 1
        run = self._run
        if run is not None and not run.is_background and not run.is_nested:
            run.is_stopped = True
        self._wake()

    def _wake(self) -> None:
        try:
            self._poller.wake()
        except OSError:
            if self._poller.fileno() >= 0:  # else it is closed, by another thread at this very moment perhaps
                raise

    def _start_background(self) -> None:
        if not self._background_wanted:
            return
        run = Run(is_background=True)
        try:
            if not self._take_background(run):
                return
            self._thread = self._start(lambda: self._serve(run, self._step_until_stopped))
        except BaseException:
            run.is_stopped = True
            self._wake()
            raise

    # -- the end ---------------------------------------------------------------------------------

    def shut_down(self) -> None:
        """End the loop because the program ends: wait EXIT_TIMEOUT_S for its callback, and close nothing."""
        self.end_background()
        if not in_main_thread():
            return  # sys.exit() in a callback: a loop in the main thread must not return, and end the program otherwise
        self.stop()
        if not self.in_loop:
            self._has_left(EXIT_TIMEOUT_S)

    def close(self) -> None:
        """Stop, wait for the loop's thread (JOIN_TIMEOUT_S at most), close the epoll descriptor. Twice is fine."""
        self.end_background()
        self.stop()
        if not self.in_loop and self._has_left(JOIN_TIMEOUT_S):
            if self._thread is not None:
                self._thread.join(JOIN_TIMEOUT_S)
            self._poller.close()
            if self._bell is not None:
                self._bell.close()

    def abandon(self) -> None:
        """Close the descriptors without a word to epoll: for the child of a fork, which shares it."""
        self._handlers.clear()
        self._tokens.clear()
        self._of_edges.clear()
        self._after_edges.clear()
        if self._bell is not None:
            self._bell.close()  # the parent's loop would hear of this process's signals
            self._bell = None
        run, self._run, self._background_wanted = self._run, None, False
        if run is not None:
            run.is_stopped = True  # where its callback has forked, it ends with that
        self._poller.close()
