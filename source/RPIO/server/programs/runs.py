# SPDX-License-Identifier: LGPL-3.0-or-later
"""Programs that sessions have run: the daemon's side of the keeper, the process that has them (programs/keeper).

It is started when somebody wants programs, and ended when nobody does any more. A connection is handed on to it, with a
token that its programs may show here: so what they hold is theirs, and goes when they are over. From then on the daemon
sees none of its bytes; it keeps a descriptor, by which it notices the end, and makes one.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
from array import array
from time import time

from ... import errors, log
from ...board.undoing import do_all
from ...loop.masks import READ
from ...loop.soon import Soon
from ...processes import hooks
from ...programs import process, starter
from ...wire.terms import GPIO, I2C
from ...wire.terms import READ as READ_SCOPE
from ..rights.access import Token, digest_of
from ..sessions.hearing import Away

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ...loop.dispatcher import Dispatcher
    from ...loop.soon import Later
    from ..rights.access import Access
    from ..sessions.sessions import Session
    from ..settings.policy import Policy

KEEPER = "RPIO.programs.keeper.main"
IDLE_S = 30.0
"""So long is the keeper kept when nobody has anything running."""
END_S = 1.0
"""Besides the grace time of its programs, so long has it for its end."""
MESSAGE_MAX = 1 << 16
OFF = "programs of others do not run here"
TURNED_OUT = "what was shown there, a certificate or a token, has been revoked, or its time is over"
OWNER_REVOKED = "it is ended: what was shown by who has started it has been revoked, or its time is over"
LAST_WORDS_S = 2.0
"""So long has the keeper to say why somebody is turned out."""
HINT = "enabled = true in [run] of the configuration of the daemon, and a token with the scope run"


class Runs:
    """The keeper, and who has been handed on to it. *environment* is what its programs get."""

    def __init__(
        self,
        loop: Dispatcher,
        policy: Policy,
        environment: Callable[[], Mapping[str, str]],
        access: Access,
        revoke: Callable[[str], object],
    ) -> None:
        self._loop, self._policy, self._environment = loop, policy, environment
        self._access, self._revoke = access, revoke
        self._process: process.Process | None = None
        self._control: socket.socket | None = None
        self._soon: Soon | None = None
        self._idle: Later | None = None
        self._leaving: dict[process.Process, Later] = {}
        self._last = 0
        self._tokens: dict[int, Token] = {}
        self._shown: dict[int, list[Token]] = {}
        """What they have shown themselves, each of whom a token of _tokens was made for."""
        self.given: dict[int, Given] = {}
        """Those that have been handed on, and are there still."""

    def check(self) -> None:
        """Raise NotAllowedError where nothing of others runs here."""
        if not self._policy.is_on:
            raise errors.NotAllowedError(OFF, hint=HINT)

    # -- who comes -------------------------------------------------------------------------------

    def hand_on(self, session: Session) -> None:
        """Hand the connection of a session on, which has asked for that on it.

        Raises:
            NotAllowedError: nothing of others runs here, or not as the user that is wanted.
            OSError: no process is to be had.
        """
        self.check()
        talk = session.talk
        if talk is None:
            raise errors.NotSupportedError("this session has no connection")
        given = Given(self, session, talk.another_descriptor())
        self._give(given)
        talk.is_over = True  # when the answer has been sent
        session.talk = given
        session.on_end = given.end

    def connect(self, session: Session) -> socket.socket:
        """Return a connection to the keeper, for a session whose own speaks something else. It does not block; who has
        it closes it. The end of the session ends it.

        Raises: as hand_on().
        """
        self.check()
        with hooks.making:
            ours, its = socket.socketpair()
        try:
            given = Given(self, session, its)
            self._give(given)
            session.on_end = given.end
            ours.setblocking(False)
        except BaseException:
            ours.close()
            raise
        return ours

    def _give(self, given: Given) -> None:
        try:
            self._last += 1
            given.number = self._last
            self._send(given)
            self.given[given.number] = given
            given.begin()
        except BaseException:
            given.forget()
            raise

    def _send(self, given: Given) -> None:
        text = secrets.token_urlsafe(32)
        name = f"programs of {given.session.owner.name}"
        scopes = (READ_SCOPE, GPIO, I2C)
        shown = list(given.session.tokens.values())
        until_s = min((token.until_s for token in shown if token.until_s is not None), default=None)
        token = Token(f"run-{given.number}", digest_of(text), scopes, None, name, time(), until_s)
        control = self._open()
        with hooks.making:
            file = os.memfd_create("rpio-token", os.MFD_CLOEXEC)
        try:
            os.fchmod(file, 0o600)
            os.write(file, text.encode())
            told = {"number": given.number, "peer": given.session.owner.name}
            numbers = array("i", [given.socket.fileno(), file])
            control.sendmsg([json.dumps(told).encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, numbers)])
        finally:
            os.close(file)
        self._shown[given.number] = shown
        self._tokens[given.number] = self._access.made[token.id] = token

    def check_tokens(self, valid: set[str]) -> None:
        """End the programs of those whose tokens are not of these digests, detached ones too."""
        over = [
            number for number, shown in self._shown.items() if not valid.issuperset(t.digest for t in shown)
        ]
        if over and self._control is not None:
            try:
                self._control.send(json.dumps({"end": over, "why": OWNER_REVOKED}).encode())
            except OSError as e:
                log.warning("programs of who is revoked go on: %s", e.strerror)
        do_all(*[lambda number=number: self._drop(number) for number in over])

    def turn_out(self, given: Given) -> bool:
        """Have the keeper say why to one, and close the connection, which is cut a little later in any case. Whether it
        has been told.
        """
        if self._control is None or self._soon is None:
            return False
        try:
            self._control.send(json.dumps({"turn_out": given.number, "why": TURNED_OUT}).encode())
        except OSError as e:
            log.warning("%s is not told why it ends: %s", given.session.owner.name, e)
            return False
        given.last_words = self._soon.after(LAST_WORDS_S, given.cut)
        return True

    def went(self, given: Given) -> None:
        """One has gone. Twice is fine."""
        self.given.pop(given.number, None)

    @property
    def loop(self) -> Dispatcher:
        """Where ends are waited for."""
        return self._loop

    # -- the process -----------------------------------------------------------------------------

    def _open(self) -> socket.socket:
        """The control socket of the keeper, which is started where there is none."""
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        if self._control is not None:
            return self._control
        if self._soon is None:
            self._soon = Soon(self._loop)
        who = process.user(self._policy.user)
        with hooks.making:
            ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            ours.setblocking(False)
            told = {**self._policy.of_keeper(who.home), "control": its.fileno(), "listen": ""}
            started = starter.start(KEEPER, told, who, [its.fileno()], self._environment())
        except BaseException:
            ours.close()
            raise
        finally:
            its.close()
        self._process, self._control = started, ours
        self._loop.add(ours.fileno(), self._on_told, READ)
        log.debug("+ programs run as %s (process %d)", who.name, started.pid)
        return ours

    def _on_told(self, events: int) -> None:
        """The keeper says who is over; or has ended."""
        assert self._control is not None
        try:
            data = self._control.recv(MESSAGE_MAX)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._dismiss()
            return
        told = json.loads(data)
        for number in told["over"]:
            given = self.given.get(number)
            if given is not None:  # who could not come
                given.session.end()
            self._drop(number)
        if told["is_idle"] and not self.given and self._soon is not None and self._idle is None:
            self._idle = self._soon.after(IDLE_S, self._end_idle)

    def _drop(self, number: int) -> None:
        self._shown.pop(number, None)
        token = self._tokens.pop(number, None)
        if token is not None:
            self._access.made.pop(token.id, None)
            self._revoke(token.id)

    def _end_idle(self) -> None:
        self._idle = None
        if not self.given:
            self._dismiss()

    def _dismiss(self) -> None:
        """Have the keeper end, which it does without its control socket, and do not wait for it: lines are served here
        meanwhile.
        """
        started, self._process = self._process, None
        self._end_process(0.0)
        if started is not None and self._soon is not None:
            grace_s = self._policy.places.grace_s + END_S
            self._leaving[started] = self._soon.after(grace_s, lambda: self._has_left(started))
            self._loop.add(started.fileno(), lambda events: self._has_left(started), READ)

    def _has_left(self, started: process.Process) -> None:
        """It has ended, or its time is over. Twice is fine."""
        later = self._leaving.pop(started, None)
        if later is not None:
            later.cancel()
            self._loop.remove(started.fileno())
            started.close()

    def _end_process(self, grace_s: float) -> None:
        """End the keeper, and with it all programs. Twice is fine."""
        control, self._control = self._control, None
        started, self._process = self._process, None
        if control is not None:
            self._loop.remove(control.fileno())
            control.close()
        steps: list[Callable[[], object]] = []
        for given in list(self.given.values()):
            steps += [given.session.end, given.cut]
        steps += [lambda number=number: self._drop(number) for number in list(self._tokens)]  # type: ignore[misc]
        if started is not None:
            steps.append(lambda: started.end(grace_s))
        do_all(*steps)

    def close(self) -> None:
        """End all of it. Twice is fine."""
        grace_s = self._policy.places.grace_s + END_S
        do_all(lambda: self._end_process(grace_s), lambda: self._end_leaving(grace_s), self._close_soon)

    def _end_leaving(self, grace_s: float) -> None:
        for started in list(self._leaving):
            started.end(grace_s)
        self._leaving.clear()

    def _close_soon(self) -> None:
        soon, self._soon = self._soon, None
        if soon is not None:
            soon.close()


class Given(Away):
    """A connection that the keeper has, in the place of its session's talk."""

    def __init__(self, runs: Runs, session: Session, made: socket.socket) -> None:
        super().__init__(session)
        self._runs, self.socket = runs, made
        self.number = 0
        self.last_words: Later | None = None
        """Its end, while the keeper says why."""
        self._has_ended = self._is_turned_out = False

    def begin(self) -> None:
        """Wait for its end."""
        self._runs.loop.add(
            self.socket.fileno(), lambda events: self._on_gone(), process.RDHUP, lambda: self._has_ended
        )

    def _on_gone(self) -> None:
        """The connection has ended, by whomever."""
        if self.last_words is not None:
            self.cut()
        else:
            self.session.end()

    def turn_out(self, why: bytes) -> None:
        """The session ends next; what is spoken here the keeper alone can say."""
        self._is_turned_out = True

    def end(self) -> None:
        """End the connection: its programs end with it, but for those that were detached. Twice is fine."""
        if self._has_ended or self.last_words is not None:
            return
        if not (self._is_turned_out and self._runs.turn_out(self)):
            self.cut()

    def cut(self) -> None:
        """End it at once. Twice is fine."""
        if self._has_ended:
            return
        self._leave()
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it has ended
        self.socket.close()

    def forget(self) -> None:
        """It has not begun: the connection goes on, where the error is told."""
        self._leave()
        self.socket.close()

    def _leave(self) -> None:
        self._has_ended = self.is_over = True
        if self.last_words is not None:
            self.last_words.cancel()
        self._runs.went(self)
        if self._runs.loop.has(self.socket.fileno()):
            self._runs.loop.remove(self.socket.fileno())
