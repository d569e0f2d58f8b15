# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio tasks`` and a daemon that does them: on a real clock, with one thread, whatever becomes of who has asked."""

import json
import os
import signal
import threading
import time

import pytest

import RPIO
from remote_parts import daemon, program
from RPIO.backends.remote import RemoteBackend
from waiting import wait_until


@pytest.fixture
def served(tmp_path):
    with daemon(tmp_path) as made:
        yield made


def ok(done):
    """What a command printed, which has gone well."""
    assert done.returncode == 0, (done.stdout, done.stderr)
    return done.stdout


@pytest.mark.slow
def test_tasks_are_added_shown_and_cancelled(served):
    assert ok(served.rpio("tasks")) == ""
    assert ok(served.rpio("tasks", "add", "17,27", "on", "1h")) == "1 2\n"
    assert ok(served.rpio("tasks", "add", "22", "blink", "1h", "0.5", "0.25")) == "3\n"
    shown = ok(served.rpio("tasks")).splitlines()
    assert [line.split()[:4] for line in shown] == [
        ["1", "GPIO", "17", "on"],
        ["3", "GPIO", "22", "blink"],
        ["2", "GPIO", "27", "on"],
    ]
    assert "runs" in shown[0] and "of 3600 s left" in shown[0]
    assert ok(served.rpio("read", "17,27", "--on", "localhost")) == "GPIO 17: 1\nGPIO 27: 1\n"
    assert "tasks of " in ok(served.rpio("who"))
    assert ok(served.rpio("tasks", "cancel", "1")) == "1: cancelled\n"
    assert ok(served.rpio("read", "17,27", "--on", "localhost")) == "GPIO 17: 0\nGPIO 27: 1\n"
    again = served.rpio("tasks", "cancel", "1", "2")
    assert (again.returncode, again.stdout) == (1, "1: has ended already, or never was\n2: cancelled\n")
    row = json.loads(ok(served.rpio("tasks", "--json")))[0]
    assert (row["number"], row["line"], row["task"], row["state"]) == (3, 22, "blink", "runs")
    assert 0 < row["left_ms"] <= row["ms"] == 3_600_000
    assert ok(served.rpio("tasks", "cancel", "--all")) == "3: cancelled\n"
    assert "nobody" not in served.rpio("who").stdout and ok(served.rpio("tasks")) == ""


@pytest.mark.slow
def test_however_many_tasks_are_cancelled_at_once_and_quickly(served):
    lines, count = (5, 6, 7, 8, 9), 4100  # more than one request takes
    with RPIO.connect(f"remote+unix://{served.socket}") as there:
        for number in range(count):
            there.tasks.add(lines[number % len(lines)], "off", 3_600_000)
        gone = ok(served.rpio("tasks", "cancel", "--all")).splitlines()
        assert len(gone) == count and gone[-1] == f"{count}: cancelled"
        assert there.tasks.listed() == []


@pytest.mark.slow
def test_where_one_line_cannot_be_had_none_has_a_task(served):
    with RPIO.connect(f"remote+unix://{served.socket}") as there:
        there.setup(27, RPIO.OUT)
        refused = served.rpio("tasks", "add", "17,27", "on", "1h")
        assert refused.returncode == 1 and "GPIO 27 is in use by" in refused.stderr
        assert there.tasks.listed() == []


