# SPDX-License-Identifier: LGPL-3.0-or-later
"""The world of a test: a simulated board, its clock, the loop that runs in the test's thread, and what lines have done.

The fixture ``rpio_board`` of RPIO.pytest_plugin is one of these.
"""

from __future__ import annotations

import os
import threading
import time

import pytest

from .. import errors, facade
from .._gpio import on_miss
from ..backends.protocol import check_line
from ..backends.sim import SimBackend
from ..backends.sim_time import ManualClock
from ..chips.circuit import Built, load
from ..loop.dispatcher import Dispatcher
from ..machine.boards import by_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from .._gpio import EdgeEvent, Poller
    from ..chips.circuit import Circuit
    from ..loop.callbacks import Worker

NS_PER_MS = 1_000_000
LOW, HIGH = "_", "-"
PICTURE = {LOW: "▁▁", HIGH: "▔▔"}
SETTLE_TIMEOUT_S = 5.0


class TestIsOver(BaseException):
    """Ends a thread that sleeps when the test ends. No SystemExit: in a callback that would end pytest."""


class SimulatedBoard:
    """A simulated board, its clock, and what its lines have done. Lines are BCM numbers, times milliseconds."""

    def __init__(self, model: str, folder: str = "") -> None:
        self.clock = _Clock(self._settle, self.is_mine)
        self.sim = SimBackend(by_name(model), self.clock)
        self.sim.observer = self._note
        self._folder, self._has_circuit = folder, False
        self.parts = Built(self.sim, {}, {})
        """The things of its circuit, by their names: ``rpio_board.parts["door"].press()``."""
        self.errors: list[BaseException] = []
        """What callbacks have raised. A test that expects one takes it out; one that is left fails the test."""
        self.waves: dict[int, list[tuple[int, int]]] = {}
        """Line -> its changes, (now_ns, level); ``start`` has the levels before them."""
        self.start = {line: self.sim.read(line) for line in range(self.sim.line_count)}
        self._start_ns = self.clock.now_ns()
        self._settling = False
        self._listeners: dict[int, list[Callable[[int], object]]] = {}
        self._telling = 0  # listeners are being told: callbacks come after them
        self._moved = False  # a level has changed since a call of the program was last followed by callbacks
        self._thread = threading.get_ident()
        self.asleep: dict[int, int] = {}  # threads that wait for the clock -> until when
        self.spend: Callable[[], object] | None = None  # called where a call of the program takes time
        self.board = facade.board
        self.loop: SteppedDispatcher | None = None  # of the board, while it has one

    def _note(self, line: int, level: int, now_ns: int) -> None:
        self.waves.setdefault(line, []).append((now_ns, level))
        self._moved = True
        self._telling += 1
        try:
            for listener in self._listeners.get(line, ()):
                listener(level)
        finally:
            self._telling -= 1

    def __call__(self, circuit: str | os.PathLike[str]) -> SimulatedBoard:
        """Put the circuit of a file on the board; its things are ``parts``. See doc/circuits; a board has one at most.

        A path that is no whole one begins in the folder of the test.

        Raises:
            ConfigError: the file cannot be read, or says what cannot be, with its line and column. (A ValueError.)
        """
        self.put(load(os.path.join(self._folder, os.fspath(circuit))))
        return self

    def put(self, circuit: Circuit) -> None:
        """Put a circuit on the board."""
        if self._has_circuit:
            raise errors.GPIOError("this board has a circuit already", hint="one file can say all of it")
        self._has_circuit = True
        self.parts = circuit.build(self.sim)
        if not self.clock.now_ns() - self._start_ns:
            self.waves.clear()  # what it has at first is no change
            self.start = {line: self.sim.read(line) for line in range(self.sim.line_count)}

    # -- the outside world -----------------------------------------------------------------------

    @property
    def now_ms(self) -> float:
        """The time since the board was made."""
        return (self.clock.now_ns() - self._start_ns) / NS_PER_MS

    def drive(self, line: int, value: int | None) -> None:
        """Drive a line from outside to 0 or 1, or let go of it with None; its callbacks run before this returns."""
        self.sim.drive(line, value)
        self._settle()

    def press(self, line: int, ms: float = 50, value: int = 0, bounces: int = 0) -> None:
        """Press a button for so long: drive the line to *value*, then let go. *bounces*: 0.5 ms apart at the start."""
        for _ in range(bounces):
            self.drive(line, value)
            self.advance(0.5)
            self.drive(line, None)
            self.advance(0.5)
        self.drive(line, value)
        self.advance(ms)
        self.drive(line, None)

    def replay(self, path: str | os.PathLike[str], lines: Mapping[str, int] | None = None) -> None:
        """Drive lines as a VCD has them, such as one of ``rpio record``, each edge at its time; then let go of them.

        *lines* says which line a variable of another program's VCD is: {"D0": 17}.

        Raises:
            OSError, ValueError: it cannot be read; it is no VCD, with the number of the line, or has none of the lines.
        """
        from ..recordings.replay import play
        from ..recordings.vcd import read_vcd

        with open(path, encoding="utf-8", errors="replace") as file:
            recording = read_vcd(file, lines)
        for line in recording.lines:
            check_line(self.sim, line)
        play(recording, self.drive, self.clock)

    def wire(self, a: int, b: int) -> None:
        """Join two lines with a wire."""
        self.sim.wire(a, b)
        self._settle()

    def unwire(self, line: int) -> None:
        """Take every wire off a line."""
        self.sim.unwire(line)
        self._settle()

    def level(self, line: int) -> int:
        """What a voltmeter on the line would show, 0 or 1."""
        return self.sim.read(line)

    def advance(self, ms: float) -> None:
        """Let time go by; what happens on the way happens at its time, callbacks included."""
        self.clock.advance(round(ms * NS_PER_MS))

    def after(self, ms: float, action: Callable[[], object]) -> None:
        """Call action() when the clock gets there, for a program that waits in the test's thread."""
        self.clock.call_at(self.clock.now_ns() + round(ms * NS_PER_MS), action)

    def ctrl_c(self, ms: float) -> None:
        """Press Ctrl+C when the clock gets there: a KeyboardInterrupt in the program, which has to catch it."""

        def _interrupt() -> None:
            raise KeyboardInterrupt

        self.after(ms, _interrupt)

    def on_change(self, line: int, action: Callable[[int], object]) -> None:
        """Call action(level) at each change of a line, at its moment, before anything else: for a device on it.

        The action may drive other lines; callbacks of the program come after it.
        """
        self._listeners.setdefault(line, []).append(action)

    # -- the program -----------------------------------------------------------------------------

    def serve(self) -> None:
        """Make the program's output() and input() take time where rpio_time says so, and callbacks follow them."""
        board = self.board

        def _output(*arguments: Any, **named: Any) -> None:
            board.output(*arguments, **named)
            self._after_call()

        def _input(*arguments: Any, **named: Any) -> int:
            self._after_call()
            return board.input(*arguments, **named)

        on_miss(_output, _input)

    def _after_call(self) -> None:
        if self.spend is not None:
            self.spend()
        if self._moved and self.is_mine():
            self._moved = False
            self._settle()

    def is_mine(self) -> bool:
        """Whether this is the thread of the test."""
        return threading.get_ident() == self._thread

    # -- callbacks -------------------------------------------------------------------------------

    def workers(self) -> list[Worker]:
        """The threads of threaded callbacks."""
        return self.board.watched.workers()

    def _settle(self) -> None:
        """Run the callbacks of all edges so far, here, and wait for threaded ones."""
        loop = self.loop
        if loop is None or self._settling or self._telling:
            return
        if not loop.in_loop:
            loop.wake()
            return  # the test's thread does it the next time it moves something
        self._settling = True
        try:
            while loop.step(0) or self._workers_are_busy():
                pass
        finally:
            self._settling = False

    def _workers_are_busy(self) -> bool:
        """Wait until the threaded callbacks have done what they have; whether there was anything to wait for."""
        end_s = time.monotonic() + SETTLE_TIMEOUT_S
        waited = False
        for worker in [] if self.clock.is_spending else self.workers():
            while worker.is_busy() and self._is_awake(worker) and time.monotonic() < end_s:
                waited = True
                # Real time: the worker is a real thread, and its callback takes what it takes.
                time.sleep(0.0005)
        return waited

    def _is_awake(self, worker: Worker) -> bool:
        return worker.ident not in self.asleep

    # -- waves -----------------------------------------------------------------------------------

    def wave(self, line: int, step_ms: float | None = None) -> str:
        """What a line has done so far: "_" for low, "-" for high.

        One character for each level it has had, in order; with *step_ms*, one for each step of time, as it was in
        the middle of the step.
        """
        check_line(self.sim, line)
        changes = self.waves.get(line, [])
        if step_ms is None:
            return "".join((LOW, HIGH)[level] for level in (self.start[line], *(v for _, v in changes)))
        if not step_ms * NS_PER_MS >= 1:
            raise ValueError(f"a step takes a nanosecond or more, 0.000001 ms, not {step_ms!r} ms")
        step_ns, wave, level, at = round(step_ms * NS_PER_MS), "", self.start[line], 0
        middle_ns = self._start_ns + step_ns // 2
        while middle_ns <= self.clock.now_ns():
            while at < len(changes) and changes[at][0] <= middle_ns:
                level, at = changes[at][1], at + 1
            wave += (LOW, HIGH)[level]
            middle_ns += step_ns
        return wave

    def assert_wave(self, line: int, wave: str, step_ms: float | None = None) -> None:
        """Fail, with a picture of both, where the line has done something else. See wave(); spaces are ignored."""
        __tracebackhide__ = True
        wanted = wave.replace(" ", "")
        if set(wanted) - {LOW, HIGH}:
            raise ValueError(f"a wave is made of {LOW} (low) and {HIGH} (high), not {wave!r}")
        found = self.wave(line, step_ms)
        if found != wanted:
            pytest.fail(self._picture(line, wanted, found, step_ms), pytrace=True)

    def _picture(self, line: int, wanted: str, found: str, step_ms: float | None) -> str:
        same = next(
            (i for i, (a, b) in enumerate(zip(wanted, found, strict=False)) if a != b),
            min(len(wanted), len(found)),
        )
        each = "" if step_ms is None else f", {step_ms:g} ms each"
        rows = [
            f"GPIO {line} has another wave{each}:",
            f"  expected  {_draw(wanted)}  {wanted}",
            f"  found     {_draw(found)}  {found}",
            f"            {'  ' * same}^^ from here on",
        ]
        changes = self.waves.get(line, [])
        times = ", ".join(
            f"{level} at {(ns - self._start_ns) / NS_PER_MS:g} ms" for ns, level in changes[:20]
        )
        more = f" and {len(changes) - 20} more" if len(changes) > 20 else ""
        rows.append(f"  {self.start[line]} at first{', ' if times else ''}{times}{more}")
        return "\n".join(rows)


