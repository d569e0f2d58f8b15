# SPDX-License-Identifier: LGPL-3.0-or-later
"""TLS without a socket: bytes of the wire in and out, what is said in and out. For both sides, on whichever loop.

OpenSSL reads and writes memory here (ssl.MemoryBIO), so that nothing of it ever waits, and a connection that is idle
costs what its state needs and no more. Source: asyncio's own TLS takes 272 kB a connection, this 17 kB: measured.
"""

from __future__ import annotations

import socket
import ssl
from errno import ECONNRESET
from time import monotonic

from .. import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .._gpio import LineReader

PIECE = 1 << 14
"""So much is taken from the wire at once."""
ANSWERS_MAX = 1 << 16
"""So much may wait to be sent that answers what the other side has said of the connection: one who asks for new keys
again and again, and reads nothing, has no more.
"""
PIECES = (PIECE,)
RECORD, SHORT = 1 << 14, 1 << 10
"""The most that is said at once, and what most things are shorter than. Source: RFC 8446, 5.1."""
FIRST_BYTE = 0x16
"""How a client begins TLS: a handshake. Source: RFC 8446, 5.1. No line of a text begins so."""
ADVICE = {
    9: "{it} is not valid yet: is the clock right, here and there? (timedatectl)",
    10: "{it} is over: pair again, or is the clock wrong, here or there? (timedatectl)",
    18: "{it} is signed by nobody",
    19: "{it} is signed by somebody else",
    20: "{it} is that of another device, or it has been set up anew",
    21: "{it} is that of another device, or it has been set up anew",
    26: "{it} was made for something else",
}
"""Why a certificate is not taken. Source: OpenSSL, include/openssl/x509_vfy.h, X509_V_ERR_*."""
ALERTS = {
    "UNKNOWN_CA": "this machine's certificate was made by another device, or the device has been set up anew",
    "CERTIFICATE_EXPIRED": "this machine's certificate is over",
    "BAD_CERTIFICATE": "this machine's certificate is none that the device takes",
    "UNSUPPORTED_CERTIFICATE": "this machine's certificate was made for something else",
    "CERTIFICATE_REVOKED": "this machine's certificate has been revoked",
    "CERTIFICATE_UNKNOWN": "the device does not know this machine's certificate",
    "PROTOCOL_VERSION": "it speaks no TLS 1.2 or 1.3",
    "WRONG_VERSION_NUMBER": "what answers speaks no TLS",
}
"""What an error's name ends with -> what it means here. Source: RFC 8446, 6.2."""


def client_context(authority: str, certificate: str = "", key: str = "") -> ssl.SSLContext:
    """Return what a client needs: the file of the one authority that it trusts, and those of its own certificate.

    That authority is a single device's, and pinned: whoever has a server's certificate of it is that device, whatever
    it is called today, so that names are not compared. Raises OSError, ssl.SSLError.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_REQUIRED
    made.load_verify_locations(authority)
    if certificate:
        made.load_cert_chain(certificate, key, password="")  # one that needs a password is none of ours
    _bound(made)
    return made


def blind_context() -> ssl.SSLContext:
    """Return what a client needs who knows nobody yet, and is about to find out by a code who it is."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    _bound(made)
    return made


def server_context(certificate: str, key: str, authority: str) -> ssl.SSLContext:
    """Return what a server needs: its certificate and key, and the authority of its clients' certificates, which it
    asks for. Who has none may show a token. Raises OSError, ssl.SSLError.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(certificate, key, password="")  # one that needs a password is none of ours
    made.load_verify_locations(authority)
    made.verify_mode = ssl.CERT_OPTIONAL
    made.num_tickets = 0  # who comes again shows his certificate again, which may have been revoked
    _bound(made)
    return made


def _bound(made: ssl.SSLContext) -> None:
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET


class Tls:
    """One side of a connection. Raises ssl.SSLError, which is an OSError: see explained()."""

    __slots__ = ("_object", "come", "feed", "go", "is_ready", "take", "write")

    def __init__(self, context: ssl.SSLContext, is_server: bool = False) -> None:
        self.come, self.go = ssl.MemoryBIO(), ssl.MemoryBIO()
        """What has come by the wire, and what is to be sent by it."""
        self._object = made = context.wrap_bio(self.come, self.go, server_side=is_server)
        self.write: Callable[[bytes], int] = made.write
        """Says some of that to the other side, a record at most; returns how much."""
        self.feed: Callable[[bytes], int] = self.come.write
        """This has come by the wire."""
        self.take: Callable[[], bytes] = self.go.read
        """Returns what is to be sent by the wire, once."""
        self.is_ready = False
        """The handshake is done."""

    def handshake(self) -> bool:
        """Go on with it; whether it is done. There may be something to send then, also where it has failed."""
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        self.is_ready = True
        return True

    def read(self) -> bytes:
        """Return what the other side has said."""
        try:
            found = self._object.read(SHORT)
        except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            return b""  # a part of a record; or the end, of which this side has told its own already
        # To ask where there is nothing costs more than all the rest. What is full may not have been all of its record.
        return self._read_on(found) if self.come.pending or len(found) == SHORT else found

    def _read_on(self, found: bytes) -> bytes:
        pieces = [found]
        try:
            while pieces[-1]:  # else the other side says nothing more
                pieces.append(self._object.read(RECORD))
        except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            pass  # that was all
        return b"".join(pieces)

    def has_ended(self) -> bool:
        """Whether the other side has said that it says nothing more. All that has come has been read: see read()."""
        try:
            return not self._object.read(1)
        except ssl.SSLZeroReturnError:
            return True
        except ssl.SSLWantReadError:
            return False

    def end(self) -> None:
        """Say that nothing more is said. What has come has been read, and what comes may be read still. Source: RFC
        8446, 6.1.
        """
        try:
            self._object.unwrap()
        except (ssl.SSLWantReadError, ssl.SSLSyscallError):
            return  # the other side has not said so, and need not for a while

    def certificate(self) -> bytes:
        """The other side's, as DER; empty where it has shown none."""
        return self._object.getpeercert(binary_form=True) or b""


