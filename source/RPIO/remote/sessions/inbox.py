# SPDX-License-Identifier: LGPL-3.0-or-later
"""What comes over a connection, and whose it is: answers of those who have asked, and what comes unasked."""

from __future__ import annotations

from time import monotonic, sleep

from ... import errors, log
from ..places.link import NAP_S, LinkLost
from .answers import words_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..places.link import Link

ANSWERS_MAX = 1 << 16
"""So many answers may wait for those who have asked; only those who were interrupted do not come for theirs."""


class Inbox:
    """The answers that have come, by the numbers of their requests. *on_event* gets each line that is none.

    Who waits for an answer reads for all, with the lock of the link.
    """

    def __init__(self, timeout_s: float, on_event: Callable[[bytes], object]) -> None:
        self._timeout_s, self._on_event = timeout_s, on_event
        self._answers: dict[bytes, bytes] = {}
        self._is_sorting = False

    def answer(self, link: Link, number: bytes) -> bytes:
        """Read until the answer of that number is there, and return it. Raises LinkLost."""
        answers = self._answers
        until_s = 0.0
        while True:
            with link.lock:
                self.sort(link, number)  # what came before this was asked, too
                if number in answers:
                    return answers.pop(number)
                has_come = link.receive()
                self.sort(link, number)
                if number in answers:
                    return answers.pop(number)
            if not has_come:
                sleep(0)  # others want the lock as well
                until_s = until_s or monotonic() + self._timeout_s - NAP_S
                if monotonic() >= until_s:
                    raise self._silent(link)

    def are_plain(self, link: Link, marks: list[bytes]) -> bool:
        """Wait until as many lines have come; whether they are a plain "ok" each. Else they are left there."""
        lines, until_s = link.lines, 0.0
        while len(lines) < len(marks):
            if link.receive():
                until_s = 0.0
                continue
            until_s = until_s or monotonic() + self._timeout_s
            if monotonic() >= until_s:
                raise self._silent(link)
        if lines != [b"ok" + mark for mark in marks]:
            return False
        lines.clear()
        return True

    def _silent(self, link: Link) -> LinkLost:
        return LinkLost(f"{link.place} has not answered for {self._timeout_s:g} s")

    def sort(self, link: Link, number: bytes = b"") -> None:
        """Put what has come where it belongs."""
        lines = link.lines  # the same list for ever: who has been interrupted goes on with it
        if self._is_sorting:  # this thread does so further out, and a signal handler asks in the middle of it
            mine = [line for line in lines if number and line.endswith(b" #" + number)]
            for line in mine:
                lines.remove(line)
                self._answers[number] = line.rpartition(b" #")[0]
            return
        self._is_sorting, was_torn = True, link.is_torn
        try:
            while lines:
                link.is_torn = True  # a line is nowhere
                self._put(link, lines.pop(0))
                link.is_torn = was_torn
        finally:
            self._is_sorting = False

    def _put(self, link: Link, line: bytes) -> None:
        head, mark, number = line.rpartition(b" #")
        if mark and number.isdigit():
            self._answers[number] = head
            if len(self._answers) > ANSWERS_MAX:
                self._answers.pop(next(iter(self._answers)))
        elif line.startswith(b"error "):
            try:
                words_of(line)
            except errors.NotAllowedError as e:
                if not link.is_greeted:
                    raise  # nobody is told anything who has not shown who he is
                raise LinkLost(f"{link.place} says: {e}") from None
            except Exception as e:
                raise LinkLost(f"{link.place} says: {e}") from None
        else:
            try:
                self._on_event(line)
            except errors.ProtocolError:
                if not link.is_greeted or not line.split(b" ", 1)[0].isalpha():
                    raise
                log.debug("%s says what this RPIO does not know: %r", link.place, line[:80])
