# SPDX-License-Identifier: LGPL-3.0-or-later
"""What counts edges, in C: counters, encoders whose lines come out of order, rates, and the wait that feeds them."""

import errno
import itertools
import os
import random

import pytest

from c.core import core
from c.test_poll import record

S = 1_000_000_000
MARKS = 1024


class Tally:
    """One, with what it says as a dict."""

    def __init__(self, edges=None, holdoff_ns=0):
        lib, out = core().lib, core().ffi.new("struct rpio_tally **")
        made = (
            lib.rpio_tally_encoder(out) if edges is None else lib.rpio_tally_counter(out, edges, holdoff_ns)
        )
        assert made == 0
        self.tally, self.seqs = out[0], [0, 0]

    def begin(self, place=0, token=1, seq=0):
        core().lib.rpio_tally_begin(self.tally, place, token, seq)
        self.seqs[place] = seq

    def levels(self, a, b):
        core().lib.rpio_tally_levels(self.tally, a, b)

    def feed(self, ns, value, place=0, seq=None, token=0):
        self.seqs[place] = seq if seq is not None else self.seqs[place] + 1
        fields = {"timestamp_ns": ns, "value": value, "seq": self.seqs[place], "token": token}
        core().lib.rpio_tally_feed(self.tally, place, core().ffi.new("struct rpio_event *", fields))

    def read(self, now_ns=0, window_ns=S):
        info = core().ffi.new("struct rpio_tally_info *")
        core().lib.rpio_tally_read(self.tally, now_ns, window_ns, info)
        return info[0]

    def set(self, count):
        return core().lib.rpio_tally_set(self.tally, count)

    def drop(self):
        core().lib.rpio_tally_drop(self.tally)


@pytest.fixture
def made():
    tallies = []

    def make(*args):
        tallies.append(Tally(*args))
        return tallies[-1]

    yield make
    for tally in tallies:
        tally.drop()


@pytest.fixture
def encoder(made):
    encoder = made()
    encoder.levels(0, 0)
    return encoder


# -- counters ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("edges", "count"), [(0, 0), (1, 50), (2, 49), (3, 99)])
def test_a_counter_counts_its_edges(made, edges, count):
    counter = made(edges)
    for n in range(1, 100):
        counter.feed(n * 10, n % 2)
    assert counter.read().count == count
    assert counter.read().lost == 0


def test_edges_within_the_holdoff_of_a_counted_one_are_none(made):
    counter = made(1, 100)
    for ns in (1000, 1050, 1099, 1100, 1150, 1300, 1399):
        counter.feed(ns, 1)
    assert counter.read().count == 3
    assert counter.read().period_ns == 200


def test_what_is_missing_by_its_numbers_is_lost_and_an_edge_counts_once(made):
    counter = made(3)
    counter.feed(10, 1, seq=3)
    counter.feed(10, 1, seq=3)
    counter.feed(5, 0, seq=2)
    counter.feed(20, 0, seq=5)
    assert (counter.read().count, counter.read().lost) == (2, 3)


def test_the_numbers_of_edges_begin_anew_after_32_bits(made):
    counter = made(3)
    counter.begin(seq=0xFFFFFFFE)
    counter.feed(10, 1, seq=0xFFFFFFFF)
    counter.feed(20, 0, seq=0)
    counter.feed(30, 1, seq=2)
    assert (counter.read().count, counter.read().lost) == (3, 1)


def test_edges_of_an_earlier_token_are_none(made):
    counter = made(3)
    counter.begin(token=7)
    counter.feed(10, 1, token=7)
    counter.begin(token=8)
    counter.feed(20, 0, seq=2, token=7)
    assert counter.read().count == 1
    counter.feed(30, 0, seq=1, token=8)
    assert (counter.read().count, counter.read().lost) == (2, 0)


def test_a_reset_says_what_was_counted_and_goes_on(made):
    counter = made(3)
    counter.feed(10, 1)
    counter.feed(20, 0)
    assert counter.set(0) == 2
    counter.feed(30, 1)
    assert counter.set(100) == 1
    assert counter.read().count == 100
    assert counter.read().period_ns == 10


# -- rates ---------------------------------------------------------------------------------------------------


def fed(made, times):
    counter = made(1)
    for ns in times:
        counter.feed(ns, 1)
    return counter


