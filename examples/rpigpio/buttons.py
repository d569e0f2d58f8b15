# SPDX-License-Identifier: LGPL-3.0-or-later
"""Two buttons count up and down, and each press counts once though contacts bounce.

Wiring: the buttons from GPIO 20 and GPIO 21 to ground, nothing else: the pull-ups are in the chip.
"""

import argparse
import time

import RPi.GPIO as GPIO

UP, DOWN = 20, 21

# A contact that closes or opens does so a few times within some milliseconds:
#
#     open     ───┐ ┌┐ ┌┐             ┌┐ ┌┐┌─────
#     pressed     └─┘└─┘└─────────────┘└─┘└┘
#                 ^ ^  ^               ^  ^        falling edges: five, for one press
#
# bouncetime ignores those within 50 ms after the first. When the button is let go of, later, the line falls again;
# these we tell from a press by looking once more a bit later: after a real one the line is still low.
BOUNCE_MS = 50
LOOK_AGAIN_S = 0.005


class Counter:
    """A number and its two buttons."""

    def __init__(self, up=UP, down=DOWN, on_change=None):
        self.value = 0
        self.on_change = on_change
        self._steps = {up: 1, down: -1}
        for pin in self._steps:
            GPIO.setup(pin, GPIO.IN, pull_up_down=GPIO.PUD_UP)
            GPIO.add_event_detect(pin, GPIO.FALLING, callback=self._pressed, bouncetime=BOUNCE_MS)

    def _pressed(self, pin):
        time.sleep(LOOK_AGAIN_S)
        if GPIO.input(pin) == GPIO.HIGH:
            return  # it was let go of, not pressed
        self.value += self._steps[pin]
        if self.on_change is not None:
            self.on_change(self.value)


def main():
    argparse.ArgumentParser(description="Count with two buttons.").parse_args()
    GPIO.setmode(GPIO.BCM)
    try:
        Counter(on_change=print)
        print("Press the buttons; Ctrl+C ends it.")
        while True:
            time.sleep(1)
    except KeyboardInterrupt:
        pass
    finally:
        GPIO.cleanup()


if __name__ == "__main__":
    main()
