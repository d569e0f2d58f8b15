# SPDX-License-Identifier: LGPL-3.0-or-later
"""gpiozero's devices on RPIO's lines: here, simulated, of another process; its own tests are in peers/test_gpiozero."""

import gc
import importlib.metadata
import os
import signal
import subprocess
import sys
import threading
from itertools import pairwise

import pytest

if not hasattr(pytest.importorskip("gpiozero.pins"), "BoardInfo"):
    pytest.skip("needs gpiozero 2", allow_module_level=True)

from gpiozero import LED, MCP3008, PWMLED, Button, Device, RotaryEncoder, Servo
from gpiozero import exc as theirs

import RPIO
from RPIO import errors
from RPIO.backends.sim import SimBackend
from RPIO.backends.sim_time import ManualClock
from RPIO.board.board import Board
from RPIO.cli.run import pin_factory
from RPIO.constants import ALT5, BOARD, IN, OUT
from RPIO.gpiozero_pins import PinRefused, RPIOFactory, RPIORemoteFactory, RPIOSimFactory
from RPIO.gpiozero_pins.info import info_of
from RPIO.machine import boards
from RPIO.server.serving import serve
from support import drain, play
from test_pwm_means import assert_ended_low, bare, kernel, now  # noqa: F401 # fixtures
from waiting import LIMIT_S, wait_until

pytestmark = pytest.mark.filterwarnings("ignore::gpiozero.PWMSoftwareFallback")


@pytest.fixture
def factory(rpio):
    """The default factory, on a simulated 4B with real time."""
    gc.collect()  # devices that other tests have left hold their pins, in all factories
    made = RPIOFactory()
    yield made
    made.close()


@pytest.fixture
def on_board(board):
    """A factory of a Board of its own, whose clock the test moves, as it does its loop: by drain()."""
    gc.collect()
    made = RPIOFactory(board)
    run = board.dispatcher.claim()
    yield made
    made.close()
    run.is_over = True
    board.dispatcher.release(run)


@pytest.fixture
def behind(sim):
    """A Board that is served to other programs, of the lines of the fixture sim."""
    behind = Board()
    behind.use(sim, sim.hardware)
    yield behind
    behind.close()


@pytest.fixture
def served(behind):
    """Where it is served."""
    port = serve(behind, 0, "127.0.0.1", None)
    behind.wait_for_interrupts(threaded=True)
    return f"remote://127.0.0.1:{port}"


def devices_of(factory):
    """gpiozero's classes with that factory."""
    return lambda kind, *args, **named: kind(*args, pin_factory=factory, **named)


# -- devices -------------------------------------------------------------------------------------------


def test_gpiozero_finds_the_factories_by_their_names(rpio, monkeypatch):
    found = {
        point.name: point.value for point in importlib.metadata.entry_points(group="gpiozero_pin_factories")
    }
    assert {name: found[name].partition(":")[2] for name in ("rpio", "rpiosim", "rpioremote")} == {
        "rpio": "RPIOFactory",
        "rpiosim": "RPIOSimFactory",
        "rpioremote": "RPIORemoteFactory",
    }
    monkeypatch.setattr(Device, "pin_factory", None)
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "rpio")
    with LED(17) as led:
        assert type(led.pin_factory) is RPIOFactory
        assert led.pin_factory is Device.pin_factory
        led.on()
        assert RPIO.sim.level(17) == 1
    Device.pin_factory.close()


def test_an_led_drives_its_line_and_gives_it_back(factory, rpio):
    with LED(17, active_high=False, pin_factory=factory) as led:
        assert (rpio.sim.level(17), rpio.gpio_function(17), led.value) == (1, OUT, 0)
        led.toggle()
        assert (rpio.sim.level(17), led.value) == (0, 1)
    assert rpio.gpio_function(17) == IN
    assert not rpio.facade.board.book.directions


def test_a_button_gets_edges_with_the_time_and_the_level_that_they_had(on_board, sim, board):
    heard = []
    with Button(4, pin_factory=on_board) as button:
        button.pin.when_changed = note = lambda ticks, state: heard.append((ticks, state))
        for level in (0, None, 0):
            sim.drive(4, level)
            sim.clock.advance(5_000_000)
        begin_ns = on_board.ticks() - 15_000_000
        assert button.is_pressed
        drain(board)  # late, and all the same
    assert heard == [(begin_ns, 0), (begin_ns + 5_000_000, 1), (begin_ns + 10_000_000, 0)]
    assert on_board.ticks_diff(heard[1][0], heard[0][0]) == 0.005
    del note


