# SPDX-License-Identifier: LGPL-3.0-or-later
"""The process that has the modules of this machine for a program elsewhere: it imports, calls, and holds the objects.

It speaks wire/objects over two descriptors that it was started with, and ends with that connection. What it may import
is said when it is started. Nothing that comes is evaluated; functions that come as source are compiled where that is
allowed.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import signal
import sys
from _thread import allocate_lock, get_ident, interrupt_main, stack_size
from fnmatch import fnmatchcase
from time import monotonic
from types import BuiltinMethodType, FunctionType, MethodType, ModuleType

from .. import threads
from ..calls.conversations import Conversations, Late
from ..calls.exchange import Broken, Exchange, Stream
from ..errors import ConnectionLost, NotAllowedError, NotSupportedError, ProtocolError
from ..wire.objects import (
    ASKS,
    BEAT,
    CALL,
    DELETE,
    DROPPED,
    GET,
    GIVEN_UP,
    IMPORT,
    LIMITS,
    METHOD,
    OPERATE,
    PRINTED,
    SET,
    SHIP,
    TAKE,
    Side,
    frame,
    values_of,
)
from .held import Function, Held
from .operating import WORK, check_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from ..calls.exchange import Frame, Mail

WORKERS_MAX = 48
"""Threads that work at once for threads of the other program."""
STACK_SIZE = 4 << 20
"""Of each: so that all of them are to be had within the memory that a process may take by default."""
LAST_S = 3.0
"""How long the end of the modules may take when the connection has ended."""
PRINTED_MAX = 8192
CALLBACK_S = 60.0
METHODS = (MethodType, BuiltinMethodType, FunctionType)


class Host:
    """The objects of this process, for the other side of *stream*."""

    def __init__(self, stream: Stream, modules: Sequence[str], has_code: bool, idle_s: float | None) -> None:
        self._modules, self._has_code, self._idle_s = tuple(modules), has_code, idle_s
        self.exchange = Exchange(stream, self._strange)
        self.held = Held(self.may_import, self._call_back)
        self.talks = Conversations(self.exchange, self.held, 2, self._carry_out, _lost)
        self._callback_s: float | None = CALLBACK_S
        self._working: dict[int, int] = {}  # conversation -> thread
        self._lock = allocate_lock()
        self._busy: dict[int, bool] = {}  # worker -> whether it was interrupted
        self._first: Mail | None = None
        self._bell = threads.allocate_lock()
        self._bell.acquire()
        self._main = get_ident()
        self._is_interruptible = False
        self.work: dict[int, Callable[..., Sequence[object]]] = {
            GET: self._get,
            SET: self._set,
            DELETE: self._delete,
            CALL: self._call,
            METHOD: self._method,
            OPERATE: self._operate,
            IMPORT: self._import,
            SHIP: self._ship,
            TAKE: self._take,
        }

    # -- the threads -----------------------------------------------------------------------------

    def serve(self) -> None:
        """Work until the other side has gone. The main thread works for the first thread that asks, and for another one
        when that has given up what it asked.
        """
        signal.signal(signal.SIGINT, self._on_interrupt)
        threads.start(self._read, "RPIO modules, reader")
        while True:
            self._bell.acquire()
            if self._first is None:
                return  # it has ended
            try:
                self.talks.serve(self._first)
            except Broken:
                return
            self._first = None

    def _on_interrupt(self, number: int, frame: object) -> None:
        if self._is_interruptible:
            raise KeyboardInterrupt

    def _read(self) -> None:
        """The reader: what comes, until nothing does."""
        if self._idle_s is not None:
            threads.start(self._look_whether_idle, "RPIO modules, idle")
        self.exchange.watch()
        self._end()

    def _look_whether_idle(self) -> None:
        assert self._idle_s is not None
        lock = threads.allocate_lock()
        lock.acquire()
        while not self.exchange.why:
            left_s = self.exchange.heard_s + self._idle_s - monotonic()
            if left_s <= 0:
                self.exchange.end(f"nothing has come from the other machine for {self._idle_s:g} s")
                self._end()
                return
            lock.acquire(timeout=left_s)

    def _end(self) -> None:
        """The connection has ended: so does the process, whatever the modules are at."""
        lock = threads.allocate_lock()
        lock.acquire()
        threads.start(lambda: (lock.acquire(timeout=LAST_S), os._exit(0)), "RPIO modules, end")
        try:
            self._bell.release()
        except RuntimeError:
            pass  # it works
        if self._is_interruptible:
            interrupt_main()

    def _strange(self, found: Frame) -> None:
        """What belongs to no conversation that is known. The reader's thread."""
        kind, number, _, body = found
        if kind == DROPPED:
            numbers = values_of(body, Side())
            for at in range(0, len(numbers) - 1, 2):
                self.held.dropped(numbers[at], numbers[at + 1])
        elif kind == GIVEN_UP:
            self._give_up(number)
        elif kind == LIMITS:
            values = values_of(body, Side())
            seconds = values[0] if values else None
            self._callback_s = float(seconds) if isinstance(seconds, (int, float)) else None
        elif kind in ASKS:
            self._begin(found)
        elif kind != BEAT:
            self.talks.let_go(found)

    def _begin(self, found: Frame) -> None:
        """A thread of the other program asks for the first time."""
        mail = self.exchange.mail(found[1])
        mail.frames.append(found)
        mail.ring()
        if self._first is None:
            self._first = mail
            self._working[mail.number] = self._main
            self._bell.release()
        elif len(self._working) >= WORKERS_MAX:
            self.talks.refuse(
                found, NotSupportedError(f"{WORKERS_MAX} threads work for this program already")
            )
        else:
            try:
                threads.start(lambda: self._work(mail), "RPIO modules, worker")
            except RuntimeError as e:  # its limit of threads is reached
                self.talks.refuse(found, NotSupportedError(f"no thread can work for this one: {e}"))

    def _work(self, mail: Mail) -> None:
        self._working[mail.number] = get_ident()
        try:
            self.talks.serve(mail)
        except (Broken, KeyboardInterrupt):
            return  # the process ends, or what was given up was over just then
        finally:
            self._working.pop(mail.number, None)
            self.exchange.drop(mail.number)

    def _give_up(self, number: int) -> None:
        """Nobody waits for the answer any more: what works at it is interrupted, where that can be done."""
        self.exchange.drop(number)
        ident = self._working.pop(number, None)
        if ident is None:
            return
        if ident != self._main:
            with self._lock:
                if ident in self._busy:
                    self._busy[ident] = True
                    _interrupt(ident, KeyboardInterrupt)
        elif self._is_interruptible:
            signal.pthread_kill(ident, signal.SIGINT)

    # -- what is asked ---------------------------------------------------------------------------

    def _carry_out(self, kind: int, values: list[Any]) -> Sequence[object]:
        if self.held.forgotten:
            self._tell_forgotten()
        if get_ident() != self._main:
            return self._carry_out_in_worker(kind, values)
        before = self._is_interruptible
        try:
            self._is_interruptible = True
            return self.work[kind](*values)
        finally:
            self._is_interruptible = before

    def _carry_out_in_worker(self, kind: int, values: list[Any]) -> Sequence[object]:
        ident = get_ident()
        try:
            with self._lock:
                self._busy[ident] = False
            return self.work[kind](*values)
        finally:
            self._is_done(ident)

    def _is_done(self, ident: int) -> None:
        """From here on nobody interrupts this worker. What was to interrupt it, and has not come yet, does not come."""
        while ident in self._busy:
            try:
                with self._lock:
                    if self._busy[ident]:
                        _interrupt(ident, None)
                    self._busy.pop(ident)
            except KeyboardInterrupt:
                continue  # it has come just now

    def _tell_forgotten(self) -> None:
        numbers: list[int] = []
        while self.held.forgotten:
            numbers += self.held.forgotten.popleft()
        self.exchange.send(frame(DROPPED, 0, 0, numbers, Side()))

    def _get(self, owner: Any, name: str, is_held: bool = False) -> Sequence[object]:
        value = getattr(owner, check_name(name))
        if (
            not is_held
            and type(value) in METHODS
            and (type(value) is not FunctionType or type(owner) is ModuleType)
        ):
            return ()  # a method, which is called by its name
        return (value,)

    def _set(self, owner: Any, name: str, value: object) -> Sequence[object]:
        setattr(owner, check_name(name), value)
        return ()

    def _delete(self, owner: Any, name: str) -> Sequence[object]:
        delattr(owner, check_name(name))
        return ()

    def _call(
        self, function: Any, arguments: tuple[object, ...], named: dict[str, object]
    ) -> Sequence[object]:
        return (function(*arguments, **named),)

    def _method(
        self, owner: Any, name: str, arguments: tuple[object, ...], named: dict[str, object]
    ) -> Sequence[object]:
        return (getattr(owner, check_name(name))(*arguments, **named),)

    def _operate(self, name: str, *arguments: Any) -> Sequence[object]:
        work = WORK.get(name) if type(name) is str else None
        if work is None:
            raise ProtocolError(f"there is no operation {str(name)[:40]!r}")
        return (work(*arguments),)

    def may_import(self, name: str) -> bool:
        """Whether a module may be had: it is on the list, or in a package that is."""
        return any(fnmatchcase(name, pattern) or name.startswith(f"{pattern}.") for pattern in self._modules)

    def _import(self, name: str) -> Sequence[object]:
        if type(name) is not str or not all(part.isidentifier() for part in name.split(".")):
            raise TypeError(f"{str(name)[:80]!r} is no name of a module")
        if not self.may_import(name):
            listed = ", ".join(self._modules) or "none"
            raise NotAllowedError(
                f"the module {name!r} is none of those that may be had: {listed}",
                hint=f'modules = ["{name}"] in [run] of the device\'s configuration lists it',
            )
        return (importlib.import_module(name),)

    def _ship(self, *values: Any) -> Sequence[object]:
        if not self._has_code:
            raise NotAllowedError(
                "functions that come as source are not run here",
                hint="code = true in [run] of the device's configuration allows them",
            )
        from .shipped import task_of

        return (task_of(*values),)

    def _take(self, stream: Any, *values: Any) -> Sequence[object]:
        from .shipped import Yielded

        if type(stream) is not Yielded:
            raise TypeError("nothing is yielded by that")
        return stream.take(*values)

    # -- what is asked for -----------------------------------------------------------------------

    def _call_back(
        self, function: Function, arguments: tuple[object, ...], named: dict[str, object]
    ) -> object:
        try:
            values = self.talks.ask(CALL, (function, arguments, named), self._callback_s)
        except Late:
            text = (
                f"{function.__name__}() of the other program has not returned within {self._callback_s:g} s"
            )
            raise TimeoutError(text) from None
        return values[0] if values else None

    def printed(self, number: int, text: str) -> None:
        """What the modules print is printed there."""
        for at in range(0, len(text), PRINTED_MAX):
            try:
                self.exchange.send(frame(PRINTED, 0, 0, (number, text[at : at + PRINTED_MAX]), Side()))
            except Broken:
                return  # nobody reads it


