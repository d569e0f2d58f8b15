# SPDX-License-Identifier: LGPL-3.0-or-later
"""The host's side of RRaspPY's protocol: asks a device, the original's or ours, and hears its events.

Each request has a connection of its own. Events come to a port of this side, which listens as soon as there is a
callback, and takes them from the device alone.
"""

from __future__ import annotations

import errno
import re
import socket
from _thread import RLock
from time import monotonic, sleep

from .. import errors, log, threads
from ..loop.message import receive, say_goodbye, send
from ..loop.tcp_listener import Socket, explain_bind
from ..machine import network
from ..processes import hooks
from ..wire import rraspy
from ..wire.rraspy import ANSWERS, CALLBACKS, Message, Reader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Address = tuple[str, int]

HOST_PORT, DEVICE_PORT = 7070, 8080
LOOPBACK = "127.0.0.1"
CONNECT_S, ANSWER_S, EVENT_S = 5.0, 30.0, 10.0
"""How long a connection, an answer (the original's SOCKET_TIMEOUT_S) and the whole of an event may take to come."""
BACKLOG, EVENTS_MAX = 64, 64
"""Connections of a device that are heard at the same time."""
FORMS = "rraspy://HOST, rraspy://HOST:PORT, rraspy://HOST:PORT/CALLBACK_ADDRESS:CALLBACK_PORT"
ADDRESS = r"(\[[0-9A-Fa-f:.%\w]+\]|[\w.-]+)(?::(\d{1,5}))?"
PLACE = re.compile(rf"//{ADDRESS}(?:/(?:{ADDRESS})?)?", re.ASCII)


