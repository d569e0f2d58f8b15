# SPDX-License-Identifier: LGPL-3.0-or-later
"""The front end inside of a program: RPIO's own protocol on the loop of its board, beside everything else there.

It listens on loopback and on unix sockets, and nowhere else: there is neither encryption nor access control here.

What is sent never blocks: what the kernel does not take waits, and while too much waits a client is not read any more,
so that one who asks without listening stops himself alone.
"""

from __future__ import annotations

import os
import socket
import stat
from time import monotonic_ns

from .. import log
from .._gpio import LineReader, Timer
from ..board.undoing import do_all
from ..loop.masks import ERROR, HANGUP, READ, WRITE
from ..loop.tcp_listener import OF_ONE_CONNECTION, Socket, explain_bind
from ..processes import hooks
from ..wire.native import LINE_MAX, Server
from ..wire.operations import HOLDS_ALONE
from .native import words_of
from .sessions import NS_PER_S, Sessions
from .talks import Talk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..board.board import Board
    from ..loop.dispatcher import Dispatcher
    from ..loop.tcp_client import TcpClient
    from ..loop.tcp_turns import Turns

BACKLOG = 128
ACCEPTS_AT_ONCE = 16
RETRY_S = 1.0
"""How long nobody is accepted after the machine had nothing left for one."""
SOON_S = 1e-6


class Link:
    """A connected client: his socket, and his talk."""

    def __init__(self, front: Front, made: socket.socket, peer: str) -> None:
        self._front, self._loop = front, front.loop
        self._socket = made
        self.fd = made.fileno()
        self._reader = LineReader(LINE_MAX)
        self._left = b""  # to be sent, when the kernel takes more
        self._mask = READ
        self._is_sending = False
        self.talk = Talk(front.sessions, peer, lambda: front.has_output(self))
        self.talk.send_now = self._send_now

    def begin(self) -> None:
        """Hear him."""
        self._socket.setblocking(False)
        if self._socket.family in (socket.AF_INET, socket.AF_INET6):
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._loop.add(self.fd, self.on_ready, READ, lambda: self.is_closed)

    def on_ready(self, events: int) -> None:
        """He says something, or takes more. The loop's thread."""
        try:
            if events & READ:
                self._hear()
            elif events & (HANGUP | ERROR):
                self.close()
                return
            if events & WRITE or self.talk.is_over or self.talk.out:
                self.flush()
        except BaseException:  # interrupted in the middle of a request: he asks what has become of it
            self.close()
            raise

    def _hear(self) -> None:
        lines: list[bytes] = []
        talk, reader = self.talk, self._reader
        try:
            if not reader.read(self.fd, lines, 0):
                self.close()
                return
        except BlockingIOError:
            return
        except OSError as e:
            log.debug("- %s: %s", talk.session.peer, e)
            self.close()
            return
        except ValueError:  # and what came before is carried out
            answers = talk.hear(lines) + talk.refuse_long(reader.most)
        else:
            answers = talk.hear(lines, b"" if talk.codec.is_known else reader.begun)
        if self._left or talk.out:
            talk.say(answers)
        elif answers:
            self._send(answers)

    def _send(self, data: bytes) -> None:
        """Send, with nothing before it that waits. What a signal handler says in the middle of it comes behind it."""
        self._is_sending = True
        try:
            try:
                count = self._socket.send(data)
            except BlockingIOError:
                count = 0
            if count != len(data):
                self._left = left = data[count:]
                size = len(left)
                self.talk.waiting_bytes += size
                self._want()
        except OSError as e:
            log.debug("- %s: %s", self.talk.session.peer, e)
            self.close()
        except BaseException:  # of a signal handler: nobody can tell how much has been sent
            self.close()
            raise
        finally:
            self._is_sending = False

    def _send_now(self, text: bytes) -> bool:
        """Send a line, if it is the last for now: several are sent together. Whether it has been sent."""
        loop = self._loop
        if loop.has_edges or not loop.in_loop or self._is_sending or self.is_closed:
            return False
        self._send(text)
        if self.talk.out:
            self._front.has_output(self)
        return True

    def flush(self) -> None:
        """Send what waits, as far as the kernel takes it; close when that was all. The loop's thread."""
        if self._is_sending:
            return  # it is sent further out, in whose middle a signal handler has come
        talk = self.talk
        self._is_sending = True
        try:
            while not self.is_closed and (self._left or talk.out):
                data = self._left + talk.take()
                try:
                    count = self._socket.send(data)
                except BlockingIOError:
                    self._left = data
                    break
                self._left = data[count:]
                talk.sent(count)
        except OSError:
            self.close()
            return
        except BaseException:  # of a signal handler: as with _send()
            self.close()
            raise
        finally:
            self._is_sending = False
        if talk.is_over and not self._left and not talk.out:
            self.close()
        elif not self.is_closed:
            self._want()

    def _want(self) -> None:
        """Wait for what is wanted now."""
        reads = READ if self.talk.has_room and not self.talk.is_over else 0
        mask = reads | (WRITE if self._left else 0)
        if mask != self._mask:
            self._mask = mask
            self._loop.modify(self.fd, mask)

    @property
    def is_closed(self) -> bool:
        """Whether the connection is."""
        return self._socket.fileno() < 0

    def close(self) -> None:
        """End the connection; the session may go on. Twice is fine."""
        do_all(self._leave_loop, self._socket.close, self._leave_front, self.talk.end)

    def _leave_loop(self) -> None:
        if not self.is_closed and self._loop.has(self.fd):
            self._loop.remove(self.fd)

    def _leave_front(self) -> None:
        if self._front.links.get(self.fd) is self:
            self._front.links.pop(self.fd)

    def abandon(self) -> None:
        """Close the descriptor alone, in the child of a fork."""
        self._socket.close()


