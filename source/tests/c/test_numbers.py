# SPDX-License-Identifier: LGPL-3.0-or-later
"""Watch after watch on one request, in C: what is dropped, and how the rest is numbered."""

import time

import pytest

from c.core import core

FD = 7


@pytest.fixture
def numbers():
    lib, ffi = core().lib, core().ffi
    out = ffi.new("struct rpio_numbers **")
    assert lib.rpio_numbers_new(out) == 0
    assert lib.rpio_numbers_add(out[0], FD) == 0
    yield out[0]
    lib.rpio_numbers_free(out[0])


def apply(numbers, *events, fd=FD):
    """The (time, number) of the events that are left of these."""
    array = core().ffi.new("struct rpio_event[]", [{"timestamp_ns": ns, "seq": seq} for ns, seq in events])
    count = core().lib.rpio_numbers_apply(numbers, fd, array, len(events))
    return [(event.timestamp_ns, event.seq) for event in array[0:count]]


def later_ns():
    return time.monotonic_ns() + 1_000_000


def test_the_first_watch_has_the_kernels_numbers(numbers):
    assert apply(numbers, (1, 1), (2, 3)) == [(1, 1), (2, 3)]


def test_the_next_one_begins_with_1_and_a_loss_at_its_beginning_shows(numbers):
    apply(numbers, (1, 1), (2, 2))
    core().lib.rpio_numbers_end(numbers, FD)
    ns = later_ns()
    assert apply(numbers, (ns, 4), (ns, 5)) == [(ns, 2), (ns, 3)]


def test_what_happened_before_it_is_dropped_and_no_loss(numbers):
    apply(numbers, (1, 1))
    core().lib.rpio_numbers_end(numbers, FD)
    ns = later_ns()
    assert apply(numbers, (2, 2), (3, 3), (ns, 4)) == [(ns, 1)]
    assert apply(numbers, (ns, 5)) == [(ns, 2)]


def test_the_count_of_the_kernel_goes_round(numbers):
    apply(numbers, (1, 2**31 - 1), (2, 2**32 - 2))
    core().lib.rpio_numbers_end(numbers, FD)
    ns = later_ns()
    assert apply(numbers, (ns, 2**32 - 1), (ns, 0), (ns, 1)) == [(ns, 1), (ns, 2), (ns, 3)]
    core().lib.rpio_numbers_end(numbers, FD)
    ns = later_ns()
    assert apply(numbers, (ns, 2)) == [(ns, 1)]


def test_what_is_no_request_stays_as_it_is(numbers):
    lib = core().lib
    lib.rpio_numbers_end(numbers, 8)
    assert apply(numbers, (1, 9), fd=8) == [(1, 9)]
    apply(numbers, (1, 5))
    lib.rpio_numbers_remove(numbers, FD)
    lib.rpio_numbers_end(numbers, FD)
    assert apply(numbers, (1, 9)) == [(1, 9)]


def test_a_new_request_of_the_same_descriptor_begins_anew(numbers):
    lib = core().lib
    apply(numbers, (1, 5))
    lib.rpio_numbers_end(numbers, FD)
    assert lib.rpio_numbers_add(numbers, FD) == 0
    assert apply(numbers, (1, 1)) == [(1, 1)]


def test_each_line_has_its_own(numbers):
    lib = core().lib
    for fd in range(20, 30):
        assert lib.rpio_numbers_add(numbers, fd) == 0
        apply(numbers, (1, fd), fd=fd)
    for fd in range(20, 30, 2):
        lib.rpio_numbers_remove(numbers, fd)
    ns = later_ns() + 10**12
    for fd in range(21, 30, 2):
        lib.rpio_numbers_end(numbers, fd)
        assert apply(numbers, (ns, fd + 1), fd=fd) == [(ns, 1)]
