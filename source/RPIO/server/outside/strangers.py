# SPDX-License-Identifier: LGPL-3.0-or-later
"""What those may cost who have connected from elsewhere, and have not shown who they are: the same at every port. In
number, of each address too, in time, and in lines of the log.
"""

from __future__ import annotations

import socket
from time import monotonic_ns

from ... import log

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeVar

    Waiting = TypeVar("Waiting")

SHOWN_S = 10
"""So long may a handshake take; and then, to show who one is."""
COMING_MAX, OF_ADDRESS_MAX = 256, 32
"""So many may wait, and of one address. Of too many the oldest goes: see first_to_go()."""
FAILED_MAX, OF_FAILED_MAX = 20, 2
"""So many of an address that were refused in a minute leave it room for so many at once."""
ADDRESSES_MAX = 1024
LINES_MAX = 120
"""Lines of the log in a minute, of all addresses: who has many of those fills no disk."""
MINUTE_NS = 60_000_000_000
NETWORK_BYTES = 8
"""Of an address of IPv6: whoever has one has all the others of its network. Source: RFC 4291, 2.5.4."""


class Refusals:
    """Who has been refused: a line in the log for each address and minute, and how many there were."""

    def __init__(self, now_ns: Callable[[], int] = monotonic_ns) -> None:
        self._now_ns = now_ns
        self._known: dict[str, list[int]] = {}  # address -> [when its minute began, how many]
        self._lines = [now_ns(), 0]  # when this minute began, and how many were logged in it

    def note(self, address: str, why: str) -> None:
        """One was."""
        found = self._of(address)
        if found is None:
            while len(self._known) >= ADDRESSES_MAX:
                self._known.pop(next(iter(self._known)))
            found = self._known[address] = [self._now_ns(), 0]
            self._log("%s is refused: %s", address, why)
        found[1] += 1

    def count(self, address: str) -> int:
        """How many there were in this minute."""
        found = self._of(address)
        return 0 if found is None else found[1]

    def most(self, address: str) -> int:
        """How many of it may wait at once."""
        return OF_ADDRESS_MAX if self.count(address) < FAILED_MAX else OF_FAILED_MAX

    def _of(self, address: str) -> list[int] | None:
        found = self._known.get(address)
        if found is not None and self._now_ns() - found[0] >= MINUTE_NS:
            del self._known[address]
            if found[1] > 1:
                self._log("%s was refused %d times in a minute", address, found[1])
            return None
        return found

    def _log(self, message: str, *args: object) -> None:
        if self._now_ns() - self._lines[0] >= MINUTE_NS:
            self._lines = [self._now_ns(), 0]
        self._lines[1] += 1
        if self._lines[1] < LINES_MAX:
            log.warning(message, *args)
        elif self._lines[1] == LINES_MAX:
            log.warning("so many are refused that no more are named in this minute")


def network_of(address: str) -> str:
    """What of an address is not in the hands of who has it."""
    if ":" not in address:
        return address
    try:
        return socket.inet_pton(socket.AF_INET6, address.partition("%")[0])[:NETWORK_BYTES].hex()
    except OSError:
        return address


def first_to_go(waiting: Mapping[Waiting, str], address: str, most: int, of_all: int) -> Waiting | None:
    """Who makes room for one more of that address; None where there is room. They stand there with their addresses, as
    they have come: of too many of one address its oldest goes, of too many of all the oldest of the network that has
    most of them, so that nobody pushes out the others.
    """
    of_it = [one for one, other in waiting.items() if other == address]
    if len(of_it) >= most:
        return of_it[0]
    if len(waiting) < of_all:
        return None
    networks: dict[str, list[Waiting]] = {}
    for one, other in waiting.items():
        networks.setdefault(network_of(other), []).append(one)
    return max(networks.values(), key=len)[0]
