# SPDX-License-Identifier: LGPL-3.0-or-later
"""Read temperature and humidity from a DHT11 or DHT22, by timing the pulses on its one wire.

Wiring: DATA to GPIO 4, with a resistor of 10 kilohms from DATA to 3V3; VCC to 3V3, GND to ground.
"""

import argparse
import sys
import time

import RPi.GPIO as GPIO

# The wire rests high. We pull it low for a moment, the sensor answers and sends 40 bits, each a short low and a high:
#
#     us   ... we, low   wait   low  high   low    high     low      high
#              20000     30     80    80    50   26 is 0    50    70 is 1    ...
#
# So from one falling edge to the next it is 76 us for a 0, and 120 us for a 1.
BETWEEN_0_AND_1_S = 0.000098
SILENCE_S = 0.001  # the sensor has said all that it had to say
WAKE_UP_S = 0.020


def falling_edges(pin):
    """Ask the sensor, and return the times of all falling edges of its answer."""
    GPIO.setup(pin, GPIO.OUT, initial=GPIO.LOW)
    time.sleep(WAKE_UP_S)
    GPIO.setup(pin, GPIO.IN, pull_up_down=GPIO.PUD_UP)  # let go of the wire
    times = []
    before = 1
    now = last = time.perf_counter()
    while now - last < SILENCE_S:  # no prints or sleeps in here: a bit is over in 76 us
        level = GPIO.input(pin)
        now = time.perf_counter()
        if before and not level:
            times.append(now)
            last = now
        before = level
    return times


def bytes_of(times):
    """Turn falling edges into the five bytes that were sent; None when some got lost."""
    gaps = [b - a for a, b in zip(times, times[1:])]
    if len(gaps) < 40:
        return None
    bits = ["1" if gap > BETWEEN_0_AND_1_S else "0" for gap in gaps[-40:]]  # the answer comes before them
    data = [int("".join(bits[i : i + 8]), 2) for i in range(0, 40, 8)]
    return data if sum(data[:4]) % 256 == data[4] else None  # the fifth byte is a checksum


def decode(data, kind):
    """Return (temperature in degrees Celsius, relative humidity in percent)."""
    if kind == 11:
        return data[2] + data[3] / 10, data[0] + data[1] / 10
    temperature = ((data[2] & 0x7F) * 256 + data[3]) / 10
    return -temperature if data[2] & 0x80 else temperature, (data[0] * 256 + data[1]) / 10


def read(pin, kind=22, tries=5, pause=2.0):
    """Return (temperature, humidity), or None when the sensor did not answer *tries* times.

    Linux may be busy with something else at the wrong moment: a lost bit is normal, so is a second try.
    """
    for attempt in range(tries):
        if attempt:
            time.sleep(pause)  # the sensor measures every two seconds
        data = bytes_of(falling_edges(pin))
        if data is not None:
            return decode(data, kind)
    return None


def main():
    parser = argparse.ArgumentParser(description="Read a DHT11 or DHT22.")
    parser.add_argument("--pin", type=int, default=4)
    parser.add_argument("--sensor", type=int, choices=(11, 22), default=22)
    parser.add_argument("--tries", type=int, default=5)
    arguments = parser.parse_args()
    GPIO.setmode(GPIO.BCM)
    try:
        answer = read(arguments.pin, arguments.sensor, arguments.tries)
    finally:
        GPIO.cleanup()
    if answer is None:
        sys.exit(f"no answer from a sensor on GPIO {arguments.pin}")
    print("{:.1f} degrees Celsius, {:.1f} % humidity".format(*answer))


if __name__ == "__main__":
    main()
