# SPDX-License-Identifier: LGPL-3.0-or-later
"""Fade an LED in and out with PWM.

Wiring: the LED with a resistor of 330 ohms from GPIO 18 to ground.
"""

import argparse
import time

import RPi.GPIO as GPIO

PIN = 18
FREQUENCY_HZ = 200  # above 100 no eye sees it flicker


def levels(steps):
    """Return the duty cycles of one fade, 0 up to 100 and down to 0, in percent.

    Squared, because eyes tell dark from darker better than bright from brighter: in even steps the LED would seem to
    be on nearly at once.
    """
    up = [100 * (n / steps) ** 2 for n in range(steps + 1)]
    return up + up[-2::-1]


def fade(pwm, times, steps=50, pause=0.02):
    for _ in range(times):
        for duty in levels(steps):
            pwm.ChangeDutyCycle(duty)
            time.sleep(pause)


def main():
    parser = argparse.ArgumentParser(description="Fade an LED in and out.")
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--steps", type=int, default=50)
    arguments = parser.parse_args()
    GPIO.setmode(GPIO.BCM)
    try:
        GPIO.setup(PIN, GPIO.OUT, initial=GPIO.LOW)
        pwm = GPIO.PWM(PIN, FREQUENCY_HZ)
        pwm.start(0)
        fade(pwm, arguments.times, arguments.steps)
        pwm.stop()
    except KeyboardInterrupt:
        pass
    finally:
        GPIO.cleanup()


if __name__ == "__main__":
    main()
