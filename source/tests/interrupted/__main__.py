# SPDX-License-Identifier: LGPL-3.0-or-later
"""Interrupt the calls of the table on any interpreter that has RPIO, without pytest.

Usage: python -m interrupted [--step N] [--signals N] [NAME ...]
Each N-th point of each call (N=0: none), and N signals of a real timer at random moments in each.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import logging
import random
import signal
import sys
import time
import warnings

from interrupted.calls import CALLS
from interrupted.moments import Interrupted, every_point
from interrupted.world import World


def interrupt() -> None:
    """What the handler does."""
    raise Interrupted


def duration_s(world: World) -> float:
    """How long the call takes."""
    world.prepare()
    begin = time.perf_counter()
    world.call()
    duration = time.perf_counter() - begin
    world.check(None)
    return duration


def signals(world: World, count: int) -> int:
    """Interrupt the call by a timer, until so many signals have come in it; at most ten times as many calls.
    Return how many.
    """
    span_s, armed, heard = 2 * duration_s(world) + 20e-6, False, 0

    def hear(number: int, frame: object) -> None:
        if armed:
            raise Interrupted

    before = signal.signal(signal.SIGALRM, hear)
    try:
        for _ in range(10 * count):
            world.prepare()
            error = None
            try:
                armed = True
                signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-6, span_s))
                world.call()
                sys.getrecursionlimit()  # where what an object's end has put off is raised
            except BaseException as e:
                error = e.with_traceback(None)
            armed = False
            signal.setitimer(signal.ITIMER_REAL, 0)
            heard += error is not None
            world.check(error)
            if heard == count:
                break
    finally:
        signal.signal(signal.SIGALRM, before)
    return heard


def main() -> int:
    """See above; the status says whether anything went wrong."""
    parser = argparse.ArgumentParser(prog="interrupted", description=__doc__)
    parser.add_argument("--step", type=int, default=5)
    parser.add_argument("--signals", type=int, default=20)
    parser.add_argument("names", nargs="*", default=list(CALLS))
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable()
    failed = points = heard = 0
    for name in options.names:
        world = None
        try:
            world = World(CALLS[name])
            if options.step:
                points += every_point(world.prepare, world.call, interrupt, world.check, options.step)
            heard += signals(world, options.signals)
        except Exception as e:
            failed += 1
            print(f"{name}: {e!r}", file=sys.stderr)
        if world is not None:
            with contextlib.suppress(Exception):
                world.close()
        gc.collect()
    print(f"{len(options.names)} calls, {points} points, {heard} signals, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
