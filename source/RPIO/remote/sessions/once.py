# SPDX-License-Identifier: LGPL-3.0-or-later
"""One question to who serves a board, and the words of the answer: without a session that stays, or a token."""

from __future__ import annotations

import os

from ...wire.native import split

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket

ANSWER_MAX = 4096


def ask(link: socket.socket, question: str) -> list[str]:
    """Return the words of the answer, cut at ANSWER_MAX bytes; none where the other side has closed the connection.

    Raises:
        ProtocolError: it is no answer of this protocol. OSError: the time of the socket is over, or it is lost.
    """
    link.sendall(f"{question}\n".encode())
    heard = b""
    while not heard.endswith(b"\n") and len(heard) < ANSWER_MAX:
        piece = link.recv(ANSWER_MAX)
        if not piece:
            break
        heard += piece
    return split(os.fsdecode(heard))
