# SPDX-License-Identifier: LGPL-3.0-or-later
"""How long what is asked of a server takes, by operation."""

from __future__ import annotations

from collections import deque
from time import perf_counter_ns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .connection import Connection

LAST_MAX = 10_000
"""So many of the last ones make the median; all are counted."""


class Timing:
    """Those of one operation."""

    __slots__ = ("count", "last_ns", "worst_ns")

    def __init__(self) -> None:
        self.count, self.worst_ns = 0, 0
        self.last_ns: deque[int] = deque(maxlen=LAST_MAX)

    def add(self, took_ns: int) -> None:
        """One more."""
        self.count += 1
        self.worst_ns = max(self.worst_ns, took_ns)
        self.last_ns.append(took_ns)


class Timings:
    """Times what a connection is asked from now on."""

    def __init__(self, connection: Connection) -> None:
        self._ask, self._ask_all = connection.ask, connection.ask_all
        self._of: dict[str, Timing] = {}
        connection.ask = self._timed  # type: ignore[method-assign]
        connection.ask_all = self._all_timed  # type: ignore[method-assign]

    def _add(self, name: str, began_ns: int) -> None:
        self._of.setdefault(name, Timing()).add(perf_counter_ns() - began_ns)

    def _timed(
        self, head: bytes, is_repeatable: bool = True, is_reading: bool = False, generation: int = 0
    ) -> bytes:
        began_ns = perf_counter_ns()
        try:
            return self._ask(head, is_repeatable, is_reading, generation)
        finally:
            self._add(head.partition(b" ")[0].decode(), began_ns)

    def _all_timed(self, heads: list[bytes]) -> list[bytes]:
        began_ns = perf_counter_ns()
        try:
            return self._ask_all(heads)
        finally:
            self._add(f"{len(heads)} together", began_ns)

    def table(self) -> list[str]:
        """The lines of a table: how often, the median, the 99th of a hundred, and the worst, in microseconds."""
        lines = [f"{'operation':<14} {'calls':>8} {'p50 us':>9} {'p99 us':>9} {'worst us':>9}"]
        for name, timing in sorted(self._of.items(), key=lambda pair: -pair[1].count):
            last = sorted(timing.last_ns)
            p50, p99 = (last[min(len(last) - 1, len(last) * part // 100)] for part in (50, 99))
            worst = timing.worst_ns
            lines.append(
                f"{name:<14} {timing.count:>8} {p50 / 1e3:>9.0f} {p99 / 1e3:>9.0f} {worst / 1e3:>9.0f}"
            )
        return lines
