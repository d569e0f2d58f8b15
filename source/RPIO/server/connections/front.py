# SPDX-License-Identifier: LGPL-3.0-or-later
"""The front end of RPIO's own protocol, on the loop of a board, beside everything else there: in a program that calls
serve_remote(), and in the daemon.

It listens on loopback and on unix sockets, in plain; who comes from another machine waits in the lobby (outside/lobby)
until TLS and a secret have shown who he is.
"""

from __future__ import annotations

import errno
from collections import deque
from time import monotonic_ns

from ... import log, threads
from ..._gpio import PURE, Timer
from ...board.undoing import do_all
from ...loop.masks import READ
from ...loop.tcp_listener import OF_ONE_CONNECTION, Socket, close_listener
from ...loop.tcp_options import look_after
from ...processes import hooks
from ...tasks.engine import Tasks
from ..sessions.buses import Buses
from ..sessions.native import told_features
from ..sessions.sessions import NS_PER_S, Sessions
from .doors import Path, Port
from .links import House

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from ...board.board import Board
    from ...loop.tcp_client import TcpClient
    from ...loop.tcp_turns import Turns
    from ..rights.access import Access
    from ..rights.audit import Audit
    from ..sessions.hearing import Starting
    from ..sessions.hold import Holds
    from .doors import Door, Lobby
    from .links import Link

ACCEPTS_AT_ONCE = 16
RETRY_S = 1.0
"""How long nobody is accepted after the machine had nothing left for one."""
SOON_S = 1e-6
REST_MAX_S = 1e8
"""The timer takes no more than three times as much. Who has nothing to do then sets it again."""


