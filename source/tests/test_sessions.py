# SPDX-License-Identifier: LGPL-3.0-or-later
"""Sessions over a board, without sockets: whose lines are whose, how long they last, what becomes of requests."""

import pytest

import RPIO
from remote_parts import World, drives, error
from RPIO.board.declared import NOBODY
from RPIO.server.sessions import sessions as sessions_module
from RPIO.server.sessions.sessions import KNOWN_ANSWERS, KNOWN_FATES
from RPIO.wire.native import Client
from RPIO.wire.operations import OPERATIONS

S = 1_000_000_000


@pytest.fixture
def world(board, sim):
    return World(board, sim)


# -- whose lines are whose ----------------------------------------------------------------------


class TestOwners:
    @pytest.mark.parametrize(
        "request_",
        [
            *(
                "output 17 0",
                "input 17",
                "write 17 0",
                "write 4 1 17 0",
                "mask 0 131072",
                "limit 17 1000000 0",
            ),
            *(
                "pulse 17 5",
                "blink 17 10",
                "play 1000000 1 -1 0 17 1",
                "set_pull 17 up",
                "set_function 17 alt0",
            ),
            *("pwm 17 1000000 5", "change_pwm 17 1000000 5", "end_pwm 17"),
        ],
    )
    def test_what_one_has_the_other_cannot_change(self, world, sim, request_):
        ada, bob = world.come("ada@desk"), world.come("bob@lab")
        assert ada.ask("output 17 1") == "ok"
        answer = bob.ask(request_)
        assert error(answer) == "LineBusyError"
        assert "ada@desk" in answer
        assert (drives(sim, 17), drives(sim, 4)) == (1, None)
        assert ada.ask("write 17 0") == "ok"
        assert drives(sim, 17) == 0

    def test_what_one_has_all_can_read_and_watch(self, world, sim):
        ada, bob, cleo = world.come("ada"), world.come("bob"), world.come("cleo")
        assert ada.ask("input 4 up") == "ok"
        assert bob.ask("read 4") == bob.ask("peek 4") == "ok 1"
        assert [bob.ask("consumer 4"), ada.ask("consumer 4"), bob.ask("consumer 5")] == [
            "ok ada",
            "ok RPIO",
            'ok ""',
        ]
        assert bob.ask("watch 4") == cleo.ask("watch 4 falling") == "ok 0"
        world.play(4, [0, 1])
        assert [event.split()[:3] for event in bob.heard()] == [["edge", "4", "0"], ["edge", "4", "1"]]
        assert [event.split()[:3] for event in cleo.heard()] == [["edge", "4", "0"]]
        assert ada.heard() == []
        bob.ask("unwatch 4")
        world.play(4, [0])
        assert (len(bob.heard()), len(cleo.heard())) == (0, 1)

    def test_the_programs_lines_are_busy_and_what_others_have_is_busy_for_it(self, world, board):
        ada = world.come("ada")
        board.setup(17, RPIO.OUT, initial=1)
        assert error(ada.ask("write 17 0")) == "LineBusyError"
        assert ada.ask("output 18 1") == "ok"
        for change in (lambda: board.setup(18, RPIO.IN), lambda: board.forceoutput(18, 0)):
            with pytest.raises(RPIO.LineBusyError, match="ada"):
                change()
        assert (board.forceinput(17), board.forceinput(18)) == (1, 1)

    def test_what_is_given_back_anybody_can_have(self, world, sim):
        ada, bob = world.come("ada"), world.come("bob")
        assert [ada.ask("output 17 1"), bob.ask("release 17"), ada.ask("release 17")] == ["ok"] * 3
        assert bob.ask("output 17 0") == "ok"
        assert [error(ada.ask("write 17 1")), ada.ask("release 17"), drives(sim, 17)] == [
            "LineBusyError",
            "ok",
            0,
        ]

    def test_shortcuts_are_forgotten_with_every_change_of_hands(self, world, sim, board):
        ada, bob = world.come("ada"), world.come("bob")
        ada.ask("output 17 0")
        assert [ada.ask(f"write 17 1 #{n}") for n in (1, 2, 3)] == ["ok #1", "ok #2", "ok #3"]
        assert [ada.ask(f"read 17 #{n}") for n in (4, 5)] == ["ok 1 #4", "ok 1 #5"]
        ada.ask("release 17")
        bob.ask("output 17 0")
        assert error(ada.ask("write 17 1 #6")) == "LineBusyError"
        assert drives(sim, 17) == 0
        bob.ask("output 22 1")
        assert [bob.ask(f"write 17 {n % 2} #{n}") for n in (1, 2, 3, 4)] == [f"ok #{n}" for n in (1, 2, 3, 4)]
        board.interlock([17, 22])
        assert error(bob.ask("write 17 1 #5")) == "InterlockError"
        assert drives(sim, 17) == 0

    def test_one_write_of_two_lines_that_an_interlock_forbids_writes_none(self, world, board, sim):
        board.interlock([22, 27], "up and down")
        ada = world.come("ada")
        assert [ada.ask(f"output {line} 0") for line in (4, 22, 27)] == ["ok"] * 3
        changes = []
        sim.observer = lambda *change: changes.append(change)
        for request in ("write 4 1 22 1 27 1", f"mask {1 << 4 | 1 << 22 | 1 << 27} 0"):
            answer = ada.ask(request)
            assert error(answer) == "InterlockError"
            assert "up and down" in answer
        assert changes == []
        assert ada.ask("write 22 1") == "ok"
        assert error(ada.ask("write 27 1 22 0")) == "InterlockError"
        assert ada.ask("write 22 0 27 1") == "ok"
        assert [drives(sim, line) for line in (4, 22, 27)] == [0, 0, 1]

    def test_a_mask_writes_first_what_goes_low(self, world, sim):
        ada = world.come("ada")
        assert [ada.ask("output 5 1"), ada.ask("output 6 0"), ada.ask("output 40 1")] == ["ok"] * 3
        changes = []
        sim.observer = lambda line, level, now_ns: changes.append((line, level))
        assert ada.ask(f"mask {1 << 6} {1 << 5 | 1 << 40}") == "ok"
        assert changes == [(5, 0), (40, 0), (6, 1)]
        assert error(ada.ask("mask 64 64")) == "ValueError"


