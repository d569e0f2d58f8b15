# SPDX-License-Identifier: LGPL-3.0-or-later
"""Interrupt callbacks: who gets which edge, in which thread, and what is counted when edges are lost."""

import threading
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from RPIO import arguments, errors
from RPIO.backends import checks
from RPIO.backends.sim import SimBackend
from RPIO.backends.sim_time import ManualClock
from RPIO.board.board import Board
from RPIO.constants import BOTH, EVENT_BUFFER_SIZE, FALLING, IN, OUT, PUD_OFF, PUD_UP, RISING
from RPIO.loop.callbacks import WORKER_QUEUE_SIZE
from RPIO.machine.boards import by_name
from support import drain, pump
from waiting import wait_until


def add(board, line, callback, edge="both", pull=PUD_OFF, threaded=False, holdoff_ms=None, filter_us=0):
    board.add_interrupt_callback(line, callback, edge, pull, threaded, holdoff_ms, filter_us)


class Log(list):
    """A callback that keeps what it gets."""

    def __call__(self, gpio_id, value):
        self.append((gpio_id, value))


def wiggle(sim, line, levels):
    for level in levels:
        sim.drive(line, level)


@pytest.mark.parametrize(
    ("edge", "want"),
    [
        ("rising", [1, 1]),
        ("falling", [0, 0]),
        ("both", [1, 0, 1, 0]),
        ("none", []),
        (RISING, [1, 1]),
        (FALLING, [0, 0]),
        (BOTH, [1, 0, 1, 0]),
    ],
)
def test_a_callback_gets_its_edges(board, sim, edge, want):
    sim.drive(17, 0)
    log = Log()
    add(board, 17, log, edge)
    wiggle(sim, 17, [1, 0, 1, 0])
    drain(board)
    assert log == [(17, value) for value in want]
    assert [type(x) for pair in log for x in pair] == [int] * 2 * len(log)


def test_a_late_look_at_the_chip_does_not_open_a_board_that_was_closed(board, sim):
    """The loop's thread may have begun to look when another one closes it."""
    add(board, 17, Log())
    look = board.interrupts.look_whether_gone
    board.close()
    look()
    assert board.machine.opened is None


def test_gpio_id_follows_the_mode_and_the_callback_gets_the_bcm_number(board, sim):
    board.setmode(10)
    log = Log()
    add(board, 11, log)
    sim.drive(17, 1)
    drain(board)
    assert log == [(17, 1)]


def test_the_initial_level_is_not_reported(board, sim):
    sim.drive(17, 1)
    log = Log()
    add(board, 17, log)
    drain(board)
    assert log == []


def test_one_line_can_have_callbacks_for_different_edges(board, sim):
    rising, falling, both = Log(), Log(), Log()
    add(board, 17, rising, "rising")
    add(board, 17, falling, "falling")
    add(board, 17, both, "both")
    wiggle(sim, 17, [1, 0, 1])
    drain(board)
    assert (rising, falling, both) == ([(17, 1)] * 2, [(17, 0)], [(17, 1), (17, 0), (17, 1)])


def test_callbacks_run_in_the_order_in_which_they_were_added(board, sim):
    order = []
    for name in "abc":
        add(board, 17, lambda gpio_id, value, name=name: order.append(name))
    sim.drive(17, 1)
    drain(board)
    assert order == ["a", "b", "c"]


def test_edges_of_several_lines_come_in_the_order_of_their_time(board, sim):
    log = Log()
    for line in (4, 17, 27):
        sim.drive(line, 0)
        add(board, line, log)
    for line, level in [(27, 1), (4, 1), (17, 1), (4, 0), (27, 0)]:
        sim.clock.advance(1000)
        sim.drive(line, level)
    drain(board)
    assert log == [(27, 1), (4, 1), (17, 1), (4, 0), (27, 0)]


