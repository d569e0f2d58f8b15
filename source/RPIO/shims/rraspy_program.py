# SPDX-License-Identifier: LGPL-3.0-or-later
"""The device of RRaspPY's that a program uses by the seed's own names: ``host``, and what stands in for libraries."""

from __future__ import annotations

import ast
import os
import re
from weakref import finalize

from RPIO import errors, facade, log, stand_ins
from RPIO.backends import opening
from RPIO.backends.rraspy import RraspyBackend
from RPIO.remote.rraspy import Device, of_program

SYSTEM_ERROR = re.compile(r"\[Errno (\d{1,4})\] ([^\n]*?)(?: \(.*)?$")
"""An OSError at the end of a device's text."""


def choose() -> Device:
    """The program's device, whose lines RPIO's are from then on. The first call makes it, of the backend's word."""
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


class Kept:
    """An object that a device keeps for this one: made by a command, forgotten there when this ends."""

    def __init__(self, module: str, name: str, package: str | None, command: str) -> None:
        self._device = device = choose()
        try:
            device.import_module(module, name, package)
        except errors.CommandError as e:
            raise ImportError(str(e), name=name) from None
        with _SystemErrors():
            handle = device.execute(command)
        if type(handle) is not int:
            raise errors.ProtocolError(f"{command} is no object, but {handle!r}")
        self._handle = handle
        self._end = finalize(self, _forget, device, handle)

    def ask(self, command: str) -> object:
        """Have it carry out a command. Raises OSError with the device's number, CommandError, ConnectionLost."""
        with _SystemErrors():
            return self._device.execute(command, self._handle)

    def end(self, command: str) -> None:
        """Have it carry out a last command, and be forgotten. Twice is fine."""
        if self._end.alive:
            try:
                self.ask(command)
            finally:
                self._end()


def _forget(device: Device, handle: int) -> None:
    try:
        device.remove_handle(handle)
    except (errors.CommandError, errors.LineGoneError):
        pass  # it has gone, with all that it kept


class _SystemErrors:
    """A context that makes an OSError of what a device says of one: programs catch those of a bus."""

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Raise it."""
        if isinstance(error, errors.CommandError):
            found = SYSTEM_ERROR.search(str(error))
            if found is not None:
                raise OSError(int(found[1]), found[2]) from None
