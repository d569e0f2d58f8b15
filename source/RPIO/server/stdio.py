# SPDX-License-Identifier: LGPL-3.0-or-later
"""RPIO's own protocol on standard input and output: what ssh starts at the far end (``rpio serve --stdio``).

Where a daemon serves the lines of this machine, this is a client of it that only hands on bytes. Otherwise it opens the
board itself, for this one connection: when that ends without a goodbye the lines keep their levels for as long as the
session has asked for (its linger), and go into their safe states then, as they do at once at SIGTERM and SIGHUP.

A machine whose cable is pulled says no goodbye, and sshd notices nothing of it for hours. So a client may be held to
say something now and then, an empty line for instance: where nothing comes for the *idle_s* of serve() he has gone.

Nothing but the protocol comes out: whatever else is printed goes to standard error.
"""

from __future__ import annotations

import os
import signal
import socket
import stat
import sys

from .. import errors, log, threads
from .._gpio import Timer
from ..board.undoing import do_all
from ..loop.masks import READ
from ..loop.tcp_listener import Socket
from ..machine import access, folders
from ..processes import hooks
from ..wire.native import joined
from ..wire.terms import SCOPES, VERSION
from .connections.front import Front
from .connections.relaying import IDLE, relay
from .connections.streams import BY_READ, Ends, StreamLink
from .rights.access import Access

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from ..board.board import Board
    from .settings.policy import Policy

STDIN, STDOUT, STDERR = 0, 1, 2
PEER = "standard input"


class Streams(Ends):
    """Standard input and output. They are taken away from whatever else reads and prints here.

    What is sent never blocks where it is a pipe or a socket; what goes to a terminal may.
    """

    def __init__(self) -> None:
        super().__init__()
        self._is_changed = False
        with hooks.making:
            self.reader, self.writer = os.dup(STDIN), os.dup(STDOUT)
            nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        os.dup2(nothing, STDIN)
        os.dup2(STDERR, STDOUT)
        os.close(nothing)
        if sys.stdout is not None:
            sys.stdout.flush()  # now: what has been printed is no protocol
        kind = os.fstat(self.writer).st_mode
        if (stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind)) and os.get_blocking(self.writer):
            self._is_changed = True
            os.set_blocking(self.writer, False)

    @property
    def are_pipes(self) -> bool:
        """Whether both are, as those from sshd."""
        return all(stat.S_ISFIFO(os.fstat(fd).st_mode) for fd in (self.reader, self.writer))

    def close(self) -> None:
        """Close both. Twice is fine."""
        if self._is_changed:
            self._is_changed = False
            os.set_blocking(self.writer, True)  # as it was found: others may have it too
        super().close()


class OwnLink(StreamLink):
    """The one client of a StreamFront."""

    def __init__(self, front: StreamFront, streams: Streams) -> None:
        super().__init__(front, streams, PEER)
        self._stream_front = front
        self.has_heard = True
        """Whether something has come since that was asked last."""

    def begin(self) -> None:
        """Hear him. Raises NotSupportedError where the streams are files."""
        if stat.S_ISFIFO(os.fstat(self.fd).st_mode):
            self.flags = BY_READ
        try:
            super().begin()
        except PermissionError:  # of epoll_ctl(2): a file, which is always ready
            raise errors.NotSupportedError(
                "standard input and output are no pipes here, but a file",
                hint="rpio serve --stdio is what RPIO.connect('ssh://HOST') starts",
            ) from None

    def on_ready(self, events: int) -> None:
        """As any Link; and he is there."""
        self.has_heard = True
        super().on_ready(events)

    def close(self) -> None:
        """End the connection, and the loop with what was kept for it. Twice is fine."""
        do_all(super().close, self._stream_front.end_if_over)


class StreamFront(Front):
    """A front end without a listener, whose one client is there already."""

    def __init__(self, board: Board, streams: Streams, idle_s: float | None) -> None:
        super().__init__(board, [], Access(SCOPES))  # he has a shell anyway
        self._streams, self._idle_s = streams, idle_s
        self._idle_timer: Timer | None = None

    def open(self, host: str = "") -> None:
        """Hear the client."""
        self._timer = timer = Timer()
        self.loop.add(timer.fileno(), self._on_timer, READ, lambda: self.is_closed)
        link = OwnLink(self, self._streams)
        self.links[link.fd] = link
        link.begin()
        if self._idle_s is not None:
            self._idle_timer = idle = Timer()
            self.loop.add(idle.fileno(), lambda events: self._on_idle(link), READ, lambda: self.is_closed)
            idle.start(self._idle_s)

    def _on_idle(self, link: OwnLink) -> None:
        """A time without a word from him may be over."""
        assert self._idle_timer is not None and self._idle_s is not None
        if not self._idle_timer.over() or link.is_closed:
            return
        if link.has_heard:
            link.has_heard = False
            self._idle_timer.start(self._idle_s)
        else:
            log.warning(IDLE, self._idle_s)
            link.close()

    def close(self) -> None:
        """As any Front."""
        do_all(super().close, self._close_idle_timer)

    def _close_idle_timer(self) -> None:
        timer = self._idle_timer
        if timer is not None and timer.fileno() >= 0:
            do_all(lambda: self._leave_loop(timer.fileno()), timer.close)

    def _on_timer(self, events: int) -> None:
        super()._on_timer(events)
        self.end_if_over()

    def end_if_over(self) -> None:
        """End the loop when the client has gone and nothing is kept for him any more."""
        if not self.links and self.sessions.is_empty:
            self._board.waiting.stop()


