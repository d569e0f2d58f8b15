# SPDX-License-Identifier: LGPL-3.0-or-later
"""The process that has the programs which run for others: one for each user, and never the daemon.

Those come to it in one of two ways. A daemon that has started it hands connections on to it, over a control socket that
says who each of them is; where the daemon ends, all ends here. Or it listens at a socket of its user's own, for who has
logged in as him, and goes when nobody has anything running.
"""

from __future__ import annotations

import array
import json
import os
import shutil
import signal
import socket
import sys
import tempfile

from .. import errors, log
from .._gpio import Poller
from ..loop.dispatcher import Dispatcher
from ..loop.masks import READ
from ..loop.soon import Soon
from ..processes import hooks
from . import own, recipe, spawning, strays
from .clients import Client
from .house import House
from .process import Limits
from .running import IS_OVER
from .uploads import Uploads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..loop.soon import Later

MESSAGE_MAX = 1 << 16
IDLE_S = 30.0
"""So long does one that listens wait for the next client, when nothing is left of the last."""
BACKLOG = 16
RETRY_S = 1.0
"""So long is waited when no descriptor is left for one more who comes."""


class Keeper:
    """The process."""

    def __init__(self, told: dict[str, Any]) -> None:
        self._told = told
        self.loop = Dispatcher(Poller(), lambda event: None)
        self.soon = Soon(self.loop)
        with hooks.making:
            self._folder = tempfile.mkdtemp(prefix="rpio-")
        kitchen = recipe.Kitchen(told["work"], told["temp"], told["venv"])
        self.house = House(
            self.loop,
            self.soon,
            kitchen,
            self._folder,
            Limits(**told["limits"]),
            told["grace_s"],
            told["cpu_percent"],
            self._environment,
        )
        self.house.on_change = self._look
        self._clients: dict[Client, None] = {}
        self._gone: set[int] = set()  # numbers of clients who have, of whom a program may run still
        self._control: socket.socket | None = None
        self._listener: socket.socket | None = None
        self._is_ending = False
        self._idle: Later | None = None

    def _environment(self) -> dict[str, str]:
        place = os.environ.get("RPIO_BACKEND") or recipe.backend()
        return {"RPIO_BACKEND": place} if place else {}

    def uploads(self) -> Uploads:
        """What does the uploads of a client."""
        return Uploads(self._told["work"], self._told["url_hosts"])

    # -- who comes -------------------------------------------------------------------------------

    def serve(self) -> None:
        """Serve until it is over."""
        spawning.be_subreaper()
        try:
            dead = self.house.kitchen.open(os.path.basename(self._folder))
            strays.end(strays.left_by(dead))
            self._tidy()
            for number in (signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, lambda *_: self.soon.call(self.end))
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal: it is for who sits there
            signal.signal(signal.SIGCHLD, lambda *_: self.soon.call(self.house.reap))
            self._open()
            self.loop.run()
        finally:
            self._close()

    def _tidy(self) -> None:
        """Undo what a keeper that was killed has begun to upload, before a program runs there."""
        try:
            self.uploads().clean()
        except (OSError, errors.GPIOError) as e:
            log.warning("what is left of uploads stays: %s", e)

    def _open(self) -> None:
        control, path = self._told["control"], self._told["listen"]
        if control is not None:
            with hooks.making:
                self._control = made = socket.socket(fileno=control)
            made.setblocking(False)
            self.loop.add(made.fileno(), self._on_control, READ)
        else:
            self._listener = listener = listen(path)
            self.loop.add(listener.fileno(), self._on_new, READ)
            self._look()

    def _on_new(self, events: int) -> None:
        assert self._listener is not None
        try:
            with hooks.making:
                made, _ = self._listener.accept()
            self._take(made, f"user {os.getuid()}", 0, -1)
        except (BlockingIOError, ConnectionError):
            return
        except OSError as e:  # nothing is left for one more
            log.warning("nobody can come: %s", e)
            self.loop.modify(self._listener.fileno(), 0)
            self.soon.after(RETRY_S, self._hear_again)

    def _hear_again(self) -> None:
        if self._listener is not None:
            self.loop.modify(self._listener.fileno(), READ)

    def _on_control(self, events: int) -> None:
        """The daemon hands one on: a message about him, with his connection and the file of his token. Or it says who
        may be here no more, or whose programs are to end, and why.
        """
        assert self._control is not None
        fds: list[int] = []
        with hooks.making:
            data = _received(self._control, fds)
        if data is None:
            return
        if not data:
            self.end()
            return
        told = json.loads(data)
        if "end" in told:
            self._end_of(told["end"], told["why"])
            return
        if "turn_out" in told:
            for client in [each for each in self._clients if each.number == told["turn_out"]]:
                client.turn_out(told["why"])
            return
        try:
            token = own_token(fds.pop(1)) if len(fds) > 1 else -1
            with hooks.making:
                made = socket.socket(fileno=fds.pop(0))
            self._take(made, told["peer"], told["number"], token)
        except (OSError, IndexError) as e:  # nothing is left for one more
            log.warning("%s cannot come: %s", told["peer"], e)
            self._gone.add(told["number"])
            self._tell_gone()
        finally:
            while fds:
                os.close(fds.pop())

    def _end_of(self, owners: list[int], why: str) -> None:
        for client in list(self._clients):
            client.hears_of(owners, why)
        self.house.end_of(owners)

    def _take(self, made: socket.socket, peer: str, number: int, token: int) -> None:
        if self._idle is not None:  # so long from the last one on, and not from the first
            self._idle.cancel()
            self._idle = None
        client = Client(self, made, peer, number, token)
        self._clients[client] = None
        if self._is_ending:
            client.close()

    def has_gone(self, client: Client) -> None:
        """A client has."""
        self._clients.pop(client, None)
        if client.number:
            self._gone.add(client.number)
        self._look()

    def _look(self) -> None:
        """Who waits may go on; and where nothing is left this is the end."""
        for client in list(self._clients):
            client.has_room()
        self._tell_gone()
        if self._is_ending:
            if self.house.is_empty:
                self.loop.stop()
        elif self._control is None and not self._clients and self.house.is_idle and self._idle is None:
            self._idle = self.soon.after(IDLE_S, self._look_whether_idle)

    def _tell_gone(self) -> None:
        """Tell the daemon whose token is of no use any more, and whether all is over."""
        busy = {program.owner for program in self.house.programs.values() if program.state != IS_OVER}
        over = [number for number in self._gone if number not in busy]
        if not over or self._control is None:
            return
        is_idle = not self._clients and self.house.is_idle
        try:
            self._control.send(json.dumps({"over": over, "is_idle": is_idle}).encode())
        except BlockingIOError:
            return  # with the next one
        except OSError as e:
            log.warning("the daemon is not told: %s", e)
        self._gone.difference_update(over)

    def _look_whether_idle(self) -> None:
        self._idle = None
        if self._clients or not self.house.is_idle or self._listener is None:
            return
        with own.nobody_connecting(self._told["listen"]) as is_ours:  # nobody connects meanwhile
            if is_ours:
                self._on_new(READ)  # who has done so just now
            if self._clients or not is_ours:
                self._look()
            else:
                self.end()

    # -- the end ---------------------------------------------------------------------------------

    def end(self) -> None:
        """End all programs, and then this. Twice is fine."""
        self._is_ending = True
        if self._listener is not None:
            os.unlink(self._told["listen"])  # first: who finds nobody behind it starts another one
            self.loop.remove(self._listener.fileno())
            self._listener.close()
            self._listener = None
        if self._control is not None:
            self.loop.remove(self._control.fileno())
            self._control.close()
            self._control = None
        self.house.end_all()
        self._look()

    def _close(self) -> None:
        self.house.kitchen.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def _received(control: socket.socket, fds: list[int]) -> bytes | None:
    """A message, and the descriptors that have come with it; b"" at the end, and None where there is none."""
    room = socket.CMSG_SPACE(2 * array.array("i").itemsize)
    try:
        data, aside, _, _ = control.recvmsg(MESSAGE_MAX, room, socket.MSG_CMSG_CLOEXEC)
    except BlockingIOError:
        return None
    except OSError:
        return b""
    numbers = array.array("i")
    for level, kind, found in aside:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            numbers.frombytes(found)
    fds += numbers
    return data


def own_token(fd: int) -> int:
    """Return a file with the same token, and close *fd*. That one is the daemon's user's, who may be another: programs
    open theirs by name, as who they are. Raises OSError.
    """
    try:
        with hooks.making:
            made = os.memfd_create("rpio-token", os.MFD_CLOEXEC)
        os.fchmod(made, 0o600)
        os.write(made, os.pread(fd, MESSAGE_MAX, 0))
        return made
    finally:
        os.close(fd)


def listen(path: str) -> socket.socket:
    """Listen at a path, which nobody listens at: who starts keepers has seen to that. Raises OSError."""
    draft = f"{path}.new"  # nobody finds it before it listens
    if os.path.exists(draft):
        os.unlink(draft)
    with hooks.making:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        made.bind(draft)
    finally:
        os.umask(before)
    made.listen(BACKLOG)
    made.setblocking(False)
    os.rename(draft, path)
    return made


def main(words: str) -> None:
    """Be that process. *words* is JSON: control (a descriptor) or listen (a path), work, temp, venv, limits, grace_s,
    cpu_percent, and url_hosts. Its own RPIO_BACKEND
    is its programs'.
    """
    Keeper(json.loads(words)).serve()
    sys.stdout.flush()
