# SPDX-License-Identifier: LGPL-3.0-or-later
"""Lines from afar by TLS, with a client's certificate, on loopback: beside a bare echo by TLS, and openssl's handshake.

    bench/tls.py      the figures as JSON

Writes and echoes take turns, one by one; both servers and this program have one processor between them. A pair of
figures is that of the middle one of ROUNDS rounds, by its ratio. openssl's handshake is that of `openssl s_time` with
`openssl s_server`, both in C, each connection new and with the same certificates.
"""

import contextlib
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "source" / "tests"))

from remote import TAILS, middle
from table import blank, filled
from tls_there import PIECE, Sealed

from tls_parts import Device

THERE = Path(__file__).with_name("tls_there.py")
ROUNDS, CALLS, HANDSHAKES = 7, 1000, 100
SESSIONS, MOST_MB = 500, 25
STALLED = 500
KINDS = {"serve": "echo", "daemon": "asyncio"}
"""Who is measured -> the echo beside it."""
NAMES = {"serve": "tls: a write", "daemon": "tls: a write at the daemon"}
PEERS = {"echo": "TLS echo, epoll", "asyncio": "TLS echo, asyncio"}
OPENSSL_S = 2
ROWS = [
    *(
        blank(f"{NAMES[ours]}: {tail}", PEERS[theirs], "us", 1.4 if tail == "p50" else None)
        for ours, theirs in KINDS.items()
        for tail in TAILS
    ),
    blank("tls: a connection that is ready", "openssl's own", "ms", 2.0),
    blank("tls: memory of 500 idle sessions", "the bar", "MB", 1.0),
    *(
        blank(
            f"tls: a write beside 500 stalled handshakes: {tail}",
            "without them",
            "us",
            2.0 if tail == "p50" else None,
        )
        for tail in TAILS
    ),
]


def why_not():
    """Why nothing can be measured here."""
    found = subprocess.run(["openssl", "version"], capture_output=True, check=False)
    return "" if found.returncode == 0 else "openssl is not installed"


def pair(folder):
    """Make a device, with which this process is paired at 127.0.0.1."""
    device = Device(folder)
    os.environ.update(device.environment, RPIO_BACKEND="sim")
    device.pair("bench", ("read", "gpio"))


class There:
    """A program of tls_there.py, and its port."""

    def __init__(self, what, processor):
        command = ["taskset", "-c", str(processor), sys.executable, str(THERE), what]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        self.pid = self._process.pid
        self.port, *pids = map(int, self._process.stdout.readline().split())
        if pids:
            (self.pid,) = pids

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self._process.stdin.close()
        self._process.wait()

    def memory_mb(self):
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s*(\d+) kB", status)[1]) / 1024


class Caller:
    """A client of an echo, by TLS in memory as the server has it."""

    def __init__(self, port, context):
        self._socket = made = socket.create_connection(("127.0.0.1", port))
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sealed = Sealed(made, context, False)
        self._sealed.shake()
        while not self._sealed.is_ready:
            self._sealed.feed(made.recv(PIECE))
            self._sealed.shake()

    def echo_ns(self):
        """One call, as long as a write."""
        begin = time.perf_counter_ns()
        self._sealed.say(b"write 17 1 #1234\n")
        said = b""
        while not said:
            self._sealed.feed(self._socket.recv(PIECE))
            said = self._sealed.read()
        return time.perf_counter_ns() - begin


def write_ns(board, number):
    """One write."""
    begin = time.perf_counter_ns()
    board.output(17, number & 1)
    return time.perf_counter_ns() - begin


def known():
    """TLS as this process is known to the device."""
    from RPIO.remote.places import hosts

    return hosts.find("127.0.0.1").context()


def beside(ours, theirs, processor):
    """A write, and an echo, in turn."""
    import RPIO

    with (
        There(ours, processor) as server,
        There(theirs, processor) as floor,
        RPIO.connect(f"127.0.0.1:{server.port}") as board,
    ):
        echo = Caller(floor.port, known())
        board.setup(17, RPIO.OUT)
        rounds = []
        for _ in range(ROUNDS):
            pairs = [(echo.echo_ns(), write_ns(board, number)) for number in range(CALLS)]
            rounds.append(tuple(zip(*pairs, strict=True)))
        return middle(rounds)


