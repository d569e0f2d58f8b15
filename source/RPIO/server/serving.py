# SPDX-License-Identifier: LGPL-3.0-or-later
"""serve_remote(): what may be listened at, and the front end that listens."""

from __future__ import annotations

import socket

from .. import errors, threads
from ..loop.tcp_ports import check_address
from ..wire.fronts import is_here
from .connections.reach import check_is_address, every
from .sessions.safe_states import go_safe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..board.board import Board
    from .sessions.sessions import Session

PORT = 8510


def check_path(path: object) -> str:
    """Return the path of a unix socket. One without a name would be seen by everybody, and so is one with a zero."""
    if not isinstance(path, str):
        raise TypeError(
            f"path is that of a unix socket, such as '/run/user/1000/pins', not {type(path).__name__}"
        )
    if not path or "\0" in path:
        raise ValueError(f"path is that of a unix socket, such as '/run/user/1000/pins', not {path!r}")
    if not hasattr(socket, "AF_UNIX"):
        raise errors.NotSupportedError("this system has no unix sockets: serve a port")
    return path


def serve(
    board: Board,
    port: int,
    host: str,
    path: str | None,
    on_news: Callable[[str, Session], object] | None = None,
) -> int:
    """Serve the lines of a board, in its loop; return the port. See RPIO.serve_remote().

    *on_news* is called with "came" when a session has said who it is, and with "went" at its end, in the loop's thread.
    """
    threads.load("RPIO.server.connections.front")
    from .connections.doors import Path, Port
    from .connections.front import Front

    check_address(host, port)
    check_is_address(host)
    if path is not None:
        path = check_path(path)
    _ = board.backend  # what is wrong with it is told now
    go_safe(board)
    if path is not None:
        front = Front(board, [Path(path)])
    elif is_here(host):
        front = Front(board, [Port("127.0.0.1" if host == "localhost" else host, port)])
    else:
        threads.load("RPIO.server.outside.guarded")
        from .outside.guarded import guarded

        front = guarded(board, every(host), port)
    if on_news is not None:
        front.sessions.on_news = on_news
    board.waiting.ports.open(front, host)
    return front.port
