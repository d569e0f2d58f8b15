# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio tunnel``: what a device serves by another protocol, at a port of this machine."""

from __future__ import annotations

import argparse

from ..programs.rraspy_words import HOST_PORT
from ..remote.tunnels.tunnels import HERE, Tunnel
from ..wire.fronts import FRONTS
from . import elsewhere, verb

EXAMPLES = """\
  rpio tunnel pi.local remoteio             remoteio's clients say 127.0.0.1:8509 here
  rpio tunnel pi.local 50051 --port 6000    smbus-proxy's say 127.0.0.1:6000
  rpio tunnel ssh://pi@pi.local rraspy      the same by ssh
"""
WHOSE = {
    "rraspy": "a host of RRaspPY's",
    "remoteio": "clients of remoteio",
    "smbus": "clients of smbus-proxy, and of rpio.v1",
    "further": "clients of Further-Link, by HTTP and WebSocket",
}
"""Front end -> who speaks with it."""
BY_PORT = {str(front.port): name for name, front in FRONTS.items()}


def tunnel_parser() -> argparse.ArgumentParser:
    """The parser of ``rpio tunnel``."""
    p = verb.parser(
        "tunnel",
        "Open a port here that leads to what a device serves by another protocol (rpio serve --remoteio, --rraspy, "
        "--smbus, --further there): programs that speak it are encrypted on their way, and need not know. The device "
        "gives such a port to who may read and drive all lines, and use its buses where the front end does. It ends "
        "with Ctrl+C.",
        EXAMPLES,
        kind=verb.MixedParser,
        has_backend=False,
    )
    p.add_argument(
        "host", metavar="HOST", help="the device: one that was paired (rpio pair), or ssh://USER@HOST"
    )
    names = ", ".join(f"{name} ({front.port})" for name, front in FRONTS.items())
    p.add_argument("front", metavar="NAME|PORT", choices=[*FRONTS, *BY_PORT], help=f"what there: {names}")
    p.add_argument(
        "--port", type=_port, metavar="PORT", help="the port here; without it the same, where that is free"
    )
    p.add_argument(
        "--host-port",
        type=_port,
        metavar="PORT",
        default=HOST_PORT,
        help=f"rraspy: where the host here hears of events ({HOST_PORT}); by ssh none come",
    )
    return p


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 6 and 0 < int(text) < 65536):
        raise argparse.ArgumentTypeError(f"{text!r} is no port: a number from 1 to 65535")
    return int(text)


def tunnel(options: argparse.Namespace) -> None:
    """``rpio tunnel``"""
    from ..backends.remote import who

    name, place = BY_PORT.get(options.front, options.front), elsewhere.place_of(options.host)
    made = Tunnel(place, name, who(), lambda text: verb.note(f"rpio tunnel: {text}"))
    made.open(options.port)
    if name == "rraspy":
        made.call_back(options.host_port)  # before the host is told where to come
    how = "by ssh" if place.ssh is not None else "encrypted"
    if place.ssh is None and not made.is_sealed:
        how = "unencrypted" if place.is_insecure else "on this machine"
    usual = FRONTS[name].port
    verb.note(f"rpio tunnel: {HERE}:{made.port} leads to {name} of {place}, {how}; Ctrl+C ends it")
    if made.port != usual and options.port is None:
        verb.note(f"rpio tunnel: {usual}, the usual port, is taken here")
    verb.note(f"rpio tunnel: it is for {WHOSE[name]}")
    try:
        made.serve()
    except KeyboardInterrupt:
        pass
    finally:
        made.close()
