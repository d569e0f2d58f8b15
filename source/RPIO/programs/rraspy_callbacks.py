# SPDX-License-Identifier: LGPL-3.0-or-later
"""Events that a device of RRaspPY's tells its host: over a connection of its own each, those of an id in order."""

from __future__ import annotations

import socket
import threading
from collections import deque

from ..errors import CommandError, ProtocolError
from ..loop.message import receive, send
from ..wire.rraspy import CALLBACK, FAILED, HEARD, ORIGINAL_MAX, Message, Reader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

CALLBACKS_MAX, WAITING_MAX = 1024, 1024
CONNECT_S, ANSWER_S = 5.0, 30.0
"""The original waits so long for the answer, which comes when the host's function has returned."""


class Told:
    """The events of one id: what waits to be told, and who tells it."""

    def __init__(self, id: str, tell: Callable[[Told, bytes], object]) -> None:
        self.id, self._tell = id, tell
        self._waiting: deque[bytes] = deque(maxlen=WAITING_MAX)
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self.is_over = False
        self.dropped = 0
        """Events of which nobody will know: they came faster than they could be told."""

    def __call__(self, *arguments: object) -> None:
        """Something has happened. Raises ValueError, TypeError for what cannot be told."""
        data = Message(CALLBACK, self.id, *arguments).to_bytes(ORIGINAL_MAX)
        with self._changed:
            if self.is_over:
                return
            self.dropped += len(self._waiting) == WAITING_MAX
            self._waiting.append(data)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=f"rraspy {self.id}", daemon=True)
                self._thread.start()
            self._changed.notify()

    def end(self) -> None:
        """Tell no more. Twice is fine."""
        with self._changed:
            self.is_over = True
            self._waiting.clear()
            self._changed.notify()

    def _next(self) -> bytes | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self.is_over)
            return None if self.is_over else self._waiting.popleft()

    def _run(self) -> None:
        while (data := self._next()) is not None:
            self._tell(self, data)


class Callbacks:
    """The ids of a host at *address*. *say* is told what goes wrong."""

    def __init__(self, address: tuple[str, int], say: Callable[[str], object]) -> None:
        self._address, self._say = address, say
        self._lock = threading.Lock()
        self._of: dict[str, Told] = {}

    def add(self, id: str) -> Told:
        """What is to be called. One of that id, which there is already, ends: as with the original the new one counts.

        Raises:
            CommandError: there are too many.
        """
        told = Told(id, self._tell)
        with self._lock:
            before = self._of.get(id)
            if before is None and len(self._of) >= CALLBACKS_MAX:
                raise CommandError(f"more than {CALLBACKS_MAX} callbacks")
            self._of[id] = told
        if before is not None:
            before.end()
        return told

    def remove(self, id: str) -> None:
        """Tell no more of that id; one that is unknown is none."""
        with self._lock:
            told = self._of.pop(id, None)
        if told is not None:
            told.end()

    def remove_all(self, beginning: str) -> None:
        """The same for all ids that are *beginning* and digits."""
        for id in list(self._of):
            if id.startswith(beginning) and id[len(beginning) :].isdigit():
                self.remove(id)

    def close(self) -> None:
        """Tell no more."""
        for id in list(self._of):
            self.remove(id)

    def _tell(self, told: Told, data: bytes) -> None:
        """Tell of one event, and wait until the host has done with it."""
        host, port = self._address
        try:
            with socket.create_connection((host, port), CONNECT_S) as made:
                send(made, data, CONNECT_S)
                made.shutdown(socket.SHUT_WR)
                reader = Reader(HEARD)
                receive(made, reader, ANSWER_S)
                answer = reader.message()
        except (OSError, ProtocolError) as e:
            if not told.is_over:
                lost = f", {told.dropped} dropped" if told.dropped else ""
                self._say(f"the host at {host}:{port} was not told of {told.id}: {e}{lost}")
            return
        if answer.kind == FAILED:
            self._say(f"{told.id} has failed at the host: {answer.values[0]}")
