# SPDX-License-Identifier: LGPL-3.0-or-later
"""_gpio.Turn, the lock of a bus: what threading.RLock does, without asking the clock."""

import os
import signal
import threading
import time

import pytest

from RPIO._gpio import Held, Turn
from waiting import LIMIT_S, wait_until


def other_thread(call):
    """What it returns in another thread, or raises there."""
    told = []

    def run():
        try:
            told.append(call())
        except RuntimeError as e:
            told.append(e)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(LIMIT_S)
    return told[0]


def test_its_thread_takes_it_again_and_others_when_it_is_released_as_often():
    turn = Turn()
    with turn, turn:
        turn.release()
        assert other_thread(lambda: turn.acquire(blocking=False)) is False
        turn.acquire()
    assert other_thread(lambda: turn.acquire(False)) is True


def test_only_who_has_it_releases_it():
    turn = Turn()
    with pytest.raises(RuntimeError):
        turn.release()
    with turn:
        assert isinstance(other_thread(turn.release), RuntimeError)
        assert other_thread(lambda: turn.acquire(False)) is False


def test_who_waits_gets_it():
    turn = Turn()
    got = []

    def wait(number):
        with turn:
            got.append(number)

    with turn:
        threads = [threading.Thread(target=wait, args=(number,)) for number in range(5)]
        for thread in threads:
            thread.start()
        assert not got
    for thread in threads:
        thread.join(LIMIT_S)
    assert sorted(got) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("timeout_s", [0, 0.01])
def test_who_has_waited_long_enough_is_told_so(timeout_s):
    turn = Turn()
    with turn:
        begin = time.monotonic()
        assert other_thread(lambda: turn.acquire(True, timeout_s)) is False
        assert time.monotonic() - begin >= timeout_s
        assert other_thread(lambda: turn.acquire(timeout=timeout_s)) is False
    assert other_thread(lambda: turn.acquire(timeout=0)) is True


def test_held_takes_it():
    turn = Turn()
    with Held(turn, LIMIT_S) as is_held:
        assert is_held
        assert other_thread(lambda: Held(turn, 0).__enter__()) is False
    assert other_thread(lambda: turn.acquire(False)) is True


def test_what_is_between_is_one_threads_alone():
    turn = Turn()
    inside, worst, count = 0, 0, 0

    def work():
        nonlocal inside, worst, count
        for _ in range(2000):
            with turn:
                inside += 1
                worst = max(worst, inside)
                before = count
                if count % 50 == 0:
                    time.sleep(0)  # others run
                count = before + 1
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT_S)
    assert (worst, count) == (1, 16000)


class Interrupted(Exception):
    pass


def test_a_signal_handler_that_raises_ends_the_wait():
    turn = Turn()
    has_it, over = threading.Event(), threading.Event()

    def hold():
        with turn:
            has_it.set()
            over.wait(LIMIT_S)

    def interrupt(number, frame):
        raise Interrupted

    thread = threading.Thread(target=hold)
    thread.start()
    assert has_it.wait(LIMIT_S)
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with pytest.raises(Interrupted):
            signal.setitimer(signal.ITIMER_REAL, 0.01)
            turn.acquire()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        over.set()
    thread.join(LIMIT_S)
    assert turn.acquire(timeout=LIMIT_S)
    turn.release()


def test_a_signal_handler_that_returns_does_not():
    turn = Turn()
    seen, has_it = [], threading.Event()

    def hold():
        with turn:
            has_it.set()
            assert wait_until(lambda: seen)

    thread = threading.Thread(target=hold)
    thread.start()
    assert has_it.wait(LIMIT_S)
    before = signal.signal(signal.SIGALRM, lambda number, frame: seen.append(number))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        with turn:
            assert seen
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    thread.join(LIMIT_S)


@pytest.mark.parametrize("is_mine", [True, False], ids=["the thread that forks", "another thread"])
def test_in_the_child_of_a_fork_the_thread_that_forked_has_it_still_and_no_other_one(is_mine):
    turn = Turn()
    has_it, over = threading.Event(), threading.Event()

    def hold():
        with turn:
            has_it.set()
            assert over.wait(LIMIT_S)

    thread = threading.Thread(target=hold)
    if is_mine:
        turn.acquire()
    else:
        thread.start()
        assert has_it.wait(LIMIT_S)
    pid = os.fork()
    if not pid:
        status = 1
        try:
            turn._at_fork_reinit()
            if is_mine:
                turn.release()
            status = 0 if other_thread(lambda: turn.acquire(timeout=LIMIT_S)) else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    over.set()
    if is_mine:
        turn.release()
    else:
        thread.join(LIMIT_S)
    assert turn.acquire(False)


@pytest.mark.parametrize("arguments", [(1,), {"lock": 1}])
def test_it_takes_no_arguments(arguments):
    with pytest.raises(TypeError):
        Turn(*arguments) if isinstance(arguments, tuple) else Turn(**arguments)
