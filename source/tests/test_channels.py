# SPDX-License-Identifier: LGPL-3.0-or-later
"""The original RPIO.PWM: channels, pulses and servos, as the C timer plays them on the simulated board."""

import contextlib
import importlib
import itertools
import logging
import os
import subprocess
import sys
import textwrap
import threading
from fractions import Fraction
from types import SimpleNamespace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import RPIO
from RPIO import PWM, errors, facade
from RPIO.backends.sim import SimBackend
from RPIO.backends.sim_time import ManualClock
from RPIO.machine import boards
from RPIO.pulses import dma_engine
from support import highs, joined, raises, simulated
from waiting import LIMIT_S

US, MS = 1_000, 1_000_000
TURN = 20 * MS
SENTENCE = "PWM by DMA is not possible here: {}. The C timer makes the pulses instead."


@pytest.fixture
def world(rpio_board):
    """The simulated board with setup() done and channel 0 of 20 ms."""
    PWM.setup()
    PWM.init_channel(0)
    return rpio_board


@pytest.fixture
def spoilt(world):
    """The same, where even cleanup() fails after what the test does."""
    yield world
    facade.board.pulses.channels.forget()


def turns_of(pulses, first, last, turn_ns=TURN, slot_ns=10 * US):
    """When a line with those pulses is high, from one turn up to another."""
    return joined(
        (turn * turn_ns + start * slot_ns, turn * turn_ns + (start + width) * slot_ns)
        for turn in range(first, last)
        for start, width in pulses
    )


def expect(world, line, pulses, first, last):
    """Look at whole turns of channel 0, which began at 0."""
    world.advance(last * 20 - world.now_ms)
    assert highs(world, line, first * TURN, last * TURN) == turns_of(pulses, first, last)


# --- setup


def test_setup_says_once_why_it_is_not_dma(rpio_board, caplog):
    assert not PWM.is_setup()
    PWM.setup()
    assert PWM.is_setup()
    assert caplog.record_tuples == [("RPIO", logging.WARNING, SENTENCE.format("the board is simulated"))]
    PWM.init_channel(0)
    PWM.Servo()
    assert len(caplog.records) == 1


def test_setup_and_channels_know_their_times(rpio_board):
    PWM.setup(5, PWM.DELAY_VIA_PCM)
    PWM.init_channel(3, 3000)
    PWM.init_channel(14)
    assert PWM.get_pulse_incr_us() == 5
    assert [PWM.is_channel_initialized(n) for n in (0, 3, 14)] == [False, True, True]
    assert [PWM.get_channel_subcycle_time_us(n) for n in (3, 14)] == [3000, 20_000]


def test_constants_are_the_originals():
    assert (PWM.DELAY_VIA_PWM, PWM.DELAY_VIA_PCM) == (0, 1)
    assert (PWM.LOG_LEVEL_DEBUG, PWM.LOG_LEVEL_ERRORS, PWM.LOG_LEVEL_DEFAULT) == (0, 1, 0)
    assert PWM.SUBCYCLE_TIME_US_DEFAULT == 20_000
    assert PWM.PULSE_WIDTH_INCREMENT_GRANULARITY_US_DEFAULT == 10
    assert PWM.VERSION == RPIO.VERSION


def test_all_ways_to_import_are_one():
    from RPIO.PWM import Servo, add_channel_pulse

    assert importlib.import_module("RPIO.PWM") is PWM is RPIO.PWM
    assert Servo is PWM.Servo
    assert add_channel_pulse is PWM.add_channel_pulse


def test_import_as_in_a_fresh_program():
    code = "import RPIO.PWM as PWM; from RPIO.PWM import Servo, setup; assert Servo is PWM.Servo; PWM.setup"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=LIMIT_S)


def test_loglevels_are_the_loggers(monkeypatch):
    logger = logging.getLogger("RPIO")
    monkeypatch.setattr(logger, "level", logger.level)
    for level in (PWM.LOG_LEVEL_ERRORS, PWM.LOG_LEVEL_DEBUG, 2, -1, 2**64, True):
        PWM.set_loglevel(level)
        assert logger.level == (logging.ERROR if level > 0 else logging.DEBUG)
    for level in ([], "1", 1.0, None):
        with raises(TypeError, f"level is an int, not {level!r}"):
            PWM.set_loglevel(level)
    assert logger.level == logging.ERROR


# --- pulses


