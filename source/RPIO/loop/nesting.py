# SPDX-License-Identifier: LGPL-3.0-or-later
"""RPIO's loop within another one: asyncio's, a screen's, that of another board.

The loop's epoll is a descriptor, which is readable when there is something to do. Whoever has a loop of his own watches
it, and does a step then.
"""

from __future__ import annotations

from .._gpio import PURE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from ..pure.waking import Shown
    from .dispatcher import Dispatcher

    class Outer(Protocol):
        """A loop that watches descriptors, as asyncio's does."""

        def add_reader(self, fd: int, callback: Callable[[], object], /) -> object:
            """Call callback() whenever the descriptor is readable."""

        def remove_reader(self, fd: int, /) -> object:
            """Do so no longer."""

        def is_closed(self) -> bool:
            """Whether it runs nothing any more."""


class Nesting:
    """RPIO's loop within *outer*; None is a loop that looks at ``fd`` itself, and calls step().

    Where another runs the loop already, it is not nested: ``is_nested``. *read* is what to do instead of a step.
    """

    def __init__(
        self, dispatcher: Dispatcher, outer: Outer | None, read: Callable[[], object] | None = None
    ) -> None:
        self._dispatcher, self._outer, self._read = dispatcher, outer, read or self.step
        self._given = outer
        self._shown: Shown | None = None
        self._users = 0
        self.fd = dispatcher.fileno()
        """Readable when there is something to do."""
        self.is_nested = dispatcher.nest(self)
        try:
            if PURE:
                self._adapt()
            self.listen()
        except BaseException:
            dispatcher.unnest(self)
            raise

    def _adapt(self) -> None:
        """What is to be waited for is no descriptor of the kernel's: a thread waits for who knows those alone."""
        from ..pure import waking

        if self._outer is None and self.is_nested:
            self._shown = waking.Shown(self.fd)
            self.fd = self._shown.fd
        elif self._outer is not None and not isinstance(self._outer, AnotherLoop):
            self._outer = waking.Told(self._outer)  # type: ignore[arg-type]

    def step(self) -> int:
        """Do what there is to do; how many things that were."""
        try:
            return self._dispatcher.step(0)
        finally:
            if self._shown is not None:
                self._shown.done()

    def listen(self) -> None:
        """Have the outer loop watch it."""
        if self.is_nested and self._outer is not None:
            self._outer.add_reader(self.fd, self._read)

    def rest(self) -> None:
        """Have the outer loop watch it no longer, until listen()."""
        if self.is_nested and self._outer is not None and not self._outer.is_closed():
            self._outer.remove_reader(self.fd)

    def is_dead(self) -> bool:
        """Whether the outer loop is closed: it will neither run ours nor give it back."""
        return self._outer is not None and self._outer.is_closed()

    def is_in(self, outer: Outer) -> bool:
        """Whether it is in that one."""
        return self._given is outer

    def end(self) -> None:
        """Give the loop back. Twice is fine."""
        if self.is_nested:
            self.rest()
            if self._shown is not None:
                self._shown.close()
            self._dispatcher.unnest(self)
            self.is_nested = False  # the last: who is interrupted before does it again

    # -- for several users -----------------------------------------------------------------------

    def enter(self) -> Nesting:
        """Use it."""
        self._users += 1
        return self

    def leave(self) -> None:
        """Use it no longer; the last one gives the loop back."""
        self._users -= 1
        if self._users == 0:
            self.end()


class AnotherLoop:
    """The loop of another board, as an outer one; closed where *has_it* says that the board has it no more."""

    def __init__(self, dispatcher: Dispatcher, has_it: Callable[[Dispatcher], bool]) -> None:
        self._dispatcher, self._has_it = dispatcher, has_it

    def add_reader(self, fd: int, callback: Callable[[], object], /) -> None:
        """Call callback() whenever the descriptor is readable."""
        self._dispatcher.add(fd, lambda events: callback())

    def remove_reader(self, fd: int, /) -> None:
        """Do so no longer."""
        self._dispatcher.remove(fd)

    def is_closed(self) -> bool:
        """Whether it runs nothing any more."""
        return not self._has_it(self._dispatcher)
