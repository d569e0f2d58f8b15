# SPDX-License-Identifier: LGPL-3.0-or-later
"""BME280: temperature, pressure, humidity. Its raw values are found backward from what is wanted.

Source: Bosch BME280 data sheet (BST-BME280-DS001), 4.2.2 (calibration words), 5 (registers), 6.2.2 (a write is pairs of
register and byte; reads go on by themselves), 9.1 (how long a measurement takes), appendix 8.1 (the compensation).
"""

from __future__ import annotations

from .chip import I2cChip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..backends.sim import SimBackend

T1, T2, T3 = 27504, 26435, -1000
P1, P2, P3, P4, P5, P6, P7, P8, P9 = 36477, -10685, 3024, 2855, 140, -7, 15500, -14600, 6000
"""Source: Bosch BMP280 data sheet (BST-BMP280-DS001), 3.12, the example."""
H1, H2, H3, H4, H5, H6 = 75, 363, 0, 330, 50, 30
"""Ordinary ones: the data sheets have no example."""

CHIP_ID, RESET, CONTROL_HUMIDITY, STATUS, CONTROL, CONFIG, DATA = 0xD0, 0xE0, 0xF2, 0xF3, 0xF4, 0xF5, 0xF7
BME280, RESET_WORD, MEASURING = 0x60, 0xB6, 0x08
SLEEP, NORMAL = 0, 3
SKIPPED, SKIPPED_HUMIDITY = 0x80000, 0x8000
STANDBY_MS = (0.5, 62.5, 125, 250, 500, 1000, 10, 20)
"""By the upper bits of CONFIG."""
TEMPERATURES, PRESSURES, HUMIDITIES = (-40.0, 85.0), (300.0, 1100.0), (0.0, 100.0)
"""What it measures. Source: table 1 to 3."""


def fine_temperature(raw: int) -> float:
    """What the other two are compensated with: 5120 for each degree Celsius."""
    first = (raw / 16384 - T1 / 1024) * T2
    return first + (raw / 131072 - T1 / 8192) ** 2 * T3


def pressure_pa(raw: int, fine: float) -> float:
    """The pressure in pascal."""
    v1 = fine / 2 - 64000
    v2 = v1 * v1 * P6 / 32768 + v1 * P5 * 2
    v2 = v2 / 4 + P4 * 65536
    v1 = (P3 * v1 * v1 / 524288 + P2 * v1) / 524288
    v1 = (1 + v1 / 32768) * P1
    pressure = (1048576 - raw - v2 / 4096) * 6250 / v1
    return pressure + (P9 * pressure * pressure / 2147483648 + pressure * P8 / 32768 + P7) / 16


def humidity_percent(raw: int, fine: float) -> float:
    """The relative humidity, without its limits."""
    h = fine - 76800
    scale = H2 / 65536 * (1 + H6 / 67108864 * h * (1 + H3 / 67108864 * h))
    h = (raw - (H4 * 64 + H5 / 16384 * h)) * scale
    return h * (1 - H1 * h / 524288)


def _raw_of(wanted: float, measured: Callable[[int], float], bits: int) -> int:
    """The raw value that is measured as what is nearest to that. *measured* rises or falls all the way."""
    low, high = 0, (1 << bits) - 1
    is_rising = measured(high) > measured(low)
    while low < high:
        middle = (low + high) // 2
        if (measured(middle) < wanted) == is_rising:
            low = middle + 1
        else:
            high = middle
    return min((raw for raw in (low, low - 1) if raw >= 0), key=lambda raw: abs(measured(raw) - wanted))


def _words(*values: int) -> bytes:
    return b"".join((value & 0xFFFF).to_bytes(2, "little") for value in values)


