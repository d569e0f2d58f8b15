# SPDX-License-Identifier: LGPL-3.0-or-later
"""remoteio's clients: each a connection in the board's loop, with a session like any other's, and queues of tasks.

A client of six words is answered for each record, in order; one of four words is told nothing, as by its own server.
What has been accepted is done, whatever becomes of the connection: that is the tasks' affair. Unknown commands, which
the original's server acknowledges and drops, are acknowledged and told to who runs this one.
"""

from __future__ import annotations

from time import monotonic_ns

from ... import errors, log, threads
from ...loop.tcp_options import look_after, set_options
from ...loop.tcp_ports import check_address
from ...tasks.engine import NOWAIT, WAIT
from ...wire import remoteio as wire
from ...wire.fronts import is_here
from ...wire.remoteio import BARE, CLOSE, CREATE, FOUR, LINES, SIX, Line, Record
from ...wire.terms import GPIO
from ..connections.doors import Port
from ..connections.links import Link
from ..sessions.safe_states import go_safe
from ..sessions.talks import Talk

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable

    from ...board.board import Board
    from ...machine.boards import Hardware
    from ...tasks.engine import TaskPin
    from ..connections.links import House
    from ..sessions.sessions import Sessions
    from .devices import Devices
    from .objects import Objects

READ_BYTES = 1 << 14
"""As much is read of a client before others have their turn."""
QUIET_NS = round(wire.QUIET_S * 1e9)
NAMES = ("on", "off", "blink", "pulse", "value", "toggle", CLOSE)
LEVELS = {"on": 1, "off": 0}
"""What the audit knows of the level that a command brings."""
TOO_MANY = "there are too many clients; try again later"
NAP_S = 0.5


class Way:
    """How the clients of a port are served, on a board's lines: *mode* is that of six words."""

    __slots__ = ("_board", "_devices", "mode", "said")

    def __init__(self, board: Board, mode: str = WAIT) -> None:
        self._board, self.mode, self.said = board, mode, log.Sparing()
        self._devices: Devices | None = None

    @property
    def hardware(self) -> Hardware:
        """What machine it is."""
        return self._board.hardware

    @property
    def devices(self) -> Devices:
        """gpiozero's; made on first use."""
        if self._devices is None:
            threads.load("RPIO.server.remoteio.devices")
            from .devices import Devices

            self._devices = Devices(self._board)
        return self._devices


