# SPDX-License-Identifier: LGPL-3.0-or-later
"""A port of HTTP: aiohttp's connections, counted, each with a time in which it has to ask for something."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from aiohttp import web

from ...programs import process
from ..outside.arrivals import Arrivals
from ..outside.authority import Authority
from .access import Names
from .routes import Site

if TYPE_CHECKING:
    from collections.abc import Callable
    from socket import socket

    from ..sessions.sessions import Session, Sessions
    from ..settings.settings import Settings
    from .routes import Handler

CONNECTIONS_MAX = 512
FIRST_S = 20.0
"""So long has a connection to ask for something, its handshake included."""
KEPT_S = 60.0
"""So long is one kept that asks for nothing more."""
END_S = 1.0
QUIET = ("aiohttp.server", "aiohttp.websocket")
"""Loggers that write down what strangers send: that it is no HTTP, with a traceback each, and the sub-protocols that a
client offers, of which one is its token.
"""


class HttpPort:
    """A site, at a port. *authority* None is plain HTTP."""

    def __init__(self, site: Site, authority: Authority | None) -> None:
        self._site, self._authority = site, authority
        application = site.application()
        application.middlewares.insert(0, self._has_asked)
        for name in QUIET:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self._runner = web.AppRunner(
            application,
            handle_signals=False,
            access_log=None,
            logger=logging.getLogger(QUIET[0]),
            keepalive_timeout=KEPT_S,
            shutdown_timeout=END_S,
            handler_cancellation=True,
        )
        self._silent: dict[object, asyncio.TimerHandle] = {}  # connections that have asked for nothing yet
        self._arrivals = Arrivals(self._connected, self._crowd, CONNECTIONS_MAX, "HTTP")
        site.on_refused = self._arrivals.note
        self._shaking: dict[object, object] = {}  # the tasks of those whose handshake is not done
        self.port = 0
        self.place = ""
        """Where it is, as a URL."""

    @classmethod
    def of(cls, settings: Settings, sessions: Sessions, connect: Callable[[Session], socket]) -> HttpPort:
        """The one of the settings."""
        values = settings.values
        scheme = "https" if values["further", "tls"] else "http"
        hosts, origins = (tuple(map(str, values["further", name])) for name in ("hosts", "origins"))  # type: ignore[call-overload]
        user = settings.of("run", "user")
        site = Site(
            sessions,
            connect,
            Names(hosts, origins, scheme),
            scheme,
            lambda: process.user(user).name,
            bool(values["further", "open_run"]),
            round(float(settings.of("further", "upload_mb")) * 1e6),
        )
        return cls(site, Authority.of(settings) if scheme == "https" else None)

    def certificate_in_words(self) -> str:
        """Where the authority's certificate is, which clients name, and how it is known."""
        made = self._authority
        return f" (authority {made.path}, SHA-256 {made.fingerprint()})" if made is not None else ""

    async def listen(self, address: str, port: int) -> None:
        """Listen there; 0 lets the kernel choose the port. Raises OSError, GPIOError, which say what is wrong."""
        tls = self._authority.context(["http/1.1"]) if self._authority is not None else None
        await self._runner.setup()
        found = await self._arrivals.listen(address, port, tls)
        host = f"[{address}]" if ":" in address else address
        self.place = f"{'http' if tls is None else 'https'}://{host}:{found}"
        self.port = found

    def _crowd(self) -> int:
        server = self._runner.server
        return CONNECTIONS_MAX if server is None else len(server.connections)

    def _connected(self) -> asyncio.Protocol:
        """Somebody has connected."""
        server = self._runner.server
        assert server is not None
        if len(self._silent) >= 2 * CONNECTIONS_MAX:
            self._forget_gone(server)
        made = server()
        task = asyncio.current_task()
        if task is not None:
            self._shaking[task] = made
            task.add_done_callback(lambda done: self._shaking.pop(done, None))
        self._silent[made] = asyncio.get_running_loop().call_later(FIRST_S, self._too_late, made)
        return made

    def _forget_gone(self, server: web.Server) -> None:
        """Of those who have gone without a word nothing is kept until they would have been too late."""
        there = {*server.connections, *self._shaking.values()}
        for made in [made for made in self._silent if made not in there]:
            self._silent.pop(made).cancel()

    @web.middleware
    async def _has_asked(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        timer = self._silent.pop(request.protocol, None)
        if timer is not None:
            timer.cancel()
        return await handler(request)

    def _too_late(self, made: web.RequestHandler) -> None:
        """One has not asked for anything."""
        self._silent.pop(made, None)
        if made.transport is not None:
            made.transport.abort()

    async def close(self) -> None:
        """Listen no more, and end all clients. Twice is fine."""
        self._arrivals.close()
        for timer in self._silent.values():
            timer.cancel()
        await self._site.close()
        await self._runner.cleanup()
