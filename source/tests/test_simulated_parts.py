# SPDX-License-Identifier: LGPL-3.0-or-later
"""What hangs on lines, each with a clock that the test moves and some in real time. Their waves are in test_devices."""

import pytest

import RPIO
from chip_parts import manual_board
from RPIO.backends.sim import SimBackend
from RPIO.chips.button import Button, Switch
from RPIO.chips.dht import Dht
from RPIO.chips.encoder import Encoder
from RPIO.chips.led import Led
from RPIO.chips.servo import Servo
from RPIO.chips.ultrasonic import Ultrasonic
from RPIO.machine.boards import by_name
from waiting import wait_until

US, MS = 1000, 1_000_000


@pytest.fixture
def board():
    return manual_board()


@pytest.fixture
def live():
    made = SimBackend(by_name("4B"))
    yield made
    made.close()


def after(board, ms):
    board.clock.advance(round(ms * MS))


# -- contacts ----------------------------------------------------------------------------------------


def test_a_press_is_heard_before_it_returns_and_ends_by_the_clock(rpio_board):
    seen = []
    RPIO.add_interrupt_callback(
        17, lambda gpio, value: seen.append((value, rpio_board.now_ms)), pull_up_down=RPIO.PUD_UP
    )
    button = Button(rpio_board.sim, 17)
    button.press(50)
    assert seen == [(0, 0)] and button.is_pressed
    rpio_board.advance(60)
    assert seen == [(0, 0), (1, 50)] and not button.is_pressed


def test_a_button_may_be_held_and_be_to_the_supply(board):
    button = Button(board, 17, to=1)
    button.push()
    assert board.read(17) == 1
    button.release()
    assert board.read(17) == 0


def test_a_press_is_long_enough_for_its_bounces(board):
    heard = []
    board.set_input(17, RPIO.PUD_UP)
    board.on_change(17, heard.append)
    Button(board, 17, bounces=3, bounce_ms=1).press(2)
    after(board, 30)
    assert heard == [0, 1] * 7


def test_a_switch_stays_and_may_have_a_resistor(board):
    switch = Switch(board, 17, has_resistor=True)
    board.set_input(17, RPIO.PUD_DOWN)
    assert board.read(17) == 1
    switch.close(after_ms=5)
    after(board, 4)
    assert not switch.is_closed
    after(board, 2)
    assert switch.is_closed and board.read(17) == 0
    switch.open()
    assert board.read(17) == 1


def test_a_button_in_real_time_lets_go_by_itself(live):
    live.set_input(17, RPIO.PUD_UP)
    Button(live, 17, bounces=2).press(20)
    assert live.read(17) == 0
    assert wait_until(lambda: live.read(17) == 1)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda board: Button(board, 17, to=2), "to 0 or 1"),
        (lambda board: Button(board, 17, bounces=-1), "bounces are 0 to 1000"),
        (lambda board: Button(board, 17, bounce_ms=0), "bounce_ms is from"),
        (lambda board: Button(board, 17).press(-1), "ms is from 0 ms"),
        (lambda board: Button(board, 17).press(1, after_ms=float("nan")), "after_ms is from"),
        (lambda board: Encoder(board, 17, 17), "two lines"),
        (lambda board: Encoder(board, 17, 18).turn(1001), "clicks are -1000 to 1000"),
        (lambda board: Servo(board, 18, 2000, 1000), "pulses are 300 to 3000 us"),
        (lambda board: Dht(board, 4, kind=21), "kinds 11 and 22"),
    ],
)
def test_what_cannot_be_is_refused(board, make, text):
    with pytest.raises(ValueError, match=text):
        make(board)


def test_a_line_that_is_not_there_is_refused(board):
    for kind in (Button, Switch, Led, Servo, Dht):
        with pytest.raises(RPIO.InvalidChannelException):
            part = kind(board, 99)
            part.press() if kind is Button else part.close()
    with pytest.raises(TypeError, match="number of milliseconds"):
        Button(board, 17).press("long")


# -- LED ---------------------------------------------------------------------------------------------


def test_an_led_is_as_bright_as_its_duty(board):
    led = Led(board, 18)
    board.set_output(18, 0)
    assert (led.is_lit, led.brightness) == (False, 0)
    for percent in (25, 50, 75, 10):
        board.pwm(18, 1 * MS, percent * 10 * US)
        after(board, 20.3)
        assert led.brightness == pytest.approx(percent / 100)
    board.end_pwm(18)
    after(board, 5)
    assert (led.is_lit, led.brightness) == (False, 0)
    board.write(18, 1)
    after(board, 50)
    assert (led.is_lit, led.brightness) == (True, 1)


def test_a_blinking_led_is_lit_or_not(board):
    led = Led(board, 18)
    board.set_output(18, 0)
    board.pwm(18, 200 * MS, 100 * MS)
    after(board, 1010)
    assert led.brightness == 1
    after(board, 100)
    assert led.brightness == 0
    assert [(round(ms), lit) for ms, lit in list(led.history)[:3]] == [(0, True), (100, False), (200, True)]


def test_an_led_to_the_supply_is_lit_when_its_line_is_low(board):
    led = Led(board, 18, is_active_high=False)
    board.set_output(18, 0)
    assert led.is_lit
    board.pwm(18, 1 * MS, 250 * US)
    after(board, 20)
    assert led.brightness == pytest.approx(0.75)


