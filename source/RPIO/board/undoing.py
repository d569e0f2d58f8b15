# SPDX-License-Identifier: LGPL-3.0-or-later
"""What has been taken out of the books and is still to be undone, so that no interruption loses it.

A signal handler may raise at any call of Python code, and may call any function of ours in between. So what ends
something first writes down how it is undone, right before or after it takes it out of the books,
and then does that. Whoever is next, cleanup() for one, does the rest. Every step may run twice.
"""

from __future__ import annotations

from .. import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Undoing:
    """The steps that are left, in order. Not locked: who has it holds the lock of what it is about."""

    __slots__ = ("steps",)

    def __init__(self) -> None:
        self.steps: list[Callable[[], object]] = []
        """To be added to with ``undoing.steps += [step]``, with no call between that and what forgets it, or before."""

    def finish(self) -> None:
        """Do what is left, all of it. Raises the first error, of those of the system and of ours.

        A step that lacked memory is still to be done, by the next call.
        """
        first: Exception | None = None
        kept: list[Callable[[], object]] = []
        while True:
            steps = (
                self.steps
            )  # of which a signal handler may do the rest: with the next jump or call, not before
            if not steps or steps[0] in kept:
                break
            step = steps[0]
            try:
                step()
            except Exception as e:
                first = first or e
                if errors.is_lack(e):
                    kept.append(step)
                    self.steps = [*[other for other in self.steps if other is not step], step]
                    continue
            self.steps = [other for other in self.steps if other is not step]
        if first is not None:
            raise first


class Closing(Undoing):
    """What a board is closing. ``leaving`` is how the child of a fork leaves all that, in the middle of it."""

    __slots__ = ("leaving",)

    def __init__(self) -> None:
        super().__init__()
        self.leaving: list[Callable[[], object]] = []

    def finish(self) -> None:
        super().finish()
        self.leaving = []

    def abandon(self) -> None:
        """In the child of a fork: what is left to be undone is the parent's."""
        self.steps, leaving, self.leaving = [], self.leaving, []
        for step in leaving:
            step()


def do_all(*steps: Callable[[], object]) -> None:
    """Do all, one that fails too; raise the first error then. What is no error comes through at once."""
    first: Exception | None = None
    for step in steps:
        try:
            step()
        except Exception as e:
            first = first or e
    if first is not None:
        raise first
