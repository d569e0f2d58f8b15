# SPDX-License-Identifier: LGPL-3.0-or-later
"""The pytest plugin: a fresh board for each test, time that the test moves, waves and their pictures."""

import sys
import threading
import time
from time import sleep as early_sleep

import pytest

import RPIO
from RPIO import errors
from RPIO.constants import BCM, BOTH, FALLING, IN, OUT, PUD_UP, RISING
from support import PLAIN
from waiting import wait_until

pytest_plugins = ["pytester"]


@pytest.fixture
def toggle(rpio_board):
    """A program: the button on GPIO 17 toggles the lamp on GPIO 18."""
    RPIO.setup(17, IN, pull_up_down=PUD_UP)
    RPIO.setup(18, OUT, initial=0)
    RPIO.add_event_detect(17, FALLING, lambda channel: RPIO.output(18, not RPIO.input(18)), bouncetime=20)
    return rpio_board


def test_callbacks_have_run_when_press_returns(toggle):
    toggle.press(17, ms=50)
    assert (toggle.level(18), RPIO.input(18), toggle.now_ms) == (1, 1, 50)


def test_waves_are_levels_in_order_or_in_steps_of_time(toggle):
    for _ in range(3):
        toggle.press(17, ms=50)
        toggle.advance(50)
    toggle.assert_wave(18, "_-_-")
    assert toggle.wave(18, step_ms=50) == "--__--"
    toggle.assert_wave(18, "-- __ --", step_ms=50)
    toggle.assert_wave(17, "_-_-_-_-")  # at first its pull-down shows
    toggle.assert_wave(4, "-")


@pytest.mark.parametrize("step_ms", [0, -1, 1e-9, float("nan")])
def test_a_step_that_takes_no_time_is_an_error(rpio_board, step_ms):
    for look in (rpio_board.wave, lambda line, step_ms: rpio_board.assert_wave(line, "_", step_ms)):
        with pytest.raises(ValueError, match="a step takes a nanosecond or more"):
            look(18, step_ms)


def test_a_line_that_is_not_there_is_the_same_error_for_all(rpio_board):
    for look in (rpio_board.press, rpio_board.wave, lambda line: rpio_board.assert_wave(line, "_")):
        with pytest.raises(errors.InvalidChannelException):
            look(99)


RAISES = """
import RPIO
import pytest

def fail(gpio, value):
    raise KeyError(gpio)

@pytest.mark.parametrize("threaded", [False, True])
def test_left(rpio_board, threaded):
    RPIO.add_interrupt_callback(17, fail, "falling", RPIO.PUD_UP, threaded_callback=threaded)
    rpio_board.press(17)

def test_taken_out(rpio_board):
    RPIO.add_interrupt_callback(17, fail, "falling", RPIO.PUD_UP)
    rpio_board.press(17)
    assert isinstance(rpio_board.errors.pop(), KeyError)

def test_fails_itself(rpio_board):
    RPIO.add_interrupt_callback(17, fail, "falling", RPIO.PUD_UP)
    rpio_board.press(17)
    assert rpio_board.level(17) == 5

def test_nothing_of_others_is_left(rpio_board):
    assert rpio_board.errors == []
"""


@pytest.mark.slow
def test_a_callback_that_raises_fails_its_test(pytester):
    pytester.makepyfile(RAISES)
    result = pytester.runpytest_subprocess(*PLAIN, "-q")
    result.assert_outcomes(failed=3, passed=2)
    result.stdout.fnmatch_lines(
        [
            "*raise KeyError(gpio)*",
            "*AssertionError: in a callback, which rpio_board.errors has: KeyError(17)",
        ]
    )
    result.stdout.fnmatch_lines(["*assert 1 == 5"])


def test_bounces_come_before_the_level_rests(toggle):
    toggle.press(17, ms=50, bounces=4)
    toggle.assert_wave(18, "_-")
    assert toggle.wave(17) == "_-" * 6


def test_a_wrong_wave_fails_with_a_picture(toggle):
    toggle.press(17, ms=50)
    with pytest.raises(pytest.fail.Exception) as caught:
        toggle.assert_wave(18, "_-_-")
    assert str(caught.value).splitlines() == [
        "GPIO 18 has another wave:",
        "  expected  ▁▁▔▔▁▁▔▔  _-_-",
        "  found     ▁▁▔▔  _-",
        "                ^^ from here on",
        "  0 at first, 1 at 0 ms",
    ]


