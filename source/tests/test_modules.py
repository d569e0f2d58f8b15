# SPDX-License-Identifier: LGPL-3.0-or-later
"""Modules of another process: what is done with a proxy is done there, and nothing of it is lost or left."""

import array
import copy
import enum
import gc
import math
import os
import signal
import socket
import struct
import sys
import threading
import time
from pathlib import Path

import pytest

from modules_parts import alive, there
from RPIO import errors
from RPIO.programs import process
from RPIO.remote.modules.modules import Modules
from RPIO.remote.modules.proxies import Method, Proxy
from RPIO.remote.places.places import Place
from RPIO.server.settings.policy import Policy
from waiting import wait_until

LIBRARY = '''
"""A library of the device's."""
import os, sys, threading, time, weakref

class Gone(Exception):
    """An error of its own."""

class Timeout(OSError):
    """One that is an OSError as well."""

class Box:
    """A bit of everything."""
    made = 0
    def __init__(self, value=0):
        self.value = value
        type(self).made += 1
    def __eq__(self, other): return isinstance(other, Box) and other.value == self.value
    def __hash__(self): return hash(self.value)
    def __lt__(self, other): return self.value < other.value
    def __add__(self, other): return Box(self.value + (other.value if isinstance(other, Box) else other))
    def __radd__(self, other): return Box(other + self.value)
    def __neg__(self): return Box(-self.value)
    def __bool__(self): return bool(self.value)
    def __int__(self): return self.value
    def __float__(self): return float(self.value)
    def __len__(self): return abs(self.value)
    def __repr__(self): return f"Box({self.value})"
    def __enter__(self): self.is_open = True; return self
    def __exit__(self, kind, error, trace):
        self.is_open, self.error = False, repr(error)
        return kind is KeyError
    def me(self): return self
    def hold(self, what): self.held = what
    def twice(self): return self.value * 2

closed = []

def count(to):
    try:
        for number in range(to):
            yield number
    finally:
        closed.append(to)

def gone(): raise Gone("all gone")
def late(): raise Timeout(110, "no answer")
def odd(): raise ValueError("odd", {"a": 1})
def given(value): return value
def kind(value): return type(value).__name__
def call(function, *arguments, **named): return function(*arguments, **named)

def call_later(function, times, every_s):
    def run():
        for number in range(times):
            function(number)
            time.sleep(every_s)
    threading.Thread(target=run).start()

kept = []
def keep(function): kept.append(function)
def drop(): kept.clear()
def is_kept(function): return function in kept
def frame(): return sys._getframe()
def up(function, depth):
    return depth if depth > 5 else function(depth + 1)

def call_apart(function):
    def run():
        try: function()
        except TimeoutError: pass
    made = threading.Thread(target=run)
    made.start()
    made.join()

def sour(error):
    try:
        yield 1
    finally:
        raise {"ValueError": ValueError, "SystemExit": SystemExit}[error]("sour")

def call_and_sleep(function):
    function()
    try:
        time.sleep(30)
    except KeyboardInterrupt:
        closed.append("interrupted")
        raise

class Thing: pass
things = weakref.WeakSet()
def thing_after(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try: time.sleep(0.01)
        except KeyboardInterrupt: pass
    made = Thing()
    things.add(made)
    return made
def living(): return len(things)

class Shy(Exception):
    def __getattr__(self, name): raise KeyError(name)
def shy(): raise Shy("shy")
'''


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("device")
    (made / "devlib.py").write_text(LIBRARY)
    return made


@pytest.fixture(scope="module")
def pi(folder):
    with there(folder=folder) as made:
        yield made


@pytest.fixture
def lib(pi):
    return pi.module("devlib")


@pytest.fixture
def own(folder):
    """One of its own, for what ends it."""
    with there(folder=folder) as made:
        yield made


# -- what crosses -------------------------------------------------------------------------------

VALUES = [
    *(None, True, False, 0, -1, 255, -(2**63), 2**63 - 1, 2**63, -(2**200), 1.5, -0.0, math.inf, 3 + 4j),
    *("", "text", "größer", "\ud800", "a" * 100_000, b"", b"\0\xff", b"x" * 100_000, bytearray(b"abc")),
    *((), (1, "two", None), [], [1, [2, [3]]], {}, {"a": 1, 2: (3,), None: []}, {1}, frozenset("a")),
    *(slice(1, None, 2), ..., [slice(None)], {"deep": {"deeper": [({"deepest": b"!"},)]}}),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:30])
