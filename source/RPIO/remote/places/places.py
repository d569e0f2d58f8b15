# SPDX-License-Identifier: LGPL-3.0-or-later
"""Where a server is: from what people write to an address."""

from __future__ import annotations

import re
import socket
from _weakref import ref

from ... import errors, threads
from ...loop.tcp_listener import Socket
from ...loop.tcp_options import look_after
from ...machine import folders
from ...processes import hooks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..._gpio import LineReader
    from ..tls import Channel
    from .hosts import Known
    from .ssh import Login

    Address = tuple[str, int] | str

PORT = 8510
FORMS = (
    "localhost, localhost:8510, HOST:PORT, remote://HOST:PORT, remote+unix:///PATH, ssh://[USER@]HOST[:PORT], "
    "remote+insecure://HOST:PORT"
)
HOST_PORT = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%\w-]+\]|[\w.-]+)(:(?P<port>\d{1,5}))?/?", re.ASCII)


class Outgoing:
    """The sockets of connections to servers, from before they are connected: whoever waits for one holds up nobody who
    makes descriptors, such as the one who answers. In the child of a fork they are closed.
    """

    def __init__(self) -> None:
        self._sockets: set[ref[socket.socket]] = set()

    def socket(self, family: int) -> socket.socket:
        """Make one."""
        hooks.look_after(self)
        with hooks.making:
            made: socket.socket = Socket(family, socket.SOCK_STREAM)
            self._sockets.add(ref(made, self._sockets.discard))
        return made

    def after_fork(self) -> None:
        """They are the parent's."""
        for me in list(self._sockets):
            _close(me())
        self._sockets.clear()

    def shut_down(self) -> None:
        """They end with the process."""


def _close(made: socket.socket | None) -> None:
    if made is not None:
        made.close()


_outgoing = Outgoing()


class Place:
    """A server's address: a host and a port, the path of a unix socket, or a machine to log in to by ssh. "localhost"
    alone is whatever serves this user here: his own daemon's socket, that of the system's, then the port.
    """

    __slots__ = (
        "_known",
        "_port",
        "host",
        "is_any_here",
        "is_insecure",
        "path",
        "port",
        "reached",
        "ssh",
        "text",
    )
    again = "RPIO.connect() makes another one, when there is a server"
    """What to do when the connection is lost for good."""

    def __init__(self, where: str) -> None:
        """*where* is one of FORMS. Raises ValueError."""
        if not isinstance(where, str):
            raise TypeError(f"where a board is, is text such as 'localhost', not {type(where).__name__}")
        self.text, self.host, self.port, self.path = where, "", PORT, ""
        self._port = False  # it was said
        self._known: Known | None = None
        self.is_any_here = False
        self.reached = ""
        """Which of several has answered."""
        scheme, mark, rest = where.partition("://")
        if not mark:
            scheme, rest = "remote", where
        self.ssh: Login | None = None
        """How to get there, where that is by ssh."""
        self.is_insecure = scheme == "remote+insecure"
        """What is said there may be read and changed by whoever is between: somebody has said that it may."""
        if scheme == "ssh":
            threads.load("RPIO.remote.places.ssh")
            from .ssh import Login

            self.ssh = Login(where, rest)
            return
        if scheme == "remote+unix" and rest.startswith("/"):
            self.path = rest
            return
        found = HOST_PORT.fullmatch(rest) if scheme == "remote" or self.is_insecure else None
        port = int(found["port"] or PORT) if found else 0
        if found is None or not 0 < port < 65536:
            raise ValueError(f"{where!r} is no place of a board: those are {FORMS}")
        self.host, self.port = found["host"].strip("[]"), port
        self._port = bool(found["port"])
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
        for family, address in self._addresses():
            try:
                made = _outgoing.socket(family)
                made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                found = _connected(made, address, timeout_s)
            except OSError as e:
                first = first or e
            else:
                look_after(found)
                self.reached = ""
                return found
        raise first or OSError(f"{self.host} has no address")

    def _addresses(self) -> list[tuple[int, object]]:
        """Where it may be: where its name leads, and, of a device that is known, where it was. Raises OSError."""
        names = [self.host]
        if not self.is_insecure and not self.is_any_here:
            threads.load("RPIO.remote.places.hosts")
            from . import hosts

            self._known = known = hosts.find(self.host)
            if known is not None:
                self.port = self.port if self._port else known.port
                others = dict.fromkeys([known.reached, *known.addresses, known.name, *known.names])
                names += [name for name in others if name not in ("", self.host)]
        found: list[tuple[int, object]] = []
        first: OSError | None = None
        for name in names:
            try:
                listed = socket.getaddrinfo(name, self.port, type=socket.SOCK_STREAM)
            except OSError as e:
                first = first or e
                continue
            found += [(family, address) for family, _, _, _, address in listed]
        if not found and first is not None:
            raise first
        return list(dict.fromkeys(found))

    def seal(
        self, made: socket.socket, timeout_s: float, reader: LineReader | None = None, patience_s: float = 0.0
    ) -> Channel | None:
        """Shake hands, where that socket leads to a device that this machine is paired with, or to another machine at
        all; None where nobody is between.

        Raises:
            NotAllowedError: this machine is not paired with it, or it is another one. OSError: it has gone.
        """
        if self.path or self.reached or self.ssh is not None or self.is_insecure:
            return None
        known = self._known
        if known is None:
            if is_loopback(made.getpeername()):
                return None
            raise errors.NotAllowedError(
                f"this machine is not paired with {self.host}, so nothing is said to it",
                hint=f"run `rpio pair` there, and `rpio pair {self.host}` here; or come by ssh://{self.host}",
            )
        threads.load("RPIO.remote.tls")
        from .. import tls

        return tls.connected(made, known.context(), timeout_s, str(self), reader, patience_s)

    def advised(self, error: errors.GPIOError) -> errors.GPIOError:
        """The same error of the other side, whose advice names this place where it says HOST."""
        host = self.host or "HOST"
        error.hint = error.hint.replace("HOST", host)
        if hasattr(error, "__notes__"):
            error.__notes__ = [note.replace("HOST", host) for note in error.__notes__]
        return error

    def close(self) -> None:
        """End what was begun for a connection and has not become one. Twice is fine."""
        if self.ssh is not None:
            self.ssh.close()

    @property
    def is_known(self) -> bool:
        """Whether it was reached as a device whose authority is known here: by TLS."""
        return self._known is not None

    @property
    def named(self) -> str:
        """HOST, or HOST:PORT where that is another one than usual, as `rpio pair` takes it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORT else f"{host}:{self.port}"

    def __str__(self) -> str:
        if self.ssh is not None:
            return str(self.ssh)
        if self.path or self.reached:
            return self.path or self.reached
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def opened(port: int) -> str:
    """Advice for who finds nobody at that port of another machine."""
    if port == PORT:
        text = f"`rpio serve --address any` there opens port {port}"
    else:
        text = f"is it port {port}? `rpio serve --address any` there opens {PORT}, where no other is said"
    return f"{text}; is the name right, and the network up?"


def is_loopback(address: object) -> bool:
    """Whether a socket's address is one that this machine alone reaches."""
    host = str(address[0]) if isinstance(address, tuple) else ""
    return host.startswith(("127.", "::ffff:127.")) or host == "::1"


def _connected_to_path(path: str, timeout_s: float) -> socket.socket:
    if not hasattr(socket, "AF_UNIX"):
        raise errors.NotSupportedError(f"this system has no unix sockets, such as {path}")
    try:
        return _connected(_outgoing.socket(socket.AF_UNIX), path, timeout_s)
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
