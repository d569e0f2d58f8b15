# SPDX-License-Identifier: LGPL-3.0-or-later
"""What the parts of ``rpio i2c`` share: opening a bus, calls by their modes, and the sentences of what goes wrong."""

from __future__ import annotations

import sys
from errno import EBUSY, ENODEV, ENXIO, EOPNOTSUPP, EREMOTEIO

from .. import errors
from ..wire import smbus
from . import verb
from .told import UsageError, reason

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence
    from typing import TypeVar

    from ..i2c import SMBus

    Anything = TypeVar("Anything")

ABSENT = (EREMOTEIO, ENXIO, ENODEV)
"""What kernels say where nobody acknowledges: a Raspberry Pi the first, other adapters the others."""


def bus_of(text: str) -> int | str:
    """A bus as it is typed: 1, i2c-1, /dev/i2c-1."""
    name = text.removeprefix("/dev/").removeprefix("i2c-")
    if name.isdecimal() and len(name) < 6:
        return int(name)
    if "/" in text:
        return text
    raise UsageError(f"{text!r} is not a bus; for example 1, which is /dev/i2c-1: rpio i2c list shows them")


def opened(text: str, force: bool = False) -> SMBus:
    """Open it."""
    from ..i2c import SMBus

    return SMBus(bus_of(text), force)


def word(words: list[str], what: str, example: str) -> str:
    """Take the next word."""
    if not words:
        raise UsageError(f"{what} is missing; for example: rpio i2c {example}")
    return words.pop(0)


def end(words: list[str]) -> None:
    """There are no more words."""
    if words:
        raise UsageError(f"{' '.join(words)!r}: what is that?")


def failed(error: OSError, where: str) -> OSError | errors.GPIOError:
    """The sentence of an error of a bus; what has a sentence already stays as it is."""
    if isinstance(error, errors.GPIOError):
        return error
    if error.errno in ABSENT:
        text, hint = f"nothing answers at {where} ({reason(error)})", "see who does: rpio i2c detect"
    elif error.errno == EOPNOTSUPP:
        text, hint = f"this bus cannot do that ({reason(error)})", ""
    elif error.errno == EBUSY:
        text, hint = f"{where}: a driver of the kernel has it", "--force reads and writes all the same"
    else:
        text, hint = f"{where}: {reason(error)}", ""
    return errors.GPIOError(text, hint=hint)


def check_may(options: argparse.Namespace, where: str) -> None:
    """Raise GPIOError unless --force, or who sits at the terminal, has it write where a driver is."""
    if options.force:
        return
    if sys.stdin is None or not sys.stdin.isatty() or sys.stderr is None or not sys.stderr.isatty():
        raise errors.GPIOError(
            f"{where}: a driver of the kernel has it, which a write may confuse; nothing was written",
            hint="--force writes all the same",
        )
    print(
        f"{where}: a driver of the kernel has it, which a write may confuse. Write? [y/N] ",
        end="",
        file=sys.stderr,
    )
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise errors.GPIOError("nothing was written")


def write(options: argparse.Namespace, where: str, call: Callable[[bool], object]) -> bool:
    """Do what writes: call(whether by force). Return how it was called at last."""
    try:
        call(options.force)
    except OSError as e:
        if e.errno != EBUSY or isinstance(e, errors.GPIOError) or options.force:
            raise failed(e, where) from None
    else:
        return bool(options.force)
    check_may(options, where)
    try:
        call(True)
    except OSError as e:
        raise failed(e, where) from None
    return True


def alone(bus: SMBus, call: Callable[[bool], Anything], is_sequence: bool) -> Callable[[bool], Anything]:
    """The same call; a sequence of calls has the bus for itself."""
    if not is_sequence:
        return call

    def held(force: bool) -> Anything:
        """Hold it meanwhile."""
        with bus.held():
            return call(force)

    return held


def at(bus: str, address: int) -> str:
    """An address, for people."""
    return f"0x{address:02x} of bus {bus}"


def have_pec(bus: SMBus, has_pec: bool) -> None:
    """Have a check byte with each call, where the bus can."""
    if not has_pec:
        return
    if int(bus.funcs) & smbus.FUNC_SMBUS_PEC:
        bus.enable_pec()
    else:
        verb.note("this bus has no PEC: without one")


READS = {
    "b": (smbus.FUNC_SMBUS_READ_BYTE_DATA, "read a byte of a register"),
    "w": (smbus.FUNC_SMBUS_READ_WORD_DATA, "read a word of a register"),
    "c": (smbus.FUNC_SMBUS_READ_BYTE, "read a byte alone"),
    "s": (smbus.FUNC_SMBUS_READ_BLOCK_DATA, "read SMBus blocks"),
    "i": (smbus.FUNC_SMBUS_READ_I2C_BLOCK, "read I2C blocks"),
}
"""Mode -> what a bus must be able to do, in bits and in words."""
WRITES = {
    "b": (smbus.FUNC_SMBUS_WRITE_BYTE_DATA, "write a byte to a register"),
    "w": (smbus.FUNC_SMBUS_WRITE_WORD_DATA, "write a word to a register"),
    "c": (smbus.FUNC_SMBUS_WRITE_BYTE, "write a byte alone"),
    "s": (smbus.FUNC_SMBUS_WRITE_BLOCK_DATA, "write SMBus blocks"),
    "i": (smbus.FUNC_SMBUS_WRITE_I2C_BLOCK, "write I2C blocks"),
}


def check_can(bus: SMBus, mode: str, modes: dict[str, tuple[int, str]] = READS) -> None:
    """Raise GPIOError where the bus cannot do it: some adapters do something else then."""
    bit, what = modes[mode]
    if not int(bus.funcs) & bit:
        raise errors.GPIOError(f"this bus cannot {what}")


def reader(
    bus: SMBus, address: int, register: int | None, mode: str, length: int
) -> Callable[[bool], int | list[int]]:
    """How a register is read: a function of whether by force. None as the register: the next byte alone."""
    at = register or 0

    def read(force: bool) -> int | list[int]:
        """Read it."""
        if mode == "b":
            return bus.read_byte_data(address, at, force)
        if mode == "w":
            return bus.read_word_data(address, at, force)
        if mode == "s":
            return bus.read_block_data(address, at, force)
        if mode == "i":
            return bus.read_i2c_block_data(address, at, length, force)
        if register is not None:
            bus.write_byte(address, register, force)
        return bus.read_byte(address, force)

    return read


def writer(bus: SMBus, address: int, register: int, mode: str, data: Sequence[int]) -> Callable[[bool], None]:
    """How a register is written: a function of whether by force."""

    def write(force: bool) -> None:
        """Write it."""
        if mode == "b":
            bus.write_byte_data(address, register, data[0], force)
        elif mode == "w":
            bus.write_word_data(address, register, data[0], force)
        elif mode == "s":
            bus.write_block_data(address, register, data, force)
        elif mode == "i":
            bus.write_i2c_block_data(address, register, data, force)
        else:
            bus.write_byte(address, register, force)

    return write
