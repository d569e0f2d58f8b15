# SPDX-License-Identifier: LGPL-3.0-or-later
"""A connection whose other end a server hands on to a process there: by ssh, or by an operation of RPIO's own protocol,
after whose "ok" it speaks something else.
"""

from __future__ import annotations

from ... import errors, threads
from ...wire.native import joined
from ...wire.terms import VERSION
from ..places import tokens
from ..places.link import LinkLost, unreachable
from ..sessions.answers import words_of
from .piping import AT_ONCE, is_pending

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from typing import Any

    from ..places.places import Place
    from ..places.ssh import Channel

HEARD_MAX = 1 << 16
CONNECT_S = 10.0


def connected(
    place: Place, who: str, program: str, operation: str, patience_s: float, *words: str
) -> tuple[_socket.socket, Channel | None]:
    """Return a connection to what *operation* asks for ("modules", "runs", "tunnel"), with *words* behind it: its
    socket, which leads through TLS where that is between, and by ssh what has that.

    Raises: as reached().
    """
    made, channel, rest = reached(place, who, program, operation, patience_s, *words)
    if channel is not None or not hasattr(made, "tls"):
        return made, channel
    threads.load("RPIO.remote.tunnels.piped")
    from . import piped

    return piped.plain(made, rest), None


def reached(
    place: Place, who: str, program: str, operation: str, patience_s: float, *words: str
) -> tuple[Any, Channel | None, bytes]:
    """The same, without a socket where TLS is between, but a Channel of that; and what has come there already.

    *who* and *program* is how the server lists it. A place that is reached by ssh is asked by an option of `rpio serve
    --stdio`, see SSH_OPTIONS.

    Raises:
        NoBackendError: nobody answers there.
        NotAllowedError: a scope is missing, or nothing of others runs there.
        NotSupportedError: the other side is older, or does not serve that.
    """
    asked = [operation, *words]
    try:
        if place.ssh is not None:
            channel = place.ssh.connect(patience_s, " ".join([SSH_OPTIONS[operation], *words]))
            made = channel.socket
            assert made is not None
            if operation in ANSWERS:
                _hear(channel, made, place, patience_s)
            return made, channel, b""
        made = place.connect(min(patience_s, CONNECT_S))
        try:
            made.settimeout(patience_s)
            sealed = place.seal(made, patience_s)
            hello = ["hello", str(VERSION), who, program, "0", ""]
            # Before it has been shown, or a certificate, another machine tells nobody anything.
            first = [*_token(place), hello] if sealed is not None else [hello, *_token(place)]
            whom = _Asked(made, place) if sealed is None else _Asked(sealed, place, AT_ONCE)
            made.settimeout(patience_s)
            whom.ask(first)
            if operation in PATIENT:
                made.settimeout(None)
            whom.ask([asked])
        except BaseException:
            made.close()
            raise
        return (made if sealed is None else sealed), None, whom.rest
    except errors.GPIOError as e:
        raise place.advised(e) from None
    except OSError as e:
        if errors.is_lack(e):
            raise
        raise unreachable(place, e) from None
    except LinkLost as e:
        raise errors.NoBackendError(f"no {WHAT[operation]} are to be had: {e}") from None


SSH_OPTIONS = {"modules": "--modules", "runs": "--programs", "tunnel": "--tunnel"}
WHAT = {"modules": "modules", "runs": "programs", "tunnel": "tunnels", "tunnel_back": "calls"}
PATIENT = ("tunnel_back",)
"""Operations whose answer may come at any time."""
ANSWERS = ("tunnel",)
"""Operations of which an answer comes first by ssh, too."""


def _hear(channel: Channel, made: _socket.socket, place: Place, patience_s: float) -> None:
    """Wait for the answer. Raises the error that it is, or what ssh has said."""
    try:
        made.settimeout(patience_s)
        _Asked(made, place).hear()
    except (LinkLost, errors.ProtocolError):
        failure = channel.failure()
        channel.close()
        raise failure from None
    except BaseException:
        channel.close()
        raise


def _token(place: Place) -> list[list[str]]:
    token = tokens.shown_to(place)
    return [["token", token]] if token else []


class _Asked:
    """Who is asked: a socket, or a channel of TLS, which gives all that has come at once."""

    def __init__(self, made: Any, place: Place, at_once: int = 1) -> None:
        self._made, self._place, self._at_once = made, place, at_once
        self.rest = b""
        """What has come behind the answers, which is for others."""

    def ask(self, asked: list[list[str]]) -> None:
        """Ask one after the other. Raises the error that is answered."""
        for number, words in enumerate(asked, 1):
            self._say(joined(words, number))
            self.hear()

    def _say(self, data: bytes) -> None:
        while data:
            data = data[self._made.send(data) :]
        while is_pending(self._made):
            self._made.flush()

    def hear(self) -> None:
        """Wait for an answer. Raises the error that it is; LinkLost."""
        while b"\n" not in self.rest:
            try:
                more = self._made.recv(self._at_once)
            except BlockingIOError:
                continue  # a part of what was encrypted
            except TimeoutError:
                raise LinkLost(f"{self._place} has not answered in time") from None
            if not more or len(self.rest) > HEARD_MAX:
                raise LinkLost(f"{self._place} has closed the connection")
            self.rest += more
        line, _, self.rest = self.rest.partition(b"\n")
        words_of(line.rpartition(b" #")[0] or line)
