# SPDX-License-Identifier: LGPL-3.0-or-later
"""Programs by ``rpio serve --further``: how soon they are heard, what they may write, and what that is to others.

    bench/programs.py [IDLE_S]      the figures as JSON; IDLE_S is how long the idle daemon is looked at

All by WebSocket over TLS, from another process, with the library websockets.
"""

import contextlib
import json
import os
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "source" / "tests"))
from daemon import There, idle
from table import blank, filled

ROUNDS, KEYS, AT_ONCE, WRITTEN = 100, 400, 50, 100_000_000
VIEWERS, FRAMES_PER_S, FRAME_BYTES, VIDEO_S = 10, 30, 100_000, 6.0
EDGES, IDLE_S = 400, 30.0
MOST_KEY_MS, MOST_EDGE_MS, MOST_GROWN_MB, MOST_MB = 5.0, 10.0, 32.0, 60.0
TAILS = ("p50", "p99", "worst")
ROWS = [
    *(
        blank(f"programs: start to first output: {tail}", "python3 -u", "ms", 1.3 if tail == "p50" else None)
        for tail in TAILS
    ),
    *(
        blank(
            f"programs: a key's echo on a terminal: {tail}", "the bar", "ms", 1.0 if tail == "p50" else None
        )
        for tail in TAILS
    ),
    blank("programs: 50 at once, each is heard", "python3 -u", "ms"),
    blank("programs: 100 MB of output: the daemon grows by", "the bar", "MB", 1.0),
    blank("programs: 100 MB of output: the keeper grows by", "the bar", "MB", 1.0),
    blank("programs: 30 pictures/s of 100 kB to 10 viewers", "1/30 s", "ms", 1.1),
    *(
        blank(f"programs: meanwhile an edge is told: {tail}", "the bar", "ms", 1.0 if tail == "p99" else None)
        for tail in TAILS
    ),
    blank("programs: wake-ups, everything on, idle", "one a second", "", 0.0),
    blank("programs: memory, everything on", "the bar", "MB", 1.0),
]
CODE = "print('hi')"
CAMERA = f"""\
import os, time
from further_link import send_image
frame = b"\\xff\\xd8\\xff" + os.urandom({FRAME_BYTES}) + b"\\xff\\xd9"
due = time.monotonic()
while True:
    send_image(frame)
    due += 1 / {FRAMES_PER_S}
    time.sleep(max(0, due - time.monotonic()))  # until the next picture is due
"""


class Served(There):
    """The daemon with all that it can serve, to other machines by TLS where there is that; the ``port`` of the
    programs, and a ``token`` for them.
    """

    def __init__(self, processor):
        self.folder = folder = tempfile.TemporaryDirectory()
        config = Path(folder.name) / "rpio.toml"
        config.write_text(
            f"[serve]\nannounce = ''\n[run]\nuser = 'root'\nwork = '{folder.name}/work'\nmemory_mb = 0\n"
        )
        if os.geteuid():
            config.write_text(config.read_text().replace("user = 'root'\n", ""))
        os.environ["RPIO_CONFIG"] = str(config)
        os.environ["STATE_DIRECTORY"] = folder.name
        ports = []
        with contextlib.ExitStack() as stack:
            for _ in range(5):
                made = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
                ports.append(made.getsockname()[1])
        self.port, own = ports[0], str(ports.pop())
        self.path = f"{folder.name}/rpio/rpio.sock"
        words = ("--address", "any", "--port", own, "--group", "", "--socket", self.path)
        where = {"further": "any", "smbus": "any", "remoteio": "127.0.0.1", "rraspy": "127.0.0.1"}
        fronts = [
            word
            for (name, address), port in zip(where.items(), ports, strict=True)
            for word in (f"--{name}", f"{address}:{port}")
        ]
        super().__init__(
            processor, folder, "-m", "RPIO", "serve", *words, *fronts, "--rraspy-host", "127.0.0.1"
        )
        command = [sys.executable, "-m", "RPIO", "token", "new", "--scope", "run"]
        done = subprocess.run(command, env=self.env, capture_output=True, text=True, check=True)
        self.token = done.stdout.split()[-1]

    def connect(self, path="/run"):
        """A WebSocket of the daemon's."""
        from websocket_client import connect

        trusted = ssl.create_default_context(cafile=f"{self.folder.name}/tls/ca.pem")
        place, shown = f"wss://localhost:{self.port}{path}", {"Authorization": f"Bearer {self.token}"}
        more = {"compression": None, "max_size": None, "ping_interval": None}
        return connect(place, ssl=trusted, additional_headers=shown, **more)

    def keeper(self):
        """The process that has the programs."""
        found = subprocess.run(
            ["pgrep", "-f", "-P", str(self.process.pid), "programs.keeper"],
            capture_output=True,
            text=True,
            check=True,
        )
        return int(found.stdout.split()[0])


def rss_mb(pid, what="VmRSS"):
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.split(f"\n{what}:")[1].split()[0]) / 1024


def say(made, type, process="p", **data):
    made.send(json.dumps({"type": type, "process": process, "data": data}))


def hear(made):
    return json.loads(made.recv(60))


def until(made, type):
    while (found := hear(made))["type"] != type:
        pass
    return found


def first_output_ms(served):
    """Of a program that says hi: by the daemon, and by itself, in turn."""
    theirs, ours = [], []
    with served.connect() as made:
        made.send('{"type": "ping"}')
        hear(made)
        for _ in range(ROUNDS):
            began = time.perf_counter()
            say(made, "start", runner="python3", code=CODE)
            until(made, "stdout")
            ours.append((time.perf_counter() - began) * 1e3)
            until(made, "stopped")
            began = time.perf_counter()
            with subprocess.Popen([sys.executable, "-u", "-c", CODE], stdout=subprocess.PIPE) as alone:
                alone.stdout.readline()
                theirs.append((time.perf_counter() - began) * 1e3)
    return tails(theirs), tails(ours)


