# SPDX-License-Identifier: LGPL-3.0-or-later
"""remoteio's names: pins of another machine, each with a queue of timed tasks there.

::

    from RPIO.remoteio import RemoteServer, run_server

    run_server(port=1234)                       # there; until Ctrl+C. Or, as a daemon: rpio serve --remoteio

    with RemoteServer("192.168.1.38", 1234) as server:      # here
        lamp = server.pin(7, "b")               # a pin of the header; server.pin(4, "g") is the same by its GPIO
        lamp.on(time_ms=2000)                   # returns at once: it is queued there
        lamp.blink(time_ms=3000, arg1=0.1, arg2=0.2)
        lamp.off()

Tasks of a pin are done one after the other, those of several pins at the same time. Who closes his connection, or
loses it, has all done that was queued; then his pins are switched off. The protocol is remoteio's of autumn 2024, six
words for each task, and is neither encrypted nor guarded: see ``doc/remoteio``.
"""

from __future__ import annotations

from _thread import RLock

from . import errors, threads
from .machine.headers import HEADER_40
from .processes import hooks
from .wire import remoteio as wire
from .wire.remoteio import PORT

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket

PIN_MAP_gb = {line: pin for pin, line in sorted(HEADER_40.items()) if isinstance(line, int)}
"""GPIO -> pin of the header."""
CONNECT_S, REPLY_S = 10.0, 10.0
"""How long a server may take to be reached, and to answer."""
SILENCE_S = 0.1
"""A reply that is none of the original's server has ended after so long without more."""
WHOLE_MAX = 1e15
"""Up to here a whole number is written in digits: a word has an end, and the server refuses what is too much."""
RECEIVE_BYTES = 4096


class ServerGone(errors.ConnectionLost, RuntimeError):
    """The connection to the server has ended, or it does not answer. A RuntimeError, as with the original."""


class Refused(errors.GPIOError, RuntimeError):
    """The server says that it cannot be done; the text is its reply. A RuntimeError, as with the original."""


