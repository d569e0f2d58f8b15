# SPDX-License-Identifier: LGPL-3.0-or-later
"""What smbus2's own structures say on a bus, byte by byte, and what RPIO.i2c says there: the same.

smbus2 asks a kernel that is played here: its ioctl() is one that reads the structures as Linux does (i2c-dev.c) and
carries them out on a simulated bus, whose chip keeps a book of every start, byte and stop.
"""

import errno
import os
import sys

import pytest
import smbus2

from RPIO import sim
from RPIO.chips.buses import i2c_bus
from RPIO.chips.chip import I2cChip
from RPIO.i2c import SMBus, i2c_msg
from RPIO.wire import smbus
from RPIO.wire.smbus import Message, SmbusCall
from RPIO.wire.smbus_messages import pec

CHIP = 0x50
DATA_SIZES = {smbus.BYTE_DATA: 1, smbus.WORD_DATA: 2, smbus.PROCESS_CALL: 2}


class Book(I2cChip):
    """Keeps a book. What it answers is said before: bytes, or, with *has_pec*, these and their PEC at the end."""

    def __init__(self):
        self.book, self.answer, self.sent = [], [], b""

    def start(self, is_read):
        self.book.append("read" if is_read else "write")
        self.sent += bytes((CHIP << 1 | is_read,))
        return True

    def write(self, byte):
        self.book.append(byte)
        self.sent += bytes((byte,))
        return True

    def read(self):
        byte = self.answer.pop(0) if self.answer else pec(self.sent)
        self.sent += bytes((byte,))
        self.book.append(f"{byte:02x}")
        return byte

    def stop(self):
        self.book.append("stop")
        self.sent = b""


class Kernel:
    """What i2c-dev does with smbus2's structures. Source: Linux, drivers/i2c/i2c-dev.c and i2c-core-smbus.c."""

    def __init__(self, bus):
        self.bus, self.address, self.has_pec = bus, 0, False

    def ioctl(self, fd, request, argument):
        {
            smbus2.smbus2.I2C_FUNCS: self.functions,
            smbus2.smbus2.I2C_SLAVE: self.slave,
            smbus2.smbus2.I2C_SLAVE_FORCE: self.slave,
            smbus2.smbus2.I2C_PEC: self.pec,
            smbus2.smbus2.I2C_SMBUS: self.smbus,
            smbus2.smbus2.I2C_RDWR: self.rdwr,
        }[request](argument)
        return 0

    def functions(self, number):
        number.value = self.bus.functions()

    def slave(self, address):
        self.address = address

    def pec(self, is_on):
        self.has_pec = bool(is_on)

    def smbus(self, asked):
        union, size, is_read = asked.data.contents, asked.size, bool(asked.read_write)
        data, length = b"", 0
        if size in DATA_SIZES and not is_read:
            data = bytes(union.block[: DATA_SIZES[size]])
        elif size in (smbus.BLOCK_DATA, smbus.BLOCK_PROC_CALL, smbus.I2C_BLOCK_DATA) and not is_read:
            data = bytes(union.block[1 : union.block[0] + 1])
        elif size == smbus.I2C_BLOCK_DATA:
            length = union.block[0]
        call = SmbusCall(self.address, is_read, size, asked.command, data, length, self.has_pec)
        answer = self.bus.smbus(call)
        if size in (smbus.BLOCK_DATA, smbus.BLOCK_PROC_CALL, smbus.I2C_BLOCK_DATA) and answer:
            union.block[: len(answer) + 1] = [len(answer), *answer]
        elif answer:
            union.block[: len(answer)] = list(answer)

    def rdwr(self, asked):
        msgs = [asked.msgs[number] for number in range(asked.nmsgs)]
        messages = [
            Message(msg.addr, msg.flags, b"" if msg.flags & smbus.M_RD else bytes(msg), msg.len)
            for msg in msgs
        ]
        answers = iter(self.bus.transfer(messages))
        for msg in msgs:
            if msg.flags & smbus.M_RD:
                for at, byte in enumerate(next(answers)):
                    msg.buf[at] = byte


@pytest.fixture
def chip(rpio):
    made = Book()
    i2c_bus(sim.backend(), 1).add(CHIP, made)
    return made


