# SPDX-License-Identifier: LGPL-3.0-or-later
"""Where a server is: from what people write to an address."""

from __future__ import annotations

import re
import socket

from .. import errors, threads
from ..loop.tcp_listener import Socket
from ..machine import folders

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .ssh import Login

    Address = tuple[str, int] | str

PORT = 8510
FORMS = (
    "localhost, localhost:8510, [::1]:8510, remote://HOST:PORT, remote+unix:///PATH, ssh://[USER@]HOST[:PORT]"
)
HOST_PORT = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%\w]+\]|[\w.-]+)(:(?P<port>\d{1,5}))?/?", re.ASCII)


class Place:
    """A server's address: a host and a port, the path of a unix socket, or a machine to log in to by ssh. "localhost"
    alone is whatever serves this user here: his own daemon's socket, that of the system's, then the port.
    """

    __slots__ = ("host", "is_any_here", "path", "port", "reached", "ssh", "text")
    again = "RPIO.connect() makes another one, when there is a server"
    """What to do when the connection is lost for good."""

    def __init__(self, where: str) -> None:
        """*where* is one of FORMS. Raises ValueError."""
        if not isinstance(where, str):
            raise TypeError(f"where a board is, is text such as 'localhost', not {type(where).__name__}")
        self.text, self.host, self.port, self.path = where, "", PORT, ""
        self.is_any_here = False
        self.reached = ""
        """Which of several has answered."""
        scheme, mark, rest = where.partition("://")
        if not mark:
            scheme, rest = "remote", where
        self.ssh: Login | None = None
        """How to get there, where that is by ssh."""
        if scheme == "ssh":
            threads.load("RPIO.remote.ssh")
            from .ssh import Login

            self.ssh = Login(where, rest)
            return
        if scheme == "remote+unix" and rest.startswith("/"):
            self.path = rest
            return
        found = HOST_PORT.fullmatch(rest) if scheme == "remote" else None
        port = int(found["port"] or PORT) if found else 0
        if found is None or not 0 < port < 65536:
            raise ValueError(f"{where!r} is no place of a board: those are {FORMS}")
        self.host, self.port = found["host"].strip("[]"), port
        self.is_any_here = self.host == "localhost" and not found["port"]

    def connect(self, timeout_s: float) -> socket.socket:
        """Return a connected socket, where it is not by ssh. Raises OSError."""
        if self.path:
            return _connected_to_path(self.path, timeout_s)
        first: OSError | None = None
        for path in folders.sockets() if self.is_any_here else ():
            try:
                found = _connected_to_path(path, timeout_s)
            except PermissionError as e:
                first = first or e  # one is there, for others
            except OSError:
                continue  # none is there, or it has ended
            else:
                self.reached = path
                return found
        for family, _, _, _, address in socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM):
            try:
                made = Socket(family, socket.SOCK_STREAM)
                made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                found = _connected(made, address, timeout_s)
            except OSError as e:
                first = first or e
            else:
                self.reached = ""
                return found
        raise first or OSError(f"{self.host} has no address")

    def close(self) -> None:
        """End what was begun for a connection and has not become one. Twice is fine."""
        if self.ssh is not None:
            self.ssh.close()

    def __str__(self) -> str:
        if self.ssh is not None:
            return str(self.ssh)
        if self.path or self.reached:
            return self.path or self.reached
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _connected_to_path(path: str, timeout_s: float) -> socket.socket:
    if not hasattr(socket, "AF_UNIX"):
        raise errors.NotSupportedError(f"this system has no unix sockets, such as {path}")
    try:
        return _connected(Socket(socket.AF_UNIX, socket.SOCK_STREAM), path, timeout_s)
    except PermissionError as e:
        raise PermissionError(e.errno, e.strerror, path) from None


def _connected(made: socket.socket, address: object, timeout_s: float) -> socket.socket:
    try:
        made.settimeout(timeout_s)
        made.connect(address)  # type: ignore[arg-type]
    except BaseException:
        made.close()
        raise
    return made
