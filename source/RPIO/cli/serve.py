# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio serve``: the daemon."""

from __future__ import annotations

import argparse
import os
import re

from .. import config_files, errors, facade, threads
from ..wire.fronts import FRONTS
from . import remote, verb
from .told import UsageError

EXAMPLES = """\
  rpio serve                       for this user, or, as root, for all who are in the group gpio
  rpio serve --address any         for other machines too, by TLS, once they are paired: rpio pair
  rpio serve --no-tcp              at the unix socket alone: who may use it is who is in its group
  rpio serve --show-config         what is set, and where that was said
  rpio serve --status              what the daemon that runs has to say
  rpio serve --rraspy --rraspy-host 127.0.0.1
                                   a device of RRaspPY's protocol as well, for a host of that address
  rpio serve --smbus               gRPC as well, at 127.0.0.1:50051: smbus-proxy's clients, and rpio.v1
  rpio serve --remoteio            queues of timed tasks as well, at 127.0.0.1:8509: remoteio's clients
  rpio serve --further             programs as well, at https://127.0.0.1:8028: Further-Link's clients, WebSocket
  sudo rpio serve --remoteio --install
                                   the same as a service, from boot on; --uninstall takes it away
  rpio read 17 --on localhost      from another terminal
  rpio read 17 --on pi             from another machine, by ssh, which starts rpio serve --stdio on pi
"""

ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.%\w]+\]|[\w.-]+)(?::(\d{1,5}))?", re.ASCII)
IDLE_MAX_S = 86400

