# SPDX-License-Identifier: LGPL-3.0-or-later
"""RPIO.wave(): levels and delays, as the C timer plays them on the simulated board, and as steps for DMA."""

import gc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import RPIO
from RPIO import PWM, errors
from RPIO.board.board import Board
from RPIO.constants import BOARD, IN, OUT
from RPIO.pulses.waves import Score
from support import raises, simulated

US, MS = 1_000, 1_000_000


@pytest.fixture
def world(rpio_board):
    """The simulated board, with GPIO 17, 18 and 27 outputs."""
    RPIO.setup([17, 18, 27], OUT, initial=0)
    return rpio_board


def edges(world, line):
    """What a line has done: (time in us, level)."""
    return [(at_ns / US, level) for at_ns, level in world.waves.get(line, [])]


# --- what is played


def test_steps_come_at_their_times(world):
    wave = RPIO.wave([(17, 1, 500), (18, 1, 250.5), (17, 0, 1000), (18, 0, 10)])
    assert (wave.means, wave.is_playing) == ("soft", True)
    world.advance(10)
    assert edges(world, 17) == [(0, 1), (750.5, 0)]
    assert edges(world, 18) == [(500, 1), (1750.5, 0)]


def test_the_first_step_is_at_once(world):
    wave = RPIO.wave([(17, 1, 1000)])
    assert world.level(17) == 1
    wave.stop()


@pytest.mark.parametrize("repeat", [1, 2, 5])
def test_it_is_repeated_so_many_times(world, repeat):
    RPIO.wave([(17, 1, 500), (17, 0, 1500)], repeat=repeat)
    world.advance(50)
    wanted = [edge for n in range(repeat) for edge in ((n * 2000, 1), (n * 2000 + 500, 0))]
    assert edges(world, 17) == wanted


def test_without_a_number_it_goes_on_until_it_is_stopped(world):
    wave = RPIO.wave([(17, 1, 500), (17, 0, 500)], repeat=None)
    world.advance(1000.25)
    assert wave.is_playing
    assert edges(world, 17) == [(n * 500, 1 - n % 2) for n in range(2001)]
    wave.stop()
    assert not wave.is_playing and world.level(17) == 1
    world.advance(100)
    assert len(edges(world, 17)) == 2001


def test_delays_of_0_happen_together(world):
    moments = []
    world.on_change(18, lambda level: moments.append((world.now_ms, level, world.level(17))))
    RPIO.wave([(17, 1, 0), (18, 1, 100), (18, 0, 0), (17, 0, 0), (27, 1, 100)])
    world.advance(1)
    assert edges(world, 17) == edges(world, 18) == [(0, 1), (100, 0)]
    assert edges(world, 27) == [(100, 1)]


def test_of_levels_at_one_moment_the_last_one_counts(world):
    RPIO.wave([(17, 1, 0), (17, 0, 0), (17, 1, 100), (17, 0, 0), (17, 1, 100)])
    world.advance(1)
    assert edges(world, 17) == [(0, 1)]


def test_the_last_level_stays(world):
    RPIO.wave([(17, 1, 100), (18, 1, 100), (17, 0, 100)])
    world.advance(100)
    assert (world.level(17), world.level(18)) == (0, 1)


def test_the_last_delay_belongs_to_it(world):
    wave = RPIO.wave([(17, 1, 500), (17, 0, 1500)], repeat=2)
    world.advance(3.999)
    assert wave.is_playing
    world.advance(0.001)
    assert not wave.is_playing


def test_a_last_step_without_a_delay_is_within_the_turn(world):
    """It takes a microsecond, so that a second turn has it too."""
    wave = RPIO.wave([(17, 1, 100), (17, 0, 0)], repeat=2)
    world.advance(1)
    assert not wave.is_playing
    assert edges(world, 17) == [(0, 1), (100, 0), (101, 1), (201, 0)]


def test_a_wave_may_be_a_tuple_of_lists_with_levels_of_truth(world):
    RPIO.wave(([17, True, 5], [17, False, 5]))
    world.advance(1)
    assert edges(world, 17) == [(0, 1), (5, 0)]


def test_channels_are_those_of_the_numbering_mode(world):
    RPIO.setmode(BOARD)
    RPIO.wave([(11, 1, 10), (12, 1, 10)])
    world.advance(1)
    assert edges(world, 17) == [(0, 1)] and edges(world, 18) == [(10, 1)]
    with raises(ValueError, "The channel sent is invalid on a Raspberry Pi"):
        RPIO.wave([(6, 1, 10)])


STEPS = st.lists(
    st.tuples(
        st.sampled_from([17, 18, 27]),
        st.integers(0, 1),
        st.integers(0, 3000) | st.integers(0, 30_000).map(lambda tenths: tenths / 10),
    ),
    min_size=1,
    max_size=12,
)


