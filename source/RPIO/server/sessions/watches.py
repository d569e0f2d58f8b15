# SPDX-License-Identifier: LGPL-3.0-or-later
"""Edges on their way to a session."""

from __future__ import annotations

from ...board.subscriptions import Subscription
from ...wire.native import Server

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..._gpio import EdgeEvent
    from ...board.subscriptions import WatchedLine
    from ...errors import LineGoneError


class Watch(Subscription):
    """A line that a session watches. Its edges are numbered for the session, those that were lost as well."""

    __slots__ = ("_has_ended", "_known_lost", "_tell", "line", "lost", "seq", "untold")
    outlasts_output = False

    def __init__(
        self,
        tell: Callable[[bytes], bool],
        has_ended: Callable[[Watch, str], object],
        line: int,
        bits: int,
        holdoff_ns: int,
        before: Watch | None,
    ) -> None:
        super().__init__(bits, None, holdoff_ns)
        self._tell, self._has_ended, self.line = tell, has_ended, line
        self.seq: int = before.seq if before is not None else 0
        """The number of the last edge."""
        self.lost: int = before.lost if before is not None else 0
        """How many were lost, all in all."""
        self.untold: int = before.untold if before is not None else 0
        """How many of the last ones the session has not been told of."""
        self.last_ns = before.last_ns if before is not None else None
        self._known_lost: int = before._known_lost if before is not None else 0

    def counts_from(self, lost: int | None) -> None:
        """The line had lost so many edges before; None: this one goes on with what another has counted."""
        if lost is not None:
            self._known_lost = lost

    def deliver(self, event: EdgeEvent, watched: WatchedLine) -> None:
        lost = watched.lost - self._known_lost
        if lost:
            self._known_lost = watched.lost
            lost = max(lost, 0)  # the line is watched anew, and counts anew
            self.lost += lost
        self.seq += lost + 1
        before = self.untold + lost
        if self._tell(Server.edge(self.line, event.value, event.timestamp_ns, self.seq, before)):
            self.untold = 0
        else:
            self.untold = before + 1
            self.lost += 1

    def lose(self, line: int, why: LineGoneError) -> None:
        self._has_ended(self, "its chip has gone")

    def close(self) -> None:
        self._has_ended(self, "the line has been given another use")
