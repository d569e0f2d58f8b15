# SPDX-License-Identifier: LGPL-3.0-or-later
"""Processes that sessions have: each speaks for itself on the connection that it was asked for on.

The daemon starts one and hands the connection on; from then on it sees none of its bytes, and keeps a descriptor to say
why the process has ended. The session goes on until then: it is seen by `rpio who`, and is over when its token is.
"""

from __future__ import annotations

import socket

from ... import errors, log, threads
from ..._gpio import Timer
from ...board.undoing import do_all
from ...loop.masks import READ
from ...programs import process, starter
from ...wire.objects import ENDED, Side, frame
from ..sessions.hearing import Hearer, Starting, not_served

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ...loop.dispatcher import Dispatcher
    from ..sessions.native import Later
    from ..sessions.sessions import Session, Sessions
    from ..settings.policy import Policy
    from ..tunnels.tunnels import Tunnels
    from .runs import Runs

PROCESSES_MAX = 32
MODULES = "RPIO.programs.modules.main"


class Programs(Starting):
    """Those that run. *environment* is what each gets besides its user's own."""

    def __init__(
        self, loop: Dispatcher, policy: Policy, environment: Callable[[], Mapping[str, str]]
    ) -> None:
        self._loop, self.policy, self._environment = loop, policy, environment
        self.running: dict[int, Running] = {}
        self.kept: Runs | None = None
        """Those of the keeper, where there may be any: made at the first."""
        self.tunnels: Tunnels | None = None
        """Those to other front ends, where there may be any."""

    def modules(self, session: Session) -> None:
        """Start a process with the modules of this machine, which has the connection of that session from now on.

        Raises:
            NotAllowedError: nothing of others runs here, or not as the user that is wanted.
            OSError: no process is to be had.
        """
        if not self.policy.is_on:
            raise errors.NotAllowedError(
                "programs of others do not run here",
                hint="enabled = true in [run] of the configuration of the daemon, and a token with the scope run",
            )
        talk = session.talk
        if talk is None or len(self.running) >= PROCESSES_MAX:
            from errno import EUSERS

            raise OSError(EUSERS, f"{PROCESSES_MAX} processes of others run here, and there may be no more")
        who = process.user(self.policy.user)
        made = talk.another_descriptor()
        running = Running(self, session, made)
        started: process.Process | None = None
        try:
            told = self.policy.told((made.fileno(), made.fileno()), None)
            started = starter.start(MODULES, told, who, [made.fileno()], self._environment())
            running.begin(started)
        except BaseException:
            running.abandon(started)
            raise
        talk.is_over = True  # when the answer has been sent
        session.talk = running
        session.on_end = running.end
        log.debug("+ %s has modules, as %s (process %d)", session.owner.name, who.name, running.pid)

    def runs(self, session: Session) -> None:
        """As any Starting."""
        self.keeper(session.all).hand_on(session)

    def tunnel(self, session: Session, name: str) -> None:
        """As any Starting."""
        if self.tunnels is None:
            raise not_served(name)
        self.tunnels.open(session, name)

    def tunnel_back(self, session: Session, name: str) -> Later:
        """As any Starting."""
        if self.tunnels is None:
            raise not_served(name)
        return self.tunnels.back(session, name)

    def check_tokens(self, valid: set[str]) -> None:
        """As any Starting."""
        if self.kept is not None:
            self.kept.check_tokens(valid)

    def keeper(self, sessions: Sessions) -> Runs:
        """The one who has the programs that sessions have run."""
        if self.kept is None:
            threads.load("RPIO.server.programs.runs")
            from .runs import Runs

            self.kept = Runs(self._loop, self.policy, self._environment, sessions.access, sessions.revoke)
        return self.kept

    def end_all(self) -> None:
        """End all of them."""
        kept = self.kept
        do_all(
            *[running.end for running in list(self.running.values())],
            *([kept.close] if kept is not None else []),
            *([self.tunnels.close] if self.tunnels is not None else []),
        )

    @property
    def loop(self) -> Dispatcher:
        """Where their ends are waited for."""
        return self._loop


def tell_end(send: Callable[[bytes], object], why: str) -> None:
    """Say why a process has ended, to who speaks with it."""
    try:
        send(b"".join(frame(ENDED, 0, 0, (why,), Side())))
    except OSError:
        return  # it has gone, or takes nothing


class Running(Hearer):
    """A process, and the session that it runs for: it stands in the place of a connection's talk."""

    is_over = False

    def __init__(self, programs: Programs, session: Session, made: socket.socket) -> None:
        self._programs, self.session, self._socket = programs, session, made
        self._loop = programs.loop
        self._started: process.Process | None = None
        self._timer: Timer | None = None
        self.pid = 0
        self.on_output = lambda: None

    @property
    def has_room(self) -> bool:
        """Nothing is said to it."""
        return False

    def say(self, text: bytes) -> None:
        """Tell the other side why it is over."""
        self._tell(text.decode("utf-8", "replace").strip())

    def another_descriptor(self) -> socket.socket:
        """There is none."""
        raise errors.NotSupportedError("this session has its process already")

    def begin(self, started: process.Process) -> None:
        """Wait for its end."""
        self._started, self.pid = started, started.pid
        self._programs.running[self.pid] = self
        self._loop.add(started.fileno(), self._on_exit, READ, lambda: self.is_over)
        self._loop.add(self._socket.fileno(), self._on_hangup, process.RDHUP, lambda: self.is_over)

    def abandon(self, started: process.Process | None) -> None:
        """It has not begun: the connection goes on, where the error is told."""
        self._leave_loop(self._socket.fileno())
        if started is not None:
            self._leave_loop(started.fileno())
            self._programs.running.pop(started.pid, None)
            started.close()
        self._socket.close()

    def _on_exit(self, events: int) -> None:
        """It has ended."""
        assert self._started is not None
        status = self._started.wait()
        if status != 0:
            self._tell(process.ending(status))
        self.session.end()

    def _on_hangup(self, events: int) -> None:
        """The other side has closed: it is about to notice that."""
        self._leave_loop(self._socket.fileno())
        self._timer = timer = Timer()
        self._loop.add(timer.fileno(), lambda events: self.session.end(), READ, lambda: self.is_over)
        timer.start(process.GRACE_S)

    def _tell(self, why: str) -> None:
        """The last words of the connection. They are behind whatever the process has sent."""
        self._socket.setblocking(False)
        tell_end(self._socket.send, why)

    def _leave_loop(self, fd: int) -> None:
        if fd >= 0 and self._loop.has(fd):
            self._loop.remove(fd)

    def end(self) -> None:
        """End it, and what it has started. Twice is fine."""
        do_all(self._end_process, self._end_timer, self._close_socket)
        self.is_over = True
        self._programs.running.pop(self.pid, None)

    def _end_process(self) -> None:
        started = self._started
        if started is not None and started.fileno() >= 0:
            self._leave_loop(started.fileno())
            started.close()

    def _end_timer(self) -> None:
        timer = self._timer
        if timer is not None and timer.fileno() >= 0:
            self._leave_loop(timer.fileno())
            timer.close()

    def _close_socket(self) -> None:
        self._leave_loop(self._socket.fileno())
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it has ended
        self._socket.close()