class Listener:
    """Where events come to. *hear* is called with an id and its arguments, in a thread for each event."""

    def __init__(
        self, address: Address, device: Callable[[], str], hear: Callable[[str, tuple[object, ...]], object]
    ) -> None:
        """Listen. Raises OSError, which names who else does."""
        self._device, self._hear = device, hear
        self._open = 0
        host, port = address
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with hooks.making:
            self._socket: socket.socket = Socket(family, socket.SOCK_STREAM)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.bind((host, port))
            self._socket.listen(BACKLOG)
        except OSError as e:
            self._socket.close()
            holder = network.listener_of(port) if e.errno == errno.EADDRINUSE else ""
            if holder:
                text = f"port {port} on {host}, for the device's events, is in use already: by {holder}"
                raise OSError(errno.EADDRINUSE, text) from None
            raise explain_bind(e, host, port) from None
        threads.start(self._run, "RPIO rraspy events")

    def close(self) -> None:
        """Hear no more. Twice is fine."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it is closed
        self._socket.close()

    def _run(self) -> None:
        sparing = log.Sparing()
        while True:
            try:
                made, address = self._socket.accept()
            except OSError:
                if self._socket.fileno() < 0:
                    return
                sleep(0.1)  # there is no descriptor left, say
                continue
            if not self._is_device(str(address[0])) or self._open >= EVENTS_MAX:
                made.close()
                sparing.warning("event", "an event of %s is not heard: it is not the device", address[0])
                continue
            self._open += 1
            threads.start(lambda made=made: self._take(made), "RPIO rraspy event")  # type: ignore[misc]

    def _is_device(self, address: str) -> bool:
        try:
            return network.plain(address) in map(network.plain, network.addresses_of(self._device()))
        except OSError:
            return False

    def _take(self, made: socket.socket) -> None:
        """Hear one event, and say so when it has been dealt with."""
        try:
            reader = Reader(CALLBACKS)
            try:
                receive(made, reader, EVENT_S)
                id, *arguments = reader.message().values
                self._hear(str(id), tuple(arguments))
                answer = Message(rraspy.OK)
            except Exception as e:  # the callback's own, which has been shown, or what is no event
                text = str(e) or type(e).__name__
                answer = Message(rraspy.FAILED, text[:1000])
            send(made, answer.to_bytes(), EVENT_S)
            say_goodbye(made)
        except OSError:
            made.close()  # the device has gone
        finally:
            self._open -= 1


class Device:
    """A device at *where*, an argument of the backend's word: "//pi". See FORMS.

    ``device`` and ``host`` are where it is and where this side hears its events, asked anew for each request: whoever
    has them elsewhere puts functions there. Calls may come from any thread.
    """

    def __init__(self, where: str = "") -> None:
        found = PLACE.fullmatch(where) if where.strip("/") else None
        if where.strip("/") and found is None:
            raise ValueError(f"'rraspy:{where}' is no place of a device: those are {FORMS}")
        parts = found.groups() if found is not None else (None,) * 4
        host, port, callback_host, callback_port = parts
        self._device = (host or LOOPBACK).strip("[]"), int(port or DEVICE_PORT)
        self._callback = (callback_host or "").strip("[]"), int(callback_port or HOST_PORT)
        if not (0 < self._device[1] < 65536 and self._callback[1] < 65536):
            raise ValueError(f"a port is a number from 1 to 65535, not as in 'rraspy:{where}'")
        self.device: Callable[[], Address] = lambda: self._device
        self.host: Callable[[], Address] = self._own_address
        self.answer_s = ANSWER_S
        self._lock = RLock()
        self._functions: dict[str, Callable[..., object]] = {}
        self._listener: Listener | None = None

    def __str__(self) -> str:
        host, port = self.device()
        return f"{host}:{port}"

    @property
    def callback_place(self) -> Address:
        """Where this side hears its events, as it was given; "" where that is address_towards()."""
        return self._callback

    def address_towards(self) -> str:
        """The address of this machine that the device sees. Raises OSError."""
        device = self.device()[0]
        return LOOPBACK if network.is_loopback(device) else network.address_towards(device)

    def _own_address(self) -> Address:
        host, port = self._callback
        return host or self.address_towards(), port

    # -- asking ----------------------------------------------------------------------------------

    def ask(self, request: Message) -> object:
        """Ask for something; return what comes of it: None, a value, the number of an object, or several values.

        Raises:
            CommandError: the device says that it has failed. ValueError, TypeError: it cannot be asked.
            ConnectionLost: no answer; ``applied`` says whether it has been done. ProtocolError: that was none.
        """
        data = request.to_bytes()
        answer = self._exchange(data)
        if answer.kind == rraspy.FAILED:
            raise errors.CommandError(str(answer.values[0]))
        if answer.kind == rraspy.OK:
            return None
        return answer.values[0] if len(answer.values) == 1 else answer.values

    def _exchange(self, data: bytes) -> Message:
        address = self.device()
        made = self._connected(address)
        applied: bool | None = None
        try:
            send(made, data, CONNECT_S)
            made.shutdown(socket.SHUT_WR)  # what comes back may be longer than the original's 4096 bytes
            reader = Reader(ANSWERS)
            receive(made, reader, self.answer_s)
            if reader.state == rraspy.NEEDS_MORE:
                raise errors.ConnectionLost(
                    f"the device at {self} has closed without an answer",
                    applied,
                    "that is how the original says that it does not know a handle, or that another host is served",
                )
            return reader.message()
        except TimeoutError:
            text = f"no answer from the device at {self} within {self.answer_s:g} s"
            raise errors.ConnectionLost(text, applied) from None
        except errors.LineGoneError:
            raise
        except OSError as e:
            raise errors.ConnectionLost(f"the device at {self}: {e.strerror or e}", applied) from None
        finally:
            made.close()

    def _connected(self, address: Address) -> socket.socket:
        try:
            found = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)
        except OSError as e:
            raise errors.ConnectionLost(f"{address[0]}: {e.strerror or e}") from None
        end_s, why = monotonic() + CONNECT_S, "no address"
        for family, kind, _, _, place in found:
            with hooks.making:
                made = socket.socket(family, kind)
            try:
                made.settimeout(max(0.1, end_s - monotonic()))
                made.connect(place)
                return made
            except OSError as e:
                made.close()
                why = e.strerror or str(e)
        hint = "is it started? rpio serve --rraspy there, or the original's device.py"
        raise errors.ConnectionLost(f"no device at {address[0]}:{address[1]}: {why}", hint=hint)

    def import_module(self, module: str, name: str = "", package: str | None = None) -> None:
        """Have the device import a module, as *name*; one that has that name already stays."""
        self.ask(Message(rraspy.IMPORT, module, name or module, package))

    def execute(
        self,
        command: str,
        handle: int | None = None,
        callback: tuple[str, Callable[..., object]] | None = None,
    ) -> object:
        """Have it carry out a command, of the object with that number; *callback*: the id of an event, and what is
        called then. See ask().

        Raises:
            ValueError: there is a callback of that id. OSError: where its events come to, others listen.
        """
        id, function = callback or (None, None)
        if id is not None and function is not None:
            self.add_callback(id, function)
        try:
            return self.ask(Message(rraspy.EXECUTE, handle, id, command))
        except BaseException:
            if id is not None:
                self.forget_callback(id)
            raise

    def remove_handle(self, handle: int) -> None:
        """Have it forget an object."""
        self.ask(Message(rraspy.REMOVE_HANDLE, handle))

    def remove_callback(self, id: str) -> None:
        """Hear no more of an event, on both sides."""
        self.forget_callback(id)
        self.ask(Message(rraspy.REMOVE_CALLBACK, id))

    def remove_all_callbacks(self, beginning: str) -> None:
        """The same for all whose ids are *beginning* and digits."""
        self.forget_all_callbacks(beginning)
        self.ask(Message(rraspy.REMOVE_CALLBACKS, beginning))

    # -- events ----------------------------------------------------------------------------------

    def add_callback(self, id: str, function: Callable[..., object]) -> None:
        """Have it called on the event of that id, in a thread of its own. Raises ValueError, OSError; see execute()."""
        with self._lock:
            if id in self._functions:
                raise ValueError(f"there is a callback {id!r} already")
            if self._listener is None:
                self._listener = Listener(self.host(), lambda: self.device()[0], self._hear)
            self._functions[id] = function

    def callback(self, id: str) -> Callable[..., object]:
        """What is called then. Raises ValueError where it is nothing."""
        function = self._functions.get(id)
        if function is None:
            raise ValueError(f"there is no callback {id!r}")
        return function

    def forget_callback(self, id: str) -> None:
        """Call nothing any more; the device is not told."""
        self._functions.pop(id, None)

    def forget_all_callbacks(self, beginning: str) -> None:
        """The same for all whose ids are *beginning* and digits."""
        for id in list(self._functions):
            if id.startswith(beginning) and id[len(beginning) :].isdigit():
                self.forget_callback(id)

    def _hear(self, id: str, arguments: tuple[object, ...]) -> None:
        function = self.callback(id)
        try:
            function(*arguments)
        except Exception:
            log.callback_failed(function, in_worker=True)
            raise

    def close(self) -> None:
        """Hear no more events. Twice is fine; another callback begins anew."""
        with self._lock:
            listener, self._listener = self._listener, None
            self._functions.clear()
        if listener is not None:
            listener.close()
