# SPDX-License-Identifier: LGPL-3.0-or-later
"""A keypad of 4 x 4 keys on eight lines: print each key that is pressed.

Wiring: the rows, from the top, to GPIO 5, 6, 13, 19; the columns, from the left, to GPIO 12, 16, 20, 21. Keypads with
a flat cable have the four rows first.
"""

import argparse
import time

import RPi.GPIO as GPIO

ROWS = (5, 6, 13, 19)
COLUMNS = (12, 16, 20, 21)
KEYS = ("123A", "456B", "789C", "*0#D")


def setup():
    """Columns have pull-ups: without a key they are high. Rows rest as inputs."""
    GPIO.setup(COLUMNS, GPIO.IN, pull_up_down=GPIO.PUD_UP)
    GPIO.setup(ROWS, GPIO.IN)


def pressed():
    """Return the keys that are down now, as text: "", "5", or "15" for two.

    One row after the other is pulled low; a key that is down pulls its column low, too. The other rows are inputs
    meanwhile: if they were high, two keys in one column would join a high output with a low one.
    """
    keys = ""
    for row, names in zip(ROWS, KEYS):
        GPIO.setup(row, GPIO.OUT, initial=GPIO.LOW)
        keys += "".join(name for column, name in zip(COLUMNS, names) if not GPIO.input(column))
        GPIO.setup(row, GPIO.IN)
    return keys


def watch(on_key, pause=0.01):
    """Call on_key(name) for each key that goes down, until Ctrl+C.

    Looking only every 10 ms is what keeps bouncing contacts from counting twice.
    """
    before = ""
    while True:
        now = pressed()
        for name in now:
            if name not in before:
                on_key(name)
        before = now
        time.sleep(pause)


def main():
    argparse.ArgumentParser(description="Print the keys that are pressed on a 4 x 4 keypad.").parse_args()
    GPIO.setmode(GPIO.BCM)
    try:
        setup()
        print("Press keys; Ctrl+C ends it.")
        watch(lambda name: print("key", name))
    except KeyboardInterrupt:
        pass
    finally:
        GPIO.cleanup()


if __name__ == "__main__":
    main()
