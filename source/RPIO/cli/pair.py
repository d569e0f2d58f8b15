# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio pair``: on a device it shows a code, on another machine it takes that code, and from then on both know each
other.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
import time

from .. import errors
from ..backends import opening
from ..remote.places import hosts
from ..wire.pairing import readable
from ..wire.terms import GPIO, I2C, READ, SCOPES
from . import pins, revoking, verb
from .told import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..remote.places.hosts import Known
    from ..server.settings.settings import Settings

EXAMPLES = """\
  rpio pair                        on the device: shows a code, for two minutes, and then the next one
  rpio pair pi.local               on another machine: asks for that code, and pairs
  rpio read 17 --on pi.local       from then on
  rpio pair --scope read --for 8h --name guest
                                   on the device: who comes may read, until the evening
  rpio pair pi.local --authority ca.pem
                                   without a code, for who has a token: ca.pem is tls/ca.pem of the device
  rpio pair --list                 who is paired with this machine, and with what it is paired
  rpio pair --revoke laptop        on the device: no more, and at once
  rpio pair --forget pi.local      on the other machine
"""
DEFAULT_SCOPES = (READ, GPIO, I2C)
TRIES = 3
"""So often is asked for a code that is typed as none can be."""
FILE_MAX = 1 << 16


def pair_parser() -> argparse.ArgumentParser:
    """The parser of ``rpio pair``."""
    p = verb.parser(
        "pair",
        "Make a device and another machine know each other, so that programs there have its lines by TLS. Without HOST "
        "this is the device: it shows a code, which is typed on the other machine, at `rpio pair HOST`. A code is good "
        "for one machine, two minutes and three attempts. Who listens or stands between the two learns nothing.",
        EXAMPLES,
        json=True,
        has_backend=False,
    )
    p.add_argument(
        "host", metavar="HOST", nargs="?", help="the device, by name or address; HOST:PORT if not 8510"
    )
    p.add_argument(
        "--name", help="what the other machine is called in the list of the device: its own name without it"
    )
    p.add_argument(
        "--code", help="HOST: the code, instead of being asked for it; programs may write it to stdin, too"
    )
    p.add_argument(
        "--authority",
        metavar="FILE",
        help="HOST: know it by this file, its tls/ca.pem, without pairing; for who has a token (RPIO_TOKEN_FILE)",
    )
    p.add_argument(
        "--scope",
        action="append",
        choices=SCOPES,
        help=f"on the device: what it allows; may be said several times ({', '.join(DEFAULT_SCOPES)} without it)",
    )
    p.add_argument(
        "--lines", metavar="PINS", help=f"on the device: drive these lines alone: {verb.PINS_HELP}"
    )
    verb.add_for(p, "on the device: how long that lasts (without it, until it is revoked)")
    kind = p.add_mutually_exclusive_group()
    kind.add_argument(
        "--list", action="store_true", help="list who is paired with this machine, and what it knows"
    )
    kind.add_argument(
        "--revoke", metavar="NAME", help="on the device: pair with that one no more, by name or id"
    )
    kind.add_argument("--forget", metavar="HOST", help="on the other machine: know that device no more")
    p.add_argument("--config", metavar="FILE", help="the configuration file that the daemon was started with")
    return p


OF_DEVICE = {"scope": "--scope", "lines": "--lines", "for_ns": "--for"}
OF_OTHER = {"code": "--code", "authority": "--authority"}


def pair(options: argparse.Namespace) -> None:
    """``rpio pair``"""
    _check_words(options)
    if options.config is not None:
        os.environ["RPIO_CONFIG"] = os.path.abspath(options.config)
    if options.list:
        _list(options, _settings())
    elif options.revoke is not None:
        _revoke(options.revoke, _settings())
    elif options.forget is not None:
        _forget(options.forget)
    elif options.host is not None and options.authority is not None:
        _know(options)
    elif options.host is not None:
        _pair(options)
    else:
        _offer(options, _settings())


def _settings() -> Settings:
    from ..server.settings import settings

    return settings.read({})


def _check_words(options: argparse.Namespace) -> None:
    """Raise UsageError for options that do not go together."""
    said = {name for name in (*OF_DEVICE, *OF_OTHER, "name") if getattr(options, name) is not None}
    is_other_thing = options.list or options.revoke is not None or options.forget is not None
    if is_other_thing and (said or options.host is not None):
        raise UsageError("--list, --revoke and --forget stand alone")
    if options.host is not None:
        wrong = [option for name, option in OF_DEVICE.items() if name in said]
        if wrong:
            raise UsageError(
                f"{', '.join(wrong)}: that is said on the device, which shows the code: rpio pair there"
            )
        if options.authority is not None and said & {"code", "name"}:
            raise UsageError("with --authority nothing is paired: no --code and no --name")
    elif said & set(OF_OTHER):
        wrong = [option for name, option in OF_OTHER.items() if name in said]
        raise UsageError(f"{', '.join(wrong)}: of which device? rpio pair HOST {wrong[0]} ...")
    if options.name is not None and (not readable(options.name) or readable(options.name) != options.name):
        raise UsageError(f"{options.name!r} is no name: that has up to 64 letters that can be printed")


