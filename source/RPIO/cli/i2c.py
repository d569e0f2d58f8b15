# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio i2c``: what i2c-tools do, on a bus of this machine, of a simulated board, or of another machine."""

from __future__ import annotations

import argparse
from errno import EBUSY

from .. import errors, facade
from ..machine import files
from ..wire import smbus
from . import i2c_calls, i2c_registers, i2c_tables, i2c_words, verb
from .told import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..i2c import SMBus, i2c_msg

EXAMPLES = """\
  rpio i2c list                                 the buses
  rpio i2c detect 1                             who answers on bus 1; UU: a driver of the kernel has it
  rpio i2c detect 1 --on pi                     on the machine pi
  rpio i2c get 1 0x48 0x00 w                    a word of register 0
  rpio i2c set 1 0x20 0x00 0xff -r              a byte, read back
  rpio i2c dump 1 0x50                          256 registers
  rpio i2c transfer 1 w2@0x50 0x00 0x01 r16     two messages, with a repeated start between them
  rpio i2c watch 1 0x20 0x12                    each value of a register that is another

Words, numbers (0x48, 72, 0110) and what is printed are those of i2cdetect, i2cget, i2cset, i2cdump and i2ctransfer;
none of these asks before it begins, so that -y says nothing. Modes: b a byte, w a word, c a byte by two calls, i and s
a block, with a p behind it for a PEC.

Exit status of get: 2 where the device does not answer, as that of i2cget; of set -r: 1 where it reads back another
value.
"""

WHAT = ("detect", "list", "get", "set", "dump", "transfer", "watch")


def i2c_parser() -> argparse.ArgumentParser:
    """The parser of ``rpio i2c``."""
    p = verb.parser(
        "i2c",
        "See who is on an I2C bus, read and write registers. A device that a driver of the kernel has is left alone "
        "unless you say so: reading its registers can lose what it was to tell the driver.",
        EXAMPLES,
        json=True,
        kind=verb.MixedParser,
    )
    p.add_argument("what", choices=WHAT, help="what to do")
    p.add_argument(
        "words",
        metavar="WORD",
        nargs="*",
        help="detect: [BUS [FIRST LAST]]; get: BUS ADDRESS [REGISTER [MODE [LENGTH]]]; set: BUS ADDRESS REGISTER "
        "[VALUE...] [MODE]; dump: BUS ADDRESS [MODE]; transfer: BUS r|wLENGTH[@ADDRESS] [BYTE...]...; watch: BUS "
        "ADDRESS REGISTER [MODE]",
    )
    p.add_argument("-f", "--force", action="store_true", help="also at an address that a driver has")
    p.add_argument("-a", "--all", action="store_true", help="addresses 0x00 to 0x7f, special ones too")
    p.add_argument("-q", "--quick", action="store_true", help="detect: by quick writes everywhere")
    p.add_argument(
        "-r", "--read", action="store_true", help="detect: by reading a byte everywhere; set: read it back"
    )
    p.add_argument("-m", "--mask", metavar="MASK", help="set: write these bits alone")
    p.add_argument("--range", metavar="FIRST-LAST", help="dump: these registers alone")
    verb.add_for(p, "watch: end after this time")
    p.add_argument("-n", "--count", type=verb.positive, metavar="N", help="watch: end after so many values")
    p.add_argument(
        "--every", type=verb.duration_ns, metavar="TIME", help="watch: between two looks; 100ms without it"
    )
    p.add_argument("-y", "--yes", action="store_true", help="as i2c-tools have it; says nothing here")
    return p


def i2c(options: argparse.Namespace) -> int | None:
    """``rpio i2c``"""
    return DO[options.what](options, list(options.words))


# -- list and detect ----------------------------------------------------------------------------------------


def _list(options: argparse.Namespace, words: list[str]) -> None:
    from ..i2c import opening

    i2c_calls.end(words)
    found, backend = [], facade.board.backend
    for number in opening.numbers_beside(backend):
        with i2c_calls.opened(str(number)) as bus:
            name = _kernels_name(number) if bus.fd is not None else opening.of_backend(backend, number).name
            found.append((number, _kind(bus), name))
    if options.json:
        verb.print_json([{"bus": number, "kind": kind, "name": name} for number, kind, name in found])
        return
    for number, kind, name in found:
        print(f"i2c-{number}\t{kind:<10}\t{name:<32}\t{KINDS[kind]}")
    if not found:
        verb.note("there are no I2C buses: dtparam=i2c_arm=on in config.txt switches one on, after a boot")


KINDS = {"i2c": "I2C adapter", "smbus": "SMBus adapter", "dummy": "Dummy bus"}


def _kind(bus: SMBus) -> str:
    """What i2cdetect calls it."""
    functions = int(bus.funcs)
    if functions & smbus.FUNC_I2C:
        return "i2c"
    return "smbus" if functions & OF_SMBUS else "dummy"


