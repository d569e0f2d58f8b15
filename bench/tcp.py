# SPDX-License-Identifier: LGPL-3.0-or-later
"""A TCP client's round trip beside one that sends without end, and alone, in turn: the callback takes 5 ms.

bench/tcp.py           medians in milliseconds, as JSON
"""

import contextlib
import json
import os
import select
import socket
import statistics
import subprocess
import sys
import threading
import time

from table import blank, filled

CALLBACK_S = 0.005
ROUNDS = 3
ASKED = 40
"""Round trips of a round, alone and beside the other."""
BAR = 3.0
WAYS = {"in the loop": False, "threaded": True}
ROWS = [blank(f"TCP beside a flood, callback of 5 ms, {name}", "alone", "ms", BAR) for name in WAYS]


def serve(threaded):
    """The program that is measured: says its port, and serves until its standard input ends."""
    import RPIO

    def callback(client, message):
        time.sleep(CALLBACK_S)
        with contextlib.suppress(OSError):  # one who floods, and has gone
            client.send("k")

    print(RPIO.add_tcp_callback(0, callback, threaded, "127.0.0.1"), flush=True)
    RPIO.wait_for_interrupts(threaded=True)
    sys.stdin.read()


def round_trip_s(client):
    begin = time.perf_counter()
    client.sendall(b"ping")
    assert client.recv(1) == b"k"
    return time.perf_counter() - begin


@contextlib.contextmanager
def flood(port):
    """A client that sends as much as it can, meanwhile; in messages as long as they can be."""
    over = threading.Event()

    def send():
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.setblocking(False)
            while not over.is_set():
                with contextlib.suppress(BlockingIOError):
                    client.send(b"x" * 65536)
                select.select([], [client], [], 0.1)

    thread = threading.Thread(target=send)
    thread.start()
    time.sleep(0.3)  # what is on the way is full by then
    try:
        yield
    finally:
        over.set()
        thread.join()


def measure(threaded, took_s):
    """A round, with a server of its own: much of the other is left to read when he has gone."""
    command = [sys.executable, __file__, "serve", *["threaded"] * threaded]
    env = {**os.environ, "RPIO_BACKEND": "sim"}
    with subprocess.Popen(
        command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        port = int(server.stdout.readline())
        with socket.create_connection(("127.0.0.1", port)) as client:
            round_trip_s(client)
            took_s["alone"] += [round_trip_s(client) for _ in range(ASKED)]
            with flood(port):
                took_s["beside"] += [round_trip_s(client) for _ in range(ASKED)]
        server.stdin.close()


def run():
    """Median milliseconds of each way, alone and beside the other."""
    took_s = {name: {"alone": [], "beside": []} for name in WAYS}
    for _ in range(ROUNDS):
        for name, threaded in WAYS.items():
            measure(threaded, took_s[name])
    return {name: {k: statistics.median(v) * 1e3 for k, v in took.items()} for name, took in took_s.items()}


def rows():
    """One row for each way to call the callback."""
    return filled(ROWS, [(took["alone"], took["beside"]) for took in run().values()])


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve("threaded" in sys.argv)
    else:
        print(json.dumps(run()))
