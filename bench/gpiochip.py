# SPDX-License-Identifier: LGPL-3.0-or-later
"""RPIO beside gpiod, rpi-lgpio and gpiozero on a real kernel's gpiochip, in the kernel rig.

    bench/gpiochip.py [ROUNDS]

The libraries come from the package index. Each round runs every library in turn, in a process of its own; the
figures are medians of the rounds, "worst" is the worst edge of all. The guest's system calls are slow (User Mode
Linux): ratios count.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from guest import BURSTS
from table import blank, report

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "source" / "tests"))

RIG = ROOT / "source" / "tests" / "kernel" / "rig"
PEERS = {"gpiod-read": "gpiod, read", "gpiod-wait": "gpiod, wait+read"}
"""gpiod is called in two ways: read_edge_events() alone, which waits by itself; and wait_edge_events() before it."""
PLACES = {
    "main": "main thread",
    "lines": "4 lines",
    "busy": "8 lines move",
    "burst": "1 line moves 8 times",
    "again": "after 10 loops",
    "thread": "other thread",
}
RUNS = [
    ("gpiod-read", "main"),
    ("gpiod-wait", "main"),
    ("RPIO", "main"),
    ("gpiod-read", "lines"),
    ("RPIO", "lines"),
    ("gpiod-read", "busy"),
    ("gpiod-wait", "busy"),
    ("RPIO", "busy"),
    ("gpiod-read", "burst"),
    ("RPIO", "burst"),
    ("RPIO", "again"),
    ("gpiod-read", "thread"),
    ("gpiod-wait", "thread"),
    ("rpi-lgpio", "thread"),
    ("gpiozero", "thread"),
    ("gpiozero-rpio", "thread"),
    ("RPIO", "thread"),
]
"""Library and place, see guest.py."""
IDLE = [("gpiozero", "idle"), ("gpiozero-rpio", "idle")]
"""These once: they take their time."""
TOGETHER = [("gpiozero", "together"), ("gpiozero-rpio", "together")]
"""Both in one run, once: the guest's system calls are not equally slow in any two processes."""
FACTORY = ("gpiozero-rpio", "thread")
"""gpiozero with RPIO's factory; the other one has lgpio's."""
PAIRS = [
    *[(run, ("RPIO", run[1])) for run in RUNS if run[0] != "RPIO" and run != FACTORY],
    (("gpiod-read", "main"), ("RPIO", "again")),
]
EDGES = 200
FIGURES = ("wakes", "write_us", "call_us", "p50_us", "p99_us", "worst_us", "switches")
BARS = {
    # what RPIO may take of its peer's time from edge to callback: half of all edges, and 99 of 100
    ("gpiod-read", "main"): {"p50": 1.1, "p99": 1.5},
    ("gpiod-read", "again"): {"p50": 1.1, "p99": 1.5},
    ("gpiod-wait", "main"): {"p50": 1.0},
    ("gpiod-wait", "busy"): {"p50": 1.0},
    ("rpi-lgpio", "thread"): {"p50": 0.4},
}
SWITCHES_BAR = 1.02
"""How often the thread sleeps for an edge: once, as theirs."""
WRITES = {
    # whose write is beside ours -> what ours may take of it
    ("gpiod-read", "main"): 1.15,
    ("rpi-lgpio", "thread"): 0.6,
    ("gpiozero", "thread"): None,
}
ENVIRONMENT = "RPI_LGPIO_REVISION=a02082 RPI_LGPIO_CHIP=0 GPIOZERO_PIN_FACTORY=lgpio LG_WD=/tmp"


LGPIO = "gpiozero, lgpio"


