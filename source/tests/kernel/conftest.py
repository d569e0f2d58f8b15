# SPDX-License-Identifier: LGPL-3.0-or-later
"""The tests of this folder run in the kernel rig, on simulated chips; elsewhere they are skipped."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kernel import gpiosim

HERE = Path(__file__).parent
IN_GUEST = os.environ.get("RPIO_RIG") == "1"  # set by init.sh


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what cannot run here. pytest passes the items of every folder, not just this one's.

    What spoils the kernel comes last: a chip that is removed while an edge is requested leaves its interrupt
    number in use, and the next chip that gets the number refuses edges with EBUSY (gpio-sim, 6.1).
    """
    items.sort(key=lambda item: getattr(getattr(item, "function", None), "spoils_the_kernel", False))
    if not IN_GUEST:
        skip = pytest.mark.skip(reason="needs the kernel rig: `make test-kernel`")
        for item in items:
            if HERE in item.path.parents:
                item.add_marker(skip)


@pytest.fixture
def chip() -> Iterator[gpiosim.Chip]:
    """A new chip of 16 lines, all low."""
    with gpiosim.Chip(num_lines=16) as chip:
        yield chip


@pytest.fixture
def pi_chip() -> Iterator[gpiosim.SimulatedChip]:
    """The 54-line chip of a Raspberry Pi 3B's device tree; every pull is down at the start of a test."""
    try:
        chip = gpiosim.find("pinctrl-bcm2835")
    except LookupError:
        pytest.skip("needs a device tree: `rig run --dtb rpi3b`")
    with chip:
        for line in range(chip.num_lines):
            chip.drive(line, 0)
        yield chip
