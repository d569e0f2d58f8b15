# SPDX-License-Identifier: LGPL-3.0-or-later
"""asyncio within RPIO's loop, where nesting is RPIO's loop within asyncio's.

asyncio's epoll is one more descriptor of RPIO's loop then, and what goes on at lines and connections of RPIO's own has
nothing of asyncio's to go through. In between asyncio does what there is to do for it, as ever.
"""

from __future__ import annotations

import asyncio
from selectors import EpollSelector
from time import monotonic

from .. import log
from .nesting import Nesting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Context
    from selectors import SelectorKey

    from typing_extensions import TypeVarTuple, Unpack

    from .dispatcher import Dispatcher

    Ts = TypeVarTuple("Ts")


class Selector(EpollSelector):
    """What asyncio waits at."""

    def __init__(self) -> None:
        super().__init__()
        self.dispatcher: Dispatcher | None = None
        """Whose steps are the wait; None waits for asyncio's descriptors alone."""
        self.is_due = False
        """asyncio has something to do."""

    def on_ready(self, events: int) -> None:
        """One of its descriptors is."""
        self.is_due = True

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        """Do what there is to do at lines until asyncio has something to do, or its time has come."""
        if self.dispatcher is None:
            return super().select(timeout)
        self.is_due = False
        try:
            self._steps(self.dispatcher.step, timeout)
        except Exception:  # no memory, say: as asyncio does with what fails in one of its callbacks
            log.callback_failed(self.on_ready)
        return super().select(0)

    def _steps(self, step: Callable[[float | None], object], timeout_s: float | None) -> None:
        if timeout_s is None:
            while not self.is_due:
                step(None)
            return
        until_s = monotonic() + timeout_s
        step(max(timeout_s, 0.0))  # asyncio may never be without something to do
        while not self.is_due and (left_s := until_s - monotonic()) > 0:
            step(left_s)


class GuestLoop(asyncio.SelectorEventLoop):
    """asyncio's loop, to be run within RPIO's."""

    def __init__(self) -> None:
        self._waiting = Selector()
        self._nesting: Nesting | None = None
        super().__init__(self._waiting)

    def enter(self, dispatcher: Dispatcher) -> None:
        """Run within that one. Where another runs it already, it is left to that."""
        self._nesting = nesting = Nesting(dispatcher, None)
        if nesting.is_nested:
            dispatcher.add(self._waiting.fileno(), self._waiting.on_ready)
            self._waiting.dispatcher = dispatcher

    def leave(self) -> None:
        """Run alone. Twice is fine."""
        dispatcher, self._waiting.dispatcher = self._waiting.dispatcher, None
        if dispatcher is not None:
            dispatcher.remove(self._waiting.fileno())
        if self._nesting is not None:
            self._nesting.end()

    def call_soon(
        self, callback: Callable[[Unpack[Ts]], object], *args: Unpack[Ts], context: Context | None = None
    ) -> asyncio.Handle:
        """As any loop, and wait no longer."""
        self._waiting.is_due = True
        return super().call_soon(callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[Ts]], object],
        *args: Unpack[Ts],
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """As any loop, and wait no longer: it may be the first."""
        self._waiting.is_due = True
        return super().call_at(when, callback, *args, context=context)