def test_one_pulse_in_each_subcycle(world):
    PWM.add_channel_pulse(0, 17, start=50, width=100)
    assert RPIO.gpio_function(17) == RPIO.OUT
    expect(world, 17, [(50, 100)], 0, 3)


def test_pulses_that_touch_become_one(world):
    for start, width in ((0, 1), (2, 1), (1, 1), (1999, 1)):
        PWM.add_channel_pulse(0, 17, start, width)
    expect(world, 17, [(0, 3), (1999, 1)], 1, 4)
    assert len(highs(world, 17, TURN, 4 * TURN)) == 4  # the last slot goes on in the first


def test_a_pulse_may_fill_the_subcycle(world):
    PWM.add_channel_pulse(0, 17, 0, 2000)
    world.advance(100)
    assert world.wave(17) == "_-"


def test_channels_have_subcycles_of_their_own(world):
    PWM.init_channel(1, 5000)
    PWM.add_channel_pulse(0, 17, 0, 1)
    PWM.add_channel_pulse(1, 18, 0, 100)
    expect(world, 17, [(0, 1)], 0, 3)
    assert highs(world, 18, 0, 60 * MS) == [(at * 5 * MS, at * 5 * MS + MS) for at in range(12)]


PULSES = [
    (0, 1000),  # the first one
    (0, 200),  # the same start: shorter,
    (0, 1500),  # longer
    (1000, 200),  # inside: what was behind its end goes
    (1100, 900),  # over its end, up to the last slot
    (300, 0),  # low from there on
    (1990, 5),
    (1992, 8),  # it reaches into this one
    (100, 1900),
    (0, 0),  # off
    (0, 2000),
    (1, 1),
    (0, 0),
]


class Slots:
    """A line as the original's control blocks have it: in each slot it is set, cleared, or left as it is."""

    def __init__(self, slots):
        self.slots, self.events = slots, {}

    def add(self, start, width):
        for slot in range(start + 1, start + width):
            self.events.pop(slot, None)
        if width:
            self.events.setdefault(start + width, 0)
        self.events[start] = int(width > 0)

    @property
    def pulses(self):
        at = sorted(self.events)
        return [(slot, after - slot) for slot, after in itertools.pairwise(at) if self.events[slot]]


def test_a_pulse_takes_the_place_of_what_it_is_laid_over(world):
    line = Slots(2000)
    for number, pulse in enumerate(PULSES):
        PWM.add_channel_pulse(0, 17, *pulse)
        assert RPIO.gpio_function(17) == RPIO.OUT
        line.add(*pulse)
        expect(world, 17, line.pulses, 3 * number + 1, 3 * number + 3)


def test_a_line_off_the_header_is_warned_of_as_setup_does(world):
    """The original took it: the camera LED, say, or a line of a compute module."""
    with pytest.warns(RuntimeWarning, match="GPIO 40 is on no pin of the Raspberry Pi 4 Model B"):
        PWM.add_channel_pulse(0, 40, 0, 100)
    expect(world, 40, [(0, 100)], 0, 3)


def test_width_0_makes_a_line_the_channels(world):
    PWM.add_channel_pulse(0, 17, 0, 0)
    assert (RPIO.gpio_function(17), world.level(17)) == (RPIO.OUT, 0)
    PWM.clear_channel_gpio(0, 17)  # which only the channel's lines can be
    with raises(RuntimeError, "GPIO 17 is driven by channel 0 of RPIO.PWM already"):
        RPIO.PWM(17, 50)


@settings(deadline=None)
@given(
    slots=st.sampled_from([300, 301, 2000]),
    drawn=st.lists(
        st.tuples(st.integers(0, 1999), st.integers(0, 2000), st.integers(0, 25)), min_size=1, max_size=12
    ),
)
@example(slots=300, drawn=[(250, 50, 1), (5, 100, 0), (250, 0, 1)])
@pytest.mark.slow
def test_any_pulses_laid_over_each_other_are_the_originals(slots, drawn):
    """In whole turns after each of them, whatever went before."""
    line = Slots(slots)
    with simulated() as world:
        PWM.setup()
        PWM.init_channel(3, slots * 10)
        turn_ns = slots * 10 * US
        for at, longest, wait_ms in drawn:
            start = at % slots
            width = min(longest, slots - start)
            PWM.add_channel_pulse(3, 17, start, width)
            line.add(start, width)
            now_ns = world.clock.now_ns()
            first = (now_ns + wait_ms * MS) // turn_ns + 1
            world.advance(((first + 2) * turn_ns - now_ns) / MS)
            found = highs(world, 17, first * turn_ns, (first + 2) * turn_ns)
            assert found == turns_of(line.pulses, first, first + 2, turn_ns)


