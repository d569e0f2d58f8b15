# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio doctor``: what this machine can do, what stands in the way, and what to type about it.

A check is a row of ``GROUPS``, and a function in ``RPIO.doctor``.
"""

from __future__ import annotations

import argparse
import sys

from .. import errors, facade, log
from ..backends import opening
from ..doctor import access, board, connection, lines, overlays, power, python
from ..doctor.finding import NOTE, OK, PROBLEM, WARNING, Finding, count
from ..doctor.patient import Patient
from ..pulses import dma_engine
from . import help, verb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Check = Callable[[Patient], Iterator[Finding]]

GROUPS: dict[str, dict[str, Check]] = {
    "Board": {"model": board.model, "tree": board.tree},
    "Kernel and chips": {
        "kernel": board.kernel,
        "python width": board.width,
        "chips": board.chips,
        "backend": board.backend,
        "edges": board.edges,
        "pulses": board.pulses,
        "hardware pwm": board.pwm,
        "left running": board.left_running,
        "killed": board.killed,
    },
    "Permissions": {**access.checks(), "pwm": access.pwm},
    "Lines": {
        "config.txt": overlays.config,
        "crashing overlays": overlays.crashing,
        "drivers": overlays.taken,
        "held": lines.held,
        "exported": lines.exports,
        "programs": lines.users,
        "daemons": lines.daemons,
        "interrupts": lines.interrupts,
    },
    "Python": {
        "interpreter": python.interpreter,
        "C module": python.core,
        "RPi.GPIO": python.providers,
        "old RPIO": python.releases,
        "gpiozero": python.gpiozero,
        "two gpiozero": python.gpiozero_twice,
        "shadows": python.shadows,
        "environment": python.venv,
        "other python": python.other_python,
        "command": python.command,
    },
    "Power": {"supply": power.supply},
}
"""Heading -> name of a check -> the check, in the order of the print."""

FAR: dict[str, dict[str, Check]] = {
    "Connection": {"board": connection.board, "speed": connection.speed, "sessions": connection.sessions},
    "Lines": {"held": connection.held, "rules": connection.rules},
    "The rest": {"rest": connection.rest},
}
"""The same where the lines are another process's."""

MARKS = {
    OK: ("✓", "ok", "32"),
    NOTE: ("·", "--", "36"),
    WARNING: ("▲", "! ", "33"),
    PROBLEM: ("✗", "!!", "31;1"),
}
"""Status -> its mark, the mark in ASCII, its colour (SGR)."""

EXAMPLES = """\
  rpio doctor                     everything, with what to type about it
  rpio doctor --backend cdev      what the character device would do
  rpio doctor --json              for programs, and for reports of errors
  sudo rpio doctor                names the programs of other users too
"""


def doctor_parser() -> argparse.ArgumentParser:
    """The parser of ``rpio doctor``."""
    description = (
        "Say what machine this is, what drives its lines, and what is wrong. Changes nothing, and needs no root.\n"
        "The exit status is 1 where there is a problem; notes and warnings are no problem."
    )
    return verb.parser("doctor", description, EXAMPLES, True)


def doctor(options: argparse.Namespace) -> int:
    """``rpio doctor``: 1 where something needs doing."""
    groups = FAR if opening.is_afar(facade.board.machine.word) else GROUPS
    found = list(findings(patient(), groups))
    if options.json:
        verb.print_json([_as_dict(*row) for row in found])
    else:
        _print(found)
    return 1 if any(finding.status == PROBLEM for _, _, finding in found) else 0


def patient() -> Patient:
    """This machine, with what drives its lines opened, or the reason why nothing does."""
    found = Patient(dma_engine.ROOT)
    try:
        found.hardware = facade.board.hardware
        found.backend = facade.board.backend
        found.hardware = facade.board.hardware  # only now is a simulated board known to be one
    except (errors.GPIOError, OSError, ValueError) as e:  # ValueError: RPIO_BACKEND=sim:9Z
        found.error = e
    return found


def findings(
    patient: Patient, groups: dict[str, dict[str, Check]] | None = None
) -> Iterator[tuple[str, str, Finding]]:
    """Look at everything: heading, name of the check, finding. A check that fails is a finding, and ends no other."""
    for group, checks in (GROUPS if groups is None else groups).items():
        for name, check in checks.items():
            try:
                for finding in check(patient):
                    yield group, name, finding
            except (errors.GPIOError, OSError, ValueError) as e:
                log.debug("rpio doctor: the check %r: %r", name, e)
                yield group, name, Finding(NOTE, f"this could not be looked at: {e}")


# -- printing -----------------------------------------------------------------------------------------------


def _as_dict(group: str, name: str, finding: Finding) -> dict[str, str | None]:
    return {
        "group": group,
        "check": name,
        "status": finding.status,
        "text": finding.text,
        "advice": finding.advice or None,
        "command": finding.command or None,
    }


def _print(found: list[tuple[str, str, Finding]]) -> None:
    unicode, colour = verb.is_utf8(sys.stdout), verb.has_colours(sys.stdout)
    heading = ""
    typed: set[str] = set()
    for group, _, finding in found:
        if group != heading:
            print(("\n" if heading else "") + _coloured(group, "1", colour))
            heading = group
        is_known = finding.command != "" and finding.command in typed
        typed.add(finding.command)
        short = Finding(finding.status, finding.text, "the command above helps here too")
        _print_finding(short if is_known else finding, unicode, colour)
    print(f"\n{_summary([finding.status for _, _, finding in found], unicode, colour)}")


def _print_finding(finding: Finding, unicode: bool, colour: bool) -> None:
    mark, ascii_mark, sgr = MARKS[finding.status]
    shown = f"{mark} " if unicode else ascii_mark
    indent = " " * (3 + len(shown))
    first = f"  {_coloured(shown, sgr, colour)} "
    for row in _wrapped(finding.text, len(indent)):
        print(_plain(first + row, unicode))
        first = indent
    if finding.advice:
        tail = ":" if finding.command else ""
        for row in _wrapped(finding.advice + tail, len(indent) + 2):
            print(_plain(f"{indent}  {row}", unicode))
    if finding.command:  # in one line, to be copied
        print(_plain(f"{indent}  {_coloured(finding.command, '1', colour)}", unicode))


def _wrapped(text: str, indent: int) -> list[str]:
    import textwrap

    room = max(min(help.width(), 110) - indent, 30)
    return textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) or [""]


def _plain(text: str, unicode: bool) -> str:
    """What the encoding of stdout has: a program may be called anything."""
    return text if unicode else text.encode("ascii", "replace").decode()


def _coloured(text: str, sgr: str, colour: bool) -> str:
    return f"\033[{sgr}m{text}\033[0m" if colour else text


def _summary(statuses: list[str], unicode: bool, colour: bool) -> str:
    """ "1 problem, 2 warnings", with the marks, so that they explain themselves."""
    parts = []
    for status, one in ((PROBLEM, "problem"), (WARNING, "warning")):
        number = statuses.count(status)
        mark = MARKS[status][0 if unicode else 1].strip()
        if number:
            parts.append(_coloured(f"{mark} {count(number, one)}", MARKS[status][2], colour))
    return ", ".join(parts) or _coloured("nothing stands in the way", MARKS[OK][2], colour)
