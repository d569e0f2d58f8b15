# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio capture`` of edges that the simulated board makes at a steady rate, in the same process: losses and memory.

bench/capture.py [EDGES]      one run, as JSON
"""

import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from table import blank, filled

from RPIO import cli, facade, sim

RATE_HZ = 50_000
BURST = 250
"""Edges that are driven at once, and then a pause: a quarter of what the simulated kernel's buffer holds."""

EDGES = 1_000_000
MOST_MB = 200
ROWS = [
    blank("capture: a million edges, lost at this rate", "those sent", "", 0.0),
    blank("capture: time", "50,000 edges/s", "s", 1.05),
    blank("capture: memory", "the bar", "MB", 1.0),
    blank("capture: processor, the driver's part too", "one core", "%"),
]


def drive(edges, took_s):
    """Drive GPIO 17 at the rate as soon as it is watched; then end the capture as Ctrl+C does."""
    while not sim.is_watched(17):
        time.sleep(0.001)  # the capture is starting, in the main thread
    begin = time.monotonic()
    for done in range(0, edges, BURST):
        for number in range(done, min(done + BURST, edges)):
            sim.drive(17, 1 - number % 2)
        # a millisecond at least: when it is behind, the capture gets the interpreter all the same
        time.sleep(max(0.001, begin + (done + BURST) / RATE_HZ - time.monotonic()))
    took_s.append(time.monotonic() - begin)
    os.kill(os.getpid(), signal.SIGINT)


def peak_mb():
    """The most memory that this process has had; getrusage() counts the one that has started it, too."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s*(\d+) kB", status)[1]) / 1024


def run(edges):
    """Capture in this process; return what came of it."""
    facade.use("sim:4B")
    facade.board.backend  # noqa: B018 - opened here, not by both threads at once
    took_s = []
    threading.Thread(target=drive, args=(edges, took_s), daemon=True).start()
    said = io.StringIO()
    begin_cpu_s = time.process_time()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(said):
        status = cli.main(["capture", "17", "-o", f"{folder}/out.vcd"])
    found = re.search(r"^(\d+) edges in .*?(?:, (\d+) lost)?, written", said.getvalue(), re.MULTILINE)
    return {
        "status": status,
        "captured": int(found[1]),
        "lost": int(found[2] or 0),
        "edges_per_s": edges / took_s[0],
        "memory_mb": peak_mb(),
        "processor": (time.process_time() - begin_cpu_s) / took_s[0],
    }


def rows():
    """A million edges: what is lost of them, what they take."""
    done = subprocess.run([sys.executable, __file__], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    return filled(
        ROWS,
        [
            (EDGES, EDGES - found["captured"]),
            (EDGES / RATE_HZ, EDGES / found["edges_per_s"]),
            (MOST_MB, found["memory_mb"]),
            (100.0, 100 * found["processor"]),
        ],
    )


if __name__ == "__main__":
    print(json.dumps(run(int(sys.argv[1]) if len(sys.argv) > 1 else EDGES)))
