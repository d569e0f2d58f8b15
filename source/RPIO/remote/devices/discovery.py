# SPDX-License-Identifier: LGPL-3.0-or-later
"""Devices on the network that say of themselves that they serve lines: by multicast DNS, of the package zeroconf.

Whoever is on the network can answer, with anything. So an answer is a hint, of bounded size and plain characters, and
nothing follows from it: who a device is shows when it is connected to.

Source: RFC 6762, RFC 6763.
"""

from __future__ import annotations

import re
from errno import ENETDOWN
from time import monotonic

from ... import errors, log
from ...wire.announced import ID, MODEL, TYPE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from zeroconf import ServiceInfo, Zeroconf

HOSTS_MAX, ADDRESSES_MAX, TEXT_MAX = 200, 8, 60
"""Of answers, of addresses of one, and of characters of its texts."""
NAME = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9]([A-Za-z0-9-]{0,62})(\.[A-Za-z0-9]([A-Za-z0-9-]{0,62}))*", re.ASCII
)
"""A name that a shell and a terminal may be given as it is. Source: RFC 1123, 2.1."""
IDENTITY = re.compile(r"[0-9a-f]{16}", re.ASCII)
BROWSE_S = 1.5
"""How long answers are waited for: a second is what RFC 6762 has a browser wait before it asks again."""
ASK_S = 1.0
"""How long for what is missing of them."""


class Found:
    """A device that has answered: *name* is that of its machine, "pi.local"."""

    __slots__ = ("addresses", "id", "model", "name", "port")

    def __init__(self, name: str, model: str, addresses: Sequence[str], port: int, id: str) -> None:
        self.name, self.model, self.addresses, self.port, self.id = name, model, tuple(addresses), port, id


def plain(text: str) -> str:
    """What may be shown of a text from the network: printable characters, and not too many."""
    return "".join([c if c.isprintable() else "?" for c in text[:TEXT_MAX]])


def read(
    server: str, port: int, properties: Mapping[bytes, bytes | None], addresses: Iterable[str]
) -> Found | None:
    """What an answer says; None where it says nothing that can be used."""
    name = server.removesuffix(".")
    if not NAME.fullmatch(name) or not 0 < port < 65536:
        return None
    model = plain((properties.get(MODEL.encode()) or b"").decode("utf-8", "replace"))
    id = (properties.get(ID.encode()) or b"").decode("ascii", "replace")
    some = [address for address, _ in zip(addresses, range(ADDRESSES_MAX), strict=False)]
    return Found(name, model, some, port, id if IDENTITY.fullmatch(id) else "")


def browse(for_s: float = BROWSE_S) -> list[Found]:
    """Ask for so long who is there, at all interfaces of this machine.

    Raises:
        NotSupportedError: zeroconf is not installed. OSError: there is no network.
    """
    try:
        from zeroconf import InterfaceChoice, ServiceBrowser, Zeroconf
    except ImportError:
        raise errors.NotSupportedError(
            "devices are found by the package zeroconf, which is not installed",
            hint="pip install 'RPIO[discovery]', or: sudo apt install python3-zeroconf",
        ) from None
    heard = _Heard()
    try:
        zeroconf = Zeroconf(interfaces=InterfaceChoice.All)
    except RuntimeError as e:  # zeroconf's, where no interface has an address
        raise OSError(ENETDOWN, str(e)) from None
    try:
        browser = ServiceBrowser(zeroconf, TYPE, handlers=[heard.on_change])
        heard.wait(for_s)
        browser.cancel()
        return _found(zeroconf, heard.names)
    finally:
        zeroconf.close()


class _Heard:
    """The names that have been heard, by zeroconf's own thread."""

    def __init__(self) -> None:
        from threading import Event

        self.names: dict[str, None] = {}
        self._is_full = Event()

    def on_change(self, zeroconf: Zeroconf, service_type: str, name: str, state_change: object) -> None:
        """One has come, changed or gone. Who has gone is asked, and does not answer."""
        if len(self.names) < HOSTS_MAX:
            self.names[name] = None
        else:
            self._is_full.set()  # somebody plays many: as many are enough

    def wait(self, for_s: float) -> None:
        """Wait for so long."""
        if self._is_full.wait(for_s):
            log.warning("more than %d answers: the others are left out", HOSTS_MAX)


def _found(zeroconf: Zeroconf, names: Iterable[str]) -> list[Found]:
    from zeroconf import ServiceInfo

    infos = [ServiceInfo(TYPE, name) for name in names]
    until_s = monotonic() + ASK_S
    found = [_read(zeroconf, info, until_s) for info in infos]
    return sorted(filter(None, found), key=lambda one: one.name)


def _read(zeroconf: Zeroconf, info: ServiceInfo, until_s: float) -> Found | None:
    """What is known of one; it is asked for what is missing, until that time."""
    is_whole = info.load_from_cache(zeroconf)
    left_ms = int((until_s - monotonic()) * 1000)
    if not is_whole and left_ms > 0:
        is_whole = info.request(zeroconf, left_ms)
    if not is_whole or info.server is None or info.port is None:
        return None
    return read(info.server, info.port, info.properties, info.parsed_scoped_addresses())