def test_a_pressed_button_calls_in_the_background(factory, rpio):
    pressed = threading.Event()
    with Button(4, hold_time=0.01, pin_factory=factory) as button, LED(17, pin_factory=factory) as led:
        button.when_pressed = lambda: (led.on(), pressed.set())
        rpio.sim.drive(4, 0)
        assert pressed.wait(60)
        assert (rpio.sim.level(17), button.is_pressed) == (1, True)
        assert 0 <= button.active_time < 60


@pytest.mark.parametrize(
    ("edges", "bounce_s", "levels"),
    [
        ("both", None, [0, 1, 0, 1]),
        ("rising", None, [1, 1]),
        ("falling", None, [0, 0]),
        ("none", None, []),
        ("both", 0.005, [0, 1]),
        ("falling", 0.02, [0]),
    ],
)
def test_edges_and_bounce_choose_what_is_heard(on_board, sim, board, edges, bounce_s, levels):
    pin, heard = on_board.pin(4), []
    pin.input_with_pull("up")
    note = lambda ticks, level: heard.append(level)  # noqa: E731 # gpiozero keeps no functions alive
    pin.when_changed = note
    pin.edges, pin.bounce = edges, bounce_s
    assert (pin.edges, pin.bounce) == (edges, bounce_s)
    for level, ms in ((0, 1), (None, 9), (0, 1), (None, 9)):
        sim.drive(4, level)
        sim.clock.advance(ms * 1_000_000)
    drain(board)
    assert heard == (levels if bounce_s != 0.005 else [0, 0])


def test_a_device_that_is_forgotten_is_not_called(on_board, sim, board):
    pin = on_board.pin(4)
    pin.input_with_pull("up")

    class Device:
        def changed(self, ticks, level):
            raise AssertionError("it is no more")

    device = Device()
    pin.when_changed = device.changed
    assert pin.when_changed == device.changed
    del device
    sim.drive(4, 0)
    drain(board)
    assert pin.when_changed is None
    assert not board.watched


STEPS = 250
"""Of an encoder between two looks: two edges of each line a step, of which the pipe of each keeps 1024."""


