# SPDX-License-Identifier: LGPL-3.0-or-later
"""Lines of another process that are watched, and the pipes that their edges come out of."""

from __future__ import annotations

from errno import EBUSY

from ... import errors, log
from ..._gpio import EdgeRoutes, Pipe
from ...wire.native import Ended, TaskEnded, told
from ...wire.terms import LINES_MAX
from .answers import head

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..places.places import Place
    from .connection import Exchange


class Watched:
    """A line that is watched: how, and the pipe that its edges come out of."""

    __slots__ = ("edge", "filter_us", "pipe")

    def __init__(self, edge: int, filter_us: int) -> None:
        self.edge, self.filter_us = edge, filter_us
        self.pipe = Pipe()


class Watches:
    """All of a connection's. *do* asks for an operation: it is given its name and values; *on_task* hears of the end of
    each task that is told of, among the edges.
    """

    def __init__(
        self, place: Place, do: Callable[..., object], on_task: Callable[[TaskEnded], object]
    ) -> None:
        self._place, self._do, self._on_task = place, do, on_task
        self._watched: dict[int, Watched] = {}
        self.routes = EdgeRoutes(LINES_MAX)
        """Where the connection has edges go."""

    def begin(self, line: int, edge: int, filter_us: int) -> int:
        """Watch, or watch otherwise; return the descriptor that edges come out of."""
        before = self._watched.get(line)
        watched = before or Watched(edge, filter_us)
        self._watched[line] = watched
        if before is None:
            self.routes.set(line, watched.pipe.reader, watched.pipe.writer)
        try:
            self._do("watch", line, edge, filter_us)
        except BaseException:
            if before is None:
                self.forget(line)
            raise
        if self._watched.get(line) is not watched:  # another has ended it between the request and its answer
            raise errors.LineBusyError(EBUSY, f"GPIO {line} has just been given another use")
        watched.edge, watched.filter_us = edge, filter_us
        return watched.pipe.reader

    def end(self, line: int) -> None:
        """Watch no longer. Twice is fine."""
        if line in self._watched:
            try:
                self._do("unwatch", line)
            finally:
                self.forget(line)

    def forget(self, line: int) -> None:
        """The same, where the server knows, or is not to know. Twice is fine."""
        watched = self._watched.pop(line, None)
        if watched is not None:
            self.routes.drop(line)
            watched.pipe.close()

    def forget_all(self) -> None:
        """That of every line."""
        for line in list(self._watched):
            self.forget(line)

    # -- what happens to the connection ----------------------------------------------------------

    def on_back(self, exchange: Exchange) -> None:
        """The session goes on: what was lost on the way shows in the numbers of the edges."""
        for line, watched in list(self._watched.items()):
            (seq,) = exchange(head("watch", line, watched.edge, watched.filter_us))
            self.routes.lose(line, int(seq))

    def on_new(self, exchange: Exchange) -> None:
        """It is another session: watch again."""
        for line, watched in list(self._watched.items()):
            self.routes.restart(line)
            self.routes.lose(line, 1)  # nobody knows how many; one at least is told of
            self.routes.restart(line)
            exchange(head("watch", line, watched.edge, watched.filter_us))

    def on_event(self, text: bytes) -> None:
        """The server has said something that is neither an answer nor an edge."""
        event = told(text)
        if isinstance(event, TaskEnded):
            self._on_task(event)
        elif isinstance(event, Ended) and event.line in self._watched:
            if event.lost:
                self.routes.lose(event.line, self.routes.last(event.line) + event.lost)
            else:
                log.warning("GPIO %s: no more edges from %s: %s", event.line, self._place, event.text)
                self.forget(event.line)
