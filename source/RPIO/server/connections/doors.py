# SPDX-License-Identifier: LGPL-3.0-or-later
"""Where a front end listens: ports of loopback, and paths of unix sockets."""

from __future__ import annotations

import os
import socket
import stat
import struct
from time import sleep

from ... import threads
from ...loop.tcp_listener import Socket, explain_bind
from ...machine.files import open_file
from ...processes import hooks
from ...wire.native import Server
from ..sessions.native import words_of
from .links import Link

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from ..._gpio import File
    from .links import House

    class Lobby(Protocol):
        """Where those wait who connect, until they have shown who they are."""

        def take(self, made: socket.socket, door: Door, address: object) -> None:
            """Have one wait who has connected. Raises OSError."""

        def is_open_at(self, port: int) -> None:
            """Others can come now."""

        def due_ns(self) -> int | None:
            """When the time of one of them is over."""

        def tick(self) -> None:
            """End those whose time is over."""

        def close(self) -> None:
            """End all of them. Twice is fine."""

        def abandon(self) -> None:
            """Close the descriptors alone, in the child of a fork."""


BACKLOG = 512
LOCK_TRIES, LOCK_PAUSE_S = 100, 0.02
OF_USER, OF_GROUP = 0o600, 0o660
"""Modes of a socket's file: who may connect."""


class Door:
    """A listening socket; ``listener`` is None until it is open."""

    is_ours = True
    """RPIO's own protocol is spoken there."""

    def __init__(self) -> None:
        self.listener: socket.socket | None = None
        self.is_resting = False
        """Nobody is accepted: nothing is left for one more."""

    @property
    def place(self) -> str:
        """What a program calls it, as RPIO_BACKEND for instance."""
        return f"remote://{self}"

    def open(self) -> socket.socket:
        """Listen. What is open stands in *listener* from its first moment on: whatever interrupts this, free() and a
        close() of that undo it. Raises OSError, and nothing is open then.
        """
        with hooks.making:
            self.listener = listener = self._make()
        try:
            self._listen(listener)
        except BaseException:
            self.free()
            listener.close()
            raise
        listener.setblocking(False)
        return listener

    def _make(self) -> socket.socket:
        """Return a socket."""
        raise NotImplementedError

    def _listen(self, listener: socket.socket) -> None:
        """Have it listen."""
        raise NotImplementedError

    def peer(self, made: socket.socket, address: object) -> str:
        """Who has connected, in words."""
        raise NotImplementedError

    def free(self) -> None:
        """Take away what others find it by. Twice is fine."""

    lobby: Lobby | None = None
    """Where those wait who connect, until they have shown who they are; None where they need not."""

    def link(self, house: House, made: socket.socket, peer: str) -> Link:
        """Have a client who has connected. Raises OSError where there are too many."""
        return Link(house, made, peer)

    def refusal(self, error: OSError) -> bytes:
        """What one is told who is too many."""
        return Server.error(*words_of(error), None)


class Port(Door):
    """A port; 0 lets the kernel choose, and ``port`` is the one that it has chosen."""

    def __init__(self, host: str, port: int, lobby: Lobby | None = None) -> None:
        super().__init__()
        self.host, self.port, self.lobby = host, port, lobby

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def _make(self) -> socket.socket:
        return Socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET, socket.SOCK_STREAM)

    def _listen(self, listener: socket.socket) -> None:
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if self.host == "::":
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)  # whatever the system's habit
            listener.bind((self.host, self.port))
            listener.listen(BACKLOG)
        except OSError as e:
            raise explain_bind(e, self.host, self.port) from None
        self.port = listener.getsockname()[1]
        if self.lobby is not None:
            self.lobby.is_open_at(self.port)

    def peer(self, made: socket.socket, address: object) -> str:
        """His address and port."""
        if not isinstance(address, tuple):
            return "this machine"
        host = str(address[0]).removeprefix("::ffff:")
        return f"[{host}]:{address[1]}" if ":" in host else f"{host}:{address[1]}"


class Path(Door):
    """A path. *mode* is its file's, and *group* the group that it belongs to; None is that of the process.

    A socket that nobody listens at any more is replaced.
    """

    def __init__(self, path: str, mode: int = OF_USER, group: int | None = None) -> None:
        super().__init__()
        self.path, self._mode, self._group = path, mode, group
        self._made: tuple[int, int] | None = None  # the file's device and number

    def __str__(self) -> str:
        return self.path

    @property
    def place(self) -> str:
        """What a program calls it."""
        return f"remote+unix://{self.path}"

    def open(self) -> socket.socket:
        """Listen, when nobody else is about to do so there. Raises OSError."""
        lock = _lock(os.path.dirname(self.path) or ".")
        try:
            return super().open()
        finally:
            if lock is not None:
                lock.close()

    def _make(self) -> socket.socket:
        return Socket(socket.AF_UNIX, socket.SOCK_STREAM)

    def _listen(self, listener: socket.socket) -> None:
        path = self.path
        try:
            if is_stale(path):
                _remove(path)
            listener.bind(path)
            # Nobody can connect before listen(), so the mode of the file is in time.
            if self._group is not None:
                os.chown(path, -1, self._group)
            os.chmod(path, self._mode)
            listener.listen(BACKLOG)
            found = os.stat(path)
            self._made = found.st_dev, found.st_ino
        except OSError as e:
            raise type(e)(e.errno or 0, f"{e.strerror or e}", path) from None

    def peer(self, made: socket.socket, address: object) -> str:
        """His user and process, as the kernel knows them."""
        # struct ucred of SO_PEERCRED: process, user, group. Source: unix(7).
        data = made.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        process, user, _ = struct.unpack("3i", data)
        return f"{_name_of(user)}, process {process}"

    def free(self) -> None:
        """Take the file away, unless it is another's by now."""
        listener = self.listener
        if listener is None or listener.fileno() < 0 or listener.getsockname() != self.path:
            return  # it was another's from the beginning; or a signal handler has closed it, and freed it before
        try:
            found = os.stat(self.path)
            # Else another server has begun there meanwhile; none does before this one has listened.
            if self._made in (None, (found.st_dev, found.st_ino)):
                _remove(self.path)
        except FileNotFoundError:
            return  # somebody was quicker


def _name_of(user: int) -> str:
    threads.load("pwd")
    from pwd import getpwuid

    try:
        return getpwuid(user).pw_name
    except KeyError:
        return f"user {user}"


def is_stale(path: str) -> bool:
    """Whether it is a socket, and nobody listens there. A file of another kind refuses a connection just so."""
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            return False
    except OSError:
        return False
    with Socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)  # one who is stopped, with a queue that is full, is there
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
    return False


def _lock(folder: str) -> File | None:
    """Have a folder's lock, as long as what is returned is open: of two who find a stale socket, or one that is bound
    and not yet listened at, the second one would remove that of the first. None where it cannot be had: somebody may
    hold that of a folder like /tmp for as long as he likes.
    """
    threads.load("fcntl")
    from fcntl import LOCK_EX, LOCK_NB, flock

    try:
        file = open_file(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return None  # and bind() says what is wrong
    for _ in range(LOCK_TRIES):
        try:
            flock(file.fd, LOCK_EX | LOCK_NB)
            return file
        except BlockingIOError:
            sleep(LOCK_PAUSE_S)
    file.close()
    return None


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return  # somebody was quicker