class Channel:
    """A socket, with TLS between: what a socket does, this does. Where it does not block, nor does this; one whose send
    is to wait until all is sent has a *patience_s*. For lines, it has a *reader*.

    What has been encrypted is sent in that order, and what comes is read in its order, or all behind it is lost. So who
    is interrupted in the middle, by an exception of a signal handler, leaves ``is_torn``; and a handler that sends or
    reads in the middle of it is refused, as after a connection that is lost. It is never so while nothing comes.

    An end of recv() is one that the other side has told of: without that somebody between may have cut off the rest.
    """

    def __init__(
        self, made: socket.socket, tls: Tls, reader: LineReader | None = None, patience_s: float = 0.0
    ) -> None:
        self._socket, self.tls, self.reader, self.patience_s = made, tls, reader, patience_s
        self._send_raw, self._receive_raw = made.send, made.recv
        self._take, self._feed, self._write, self._open = tls.take, tls.feed, tls.write, tls.read
        self._go = tls.go
        self.family = made.family
        self.fileno, self.setsockopt = made.fileno, made.setsockopt
        self.setblocking, self.settimeout = made.setblocking, made.settimeout
        self.pending = b""
        """What has been encrypted and not been sent: flush()."""
        self.is_torn = False
        self._ends_with: int | None = None  # how it is to be shut down when all has been sent

    @property
    def is_pending(self) -> bool:
        """Whether something has been encrypted and not been sent."""
        return bool(self.pending)

    def _begin(self) -> None:
        if self.is_torn:
            raise ConnectionResetError("a signal handler has come in the middle of a record of TLS")
        self.is_torn = True

    def flush(self) -> bool:
        """Send what waits; whether that was all."""
        if self.pending:
            self._begin()
            self._send()
            self.is_torn = False
            if self._ends_with is not None and not self.pending:
                self._socket.shutdown(self._ends_with)
        return not self.pending

    def _send(self) -> None:
        try:
            self.pending = self.pending[self._send_raw(self.pending) :]
        except BlockingIOError:
            return  # nothing is taken now

    def send(self, data: bytes, flags: int = 0) -> int:
        """Send some of it; return how much, of which some may wait here. Raises BlockingIOError, OSError."""
        if self.pending and not self.flush():
            raise BlockingIOError
        if self.is_torn:
            self._begin()
        self.is_torn = True
        count = self._write(data)
        cipher = self._take()
        try:
            sent = self._send_raw(cipher)
        except BlockingIOError:
            sent = 0
        if sent != len(cipher):
            self.pending = cipher[sent:]
        self.is_torn = False
        if self.pending and self.patience_s:
            self._send_all()
        return count

    def _send_all(self) -> None:
        """Send the rest of what the caller takes for sent."""
        until_s = monotonic() + self.patience_s
        while not self.flush():
            if monotonic() >= until_s:
                raise TimeoutError(f"nothing has been taken for {self.patience_s:g} s")

    def _receive(self, flags: int) -> int:
        """Hand on what has come by the wire; return how much, 0 at the end. Nothing comes between its two halves."""
        return sum(map(self._feed, map(self._receive_raw, PIECES, (flags,))))

    def _answer(self) -> None:
        """To a change of keys."""
        self.pending += self._take()
        if len(self.pending) > ANSWERS_MAX:
            raise ConnectionResetError("it takes no answers")
        self._send()

    def shake(self) -> bool:
        """Receive once, and go on with the handshake of a socket that does not block; whether it is done."""
        if not self._receive(0):
            raise ConnectionResetError("it has gone")
        self._begin()
        is_done = self.tls.handshake()
        if self._go.pending:
            self._answer()
        self.is_torn = False
        return is_done

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Return what has come, of whichever size; empty at the end. Raises BlockingIOError where nothing has;
        ConnectionResetError where it has ended before the other side has said so.
        """
        while True:
            count = self._receive(flags)  # which raises BlockingIOError in the end
            self._begin()
            found = self._open()
            if self._go.pending:
                self._answer()
            has_ended = not found and self.tls.has_ended()
            self.is_torn = False
            if found or has_ended:
                return found
            if not count:
                raise ConnectionResetError(ECONNRESET, "it has been cut off")
            # A part of a record, or something about the connection: who asks is not told that nothing more is there.

    def shutdown(self, how: int) -> None:
        """As that of a socket. Of one that is to be sent to no more the other side is told so by TLS, as it can be told
        by nobody else. What was to be sent has been: see flush().
        """
        if how != socket.SHUT_RD and self.tls.is_ready and self._ends_with is None and not self.is_torn:
            self._ends_with, self.is_torn = how, True
            self.tls.end()
            self.pending += self._take()
            self._send()
            self.is_torn = False
        if not self.pending:  # else flush() does it
            self._socket.shutdown(how)

    def say_end(self) -> None:
        """Tell the other side that this one ends it, if that can be sent now; nothing waits for it. Before close().
        Twice is fine. Not in the child of a fork: it would speak for the parent.
        """
        if self._socket.fileno() < 0 or not self.tls.is_ready or self._ends_with is not None or self.is_torn:
            return
        self._ends_with, self.is_torn = socket.SHUT_WR, True
        try:
            self.tls.end()
        except ssl.SSLError:
            pass  # it has said more, which nobody reads any more
        self.pending += self._take()
        try:
            self._send()
        except OSError:
            pass  # it has gone

    # -- lines -----------------------------------------------------------------------------------

    @property
    def begun(self) -> bytes:
        """What has come of the line that is not complete."""
        return self._lines.begun

    @property
    def most(self) -> int:
        """As many bytes may a line have."""
        return self._lines.most

    @property
    def _lines(self) -> LineReader:
        assert self.reader is not None
        return self.reader

    def read(self, fd: int, lines: list[bytes], flags: int, /) -> int:
        """As LineReader's: receive once, and append the lines that are complete now; return how many bytes have come
        by the wire, 0 at the end.

        Raises:
            ValueError: a line is longer than the reader takes. BlockingIOError, OSError.
        """
        count = sum(map(self._feed, map(self._receive_raw, PIECES, (flags,))))
        if self.is_torn:
            self._begin()
        self.is_torn = True
        found = self._open()
        if self._go.pending:
            self._answer()
        try:
            self.reader.feed(found, lines)  # type: ignore[union-attr]
        except ValueError:
            self.is_torn = False
            raise
        self.is_torn = False
        return count

    def read_on(self, lines: list[bytes]) -> None:
        """Read what has come already: together with the end of the handshake, say."""
        self._begin()
        found = self._open()
        self.is_torn = False
        self._lines.feed(found, lines)

    def close(self) -> None:
        """Close the socket. Twice is fine."""
        self._socket.close()


def explained(error: ssl.SSLError, it: str = "the other side's certificate") -> str:
    """What has gone wrong, in words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        advice = ADVICE.get(error.verify_code, f"{{it}} is not taken: {error.verify_message}")
        return advice.format(it=it)
    reason = error.reason or ""
    return next((text for name, text in ALERTS.items() if reason.endswith(name)), "") or (
        f"TLS has failed: {reason.replace('_', ' ').lower() or error}"
    )