WORDS = {
    "port": ("serve", "port"),
    "address": ("serve", "address"),
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
    p.add_argument("--port", type=int, metavar="PORT", help="the port, 8510; 0 for any that is free")
    p.add_argument(
        "--address",
        metavar="ADDRESS",
        help="where the port listens: 127.0.0.1, for this machine alone; `any` is every address, where other machines "
        "come by TLS, with a certificate (rpio pair) or a token (rpio token)",
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
    p.add_argument(
        "--rraspy",
        metavar="ADDRESS[:PORT]",
        nargs="?",
        const="",
        help="serve a device of RRaspPY's protocol too, for --rraspy-host, in a process of its own: at 127.0.0.1:8080",
    )
    p.add_argument(
        "--rraspy-host",
        metavar="ADDRESS[:PORT]",
        help="the one machine that is served, and called back at port 7070",
    )
    p.add_argument(
        "--smbus",
        metavar="ADDRESS[:PORT]",
        nargs="?",
        const="",
        help="serve I2C and lines by gRPC too, to clients of smbus-proxy and of rpio.v1: at 127.0.0.1:50051",
    )
    p.add_argument(
        "--remoteio",
        metavar="ADDRESS[:PORT]",
        nargs="?",
        const="",
        help="serve queues of timed tasks too, and gpiozero's devices, to clients of remoteio: at 127.0.0.1:8509",
    )
    p.add_argument(
        "--remoteio-mode",
        choices=("wait", "nowait"),
        help="wait, the default: tasks of a pin one after the other; nowait: a new one ends the one before it",
    )
    p.add_argument(
        "--further",
        metavar="ADDRESS[:PORT]",
        nargs="?",
        const="",
        help="run programs for who has a token, too, by HTTP and WebSocket, Further-Link's clients among them: at "
        "https://127.0.0.1:8028",
    )
    p.add_argument(
        "--open-run",
        action="store_true",
        help="run any Python that comes by --rraspy, which knows no tokens, and any program that comes by --further "
        "without one: on this machine's own address alone",
    )
    p.add_argument(
        "--insecure",
        action="store_true",
        help="serve at another address than this machine's own without TLS or access, which --rraspy and --remoteio "
        "have not at all; the port, --smbus and --further have both there without this word",
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
    p.add_argument(
        "--modules",
        action="store_true",
        help="with --stdio: have the modules of this machine, instead of its lines, for a program elsewhere (module())",
    )
    p.add_argument(
        "--programs",
        action="store_true",
        help="with --stdio: run programs as this user, instead of lines, as `rpio run --there` has it at the far end",
    )
    p.add_argument(
        "--tunnel",
        metavar="FRONT",
        choices=tuple(FRONTS),
        help="with --stdio: be a connection to what the daemon serves here, as `rpio tunnel` has it at the far end",
    )
    kind.add_argument(
        "--starter",
        metavar="PATH",
        help="start programs as this user for the daemon of another one, which asks at this unix socket (that of the "
        "unit rpio-programs@USER); --group says who may",
    )
    kind.add_argument("--status", action="store_true", help="ask the daemon that runs here, and end")
    kind.add_argument(
        "--install",
        action="store_true",
        help="make a service of systemd's of this command line, now and from boot on: as root the machine's, else "
        "your own; again, it is updated",
    )
    kind.add_argument("--uninstall", action="store_true", help="end that service, and take it away")
    return p


def serve(options: argparse.Namespace) -> int:
    """``rpio serve``"""
    if options.config is not None:
        if not os.path.exists(options.config):
            raise UsageError(f"there is no file {options.config!r}")
        os.environ[config_files.VARIABLE] = os.path.abspath(options.config)
    from ..server.settings import settings as settings_module

    for word in ("modules", "programs", "tunnel"):
        if getattr(options, word) and not options.stdio:
            raise UsageError(f"--{word} goes with --stdio")
    if options.stdio:
        threads.load("RPIO.server.stdio")
        from ..server import stdio

        is_chosen = options.backend is not None
        idle_s = None if options.idle_timeout is None else min(options.idle_timeout, IDLE_MAX_S)
        if options.tunnel:
            return stdio.serve_tunnel(options.tunnel)
        if options.programs:
            return stdio.serve_programs(settings_module.read({}).policy(is_own=True), idle_s)
        if options.modules:
            return stdio.serve_modules(settings_module.read({}).policy(is_own=True), is_chosen, idle_s)
        return stdio.serve(facade.board, is_chosen, idle_s)
    if options.starter is not None:
        threads.load("RPIO.programs.starter")
        from ..programs.starter import Starter

        verb.note(f"rpio serve: starting programs for who asks at {options.starter}")
        Starter(os.path.abspath(options.starter), settings_module.group_of(options.group or "")).serve()
    if options.status:
        return remote.status(options.backend, options.socket)
    from ..server import rraspy
    from ..server.settings import beyond

    words = {key: getattr(options, word) for word, key in WORDS.items() if getattr(options, word) is not None}
    for key in (WORDS["socket"], WORDS["audit"]):
        if words.get(key):
            words[key] = os.path.abspath(words[key])
    if options.no_tcp:
        words["serve", "tcp"] = False
    try:
        words.update(_fronts(options))
        settings = settings_module.read(words)
        rraspy.check(settings)
        beyond.check(settings)
        if options.open_run and not (settings.values["rraspy", "on"] or settings.values["further", "on"]):
            raise ValueError("--open-run is about --rraspy and --further, of which none is served")
        if options.remoteio_mode and not settings.values["remoteio", "on"]:
            raise ValueError("--remoteio-mode is about --remoteio, which is not served")
        if options.insecure and not beyond.are_open(settings):
            text = "--insecure is about --address, --rraspy, --smbus, --remoteio and --further, of which none is served"
            raise ValueError(text)
    except (ValueError, errors.NotAllowedError) as e:
        raise UsageError(str(e), 1 if hasattr(e, "hint") else 2, getattr(e, "hint", "")) from None
    if options.show_config:
        print(settings.shown(), end="")
        return 0
    if options.install or options.uninstall:
        from . import installing

        return installing.carry_out(serve_parser(), options, settings)
    from ..server import daemon

    return daemon.run(facade.board, settings, lambda text: verb.note(f"rpio serve: {text}"))


def _fronts(options: argparse.Namespace) -> dict[tuple[str, str], object]:
    """The settings that the options of --rraspy, --smbus, --remoteio and --further are. Raises ValueError."""
    words: dict[tuple[str, str], object] = {}
    for option, table, address, port in (
        (options.rraspy, "rraspy", "address", "port"),
        (options.rraspy_host, "rraspy", "host", "host_port"),
        (options.smbus, "smbus", "address", "port"),
        (options.remoteio, "remoteio", "address", "port"),
        (options.further, "further", "address", "port"),
    ):
        if option:
            found = ADDRESS.fullmatch(option)
            if found is None:
                raise ValueError(f"{option!r} is no ADDRESS or ADDRESS:PORT")
            words[table, address] = found[1].strip("[]")
            if found[2]:
                words[table, port] = int(found[2])
    switches = {
        ("rraspy", "on"): options.rraspy is not None,
        ("rraspy", "open_run"): options.open_run and (options.rraspy is not None or options.further is None),
        ("serve", "insecure"): options.insecure,
        ("rraspy", "insecure"): options.insecure,
        ("smbus", "on"): options.smbus is not None,
        ("smbus", "insecure"): options.insecure,
        ("remoteio", "on"): options.remoteio is not None,
        ("remoteio", "insecure"): options.insecure,
        ("further", "on"): options.further is not None,
        ("further", "open_run"): options.open_run and (options.further is not None or options.rraspy is None),
        ("further", "insecure"): options.insecure,
    }
    if options.remoteio_mode:
        words["remoteio", "mode"] = options.remoteio_mode
    words.update({key: True for key, is_on in switches.items() if is_on})
    return words
