# SPDX-License-Identifier: LGPL-3.0-or-later
"""output() and input(): each call goes to the Board, which has the rules."""

from __future__ import annotations

from . import missing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import NoReturn


class _Board:
    """Who answers."""

    output: Callable[..., None]
    input: Callable[..., int]
    is_known = False

    def known(self) -> _Board:
        """Return it; ``import RPIO`` does not load the board, the first call does."""
        if not self.is_known:
            import importlib

            importlib.import_module("RPIO.facade")
            if not self.is_known:
                raise RuntimeError("no board answers for this channel")
        return self


_board = _Board()


def output(channel: int | list[int] | tuple[int, ...], value: int | Sequence[int]) -> None:
    """Set an output to 0 or 1 (any value but 0 is high), or several: to one value, or to a list of values.

    Levels change in the order of the list.

    Raises:
        WrongDirectionException: not set up as OUT (a RuntimeError); those before it are written.
        ValueError: no such channel, or no such value.
    """
    _board.known().output(channel, value)


def input(channel: int) -> int:
    """Return the level of a channel that has been set up, 0 or 1.

    Raises:
        WrongDirectionException: it has not been set up (a RuntimeError).
        InvalidChannelException: no such channel (a ValueError).
    """
    return _board.known().input(channel)


def on_miss(output: Callable[..., None], input: Callable[..., int], /) -> None:
    """Who does what output() and input() are asked for."""
    _board.output, _board.input, _board.is_known = output, input, True


def grant(channel: int, registers: object, line: int, may_write: bool, /) -> NoReturn:
    """There are no registers here. Raises NoBackendError."""
    raise missing.error("registers")


def grant_line(channel: int, line_fd: int, may_write: bool, /) -> None:
    """The Board serves all lines."""


def revoke(channel: int, /) -> None:
    """The Board serves all lines."""


def revoke_all() -> None:
    """The Board serves all lines."""
