# SPDX-License-Identifier: LGPL-3.0-or-later
"""What can be asked of an I2C bus, as the kernel has it: SMBus calls, and messages of plain I2C.

Source: Linux, include/uapi/linux/i2c.h and i2c-dev.h; the SMBus specification 3.2 for the calls.
"""

from __future__ import annotations

# -- SMBus calls: their sizes, as the kernel calls the kinds
QUICK, BYTE, BYTE_DATA, WORD_DATA, PROCESS_CALL, BLOCK_DATA = range(6)
BLOCK_PROC_CALL, I2C_BLOCK_DATA = 7, 8
BLOCK_MAX = 32
"""Bytes of a block."""

# -- flags of a message
M_RD = 0x0001
M_TEN = 0x0010
M_RECV_LEN = 0x0400
M_NO_RD_ACK = 0x0800
M_IGNORE_NAK = 0x1000
M_REV_DIR_ADDR = 0x2000
M_NOSTART = 0x4000
M_STOP = 0x8000

ADDRESS_MAX = 0x7F
MESSAGES_MAX = 42
"""Of one transfer. Source: I2C_RDWR_IOCTL_MAX_MSGS."""
MESSAGE_MAX = 8192
"""Bytes of one message. Source: Linux, drivers/i2c/i2c-dev.c."""

# -- what a bus can do
FUNC_I2C = 0x00000001
FUNC_10BIT_ADDR = 0x00000002
FUNC_PROTOCOL_MANGLING = 0x00000004
FUNC_SMBUS_PEC = 0x00000008
FUNC_NOSTART = 0x00000010
FUNC_SMBUS_BLOCK_PROC_CALL = 0x00008000
FUNC_SMBUS_QUICK = 0x00010000
FUNC_SMBUS_READ_BYTE = 0x00020000
FUNC_SMBUS_WRITE_BYTE = 0x00040000
FUNC_SMBUS_READ_BYTE_DATA = 0x00080000
FUNC_SMBUS_WRITE_BYTE_DATA = 0x00100000
FUNC_SMBUS_READ_WORD_DATA = 0x00200000
FUNC_SMBUS_WRITE_WORD_DATA = 0x00400000
FUNC_SMBUS_PROC_CALL = 0x00800000
FUNC_SMBUS_READ_BLOCK_DATA = 0x01000000
FUNC_SMBUS_WRITE_BLOCK_DATA = 0x02000000
FUNC_SMBUS_READ_I2C_BLOCK = 0x04000000
FUNC_SMBUS_WRITE_I2C_BLOCK = 0x08000000
FUNC_SMBUS_EMUL = 0x0EFF0008
"""What is made of plain I2C, where a bus has that."""
FUNC_SMBUS_EMUL_ALL = FUNC_SMBUS_EMUL | FUNC_SMBUS_READ_BLOCK_DATA | FUNC_SMBUS_BLOCK_PROC_CALL
"""The same where it can read a length first (M_RECV_LEN)."""


class SmbusCall:
    """One SMBus call. *data* is what is written, without counts and PEC: a word is two bytes, the lower one first.

    *length* is how many bytes an I2C block read wants, 1 to 32. *has_pec*: with a check byte behind it; *is_forced*:
    also to an address that a driver of the kernel has. (Not checked here.)
    """

    __slots__ = ("address", "command", "data", "has_pec", "is_forced", "is_read", "length", "size")

    def __init__(
        self,
        address: int,
        is_read: bool,
        size: int,
        command: int = 0,
        data: bytes = b"",
        length: int = 0,
        has_pec: bool = False,
        is_forced: bool = False,
    ) -> None:
        self.address, self.is_read, self.size = address, is_read, size
        self.command, self.data, self.length = command, data, length
        self.has_pec, self.is_forced = has_pec, is_forced


SIZES = {
    # size: bytes of data of a write and of a read, and whether a read may be asked for
    QUICK: (0, 0, True),
    BYTE: (0, 0, True),
    BYTE_DATA: (1, 1, True),
    WORD_DATA: (2, 2, True),
    PROCESS_CALL: (2, 2, False),
    BLOCK_DATA: (0, BLOCK_MAX, True),
    BLOCK_PROC_CALL: (0, BLOCK_MAX, False),
    I2C_BLOCK_DATA: (0, BLOCK_MAX, True),
}
"""What a call writes, from how many bytes to how many, and whether it may be a read (which writes none)."""


def check_call(call: SmbusCall) -> None:
    """Raise ValueError for one that is none: too much or too little data, or a process call that is a read."""
    least, most, may_read = SIZES[call.size]
    if call.is_read:
        if not may_read:
            raise ValueError("a process call is a write, whose answer is read")
        if call.data:
            raise ValueError("a call that reads has no data")
        if call.size == I2C_BLOCK_DATA and not 0 <= call.length <= BLOCK_MAX:
            raise ValueError(f"an I2C block has 0 to {BLOCK_MAX} bytes, not {call.length}")
    elif not least <= len(call.data) <= most:
        raise ValueError(f"{len(call.data)} bytes of data, and {least} to {most} are what this call writes")


class Message:
    """One message of a transfer: *data* is written, or (flag M_RD) *length* bytes are read; with M_RECV_LEN as well as
    many as the first of them says.
    """

    __slots__ = ("address", "data", "flags", "length")

    def __init__(self, address: int, flags: int, data: bytes = b"", length: int = 0) -> None:
        self.address, self.flags, self.data, self.length = address, flags, data, length