def levels_of(steps, turns=1):
    """The changes of each line from low: (time in ns, level)."""
    found, now_ns = {}, 0
    for line, level, delay_us in steps * turns:
        found.setdefault(line, {})[now_ns] = level
        now_ns += round(delay_us * US)
    changes = {}
    for line, levels in found.items():
        before = 0
        for at_ns, level in levels.items():
            if level != before:
                changes.setdefault(line, []).append((at_ns, level))
            before = level
    return changes, now_ns


@settings(deadline=None)
@given(steps=STEPS, turns=st.integers(1, 3))
@pytest.mark.slow
def test_any_steps_come_to_the_nanosecond(steps, turns):
    steps = [*steps, (27, 0, 7)]  # a turn has some length, whatever the others are
    changes, end_ns = levels_of(steps, turns)
    with simulated() as world:
        RPIO.setup([17, 18, 27], OUT, initial=0)
        wave = RPIO.wave(steps, repeat=turns)
        world.advance((end_ns - 1) / MS)
        assert wave.is_playing
        world.advance(1 / MS)
        assert not wave.is_playing
        world.advance(100)
        assert world.waves == changes


# --- wait, stop, with


def test_wait_returns_when_it_is_over(world):
    wave = RPIO.wave([(17, 1, 500), (17, 0, 500)], repeat=3)
    assert wave.wait(0.001) is False  # moves the clock of a board that has no time of its own
    assert wave.wait() is True
    assert edges(world, 17)[-1] == (2500, 0)
    assert wave.wait(0) is wave.wait() is True


def test_wait_in_real_time(rpio):
    RPIO.setup(17, OUT)
    assert RPIO.wave([(17, 1, 500), (17, 0, 500)], repeat=3).wait(5) is True
    assert RPIO.input(17) == 0


def test_stop_leaves_levels_and_may_come_twice(world):
    wave = RPIO.wave([(17, 1, 500), (18, 1, 500), (17, 0, 500), (18, 0, 500)])
    world.advance(0.75)
    wave.stop()
    wave.stop()
    world.advance(10)
    assert edges(world, 17) == [(0, 1)] and edges(world, 18) == [(500, 1)]
    assert not wave.is_playing and wave.wait() is True
    assert RPIO.gpio_function(17) == OUT


def test_with_stops_it_at_the_end_and_after_an_error(world):
    with RPIO.wave([(17, 1, 500), (17, 0, 500)], repeat=None) as wave:
        assert wave.is_playing
    assert not wave.is_playing
    with pytest.raises(ZeroDivisionError), RPIO.wave([(17, 1, 5)], repeat=None) as wave:
        raise ZeroDivisionError
    assert not wave.is_playing


@pytest.mark.slow
def test_it_goes_on_when_nobody_keeps_the_object(world):
    RPIO.wave([(17, 1, 500), (17, 0, 500)], repeat=None)
    gc.collect()
    world.advance(10)
    assert len(edges(world, 17)) == 21


# --- several at a time


def test_two_waves_at_a_time(world):
    first = RPIO.wave([(17, 1, 300), (17, 0, 300)], repeat=None)
    world.advance(0.1)
    second = RPIO.wave([(18, 1, 700), (18, 0, 700)], repeat=2)
    world.advance(2.6)
    assert edges(world, 17) == [(n * 300, 1 - n % 2) for n in range(10)]
    assert edges(world, 18) == [(100 + n * 700, 1 - n % 2) for n in range(4)]
    assert first.is_playing and second.is_playing
    first.stop()
    assert second.is_playing
    world.advance(1)
    assert not second.is_playing


EXISTS = "A PWM object already exists for this GPIO channel"
BUSY = "GPIO {} is driven by a wave already"


def test_a_line_is_in_one_wave(world):
    wave = RPIO.wave([(17, 1, 500), (17, 0, 500)], repeat=None)
    with raises(errors.PWMExistsError, BUSY.format(17)) as caught:
        RPIO.wave([(18, 1, 10), (17, 1, 10)])
    assert isinstance(caught.value, RuntimeError)
    world.advance(2)
    assert edges(world, 17) == [(n * 500, 1 - n % 2) for n in range(5)] and edges(world, 18) == []
    RPIO.wave([(18, 1, 10)])  # the wave that failed has let go of it
    wave.stop()
    RPIO.wave([(17, 0, 10)])


