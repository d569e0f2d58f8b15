# SPDX-License-Identifier: LGPL-3.0-or-later
"""Arguments: words for constants, and what can be a callback."""

import asyncio
import functools
import operator
import re
import xmlrpc.client
from unittest import mock

import pytest

import RPIO
from RPIO import PWM, aio, arguments, constants, errors
from support import drain, raises

# --- words


@pytest.mark.parametrize("edge", [("rising", RPIO.RISING), ("falling", RPIO.FALLING), ("both", RPIO.BOTH)])
def test_an_edge_is_a_word_or_a_constant_everywhere(rpio_board, edge):
    heard = []
    for spelt in edge:
        seen = []
        RPIO.setup(17, "in", "down")
        RPIO.add_event_detect(17, spelt, callback=seen.append)
        rpio_board.press(17, ms=1, value=1)
        RPIO.remove_event_detect(17)
        RPIO.add_interrupt_callback(17, lambda *args, seen=seen: seen.append(args), spelt, RPIO.PUD_DOWN)
        rpio_board.press(17, ms=1, value=1)
        drain(RPIO.facade.board)
        heard.append(seen)
        RPIO.cleanup()
        RPIO.setup(17, "in", "down")
        assert RPIO.wait_for_edge(17, spelt, timeout=1) is None
        RPIO.cleanup()

        async def wait(spelt=spelt):
            aio.on_edge(17, print, spelt, pull_up_down="up").cancel()
            assert await aio.wait_for_edge(17, spelt, timeout=0.001, pull_up_down="down") is None
            events = aio.edges(17, spelt, pull_up_down=RPIO.PUD_UP)
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(anext(events), 0.001)

        asyncio.run(wait())
        RPIO.cleanup()
    assert heard[0] == heard[1]
    assert [type(one) for one in heard[0]] == (
        [int, int, tuple, tuple] if edge[0] == "both" else [int, tuple]
    )


@pytest.mark.parametrize("direction", [("in", RPIO.IN), ("out", RPIO.OUT)])
def test_a_direction_is_a_word_or_a_constant(rpio_board, direction):
    for spelt in direction:
        RPIO.setup([17, 18], spelt)
        assert [RPIO.gpio_function(line) for line in (17, 18)] == [direction[1]] * 2
        RPIO.cleanup()


@pytest.mark.parametrize("pull", [("off", RPIO.PUD_OFF), ("down", RPIO.PUD_DOWN), ("up", RPIO.PUD_UP)])
def test_a_pull_is_a_word_or_a_constant_everywhere(rpio_board, pull):
    for spelt in pull:
        RPIO.setup(17, RPIO.IN, pull_up_down=spelt)
        RPIO.add_interrupt_callback(18, print, pull_up_down=spelt)
        RPIO.setup(22, RPIO.IN)
        RPIO.set_pullupdn(22, spelt)
        assert {rpio_board.sim.pull(line) for line in (17, 18, 22)} == {pull[1]}
        RPIO.cleanup()


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: RPIO.setup(17, "output"), "direction is a constant or 'in' or 'out', not 'output'"),
        (lambda: RPIO.setup(17, "OUT"), "direction is a constant or 'in' or 'out', not 'OUT'"),
        (
            lambda: RPIO.wait_for_edge(17, "down"),
            "edge is a constant or 'rising', 'falling' or 'both', not 'down'",
        ),
        (lambda: RPIO.setup(17, 1.0), "direction is an int, not 1.0"),
        (lambda: RPIO.setup("17", RPIO.IN), None),
    ],
)
def test_a_word_that_is_none_is_named_with_those_that_are(rpio_board, call, text):
    with pytest.raises((TypeError, ValueError)) as caught:
        call()
    assert text in (str(caught.value), None)


def test_words_are_taken_with_rpi_gpios_rules_too(rpio_board):
    RPIO.facade.board.be_strict()
    RPIO.setmode(RPIO.BCM)
    RPIO.setup(17, "out")
    RPIO.setup(18, "in", "up")
    assert (RPIO.gpio_function(17), rpio_board.level(18)) == (RPIO.OUT, 1)
    with raises(ValueError, "pull_up_down parameter is not valid for outputs"):
        RPIO.setup(17, "out", "up")


# --- callbacks


class Callable:
    def __call__(self, a, b):
        """Take two."""

    def method(self, a, b):
        """Take two."""

    async def wait(self, a, b):
        """Take two, and wait."""

    @staticmethod
    def alone(a, b):
        """Take two."""

    @classmethod
    def of_class(cls, a, b):
        """Take two."""


class Waits:
    async def __call__(self, a, b):
        """Take two, and wait."""


def two(a, b, c=3):
    """Take two or three."""


async def waits(a, b):
    """Take two, and wait."""


async def yields_and_waits(a, b):
    """Take two, and yield."""
    yield a


def yields(a, b):
    """Take two, and yield."""
    yield a


class AnswersToAnything:
    """As a proxy of a remote object does: every attribute is there, and can be called."""

    def __getattr__(self, name):
        return AnswersToAnything()

    def __call__(self, *args):
        """Take anything."""


class IgnoresValue:
    """A decorator that is an object, and changes the arguments."""

    def __init__(self, function):
        functools.update_wrapper(self, function)

    def __call__(self, a, b):
        """Take two, for a function of one."""


