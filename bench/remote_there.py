# SPDX-License-Identifier: LGPL-3.0-or-later
"""The other side of bench/remote.py: a program that serves its simulated board, and the floor, an echo.

    remote_there.py serve      says two ports: that of RPIO's own protocol, and one where a message moves GPIO 22;
                               a line of standard input is how many edges of it a thread makes, at RATE_HZ
    remote_there.py serve PATH  the same at a unix socket
    remote_there.py echo       says its port

Each serves until its standard input ends.
"""

import contextlib
import itertools
import select
import socket
import sys
import threading
import time

LINE = 22
RATE_HZ = 50_000
BURST = 100
"""Edges that are driven at once, and then a pause: a tenth of what the simulated kernel's buffer holds."""


def serve(path=None):
    """A program that waits in its own loop, where a TCP callback moves the line, too."""
    import RPIO
    from RPIO import sim

    levels = itertools.cycle((1, 0))

    def move(client, message):
        sim.drive(LINE, next(levels))

    ports = RPIO.serve_remote(port=0, path=path), RPIO.add_tcp_callback(0, move, host="127.0.0.1")
    threading.Thread(target=listen, args=(RPIO, sim), daemon=True).start()
    print(*ports, flush=True)
    RPIO.wait_for_interrupts()


def listen(RPIO, sim):
    """The thread that plays the world outside: it sleeps until edges are asked for."""
    for text in sys.stdin:
        flood(sim, int(text))
    RPIO.stop_waiting_for_interrupts()


def flood(sim, edges):
    """Move the line at RATE_HZ, and say how long that took."""
    begin = time.monotonic()
    for done in range(0, edges, BURST):
        for number in range(done, done + BURST):
            sim.drive(LINE, 1 - number % 2)
        time.sleep(max(0.0005, begin + (done + BURST) / RATE_HZ - time.monotonic()))
    print(time.monotonic() - begin, flush=True)


def echo():
    """What no server on loopback can be quicker than, in Python: epoll, a receive, a send."""
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    epoll, clients = select.epoll(), {}
    for fd in (listener.fileno(), sys.stdin.fileno()):
        epoll.register(fd, select.EPOLLIN)
    while True:
        for fd, _ in epoll.poll():
            if fd in clients:
                data = clients[fd].recv(4096)
                if data:
                    clients[fd].send(data)
                else:
                    epoll.unregister(fd)
                    clients.pop(fd).close()
            elif fd == listener.fileno():
                client = listener.accept()[0]
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                clients[client.fileno()] = client
                epoll.register(client, select.EPOLLIN)
            else:
                return


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        {"serve": serve, "echo": echo}[sys.argv[1]](*sys.argv[2:])
