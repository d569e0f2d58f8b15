# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio serve --further``: HTTP and WebSocket at a port, for programs that run here, in the daemon's loop."""

from __future__ import annotations

from ... import errors, threads
from ...programs import process
from ...wire.grpc.extra import WANTED_FOR_HTTP, missing
from ..settings import beyond

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from socket import socket

    from ..sessions.sessions import Session, Sessions
    from ..settings.settings import Settings
    from .port import HttpPort

    Say = Callable[[str], object]


class Front:
    """The port of the settings. *connect* gives a session its connection to the programs' keeper; *say* is told what
    people should know.
    """

    def __init__(
        self, settings: Settings, sessions: Sessions, connect: Callable[[Session], socket], say: Say
    ) -> None:
        self._settings, self._sessions, self._connect, self._say = settings, sessions, connect, say
        self._port: HttpPort | None = None
        self.state = "not served"
        self.place: tuple[str, int] | None = None
        """Where it listens; None for nowhere."""

    def in_words(self) -> list[str]:
        """What is said of it to those who ask."""
        if not self._settings.values["further", "on"]:
            return []
        told = beyond.told(self._settings, "further")
        return [f"further: {self.state}: programs, by HTTP and WebSocket{f'; {told}' if told else ''}"]

    async def open(self) -> None:
        """Listen. What is wrong is said, and nothing served."""
        settings = self._settings
        if not settings.values["further", "on"]:
            return
        try:
            beyond.kind_of(settings, "further")
            self._port = port = self._made()
            address = beyond.address_of(settings, "further")
            await port.listen(address, int(settings.of("further", "port")))
        except (OSError, errors.GPIOError) as e:
            text = e.strerror if isinstance(e, OSError) and e.strerror else str(e)
            self.state = f"not served: {text}"
            self._say(f"further is {self.state}")
            await self.close()
            return
        self.state, self.place = f"at {port.place}", (address, port.port)
        self._say(
            f"further is served at {port.place}: programs, by HTTP and WebSocket{port.certificate_in_words()}"
        )
        self._say_who_may()

    def _say_who_may(self) -> None:
        settings = self._settings
        try:
            process.user(settings.of("run", "user"))
        except errors.GPIOError as e:
            self._say(f"further: no programs run here: {e} ({getattr(e, 'hint', '')})")
        if settings.values["further", "open_run"]:
            self._say(
                "further: --open-run: whoever reaches this port from this machine runs programs, without a token"
            )
        told = beyond.told(settings, "further")
        if told:
            self._say(f"further: {told}")

    def _made(self) -> HttpPort:
        try:
            for name in ("access", "websocket", "status", "routes", "port"):
                threads.load(f"RPIO.server.further.{name}")
            from .port import HttpPort
        except ImportError as e:
            raise missing(e, "HTTP", WANTED_FOR_HTTP) from None
        return HttpPort.of(self._settings, self._sessions, self._connect)

    async def close(self) -> None:
        """Listen no more, and end all clients. Twice is fine."""
        port, self._port = self._port, None
        if port is not None:
            await port.close()
