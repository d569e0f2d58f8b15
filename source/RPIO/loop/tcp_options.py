# SPDX-License-Identifier: LGPL-3.0-or-later
"""What the kernel is told of a TCP connection, so that a host that has gone without a word is noticed.

Source: tcp(7), socket(7).
"""

from __future__ import annotations

import socket

from .tcp_limits import KEEPALIVE_IDLE_S, KEEPALIVE_INTERVAL_S, KEEPALIVE_PROBES, SEND_TIMEOUT_MS

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
OPTIONS = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    *(
        (socket.IPPROTO_TCP, getattr(socket, name), value)
        for name, value in OF_TCP.items()
        if hasattr(socket, name)
    ),
)


def set_options(made: Any) -> None:
    """Have a connection looked after by the kernel; *made* is a socket, or asyncio's of a transport."""
    for level, option, value in OPTIONS:
        made.setsockopt(level, option, value)
