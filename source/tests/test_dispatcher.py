# SPDX-License-Identifier: LGPL-3.0-or-later
"""The loop: waiting, waking, stopping, descriptors that come and go."""

import gc
import os
import random
import signal
import sys
import threading
import time

import pytest

from RPIO import _gpio, errors
from RPIO.loop.callbacks import Worker
from RPIO.loop.dispatcher import Dispatcher
from support import new_threads, play
from waiting import wait_until


@pytest.fixture
def edges():
    return []


@pytest.fixture
def dispatcher(edges):
    d = Dispatcher(_gpio.Poller(), edges.append)
    yield d
    d.close()


@pytest.fixture
def pipe():
    reader, writer = os.pipe2(os.O_NONBLOCK)
    yield reader, writer
    for fd in (reader, writer):
        try:
            os.close(fd)
        except OSError as e:
            assert e.errno == 9  # the test has closed it


def record(line, value, ns=0, seq=1):
    return _gpio.event_encode(line, value, ns, seq)


def test_a_handler_is_called_with_what_is_ready(dispatcher, pipe):
    seen = []
    dispatcher.add(pipe[0], lambda events: (seen.append(events), os.read(pipe[0], 9)))
    os.write(pipe[1], b"x")
    assert dispatcher.step(1) == 1
    assert dispatcher.step(0) == 0
    assert seen == [1]


def test_a_removed_descriptor_is_not_called_even_when_ready_in_the_same_batch(dispatcher):
    pairs = [os.pipe2(os.O_NONBLOCK) for _ in range(2)]
    seen = []

    def handler(mine, other):
        def handle(events):
            seen.append(mine)
            dispatcher.remove(other)

        return handle

    for mine, other in ((0, 1), (1, 0)):
        dispatcher.add(pairs[mine][0], handler(mine, pairs[other][0]))
        os.write(pairs[mine][1], b"x")
    dispatcher.step(1)
    assert len(seen) == 1
    for pair in pairs:
        for fd in pair:
            os.close(fd)


def test_a_reused_descriptor_does_not_get_the_old_ones_events(dispatcher):
    a, b = os.pipe2(os.O_NONBLOCK), os.pipe2(os.O_NONBLOCK)
    seen = []

    def replace(events):
        seen.append("a")
        os.read(a[0], 9)
        dispatcher.remove(b[0])
        os.close(b[0])
        fresh = os.pipe2(os.O_NONBLOCK)  # its reading end gets b's number
        assert fresh[0] == b[0]
        dispatcher.add(fresh[0], lambda events: seen.append("fresh"))

    dispatcher.add(a[0], replace)
    dispatcher.add(b[0], lambda events: seen.append("b"))
    os.write(b[1], b"x")
    os.write(a[1], b"x")
    dispatcher.step(1)
    # whichever came first, the old registration's event never reaches the new handler
    assert "fresh" not in seen


def test_edges_come_as_one_batch_in_order_of_time(dispatcher, edges):
    a, b = os.pipe2(os.O_NONBLOCK), os.pipe2(os.O_NONBLOCK)
    for pair in (a, b):
        dispatcher.add_edges(pair[0], dispatcher.new_token(), pytest.fail)
    os.write(b[1], record(2, 1, 30))
    os.write(a[1], record(1, 1, 10) + record(1, 0, 40, 2))
    os.write(b[1], record(2, 0, 35, 2))
    assert dispatcher.step(1) == 4
    assert [(e.line, e.value, e.timestamp_ns, e.seq) for e in edges] == [
        (1, 1, 10, 1),
        (2, 1, 30, 1),
        (2, 0, 35, 2),
        (1, 0, 40, 2),
    ]
    for pair in (a, b):
        dispatcher.remove(pair[0])
        os.close(pair[0])
        os.close(pair[1])


