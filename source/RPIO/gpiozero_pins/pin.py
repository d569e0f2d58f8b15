# SPDX-License-Identifier: LGPL-3.0-or-later
"""A pin of gpiozero's that is a line of a Board.

Nothing is touched until the pin is used: what a program has left driven stays so until the next one says otherwise.
``state`` is what counts: for an output it is a call of RPIO.output() with the number of the line already in it, which
is a C function; neither gpiozero's layers nor ours are in between.
"""

from __future__ import annotations

from functools import partial

from gpiozero.exc import (
    PinFixedPull,
    PinInvalidBounce,
    PinInvalidEdges,
    PinInvalidFunction,
    PinInvalidPull,
    PinInvalidState,
)
from gpiozero.pins import Pin
from gpiozero.pins.pi import PiPin

from .. import arguments, constants, errors, facade
from ..board.subscriptions import Subscription
from ..loop.callbacks import run_callback
from .refusals import OF_EDGES, OF_PULL, OF_PWM, OF_STATE, refuse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from typing import Any, Protocol

    from gpiozero.pins import PinInfo

    from .._gpio import EdgeEvent
    from ..board.board import Board
    from ..board.subscriptions import WatchedLine

    class Owner(Protocol):
        """The factory of a pin."""

        DMA_SLOT_US: int
        board: Board
        pwm: str | None

        def quietly(self) -> AbstractContextManager[None]:
            """Return a context in which the board warns of nothing."""

        def claim(self, pin: RPIOPin) -> None:
            """Have a line be this pin's. The board is locked."""

        def unclaim(self, pin: RPIOPin) -> None:
            """It is nobody's again, where it was this one's."""


PULLS = {"floating": constants.PUD_OFF, "up": constants.PUD_UP, "down": constants.PUD_DOWN}
EDGES = {"none": 0, "rising": 1, "falling": 2, "both": 3}
"""The word -> the bits of the edges that are heard."""
NAMES = {constants.IN: "input", constants.OUT: "output"}


class Edges(Subscription):
    """The edges of a pin: *callback* gets the time of the edge in nanoseconds, and the level after it."""

    __slots__ = ()

    def deliver(self, event: EdgeEvent, watched: WatchedLine) -> None:
        """Call it, in the loop's thread."""
        assert self.callback is not None
        run_callback(self.callback, event.timestamp_ns, event.value)


