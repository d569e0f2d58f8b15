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
another model than the 4B; ``@pytest.mark.rpio(circuit="door.toml")``, or ``rpio_board(circuit="door.toml")``, puts
the circuit of a file on it, whose things are ``rpio_board.parts["door"]``.

With the fixture ``rpio_time`` a program's ``time.sleep()`` moves the board's clock, and takes no time.

Devices of gpiozero are on that board as well, unless GPIOZERO_PIN_FACTORY says otherwise; each test begins without any.

With ``rpi_gpio = true`` in pytest's configuration, ``import RPi.GPIO`` is RPIO in the whole session, at the top of test
modules too.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module

import pytest

from . import facade, log, originals, stand_ins
from .chips.circuit import MODEL, load
from .testing.program_time import ProgramTime
from .testing.world import SimulatedBoard, SteppedDispatcher, TestIsOver

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType
    from typing import Any

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
            originals.install_as_rpi_gpio()
        except RuntimeError as e:
            raise pytest.UsageError(f"{SWITCH} = true: {e}") from None


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers",
        'rpio(model, circuit=None): the board that rpio_board simulates, "4B" without it, and the file of its circuit',
    )


def _world_of(request: pytest.FixtureRequest) -> SimulatedBoard:
    """The board that the test's marker wants."""
    marker, folder = request.node.get_closest_marker("rpio"), str(request.path.parent)
    wanted = dict(marker.kwargs) if marker else {}
    model = marker.args[0] if marker and marker.args else wanted.pop("model", None)
    file = wanted.pop("circuit", None)
    if wanted:
        raise TypeError(f"pytest.mark.rpio has a model and a circuit, no {', '.join(wanted)}")
    if file is None:
        return SimulatedBoard(model or MODEL, folder)
    circuit = load(os.path.join(folder, os.fspath(file)))
    world = SimulatedBoard(model or circuit.model or MODEL, folder)
    world.put(circuit)
    return world


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


def _noting(errors: list[BaseException], then: Callable[[object], None]) -> Callable[..., None]:
    """Return what to call with a callback while its exception is being handled: keeps that, and goes on."""

    def _note(callback: object, in_worker: bool = False) -> None:
        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, TestIsOver):
            errors.append(error)
        then(callback)  # not to threading.excepthook, which is pytest's: it would fail the test a second time

    return _note


def _gpiozero_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have gpiozero take RPIO's pins, where the tests have chosen nothing else; a factory of before makes way."""
    if "GPIOZERO_PIN_FACTORY" not in os.environ:
        monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "rpio")
    device: Any = getattr(sys.modules.get("gpiozero"), "Device", None)
    if device is not None and _is_on_board(device.pin_factory):
        monkeypatch.setattr(device, "pin_factory", None)


def _is_on_board(pin_factory: object) -> bool:
    """Whether pins of gpiozero's are those of ``import RPIO``, by this name or another."""
    is_theirs = type(pin_factory).__module__ in ("gpiozero.pins.rpigpio", "gpiozero.pins.rpio")
    return is_theirs or getattr(pin_factory, "board", None) is facade.board


def _end_gpiozero() -> None:
    """Close the devices and pins that gpiozero has on the board of a test: the next one's board is another."""
    device: Any = getattr(sys.modules.get("gpiozero"), "Device", None)
    if device is None:
        return
    ours: Any = sys.modules.get("RPIO.gpiozero_pins.factory")
    if ours is not None:
        ours.end_devices(facade.board)
    if _is_on_board(device.pin_factory):
        device.pin_factory.close()
        device.pin_factory = None


@pytest.fixture
def rpio_board(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedBoard]:
    """A fresh simulated board for ``import RPIO``, whose time the test moves: see RPIO.pytest_plugin."""
    world = _world_of(request)
    facade.new_board(lambda *arguments: SteppedDispatcher(world, *arguments))
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
def rpi_gpio(rpio_board: SimulatedBoard) -> Iterator[ModuleType]:
    """``RPi.GPIO``, played by RPIO on rpio_board, for programs that import it; gone after the test.

    Where the session has it anyway, by the switch or under ``rpio run``, it is that one, and stays.
    """
    if stand_ins.is_installed("RPi"):
        yield import_module("RPi.GPIO")
        return
    before = {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] == "RPi"}
    path = list(sys.path)
    originals.install_as_rpi_gpio()
    try:
        yield import_module("RPi.GPIO")
    finally:
        _end_gpiozero()
        for name in [name for name in sys.modules if name.partition(".")[0] == "RPi"]:
            del sys.modules[name]
        sys.modules.update(before)
        if stand_ins.FOLDER not in path:
            sys.path.remove(stand_ins.FOLDER)
