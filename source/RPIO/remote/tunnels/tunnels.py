# SPDX-License-Identifier: LGPL-3.0-or-later
"""A port of this machine that is one of a device's: each client of it has a connection of his own there, by RPIO's own
protocol and all that guards it, and notices nothing of that.
"""

from __future__ import annotations

import socket
from errno import EADDRINUSE
from functools import partial
from time import sleep

from ... import errors, threads
from ...loop.masks import READ
from ...loop.tcp_listener import Socket, explain_bind
from ...processes import hooks
from ...wire.fronts import FRONTS
from . import handed
from .piped import Relay

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..places.places import Place
    from ..places.ssh import Channel

HERE = "127.0.0.1"
CONNECT_S = 30.0
CLIENTS_MAX = 64
BACKLOG = 64
NAP_S = 0.5
AGAIN_S = 1.0
"""So long after a connection was lost by which calls come another one is tried."""


class Tunnel:
    """A port here that leads to the front end of that name at *place*. *who* is how the device lists it; *say* is told
    what people should know.
    """

    def __init__(self, place: Place, name: str, who: str, say: Callable[[str], object]) -> None:
        self.place, self.name, self._who, self._say = place, name, who, say
        self._listener: socket.socket | None = None
        self._relays: dict[object, None] = {}
        self.port = 0
        """The one that is listened at."""
        self.is_sealed = False
        """TLS is between."""

    def open(self, port: int | None = None) -> None:
        """Listen at a port of this machine, which no other reaches: that of the front end, or any that is free, where
        it is taken, unless one is named. Whether the device does its part is found out now.

        Raises:
            NoBackendError, NotAllowedError, NotSupportedError: see handed.reached(). OSError: that port is taken.
        """
        end, channel, _ = self._reach()
        self.is_sealed = hasattr(end, "tls")
        try:
            end.shutdown(socket.SHUT_WR)  # it ends, and is not cut off
        except OSError:
            pass  # the other side was quicker
        _close(end, channel)
        try:
            self._listen(FRONTS[self.name].port if port is None else port)
        except OSError as e:
            if port is not None or e.errno != EADDRINUSE:
                raise
            self._listen(0)

    def _listen(self, port: int) -> None:
        with hooks.making:
            self._listener = listener = Socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((HERE, port))
            listener.listen(BACKLOG)
        except OSError as e:
            listener.close()
            raise explain_bind(e, HERE, port) from None
        self.port = listener.getsockname()[1]

    def _reach(self, operation: str = "tunnel") -> tuple[Any, Channel | None, bytes]:
        program = f"rpio tunnel {self.name}{', calls' if operation != 'tunnel' else ''}"
        return handed.reached(self.place, self._who, program, operation, CONNECT_S, self.name)

    def serve(self) -> None:
        """Serve those who come, until close(), or Ctrl+C comes."""
        listener = self._listener
        assert listener is not None
        listener.setblocking(False)
        poll = threads.original("select", "poll")()
        poll.register(listener, READ)
        while listener.fileno() >= 0:
            # Not in accept(), which would have all others wait who make a descriptor, those who serve clients first.
            if poll.poll(NAP_S * 1000):  # a signal handler may close it in the middle
                self._accept(listener)

    def _accept(self, listener: socket.socket) -> None:
        try:
            with hooks.making:
                made, _ = listener.accept()
        except BlockingIOError:
            return  # he has gone again
        except OSError as e:
            if listener.fileno() < 0:
                return  # it has been closed
            if not errors.is_lack(e):
                raise
            self._say(f"nobody is let in for {AGAIN_S:g} s: {e.strerror}")
            sleep(AGAIN_S)
            return
        if len(self._relays) >= CLIENTS_MAX:
            made.close()
            self._say(f"{CLIENTS_MAX} clients are there, and there may be no more")
            return
        try:
            threads.start(lambda: self._serve_one(made), "RPIO tunnel")
        except (RuntimeError, MemoryError) as e:  # there are too many
            made.close()
            self._say(f"a client is turned away: {e}")

    def _serve_one(self, made: socket.socket) -> None:
        """A client, in a thread of his own."""
        token = object()
        self._relays[token] = None
        try:
            end, channel, rest = self._reach()
        except (errors.GPIOError, OSError) as e:
            self._say(f"a client is turned away: {e}")
            made.close()
        else:
            try:
                made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                Relay(end, made, rest).run()
            finally:
                _close(end, channel)
        finally:
            self._relays.pop(token)

    def call_back(self, port: int) -> None:
        """Have what the front end tells its host come to that port here, in a thread. By ssh nothing does."""
        if self.place.ssh is None:
            threads.start(lambda: self._wait_for_calls(port), "RPIO tunnel, calls")

    def _wait_for_calls(self, port: int) -> None:
        listener = self._listener
        has_said = False
        while listener is not None and listener.fileno() >= 0:
            try:
                end, _, rest = self._reach("tunnel_back")
            except (errors.GPIOError, OSError) as e:
                if listener.fileno() >= 0 and not has_said:
                    self._say(f"what {self.name} tells its host does not come here: {e}")
                has_said = True
                sleep(AGAIN_S)
            else:
                has_said = False
                threads.start(partial(self._call, end, rest, port), "RPIO tunnel, call")

    def _call(self, end: Any, rest: bytes, port: int) -> None:
        """Hand a call on to who hears such here."""
        try:
            with hooks.making:
                made: socket.socket = Socket(socket.AF_INET, socket.SOCK_STREAM)
            made.settimeout(CONNECT_S)
            made.connect((HERE, port))
        except OSError as e:
            self._say(f"nobody hears what {self.name} tells, at {HERE}:{port}: {e.strerror or e}")
            made.close()
            end.close()
        else:
            Relay(end, made, rest).run()

    def close(self) -> None:
        """Listen no more; who is there goes on until the program ends. Twice is fine."""
        if self._listener is not None:
            self._listener.close()


def _close(end: object, channel: Channel | None) -> None:
    end.close()  # type: ignore[attr-defined]
    if channel is not None:
        channel.close()