class RPIOPin(PiPin):  # type: ignore[misc]
    """A line of the board of a factory; RPIOFactory.pin() returns it."""

    def __init__(self, factory: Owner, info: PinInfo) -> None:
        super().__init__(factory, info)
        self._board: Board = factory.board
        is_default = self._board is facade.board
        write: Callable[..., object] = facade.output if is_default else self._board.output
        read: Callable[..., int] = facade.input if is_default else self._board.input
        self._output: Callable[[Any], object] = partial(write, self._number)
        self._input: Callable[[], float] = partial(read, self._number)
        self._edges_heard: Edges | None = None
        self._begin()

    def _begin(self) -> None:
        """Be as a pin that nobody has used yet."""
        self._write, self._read = self._output, self._input
        self._pull: str = self._info.pull or "floating"
        self._is_used = False
        self._frequency: float | None = None
        self._period_ns, self._duty = 0, 0.0
        self._bounce: float | None = None
        self._edges = "both"

    def _claim(self) -> None:
        """Have the pin be this factory's, unless another one's of the same board is in use. The board is locked."""
        if not self._is_used:
            self._factory.claim(self)
            self._is_used = True

    def _unclaim(self) -> None:
        self._is_used = False
        self._factory.unclaim(self)

    def close(self) -> None:
        """Give the line back, an input without pull; the next use takes it again. Twice is fine."""
        try:
            self.when_changed = None
            self.frequency = None
            self._give_back()
        except (errors.LineGoneError, errors.LineBusyError):
            pass  # there is nothing left to give back, or it is another's by now
        finally:
            self._unclaim()
            self._begin()

    def _give_back(self) -> None:
        board = self._board
        with board.lock, self._factory.quietly():
            if self._is_used and board.machine.opened is not None and self._direction is not None:
                board.cleanup(self._number)

    # -- function and pull -----------------------------------------------------------------------

    @property
    def _direction(self) -> int | None:
        """IN or OUT as it is set up; None where it is not."""
        return self._board.lines.direction(self._number)

    def _set_up(self, direction: int, pull: str = "floating", level: int = -1) -> None:
        board, was_used = self._board, self._is_used
        with board.lock, self._factory.quietly():
            self._claim()
            try:
                board.setup(self._number, direction, PULLS[pull], level)
            except Exception:  # what a signal handler raises leaves it to close()
                if not was_used:
                    self._unclaim()
                raise

    def _set_up_input(self, pull: str) -> None:
        try:
            self._set_up(constants.IN, pull)
        except errors.GPIOError as e:
            refuse(f'pin {self!r} cannot be an input with pull "{pull}"', e, OF_PULL)
        self._pull = pull

    def _set_up_output(self, level: int = -1) -> None:
        means = self._factory.pwm
        try:
            if means == "hardware" and self._frequency is None and self._is_on_hardware():
                self._wait_for_frequency(level)
            else:
                self._set_up(constants.OUT, level=level)
        except errors.GPIOError as e:
            refuse(f"pin {self!r} cannot be an output", e)
        self._pull = self._info.pull or "floating"

    def output_with_state(self, state: float) -> None:
        """Drive that level from the first moment."""
        self._set_up_output(1 if state else 0)

    def input_with_pull(self, pull: str) -> None:
        """Be an input that has its pull from the first moment."""
        self._check_pull(pull)
        self._set_up_input(pull)

    def _check_pull(self, pull: str) -> None:
        if pull not in PULLS:
            raise PinInvalidPull(f'invalid pull "{pull}" for pin {self!r}')
        if self._info.pull and pull != self._info.pull:
            raise PinFixedPull(f"{self!r} has a fixed pull resistor")

    def _get_function(self) -> str:
        if self._write == self._write_first:
            return "output"
        function = self._direction
        if function is None:
            try:
                function = self._board.gpio_function(self._number)
            except errors.GPIOError as e:
                refuse(f"pin {self!r} has an unknown function", e)
        return NAMES.get(function) or constants.FUNCTION_NAMES.get(function, "unknown").lower()

    def _set_function(self, value: str) -> None:
        if value == "input":
            if self._write == self._write_first:
                self._write, self._read = self._output, self._input
            self._set_up_input(self._pull)
        elif value == "output":
            self._set_up_output()
        else:
            raise PinInvalidFunction(f'invalid function "{value}" for pin {self!r}')

    def _get_pull(self) -> str:
        return self._pull

    def _set_pull(self, value: str) -> None:
        if self._direction == constants.OUT:
            raise PinFixedPull(f"cannot set pull on non-input pin {self!r}")
        self._check_pull(value)
        self._set_up_input(value)

    # -- the level -------------------------------------------------------------------------------

    def _get_state(self) -> float:
        try:
            return self._read()
        except errors.WrongDirectionException:  # it is not set up: as it is
            try:
                return self._board.forceinput(self._number)
            except errors.GPIOError as e:
                refuse(f"cannot read pin {self!r}", e)

    def _set_state(self, value: float) -> None:
        try:
            self._write(value)
        except Exception as e:
            self._refuse_state(value, e)

    state = property(_get_state, _set_state, doc=Pin.state.__doc__)

    def _refuse_state(self, value: float, error: Exception) -> None:
        if isinstance(error, errors.GPIOError):
            refuse(f"cannot set state of pin {self!r}", error, OF_STATE)
        if isinstance(value, float) and value in (0.0, 1.0):
            self.state = int(value)
        elif isinstance(error, (TypeError, ValueError, RuntimeError)):
            raise PinInvalidState(f'invalid state "{value}" for pin {self!r}') from error
        else:
            raise error

    # -- PWM -------------------------------------------------------------------------------------

    def _is_on_hardware(self) -> bool:
        """Whether the hardware's PWM is connected to the line, or drives it: that ends with setup()."""
        return self._board.pulses.hardware.has(self._number)

    def _wait_for_frequency(self, level: int) -> None:
        """Leave an output to the hardware's PWM, until it gets a frequency, or a level."""
        with self._board.lock:
            self._claim()
        self._level_first = max(level, 0)
        self._write, self._read = self._write_first, self._read_first

    def _write_first(self, value: float) -> None:
        self._write, self._read = self._output, self._input
        self._set_up(constants.OUT, level=1 if value else 0)

    def _read_first(self) -> float:
        return self._level_first

    def _get_frequency(self) -> float | None:
        return self._frequency

    def _set_frequency(self, value: float | None) -> None:
        if value is None:
            self._end_pwm()
            return
        period_ns = arguments.period_ns_of(value)
        try:
            if self._frequency is None:
                self._start_pwm(period_ns)
            else:
                self._board.pulses.drives.change(self._number, self, period_ns, round(period_ns * self._duty))
        except errors.GPIOError as e:
            refuse(f"cannot start PWM on pin {self!r}", e, OF_PWM)
        self._period_ns, self._frequency = period_ns, value

    def _start_pwm(self, period_ns: int) -> None:
        means, pulses = self._factory.pwm, self._board.pulses
        if means == "dma" and not pulses.channels.is_setup:
            pulses.channels.setup(self._factory.DMA_SLOT_US, constants.DELAY_VIA_PWM)
        drives = pulses.drives
        drives.claim(self._number, self, means)
        try:
            drives.start(self._number, self, means, period_ns, 0)
        except BaseException:
            drives.drop(self._number, self)
            raise
        self._duty = 0.0
        self._write, self._read = self._write_duty, self._read_duty

    def _end_pwm(self) -> None:
        if self._frequency is None:
            return
        self._frequency = None
        self._write, self._read = self._output, self._input
        self._board.pulses.drives.end(self._number, self)  # low
        if self._direction is None and self._factory.pwm == "hardware":
            self._wait_for_frequency(0)

    def _write_duty(self, value: float) -> None:
        if not 0 <= value <= 1:
            raise ValueError("a duty cycle is 0 to 1")
        self._board.pulses.drives.change(self._number, self, self._period_ns, round(self._period_ns * value))
        self._duty = value

    def _read_duty(self) -> float:
        return self._duty

    # -- edges -----------------------------------------------------------------------------------

    def _get_bounce(self) -> float | None:
        return self._bounce

    def _set_bounce(self, value: float | None) -> None:
        longest_s = arguments.HOLDOFF_MAX_MS / 1000
        if value is not None and not 0 <= value <= longest_s:
            raise PinInvalidBounce(f"bounce must be 0 or greater, and {longest_s:.0f} s at most")
        self._bounce = value
        self._hear_again()

    def _get_edges(self) -> str:
        return self._edges

    def _set_edges(self, value: str) -> None:
        if value not in EDGES:
            raise PinInvalidEdges(f'invalid edges "{value}" for pin {self!r}')
        self._edges = value
        self._hear_again()

    def _hear_again(self) -> None:
        with self._when_changed_lock:
            if self._when_changed is not None:
                self._disable_event_detect()
                self._enable_event_detect()

    def _enable_event_detect(self) -> None:
        bits, board = EDGES[self._edges], self._board
        heard = Edges(bits, self._call_when_changed, round((self._bounce or 0) * 1e9))
        try:
            if self._direction is None:
                self._set_up_input(self._pull)
            self._edges_heard = heard
            if bits:
                board.interrupts.subscribe(self._number, heard, 0, board.dispatcher.run_in_background)
        except BaseException as e:
            self._edges_heard = self._when_changed = None
            if isinstance(e, errors.GPIOError):
                refuse(f"cannot hear edges of pin {self!r}", e, OF_EDGES)
            raise

    def _disable_event_detect(self) -> None:
        heard, self._edges_heard = self._edges_heard, None
        if heard is not None:
            self._board.interrupts.unsubscribe(self._number, heard)

    def _call_when_changed(self, timestamp_ns: int, level: int) -> None:
        wanted = self._when_changed
        if wanted is None:
            return  # it has just been taken away
        method = wanted()
        if method is None:
            self.when_changed = None
        else:
            method(self._factory.ticks_of(timestamp_ns), level)
