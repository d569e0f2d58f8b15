# SPDX-License-Identifier: LGPL-3.0-or-later
"""RPIO.PWM and servos on a Pi 4 whose GPIO 12 and 18 an overlay has connected to the hardware's PWM, and on no such.

The lines are the simulated board's, what is below /sys/class/pwm is the modelled kernel's.
"""

import gc

import pytest

import RPIO
from RPIO import PWM, errors, facade
from RPIO.constants import ALT0, ALT5, BOARD, IN, OUT
from RPIO.machine import pwm_lines
from RPIO.pulses import pwmchip
from support import highs, raises, simulated
from test_hardware_pwm import Kernel

US, MS = 1_000, 1_000_000


@pytest.fixture
def bare(rpio_board, tmp_path, monkeypatch):
    """A kernel without a pwmchip; GPIO 12 and 18 have the right functions."""
    kernel, find = Kernel(tmp_path), pwmchip.find
    monkeypatch.setattr(
        pwmchip,
        "find",
        lambda line, hardware, held=(): find(line, hardware, str(tmp_path), held, kernel),
    )
    rpio_board.sim.set_function(18, ALT5)
    rpio_board.sim.set_function(12, ALT0)
    RPIO.setwarnings(False)  # that the lines are in use, that there is nothing to clean up
    return kernel


@pytest.fixture
def kernel(bare):
    """The same with the overlay's chip."""
    bare.chip = bare.add_chip("pwmchip3", "soc/fe20c000.pwm", 2)
    return bare


def now(kernel, number=0):
    """Period, duty cycle and enable of a channel; None where nobody has it."""
    path = f"{kernel.chip}/pwm{number}"
    settings = kernel.channels[path]
    return (
        (settings["period"], settings["duty_cycle"], settings["enable"]) if path in kernel.holders else None
    )


def assert_ended_low(kernel):
    """The channel was given back, and had no pulses any more when it was switched off."""
    assert kernel.holders == {}
    assert [high for _, high, enable in kernel.states if not enable][-1] == 0


# --- RPIO.PWM


def test_a_connected_line_needs_no_setup(rpio_board, kernel):
    pwm = RPIO.PWM(18, 50)
    assert pwm.means == "hardware"
    pwm.ChangeDutyCycle(50)
    assert kernel.holders == {}  # nothing before start()
    pwm.start(25)
    assert now(kernel) == (20 * MS, 5 * MS, 1)
    pwm.ChangeDutyCycle(50)
    assert now(kernel) == (20 * MS, 10 * MS, 1)
    pwm.ChangeFrequency(1000)
    assert now(kernel) == (MS, 500 * US, 1)
    pwm.start(0)
    assert now(kernel) == (MS, 0, 1)
    pwm.start(100)
    assert now(kernel) == (MS, MS, 1)
    assert pwm.means == "hardware" and rpio_board.sim.function(18) == ALT5
    assert rpio_board.wave(18) == "_"  # the C timer has nothing to do with it
    pwm.stop()
    assert_ended_low(kernel)


def test_the_channel_is_the_numbering_modes(kernel):
    RPIO.setmode(BOARD)
    assert RPIO.PWM(12, 50).means == "hardware"


def test_start_goes_on_after_stop_with_the_same_frequency(kernel):
    pwm = RPIO.PWM(18, 100)
    pwm.start(50)
    pwm.stop()
    pwm.stop()
    pwm.ChangeDutyCycle(75)
    assert now(kernel) is None
    pwm.start(10)
    assert now(kernel) == (10 * MS, MS, 1)


def test_an_object_that_is_let_go_of_ends_low(kernel):
    pwm = RPIO.PWM(18, 100)
    pwm.start(50)
    del pwm
    gc.collect()
    assert_ended_low(kernel)


def test_one_object_drives_a_line(kernel):
    first = RPIO.PWM(18, 100)
    with raises(errors.PWMExistsError, "A PWM object already exists for this GPIO channel"):
        RPIO.PWM(18, 50)
    first.stop()
    RPIO.PWM(18, 50).start(50)


