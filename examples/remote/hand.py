# SPDX-License-Identifier: LGPL-3.0-or-later
"""A hand that presses the button of lamp.py from a program of its own, and looks at the lamp. See there.

RPIO_BACKEND=sim:shared python hand.py [TIMES]
"""

import sys
import time

import RPIO

BUTTON, LAMP = 17, 18


def main(times):
    if not RPIO.sim.is_watched(BUTTON):
        sys.exit("nobody listens to GPIO 17: start lamp.py first")
    for _ in range(times):
        before = RPIO.sim.level(LAMP)
        RPIO.sim.press(BUTTON, ms=100)
        while RPIO.sim.level(LAMP) == before:
            time.sleep(0.01)
        print("pressed: GPIO 18 is", "high" if RPIO.sim.level(LAMP) else "low", flush=True)
        time.sleep(0.4)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
