# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio serve --smbus``: gRPC at a port, smbus-proxy's service and rpio.v1, in the daemon's loop."""

from __future__ import annotations

from .. import errors, threads
from ..wire.grpc.extra import missing
from .serving import is_here

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl as tls
    from collections.abc import Callable
    from typing import Any

    from ..backends.buses import I2cBus
    from .grpc_serving import Call, GrpcPort
    from .sessions import Session, Sessions
    from .settings import Settings
    from .smbus_grpc import SmbusRcp

    Say = Callable[[str], object]


def check(settings: Settings) -> None:
    """Look at what is set, before anything is opened. Raises NotAllowedError for an address that must be asked for."""
    address = settings.of("smbus", "address")
    if settings.values["smbus", "on"] and not settings.values["smbus", "insecure"] and not is_here(address):
        text = (
            f"smbus: {address} can be reached by other machines, or is no address; gRPC is not encrypted here"
        )
        hint = "--insecure serves it there all the same, or ssh -L 50051:127.0.0.1:50051 brings it to another machine"
        raise errors.NotAllowedError(text, hint=hint)


class ProxyClient:
    """A client of smbus-proxy's service, as a session of the daemon's. *on_end* hears of its end by somebody else."""

    def __init__(self, session: Session, on_end: Callable[[ProxyClient], object]) -> None:
        from .grpc_serving import Waiting

        self._session, self._waiting = session, Waiting()
        self._on_end: Callable[[ProxyClient], object] = on_end
        session.on_end = self._has_ended

    def _has_ended(self) -> None:
        self._waiting.end()
        on_end, self._on_end = self._on_end, lambda client: None
        on_end(self)

    async def run(self, call: str, bus: int, work: Callable[[I2cBus], Any]) -> Any:
        """Do *work* with a bus, where its session may do that."""
        from ..wire.terms import I2C

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

    def in_words(self) -> list[str]:
        """What is said of it to those who ask."""
        if not self._settings.values["smbus", "on"]:
            return []
        return [f"smbus: {self.state}: smbus-proxy's service, and rpio.v1"]

    async def open(self, ssl: tls.SSLContext | None = None) -> None:
        """Listen. What is wrong is said, and nothing served."""
        settings = self._settings
        if not settings.values["smbus", "on"]:
            return
        address = settings.of("smbus", "address")
        try:
            check(settings)
            port = await self._listen(address, int(settings.of("smbus", "port")), ssl)
        except (OSError, errors.GPIOError) as e:
            text = e.strerror if isinstance(e, OSError) and e.strerror else str(e)
            self.state = f"not served: {text}"
            self._say(f"smbus is {self.state}")
            self.close()
            return
        where = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        self.state = f"at {where}"
        self._say(f"smbus is served at {where}, by gRPC: smbus-proxy's service, and rpio.v1")
        if settings.values["smbus", "insecure"] and not is_here(address):
            self._say(
                "smbus: --insecure: whoever reaches this port has the buses and lines of this machine, unencrypted"
            )

    async def _listen(self, address: str, port: int, ssl: tls.SSLContext | None) -> int:
        try:
            for name in ("grpc_serving", "smbus_grpc", "grpc"):
                threads.load(f"RPIO.server.{name}")
            from .grpc import RpioV1
            from .grpc_serving import GrpcPort, be_quiet
            from .smbus_grpc import SmbusRcp
        except ImportError as e:
            raise missing(e) from None
        from ..constants import VERSION

        be_quiet()
        self._rcp = rcp = SmbusRcp(self._begin)
        services = RpioV1(self._sessions, VERSION)
        self._port = made = GrpcPort([*rcp.methods(), *services.methods()])
        await made.listen(address, port, ssl)
        return int(made.address[1])

    def _begin(self, bus: int, call: Call) -> ProxyClient:
        from .grpc import begin_session, token_of

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
