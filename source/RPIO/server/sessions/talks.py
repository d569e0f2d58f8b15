# SPDX-License-Identifier: LGPL-3.0-or-later
"""One connection of a session: lines in, bytes out. No socket here.

What is asked again and again is answered in a hurry: reads and writes of one line that no rule speaks of, by the bytes
of the request itself. That is forgotten with every change of rules, owners or directions.
"""

from __future__ import annotations

from ... import errors
from ...wire.native import Refused, Request, Server
from .hearing import Hearer
from .native import carry_out, plain_call, words_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from socket import socket as Socket
    from typing import Any

    from .hearing import Taker
    from .sessions import Sessions

OUT_BYTES = 1 << 18
"""As much may wait to be sent before edges wait elsewhere, and nothing more is read."""
SHORTCUTS_MAX = 256
ZERO = ord("0")
"""A number that begins with it is to be written otherwise: fate looks for numbers as they are written."""
PLAIN: dict[object, bytes] = {None: b"ok #", 0: b"ok 0 #", 1: b"ok 1 #"}
"""What a shortcut returns -> how its answer begins."""


def _cannot(text: bytes) -> bool:
    """Sends nothing."""
    return False


def _not_lent(idle_s: float) -> None:
    """What lend does where nothing can be handed over."""
    raise errors.NotSupportedError(
        "nothing can be lent by this connection", hint="that is done at a daemon's unix socket"
    )


