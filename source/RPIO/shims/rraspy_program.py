# SPDX-License-Identifier: LGPL-3.0-or-later
"""The device of RRaspPY's that a program uses by the seed's own name ``host``."""

from __future__ import annotations

import ast
import os
import re

from RPIO import facade, log, stand_ins
from RPIO.backends import opening
from RPIO.backends.in_use import of_program
from RPIO.backends.rraspy import RraspyBackend
from RPIO.remote.rraspy import Device


def choose() -> Device:
    """The program's device: RPIO's lines and buses are its from then on. The first call makes it, of the backend."""
    if of_program:
        return of_program[0]
    machine = facade.board.machine
    if isinstance(machine.opened, RraspyBackend):
        of_program.append(machine.opened.device)
        return of_program[0]
    word, argument = opening.split(machine.spec)
    of_program.append(Device(argument if word == "rraspy" else ""))
    try:
        facade.use("rraspy:")
    except RuntimeError:
        log.warning("RPi.GPIO was in use before host was imported: its lines are not the device's")
    return of_program[0]


OLD_TUPLE = re.compile(r"^(HOST_TUPLE|DEVICE_TUPLE)\s*=\s*([\[(][^\n#]*[\])])", re.MULTILINE)


def tuples_of_old() -> dict[str, list[str | int]]:
    """The addresses that stand in a ``host.py`` of RRaspPY's, in Python 2, beside the program; where the backend's word
    has none.
    """
    path = stand_ins.beside("host")
    word, argument = opening.split(os.environ.get("RPIO_BACKEND"))
    if not path or not stand_ins.is_old(path) or (word == "rraspy" and argument.strip("/")):
        return {}
    log.say(f"RPIO: {path} is RRaspPY's, in Python 2: RPIO's own takes its place, with its addresses")
    with open(path, encoding="utf-8", errors="replace") as file:
        text = file.read(1 << 18)
    found: dict[str, list[str | int]] = {}
    for name, written in OLD_TUPLE.findall(text):
        try:
            address, port = ast.literal_eval(written)
            found[name] = [str(address), int(port)]
        except (ValueError, SyntaxError, TypeError):
            continue  # it is calculated there
    return found
