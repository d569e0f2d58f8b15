# SPDX-License-Identifier: LGPL-3.0-or-later
"""The hooks of the end of the process and of its forks, one of each kind for all Boards; what a Board does then is in
board/ending.

In the child of a fork the variables of the parent's other threads are gone. What the C core opens it closes there
itself (``_gpio.close_after_fork``); whoever opens something else, a socket say, does that and gives it its name under
``hooks.making``, for which a fork in another thread waits.
"""

from __future__ import annotations

from _thread import RLock, get_ident
from _weakref import ref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from ._gpio import Held

    class Board(Protocol):
        """What is called."""

        def after_fork(self) -> None:
            """Drop in the child what the parent goes on using."""

        def shut_down(self) -> None:
            """End what runs, because the program ends."""


MAKING_TIMEOUT_S = 1.0
"""How long a fork waits for one who is making something: no longer, should that one wait for who forks."""


class Hooks:
    """What atexit and os.register_at_fork() call. There is one of these: what they have taken stays for good."""

    def __init__(self) -> None:
        self.making = RLock()
        """Held from the call that opens a descriptor until it has its name, for nothing that waits."""
        self._forking: dict[int, list[Held]] = {}
        self._boards: set[ref[Board]] = set()
        self._are_set = False

    def look_after(self, board: Board) -> None:
        """Have it shut down at exit, and drop in the child of a fork what the parent goes on using. Twice is fine."""
        self._boards.add(ref(board, self._boards.discard))
        if not self._are_set:
            import atexit
            import os

            if hasattr(os, "register_at_fork"):  # Windows has no forks
                os.register_at_fork(
                    before=self._before_fork, after_in_parent=self._go_on, after_in_child=self._after_fork
                )
            atexit.register(self._shut_down)
            self._are_set = True  # last: interrupted before, they are set twice, and both may come twice

    def _living(self) -> list[Board]:
        return [board for board in [me() for me in list(self._boards)] if board is not None]

    def _before_fork(self) -> None:
        from ._gpio import Held

        held = Held(self.making, MAKING_TIMEOUT_S)
        self._forking.setdefault(get_ident(), []).append(held)
        held.__enter__()

    def _go_on(self) -> None:
        waiting = self._forking.get(get_ident())
        if waiting:
            waiting.pop().__exit__()

    def _after_fork(self) -> None:
        self._go_on()
        self._forking.clear()
        if not self.making.acquire(blocking=False):  # it took too long
            self.making._at_fork_reinit()  # type: ignore[attr-defined]
        else:
            self.making.release()
        for board in self._living():
            board.after_fork()

    def _shut_down(self) -> None:
        for board in self._living():
            board.shut_down()


hooks = Hooks()
