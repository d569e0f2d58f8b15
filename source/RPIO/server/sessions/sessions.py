# SPDX-License-Identifier: LGPL-3.0-or-later
"""Sessions: who has come, what lines he has, and what is kept for him while his connection is lost.

No sockets here: a Talk is one connection, which is fed bytes and says what is to be sent. A session lasts longer than
its talks by as much as its client has asked for; then its lines go into their safe states.

Every request is answered once. A client that has lost the connection before an answer asks for its fate: the numbers of
what has been done lately stand here, with what is no plain "ok".
"""

from __future__ import annotations

import secrets
from collections import deque
from errno import EUSERS

from ... import constants
from ...board.declared import Owner
from ...board.undoing import do_all
from ...wire.native import Server
from ...wire.same import is_same
from ...wire.terms import VERSION
from ..rights.access import Access
from .counts import Counts
from .hearing import Hearer, Starting, name_of, turn_out
from .watches import Watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ...board.leases import Leases
    from ...tasks.engine import Tasks
    from ...wire.native import Request
    from ..rights.access import Rights, Token
    from ..rights.audit import Audit
    from .buses import Buses
    from .hold import Holds

RING_BYTES = 1 << 17
"""Of edges that wait for a client who is away, or slow; what comes then is counted as lost."""
KNOWN_FATES = 4096
"""Numbers of requests that have been done; an answer is kept of as many as KNOWN_ANSWERS."""
KNOWN_ANSWERS = 256
SESSIONS_MAX, SPARE = 1000, 64
"""So many sessions may there be, and so many connections that may yet turn out to be one of those."""
NS_PER_S = 1_000_000_000


