# SPDX-License-Identifier: LGPL-3.0-or-later
"""What these tests need beyond Python: namespaces for the fake Pi, the package index, a compiler."""

import pytest

import sharing

from . import fakepi, peers

APART = ("test_greenlets", "test_rpigpio_own")
"""Modules whose tests share nothing that takes time to make."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """The tests of a module are one process's, which makes once what they share; those of others anybody's."""
    return sharing.scheduler(
        config, log, lambda file, name: f"{file}::{name}" if file.stem in APART else file
    )


@pytest.fixture(scope="session")
def fake_pi():
    """Skip, saying what to do, where there is no fake Pi to be had."""
    reason = fakepi.why_not()
    if reason:
        pytest.skip(reason)


@pytest.fixture(scope="session")
def fetch():
    """A call that skips, saying why, where the package index or the compiler does not deliver."""

    def fetch(get, *arguments):
        try:
            return get(*arguments)
        except peers.NotToBeHad as e:
            pytest.skip(f"cannot be had: {e}")

    return fetch


@pytest.fixture(scope="session")
def rpi_gpio(fake_pi, fetch):
    """The folder of the real RPi.GPIO."""
    return fetch(peers.rpi_gpio)


@pytest.fixture(scope="session")
def original_rpio(fake_pi, fetch):
    """The folder of the original RPIO."""
    return fetch(peers.original)