def test_two_lines_of_one_channel_do_not_go_together(kernel):
    first, second = RPIO.PWM(18, 100), RPIO.PWM(12, 50)
    first.start(50)
    text = "GPIO 12 and GPIO 18 are one channel (0) of the hardware PWM, which GPIO 18 uses"
    with raises(errors.PWMExistsError, text):
        second.start(50)
    assert now(kernel) == (10 * MS, 5 * MS, 1)
    first.stop()
    second.start(50)
    assert now(kernel) == (20 * MS, 10 * MS, 1)


def test_a_frequency_that_the_hardware_refuses_changes_nothing(kernel):
    pwm = RPIO.PWM(18, 100)
    pwm.start(50)
    kernel.limits = (MS, 20 * MS)
    with raises(ValueError, "GPIO 18: the hardware cannot have 50000 ns high in a period of 100000 ns"):
        pwm.ChangeFrequency(10_000)
    assert now(kernel) == (10 * MS, 5 * MS, 1)
    pwm.stop()
    assert_ended_low(kernel)


def test_a_start_that_fails_leaves_nothing_behind(kernel):
    kernel.limits = (MS, 20 * MS)
    pwm = RPIO.PWM(18, 1)
    with pytest.raises(ValueError, match="GPIO 18: the hardware cannot have"):
        pwm.start(50)
    pwm.stop()
    assert kernel.holders == {}
    pwm.ChangeFrequency(100)
    pwm.start(50)
    assert now(kernel) == (10 * MS, 5 * MS, 1)


def test_a_line_that_is_set_up_is_the_c_timers(rpio_board, kernel):
    RPIO.setup(18, OUT, initial=0)
    pwm = RPIO.PWM(18, 100)
    assert (pwm.means, PWM.Servo().means_of(18)) == ("soft", "soft")
    pwm.start(50)
    rpio_board.advance(20)
    assert len(highs(rpio_board, 18, 0, 20 * MS)) == 2
    assert kernel.holders == {}


def test_setup_between_the_object_and_start_chooses_too(rpio_board, kernel):
    pwm = RPIO.PWM(18, 100)
    RPIO.setup(18, OUT)
    assert pwm.means == "soft"
    pwm.start(100)
    assert rpio_board.level(18) == 1 and kernel.holders == {}


def test_setup_as_an_output_takes_it_from_the_hardware(rpio_board, kernel):
    pwm = RPIO.PWM(18, 100)
    pwm.start(50)
    RPIO.setup(18, OUT, initial=0)
    assert pwm.means == "soft"
    rpio_board.advance(20)
    assert len(highs(rpio_board, 18, 0, 20 * MS)) == 2
    assert kernel.holders == {}


def test_a_line_that_is_not_connected_is_the_c_timers(kernel, rpio_board):
    for function in (IN, ALT0):
        rpio_board.sim.set_function(18, function)
        with raises(errors.WrongDirectionException, "You must setup() the GPIO channel as an output first"):
            RPIO.PWM(18, 50)
    RPIO.setup(18, OUT)
    assert RPIO.PWM(18, 50).means == "soft"


def test_a_missing_overlay_is_named(bare):
    for use in (lambda: PWM.Servo().set_servo(18, 1000), lambda: RPIO.PWM(18, 50).start(50)):
        with raises(errors.NotSupportedError, "GPIO 18: the kernel shows no hardware PWM") as caught:
            use()
        assert caught.value.hint == "put dtoverlay=pwm,pin=18,func=2 into config.txt and reboot"


# --- means, where somebody insists


def test_hardware_that_is_asked_for(kernel):
    pwm = RPIO.PWM(18, 50, means="hardware")
    pwm.start(50)
    assert pwm.means == "hardware" and now(kernel) == (20 * MS, 10 * MS, 1)
    pwm.stop()
    assert_ended_low(kernel)


