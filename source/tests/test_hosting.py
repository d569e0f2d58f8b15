# SPDX-License-Identifier: LGPL-3.0-or-later
"""asyncio within RPIO's loop: each has its turn, whichever has something to do."""

import asyncio
import os
import threading
import time

import pytest

from RPIO._gpio import PURE, Poller
from RPIO.loop.dispatcher import Dispatcher
from waiting import LIMIT_S

if PURE:
    pytest.skip("RPIO's loop knows no descriptors of the kernel here", allow_module_level=True)

from RPIO.loop.hosting import GuestLoop


@pytest.fixture
def dispatcher():
    made = Dispatcher(Poller(), lambda event: None)
    yield made
    made.close()


@pytest.fixture
def loop(dispatcher):
    made = GuestLoop()
    made.enter(dispatcher)
    yield made
    made.leave()
    made.leave()
    made.close()


@pytest.fixture
def pipe():
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    yield reader, writer
    os.close(reader)
    os.close(writer)


def run(loop, coroutine):
    return loop.run_until_complete(asyncio.wait_for(coroutine, LIMIT_S))


def test_what_a_handler_of_rpios_loop_calls_soon_is_called(loop, dispatcher, pipe):
    reader, writer = pipe
    over = asyncio.Event()

    def handler(events):
        os.read(reader, 1)
        loop.call_soon(over.set)

    dispatcher.add(reader, handler)
    loop.call_later(0.01, os.write, writer, b"x")
    run(loop, over.wait())


def test_a_time_that_a_handler_sets_is_kept(loop, dispatcher, pipe):
    reader, writer = pipe
    over = asyncio.Event()

    def handler(events):
        os.read(reader, 1)
        loop.call_later(0.05, over.set)

    dispatcher.add(reader, handler)
    os.write(writer, b"x")
    began = time.monotonic()
    run(loop, over.wait())
    assert time.monotonic() - began >= 0.05


def test_asyncio_hears_its_own_descriptors_and_threads(loop, pipe):
    reader, writer = pipe
    heard, called = asyncio.Event(), asyncio.Event()
    loop.add_reader(reader, lambda: (os.read(reader, 1), heard.set()))
    threading.Thread(target=lambda: (os.write(writer, b"x"), loop.call_soon_threadsafe(called.set))).start()

    async def both():
        await heard.wait()
        await called.wait()

    run(loop, both())
    loop.remove_reader(reader)


def test_lines_have_their_turn_while_asyncio_is_busy(loop, dispatcher, pipe):
    reader, writer = pipe
    count = 0

    def handler(events):
        nonlocal count
        count += 1
        os.read(reader, 1)
        os.write(writer, b"x")

    dispatcher.add(reader, handler)
    os.write(writer, b"x")

    async def busy():
        while count < 100:
            await asyncio.sleep(0)

    run(loop, busy())


def test_while_lines_are_busy_times_are_kept(loop, dispatcher, pipe):
    reader, writer = pipe

    def handler(events):
        os.read(reader, 1)
        os.write(writer, b"x")

    dispatcher.add(reader, handler)
    os.write(writer, b"x")
    run(loop, asyncio.sleep(0.05))


def test_it_is_the_loops_thread_meanwhile_and_afterwards_not(loop, dispatcher):
    async def look():
        return dispatcher.in_loop

    assert run(loop, look())
    loop.leave()
    assert not dispatcher.in_loop
    run(loop, asyncio.sleep(0.01))  # and asyncio goes on alone


def test_a_step_that_fails_is_told_of_and_the_loop_goes_on(loop, dispatcher, monkeypatch, capfd):
    step, fails = dispatcher.step, [MemoryError("no room")]

    def step_or_fail(timeout_s):
        if fails:
            raise fails.pop()
        return step(timeout_s)

    monkeypatch.setattr(dispatcher, "step", step_or_fail)
    run(loop, asyncio.sleep(0.01))
    assert "no room" in capfd.readouterr().err
