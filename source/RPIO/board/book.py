# SPDX-License-Identifier: LGPL-3.0-or-later
"""Who has which line: what this process has set up, and what it has used without.

Not locked: the board's lock is held by whoever writes here. A signal handler may all the same clean up in the middle;
so a line is entered before it is taken and once more after that, and who takes one looks whether any was given back.
"""

from __future__ import annotations

from .. import constants, errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Book:
    """The lines of a board."""

    def __init__(self) -> None:
        self.directions: dict[int, int] = {}
        """Line -> IN or OUT, as it is set up."""
        self.owned: set[int] = set()
        """Lines that this process has taken by setup(): cleanup() makes inputs of them."""
        self.taken: set[int] = set()
        """Lines that were used without setup(): cleanup() changes nothing there but lets go."""
        self.of_parent: set[int] = set()
        """Lines that the process has set up which this one was forked from, and holds."""
        self.releases = 0
        """How often a line was given back."""

    def is_output(self, line: int) -> bool:
        """Whether a line is set up as one."""
        return self.directions.get(line) == constants.OUT

    def advice(self, line: int, channel: int, direction: str) -> str:
        """What to do about a line that is not set up."""
        if line in self.of_parent:
            return (
                f"GPIO {line} is that of the process which this one was forked from; "
                "give it back there, and setup() it here, or leave it to that one"
            )
        return f"setup({channel}, {direction}) first"

    def own(self, line: int, take: Callable[[], object]) -> None:
        """Take a line, which cleanup() gives back from now on, also where a signal's exception comes out of this.

        What the system refuses is not ours.
        """
        was_owned = line in self.owned
        self.owned.add(line)
        try:
            take()
        except Exception as e:
            if not was_owned and errors.is_refusal(e):
                self.owned.discard(line)
            raise
        self.owned.add(line)  # a signal handler may have cleaned up in the middle

    def until_kept(self, set_up: Callable[[], object]) -> None:
        """Do that; once more where a signal handler has cleaned up in the middle: as if it had come before."""
        before = -1
        while before != self.releases:
            before = self.releases
            set_up()

    @property
    def is_empty(self) -> bool:
        """Whether no line is used."""
        return not self.directions and not self.taken