class Session:
    """One client. *on_output* is called when there is something to be sent on its talk."""

    def __init__(self, sessions: Sessions, number: int, peer: str) -> None:
        self._sessions, self._leases = sessions, sessions.leases
        self.name = ""
        """By which it is found again; empty for those who have not asked for that."""
        self.number, self.peer = number, peer
        self.owner = Owner(f"session {number} from {peer}")
        self.rights: Rights = sessions.access.rights
        """What it may."""
        self.tokens: dict[str, Token] = {}
        """Those that it has shown, by their ids. It is over with the first of them that is none any more."""
        self.proof = ""
        """The digest of what was shown before it began; only who shows that goes on with it. Empty for who need not."""
        self.until_ns: int | None = None
        """When the time of the first of them is over."""
        self.came_ns = sessions.now_ns()
        self.linger_s = 0.0
        self.talk: Hearer | None = None
        self.ends_ns: int | None = None
        """When it is over, unless its client comes back."""
        self.is_over = False
        self.on_end: Callable[[], object] = lambda: None
        """What is to end with it."""
        self.done: deque[bytes] = deque(maxlen=KNOWN_FATES)
        """The numbers of the requests that have been done last."""
        self.begun = b""
        """The number of the last one that was begun."""
        self.pending: set[int] = set()
        """The numbers of those that are being done, and will be answered when they have been."""
        self._fates: dict[int, tuple[str, list[str]]] = {}
        self._forgotten: deque[int] = deque(maxlen=KNOWN_FATES)  # whose answers were kept there
        self._watches: dict[int, Watch] = {}
        self.counts = Counts(sessions.leases)
        """What is counted for it."""
        self._beginning: Watch | None = None
        self._ring: deque[bytes] = deque()
        self._ring_bytes = 0

    @property
    def all(self) -> Sessions:
        """All sessions of the board."""
        return self._sessions

    def show(self, text: str) -> None:
        """Show a token. Raises NotAllowedError; OSError and ValueError where their file cannot be read."""
        token = self._sessions.access.show(text)
        if token is not None:
            self.grant(token)

    def grant(self, token: Token) -> None:
        """Have what a token or a certificate gives, which has been shown."""
        left_s = (access := self._sessions.access).left_s(token)
        if left_s is not None:
            until_ns = self._sessions.now_ns() + round(left_s * NS_PER_S)
            self.until_ns = until_ns if self.until_ns is None else min(until_ns, self.until_ns)
        self.tokens[token.id] = token
        if token.id in access.made:
            self.linger_s = 0.0  # a program of this machine, which is never away: it has ended
        self.rights = self.rights.plus(token)
        self._sessions.on_time()

    def come_back(self, other: Session) -> None:
        """Have the rights of the connection by which the client comes back: what was shown by the last one is to be
        shown anew, and is still what ends the session where it is none any more.
        """
        self.rights = other.rights
        self.tokens |= other.tokens
        times = [time for time in (self.until_ns, other.until_ns) if time is not None]
        self.until_ns = min(times, default=None)

    # -- hello, and the end ----------------------------------------------------------------------

    def introduce(self, who: str, program: str, linger_s: float) -> None:
        """Say who it is, and how long it is kept. That stays: others have written it down."""
        self.linger_s = linger_s
        if self.name:
            return
        self.name = secrets.token_hex(8)
        self._sessions.named[self.name] = self
        self.owner.name = name_of(self.number, who, program) or self.owner.name

    def end(self) -> None:
        """It is over: its lines go into their safe states. Twice is fine."""
        do_all(
            *[lambda line=line: self.unwatch(line) for line in list(self._watches)],
            self.counts.end_all,
            lambda: self._leases.end(self.owner),
            lambda: self._sessions.is_left_by(self),
            self.on_end,
            lambda: self._sessions.forget(self),
        )

    # -- watches ---------------------------------------------------------------------------------

    def watch(self, line: int, edge: int, filter_us: int, holdoff_us: int, initial: bool) -> int:
        """Be told of edges; return the number of the last one so far."""
        before = self._watches.get(line)
        bits = constants.edge_bits(edge) or 0
        watch = Watch(self.tell, self.has_ended, line, bits, holdoff_us * 1000, before)
        self._beginning = watch  # whose end is none as yet
        self._watches[line] = watch  # first: the end of the other one is none for the session
        try:
            lost = self._leases.watch(line, watch, filter_us, before)
        except BaseException:
            self._watches.pop(line, None)
            if before is not None:
                self._watches[line] = before
                self._look_whether_ended(before)
            raise
        finally:
            self._beginning = None
        watch.counts_from(lost)
        self._look_whether_ended(watch)
        if initial:
            self.tell(Server.edge(line, self._leases.read(line), self._sessions.now_ns(), 0))
        return watch.seq

    def unwatch(self, line: int) -> None:
        """Be told no more. Twice is fine."""
        watch = self._watches.pop(line, None)
        if watch is not None:
            self._leases.unwatch(line, watch)

    def output(self, line: int, level: int | None) -> None:
        """Make a line an output. That this ends the session's own watch, the session need not be told."""
        watch = self._watches.pop(line, None)
        try:
            self._leases.set_output(self.owner, line, level)
        except BaseException:
            if watch is not None:
                self._watches[line] = watch
                self._look_whether_ended(watch)
            raise
        if watch is not None:
            self._leases.unwatch(line, watch)

    def _look_whether_ended(self, watch: Watch) -> None:
        if not self._leases.is_watching(watch.line, watch):
            self.has_ended(watch, "the line has been given another use")

    def losses(self, line: int) -> int:
        """How many edges of a watch were lost."""
        watch = self._watches.get(line)
        return watch.lost if watch is not None else 0

    def has_ended(self, watch: Watch, why: str) -> None:
        """A watch has been ended by somebody else. From any thread."""
        if self._watches.get(watch.line) is watch and self._beginning is not watch:
            self._watches.pop(watch.line, None)
            untold, watch.untold = watch.untold, 0
            if untold:
                self.tell(Server.lost(watch.line, untold), is_last=True)
            self.tell(Server.ended(watch.line, why), is_last=True)

    def task_has_ended(self, number: int, how: str, text: str) -> None:
        """Say how a task has ended that was to be told of."""
        if not self.is_over:
            self.tell(Server.task_ended(number, how, text), is_last=True)

    def tell(self, text: bytes, is_last: bool = False) -> bool:
        """Send a line that answers nothing, or keep it until that can be done; False where there is no room. For what
        *is_last* of a watch there is: it comes once for each that a client has asked for.
        """
        talk = self.talk
        if talk is not None and not self._ring and talk.has_room:
            talk.say(text)
            return True
        size = len(text)
        if self._ring_bytes + size > RING_BYTES and not is_last:
            return False
        self._ring_bytes += size
        self._ring.append(text)
        return True

    def go_on_telling(self) -> None:
        """There is room again, or there is another talk: send what has been kept."""
        talk = self.talk
        while talk is not None and self._ring and talk.has_room:
            text = self._ring.popleft()
            size = len(text)
            self._ring_bytes -= size
            talk.say(text)
        if self._ring or talk is None or not talk.has_room:
            return
        for watch in list(self._watches.values()):
            if watch.untold:
                untold, watch.untold = watch.untold, 0
                talk.say(Server.lost(watch.line, untold))

    # -- what has become of requests -------------------------------------------------------------

    def begins(self, request: Request) -> None:
        """Write down that it is being done."""
        if request.id is not None:
            self.begun = b"%d" % request.id

    def is_pending(self, id: int | None, is_so: bool) -> None:
        """Write down that it is being done, and answered when it has been; or that it has been."""
        if id is not None and is_so:
            self.pending.add(id)
        elif id is not None:
            self.pending.discard(id)

    def has_done(self, request: Request, result: Sequence[object]) -> bytes:
        """Write down that it has been done, and return the answer."""
        answer = Server.answer(request, result)
        if request.id is not None:
            if result and not request.operation.is_repeatable:
                self._keep(request.id, "done", request.operation.result_words(result))
            self.done.append(b"%d" % request.id)
        return answer

    def has_failed(self, id: int | None, name: str, words: list[str]) -> None:
        """Write down why it has not been done."""
        if id is not None:
            self._keep(id, "failed", [name, *words])
            self.done.append(b"%d" % id)

    def keep_answer(self, words: list[str]) -> None:
        """Keep what answers the request that was begun last: it may not be asked again."""
        self._keep(int(self.begun), "done", words)

    def _keep(self, id: int, state: str, words: list[str]) -> None:
        self._fates[id] = state, words
        while len(self._fates) > KNOWN_ANSWERS:
            oldest = next(iter(self._fates))
            self._forgotten.append(oldest)
            self._fates.pop(oldest)

    def is_left(self) -> None:
        """Its talk has ended. What was begun and not done, in the middle of which it was, was interrupted: nobody can
        tell what has become of it, and what is asked from now on is not to hide that.
        """
        begun = self.begun
        if begun and begun not in self.done:
            self._keep(int(begun), "unknown", [])

    def fate(self, id: int) -> tuple[str, list[str]]:
        """What has become of the request of that number."""
        known = self._fates.get(id)
        if known is not None:
            return known
        if id in self.pending:
            return "unknown", []
        if id in self._forgotten:
            return "unknown", []
        word = b"%d" % id
        if word in self.done:
            return "done", []
        if len(self.done) == KNOWN_FATES and id < min(map(int, self.done)):
            return "unknown", []
        return "never", []


