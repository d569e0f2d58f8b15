# SPDX-License-Identifier: LGPL-3.0-or-later
"""Where those wait who have connected from elsewhere, until TLS is between and they have shown who they are: by a
certificate, or by a token, which is then the first thing that they say. They are no sessions as yet, and are told
nothing of what is here. What they cost is bounded: in number, of each address too, in time, and in what they may say.
"""

from __future__ import annotations

import socket
import ssl
from time import monotonic, monotonic_ns, time

from ... import errors, log
from ..._gpio import LineReader
from ...board.undoing import do_all
from ...loop.masks import ERROR, HANGUP, READ, WRITE
from ...remote import tls
from ...remote.places.places import is_loopback
from ...threads import start_new_thread
from ...wire.native import FIRST_MAX, LINE_MAX, Server, split
from ..rights.access import Rights
from ..sessions.native import words_of
from .sealed import SealedLink
from .strangers import COMING_MAX, SHOWN_S, Refusals, first_to_go

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from ..connections.doors import Door
    from ..connections.front import Front
    from ..rights.access import Token
    from .pairing import Conversation, Pairing

    class Keys(Protocol):
        """What this machine shows: its certificate."""

        def context(self) -> ssl.SSLContext:
            """TLS with it. Raises OSError, GPIOError."""

        def certificate_der(self) -> bytes:
            """The certificate."""


NS_PER_S = 1_000_000_000
PAIRING_S = 60
FAREWELL_S = 2
"""So long is waited for one who was refused to hear of it."""
PAIRING_LINE_MAX = 8192
FRESH_NS = 86_400 * NS_PER_S
"""So long is a certificate taken for what it was; one that is nearly over is made anew."""
JUMP_S = 3600.0
"""A clock that was set by more makes a certificate one that is not valid yet, or no more: it is looked at anew."""
UNKNOWN = errors.NotAllowedError(
    "this machine is not paired with that one, and has shown no token",
    hint="run `rpio pair` there, and `rpio pair HOST` here; or RPIO_TOKEN_FILE names the file of a token",
)
PLAIN = errors.NotAllowedError(
    "this port speaks TLS to other machines",
    hint="run `rpio pair` there, and `rpio pair HOST` here; remote+insecure:// is for servers with --insecure",
)