def test_a_wave_of_other_characters_is_an_error(rpio_board):
    with pytest.raises(ValueError, match="a wave is made of _"):
        rpio_board.assert_wave(18, "0101")


@pytest.mark.rpio("Zero")
def test_the_marker_chooses_the_model(rpio_board):
    assert RPIO.RPI_INFO["TYPE"] == "Zero"


def test_every_test_has_a_fresh_board(rpio_board):
    assert RPIO.facade.board.lines.direction(17) is None and rpio_board.now_ms == 0


def test_threaded_callbacks_have_run_too(rpio_board):
    got = []
    RPIO.add_interrupt_callback(
        17, lambda g, v: got.append((v, threading.current_thread().name)), threaded_callback=True
    )
    rpio_board.drive(17, 1)
    rpio_board.drive(17, 0)
    assert got == [(1, "RPIO GPIO 17"), (0, "RPIO GPIO 17")]


def test_callbacks_on_a_wired_line_follow_in_the_same_call(rpio_board):
    RPIO.setup(18, OUT, initial=0)
    RPIO.setup(23, IN)
    got = []
    rpio_board.wire(18, 23)
    RPIO.add_event_detect(23, BOTH, lambda channel: got.append(RPIO.input(channel)))
    RPIO.add_interrupt_callback(17, lambda g, v: RPIO.output(18, v), edge="both", pull_up_down=PUD_UP)
    rpio_board.press(17, ms=10)
    rpio_board.press(17, ms=10)
    assert got == [1, 0, 1]


def test_what_the_program_drives_is_followed_by_callbacks_at_once(rpio_board):
    RPIO.setup(18, OUT, initial=0)
    RPIO.setup(23, IN)
    rpio_board.wire(18, 23)
    got = []
    RPIO.add_event_detect(23, BOTH, lambda channel: got.append(RPIO.input(channel)))
    RPIO.output(18, 1)
    assert got == [1]
    RPIO.output([18], [0])
    assert got == [1, 0]


def test_wrong_calls_have_the_errors_of_a_board(rpio_board):
    with pytest.raises(TypeError, match=r"^output\(\) missing 1 required"):
        RPIO.output(18)
    with pytest.raises(RuntimeError, match="The GPIO channel has not been set up as an OUTPUT"):
        RPIO.output(18, 1)


def test_a_device_answers_at_the_moment_of_a_change_and_callbacks_follow(rpio_board):
    order = []

    def device(level):
        order.append(("device", level, rpio_board.now_ms))
        rpio_board.drive(24, level)  # an answer on another line

    RPIO.setup(18, OUT, initial=0)
    RPIO.setup(24, IN)
    rpio_board.on_change(18, device)
    RPIO.add_event_detect(24, BOTH, lambda channel: order.append(("callback", RPIO.input(24))))
    RPIO.output(18, 1)
    rpio_board.after(5, lambda: RPIO.output(18, 0))
    rpio_board.advance(10)
    assert order == [("device", 1, 0), ("callback", 1), ("device", 0, 5), ("callback", 0)]


def test_ctrl_c_ends_a_program_that_waits(rpio_board):
    rpio_board.ctrl_c(250)
    with pytest.raises(KeyboardInterrupt):
        RPIO.wait_for_interrupts()
    assert rpio_board.now_ms == 250


def test_wait_for_edge_lets_time_go_by(rpio_board):
    RPIO.setup(17, IN, pull_up_down=PUD_UP)
    rpio_board.after(100, lambda: rpio_board.drive(17, 0))
    assert RPIO.wait_for_edge(17, FALLING, timeout=1000) == 17
    assert rpio_board.now_ms == 100
    assert RPIO.wait_for_edge(17, FALLING, timeout=250) is None
    assert rpio_board.now_ms == 350


def test_a_wait_for_what_never_comes_is_an_error(rpio_board):
    RPIO.setup(17, IN, pull_up_down=PUD_UP)
    with pytest.raises(errors.GPIOError, match="nothing is due") as caught:
        RPIO.wait_for_edge(17, FALLING)
    assert "rpio_board.after" in caught.value.hint
    with pytest.raises(errors.GPIOError, match="nothing is due"):
        RPIO.wait_for_interrupts()


