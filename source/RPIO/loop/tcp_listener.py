# SPDX-License-Identifier: LGPL-3.0-or-later
"""The listening socket of a port: who connects, and what becomes of it when the machine has nothing left for him."""

from __future__ import annotations

import errno
import socket

from .. import log, threads
from .._gpio import PURE
from ..processes import hooks
from .masks import READ
from .tcp_limits import ACCEPTS_AT_ONCE, BACKLOG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .kernel import Epoll

    Socket = socket.socket
else:
    # The loop watches it; where a program has put others in its place, greenlets wait for those.
    Socket = threads.original("socket", "socket")

OF_ONE_CONNECTION = frozenset(
    getattr(errno, name, errno.ECONNABORTED)  # a system that lacks one does not say it
    for name in [
        "ECONNABORTED",
        "EPERM",
        "EPROTO",
        "ENOPROTOOPT",
        "EOPNOTSUPP",
        "ENETDOWN",
        "ENETUNREACH",
        "EHOSTDOWN",
        "EHOSTUNREACH",
        "ENONET",
    ]
)
"""What accept(2) says of a connection that is gone already; the next one may be well."""


class Listener:
    """A listening socket in an epoll. The caller has a lock."""

    def __init__(self, epoll: Epoll, host: str, port: int) -> None:
        self._epoll = epoll
        self.is_resting = False
        """Nobody is accepted."""
        self._socket: socket.socket | None = None
        self._address = host, port

    def open(self) -> int:
        """Listen; return the port.

        Raises:
            OSError: it is in use or not allowed, or the address is not this machine's.
        """
        family = socket.AF_INET6 if ":" in self._address[0] else socket.AF_INET
        with hooks.making:
            self._socket = made = Socket(family, socket.SOCK_STREAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind(self._address)
            made.listen(BACKLOG)
        except OSError as e:
            raise explain_bind(e, *self._address) from None
        made.setblocking(False)
        self._epoll.register(made.fileno(), READ)
        port: int = made.getsockname()[1]
        return port

    def fileno(self) -> int:
        """The descriptor; -1 when closed."""
        return -1 if self._socket is None else self._socket.fileno()

    def accept(self, take: Callable[[int], object]) -> Iterator[tuple[object, Exception | None]]:
        """Have those *taken* by their descriptor who have connected, ACCEPTS_AT_ONCE at most; the address of each, and
        why he could not be taken: he has been closed then.

        Raises:
            OSError: no descriptor or no memory is left for the next one. rest(), or epoll reports him for ever.
        """
        for _ in range(ACCEPTS_AT_ONCE):
            failure: Exception | None = None
            try:
                with hooks.making:
                    # accept() would make a socket of it, of whoever has replaced them
                    fd, address = self._socket._accept()  # type: ignore[union-attr]
                    try:
                        take(fd)
                    except Exception as e:
                        socket.close(fd)
                        failure = e
            except BlockingIOError:
                return
            except OSError as e:
                if e.errno not in OF_ONE_CONNECTION:
                    raise
                continue
            yield address, failure

    def rest(self) -> None:
        """Leave those who connect to the kernel, where they wait, until go_on()."""
        self._epoll.modify(self.fileno(), 0)
        self.is_resting = True

    def go_on(self) -> None:
        """Hear of them again."""
        if self.is_resting and self.fileno() >= 0:
            self._epoll.modify(self.fileno(), READ)
            self.is_resting = False

    def close(self) -> None:
        """Close it. Twice is fine."""
        if self._socket is not None:
            close_listener(self._socket)


def close_listener(listener: socket.socket) -> None:
    """Close a socket that listens. Twice is fine.

    A thread that sleeps in poll() or select() keeps what it watches open until it wakes up, not so in epoll: so without
    the C module the port is given up first.
    """
    if PURE and listener.fileno() >= 0:
        try:
            listener.shutdown(socket.SHUT_RDWR)
        except OSError as e:  # of systems that have none for a socket that listens
            log.debug("- %s", e)
    listener.close()


def explain_bind(error: OSError, host: str, port: int) -> OSError:
    """The same error of bind(2), saying which port and what to do."""
    where = f"port {port} on {host}"
    advice = {
        errno.EADDRINUSE: f"{where} is in use already (see: ss -ltnp 'sport = :{port}')",
        errno.EACCES: f"{where} may not be opened: ports below 1024 are for root, choose a higher one",
        errno.EADDRNOTAVAIL: f"{host} is no address of this machine (see: ip address)",
    }
    number = error.errno if error.errno is not None else errno.EINVAL
    return type(error)(number, advice.get(number, f"{where}: {error.strerror or error}"))
