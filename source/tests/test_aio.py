# SPDX-License-Identifier: LGPL-3.0-or-later
"""RPIO.aio: edges in asyncio, with RPIO's loop nested in it or running elsewhere."""

import asyncio
import threading
import time

import pytest

import RPIO
from RPIO import aio, errors
from RPIO.constants import BOTH, FALLING, IN, OUT, PUD_UP, RISING
from support import new_threads, raises
from waiting import wait_until


@pytest.fixture
def gpio(rpio):
    """GPIO 17 is an input with a pull-up, 1."""
    rpio.setup(17, IN, pull_up_down=PUD_UP)
    return rpio


def press(gpio, times=1, line=17):
    for _ in range(times):
        gpio.sim.drive(line, 0)
        gpio.sim.drive(line, None)


async def take(count, *arguments, **keywords):
    """The first so many events."""
    got = []
    async for event in aio.edges(*arguments, **keywords):
        got.append(event)
        if len(got) == count:
            break
    return got


def soon(action):
    asyncio.get_running_loop().call_later(0.01, action)


def test_edges_are_iterated_over_in_order_with_time_and_number(gpio):
    async def main():
        soon(lambda: press(gpio, 2))
        return await take(4, 17)

    got = asyncio.run(main())
    assert [(e.line, e.value, e.seq) for e in got] == [(17, 0, 1), (17, 1, 2), (17, 0, 3), (17, 1, 4)]
    assert sorted(e.timestamp_ns for e in got) == [e.timestamp_ns for e in got]
    assert abs(got[0].timestamp_ns - time.monotonic_ns()) < 5e9


@pytest.mark.parametrize(("edge", "values"), [(RISING, [1, 1]), (FALLING, [0, 0]), (BOTH, [0, 1])])
def test_only_the_edges_asked_for_come(gpio, edge, values):
    async def main():
        soon(lambda: press(gpio, 2))
        return [event.value for event in await take(2, 17, edge)]

    assert asyncio.run(main()) == values


def test_bouncetime_holds_off(gpio):
    got = []

    async def main():
        bounced = aio.on_edge(
            17, lambda event: got.append(("held off", event.seq)), FALLING, bouncetime=60_000
        )
        plain = aio.on_edge(17, lambda event: got.append(("plain", event.seq)), FALLING)
        await asyncio.sleep(0)
        press(gpio, 3)
        while ("plain", 3) not in got:
            await asyncio.sleep(0.005)
        bounced.cancel()
        plain.cancel()

    asyncio.run(main())
    assert sorted(got) == [("held off", 1), ("plain", 1), ("plain", 2), ("plain", 3)]


def test_wait_for_edge_gives_the_event_or_none(gpio):
    async def main():
        soon(lambda: press(gpio))
        event = await aio.wait_for_edge(17, FALLING, timeout=5)
        return event, await aio.wait_for_edge(17, FALLING, timeout=0.01)

    event, nothing = asyncio.run(main())
    assert (event.line, event.value, nothing) == (17, 0, None)


def test_a_timeout_is_a_number(gpio):
    with pytest.raises(TypeError, match="the timeout must be a number of seconds or None, not str"):
        asyncio.run(aio.wait_for_edge(17, FALLING, timeout="x"))


def test_two_iterations_of_a_line_both_get_every_edge(gpio):
    async def main():
        soon(lambda: press(gpio, 2))
        return await asyncio.gather(take(2, 17, FALLING), take(4, 17))

    a, b = asyncio.run(main())
    assert [e.seq for e in a] == [1, 3] and [e.seq for e in b] == [1, 2, 3, 4]


