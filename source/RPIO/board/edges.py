# SPDX-License-Identifier: LGPL-3.0-or-later
"""The lines that are watched: who wants their edges, and what the backend and the loop were asked for on their behalf.

A line has any number of subscriptions, each with its own edge and hold-off; the kernel is armed with the union.
"""

from __future__ import annotations

from .. import errors, log
from .parking import Parking
from .subscriptions import Subscription, WatchedLine
from .undoing import Undoing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .._gpio import EdgeEvent
    from ..loop.callbacks import Worker
    from ..loop.dispatcher import Dispatcher
    from .subscriptions import Source


class WatchedLines:
    """All watched lines of a board. *loop* returns the Dispatcher.

    Not locked: who calls has the board's lock, but for dispatch().
    """

    def __init__(self, loop: Callable[[], Dispatcher]) -> None:
        self._loop = loop
        self._watched: dict[int, WatchedLine] = {}
        self._lost_before: dict[int, int] = {}
        self._retired: list[Worker] = []  # closed, and perhaps still in their last callback
        self._undoing = Undoing()
        self._source: Source
        self._parking: Parking
        self._on_lost: Callable[[], object]

    def be_armed_by(self, source: Source, on_lost: Callable[[], object]) -> None:
        """Get edges from there; *on_lost* is told that a line is lost."""
        self._source, self._on_lost = source, on_lost
        self._parking = Parking(source, self._loop)

    @property
    def source(self) -> Source:
        """Where its edges come from."""
        return self._source

    def __len__(self) -> int:
        return len(self._watched)

    def __contains__(self, line: int) -> bool:
        return line in self._watched

    def __iter__(self) -> Iterator[int]:
        return iter(list(self._watched))

    def get(self, line: int) -> WatchedLine | None:
        """What is known of a watched line."""
        return self._watched.get(line)

    def of_kind(self, line: int, kind: type[Subscription]) -> list[Subscription]:
        """The subscriptions of a line that are of exactly this class."""
        watched = self._watched.get(line)
        return [s for s in watched.subscriptions if type(s) is kind] if watched is not None else []

    def add(self, line: int, subscription: Subscription, filter_us: int | None = None) -> None:
        """Subscribe, and arm; undone where that fails. *filter_us* None takes the filter that the line has.

        Raises:
            ValueError: the line has another filter. What the backend raises.
        """
        self.finish()
        self.check_filter(line, filter_us)
        watched = self._watched.get(line)
        if watched is None:
            watched = WatchedLine(filter_us or 0)
        before = watched.subscriptions
        watched.subscriptions = (*before, subscription)
        self._watched[line] = watched
        try:
            self.resume(line)
        except BaseException as e:
            if self._watched.get(line) is watched and subscription in watched.subscriptions:
                self.discard(line, subscription)
                raise
            if not errors.is_refusal(e):
                raise  # else it is nobody's: a signal handler has ended the watch meanwhile

    def finish(self) -> None:
        """Undo what is left of watches that were ended, and whose end was interrupted."""
        self._undoing.finish()

    def check_filter(self, line: int, filter_us: int | None) -> None:
        """Raise ValueError where the line is watched with another filter."""
        watched = self._watched.get(line)
        if watched is not None and filter_us is not None:
            watched.check_filter(line, filter_us)

    def remove(self, line: int, kind: type[Subscription]) -> bool:
        """End the subscriptions of this class, and the watch where none is left; False where there were none."""
        gone = self.of_kind(line, kind)
        for subscription in gone:
            self.discard(line, subscription)
        return bool(gone)

    def discard(self, line: int, subscription: Subscription) -> None:
        """End one subscription, and the watch with the last; nothing where it has ended already."""
        self.finish()
        watched = self._watched.get(line)
        if watched is None or subscription not in watched.subscriptions:
            return
        if len(watched.subscriptions) == 1:
            self.drop(line)
            return
        watched.subscriptions = tuple([s for s in watched.subscriptions if s is not subscription])
        self._undoing.steps += [lambda: self._close(subscription)]
        self.finish()
        self.resume(line)

    def resume(self, line: int) -> None:
        """Arm the backend with what the subscriptions of the line need."""
        watched = self._watched.get(line)
        if watched is None or watched.edge is None:
            return
        self.finish()
        parked = self._parking.get(line)
        if parked is not None and watched.fd is None:
            self._listen(line, watched, parked)  # before there can be edges: the loop reads it all the time
            self._parking.leave(line)
        try:
            fd = self._source.arm(line, watched.edge, watched.filter_us)
        except BaseException:
            if parked is not None:
                self.suspend(line)
            raise
        if watched.fd is None:
            self._listen(line, watched, fd)
        else:
            watched.count(line, self._loop())
        if self._watched.get(line) is not watched:  # a signal handler has ended it meanwhile
            self._source.disarm(line, False)

    def _listen(self, line: int, watched: WatchedLine, fd: int) -> None:
        loop = self._loop()
        token = loop.new_token()
        if self._watched.get(line) is watched:
            watched.is_listened_to(fd, token)
            on_error, is_over = lambda events: self.lose(line), lambda: self._watched.get(line) is not watched
            loop.add_edges(fd, token, on_error, is_over, watched.taps, watched.is_quiet)

    def end_with_input(self, line: int) -> None:
        """End the subscriptions that do not outlast the line's being an input."""
        watched = self._watched.get(line)
        for subscription in watched.subscriptions if watched is not None else ():
            if not subscription.outlasts_output:
                self.discard(line, subscription)

    def suspend(self, line: int) -> None:
        """Disarm, and keep the subscriptions: the line becomes an output, or goes."""
        watched = self._watched.get(line)
        fd = None if watched is None else watched.fd
        if watched is not None and fd is not None:
            steps = self._disarming(line, fd, watched)
            watched.fd = None
            self._undoing.steps += steps
        self.finish()

    def _disarming(self, line: int, fd: int, watched: WatchedLine) -> list[Callable[[], object]]:
        loop, token = self._loop(), watched.token
        watched.count(line, loop)  # for what it has lost
        if self._source.lasting_fd(line) == fd:
            return [lambda: self._parking.park(line, fd)]
        return [lambda: loop.remove_token(fd, token), lambda: self._source.disarm(line, False)]

    def let_go(self, line: int) -> None:
        """The descriptor of a line that is not watched is about to be closed. Twice is fine."""
        self._parking.let_go(line)

    def let_go_all(self) -> None:
        """The same for all lines."""
        self._parking.let_go_all()

    def drop(self, line: int) -> None:
        """End all subscriptions of a line, if there are any."""
        self.finish()
        watched = self._watched.get(line)
        if watched is None:
            return
        log.debug("- removing interrupts on gpio %s", line)
        # First the subscriptions, for a wait inside a callback polls the descriptor.
        steps: list[Callable[[], object]] = [
            lambda s=subscription: self._close(s)  # type: ignore[misc]
            for subscription in watched.subscriptions
        ]
        fd = watched.fd  # once: a signal handler may end the watch between two looks
        if fd is not None:
            steps += self._disarming(line, fd, watched)
        self._undoing.steps += steps
        if self._watched.pop(line, None) is watched:
            lost, watched.lost = watched.lost, 0
            self._lost_before[line] = self._lost_before.get(line, 0) + lost
        watched.subscriptions, watched.fd = (), None
        self.finish()

    def _close(self, subscription: Subscription) -> None:
        worker = subscription.worker
        if worker is not None and worker not in self._retired:
            self._retired = [*[other for other in self._retired if other.is_alive()], worker]
        subscription.close()

    def lose(self, line: int) -> None:
        """The chip of a line has gone: stop listening, before epoll reports it for ever, and end its waits."""
        watched = self._watched.get(line)
        if watched is not None and watched.fd is not None:
            why = self._source.gone_error(line)
            fd, watched.fd, watched.gone = watched.fd, None, why
            self._loop().remove(fd)
            for subscription in watched.subscriptions:
                subscription.lose(line, why)
            self._on_lost()

    def check_there(self) -> None:
        """Raise LineGoneError where the chip of a watched line has gone."""
        for watched in list(self._watched.values()):
            if watched.gone is not None:
                raise watched.gone.with_traceback(None)

    def forget(self) -> None:
        """In the child of a fork, which has none of it; the callback that forked may not have been its edge's last."""
        for watched in self._watched.values():
            for subscription in watched.subscriptions:
                subscription.abandon()
            watched.subscriptions = ()
        self._watched.clear()
        self._parking.forget()
        self._retired = []
        self._undoing.steps = []

    def dispatch(self, event: EdgeEvent) -> None:
        """Hand an edge to its subscriptions. The loop's thread."""
        watched = self._watched.get(event.line)
        # Another token: it was read for a watch that has ended.
        if watched is not None and event.token == watched.token:
            watched.dispatch(event)

    def lost(self) -> dict[int, int]:
        """How many edges each line has lost since its callbacks were first added."""
        counts = dict(self._lost_before)
        for line, watched in list(self._watched.items()):
            watched.count(line, self._loop())
            counts[line] = counts.get(line, 0) + watched.lost
        return counts

    def workers(self) -> list[Worker]:
        """The threads of threaded callbacks, those that are on their way out too."""
        return self._retired + [
            s.worker for watched in list(self._watched.values()) for s in watched.subscriptions if s.worker
        ]
