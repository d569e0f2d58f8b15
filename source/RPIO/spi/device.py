# SPDX-License-Identifier: LGPL-3.0-or-later
"""``SpiDev``: the calls, the rules and the texts of spidev 3.8, on whatever carries the bus."""

from __future__ import annotations

from errno import EBADF

from .. import threads
from ..backends.buses import SpiBus, SpiSettings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Protocol

    from ..backends import Backend

    class Board(Protocol):
        """Whatever has lines."""

        @property
        def backend(self) -> Backend:
            """Who touches them."""


# -- bits of the mode. Source: Linux, include/uapi/linux/spi/spi.h
MODE_BITS = 0x03
CS_HIGH, LSB_FIRST, THREE_WIRE, LOOP, NO_CS = 0x04, 0x08, 0x10, 0x20, 0x40

ARGUMENT_MAX = 4096
"""Bytes of one xfer(), xfer2(), writebytes(), readbytes()."""
EMPTY = "Empty argument list."


def _byte(value: object) -> int:
    """A value's lowest eight bits. Of what is no int a TypeError, as spidev does; numbers of numpy are none either."""
    if not isinstance(value, int):
        raise TypeError(f"Non-Int/Long value in arguments: {value!r}.")
    return value & 0xFF


def _bytes(values: Iterable[int], most: int | None = ARGUMENT_MAX) -> bytes:
    if not isinstance(values, (list, tuple)):
        try:
            values = list(values)
        except TypeError:
            raise TypeError("expected a sequence") from None
    if not values:
        raise TypeError(EMPTY)
    if most is not None and len(values) > most:
        raise OverflowError(f"Argument list size exceeds {most} bytes.")
    return bytes(map(_byte, values))


def _number(value: object, name: str) -> int:
    if not isinstance(value, int):
        raise TypeError(f"The {name} attribute must be an integer")
    return value


class _Flag:
    """A bit of the mode as an attribute of True or False."""

    def __init__(self, name: str, bit: int, what: str) -> None:
        self._name, self._bit, self.__doc__ = name, bit, what

    def __get__(self, device: SpiDev | None, kind: object = None) -> bool:
        """Whether it is on."""
        return self if device is None else bool(device._settings.mode & self._bit)  # type: ignore[return-value]

    def __set__(self, device: SpiDev, value: bool) -> None:
        """Switch it on or off."""
        if not isinstance(value, bool):
            raise TypeError(f"The {self._name} attribute must be boolean")
        mode = device._settings.mode
        device._configure(mode=mode | self._bit if value else mode & ~self._bit)


