# SPDX-License-Identifier: LGPL-3.0-or-later
"""TI's converters ADS1015 and ADS1115.

Sources: TI's data sheets SBAS473 and SBAS444, 9.6 (registers); Adafruit_ADS1x15 1.0.2, for names, defaults and errors.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from importlib import import_module
from typing import Any

CONVERSION, CONFIG, LOW_THRESHOLD, HIGH_THRESHOLD = range(4)
ADS1x15_DEFAULT_ADDRESS = 0x48
ADS1x15_CONFIG_GAIN = {2 / 3: 0x0000, 1: 0x0200, 2: 0x0400, 4: 0x0600, 8: 0x0800, 16: 0x0A00}
"""Gain -> its bits of the configuration. Full scale is 6.144, 4.096, 2.048, 1.024, 0.512 and 0.256 V."""
ADS1115_CONFIG_DR = {rate: number << 5 for number, rate in enumerate((8, 16, 32, 64, 128, 250, 475, 860))}
ADS1015_CONFIG_DR = {rate: number << 5 for number, rate in enumerate((128, 250, 490, 920, 1600, 2400, 3300))}
"""Samples per second -> their bits."""
START, SINGLE, COMPARES_NOT = 0x8000, 0x0100, 0x0003
WINDOW, ACTIVE_HIGH, LATCHING = 0x0010, 0x0008, 0x0004
READINGS = {1: 0x0000, 2: 0x0001, 4: 0x0002}
AT_REST = 0x8583
"""The configuration after power-on."""
SETTLES_S = 0.0001


class ADS1x15:
    """What both have. *i2c* has get_i2c_device(), as Adafruit_GPIO.I2C; busnum= chooses a bus."""

    _rates: dict[int, int] = {}
    _rate = 0
    _shift = 0

    def __init__(self, address: int = ADS1x15_DEFAULT_ADDRESS, i2c: Any = None, **kwargs: Any) -> None:
        made = import_module("Adafruit_GPIO.I2C") if i2c is None else i2c
        self._device = made.get_i2c_device(address, **kwargs)

    def _write(self, register: int, value: int) -> None:
        self._device.writeList(register, list((value & 0xFFFF).to_bytes(2, "big")))

    def _converted(self, data: Sequence[int]) -> int:
        return int.from_bytes(bytes(data), "big", signed=True) >> self._shift

    def _convert(self, inputs: int, gain: float, data_rate: int | None, bits: int) -> int:
        if gain not in ADS1x15_CONFIG_GAIN:
            raise ValueError("Gain must be one of: 2/3, 1, 2, 4, 8, 16")
        rate = self._rate if data_rate is None else data_rate
        if rate not in self._rates:
            raise ValueError(f"Data rate must be one of: {', '.join(map(str, self._rates))}")
        self._write(CONFIG, START | inputs << 12 | ADS1x15_CONFIG_GAIN[gain] | self._rates[rate] | bits)
        time.sleep(1 / rate + SETTLES_S)
        return self.get_last_result()

    def _compare(
        self,
        inputs: int,
        gain: float,
        data_rate: int | None,
        thresholds: tuple[int, int],
        bits: int,
        readings: int,
    ) -> int:
        assert readings in READINGS, "Num readings must be 1, 2, or 4!"
        self._write(HIGH_THRESHOLD, thresholds[0])
        self._write(LOW_THRESHOLD, thresholds[1])
        return self._convert(inputs, gain, data_rate, bits | READINGS[readings])

    def read_adc(self, channel: int, gain: float = 1, data_rate: int | None = None) -> int:
        """Return what an input, 0 to 3, has: -32768 to 32767 of full scale (ADS1015: -2048 to 2047)."""
        return self._convert(_input(channel), gain, data_rate, SINGLE | COMPARES_NOT)

    def read_adc_difference(self, differential: int, gain: float = 1, data_rate: int | None = None) -> int:
        """Return the difference of inputs: 0 is 0 minus 1, 1 is 0 minus 3, 2 is 1 minus 3, 3 is 2 minus 3."""
        return self._convert(_pair(differential), gain, data_rate, SINGLE | COMPARES_NOT)

    def start_adc(self, channel: int, gain: float = 1, data_rate: int | None = None) -> int:
        """Begin to read an input all the time; return the first result. get_last_result() has the others."""
        return self._convert(_input(channel), gain, data_rate, COMPARES_NOT)

    def start_adc_difference(self, differential: int, gain: float = 1, data_rate: int | None = None) -> int:
        """The same with the difference of inputs."""
        return self._convert(_pair(differential), gain, data_rate, COMPARES_NOT)

    def start_adc_comparator(
        self,
        channel: int,
        high_threshold: int,
        low_threshold: int,
        gain: float = 1,
        data_rate: int | None = None,
        active_low: bool = True,
        traditional: bool = True,
        latching: bool = False,
        num_readings: int = 1,
    ) -> int:
        """Begin to read an input all the time, and have the pin ALERT say where it is; return the first result."""
        bits = _bits(active_low, traditional, latching)
        thresholds = high_threshold, low_threshold
        return self._compare(_input(channel), gain, data_rate, thresholds, bits, num_readings)

    def start_adc_difference_comparator(
        self,
        differential: int,
        high_threshold: int,
        low_threshold: int,
        gain: float = 1,
        data_rate: int | None = None,
        active_low: bool = True,
        traditional: bool = True,
        latching: bool = False,
        num_readings: int = 1,
    ) -> int:
        """The same with the difference of inputs."""
        bits = _bits(active_low, traditional, latching)
        thresholds = high_threshold, low_threshold
        return self._compare(_pair(differential), gain, data_rate, thresholds, bits, num_readings)

    def stop_adc(self) -> None:
        """Read no more."""
        self._write(CONFIG, AT_REST)

    def get_last_result(self) -> int:
        """Return the last result."""
        return self._converted(self._device.readList(CONVERSION, 2))


def _input(channel: int) -> int:
    assert 0 <= channel <= 3, "Channel must be a value within 0-3!"
    return channel + 4


def _pair(differential: int) -> int:
    assert 0 <= differential <= 3, "Differential must be a value within 0-3!"
    return differential


def _bits(active_low: bool, traditional: bool, latching: bool) -> int:
    return (0 if traditional else WINDOW) | (0 if active_low else ACTIVE_HIGH) | (LATCHING if latching else 0)


class ADS1115(ADS1x15):
    """16 bits; 8 to 860 samples per second, 128 where nothing else is said."""

    _rates, _rate = ADS1115_CONFIG_DR, 128


class ADS1015(ADS1x15):
    """12 bits; 128 to 3300 samples per second, 1600 where nothing else is said."""

    _rates, _rate, _shift = ADS1015_CONFIG_DR, 1600, 4