def connected(
    made: socket.socket,
    context: ssl.SSLContext,
    timeout_s: float,
    where: str,
    reader: LineReader | None = None,
    patience_s: float = 0.0,
) -> Channel:
    """Shake hands as a client, on a connected socket; return the channel. Whoever is at the other end is known by then,
    if the context knows anybody.

    Raises:
        NotAllowedError: it is somebody else. OSError: the connection has ended; TimeoutError.
    """
    tls = Tls(context)
    until_s = monotonic() + timeout_s
    try:
        while not tls.handshake():
            left_s = until_s - monotonic()
            if left_s <= 0:  # something has come all the time
                raise TimeoutError(f"{where} has not shaken hands within {timeout_s:g} s")
            made.settimeout(left_s)
            made.sendall(tls.take())
            data = made.recv(PIECE)
            if not data:
                raise ConnectionResetError(f"{where} has closed the connection instead of beginning TLS")
            tls.feed(data)
        made.sendall(tls.take())
    except ssl.SSLError as e:
        try:
            made.sendall(tls.take())  # why it ends: the other side logs it
        except OSError:
            pass  # it has gone
        raise refused(e, where) from None
    return Channel(made, tls, reader, patience_s)


def refused(error: ssl.SSLError, where: str) -> errors.GPIOError:
    """The error of a connection that TLS has refused."""
    host = where.rpartition(":")[0] or where
    return errors.NotAllowedError(
        f"{where}: {explained(error, 'its certificate')}",
        hint=f"if that is so, pair anew: `rpio pair` there, and `rpio pair {host}` here",
    )
