# SPDX-License-Identifier: LGPL-3.0-or-later
"""Lines by ssh: RPIO.connect("ssh://...") to an sshd on loopback, beside a bare echo through the same connection.

    bench/ssh.py      the figures as JSON

Calls and echoes take turns, one by one; ssh, sshd, the far ends and this program have one processor between them. What
is at the far end of the echo reads and writes, in Python, and does nothing else. A pair of figures is that of the
middle one of ROUNDS rounds, by its ratio.
"""

import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

from remote import beside
from table import blank, filled

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "source" / "tests"))

from ssh_parts import Far, why_not  # noqa: F401 - run.py asks for the second

ECHO = "import os\nwhile data := os.read(0, 4096):\n    os.write(1, data)\n"
CONNECTS = 15
BAR = 1.3
TAILS = ("p50", "p99", "worst")
ROWS = [
    *(
        blank(f"ssh: {what}: {tail}", "bare echo", "us", bar if tail == "p50" else None)
        for what, bar in (("a write", BAR), ("a read", None), ("a write, with a daemon there", BAR))
        for tail in TAILS
    ),
    blank("ssh: connect, the login is shared", "ssh HOST rpio", "ms"),
]


@contextlib.contextmanager
def echoing(far):
    """A socket whose other end is an echo there."""
    ours, theirs = socket.socketpair()
    (far.folder / "echo.py").write_text(ECHO)
    words = ["ssh", "-T", "-o", f"ControlPath={far.runtime}/rpio-%C", "far"]
    with (
        ours,
        subprocess.Popen(
            [*words, f"exec {sys.executable} {far.folder}/echo.py"], stdin=theirs, stdout=theirs
        ) as process,
    ):
        theirs.close()
        ours.sendall(b"there?\n")
        assert ours.recv(100) == b"there?\n"
        yield ours
        ours.shutdown(socket.SHUT_WR)
        process.wait()


@contextlib.contextmanager
def serving(far):
    """``rpio serve`` there, with a session of its own as a unit of systemd has: who has none waits for the processor
    with this program.
    """
    environment = {
        **os.environ,
        "RPIO_BACKEND": "sim:4B",
        "XDG_RUNTIME_DIR": str(far.there),
        "XDG_STATE_HOME": str(far.home),
        "NOTIFY_SOCKET": f"{far.folder}/notify",
    }
    words = ["-m", "RPIO", "serve", "--no-tcp", "--group", "", "--socket", far.socket]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(environment["NOTIFY_SOCKET"])
        heard.settimeout(30)
        with subprocess.Popen(
            [sys.executable, *words], env=environment, stderr=subprocess.DEVNULL, start_new_session=True
        ) as process:
            assert heard.recv(100) == b"READY=1"
            yield
            process.terminate()


def by_ssh(far):
    """Calls over a connection of their own."""
    import RPIO

    with RPIO.connect("ssh://far") as board, echoing(far) as echo:
        board.setup(17, RPIO.OUT)
        board.setup(18, RPIO.IN)
        write = beside(lambda number: board.output(17, number & 1), echo)
        read = beside(lambda number: board.input(18), echo)
        return write, read


def connects_ms():
    """(ssh that starts rpio there and waits for its end, connect()), each the median of CONNECTS in turn."""
    import RPIO

    theirs, ours = [], []
    command = ["ssh", "-T", "-o", f"ControlPath={os.environ['XDG_RUNTIME_DIR']}/rpio-%C", "far"]
    for _ in range(CONNECTS):
        begin = time.perf_counter()
        # The same work there: Python, RPIO and a board, and the end of them.
        subprocess.run(
            [*command, "rpio serve --stdio"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True
        )
        theirs.append(time.perf_counter() - begin)
        begin = time.perf_counter()
        with RPIO.connect("ssh://far"):
            ours.append(time.perf_counter() - begin)
    return statistics.median(theirs) * 1e3, statistics.median(ours) * 1e3


def run():
    """All figures."""
    processor = min(os.sched_getaffinity(0))
    os.sched_setaffinity(0, [processor])
    with contextlib.closing(Far()) as far:
        os.environ.update(far.environment)
        write, read = by_ssh(far)
        connects = connects_ms()
        with serving(far):
            daemon, _ = by_ssh(far)
    return {
        "calls": [pairs[tail] for pairs in (write, read, daemon) for tail in TAILS],
        "connect": connects,
    }


def rows():
    """Each beside the echo, or beside ssh alone."""
    done = subprocess.run([sys.executable, __file__], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    return filled(ROWS, [*found["calls"], found["connect"]])


if __name__ == "__main__":
    print(json.dumps(run()))
