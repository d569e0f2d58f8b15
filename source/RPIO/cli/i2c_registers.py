# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio i2c get``, ``set``, ``dump`` and ``watch``: the registers of a device."""

from __future__ import annotations

import sys
import time
from errno import EBUSY, EOPNOTSUPP

from .. import errors, threads
from ..wire import smbus
from . import i2c_calls, i2c_tables, i2c_words, verb
from .told import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from ..i2c import SMBus

POLL_S = 0.1


def get(options: argparse.Namespace, words: list[str]) -> None:
    """``rpio i2c get``"""
    bus = i2c_calls.word(words, "the bus", "get 1 0x48 0x00")
    address = i2c_words.address(i2c_calls.word(words, "the address", f"get {bus} 0x48 0x00"), options.all)
    register = i2c_words.register(words.pop(0)) if words else None
    default = "c" if register is None else "b"
    mode, has_pec = i2c_words.mode_of(words.pop(0) if words else default, "bwcsi")
    if words and mode != "i":
        raise UsageError("a length is that of mode i")
    length = i2c_words.length(words.pop(0)) if words else smbus.BLOCK_MAX
    i2c_calls.end(words)
    with i2c_calls.opened(bus, options.force) as opened:
        i2c_calls.check_can(opened, mode)
        i2c_calls.have_pec(opened, has_pec)
        read = i2c_calls.reader(opened, address, register, mode, length)
        try:
            found = i2c_calls.alone(opened, read, mode == "c")(options.force)
        except OSError as e:
            failed = i2c_calls.failed(e, i2c_calls.at(bus, address))
            if e.errno == EBUSY or isinstance(e, errors.GPIOError):
                raise failed from None
            raise UsageError(
                str(failed), hint=getattr(failed, "hint", "") or "see: rpio i2c --help"
            ) from None
    if options.json:
        verb.print_json(
            {"bus": i2c_calls.bus_of(bus), "address": address, "register": register, "value": found}
        )
    else:
        print(i2c_tables.value(found, mode == "w"))


def set_(options: argparse.Namespace, words: list[str]) -> None:
    """``rpio i2c set``"""
    bus = i2c_calls.word(words, "the bus", "set 1 0x20 0x00 0xff")
    address = i2c_words.address(
        i2c_calls.word(words, "the address", f"set {bus} 0x20 0x00 0xff"), options.all
    )
    register = i2c_words.register(
        i2c_calls.word(words, "the register", f"set {bus} 0x{address:02x} 0x00 0xff")
    )
    typed = words.pop() if words and i2c_words.is_mode(words[-1], "bwcsi") else "b" if words else "c"
    mode, has_pec = i2c_words.mode_of(typed, "bwcsi")
    most = 0xFFFF if mode == "w" else 0xFF
    data = [i2c_words.number(word, "the value", 0, most) for word in words]
    is_block = mode in "si"
    if (mode == "c") != (not data) or (len(data) > 1 and not is_block) or len(data) > smbus.BLOCK_MAX:
        raise UsageError(f"mode {mode} has {_counts(mode)}, not {len(data)}")
    mask = None if options.mask is None else i2c_words.number(options.mask, "the mask", 0, most)
    if mask is not None and (is_block or mode == "c"):
        raise UsageError("-m is for the modes b and w")
    where = i2c_calls.at(bus, address)
    with i2c_calls.opened(bus, options.force) as opened:
        i2c_calls.check_can(opened, mode, i2c_calls.WRITES)
        i2c_calls.have_pec(opened, has_pec)
        read = i2c_calls.reader(opened, address, None if mode == "c" else register, mode, len(data))

        def write(force: bool) -> None:
            """Write it; some bits alone need those that are there."""
            values = data
            if mask is not None:
                values = [data[0] & mask | _number(read(force)) & ~mask & most]
            i2c_calls.writer(opened, address, register, mode, values)(force)
            written[:] = values or [register]

        written: list[int] = []
        force = i2c_calls.write(options, where, i2c_calls.alone(opened, write, mask is not None))
        if options.read:
            _read_back(options, where, written if is_block else written[0], mode == "w", lambda: read(force))


def _number(found: int | list[int]) -> int:
    assert isinstance(found, int)
    return found


def _counts(mode: str) -> str:
    return {"c": "no value", "b": "one value", "w": "one value"}.get(mode, f"1 to {smbus.BLOCK_MAX} values")


def _read_back(
    options: argparse.Namespace,
    where: str,
    written: int | list[int],
    is_word: bool,
    read: Callable[[], int | list[int]],
) -> None:
    try:
        found = read()
    except OSError as e:
        raise i2c_calls.failed(e, f"written, but not read back: {where}") from None
    if options.json:
        verb.print_json({"written": written, "read": found})
    shown = i2c_tables.value(written, is_word)
    if found != written:
        raise errors.GPIOError(f"{where}: wrote {shown}, read back {i2c_tables.value(found, is_word)}")
    if not options.json:
        print(f"Value {shown} written, readback matched")


