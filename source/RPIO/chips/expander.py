# SPDX-License-Identifier: LGPL-3.0-or-later
"""The pins of a port expander: some are wired to lines of the board, the others have an outside of their own."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..backends.sim import SimBackend


class Pins:
    """*count* pins; *lines* says which lines of the board some of them are wired to. *on_change*() is called when the
    level of one has changed.
    """

    def __init__(
        self, board: SimBackend, count: int, lines: Mapping[int, int], on_change: Callable[[], object]
    ) -> None:
        for pin in lines:
            if not 0 <= pin < count:
                raise ValueError(f"pins are 0 to {count - 1}, not {pin}")
        self._board, self._on_change, self._count = board, on_change, count
        self._lines = [lines.get(pin) for pin in range(count)]
        self._driven: list[int | None] = [None] * count  # by the chip
        self._outside: list[int | None] = [None] * count
        self._pulled_up = [False] * count
        self.short_circuits = 0
        for line in lines.values():
            board.on_change(line, lambda level: on_change())

    def set(self, pin: int, driven: int | None, is_pulled_up: bool) -> None:
        """Have the chip drive a pin, or let go of it with None, and pull it up or not."""
        line, before, pulled = self._lines[pin], self._driven[pin], self._pulled_up[pin]
        self._driven[pin], self._pulled_up[pin] = driven, is_pulled_up
        if line is None:
            if (before, pulled) != (driven, is_pulled_up):
                self._on_change()
            return
        if pulled != is_pulled_up:
            self._board.pull_up(line, is_pulled_up)
        if before != driven:
            self._board.drive(line, driven)

    def drive(self, pin: int, value: int | None) -> None:
        """Drive a pin from outside to 0 or 1, or let go of it with None.

        Raises:
            ValueError: there is no such pin, or it is wired to a line, which is to be driven instead.
        """
        if not 0 <= pin < self._count:
            raise ValueError(f"pins are 0 to {self._count - 1}, not {pin}")
        if self._lines[pin] is not None:
            raise ValueError(f"pin {pin} is wired to GPIO {self._lines[pin]}: drive that")
        self._outside[pin] = None if value is None else 1 if value else 0
        self._board.clock.call_now(self._on_change)

    def level(self, pin: int) -> int:
        """The level of a pin, 0 or 1; one that nobody drives or pulls is 0."""
        line = self._lines[pin]
        if line is not None:
            return self._board.read(line)
        driven, outside = self._driven[pin], self._outside[pin]
        if driven is not None and outside is not None and driven != outside:
            self.short_circuits += 1
            return 0
        if driven is None:
            driven = outside
        return int(self._pulled_up[pin]) if driven is None else driven

    def levels(self) -> int:
        """Those of all pins, pin 0 the lowest bit."""
        return sum(self.level(pin) << pin for pin in range(self._count))


class InterruptOutput:
    """What shows an interrupt at a line, or nowhere."""

    def __init__(self, board: SimBackend, line: int | None) -> None:
        self._board, self._line = board, line

    def show(self, level: int | None) -> None:
        """Drive it so; None lets go of it."""
        if self._line is not None and self._board.driven(self._line) != level:
            self._board.drive(self._line, level)