def _draw(wave: str) -> str:
    return "".join(PICTURE[level] for level in wave)


class _Clock(ManualClock):
    """Callbacks run between one thing that is due and the next."""

    def __init__(self, settle: Callable[[], object], is_mine: Callable[[], bool]) -> None:
        super().__init__()
        self._settle, self._is_mine = settle, is_mine
        self.is_spending = False  # what moves it is a call of the program
        self.before_moving: Callable[[], object] | None = None

    def advance(self, ns: int) -> None:
        """Move forward, once everything else has come to rest."""
        if self.before_moving is not None:
            self.before_moving()
        super().advance(ns)

    def call_at(self, when_ns: int, action: Callable[[], object]) -> int:
        def act() -> None:
            action()
            self._settle()

        return super().call_at(when_ns, act)

    def spend(self, ns: int) -> None:
        """The test's thread alone moves the clock. It may have a lock that a threaded callback wants: nobody waits for
        those now.
        """
        if self._is_mine():
            is_inner, self.is_spending = self.is_spending, True
            try:
                self.advance(ns)
            finally:
                self.is_spending = is_inner

    def call_now(self, action: Callable[[], object]) -> None:
        """Call action(), and the callbacks of the edges that it makes."""
        action()
        self._settle()


class SteppedDispatcher(Dispatcher):
    """A loop that runs when something has happened on the board, in the test's thread."""

    def __init__(self, world: SimulatedBoard, poller: Poller, on_edge: Callable[[EdgeEvent], object]) -> None:
        super().__init__(poller, on_edge)
        self._world = world
        self.now_ns = world.clock.now_ns
        self._stopped = threading.Event()
        self._is_running = False
        self.nest()
        world.loop = self

    def run_in_background(self) -> None:
        return

    @property
    def running(self) -> bool:
        """Whether wait_for_interrupts() does."""
        return self._is_running

    def start_thread(self) -> None:
        self._is_running = True

    def run(self) -> None:
        """Until stop(): in the test's thread time goes on as far as anything is due; in another, the test moves it."""
        self._is_running = True
        self._stopped.clear()
        try:
            if not self.in_loop:
                self._stopped.wait()
            while self._is_running and self.in_loop:
                self._go_on("wait_for_interrupts()")
        finally:
            self._is_running = False

    def stop(self) -> None:
        self._is_running = False
        super().stop()
        self._stopped.set()

    def wake(self) -> None:
        """End a wait for edges in another thread."""
        self._wake()

    def close(self) -> None:
        self._world.loop = None
        super().close()

    def abandon(self) -> None:
        """In the child of a fork, where the board has no loop either."""
        self._world.loop = None
        super().abandon()

    def wait_readable(self, fds: Sequence[int], timeout_s: float | None) -> bool:
        clock = self._world.clock
        end_ns = None if timeout_s is None else clock.now_ns() + int(timeout_s * 1e9)
        if super().wait_readable(fds, 0):
            return True
        due_ns = clock.next_due_ns
        if end_ns is not None and (due_ns is None or due_ns > end_ns):
            clock.sleep_until(end_ns)
            return False
        self._go_on("wait_for_edge()")
        return True  # perhaps: what was due may have been the edge

    def _go_on(self, who: str) -> None:
        """Move the clock to the next thing that is due."""
        due_ns = self._world.clock.next_due_ns
        if due_ns is None:
            raise errors.GPIOError(
                f"{who} waits, and nothing is due on the simulated board",
                hint="say what is to happen before: rpio_board.after(100, lambda: rpio_board.drive(17, 0))",
            )
        self._world.clock.sleep_until(due_ns)