class Guest(Talk):
    """A client: bytes in, bytes out. *soon* has something called in the loop's thread, from any other."""

    def __init__(
        self,
        sessions: Sessions,
        peer: str,
        on_output: Callable[[], object],
        soon: Callable[[Callable[[], object]], object],
        way: Way,
    ) -> None:
        super().__init__(sessions, peer, on_output)
        self._way, self._soon = way, soon
        self.reader = wire.Server()
        assert sessions.tasks is not None
        self._tasks = sessions.tasks
        self._pins: dict[int, TaskPin] = {}
        self._objects: Objects | None = None
        self.on_time: Callable[[], object] = lambda: None
        """Called when tick() has to be called at another time than before: see due_ns()."""
        self._quiet_ns: int | None = None
        self.session.introduce("", f"remoteio client from {peer}", 0.0)

    # -- what comes ------------------------------------------------------------------------------

    def hear_bytes(self, data: bytes) -> bytes:
        """Do what these ask; return what is answered at once."""
        if self.is_over:
            return b""
        answers = self._obey(self.reader.feed(data))
        if self.reader.is_waiting or self._quiet_ns is not None:
            self._wait_for_silence()
        return answers

    def hear_nothing(self) -> bytes:
        """Nothing more comes, for now or for ever: what ends with that is done."""
        return self._obey(self.reader.quiet()) if not self.is_over else b""

    def _obey(self, found: Iterable[Record | Line]) -> bytes:
        reader = self.reader
        answers = [self._do(item) for item in found]
        if reader.error:
            log.info("%s: %s", self.session.peer, reader.error)
            if self._objects is not None:
                self._objects.refuse(reader.error)  # when what came before is answered
            else:
                self.is_over = True
                if reader.has_replies:
                    answers.append((b"?" if reader.kind == LINES else b"") + wire.refused(reader.error))
            self._tasks.cancel_all(self.session.owner, "its client has sent what is no task")
        return b"".join(answers)

    def _do(self, item: Record | Line) -> bytes:
        if isinstance(item, Line):
            self._objects_made().hear(item)
            return b""
        answer = self._do_record(item)
        return answer if self.reader.kind == SIX else b""

    def _do_record(self, record: Record) -> bytes:
        line, command, is_six = self._line_of(record), record.command, self.reader.kind == SIX
        pin = self._pins.get(line)
        if pin is None and (command == CREATE or (not is_six and command != CLOSE)):
            pin = self._create(record, line)
            if pin is None:
                return wire.creation_failed(record.pin)
            if command == CREATE:
                return wire.CREATED
        if pin is None:
            return wire.ignored(command)
        if command not in NAMES:
            if command != CREATE:
                self._way.said.warning("unknown", "%s: there is no command %r", self.session.owner, command)
            return wire.QUEUED
        return self._add(pin, record)

    def _add(self, pin: TaskPin, record: Record) -> bytes:
        command, arg1, arg2 = record.command, record.arg1, record.arg2
        try:
            if record.wrong:
                raise ValueError(record.wrong)
            if command == "blink":
                pin.add(command, record.time_ms, arg1, arg2)
            elif command == "value":
                pin.add(command, record.time_ms, arg1)
            else:
                pin.add(command, record.time_ms)
        except (ValueError, OSError, errors.GPIOError) as e:
            text = _words(e)
            self._way.said.warning(
                "refused", "%s: pin %s: %s: %s", self.session.owner, record.pin, command, text
            )
            return wire.refused(f"{record.pin} {command}: {text}")
        if command == CLOSE:
            self._pins.pop(pin.line, None)
        audit = self._sessions.audit
        if audit is not None:
            audit.note(self.session.owner.name, pin.line, f"task {command}", LEVELS.get(command))
        return wire.QUEUED

    def _create(self, record: Record, line: int) -> TaskPin | None:
        session = self.session
        kind = self.reader.kind
        mode = {BARE: WAIT, FOUR: NOWAIT}.get(kind, self._way.mode)
        try:
            session.rights.check_scope("remoteio", GPIO)
            if line < 0:
                of_header = (
                    "" if record.numbering == wire.GPIO else f"of the header of {self._way.hardware.name} "
                )
                raise ValueError(f"it is no GPIO {of_header}".strip())
            pin = self._tasks.pin(session.owner, line, mode)
        except (ValueError, OSError, errors.GPIOError) as e:
            self._way.said.warning(
                "create",
                "%s: %s %s cannot be had: %s",
                session.owner,
                record.numbering,
                record.pin,
                _words(e),
            )
            return None
        self._pins[line] = pin
        return pin

    def _line_of(self, record: Record) -> int:
        """The line that is meant; -1 where there is none."""
        if record.numbering == wire.GPIO:
            return record.number
        line = self._way.hardware.header.get(record.number)
        return line if isinstance(line, int) else -1

    # -- time ------------------------------------------------------------------------------------

    def _wait_for_silence(self) -> None:
        """There may be a record that ends with that."""
        self._quiet_ns = monotonic_ns() + QUIET_NS if self.reader.is_waiting else None
        self.on_time()

    def due_ns(self) -> int | None:
        """When tick() has something to do; None for never."""
        times = (self._quiet_ns, self._objects.due_ns() if self._objects is not None else None)
        return min([time for time in times if time is not None], default=None)

    def tick(self) -> bytes:
        """Do what is due; return what is answered at once."""
        if self._objects is not None:
            self._objects.tick()
        if self._quiet_ns is None or monotonic_ns() < self._quiet_ns:
            return b""
        self._quiet_ns = None
        return self.hear_nothing()

    # -- objects ---------------------------------------------------------------------------------

    def _objects_made(self) -> Objects:
        if self._objects is None:
            threads.load("RPIO.server.remoteio.objects")
            from .objects import Objects

            self._objects = Objects(
                self.session, self._way.devices, self._soon, self._say_later, self.on_time
            )
        return self._objects

    def _say_later(self, text: bytes) -> None:
        self.say(text)
        if self._objects is not None and self._objects.is_refused and not self._objects.is_waiting:
            self.is_over = True
        self.on_output()  # which looks whether more is to be read

    @property
    def listens(self) -> bool:
        """Whether more is to be read: not while many commands wait for their turn."""
        objects = self._objects
        return super().listens and (objects is None or (objects.has_room and not objects.is_refused))

    def end(self) -> None:
        """The connection is closed, by whichever side."""
        objects, self._objects = self._objects, None
        if objects is not None:
            objects.end()
        super().end()


def _words(error: Exception) -> str:
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)