@given(st.lists(st.integers(1, 40), min_size=1, max_size=60), st.integers(1, 50))
def test_hold_off_counts_from_the_last_accepted_edge(gaps_ms, holdoff_ms):
    sim = SimBackend(by_name("3B"), ManualClock())
    board = Board()
    board.use(sim, sim.hardware)
    sim.drive(17, 0)
    got, want, now_ms, last_ms = [], [], 0, None
    add(board, 17, lambda gpio_id, value: got.append(value), holdoff_ms=holdoff_ms)
    level = 0
    for gap_ms in gaps_ms:
        now_ms += gap_ms
        level ^= 1
        sim.clock.advance(gap_ms * 1_000_000)
        sim.drive(17, level)
        if last_ms is None or now_ms - last_ms >= holdoff_ms:
            want.append(level)
            last_ms = now_ms
    drain(board)
    board.close()
    assert got == want


def test_filter_lets_through_only_levels_that_last(board, sim):
    log = Log()
    add(board, 17, log, filter_us=1000)
    for level, stays_us in [(1, 200), (0, 200), (1, 5000), (0, 300), (1, 5000), (0, 2000)]:
        sim.drive(17, level)
        sim.clock.advance(stays_us * 1000)
    drain(board)
    assert log == [(17, 1), (17, 0)]


def test_one_line_has_one_filter(board):
    add(board, 17, print, filter_us=100)
    with pytest.raises(ValueError, match="filter_us=100"):
        add(board, 17, print, filter_us=200)
    add(board, 17, print, filter_us=100)


# -- callbacks that misbehave -------------------------------------------------------------------------------


def test_a_callback_that_raises_prints_its_traceback_and_the_others_run(board, sim, capsys):
    def bad(gpio_id, value):
        raise ZeroDivisionError("oops")

    log = Log()
    add(board, 17, bad)
    add(board, 17, log)
    wiggle(sim, 17, [1, 0])
    drain(board)
    assert log == [(17, 1), (17, 0)]
    err = capsys.readouterr().err
    assert err.count("ZeroDivisionError: oops") == 2
    assert "Traceback" in err
    assert "bad" in err


def test_a_callback_may_remove_itself(board, sim):
    log, after = Log(), Log()

    def once(gpio_id, value):
        log(gpio_id, value)
        board.del_interrupt_callback(17)

    add(board, 17, once)
    add(board, 17, after)
    wiggle(sim, 17, [1, 0, 1])
    drain(board)
    assert (log, after) == ([(17, 1)], [])


def test_a_callback_may_remove_and_add_itself(board, sim):
    log = Log()

    def again(gpio_id, value):
        log(gpio_id, value)
        board.del_interrupt_callback(17)
        add(board, 17, again)

    add(board, 17, again)
    for level in (1, 0, 1):
        sim.drive(17, level)
        drain(board)
    assert log == [(17, 1), (17, 0), (17, 1)]


def test_a_callback_may_add_another(board, sim):
    log = Log()
    add(board, 17, lambda gpio_id, value: add(board, 22, log) if value else None)
    sim.drive(17, 1)
    drain(board)
    sim.drive(22, 1)
    drain(board)
    assert log == [(22, 1)]


def test_keyboard_interrupt_and_exit_in_a_callback_end_the_loop(board, sim):
    def leave(gpio_id, value):
        raise SystemExit(3)

    add(board, 17, leave)
    sim.drive(17, 1)
    with pytest.raises(SystemExit):
        board.wait_for_interrupts(False)
    assert not board.dispatcher.running


# -- threads ------------------------------------------------------------------------------------------------


def test_a_threaded_callback_runs_elsewhere_and_in_order(board, sim):
    log, threads = Log(), set()
    add(board, 17, lambda *a: (log(*a), threads.add(threading.get_ident())), threaded=True)
    for _ in range(50):
        wiggle(sim, 17, [1, 0])
    pump(board, lambda: len(log) == 100)
    assert log == [(17, 1), (17, 0)] * 50
    assert len(threads) == 1
    assert threading.get_ident() not in threads


def test_a_slow_threaded_callback_delays_nobody(board, sim):
    gate = threading.Event()
    log = Log()
    add(board, 17, lambda *a: gate.wait(10), threaded=True)
    add(board, 22, log)
    sim.drive(17, 1)
    sim.drive(22, 1)
    assert pump(board, lambda: log == [(22, 1)])
    gate.set()


