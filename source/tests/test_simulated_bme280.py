# SPDX-License-Identifier: LGPL-3.0-or-later
"""BME280, by BST-BME280-DS001: what a driver computes with the data sheet's whole numbers is what was wanted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chip_parts import Caller, manual_board
from RPIO.chips.bme280 import Bme280, fine_temperature, pressure_pa


@pytest.fixture
def sensor():
    board = manual_board()
    caller = Caller(board, 0x76, Bme280(board, 21.5, 987.6, 43.2))
    caller.chip = caller.bus.chips[0x76]
    return caller


def signed(value, bits):
    return value - (1 << bits) if value >> bits - 1 else value


def measured(caller):
    """Temperature, pressure, humidity, by 4.2.3: whole numbers of 32 and 64 bits, as a driver has them."""
    words = caller.read(26, 0x88)
    t1, t2, t3, p1, *p = [int.from_bytes(words[at : at + 2], "little") for at in range(0, 24, 2)]
    t2, t3 = signed(t2, 16), signed(t3, 16)
    p2, p3, p4, p5, p6, p7, p8, p9 = [signed(word, 16) for word in p]
    h1, more = words[25], caller.read(7, 0xE1)
    h2, h3 = signed(more[0] | more[1] << 8, 16), more[2]
    h4, h5 = signed(more[3] << 4 | more[4] & 15, 12), signed(more[5] << 4 | more[4] >> 4, 12)
    h6 = signed(more[6], 8)
    data = caller.read(8, 0xF7)
    raw_p, raw_t = (int.from_bytes(data[at : at + 3], "big") >> 4 for at in (0, 3))
    raw_h = int.from_bytes(data[6:], "big")

    fine = ((raw_t >> 3) - (t1 << 1)) * t2 >> 11
    fine += ((((raw_t >> 4) - t1) * ((raw_t >> 4) - t1) >> 12) * t3) >> 14
    temperature = (fine * 5 + 128) >> 8

    a = fine - 128000
    b = a * a * p6 + (a * p5 << 17) + (p4 << 35)
    a = (a * a * p3 >> 8) + (a * p2 << 12)
    a = ((1 << 47) + a) * p1 >> 33
    pressure = ((1048576 - raw_p << 31) - b) * 3125 // a
    pressure = (pressure + (p9 * (pressure >> 13) * (pressure >> 13) >> 25) + (p8 * pressure >> 19) >> 8) + (
        p7 << 4
    )

    c = fine - 76800
    left = (raw_h << 14) - (h4 << 20) - h5 * c + 16384 >> 15
    scale = ((c * h6 >> 10) * ((c * h3 >> 11) + 32768) >> 10) + 2097152
    c = left * (scale * h2 + 8192 >> 14)
    c -= ((c >> 15) * (c >> 15) >> 7) * h1 >> 4
    humidity = min(max(c, 0), 419430400) >> 12
    return temperature / 100, pressure / 25600, humidity / 1024


def force(caller, samples=1):
    caller.write(0xF2, samples)
    caller.write(0xF4, samples << 5 | samples << 2 | 1)
    caller.wait(120)


def test_it_is_a_bme280_that_sleeps(sensor):
    """5.4.1 to 5.4.7: id 60h, everything else 0, data as if it were skipped."""
    assert sensor.byte(0xD0) == 0x60
    assert sensor.read(8, 0xF2) == bytes(5) + b"\x80\x00\x00"
    assert sensor.read(8, 0xF7) == b"\x80\0\0\x80\0\0\x80\0"


def test_the_compensation_is_that_of_the_data_sheets_example():
    """BMP280, 3.12: 519888 is 25.08 degrees, 415148 is 100653.27 Pa."""
    fine = fine_temperature(519888)
    assert fine / 5120 == pytest.approx(25.08, abs=0.005)
    assert pressure_pa(415148, fine) == pytest.approx(100653.27, abs=0.1)


@given(st.floats(-40, 85), st.floats(300, 1100), st.floats(0, 100))
def test_a_driver_computes_what_was_wanted(temperature, pressure, humidity):
    board = manual_board()
    caller = Caller(board, 0x76, Bme280(board, temperature, pressure, humidity))
    force(caller)
    found = measured(caller)
    assert found[0] == pytest.approx(temperature, abs=0.011)
    assert found[1] == pytest.approx(pressure, abs=0.05)
    assert found[2] == pytest.approx(humidity, abs=0.05)


def test_a_forced_measurement_is_one_and_takes_its_time(sensor):
    """3.3.3 and 9.1: 1 + 2 + 2.5 + 2.5 ms with one sample each; STATUS says that it measures."""
    sensor.bus.bit_ns = 0
    sensor.write(0xF2, 1)
    sensor.write(0xF4, 0x25)
    sensor.wait(7.9)
    assert sensor.byte(0xF3) == 8 and sensor.read(3, 0xF7) == b"\x80\0\0"
    sensor.wait(0.2)
    assert sensor.byte(0xF3) == 0 and sensor.byte(0xF4) == 0x24
    before = measured(sensor)
    sensor.chip.temperature_c = 30
    sensor.wait(100)
    assert measured(sensor) == before


def test_in_normal_mode_it_measures_again_and_again(sensor):
    """3.3.4: with the pause that t_sb says, here 62.5 ms."""
    sensor.write(0xF2, 1)
    sensor.write(0xF5, 1 << 5)
    sensor.write(0xF4, 0x27)
    sensor.wait(20)
    assert measured(sensor) == pytest.approx((21.5, 987.6, 43.2), abs=0.05)
    sensor.chip.temperature_c = -3
    sensor.wait(80)
    assert measured(sensor)[0] == pytest.approx(-3, abs=0.02)


def test_what_is_skipped_has_no_value_and_humidity_waits_for_control(sensor):
    """5.4.3: changes to this register only become effective after a write to ctrl_meas."""
    sensor.write(0xF4, 0x21)
    sensor.write(0xF2, 1)
    sensor.wait(50)
    data = sensor.read(8, 0xF7)
    assert data[:3] == b"\x80\0\0" and data[6:] == b"\x80\0" and data[3:6] != b"\x80\0\0"


def test_a_write_is_pairs_and_a_reset_forgets_them(sensor):
    """6.2.1: register, byte, register, byte; 5.4.2: B6h resets."""
    sensor.write(0xF2, 3, 0xF5, 0xA0, 0xF4, 0x24)
    assert sensor.read(4, 0xF2) == b"\x03\0\x24\xa0"
    sensor.write(0xE0, 1)
    assert sensor.byte(0xF2) == 3
    sensor.write(0xE0, 0xB6)
    assert sensor.read(4, 0xF2) == bytes(4) and sensor.byte(0xD0) == 0x60
