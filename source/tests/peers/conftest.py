# SPDX-License-Identifier: LGPL-3.0-or-later
"""What these tests need beyond Python: namespaces for the fake Pi, the package index, a compiler."""

import pytest

from . import fakepi, peers


@pytest.fixture(scope="session")
def fake_pi():
    """Skip, saying what to do, where there is no fake Pi to be had."""
    reason = fakepi.why_not()
    if reason:
        pytest.skip(reason)


@pytest.fixture(scope="session")
def rpi_gpio(fake_pi):
    """The folder of the real RPi.GPIO."""
    try:
        return peers.rpi_gpio()
    except peers.NotToBeHad as e:
        pytest.skip(f"RPi.GPIO cannot be had: {e}")
