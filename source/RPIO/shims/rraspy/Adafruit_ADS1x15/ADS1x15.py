# SPDX-License-Identifier: LGPL-3.0-or-later
"""The converters of a device: each call is one of the library that the device has.

Sources: Adafruit_ADS1x15 1.0.2, for names, defaults and errors; TI's data sheets SBAS444 and SBAS473 for the numbers.
"""

from __future__ import annotations

from RPIO.shims.rraspy_program import Kept

ADS1x15_DEFAULT_ADDRESS = 0x48
ADS1x15_CONFIG_GAIN = {2 / 3: 0x0000, 1: 0x0200, 2: 0x0400, 4: 0x0600, 8: 0x0800, 16: 0x0A00}
"""Gain -> its bits of the configuration. Full scale is 6.144, 4.096, 2.048, 1.024, 0.512 and 0.256 V."""
ADS1115_CONFIG_DR = {
    8: 0x0000,
    16: 0x0020,
    32: 0x0040,
    64: 0x0060,
    128: 0x0080,
    250: 0x00A0,
    475: 0x00C0,
    860: 0x00E0,
}
ADS1015_CONFIG_DR = {
    128: 0x0000,
    250: 0x0020,
    490: 0x0040,
    920: 0x0060,
    1600: 0x0080,
    2400: 0x00A0,
    3300: 0x00C0,
}
"""Samples per second -> their bits."""


class ADS1x15:
    """What both have. *i2c* of Adafruit_GPIO cannot be handed on; ``busnum=`` chooses a bus of the device's."""

    _name = ""
    _rates: dict[int, int] = {}

    def __init__(self, address: int = ADS1x15_DEFAULT_ADDRESS, i2c: None = None, **kwargs: int) -> None:
        if i2c is not None:
            raise TypeError("the bus is the device's: busnum=NUMBER chooses it")
        options = "".join(f", {name}={value:d}" for name, value in kwargs.items())
        command = f"ADS1x15.{self._name}({address:d}{options})"
        self._kept = Kept(".ADS1x15", "ADS1x15", "Adafruit_ADS1x15", command)

    def _ask(self, method: str, number: int, gain: float, data_rate: int | None, more: str = "") -> int:
        what = "Differential" if "difference" in method else "Channel"
        assert 0 <= number <= 3, f"{what} must be a value within 0-3!"
        if gain not in ADS1x15_CONFIG_GAIN:
            raise ValueError("Gain must be one of: 2/3, 1, 2, 4, 8, 16")
        if data_rate is not None and data_rate not in self._rates:
            raise ValueError(f"Data rate must be one of: {', '.join(map(str, self._rates))}")
        found = self._kept.ask(f"{method}({number:d}{more}, gain={gain!r}, data_rate={data_rate!r})")
        return int(found)  # type: ignore[call-overload, no-any-return]

    def read_adc(self, channel: int, gain: float = 1, data_rate: int | None = None) -> int:
        """Return what an input, 0 to 3, has: -32768 to 32767 of full scale (ADS1015: -2048 to 2047)."""
        return self._ask("read_adc", channel, gain, data_rate)

    def read_adc_difference(self, differential: int, gain: float = 1, data_rate: int | None = None) -> int:
        """Return the difference of inputs: 0 is 0 minus 1, 1 is 0 minus 3, 2 is 1 minus 3, 3 is 2 minus 3."""
        return self._ask("read_adc_difference", differential, gain, data_rate)

    def start_adc(self, channel: int, gain: float = 1, data_rate: int | None = None) -> int:
        """Begin to read an input all the time; return the first result. get_last_result() has the others."""
        return self._ask("start_adc", channel, gain, data_rate)

    def start_adc_difference(self, differential: int, gain: float = 1, data_rate: int | None = None) -> int:
        """The same with the difference of inputs."""
        return self._ask("start_adc_difference", differential, gain, data_rate)

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
        """Begin to read an input, and have the pin ALERT tell when it is beyond the thresholds."""
        limits = (high_threshold, low_threshold)
        how = (active_low, traditional, latching, num_readings)
        return self._compare("start_adc_comparator", channel, gain, data_rate, limits, how)

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
        limits = (high_threshold, low_threshold)
        how = (active_low, traditional, latching, num_readings)
        return self._compare("start_adc_difference_comparator", differential, gain, data_rate, limits, how)

    def _compare(
        self,
        method: str,
        number: int,
        gain: float,
        data_rate: int | None,
        limits: tuple[int, int],
        how: tuple[bool, bool, bool, int],
    ) -> int:
        active_low, traditional, latching, num_readings = how
        assert num_readings in (1, 2, 4), "Num readings must be 1, 2, or 4!"
        words = f"active_low={bool(active_low)}, traditional={bool(traditional)}, latching={bool(latching)}"
        more = f", {limits[0]:d}, {limits[1]:d}, {words}, num_readings={num_readings}"
        return self._ask(method, number, gain, data_rate, more)

    def stop_adc(self) -> None:
        """End what start_adc() and the others have begun."""
        self._kept.ask("stop_adc()")

    def get_last_result(self) -> int:
        """Return the last result of what they have begun."""
        return int(self._kept.ask("get_last_result()"))  # type: ignore[call-overload, no-any-return]


class ADS1115(ADS1x15):
    """A converter of 16 bits."""

    _name = "ADS1115"
    _rates = ADS1115_CONFIG_DR


class ADS1015(ADS1x15):
    """A converter of 12 bits."""

    _name = "ADS1015"
    _rates = ADS1015_CONFIG_DR