def test_coroutine_callbacks_run_one_at_a_time_and_in_order(gpio, capsys):
    log = []

    async def main():
        done = asyncio.Event()

        async def on_edge(event):
            log.append(("begin", event.seq))
            await asyncio.sleep(0.001)
            log.append(("end", event.seq))
            if event.seq == 1:
                raise LookupError("of the test")
            if event.seq == 3:
                done.set()

        task = aio.on_edge(17, on_edge)
        await asyncio.sleep(0)
        press(gpio, 2)
        await asyncio.wait_for(done.wait(), 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert log[:6] == [(what, seq) for seq in (1, 2, 3) for what in ("begin", "end")]
    assert "LookupError: of the test" in capsys.readouterr().err
    assert 17 not in gpio.facade.board.watched


def test_plain_functions_are_callbacks_too(gpio):
    async def main():
        got = asyncio.get_running_loop().create_future()
        task = aio.on_edge(17, got.set_result, FALLING)
        await asyncio.sleep(0)
        press(gpio)
        event = await asyncio.wait_for(got, 5)
        task.cancel()
        return event.value

    assert asyncio.run(main()) == 0


def test_other_callbacks_of_the_program_run_in_the_asyncio_loop(gpio):
    threads = []
    gpio.add_interrupt_callback(
        17, lambda g, v: threads.append(threading.current_thread()), pull_up_down=PUD_UP
    )

    async def main():
        soon(lambda: press(gpio))
        await take(2, 17)

    asyncio.run(main())
    assert threads == [threading.main_thread()] * 2


def test_no_thread_is_started(gpio):
    before = threading.enumerate()

    async def main():
        soon(lambda: press(gpio))
        await take(1, 17)
        return new_threads(before)

    assert asyncio.run(main()) == []


def test_with_a_loop_in_the_background_the_edges_are_handed_over(gpio):
    got = []
    gpio.add_event_detect(17, FALLING, got.append)

    async def main():
        soon(lambda: press(gpio, 2))
        return [event.seq for event in await take(4, 17)]

    assert asyncio.run(main()) == [1, 2, 3, 4]
    assert wait_until(lambda: got == [17, 17])


def test_wait_for_interrupts_elsewhere_serves_asyncio_and_after_it_the_background(gpio):
    gpio.wait_for_interrupts(threaded=True)

    async def main():
        soon(lambda: press(gpio))
        first = await take(2, 17)
        soon(gpio.stop_waiting_for_interrupts)
        loop = asyncio.get_running_loop()
        loop.call_later(0.05, lambda: press(gpio))
        return len(first + await take(2, 17))

    assert asyncio.run(main()) == 4


def test_while_asyncio_has_the_loop_nobody_else_can_run_it(gpio):
    async def main():
        task = aio.on_edge(17, lambda event: None)
        await asyncio.sleep(0.01)
        with pytest.raises(errors.AlreadyRunningError):
            await asyncio.to_thread(gpio.wait_for_interrupts)
        gpio.stop_waiting_for_interrupts()
        with pytest.raises(errors.AlreadyRunningError):
            gpio.wait_for_interrupts()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        gpio.wait_for_interrupts(threaded=True)
        gpio.stop_waiting_for_interrupts()

    asyncio.run(main())


def test_event_detection_added_meanwhile_is_served_and_goes_on_afterwards(gpio):
    got = []

    async def main():
        task = aio.on_edge(17, lambda event: None)
        await asyncio.sleep(0)
        gpio.add_event_detect(17, FALLING, lambda c: got.append(threading.current_thread().name))
        soon(lambda: press(gpio))
        while not got:
            await asyncio.sleep(0.005)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())
    press(gpio)
    assert wait_until(lambda: len(got) == 2)
    assert got == ["MainThread", "RPIO loop"]


def test_a_slow_coroutine_loses_edges_that_are_counted(gpio):
    async def main():
        events = aio.edges(17)
        first = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0)
        press(gpio)
        await first
        for _ in range(600):
            press(gpio)
            await asyncio.sleep(0)
        while gpio.facade.board.dispatcher.step(0):
            pass
        got = [await anext(events) for _ in range(aio.QUEUE_SIZE)]
        await events.aclose()
        return len(got), gpio.events_lost(17)

    assert asyncio.run(main()) == (aio.QUEUE_SIZE, 1 + 1200 - aio.QUEUE_SIZE)


def test_cleanup_ends_an_iteration_with_an_error(gpio):
    async def main():
        soon(gpio.cleanup)
        await take(1, 17)

    with raises(errors.EdgeDetectionError, "Error waiting for edge"):
        asyncio.run(main())


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: take(1, 4), RuntimeError, "You must setup() the GPIO channel as an input first"),
        (lambda: take(1, 99), ValueError, "The channel sent is invalid on a Raspberry Pi"),
        (lambda: take(1, 17, 0), ValueError, "The edge must be set to RISING, FALLING or BOTH"),
        (lambda: take(1, 17, bouncetime=0), ValueError, "Bouncetime must be greater than 0"),
        (
            lambda: take(1, 17, filter_us=-1),
            ValueError,
            "filter_us must be from 0 to 10000000 (ten seconds), not -1",
        ),
        (lambda: aio.wait_for_edge(17, 7), ValueError, "The edge must be set to RISING, FALLING or BOTH"),
    ],
)
def test_bad_arguments_are_errors(gpio, make, error, text):
    async def main():
        await make()

    with raises(error, text):
        asyncio.run(main())
    assert not gpio.facade.board.watched


