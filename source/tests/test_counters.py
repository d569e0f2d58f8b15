# SPDX-License-Identifier: LGPL-3.0-or-later
"""Counters and encoders on the simulated board: what is counted, beside whom, and how it ends."""

import os
import random
import threading
import time

import pytest

import devices
import RPIO
from behind import IS_REMOTE
from RPIO import errors, facade
from RPIO.recordings.recording import Recording
from RPIO.recordings.replay import play as play_recording
from support import play
from waiting import wait_until

NS_PER_S, NS_PER_MS = 1_000_000_000, 1_000_000
FORWARDS = ((1, 0), (1, 1), (0, 1), (0, 0))


def pulses(line, count):
    for _ in range(count):
        RPIO.sim.drive(line, 1)
        RPIO.sim.drive(line, 0)


def turn(cycles, a=22, b=23):
    way = FORWARDS if cycles > 0 else [*FORWARDS[2::-1], FORWARDS[3]]
    for _ in range(abs(cycles)):
        for levels in way:
            RPIO.sim.drive(a, levels[0])
            RPIO.sim.drive(b, levels[1])


def has(counter, count):
    return wait_until(lambda: counter.count == count)


# -- counting ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("edge", "count"), [("rising", 5), ("falling", 5), ("both", 10), (RPIO.BOTH, 10)])
def test_a_counter_counts_its_edges_and_nobody_waits_for_interrupts(rpio, edge, count):
    counter = RPIO.counter(17, edge)
    pulses(17, 5)
    assert has(counter, count)
    assert counter.lost == 0


def test_what_a_counter_says_before_the_first_edge(rpio):
    counter = RPIO.counter(17)
    assert (counter.count, counter.rate_hz, counter.period_ns, counter.last_ns) == (0, 0.0, None, None)


def test_the_line_becomes_an_input_with_that_pull_or_keeps_its_own(rpio):
    RPIO.counter(17, pull_up_down=RPIO.PUD_UP)
    assert RPIO.input(17) == 1
    RPIO.setup(18, RPIO.IN, pull_up_down=RPIO.PUD_UP)
    RPIO.counter(18)
    assert RPIO.input(18) == 1


def test_times_are_those_of_the_edges(rpio):
    before_ns = time.monotonic_ns()
    with RPIO.counter(17) as counter:
        pulses(17, 2)
        assert has(counter, 2)
        assert before_ns < counter.last_ns < time.monotonic_ns()
        assert 0 < counter.period_ns < counter.last_ns - before_ns
        assert counter.rate_hz > 0


def test_a_reset_returns_the_count_and_no_edge_is_missing_from_both(rpio):
    counter, done, counted = RPIO.counter(17), threading.Event(), []

    def look():
        while not done.is_set():
            counted.append(counter.reset())

    thread = threading.Thread(target=look)
    thread.start()
    pulses(17, 2000)
    assert wait_until(lambda: sum(counted) + counter.lost >= 2000)
    done.set()
    thread.join()
    assert sum(counted) + counter.count + counter.lost == 2000


def press(sim, line, ms):
    sim.drive(line, 1)
    sim.clock.advance(round(ms * NS_PER_MS))
    sim.drive(line, 0)


def test_a_holdoff_and_the_kernels_filter(board, sim):
    held, filtered = board.counter(17, debounce_timeout_ms=5), board.counter(18, filter_us=500)
    for ms in (1, 0.9, 3, 0.9, 4):  # at 0, 1, 1.9, 4.9 and 5.8 ms
        press(sim, 17, 0)
        press(sim, 18, 0.1)
        sim.clock.advance(round((ms - 0.1) * NS_PER_MS))
    press(sim, 18, 1)
    assert has(filtered, 1)
    assert has(held, 2)


def test_rates_go_by_the_boards_clock(board, sim):
    counter = board.counter(17)
    for _ in range(11):
        sim.clock.advance(10 * NS_PER_MS)
        press(sim, 17, 0)
    assert has(counter, 11)
    assert counter.rate_hz == pytest.approx(100)
    assert counter.period_ns == 10 * NS_PER_MS
    sim.clock.advance(2000 * NS_PER_MS)
    assert counter.rate_hz == 0


# -- beside others -------------------------------------------------------------------------------------------


def test_callbacks_and_other_counters_of_the_line_go_on_beside_it(rpio):
    heard, both, falling = [], RPIO.counter(17, "both"), RPIO.counter(17, "falling")
    RPIO.add_interrupt_callback(17, lambda line, level: heard.append(level), pull_up_down=None)
    pulses(17, 10)
    assert has(both, 20)
    assert has(falling, 10)
    assert wait_until(lambda: len(heard) == 20)
    RPIO.del_interrupt_callback(17)
    falling.close()
    pulses(17, 10)
    assert has(both, 40)
    assert (falling.count, len(heard)) == (10, 20)
    RPIO.add_interrupt_callback(17, lambda line, level: heard.append(level), pull_up_down=None)
    pulses(17, 10)
    assert wait_until(lambda: len(heard) == 40)
    assert has(both, 60)
    assert (RPIO.events_lost(17), both.lost) == (0, 0)