@pytest.mark.parametrize("bursts", [20])
@pytest.mark.slow
def test_an_encoder_counts_exactly_however_late_its_callbacks_come(on_board, sim, board, bursts):
    with RotaryEncoder(21, 20, max_steps=0, pin_factory=on_board) as encoder:
        for burst in range(bursts):
            turn = ((21, 0), (20, 0), (21, 1), (20, 1)) if burst % 4 else ((20, 0), (21, 0), (20, 1), (21, 1))
            for _ in range(STEPS):
                for line, level in turn:
                    sim.drive(line, level)
                    sim.clock.advance(2_000)  # half a million edges a second
            drain(board)
        clockwise = bursts - bursts // 4
        assert encoder.steps == STEPS * (clockwise - bursts // 4)
        assert board.events_lost() == 0


def test_an_encoder_on_a_thread_of_its_own_counts_exactly(factory, rpio):
    with RotaryEncoder(21, 20, max_steps=0, pin_factory=factory) as encoder:
        for burst in range(1, 11):
            for _ in range(STEPS):
                for line, level in ((21, 0), (20, 0), (21, 1), (20, 1)):
                    rpio.sim.drive(line, level)
            assert wait_until(lambda done=burst * STEPS: encoder.steps == done), encoder.steps


# -- pins ----------------------------------------------------------------------------------------------


def test_what_a_program_has_left_driven_stays_until_the_next_one_says_otherwise(factory, rpio):
    rpio.setup(17, OUT, initial=1)
    pin = factory.pin(17)
    assert (pin.function, pin.state, rpio.sim.level(17)) == ("output", 1, 1)
    pin.function = "output"
    assert rpio.sim.level(17) == 1


def test_a_pin_is_told_by_each_of_its_names(factory):
    pins = {factory.pin(name) for name in (17, "17", "GPIO17", "BCM17", "BOARD11", "J8:11", "WPI0")}
    assert len(pins) == 1
    assert pins.pop().info.name == "GPIO17"


def test_an_input_has_its_pull(factory, rpio):
    pin = factory.pin(22)
    for pull, level in (("up", 1), ("down", 0)):
        pin.input_with_pull(pull)
        assert (pin.function, pin.pull, pin.state, rpio.sim.level(22)) == ("input", pull, level, level)
    pin.pull = "up"
    assert pin.state == 1
    pin.output_with_state(0)
    assert (pin.pull, pin.function) == ("floating", "output")
    assert factory.pin(2).pull == "up"


def set_to(attribute, value):
    return lambda pin: setattr(pin, attribute, value)


def output(then):
    def do(pin):
        pin.function = "output"
        then(pin)

    return do


def with_pwm(then):
    def do(pin):
        pin.function = "output"
        pin.frequency = 100
        try:
            then(pin)
        finally:
            pin.frequency = None

    return do


@pytest.mark.parametrize(
    ("line", "action", "error", "cause"),
    [
        (4, set_to("function", "foo"), theirs.PinInvalidFunction, None),
        (4, set_to("state", 1), theirs.PinSetInput, errors.WrongDirectionException),
        (4, output(set_to("state", 0.5)), theirs.PinInvalidState, ValueError),
        (4, output(set_to("state", "1")), theirs.PinInvalidState, ValueError),
        (4, output(set_to("state", [1, 0])), theirs.PinInvalidState, RuntimeError),
        (4, output(set_to("pull", "up")), theirs.PinFixedPull, None),
        (4, set_to("pull", "foo"), theirs.PinInvalidPull, None),
        (4, lambda pin: pin.input_with_pull("foo"), theirs.PinInvalidPull, None),
        (2, set_to("pull", "down"), theirs.PinFixedPull, None),
        (2, lambda pin: pin.input_with_pull("floating"), theirs.PinFixedPull, None),
        (4, set_to("edges", "foo"), theirs.PinInvalidEdges, None),
        (4, set_to("bounce", -1), theirs.PinInvalidBounce, None),
        (4, set_to("bounce", float("nan")), theirs.PinInvalidBounce, None),
        (4, output(set_to("when_changed", print)), theirs.PinEdgeDetectUnsupported, errors.GPIOError),
        (4, set_to("frequency", 100), theirs.PinPWMFixedValue, errors.WrongDirectionException),
        (4, set_to("frequency", 0), ValueError, None),
        (4, with_pwm(set_to("state", 1.1)), theirs.PinInvalidState, ValueError),
        (4, with_pwm(set_to("state", float("nan"))), theirs.PinInvalidState, ValueError),
        (4, with_pwm(set_to("state", "1")), theirs.PinInvalidState, TypeError),
    ],
)
def test_what_cannot_be_is_an_error_of_gpiozeros(factory, line, action, error, cause):
    with pytest.raises(error) as caught:
        action(factory.pin(line))
    assert cause is None or isinstance(caught.value.__cause__, cause)
    assert factory.pin(line).when_changed is None


@pytest.mark.parametrize("name", [99, "GPIO99", "5V", -1, None, "BOARD1"])
def test_no_pin_is_an_error_of_gpiozeros(factory, name):
    with pytest.raises(theirs.PinInvalidPin):
        factory.pin(name)


def test_levels_are_written_as_python_has_them(factory, rpio):
    pin = factory.pin(17)
    pin.function = "output"
    for value, level in ((1, 1), (False, 0), (True, 1), (0.0, 0), (1.0, 1), (0, 0)):
        pin.state = value
        assert rpio.sim.level(17) == pin.state == level


def test_a_rule_of_the_line_holds_for_devices_too(factory, rpio):
    rpio.protect(17, read_only=True, name="the boiler")
    with pytest.raises(PinRefused, match=r"GPIO 17 may only be read .*test_gpiozero_pins") as caught:
        LED(17, pin_factory=factory)
    assert isinstance(caught.value, theirs.PinError)
    assert isinstance(caught.value.__cause__, errors.ReadOnlyError)
    rpio.interlock([22, 23])
    with LED(22, pin_factory=factory) as forward, LED(23, pin_factory=factory) as back:
        forward.on()
        with pytest.raises(PinRefused, match="GPIO"):
            back.on()
        assert (rpio.sim.level(22), rpio.sim.level(23)) == (1, 0)


# -- PWM -----------------------------------------------------------------------------------------------


def test_a_dimmed_led_has_pulses_and_none_when_it_is_closed(rpio_board):
    led = PWMLED(18, frequency=100)
    led.value = 0.25
    assert (led.value, led.frequency, led.pin.state) == (0.25, 100, 0.25)
    rpio_board.advance(15)
    begin = len(rpio_board.waves[18])
    rpio_board.advance(40)
    edges = rpio_board.waves[18][begin:]
    assert {b - a for (a, level), (b, _) in pairwise(edges) if level} == {2_500_000}
    led.frequency = 50
    assert led.value == 0.25
    led.close()
    assert rpio_board.level(18) == 0
    assert not RPIO.facade.board.book.directions


def test_a_servo_has_its_pulse(rpio_board):
    servo = Servo(18, initial_value=0)
    rpio_board.advance(65)
    highs = rpio_board.waves[18][-4:]
    assert {b - a for (a, level), (b, _) in pairwise(highs) if level} == {1_500_000}
    servo.detach()


@pytest.mark.parametrize(("means", "why"), [("hardware", "not connected"), ("dma", "DMA")])
def test_means_that_are_not_to_be_had_are_an_error(rpio, means, why):
    with (
        RPIOFactory(pwm=means) as factory,
        pytest.raises(theirs.PinPWMUnsupported, match=why) as caught,
    ):
        PWMLED(18, pin_factory=factory)
    assert isinstance(caught.value.__cause__, errors.GPIOError)
    assert not rpio.facade.board.book.directions


def test_a_connected_line_has_its_pulses_from_the_hardware(rpio_board, kernel):  # noqa: F811
    with RPIOFactory(pwm="hardware") as factory:
        with PWMLED(18, frequency=100, pin_factory=factory) as led:
            led.value = 0.25
            assert now(kernel) == (10_000_000, 2_500_000, 1)
            led.frequency = 1000
            assert now(kernel) == (1_000_000, 250_000, 1)
            assert rpio_board.sim.function(18) == ALT5
        assert_ended_low(kernel)
        with LED(18, pin_factory=factory) as led:
            assert (led.value, led.pin.function, rpio_board.sim.function(18)) == (0, "output", ALT5)
            led.on()  # a level is no pulse: the line is a plain output from here on
            assert (led.value, rpio_board.level(18), rpio_board.sim.function(18)) == (1, 1, OUT)
    assert not kernel.holders


def test_means_are_one_of_three_words(rpio, monkeypatch):
    with pytest.raises(ValueError, match="pwm is one of hardware, dma, soft, not 'pigpio'"):
        RPIOFactory(pwm="pigpio")
    monkeypatch.setenv("RPIO_PWM", "soft")
    assert RPIOFactory().pwm == "soft"
    monkeypatch.setenv("RPIO_PWM", "fast")
    with pytest.raises(ValueError, match="RPIO_PWM is one of"):
        RPIOFactory()


# -- factories -----------------------------------------------------------------------------------------


def test_each_board_has_its_own_pins(factory, on_board, sim, rpio):
    with LED(17, pin_factory=factory) as here, LED(17, pin_factory=on_board) as there:
        here.on()
        assert (rpio.sim.level(17), sim.read(17), there.value) == (1, 0, 0)


def test_two_factories_on_one_line_are_told_who_has_it(factory):
    other = RPIOFactory()
    with LED(17, pin_factory=factory):
        with pytest.raises(
            theirs.GPIOPinInUse, match=r"GPIO17 is already in use by <gpiozero.LED object on pin"
        ):
            LED(17, pin_factory=other)
        with pytest.raises(
            theirs.GPIOPinInUse, match=r"GPIO17 is already in use by <RPIO\.gpiozero_pins.RPIOFactory"
        ):
            other.pin(17).function = "output"
    with LED(17, pin_factory=other):
        pass
    other.close()


def test_a_board_that_is_not_its_own_gets_its_lines_back_and_goes_on(board, sim):
    board.setup(5, OUT, initial=1)
    factory = RPIOFactory(board)
    led = LED(17, initial_value=True, pin_factory=factory)
    factory.close()
    factory.close()
    assert (sim.function(17), sim.read(5), sorted(board.book.directions)) == (IN, 1, [5])
    board.output(5, 0)
    led.close()
    with LED(17, pin_factory=factory) as again:
        again.on()
        assert sim.read(17) == 1


def test_a_closed_pin_can_be_used_again(factory, rpio):
    pin = factory.pin(17)
    pin.output_with_state(1)
    pin.frequency = 50
    pin.close()
    pin.close()
    assert (pin.frequency, pin.function, rpio.sim.level(17)) == (None, "input", 0)
    pin.output_with_state(1)
    assert (rpio.sim.level(17), factory.pin(17)) == (1, pin)


def test_reset_gives_back_what_tests_have_left(factory, rpio):
    led = LED(17, initial_value=True, pin_factory=factory)
    factory.reset()
    assert not rpio.facade.board.book.directions
    with LED(17, pin_factory=factory):
        pass
    del led


def test_cleanup_of_the_program_takes_the_lines(factory, rpio):
    led, button = LED(17, pin_factory=factory), Button(4, pin_factory=factory)
    rpio.cleanup()
    with pytest.raises(theirs.PinSetInput):
        led.on()
    assert not button.is_pressed
    led.close()
    button.close()
    with LED(17, pin_factory=factory) as led:
        led.on()
        assert rpio.sim.level(17) == 1


def test_numbers_are_bcm_numbers(factory, rpio):
    with pytest.raises(errors.InvalidModeException):
        rpio.setmode(BOARD)
    rpio.cleanup()
    rpio.facade.board.backend  # noqa: B018
    rpio.facade.new_board()
    rpio.setmode(BOARD)
    with pytest.raises(theirs.BadPinFactory, match="A different mode"):
        RPIOFactory()


def test_the_warnings_of_rpio_are_not_gpiozeros(factory, rpio):
    rpio.facade.board.backend.set_output(17, 1)  # another program's, and warnings are errors here
    with LED(17, pin_factory=factory), Button(2, pin_factory=factory):
        assert rpio.facade.board.manners.warns


def test_a_board_by_its_word_is_closed_with_its_factory():
    with RPIOFactory("sim:Zero W") as factory:
        board = factory.board
        assert factory.board_info.model == "Zero W"
        with LED(17, pin_factory=factory) as led:
            led.on()
            assert board.backend.read(17) == 1
    assert board.machine.opened is None


@pytest.mark.parametrize("board", [17, b"sim", object()])
def test_what_is_no_board_is_a_type_error(board):
    with pytest.raises(TypeError, match="the board is a Board, or a word"):
        RPIOFactory(board)


def test_nobody_there_is_no_pin_factory():
    with pytest.raises(theirs.BadPinFactory, match=r"127\.0\.0\.1:1") as caught:
        RPIOFactory("remote://127.0.0.1:1")
    assert isinstance(caught.value.__cause__, errors.NoBackendError)


@pytest.mark.parametrize("model", boards.MODELS)
def test_every_model_is_a_board_that_gpiozero_draws(model):
    info = info_of(boards.by_name(model))
    assert "GPIO17" in format(info, "mono full")
    assert [pin.name for _, pin in info.find_pin(17)][:1] == ["GPIO17"]


def test_a_board_that_is_no_raspberry_pi_has_all_its_lines():
    hardware = boards.generic(5, "gpio-{mockup}", "Banana {Pi}")
    board = Board()
    board.use(SimBackend(hardware, ManualClock()), hardware)
    with RPIOFactory(board) as factory:
        info = factory.board_info
        assert (info.description, "GPIO4" in f"{info:mono full}") == ("Banana {Pi}", True)
        assert "(Pi)" in f"{info:mono board}"
        for name in (4, "4", "GPIO4", "BCM4", "LINES:5"):
            with LED(name, pin_factory=factory) as led:
                led.on()
                assert board.backend.read(4) == 1
        with pytest.raises(theirs.PinInvalidPin):
            LED(5, pin_factory=factory)
    board.close()


def test_a_raspberry_pi_that_only_its_device_tree_tells_is_one_of_its_model():
    hardware = boards.from_compatible(("raspberrypi,3-model-b", "brcm,bcm2837"), "Raspberry Pi 3 Model B")
    assert (hardware.revision_code, info_of(hardware).model) == (None, "3B")


# -- simulated, and of another process -----------------------------------------------------------------


def test_the_simulated_factory_has_the_board_that_the_program_presses_buttons_of(rpio, monkeypatch):
    with RPIOSimFactory() as factory, Button(4, pin_factory=factory) as button:
        rpio.sim.drive(4, 0)
        assert (factory.board_info.model, button.is_pressed) == ("4B", True)
    with RPIOSimFactory("3B+") as factory:
        assert factory.board_info.model == "3B+"
        factory.pin(17).function = "output"
        with pytest.raises(theirs.BadPinFactory, match="in use"):
            RPIOSimFactory("4B")
    monkeypatch.setenv("RPIO_BACKEND", "auto")
    rpio.facade.new_board()
    with RPIOSimFactory() as factory:
        assert rpio.facade.board.backend.name == "sim"


def test_devices_of_another_process_are_as_here(served, sim):
    with RPIOFactory(served) as there:
        make = devices_of(there)
        heard = []
        with make(LED, 17) as led, make(Button, 4, hold_time=0.01) as button, make(PWMLED, 18) as dimmed:
            button.when_pressed = lambda: heard.append(there.ticks_diff(there.ticks(), button._last_changed))
            led.on()
            assert (sim.read(17), led.value, there.board_info.model) == (1, 1, "4B")
            sim.drive(4, 0)
            assert wait_until(lambda: heard)
            assert 0 <= heard[0] < 60
            assert button.is_pressed
            dimmed.value = 0.5
            with pytest.raises(theirs.PinFixedPull):
                make(Button, 2, pull_up=False)
        assert sim.function(17) == IN
    assert there.board.machine.opened is None


def test_time_of_another_machine_is_moved_to_this_ones(served):
    with RPIOFactory(served) as there:
        now_ns = there.ticks()
        first, second = there.ticks_of(5_000_000_000), there.ticks_of(5_000_000_700)
        assert second - first == 700
        assert 0 <= first - now_ns < 60_000_000_000
        late = there.ticks_of(now_ns + 10**15)  # it has come faster than the first, so that was late
        assert late <= there.ticks()


def test_a_machine_that_was_restarted_has_a_time_that_begins_anew(served):
    with RPIOFactory(served) as there:
        there.ticks_of(there.ticks() - 10**13)
        before = there.ticks()
        anew = there.ticks_of(before - 2 * 10**13)  # its clock is at an earlier time than it was
        assert before <= anew <= there.ticks()


def test_a_line_that_another_session_holds_is_in_use_by_it(served):
    with RPIOFactory(served) as one, RPIOFactory(served) as other, LED(17, pin_factory=one):
        with pytest.raises(
            theirs.GPIOPinInUse, match=r"GPIO17 cannot be an output: .*(held|busy|use)"
        ) as caught:
            LED(17, pin_factory=other)
        assert isinstance(caught.value.__cause__, errors.LineBusyError)
        with LED(18, pin_factory=other) as led:
            led.on()


def test_a_line_that_a_session_holds_is_not_taken_from_it_by_a_device_of_the_server(behind, served, sim):
    with RPIOFactory(behind) as here, RPIOFactory(served) as there:
        with LED(17, initial_value=True, pin_factory=there):
            with pytest.raises(theirs.GPIOPinInUse, match="GPIO17 cannot be an output"):
                LED(17, pin_factory=here)
            here.close()
            assert sim.read(17) == 1
        gc.collect()  # gpiozero reserves the pin for a device that could not be made, until it is gone
        with LED(17, initial_value=True, pin_factory=here):
            with pytest.raises(theirs.GPIOPinInUse, match="GPIO17 cannot be an output"):
                LED(17, pin_factory=there)
            there.close()
            assert sim.read(17) == 1


def test_the_remote_factory_goes_where_the_environment_says(served, monkeypatch):
    monkeypatch.setenv("PIGPIO_ADDR", served.removeprefix("remote://"))
    monkeypatch.delenv("RPIO_BACKEND")
    with RPIORemoteFactory() as there:
        assert there.board.where == served
    monkeypatch.setenv("PIGPIO_ADDR", "nowhere.invalid")
    monkeypatch.setenv("RPIO_BACKEND", served)
    with RPIORemoteFactory() as there, LED(17, pin_factory=there) as led:
        led.on()


def test_a_lost_connection_is_told_and_the_device_can_be_closed(sim):
    behind = Board()
    behind.use(sim, sim.hardware)
    port = serve(behind, 0, "127.0.0.1", None)
    behind.wait_for_interrupts(threaded=True)
    board = RPIO.connect(f"127.0.0.1:{port}", patience_s=0, timeout_s=1)
    factory = RPIOFactory(board)
    led = LED(17, pin_factory=factory)
    behind.close()
    with pytest.raises(errors.ConnectionLost):
        led.on()
    led.close()
    factory.close()
    board.close()


# -- SPI -----------------------------------------------------------------------------------------------


def test_a_converter_of_a_simulated_board_is_read_through_its_bus(rpio_board, tmp_path):
    circuit = tmp_path / "adc.toml"
    circuit.write_text("[[chip]]\ntype = 'mcp3008'\nname = 'adc'\n")
    rpio_board(circuit=circuit)
    rpio_board.parts["adc"].volts[2] = 3.3 / 4
    with MCP3008(2) as channel:
        assert repr(channel._spi) == "SPI(port=0, device=0)"
        assert channel.value == pytest.approx(0.25, abs=0.01)
        with pytest.raises(theirs.GPIOPinInUse):
            LED(11)


def test_attributes_of_the_bus_are_the_drivers(factory):
    with factory.spi(port=0, device=1) as bus:
        bus.clock_mode, bus.rate, bus.select_high = 3, 1e6, True
        assert (bus.clock_mode, bus.rate, bus.select_high) == (3, 1_000_000, True)
        bus.lsb_first = True
        assert (bus.lsb_first, bus.bits_per_word) == (True, 8)
        assert bus.transfer([1, 2, 3]) == [0, 0, 0]
        with pytest.raises(theirs.SPIInvalidClockMode):
            bus.clock_mode = 4
        with pytest.raises(theirs.SPIInvalidWordSize):
            bus.bits_per_word = 7
    bus.close()
    assert bus.closed
    with pytest.raises(theirs.DeviceClosed):
        bus.transfer([1])


def test_on_other_pins_bits_go_by_hand(factory, rpio):
    pins = {"clock_pin": 5, "mosi_pin": 6, "miso_pin": 13, "select_pin": 19}
    rpio.sim.wire(6, 13)
    with factory.spi(**pins) as bus:
        assert bus.transfer([0x5A, 0xFF, 0]) == [0x5A, 0xFF, 0]
        with pytest.raises(theirs.GPIOPinInUse):
            LED(19, pin_factory=factory)
        with factory.spi(**{**pins, "select_pin": 26}) as second:
            assert second.transfer([3]) == [3]
    assert not rpio.facade.board.book.directions


def test_buses_by_hand_of_two_boards_are_two(factory, on_board, sim, rpio):
    pins = {"clock_pin": 5, "mosi_pin": 6, "miso_pin": 13, "select_pin": 19}
    rpio.sim.wire(6, 13)
    with factory.spi(**pins, shared=True) as here, on_board.spi(**pins, shared=True) as there:
        assert here is not there
        assert factory.spi(**pins, shared=True) is here
        assert (here.transfer([0x5A]), there.transfer([0x5A])) == ([0x5A], [0])
        here.close()


# -- the end of the program, and forks -----------------------------------------------------------------


def test_a_program_that_just_ends_gives_its_lines_back_in_silence():
    code = """
import atexit
from gpiozero import Button, LED, PWMLED
from RPIO.gpiozero_pins import RPIOFactory
here, there = RPIOFactory(), RPIOFactory("sim")
backends = [here.board.backend, there.board.backend]
led, other, dimmed = LED(17, pin_factory=here), LED(17, pin_factory=there), PWMLED(18, pin_factory=here)
button = Button(4, pin_factory=there)
button.when_pressed = print
for one in (led, other):
    one.blink(0.001, 0.001)
dimmed.pulse()
"""
    look = "import RPIO\natexit_of_tests = RPIO.facade.board\n"
    code = code.replace("import atexit\n", f"import atexit\n{look}") + (
        "import RPIO.processes\n"
        "RPIO.processes.hooks._shut_down = None\n"
        "def look():\n"
        "    print([backend.function(17) for backend in backends], here.board.book.directions)\n"
        "for factory in (here, there):\n"
        "    factory.close = lambda close=factory.close: (close(), look())[0]\n"
    )
    status, out, err = play(code)
    assert (status, err) == (0, "")
    assert out.splitlines()[-1] == "[1, 1] {}"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
def test_in_the_child_of_a_fork_the_devices_are_the_parents(factory, rpio):
    led = LED(17, initial_value=True, pin_factory=factory)
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        try:
            factory.close()
            led.close()
        finally:
            os._exit(rpio.facade.board.machine.opened is None)
    assert os.waitpid(child, 0)[1] == 0
    assert (led.value, rpio.sim.level(17)) == (1, 1)
    led.close()


# -- the pytest plugin ---------------------------------------------------------------------------------


@pytest.mark.parametrize("again", [1, 2])
def test_with_the_plugin_a_program_is_tested_on_its_board(rpio_board, again):
    led, button = LED(17), Button(4)
    assert type(Device.pin_factory) is RPIOFactory
    button.when_pressed = led.toggle
    for _ in range(3):
        rpio_board.press(4)
    rpio_board.assert_wave(17, "_-_-")
    led.blink(0.001)  # and nobody closes it


def test_with_the_plugin_gpiozeros_own_factory_stays(rpio_board, monkeypatch):
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "mock")
    monkeypatch.setattr(Device, "pin_factory", None)
    with LED(17):
        assert type(Device.pin_factory).__name__ == "MockFactory"