def test_a_callback_that_cannot_be_called_is_refused(gpio):
    async def main():
        aio.on_edge(17, None)

    with raises(TypeError, "Parameter must be callable"):
        asyncio.run(main())


def test_a_new_asyncio_loop_can_nest_again(gpio):
    async def main():
        soon(lambda: press(gpio))
        return len(await take(2, 17))

    assert [asyncio.run(main()) for _ in range(3)] == [2, 2, 2]


def leave_pending(loop, *arguments):
    """Run on_edge() in a loop that is closed without a word to the task."""

    async def main():
        task = aio.on_edge(*arguments)
        await asyncio.sleep(0)
        return task

    loop.run_until_complete(main())
    loop.close()


def test_who_needs_the_loop_next_takes_it_from_a_closed_asyncio_loop_another_one(gpio):
    leave_pending(asyncio.new_event_loop(), 17, print)

    async def main():
        soon(lambda: press(gpio))
        return {event.line: new_threads(before) for event in await take(2, 17)}

    before = threading.enumerate()
    assert asyncio.run(main()) == {17: []}


def test_who_needs_the_loop_next_takes_it_from_a_closed_asyncio_loop_the_background(gpio):
    leave_pending(asyncio.new_event_loop(), 17, print)
    got = []
    gpio.add_event_detect(17, FALLING, got.append)
    press(gpio)
    assert wait_until(lambda: got == [17])
    gpio.sim.drive(17, 1)
    timer = threading.Timer(0.02, gpio.sim.drive, (17, 0))
    timer.start()
    gpio.remove_event_detect(17)
    assert gpio.wait_for_edge(17, FALLING, timeout=5000) == 17
    timer.join()


def test_who_needs_the_loop_next_takes_it_from_a_closed_asyncio_loop_the_program(gpio):
    leave_pending(asyncio.new_event_loop(), 17, print)
    gpio.wait_for_interrupts(threaded=True)
    gpio.stop_waiting_for_interrupts()


def test_the_watch_of_a_closed_asyncio_loop_ends_with_the_next_edge(gpio):
    leave_pending(asyncio.new_event_loop(), 17, print)
    gpio.wait_for_interrupts(threaded=True)
    press(gpio)
    assert wait_until(lambda: 17 not in gpio.facade.board.watched)
    gpio.stop_waiting_for_interrupts()
    assert gpio.events_lost(17) == 0


def test_an_iteration_ended_after_its_asyncio_loop_takes_the_loop_from_nobody(gpio):
    async def begin():
        events = aio.edges(17)
        soon(lambda: press(gpio))
        await anext(events)
        return events

    async def main():
        task = aio.on_edge(17, lambda event: None)
        await asyncio.sleep(0)
        await events.aclose()
        with pytest.raises(errors.AlreadyRunningError):
            await asyncio.to_thread(gpio.wait_for_interrupts)
        task.cancel()

    loop = asyncio.new_event_loop()
    events = loop.run_until_complete(begin())
    loop.close()
    asyncio.run(main())
    assert not gpio.facade.board.watched


def test_an_asyncio_loop_without_readers_is_an_error_and_leaves_nothing_behind(gpio):
    class Loop(asyncio.SelectorEventLoop):
        def add_reader(self, fd, callback, *args):
            raise NotImplementedError

    async def main():
        soon(lambda: press(gpio))
        await aio.wait_for_edge(17, FALLING)

    loop = Loop()
    try:
        with pytest.raises(NotImplementedError):
            loop.run_until_complete(main())
    finally:
        loop.close()
    assert not gpio.facade.board.watched
    gpio.wait_for_interrupts(threaded=True)
    gpio.stop_waiting_for_interrupts()


def test_importing_rpio_imports_no_asyncio():
    assert "asyncio" not in vars(RPIO)
    assert RPIO.constants.OUT == OUT
