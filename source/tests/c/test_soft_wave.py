# SPDX-License-Identifier: LGPL-3.0-or-later
"""Waves in the plan of PWM, at every nanosecond, and what the software engine writes of them to a modelled SoC."""

import errno
import os
from itertools import cycle, islice, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c.core import core
from c.test_soft import GPCLR0, GPSET0, GPSET1, Bench
from c.test_soft_plan import MS, NEVER, US, Plan
from support import of_ioctl
from waiting import wait_until

WAVE = [(0, 4, 1), (100, 5, 1), (100, 4, 0), (350, 5, 0)]
"""Edges as (time, line, value); a turn of 1000 ns goes with it."""
TURN = 1000
law = settings(deadline=None)


class WavePlan(Plan):
    """A plan that plays waves."""

    def play(self, edges, period, turns=1, *, instead_of=-1, at=None):
        """As a program does: at that time, and then what is due."""
        self.run_until(self.now if at is None else at)
        wave = self.try_to_play(edges, period, turns, instead_of)
        assert wave >= 0
        while self.next() <= self.now:
            self.advance(self.now)
        return wave

    def try_to_play(self, edges, period, turns=1, instead_of=-1):
        array = core().ffi.new("struct rpio_wave_edge[]", edges)
        return self.lib.rpio_plan_play(self.plan, array, len(edges), period, turns, instead_of, self.now)

    def stop(self, wave):
        return self.lib.rpio_plan_stop_wave(self.plan, wave)

    def state(self, wave, at=None):
        """Whether it is being played, and how many turns are done; or the error."""
        turns = core().ffi.new("uint64_t *")
        result = self.lib.rpio_plan_wave(self.plan, wave, self.now if at is None else at, turns)
        return result if result < 0 else (result, turns[0])


@pytest.fixture
def plan():
    return WavePlan()


def turns_of(edges, period, begin, turns):
    return [(begin + n * period + at, line, value) for n in range(turns) for at, line, value in edges]


# -- in time --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("turns", [1, 2, 7])
def test_a_wave_is_played_so_many_times(plan, turns):
    wave = plan.play(WAVE, TURN, turns, at=77)
    assert plan.next() == 177
    plan.run_until(100 * TURN)
    assert plan.edges == turns_of(WAVE, TURN, 77, turns)
    assert plan.next() == NEVER
    assert plan.state(wave) == (0, turns)


def test_a_wave_for_ever_does_not_drift(plan):
    wave = plan.play(WAVE, 1009, 0, at=5)
    plan.run_until(5 + 1009 * 10_000)
    assert plan.edges == turns_of(WAVE, 1009, 5, 10_000)
    assert plan.state(wave) == (1, 10_000)


def test_a_wave_may_begin_with_a_pause(plan):
    plan.play([(300, 4, 1), (999, 4, 0)], TURN, 2)
    assert plan.next() == 300
    plan.run_until(5 * TURN)
    assert plan.edges == [(300, 4, 1), (999, 4, 0), (1300, 4, 1), (1999, 4, 0)]


def test_the_edges_of_one_moment_come_together_and_in_their_order(plan):
    edges = [(0, 9, 1), (0, 3, 0), (0, 7, 1)]
    array = core().ffi.new("struct rpio_wave_edge[]", edges)
    assert plan.lib.rpio_plan_play(plan.plan, array, 3, TURN, 1, -1, 0) >= 0
    assert plan.next() == 0
    assert plan.advance(0) == [(9, 1), (3, 0), (7, 1)]


def test_turns_are_counted_when_they_have_ended(plan):
    wave = plan.play(WAVE, TURN, 3)
    seen = []
    for at in (1, 351, 999, 1001, 1999, 2001, 2351, 2999, 3000):
        plan.run_until(at)
        seen.append(plan.state(wave))
    assert seen == [(1, 0), (1, 0), (1, 0), (1, 1), (1, 1), (1, 2), (1, 2), (1, 2), (0, 3)]


