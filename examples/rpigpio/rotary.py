# SPDX-License-Identifier: LGPL-3.0-or-later
"""A rotary encoder (KY-040) as a volume knob: turn it to change a number, press it to set it to 0.

Wiring: CLK to GPIO 17, DT to GPIO 18, SW to GPIO 27, + to 3V3, GND to ground.
"""

import argparse
import time

import RPi.GPIO as GPIO

# A and B are two contacts that open and close one after the other. Which one moves first tells the direction:
#
#     A  ──┐   ┌───        A  ────┐   ┌─
#     B  ────┐   ┌─        B  ──┐   ┌───
#        clockwise         counter-clockwise
#
# (A, B) before and (A, B) now -> a quarter of a click to the right (1) or to the left (-1). Everything that is not in
# the table cannot happen by turning: it is a contact that bounces, and does not count.
QUARTERS = {
    ((1, 1), (0, 1)): 1,
    ((0, 1), (0, 0)): 1,
    ((0, 0), (1, 0)): 1,
    ((1, 0), (1, 1)): 1,
    ((1, 1), (1, 0)): -1,
    ((1, 0), (0, 0)): -1,
    ((0, 0), (0, 1)): -1,
    ((0, 1), (1, 1)): -1,
}


class Knob:
    """Counts the clicks of an encoder; *position* is where it is."""

    def __init__(self, clk, dt, sw, on_turn=None):
        self.clk, self.dt, self.sw = clk, dt, sw
        self.on_turn = on_turn
        self.position = 0
        self._quarters = 0
        GPIO.setup([clk, dt, sw], GPIO.IN, pull_up_down=GPIO.PUD_UP)
        self._state = self._read()
        for channel in (clk, dt):
            GPIO.add_event_detect(channel, GPIO.BOTH, callback=self._moved)
        GPIO.add_event_detect(sw, GPIO.FALLING, callback=self._pressed, bouncetime=200)

    def _read(self):
        return GPIO.input(self.clk), GPIO.input(self.dt)

    def _moved(self, channel):
        state = self._read()
        self._quarters += QUARTERS.get((self._state, state), 0)
        self._state = state
        if state == (1, 1):  # at rest in a click: four quarters make one
            self._set(self.position + round(self._quarters / 4))
            self._quarters = 0

    def _pressed(self, channel):
        self._set(0)

    def _set(self, position):
        if position != self.position:
            self.position = position
            if self.on_turn is not None:
                self.on_turn(position)


def main():
    parser = argparse.ArgumentParser(description="Show the position of a rotary encoder.")
    parser.add_argument("--pins", type=int, nargs=3, default=(17, 18, 27), metavar=("CLK", "DT", "SW"))
    arguments = parser.parse_args()
    GPIO.setmode(GPIO.BCM)
    try:
        Knob(*arguments.pins, on_turn=lambda position: print("position", position))
        print("Turn the knob; Ctrl+C ends it.")
        while True:
            time.sleep(1)  # the callbacks do the work
    except KeyboardInterrupt:
        pass
    finally:
        GPIO.cleanup()


if __name__ == "__main__":
    main()
