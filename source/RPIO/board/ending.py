# SPDX-License-Identifier: LGPL-3.0-or-later
"""What becomes of a board when it is closed, when the program ends, and in the child of a fork.

What is closed is written down under the lock and done without it: it waits for threads, and they for the lock.
"""

from __future__ import annotations

from time import monotonic

from .. import errors, log, threads
from .._gpio import close_after_fork
from .undoing import Closing, do_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import RLock
    from collections.abc import Callable

    from ..loop.callbacks import Worker
    from ..loop.tcp_turns import Turns
    from ..pulses.pulses import Pulses
    from .book import Book
    from .grants import Grants
    from .listeners import Listeners
    from .machine import Machine
    from .safety import Safety
    from .waiting import Waiting


class Ending:
    """How the parts of a board end. *listeners* and *pulses* are as with Lines."""

    def __init__(
        self,
        machine: Machine,
        book: Book,
        safety: Safety,
        grants: Grants,
        waiting: Waiting,
        listeners: Callable[[], Listeners | None],
        pulses: Callable[[], Pulses | None],
        lock: RLock,
    ) -> None:
        self._machine, self._book, self._safety, self._grants = machine, book, safety, grants
        self._waiting, self._listeners, self._pulses, self._lock = waiting, listeners, pulses, lock
        self._closing = Closing()

    # -- callbacks -------------------------------------------------------------------------------

    def cleanup_interrupts(self) -> None:
        """Close all TCP ports and connections and remove the callbacks of add_interrupt_callback()."""
        log.debug("Cleaning up interfaces...")
        with self._lock:
            do_all(self._waiting.close_ports, self._remove_callbacks)

    def _remove_callbacks(self) -> None:
        listeners = self._listeners()
        if listeners is not None:
            listeners.interrupts.remove_all()

    def end_interrupts(self) -> None:
        """The same, with event detection and those who wait for an edge."""
        do_all(self.cleanup_interrupts, self._end_watches)
        loop = self._waiting.made
        if loop is not None:
            loop.end_background()

    def _end_watches(self) -> None:
        listeners = self._listeners()
        if listeners is not None:
            listeners.end_all()

    def leave_gone_chip(self) -> None:
        """Have the next line look for a chip anew, once nothing is used of one that has gone."""
        backend, loop, listeners = self._machine.opened, self._waiting.made, self._listeners()
        if backend is None or self._machine.is_given or not self._book.is_empty:
            return
        if listeners is not None and listeners.watched:
            return
        if not backend.is_gone():
            return
        gone_fd = backend.gone_fd()
        if gone_fd is not None and loop is not None and loop.has(gone_fd):
            loop.remove(gone_fd)
        self._machine.close(self._closing)
        self._closing.finish()

    # -- closing ---------------------------------------------------------------------------------

    def close(self) -> None:
        """End the loop and its threads, close sockets and descriptors, set no line. Twice is fine."""
        do_all(self._take_leave, self._closing.finish)

    def _take_leave(self) -> None:
        """End everything, and write down what has to be waited for or closed then."""
        with self._lock:
            listeners, ports = self._listeners(), self._waiting.made_ports
            workers: list[Worker | Turns] = []
            if listeners is not None:
                workers += listeners.watched.workers()
            if ports is not None:
                workers += ports.workers()
            self._closing.steps += [lambda: _join(workers)]
            do_all(
                self._end_pulses,
                self._give_back_hardware,
                self.end_interrupts,
                self._forget_lines,
                lambda: self._waiting.close(self._closing),
                lambda: self._machine.close(self._closing),
            )

    def _end_pulses(self) -> None:
        pulses = self._pulses()
        if pulses is not None:
            pulses.end()

    def _give_back_hardware(self) -> None:
        pulses = self._pulses()
        if pulses is not None:
            pulses.hardware.close()

    def _forget_lines(self) -> None:
        self._book.directions.clear()
        self._safety.forget()
        self._grants.renew()
        self._book.owned.clear()
        self._book.taken.clear()
        pulses = self._pulses()
        if pulses is not None:
            pulses.forget()

    # -- the end of the program, and a fork ------------------------------------------------------

    def shut_down(self) -> None:
        """End the loop and all PWM because the program ends, and set no other line than those with a safe state.

        What is set up stays so: functions of atexit that are older than this one, daemon threads and the ``__del__``
        of globals may still switch their lines off. The kernel closes the descriptors.
        """
        loop = self._waiting.made
        if loop is not None:
            loop.shut_down()
        self._end_pulses()
        pulses = self._pulses()
        if pulses is not None:
            pulses.end_all()
        self._give_back_hardware()
        self._go_safe()
        backend = self._machine.opened
        if backend is not None and backend.close_at_exit:
            try:
                backend.close()
            except OSError as e:
                log.warning("at the end of the program: %s", e)

    def _go_safe(self) -> None:
        """Bring the lines of this process into the states that are declared for them."""
        for line in sorted(self._book.owned):
            try:
                self._safety.go_safe(line)
            except (errors.GPIOError, OSError) as e:
                log.warning("at the end of the program: GPIO %d is not in its safe state: %s", line, e)

    def after_fork(self) -> None:
        """Drop in the child of a fork what the parent goes on using."""
        self._lock._at_fork_reinit()  # type: ignore[attr-defined] # another thread may have held it
        self._waiting.abandon()
        self._closing.abandon()
        listeners = self._listeners()
        if listeners is not None:
            listeners.watched.forget()
        self._book.owned.clear()
        self._book.taken.clear()
        pulses = self._pulses()
        if pulses is not None:
            pulses.abandon()
        backend = self._machine.opened
        if backend is not None:
            backend.after_fork()
            if backend.holds_lines:
                self._book.of_parent = set(self._book.directions)
                self._book.directions.clear()
                self._grants.renew()
        close_after_fork()  # the last, for some are known to nobody yet


def _join(workers: list[Worker | Turns]) -> None:
    if not workers:
        return
    threads.load("RPIO.loop.dispatcher")
    from ..loop.dispatcher import JOIN_TIMEOUT_S

    deadline_s = monotonic() + JOIN_TIMEOUT_S
    for worker in workers:
        worker.join(max(0.0, deadline_s - monotonic()))