def openssl_ms(folder, processor):
    """Milliseconds of a connection of openssl's own, from end to end."""
    tls, own = f"{folder}/state/tls", f"{folder}/config/rpio/hosts/127.0.0.1"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = ["-cert", f"{tls}/server.pem", "-key", f"{tls}/server.key", "-CAfile", f"{tls}/ca.pem"]
    more = ["-Verify", "1", "-quiet", "-no_ticket", "-accept", f"127.0.0.1:{port}"]
    pinned = ["taskset", "-c", str(processor), "openssl"]
    quiet = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([*pinned, "s_server", *words, *more], **quiet) as server:
        try:
            while True:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                    break
            words = ["-cert", f"{own}/client.pem", "-key", f"{own}/client.key", "-CAfile", f"{own}/ca.pem"]
            words += ["-new", "-time", str(OPENSSL_S), "-connect", f"127.0.0.1:{port}"]
            begin = time.monotonic()
            done = subprocess.run([*pinned, "s_time", *words], capture_output=True, text=True, check=False)
            found = re.search(r"(\d+) connections in ([\d.]+) real seconds", done.stdout)
            assert found, done.stdout + done.stderr
            return (time.monotonic() - begin) * 1e3 / int(found[1])
        finally:
            server.kill()


def connection_ms(processor):
    """Milliseconds of a connection of ours, from nothing to the first answer."""
    import RPIO

    with There("serve", processor) as server, RPIO.connect(f"127.0.0.1:{server.port}"):
        from RPIO.remote import tls
        from RPIO.wire.native import joined

        context, took_s = known(), []
        for _ in range(HANDSHAKES):
            begin = time.perf_counter()
            made = socket.create_connection(("127.0.0.1", server.port))
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            channel = tls.connected(made, context, 10.0, "there")
            channel.send(joined(["ping"], 1))
            while True:
                with contextlib.suppress(BlockingIOError):
                    assert channel.recv(100) == b"ok #1\n"
                    break
            took_s.append(time.perf_counter() - begin)
            channel.close()
        return statistics.median(took_s) * 1e3


def sessions_mb(processor):
    """What SESSIONS add to the memory of a server, when one has come and gone."""
    from RPIO.remote import tls

    with There("serve", processor) as server, contextlib.ExitStack() as stack:
        context = known()

        def session(number):
            made = socket.create_connection(("127.0.0.1", server.port))
            channel = tls.connected(made, context, 10.0, "there")
            stack.callback(channel.close)
            channel.send(b"hello 1 somebody@somewhere program 5.0 #1\n")
            while True:
                with contextlib.suppress(BlockingIOError):
                    assert channel.recv(1000).startswith(b"ok 1 "), number
                    return

        session(0)
        before_mb = server.memory_mb()
        for number in range(SESSIONS):
            session(number)
        return server.memory_mb() - before_mb


def stalled(processor):
    """A write alone, and one while STALLED others have begun a handshake, of many addresses."""
    import RPIO

    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"  # and nothing more of it
    with There("serve", processor) as server, RPIO.connect(f"127.0.0.1:{server.port}") as board:
        board.setup(17, RPIO.OUT)
        rounds = []
        for _ in range(ROUNDS):
            alone = [write_ns(board, number) for number in range(CALLS)]
            with contextlib.ExitStack() as stack:
                for number in range(STALLED):
                    address = (f"127.0.{1 + number // 250}.{1 + number % 250}", 0)
                    other = socket.create_connection(("127.0.0.1", server.port), source_address=address)
                    stack.enter_context(other).sendall(hello)
                beside = [write_ns(board, number) for number in range(CALLS)]
            rounds.append((alone, beside))
        return middle(rounds)


def run():
    """All figures."""
    processor = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, [processor])
    with tempfile.TemporaryDirectory() as folder:
        pair(folder)
        found = {ours: beside(ours, theirs, processor) for ours, theirs in KINDS.items()}
        found["openssl_ms"], found["connection_ms"] = openssl_ms(folder, processor), connection_ms(processor)
        found["sessions_mb"], found["stalled"] = sessions_mb(processor), stalled(processor)
    return found


def rows():
    """Each beside the echo, openssl, or what was promised."""
    done = subprocess.run([sys.executable, __file__], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    return filled(
        ROWS,
        [
            *(found[kind][tail] for kind in KINDS for tail in TAILS),
            (found["openssl_ms"], found["connection_ms"]),
            (MOST_MB, found["sessions_mb"]),
            *(found["stalled"][tail] for tail in TAILS),
        ],
    )


if __name__ == "__main__":
    print(json.dumps(run()))
