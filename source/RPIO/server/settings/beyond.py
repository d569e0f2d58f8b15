# SPDX-License-Identifier: LGPL-3.0-or-later
"""The front ends that are switched on, as wire/fronts wants them; and what is open to who comes by one of them."""

from __future__ import annotations

from ... import errors
from ...machine.network import is_loopback, plain
from ...wire import fronts
from ..connections.reach import every
from ..rights.access import Rights

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..sessions.sessions import Session
    from .settings import Settings


def address_of(settings: Settings, name: str) -> str:
    """Where that front end listens."""
    return every(settings.of(name, "address"))


def kind_of(settings: Settings, name: str) -> str:
    """Who reaches that front end. Raises NotAllowedError: see fronts.kind()."""
    values = settings.values
    return fronts.kind(
        name,
        address_of(settings, name),
        bool(values[name, "insecure"]),
        bool(values.get((name, "tls"), True)),
        bool(values.get((name, "open_run"), False)),
    )


def check(settings: Settings) -> None:
    """Look at all of them, before anything is opened. Raises NotAllowedError."""
    for name in fronts.FRONTS:
        if settings.values[name, "on"]:
            kind_of(settings, name)


def are_open(settings: Settings) -> bool:
    """Whether there is anything that ``--insecure`` may be about: one of them, or the port for other machines."""
    served = [name for name in fronts.FRONTS if settings.values[name, "on"]]
    return bool(served) or not fronts.is_here(settings.address)


def told(settings: Settings, name: str) -> str:
    """What is said of it at each start, and to who asks; "" where there is nothing to say, or it is not served."""
    try:
        return fronts.told(name, kind_of(settings, name)) if settings.values[name, "on"] else ""
    except errors.NotAllowedError:
        return ""


def admit(session: Session, address: str, is_insecure: bool = False) -> bool:
    """Give a session the rights of where it comes from: what is open is open to this machine alone, unless a front end
    is insecure. Whether it has them.
    """
    is_open = is_insecure or is_loopback(plain(address))
    if not is_open:
        session.rights = Rights.open(())
    return is_open


def grant(session: Session, certificate: bytes, token: str, is_open: bool) -> None:
    """Give a session what a client's certificate (DER) and a token give, where they are not empty.

    Raises:
        NotAllowedError: one is none. OSError, ValueError, GPIOError: they cannot be looked up; who *is_open* alone is
        told why.
    """
    access = session.all.access
    try:
        if certificate:
            session.grant(access.show_certificate(certificate))
        if token:
            session.show(token)
    except (errors.GPIOError, OSError, ValueError) as e:
        if is_open:
            raise
        raise access.told_outside(e) from None