def tails(found):
    found = sorted(found)
    return [statistics.median(found), found[int(len(found) * 0.99)], found[-1]]


def key_ms(served):
    """A key, and its echo by the terminal."""
    found = []
    with served.connect() as made:
        say(made, "start", runner="exec", code="#!/bin/sh\nexec cat\n", pty=True)
        until(made, "started")
        for _ in range(KEYS):
            began = time.perf_counter()
            say(made, "stdin", input="x")
            until(made, "stdout")
            found.append((time.perf_counter() - began) * 1e3)
            time.sleep(0.002)  # a person is slower
        say(made, "stop")
        until(made, "stopped")
    return tails(found)


def at_once_ms(served):
    """AT_ONCE programs, until each has been heard."""
    with served.connect() as made:
        began = time.perf_counter()
        for number in range(AT_ONCE):
            say(made, "start", f"p{number}", runner="python3", code=CODE)
        heard, left = set(), AT_ONCE
        while left:
            found = hear(made)
            heard.update([found["process"]] if found["type"] == "stdout" else ())
            left -= found["type"] == "stopped"
        ours = (time.perf_counter() - began) * 1e3
        assert len(heard) == AT_ONCE
    began = time.perf_counter()
    words = [sys.executable, "-u", "-c", CODE]
    alone = [subprocess.Popen(words, stdout=subprocess.PIPE) for _ in range(AT_ONCE)]
    for each in alone:
        each.communicate()
    return (time.perf_counter() - began) * 1e3, ours


def grown_mb(served):
    """By how much the two grow while WRITTEN bytes go through them, to a client that takes a while."""
    with served.connect() as made:
        made.send('{"type": "ping"}')
        hear(made)
        pids = served.process.pid, served.keeper()
        before = [rss_mb(pid) for pid in pids]
        say(made, "start", runner="exec", code=f"#!/bin/sh\nyes | head -c {WRITTEN}\n")
        count, most = 0, list(before)
        for number in range(1 << 30):
            found = hear(made)
            if found["type"] == "stopped":
                break
            count += len(found["data"]["output"]) if found["type"] == "stdout" else 0
            if number % 50 == 0:
                most = [max(pair) for pair in zip(most, [rss_mb(pid) for pid in pids], strict=True)]
        assert count == WRITTEN, count
    return [now - then for now, then in zip(most, before, strict=True)]


def watch(served, number, times):
    """A viewer, in a thread of its own: when pictures came."""
    with served.connect() as made:
        say(made, "attach", number=number)
        until_s = time.monotonic() + VIDEO_S
        while time.monotonic() < until_s:
            if b'"video"' in made.recv(60, decode=False)[:30]:
                times.append(time.perf_counter())


def edges_ms(served):
    """From when a line is driven until who watches it is told."""

    def ask(made, text):
        made.sendall(text)
        return made.recv(4096)

    def line():
        made = socket.socket(socket.AF_UNIX)
        made.connect(served.path)
        return made

    found = []
    with line() as watcher, line() as driver:
        assert ask(watcher, b"input 17\n") == b"ok\n"
        assert ask(watcher, b"watch 17\n").startswith(b"ok")
        for number in range(EDGES):
            began = time.perf_counter()
            driver.sendall(b"drive 17 %d\n" % (~number & 1))
            assert watcher.recv(4096).startswith(b"edge 17")
            found.append((time.perf_counter() - began) * 1e3)
            driver.recv(100)
            time.sleep(0.01)  # a hundred edges a second: each finds the pictures at another point
    return tails(found)


def video(served):
    """Milliseconds between two pictures, at the slowest viewer; and edges meanwhile."""
    with served.connect() as made:
        say(made, "start", runner="python3", code=CAMERA)
        until(made, "video")
        made.send('{"type": "list"}')
        number = until(made, "listed")["data"]["programs"][0]["number"]
        times = [[] for _ in range(VIEWERS)]
        threads = [threading.Thread(target=watch, args=(served, number, each)) for each in times]
        for each in threads:
            each.start()
        time.sleep(0.5)  # all viewers are there
        edges = edges_ms(served)
        for each in threads:
            each.join()
        say(made, "stop")
        until(made, "stopped")
    return max((each[-1] - each[0]) / (len(each) - 1) * 1e3 for each in times), edges


def run(idle_s):
    """All figures."""
    with Served("0-1023") as served:
        time.sleep(1)  # what has begun is asleep
        wakes, memory = idle(served, idle_s), served.status("VmRSS") / 1024
        first, key, at_once = first_output_ms(served), key_ms(served), at_once_ms(served)
        grown = grown_mb(served)
        between, edges = video(served)
    return {
        "first": first,
        "key": key,
        "at_once": at_once,
        "grown": grown,
        "between": between,
        "edges": edges,
        "wakes": wakes,
        "mb": memory,
    }


def rows():
    """Beside a program that is started by itself, and what was promised."""
    done = subprocess.run([sys.executable, __file__], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    return filled(
        ROWS,
        [
            *zip(*found["first"], strict=True),
            *((MOST_KEY_MS, key) for key in found["key"]),
            found["at_once"],
            *((MOST_GROWN_MB, grown) for grown in found["grown"]),
            (1e3 / FRAMES_PER_S, found["between"]),
            *((MOST_EDGE_MS, edge) for edge in found["edges"]),
            (IDLE_S, found["wakes"]),
            (MOST_MB, found["mb"]),
        ],
    )


if __name__ == "__main__":
    print(json.dumps(run(float(sys.argv[1]) if sys.argv[1:] else IDLE_S)))
