# SPDX-License-Identifier: LGPL-3.0-or-later
"""SMBus calls made of messages of plain I2C: which messages a call is, and what their answer means.

::

    call           messages (S start, R repeated start; each ends with its last byte)
    quick          S address+rw
    byte           S address+w command            S address+r byte
    byte, word     S address+w command data...    S address+w command R address+r data...
    process call   S address+w command low high R address+r low high
    block          S address+w command count data...    S address+w command R address+r count data...
    block process  S address+w command count data... R address+r count data...
    i2c block      S address+w command data...    S address+w command R address+r data...

A PEC is one more byte at the end: of what is written, or, where the call reads, of what is read. Neither quick nor
I2C blocks have one.

Source: SMBus specification 3.2, 6.4 (PEC) and 6.5 (the calls); that Linux does the same, i2c-core-smbus.c.
"""

from __future__ import annotations

from errno import EBADMSG, EINVAL, EOPNOTSUPP, EPROTO

from .smbus import (
    BLOCK_DATA,
    BLOCK_MAX,
    BLOCK_PROC_CALL,
    BYTE,
    BYTE_DATA,
    I2C_BLOCK_DATA,
    M_RD,
    M_RECV_LEN,
    PROCESS_CALL,
    QUICK,
    WORD_DATA,
    Message,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .smbus import SmbusCall

POLYNOMIAL = 0x07
"""x^8 + x^2 + x + 1. Source: SMBus specification 3.2, 6.4.1.1."""
WITHOUT_PEC = (QUICK, I2C_BLOCK_DATA)
DATA_BYTES = {BYTE_DATA: 1, WORD_DATA: 2, PROCESS_CALL: 2}
BLOCKS = (BLOCK_DATA, BLOCK_PROC_CALL, I2C_BLOCK_DATA)


def _remainder(byte: int) -> int:
    for _ in range(8):
        byte = byte << 1 ^ (POLYNOMIAL if byte & 0x80 else 0)
        byte &= 0xFF
    return byte


_REMAINDERS = bytes(_remainder(byte) for byte in range(256))


def pec(data: bytes, before: int = 0) -> int:
    """Return the check byte of *data*, where that of what came *before* it was so."""
    for byte in data:
        before = _REMAINDERS[before ^ byte]
    return before


def messages_of(call: SmbusCall) -> list[Message]:
    """Return the messages of a call.

    Raises:
        OSError: EINVAL for data that is too long or too short for the call, EOPNOTSUPP for a call that is none.
    """
    size, address = call.size, call.address
    if size in (BYTE_DATA, WORD_DATA):
        if call.is_read:
            messages = [
                Message(address, 0, bytes((call.command,))),
                Message(address, M_RD, length=1 if size == BYTE_DATA else 2),
            ]
        else:
            messages = [Message(address, 0, bytes((call.command, *_data(call))))]
    elif size == QUICK:
        messages = [Message(address, M_RD if call.is_read else 0)]
    elif size == BYTE:
        messages = [
            Message(address, M_RD, length=1) if call.is_read else Message(address, 0, bytes((call.command,)))
        ]
    else:
        messages = _longer(call)
    if call.has_pec and size not in WITHOUT_PEC:
        _add_pec(messages)
    return messages


def _longer(call: SmbusCall) -> list[Message]:
    size, address = call.size, call.address
    if size == PROCESS_CALL:
        written = Message(address, 0, bytes((call.command, *_data(call))))
        return [written, Message(address, M_RD, length=2)]
    if size not in BLOCKS:
        raise OSError(EOPNOTSUPP, f"Operation not supported: an SMBus call of size {size}")
    if size == BLOCK_PROC_CALL:
        written = Message(address, 0, bytes((call.command, len(call.data), *_data(call))))
        return [written, Message(address, M_RD | M_RECV_LEN, length=1)]
    command = bytes((call.command,))
    if size == BLOCK_DATA:
        if call.is_read:
            return [Message(address, 0, command), Message(address, M_RD | M_RECV_LEN, length=1)]
        return [Message(address, 0, bytes((call.command, len(call.data), *_data(call))))]
    if not call.is_read:
        return [Message(address, 0, command + _data(call))]
    if not 1 <= call.length <= BLOCK_MAX:
        raise OSError(EINVAL, f"Invalid argument: a block has 1 to {BLOCK_MAX} bytes, not {call.length}")
    return [Message(address, 0, command), Message(address, M_RD, length=call.length)]


def _data(call: SmbusCall) -> bytes:
    """What the call writes, as long as it may be."""
    length, wanted = len(call.data), DATA_BYTES.get(call.size)
    if wanted is not None and length != wanted:
        raise OSError(EINVAL, f"Invalid argument: {wanted} bytes are to be written, not {length}")
    if length > BLOCK_MAX:  # none at all is fine with Linux, and what sensors take as a bare command
        raise OSError(EINVAL, f"Invalid argument: a block has {BLOCK_MAX} bytes at most, not {length}")
    return call.data


def _add_pec(messages: list[Message]) -> None:
    last = messages[-1]
    if last.flags & M_RD:
        last.length += 1
    else:
        last.data += bytes((pec(last.data, _REMAINDERS[last.address << 1]),))


def answer_of(call: SmbusCall, messages: Sequence[Message], answers: Sequence[bytes]) -> bytes:
    """Return what a call has read, without count and PEC, of what its messages have read.

    Raises:
        OSError: EPROTO where a block's count is none, or not what came; EBADMSG for a wrong PEC.
    """
    if not answers:
        return b""
    data = answers[-1]
    if call.has_pec and call.size not in WITHOUT_PEC:
        data = _checked(messages, data)
    if call.size not in (BLOCK_DATA, BLOCK_PROC_CALL):
        return data
    check_count(data[0] if data else 0)
    if len(data) != data[0] + 1:
        raise OSError(EPROTO, f"Protocol error: a block of {data[0]} bytes has {len(data) - 1}")
    return data[1:]


def check_count(count: int) -> None:
    """Refuse the count of an SMBus block that cannot be: OSError EPROTO."""
    if not 1 <= count <= BLOCK_MAX:
        raise OSError(EPROTO, f"Protocol error: a block of {count} bytes, where 1 to {BLOCK_MAX} can be")


def _checked(messages: Sequence[Message], data: bytes) -> bytes:
    """The data without its PEC, which is that of all bytes of the call, both addresses included."""
    before, last = 0, messages[-1]
    for message in messages[:-1]:
        before = pec(message.data, _REMAINDERS[before ^ message.address << 1])
    wanted = pec(data[:-1], _REMAINDERS[before ^ (last.address << 1 | 1)])
    if data[-1:] != bytes((wanted,)):
        came = f"0x{data[-1]:02x}" if data else "none"
        raise OSError(EBADMSG, f"Bad message: the PEC is {came}, 0x{wanted:02x} would be right")
    return data[:-1]
