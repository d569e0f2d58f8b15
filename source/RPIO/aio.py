# SPDX-License-Identifier: LGPL-3.0-or-later
"""Edges for asyncio: iterate over them, await one, or have coroutines called.

::

    import asyncio
    import RPIO
    from RPIO import aio

    async def main():
        RPIO.setup(17, RPIO.IN, pull_up_down=RPIO.PUD_UP)
        if await aio.wait_for_edge(17, RPIO.FALLING, timeout=1) is None:
            print("nobody pressed it")
        async for event in aio.edges(17):
            print(event.value, event.timestamp_ns)

    asyncio.run(main())

The loop of RPIO is nested in that of asyncio: no further thread, and every other callback of the program runs there
too. Where RPIO's loop runs already, in a thread or in wait_for_interrupts(), it stays there and hands the edges over.
Who closes an asyncio loop with iterations pending loses these; the next who needs RPIO's loop takes it from there.
Channels follow the numbering mode and must be set up as inputs.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from inspect import isawaitable

from . import arguments, constants, errors, facade, log
from ._gpio import EdgeEvent
from .board.subscriptions import Subscription
from .loop.nesting import Nesting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .board.subscriptions import WatchedLine
    from .loop.dispatcher import Dispatcher

QUEUE_SIZE = 1024
"""Edges that wait for one iteration; more are dropped and counted by events_lost()."""


async def edges(
    channel: int,
    edge: int | str = constants.BOTH,
    *,
    bouncetime: int | None = None,
    filter_us: int = 0,
    pull_up_down: int | str | None = None,
) -> AsyncIterator[EdgeEvent]:
    """Yield the edges of an input, from the first ``async for`` on, until the iteration ends or is cancelled.

    *edge* is RISING, FALLING or BOTH ("rising", "falling", "both"). *bouncetime* in milliseconds ignores what follows
    an accepted edge, *filter_us* has the kernel report only levels that last so long. *pull_up_down* (PUD_UP or "up",
    and so on) sets the channel up as an input with that pull. Each event is an EdgeEvent: line, value (the level after
    the edge), timestamp_ns (the kernel's CLOCK_MONOTONIC) and seq (a gap is what was lost).

    Raises:
        WrongDirectionException: setup(channel, IN) first, or a pull here. (A RuntimeError.)
        EdgeDetectionError: it was cleaned up.
        LineGoneError: its chip was removed. (An OSError.)
        ValueError: no such edge, channel, pull, bouncetime or filter. What the kernel says.
        NotImplementedError: the asyncio loop has no add_reader().
    """
    bits = _bits(edge)
    board = facade.board
    if pull_up_down is not None:
        board.lines.make_input(channel, pull_up_down)
    queue = _Queue(
        bits, arguments.bouncetime_ns(bouncetime), asyncio.get_running_loop(), board.interrupts.unsubscribe
    )
    line = board.interrupts.subscribe(channel, queue, filter_us, lambda: queue.enter(board.dispatcher))
    try:
        while True:
            yield await queue.get()
    finally:
        board.interrupts.unsubscribe(line, queue)
        queue.leave()


async def wait_for_edge(
    channel: int,
    edge: int | str,
    *,
    bouncetime: int | None = None,
    timeout: float | None = None,
    pull_up_down: int | str | None = None,
) -> EdgeEvent | None:
    """Wait for one edge of an input; return it, or None after *timeout* seconds. Arguments and errors as edges()."""
    timeout = arguments.timeout_s_of(timeout)
    events = edges(channel, edge, bouncetime=bouncetime, pull_up_down=pull_up_down)
    try:
        return await asyncio.wait_for(anext(events), timeout)
    except asyncio.TimeoutError:
        return None
    finally:
        await events.aclose()  # type: ignore[attr-defined]


def on_edge(
    channel: int,
    callback: Callable[[EdgeEvent], Awaitable[object] | object],
    edge: int | str = constants.BOTH,
    *,
    bouncetime: int | None = None,
    filter_us: int = 0,
    pull_up_down: int | str | None = None,
) -> asyncio.Task[None]:
    """Call callback(event), and await it, for each edge, one at a time and in order; cancel() of the task ends it.

    An exception in the callback goes to sys.excepthook, which prints it, and the next edge is served. Arguments and
    errors as edges(); errors of the channel are the task's.
    """
    arguments.check_callback(callback, "event", is_awaited=True)
    arguments.check_parameters(callback, "event")
    _bits(edge)

    async def serve() -> None:
        async for event in edges(
            channel, edge, bouncetime=bouncetime, filter_us=filter_us, pull_up_down=pull_up_down
        ):
            try:
                result = callback(event)
                if isawaitable(result):
                    await result
            except Exception:
                log.callback_failed(callback)

    return asyncio.get_running_loop().create_task(serve(), name=f"RPIO channel {channel}")


def _bits(edge: int | str) -> int:
    return arguments.detection_edge(arguments.number_of("edge", edge, arguments.EDGES))


class _Queue(Subscription):
    """A subscription that keeps its events for a coroutine."""

    __slots__ = ("_ended", "_events", "_lost", "_nesting", "_unsubscribe", "_waiter", "loop")

    def __init__(
        self,
        bits: int,
        holdoff_ns: int,
        loop: asyncio.AbstractEventLoop,
        unsubscribe: Callable[[int, Subscription], None],
    ) -> None:
        super().__init__(bits, None, holdoff_ns)
        self.loop = loop
        self._unsubscribe = unsubscribe
        self._events: deque[EdgeEvent] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._ended = False
        self._lost: errors.LineGoneError | None = None
        self._nesting: Nesting | None = None

    def enter(self, dispatcher: Dispatcher) -> None:
        """Have somebody run RPIO's loop until leave()."""
        nesting = dispatcher.nested_in
        if not isinstance(nesting, Nesting) or not nesting.is_in(self.loop) or not dispatcher.is_nested:
            nesting = Nesting(dispatcher, self.loop)
            if nesting.is_nested:
                self.loop.call_soon(nesting.step)  # what a stopped loop has left behind
            else:
                dispatcher.run_in_background()  # so that somebody runs it when the present one stops
        self._nesting = nesting.enter()

    def leave(self) -> None:
        """It is not needed any more. Twice is fine."""
        nesting, self._nesting = self._nesting, None
        if nesting is not None:
            nesting.leave()

    def deliver(self, event: EdgeEvent, watched: WatchedLine) -> None:
        if self.loop.is_closed():
            self._unsubscribe(event.line, self)
            return
        if len(self._events) >= QUEUE_SIZE:
            watched.count_lost(event.line, 1, "the coroutine is too slow")
            return
        self._events.append(event)
        self._call_wake()

    def lose(self, line: int, why: errors.LineGoneError) -> None:
        self._lost = why
        self._call_wake()

    def close(self) -> None:
        self._ended = True
        self._call_wake()

    def _call_wake(self) -> None:
        try:
            self.loop.call_soon_threadsafe(self._wake)
        except RuntimeError:
            return  # that event loop has been closed: nobody waits any more

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def get(self) -> EdgeEvent:
        """Return the next event; wait for it."""
        while not self._events:
            if self._lost is not None:
                raise self._lost.with_traceback(None)
            if self._ended:
                raise errors.EdgeDetectionError(
                    "Error waiting for edge", hint="the channel has been cleaned up"
                )
            self._waiter = self.loop.create_future()
            await self._waiter
        return self._events.popleft()
