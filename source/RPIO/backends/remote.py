# SPDX-License-Identifier: LGPL-3.0-or-later
"""Lines of another process, over RPIO's own protocol: every call is one request, and its answer.

Lines that were set up are held by the session at the server. Where that has given them back, for the connection was
lost for too long or the server has been started anew, inputs are taken again and watched again; outputs are not, since
nobody knows what has become of what they drive: they raise ConnectionLost until they are set up again.
"""

from __future__ import annotations

import os
import socket
import sys

from .. import errors, log, threads
from ..constants import OUT
from ..remote.outside import Outside
from ..remote.places.places import Place
from ..remote.sessions.answers import head, result_of
from ..remote.sessions.batch import Batch
from ..remote.sessions.connection import Connection
from ..remote.sessions.counts import Counts
from ..remote.sessions.tasks import TaskEnds
from ..remote.sessions.watches import Watches
from ..wire.operations import OPERATIONS
from ..wire.terms import FUNCTION, HOLDS_ALONE, LEFT, OUTSIDE, READ, VERSION, WATCHES_OUTPUTS
from .checks import check_edge, check_limit, check_pull, check_pwm_change, check_wave
from .protocol import FEATURES, Backend, check_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..remote.sessions.connection import Exchange
    from ..remote.sessions.timings import Timings
    from .buses import I2cBus

LINGER_S, TIMEOUT_S, PATIENCE_S = 5.0, 10.0, 60.0


