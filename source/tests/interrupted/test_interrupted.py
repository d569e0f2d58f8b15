# SPDX-License-Identifier: LGPL-3.0-or-later
"""Interrupted anywhere, nothing is lost: every public function, at every point where a signal handler can run."""

import os

import pytest

import RPIO
from interrupted.calls import CALLS
from interrupted.moments import Interrupted, every_bytecode, every_point
from interrupted.world import World

STEP = int(os.environ.get("RPIO_INTERRUPTED_STEP", "97"))
"""Each so many points; `make test-every` takes them all."""
BYTECODES = STEP * 5 if STEP > 1 else 1
"""The same of bytecodes, of which there are many more, and each costs a cleanup()."""
ANEW = 4 if STEP == 1 else 12
"""After so many of them the program begins anew: what is broken then stays broken, and the last one finds it too."""
FILES = 16
"""More than any function has open."""


@pytest.fixture(params=list(CALLS))
def world(request):
    world = World(CALLS[request.param], ANEW)
    yield world
    world.begin_anew()
    world.close()


def interrupt():
    raise Interrupted


def each(step, world):
    """All of them, or each so many, and fewer of a row that is dear."""
    return world.row.sparse if step == 1 else step * world.row.dear


# A socket that is interrupted between its making and the first name for it is closed at once, with such a warning.
pytestmark = pytest.mark.filterwarnings(
    "ignore::RuntimeWarning", "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)


def test_the_program_catches_it_and_cleans_up(world):
    assert every_point(world.prepare, world.call, interrupt, world.check, each(STEP, world)) > 0


def test_a_handler_cleans_up_and_returns(world):
    assert (
        every_bytecode(world.prepare, world.call, RPIO.cleanup, world.check_any, each(BYTECODES, world)) > 0
    )


def test_a_handler_cleans_up_and_opens_files(world):
    """What had been open is closed, and its number is another's when the call goes on."""
    theirs = []

    def clean_up_and_open():
        RPIO.cleanup()
        theirs.extend(os.eventfd(0) for _ in range(FILES))

    def check(error):
        while theirs:
            os.close(theirs.pop())
        world.check_any(error)

    step = each(
        BYTECODES if STEP == 1 else 5 * BYTECODES, world
    )  # here and there the test above has the same
    assert every_bytecode(world.prepare, world.call, clean_up_and_open, check, step) > 0


def test_a_handler_cleans_up_and_exits(world):
    def end():
        RPIO.cleanup()
        raise Interrupted

    assert every_point(world.prepare, world.call, end, world.check, each(STEP, world)) > 0
