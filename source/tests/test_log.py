# SPDX-License-Identifier: LGPL-3.0-or-later
"""What a signal handler that raises in the middle of a log line leaves of logging's locks: nothing."""

import contextlib
import logging
import sys
import threading

import pytest

from RPIO import log


class Interrupted(Exception):
    """As a signal handler raises it."""


class Handler(logging.Handler):
    """One in which a signal handler raises, once logging has its lock, and before it would give it back."""

    def acquire(self):
        super().acquire()
        raise Interrupted

    def emit(self, record):
        raise Interrupted


@contextlib.contextmanager
def handled_by(handler):
    logger = logging.getLogger("RPIO")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def others_may_have(lock):
    got = []
    thread = threading.Thread(target=lambda: got.append(lock.acquire(blocking=False)))
    thread.start()
    thread.join()
    return got == [True]


def test_another_thread_can_log_after_it():
    handler = Handler()
    with handled_by(handler), pytest.raises(Interrupted):
        log.warning("halfway")
    assert others_may_have(handler.lock)


def test_what_the_caller_had_before_stays_his():
    handler = Handler()
    with handled_by(handler), handler.lock:
        with pytest.raises(Interrupted):
            log.warning("halfway")
        assert not others_may_have(handler.lock)


@pytest.mark.parametrize("lock", [*([None] if sys.version_info < (3, 13) else []), threading.Lock()])
def test_a_handler_may_have_another_lock_or_none(lock):
    handler, seen = logging.Handler(), []
    handler.lock, handler.emit = lock, lambda record: seen.append(record.getMessage())
    with handled_by(handler):
        log.warning("%s", "whole")
    assert seen == ["whole"]