def test_a_counter_beside_a_callback_counts_from_its_own_beginning(rpio):
    heard = []
    RPIO.add_interrupt_callback(17, lambda line, level: heard.append(level))
    RPIO.wait_for_interrupts(threaded=True)
    pulses(17, 5)
    assert wait_until(lambda: len(heard) == 10)
    counter = RPIO.counter(17, "both")
    pulses(17, 5)
    assert has(counter, 10)
    assert counter.lost == 0


def test_a_callback_that_waits_for_an_edge_of_a_counted_line_loses_none_of_them(rpio):
    counter, waited, count = RPIO.counter(17, "both", pull_up_down=RPIO.PUD_DOWN), [], 0
    RPIO.add_interrupt_callback(
        24, lambda line, level: waited.append(RPIO.wait_for_edge(17, RPIO.BOTH, timeout=20_000)), "rising"
    )
    RPIO.sim.drive(24, 1)

    def play_until_it_has_waited():
        nonlocal count
        pulses(17, 1)
        count += 2
        return waited == [17]

    assert wait_until(play_until_it_has_waited)
    assert has(counter, count)
    pulses(17, 3)
    assert has(counter, count + 6)
    assert (counter.lost, RPIO.events_lost(17)) == (0, 0)


def test_wait_for_interrupts_takes_over_and_gives_back(rpio):
    counter, heard = RPIO.counter(17), []

    def stop(line, level):
        heard.append(level)
        RPIO.stop_waiting_for_interrupts()

    def play_outside():
        if wait_until(lambda: facade.board.is_waiting):
            pulses(17, 3)
            RPIO.sim.drive(24, 1)

    RPIO.add_interrupt_callback(24, stop, edge="rising")
    thread = threading.Thread(target=play_outside)
    thread.start()
    RPIO.wait_for_interrupts()
    thread.join()
    assert heard == [1]
    pulses(17, 3)
    assert has(counter, 6)


@pytest.mark.skipif(IS_REMOTE, reason="it counts in the loop of the other board, which nothing keeps busy")
def test_edges_that_nobody_was_told_of_in_time_are_lost_and_told(rpio):
    """The loop is kept busy while more come than there is room for."""
    counter, go_on = RPIO.counter(17), threading.Event()
    busy = threading.Event()

    def wait(line, level):
        busy.set()
        go_on.wait()

    RPIO.add_interrupt_callback(24, wait, edge="rising")
    RPIO.sim.drive(24, 1)
    assert wait_until(busy.is_set)
    pulses(17, 3000)
    go_on.set()
    assert wait_until(lambda: counter.count + counter.lost >= 3000)
    assert counter.lost > 0
    assert counter.count + counter.lost == 3000
    assert RPIO.events_lost(17) == counter.lost


def test_as_an_output_the_line_is_not_counted_and_as_an_input_again_it_is(rpio):
    counter = RPIO.counter(17)
    pulses(17, 2)
    assert has(counter, 2)
    RPIO.sim.drive(17, None)
    RPIO.setup(17, RPIO.OUT)
    RPIO.output(17, 1)
    RPIO.output(17, 0)
    RPIO.setup(17, RPIO.IN)
    pulses(17, 3)
    assert has(counter, 5)
    assert counter.lost == 0


# -- encoders ------------------------------------------------------------------------------------------------


def test_an_encoder_follows_to_and_fro(rpio):
    encoder = RPIO.encoder(22, 23)
    assert (encoder.steps, encoder.direction) == (0, 0)
    turn(10)
    assert has(encoder, 40)
    assert encoder.direction == 1
    turn(-15)
    assert has(encoder, -20)
    assert (encoder.direction, encoder.skipped, encoder.lost) == (-1, 0, 0)
    encoder.steps = 1000
    turn(1)
    assert has(encoder, 1004)
    assert encoder.reset() == 1004
    assert encoder.steps == 0


def test_an_encoder_played_from_a_recording_ends_at_the_right_place_or_says_how_many_it_lost(rpio):
    """20,000 edges a second, to and fro; then as quickly as they can be played."""
    made, levels, ns, position = Recording([22, 23]), [0, 0], 0, 0
    chance = random.Random(20_000)
    while len(made) < 6000:
        cycles, way = chance.randint(1, 40), chance.choice((1, -1))
        for place, level in (
            ((0, 1), (1, 1), (0, 0), (1, 0)) if way > 0 else ((1, 1), (0, 1), (1, 0), (0, 0))
        ) * cycles:
            ns += NS_PER_S // 20_000
            levels[place] = level
            made.add(ns, place, level)
        position += 4 * cycles * way
    made.finish(0, ns)
    encoder = RPIO.encoder(22, 23)
    for is_fast in (False, True):
        encoder.reset()
        lost = encoder.lost
        play_recording(made, RPIO.sim.drive, RPIO.sim.backend().clock, is_fast)
        assert wait_until(lambda lost=lost: encoder.steps == position or encoder.lost > lost)
        assert encoder.skipped == 0 or encoder.lost > 0


