# SPDX-License-Identifier: LGPL-3.0-or-later
"""gpiozero's devices on a real kernel's gpiochip, by RPIO's factory; its own tests there are in peers/test_gpiozero."""

import gc
import threading
import time

import pytest

pytest.importorskip("gpiozero")

from gpiozero import LED, PWMLED, Button, RotaryEncoder
from gpiozero.exc import GPIOPinInUse, PinInvalidPin

from RPIO.gpiozero_pins import RPIOFactory
from waiting import wait_until

pytestmark = pytest.mark.filterwarnings("ignore::gpiozero.PWMSoftwareFallback")


@pytest.fixture
def factory(chip):
    """Pins of a chip that belongs to no Raspberry Pi."""
    with RPIOFactory(f"cdev:{chip.path}") as made:
        yield made


def test_a_chip_of_no_raspberry_pi_has_devices_on_all_of_its_lines(chip, factory):
    with LED(15, pin_factory=factory) as led, PWMLED("GPIO3", pin_factory=factory) as dimmed:
        led.on()
        assert (chip.level(15), led.value) == (1, 1)
        led.off()
        assert chip.level(15) == 0
        dimmed.value = 0.5
        assert wait_until(lambda: chip.level(3) == 1)
        assert wait_until(lambda: chip.level(3) == 0)
    with pytest.raises(PinInvalidPin):
        LED(16, pin_factory=factory)
    assert chip.consumer(15) == ""


def test_a_press_is_heard_with_the_kernels_time(chip, factory):
    heard, pressed = [], threading.Event()
    with Button(4, pin_factory=factory) as button:
        assert chip.pull(4) == "pull-up"
        button.when_pressed = pressed.set
        changed = button.pin.when_changed
        button.pin.when_changed = note = lambda ticks, state: (
            heard.append((ticks, state)),
            changed(ticks, state),
        )
        before = time.monotonic_ns()
        chip.drive(4, 0)
        assert pressed.wait(60)
        assert [state for _, state in heard] == [0]
        assert before <= heard[0][0] <= factory.ticks()
        assert button.is_pressed
    del note


def test_a_line_that_another_program_holds_is_in_use_by_that(chip, factory):
    with (
        RPIOFactory(f"cdev:{chip.path}") as other,
        LED(5, pin_factory=other),
        pytest.raises(GPIOPinInUse, match="RPIO"),
    ):
        LED(5, pin_factory=factory)
    gc.collect()  # gpiozero reserves the pin for a device that could not be made, until it is gone
    with LED(5, pin_factory=factory) as led:
        led.on()
        assert chip.level(5) == 1


def test_an_encoder_counts_exactly_however_late_its_callbacks_come(chip, factory):
    with RotaryEncoder(6, 7, max_steps=0, pin_factory=factory) as encoder:
        steps = 0
        for clockwise, turns in ((True, 200), (False, 120), (True, 50)):
            first, second = (6, 7) if clockwise else (7, 6)
            run = factory.board.dispatcher.claim()  # nobody listens meanwhile
            for _ in range(turns):
                for line, level in ((first, 0), (second, 0), (first, 1), (second, 1)):
                    chip.drive(line, level)
            run.is_over = True
            factory.board.dispatcher.release(run)
            steps += turns if clockwise else -turns
            assert wait_until(lambda steps=steps: encoder.steps == steps), encoder.steps
        assert factory.board.events_lost() == 0
