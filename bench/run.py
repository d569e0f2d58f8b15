# SPDX-License-Identifier: LGPL-3.0-or-later
"""`make bench`: RPIO beside its peers, one table with ratios; then what the hot paths cost by themselves.

    bench/run.py [PART...]      all parts without one; PARTS below has their names
    bench/run.py --list         measure nothing: what each part prints, as JSON (what, beside whom, unit, bar)

The peers come from the package index and are measured in the same run, in turn with RPIO. Less is better
everywhere; a ratio is ours over theirs. The status is 1 where a ratio is not what it has to be.
"""

import importlib
import json
import sys
import time

from table import HEAD, line

PARTS = {
    "registers": "RPi.GPIO on fake registers",
    "pins": "gpiozero with RPi.GPIO on fake registers",
    "instructions": "the same, counted by valgrind",
    "gpiochip": "gpiod, rpi-lgpio and gpiozero in the kernel rig",
    "pwm": "RPi.GPIO's software PWM",
    "startup": "the command rpio from start to end",
    "counters": "a counted edge, beside a callback",
    "capture": "rpio capture at 50,000 edges a second",
    "tcp": "a TCP client beside one that floods",
    "remote": "lines from afar, beside a bare echo on loopback",
    "daemon": "rpio serve, beside a bare asyncio echo",
    "tls": "lines from afar by TLS, beside a bare echo by TLS and openssl",
    "ssh": "the same by ssh, beside a bare echo through the same connection",
    "modules": "modules of another machine, beside RPyC and the daemon's reads",
    "i2c": "I2C beside a pin, and beside smbus2 in the kernel rig",
    "grpc_bus": "an I2C bus over gRPC, beside grpcio",
    "remoteio": "queues of tasks for remoteio's clients",
    "tasks": "timed tasks, beside a bare clock_nanosleep(2)",
    "programs": "programs by WebSocket, beside those that are started here",
    "floors": "RPIO by itself",
}


def labels(module):
    """What a part prints, without its figures."""
    return [(row.what, row.peer, row.unit, row.bar) for row in module.ROWS]


def measure(part):
    """The rows of a part, or why there are none."""
    print(f"measuring: {PARTS[part]} ...", file=sys.stderr, flush=True)
    begin = time.monotonic()
    module = importlib.import_module(part)
    reason = module.why_not() if hasattr(module, "why_not") else ""
    rows = [] if reason else module.rows()
    printed = [(row.what, row.peer, row.unit, row.bar) for row in rows]
    if rows and printed != labels(module):
        sys.exit(f"bench/{part}.py prints other rows than its ROWS are")
    print(f"  {time.monotonic() - begin:.0f} s", file=sys.stderr)
    return rows, reason


def main(wanted):
    if wanted == ["--list"]:
        print(json.dumps({part: labels(importlib.import_module(part)) for part in PARTS}))
        return
    unknown = [part for part in wanted if part not in PARTS]
    if unknown:
        sys.exit(f"there is no part {unknown[0]!r}; choose among {', '.join(PARTS)}")
    found = {part: measure(part) for part in wanted or PARTS}
    print(HEAD)
    for part, (rows, reason) in found.items():
        for row in rows:
            print(line(row))
        if reason:
            print(f"{PARTS[part]}: not measured: {reason}")
    sys.exit(not all(row.kept for rows, _ in found.values() for row in rows))


if __name__ == "__main__":
    main(sys.argv[1:])