@st.composite
def pulse_sets(draw, slots):
    """Pulses of one line that do not overlap; some touch, some are at the ends, some have one slot."""
    places = st.sampled_from([0, 1, slots - 1, slots]) | st.integers(0, slots)
    cuts = sorted(draw(st.sets(places, min_size=2, max_size=8)))
    pulses = [(at, then - at) for at, then in itertools.pairwise(cuts) if draw(st.booleans())]
    return draw(st.permutations(pulses or [(cuts[0], cuts[1] - cuts[0])]))


@settings(deadline=None)
@given(data=st.data(), increment_us=st.sampled_from([1, 7, 10, 1000]), slots=st.integers(3, 4000))
@pytest.mark.slow
def test_any_pulses_come_as_asked_for(data, increment_us, slots):
    slots = max(slots, -(-3000 // increment_us))
    slots = min(slots, 1_000_000 // increment_us)
    wanted = data.draw(st.dictionaries(st.integers(2, 27), pulse_sets(slots), min_size=1, max_size=4))
    calls = data.draw(st.permutations([(line, *pulse) for line in wanted for pulse in wanted[line]]))
    turn_ns = slots * increment_us * US
    with simulated() as world:
        PWM.setup(increment_us)
        PWM.init_channel(7, slots * increment_us)
        for line, start, width in calls:
            PWM.add_channel_pulse(7, line, start, width)
        world.advance(4 * turn_ns / MS)
        for line, pulses in wanted.items():
            found = highs(world, line, turn_ns, 4 * turn_ns)
            assert found == turns_of(pulses, 1, 4, turn_ns, increment_us * US)


@settings(deadline=None)
@given(pulses=pulse_sets(2000), waits_us=st.lists(st.integers(0, 45_000), min_size=8, max_size=8))
@example(pulses=[(3, 1996), (0, 1)], waits_us=[6, 0])
@pytest.mark.slow
def test_pulses_may_be_added_at_any_time(pulses, waits_us):
    with simulated() as world:
        PWM.setup()
        PWM.init_channel(0)
        for pulse, wait_us in zip(pulses, waits_us, strict=False):
            PWM.add_channel_pulse(0, 17, *pulse)
            world.advance(wait_us / 1000)
        first = int(world.now_ms // 20) + 1
        expect(world, 17, pulses, first, first + 3)


# --- clear, print, cleanup


def test_a_cleared_line_is_low_and_the_other_goes_on(world):
    PWM.add_channel_pulse(0, 17, 0, 1000)
    PWM.add_channel_pulse(0, 18, 500, 1000)
    world.advance(25)
    PWM.clear_channel_gpio(0, 17)
    expect(world, 17, [], 2, 5)
    expect(world, 18, [(500, 1000)], 1, 5)
    assert RPIO.gpio_function(17) == RPIO.OUT
    PWM.add_channel_pulse(0, 17, 7, 7)
    expect(world, 17, [(7, 7)], 6, 8)


def test_a_cleared_channel_is_low_and_can_be_cleared_again(world):
    for line in (17, 18):
        PWM.add_channel_pulse(0, line, 0, 2000)
    world.advance(30)
    PWM.clear_channel(0)
    PWM.clear_channel(0)
    PWM.clear_channel_gpio(0, 17)
    expect(world, 17, [], 2, 4)
    expect(world, 18, [], 2, 4)


def test_the_program_may_drive_a_line_that_was_cleared(world):
    PWM.add_channel_pulse(0, 17, 0, 100)
    PWM.add_channel_pulse(0, 18, 0, 100)
    world.advance(25)
    PWM.clear_channel_gpio(0, 17)
    world.advance(20)
    RPIO.output(17, 1)
    world.advance(100)
    assert world.wave(17)[-1] == "-"


def test_print_channel_prints_times_means_and_pulses(world, capsys):
    PWM.add_channel_pulse(0, 18, 50, 100)
    PWM.add_channel_pulse(0, 18, 0, 2)
    PWM.add_channel_pulse(0, 4, 7, 1)
    PWM.clear_channel_gpio(0, 4)
    PWM.print_channel(0)
    assert capsys.readouterr().out.splitlines() == [
        "channel 0: 2000 slots of 10 us (20000 us), by the C timer",
        "  GPIO  4: no pulse",
        "  GPIO 18: 0+2, 50+100",
    ]


def test_cleanup_leaves_lines_low_and_setup_begins_again(world):
    PWM.add_channel_pulse(0, 17, 0, 2000)
    world.advance(30)
    PWM.cleanup()
    PWM.cleanup()
    assert world.level(17) == 0 and RPIO.gpio_function(17) == RPIO.OUT
    assert not PWM.is_setup() and not PWM.is_channel_initialized(0)
    wave = world.wave(17)
    world.advance(100)
    assert world.wave(17) == wave
    PWM.setup(5)
    PWM.init_channel(0, 3000)
    RPIO.PWM(17, 100).start(100)  # nobody's any more


def test_cleanup_of_a_line_ends_its_pulses_and_frees_it(world):
    PWM.add_channel_pulse(0, 17, 0, 1000)
    world.advance(5)
    RPIO.cleanup(17)
    wave = world.wave(17)
    assert RPIO.gpio_function(17) == RPIO.IN
    world.advance(100)
    assert world.wave(17) == wave
    RPIO.setup(17, RPIO.OUT)
    led = RPIO.PWM(17, 100)
    led.start(100)
    world.advance(50)
    assert world.level(17) == 1
    led.stop()
    PWM.add_channel_pulse(0, 17, 0, 1)
    world.advance(60)
    assert highs(world, 17, 160 * MS, 210 * MS)


@pytest.mark.parametrize(
    "what",
    [
        lambda: RPIO.cleanup(17),
        lambda: RPIO.setup(17, RPIO.IN),
        lambda: RPIO.setup(17, RPIO.OUT),
        lambda: RPIO.setup(17, RPIO.OUT, initial=0),
    ],
    ids=["cleanup", "input", "output", "initial"],
)
def test_what_becomes_of_a_line_is_nothing_to_the_others(spoilt, what):
    PWM.add_channel_pulse(0, 17, 0, 1000)
    PWM.add_channel_pulse(0, 18, 0, 1000)
    spoilt.advance(25)
    what()
    expect(spoilt, 18, [(0, 1000)], 1, 5)


@pytest.mark.parametrize("end", [PWM.cleanup, lambda: PWM.clear_channel(0), RPIO.cleanup])
def test_a_line_that_has_become_an_input_is_no_harm_at_the_end(spoilt, end):
    PWM.add_channel_pulse(0, 17, 0, 1000)
    RPIO.setup(17, RPIO.IN)
    end()


def test_setup_as_an_output_again_leaves_the_pulses_alone(world):
    PWM.add_channel_pulse(0, 17, 0, 1000)
    world.advance(5)
    RPIO.setup(17, RPIO.OUT)
    expect(world, 17, [(0, 1000)], 0, 4)


def test_cleanup_of_all_lines_ends_all_pulses(world):
    for line in (17, 18):
        PWM.add_channel_pulse(0, line, 0, 2000)
    RPIO.cleanup()
    waves = [world.wave(line) for line in (17, 18)]
    world.advance(100)
    assert [world.wave(line) for line in (17, 18)] == waves
    assert [RPIO.gpio_function(line) for line in (17, 18)] == [RPIO.IN] * 2


# --- errors


NO_CHANNEL = "channel 5 has not been initialized with `init_channel(..)`"


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (PWM.setup, RuntimeError, "setup(..) has already been called before"),
        (lambda: PWM.init_channel(15), RuntimeError, "maximum channel is 14 (requested channel 15)"),
        (lambda: PWM.init_channel(-1), RuntimeError, "maximum channel is 14 (requested channel -1)"),
        (lambda: PWM.init_channel("1"), TypeError, "channel is an int, not '1'"),
        (lambda: PWM.add_channel_pulse(0, 17, 0, 150.0), TypeError, "width is an int, not 150.0"),
        (lambda: PWM.init_channel(0), RuntimeError, "channel 0 already initialized."),
        (
            lambda: PWM.init_channel(1, 2999),
            RuntimeError,
            "subcycle time 2999us is too small (min=3000us)",
        ),
        (
            lambda: PWM.init_channel(1, 3005),
            RuntimeError,
            "subcycle time 3005us is no multiple of the increment, 10us",
        ),
        (
            lambda: PWM.init_channel(1, 150_000_010),
            RuntimeError,
            "subcycle time 150000010us is too long: 15000001 increments (max=15000000)",
        ),
        (
            lambda: PWM.add_channel_pulse(0, 18, 0, -1),
            errors.PulseError,
            "cannot add pulse to channel 0: start 0, width -1",
        ),
        (
            lambda: PWM.add_channel_pulse(0, 18, -1, 5),
            errors.PulseError,
            "cannot add pulse to channel 0: start -1, width 5",
        ),
        (
            lambda: PWM.add_channel_pulse(0, 18, 2000, 0),
            errors.PulseError,
            "cannot add pulse to channel 0: start 2000, width 0",
        ),
        (
            lambda: PWM.add_channel_pulse(0, 18, 1999, 2),
            errors.PulseError,
            "cannot add pulse to channel 0: start+width exceed max_width of 2000 (start 1999, width 2)",
        ),
        (
            lambda: PWM.add_channel_pulse(0, 99, 0, 1),
            RuntimeError,
            "there is no GPIO 99 on this board",
        ),
        (
            lambda: PWM.add_channel_pulse(0, -1, 0, 1),
            RuntimeError,
            "there is no GPIO -1 on this board",
        ),
        (
            lambda: PWM.add_channel_pulse(0, 22, 0, 1),
            errors.PWMExistsError,
            "A PWM object already exists for this GPIO channel",
        ),
        (
            lambda: PWM.clear_channel_gpio(0, 18),
            RuntimeError,
            "gpio 18 has not been used on channel 0 yet",
        ),
        (lambda: PWM.add_channel_pulse(5, 18, 0, 1), RuntimeError, NO_CHANNEL),
        (lambda: PWM.clear_channel(5), RuntimeError, NO_CHANNEL),
        (lambda: PWM.clear_channel_gpio(5, 17), RuntimeError, NO_CHANNEL),
        (lambda: PWM.print_channel(5), RuntimeError, NO_CHANNEL),
        (lambda: PWM.get_channel_subcycle_time_us(5), RuntimeError, NO_CHANNEL),
        (
            lambda: PWM.Servo(pulse_incr_us=5),
            AttributeError,
            "Error: PWM is already setup with pulse_incr_us=10 (not 5)",
        ),
        (
            lambda: PWM.Servo(dma_channel=0, subcycle_time_us=5000).set_servo(18, 1000),
            AttributeError,
            "Error: DMA channel 0 has already been initialized with subcycle_time_us=20000 (not 5000)",
        ),
        (lambda: RPIO.PWM(17, 100), RuntimeError, "GPIO 17 is driven by channel 0 of RPIO.PWM already"),
    ],
)
def test_after_an_error_everything_is_as_before(world, capsys, call, error, text):
    RPIO.setup(22, RPIO.OUT)
    led = RPIO.PWM(22, 50)
    led.start(50)
    PWM.add_channel_pulse(0, 17, 100, 100)
    world.advance(5)
    functions = [RPIO.gpio_function(line) for line in range(28)]
    with raises(error, text):
        call()
    assert capsys.readouterr().out == ""
    assert [RPIO.gpio_function(line) for line in range(28)] == functions
    assert [n for n in range(15) if PWM.is_channel_initialized(n)] == [0]
    expect(world, 17, [(100, 100)], 0, 4)
    expect(world, 18, [], 0, 4)
    expect(world, 22, [(0, 1000)], 0, 4)


BEFORE = "you need to call `setup(..)` before "


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: PWM.init_channel(0), BEFORE + "initializing channels"),
        (PWM.get_pulse_incr_us, BEFORE + "asking for the increment"),
        (lambda: PWM.add_channel_pulse(0, 17, 0, 1), BEFORE + "adding pulses"),
        (lambda: PWM.setup(0), "pulse_incr_us is 1 to 1000 us, not 0"),
        (lambda: PWM.setup(1001), "pulse_incr_us is 1 to 1000 us, not 1001"),
        (lambda: PWM.setup(10, 2), "delay_hw is DELAY_VIA_PWM or DELAY_VIA_PCM, not 2"),
        (lambda: PWM.setup(10, -1), "delay_hw is DELAY_VIA_PWM or DELAY_VIA_PCM, not -1"),
    ],
)
def test_errors_before_setup(rpio_board, caplog, call, text):
    with raises(RuntimeError, text):
        call()
    assert not PWM.is_setup() and not caplog.records
    PWM.setup()


