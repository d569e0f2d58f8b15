# SPDX-License-Identifier: LGPL-3.0-or-later
"""RPIO._gpio as the package calls it: numbers at their borders, lists with something else in them."""

import errno
import os

import pytest

from RPIO import _gpio

READ = 1
TOKENS = (1, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**32 + 1, 2**33, 2**53 + 1, 2**63 - 1)


@pytest.fixture
def poller():
    poller = _gpio.Poller()
    yield poller
    poller.close()


@pytest.fixture
def pipe():
    ends = os.pipe2(os.O_NONBLOCK)
    yield ends
    for end in ends:
        os.close(end)


def wait(poller):
    events = []
    return poller.wait(0, events), events


@pytest.mark.parametrize("token", TOKENS)
def test_a_descriptor_has_any_token_of_63_bits(poller, pipe, token):
    poller.add(pipe[0], token, READ)
    os.write(pipe[1], b"x")
    assert wait(poller) == ([(token, READ)], [])
    poller.modify(pipe[0], token, 0)
    assert wait(poller) == ([], [])
    poller.modify(pipe[0], token, READ)
    poller.wake()  # is told apart from it
    assert wait(poller) == ([(token, READ)], [])


@pytest.mark.parametrize("token", TOKENS)
def test_a_line_has_any_token_of_63_bits(poller, pipe, token):
    poller.add_edges(pipe[0], token)
    for seq in range(1, 5):  # from its third wait on a thread reads in it
        os.write(pipe[1], _gpio.event_encode(17, 1, seq, seq))
        ready, events = [], []
        while not events:
            ready += poller.wait(5, events)
        assert ready == []
        assert [(event.token, event.seq) for event in events] == [(token, seq)]
    os.write(pipe[1], bytes(48))  # no record: a failure of the line
    ready = []
    while not ready:
        ready += poller.wait(5, [])
    assert [number for number, _ in ready] == [token]


def test_tokens_that_share_their_low_bits_are_two(poller):
    ends = [os.pipe2(os.O_NONBLOCK) for _ in range(2)]
    for (reader, writer), token in zip(ends, (5, 2**32 + 5), strict=True):
        poller.add_edges(reader, token)
        os.write(writer, _gpio.event_encode(17, 1, token, 1))
    assert [event.token for event in wait(poller)[1]] == [5, 2**32 + 5]
    poller.remove(ends[0][0])
    for _, writer in ends:
        os.write(writer, _gpio.event_encode(17, 0, 7, 2))
    assert [event.token for event in wait(poller)[1]] == [2**32 + 5]
    for end in sum(ends, ()):
        os.close(end)


@pytest.mark.parametrize("token", [0, 2**63, 2**64 - 1])
def test_a_token_out_of_its_bounds_is_refused(poller, pipe, token):
    calls = {
        "add": lambda: poller.add(pipe[0], token, READ),
        "modify": lambda: poller.modify(pipe[0], token, READ),
        "add_edges": lambda: poller.add_edges(pipe[0], token),
    }
    for call in calls.values():
        with pytest.raises(OSError) as caught:
            call()
        assert caught.value.errno == errno.EINVAL


@pytest.mark.parametrize("token", [-1, 2**64])
def test_a_token_that_is_no_64_bits_is_refused(poller, pipe, token):
    for call in (
        lambda: poller.add(pipe[0], token, READ),
        lambda: poller.modify(pipe[0], token, READ),
        lambda: poller.add_edges(pipe[0], token),
    ):
        with pytest.raises(OverflowError):
            call()


def test_a_number_of_arguments_is_counted(poller, pipe):
    with pytest.raises(TypeError, match="3 arguments expected, 2 given"):
        poller.add(pipe[0], 1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="2 arguments expected, 3 given"):
        poller.add_edges(pipe[0], 1, READ)  # type: ignore[call-arg]


def test_what_counts_is_a_tally_and_a_line_of_it(poller, pipe):
    tally = _gpio.Tally(1)
    for bad in (None, [], [(tally, 0)], (tally,), ((tally,),), ((tally, "0"),), ((1, 0),), ((tally, 0), 1)):
        for call in (
            lambda bad=bad: poller.add_edges(pipe[0], 5, bad, True),
            lambda bad=bad: poller.count(pipe[0], bad, True, 0),
        ):
            with pytest.raises((TypeError, ValueError)):
                call()
    for place in (1, -1, 2**31):
        with pytest.raises((ValueError, OverflowError)):
            poller.add_edges(pipe[0], 5, ((tally, place),), True)
    with pytest.raises(OSError) as caught:
        poller.count(pipe[0], ((tally, 0),), True, 0)
    assert caught.value.errno == errno.ENOENT
    poller.add_edges(pipe[0], 5, ((tally, 0),), True)
    os.write(pipe[1], _gpio.event_encode(17, 1, 100, 3))
    assert wait(poller) == ([], [])
    assert poller.count(pipe[0], (), False, 2**32 + 7) == (7, 2)
    assert tally.read(100, 1000)[:2] == (1, 2)


