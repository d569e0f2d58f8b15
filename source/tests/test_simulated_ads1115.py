# SPDX-License-Identifier: LGPL-3.0-or-later
"""ADS1115 and ADS1015, by SBAS444E and SBAS473E: registers, multiplexer, ranges, times, comparator."""

import itertools
import time

import pytest

from chip_parts import Caller, manual_board
from RPIO.backends.sim import SimBackend
from RPIO.chips.ads1115 import Ads1015, Ads1115
from RPIO.machine.boards import by_name
from RPIO.wire.smbus import WORD_DATA, SmbusCall
from support import EMULATED

CONVERSION, CONFIG, LOW, HIGH = range(4)
ALERT = 17


@pytest.fixture
def board():
    made = manual_board()
    made.set_input(ALERT, 22)  # the pull-up that ALERT/RDY needs
    return made


@pytest.fixture
def adc(board):
    caller = Caller(board, 0x48, Ads1115(board, [1.0, 2.0, -0.2, 3.3], alert=ALERT))
    caller.chip = caller.bus.chips[0x48]
    return caller


def single(adc, mux, pga=1, rate=7, comparator=3):
    """Convert once; the result as a signed number."""
    adc.word(CONFIG, 0x8000 | mux << 12 | pga << 9 | 0x0100 | rate << 5 | comparator)
    adc.wait(200)
    word = adc.word(CONVERSION)
    return word - 0x10000 if word & 0x8000 else word


def test_the_registers_have_their_values_after_power_up(adc):
    """Table 8-3 to 8-5: the conversion 0, config 8583h, the thresholds 8000h and 7FFFh."""
    assert [adc.word(register) for register in range(4)] == [0, 0x8583, 0x8000, 0x7FFF]


@pytest.mark.parametrize(
    ("mux", "volts"),
    [(0, -1.0), (1, -2.3), (2, -1.3), (3, -3.5), (4, 1.0), (5, 2.0), (6, -0.2), (7, 3.3)],
)
def test_the_multiplexer_takes_what_the_table_says(adc, mux, volts):
    """8.1.3, bits 14:12: AIN0-AIN1, AIN0-AIN3, AIN1-AIN3, AIN2-AIN3, then each to ground."""
    assert single(adc, mux, pga=1) == round(volts / 4.096 * 32768)


@pytest.mark.parametrize(
    ("pga", "full_scale"),
    [(0, 6.144), (1, 4.096), (2, 2.048), (3, 1.024), (4, 0.512), (5, 0.256), (6, 0.256), (7, 0.256)],
)
def test_each_range_clips_at_its_end(adc, pga, full_scale):
    """8.1.3, bits 11:9; table 7-3: the ends are 7FFFh and 8000h."""
    adc.chip.volts[0] = full_scale / 2
    assert single(adc, 4, pga) == 0x4000
    adc.chip.volts[0] = full_scale + 0.01
    assert single(adc, 4, pga) == 0x7FFF
    adc.chip.volts[0] = -full_scale - 0.01
    assert single(adc, 4, pga) == -0x8000


@pytest.mark.parametrize(("rate", "samples"), [*enumerate((8, 16, 32, 64, 128, 250, 475, 860))])
def test_a_conversion_takes_as_long_as_its_rate_says(adc, rate, samples):
    """8.1.3, bits 7:5; OS reads 0 while it converts, and it wakes up in 25 us."""
    adc.bus.bit_ns = 0
    adc.word(CONFIG, 0xC103 | 1 << 9 | rate << 5)
    assert not adc.word(CONFIG) & 0x8000
    adc.wait(1000 / samples + 0.024)
    assert not adc.word(CONFIG) & 0x8000 and adc.word(CONVERSION) == 0
    adc.wait(0.002)
    assert adc.word(CONFIG) & 0x8000 and adc.word(CONVERSION) == 8000


def test_a_conversion_that_goes_on_is_not_begun_anew(adc):
    """8.1.3, bit 15: no effect when a conversion is ongoing."""
    adc.word(CONFIG, 0xC303)  # 8 samples a second: 125 ms
    adc.wait(100)
    adc.word(CONFIG, 0xC303)
    adc.wait(26)
    assert adc.word(CONFIG) & 0x8000 and adc.word(CONVERSION) == 8000


def test_nothing_is_converted_without_being_asked(adc):
    adc.word(CONFIG, 0x43E3)
    adc.wait(100)
    assert adc.word(CONVERSION) == 0 and adc.word(CONFIG) == 0xC3E3


def test_continuously_it_converts_until_it_is_told_otherwise(adc):
    adc.word(CONFIG, 0x42E3)
    assert adc.word(CONVERSION) == 0
    adc.wait(2)
    assert adc.word(CONVERSION) == 8000
    adc.chip.volts[0] = 2.0
    adc.wait(2)
    assert adc.word(CONVERSION) == 16000 and not adc.word(CONFIG) & 0x8000
    adc.word(CONFIG, 0x43E3)
    adc.chip.volts[0] = 0.0
    adc.wait(5)
    assert adc.word(CONVERSION) == 16000


def test_the_conversion_cannot_be_written_and_the_pointer_stays(adc):
    adc.word(CONVERSION, 0x1234)
    assert adc.word(CONVERSION) == 0
    adc.write(CONFIG)
    assert adc.read(2) == adc.read(2) == b"\x85\x83"
    assert adc.read(4) == b"\x85\x83\x85\x83"