def dump(options: argparse.Namespace, words: list[str]) -> None:
    """``rpio i2c dump``"""
    bus = i2c_calls.word(words, "the bus", "dump 1 0x50")
    address = i2c_words.address(i2c_calls.word(words, "the address", f"dump {bus} 0x50"), options.all)
    mode, has_pec = i2c_words.mode_of(words.pop(0) if words else "b", "bwi")
    first, last = (0, 0xFF) if options.range is None else i2c_words.span(options.range)
    i2c_calls.end(words)
    found: dict[int, int | None] = {}
    with i2c_calls.opened(bus, options.force) as opened:
        i2c_calls.check_can(opened, mode)
        i2c_calls.have_pec(opened, has_pec)
        if mode == "i":
            for at in range(first, last + 1, smbus.BLOCK_MAX):
                block = _block(opened, options, bus, address, at)
                found.update(zip(range(at, last + 1), block, strict=False))
        else:
            for at in range(first, last + 1):
                found[at] = _read(opened, options, bus, address, at, mode)
    if options.json:
        verb.print_json(
            {"bus": i2c_calls.bus_of(bus), "address": address, "first": first, "values": [*found.values()]}
        )
        return
    table = i2c_tables.dump_words if mode == "w" else i2c_tables.dump
    for row in table(found, first, last):
        print(row)


def _block(bus: SMBus, options: argparse.Namespace, name: str, address: int, register: int) -> list[int]:
    try:
        return bus.read_i2c_block_data(address, register, smbus.BLOCK_MAX, options.force)
    except OSError as e:
        raise i2c_calls.failed(e, i2c_calls.at(name, address)) from None


def _read(
    bus: SMBus, options: argparse.Namespace, name: str, address: int, register: int, mode: str
) -> int | None:
    """A register of a dump; None where it cannot be read."""
    try:
        return _number(i2c_calls.reader(bus, address, register, mode, 0)(options.force))
    except OSError as e:
        if isinstance(e, errors.GPIOError) or e.errno in (EBUSY, EOPNOTSUPP):
            raise i2c_calls.failed(e, i2c_calls.at(name, address)) from None
        return None


def watch(options: argparse.Namespace, words: list[str]) -> None:
    """``rpio i2c watch``"""
    bus = i2c_calls.word(words, "the bus", "watch 1 0x20 0x12")
    address = i2c_words.address(i2c_calls.word(words, "the address", f"watch {bus} 0x20 0x12"), options.all)
    register = i2c_words.register(i2c_calls.word(words, "the register", f"watch {bus} 0x{address:02x} 0x12"))
    mode, has_pec = i2c_words.mode_of(words.pop(0) if words else "b", "bwcsi")
    length = i2c_words.length(words.pop(0)) if words and mode == "i" else smbus.BLOCK_MAX
    i2c_calls.end(words)
    every_s = POLL_S if options.every is None else options.every / 1e9
    with i2c_calls.opened(bus, options.force) as opened:
        i2c_calls.check_can(opened, mode)
        i2c_calls.have_pec(opened, has_pec)
        read = i2c_calls.alone(opened, i2c_calls.reader(opened, address, register, mode, length), mode == "c")
        try:
            _print_changes(options, read, mode == "w", every_s)
        except OSError as e:
            if isinstance(e, BrokenPipeError):  # of the terminal, which told.carry_out() knows
                raise
            raise i2c_calls.failed(e, i2c_calls.at(bus, address)) from None
        except KeyboardInterrupt:
            pass


def _print_changes(
    options: argparse.Namespace, read: Callable[[bool], int | list[int]], is_word: bool, every_s: float
) -> None:
    """Print the value, and each one that is another than the last."""
    last: int | list[int] | None = None
    begun_ns, left = time.monotonic_ns(), options.count
    while left is None or left > 0:
        found, now_ns = read(options.force), time.monotonic_ns() - begun_ns
        if found != last:
            last, left = found, None if left is None else left - 1
            if options.json:
                verb.print_json({"time_ns": now_ns, "value": found})
            else:
                print(f"{now_ns // 10**9:6}.{now_ns % 10**9 // 1000:06}  {i2c_tables.value(found, is_word)}")
            sys.stdout.flush()
        if options.for_ns is not None and now_ns >= options.for_ns:
            return
        if left is None or left > 0:
            _pause(every_s)


def _pause(pause_s: float) -> None:
    for nap_s in threads.naps(pause_s):
        time.sleep(threads.NAP_S if nap_s is None else nap_s)
