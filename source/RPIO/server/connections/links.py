# SPDX-License-Identifier: LGPL-3.0-or-later
"""Connected clients: each a socket in the loop, and the talk that is had over it.

What is sent never blocks: what the kernel does not take waits, and while too much waits a client is not read any more,
so that one who asks without listening stops himself alone.
"""

from __future__ import annotations

import socket

from ... import log
from ..._gpio import LineReader
from ...board.undoing import do_all
from ...loop.masks import ERROR, HANGUP, READ, WRITE
from ...wire.native import LINE_MAX
from ..sessions.talks import Talk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from ...loop.dispatcher import Dispatcher
    from ..sessions.hearing import Taker
    from ..sessions.sessions import Sessions

    class Linked(Protocol):
        """A client's connection."""

        def close(self) -> None:
            """End it. Twice is fine."""

        def abandon(self) -> None:
            """Close the descriptors alone, in the child of a fork."""

    class Timed(Protocol):
        """Whose time may be over."""

        def due_ns(self) -> int | None:
            """When it is; None for never."""

        def tick(self) -> None:
            """Look whether it is."""


class _Given:
    """In the place of a socket that is somebody else's by now."""

    family = 0

    def fileno(self) -> int:
        """It is closed, as far as a link has to do with it."""
        return -1

    def close(self) -> None:
        """It stays open."""


GIVEN = _Given()


class House:
    """Where links are: they stand in its book until they are closed."""

    loop: Dispatcher
    sessions: Sessions
    links: dict[int, Linked]
    lent: list[Timed]
    """Those of them that somebody has lent: tick() comes when it is due, where that was told by sessions.on_time()."""

    def has_output(self, link: Link) -> None:
        """A link has something to send. From any thread."""
        raise NotImplementedError

    def soon(self, call: Callable[[], object]) -> None:
        """Have it called in the loop's thread. From any thread."""
        raise NotImplementedError


class Link:
    """A connected client: his socket, and his talk."""

    flags = 0
    """Of recv(2) and send(2)."""

    def __init__(self, house: House, made: socket.socket, peer: str) -> None:
        self._house, self._loop = house, house.loop
        self.socket = made
        self.fd = made.fileno()
        self._reader = LineReader(LINE_MAX)
        self._left = b""  # to be sent, when the kernel takes more
        self._mask = READ
        self._is_sending = False
        self.receive: Callable[[], object] = self._hear
        """What is done when something has come."""
        self.partner: Link | None = None
        """Who is closed with it."""
        self._taker: Taker | None = None  # who has it when all has been said
        self.talk = self._talk_with(peer)
        self.talk.send_now = self._send_now
        self.talk.give_to = self._give_to
        if isinstance(made, socket.socket):
            self.talk.another_descriptor = made.dup

    def _talk_with(self, peer: str) -> Talk:
        """Begin the talk. Raises OSError where there are too many."""
        return Talk(self._house.sessions, peer, lambda: self._house.has_output(self))

    def begin(self) -> None:
        """Hear him."""
        self.socket.setblocking(False)
        if self.socket.family in (socket.AF_INET, socket.AF_INET6):
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._loop.add(self.fd, self.on_ready, READ, lambda: self.is_closed)

    def on_ready(self, events: int) -> None:
        """He says something, or takes more. The loop's thread."""
        try:
            if events & READ:
                self.receive()
            elif events & (HANGUP | ERROR):
                self.close()
                return
            if events & WRITE or self.talk.is_over or self.talk.out or self.talk.is_waiting:
                self.flush()
        except BaseException:  # interrupted in the middle of a request: he asks what has become of it
            self._close_at_once()
            raise

    def _hear(self) -> None:
        lines: list[bytes] = []
        talk, reader = self.talk, self._reader
        try:
            if not reader.read(self.fd, lines, self.flags):
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
                count = self.socket.send(data, self.flags)
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
            self._close_at_once()
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
            self._house.has_output(self)
        return True

    def _go_on(self) -> None:
        if not self.is_closed and self.talk.may_go_on:
            self.talk.has_answered()

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
                    count = self.socket.send(data, self.flags)
                except BlockingIOError:
                    self._left = data
                    break
                self._left = data[count:]
                talk.sent(count)
        except OSError:
            self.close()
            return
        except BaseException:  # of a signal handler: as with _send()
            self._close_at_once()
            raise
        finally:
            self._is_sending = False
        if talk.is_over and not talk.out and not self._waits_to_send():
            self._end()
        elif not self.is_closed:
            self._want()
            if talk.may_go_on and not self._left:
                self._house.soon(self._go_on)

    def _waits_to_send(self) -> int:
        return WRITE if self._left else 0

    def _want(self) -> None:
        """Wait for what is wanted now."""
        mask = (READ if self.talk.listens else 0) | self._waits_to_send()
        if mask != self._mask:
            self._mask = mask
            self._loop.modify(self.fd, mask)

    @property
    def is_closed(self) -> bool:
        """Whether the connection is."""
        return self.socket.fileno() < 0

    def close(self) -> None:
        """End the connection; the session may go on. Twice is fine."""
        do_all(
            self._leave_loop,
            self.socket.close,
            self._leave_house,
            self.talk.end,
            self._close_partner,
            self._close_taker,
        )

    def _give_to(self, taker: Taker) -> None:
        self._close_taker()
        self._taker = taker

    def _close_taker(self) -> None:
        taker, self._taker = self._taker, None
        if taker is not None:
            taker.close()

    def _end(self) -> None:
        """All has been said: close it, or give it to who has it from now on."""
        taker, talk, made = self._taker, self.talk, self.socket
        if taker is None or talk.session.talk is talk:  # or it was given to nobody, for that has failed
            self.close()
            return
        self._leave_loop()
        taker.begin(made)
        self.socket, self._taker = GIVEN, None  # type: ignore[assignment] # which is closed, and stays so

    def _close_partner(self) -> None:
        partner = self.partner
        if partner is not None and not partner.is_closed:
            partner.close()

    def _close_at_once(self) -> None:
        """The same, on the way of an exception of a signal handler: it is that one which others hear of."""
        try:
            self.close()
        except Exception as e:
            log.warning("%s: %s", self.talk.session.peer, e)

    def _leave_loop(self) -> None:
        if not self.is_closed and self._loop.has(self.fd):
            self._loop.remove(self.fd)

    def _leave_house(self) -> None:
        if self._house.links.get(self.fd) is self:
            self._house.links.pop(self.fd)

    def abandon(self) -> None:
        """Close the descriptor alone, in the child of a fork."""
        self.socket.close()
