# SPDX-License-Identifier: LGPL-3.0-or-later
"""The simulated board as a backend; what its lines are, and the world outside, is in sim_lines.

Edges leave through an event_pipe, so the loop that reads them cannot tell the difference.
"""

from __future__ import annotations

from _thread import RLock

from .. import constants, errors
from .._gpio import PwmPlan
from .checks import check_edge, check_limit, check_pull, check_pwm, check_pwm_change, check_wave
from .protocol import check_line
from .sim_lines import SimLines, Watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..machine.boards import Hardware
    from .sim_time import ManualClock, RealClock

BCM_FUNCTIONS = frozenset(
    {constants.ALT0, constants.ALT1, constants.ALT2, constants.ALT3, constants.ALT4, constants.ALT5}
)
RP1_FUNCTIONS = BCM_FUNCTIONS - {constants.ALT5} | {constants.ALT6, constants.ALT7, constants.ALT8}
"""Alternate functions that a line can have; on RP1 function 5 is plain GPIO."""


class SimBackend(SimLines):
    """A board of the given hardware that exists only here. *clock*: a RealClock or a ManualClock."""

    name = "sim"
    features = frozenset({"edges", "functions", "filter", "pulls", "pwm"})

    def __init__(self, hardware: Hardware, clock: RealClock | ManualClock | None = None) -> None:
        super().__init__(hardware, clock)
        self._functions = {constants.IN, constants.OUT} | (
            RP1_FUNCTIONS if hardware.gpio_compatible == "raspberrypi,rp1-gpio" else BCM_FUNCTIONS
        )
        self._plan = PwmPlan()
        self._waves: dict[int, list[int]] = {}  # number -> lines
        self._plan_due_ns: int | None = None  # when the clock will ask the plan
        self._plan_call: int | None = None  # by which of its calls
        self._limits: dict[
            int, tuple[int, int]
        ] = {}  # line -> until when (0: over), by which call of the clock
        self._is_carrying_out = False
        self._ended: set[int] = set()  # lines whose PWM a signal handler has ended in the middle of that

    # -- the protocol ----------------------------------------------------------------------------

    def function(self, line: int) -> int:
        return self._line(line).function

    def set_function(self, line: int, function: int) -> None:
        with self._lock:
            state = self._line(line)
            if function not in self._functions:
                raise ValueError(f"{self.hardware.soc} has no function {function} for a line")
            self._end_limit(line)
            if self._end_pulses(line):
                state.latch = 0
            state.function = function
            self._settle(state.net)

    def set_input(self, line: int, pull: int | None) -> None:
        with self._lock:
            state = self._line(line)
            if pull is not None:
                check_pull(pull)
                state.pull = pull
            if self._end_pulses(line):
                state.latch = 0
            state.function = constants.IN
            self._settle(state.net)
            self._end_limit(line)

    def set_output(self, line: int, value: int | None) -> None:
        with self._lock:
            state = self._line(line)
            if not self.watches_outputs:
                self.unwatch(line)
            if self._end_pulses(line) and value is None:
                value = 0
            if value is not None:
                state.latch = 1 if value else 0
            state.pull = constants.PUD_OFF
            state.function = constants.OUT
            self._settle(state.net)

    def read(self, line: int) -> int:
        # Who reads in a tight loop keeps the clock's thread waiting for the interpreter, by more than a pulse.
        if self._plan_due_ns is not None and self._plan_due_ns <= self.clock.now_ns():
            with self._lock:
                self._carry_out_plan()
        return self._line(line).level

    def write(self, line: int, value: int) -> None:
        with self._lock:
            state = self._line(line)
            state.latch = level = 1 if value else 0
            if state.function != constants.OUT:
                return
            if state.is_alone and state.drive is None and state.watch is None and self.observer is None:
                state.level = state.stable = level  # nothing but this has a say, and nobody looks
            else:
                self._settle(state.net)

    def set_pull(self, line: int, pull: int) -> None:
        with self._lock:
            state = self._line(line)
            check_pull(pull)
            state.pull = pull
            self._settle(state.net)

    def pull(self, line: int) -> int | None:
        return self._line(line).pull

    def watch(self, line: int, edge: int, filter_us: int = 0) -> int:
        with self._lock:
            state = self._line(line)
            bits = check_edge(edge)
            if state.function != constants.IN and not self.watches_outputs:
                raise errors.WrongDirectionException(
                    f"GPIO {line} is no input", hint=f"setup({line}, IN) first"
                )
            watch = state.watch
            if watch is None:
                watch = Watch()
                state.watch, state.stable = watch, state.level
            watch.filter_ns, watch.bits = filter_us * 1000, bits
            return watch.pipe.reader

    def unwatch(self, line: int, is_read: bool = False) -> None:
        with self._lock:
            state = self._line(line)
            watch, state.watch = state.watch, None
            if watch is not None:
                watch.pipe.close()

    def release(self, line: int) -> None:
        self.unwatch(line)
        self.end_pwm(line)
        with self._lock:
            self._end_limit(line)

    def pwm(self, line: int, period_ns: int, high_ns: int) -> None:
        with self._lock:
            check_pwm(self, line, period_ns, high_ns)
            self._end_wave_of(line)
            self._ended.discard(line)
            self._plan.set(line, period_ns, high_ns, self.clock.now_ns())
            self._carry_out_plan()

    def change_pwm(self, line: int, period_ns: int, high_ns: int) -> None:
        with self._lock:
            check_pwm_change(self, line, period_ns, high_ns)
            if self._plan.change(line, period_ns, high_ns, self.clock.now_ns()):
                self._carry_out_plan()

    def limit(self, line: int, after_ns: int, level: int) -> None:
        with self._lock:
            check_limit(self, line, after_ns)
            self._end_limit(line)
            at_ns = self.clock.now_ns() + after_ns
            self._limits[line] = at_ns, self.clock.call_at(at_ns, lambda: self._is_over(line, at_ns, level))

    def _is_over(self, line: int, at_ns: int, level: int) -> None:
        with self._lock:
            if self._limits.get(line, (0, 0))[0] == at_ns:
                self._limits[line] = 0, 0
                self._end_pulses(line)
                self.write(line, level)

    def unlimit(self, line: int) -> None:
        with self._lock:
            self._line(line)
            self._end_limit(line)

    def limit_left(self, line: int) -> int | None:
        with self._lock:
            self._line(line)
            at_ns, _ = self._limits.get(line, (None, 0))
            return max(1, at_ns - self.clock.now_ns()) if at_ns else at_ns

    def _end_limit(self, line: int) -> None:
        _, call = self._limits.pop(line, (0, 0))
        if call:
            self.clock.forget(call)

    def play(
        self, edges: list[tuple[int, int, int]], period_ns: int, turns: int, instead_of: int | None = None
    ) -> int:
        with self._lock:
            lines = check_wave(self, edges, period_ns, instead_of)
            known = self._waves.pop(instead_of, []) if instead_of is not None else []
            for line in set(lines).difference(known):
                self._end_pulses(line)
            replaced = -1 if instead_of is None else instead_of
            number = self._plan.play(edges, period_ns, turns, replaced, self.clock.now_ns())
            self._waves[number] = sorted({*lines, *known})
            self._carry_out_plan()
            return number

    def wave(self, wave: int) -> tuple[bool, int] | None:
        with self._lock:
            return self._plan.wave(wave, self.clock.now_ns())

    def stop_wave(self, wave: int) -> None:
        with self._lock:
            self._waves.pop(wave, None)
            self._plan.stop_wave(wave)

    def _end_wave_of(self, line: int) -> bool:
        """Take the line out of its wave, which ends with its last one. Whether there was one."""
        number, lines = next((item for item in list(self._waves.items()) if line in item[1]), (None, []))
        if number is None:
            return False
        self._plan.drop_line(number, line)
        left = [other for other in lines if other != line]
        if left:
            self._waves[number] = left
        else:
            self.stop_wave(number)
        return True

    def _end_pulses(self, line: int) -> bool:
        """End the line's PWM or wave. Whether there was one."""
        return self._end_wave_of(line) or self._plan.end(line)

    def _carry_out_plan(self) -> None:
        """Do what is due now, and come back when something is due next. The wave is that of the C core."""
        is_inner, self._is_carrying_out = self._is_carrying_out, True
        due_ns: int | None = self.clock.now_ns()
        try:
            while due_ns is not None and due_ns <= self.clock.now_ns():
                for line, value in self._plan.advance(self.clock.now_ns()):
                    self.write(line, value)
                    if line in self._ended:
                        self.write(line, 0)
                due_ns = self._plan.next()
        finally:
            self._is_carrying_out = is_inner
            if not is_inner:
                self._ended.clear()
        if due_ns is None or due_ns == self._plan_due_ns:
            return

        def come_back() -> None:
            """Go on, unless the plan has changed since."""
            with self._lock:
                if self._plan_due_ns == due_ns:
                    self._plan_due_ns = None
                    self._carry_out_plan()

        before, self._plan_call = self._plan_call, self.clock.call_at(due_ns, come_back)
        self._plan_due_ns = due_ns
        if before is not None:
            self.clock.forget(before)

    def end_pwm(self, line: int) -> None:
        with self._lock:
            self._line(line)
            if self._end_pulses(line):
                self.write(line, 0)
                if self._is_carrying_out:
                    self._ended.add(line)

    def consumer(self, line: int) -> str:
        check_line(self, line)
        return ""

    def after_fork(self) -> None:
        self._lock = RLock()  # another thread may have held it
        self._plan, self._plan_due_ns, self._waves = PwmPlan(), None, {}
        self._presses.clear()
        self._is_carrying_out, self._ended, self._limits = False, set(), {}
        self.clock.after_fork()
        for bus in list(self.buses.values()):
            bus.after_fork()
        for number in range(self.line_count):
            self.unwatch(number)

    def close(self) -> None:
        for number in range(self.line_count):
            self.release(number)
        self.buses.clear()
        self.clock.close()
