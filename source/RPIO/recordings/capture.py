# SPDX-License-Identifier: LGPL-3.0-or-later
"""Capture the edges of lines into a Recording: what ``rpio capture`` and ``rpio record`` do between start and end.

Edges have the kernel's times and numbers; a gap in the numbers is a loss, and is kept as one.
"""

from __future__ import annotations

import signal
from contextlib import contextmanager

from .. import constants, errors
from ..board.subscriptions import Subscription
from ..loop.dispatcher import Dispatcher
from ..loop.runs import Run
from .recording import Recording

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .._gpio import EdgeEvent
    from ..board.board import Board

EDGES = {"rising": (1,), "falling": (0,), "both": (0, 1)}
"""Name of an edge -> the levels after it."""

TELL_NS = 200_000_000
KEEP_NS = 1_000_000_000
DRAIN_NS = 500_000_000
LATE_NS = 100_000_000
"""How long after its time an edge may still come out of a poller that has been emptied."""


class Capture:
    """One capture. What ends it is a span in ns after its beginning, a number of edges, Ctrl+C, or SIGTERM.

    *trigger* is a line, and the levels after the edges of it with which the recording begins.
    """

    def __init__(
        self,
        board: Board,
        lines: list[int],
        span_ns: int | None = None,
        trigger: tuple[int, tuple[int, ...]] | None = None,
        edges: int | None = None,
        timeout_ns: int | None = None,
    ) -> None:
        self.recording = Recording(lines)
        self.edges = 0
        self.lost = 0
        self._board, self._span_ns, self._most = board, span_ns, edges
        self._timeout_ns = timeout_ns  # for the trigger
        self._hold = _Trigger(self.recording, *trigger) if trigger is not None else None
        self._taps = [Tap(self.recording, index, self._hold) for index in range(len(lines))]
        if self._hold is not None:
            self._hold.taps = self._taps
        self._start_ns: int | None = None
        self._keep_at_ns = 0

    def run(
        self,
        force: bool = False,
        tell: Callable[[int | None, int], object] | None = None,
        keep: Callable[[Recording], object] | None = None,
    ) -> Recording | None:
        """Capture until the end; return what was recorded, None where the trigger never came.

        *tell* is called five times a second with the nanoseconds since the beginning, None before it, and the number
        of edges. *keep* gets the edges a second at a time; what is returned then are those after the last call, and
        ``edges`` and ``lost`` count them all.
        The lines become inputs, their pulls stay; those of a shared board are heard as they are. At the end the board
        lets go of all lines.

        Raises:
            WrongDirectionException: a line is no input, and not *force*.
        """
        board, recording, dispatcher = self._board, self.recording, self._board.dispatcher
        try:
            heard = [line for line in recording.lines if self._may_listen(line)]
            for line in [line for line in recording.lines if line not in heard]:
                self._take(line, force)
            recording.initial = [board.backend.read(line) for line in recording.lines]
            run = Run()
            try:
                dispatcher.claim(run)
                with _interrupting(dispatcher.stop) as interrupted:
                    recording.start_ns = self._start_ns = dispatcher.now_ns()
                    for line, tap in zip(recording.lines, self._taps, strict=True):
                        tap.seen_ns = recording.start_ns
                        channel = board.channel_of(line)
                        if line in heard:
                            board.interrupts.listen(channel, tap)
                        else:
                            board.interrupts.subscribe(channel, tap, 0)
                    self._step_until(interrupted, dispatcher, tell, keep)
                    end_ns = dispatcher.now_ns()
                    self._drain()
            finally:
                run.is_over = True
                dispatcher.release(run)
        finally:
            board.close()  # lets go of the lines, and sets none
        return self._finished(end_ns)

    def _began_ns(self) -> int | None:
        return self._hold.at_ns if self._hold is not None else self._start_ns

    def _step_until(
        self,
        interrupted: list[int],
        dispatcher: Dispatcher,
        tell: Callable[[int | None, int], object] | None,
        keep: Callable[[Recording], object] | None,
    ) -> None:
        while not interrupted:
            wait_ns = self._wait_ns(dispatcher.now_ns(), tell, keep)
            if wait_ns == 0:
                break
            dispatcher.step(None if wait_ns is None else wait_ns / 1e9)

    def _wait_ns(
        self,
        now_ns: int,
        tell: Callable[[int | None, int], object] | None,
        keep: Callable[[Recording], object] | None,
    ) -> int | None:
        """How long to wait for edges: None is for good, 0 is the end."""
        began_ns = self._began_ns()
        left = []
        if began_ns is not None and self._span_ns is not None:
            left.append(max(0, began_ns + self._span_ns - now_ns))
        if began_ns is None and self._timeout_ns is not None and self._start_ns is not None:
            left.append(max(0, self._start_ns + self._timeout_ns - now_ns))
        if self._most is not None and self.edges + len(self.recording) >= self._most:
            return 0
        if any(tap.gone for tap in self._taps):
            return 0
        if tell is not None:
            tell(None if began_ns is None else now_ns - began_ns, self.edges + len(self.recording))
            left.append(TELL_NS)
        if keep is not None and began_ns is not None:
            if now_ns >= self._keep_at_ns:
                self._keep_at_ns = now_ns + KEEP_NS
                self._hand_over(keep)
            left.append(KEEP_NS)
        return min(left, default=None)

    def _hand_over(self, keep: Callable[[Recording], object]) -> None:
        """Hand the edges over that none can come before any more."""
        settled_ns = self._board.dispatcher.now_ns() - LATE_NS
        if self._drain() and settled_ns > self.recording.start_ns:  # else a line may have older ones waiting
            settled = self.recording.take_before(settled_ns)
            self._count(settled)
            keep(settled)

    def _count(self, recording: Recording) -> None:
        self.edges += len(recording)
        self.lost += sum(recording.lost().values())

    def _drain(self) -> bool:
        """Take what has come until now; a line that goes on does not keep us: False then."""
        dispatcher = self._board.dispatcher
        until_ns = dispatcher.now_ns() + DRAIN_NS
        while dispatcher.step(0):
            if dispatcher.now_ns() > until_ns:
                return False
        return True

    def _finished(self, end_ns: int) -> Recording | None:
        recording, began_ns = self.recording, self._began_ns()
        if began_ns is None:
            return None
        if self._span_ns is not None:
            end_ns = min(end_ns, began_ns + self._span_ns)
        if self._most is not None and self.edges + len(recording) >= self._most:
            end_ns = min(end_ns, sorted(recording.times_ns)[self._most - self.edges - 1])
        recording.finish(recording.start_ns, end_ns)
        self._count(recording)
        return recording

    def _may_listen(self, line: int) -> bool:
        return self._board.interrupts.may_listen(self._board.channel_of(line))

    def _take(self, line: int, force: bool) -> None:
        """Make an input of the line, whose pull stays as it is."""
        board = self._board
        channel = board.channel_of(line)
        function = board.gpio_function(channel)
        if function not in (constants.IN, constants.UNKNOWN) and not force:
            name = constants.FUNCTION_NAMES.get(function, str(function))
            raise errors.WrongDirectionException(
                f"GPIO {line} is {name}, and capturing makes an input of it", hint="--force does so"
            )
        board.lines.make_input(channel)


