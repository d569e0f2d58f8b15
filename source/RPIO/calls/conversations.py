# SPDX-License-Identifier: LGPL-3.0-or-later
"""Calls between two programs: who asks waits for the answer, and does meanwhile what he is asked in the same
conversation. So a thread and the one that works for it at the other side are as one: a callback of a callback of a
call runs where the call was made.
"""

from __future__ import annotations

from itertools import count
from sys import _current_frames
from time import monotonic

from .. import threads
from ..wire.objects import ANSWER, ASKS, FAILED, GIVEN_UP, Side, frame, values_of
from ..wire.raised import error_of, told
from .exchange import Broken, Exchange, Full, Mail

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from ..wire.objects import Bytes
    from .exchange import Frame

CONVERSATION_MAX = (1 << 32) - 3


class Late(Exception):
    """No answer has come in time."""


class Conversations:
    """What is asked and answered over an Exchange. *first* is 1 at the side that connects, and 2 at the other one.

    *carry_out* does what is asked: it gets the kind and the values, and returns the values of the answer. *lost* makes
    the error of a connection that has ended, from the reason.
    """

    def __init__(
        self,
        exchange: Exchange,
        side: Side,
        first: int,
        carry_out: Callable[[int, list[object]], Sequence[object]],
        lost: Callable[[str], Exception],
    ) -> None:
        self.exchange, self.side = exchange, side
        self._carry_out, self._lost = carry_out, lost
        self._numbers = count(first, 2)  # without a lock, which a signal handler would wait for in vain
        self._inside: dict[int, list[Mail]] = {}
        """thread -> the conversations in which it does what it was asked, the innermost last."""
        self._free: dict[int, list[Mail]] = {}
        """thread -> its own conversations in which it asks nothing now: one, and another for each signal handler that
        has asked in the middle of a question.
        """
        self.on_error: Callable[[BaseException], object] = lambda error: None
        """Called with what an asked function has raised."""
        self.passes: tuple[type[BaseException], ...] = ()
        """Those that are raised here as well, when the other side has been told."""

    # -- asking ----------------------------------------------------------------------------------

    def ask(self, kind: int, values: Sequence[object], timeout_s: float | None) -> list[object]:
        """Ask, and return the values of the answer.

        Raises:
            Late: none has come in time. The other side is told that nobody waits for it any more.
            TypeError, ValueError: of a value that cannot cross; nothing has been asked.
            Exception: what the other side has raised, or what lost() makes.
        """
        ident = threads.get_ident()
        inside = self._inside.get(ident)
        is_inner = bool(inside)
        mail = self._mail(ident, inside)
        is_idle = True
        mail.turn = turn = mail.turn + 1
        try:
            parts = frame(kind, mail.number, turn, values, self.side)
            until_s = None if timeout_s is None else monotonic() + timeout_s
            is_idle = False
            answer = self._exchanged(mail, parts, turn, until_s)
            is_idle = True
        finally:
            if is_inner and inside is not None:
                inside.append(mail)  # an answer that comes still is known by its number
            elif is_idle:
                self._free.setdefault(ident, []).append(mail)
            else:
                self._give_up(mail)
        if answer[0] == ANSWER:
            return values_of(answer[3], self.side)
        raise error_of(values_of(answer[3], self.side))

    def _exchanged(self, mail: Mail, parts: list[Bytes], turn: int, until_s: float | None) -> Frame:
        """Send, and wait for the answer; do meanwhile what is asked."""
        try:
            self.exchange.send(parts, until_s)
            while True:
                found = self.exchange.wait(mail, until_s)
                if found is None:
                    raise Late
                if found[0] in ASKS:
                    self.do(mail, found)
                elif found[2] == turn:
                    return found
                else:
                    self.let_go(found)
        except Broken as e:
            raise self._lost(str(e)) from None
        except Full:
            raise Late from None

    def _mail(self, ident: int, inside: list[Mail] | None) -> Mail:
        """The conversation of this thread; where it is in use, since a signal handler asks in its middle, another."""
        if inside:
            return inside.pop()
        return _last(self._free.get(ident)) or self._begun()

    def _begun(self) -> Mail:
        living = _current_frames()
        for ident, free in list(self._free.items()):
            if ident not in living:  # of a thread that has ended
                self._free.pop(ident, None)
                mail = _last(free)
                if mail is not None:
                    return mail
        number = next(self._numbers)
        if number > CONVERSATION_MAX:
            raise self._lost("it has had too many conversations")
        return self.exchange.mail(number)

    def _give_up(self, mail: Mail) -> None:
        """Nobody waits for the answer any more: what comes of it is nobody's."""
        self.exchange.drop(mail.number)
        try:
            self.exchange.send(frame(GIVEN_UP, mail.number, 0, (), self.side), monotonic())
        except (Broken, Full):
            return  # it has ended, or is told with what is sent next

    # -- being asked -----------------------------------------------------------------------------

    def do(self, mail: Mail, found: Frame) -> None:
        """Do what is asked in a conversation, and answer. Broken comes out of this, and what a signal handler raises
        between two of its steps.
        """
        kind, number, turn, body = found
        inside = self._inside.setdefault(threads.get_ident(), [])
        depth = len(inside)
        inside.append(mail)
        try:
            try:
                values = self._carry_out(kind, values_of(body, self.side))
                answer = frame(ANSWER, number, turn, values, self.side)
            except Broken:
                raise
            except BaseException as e:
                self.on_error(e)
                answer = frame(FAILED, number, turn, told(e, _of_others(e)), self.side)
                if isinstance(e, self.passes):
                    self.exchange.send(answer)
                    raise
        finally:
            del inside[depth:]
        self.exchange.send(answer)  # where nobody waits for it any more, its objects are let go of there

    def let_go(self, found: Frame) -> None:
        """Drop an answer that nobody waits for any more, and the objects in it."""
        if found[0] == ANSWER:
            values_of(found[3], self.side)

    def refuse(self, found: Frame, error: Exception) -> None:
        """Answer a question with an error, where nobody is to work at it."""
        self.exchange.drop(found[1])
        self.exchange.send(frame(FAILED, found[1], found[2], told(error, None), self.side))

    def serve(self, mail: Mail) -> None:
        """Do what is asked in a conversation, until it is over. Raises Broken at the end of all."""
        while not mail.is_over:
            found = self.exchange.wait(mail)
            if found is not None and found[0] in ASKS:
                self.do(mail, found)
            elif found is not None:
                self.let_go(found)


def _last(mails: list[Mail] | None) -> Mail | None:
    """Take one. Several threads may, of one list."""
    try:
        return mails.pop() if mails else None
    except IndexError:
        return None


def _of_others(error: BaseException) -> TracebackType | None:
    """The traceback without what is ours at its beginning."""
    trace = error.__traceback__
    ours = f"{__file__.rpartition('calls')[0]}"
    while (
        trace is not None and trace.tb_next is not None and trace.tb_frame.f_code.co_filename.startswith(ours)
    ):
        trace = trace.tb_next
    return trace