@pytest.fixture
def theirs(chip, monkeypatch):
    """smbus2's SMBus, on that bus."""
    module = sys.modules[smbus2.SMBus.__module__]
    kernel = Kernel(i2c_bus(sim.backend(), 1))
    monkeypatch.setattr(module, "ioctl", kernel.ioctl)
    made = smbus2.SMBus()
    made.fd = os.open(os.devnull, os.O_RDWR)
    made.funcs = kernel.bus.functions()
    yield made
    made.close()


CALLS = [
    # name, arguments, what the chip answers
    ("write_quick", (), []),
    ("read_byte", (), [7]),
    ("write_byte", (0x12,), []),
    ("read_byte_data", (3,), [0xAB]),
    ("write_byte_data", (3, 0x55), []),
    ("read_word_data", (3,), [0x34, 0x12]),
    ("write_word_data", (3, 0x1234), []),
    ("process_call", (3, 0x1234), [0x78, 0x56]),
    ("read_block_data", (4,), [3, 1, 2, 3]),
    ("write_block_data", (4, [9, 8, 7]), []),
    ("write_block_data", (4, list(range(32))), []),
    ("block_process_call", (4, [9, 8]), [2, 5, 6]),
    ("read_i2c_block_data", (5, 4), [1, 2, 3, 4]),
    ("read_i2c_block_data", (5, 32), list(range(32))),
    ("write_i2c_block_data", (5, [1, 2, 3]), []),
    ("write_i2c_block_data", (5, list(range(32))), []),
    ("read_block_data", (4,), [0]),
    ("read_block_data", (4,), [33]),
]


def told(chip, bus, name, arguments, answer):
    """What a call returns or raises, and what was on the bus."""
    chip.book, chip.answer = [], list(answer)
    try:
        found = getattr(bus, name)(CHIP, *arguments)
    except OSError as e:
        found = e.errno
    return found, chip.book


@pytest.mark.parametrize("has_pec", [False, True], ids=["", "pec"])
@pytest.mark.parametrize(("name", "arguments", "answer"), CALLS)
def test_every_call_is_the_same_bytes(chip, theirs, name, arguments, answer, has_pec):
    with SMBus(1) as ours:
        ours.pec = theirs.pec = has_pec
        found = told(chip, ours, name, arguments, answer)
        assert found == told(chip, theirs, name, arguments, answer)
    assert found[1]


HAVE_PEC = [case for case in CALLS if case[2] and case[2][0] not in (0, 33) and "i2c_block" not in case[0]]


@pytest.mark.parametrize(("name", "arguments", "answer"), HAVE_PEC)
def test_a_wrong_pec_is_an_error_of_both(chip, theirs, name, arguments, answer):
    with SMBus(1) as ours:
        ours.pec = theirs.pec = True
        found = told(chip, ours, name, arguments, [*answer, 0x00])
        assert found == told(chip, theirs, name, arguments, [*answer, 0x00])
        assert found[0] == errno.EBADMSG


@pytest.mark.parametrize(
    "messages",
    [
        [("write", b"\1\2")],
        [("read", 3)],
        [("write", b"\1"), ("read", 4)],
        [("write", b""), ("read", 1), ("write", b"\5\6"), ("read", 2)],
        [("write", bytes(100)), ("read", 100)],
    ],
)
def test_messages_are_the_same_bytes(chip, theirs, messages):
    def carried(bus, kind):
        chip.book, chip.answer = [], list(range(200))
        made = [getattr(kind, name)(CHIP, what) for name, what in messages]
        bus.i2c_rdwr(*made)
        return [list(msg) for msg in made], [bytes(msg) for msg in made], chip.book

    with SMBus(1) as ours:
        found = carried(ours, i2c_msg)
    assert found == carried(theirs, smbus2.i2c_msg)


def test_a_message_is_what_smbus2s_is():
    for make in (
        lambda kind: kind.read(CHIP, 3),
        lambda kind: kind.write(CHIP, "AB\xff"),
        lambda kind: kind.write(1, []),
    ):
        one, other = make(smbus2.i2c_msg), make(i2c_msg)
        for look in (repr, str, bytes, list, len):
            assert look(other) == look(one)
        assert (other.addr, other.flags, other.len) == (one.addr, one.flags, one.len)