def test_an_led_in_real_time(live):
    led = Led(live, 18)
    live.set_output(18, 1)
    assert led.is_lit and led.brightness == 1
    live.pwm(18, 10 * MS, 5 * MS)
    assert wait_until(lambda: len(led.history) > 40)
    live.end_pwm(18)
    assert not led.is_lit


# -- servo -------------------------------------------------------------------------------------------


def test_a_servo_goes_where_pulses_say(board):
    servo = Servo(board, 18)
    assert servo.angle is None and not servo.is_held
    board.set_output(18, 0)
    for us, angle in ((1500, 0), (1000, -90), (2000, 90), (1250, -45), (2400, 90), (600, -90)):
        board.pwm(18, 20 * MS, us * US)
        after(board, 41)
        assert (servo.pulse_us, servo.angle, servo.is_held) == (us, angle, True)
    board.end_pwm(18)
    after(board, 150)
    assert servo.angle == -90 and not servo.is_held
    assert [angle for _, angle in servo.angles] == [0, -90, 90, -45, 90, -90]


def test_a_servo_takes_no_notice_of_what_is_no_pulse(board):
    servo = Servo(board, 18, 500, 2500, degrees=270)
    board.set_output(18, 0)
    for us in (100, 1500, 5000, 299):
        board.write(18, 1)
        after(board, us / 1000)
        board.write(18, 0)
        after(board, 20)
    assert servo.angle == 0 and servo.pulse_us == 1500


def test_a_servo_in_real_time_is_about_there(live):
    servo = Servo(live, 18)
    live.set_output(18, 0)
    live.pwm(18, 20 * MS, 1500 * US)
    assert wait_until(lambda: servo.angle is not None)
    assert -90 <= servo.angle <= 90


# -- sensors -----------------------------------------------------------------------------------------


def test_an_obstacle_may_move(board):
    sensor = Ultrasonic(board, 23, 24, distance_cm=34.3)
    lengths, since = [], [0]

    def hear(level):
        since.append(board.clock.now_ns())
        if not level:
            lengths.append(since[-1] - since[-2])

    board.on_change(24, hear)
    board.set_output(23, 0)
    for distance in (34.3, 68.6, None):
        sensor.distance_cm = distance
        board.write(23, 1)
        after(board, 0.01)
        board.write(23, 0)
        after(board, 60)
    assert lengths == [2 * MS, 4 * MS, 38 * MS] and sensor.pings == 3


def test_a_dht_sends_what_it_measures(board):
    """AM2302: 65.2 % and -10.1 degrees are 02 8C 80 65, sum 73; DHT11: 45 % and 23 degrees are 2D 00 17 00."""
    assert Dht.reading(65.2, -10.1) == bytes.fromhex("028c806573")
    assert Dht.reading(45, 23, kind=11) == bytes.fromhex("2d00170044")
    sensor = Dht(board, 4, temperature_c=-10.1, humidity_percent=65.2)
    board.set_output(4, 0)
    after(board, 1)
    ups, highs = [], []
    board.set_input(4, RPIO.PUD_UP)
    board.on_change(4, lambda level: (ups if level else highs).append(board.clock.now_ns()))
    after(board, 10)
    bits = [fall - rise > 50 * US for rise, fall in zip(ups, highs[1:], strict=False)][1:]
    assert sum(bit << 39 - n for n, bit in enumerate(bits)) == 0x028C806573 and sensor.answers == 1


def test_an_encoder_counts_its_clicks(board):
    encoder = Encoder(board, 17, 18)
    assert encoder.turn(3, quarter_ms=1, bounces=2) == 12
    after(board, 13)
    encoder.turn(-5, quarter_ms=1)
    after(board, 21)
    assert encoder.clicks == -2 and (board.read(17), board.read(18)) == (1, 1)


def test_pwm_of_a_program_turns_a_servo_and_dims_an_led(rpio_board):
    servo, led = Servo(rpio_board.sim, 18), Led(rpio_board.sim, 23)
    RPIO.setup([18, 23], RPIO.OUT, initial=0)
    arm, lamp = RPIO.PWM(18, 50), RPIO.PWM(23, 1000)
    arm.start(7.5)
    lamp.start(20)
    rpio_board.advance(100)
    assert servo.angle == 0 and led.brightness == pytest.approx(0.2)
    arm.ChangeDutyCycle(10)
    lamp.ChangeDutyCycle(100)
    rpio_board.advance(100)
    assert servo.angle == 90 and led.brightness == 1
    arm.stop()
    lamp.stop()
    rpio_board.advance(200)
    assert not servo.is_held and not led.is_lit


def test_an_echo_comes_in_real_time(live):
    sensor, heard = Ultrasonic(live, 23, 24, distance_cm=20), []
    live.on_change(24, heard.append)
    live.set_output(23, 1)
    wait_until(lambda: False, 0.001)
    live.write(23, 0)
    assert wait_until(lambda: heard == [1, 0]) and sensor.pings == 1


def test_an_encoder_turns_in_real_time(live):
    encoder = Encoder(live, 17, 18)
    encoder.turn(2, quarter_ms=0.5, bounces=1)
    assert wait_until(lambda: encoder.clicks == 2 and live.read(17) == live.read(18) == 1)
    encoder.turn(-1, quarter_ms=0.5)
    assert wait_until(lambda: encoder.clicks == 1)
