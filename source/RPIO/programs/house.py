# SPDX-License-Identifier: LGPL-3.0-or-later
"""The programs that run: how they are started, who waits for whose lines, and that nothing outlives them."""

from __future__ import annotations

import os
import signal
from math import inf
from time import monotonic

from .. import errors, log
from ..processes import hooks
from ..wire.runs import Data, Message
from . import recipe as recipes
from . import spawning, strays
from .running import ENDS, IS_OVER, RUNS, WAITS, Program
from .streams import Streams

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from typing import Any, Protocol

    from ..loop.dispatcher import Dispatcher
    from ..loop.soon import Soon
    from .process import Limits
    from .rings import Cursor
    from .uploads import Uploads

    class Home(Protocol):
        """Where clients are."""

        house: House
        loop: Dispatcher
        soon: Soon

        def uploads(self) -> Uploads:
            """What does the uploads of a client."""

        def has_gone(self, client: Any) -> None:
            """A client has."""


PROGRAMS_MAX = 100
"""So many may run, or wait, at once."""
KEPT_MAX = 16
"""Of so many that have ended what they have written is kept, for those who were away."""
COUNT_S = 1.0
"""For so long is known how many threads the user has."""
TERMINAL_SIZE = (4, 60)
"""Rows and columns. Source: interop with Further-Link's."""
SWEEP_S = 0.02
LEFT_S = 2.0
"""Who is there so long after SIGKILL stays: what sudo has started is root's, and hears no signal of this user's."""


class Held:
    """A program that a client has."""

    __slots__ = ("cursor", "follows", "is_his", "is_over", "picture", "program")

    def __init__(self, program: Program, cursor: Cursor, is_his: bool, follows: bool = True) -> None:
        self.program, self.cursor, self.follows = program, cursor, follows
        self.is_his = is_his
        """He has started it: it ends when he goes."""
        self.picture: bytes | None = None
        """The latest, where it has not been sent."""
        self.is_over = False