def test_data_crosses_as_it_is(lib, value):
    back = lib.given(value)
    assert back == value and type(back) is type(value)
    assert lib.kind(value) == type(value).__name__


def test_a_nan_crosses(lib):
    assert math.isnan(lib.given(math.nan))


@pytest.mark.parametrize("code", "bBhHiIlLqQfd")
def test_arrays_cross_with_their_type(lib, code):
    value = array.array(code, [1, 2, 3])
    back = lib.given(value)
    assert type(back) is array.array and back == value and lib.kind(value) == "array"


def test_memoryviews_cross_with_their_shape(lib):
    value = memoryview(bytes(range(24))).cast("B", (2, 3, 4))
    back = lib.given(value)
    assert back.shape == (2, 3, 4) and back.tolist() == value.tolist()


def test_megabytes_cross(lib):
    data = os.urandom(10_000_000)
    assert lib.given(data) == data
    big = array.array("d", range(1_000_000))
    assert lib.given(big) == big


class Colour(enum.IntEnum):
    RED = 1


def test_numbers_of_other_types_cross_as_numbers(lib):
    assert lib.given(Colour.RED) == 1 and lib.kind(Colour.RED) == "int"


@pytest.mark.parametrize(
    "value",
    [object(), threading.Lock(), open, sys, type("Own", (), {})],
    ids=lambda value: type(value).__name__,
)
def test_what_cannot_cross_is_refused_by_its_type(lib, value):
    if callable(value) and not isinstance(value, type):
        assert lib.call(lambda: 5) == 5  # a function can
        return
    with pytest.raises(TypeError, match=f"{type(value).__qualname__} cannot cross"):
        lib.given(value)
    with pytest.raises(TypeError, match="cannot cross"):
        lib.given([1, {"a": value}])
    assert lib.given(1) == 1  # and nothing is broken


def test_a_value_in_itself_and_one_too_deep_are_refused(lib):
    loop = []
    loop.append(loop)
    with pytest.raises(ValueError, match="contains itself"):
        lib.given(loop)
    deep = []
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(ValueError, match="deep"):
        lib.given(deep)
    sliced = []
    sliced.append(slice(sliced))
    with pytest.raises(ValueError, match=r"deep|itself"):
        lib.given(sliced)


def test_more_than_a_frame_holds_is_refused(lib):
    with pytest.raises(ValueError, match="do not cross in one piece"):
        lib.given(bytes((1 << 26) + 1))
    assert lib.given(2) == 2


# -- proxies ------------------------------------------------------------------------------------


def test_a_proxy_has_what_the_object_has(lib):
    box = lib.Box(3)
    assert isinstance(box, Proxy) and repr(box).startswith("<object devlib.Box of ")
    assert box.value == 3 and box.twice() == 6 and box.me() is box
    box.value = 4
    box.more = [1, 2]
    assert box.twice() == 8 and box.more == [1, 2] and "more" in dir(box)
    del box.more
    with pytest.raises(AttributeError, match="more"):
        _ = box.more


def test_operations_are_done_there(lib):
    three, four = lib.Box(3), lib.Box(4)
    assert (
        (three + four).value == 7
        and (three + 1).value == 4
        and (1 + three).value == 4
        and (-three).value == -3
    )
    assert three == lib.Box(3) and three != four and three < four and hash(three) == hash(3)
    assert bool(three) and not lib.Box(0) and int(four) == 4 and float(four) == 4.0 and len(four) == 4
    assert str(three) == "Box(3)" and max(three, four) is four and sorted([four, three])[0] is three


def test_a_proxy_can_what_its_type_can_and_no_more(lib, pi):
    box = lib.Box(1)
    assert not callable(box) and callable(lib.Box) and callable(box.twice)
    with pytest.raises(TypeError):
        iter(box)
    with pytest.raises(TypeError):
        box[0]
    ordered = pi.module("collections").OrderedDict()
    ordered["a"] = 1
    assert "a" in ordered and list(ordered) == ["a"] and ordered["a"] == 1 and len(ordered) == 1
    del ordered["a"]
    with pytest.raises(KeyError):
        ordered["a"]


