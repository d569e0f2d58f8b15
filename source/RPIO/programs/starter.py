# SPDX-License-Identifier: LGPL-3.0-or-later
"""Processes of another user: he has a starter of his own, which the daemon asks.

So neither is root. The starter listens on a unix socket (``rpio serve --starter``, the unit rpio-programs@USER); a
request is one message with what is to be called as JSON, and the descriptors that the process is to have. The answer is
its number; when it has ended, how. Who closes the connection ends the process.
"""

from __future__ import annotations

import array
import json
import os
import socket
import struct
from threading import Thread
from time import sleep

from .. import errors, log
from ..machine import folders
from ..processes import hooks
from . import process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

MESSAGE_MAX, DESCRIPTORS_MAX, PROCESSES_MAX = 1 << 16, 4, 64
ALLOWED = ("RPIO.programs.modules.main", "RPIO.programs.rraspy.served", "RPIO.programs.keeper.main")
"""What may be called."""
ANSWER_S, RETRY_S = 2.0, 1.0


def path_of(name: str) -> str:
    """The socket of a user's starter."""
    return f"{folders.OF_SYSTEM}-{name}/starter.sock"


class Elsewhere(process.Process):
    """A process that a starter has started."""

    def __init__(self, pid: int, connection: socket.socket) -> None:
        super().__init__(pid, connection.fileno())
        self._connection = connection

    def wait(self) -> int:
        """As any Process."""
        if self.status is None:
            try:
                told = self._connection.recv(64)
            except OSError:
                told = b""
            self.status = int(told) if told.removeprefix(b"-").isdigit() else -9
        return self.status

    def kill(self) -> None:
        """As any Process."""
        try:
            self._connection.shutdown(socket.SHUT_WR)
        except OSError:
            return  # it has ended

    def close(self) -> None:
        """As any Process."""
        if self._fd >= 0:
            self.kill()
            self._fd = -1
            self._connection.close()


def start(
    function: str,
    told: Mapping[str, object],
    who: process.User,
    descriptors: Sequence[int],
    more: Mapping[str, str],
) -> process.Process:
    """As process.start(); by the starter of that user where this process cannot become him, and there is one."""
    path = path_of(who.name)
    if who.is_us or os.geteuid() == 0 or not os.path.exists(path):
        return process.start(function, told, who, descriptors, more)
    with hooks.making:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        connection.settimeout(ANSWER_S)
        connection.connect(path)
        request = {"function": function, "told": told, "descriptors": list(descriptors), "more": dict(more)}
        numbers = array.array("i", descriptors)
        connection.sendmsg([json.dumps(request).encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, numbers)])
        answer = connection.recv(MESSAGE_MAX).decode("utf-8", "replace")
    except PermissionError:
        connection.close()
        text = f"the starter of {who.name!r} at {path} does not serve this user"
        raise errors.NotAllowedError(text, hint=f"ls -l {path} shows which group it serves") from None
    except BaseException:
        connection.close()
        raise
    if not (answer.isascii() and answer.isdigit()):
        connection.close()
        raise errors.NotAllowedError(f"the starter of {who.name!r} says: {answer or 'nothing'}")
    connection.settimeout(None)
    return Elsewhere(int(answer), connection)


class Starter:
    """What listens. Who may connect is who may open the socket's file, and is root or in its group."""

    def __init__(self, path: str, group: int | None = None) -> None:
        self._path, self._group = path, group
        self._who = process.this_user()

    def serve(self) -> None:
        """Serve until a signal ends it."""
        with hooks.making:
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with listener:
            draft = f"{self._path}.new"  # nobody finds it before it listens, and to those alone who may
            if os.path.exists(draft):
                os.unlink(draft)  # the folder is this user's own, and he has one starter
            listener.bind(draft)
            if self._group is not None:
                os.chown(draft, -1, self._group)
            os.chmod(draft, 0o600 if self._group is None else 0o660)
            listener.listen(PROCESSES_MAX)
            os.rename(draft, self._path)
            self._accept(listener)

    def _accept(self, listener: socket.socket) -> None:
        running: list[Thread] = []
        while True:
            try:
                made, _ = listener.accept()
            except OSError as e:  # nothing is left for one more
                log.warning("nobody can ask: %s", e)
                sleep(RETRY_S)
                continue
            running = [thread for thread in running if thread.is_alive()]
            if len(running) < PROCESSES_MAX:
                thread = Thread(target=self._serve, args=(made,), daemon=True)
                try:
                    thread.start()
                except RuntimeError as e:  # the system lets it have none
                    log.warning("nobody can ask: %s", e)
                    made.close()
                else:
                    running.append(thread)
            else:
                made.close()

    def _serve(self, made: socket.socket) -> None:
        with made:
            made.settimeout(ANSWER_S)
            descriptors: list[int] = []
            try:
                started = self._started(made, descriptors)
            except Exception as e:  # it is told to who has asked
                log.warning("nothing is started: %s", e)
                _answer(made, f"{e}")
                return
            finally:
                for fd in descriptors:
                    os.close(fd)
            try:
                _answer(made, str(started.pid))
                made.settimeout(None)
                _answer(made, str(process.wait(started, made.fileno())))
            finally:
                started.close()

    def _started(self, made: socket.socket, descriptors: list[int]) -> process.Process:
        room = socket.CMSG_SPACE(DESCRIPTORS_MAX * struct.calcsize("i"))
        data, aside, flags, _ = made.recvmsg(MESSAGE_MAX, room, socket.MSG_CMSG_CLOEXEC)
        for level, kind, numbers in aside:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                found = array.array("i")
                found.frombytes(numbers[: len(numbers) - len(numbers) % found.itemsize])
                descriptors.extend(found)
        if flags & (socket.MSG_CTRUNC | socket.MSG_TRUNC):
            raise ValueError("a request that is too large")
        asked = json.loads(data)
        function, told, numbers, more = (asked[name] for name in ("function", "told", "descriptors", "more"))
        if function not in ALLOWED or len(numbers) != len(descriptors):
            raise ValueError("a request that is none")
        told = {**told, **_renumbered(told, dict(zip(numbers, descriptors, strict=True)))}
        return process.start(
            function, told, self._who, descriptors, {str(k): str(v) for k, v in more.items()}
        )


def _renumbered(told: Mapping[str, Any], known: Mapping[int, int]) -> dict[str, object]:
    """What is told of descriptors, by the numbers that they have here."""
    if "words" in told:  # of a device of RRaspPY's: the last word is that of its socket
        *words, number = told["words"]
        return {"words": [*words, str(known[int(number)])]}
    return {name: known[told[name]] for name in ("reader", "writer", "control") if name in told}


def _answer(made: socket.socket, text: str) -> None:
    try:
        made.send(text.encode()[: MESSAGE_MAX // 2])
    except OSError:
        return  # nobody waits for it any more