class House:
    """All programs of a keeper. *folder* is its own, for their sockets."""

    def __init__(
        self,
        loop: Dispatcher,
        soon: Soon,
        kitchen: recipes.Kitchen,
        folder: str,
        limits: Limits,
        grace_s: float,
        cpu_percent: int,
        environment: Callable[[], Mapping[str, str]],
    ) -> None:
        self.loop, self.soon, self.kitchen, self.grace_s = loop, soon, kitchen, grace_s
        self._folder, self._limits, self._environment = folder, limits, environment
        self._scope = spawning.scope_words(limits, cpu_percent)
        self.programs: dict[int, Program] = {}
        self._running: dict[int, Program] = {}  # by their processes
        self._last = 0
        self._strays: dict[int, float] = {}  # process -> when it is killed
        self._left: set[int] = set()  # those that cannot be
        self._is_sweeping = False
        self._threads, self._counted_s = 0, -inf
        self.on_change: Callable[[], object] = lambda: None
        """Called when a program has ended, or is forgotten, and when one can take more."""

    # -- starting --------------------------------------------------------------------------------

    def start(self, data: Mapping[str, Any], is_kept: bool, owner: int, token: int | None) -> Program:
        """Make a program of a start message's data, and start it, or have it wait for its lines. *owner* is the
        number of who asks, *token* the
        descriptor of a file with the token that it may show.

        Raises:
            CommandError, OSError: it cannot be started, and nothing is left of it.
        """
        if sum(program.state != IS_OVER for program in self.programs.values()) >= PROGRAMS_MAX:
            raise errors.CommandError(f"{PROGRAMS_MAX} programs run or wait here, and there may be no more")
        self._last += 1
        number = self._last
        more = {**self._environment(), "FURTHER_LINK_TEMP_DIR": self._folder, "RPIO_PROGRAM": str(number)}
        size = (
            (data.get("rows", TERMINAL_SIZE[0]), data.get("cols", TERMINAL_SIZE[1]))
            if data.get("pty")
            else None
        )
        with hooks.making:
            own = os.dup(token) if token is not None else -1
        try:
            if token is not None:
                more["RPIO_TOKEN_FILE"] = f"/proc/self/fd/{own}"
            made = self.kitchen.recipe(number, data, more)
        except BaseException:
            if own >= 0:
                os.close(own)
            raise
        program = Program(self, number, made, size, is_kept, owner, own)
        try:
            program.why = self._busy(program)
            if program.why and data.get("when_busy") == "refuse":
                raise errors.CommandError(program.why, hint="it can wait for them, too")
            if not program.why:
                self._begin(program)
        except BaseException:
            program.clean_up()
            raise
        self.programs[number] = program
        return program

    def _begin(self, program: Program) -> None:
        made, limits, token = program.recipe, self._limits, program.token
        there = self._count_threads() if limits.processes else 0
        started = spawning.spawn(
            [*self._scope, *made.words],
            made.environment,
            made.folder,
            program.size,
            [token] if token >= 0 else [],
            limits.numbers(there),
        )
        self._running[started.pid] = program
        streams = Streams(
            self._folder, started.pid, self.loop, program.send_picture, program.listen, self.soon.after
        )
        try:
            streams.open()
        except (OSError, errors.GPIOError) as e:
            log.warning("program %d has neither pictures nor keys: %s", program.number, e)
        try:
            program.begin(started, streams)
        except BaseException:  # it could not be heard
            program.kill()
            streams.close()
            raise
        self.soon.call(self._count_threads)

    def _count_threads(self) -> int:
        """How many threads its user has: counted while nobody waits for it, where that can be."""
        if monotonic() - self._counted_s > COUNT_S:
            from .process import threads_of

            self._threads, self._counted_s = threads_of(os.getuid()), monotonic()
        return self._threads

    # -- lines -----------------------------------------------------------------------------------

    def _busy(self, program: Program) -> str:
        """Why it has to wait, "" where it has not: others have its lines, or wait for them since before."""
        wanted = set(program.lines)
        for other in self.programs.values():
            if other is program:
                break
            common = sorted(wanted.intersection(other.lines)) if other.state != IS_OVER else []
            if common:
                has = "has" if other.state != WAITS else "waits for"
                return f"program {other.number} ({other.name}) {has} GPIO {', '.join(map(str, common))}"
        return ""

    def _begin_waiting(self) -> None:
        """Start those whose lines are free now."""
        for program in [program for program in self.programs.values() if program.state == WAITS]:
            why = self._busy(program)
            if why:
                program.why = why
                continue
            program.why = ""
            try:
                self._begin(program)
            except (OSError, errors.GPIOError) as e:
                program.could_not_start(said(e))
            else:
                for reader in list(program.readers):
                    reader.has_started(program)

    def takes_back(self, program: Program) -> None:
        """It is not started any more."""
        program.could_not_start("it was stopped before it began")

    # -- ends ------------------------------------------------------------------------------------

    def reap(self) -> None:
        """Some child has ended."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if not pid:
                break
            self._strays.pop(pid, None)
            self._left.discard(pid)
            program = self._running.pop(pid, None)
            if program is not None:
                try:
                    self._find_strays()
                finally:
                    program.has_exited(os.waitstatus_to_exitcode(status))

    @property
    def has_strays(self) -> bool:
        """Whether some are left of programs that have ended."""
        return bool(self._strays)

    def _find_strays(self) -> None:
        """Tell those to end whose program has."""
        found = [pid for pid in strays.adopted([*self._running, *self._left]) if pid not in self._strays]
        if found:
            until_s = monotonic() + self.grace_s
            strays.tell(strays.below(found), signal.SIGTERM)
            self._strays.update(dict.fromkeys(found, until_s))
            if not self._is_sweeping:
                self._is_sweeping = True
                self.soon.after(SWEEP_S, self._sweep)

    def _sweep(self) -> None:
        """Look after them until they are gone; kill them when their time is over."""
        self._is_sweeping = False
        alive = set(strays.adopted([*self._running, *self._left]))
        for pid in [pid for pid in self._strays if pid not in alive]:
            del self._strays[pid]
        now_s = monotonic()
        late = [pid for pid, until_s in self._strays.items() if until_s <= now_s]
        if late:
            strays.end(late)
        for pid in [pid for pid in late if now_s - self._strays[pid] > LEFT_S]:
            log.warning(
                "process %d, which a program has left behind, cannot be ended: it is another user's", pid
            )
            self._left.add(pid)
            del self._strays[pid]
        fresh = alive - set(self._strays)
        self._strays.update(dict.fromkeys(fresh, now_s))  # of those who have ended meanwhile
        if self._strays:
            self._is_sweeping = True
            self.soon.after(SWEEP_S, self._sweep)
        else:
            self.soon.call(self.on_change)

    def is_over(self, program: Program) -> None:
        """It has ended: what is kept of it, and who may begin now."""
        if not program.is_kept:
            self.programs.pop(program.number, None)
        over = [each for each in self.programs.values() if each.state == IS_OVER]
        for old in over[: max(0, len(over) - KEPT_MAX)]:
            self.programs.pop(old.number)
        self.soon.call(self._begin_waiting)
        self.soon.call(self.on_change)

    def forget(self, program: Program) -> bool:
        """Drop one that has ended; whether it has."""
        if program.state != IS_OVER:
            return False
        self.programs.pop(program.number, None)
        self.soon.call(self.on_change)
        return True

    def has_room(self) -> None:
        """A program can take more."""
        self.soon.call(self.on_change)

    @property
    def is_idle(self) -> bool:
        """Whether nothing runs, or waits, or has ended unseen."""
        return all(program.state == IS_OVER and program.is_seen for program in self.programs.values())

    def end_all(self) -> None:
        """Stop all of them."""
        for program in list(self.programs.values()):
            program.stop()

    def end_of(self, owners: Collection[int]) -> None:
        """Stop those of some, by the numbers of their owners, detached ones too."""
        for program in [each for each in self.programs.values() if each.owner in owners]:
            program.stop()

    @property
    def is_empty(self) -> bool:
        """Whether none is left that has to end."""
        return not self._strays and all(
            program.state not in (RUNS, ENDS) for program in self.programs.values()
        )


def said(error: Exception) -> str:
    """An error in words, with what to do about it."""
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    else:
        text = str(error)
    hint = getattr(error, "hint", "")
    return f"{text} ({hint})" if hint else text


def size_of(asked: object, long: int) -> int:
    """What something takes that was heard, about; *long* for a message that may be: nothing is read behind it."""
    if isinstance(asked, Message) and asked.type in ("start", "upload", "sync"):
        return long
    return 64 + (len(asked.value) if isinstance(asked, Data) else 0)


def number_of(name: str) -> int:
    """The number of a signal of wire/runs."""
    return int(signal.Signals[f"SIG{name}"])