def test_edges_of_several_lines_are_in_order_of_time_however_many_wait(dispatcher, edges):
    """A line is read 64 at a time: of the slow one, which has fewer, those that are younger than the rest wait."""
    pipes = [os.pipe2(os.O_NONBLOCK) for _ in range(2)]
    for reader, _ in pipes:
        dispatcher.add_edges(reader, dispatcher.new_token(), lambda events: None)
    slow, fast = pipes
    for ns in range(500):
        os.write(fast[1], record(2, 1, ns=ns, seq=ns + 1))
        if ns % 50 == 0:
            os.write(slow[1], record(1, 1, ns=ns, seq=ns // 50 + 1))
    while dispatcher.step(0):
        pass
    times = [event.timestamp_ns for event in edges]
    assert len(times) == 510
    assert times == sorted(times)
    for reader, writer in pipes:
        dispatcher.remove(reader)
        os.close(reader)
        os.close(writer)


def test_more_than_a_batch_waits_for_the_next_turn(dispatcher, edges, pipe):
    dispatcher.add_edges(pipe[0], dispatcher.new_token(), pytest.fail)
    os.write(pipe[1], b"".join(record(1, n % 2, n, n + 1) for n in range(150)))
    assert [dispatcher.step(0) for _ in range(4)] == [64, 64, 22, 0]
    assert [e.seq for e in edges] == list(range(1, 151))


def test_the_end_of_an_edge_source_is_an_error_not_a_spin(dispatcher, pipe):
    errors_seen = []
    dispatcher.add_edges(
        pipe[0],
        dispatcher.new_token(),
        lambda events: (errors_seen.append(events), dispatcher.remove(pipe[0])),
    )
    os.close(pipe[1])
    dispatcher.step(1)
    assert dispatcher.step(0) == 0
    assert len(errors_seen) == 1


def test_what_is_no_record_is_an_error(dispatcher, edges, pipe):
    seen = []
    dispatcher.add_edges(pipe[0], dispatcher.new_token(), seen.append)
    os.write(pipe[1], b"x" * 48)
    dispatcher.step(1)
    assert (len(seen), edges) == (1, [])


def test_adding_a_bad_descriptor_is_an_oserror_and_leaves_nothing(dispatcher):
    with pytest.raises(OSError):
        dispatcher.add(9999, print)
    with pytest.raises(OSError):
        dispatcher.add_edges(9999, dispatcher.new_token(), print)
    assert dispatcher._handlers == {}


# -- stopping -----------------------------------------------------------------------------------------------


def stop_latency(dispatcher, stopper):
    """Run the loop here; *stopper* is started first and returns when it stopped it."""
    moments = []

    def go():
        assert wait_until(lambda: dispatcher.running)
        stopper()
        moments.append(time.monotonic())

    thread = threading.Thread(target=go)
    thread.start()
    dispatcher.run()
    ended = time.monotonic()
    thread.join()
    return ended - moments[0]


def test_stop_from_another_thread_ends_the_loop_at_once(dispatcher):
    assert stop_latency(dispatcher, dispatcher.stop) < 0.5
    assert not dispatcher.running


def test_stop_from_a_handler_ends_the_loop(dispatcher, pipe):
    dispatcher.add(pipe[0], lambda events: dispatcher.stop())
    os.write(pipe[1], b"x")
    dispatcher.run()


def test_stop_from_a_signal_handler_ends_the_loop(dispatcher):
    before = signal.signal(signal.SIGUSR1, lambda *a: dispatcher.stop())
    try:
        assert stop_latency(dispatcher, lambda: os.kill(os.getpid(), signal.SIGUSR1)) < 0.5
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_signal_handler_that_raises_gets_out_of_the_loop(dispatcher):
    def interrupt(*a):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            stop_latency(dispatcher, lambda: os.kill(os.getpid(), signal.SIGUSR1))
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert not dispatcher.running
    dispatcher.start_thread()  # and it can run again


def test_a_loop_in_a_thread_can_be_stopped_as_soon_as_it_has_been_started(dispatcher):
    for _ in range(50):
        dispatcher.start_thread()
        assert dispatcher.running
        dispatcher.stop()
    assert not dispatcher.running


def test_two_loops_are_an_error(dispatcher):
    dispatcher.start_thread()
    with pytest.raises(errors.AlreadyRunningError, match="running already"):
        dispatcher.run()
    with pytest.raises(RuntimeError):
        dispatcher.start_thread()


def test_a_loop_within_a_callback_is_an_error(dispatcher, pipe):
    seen = []

    def nest(events):
        os.read(pipe[0], 9)
        dispatcher.stop()
        with pytest.raises(errors.AlreadyRunningError):
            dispatcher.run()
        seen.append(1)

    dispatcher.add(pipe[0], nest)
    os.write(pipe[1], b"x")
    dispatcher.run()
    assert seen == [1]


def test_stop_without_a_loop_does_nothing(dispatcher):
    dispatcher.stop()
    dispatcher.stop()
    assert dispatcher.step(0) == 0


def test_close_ends_the_thread(dispatcher):
    dispatcher.start_thread()
    dispatcher.close()
    assert wait_until(lambda: "RPIO loop" not in [t.name for t in threading.enumerate()])


def test_an_idle_loop_uses_no_cpu(dispatcher):
    """What the other thread used, while this one polled; starting up is no idling, so it has more than one try."""
    dispatcher.start_thread()
    used_ns = []
    for _ in range(3):
        before = time.thread_time_ns(), time.process_time_ns()
        wait_until(lambda: False, 0.3)
        used_ns.append(time.process_time_ns() - before[1] - (time.thread_time_ns() - before[0]))
    assert min(used_ns) < 2_000_000


def test_nothing_wakes_an_idle_loop(dispatcher):
    """The context switches of the loop's thread, as the kernel counts them."""
    others = set(threading.enumerate())  # those of other tests may be about to end
    dispatcher.start_thread()
    assert wait_until(lambda: "RPIO loop" in [t.name for t in set(threading.enumerate()) - others])
    loop = next(t for t in set(threading.enumerate()) - others if t.name == "RPIO loop")
    assert wait_until(lambda: loop.native_id)  # which it says itself as it starts

    def switches():
        with open(f"/proc/self/task/{loop.native_id}/status") as f:
            return [line for line in f if line.startswith("voluntary")]

    def asleep():
        with open(f"/proc/self/task/{loop.native_id}/stat") as f:
            return f.read().rpartition(")")[2].split()[0] == "S"

    assert wait_until(asleep)
    before = switches()
    wait_until(lambda: False, 1.2)
    assert switches() == before


def test_it_nests_in_another_epoll(dispatcher, pipe):
    import select

    seen = []
    dispatcher.add(pipe[0], lambda events: seen.append(os.read(pipe[0], 9)))
    with select.epoll() as outer:
        outer.register(dispatcher.fileno(), select.EPOLLIN)
        assert outer.poll(0) == []
        os.write(pipe[1], b"x")
        assert outer.poll(1) == [(dispatcher.fileno(), select.EPOLLIN)]
        dispatcher.step(0)
        assert outer.poll(0) == []
    assert seen == [b"x"]


class OuterLoop:
    dead = False

    def is_dead(self):
        return self.dead


def test_a_loop_in_a_dead_nest_is_free(dispatcher):
    outer = OuterLoop()
    assert dispatcher.nest(outer)
    assert dispatcher.nested_in is outer and not dispatcher.nest(OuterLoop())
    outer.dead = True
    later = OuterLoop()
    assert dispatcher.nest(later)
    dispatcher.unnest(outer)  # it is no longer there
    assert dispatcher.nested_in is later
    with pytest.raises(errors.AlreadyRunningError):
        dispatcher.claim()
    later.dead = True
    dispatcher.release(dispatcher.claim())


def test_the_background_loop_follows_a_dead_nest(dispatcher, pipe):
    outer, threads = OuterLoop(), []
    dispatcher.add(pipe[0], lambda events: (os.read(pipe[0], 9), threads.append(threading.current_thread())))
    dispatcher.nest(outer)
    dispatcher.run_in_background()
    assert dispatcher.in_loop
    outer.dead = True
    dispatcher.run_in_background()
    os.write(pipe[1], b"x")
    assert wait_until(lambda: threads)
    assert threads[0].name == "RPIO loop" and not dispatcher.in_loop


def test_the_background_loop_follows_one_that_was_stopped_before_it_began(dispatcher, pipe, monkeypatch):
    heard, late = [], []
    dispatcher.add(pipe[0], lambda events: heard.append(os.read(pipe[0], 9)))
    start = dispatcher._start
    with monkeypatch.context() as patch:
        patch.setattr(dispatcher, "_start", late.append)  # a thread that takes its time
        dispatcher.start_thread()
    dispatcher.run_in_background()
    dispatcher.stop()
    start(late[0])
    os.write(pipe[1], b"x")
    assert wait_until(lambda: heard)


def test_where_no_thread_can_be_started_the_one_that_leaves_runs_the_background_loop(
    dispatcher, pipe, monkeypatch
):
    heard = []
    dispatcher.add(pipe[0], lambda events: (os.read(pipe[0], 9), heard.append(threading.current_thread())))
    dispatcher.start_thread()
    dispatcher.run_in_background()  # when the other loop has ended
    assert wait_until(lambda: dispatcher._run.thread is not None)

    def refuse(target):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(dispatcher, "_start", refuse)
    for _ in range(3):
        before = len(heard)
        dispatcher.stop()
        os.write(pipe[1], b"x")
        assert wait_until(lambda before=before: len(heard) > before)
        assert wait_until(lambda: not dispatcher.running)
    assert len(set(heard)) == 1
    dispatcher.end_background()
    assert wait_until(lambda: not dispatcher.is_busy)


def test_a_loop_in_a_thread_outlives_a_lack_of_memory(dispatcher, pipe, monkeypatch):
    heard, step = [], dispatcher.step
    dispatcher.add(pipe[0], lambda events: heard.append(os.read(pipe[0], 9)))

    def lack(timeout_s):
        monkeypatch.setattr(dispatcher, "step", step)
        raise MemoryError

    monkeypatch.setattr(dispatcher, "step", lack)
    dispatcher.run_in_background()
    os.write(pipe[1], b"x")
    assert wait_until(lambda: heard)


def test_a_threaded_callback_whose_thread_has_ended_gets_another():
    heard = []
    worker = Worker(heard.append, "RPIO test")
    assert worker.put(1) and wait_until(lambda: heard == [1])
    worker._thread.is_over = True  # as after a MemoryError in it
    assert worker.put(2) and wait_until(lambda: heard == [1, 2])
    worker.close()


def test_descriptors_are_close_on_exec(dispatcher):
    assert not os.get_inheritable(dispatcher.fileno())


# -- the poller ---------------------------------------------------------------------------------------------


def test_a_wait_is_never_shorter_than_asked():
    poller = _gpio.Poller()
    start = time.monotonic()
    assert poller.wait(0.0105, []) == []
    assert time.monotonic() - start >= 0.0105
    poller.close()


@pytest.mark.parametrize("timeout", [-1, float("nan"), -0.001])
def test_a_negative_timeout_is_an_error(timeout):
    with pytest.raises(ValueError):
        _gpio.Poller().wait(timeout, [])


@pytest.mark.parametrize("arguments", [(), (0,), (0, None), (0, ()), (0, [], 1)])
def test_what_wait_takes(arguments):
    with pytest.raises(TypeError, match="a timeout in seconds and a list"):
        _gpio.Poller().wait(*arguments)


class Alarm(Exception):
    """What a signal handler raises."""


def test_a_signal_handler_that_raises_loses_no_edge_and_repeats_none():
    """Wherever it comes, as Ctrl+C does that a program catches to wait again."""
    seen, chance = [], random.Random(3)
    dispatcher = Dispatcher(_gpio.Poller(), seen.append)
    reader, writer = os.pipe2(os.O_NONBLOCK)
    dispatcher.add_edges(reader, dispatcher.new_token(), print)
    count, alarms = 20_000, 0

    def handler(*_):
        if len(seen) < count:  # else it is over
            raise Alarm

    def until_the_last():
        """A call: what is raised as a loop begins again is within no `try` of its own function (Python 3.13)."""
        signal.setitimer(signal.ITIMER_REAL, chance.uniform(0.0001, 0.001))
        while len(seen) < count:
            dispatcher.step(5)

    def send():
        for seq in range(count):
            while True:
                try:
                    os.write(writer, _gpio.event_encode(17, seq % 2, seq, seq + 1))
                    break
                except BlockingIOError:
                    time.sleep(0.001)  # the pipe is full

    thread = threading.Thread(target=send)
    before = signal.signal(signal.SIGALRM, handler)
    gc.disable()  # Python swallows what is raised within a callback of its garbage collection, as Hypothesis has one
    try:
        thread.start()
        while len(seen) < count:
            try:
                until_the_last()
            except Alarm:
                alarms += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        gc.enable()
    thread.join()
    while dispatcher.step(0):
        pass
    dispatcher.close()
    os.close(reader)
    os.close(writer)
    assert [event.seq for event in seen] == list(range(1, count + 1))
    assert alarms > 20


def test_a_second_waiting_thread_is_an_error():
    poller = _gpio.Poller()
    thread = threading.Thread(target=poller.wait, args=(None, []))
    thread.start()

    def refused():
        try:
            poller.wait(0, [])
        except RuntimeError:
            return True
        return False

    assert wait_until(refused)
    while thread.is_alive():
        poller.wake()
        thread.join(0.01)
    poller.close()


def test_closing_twice_is_fine_and_a_closed_poller_says_so():
    poller = _gpio.Poller()
    poller.close()
    poller.close()
    with pytest.raises(OSError):
        poller.wait(0, [])


def test_lines_may_be_removed_and_closed_while_another_thread_waits(edges):
    """The number of a closed line goes to a socket at once: its data must not be read as edges."""
    dispatcher = Dispatcher(_gpio.Poller(), edges.append)
    dispatcher.start_thread()
    stolen = 0
    for n in range(300):
        reader, writer = os.pipe2(os.O_NONBLOCK)
        dispatcher.add_edges(reader, dispatcher.new_token(), lambda events: None)
        os.write(writer, record(1, 1, n, 1))
        dispatcher.remove(reader)
        os.close(reader)
        other_reader, other_writer = os.pipe2(os.O_NONBLOCK)
        os.write(other_writer, b"precious")
        stolen += os.read(other_reader, 99) != b"precious"
        for fd in (writer, other_reader, other_writer):
            os.close(fd)
    dispatcher.close()
    assert stolen == 0


# -- workers ------------------------------------------------------------------------------------------------


def test_a_worker_that_is_never_used_has_no_thread():
    before = threading.enumerate()
    worker = Worker(print, "idle")
    assert new_threads(before) == []
    worker.close()
    worker.join(1)
    assert not worker.put(1)


def test_a_closed_worker_drops_what_is_queued_and_ends():
    gate, seen = threading.Event(), []
    worker = Worker(lambda n: (gate.wait(5), seen.append(n)), "w")
    for n in range(5):
        assert worker.put(n)
    worker.close()
    gate.set()
    worker.join(5)
    assert len(seen) <= 1
    assert "w" not in [t.name for t in threading.enumerate()]


# -- things that must not end the loop ----------------------------------------------------------------------


def test_a_handler_that_fails_loses_its_descriptor_not_the_loop(dispatcher, pipe, capsys):
    def broken(events):
        raise KeyError("a fault of ours")

    dispatcher.add(pipe[0], broken)
    os.write(pipe[1], b"x")
    dispatcher.step(1)
    assert dispatcher.step(0) == 0
    assert "a fault of ours" in capsys.readouterr().err


def test_stop_in_a_callback_keeps_the_rest_of_the_batch_for_the_next_loop(pipe):
    seen = []
    dispatcher = Dispatcher(_gpio.Poller(), lambda event: (seen.append(event.seq), dispatcher.stop()))
    dispatcher.add_edges(pipe[0], dispatcher.new_token(), pytest.fail)
    os.write(pipe[1], b"".join(record(1, n % 2, n, n + 1) for n in range(5)))
    for turn in range(1, 6):
        dispatcher.run()
        assert seen == list(range(1, turn + 1))
    dispatcher.close()


def test_a_stop_while_wait_waits_for_the_loop_before_is_not_lost(pipe):
    gate, inside = threading.Event(), threading.Event()

    def slow(event):
        inside.set()
        gate.wait(10)

    dispatcher = Dispatcher(_gpio.Poller(), slow)
    dispatcher.add_edges(pipe[0], dispatcher.new_token(), pytest.fail)
    os.write(pipe[1], record(1, 1, 1))
    dispatcher.start_thread()
    assert inside.wait(5)
    dispatcher.stop()
    second = threading.Thread(target=dispatcher.run)
    second.start()
    wait_until(lambda: False, 0.1)  # it waits for its turn now
    dispatcher.stop()
    gate.set()
    second.join(5)
    assert not second.is_alive()
    dispatcher.close()


def test_a_worker_survives_a_callback_that_is_interrupted(monkeypatch):
    seen, heard = [], []
    monkeypatch.setattr(threading, "excepthook", heard.append)

    def leave(n):
        seen.append(n)
        raise KeyboardInterrupt

    worker = Worker(leave, "leaver")
    for n in range(3):
        worker.put(n)
    assert wait_until(lambda: seen == [0, 1, 2])
    worker.close()
    worker.join(5)
    assert [(args.exc_type, args.thread.name) for args in heard] == [(KeyboardInterrupt, "leaver")] * 3


def test_a_callback_without_a_repr_and_a_stderr_that_has_gone_end_nothing(monkeypatch):
    from RPIO.loop.callbacks import run_callback

    class Unspeakable:
        def __call__(self):
            raise ValueError

        def __repr__(self):
            raise RuntimeError

    run_callback(Unspeakable())
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", buffering=1) as gone:
        monkeypatch.setattr("sys.stderr", gone)
        run_callback(Unspeakable())
        run_callback(lambda: 1 / 0)
        monkeypatch.undo()
        with pytest.raises(BrokenPipeError):
            gone.close()


def test_logging_that_is_being_imported_is_left_alone(monkeypatch):
    import types

    from RPIO import log

    monkeypatch.setitem(sys.modules, "logging", types.ModuleType("logging"))
    log.debug("nobody hears %s", "this")


def test_what_a_raising_callback_leaves_is_for_the_next_loop(board, sim):
    got = []

    def first_interrupts(gpio_id, value):
        got.append(value)
        if len(got) == 1:
            raise KeyboardInterrupt

    board.add_interrupt_callback(17, first_interrupts, "both", None, False, None, 0)
    for n in range(10):
        sim.drive(17, (n + 1) % 2)
    with pytest.raises(KeyboardInterrupt):
        board.wait_for_interrupts(False)
    while board.dispatcher.step(0):
        pass
    assert got == [1, 0] * 5 and board.events_lost() == 0


def test_a_signal_handler_may_add_and_end_watches_at_any_moment(board, sim):
    """The handler comes between any two bytecodes: also where the main thread holds the dispatcher's lock."""
    board.setwarnings(0)
    board.setup([4, 17], 1, 20, -1)
    is_over = False

    def handler(number, frame):
        board.detections.add(4, 31, None, None)
        board.detections.remove(4)
        if not is_over:
            signal.setitimer(signal.ITIMER_REAL, 0.0002)  # once: it does not come into its own middle

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.0002)
    try:
        for _ in range(500):
            board.detections.add(17, 31, None, None)
            board.detections.remove(17)
    finally:
        is_over = True  # a handler that comes right here would wind it up again, for pytest's own
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


# -- signals in the instant before the wait ------------------------------------------------------------------


SIGNALLED = """
import os, signal, sys, threading
import RPIO
from RPIO import facade
went = []
signal.signal(signal.SIGUSR1, lambda *_: (went.append(1), RPIO.stop_waiting_for_interrupts()))
RPIO.add_interrupt_callback(17, print)
if sys.argv[1] == "two lines":
    RPIO.add_interrupt_callback(18, print)

def kill():
    while not facade.board.is_waiting:
        pass
    os.kill(os.getpid(), signal.SIGUSR1)  # the main thread is not interrupted by it, as if it came just before

before = set(os.listdir("/proc/self/fd"))
thread = threading.Thread(target=kill)
thread.start()
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
for n in range(3):  # from the second wait on a single line is read by one system call
    RPIO.wait_for_interrupts()
    thread.join()
    thread = threading.Thread(target=kill)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR1])
    thread.start()
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
RPIO.wait_for_interrupts()
print(len(went), set(os.listdir("/proc/self/fd")) - before or "none left")
"""


@pytest.mark.parametrize("lines", ["one line", "two lines"])
def test_a_signal_that_does_not_interrupt_the_wait_is_handled_all_the_same(lines):
    status, out, err = play(SIGNALLED, lines)
    assert (status, err) == (0, "")
    assert out.startswith("4 ")


def test_another_loops_wakeup_descriptor_is_left_alone(rpio):
    reader, writer = os.pipe2(os.O_NONBLOCK)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    try:
        rpio.add_interrupt_callback(17, rpio.stop_waiting_for_interrupts, pull_up_down="up")
        rpio.sim.drive(17, 0)
        rpio.wait_for_interrupts()
        assert signal.set_wakeup_fd(writer, warn_on_full_buffer=False) == writer
    finally:
        signal.set_wakeup_fd(-1)
        os.close(reader)
        os.close(writer)


def test_descriptors_of_a_wait_are_given_back(rpio):
    rpio.add_interrupt_callback(17, rpio.stop_waiting_for_interrupts, pull_up_down="up")
    counts = []
    for level in (0, 1, 0, 1, 0):
        rpio.sim.drive(17, level)
        rpio.wait_for_interrupts()
        counts.append(len(os.listdir("/proc/self/fd")))
        assert signal.set_wakeup_fd(-1) == -1
    assert len(set(counts[2:])) == 1  # the first two make what stays
