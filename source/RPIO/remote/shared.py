# SPDX-License-Identifier: LGPL-3.0-or-later
"""The simulated board that programs of this user share, which ``rpio sim`` serves: where it is, and who serves it."""

from __future__ import annotations

import socket
import struct

from .. import errors
from .places.places import Place
from .sessions import once

ANSWER_S = 5.0
"""How long who serves it is given to say what it is."""


class SharedPlace(Place):
    """Its address."""

    __slots__ = ()
    again = "start it again: rpio sim"

    def __init__(self, path: str) -> None:
        super().__init__(f"remote+unix://{path}")

    def __str__(self) -> str:
        return "rpio sim"


class Served:
    """What is told of a board by who serves it."""

    __slots__ = ("code", "name", "pid")

    def __init__(self, name: str, code: int, pid: int) -> None:
        self.name, self.code, self.pid = name, code, pid


def ask(path: str, timeout_s: float = ANSWER_S) -> Served | None:
    """Return what is served there; None where nobody is.

    Raises:
        ProtocolError: something else is. OSError: it does not answer, and what else the kernel says.
    """
    try:
        link = SharedPlace(path).connect(timeout_s)
    except (ConnectionRefusedError, FileNotFoundError):
        return None
    with link:
        peer = link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        words = once.ask(link, "info")
    if len(words) < 3 or words[0] != "ok":
        raise errors.ProtocolError(f"{path} answers as no board does: {' '.join(words)[:80]}")
    return Served(words[1], int(words[2], 16), struct.unpack("3i", peer)[0])


def is_served(path: str) -> bool:
    """Whether anybody listens there, and be it somebody who is stopped."""
    try:
        link = SharedPlace(path).connect(ANSWER_S)
    except OSError as e:
        return errors.is_lack(e)
    link.close()
    return True
