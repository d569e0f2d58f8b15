# SPDX-License-Identifier: LGPL-3.0-or-later
"""The addresses that this machine has now, for who is to reach it. It asks the kernel, and nobody on the network."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from socket import socket as Socket

SIOCGIFADDR = 0x8915
"""The first address of an interface. Source: netdevice(7), linux/sockios.h."""
IFREQ_BYTES, NAME_BYTES, ADDRESS_AT = 256, 15, 20
"""A struct ifreq, with room: the name, which ends with a 0, and in its sockaddr_in the address."""
OF_IPV6 = "/proc/net/if_inet6"
"""A line each: address, number and prefix of the interface, scope, flags, its name. Source: net/ipv6/addrconf.c."""
GLOBAL, TEMPORARY, UNSURE = 0x00, 0x01, 0x40 | 0x08 | 0x20
"""The scope that others can reach; flags IFA_F_TEMPORARY, of privacy, and _TENTATIVE, _DADFAILED, _DEPRECATED."""
ADDRESSES_MAX = 64


def addresses() -> list[str]:
    """Those that others can reach, loopback left out, IPv4 first; of an interface's IPv4 the first one. None where the
    kernel tells none.
    """
    found = [*_of_ipv4(), *_of_ipv6()]
    return list(dict.fromkeys(found))[:ADDRESSES_MAX]


def _of_ipv4() -> Iterator[str]:
    import socket

    from ..processes import hooks

    with hooks.making:
        asked = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        names = [name for _, name in socket.if_nameindex()]
        yield from filter(None, [_address_of(asked, name) for name in names])
    finally:
        asked.close()


def _address_of(asked: Socket, interface: str) -> str:
    """The interface's address; "" for none, and for loopback."""
    from fcntl import ioctl
    from socket import inet_ntoa

    name = os.fsencode(interface)[:NAME_BYTES]
    try:
        told = ioctl(asked, SIOCGIFADDR, name.ljust(IFREQ_BYTES, b"\0"))
    except OSError:
        return ""
    address = inet_ntoa(told[ADDRESS_AT : ADDRESS_AT + 4])
    return "" if address.startswith("127.") else address


def _of_ipv6() -> list[str]:
    try:
        with open(OF_IPV6, encoding="ascii") as file:
            lines = file.read().splitlines()
    except OSError:
        return []  # a kernel without it
    return list(filter(None, map(_global_of, lines)))


def _global_of(line: str) -> str:
    """The address of a line, where others can reach it and it is one that stays."""
    from socket import AF_INET6, inet_ntop

    words = line.split()
    if len(words) != 6 or int(words[3], 16) != GLOBAL or int(words[4], 16) & (TEMPORARY | UNSURE):
        return ""
    return inet_ntop(AF_INET6, bytes.fromhex(words[0]))
