# SPDX-License-Identifier: LGPL-3.0-or-later
"""Modules of another machine: a connection of its own, whose other end is a process there that has them."""

from __future__ import annotations

import _socket
import os
import sys
from _weakref import ref
from time import monotonic

from ... import errors, log, threads
from ...calls.conversations import Conversations, Late
from ...calls.exchange import Broken, Exchange, Full, Stream
from ...errors import ProtocolError
from ...processes import hooks
from ...wire.objects import (
    BEAT,
    CALL,
    DROPPED,
    ENDED,
    GET,
    IMPORT,
    LIMITS,
    METHOD,
    PRINTED,
    Side,
    frame,
    values_of,
)
from ..tunnels import handed
from .proxies import Asker, Objects

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from ...calls.exchange import Frame
    from ..places.places import Place
    from ..places.ssh import Channel

WAIT_S = 60.0
"""How long an answer may take, and a function of this program that is called from there."""
BEAT_S = 5.0
START_S = 30.0
"""How long the process there may take to begin."""
JOIN_S = 1.0
"""How long close() waits for its threads, one of which may run a function of this program."""


class Modules:
    """The modules of the machine at *place*. It connects at the first use, and again where that has ended.

    *timeout_s* is how long an answer may take, *callback_timeout_s* how long a function of this program may that is
    called from there; None for ever. Both can be changed at any time.
    """

    timeout_s: float | None = WAIT_S
    """How long an answer may take, in seconds; None for ever."""

    def __init__(self, place: Place, who: str, program: str, patience_s: float = START_S) -> None:
        self.place, self._who, self._program, self._patience_s = place, who, program, patience_s
        self._callback_s: float | None = WAIT_S
        self._lock = threads.allocate_lock()
        self._line: Line | None = None

    @property
    def callback_timeout_s(self) -> float | None:
        """How long a function of this program may take that is called from there."""
        return self._callback_s

    @callback_timeout_s.setter
    def callback_timeout_s(self, seconds: float | None) -> None:
        """Change it, for the process that runs as well."""
        self._callback_s = seconds
        if self._line is not None:
            self._line.limit(seconds)

    def module(self, name: str) -> Any:
        """Import a module there, and return what stands for it here.

        Raises:
            ImportError: there is none of that name there, with the traceback of there as its cause.
            NotAllowedError: the scope ``run`` is missing, or it is none of the modules that may be had.
            NoBackendError: nobody answers there.
        """
        if not isinstance(name, str):
            raise TypeError(f"the name of a module is text, not {type(name).__name__}")
        return self.line().ask(IMPORT, name)[0]

    def line(self) -> Line:
        """The connection, made where there is none."""
        with self._lock:
            line = self._line
            if line is None or line.exchange.why:
                self._line = line = Line(self, self._connected())
                line.begin()
                if self._callback_s != WAIT_S:
                    line.limit(self._callback_s)
            return line

    def _connected(self) -> tuple[_socket.socket, Channel | None]:
        return handed.connected(self.place, self._who, self._program, "modules", self._patience_s)

    def close(self) -> None:
        """End the process there; what came from it is of no use any more. Twice is fine."""
        with self._lock:
            line, self._line = self._line, None
        if line is not None:
            line.close("it was closed here")

    @property
    def handles(self) -> int:
        """How many objects of the other machine this program has."""
        return len(self._line.objects) if self._line is not None else 0


