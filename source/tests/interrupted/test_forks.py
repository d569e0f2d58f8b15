# SPDX-License-Identifier: LGPL-3.0-or-later
"""A fork at any bytecode of another thread's call, and while it holds any lock: both processes are whole."""

import os

import pytest

from interrupted.calls import CALLS
from interrupted.forks import Forks, open_files
from interrupted.switching import Other, both, made_locks, result_of, telling_locks
from interrupted.world import World

STEP = int(os.environ.get("RPIO_FORKS_STEP", "301"))
"""Each so many bytecodes; `make test-full` takes them all."""

pytestmark = [
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # fork with threads, from Python 3.12
]


@pytest.fixture(params=list(CALLS))
def forks(request):
    with telling_locks():
        outside = open_files()
        other = Other()
        world = World(CALLS[request.param])
        forks = Forks(world, outside)
        world.descriptors = sorted(
            [*world.descriptors, *[open_files()[fd] for fd in (forks._reader, forks._writer)]]
        )
        yield world, other, forks
        forks.close()
        world.close()
        other.close()


@pytest.mark.parametrize(
    "forks", [name for name, row in CALLS.items() if not row.is_of_one_thread], indirect=True
)
def test_a_fork_at_any_bytecode_of_another_threads_call(forks):
    world, other, forks = forks
    moment, has_come = 1, True
    while has_come:
        world.prepare()
        _, said, has_come = both(other, world.call, forks.fork, moment)
        world.end()
        assert said in ("", "None"), f"at bytecode {moment}: {said}"
        world.check_books()
        moment += STEP
    world.begin_anew()
    assert forks.count > 0


@pytest.mark.parametrize(
    "forks", ["cleanup(taken)", "cleanup", "cleanup(watched)", "wave", "PWM.cleanup"], indirect=True
)
def test_a_fork_while_another_thread_holds_a_lock(forks):
    """Each lock that RPIO has made so far, one after the other, and all of them."""
    world, other, forks = forks
    world.prepare()
    if world.row is CALLS["wave"]:
        world.call()
    free = []
    for lock in made_locks():
        if lock.acquire(blocking=False):
            free.append(lock)
            lock.release()
    assert len(free) >= 3
    for group in [*[[lock] for lock in free], free]:
        said = []
        for lock in group:
            assert lock.acquire(blocking=False)
        try:
            other.begin(lambda said=said: said.append(result_of(forks.fork)))
            other.finish()
        finally:
            for lock in group:
                lock.release()
        assert said == ["None"], said[0]
    world.end()
    world.check_books()
    world.begin_anew()
