# SPDX-License-Identifier: LGPL-3.0-or-later
"""The simulated board: its physics, its outside world, its time."""

import copy
import pickle
import subprocess
import sys
import time

import pytest

from RPIO import _gpio, errors
from RPIO.backends.sim import SimBackend
from RPIO.backends.sim_time import ManualClock, RealClock
from RPIO.constants import BOTH, IN, OUT, PUD_DOWN, PUD_OFF, PUD_UP
from RPIO.machine.boards import MODELS, by_name
from waiting import LIMIT_S, wait_until


def test_pulls_decide_where_nobody_drives(sim):
    for pull, level in (
        (PUD_UP, 1),
        (PUD_OFF, 1),
        (PUD_DOWN, 0),
        (PUD_OFF, 0),
    ):  # a floating line keeps its level
        sim.set_input(17, pull)
        assert sim.read(17) == level


def test_the_world_is_stronger_than_a_pull(sim):
    sim.set_input(17, PUD_UP)
    sim.drive(17, 0)
    assert sim.read(17) == 0
    sim.drive(17, None)
    assert sim.read(17) == 1


def test_the_power_on_pulls_are_those_of_the_chip(sim):
    assert [sim.read(n) for n in (4, 7, 8, 9, 17, 27)] == [1, 1, 1, 0, 0, 0]


def test_the_fixed_pull_ups_win_over_an_internal_pull_down(sim):
    sim.set_input(2, PUD_DOWN)
    assert sim.read(2) == 1


def test_a_wire_carries_levels_and_edges_both_ways(sim):
    sim.wire(17, 22)
    sim.set_output(17, 1)
    fd = sim.watch(22, BOTH)
    assert sim.read(22) == 1
    sim.write(17, 0)
    assert [e[:2] for e in _gpio.events_read(fd)] == [(22, 0)]
    sim.set_input(17, PUD_OFF)
    sim.set_output(22, 1)
    assert sim.read(17) == 1


def test_an_observer_may_drive_the_line_that_it_is_told_about(sim):
    told = []

    def observer(line, level, now_ns):
        told.append((line, level))
        if level:
            sim.drive(17, 0)

    sim.wire(17, 22)
    fd = sim.watch(22, BOTH)
    sim.observer = observer
    sim.drive(22, None)
    sim.drive(17, 1)
    assert (sim.read(17), sim.read(22)) == (0, 0)
    assert [e[:2] for e in _gpio.events_read(fd)] == [(22, 1), (22, 0)]
    assert {(17, 1), (17, 0), (22, 0)} <= set(told)


def test_a_clock_never_goes_back_when_what_is_due_moves_it(sim):
    sim.clock.call_at(10, lambda: sim.clock.advance(100))
    sim.clock.advance(20)
    assert sim.clock.now_ns() == 110


def test_wires_join_to_nets_and_come_off(sim):
    sim.wire(17, 22)
    sim.wire(22, 23)
    sim.set_output(23, 1)
    assert [sim.read(n) for n in (17, 22)] == [1, 1]
    sim.set_input(17, PUD_DOWN)
    sim.unwire(17)
    sim.write(23, 0)
    sim.write(23, 1)
    assert [sim.read(n) for n in (17, 22)] == [0, 1]


def test_a_short_circuit_is_counted_and_said_once(sim, caplog):
    sim.wire(17, 22)
    sim.set_output(17, 1)
    sim.set_output(22, 0)
    assert sim.short_circuits == 1
    assert sim.read(17) == 0
    sim.write(22, 1)
    assert sim.read(17) == 1
    sim.write(22, 0)
    assert sim.short_circuits == 2
    assert caplog.text.count("short circuit") == 1


def test_events_have_the_clocks_time(sim):
    sim.set_input(17, PUD_DOWN)
    fd = sim.watch(17, BOTH)
    for level in (1, 0):
        sim.clock.advance(1_000_000)
        sim.drive(17, level)
    assert [tuple(e) for e in _gpio.events_read(fd)] == [(17, 1, 1_000_000, 1), (17, 0, 2_000_000, 2)]


