# SPDX-License-Identifier: LGPL-3.0-or-later
"""Edges on their way to a call of gRPC that watches lines."""

from __future__ import annotations

import asyncio
from collections import deque
from errno import ECONNABORTED

from ...board.subscriptions import Subscription
from ...wire.grpc import rpio_v1_pb2 as pb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..._gpio import EdgeEvent
    from ...board.subscriptions import WatchedLine
    from ...errors import LineGoneError

WAITING_MAX = 4096
"""Edges that wait for a client who is slow; what comes then is counted as lost."""


class Feed:
    """The edges of a call's lines, and the end of them."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Any] = deque()
        self._news = asyncio.Event()
        self._why = ""

    def put(self, edge: Any) -> bool:
        """Keep an edge; False where there is no room. In the loop's thread."""
        if len(self._waiting) >= WAITING_MAX:
            return False
        self._waiting.append(edge)
        self._news.set()
        return True

    def end(self, why: str) -> None:
        """There will be no more. From any thread; the first reason is the one."""
        self._why = self._why or why
        self._loop.call_soon_threadsafe(self._news.set)

    async def next(self) -> list[Any]:
        """Wait for edges. Raises OSError ECONNABORTED with the reason when there are no more."""
        while not self._waiting:
            if self._why:
                raise OSError(ECONNABORTED, self._why)
            self._news.clear()
            await self._news.wait()
        edges = list(self._waiting)
        self._waiting.clear()
        return edges


class FeedWatch(Subscription):
    """A line that a call watches. Its edges are numbered, those that were lost as well."""

    __slots__ = ("_feed", "_known_lost", "_seq", "_untold", "line")
    outlasts_output = False

    def __init__(self, feed: Feed, line: int, bits: int, holdoff_ns: int) -> None:
        super().__init__(bits, None, holdoff_ns)
        self._feed, self.line = feed, line
        self._seq = self._untold = self._known_lost = 0

    def counts_from(self, lost: int | None) -> None:
        """The line had lost so many edges before."""
        self._known_lost = lost or 0

    def deliver(self, event: EdgeEvent, watched: WatchedLine) -> None:
        """Hand an edge on, or count it."""
        lost = max(watched.lost - self._known_lost, 0)
        self._known_lost = watched.lost
        self._seq += lost + 1
        before = self._untold + lost
        edge = pb.Edge(
            line=self.line, level=event.value, timestamp_ns=event.timestamp_ns, seq=self._seq, lost=before
        )
        self._untold = 0 if self._feed.put(edge) else before + 1

    def lose(self, line: int, why: LineGoneError) -> None:
        """Its chip has gone."""
        self._feed.end(f"GPIO {line}: its chip has gone")

    def close(self) -> None:
        """The line has been given another use."""
        self._feed.end(f"GPIO {self.line} has been given another use")
