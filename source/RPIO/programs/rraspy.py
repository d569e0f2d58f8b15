# SPDX-License-Identifier: LGPL-3.0-or-later
"""The device of RRaspPY's protocol: answers one host, which calls functions of this machine's modules.

served() is what the daemon starts, with a socket that listens already; ``device.py`` under ``rpio run`` is the same
with the original's words. RPi.GPIO is RPIO here, on whatever RPIO_BACKEND says; smbus and
Adafruit_ADS1x15 are what is installed.
"""

from __future__ import annotations

import argparse
import json
import signal
import socket
import sys
import threading
import warnings
from time import monotonic

from .. import stand_ins
from ..errors import GPIOError, ProtocolError
from ..loop.message import is_all, receive, say_goodbye, send
from ..machine.network import addresses_of, plain
from ..wire import rraspy
from ..wire.rraspy import FAILED, MESSAGE_MAX, ORIGINAL_MAX, REQUESTS, Message, Reader
from . import rraspy_words
from .rraspy_callbacks import Callbacks
from .rraspy_objects import Objects

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .rraspy_objects import Run

CONNECTIONS_MAX = 64
REQUEST_S, COMMAND_S = 10.0, 28.0
"""How long a request may take to come, and what it asks to be done: the original waits 30 s for an answer."""
LOOK_S = 0.5
SAID_S = 20.0
"""What a stranger can bring about is said so often at most."""


class Talk:
    """One connection: a request, and its answer."""

    def __init__(
        self, made: socket.socket, objects: Objects, trace: Callable[[Message, Message], object]
    ) -> None:
        self._made, self._objects, self._trace = made, objects, trace
        self._lock = threading.Lock()
        self._is_answered = False
        self._request: Message | None = None
        self.began_s = monotonic()

    def run(self) -> None:
        """What its thread does."""
        reader = Reader(REQUESTS)
        try:
            receive(self._made, reader, REQUEST_S)
            self._request = request = reader.message()
        except ProtocolError as e:
            self.answer(Message(FAILED, str(e)))
        except TimeoutError as e:
            self.answer(Message(FAILED, str(e)))
        except OSError:
            self.answer(None)
        else:
            self.began_s = monotonic()
            answer = self._objects.answer(request)
            self._trace(request, answer)
            self.answer(answer)

    def answer(self, message: Message | None) -> None:
        """Say that, or nothing, and close. Only the first does anything."""
        with self._lock:
            if self._is_answered:
                return
            self._is_answered = True
        try:
            if message is not None:
                send(self._made, self._bytes(message), REQUEST_S)
        except OSError:
            pass  # the host has gone
        say_goodbye(self._made)

    def _bytes(self, message: Message) -> bytes:
        """An answer that the original can take, unless the host has closed its way to here: the original never does,
        and takes what one receive delivers.
        """
        try:
            return message.to_bytes(ORIGINAL_MAX)
        except ValueError as e:
            if is_all(self._made):
                return message.to_bytes(MESSAGE_MAX)
            why = str(e)
        request = self._request
        text = str(message.values[0]) if message.kind == FAILED else why
        if message.kind != FAILED and request is not None and request.kind == rraspy.EXECUTE:
            handle, callback, command = request.values
            text = rraspy.execute_failed(handle, str(command)[:1000], callback, why)  # type: ignore[arg-type]
        data = text.encode("utf-8", "replace")[: ORIGINAL_MAX - 8]
        return Message(FAILED, data.decode("utf-8", "ignore")).to_bytes(ORIGINAL_MAX)

    def give_up(self) -> None:
        """It has taken too long: say so. What it waits for goes on without anybody to hear of it."""
        self.answer(Message(FAILED, f"not done within {COMMAND_S:g} s"))


