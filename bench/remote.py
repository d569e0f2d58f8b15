# SPDX-License-Identifier: LGPL-3.0-or-later
"""Lines from afar on loopback: RPIO.connect() to a program that serves a simulated board, beside a bare epoll echo.

    bench/remote.py [IDLE_S]      the figures as JSON; IDLE_S is how long the idle server is looked at

Calls, edges and echoes take turns, one by one; both servers and this program have one processor between them. A pair
of figures is that of the middle one of ROUNDS rounds, by its ratio. A flood of edges has two processors, if there are.
"""

import contextlib
import json
import os
import re
import socket
import statistics
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

from remote_there import LINE, RATE_HZ
from table import blank, filled

THERE = Path(__file__).with_name("remote_there.py")
ROUNDS, CALLS, EDGE_CALLS = 7, 2000, 1000
PAUSE_S = 0.0005
"""Before an echo, where edges are measured: all who had to do with the last one are asleep again."""
BATCH = 20_000
WRITES_PER_S = 150_000
EDGES = 2 * RATE_HZ
SESSIONS, MOST_MB = 500, 20
MOST_BYTES = 40
IDLE_S = 30.0
TAILS = ("p50", "p99", "worst")
BARS = {"a write": 1.6, "a read": 1.6, "edge to callback": 2.0}
"""What is measured beside the echo -> the bar of its median."""
ROWS = [
    *(
        blank(f"remote: {what}: {tail}", "bare echo", "us", bar if tail == "p50" else None)
        for what, bar in BARS.items()
        for tail in TAILS
    ),
    blank("remote: a write in a batch", "150,000 writes/s", "us", 1.0),
    blank("remote: 100,000 edges, lost at this rate", "those sent", "", 0.0),
    blank("remote: time of them", "50,000 edges/s", "s", 1.05),
    blank("remote: memory of 500 idle sessions", "the bar", "MB", 1.0),
    blank("remote: payload of a write and its answer", "the bar", "B", 1.0),
    blank("remote: wake-ups of an idle server", "one a second", "", 0.0),
]
TCP_INFO_BYTES = 136
ACKED_AT = 120
"""Where ``tcpi_bytes_acked`` and ``tcpi_bytes_received`` are. Source: Linux, include/uapi/linux/tcp.h."""


class There:
    """A program of remote_there.py, and its ports."""

    def __init__(self, what, processors, *words):
        command = ["taskset", "-c", ",".join(map(str, processors)), sys.executable, str(THERE), what, *words]
        env = {**os.environ, "RPIO_BACKEND": "sim"}
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, env=env, stdin=pipe, stdout=pipe, text=True)
        self.pid = self._process.pid
        self.port, *self.more_ports = map(int, self._process.stdout.readline().split())

    def __enter__(self):
        return self

    def __exit__(self, *ignored):
        self._process.stdin.close()
        self._process.wait()

    def move(self, edges):
        """Have edges made."""
        os.write(self._process.stdin.fileno(), b"%d\n" % edges)

    def moved_s(self):
        """How long that has taken, where it was more than one."""
        return float(self._process.stdout.readline())

    def memory_mb(self):
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s*(\d+) kB", status)[1]) / 1024

    def wake_ups(self):
        """How often its threads have gone to sleep so far."""
        found = [path.read_text() for path in Path(f"/proc/{self.pid}/task").glob("*/status")]
        return sum(
            int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", text, re.MULTILINE)[1]) for text in found
        )


