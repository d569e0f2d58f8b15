# SPDX-License-Identifier: LGPL-3.0-or-later
"""What is ended in the middle of a change stays ended, whoever ends it: a signal handler, or another thread.

A handler runs between two instructions of what it interrupts. So the call under test is made again and again, and the
handler runs once in each, an instruction (or a line of code) later every time, until the call is over before it.
"""

import gc
import itertools
import os
import sys
import threading

import pytest

import RPIO
from RPIO import PWM, facade
from RPIO.constants import IN, OUT
from RPIO.pulses import drives
from support import simulated
from test_dma import library, pi  # noqa: F401  # fixtures
from test_pwm_means import assert_ended_low, bare, kernel, now  # noqa: F401  # two of them are fixtures

HERE = os.path.dirname(RPIO.__file__)
EACH = 1 if os.environ.get("RPIO_INTERRUPTED_STEP") == "1" else 3
"""Each so many moments; `make test-every` takes them all."""


def call_interrupted(call, handler, moment, event="opcode"):
    """Call, and have the handler run when so many instructions of RPIO have been. Whether it has run before the end."""
    left = moment

    def trace(frame, kind, argument):
        nonlocal left
        if not frame.f_code.co_filename.startswith(HERE):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = event == "opcode", event == "line"
        if kind == event:
            left -= 1
            if left == 0:
                handler()
        return trace

    before = sys.gettrace()
    gc.disable()  # what dies of an earlier moment's objects would count
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
        gc.enable()
    return left <= 0


def every_moment(attempt, first=1, step=1):
    """Call attempt(moment) until the handler comes too late. Some of it was in time."""
    for moment in itertools.count(first, step * EACH):
        if not attempt(moment):
            break
    assert moment > 40


def assert_quiet(world, line, level=0):
    assert world.level(line) == level
    before = world.wave(line)
    world.advance(100)
    assert world.wave(line) == before
    assert not facade.board.pulses.drives.drives(line)


BEGUN = 15
"""So many instructions or lines a call may take to note that it was made; what ends pulses is before it till then."""
CALLS = {
    "ChangeDutyCycle": lambda pwm: pwm.ChangeDutyCycle(40),
    "ChangeDutyCycle(100)": lambda pwm: pwm.ChangeDutyCycle(100),
    "ChangeFrequency": lambda pwm: pwm.ChangeFrequency(200),
    "start": lambda pwm: pwm.start(30),
}


@pytest.mark.parametrize("first", [0, 50])
@pytest.mark.parametrize("name", CALLS)
@pytest.mark.slow
def test_stop_in_a_handler_ends_it(name, first):
    def attempt(moment):
        with simulated() as world:
            RPIO.setup(18, OUT, initial=0)
            pwm = RPIO.PWM(18, 100)
            pwm.start(first)
            world.advance(3)
            in_time = call_interrupted(lambda: CALLS[name](pwm), pwm.stop, moment)
            if in_time:
                assert_quiet(world, 18)
                RPIO.PWM(18, 50)
        return in_time

    every_moment(attempt, BEGUN if name == "start" else 1)


@pytest.mark.slow
def test_stop_in_a_handler_ends_what_has_just_begun():
    def attempt(moment):
        with simulated() as world:
            RPIO.setup(18, OUT, initial=0)
            pwm = RPIO.PWM(18, 100)
            in_time = call_interrupted(lambda: pwm.start(100), pwm.stop, moment)
            if in_time:
                pwm.ChangeDutyCycle(50)
                assert_quiet(world, 18)
        return in_time

    every_moment(attempt, BEGUN)


def test_a_change_that_is_ended_in_its_middle_writes_nothing_afterwards():
    """Not even a pulse of no width; so a level that the handler has written stays."""

    def attempt(moment):
        with simulated() as world:
            RPIO.setup(18, OUT, initial=0)
            pwm = RPIO.PWM(18, 100)
            pwm.start(50)
            world.advance(7)

            def handler():
                pwm.stop()
                RPIO.output(18, 1)

            in_time = call_interrupted(lambda: pwm.ChangeDutyCycle(40), handler, moment)
            if in_time:
                assert world.wave(18) == "_-_-"
                assert_quiet(world, 18, 1)
        return in_time

    every_moment(attempt)