def test_edges_for_a_threaded_callback_that_is_too_slow_are_counted(board, sim, caplog):
    gate = threading.Event()
    got = Log()
    started = threading.Event()

    def slow(gpio_id, value):
        started.set()
        gate.wait(10)
        got(gpio_id, value)

    add(board, 17, slow, threaded=True)
    sim.drive(17, 1)
    pump(board, started.is_set)
    sent = 1
    while board.events_lost() < 10:
        sim.drive(17, sent % 2 == 0)
        sent += 1
        drain(board)
    gate.set()
    assert wait_until(lambda: len(got) + board.events_lost(17) == sent)
    assert len(got) == WORKER_QUEUE_SIZE + 1
    assert sum("edges lost" in r.message for r in caplog.records) == 1


# -- losses -------------------------------------------------------------------------------------------------


def test_delivered_plus_lost_is_sent(board, sim, caplog):
    log = Log()
    add(board, 17, log)
    sent = 3 * EVENT_BUFFER_SIZE + 7
    wiggle(sim, 17, [(n + 1) % 2 for n in range(sent)])
    drain(board)
    assert (len(log), board.events_lost(), board.events_lost(17), board.events_lost(22)) == (
        EVENT_BUFFER_SIZE,
        sent - EVENT_BUFFER_SIZE,
        sent - EVENT_BUFFER_SIZE,
        0,
    )
    assert log[-1] == (17, sent % 2)  # the newest are there: the oldest were dropped
    assert "edges lost" in caplog.text


def test_a_single_lost_edge_is_counted(board, sim):
    add(board, 17, Log())
    wiggle(sim, 17, [(n + 1) % 2 for n in range(EVENT_BUFFER_SIZE + 1)])
    drain(board)
    assert board.events_lost(17) == 1


@pytest.mark.parametrize("how", ["removed", "an output for a while"])
def test_losses_are_counted_from_a_new_watchs_first_edge_on(board, sim, how):
    """However many edges the line had under the watch before, whose numbers end with it."""
    log = Log()
    add(board, 17, log)
    wiggle(sim, 17, [(n + 1) % 2 for n in range(500)])
    drain(board)
    if how == "removed":
        board.del_interrupt_callback(17)
        add(board, 17, log)
    else:
        board.setup(17, OUT, PUD_OFF, None)
        board.setup(17, IN, PUD_OFF, None)
    drain(board)
    log.clear()
    wiggle(sim, 17, [(n + 1) % 2 for n in range(EVENT_BUFFER_SIZE + 3)])
    drain(board)
    assert (len(log), board.events_lost(17)) == (EVENT_BUFFER_SIZE, 3)


def test_losses_stay_counted_when_the_callback_goes(board, sim):
    add(board, 17, Log())
    wiggle(sim, 17, [(n + 1) % 2 for n in range(EVENT_BUFFER_SIZE + 5)])
    drain(board)
    board.del_interrupt_callback(17)
    assert board.events_lost(17) == 5
    add(board, 17, Log())
    drain(board)
    assert board.events_lost() == 5


def test_adding_a_callback_loses_nothing_that_waits(board, sim):
    first, second = Log(), Log()
    add(board, 17, first, "rising")
    wiggle(sim, 17, [1, 0, 1, 0])
    add(board, 17, second, "both")
    wiggle(sim, 17, [1, 0])
    drain(board)
    assert first == [(17, 1)] * 3
    assert board.events_lost() == 0


# -- removing, and what lines become ------------------------------------------------------------------------


def test_removing_what_is_not_there_is_a_key_error(board):
    with pytest.raises(KeyError, match="there is no callback on GPIO 17"):
        board.del_interrupt_callback(17)


def test_after_removing_no_edge_comes(board, sim):
    log = Log()
    add(board, 17, log)
    sim.drive(17, 1)
    board.del_interrupt_callback(17)
    sim.drive(17, 0)
    drain(board)
    assert log == []
    assert board.lines.direction(17) == IN


def test_adding_makes_an_input_and_sets_the_pull(board, sim):
    add(board, 17, print, pull=PUD_UP)
    assert (board.gpio_function(17), sim.pull(17), board.input(17)) == (IN, PUD_UP, 1)
    add(board, 17, print, pull=PUD_OFF)
    assert sim.pull(17) == PUD_OFF


def test_none_leaves_the_pull_as_it_is(board, sim):
    add(board, 17, print, pull=PUD_UP)
    add(board, 17, print, pull=None)
    assert sim.pull(17) == PUD_UP


