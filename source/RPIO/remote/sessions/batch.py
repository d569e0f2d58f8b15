# SPDX-License-Identifier: LGPL-3.0-or-later
"""Many requests at once: sent together, and their answers looked at together."""

from __future__ import annotations

import os
from _thread import get_ident

from ... import errors, log
from .answers import words_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .connection import Connection

AT_ONCE = 512
"""So many requests are on their way at most: both sides have room for that."""


class Batch:
    """What one thread asks for from here to the end of a ``with`` statement, where that only changes something.

    It is sent at the end, before whatever has a result, and whenever AT_ONCE have come together. What fails raises
    there: the first error, when all have been asked for.
    """

    def __init__(self, connection: Connection, use: Callable[[Callable[..., bytes]], object]) -> None:
        self._connection, self._use = connection, use
        self._thread, self._process = get_ident(), os.getpid()
        self._heads: list[bytes] = []
        self._failed = 0
        self._first: Exception | None = None

    def ask(
        self, head: bytes, is_repeatable: bool = True, is_reading: bool = False, generation: int = 0
    ) -> bytes:
        """Connection.ask() of this time."""
        if get_ident() != self._thread:
            return self._connection.ask(head, is_repeatable, is_reading, generation)
        if is_reading or not is_repeatable:
            self.flush()
            return self._connection.ask(head, is_repeatable, is_reading, generation)
        self._heads.append(head)
        if len(self._heads) >= AT_ONCE:
            self.flush()
        return b"ok"

    def flush(self) -> None:
        """Ask for what has come together, and wait for the answers."""
        heads, self._heads = self._heads, []
        for answer in self._connection.ask_all(heads):
            try:
                words_of(answer)
            except (errors.GPIOError, OSError, ValueError, TypeError) as e:
                self._failed += 1
                self._first = self._first or e

    def __enter__(self) -> Batch:
        self._use(self.ask)
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if os.getpid() != self._process:
            return  # the child of a fork: what has come together is the parent's
        self._use(self._connection.ask)
        self.flush()
        if self._first is None:
            return
        if self._failed > 1 and hasattr(self._first, "add_note"):
            self._first.add_note(f"{self._failed - 1} more calls of the batch have failed")
        if error is None:
            raise self._first
        log.warning("in a batch: %s", self._first)
