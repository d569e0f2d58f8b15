# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio token``: make, list and revoke what allows others something at the daemon of this machine."""

from __future__ import annotations

import argparse
import os
import sys
import time

from .. import errors
from ..backends import opening
from ..machine import folders
from ..remote import once
from ..remote.places import Place
from ..remote.tokens import VARIABLE
from ..server import settings as settings_module
from ..server.tokens import TokenFile
from ..wire.terms import GPIO, READ, SCOPES
from . import pins, remote, verb
from .told import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..server.access import Token
    from ..server.settings import Settings

ANSWER_S = 5.0

EXAMPLES = """\
  rpio token new --scope gpio --lines 17,18 --for 8h --to class.token
  RPIO_TOKEN_FILE=class.token rpio write --on localhost 17=1
  rpio token list
  rpio token revoke class
"""


def token_parser() -> argparse.ArgumentParser:
    """The parser of ``rpio token``."""
    p = verb.parser(
        "token",
        "Make a token, which allows its holder something at this machine's daemon that is not open to everybody; list "
        "those that there are, and revoke them, which ends what is done with them at once. Only what a token is "
        "checked by is kept: it is shown once, or written to a file for its holder.",
        EXAMPLES,
        json=True,
        has_backend=False,
    )
    p.add_argument("what", choices=["new", "list", "revoke"], help="what to do")
    p.add_argument(
        "names", metavar="NAME", nargs="*", help="new: what to call it; revoke: which, by names or ids"
    )
    p.add_argument(
        "--scope",
        action="append",
        choices=SCOPES,
        help=f"new: what it allows; may be said several times ({READ} and {GPIO} without it)",
    )
    p.add_argument("--lines", metavar="PINS", help=f"new: drive these lines alone: {verb.PINS_HELP}")
    verb.add_for(p, "new: how long it lasts (without it, until it is revoked)")
    p.add_argument(
        "--to", metavar="FILE", help="new: write it to this file, for RPIO_TOKEN_FILE, instead of printing it"
    )
    p.add_argument("--config", metavar="FILE", help="the configuration file that the daemon was started with")
    return p


def token(options: argparse.Namespace) -> None:
    """``rpio token``"""
    if options.config is not None:
        os.environ["RPIO_CONFIG"] = os.path.abspath(options.config)
    settings = settings_module.read({})
    file = TokenFile(settings.of("access", "tokens"))
    if options.what == "revoke":
        _revoke(file, options, settings)
    else:
        {"new": _new, "list": _list}[options.what](file, options)


def _new(file: TokenFile, options: argparse.Namespace) -> None:
    if len(options.names) > 1:
        raise UsageError("one token at a time has one name")
    lines = None if options.lines is None else pins.parse(options.lines, opening.expect(None))
    scopes = options.scope or [READ, GPIO]
    if lines is not None and GPIO not in scopes:
        raise UsageError("--lines are those of the scope gpio: --scope gpio --lines 17,18")
    now_s = time.time()
    until_s = None if options.for_ns is None else now_s + options.for_ns / 1e9
    name = options.names[0] if options.names else ""
    if options.to is None:
        made, text = file.add(scopes, lines, name, now_s, until_s)
        print(text)
    else:
        made = _write(options.to, lambda: file.add(scopes, lines, name, now_s, until_s), file)
        verb.note(f"written to {options.to}; its holder says {VARIABLE}={options.to}")
    verb.note(
        f"token {made.id}: {_told(made, now_s)}; it ends with: rpio token revoke {made.name or made.id}"
    )


def _write(path: str, make: Callable[[], tuple[Token, str]], file: TokenFile) -> Token:
    """Make a token for a file, which is there first: there is none that nobody has."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    made = None
    try:
        with open(fd, "w", encoding="utf-8") as opened:
            made, text = make()
            opened.write(f"{text}\n")
    except BaseException:
        os.unlink(path)
        if made is not None:
            file.revoke([made.id])
        raise
    return made


def _told(token: Token, now_s: float) -> str:
    lines = "" if token.lines is None else f" (GPIO {','.join(map(str, token.lines))})"
    scopes = ", ".join(f"{scope}{lines if scope == GPIO else ''}" for scope in token.scopes)
    if token.until_s is None:
        return scopes
    left_s = int(token.until_s - now_s)
    return f"{scopes}, for {remote.age(left_s)}" if left_s > 0 else f"{scopes}, over"


def _list(file: TokenFile, options: argparse.Namespace) -> None:
    now_s = time.time()
    tokens = file.read()
    if options.json:
        keys = ("id", "name", "scopes", "lines", "made_s", "until_s")
        verb.print_json([{key: getattr(token, key) for key in keys} for token in tokens])
        return
    for token in tokens:
        name = f" {token.name}" if token.name else ""
        print(f"{token.id}{name}: {_told(token, now_s)}")
    if not tokens:
        verb.note(f"{file.path} has no tokens")


def _revoke(file: TokenFile, options: argparse.Namespace, settings: Settings) -> None:
    if not options.names:
        raise UsageError("which one? rpio token list shows them")
    missing = file.revoke(options.names)
    if missing:
        raise errors.GPIOError(
            f"there is no token {', '.join(missing)}; nothing was revoked", hint="see: rpio token list"
        )
    ended = [count for count in map(_tell, _places(settings)) if count is not None]
    if ended:
        verb.note(f"revoked; {sum(ended)} session{'' if sum(ended) == 1 else 's'} ended")
    else:
        verb.note(
            f"revoked; no daemon answers at {settings.of('serve', 'socket')}: one that was started with other words "
            "ends the sessions that have it when it is told: pkill -HUP -f 'rpio serve'"
        )
    sys.stdout.flush()


def _places(settings: Settings) -> list[str]:
    """Where the daemon may be that has this file. Who shows a token there is nobody's affair, nor is RPIO_BACKEND."""
    paths = dict.fromkeys([settings.of("serve", "socket"), *folders.sockets()])
    ports = [f"127.0.0.1:{settings.port}"] if settings.port else []
    return [*[f"remote+unix://{path}" for path in paths], *ports]


def _tell(where: str) -> int | None:
    """Have who serves there look at the file; return how many sessions that has ended, None where nobody answers."""
    try:
        with Place(where).connect(ANSWER_S) as link:
            link.settimeout(ANSWER_S)
            words = once.ask(link, "tokens")
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
        return None
    except (OSError, errors.GPIOError) as e:
        verb.note(f"{where} is not told: {e}")
        return None
    if words[:1] == ["ok"] and words[1:] and words[1].isdigit():
        return int(words[1])
    verb.note(f"{where} has not looked at it: {' '.join(words[2:3])}")
    return None