def test_pwm_and_waves_do_not_share_lines(world):
    led = RPIO.PWM(18, 100)
    with raises(errors.PWMExistsError, EXISTS):
        RPIO.wave([(17, 1, 10), (18, 1, 10)])
    led.start(50)
    with raises(errors.PWMExistsError, EXISTS):
        RPIO.wave([(18, 1, 10)])
    world.advance(10)
    assert edges(world, 18) == [(0, 1), (5000, 0), (10_000, 1)]
    led.stop()
    wave = RPIO.wave([(18, 1, 10)], repeat=None)
    with raises(errors.PWMExistsError, BUSY.format(18)):
        RPIO.PWM(18, 100)
    servo = PWM.Servo()
    with raises(errors.PWMExistsError, BUSY.format(18)):
        servo.set_servo(18, 1000)
    wave.stop()
    servo.set_servo(18, 1000)
    with raises(errors.PWMExistsError, "GPIO 18 is driven by channel 0 of RPIO.PWM already"):
        RPIO.wave([(18, 1, 10)])


def test_a_wave_that_is_over_lets_go_of_its_lines_for_another(world):
    first = RPIO.wave([(17, 1, 500), (18, 1, 500)])
    world.advance(1)
    RPIO.wave([(17, 0, 100)])
    first.stop()
    assert world.level(17) == 0


@pytest.mark.parametrize(
    "use", [lambda: RPIO.PWM(17, 100).start(50), lambda: PWM.Servo().set_servo(17, 1000)]
)
def test_a_wave_that_is_over_lets_go_of_its_lines_for_pwm(world, use):
    RPIO.wave([(17, 1, 500)])
    world.advance(1)
    use()


def test_a_timeout_is_a_number(world):
    wave = RPIO.wave([(17, 1, 500)])
    with raises(TypeError, "the timeout must be a number of seconds or None, not str"):
        wave.wait("x")


def test_stopping_a_wave_that_is_over_does_not_stop_the_next(world):
    first = RPIO.wave([(17, 1, 500), (17, 0, 500)])
    world.advance(2)
    second = RPIO.wave([(17, 1, 500), (17, 0, 500)], repeat=None)
    first.stop()
    assert second.is_playing
    with raises(errors.PWMExistsError, BUSY.format(17)):
        RPIO.wave([(17, 1, 10)])


def test_cleanup_of_a_line_ends_its_wave(world):
    wave = RPIO.wave([(17, 1, 500), (18, 1, 500), (17, 0, 500), (18, 0, 500)], repeat=None)
    world.advance(0.75)
    RPIO.cleanup(17)
    assert not wave.is_playing
    world.advance(5)
    assert edges(world, 18) == [(500, 1)]
    RPIO.wave([(18, 0, 10)])
    wave.stop()


def test_a_line_that_becomes_an_input_leaves_its_wave(world):
    wave = RPIO.wave([(17, 1, 500), (18, 1, 500), (17, 0, 0), (18, 0, 500)], repeat=None)
    RPIO.setup(17, IN)
    assert wave.is_playing
    RPIO.setup(18, IN)
    assert not wave.is_playing
    RPIO.setup(18, OUT)
    RPIO.wave([(18, 1, 10)])


def test_the_end_of_the_board_ends_waves(world):
    wave = RPIO.wave([(17, 1, 500), (17, 0, 500)], repeat=None)
    RPIO.facade.new_board()
    assert not wave.is_playing
    wave.stop()


# --- errors


WRONG = "You must setup() the GPIO channel as an output first"


def test_lines_have_to_be_outputs(world):
    RPIO.setup(4, IN)
    for line in (4, 5):
        with raises(errors.WrongDirectionException, WRONG) as caught:
            RPIO.wave([(17, 1, 10), (line, 1, 10)])
        assert isinstance(caught.value, RuntimeError)
    assert edges(world, 17) == []
    RPIO.wave([(17, 1, 10)])


LIST = "a wave is a list of 1 to 100000 steps (channel, level, delay_us)"
GOOD = [(17, 1, 10), (17, 0, 10)]


@pytest.mark.parametrize(
    ("steps", "text"),
    [
        ([], LIST),
        (None, LIST),
        ("wave", LIST),
        ({(17, 1, 10)}, LIST),
        ([(17, 1, 1)] * 100_001, LIST),
        ([*GOOD, (17, 1)], "step 2 of the wave is (17, 1), not (channel, level, delay_us)"),
        ([*GOOD, 17], "step 2 of the wave is 17, not (channel, level, delay_us)"),
        ([*GOOD, "abc"], "step 2 of the wave is 'abc', not (channel, level, delay_us)"),
        ([(17, 2, 10)], "the level in step 0 of the wave is 2, not 0 or 1"),
        ([*GOOD, (17, -1, 10)], "the level in step 2 of the wave is -1, not 0 or 1"),
        ([*GOOD, (17, "1", 10)], "the level in step 2 of the wave is '1', not 0 or 1"),
        (
            [*GOOD, (17, 1, -1)],
            "the delay in step 2 of the wave is -1, not 0 to 1000000000 microseconds",
        ),
        (
            [(17, 1, 10), (17, 1, 1e9 + 1)],
            "the delay in step 1 of the wave is 1000000001.0, not 0 to 1000000000 microseconds",
        ),
        (
            [(17, 1, float("nan"))],
            "the delay in step 0 of the wave is nan, not 0 to 1000000000 microseconds",
        ),
        (
            [(17, 1, float("inf"))],
            "the delay in step 0 of the wave is inf, not 0 to 1000000000 microseconds",
        ),
        ([(17, 1, "5")], "the delay in step 0 of the wave is '5', not 0 to 1000000000 microseconds"),
        ([(17, 1, 6e8), (17, 1, 6e8)], "a wave takes 1000000000 us at most, not 1200000000"),
    ],
    ids=lambda value: "" if isinstance(value, list) else None,
)
def test_steps_that_are_none(world, steps, text):
    with raises(ValueError, text):
        RPIO.wave(steps)
    assert edges(world, 17) == []


