# SPDX-License-Identifier: LGPL-3.0-or-later
"""The program's side of the sockets: what it tells to who has it run."""

from __future__ import annotations

import os
import time
from _thread import RLock

from .. import log, threads
from ..processes import hooks
from . import sockets

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket

SEND_S = 10.0
"""How long who runs the program may take to read a picture."""
BEGIN_S, STEP_S = 1.0, 0.01
"""A program may be quicker than who has started it and makes its sockets then: so long does its first picture wait."""


class Sender:
    """A connection to who runs the program, for what it shows (*name* "video") or the keys that it listens for."""

    def __init__(self, name: str, without: str) -> None:
        self._name, self._without = name, without
        self._lock = RLock()
        self._socket: socket.socket | None = None
        self._owner = 0
        self._is_sending = self._has_said = False
        self._until_s: float | None = None  # when it has been waited long enough for its first use

    def send(self, text: bytes) -> bool:
        """Send a message; whether anybody is there.

        Raises:
            TimeoutError: it is not read within SEND_S. OSError.
        """
        message = b"%s end%s " % (text, self._name.encode())
        with self._lock:
            if self._is_sending:  # a signal handler has come in the middle of another one
                return False
            try:
                self._is_sending = True
                is_there = self._send(message) or self._send(
                    message
                )  # who was there may have gone, and come again
            except BaseException:
                self.close()  # perhaps after a part of it
                raise
            finally:
                self._is_sending = False
        if not is_there:
            self._say()
        return is_there

    def _send(self, message: bytes) -> bool:
        if self._owner != os.getpid():
            self.close()  # that of the program which has forked this one
        try:
            made = self._socket or self._connect()
            if made is None:
                return False
            made.sendall(message)
        except OSError as e:
            self.close()
            if e.errno not in sockets.NOBODY:
                raise
            return False
        return True

    def _connect(self) -> socket.socket | None:
        path = self.found()
        while path:
            made = self._connected(path)
            if made is not None or time.monotonic() >= (self._until_s or 0):
                return made
            time.sleep(STEP_S)  # it is just being made
            path = self.found()
        return None

    def _connected(self, path: str) -> socket.socket | None:
        threads.load("socket")
        import socket

        self._owner = os.getpid()
        with hooks.making:
            self._socket = made = socket.socket(socket.AF_UNIX)
        made.settimeout(SEND_S)
        try:
            made.connect(path)
        except OSError as e:
            self.close()
            if e.errno not in sockets.NOBODY:
                raise
            return None
        return made

    def found(self) -> str:
        """Where its socket is; "" for nowhere."""
        if self._until_s is None:
            self._until_s = time.monotonic() + (BEGIN_S if sockets.FOLDER in os.environ else 0)
        while True:
            path = next(filter(sockets.is_ours, _paths(self._name)), "")
            if path or time.monotonic() >= self._until_s:
                return path
            time.sleep(STEP_S)  # who runs the program makes it as soon as he knows our number

    def _say(self) -> None:
        if not self._has_said:
            self._has_said = True
            log.warning(self._without)

    def close(self) -> None:
        """Close it. Twice is fine."""
        made = self._socket
        if made is not None:
            made.close()
        self._socket = None


def _paths(name: str) -> list[str]:
    """Where such a socket may be: that of this process group; else of its session, whose shell has made the group."""
    if not hasattr(os, "getpgrp"):
        return []
    folder = os.environ.get(sockets.FOLDER) or "/tmp"
    return [sockets.path_of(folder, number, name) for number in dict.fromkeys((os.getpgrp(), os.getsid(0)))]
