# SPDX-License-Identifier: LGPL-3.0-or-later
"""What becomes of each operation of the table, and of each error."""

from __future__ import annotations

from ... import errors, log
from ...backends.buses import SpiSettings
from ...tasks.courses import checked as check
from ...wire.native import Request, Server
from ...wire.smbus import M_RD, Message, SmbusCall, check_call
from ...wire.terms import GPIO, HOLDS_ALONE, LEFT, OUTSIDE, WATCHES_OUTPUTS
from ..rights.access import lines_of
from .hearing import not_served

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from ...backends import Backend
    from ...board.leases import Leases
    from ...tasks.engine import Task, Tasks
    from ..rights.audit import Audit
    from .buses import Buses
    from .hearing import Starting
    from .hold import Holds
    from .sessions import Session

    Handler = Callable[[Leases, Session, Sequence[object]], object]


NS_PER_S = 1_000_000_000


def _read(leases: Leases, session: Session, lines: list[int]) -> tuple[list[int]]:
    return ([leases.read(line) for line in lines],)


def _peek(leases: Leases, session: Session, lines: list[int]) -> tuple[list[int | None]]:
    return ([leases.peek(line) for line in lines],)


def _release(leases: Leases, session: Session, lines: list[int]) -> None:
    tasks = session.all.tasks
    for line in lines:
        session.unwatch(line)
        if tasks is not None:
            tasks.end(session.owner, line)
        leases.release(session.owner, line)


def _consumer(leases: Leases, session: Session, line: int) -> tuple[str, list[str]]:
    name = leases.consumer(session.owner, line)
    return name, [LEFT] if not name and leases.is_left(line) else []


def _play(
    leases: Leases,
    session: Session,
    period_ns: int,
    turns: int,
    instead_of: int,
    edges: list[tuple[int, int, int]],
) -> tuple[int]:
    replaced = None if instead_of < 0 else instead_of
    return (leases.play(session.owner, edges, period_ns, turns, replaced),)


def _wave(leases: Leases, session: Session, number: int) -> tuple[bool | None, int]:
    return leases.wave(session.owner, number) or (None, 0)


def _lend(leases: Leases, session: Session, idle_s: float) -> None:
    if session.talk is not None:  # whose request this is
        session.talk.lend(idle_s)


def _sessions(leases: Leases, session: Session) -> tuple[list[tuple[object, ...]]]:
    now_ns = session.all.now_ns()
    rows: list[tuple[object, ...]] = []
    for other in session.all.listed():
        lines = ",".join(map(str, leases.safety.lines_of(other.owner)))
        seconds = (now_ns - other.came_ns) // NS_PER_S
        rows.append((other.number, other.owner.name, other.peer, seconds, str(other.rights)[:200], lines))
    return (rows,)


def _audit(leases: Leases, session: Session, since: int, most: int) -> tuple[list[tuple[object, ...]]]:
    audit = session.all.audit
    if audit is None:
        raise errors.NotSupportedError("nothing is written down here", hint="`rpio serve` does, the daemon")
    found = audit.since(since, most)
    return ([(at, r.second, r.who, r.line, r.what, r.level, r.times) for at, r in found],)


def _holds(session: Session) -> Holds:
    holds = session.all.holds
    if holds is None:
        raise errors.NotSupportedError(
            "lines are held here by programs alone", hint="`rpio serve` holds, the daemon"
        )
    return holds


def _programs(session: Session) -> Starting:
    programs = session.all.programs
    if programs is None:
        raise errors.NotSupportedError("no programs run here", hint="`rpio serve` runs them, the daemon")
    return programs


def _tunnels(session: Session, name: str) -> Starting:
    programs = session.all.programs
    if programs is None:
        raise not_served(name)
    return programs


def _driven(leases: Leases, session: Session, lines: list[int]) -> tuple[list[int | None]]:
    outside = leases.outside()
    return ([outside.driven(line) for line in lines],)


READ_MAX = 1 << 15
"""Bytes that one transfer may read."""
HELD_WAIT_S = 0.05
"""How long a call waits for who holds the bus. A client that waits longer asks again: in between it has the connection
for others of its threads.
"""


