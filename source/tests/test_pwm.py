# SPDX-License-Identifier: LGPL-3.0-or-later
"""RPIO.PWM: RPi.GPIO's class, its errors in their order, and what it drives. Waves are held by the contract tests."""

import copy
import errno
import gc
import importlib
import inspect
import pickle

import pytest

import RPIO
from RPIO import errors, facade
from RPIO.constants import BOARD, IN, OUT
from support import raises


@pytest.fixture
def out(rpio_board):
    """The simulated board with GPIO 18 an output, and time that the test moves."""
    RPIO.setup(18, OUT, initial=0)
    return rpio_board


def test_nothing_is_driven_before_start(out):
    pwm = RPIO.PWM(18, 100)
    pwm.ChangeDutyCycle(50)
    out.advance(100)
    assert out.wave(18) == "_"


def test_a_quarter_of_each_period_is_high(out):
    pwm = RPIO.PWM(18, 100)
    pwm.start(25)
    out.advance(40)
    out.assert_wave(18, "-___ -___ -___ -___", step_ms=2.5)


def test_changes_count_from_the_next_period_on(out):
    pwm = RPIO.PWM(18, 100)
    pwm.start(50)
    out.advance(12)
    pwm.ChangeDutyCycle(20)
    out.advance(8)
    pwm.ChangeFrequency(200)
    out.advance(20)
    out.assert_wave(18, "-----_____ -----_____ --________ -____-____", step_ms=1)


def test_stop_drives_low_and_start_goes_on_with_the_same_frequency(out):
    # RPi.GPIO forgets the frequency and goes on with 1 kHz: doc/differences
    pwm = RPIO.PWM(18, 50)
    pwm.start(50)
    out.advance(5)
    pwm.stop()
    assert out.level(18) == 0
    out.advance(35)
    pwm.start(50)
    out.advance(40)
    out.assert_wave(18, "-___ ____ --__ --__", step_ms=5)


@pytest.mark.parametrize(("duty", "level"), [(0, 0), (0.0, 0), (100, 1), (100.0, 1)])
def test_the_ends_of_the_range_are_steady_levels(out, duty, level):
    pwm = RPIO.PWM(18, 100)
    pwm.start(duty)
    before = out.wave(18)
    out.advance(100)
    assert out.level(18) == level and out.wave(18) == before


def test_stopping_twice_and_before_start_is_fine(out):
    pwm = RPIO.PWM(18, 100)
    pwm.stop()
    pwm.start(100)
    pwm.stop()
    pwm.stop()
    assert out.level(18) == 0


def test_an_object_that_is_let_go_of_stops(out):
    pwm = RPIO.PWM(18, 100)
    pwm.start(100)
    assert out.level(18) == 1
    del pwm
    gc.collect()
    assert out.level(18) == 0
    RPIO.PWM(18, 100).start(50)


def test_a_second_object_on_a_channel_is_an_error_until_the_first_has_stopped(out):
    first = RPIO.PWM(18, 100)
    with raises(errors.PWMExistsError, "A PWM object already exists for this GPIO channel") as caught:
        RPIO.PWM(18, 50)
    assert isinstance(caught.value, RuntimeError)
    first.stop()
    second = RPIO.PWM(18, 50)
    with raises(RuntimeError, "A PWM object already exists for this GPIO channel"):
        first.start(50)
    second.start(100)
    first.stop()
    first.ChangeDutyCycle(0)
    assert out.level(18) == 1


def test_a_failed_object_leaves_the_channel_free(out):
    with raises(ValueError, "frequency must be greater than 0.0"):
        RPIO.PWM(18, 0)
    RPIO.PWM(18, 1)


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        (("18", 100), TypeError, "channel is an int, not '18'"),
        ((18, "100"), TypeError, "must be real number, not str"),
        ((18, None), TypeError, "must be real number, not NoneType"),
        ((99, 0), ValueError, "The channel sent is invalid on a Raspberry Pi"),
        ((4, 0), RuntimeError, "You must setup() the GPIO channel as an output first"),
        ((18, 0), ValueError, "frequency must be greater than 0.0"),
        ((18, -1.5), ValueError, "frequency must be greater than 0.0"),
        ((18, float("nan")), ValueError, "frequency must be greater than 0.0"),
        ((18, 2e6), ValueError, "the frequency of software PWM is 0.000001 to 1000000 Hz, not 2000000"),
        ((18, float("inf")), ValueError, "the frequency of software PWM is 0.000001 to 1000000 Hz, not inf"),
    ],
)
def test_an_object_is_checked_in_this_order(out, arguments, error, text):
    RPIO.setup(4, IN)
    with raises(error, text):
        RPIO.PWM(*arguments)


