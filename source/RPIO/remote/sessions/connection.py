# SPDX-License-Identifier: LGPL-3.0-or-later
"""A session at a server, which outlives its connections: what is asked is answered once, or fails once.

Who waits for an answer reads the connection, and puts aside what belongs to others: answers of other threads, and
edges. A thread of its own sleeps until the connection is lost, and makes another one: then who waits asks the server
what has become of his request, and asks again where it has not come. A server that has given up the session meanwhile
is told of by *on_new*; what was asked in the old one fails.
"""

from __future__ import annotations

import itertools
from _thread import RLock
from time import monotonic, sleep

from ... import errors, log, threads
from ..._gpio import Pipe
from ...loop.kernel import gathering
from ...loop.masks import READ
from ...processes import hooks
from ...wire.native import joined
from ...wire.terms import VERSION
from ..places import tokens
from ..places.link import MSG_DONTWAIT, NAP_S, Link, LinkLost, unreachable
from .answers import words_of
from .inbox import Inbox
from .keeping import Kept, keep, ring

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..._gpio import EdgeRoutes
    from ...loop.kernel import Epoll
    from ..places.places import Place

    Exchange = Callable[[bytes], list[str]]
    """Asks in the name of a connection that is being made."""

JOIN_S = 1.0
"""How long close() waits for its thread, which may be about to connect."""