def test_an_edge_event_has_names(sim):
    event = _gpio.events_decode(_gpio.event_encode(17, 1, 5, 9))[0]
    assert (event.line, event.value, event.timestamp_ns, event.seq) == (17, 1, 5, 9)
    assert "EdgeEvent(line=17, value=1" in repr(event)


@pytest.mark.parametrize(
    "through",
    [
        copy.copy,
        copy.deepcopy,
        lambda event: event.__reduce__()[0](*event.__reduce__()[1]),
        *(
            lambda event, p=p: pickle.loads(pickle.dumps(event, p))
            for p in range(pickle.HIGHEST_PROTOCOL + 1)
        ),
    ],
)
def test_edge_events_can_be_copied_and_pickled_with_their_token(sim, through):
    sim.set_input(17, PUD_DOWN)
    poller = _gpio.Poller()
    poller.add_edges(sim.watch(17, BOTH), 77)
    sim.drive(17, 1)
    events = []
    poller.wait(1, events)
    (event,) = events
    found = through(event)
    poller.close()
    assert type(found) is _gpio.EdgeEvent
    assert (found, found.token, found.seq) == (event, 77, 1)


def test_edge_events_go_to_another_process(sim):
    events = _gpio.events_decode(_gpio.event_encode(17, 1, 5, 9))
    code = "import pickle, sys; print(pickle.load(sys.stdin.buffer)[0].timestamp_ns)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=pickle.dumps(events),
        capture_output=True,
        timeout=LIMIT_S,
        check=True,
    )
    assert done.stdout == b"5\n"


@pytest.mark.parametrize("name", MODELS)
def test_every_model_can_be_simulated(name):
    backend = SimBackend(by_name(name), ManualClock())
    for line in backend.hardware.header_lines:
        backend.set_output(line, 1)
        assert backend.read(line) == 1
    assert backend.hardware.name in backend.describe()
    backend.close()


# -- RPIO.sim -----------------------------------------------------------------------------------------------


@pytest.fixture
def slow(board, monkeypatch):
    """RPIO.sim on the board with the manual clock."""
    from RPIO import facade, sim

    monkeypatch.setattr(facade, "board", board)
    return sim


def test_a_bouncing_contact_gives_the_edges_of_its_bounces(slow, board, sim):
    got = []
    board.add_interrupt_callback(17, lambda gpio_id, value: got.append(value), "both", PUD_UP, False, None, 0)
    start_ns = sim.clock.now_ns()
    slow.drive(17, 0, bounces=3, bounce_us=200)
    while board.dispatcher.step(0):
        pass
    assert got == [0, 1, 0, 1, 0, 1, 0]
    assert sim.clock.now_ns() - start_ns == 6 * 200_000


def test_debounce_makes_one_of_them(slow, board, sim):
    got = []
    board.add_interrupt_callback(
        17, lambda gpio_id, value: got.append(value), "falling", PUD_UP, False, 20, 0
    )
    for _ in range(3):
        slow.press(17, ms=50, bounces=5)
        sim.clock.advance(50_000_000)
    while board.dispatcher.step(0):
        pass
    assert got == [0, 0, 0]


def test_press_holds_for_its_time_and_lets_go(slow, board, sim):
    board.setup(17, IN, PUD_UP, None)
    start_ns = sim.clock.now_ns()
    slow.press(17, ms=30)
    assert sim.clock.now_ns() - start_ns == 30_000_000
    assert slow.level(17) == 1


@pytest.mark.parametrize(("bounces", "bounce_us"), [(-1, 500), (3, 0), (3, -5)])
def test_bounces_are_checked(slow, bounces, bounce_us):
    with pytest.raises(ValueError, match="bounce"):
        slow.drive(17, 0, bounces, bounce_us)


def test_lines_out_of_range_are_refused(slow):
    for call in (
        lambda: slow.drive(58, 1),
        lambda: slow.wire(1, 99),
        lambda: slow.unwire(-1),
        lambda: slow.level(58),
    ):
        with pytest.raises(errors.InvalidChannelException, match="there is no line"):
            call()


def test_wires_and_shorts_through_the_module(slow, board):
    slow.wire(17, 22)
    board.setup([17, 22], OUT, PUD_OFF, 1)
    board.output(22, 0)
    assert slow.short_circuits() >= 1
    slow.unwire(17)


