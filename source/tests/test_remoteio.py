# SPDX-License-Identifier: LGPL-3.0-or-later
"""remoteio's clients at a simulated board, without sockets, under a clock that the test moves: what they are answered,
and what becomes of their lines.
"""

import select
import socket
from time import monotonic_ns

import pytest

from remote_parts import World, drives
from remoteio_parts import SEED_MAP
from RPIO.server.connections.links import House
from RPIO.server.remoteio.guests import Guest, GuestLink, Way
from RPIO.server.rights.access import Access
from RPIO.server.rights.audit import Audit
from RPIO.tasks.engine import NOWAIT, WAIT, Tasks
from RPIO.wire import remoteio as wire
from waiting import LIMIT_S

MS = 1_000_000
QUEUED = wire.QUEUED.decode()
OF_PIN = {7: 4, 11: 17, 13: 27}


class Caller:
    """A client, by what it sends."""

    def __init__(self, room, way):
        self.guest = Guest(
            room.world.sessions, f"10.0.0.{len(room.callers)}:5000", lambda: None, room.soon, way
        )
        self.room = room

    def says(self, text):
        """Send that; return what is answered at once."""
        self.guest.session.talk = self.guest
        answers = self.guest.hear_bytes(text if isinstance(text, bytes) else text.encode())
        self.room.look()
        return answers.decode()

    def is_silent(self):
        answers = self.guest.hear_nothing()
        self.room.look()
        return answers.decode()

    def goes(self):
        self.guest.end()
        self.room.look()


