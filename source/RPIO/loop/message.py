# SPDX-License-Identifier: LGPL-3.0-or-later
"""One message over a socket, within a time: for protocols that have a connection for each request."""

from __future__ import annotations

from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from socket import socket
    from typing import Protocol

    class Reader(Protocol):
        """What makes a message of bytes."""

        @property
        def state(self) -> str:
            """How much of it there is."""

        def feed(self, data: bytes) -> str:
            """Take what has come."""

        def end(self) -> str:
            """Nothing more comes."""


COMPLETE, MAY_GO_ON = "complete", "may go on"
RECEIVED_BYTES = 65536
GRACE_S = 0.02
"""So long is waited for more of a message that may be whole: what was sent with one call comes within that."""
GOODBYE_S = 0.2


def receive(made: socket, reader: Reader, limit_s: float) -> None:
    """Feed the reader until its message is whole, or nothing more comes of one that may be.

    Raises:
        TimeoutError: it was not whole in time, however often a piece of it came. OSError: what else the kernel says.
        ProtocolError: of the reader's.
    """
    end_s = monotonic() + limit_s
    while reader.state != COMPLETE:
        may_be_whole = reader.state == MAY_GO_ON
        left_s = end_s - monotonic()
        if left_s <= 0 and not may_be_whole:
            raise TimeoutError(f"no whole message within {limit_s:g} s")
        made.settimeout(GRACE_S if may_be_whole else left_s)
        try:
            data = made.recv(RECEIVED_BYTES)
        except TimeoutError:
            if may_be_whole:
                return
            continue
        if not data:
            reader.end()
            return
        reader.feed(data)


def send(made: socket, data: bytes, limit_s: float) -> None:
    """Send all of it. Raises TimeoutError, OSError."""
    made.settimeout(limit_s)
    made.sendall(data)


def is_all(made: socket) -> bool:
    """Whether the other side has closed its way to here, and nothing more has come."""
    made.settimeout(GRACE_S)
    try:
        return not made.recv(1)
    except OSError:
        return False


def say_goodbye(made: socket) -> None:
    """Close, and have the last answer arrive: what has come and is not read would take it with it."""
    try:
        made.shutdown(1)  # SHUT_WR
        made.settimeout(GOODBYE_S)
        end_s = monotonic() + GOODBYE_S
        while monotonic() < end_s and made.recv(RECEIVED_BYTES):
            pass
    except OSError:
        pass  # the other side has gone
    made.close()
