# SPDX-License-Identifier: LGPL-3.0-or-later
"""Where a PWM line begins: at how many moments of a period edges are."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c.core import core

MS = 1_000_000
SAME_NS = 1000
"""Of soft_place.c."""
law = settings(deadline=None)  # the sanitizers are slow


def place(others, high, period=MS):
    """When a line of that width rises beside pulses (rise, width)."""
    pulses = core().ffi.new("struct rpio_pulse[]", [list(pulse) for pulse in others])
    return core().lib.rpio_place(pulses, len(others), period, high)


def start(widths, period=MS):
    """Lines of these widths, one after the other: their pulses."""
    pulses = []
    for high in widths:
        pulses.append((place(pulses, high, period), high))
    return pulses


def moments(pulses, period=MS):
    return {at % period for rise, high in pulses for at in (rise, rise + high)}


def wake_ups(pulses, period=MS):
    """How many there are: edges that are closer than SAME_NS are one."""
    found = sorted(moments(pulses, period))
    if len(found) == 1:
        return 1
    return max(
        1, sum((then - at) % period > SAME_NS for at, then in zip(found, [*found[1:], found[0]], strict=True))
    )


def tens(*percents):
    return [percent * MS // 100 for percent in percents]


def test_a_line_alone_begins_now():
    assert place([], 1) == 0


def test_lines_of_one_width_are_one():
    assert start(tens(30, 30, 30)) == [(0, 300_000)] * 3


@pytest.mark.parametrize("order", [1, -1])
def test_eight_tens_need_four_moments(order):
    assert len(moments(start(tens(*range(10, 90, 10))[::order]))) == 4


@law
@given(st.permutations(range(10, 90, 10)))
@pytest.mark.slow
def test_eight_tens_in_any_order_need_four_moments(percents):
    assert len(moments(start(tens(*percents)))) == 4


def test_four_moments_are_the_fewest_for_eight_tens():
    """Three have at most six ways from one to another."""
    assert not any(
        {10, 20, 30, 40, 50, 60, 70, 80} <= {(b - a) % 100 for a, b in itertools.permutations(three, 2)}
        for three in itertools.combinations(range(0, 100, 10), 3)
    )


def test_the_others_may_be_anywhere_in_their_period():
    assert place([(777, 100_000)], 100_000) == 777
    assert place([(950_000, 100_000)], 900_000) == 50_000


def test_a_rounded_width_shares_a_wake_up():
    period = 3_003_003
    assert place([(0, 900_901)], 2_102_103, period) in (900_901, 900_900)
    assert place([(0, 900_901), (900_901, 1_201_201)], 900_900, period) in (0, 2_102_102, 2_102_103)


@law
@given(st.lists(st.integers(1, MS - 1), min_size=1, max_size=20))
def test_a_line_rises_within_a_period_and_adds_one_moment_at_most(widths):
    pulses = start(widths)
    assert all(0 <= rise < MS for rise, _ in pulses)
    assert wake_ups(pulses) <= len(set(widths)) + 1


@law
@given(
    st.integers(1000, 5000).flatmap(
        lambda period: st.tuples(st.just(period), st.lists(st.integers(1, period - 1), max_size=20))
    )
)
def test_the_shortest_periods(case):
    period, widths = case
    assert all(0 <= rise < period for rise, _ in start(widths, period))


@law
@given(
    st.lists(st.tuples(st.integers(0, 10 * MS), st.integers(1, MS - 1)), min_size=1, max_size=8),
    st.integers(1, MS - 1),
)
def test_an_edge_is_shared_wherever_one_can_be(others, high):
    rise = place(others, high)
    assert {rise % MS, (rise + high) % MS} & moments(others)