class Line(Asker):
    """One connection, and its process there."""

    def __init__(self, modules: Modules, connected: tuple[_socket.socket, Channel | None]) -> None:
        self._modules = ref(modules)
        self.place = modules.place
        self._socket, self._channel = connected
        self._socket.setblocking(False)
        self.objects = Objects(self)
        self.exchange = Exchange(Stream(self._socket.fileno(), self._socket.fileno()), self._strange)
        self.exchange.nap_s = threads.NAP_S
        self.talks = Conversations(self.exchange, self.objects, 1, self._carry_out, self._lost)
        self.talks.passes = (KeyboardInterrupt, SystemExit)
        self._called: list[Frame] = []
        self._caller = 0  # the thread that calls
        self._calling: object = None
        self._bell = threads.allocate_lock()
        self._bell.acquire()
        self._pid = os.getpid()
        self._threads: list[threads.Started] = []
        self.objects.on_drop = self._wake
        hooks.look_after(self)

    def begin(self) -> None:
        """Hear what comes."""
        self._threads = [
            threads.start(self._hear, "RPIO modules, reader"),
            threads.start(self._run_called, "RPIO modules, callbacks"),
        ]

    def _hear(self) -> None:
        self.exchange.watch()
        self._wake()

    # -- asking ----------------------------------------------------------------------------------

    def ask(self, kind: int, *values: object) -> list[object]:
        """Ask there. Raises what is raised there; TimeoutError, ConnectionLost."""
        if self.objects.dropped:
            self._tell_dropped()
        modules = self._modules()
        timeout_s = modules.timeout_s if modules is not None else WAIT_S
        return self.ask_within(timeout_s, kind, *values)

    def ask_within(self, timeout_s: float | None, kind: int, *values: object) -> list[object]:
        """The same, with a time of its own."""
        try:
            found = self.talks.ask(kind, values, timeout_s)
            self.exchange.do_first(PRINTED)  # before the answer, which came behind it
            return found
        except Late:
            what = values[1] if kind in (GET, METHOD) else "it"
            raise TimeoutError(f"{what} has not come back from {self.place} within {timeout_s:g} s") from None

    def _tell_dropped(self) -> None:
        numbers: list[int] = []
        dropped = self.objects.dropped
        while dropped:
            numbers += dropped.popleft()
        try:
            self.exchange.send(frame(DROPPED, 0, 0, numbers, Side()))
        except Broken:
            return  # what they are has ended with it

    def limit(self, seconds: float | None) -> None:
        """Say how long a function of this program may take."""
        try:
            self.exchange.send(frame(LIMITS, 0, 0, (seconds,), Side()))
        except Broken:
            return  # it is said to the next one

    def _lost(self, why: str) -> Exception:
        hint = f"{self.place} begins anew with the next module()"
        return errors.ConnectionLost(f"the modules of {self.place} are gone: {why}", None, hint)

    # -- being asked -----------------------------------------------------------------------------

    def _carry_out(self, kind: int, values: list[Any]) -> Sequence[object]:
        if kind != CALL or len(values) != 3:
            raise ProtocolError("only functions of this program are called from there")
        function, arguments, named = values
        self._calling = function
        if type(arguments) is not tuple or type(named) is not dict or not callable(function):
            raise ProtocolError("a call has arguments, and those with names")
        return (function(*arguments, **named),)

    def _strange(self, found: Frame) -> None:
        """What belongs to nobody who waits. The reader's thread."""
        kind, _, _, body = found
        if kind == PRINTED:
            number, text = (*values_of(body, Side()), 1, "")[:2]
            _print(2 if number == 2 else 1, str(text))
        elif kind == ENDED:
            self.exchange.end(str((*values_of(body, Side()), "it has ended")[0]))
        elif kind == DROPPED:
            self.objects.forgotten(values_of(body, Side()))
        elif kind == CALL:
            self._called.append(found)
            self._wake()
        else:
            self.talks.let_go(found)

    def _wake(self) -> None:
        try:
            self._bell.release()
        except RuntimeError:
            pass  # it rings already

    def _run_called(self) -> None:
        """Call what is called from there while nobody waits for an answer: in order. And say now and then that this
        program is there.
        """
        called, exchange = self._called, self.exchange
        self._caller = threads.get_ident()
        self.talks.on_error = self._report
        while not exchange.why:
            if not called:
                self._bell.acquire(timeout=BEAT_S)
            if self.objects.dropped:
                self._tell_dropped()
            try:
                if called:
                    self._do_next()
                elif self._channel is not None and not exchange.why:
                    exchange.send(frame(BEAT, 0, 0, (), Side()), monotonic())
            except (Broken, Full, KeyboardInterrupt, SystemExit):
                continue  # a function that wants to end the program ends no thread of ours; that has been told
        self._close()

    def _do_next(self) -> None:
        called = self._called
        found = called.pop(0)
        mail = self.exchange.mails.get(found[1]) or self.exchange.mail(found[1])
        try:
            self.talks.do(mail, found)
        finally:
            self.exchange.drop(found[1])
            called[:0] = mail.frames  # who has had his answer may have called again before that

    def _report(self, error: BaseException) -> None:
        """What a callback has raised. Where somebody waits meanwhile it comes back to him, and is his."""
        if threads.get_ident() == self._caller:
            log.callback_failed(self._calling)

    # -- the end ---------------------------------------------------------------------------------

    def close(self, why: str) -> None:
        """End it. Twice is fine."""
        self.exchange.end(why)
        self._shut()
        self._wake()
        for thread in self._threads:
            thread.join(JOIN_S)

    def _shut(self) -> None:
        """Wake who reads."""
        try:
            self._socket.shutdown(_socket.SHUT_RDWR)
        except OSError:
            pass  # the other side has, or it is closed

    def _close(self) -> None:
        if self._pid == os.getpid():
            self._shut()
            self.exchange.leave(self._socket.close)
            if self._channel is not None:
                self._channel.close()

    def after_fork(self) -> None:
        """In the child: the connection is the parent's."""
        self.exchange.why = (
            self.exchange.why or "it is the parent's: a child of a fork asks for modules of its own"
        )
        self._socket.close()

    def shut_down(self) -> None:
        """The program ends."""
        self.close("this program ends")


def _print(number: int, text: str) -> None:
    """Print what a module there has printed."""
    out = sys.stderr if number == 2 else sys.stdout
    if out is None:
        return
    try:
        out.write(text)
        out.flush()
    except (OSError, ValueError) as e:
        log.debug("what a module printed is lost: %s", e)
