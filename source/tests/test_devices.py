# SPDX-License-Identifier: LGPL-3.0-or-later
"""The devices of the tests, each by itself: what a program would measure on its lines."""

import itertools

import pytest

import devices
import RPIO
from RPIO.constants import IN, OUT, PUD_UP


def clock(world, line, bits, data):
    """Shift bits out, the first first."""
    for bit in bits:
        RPIO.output(data, bit)
        RPIO.output(line, 1)
        RPIO.output(line, 0)


def test_a_dht_answers_with_the_times_of_its_data_sheet(rpio_board):
    sensor = devices.dht_of(rpio_board, 4, devices.dht_reading(65.2, -10.1))
    meter = devices.PulseMeter(rpio_board, 4)
    RPIO.setup(4, OUT, initial=0)
    rpio_board.advance(1)
    RPIO.setup(4, IN, pull_up_down=PUD_UP)
    rpio_board.advance(10)
    highs = [round(length * 1000) for _, length in meter.pulses]
    assert highs[:2] == [30, 80] and len(highs) == 42
    sent = sum((length > 50) << 39 - n for n, length in enumerate(highs[2:]))
    assert sent.to_bytes(5, "big") == bytes([0x02, 0x8C, 0x80, 0x65, 0x73])  # the data sheet's own numbers
    assert (sensor.answers, rpio_board.level(4), rpio_board.sim.short_circuits) == (1, 1, 0)


def test_a_dht_does_not_answer_to_a_short_low(rpio_board):
    sensor = devices.dht_of(rpio_board, 4, bytes(5))
    RPIO.setup(4, OUT, initial=0)
    rpio_board.advance(0.5)
    RPIO.setup(4, IN, pull_up_down=PUD_UP)
    rpio_board.advance(10)
    assert sensor.answers == 0


@pytest.mark.parametrize(("cm", "length_ms"), [(34.3, 2), (None, 38)])
def test_the_echo_is_as_long_as_the_way(rpio_board, cm, length_ms):
    sensor = devices.ultrasonic_of(rpio_board, 23, 24, cm)
    echo = devices.PulseMeter(rpio_board, 24)
    RPIO.setup(23, OUT, initial=0)
    for trigger_ms in (0.009, 0.010):
        RPIO.output(23, 1)
        rpio_board.advance(trigger_ms)
        RPIO.output(23, 0)
        rpio_board.advance(60)
    assert echo.pulses == [pytest.approx((60.219, length_ms))] and sensor.pings == 1


@pytest.mark.parametrize("clicks", [2, -2])
def test_an_encoder_moves_its_contacts_a_quarter_apart(rpio_board, clicks):
    encoder = devices.encoder_of(rpio_board, 17, 18)
    assert encoder.turn(clicks, quarter_ms=1, after_ms=1) == 9
    rpio_board.advance(9)
    a, b = (rpio_board.wave(line, step_ms=1) for line in (17, 18))
    assert (a, b) == (("-__--__--", "--__--__-") if clicks > 0 else ("--__--__-", "-__--__--"))


def test_an_encoder_bounces(rpio_board):
    encoder = devices.encoder_of(rpio_board, 17, 18)
    encoder.turn(1, bounces=3)
    rpio_board.advance(10)
    assert rpio_board.wave(17).count("-_") == 7 and rpio_board.level(17) == 1


def test_a_motor_follows_its_coils(rpio_board):
    lines = [6, 13, 19, 26]
    motor = devices.StepperMotor(rpio_board, lines)
    RPIO.setup(lines, OUT, initial=0)
    for field, position in ((0b1000, 0), (0b1100, 1), (0b0110, 3), (0b0100, 2), (0b1001, 2), (0, 2)):
        RPIO.output(lines, [field >> 3 - n & 1 for n in range(4)])
        rpio_board.advance(1)
        assert motor.position == position
    assert motor.stalls == 1 and motor.moves == [1, 2, -1]


def test_a_motor_that_is_driven_too_fast_does_not_move(rpio_board):
    lines = [6, 13, 19, 26]
    motor = devices.StepperMotor(rpio_board, lines)
    RPIO.setup(lines, OUT, initial=0)
    for field in itertools.islice(itertools.cycle(motor.FIELDS), 16):
        RPIO.output(lines, [field >> 3 - n & 1 for n in range(4)])
    rpio_board.advance(1)
    assert abs(motor.position) <= 2


def test_a_key_joins_its_row_and_column(rpio_board):
    keypad = devices.Keypad(rpio_board, (5, 6), (12, 16), ("12", "34"))
    RPIO.setup([12, 16], IN, pull_up_down=PUD_UP)
    RPIO.setup(6, OUT, initial=0)
    keypad.press("4")
    keypad.press("3")
    assert (RPIO.input(12), RPIO.input(16)) == (0, 0)
    keypad.release("4")
    assert (RPIO.input(12), RPIO.input(16)) == (0, 1)
    keypad.release("3")
    assert (RPIO.input(12), RPIO.input(16)) == (1, 1)