def test_watching_an_output_of_ours_warns(board):
    board.setup(17, OUT, PUD_OFF, 1)
    with pytest.warns(RuntimeWarning, match="GPIO 17 was an output of this program"):
        add(board, 17, print)
    assert board.gpio_function(17) == IN


def test_a_watched_line_that_becomes_an_output_and_comes_back_is_watched_again(board, sim):
    log = Log()
    add(board, 17, log)
    board.setup(17, OUT, PUD_OFF, 1)
    board.output(17, 0)
    drain(board)
    assert log == []
    board.setup(17, IN, PUD_OFF, None)
    wiggle(sim, 17, [1, 0])
    drain(board)
    assert log == [(17, 1), (17, 0)]
    assert board.events_lost() == 0


def test_cleanup_of_a_channel_removes_its_callbacks(board, sim):
    log = Log()
    add(board, 17, log)
    board.cleanup(17)
    wiggle(sim, 17, [1, 0])
    drain(board)
    assert log == []
    with pytest.raises(KeyError):
        board.del_interrupt_callback(17)


def test_cleanup_interrupts_keeps_the_lines_set_up(board):
    add(board, 17, print)
    board.cleanup_interrupts()
    assert board.lines.direction(17) == IN
    with pytest.raises(KeyError):
        board.del_interrupt_callback(17)


# -- bad arguments ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("edge", ["sideways", "", None, 30, 34, 1.5, ["rising"], "Rising"])
def test_a_bad_edge_is_both_errors_of_history(board, edge):
    for kind in (ValueError, AttributeError, errors.InvalidEdgeException):
        with pytest.raises(kind, match="is not a valid edge"):
            add(board, 17, print, edge)
    assert board.lines.direction(17) is None


class Index:
    """An integer as numpy has them."""

    def __init__(self, number):
        self.number = number

    def __index__(self):
        return self.number


def test_all_readers_of_edges_take_the_same_integers():
    for read in (arguments.edge_bits, arguments.detection_edge, checks.check_edge):
        assert [read(e) for e in (RISING, FALLING, BOTH, Index(FALLING))] == [1, 2, 3, 2]
        for edge in (0, 1, 31.0, None, [31], True):
            with pytest.raises(errors.InvalidEdgeException):
                read(edge)
    assert arguments.edge_bits("none") == 0


@pytest.mark.parametrize("pull", [3, 19, 23, "upp", "UP", "", 20.0, []])
def test_a_bad_pull_is_both_errors_of_history(board, pull):
    for kind in (ValueError, AttributeError):
        with pytest.raises(kind, match="Invalid value for pull_up_down"):
            add(board, 17, print, pull=pull)


@pytest.mark.parametrize("callback", [None, 5, "print"])
def test_a_callback_must_be_callable(board, callback):
    with pytest.raises(TypeError, match="Parameter must be callable"):
        add(board, 17, callback)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"holdoff_ms": -1}, ValueError),
        ({"holdoff_ms": float("nan")}, ValueError),
        ({"holdoff_ms": 1e12}, ValueError),
        ({"holdoff_ms": "100"}, TypeError),
        ({"filter_us": -1}, ValueError),
        ({"filter_us": 10**9}, ValueError),
        ({"filter_us": 1.5}, TypeError),
    ],
)
def test_times_are_checked(board, arguments, error):
    with pytest.raises(error):
        add(board, 17, print, **arguments)
    assert board.lines.direction(17) is None


def test_a_watch_that_the_backend_refuses_leaves_nothing_behind(board, sim, monkeypatch):
    monkeypatch.setattr(sim, "watch", lambda *a: (_ for _ in ()).throw(errors.NotSupportedError("no edges")))
    with pytest.raises(errors.NotSupportedError):
        add(board, 17, print)
    monkeypatch.undo()
    with pytest.raises(KeyError):
        board.del_interrupt_callback(17)


def test_warnings_are_given_for_a_line_in_use(board, sim):
    sim.set_output(17, 1)
    with pytest.warns(RuntimeWarning, match="already in use"):
        add(board, 17, print)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        add(board, 17, print)


