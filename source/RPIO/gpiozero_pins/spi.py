# SPDX-License-Identifier: LGPL-3.0-or-later
"""SPI for gpiozero: the bus beside a board's lines, by RPIO.spi, or bits by hand on any four of them."""

from __future__ import annotations

from threading import RLock

from gpiozero.exc import (
    DeviceClosed,
    SPIFixedBitOrder,
    SPIFixedSelect,
    SPIInvalidClockMode,
    SPIInvalidWordSize,
)
from gpiozero.input_devices import InputDevice
from gpiozero.mixins import SharedMixin
from gpiozero.output_devices import OutputDevice
from gpiozero.pins import SPI
from gpiozero.pins.pi import spi_port_device
from gpiozero.pins.spi import SPISoftware, SPISoftwareBus

from ..spi.device import SpiDev

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    Pin = int | str | None

DEFAULT_HZ = 500_000


class RPIOHardwareSPI(SPI):  # type: ignore[misc]
    """A device on a bus of the board's machine: the kernel's spidev, a simulated board's chips, another machine's."""

    def __init__(
        self, clock_pin: Pin, mosi_pin: Pin, miso_pin: Pin, select_pin: Pin, pin_factory: Any
    ) -> None:
        self._bus: SpiDev | None = None
        self._port, self._device = spi_port_device(clock_pin, mosi_pin, miso_pin, select_pin)
        super().__init__(pin_factory=pin_factory)
        pins = {pin for pin in (clock_pin, mosi_pin, miso_pin, select_pin) if pin is not None}
        pin_factory.reserve_pins(self, *pins)
        try:
            self._bus = SpiDev(self._port, self._device, board=pin_factory.board)
            self._bus.max_speed_hz = DEFAULT_HZ
        except BaseException:
            self.close()
            raise

    def _conflicts_with(self, other: Any) -> bool:
        return not isinstance(other, RPIOHardwareSPI) or (self._port, self._device) == (
            other._port,
            other._device,
        )

    def close(self) -> None:
        """Let go of the device and its pins. Twice is fine."""
        bus, self._bus = getattr(self, "_bus", None), None
        if bus is not None:
            bus.close()
        if self.pin_factory is not None:
            self.pin_factory.release_all(self)
        super().close()

    @property
    def closed(self) -> bool:
        """Whether it has been closed."""
        return self._bus is None

    def __repr__(self) -> str:
        try:
            self._check_open()
        except DeviceClosed:
            return "SPI(closed)"
        return f"SPI(port={self._port}, device={self._device})"

    @property
    def _opened(self) -> SpiDev:
        self._check_open()
        assert self._bus is not None
        return self._bus

    def transfer(self, data: Sequence[int]) -> list[int]:
        """Write words, and return those that came meanwhile."""
        return list(self._opened.xfer2(list(data)))

    def _get_clock_mode(self) -> int:
        return self._opened.mode

    def _set_clock_mode(self, value: int) -> None:
        if not 0 <= value < 4:
            raise SPIInvalidClockMode(f"{value} is not a valid SPI clock mode")
        self._opened.mode = value

    def _get_lsb_first(self) -> bool:
        return self._opened.lsbfirst

    def _set_lsb_first(self, value: bool) -> None:
        try:
            self._opened.lsbfirst = bool(value)
        except OSError as e:
            raise SPIFixedBitOrder(f"lsb_first cannot be changed on {self!r}: {e}") from e

    def _get_select_high(self) -> bool:
        return self._opened.cshigh

    def _set_select_high(self, value: bool) -> None:
        try:
            self._opened.cshigh = bool(value)
        except OSError as e:
            raise SPIFixedSelect(f"select_high cannot be changed on {self!r}: {e}") from e

    def _get_bits_per_word(self) -> int:
        return self._opened.bits_per_word

    def _set_bits_per_word(self, value: int) -> None:
        try:
            self._opened.bits_per_word = value
        except (TypeError, OSError) as e:
            raise SPIInvalidWordSize(f"{value} is not a valid number of bits: {e}") from e

    def _get_rate(self) -> int:
        return self._opened.max_speed_hz

    def _set_rate(self, value: float) -> None:
        self._opened.max_speed_hz = int(value)


class RPIOSoftwareBus(SPISoftwareBus):  # type: ignore[misc]
    """The pins that devices by hand share: those of one factory, unlike gpiozero's, which has one of them for all, and
    wants a default factory.
    """

    def __init__(self, clock_pin: Pin, mosi_pin: Pin, miso_pin: Pin, *, pin_factory: Any) -> None:
        self.lock: Any = None
        self.clock: Any = None
        self.mosi: Any = None
        self.miso: Any = None
        super(SPISoftwareBus, self).__init__(pin_factory=pin_factory)
        self.lock = RLock()
        try:
            self.clock = OutputDevice(clock_pin, pin_factory=pin_factory)
            if mosi_pin is not None:
                self.mosi = OutputDevice(mosi_pin, pin_factory=pin_factory)
            if miso_pin is not None:
                self.miso = InputDevice(miso_pin, pin_factory=pin_factory)
        except BaseException:
            self.close()
            raise

    @classmethod
    def _shared_key(cls, clock_pin: Pin, mosi_pin: Pin, miso_pin: Pin, *, pin_factory: Any) -> Any:
        return (pin_factory, clock_pin, mosi_pin, miso_pin)


class RPIOSoftwareSPI(SPISoftware):  # type: ignore[misc]
    """Bits by hand: the clock is as fast as Python, or the way to the pins."""

    def __init__(
        self, clock_pin: Pin, mosi_pin: Pin, miso_pin: Pin, select_pin: Pin, *, pin_factory: Any
    ) -> None:
        self._bus: Any = None
        self._select: Any = None
        super(SPISoftware, self).__init__(pin_factory=pin_factory)
        self._clock_phase = self._lsb_first = False
        self._bits_per_word = 8
        try:
            self._bus = RPIOSoftwareBus(clock_pin, mosi_pin, miso_pin, pin_factory=pin_factory)
            self._select = OutputDevice(select_pin, active_high=False, pin_factory=pin_factory)
        except BaseException:
            self.close()
            raise

    def _conflicts_with(self, other: Any) -> bool:
        return not isinstance(other, RPIOSoftwareSPI) or self._select.pin is other._select.pin


class RPIOHardwareSPIShared(SharedMixin, RPIOHardwareSPI):  # type: ignore[misc]
    """The same, one object for all who ask for it."""

    @classmethod
    def _shared_key(
        cls, clock_pin: Pin, mosi_pin: Pin, miso_pin: Pin, select_pin: Pin, pin_factory: Any
    ) -> Any:
        return (pin_factory, clock_pin, select_pin)


class RPIOSoftwareSPIShared(SharedMixin, RPIOSoftwareSPI):  # type: ignore[misc]
    """The same, one object for all who ask for it."""

    @classmethod
    def _shared_key(
        cls, clock_pin: Pin, mosi_pin: Pin, miso_pin: Pin, select_pin: Pin, pin_factory: Any
    ) -> Any:
        return (pin_factory, clock_pin, select_pin)


CLASSES = {
    (False, True): RPIOHardwareSPI,
    (True, True): RPIOHardwareSPIShared,
    (False, False): RPIOSoftwareSPI,
    (True, False): RPIOSoftwareSPIShared,
}
"""(shared?, on a bus of the machine's?) -> what gpiozero gets."""
