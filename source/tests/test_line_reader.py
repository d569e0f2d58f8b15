# SPDX-License-Identifier: LGPL-3.0-or-later
"""LineReader and EdgeRoutes: bytes of a socket in pieces of any size to lines, and edges into their pipes."""

import fcntl
import os
import signal
import socket
import struct
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from RPIO._gpio import EdgeRoutes, LineReader, Pipe
from support import EMULATED

RECORD = struct.Struct(
    "@QIIII24x"
)  # struct gpio_v2_line_event: time, id, line, number, its number on the line
WAITING_MAX = 1024


class Wire:
    """A reader, and what it has found in what was said to it."""

    def __init__(self, most=1 << 20, routes=None):
        self.theirs, self.ours = socket.socketpair()
        self.ours.setblocking(False)
        self.reader = LineReader(most, routes) if routes is not None else LineReader(most)
        self.lines = []

    def say(self, data):
        """Say it, and have it read; the reader's error comes out of this."""
        self.theirs.sendall(data)
        left = len(data)
        while left > 0:
            left -= self.reader.read(self.ours.fileno(), self.lines, 0)

    def close(self):
        self.theirs.close()
        self.ours.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()


class Routed(Wire):
    """A reader whose edges of line 4 go into a pipe."""

    def __init__(self, count=54):
        self.routes, self.pipe = EdgeRoutes(count), Pipe()
        super().__init__(routes=self.routes)
        self.routes.set(4, self.pipe.reader, self.pipe.writer)

    def edges(self):
        """(time, level, number on the line) of what waits in the pipe."""
        found = []
        while True:
            try:
                data = os.read(self.pipe.reader, RECORD.size)
            except BlockingIOError:
                return found
            assert len(data) == RECORD.size
            time_ns, rising_or_falling, line, _, seq = RECORD.unpack(data)
            assert line == 4
            found.append((time_ns, {1: 1, 2: 0}[rising_or_falling], seq))

    def close(self):
        super().close()
        self.routes.drop(4)
        self.pipe.close()


@pytest.fixture
def wire():
    with Wire() as made:
        yield made


@pytest.fixture
def routed():
    with Routed() as made:
        yield made


# -- lines --------------------------------------------------------------------------------------


@given(st.lists(st.one_of(st.binary(max_size=30), st.sampled_from([b"\n", b"\n\n", b"a\n"])), max_size=20))
def test_what_has_come_otherwise_is_split_as_what_a_socket_delivers(pieces):
    reader, lines = LineReader(1 << 20), []
    for piece in pieces:
        assert reader.feed(piece, lines) is None
    *expected, begun = b"".join(pieces).split(b"\n")
    assert (lines, reader.begun) == (expected, begun)


@pytest.mark.parametrize(
    ("data", "lines", "error"),
    [("text\n", [], TypeError), (b"text\n", (), TypeError), (b"x" * 11, [], ValueError)],
)
def test_what_cannot_be_fed_is_refused(data, lines, error):
    with pytest.raises(error):
        LineReader(10).feed(data, lines)


@given(st.lists(st.one_of(st.binary(max_size=30), st.sampled_from([b"\n", b"\n\n", b"a\n"])), max_size=20))
@settings(max_examples=30 if EMULATED else 200, deadline=None)
@pytest.mark.slow
def test_any_split_of_any_bytes_gives_the_same_lines(pieces):
    with Wire() as wire:
        for piece in pieces:
            wire.say(piece)
        *lines, begun = b"".join(pieces).split(b"\n")
        assert (wire.lines, wire.reader.begun) == (lines, begun)


@given(st.integers(1, 40), st.lists(st.binary(min_size=1, max_size=25), max_size=12))
@settings(max_examples=30 if EMULATED else 200, deadline=None)
@pytest.mark.slow
def test_a_line_that_is_too_long_is_told_with_the_piece_in_which_it_is(most, pieces):
    with Wire(most) as wire:
        said = b""
        for piece in pieces:
            said += piece
            *lines, begun = said.split(b"\n")
            if len(begun) > most or any(len(line) > most for line in lines):
                with pytest.raises(ValueError, match=f"more than {most} bytes"):
                    wire.say(piece)
                good = [line for line in lines if len(line) <= most]
                assert wire.lines == lines[: len(wire.lines)] == good[: len(wire.lines)]
                assert wire.reader.begun == b""
                return
            wire.say(piece)
        assert wire.lines == said.split(b"\n")[:-1]


