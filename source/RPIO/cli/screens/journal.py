# SPDX-License-Identifier: LGPL-3.0-or-later
"""The rows of a log: edges with their times, what RPIO logs, errors. Bounded, however fast lines move.

Rows wait until somebody takes them for the screen. Of a line that moves faster than that, some edges are rows, and
the others one row that counts them.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime
from time import monotonic_ns, time_ns

from ...recordings.formats import time_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..._gpio import EdgeEvent

    Row = tuple[str, str]

ROWS = 1000
"""How many rows are kept."""

EDGES_EACH = 4
"""How many edges of a line are rows of their own each time that rows are taken."""

NAMES = {0: "↓ Low ", 1: "↑ High"}


class Journal:
    """Rows, (text, style), that wait. say() may be called from any thread."""

    def __init__(
        self, wall_ns: Callable[[], int] = time_ns, now_ns: Callable[[], int] = monotonic_ns
    ) -> None:
        self._wall_ns, self._now_ns = wall_ns, now_ns
        self._rows: deque[Row] = deque(maxlen=ROWS)
        self._edges: dict[int, int] = {}  # line -> how many since rows were taken
        self._last: dict[int, EdgeEvent] = {}

    def say(self, text: str, style: str = "plain") -> None:
        """Add a row, as of now; of several lines, one each."""
        for line in text.splitlines():
            clean = "".join(c if c.isprintable() else "?" for c in line)
            self._rows.append((f"{self._clock(self._now_ns())}  {clean}", style))

    def edge(self, event: EdgeEvent) -> None:
        """Add an edge, as of its own time."""
        before = self._last.get(event.line)
        self._last[event.line] = event
        count = self._edges[event.line] = self._edges.get(event.line, 0) + 1
        if count > EDGES_EACH:
            return
        since = f"  after {time_text(event.timestamp_ns - before.timestamp_ns)}" if before else ""
        self._rows.append((self._edge_text(event) + since, "edge"))

    def take(self) -> list[Row]:
        """Return the rows that wait."""
        for gpio, count in self._edges.items():
            if count > EDGES_EACH:
                text, left_out = self._edge_text(self._last[gpio]), count - EDGES_EACH - 1
                self._rows.append((f"{text}  and {left_out} edges before it" if left_out else text, "edge"))
        self._edges.clear()
        found = []
        while self._rows:
            found.append(self._rows.popleft())
        return found

    def _edge_text(self, event: EdgeEvent) -> str:
        return f"{self._clock(event.timestamp_ns)}  GPIO {event.line:<2}  {NAMES[event.value]}"

    def _clock(self, at_ns: int) -> str:
        """A time of the kernel's clock as that of the day."""
        ns = self._wall_ns() - self._now_ns() + at_ns
        return datetime.fromtimestamp(ns // 10**9).strftime("%H:%M:%S") + f".{ns // 1000 % 10**6:06d}"