def test_wait_for_interrupts_runs_as_far_as_something_is_due(rpio_board):
    got = []

    def on_edge(gpio_id, value):
        got.append((rpio_board.now_ms, value))
        if len(got) == 2:
            RPIO.stop_waiting_for_interrupts()

    RPIO.add_interrupt_callback(17, on_edge, "both", PUD_UP)
    rpio_board.after(10, lambda: rpio_board.drive(17, 0))
    rpio_board.after(30, lambda: rpio_board.drive(17, 1))
    rpio_board.after(50, lambda: rpio_board.drive(17, 0))
    RPIO.wait_for_interrupts()
    assert got == [(10, 0), (30, 1)]


def test_a_program_that_waits_in_a_thread_is_served_by_the_tests_moves(rpio_board):
    got = []

    def program():
        RPIO.add_interrupt_callback(17, lambda g, v: got.append(v), "both", PUD_UP)
        ready.set()
        RPIO.wait_for_interrupts()

    ready = threading.Event()
    thread = threading.Thread(target=program)
    thread.start()
    assert ready.wait(5) and wait_until(lambda: RPIO.facade.board.dispatcher.running)
    rpio_board.press(17)
    assert got == [0, 1]
    RPIO.stop_waiting_for_interrupts()
    thread.join(5)
    assert not thread.is_alive()


def test_threaded_loop_is_served_too(rpio_board):
    got = []
    RPIO.add_interrupt_callback(17, lambda g, v: got.append(v), "rising")
    RPIO.wait_for_interrupts(threaded=True)
    rpio_board.drive(17, 1)
    assert got == [1]


def test_sleep_moves_the_board_and_takes_no_time(rpio_board, rpio_time):
    RPIO.setup(18, OUT, initial=0)
    started = time.monotonic(), time.time(), time.perf_counter()
    for _ in range(3):
        RPIO.output(18, not RPIO.input(18))
        time.sleep(100)
        early_sleep(100)  # this module has it since its import
    assert rpio_board.wave(18, step_ms=200_000) == "-_-"
    ended = time.monotonic(), time.time(), time.perf_counter()
    assert [b - a for a, b in zip(started, ended, strict=True)] == pytest.approx([600] * 3, abs=0.001)


def test_what_is_due_happens_while_the_program_sleeps(rpio_board, rpio_time):
    got = []
    RPIO.setup(17, IN, pull_up_down=PUD_UP)
    RPIO.add_event_detect(17, FALLING, lambda channel: got.append(rpio_board.now_ms))
    rpio_board.after(300, lambda: rpio_board.drive(17, 0))
    time.sleep(1)
    assert got == [300] and rpio_board.now_ms == 1000


def test_loops_that_look_at_the_clock_or_at_a_level_get_there(rpio_board, rpio_time):
    RPIO.setup(17, IN)
    rpio_board.after(2, lambda: rpio_board.drive(17, 1))
    while not RPIO.input(17):
        pass
    assert rpio_board.now_ms == pytest.approx(2, abs=0.002)
    end = time.perf_counter_ns() + 3_000_000
    while time.perf_counter_ns() < end:
        pass
    assert rpio_board.now_ms == pytest.approx(5, abs=0.005)


def test_calls_take_as_long_as_the_test_says(rpio_board, rpio_time):
    rpio_time.tick_us = 50
    RPIO.setup(18, OUT, initial=0)
    for _ in range(4):
        RPIO.output(18, 1)
        RPIO.output(18, 0)
    rpio_board.assert_wave(18, "-_-_-_-_", step_ms=0.05)


def test_a_callback_that_sleeps_lets_time_go_by(rpio_board, rpio_time):
    RPIO.setup(18, OUT, initial=0)

    def blink(gpio_id, value):
        RPIO.output(18, 1)
        time.sleep(0.5)
        RPIO.output(18, 0)

    RPIO.add_interrupt_callback(17, blink, "falling", PUD_UP)
    rpio_board.press(17, ms=50)
    assert rpio_board.wave(18, step_ms=100) == "-----_"
    # The finger is lifted late: it is moved by this thread, which was busy with the callback.
    assert rpio_board.now_ms == pytest.approx(550, abs=0.1)


