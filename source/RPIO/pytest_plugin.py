# SPDX-License-Identifier: LGPL-3.0-or-later
"""A pytest plugin: programs that use GPIO, tested on a simulated board whose time the test moves.

::

    def test_the_button_toggles_the_lamp(rpio_board):
        import lamp                          # says import RPIO as GPIO, adds its callbacks
        lamp.start()
        rpio_board.press(17, ms=50)
        rpio_board.press(17, ms=50)
        rpio_board.assert_wave(18, "_-_")

Every test gets a fresh board. Callbacks run in the test's thread, at the moment of their edge, before the call that
caused it returns: no test needs to sleep. A callback that raises fails the test. ``@pytest.mark.rpio("3B+")`` chooses
another model than the 4B.

With the fixture ``rpio_time`` a program's ``time.sleep()`` moves the board's clock, and takes no time.

With ``rpi_gpio = true`` in pytest's configuration, ``import RPi.GPIO`` is RPIO in the whole session, at the top of test
modules too.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from importlib import import_module

import pytest

from . import _gpio, errors, facade, log, stand_ins
from .backends import check_line
from .backends.sim import SimBackend
from .backends.sim_time import ManualClock
from .loop.dispatcher import Dispatcher
from .machine.boards import by_name
from .testing.program_time import ProgramTime, TestIsOver

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import ModuleType
    from typing import Any

    from ._gpio import EdgeEvent, Poller
    from .loop.callbacks import Worker

NS_PER_MS = 1_000_000
LOW, HIGH = "_", "-"
PICTURE = {LOW: "▁▁", HIGH: "▔▔"}
SETTLE_TIMEOUT_S = 5.0


class SimulatedBoard:
    """A simulated board, its clock, and what its lines have done. Lines are BCM numbers, times milliseconds."""

    def __init__(self, model: str) -> None:
        self.clock = _Clock(self._settle)
        self.sim = SimBackend(by_name(model), self.clock)
        self.sim.observer = self._note
        self.errors: list[BaseException] = []
        """What callbacks have raised. A test that expects one takes it out; one that is left fails the test."""
        self._waves: dict[int, list[tuple[int, int]]] = {}
        self._start = {line: self.sim.read(line) for line in range(self.sim.line_count)}
        self._start_ns = self.clock.now_ns()
        self._settling = False
        self._listeners: dict[int, list[Callable[[int], object]]] = {}
        self._telling = 0  # listeners are being told: callbacks come after them
        self._moved = False  # a level has changed since a call of the program was last followed by callbacks
        self._thread = threading.get_ident()
        self.asleep: dict[int, int] = {}  # threads that wait for the clock -> until when
        self.spend: Callable[[], object] | None = None  # called where a call of the program takes time
        self.board = facade.board
        self.loop: _SteppedDispatcher | None = None  # of the board, while it has one

    def _note(self, line: int, level: int, now_ns: int) -> None:
        self._waves.setdefault(line, []).append((now_ns, level))
        self._moved = True
        self._telling += 1
        try:
            for listener in self._listeners.get(line, ()):
                listener(level)
        finally:
            self._telling -= 1

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
        from .recordings.replay import play
        from .recordings.vcd import read_vcd

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

        _gpio.on_miss(_output, _input)

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
        return self.board._watched.workers()

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
        for worker in self.workers():
            while worker.is_busy() and self._is_awake(worker) and time.monotonic() < end_s:
                waited = True
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
        changes = self._waves.get(line, [])
        if step_ms is None:
            return "".join((LOW, HIGH)[level] for level in (self._start[line], *(v for _, v in changes)))
        if not step_ms * NS_PER_MS >= 1:
            raise ValueError(f"a step takes a nanosecond or more, 0.000001 ms, not {step_ms!r} ms")
        step_ns, wave, level, at = round(step_ms * NS_PER_MS), "", self._start[line], 0
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
        changes = self._waves.get(line, [])
        times = ", ".join(
            f"{level} at {(ns - self._start_ns) / NS_PER_MS:g} ms" for ns, level in changes[:20]
        )
        more = f" and {len(changes) - 20} more" if len(changes) > 20 else ""
        rows.append(f"  {self._start[line]} at first{', ' if times else ''}{times}{more}")
        return "\n".join(rows)


def _draw(wave: str) -> str:
    return "".join(PICTURE[level] for level in wave)


def _noting(errors: list[BaseException], then: Callable[[object], None]) -> Callable[..., None]:
    """Return what to call with a callback while its exception is being handled: keeps that, and goes on."""

    def _note(callback: object, in_worker: bool = False) -> None:
        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, TestIsOver):
            errors.append(error)
        then(callback)  # not to threading.excepthook, which is pytest's: it would fail the test a second time

    return _note


class _Clock(ManualClock):
    """Callbacks run between one thing that is due and the next."""

    def __init__(self, settle: Callable[[], object]) -> None:
        super().__init__()
        self._settle = settle
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


class _SteppedDispatcher(Dispatcher):
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


SWITCH = "rpi_gpio"
HINT = f"""\
To have RPIO stand in for RPi.GPIO where test modules import it, say in pytest.ini

    [pytest]
    {SWITCH} = true