@pytest.mark.parametrize("name", [name for name in CALLS if name != "start"])
@pytest.mark.parametrize("channels", [(), (18,)])
def test_cleanup_in_a_handler_ends_it_without_an_error(name, channels):
    def attempt(moment):
        with simulated() as world:
            RPIO.setup(18, OUT, initial=0)
            pwm = RPIO.PWM(18, 100)
            pwm.start(50)
            in_time = call_interrupted(lambda: CALLS[name](pwm), lambda: RPIO.cleanup(*channels), moment)
            if in_time:
                assert RPIO.gpio_function(18) == IN
                RPIO.setup(18, OUT, initial=0)
                assert_quiet(world, 18)
                pwm.stop()
        return in_time

    every_moment(attempt)


def test_a_change_in_a_handler_is_the_last_one():
    def attempt(moment):
        with simulated() as world:
            RPIO.setup(18, OUT, initial=0)
            pwm = RPIO.PWM(18, 100)
            pwm.start(50)
            change = facade.board.pulses.drives.change
            in_time = call_interrupted(
                lambda: change(18, pwm, 10_000_000, 4_000_000),
                lambda: pwm.ChangeDutyCycle(20),
                moment,
            )
            world.advance(20)
            shown = world.wave(18, step_ms=1)[-10:]
            assert shown in ("--________", "----______")  # it may have come before the other
            if moment > 60 and in_time:
                assert shown == "--________"
        return in_time

    every_moment(attempt)


# --- servos, channels and waves


@pytest.mark.parametrize("end", ["stop_servo", "cleanup(17)", "PWM.cleanup"])
def test_a_servo_is_ended_in_a_handler(end):
    def attempt(moment):
        with simulated() as world:
            servo = PWM.Servo(subcycle_time_us=3000)
            servo.set_servo(22, 1000)
            servo.set_servo(17, 500)
            world.advance(4)
            handler = {
                "stop_servo": lambda: servo.stop_servo(17),
                "cleanup(17)": lambda: RPIO.cleanup(17),
                "PWM.cleanup": PWM.cleanup,
            }[end]
            in_time = call_interrupted(lambda: servo.set_servo(17, 800), handler, moment, "line")
            if in_time:
                world.advance(10)  # a pulse that is on may end
                if end == "cleanup(17)":
                    assert world.level(17) == 0
                before = [world.wave(line) for line in (17, 22)]
                world.advance(30)
                assert world.wave(17) == before[0] and world.level(17) == 0
                assert (world.wave(22) == before[1]) == (end == "PWM.cleanup")
        return in_time

    every_moment(attempt, BEGUN)


@pytest.mark.slow
def test_a_wave_is_ended_by_cleanup_in_a_handler():
    def attempt(moment):
        with simulated() as world:
            RPIO.setup([17, 18], OUT, initial=0)

            def play():
                try:
                    RPIO.wave([(17, 1, 500), (18, 1, 0), (17, 0, 250), (18, 0, 250)], repeat=None)
                except RPIO.WrongDirectionException:
                    pass  # the wave has not begun

            in_time = call_interrupted(play, RPIO.cleanup, moment, "line")
            if in_time:
                before = [world.wave(line) for line in (17, 18)]
                world.advance(20)
                assert [world.wave(line) for line in (17, 18)] == before
                RPIO.setup([17, 18], OUT)
                RPIO.wave([(17, 1, 500), (18, 1, 500)])
        return in_time

    every_moment(attempt)


# --- the hardware's PWM, DMA, and registers


@pytest.mark.parametrize("make", [lambda: RPIO.PWM(18, 100), PWM.Servo])
def test_hardware_pwm_is_ended_in_a_handler(rpio_board, kernel, make):  # noqa: F811
    def attempt(moment):
        pulses_of = make()
        if isinstance(pulses_of, PWM.Servo):
            change, end = lambda: pulses_of.set_servo(18, 1500), lambda: pulses_of.stop_servo(18)
            pulses_of.set_servo(18, 1000)
        else:
            change, end = lambda: pulses_of.ChangeDutyCycle(30), pulses_of.stop
            pulses_of.start(50)
        assert now(kernel)[2] == 1
        in_time = call_interrupted(change, end, moment, "line")
        if in_time:
            assert_ended_low(kernel)
        else:
            end()
        assert now(kernel) is None
        return in_time

    every_moment(attempt, BEGUN + 5)  # the servo's number is looked at first


def test_hardware_pwm_that_others_have_exported_is_switched_off(rpio_board, kernel):  # noqa: F811
    kernel.holders[f"{kernel.chip}/pwm0"] = "sysfs"

    def attempt(moment):
        pwm = RPIO.PWM(18, 100)
        pwm.start(50)
        in_time = call_interrupted(lambda: pwm.ChangeDutyCycle(30), pwm.stop, moment, "line")
        if not in_time:
            pwm.stop()
        assert now(kernel)[2] == 0
        return in_time

    every_moment(attempt)