def test_a_tally_takes_edges_and_numbers():
    for lines, edges in ((0, 3), (3, 3), (1, 4), (1, -1)):
        with pytest.raises(ValueError, match="a tally has one line, or two"):
            _gpio.Tally(lines, edges)
    tally = _gpio.Tally(1, 3)
    event = _gpio.EdgeEvent((17, 1, 100, 1))
    for bad in (None, (17, 1, 100, 1), 5):
        with pytest.raises(TypeError):
            tally.feed(0, bad)
    for place in (1, -1):
        with pytest.raises(ValueError, match="no such line"):
            tally.feed(place, event)
    tally.feed(0, event)
    tally.feed(0, event)
    assert tally.set(-5) == 1
    assert tally.read(100, 10)[0] == -5
    for call in (
        lambda: tally.set(2**63),
        lambda: tally.read(-1, 0),
        lambda: tally.read(0, -1),
    ):
        with pytest.raises(OverflowError):
            call()


# -- lists of tuples -------------------------------------------------------------------------------------


@pytest.fixture
def dma(tmp_path):
    """An engine that is a file of zeros."""
    for name, size in (("mem", 0x20D000), ("vcio", 0)):
        (tmp_path / name).touch()
        os.truncate(tmp_path / name, size)
    dma = _gpio.Dma("brcm,bcm2835", 0, str(tmp_path / "mem"), str(tmp_path / "vcio"))
    yield dma
    dma.close()


@pytest.fixture
def soft_pwm():
    soft_pwm = _gpio.SoftPwm()
    yield soft_pwm
    soft_pwm.close()


CALLS = {
    "SoftPwm.play": (
        lambda soft_pwm, dma, items: soft_pwm.play({17: 1}, items, 1000000, 1, -1),
        "(at_ns, line, value)",
    ),
    "PwmPlan.play": (
        lambda soft_pwm, dma, items: _gpio.PwmPlan().play(items, 1000000, 1, -1, 0),
        "(at_ns, line, value)",
    ),
    "Dma.play": (lambda soft_pwm, dma, items: dma.play(5, items, 1), "(set, clear, slots)"),
}
"""Every call that takes a list of tuples."""

# The set's numbers differ in their last bits, so it is shown in one order: another for each process is another test.
NO_TUPLES = ["x", 7, None, [0, 17, 1], {0: 1}, {0, 4, 1}, b"\0\1\2"]


@pytest.mark.parametrize("item", NO_TUPLES, ids=repr)
@pytest.mark.parametrize("name", CALLS)
def test_an_item_that_is_no_tuple_is_a_type_error(soft_pwm, dma, name, item):
    call, what = CALLS[name]
    with pytest.raises(TypeError) as caught:
        call(soft_pwm, dma, [(0, 17, 1), item])
    assert str(caught.value) == f"item 1: a tuple {what} expected, not {type(item).__name__}"


@pytest.mark.parametrize(
    "item", [(), (0, 17), (0, 17, 1, 1), ("x", 17, 1), (0, None, 1), (0, 17, 1.5)], ids=repr
)
@pytest.mark.parametrize("name", CALLS)
def test_a_tuple_of_other_things_is_a_type_error(soft_pwm, dma, name, item):
    with pytest.raises(TypeError):
        CALLS[name][0](soft_pwm, dma, [(0, 17, 1), item])


@pytest.mark.parametrize("no_list", [(), "x", None, {}], ids=repr)
@pytest.mark.parametrize("name", CALLS)
def test_what_is_no_list_is_a_type_error(soft_pwm, dma, name, no_list):
    with pytest.raises(TypeError):
        CALLS[name][0](soft_pwm, dma, no_list)


class Number:
    """What runs Python code where a number is looked for."""

    def __init__(self, action):
        self.action = action

    def __index__(self):
        self.action()
        return 1


@pytest.mark.parametrize("name", CALLS)
def test_a_list_that_shrinks_meanwhile_is_an_index_error(soft_pwm, dma, name):
    items = []
    items += [(0, Number(items.clear), 1), (1, 17, 0), (2, 17, 1)]
    with pytest.raises(IndexError):
        CALLS[name][0](soft_pwm, dma, items)


def test_lines_that_become_more_meanwhile_are_too_many(soft_pwm):
    outputs = {}
    outputs[Number(lambda: outputs.update((line, 1) for line in range(200)))] = 1
    with pytest.raises(OSError) as caught:
        soft_pwm.play(outputs, [(0, 1, 1)], 1000000, 1, -1)
    assert caught.value.errno == errno.ENOSPC
