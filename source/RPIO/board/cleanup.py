# SPDX-License-Identifier: LGPL-3.0-or-later
"""Giving lines back: in their declared safe states, else as inputs without pull where this process has set them up,
else as they are.

What fails, or is interrupted, keeps nothing else from being given back, and is tried again by the next call. A line is
forgotten when all of it is done.
"""

from __future__ import annotations

from .. import arguments, errors
from .declared import PROGRAM
from .manners import NOTHING_TO_CLEAN_WARNING
from .rules import INPUT, KEEP
from .undoing import do_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import RLock
    from collections.abc import Callable

    from ..arguments import Channels
    from ..pulses.pulses import Pulses
    from .book import Book
    from .ending import Ending
    from .lines import Lines
    from .listeners import Listeners
    from .machine import Machine
    from .manners import Manners
    from .numbering import Numbering
    from .safety import Safety


class Cleanup:
    """The end of what lines were used for. *listeners* and *pulses* are as with Lines."""

    def __init__(
        self,
        numbering: Numbering,
        machine: Machine,
        book: Book,
        manners: Manners,
        lines: Lines,
        safety: Safety,
        listeners: Callable[[], Listeners | None],
        pulses: Callable[[], Pulses | None],
        ending: Ending,
        lock: RLock,
    ) -> None:
        self._numbering, self._machine, self._book, self._manners = numbering, machine, book, manners
        self._lines, self._listeners, self._pulses, self._lock = lines, listeners, pulses, lock
        self._safety, self._ending = safety, ending

    def cleanup(self, channels: Channels) -> None:
        """Make channels inputs without pull; all of them, and forget the mode, for ALL. See RPIO.cleanup()."""
        found = self._all() if channels is arguments.ALL else self._some(channels)
        if not found and self._manners.is_strict:
            self._manners.warn(NOTHING_TO_CLEAN_WARNING)

    def _all(self) -> bool:
        book = self._book
        with self._lock:
            found = bool(book.directions or book.owned)
            driven: list[bool] = []
            do_all(
                self._ending.end_interrupts,
                self._forget_numbering,
                lambda: driven.append(self._end_pulses()),
                *[
                    lambda line=line: self._release_own(line)
                    for line in sorted({*book.directions, *book.owned})
                ],
                *[lambda line=line: self._let_go(line) for line in sorted(book.taken)],
                self._let_go_of_others,
                self._ending.leave_gone_chip,
            )
            return found or any(driven)

    def _some(self, channels: Channels) -> bool:
        lines: list[int] = []
        done: list[bool] = []
        with self._lock:
            try:
                for channel in arguments.channel_list(channels):
                    lines.append(self._numbering.line_of(arguments.channel_in_list(channel)))
            finally:  # those before a bad one are cleaned up
                do_all(
                    *[lambda line=line: done.append(self.release(line)) for line in lines],
                    self._ending.leave_gone_chip,
                )
        return any(done)

    def _end_pulses(self) -> bool:
        pulses = self._pulses()
        return pulses is not None and pulses.end_all()

    def _forget_numbering(self) -> None:
        if self._machine.opened is not None:
            self._numbering.forget()  # as RPi.GPIO, which keeps it as long as no line has been touched
        self._lines.grants.renew()

    def _let_go(self, line: int) -> None:
        """Of a line that was used without setup()."""
        self._machine.backend.release(line)
        self._book.taken.discard(line)

    def _let_go_of_others(self) -> None:
        """Of lines that the backend holds and we do not: a signal handler has cleaned up in the middle of a call."""
        backend = self._machine.opened
        if backend is not None:
            others = [line for line in backend.held() if line not in self._book.directions]
            do_all(*[lambda line=line: backend.release(line) for line in others])

    def _release_own(self, line: int) -> None:
        """Undo setup() of a line, unless somebody else has it."""
        if self._safety.holder(line) in (None, PROGRAM):
            self.release(line)

    def release(self, line: int) -> bool:
        """Undo setup() of a line; False where this process did not set it up. Forgotten when it is done."""
        book, safety = self._book, self._safety
        safety.check_owner(line, None)
        is_left = line in safety.owners  # by somebody who has gone: as he has left it
        book.releases += 1
        pulses = self._pulses()
        driven = pulses is not None and pulses.has_pulses(line)
        self._lines.grants.revoke(line)
        do_all(
            lambda: self._end_watch_of(line),
            lambda: self._end_pulses_of(line),
        )
        is_owned = line in book.owned
        if is_owned:
            try:
                safety.go_safe(line, KEEP if is_left else INPUT)
            except errors.LineGoneError:
                pass  # nothing is left to be an input
            finally:
                self._machine.backend.release(line)
        book.owned.discard(line)
        self._lines.set_direction(line, None)
        return driven or is_owned

    def _end_watch_of(self, line: int) -> None:
        listeners = self._listeners()
        if listeners is not None:
            listeners.line_is_released(line)

    def _end_pulses_of(self, line: int) -> None:
        pulses = self._pulses()
        if pulses is not None:
            pulses.line_is_released(line)