# -- on the other machine -------------------------------------------------------------------------


def _pair(options: argparse.Namespace) -> None:
    from ..remote.devices import pairing
    from ..wire.pairing import read_code

    try:
        host = pairing.Host(options.host)
        given = None if options.code is None else read_code(options.code)
    except ValueError as e:
        raise UsageError(str(e)) from None
    if given is None:
        host.look()
        given = _typed()
    name = options.name or readable(socket.gethostname().partition(".")[0])
    known = pairing.pair(host, name, given)
    if options.json:
        verb.print_json(_of_host(known))
    else:
        print(f"{known.name}: paired: {_may(known.scopes, known.lines)}")
        verb.note(f"from now on: rpio info --on {host}, or RPIO.connect({str(host)!r}) in a program")


def _typed() -> str:
    """Ask for the code: the person at the terminal several times, where it cannot be one."""
    from ..wire.pairing import read_code

    is_person = sys.stdin is not None and sys.stdin.isatty()
    for left in range(TRIES if is_person else 1, 0, -1):
        if is_person:
            print("code: ", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline(FILE_MAX) if sys.stdin is not None else ""
        if not line:
            break
        try:
            return read_code(line)
        except ValueError as e:
            if left == 1:
                raise UsageError(str(e)) from None
            verb.note(str(e))
    raise UsageError(
        "the code is missing: `rpio pair` on the device shows it; --code CODE, or on standard input"
    )


def _know(options: argparse.Namespace) -> None:
    from ..remote.devices import pairing

    try:
        with open(options.authority, encoding="ascii", errors="replace") as file:
            text = file.read(FILE_MAX)
        known, problem = pairing.know(pairing.Host(options.host), text)
    except ValueError as e:
        if isinstance(e, errors.GPIOError):
            raise
        raise UsageError(f"{options.authority}: {e}" if "authority" in str(e) else str(e)) from None
    if options.json:
        verb.print_json(_of_host(known))
    else:
        print(f"{known.name}: known by its authority, SHA-256 {known.digest()}")
        if problem:
            verb.note(f"it was not compared with the device: {problem}")
        verb.note(
            "who connects shows a token: `rpio token new --to FILE` there, and RPIO_TOKEN_FILE=FILE here"
        )


def _forget(host: str) -> None:
    try:
        found = hosts.forget(host)
    except ValueError as e:
        raise UsageError(str(e)) from None
    if found is None:
        names = ", ".join(known.name for known in hosts.every()) or "none"
        raise errors.GPIOError(f"{host} is not known here; known are: {names}", hint="see: rpio pair --list")
    verb.note(f"forgotten; on the device it ends with: rpio pair --revoke {readable(socket.gethostname())}")


# -- on the device --------------------------------------------------------------------------------


def _offer(options: argparse.Namespace, settings: Settings) -> None:
    from .pair_offer import Offering

    lines = None if options.lines is None else pins.parse(options.lines, opening.expect(None))
    scopes = options.scope or list(DEFAULT_SCOPES)
    if lines is not None and GPIO not in scopes:
        raise UsageError("--lines are those of the scope gpio: --scope gpio --lines 17,18")
    for_s = None if options.for_ns is None else options.for_ns / 1e9
    Offering(settings.tls_folder, scopes, lines, options.name or "", for_s, options.json).run()


def _revoke(name: str, settings: Settings) -> None:
    from ..server.rights.tokens import clients_of

    missing = clients_of(settings.tls_folder).revoke([name])
    if missing:
        raise errors.GPIOError(
            f"nobody of the name {name} is paired with this machine; nothing was revoked",
            hint="see: rpio pair --list",
        )
    revoking.tell(settings)


def _list(options: argparse.Namespace, settings: Settings) -> None:
    from ..server.rights.tokens import clients_of

    clients, known, now_s = clients_of(settings.tls_folder).read(), hosts.every(), time.time()
    if options.json:
        rows = [{key: getattr(client, key) for key in revoking.KEYS} for client in clients]
        verb.print_json({"clients": rows, "hosts": [_of_host(each) for each in known]})
        return
    for client in clients:
        print(f"{client.id} {client.name}: {revoking.told(client, now_s)}")
    for each in known:
        print(f"{each.name}: {_told_of_host(each)}")
    if not clients and not known:
        verb.note("nobody is paired with this machine, and it knows no device")


def _told_of_host(known: Known) -> str:
    if known.problem:
        return f"of no use: {known.problem} ({known.hint})"
    if not known.has_certificate:
        return "a device that is known, for who shows a token"
    return f"a device that this machine is paired with: {_may(known.scopes, known.lines)}"


def _may(scopes: Sequence[str], lines: Sequence[int] | None) -> str:
    of_lines = "" if lines is None else f" (GPIO {','.join(map(str, lines))})"
    return ", ".join(f"{scope}{of_lines if scope == GPIO else ''}" for scope in scopes)


def _of_host(known: Known) -> dict[str, object]:
    """A device, for programs."""
    keys = ("name", "names", "addresses", "port", "scopes", "lines", "made_s", "folder", "problem")
    return {**{key: getattr(known, key) for key in keys}, "is_paired": known.has_certificate}
