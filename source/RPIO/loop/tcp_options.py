# SPDX-License-Identifier: LGPL-3.0-or-later
"""What the kernel is told of a TCP connection, so that a host that has gone without a word is noticed.

Source: tcp(7), socket(7).
"""

from __future__ import annotations

import socket

from .tcp_limits import (
    KEEPALIVE_IDLE_S,
    KEEPALIVE_INTERVAL_S,
    KEEPALIVE_PROBES,
    LINES_IDLE_S,
    LINES_INTERVAL_S,
    LINES_PROBES,
    LINES_TIMEOUT_MS,
    SEND_TIMEOUT_MS,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

OF_TCP = {
    "TCP_NODELAY": 1,
    "TCP_KEEPIDLE": KEEPALIVE_IDLE_S,
    "TCP_KEEPINTVL": KEEPALIVE_INTERVAL_S,
    "TCP_KEEPCNT": KEEPALIVE_PROBES,
    "TCP_USER_TIMEOUT": SEND_TIMEOUT_MS,  # Linux alone: elsewhere such a client is noticed when it has been silent
}
OF_LINES = {
    "TCP_KEEPIDLE": LINES_IDLE_S,
    "TCP_KEEPINTVL": LINES_INTERVAL_S,
    "TCP_KEEPCNT": LINES_PROBES,
    "TCP_USER_TIMEOUT": LINES_TIMEOUT_MS,
}


def _known(of_tcp: dict[str, int]) -> tuple[tuple[int, int, int], ...]:
    """Those of these options that this system has, and SO_KEEPALIVE before them."""
    found = [
        (socket.IPPROTO_TCP, getattr(socket, name), value)
        for name, value in of_tcp.items()
        if hasattr(socket, name)
    ]
    return ((socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1), *found)


OPTIONS, OPTIONS_OF_LINES = _known(OF_TCP), _known(OF_LINES)


def set_options(made: Any) -> None:
    """Have a connection looked after by the kernel; *made* is a socket, or asyncio's of a transport."""
    for level, option, value in OPTIONS:
        made.setsockopt(level, option, value)


def look_after(made: socket.socket, peer: str = "") -> bool:
    """Have the kernel notice within 5 s that the other end has gone without a word: of a connection by which lines are
    had, and which leaves this machine, by the address of its *peer*. Nobody wakes up for that. Whether it does.
    """
    try:
        if is_of_this_machine(peer or str(made.getpeername()[0])):
            return False
        for level, option, value in OPTIONS_OF_LINES:
            made.setsockopt(level, option, value)
    except OSError:
        return False  # it has ended meanwhile, as who reads it hears
    return True


def is_of_this_machine(address: str) -> bool:
    """Whether an address of a peer is of loopback, which no cable is between."""
    return address == "::1" or address.removeprefix("::ffff:").startswith("127.")
