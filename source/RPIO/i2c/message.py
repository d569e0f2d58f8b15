# SPDX-License-Identifier: LGPL-3.0-or-later
"""One message of plain I2C, as the kernel and smbus2 have it."""

from __future__ import annotations

from ctypes import POINTER, Structure, c_char, c_uint16, create_string_buffer, memmove, string_at

from ..wire.smbus import M_RD, M_RECV_LEN, MESSAGE_MAX, Message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class i2c_msg(Structure):
    """A message for SMBus.i2c_rdwr(): made by read() or write(); its bytes by ``bytes()``, ``list()`` or a loop.

    Source: Linux, include/uapi/linux/i2c.h, struct i2c_msg. The name is smbus2's.
    """

    _fields_ = [("addr", c_uint16), ("flags", c_uint16), ("len", c_uint16), ("buf", POINTER(c_char))]

    @staticmethod
    def read(address: int, length: int) -> i2c_msg:
        """Make one that reads *length* bytes, 8192 at most, from the device at *address*."""
        if not 0 <= length <= MESSAGE_MAX:
            raise ValueError(f"a message has 0 to {MESSAGE_MAX} bytes, not {length!r}")
        return i2c_msg(addr=address, flags=M_RD, len=length, buf=create_string_buffer(length))

    @staticmethod
    def write(address: int, buf: Iterable[int] | str) -> i2c_msg:
        """Make one that writes bytes (or the characters of a text, by their numbers) to the device at *address*."""
        data = bytes(map(ord, buf)) if isinstance(buf, str) else bytes(buf)
        if len(data) > MESSAGE_MAX:
            raise ValueError(f"a message has 0 to {MESSAGE_MAX} bytes, not {len(data)}")
        return i2c_msg(addr=address, flags=0, len=len(data), buf=create_string_buffer(data, len(data)))

    def __iter__(self) -> Iterator[int]:
        return iter(bytes(self))

    def __len__(self) -> int:
        return int(self.len)

    def __bytes__(self) -> bytes:
        return string_at(self.buf, self.len)

    def __str__(self) -> str:
        return bytes(self).decode(errors="ignore")

    def __repr__(self) -> str:
        return f"i2c_msg({self.addr},{self.flags},{bytes(self)!r})"


def message_of(msg: i2c_msg) -> Message:
    """The message that an i2c_msg is, ours or smbus2's."""
    if msg.flags & M_RECV_LEN:
        return Message(msg.addr, msg.flags, b"", ord(msg.buf[0]) if msg.len else 0)
    if msg.flags & M_RD:
        return Message(msg.addr, msg.flags, b"", msg.len)
    return Message(msg.addr, msg.flags, bytes(msg))


def fill(msg: i2c_msg, data: bytes) -> None:
    """Have an i2c_msg hold what has been read."""
    memmove(msg.buf, data, min(len(data), msg.len))