def test_sleep_takes_what_the_real_one_takes(rpio_board, rpio_time):
    time.sleep(0)
    with pytest.raises(ValueError, match="sleep length must be non-negative"):
        time.sleep(-1)
    with pytest.raises(TypeError):
        time.sleep("1")


def test_threads_of_the_program_follow_the_board(rpio_board, rpio_time):
    RPIO.setup([18, 23], OUT, initial=0)

    def blink(line, half_period_s):
        while True:
            for level in (1, 0):
                RPIO.output(line, level)
                time.sleep(half_period_s)

    for arguments in ((18, 0.1), (23, 0.2)):
        threading.Thread(target=blink, args=arguments).start()
    time.sleep(0.4)
    rpio_board.advance(400)
    rpio_board.assert_wave(18, "-_-_-_-_", step_ms=100)
    rpio_board.assert_wave(23, "--__--__", step_ms=100)


def test_threaded_callbacks_sleep_on_the_board_too(rpio_board, rpio_time):
    RPIO.setup(18, OUT, initial=0)

    def blink(gpio_id, value):
        RPIO.output(18, 1)
        time.sleep(0.1)
        RPIO.output(18, 0)

    RPIO.add_interrupt_callback(17, blink, "falling", PUD_UP, threaded_callback=True)
    rpio_board.press(17, ms=50)
    assert (rpio_board.now_ms, rpio_board.level(18)) == (50, 1)
    rpio_board.advance(100)
    rpio_board.assert_wave(18, "--_", step_ms=50)


def test_threads_that_sleep_end_with_the_test(rpio_board, rpio_time, capfd):
    woke = []

    def sleeper(*_):
        time.sleep(1)
        woke.append(1)

    thread = threading.Thread(target=sleeper)
    thread.start()
    RPIO.add_interrupt_callback(17, sleeper, threaded_callback=True)
    rpio_board.drive(17, 1)
    rpio_board.advance(500)
    assert len(rpio_board.asleep) == 2
    rpio_time.remove()  # what the end of the test does
    assert wait_until(lambda: not thread.is_alive()) and woke == []
    assert "Exception in thread" not in capfd.readouterr().err
    assert time.sleep is early_sleep


def test_the_rest_of_python_has_the_machines_time(rpio_board, rpio_time):
    import asyncio

    assert asyncio.run(asyncio.wait_for(asyncio.sleep(0.001, "awake"), 5)) == "awake"
    assert not threading.Event().wait(0.001)
    assert rpio_board.now_ms == 0


def test_the_machines_time_is_back_after_the_test():
    assert time.sleep is early_sleep and time.sleep.__module__ == "time" and time.time.__module__ == "time"


def test_rpi_gpio_is_there_by_name_with_its_own_rules(rpio_board, rpi_gpio):
    from RPi import GPIO

    assert GPIO is rpi_gpio and GPIO.getmode() is None
    GPIO.setmode(BCM)
    GPIO.setup(17, IN)
    GPIO.add_event_detect(17, RISING)
    rpio_board.drive(17, 1)
    assert GPIO.event_detected(17)


def test_rpi_gpio_is_gone_after_its_test():
    assert "RPi" not in sys.modules and RPIO.getmode() == BCM


@pytest.mark.slow
def test_the_plugin_is_found_by_pytest_and_the_picture_is_in_the_report(pytester):
    pytester.makepyfile("""
        import RPIO

        def test_lamp(rpio_board):
            RPIO.setup(18, RPIO.OUT, initial=0)
            RPIO.output(18, 1)
            rpio_board.advance(20)
            RPIO.output(18, 0)
            rpio_board.assert_wave(18, "_-_")
            rpio_board.assert_wave(18, "_-_-")
    """)
    result = pytester.runpytest_subprocess(*PLAIN)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*GPIO 18 has another wave:", "*expected*▁▁▔▔▁▁▔▔*_-_-*", "*0 at first, 1 at 0 ms, 0 at 20 ms"]
    )
    result.stdout.no_fnmatch_line("*world.py*")


