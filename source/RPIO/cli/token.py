# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio token``: make, list and revoke what allows others something at the daemon of this machine."""

from __future__ import annotations

import argparse
import os
import time

from .. import errors
from ..backends import opening
from ..machine import folders
from ..remote.places.tokens import VARIABLE
from ..server.rights.tokens import TokenFile
from ..server.settings import settings as settings_module
from ..wire.terms import GPIO, READ, SCOPES
from . import pins, revoking, verb
from .told import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..server.rights.access import Token
    from ..server.settings.settings import Settings

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
    if revoking.is_systems() and file.path.startswith(folders.state_folder()):
        verb.note(
            "it is for daemons of your own: the one that runs here is that of the system (sudo rpio token new)"
        )
    verb.note(
        f"token {made.id}: {revoking.told(made, now_s)}; it ends with: rpio token revoke {made.name or made.id}"
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


def _list(file: TokenFile, options: argparse.Namespace) -> None:
    now_s = time.time()
    tokens = file.read()
    if options.json:
        verb.print_json([{key: getattr(token, key) for key in revoking.KEYS} for token in tokens])
        return
    for token in tokens:
        name = f" {token.name}" if token.name else ""
        print(f"{token.id}{name}: {revoking.told(token, now_s)}")
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
    revoking.tell(settings)
