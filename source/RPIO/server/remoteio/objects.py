# SPDX-License-Identifier: LGPL-3.0-or-later
"""gpiozero's devices, for a client of remoteio's who sends lines: each in a thread of its own, on the board's lines.

A command is answered once, in the order in which they came: a reply says not what it is the reply to. What takes longer
than a client waits is answered with that, and goes on; what is asked of that device from then on is done beside it, so
that ``off`` ends a ``blink`` that somebody waits for. The devices of a client who has gone are closed.
"""

from __future__ import annotations

from collections import deque
from time import monotonic_ns

from ... import errors, log, threads
from ...wire import remoteio_objects as wire
from ...wire.remoteio_objects import CLASSES, CLOSE, CREATE, GET, SET, Kind, check
from ...wire.remoteio_values import parameters
from ...wire.terms import GPIO
from .devices import Worker, close, made, made_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from ...wire.remoteio import Line
    from ..sessions.sessions import Session
    from .devices import Devices, Soon

REPLY_NS, CREATE_NS = 2_000_000_000, 2_800_000_000
"""So long a reply may take, before the client is told that it takes longer; it waits 3 s. A device that takes longer to
make is none.
"""
WAIT_MAX_S = 1.9
"""The longest that ``wait_for_...`` waits, which without a time would do so for ever."""
DEVICES_MAX, WAITING_MAX = 64, 256
"""Of a client: devices, and commands that wait."""
ALL_MAX = 256
"""Devices of all clients."""
NEVER_RELEASED = ("MCP", "W1Therm", "WRADS")
"""How the names of classes begin whose devices hang on buses: remoteio has never released what serves them."""


class _Slot:
    """The place of a reply among the others."""

    __slots__ = ("command", "due_ns", "ident", "reply")

    def __init__(self, ident: str, command: str) -> None:
        self.ident, self.command = ident, command
        self.due_ns = monotonic_ns() + (CREATE_NS if command == CREATE else REPLY_NS)
        self.reply: bytes | None = None