OF_SMBUS = smbus.FUNC_SMBUS_READ_BYTE | smbus.FUNC_SMBUS_READ_BYTE_DATA | smbus.FUNC_SMBUS_READ_WORD_DATA


def _kernels_name(number: int) -> str:
    try:
        return files.text_of(f"/sys/class/i2c-dev/i2c-{number}/name")
    except OSError:
        return f"/dev/i2c-{number}"


def _detect(options: argparse.Namespace, words: list[str]) -> None:
    from ..i2c import probing

    bus = words.pop(0) if words else "1"
    first, last = (0x00, 0x7F) if options.all else (i2c_words.FIRST, i2c_words.LAST)
    if words:
        first = i2c_words.address(words.pop(0), options.all)
        example = f"detect {bus} 0x{first:02x} 0x77"
        last = i2c_words.address(i2c_calls.word(words, "the last address", example), options.all)
    i2c_calls.end(words)
    if options.quick and options.read:
        raise UsageError("-q or -r: one of them")
    how = probing.QUICK if options.quick else probing.BYTE if options.read else None
    found: dict[int, str] = {}
    with i2c_calls.opened(bus) as asked:
        _check_can(int(asked.funcs), how, probing.QUICK)
        for at, is_there, is_held in probing.probed(asked, range(first, last + 1), how):
            found[at] = "UU" if is_held else f"{at:02x}" if is_there else "--"
    if options.json:
        there = [at for at, cell in found.items() if cell not in ("--", "UU")]
        held = [at for at, cell in found.items() if cell == "UU"]
        verb.print_json({"bus": i2c_calls.bus_of(bus), "found": there, "held": held})
        return
    for row in i2c_tables.grid(found):
        print(row)


def _check_can(functions: int, how: str | None, quick: str) -> None:
    """Raise GPIOError where a bus cannot be asked in that way, or at all."""
    can_quick, can_read = functions & smbus.FUNC_SMBUS_QUICK, functions & smbus.FUNC_SMBUS_READ_BYTE
    if how is None and not can_quick and not can_read:
        raise errors.GPIOError("this bus can neither make quick writes nor read a byte alone")
    if how is not None and not (can_quick if how == quick else can_read):
        lacks, has = ("make quick writes", "-r") if how == quick else ("read a byte alone", "-q")
        raise errors.GPIOError(f"this bus cannot {lacks}", hint=f"{has} asks otherwise")


def _transfer(options: argparse.Namespace, words: list[str]) -> None:
    from ..i2c import i2c_msg

    bus = i2c_calls.word(words, "the bus", "transfer 1 w1@0x50 0x00 r16")
    wanted = i2c_words.messages(words, options.all)
    made = []
    for one in wanted:
        if one.data is not None:
            made.append(i2c_msg.write(one.address, one.data))
        elif one.length >= 0:
            made.append(i2c_msg.read(one.address, one.length))
        else:  # the first byte says how many follow
            made.append(i2c_msg.read(one.address, smbus.BLOCK_MAX + 1))
            made[-1].flags |= smbus.M_RECV_LEN
            made[-1].buf[0] = b"\1"  # of those that come, the first is certain
    addresses = list(dict.fromkeys(one.address for one in wanted))
    with i2c_calls.opened(bus, options.force) as asked:
        _check_may(options, asked, bus, addresses)
        try:
            asked.i2c_rdwr(*made)
        except OSError as e:
            raise i2c_calls.failed(
                e, ", ".join(i2c_calls.at(bus, address) for address in addresses)
            ) from None
    read = [_received(msg) for msg in made if msg.flags & smbus.M_RD]
    if options.json:
        verb.print_json(read)
        return
    for data in read:
        print(i2c_tables.values(data))


def _check_may(options: argparse.Namespace, asked: SMBus, bus: str, addresses: Sequence[int]) -> None:
    """Raise GPIOError where a driver has one of them, unless who typed it says all the same."""
    held = () if options.force else [address for address in addresses if _is_held(asked, address)]
    for address in held:
        i2c_calls.check_may(options, i2c_calls.at(bus, address))


def _received(msg: i2c_msg) -> list[int]:
    data = list(msg)
    return data[: data[0] + 1] if msg.flags & smbus.M_RECV_LEN else data


I2C_SLAVE = 0x0703
"""Source: Linux, include/uapi/linux/i2c-dev.h."""


def _is_held(bus: SMBus, address: int) -> bool:
    """Whether a driver of this machine's kernel has it, which the kernel looks for in SMBus calls alone."""
    if bus.fd is None:
        return False
    from fcntl import ioctl

    try:
        ioctl(bus.fd, I2C_SLAVE, address)
    except OSError as e:
        return e.errno == EBUSY
    return False


DO = {
    "detect": _detect,
    "list": _list,
    "get": i2c_registers.get,
    "set": i2c_registers.set_,
    "dump": i2c_registers.dump,
    "transfer": _transfer,
    "watch": i2c_registers.watch,
}