CONFIG = "GPIO {} is not connected to its hardware PWM: put {} into config.txt and reboot"


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (19, CONFIG.format(19, "dtoverlay=pwm-2chan,pin=12,func=4,pin2=19,func2=2")),  # 12 stays connected
        (13, CONFIG.format(13, "dtoverlay=pwm-2chan,pin=12,func=4,pin2=13,func2=4")),
        (17, "GPIO 17 has no hardware PWM on Raspberry Pi 4 Model B"),
    ],
)
@pytest.mark.parametrize(
    "make",
    [
        lambda line: RPIO.PWM(line, 50, means="hardware"),
        lambda line: PWM.Servo(means="hardware").set_servo(line, 1000),
    ],
)
def test_hardware_that_is_not_connected_is_an_error_with_the_overlay(kernel, line, text, make):
    with raises(errors.NotSupportedError, text):
        make(line)
    RPIO.setup(line, OUT)
    with pytest.raises(errors.NotSupportedError):
        make(line)
    assert RPIO.PWM(line, 50).means == "soft"


@pytest.mark.parametrize(
    ("model", "line", "overlay"),
    [
        ("Zero W", 18, "dtoverlay=pwm,pin=18,func=2"),
        ("3B+", 13, "dtoverlay=pwm,pin=13,func=4"),
        ("4B", 12, "dtoverlay=pwm,pin=12,func=4"),
        ("5B", 19, "dtoverlay=pwm,pin=19,func=2"),
    ],
)
def test_the_overlay_is_that_of_the_board(model, line, overlay):
    with simulated(model):
        text = CONFIG.format(line, overlay)
        with raises(errors.NotSupportedError, text):
            RPIO.PWM(line, 50, means="hardware")
        with raises(RuntimeError, "You must setup() the GPIO channel as an output first") as caught:
            RPIO.PWM(line, 50)
        assert overlay in caught.value.hint
        with pytest.raises(RuntimeError) as caught:
            RPIO.PWM(17, 50)
        assert caught.value.hint == "setup(17, OUT) first"


def test_setup_ends_hardware_that_is_asked_for(rpio_board, kernel):
    pwm = RPIO.PWM(18, 100, means="hardware")
    pwm.start(50)
    RPIO.setup(18, OUT, initial=0)
    assert now(kernel) is None
    with pytest.raises(errors.NotSupportedError):
        pwm.ChangeDutyCycle(20)
    rpio_board.advance(50)
    assert rpio_board.wave(18) == "_"


def test_the_timer_that_is_asked_for_needs_setup(rpio_board, kernel):
    with raises(RuntimeError, "You must setup() the GPIO channel as an output first"):
        RPIO.PWM(18, 100, means="soft")
    RPIO.setup(18, OUT, initial=0)
    pwm = RPIO.PWM(18, 100, means="soft")
    pwm.start(50)
    rpio_board.advance(10)
    assert pwm.means == "soft" and rpio_board.wave(18, step_ms=1) == "-----_____"


def test_dma_that_is_asked_for_is_not_replaced(rpio_board):
    RPIO.setup(17, OUT, initial=0)
    pwm = RPIO.PWM(17, 100, means="dma")
    assert pwm.means == "dma"
    with raises(errors.DMAError, "GPIO 17: no PWM by DMA before PWM.setup()"):
        pwm.start(50)
    PWM.setup()
    with raises(
        errors.DMAError, "GPIO 17: no PWM by DMA where PWM.setup() has taken the C timer; the log says why"
    ):
        pwm.start(50)
    assert rpio_board.wave(17) == "_"


@pytest.mark.parametrize(
    "make", [lambda means: RPIO.PWM(17, 50, means=means), lambda means: PWM.Servo(means=means)]
)
def test_other_means_are_an_error(rpio_board, make):
    RPIO.setup(17, OUT)
    with raises(ValueError, "means is 'hardware', 'dma', 'soft' or None, not 'best'"):
        make("best")
    assert not PWM.is_setup()
    RPIO.PWM(17, 50)


def test_means_is_a_keyword_alone(rpio_board):
    RPIO.setup(17, OUT)
    with pytest.raises(TypeError):
        RPIO.PWM(17, 50, "soft")


