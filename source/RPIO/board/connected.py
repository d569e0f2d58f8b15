# SPDX-License-Identifier: LGPL-3.0-or-later
"""Boards whose lines another process has."""

from __future__ import annotations

# Names of annotations too are there when the program runs, for who asks typing.get_type_hints().
from _collections_abc import Callable

from .. import arguments, threads
from ..backends import opening
from ..backends.protocol import Backend
from .board import Board


def connect(
    where: str,
    linger_s: float = 5.0,
    timeout_s: float = 10.0,
    patience_s: float = 60.0,
    on_change: Callable[[str], object] | None = None,
    within: Board | None = None,
) -> Board:
    """Connect to a program that has called serve_remote(), or to another machine by ssh; return a Board of its lines.

    *where* is "localhost", "localhost:8511", "remote://localhost:8511", "remote+unix:///run/user/1000/pins" for a unix
    socket, or "ssh://pi", "ssh://USER@HOST:PORT": that starts ``rpio serve --stdio`` there, by your own ssh, which may
    ask you for a password where there is a terminal. "rraspy://pi" is a device of RRaspPY's, without a session: nothing
    lingers there or is tried again. A lost connection is made again, tried for *patience_s* seconds; *linger_s* (0 to
    3600) is how long the other side keeps this program's lines meanwhile, before they go into their safe states. A call
    waits *timeout_s* for its answer. *on_change* is called, from another thread, with "away", "back", "new" (the lines
    were given back: set them up again) or "gone". *within* is a board whose loop is to serve
    this one too.

    Raises:
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
    backend: Backend | None = None
    try:
        if isinstance(where, str) and opening.word_of(where) == "rraspy":
            backend = opening.open_rraspy(opening.split(where)[1], timeout_s)
        else:
            backend = RemoteBackend(where, linger_s, timeout_s, patience_s, on_change)
        board = Board(opening.spec_of(where), within=within)
        board.use(backend, opening.unknown(backend))
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