def test_long_lines_and_short_ones_after_them(wire):
    long = b"x" * 300_000
    sender = threading.Thread(target=wire.theirs.sendall, args=(long + b"\nshort\n" + long + b"\nend\n",))
    sender.start()
    while len(wire.lines) < 4:
        try:
            wire.reader.read(wire.ours.fileno(), wire.lines, 0)
        except BlockingIOError:
            continue
    sender.join()
    assert wire.lines == [long, b"short", long, b"end"]


def test_the_end_of_the_stream_is_0_and_what_has_begun_stays(wire):
    wire.say(b"be")
    wire.theirs.close()
    assert wire.reader.read(wire.ours.fileno(), wire.lines, 0) == 0
    assert (wire.lines, wire.reader.begun) == ([], b"be")


def test_what_is_no_use_is_refused(wire):
    for most in (0, -1):
        with pytest.raises(ValueError, match="at least one"):
            LineReader(most)
    for arguments in ((), (1 << 70,), ("x",), (5, None), (5, object())):
        with pytest.raises((TypeError, OverflowError)):
            LineReader(*arguments)
    fd = wire.ours.fileno()
    for arguments in ((), (fd, [], 0, 0), (fd, (), 0), ("x", [], 0), (fd, [], 1 << 40)):
        with pytest.raises((TypeError, OverflowError, ValueError)):
            wire.reader.read(*arguments)
    with pytest.raises(BlockingIOError):
        wire.reader.read(fd, [], 0)
    with pytest.raises(OSError, match=r"Errno 9"):
        wire.reader.read(-1, [], 0)


