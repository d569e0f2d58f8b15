# SPDX-License-Identifier: LGPL-3.0-or-later
"""Eight LEDs on three lines: a shift register (74HC595) and a running light.

Wiring: SER (14) to GPIO 17, SRCLK (11) to GPIO 27, RCLK (12) to GPIO 22; OE (13) and GND (8) to ground, SRCLR (10)
and VCC (16) to 3V3. An LED with its resistor from each of QA to QH (15, 1 to 7) to ground.
"""

import argparse
import time

import RPi.GPIO as GPIO

DATA, CLOCK, LATCH = 17, 27, 22


def setup():
    GPIO.setup([DATA, CLOCK, LATCH], GPIO.OUT, initial=GPIO.LOW)


def pulse(pin):
    """Up and down again: the chip does its thing when the line goes up."""
    GPIO.output(pin, GPIO.HIGH)
    GPIO.output(pin, GPIO.LOW)


def show(byte):
    """Shift eight bits in, the highest first, then show them on the outputs all at once."""
    for bit in range(7, -1, -1):
        GPIO.output(DATA, byte >> bit & 1)
        pulse(CLOCK)
    pulse(LATCH)


def running_light(rounds, pause):
    """One light goes from QA to QH and back."""
    for _ in range(rounds):
        for position in (0, 1, 2, 3, 4, 5, 6, 7, 6, 5, 4, 3, 2, 1):
            show(1 << position)
            time.sleep(pause)
    show(0)


def main():
    parser = argparse.ArgumentParser(description="A running light on a 74HC595, or one pattern.")
    parser.add_argument("pattern", nargs="?", help="eight times 0 or 1, for QH to QA; it stays")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pause", type=float, default=0.1, help="seconds")
    arguments = parser.parse_args()
    GPIO.setmode(GPIO.BCM)
    try:
        setup()
        if arguments.pattern:
            show(int(arguments.pattern, 2))  # the chip remembers it, after the program too
        else:
            running_light(arguments.rounds, arguments.pause)
    except KeyboardInterrupt:
        show(0)
    finally:
        GPIO.cleanup()


if __name__ == "__main__":
    main()
