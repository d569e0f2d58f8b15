# SPDX-License-Identifier: LGPL-3.0-or-later
"""What is counted for sessions, and for a board whose lines another process has: there, and one request to read it."""

import time

import pytest

import RPIO
from remote_parts import World, error, serving
from remote_proxy import proxied
from support import drain
from waiting import wait_until

FORWARDS = ((22, 1), (23, 1), (22, 0), (23, 0))


@pytest.fixture
def world(board, sim):
    return World(board, sim)


@pytest.fixture
def ada(world):
    peer = world.come("ada", linger_s=5)
    for line in (4, 22, 23):
        assert peer.ask(f"input {line} down") == "ok"
    return peer


def counted(peer, number=0):
    """Count, lost and skipped."""
    return [int(word) for word in peer.ask(f"count {number}").split()[1:4]]


class TestSessions:
    def test_edges_are_counted_and_not_told_of(self, world, ada):
        assert ada.ask("counter 0 4 both") == "ok"
        world.play(4, [1, 0, 1])
        assert counted(ada) == [3, 0, 0]
        assert ada.heard() == []

    def test_times_and_rates_are_the_boards(self, world, ada, sim):
        ada.ask("counter 0 4")
        assert ada.ask("count 0") == "ok 0 0 0 0 0 0 0"
        for _ in range(3):
            sim.clock.advance(50_000_000)
            world.play(4, [1, 0])
        assert ada.ask("count 0") == "ok 3 0 0 150000000 50000000 20 1"

    def test_asked_again_for_the_same_it_goes_on(self, world, ada):
        ada.ask("counter 0 4 both")
        world.play(4, [1, 0])
        assert ada.ask("counter 0 4 both") == "ok"
        assert counted(ada) == [2, 0, 0]
        assert ada.ask("counter 0 4 rising") == "ok"
        assert counted(ada) == [0, 0, 0]
        world.play(4, [1, 0])
        assert counted(ada) == [1, 0, 0]

    def test_an_encoder_and_where_it_is_said_to_stand(self, world, ada, sim):
        assert ada.ask("encoder 3 22 23") == "ok"
        for line, level in FORWARDS * 2:
            sim.clock.advance(1)
            sim.drive(line, level)
        drain(world.board)
        assert counted(ada, 3) == [8, 0, 0]
        assert ada.ask("recount 3 -100") == "ok 8"
        assert ada.ask("count 3").split()[1] == "-100"
        assert ada.ask("recount 3") == "ok -100"

    def test_a_watch_and_the_counters_of_others_go_on_beside_it(self, world, ada):
        bob = world.come("bob")
        for peer in (ada, bob):
            assert peer.ask("counter 0 4 both") == "ok"
        assert ada.ask("watch 4") == "ok 0"
        world.play(4, [1, 0])
        assert len(ada.heard()) == 2
        assert ada.ask("uncount 0") == "ok"
        world.play(4, [1, 0])
        assert (counted(bob), len(ada.heard())) == ([4, 0, 0], 2)

    def test_it_goes_on_for_who_comes_back_and_ends_with_the_session(self, world, ada):
        ada.ask("counter 0 4 both")
        ada.talk.end()
        world.play(4, [1, 0])
        again = world.come("ada", linger_s=5, session=ada.name)
        assert counted(again) == [2, 0, 0]
        again.talk.end()
        assert 4 in world.board.watched
        world.wait(6)
        assert 4 not in world.board.watched

    @pytest.mark.parametrize(
        ("line", "name"),
        [
            ("count 0", "NotWatchedError"),
            ("count 32", "ValueError"),
            ("count -1", "ValueError"),
            ("recount 0 9999999999999999999", "ValueError"),
            ("counter 0", "ValueError"),
            ("counter 0 99", "InvalidChannelException"),
            ("counter 0 4 none", "ValueError"),
            ("counter 0 4 both 0 0 nan", "ValueError"),
            ("encoder 0 22", "ValueError"),
            ("encoder 0 22 22", "ValueError"),
            ("encoder 0 22 23 0 0", "ValueError"),
        ],
    )
    def test_bad_requests_are_answered(self, ada, line, name):
        assert error(ada.ask(line)) == name

    def test_nothing_is_left_of_what_was_refused(self, world, ada):
        assert ada.ask("counter 1 23 both 100") == "ok"
        assert error(ada.ask("encoder 0 22 23")) == "ValueError"
        assert 22 not in world.board.watched
        assert ada.ask("uncount 0") == "ok"

    def test_a_line_that_somebody_has_given_another_use(self, world, ada):
        ada.ask("counter 0 4 both")
        world.board.watched.drop(4)
        assert error(ada.ask("count 0")) == "NotWatchedError"
        assert ada.ask("counter 0 4 both") == "ok"
        world.play(4, [1, 0])
        assert counted(ada) == [2, 0, 0]