class Device:
    """Serves one host, whose addresses are *hosts*, at a listening socket; its events go to *host_address*.

    With *run* it carries out commands otherwise than from the table, and imports any module.
    """

    def __init__(
        self,
        listener: socket.socket,
        hosts: Iterable[str],
        host_address: tuple[str, int],
        say: Callable[[str], object],
        run: Run | None = None,
    ) -> None:
        self._listener, self._hosts = listener, frozenset(map(plain, hosts))
        self._say = say
        self.callbacks = Callbacks(host_address, self._say_sparingly)
        parts = (self.callbacks.add, self.callbacks.remove, self.callbacks.remove_all)
        self.objects = Objects(*parts) if run is None else Objects(*parts, run, None)
        self._talks: dict[Talk, threading.Thread] = {}
        self._is_over = False
        self._said: dict[str, float] = {}
        self.verbosity = 0
        """1: what is asked is said; 2: and what is answered."""

    def _trace(self, request: Message, answer: Message) -> None:
        if self.verbosity:
            self._say(f"{request!r} -> {answer!r}" if self.verbosity > 1 else repr(request))

    def serve(self) -> None:
        """Serve until stop(), or until a signal handler raises."""
        try:
            while not self._is_over:
                self._accept()
                self._look()
        finally:
            self.callbacks.close()
            self._listener.close()

    def stop(self) -> None:
        """Have serve() return. From any thread."""
        self._is_over = True
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it is closed

    def _accept(self) -> None:
        """Have a thread for whoever comes next; come back soon where somebody is there already."""
        self._listener.settimeout(LOOK_S if self._talks else None)
        try:
            made, address = self._listener.accept()
        except TimeoutError:
            return
        except OSError as e:
            if not self._is_over:
                self._say_sparingly(f"nobody can connect: {e}")
                threading.Event().wait(LOOK_S)  # out of descriptors, say
            return
        if plain(str(address[0])) not in self._hosts:
            made.close()
            self._say_sparingly(f"{address[0]} is not the host that is served, which is {self._names()}")
            return
        talk = Talk(made, self.objects, self._trace)
        if len(self._talks) >= CONNECTIONS_MAX:
            self._look()
        if len(self._talks) >= CONNECTIONS_MAX:
            talk.answer(Message(FAILED, f"{CONNECTIONS_MAX} commands are under way"))
            return
        thread = threading.Thread(target=talk.run, name="rraspy", daemon=True)
        self._talks[talk] = thread
        try:
            thread.start()
        except RuntimeError as e:
            del self._talks[talk]
            talk.answer(Message(FAILED, str(e)))

    def _look(self) -> None:
        """Forget those who have gone, and give up what takes too long."""
        now_s = monotonic()
        for talk, thread in list(self._talks.items()):
            if thread.ident is not None and not thread.is_alive():
                del self._talks[talk]
            elif now_s - talk.began_s > COMMAND_S:
                talk.give_up()

    def _names(self) -> str:
        return ", ".join(sorted(self._hosts))

    def _say_sparingly(self, text: str) -> None:
        kind, now_s = text[:24], monotonic()
        if now_s - self._said.get(kind, -SAID_S) >= SAID_S:
            if len(self._said) > 100:
                self._said.clear()
            self._said[kind] = now_s
            self._say(text)


def main(argv: list[str] | None = None, name: str = "device.py") -> int:
    """Serve as the words say, until a signal ends it; return the exit status. See rraspy_words."""
    words = rraspy_words.parser(name).parse_args(argv)
    try:
        return _main(words)
    except KeyboardInterrupt:
        return 130
    except (OSError, GPIOError) as e:
        hint = getattr(e, "hint", "")
        text = e.strerror if isinstance(e, OSError) and e.strerror else str(e)
        print(f"{name}: {text}{f' ({hint})' if hint else ''}", file=sys.stderr)
        return 1


def served(words: str) -> None:
    """Be the device of a daemon. *words* is JSON: those of main() as ``words``, and ``limits`` (see process.Limits)."""
    from .process import Limits, end_with_parent

    told = json.loads(words)
    Limits(**told["limits"]).apply()
    end_with_parent(told["parent"])
    sys.exit(main(told["words"]))


def _main(words: argparse.Namespace) -> int:
    try:
        hosts = addresses_of(words.host)
    except OSError as e:
        raise OSError(e.errno, f"{words.host}: {e.strerror}") from None
    if words.socket is not None:
        listener = socket.socket(fileno=words.socket)
    else:
        address = rraspy_words.address(words.device, words.insecure)
        rraspy_words.check(address, words.insecure, words.open_run)
        listener = rraspy_words.listen(address, words.device_port)
    try:
        return _serve(words, listener, hosts)
    finally:
        listener.close()


def _serve(words: argparse.Namespace, listener: socket.socket, hosts: list[str]) -> int:
    where, port = listener.getsockname()[:2]
    for line in rraspy_words.told(where, hosts, words.insecure, words.open_run):
        rraspy_words.say(line)
    device = Device(listener, hosts, (words.host, words.host_port), rraspy_words.say, _how(words.open_run))
    device.verbosity = words.verbose
    stand_ins.install("RPi")
    warnings.simplefilter("ignore", SyntaxWarning)  # of commands: they are their sender's affair
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print(f"Server started on {where}:{port}", flush=True)  # the original's words
    device.serve()
    return 0


def _how(is_open: bool) -> Run | None:
    if not is_open:
        return None
    from .rraspy_python import run

    return run


if __name__ == "__main__":
    sys.exit(main(name="rraspy"))