@pytest.mark.parametrize(("duty", "level"), [(100 * (0.1 + 0.2) / 0.3, 1), (100.00000381, 1), (-1e-46, 0)])
def test_a_duty_cycle_that_a_c_float_rounds_to_0_or_100_is_that(out, duty, level):
    pwm = RPIO.PWM(18, 100)
    pwm.start(duty)
    pwm.ChangeDutyCycle(duty)
    out.advance(25)
    assert out.wave(18) == ("_-" if level else "_")


@pytest.mark.parametrize("duty", [-0.1, -1e-44, 100.1, 100.0000039, float("nan"), float("inf"), 1e9])
def test_a_duty_cycle_is_from_0_to_100(out, duty):
    pwm = RPIO.PWM(18, 100)
    for call in (pwm.start, pwm.ChangeDutyCycle):
        with raises(ValueError, "dutycycle must have a value from 0.0 to 100.0"):
            call(duty)
        with raises(TypeError, "must be real number, not str"):
            call("50")


def test_a_bad_change_leaves_the_wave_as_it_is(out):
    pwm = RPIO.PWM(18, 100)
    pwm.start(50)
    for call, value in ((pwm.ChangeDutyCycle, 101), (pwm.ChangeFrequency, 0), (pwm.start, -1)):
        with pytest.raises(ValueError, match="must"):
            call(value)
    out.advance(20)
    out.assert_wave(18, "-_-_", step_ms=5)


def test_a_start_that_fails_leaves_what_ran_as_it_was(out, monkeypatch):
    """Also for later: the line goes on with it when it has been an input, which keeps its last level here."""
    pwm = RPIO.PWM(18, 100)
    pwm.start(25)
    out.advance(20)

    def fail(line, period_ns, high_ns):
        raise OSError(errno.EIO, "the line does not answer")

    with monkeypatch.context() as patched:
        patched.setattr(out.sim, "pwm", fail)
        patched.setattr(out.sim, "change_pwm", fail)
        with pytest.raises(OSError, match="does not answer"):
            pwm.start(75)
    RPIO.setup(18, IN)
    out.advance(20)
    RPIO.setup(18, OUT)
    out.advance(40)
    out.assert_wave(18, "-___ -___ ---- ---- -___ -___ -___ -___", step_ms=2.5)


def test_setup_as_an_output_again_leaves_it_alone(out):
    pwm = RPIO.PWM(18, 100)
    pwm.start(50)
    out.advance(2)
    RPIO.setup(18, OUT)
    out.advance(1)
    RPIO.setup(18, OUT, initial=0)  # shows until the next edge
    out.advance(17)
    out.assert_wave(18, "---__ _____ ----- _____", step_ms=1)


def test_as_an_input_it_rests_and_as_an_output_again_it_goes_on(out):
    pwm = RPIO.PWM(18, 100)
    pwm.start(50)
    RPIO.setup(18, IN)
    out.advance(100)
    wave = out.wave(18)
    pwm.ChangeDutyCycle(20)
    pwm.ChangeFrequency(200)
    out.advance(100)
    assert out.wave(18) == wave
    with raises(RuntimeError, "You must setup() the GPIO channel as an output first"):
        pwm.start(50)
    pwm.ChangeDutyCycle(20)
    RPIO.setup(18, OUT)
    out.advance(10)
    assert out.wave(18, step_ms=1)[-10:] == "-____-____"


def test_an_object_that_has_stopped_changes_nothing_for_the_next(out):
    first = RPIO.PWM(18, 100)
    first.start(50)
    first._rpio_running = True  # as a thread that is between the two halves of ChangeDutyCycle()
    RPIO.facade.board.pulses.drives.end(18, first)
    second = RPIO.PWM(18, 100)
    second.start(50)
    RPIO.setup(18, IN)
    first.ChangeDutyCycle(90)
    RPIO.setup(18, OUT)
    out.advance(10)
    assert out.wave(18, step_ms=1) == "-----_____"