def test_half_a_register_is_none(adc):
    adc.write(LOW, 0x12)
    assert adc.word(LOW) == 0x8000


def converting(adc, comparator, low, high, rate=7):
    """Continuously, 0 to 4.096 V at AIN0, with those thresholds in volts."""
    for register, volts in ((LOW, low), (HIGH, high)):
        adc.word(register, round(volts / 4.096 * 32768) & 0xFFFF)
    adc.word(CONFIG, 0x4200 | rate << 5 | comparator)


def at(adc, volts):
    """The line when that has been there for some conversions."""
    adc.chip.volts[0] = volts
    adc.wait(10)
    return adc.board.read(ALERT)


def test_the_comparator_has_a_hysteresis(adc):
    """7.3.5: active above Hi_thresh, until the input falls below Lo_thresh; low is active."""
    converting(adc, 0x00, 1.0, 2.0)
    assert [at(adc, volts) for volts in (0.5, 1.5, 2.1, 1.5, 0.9, 1.5)] == [1, 1, 0, 0, 1, 1]


def test_the_window_comparator_is_active_outside_of_it(adc):
    converting(adc, 0x10, 1.0, 2.0)
    assert [at(adc, volts) for volts in (1.5, 2.1, 1.5, 0.5, 1.5)] == [1, 0, 1, 0, 1]


def test_the_other_polarity_is_high_when_active(adc):
    converting(adc, 0x08, 1.0, 2.0)
    assert [at(adc, volts) for volts in (0.5, 2.1, 0.5)] == [0, 1, 0]


def test_a_latched_alert_stays_until_the_conversion_is_read(adc):
    """8.1.3, bit 2."""
    converting(adc, 0x04, 1.0, 2.0)
    assert [at(adc, volts) for volts in (0.5, 2.1, 0.5)] == [1, 0, 0]
    adc.word(CONVERSION)
    assert at(adc, 0.5) == 1


@pytest.mark.parametrize(("queue", "needed"), [(0, 1), (1, 2), (2, 4)])
def test_so_many_conversions_in_a_row_make_an_alert(adc, queue, needed):
    """8.1.3, bits 1:0, at 8 samples a second."""
    converting(adc, queue, 1.0, 2.0, rate=0)
    adc.chip.volts[0] = 3.0
    adc.wait(125 * needed - 20)
    assert adc.board.read(ALERT) == 1
    adc.wait(25)
    assert adc.board.read(ALERT) == 0


def test_without_a_comparator_nobody_drives_the_line(adc):
    assert single(adc, 4, comparator=3) == 8000 and adc.board.driven(ALERT) is None


def test_the_line_says_when_a_conversion_is_ready(adc):
    """7.3.8: Hi_thresh's highest bit 1, Lo_thresh's 0; 8 us in each period where it goes on, else until the next."""
    falls = []
    adc.board.on_change(ALERT, lambda level: falls.append((level, adc.board.clock.now_ns())))
    adc.word(HIGH, 0x8000)
    adc.word(LOW, 0x0000)
    adc.word(CONFIG, 0x4200 | 4 << 5)  # 128 a second
    adc.wait(40)
    times = [ns for level, ns in falls if level == 0]
    assert len(times) == 5 and {b - a for a, b in itertools.pairwise(times)} == {7812500}
    assert {up - down for (_, down), (_, up) in zip(falls[::2], falls[1::2], strict=True)} == {8000}
    adc.word(CONFIG, 0x4300 | 4 << 5)
    adc.word(CONFIG, 0xC300 | 4 << 5)
    assert adc.board.read(ALERT) == 1
    adc.wait(20)
    assert adc.board.read(ALERT) == 0


def test_the_ads1015_has_twelve_bits_and_is_quicker(board):
    """SBAS473E, 8.1.2: the result is left-justified; 8.1.3: 3300 samples a second at most."""
    adc = Caller(board, 0x48, Ads1015(board, [1.0, 0, 0, 4.2]))
    adc.word(CONFIG, 0xC383 | 1 << 9 | 7 << 5)
    adc.wait(0.4)
    assert adc.word(CONVERSION) == 500 << 4
    assert single(adc, 7) == 0x7FF0


def test_there_are_four_inputs(board):
    with pytest.raises(ValueError, match="four inputs, not 3"):
        Ads1115(board, [1, 2, 3])


@pytest.mark.skipif(EMULATED, reason="it is about a machine's own speed")
def test_it_answers_twenty_thousand_reads_a_second():
    """By the time of this thread, which others on the machine do not have; the best of some."""
    board = SimBackend(by_name("4B"))
    bus = Caller(board, 0x48, Ads1115(board, [1, 0, 0, 0])).bus
    bus.smbus(SmbusCall(0x48, False, WORD_DATA, CONFIG, bytes([0x42, 0xE3])))
    best_s = 1.0
    for _ in range(20):
        begun_s = time.thread_time()
        for _ in range(500):
            bus.smbus(SmbusCall(0x48, True, WORD_DATA, CONVERSION))
        best_s = min(best_s, time.thread_time() - begun_s)
    board.close()
    assert 500 / best_s > 20_000, f"{500 / best_s:.0f} reads a second"
