# SPDX-License-Identifier: LGPL-3.0-or-later
"""What can be asked of I2C and SPI buses from afar: rows of the table of operations."""

from __future__ import annotations

from . import smbus
from .kinds import Number, Octets, Real, Repeated, Word
from .rows import Argument, Operation
from .terms import (
    COUNT,
    I2C,
    NAME,
    READ,
    YES_OR_NO,
)

BUS = Number("bus", 0, 0xFFFFF)
ADDRESS = Number("address", 0, 0x3FF)
REGISTER = Number("command", 0, 0xFF)
FLAGS = Number("flags", 0, 0xFFFF)
SMBUS_CALLS = Word(
    "call",
    {
        "quick": smbus.QUICK,
        "byte": smbus.BYTE,
        "byte-data": smbus.BYTE_DATA,
        "word-data": smbus.WORD_DATA,
        "process-call": smbus.PROCESS_CALL,
        "block-data": smbus.BLOCK_DATA,
        "block-process-call": smbus.BLOCK_PROC_CALL,
        "i2c-block-data": smbus.I2C_BLOCK_DATA,
    },
)
READ_OR_WRITE = Word("direction", {"write": False, "read": True})
SPI_MAX = 1 << 16
"""Bytes of one SPI transfer."""
HOLD_MAX_S, HOLD_WAIT_MAX_S = 60.0, 60.0

BUS_ROWS = (
    Operation(
        "i2c_buses",
        (),
        (Repeated("bus, functions, name, holder", (BUS, COUNT, NAME, NAME), 1 << 10, least=0),),
        READ,
        True,
        "The I2C buses, what each can do (the kernel's bits), what it is, and who holds it; empty for nobody.",
    ),
    Operation(
        "i2c_functions",
        (Argument("bus", BUS),),
        (COUNT,),
        I2C,
        True,
        "What the bus can do: the kernel's bits (I2C_FUNCS).",
    ),
    Operation(
        "smbus",
        (
            Argument("bus", BUS),
            Argument("address", Number("address", 0, smbus.ADDRESS_MAX)),
            Argument("direction", READ_OR_WRITE),
            Argument("call", SMBUS_CALLS),
            Argument("command", REGISTER, 0),
            Argument("data", Octets("bytes", smbus.BLOCK_MAX), b""),
            Argument("length", Number("length", 0, smbus.BLOCK_MAX), 0),
            Argument("pec", YES_OR_NO, False),
            Argument("force", YES_OR_NO, False),
        ),
        (Octets("bytes", smbus.BLOCK_MAX),),
        I2C,
        False,
        "An SMBus call. DATA is what is written, of a word the lower byte first; LENGTH how many bytes an i2c-block is "
        "to have that is read; a process call is a write. PEC: with a check byte; FORCE: also to an address that a "
        "driver has. Answers the bytes that were read, or, 50 ms after somebody else holds the bus, who that is.",
    ),
    Operation(
        "i2c",
        (
            Argument("bus", BUS),
            Argument(
                "messages",
                Repeated(
                    "messages: address, flags, length and data",
                    (
                        ADDRESS,
                        FLAGS,
                        Number("length", 0, smbus.MESSAGE_MAX),
                        Octets("bytes", smbus.MESSAGE_MAX),
                    ),
                    smbus.MESSAGES_MAX,
                ),
            ),
        ),
        (Repeated("bytes", (Octets("bytes", smbus.MESSAGE_MAX),), smbus.MESSAGES_MAX, least=0),),
        I2C,
        False,
        "Messages of plain I2C, with repeated starts between them: those with the flag 1 read LENGTH bytes, the others "
        "write DATA; 32768 bytes may be read. Answers what each of those that read has read.",
    ),
    Operation(
        "i2c_hold",
        (
            Argument("bus", BUS),
            Argument("most_s", Real("time in seconds", 0.001, HOLD_MAX_S), 10.0),
            Argument("wait_s", Real("time in seconds", 0, HOLD_WAIT_MAX_S), 0.0),
        ),
        (),
        I2C,
        True,
        "Have the bus alone, for so long at most; wait so long for who has it. It is let go of with the session.",
    ),
    Operation(
        "i2c_release",
        (Argument("bus", BUS),),
        (YES_OR_NO,),
        I2C,
        True,
        "Let others have the bus. Answers whether it was held until now.",
    ),
    Operation(
        "spi",
        (
            Argument("bus", BUS),
            Argument("device", Number("device", 0, 255)),
            Argument("mode", Number("mode", 0, (1 << 32) - 1)),
            Argument("speed_hz", Number("speed in Hz", 1, 1 << 31)),
            Argument("bits_per_word", Number("bits", 1, 32)),
            Argument("delay_us", Number("time in microseconds", 0, 0xFFFF)),
            Argument("keeps_selected", YES_OR_NO),
            Argument("data", Octets("bytes", SPI_MAX)),
        ),
        (Octets("bytes", SPI_MAX),),
        I2C,
        False,
        "Select the device of an SPI bus, write DATA, and answer what came meanwhile, as long.",
    ),
)
