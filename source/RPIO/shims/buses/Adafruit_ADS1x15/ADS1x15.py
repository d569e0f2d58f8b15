# SPDX-License-Identifier: LGPL-3.0-or-later
"""TI's converters ADS1015 and ADS1115: by their registers, or by the same library of a device of RRaspPY's.

Sources: TI's data sheets SBAS473 and SBAS444, 9.6 (registers); Adafruit_ADS1x15 1.0.2, for names, defaults and errors.
"""

from __future__ import annotations

import time
from importlib import import_module
from typing import Any, NamedTuple, Protocol

from RPIO.i2c.opening import device_in_use

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


class Compared(NamedTuple):
    """How the pin ALERT tells what a converter has."""

    high: int
    low: int
    active_low: bool
    traditional: bool
    latching: bool
    num_readings: int


class Asked(NamedTuple):
    """What is asked of a converter, by the name of a method: of an input, or of a difference of two."""

    method: str
    number: int
    gain: float
    data_rate: int | None
    compared: Compared | None = None


class Carrier(Protocol):
    """Who has the converter do it."""

    def convert(self, asked: Asked) -> int:
        """Have it begin; return the first result."""

    def stop(self) -> None:
        """Have it end."""

    def last(self) -> int:
        """Return the last result."""


class Registers:
    """A converter on a bus, whose registers are written and read."""

    def __init__(self, device: Any, rates: dict[int, int], rate: int, shift: int) -> None:
        self._device, self._rates, self._rate, self._shift = device, rates, rate, shift

    def _write(self, register: int, value: int) -> None:
        self._device.writeList(register, list((value & 0xFFFF).to_bytes(2, "big")))

    def convert(self, asked: Asked) -> int:
        """Have it begin; return the first result."""
        inputs = asked.number if "difference" in asked.method else asked.number + 4
        bits = SINGLE if asked.method.startswith("read") else 0
        if asked.compared is None:
            bits |= COMPARES_NOT
        else:
            high, low, active_low, traditional, latching, num_readings = asked.compared
            self._write(HIGH_THRESHOLD, high)
            self._write(LOW_THRESHOLD, low)
            bits |= READINGS[num_readings] | (0 if traditional else WINDOW)
            bits |= (0 if active_low else ACTIVE_HIGH) | (LATCHING if latching else 0)
        rate = self._rate if asked.data_rate is None else asked.data_rate
        self._write(CONFIG, START | inputs << 12 | ADS1x15_CONFIG_GAIN[asked.gain] | self._rates[rate] | bits)
        time.sleep(1 / rate + SETTLES_S)
        return self.last()

    def stop(self) -> None:
        """Have it end."""
        self._write(CONFIG, AT_REST)

    def last(self) -> int:
        """Return the last result."""
        data = bytes(self._device.readList(CONVERSION, 2))
        return int.from_bytes(data, "big", signed=True) >> self._shift


class OfDevice:
    """A converter of a device of RRaspPY's: what is asked is a call of the library there, as RRaspPY's own has it."""

    def __init__(self, device: Any, name: str, address: int, options: dict[str, Any]) -> None:
        from RPIO.remote.rraspy_kept import Kept

        words = "".join(f", {word}={value:d}" for word, value in options.items())
        command = f"ADS1x15.{name}({address:d}{words})"
        self._kept = Kept(device, ".ADS1x15", "ADS1x15", "Adafruit_ADS1x15", command)

    def convert(self, asked: Asked) -> int:
        """Have it begin; return the first result."""
        more = ""
        if asked.compared is not None:
            high, low, active_low, traditional, latching, num_readings = asked.compared
            more = f", {high:d}, {low:d}, active_low={bool(active_low)}, traditional={bool(traditional)}"
            more += f", latching={bool(latching)}, num_readings={num_readings:d}"
        options = f"gain={asked.gain!r}, data_rate={asked.data_rate!r}"
        return self._int(f"{asked.method}({asked.number:d}{more}, {options})")

    def stop(self) -> None:
        """Have it end."""
        self._kept.ask("stop_adc()")

    def last(self) -> int:
        """Return the last result."""
        return self._int("get_last_result()")

    def _int(self, command: str) -> int:
        return int(self._kept.ask(command))  # type: ignore[call-overload, no-any-return]


