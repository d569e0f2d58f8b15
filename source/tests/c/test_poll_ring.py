# SPDX-License-Identifier: LGPL-3.0-or-later
"""The wait that reads a single line itself, in one system call: what must be the same as without it."""

import errno
import os
import random
import resource
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from c.core import core
from c.test_poll import ADD_READ, ERROR, record
from support import FORKS
from waiting import wait_until

WAIT_MS = 5000
SOON_S = 10.0


class Poll:
    """One poller, and what has come out of it."""

    def __init__(self):
        out = core().ffi.new("struct rpio_poll **")
        assert core().lib.rpio_poll_new(out) == 0
        self.poll = out[0]

    def __getattr__(self, name):
        return lambda *args: getattr(core().lib, f"rpio_poll_{name}")(self.poll, *args)

    def wait(self, timeout_ms=WAIT_MS):
        batch = core().ffi.new("struct rpio_batch *")
        error = core().lib.rpio_poll_wait(self.poll, timeout_ms, batch)
        assert error in (0, -errno.EINTR)
        ready = [(r.token, r.mask) for r in batch.ready[0 : batch.ready_count]]
        return ready, [(e.token, e.seq) for e in batch.events[0 : batch.event_count]]

    def warm_up(self, line):
        """Wait twice in this thread: from then on its waits are direct."""
        for seq in (1, 2):
            line.send(seq)
            assert self.wait() == ([], [(line.token, seq)])
        assert self.is_direct()


class Line:
    def __init__(self, poll, token):
        self.token = token
        self.reader, self.writer = os.pipe2(os.O_NONBLOCK)
        assert poll.add_edges(self.reader, token) == 0

    def send(self, *seqs):
        os.write(self.writer, b"".join(record(self.token, seq % 2, seq, seq) for seq in seqs))

    def close(self):
        os.close(self.reader)
        os.close(self.writer)


@pytest.fixture
def poll():
    poll = Poll()
    probe = Line(poll, 99)
    probe.send(1, 2)
    poll.wait()
    probe.send(3)
    poll.wait()
    works = poll.is_direct()
    poll.free()
    probe.close()
    if not works:
        pytest.skip(
            "this kernel has no io_uring that will do: Linux 6.1 has, with kernel.io_uring_disabled=0"
        )
    poll = Poll()
    yield poll
    poll.free()


@pytest.fixture
def line(poll):
    line = Line(poll, 7)
    yield line
    line.close()


def later(action, after_s=0.1):
    thread = threading.Timer(after_s, action)
    thread.start()
    return thread


def test_a_thread_is_direct_after_its_second_wait(poll, line):
    line.send(1)
    assert poll.wait() == ([], [(7, 1)])
    assert not poll.is_direct()
    line.send(2)
    assert poll.wait() == ([], [(7, 2)])
    assert poll.is_direct()
    line.send(3)
    assert poll.wait() == ([], [(7, 3)])
    assert poll.wait(0) == ([], [])


def test_it_waits_for_an_edge(poll, line):
    poll.warm_up(line)
    later(lambda: line.send(3, 4))
    assert poll.wait() == ([], [(7, 3), (7, 4)])


def test_a_full_batch_and_the_rest(poll, line):
    poll.warm_up(line)
    line.send(*range(100, 170))
    assert [seq for _, seq in poll.wait()[1]] == list(range(100, 164))
    assert [seq for _, seq in poll.wait()[1]] == list(range(164, 170))


def test_a_timeout_takes_its_time_and_nothing_is_lost(poll, line):
    poll.warm_up(line)
    for seq in range(3, 13):
        begin = time.monotonic()
        assert poll.wait(20) == ([], [])
        assert 0.02 <= time.monotonic() - begin < SOON_S
        line.send(seq)
        assert poll.wait() == ([], [(7, seq)])


def test_a_wake_ends_it(poll, line):
    poll.warm_up(line)
    later(poll.wake)
    begin = time.monotonic()
    assert poll.wait() == ([], [])
    assert time.monotonic() - begin < SOON_S
    line.send(3)
    assert poll.wait() == ([], [(7, 3)])


def test_another_descriptor_ends_it(poll, line):
    here, there = socket.socketpair()
    with here, there:
        assert poll.add(here.fileno(), 8, ADD_READ) == 0
        poll.warm_up(line)
        later(lambda: there.send(b"x"))
        assert poll.wait() == ([(8, 1)], [])
        assert poll.wait() == ([(8, 1)], [])  # as long as nobody reads it
        here.recv(9)
        line.send(3)
        assert poll.wait() == ([], [(7, 3)])