class RemoteServer:
    """A connection to remoteio's server at *server_ip*, for all of its pins. From any thread, but not from a signal
    handler that comes in the middle of another call: that one raises RuntimeError. The child of a fork has none of its
    pins: those, and the connection, are the parent's. Its first pin() makes a connection of its own.

    Raises:
        OSError: nobody listens there, or nobody answers within CONNECT_S (a TimeoutError).
    """

    def __init__(self, server_ip: str, server_port: int = PORT) -> None:
        if not isinstance(server_ip, str):
            raise TypeError(
                f"server_ip must be an address such as '192.168.1.38', not {type(server_ip).__name__}"
            )
        if isinstance(server_port, bool) or not isinstance(server_port, int):
            raise TypeError(f"server_port must be an int, not {type(server_port).__name__}")
        if not 0 < server_port < 65536:
            raise ValueError(f"server_port must be from 1 to 65535, not {server_port}")
        self.server_ip, self.server_port = server_ip, server_port
        self._lock = RLock()
        self._pins: list[RemotePin] = []
        self._socket: socket.socket | None = None
        self._is_asking = False
        self._forks = 0
        """How many there were between the process that has made this and the present one."""
        self._is_inherited = False  # and not connected in this process as yet
        hooks.look_after(self)
        try:
            self._connect()
        except BaseException:
            self._drop()
            raise

    def _connect(self) -> None:
        threads.load("socket")
        import socket

        first: OSError | None = None
        try:
            found = socket.getaddrinfo(self.server_ip, self.server_port, type=socket.SOCK_STREAM)
        except OSError as e:
            raise self._explained(e) from None
        for family, kind, number, _, address in found:
            with hooks.making:
                self._socket = made = socket.socket(family, kind, number)
            try:
                made.settimeout(CONNECT_S)
                made.connect(address)
                made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                made.settimeout(REPLY_S)
                return
            except OSError as e:
                made.close()
                first = first or e
        raise self._explained(first or OSError(f"{self.server_ip} has no address"))

    def _explained(self, error: OSError) -> OSError:
        where = f"{self.server_ip}:{self.server_port}"
        if isinstance(error, TimeoutError):
            return TimeoutError(f"{where} does not answer within {CONNECT_S:g} s: is that machine there?")
        if isinstance(error, ConnectionRefusedError):
            return ConnectionRefusedError(
                error.errno,
                f"nobody listens at {where}: `rpio serve --remoteio` there, or run_server(), begins to",
            )
        return type(error)(error.errno or 0, f"{where}: {error.strerror or error}")

    def pin(self, pin_number: int, numbering: str = "b") -> RemotePin:
        """Have a pin, low: a pin of the header (``"b"``) or a GPIO (``"g"``).

        Raises:
            ValueError: there is no such pin, or this connection has it already. RuntimeError: the server cannot have
            it, since another client has it, say.
        """
        number = _pin_of(pin_number, numbering)
        with self._lock:
            if self._is_inherited:
                self._connect()
                self._is_inherited = False
            if any(pin.pin_number == number for pin in self._pins):
                raise ValueError(
                    f"(({numbering}), {pin_number}) already created as ((b), {number})"
                )  # the original's words
            pin = RemotePin(self, number)
            pin._forks = self._forks
            self._exchange(pin, wire.CREATE)
            self._pins.append(pin)
        return pin

    def close(self) -> None:
        """End the connection. What was queued is done there, and then the pins are switched off. Twice is fine."""
        made = self._socket
        if made is not None and made.fileno() >= 0:
            threads.load("socket")
            from socket import SHUT_WR

            try:
                made.shutdown(SHUT_WR)
            except OSError:
                pass  # the server has been quicker
        self._drop()

    def after_fork(self) -> None:
        """In the child of a fork: close the descriptor, and leave the connection to the parent."""
        was_open = not self.is_closed
        self._lock, self._is_asking, self._pins = RLock(), False, []
        self._forks += 1
        self._drop()
        self._is_inherited = was_open

    def shut_down(self) -> None:
        """At the end of the program: who goes without a word has all done there that was queued, too."""

    def _drop(self) -> None:
        self._is_inherited = False
        made = self._socket
        if made is not None:
            made.close()

    @property
    def is_closed(self) -> bool:
        """Whether the connection has ended, as far as is known here. In the child of a fork it has not begun."""
        return not self._is_inherited and (self._socket is None or self._socket.fileno() < 0)

    def __enter__(self) -> RemoteServer:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        count = len(self._pins)
        state = "closed" if self.is_closed else "1 pin" if count == 1 else f"{count} pins"
        return f"<RemoteServer {self.server_ip}:{self.server_port}, {state}>"

    # -- one record, and its reply ---------------------------------------------------------------

    def _exchange(
        self, pin: RemotePin, command: str, time_ms: float = 0, arg1: float = 0.0, arg2: float = 0.0
    ) -> None:
        """Send a record, and wait for its reply. Raises RuntimeError where it begins with ``?``."""
        data = wire.request(pin.pin_number, command, time_ms, arg1, arg2)
        with self._lock:
            if pin._forks != self._forks:
                raise ServerGone(
                    f"pin {pin.pin_number} is the parent's: this process is the child of a fork",
                    False,
                    hint="server.pin() here has one of this process, where the parent has none or has closed it",
                )
            if self._is_asking:  # in this very thread: replies do not say what they are the reply to
                raise RuntimeError(
                    f"{command} of pin {pin.pin_number}: a signal handler cannot ask for it in the middle of another "
                    "call; let it set a flag, or close() the RemoteServer, which ends in all pins being off"
                )
            try:
                self._is_asking = True
                reply = self._asked(data, pin.pin_number, command)
            except (
                BaseException
            ) as e:  # Ctrl+C too: what comes next would be taken for the reply to another record
                self._drop()
                raise (self._gone(e) if isinstance(e, OSError) else e) from None
            finally:
                self._is_asking = False
            if command == wire.CLOSE:
                self._forget(pin)
        if reply.startswith("?") and reply != wire.ignored(command).decode():
            raise Refused(reply)

    def _forget(self, pin: RemotePin) -> None:
        self._pins = [other for other in self._pins if other is not pin]

    def _asked(self, data: bytes, pin: int, command: str) -> str:
        made = self._socket
        if made is None or made.fileno() < 0:
            raise OSError("it is closed")
        made.sendall(data)
        got = b""
        while True:
            got += self._received(made)
            length = wire.reply_length(got, pin, command)
            if length == wire.IS_OPEN:
                made.settimeout(SILENCE_S)
                got += self._rest(made)
                made.settimeout(REPLY_S)
                return got.decode(errors="replace")
            if length:
                return got[:length].decode()

    @staticmethod
    def _received(made: socket.socket) -> bytes:
        data = made.recv(RECEIVE_BYTES)
        if not data:
            raise OSError("the server has closed it")
        return data

    @staticmethod
    def _rest(made: socket.socket) -> bytes:
        """What comes until there is silence, or the end."""
        got = b""
        while len(got) < RECEIVE_BYTES:
            try:
                data = made.recv(RECEIVE_BYTES)
            except TimeoutError:
                break
            if not data:
                break
            got += data
        return got

    def _gone(self, error: OSError) -> ServerGone:
        where = f"remoteio's server {self.server_ip}:{self.server_port}"
        if isinstance(error, TimeoutError):
            return ServerGone(
                f"{where} does not reply within {REPLY_S:g} s",
                None,
                hint="the published packages 1.0 and 2.x of remoteio reply nothing: `rpio serve --remoteio` does",
            )
        text = f"the connection to {where} is lost: {error.strerror or error}"
        return ServerGone(
            text, None, hint="its pins are free: RemoteServer() makes another one, pin() its pins"
        )


