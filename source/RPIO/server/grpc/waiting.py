# SPDX-License-Identifier: LGPL-3.0-or-later
"""Calls of gRPC that wait for a bus, and end with their client."""

from __future__ import annotations

import asyncio
from errno import ECONNABORTED

from ... import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from ...backends.buses import I2cBus
    from ..sessions.buses import Buses
    from ..sessions.sessions import Session


class Waiting:
    """The calls of one client that wait for a bus. They end with him."""

    __slots__ = ("_is_over", "_tasks")

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._is_over = False

    async def on_bus(self, session: Session, number: int, work: Callable[[I2cBus], Any]) -> Any:
        """Do *work* with an I2C bus when it is the session's turn, and nobody else's."""
        buses = buses_of(session)
        if not self._is_over:
            is_done, result, error = buses.do_now(session, (number,), work)
            if error is not None:
                raise error
            if is_done:
                return result
        return await self.wait(buses.run(session, session.owner.name, number, work))

    async def wait(self, turn: Coroutine[Any, Any, Any]) -> Any:
        """Wait for a turn. It is cancelled, and leaves its queue, when the call is, or the client has gone.

        Raises:
            OSError: ECONNABORTED: the client has gone.
        """
        if self._is_over:
            turn.close()
            raise _is_gone()
        task = asyncio.get_running_loop().create_task(turn)
        self._tasks.add(task)
        try:
            return await task
        except asyncio.CancelledError:
            if self._is_over and task.cancelled():
                raise _is_gone() from None
            raise
        finally:
            task.cancel()  # a call that is given up before its own task has begun is closed, and not cancelled
            self._tasks.discard(task)

    def end(self) -> None:
        """The client has gone: nothing of his waits any more. Twice is fine."""
        self._is_over = True
        for task in list(self._tasks):
            task.cancel()


def _is_gone() -> OSError:
    return OSError(ECONNABORTED, "the session of this call is over")


def buses_of(session: Session) -> Buses:
    """The buses that are served. Raises NotSupportedError where there are none."""
    buses = session.all.buses
    if buses is None:
        raise errors.NotSupportedError("no buses are served here")
    return buses
