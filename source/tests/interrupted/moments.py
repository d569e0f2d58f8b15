# SPDX-License-Identifier: LGPL-3.0-or-later
"""Every moment at which a signal handler can come between, one after the other, and each exactly as in a program.

``tripwire.c`` makes a signal pending at a chosen bytecode; the interpreter then runs the handler where it looks for one
next: that is a *point*, and they are CPython's own, of whatever version runs the tests. Nothing is assumed of them.
"""

from __future__ import annotations

import gc
import hashlib
import importlib.util
import os
import signal
import subprocess
import sys
import sysconfig
import tempfile
from importlib.machinery import ExtensionFileLoader
from pathlib import Path

from c.compiling import CACHE, compiler

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType


SOURCE = Path(__file__).with_name("tripwire.c")
FLAGS = ("-std=c11", "-O2", "-g", "-fPIC", "-shared", "-Wall", "-Wextra", "-Werror")
NUMBER = signal.SIGUSR2


class Interrupted(KeyboardInterrupt):
    """What the handler raises: to libraries, asyncio for one, it is Ctrl+C."""


def _library() -> ModuleType:
    """The tripwire, built once for each content and interpreter."""
    digest = hashlib.sha256(repr((FLAGS, compiler(), sys.version)).encode() + SOURCE.read_bytes())
    library = CACHE / f"tripwire-{digest.hexdigest()[:20]}{sysconfig.get_config_var('EXT_SUFFIX')}"
    if not library.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        handle, work = tempfile.mkstemp(dir=CACHE)
        os.close(handle)
        includes = [f"-I{sysconfig.get_path(key)}" for key in ("include", "platinclude")]
        subprocess.run([*compiler(), *FLAGS, *includes, "-o", work, str(SOURCE)], check=True)
        os.rename(work, library)
    spec = importlib.util.spec_from_file_location(
        "tripwire", library, loader=ExtensionFileLoader("tripwire", str(library))
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


tripwire = _library()


def every_point(
    prepare: Callable[[], object],
    call: Callable[[], object],
    handler: Callable[[], object],
    check: Callable[[BaseException | None], object],
    step: int = 1,
    first: int = 1,
) -> int:
    """Prepare, call, and have *handler*, which raises, run as that of a signal; check(what the call has raised).

    Again and again, at a later point each time (every *step*-th), until the call is over before it. Return at how many
    points that was.
    """

    def hear(number: int, frame: object) -> None:
        handler()

    before = signal.signal(NUMBER, hear)
    try:
        moment, points = first, 0
        while True:
            prepare()
            error: BaseException | None = None
            # What the collector calls on its way, Hypothesis's statistics for one, is nobody's caller: what is raised
            # there is printed and gone.
            gc.disable()
            try:
                tripwire.signal_at(call, moment, NUMBER, hear.__code__)
            except BaseException as e:
                error = e.with_traceback(None)
            gc.enable()
            heard = tripwire.heard()
            assert error is not None or not heard, (
                f"what the handler raised at bytecode {heard} was swallowed"
            )
            check(error)
            if not heard:
                return points
            points += 1
            moment = max(moment, heard) + step
    finally:
        signal.signal(NUMBER, before)


def every_bytecode(
    prepare: Callable[[], object],
    call: Callable[[], object],
    function: Callable[[], object],
    check: Callable[[BaseException | None], object],
    step: int = 1,
    first: int = 1,
) -> int:
    """The same with a function that is called at the moment itself, before each *step*-th bytecode."""
    moment = first
    while True:
        prepare()
        error: BaseException | None = None
        try:
            tripwire.call_at(call, moment, function)
        except BaseException as e:
            error = e.with_traceback(None)
        heard = tripwire.heard()
        check(error)
        if not heard:
            return (moment - first) // step
        moment += step
