# SPDX-License-Identifier: LGPL-3.0-or-later
"""Edges and pulses of sessions, without sockets."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import RPIO
from remote_parts import World, drives, error, worlds
from RPIO.server.sessions import sessions as sessions_module
from RPIO.server.sessions import talks
from support import EMULATED, drain

MS, S = 1_000_000, 1_000_000_000


@pytest.fixture
def world(board, sim):
    return World(board, sim)


@pytest.fixture
def ada(world):
    peer = world.come("ada", linger_s=5)
    assert peer.ask("input 4 down") == "ok"
    return peer


def edges(events):
    """(level, number, lost before it) of what was told."""
    found = [event.split() for event in events]
    assert all(words[:2] == ["edge", "4"] for words in found), events
    return [(int(level), int(seq), int(lost)) for _, _, level, _, seq, lost in found]


# -- watches ------------------------------------------------------------------------------------


class TestWatch:
    def test_edges_are_numbered_and_have_the_devices_time(self, world, ada, sim):
        assert ada.ask("watch 4") == "ok 0"
        sim.clock.advance(7 * MS)
        world.play(4, [1])
        sim.clock.advance(5 * MS)
        world.play(4, [0])
        assert ada.heard() == [f"edge 4 1 {7 * MS} 1 0", f"edge 4 0 {12 * MS} 2 0"]

    def test_the_level_comes_first_with_the_number_0(self, world, ada):
        assert ada.ask("watch 4 both 0 0 yes") == "ok 0"
        world.play(4, [1, 0])
        assert edges(ada.heard()) == [(0, 0, 0), (1, 1, 0), (0, 2, 0)]
        world.play(4, [1])
        assert ada.ask("watch 4 falling 0 0 yes") == "ok 3"
        world.play(4, [0, 1, 0])
        assert edges(ada.heard()) == [(1, 3, 0), (1, 0, 0), (0, 4, 0), (0, 5, 0)]

    def test_a_second_watch_is_a_change_and_the_numbers_go_on(self, world, ada):
        ada.ask("watch 4 rising")
        world.play(4, [1, 0, 1, 0])
        assert ada.ask("watch 4 falling") == "ok 2"
        world.play(4, [1, 0])
        assert edges(ada.heard()) == [(1, 1, 0), (1, 2, 0), (0, 3, 0)]
        assert ada.ask("unwatch 4") == "ok"
        world.play(4, [1, 0])
        assert ada.heard() == []
        assert (ada.ask("unwatch 4"), ada.ask("watch 4")) == ("ok", "ok 0")

    def test_hold_off_passes_over_what_comes_too_soon(self, world, ada, sim):
        ada.ask("watch 4 rising 0 10000")
        for _ in range(5):
            world.play(4, [1, 0])
            sim.clock.advance(4 * MS)  # at 0, 4, 8, 12, 16
        assert edges(ada.heard()) == [(1, 1, 0), (1, 2, 0)]
        assert ada.ask("losses 4") == "ok 0"  # nobody has lost what he did not want

    def test_a_filter_lets_through_what_lasts(self, world, ada, sim):
        ada.ask("watch 4 both 5000")
        for level, ms in ((1, 4), (0, 4), (1, 6), (0, 6)):
            world.play(4, [level])
            sim.clock.advance(ms * MS)
        drain(world.board)
        assert edges(ada.heard()) == [(1, 1, 0), (0, 2, 0)]

    def test_one_line_has_one_filter(self, world, ada):
        bob = world.come("bob")
        ada.ask("watch 4 both 5000")
        assert error(bob.ask("watch 4")) == "ValueError"
        assert (ada.ask("watch 4"), bob.ask("watch 4")) == ("ok 0", "ok 0")

    @pytest.mark.parametrize("by", ["another", "the program", "a safe state"])
    def test_it_ends_with_a_word_when_another_makes_an_output_of_the_line(self, world, board, by):
        board.protect(5, safe="low")
        ada, bob = world.come("ada"), world.come("bob")
        if by == "a safe state":
            bob.ask("input 5")
        assert ada.ask("watch 5") == "ok 0"
        if by == "another":
            assert bob.ask("output 5 0") == "ok"
            bob.ask("write 5 1")
        elif by == "the program":
            board.setup(5, RPIO.OUT, initial=0)
            board.output(5, 1)
        else:
            bob.talk.end()
        (ended,) = ada.heard()
        assert ended.startswith('ended 5 "')
        assert bob.heard() == []
        drain(board)
        assert ada.heard() == []
        assert error(ada.ask("watch 5")) == "WrongDirectionException"
        assert ada.ask("losses 5") == "ok 0"

    def test_ones_own_output_ends_it_without_a_word_and_one_that_fails_leaves_it(self, world, ada, board):
        board.protect(4, read_only=True)
        ada.ask("watch 4")
        assert error(ada.ask("output 4 0")) == "ReadOnlyError"
        world.play(4, [1])
        assert edges(ada.heard()) == [(1, 1, 0)]
        board.protect(4, read_only=False)
        assert ada.ask("output 4 0") == "ok"
        assert ada.heard() == []

    def test_an_output_cannot_be_watched(self, world, ada):
        ada.ask("output 5 0")
        assert error(ada.ask("watch 5")) == "WrongDirectionException"

    def test_who_is_away_is_told_everything_afterwards(self, world, ada):
        ada.ask("watch 4")
        world.play(4, [1, 0])
        ada.talk.end()
        heard = ada.heard()
        world.play(4, [1, 0, 1])
        again = world.come("ada", linger_s=5, session=ada.name)
        world.play(4, [0])
        assert [seq for _, seq, _ in edges(heard + again.heard())] == [1, 2, 3, 4, 5, 6]
        assert again.ask("watch 4") == "ok 6"

    def test_what_does_not_fit_is_lost_and_told(self, world, ada, monkeypatch):
        monkeypatch.setattr(sessions_module, "RING_BYTES", 200)
        ada.ask("watch 4")
        ada.talk.end()
        world.play(4, [1, 0] * 50)
        again = world.come("ada", linger_s=5, session=ada.name)
        *kept, last = again.heard()
        assert 5 < len(kept) < 20
        assert [seq for _, seq, _ in edges(kept)] == list(range(1, len(kept) + 1))
        assert last == f"lost 4 {100 - len(kept)}"
        assert again.ask("losses 4") == f"ok {100 - len(kept)}"
        world.play(4, [1])
        assert edges(again.heard()) == [(1, 101, 0)]

    def test_what_the_kernel_drops_is_counted_too(self, world, ada):
        ada.ask("watch 4")
        world.play(4, [1, 0])
        for level in [1, 0] * 1000:  # more than its buffer has, and nobody reads it
            world.sim.drive(4, level)
        drain(world.board)
        found = edges(ada.heard())
        assert found[-1][:2] == (0, 2002)
        assert len(found) + sum(lost for _, _, lost in found) == 2002
        assert [seq - lost - before for (_, before, _), (_, seq, lost) in itertools.pairwise(found)] == (
            [1] * (len(found) - 1)
        )

    def test_who_does_not_read_is_not_read_and_costs_no_more_than_his_share(self, world, sim, monkeypatch):
        monkeypatch.setattr(talks, "OUT_BYTES", 2000)
        monkeypatch.setattr(sessions_module, "RING_BYTES", 1000)
        deaf, bob = world.come("deaf", linger_s=5), world.come("bob")
        deaf.ask("input 4 down")
        deaf.ask("watch 4")
        bob.ask("watch 4")
        deaf.reads = False
        for _ in range(100):
            world.play(4, [1, 0] * 10)
            bob.read()
        assert not deaf.talk.has_room
        assert deaf.talk.waiting_bytes < 2000 + 100
        assert sum(map(len, deaf.talk.out)) == deaf.talk.waiting_bytes
        assert len(bob.heard()) == 2000
        deaf.reads = True
        deaf.read()
        told_, lost = len(deaf.events) - 1, deaf.events[-1]
        assert lost == f"lost 4 {2000 - told_}"
        assert deaf.ask("losses 4") == f"ok {2000 - told_}"


STEPS = st.lists(
    st.one_of(
        st.integers(1, 60),
        st.sampled_from(["reads", "is deaf", "goes", "comes", "watches", "takes over"]),
    ),
    max_size=30,
)


@given(STEPS)
@settings(max_examples=15 if EMULATED else 60)
def test_edges_told_and_lost_are_all_that_there_were(steps):
    """Whatever reads, goes and comes: the numbers leave nothing out that is not told to be lost."""
    with worlds() as world, pytest.MonkeyPatch.context() as patch:
        patch.setattr(talks, "OUT_BYTES", 300)
        patch.setattr(sessions_module, "RING_BYTES", 150)
        peer = world.come("ada", linger_s=5)
        name, played, heard, is_away = peer.name, 0, [], False
        peer.ask("input 4 down")
        peer.ask("watch 4")
        for step in [*steps, "comes", "reads"]:
            if isinstance(step, int):
                world.play(4, [(played + n + 1) % 2 for n in range(step)])
                played += step
            elif step in ("reads", "is deaf"):
                peer.reads = step == "reads"
            elif step == "watches" and peer.reads and not is_away:
                assert peer.ask("watch 4") == f"ok {played}"
            elif step == "goes":
                heard += (
                    peer.heard()
                )  # what was sent has come: a socket that is closed delivers it, or tells of it
                peer.talk.end()
                is_away = True
            elif (step == "comes" and is_away) or step == "takes over":
                heard += peer.heard()
                peer, is_away = world.come("ada", linger_s=5, session=name), False
                assert peer.name == name
            if peer.reads and not is_away:
                heard += peer.heard()
        heard += peer.heard()
        at = 0
        for event in heard:
            word, _, *numbers = event.split()
            if word == "edge":
                _, _, seq, lost = map(int, numbers)
                assert seq == at + lost + 1
                at = seq
            else:
                assert word == "lost"
                at += int(numbers[0])
        assert at == played
        lost = sum(int(e.split()[-1]) for e in heard)
        assert peer.ask("losses 4") == f"ok {lost}"


# -- pulses -------------------------------------------------------------------------------------


class TestPulses:
    @pytest.fixture
    def changes(self, sim):
        found = []
        sim.observer = lambda line, level, now_ns: found.append((line, level, now_ns))
        return found

    def test_a_pulse_is_as_long_as_was_asked(self, ada, sim, changes):
        assert ada.ask("output 17 0") == "ok"
        sim.clock.advance(3 * MS)
        assert ada.ask("pulse 17 2.5") == "ok"
        sim.clock.advance(S)
        assert changes == [(17, 1, 3 * MS), (17, 0, 5_500_000)]
        assert ada.ask("pulse 17 1") == "ok"
        sim.clock.advance(S)
        assert len(changes) == 4

    def test_a_pulse_of_the_other_level_on_a_line_that_was_no_output(self, ada, sim, changes):
        assert ada.ask("pulse 5 10 low") == "ok"  # it has a pull-up, and would be high
        sim.clock.advance(S)
        assert changes == [(5, 0, 0), (5, 1, 10 * MS)]
        assert drives(sim, 5) == 1

    def test_blinking_is_for_half_of_each_period(self, ada, sim, changes):
        assert ada.ask("blink 17 100 3") == "ok"
        sim.clock.advance(10 * S)
        assert changes == [(17, n % 2 == 0, n * 50 * MS) for n in range(6)]

    def test_blinking_without_end_goes_on_until_it_is_ended(self, ada, sim, changes):
        ada.ask("blink 17 100")
        sim.clock.advance(10 * S - 1)
        assert len(changes) == 200
        assert ada.ask("output 17 0") == "ok"
        sim.clock.advance(S)
        assert (len(changes), drives(sim, 17)) == (200, 0)

    def test_a_wave_is_its_owners_alone(self, world, ada, sim, changes):
        bob = world.come("bob")
        ada.ask("output 17 0")
        number = ada.ask("play 1000000 0 -1 0 17 1 500000 17 0").split()[1]
        assert ada.ask(f"wave {number}").startswith("ok playing ")
        assert (bob.ask(f"wave {number}"), bob.ask(f"stop_wave {number}")) == ("ok gone 0", "ok")
        assert ada.ask(f"wave {number}").startswith("ok playing ")
        assert ada.ask(f"stop_wave {number}") == "ok"
        assert ada.ask(f"wave {number}").startswith("ok gone ")
