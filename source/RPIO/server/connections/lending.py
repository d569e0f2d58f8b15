# SPDX-License-Identifier: LGPL-3.0-or-later
"""Pipes that are lent: what ssh has started at the far end gives the daemon those that it has from sshd, by SCM_RIGHTS
(unix(7)), and each byte has one process less to go through on its way, and on its way back.

Two connections belong together then. That of the lender, over which the pipes have come, says nothing more; it is open
for as long as the session lasts, so that each side learns of the end of the other. What has been lent is shared with
the lender, who may make it block whenever he likes: each call says for itself that it does not wait (RWF_NOWAIT). For
pipes that is since Linux 6.4; where it is not, nothing is borrowed.
"""

from __future__ import annotations

import os
import socket
import stat
from array import array
from collections import deque
from fcntl import F_GETFL, fcntl
from itertools import starmap
from time import monotonic_ns

from ... import errors, log, threads
from ...loop.masks import READ
from ...processes import hooks
from ...wire.native import Answer, Server, told
from ..sessions.native import words_of
from .streams import BY_READ_NOW, Ends, StreamLink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .links import House, Link

    Message = tuple[bytes, list[tuple[int, int, bytes]], int, object]

IDLE = "nothing has come from the other machine for %g s: it counts as gone"
NS_PER_S = 1_000_000_000
ROOM_BYTES = socket.CMSG_SPACE(8 * array("i").itemsize)
"""For more than the two that are to come: whoever sends several is told so. The kernel closes what has no room."""
LAST_MS = 3000
"""How long the daemon may take to notice that nobody is there any more."""
FLAGS = getattr(socket, "MSG_DONTWAIT", 0) | getattr(socket, "MSG_CMSG_CLOEXEC", 0)
NOWAIT = getattr(os, "RWF_NOWAIT", 0)


# -- the daemon's side ----------------------------------------------------------------------------


class Borrowing:
    """The connection of a lender, from his request on."""

    def __init__(self, house: House, link: Link, idle_s: float) -> None:
        check_pipes()
        self._house, self._link, self._idle_s = house, link, idle_s
        link.receive = self._take

    def _take(self) -> None:
        """A message has come, and two pipes with it."""
        link = self._link
        came: list[Message] = []
        ends = Lent()
        try:
            with hooks.making:
                # In one go: a signal handler may raise between two calls.
                came.extend(starmap(link.socket.recvmsg, [(1, ROOM_BYTES, FLAGS)]))
                if not came[0][0]:
                    link.close()  # he has gone
                    return
                check(numbers(came), came[0][2])
                ends.reader, ends.writer = numbers(came)
                came.clear()
                self._serve(ends)
        except BlockingIOError:
            return
        except (OSError, ValueError, errors.GPIOError) as e:
            log.debug("- %s has lent nothing: %s", link.talk.session.peer, e)
            link.talk.is_over = True
            link.talk.say(Server.error(*words_of(e), None))
        finally:
            deque(map(os.close, {*numbers(came)} - {ends.reader, ends.writer}), 0)
            if link.partner is None:  # else they are closed with it
                ends.close()

    def _serve(self, ends: Lent) -> None:
        """Hear who is at the other end of what has been lent."""
        house, link = self._house, self._link
        link.talk.session.end()  # it has been one to lend by
        lent = LentLink(house, ends, link, self._idle_s)
        try:
            house.links[lent.fd] = lent
            lent.begin()
        except BaseException:
            lent.partner = None  # who is told why
            lent.close()
            raise
        link.partner = lent
        link.receive = link.close  # he has ended, or says what nobody has asked for
        link.talk.say(b"ok\n")


class Lent(Ends):
    """Two pipes that others have as well."""

    def send(self, data: bytes, flags: int = 0) -> int:
        """Send what the kernel takes now, even where they block. BlockingIOError where that is nothing."""
        return os.pwritev(self.writer, [data], -1, NOWAIT)


