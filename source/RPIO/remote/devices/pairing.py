# SPDX-License-Identifier: LGPL-3.0-or-later
"""The client's side of a pairing: a key of its own, a certificate for it from the device, and where both are kept.

Nobody is known at first, so that TLS is begun with whoever answers. That it is the device, and nobody between, follows
from the code: see wire/pairing. What the device has given is written when a new connection by it has succeeded.
"""

from __future__ import annotations

import os
import secrets
import socket
import ssl
from shutil import rmtree
from time import time

from ... import errors
from ...machine import openssl
from ...machine.new_files import new_file
from ...wire import pairing as wire
from ...wire.native import split
from ...wire.same import is_same
from .. import tls
from ..places import hosts
from ..places.places import HOST_PORT, PORT, Place, opened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..places.hosts import Known

CONNECT_S = 10.0
ANSWER_S = 30.0
"""A Pi Zero computes for some seconds."""


class Host:
    """Who is to be paired with: what was typed, HOST or HOST:PORT. Raises ValueError."""

    def __init__(self, typed: str) -> None:
        text = typed.partition("://")[2] if typed.startswith("remote://") else typed
        found = HOST_PORT.fullmatch(text)
        if found is None and text.count(":") > 1:
            found = HOST_PORT.fullmatch(f"[{text}]")  # an address of IPv6
        port = int(found["port"] or PORT) if found else 0
        if found is None or not 0 < port < 65536:
            raise ValueError(f"{typed!r} is no machine: that is pi.local, 192.168.1.7 or HOST:PORT")
        self.name, self.port = hosts.spelled(found["host"]), port

    def __str__(self) -> str:
        name = f"[{self.name}]" if ":" in self.name else self.name
        return name if self.port == PORT else f"{name}:{self.port}"

    def look(self) -> None:
        """Look whether anybody is there, before the code is asked for, which may take a while. Raises as connect()."""
        self.connect().close()

    def connect(self) -> socket.socket:
        """Connect. Raises OSError, with what to do."""
        name = f"[{self.name}]" if ":" in self.name else self.name
        try:
            return Place(f"remote+insecure://{name}:{self.port}").connect(CONNECT_S)
        except OSError as e:
            text = f"{self}: {e.strerror or e}"
            raise errors.GPIOError(text, hint=opened(self.port)) from e


def pair(host: Host, name: str, code: str) -> Known:
    """Be paired with a device, as *name*, by its code (see wire.read_code). Return what is known now.

    Raises:
        NotAllowedError: the device refuses, as for a wrong code, or it is not the one that shows the code.
        ProtocolError: what answers pairs otherwise, or not at all. NotSupportedError: there is no openssl.
        GPIOError, OSError: it cannot be reached.
    """
    base = hosts.folder()
    os.makedirs(base, mode=0o700, exist_ok=True)
    draft = f"{base}/{hosts.PAIRING}{secrets.token_hex(8)}"
    try:
        os.mkdir(draft, 0o700)
        request, w = _request(draft), wire.password(code)
        made = host.connect()
        try:
            channel = tls.connected(made, tls.blind_context(), CONNECT_S, str(host))
            answer = _Talk(channel, host).pair(request, name, w, channel.tls.certificate())
        finally:
            made.close()
        return _stored(draft, answer, host, _check(draft, answer, host))
    finally:
        rmtree(draft, ignore_errors=True)


def know(host: Host, authority: str) -> tuple[Known, str]:
    """Write down a device's authority (PEM) alone, for who has a token; return what is known now, and why it could not
    be compared with the device, "" where it was.

    Raises:
        ValueError: that is no certificate. NotAllowedError: the device has another one.
    """
    try:
        der = ssl.PEM_cert_to_DER_cert(authority.strip() + "\n")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(cadata=ssl.DER_cert_to_PEM_cert(der))
    except (ValueError, ssl.SSLError):
        raise ValueError(
            "that is no authority's certificate: it is the file tls/ca.pem of the device"
        ) from None
    problem = reached = ""
    try:
        made = host.connect()
    except (errors.GPIOError, OSError) as e:
        problem = str(e)
    else:
        try:
            tls.connected(made, context, CONNECT_S, str(host))
            reached = address_of(made)
        finally:
            made.close()
    return hosts.store(host.name, authority, "", "", time(), port=host.port, reached=reached), problem


def address_of(made: socket.socket) -> str:
    """Where a socket leads to, as people write it; "" where it has gone."""
    try:
        return str(made.getpeername()[0]).removeprefix("::ffff:")
    except OSError:
        return ""


