# SPDX-License-Identifier: LGPL-3.0-or-later
"""What several test modules need: waiting without sleeping, errors compared to the letter."""

import contextlib
import select
import time

import pytest


@contextlib.contextmanager
def raises(error, text):
    """As pytest.raises, with the whole str() of the error (``match`` would look at its notes too)."""
    with pytest.raises(error) as caught:
        yield caught
    assert str(caught.value) == text


def pump(board, done, timeout_s=5.0):
    """Run the loop of *board* in this thread until done() or the timeout; returns whether it was done."""
    end = time.monotonic() + timeout_s
    while not done() and time.monotonic() < end:
        board.dispatcher.step(0.05)
    return done()


def drain(board):
    """Dispatch what waits now."""
    while board.dispatcher.step(0):
        pass


def wait_until(done, timeout_s=5.0):
    """Wait for another thread; returns whether done() came true in time. It is not asked again after that."""
    end = time.monotonic() + timeout_s
    while not done():
        if time.monotonic() > end:
            return False
        select.select([], [], [], 0.005)
    return True
