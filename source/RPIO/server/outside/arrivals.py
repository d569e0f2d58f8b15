# SPDX-License-Identifier: LGPL-3.0-or-later
"""Who comes to a port of asyncio's: let in one after the other, bounded in number and in the time of a TLS handshake.

asyncio's own servers tell nobody of those who do not end their handshake, so that nobody could count them.
"""

from __future__ import annotations

import asyncio
from socket import AF_INET6, create_server
from ssl import SSLError

from ... import log
from ...loop.tcp_listener import explain_bind
from ...loop.tcp_options import look_after
from ...machine.network import plain
from ...processes import hooks
from ...remote.tls import explained
from .strangers import SHOWN_S, Refusals, first_to_go

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from socket import socket

RETRY_S = 1.0
"""So long is waited when no descriptor is left for one more who comes."""
BACKLOG = 128
EVERY = "::"
"""All addresses, those of IPv4 too."""


class Arrivals:
    """Those of one port. *connected* makes a protocol for each; *crowd* says how many are there already, of *most*;
    *what* is spoken is for the log. Who shakes hands is bounded as in the lobby: see server/outside/strangers.
    """

    def __init__(
        self,
        connected: Callable[[], asyncio.Protocol],
        crowd: Callable[[], int],
        most: int,
        what: str,
    ) -> None:
        self._connected, self._crowd, self._most, self._what = connected, crowd, most, what
        self._log, self.refusals = log.Sparing(), Refusals()
        self._tls: ssl.SSLContext | None = None
        self._listeners: list[socket] = []
        self.coming: dict[object, str] = {}
        """The tasks of those whose handshake is not done, each with the address."""

    async def listen(self, address: str, port: int, tls: ssl.SSLContext | None) -> int:
        """Listen there; 0 lets the kernel choose the port, which is returned. Raises OSError."""
        self._tls = tls
        loop = asyncio.get_running_loop()
        try:
            if address == EVERY:  # asyncio would have those who come by IPv6 alone
                with hooks.making:
                    self._listeners = [
                        create_server((address, port), family=AF_INET6, dualstack_ipv6=True, backlog=BACKLOG)
                    ]
            else:
                bound = await loop.create_server(self._connected, address, port, start_serving=False)
                with hooks.making:
                    self._listeners = [each.dup() for each in bound.sockets]
                bound.close()
            for listener in self._listeners:
                listener.listen(BACKLOG)
                listener.setblocking(False)
                loop.add_reader(listener, self._accept, listener)
        except OSError as e:
            raise explain_bind(e, address, port) from None
        return int(self._listeners[0].getsockname()[1])

    def _accept(self, listener: socket) -> None:
        """Let in one who waits, or close the connection where there are too many."""
        loop = asyncio.get_running_loop()
        try:
            with hooks.making:
                made, peer = listener.accept()
        except (BlockingIOError, ConnectionError):
            return  # he has gone
        except OSError as e:
            self._log.warning("accept", "nobody is let in by %s: %s", self._what, e.strerror)
            loop.remove_reader(listener)  # nothing is left for one more
            loop.call_later(RETRY_S, self._hear_again, listener)
            return
        address = plain(str(peer[0]))
        of_all = max(0, self._most - self._crowd())
        old = first_to_go(self.coming, address, self.refusals.most(address), of_all)
        if isinstance(old, asyncio.Task):
            self.coming.pop(old)
            old.cancel()
        if len(self.coming) >= of_all:  # all are let in already
            made.close()
            return
        made.setblocking(False)
        look_after(made, address)
        coming = loop.create_task(self._bring(made, address))
        self.coming[coming] = address
        coming.add_done_callback(lambda task: self.coming.pop(task, None))

    def _hear_again(self, listener: socket) -> None:
        if listener in self._listeners:
            asyncio.get_running_loop().add_reader(listener, self._accept, listener)

    async def _bring(self, made: socket, address: str) -> None:
        handshake_s = SHOWN_S if self._tls is not None else None
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                self._connected, made, ssl=self._tls, ssl_handshake_timeout=handshake_s
            )
        except OSError as e:  # what he speaks is no TLS, or he has gone
            why = explained(e, "its certificate") if isinstance(e, SSLError) else e.strerror or str(e)
            self.note(address, why or "gone in the middle of the handshake")
            made.close()
        except BaseException:
            made.close()
            raise

    def note(self, address: str, why: str) -> None:
        """One is refused: for the log, and for how many of that address may come at once."""
        self.refusals.note(address, f"{self._what}: {why}")

    def close(self) -> None:
        """Listen no more, and end those who are coming. Twice is fine."""
        listeners, self._listeners = self._listeners, []
        for listener in listeners:
            asyncio.get_running_loop().remove_reader(listener)
            listener.close()
        for coming in list(self.coming):
            if isinstance(coming, asyncio.Task):
                coming.cancel()