class LentLink(StreamLink):
    """Who is at the other end of what has been lent. He is closed with his lender, and so the other way round."""

    flags = BY_READ_NOW

    def __init__(self, house: House, ends: Lent, lender: Link, idle_s: float) -> None:
        super().__init__(house, ends, lender.talk.session.peer)
        self._idle_s, self._heard_ns = idle_s, monotonic_ns()
        self._lender = self.partner = lender
        self.receive = self._hear_at

    def begin(self) -> None:
        """Hear him."""
        self._house.lent.append(self)
        super().begin()
        self._house.sessions.on_time()

    def _hear_at(self) -> None:
        self._heard_ns = monotonic_ns()
        self._hear()

    def due_ns(self) -> int:
        """When he counts as gone, if nothing comes from him."""
        return self._heard_ns + round(self._idle_s * NS_PER_S)

    def tick(self) -> None:
        """That time may be over."""
        if self.due_ns() <= monotonic_ns() and not self.is_closed:
            self._lender.talk.say(Server.error("NoBackendError", [IDLE % self._idle_s], None))
            self.close()

    def _leave_house(self) -> None:
        super()._leave_house()
        if self in self._house.lent:
            self._house.lent.remove(self)


def numbers(came: Sequence[Message]) -> list[int]:
    """The descriptors that have come."""
    found = array("i")
    for _, ancillary, _, _ in came:
        found.frombytes(b"".join(data[: len(data) - len(data) % found.itemsize] for _, _, data in ancillary))
    return found.tolist()


def check(fds: list[int], flags: int) -> None:
    """Raise ValueError or NotSupportedError for what is not one end to read at and one to write to, of two pipes."""
    if len(fds) != 2 or flags & socket.MSG_CTRUNC:
        raise ValueError(
            f"two descriptors come with that byte, one to read at and one to write to, not {len(fds)}"
        )
    pipes, modes = [os.fstat(fd) for fd in fds], [fcntl(fd, F_GETFL) & os.O_ACCMODE for fd in fds]
    if not all(stat.S_ISFIFO(pipe.st_mode) for pipe in pipes):
        raise errors.NotSupportedError("what is lent is pipes")
    if modes[0] == os.O_WRONLY or modes[1] == os.O_RDONLY or os.path.samestat(*pipes):
        raise ValueError(
            "the first one is to be read, and the second one to be written to, and they are two pipes"
        )


def check_pipes() -> None:
    """Raise NotSupportedError where the kernel would wait at pipes, whatever is said in a call."""
    with hooks.making:
        reader, writer = os.pipe()
    try:
        os.preadv(reader, [bytearray(1)], -1, NOWAIT)
    except BlockingIOError:
        return
    except OSError as e:
        raise errors.NotSupportedError(
            f"this kernel cannot do without waiting at pipes: {e.strerror}"
        ) from None
    finally:
        os.close(reader)
        os.close(writer)


# -- the lender's side ----------------------------------------------------------------------------


def lend(reader: int, writer: int, there: socket.socket, idle_s: float) -> bool:
    """Lend two pipes to the daemon, and wait for the end of the session there. False where the daemon does not take
    them: nothing has been read.
    """
    there.sendall(b"lend %.17g\n" % idle_s)
    if answer_of(there) != b"ok\n":
        return False
    there.sendmsg([b"\n"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", [reader, writer]))])
    answer = answer_of(there)
    if answer.startswith(b"error "):
        return False
    if answer:  # else the daemon has been killed, and nobody can tell in the middle of what
        _wait(writer, there)
    return True


def answer_of(there: socket.socket) -> bytes:
    """A line of the daemon's; empty where he is gone."""
    line = b""
    try:
        while not line.endswith(b"\n"):
            piece = there.recv(1)
            if not piece:
                return b""
            line += piece
    except (BrokenPipeError, ConnectionResetError):
        return b""
    return line


def _wait(fd: int, there: socket.socket) -> None:
    """Wait until the daemon has ended the session, and say why where he says so."""
    poll = threads.original("select", "poll")()
    poll.register(there.fileno(), READ)
    poll.register(fd, 0)  # hangs up when sshd has
    said, left_ms = b"", None
    while True:
        ready = [number for number, _ in poll.poll(left_ms)]
        if there.fileno() in ready:
            try:
                piece = there.recv(4096)
            except ConnectionResetError:
                piece = b""
            said += piece
            if not piece:
                break
        elif fd in ready:
            poll.unregister(fd)
            left_ms = LAST_MS
        else:
            break
    answer = told(said.partition(b"\n")[0]) if said else None
    if isinstance(answer, Answer):
        log.warning(answer.words[0])
