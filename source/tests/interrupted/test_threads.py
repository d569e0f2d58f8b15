# SPDX-License-Identifier: LGPL-3.0-or-later
"""Atomic among threads: two calls at once come to what one after the other would.

They are switched at each bytecode of either.
"""

import os

import pytest

import RPIO
from interrupted.books import books
from interrupted.calls import CALLS
from interrupted.switching import Other, both, one_after_the_other, telling_locks
from interrupted.world import World
from RPIO import facade
from RPIO.errors import AlreadyRunningError
from RPIO.loop.runs import Run

STEP = int(os.environ.get("RPIO_THREADS_STEP", "67"))
"""Each so many bytecodes; `make test-full` takes them all."""
SHARED = [name for name, row in CALLS.items() if not row.is_of_one_thread]
FIRST = int(os.environ.get("RPIO_THREADS_FIRST", "1"))


@pytest.fixture(params=list(CALLS))
def pair(request):
    with telling_locks():
        other = Other()
        world = World(CALLS[request.param])
        yield Pair(world, other)
        world.close()
        other.close()


class Pair:
    """A row of the table, and what is done in another thread."""

    def __init__(self, world, other):
        self.world, self.other = world, other

    def _told(self, result, between, is_row_here):
        row, second = (result, between) if is_row_here else (between, result)
        return row, second, books(self.world)

    def _order(self, call, between, is_row_here, is_here):
        self.world.prepare()
        results = one_after_the_other(self.other, *((call, between) if is_here else (between, call)), is_here)
        here, there = results if is_here else results[::-1]
        found = self._told(here, there, is_row_here)
        self.clean()
        return found

    def clean(self):
        self.world.end()
        self.world.check_books()

    def come_between(self, call, between, is_row_here=True):
        """Switch at each bytecode of *call*; every outcome is that of one order or the other."""
        orders = [self._order(call, between, is_row_here, is_here) for is_here in (True, False)]
        moment, has_come = FIRST, True
        while has_come:
            self.world.prepare()
            result, heard, has_come = both(self.other, call, between, moment)
            if has_come:
                self.compare(self._told(result, heard, is_row_here), orders, moment)
            self.clean()
            moment += STEP
        self.world.begin_anew()
        return moment - STEP

    def compare(self, found, orders, moment):
        row, second, state = found
        waits = self.world.row.waits
        for is_row, is_second, is_state in orders:
            if (
                state == is_state
                and (row == is_row or row in waits)
                and (second == is_second or (second in waits))
            ):
                return
        text = [f"at bytecode {moment}"]
        names = "in this order", "the other way round"
        for name, (is_row, is_second, is_state) in zip(names, orders, strict=True):
            text.append(f"{name}: {is_row}, {is_second}; found {row}, {second}")
            text += [
                f"   {key}: {is_state.get(key)} -> {state.get(key)}"
                for key in sorted({*is_state, *state})
                if is_state.get(key) != state.get(key)
            ]
        raise AssertionError("\n".join(text))

    def loop(self):
        """What the loop does, once round: it takes its turn, there are edges and a message, and it hands them on."""
        dispatcher = facade.board.dispatcher
        if "client" in self.world.things and RPIO.tcp_clients():
            self.world.things["client"].send(b"hello")
        run = Run()
        try:
            try:
                dispatcher.claim(run)
            except AlreadyRunningError:  # somebody's, who hears of it
                self.drive()
                return
            self.drive()
            for _ in range(3):  # what is ready may stay so
                dispatcher.step(0)
        finally:
            dispatcher.release(run)

    def drive(self):
        for level in (0, 1):
            self.world.backend.drive(17, level)
        self.world.backend.drive(17, None)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_call_and_cleanup(pair):
    assert pair.come_between(pair.world.call, RPIO.cleanup) > FIRST


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_cleanup_and_a_call(pair):
    assert pair.come_between(RPIO.cleanup, pair.world.call, is_row_here=False) > FIRST


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("pair", SHARED, indirect=True)
def test_a_call_and_itself(pair):
    assert pair.come_between(pair.world.call, pair.world.call) > FIRST


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("pair", SHARED, indirect=True)
def test_a_call_and_the_loop(pair):
    assert pair.come_between(pair.world.call, pair.loop) > FIRST


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("pair", SHARED, indirect=True)
def test_the_loop_and_a_call(pair):
    assert pair.come_between(pair.loop, pair.world.call, is_row_here=False) > FIRST