def test_a_handler_that_closes_the_socket_has_nobody_elses_read(wire):
    """The number of the socket is another one's when the handler returns."""
    wire.ours.setblocking(True)
    fd, other = wire.ours.fileno(), socket.socketpair()
    other[0].sendall(b"another's\n")

    def handler(*_):
        os.dup2(other[1].fileno(), fd)

    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(BlockingIOError):
            wire.reader.read(fd, wire.lines, 0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        for end in other:
            end.close()
    assert wire.lines == []


# -- edges --------------------------------------------------------------------------------------


def test_edges_go_into_the_pipe_of_their_line_and_all_else_is_a_line(routed):
    routed.say(b"ok #1\nedge 4 1 500 1 0\nedge 5 1 500 1 0\nended 4 x\nedge 4 0 600 2 0\n")
    assert routed.lines == [b"ok #1", b"ended 4 x"]
    assert routed.edges() == [(500, 1, 1), (600, 0, 2)]


BIG = [0, 1, 2, 2**31 - 1, 2**31, 2**32, 2**32 + 1, 2**63 - 1, 10**19 - 1]
NUMBERS = st.one_of(st.integers(0, 10**19 - 1), st.sampled_from(BIG))


@given(st.lists(NUMBERS, min_size=1, max_size=12))
@settings(max_examples=30 if EMULATED else 150, deadline=None)
@pytest.mark.slow
def test_numbers_show_what_is_missing_and_what_was_told_already_is_not_told_again(numbers):
    with Routed() as routed:
        last = ours = 0
        expected = []
        for number in numbers:
            routed.say(b"edge 4 1 7 %d 0\n" % number)
            if number > last:
                ours = (ours + min(number - last, 2**31 - 1)) % 2**32
                last = number
                expected.append((7, 1, ours))
        assert (routed.edges(), routed.routes.last(4)) == (expected, last)
        assert routed.lines == []


@pytest.mark.parametrize(
    "line",
    [
        *("edge 4 1 5 1", "edge 4 1 5 1 0 0", "edge 4 2 5 1 0", "edge 54 1 5 1 0", "edge -4 1 5 1 0"),
        *("edge 4 1 5 1 0x", "edge 4 1 5  1 0", "edge  4 1 5 1 0", "edge 4 1 5 1 99999999999999999999"),
        *("edge 4 1 5 +1 0", "edge", "edge ", "edges 4 1 5 1 0", "edge 4 1 5 1 0 #5", 'edge 4 1 5 1 "0"'),
        *("edge 18446744073709551620 1 5 1 0", "edge 4294967300 1 5 1 0", "edge 4\t1 5 1 0"),
    ],
)
def test_what_is_no_edge_is_a_line(routed, line):
    routed.say(f"{line}\n".encode())
    assert (routed.lines, routed.edges(), routed.routes.last(4)) == ([line.encode()], [], 0)


@given(st.integers(0, 3000), st.integers(1, 60))
@settings(max_examples=10 if EMULATED else 40, deadline=None)
def test_a_full_pipe_drops_the_oldest_and_the_numbers_show_it(count, step):
    with Routed() as routed:
        found = []
        for first in range(1, count + 1, step):
            routed.say(b"".join(b"edge 4 1 7 %d 0\n" % n for n in range(first, min(first + step, count + 1))))
            if first % 7 == 0 and step > 50:
                found += routed.edges()
        rest = routed.edges()
        assert len(rest) <= WAITING_MAX
        numbers = [seq for _, _, seq in found + rest]
        assert numbers == sorted(set(numbers))
        assert [seq for _, _, seq in rest] == list(range(count - len(rest) + 1, count + 1))
        if not found:
            assert len(rest) == min(count, WAITING_MAX)


def test_a_pipe_that_the_kernel_keeps_short_has_the_newest_too(routed):
    page = os.sysconf("SC_PAGE_SIZE")
    fcntl.fcntl(routed.pipe.writer, fcntl.F_SETPIPE_SZ, page)
    count = 5 * page // RECORD.size
    for number in range(1, count + 1):
        routed.say(b"edge 4 1 7 %d 0\n" % number)
        if number % 50 == 0:
            assert routed.routes.last(4) == number
    numbers = [seq for _, _, seq in routed.edges()]
    assert numbers == list(range(numbers[0], count + 1))


def test_routes_are_dropped_while_the_reader_lives(routed):
    routed.say(b"edge 4 1 7 1 0\nedge 4 0")
    routed.routes.drop(4)
    pipe, routed.pipe = routed.pipe, Pipe()
    pipe.close()
    routed.say(b" 8 2 0\nedge 4 1 9 3 0\nok\n")
    assert (routed.lines, routed.routes.last(4)) == ([b"ok"], 0)
    routed.routes.set(4, routed.pipe.reader, routed.pipe.writer)
    routed.say(b"edge 4 0 10 4 0\n")
    assert routed.edges() == [(10, 0, 4)]


def test_a_pipe_that_was_closed_without_a_word_hurts_nobody(routed):
    routed.pipe.close()
    routed.say(b"edge 4 1 7 1 0\nok\n")
    assert routed.lines == [b"ok"]


def test_the_reader_keeps_its_routes(routed):
    del routed.routes
    routed.say(b"edge 4 1 7 1 0\n")
    assert routed.edges() == [(7, 1, 1)]
    routed.routes = EdgeRoutes(54)


def test_lose_and_restart_go_on_with_our_numbers(routed):
    routed.say(b"edge 4 1 7 3 0\n")
    assert [routed.routes.lose(4, last) for last in (2, 3, 10)] == [0, 0, 7]
    routed.routes.restart(4)
    assert (routed.routes.last(4), routed.routes.lose(4, 1)) == (0, 1)
    routed.routes.restart(4)
    routed.say(b"edge 4 0 8 1 0\n")
    assert routed.edges() == [(7, 1, 3), (8, 0, 12)]


def test_lines_that_there_are_not(routed):
    for count in (0, -1, 4097, 1 << 40):
        with pytest.raises((ValueError, OverflowError)):
            EdgeRoutes(count)
    routes = routed.routes
    for line in (-1, 54, 1 << 31, 1 << 70, "x", None):
        for call in (routes.drop, routes.restart, routes.last, lambda n: routes.lose(n, 1)):
            with pytest.raises((ValueError, OverflowError, TypeError)):
                call(line)
        with pytest.raises((ValueError, OverflowError, TypeError)):
            routes.set(line, 0, 0)
    for last in (-1, 1 << 64, "x"):
        with pytest.raises((OverflowError, TypeError)):
            routes.lose(4, last)