class Front:
    """A listening socket and its links, in the loop of a board. One of the servers of its Ports."""

    worker: Turns | None = None

    def __init__(self, board: Board, port: int, path: str | None) -> None:
        self._board, self.port, self._path = board, port, path
        self.loop: Dispatcher = board.dispatcher
        self.clients: dict[int, TcpClient] = {}
        """Of TCP callbacks: none."""
        self.links: dict[int, Link] = {}
        self.sessions = Sessions(board.leases, self._describe, monotonic_ns, self._set_timer)
        self.is_closed = False
        self._listener: socket.socket | None = None
        self._timer: Timer | None = None
        self._dirty: list[Link] = []
        self._is_resting = False
        self._log = log.Sparing()

    def _describe(self) -> tuple[str, str, int, list[str]]:
        hardware, backend = self._board.hardware, self._board.backend
        code = hardware.revision_code
        features = {*backend.features, "consumers", *([HOLDS_ALONE] if backend.holds_alone else [])}
        return self._board.describe(), f"{code or 0:x}", backend.line_count, sorted(features)

    # -- opening and closing ---------------------------------------------------------------------

    def open(self, host: str) -> None:
        """Listen. Where that fails, close() closes what is open already. Raises OSError."""
        self._timer = timer = Timer()
        with hooks.making:
            self._listener = listener = self._listen(host)
        listener.setblocking(False)
        for own, handler in ((timer, self._on_timer), (listener, self._on_new)):
            self.loop.add(own.fileno(), handler, READ, lambda: self.is_closed)
        self.loop.go_on_in_background()
        log.debug("RPIO's own protocol is served at %s", self._path or f"port {self.port}")

    def _listen(self, host: str) -> socket.socket:
        if self._path is not None:
            return _listen_unix(self._path)
        listener: socket.socket = Socket(
            socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM
        )
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, self.port))
            listener.listen(BACKLOG)
        except OSError as e:
            listener.close()
            raise explain_bind(e, host, self.port) from None
        self.port = listener.getsockname()[1]
        return listener

    def close(self) -> None:
        """Close everything; sessions end, and their lines go into their safe states. Twice is fine."""
        self.is_closed = True
        do_all(
            self._close_listener,
            *[link.close for link in list(self.links.values())],
            self.sessions.end_all,
            self._close_timer,
        )

    def _close_listener(self) -> None:
        listener = self._listener
        if listener is not None and listener.fileno() >= 0:
            do_all(lambda: self._leave_loop(listener.fileno()), self._free_path, listener.close)

    def _free_path(self) -> None:
        if self._path is not None:
            _remove(self._path)

    def _close_timer(self) -> None:
        timer = self._timer
        if timer is not None and timer.fileno() >= 0:
            do_all(lambda: self._leave_loop(timer.fileno()), timer.close)

    def _leave_loop(self, fd: int) -> None:
        if self.loop.has(fd):
            self.loop.remove(fd)

    def abandon(self) -> None:
        """Close the descriptors alone, in the child of a fork."""
        if self._listener is not None:
            self._listener.close()
        for link in self.links.values():
            link.abandon()
        self.links.clear()

    def crowd(self) -> int:
        """How many clients there are."""
        return len(self.links)

    def turn_out(self, client: TcpClient) -> bool:
        """There are none of those."""
        return False

    # -- the loop's side -------------------------------------------------------------------------

    def _on_new(self, events: int) -> None:
        listener = self._listener
        if listener is None:
            return
        for _ in range(ACCEPTS_AT_ONCE):
            try:
                with hooks.making:
                    fd, address = listener._accept()  # type: ignore[attr-defined] # no socket of whoever replaces them
                    self._take(fd, address)
            except BlockingIOError:
                return
            except OSError as e:
                if self.is_closed:
                    return  # meanwhile
                if e.errno not in OF_ONE_CONNECTION:
                    self._rest(e)
                    return

    def _take(self, fd: int, address: object) -> None:
        peer = f"{address[0]}:{address[1]}" if isinstance(address, tuple) else "this machine"
        made = Socket(fileno=fd)
        try:
            link = Link(self, made, peer)
        except OSError as e:  # too many sessions
            made.setblocking(False)
            try:
                made.send(Server.error(*words_of(e), None))
            finally:
                made.close()
            return
        self.links[fd] = link
        try:
            link.begin()
        except BaseException:
            link.close()
            raise

    def _rest(self, error: OSError) -> None:
        """Nothing is left for one more: leave those who connect to the kernel for a while."""
        assert self._listener is not None
        self._log.warning("accept", "nobody can connect: %s", error)
        try:
            self.loop.modify(self._listener.fileno(), 0)
        except OSError:
            return  # then it is tried again at once
        self._is_resting = True
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

    def _set_timer(self) -> None:
        due_ns = self.sessions.due_ns()
        after_s = RETRY_S if self._is_resting else None
        if due_ns is not None:
            left_s = max(SOON_S, (due_ns - monotonic_ns()) / NS_PER_S)
            after_s = left_s if after_s is None else min(left_s, after_s)
        if after_s is not None:
            self._start_timer(after_s)
        if self._dirty:  # now or meanwhile: another thread's, who has set the timer, and perhaps before us
            self._start_timer(SOON_S)

    def _start_timer(self, after_s: float) -> None:
        if self._timer is not None and self._timer.fileno() >= 0:
            self._timer.start(after_s)

    def _on_timer(self, events: int) -> None:
        assert self._timer is not None
        if not self._timer.over():
            return
        try:
            do_all(self._flush, self.sessions.tick, self._accept_again)
        except Exception:  # a fault of ours, or no memory: without the timer no session would ever end
            log.callback_failed(self._on_timer)
            self._start_timer(RETRY_S)
        except BaseException:  # of a signal handler: what is left is soon done
            self._start_timer(SOON_S)
            raise
        else:
            self._set_timer()

    def _accept_again(self) -> None:
        if self._is_resting and self._listener is not None:
            self._is_resting = False
            self.loop.modify(self._listener.fileno(), READ)


def _listen_unix(path: str) -> socket.socket:
    """Listen at a path, for this user alone. A socket that nobody listens at any more is replaced.

    Nobody can connect before listen(), so the mode of the file is in time.
    """
    listener: socket.socket = Socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if _is_stale(path):
            _remove(path)
        listener.bind(path)
        os.chmod(path, 0o600)
        listener.listen(BACKLOG)
    except OSError as e:
        listener.close()
        raise type(e)(e.errno or 0, f"{e.strerror or e}", path) from None
    except BaseException:  # of a signal handler
        if listener.getsockname() == path:
            _remove(path)
        listener.close()
        raise
    return listener


def _is_stale(path: str) -> bool:
    """Whether it is a socket, and nobody listens there. A file of another kind refuses a connection just so."""
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            return False
    except OSError:
        return False
    with Socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
    return False


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return  # somebody was quicker