class Tap(Subscription):
    """A subscription that puts every edge into a recording; deliver() is spared: one call less an edge."""

    __slots__ = ("_add", "gone", "hold", "index", "recording", "seen_ns", "seq")

    def __init__(self, recording: Recording, index: int, hold: Callable[[EdgeEvent], bool] | None) -> None:
        super().__init__(3, None, 0)
        self.recording, self.index, self.hold = recording, index, hold
        self._add = recording.add
        self.seq = self.seen_ns = 0
        self.gone = False

    def lose(self, line: int, why: errors.LineGoneError) -> None:
        """End the capture: with what has been recorded until now."""
        self.gone = True

    def accepts(self, event: EdgeEvent) -> bool:
        """Keep the event; False, as there is nothing more to do."""
        _, level, time_ns, seq = event
        held = self.hold is not None and self.hold(event)
        if seq != self.seq + 1 and not held:
            self.recording.lose(self.index, seq - self.seq - 1, self.seen_ns, time_ns)
        self.seq, self.seen_ns = seq, time_ns
        if not held:
            self._add(time_ns, self.index, level)
        return False


class _Trigger:
    """Holds edges back until one is the trigger; remembers the levels before it."""

    def __init__(self, recording: Recording, line: int, levels: tuple[int, ...]) -> None:
        self.recording, self.line, self.levels = recording, line, levels
        self.at_ns: int | None = None
        self.taps: list[Tap] = []

    def __call__(self, event: EdgeEvent) -> bool:
        """Whether this edge is before the trigger."""
        if event.line == self.line and event.value in self.levels:
            self.at_ns = self.recording.start_ns = event.timestamp_ns
            for tap in self.taps:
                tap.hold = None
            return False
        self.recording.initial[self.recording.lines.index(event.line)] = event.value
        return True


@contextmanager
def _interrupting(stop: Callable[[], object]) -> Iterator[list[int]]:
    """Have Ctrl+C and SIGTERM end the wait, and no statement in the middle; yields the signals that came."""
    came: list[int] = []

    def note(number: int, frame: object) -> None:
        """The handler."""
        came.append(number)
        stop()

    before = {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, note)
    except ValueError:
        pass  # not the main thread, which alone gets signals
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