class Bme280(I2cChip):
    """*temperature_c*, *pressure_hpa* and *humidity_percent* are what it measures; they may be changed at any time."""

    def __init__(
        self,
        board: SimBackend,
        temperature_c: float = 20.0,
        pressure_hpa: float = 1013.25,
        humidity_percent: float = 50.0,
    ) -> None:
        self.temperature_c, self.pressure_hpa = temperature_c, pressure_hpa
        self.humidity_percent = humidity_percent
        self._clock = board.clock
        self._registers = bytearray(256)
        self._register: int | None = None  # that the next written byte is for
        self._pointer = 0
        self._reset()

    def _reset(self) -> None:
        memory = self._registers
        memory[:] = bytes(256)
        memory[0x88:0xA0] = _words(T1, T2, T3, P1, P2, P3, P4, P5, P6, P7, P8, P9)
        memory[0xA1] = H1
        memory[0xE1:0xE4] = _words(H2) + bytes([H3])
        memory[0xE4:0xE8] = bytes([H4 >> 4 & 0xFF, H4 & 0x0F | (H5 & 0x0F) << 4, H5 >> 4 & 0xFF, H6 & 0xFF])
        memory[CHIP_ID] = BME280
        self._humidity_samples = 0  # which CONTROL makes effective
        self._ready_ns: int | None = None
        self._store(SKIPPED, SKIPPED, SKIPPED_HUMIDITY)

    def _store(self, pressure: int, temperature: int, humidity: int) -> None:
        data = (pressure << 4).to_bytes(3, "big") + (temperature << 4).to_bytes(3, "big")
        self._registers[DATA : DATA + 8] = data + humidity.to_bytes(2, "big")

    # -- bytes -----------------------------------------------------------------------------------

    def start(self, is_read: bool) -> bool:
        if is_read:
            self._look()
        self._register = None
        return True

    def write(self, byte: int) -> bool:
        if self._register is None:
            self._register = byte
            self._pointer = byte
        else:
            self._put(self._register, byte)
            self._register = None
        return True

    def read(self) -> int:
        byte = self._registers[self._pointer]
        self._pointer = self._pointer + 1 & 0xFF
        return byte

    # -- measuring -------------------------------------------------------------------------------

    @property
    def measuring_ns(self) -> int:
        """How long a measurement takes, typically."""
        control = self._registers[CONTROL]
        samples = [_samples(control >> 5), _samples(control >> 2), _samples(self._humidity_samples)]
        parts_ms = [2 * count + (0.5 if count and n else 0) for n, count in enumerate(samples)]
        return round((1 + sum(parts_ms)) * 1_000_000)

    def _put(self, register: int, byte: int) -> None:
        if register == RESET:
            if byte == RESET_WORD:
                self._reset()
        elif register in (CONTROL_HUMIDITY, CONFIG):
            self._registers[register] = byte
        elif register == CONTROL:
            self._look()
            self._registers[CONTROL] = byte
            self._humidity_samples = self._registers[CONTROL_HUMIDITY]
            is_asleep = byte & 3 == SLEEP
            self._ready_ns = None if is_asleep else self._clock.now_ns() + self.measuring_ns
            self._show_status()

    def _look(self) -> None:
        """End the measurement whose time has come."""
        now_ns, ready_ns = self._clock.now_ns(), self._ready_ns
        if ready_ns is not None and now_ns >= ready_ns:
            self._measure()
            if self._registers[CONTROL] & 3 == NORMAL:
                cycle_ns = self.measuring_ns + round(STANDBY_MS[self._registers[CONFIG] >> 5] * 1_000_000)
                self._ready_ns = ready_ns + ((now_ns - ready_ns) // cycle_ns + 1) * cycle_ns
            else:
                self._registers[CONTROL] &= ~3  # forced mode ends asleep
                self._ready_ns = None
        self._show_status()

    def _show_status(self) -> None:
        left_ns = None if self._ready_ns is None else self._ready_ns - self._clock.now_ns()
        is_busy = left_ns is not None and left_ns <= self.measuring_ns
        self._registers[STATUS] = MEASURING if is_busy else 0

    def _measure(self) -> None:
        control = self._registers[CONTROL]
        temperature = _raw_of(self.temperature_c, lambda raw: fine_temperature(raw) / 5120, 20)
        fine = fine_temperature(temperature)
        pressure = _raw_of(self.pressure_hpa * 100, lambda raw: pressure_pa(raw, fine), 20)
        humidity = _raw_of(self.humidity_percent, lambda raw: humidity_percent(raw, fine), 16)
        self._store(
            pressure if control >> 2 & 7 else SKIPPED,
            temperature if control >> 5 & 7 else SKIPPED,
            humidity if self._humidity_samples & 7 else SKIPPED_HUMIDITY,
        )


def _samples(bits: int) -> int:
    """How many samples the three bits mean."""
    return (0, 1, 2, 4, 8, 16, 16, 16)[bits & 7]
