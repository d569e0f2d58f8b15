# SPDX-License-Identifier: LGPL-3.0-or-later
"""RPIO beside gpiod, rpi-lgpio and gpiozero on a real kernel's gpiochip, in the kernel rig.

    bench/gpiochip.py [ROUNDS]

The libraries come from the package index. Each round runs every library in turn, in a process of its own; the
figures are medians of the rounds. The guest's system calls are slow (User Mode Linux): ratios count.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from table import Row, report

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "source" / "tests"))

RIG = ROOT / "source" / "tests" / "kernel" / "rig"
RUNS = [
    ("gpiod", "main"),
    ("RPIO", "main"),
    ("gpiod", "thread"),
    ("rpi-lgpio", "thread"),
    ("gpiozero", "thread"),
    ("RPIO", "thread"),
]
EDGES = 200
ENVIRONMENT = "RPI_LGPIO_REVISION=a02082 RPI_LGPIO_CHIP=0 GPIOZERO_PIN_FACTORY=lgpio LG_WD=/tmp"


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
        "gpiod": str(peers.installed("gpiod")),
        "rpi-lgpio": str(peers.installed("rpi-lgpio", "lgpio")),
        "gpiozero": str(peers.installed("gpiozero", "colorzero", "lgpio")),
        "RPIO": "",
    }


def measure(rounds):
    """All figures: (library, place) -> name -> one value a round."""
    paths = folders()
    script = ["cd /tmp"]
    for _ in range(rounds):
        for library, place in RUNS:
            words = [sys.executable, str(ROOT / "bench" / "guest.py"), library, place, str(EDGES)]
            script.append(f"PYTHONPATH={paths[library]} {ENVIRONMENT} timeout 60 {' '.join(words)}")
    with tempfile.NamedTemporaryFile("w", suffix=".sh") as file:
        file.write("\n".join(script))
        file.flush()
        done = subprocess.run(
            [RIG, "run", "--timeout", str(60 + 40 * rounds), "--dtb", "rpi3b", "--", "sh", file.name],
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
    found = {}
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            figures = json.loads(line)
            at = found.setdefault((figures["library"], figures["place"]), {})
            for name in ("write_us", "p50_us", "p99_us"):
                at.setdefault(name, []).append(figures[name])
    missing = [run for run in RUNS if len(found.get(run, {}).get("p50_us", ())) < rounds]
    if missing:
        print(f"runs without a figure (of {rounds} each): {missing}\n{done.stdout}", file=sys.stderr)
    return {run: {name: statistics.median(v) for name, v in at.items()} for run, at in found.items()}


def rows(rounds=5):
    """The rows of the table."""
    at = measure(rounds)

    def row(what, peer, ours, name, bar=None):
        if peer not in at or ours not in at:
            return Row(what, peer[0], None, None, "us", bar)
        return Row(what, peer[0], at[peer][name], at[ours][name], "us", bar)

    main, thread = ("RPIO", "main"), ("RPIO", "thread")
    return [
        row("gpiochip: a write", ("gpiod", "main"), main, "write_us", 1.15),
        row("gpiochip: a write", ("rpi-lgpio", "thread"), main, "write_us", 0.6),
        row("gpiochip: a write", ("gpiozero", "thread"), main, "write_us"),
        row("gpiochip: edge to callback, main thread", ("gpiod", "main"), main, "p50_us", 0.9),
        row("gpiochip: the same, p99", ("gpiod", "main"), main, "p99_us"),
        row("gpiochip: edge to callback, other thread", ("gpiod", "thread"), thread, "p50_us"),
        row("gpiochip: edge to callback, other thread", ("rpi-lgpio", "thread"), thread, "p50_us", 0.4),
        row("gpiochip: edge to callback, other thread", ("gpiozero", "thread"), thread, "p50_us"),
    ]


if __name__ == "__main__":
    report(rows(*map(int, sys.argv[1:])))