# -- a board whose lines another process has ---------------------------------------------------------------

PLAYING = """
import threading
def obey():
    for command in sys.stdin:
        pulses, turns = map(int, command.split())
        for _ in range(pulses):
            RPIO.sim.drive(24, 1)
            RPIO.sim.drive(24, 0)
        for line, level in ((22, 1), (23, 1), (22, 0), (23, 0)) * turns:
            RPIO.sim.drive(line, level)
        say("played", pulses, turns)
threading.Thread(target=obey, daemon=True).start()
"""


@pytest.fixture(scope="module")
def server():
    with serving(PLAYING) as made:
        yield made


def play(server, pulses=0, turns=0):
    server.tell(f"{pulses} {turns}")
    server.says(f"^played {pulses} {turns}$")


def test_nothing_crosses_the_wire_for_an_edge_and_reading_is_one_request(server):
    with RPIO.connect(f"127.0.0.1:{server.port}") as board:
        counter, encoder = board.counter(24, pull_up_down=RPIO.PUD_DOWN), board.encoder(22, 23)
        asked, ask = [], board.backend.ask_line.__self__._connection.ask

        def note(head, *more):
            asked.append(head.split()[0].decode())
            return ask(head, *more)

        board.backend._ask = note
        play(server, 500, 100)
        assert wait_until(lambda: counter.count == 500)
        assert wait_until(lambda: encoder.steps == 400)
        assert set(asked) == {"count"}
        del asked[:]
        assert (encoder.direction, encoder.skipped, encoder.lost) == (1, 0, 0)
        assert counter.rate_hz > 0
        assert counter.period_ns < 10**9 < counter.last_ns + 10**9
        assert counter.reset() == 500
        encoder.steps = -8
        assert asked == ["count"] * 6 + ["recount"] * 2
        assert (counter.count, encoder.steps) == (0, -8)
        counter.close()
        play(server, 5)
        assert counter.count == 0
        board.cleanup()
        play(server, 0, 5)
        assert encoder.steps == -8


def test_a_connection_that_comes_back_goes_on_with_it_and_nothing_is_missing(server):
    states = []
    with (
        proxied(server.port) as proxy,
        RPIO.connect(f"127.0.0.1:{proxy.port}", linger_s=60, on_change=states.append) as board,
    ):
        counter = board.counter(24, pull_up_down=RPIO.PUD_DOWN)
        play(server, 100)
        assert wait_until(lambda: counter.count == 100)
        total = 0
        for _ in range(3):
            proxy.is_away = True
            proxy.cut()
            play(server, 50)
            proxy.is_away = False
            total += counter.reset()
        assert wait_until(lambda: total + counter.count == 250)
        assert "new" not in states


def test_a_session_that_was_given_up_took_its_counters_with_it(server):
    states = []
    with (
        proxied(server.port) as proxy,
        RPIO.connect(f"127.0.0.1:{proxy.port}", linger_s=0.05, on_change=states.append) as board,
    ):
        counter = board.counter(24, pull_up_down=RPIO.PUD_DOWN)
        play(server, 10)
        assert wait_until(lambda: counter.count == 10)
        proxy.is_away = True
        proxy.cut()
        time.sleep(0.2)  # longer than it is kept
        proxy.is_away = False
        assert wait_until(lambda: states[-1:] == ["new"])
        with pytest.raises(RPIO.ConnectionLost, match="GPIO 24 meanwhile, at 10 when"):
            print(counter.count)
        counter.close()
        again = board.counter(24)
        play(server, 10)
        assert wait_until(lambda: again.count == 10)


def test_there_is_room_for_so_many_counters_of_a_program(server):
    with RPIO.connect(f"127.0.0.1:{server.port}") as board:
        made = [board.counter(24) for _ in range(32)]
        with pytest.raises(RPIO.NotSupportedError, match="32 times"):
            board.counter(24)
        made[0].close()
        board.counter(24)