class SpiDev:
    """SpiDev([bus, client]) -> a device on an SPI bus, opened where it is given: ``/dev/spidev<bus>.<client>``, or the
    same of a simulated board, or of another machine (RPIO_BACKEND, RPIO.use()).

    Values are ints, of which the lower eight bits are sent. Methods raise OSError with the kernel's number of what went
    wrong, EBADF before open() and after close(); TypeError for what is no int, OverflowError for more than 4096 values.

    *board* is a Board whose machine's device it is, in the place of the one in use: RPIO.connect("ssh://pi"), say.

    Source: spidev 3.8, spidev_module.c.
    """

    __slots__ = ("__weakref__", "_board", "_bus", "_read0", "_settings")

    def __init__(self, bus: int = -1, client: int | None = None, *, board: Board | None = None) -> None:
        self._board = board
        self._bus: SpiBus | None = None
        self._settings = _closed()
        self._read0 = False
        if bus >= 0:
            if client is None:
                raise TypeError("function missing required argument 'device' (pos 2)")
            self.open(bus, client)

    # -- opening and closing

    def open(self, bus: int, device: int) -> None:
        """Have the device of that bus and chip select, in the place of one that is open.

        Raises:
            FileNotFoundError: there is none. PermissionError: it may not be opened. The text says what to type.
        """
        threads.load("RPIO.spi.opening")
        from .opening import bus_of, of_backend

        board = self._board
        self._have(bus_of(bus, device) if board is None else of_backend(board.backend, bus, device))

    def open_path(self, path: str) -> None:
        """Have the device of that path: ``/dev/spidev0.1``, or a link to it."""
        import os

        threads.load("RPIO.spi.opening")
        from .opening import bus_at

        self._have(bus_at(os.fsdecode(path)))

    def _have(self, bus: SpiBus) -> None:
        self.close()
        self._bus = bus
        self._settings = bus.settings()

    def close(self) -> None:
        """Let go of it. Twice is fine."""
        bus, self._bus = self._bus, None
        self._settings = _closed()
        if bus is not None:
            bus.close()

    def __enter__(self) -> SpiDev:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def fileno(self) -> int:
        """Return the descriptor of the device file; -1 where there is none: closed, simulated, another machine's."""
        return -1 if self._bus is None else self._bus.fileno()

    # -- transfers

    def xfer(
        self, values: Sequence[int], speed_hz: int = 0, delay_usec: int = 0, bits_per_word: int = 0, /
    ) -> Sequence[int]:
        """Write values, and return those that came meanwhile: in the list that was given, or a new tuple for one.

        Speed and bits are those of the attributes where they are 0.
        """
        data, settings = _bytes(values), self._settings_for(speed_hz, delay_usec, bits_per_word)
        got = self._open().transfer(data, settings)
        self._let_go()
        if isinstance(values, tuple):
            return tuple(got)
        if not isinstance(values, list):
            return list(got)
        values[:] = got
        return values

    def xfer2(
        self, values: Sequence[int], speed_hz: int = 0, delay_usec: int = 0, bits_per_word: int = 0, /
    ) -> Sequence[int]:
        """The same: one transfer, the device selected throughout, as with spidev 3."""
        return self.xfer(values, speed_hz, delay_usec, bits_per_word)

    def xfer3(
        self, values: Sequence[int], speed_hz: int = 0, delay_usec: int = 0, bits_per_word: int = 0, /
    ) -> tuple[int, ...]:
        """The same for any number of values, in transfers as long as the driver takes; a tuple in any case."""
        data, settings = _bytes(values, None), self._settings_for(speed_hz, delay_usec, bits_per_word)
        bus = self._open()
        parts = [bus.transfer(part, settings) for part in _parts(data, bus.block_max)]
        self._let_go()
        return tuple(b"".join(parts))

    def readbytes(self, length: int, /) -> list[int]:
        """Return so many values: 1 to 4096, the nearest of these for any other number."""
        return list(self._open().read(min(max(length, 1), ARGUMENT_MAX), self._settings))

    def writebytes(self, values: Sequence[int], /) -> None:
        """Write values."""
        self._open().write(_bytes(values), self._settings)

    def writebytes2(self, values: Sequence[int] | bytes | bytearray | memoryview, /) -> None:
        """Write any number of values, or the bytes of a buffer (bytes, array, numpy)."""
        try:
            data = memoryview(values).tobytes()  # type: ignore[arg-type]
        except TypeError:
            data = _bytes(values, None)
        bus = self._open()
        for part in _parts(data, bus.block_max):
            bus.write(part, self._settings)

    def _open(self) -> SpiBus:
        if self._bus is None:
            raise OSError(EBADF, "Bad file descriptor")
        return self._bus

    def _settings_for(self, speed_hz: int, delay_us: int, bits_per_word: int) -> SpiSettings:
        mine = self._settings
        return SpiSettings(
            mine.mode,
            (speed_hz & 0xFFFFFFFF) or mine.speed_hz,
            (bits_per_word & 0xFF) or mine.bits_per_word,
            delay_us & 0xFFFF,
        )

    def _let_go(self) -> None:
        """Some drivers keep a device selected whose select is active high, until something is read."""
        if self._read0 and self._settings.mode & CS_HIGH:
            self._open().read(0, self._settings)

    # -- attributes

    def _configure(
        self, mode: int | None = None, speed_hz: int | None = None, bits_per_word: int | None = None
    ) -> None:
        mine = self._settings
        settings = SpiSettings(
            mine.mode if mode is None else mode,
            mine.speed_hz if speed_hz is None else speed_hz,
            mine.bits_per_word if bits_per_word is None else bits_per_word,
        )
        self._open().configure(settings)
        self._settings = settings

    cshigh = _Flag("cshigh", CS_HIGH, "The chip select is active high.")
    threewire = _Flag("3wire", THREE_WIRE, "Both directions share a wire.")
    lsbfirst = _Flag("lsbfirst", LSB_FIRST, "The lowest bit of a word comes first.")
    loop = _Flag("loop", LOOP, "What is sent is what comes back.")
    no_cs = _Flag("no_cs", NO_CS, "There is no chip select.")

    @property
    def mode(self) -> int:
        """Polarity and phase of the clock: 0b00 to 0b11, CPOL and CPHA."""
        return self._settings.mode & MODE_BITS

    @mode.setter
    def mode(self, value: int) -> None:
        """Set both."""
        if not 0 <= _number(value, "mode") <= MODE_BITS:
            raise TypeError("The mode attribute must be an integerbetween 0 and 3.")
        self._configure(mode=self._settings.mode & ~MODE_BITS | value)

    @property
    def bits_per_word(self) -> int:
        """8 to 32 bits of a word."""
        return self._settings.bits_per_word

    @bits_per_word.setter
    def bits_per_word(self, value: int) -> None:
        """Set it."""
        if not 8 <= _number(value, "bits_per_word") <= 32:
            raise TypeError("invalid bits_per_word (8 to 32)")
        if value != self._settings.bits_per_word:
            self._configure(bits_per_word=value)

    @property
    def max_speed_hz(self) -> int:
        """The highest speed of the clock, in Hz."""
        return self._settings.speed_hz

    @max_speed_hz.setter
    def max_speed_hz(self, value: int) -> None:
        """Set it."""
        speed_hz = _number(value, "max_speed_hz") & 0xFFFFFFFF
        if speed_hz != self._settings.speed_hz:
            self._configure(speed_hz=speed_hz)

    @property
    def read0(self) -> bool:
        """Whether nothing is read after a transfer, with cshigh, so that the driver lets go of the device."""
        return self._read0

    @read0.setter
    def read0(self, value: bool) -> None:
        """Set it."""
        if not isinstance(value, bool):
            raise TypeError("The read0 attribute must be boolean")
        self._read0 = value


def _closed() -> SpiSettings:
    return SpiSettings(0, 0, 0)


def _parts(data: bytes, most: int) -> list[bytes]:
    return [data[at : at + most] for at in range(0, len(data), most)]