def test_after_cleanup_it_does_not_come_back_by_itself(out):
    pwm = RPIO.PWM(18, 100)
    pwm.start(50)
    RPIO.cleanup()
    RPIO.setup(18, OUT, initial=0)
    out.advance(50)
    assert out.wave(18)[-1] == "_"
    pwm.start(100)
    assert out.level(18) == 1


@pytest.mark.parametrize("clean_up", [(), (18,)], ids=["all", "one"])
@pytest.mark.parametrize("started", [True, False])
def test_after_cleanup_the_channel_is_free_for_a_new_object_which_the_old_one_does_not_disturb(
    out, clean_up, started
):
    old = RPIO.PWM(18, 100)
    if started:
        old.start(50)
    RPIO.cleanup(*clean_up)
    RPIO.setup(18, OUT, initial=0)
    new = RPIO.PWM(18, 100)
    new.start(50)
    out.advance(2)
    old.ChangeDutyCycle(10)
    old.ChangeFrequency(500)
    old.stop()
    with raises(RuntimeError, "A PWM object already exists for this GPIO channel"):
        old.start(10)
    del old
    gc.collect()
    out.advance(18)
    assert out.wave(18, step_ms=1)[-20:] == "-----_____-----_____"
    new.stop()
    RPIO.PWM(18, 100)


def test_an_old_object_leaves_alone_what_a_channel_has_become_after_cleanup(out):
    old = RPIO.PWM(18, 100)
    old.start(50)
    RPIO.cleanup()
    RPIO.setup(18, OUT, initial=1)
    old.ChangeDutyCycle(10)
    old.stop()
    del old
    gc.collect()
    assert out.level(18) == 1


def test_a_subclass_may_have_a_new_that_hands_its_arguments_on(out):
    class Lamp(RPIO.PWM):
        def __new__(cls, *arguments, **named):
            return super().__new__(cls, *arguments, **named)

        def __init__(self, name, pin, hz=100):
            super().__init__(pin, hz)

    lamp = Lamp("kitchen", 18, hz=200)
    lamp.start(100)
    assert out.level(18) == 1
    assert list(inspect.signature(RPIO.PWM).parameters) == ["channel", "frequency", "means"]
    assert list(inspect.signature(Lamp.__init__).parameters)[1:] == ["name", "pin", "hz"]


def test_a_subclass_may_have_attributes_of_any_name(out):
    class PWM(RPIO.PWM):
        def __init__(self, pin):
            self.__line = self.__duty = self.__running = "its own"
            super().__init__(pin, 100)

    names = {"duty", "line", "running", "period_ns", "asked_means", "times_ns", "end", "frequency", "channel"}
    names |= {f"_{name}" for name in names} | {name for name in dir(RPIO.PWM) if not name.startswith("_")}
    pwm = PWM(18)
    start, change, faster, stop = pwm.start, pwm.ChangeDutyCycle, pwm.ChangeFrequency, pwm.stop
    for name in names:
        setattr(pwm, name, "its own")
    start(50)
    change(20)
    faster(200)
    out.advance(15)
    out.assert_wave(18, "-----_____ -____", step_ms=1)
    stop()
    assert {getattr(pwm, name) for name in names} == {"its own"} and out.level(18) == 0


def test_a_stop_in_the_middle_of_start_ends_it_whatever_a_subclass_has_for_stop(out, monkeypatch):
    class Fade(RPIO.PWM):
        def stop(self):
            raise AssertionError("not called by RPIO")

    pwm, begin = Fade(18, 100), out.sim.pwm

    def interrupted(*arguments):
        begin(*arguments)
        RPIO.PWM.stop(pwm)

    monkeypatch.setattr(out.sim, "pwm", interrupted)
    pwm.start(100)
    assert out.level(18) == 0


def test_a_copy_is_another_object_and_does_not_end_the_first(out):
    pwm = RPIO.PWM(18, 100)
    pwm.start(100)
    for made in (copy.copy(pwm), copy.deepcopy(pwm)):
        with raises(RuntimeError, "A PWM object already exists for this GPIO channel"):
            made.start(50)
        made.stop()
        del made
    gc.collect()
    assert out.level(18) == 1
    with pytest.raises(pickle.PicklingError, match=r"attribute lookup PWM on RPIO\.PWM failed"):
        pickle.dumps(pwm)