# -- how long lines are kept --------------------------------------------------------------------


class TestLinger:
    def test_who_comes_back_in_time_has_the_same_lines(self, world, sim):
        ada, bob = world.come("ada", linger_s=5), world.come("bob")
        ada.ask("output 17 1")
        ada.talk.end()
        world.wait(4.9)
        assert (error(bob.ask("output 17 0")), drives(sim, 17)) == ("LineBusyError", 1)
        again = world.come("ada", linger_s=5, session=ada.name)
        assert again.name == ada.name
        world.wait(100)
        assert (again.ask("write 17 0"), drives(sim, 17)) == ("ok", 0)
        assert again.ask("consumer 17") == "ok RPIO"

    @pytest.mark.parametrize(
        ("safe", "level"), [("low", 0), ("high", 1), ("input", None), ("keep", 1), (None, 1)]
    )
    def test_then_they_are_in_their_safe_states_and_free(self, world, board, sim, safe, level):
        if safe is not None:
            board.protect(17, safe=safe)
        ada, bob = world.come("ada", linger_s=5), world.come("bob")
        ada.ask("output 17 1")
        ada.talk.end()
        world.wait(4.9)
        assert drives(sim, 17) == 1
        world.wait(0.2)
        assert drives(sim, 17) == level
        assert bob.ask("consumer 17") == 'ok "" left'
        again = world.come("ada", linger_s=5, session=ada.name)
        assert again.name != ada.name
        assert (bob.ask("output 17 0"), error(again.ask("write 17 1"))) == ("ok", "LineBusyError")

    def test_pulses_end_with_the_session(self, world, board, sim):
        board.protect(18, safe="low")
        ada = world.come("ada", linger_s=1)
        assert [ada.ask("output 18 0"), ada.ask("blink 18 100"), ada.ask("output 19 0")] == ["ok"] * 3
        assert ada.ask("pwm 19 1000000 500000") == "ok"
        ada.talk.end()
        world.wait(1)
        seen = []
        sim.observer = lambda *change: seen.append(change)
        sim.clock.advance(2 * S)
        assert (seen, drives(sim, 18)) == ([], 0)

    @pytest.mark.parametrize("safe", ["low", "input", "keep"])
    @pytest.mark.parametrize("request_", ["pulse 17 5", "blink 17 10 1"])
    def test_who_pulses_a_line_that_was_left_has_it(self, world, board, sim, safe, request_):
        board.protect(17, safe=safe)
        ada, bob = world.come("ada"), world.come("bob")
        ada.ask("output 17 1")
        ada.talk.end()
        assert bob.ask(request_) == "ok"
        assert bob.ask("consumer 17") == "ok RPIO"
        sim.clock.advance(S)
        assert drives(sim, 17) == 0

    @pytest.mark.parametrize("linger", [None, 0])
    def test_without_linger_it_ends_at_once(self, world, board, sim, linger):
        board.protect(17, safe="low")
        ada = world.come() if linger is None else world.come("ada", linger_s=0)
        ada.ask("output 17 1")
        ada.talk.end()
        assert (drives(sim, 17), board.safety.owners[17], world.sessions.due_ns()) == (0, NOBODY, None)

    def test_bye_ends_it_at_once_whatever_it_asked_for(self, world, board, sim):
        board.protect(17, safe="low")
        ada = world.come("ada", linger_s=3600)
        ada.ask("output 17 1")
        assert ada.feed(b"bye #9\nwrite 17 1 #10\n") == ["ok #9"]
        assert (ada.talk.is_over, drives(sim, 17)) == (True, 0)
        ada.talk.end()
        assert world.come("ada", session=ada.name).name != ada.name

    def test_a_second_connection_takes_over_while_the_first_seems_alive(self, world, sim):
        ada = world.come("ada", linger_s=5)
        ada.ask("output 17 1 #1")
        assert [ada.ask(f"write 17 1 #{n}") for n in (2, 3)] == ["ok #2", "ok #3"]
        again = world.come("ada", linger_s=5, session=ada.name)
        assert ada.talk.is_over
        assert (
            ada.feed(b"write 17 0 #4\nwrite 17 0\n") == []
        )  # what was on its way there does not come any more
        assert again.ask("fate 4") == "ok never"
        ada.talk.end()
        world.wait(10)
        assert (drives(sim, 17), again.ask("write 17 0 #5")) == (1, "ok #5")

    def test_a_version_from_the_future_gets_ours(self, world):
        assert world.come().ask("hello 7 ada prog 5 #1").startswith("ok 1 ")
        assert error(world.come().ask("hello 0")) == "ValueError"

    def test_there_is_an_end_of_sessions(self, world, monkeypatch):
        monkeypatch.setattr(sessions_module, "SESSIONS_MAX", 3)
        monkeypatch.setattr(sessions_module, "SPARE", 0)
        peers = [world.come("ada", linger_s=1), world.come(), world.come()]
        with pytest.raises(OSError, match="3 sessions"):
            world.come()
        peers[1].talk.end()
        peers.append(world.come())
        with pytest.raises(OSError, match="3 sessions"):
            world.come()
        peers[0].talk.end()
        with pytest.raises(OSError, match="3 sessions"):  # it lingers
            world.come()
        world.wait(1)
        assert world.come().ask("ping") == "ok"

    def test_in_a_full_house_who_comes_back_finds_his_session(self, world, monkeypatch):
        monkeypatch.setattr(sessions_module, "SESSIONS_MAX", 1)
        monkeypatch.setattr(sessions_module, "SPARE", 1)
        ada = world.come("ada", linger_s=5)
        name = ada.talk.session.name
        ada.talk.end()
        stranger = world.come()
        assert stranger.ask("hello 1 bob prog 5").startswith('error OSError "there are 1 sessions')
        assert stranger.talk.is_over
        stranger.talk.end()
        assert world.come().ask(f"hello 1 ada prog 5 {name}").split()[2] == name