def test_a_wave_is_played_until_its_last_turn_has_ended(plan):
    wave = plan.play(WAVE, TURN, 3, at=77)
    plan.run_until(100 * TURN)
    assert plan.state(wave, 77 + 3 * TURN - 1)[0] == 1
    assert plan.state(wave, 77 + 3 * TURN) == (0, 3)


def test_the_longest_times(plan):
    period = 10**15
    wave = plan.play([(0, 4, 1), (period - 1, 4, 0)], period, 3)
    plan.run_until(3 * period)
    assert plan.edges == turns_of([(0, 4, 1), (period - 1, 4, 0)], period, 0, 3)
    assert plan.state(wave) == (0, 3)


def test_a_stopped_wave_has_no_more_edges_and_no_number(plan):
    wave, other = plan.play(WAVE, TURN, 0), plan.play([(0, 9, 1), (500, 9, 0)], TURN, 0)
    plan.run_until(3 * TURN)
    plan.edges.clear()
    assert plan.stop(wave) == 0
    assert plan.stop(wave) == -errno.ENOENT
    assert plan.state(wave) == -errno.ENOENT
    plan.run_until(4 * TURN)
    assert plan.edges == [(3000, 9, 1), (3500, 9, 0)]
    assert plan.stop(other) == 0
    assert plan.next() == NEVER


@pytest.mark.parametrize("wave", [-1, -(1 << 31), 0, 16, 1 << 20])
def test_a_wave_that_is_not_there(plan, wave):
    assert plan.stop(wave) == -errno.ENOENT
    assert plan.state(wave) == -errno.ENOENT


def test_clear_forgets_waves_too(plan):
    plan.play(WAVE, TURN, 0)
    plan.lib.rpio_plan_clear(plan.plan)
    assert plan.next() == NEVER


def test_pwm_comes_first_and_then_a_moment_of_each_wave(plan):
    plan.set(1, 600 * US, 300 * US)
    plan.set(2, MS, 600 * US)
    plan.play([(0, 5, 0), (600 * US, 5, 1), (600 * US, 6, 0)], MS, 1)
    plan.play([(0, 7, 0), (600 * US, 7, 1)], MS, 1)
    plan.run_until(600 * US)
    assert plan.advance(600 * US) == [(2, 0), (1, 1), (5, 1), (6, 0), (7, 1)]


