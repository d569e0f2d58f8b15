# SPDX-License-Identifier: LGPL-3.0-or-later
"""Move a servo (SG90 and its like) to an angle.

Wiring: the orange wire to GPIO 12, red to 5 V (a supply of its own is better), brown to ground.
"""

import argparse
import time

import RPi.GPIO as GPIO

PIN = 12
FREQUENCY_HZ = 50  # a pulse every 20 ms; its length says where to go
SHORTEST_MS, LONGEST_MS = 0.5, 2.5  # for 0 and 180 degrees; many servos want 1 and 2, see its data sheet


def duty_cycle(angle):
    """Return the percentage of 20 ms that the pulse for an angle takes."""
    if not 0 <= angle <= 180:
        raise ValueError(f"a servo turns from 0 to 180 degrees, not to {angle:g}")
    pulse_ms = SHORTEST_MS + (LONGEST_MS - SHORTEST_MS) * angle / 180
    return 100 * pulse_ms * FREQUENCY_HZ / 1000


def main():
    parser = argparse.ArgumentParser(description="Move a servo to one angle after the other.")
    parser.add_argument("angles", type=float, nargs="*", default=[0, 90, 180, 90])
    parser.add_argument("--pause", type=float, default=0.5, help="seconds at each")
    arguments = parser.parse_args()
    GPIO.setmode(GPIO.BCM)
    try:
        GPIO.setup(PIN, GPIO.OUT, initial=GPIO.LOW)
        servo = GPIO.PWM(PIN, FREQUENCY_HZ)
        servo.start(0)  # no pulses yet: the servo stays where it is
        for angle in arguments.angles:
            print(f"{angle:g} degrees", flush=True)
            servo.ChangeDutyCycle(duty_cycle(angle))
            time.sleep(arguments.pause)
        servo.ChangeDutyCycle(0)
        time.sleep(
            2 / FREQUENCY_HZ
        )  # the last pulse comes to its end: one that is cut short would make it twitch
        servo.stop()
    except KeyboardInterrupt:
        pass
    finally:
        GPIO.cleanup()


if __name__ == "__main__":
    main()
