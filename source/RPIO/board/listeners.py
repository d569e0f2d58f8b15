# SPDX-License-Identifier: LGPL-3.0-or-later
"""All who hear the edges of a board's lines, made on first use: many programs write and read levels, and no more.

Who sets a line up, or gives it back, tells this.
"""

from __future__ import annotations

from .edges import WatchedLines
from .event_detect import Detections
from .interrupts import Interrupts
from .undoing import do_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import RLock
    from collections.abc import Callable

    from ..loop.dispatcher import Dispatcher
    from .book import Book
    from .machine import Machine
    from .manners import Manners
    from .numbering import Numbering


class Listeners:
    """*loop* returns the Dispatcher, *on_lost* is told that a line is lost. The rest is as with Interrupts."""

    def __init__(
        self,
        numbering: Numbering,
        machine: Machine,
        book: Book,
        manners: Manners,
        make_input: Callable[[int, int | None], object],
        input_line: Callable[[int], int],
        grant: Callable[[int], object],
        loop: Callable[[], Dispatcher],
        on_lost: Callable[[], object],
        lock: RLock,
    ) -> None:
        self.watched = watched = WatchedLines(loop)
        self.interrupts = interrupts = Interrupts(
            numbering, machine, book, make_input, input_line, grant, watched, loop, lock
        )
        watched.be_armed_by(interrupts, on_lost)
        self.detections = Detections(
            watched, numbering, input_line, interrupts.check_still_input, loop, lock, manners.warn
        )

    def line_is_about_to_be_output(self, line: int) -> None:
        """Its edges are not heard, until it is an input again."""
        self.watched.end_with_input(line)
        self.watched.suspend(line)

    def line_is_input(self, line: int) -> None:
        """Those who listen go on."""
        self.watched.resume(line)

    def line_is_released(self, line: int) -> None:
        """Nobody listens any more, and the loop lets go of its descriptor."""
        do_all(lambda: self.watched.drop(line), lambda: self.watched.let_go(line))

    def end_all(self) -> None:
        """The same for all lines, and the waits of wait_for_edge()."""
        do_all(
            self.interrupts.remove_all,
            *[lambda line=line: self.watched.drop(line) for line in self.watched],
            self.watched.finish,
            self.watched.let_go_all,
            self.detections.forget_waits,
        )