class Later:
    """The result of what is answered later. *begin* is called with what is to be called then: with the result or the
    error, in the loop's thread. It returns what withdraws the request.
    """

    __slots__ = ("begin",)

    def __init__(
        self, begin: Callable[[Callable[[Any, Exception | None], object]], Callable[[], object]]
    ) -> None:
        self.begin = begin


def _buses(session: Session) -> Buses:
    buses = session.all.buses
    if buses is None:
        raise errors.NotSupportedError("no buses are served here")
    return buses


def _on_bus(
    session: Session, key: tuple[int, ...], work: Callable[[Any], tuple[object, ...]]
) -> tuple[object, ...] | Later:
    """Have it done with a bus: now, or when it is the session's turn."""
    buses = _buses(session)
    is_done, result, error = buses.do_now(session, key, work)
    if not is_done:
        return Later(lambda done: buses.ask(session, session.owner.name, key, work, done, HELD_WAIT_S))
    if error is not None:
        raise error
    return result  # type: ignore[no-any-return]


def _smbus(
    leases: Leases,
    session: Session,
    number: int,
    address: int,
    is_read: bool,
    size: int,
    command: int,
    data: bytes,
    length: int,
    has_pec: bool,
    is_forced: bool,
) -> tuple[object, ...] | Later:
    call = SmbusCall(address, is_read, size, command, data, length, has_pec, is_forced)
    check_call(call)
    return _on_bus(session, (number,), lambda bus: (bus.smbus(call),))


def _any(value: object) -> Any:
    return value


def plain_call(session: Session, request: Request) -> Callable[[], bytes]:
    """Return what does the same call once more, in a hurry, and returns the beginning of its answer; nothing where that
    takes a turn. Raises what it raises.
    """
    number, address, is_read, size, command, data, length, has_pec, is_forced = _any(request.values)
    call = SmbusCall(address, is_read, size, command, data, length, has_pec, is_forced)
    buses, key = _buses(session), (number,)

    def work(bus: Any) -> str:
        word: str = bus.smbus(call).hex()
        return word or "-"

    def carry() -> bytes:
        is_done, word, error = buses.do_now(session, key, work)
        if not is_done:
            return b""
        if error is not None:
            raise error
        session.keep_answer([word])
        return b"ok %b #" % word.encode()

    return carry


def _i2c(
    leases: Leases, session: Session, number: int, rows: list[tuple[int, int, int, bytes]]
) -> tuple[object, ...] | Later:
    messages = [Message(address, flags, data, length) for address, flags, length, data in rows]
    if sum(message.length for message in messages if message.flags & M_RD) > READ_MAX:
        raise ValueError(f"a transfer reads {READ_MAX} bytes at most")
    return _on_bus(session, (number,), lambda bus: (bus.transfer(messages),))


def _i2c_hold(leases: Leases, session: Session, number: int, most_s: float, wait_s: float) -> Later:
    buses = _buses(session)
    buses.desk(number)
    return Later(lambda done: buses.ask_to_hold(session, session.owner.name, (number,), most_s, wait_s, done))


def _spi(
    leases: Leases, session: Session, bus: int, device: int, *settings: Any
) -> tuple[object, ...] | Later:
    mode, speed_hz, bits_per_word, delay_us, keeps_selected, data = settings
    how = SpiSettings(mode, speed_hz, bits_per_word, delay_us, keeps_selected)
    return _on_bus(session, (bus, device), lambda spi: (spi.transfer(data, how),))


def _tasks(session: Session) -> Tasks:
    tasks = session.all.tasks
    if tasks is None:
        raise errors.NotSupportedError("no tasks are done here")
    return tasks


def _task(
    leases: Leases,
    session: Session,
    line: int,
    name: str,
    ms: float,
    arg1: float | None,
    arg2: float | None,
    mode: str,
    is_told: bool,
) -> tuple[int]:
    def on_end(task: Task, how: str, text: str) -> None:
        """Tell of it."""
        session.task_has_ended(task.number, how, text)

    check(name, ms, arg1, arg2)  # before the line is touched
    pin = _tasks(session).pin(session.owner, line, mode)
    return (pin.add(name, ms, arg1, arg2, on_end if is_told else None).number,)


def _cancel(leases: Leases, session: Session, numbers: list[int]) -> tuple[list[int]]:
    tasks = _tasks(session)
    session.rights.check_lines("cancel", GPIO, tasks.lines_of(set(numbers)))
    gone = tasks.cancel(numbers, session.owner.name)
    return ([number for number in dict.fromkeys(numbers) if number in gone],)


