# SPDX-License-Identifier: LGPL-3.0-or-later
"""RPIO.Board: an object with the names of the module, several at once; and the grants that a rule takes back."""

import inspect
import threading
from unittest.mock import Mock

import pytest

import RPIO
from RPIO import Board, constants, errors, facade
from RPIO.backends.sim import SimBackend
from RPIO.backends.sim_time import ManualClock
from RPIO.machine.boards import by_name
from waiting import LIMIT_S, wait_until

NOT_A_BOARDS = {"install_as_rpi_gpio", "version", "connect", "serve_remote"}
"""Of the process, whatever boards there are, and what makes one, or serves that of the module."""


def functions():
    return {name for name in RPIO.__all__ if inspect.isroutine(getattr(RPIO, name))} - NOT_A_BOARDS


def simulated(model="4B", **more):
    board = Board(**more)
    backend = SimBackend(by_name(model), ManualClock())
    board.use(backend, by_name(model))
    return board, backend


def bare(function):
    found = inspect.signature(function)
    return [(p.name, p.kind, p.default) for p in found.parameters.values() if p.name != "self"]


def test_a_board_has_every_function_with_the_same_parameters():
    for name in functions() - {"output", "input"}:  # which are C functions
        assert bare(getattr(Board, name))[: len(bare(getattr(RPIO, name)))] == bare(getattr(RPIO, name)), name
    assert {"output", "input"} <= set(vars(Board))


def test_the_facade_is_one_call_of_each(monkeypatch):
    for name in functions() - {"output", "input", "use"}:
        # It takes any call and does none: what is asked here is which one comes, and that it is one.
        stub = Mock()
        monkeypatch.setattr(facade, "board", stub)
        function = getattr(facade, name)
        needed = [p for p in inspect.signature(function).parameters.values() if p.default is p.empty]
        function(*[1 for p in needed if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)])
        monkeypatch.undo()
        assert [call[0] for call in stub.method_calls] == [name]


def test_it_is_cleaned_up_and_closed_at_the_end_of_its_block():
    with Board("sim:3B+") as board:
        board.setup(17, RPIO.OUT, initial=1)
        backend = board.backend
        assert board.describe() == "simulated Raspberry Pi 3 Model B+ (54 lines)"
        assert (board.getmode(), board.gpio_function(17), board.input(17)) == (RPIO.BCM, RPIO.OUT, 1)
    assert backend.function(17) == RPIO.IN
    assert board.is_idle


def test_boards_do_not_hear_of_each_other():
    (first, one), (second, two) = simulated(), simulated("3B+")
    got = []
    for board, name in ((first, "first"), (second, "second")):
        board.setup(18, RPIO.OUT, initial=0)
        board.setup(17, RPIO.IN)
        board.add_event_detect(17, RPIO.BOTH, lambda channel, name=name: got.append((name, channel)))
    first.setmode(RPIO.BOARD)
    first.output(12, 1)
    assert (one.read(18), two.read(18)) == (1, 0)
    one.drive(17, 1)
    assert wait_until(lambda: got == [("first", 11)])
    two.drive(17, 1)
    assert wait_until(lambda: got == [("first", 11), ("second", 17)])
    first.close()
    two.drive(17, 0)
    assert wait_until(lambda: len(got) == 3)
    second.close()
    RPIO.setup(17, RPIO.IN)  # and the module's board knows of neither
    RPIO.cleanup()


@pytest.mark.parametrize("closes_first", ["inner", "outer"])
def test_one_loop_serves_two_boards(closes_first):
    outer, there = simulated()
    inner, here = simulated(within=outer)
    got, threads = [], set()

    def note(name):
        def callback(gpio, level):
            threads.add(threading.get_ident())
            got.append((name, level))

        return callback

    outer.add_interrupt_callback(17, note("outer"))
    inner.add_interrupt_callback(17, note("inner"))
    outer.wait_for_interrupts(threaded=True)
    with pytest.raises(errors.AlreadyRunningError):
        inner.wait_for_interrupts()
    for level in (1, 0):
        there.drive(17, level)
        assert wait_until(lambda level=level: ("outer", level) in got)
        here.drive(17, level)
        assert wait_until(lambda level=level: ("inner", level) in got)
    assert len(threads) == 1
    for board in (inner, outer) if closes_first == "inner" else (outer, inner):
        board.close()
    if closes_first == "outer":
        inner.close()
    assert outer.is_idle and inner.is_idle


def test_a_board_whose_outer_loop_has_gone_runs_its_own():
    outer, _ = simulated()
    inner, here = simulated(within=outer)
    got = threading.Event()
    inner.add_interrupt_callback(17, lambda gpio, level: got.set())
    assert inner.dispatcher.is_nested
    outer.close()
    inner.wait_for_interrupts(threaded=True)
    here.drive(17, 1)
    assert got.wait(LIMIT_S)
    inner.close()


# -- grants -------------------------------------------------------------------------------------------------


class Fast:
    """Stands in for the C module: notes what it was granted."""

    def __init__(self):
        self.granted = set()

    def revoke_all(self):
        self.granted.clear()

    def on_miss(self, output, input):
        self.misses = output, input

    def grant(self, channel, block, line, may_write):
        self.granted.add(channel)

    def revoke(self, channel):
        self.granted.discard(channel)


def test_what_may_not_be_granted_any_more_is_taken_back_and_comes_to_the_board(monkeypatch):
    fast = Fast()
    board, backend = simulated(fast=fast)
    monkeypatch.setattr(backend, "block", object())
    for line in (17, 18, 22):
        board.setup(line, constants.OUT)
    assert fast.granted == {17, 18, 22}
    asked = []
    board.grants.ask(lambda line: asked.append(line) or line != 18)
    assert set(asked) == {17, 18, 22}
    assert fast.granted == {17, 22}
    fast.misses[0](18, 1)
    assert backend.read(18) == 1
    board.setup(18, constants.IN)  # asked again whenever it is set up
    board.setup(18, constants.OUT)
    assert fast.granted == {17, 22}
    board.grants.ask(lambda line: True)
    assert fast.granted == {17, 18, 22}
    monkeypatch.undo()
    board.close()


def test_a_line_that_is_taken_back_goes_through_the_board_from_the_next_call_on(tmp_path):
    from RPIO import _gpio
    from RPIO.backends.regs import RegsBackend

    path = tmp_path / "block"
    path.write_bytes(bytes(0x1000))
    block = _gpio.Registers("brcm,bcm2835-gpio", str(path))
    facade.new_board()
    RPIO.use(RegsBackend(block, "file", str(path)))
    RPIO.setwarnings(False)
    RPIO.setup(18, RPIO.OUT)
    heard = []
    board_output = facade.board.lines.output
    _gpio.on_miss(lambda *arguments: heard.append(arguments) or board_output(*arguments), facade.board.input)
    RPIO.output(18, 1)
    assert heard == []
    facade.board.grants.ask(lambda line: line != 18)
    RPIO.output(18, 0)
    assert heard == [(18, 0)]
    facade.board.grants.ask(lambda line: True)
    RPIO.output(18, 1)
    assert heard == [(18, 0)]
    facade.new_board()
