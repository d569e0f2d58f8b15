# SPDX-License-Identifier: LGPL-3.0-or-later
"""Boards whose lines another process has."""

from __future__ import annotations

# Names of annotations too are there when the program runs, for who asks typing.get_type_hints().
from _collections_abc import Callable

from .. import arguments, errors, threads
from ..backends import opening
from ..backends.protocol import Backend
from ..wire.terms import RUN, SCOPES
from .board import Board

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..remote.modules.modules import Modules
    from ..remote.sessions.tasks import RemoteTasks


class RemoteBoard(Board):
    """A Board whose lines another process has; on another machine, it has that one's modules too.

    ::

        with RPIO.connect("ssh://pi", scope="run") as pi:
            bus = pi.module("smbus2").SMBus(1)
            print(bus.read_byte_data(0x48, 0))
    """

    where = ""
    """Where it is, as connect() was told."""

    @property
    def modules(self) -> Modules:
        """The connection for module() and task(): its times, how many objects it holds."""
        with self.lock:
            found = self.__dict__.get("_modules")
            if found is None:
                threads.load("RPIO.remote.modules.modules")
                from ..backends.remote import program, who
                from ..remote.modules.modules import Modules
                from ..remote.places.places import Place

                if opening.word_of(self.where) == "rraspy":
                    raise errors.NotSupportedError(
                        "a device of RRaspPY's has no module()",
                        hint="host.ImportModule() and host.Execute() under `rpio run` are what it has: see doc/rraspy",
                    )
                found = self.__dict__["_modules"] = Modules(Place(self.where), who(), program())
            return found

    def module(self, name: str) -> Any:
        """Import a module of that machine there, and return what stands for it here.

        What is done with it is done there, in a process of its own: attributes, calls, items, loops, ``with``, errors,
        and functions of this program that it calls. Numbers, text, bytes, lists, tuples, dicts, sets and arrays cross
        as copies; everything else stays there, and what is had of it is dropped there when it is dropped here.

        Raises:
            ImportError: there is no such module there; its traceback there is the cause.
            NotAllowedError: the scope ``run`` is missing, or the module is none of those that may be had.
            NoBackendError: nobody answers there.
        """
        return self.modules.module(name)

    def task(self, function: Callable[..., object] | None = None, *, timeout_s: float | None = None) -> Any:
        """Have a function of this program run on that machine, beside the pins, whenever it is called here.

        ::

            @pi.task
            def levels(line, seconds):
                import time
                import RPIO
                RPIO.setup(line, RPIO.IN)
                end = time.monotonic() + seconds
                while time.monotonic() < end:
                    yield RPIO.input(line)

            for level in levels(17, 2.0):
                ...

        It goes there as source, with the functions of this program that it calls, the modules that it knows, and its
        constants; arguments and results cross as with module(), and what it yields comes as a stream, the function a
        thousand values ahead at most. Objects of this program stay here: a function that needs one is refused, with
        its name. *timeout_s* is how long a call may take, None for ever; Ctrl+C here ends it there.

        Raises, when it is called:
            TypeError: something in it cannot be shipped; the text names it.
            NotAllowedError: the scope ``run`` is missing, or no functions are run there.
        """
        threads.load("RPIO.remote.modules.shipping")
        from ..remote.modules.shipping import task_of

        return task_of(self.modules, function, timeout_s)

    @property
    def tasks(self) -> RemoteTasks:
        """Timed tasks, which are done there, whatever becomes of this program: add(), listed(), cancel().

        ::

            with RPIO.connect("pi") as pi:
                pi.tasks.add(17, "on", 2000)
                pi.tasks.add(17, "blink", 5000, 0.2, 0.8).wait()
        """
        from ..backends.remote import RemoteBackend
        from ..remote.sessions.tasks import RemoteTasks

        backend = self.backend
        if not isinstance(backend, RemoteBackend):
            raise errors.NotSupportedError("a device of RRaspPY's has no timed tasks")
        return RemoteTasks(backend.ask, backend.task_ends, self.line_of)

    def close(self) -> None:
        """As any Board."""
        modules = self.__dict__.get("_modules")
        if modules is not None:
            modules.close()
        super().close()


def connect(
    where: str,
    linger_s: float = 5.0,
    timeout_s: float = 10.0,
    patience_s: float = 60.0,
    on_change: Callable[[str], object] | None = None,
    within: Board | None = None,
    scope: str | None = None,
) -> RemoteBoard:
    """Connect to a daemon or a program that has called serve_remote(), here or on another machine; return a Board.

    *where* is "localhost", "localhost:8511", "pi.local" for a device that was paired (`rpio pair`), by TLS,
    "remote+unix:///run/user/1000/pins" for a unix socket, or "ssh://pi", "ssh://USER@HOST:PORT": that starts ``rpio
    serve --stdio`` there, by your own ssh, which may ask you for a password where there is a terminal. "rraspy://pi" is
    a device of RRaspPY's, without a session: nothing lingers there or is tried again. A lost connection is made again,
    tried for *patience_s* seconds; *linger_s* (0 to 3600) is how long the other side keeps this program's lines
    meanwhile, before they go into their safe states. A call waits *timeout_s* for its answer. *on_change* is called,
    from another thread, with "away", "back", "new" (the lines were given back: set them up again) or "gone". *within*
    is a board whose loop is to serve this one too. *scope* is what is needed there ("read", "gpio", "i2c" or "run"):
    with "run" it is asked for now, and whatever is in the way of module() is told at once.

    Raises:
        NotAllowedError: this machine is not paired with that one; or the scope is not to be had without a token, or
            with this one. (A PermissionError.)
        NoBackendError: nobody answers there, or ssh does not get there. (A RuntimeError.)
        ProtocolError: what answers there is no RPIO. (A ValueError.)
        ConnectionLost: from any call of the Board, once it is lost; ``applied`` says what has been done. (An OSError.)

    ::

        with RPIO.connect("localhost") as there:
            there.setup(17, RPIO.OUT)
            there.output(17, 1)
    """
    threads.load("RPIO.backends.remote")
    from ..backends.remote import RemoteBackend

    linger_s = _seconds("linger_s", linger_s, 0, 3600)
    timeout_s = _seconds("timeout_s", timeout_s, 0.1, 3600)
    patience_s = _seconds("patience_s", patience_s, 0, 1e9)
    if on_change is not None:
        arguments.check_callback(on_change, "state")
    if scope is not None and scope not in SCOPES:
        raise ValueError(f"a scope is one of {', '.join(SCOPES)}, not {scope!r}")
    backend: Backend | None = None
    try:
        if isinstance(where, str) and opening.word_of(where) == "rraspy":
            backend = opening.open_rraspy(opening.split(where)[1], timeout_s)
        else:
            backend = RemoteBackend(where, linger_s, timeout_s, patience_s, on_change)
        board = RemoteBoard(opening.spec_of(where), within=within)
        board.use(backend, opening.unknown(backend))
        board.where = where
        if scope == RUN:
            board.modules.line()
    except BaseException:
        if backend is not None:
            backend.close()
        raise
    return board


def _seconds(name: str, value: float, least: float, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} is a number of seconds, not {type(value).__name__}")
    if not least <= value <= most:
        raise ValueError(f"{name} is {least:g} to {most:g} seconds, not {value!r}")
    return float(value)