def test_held_buttons_know_for_how_long_by_the_boards_clock(rpio_board):
    button = Button(4, hold_time=0.01)
    rpio_board.drive(4, 0)
    rpio_board.advance(1500)
    assert button.active_time == 1.5


# -- rpio run ------------------------------------------------------------------------------------------

ASKS = "from gpiozero import Device, LED; LED(17).on(); print(type(Device.pin_factory).__name__)"


@pytest.mark.parametrize("named", ["", "rpigpio"])
def test_rpio_run_gives_programs_this_factory_unless_another_is_named(named):
    env = {name: value for name, value in os.environ.items() if name != "GPIOZERO_PIN_FACTORY"}
    done = subprocess.run(
        [sys.executable, "-m", "RPIO", "run", "--backend", "sim:4B", "-c", ASKS],
        env=env | ({"GPIOZERO_PIN_FACTORY": named} if named else {}),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    wanted = "RPiGPIOFactory" if named else "RPIOFactory"
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{wanted}\n", "")


OURS = "[console_scripts]\n[gpiozero_pin_factories]\nrpio = RPIO.gpiozero_pins:RPIOFactory\n"


@pytest.mark.parametrize(
    ("installed", "wanted"),
    [
        ({"gpiozero-2.0.1.post3.dist-info": "", "RPIO-1.0.0.dist-info": OURS}, "rpio"),
        ({"gpiozero-2.0.egg-info": "", "rpio-1.0.0.dist-info": OURS}, "rpio"),
        ({"gpiozero-1.6.2.egg-info": "", "RPIO-1.0.0.dist-info": OURS}, "rpigpio"),  # whose "rpio" is another
        ({"gpiozero-2.0.egg-info": "", "RPIO-0.10.1.egg-info": "[console_scripts]\n"}, "rpigpio"),
        ({"gpiozero-2.0.egg-info": ""}, "rpigpio"),  # RPIO from a folder
        ({"RPIO-1.0.0.dist-info": OURS}, "rpigpio"),
        ({}, "rpigpio"),
    ],
)
def test_which_factory_there_is_is_seen_by_what_is_installed(tmp_path, installed, wanted):
    for name, text in installed.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "entry_points.txt").write_text(text)
    assert pin_factory([str(tmp_path / "nowhere"), str(tmp_path)]) == wanted


def test_of_two_gpiozeros_the_first_counts(tmp_path):
    for folder, name in (("one", "gpiozero-1.6.2.egg-info"), ("two", "gpiozero-2.0.egg-info")):
        (tmp_path / folder / name).mkdir(parents=True)
        (tmp_path / folder / "RPIO-1.0.0.dist-info").mkdir()
        (tmp_path / folder / "RPIO-1.0.0.dist-info" / "entry_points.txt").write_text(OURS)
    one, two = str(tmp_path / "one"), str(tmp_path / "two")
    assert (pin_factory([one, two]), pin_factory([two, one])) == ("rpigpio", "rpio")
