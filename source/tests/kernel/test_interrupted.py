# SPDX-License-Identifier: LGPL-3.0-or-later
"""Interrupted anywhere, nothing is lost, where the edges are a real kernel's: interrupted/test_interrupted.py."""

import os

import pytest

from contract.rigs import remove_shared_chip
from interrupted.calls import CALLS
from interrupted.chips import Chip, Joined, JoinedSysfs
from interrupted.moments import Interrupted, every_point
from interrupted.test_interrupted import pytestmark  # noqa: F401

STEP = int(os.environ.get("RPIO_INTERRUPTED_STEP", "5")) * 5
"""The guest is slow; `make test-every` takes each fifth."""
ROWS = (
    list(CALLS) if STEP == 5 else ["setup(watched)", "add_event_detect", "wait_for_edge", "cleanup(watched)"]
)


@pytest.fixture(scope="module", autouse=True)
def _shared_chip():
    """What the rows share goes when they are over: other tests look at all chips of the machine."""
    yield
    remove_shared_chip()


def interrupt():
    raise Interrupted


@pytest.mark.parametrize("world", [Chip, Joined, JoinedSysfs])
@pytest.mark.parametrize("row", ROWS)
def test_the_program_catches_it_and_cleans_up(world, row):
    world = world(CALLS[row])
    try:
        assert every_point(world.prepare, world.call, interrupt, world.check, STEP) > 0
    finally:
        world.close()
