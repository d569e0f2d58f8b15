# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio serve`` beside a bare asyncio echo: a write, an idle hour's worth, its memory, its start; ``rpio read --on``.

    bench/daemon.py [IDLE_S]      the figures as JSON; IDLE_S is how long the idle daemon is looked at
    bench/daemon.py echo          the floor: says its port, and serves until its standard input ends

Writes and echoes take turns, one by one; the daemon, the echo and this program have one processor between them.
"""

import asyncio
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from remote import TAILS, beside, caller
from table import blank, filled

IDLE_S = 30.0
MOST_MB, MOST_READY_MS = 6, 400
STARTS, READS = 7, 15
ROWS = [
    *(
        blank(f"rpio serve: a write: {tail}", "asyncio echo", "us", 1.6 if tail == "p50" else None)
        for tail in TAILS
    ),
    blank("rpio serve: wake-ups while idle", "one a second", "", 0.0),
    blank("rpio serve: memory over asyncio's own", "the bar", "MB", 1.0),
    blank("rpio serve: ready", "the bar", "ms", 1.0),
    blank("rpio read 17 --on localhost, start to end", "read + echo", "ms", 1.3),
]


ALONE = "import asyncio; print(0, flush=True); asyncio.run(asyncio.sleep(600))"
"""A process that has asyncio, and nothing else."""


class Echo(asyncio.Protocol):
    """What no asyncio server can be quicker than."""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)


async def echo():
    """Serve it."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    over = asyncio.Event()
    loop.add_reader(0, over.set)
    await over.wait()


class There:
    """A process with a folder of its own; ``ready_ms`` is how long the daemon took to say that it is."""

    def __init__(self, processor, folder, *command):
        self.folder = folder
        heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        heard.bind(f"{self.folder.name}/notify")
        heard.settimeout(30)
        self.env = {
            **os.environ,
            "RPIO_BACKEND": "sim:4B",
            "NOTIFY_SOCKET": f"{self.folder.name}/notify",
            "XDG_RUNTIME_DIR": self.folder.name,
            "XDG_STATE_HOME": self.folder.name,
        }
        began = time.perf_counter()
        self.process = subprocess.Popen(
            ["taskset", "-c", str(processor), sys.executable, *command],
            env=self.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        with heard:
            if "serve" in command:
                assert heard.recv(100) == b"READY=1"
                self.ready_ms = (time.perf_counter() - began) * 1e3
            else:
                self.port = int(self.process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate()
        self.folder.cleanup()

    def status(self, name):
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(text.split(f"\n{name}:")[1].split()[0])


class Served(There):
    """``rpio serve`` on a port of its own, and the socket of its folder."""

    def __init__(self, processor):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        folder = tempfile.TemporaryDirectory()
        words = ("--port", str(self.port), "--group", "", "--socket", f"{folder.name}/rpio/rpio.sock")
        super().__init__(processor, folder, "-m", "RPIO", "serve", *words)


def idle(served, idle_s):
    """How often it goes to sleep while nobody is there."""
    before = served.status("voluntary_ctxt_switches")
    time.sleep(idle_s)
    return served.status("voluntary_ctxt_switches") - before


def best_ms(env, *commands):
    """The best time of each command, in turn."""
    took_ms = [[] for _ in commands]
    for _ in range(READS):
        for command, took in zip(commands, took_ms, strict=True):
            began = time.perf_counter()
            subprocess.run(command, env=env, stdout=subprocess.DEVNULL, check=True)
            took.append((time.perf_counter() - began) * 1e3)
    return [min(took) for took in took_ms]


def reading(served, echo_port):
    """``rpio read 17 --on localhost``, beside ``rpio read 17`` and a Python that connects and has an echo."""
    rpio = str(Path(sys.executable).with_name("rpio"))
    floor = (
        f"import socket\nmade = socket.create_connection(('127.0.0.1', {echo_port}))\n"
        "made.sendall(b'read 17')\nmade.recv(100)"
    )
    here, bare, there = best_ms(
        served.env,
        [rpio, "read", "17"],
        [sys.executable, "-c", floor],
        [rpio, "read", "17", "--on", "localhost"],
    )
    return here + bare, there


def run(idle_s):
    """All figures."""
    import RPIO

    processor = sorted(os.sched_getaffinity(0))[0]
    alone = There(processor, tempfile.TemporaryDirectory(), "-c", ALONE)
    floor = There(processor, tempfile.TemporaryDirectory(), __file__, "echo")
    with alone, floor, Served(processor) as served:
        time.sleep(1)  # what has begun is asleep, and its memory is as it stays
        wakes = idle(served, idle_s)
        memory = (served.status("VmRSS") - alone.status("VmRSS")) / 1024
        pair = reading(served, floor.port)
        os.sched_setaffinity(0, [processor])
        with RPIO.connect(f"127.0.0.1:{served.port}") as board, caller(floor.port) as bare:
            board.setup(17, RPIO.OUT)
            writes = beside(lambda number: board.output(17, number & 1), bare)
    starts = []
    for _ in range(STARTS):
        with Served(processor) as served:
            starts.append(served.ready_ms)
    return {
        "writes": writes,
        "idle": wakes,
        "mb": memory,
        "ready_ms": statistics.median(starts),
        "read": pair,
    }


def rows():
    """Beside asyncio, or beside what was promised."""
    done = subprocess.run([sys.executable, __file__], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    return filled(
        ROWS,
        [
            *(found["writes"][tail] for tail in TAILS),
            (IDLE_S, found["idle"]),
            (MOST_MB, found["mb"]),
            (MOST_READY_MS, found["ready_ms"]),
            found["read"],
        ],
    )


if __name__ == "__main__":
    if sys.argv[1:] == ["echo"]:
        asyncio.run(echo())
    else:
        print(json.dumps(run(float(sys.argv[1]) if len(sys.argv) > 1 else IDLE_S)))