def plan():
    """Each row, and which figure of which runs it shows: (blank, name, theirs, ours)."""
    main = ("RPIO", "main")
    yield blank("gpiochip: a system call of this guest", "", "us"), "call_us", None, main
    for peer, bar in WRITES.items():
        yield blank("gpiochip: a write", peer[0].partition("-read")[0], "us", bar), "write_us", peer, main
    for peer, ours in PAIRS:
        library, place = PEERS.get(peer[0], peer[0]), ours[1]
        bars = BARS.get((peer[0], place), {})
        for tail in ("p50", "p99", "worst"):
            what = f"gpiochip: edge to callback, {PLACES[place]}: {tail}"
            yield blank(what, library, "us", bars.get(tail)), f"{tail}_us", peer, ours
        if peer[0] == "gpiod-read" and place not in BURSTS:
            what = f"gpiochip: sleeps for an edge, {PLACES[place]}"
            yield blank(what, library, "", SWITCHES_BAR), "switches", peer, ours

    theirs = ("gpiozero", "thread")
    yield blank("gpiochip: LED.on()", LGPIO, "us", 0.6), "write_us", *TOGETHER
    for tail, bar in (("p50", 0.5), ("p99", None), ("worst", None)):
        yield (
            blank(f"gpiochip: edge to when_pressed: {tail}", LGPIO, "us", bar),
            f"{tail}_us",
            theirs,
            FACTORY,
        )
    yield blank("gpiochip: wake-ups of an idle button, 30 s", LGPIO, "", 0.0), "wakes", *IDLE


ROWS = [row for row, *_ in plan()]


def why_not():
    """Why there is no kernel to measure on; "" where there is."""
    check = subprocess.run([RIG, "check"], capture_output=True, text=True, check=False)
    if check.returncode != 0:
        return check.stdout.strip() or check.stderr.strip()
    subprocess.run([RIG, "build"], stdout=sys.stderr, check=True)
    return ""


def folders():
    """Library -> what has to be on the module path."""
    from peers import peers

    return {
        "gpiod-read": str(peers.installed("gpiod")),
        "gpiod-wait": str(peers.installed("gpiod")),
        "rpi-lgpio": str(peers.installed("rpi-lgpio", "lgpio")),
        "gpiozero": str(peers.installed("gpiozero", "colorzero", "lgpio")),
        "gpiozero-rpio": str(peers.installed("gpiozero", "colorzero")),
        "RPIO": "",
    }


def measure(rounds):
    """All figures: (library, place) -> name -> one value a round."""
    paths = folders()
    script = ["cd /tmp"]
    for n in range(rounds):
        first = n * 3 % len(RUNS)  # nobody always comes after the same, or first
        for library, place in RUNS[first:] + RUNS[:first]:
            words = [sys.executable, str(ROOT / "bench" / "guest.py"), library, place, str(EDGES)]
            script.append(f"PYTHONPATH={paths[library]} {ENVIRONMENT} timeout 60 {' '.join(words)}")
    for library, place in (TOGETHER[0], *IDLE):
        words = [sys.executable, str(ROOT / "bench" / "guest.py"), library, place, "0"]
        script.append(f"PYTHONPATH={paths[library]} {ENVIRONMENT} timeout 90 {' '.join(words)}")
    with tempfile.NamedTemporaryFile("w", suffix=".sh") as file:
        file.write("\n".join(script))
        file.flush()
        done = subprocess.run(
            [RIG, "run", "--timeout", str(240 + 70 * rounds), "--dtb", "rpi3b", "--", "sh", file.name],
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
    found = {}
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            figures = json.loads(line)
            at = found.setdefault((figures["library"], figures["place"]), {})
            for name in FIGURES:
                if name in figures:
                    at.setdefault(name, []).append(figures[name])
    missing = [run for run in RUNS if len(found.get(run, {}).get("p50_us", ())) < rounds]
    if missing:
        print(f"runs without a figure (of {rounds} each): {missing}\n{done.stdout}", file=sys.stderr)
    return {
        run: {name: (max if name == "worst_us" else statistics.median)(v) for name, v in at.items()}
        for run, at in found.items()
    }


def rows(rounds=5):
    """The rows of the table; without figures where a run has none."""
    at = measure(rounds)
    return [
        row.of(at.get(peer, {}).get(name), at.get(ours, {}).get(name)) for row, name, peer, ours in plan()
    ]


if __name__ == "__main__":
    report(rows(*map(int, sys.argv[1:])))
