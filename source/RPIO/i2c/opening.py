# SPDX-License-Identifier: LGPL-3.0-or-later
"""From a number or a word to a bus.

A number is a bus of the machine whose lines the program has in use: this one's, a simulated board's, or another
machine's; once RRaspPY's ``host`` is imported, its device's. A path (/dev/i2c-1) is this machine's in any case, and
smbus://HOST:50051/1 a bus of a gRPC server.
"""

from __future__ import annotations

from .. import errors, threads
from ..backends import in_use, opening

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..backends import Backend
    from ..backends.buses import I2cBus
    from ..backends.rraspy import RraspyBackend
    from ..remote.rraspy import Device

NUMBER_MAX = 0xFFFFF
"""Of a bus. Source: Linux, MINORMASK."""
OF_KERNEL = ("regs", "cdev", "sysfs")
"""The backends beside whose lines are the buses of this machine's kernel."""


def bus_of(where: int | str) -> I2cBus:
    """Return a bus.

    Raises:
        NoBusError: there is none. (A FileNotFoundError.)
        NoBackendError, OSError: it cannot be reached, or opened.
        ValueError, TypeError: it is neither a number nor a place of a bus.
    """
    path = local_path(where)
    if path is not None:
        return _of_kernel(path)
    if isinstance(where, str) and where.startswith("smbus://"):
        threads.load("RPIO.i2c.grpc")
        from .grpc import bus_at

        return bus_at(where)
    number, device = number_of(where), device_in_use()
    return of_backend(in_use.machine().backend, number) if device is None else _of_device(device, number)


def number_of(where: object) -> int:
    """Return the number of a bus: 1, or "1". Raises ValueError, TypeError."""
    if isinstance(where, str) and where.isascii() and where.isdigit():
        where = int(where[:8])
    if isinstance(where, bool) or not isinstance(where, (int, str)):
        raise TypeError(f"a bus is a number, or a path such as '/dev/i2c-1', not {type(where).__name__}")
    if isinstance(where, str) or not 0 <= where <= NUMBER_MAX:
        raise ValueError(
            f"{where!r} is no I2C bus: those are numbers, paths (/dev/i2c-1), and smbus://HOST:50051/1"
        )
    return where


def local_path(where: int | str) -> str | None:
    """Return the path of one that is this machine's kernel's, None of any other."""
    if isinstance(where, str) and where.startswith("/"):
        return where
    if isinstance(where, str) and "://" in where:
        return None
    number = number_of(where)
    if in_use.of_program:
        return None
    machine = in_use.machine()
    if machine.opened is not None:
        word = machine.opened.name
    else:
        word = opening.word_of(machine.spec)
        if word == "auto":
            word = opening.choose(opening.look(machine.spec))
    return f"/dev/i2c-{number}" if word in OF_KERNEL else None


def device_in_use() -> Device | None:
    """Return the device of RRaspPY's whose buses the program has in use; None where they are others'. Its lines are not
    touched: buses are to be had where RPi.GPIO is not.
    """
    if in_use.of_program:
        return in_use.of_program[0]
    machine = in_use.machine()
    if machine.opened is not None:
        return machine.opened.device if machine.opened.name == "rraspy" else None  # type: ignore[attr-defined]
    word, argument = opening.split(machine.spec)
    if word != "rraspy":
        return None
    threads.load("RPIO.remote.rraspy")
    from ..remote.rraspy import Device

    return Device(argument)


def of_backend(backend: Backend, number: int) -> I2cBus:
    """Return the bus of that number beside a backend's lines."""
    make = BESIDE.get(backend.name)
    return _of_kernel(f"/dev/i2c-{number}") if make is None else make(backend, number)


def _of_kernel(path: str) -> I2cBus:
    threads.load("RPIO.i2c.linux")
    from .linux import LinuxBus

    return LinuxBus(path)


def _simulated(backend: Backend, number: int) -> I2cBus:
    threads.load("RPIO.chips.buses")
    from ..chips.buses import i2c_bus

    return i2c_bus(backend, number)  # type: ignore[arg-type]


def _remote(backend: Backend, number: int) -> I2cBus:
    threads.load("RPIO.i2c.remote")
    from .remote import bus_beside

    return bus_beside(backend, number)  # type: ignore[arg-type]


def _of_rraspy(backend: RraspyBackend, number: int) -> I2cBus:
    return _of_device(backend.device, number)


def _of_device(device: Device, number: int) -> I2cBus:
    threads.load("RPIO.i2c.rraspy")
    from .rraspy import RraspyBus

    return RraspyBus(device, number)


BESIDE: dict[str, Callable[[Any, int], I2cBus]] = {
    "sim": _simulated,
    "remote": _remote,
    "rraspy": _of_rraspy,
}
"""The name of a backend -> whose buses are beside its lines; those of this machine's kernel where it is not here."""


def numbers_beside(backend: Backend) -> list[int]:
    """The numbers of the buses that there are beside a backend's lines.

    Raises:
        NotSupportedError: nobody tells.
    """
    if backend.name == "rraspy":
        raise errors.NotSupportedError(
            "a device of RRaspPY's does not tell which I2C buses it has",
            hint="1 is that of the header: rpio i2c detect 1",
        )
    if backend.name == "remote":
        rows = backend.ask("i2c_buses")[0]  # type: ignore[attr-defined]
        return [row[0] for row in rows]
    if backend.name == "sim":
        threads.load("RPIO.chips.buses")
        from ..chips.buses import i2c_numbers

        return i2c_numbers(backend)  # type: ignore[arg-type]
    threads.load("RPIO.i2c.linux")
    from .linux import numbers

    return numbers()