NS_PER_MS = 1_000_000
SERVO_PERIOD_NS = 20_000_000

HANDLERS: dict[str, Callable[..., object]] = {
    "modules": lambda leases, session: _programs(session).modules(session),
    "runs": lambda leases, session: _programs(session).runs(session),
    "tunnel": lambda leases, session, name: _tunnels(session, name).tunnel(session, name),
    "tunnel_back": lambda leases, session, name: _tunnels(session, name).tunnel_back(session, name),
    "info": lambda leases, session: session.all.board(),
    "token": lambda leases, session, text: session.show(text),
    "tokens": lambda leases, session: (session.all.check_tokens(),),
    "lend": _lend,
    "sessions": _sessions,
    "holders": lambda leases, session: (leases.safety.held(),),
    "rules": lambda leases, session: (leases.safety.rules.in_words(),),
    "fronts": lambda leases, session: (session.all.fronts(),),
    "audit": _audit,
    "hold": lambda leases, session, pairs: _holds(session).hold(pairs),
    "unhold": lambda leases, session, lines: _holds(session).release(lines),
    "holds": lambda leases, session: (_holds(session).held(),),
    "ping": lambda leases, session: (),
    "input": lambda leases, session, *values: leases.set_input(session.owner, *values),
    "output": lambda leases, session, *values: session.output(*values),
    "read": _read,
    "peek": _peek,
    "write": lambda leases, session, pairs: leases.write(session.owner, pairs),
    "mask": lambda leases, session, *values: leases.write_masks(session.owner, *values),
    "pull": lambda leases, session, line: (leases.pull(line),),
    "set_pull": lambda leases, session, *values: leases.set_pull(session.owner, *values),
    "function": lambda leases, session, line: (leases.function(line),),
    "set_function": lambda leases, session, *values: leases.set_function(session.owner, *values),
    "consumer": _consumer,
    "release": _release,
    "watch": lambda leases, session, *values: (session.watch(*values),),
    "counter": lambda leases, session, *values: session.counts.counter(*values),
    "encoder": lambda leases, session, *values: session.counts.encoder(*values),
    "count": lambda leases, session, number: session.counts.read(number),
    "recount": lambda leases, session, *values: (session.counts.set(*values),),
    "uncount": lambda leases, session, number: session.counts.end(number),
    "unwatch": lambda leases, session, line: session.unwatch(line),
    "pulse": lambda leases, session, *values: leases.pulse(session.owner, *values) and (),
    "blink": lambda leases, session, *values: leases.blink(session.owner, *values) and (),
    "pwm": lambda leases, session, *values: leases.pwm(session.owner, *values),
    "servo": lambda leases, session, line, pulse_us: leases.pwm(
        session.owner, line, SERVO_PERIOD_NS, pulse_us * 1000
    ),
    "change_pwm": lambda leases, session, *values: leases.change_pwm(session.owner, *values),
    "end_pwm": lambda leases, session, line: leases.end_pwm(session.owner, line),
    "play": _play,
    "wave": _wave,
    "stop_wave": lambda leases, session, number: leases.stop_wave(session.owner, number),
    "limit": lambda leases, session, *values: leases.limit(session.owner, *values),
    "unlimit": lambda leases, session, line: leases.unlimit(session.owner, line),
    "limit_left": lambda leases, session, line: (leases.limit_left(line),),
    "drive": lambda leases, session, *values: leases.outside().drive(*values),
    "driven": _driven,
    "press": lambda leases, session, line, ms, level: leases.outside().press(
        line, round(ms * NS_PER_MS), level
    ),
    "wire": lambda leases, session, a, b: leases.outside().wire(a, b),
    "unwire": lambda leases, session, line: leases.outside().unwire(line),
    "watched": lambda leases, session, line: (leases.outside().is_watched(line),),
    "short_circuits": lambda leases, session: (leases.outside().short_circuits,),
    "losses": lambda leases, session, line: (session.losses(line),),
    "i2c_buses": lambda leases, session: (_buses(session).listed(),),
    "i2c_functions": lambda leases, session, number: (_buses(session).desk(number).bus.functions(),),
    "smbus": _smbus,
    "i2c": _i2c,
    "i2c_hold": _i2c_hold,
    "i2c_release": lambda leases, session, bus: (_buses(session).release(session, (bus,)),),
    "spi": _spi,
    "task": _task,
    "tasks": lambda leases, session: (_tasks(session).listed(),),
    "cancel": _cancel,
    "fate": lambda leases, session, number: session.fate(number),
}
"""By the operation's name, but for those that begin and end a session."""