class RemotePin:
    """A pin of a RemoteServer's: what its methods ask for is queued there, and they return at once.

    With *time_ms* a task takes so long and ends low, unless the next one begins then; with 0 it is done at once, and
    what it has done stays until the next one. Raises ValueError for what is no time; RuntimeError where the server
    refuses it, since 1024 tasks wait already, say; ServerGone. After close() nothing is done, and nothing raised.
    """

    numbering = wire.BOARD

    def __init__(self, server: RemoteServer, pin_number: int) -> None:
        self._server = server
        self._forks = 0
        self.pin_number = pin_number
        """On the header, whatever it was asked for by."""

    def on(self, time_ms: float = 0, arg1: float = 0.0, arg2: float = 0.0) -> None:
        """Switch it on."""
        self._do("on", time_ms, arg1, arg2)

    def off(self, time_ms: float = 0, arg1: float = 0.0, arg2: float = 0.0) -> None:
        """Switch it off; with a time nothing else is done for so long."""
        self._do("off", time_ms, arg1, arg2)

    def blink(self, time_ms: float = 0, arg1: float = 1.0, arg2: float = 1.0) -> None:
        """Blink: *arg1* seconds on, *arg2* seconds off."""
        self._do("blink", time_ms, arg1, arg2)

    def pulse(self, time_ms: float = 0, arg1: float = 0.0, arg2: float = 0.0) -> None:
        """Fade in and out, a second each; the arguments mean nothing, as with the original."""
        self._do("pulse", time_ms, arg1, arg2)

    def value(self, time_ms: float = 0, arg1: float = 1.0) -> None:
        """Be on for a part of the time, 0 to 1: a lamp is so bright."""
        self._do("value", time_ms, arg1, 0.0)

    def toggle(self, time_ms: float = 0) -> None:
        """Switch it on if it is off, else off."""
        self._do("toggle", time_ms, 0.0, 0.0)

    def close(self) -> None:
        """Give the pin back when all that waits has been done. What is asked of it later is ignored. Twice is fine, and
        so it is where the connection has ended, and with it all pins, and in the child of a fork.
        """
        if not self._server.is_closed and self._forks == self._server._forks:
            self._do(wire.CLOSE, 0, 0.0, 0.0)

    def _do(self, command: str, time_ms: float, arg1: float, arg2: float) -> None:
        time_ms = _number("time_ms", time_ms)
        arguments = _number("arg1", arg1), _number("arg2", arg2)
        if time_ms.is_integer() and time_ms < WHOLE_MAX:
            time_ms = int(time_ms)
        self._server._exchange(self, command, time_ms, *arguments)

    def __enter__(self) -> RemotePin:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<RemotePin {self.pin_number} of {self._server!r}>"


def _pin_of(number: int, numbering: str) -> int:
    """The pin of the header. Raises ValueError for what is none."""
    pin: int | None = None
    if numbering not in (wire.BOARD, wire.GPIO):
        raise ValueError(
            f"numbering is 'b' for pins of the header or 'g' for GPIO numbers, not {numbering!r}"
        )
    if isinstance(number, int) and not isinstance(number, bool):
        pin = PIN_MAP_gb.get(number) if numbering == wire.GPIO else number
    if pin is None or pin not in PIN_MAP_gb.values():
        what = "a GPIO of the header" if numbering == wire.GPIO else "a pin of the header with a GPIO"
        raise ValueError(
            f"(({numbering}), {number}) false: that is not {what}"
        )  # begins with the original's words
    return pin


def _number(name: str, value: float) -> float:
    """Raises TypeError, ValueError for what is no number from 0 on."""
    if isinstance(value, (str, bytes)) or not hasattr(value, "__float__"):
        raise TypeError(f"{name} must be a number, not {type(value).__name__}")
    number = float(value)
    if not 0 <= number < float("inf"):
        raise ValueError(f"{name} must be a number from 0 on, not {value!r}")
    return number


def run_server(port: int = PORT, mode: str = "wait", host: str = "127.0.0.1", insecure: bool = False) -> None:
    """Serve the lines of this program's board to remoteio's clients, until Ctrl+C or stop_waiting_for_interrupts().

    With *mode* "wait" the tasks of a pin are done one after the other; with "nowait" a new one takes the place of the
    one that is being done. That is for clients of six words; those of the published packages, of four, have what their
    own servers did. At another *host* than this machine's own addresses, "0.0.0.0" for all of them, whoever reaches the
    port drives the lines: that takes insecure=True.

    Raises:
        ValueError: a mode that is none. NotAllowedError: a host that takes insecure=True. (A PermissionError.)
        OSError: EADDRINUSE and others, with the port and what to do.
    """
    threads.load("RPIO.facade")
    threads.load("RPIO.server.remoteio.guests")
    from . import facade
    from .server.remoteio import guests

    guests.run(facade.board, port, mode, host, insecure)


__all__ = ["PORT", "PIN_MAP_gb", "Refused", "RemotePin", "RemoteServer", "ServerGone", "run_server"]
