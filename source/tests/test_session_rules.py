# SPDX-License-Identifier: LGPL-3.0-or-later
"""What sessions leave behind, and what rules say of it: nothing drives a line that nobody answers for."""

import errno

import pytest

import RPIO
from remote_parts import World, drives, error
from support import drain

S = 1_000_000_000
WAVE = "play 1000000 0 -1 0 17 1 500000 17 0"


@pytest.fixture
def world(board, sim):
    return World(board, sim)


@pytest.fixture
def ada(world):
    return world.come("ada", linger_s=1)


def changes_in(sim, s=2):
    """What changes in so many seconds."""
    found = []
    sim.observer = lambda *change: found.append(change)
    sim.clock.advance(round(s * S))
    sim.observer = None
    return found


def fails(*at):
    """Does not work on these lines, as a chip with a fault; *real* is what does on others."""

    def broken(real):
        def call(line, *values):
            if line in at:
                raise OSError(errno.EIO, "broken")
            return real(line, *values)

        return call

    return broken


# -- who drives a line has it -------------------------------------------------------------------


@pytest.mark.parametrize(
    "request_", ["write 17 1", "mask 131072 0", "pwm 17 1000000 500000", WAVE, "limit 17 1000000 1"]
)
def test_what_was_left_is_nobodys_until_it_is_set_up(world, ada, board, sim, request_):
    board.protect(17, safe="low")
    bob = world.come("bob")
    ada.ask("output 17 0")
    ada.ask("bye")
    assert error(bob.ask(request_)) == "WrongDirectionException"
    assert bob.ask("output 17 1") == bob.ask(request_).partition(" ")[0] == "ok"
    bob.talk.end()
    assert (changes_in(sim), drives(sim, 17)) == ([], 0)


def test_the_program_too_sets_up_what_was_left(ada, board, sim):
    ada.ask("output 17 0")
    ada.ask("bye")
    with pytest.raises(RPIO.WrongDirectionException):
        board.output(17, 1)
    board.setup(17, RPIO.OUT)
    board.output(17, 1)
    assert drives(sim, 17) == 1


@pytest.mark.parametrize("request_", ["write 17 1", "pwm 17 1000000 500000", WAVE])
def test_who_drives_what_another_program_has_as_an_output_has_it(world, ada, board, sim, request_):
    board.protect(17, safe="low")
    sim.set_output(17, 0)  # by nobody that the board knows
    assert ada.ask(request_).startswith("ok")
    assert ada.ask("consumer 17") == "ok RPIO"
    assert error(world.come("bob").ask("write 17 0")) == "LineBusyError"
    ada.ask("bye")
    assert (changes_in(sim), drives(sim, 17)) == ([], 0)


def test_a_line_that_is_none_is_nobodys(ada, board):
    for request in ("write 99 1", "pwm 99 1000000 5"):
        assert error(ada.ask(request)) == "InvalidChannelException"
    assert 99 not in board.safety.owners
    assert ada.ask("bye") == "ok"


# -- the end ------------------------------------------------------------------------------------


def test_a_line_that_cannot_go_safe_keeps_no_other_one_and_no_session_from_it(
    world, ada, board, sim, monkeypatch, caplog
):
    for line in (17, 18, 22):
        board.protect(line, safe="low")
    bob = world.come("bob", linger_s=1)
    for peer, line in ((ada, 17), (ada, 22), (bob, 18)):
        peer.ask(f"output {line} 1")
    ada.talk.end()
    bob.talk.end()
    monkeypatch.setattr(sim, "set_output", fails(17)(sim.set_output))
    world.wait(3)
    assert [drives(sim, line) for line in (17, 18, 22)] == [1, 0, 0]
    assert (world.sessions.named, world.sessions.due_ns()) == ({}, None)
    assert "GPIO 17 is not in its safe state" in caplog.text
    monkeypatch.undo()
    board.cleanup()  # tries again
    assert drives(sim, 17) == 0


@pytest.mark.parametrize("linger_s", [0, 5])
@pytest.mark.parametrize("how", ["bye", "gone"])
def test_who_is_interrupted_in_the_end_of_a_session_has_it_ended_by_the_next_tick(
    world, board, sim, monkeypatch, linger_s, how
):
    def interrupt(*_):
        raise KeyboardInterrupt

    board.protect(17, safe="low")
    ada = world.come("ada", linger_s=linger_s)
    ada.ask("output 17 1")
    monkeypatch.setattr(sim, "set_output", interrupt)
    if how == "bye":
        with pytest.raises(KeyboardInterrupt):
            ada.ask("bye")
    elif linger_s:
        ada.talk.end()
        world.now_ns += 6 * S
        with pytest.raises(KeyboardInterrupt):
            world.sessions.tick()
    else:
        with pytest.raises(KeyboardInterrupt):
            ada.talk.end()
    monkeypatch.undo()
    if how == "bye":
        ada.talk.end()  # as a Link does then
    world.wait(6)
    assert (drives(sim, 17), world.sessions.named) == (0, {})


def test_pulses_stay_known_where_a_new_use_of_the_line_fails(ada, sim, monkeypatch):
    assert [ada.ask("output 17 0"), ada.ask("pwm 17 1000000 500000")] == ["ok", "ok"]
    monkeypatch.setattr(sim, "set_output", fails(17)(sim.set_output))
    assert error(ada.ask("output 17 1")) == "OSError"
    monkeypatch.undo()
    ada.ask("bye")
    assert changes_in(sim) == []