def test_an_encoder_begins_wherever_its_lines_are(rpio):
    for levels in FORWARDS:
        RPIO.sim.drive(22, levels[0])
        RPIO.sim.drive(23, levels[1])
        with RPIO.encoder(22, 23) as encoder:
            for _ in range(3):
                RPIO.sim.drive(22, 1 - levels[0])
                RPIO.sim.drive(22, levels[0])
            assert wait_until(lambda encoder=encoder: encoder.last_ns is not None and encoder.steps == 0)
            assert encoder.skipped == 0


def test_an_encoder_beside_a_counter_and_a_callback_of_one_of_its_lines(rpio):
    encoder, counter, heard = RPIO.encoder(22, 23), RPIO.counter(22), []
    RPIO.add_interrupt_callback(23, lambda line, level: heard.append(level), pull_up_down=None)
    turn(25)
    assert has(encoder, 100)
    assert has(counter, 25)
    assert wait_until(lambda: len(heard) == 50)


def test_an_encoder_needs_two_lines_and_takes_none_where_one_is_refused(rpio):
    with pytest.raises(ValueError, match="two lines"):
        RPIO.encoder(17, 17)
    RPIO.counter(23, filter_us=100)
    with pytest.raises(ValueError, match="filter_us=100"):
        RPIO.encoder(22, 23)
    assert 22 not in facade.board.watched


# -- the end -------------------------------------------------------------------------------------------------


def test_a_counter_that_is_closed_counts_no_more_and_says_what_it_has(rpio):
    counter = RPIO.counter(17)
    pulses(17, 4)
    assert has(counter, 4)
    counter.close()
    counter.close()
    assert 17 not in facade.board.watched
    pulses(17, 4)
    assert counter.count == 4


@pytest.mark.parametrize("end", [RPIO.cleanup, lambda: RPIO.cleanup(17), facade.board.close])
def test_cleanup_ends_it_and_another_may_be_begun(rpio, end):
    counter = RPIO.counter(17)
    pulses(17, 4)
    assert has(counter, 4)
    end()
    assert counter.count == 4
    counter.close()
    again = RPIO.counter(17)
    pulses(17, 2)
    assert has(again, 2)
    assert counter.count == 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork()")
def test_in_the_child_of_a_fork_it_counts_no_more():
    code, out, said = play(FORK)
    assert (code, out) == (0, "4 4 2 4 True\n5\n"), said


FORK = """
import os, time, warnings
import RPIO
warnings.simplefilter("ignore", DeprecationWarning)  # fork with threads, from Python 3.12

def pulses(count):
    for _ in range(count):
        RPIO.sim.drive(17, 1)
        RPIO.sim.drive(17, 0)

def has(counter, count):
    end = time.monotonic() + 30
    while counter.count != count and time.monotonic() < end:
        time.sleep(0.001)
    return counter.count == count

counter = RPIO.counter(17)
pulses(4)
assert has(counter, 4)
pid = os.fork()
if pid == 0:
    before = counter.count
    pulses(4)
    after = counter.count
    counter.close()
    again = RPIO.counter(17)
    pulses(2)
    is_counted = has(again, 2)
    print(before, after, again.count, counter.count, is_counted, flush=True)
    os._exit(0)
os.waitpid(pid, 0)
pulses(1)
assert has(counter, 5)
print(counter.count)
"""


def test_a_window_is_a_time(rpio):
    for bad in (0, -1, float("nan"), 1e9):
        with pytest.raises(ValueError, match="window_s"):
            RPIO.counter(17, window_s=bad)
    with pytest.raises(TypeError, match="window_s"):
        RPIO.encoder(17, 18, window_s="1")
    with pytest.raises(errors.InvalidEdgeException, match="counted"):
        RPIO.counter(17, "none")


def test_another_board_counts_for_itself(rpio):
    with RPIO.Board("sim:Zero") as other:
        mine, its = RPIO.counter(17), other.counter(17)
        outside = other.backend.outside()
        outside.drive(17, 1)
        assert has(its, 1)
        assert mine.count == 0


def test_under_the_pytest_plugin_all_edges_are_counted_as_soon_as_they_have_happened(rpio_board):
    """In the test's thread, with time that it moves: a burst longer than one read, and a circuit's encoder."""
    knob = devices.encoder_of(rpio_board, 22, 23)
    counter, encoder = RPIO.counter(17, "both"), RPIO.encoder(22, 23)
    for n in range(300):
        rpio_board.drive(17, (n + 1) % 2)
    assert counter.count == 300
    rpio_board.advance(knob.turn(-7))
    assert (encoder.steps, encoder.direction, encoder.skipped) == (-28, -1, 0)
