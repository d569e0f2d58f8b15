# SPDX-License-Identifier: LGPL-3.0-or-later
"""@pi.task: a function of this program that runs in another one, with what it needs; or is refused by name."""

import gc
import math
import os.path
import threading
import time
import traceback
from os import getpid
from time import monotonic as clock

import pytest

import RPIO
from modules_parts import there
from RPIO import errors
from RPIO.remote.modules.shipping import task_of
from waiting import wait_until

FACTOR = 3
TABLE = {"a": [1, 2], "b": (None, 2.5)}
LOCK = threading.Lock()
counted = 0


@pytest.fixture(scope="module")
def pi():
    with there() as made:
        yield made


@pytest.fixture
def task(pi):
    return lambda function=None, timeout_s=None: task_of(pi, function, timeout_s)


def helper(value, by=FACTOR):
    return value * by


def helpless(value):
    return helper(value) + inner(value)


def inner(value):
    return value if value < 0 else inner(value - 10)


def test_it_runs_there_with_arguments_defaults_and_result(task):
    @task
    def f(a, b=2, *rest, c: "no such type" = FACTOR, **more) -> "nor this":  # noqa: F722
        """What it does."""
        return (a, b, rest, c, more, getpid())

    *result, pid = f(1)
    assert result == [1, 2, (), 3, {}] and pid != getpid()
    *result, pid = f(1, 5, 6, 7, c=8, d=9)
    assert result == [1, 5, (6, 7), 8, {"d": 9}]
    assert f.__name__ == "f" and f.__doc__ == "What it does." and "runs on" in repr(f)


def test_it_takes_along_functions_modules_names_and_constants(task):
    @task
    def f(value):
        return helpless(value) + math.floor(1.5) + TABLE["a"][1], os.path.basename("/a/b"), clock() > 0, TABLE

    assert f(4) == (12 - 6 + 1 + 2, "b", True, TABLE)


def test_closures_over_data_go_along(task):
    def make(offset):
        names = ["x", "y"]

        def add(value):
            return value + offset

        @task
        def f(value):
            return add(value), len(names)

        return f

    assert make(5)(1) == (6, 2) and make(7)(1) == (8, 2)


def test_proxies_are_the_objects_there(pi, task):
    ordered = pi.module("collections").OrderedDict()

    @task
    def f(key):
        ordered[key] = type(ordered).__name__
        return len(ordered)

    assert f("a") == 1 and ordered["a"] == "OrderedDict"


def live_lock():
    return LOCK.locked()


def calls_live():
    return live_lock()


def changes():
    global counted
    counted += 1


async def waits():
    return 1


class Mine:
    """A class of this program."""


MINE = Mine()
nested = [1, {"a": LOCK}]


@pytest.mark.parametrize(
    ("function", "name"),
    [(live_lock, "LOCK"), (calls_live, "LOCK"), (changes, "counted"), (waits, "waits")],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_what_cannot_be_shipped_is_refused_by_name(task, function, name):
    with pytest.raises(TypeError, match=f"cannot be shipped for '{name}'"):
        task(function)()


def test_objects_classes_and_nested_ones_of_this_program_are_refused(pi, task):
    @task
    def an_object():
        return MINE

    @task
    def a_class():
        return Mine()

    @task
    def inside():
        return nested

    @task
    def board():
        return rpio_board.input(4)

    rpio_board = RPIO.Board("sim:4B")
    for function, name in ((an_object, "MINE"), (a_class, "Mine"), (inside, "nested"), (board, "rpio_board")):
        with pytest.raises(TypeError, match=f"'{name}': it "):
            function()
    rpio_board.close()

    count = 0

    @task
    def step():
        nonlocal count
        count += 1

    with pytest.raises(TypeError, match="'count': it is changed there"):
        step()
    with pytest.raises(TypeError, match="give it a name"):
        task(lambda: 1)()
    space = {}
    exec("def typed(): return 1", space)
    with pytest.raises(errors.NotSupportedError, match="source"):
        task(space["typed"])()
    with pytest.raises(TypeError, match="a function"):
        task(print)


def test_its_traceback_has_the_lines_of_this_file(task):
    @task
    def fails(value):
        wanted = value
        return 1 / (wanted - 5)  # this line

    with pytest.raises(ZeroDivisionError) as caught:
        fails(5)
    text = "".join(traceback.format_exception(caught.value))
    number = fails.function.__code__.co_firstlineno + 3
    assert f'File "{__file__}", line {number}, in fails' in text and "# this line" in text
    assert "RPIO/programs" not in text


def test_what_it_yields_is_a_stream_and_its_error_comes_behind_it(task):
    @task
    def numbers(to):
        yield from range(to)
        raise ValueError("and that was it")

    got = []
    with pytest.raises(ValueError, match="that was it"):
        for number in numbers(5000):
            got.append(number)
    assert got == list(range(5000))


def test_it_goes_on_by_itself_and_not_too_far(pi, task):
    seen = pi.module("collections").deque()

    @task
    def numbers():
        for number in range(1_000_000):
            seen.append(number)
            yield number

    stream = iter(numbers())
    assert next(stream) == 0
    assert wait_until(lambda: len(seen) > 500)
    time.sleep(0.05)
    assert len(seen) < 2500
    assert [next(stream) for _ in range(3000)] == list(range(1, 3001))
    stream.close()


def test_a_stream_that_is_left_ends_the_function_there(pi, task):
    ended = pi.module("collections").deque()

    @task
    def forever():
        try:
            while True:
                yield 1
        finally:
            ended.append("so")

    for _ in forever():
        break
    del _
    gc.collect()
    assert wait_until(lambda: len(ended) == 1)
    with forever() as stream:
        assert next(stream) == 1
    assert wait_until(lambda: len(ended) == 2)


def test_a_time_of_its_own(task):
    @task(timeout_s=0.2)
    def sleeps():
        import time

        time.sleep(20)

    with pytest.raises(TimeoutError, match=r"within 0\.2 s"):
        sleeps()


def test_pins_beside_it(task):
    @task
    def blinks(times):
        import RPIO as GPIO

        GPIO.setup(17, GPIO.OUT)
        levels = []
        for at in range(times):
            GPIO.output(17, at & 1)
            levels.append(GPIO.input(17))
        GPIO.cleanup()
        return levels

    assert blinks(4) == [0, 1, 0, 1]


def test_a_module_that_is_missing_there(task):
    import modules_parts

    @task
    def f():
        return modules_parts.FREE

    with pytest.raises(ModuleNotFoundError, match="modules_parts"):
        f()
