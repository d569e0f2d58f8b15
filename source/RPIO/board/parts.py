# SPDX-License-Identifier: LGPL-3.0-or-later
"""What a Board is made of.

One lock is that of the whole: an RLock, which a signal handler may take once more in the middle of anything. So what
may be interrupted is written down first; see undoing.
"""

from __future__ import annotations

from _thread import RLock

from .. import constants, threads
from ..processes import hooks
from .book import Book
from .cleanup import Cleanup
from .ending import Ending
from .grants import Grants
from .lines import Lines
from .machine import Machine
from .manners import Manners
from .numbering import Numbering
from .safety import Safety
from .waiting import Waiting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from ..backends import Backend
    from ..loop.dispatcher import Dispatcher
    from ..machine.boards import Hardware
    from ..pulses.pulses import Pulses
    from .edges import WatchedLines
    from .event_detect import Detections
    from .interrupts import Interrupts
    from .leases import Leases
    from .listeners import Listeners


class Parts:
    """The parts of a Board, each with the questions that it answers. See Board for the arguments."""

    def __init__(
        self,
        spec: str | None = None,
        default_mode: int | None = constants.BCM,
        fast: ModuleType | None = None,
        on_hardware: Callable[[Hardware | None], object] | None = None,
        make_dispatcher: Callable[..., Dispatcher] | None = None,
        within: Parts | None = None,
    ) -> None:
        def look_after() -> None:
            hooks.look_after(self)

        def listeners() -> Listeners | None:
            return self._listeners

        def pulses() -> Pulses | None:
            return self._pulses

        self.lock = lock = RLock()
        self._listeners: Listeners | None = None
        self._pulses: Pulses | None = None
        self._leases: Leases | None = None
        self.manners = manners = Manners()
        self.book = book = Book()
        self.machine = machine = Machine(spec, lock, look_after, on_hardware)
        self.numbering = numbering = Numbering(lambda: machine.hardware, default_mode)
        self.line_of, self.channel_of = numbering.line_of, numbering.channel_of
        self.waiting: Waiting = Waiting(
            lambda: self.watched,
            listeners,
            lock,
            make_dispatcher,
            look_after,
            within.waiting if within is not None else None,
        )
        self.safety = safety = Safety(
            machine, book, self._has_pulses, lambda: machine.config_files(fast is not None), lock
        )
        machine.prepare = safety.prepare
        self.lines = lines = Lines(numbering, machine, book, manners, listeners, pulses, safety, lock)
        self.grants = Grants(
            fast, lines.output, lines.input, self.channel_of, lambda: machine.backend, book.directions, lock
        )
        lines.grants = safety.grants = self.grants
        self.grants.ask(lambda line: not safety.has_a_say(line))
        self.ending = ending = Ending(
            machine, book, safety, self.grants, self.waiting, listeners, pulses, lock
        )
        self.cleaner = Cleanup(
            numbering, machine, book, manners, lines, safety, listeners, pulses, ending, lock
        )

    # -- for the rest of RPIO --------------------------------------------------------------------

    @property
    def backend(self) -> Backend:
        """The backend; opens it."""
        return self.machine.backend

    @property
    def hardware(self) -> Hardware:
        """What machine this is; opens the backend where the machine is no Raspberry Pi."""
        return self.machine.hardware

    @property
    def expected_hardware(self) -> Hardware:
        """What machine this is, or will be once a line is touched; opens nothing, and raises nothing."""
        return self.machine.expected_hardware

    @property
    def dispatcher(self) -> Dispatcher:
        """The loop; made on first use."""
        return self.waiting.dispatcher

    @property
    def is_waiting(self) -> bool:
        """Whether wait_for_interrupts() runs, and has not been told to stop."""
        return self.waiting.is_waiting

    @property
    def is_idle(self) -> bool:
        """Whether nothing is used: no line, no callback, no port, and no loop that runs."""
        waiting = self.waiting
        is_heard = self._listeners is not None and bool(self._listeners.watched)
        return not (waiting.is_waiting or waiting.has_ports or is_heard) and self.book.is_empty

    def be_strict(self) -> None:
        """Follow RPi.GPIO where the original RPIO differs: setmode() required, pulls on inputs only."""
        with self.lock:
            self.numbering.default_mode, self.manners.is_strict = None, True
            self.grants.renew()

    # -- edges, made on first use ----------------------------------------------------------------

    @property
    def watched(self) -> WatchedLines:
        """The lines whose edges somebody wants."""
        return self._made_listeners().watched

    @property
    def interrupts(self) -> Interrupts:
        """The callbacks of add_interrupt_callback(), and subscriptions of other kinds."""
        return self._made_listeners().interrupts

    @property
    def detections(self) -> Detections:
        """RPi.GPIO's event detection."""
        return self._made_listeners().detections

    def _made_listeners(self) -> Listeners:
        made = self._listeners
        if made is not None:
            return made
        with self.lock:
            if self._listeners is None:
                for module in ("loop.dispatcher", "loop.callbacks", "board.listeners"):
                    threads.load(f"RPIO.{module}")
                from .listeners import Listeners

                self._listeners = Listeners(
                    self.numbering,
                    self.machine,
                    self.book,
                    self.manners,
                    self.lines.make_line_input,
                    self.lines.input_line,
                    self.grants.set,
                    lambda: self.waiting.dispatcher,
                    self.waiting.end_wait,
                    self.lock,
                )
            return self._listeners

    # -- pulses, made on first use ---------------------------------------------------------------

    @property
    def pulses(self) -> Pulses:
        """What makes pulses; made on first use."""
        return self._pulses or self._make_pulses()

    @property
    def made_pulses(self) -> Pulses | None:
        """What makes pulses, where anything has been asked of it."""
        return self._pulses

    def _make_pulses(self) -> Pulses:
        with self.lock:
            if self._pulses is None:
                threads.load("RPIO.pulses.pulses")
                from ..pulses.pulses import Pulses

                machine, numbering, book = self.machine, self.numbering, self.book
                self._pulses = Pulses(
                    numbering.line_of,
                    numbering.channel_of,
                    lambda: numbering.mode,
                    book.is_output,
                    self.lines.make_output,
                    self.safety,
                    book.directions,
                    lambda: machine.backend,
                    lambda: machine.opened,
                    lambda: machine.hardware,
                    self.lock,
                )
            return self._pulses

    def _has_pulses(self, line: int) -> bool:
        pulses, leases = self._pulses, self._leases
        return (pulses is not None and pulses.has_pulses(line)) or (
            leases is not None and leases.has_pulses(line)
        )

    # -- those who are not the program, made on first use ----------------------------------------

    @property
    def leases(self) -> Leases:
        """The lines in the name of others than the program; made on first use."""
        with self.lock:
            if self._leases is None:
                threads.load("RPIO.board.leases")
                from .leases import Leases

                self._leases = Leases(
                    self.machine,
                    self.book,
                    self.lines,
                    self.safety,
                    lambda: self.watched,
                    lambda: self._listeners,
                    self.lock,
                )
                self.safety.on_rules = self._leases.take_all_back
            return self._leases

    # -- the end ---------------------------------------------------------------------------------

    def close(self) -> None:
        """End the loop and its threads, close sockets and descriptors, set no line. Twice is fine."""
        self.ending.close()
        if self._leases is not None:
            self._leases.forget()

    def shut_down(self) -> None:
        """End what runs because the program ends. See Ending.shut_down()."""
        if self._leases is not None:
            self._leases.end_all_pulses()
        self.ending.shut_down()

    def after_fork(self) -> None:
        """Drop in the child of a fork what the parent goes on using."""
        self.ending.after_fork()