class Printer(io.TextIOBase):
    """Standard output or error of the modules: whole lines, and what stands before a flush."""

    encoding = "utf-8"

    def __init__(self, host: Host, number: int) -> None:
        super().__init__()
        self._host, self._number, self._begun = host, number, ""

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, text: str) -> int:
        """Print it."""
        begun = self._begun + text
        lines, end, self._begun = begun.rpartition("\n")
        if end:
            self._host.printed(self._number, lines + end)
        if len(self._begun) > PRINTED_MAX:
            self.flush()
        return len(text)

    def flush(self) -> None:
        """Print what has no end of a line yet."""
        begun, self._begun = self._begun, ""
        if begun:
            self._host.printed(self._number, begun)


def _lost(why: str) -> Exception:
    return ConnectionLost(f"the program that has called is gone: {why}", None)


def _interrupt(ident: int, error: type[BaseException] | None) -> None:
    """Have an exception be raised in a thread, as soon as it runs Python; with None what was to be raised is not."""
    import ctypes

    wanted = None if error is None else ctypes.py_object(error)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), wanted)


def main(words: str) -> None:
    """Be that process. *words* is JSON: reader, writer, modules, code, idle_s, and limits (see process.Limits)."""
    from .. import stand_ins
    from .process import Limits, end_with_parent

    told = json.loads(words)
    Limits(**told["limits"]).apply()
    end_with_parent(told["parent"])
    reader, writer = told["reader"], told["writer"]
    stream = Stream(reader, writer)
    for fd in (reader, writer):
        os.set_blocking(fd, False)
    os.register_at_fork(after_in_child=lambda: _leave(stream))
    stack_size(STACK_SIZE)
    host = Host(stream, told["modules"], told["code"], told["idle_s"])
    sys.stdout, sys.stderr = Printer(host, 1), Printer(host, 2)
    for name in told["stand_ins"]:
        stand_ins.install(name)
    try:
        host.serve()
    finally:
        host.held.close_all()
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__


def _leave(stream: Stream) -> None:
    """A module has forked: the connection stays the parent's."""
    for fd in {stream.reader, stream.writer}:
        os.close(fd)
