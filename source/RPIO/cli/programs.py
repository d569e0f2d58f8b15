# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio ps``, ``attach``, ``logs`` and ``kill``: the programs that run on a device, or have run there detached."""

from __future__ import annotations

import argparse
import os
from contextlib import contextmanager
from functools import partial

from .. import errors
from ..backends import opening
from ..wire.runs import SIGNALS, Message
from . import elsewhere, verb
from .following import ID, Following
from .remote import age
from .told import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from ..remote.programs import Line

WHICH_HELP = "its number, as rpio ps shows it, or its name"
ON_HELP = (
    "the programs of another machine: pi.local, by TLS, once it is paired with the scope run (rpio pair --scope run "
    "there); pi, user@pi, by ssh; or localhost, the daemon (rpio serve) of this one"
)
WAITS, RUNS, ENDS, IS_OVER = "waits", "runs", "ends", "over"
"""States of a program. Source: programs/running."""


def _parser(
    name: str, description: str, examples: str, json: bool = False, kind: type[verb.Parser] = verb.MixedParser
) -> argparse.ArgumentParser:
    p = verb.parser(name, description, examples, json=json, kind=kind, has_backend=False)
    p.add_argument("--on", dest="host", metavar="HOST", help=ON_HELP)
    return p


def _host(options: argparse.Namespace) -> str:
    """Whose programs are meant: in a program's own environment those of the machine that it runs on."""
    if options.host is not None:
        return str(options.host)
    spec = os.environ.get("RPIO_BACKEND", "")
    return spec if opening.is_afar(opening.word_of(spec)) and "://" in spec else "localhost"


@contextmanager
def _connected(options: argparse.Namespace) -> Iterator[Line]:
    line = elsewhere.line_to(elsewhere.place_of(_host(options)))
    try:
        line.open()
        yield line
    finally:
        line.close()


def _listed(line: Line) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = line.ask(Message("list"), "listed").data["programs"]
    return sorted(found, key=lambda row: row["number"])


def _one(line: Line, which: str) -> dict[str, Any]:
    """The program of that number or name; of several of one name, the one that has not ended."""
    rows = _listed(line)
    if which.isdecimal():
        found = [row for row in rows if row["number"] == int(which)]
    else:
        found = [row for row in rows if row["name"] == which]
        found = [row for row in found if row["state"] != IS_OVER] or found[-1:]
    if not found:
        names = ", ".join(f"{row['number']} ({row['name']})" for row in rows) or "none at all"
        raise errors.CommandError(f"there is no program {which!r} on {line.place}, but {names}")
    if len(found) > 1:
        numbers = ", ".join(str(row["number"]) for row in found)
        raise UsageError(f"there are several programs {which!r}: {numbers}; name one by its number", 1)
    return found[0]


# -- ps -----------------------------------------------------------------------------------------------------


def ps_parser() -> argparse.ArgumentParser:
    """The parser of ``rpio ps``."""
    p = _parser(
        "ps",
        "Show the programs that run on a device, or wait for their lines there, and those that were left there "
        "(rpio run --there HOST --detach) and have ended.",
        "  rpio ps\n  rpio ps --on pi\n  rpio ps --on pi --json",
        json=True,
    )
    p.add_argument(
        "--forget",
        metavar="NUMBER",
        type=verb.positive,
        action="append",
        help="drop what is kept of this one, which has ended; may be given several times",
    )
    return p


def ps(options: argparse.Namespace) -> None:
    """``rpio ps``"""
    with _connected(options) as line:
        for number in options.forget or ():
            line.ask(Message("forget", "", {"number": number}), "forgotten")
        rows = _listed(line)
        if options.json:
            verb.print_json(rows)
            return
        for row in rows:
            print(f"{row['number']:>4}  {row['name']:<20} {state_of(row):<28} {_more(row)}".rstrip())
        if not rows:
            verb.note(f"no programs on {line.place}, for {line.user}")


def state_of(row: dict[str, Any]) -> str:
    """What a program does, for people."""
    if row["state"] == WAITS:
        return f"waits: {row['why']}"
    if row["state"] == IS_OVER:
        ago = f"{age(int(row['ended_s'] or 0))} ago"
        if row["exitCode"] is None:
            return f"was not started, {ago}: {row['why']}"
        return f"{ended_how(row['exitCode'])}, {ago}"
    return f"{'ends' if row['state'] == ENDS else 'runs'}, for {age(int(row['seconds']))}"