class Room:
    """A board with tasks, and callers."""

    def __init__(self, board, sim, mode=WAIT, **parts):
        self.sim, self.callers, self.audit = sim, [], Audit(now_s=lambda: 0)
        self.soon = lambda call: call()
        self.now_ns, self._levels, self.changes = 0, {}, []
        self.tasks = Tasks(board.leases, lambda: board.dispatcher, lambda: self.now_ns)
        self.world = World(board, sim, tasks=self.tasks, audit=self.audit, **parts)
        self.way = Way(board, mode)

    def come(self):
        self.callers.append(Caller(self, self.way))
        return self.callers[-1]

    def look(self):
        for line in OF_PIN.values():
            level = drives(self.sim, line) or 0
            if self._levels.setdefault(line, 0) != level:
                self._levels[line] = level
                self.changes.append((self.now_ns // MS, line, level))

    def go_on(self, ms):
        end_ns = self.now_ns + ms * MS
        while (due_ns := self.tasks.due_ns()) is not None and due_ns <= end_ns:
            self.now_ns = due_ns
            self.tasks.tick()
            self.look()
        self.now_ns = end_ns

    def wave(self, line):
        return [(at, level) for at, of, level in self.changes if of == line]


@pytest.fixture
def rooms(board, sim):
    made = []

    def make(**parts):
        made.append(Room(board, sim, **parts))
        return made[-1]

    yield make
    for room in made:
        room.tasks.close()


@pytest.fixture
def room(rooms):
    return rooms()


# -- six words ----------------------------------------------------------------------------------


def test_the_recorded_conversation_has_the_recorded_answers(room):
    caller = room.come()
    assert caller.says("b 7 create 0 0.0 0.0 ") == "!"
    assert caller.says("b 7 on 1500 0.0 0.0 ") == QUEUED  # and not after 1.5 s
    assert caller.says("b 11 create 0 0.0 0.0 ") == "!"
    assert caller.says("b 11 value 300 0.25 0.0 ") == QUEUED
    assert caller.says("b 7 close 0 0.0 0.0 ") == QUEUED
    assert caller.says("b 7 on 0 0.0 0.0 ") == "? command ignored: on"
    assert caller.says("b 1 create 0 0 0 ") == "? 1 Led creation failure"
    assert [caller.says(part) for part in ("b 1", "1 off 0 0.0", " 0.0 ")] == ["", "", QUEUED]
    assert caller.says("b 11 on 0 0.0 0.0 b 11 off 0 0.0 0.0 ") == QUEUED * 2
    room.go_on(3000)
    assert room.wave(4) == [(0, 1), (1500, 0)]


def test_each_byte_alone_has_the_same_answers(room):
    caller = room.come()
    text = "b 7 create 0 0.0 0.0 b 7 on 5 0.0 0.0 b 1 create 0 0 0 b 13 on 0 0 0 "
    answers = "".join(caller.says(byte) for byte in text)
    assert answers == f"!{QUEUED}? 1 Led creation failure? command ignored: on"


def test_a_pin_is_the_one_of_the_boards_header(room, sim):
    assert {line: pin for pin, line in sim.hardware.header.items() if isinstance(line, int)} == SEED_MAP
    caller = room.come()
    for pin in SEED_MAP.values():
        assert caller.says(f"b {pin} create 0 0 0 ") == "!", pin
    for pin in (0, 1, 2, 4, 6, 9, 14, 41, 99, "seven", "-7", "7.0"):
        assert caller.says(f"b {pin} create 0 0 0 ") == f"? {pin} Led creation failure"


def test_a_pin_of_somebody_else_cannot_be_created(room, board):
    first, second = room.come(), room.come()
    assert first.says("b 7 create 0 0 0 ") == "!"
    assert second.says("b 7 create 0 0 0 ") == "? 7 Led creation failure"
    assert second.says("b 7 on 0 0 0 ") == "? command ignored: on"
    first.says("b 7 close 0 0 0 ")
    assert second.says("b 7 create 0 0 0 b 7 on 0 0 0 ") == f"!{QUEUED}"
    assert room.wave(4) == [(0, 1)]


def test_create_again_is_acknowledged_and_nothing_else(room):
    caller = room.come()
    assert caller.says("b 7 create 0 0 0 b 7 on 0 0 0 b 7 create 0 0 0 ") == f"!{QUEUED}{QUEUED}"
    assert room.wave(4) == [(0, 1)]


def test_an_unknown_command_is_acknowledged_and_told_here(room, caplog):
    caller = room.come()
    assert caller.says("b 7 create 0 0 0 b 7 dance 500 0 0 b 7 __class__ 0 0 0 ") == f"!{QUEUED}{QUEUED}"
    assert caller.says("b 7 on 0 0 0 ") == QUEUED
    assert "there is no command 'dance'" in caplog.text
    assert room.wave(4) == [(0, 1)]


@pytest.mark.parametrize("time", ["-1", "nan", "inf", "-inf", "1e999", "1e12", "soon", "0x10", "1_000"])
def test_a_time_that_is_none_is_refused_with_the_reason(room, time):
    caller = room.come()
    caller.says("b 7 create 0 0 0 ")
    answer = caller.says(f"b 7 on {time} 0 0 ")
    assert answer.startswith("? 7 on: ")
    assert "is 0 to" in answer or f"{time!r} is no number" in answer
    assert caller.says("b 7 off 0 0 0 ") == QUEUED
    assert room.wave(4) == []


@pytest.mark.parametrize("record", ["value 0 1.5 0", "value 0 nan 0", "blink 0 0 0", "blink 0 -1 1"])
def test_arguments_that_are_none_are_refused(room, record):
    caller = room.come()
    caller.says("b 7 create 0 0 0 ")
    assert caller.says(f"b 7 {record} ").startswith("? 7 ")
    assert room.wave(4) == []


def test_a_full_queue_is_answered(room):
    caller = room.come()
    caller.says("b 7 create 0 0 0 ")
    answers = caller.says("b 7 on 1000 0 0 " * 1100)
    count = answers.count(QUEUED)
    assert 1024 <= count <= 1025
    assert answers.count("? 7 on: ") == 1100 - count
    room.go_on(1_030_000)
    assert room.wave(4) == [(0, 1), (count * 1000, 0)]
    assert caller.says("b 7 on 0 0 0 ") == QUEUED


def test_the_arguments_of_on_off_and_pulse_mean_nothing(room):
    caller = room.come()
    caller.says("b 7 create 0 0 0 ")
    for name in ("on", "off", "pulse"):
        assert caller.says(f"b 7 {name} 0 9.0 0.0001 ") == QUEUED


def test_close_twice_is_ignored_the_second_time(room):
    caller = room.come()
    caller.says("b 7 create 0 0 0 ")
    assert caller.says("b 7 close 0 0 0 b 7 close 0 0 0 ") == f"{QUEUED}? command ignored: close"
    assert caller.says("b 7 create 0 0 0 ") == "!"


def test_in_wait_all_is_done_when_its_client_has_gone(room):
    caller = room.come()
    caller.says(
        "b 7 create 0 0 0 b 7 on 100 0 0 b 7 off 50 0 0 b 7 on 30 0 0 b 11 create 0 0 0 b 11 on 0 0 0 "
    )
    room.go_on(10)
    caller.goes()
    other = room.come()
    assert other.says("b 7 create 0 0 0 ") == "? 7 Led creation failure"  # still
    room.go_on(1000)
    assert room.wave(4) == [(0, 1), (100, 0), (150, 1), (180, 0)]
    assert room.wave(17) == [(0, 1), (10, 0)]  # nothing waited there
    assert other.says("b 7 create 0 0 0 ") == "!"


def test_in_nowait_a_new_task_ends_the_one_before(rooms):
    room = rooms(mode=NOWAIT)
    caller = room.come()
    caller.says("b 7 create 0 0 0 b 7 on 1000 0 0 ")
    room.go_on(100)
    caller.says("b 7 off 0 0 0 ")
    room.go_on(2000)
    assert room.wave(4) == [(0, 1), (100, 0)]


def test_a_wrong_number_of_words_is_told_and_ends_it_with_all_that_waits(room):
    caller = room.come()
    caller.says("b 7 create 0 0 0 b 7 on 1000 0 0 b 7 on 1000 0 0 ")
    room.go_on(10)
    answer = caller.says("b 7 on 1000 0 b 7 off 0 0 0 ")
    assert answer.startswith("? a record is b and five words more, not 'b 7 on 1000 0 b'")
    assert caller.guest.is_over
    assert caller.says("b 7 on 0 0 0 ") == ""
    caller.goes()
    room.go_on(5000)
    assert room.wave(4) == [(0, 1), (10, 0)]


def test_a_browser_is_told_and_ended(room):
    caller = room.come()
    assert caller.says("GET / HTTP/1.1\r\nHost: pi\r\n\r\n") == "? a record begins with b or g, not 'GET'"
    assert caller.guest.is_over


def test_who_may_not_drive_lines_has_no_pin(rooms, caplog):
    room = rooms(access=Access(["read"]))
    assert room.come().says("b 7 create 0 0 0 ") == "? 7 Led creation failure"
    assert "remoteio needs the scope 'gpio'" in caplog.text


def test_what_is_set_is_in_the_audit(room):
    caller = room.come()
    caller.says("b 7 create 0 0 0 b 7 on 5 0 0 b 7 on 5 0 0 b 7 close 0 0 0 ")
    found = [
        (record.who, record.line, record.what, record.level, record.times)
        for _, record in room.audit.since(0, 9)
    ]
    who = "remoteio client from 10.0.0.0:5000"
    assert found == [(who, 4, "task on", 1, 2), (who, 4, "task close", None, 1)]


def test_a_forbidden_line_is_a_failure_with_the_reason_here(room, board, caplog):
    board.protect(4, read_only=True)
    assert room.come().says("b 7 create 0 0 0 ") == "? 7 Led creation failure"
    assert "b 7 cannot be had: " in caplog.text


# -- four words ---------------------------------------------------------------------------------


def test_the_published_package_is_answered_nothing(room):
    caller = room.come()
    assert caller.says("b 7 on 600 ") == caller.is_silent() == ""
    assert caller.says("b 11 pulse 0 b 11 off 0 ") == ""
    assert caller.says("b 1 on 0 b 7 dance 0 b 7 close 0 ") == ""
    assert caller.says("b 7 off 0 0 ") == ""
    assert not caller.guest.is_over


def test_its_newest_task_wins_whatever_the_mode(room):
    caller = room.come()
    caller.says("b 7 on 10000 ")
    caller.is_silent()
    room.go_on(100)
    caller.says("b 7 blink 0 ")
    room.go_on(1500)
    caller.says("b 7 off 0 ")
    room.go_on(5000)
    assert room.wave(4) == [(0, 1), (1100, 0)]


def test_its_wrong_number_of_words_ends_it_without_a_word(room):
    caller = room.come()
    assert caller.says("b 7 on 600 b 7 off b 7 on 0 ") == ""
    assert caller.guest.is_over


def test_the_first_package_has_one_task_after_the_other_and_gpios(room):
    caller = room.come()
    assert caller.says("g 4 on 200") == caller.is_silent() == ""
    assert caller.says("b 7 on 100g 4 off 50") == caller.is_silent() == ""
    caller.says("g 17 on 0")
    caller.goes()
    room.go_on(1000)
    assert room.wave(4) == [(0, 1), (300, 0)]


def test_what_ends_with_the_connection_is_done(room):
    caller = room.come()
    caller.says("g 4 on 200")
    caller.is_silent()  # as its socket says it before the end
    caller.goes()
    room.go_on(1000)
    assert room.wave(4) == [(0, 1), (200, 0)]


class Loop:
    """What a link needs of one, whose turns come when the test says so."""

    has_edges, in_loop = False, True

    def has(self, fd):
        return False

    def modify(self, fd, mask):
        """Wait for something else."""


class Hall(House):
    """Where the links of a Room are."""

    def __init__(self, room):
        self.loop, self.sessions, self.links, self.lent = Loop(), room.world.sessions, {}, []


def test_what_has_come_while_the_loop_was_busy_is_no_silence(room):
    """The rest of a number, say: 20 ms are not 2000."""
    hall = Hall(room)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        link = GuestLink(hall, listener.accept()[0], "10.0.0.1:5000", room.way)
    link.socket.setblocking(False)
    with client:
        for text in (b"b 7 on 20", b"00"):
            client.sendall(text)
            assert select.select([link.socket], [], [], LIMIT_S)[0]
            if text == b"b 7 on 20":
                link.receive()
            while monotonic_ns() < link.due_ns():
                pass
        assert hall.lent == [link]
        link.tick()
        assert room.tasks.listed() == []
        while monotonic_ns() < link.due_ns():
            pass
        link.tick()
        assert [(line, name, ms) for _, line, name, _, ms, *_ in room.tasks.listed()] == [(4, "on", 2000)]
        assert hall.lent == []
        link.close()