def serve(board: Board, is_chosen: bool, idle_s: float | None = None) -> int:
    """Serve until the client has gone; return the exit status.

    *is_chosen*: the board is one that was asked for here, so that a daemon's is not meant. *idle_s*: a client who has
    said nothing for so long has gone.
    """
    streams = Streams()
    try:
        path = None if is_chosen else daemon()
        if path is not None and idle_s is not None and streams.are_pipes:
            threads.load("RPIO.server.connections.lending")
            from .connections.lending import lend

            with path:
                if lend(streams.reader, streams.writer, path, idle_s):
                    return 0
            path = daemon()  # it does not know how to borrow
        if path is not None:
            with path:
                relay(streams.reader, streams.writer, path, idle_s)
            return 0
        return _serve_own(board, streams, idle_s)
    finally:
        streams.close()


def serve_modules(policy: Policy, is_chosen: bool, idle_s: float | None = None) -> int:
    """Have the modules of this machine on standard input and output until the client has gone; return the exit status.

    They are another process's: this one waits for its end, and tells of it. Its RPIO has the lines of the daemon, where
    there is one, unless a board *is_chosen*.
    """
    from ..programs import process
    from .programs.processes import MODULES, tell_end

    streams = Streams()
    told = policy.told((streams.reader, streams.writer), idle_s)
    pair = sorted({streams.reader, streams.writer})
    started = process.start(MODULES, told, process.this_user(), pair, _environment(is_chosen))
    before = {number: signal.signal(number, _end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        status = process.wait(started, streams.reader)
        if status:
            tell_end(streams.send, process.ending(status))
    finally:
        started.close()
        for number, handler in before.items():
            signal.signal(number, handler)
        streams.close()
    return 0


def serve_programs(policy: Policy, idle_s: float | None = None) -> int:
    """Have the programs of this user on standard input and output until the client has gone; return the exit status.

    They are his keeper's, which is started where none runs: those that are detached outlive this.
    """
    from ..programs import own

    streams = Streams()
    try:
        with own.connect(policy.of_keeper(os.path.expanduser("~"))) as keeper:
            relay(streams.reader, streams.writer, keeper, idle_s)
    finally:
        streams.close()
    return 0


def serve_tunnel(name: str) -> int:
    """Be a connection to a front end of the daemon's, behind a line that answers, as its own protocol would; return the
    exit status.
    """
    threads.load("RPIO.server.connections.lending")
    from .connections.lending import answer_of

    streams = Streams()
    try:
        there = daemon()
        if there is None:
            raise errors.NoBackendError("no daemon runs there", hint=f"rpio serve --{name} there")
        with there:
            there.sendall(joined(["hello", str(VERSION), "", f"rpio tunnel {name}, by ssh", "0", ""]))
            answer = answer_of(there)
            if answer.startswith(b"ok"):
                there.sendall(joined(["tunnel", name]))
                answer = answer_of(there)
            os.write(streams.writer, answer)
            if answer.startswith(b"ok"):
                relay(streams.reader, streams.writer, there)
    finally:
        streams.close()
    return 0


def _environment(is_chosen: bool) -> dict[str, str]:
    found = dict(os.environ)
    if not is_chosen:
        connection = daemon()
        if connection is not None:
            with connection:
                found["RPIO_BACKEND"] = f"remote+unix://{connection.getpeername()}"
    return found


def daemon() -> socket.socket | None:
    """Return a connection to the daemon of this user, or of this machine; None where there is none.

    Raises:
        NoAccessError: there is one, and this user may not connect to it.
    """
    for path in folders.sockets():
        with hooks.making:
            made: socket.socket = Socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            made.connect(path)
        except PermissionError:
            made.close()
            text = f"this user may not use the daemon at {path}"
            raise errors.NoAccessError(text, hint=access.access_hint(path)) from None
        except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
            made.close()  # there is none, or it has been killed
        except BaseException:
            made.close()
            raise
        else:
            return made
    return None


def _serve_own(board: Board, streams: Streams, idle_s: float | None) -> int:
    from .sessions.safe_states import go_safe

    if board.machine.word == "ssh":
        raise errors.NoBackendError(
            "RPIO_BACKEND=ssh://... is set at the far end, which would call itself without end",
            hint="unset it there (~/.bashrc, ~/.profile), or name the other machine",
        )
    before = {number: signal.signal(number, _end) for number in (signal.SIGTERM, signal.SIGHUP)}
    ports = board.waiting.ports
    try:
        _ = board.backend  # what is wrong with it is told now
        go_safe(board)
        ports.open(StreamFront(board, streams, idle_s), "")
        board.wait_for_interrupts()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        do_all(ports.close, board.close)
    log.debug("the client has gone")
    return 0


def _end(number: int, frame: object) -> NoReturn:
    raise SystemExit(128 + number)