class Coming:
    """One who waits."""

    def __init__(self, lobby: Lobby, made: socket.socket, door: Door, address: str, peer: str) -> None:
        self._lobby, self._socket, self._door = lobby, made, door
        self.address, self.peer = address, peer
        self.fd = made.fileno()
        self._channel: tls.Channel | None = None
        self._pairing: Conversation | None = None
        self._is_refused = False
        self._is_held = False  # until it is known which certificate he is shown
        self._shown = b""  # that one, in DER
        self.due_ns: int | None = None
        """When he has taken too long; None for a program of this machine, which has shown that it is one."""

    # -- what comes ------------------------------------------------------------------------------

    def on_ready(self, events: int) -> None:
        """He says something, or takes more. The loop's thread."""
        try:
            if self._is_held and events & (HANGUP | ERROR):
                self.close()
            elif events & ~WRITE:
                self._hear()
            if not self.is_closed and self._channel is not None:
                self._channel.flush()
                self._want()
        except BlockingIOError:
            return
        except ssl.SSLError as e:
            self._farewell()
            self._drop(tls.explained(e, "its certificate"))
        except OSError as e:
            self._drop(e.strerror or str(e))
        except errors.GPIOError as e:  # there is no certificate of ours
            self._drop(str(e))
        except BaseException:
            self.close()
            raise

    def _hear(self) -> None:
        if self._is_refused:
            if not self._socket.recv(tls.PIECE):
                self.close()
        elif self._channel is None:
            self._look_at_first()
        elif not self._channel.tls.is_ready:
            self._shake()
        else:
            lines: list[bytes] = []
            if not self._channel.read(self.fd, lines, 0):
                self._drop("it has gone without a word")
                return
            self._heard(lines)

    def _look_at_first(self) -> None:
        first = self._socket.recv(1, socket.MSG_PEEK)
        if not first:
            self.close()  # who looks whether the port is open
        elif first[0] == tls.FIRST_BYTE:
            context = self._lobby.context()
            self._is_held = context is None
            if context is None:
                self._lobby.want(self, 0)
                return
            self._shown = self._lobby.certificate
            self._channel = tls.Channel(self._socket, tls.Tls(context, is_server=True), LineReader(LINE_MAX))
            self._lobby.give_time(self, SHOWN_S)
            self._shake()
        elif self._lobby.is_open_to(self.address):
            self._lobby.leave(self)
            self._lobby.front.admit(self._socket, self._door, self.peer)
        else:
            self._socket.send(Server.error(*words_of(PLAIN), None))
            self._refuse("it speaks no TLS")

    def _shake(self) -> None:
        channel = self._channel
        assert channel is not None
        if not channel.shake():
            return
        self._lobby.give_time(self, SHOWN_S)
        certificate = channel.tls.certificate()
        lines: list[bytes] = []
        channel.read_on(lines)
        if certificate:
            access = self._lobby.front.sessions.access
            self._admit_by(lambda: access.show_certificate(certificate), lines)
        else:
            self._heard(lines)

    def _heard(self, lines: list[bytes]) -> None:
        """Lines of one who has shown no certificate."""
        most = FIRST_MAX if self._pairing is None else PAIRING_LINE_MAX
        begun = b"" if self._channel is None else self._channel.begun
        if len(begun) > most or any(len(line) > most for line in lines):
            self._say_and_refuse(errors.NotAllowedError("that is too long for one who is not known"), b"")
            return
        while lines and not self.is_closed and not self._is_refused:
            if self._pairing is not None:
                self._pairing.hear(lines.pop(0))
                continue
            word = lines[0].split(b" ", 1)[0]
            if word == b"token":
                self._show(lines)
                return
            if word == b"pair" and self._lobby.pairing is not None:
                self._pair(lines.pop(0))
                continue
            self._say_and_refuse(UNKNOWN, lines[0])

    def _show(self, lines: list[bytes]) -> None:
        """He shows a token. The talk that begins then looks at it again, and answers."""
        words = split(lines[0].decode("utf-8", "replace"))
        access = self._lobby.front.sessions.access
        self._admit_by(lambda: access.show(words[1] if len(words) > 1 else ""), lines)

    def _admit_by(self, show: Callable[[], Token | None], lines: list[bytes]) -> None:
        """Admit one whom what he shows makes known. Of what is wrong with the lists here, nothing is told."""
        access, line = self._lobby.front.sessions.access, lines[0] if lines else b""
        try:
            token = show()
        except (errors.GPIOError, OSError, ValueError) as e:
            self._say_and_refuse(access.told_outside(e), line)
        else:
            if token is None:  # there are no tokens at all, and nothing is open to him
                self._say_and_refuse(UNKNOWN, line)
            else:
                self._admit(token, lines)

    def _pair(self, line: bytes) -> None:
        lobby, channel = self._lobby, self._channel
        assert lobby.pairing is not None and channel is not None
        lobby.give_time(self, PAIRING_S)
        self._pairing = lobby.pairing.begin(self.peer, self._shown, self._say, self._has_paired)
        self._pairing.hear(line)

    def _say(self, text: bytes) -> None:
        """Send that, if he is there still. The loop's thread."""
        channel = self._channel
        if channel is None or self.is_closed:
            return
        try:
            channel.send(text)
            self._want()
        except OSError as e:
            self._drop(e.strerror or "it takes nothing")

    def _has_paired(self, why: str) -> None:
        """It is over: well, or *why* it is not."""
        self._pairing = None
        if not self.is_closed:
            self._refuse(why)

    # -- how it ends -----------------------------------------------------------------------------

    def _admit(self, token: Token, lines: list[bytes]) -> None:
        channel = self._channel
        assert channel is not None
        lobby = self._lobby
        peer = f"{token.name}, {self.peer}" if token.name and channel.tls.certificate() else self.peer
        try:
            link = SealedLink(lobby.front, channel, peer)
        except OSError as e:  # too many sessions
            self._say_and_refuse(e, lines[0] if lines else b"")
            return
        try:
            session = link.talk.session
            session.rights = Rights({})
            session.proof = token.digest
            session.grant(
                token
            )  # at once, of a token too: who is taken off the list from now on is not here any more
            lobby.leave(self)
            lobby.front.begin(link)
            if lines and not link.is_closed:
                link.hear_first(lines)
        except BaseException:
            link.close()  # else his session would stay
            raise

    def _say_and_refuse(self, error: Exception, line: bytes) -> None:
        """Answer what he has asked, by nothing but that."""
        number = line.rpartition(b" #")[2]
        id = int(number) if number.isdigit() and len(number) < 19 else None
        self._say(Server.error(*words_of(error), id))
        if not self.is_closed:
            self._refuse(str(error))

    def _refuse(self, why: str) -> None:
        """Hear no more, but leave him time to hear it: what is closed with something unread tells nothing any more."""
        if why:
            self._lobby.refusals.note(self.address, why)
        self._is_refused = True
        try:
            if self._channel is None or self._channel.flush():
                (self._channel or self._socket).shutdown(socket.SHUT_WR)
        except OSError:
            self.close()
            return
        self._lobby.give_time(self, FAREWELL_S)

    def _farewell(self) -> None:
        """Say by TLS why there is none."""
        try:
            if self._channel is not None:
                self._socket.send(self._channel.tls.take())
        except OSError as e:
            log.debug("- %s: %s", self.peer, e)

    def _drop(self, why: str) -> None:
        if not self._is_refused:
            self._lobby.refusals.note(self.address, why)
        self.close()

    def go_on(self) -> None:
        """It is known which certificate there is."""
        if self._is_held:
            self._is_held = False
            self._lobby.want(self, READ)

    def too_late(self) -> None:
        """His time is over."""
        self._drop("it has not shown in time who it is")

    def _want(self) -> None:
        channel = self._channel
        waits = channel is not None and channel.is_pending
        if not waits and self._is_refused and not self.is_closed:
            (self._channel or self._socket).shutdown(socket.SHUT_WR)
        if self._is_held:
            return
        self._lobby.want(self, READ | (WRITE if waits else 0))

    @property
    def is_closed(self) -> bool:
        """Whether he has gone, or is a client now."""
        return self._lobby.waiting.get(self.fd) is not self

    def close(self) -> None:
        """Close the connection. Twice is fine."""
        pairing, self._pairing = self._pairing, None
        if self._channel is not None:
            self._channel.say_end()
        do_all(
            lambda: self._lobby.leave(self),
            self._socket.close,
            *([pairing.close] if pairing is not None else []),
        )

    def abandon(self) -> None:
        """Close the descriptor alone, in the child of a fork."""
        self._socket.close()


