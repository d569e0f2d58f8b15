# SPDX-License-Identifier: LGPL-3.0-or-later
"""The loop of a board: made on first use, and run by wait_for_interrupts(), here or in a thread."""

from __future__ import annotations

from .. import errors, log, threads
from .._gpio import Poller

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import RLock
    from collections.abc import Callable

    from ..loop.dispatcher import Dispatcher
    from ..loop.nesting import Nesting
    from ..loop.tcp_ports import Ports
    from .edges import WatchedLines
    from .listeners import Listeners
    from .undoing import Closing


class Waiting:
    """*make* makes the loop, where it is not to be the usual one; *look_after* is called when it has been. *within* is
    whose loop runs it, where nobody calls wait().
    """

    def __init__(
        self,
        watched: Callable[[], WatchedLines],
        listeners: Callable[[], Listeners | None],
        lock: RLock,
        make: Callable[..., Dispatcher] | None,
        look_after: Callable[[], object],
        within: Waiting | None,
    ) -> None:
        self._watched, self._listeners, self._lock = watched, listeners, lock
        self._make, self._look_after, self._within = make, look_after, within
        self._nesting: Nesting | None = None  # in the loop of another board
        self.made: Dispatcher | None = None
        """The loop, where there is one."""
        self._ports: Ports | None = None  # made with the first
        self._waits_here = False  # wait_for_interrupts() blocks its caller

    @property
    def dispatcher(self) -> Dispatcher:
        """The loop; made on first use."""
        with self._lock:
            if self.made is None:
                dispatch = self._watched().dispatch
                make = self._make or self._usual()
                self.made = made = make(Poller(), dispatch)
                if self._within is not None:
                    self._nest(made, self._within)
                self._look_after()
            return self.made

    def _nest(self, made: Dispatcher, outer: Waiting) -> None:
        threads.load("RPIO.loop.nesting")
        from ..loop.nesting import AnotherLoop, Nesting

        self._nesting = Nesting(made, AnotherLoop(outer.dispatcher, lambda loop: outer.made is loop))

    @staticmethod
    def _usual() -> Callable[..., Dispatcher]:
        threads.load("RPIO.loop.dispatcher")
        if threads.patched_by():
            from ..loop.green import GreenDispatcher

            return GreenDispatcher
        from ..loop.dispatcher import Dispatcher

        return Dispatcher

    @property
    def ports(self) -> Ports:
        """The TCP ports; made on first use."""
        with self._lock:
            if self._ports is None:
                threads.load("RPIO.loop.tcp_ports")
                from ..loop.tcp_ports import Ports

                self._ports = Ports(lambda: self.dispatcher, self._lock)
            return self._ports

    @property
    def made_ports(self) -> Ports | None:
        """The TCP ports, where there have been any."""
        return self._ports

    @property
    def has_ports(self) -> bool:
        """Whether a TCP port is open."""
        return self._ports is not None and bool(self._ports.servers)

    # -- waiting ---------------------------------------------------------------------------------

    def wait(self, threaded: bool) -> None:
        """Run the loop, here or in a thread; in a thread, nothing changes where it runs already."""
        if not threaded:
            if not self.is_waiting and not self.has_ports and not self.dispatcher.has_handlers:
                log.warning(
                    "wait_for_interrupts() has nothing to wait for: no callback has been added, and no TCP port"
                )
            self._wait_here()
        elif not self.is_waiting:
            try:
                self.dispatcher.start_thread()
            except errors.AlreadyRunningError:
                if self.dispatcher.in_loop or self.dispatcher.is_nested:
                    raise  # else another thread was quicker

    def _wait_here(self) -> None:
        """Run the loop in this thread. LineGoneError, at once, where the chip of a watched line goes or has gone."""
        before, self._waits_here = self._waits_here, True
        try:
            self._check_there()
            self.dispatcher.run()
        finally:
            self._waits_here = before
        self._check_there()

    def _check_there(self) -> None:
        listeners = self._listeners()
        if listeners is not None:
            listeners.watched.check_there()

    def end_wait(self) -> None:
        """A line is lost. A loop in a thread has nobody to tell that, and goes on for the others."""
        if self._waits_here:
            self.stop()

    @property
    def is_waiting(self) -> bool:
        """Whether wait_for_interrupts() runs, and has not been told to stop."""
        return self.made is not None and self.made.running

    def stop(self) -> None:
        """End the loop; takes no lock, so a signal handler may call it at any moment."""
        dispatcher = self.made
        if dispatcher is not None:
            dispatcher.stop()

    # -- the end ---------------------------------------------------------------------------------

    def close_ports(self) -> None:
        """Close all TCP ports and connections."""
        if self._ports is not None:
            self._ports.close()

    def close(self, closing: Closing) -> None:
        """Forget the loop, and write down that it is to be closed: before all else, its threads are in callbacks."""
        if self.made is not None:
            closing.leaving += [self.made.abandon]
            closing.steps = [self._leave_nest, self.made.close, *closing.steps]
            self.made = None

    def _leave_nest(self) -> None:
        if self._nesting is not None:
            self._nesting.end()

    def abandon(self) -> None:
        """In the child of a fork: the loop is the parent's, and so are the ports."""
        if self.made is not None:
            self.made.abandon()
            self.made = None
        if self._ports is not None:
            self._ports.abandon()
