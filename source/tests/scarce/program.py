# SPDX-License-Identifier: LGPL-3.0-or-later
"""The program of test_scarce.py, which has the library preloaded. Arguments: a world, each how
many points to try, and names of rows, none for all.

Each row of the table is called with the first call of a function failing, then with the second, and so on until a run
has no failure; and then again with all calls failing from there on. It prints where it is, for whoever finds it dead, a
line with where for each promise that was broken, and how many points there were.
"""

from __future__ import annotations

import faulthandler
import itertools
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable

from interrupted.world import threads
from RPIO import _gpio
from RPIO.loop import tcp
from RPIO.server.connections import front
from scarce.calls import ROWS
from scarce.library import FUNCTIONS, Scarce
from scarce.world import WORLDS, Machine, World
from waiting import LIMIT_S, wait_until

MANY = 20_000
"""Requests for memory, more than any call makes."""


def try_point(world: World, where: str, arm: Callable[[], object], disarm: Callable[[], int]) -> int:
    """Return how many calls failed there; -1 where something was broken by that."""
    print(f"at {where}", flush=True)
    faulthandler.dump_traceback_later(2 * LIMIT_S, exit=True)
    error: Exception | None = None
    world.prepare()
    arm()
    try:
        world.call()
    except Exception as e:
        error = e
    finally:
        failed = disarm()
    trace = "" if error is None else "".join(traceback.format_exception(error))
    if error is not None:
        error = error.with_traceback(None)  # whose frames hold what should go
        error.__context__ = None
    try:
        # Who waits for an answer waits for a short time: a busy machine lacks that.
        was_late = isinstance(error, TimeoutError) or "has not answered" in str(error)
        assert failed or error is None or was_late, f"raised {error!r}, and nothing failed"
        world.check_scarce(error)
    except Exception as e:
        print(f"BROKEN {where}: {e!r}", flush=True)
        print(f"--- {where}\n{trace}", file=sys.stderr)
        traceback.print_exc()
        world.died.clear()
        world.end()
        return -1
    return failed


def try_function(world: World, name: str, function: str, all_after: bool, step: int) -> int:
    """Return at how many calls of the function it failed, whatever that broke."""
    scarce, moment = world.scarce, 1
    while True:
        where = f"{name}, {function} {moment}{' and all after it' if all_after else ''}"
        failed = try_point(
            world,
            where,
            lambda moment=moment: scarce.arm(function, moment, all_after),  # type: ignore[misc]
            scarce.disarm,
        )
        if failed <= 0:
            return (moment - 1) // step
        moment += step


def requests_of(world: World) -> int:
    """How often the interpreter asks for memory in a call, about: what is left of many when it has been called."""
    import _testcapi  # type: ignore[import-not-found]

    left, have_again = [], _testcapi.remove_mem_hooks
    for call in (None, world.call):
        world.prepare()
        _testcapi.set_nomemory(
            MANY, MANY + 1
        )  # one is enough: CPython gives up where it gets none for its error
        rounds = 0
        try:
            if call is not None:
                call()
            while True:
                bytes(1000)
                rounds += 1
        except MemoryError:
            have_again()
        left.append(rounds)
        world.end()
    return (left[0] - left[1]) * MANY // left[0]


def has_threads(world: World) -> bool:
    """Whether a row has any. CPython's own code does not outlive a lack of memory there: in 3.11 a thread that ends
    before it has said that it began leaves who started it waiting for ever.
    """
    assert wait_until(lambda: not threads() - world.threads)
    world.scarce.count()
    world.prepare()
    world.call()
    world.end()
    world.scarce.disarm()
    return world.scarce.calls("pthread_create") > 0


def try_memory(world: World, name: str, step: int) -> int:
    """Return at how many requests of the interpreter memory was lacking."""
    import _testcapi

    def lack(moment: int) -> None:
        assert wait_until(lambda: not threads() - world.threads)
        _testcapi.set_nomemory(moment - 1, moment)

    def have_again() -> int:
        _testcapi.remove_mem_hooks()
        return 1

    moments = range(1, requests_of(world), step)
    for moment in moments:
        try_point(
            world,
            f"{name}, memory {moment}",
            lambda moment=moment: lack(moment),  # type: ignore[misc]
            have_again,
        )
    return len(moments)


def worlds(kind: str) -> tuple[type[World], list[str]]:
    """The world of that name, and the files of our libraries in it."""
    if kind in WORLDS:
        return WORLDS[kind], [_gpio.__file__]
    from contract.rigs import modelled_core
    from scarce import joined  # which is for the kernel rig

    module, _, _ = modelled_core()
    return joined.WORLDS[kind], [_gpio.__file__, str(module.__file__)]


def main(kind: str, step: str, *only: str) -> None:
    """Try all rows, or these."""
    warnings.simplefilter("ignore", RuntimeWarning)
    make_world, ours = worlds(kind)
    scarce = Scarce(*ours)
    tcp.RETRY_S = front.RETRY_S = 0.02  # type: ignore[attr-defined]
    total = 0
    with tempfile.TemporaryDirectory() as folder:
        machine = Machine(folder, scarce)
        for name, row in ROWS.items():
            if not only or name in only:
                world = make_world(row, scarce, machine)
                if kind == "memory":
                    total += 0 if has_threads(world) else try_memory(world, name, int(step))
                    world.close()
                    continue
                try_point(world, f"{name}, nothing lacking", scarce.count, scarce.disarm)
                functions = [f for f in FUNCTIONS if scarce.calls(f) and (name, f) not in world.never]
                for function, all_after in itertools.product(functions, (False, True)):
                    total += try_function(world, name, function, all_after, int(step))
                world.close()
    faulthandler.cancel_dump_traceback_later()
    print(f"points {total}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
