# SPDX-License-Identifier: LGPL-3.0-or-later
"""``tunnel``: a client's connection becomes one to a front end of another protocol, at its port on this machine.

So who speaks an old protocol that knows neither encryption nor access comes through RPIO's own port, which has both. A
front end takes him for somebody of this machine, and so he has to be allowed all that those are, at all lines.
"""

from __future__ import annotations

import os
import socket
from errno import EAGAIN, EALREADY, EINPROGRESS, EISCONN

from ... import errors, threads
from ...loop.tcp_listener import Socket
from ...processes import hooks
from ...wire.fronts import FRONTS, is_here
from ...wire.terms import RUN
from ..sessions.hearing import Away, not_served
from .piped import Piped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..connections.links import House
    from ..sessions.native import Later
    from ..sessions.sessions import Session
    from ..settings.settings import Settings
    from .back import Calls

    Place = tuple[str, int]

EVERY = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""Addresses at which this machine's own is listened at as well."""


class Tunnels:
    """Those of the front ends of the settings. *places* says where each listens now; None for nowhere."""

    def __init__(
        self, house: House, settings: Settings, places: Mapping[str, Callable[[], Place | None]]
    ) -> None:
        self._house, self._settings, self._places = house, settings, places
        self._calls: Calls | None = None

    def open(self, session: Session, name: str) -> None:
        """Make the connection of a session, which has asked for that on it, one to the front end of that name.

        Raises:
            NotAllowedError: a scope is missing, or it is for some lines alone.
            NotSupportedError: that front end is not served, or not at an address of this machine.
            OSError: nobody answers there.
        """
        self._check(session, name)
        talk = session.talk
        if talk is None:
            raise errors.NotSupportedError("this session has no connection")
        piped = Piped(self._house, _connected(self._place(name)), session.end)
        try:
            talk.give_to(piped)
        except BaseException:
            piped.close()
            raise
        talk.is_over = True  # when the answer has been sent
        session.talk = Away(session)
        session.on_end = piped.close

    def back(self, session: Session, name: str) -> Later:
        """Have the connection be the next one that the front end of that name makes to its host. Raises: as open()."""
        self._check(session, name)
        self._place(name)
        if self._calls is None:
            threads.load("RPIO.server.tunnels.back")
            from .back import Calls

            self._calls = Calls(self._house, int(self._settings.of(name, "host_port")))
        return self._calls.wait(session)

    def close(self) -> None:
        """Wait for no calls any more. Twice is fine."""
        if self._calls is not None:
            self._calls.close()

    def _check(self, session: Session, name: str) -> None:
        """Raise NotAllowedError for who may not do all that can be done there."""
        rights, what = session.rights, f"tunnel {name}"
        scopes = FRONTS[name].scopes
        if self._settings.values.get((name, "open_run"), False):
            scopes = (*scopes, RUN)
        for scope in scopes:
            rights.check_scope(what, scope)
            if rights.scopes[scope] is not None:
                raise errors.NotAllowedError(
                    f"{what} gives all lines; this session has {rights}",
                    hint=f"a token without --lines gives {scope!r} for all of them",
                )

    def _place(self, name: str) -> Place:
        """Where it is reached from this machine. Raises NotSupportedError."""
        found = self._places[name]()
        if found is None:
            raise not_served(name)
        address, port = EVERY.get(found[0], found[0]), found[1]
        if not is_here(address):
            text = f"{name} is served at {address} alone, and not at this machine's own address"
            raise errors.NotSupportedError(text, hint=f"rpio serve --{name} there, without an address")
        if name == "smbus" and not is_here(found[0]) and not self._settings.values["smbus", "insecure"]:
            text = f"smbus is served by TLS there, at {found[0]}:{port}, and so no tunnel is wanted"
            raise errors.NotSupportedError(text, hint="rpio serve --smbus there, without an address")
        if name == "rraspy" and not is_here(self._settings.of("rraspy", "host")):
            text = f"rraspy is served to the host {self._settings.of('rraspy', 'host')} alone"
            raise errors.NotSupportedError(
                text, hint="--rraspy-host 127.0.0.1 there is who comes by a tunnel"
            )
        return "127.0.0.1" if address == "localhost" else address, port


def _connected(place: Place) -> socket.socket:
    """A connection to a port of this machine: the kernel makes it, without the other side's doing. Raises OSError."""
    with hooks.making:
        made: socket.socket = Socket(
            socket.AF_INET6 if ":" in place[0] else socket.AF_INET, socket.SOCK_STREAM
        )
    try:
        made.setblocking(False)
        made.connect_ex(place)  # whose answer is there when it has returned, and is told by the second
        number = made.connect_ex(place)
        if number in (EALREADY, EINPROGRESS):
            raise OSError(EAGAIN, "too many wait there already; try again later")
        if number not in (0, EISCONN):
            raise OSError(number, os.strerror(number))
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        made.close()
        raise
    return made
