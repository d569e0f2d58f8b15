# SPDX-License-Identifier: LGPL-3.0-or-later
"""What may be seen of a line: its level, its function, its direction. Nothing here changes any."""

from __future__ import annotations

from .. import constants, errors
from ..machine.headers import is_well_known

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import RLock

    from .book import Book
    from .machine import Machine
    from .numbering import Numbering


class Looks:
    """The lines of a board, as they are."""

    def __init__(self, numbering: Numbering, machine: Machine, book: Book, lock: RLock) -> None:
        self._line_of, self._machine, self._book, self._lock = numbering.line_of, machine, book, lock

    def input(self, channel: int) -> int:
        """Read a channel. See RPIO.input()."""
        with self._lock:
            line = self._line_of(channel)
            if line not in self._book.directions:
                raise errors.WrongDirectionException(
                    "You must setup() the GPIO channel first",
                    hint=f"setup({channel}, IN), or forceinput({channel})",
                )
            return self._machine.backend.read(line)

    # As with output(): what RPIO.input() cannot do ends there.
    input.__qualname__ = "input"

    def force_input(self, channel: int) -> int:
        """Read without setup()."""
        with self._lock:
            return self.look_at(self._line_of(channel))

    def look_at(self, line: int) -> int:
        """The level of a line, set up or not."""
        with self._lock:
            was_taken = line in self._book.taken
            self._book.taken.add(line)  # while it is looked at: interrupted in that, cleanup() lets go of it
            level = self._machine.backend.read(line)
            if not was_taken:
                self._book.taken.discard(line)
            return level

    def may_peek(self, line: int) -> bool:
        """Whether reading the line disturbs nobody.

        Where the kernel is asked (cdev, sysfs) a level is read by taking the line for a moment. One that a driver has
        as SCL or TXD, say, may lose that function when it is given back, and the kernel does not tell the function: so
        lines that are well known for another use than GPIO are not taken.
        """
        return (
            "functions" in self._machine.backend.features  # the registers tell
            or not self._machine.hardware.is_pi
            or not is_well_known(line)
            or line in self._book.directions  # it is this program's
        )

    def peek(self, line: int) -> int | None:
        """The level of a line that nobody has asked for; None where it cannot be read, or not without a risk."""
        if not self.may_peek(line):
            return None
        try:
            return self.look_at(line)
        except (errors.NotSupportedError, errors.LineBusyError, errors.InvalidChannelException):
            return None

    def function(self, channel: int) -> int:
        """The function of a channel, set up or not."""
        with self._lock:
            return self._machine.backend.function(self._line_of(channel))

    def direction(self, channel: int) -> int | None:
        """IN or OUT as set up here; None where it was not."""
        with self._lock:
            return self._book.directions.get(self._line_of(channel))

    def input_line(self, channel: int) -> int:
        """The line of a channel that has been set up as an input."""
        line = self._line_of(channel)
        if self._book.directions.get(line) != constants.IN:
            raise errors.WrongDirectionException(
                "You must setup() the GPIO channel as an input first",
                hint=self._book.advice(line, channel, "IN"),
            )
        return line
