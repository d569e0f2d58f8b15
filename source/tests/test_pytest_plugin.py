# SPDX-License-Identifier: LGPL-3.0-or-later
"""The pytest plugin: a fresh board for each test, time that the test moves, waves and their pictures."""

import sys
import threading

import pytest

import RPIO
from RPIO import errors
from RPIO.model import BCM, BOTH, FALLING, IN, OUT, PUD_UP, RISING
from support import wait_until

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
    assert RPIO.facade.board.direction(17) is None and rpio_board.now_ms == 0


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
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*GPIO 18 has another wave:", "*expected*▁▁▔▔▁▁▔▔*_-_-*", "*0 at first, 1 at 0 ms, 0 at 20 ms"]
    )
    result.stdout.no_fnmatch_line("*pytest_plugin.py*")
