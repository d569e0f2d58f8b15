# SPDX-License-Identifier: LGPL-3.0-or-later
"""Who may come by HTTP: which names, which pages, which tokens and cookies. Texts in, decisions out, no sockets.

A page of a stranger's runs in a browser that reaches this machine. So what it asks for has to show that it is meant: by
the name in Host, which a stranger's name that leads here has not (DNS rebinding), by Origin, which browsers send and
pages cannot choose, and by a token. None of the three stands in for another.
"""

from __future__ import annotations

import secrets
import socket
from ipaddress import ip_address
from time import monotonic

from ... import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

COOKIE = "rpio"
PROTOCOL, WITH_TOKEN = "rpio", "rpio.bearer."
"""Sub-protocols of a WebSocket: what it speaks, and what has a token behind it."""
LOGIN_S = 12 * 3600.0
LOGINS_MAX = 256
FAILURES_MAX, FAILURES_S = 10, 60.0
"""So many tokens that are none may an address show in so many seconds."""
PEERS_MAX = 1024
IN_URL = ("token", "access_token", "bearer", "authorization", "rpio.bearer")
"""Names of a query under which people write tokens."""


class Refused(errors.NotAllowedError):
    """A request that is refused, with the status of HTTP's that says so, and headers that go with it."""

    def __init__(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(text)
        self.status, self.headers = status, dict(headers or {})


def host_of(netloc: str) -> tuple[str, str]:
    """The name and the port of HOST[:PORT], in small letters, "" for no port. A name may end with a dot."""
    if netloc.startswith("["):
        name, _, port = netloc[1:].partition("]")
        return name.lower(), port.removeprefix(":")
    name, _, port = netloc.partition(":")
    return name.lower().rstrip("."), port


def is_address(name: str) -> bool:
    """Whether that is an address, and no name."""
    try:
        ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return True


def own_names() -> set[str]:
    """The names that this machine has without anybody's saying so."""
    host = socket.gethostname().lower()
    short = host.partition(".")[0]
    return {"localhost", host, short, f"{short}.local"}


class Names:
    """The names and pages that are let in: *hosts* and *origins* besides this machine's own; ``*.example.org`` is every
    name that ends so.
    """

    def __init__(self, hosts: Iterable[str], origins: Iterable[str], scheme: str) -> None:
        self._names = own_names() | {name.lower() for name in hosts if not name.startswith("*.")}
        self._ends = tuple(name[1:].lower() for name in hosts if name.startswith("*."))
        self._origins = {origin.lower().rstrip("/") for origin in origins}
        self._scheme = scheme

    def check_host(self, host: str) -> None:
        """Refuse a name that is none of this machine's. An address is no name that somebody else could have chosen."""
        name = host_of(host)[0]
        if not name:
            raise Refused(400, "a request says in Host whom it is for")
        if name not in self._names and not is_address(name) and not name.endswith(self._ends or ("\0",)):
            raise Refused(421, f"this machine is not {name[:80]!r}: hosts in [further] lists its names")

    def is_listed(self, origin: str) -> bool:
        """Whether a page is one of those that the configuration names."""
        return origin.lower() in self._origins

    def check_origin(self, origin: str | None, host: str) -> None:
        """Refuse the page of somebody else. Who sends no Origin is no page."""
        if origin is None or self.is_listed(origin):
            return
        scheme, _, netloc = origin.partition("://")
        port = {"http": "80", "https": "443"}
        ours, theirs = host_of(host), host_of(netloc)
        is_same = ours[0] == theirs[0] and (ours[1] or port[self._scheme]) == (theirs[1] or port.get(scheme))
        if scheme != self._scheme or not is_same:
            raise Refused(403, f"the page {origin[:80]!r} may not: origins in [further] lists those that may")


def check_fetch(headers: Mapping[str, str]) -> None:
    """Refuse what a page of somebody else has a browser load without saying whose it is: a picture, say. To follow a
    link that leads here is something else.
    """
    is_other = headers.get("Sec-Fetch-Site", "") in ("cross-site", "same-site")
    if is_other and "Origin" not in headers and headers.get("Sec-Fetch-Mode", "") != "navigate":
        raise Refused(403, "the page of somebody else may not load that")


def check_query(names: Iterable[str]) -> None:
    """Refuse a token in the URL, which is written down in many places."""
    found = [name for name in names if name.lower() in IN_URL]
    if found:
        text = (
            f"a token stands in no URL ({found[0]}=): send it as `Authorization: Bearer`, by POST /login, or as the "
            f"sub-protocol {WITH_TOKEN}TOKEN; revoke that one, it has been written down on its way"
        )
        raise Refused(400, text)


def bearer(header: str) -> str:
    """The token of an Authorization header; "" for none."""
    kind, _, token = header.strip().partition(" ")
    if kind and kind.lower() != "bearer":
        raise Refused(400, "Authorization is `Bearer` and a token of `rpio token new`")
    return token.strip()


def of_protocols(header: str) -> str:
    """The token among the sub-protocols that a WebSocket offers; "" for none."""
    words = [word.strip() for word in header.split(",")]
    return next((word[len(WITH_TOKEN) :] for word in words if word.startswith(WITH_TOKEN)), "")


class Logins:
    """Who has logged in: a cookie's secret -> the token that was shown for it, for some hours. The token is in no
    cookie, so that who finds one has it no longer than it lasts.
    """

    def __init__(self, now_s: Callable[[], float] = monotonic) -> None:
        self._now_s = now_s
        self._known: dict[str, tuple[float, str]] = {}

    def add(self, token: str) -> str:
        """Remember a token; return the secret. Of too many the oldest is forgotten."""
        now_s = self._now_s()
        self._known = {secret: (until, of) for secret, (until, of) in self._known.items() if until > now_s}
        while len(self._known) >= LOGINS_MAX:
            self._known.pop(next(iter(self._known)))
        secret = secrets.token_urlsafe(32)
        self._known[secret] = now_s + LOGIN_S, token
        return secret

    def token(self, secret: str) -> str:
        """The token of a cookie; "" where it is none, or over."""
        until_s, token = self._known.get(secret, (0.0, ""))
        return token if until_s > self._now_s() else ""

    def forget(self, secret: str) -> None:
        """Log out. Twice is fine."""
        self._known.pop(secret, None)

    def forget_token(self, token: str) -> bool:
        """Forget all who have logged in with a token, which is none any more; whether somebody has."""
        found = [secret for secret, (_, of) in self._known.items() if of == token]
        for secret in found:
            self._known.pop(secret)
        return bool(found)


class Attempts:
    """How often addresses have shown what is no token.

    A token cannot be guessed, and so who shows one that is one is never kept out: many come by one address, through
    ssh say, and one of them with an old token would keep out all the others.
    """

    def __init__(self, now_s: Callable[[], float] = monotonic) -> None:
        self._now_s = now_s
        self._failed: dict[str, list[float]] = {}

    def failed(self, peer: str) -> None:
        """Somebody has shown what is no token. Refuse who has done so too often lately."""
        since_s = self._now_s() - FAILURES_S
        times = [time_s for time_s in self._failed.pop(peer, []) if time_s > since_s]
        self._failed[peer] = times
        while len(self._failed) > PEERS_MAX:
            self._failed.pop(next(iter(self._failed)))
        if len(times) >= FAILURES_MAX:
            wait = {"Retry-After": f"{int(times[0] - since_s) + 1}"}
            raise Refused(429, f"{FAILURES_MAX} tokens that are none: wait a minute", wait)
        times.append(self._now_s())
