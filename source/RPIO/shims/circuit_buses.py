# SPDX-License-Identifier: LGPL-3.0-or-later
"""CircuitPython's buses, as busio has them, on RPIO's. Under ``rpio run``, without Blinka.

Source: CircuitPython's documentation of busio; Raspberry Pi's firmware/boot/overlays/README for the pins of buses.
"""

from __future__ import annotations

from _thread import allocate_lock
from collections.abc import Sequence

from RPIO import i2c
from RPIO.backends.buses import SpiBus, SpiSettings
from RPIO.i2c import i2c_msg
from RPIO.spi import opening

from .circuit_pins import Pin, driven_low

I2C_BUSES = {(3, 2): 1, (1, 0): 0, (5, 4): 3, (7, 6): 4, (13, 12): 5, (23, 22): 6}
"""SCL and SDA -> the number of the bus."""
SPI_BUSES = {11: 0, 21: 1}
"""The clock -> the number of the bus."""
SELECTS = {0: (8, 7), 1: (18, 17, 16)}
"""The bus -> the lines of its chip selects."""


class _Lockable:
    """What one has at a time."""

    def __init__(self) -> None:
        self._lock = allocate_lock()

    def try_lock(self) -> bool:
        """Take it; whether it was free."""
        return self._lock.acquire(blocking=False)

    def unlock(self) -> None:
        """Let others have it. Raises ValueError where nobody has."""
        try:
            self._lock.release()
        except RuntimeError:
            raise ValueError("Not locked") from None


class I2C(_Lockable):
    """The bus of two pins; *frequency* is what the kernel has set. Methods raise OSError where the bus says no."""

    def __init__(self, scl: Pin, sda: Pin, *, frequency: int = 100_000, timeout: int = 255) -> None:
        super().__init__()
        number = I2C_BUSES.get((scl.id, sda.id))
        if number is None:
            valid = ", ".join(f"(board.D{one}, board.D{other})" for one, other in I2C_BUSES)
            raise ValueError(f"No Hardware I2C on (scl,sda)={(scl, sda)}\nValid I2C ports: {valid}")
        self._bus = i2c.SMBus(number)

    def deinit(self) -> None:
        """Close it. Twice is fine."""
        self._bus.close()

    def __enter__(self) -> I2C:
        return self

    def __exit__(self, *error: object) -> None:
        self.deinit()

    def scan(self) -> list[int]:
        """Return who answers."""
        return self._bus.scan()

    def readfrom_into(
        self, address: int, buffer: bytearray | memoryview, *, start: int = 0, end: int | None = None
    ) -> None:
        """Read into a buffer, or a part of it."""
        self._exchange(address, b"", memoryview(buffer).cast("B")[start:end])

    def writeto(self, address: int, buffer: bytes | str, *, start: int = 0, end: int | None = None) -> None:
        """Write a buffer, or a part of it. Nothing at all: the address, which is how devices are looked for."""
        data = bytes(map(ord, buffer)) if isinstance(buffer, str) else bytes(buffer)
        self._exchange(address, data[start:end], None)

    def writeto_then_readfrom(
        self,
        address: int,
        buffer_out: bytes,
        buffer_in: bytearray | memoryview,
        *,
        out_start: int = 0,
        out_end: int | None = None,
        in_start: int = 0,
        in_end: int | None = None,
        stop: bool = False,
    ) -> None:
        """Write, and read after a repeated start."""
        sent, got = bytes(buffer_out)[out_start:out_end], memoryview(buffer_in).cast("B")[in_start:in_end]
        if stop:
            self._exchange(address, sent, None)
            sent = b""
        self._exchange(address, sent, got)

    def _exchange(self, address: int, sent: bytes, got: memoryview | None) -> None:
        if not sent and not got:
            self._bus.write_quick(address)
            return
        messages = [i2c_msg.write(address, sent)] if sent else []
        if got:
            messages.append(i2c_msg.read(address, len(got)))
        self._bus.i2c_rdwr(*messages)
        if got:
            got[:] = bytes(messages[-1])


