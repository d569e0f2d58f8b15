# SPDX-License-Identifier: LGPL-3.0-or-later
"""Measure a distance with ultrasound (HC-SR04): send a ping, time the echo.

Wiring: TRIG to GPIO 23, VCC to 5 V, GND to ground. ECHO is a signal of 5 V, too much for a Raspberry Pi: from ECHO
a resistor of 1 kilohm to GPIO 24, and from GPIO 24 one of 2 kilohms to ground.
"""

import argparse
import statistics
import time

import RPi.GPIO as GPIO

TRIGGER, ECHO = 23, 24
CM_PER_S = 34300  # sound, at 20 degrees Celsius
TIMEOUT_S = 0.04  # the sensor itself gives up after 38 ms


def setup():
    GPIO.setup(TRIGGER, GPIO.OUT, initial=GPIO.LOW)
    GPIO.setup(ECHO, GPIO.IN)


def wait_for(level):
    """Wait until ECHO has that level; return the time when it had, None when it took too long."""
    start = now = time.perf_counter()
    while GPIO.input(ECHO) != level:
        now = time.perf_counter()
        if now - start > TIMEOUT_S:
            return None
    return now


def measure():
    """Return the distance in centimetres; None when there was no echo."""
    GPIO.output(TRIGGER, GPIO.HIGH)
    time.sleep(0.00001)
    GPIO.output(TRIGGER, GPIO.LOW)
    start = wait_for(1)  # ECHO is high for as long as the sound is on its way
    end = start and wait_for(0)
    if not end:
        return None
    return (end - start) * CM_PER_S / 2  # there and back


def measure_well(count=5):
    """Return the median of several measurements: one that went wrong does not count."""
    found = []
    for _ in range(count):
        distance = measure()
        if distance is not None:
            found.append(distance)
        time.sleep(0.06)  # until the last echo has died away
    return statistics.median(found) if found else None


def main():
    parser = argparse.ArgumentParser(description="Measure distances with an HC-SR04.")
    parser.add_argument("--count", type=int, default=0, help="so many times; without it, until Ctrl+C")
    arguments = parser.parse_args()
    GPIO.setmode(GPIO.BCM)
    try:
        setup()
        done = 0
        while done < arguments.count or not arguments.count:
            distance = measure_well()
            print("no echo" if distance is None else f"{distance:.1f} cm", flush=True)
            done += 1
    except KeyboardInterrupt:
        pass
    finally:
        GPIO.cleanup()


if __name__ == "__main__":
    main()
