# SPDX-License-Identifier: LGPL-3.0-or-later
"""One connection to a server: lines out, lines in.

Nobody reads it for others all the time: who waits for something reads, and puts aside what is not his. So what is asked
and answered costs one send and one receive, in the thread that asks.
"""

from __future__ import annotations

import _socket
import socket
import struct
from _thread import RLock
from time import monotonic

from ... import errors, log, threads
from ..._gpio import PURE, LineReader
from ...loop.masks import READ, WRITE
from ...wire.native import LINE_MAX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..._gpio import EdgeRoutes
    from ..tls import Channel
    from .places import Place
    from .ssh import Channel as SshChannel

SEALED_S = 10.0
"""How long the rest of what has been encrypted may wait to be taken."""
END_S = 0.1
"""How long the end of a connection waits for who is reading it, so that it can be told."""
NAP_S = 0.02
"""As long may a receive last before its caller looks whether another one has got what he waits for."""


MSG_DONTWAIT = 0x40
"""Source: Linux, include/linux/socket.h."""


class LinkLost(Exception):
    """The connection is lost; the text says why."""


if PURE:
    from ...pure import looking


class _InTime:
    """What send() and receive() are made of where no kernel gives blocking calls an end. Knows no Link: nothing keeps
    one that nobody has any more.
    """

    def __init__(self, made: _socket.socket | Channel, reader: LineReader | Channel) -> None:
        self._socket, self._reader = made, reader

    def receive(self, fd: int, lines: list[bytes], flags: int, /) -> int:
        """As LineReader.read(), within NAP_S."""
        if not flags & MSG_DONTWAIT:
            looking.has_socket(fd, READ, NAP_S)
        return self._reader.read(fd, lines, flags & ~MSG_DONTWAIT)  # it never blocks

    def send(self, data: bytes, /) -> int:
        """As that of a socket, within NAP_S."""
        try:
            return self._socket.send(data)
        except BlockingIOError:
            looking.has_socket(self._socket.fileno(), WRITE, NAP_S)
        return self._socket.send(data)