class Talk(Hearer):
    """A connection. *on_output* is called when say() has something to be sent."""

    def __init__(self, sessions: Sessions, peer: str, on_output: Callable[[], object]) -> None:
        self._sessions, self._leases, self.on_output = sessions, sessions.leases, on_output
        self._safety = sessions.leases.safety
        self.send_now: Callable[[bytes], bool] = _cannot
        """Sends a line where that can be done at once, and nothing waits; whether it has."""
        self.lend = _not_lent
        """What lend does."""
        self.session = sessions.begin(peer)
        self.session.talk = self
        self.codec = Server()
        self.is_over = False
        """It is to be closed when what is left has been sent."""
        self.out: list[bytes] = []
        self.waiting_bytes = 0
        """How much waits to be sent."""
        self.is_waiting = False
        """A request without a number is answered later, and what comes behind it is answered behind it; or so much has
        been answered that others are served before what comes behind that.
        """
        self._is_late = False  # it is the former
        self._behind: list[bytes] = []
        self._shortcuts: dict[bytes, Callable[[], object]] = {}
        self._changes = -1

        self.another_descriptor: Callable[[], Socket] = super().another_descriptor
        self.give_to: Callable[[Taker], object] = super().give_to  # type: ignore[assignment]

    # -- what is to be sent ----------------------------------------------------------------------

    @property
    def has_room(self) -> bool:
        """Whether more may be said."""
        return self.waiting_bytes < OUT_BYTES

    @property
    def listens(self) -> bool:
        """Whether more is to be read."""
        return self.waiting_bytes < OUT_BYTES and not self.is_over and not self.is_waiting

    def say(self, text: bytes) -> None:
        """Send a line."""
        if not self.waiting_bytes and self.send_now(text):
            return
        size = len(text)
        self.out.append(text)
        self.waiting_bytes += size
        self.on_output()

    def take(self) -> bytes:
        """Return what is to be sent, once."""
        out, self.out = self.out, []
        return b"".join(out)

    def sent(self, count: int) -> None:
        """So much has been sent."""
        had_room = self.has_room
        self.waiting_bytes -= count
        if not had_room and self.has_room:
            self.session.go_on_telling()

    @property
    def may_go_on(self) -> bool:
        """Whether has_answered() is to be called, when others have had their turn: nothing is waited for but room."""
        return self.is_waiting and not self._is_late and self.has_room

    # -- what comes ------------------------------------------------------------------------------

    def hear(self, lines: Sequence[bytes], begun: bytes = b"") -> bytes:
        """Do what these lines ask; return the answers. *begun* is what has come of a line that has not ended."""
        if self.is_over:
            return b""
        shortcuts = self._shortcuts
        answers: list[bytes] = []
        size = 0
        for at, line in enumerate(lines):
            if answers:
                size += len(answers[-1])
            if self.is_waiting or size > OUT_BYTES:
                self._behind += lines[at:]
                self.is_waiting = True
                break
            head, _, number = line.rpartition(b" #")
            shortcut = shortcuts.get(head)
            if shortcut is not None and number.isdigit() and len(number) < 19 and number[0] != ZERO:
                answer = self._take_shortcut(shortcut, number)
                if answer:
                    answers.append(answer)
                    continue
            answers.append(self._hear(line))
            if self.is_over:
                break
        if not self.is_over and not self.codec.is_known and begun:
            try:
                self.codec.check_begun(begun)
            except errors.ProtocolError as e:
                answers.append(self._refuse(e))
        return b"".join(answers) if len(answers) != 1 else answers[0]

    def _take_shortcut(self, shortcut: Callable[[], object], number: bytes) -> bytes:
        """Return the answer; nothing where the shortcut is none any more. Another thread changes what it was learned
        from before, or after.
        """
        session = self.session
        with self._leases.lock:
            if self._changes != self._safety.changes:
                self._shortcuts.clear()
                return b""
            session.begun = number
            try:
                said = shortcut()
                begin = said if type(said) is bytes else PLAIN[said]
                if not begin:
                    return b""
                answer = begin + number + b"\n"
            except Exception as e:
                return self._has_failed(number, e)
        session.done.append(number)
        return answer

    def _has_failed(self, number: bytes, error: Exception) -> bytes:
        self.session.has_failed(int(number), *words_of(error))
        return Server.error(*words_of(error), int(number))

    def _refuse(self, error: errors.ProtocolError) -> bytes:
        """Answer once, and read nothing more."""
        self.is_over = True
        return Server.error("ProtocolError", [str(error)], None)

    def refuse_long(self, most: int) -> bytes:
        """The same for a line that does not end."""
        return self._refuse(errors.ProtocolError(f"a line of more than {most} bytes"))

    def _hear(self, line: bytes) -> bytes:
        try:
            request = self.codec.request(line)
        except errors.ProtocolError as e:
            return self._refuse(e)
        if request is None:
            return b""
        session = self.session
        if isinstance(request, Refused):
            session.has_failed(request.id, "ValueError", [request.text])
            return Server.error("ValueError", [request.text], request.id)
        name = request.operation.name
        if name == "hello":
            try:
                answer = self._sessions.hello(self, request)
            except OSError as e:  # there are too many
                self.is_over = True
                return Server.error(*words_of(e), request.id)
            self._shortcuts.clear()  # of whom they were learned may be another one than this is now
            self.session.go_on_telling()
            return answer
        if name == "bye":
            self.is_over = True
            session.end()
            return Server.answer(request)
        session.begins(request)
        answer = carry_out(self._leases, session, request)
        if not answer and request.id is None:
            self.is_waiting = self._is_late = True
            return b""
        if name in ("read", "write"):
            self._learn(request)
        elif name == "smbus" and request.values[2] and answer.startswith(b"ok"):
            self._learn_call(line, request)
        return answer

    def _may_learn(self) -> bool:
        """Forget what is known where things have changed; whether there is room for more."""
        changes = self._safety.changes
        if self._changes != changes:  # another thread, say, may have changed it in the middle of the request
            self._shortcuts.clear()
            self._changes = changes
        return len(self._shortcuts) < SHORTCUTS_MAX

    def _learn(self, request: Request) -> None:
        """Answer the same in a hurry next time, where nobody but the backend has a say in it."""
        items: Any = request.values[0]
        if not self._may_learn() or len(items) != 1:
            return
        (item,) = items
        if request.operation.name == "read":
            read = self._leases.plain_read(item)
            if read is not None:
                self._shortcuts[b"read %d" % item] = read
        else:
            write = self._leases.plain_write(self.session.owner, *item)
            if write is not None:
                self._shortcuts[b"write %d %d" % item] = self._audited(write, *item)

    def _learn_call(self, line: bytes, request: Request) -> None:
        """The same for a call that reads, at a bus that answers at once."""
        head, _, number = line.rpartition(b" #")
        if number.isdigit() and self._may_learn():
            self._shortcuts[head] = plain_call(self.session, request)

    def _audited(self, write: Callable[[], object], line: int, level: int) -> Callable[[], object]:
        """The same, written down where that is done."""
        audit = self._sessions.audit
        return write if audit is None else audit.noting(write, self.session.owner.name, line, level)

    def has_answered(self) -> None:
        """What was waited for has been said: go on with what came behind it."""
        if self.is_waiting:
            self.is_waiting = self._is_late = False
            behind, self._behind = self._behind, []
            answers = self.hear(behind)
            if answers:
                self.say(answers)
            self.on_output()  # which looks whether more is to be read

    # -- the end ---------------------------------------------------------------------------------

    def end(self) -> None:
        """The connection is closed, by whichever side."""
        self.is_over = True
        session = self.session
        if session.talk is self and not session.is_over:
            self._sessions.lost(session)
