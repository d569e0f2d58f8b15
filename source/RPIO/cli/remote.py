# SPDX-License-Identifier: LGPL-3.0-or-later
"""Asking a server: ``rpio who`` and ``rpio audit``, what ``rpio serve --status`` says, and the way there for others."""

from __future__ import annotations

import argparse
import os
import time

from .. import config_files, errors, facade
from ..backends import opening
from ..backends.remote import RemoteBackend
from . import verb
from .told import use

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

RECORDS_AT_ONCE = 1000


def server(backend: str | None, is_looking: bool = False, socket: str | None = None) -> RemoteBackend:
    """The server of --on HOST; without that, the daemon of this machine, where its configuration or *socket* says that
    it is. *is_looking*: RPIO_BACKEND counts only where it is a server's.

    Raises:
        NotSupportedError: something else than a server is asked for. ConfigError.
    """
    word = opening.word_of(None)
    if backend is None and (word == "auto" or (is_looking and not opening.is_afar(word))):
        path = socket or _configured()
        use(f"remote+unix://{os.path.abspath(path)}" if path else "remote")
    found = facade.board.backend
    if not isinstance(found, RemoteBackend):
        raise errors.NotSupportedError(
            f"{found.describe()} is used by this program alone: nobody else is there",
            hint="--on localhost asks the daemon of this machine, --on HOST that of another one",
        )
    return found


def _configured() -> str:
    """The socket that configuration files name for the daemon; "" where none does, which leaves the usual ones."""
    if not config_files.files():
        return ""
    from ..server.settings import settings

    try:
        found = settings.read({})
    except errors.ConfigError as e:
        if not isinstance(e.__cause__, PermissionError):
            raise
        return ""  # it is root's, and the usual socket may be had all the same
    return "" if found.places["serve", "socket"] == "by default" else found.of("serve", "socket")


def age(seconds: int | None) -> str:
    """How long ago that is, for people."""
    if seconds is None:
        return "-"
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


# -- who ----------------------------------------------------------------------------------------------------


def who_parser() -> argparse.ArgumentParser:
    """The parser of ``rpio who``."""
    return verb.parser(
        "who",
        "Show who uses the lines of a server, the daemon of this machine or that of another one: the sessions, who "
        "has which line and since when, and the rules that are in force.",
        "  rpio who\n  rpio who --on pi",
        json=True,
    )


def who(options: argparse.Namespace) -> None:
    """``rpio who``"""
    there = server(options.backend, is_looking=True)
    (sessions,), (holders,), (rules,) = there.ask("sessions"), there.ask("holders"), there.ask("rules")
    if options.json:
        verb.print_json({**_as_dicts(sessions, holders, rules), "fronts": _fronts(there)})
        return
    print(there.describe())
    _print_sessions(sessions)
    _print_holders(holders)
    for rule in rules:
        print(f"rule: {rule}")
    for front in _fronts(there):
        print(front)


def _fronts(there: RemoteBackend) -> list[str]:
    """What else is served there; nothing where it is too old to tell."""
    try:
        (found,) = there.ask("fronts")
    except (ValueError, errors.NotSupportedError):
        return []
    return list(found)


def _print_sessions(sessions: list[Any]) -> None:
    others = sorted(sessions)[:-1]  # the last one that has come is this one
    print(f"{len(others)} other session{'' if len(others) == 1 else 's'}")
    for _, name, peer, seconds, scopes, lines in others:
        has = f", has GPIO {lines}" if lines else ""
        print(f"  {name} ({peer}), for {age(seconds)}, may {scopes or 'do nothing'}{has}")


def _print_holders(holders: list[Any]) -> None:
    if not holders:
        print("no line is in use")
    for line, name, seconds in holders:
        since = f", for {age(seconds)}" if seconds is not None else ""
        print(f"GPIO {line}: {name}{since}")


def _as_dicts(sessions: list[Any], holders: list[Any], rules: list[str]) -> dict[str, object]:
    return {
        "sessions": [
            dict(zip(("number", "who", "peer", "seconds", "scopes", "lines"), session, strict=True))
            for session in sessions
        ],
        "lines": [dict(zip(("line", "holder", "seconds"), holder, strict=True)) for holder in holders],
        "rules": rules,
    }


def status(backend: str | None, socket: str | None = None) -> int:
    """``rpio serve --status``: 0 where a daemon answers, at that *socket* where one is named."""
    there = server(backend, is_looking=True, socket=socket)
    (sessions,), (held,) = there.ask("sessions"), there.ask("holds")
    print(f"a daemon is there: {there.describe()}")
    _print_sessions(sessions)
    print(f"holds: {' '.join(f'{line}={level}' for line, level in held) or 'nothing'}")
    for front in _fronts(there):
        print(front)
    return 0


# -- audit --------------------------------------------------------------------------------------------------


def audit_parser() -> argparse.ArgumentParser:
    """The parser of ``rpio audit``."""
    p = verb.parser(
        "audit",
        "Show who has set which line, of what a daemon remembers: the last 100,000 records, one for each session, "
        "line and second. `audit` in its configuration, or rpio serve --audit FILE, writes them to a file as well.",
        "  rpio audit\n  rpio audit --line 17 --follow\n  rpio audit --on pi --json",
        json=True,
    )
    p.add_argument("--line", metavar="PINS", help=f"of these alone: {verb.PINS_HELP}")
    p.add_argument("--last", metavar="COUNT", type=verb.positive, default=100, help="so many at most (100)")
    p.add_argument("-f", "--follow", action="store_true", help="go on with what comes, until Ctrl+C")
    return p


def audit(options: argparse.Namespace) -> None:
    """``rpio audit``"""
    there = server(options.backend, is_looking=True)
    lines = None if options.line is None else set(verb.lines(options.line))
    found = _records(there, 0)
    shown = _of(found, lines)[-options.last :]
    if options.follow:
        after = found[-1][0] + 1 if found else 0
        _follow(there, shown[0][0] if shown else after, lines, options.json)
        return
    _print_records(shown, options.json)
    if not shown:
        verb.note("nothing has been set" if lines is None else "nothing has been set there")


def _follow(there: RemoteBackend, number: int, lines: set[int] | None, json: bool) -> None:
    """Print the records from that number on, each when its second is over: until then it is added to."""
    open_before: list[Any] = []
    try:
        while True:
            found = _records(there, number)
            latest = [record for record in found if record[1] == found[-1][1]]
            still_open = [] if latest == open_before else latest
            done = found[: len(found) - len(still_open)]
            _print_records(_of(done, lines), json)
            number = done[-1][0] + 1 if done else number
            open_before = still_open
            time.sleep(1)  # after which a second is over
    except KeyboardInterrupt:
        return


def _of(records: list[Any], lines: set[int] | None) -> list[Any]:
    return [record for record in records if lines is None or record[3] in lines]


def _records(there: RemoteBackend, number: int) -> list[Any]:
    """The records from that number on."""
    records: list[Any] = []
    while True:
        (some,) = there.ask("audit", number, RECORDS_AT_ONCE)
        records += some
        if len(some) < RECORDS_AT_ONCE:
            return records
        number = some[-1][0] + 1


def _print_records(records: list[Any], json: bool) -> None:
    keys = ("number", "second", "who", "line", "what", "level", "times")
    for record in records:
        if json:
            verb.print_json(dict(zip(keys, record, strict=True)))
            continue
        _, second, name, line, what, level, times = record
        at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(second))
        to = "" if level is None else f" {level}"
        often = f", {times} times" if times > 1 else ""
        print(f"{at}  GPIO {line}: {what}{to} by {name}{often}", flush=True)
