# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio tasks``: the timed tasks that a daemon does: shown, added, taken back."""

from __future__ import annotations

import argparse

from ..remote.sessions.tasks import RemoteTasks
from . import remote, verb
from .told import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..backends.remote import RemoteBackend

EXAMPLES = """\
  rpio tasks                             what runs, and what waits behind it
  rpio tasks add 17 on 2s                on for two seconds, then off: the daemon sees to it
  rpio tasks add 17,27 blink 1m 0.2 0.8  on for 0.2 s and off for 0.8 s, for a minute, both at the same time
  rpio tasks add 18 pulse 10s --wait     and say how it has ended
  rpio tasks cancel 12                   that one is never begun, or ends now
  rpio tasks cancel --all --on pi        all of the machine pi

Tasks: on, off, toggle, blink (seconds on and off), pulse (seconds up and down), value (0 to 1, by PWM).
The exit status of add --wait is 1 where a task has not been done.
"""
KEYS = ("number", "line", "task", "state", "ms", "left_ms", "client")
NS_PER_MS = 1_000_000


def tasks_parser() -> argparse.ArgumentParser:
    """The parser of ``rpio tasks``."""
    p = verb.parser(
        "tasks",
        "Timed tasks of lines, which the daemon does (rpio serve): each line has a queue, one task begins when the one "
        "before it ends, and what was accepted is done when this command has long ended. A line with a queue is busy "
        "for others until its last task is over.",
        EXAMPLES,
        json=True,
        kind=verb.MixedParser,
    )
    p.add_argument("what", nargs="?", choices=tuple(DO), default="list", help="what to do; list without it")
    p.add_argument(
        "words",
        metavar="WORD",
        nargs="*",
        help="add: PINS TASK TIME [ARG1 [ARG2]], a time such as 500ms, 2s, 1m; cancel: the numbers of tasks",
    )
    p.add_argument("--all", action="store_true", help="cancel: all tasks there are, anybody's")
    p.add_argument("--wait", action="store_true", help="add: wait for the end, and say how it was")
    return p


def tasks(options: argparse.Namespace) -> int:
    """``rpio tasks``"""
    if options.all and options.what != "cancel":
        raise UsageError("--all goes with cancel")
    if options.wait and options.what != "add":
        raise UsageError("--wait goes with add")
    return DO[options.what](options, options.words)


def _list(options: argparse.Namespace, words: list[str]) -> int:
    if words:
        raise UsageError(f"list takes no words, and there is {words[0]!r}")
    (found,) = remote.server(options.backend).ask("tasks")
    if options.json:
        verb.print_json([dict(zip(KEYS, row, strict=True)) for row in found])
        return 0
    for number, line, name, state, ms, left_ms, client in found:
        print(f"{number:<6} GPIO {line:<3} {name:<7} {_state(state, ms, left_ms):<30} {client}")
    if not found:
        verb.note("there are no tasks")
    return 0


def _state(state: str, ms: int, left_ms: int) -> str:
    if state == "goes-on":
        return "goes on until the next"
    if state == "waits":
        return f"waits, for {ms / 1000:g} s" if ms else "waits"
    return f"runs, {left_ms / 1000:.1f} s of {ms / 1000:g} s left"


def _add(options: argparse.Namespace, words: list[str]) -> int:
    if not 3 <= len(words) <= 5:
        raise UsageError("add takes PINS TASK TIME and two numbers at most: rpio tasks add 17 on 2s")
    pins, name, time, *arguments = words
    try:
        time_ms = verb.duration_ns(time) / NS_PER_MS
        numbers = [float(argument) for argument in arguments]
    except (argparse.ArgumentTypeError, ValueError) as e:
        raise UsageError(str(e)) from None
    there = remote.server(options.backend)
    first, second = [*numbers, None, None][:2]
    made: dict[Any, int] = {}
    try:
        for line in verb.lines(pins):
            asked = there.ask("task", line, name, time_ms, first, second, "wait", options.wait)
            made[asked[0]] = line
    except BaseException:  # all of them or none: nobody is told the numbers of these
        RemoteTasks(there.ask, there.task_ends, int).cancel(*made)
        raise
    if options.wait:
        return _wait(there, made)
    if options.json:
        verb.print_json([{"number": number, "line": line} for number, line in made.items()])
    else:
        print(" ".join(map(str, made)))
    return 0


def _wait(there: RemoteBackend, made: dict[Any, int]) -> int:
    """Say how each has ended; 1 where one was not done."""
    status = 0
    for number, line in made.items():
        end = there.task_ends.wait(number)
        if end is None:
            raise AssertionError("a wait without a time has an end")
        print(f"{number}: GPIO {line}: {end.how}{f': {end.text}' if end.text else ''}", flush=True)
        status |= end.how != "done"
    return int(status)


def _cancel(options: argparse.Namespace, words: list[str]) -> int:
    if bool(words) == options.all:
        raise UsageError("name the tasks by their numbers, or say --all: rpio tasks cancel 12")
    there = remote.server(options.backend)
    named = [_number(word) for word in words]
    numbers = [row[0] for row in there.ask("tasks")[0]] if options.all else named
    gone = set(RemoteTasks(there.ask, there.task_ends, int).cancel(*numbers))
    for number in numbers:
        print(f"{number}: {'cancelled' if number in gone else 'has ended already, or never was'}")
    return 0 if gone.issuperset(numbers) else 1


def _number(word: str) -> int:
    try:
        return verb.positive(word)
    except argparse.ArgumentTypeError:
        raise UsageError(f"{word!r} is no number of a task; rpio tasks shows them") from None


DO: dict[str, Callable[[argparse.Namespace, list[str]], int]] = {
    "list": _list,
    "add": _add,
    "cancel": _cancel,
}
