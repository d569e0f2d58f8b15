# SPDX-License-Identifier: LGPL-3.0-or-later
"""Callbacks on inputs: what add_interrupt_callback() checks, and how the backend is asked for edges."""

from __future__ import annotations

from .. import arguments, constants, errors, log
from ..loop.callbacks import Worker
from .subscriptions import Subscription
from .undoing import do_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import RLock
    from collections.abc import Callable

    from ..loop.dispatcher import Dispatcher
    from .book import Book
    from .edges import WatchedLines
    from .machine import Machine
    from .numbering import Numbering
    from .subscriptions import EdgeCallback


class Interrupts:
    """The callbacks of a board. *loop* returns its Dispatcher.

    *make_input* makes an input of a line, *input_line* returns the line of a channel that is one, *grant* has the C
    functions told of a line whose descriptor may be another now.
    """

    def __init__(
        self,
        numbering: Numbering,
        machine: Machine,
        book: Book,
        make_input: Callable[[int, int | None], object],
        input_line: Callable[[int], int],
        grant: Callable[[int], object],
        watched: WatchedLines,
        loop: Callable[[], Dispatcher],
        lock: RLock,
    ) -> None:
        self._line_of, self._machine, self._book = numbering.line_of, machine, book
        self._make_input, self._input_line, self._grant = make_input, input_line, grant
        self._watched, self._loop, self._lock = watched, loop, lock

    # -- callbacks -------------------------------------------------------------------------------

    def add(
        self,
        channel: int,
        callback: EdgeCallback,
        edge: str | int,
        pull_up_down: int | str | None,
        threaded: bool,
        holdoff_ms: float | None,
        filter_us: int,
    ) -> None:
        """Add a callback to a channel. See RPIO.add_interrupt_callback()."""
        self._line_of(channel)  # its errors come first, as ever
        bits = arguments.edge_bits(edge)
        pull = arguments.pull_or_none(pull_up_down)
        arguments.check_callback(callback, "gpio_id, value")
        arguments.check_parameters(callback, "gpio_id, value")
        holdoff_ns = arguments.holdoff_ns_of(holdoff_ms)
        filter_us = arguments.filter_us_of(filter_us)
        with self._lock:
            line = self._line_of(channel)
            log.debug("Adding callback for GPIO %s", line)
            self._watched.check_filter(line, filter_us)
            if bits and "edges" not in self._machine.backend.features:
                self.arm(line, constants.BOTH, filter_us)  # says why not, before the line is touched
            self._book.until_kept(
                lambda: self._add(line, pull, bits, callback, threaded, holdoff_ns, filter_us)
            )

    def _add(
        self,
        line: int,
        pull: int | None,
        bits: int,
        callback: EdgeCallback,
        threaded: bool,
        holdoff_ns: int,
        filter_us: int,
    ) -> None:
        self._make_input(line, pull)
        worker = Worker(callback, f"RPIO GPIO {line}") if threaded else None
        self._watched.add(line, Subscription(bits, callback, holdoff_ns, worker), filter_us)

    def add_own(self, line: int, pull: int | None, make: Callable[[], Subscription], filter_us: int) -> None:
        """Add a subscription of the caller's own making to a line, which becomes an input. *make* is called once more
        where a signal handler has cleaned up in the middle.
        """
        self._watched.check_filter(line, filter_us)
        if "edges" not in self._machine.backend.features:
            self.arm(line, constants.BOTH, filter_us)  # says why not, before the line is touched

        def add() -> None:
            """All of it."""
            self._make_input(line, pull)
            self._watched.add(line, make(), filter_us)

        self._book.until_kept(add)

    def subscribe(
        self,
        channel: int,
        subscription: Subscription,
        filter_us: int,
        begin: Callable[[], object] = lambda: None,
    ) -> int:
        """Add a subscription of the caller's own making to an input; return its line. begin() has the loop run: in one
        with the rest, so that a cleanup() comes before or after both.
        """
        filter_us = arguments.filter_us_of(filter_us)
        with self._lock:
            line = self._input_line(channel)
            self._watched.add(line, subscription, filter_us)
            self.check_still_input(channel, line)
            try:
                begin()
            except BaseException:
                self._watched.discard(line, subscription)
                raise
        return line

    def may_listen(self, channel: int) -> bool:
        """Whether listen() hears a line that nobody here has set up: that changes nothing then, and takes it from
        nobody.
        """
        with self._lock:
            backend, line = self._machine.backend, self._line_of(channel)
            is_anothers = backend.name == "remote" and backend.consumer(line) not in ("", "RPIO")
            return backend.watches_outputs or is_anothers

    def listen(self, channel: int, subscription: Subscription) -> int:
        """Add a subscription to a line as it is; return the line."""
        with self._lock:
            line = self._line_of(channel)
            self._watched.add(line, subscription, 0)
        return line

    def check_still_input(self, channel: int, line: int) -> None:
        """Raise what input_line() raises where a signal handler has cleaned the line up since, and end its watch."""
        if self._book.directions.get(line) != constants.IN:
            self._watched.drop(line)
            self._input_line(channel)

    def unsubscribe(self, line: int, subscription: Subscription) -> None:
        """End it; nothing where it has ended already."""
        with self._lock:
            self._watched.discard(line, subscription)

    def remove(self, channel: int) -> None:
        """Remove all callbacks of add() from a channel."""
        with self._lock:
            line = self._line_of(channel)
            if not self._watched.remove(line, Subscription):
                raise errors.NotWatchedError(
                    f"there is no callback on GPIO {line}", hint="add one with add_interrupt_callback()"
                )

    def remove_all(self) -> None:
        """Remove those of all channels."""
        do_all(*[lambda line=line: self._watched.remove(line, Subscription) for line in self._watched])

    def lost(self, channel: int | None = None) -> int:
        """How many edges were lost, on one channel or on all, since the callbacks were first added."""
        with self._lock:
            counts = self._watched.lost()
            return sum(counts.values()) if channel is None else counts.get(self._line_of(channel), 0)

    # -- what WatchedLines asks for --------------------------------------------------------------

    def arm(self, line: int, edge: int, filter_us: int) -> int:
        """Ask the backend for edges, and to notice that the chip has gone. Returns a descriptor."""
        backend = self._machine.backend
        if self._machine.hardware.soc == "BCM2712" and not backend.watches_outputs:
            self._leave_alternate(line)
        gone_fd = backend.gone_fd()  # first: a chip that goes in between is noticed
        try:
            fd = backend.watch(line, edge, filter_us)
        except PermissionError as e:
            from ..machine import access

            raise access.no_access(e) from None
        if gone_fd is not None and not self._loop().has(gone_fd):
            self._loop().add(gone_fd, lambda events: self.look_whether_gone())
        self._grant(line)  # the descriptor may be another now
        return fd

    def _leave_alternate(self, line: int) -> None:
        """RP1 reports edges of plain inputs alone; an overlay may have taken what setup() had made one."""
        function = self._machine.backend.function(line)
        if function not in (constants.IN, constants.OUT, constants.UNKNOWN):
            log.warning(
                "GPIO %s worked as %s, where RP1 reports no edges: it is an input again.",
                line,
                constants.FUNCTION_NAMES.get(function, f"function {function}"),
            )
            self._machine.backend.set_input(line, None)

    def disarm(self, line: int, is_read: bool) -> None:
        """End that."""
        self._machine.backend.unwatch(line, is_read)

    def lasting_fd(self, line: int) -> int | None:
        """The descriptor of a line that lasts until it is let go of."""
        return self._machine.backend.line_fd(line)

    def gone_fd(self) -> int | None:
        """See Backend.gone_fd()."""
        return self._machine.backend.gone_fd()

    def gone_error(self, line: int) -> errors.LineGoneError:
        """See Backend.gone_error(). It is logged: a loop in a thread has nobody to tell."""
        why = self._machine.backend.gone_error(line)
        is_afar = isinstance(why, errors.ConnectionLost)
        log.warning("%s", why.strerror if is_afar else f"GPIO {line}: its chip has gone, no more edges")
        return why

    def look_whether_gone(self) -> None:
        """The chip's device file has changed; the kernel does not wake those who wait for edges of a lost chip."""
        backend = (
            self._machine.opened
        )  # None: another thread has closed the board meanwhile, and nothing opens it again
        if backend is not None and backend.is_gone():
            with self._lock:
                for line in self._watched:
                    self._watched.lose(line)