class Connection(Kept):
    """A session. *hello* returns the line that begins one, given the name of the session to go on with.

    *routes* is where edges go; *on_event* gets each other line that is no answer; *on_new* is called when a new session
    has begun in the place of a lost one, *on_back* when the old one goes on, each with what asks in its name;
    *on_state* with "away", "back", "new" or "gone". *timeout_s* is how long an answer may take, *patience_s* how long
    another connection is tried for.
    """

    def __init__(
        self,
        place: Place,
        routes: EdgeRoutes,
        hello: Callable[[str], bytes],
        on_event: Callable[[bytes], object],
        on_new: Callable[[Exchange], object],
        on_back: Callable[[Exchange], object],
        on_state: Callable[[str], object],
        timeout_s: float,
        patience_s: float,
    ) -> None:
        self.place, self._routes = place, routes
        self.timeout_s, self.patience_s = timeout_s, patience_s
        self._hello, self._on_new, self._on_back = hello, on_new, on_back
        self._on_state = on_state
        self._changing = RLock()
        self._ids = itertools.count(1)
        self._inbox = Inbox(timeout_s, on_event)
        self._link: Link | None = None
        self._made: Link | None = None  # the last one, until it is closed
        self.session = ""
        self.generation = 0
        """Counts the sessions."""
        self.gone: str = ""
        """Why there is no connection any more, and no other one is tried for."""
        self._advice = ""  # what to do about that, where it is known
        self._keeper: threads.Started | None = None
        self._bell: Pipe | None = None  # ends the thread
        self._notice: Pipe | None = None  # makes ``fd`` readable when there is no hope any more
        self._epoll: Epoll | None = None
        self._is_closed = False
        self.welcome: list[str] = []
        """What the server has said of itself."""

    # -- beginning and ending --------------------------------------------------------------------

    def open(self) -> None:
        """Connect. Raises NoBackendError where no server answers, ProtocolError where something else does."""
        try:
            self._bell, self._notice = Pipe(), Pipe()
            with hooks.making:
                self._epoll = gathering()
            self._epoll.register(self._notice.reader, READ)
            self._become(Link(self.place, self.timeout_s, self._routes))
            self._keeper = keep(self, self._bell)
        except errors.GPIOError:
            self.close()
            raise
        except OSError as e:
            self.close()
            if errors.is_lack(e):
                raise  # here, and nothing about who is there
            raise unreachable(self.place, e) from None
        except LinkLost as e:
            self.close()
            hint = "does the loop of who serves there run? (RPIO.wait_for_interrupts())"
            raise errors.NoBackendError(f"no board answers: {e}", hint=hint) from None
        except BaseException:
            self.close()
            raise

    def _become(self, link: Link) -> str:
        """Begin a session on a new link, or go on with the old one; return what it is."""
        try:

            def exchange(head: bytes) -> list[str]:
                return words_of(self._exchange(link, head))

            token = tokens.shown_to(self.place)
            if token and link.is_sealed:  # before it is shown, or a certificate, nobody is told anything
                exchange(joined(["token", token])[:-1])
            words = exchange(self._hello(self.session))
            if len(words) < 5:
                raise errors.ProtocolError(f"{self.place} greets with too few words: {' '.join(words)[:80]}")
            if words[0] != str(VERSION):
                text = (
                    f"{self.place} speaks version {words[0]} of the protocol, and this RPIO version {VERSION}"
                )
                raise errors.NotSupportedError(text, hint="upgrade this one: pip install --upgrade RPIO")
            link.is_greeted = True
            if token and not link.is_sealed:
                exchange(joined(["token", token])[:-1])
            state = "back" if words[1] == self.session else "new" if self.session else ""
            if state == "back":
                self._on_back(exchange)
            elif state == "new":
                self._on_new(exchange)
        except (LinkLost, errors.ProtocolError) as e:
            why = link.explained(e)  # before ssh is ended, which may say it
            link.close()
            raise why from None
        except errors.NotAllowedError as e:
            link.close()
            raise self.place.advised(e) from None
        except BaseException:
            link.close()
            raise
        with self._changing:
            self.welcome, self.session = words, words[1]
            if state != "back":
                self.generation += 1
            if self._is_closed:
                link.close()
            else:
                self._link = self._made = link
                if self._epoll is not None:
                    self._epoll.register(link.fd, READ)
        return state

    def _exchange(self, link: Link, head: bytes) -> bytes:
        number = b"%d" % next(self._ids)
        with link.lock:
            link.send(b"%b #%b\n" % (head, number), self.timeout_s)
        return self._inbox.answer(link, number)

    def close(self) -> None:
        """End the session, and the connection. Twice is fine."""
        link, was_closed = self._link, self._is_closed
        self._is_closed = True  # first: that the server closes it now is no loss
        if link is not None and not was_closed:
            try:
                self._exchange(link, b"bye")
            except (LinkLost, OSError, ValueError):
                pass  # it has ended otherwise
        with self._changing:
            self._link, link = None, self._made
        if link is not None:
            link.say_end()
            link.shut()
            with link.lock:
                link.close()
        self.place.close()
        bell = self._bell
        if bell is not None:
            ring(bell)
        self._close_descriptors()
        if self._keeper is not None:
            self._keeper.join(JOIN_S)
            self._keeper = None  # which has the bell
        if bell is not None:
            bell.close()  # who was interrupted when the thread began may have it still

    def abandon(self) -> None:
        """In the child of a fork: close the descriptors, and leave the session to the parent."""
        self._is_closed = True
        link, self._link, self._made, self._keeper = self._made, None, None, None
        # That of the link too may be a thread's that is not here: close() finds none.
        self._changing = RLock()
        if link is not None:
            link.close()
        self._close_descriptors()

    def _close_descriptors(self) -> None:
        self._bell = None  # which is the thread's as well
        for opened in (self._notice, self._epoll):
            if opened is not None:
                opened.close()

    @property
    def fd(self) -> int | None:
        """The descriptor that is readable when pump() has something to do, whichever connection it is."""
        return self._epoll.fileno() if self._epoll is not None and not self._epoll.closed else None

    # -- asking ----------------------------------------------------------------------------------

    def ask(
        self, head: bytes, is_repeatable: bool = True, is_reading: bool = False, generation: int = 0
    ) -> bytes:
        """Ask for *head*, and return the answer, without its number; in that *generation* of the session alone, where
        one is given.

        Raises:
            ConnectionLost: nobody can tell whether it was done, or it was not.
        """
        # Before the link: one that is newer is not taken for the session's.
        generation = generation or self.generation
        link = self._link or self._wait_for_link(False)
        if self.generation != generation and not is_reading:
            raise self._has_been_away(False)
        mark = b" #%d" % next(self._ids)
        line = b"%b%b\n" % (head, mark)
        try:
            return self._ask_on(link, line, mark)
        except (LinkLost, OSError, ValueError) as e:
            self._lose(link, str(e))
        except BaseException:  # of a signal handler: nobody comes for the answer
            if link.is_torn:
                self._lose(link, "interrupted")
            raise
        return self._ask_again(line, mark, generation, is_repeatable, is_reading)

    def _ask_again(
        self, line: bytes, mark: bytes, generation: int, is_repeatable: bool, is_reading: bool
    ) -> bytes:
        """Return the answer to a request that was on its way when the connection was lost."""
        link, is_asked = None, False
        while True:
            if link is None:
                link = self._wait_for_link(None)
                if self.generation != generation:
                    if not is_reading:
                        raise self._has_been_away(None)
                    generation = self.generation
                is_asked = not is_reading  # whose answer is not kept: asked again, it is another look
            try:
                if not is_asked:
                    return self._ask_on(link, line, mark)
                told = self._exchange(link, b"fate " + mark[2:])
            except (LinkLost, OSError, ValueError) as e:
                self._lose(link, str(e))
                link = None
                continue
            except BaseException:
                self._lose(link, "interrupted")
                raise
            answer = self._fate(told, is_repeatable)
            if answer is not None:
                return answer
            is_asked = False

    def _has_been_away(self, applied: bool | None) -> errors.ConnectionLost:
        text = f"{self.place} was away, and has given back the lines of this program meanwhile"
        return errors.ConnectionLost(text, applied, "set them up again")

    def _ask_on(self, link: Link, line: bytes, mark: bytes) -> bytes:
        """Send a request, and return its answer. In a hurry: most of the time nothing else is going on."""
        with link.lock:
            lines, count = link.lines, 0
            try:
                count = link.send_now(line)
                if count == len(line):
                    link.receive_now(link.fd, lines, 0)
                    if len(lines) == 1 and lines[0].endswith(mark):
                        return lines.pop()[: -len(mark)]
            except BlockingIOError:
                pass  # nothing has been taken, or nothing has come, as yet
            if count != len(line):
                link.send(line[count:], self.timeout_s)
            return self._inbox.answer(link, mark[2:])

    def ask_all(self, heads: list[bytes]) -> list[bytes]:
        """Ask for all of these, which may be repeated and have no result; return the answers that are no plain "ok"."""
        if not heads:
            return []
        generation = self.generation
        link = self._link or self._wait_for_link(False)
        if self.generation != generation:
            raise self._has_been_away(False)
        marks = [b" #%d" % next(self._ids) for _ in heads]
        asked = [b"%b%b\n" % pair for pair in zip(heads, marks, strict=True)]
        try:
            with link.lock:
                link.send(b"".join(asked), self.timeout_s)
                if self._inbox.are_plain(link, marks):
                    return []
                return [self._inbox.answer(link, mark[2:]) for mark in marks]
        except (LinkLost, OSError, ValueError) as e:
            self._lose(link, str(e))
        except BaseException:
            self._lose(link, "interrupted")
            raise
        return [
            self._ask_again(line, mark, generation, True, False)
            for line, mark in zip(asked, marks, strict=True)
        ]

    def _fate(self, told: bytes, is_repeatable: bool) -> bytes | None:
        """The answer to a request from before the connection was lost; None where it is to be asked again."""
        state, *words = words_of(told) or [""]
        if state == "never" or (is_repeatable and state == "unknown"):
            return None
        if state == "unknown":
            text = f"the connection to {self.place} was lost, and nobody can tell whether this was done"
            raise errors.ConnectionLost(text, None)
        return joined(["ok" if state == "done" else "error", *words])[:-1]

    def pump(self) -> None:
        """Read what is there, and hand on what comes unasked. Never waits: what others are about to read is theirs."""
        link = self._link
        if link is None:
            self._hear_notice()
            return
        why = ""
        if not link.lock.acquire(blocking=False):
            return
        try:
            link.receive(MSG_DONTWAIT)
            if link.lines:  # most that comes unasked is edges, which are on their way
                self._inbox.sort(link)
        except (LinkLost, errors.ProtocolError) as e:
            why = str(e)
        except BaseException:  # of a signal handler: what had come for others may be lost
            self._lose(link, "interrupted")
            raise
        finally:
            link.lock.release()
        if why:  # told without the lock: who hears of it may ask, over another connection
            self._lose(link, why)

    def _hear_notice(self) -> None:
        notice = self._notice
        if self.gone and notice is not None and notice.reader >= 0:
            try:
                notice.get(1)
            except BlockingIOError:
                return  # it has been heard

    # -- the connection is lost ------------------------------------------------------------------

    def _lose(self, link: Link, why: str) -> None:
        with self._changing:
            if self._link is not link:
                return
            self._link = None
            self._unwatch(link)
        link.shut()
        if not self._is_closed:
            log.debug("- the connection is lost: %s", why)
            self._on_state("away")

    def _unwatch(self, link: Link) -> None:
        if self._epoll is not None:
            try:
                self._epoll.unregister(link.fd)
            except (OSError, ValueError):
                return  # closed, or not yet registered

    def _wait_for_link(self, applied: bool | None) -> Link:
        """Return another connection. Raises ConnectionLost where none comes in time."""
        until_s = monotonic() + self.timeout_s
        while True:
            link = self._link
            if link is not None:
                return link
            if self.gone or self._is_closed or monotonic() >= until_s:
                raise self.lost(applied)
            sleep(NAP_S)

    def lost(self, applied: bool | None, before: str = "") -> errors.ConnectionLost:
        """Return the error that says why there is no connection, after *before*; see ConnectionLost for *applied*."""
        why = self.gone or ("it is closed" if self._is_closed else "it is tried for again")
        text = f"{before}there is no connection to {self.place}: {why}"
        return errors.ConnectionLost(text, applied, self._advice or self.place.again)

    def has_ended(self, link: Link) -> None:
        """The other side has closed it, or this one."""
        if self._is_closed:
            return  # close() closes it, when it has said goodbye
        self._lose(link, "the other side has closed it")
        with link.lock:
            link.close()
        self._made = None

    def try_again(self, until_s: float) -> None:
        """Connect, where that was lost; give up where it is later than that."""
        try:
            state = self._become(Link(self.place, min(self.timeout_s, 5.0), self._routes))
        except (OSError, LinkLost, errors.GPIOError, ValueError) as e:
            log.debug("- %s: %s", self.place, e)
            is_refused = isinstance(e, errors.NotAllowedError)  # which is no better the next time
            if monotonic() < until_s and not is_refused:
                return
            said = getattr(e, "strerror", None) or str(e)
            self._advice = getattr(e, "hint", "") if is_refused else ""
            why = said if is_refused else f"none could be made for {self.patience_s:g} s ({said})"
            self.gone, state = why, "gone"
            if self._notice is not None and self._notice.writer >= 0:
                self._notice.put(b"x")
        self._on_state(state)

    @property
    def link(self) -> Link | None:
        """The connection, until it is closed."""
        return self._made

    @property
    def is_over(self) -> bool:
        """Whether there will be none any more."""
        return self._is_closed or bool(self.gone)
