# SPDX-License-Identifier: LGPL-3.0-or-later
"""A transport of asyncio's that sends in one go what is written in one turn of the loop.

A request of HTTP/2 is two writes, and an answer three. Each would wake up the other side, for a part with which that
can do nothing.
"""

from __future__ import annotations

import asyncio

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Corked:
    """What stands for a *transport* where somebody writes to it."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._waiting: list[bytes] = []
        self._soon = asyncio.get_running_loop().call_soon
        self.get_extra_info = transport.get_extra_info
        self.is_closing = transport.is_closing

    def write(self, data: bytes) -> None:
        """Send it soon."""
        if not data:
            return
        if not self._waiting:
            self._soon(self.flush)
        self._waiting.append(data)

    def flush(self) -> None:
        """Send what waits now."""
        waiting = self._waiting
        if waiting:
            self._waiting = []
            if not self._transport.is_closing():
                self._transport.write(waiting[0] if len(waiting) == 1 else b"".join(waiting))

    def close(self) -> None:
        """Send what waits, and close it."""
        self.flush()
        self._transport.close()

    def abort(self) -> None:
        """Close it at once."""
        self._waiting = []
        self._transport.abort()


CLOSED_STREAMS_MAX = 1000


def remember_few(protocol: Any) -> None:
    """Have HTTP/2 remember few of the streams of a connection that are closed: h2 remembers 65,536, for the error that
    a late frame of one is. That would be 9 MB of calls that are long done, for each client.
    """
    known: Any = getattr(protocol.connection._connection, "_closed_streams", None)
    if hasattr(known, "_size_limit"):
        known._size_limit = CLOSED_STREAMS_MAX