def test_edges_read_before_a_watch_began_are_not_its_own(board, sim):
    """A batch is read at once; a callback that begins a new watch must not get the rest of it."""
    first, second = Log(), Log()

    def replace(gpio_id, value):
        first(gpio_id, value)
        board.del_interrupt_callback(17)
        add(board, 17, second)

    add(board, 17, replace)
    wiggle(sim, 17, [1, 0] * 10)
    drain(board)
    assert (len(first), second, board.events_lost()) == (1, [], 0)
    sim.drive(17, 1)
    drain(board)
    assert second == [(17, 1)]


def test_an_excursion_as_an_output_loses_and_invents_nothing(board, sim):
    log = Log()

    def excursion(gpio_id, value):
        log(gpio_id, value)
        if len(log) == 1:
            board.setup(17, OUT, PUD_OFF, 0)
            board.setup(17, IN, PUD_OFF, None)

    add(board, 17, excursion)
    wiggle(sim, 17, [1, 0] * 10)
    drain(board)
    assert board.events_lost() == 0


def test_a_refusal_leaves_an_output_as_it_is(board, sim, monkeypatch):
    board.setup(17, OUT, PUD_OFF, 1)
    monkeypatch.setattr(sim, "features", frozenset())

    def refuse(*a):
        raise errors.NotSupportedError("no edges")

    monkeypatch.setattr(sim, "watch", refuse)
    with pytest.raises(errors.NotSupportedError):
        add(board, 17, print)
    assert (sim.function(17), sim.read(17), board.lines.direction(17)) == (OUT, 1, OUT)


def test_edges_of_a_callback_that_has_just_been_removed_are_not_lost(board, sim, caplog):
    """As when another thread removes it between the look at who wants an edge and its delivery."""
    got = Log()
    add(board, 17, got, threaded=True)
    (subscription,) = board.watched.get(17).subscriptions
    subscription.close()
    sim.drive(17, 1)
    drain(board)
    assert board.events_lost() == 0 and not caplog.records and not got


class Eager:
    """A poller whose loop is so fast that it has dispatched the first edge before the registration returns."""

    def __init__(self, board, sim):
        self.board, self.sim, self.poller = board, sim, board.dispatcher._poller

    def __getattr__(self, name):
        return getattr(self.poller, name)

    def add_edges(self, fd, token):
        self.sim.drive(17, 1)
        self.poller.add_edges(fd, token)
        self.board.dispatcher.step(0)


def test_the_first_edge_is_not_lost_to_a_loop_that_is_faster(board, sim):
    board.dispatcher._poller = Eager(board, sim)
    log = Log()
    add(board, 17, log)
    assert log == [(17, 1)]


# -- a chip that goes: kernel/test_gone.py takes one away ---------------------------------------------------


def lose(board, *lines):
    """What the loop does when a chip has gone."""
    with board.lock:
        for line in lines:
            board.watched.lose(line)


def test_a_loop_that_blocks_ends_with_the_line_that_was_lost(board, sim):
    add(board, 17, lambda gpio_id, value: lose(board, 17))
    world = threading.Thread(target=lambda: wait_until(lambda: board.is_waiting) and sim.drive(17, 1))
    world.start()
    with pytest.raises(errors.LineGoneError, match="GPIO 17: its chip has been removed") as caught:
        board.wait_for_interrupts(False)
    world.join()
    assert "setup() finds the chip again" in caught.value.hint
    with pytest.raises(errors.LineGoneError):
        board.wait_for_interrupts(False)
    assert not board.is_waiting


def test_a_loop_in_a_thread_goes_on_for_the_other_lines(board, sim):
    log = Log()
    add(board, 17, log)
    add(board, 18, log)
    board.wait_for_interrupts(True)
    lose(board, 17)
    assert board.is_waiting
    sim.drive(18, 1)
    assert wait_until(lambda: log == [(18, 1)])


def test_what_was_lost_is_forgotten_with_its_callbacks(board, sim):
    add(board, 17, print)
    lose(board, 17)
    board.del_interrupt_callback(17)
    add(board, 17, lambda gpio_id, value: board.stop_waiting_for_interrupts())
    world = threading.Thread(target=lambda: wait_until(lambda: board.is_waiting) and sim.drive(17, 1))
    world.start()
    board.wait_for_interrupts(False)
    world.join()