def test_edges_without_end_do_not_keep_others_waiting(poll, line):
    here, there = socket.socketpair()
    with here, there:
        assert poll.add(here.fileno(), 8, ADD_READ) == 0
        poll.warm_up(line)
        there.send(b"x")
        seen = []
        for seq in range(3, 9):
            line.send(seq)
            ready, events = poll.wait()
            seen += ready
            assert events in ([], [(7, seq)]) or ready
        assert (8, 1) in seen


def test_edges_are_not_kept_waiting_by_others(poll, line):
    here, there = socket.socketpair()
    with here, there:
        assert poll.add(here.fileno(), 8, ADD_READ) == 0
        poll.warm_up(line)
        there.send(b"x")  # and it is never read
        line.send(3)
        assert (7, 3) in poll.wait()[1] + poll.wait()[1]


def test_a_second_line_that_comes_while_it_waits(poll, line):
    poll.warm_up(line)
    second = []

    def add():
        second.append(Line(poll, 8))

    adding = later(add)
    assert poll.wait() == ([], [])
    adding.join()
    second[0].send(5)
    line.send(3)
    assert sorted(poll.wait()[1]) == [(7, 3), (8, 5)]
    poll.remove(second[0].reader)
    second[0].close()
    line.send(4)
    assert poll.wait() == ([], [(7, 4)])


def test_a_second_line_is_heard_without_a_wake(poll, line):
    poll.warm_up(line)
    second = []

    def add():
        second.append(Line(poll, 8))
        second[0].send(5)

    adding = later(add)
    events = []
    begin = time.monotonic()
    while not events and time.monotonic() - begin < SOON_S:
        events = poll.wait()[1]
    assert events == [(8, 5)]
    adding.join()
    second[0].close()


def test_a_removed_line_is_not_read(poll, line):
    """From another thread, while it waits: as soon as remove() has returned."""
    poll.warm_up(line)
    took_s = []

    def remove():
        begin = time.monotonic()
        assert poll.remove(line.reader) == 0
        took_s.append(time.monotonic() - begin)
        line.send(3)

    removing = later(remove)
    assert poll.wait(300) == ([], [])
    removing.join()
    assert poll.wait(300) == ([], [])
    assert len(os.read(line.reader, 100)) == 48
    assert took_s[0] < SOON_S


def test_a_removed_line_is_closed(poll, line):
    """The kernel holds the file of a read that is under way: after remove() and close() nobody does."""
    poll.warm_up(line)
    outcome = []

    def remove():
        poll.remove(line.reader)
        os.close(line.reader)
        try:
            os.write(line.writer, b"x")
        except BrokenPipeError:
            outcome.append("closed")
        line.reader = os.dup(line.writer)

    removing = later(remove)
    poll.wait(300)
    removing.join()
    assert outcome == ["closed"]


def test_the_end_of_a_line_is_reported(poll, line):
    poll.warm_up(line)
    later(lambda: os.close(line.writer))
    ready, events = poll.wait()
    assert events == []
    assert [token for token, mask in ready if mask & ERROR] == [7]
    line.writer = os.dup(line.reader)


def test_a_signal_ends_it(poll, line):
    poll.warm_up(line)
    previous = signal.signal(signal.SIGUSR1, lambda *_: None)
    try:
        main = threading.get_ident()
        later(lambda: signal.pthread_kill(main, signal.SIGUSR1))
        begin = time.monotonic()
        assert poll.wait() == ([], [])
        assert time.monotonic() - begin < SOON_S
        line.send(3)
        assert poll.wait() == ([], [(7, 3)])
    finally:
        signal.signal(signal.SIGUSR1, previous)


def test_another_thread_takes_over(poll, line):
    poll.warm_up(line)
    line.send(3)
    seen = []

    def wait_four_times():
        for _ in range(4):
            seen.append(poll.wait()[1])

    thread = threading.Thread(target=wait_four_times)
    thread.start()
    for seq in (4, 5, 6):
        assert wait_until(lambda seq=seq: len(seen) == seq - 3)
        line.send(seq)
    thread.join()
    assert seen == [[(7, seq)] for seq in (3, 4, 5, 6)]
    assert poll.is_direct()
    line.send(7)
    assert poll.wait() == ([], [(7, 7)])
    assert not poll.is_direct()


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def test_threads_that_come_and_go_each_get_a_ring(poll, line):
    """The C library gives each the name of the last (pthread_self()); to the kernel they are others."""
    idents, direct, open_then, seen = set(), [], [], []

    def loop(first):
        idents.add(threading.get_ident())
        for seq in range(first, first + 5):
            line.send(seq)
            seen.append(poll.wait())
        direct.append(poll.is_direct())
        open_then.append(descriptors())

    for first in range(0, 250, 5):
        thread = threading.Thread(target=loop, args=(first,))
        thread.start()
        thread.join()
    assert seen == [([], [(7, seq)]) for seq in range(250)]
    assert set(direct) == {1}
    assert len(set(open_then)) == 1
    assert len(idents) < 50  # else they have not been what this is about