class Objects:
    """The devices of one client. *say* sends replies; all is called in the loop's thread, into which *soon* leads."""

    def __init__(
        self,
        session: Session,
        devices: Devices,
        soon: Soon,
        say: Callable[[bytes], object],
        on_time: Callable[[], object],
    ) -> None:
        threads.load("threading")  # which takes who loads it for the main thread
        self._session, self._devices, self._soon, self._say, self._on_time = (
            session,
            devices,
            soon,
            say,
            on_time,
        )
        self._workers: dict[str, Worker] = {}
        self._slots: deque[_Slot] = deque()
        self._is_over = False
        self.is_refused = False
        """What has come is no line, and nothing more is heard."""

    @property
    def is_waiting(self) -> bool:
        """Whether there are replies to come."""
        return bool(self._slots)

    @property
    def has_room(self) -> bool:
        """Whether more commands may wait."""
        return len(self._slots) < WAITING_MAX

    # -- commands --------------------------------------------------------------------------------

    def hear(self, line: Line) -> None:
        """Do what a line asks for."""
        slot = _Slot(line.ident, line.command)
        self._slots.append(slot)
        try:
            self._do(line, slot)
        except (ValueError, OSError, errors.GPIOError) as e:
            self._fill(slot, self._failure(line, e))
        self._on_time()

    def refuse(self, text: str) -> None:
        """What came is no line: say so, behind all replies."""
        slot = _Slot("", "")
        self.is_refused = True
        self._slots.append(slot)
        self._fill(slot, b"?? " + text.encode())

    def _failure(self, line: Line, error: Exception) -> bytes:
        text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        log.info("%s: %s %s: %s", self._session.owner, line.ident, line.command, text)
        if line.command == CREATE:
            return wire.creation_failed(line.ident, text)
        return wire.OF_FAILURE.get(line.command, wire.FAILED)

    def _do(self, line: Line, slot: _Slot) -> None:
        worker = self._workers.get(line.ident)
        is_known = worker is not None and worker.is_open and worker.kind.name == line.kind
        if line.command == CREATE and (worker is None or not worker.is_open):
            self._create(line, slot, worker)
            return
        if worker is None or not is_known or line.command == CREATE:
            self._fill(slot, wire.IGNORED)
            return
        act = self._act(worker, line)
        if line.command == CLOSE:
            worker.is_open = False
        self._ask(worker, line, slot, act)

    def _ask(self, worker: Worker, line: Line, slot: _Slot, act: Callable[[], bytes]) -> None:
        worker.ask(
            lambda: self._done(line, worker, act), lambda reply: self._has_done(line, worker, slot, reply)
        )

    def _create(self, line: Line, slot: _Slot, worker: Worker | None) -> None:
        kind = CLASSES.get(line.kind)
        if kind is None:
            hint = (
                "; what drives devices on buses was never released"
                if line.kind.startswith(NEVER_RELEASED)
                else ""
            )
            raise ValueError(f"there is no class {line.kind}{hint}")
        positional, named = kind.create.checked(parameters(line.text))
        self._session.rights.check_scope("remoteio", GPIO)
        devices = self._devices
        if worker is None:
            if len(self._workers) >= DEVICES_MAX or devices.count >= ALL_MAX:
                raise ValueError(f"there are {DEVICES_MAX} devices of one client at most, {ALL_MAX} of all")
            self._workers[line.ident] = worker = Worker(kind, self._soon)
            devices.count += 1
        worker.kind, worker.is_open = kind, True
        pins = map(devices.line_of, wire.pins_of(kind, positional, named))
        worker.lines = [number for number in pins if number is not None]
        found = worker

        def act() -> bytes:
            """Make it."""
            found.device = devices.make(kind, positional, named)
            if found.is_ended:  # its client has gone meanwhile
                close(found.device)
            return wire.CREATED

        self._ask(worker, line, slot, act)

    def _act(self, worker: Worker, line: Line) -> Callable[[], bytes]:
        """What a command does, in the thread of the device. Raises ValueError."""
        given, kind = parameters(line.text), worker.kind
        if line.command == GET:
            return self._get(worker, kind, given)
        if line.command == SET:
            return self._set(worker, kind, given)
        if line.command == CLOSE:
            return lambda: self._close(worker)
        method = kind.methods.get(line.command)
        if method is None:
            raise ValueError(f"{kind.name} has no method {line.command}")
        positional, named = method.checked(given)
        if method.name.startswith("wait_for_"):
            asked: Any = named.get("timeout")
            named["timeout"] = WAIT_MAX_S if asked is None else min(WAIT_MAX_S, asked)
        name = method.name

        def act() -> bytes:
            """Call it."""
            getattr(worker.device, name)(*map(made, positional), **made_all(named))
            return wire.DONE

        return act

    @staticmethod
    def _get(worker: Worker, kind: Kind, given: Mapping[str, object]) -> Callable[[], bytes]:
        asked = given.get("property", ())
        words = (asked,) if isinstance(asked, str) else asked
        if not isinstance(words, (tuple, list)) or not words or list(given) != ["property"]:
            raise ValueError("get takes property=('NAME', 'NAME')")
        if not all(isinstance(word, str) and word in kind.reads for word in words):
            raise ValueError(f"{kind.name} has not all of {words!r}"[:200])
        names = [kind.reads[word] for word in words]
        return lambda: wire.got({name: getattr(worker.device, name) for name in names})

    @staticmethod
    def _set(worker: Worker, kind: Kind, given: Mapping[str, object]) -> Callable[[], bytes]:
        if not given or not kind.writes.keys() >= given.keys():
            raise ValueError(f"{kind.name} has nothing to set of {', '.join(given)}"[:200])
        values = {name: check(kind.writes[name], value, name) for name, value in given.items()}

        def act() -> bytes:
            """Set them, one after the other."""
            for name, value in values.items():
                setattr(worker.device, name, made(value))
            return wire.IS_SET

        return act

    @staticmethod
    def _close(worker: Worker) -> bytes:
        device, worker.device = worker.device, None
        device.close()
        return wire.CLOSED

    def _done(self, line: Line, worker: Worker, act: Callable[[], bytes]) -> bytes:
        """Do it, in the thread of a device, whatever comes of it."""
        if worker.device is None and line.command != CREATE:
            return wire.IGNORED  # it could not be made
        try:
            return act()
        except Exception as e:  # gpiozero's, and what the board's rules say
            return self._failure(line, e)

    def _has_done(self, line: Line, worker: Worker, slot: _Slot, reply: bytes) -> None:
        if line.command == CREATE and reply != wire.CREATED:
            worker.is_open = False
        self._note(worker, line, reply)
        if not worker.is_open and not worker.waiting and self._workers.get(line.ident) is worker:
            self._drop(line.ident, worker)
        self._fill(slot, reply)

    def _drop(self, ident: str, worker: Worker) -> None:
        del self._workers[ident]
        self._devices.count -= 1
        threads.start(worker.end, "RPIO remoteio end")

    def _note(self, worker: Worker, line: Line, reply: bytes) -> None:
        """Write down what was done to lines."""
        audit = self._session.all.audit
        if audit is None or line.command == GET or reply[:1] != b"!":
            return
        for number in worker.lines:
            audit.note(self._session.owner.name, number, f"{line.kind} {line.command}", None)

    # -- replies, and time -----------------------------------------------------------------------

    def _fill(self, slot: _Slot, reply: bytes) -> None:
        if slot.reply is None:  # else it has come too late
            slot.reply = reply
            self._flush()

    def _flush(self) -> None:
        slots, replies = self._slots, []
        while slots and slots[0].reply is not None:
            replies.append(slots.popleft().reply or b"")
        if replies and not self._is_over:
            self._say(b"".join(replies))

    def due_ns(self) -> int | None:
        """When the first of those who wait has waited too long."""
        return min([slot.due_ns for slot in self._slots if slot.reply is None], default=None)

    def tick(self) -> None:
        """Tell those who have waited too long."""
        now_ns = monotonic_ns()
        late = [slot for slot in self._slots if slot.reply is None and slot.due_ns <= now_ns]
        for slot in late:
            slot.reply = wire.timed_out(slot.ident, slot.command)
            worker = self._workers.get(slot.ident)
            is_lost = slot.command == CREATE or (
                worker is not None and worker.takes_long(now_ns) and not worker.go_round()
            )
            if worker is not None and is_lost:
                self._drop(slot.ident, worker)
        self._flush()

    # -- the end ---------------------------------------------------------------------------------

    def end(self) -> None:
        """The client has gone: close all, in a thread, since gpiozero waits for its own. Twice is fine."""
        self._is_over = True
        workers, self._workers = list(self._workers.values()), {}
        self._devices.count -= len(workers)

        def close_all() -> None:
            """One after the other."""
            for worker in workers:
                worker.end()

        if workers:
            threads.start(close_all, "RPIO remoteio end")
