# SPDX-License-Identifier: LGPL-3.0-or-later
"""``tunnel_back``: who has a front end by a tunnel, and is called back by it, has those calls too.

The front end calls its host at a port of this machine's own address. That is listened at here while somebody waits for
calls, and for a while after: who has just been given one is about to wait for the next.
"""

from __future__ import annotations

from collections import deque
from time import monotonic_ns

from ... import log
from ...board.undoing import do_all
from ...loop.masks import READ
from ...loop.tcp_listener import close_listener
from ...processes import hooks
from ..connections.doors import Port
from ..sessions.hearing import Away
from ..sessions.native import Later
from .piped import NS_PER_S, Piped

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from typing import Any

    from ..connections.links import House
    from ..sessions.sessions import Session

    Done = Callable[[Any, Exception | None], object]

KEPT_S = 10.0
"""So long is it listened on when nobody waits: those who call are let in when somebody does."""


class Calls:
    """Those that come to a port of this machine's own address."""

    def __init__(self, house: House, port: int) -> None:
        self._house, self._port = house, port
        self._door: Port | None = None
        self._waiting: deque[tuple[Session, Done]] = deque()
        self._idle_ns: int | None = None

    def wait(self, session: Session) -> Later:
        """Have the next one be the session's connection. Raises OSError where that port is another's."""
        self._open()

        def begin(done: Done) -> Callable[[], object]:
            """Wait for it."""
            self._waiting.append((session, done))
            session.on_end = lambda: self._withdraw(session)
            self._watch()
            return lambda: self._withdraw(session)

        return Later(begin)

    def _open(self) -> None:
        if self._door is not None:
            return
        self._door = door = Port("127.0.0.1", self._port)
        try:
            listener = door.open()
            self._house.loop.add(listener.fileno(), lambda events: self._on_call(listener), 0)
            self._house.lent.append(self)
        except BaseException:
            self.close()
            raise

    def _withdraw(self, session: Session) -> None:
        """It waits no more. Twice is fine."""
        self._waiting = deque(row for row in self._waiting if row[0] is not session)
        self._watch()

    def _watch(self) -> None:
        """Let in who calls, where somebody waits for him."""
        door = self._door
        if door is None or door.listener is None:
            return
        self._idle_ns = None if self._waiting else monotonic_ns()
        self._house.loop.modify(door.listener.fileno(), READ if self._waiting else 0)
        self._house.sessions.on_time()

    def _on_call(self, listener: socket.socket) -> None:
        """The front end calls."""
        if not self._waiting:
            return
        try:
            with hooks.making:
                made, _ = listener.accept()
        except OSError as e:
            log.debug("- nobody has called: %s", e)
            return
        session, done = self._waiting.popleft()
        self._watch()
        talk = session.talk
        piped = Piped(self._house, made, session.end)
        if talk is None or talk.is_over:
            piped.close()
            return
        talk.give_to(piped)
        done((), None)
        talk.is_over = True  # that is the last that it says
        session.talk = Away(session)
        session.on_end = piped.close
        talk.on_output()

    def due_ns(self) -> int | None:
        """When it is listened at no more; None where somebody waits."""
        return None if self._idle_ns is None else self._idle_ns + round(KEPT_S * NS_PER_S)

    def tick(self) -> None:
        """That time may have come."""
        due_ns = self.due_ns()
        if due_ns is not None and due_ns <= monotonic_ns():
            self.close()

    def close(self) -> None:
        """Listen no more. Twice is fine."""
        door, self._door = self._door, None
        listener = door.listener if door is not None else None
        if self in self._house.lent:
            self._house.lent.remove(self)
        if listener is not None and listener.fileno() >= 0:
            do_all(lambda: self._leave_loop(listener), lambda: close_listener(listener))

    def _leave_loop(self, listener: socket.socket) -> None:
        if self._house.loop.has(listener.fileno()):
            self._house.loop.remove(listener.fileno())