class Static:
    @staticmethod
    def __call__(a, b):
        """Take two."""


class Inherits(Callable):
    __signature__ = 5  # of which inspect complains


GOOD = [
    IgnoresValue(lambda gpio_id: None),
    Static(),
    Inherits(),
    two,
    AnswersToAnything(),
    xmlrpc.client.ServerProxy("http://127.0.0.1:1").pressed,
    print,
    lambda *rest: None,
    lambda a, *rest, **more: None,
    lambda a, b, *, named=1: None,
    Callable(),
    Callable().method,
    Callable.alone,
    Callable.of_class,
    functools.partial(two, 1),
    functools.partial(two, c=1),
    functools.lru_cache(two),
    mock.Mock(),
    mock.MagicMock(),
    operator.add,
    dict.fromkeys,
    RPIO.stop_waiting_for_interrupts,
]
BAD = [
    (lambda: None, "takes 0 arguments"),
    (lambda a: None, "takes 1 argument,"),
    (lambda a, b, c: None, "takes 3 arguments"),
    (lambda a, b, c, d, e=1: None, "takes 4 to 5 arguments"),
    (lambda a, b, *, named: None, "has arguments that are given by name alone"),
    (Callable.method, "takes 3 arguments"),
    (type("One", (), {"__call__": lambda self, a: None})(), "takes 1 argument,"),
    (functools.partial(two, 1, 2), "cannot be called with"),
    ([].append, "cannot be called with"),
]
COROUTINES = [
    waits,
    yields_and_waits,
    Callable().wait,
    Waits(),
    functools.partial(waits, 1),
    mock.AsyncMock(),
]


@pytest.mark.parametrize("callback", GOOD, ids=range(len(GOOD)))
def test_what_can_be_called_with_them_is_a_callback(callback):
    arguments.check_callback(callback, "gpio_id, value")
    arguments.check_parameters(callback, "gpio_id, value")


@pytest.mark.parametrize(("callback", "reason"), BAD, ids=range(len(BAD)))
def test_a_wrong_number_of_parameters_is_told_when_a_callback_is_added(rpio_board, callback, reason):
    added = (
        (lambda: RPIO.add_interrupt_callback(17, callback), "(gpio_id, value)"),
        (lambda: RPIO.add_tcp_callback(0, callback, host="127.0.0.1"), "(socket, message)"),
    )
    for add, parameters in added:
        with pytest.raises(TypeError) as caught:
            add()
        assert reason in str(caught.value) and parameters in str(caught.value)
        assert str(caught.value).startswith(arguments.name_of(callback))
    RPIO.facade.board.dispatcher.stop()
    assert not RPIO.facade.board.is_waiting and RPIO.tcp_clients() == []


def test_rpi_gpios_functions_warn_of_it_and_go_on(rpio_board):
    """As RPi.GPIO, where the program goes on without that callback."""
    RPIO.setup(17, RPIO.IN, RPIO.PUD_UP)
    text = re.escape("is called with (channel)")
    with pytest.warns(RuntimeWarning, match=text):
        RPIO.add_event_detect(17, RPIO.FALLING, callback=lambda: None)
    with pytest.warns(RuntimeWarning, match=text):
        RPIO.add_event_callback(17, lambda a, b: None)
    RPIO.setwarnings(False)
    RPIO.add_event_callback(17, lambda a, b: None)
    with pytest.raises(TypeError):
        aio.on_edge(17, lambda: None)


@pytest.mark.parametrize("callback", COROUTINES, ids=range(len(COROUTINES)))
def test_a_coroutine_function_is_no_callback(rpio_board, callback):
    RPIO.setup(17, RPIO.IN)
    RPIO.setup(18, RPIO.IN)
    RPIO.add_event_detect(18, RPIO.BOTH)
    for add in (
        lambda: RPIO.add_interrupt_callback(17, callback),
        lambda: RPIO.add_event_detect(17, RPIO.BOTH, callback=callback),
        lambda: RPIO.add_event_callback(18, callback),
        lambda: RPIO.add_tcp_callback(0, callback, host="127.0.0.1"),
    ):
        with pytest.raises(errors.InvalidCallbackException, match="is a coroutine function") as caught:
            add()
        assert caught.value.hint.startswith(("RPIO.aio.on_edge(", "asyncio.run_coroutine_threadsafe()"))


def test_a_generator_function_is_no_callback(rpio_board):
    with raises(TypeError, "yields() is a generator function: a call of it runs nothing"):
        RPIO.add_interrupt_callback(17, yields)
    with raises(TypeError, "yields() is a generator function: a call of it runs nothing"):
        aio.on_edge(17, yields)


# --- numbers


def test_an_int_is_named_where_it_is_none():
    for value in ("1", 1.0, None, [], object(), b"1"):
        with raises(TypeError, f"width is an int, not {value!r}"):
            arguments.integer("width", value)
    for value in (1, True, 2**64):
        assert arguments.integer("width", value) == value


def test_every_word_has_its_constant():
    assert set(arguments.EDGES.values()) == set(constants.EDGE_BITS)
    assert set(arguments.PULL_NAMES.values()) == set(constants.PULLS)
    assert set(arguments.DIRECTIONS.values()) == {constants.IN, constants.OUT}
    assert PWM is RPIO.PWM