class Front(House):
    """Listening sockets and the links of their clients, in the loop of a board. One of the servers of its Ports."""

    worker: Turns | None = None

    def __init__(
        self,
        board: Board,
        doors: Sequence[Door],
        access: Access | None = None,
        audit: Audit | None = None,
        holds: Holds | None = None,
        programs: Starting | None = None,
    ) -> None:
        self._board = board
        self.doors = list(doors)
        self.port = 0
        """The one that is listened at; 0 where there are paths alone."""
        self.loop = board.dispatcher
        self.clients: dict[int, TcpClient] = {}
        """Of TCP callbacks: none."""
        self.links = {}
        self.lent = []
        self.buses = Buses(lambda: board.backend, self.soon, monotonic_ns, self._set_timer)
        self.tasks = Tasks(board.leases, lambda: self.loop)
        self.sessions = Sessions(
            board.leases,
            self._describe,
            monotonic_ns,
            self._set_timer,
            access,
            audit,
            holds,
            programs,
            self.buses,
            self.tasks,
        )
        self._soon: deque[Callable[[], object]] = deque()
        self.is_closed = False
        self._timer: Timer | None = None
        self._dirty: list[Link] = []
        self._log = log.Sparing()

    def _describe(self) -> tuple[str, str, int, list[str]]:
        hardware, backend = self._board.hardware, self._board.backend
        code = hardware.revision_code
        return self._board.describe(), f"{code or 0:x}", backend.line_count, told_features(backend)

    # -- opening and closing ---------------------------------------------------------------------

    def open(self, host: str = "") -> None:
        """Listen at all doors. Where that fails, close() closes what is open already. Raises OSError."""
        self._timer = timer = Timer()
        self.loop.add(timer.fileno(), self._on_timer, READ, lambda: self.is_closed)
        for door in self.doors:
            self._open_door(door)
        self.loop.go_on_in_background()

    def _open_door(self, door: Door) -> None:
        try:
            listener = door.open()
            if isinstance(door, Port) and (door.is_ours or not self.port):
                self.port = door.port
            self.loop.add(listener.fileno(), lambda events: self._on_new(door), READ, lambda: self.is_closed)
        except OSError:
            if not self.is_closed:
                raise
            # By another thread, meanwhile. What the kernel says of such a socket, or of its file, misleads.
            raise OSError(errno.EBADF, "closed while it was being opened", str(door)) from None
        log.debug("%s is served at %s", "RPIO's own protocol" if door.is_ours else "a guest's", door)

    def open_also(self, door: Door) -> None:
        """Listen at one more. Where that fails the others go on. Raises OSError."""
        self.doors.append(door)
        try:
            self._open_door(door)
        except BaseException:
            self._close_door(door)
            self.doors.remove(door)
            raise
        if self.is_closed:  # meanwhile, by a signal handler's cleanup() or another thread
            self._close_door(door)

    def close(self) -> None:
        """Close everything; sessions end, and their lines go into their safe states. Twice is fine."""
        self.is_closed = True
        do_all(
            *[lambda door=door: self._close_door(door) for door in self.doors],
            *[lobby.close for lobby in self._lobbies()],
            *[link.close for link in list(self.links.values())],
            self.sessions.end_all,
            self.tasks.close,
            self.buses.close,
            self._close_timer,
        )

    def _close_door(self, door: Door) -> None:
        listener = door.listener
        if listener is not None and listener.fileno() >= 0:
            do_all(lambda: self._leave_loop(listener.fileno()), door.free, lambda: close_listener(listener))

    def _close_timer(self) -> None:
        timer = self._timer
        if timer is not None and timer.fileno() >= 0:
            do_all(lambda: self._leave_loop(timer.fileno()), timer.close)

    def _leave_loop(self, fd: int) -> None:
        if self.loop.has(fd):
            self.loop.remove(fd)

    def abandon(self) -> None:
        """Close the descriptors alone, in the child of a fork."""
        for door in self.doors:
            if door.listener is not None:
                door.listener.close()
        for lobby in self._lobbies():
            lobby.abandon()
        self.tasks.abandon()
        for link in self.links.values():
            link.abandon()
        self.links.clear()

    def crowd(self) -> int:
        """How many clients there are."""
        return len(self.links)

    def turn_out(self, client: TcpClient) -> bool:
        """There are none of those."""
        return False

    def soon(self, call: Callable[[], object]) -> None:
        """Have it called in the loop's thread. From any thread."""
        self._soon.append(call)
        self._start_timer(SOON_S)

    def _call_soon(self) -> None:
        for _ in range(len(self._soon)):
            self._soon.popleft()()

    # -- the loop's side -------------------------------------------------------------------------

    def _on_new(self, door: Door) -> None:
        listener = door.listener
        if listener is None:
            return
        for _ in range(ACCEPTS_AT_ONCE):
            try:
                with hooks.making:
                    fd, address = listener._accept()  # type: ignore[attr-defined] # no socket of whoever replaces them
                    self._take(fd, door, address)
            except BlockingIOError:
                return
            except Exception as e:  # of whatever kind: one client is lost by it, and not the port
                if self.is_closed:
                    return  # meanwhile
                if not isinstance(e, OSError):
                    log.callback_failed(self._take)
                if not isinstance(e, OSError) or e.errno not in OF_ONE_CONNECTION:
                    self._rest(door, e)
                    return

    def _take(self, fd: int, door: Door, address: object) -> None:
        made = Socket(fileno=fd)
        try:
            if isinstance(address, tuple):
                look_after(made, str(address[0]))
            if door.lobby is None:
                self.admit(made, door, door.peer(made, address))
            else:
                door.lobby.take(made, door, address)
        except BaseException:
            made.close()
            raise

    def admit(self, made: socket.socket, door: Door, peer: str) -> None:
        """Have a client who has connected, and may. Raises OSError."""
        try:
            link = door.link(self, made, peer)
        except OSError as e:  # too many sessions
            made.setblocking(False)
            try:
                made.send(door.refusal(e))
            finally:
                made.close()
            return
        if isinstance(door, Path) and not PURE:
            link.talk.lend = lambda idle_s: self._lend(link, idle_s)
        self.begin(link)

    def begin(self, link: Link) -> None:
        """Hear a client."""
        self.links[link.fd] = link
        try:
            link.begin()
        except BaseException:
            link.close()
            raise
        if self.is_closed:  # meanwhile, by another thread
            link.close()

    def _lend(self, link: Link, idle_s: float) -> None:
        threads.load("RPIO.server.connections.lending")
        from .lending import Borrowing

        Borrowing(self, link, idle_s)

    def _rest(self, door: Door, error: Exception) -> None:
        """Nothing is left for one more: leave those who connect to the kernel for a while."""
        assert door.listener is not None
        self._log.warning("accept", "nobody can connect: %s", error)
        try:
            self.loop.modify(door.listener.fileno(), 0)
        except (OSError, KeyError):
            return  # then it is tried again at once; or it has been closed at this very moment
        door.is_resting = True
        self._set_timer()

    def has_output(self, link: Link) -> None:
        """A link has something to send. From any thread."""
        if link in self._dirty:
            return  # it is to be sent already
        self._dirty.append(link)
        loop = self.loop
        if not loop.in_loop:
            self._start_timer(SOON_S)
        elif loop.has_edges:
            loop.after_edges(self._flush)  # together: more is about to come
        else:
            self._flush()

    def _flush(self) -> None:
        try:
            while self._dirty:
                self._dirty.pop(0).flush()
        finally:
            if self._dirty:  # interrupted
                self._start_timer(SOON_S)

    def set_timer(self) -> None:
        """Have tick() called when it is due. The loop's thread."""
        self._set_timer()

    def _lobbies(self) -> list[Lobby]:
        return [door.lobby for door in self.doors if door.lobby is not None]

    def _set_timer(self) -> None:
        times = [self.sessions.due_ns(), *[timed.due_ns() for timed in (*self.lent, *self._lobbies())]]
        due_ns = min((time for time in times if time is not None), default=None)
        after_s = RETRY_S if any(door.is_resting for door in self.doors) else None
        if due_ns is not None:
            left_s = max(SOON_S, (due_ns - monotonic_ns()) / NS_PER_S)
            after_s = left_s if after_s is None else min(left_s, after_s)
        if after_s is not None:
            self._start_timer(min(after_s, REST_MAX_S))
        if (
            self._dirty or self._soon
        ):  # now or meanwhile: another thread's, who has set the timer, and perhaps before us
            self._start_timer(SOON_S)

    def _start_timer(self, after_s: float) -> None:
        if self._timer is not None and self._timer.fileno() >= 0:
            self._timer.start(after_s)

    def _on_timer(self, events: int) -> None:
        assert self._timer is not None
        if not self._timer.over():
            return
        try:
            do_all(
                self._call_soon,
                self._flush,
                self.sessions.tick,
                self._accept_again,
                *[timed.tick for timed in (*self.lent, *self._lobbies())],
            )
        except Exception:  # a fault of ours, or no memory: without the timer no session would ever end
            log.callback_failed(self._on_timer)
            self._start_timer(RETRY_S)
        except BaseException:  # of a signal handler: what is left is soon done
            self._start_timer(SOON_S)
            raise
        else:
            self._set_timer()

    def _accept_again(self) -> None:
        for door in self.doors:
            if door.is_resting and door.listener is not None:
                door.is_resting = False
                self.loop.modify(door.listener.fileno(), READ)
