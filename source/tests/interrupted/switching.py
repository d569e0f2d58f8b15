# SPDX-License-Identifier: LGPL-3.0-or-later
"""Another thread comes between two bytecodes of a call, and runs until it is done or waits for a lock.

That it waits is known from the lock: the locks of RPIO are replaced by ones that tell (``tripwire.c``). No time is
taken, so a slow machine finds what a fast one finds, and what is found is found again.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import sys
import threading
from _thread import LockType, allocate_lock, get_ident

import RPIO
from interrupted.moments import tripwire
from RPIO.processes import hooks
from waiting import LIMIT_S

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FOLDER = os.path.dirname(RPIO.__file__) + os.sep
"""Of the files at whose bytecodes another thread comes: locks of the standard library tell nothing."""


_locks: list[LockType] = []


def _made(lock: LockType) -> LockType:
    _locks.append(lock)
    return lock


def made_locks() -> list[LockType]:
    """All locks that RPIO has made within telling_locks()."""
    return list(_locks)


@contextlib.contextmanager
def telling_locks() -> Iterator[None]:
    """Have all locks tell that RPIO makes from here on, and threads take turns where they wait, and nowhere else."""
    for name in (
        "pulses.subcycles",
        "pulses.pwm_by_dma",
        "loop.tcp",
        "loop.tcp_ports",
        "pulses.waves",
    ):  # else they would come later, with other locks
        importlib.import_module(f"RPIO.{name}")
    patched = []
    for name, module in list(sys.modules.items()):
        if not name.startswith("RPIO"):
            continue
        for attribute in ("RLock", "allocate_lock", "lock_of_program"):
            make = vars(module).get(attribute)
            if make is not None:
                patched.append((module, attribute, make))
                setattr(module, attribute, lambda make=make: _made(tripwire.told_of(make())))
    making, hooks.making = hooks.making, tripwire.told_of(hooks.making)
    before_s = sys.getswitchinterval()
    sys.setswitchinterval(1.0)
    try:
        yield
    finally:
        _locks.clear()
        sys.setswitchinterval(before_s)
        tripwire.tell(None)
        hooks.making = making
        for module, attribute, make in patched:
            setattr(module, attribute, make)


class Other:
    """Another thread, which runs one function after the other."""

    def __init__(self) -> None:
        self._go, self._over, self._stopped = allocate_lock(), allocate_lock(), allocate_lock()
        for lock in (self._go, self._over, self._stopped):
            lock.acquire()
        self._function: Callable[[], object] | None = None
        self._runs = False
        self.has_begun = False
        self.has_waited = False
        self._thread = threading.Thread(target=self._serve, name="other", daemon=True)
        self._thread.start()
        tripwire.tell(self._on_wait)

    def _serve(self) -> None:
        while True:
            self._go.acquire()
            if self._function is None:
                return
            self._function()
            self._runs = False
            _tell(self._stopped)
            self._over.release()

    def _on_wait(self) -> None:
        if self._runs and get_ident() == self._thread.ident:
            self.has_waited = True
            _tell(self._stopped)

    def begin(self, function: Callable[[], object]) -> None:
        """Have it run that; return when it has done so, or waits."""
        self._function, self._runs, self.has_begun, self.has_waited = function, True, True, False
        self._go.release()
        self._await(self._stopped)

    def finish(self) -> None:
        """Wait until it has done it."""
        if self.has_begun:
            self._await(self._over)
            self._stopped.acquire(blocking=False)
        self.has_begun = False

    def _await(self, lock: LockType) -> None:
        if not lock.acquire(timeout=LIMIT_S):
            import faulthandler

            faulthandler.dump_traceback(all_threads=True)
            raise AssertionError("the other thread waits, and no lock of RPIO's says for whom")

    def close(self) -> None:
        """End the thread."""
        self._function = None
        self._go.release()
        self._thread.join(LIMIT_S)


def _tell(lock: LockType) -> None:
    with contextlib.suppress(RuntimeError):
        lock.release()


def result_of(call: Callable[[], object]) -> str:
    """What a call returns or raises, so that two of them can be compared."""
    try:
        result = call()
    except BaseException as e:
        text = re.sub(r"number \d+", "number N", f"{type(e).__name__}({e})")  # of a descriptor
        text = re.sub(r"'[^']*/tmp\w+/", "'TMP/", text)  # each time another folder
        return re.sub(r"'127\.0\.0\.1:\d+'", "'127.0.0.1:N'", text)
    if isinstance(result, (list, tuple)):
        return f"{type(result).__name__} of {len(result)}"
    return repr(result) if result is None or isinstance(result, (int, str)) else type(result).__name__


def both(
    other: Other, call: Callable[[], object], between: Callable[[], object], moment: int
) -> tuple[str, str, bool]:
    """Call, and have the other thread do *between* before that bytecode; what each has come to, and whether there was
    such a bytecode. Where there was none, nothing has come between.
    """
    heard: list[str] = []
    result = result_of(
        lambda: tripwire.call_at(
            call, moment, lambda: other.begin(lambda: heard.append(result_of(between))), FOLDER
        )
    )
    has_come = bool(tripwire.heard())
    other.finish()
    return result, heard[0] if heard else "", has_come


def one_after_the_other(
    other: Other, first: Callable[[], object], then: Callable[[], object], is_here: bool
) -> tuple[str, str]:
    """The first in this thread, or in the other one, and then the second in the other of both."""
    results: list[str] = []
    for call, here in ((first, is_here), (then, not is_here)):
        if here:
            results.append(result_of(call))
        else:
            other.begin(lambda call=call: results.append(result_of(call)))
            other.finish()
    return results[0], results[1]
