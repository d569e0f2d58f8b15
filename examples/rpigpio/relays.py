# SPDX-License-Identifier: LGPL-3.0-or-later
"""Two relays move a roller blind up and down. Never both at once: that would burn its motor.

Wiring: IN1 to GPIO 5 (up), IN2 to GPIO 6 (down), VCC to 5 V (JD-VCC, where there is one), GND to ground. Try it without
the motor first, and leave mains voltage to those who have learned it.
"""

import argparse
import time

import RPi.GPIO as GPIO

UP, DOWN = 5, 6
ON, OFF = GPIO.LOW, GPIO.HIGH  # a relay board like this one is active low: 0 switches on
PAUSE_S = 0.5  # between the directions, for the motor to stop and the contacts to open


class Blind:
    """The two relays, one of which may be on."""

    def __init__(self, up=UP, down=DOWN):
        self.up, self.down = up, down
        # With initial=, a line is high from its first moment as an output. setup() first and output() later would
        # switch both relays on for a moment.
        GPIO.setup([up, down], GPIO.OUT, initial=OFF)

    def stop(self):
        GPIO.output([self.up, self.down], OFF)

    def move(self, direction):
        """Go "up" or "down"; what goes the other way is switched off first."""
        relay, other = (self.up, self.down) if direction == "up" else (self.down, self.up)
        if GPIO.input(other) == ON:
            GPIO.output(other, OFF)
            time.sleep(PAUSE_S)
        GPIO.output(relay, ON)

    def move_for(self, direction, seconds):
        """Move, and stop whatever happens: Ctrl+C must not leave a motor running."""
        try:
            self.move(direction)
            time.sleep(seconds)
        finally:
            self.stop()


def main():
    parser = argparse.ArgumentParser(description="Move a roller blind.")
    parser.add_argument("direction", choices=("up", "down"))
    parser.add_argument("seconds", type=float, nargs="?", default=10)
    arguments = parser.parse_args()
    GPIO.setmode(GPIO.BCM)
    try:
        blind = Blind()
        print(f"{arguments.direction} for {arguments.seconds:g} s; Ctrl+C stops it.", flush=True)
        blind.move_for(arguments.direction, arguments.seconds)
    except KeyboardInterrupt:
        print("stopped")
    finally:
        GPIO.cleanup()  # inputs again: the board's own pull-ups keep the relays off


if __name__ == "__main__":
    main()
