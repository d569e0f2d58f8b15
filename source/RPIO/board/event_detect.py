# SPDX-License-Identifier: LGPL-3.0-or-later
"""The rules of RPi.GPIO's event functions: what they check, in which order, and what conflicts with what."""

from __future__ import annotations

from .. import arguments, errors
from ..loop.callbacks import run_callback
from .subscriptions import Subscription
from .waits import Wait

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import RLock
    from collections.abc import Callable

    from .._gpio import EdgeEvent
    from ..loop.dispatcher import Dispatcher
    from .edges import WatchedLines
    from .numbering import Numbering
    from .subscriptions import ChannelCallback, WatchedLine


class Detection(Subscription):
    """RPi.GPIO's event detection of a line: a latch, and callbacks of the channel, in order of registration."""

    __slots__ = ("_channel_of", "callbacks", "detected")

    def __init__(self, bits: int, holdoff_ns: int, channel_of: Callable[[int], int]) -> None:
        super().__init__(bits, None, holdoff_ns)
        self._channel_of = channel_of
        self.callbacks: tuple[ChannelCallback, ...] = ()
        self.detected = False

    def deliver(self, event: EdgeEvent, watched: WatchedLine) -> None:
        self.detected = True
        channel = self._channel_of(event.line)
        for callback in self.callbacks:
            if self in watched.subscriptions:  # an earlier one may have removed it
                run_callback(callback, channel)


class Detections:
    """Event detection on the watched lines of a board. *input_line* is the board's check that a channel is an input,
    *check_still_input* the same again after a line was watched,
    *loop* returns its Dispatcher, which these functions have run in the background, *warn* warns the program.
    """

    def __init__(
        self,
        watched: WatchedLines,
        numbering: Numbering,
        input_line: Callable[[int], int],
        check_still_input: Callable[[int, int], None],
        loop: Callable[[], Dispatcher],
        lock: RLock,
        warn: Callable[[str], None],
    ) -> None:
        self._watched, self._numbering, self._input_line = watched, numbering, input_line
        self._check_still_input = check_still_input
        self._loop, self._lock, self._warn = loop, lock, warn
        self._last_wait_ns: dict[int, int] = {}  # of each line: bouncetime counts from one wait to the next

    def forget_waits(self) -> None:
        """Begin the hold-off of wait_for_edge() anew."""
        self._last_wait_ns.clear()

    def _check_callback(self, callback: ChannelCallback) -> None:
        """RPi.GPIO takes whatever can be called, and a program may go on without a callback that always fails."""
        arguments.check_callback(callback, "channel")
        reason = arguments.why_not_with(callback, "channel")
        if reason is not None:
            self._warn(reason)

    def _detection(self, line: int) -> Detection | None:
        found = self._watched.of_kind(line, Detection)
        return found[0] if found else None  # type: ignore[return-value]

    def add(
        self, channel: int, edge: int | str, callback: ChannelCallback | None, bouncetime_ms: int | None
    ) -> None:
        """Switch event detection on. See RPIO.add_event_detect()."""
        channel = arguments.integer("channel", channel)
        edge = arguments.number_of("edge", edge, arguments.EDGES)
        bouncetime_ms = arguments.ms_or_none("bouncetime", bouncetime_ms, -666)
        if callback is not None:
            self._check_callback(callback)
        with self._lock:
            line = self._input_line(channel)
            bits = arguments.detection_edge(edge)
            holdoff_ns = arguments.bouncetime_ns(bouncetime_ms)
            if self._detection(line) is not None:
                raise errors.EdgeDetectionError(
                    "Conflicting edge detection already enabled for this GPIO channel",
                    hint=f"remove_event_detect({channel}) first; add_event_callback() adds a callback",
                )
            detection = Detection(bits, holdoff_ns, self._numbering.channel_of)
            if callback is not None:
                detection.callbacks = (callback,)
            self._subscribe(channel, line, detection, "Failed to add edge detection")

    def _subscribe(self, channel: int, line: int, subscription: Subscription, complaint: str) -> None:
        """Add, and have the loop run; a system error becomes the RuntimeError that RPi.GPIO has for it."""
        try:
            self._watched.add(line, subscription)
            try:
                self._loop().run_in_background()
            except BaseException:  # there is no room for its thread, or a signal's handler has raised
                self._watched.discard(line, subscription)
                raise
            self._check_still_input(channel, line)
        except errors.GPIOError as e:
            if isinstance(e, (RuntimeError, errors.LineGoneError)):
                raise
            raise errors.EdgeDetectionError(complaint, hint=f"{e}. {e.hint}") from e
        except OSError as e:
            raise errors.EdgeDetectionError(complaint, hint=str(e)) from e

    def add_callback(self, channel: int, callback: ChannelCallback) -> None:
        """Add a callback to a channel whose event detection is on. See RPIO.add_event_callback()."""
        channel = arguments.integer("channel", channel)
        self._check_callback(callback)
        with self._lock:
            line = self._input_line(channel)
            detection = self._detection(line)
            if detection is None:
                raise errors.EdgeDetectionError(
                    "Add event detection using add_event_detect first before adding a callback"
                )
            detection.callbacks = (*detection.callbacks, callback)

    def remove(self, channel: int) -> None:
        """Switch event detection off; nothing where it is off."""
        with self._lock:
            self._watched.remove(self._numbering.line_of(channel), Detection)

    def detected(self, channel: int) -> bool:
        """Whether there was an edge since the last call; forgets it."""
        with self._lock:
            detection = self._detection(self._numbering.line_of(channel))
            if detection is None or not detection.detected:
                return False
            detection.detected = False
            return True

    def wait_for_edge(
        self, channel: int, edge: int | str, bouncetime_ms: int | None, timeout_ms: int | None
    ) -> int | None:
        """Block until an edge. See RPIO.wait_for_edge()."""
        channel = arguments.integer("channel", channel)
        edge = arguments.number_of("edge", edge, arguments.EDGES)
        bouncetime_ms = arguments.ms_or_none("bouncetime", bouncetime_ms, -666)
        timeout_ms = arguments.ms_or_none("timeout", timeout_ms, -1)
        line, wait = -1, None
        try:
            with self._lock:
                line = self._input_line(channel)
                bits = arguments.detection_edge(edge)
                holdoff_ns = arguments.bouncetime_ns(bouncetime_ms)
                timeout_s = arguments.timeout_s(timeout_ms)
                self._check_wait(line, channel, bits, holdoff_ns)
                wait = Wait(bits, holdoff_ns, self._last_wait_ns.get(line))
                self._subscribe(channel, line, wait, "Error waiting for edge")
            if self._loop().in_loop:
                wait.stand_in(line, self._watched, self._loop(), timeout_s, self._lock)
            else:
                wait.block(timeout_s)
        finally:
            ended = wait is not None and wait.over
            if wait is not None:
                with self._lock:
                    self._watched.discard(line, wait)
        if wait.event is not None:
            self._last_wait_ns[line] = wait.event.timestamp_ns
            return channel
        if wait.lost is not None:
            raise wait.lost
        if ended:
            raise errors.EdgeDetectionError("Error waiting for edge", hint="the channel has been cleaned up")
        return None

    def _check_wait(self, line: int, channel: int, bits: int, holdoff_ns: int) -> None:
        detection = self._detection(line)
        if detection is not None and (
            detection.callbacks
            or (detection.bits == bits and detection.holdoff_ns and detection.holdoff_ns != holdoff_ns)
        ):
            raise errors.EdgeDetectionError(
                "Conflicting edge detection events already exist for this GPIO channel",
                hint=f"remove_event_detect({channel}) first, or use its callback",
            )