def test_a_method_is_called_as_late_as_the_device_would_find_it(lib):
    box = lib.Box(2)
    twice = box.twice
    assert isinstance(twice, Method) and twice is box.twice and twice() == 4
    box.value = 5
    assert twice() == 10
    assert lib.call(twice) == 10  # and as a value it is the method itself


def test_with_is_there_and_tells_the_error(lib):
    with lib.Box(1) as box:
        assert box.is_open is True
    assert box.is_open is False and box.error == "None"
    with pytest.raises(ZeroDivisionError), box:
        _ = 1 / 0
    assert box.error.startswith("ZeroDivisionError(")
    with box:
        raise KeyError("swallowed there")


def test_loops_are_there_and_a_generator_left_half_way_is_closed(lib):
    assert list(lib.count(3)) == [0, 1, 2] and lib.closed[-1:] == [3]
    for number in lib.count(1000):
        if number == 5:
            break
    del number
    gc.collect()
    assert wait_until(lambda: lib.closed[-1] == 1000)


def test_a_proxy_comes_back_as_the_object_it_is(lib):
    box = lib.Box(9)
    holder = lib.Box(0)
    holder.hold([box, {"box": box}])
    first, second = holder.held[0], holder.held[1]["box"]
    assert first is box and second is box


def test_a_proxy_cannot_be_copied_pickled_or_sent_elsewhere(lib, folder):
    box = lib.Box(1)
    with pytest.raises(TypeError, match="cannot be copied"):
        copy.copy(box)
    with there(folder=folder) as other, pytest.raises(TypeError, match="it is on another machine"):
        other.module("devlib").given(box)


def test_two_programs_with_the_same_names_do_not_meet(lib, folder):
    lib.name = "one"
    with there(folder=folder) as other:
        theirs = other.module("devlib")
        theirs.name = "two"
        assert lib.name == "one" and theirs.name == "two"


# -- handles ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_of_ten_thousand_proxies_none_is_left(lib, pi):
    before = pi.handles
    for number in range(10_000):
        lib.Box(number)
    gc.collect()
    lib.given(0)
    assert pi.handles <= before
    held = pi.module("gc")
    kept = "sum(type(o).__name__ == 'Box' for o in gc.get_objects())"
    del held
    boxes = pi.module("builtins").eval(kept, {"gc": pi.module("gc")})
    assert boxes <= 3, boxes


@pytest.mark.slow
def test_handles_are_bounded(own):
    lib = own.module("devlib")
    make = own.module("builtins").eval("lambda n: [object() for _ in range(n)]")
    kept = [make(1000) for _ in range(65)]
    assert len(kept) == 65
    with pytest.raises(errors.NotSupportedError, match="let go of some"):
        kept.extend(make(1000) for _ in range(3))
    kept.clear()
    gc.collect()
    assert lib.given(1) == 1 and make(1000)


# -- errors -------------------------------------------------------------------------------------


def test_errors_of_python_come_as_themselves_with_the_traceback(lib):
    with pytest.raises(ValueError, match="odd") as caught:
        lib.odd()
    assert caught.value.args == ("odd", {"a": 1})
    trace = str(caught.value.__cause__)
    assert "devlib.py" in trace and "in odd" in trace and "RPIO/programs" not in trace


def test_errors_of_a_library_have_its_name_and_are_what_they_are(lib):
    with pytest.raises(errors.RemoteError, match="all gone") as caught:
        lib.gone()
    assert type(caught.value).__name__ == "Gone" and caught.value.type_name == "devlib.Gone"
    with pytest.raises(lib.Gone):
        lib.gone()
    with pytest.raises(OSError, match="no answer") as caught:
        lib.late()
    assert type(caught.value).__name__ == "Timeout" and caught.value.errno == 110
    with pytest.raises(lib.Timeout):
        lib.late()


def test_a_module_that_is_not_there(pi):
    with pytest.raises(ModuleNotFoundError, match="nosuch"):
        pi.module("nosuch")
    for name in ("", "a b", "os;x", "../x", 5):
        with pytest.raises(TypeError):
            pi.module(name)


