# SPDX-License-Identifier: LGPL-3.0-or-later
"""Where a server is: from what people write to an address."""

from __future__ import annotations

import re
import socket

from .. import threads
from ..loop.tcp_listener import Socket

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
    """A server's address: a host and a port, the path of a unix socket, or a machine to log in to by ssh."""

    __slots__ = ("host", "path", "port", "ssh", "text")

    def __init__(self, where: str) -> None:
        """*where* is one of FORMS. Raises ValueError."""
        if not isinstance(where, str):
            raise TypeError(f"where a board is, is text such as 'localhost', not {type(where).__name__}")
        self.text, self.host, self.port, self.path = where, "", PORT, ""
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

    def connect(self, timeout_s: float) -> socket.socket:
        """Return a connected socket, where it is not by ssh. Raises OSError."""
        if self.path:
            made: socket.socket = Socket(socket.AF_UNIX, socket.SOCK_STREAM)
            return _connected(made, self.path, timeout_s)
        first: OSError | None = None
        for family, _, _, _, address in socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM):
            try:
                made = Socket(family, socket.SOCK_STREAM)
                made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return _connected(made, address, timeout_s)
            except OSError as e:
                first = first or e
        raise first or OSError(f"{self.host} has no address")

    def close(self) -> None:
        """End what was begun for a connection and has not become one. Twice is fine."""
        if self.ssh is not None:
            self.ssh.close()

    def __str__(self) -> str:
        if self.ssh is not None:
            return str(self.ssh)
        if self.path:
            return self.path
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _connected(made: socket.socket, address: object, timeout_s: float) -> socket.socket:
    try:
        made.settimeout(timeout_s)
        made.connect(address)  # type: ignore[arg-type]
    except BaseException:
        made.close()
        raise
    return made