def test_there_is_no_rate_before_the_second_edge(made):
    counter = made(1)
    assert (counter.read(S).rate_hz, counter.read(S).last_ns, counter.read(S).period_ns) == (0, 0, 0)
    counter.feed(S, 1)
    assert (counter.read(S).rate_hz, counter.read(S).last_ns, counter.read(S).period_ns) == (0, S, 0)


def test_a_rate_is_that_of_whole_periods_within_the_window(made):
    slow, quick = range(S, 2 * S, S // 10), range(2 * S, 3 * S, S // 100)
    counter = fed(made, [*slow, *quick])
    assert counter.read(3 * S - 1, S).rate_hz == pytest.approx(100)
    assert 10 < counter.read(3 * S - 1, 2 * S).rate_hz < 100


def test_a_rate_lower_than_one_in_a_window_is_that_of_the_last_two(made):
    counter = fed(made, [1 * S, 6 * S, 11 * S])
    assert counter.read(12 * S).rate_hz == pytest.approx(0.2)
    assert counter.read(16 * S).rate_hz == pytest.approx(0.2)


def test_an_edge_that_is_overdue_lowers_the_rate_and_silence_ends_it(made):
    counter = fed(made, [S + n * S // 100 for n in range(101)])
    rates = [counter.read(2 * S + n * S // 20).rate_hz for n in range(22)]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] == pytest.approx(100)
    assert rates[10] == pytest.approx(50, abs=2)
    assert rates[-1] == 0
    slow = fed(made, [1 * S, 6 * S])
    assert slow.read(21 * S).rate_hz == pytest.approx(1 / 15)
    assert slow.read(27 * S).rate_hz == 0


def test_the_rate_of_more_edges_than_are_remembered(made):
    counter = fed(made, range(S, 2 * S, S // 20_000))
    assert counter.read(2 * S).rate_hz == pytest.approx(20_000, rel=0.01)
    assert counter.read(2 * S).count == 20_000


def test_the_rate_of_edges_of_one_moment_or_from_the_future_is_a_number(made):
    counter = fed(made, [5 * S] * 10)
    assert counter.read(5 * S).rate_hz == 0
    assert counter.read(1 * S).rate_hz == 0
    assert fed(made, [5 * S, 6 * S]).read(1 * S).rate_hz == pytest.approx(1)


# -- encoders ------------------------------------------------------------------------------------------------


def turn(encoder, edges, ns=0):
    for n, (place, value) in enumerate(edges):
        encoder.feed(ns + n + 1, value, place)


FORWARD_EDGES = [(0, 1), (1, 1), (0, 0), (1, 0)]
BACKWARD_EDGES = [(1, 1), (0, 1), (1, 0), (0, 0)]


def test_forwards_is_where_a_changes_first(encoder):
    turn(encoder, FORWARD_EDGES * 5)
    assert (encoder.read().count, encoder.read().direction, encoder.read().skipped) == (20, 1, 0)
    turn(encoder, BACKWARD_EDGES * 7, 100)
    assert (encoder.read().count, encoder.read().direction, encoder.read().skipped) == (-8, -1, 0)


def test_a_tremble_goes_to_and_fro(encoder):
    turn(encoder, [(0, 1), (0, 0)] * 50 + [(0, 1)])
    assert encoder.read().count == 1
    turn(encoder, [(1, 1), (1, 0)] * 50, 1000)
    assert (encoder.read().count, encoder.read().direction, encoder.read().skipped) == (1, -1, 0)


def test_the_first_edges_know_better_than_the_levels_that_were_read(made):
    for levels in itertools.product((0, 1), repeat=2):
        encoder = made()
        encoder.levels(*levels)
        turn(encoder, FORWARD_EDGES * 2)
        assert (encoder.read().count, encoder.read().skipped) == (8, 0)


def test_levels_that_are_read_after_the_first_edges_do_not_count(made):
    encoder = made()
    turn(encoder, FORWARD_EDGES[:1])
    encoder.levels(1, 0)
    turn(encoder, FORWARD_EDGES[1:], 10)
    assert (encoder.read().count, encoder.read().skipped) == (4, 0)


def test_a_level_that_a_line_has_already_is_skipped(encoder):
    turn(encoder, [(0, 1), (0, 1), (1, 1), (1, 1), (1, 1)])
    assert (encoder.read().count, encoder.read().skipped) == (2, 3)


@pytest.mark.parametrize("seed", range(20))
def test_edges_that_come_late_are_put_in_their_place(made, seed):
    """Each line's come in order; how far it is ahead of the other one is any."""
    chance = random.Random(seed)
    way, state, position = [], [0, 0], 0
    for ns in range(1, 900):
        place = chance.choice((0, 1))
        state[place] ^= 1
        position += 1 if (state[0] != state[1]) == (place == 0) else -1
        way.append((ns, place, state[place]))
    queues = [[edge for edge in way if edge[1] == place] for place in (0, 1)]
    encoder = made()
    encoder.levels(0, 0)
    while any(queues):
        queue = queues[chance.choice([place for place in (0, 1) if queues[place]])]
        for _ in range(chance.randint(1, 64)):
            if queue:
                ns, place, value = queue.pop(0)
                encoder.feed(ns, value, place)
    assert (encoder.read().count, encoder.read().skipped) == (position, 0)
    last = way[-1][0]
    assert (encoder.read().last_ns, encoder.read().period_ns) == (last, 1)


def test_a_position_that_was_set_is_kept_where_an_edge_comes_late(encoder):
    encoder.feed(10, 1, 0)
    encoder.feed(30, 0, 0)  # for all that is known, back again
    assert encoder.read().count == 0
    assert encoder.set(100) == 0
    encoder.feed(20, 1, 1)
    assert encoder.read().count == 103


def test_many_turns_are_exact(encoder):
    turn(encoder, FORWARD_EDGES * 5000)
    assert encoder.read().count == 20_000
    turn(encoder, BACKWARD_EDGES * 4000, 10**9)
    assert (encoder.read().count, encoder.read().skipped) == (4000, 0)


def test_an_edge_that_comes_later_than_anything_is_remembered_is_told(encoder):
    for n in range(2 * MARKS):
        encoder.feed(1000 + n, (n + 1) % 2, 0)
    encoder.feed(10, 1, 1)
    assert encoder.read().skipped >= 1


def test_the_rate_of_an_encoder_has_a_sign(encoder):
    for n, (place, value) in enumerate(BACKWARD_EDGES * 25, 1):
        encoder.feed(n * S // 100, value, place)
    assert encoder.read(S).rate_hz == pytest.approx(-100)


# -- within the wait -----------------------------------------------------------------------------------------


class Poll:
    def __init__(self):
        out = core().ffi.new("struct rpio_poll **")
        assert core().lib.rpio_poll_new(out) == 0
        self.poll = out[0]

    def taps(self, *pairs):
        return core().ffi.new("struct rpio_tap[]", [{"tally": t.tally, "place": p} for t, p in pairs] or 1)

    def add(self, fd, token, pairs, is_quiet=True):
        return core().lib.rpio_poll_add_counted(self.poll, fd, token, self.taps(*pairs), len(pairs), is_quiet)

    def count(self, fd, pairs, is_quiet=True, seen=0):
        counted = core().ffi.new("struct rpio_counted *")
        error = core().lib.rpio_poll_count(
            self.poll, fd, self.taps(*pairs), len(pairs), is_quiet, seen, counted
        )
        return error or (counted.seq, counted.lost)

    def wait(self, timeout_ms=0):
        batch, error = core().ffi.new("struct rpio_batch *"), -errno.EINTR
        while error == -errno.EINTR:  # as the kernel's own work on a ring that was closed may have it
            error = core().lib.rpio_poll_wait(self.poll, timeout_ms, batch)
        assert error == 0
        return [(e.token, e.seq) for e in batch.events[0 : batch.event_count]]


@pytest.fixture
def poll():
    poll = Poll()
    yield poll
    core().lib.rpio_poll_free(poll.poll)


@pytest.fixture
def pipes():
    pipes = [os.pipe2(os.O_NONBLOCK) for _ in range(2)]
    yield pipes
    for fd in itertools.chain(*pipes):
        os.close(fd)


def send(pipe, *seqs):
    os.write(pipe[1], b"".join(record(4, seq % 2, seq * 100, seq) for seq in seqs))


def test_the_wait_counts_and_tells_of_none_where_nobody_else_listens(made, poll, pipes):
    counter = made(3)
    assert poll.add(pipes[0][0], 5, [(counter, 0)]) == 0
    for _ in range(4):
        send(pipes[0], *range(counter.read().count + 1, counter.read().count + 31))
        assert poll.wait(10) == []
    assert counter.read().count == 120


def test_others_get_what_is_counted_as_well(made, poll, pipes):
    counters = made(3), made(1)
    assert poll.add(pipes[0][0], 5, [(counter, 0) for counter in counters], is_quiet=False) == 0
    send(pipes[0], 1, 2, 3)
    assert poll.wait() == [(5, 1), (5, 2), (5, 3)]
    assert [counter.read().count for counter in counters] == [3, 2]


def test_a_counter_that_comes_later_counts_from_there_on(made, poll, pipes):
    counter, later = made(3), made(3)
    assert poll.add(pipes[0][0], 5, [(counter, 0)]) == 0
    send(pipes[0], 1, 2)
    assert poll.wait() == []
    assert poll.count(pipes[0][0], [(counter, 0), (later, 0)]) == (2, 0)
    send(pipes[0], 3)
    assert poll.wait() == []
    assert (counter.read().count, later.read().count) == (3, 1)
    assert later.read().lost == 0
    assert poll.count(pipes[0][0], [(later, 0)], is_quiet=False) == (3, 0)
    send(pipes[0], 4)
    assert poll.wait() == [(5, 4)]
    assert (counter.read().count, later.read().count) == (3, 2)


def test_what_was_lost_unheard_is_told_once(made, poll, pipes):
    counter = made(3)
    assert poll.add(pipes[0][0], 5, [(counter, 0)]) == 0
    send(pipes[0], 1, 5, 8)
    assert poll.wait() == []
    assert poll.count(pipes[0][0], [(counter, 0)]) == (8, 5)
    assert poll.count(pipes[0][0], [(counter, 0)], seen=10) == (10, 0)
    send(pipes[0], 11)
    assert poll.wait() == []
    assert poll.count(pipes[0][0], [], is_quiet=False) == (11, 0)
    assert counter.read().lost == 7


def test_a_line_that_is_parked_or_removed_is_counted_no_more(made, poll, pipes):
    counter, lib = made(3), core().lib
    assert poll.add(pipes[0][0], 5, [(counter, 0)]) == 0
    assert lib.rpio_poll_park(poll.poll, pipes[0][0]) == 0
    assert poll.count(pipes[0][0], [(counter, 0)]) == -errno.ENOENT
    send(pipes[0], 1, 2)
    assert poll.wait() == []
    assert poll.add(pipes[0][0], 6, [(counter, 0)]) == 0
    send(pipes[0], 1)
    assert poll.wait() == []
    assert (counter.read().count, counter.read().lost) == (1, 0)
    assert lib.rpio_poll_remove(poll.poll, pipes[0][0]) == 0
    send(pipes[0], 2)
    assert poll.wait() == []
    assert counter.read().count == 1


def test_a_poller_that_is_closed_lets_go_of_what_it_fed(made, poll, pipes):
    counter = made(3)
    assert poll.add(pipes[0][0], 5, [(counter, 0)]) == 0
    core().lib.rpio_poll_close(poll.poll)
    assert counter.read().count == 0


def test_the_wait_goes_on_over_what_is_counted_until_its_time_is_over(made, poll, pipes):
    counter = made(3)
    assert poll.add(pipes[0][0], 5, [(counter, 0)]) == 0
    send(pipes[0], 1, 2)
    assert core().lib.rpio_poll_add_edges(poll.poll, pipes[1][0], 6) == 0
    assert poll.wait(30) == []
    assert counter.read().count == 2
    send(pipes[0], 3)
    send(pipes[1], 1)
    assert poll.wait(1000) == [(6, 1)]
    assert counter.read().count == 3


@pytest.mark.parametrize("seed", range(5))
def test_an_encoder_whose_lines_are_read_64_at_a_time(made, poll, pipes, seed):
    chance = random.Random(seed)
    encoder = made()
    for place, (reader, _) in enumerate(pipes):
        assert poll.add(reader, place + 5, [(encoder, place)]) == 0
    encoder.levels(0, 0)
    way, state, position, seqs = [], [0, 0], 0, [0, 0]
    for ns in range(1, 600):
        place = 0 if chance.random() < 0.8 else 1
        state[place] ^= 1
        position += 1 if (state[0] != state[1]) == (place == 0) else -1
        seqs[place] += 1
        way.append((place, record(place, state[place], ns, seqs[place])))
    for place, data in way:
        os.write(pipes[place][1], data)
    assert poll.wait() == []
    assert encoder.read().count == position
    assert (encoder.read().skipped, encoder.read().lost) == (0, 0)