def test_a_watched_line_is_one_whose_next_edge_is_heard(slow, board):
    board.setup(17, IN, PUD_DOWN, None)
    assert not slow.is_watched(17)
    board.add_interrupt_callback(17, lambda line, value: None, "rising", None, False, 0, 0)
    assert slow.is_watched(17)
    board.del_interrupt_callback(17)
    assert not slow.is_watched(17)


def test_a_real_board_is_refused(slow, monkeypatch):
    class Real:
        def describe(self):
            return "registers of bcm2711"

        def outside(self):
            return None

    from RPIO import facade

    monkeypatch.setattr(facade.board.machine, "opened", Real())
    with pytest.raises(errors.NoBackendError, match="this is no simulated board but registers of bcm2711"):
        slow.drive(17, 1)
    monkeypatch.undo()


# -- clocks -------------------------------------------------------------------------------------------------


def test_a_manual_clock_does_things_at_their_time_in_order():
    clock, seen = ManualClock(), []
    clock.call_at(30, lambda: seen.append(("c", clock.now_ns())))
    clock.call_at(10, lambda: seen.append(("a", clock.now_ns())))
    clock.call_at(
        10,
        lambda: (
            seen.append(("b", clock.now_ns())),
            clock.call_at(20, lambda: seen.append(("x", clock.now_ns()))),
        ),
    )
    clock.advance(25)
    assert seen == [("a", 10), ("b", 10), ("x", 20)]
    assert clock.now_ns() == 25
    clock.sleep_until(30)
    assert seen[-1] == ("c", 30)
    with pytest.raises(ValueError):
        clock.advance(-1)


def test_a_real_clock_does_things_no_earlier():
    """And what is due first first, unless a busy machine has let its time pass before it was asked for."""
    clock = RealClock()

    def order():
        seen = []
        due_ns = clock.now_ns() + 5_000_000
        clock.call_at(due_ns, lambda: seen.append((2, time.monotonic_ns() >= due_ns)))
        clock.call_at(due_ns - 4_000_000, lambda: seen.append((1, time.monotonic_ns() >= due_ns - 4_000_000)))
        assert wait_until(lambda: len(seen) == 2)
        assert all(in_time for _, in_time in seen)
        return [number for number, _ in seen]

    assert any(order() == [1, 2] for _ in range(3))
    clock.close()


def test_the_filter_works_in_real_time_too():
    backend = SimBackend(by_name("4B"))
    backend.set_input(17, PUD_DOWN)
    fd = backend.watch(17, BOTH, filter_us=2000)
    backend.drive(17, 1)
    got = []
    assert wait_until(lambda: got.extend(_gpio.events_read(fd)) or got)
    assert [e[:2] for e in got] == [(17, 1)]
    backend.close()


def test_pwm_runs_in_real_time_too():
    sim = SimBackend(by_name("4B"))
    sim.set_output(17, 0)
    sim.wire(17, 18)
    sim.set_input(18, PUD_OFF)
    reader, events = sim.watch(18, BOTH), []
    start_ns = time.monotonic_ns()
    sim.pwm(17, 2_000_000, 1_000_000)
    assert wait_until(lambda: events.extend(_gpio.events_read(reader)) or len(events) >= 8)
    assert [event.value for event in events[:8]] == [1, 0] * 4
    assert events[6].timestamp_ns - start_ns >= 6_000_000  # the fourth period, and not before its time
    sim.end_pwm(17)
    assert sim.read(18) == 0
    sim.close()


def test_pulses_that_are_changed_leave_nothing_due_but_the_next_change(sim):
    sim.set_output(17, 0)
    for number in range(100):
        sim.pwm(17, 100_000_000_000 + number, 50_000_000_000)
        sim.end_pwm(17)
    sim.pwm(17, 100_000_000_000, 50_000_000_000)
    assert len(sim.clock) == 1


def test_a_clock_forgets_what_it_was_to_call():
    clock, seen = ManualClock(), []
    number = clock.call_at(10, lambda: seen.append(1))
    clock.call_at(20, lambda: seen.append(2))
    clock.forget(number)
    clock.forget(number)
    clock.advance(30)
    assert seen == [2]
