# SPDX-License-Identifier: LGPL-3.0-or-later
"""What several test modules need: waiting without sleeping, errors compared to the letter."""

import contextlib
import errno
import itertools
import os
import subprocess
import sys
import threading
import time

import pytest

from RPIO import _gpio, facade
from RPIO.pytest_plugin import SimulatedBoard
from waiting import LIMIT_S

FORKS = int(os.environ.get("RPIO_FORKS", "30"))
"""How often a test forks that does so at random moments; a tenth of a second each."""
PLAIN = tuple(
    word
    for name in ("cacheprovider", "xdist", "timeout", "hypothesispytest")
    for word in ("-p", f"no:{name}")
)
"""Options of a pytest that a test starts: without the plugins that it does not need, it starts in half the time."""
IS_WHOLE = os.environ.get("RPIO_LINES") == "all"
"""As `make test-every` has it: all rows of a table of which `make test` tries some."""
EMULATED = os.environ.get("RPIO_EMULATED") == "1"
"""Under QEMU's user mode: its kernel is this machine's, whose numbers it translates as far as it knows them."""


def of_ioctl(error):
    """The error of a call that only a gpiochip knows: QEMU does not know it either, and asks no kernel."""
    return errno.ENOSYS if EMULATED else error


def native(reason):
    """Mark a test that QEMU's user mode cannot hold, and why."""
    return pytest.mark.skipif(EMULATED, reason=f"QEMU's user mode: {reason}")


def replace_in_core(patch, name, stand_in):
    """Have every module of RPIO find that in the place of what the C core has under the name."""
    real = getattr(_gpio, name)
    for module in [m for path, m in sorted(sys.modules.items()) if path.split(".")[0] == "RPIO"]:
        if vars(module).get(name) is real:
            patch.setattr(module, name, stand_in)


@contextlib.contextmanager
def raises(error, text):
    """As pytest.raises, with the whole str() of the error (``match`` would look at its notes too)."""
    with pytest.raises(error) as caught:
        yield caught
    assert str(caught.value) == text


def play(code, *arguments):
    """Run a program on a simulated board to its end; its status, and what it has printed to stdout and stderr."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env={**os.environ, "RPIO_BACKEND": "sim"},
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def pump(board, done, timeout_s=LIMIT_S):
    """Run the loop of *board* in this thread until done() or the timeout; returns whether it was done."""
    end = time.monotonic() + timeout_s
    while not done() and time.monotonic() < end:
        board.dispatcher.step(0.05)
    return done()


def drain(board):
    """Dispatch what waits now."""
    while board.dispatcher.step(0):
        pass


@contextlib.contextmanager
def simulated(model="4B"):
    """What the fixture rpio_board gives, for the examples of Hypothesis, each of which needs its own."""
    world = SimulatedBoard(model)
    facade.new_board()
    facade.board.use(world.sim, world.sim.hardware)
    try:
        yield world
    finally:
        facade.new_board()


def joined(spans):
    """Spans of time, those that touch joined."""
    found = []
    for start, end in sorted(spans):
        if found and found[-1][1] == start:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return found


def highs(world, line, start_ns, end_ns):
    """The spans of time, in nanoseconds, in which the line of a SimulatedBoard was high, cut to a window."""
    changes = [(0, world.start[line]), *world.waves.get(line, []), (end_ns, 0)]
    spans = [
        (max(at, start_ns), min(then, end_ns))
        for (at, level), (then, _) in itertools.pairwise(changes)
        if level
    ]
    return joined(span for span in spans if span[0] < span[1])


def new_threads(before):
    """The threads that there are now, and that are not among those of threading.enumerate() before.

    Not their number: one of an earlier test may end just now.
    """
    return [thread.name for thread in threading.enumerate() if thread not in before]


def is_asleep(pid):
    """Whether the main thread of a process waits for something."""
    with open(f"/proc/{pid}/stat") as f:
        return f.read().rpartition(")")[2].split()[0] == "S"