def test_servos_by_what_is_asked_for(rpio_board, kernel):
    servo = PWM.Servo(means="hardware")
    servo.set_servo(18, 1500)
    assert servo.means is None and servo.means_of(18) == "hardware" and not PWM.is_setup()
    assert now(kernel) == (20 * MS, 1500 * US, 1)
    servo.stop_servo(18)
    assert_ended_low(kernel)
    with raises(RuntimeError, "GPIO 18 has no pulses of this servo"):
        servo.stop_servo(18)
    with raises(errors.DMAError, "PWM by DMA is not possible here: the board is simulated"):
        PWM.Servo(means="dma")
    soft = PWM.Servo(means="soft")
    soft.set_servo(18, 1000)  # the C timer, so it becomes an output
    assert soft.means_of(18) == "soft" and RPIO.gpio_function(18) == OUT
    with raises(RuntimeError, "PWM is already setup with means='soft' (not 'dma')"):
        PWM.Servo(means="dma")
    with raises(RuntimeError, "pulse_incr_us is 1 to 1000 us, not 0"):
        PWM.Servo(means="hardware", pulse_incr_us=0)


def test_an_object_that_is_made_again_lets_go_of_its_first_channel(rpio_board):
    RPIO.setup([17, 22], OUT, initial=0)
    pwm = RPIO.PWM(17, 100)
    pwm.start(100)
    pwm.__init__(22, 100)
    assert rpio_board.level(17) == 0
    pwm.start(100)
    assert rpio_board.level(22) == 1
    RPIO.PWM(17, 50)


# --- servos


def test_a_servo_on_a_connected_line(rpio_board, kernel):
    servo = PWM.Servo()
    assert [servo.means_of(line) for line in (17, 18)] == ["soft", "hardware"]
    servo.set_servo(18, 1200)
    servo.set_servo(17, 1500)
    assert now(kernel) == (20 * MS, 1200 * US, 1)
    servo.set_servo(18, 2000)
    assert now(kernel) == (20 * MS, 2000 * US, 1)
    rpio_board.advance(40)
    assert [end - start for start, end in highs(rpio_board, 17, 0, 40 * MS)] == [1500 * US] * 2
    assert rpio_board.wave(18) == "_" and rpio_board.sim.function(18) == ALT5
    servo.stop_servo(18)
    assert kernel.holders == {} and servo.means_of(18) == "hardware"
    servo.set_servo(18, 1000)
    assert now(kernel) == (20 * MS, 1000 * US, 1)


def test_a_servo_has_the_subcycle_it_was_given(kernel):
    PWM.Servo(subcycle_time_us=5000).set_servo(18, 5000)
    assert now(kernel) == (5 * MS, 5 * MS, 1)


@pytest.mark.parametrize(
    ("width_us", "error", "text"),
    [
        (
            1205,
            AttributeError,
            "Pulse width increment granularity 10us cannot divide a pulse-time of 1205us",
        ),
        (-10, RuntimeError, "a pulse of -10us does not fit into a subcycle of 20000us"),
        (20_010, RuntimeError, "a pulse of 20010us does not fit into a subcycle of 20000us"),
    ],
)
def test_a_width_that_cannot_be_changes_nothing(kernel, width_us, error, text):
    servo = PWM.Servo()
    for before in (None, (20 * MS, 1200 * US, 1)):
        with raises(error, text):
            servo.set_servo(18, width_us)
        assert now(kernel) == before
        servo.set_servo(18, 1200)


def test_a_servo_of_width_0_is_low(kernel):
    servo = PWM.Servo()
    for width_us in (0, 1200.0, 0):
        servo.set_servo(18, width_us)
        assert now(kernel) == (20 * MS, width_us * US, 1)


def test_stop_servo_ends_low(kernel):
    servo = PWM.Servo()
    servo.set_servo(18, 1200)
    servo.stop_servo(18)
    assert_ended_low(kernel)
    with pytest.raises(RuntimeError):
        servo.stop_servo(18)


def test_a_servo_after_setup_is_the_c_timers(rpio_board, kernel):
    RPIO.setup(18, OUT)
    servo = PWM.Servo()
    servo.set_servo(18, 1200)
    assert servo.means_of(18) == "soft" and kernel.holders == {}
    rpio_board.advance(20)
    assert highs(rpio_board, 18, 0, 20 * MS) == [(0, 1200 * US)]