def words_of(error: Exception) -> tuple[str, list[str]]:
    """The name of an error's class, and what is told of it: its text, what to do, the system's number."""
    kind = next(cls for cls in type(error).__mro__ if cls.__name__ in TOLD)
    number = error.errno if isinstance(error, OSError) else None
    text = (error.strerror if isinstance(error, OSError) else None) or str(error) or kind.__name__
    words = [text, getattr(error, "hint", ""), "" if number is None else str(number)]
    while len(words) > 1 and not words[-1]:
        words.pop()
    return kind.__name__, words


TOLD = {
    name: cls for name, cls in vars(errors).items() if isinstance(cls, type) and issubclass(cls, Exception)
} | {cls.__name__: cls for cls in (ValueError, TypeError, OSError, MemoryError, Exception)}
"""The classes of errors that are told by name."""


def perform(leases: Leases, session: Session, request: Request) -> Sequence[object] | Later:
    """Do what is asked, where it may be done; return the result."""
    operation = request.operation
    session.rights.check(request)
    result = HANDLERS[operation.name](leases, session, *request.values)
    if isinstance(result, Later):
        return result
    if operation.scope == GPIO and session.all.audit is not None:
        _note(session.all.audit, session, request)
    return result or ()  # type: ignore[return-value]


def carry_out(leases: Leases, session: Session, request: Request) -> bytes:
    """Do what is asked, and return the answer; nothing where that comes later."""
    try:
        result = perform(leases, session, request)
        if isinstance(result, Later):
            return _answer_later(session, request, result)
    except Exception as e:
        return _has_failed(session, request, e)
    return session.has_done(request, result)


def _has_failed(session: Session, request: Request, error: Exception) -> bytes:
    """Write down why it has not been done, and return the answer."""
    if not (
        errors.is_refusal(error) or errors.is_lack(error) or isinstance(error, (TypeError, OverflowError))
    ):
        try:
            raise error
        except Exception:  # a fault of ours: the session is told, and goes on
            log.callback_failed(HANDLERS[request.operation.name])
    session.has_failed(request.id, *words_of(error))
    return Server.error(*words_of(error), request.id)


def _answer_later(session: Session, request: Request, later: Later) -> bytes:
    """Begin it. The answer comes when it is done: now, in the middle of this, or of its own."""
    answers: list[bytes] = []
    is_begun = False
    session.is_pending(request.id, True)

    def done(result: Any, error: Exception | None) -> None:
        session.is_pending(request.id, False)
        answer = _has_failed(session, request, error) if error else session.has_done(request, result or ())
        if is_begun:
            talk = session.talk
            if talk is not None and not talk.is_over:
                talk.say(answer)
                if request.id is None:
                    talk.has_answered()
        else:
            answers.append(answer)

    try:
        later.begin(done)
    except BaseException:
        session.is_pending(request.id, False)
        raise
    is_begun = True
    return b"".join(answers)


def _note(audit: Audit, session: Session, request: Request) -> None:
    """Write down what has been set."""
    name, values = request.operation.name, request.values
    levels = dict(values[0]) if name in ("write", "hold") else {}  # type: ignore[call-overload]
    if name == "output":
        levels = {values[0]: values[1]}
    elif name == "mask":
        levels = {line: int(bool(int(values[0]) >> line & 1)) for line in range(64)}  # type: ignore[call-overload]
    for line in sorted(lines_of(request.operation, values)):
        audit.note(session.owner.name, line, name, levels.get(line))


def told_features(backend: Backend) -> list[str]:
    """What is told of what a board can do."""
    further = {
        HOLDS_ALONE: backend.holds_alone,
        OUTSIDE: backend.outside() is not None,
        WATCHES_OUTPUTS: backend.watches_outputs,
    }
    return sorted({*backend.features, "consumers", *[word for word, is_so in further.items() if is_so]})
