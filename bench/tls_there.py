# SPDX-License-Identifier: LGPL-3.0-or-later
"""The other side of bench/tls.py: servers with the certificate of $STATE_DIRECTORY/tls.

    tls_there.py serve       a program that serves its simulated board to other machines
    tls_there.py daemon      rpio serve, the same
    tls_there.py echo        what no server of TLS can be quicker than, in Python: epoll, ssl.MemoryBIO, an echo
    tls_there.py asyncio     the same under asyncio

Each says its port, and serves until its standard input ends.
"""

import contextlib
import os
import select
import socket
import ssl
import subprocess
import sys
import tempfile
import threading

PIECE = 1 << 16


def context():
    """TLS as the peers have it: the certificate, and clients that have to show one."""
    folder = f"{os.environ['STATE_DIRECTORY']}/tls"
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(f"{folder}/server.pem", f"{folder}/server.key")
    made.load_verify_locations(f"{folder}/ca.pem")
    made.verify_mode = ssl.CERT_REQUIRED
    return made


class Sealed:
    """One side of TLS in memory, and nothing else."""

    def __init__(self, made, context, is_server):
        self._socket = made
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._object = context.wrap_bio(self._in, self._out, server_side=is_server)
        self.is_ready = False

    def shake(self):
        """Go on with the handshake."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self._object.do_handshake()
            self.is_ready = True
        data = self._out.read()
        if data:
            self._socket.send(data)

    def feed(self, data):
        """This has come."""
        self._in.write(data)

    def read(self):
        """What was said."""
        with contextlib.suppress(ssl.SSLWantReadError):
            return self._object.read(PIECE)
        return b""

    def say(self, data):
        """Send that."""
        self._object.write(data)
        self._socket.send(self._out.read())


def serve():
    """A program that waits in its own loop."""
    import RPIO

    print(RPIO.serve_remote(port=0, host="any"), flush=True)

    def end():
        sys.stdin.read()
        RPIO.stop_waiting_for_interrupts()

    threading.Thread(target=end, daemon=True).start()
    RPIO.wait_for_interrupts()


def daemon():
    """The real one."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["serve", "--backend", "sim", "--address", "any", "--port", "0", "--socket", f"{folder}/sock"]
        served = subprocess.Popen([sys.executable, "-m", "RPIO", *words], stderr=subprocess.PIPE, text=True)
        line = next(line for line in served.stderr if "serving" in line)
        print(line.rpartition(":")[2].strip(), served.pid, flush=True)
        sys.stdin.read()
        served.terminate()
        served.wait()


def echo():
    """The floor."""
    tls = context()
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    print(listener.getsockname()[1], flush=True)
    epoll, clients = select.epoll(), {}
    for fd in (listener.fileno(), sys.stdin.fileno()):
        epoll.register(fd, select.EPOLLIN)
    while True:
        for fd, _ in epoll.poll():
            if fd in clients:
                made, sealed = clients[fd]
                data = made.recv(PIECE)
                if not data:
                    epoll.unregister(fd)
                    clients.pop(fd)[0].close()
                    continue
                sealed.feed(data)
                if not sealed.is_ready:
                    sealed.shake()
                    continue
                said = sealed.read()
                if said:
                    sealed.say(said)
            elif fd == listener.fileno():
                made = listener.accept()[0]
                made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                clients[made.fileno()] = made, Sealed(made, tls, True)
                epoll.register(made, select.EPOLLIN)
            else:
                return


def under_asyncio():
    """The same, by what Python has for it."""
    import asyncio

    class Echo(asyncio.Protocol):
        """What comes goes back."""

        def connection_made(self, transport):
            self._transport = transport

        def data_received(self, data):
            self._transport.write(data)

    async def serve():
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Echo, "127.0.0.1", 0, ssl=context())
        print(server.sockets[0].getsockname()[1], flush=True)
        over = asyncio.Event()
        loop.add_reader(sys.stdin.fileno(), over.set)
        await over.wait()

    asyncio.run(serve())


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        parts = {"serve": serve, "daemon": daemon, "echo": echo, "asyncio": under_asyncio}
        parts[sys.argv[1]]()
