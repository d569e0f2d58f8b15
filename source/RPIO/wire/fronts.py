# SPDX-License-Identifier: LGPL-3.0-or-later
"""The front ends of other protocols, in one table: what must be between each and other machines, asked before anything
listens, and what who comes to it by a tunnel must be allowed.

Beyond loopback there is TLS, and a client certificate or a token, or ``--insecure`` has been said. What knows neither
stays on this machine without that word: ``rpio tunnel`` brings it to another one.
"""

from __future__ import annotations

from .. import errors
from .terms import GPIO, I2C, READ

HERE, GUARDED, INSECURE = "here", "guarded", "insecure"
"""Who reaches a port: this machine alone; others, through TLS and by what they show; whoever likes."""


class Exposed:
    """A front end. *has_access* says whether TLS and tokens are known there, *gives* what whoever reaches it has
    without them, *scopes* what he may do who comes to it from this machine, at all lines.
    """

    __slots__ = ("gives", "has_access", "name", "port", "scopes")

    def __init__(self, name: str, port: int, has_access: bool, scopes: tuple[str, ...], gives: str) -> None:
        self.name, self.port, self.has_access, self.scopes, self.gives = name, port, has_access, scopes, gives


FRONTS = {
    front.name: front
    for front in (
        Exposed(
            "rraspy",
            8080,
            False,
            (READ, GPIO, I2C),
            "without TLS and access; whoever has the host's address on that network may use it",
        ),
        Exposed(
            "remoteio",
            8509,
            False,
            (READ, GPIO),
            "whoever reaches this port drives the lines of this machine, unencrypted",
        ),
        Exposed(
            "smbus",
            50051,
            True,
            (READ, GPIO, I2C),
            "whoever reaches this port has the buses and lines of this machine, unencrypted",
        ),
        Exposed(
            "further",
            8028,
            True,
            (READ,),
            "tokens, and all that programs read and write, pass by this port unencrypted",
        ),
    )
}
"""Table of the configuration -> what is known of that front end. A new one is a row."""


def is_here(address: str) -> bool:
    """Whether an address is one that this machine alone reaches. A name is none, but for localhost."""
    from ipaddress import ip_address

    try:
        return address == "localhost" or ip_address(address).is_loopback
    except ValueError:
        return False


def kind(name: str, address: str, is_insecure: bool, has_tls: bool = True, is_open_run: bool = False) -> str:
    """Who reaches a front end that listens at an address: HERE, GUARDED or INSECURE. *has_tls*: it is not switched off
    there; *is_open_run*: it runs any program that comes, which ``--insecure`` does not open.

    Raises:
        NotAllowedError: others reach that address, or it is none, and what must be between is not to be had.
    """
    if is_here(address):
        return HERE
    front = FRONTS[name]
    where = f"{name}: {address} can be reached by other machines, or is no address"
    if is_open_run:
        raise errors.NotAllowedError(
            f"{where}; --open-run is for this machine's own address alone",
            hint="without it programs are for who has a token: rpio token new --scope run",
        )
    if front.has_access and has_tls and (not is_insecure or name == "further"):
        return GUARDED  # programs are run for nobody without a token, whatever is said
    if is_insecure:
        return INSECURE
    if front.has_access:
        raise errors.NotAllowedError(
            f"{where}; without TLS it is for this machine alone",
            hint=f"tls = true in [{name}], and no FURTHER_LINK_NOSSL; --insecure serves it all the same",
        )
    raise errors.NotAllowedError(
        f"{where}; the protocol knows neither encryption nor access",
        hint=f"rpio tunnel brings port {front.port} to another machine, encrypted; --insecure serves it all the same",
    )


def told(name: str, kind: str) -> str:
    """What is said at each start, and to who asks; "" where there is nothing to say."""
    return f"--insecure: {FRONTS[name].gives}" if kind == INSECURE else ""