@pytest.mark.parametrize("steps", [[(99, 1, 10)], [*GOOD, (-1, 1, 10)]])
def test_channels_that_are_none(world, steps):
    with raises(ValueError, "The channel sent is invalid on a Raspberry Pi"):
        RPIO.wave(steps)


@pytest.mark.parametrize("repeat", [0, -1])
def test_repeat_is_1_or_more_or_none(world, repeat):
    text = f"a wave is repeated 1 time or more, or for ever with None, not {repeat} times"
    with raises(ValueError, text):
        RPIO.wave(GOOD, repeat=repeat)


def test_the_largest_number_of_turns(world):
    RPIO.wave(GOOD, repeat=2**31).stop()
    with pytest.raises(ValueError, match="not 2147483649 times"):
        RPIO.wave(GOOD, repeat=2**31 + 1)


@pytest.mark.parametrize("means", ["DMA", "", 1, "hardware"])
def test_means_that_are_none(world, means):
    with raises(ValueError, f"means is 'dma', 'soft' or None, not {means!r}"):
        RPIO.wave(GOOD, means=means)


def test_a_simulated_board_has_no_dma(world):
    with raises(errors.DMAError, "This wave cannot be played by DMA: the board is simulated") as caught:
        RPIO.wave(GOOD, means="dma")
    assert isinstance(caught.value, RuntimeError)
    assert caught.value.hint == "means='soft' plays it"
    assert RPIO.wave(GOOD, means="soft").means == "soft"


# --- the steps of DMA


def score(steps):
    return Score(steps, Board().line_of)


WHOLE = st.lists(
    st.tuples(st.integers(0, 27), st.integers(0, 1), st.integers(0, 50).map(lambda n: n * 20)), min_size=1
)


def levels(masks):
    """The changes of lines that (set, cleared, slots) make: (slot, line, level), and the number of slots."""
    now, found = 0, []
    for up, down, slots in masks:
        found += [(now, line, 1) for line in range(32) if up >> line & 1]
        found += [(now, line, 0) for line in range(32) if down >> line & 1]
        now += slots
    return sorted(found), now


@settings(deadline=None)
@given(steps=WHOLE, factor=st.sampled_from([1, 2, 4, 5, 10, 20]))
@pytest.mark.slow
def test_steps_of_dma_are_the_same_edges(steps, factor):
    steps = [*steps, (0, 0, 20)]
    wave = score(steps)
    found, slots = levels(wave.steps(factor))
    wanted, now = {}, 0
    for line, level, delay_us in steps:
        wanted[now, line] = level
        now += delay_us // factor
    assert found == sorted((at, line, level) for (at, line), level in wanted.items())
    assert slots == now
    assert wave.lines == sorted({line for line, _, _ in steps})


@given(steps=WHOLE)
@pytest.mark.slow
def test_the_slot_is_the_longest_that_fits(steps):
    steps = [*steps, (0, 0, 20)]
    wave = score(steps)
    slot_us = wave.slot_us()
    assert 20 <= slot_us <= 100
    fitting = [us for us in range(1, 101) if wave.steps(us) is not None]
    assert slot_us == fitting[-1]
    times = {sum(delay for _, _, delay in steps[:n]) for n in range(len(steps) + 1)}
    assert fitting == [us for us in range(1, 101) if not any(at % us for at in times)]


def test_a_wave_without_whole_microseconds_has_no_slot():
    assert score([(17, 1, 2.5), (17, 0, 2.5)]).slot_us() is None
    assert score([(17, 1, 2.5), (17, 0, 2.5)]).steps(1) is None


@pytest.mark.parametrize(("delay_us", "slot_us"), [(1, 1), (7, 7), (100, 100), (101, 1), (500, 100), (0, 1)])
def test_slots_of_simple_waves(delay_us, slot_us):
    assert score([(17, 1, delay_us), (17, 0, delay_us)]).slot_us() == slot_us