@pytest.mark.slow
def test_who_waits_is_told_how_it_has_ended(served):
    assert (
        ok(served.rpio("tasks", "add", "17,27", "on", "50ms", "--wait"))
        == "1: GPIO 17: done\n2: GPIO 27: done\n"
    )


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        (["add", "17", "on"], 2, "add takes PINS TASK TIME and two numbers at most: rpio tasks add 17 on 2s"),
        (
            ["add", "17", "fly", "2s"],
            1,
            "a task is one of on, off, toggle, value, blink, pulse, close, not 'fly'",
        ),
        (["add", "17", "on", "soon"], 2, "'soon' is not a time"),
        (["add", "17", "blink", "2s", "much"], 2, "'much'"),
        (["add", "17", "value", "2s", "3"], 1, "value takes a share of full power, 0 to 1, not 3"),
        (["add", "99", "on", "2s"], 2, "there is no GPIO 99"),
        (["cancel"], 2, "name the tasks by their numbers, or say --all: rpio tasks cancel 12"),
        (
            ["cancel", "9" * 30],
            2,
            "'999999999999999999999999999999' is no number of a task; rpio tasks shows them",
        ),
        (["cancel", "some"], 2, "'some' is no number of a task; rpio tasks shows them"),
        (["list", "17"], 2, "list takes no words"),
        (["--all"], 2, "--all goes with cancel"),
        (["--wait"], 2, "--wait goes with add"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
@pytest.mark.slow
def test_what_cannot_be_is_said(served, words, status, text):
    done = served.rpio("tasks", *words)
    assert (done.returncode, done.stdout) == (status, "")
    assert text in done.stderr


@pytest.mark.slow
def test_a_client_that_is_killed_in_the_middle_leaves_its_tasks_to_be_done(served):
    with served.connect() as client:
        for words in ("17 on 300", "17 off 100", "17 on 200", "27 on 3600000"):
            assert client.ask(f"task {words}").startswith("ok ")
    with served.connect() as other:
        assert "tasks of session" in other.ask("output 17 0")
        assert other.levels(17, 27) == [1, 1]
        assert wait_until(lambda: other.ask("consumer 17") == 'ok "" left')
        assert other.levels(17, 27) == [0, 1]
        assert other.ask("output 17 1") == "ok"


@pytest.mark.slow
def test_when_the_daemon_ends_what_its_tasks_had_on_is_off(served, tmp_path):
    with served.connect() as client:
        assert client.ask("task 17 on 3600000 - - wait yes") == "ok 1"
        served.process.send_signal(signal.SIGTERM)
        rest = client.rest()
    assert rest in (b"", b'task 1 cancelled "whoever serves has ended"\n')
    assert served.process.wait(60) == 0


@pytest.mark.slow
def test_a_thousand_tasks_on_forty_lines_are_one_thread(served):
    def threads():
        return len(os.listdir(f"/proc/{served.pid}/task"))

    backend = RemoteBackend(f"remote+unix://{served.socket}")
    try:
        before = threads()
        numbers = [
            backend.ask("task", 2 + n % 40, "on", 1.0, None, None, "wait", True)[0] for n in range(1000)
        ]
        assert threads() <= before + 1
        ends = [backend.task_ends.wait(number, 60) for number in numbers]
        assert {end.how for end in ends} == {"done"} and threads() <= before + 1
        assert backend.task_ends.wait(numbers[0], 0.01) is None  # it is told once
    finally:
        backend.close()


@pytest.mark.slow
def test_an_idle_queue_costs_nothing(served):
    """What goes on without steps, and a time that is long, wake nobody up."""
    with served.connect() as client:
        client.ask("task 17 on")
        client.ask("task 27 on 3600000")

        def switches():
            with open(f"/proc/{served.pid}/status", encoding="utf-8") as file:
                return sum(int(row.split()[1]) for row in file if "ctxt_switches" in row)

        client.ask("ping")
        assert wait_until(lambda: is_still(switches))


def is_still(count):
    """Whether something does not happen for a while: on a busy machine what went before may take its time."""
    before = count()
    time.sleep(0.5)
    return count() == before


# -- from Python --------------------------------------------------------------------------------------------


def test_a_program_has_tasks_done_on_a_board_that_it_is_connected_to(served):
    with RPIO.connect(f"remote+unix://{served.socket}") as there:
        there.setmode(RPIO.BOARD)
        first, second = there.tasks.add(11, "on", 3_600_000), there.tasks.add(11, "off", 5)
        assert [row[:4] for row in there.tasks.listed()] == [(1, 17, "on", "runs"), (2, 17, "off", "waits")]
        assert first.wait(0.01) is None and repr(first) == "<task 1>"
        assert first.cancel() and first.wait() == "cancelled" and not first.cancel()
        assert first.why.startswith("by ") and repr(first) == "<task 1: cancelled>"
        assert second.wait() == "done" and second.wait() == "done" and second.why == ""
        assert there.tasks.cancel() == there.tasks.cancel(1, 2, 3) == there.tasks.listed() == []
        with pytest.raises(ValueError, match="'fly'"):
            there.tasks.add(11, "fly")
        there.setup(13, RPIO.OUT)
        with pytest.raises(RPIO.LineBusyError):
            there.tasks.add(13, "on")


@pytest.mark.slow
def test_who_waits_for_a_task_of_a_daemon_that_dies_is_told(served):
    with RPIO.connect(f"remote+unix://{served.socket}", patience_s=0) as there:
        task = there.tasks.add(17, "on", 3_600_000)
        served.kill()
        with pytest.raises(RPIO.ConnectionLost):
            task.wait()


def test_a_lost_connection_that_comes_back_is_told_what_has_ended_meanwhile(served):
    with RPIO.connect(f"remote+unix://{served.socket}") as there:
        task = there.tasks.add(17, "on", 50)
        there.backend._connection._link._socket.shutdown(2)
        assert task.wait(60) == "done"


def test_any_number_of_threads_wait_and_each_is_told(served):
    with RPIO.connect(f"remote+unix://{served.socket}") as there:
        tasks = [there.tasks.add(line, "on", 300) for line in (5, 6, 7, 8, 9, 10)]
        told = []
        waiting = [
            threading.Thread(target=lambda task=task: told.append(task.wait(60)))
            for task in [*tasks, tasks[0], tasks[0]]
        ]
        for thread in waiting:
            thread.start()
        for thread in waiting:
            thread.join(30)  # by then each has been told, and nobody sleeps for as long as he may
        assert told == ["done"] * len(waiting)


@pytest.mark.slow
def test_who_waits_for_a_task_of_a_session_that_has_ended_is_told(served, tmp_path):
    with RPIO.connect(f"remote+unix://{served.socket}") as there:
        task = there.tasks.add(17, "on", 3_600_000)
        served.kill()
        with daemon(tmp_path):
            wait_until(lambda: there.tasks.listed() == [] and there.tasks.add(27, "on").wait(60) == "done")
            with pytest.raises(RPIO.ConnectionLost):
                task.wait(60)


PROGRAM = """
import time
import RPIO

print(RPIO.serve_remote(0), flush=True)

def callback(gpio, level):
    print("begins", flush=True)
    time.sleep(2)
    print("level", RPIO.forceinput(17), flush=True)

RPIO.add_interrupt_callback(4, callback)
RPIO.wait_for_interrupts()
"""


@pytest.mark.slow
def test_a_pump_is_switched_off_in_time_though_the_program_that_serves_is_busy(tmp_path):
    with program(PROGRAM) as busy:
        port = int(busy.says(r"^(\d+)$")[1])
        with RPIO.connect(f"localhost:{port}") as there:
            task = there.tasks.add(17, "on", 1000)
            there.backend.ask("drive", 4, 0)
            busy.says("^begins$")
            assert busy.says(r"^level (\d)$")[1] == "0"
            assert task.wait() == "done"
