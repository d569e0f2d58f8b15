# SPDX-License-Identifier: LGPL-3.0-or-later
"""Clients take turns in the thread of a threaded callback: each has a queue of its own, and one message a turn.

So a client that sends without end fills its own queue, and then is not read any more; who sends one message waits for
one message of each other client at most.
"""

from __future__ import annotations

from _thread import RLock
from collections import deque

from .callbacks import Worker, _call
from .tcp_limits import QUEUE_MESSAGES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from .tcp_client import Callback, Message, TcpClient

    class Server(Protocol):
        """What the turns need of the port."""

        def update(self, client: TcpClient) -> None:
            """Wait for what the client wants now."""

        def drop(self, client: TcpClient, reason: str, discard: bool = False) -> None:
            """Close the connection."""


class Turns:
    """The thread of a threaded callback, and what waits for it.

    put() and leave() are for the thread of the loop, the rest for any.
    """

    def __init__(self, callback: Callback, name: str, server: Server) -> None:
        self._callback, self._name, self._server = callback, name, server
        self._lock = RLock()  # over all below
        self._queues: dict[
            TcpClient, deque[Message]
        ] = {}  # of those that wait, or whose message is being handled
        self._order: deque[TcpClient] = deque()  # of turns: clients that have a message
        self._leaving: dict[
            TcpClient, str
        ] = {}  # client -> why: closed when its last message has been handled
        self._worker: Worker | None = None
        self._serving = False  # its thread goes on by itself
        self.is_closed = False

    def put(self, client: TcpClient, message: Message) -> bool:
        """Queue a message; pause the client where its queue is full. Whether there is a thread for it: see go_on()."""
        with self._lock:
            queue = self._queues.get(client)
            if queue is None:
                queue = self._queues[client] = deque()
                self._order.append(client)  # else it stands there, or will when its message has been handled
            queue.append(message)
            client.paused = full = len(queue) >= QUEUE_MESSAGES
        if full:
            self._server.update(client)
        return self.go_on()

    def leave(self, client: TcpClient, reason: str) -> bool:
        """Close the client after its last message, to which it may get an answer; False where none waits."""
        with self._lock:
            if client not in self._queues:
                return False
            self._leaving[client] = reason
            client.paused = True
        self._server.update(client)
        return True

    def waiting(self) -> list[TcpClient]:
        """The clients with messages that have not been handled."""
        with self._lock:
            return list(self._queues)

    def go_on(self) -> bool:
        """Have the thread handle what waits; False where it cannot be started: then messages stay where they are."""
        worker = self._worker
        try:
            with self._lock:
                if self._serving or self.is_closed or not self._order:
                    return True
                self._serving = True
                if worker is None:
                    self._worker = worker = Worker(self._serve, self._name)
            if worker.put():
                return True
        except Exception:
            self._give_up(worker)
            return False
        except BaseException:  # Ctrl+C: nobody knows whether it has begun
            self._give_up(worker)
            raise
        self._give_up(worker)
        return False

    def _give_up(self, worker: Worker | None) -> None:
        with self._lock:
            self._worker, self._serving = None, False
        if worker is not None:
            worker.close()  # should its thread begin after all, it ends

    def _serve(self) -> None:
        """In the thread: one message after the other, until none is left."""
        worker = self._worker
        while (turn := self._next(worker)) is not None:
            try:
                _call(self._callback, turn, in_worker=True)
            except BaseException:  # for the main greenlet; the others' messages are handled all the same
                self._serving = False
                self._end_turn(turn[0])
                self.go_on()
                raise
            self._end_turn(turn[0])

    def _next(self, worker: Worker | None) -> tuple[TcpClient, Message] | None:
        with self._lock:
            if self._worker is not worker:
                return None  # there is another thread
            if self.is_closed or not self._order:
                self._serving = False
                return None
            client = self._order.popleft()
            queue = self._queues[client]
            message = queue.popleft()
            resume = client.paused and client not in self._leaving and len(queue) <= QUEUE_MESSAGES // 2
            if resume:
                client.paused = False
        if resume:
            self._server.update(client)
        return client, message

    def _end_turn(self, client: TcpClient) -> None:
        with self._lock:
            if self._queues.get(client):
                self._order.append(client)
                return
            self._queues.pop(client, None)
            reason = self._leaving.pop(client, None)
        if reason is not None:
            self._server.drop(client, reason)

    def close(self) -> None:
        """Drop what waits and end the thread after the call that runs now. Does not wait for it. Twice is fine."""
        self.is_closed = True
        with self._lock:
            self._queues.clear()
            self._order.clear()
            self._leaving.clear()
        if self._worker is not None:
            self._worker.close()

    def is_alive(self) -> bool:
        """Whether its thread runs."""
        return self._worker is not None and self._worker.is_alive()

    def join(self, timeout_s: float) -> None:
        """Wait until the thread has ended, at most so long; returns at once when called from that thread."""
        if self._worker is not None:
            self._worker.join(timeout_s)
