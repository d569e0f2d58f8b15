# SPDX-License-Identifier: LGPL-3.0-or-later
"""Show text and the time on a display of 16 x 2 characters (HD44780), with the package RPLCD: pip install RPLCD

Wiring: RS (4) to GPIO 25, E (6) to GPIO 24, D4 to D7 (11 to 14) to GPIO 23, 17, 18, 22; RW (5), VSS (1) and K (16) to
ground, VDD (2) and A (15, through 220 ohms) to 5 V, and the contrast VO (3) to a potentiometer of 10 kilohms.
"""

import argparse
import time

import RPi.GPIO as GPIO
from RPLCD.gpio import CharLCD


def make_display():
    return CharLCD(
        numbering_mode=GPIO.BCM,
        pin_rs=25,
        pin_e=24,
        pins_data=[23, 17, 18, 22],
        cols=16,
        rows=2,
        auto_linebreaks=False,
    )


def show(display, text, second_row):
    """Write both rows, without a flicker: over what was there, not after a clear()."""
    for row, line in enumerate((text, second_row)):
        display.cursor_pos = (row, 0)
        display.write_string(line[:16].ljust(16))


def scroll(text, width=16):
    """Yield what the first row shows, one after the other; a text that fits stands still."""
    if len(text) <= width:
        while True:
            yield text
    loop = text + "   "
    while True:
        yield (loop * 2)[:width]
        loop = loop[1:] + loop[0]


def main():
    parser = argparse.ArgumentParser(description="Show text and the time on a character display.")
    parser.add_argument("text", nargs="?", default="Hello from the Raspberry Pi")
    parser.add_argument("--seconds", type=float, help="end after so many; without it, at Ctrl+C")
    arguments = parser.parse_args()
    display = make_display()
    try:
        print("On the display:", arguments.text, flush=True)
        end = None if arguments.seconds is None else time.monotonic() + arguments.seconds
        for text in scroll(arguments.text):
            show(display, text, time.strftime("%H:%M:%S"))
            if end is not None and time.monotonic() >= end:
                break
            time.sleep(0.4)
    except KeyboardInterrupt:
        pass
    finally:
        display.close(clear=True)


if __name__ == "__main__":
    main()
