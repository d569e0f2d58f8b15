# SPDX-License-Identifier: LGPL-3.0-or-later
"""The wait, in C: what is ready, what is read, what is left alone."""

import errno
import os

import pytest

from c.core import core

ADD_READ, HANGUP, ERROR = 1, 16, 8


@pytest.fixture
def poll():
    lib, ffi = core().lib, core().ffi
    out = ffi.new("struct rpio_poll **")
    assert lib.rpio_poll_new(out) == 0
    yield out[0]
    lib.rpio_poll_free(out[0])


@pytest.fixture
def pipe():
    fds = os.pipe2(os.O_NONBLOCK)
    yield fds
    for fd in fds:
        os.close(fd)


def record(line, value, ns, seq):
    ffi = core().ffi
    data = ffi.new("unsigned char[48]")
    event = ffi.new("struct rpio_event *", {"timestamp_ns": ns, "line": line, "value": value, "seq": seq})
    core().lib.rpio_event_encode(event, data)
    return bytes(data)


def wait(poll, timeout_ms=0):
    batch = core().ffi.new("struct rpio_batch *")
    assert core().lib.rpio_poll_wait(poll, timeout_ms, batch) == 0
    ready = [(r.token, r.mask) for r in batch.ready[0 : batch.ready_count]]
    return ready, [(e.line, e.value, e.timestamp_ns, e.seq) for e in batch.events[0 : batch.event_count]]


def test_nothing_is_ready_at_first(poll):
    assert wait(poll) == ([], [])


def test_a_parked_line_goes_on_under_another_token_and_what_came_meanwhile_is_dropped(poll, pipe):
    lib = core().lib
    reader, writer = pipe
    assert lib.rpio_poll_park(poll, reader) == 0
    assert lib.rpio_poll_add_edges(poll, reader, 3) == 0
    os.write(writer, record(4, 1, 100, 1))
    assert lib.rpio_poll_park(poll, reader) == 0
    assert wait(poll) == ([], [])
    assert wait(poll) == ([], [])
    assert lib.rpio_poll_add_edges(poll, reader, 4) == 0
    os.write(writer, record(4, 0, 200, 2))
    batch = core().ffi.new("struct rpio_batch *")
    assert lib.rpio_poll_wait(poll, 0, batch) == 0
    assert [(event.token, event.seq) for event in batch.events[0 : batch.event_count]] == [(4, 2)]
    assert lib.rpio_poll_add_edges(poll, reader, 5) == -errno.EEXIST
    assert lib.rpio_poll_park(poll, reader) == 0
    assert lib.rpio_poll_remove(poll, reader) == 0
    assert lib.rpio_poll_remove(poll, reader) == -errno.ENOENT
    os.write(writer, record(4, 0, 200, 3))
    assert wait(poll) == ([], [])


def test_a_parked_line_that_fails_is_forgotten_once_and_for_all(poll):
    lib = core().lib
    reader, writer = os.pipe2(os.O_NONBLOCK)
    assert lib.rpio_poll_add_edges(poll, reader, 3) == 0
    assert lib.rpio_poll_park(poll, reader) == 0
    os.close(writer)
    assert wait(poll, 100) == ([], [])
    assert wait(poll, 0) == ([], [])
    assert lib.rpio_poll_park(poll, reader) == 0
    assert lib.rpio_poll_add_edges(poll, reader, 4) == 0
    assert wait(poll) == ([(4, HANGUP | ERROR)], [])
    os.close(reader)


def test_what_is_ready_is_named_by_its_token(poll, pipe):
    lib = core().lib
    assert lib.rpio_poll_add(poll, pipe[0], 7, ADD_READ) == 0
    os.write(pipe[1], b"x")
    assert wait(poll) == ([(7, 1)], [])
    assert lib.rpio_poll_modify(poll, pipe[0], 7, 0) == 0
    assert wait(poll) == ([], [])
    assert lib.rpio_poll_remove(poll, pipe[0]) == 0
    assert lib.rpio_poll_remove(poll, pipe[0]) == -errno.ENOENT


def test_token_0_is_refused(poll, pipe):
    assert core().lib.rpio_poll_add(poll, pipe[0], 0, ADD_READ) == -errno.EINVAL
    assert core().lib.rpio_poll_modify(poll, pipe[0], 0, ADD_READ) == -errno.EINVAL


def test_a_wake_ends_a_wait_and_is_not_reported(poll):
    for _ in range(3):
        assert core().lib.rpio_poll_wake(poll) == 0
    assert wait(poll, 10_000) == ([], [])


def test_many_lines_full_batches_in_order_of_time(poll):
    """As much as one wait can bring: every line's batch is full, and none is written beyond its room."""
    lib, lines = core().lib, 64
    pipes = [os.pipe2(os.O_NONBLOCK) for _ in range(lines)]
    for line, (reader, writer) in enumerate(pipes):
        assert lib.rpio_poll_add_edges(poll, reader, line + 1) == 0
        os.write(
            writer, b"".join(record(line, n % 2, n * lines + (line * 7) % lines, n + 1) for n in range(70))
        )
    ready, events = wait(poll)
    assert ready == []
    assert len(events) == lines * 64
    assert [e[2] for e in events] == sorted(e[2] for e in events)
    assert len(wait(poll)[1]) == lines * 6
    for reader, writer in pipes:
        assert lib.rpio_poll_remove(poll, reader) == 0
        os.close(reader)
        os.close(writer)


def test_a_line_that_fails_is_reported_with_what_it_still_had(poll):
    reader, writer = os.pipe2(os.O_NONBLOCK)
    assert core().lib.rpio_poll_add_edges(poll, reader, 3) == 0
    os.write(writer, record(5, 1, 9, 1))
    os.close(writer)
    ready, events = wait(poll)
    assert events == [(5, 1, 9, 1)]
    assert [token for token, _ in ready] == [3]
    assert ready[0][1] & ERROR
    os.close(reader)


def test_a_removed_line_is_not_read(poll, pipe):
    lib = core().lib
    assert lib.rpio_poll_add_edges(poll, pipe[0], 3) == 0
    os.write(pipe[1], record(5, 1, 9, 1))
    assert lib.rpio_poll_remove(poll, pipe[0]) == 0
    assert wait(poll) == ([], [])
    assert len(os.read(pipe[0], 100)) == 48


def test_places_are_used_again(poll):
    lib = core().lib
    for token in range(1, 200):
        reader, writer = os.pipe2(os.O_NONBLOCK)
        assert lib.rpio_poll_add_edges(poll, reader, token) == 0
        assert lib.rpio_poll_remove(poll, reader) == 0
        os.close(reader)
        os.close(writer)
    assert lib.rpio_poll_add_edges(poll, 9999, 1) == -errno.EBADF


def test_closing_twice_is_fine_and_then_everything_is_refused(poll):
    lib = core().lib
    lib.rpio_poll_close(poll)
    lib.rpio_poll_close(poll)
    assert lib.rpio_poll_fd(poll) == -1
    assert lib.rpio_poll_wait(poll, 0, core().ffi.new("struct rpio_batch *")) == -errno.EBADF
    assert lib.rpio_poll_wake(poll) == -errno.EBADF
