# SPDX-License-Identifier: LGPL-3.0-or-later
"""Levels that outlive programs: lines that a server holds, and sets again."""

import errno
import os
import stat

import pytest

from remote_parts import World, drives, error
from RPIO import errors
from RPIO.backends.sim import SimBackend
from RPIO.backends.sim_time import ManualClock
from RPIO.board.board import Board
from RPIO.machine.boards import by_name
from RPIO.server.sessions.hold import Holds


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "state" / "holds.json")


@pytest.fixture
def world(board, sim, path):
    return World(board, sim, holds=Holds(board.leases, path))


def test_a_level_is_held_when_its_session_has_gone(world, sim):
    anna = world.come("anna")
    assert anna.ask("hold 17 1 27 0") == "ok"
    assert anna.ask("holds") == "ok 17 1 27 0"
    assert anna.ask("bye") == "ok"
    assert (drives(sim, 17), drives(sim, 27)) == (1, 0)
    bert = world.come("bert")
    assert "rpio hold" in bert.ask("output 17 0") and error(bert.ask("write 17 0")) == "LineBusyError"
    assert bert.ask("unhold 17") == "ok"
    assert bert.ask("holds") == "ok 27 0"
    assert drives(sim, 17) == 1  # without a safe state it stays
    assert bert.ask("output 17 0") == "ok"


def test_who_holds_no_longer_leaves_the_safe_state(world, board, sim):
    board.protect(17, safe="low")
    anna = world.come("anna")
    anna.ask("hold 17 1")
    assert anna.ask("unhold 17") == "ok"
    assert drives(sim, 17) == 0
    assert "GPIO 17 is not held; nothing is" in anna.ask("unhold 17")


def test_what_a_rule_or_another_forbids_is_not_held_and_nothing_of_it(world, board, sim, path):
    board.interlock([17, 27])
    anna, bert = world.come("anna"), world.come("bert")
    assert error(anna.ask("hold 17 1 27 1")) == "InterlockError"
    assert bert.ask("output 4 1") == "ok"
    assert error(anna.ask("hold 5 1 4 1")) == "LineBusyError"
    assert anna.ask("holds") == "ok" and drives(sim, 5) is None
    assert not os.path.exists(path)


def again(path, prepare=None, rules=None):
    """What another server makes of it: a board, its backend, and its holds."""
    sim = SimBackend(by_name("4B"), ManualClock())
    board = Board()
    board.use(sim, sim.hardware)
    if prepare is not None:
        prepare(sim)
    if rules is not None:
        rules(board)
    holds = Holds(board.leases, path)
    holds.set_again()
    return board, sim, holds


def test_it_is_held_again_after_a_new_start_without_an_edge(world, path):
    world.come("anna").ask("hold 17 1 27 0")
    edges = []

    def prepare(sim):
        sim.set_output(17, 1)  # as registers are when the server was killed
        sim.set_output(27, 0)
        write = sim.write
        sim.write = lambda line, level: (edges.append((line, level)), write(line, level))

    board, sim, holds = again(path, prepare)
    with board:
        assert (drives(sim, 17), drives(sim, 27)) == (1, 0)
        assert holds.held() == [(17, 1), (27, 0)] and not edges


def test_the_level_is_there_before_the_direction(world, path):
    world.come("anna").ask("hold 17 1")
    seen = []

    def prepare(sim):
        set_output = sim.set_output
        sim.set_output = lambda line, level: (seen.append((line, level)), set_output(line, level))

    board, _, _ = again(path, prepare)
    with board:
        assert seen == [(17, 1)]


def test_what_cannot_be_held_again_is_told_of_and_the_rest_is(world, path, caplog):
    world.come("anna").ask("hold 17 1 27 1 4 1")
    board, sim, holds = again(path, rules=lambda board: board.interlock([17, 27]))
    with board:
        assert len(holds.held()) == 2 and drives(sim, 4) == 1
        assert "is not held" in caplog.text


def test_what_could_not_be_held_again_is_tried_at_the_next_start_whatever_was_held_meanwhile(world, path):
    world.come("anna").ask("hold 17 1 27 1")
    board, sim, holds = again(path, rules=lambda board: board.interlock([17, 27]))
    with board:
        assert holds.held() == [(17, 1)]
        holds.hold([(4, 1)])
        holds.release([17])
    board, sim, holds = again(path)
    with board:
        assert holds.held() == [(4, 1), (27, 1)] and drives(sim, 27) == 1


def test_what_could_not_be_held_again_is_released_or_held_otherwise(world, path):
    world.come("anna").ask("hold 17 1 27 1 22 1")
    board, _, holds = again(path, rules=lambda board: board.interlock([17, 22, 27]))
    with board:
        assert holds.held() == [(17, 1)]
        holds.release([27])
        holds.hold([(22, 0)])
        with pytest.raises(ValueError, match="GPIO 27 is not held"):
            holds.release([27])
    board, _, holds = again(path)
    with board:
        assert holds.held() == [(17, 1), (22, 0)]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"x": 1}', "7"])
def test_a_broken_file_is_told_of_and_holds_nothing(path, tmp_path, caplog, text):
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "holds.json").write_text(text)
    board, _, holds = again(path)
    with board:
        assert holds.held() == [] and "what was held is not known" in caplog.text


def test_what_cannot_be_remembered_is_not_held(board, sim, tmp_path):
    (tmp_path / "file").write_text("")
    holds = Holds(board.leases, str(tmp_path / "file" / "holds.json"))
    with pytest.raises(OSError):
        holds.hold([(17, 1)])
    assert holds.held() == [] and drives(sim, 17) is None


def test_a_line_that_may_change_once_a_second_can_be_held(world, board, sim):
    board.protect(17, changes_per_s=1)
    assert world.come("anna").ask("hold 17 1") == "ok" and drives(sim, 17) == 1


def test_a_line_that_may_be_on_only_so_long_is_not_held_on(world, board, sim, path):
    board.protect(17, longest_on_s=5)
    anna = world.come("anna")
    assert error(anna.ask("hold 17 1")) == "RuleError" and anna.ask("holds") == "ok"
    assert drives(sim, 17) is None and not os.path.exists(path)
    assert anna.ask("hold 17 0") == "ok"


def test_a_line_that_the_system_does_not_give_leaves_all_as_it_was(world, sim, path):
    anna = world.come("anna")
    assert anna.ask("hold 17 1") == "ok"
    with open(path, encoding="utf-8") as file:
        before = file.read()
    set_output = sim.set_output

    def busy(line, level):
        if line == 27:
            raise OSError(errno.EBUSY, "Device or resource busy")
        set_output(line, level)

    sim.set_output = busy
    assert error(anna.ask("hold 17 0 4 1 27 1")) == "OSError"
    assert anna.ask("holds") == "ok 17 1" and drives(sim, 17) == 1
    assert anna.ask("output 4 0") == "ok"
    with open(path, encoding="utf-8") as file:
        assert file.read() == before


def test_nobody_else_may_change_what_is_remembered(world, path):
    before = os.umask(0)
    try:
        assert world.come("anna").ask("hold 17 1") == "ok"
    finally:
        os.umask(before)
    assert not stat.S_IMODE(os.stat(path).st_mode) & 0o022
    assert not stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode) & 0o022


def test_programs_that_serve_hold_nothing(board, sim):
    world = World(board, sim)
    for text in ("holds", "hold 17 1", "unhold 17", "audit"):
        assert error(world.come("anna").ask(text)) == errors.NotSupportedError.__name__
