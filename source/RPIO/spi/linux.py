# SPDX-License-Identifier: LGPL-3.0-or-later
"""A device on an SPI bus of this machine: the kernel's spidev driver, by its own calls.

Source: Linux, include/uapi/linux/spi/spidev.h and spi.h; drivers/spi/spidev.c for the limits.
"""

from __future__ import annotations

import os
import struct
from _thread import RLock
from array import array
from fcntl import ioctl

from .._gpio import File
from ..backends.buses import SpiBus, SpiSettings
from ..machine import files

MAGIC = ord("k")
RD_MODE, WR_MODE = (kind << 30 | 1 << 16 | MAGIC << 8 | 1 for kind in (2, 1))
RD_BITS_PER_WORD, WR_BITS_PER_WORD = (kind << 30 | 1 << 16 | MAGIC << 8 | 3 for kind in (2, 1))
RD_MAX_SPEED_HZ, WR_MAX_SPEED_HZ = (kind << 30 | 4 << 16 | MAGIC << 8 | 4 for kind in (2, 1))
TRANSFER = struct.Struct("=QQIIHBBBBBB")
"""spi_ioc_transfer: tx_buf, rx_buf, len, speed_hz, delay_usecs, bits_per_word, cs_change, tx_nbits, rx_nbits,
word_delay_usecs, pad."""
MESSAGE = 1 << 30 | TRANSFER.size << 16 | MAGIC << 8
"""SPI_IOC_MESSAGE(1)."""

BLOCK_FILE = "/sys/module/spidev/parameters/bufsiz"
BLOCK_DEFAULT = 4096
BLOCK_MAX = 65535


def block_max() -> int:
    """Return how many bytes the driver takes at once. Never raises."""
    try:
        return min(max(int(files.text_of(BLOCK_FILE)), 1), BLOCK_MAX)
    except (OSError, ValueError):
        return BLOCK_DEFAULT


class LinuxSpiBus(SpiBus):
    """A device file of spidev's. Its mode is the device's, whoever has opened it: each transfer sees to its own.

    The driver carries out one transfer at a time; threads that want several modes of one object take turns themselves.

    Raises:
        OSError: what the kernel says, with the path.
    """

    def __init__(self, path: str) -> None:
        self.name, self.lock = path, RLock()
        self._file = File(path, os.O_RDWR, True)
        try:
            self._mode_then = self._byte(RD_MODE)
            self._bits = self._byte(RD_BITS_PER_WORD)
            (self._speed_hz,) = struct.unpack("=I", ioctl(self._file.fd, RD_MAX_SPEED_HZ, bytes(4)))
        except OSError as e:
            self._file.close()
            e.filename = path
            raise
        self.block_max = block_max()

    def _byte(self, request: int) -> int:
        return ioctl(self._file.fd, request, bytes(1))[0]

    def settings(self) -> SpiSettings:
        """Return how the device was set when it was opened."""
        return SpiSettings(self._mode_then, self._speed_hz, self._bits)

    def configure(self, settings: SpiSettings) -> None:
        """Have the device be set so, for programs that open it later as well."""
        self._set_mode(settings.mode)
        fd = self._file.fd
        if settings.bits_per_word != self._bits:
            ioctl(fd, WR_BITS_PER_WORD, bytes((settings.bits_per_word,)))
            self._bits = settings.bits_per_word
        if settings.speed_hz != self._speed_hz:
            ioctl(fd, WR_MAX_SPEED_HZ, struct.pack("=I", settings.speed_hz))
            self._speed_hz = settings.speed_hz

    def _set_mode(self, mode: int) -> None:
        if self._byte(RD_MODE) == mode:  # who else has it open may have set another one
            return
        ioctl(self._file.fd, WR_MODE, bytes((mode,)))
        found = self._byte(RD_MODE)
        if found != mode:  # spidev's own words
            raise OSError(f"Attempted to set mode 0x{mode:x} but mode 0x{found:x} returned")

    def transfer(self, data: bytes, settings: SpiSettings) -> bytes:
        """Write and read at once."""
        sent, got = array("B", data), array("B", bytes(len(data)))
        self._message(sent.buffer_info()[0], got.buffer_info()[0], len(data), settings)
        return got.tobytes()

    def write(self, data: bytes, settings: SpiSettings) -> None:
        """Write alone."""
        sent = array("B", data)
        self._message(sent.buffer_info()[0], 0, len(data), settings)

    def read(self, length: int, settings: SpiSettings) -> bytes:
        """Read alone."""
        if not length:
            return os.read(self._file.fd, 0)
        got = array("B", bytes(length))
        self._message(0, got.buffer_info()[0], length, settings)
        return got.tobytes()

    def _message(self, sent: int, got: int, length: int, settings: SpiSettings) -> None:
        """One transfer from and to these places of memory, which the caller keeps."""
        message = TRANSFER.pack(
            sent,
            got,
            length,
            settings.speed_hz,
            settings.delay_us,
            settings.bits_per_word,
            settings.keeps_selected,
            *(0, 0, 0, 0),
        )
        self._set_mode(settings.mode)
        ioctl(self._file.fd, MESSAGE, message)

    def fileno(self) -> int:
        """Return the descriptor of the device file."""
        return self._file.fd

    def close(self) -> None:
        """Close the file."""
        self._file.close()
