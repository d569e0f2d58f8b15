# SPDX-License-Identifier: LGPL-3.0-or-later
"""The classes of Adafruit_ADS1x15 1.0.2, with chips at 0x48 and 0x49 whose inputs have 0.5, 1.0, 1.5 and 2.0 V.

Source: ADS1115 data sheet, table 8: full scale by gain; the code is 15 bits of it, and 11 for ADS1015.
"""

VOLTS = (0.5, 1.0, 1.5, 2.0)
FULL_SCALE = {2 / 3: 6.144, 1: 4.096, 2: 2.048, 4: 1.024, 8: 0.512, 16: 0.256}
PAIRS = ((0, 1), (0, 3), (1, 3), (2, 3))


class ADS1115:
    RATES = (8, 16, 32, 64, 128, 250, 475, 860)
    TOP = 0x7FFF

    def __init__(self, address=0x48, i2c=None, **kwargs):
        if address not in (0x48, 0x49) or kwargs.get("busnum", 1) != 1:
            raise OSError(121, "Remote I/O error")
        self._last = None

    def _read(self, volts, gain, data_rate):
        if gain not in FULL_SCALE:
            raise ValueError("Gain must be one of: 2/3, 1, 2, 4, 8, 16")
        if data_rate is not None and data_rate not in self.RATES:
            raise ValueError(f"Data rate must be one of: {self.RATES}")
        return max(-self.TOP - 1, min(self.TOP, round(volts / FULL_SCALE[gain] * (self.TOP + 1))))

    def read_adc(self, channel, gain=1, data_rate=None):
        assert 0 <= channel <= 3, "Channel must be a value within 0-3!"
        return self._read(VOLTS[channel], gain, data_rate)

    def read_adc_difference(self, differential, gain=1, data_rate=None):
        assert 0 <= differential <= 3, "Differential must be a value within 0-3!"
        plus, minus = PAIRS[differential]
        return self._read(VOLTS[plus] - VOLTS[minus], gain, data_rate)

    def start_adc(self, channel, gain=1, data_rate=None):
        self._last = self.read_adc(channel, gain, data_rate)
        return self._last

    def start_adc_difference(self, differential, gain=1, data_rate=None):
        self._last = self.read_adc_difference(differential, gain, data_rate)
        return self._last

    def start_adc_comparator(
        self,
        channel,
        high_threshold,
        low_threshold,
        gain=1,
        data_rate=None,
        active_low=True,
        traditional=True,
        latching=False,
        num_readings=1,
    ):
        assert num_readings in (1, 2, 4), "Num readings must be 1, 2, or 4!"
        return self.start_adc(channel, gain, data_rate)

    def start_adc_difference_comparator(
        self,
        differential,
        high_threshold,
        low_threshold,
        gain=1,
        data_rate=None,
        active_low=True,
        traditional=True,
        latching=False,
        num_readings=1,
    ):
        assert num_readings in (1, 2, 4), "Num readings must be 1, 2, or 4!"
        return self.start_adc_difference(differential, gain, data_rate)

    def stop_adc(self):
        self._last = None

    def get_last_result(self):
        return self._last


class ADS1015(ADS1115):
    RATES = (128, 250, 490, 920, 1600, 2400, 3300)
    TOP = 0x7FF
