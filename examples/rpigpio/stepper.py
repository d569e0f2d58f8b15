# SPDX-License-Identifier: LGPL-3.0-or-later
"""Turn a stepper motor (28BYJ-48 with its ULN2003 board) by so many degrees.

Wiring: IN1 to GPIO 6, IN2 to GPIO 13, IN3 to GPIO 19, IN4 to GPIO 26, + to 5 V (a supply of its own is better), - to
ground.
"""

import argparse
import time

import RPi.GPIO as GPIO

PINS = (6, 13, 19, 26)
HALF_STEPS = (
    (1, 0, 0, 0),
    (1, 1, 0, 0),
    (0, 1, 0, 0),
    (0, 1, 1, 0),
    (0, 0, 1, 0),
    (0, 0, 1, 1),
    (0, 0, 0, 1),
    (1, 0, 0, 1),
)  # one coil, two, the next one, ...: the magnet is pulled on by half a step each time
HALF_STEPS_A_TURN = 4096  # 64 of the motor, through a gear of 64 to 1


class Stepper:
    """A motor on four outputs. *position* counts half-steps."""

    def __init__(self, pins=PINS, delay=0.001):
        self.pins = list(pins)
        self.delay = delay  # seconds for each half-step; a motor that is driven faster only hums
        self.position = 0
        GPIO.setup(self.pins, GPIO.OUT, initial=GPIO.LOW)

    def step(self, count):
        """Go so many half-steps, backwards with a negative count."""
        for _ in range(abs(count)):
            self.position += 1 if count > 0 else -1
            GPIO.output(self.pins, HALF_STEPS[self.position % 8])
            time.sleep(self.delay)

    def turn(self, degrees):
        """Turn the shaft."""
        self.step(round(degrees / 360 * HALF_STEPS_A_TURN))

    def release(self):
        """Switch the coils off, or they get hot; the gear holds the shaft."""
        GPIO.output(self.pins, GPIO.LOW)


def main():
    parser = argparse.ArgumentParser(description="Turn a stepper motor.")
    parser.add_argument("degrees", type=float, nargs="?", default=90)
    parser.add_argument("--delay", type=float, default=0.001, help="seconds for each half-step")
    arguments = parser.parse_args()
    GPIO.setmode(GPIO.BCM)
    try:
        motor = Stepper(delay=arguments.delay)
        motor.turn(arguments.degrees)
        motor.release()
        print(f"turned by {arguments.degrees:g} degrees, {abs(motor.position)} half-steps")
    except KeyboardInterrupt:
        pass
    finally:
        GPIO.cleanup()


if __name__ == "__main__":
    main()