(pyproject.toml: [tool.pytest.ini_options]), or import it within tests that use the fixture rpi_gpio.
"""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Make the switch known."""
    parser.addini(SWITCH, "import RPi.GPIO is RPIO in the whole session", type="bool", default=False)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Throw the switch before anything imports RPi.GPIO, a conftest.py included."""
    if early_config.getini(SWITCH):
        try:
            facade.install_as_rpi_gpio()
        except RuntimeError as e:
            raise pytest.UsageError(f"{SWITCH} = true: {e}") from None


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", 'rpio(model): the board that rpio_board simulates, "4B" without it')


def _add_hint(outcome: Any) -> None:
    """Say what to do where RPi.GPIO is what could not be imported."""
    report = outcome.get_result()
    if report.failed and "ModuleNotFoundError: No module named 'RPi" in report.longreprtext:
        report.sections.append(("RPIO", HINT))


@pytest.hookimpl(hookwrapper=True)
def pytest_make_collect_report() -> Iterator[None]:
    """Add the hint to a test module that imports it."""
    outcome = yield
    _add_hint(outcome)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    """Add it to a test that does."""
    outcome = yield
    _add_hint(outcome)


@pytest.hookimpl(trylast=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Fail a test that has passed, where a callback of its board has raised: after pytest's own, which runs it."""
    world = getattr(item, "funcargs", {}).get("rpio_board")
    if isinstance(world, SimulatedBoard) and world.errors:
        raise AssertionError(
            "in a callback, which rpio_board.errors has: " + ", ".join(repr(error) for error in world.errors)
        ) from world.errors[0]


def _gpiozero_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have gpiozero take RPi.GPIO, where the tests have chosen nothing else."""
    if "GPIOZERO_PIN_FACTORY" not in os.environ:
        monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "rpigpio")


def _end_gpiozero() -> None:
    """Close the pins that gpiozero has on the board of a test: the next one's board is another."""
    device: Any = getattr(sys.modules.get("gpiozero"), "Device", None)
    if device is not None and type(device.pin_factory).__module__ == "gpiozero.pins.rpigpio":
        device.pin_factory.close()
        device.pin_factory = None


@pytest.fixture
def rpio_board(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedBoard]:
    """A fresh simulated board for ``import RPIO``, whose time the test moves: see RPIO.pytest_plugin."""
    marker = request.node.get_closest_marker("rpio")
    world = SimulatedBoard(marker.args[0] if marker else "4B")
    facade.new_board(lambda *arguments: _SteppedDispatcher(world, *arguments))
    facade.board.use(world.sim, world.sim.hardware)
    if stand_ins.is_installed("RPi"):  # in the whole session, so the board has its rules
        facade.board.be_strict()
        _gpiozero_takes(monkeypatch)
    _ = facade.board.dispatcher  # made here, it is this thread's
    world.serve()
    monkeypatch.setattr(log, "callback_failed", _noting(world.errors, log.callback_failed))
    yield world
    _end_gpiozero()
    facade.new_board()


@pytest.fixture
def rpio_time(rpio_board: SimulatedBoard) -> Iterator[ProgramTime]:
    """The module ``time`` on the clock of rpio_board: see RPIO.testing.program_time.

    sleep() moves the clock, so do time(), monotonic(), perf_counter(), output() and input(), by ``rpio_time.tick_us``.
    Threads of the program sleep until the test's thread has moved it. Modules that have said ``from time import sleep``
    are served too. What waits otherwise (Event.wait(), select, asyncio) takes real time.
    """
    program_time = ProgramTime(rpio_board)
    program_time.install()
    yield program_time
    program_time.remove()


@pytest.fixture
def rpi_gpio(rpio_board: SimulatedBoard, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """``RPi.GPIO``, played by RPIO on rpio_board, for programs that import it; gone after the test.

    Where the session has it anyway, by the switch or under ``rpio run``, it is that one, and stays.
    """
    if stand_ins.is_installed("RPi"):
        yield import_module("RPi.GPIO")
        return
    before = {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] == "RPi"}
    path = list(sys.path)
    facade.install_as_rpi_gpio()
    _gpiozero_takes(monkeypatch)
    try:
        yield import_module("RPi.GPIO")
    finally:
        _end_gpiozero()
        for name in [name for name in sys.modules if name.partition(".")[0] == "RPi"]:
            del sys.modules[name]
        sys.modules.update(before)
        if stand_ins.FOLDER not in path:
            sys.path.remove(stand_ins.FOLDER)