def test_setup_as_an_output_takes_a_servo_from_the_hardware(rpio_board, kernel):
    servo = PWM.Servo()
    servo.set_servo(18, 1200)
    RPIO.setup(18, OUT)
    servo.set_servo(18, 1500)
    assert servo.means_of(18) == "soft" and kernel.holders == {}
    rpio_board.advance(20)
    assert highs(rpio_board, 18, 0, 20 * MS) == [(0, 1500 * US)]


def test_pwm_and_servo_do_not_share_a_line(kernel):
    pwm, servo = RPIO.PWM(18, 100), PWM.Servo()
    pwm.start(50)
    with pytest.raises(errors.PWMExistsError):
        servo.set_servo(18, 1200)
    assert now(kernel) == (10 * MS, 5 * MS, 1)
    pwm.stop()
    servo.set_servo(18, 1200)
    with pytest.raises(errors.PWMExistsError):
        pwm.start(50)
    assert now(kernel) == (20 * MS, 1200 * US, 1)


def test_a_channel_does_not_take_the_line_of_a_servo(rpio_board, kernel):
    PWM.Servo().set_servo(18, 1200)
    PWM.init_channel(5)
    with pytest.raises(errors.PWMExistsError):
        PWM.add_channel_pulse(5, 18, 0, 1)
    assert rpio_board.sim.function(18) == ALT5


# --- the end


def start_pwm():
    pwm = RPIO.PWM(18, 100)
    pwm.start(50)
    return pwm


def start_servo():
    servo = PWM.Servo()
    servo.set_servo(18, 1200)
    return servo


@pytest.mark.parametrize("start", [start_pwm, start_servo])
@pytest.mark.parametrize("end", [facade.board.shut_down, facade.new_board], ids=["exit", "new_board"])
def test_the_end_gives_channels_back(kernel, start, end):
    kept = start()
    end()
    assert kernel.holders == {}
    assert kernel.states[-1][2] == 0
    del kept  # has no effect any more


@pytest.mark.parametrize(
    "start",
    [
        start_pwm,
        pytest.param(
            start_servo,
        ),
    ],
)
def test_the_end_of_the_program_is_low(kernel, start):
    kept = start()
    facade.board.shut_down()
    assert_ended_low(kernel)
    del kept


@pytest.mark.parametrize(
    ("start", "channels"),
    [
        (start_pwm, [18]),
        pytest.param(start_pwm, []),
        pytest.param(start_servo, [18]),
        pytest.param(start_servo, []),
    ],
)
def test_cleanup_ends_pulses_low(kernel, start, channels):
    kept = start()
    RPIO.cleanup(*channels)
    assert_ended_low(kernel)
    del kept


def test_cleanup_of_pwm_gives_channels_of_servos_back(kernel):
    servo = start_servo()
    PWM.cleanup()
    assert_ended_low(kernel)
    del servo


# --- a pwmchip of one line's own (pwm-pio, pwm-gpio)


def test_a_simulated_board_never_drives_the_machines_own_pwmchips(rpio_board, monkeypatch):
    """Tests on a Raspberry Pi with such an overlay must not move what hangs on it."""
    monkeypatch.setattr(pwm_lines, "own_chips", lambda root="/": {18: ("/nowhere/pwmchip0", "pwm-gpio")})
    monkeypatch.setattr(pwmchip, "find", lambda *args, **more: pytest.fail("it is the machine's"))
    servo = PWM.Servo()
    servo.set_servo(18, 1500)
    assert servo.means_of(18) == "soft"
    PWM.cleanup()
    with pytest.raises(errors.NotSupportedError):
        RPIO.PWM(18, 50, means="hardware")
    monkeypatch.setattr(rpio_board.sim, "name", "regs")  # as if it were
    assert facade.board.pulses.hardware.has(19) is False
    RPIO.cleanup()
    assert facade.board.pulses.hardware.has(18)