class Link:
    """A connected socket. Edges go where *routes* has them go. Raises LinkLost; OSError where nobody is there."""

    def __init__(self, place: Place, timeout_s: float, routes: EdgeRoutes) -> None:
        self.place = place
        self._reader = LineReader(LINE_MAX, routes)
        self._channel: SshChannel | None = None
        sealed: Channel | None = None
        if place.ssh is not None:  # which may wait for a person, and looks after itself at a fork
            self._channel = place.ssh.connect(timeout_s)
            made = self._channel.socket
            assert made is not None
            self._socket: _socket.socket = made
        else:
            self._socket = made = place.connect(timeout_s)
            try:
                sealed = place.seal(made, timeout_s, self._reader, SEALED_S)
            except BaseException:
                made.close()
                raise
        self.fd = made.fileno()
        self.lines: list[bytes] = []
        """What has come, and nobody has looked at."""
        self.is_greeted = False
        """Whether RPIO's own protocol is spoken there: then what is not known is a newer one's."""
        self._sealed: Channel | None = sealed
        self.send_now: Callable[[bytes], int] = made.send if sealed is None else sealed.send
        self.receive_now = self._reader.read if sealed is None else sealed.read
        """What send() and receive() are made of, for who is in a hurry: they wait NAP_S at most."""
        if PURE:
            made.setblocking(False)
            hurried = _InTime(made if sealed is None else sealed, self._reader if sealed is None else sealed)
            self.send_now, self.receive_now = hurried.send, hurried.receive
        else:
            made.settimeout(None)
            nap = struct.pack(
                "ll", 0, int(NAP_S * 1e6)
            )  # a struct timeval; that blocking calls obey it is Linux's
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, nap)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, nap)
        self._is_torn = False
        """Something that was sent, or has come, may have stopped in the middle. Who is interrupted in between, by an
        exception of a signal handler, ends the connection then, and no other time: a request is so short that the
        kernel takes all of it at once or nothing, and what has come stays in ``lines``.
        """
        self._log = log.Sparing()
        self.lock = RLock()
        """Of who sends and receives. A signal handler may do so in the middle of what it interrupts."""

    @property
    def is_sealed(self) -> bool:
        """Whether TLS is between."""
        return self._sealed is not None

    @property
    def is_torn(self) -> bool:
        """Whether something may have stopped in the middle."""
        return self._is_torn or (self._sealed is not None and self._sealed.is_torn)

    @is_torn.setter
    def is_torn(self, is_so: bool) -> None:
        """Say so."""
        self._is_torn = is_so

    def has_ended(self) -> bool:
        """Whether the other side has closed it, or this one, and all has been read that it has sent."""
        try:
            return not self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def send(self, data: bytes, timeout_s: float) -> None:
        """Send all of it."""
        until_s, was_torn = 0.0, self._is_torn
        self._is_torn = True
        while True:
            try:
                count = self.send_now(data)
                if count == len(data):
                    self._is_torn = was_torn
                    return
                data, until_s = data[count:], 0.0
            except BlockingIOError:  # who does not read is not written to
                until_s = until_s or monotonic() + timeout_s
                if monotonic() >= until_s:
                    raise LinkLost(f"{self.place} has taken nothing for {timeout_s:g} s") from None
            except OSError as e:
                raise self._lost(e) from None

    def receive(self, flags: int = 0) -> bool:
        """Wait NAP_S at most, and append to ``lines`` what has come. Whether anything has."""
        try:
            if self.receive_now(self.fd, self.lines, flags):
                return True
        except BlockingIOError:
            return False
        except OSError as e:
            raise self._lost(e) from None
        except ValueError as e:
            raise LinkLost(f"{self.place}: {e}") from None
        raise LinkLost(f"{self.place} has closed the connection")

    def _lost(self, error: OSError) -> Exception:
        """The error that is told: who is refused, is told so; else that it is lost."""
        if type(error).__module__ == "ssl" and self._sealed is not None:
            from ..tls import refused

            return refused(error, str(self.place))  # type: ignore[arg-type]
        return LinkLost(f"{self.place}: {error.strerror or error}")

    @property
    def aside(self) -> int:
        """Where something is said beside the protocol, for hear_aside(); negative without."""
        return self._channel.aside if self._channel is not None else -1

    @property
    def beats(self) -> bool:
        """Whether beat() is wanted now and then."""
        return self._channel is not None

    def beat(self) -> None:
        """Have the other side know that this one is there, by an empty line. Who has the link says something anyway."""
        if not self.lock.acquire(blocking=False):
            return
        try:
            self.send_now(b"\n")
        except OSError:
            pass  # nothing is taken now, or it has ended: who asks is told
        finally:
            self.lock.release()

    def hear_aside(self) -> bool:
        """Log what has been said there. False when there is no more to come."""
        data = self._channel.hear_aside() if self._channel is not None else None
        for line in (data or b"").decode("utf-8", "replace").splitlines():
            self._log.warning("aside", "%s: %s", self.place, line.rstrip())
        return data is not None

    def explained(self, error: Exception) -> Exception:
        """The error that says why nothing is understood: where ssh has given up, it tells more than this one."""
        channel = self._channel
        if channel is None or (isinstance(error, LinkLost) and not channel.has_ended):
            return error
        return channel.failure(str(error) if isinstance(error, errors.ProtocolError) else "")

    def say_end(self) -> None:
        """Tell the other side by TLS, where that is between, that this one ends it: before shut()."""
        if self._sealed is not None and self.lock.acquire(timeout=END_S):
            try:
                self._sealed.say_end()
            finally:
                self.lock.release()

    def shut(self) -> None:
        """End the connection: who reads hears of it, and nobody else gets the descriptor's number yet. From any thread.

        Twice is fine.
        """
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # the other side has, or it is closed

    def close(self) -> None:
        """Close the descriptor: when nobody reads it any more. Its number is another connection's next."""
        self.fd = -1
        self._socket.close()
        if self._channel is not None:
            self._channel.close()


def unreachable(place: Place, error: OSError) -> errors.GPIOError:
    """The error of a server that is not to be had."""
    if isinstance(error, PermissionError) and error.filename:
        threads.load("RPIO.machine.access")
        from ...machine import access

        return access.no_access(error)
    if place.is_any_here:
        hint = "`rpio serve` begins the daemon; a program that has lines calls RPIO.serve_remote()"
        return errors.NoBackendError(
            f"no board answers on this machine: {error.strerror or error} ({place})", hint=hint
        )
    where = f"--socket {place.path}" if place.path else f"--port {place.port}"
    hint = (
        f"`rpio serve {where}` serves one there; or does the loop of a program run "
        "(RPIO.wait_for_interrupts()) that has called RPIO.serve_remote()?"
    )
    threads.load("RPIO.machine.network")
    from ...machine import network

    if not place.path and not network.is_loopback(place.host):
        threads.load("RPIO.remote.places.places")
        from .places import opened

        hint = opened(place.port)
    return errors.NoBackendError(f"no board answers at {place}: {error.strerror or error}", hint=hint)
