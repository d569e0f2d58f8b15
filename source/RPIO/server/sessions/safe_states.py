# SPDX-License-Identifier: LGPL-3.0-or-later
"""The states that lines are in before anybody comes."""

from __future__ import annotations

from ... import log
from ...board.declared import NOBODY
from ...errors import GPIOError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...board.board import Board


def go_safe(board: Board) -> None:
    """Bring lines with a safe state into it that nobody has: who served them before may have been killed."""
    lines = [line for line, rules in list(board.safety.rules.lines.items()) if rules.place("safe")]
    with board.lock:
        for line in lines:
            _go_safe_alone(board, line)


def _go_safe_alone(board: Board, line: int) -> None:
    if line in board.book.directions:
        return
    try:
        board.safety.go_safe(line)
        board.book.owned.add(line)
        board.safety.is_set_up(line, NOBODY)
    except (GPIOError, OSError) as e:
        log.warning("GPIO %d is not in its safe state: %s", line, e)