def test_an_error_that_has_trouble_with_itself_is_told_all_the_same(lib):
    with pytest.raises(errors.RemoteError, match="shy"):
        lib.shy()


def test_an_error_takes_no_time(lib):
    took_s = []
    for _ in range(20):
        began_s = time.perf_counter()
        with pytest.raises(ValueError, match="odd"):
            lib.odd()
        took_s.append(time.perf_counter() - began_s)
    assert min(took_s) < 0.01


# -- functions of this program ------------------------------------------------------------------


def test_a_callback_runs_here_in_the_thread_that_asks(lib):
    threads = []

    def add(a, b=2, *, c=3):
        threads.append(threading.current_thread())
        return a + b + c

    assert lib.call(add, 1) == 6 and lib.call(add, 1, 1, c=1) == 3
    assert set(threads) == {threading.current_thread()}


def test_a_callback_that_calls_back_that_calls_back(lib):
    def up(depth):
        return lib.up(up, depth)

    assert lib.up(up, 0) == 6


@pytest.mark.slow
def test_callbacks_of_other_threads_come_in_order_while_calls_run(lib):
    got, until = [], time.monotonic() + 20
    lib.call_later(got.append, 300, 0.002)
    calls = 0
    while len(got) < 300 and time.monotonic() < until:
        assert lib.given(calls) == calls
        calls += 1
    assert got == list(range(300)) and calls > 100


@pytest.mark.slow
def test_many_callbacks_of_one_thread_all_come(lib):
    got = []
    lib.call_later(got.append, 5000, 0.0)
    assert wait_until(lambda: len(got) == 5000)
    assert got == list(range(5000))


def test_a_callback_of_another_thread_may_call(lib):
    got = []
    lib.call_later(lambda number: got.append(lib.given(number)), 20, 0.0)
    assert wait_until(lambda: got == list(range(20)))


@pytest.mark.slow
def test_callbacks_right_after_each_other_all_come_while_the_program_is_busy(lib):
    got, is_over = [], threading.Event()

    def be_busy():
        while not is_over.is_set():
            sum(range(1000))

    busy = [threading.Thread(target=be_busy) for _ in range(2)]
    for thread in busy:
        thread.start()
    try:
        lib.call_later(got.append, 300, 0.0)
        assert wait_until(lambda: len(got) == 300, 30.0)
    finally:
        is_over.set()
        for thread in busy:
            thread.join()


def test_a_callback_that_wants_to_end_the_program_ends_no_later_ones(lib):
    lib.call_apart(lambda: lib.given(1))  # each thread there has its conversation
    got = []

    def leave(number):
        got.append(number)
        sys.exit(1)

    lib.call_later(leave, 1, 0.0)
    assert wait_until(lambda: got == [0])
    lib.call_later(got.append, 1, 0.0)
    assert wait_until(lambda: got == [0, 0], 20.0)


def test_an_error_in_a_callback_is_told_on_both_sides(lib, capsys):
    def fails(number):
        raise ZeroDivisionError(f"number {number}")

    with pytest.raises(ZeroDivisionError, match="number 7") as caught:
        lib.call(fails, 7)
    assert "in fails" in str(caught.value.__cause__)
    lib.call_later(fails, 1, 0.0)
    heard = []
    assert wait_until(lambda: heard.append(capsys.readouterr().err) or "in fails" in "".join(heard))
    text = "".join(heard)
    assert wait_until(
        lambda: heard.append(capsys.readouterr().err) or "Exception in thread" in "".join(heard)
    )
    assert "exception in callback" in text


def test_a_function_is_the_same_one_there_each_time_and_is_let_go(lib, pi):
    def mine():
        return 1

    lib.keep(mine)
    assert lib.is_kept(mine) is True
    line = pi.line()
    before = len(line.objects._functions)
    lib.drop()
    assert wait_until(lambda: lib.given(1) == 1 and len(line.objects._functions) < before)


def test_a_library_can_look_what_a_function_takes(lib, pi):
    def takes(a, b=1, /, c=2, *d, e, f=3, **g):
        return None

    see = pi.module("inspect").signature
    assert str(see(takes)) == "(a, b=Ellipsis, /, c=Ellipsis, *d, e, f=Ellipsis, **g)"
    assert str(see(lambda: 0)) == "()" and str(see(lib.given)) == "(value)"