@pytest.mark.parametrize("name, request_", [("pwm", "pwm 17 1000000 500000"), ("play", WAVE)])
def test_pulses_that_were_interrupted_as_they_began_end_with_the_session(
    ada, sim, monkeypatch, name, request_
):
    real = getattr(sim, name)

    def interrupted(*values):
        real(*values)
        raise KeyboardInterrupt

    ada.ask("output 17 0")
    monkeypatch.setattr(sim, name, interrupted)
    with pytest.raises(KeyboardInterrupt):
        ada.ask(request_)
    monkeypatch.undo()
    ada.talk.end()
    ada.talk.session.end()
    assert changes_in(sim) == []


@pytest.mark.parametrize("request_", ["pwm 17 1000000 500000", WAVE])
def test_pulses_of_sessions_end_with_the_program(ada, board, sim, request_):
    ada.ask("output 17 0")
    assert ada.ask(request_).startswith("ok")
    board.shut_down()
    assert (changes_in(sim), drives(sim, 17)) == ([], 0)


# -- rules --------------------------------------------------------------------------------------


def test_no_limit_switches_on_what_an_interlock_names(ada, board, sim):
    board.interlock([22, 27])
    assert [ada.ask("output 22 0"), ada.ask("output 27 1")] == ["ok", "ok"]
    assert error(ada.ask("limit 22 1000000 1")) == "InterlockError"
    assert ada.ask("limit 27 1000000 0") == "ok"
    sim.clock.advance(S)
    assert (drives(sim, 22), drives(sim, 27)) == (0, 0)


@pytest.mark.parametrize("by", ["another", "the program"])
def test_a_limit_of_who_has_gone_does_nothing_to_who_comes(world, ada, board, sim, by):
    ada.ask("output 17 0")
    ada.ask("limit 17 1000000000 1")
    ada.ask("bye")
    if by == "another":
        assert world.come("bob").ask("output 17 0") == "ok"
    else:
        board.setup(17, RPIO.OUT, initial=0)
    assert (changes_in(sim), drives(sim, 17)) == ([], 0)


def test_a_limit_outlasts_who_has_set_it_where_nobody_comes(ada, sim):
    ada.ask("output 17 1")
    ada.ask("limit 17 1000000000 0")
    ada.ask("bye")
    assert drives(sim, 17) == 1
    sim.clock.advance(S)
    assert drives(sim, 17) == 0


def test_a_function_that_hides_when_a_line_is_on_is_refused_where_a_rule_has_to_know(ada, board, sim):
    board.protect(17, longest_on_s=1)
    board.interlock([22, 27])
    for request in ("set_function 17 alt0", "set_function 17 out", "set_function 22 alt0"):
        assert error(ada.ask(request)) in ("RuleError", "InterlockError")
    assert drives(sim, 17) is None
    assert [ada.ask("set_function 17 in"), ada.ask("set_function 4 alt0")] == ["ok", "ok"]


def test_a_shortcut_is_forgotten_where_a_rule_came_in_the_middle_of_another_request(
    ada, board, sim, monkeypatch
):
    for line, level in ((17, 0), (22, 1), (4, 0)):
        ada.ask(f"output {line} {level}")
    assert [ada.ask(f"write 17 {n % 2} #{n + 1}") for n in range(4)] == [f"ok #{n + 1}" for n in range(4)]
    ada.ask("write 17 0")
    real = sim.write

    def write(line, level):
        board.interlock([17, 22])  # as another thread, or a signal handler
        real(line, level)

    monkeypatch.setattr(sim, "write", write)
    assert ada.ask("write 4 1 #5") == "ok #5"
    monkeypatch.undo()
    assert error(ada.ask("write 17 1 #6")) == "InterlockError"


# -- watches ------------------------------------------------------------------------------------


def test_a_change_of_the_filter_that_is_refused_leaves_the_watch(world, ada):
    bob = world.come("bob")
    assert [ada.ask("watch 4"), bob.ask("watch 4")] == ["ok 0", "ok 0"]
    assert error(ada.ask("watch 4 both 5000")) == "ValueError"
    world.play(4, [1, 0] if not world.sim.read(4) else [0, 1])
    assert (len(ada.heard()), len(bob.heard())) == (2, 2)


def test_a_change_of_the_filter_that_fails_is_told(world, ada, sim, monkeypatch):
    ada.ask("watch 4")
    monkeypatch.setattr(sim, "watch", fails(4)(sim.watch))
    assert error(ada.ask("watch 4 both 5000")) == "OSError"
    (ended,) = ada.heard()
    assert ended.startswith("ended 4 ")


def test_what_was_lost_before_somebody_watched_is_none_of_his_losses(world, ada, sim, board):
    bob = world.come("bob")
    ada.ask("input 4 down")
    ada.ask("watch 4")
    for level in [1, 0] * 1000:
        sim.drive(4, level)
    drain(board)
    assert ada.ask("losses 4") != "ok 0"
    bob.ask("watch 4")
    world.play(4, [1])
    assert [event.split()[-2:] for event in bob.heard()] == [["1", "0"]]
    assert bob.ask("losses 4") == "ok 0"


def test_the_end_of_a_watch_is_told_where_no_edge_has_room_any_more(world, ada, board, monkeypatch):
    monkeypatch.setattr("RPIO.server.sessions.sessions.RING_BYTES", 200)
    ada.ask("input 4 down")
    ada.ask("release 4")
    ada.ask("watch 4")
    ada.talk.end()
    world.play(4, [1, 0] * 50)
    board.setup(4, RPIO.OUT)
    *edges, lost, ended = world.come("ada", session=ada.name).heard()
    assert lost == f"lost 4 {100 - len(edges)}"
    assert ended.startswith("ended 4 ")