def test_threads_in_turn_each_get_a_ring(poll, line):
    direct = []

    def loop(seq):
        for _ in range(4):
            line.send(seq)
            assert poll.wait() == ([], [(7, seq)])
        direct.append(poll.is_direct())

    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as other:
        for seq in range(40):
            (one, other)[seq % 2].submit(loop, seq).result()
    assert direct == [1] * 40


def test_a_ring_is_refused_to_another_thread_and_reads_nothing(poll, line):
    lib, ffi = core().lib, core().ffi
    ring, data = ffi.new("struct rpio_ring **"), ffi.new("const void **")
    assert lib.rpio_ring_open(ring) == 0
    line.send(1)
    with ThreadPoolExecutor(1) as thread:
        read = thread.submit(lib.rpio_ring_read, ring[0], line.reader, line.reader, WAIT_MS, data)
        assert read.result() == -errno.EEXIST
    lib.rpio_ring_close(ring[0])
    assert poll.wait() == ([], [(7, 1)])


def test_a_ring_that_cannot_be_had_now_is_had_later(poll, line):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
    try:
        for seq in range(6):
            line.send(seq)
            assert poll.wait() == ([], [(7, seq)])
        assert not poll.is_direct()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    for seq in range(6, 9):
        line.send(seq)
        assert poll.wait() == ([], [(7, seq)])
    assert poll.is_direct()


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.slow
def test_a_child_of_a_fork_closes_what_another_thread_waits_on(poll, line):
    """Whatever that thread is doing, and a third one adds and removes lines."""
    over, counts, statuses = threading.Event(), [0, 0], []

    def loop():
        while not over.is_set():
            counts[0] += len(poll.wait(1)[1])

    def change():
        while not over.is_set():
            second = Line(poll, 8)
            second.send(1)
            poll.remove(second.reader)
            second.close()
            counts[1] += 1

    def fork():
        for seq in range(FORKS):
            line.send(seq)
            child = os.fork()
            if child == 0:
                signal.alarm(20)  # kills it where it waits for what nobody gives it
                left = {
                    os.readlink(f"/proc/self/fd/{fd}")
                    for fd in range(3, 64)
                    if os.path.exists(f"/proc/self/fd/{fd}")
                }
                said = poll.remove(line.reader), poll.add_edges(line.reader, 9), poll.wake()
                poll.free()
                is_closed = not any("event" in link or "uring" in link for link in left)
                os._exit(0 if is_closed and set(said) == {-errno.EBADF} else 1)
            statuses.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        over.set()

    with ThreadPoolExecutor(3) as threads:
        for work in [threads.submit(action) for action in (loop, change, fork)]:
            work.result()
    assert statuses == [0] * FORKS
    assert counts[0] and counts[1]


def test_a_record_that_makes_no_sense_is_a_failure_of_the_line(poll, line):
    poll.warm_up(line)
    os.write(line.writer, bytes(48))
    assert poll.wait() == ([(7, ERROR)], [])


def test_closing_ends_it_for_good(poll, line):
    poll.warm_up(line)
    poll.close()
    assert not poll.is_direct()
    batch = core().ffi.new("struct rpio_batch *")
    assert core().lib.rpio_poll_wait(poll.poll, 10, batch) == -errno.EBADF


def test_nothing_is_lost_whatever_happens_meanwhile(poll, line):
    """Edges, wakes, timeouts, sockets, and a second line that comes and goes: every number arrives, in order."""
    poll.warm_up(line)
    chance = random.Random(6)
    last = 3000
    here, there = socket.socketpair()

    def disturb():
        second = None
        for seq in range(3, last + 1):
            line.send(seq)
            what = chance.randrange(12)
            if what == 0:
                poll.wake()
            elif what == 1:
                there.send(b"x")
            elif what == 2 and second is None:
                second = Line(poll, 8)
            elif what == 3 and second is not None:
                poll.remove(second.reader)
                second.close()
                second = None
            elif what == 4:
                time.sleep(0.002)
        if second is not None:
            poll.remove(second.reader)
            second.close()

    with here, there:
        here.setblocking(False)
        assert poll.add(here.fileno(), 9, ADD_READ) == 0
        thread = threading.Thread(target=disturb)
        thread.start()
        arrived, deadline = [], time.monotonic() + 30
        while (not arrived or arrived[-1] != last) and time.monotonic() < deadline:
            ready, events = poll.wait(chance.choice([1, 5, 100]))
            arrived += [seq for token, seq in events if token == 7]
            if (9, 1) in ready:
                here.recv(100)
        thread.join()
    assert arrived == list(range(3, last + 1))
