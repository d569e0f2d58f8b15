# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio serve --remoteio``: records that one client sends without waiting, one at a time beside a bare asyncio echo,
and 200 clients at once.

    bench/remoteio.py       the figures as JSON

Client, daemon and echo have one processor between them. Each record switches the line.
"""

import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from daemon import There
from remote import beside, caller
from table import blank, filled

DAEMON = str(Path(__file__).with_name("daemon.py"))
ROUNDS, RECORDS, AT_ONCE, CLIENTS = 5, 20_000, 500, 200
MOST_US, MOST_MS = 100.0, 1000.0
CREATED, QUEUED = b"!", b"! command on execution-queue"
PAIR = b"b 7 on 0 0.0 0.0 b 7 off 0 0.0 0.0 "
ROWS = [
    blank("remoteio: a record of many, accepted and done", "10,000 records/s", "us", 1.0),
    blank("remoteio: a command until its reply: median", "asyncio echo", "us"),
    blank("remoteio: 200 clients come, and each is answered", "the bar", "ms", 1.0),
]


class Served(There):
    """The daemon, with remoteio at ``guests``."""

    def __init__(self, processor):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.guests = free.getsockname()[1]
        folder = tempfile.TemporaryDirectory()
        words = ("--no-tcp", "--group", "", "--socket", f"{folder.name}/rpio/rpio.sock")
        remoteio = ("--remoteio", f"127.0.0.1:{self.guests}")
        super().__init__(processor, folder, "-m", "RPIO", "serve", *words, *remoteio)


def received(made, count):
    """Wait for so many bytes."""
    while count:
        data = made.recv(min(count, 1 << 16))
        assert data
        count -= len(data)


@contextlib.contextmanager
def client(port, pin=7):
    """One that has a pin."""
    with caller(port) as made:
        made.sendall(b"b %d create 0 0.0 0.0 " % pin)
        received(made, len(CREATED))
        yield made


def accepted_us(port):
    """Microseconds a record, of RECORDS that are sent AT_ONCE each."""
    data = PAIR * (AT_ONCE // 2)
    with client(port) as made:
        begin = time.perf_counter()
        sender = threading.Thread(
            target=lambda: [made.sendall(data) for _ in range(RECORDS // AT_ONCE)], daemon=True
        )
        sender.start()
        received(made, RECORDS * len(QUEUED))
        return (time.perf_counter() - begin) / RECORDS * 1e6


def all_ms(port):
    """Milliseconds until CLIENTS have come and each has a reply; one of them has the pin."""
    begin = time.perf_counter()
    with contextlib.ExitStack() as stack:
        made = [stack.enter_context(caller(port)) for _ in range(CLIENTS)]
        for one in made:
            one.sendall(b"b 7 create 0 0.0 0.0 ")
        for one in made:
            assert one.recv(100)[:1] in b"!?"
        return (time.perf_counter() - begin) * 1e3


def run():
    """All figures."""
    processor = sorted(os.sched_getaffinity(0))[0]
    with (
        There(processor, tempfile.TemporaryDirectory(), DAEMON, "echo") as floor,
        Served(processor) as served,
    ):
        os.sched_setaffinity(0, [processor])
        accepted = [accepted_us(served.guests) for _ in range(ROUNDS)]
        with client(served.guests) as made, caller(floor.port) as bare:

            def command(number):
                """One, and its reply."""
                made.sendall(b"b 7 on 0 0.0 0.0 " if number & 1 else b"b 7 off 0 0.0 0.0 ")
                received(made, len(QUEUED))

            pair = beside(command, bare)["p50"]
        together = [all_ms(served.guests) for _ in range(ROUNDS)]
    return {"us": statistics.median(accepted), "pair": pair, "ms": statistics.median(together)}


def rows():
    """Beside what was promised, and asyncio."""
    done = subprocess.run([sys.executable, __file__], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    return filled(ROWS, [(MOST_US, found["us"]), found["pair"], (MOST_MS, found["ms"])])


if __name__ == "__main__":
    print(json.dumps(run()))
