# SPDX-License-Identifier: LGPL-3.0-or-later
"""Timed tasks on a simulated board, under a clock that the test moves: what each does, in what order, to the end."""

import errno
import itertools
import random

import pytest

from remote_parts import World, drives, error
from RPIO import errors
from RPIO.board.declared import Owner
from RPIO.tasks import courses
from RPIO.tasks.engine import NOWAIT, WAIT, Tasks
from RPIO.tasks.queues import SLIP_NS, WAITING_MAX

MS = 1_000_000


class Bench:
    """The tasks of a board, and whoever asks for them."""

    def __init__(self, board, sim):
        self.board, self.sim, self.began_ns = board, sim, sim.clock.now_ns()
        self.tasks = Tasks(board.leases, lambda: board.dispatcher, sim.clock.now_ns)
        self.anna, self.bert = Owner("anna"), Owner("bert")
        self.ends, self.changes, self._levels = [], [], {}

    @property
    def now_ns(self):
        return self.sim.clock.now_ns() - self.began_ns

    @now_ns.setter
    def now_ns(self, now_ns):
        self.sim.clock.advance(now_ns - self.now_ns)

    def add(self, line, name, ms=0, *arguments, mode=WAIT, who=None):
        def on_end(task, how, text):
            self.ends.append((self.now_ns // MS, line, task.name, how))

        pin = self.tasks.pin(who or self.anna, line, mode)
        task = pin.add(name, ms, *arguments, on_end=on_end)
        self.look()
        return task

    def look(self):
        for line in range(self.sim.line_count):
            level = drives(self.sim, line) or 0
            if self._levels.setdefault(line, 0) != level:
                self._levels[line] = level
                self.changes.append((self.now_ns // MS, line, level))

    def go_on(self, ms):
        """Let so much time pass; what is due comes at its very time."""
        end_ns = self.sim.clock.now_ns() + ms * MS
        while (due_ns := self.tasks.due_ns()) is not None and due_ns <= end_ns:
            assert due_ns >= self.sim.clock.now_ns()
            self.sim.clock.advance(due_ns - self.sim.clock.now_ns())
            self.tasks.tick()
            self.look()
        self.sim.clock.advance(end_ns - self.sim.clock.now_ns())

    def due_ms(self):
        return (self.tasks.due_ns() - self.began_ns) // MS

    def wave(self, line):
        """[(at_ms, level)] so far."""
        return [(at, level) for at, of, level in self.changes if of == line]


@pytest.fixture
def bench(board, sim):
    made = Bench(board, sim)
    yield made
    made.tasks.close()


# -- one line -----------------------------------------------------------------------------------------------


def test_a_timed_on_ends_low(bench):
    bench.add(17, "on", 2000)
    bench.go_on(5000)
    assert bench.wave(17) == [(0, 1), (2000, 0)]
    assert bench.ends == [(2000, 17, "on", "done")]


def test_tasks_come_one_after_the_other_without_a_gap_between_them(bench):
    for name, ms, *arguments in (("on", 100), ("on", 50), ("off", 30), ("blink", 50, 0.01, 0.02), ("on", 20)):
        bench.add(17, name, ms, *arguments)
    bench.go_on(1000)
    assert bench.wave(17) == [
        *((0, 1), (150, 0), (180, 1), (190, 0), (210, 1), (220, 0), (230, 1), (250, 0)),
    ]
    assert [(at, name) for at, _, name, _ in bench.ends] == [
        *((100, "on"), (150, "on"), (180, "off"), (230, "blink"), (250, "on")),
    ]


def test_without_a_time_it_is_done_at_once_and_goes_on_until_the_next(bench):
    bench.add(17, "blink", 0, 0.5, 0.5)
    assert bench.ends == [(0, 17, "blink", "done")]
    bench.go_on(1250)
    bench.add(17, "off")
    bench.go_on(1000)
    assert bench.wave(17) == [(0, 1), (500, 0), (1000, 1), (1250, 0)]
    bench.add(17, "on")
    bench.go_on(10_000)
    assert bench.wave(17)[-1] == (2250, 1)  # and stays


def test_what_is_done_at_once_behind_a_timed_one_stays(bench):
    bench.add(17, "on", 100)
    bench.add(17, "on")
    bench.go_on(10_000)
    assert bench.wave(17) == [(0, 1)]


def test_toggle_is_the_other_of_what_was(bench):
    for ms in (10, 20, 30):
        bench.add(17, "toggle", ms)
    bench.go_on(100)
    assert bench.wave(17) == [(0, 1), (10, 0), (30, 1), (60, 0)]


def test_a_value_is_pwm_and_its_ends_are_levels(bench):
    sim = bench.sim
    bench.add(17, "value", 100, 0.25)
    assert bench.tasks.listed()[0][2:4] == ("value", "runs")
    bench.go_on(10)
    assert [sim.read(17), bench.go_on(3), sim.read(17)] == [1, None, 0]  # a quarter of 10 ms
    bench.go_on(100)
    assert sim.read(17) == 0
    bench.add(17, "value", 50, 1.0)
    bench.go_on(100)
    assert [level for _, level in bench.wave(17)][-2:] == [1, 0]


def test_a_pulse_rises_for_a_second_and_falls_for_one(bench):
    seen = []
    device = bench.tasks.pin(bench.anna, 17)._device
    drive = device.drive
    device.drive = lambda share: (seen.append((bench.now_ns // MS, round(share, 2))), drive(share))
    bench.add(17, "pulse", 2000)
    bench.go_on(3000)
    assert seen == [
        *((40 * n, round(n / 25, 2)) for n in range(25)),
        *((1000 + 40 * n, round(1 - n / 25, 2)) for n in range(25)),
        (2000, 0.0),
    ]


@pytest.mark.parametrize("name", courses.COURSES)
def test_every_task_ends_off(bench, name):
    bench.add(17, name, 70, 0.3, 0.3)
    bench.go_on(200)
    assert bench.sim.read(17) == 0 and bench.ends == [(70, 17, name, "done")]


def test_where_low_is_declared_to_be_on_tasks_know_it(bench, board):
    board.protect(17, active="low")
    pin = bench.tasks.pin(bench.anna, 17)
    assert bench.sim.read(17) == 1
    pin.add("on", 20)
    assert bench.sim.read(17) == 0
    pin.add("value", 20, 0.25)
    bench.go_on(20)
    assert [bench.sim.read(17), bench.go_on(8), bench.sim.read(17)] == [1, None, 0]
    bench.go_on(100)
    assert bench.sim.read(17) == 1


# -- the two modes ------------------------------------------------------------------------------------------


def test_in_nowait_a_new_task_ends_the_one_that_runs_and_the_level_has_no_gap(bench):
    bench.add(17, "on", 1000, mode=NOWAIT)
    bench.go_on(300)
    bench.add(17, "on", 500, mode=NOWAIT)
    bench.go_on(2000)
    assert bench.wave(17) == [(0, 1), (800, 0)]
    assert bench.ends == [(300, 17, "on", "cancelled"), (800, 17, "on", "done")]


def test_close_comes_behind_the_rest_in_both_modes(bench):
    for line, mode in ((17, WAIT), (27, NOWAIT)):
        bench.add(line, "on", 100, mode=mode)
        bench.add(line, "close", mode=mode)
        with pytest.raises(errors.LineBusyError, match="is being closed"):
            bench.tasks.pin(bench.anna, line, mode)
    bench.go_on(99)
    assert [bench.sim.read(17), bench.sim.read(27)] == [1, 1]
    bench.go_on(2)
    assert [bench.sim.read(17), bench.sim.read(27)] == [0, 0]
    assert [how for *_, how in bench.ends] == ["done"] * 4
    assert bench.board.leases.consumer(bench.bert, 17) == bench.board.leases.consumer(bench.bert, 27) == ""
    bench.add(17, "on", 10, who=bench.bert)  # it is free


# -- who has it ---------------------------------------------------------------------------------------------


def test_a_line_with_a_queue_is_busy_for_all_others(bench, board):
    bench.add(17, "on", 100)
    for line_of_others in (
        lambda: bench.tasks.pin(bench.bert, 17),
        lambda: board.setup(17, 0),
        lambda: board.leases.write(bench.anna, [(17, 0)]),
    ):
        with pytest.raises(errors.LineBusyError, match="in use by tasks of anna"):
            line_of_others()


def test_when_a_client_goes_all_that_was_accepted_is_done(bench):
    for _ in range(3):
        bench.add(17, "on", 100)
        bench.add(17, "off", 50)
    bench.add(27, "blink", 0, 0.1, 0.1)
    bench.tasks.leave(bench.anna)
    assert bench.board.leases.consumer(bench.bert, 27) == ""  # that had no end of its own
    with pytest.raises(errors.LineBusyError):
        bench.tasks.pin(bench.anna, 17).add("on")
    bench.go_on(1000)
    assert bench.wave(17) == [(0, 1), (100, 0), (150, 1), (250, 0), (300, 1), (400, 0)]
    assert bench.tasks.listed() == [] and bench.board.leases.consumer(bench.bert, 17) == ""


def test_the_safe_state_is_what_is_left(bench, board):
    board.protect(17, safe="high")
    bench.add(17, "on", 100)
    bench.add(17, "off", 100)
    bench.add(17, "close")
    bench.go_on(1000)
    assert bench.wave(17) == [(0, 1), (100, 0), (200, 1)]


def test_cancelled_tasks_are_never_begun_and_the_one_that_runs_ends(bench):
    first, second, third = [bench.add(17, "on", ms) for ms in (100, 200, 300)]
    assert bench.tasks.cancel([second.number], "carl") and not bench.tasks.cancel([second.number], "carl")
    bench.go_on(150)
    assert bench.tasks.cancel([third.number], "carl")
    bench.look()
    bench.go_on(1000)
    assert bench.wave(17) == [(0, 1), (150, 0)]
    assert bench.ends == [
        *((0, 17, "on", "cancelled"), (100, 17, "on", "done"), (150, 17, "on", "cancelled")),
    ]
    assert not bench.tasks.cancel([first.number], "carl") and not bench.tasks.cancel([999], "carl")


def test_what_goes_on_can_be_cancelled_too(bench):
    endless = bench.add(17, "on")
    assert bench.tasks.listed() == [(endless.number, 17, "on", "goes-on", 0, 0, "anna")]
    assert bench.tasks.cancel([endless.number], "carl")
    assert bench.sim.read(17) == 0 and bench.tasks.listed() == []


def test_what_waits_is_not_begun_where_it_is_cancelled_with_what_runs(bench):
    writes, write = [], bench.board.backend.write
    bench.board.backend.write = lambda line, level: (writes.append((line, level)), write(line, level))
    pause, *lamps = [bench.add(17, name, 3_600_000) for name in ("off", "on", "off", "on")]
    last = bench.add(17, "on", 100)
    writes.clear()
    gone = bench.tasks.cancel([pause.number, *[lamp.number for lamp in lamps], 999], "carl")
    assert gone == {pause.number, *[lamp.number for lamp in lamps]}
    assert writes == [(17, 1)] and bench.tasks.listed()[0][0] == last.number
    bench.go_on(100)
    assert drives(bench.sim, 17) == 0


def test_all_of_a_client_can_be_cancelled(bench):
    for line in (17, 27):
        bench.add(line, "on", 100)
        bench.add(line, "on", 100)
    bench.add(4, "on", 100, who=bench.bert)
    bench.tasks.cancel_all(bench.anna)
    assert [bench.sim.read(line) for line in (17, 27, 4)] == [0, 0, 1]
    assert [how for *_, how in bench.ends] == ["cancelled"] * 4
    bench.add(17, "on", 10)  # it has the line still
    bench.tasks.end(bench.anna, 17)
    assert bench.board.leases.consumer(bench.bert, 17) == ""


def test_at_the_end_of_all_lines_are_off_and_free(bench):
    for line in (17, 27, 22):
        bench.add(line, "on", 100_000)
    bench.tasks.close()
    assert [bench.sim.read(line) for line in (17, 27, 22)] == [0, 0, 0]
    assert bench.board.leases.safety.held() == []


# -- the board's rules --------------------------------------------------------------------------------------


def test_what_an_interlock_forbids_has_failed_and_the_next_one_goes_on(bench, board, caplog):
    board.interlock([17, 27])
    bench.add(27, "on", 100)
    bench.add(17, "on", 50)
    bench.add(17, "on", 50)
    assert [how for *_, how in bench.ends] == ["failed", "failed"]
    assert "on of GPIO 17 has failed: GPIO 17 would be on while GPIO 27 is" in caplog.text
    bench.go_on(200)
    assert bench.wave(17) == []
    bench.add(17, "on", 50)
    bench.go_on(100)
    assert bench.wave(17) == [(200, 1), (250, 0)]


def test_a_task_that_fails_at_its_turn_leaves_the_line_off_and_the_next_begins_at_once(bench, board):
    board.interlock([17, 27])
    bench.add(17, "off", 100)
    bench.add(17, "on", 100)
    bench.add(17, "off", 100)
    bench.go_on(50)
    bench.add(27, "on", 100)
    bench.go_on(1000)
    assert [(at, name, how) for at, line, name, how in bench.ends if line == 17] == [
        *((100, "off", "done"), (100, "on", "failed"), (200, "off", "done")),
    ]


def test_many_that_fail_end_all_the_same(bench, board):
    board.interlock([17, 27])
    bench.add(27, "on")
    bench.add(17, "off", 10)
    for _ in range(WAITING_MAX):
        bench.add(17, "on", 10)
    bench.go_on(20)
    assert len(bench.ends) == WAITING_MAX + 2 and bench.tasks.listed()[0][1] == 27


def test_the_longest_time_of_a_line_holds_for_tasks(bench, board):
    board.protect(17, longest_on_s=0.05)
    bench.add(17, "on", 1000)
    bench.sim.clock.advance(60 * MS)
    assert bench.sim.read(17) == 0


def test_a_rate_that_a_blink_breaks_ends_it(bench, board):
    board.protect(17, changes_per_s=4)
    bench.add(17, "blink", 2000, 0.05, 0.05)
    bench.go_on(3000)
    assert bench.ends[0][2:] == ("blink", "failed") and bench.sim.read(17) == 0


def test_read_only_lines_have_no_queue(bench, board):
    board.protect(17, read_only=True)
    with pytest.raises(errors.ReadOnlyError):
        bench.add(17, "on")
    assert bench.tasks.listed() == []


# -- whatever keeps the program -----------------------------------------------------------------------------


def test_a_line_changes_in_time_though_nobody_comes_to_do_it(bench):
    bench.add(17, "on", 100)
    bench.sim.clock.advance(100 * MS - 1)
    assert bench.sim.read(17) == 1
    bench.sim.clock.advance(1)
    assert bench.sim.read(17) == 0
    bench.go_on(1)
    assert bench.ends == [(100, 17, "on", "done")]


@pytest.mark.parametrize(
    ("behind", "level"),
    [
        ("on 50", 1),
        ("off 50", 0),
        ("toggle 50", 0),
        ("blink 50", 1),
        ("pulse 50", 0),
        ("value 50", 1),
        ("close", 0),
    ],
)
def test_what_comes_next_is_foreseen_as_it_is_added(bench, behind, level):
    bench.add(17, "on", 100)
    name, *ms = behind.split()
    bench.add(17, name, *map(int, ms))
    bench.sim.clock.advance(110 * MS)
    assert bench.sim.read(17) == level
    bench.tasks.tick()
    assert bench.sim.read(17) == level


def test_what_is_done_at_one_moment_comes_in_its_order(bench):
    bench.add(17, "on", 100)
    for name in ("blink", "pulse", "off"):
        bench.add(17, name)
    bench.sim.clock.advance(100 * MS)
    assert bench.sim.read(17) == 1
    bench.tasks.tick()
    assert bench.sim.read(17) == 0


def test_what_was_foreseen_is_taken_back(bench):
    bench.add(17, "on", 100, mode=NOWAIT)
    bench.go_on(50)
    bench.add(17, "on", mode=NOWAIT)
    bench.sim.clock.advance(1000 * MS)
    assert bench.sim.read(17) == 1
    bench.add(17, "off", 100, mode=NOWAIT)
    second = bench.add(17, "on", 100, mode=NOWAIT)
    bench.tasks.cancel([second.number], "carl")
    bench.sim.clock.advance(1000 * MS)
    assert bench.sim.read(17) == 0
    bench.add(17, "on", 100, mode=NOWAIT)
    bench.tasks.end(bench.anna, 17)
    bench.board.leases.set_output(bench.bert, 17, 1)
    bench.sim.clock.advance(1000 * MS)
    assert bench.sim.read(17) == 1


def test_a_timer_that_is_late_writes_nothing_that_has_been_done_without_it(bench):
    late_ns = 0
    bench.tasks.now_ns = lambda: bench.sim.clock.now_ns() + late_ns
    bench.add(17, "on", 100)
    late_ns = 101 * MS
    bench.tasks.tick()
    assert bench.sim.read(17) == 0
    bench.add(17, "on")
    bench.sim.clock.advance(1000 * MS)  # in which it would be off, by a task that has long ended
    assert bench.sim.read(17) == 1


@pytest.mark.parametrize("end", ["cancel", "cancel_all", "end"])
def test_nothing_is_written_between_the_end_of_what_runs_and_off(bench, end):
    task = bench.add(17, "blink", 3_600_000, 0.1, 0.1)
    bench.go_on(100)
    assert bench.sim.read(17) == 0
    write = bench.board.backend.write
    bench.board.backend.write = lambda line, level: (write(line, level), bench.sim.clock.advance(100 * MS))
    bench.board.safety.changes += 1  # who has the other one asks again
    {
        "cancel": lambda: bench.tasks.cancel([task.number], "carl"),
        "cancel_all": lambda: bench.tasks.cancel_all(bench.anna),
        "end": lambda: bench.tasks.end(bench.anna, 17),
    }[end]()
    assert not drives(bench.sim, 17)


def test_a_timer_that_the_loop_could_not_take_is_given_to_it_with_the_next_task(bench, board, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, "too many descriptors are watched")

    with monkeypatch.context() as patched:
        patched.setattr(board.dispatcher, "add", full)
        with pytest.raises(OSError, match="too many"):
            bench.add(17, "on", 100)
    bench.add(17, "on", 100)
    assert board.dispatcher.has(bench.tasks._timer.fileno())


def test_what_a_rule_has_a_say_in_is_not_foreseen(bench, board):
    bench.add(17, "off", 100)
    bench.add(17, "on", 100)
    board.interlock([17, 27])
    bench.add(27, "on", 500)
    bench.sim.clock.advance(150 * MS)
    assert (bench.sim.read(17), bench.sim.read(27)) == (0, 1)
    bench.tasks.tick()
    assert [(line, how) for _, line, _, how in bench.ends] == [(17, "done"), (17, "failed")]


def test_a_blink_keeps_its_time_though_each_look_is_late(bench):
    bench.add(17, "blink", 1000, 0.1, 0.1)
    for number in range(1, 10):
        bench.now_ns = (100 * number + 30) * MS
        assert bench.sim.read(17) == 1 - number % 2  # it has changed in time
        bench.tasks.tick()
        assert bench.due_ms() == 100 * number + 100


# -- what is no task ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (("fly",), ValueError),
        (("on", -1), ValueError),
        (("on", 1.1e9), ValueError),
        (("on", float("nan")), ValueError),
        (("on", float("inf")), ValueError),
        (("on", "5"), TypeError),
        (("on", True), TypeError),
        (("value", 0, 1.5), ValueError),
        (("value", 0, -0.1), ValueError),
        (("blink", 0, 0, 0), ValueError),
        (("blink", 0, 1e-4, 1e-4), ValueError),
        (("blink", 0, float("nan"), 1), ValueError),
        (("pulse", 0, 1e-6, 0), ValueError),
        (("pulse", 0, 1e7, 0), ValueError),
    ],
)
def test_what_is_no_task_is_refused_and_nothing_else_is_lost(bench, words, kind):
    bench.add(17, "on", 50)
    with pytest.raises(kind):
        bench.tasks.pin(bench.anna, 17).add(*words)
    bench.add(17, "off", 50)
    bench.go_on(200)
    assert [how for *_, how in bench.ends] == ["done", "done"]


def test_a_full_queue_takes_no_more_and_says_so(bench):
    for _ in range(WAITING_MAX + 1):
        bench.add(17, "on", 1)
    with pytest.raises(OSError, match="1024 tasks of GPIO 17 are waiting"):
        bench.add(17, "on", 1)
    bench.go_on(2000)
    assert len(bench.ends) == WAITING_MAX + 1


def test_there_are_two_modes(bench):
    with pytest.raises(ValueError, match="wait, nowait"):
        bench.tasks.pin(bench.anna, 17, "perhaps")
    assert bench.board.leases.consumer(bench.bert, 17) == ""


# -- many lines, and time -----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_tasks_of_twenty_lines_are_exact(bench, seed):
    """5 ms to 2 s, in an order that chance has made; what should come is counted here by another rule."""
    chance = random.Random(seed)
    lines = list(range(2, 22))
    ends, waves, total_ms = [], {line: [] for line in lines}, dict.fromkeys(lines, 0)
    for _ in range(400):
        line, ms, name = chance.choice(lines), chance.randint(5, 2000), chance.choice(["on", "off"])
        bench.add(line, name, ms)
        waves[line].append((total_ms[line], int(name == "on")))
        total_ms[line] += ms
        ends.append((total_ms[line], line, name, "done"))
    bench.go_on(1_000_000)
    assert sorted(bench.ends) == sorted(ends)
    assert [at for at, *_ in bench.ends] == sorted(at for at, *_ in ends)
    for line in lines:
        levels = [(-1, 0), *waves[line], (total_ms[line], 0)]
        changes = [now for before, now in itertools.pairwise(levels) if before[1] != now[1]]
        assert bench.wave(line) == changes


def nobody(*arguments):
    """For Leases.write_later()."""
    return False


def test_who_is_a_little_late_keeps_the_plan_and_who_is_very_late_keeps_the_lengths(bench):
    bench.board.leases.write_later = nobody  # does it in time
    for _ in range(3):
        bench.add(17, "on", 100)
        bench.add(17, "off", 100)
    bench.now_ns = 100 * MS + SLIP_NS // 2
    bench.tasks.tick()
    assert bench.due_ms() == 200
    bench.now_ns = 700 * MS
    bench.tasks.tick()
    assert bench.sim.read(17) == 1 and bench.due_ms() == 800


def test_no_task_loses_more_than_a_quarter_of_its_time(bench):
    """However late the loop is, each time: what is on for 8 ms is on for 6 at least."""
    bench.board.leases.write_later = nobody
    chance = random.Random(7)
    for n in range(300):
        bench.add(17, ("on", "off")[n % 2], 8)
    while (due_ns := bench.tasks.due_ns()) is not None:
        late_ns = int(chance.expovariate(1 / (3 * MS)))
        bench.now_ns = max(bench.now_ns, due_ns - bench.began_ns + late_ns)
        bench.tasks.tick()
        bench.look()
    times = [at for at, *_ in bench.wave(17)]
    assert len(times) == 300 and bench.ends[-1][0] >= 2400
    assert min(b - a for a, b in itertools.pairwise(times)) >= 5  # of whole milliseconds


def test_a_blink_that_was_not_looked_at_for_an_hour_does_not_make_up_for_it(bench):
    bench.add(17, "blink", 0, 0.001, 0.001)
    count = itertools.count()
    device = bench.tasks.pin(bench.anna, 17)._device
    drive = device.drive
    device.drive = lambda share: (next(count), drive(share))
    bench.now_ns = 3600 * 1000 * MS
    bench.tasks.tick()
    assert next(count) < 5


@pytest.mark.parametrize("seed", range(5))
def test_whatever_is_asked_each_task_ends_once_and_a_line_without_any_is_off(bench, board, seed):
    chance = random.Random(seed)
    board.interlock([4, 5])
    board.protect(6, changes_per_s=50)
    accepted, told = set(), []
    clients = [bench.anna, bench.bert]

    def on_end(task, how, text):
        told.append(task.number)

    for _ in range(600):
        client, line = chance.choice(clients), chance.choice((4, 5, 6, 7))
        what = chance.random()
        if what < 0.7:
            try:
                pin = bench.tasks.pin(client, line, chance.choice((WAIT, NOWAIT)))
                name = chance.choice([*courses.COURSES] * 4 + ["close"])
                task = pin.add(name, chance.choice((0, 0, 5, 40, 300)), 0.02, 0.03, on_end)
                accepted.add(task.number)
            except errors.LineBusyError:
                pass
        elif what < 0.8 and accepted:
            bench.tasks.cancel([chance.choice(sorted(accepted))], "carl")
        elif what < 0.83:
            bench.tasks.leave(client)
        elif what < 0.85:
            bench.tasks.cancel_all(client)
        elif what < 0.87:
            bench.tasks.end(client, line)
        else:
            bench.go_on(chance.choice((1, 10, 100, 1000)))
        rows = bench.tasks.listed()
        for number in (4, 5, 6, 7):
            states = [row[3] for row in rows if row[1] == number]
            assert states.count("runs") + states.count("goes-on") <= 1
            if "waits" in states:
                assert "runs" in states
            if not states:
                assert not drives(bench.sim, number)
    for client in clients:
        bench.tasks.leave(client)
    bench.go_on(10**9)
    assert bench.tasks.listed() == [] and board.leases.safety.held() == []
    assert sorted(told) == sorted(accepted)


# -- over the native protocol -------------------------------------------------------------------------------


class Served(World):
    """Sessions with tasks, under one clock."""

    def __init__(self, board, sim, **parts):
        self.tasks = Tasks(board.leases, lambda: board.dispatcher, self.now)
        super().__init__(board, sim, tasks=self.tasks, **parts)

    def go_on(self, ms):
        end_ns = self.now_ns + ms * MS
        while (due_ns := self.tasks.due_ns()) is not None and due_ns <= end_ns:
            self.now_ns = due_ns
            self.tasks.tick()
        self.now_ns = end_ns


@pytest.fixture
def served(board, sim):
    made = Served(board, sim)
    yield made
    made.tasks.close()


def test_a_session_has_tasks_done_and_is_told_how_they_ended(served, sim):
    anna = served.come("anna")
    assert anna.ask("task 17 on 100 - - wait yes") == "ok 1"
    assert anna.ask("task 17 off 50 - - wait yes") == "ok 2"
    assert anna.ask("task 17 on 100") == "ok 3"
    assert drives(sim, 17) == 1
    assert anna.ask("tasks") == "ok " + " ".join(
        ("1 17 on runs 100 100 anna", "2 17 off waits 50 50 anna", "3 17 on waits 100 100 anna")
    )
    served.go_on(120)
    assert anna.heard() == ['task 1 done ""']
    assert anna.ask("cancel 2 3 99") == "ok 2 3"
    assert anna.heard() == ['task 2 cancelled "by anna"']
    assert drives(sim, 17) == 0 and anna.ask("tasks") == "ok"


def test_the_tasks_of_a_session_that_has_gone_are_done(served, sim):
    anna, bert = served.come("anna"), served.come("bert")
    for _ in range(2):
        anna.ask("task 17 on 100 - - wait yes")
        anna.ask("task 17 off 100")
    anna.ask("bye")
    assert "tasks of anna" in bert.ask("output 17 0")
    served.go_on(250)
    assert drives(sim, 17) == 1
    served.go_on(200)
    assert drives(sim, 17) == 0 and bert.ask("consumer 17") == 'ok "" left'
    assert bert.ask("output 17 1") == "ok"


def test_release_takes_back_the_tasks_of_a_line(served, sim):
    anna = served.come("anna")
    anna.ask("task 17 on 100 - - wait yes")
    assert anna.ask("release 17") == "ok"
    assert drives(sim, 17) == 0 and anna.heard() == ['task 1 cancelled "the line was given back"']
    assert anna.ask("output 17 1") == "ok"


def test_a_line_that_the_session_has_itself_has_no_queue_before_it_is_released(served):
    anna = served.come("anna")
    anna.ask("output 17 0")
    assert error(anna.ask("task 17 on 100")) == "LineBusyError"
    anna.ask("release 17")
    assert anna.ask("task 17 on 100") == "ok 1"


@pytest.mark.parametrize(
    "words",
    ["17 fly", "17 on -1", "17 on nan", "17 on inf", "17 value 0 2", "17 blink 0 0 0", "17 on 1 1 1 ever"],
)
def test_what_is_no_task_is_refused_before_the_line_is_touched(served, sim, words):
    anna = served.come("anna")
    assert error(anna.ask(f"task {words}")) == "ValueError"
    assert drives(sim, 17) is None and anna.ask("tasks") == "ok"


def test_who_may_drive_some_lines_may_cancel_there_alone(served):
    from RPIO.server.rights.access import Rights

    anna, bert = served.come("anna"), served.come("bert")
    bert.talk.session.rights = Rights({"read": None, "gpio": frozenset({4})})
    anna.ask("task 17 on 100")
    anna.ask("task 4 on 100")
    assert error(bert.ask("cancel 1")) == error(bert.ask("task 17 on")) == "NotAllowedError"
    assert bert.ask("cancel 2") == "ok 2"


def test_a_full_queue_is_answered(served):
    anna = served.come("anna")
    for _ in range(WAITING_MAX + 1):
        anna.ask("task 17 on 1")
    assert error(anna.ask("task 17 on 1")) == "OSError"


def test_without_tasks_it_is_said_that_there_are_none(board, sim):
    assert error(World(board, sim).come("anna").ask("task 17 on")) == "NotSupportedError"