class GuestLink(Link):
    """A client's socket."""

    talk: Guest

    def __init__(self, house: House, made: socket.socket, peer: str, way: Way) -> None:
        self._way = way
        self._is_timed = False  # among House.lent
        super().__init__(house, made, peer)

    def _talk_with(self, peer: str) -> Guest:
        house = self._house
        guest = Guest(house.sessions, peer, lambda: house.has_output(self), house.soon, self._way)
        guest.on_time = self._look_at_time
        return guest

    def begin(self) -> None:
        """Hear him, and notice when his machine has gone without a word."""
        set_options(self.socket)
        look_after(self.socket)  # of one on another machine, which needs it sooner
        super().begin()

    def _hear(self) -> None:
        talk = self.talk
        try:
            data = self.socket.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError as e:
            log.debug("- %s: %s", talk.session.peer, e)
            self.close()
            return
        if not data:
            talk.hear_nothing()
            self.close()
            return
        self._answer(talk.hear_bytes(data))
        if not self.is_closed:
            self._want()

    def _answer(self, answers: bytes) -> None:
        if answers and (self._left or self.talk.out):
            self.talk.say(answers)
        elif answers:
            self._send(answers)

    # -- time: see House.lent --------------------------------------------------------------------

    def _look_at_time(self) -> None:
        is_timed, lent = self.talk.due_ns() is not None and not self.is_closed, self._house.lent
        if is_timed and not self._is_timed:
            lent.append(self)
        elif self._is_timed and not is_timed:
            lent.remove(self)
        self._is_timed = is_timed
        if is_timed:
            self._house.sessions.on_time()

    def due_ns(self) -> int | None:
        """When tick() has something to do."""
        return self.talk.due_ns()

    def tick(self) -> None:
        """Do what is due."""
        due_ns = self.talk.due_ns()
        if due_ns is not None and monotonic_ns() >= due_ns:
            if self.talk.listens:
                self._hear()  # what has come while the loop was busy is no silence
            if not self.is_closed:
                self._answer(self.talk.tick())
            if self.talk.is_over and not self.is_closed:
                self.flush()
        self._look_at_time()

    def close(self) -> None:
        """End the connection. Twice is fine."""
        if self._is_timed:
            self._is_timed = False
            self._house.lent.remove(self)
        super().close()


class GuestPort(Port):
    """A port for remoteio's clients."""

    is_ours = False

    def __init__(self, host: str, port: int, way: Way) -> None:
        super().__init__(host, port)
        self._way = way

    def link(self, house: House, made: socket.socket, peer: str) -> Link:
        """Have a client who has connected."""
        return GuestLink(house, made, peer, self._way)

    def refusal(self, error: OSError) -> bytes:
        """What one is told who is too many."""
        return wire.refused(TOO_MANY)


# -- in a program -------------------------------------------------------------------------------


def check(port: int, mode: str, host: str, insecure: bool) -> None:
    """Raise for what cannot be served: see RPIO.remoteio.run_server()."""
    check_address(host, port)
    if mode not in (WAIT, NOWAIT):
        raise ValueError(f"mode is 'wait' or 'nowait', not {mode!r}")
    if not insecure and not is_here(host):
        raise errors.NotAllowedError(
            f"{host!r} can be reached by other machines, or is no address: remoteio's protocol is neither encrypted "
            "nor guarded, so whoever reaches this port drives the lines. insecure=True serves it there all the same",
            hint="`rpio serve --remoteio` there and `rpio tunnel THERE remoteio` here bring the port here, encrypted",
        )


def run(board: Board, port: int, mode: str, host: str, insecure: bool) -> None:
    """See RPIO.remoteio.run_server()."""
    check(port, mode, host, insecure)
    threads.load("RPIO.server.connections.front")
    from ..connections.front import Front

    _ = board.backend  # what is wrong with it is told now
    go_safe(board)
    if not is_here(host):
        log.warning("insecure: whoever reaches port %d of %s drives the lines of this machine", port, host)
    way = Way(board, mode)
    door = GuestPort("127.0.0.1" if host == "localhost" else host, port, way)
    front = Front(board, [door])
    way.devices.prepare()
    board.waiting.ports.open(front, host)
    log.info("remoteio listening on port %d...", door.port)  # the original's words
    try:
        _wait(board, front)
    except KeyboardInterrupt:
        pass  # which is how it is ended
    finally:
        front.close()


def _wait(board: Board, front: object) -> None:
    """Until Ctrl+C or stop_waiting_for_interrupts(); where the loop runs in a thread already, until that is closed."""
    try:
        board.wait_for_interrupts()
    except errors.AlreadyRunningError:
        threads.load("time")
        from time import sleep

        while not front.is_closed:  # type: ignore[attr-defined]
            sleep(NAP_S)