class Lobby:
    """That of a front end. *keys* is what this machine shows; with *is_insecure* everybody else may do what those of
    this machine may, without TLS too. *pairing* is where who wants to be paired is heard.
    """

    def __init__(
        self, front: Front, keys: Keys, is_insecure: bool = False, pairing: Pairing | None = None
    ) -> None:
        self.front, self._keys, self._is_insecure, self.pairing = front, keys, is_insecure, pairing
        self.refusals = Refusals()
        self.waiting: dict[int, Coming] = {}
        self._context: ssl.SSLContext | None = None
        self._made_ns, self._clock_s = 0, 0.0
        self._is_looking = self._is_doubtful = False  # at the certificate; and it may not be good any more
        self.certificate = b""
        """What this machine shows, in DER."""

    def open(self) -> None:
        """Have what TLS needs. Raises OSError, GPIOError."""
        self._has(self._keys.context(), self._keys.certificate_der())

    def _has(self, context: ssl.SSLContext, certificate: bytes) -> None:
        self._context, self.certificate = context, certificate
        self._made_ns, self._clock_s = monotonic_ns(), time() - monotonic()

    def context(self) -> ssl.SSLContext | None:
        """TLS with this machine's certificate; None where it may not be good any more, as that is looked at: then those
        who wait are heard when it is known.
        """
        if self._context is None:
            self.open()
        is_set = abs(time() - monotonic() - self._clock_s) > JUMP_S
        if (is_set or monotonic_ns() - self._made_ns > FRESH_NS) and not self._is_looking:
            self._is_looking, self._is_doubtful = True, is_set
            try:  # openssl takes its time, which is nobody else's
                start_new_thread(self._look_apart, ())
            except RuntimeError as e:  # there are too many
                self._has_looked(None, b"", str(e))
        return None if self._is_doubtful else self._context

    def _look_apart(self) -> None:
        """In a thread."""
        found, der, problem = None, b"", ""
        try:
            found, der = self._keys.context(), self._keys.certificate_der()
        except Exception as e:  # of whatever kind: those who wait are heard again
            problem = str(e) or type(e).__name__
        self.front.soon(lambda: self._has_looked(found, der, problem))

    def _has_looked(self, found: ssl.SSLContext | None, certificate: bytes, problem: str) -> None:
        self._is_looking = self._is_doubtful = False
        if found is None:
            assert self._context is not None
            log.warning("the certificate is not looked at: %s", problem)
        self._has(found or self._context, certificate or self.certificate)  # type: ignore[arg-type]
        for coming in list(self.waiting.values()):
            coming.go_on()

    def is_open_at(self, port: int) -> None:
        """Others can come now, by that port, as `rpio pair` is to know."""
        try:
            if self.pairing is not None:
                self.pairing.is_reached_at(port)
        except OSError as e:
            log.warning("nobody can be paired: %s: %s", e.filename, e.strerror)

    def is_open_to(self, address: str) -> bool:
        """Whether that address may do without TLS, and without showing anything."""
        return self._is_insecure or is_loopback((address, 0))

    def take(self, made: socket.socket, door: Door, address: object) -> None:
        """Have one wait here who has connected. Raises OSError."""
        host = str(address[0]).removeprefix("::ffff:") if isinstance(address, tuple) else ""
        addresses = {coming: coming.address for coming in self.waiting.values()}
        old = first_to_go(addresses, host, self.refusals.most(host), COMING_MAX)
        if old is not None:
            old.close()
        made.setblocking(False)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        coming = Coming(self, made, door, host, door.peer(made, address))
        self.waiting[coming.fd] = coming
        try:
            self.front.loop.add(coming.fd, coming.on_ready, READ, lambda: coming.is_closed)
        except BaseException:
            coming.close()
            raise
        if not is_loopback((host, 0)):
            self.give_time(coming, SHOWN_S)

    def give_time(self, coming: Coming, seconds: int) -> None:
        """So long has he for what comes next."""
        coming.due_ns = monotonic_ns() + seconds * NS_PER_S
        self.front.set_timer()

    def want(self, coming: Coming, mask: int) -> None:
        """Have the loop wait for that."""
        if not coming.is_closed and self.front.loop.has(coming.fd):
            self.front.loop.modify(coming.fd, mask)

    def leave(self, coming: Coming) -> None:
        """He waits no more. Twice is fine."""
        if self.waiting.get(coming.fd) is coming:
            try:
                self.front.loop.remove(coming.fd)
            finally:
                self.waiting.pop(coming.fd, None)

    def due_ns(self) -> int | None:
        """When the time of the first of them is over."""
        return min((c.due_ns for c in self.waiting.values() if c.due_ns is not None), default=None)

    def tick(self) -> None:
        """End those whose time is over."""
        now_ns = monotonic_ns()
        for coming in list(self.waiting.values()):
            if coming.due_ns is not None and coming.due_ns <= now_ns:
                coming.too_late()

    def close(self) -> None:
        """End all of them. Twice is fine."""
        for coming in list(self.waiting.values()):
            coming.close()
        if self.pairing is not None:
            self.pairing.close()

    def abandon(self) -> None:
        """Close the descriptors alone, in the child of a fork."""
        for coming in self.waiting.values():
            coming.abandon()
