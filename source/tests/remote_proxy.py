# SPDX-License-Identifier: LGPL-3.0-or-later
"""A bad network on this machine: a TCP proxy that delays, splits, merges, throttles, stalls, corrupts and cuts."""

import contextlib
import random
import socket
import struct
import threading
import time

from waiting import LIMIT_S

RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with no time: close() resets the connection, and drops what is on its way."""


class Proxy:
    """Connections to a port of this machine, which pass here. *ways* are what happens to their bytes: see _send().

    Numbers are chosen by *seed*; what threads do in between is the machine's choice all the same.
    """

    def __init__(self, port, ways=(), seed=0):
        self._to, self.ways, self._random = port, set(ways), random.Random(seed)
        self.is_away, self._left, self._corrupt = False, None, 0
        self.cuts = self.corrupted = self.connections = 0
        self._pairs, self._lock = [], threading.RLock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._threads = []
        self._start(self._accept)

    def _start(self, target, *arguments):
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                try:
                    server = (
                        None if self.is_away else socket.create_connection(("127.0.0.1", self._to), LIMIT_S)
                    )
                except OSError:
                    server = None
                if server is None:
                    client.close()
                    continue
                for end in (client, server):
                    end.settimeout(None)
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.connections += 1
                pair = (client, server)
                self._pairs.append(pair)
            self._start(self._carry, client, server, pair)
            self._start(self._carry, server, client, pair)

    def _carry(self, source, sink, pair):
        with contextlib.suppress(OSError):
            while data := self._receive(source):
                self._send(sink, data, pair)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)  # what was said before it is still delivered

    def _receive(self, source):
        data = source.recv(65536)
        if data and "merge" in self.ways:
            time.sleep(0.003)
            with contextlib.suppress(BlockingIOError):
                data += source.recv(1 << 20, socket.MSG_DONTWAIT)
        return data

    def _send(self, sink, data, pair):
        ways, chance = self.ways, self._random
        if "delay" in ways:
            time.sleep(chance.uniform(0, 0.004))
        pieces = [data]
        if "split" in ways:
            pieces = [data[at : at + 1] for at in range(len(data))]
        elif "shred" in ways:
            pieces, at = [], 0
            while at < len(data):
                size = chance.randint(1, 7)
                pieces.append(data[at : at + size])
                at += size
        for piece in pieces:
            if "stall" in ways and chance.random() < 0.05:
                time.sleep(0.02 * chance.uniform(0.5, 1.5))
            if "throttle" in ways:
                time.sleep(len(piece) / 20_000)
            self._pass(sink, piece, pair)

    def _pass(self, sink, piece, pair):
        with self._lock:
            if self._corrupt > 0:
                self._corrupt -= 1
                if self._corrupt == 0:
                    at = self._random.randrange(len(piece))
                    piece = piece[:at] + bytes([piece[at] ^ 1 << self._random.randrange(8)]) + piece[at + 1 :]
                    self.corrupted += 1
            if self._left is None or pair not in self._pairs:
                left = len(piece) + 1
            else:
                left, self._left = self._left, max(0, self._left - len(piece))
        sink.sendall(piece[:left])
        if left <= len(piece):
            self.cut(self._random.random() < 0.5)

    # -- what the test says ----------------------------------------------------------------------

    def cut_after(self, count):
        """Cut all connections when so many more bytes have passed."""
        self._left = count

    def corrupt_after(self, count):
        """Change a bit in one of the pieces to come."""
        self._corrupt = count

    def cut(self, is_hard=False):
        """Cut all connections; what is on its way is lost where it is *hard*."""
        with self._lock:
            pairs, self._pairs, self._left = self._pairs, [], None
            self.cuts += bool(pairs)
        for end in (end for pair in pairs for end in pair):
            with contextlib.suppress(OSError):
                if is_hard:
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                end.shutdown(socket.SHUT_RDWR)  # whoever reads it hears of that
            end.close()

    def close(self):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(LIMIT_S)


@contextlib.contextmanager
def proxied(port, ways=(), seed=0):
    """A Proxy to that port."""
    proxy = Proxy(port, ways, seed)
    try:
        yield proxy
    finally:
        proxy.close()
