# SPDX-License-Identifier: LGPL-3.0-or-later
"""serve_remote(): what may be listened at, and the states that lines are in before anybody comes."""

from __future__ import annotations

import socket

from .. import errors, log, threads
from ..board.declared import NOBODY
from ..errors import GPIOError
from ..loop.tcp_ports import check_address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..board.board import Board
    from .sessions import Session

PORT = 8510


def check_loopback(host: str) -> None:
    """Raise ValueError for an address that others than this machine can reach."""
    threads.load("ipaddress")
    from ipaddress import ip_address

    try:
        is_here = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        is_here = False
    if not is_here:
        raise ValueError(
            f"{host!r} can be reached by other machines, or is no address: RPIO's own protocol is neither encrypted "
            "nor guarded, and is served to this machine alone (127.0.0.1, ::1). Other machines come by ssh for now: "
            'RPIO.connect("ssh://THIS-MACHINE")'
        )


def is_here(address: str) -> bool:
    """Whether an address is one that this machine alone reaches."""
    try:
        check_loopback(address)
    except ValueError:
        return False
    return True


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
    threads.load("RPIO.server.inside")
    from .doors import Path, Port
    from .inside import Front

    check_address(host, port)
    check_loopback(host)
    if path is not None:
        path = check_path(path)
    _ = board.backend  # what is wrong with it is told now
    go_safe(board)
    door = Port("127.0.0.1" if host == "localhost" else host, port) if path is None else Path(path)
    front = Front(board, [door])
    if on_news is not None:
        front.sessions.on_news = on_news
    board.waiting.ports.open(front, host)
    return front.port


def go_safe(board: Board) -> None:
    """Bring lines with a safe state into it that nobody has: who served them before may have been killed."""
    lines = [line for line, rules in list(board.safety.rules.lines.items()) if rules.place("safe")]
    with board.lock:
        for line in lines:
            _go_safe_alone(board, line)


def _go_safe_alone(board: Board, line: int) -> None:
    if line in board.book.directions:
        return
    try:
        board.safety.go_safe(line)
        board.book.owned.add(line)
        board.safety.is_set_up(line, NOBODY)
    except (GPIOError, OSError) as e:
        log.warning("GPIO %d is not in its safe state: %s", line, e)
