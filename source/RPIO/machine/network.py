# SPDX-License-Identifier: LGPL-3.0-or-later
"""Addresses of this machine: that of an interface, and the one by which another machine is reached."""

from __future__ import annotations

import os
import socket
from struct import pack

SIOCGIFADDR = 0x8915
"""Source: Linux, include/uapi/linux/sockios.h."""
IFREQ_BYTES, ADDRESS_AT = 40, 20
"""struct ifreq: 16 bytes of name, and a sockaddr whose address is behind family and port. Source: netdevice(7)."""


def address_of(interface: str) -> str | None:
    """The IPv4 address of an interface, None where there is none of that name or it has no address."""
    from fcntl import ioctl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        request = pack("16s24x", interface.encode()[:15])
        try:
            found = ioctl(made.fileno(), SIOCGIFADDR, request)
        except OSError:
            return None
    return socket.inet_ntoa(found[ADDRESS_AT : ADDRESS_AT + 4])


def addresses_of(host: str) -> list[str]:
    """The addresses that a name has, or an address is. Raises OSError."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def address_towards(host: str) -> str:
    """The address of this machine that another one sees, as the kernel's routes have it. Nothing is sent.

    Raises:
        OSError: there is no such host, or no way to it.
    """
    family, kind, _, _, address = socket.getaddrinfo(host, 9, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind) as made:
        made.connect(address)
        return str(made.getsockname()[0])


def plain(address: str) -> str:
    """An address as it is compared: an IPv4 one that came by a socket of IPv6 is itself."""
    return address[7:] if address.startswith("::ffff:") and "." in address else address


def is_loopback(address: str) -> bool:
    """Whether only this machine can reach it."""
    return address in ("::1", "localhost") or address.startswith("127.")


LISTENS = "0A"
"""State of a socket in /proc/net/tcp. Source: Linux, include/net/tcp_states.h."""
OUR_EXAMPLE = "examples/demo.py"


def listener_of(port: int) -> str:
    """Who listens at a port of this machine, in words; "" where that cannot be told."""
    inodes = set()
    for name in ("tcp", "tcp6"):
        try:
            with open(f"/proc/net/{name}", encoding="ascii") as file:
                rows = [line.split() for line in file.readlines()[1:]]
        except OSError:
            continue
        inodes |= {row[9] for row in rows if row[3] == LISTENS and int(row[1].rpartition(":")[2], 16) == port}
    links = {f"socket:[{inode}]" for inode in inodes}
    for process in filter(str.isdigit, os.listdir("/proc")) if links else ():
        if _has_open(process, links):
            return _words_of(process)
    return ""


def _has_open(process: str, links: set[str]) -> bool:
    folder = f"/proc/{process}/fd"
    try:
        return any(_link(f"{folder}/{fd}") in links for fd in os.listdir(folder))
    except OSError:
        return False  # another user's, or it has gone


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def _words_of(process: str) -> str:
    try:
        with open(f"/proc/{process}/cmdline", "rb") as file:
            words = file.read().decode(errors="replace").split("\0")
    except OSError:
        words = []
    command = " ".join(filter(None, words))[:80]
    is_ours = any(word.endswith(OUR_EXAMPLE) for word in words)
    return f"process {process}, {command}{' (make run)' if is_ours else ''}"
