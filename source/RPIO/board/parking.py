# SPDX-License-Identifier: LGPL-3.0-or-later
"""Descriptors of lines that are not watched now and will be again: the loop keeps them, so that this is no system call.

A program that waits for one edge after the other ends a watch and begins the next all the time.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..loop.dispatcher import Dispatcher
    from .subscriptions import Source


class Parking:
    """*source* is where edges come from, *loop* returns the Dispatcher."""

    def __init__(self, source: Source, loop: Callable[[], Dispatcher]) -> None:
        self._source, self._loop = source, loop
        self._parked: dict[int, int] = {}  # line -> descriptor

    def get(self, line: int) -> int | None:
        """The descriptor that the loop keeps of a line."""
        return self._parked.get(line)

    def leave(self, line: int) -> None:
        """It is watched again."""
        self._parked.pop(line, None)

    def park(self, line: int, fd: int) -> None:
        """Disarm; keep the descriptor. Each step may run twice, and who watches the line again undoes it."""
        self._parked[line] = fd
        if self._source.lasting_fd(line) != fd:  # a signal handler has given the line back, and closed it
            self._parked.pop(line, None)
            return
        self._source.disarm(line, self._loop().park(fd))

    def let_go(self, line: int) -> None:
        """The descriptor of a line that is not watched is about to be closed. Twice is fine."""
        fd = self._parked.get(line)
        if fd is not None:
            try:
                self._loop().remove(fd)
            except OSError:
                pass  # the loop has lost it already, with its chip
            self._parked.pop(line, None)

    def let_go_all(self) -> None:
        """The same for all lines."""
        for line in list(self._parked):
            self.let_go(line)

    def forget(self) -> None:
        """In the child of a fork, whose loop keeps none."""
        self._parked.clear()