@pytest.mark.parametrize("call", ["lamp.ChangeDutyCycle(30)", "lamp.ChangeFrequency(50)", "lamp.start(30)"])
@pytest.mark.slow
def test_dma_is_ended_in_a_handler(pi, call):  # noqa: F811
    out = pi.run(
        f"""
        sys.path.insert(0, {os.path.dirname(__file__)!r})
        from test_pwm_interrupted import BEGUN, call_interrupted, every_moment
        RPIO.setup(17, RPIO.OUT)
        PWM.setup()
        lamp = RPIO.PWM(17, 100)

        def attempt(moment):
            for _ in range(20):  # the clock that paces it may take its time on a busy machine
                lamp.start(50)
                if lamp.means == "dma":
                    break
                lamp.stop()
            assert lamp.means == "dma"
            in_time = call_interrupted(lambda: {call}, lamp.stop, moment, "line")
            engine = facade.board.pulses.channels.engine
            assert not in_time or not engine.is_used, moment
            lamp.stop()
            return in_time

        every_moment(attempt, BEGUN, 2)
        print("quiet")
        """
    )
    assert out == "quiet\n"


# --- threads


class Gate:
    """Keeps who calls a backend's function there until it is opened."""

    def __init__(self, monkeypatch, backend, name):
        self.reached, self.opened = threading.Event(), threading.Event()
        function = getattr(backend, name)

        def wait_and_call(*arguments):
            self.reached.set()
            assert self.opened.wait(5)
            function(*arguments)

        monkeypatch.setattr(backend, name, wait_and_call)


@pytest.mark.parametrize("has_lock", [True, False])
@pytest.mark.parametrize(("name", "call"), [("change_pwm", "ChangeDutyCycle"), ("pwm", "start")])
def test_stop_while_another_thread_changes(rpio_board, monkeypatch, name, call, has_lock):
    """stop() waits for the change. Where it cannot, the change undoes itself."""
    RPIO.setup(18, OUT, initial=0)
    pwm = RPIO.PWM(18, 100)
    pwm.start(50)
    gate = Gate(monkeypatch, rpio_board.sim, name)
    if not has_lock:
        monkeypatch.setattr(drives, "STOP_S", 0)
    changer = threading.Thread(target=getattr(pwm, call), args=(100,))
    stopper = threading.Thread(target=pwm.stop)
    changer.start()
    assert gate.reached.wait(5)
    stopper.start()
    stopper.join(0.1 if has_lock else 5)
    assert stopper.is_alive() == has_lock
    gate.opened.set()
    changer.join(5)
    stopper.join(5)
    assert_quiet(rpio_board, 18)
    RPIO.PWM(18, 50)


def test_an_object_that_is_let_go_of_waits_for_nobody(rpio_board, monkeypatch):
    """It may happen at any moment of any thread, whatever locks that has."""
    RPIO.setup([17, 18], OUT, initial=0)
    held, kept = RPIO.PWM(17, 100), RPIO.PWM(18, 100)
    kept.start(50)
    gate = Gate(monkeypatch, rpio_board.sim, "pwm")
    starter = threading.Thread(target=held.start, args=(50,))
    starter.start()
    assert gate.reached.wait(5)
    del kept
    assert rpio_board.level(18) == 0
    gate.opened.set()
    starter.join(5)


def test_one_of_several_threads_gets_the_channel(rpio_board, monkeypatch):
    RPIO.setup(18, OUT)
    inside, found = threading.Barrier(3), []
    is_output = facade.board.pulses.drives._is_output

    def meet(line):
        try:
            inside.wait(0.1)
        except threading.BrokenBarrierError:
            pass  # the others wait for the lock, as they should
        return is_output(line)

    monkeypatch.setattr(facade.board.pulses.drives, "_is_output", meet)

    def make():
        try:
            found.append(RPIO.PWM(18, 100))
        except RPIO.PWMExistsError:
            pass

    threads = [threading.Thread(target=make) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert len(found) == 1


def test_stop_without_an_owner_ends_what_there_is(rpio_board):
    RPIO.setup(18, OUT, initial=0)
    pwm = RPIO.PWM(18, 100)
    pwm.stop()
    rpio_board.sim.pwm(18, 10_000_000, 5_000_000)  # left by whom ever
    pwm.stop()
    assert_quiet(rpio_board, 18)
