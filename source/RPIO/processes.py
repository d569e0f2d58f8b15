# SPDX-License-Identifier: LGPL-3.0-or-later
"""What the end of the process and its forks mean to every Board there is: one hook of each kind for all of them."""

from __future__ import annotations

from _weakref import ref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Board(Protocol):
        """What is called."""

        def after_fork(self) -> None:
            """Drop in the child what the parent goes on using."""

        def shut_down(self) -> None:
            """End what runs, because the program ends."""


class Hooks:
    """What atexit and os.register_at_fork() call. There is one of these: what they have taken stays for good."""

    def __init__(self) -> None:
        self._boards: set[ref[Board]] = set()
        self._are_set = False

    def look_after(self, board: Board) -> None:
        """Have it shut down at exit, and drop in the child of a fork what the parent goes on using. Twice is fine."""
        self._boards.add(ref(board, self._boards.discard))
        if not self._are_set:
            import atexit
            import os

            os.register_at_fork(after_in_child=self._after_fork)
            atexit.register(self._shut_down)
            self._are_set = True  # last: interrupted before, they are set twice, and both may come twice

    def _living(self) -> list[Board]:
        return [board for board in [me() for me in list(self._boards)] if board is not None]

    def _after_fork(self) -> None:
        for board in self._living():
            board.after_fork()

    def _shut_down(self) -> None:
        for board in self._living():
            board.shut_down()


hooks = Hooks()
