# SPDX-License-Identifier: LGPL-3.0-or-later
"""smbus-proxy's ProxyClient: an I2C bus at a server of its protocol."""

from __future__ import annotations

import logging
import os

from RPIO import errors
from RPIO.i2c.grpc import CALL_S
from RPIO.wire.grpc.extra import missing
from RPIO.wire.smbus import BLOCK_MAX, BYTE, BYTE_DATA, I2C_BLOCK_DATA, WORD_DATA, SmbusCall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

PORT = 50051


class ProxyError(OSError):
    """A call has failed at the server. Its text is what that says; ``errno`` is the system's number there."""

    def __str__(self) -> str:
        return f"proxy server: [Errno {self.errno}] {self.strerror}"


class ProxyClient:
    """Bus *i2c_bus* of a server. *server_address* is "HOST:PORT".

    Unlike the original's: errors are OSErrors with the number that the bus has had there, a server that does not answer
    is given up after 10 seconds, one that has forgotten a client who was silent for too long is asked again, and
    close() ends the pings.
    """

    def __init__(self, server_address: str, i2c_bus: int, log_level: int = logging.INFO) -> None:
        try:
            from RPIO.i2c.smbus_proxy import Proxy
            from RPIO.remote.grpc import Caller
        except ImportError as e:
            raise missing(e) from None
        logging.getLogger("ProxyClient").setLevel(log_level)
        host, _, port = server_address.rpartition(":")
        if not host or not port.isdigit():
            raise ValueError(f"{server_address!r} is no HOST:PORT, such as 192.168.1.7:{PORT}")
        caller = Caller(host.strip("[]"), int(port))
        self._bus = Proxy(caller, i2c_bus, CALL_S)
        try:
            self._told(self._bus.open)
        except BaseException:
            caller.close()
            raise

    @staticmethod
    def _told(act: object, *arguments: object) -> bytes:
        """Call it; what the bus says of an error is told as the server's."""
        try:
            return act(*arguments)  # type: ignore[operator, no-any-return]
        except errors.GPIOError:
            raise
        except (ConnectionError, TimeoutError):
            raise
        except OSError as e:
            raise ProxyError(e.errno, e.strerror) from None

    def _read(self, address: int, size: int, register: int = 0, length: int = 0) -> bytes:
        return self._told(self._bus.smbus, SmbusCall(address, True, size, register, length=length))

    def _write(self, address: int, size: int, register: int, data: bytes = b"") -> None:
        self._told(self._bus.smbus, SmbusCall(address, False, size, register, data))

    def read_byte(self, i2c_addr: int) -> int:
        """Read a byte, without a register."""
        return self._read(i2c_addr, BYTE)[0]

    def write_byte(self, i2c_addr: int, value: int) -> None:
        """Write a byte, without a register."""
        self._write(i2c_addr, BYTE, value)

    def read_byte_data(self, i2c_addr: int, register: int) -> int:
        """Read a byte."""
        return self._read(i2c_addr, BYTE_DATA, register)[0]

    def write_byte_data(self, i2c_addr: int, register: int, value: int) -> None:
        """Write a byte. Raises ValueError for a value that is none."""
        self._write(i2c_addr, BYTE_DATA, register, bytes((value,)))

    def read_word_data(self, i2c_addr: int, register: int) -> int:
        """Read a word."""
        return int.from_bytes(self._read(i2c_addr, WORD_DATA, register), "little")

    def write_word_data(self, i2c_addr: int, register: int, value: int) -> None:
        """Write a word. Raises ValueError for a value that is none."""
        if not 0 <= value <= 0xFFFF:
            raise ValueError(f"a word is 0 to 65535, not {value}")
        self._write(i2c_addr, WORD_DATA, register, value.to_bytes(2, "little"))

    def read_i2c_block_data(self, i2c_addr: int, register: int, length: int = BLOCK_MAX) -> list[int]:
        """Read a block, of 32 bytes where nothing is said."""
        return list(self._read(i2c_addr, I2C_BLOCK_DATA, register, length))

    def write_i2c_block_data(self, i2c_addr: int, register: int, data: Iterable[int]) -> None:
        """Write a block. Raises ValueError for what are no bytes."""
        self._write(i2c_addr, I2C_BLOCK_DATA, register, bytes(data))

    def close(self) -> None:
        """Give the bus back, and ping no more. Twice is fine."""
        self._bus.close()

    def __enter__(self) -> ProxyClient:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<ProxyClient of process {os.getpid()}>"