def test_a_subclass_with_a_stop_of_its_own_is_let_go_of_without_it(out):
    called = []

    class Fade(RPIO.PWM):
        def stop(self):
            called.append(self.nothing)

    with raises(ValueError, "frequency must be greater than 0.0"):
        Fade(18, 0)
    fade = Fade(18, 100)
    fade.start(100)
    del fade
    gc.collect()
    assert called == [] and out.level(18) == 0


def test_cleanup_ends_it_and_the_object_can_still_be_stopped(out):
    pwm = RPIO.PWM(18, 100)
    pwm.start(100)
    RPIO.cleanup()
    pwm.ChangeDutyCycle(10)
    pwm.stop()
    del pwm
    assert RPIO.gpio_function(18) == IN


def test_the_channel_is_the_numbering_modes_and_stays_on_its_line(out):
    RPIO.setmode(BOARD)
    pwm = RPIO.PWM(12, 100)
    pwm.start(100)
    assert out.level(18) == 1


def test_setting_attributes_fails_and_subclassing_works(out):
    class Fade(RPIO.PWM):
        pass

    with pytest.raises(AttributeError):
        RPIO.PWM(18, 100).frequency = 5
    Fade(18, 100).start(50)


def test_pwm_needs_a_backend_that_has_it(out, monkeypatch):
    from RPIO.backends import Backend

    monkeypatch.setattr(out.sim, "pwm", lambda *arguments: Backend.pwm(out.sim, *arguments))
    with raises(NotImplementedError, "sim cannot do PWM"):
        RPIO.PWM(18, 100).start(50)


def test_the_module_is_its_class():
    assert importlib.import_module("RPIO.PWM") is RPIO.PWM
    assert RPIO.PWM.__spec__.name == "RPIO.PWM"
    assert isinstance(RPIO.PWM, type)


# --- what it says of itself


def test_a_pwm_object_says_what_it_does(rpio_board):
    RPIO.setup(18, RPIO.OUT)
    lamp = RPIO.PWM(18, 12.5)
    assert repr(lamp) == "<RPIO.PWM on GPIO 18: 12.5 Hz, stopped>"
    lamp.start(25)
    assert repr(lamp) == "<RPIO.PWM on GPIO 18: 12.5 Hz, 25 % by soft>"
    lamp.ChangeFrequency(1_000_000)
    assert repr(lamp) == "<RPIO.PWM on GPIO 18: 1000000 Hz, 25 % by soft>"
    lamp.stop()

    class Fan(RPIO.PWM):
        def __init__(self):
            assert repr(self).endswith(f"at {hex(id(self))}>")  # there is nothing to say yet
            super().__init__(18, 50)

    del lamp
    fan = Fan()
    assert repr(fan).endswith("Fan on GPIO 18: 50 Hz, stopped>")


def test_the_c_timer_says_which_frequency_it_cannot_keep(rpio_board, caplog):
    RPIO.setup(18, RPIO.OUT)
    lamp = RPIO.PWM(18, 5000)
    lamp.start(50)
    assert caplog.messages == []
    for frequency in (25_000, 25_000, 1_000_000, 1000):
        lamp.ChangeFrequency(frequency)
    lamp.ChangeDutyCycle(40)
    said = "GPIO 18: PWM at {} Hz by the C timer, which keeps 5000 Hz: expect fewer and uneven pulses. "
    assert [text.split("The hardware's")[0] for text in caplog.messages] == [
        said.format(25_000),
        said.format(1_000_000),
    ]


@pytest.mark.parametrize("moment", [1, 2, 3])
def test_an_object_that_could_not_be_made_has_no_line(out, monkeypatch, moment):
    """Whatever is raised in the middle, memory that lacks or Ctrl+C."""
    pulses, looks = facade.board.pulses.drives, []
    look, claim = pulses._check_owner, pulses.claim

    def lack(line, owner):
        look(line, owner)
        looks.append(line)
        if len(looks) == moment:
            raise MemoryError

    def interrupted(*arguments):
        claim(*arguments)
        if moment == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(pulses, "_check_owner", lack)
    monkeypatch.setattr(pulses, "claim", interrupted)
    with pytest.raises((MemoryError, KeyboardInterrupt)):
        RPIO.PWM(18, 50)
    monkeypatch.undo()
    others = [
        object.__new__(RPIO.PWM) for _ in range(10)
    ]  # one of them where that object was, and so with its id()
    RPIO.PWM(18, 50)
    del others