class Sessions:
    """All sessions of a board.

    *board* says what is told of it in hello: its name, revision code, number of lines, and features. *on_time* is
    called when tick() has to be called at another time than before: see due_ns().
    """

    def __init__(
        self,
        leases: Leases,
        board: Callable[[], tuple[str, str, int, list[str]]],
        now_ns: Callable[[], int],
        on_time: Callable[[], object],
        access: Access | None = None,
        audit: Audit | None = None,
        holds: Holds | None = None,
        programs: Starting | None = None,
        buses: Buses | None = None,
        tasks: Tasks | None = None,
    ) -> None:
        self.tasks = tasks
        """The queues of timed tasks, where they are served."""
        self.buses = buses
        """The I2C and SPI buses, where they are served."""
        self.leases, self.board, self.now_ns, self.on_time = leases, board, now_ns, on_time
        self.access, self.audit, self.holds, self.programs = access or Access(), audit, holds, programs
        self.named: dict[str, Session] = {}
        self._open: dict[Session, None] = {}
        self._count = 0
        self.on_news: Callable[[str, Session], object] = lambda what, session: None
        """Called with "came" and "went", and a session that has said who it is."""
        self.fronts: Callable[[], list[str]] = list
        """What else is served beside these sessions, in words."""

    def is_left_by(self, session: Session) -> None:
        """What a session held of the buses is free, and its tasks go on to their ends. Twice is fine."""
        if self.tasks is not None:
            self.tasks.leave(session.owner)
        if self.buses is not None:
            self.buses.gone(session)

    def begin(self, peer: str) -> Session:
        """Make a session. Raises OSError where there are too many."""
        if len(self._open) >= SESSIONS_MAX + SPARE:
            raise _full()
        self._count += 1
        session = Session(self, self._count, peer)
        self._open[session] = None
        return session

    def forget(self, session: Session) -> None:
        """It is over."""
        was_known = self.named.pop(session.name, None) is not None
        session.is_over = True
        self._open.pop(session, None)
        if was_known:
            self.on_news("went", session)

    def hello(self, talk: Hearer, request: Request) -> bytes:
        """Begin a session, or go on with one."""
        version, who, program, linger_s, name = request.values
        session = talk.session
        known = self.named.get(str(name))
        if known is not None and known is not session and is_same(known.proof, session.proof):
            known.come_back(session)
            session.end()
            known.is_left()
            before, talk.session = known.talk, known  # first: whose connection it is now ends it as well
            session, known.talk, known.ends_ns = known, talk, None
            if before is not None:
                before.is_over = True  # that connection is lost, and nobody has noticed yet
                before.on_output()
        elif not session.name and len(self.named) >= SESSIONS_MAX:
            raise _full()
        is_new = not session.name
        session.introduce(str(who), str(program), float(linger_s))  # type: ignore[arg-type]
        if is_new:
            self.on_news("came", session)
        result = (min(int(version), VERSION), session.name, *self.board())  # type: ignore[call-overload]
        return Server.answer(request, result)

    @property
    def is_empty(self) -> bool:
        """Whether all are over."""
        return not self._open

    def lost(self, session: Session) -> None:
        """Its connection is lost: it lingers, or is over."""
        lasts = session.linger_s > 0 and session.name
        # First: who is interrupted in all that follows has it ended by the next tick().
        session.ends_ns = self.now_ns() + (round(session.linger_s * NS_PER_S) if lasts else 0)
        session.talk = None
        session.is_left()
        if not lasts:
            session.end()
        self.on_time()

    def due_ns(self) -> int | None:
        """When tick() has something to do."""
        times = [time for session in self._open for time in (session.ends_ns, session.until_ns)]
        if self.buses is not None:
            times.append(self.buses.due_ns())
        return min((time for time in times if time is not None), default=None)

    def tick(self) -> None:
        """End those whose time is over."""
        now_ns = self.now_ns()
        every = list(self._open)
        do_all(
            *[s.end for s in every if s.ends_ns is not None and s.ends_ns <= now_ns],
            *[lambda s=s: self._revoke(s) for s in every if s.until_ns is not None and s.until_ns <= now_ns],
            *([self.buses.tick] if self.buses is not None else []),
        )

    def listed(self) -> list[Session]:
        """Those that have said who they are, or have done something."""
        return list(self._open)

    def check_tokens(self) -> int:
        """End the sessions whose token is none any more; return how many. Raises OSError, ValueError: nothing done."""
        # Ids are those of a file, of which there are two.
        valid = {token.digest for token in self.access.valid()}
        over = [s for s in list(self._open) if not valid.issuperset(t.digest for t in s.tokens.values())]
        do_all(*[lambda session=session: self._revoke(session) for session in over])
        if self.programs is not None:
            self.programs.check_tokens(valid)
        return len(over)

    def revoke(self, token: str) -> None:
        """End the sessions that have shown the token of that id."""
        over = [session for session in list(self._open) if token in session.tokens]
        do_all(*[lambda session=session: self._revoke(session) for session in over])

    def _revoke(self, session: Session) -> None:
        do_all(lambda: turn_out(session.talk), session.end)

    def end_all(self) -> None:
        """End all of them."""
        do_all(*[session.end for session in list(self._open)])


def _full() -> OSError:
    return OSError(EUSERS, f"there are {SESSIONS_MAX} sessions, and there may be no more")
