# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio serve``: the lines of this machine for programs on others."""

from __future__ import annotations

import argparse

from .. import facade, threads
from . import verb
from .told import UsageError

EXAMPLES = """\
  RPIO.connect("ssh://pi")          in Python on another machine: starts rpio serve --stdio on pi
  RPIO_BACKEND=ssh://pi rpio read 17  the same for rpio
  ssh pi rpio serve --stdio         by hand: type ping, and Ctrl+D
"""


def serve_parser() -> argparse.ArgumentParser:
    """The parser of ``rpio serve``."""
    p = verb.parser(
        "serve",
        "Serve the lines of this machine to a program on another one, which speaks RPIO's own protocol. ssh starts "
        "this at the far end of RPIO.connect('ssh://HOST').",
        EXAMPLES,
    )
    p.add_argument(
        "--stdio",
        action="store_true",
        help="speak on standard input and output: for the daemon that runs here, where there is one, else with a board "
        "of its own, whose lines go into their safe states when the connection has ended; with --backend always so",
    )
    return p


def serve(options: argparse.Namespace) -> int:
    """``rpio serve``"""
    if not options.stdio:
        raise UsageError("say --stdio: there is no daemon as yet")
    threads.load("RPIO.server.stdio")
    from ..server import stdio

    return stdio.serve(facade.board, options.backend is not None)
