# SPDX-License-Identifier: LGPL-3.0-or-later
"""The native port, open to other machines: what guards it, in a daemon and in a program that calls serve_remote()."""

from __future__ import annotations

from time import time

from ...machine import folders
from ..connections.doors import Port
from ..connections.front import Front
from ..rights.access import OPEN_HERE, Access
from ..rights.tokens import TokenFile, clients_of
from .authority import Authority
from .lobby import Lobby
from .pairing import Pairing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...board.board import Board

EVERY = ("::", "0.0.0.0")
"""Addresses that are every one."""


def lobby_of(front: Front, authority: Authority, is_insecure: bool = False) -> Lobby:
    """Where others wait until they have shown who they are."""
    return Lobby(front, authority, is_insecure, Pairing(authority.folder, authority, front.soon))


def doors_at(address: str, port: int, lobby: Lobby) -> list[Port]:
    """Where is to be listened: there, and on this machine's own address, which no other machine reaches."""
    guarded = Port(address, port, lobby)
    return [guarded] if address in EVERY else [Port("127.0.0.1", port), guarded]


def guarded(board: Board, address: str, port: int) -> Front:
    """The front end of a program that serves other machines: with the certificates of this user, and his tokens.

    Raises:
        OSError, GPIOError: there is no certificate, and none can be made.
    """
    folder = f"{folders.state_folder()}/tls"
    tokens = TokenFile(f"{folders.state_folder()}/tokens")
    front = Front(board, [], Access(OPEN_HERE, tokens.read, time, clients_of(folder).read))
    lobby = lobby_of(front, Authority(folder))
    lobby.open()
    front.doors = list(doors_at(address, port, lobby))
    return front
