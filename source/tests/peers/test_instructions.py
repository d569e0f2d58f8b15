# SPDX-License-Identifier: LGPL-3.0-or-later
"""The gate that keeps output() and input() fast: instructions beside RPi.GPIO's, which repeat where times flicker."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "bench"))

import instructions


@pytest.fixture(scope="module")
def rows(rpi_gpio):
    """Measured once, on the fake Pi."""
    reason = instructions.why_not()
    if reason:
        pytest.skip(reason)
    return {row.what: row for row in instructions.rows()}


@pytest.mark.parametrize("call", instructions.CALLS)
def test_a_call_takes_no_more_instructions_than_it_may(rows, call):
    row = rows[f"instructions: {call}"]
    assert row.kept, (
        f"{row.ours:.0f} instructions beside {row.theirs:.0f}: {row.ratio:.2f}, at most {row.bar}"
    )
    assert row.ours > 50, "nothing has been counted"