def test_a_recording_is_played_at_its_times(rpio_board, tmp_path):
    path = tmp_path / "in.vcd"
    path.write_text(
        "$timescale 1 us $end $var wire 1 ! D0 $end $enddefinitions $end #0 1! #1500 0! #4000 x! #5000"
    )
    seen = []
    RPIO.add_interrupt_callback(17, lambda gpio, value: seen.append((value, rpio_board.now_ms)), "both")
    rpio_board.replay(path, {"D0": 17})
    assert seen == [(1, 0), (0, 1.5)]  # and nobody drives it after that: GPIO 17 is pulled down
    assert (rpio_board.now_ms, rpio_board.sim.driven(17)) == (5, None)


def test_what_cannot_be_replayed(rpio_board, tmp_path):
    path = tmp_path / "in.vcd"
    path.write_text("hello")
    with pytest.raises(ValueError, match="line 1 of the VCD"):
        rpio_board.replay(path)
    path.write_text("$var wire 1 ! GPIO99 $end $enddefinitions $end")
    with pytest.raises(ValueError, match="99"):
        rpio_board.replay(path)
    with pytest.raises(FileNotFoundError):
        rpio_board.replay(tmp_path / "none.vcd")


# -- RPi.GPIO at the top of a test module ---------------------------------------------------------------------

LAMP = """
import RPi.GPIO as GPIO

def toggle(channel):
    GPIO.output(18, not GPIO.input(18))

def start():
    GPIO.setmode(GPIO.BCM)
    GPIO.setup(18, GPIO.OUT, initial=GPIO.LOW)
    GPIO.setup(17, GPIO.IN, pull_up_down=GPIO.PUD_UP)
    GPIO.add_event_detect(17, GPIO.FALLING, callback=toggle)
"""
TOP = """
import RPi.GPIO as GPIO
from RPi import _GPIO
import pytest
import lamp

def test_it_toggles(rpio_board):
    lamp.start()
    rpio_board.press(17)
    assert rpio_board.wave(18) == "_-"

def test_a_fresh_board_has_rpi_gpios_rules(rpio_board):
    assert GPIO.getmode() is None
    with pytest.raises(RuntimeError, match="Please set pin numbering mode"):
        GPIO.setup(17, GPIO.IN)

def test_the_fixture_is_the_same_module(rpi_gpio):
    assert rpi_gpio is GPIO is lamp.GPIO and _GPIO.setup is GPIO.setup
    GPIO.setmode(GPIO.BOARD)

def test_and_stays(rpio_board):
    import RPi.GPIO
    assert RPi.GPIO is GPIO and GPIO.getmode() is None
"""


@pytest.mark.parametrize("place", ["pytest.ini", "pyproject.toml"])
@pytest.mark.slow
def test_a_switch_has_test_modules_import_rpi_gpio_at_their_top(pytester, place):
    pytester.makepyfile(test_top=TOP, lamp=LAMP)
    pytester.makeconftest("import RPi.GPIO")
    options = "filterwarnings = error" if place == "pytest.ini" else 'filterwarnings = ["error"]'
    section = "pytest" if place == "pytest.ini" else "tool.pytest.ini_options"
    pytester.path.joinpath(place).write_text(f"[{section}]\nrpi_gpio = true\n{options}\n")
    pytester.runpytest_subprocess(*PLAIN).assert_outcomes(passed=4)


@pytest.mark.slow
def test_where_rpi_gpio_is_missing_the_report_says_what_to_do(pytester):
    pytester.makepyfile(test_top=TOP, lamp=LAMP, test_within="def test_it():\n    import lamp\n")
    result = pytester.runpytest_subprocess(*PLAIN, "--continue-on-collection-errors")
    result.assert_outcomes(errors=1, failed=1)
    result.stdout.fnmatch_lines(
        ["*No module named 'RPi'", "*- RPIO -*", "To have RPIO stand in*", "*rpi_gpio = true"]
    )
    assert str(result.stdout).count("rpi_gpio = true") == 2


@pytest.mark.slow
def test_another_rpi_gpio_in_the_way_of_the_switch_is_one_line(pytester):
    pytester.mkpydir("RPi").joinpath("GPIO.py").touch()
    pytester.makepyfile(early="import RPi.GPIO", test_it="def test_it(): pass")
    pytester.makeini("[pytest]\nrpi_gpio = true")
    result = pytester.runpytest_subprocess("-p", "early", *PLAIN)
    result.stderr.fnmatch_lines(["ERROR: rpi_gpio = true: another RPi has been imported already*"])
