# SPDX-License-Identifier: LGPL-3.0-or-later
"""Resources end where the edges are a real kernel's: registers joined with its gpiochip, and with its sysfs."""

import pytest

from scarce.running import CALLS_STEP, STEP, run
from waiting import LIMIT_S

ROWS = () if STEP == 1 else ("add_event_detect", "setup(watched)", "cleanup(watched)", "edge", "close")
"""`make test-every` has them all."""


@pytest.mark.timeout(20 * LIMIT_S)
@pytest.mark.parametrize("world", ["joined", "joined-sysfs"])
@pytest.mark.slow
def test_what_lacks_something_says_so_and_loses_nothing(world):
    assert run(world, CALLS_STEP, ROWS) > 5
