# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio serve --smbus``: gRPC at a port, smbus-proxy's service and rpio.v1, in the daemon's loop."""

from __future__ import annotations

from ... import errors, threads
from ...wire import fronts
from ...wire.grpc.extra import missing
from ..settings import beyond

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from typing import Any

    from ...backends.buses import I2cBus
    from ..sessions.sessions import Session, Sessions
    from ..settings.settings import Settings
    from .port import Call, GrpcPort
    from .smbus_rcp import SmbusRcp

    Say = Callable[[str], object]


class ProxyClient:
    """A client of smbus-proxy's service, as a session of the daemon's. *on_end* hears of its end by somebody else."""

    def __init__(self, session: Session, on_end: Callable[[ProxyClient], object]) -> None:
        from .waiting import Waiting

        self._session, self._waiting = session, Waiting()
        self._on_end: Callable[[ProxyClient], object] = on_end
        session.on_end = self._has_ended

    def _has_ended(self) -> None:
        self._waiting.end()
        on_end, self._on_end = self._on_end, lambda client: None
        on_end(self)

    async def run(self, call: str, bus: int, work: Callable[[I2cBus], Any]) -> Any:
        """Do *work* with a bus, where its session may do that."""
        from ...wire.terms import I2C

        session = self._session
        session.rights.check_scope(call, I2C)
        return await self._waiting.on_bus(session, bus, work)

    def end(self) -> None:
        """It has gone. Twice is fine."""
        self._on_end = lambda client: None
        self._session.end()


class Front:
    """The port of the settings. *say* is told what people should know."""

    def __init__(self, settings: Settings, sessions: Sessions, say: Say) -> None:
        self._settings, self._sessions, self._say = settings, sessions, say
        self._port: GrpcPort | None = None
        self._rcp: SmbusRcp | None = None
        self.state = "not served"
        self.place: tuple[str, int] | None = None
        """Where it listens; None for nowhere."""

    def in_words(self) -> list[str]:
        """What is said of it to those who ask."""
        if not self._settings.values["smbus", "on"]:
            return []
        told = beyond.told(self._settings, "smbus")
        return [f"smbus: {self.state}: smbus-proxy's service, and rpio.v1{f'; {told}' if told else ''}"]

    async def open(self) -> None:
        """Listen. What is wrong is said, and nothing served."""
        settings = self._settings
        if not settings.values["smbus", "on"]:
            return
        address = beyond.address_of(settings, "smbus")
        try:
            kind = beyond.kind_of(settings, "smbus")
            port = await self._listen(address, int(settings.of("smbus", "port")), kind == fronts.GUARDED)
        except (OSError, errors.GPIOError) as e:
            text = e.strerror if isinstance(e, OSError) and e.strerror else str(e)
            self.state = f"not served: {text}"
            self._say(f"smbus is {self.state}")
            self.close()
            return
        where = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        self.state, self.place = f"at {where}", (address, port)
        self._say(f"smbus is served at {where}, by gRPC: smbus-proxy's service, and rpio.v1")
        told = beyond.told(settings, "smbus")
        if told:
            self._say(f"smbus: {told}")

    async def _listen(self, address: str, port: int, is_guarded: bool) -> int:
        try:
            for name in ("port", "smbus_rcp", "rpio_v1"):
                threads.load(f"RPIO.server.grpc.{name}")
            from .port import GrpcPort, be_quiet
            from .rpio_v1 import RpioV1
            from .smbus_rcp import SmbusRcp
        except ImportError as e:
            raise missing(e) from None
        from ...constants import VERSION

        be_quiet()
        self._rcp = rcp = SmbusRcp(self._begin)
        services = RpioV1(self._sessions, VERSION)
        self._port = made = GrpcPort([*rcp.methods(), *services.methods()], is_guarded)
        await made.listen(address, port, self._tls() if is_guarded else None)
        return int(made.address[1])

    def _tls(self) -> ssl.SSLContext:
        """TLS with the device's own certificate."""
        threads.load("RPIO.server.outside.authority")
        from ..outside.authority import Authority

        return Authority.of(self._settings).context(["h2"])

    def _begin(self, bus: int, call: Call) -> ProxyClient:
        from .rpio_v1 import begin_session, token_of

        session = begin_session(self._sessions, call, "smbus-proxy", token_of(call), f", bus {bus}")
        return ProxyClient(session, self._has_ended)

    def _has_ended(self, guest: ProxyClient) -> None:
        if self._rcp is not None:
            self._rcp.forget(guest)

    def close(self) -> None:
        """Listen no more, and end all clients. Twice is fine."""
        port, self._port = self._port, None
        rcp, self._rcp = self._rcp, None
        if port is not None:
            port.end()
        if rcp is not None:
            rcp.end_all()
