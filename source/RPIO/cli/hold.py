# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio hold`` and ``rpio release``: levels that outlive programs."""

from __future__ import annotations

import argparse

from ..backends import opening
from . import levels, remote, units, verb
from .told import UsageError

UNIT = """\
# Made by: rpio hold --unit
[Unit]
Description=RPIO holds {pairs}
After=systemd-udev-settle.service

[Service]
ExecStart={command}
Restart=always
RestartSec=1

[Install]
WantedBy={target}
"""


def hold_parser() -> argparse.ArgumentParser:
    """The parser of ``rpio hold``."""
    p = verb.parser(
        "hold",
        "Hold lines as outputs of a level, after this command and every program has ended: the daemon does (rpio "
        "serve), and does so again when it begins anew, after a boot too where the system starts it. A line that has "
        "its level already has no edge. Without lines, show what is held.",
        "  rpio hold 17=1 27=0\n  rpio hold --on pi 17=1\n  sudo rpio hold 17=1 --unit   without a daemon",
    )
    p.add_argument("pairs", metavar="PIN=LEVEL", nargs="*", help=f"PIN: {verb.PINS_HELP}; LEVEL: 0 or 1")
    p.add_argument(
        "--unit",
        action="store_true",
        help="write a systemd unit that holds them from boot on, instead of asking the daemon",
    )
    return p


def hold(options: argparse.Namespace) -> None:
    """``rpio hold``"""
    if options.unit:
        if opening.is_afar(opening.word_of(options.backend)):
            raise UsageError("--unit is written here, for lines of this machine: say it there, without --on")
        _write_unit(options.pairs, options.backend)
        return
    there = remote.server(options.backend)
    if options.pairs:
        pairs = levels.pairs(options.pairs)
        there.ask("hold", pairs)
        without = (
            "the kernel takes the lines back, and may switch them to inputs"
            if there.holds_alone
            else "they keep their levels until something else sets them"
        )
        verb.note(
            f"held by the daemon at {there.place}, after a new start too; while it does not run {without}"
        )
    (held,) = there.ask("holds")
    print(" ".join(f"{line}={level}" for line, level in held) or "nothing is held")


def _write_unit(words: list[str], backend: str | None) -> None:
    if not words:
        raise UsageError("--unit needs lines: rpio hold 17=1 --unit")
    pairs = " ".join(f"{line}={level}" for line, level in levels.pairs(words))
    given = [] if backend is None else ["--backend", backend]
    command = [*units.program(), "write", "--output", "--hold", *given, *pairs.split()]
    text = UNIT.format(pairs=pairs, command=units.written(command), target=units.target())
    print(units.write("rpio-hold", text))
    systemctl = units.command()
    verb.note(
        f"it holds {pairs} from boot on after: {systemctl} daemon-reload; {systemctl} enable --now rpio-hold"
    )


def release_parser() -> argparse.ArgumentParser:
    """The parser of ``rpio release``."""
    p = verb.parser(
        "release",
        "Hold lines no longer, which rpio hold has said: they go into the safe states that are declared for them; "
        "others keep their levels.",
        "  rpio release 17\n  rpio release --all --on pi",
    )
    p.add_argument("pins", metavar="PINS", nargs="*", help=verb.PINS_HELP)
    p.add_argument("--all", action="store_true", help="whatever is held")
    return p


def release(options: argparse.Namespace) -> None:
    """``rpio release``"""
    if bool(options.pins) == options.all:
        raise UsageError("name the lines, or say --all: rpio release 17")
    there = remote.server(options.backend)
    if options.all:
        (held,) = there.ask("holds")
        lines = [line for line, _ in held]
    else:
        lines = verb.lines(options.pins)
    if lines:
        there.ask("unhold", lines)
    (held,) = there.ask("holds")
    verb.note(f"held still: {' '.join(f'{line}={level}' for line, level in held) or 'nothing'}")
