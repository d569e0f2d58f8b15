# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio watch``: edges as they come, with the kernel's time."""

from __future__ import annotations

import argparse
import sys

from .. import constants, errors, facade
from ..board.subscriptions import Subscription
from . import levels, verb
from .levels import PULLS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from threading import Timer

    from .._gpio import EdgeEvent
    from ..board.subscriptions import WatchedLine

EDGE_BITS = {"rising": 1, "falling": 2, "both": 3}


def watch_parser() -> argparse.ArgumentParser:
    """The parser of ``rpio watch``."""
    p = verb.parser(
        "watch",
        "Print edges of inputs until Ctrl+C: seconds of the kernel's clock since the first, line, level after it. On "
        "the shared simulated board (rpio sim) edges of all lines, whoever has them.",
        "  rpio watch 17\n  rpio watch 4,17 --edge falling --pull up\n  rpio watch 17 --count 10 --json",
        json=True,
    )
    verb.add_pins(p)
    p.add_argument("--edge", choices=[*EDGE_BITS], default="both")
    p.add_argument(
        "--pull", choices=[*PULLS], help="set the pull resistors; without it they stay as they are"
    )
    verb.add_for(p)
    p.add_argument("-n", "--count", type=verb.positive, metavar="N", help="end after so many edges")
    return p


class _Printer(Subscription):
    """Prints each edge, and ends the loop after the last one that is wanted."""

    __slots__ = ("_first_ns", "_json", "_left")

    def __init__(self, bits: int, json: bool, count: int | None) -> None:
        super().__init__(bits, None, 0)
        self._json, self._left = json, count
        self._first_ns: int | None = None

    def deliver(self, event: EdgeEvent, watched: WatchedLine) -> None:
        """Print it; the last one, or a reader that has gone, ends the loop."""
        if self._first_ns is None:
            self._first_ns = event.timestamp_ns
        after_ns = event.timestamp_ns - self._first_ns
        if self._left == 0:
            return
        try:
            if self._json:
                found = {
                    "gpio": event.line,
                    "level": event.value,
                    "timestamp_ns": event.timestamp_ns,
                    "seq": event.seq,
                }
                verb.print_json(found)
            else:
                print(
                    f"{after_ns // 10**9:6}.{after_ns % 10**9 // 1000:06}  GPIO {event.line:2}  {event.value}"
                )
            sys.stdout.flush()
        except BrokenPipeError:
            self._left = 0
        else:
            self._left = None if self._left is None else self._left - 1
        if self._left == 0:
            facade.stop_waiting_for_interrupts()


def check_is_input(line: int, doing: str) -> None:
    """Raise WrongDirectionException for a line that is something else, which that would change."""
    function = facade.gpio_function(line)
    if function not in (constants.IN, constants.UNKNOWN):
        name = constants.FUNCTION_NAMES.get(function, "-")
        raise errors.WrongDirectionException(
            f"GPIO {line} is {levels.a(name)}, not an input; {doing} would make it one",
            hint=f"rpio mode {line} in makes it one",
        )


def watch(options: argparse.Namespace) -> None:
    """``rpio watch``"""
    lines = verb.lines(options.pins)
    heard = [line for line in lines if options.pull is None and facade.board.interrupts.may_listen(line)]
    for line in lines:
        if line in heard:
            continue
        check_is_input(line, "watching")
    printer = _Printer(EDGE_BITS[options.edge], options.json, options.count)
    for line in heard:
        facade.board.interrupts.listen(line, printer)
    for line in [line for line in lines if line not in heard]:
        # a callback of no edge makes it an input, and leaves the pull as it is where none was asked for
        facade.add_interrupt_callback(line, print, "none", PULLS[options.pull] if options.pull else None)
        facade.board.interrupts.subscribe(line, printer, 0)
    if sys.stderr is not None and sys.stderr.isatty():
        verb.note(f"waiting for edges of {', '.join(f'GPIO {line}' for line in lines)}; Ctrl+C ends")
    timer = _stop_after(options.for_ns)
    try:
        facade.wait_for_interrupts()
    except KeyboardInterrupt:
        pass
    finally:
        if timer is not None:
            timer.cancel()
    lost = facade.events_lost()
    if lost:
        raise errors.GPIOError(f"{lost} edges were lost", hint="rpio capture keeps up with more")


def _stop_after(for_ns: int | None) -> Timer | None:
    if for_ns is None:
        return None
    import threading

    def end() -> None:
        """End the loop; where the time is over before that has begun, as soon as it does."""
        while not facade.board.dispatcher.running and not timer.finished.wait(0.001):
            pass
        facade.stop_waiting_for_interrupts()

    timer = threading.Timer(for_ns / 1e9, end)
    timer.daemon = True
    timer.start()
    return timer
