# SPDX-License-Identifier: LGPL-3.0-or-later
"""module() at a daemon, beside RPyC's classic mode, a read of that daemon, and the scheme of the original RRaspPY: a
connection and two threads for each call.

    bench/modules.py      the figures as JSON
    bench/modules.py rpyc FOLDER | original      the peers, which say their port and serve until their input ends

Calls take turns, one by one; the servers, their processes and this program have one processor between them.
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

import fetched
from remote import TAILS, middle
from table import blank, filled

ROUNDS, CALLS, LARGE = 7, 500, 20
MEGABYTE = os.urandom(1 << 20)
RPYC = ("rpyc==6.0.2",)
ROWS = [
    *(
        blank(f"modules: a call: {tail}", "a read of the daemon", "us", 2.0 if tail == "p50" else None)
        for tail in TAILS
    ),
    blank("modules: a held method: median", "RPyC", "us", 1.0),
    blank("modules: the same: median", "connection per call", "us", 1 / 3),
    blank("modules: an error", "the bar, 10 ms", "ms", 1.0),
    blank("modules: 1 MB there and back", "RPyC", "ms", 1.5),
    blank("modules: a callback", "RPyC", "us", 1.2),
    blank("modules: first use", "the bar, 300 ms", "ms", 1.0),
]
CONFIG = """
[serve]
socket = "{folder}/rpio.sock"
group = ""
state = "{folder}"
[access]
tokens = "{folder}/tokens"
[run]
enabled = true
user = {user!r}
modules = ["*"]
"""


def why_not():
    """Why it is not there; empty where it is."""
    return fetched.why_not(RPYC)


def folder():
    """Its folder, fetched once."""
    return fetched.folder(RPYC)


# -- the peers ----------------------------------------------------------------------------------


def serve_rpyc(where):
    """RPyC's own server, of its classic mode."""
    sys.path.insert(0, where)
    from rpyc.core import SlaveService
    from rpyc.utils.server import ThreadedServer

    server = ThreadedServer(SlaveService, hostname="127.0.0.1", port=0)
    print(server.port, flush=True)
    threading.Thread(target=server.start, daemon=True).start()
    sys.stdin.read()


def serve_original():
    """What the original did for a call: a connection, a thread for it here, and one there."""
    import math

    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)

    def carry_out(made):
        with made:
            text = made.recv(4096).decode()
            made.sendall(repr(eval(text, {"math": math})).encode())

    def accept():
        while True:
            threading.Thread(target=carry_out, args=(listener.accept()[0],)).start()

    threading.Thread(target=accept, daemon=True).start()
    sys.stdin.read()


def ask_original(port, text):
    """A call of the original's: the thread reads what comes."""
    found = []

    def ask():
        with socket.create_connection(("127.0.0.1", port)) as made:
            made.sendall(text.encode())
            found.append(float(made.recv(4096)))

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    return found[0]


@contextlib.contextmanager
def peer(*words):
    """One of them, and its port."""
    command = [sys.executable, __file__, *map(str, words)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield int(process.stdout.readline())
        process.stdin.close()


@contextlib.contextmanager
def daemon():
    """A daemon with a simulated board; where it is."""
    import pwd

    with tempfile.TemporaryDirectory(prefix="rpio-bench-") as where:
        user = pwd.getpwuid(os.geteuid()).pw_name
        (Path(where) / "c.toml").write_text(CONFIG.format(folder=where, user=user))
        env = {
            **os.environ,
            "RPIO_CONFIG": f"{where}/c.toml",
            "RPIO_BACKEND": "sim:4B",
            "XDG_RUNTIME_DIR": where,
        }
        rpio = [sys.executable, "-m", "RPIO"]
        token = [*rpio, "token", "new", "--scope", "run", "--to", f"{where}/token"]
        subprocess.run(token, env=env, check=True, capture_output=True)
        os.environ["RPIO_TOKEN_FILE"] = f"{where}/token"
        command = [*rpio, "serve", "--port", "0"]
        with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True) as process:
            port = process.stderr.readline().rpartition(":")[2].strip()
            yield f"127.0.0.1:{port}"
            process.terminate()


# -- measuring ----------------------------------------------------------------------------------


def took_ns(call):
    """One call."""
    begin = time.perf_counter_ns()
    call()
    return time.perf_counter_ns() - begin


def in_turn(ours, theirs, calls=CALLS, rounds=ROUNDS):
    """Rounds of (theirs, ours), one by one."""
    found = []
    for _ in range(rounds):
        pairs = [(took_ns(theirs), took_ns(ours)) for _ in range(calls)]
        found.append(tuple(zip(*pairs, strict=True)))
    return middle(found)


def fails(call):
    """A call that raises."""
    try:
        call(-1)
    except ValueError:
        return
    raise AssertionError("it has not failed")


def first_use(where):
    """Milliseconds from a connected board to the first answer of a module."""
    import RPIO

    took = []
    for _ in range(7):
        with RPIO.connect(where) as board:
            begin = time.perf_counter()
            board.module("math").sqrt(2)
            took.append((time.perf_counter() - begin) * 1e3)
    return statistics.median(took)


def rows():
    """Each beside its peer."""
    done = subprocess.run([sys.executable, __file__], capture_output=True, text=True, check=True)
    return filled(ROWS, json.loads(done.stdout))


def run():
    """All figures."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    sys.path.append(str(folder()))
    import rpyc

    import RPIO

    with daemon() as where, peer("rpyc", folder()) as rpyc_port, peer("original") as original_port:
        first_ms = first_use(where)
        with RPIO.connect(where) as board:
            board.setup(18, RPIO.IN)
            there, theirs = board.module("math"), rpyc.classic.connect("127.0.0.1", rpyc_port)
            sqrt, rpyc_sqrt = there.sqrt, theirs.modules.math.sqrt
            reads = in_turn(lambda: sqrt(2), lambda: board.input(18))
            held = in_turn(lambda: sqrt(2), lambda: rpyc_sqrt(2))["p50"]
            original = in_turn(lambda: sqrt(2), lambda: ask_original(original_port, "math.sqrt(2)"), 100)[
                "p50"
            ]
            error_us = in_turn(lambda: fails(sqrt), lambda: None, 100)["p50"][1]
            same, rpyc_same = board.module("copy").copy, theirs.modules.copy.copy
            large = in_turn(lambda: same(MEGABYTE), lambda: rpyc_same(MEGABYTE), LARGE)["p50"]
            reduce, rpyc_reduce = board.module("functools").reduce, theirs.modules.functools.reduce
            numbers = (*range(101),)
            calls = in_turn(
                lambda: reduce(lambda a, b: a, numbers), lambda: rpyc_reduce(lambda a, b: a, numbers), 10
            )["p50"]
            theirs.close()
    found = [reads[tail] for tail in TAILS]
    found += [held, original, (10.0, error_us / 1e3), tuple(us / 1e3 for us in large)]
    found += [tuple(us / 100 for us in calls), (300.0, first_ms)]
    return found


if __name__ == "__main__":
    if sys.argv[1:2] == ["rpyc"]:
        serve_rpyc(sys.argv[2])
    elif sys.argv[1:2] == ["original"]:
        serve_original()
    else:
        print(json.dumps(run()))
