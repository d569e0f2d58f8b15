# SPDX-License-Identifier: LGPL-3.0-or-later
"""Interrupted anywhere, nothing is lost, where lines are the kernel's: interrupted/test_interrupted.py on a chip."""

import os

import pytest

import RPIO
from contract.rigs import remove_shared_chip
from interrupted.calls import CALLS
from interrupted.chips import Chip, Joined, JoinedSysfs
from interrupted.moments import Interrupted, every_bytecode, every_point
from interrupted.test_interrupted import ANEW
from interrupted.test_interrupted import pytestmark as quiet

IS_WHOLE = os.environ.get("RPIO_INTERRUPTED_STEP") == "1"
"""As `make test-every` has it."""
OF_THE_CHIP = [name for name in CALLS if not name.startswith("connect")]
"""The others are about lines of another board, which is simulated here as elsewhere."""
ROWS = (
    OF_THE_CHIP if IS_WHOLE else ["setup(watched)", "add_event_detect", "wait_for_edge", "cleanup(watched)"]
)
POINTS, EXITS, BYTECODES = (5, 25, 123) if IS_WHOLE else (25, 123, 621)
"""Each so many: the guest is slow."""


pytestmark = [quiet, pytest.mark.slow]


@pytest.fixture(scope="module", autouse=True)
def _shared_chip():
    """What the rows share goes when they are over: other tests look at all chips of the machine."""
    yield
    remove_shared_chip()


@pytest.fixture(params=[Chip, Joined, JoinedSysfs])
def kind(request):
    return request.param


@pytest.fixture(params=ROWS)
def world(kind, request):
    world = kind(CALLS[request.param], ANEW)
    yield world
    world.begin_anew()
    world.close()


def test_the_program_catches_it_and_cleans_up(world):
    def interrupt():
        raise Interrupted

    assert every_point(world.prepare, world.call, interrupt, world.check, POINTS) > 0


@pytest.mark.parametrize("kind", [Chip, JoinedSysfs], indirect=True)
def test_a_handler_cleans_up_and_returns(world):
    assert every_bytecode(world.prepare, world.call, RPIO.cleanup, world.check_any, BYTECODES) > 0


@pytest.mark.parametrize("kind", [Chip, JoinedSysfs], indirect=True)
def test_a_handler_cleans_up_and_exits(world):
    def end():
        RPIO.cleanup()
        raise Interrupted

    assert every_point(world.prepare, world.call, end, world.check, EXITS) > 0