def test_a_subcycle_may_have_as_many_slots_as_memory_holds(rpio_board):
    """As a sender for 433 MHz has them: 1 us, and 110 ms."""
    PWM.setup(1)
    PWM.init_channel(0, 110_000)
    PWM.add_channel_pulse(0, 17, 109_000, 500)
    rpio_board.advance(220)
    assert highs(rpio_board, 17, 0, 220 * MS) == [
        (109 * MS, 109 * MS + MS // 2),
        (219 * MS, 219 * MS + MS // 2),
    ]
    most = dma_engine.SLOTS_MAX
    PWM.init_channel(1, most)
    with raises(RuntimeError, f"subcycle time {most + 1}us is too long: {most + 1} increments (max={most})"):
        PWM.init_channel(2, most + 1)


def test_a_line_belongs_to_one_channel(world):
    PWM.init_channel(1)
    PWM.add_channel_pulse(0, 17, 0, 1)
    with raises(errors.PWMExistsError, "GPIO 17 is driven by channel 0 of RPIO.PWM already"):
        PWM.add_channel_pulse(1, 17, 0, 1)
    with raises(RuntimeError, "gpio 17 has not been used on channel 1 yet"):
        PWM.clear_channel_gpio(1, 17)


# --- servos


def test_a_servo_sets_itself_up(rpio_board):
    servo = PWM.Servo()
    assert (servo.means, servo.means_of(17)) == ("soft", "soft")
    assert (PWM.is_setup(), PWM.get_pulse_incr_us()) == (True, 10)
    servo.set_servo(17, 1200)
    expect(rpio_board, 17, [(0, 120)], 0, 3)


def test_a_servo_has_the_times_it_was_given(rpio_board):
    PWM.Servo(dma_channel=3, subcycle_time_us=5000, pulse_incr_us=5).set_servo(17, 15)
    assert PWM.get_channel_subcycle_time_us(3) == 5000
    rpio_board.advance(20)
    assert highs(rpio_board, 17, 0, TURN) == [(n * 5 * MS, n * 5 * MS + 15 * US) for n in range(4)]


@settings(deadline=None)
@given(
    times_us=st.sets(st.integers(1, 150_000).filter(lambda at: at % 20_000), max_size=6),
    data=st.data(),
)
@pytest.mark.slow
def test_each_pulse_of_a_servo_is_the_old_width_or_the_new_one(times_us, data):
    width = st.integers(1, 2000)
    changes = [(0, data.draw(width)), *((at, data.draw(width)) for at in sorted(times_us))]
    with simulated() as world:
        servo = PWM.Servo()
        for at_us, slots in changes:
            world.advance(at_us / 1000 - world.now_ms)
            servo.set_servo(17, slots * 10)
        world.advance(200 - world.now_ms)
        widths = [[slots for at, slots in changes if at <= turn * 20_000][-1] for turn in range(10)]
        wanted = joined((n * TURN, n * TURN + slots * 10 * US) for n, slots in enumerate(widths))
        assert highs(world, 17, 0, 10 * TURN) == wanted


@pytest.mark.parametrize(
    "width", [1500.0, round(550 + 90 * 10.83, -1), 1000 + 90 * 1000 / 180, 0.5 * 20_000, Fraction(1200)]
)
def test_whole_floats_are_widths(rpio_board, width):
    PWM.Servo().set_servo(17, width)
    expect(rpio_board, 17, [(0, int(width) // 10)], 0, 3)


def test_a_servo_of_width_0_is_off_and_can_be_set_and_stopped(rpio_board):
    servo = PWM.Servo()
    for width in (0, 1500, 0):
        servo.set_servo(17, width)
        first = int(rpio_board.now_ms // 20) + 1
        expect(rpio_board, 17, [(0, width // 10)] if width else [], first, first + 2)
    servo.stop_servo(17)


def test_a_servo_takes_its_channel_with_its_first_pulse(rpio_board):
    servo, other = PWM.Servo(), PWM.Servo(3)
    assert (servo.means, other.means) == ("soft", "soft")
    assert [n for n in range(15) if PWM.is_channel_initialized(n)] == []
    PWM.init_channel(0)
    servo.set_servo(17, 1500)
    other.set_servo(18, 1500)
    assert [n for n in range(15) if PWM.is_channel_initialized(n)] == [0, 3]  # 0 is the original's default
    PWM.clear_channel(0)
    expect(rpio_board, 17, [], 2, 3)


def test_a_servo_without_a_number_leaves_a_channel_of_other_times_alone(rpio_board):
    PWM.setup()
    PWM.init_channel(0, 5000)
    PWM.Servo().set_servo(17, 1500)
    assert [n for n in range(15) if PWM.is_channel_initialized(n)] == [0, 1]


def test_stop_servo_ends_low_after_the_pulse_that_is_on(rpio_board):
    servo = PWM.Servo()
    servo.set_servo(17, 1500)
    servo.set_servo(18, 1000)
    rpio_board.advance(41)
    servo.stop_servo(17)
    expect(rpio_board, 17, [], 3, 6)
    assert [end - start for start, end in highs(rpio_board, 17, 0, 3 * TURN)][:2] == [1500 * US] * 2
    assert RPIO.gpio_function(17) == RPIO.OUT
    expect(rpio_board, 18, [(0, 100)], 1, 6)
    servo.set_servo(17, 2000)
    expect(rpio_board, 17, [(0, 200)], 7, 9)


def test_a_stopped_servo_is_low_between_its_pulses_too(rpio_board):
    servo = PWM.Servo()
    servo.set_servo(17, 20_000)
    rpio_board.advance(50)
    servo.stop_servo(17)
    expect(rpio_board, 17, [], 3, 6)


def test_two_servos_have_channels_of_their_own(rpio_board):
    slow, fast = PWM.Servo(), PWM.Servo(subcycle_time_us=5000)
    slow.set_servo(17, 1000)
    fast.set_servo(18, 1000)
    expect(rpio_board, 17, [(0, 100)], 0, 2)
    assert len(highs(rpio_board, 18, 0, 2 * TURN)) == 8
    with raises(RuntimeError, "GPIO 17 is driven by channel 0 of RPIO.PWM already"):
        fast.set_servo(17, 1000)
    with raises(RuntimeError, "gpio 17 has not been used on channel 1 yet"):
        fast.stop_servo(17)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((0, 20_000, 7), RuntimeError),  # the subcycle is no multiple
        ((15,), RuntimeError),
        ((0, 20_000, "10"), TypeError),
        ((0, "20000"), TypeError),
        ((0, 1000), RuntimeError),
    ],
)
def test_a_servo_that_cannot_be_leaves_nothing_set_up(rpio_board, arguments, error):
    with pytest.raises(error):
        PWM.Servo(*arguments)
    assert not PWM.is_setup()
    PWM.Servo().set_servo(17, 1000)
    expect(rpio_board, 17, [(0, 100)], 0, 2)


def test_a_servo_that_cannot_be_leaves_what_was_set_up(world):
    with pytest.raises(RuntimeError):
        PWM.Servo(15)
    assert PWM.is_setup() and PWM.is_channel_initialized(0)


def test_servos_may_be_made_in_several_threads_at_once(rpio_board, monkeypatch):
    """All of them see that setup() was not called, unless one has to wait for the other."""
    met, made, is_setup = threading.Barrier(2), [], type(facade.board.pulses.channels).is_setup

    def meet(channels):
        with contextlib.suppress(threading.BrokenBarrierError):
            found = is_setup.fget(channels)
            met.wait(0.1)
        return found

    monkeypatch.setattr(type(facade.board.pulses.channels), "is_setup", property(meet))
    threads = [threading.Thread(target=lambda: made.append(PWM.Servo())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert len(made) == 2


def test_two_servos_may_share_a_channel(rpio_board):
    first, second = PWM.Servo(4), PWM.Servo(4)
    first.set_servo(17, 1000)
    second.set_servo(17, 1500)
    second.set_servo(18, 2000)
    expect(rpio_board, 17, [(0, 150)], 1, 3)
    expect(rpio_board, 18, [(0, 200)], 1, 3)
    first.stop_servo(18)
    expect(rpio_board, 18, [], 4, 6)


@pytest.mark.parametrize(
    ("line", "width_us", "error", "text"),
    [
        (
            17,
            1205,
            AttributeError,
            "Pulse width increment granularity 10us cannot divide a pulse-time of 1205us",
        ),
        (
            17,
            20_010,
            RuntimeError,
            "cannot add pulse to channel 0: start+width exceed max_width of 2000 (start 0, width 2001)",
        ),
        (
            17,
            1511.1,
            AttributeError,
            "Pulse width increment granularity 10us cannot divide a pulse-time of 1511.1us",
        ),
        (
            17,
            float("nan"),
            AttributeError,
            "Pulse width increment granularity 10us cannot divide a pulse-time of nanus",
        ),
        (17, "1500", TypeError, "pulse_width_us is a number of microseconds, not '1500'"),
        (17, b"%d", TypeError, "pulse_width_us is a number of microseconds, not b'%d'"),
        (17, None, TypeError, "pulse_width_us is a number of microseconds, not None"),
        (17.0, 1500, TypeError, "gpio is an int, not 17.0"),
        (17, -10, RuntimeError, "cannot add pulse to channel 0: start 0, width -1"),
        (58, 1000, RuntimeError, "there is no GPIO 58 on this board"),
        (22, 1000, errors.PWMExistsError, "A PWM object already exists for this GPIO channel"),
    ],
)
def test_a_width_that_cannot_be_leaves_the_servo_as_it_is(rpio_board, line, width_us, error, text):
    servo = PWM.Servo()
    servo.set_servo(17, 1200)
    RPIO.setup(22, RPIO.OUT)
    led = RPIO.PWM(22, 100)
    with raises(error, text):
        servo.set_servo(line, width_us)
    expect(rpio_board, 17, [(0, 120)], 0, 3)
    led.stop()


def test_a_servo_that_was_never_set_cannot_be_stopped(rpio_board):
    with raises(RuntimeError, "gpio 17 has not been used on channel 0 yet"):
        PWM.Servo().stop_servo(17)


# --- where DMA cannot be


REGS, CDEV, SIM = (
    SimpleNamespace(name="regs", block=object()),
    SimpleNamespace(name="cdev", block=None),
    SimpleNamespace(name="sim", block=None),
)
RP1 = "is in RP1, which the DMA engine does not reach in time"


@pytest.mark.parametrize(
    ("hardware", "backend", "reason"),
    [
        *((boards.by_name(name), REGS, None) for name in ("B", "Zero", "2B", "3B+", "CM3", "4B", "CM4")),
        *((boards.by_name(name), SIM, "the board is simulated") for name in ("B", "4B", "5B")),
        (boards.by_name("5B"), REGS, f"the GPIO of a {boards.by_name('5B').name} {RP1}"),
        (boards.by_name("5B"), CDEV, f"the GPIO of a {boards.by_name('5B').name} {RP1}"),
        (boards.by_name("4B"), CDEV, "the backend cdev does not use registers (RPIO_BACKEND=regs does)"),
        (boards.generic(54, "x", "Linux board"), CDEV, "a Linux board has no such DMA engine"),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_why_not_by_dma(hardware, backend, reason):
    assert dma_engine.why_not(hardware, backend) == reason


class Registers(SimBackend):
    """A simulated board that passes for registers."""

    name = "regs"


@pytest.fixture
def registers(request, rpio_board, monkeypatch, tmp_path):
    """A board of that model, with registers, on a machine without /dev/mem."""
    monkeypatch.setattr(dma_engine, "ROOT", str(tmp_path))
    facade.new_board()
    backend = Registers(boards.by_name(request.param), ManualClock())
    facade.board.use(backend, backend.hardware)
    return backend


@pytest.mark.parametrize("registers", ["5B"], indirect=True)
def test_a_pi_5_says_why_the_c_timer_makes_the_pulses(registers, caplog):
    servo = PWM.Servo(dma_channel=0)
    assert caplog.messages == [SENTENCE.format(f"the GPIO of a {registers.hardware.name} {RP1}")]
    servo.set_servo(17, 1000)
    assert (servo.means, registers.read(17)) == ("soft", 1)


@pytest.mark.parametrize("registers", ["4B"], indirect=True)
@pytest.mark.parametrize("number", [0, None])
def test_where_dma_is_refused_servos_do_without(registers, caplog, tmp_path, number):
    registers.block = object()
    text = f"Pulses by DMA need {tmp_path}/dev/mem, which is not there"
    for insists in (PWM.setup, lambda: PWM.Servo(number, means="dma")):
        with raises(RuntimeError, text):
            insists()
        assert not PWM.is_setup() and not caplog.records
    assert PWM.Servo(number).means == "soft"
    assert caplog.messages == [SENTENCE.format(text)]


# --- the program's end


def test_the_end_of_a_program_is_quiet_and_low():
    code = """
        import atexit, sys

        atexit.register(lambda: print(RPIO.facade.board.backend.read(17)))  # the last to be called
        import RPIO
        from RPIO import PWM

        PWM.set_loglevel(PWM.LOG_LEVEL_ERRORS)
        servo = PWM.Servo()
        servo.set_servo(17, 20_000)
        PWM.init_channel(1, 3000)
        PWM.add_channel_pulse(1, 18, 5, 5)
        print(RPIO.facade.board.backend.read(17))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env={**os.environ, "RPIO_BACKEND": "sim:4B", "PYTHONWARNINGS": "error"},
        check=False,
    )
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "1\n0\n")