class ADS1x15:
    """What both have. *i2c* has get_i2c_device(), as Adafruit_GPIO.I2C; busnum= chooses a bus."""

    _name = ""
    _rates: dict[int, int] = {}
    _rate = 0
    _shift = 0

    def __init__(self, address: int = ADS1x15_DEFAULT_ADDRESS, i2c: Any = None, **kwargs: Any) -> None:
        self._carrier: Carrier
        device = device_in_use() if i2c is None else None
        if device is not None:
            self._carrier = OfDevice(device, self._name, address, kwargs)
        else:
            made = import_module("Adafruit_GPIO.I2C") if i2c is None else i2c
            at = made.get_i2c_device(address, **kwargs)
            self._carrier = Registers(at, self._rates, self._rate, self._shift)

    def _convert(self, asked: Asked) -> int:
        what = "Differential" if "difference" in asked.method else "Channel"
        assert 0 <= asked.number <= 3, f"{what} must be a value within 0-3!"
        if asked.compared is not None:
            assert asked.compared.num_readings in READINGS, "Num readings must be 1, 2, or 4!"
        if asked.gain not in ADS1x15_CONFIG_GAIN:
            raise ValueError("Gain must be one of: 2/3, 1, 2, 4, 8, 16")
        if asked.data_rate is not None and asked.data_rate not in self._rates:
            raise ValueError(f"Data rate must be one of: {', '.join(map(str, self._rates))}")
        return self._carrier.convert(asked)

    def read_adc(self, channel: int, gain: float = 1, data_rate: int | None = None) -> int:
        """Return what an input, 0 to 3, has: -32768 to 32767 of full scale (ADS1015: -2048 to 2047)."""
        return self._convert(Asked("read_adc", channel, gain, data_rate))

    def read_adc_difference(self, differential: int, gain: float = 1, data_rate: int | None = None) -> int:
        """Return the difference of inputs: 0 is 0 minus 1, 1 is 0 minus 3, 2 is 1 minus 3, 3 is 2 minus 3."""
        return self._convert(Asked("read_adc_difference", differential, gain, data_rate))

    def start_adc(self, channel: int, gain: float = 1, data_rate: int | None = None) -> int:
        """Begin to read an input all the time; return the first result. get_last_result() has the others."""
        return self._convert(Asked("start_adc", channel, gain, data_rate))

    def start_adc_difference(self, differential: int, gain: float = 1, data_rate: int | None = None) -> int:
        """The same with the difference of inputs."""
        return self._convert(Asked("start_adc_difference", differential, gain, data_rate))

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
        how = Compared(high_threshold, low_threshold, active_low, traditional, latching, num_readings)
        return self._convert(Asked("start_adc_comparator", channel, gain, data_rate, how))

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
        how = Compared(high_threshold, low_threshold, active_low, traditional, latching, num_readings)
        return self._convert(Asked("start_adc_difference_comparator", differential, gain, data_rate, how))

    def stop_adc(self) -> None:
        """Read no more."""
        self._carrier.stop()

    def get_last_result(self) -> int:
        """Return the last result."""
        return self._carrier.last()


class ADS1115(ADS1x15):
    """16 bits; 8 to 860 samples per second, 128 where nothing else is said."""

    _name, _rates, _rate = "ADS1115", ADS1115_CONFIG_DR, 128


class ADS1015(ADS1x15):
    """12 bits; 128 to 3300 samples per second, 1600 where nothing else is said."""

    _name, _rates, _rate, _shift = "ADS1015", ADS1015_CONFIG_DR, 1600, 4