class TestFate:
    @pytest.fixture
    def ada(self, world):
        return world.come("ada", linger_s=5)

    def come_back(self, world, ada):
        ada.talk.end()
        return world.come("ada", linger_s=5, session=ada.name)

    def test_it_is_told_after_the_connection_was_lost(self, world, ada):
        assert ada.ask("output 17 0 #10") == "ok #10"
        assert error(ada.ask("read 999 #11")) == "InvalidChannelException"
        played = ada.ask("play 1000000 1 -1 0 17 1 500 17 0 #12")
        assert error(ada.ask("nonsense #13")) == error(ada.ask("write 17 up #14")) == "ValueError"
        for n in (15, 16, 17):
            assert ada.ask(f"write 17 1 #{n}") == f"ok #{n}"
        again = self.come_back(world, ada)
        fates = {n: again.ask(f"fate {n} #99").removesuffix(" #99") for n in range(10, 19)}
        assert [fates[n] for n in (10, 15, 16, 17, 18)] == ["ok done"] * 4 + ["ok never"]
        assert fates[12] == "ok done " + played.split()[1]
        assert fates[11].startswith("ok failed InvalidChannelException ")
        assert fates[13].startswith("ok failed ValueError ")
        assert fates[14].startswith("ok failed ValueError ")

    def test_what_was_interrupted_is_unknown(self, world, ada, sim, monkeypatch):
        def interrupt(*_):
            raise KeyboardInterrupt

        monkeypatch.setattr(sim, "set_output", interrupt)
        with pytest.raises(KeyboardInterrupt):
            ada.ask("output 17 1 #5")
        monkeypatch.undo()
        again = self.come_back(world, ada)
        assert [again.ask(f"fate {n} #{n + 10}") for n in (5, 6)] == ["ok unknown #15", "ok never #16"]
        assert again.ask("ping #17") == "ok #17"
        assert again.ask("fate 5 #18") == "ok unknown #18"

    def test_a_failure_is_never_said_to_have_been_done(self, world, ada):
        count = KNOWN_ANSWERS + 10
        for number in range(1, count + 1):
            assert error(ada.ask(f"read 999 #{number}")) == "InvalidChannelException"
        again = self.come_back(world, ada)
        assert (again.ask("fate 1"), again.ask(f"fate {count}").split()[1]) == ("ok unknown", "failed")

    def test_what_is_long_past_is_unknown_and_never_said_not_to_have_come(self, world, ada):
        count = KNOWN_FATES + 100
        for first in range(1, count, 500):
            ada.feed(b"".join(b"ping #%d\n" % n for n in range(first, min(first + 500, count + 1))))
        again = self.come_back(world, ada)
        assert [again.ask(f"fate {n}") for n in (1, count, count + 1)] == [
            "ok unknown",
            "ok done",
            "ok never",
        ]

    @pytest.mark.parametrize("number", ["007", "7"])
    def test_a_number_is_a_number_however_it_is_written(self, world, ada, number):
        ada.ask("output 17 0")
        for _ in range(3):
            assert ada.ask(f"write 17 1 #{number}") == "ok #7"
        assert self.come_back(world, ada).ask("fate 7") == "ok done"