class RemoteBackend(Backend):
    """The lines that a server at *where* has.

    *on_change* is called with "away", "back", "new" (the session, with what was set up, had been given up) or "gone",
    from another thread; see Connection for the times.
    """

    name = "remote"
    holds_lines = True
    close_at_exit = True

    def __init__(
        self,
        where: str | Place,
        linger_s: float = LINGER_S,
        timeout_s: float = TIMEOUT_S,
        patience_s: float = PATIENCE_S,
        on_change: Callable[[str], object] | None = None,
    ) -> None:
        self._place = where if isinstance(where, Place) else Place(where)
        self._linger_s, self._timeout_s, self._patience_s = linger_s, timeout_s, patience_s
        self._on_change = on_change
        self.task_ends = TaskEnds(lambda: self._connection)
        """How tasks have ended that were asked for with *tell*."""
        self._watches = Watches(self._place, self._do, self.task_ends.hear)
        self._counts = Counts(self._place, self._do, lambda: bool(self._connection.gone))
        self._inputs: dict[int, int | None] = {}  # line -> pull
        self._outputs: set[int] = set()
        self._lost: dict[int, errors.ConnectionLost] = {}
        self._heads: dict[tuple[int, int], bytes] = {}
        self.buses: dict[int, I2cBus] = {}
        """The I2C buses beside the lines, by their numbers, that somebody has asked for."""
        self._connection = self._connect()

    def _connect(self) -> Connection:
        made = Connection(
            self._place,
            self._watches.routes,
            self._hello,
            self._watches.on_event,
            self._on_new,
            self._watches.on_back,
            self._on_state,
            self._timeout_s,
            self._patience_s,
        )
        try:
            made.open()
            _, _, self.says, code, count, *features = made.welcome
            self.line_count, self.features = int(count), frozenset(features) & FEATURES
            self.holds_alone, self.watches_outputs = (
                HOLDS_ALONE in features,
                WATCHES_OUTPUTS in features,
            )
            self._outside = Outside(self._do, self.line_count) if OUTSIDE in features else None
            self.revision_code = int(code, 16)
        except BaseException:
            made.close()
            raise
        lines = range(self.line_count)
        self._writes = {line: (b"write %d 0" % line, b"write %d 1" % line) for line in lines}
        self._reads = {line: b"read %d" % line for line in lines}
        self._ask = made.ask
        return made

    def _hello(self, session: str) -> bytes:
        return head("hello", VERSION, who(), program(), float(self._linger_s), session)

    # -- asking ----------------------------------------------------------------------------------

    def _do(self, name: str, *values: object) -> tuple[Any, ...]:
        """Ask for an operation; return its result."""
        operation = OPERATIONS[name]
        answer = self._ask(head(name, *values), operation.is_repeatable, operation.scope == READ)
        return result_of(operation, answer)

    def ask(self, name: str, *values: object) -> tuple[Any, ...]:
        """Ask the server for an operation of the table that no method of a Backend is; return its result."""
        return self._do(name, *values)

    def ask_line(self, line: bytes) -> bytes:
        """Ask by a line that may not be asked twice, without its end; return the answer as it is."""
        return self._ask(line, False, False)

    def time(self) -> Timings:
        """Time what is asked from now on."""
        threads.load("RPIO.remote.sessions.timings")
        from ..remote.sessions.timings import Timings

        made = Timings(self._connection)
        self._ask = self._connection.ask
        return made

    @property
    def place(self) -> str:
        """Where the server is, for people."""
        return str(self._place)

    def batch(self) -> Batch:
        def use(ask: Callable[..., bytes]) -> None:
            self._ask = ask

        return Batch(self._connection, use)

    def _on(self, line: int, name: str, *values: object) -> tuple[Any, ...]:
        check_line(self, line)
        return self._do(name, line, *values)

    def _check_kept(self, line: int) -> None:
        check_line(self, line)
        if line in self._lost:
            raise self._lost[line]

    # -- what happens to the connection ----------------------------------------------------------

    def _on_state(self, state: str) -> None:
        texts = {
            "away": "the connection to %s is lost, and tried for again",
            "back": "the connection to %s is there again",
            "new": "the connection to %s is there again; meanwhile it has given back the lines of this program",
            "gone": "%s does not come back: %s",
        }
        why = (self._connection.gone,) if state == "gone" else ()
        log.warning(texts[state], self._place, *why)
        if self._on_change is not None:
            try:
                self._on_change(state)
            except Exception:  # what waits for the connection is no affair of its
                log.callback_failed(self._on_change)

    def _on_new(self, exchange: Exchange) -> None:
        text = f"{self._place} has given back GPIO %d meanwhile, which this program had as an output"
        for line in list(self._outputs):
            self._lost[line] = errors.ConnectionLost(text % line, False, "set it up again")
        self._outputs.clear()
        for line, pull in list(self._inputs.items()):
            exchange(head("input", line, pull))
        self._watches.on_new(exchange)
        self._counts.forget_all()

    # -- what it is ------------------------------------------------------------------------------

    def describe(self) -> str:
        return f"{self.says} at {self._place}"

    def function(self, line: int) -> int:
        (function,) = self._on(line, "function")
        return int(function)

    def set_function(self, line: int, function: int) -> None:
        check_line(self, line)
        if "functions" not in self.features:
            super().set_function(line, function)
        if function not in FUNCTION.words:
            raise ValueError(f"there is no function {function!r}")
        self._do("set_function", line, function)
        self._lost.pop(line, None)
        self._inputs.pop(line, None)
        self._outputs.discard(line)
        if function == OUT:
            self._outputs.add(line)

    def set_input(self, line: int, pull: int | None) -> None:
        check_line(self, line)
        if pull is not None:
            check_pull(pull)
        self._do("input", line, pull)
        self._lost.pop(line, None)
        self._outputs.discard(line)
        self._inputs[line] = pull if pull is not None else self._inputs.get(line)

    def set_output(self, line: int, value: int | None) -> None:
        check_line(self, line)
        self._outputs.add(line)  # first: what is lost in the middle is told of
        self._do("output", line, None if value is None else int(bool(value)))
        self._lost.pop(line, None)
        self._inputs.pop(line, None)
        self._watches.forget(line)

    def read(self, line: int) -> int:
        if line not in self._reads or line in self._lost:
            self._check_kept(line)
        answer = self._ask(self._reads[line], True, True)
        if answer == b"ok 1":
            return 1
        if answer == b"ok 0":
            return 0
        ((level,),) = result_of(OPERATIONS["read"], answer)
        return int(level)

    def write(self, line: int, value: int) -> None:
        generation = (
            self._connection.generation
        )  # before the look: what is given back after it is not written to
        if line not in self._writes or line in self._lost:
            self._check_kept(line)
        answer = self._ask(self._writes[line][1 if value else 0], True, False, generation)
        if answer != b"ok":
            result_of(OPERATIONS["write"], answer)

    def set_pull(self, line: int, pull: int) -> None:
        check_line(self, line)
        check_pull(pull)
        self._do("set_pull", line, pull)
        if line in self._inputs:
            self._inputs[line] = pull

    def pull(self, line: int) -> int | None:
        (pull,) = self._on(line, "pull")
        return pull  # type: ignore[no-any-return]

    # -- edges -----------------------------------------------------------------------------------

    def watch(self, line: int, edge: int, filter_us: int = 0) -> int:
        self._check_kept(line)
        if "edges" not in self.features or (filter_us and "filter" not in self.features):
            super().watch(line, edge, filter_us)
        check_edge(edge)
        return self._watches.begin(line, edge, filter_us)

    def unwatch(self, line: int, is_read: bool = False) -> None:
        check_line(self, line)
        self._watches.end(line)

    def counts(self) -> Counts:
        return self._counts

    def gone_fd(self) -> int | None:
        return self._connection.fd

    def is_gone(self) -> bool:
        self._connection.pump()
        return bool(self._connection.gone)

    def gone_error(self, line: int) -> errors.LineGoneError:
        return self._connection.lost(False, f"GPIO {line}: no more edges: ")

    # -- holding, and giving back ----------------------------------------------------------------

    def consumer(self, line: int) -> str:
        name, _ = self._on(line, "consumer")
        return str(name)

    def is_left(self, line: int) -> bool:
        _, remarks = self._on(line, "consumer")
        return LEFT in remarks and line not in self._lost  # by this program, which has to set it up again

    def outside(self) -> Outside | None:
        return self._outside

    def held(self) -> list[int]:
        return sorted({*self._inputs, *self._outputs})

    def release(self, line: int) -> None:
        check_line(self, line)
        if line not in self._lost and not self._connection.gone:
            self._counts.end_of(line)
            self._do("release", [line])
        self._lost.pop(line, None)
        self._inputs.pop(line, None)
        self._outputs.discard(line)
        self._watches.forget(line)

    # -- pulses ----------------------------------------------------------------------------------

    def _check_pulses(self, refuse: Callable[[], object]) -> None:
        if "pwm" not in self.features:
            refuse()

    def pwm(self, line: int, period_ns: int, high_ns: int) -> None:
        self._check_pulses(lambda: Backend.pwm(self, line, period_ns, high_ns))
        check_pwm_change(self, line, period_ns, high_ns)
        self._do("pwm", line, period_ns, high_ns)

    def change_pwm(self, line: int, period_ns: int, high_ns: int) -> None:
        self._check_pulses(lambda: Backend.pwm(self, line, period_ns, high_ns))
        check_pwm_change(self, line, period_ns, high_ns)
        self._do("change_pwm", line, period_ns, high_ns)

    def end_pwm(self, line: int) -> None:
        self._on(line, "end_pwm")

    def play(
        self, edges: list[tuple[int, int, int]], period_ns: int, turns: int, instead_of: int | None = None
    ) -> int:
        self._check_pulses(lambda: Backend.play(self, edges, period_ns, turns, instead_of))
        check_wave(self, edges, period_ns, instead_of)
        levels = [(at_ns, line, int(bool(level))) for at_ns, line, level in edges]
        return int(self._do("play", period_ns, turns, -1 if instead_of is None else instead_of, levels)[0])

    def wave(self, wave: int) -> tuple[bool, int] | None:
        self._check_pulses(lambda: Backend.wave(self, wave))
        is_playing, turns = self._do("wave", wave)
        return None if is_playing is None else (is_playing, turns)

    def stop_wave(self, wave: int) -> None:
        self._check_pulses(lambda: Backend.stop_wave(self, wave))
        if not self._connection.gone:
            self._do("stop_wave", wave)

    def limit(self, line: int, after_ns: int, level: int) -> None:
        self._check_pulses(lambda: Backend.limit(self, line, after_ns, level))
        check_limit(self, line, after_ns)
        self._do("limit", line, after_ns, int(bool(level)))

    def unlimit(self, line: int) -> None:
        self._on(line, "unlimit")

    def limit_left(self, line: int) -> int | None:
        (left_ns,) = self._on(line, "limit_left")
        return left_ns  # type: ignore[no-any-return]

    # -- the end ---------------------------------------------------------------------------------

    def close(self) -> None:
        self._watches.forget_all()
        self._counts.close()
        self._connection.close()

    def after_fork(self) -> None:
        self._connection.abandon()
        self._watches.forget_all()
        self._counts.forget_all()
        self._inputs.clear()
        self._outputs.clear()
        self._lost.clear()
        self._ask = self._ask_anew
        for bus in self.buses.values():
            bus.after_fork()

    def _ask_anew(
        self, head: bytes, is_repeatable: bool = True, is_reading: bool = False, generation: int = 0
    ) -> bytes:
        """The first call in the child of a fork, which has a session of its own."""
        self._connection = self._connect()
        return self._ask(head, is_repeatable, is_reading)


def who() -> str:
    """user@host, for the books of the other side."""
    threads.load("getpass")
    import getpass

    try:
        user = getpass.getuser()
    except (ImportError, KeyError, OSError):
        user = str(os.getuid()) if hasattr(os, "getuid") else "somebody"
    return f"{user}@{socket.gethostname()}"


def program() -> str:
    """The name of this program, for those who look who is there."""
    name, *words = [*map(os.path.basename, sys.argv[:1]), *sys.argv[1:2]] or ["python"]
    is_verb = name == "rpio" and bool(words) and words[0].isalpha()
    return f"rpio {words[0]}" if is_verb else name or "python"
