# SPDX-License-Identifier: LGPL-3.0-or-later
"""The plan of PWM, at every nanosecond: its time is what the test says."""

import errno
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from c.core import core

US, MS, S = 1_000, 1_000_000, 1_000_000_000
NEVER = (1 << 64) - 1
LINES = 64


class Plan:
    """A plan, and the edges it has asked for as (time, line, value)."""

    def __init__(self):
        self.lib, ffi = core().lib, core().ffi
        out = ffi.new("struct rpio_plan **")
        assert self.lib.rpio_plan_new(out) == 0
        self.plan = ffi.gc(out[0], self.lib.rpio_plan_free)
        self.room = ffi.new("struct rpio_plan_edge[]", core().lib.RPIO_PLAN_EDGES)
        self.now, self.edges = 0, []

    def next(self):
        return self.lib.rpio_plan_next(self.plan)

    def advance(self, now):
        """One wake-up, at exactly that time."""
        self.now = now
        count = self.lib.rpio_plan_advance(self.plan, now, self.room)
        edges = [(now, edge.line, edge.value) for edge in self.room[0:count]]
        self.edges += edges
        return [edge[1:] for edge in edges]

    def run_until(self, end):
        """Wake up whenever something is due before *end*."""
        while self.next() < end:
            self.advance(max(self.now, self.next()))
        self.now = end

    def set(self, line, period, high, at=None):
        """As a program does: at that time, and then what is due."""
        self.run_until(self.now if at is None else at)
        assert self.lib.rpio_plan_set(self.plan, line, period, high, self.now) == 0
        return self.advance(self.now)

    def end(self, line):
        return self.lib.rpio_plan_end(self.plan, line)

    def of(self, line):
        return [(at, value) for at, number, value in self.edges if number == line]

    def info(self, line):
        info = core().ffi.new("struct rpio_pwm_info *")
        assert self.lib.rpio_plan_info(self.plan, line, info) == 0
        return info


@pytest.fixture
def plan():
    return Plan()