class SPI(_Lockable):
    """The bus of a clock pin. Its device is that of a chip select that a DigitalInOut holds low, else the first one.

    A device of this machine's kernel has a chip select of the kernel's own as well, which moves with each call.
    """

    def __init__(self, clock: Pin, MOSI: Pin | None = None, MISO: Pin | None = None) -> None:
        super().__init__()
        number = SPI_BUSES.get(clock.id)
        if number is None:
            valid = ", ".join(f"board.D{clock}" for clock in SPI_BUSES)
            raise ValueError(
                f"No Hardware SPI on (SCLK, MOSI, MISO)={(clock, MOSI, MISO)}\nValid clocks: {valid}"
            )
        self._number = number
        self._buses = {0: opening.bus_of(number, 0)}
        self._kept: set[SpiBus] = set()
        """Those whose device is selected still."""
        self._settings = SpiSettings(0, 100_000)

    def deinit(self) -> None:
        """Close it. Twice is fine."""
        while self._buses:
            self._buses.popitem()[1].close()

    def __enter__(self) -> SPI:
        return self

    def __exit__(self, *error: object) -> None:
        self.deinit()

    @property
    def frequency(self) -> int:
        """The speed in Hz."""
        return self._settings.speed_hz

    def configure(self, *, baudrate: int = 100_000, polarity: int = 0, phase: int = 0, bits: int = 8) -> None:
        """Set speed and mode, of a bus that the caller has locked. Raises RuntimeError where he has not."""
        if not self._lock.locked():
            raise RuntimeError("First call try_lock()")
        self._settings = SpiSettings(polarity << 1 | phase, baudrate, bits)

    def unlock(self) -> None:
        """Let go of the device, and of the bus."""
        while self._kept:
            self._kept.pop().transfer(b"", self._settings)
        super().unlock()

    def write(self, buffer: Sequence[int], *, start: int = 0, end: int | None = None) -> None:
        """Write a buffer, or a part of it."""
        self._transfer(bytes(buffer)[start:end])

    def readinto(
        self,
        buffer: bytearray | memoryview,
        *,
        start: int = 0,
        end: int | None = None,
        write_value: int = 0,
    ) -> None:
        """Read into a buffer, or a part of it, while one byte is written again and again."""
        got = memoryview(buffer).cast("B")[start:end]
        got[:] = self._transfer(bytes((write_value,)) * len(got))

    def write_readinto(
        self,
        out_buffer: Sequence[int],
        in_buffer: bytearray | memoryview,
        *,
        out_start: int = 0,
        out_end: int | None = None,
        in_start: int = 0,
        in_end: int | None = None,
    ) -> None:
        """Write one buffer and read into another, of the same length. Raises ValueError where it is not."""
        sent, got = bytes(out_buffer)[out_start:out_end], memoryview(in_buffer).cast("B")[in_start:in_end]
        if len(sent) != len(got):
            raise ValueError("buffer slices must be of equal length")
        got[:] = self._transfer(sent)

    def _transfer(self, data: bytes) -> bytes:
        if not self._buses:
            raise ValueError("Object has been deinitialized and can no longer be used. Create a new object.")
        selected = [n for n, line in enumerate(SELECTS[self._number]) if line in driven_low]
        device = selected[0] if selected else 0
        if device not in self._buses:
            self._buses[device] = opening.bus_of(self._number, device)
        bus, mine = self._buses[device], self._settings
        # between two calls of one locked sequence the select stays, as the program's own does
        keeps = self._lock.locked() and bus.is_quick and bus.fileno() < 0
        if keeps:
            self._kept.add(bus)
        settings = SpiSettings(mine.mode, mine.speed_hz, mine.bits_per_word, 0, keeps)
        return b"".join(
            bus.transfer(data[at : at + bus.block_max], settings) for at in range(0, len(data), bus.block_max)
        )
