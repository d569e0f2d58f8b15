# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio count``: edges of inputs, and steps of an encoder, counted in C."""

from __future__ import annotations

import argparse
import sys
import time

from .. import errors, facade, threads
from . import verb
from .levels import PULLS
from .told import UsageError
from .watch import EDGE_BITS, check_is_input

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..board.counters import Counter

NS_PER_S = 1_000_000_000


def count_parser() -> argparse.ArgumentParser:
    """The parser of ``rpio count``."""
    p = verb.parser(
        "count",
        "Count edges of inputs until Ctrl+C, and show how many there are and how many a second: of a flow meter, a "
        "fan, an anemometer. With --encoder, where a rotary encoder stands.",
        "  rpio count 17 --pull up\n  rpio count 17 --for 10s --on pi\n  rpio count 17 18 --encoder --pull up\n"
        "  rpio count 4,17 --edge both --every 5s --json",
        json=True,
    )
    verb.add_pins(p)
    p.add_argument("--edge", choices=[*EDGE_BITS], default="rising")
    p.add_argument(
        "--encoder", action="store_true", help="steps of two lines, A and B, forwards where A changes first"
    )
    p.add_argument(
        "--pull", choices=[*PULLS], help="set the pull resistors; without it they stay as they are"
    )
    p.add_argument("--filter", type=verb.duration_ns, metavar="TIME", help="only levels that last so long")
    p.add_argument("--every", type=verb.duration_ns, metavar="TIME", help="show it so often; 1s without it")
    verb.add_for(p)
    return p


def count(options: argparse.Namespace) -> None:
    """``rpio count``"""
    counted = _begin(options)
    every_ns = options.every or NS_PER_S
    is_live = not options.json and sys.stdout is not None and sys.stdout.isatty() and len(counted) == 1
    begin_ns = time.monotonic_ns()
    due_ns = begin_ns + every_ns
    end_ns = begin_ns + options.for_ns if options.for_ns is not None else None
    try:
        while end_ns is None or due_ns < end_ns:
            sleep_until(due_ns)
            _show(counted, options.json, "\r" if is_live else "\n")
            due_ns += every_ns
        sleep_until(end_ns)
    except KeyboardInterrupt:
        pass
    _show(counted, options.json, "\n")
    lost = sum(one.lost for one in counted.values())
    if lost:
        raise errors.GPIOError(f"{lost} edges were lost: a count is too low by as much, an encoder elsewhere")


def _begin(options: argparse.Namespace) -> dict[str, Counter]:
    lines = verb.lines(options.pins)
    if options.encoder and len(lines) != 2:
        raise UsageError("--encoder is about two lines, A and B: rpio count 17 18 --encoder")
    if options.encoder and options.edge != "rising":
        raise UsageError("an encoder's steps are all its edges: leave --edge out")
    for line in lines:
        check_is_input(line, "counting")
    pull = PULLS[options.pull] if options.pull else None
    filter_us = -(-(options.filter or 0) // 1000)
    if options.encoder:
        a, b = lines
        return {f"GPIO {a} and {b}": facade.encoder(a, b, pull, filter_us)}
    return {f"GPIO {line}": facade.counter(line, options.edge, pull, filter_us) for line in lines}


def sleep_until(when_ns: int) -> None:
    """Sleep until that time of the monotonic clock."""
    left_ns = when_ns - time.monotonic_ns()
    for nap_s in threads.naps(left_ns / NS_PER_S) if left_ns > 0 else ():
        time.sleep(threads.NAP_S if nap_s is None else nap_s)


def _show(counted: dict[str, Counter], json: bool, end: str) -> None:
    for name, one in counted.items():
        reading = one.read()
        if json:
            verb.print_json({"gpio": name.removeprefix("GPIO "), **reading})
            continue
        lost = f"  {reading['lost']} lost" if reading["lost"] else ""
        lost += f"  {reading['skipped']} skipped" if reading.get("skipped") else ""
        count = reading.get("count", reading.get("steps"))
        print(f"{name}  {count:10}  {reading['rate_hz']:10.1f}/s{lost}", end=end)
    if sys.stdout is not None:
        sys.stdout.flush()
