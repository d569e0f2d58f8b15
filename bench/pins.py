# SPDX-License-Identifier: LGPL-3.0-or-later
"""gpiozero with RPIO's factory beside gpiozero with RPi.GPIO 0.7.1, unmodified, on the same fake registers.

bench/pins.py

On a real kernel's gpiochip, beside gpiozero with lgpio: bench/gpiochip.py.
"""

import json
import os
import random
import subprocess
import sys
import timeit
import warnings
from pathlib import Path

from table import blank, filled, report

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "source" / "tests"))

CALLS = {
    # what is called -> statement, what ours may take of theirs
    "LED.on()": ("led.on()", 1.0),
    "pin.state = 1": ("pin.state = 1", 0.7),
    "pin.state": ("other.state", None),
    "LED.value": ("led.value", None),
    "PWMLED.value = 0.5": ("dimmed.value = 0.5", None),
}
ROUNDS, NUMBER = 40, 5_000
PEER = "gpiozero, RPi.GPIO"
ROWS = [blank(f"pins: {what}", PEER, "ns", bar) for what, (_, bar) in CALLS.items()]


def calls_ns():
    """What -> library -> the best of all rounds, in nanoseconds. Runs on the fake Pi."""
    from gpiozero import LED, PWMLED
    from gpiozero.pins.rpigpio import RPiGPIOFactory

    from RPIO.gpiozero_pins import RPIOFactory

    warnings.simplefilter("ignore")
    timers = {}
    for name, factory, lines in (
        ("theirs", RPiGPIOFactory(), (17, 18, 22)),
        ("ours", RPIOFactory(), (23, 24, 25)),
    ):
        led, dimmed = LED(lines[0], pin_factory=factory), PWMLED(lines[1], pin_factory=factory)
        other = factory.pin(lines[2])
        other.input_with_pull("up")
        names = {"led": led, "pin": led.pin, "other": other, "dimmed": dimmed}
        timers |= {(what, name): timeit.Timer(call, globals=names) for what, (call, _) in CALLS.items()}
    found = {}
    for _ in range(ROUNDS):
        for key in random.sample(list(timers), len(timers)):
            took = timers[key].timeit(NUMBER) / NUMBER * 1e9
            found[key] = min(took, found.get(key, took))
    return {what: {name: found[what, name] for name in ("theirs", "ours")} for what in CALLS}


def rows():
    """The rows of the table."""
    from peers import fakepi, peers

    path = os.pathsep.join(map(str, (peers.rpi_gpio(), peers.installed("gpiozero", "colorzero"))))
    done = subprocess.run(
        [*fakepi.command(), sys.executable, __file__, "on-the-fake-pi"],
        env={**os.environ, "PYTHONPATH": path, "RPIO_BACKEND": "regs"},
        stdout=subprocess.PIPE,
        check=True,
    )
    found = json.loads(done.stdout)
    return filled(ROWS, [(took["theirs"], took["ours"]) for took in found.values()])


if __name__ == "__main__":
    if sys.argv[1:] == ["on-the-fake-pi"]:
        print(json.dumps(calls_ns()), flush=True)
        os._exit(0)
    else:
        report(rows())