def _request(draft: str) -> bytes:
    """Make a key, and a request for its certificate (DER)."""
    with new_file(f"{draft}/key", 0o600):
        pass  # the file is there, and nobody else's to read, before openssl writes it
    with open(f"{draft}/words", "w", encoding="ascii") as file:
        file.write("[req]\ndistinguished_name = name\nprompt = no\n[name]\nCN = RPIO client\n")
    words = ["req", "-new", *openssl.CURVE, "-keyout", "key", "-config", "words", "-outform", "DER"]
    done = openssl.run([*words, "-out", "request"], draft)
    if done.returncode != 0:
        raise openssl.reason(done)
    with open(f"{draft}/request", "rb") as file:
        return file.read()


class _Talk:
    """The lines that are said."""

    def __init__(self, channel: tls.Channel, host: Host) -> None:
        self._channel, self._host, self._come = channel, host, b""
        channel.settimeout(ANSWER_S)

    def pair(self, request: bytes, name: str, w: int, certificate: bytes) -> wire.Answer:
        """All of them; return what the device gives. The certificate is that which it has shown in the handshake."""
        digest = wire.digest(request)
        side = wire.exchange(True, w, digest, certificate)
        self._say(wire.Begin(side.share, name, digest).line())
        try:
            keys = side.finish(wire.read_reply(self._hear()))
        except ValueError as e:
            if isinstance(e, errors.GPIOError):
                raise
            raise errors.ProtocolError("what answers there does not pair") from None
        self._say(wire.confirm(keys.confirmation, request))
        mac, answer, sealed = wire.read_confirmed(self._hear())
        if not is_same(mac.hex(), keys.expected.hex()) or not is_same(
            sealed.hex(), wire.seal(keys, answer).hex()
        ):
            raise errors.NotAllowedError(
                "what answers does not know the code, so that it is not the device that shows it",
                hint="is the name right? `rpio pair` there shows by which ones it is reached",
            )
        return wire.Answer.read(answer)

    def _say(self, line: bytes) -> None:
        while line:
            line = line[self._channel.send(line) :]
        while not self._channel.flush():
            pass  # it blocks, for as long as its timeout says

    def _hear(self) -> bytes:
        while b"\n" not in self._come:
            if len(self._come) > wire.ANSWER_MAX:
                raise errors.ProtocolError("what answers there does not pair")
            data = self._received()
            if data == b"":
                raise errors.ConnectionLost(f"{self._host} has closed the connection", hint="try again")
            self._come += data or b""
        line, _, self._come = self._come.partition(b"\n")
        return line

    def _received(self) -> bytes | None:
        """What has come; empty at the end, None for a part of a record."""
        try:
            return self._channel.recv(tls.PIECE)
        except BlockingIOError:
            return None
        except TimeoutError:
            text = f"{self._host} has not answered within {ANSWER_S:g} s"
            raise errors.ConnectionLost(text, hint="try again") from None
        except ConnectionResetError:
            return b""  # by whomever
        except ssl.SSLError as e:
            raise tls.refused(e, str(self._host)) from None


def _check(draft: str, answer: wire.Answer, host: Host) -> str:
    """Connect anew, with what the device has given: it works, or nothing is kept of it. Returns where it was."""
    for file, text in (("authority", answer.authority), ("certificate", answer.certificate)):
        with open(f"{draft}/{file}", "w", encoding="ascii", errors="replace") as written:
            written.write(text)
    try:
        context = tls.client_context(f"{draft}/authority", f"{draft}/certificate", f"{draft}/key")
    except (ssl.SSLError, OSError):
        raise errors.ProtocolError("what the device has given are no certificates that go together") from None
    made = host.connect()
    try:
        channel = tls.connected(made, context, CONNECT_S, str(host))
        talk = _Talk(channel, host)
        talk._say(b"ping\n")
        words = split(talk._hear().decode("utf-8", "replace"))
        if words[:1] != ["ok"]:
            text = wire.readable(" ".join(words[2:3]) or "that is no answer", wire.TEXT_MAX)
            raise errors.NotAllowedError(f"it does not know the certificate that it has given: {text}")
        return address_of(made)
    finally:
        made.close()


def _stored(draft: str, answer: wire.Answer, host: Host, reached: str) -> Known:
    with open(f"{draft}/key", encoding="ascii") as file:
        key = file.read()
    return hosts.store(
        host.name,
        answer.authority,
        answer.certificate,
        key,
        time(),
        names=answer.names,
        addresses=answer.addresses,
        reached=reached,
        port=host.port,
        scopes=answer.scopes,
        lines=answer.lines,
    )