def test_16_waves_and_64_lines_of_pwm_in_one_moment(plan):
    for line in range(64):
        plan.set(line, MS, MS // 2)
    for wave in range(16):
        plan.play([(0, 1000 * wave + n, 1) for n in range(64)], MS, 0)
    plan.run_until(MS)
    assert len(plan.advance(MS)) == 17 * 64 == core().lib.RPIO_PLAN_EDGES


# -- one takes the place of another ---------------------------------------------------------------------

NEXT = [(0, 8, 1), (20, 8, 0)]


@pytest.mark.parametrize("turns", [0, 3])
@pytest.mark.parametrize("at", [1, 99, 350, 500, 999, 1001, 1999])
def test_a_wave_takes_the_place_of_another_when_its_turn_has_ended(plan, at, turns):
    old = plan.play(WAVE, TURN, turns)
    plan.play(NEXT, TURN + 7, 2, instead_of=old, at=at)
    end = TURN * (1 + at // TURN)
    plan.run_until(10 * TURN)
    assert plan.edges == turns_of(WAVE, TURN, 0, end // TURN) + turns_of(NEXT, TURN + 7, end, 2)
    assert plan.next() == NEVER


@pytest.mark.parametrize("at", [3 * TURN, 3 * TURN + 1, 70 * TURN + 123])
def test_a_wave_takes_the_place_of_one_that_is_done_at_once(plan, at):
    old = plan.play(WAVE, TURN, 3)
    new = plan.play(NEXT, TURN + 7, 2, instead_of=old, at=at)
    plan.run_until(at + 10 * TURN)
    assert plan.edges == turns_of(WAVE, TURN, 0, 3) + turns_of(NEXT, TURN + 7, at, 2)
    assert plan.state(new) == (0, 2)


def test_the_last_turn_of_the_old_wave_ends_before_the_new_one_begins(plan):
    old = plan.play(WAVE, TURN, 3)
    plan.play(NEXT, TURN + 7, 1, instead_of=old, at=2 * TURN + 400)
    plan.run_until(10 * TURN)
    assert plan.edges[-2:] == [(3000, 8, 1), (3020, 8, 0)]


def test_a_replacement_that_is_replaced_before_it_begins(plan):
    old = plan.play(WAVE, TURN, 0)
    between = plan.play([(0, 99, 1)], TURN, 0, instead_of=old, at=100)
    plan.play(NEXT, TURN + 7, 1, instead_of=between, at=200)
    plan.run_until(10 * TURN)
    last = [edge for edge in plan.edges if edge[1] == 8]
    assert [(b[0] - a[0], b[2]) for a, b in pairwise(last)] == [(20, 0)]
    assert turns_of(WAVE, TURN, 0, 1) == [edge for edge in plan.edges if edge[1] in (4, 5)]


# -- behind schedule ------------------------------------------------------------------------------------


def test_an_edge_that_is_a_little_late_moves_no_other(plan):
    plan.play([(0, 4, 1), (100, 4, 0)], TURN, 2)
    plan.advance(149)
    assert plan.next() == 1000
    plan.advance(1010)
    assert plan.next() == 1100


def test_an_edge_that_is_too_late_moves_the_next(plan):
    plan.play([(0, 4, 1), (500, 4, 0), (600, 4, 1), (700, 4, 0)], TURN)
    assert plan.advance(590) == [(4, 0)]
    assert plan.next() >= 590 + 50
    assert plan.advance(plan.next()) == [(4, 1)]


@pytest.mark.parametrize("turns", [5, 0])
def test_the_first_edge_of_the_next_turn_is_moved_too(plan, turns):
    plan.play([(500, 4, 1), (600, 4, 0)], TURN, turns)
    plan.advance(500)
    plan.advance(1450)
    assert plan.next() >= 1450 + 450


def test_an_endless_wave_that_slept_for_whole_turns_goes_on_with_its_grid(plan):
    plan.play(WAVE, TURN, 0)
    plan.run_until(400)
    plan.advance(50 * TURN)
    plan.run_until(53 * TURN)
    assert plan.edges[4:] == turns_of(WAVE, TURN, 50 * TURN, 3)


@pytest.mark.parametrize("late", range(0, 1000, 37))
def test_an_endless_wave_leaves_whole_turns_out_and_keeps_its_grid(plan, late):
    wave = plan.play(WAVE, TURN, 0)
    plan.run_until(400)
    plan.advance(50 * TURN + late)
    plan.run_until(60 * TURN)
    assert [edge for edge in plan.edges if edge[0] >= 55 * TURN] == turns_of(WAVE, TURN, 55 * TURN, 5)
    assert len([edge for edge in plan.edges if edge[0] >= 50 * TURN]) <= 4 * 11
    assert plan.state(wave)[0] == 1


def test_a_wave_of_some_turns_leaves_none_out(plan):
    wave = plan.play(WAVE, TURN, 20)
    plan.advance(50 * TURN)
    plan.run_until(200 * TURN)
    assert [edge[1:] for edge in plan.edges] == [edge[1:] for edge in WAVE] * 20
    assert plan.state(wave) == (0, 20)


gaps = st.integers(1, 3000) | st.sampled_from([0, 1, 1000, 100_000])
sleeps = st.integers(0, 200) | st.sampled_from([0, 0, 0, 1, 1000]) | st.integers(0, 500_000)


@st.composite
def waves(draw):
    """Edges of up to four lines, and the length of a turn."""
    at, edges = 0, []
    for gap in draw(st.lists(gaps, min_size=1, max_size=10)):
        at += gap
        edges.append((at, draw(st.integers(0, 3)), draw(st.integers(0, 1))))
    return edges, max(at + 1 + draw(gaps), TURN)


@law
@given(waves(), st.integers(0, 5), st.integers(0, 10**12))
def test_each_edge_comes_at_its_time(wave, turns, begin):
    plan = WavePlan()
    plan.play(*wave, turns, at=begin)
    end = begin + 7 * wave[1]
    plan.run_until(end)
    assert plan.edges == turns_of(*wave, begin, turns or 7)


@law
@given(waves(), st.integers(0, 5), st.lists(sleeps, min_size=1, max_size=80))
@pytest.mark.slow
def test_late_wake_ups_lose_no_edge_and_squeeze_none(wave, turns, late):
    """What is played is the wave from its beginning on; no two edges are closer than half of what was asked for."""
    plan = WavePlan()
    edges, period = wave
    plan.play(*wave, turns)
    for by in islice(cycle(late), 200):
        if plan.next() == NEVER:
            break
        plan.advance(max(plan.now, plan.next()) + by)
    expected = list(islice(cycle(edges), len(plan.edges)))
    assert [edge[1:] for edge in plan.edges] == [edge[1:] for edge in expected]
    assert not turns or len(plan.edges) <= turns * len(edges)
    for number, ((a, asked), (b, then)) in enumerate(pairwise(zip(plan.edges, expected, strict=True)), 1):
        is_next_turn = number % len(edges) == 0
        if turns or not is_next_turn:
            assert b[0] - a[0] >= (then[0] - asked[0] + period * is_next_turn) // 2
    if turns:
        plan.run_until(plan.now + 10 * period)
        assert len(plan.edges) == turns * len(edges)


@law
@given(waves(), waves(), st.integers(0, 3), st.integers(0, 100_000))
@pytest.mark.slow
def test_what_comes_after_the_next_is_known(one, other, turns, pause):
    plan = WavePlan()
    plan.set(9, MS, 400 * US)
    plan.play(*one, turns)
    plan.play(*other, 0, at=pause)
    for _ in range(40):
        after = plan.lib.rpio_plan_after_next(plan.plan)
        plan.advance(plan.next())
        assert plan.next() == after


@law
@given(st.lists(st.tuples(waves(), st.integers(0, 3), st.integers(0, 5000)), min_size=2, max_size=16))
@pytest.mark.slow
def test_waves_do_not_disturb_each_other(series):
    plan, expected = WavePlan(), []
    for number, ((edges, period), turns, pause) in enumerate(series):
        own = [(at, 4 * number + line, value) for at, line, value in edges]
        plan.play(own, period, turns, at=plan.now + pause)
        expected.append((own, period, turns, plan.now))
    end = plan.now + 20_000
    plan.run_until(end)
    for number, (own, period, turns, begin) in enumerate(expected):
        count = turns or (end - begin) // period + 1
        wanted = [edge for edge in turns_of(own, period, begin, count) if edge[0] < end]
        assert [edge for edge in plan.edges if edge[1] // 4 == number] == wanted


# -- errors ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("edges", "period"),
    [
        ([], TURN),
        ([(0, 4, 1)], 0),
        ([(TURN, 4, 1)], TURN),
        ([(NEVER, 4, 1)], TURN),
        ([(0, 4, 1), (5, 4, 0), (4, 4, 1)], TURN),
        ([(7, line, 1) for line in range(65)], TURN),
        ([(n, 4, n % 2) for n in range(100_001)], MS),
    ],
)
def test_a_wave_that_is_none(plan, edges, period):
    assert plan.try_to_play(edges, period) == -errno.EINVAL
    assert plan.next() == NEVER


@pytest.mark.slow
def test_a_wave_of_100_000_edges_and_64_in_one_moment(plan):
    edges = [(n, n % 2, n // 2 % 2) for n in range(99_936)] + [(99_999, 100 + n, 1) for n in range(64)]
    plan.play(edges, 100_000)
    plan.run_until(100_000)
    assert plan.edges == edges


def test_there_is_room_for_16_waves(plan):
    numbers = [plan.play([(0, line, 1)], TURN, 0) for line in range(16)]
    assert len(set(numbers)) == 16
    assert plan.try_to_play(WAVE, TURN) == -errno.ENOSPC
    assert plan.stop(numbers[7]) == 0
    assert plan.play(WAVE, TURN, 0) >= 0


@pytest.mark.parametrize("instead_of", [0, 3, 15, 16, 1 << 20])
def test_instead_of_what_is_not_there(plan, instead_of):
    assert plan.try_to_play(WAVE, TURN, 1, instead_of) == -errno.ENOENT
    assert plan.next() == NEVER


def test_what_cannot_take_its_place_leaves_a_wave_as_it_is(plan):
    wave = plan.play(WAVE, TURN, 0)
    plan.run_until(100)
    assert plan.try_to_play([], TURN, 1, wave) == -errno.EINVAL
    plan.run_until(3 * TURN)
    assert plan.edges == turns_of(WAVE, TURN, 0, 3)
    assert plan.state(wave) == (1, 3)


# -- what the software engine writes --------------------------------------------------------------------


class WaveBench(Bench):
    """An engine that plays waves on a modelled BCM2835."""

    def play(self, edges, period, turns=1, *, lines=None, instead_of=-1, fds=()):
        lines = sorted({edge[1] for edge in edges}) if lines is None else lines
        described = [(self.regs, -1, line) for line in lines]
        described += [(self.ffi.NULL, fd, line) for line, fd in fds]
        array = self.ffi.new("struct rpio_wave_line[]", described)
        given = self.ffi.new("struct rpio_wave_edge[]", edges)
        return self.lib.rpio_pwm_play(
            self.pwm, array, len(described), given, len(edges), period, turns, instead_of
        )

    def wave(self, number):
        turns = self.ffi.new("uint64_t *")
        result = self.lib.rpio_pwm_wave(self.pwm, number, turns)
        return result if result < 0 else (result, turns[0])

    def run_until(self, end):
        now = 0
        while now <= end:
            now = self.step(now)
        self.step(end)


@pytest.fixture
def bench():
    made = WaveBench(True)
    yield made
    made.close()


@pytest.fixture
def threaded():
    made = WaveBench(False)
    yield made
    made.close()


STEPS = [(0, 4, 1), (100 * US, 5, 1), (100 * US, 40, 1), (200 * US, 4, 0), (300 * US, 6, 1)]


def test_the_writes_of_a_wave(bench):
    wave = bench.play(STEPS, MS, 2)
    assert wave >= 0
    assert bench.writes() == [(GPSET0, 1 << 4)]
    turn = [(GPSET0, 1 << 4), (GPSET0, 1 << 5), (GPSET1, 1 << 8), (GPCLR0, 1 << 4), (GPSET0, 1 << 6)]
    assert bench.step(0) == 100 * US
    assert bench.step(100 * US) == 200 * US
    assert bench.writes() == turn[:3]
    assert bench.wave(wave) == (1, 0)
    assert bench.step(200 * US) == 300 * US
    assert bench.step(300 * US) == MS
    assert bench.step(MS) == MS + 100 * US
    assert bench.wave(wave) == (1, 1)
    bench.run_until(3 * MS)
    assert bench.writes() == turn * 2
    assert bench.wave(wave) == (0, 2)
    assert [bench.level(line) for line in (4, 5, 6, 40)] == [0, 1, 1, 1]


def test_pwm_of_its_lines_ends_with_a_wave(bench):
    assert bench.start(4, MS, 400 * US) == 0
    assert bench.start(9, MS, 400 * US) == 0
    assert bench.play(STEPS, 10 * MS) >= 0
    bench.run_until(3 * MS - 1)
    assert bench.query(9).periods == 3
    assert [write for write in bench.writes() if write[1] == 1 << 4] == [
        (GPSET0, 16),
        (GPSET0, 16),
        (GPCLR0, 16),
    ]


def test_a_line_of_a_wave_has_no_pwm_to_tell_about(bench):
    assert bench.play(STEPS, 10 * MS) >= 0
    assert bench.query(4) == -errno.ENOENT


@pytest.mark.parametrize("how", ["stop_wave", "stop"])
def test_the_end_of_a_wave(bench, how):
    wave = bench.play(STEPS, MS, 0)
    bench.step(100 * US)
    if how == "stop":
        assert bench.stop(5, 0) == 0
        assert [bench.level(line) for line in (4, 5, 40)] == [1, 0, 1]
        assert bench.wave(wave)[0] == 1  # with the others
        assert [bench.stop(line, 1) for line in (4, 6, 40)] == [0, 0, 0]
    else:
        assert bench.lib.rpio_pwm_stop_wave(bench.pwm, wave) == 0
        assert [bench.level(line) for line in (4, 5, 40)] == [1, 1, 1]
        assert bench.lib.rpio_pwm_stop_wave(bench.pwm, wave) == -errno.ENOENT
    assert bench.wave(wave) == -errno.ENOENT
    written = bench.writes()
    assert bench.step(10 * MS) == NEVER
    assert bench.writes() == written


def test_a_wave_takes_the_place_of_another_on_the_same_lines(bench):
    old = bench.play(STEPS, MS, 0)
    bench.step(100 * US)
    new = bench.play([(0, 4, 1), (50 * US, 4, 0)], 100 * US, 1, instead_of=old)
    assert new >= 0
    assert bench.step(200 * US) == 300 * US
    assert bench.step(300 * US) == MS
    bench.lib.soc_log_clear(bench.soc)
    assert bench.step(MS) == MS + 50 * US
    assert bench.step(MS + 50 * US) == NEVER
    assert bench.writes() == [(GPSET0, 1 << 4), (GPCLR0, 1 << 4)]


NO_WAVES = [
    ([(0, 4, 1), (1, 7, 1)], MS, [4]),
    ([(0, 4, 1)], MS, []),
    ([], MS, [4]),
    ([(0, 4, 1)], 0, [4]),
    ([(MS, 4, 1)], MS, [4]),
    ([(0, 54, 1)], MS, [54]),
]


@pytest.mark.parametrize(("edges", "period", "lines"), NO_WAVES)
def test_a_wave_that_is_none_writes_nothing(bench, edges, period, lines):
    assert bench.play(edges, period, lines=lines) == -errno.EINVAL
    assert bench.step(10 * MS) == NEVER
    assert bench.writes() == []


@pytest.mark.parametrize(("edges", "period", "lines"), [case for case in NO_WAVES if case[2] == [4]])
def test_a_wave_that_is_none_ends_no_pwm(bench, edges, period, lines):
    assert bench.start(4, 2 * MS, MS) == 0
    assert bench.play(edges, period, lines=lines) == -errno.EINVAL
    bench.step(MS)
    assert bench.writes() == [(GPSET0, 1 << 4), (GPCLR0, 1 << 4)]


def test_a_descriptor_that_fails_ends_its_wave(bench):
    reader, writer = os.pipe()
    wave = bench.play([(0, 4, 1), (100, 4, 0), (200, 7, 1), (300, 4, 1)], MS, 0, lines=[4], fds=[(7, reader)])
    assert wave >= 0
    bench.run_until(2 * MS)
    assert bench.wave(wave) == -of_ioctl(errno.ENOTTY)
    assert bench.step(3 * MS) == NEVER
    assert bench.level(4) == 0
    os.close(reader)
    os.close(writer)


def test_the_thread_plays_a_wave(threaded):
    wave = threaded.play([(0, 4, 1), (300 * US, 4, 0), (500 * US, 5, 1), (600 * US, 5, 0)], MS, 20)
    assert wait_until(lambda: threaded.wave(wave)[0] == 0)
    assert threaded.wave(wave) == (0, 20)
    assert threaded.writes() == [(GPSET0, 16), (GPCLR0, 16), (GPSET0, 32), (GPCLR0, 32)] * 20