def ended_how(code: int) -> str:
    """How a program has ended, for people."""
    import signal

    if code >= 0:
        return f"ended with {code}"
    try:
        return f"ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"ended by signal {-code}"


def _more(row: dict[str, Any]) -> str:
    words = [f"process {row['pid']}"] if row["pid"] and row["state"] != IS_OVER else []
    words += [f"GPIO {','.join(map(str, row['lines']))}"] if row["lines"] else []
    words += ["detached"] if row["detached"] else []
    return ", ".join(words)


# -- attach and logs ----------------------------------------------------------------------------------------


def attach_parser() -> argparse.ArgumentParser:
    """The parser of ``rpio attach``."""
    p = _parser(
        "attach",
        "Be with a program of a device, as if it had been started here: what it has written lately, what it writes "
        "from now on, and what is typed goes to it. Where it has a terminal, Ctrl+P Ctrl+Q leaves it again; else "
        "Ctrl+\\ does, and Ctrl+C is sent to it. The exit status is the program's.",
        "  rpio attach 3\n  rpio attach robot --on pi",
    )
    p.add_argument("which", metavar="PROGRAM", help=WHICH_HELP)
    p.add_argument("--no-stdin", action="store_true", help="what is typed is not sent to it")
    return p


def attach(options: argparse.Namespace) -> int:
    """``rpio attach``"""
    with _connected(options) as line:
        row = _one(line, options.which)
        if row["state"] == WAITS:
            verb.note(f"rpio attach: it waits: {row['why']}")
        following = Following(
            line,
            lambda text: verb.note(f"rpio attach: {text}"),
            has_pty=True,
            has_stdin=not options.no_stdin,
            is_detached=True,  # whoever has started it: it does not end with this one
        )
        line.send(Message("attach", ID, {"number": row["number"]}))
        return elsewhere.follow(following, "attach", _host(options))


def logs_parser() -> argparse.ArgumentParser:
    """The parser of ``rpio logs``."""
    p = _parser(
        "logs",
        "Print what a program of a device has written: the last megabyte of it is kept there. What it wrote to "
        "standard error comes on standard error.",
        "  rpio logs 3\n  rpio logs -f robot --on pi\n  rpio logs 3 --on pi 2>/dev/null | tail",
    )
    p.add_argument("which", metavar="PROGRAM", help=WHICH_HELP)
    p.add_argument(
        "-f", "--follow", action="store_true", help="go on with what it writes, until it ends or Ctrl+C"
    )
    return p


def logs(options: argparse.Namespace) -> int:
    """``rpio logs``"""
    with _connected(options) as line:
        number = _one(line, options.which)["number"]
        says = partial(_note, "rpio logs")
        following = Following(line, says, has_stdin=False, is_detached=True, is_watched=True)
        line.send(Message("attach", ID, {"number": number, "follow": options.follow}))
        return following.run()


def _note(name: str, text: str) -> None:
    verb.note(f"{name}: {text}")


# -- kill ---------------------------------------------------------------------------------------------------


def signal_name(text: str) -> str:
    """Read "INT", "SIGINT" or "int". For argparse."""
    return text.upper().removeprefix("SIG")


def kill_parser() -> argparse.ArgumentParser:
    """The parser of ``rpio kill``."""
    p = _parser(
        "kill",
        "End programs of a device, and all that they have started: SIGTERM, and SIGKILL for what is there still after "
        "a grace time; or send them a signal.",
        "  rpio kill 3\n  rpio kill robot --on pi\n  rpio kill 3 4 --signal INT",
    )
    p.add_argument("which", metavar="PROGRAM", nargs="+", help=WHICH_HELP)
    p.add_argument(
        "-s",
        "--signal",
        metavar="NAME",
        type=signal_name,
        choices=SIGNALS,
        help=f"this signal alone, to its process group: {', '.join(SIGNALS)}",
    )
    return p


def kill(options: argparse.Namespace) -> None:
    """``rpio kill``"""
    with _connected(options) as line:
        rows = [_one(line, which) for which in options.which]
        for row in rows:
            asked = {"number": row["number"], **({"signal": options.signal} if options.signal else {})}
            line.ask(Message("end", "", asked), "ending")
