# SPDX-License-Identifier: LGPL-3.0-or-later
"""Counters and encoders: what a program has of them, and how they begin.

They count here (see tapping), or, where another process has the lines, that one counts, and reading is one request (see
remote/sessions/counts).
"""

from __future__ import annotations

from .. import arguments, errors
from .tapping import on_board

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    from .parts import Parts
    from .tapping import Reading

    class Source(Protocol):
        """What counts: here, or elsewhere."""

        def read(self) -> Reading:
            """What has come of it by now."""

        def set(self, count: int) -> int:
            """Count on from there; return the count until now."""

        def end(self) -> None:
            """Count no more. Twice is fine."""


BOTH_BITS = 3
NS_PER_S = 1_000_000_000
WINDOW_MAX_S = 3600.0
COUNT_MAX = (1 << 63) - 1


class Counter:
    """The edges of a line that are counted: see RPIO.counter(). Any thread may ask.

    Reading raises LineGoneError once the line's chip has been removed. After close(), cleanup(), and in the child of a
    fork, nothing more is counted; what was, is told still.
    """

    _names: tuple[str, ...] = ("count",)

    def __init__(self, source: Source) -> None:
        self._source = source

    def __enter__(self):  # type: ignore[no-untyped-def]  # typing.Self is of Python 3.11
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def count(self) -> int:
        """How many edges have been counted, since the beginning or the last reset()."""
        return self._source.read()[0]

    @property
    def lost(self) -> int:
        """How many edges of the line the kernel has dropped, by the gaps in their numbers, since the beginning."""
        return self._source.read()[1]

    @property
    def last_ns(self) -> int | None:
        """The kernel's time of the last counted edge, in nanoseconds of the monotonic clock; None before the first."""
        return self._source.read()[3] or None

    @property
    def period_ns(self) -> int | None:
        """The time between the last two counted edges; None before the second one."""
        return self._source.read()[4] or None

    @property
    def rate_hz(self) -> float:
        """How many a second, now: those of the last *window_s* by the times between them, at most the last 1024; of the
        last two where they are further apart. An edge that is overdue lowers it, and it is 0.0 when nothing has come
        for longer than the window and four times the longest time between two.
        """
        return self._source.read()[5]

    def read(self) -> dict[str, Any]:
        """All of it at one moment, by its name; elsewhere, in one request."""
        count, lost, skipped, last_ns, period_ns, rate_hz, direction = self._source.read()
        times = {"last_ns": last_ns or None, "period_ns": period_ns or None}
        return {self._names[0]: count, "rate_hz": rate_hz, **times, "lost": lost} | dict(
            zip(self._names[1:], (skipped, direction), strict=False)
        )

    def reset(self) -> int:
        """Begin at 0 again; return the count until now. No edge is missing from both."""
        return self._source.set(0)

    def close(self) -> None:
        """Count no more. Twice is fine."""
        self._source.end()


class Encoder(Counter):
    """The steps of a rotary encoder: see RPIO.encoder(). As a Counter, signed."""

    _names = ("steps", "skipped", "direction")

    @property
    def steps(self) -> int:
        """Where it stands: four steps for each cycle, forwards where A changes before B. Can be set."""
        return self._source.read()[0]

    @steps.setter
    def steps(self, steps: int) -> None:
        """Say where it stands."""
        steps = arguments.integer("steps", steps)
        if not -COUNT_MAX <= steps <= COUNT_MAX:
            raise ValueError(f"steps are from {-COUNT_MAX} to {COUNT_MAX}, not {steps}")
        self._source.set(steps)

    @property
    def skipped(self) -> int:
        """How many edges made no step: their line had that level already, so one before it is missing; or they came too
        late for anybody to tell where they belong.
        """
        return self._source.read()[2]

    @property
    def direction(self) -> int:
        """Of the last step: 1 forwards, -1 backwards; 0 before the first."""
        return self._source.read()[6]


def _window_ns(window_s: float) -> int:
    if isinstance(window_s, bool) or not isinstance(window_s, (int, float)):
        raise TypeError(f"window_s must be a number of seconds, not {type(window_s).__name__}")
    if not 0.001 <= window_s <= WINDOW_MAX_S:
        raise ValueError(f"window_s must be from 0.001 to {WINDOW_MAX_S:g} seconds, not {window_s}")
    return round(window_s * NS_PER_S)


def begin_counter(
    board: Parts,
    channel: int,
    edge: str | int,
    pull_up_down: int | str | None,
    filter_us: int,
    debounce_timeout_ms: float | None,
    window_s: float,
) -> Counter:
    """Begin a counter. See RPIO.counter()."""
    line = board.line_of(channel)
    bits = arguments.edge_bits(edge)
    if not bits:
        raise errors.InvalidEdgeException(
            "'none' is no edge to be counted.", hint="use 'rising', 'falling' or 'both'"
        )
    pull = arguments.pull_or_none(pull_up_down)
    filter_us = arguments.filter_us_of(filter_us)
    holdoff_ns, window_ns = arguments.holdoff_ns_of(debounce_timeout_ms), _window_ns(window_s)
    return Counter(_begun(board, {line: bits}, pull, filter_us, holdoff_ns, window_ns))


def begin_encoder(
    board: Parts,
    a: int,
    b: int,
    pull_up_down: int | str | None,
    filter_us: int,
    window_s: float,
) -> Encoder:
    """Begin an encoder. See RPIO.encoder()."""
    line, other = board.line_of(a), board.line_of(b)
    if line == other:
        raise ValueError(f"an encoder has two lines, and GPIO {line} is one")
    pull = arguments.pull_or_none(pull_up_down)
    filter_us, window_ns = arguments.filter_us_of(filter_us), _window_ns(window_s)
    return Encoder(_begun(board, {line: BOTH_BITS, other: BOTH_BITS}, pull, filter_us, 0, window_ns))


def _begun(
    board: Parts, lines: dict[int, int], pull: int | None, filter_us: int, holdoff_ns: int, window_ns: int
) -> Source:
    there = board.backend.counts()
    if there is None:
        return on_board(board, lines, pull, filter_us, holdoff_ns, window_ns)

    def make_inputs() -> None:
        """Of all of them."""
        for line in lines:
            board.lines.make_line_input(line, pull)

    with board.lock:
        board.book.until_kept(make_inputs)
        found = there.begin(list(lines), next(iter(lines.values())), filter_us, holdoff_ns, window_ns)
        try:
            board.dispatcher.run_in_background()  # for the callbacks beside it, as where it counts here
        except BaseException:
            found.end()
            raise
    return found