def test_a_button_bounces_at_both_ends(rpio_board):
    RPIO.setup(20, IN, pull_up_down=PUD_UP)
    devices.button_of(rpio_board, 20, bounces=2).press(after_ms=10, ms=50)
    rpio_board.advance(30)
    assert rpio_board.level(20) == 0
    rpio_board.advance(70)
    assert rpio_board.wave(20) == "_-" + "_-" * 5  # the first one is the pull-up


def test_shift_registers_pass_bits_on_and_show_them_at_the_latch(rpio_board):
    RPIO.setup([17, 27, 22], OUT, initial=0)
    chips = devices.ShiftRegister(rpio_board, 17, 27, 22, chips=2)
    clock(rpio_board, 27, [1, 1, 0, 0, 0, 0, 0, 0, 1], 17)
    assert chips.outputs == 0
    RPIO.output(22, 1)
    assert chips.outputs == 0b1_1000_0001


def test_a_display_takes_nibbles_when_e_falls_and_wants_time(rpio_board):
    display = devices.CharacterDisplay(rpio_board, 25, 24, (23, 17, 18, 22))
    RPIO.setup([25, 24, 23, 17, 18, 22], OUT, initial=0)

    def nibble(rs, value):
        RPIO.output([25, 23, 17, 18, 22], [rs, *(value >> bit & 1 for bit in range(4))])
        RPIO.output(24, 1)
        RPIO.output(24, 0)

    def send(rs, byte, wait_ms=0.04):
        nibble(rs, byte >> 4)
        nibble(rs, byte & 15)
        rpio_board.advance(wait_ms)

    nibble(0, 2)  # from 8 bits to 4
    rpio_board.advance(1)
    for byte in (0x28, 0x0C, 0x06):
        send(0, byte)
    send(1, ord("H"))
    send(1, ord("i"))
    send(0, 0x80 | 0x42)
    send(1, ord("!"))
    assert display.rows() == ["Hi", "  !"] and display.too_fast == 0
    send(0, 1, wait_ms=1)
    send(1, ord("x"))
    assert display.too_fast == 1
    send(0, 0x08)
    assert display.rows() == ["", ""]


def test_a_meter_measures_pulses(rpio_board):
    meter = devices.PulseMeter(rpio_board, 18)
    for at_ms, level in ((5, 1), (7, 0), (10, 1), (11.5, 0)):
        rpio_board.after(at_ms, lambda level=level: rpio_board.drive(18, level))
    rpio_board.advance(20)
    assert meter.pulses == [(5, 2), (10, 1.5)]


def test_a_load_cell_shifts_out_24_bits_and_notes_the_gain(rpio_board):
    RPIO.setup(5, IN)
    RPIO.setup(6, OUT, initial=0)
    cell = devices.LoadCell(rpio_board, 5, 6, 0xABCDEF)
    value = 0
    assert RPIO.input(5) == 0
    for _ in range(24):
        RPIO.output(6, 1)
        RPIO.output(6, 0)
        value = value << 1 | RPIO.input(5)
    assert value == 0xABCDEF
    for _ in range(3):
        RPIO.output(6, 1)
        RPIO.output(6, 0)
    assert RPIO.input(5) == 1
    rpio_board.advance(12.5)
    assert RPIO.input(5) == 0 and cell.gains == [64]
    RPIO.output(6, 1)
    rpio_board.advance(0.06)
    RPIO.output(6, 0)
    assert RPIO.input(5) == 1 and cell.power_downs == 1


def test_seven_segments_take_bytes_between_start_and_stop(rpio_board):
    RPIO.setup([5, 6], OUT, initial=1)
    display = devices.SevenSegments(rpio_board, clk=5, dio=6)

    def send(*data):
        RPIO.output(6, 0)  # start: DIO falls while CLK is high
        RPIO.output(5, 0)
        for byte in data:
            clock(rpio_board, 5, [*(byte >> n & 1 for n in range(8)), 0], 6)
        RPIO.output(6, 0)
        RPIO.output(5, 1)
        RPIO.output(6, 1)  # stop: DIO rises while CLK is high

    send(0x40)
    send(0xC1, 0x3F, 0x06)
    send(0x8B)
    assert display.digits == [0, 0x3F, 0x06, 0, 0, 0] and display.brightness == 3
    send(0x80)
    assert display.brightness is None


def test_never_both_sees_the_moment_when_both_are(rpio_board):
    RPIO.setup([5, 6], OUT, initial=1)
    both = devices.never_both(rpio_board, 5, 6, 0)
    RPIO.output([5, 6], [0, 1])
    RPIO.output([6, 5], [0, 1])  # in this order
    assert both == [0]