@pytest.mark.slow
def test_a_wave_is_exact_to_the_nanosecond(plan):
    plan.set(17, 1_000_003, 333_331, at=5)
    plan.run_until(100 * S)
    count = -(-(100 * S - 5) // 1_000_003)
    rises = [5 + n * 1_000_003 for n in range(count)]
    expected = [edge for at in rises for edge in ((at, 1), (at + 333_331, 0))]
    assert plan.of(17) == [edge for edge in expected if edge[0] < 100 * S]


@pytest.mark.parametrize(("high", "level"), [(0, 0), (MS, 1)])
def test_0_and_100_percent_are_steady_and_need_no_time(plan, high, level):
    plan.set(17, MS, high)
    assert plan.next() == NEVER
    plan.set(17, MS, high, at=3 * MS)
    assert plan.next() == NEVER
    assert plan.edges == [(0, 17, level)]


@pytest.mark.parametrize(("high", "edges"), [(0, [(0, 0), (7, 1)]), (MS, [(0, 1)])])
def test_leaving_a_steady_level_begins_a_period_at_once(plan, high, edges):
    plan.set(17, MS, high)
    plan.set(17, MS, 400 * US, at=7)
    plan.run_until(MS)
    assert plan.of(17) == [*edges, (7 + 400 * US, 0)]


@pytest.mark.parametrize("high", [0, MS])
def test_going_to_a_steady_level_completes_the_period(plan, high):
    plan.set(17, MS, 400 * US)
    plan.set(17, MS, high, at=100 * US)
    plan.run_until(10 * MS)
    assert plan.of(17) == [(0, 1), (400 * US, 0), *([(MS, 1)] if high else [])]
    assert plan.next() == NEVER


@pytest.mark.parametrize("at", [1, 399_999, 400_000, 400_001, 999_999, MS])
def test_a_change_counts_from_the_next_period_on(plan, at):
    plan.set(17, MS, 400 * US)
    plan.set(17, 2 * MS, 500 * US, at=at)
    plan.run_until(4 * MS)
    assert plan.of(17) == [
        (0, 1),
        (400 * US, 0),
        (MS, 1),
        (MS + 500 * US, 0),
        (3 * MS, 1),
        (3 * MS + 500 * US, 0),
    ]


def test_the_last_of_several_changes_counts(plan):
    plan.set(17, MS, 400 * US)
    for high in (0, 900 * US, MS, 100 * US):
        plan.set(17, MS, high, at=plan.now + 1)
    plan.run_until(2 * MS)
    assert plan.of(17) == [(0, 1), (400 * US, 0), (MS, 1), (MS + 100 * US, 0)]
    assert (plan.info(17).period_ns, plan.info(17).high_ns, plan.info(17).periods) == (MS, 100 * US, 2)


def test_lines_of_one_period_share_their_edges(plan):
    for line in range(8):
        plan.set(line, MS, (line + 1) * 100 * US, at=line * 777)
    plan.run_until(4 * MS)
    for line in range(1, 8):
        assert plan.of(line)[0] == (line * 777, 0)
        (rise, up), (fall, down) = [edge for edge in plan.of(line) if edge[0] >= 2 * MS][:2]
        assert {up, down} == {0, 1}
        assert (fall - rise) % MS == ((line + 1) * 100 * US if up else (9 - line) * 100 * US)
    assert len({at for at, _, _ in plan.edges if 2 * MS <= at < 3 * MS}) == 4


def test_lines_of_one_duty_rise_together(plan):
    for line in range(8):
        plan.set(line, MS, 300 * US, at=line * 777)
    plan.run_until(MS)
    assert plan.advance(MS) == [(line, 1) for line in range(8)]


def test_a_line_that_starts_with_another_does_not_wait(plan):
    plan.set(1, MS, 400 * US)
    plan.set(2, MS, 500 * US)
    assert plan.of(2) == [(0, 1)]


def test_a_line_waits_for_the_grid_and_not_for_a_long_period(plan):
    plan.set(1, S + 300 * US, 400 * US)
    plan.set(1, MS, 400 * US, at=10)
    plan.set(2, MS, 500 * US, at=100 * US)
    plan.run_until(MS)
    assert plan.of(2) == [(100 * US, 0), (300 * US, 1), (800 * US, 0)]


@pytest.mark.parametrize("steady", [0, MS])
def test_a_line_that_leaves_a_steady_level_shares_too(plan, steady):
    plan.set(1, MS, 400 * US)
    plan.set(2, MS, steady)
    plan.set(2, MS, 500 * US, at=300 * US)
    plan.run_until(2 * MS)
    assert plan.of(2) == [(0, int(steady > 0)), *([] if steady else [(MS, 1)]), (MS + 500 * US, 0)]


def test_a_line_that_waits_for_another_takes_the_last_wave(plan):
    plan.set(1, MS, 400 * US)
    plan.set(2, MS, 400 * US, at=300 * US)
    plan.set(2, MS, 600 * US, at=350 * US)
    plan.run_until(MS + 400 * US)
    assert plan.of(2) == [(300 * US, 0), (400 * US, 1), (MS, 0)]


@pytest.mark.parametrize("period", [MS + 1, 20 * MS + 1])
def test_a_line_with_a_period_of_its_own_starts_at_once(plan, period):
    plan.set(1, min(period, MS), 400 * US)
    plan.set(2, period, 500 * US, at=7)
    plan.set(3, 20 * MS + 1, 500 * US, at=9)
    assert plan.of(2)[0] == (7, 1)
    assert plan.of(3)[0] == (9, 1)


def test_falling_edges_come_first(plan):
    plan.set(1, MS, 600 * US)
    plan.set(2, 600 * US, 300 * US)
    plan.run_until(600 * US)
    assert plan.advance(600 * US) == [(1, 0), (2, 1)]


def test_ending_a_line_leaves_the_others(plan):
    for line in (1, 2, 3):
        plan.set(line, MS, line * 100 * US)
    assert plan.end(2) == 0
    assert plan.end(2) == -errno.ENOENT
    assert plan.lib.rpio_plan_info(plan.plan, 2, core().ffi.new("struct rpio_pwm_info *")) == -errno.ENOENT
    before = plan.of(2)
    plan.run_until(2 * MS)
    assert plan.of(2) == before
    assert [len(changes(plan.of(line))) for line in (1, 3)] == [4, 4]
    plan.lib.rpio_plan_clear(plan.plan)
    assert plan.next() == NEVER


@pytest.mark.parametrize(
    ("period", "high"), [(999, 1), (0, 0), (10**15 + 1, 1), (NEVER, 1), (MS, MS + 1), (MS, NEVER)]
)
def test_bounds(plan, period, high):
    assert plan.lib.rpio_plan_set(plan.plan, 17, period, high, 0) == -errno.EINVAL
    assert plan.next() == NEVER


def test_the_longest_and_the_shortest_period(plan):
    plan.set(1, 10**15, 10**15 - 1)
    assert plan.next() == 10**15 - 1
    plan.set(2, 1000, 999)
    assert plan.next() == 999


def test_there_is_room_for_64_lines(plan):
    for line in range(LINES):
        plan.set(line + 1000, MS, 400 * US)
    assert plan.lib.rpio_plan_set(plan.plan, 7, MS, 1, 0) == -errno.ENOSPC
    plan.run_until(MS)
    assert len(plan.advance(MS)) == LINES
    assert plan.end(1000) == 0
    plan.set(7, MS, 1)


# -- behind schedule ------------------------------------------------------------------------------------


def test_an_edge_that_is_late_moves_no_later_one(plan):
    plan.set(17, MS, 400 * US)
    assert plan.advance(420 * US) == [(17, 0)]
    assert plan.advance(MS + 30 * US) == [(17, 1)]
    assert plan.next() == MS + 400 * US


def test_a_pulse_that_begins_late_keeps_its_width(plan):
    """Else a pulse of 10 us would be swallowed by a wake-up that takes 20."""
    plan.set(17, MS, 10 * US)
    plan.advance(10 * US)
    assert plan.advance(MS + 20 * US) == [(17, 1)]
    assert plan.next() == MS + 30 * US
    plan.advance(plan.next())
    assert plan.next() == 2 * MS


def test_a_pulse_that_begins_a_little_late_ends_in_time(plan):
    """The wake-up at its end is late as well, by much the same time."""
    plan.set(17, MS, 40 * US)
    plan.advance(40 * US)
    assert plan.advance(MS + 20 * US) == [(17, 1)]
    assert plan.next() == MS + 40 * US


def test_a_pulse_without_room_is_left_out(plan):
    plan.set(17, MS, 900 * US)
    plan.advance(900 * US)
    assert plan.advance(MS + 460 * US) == []
    assert plan.next() == 2 * MS
    plan.set(17, MS, 10 * US)
    assert plan.advance(2 * MS + 995 * US) == []
    assert plan.next() == 3 * MS
    assert plan.info(17).periods == 1


def test_missed_periods_are_skipped_and_the_grid_stays(plan):
    plan.set(17, MS, 400 * US)
    assert plan.advance(100 * S + 5 * US) == []  # it is high already
    assert plan.next() == 100 * S + 400 * US
    plan.advance(plan.next())
    assert plan.advance(200 * S + 900 * US) == []
    assert plan.next() == 200 * S + MS


def test_a_change_that_was_missed_counts(plan):
    plan.set(17, MS, 400 * US)
    plan.set(17, 3 * MS, MS)
    assert plan.advance(10 * MS + 1) == []
    assert plan.next() == 11 * MS


# -- properties -----------------------------------------------------------------------------------------

waves = st.sampled_from([1000, 1001, 5000, 20_000, 333_333]).flatmap(
    lambda period: st.tuples(st.just(period), st.integers(0, period) | st.sampled_from([0, period]))
)
pauses = st.integers(0, 700_000) | st.sampled_from([0, 1, 1000, 20_000])


def expected_wave(calls, end):
    """The edges of one line by the sentence of gpio.h: `calls` are (time, (period, high))."""

    def asked(at):
        return [wave for when, wave in calls if when <= at][-1]

    edges, at = [], calls[0][0]
    while at < end:
        period, high = asked(at)
        if 0 < high < period:
            edges += [(at, 1), (at + high, 0)]
            at += period
        else:
            edges.append((at, int(high > 0)))
            others = [when for when, wave in calls if when > at and wave[1] not in (0, wave[0])]
            steady = [when for when, wave in calls if when > at and (wave[1] > 0) != (high > 0)]
            at = min(others + steady, default=end)
    return [edge for edge in edges if edge[0] < end]


def changes(edges):
    """The edges that change the level, and the first."""
    return [edge for n, edge in enumerate(edges) if n == 0 or edge[1] != edges[n - 1][1]]


@given(st.lists(st.tuples(pauses, waves), min_size=1, max_size=6))
@pytest.mark.slow
def test_one_line_has_the_wave_that_is_written_in_the_header(series):
    plan, calls, at = Plan(), [], 0
    for pause, wave in series:
        at += pause + 1
        calls.append((at, wave))
        plan.set(17, *wave, at=at)
    end = at + 2_000_000
    plan.run_until(end)
    assert plan.of(17) == changes(expected_wave(calls, end))


@given(st.lists(st.tuples(pauses, st.integers(1, 3), waves), min_size=1, max_size=12))
@pytest.mark.slow
def test_every_pulse_is_as_wide_as_it_was_asked_for(series):
    """Steady levels apart, which last as long as they are wanted."""
    plan = Plan()
    asked = {1: [], 2: [], 3: []}
    for pause, line, wave in series:
        plan.set(line, *wave, at=plan.now + pause)
        asked[line].append(wave)
    plan.run_until(plan.now + 2_000_000)
    for line, wanted in asked.items():
        has_full = any(high == period for period, high in wanted)
        edges = changes(plan.of(line))
        assert all(a[1] != b[1] for a, b in pairwise(edges))
        widths = {b[0] - a[0] for a, b in pairwise(edges) if a[1]}
        assert has_full or widths <= {high for _, high in wanted}


@given(st.lists(st.integers(0, 3_000_000), min_size=1), waves)
@pytest.mark.slow
def test_behind_schedule_there_is_one_edge_for_a_wake_up_and_what_is_next_is_to_come(sleeps, wave):
    plan = Plan()
    plan.set(17, *wave)
    for sleep in sleeps:
        edges = plan.advance(plan.now + sleep)
        assert len(edges) <= 1
        assert plan.next() > plan.now


@given(st.lists(st.tuples(pauses, st.integers(1, 3), waves), min_size=1, max_size=12))
@pytest.mark.slow
def test_what_comes_after_the_next_is_known(series):
    plan = Plan()
    for pause, line, wave in series:
        plan.set(line, *wave, at=plan.now + pause)
    for _ in range(20):
        after = plan.lib.rpio_plan_after_next(plan.plan)
        if plan.next() == NEVER:
            assert after == NEVER
            break
        plan.advance(plan.next())
        assert plan.next() == after


@given(st.lists(st.tuples(pauses, st.integers(1, 99)), min_size=2, max_size=20))
def test_lines_of_one_period_always_share(series):
    plan = Plan()
    for line, (pause, percent) in enumerate(series):
        plan.set(line, MS, percent * 10 * US, at=plan.now + pause)
    start = plan.now + MS
    plan.run_until(start + 3 * MS)
    moments = {at % MS for at, _, value in plan.edges if at >= start}
    assert len(moments) <= len({percent for _, percent in series}) + 1