def test_threads_call_at_once(lib):
    def calls(number):
        for at in range(200):
            assert lib.given((number, at)) == (number, at)
        done.append(number)

    done = []
    threads = [threading.Thread(target=calls, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == list(range(8))


def test_forty_threads_call_at_once_within_the_limits(own):
    sleep, failed = own.module("time").sleep, []

    def call():
        try:
            sleep(1.0)
        except errors.GPIOError as e:
            failed.append(e)

    threads = [threading.Thread(target=call) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed


def test_a_thread_that_waits_keeps_no_other_one(own):
    lib, waits, ended = own.module("devlib"), own.module("time").sleep, []

    def wait():
        try:
            waits(600)
        except errors.ConnectionLost as e:
            ended.append(e)

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert [lib.given(number) for number in range(100)] == list(range(100))
    assert waiting.is_alive() and not ended
    own.close()
    waiting.join()
    assert ended


# -- what is printed ----------------------------------------------------------------------------


def test_what_a_module_prints_is_printed_here_before_the_answer(pi, capsys):
    pi.module("builtins").print("hello", "there")
    assert capsys.readouterr().out == "hello there\n"
    pi.module("sys").stderr.write("oh\n")
    assert wait_until(lambda: "oh\n" in capsys.readouterr().err)


# -- time ---------------------------------------------------------------------------------------


def test_a_call_that_takes_too_long_and_what_comes_after(own):
    lib = own.module("devlib")
    sleep = own.module("time").sleep
    own.timeout_s = 0.3
    began_s = time.monotonic()
    with pytest.raises(TimeoutError, match=r"sleep has not come back from .* within 0\.3 s"):
        sleep(30)
    assert time.monotonic() - began_s < 5
    own.timeout_s = 20.0
    assert lib.given(5) == 5


def test_a_callback_that_takes_too_long(own):
    lib = own.module("devlib")
    own.callback_timeout_s = 0.2
    with pytest.raises(TimeoutError, match=r"has not returned within 0\.2 s"):
        lib.call(lambda: time.sleep(1))  # longer than it may
    assert lib.given(5) == 5


def test_callbacks_that_come_back_too_late_leave_no_thread_there(own):
    lib, system = own.module("devlib"), own.module("os")
    threads = len(system.listdir("/proc/self/task"))
    own.callback_timeout_s, returned = 0.05, []

    def slow():
        time.sleep(0.2)  # longer than it may
        returned.append(1)

    for _ in range(3):
        lib.call_apart(slow)
    assert wait_until(lambda: len(returned) == 3)
    assert wait_until(lambda: len(system.listdir("/proc/self/task")) <= threads, 10.0)


@pytest.mark.slow
def test_a_call_is_interrupted_there_after_what_it_has_called_back_has_called(own):
    lib = own.module("devlib")
    own.timeout_s = 2.0  # what is called back has come and gone by then, on a busy machine too
    with pytest.raises(TimeoutError):
        lib.call_and_sleep(lambda: lib.given(1))
    own.timeout_s = 20.0
    assert wait_until(lambda: lib.closed == ["interrupted"], 10.0)


def test_what_comes_for_who_waits_no_longer_is_let_go(own):
    lib = own.module("devlib")
    own.timeout_s = 0.05
    with pytest.raises(TimeoutError):
        lib.thing_after(0.2)
    own.timeout_s = 20.0
    time.sleep(0.4)  # the answer is on its way only now
    assert wait_until(lambda: lib.living() == 0 and lib.given(1), 10.0)


@pytest.mark.parametrize("error", ["ValueError", "SystemExit"])
def test_a_generator_that_fails_when_it_is_closed_is_told_of_and_nothing_more(own, capfd, error):
    lib = own.module("devlib")
    failing = lib.sour(error)
    assert next(failing) == 1
    del failing
    heard = []
    assert wait_until(lambda: heard.append(capfd.readouterr().err) or "sour" in "".join(heard), 20.0)
    assert lib.given(1) == 1


@pytest.mark.slow
def test_where_there_is_no_memory_for_what_comes_that_is_one_error_at_once(folder):
    policy = Policy(True, modules=("*",), limits=process.Limits(memory_mb=100))
    with there(policy, folder=folder) as made:
        lib = made.module("devlib")
        began_s = time.monotonic()
        with pytest.raises((errors.ConnectionLost, MemoryError)):
            lib.given(bytes(60 << 20))
        assert time.monotonic() - began_s < 20
        assert made.module("devlib").given(1) == 1


def test_an_interrupted_call_is_interrupted_there_and_the_next_one_goes(own):
    lib, there_time = own.module("devlib"), own.module("time")

    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        for _ in range(5):
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            with pytest.raises(KeyboardInterrupt):
                there_time.sleep(30)
            assert lib.given("x") == "x"
    finally:
        signal.signal(signal.SIGALRM, before)


BUSY_S = 5.0
"""After so long fewer calls are enough: on a busy machine each of them waits for its turn, and so does each handler."""


@pytest.mark.slow
def test_a_signal_handler_may_call_in_the_middle_of_a_call(own):
    lib, there_time, got = own.module("devlib"), own.module("time"), []

    def handle(*_):
        got.append(lib.given(len(got)))
        signal.setitimer(signal.ITIMER_REAL, 0.0003 + len(got) % 40 * 0.00001)

    before = signal.signal(signal.SIGALRM, handle)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.001)
        number, end_s = 0, time.monotonic() + BUSY_S
        while number < 1500 and (time.monotonic() < end_s or len(got) <= 20):
            assert lib.given(number) == number
            number += 1
        there_time.sleep(0.1)  # and handlers come while an answer is waited for
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert len(got) > 20 and got == list(range(len(got)))


@pytest.mark.slow
def test_a_handler_that_raises_at_any_moment_breaks_nothing(own):
    lib = own.module("devlib")
    data = b"x" * 300_000

    is_armed = False

    def interrupt(*_):
        if is_armed:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    hits = 0
    try:
        for number in range(300):
            try:
                is_armed = True
                # Again and again: what is raised in the middle of an object's end is nobody's.
                signal.setitimer(signal.ITIMER_REAL, 0.0001 + number % 50 * 0.00002, 0.5)
                while True:
                    lib.given(data)
            except KeyboardInterrupt:
                is_armed = False
                hits += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert hits == 300 and lib.given("still") == "still"


# -- the ends -----------------------------------------------------------------------------------


def test_a_process_that_dies_is_one_error_at_once_and_another_one_begins(own):
    lib, system = own.module("devlib"), own.module("os")
    pid = system.getpid()
    began_s = time.monotonic()
    with pytest.raises(errors.ConnectionLost) as caught:
        system.kill(pid, 11)
    assert time.monotonic() - began_s < 2 and "are gone" in str(caught.value)
    with pytest.raises(errors.ConnectionLost):
        lib.given(1)
    assert own.module("devlib").given(1) == 1 and own.module("os").getpid() != pid


@pytest.mark.parametrize(
    "ending", ["sys.exit(3)", "raise SystemExit", "raise KeyboardInterrupt", "raise GeneratorExit"]
)
def test_a_module_that_wants_to_end_the_process_does_not(own, ending):
    lib = own.module("devlib")
    with pytest.raises(errors.RemoteError) as caught:
        own.module("builtins").exec(f"import sys; {ending}", {})
    assert type(caught.value).__name__ in ("SystemExit", "KeyboardInterrupt", "GeneratorExit")
    assert lib.given(1) == 1


def test_a_module_that_forks_is_answered_once(own):
    lib, system = own.module("devlib"), own.module("os")
    child = system.fork()
    assert child > 0 and [lib.given(number) for number in range(50)] == list(range(50))
    assert wait_until(lambda: not alive(child))


def test_the_process_ends_with_the_caller_whatever_it_is_at(own):
    pid = own.module("os").getpid()
    lost, sleep = [], own.module("time").sleep

    def asleep():
        try:
            sleep(600)
        except errors.ConnectionLost as e:
            lost.append(e)

    sleeper = threading.Thread(target=asleep)
    sleeper.start()
    time.sleep(0.1)  # it is asleep there by now; where it is not, it is told all the same
    own._line.close("this test")
    sleeper.join()
    assert lost and wait_until(lambda: not alive(pid))


@pytest.mark.slow
def test_a_caller_that_is_silent_for_too_long_has_gone(folder):
    with there(folder=folder, idle_s=0.3) as made:
        pid = made.module("os").getpid()
        assert wait_until(lambda: not alive(pid))


def test_in_the_child_of_a_fork_it_is_the_parents(own):
    lib = own.module("devlib")
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            lib.given(1)
        except errors.ConnectionLost as e:
            os.write(writer, str(e).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert b"parent's" in os.read(reader, 1000)
    os.close(reader)
    os.close(writer)
    assert lib.given(1) == 1


# -- what may be had ----------------------------------------------------------------------------

SOME = Policy(True, modules=("devlib", "json.*"), has_code=False)


@pytest.fixture
def fenced(folder):
    with there(SOME, folder=folder) as made:
        yield made


def test_modules_that_are_not_listed_are_refused(fenced):
    assert fenced.module("devlib").given(1) == 1 and fenced.module("json.decoder").JSONDecoder().decode(
        "[1]"
    ) == [1]
    for name in ("os", "sys", "builtins", "subprocess", "devlib2", "jso", "ctypes"):
        with pytest.raises(errors.NotAllowedError, match="none of those that may be had") as caught:
            fenced.module(name)
        assert "[run]" in caught.value.hint


@pytest.mark.parametrize("name", ["__class__", "__dict__", "_x", "__globals__", "a b", "", "0", "é\n"])
def test_names_that_climb_stay_there(fenced, name):
    lib = fenced.module("devlib")
    line = fenced.line()
    for kind, values in (
        (1, (lib, name)),
        (2, (lib, name, 1)),
        (3, (lib, name)),
        (5, (lib, name, (), {})),
    ):
        with pytest.raises(errors.NotAllowedError, match="stays on the device"):
            line.ask_within(20.0, kind, *values)
    with pytest.raises(AttributeError):
        getattr(lib, "__globals__")  # noqa: B009


def test_nothing_leads_to_another_module_or_a_frame(fenced):
    lib = fenced.module("devlib")
    for name in ("os", "sys", "threading"):
        with pytest.raises(errors.NotAllowedError, match="none of those"):
            getattr(lib, name)
    with pytest.raises(errors.NotAllowedError, match="a frame stays"):
        lib.frame()
    with pytest.raises(errors.NotAllowedError, match="a frame stays"):
        _ = lib.count(3).gi_frame


def test_functions_as_source_are_refused_where_they_are_not_allowed(fenced):
    from RPIO.remote.modules.shipping import Task

    with pytest.raises(errors.NotAllowedError, match="functions that come as source"):
        Task(fenced, test_nothing_leads_to_another_module_or_a_frame, None)()


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (6, ("eval", "1")),
        (6, ("__import__", "os")),
        (6, (5, 1)),
        (6, ()),
        (5, ()),
        (1, (5,)),
        (4, (5, 6, 7)),
        (9, (5,)),
        (7, ("os", "x")),
    ],
)
def test_what_no_caller_of_ours_asks_is_a_typed_error(fenced, kind, values):
    with pytest.raises((TypeError, ValueError, AttributeError, errors.GPIOError)):
        fenced.line().ask_within(20.0, kind, *values)
    assert fenced.module("devlib").given(1) == 1


def test_the_process_is_limited(own):
    limits = own.module("resource")
    assert (
        limits.getrlimit(limits.RLIMIT_AS)[1] == 512 << 20 and limits.getrlimit(limits.RLIMIT_NOFILE)[1] == 64
    )
    with pytest.raises(MemoryError):
        own.module("builtins").bytearray(600 << 20)
    with pytest.raises(OSError, match="Too many open files"):
        own.module("builtins").exec("kept = [open('/dev/null') for _ in range(100)]", {})
    assert own.module("devlib").given(1) == 1


def test_a_handle_of_another_session_is_none_here(fenced):
    from RPIO.wire.objects import Own

    class Foreign:
        """Stands for a number that this session was never given."""

    line = fenced.line()
    fenced.module("devlib")
    before = line.objects.lower
    line.objects.lower = lambda value: Own(54321) if isinstance(value, Foreign) else before(value)
    with pytest.raises(LookupError, match="no object 54321"):
        line.ask_within(20.0, 1, Foreign(), "value")
    assert fenced.module("devlib").given(1) == 1


@pytest.mark.slow
def test_endless_recursion_is_an_error(own):
    lib = own.module("devlib")

    def deeper(depth):
        return lib.call(deeper, depth + 1)

    with pytest.raises((RecursionError, ValueError), match=r"recursion|too deep"):
        deeper(0)
    assert lib.given(1) == 1


def switches(pid):
    """How often the threads of a process have gone to sleep."""
    found = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/status")]
    return [int(text.partition("voluntary_ctxt_switches:")[2].split()[0]) for text in found]


def sleeps_for_a_second(pid):
    before = switches(pid)
    time.sleep(1.0)  # the time that is looked at
    return switches(pid) == before


@pytest.mark.slow
def test_idle_it_sleeps(own):
    lib, pid = own.module("devlib"), own.module("os").getpid()
    threads = [threading.Thread(target=lib.given, args=(1,)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert any(sleeps_for_a_second(pid) for _ in range(10))  # the watchmen doze for a moment at first


# -- the other side says what none of ours does -------------------------------------------------


class Hostile(Modules):
    """Modules of a process that is this test."""

    def __init__(self, answer):
        super().__init__(Place("localhost:1"), "a test", "test.py")
        self.answer, self.thread = answer, None

    def _connected(self):
        ours, theirs = socket.socketpair()

        def run():
            with theirs:
                while head := theirs.recv(13, socket.MSG_WAITALL):
                    size, kind, conversation, turn = struct.unpack(">IBII", head)
                    theirs.recv(size, socket.MSG_WAITALL)
                    try:
                        theirs.sendall(self.answer(kind, conversation, turn))
                    except OSError:
                        return

        self.thread = threading.Thread(target=run, daemon=True)
        self.thread.start()
        return ours, None


def said(kind, conversation, turn, body=b""):
    return struct.pack(">IBII", len(body), kind, conversation, turn) + body


HOSTILE = {
    "noise": (lambda kind, c, t: b"HTTP/1.1 400 Bad Request\r\n\r\n", errors.ConnectionLost),
    "a body of four gigabytes": (lambda kind, c, t: b"\xff\xff\xff\xff" + bytes(9), errors.ConnectionLost),
    "no value": (lambda kind, c, t: said(20, c, t, b"\0"), errors.ProtocolError),
    "an answer without one": (lambda kind, c, t: said(20, c, t), (IndexError, errors.GPIOError)),
    "an error of nothing": (lambda kind, c, t: said(21, c, t), errors.RemoteError),
    "an error whose name is none": (
        lambda kind, c, t: said(21, c, t, b"s\0\0\0\1ms\0\0\0\3a\0bt\0\0\0\0t\0\0\0\0s\0\0\0\3whyss"[:-2]),
        errors.RemoteError,
    ),
    "an error of another kind": (lambda kind, c, t: said(21, c, t, b"NNNNNNN"), errors.RemoteError),
    "an object of mine": (lambda kind, c, t: said(20, c, t, b"o\0\0\0\7"), LookupError),
    "a call of what is none": (
        lambda kind, c, t: (
            said(4, c, 9, b"o\0\0\0\7t\0\0\0\0m\0\0\0\0") if kind < 20 else said(20, c, t, b"N")
        ),
        TimeoutError,
    ),
    "an import here": (
        lambda kind, c, t: said(7, c, 9, b"s\0\0\0\2os") if kind < 20 else said(20, c, t, b"N"),
        TimeoutError,
    ),
    "the end": (lambda kind, c, t: said(34, 0, 0, b"s\0\0\0\3why"), errors.ConnectionLost),
}


@pytest.mark.parametrize(("answer", "error"), HOSTILE.values(), ids=HOSTILE)
@pytest.mark.slow
def test_what_no_process_of_ours_says(answer, error):
    made = Hostile(answer)
    made.timeout_s = 0.5 if error is TimeoutError else 20.0
    try:
        with pytest.raises(error):
            made.module("anything")
    finally:
        made.close()
        made.thread.join()