def caller(port):
    """A socket that sends at once."""
    made = socket.create_connection(("127.0.0.1", port))
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def figures(took_ns):
    """TAILS of a round, in microseconds."""
    ordered = sorted(took_ns)
    return {
        "p50": statistics.median(ordered) / 1e3,
        "p99": ordered[len(ordered) * 99 // 100] / 1e3,
        "worst": ordered[-1] / 1e3,
    }


def middle(rounds):
    """Of (echo, ours) of each round: the pair of the round in the middle, for each of TAILS."""
    pairs = {tail: [(figures(a)[tail], figures(b)[tail]) for a, b in rounds] for tail in TAILS}
    return {
        tail: sorted(found, key=lambda pair: pair[1] / pair[0])[len(found) // 2]
        for tail, found in pairs.items()
    }


def echo_ns(echo):
    """One call of the floor, as long as a write."""
    begin = time.perf_counter_ns()
    echo.send(b"write 17 1 #1234\n")
    echo.recv(100)
    return time.perf_counter_ns() - begin


def beside(call, echo):
    """Rounds of calls and echoes in turn."""
    rounds = []
    for _ in range(ROUNDS):
        ours, theirs = [], []
        for number in range(CALLS):
            begin = time.perf_counter_ns()
            call(number)
            ours.append(time.perf_counter_ns() - begin)
            theirs.append(echo_ns(echo))
        rounds.append((theirs, ours))
    return middle(rounds)


def edges_beside(board, echo, mover):
    """Rounds of edges and echoes in turn: a message has each edge made when the echo has come.

    From the time of the event, which it has got there, to the callback here.
    """
    from RPIO.board.subscriptions import Subscription

    at_ns, rounds = 0, []

    class Timed(Subscription):
        """A callback's, which notes the time of the event."""

        __slots__ = ()

        def deliver(self, event, watched):
            nonlocal at_ns
            at_ns = event.timestamp_ns
            Subscription.deliver(self, event, watched)

    def callback(gpio, value):
        now_ns = time.monotonic_ns()
        theirs, ours = rounds[-1]
        ours.append(now_ns - at_ns)
        time.sleep(PAUSE_S)
        theirs.append(echo_ns(echo))
        if len(ours) < EDGE_CALLS:
            mover.send(b"x")
        else:
            board.stop_waiting_for_interrupts()

    board.watched.add(LINE, Timed(3, callback, 0), 0)
    for _ in range(ROUNDS):
        rounds.append(([], []))
        mover.send(b"x")
        board.wait_for_interrupts()
    return middle(rounds)


def batched_us(board):
    """Microseconds of a write among many, the median of the rounds."""
    took_s = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        with board.batch():
            for number in range(BATCH):
                board.output(17, number & 1)
        took_s.append(time.perf_counter() - begin)
    return statistics.median(took_s) / BATCH * 1e6


def moved_bytes(port):
    """What this process has sent to that port, and got, so far."""
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:  # most are no sockets
            found = socket.socket(fileno=int(name))
            stack.callback(found.detach)  # it is the connection's
            if found.getpeername()[1] == port:
                info = found.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_BYTES)
                return sum(struct.unpack_from("QQ", info, ACKED_AT))
    raise LookupError(f"no connection to port {port}")


def bytes_of_a_write(board, port):
    """Of both directions, without what TCP and IP add."""
    before = moved_bytes(port)
    for number in range(CALLS):
        board.output(17, number & 1)
    return (moved_bytes(port) - before) / CALLS


def calls(processor):
    """What is measured on one processor, beside the echo and by itself."""
    import RPIO

    with (
        There("serve", [processor]) as server,
        There("echo", [processor]) as floor,
        RPIO.connect(f"127.0.0.1:{server.port}") as board,
        caller(floor.port) as echo,
        caller(server.more_ports[0]) as mover,
    ):
        board.setup(17, RPIO.OUT)
        board.setup([18, LINE], RPIO.IN)
        return {
            "a write": beside(lambda number: board.output(17, number & 1), echo),
            "a read": beside(lambda number: board.input(18), echo),
            "edge to callback": edges_beside(board, echo, mover),
            "batched_us": batched_us(board),
            "bytes": bytes_of_a_write(board, server.port),
        }


def flood(processors):
    """How many edges of EDGES come, what is counted as lost, and how long all takes."""
    import RPIO

    count = 0

    def callback(gpio, value):
        nonlocal count
        count += 1
        if count == EDGES:
            board.stop_waiting_for_interrupts()

    with There("serve", processors[:1]) as server, RPIO.connect(f"127.0.0.1:{server.port}") as board:
        board.add_interrupt_callback(LINE, callback)
        timer = threading.Timer(4 * EDGES / RATE_HZ, board.stop_waiting_for_interrupts)
        timer.start()
        server.move(EDGES)
        begin = time.monotonic()
        board.wait_for_interrupts()
        took_s = time.monotonic() - begin
        timer.cancel()
        return {
            "lost": EDGES - count,
            "counted": board.events_lost(LINE),
            "s": took_s,
            "made_s": server.moved_s(),
        }


def sessions_mb(processor):
    """What SESSIONS add to the memory of a server, when one has come and gone."""
    with There("serve", [processor]) as server, contextlib.ExitStack() as stack:

        def session(number):
            client = stack.enter_context(caller(server.port))
            client.sendall(b"hello 1 somebody@somewhere program 5.0 #1\n")
            assert client.recv(1000).startswith(b"ok 1 "), number

        session(0)
        before_mb = server.memory_mb()
        for number in range(SESSIONS):
            session(number)
        return server.memory_mb() - before_mb


def idle(processor, idle_s):
    """How often a server wakes up while a client watches a line that does not move."""
    import RPIO

    with There("serve", [processor]) as server, RPIO.connect(f"127.0.0.1:{server.port}") as board:
        board.add_interrupt_callback(LINE, print)
        board.wait_for_interrupts(threaded=True)
        time.sleep(0.5)  # what has been asked for is answered
        before = server.wake_ups()
        time.sleep(idle_s)
        return server.wake_ups() - before


def run(idle_s):
    """All figures."""
    processors = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, processors[-1:])
    found = {"flood": flood(processors)}
    os.sched_setaffinity(0, processors[:1])
    found |= calls(processors[0])
    found["sessions_mb"] = sessions_mb(processors[0])
    found["idle"] = idle(processors[0], idle_s)
    return found


def rows():
    """Each beside the echo, or beside what was promised."""
    done = subprocess.run([sys.executable, __file__], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    return filled(
        ROWS,
        [
            *(found[what][tail] for what in BARS for tail in TAILS),
            (1e6 / WRITES_PER_S, found["batched_us"]),
            (EDGES, max(found["flood"]["lost"], found["flood"]["counted"])),
            (EDGES / RATE_HZ, found["flood"]["s"]),
            (MOST_MB, found["sessions_mb"]),
            (MOST_BYTES, found["bytes"]),
            (IDLE_S, found["idle"]),
        ],
    )


if __name__ == "__main__":
    print(json.dumps(run(float(sys.argv[1]) if len(sys.argv) > 1 else IDLE_S)))
