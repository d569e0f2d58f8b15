# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio serve``: the daemon."""

from __future__ import annotations

import argparse
import os

from .. import config_files, facade, threads
from . import remote, verb
from .told import UsageError

EXAMPLES = """\
  rpio serve                       for this user, or, as root, for all who are in the group gpio
  rpio serve --no-tcp              at the unix socket alone: who may use it is who is in its group
  rpio serve --show-config         what is set, and where that was said
  rpio serve --status              what the daemon that runs has to say
  rpio read 17 --on localhost      from another terminal
  rpio read 17 --on pi             from another machine, by ssh, which starts rpio serve --stdio on pi
"""

IDLE_MAX_S = 86400

WORDS = {
    "port": ("serve", "port"),
    "socket": ("serve", "socket"),
    "group": ("serve", "group"),
    "audit": ("audit", "file"),
}
"""Option -> the setting that it is."""


def serve_parser() -> argparse.ArgumentParser:
    """The parser of ``rpio serve``."""
    p = verb.parser(
        "serve",
        "Have the lines of this machine, for programs and verbs of RPIO here (--on localhost, RPIO_BACKEND=remote://) "
        "and, by ssh, on other machines (--on HOST). Each has lines of his own; who goes leaves them in their safe "
        "states. It ends with Ctrl+C or SIGTERM.",
        EXAMPLES,
    )
    p.add_argument(
        "--port", type=int, metavar="PORT", help="the port on 127.0.0.1, 8510; 0 for any that is free"
    )
    p.add_argument("--no-tcp", action="store_true", help="serve no port: the unix socket alone")
    p.add_argument(
        "--socket", metavar="PATH", help="the unix socket: this user's own, or /run/rpio/rpio.sock for root"
    )
    p.add_argument("--group", metavar="NAME", help="who may use the socket besides its owner")
    p.add_argument(
        "--audit", metavar="FILE", help="write who has set what to this file as well: see rpio audit"
    )
    p.add_argument(
        "--config", metavar="FILE", help="a configuration file that has the last word, as RPIO_CONFIG"
    )
    kind = p.add_mutually_exclusive_group()
    kind.add_argument("--show-config", action="store_true", help="print what is set, and end")
    kind.add_argument(
        "--stdio",
        action="store_true",
        help="speak on standard input and output, as ssh has it do at the far end of --on HOST: for the daemon that "
        "runs here, where there is one, else with a board of its own; with --backend always so",
    )
    p.add_argument(
        "--idle-timeout",
        metavar="SECONDS",
        type=verb.positive,
        help="with --stdio: a client who has said nothing for so long, not even an empty line, has gone",
    )
    kind.add_argument("--status", action="store_true", help="ask the daemon that runs here, and end")
    return p


def serve(options: argparse.Namespace) -> int:
    """``rpio serve``"""
    if options.config is not None:
        if not os.path.exists(options.config):
            raise UsageError(f"there is no file {options.config!r}")
        os.environ[config_files.VARIABLE] = os.path.abspath(options.config)
    if options.stdio:
        threads.load("RPIO.server.stdio")
        from ..server import stdio

        idle_s = None if options.idle_timeout is None else min(options.idle_timeout, IDLE_MAX_S)
        return stdio.serve(facade.board, options.backend is not None, idle_s)
    if options.status:
        return remote.status(options.backend)
    from ..server import settings as settings_module

    words = {key: getattr(options, word) for word, key in WORDS.items() if getattr(options, word) is not None}
    for key in (WORDS["socket"], WORDS["audit"]):
        if words.get(key):
            words[key] = os.path.abspath(words[key])
    if options.no_tcp:
        words["serve", "tcp"] = False
    try:
        settings = settings_module.read(words)
    except ValueError as e:
        raise UsageError(str(e), 1 if hasattr(e, "hint") else 2, getattr(e, "hint", "")) from None
    if options.show_config:
        print(settings.shown(), end="")
        return 0
    from ..server import daemon

    return daemon.run(facade.board, settings, lambda text: verb.note(f"rpio serve: {text}"))