def test_a_name_is_said_once_and_stays(world):
    """Who calls himself otherwise from one second to the next is in the books under his first name."""
    anna = world.come("anna")
    assert anna.ask("output 17 1") == "ok"
    assert anna.hello("bert") == anna.name
    assert world.come("carl").ask("consumer 17") == "ok anna"


def test_a_name_is_fit_to_be_shown(world):
    anna = world.come()
    anna.ask('hello 1 "\\u001b[2J\\ud800an\\nna" "\\u009b31m" 0 ""')
    told = anna.ask("sessions")
    assert '"?[2J?an?na, ?31m"' in told and told.isprintable()


def test_a_name_that_is_long_keeps_nobody_from_seeing_who_is_there(world):
    anna = world.come()
    anna.ask(f'hello 1 {"a" * 200} {"b" * 200} 0 ""')
    answer = Client().feed(f"{anna.ask('sessions #1')}\n".encode())[0]
    ((_, name, *_),) = answer.values(OPERATIONS["sessions"])[0]
    assert len(name) == 200 and name.startswith("aaa") and name.endswith("...")


@pytest.mark.parametrize("name", ["rpio hold", "RPIO", "nobody", "this program"])
def test_nobody_has_a_name_of_ours(world, name):
    anna = world.come(name)
    assert anna.ask("output 17 1") == "ok"
    assert world.come("bert").ask("consumer 17") == f'ok "session 1, {name}"'
