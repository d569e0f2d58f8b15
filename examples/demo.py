# SPDX-License-Identifier: LGPL-3.0-or-later
"""What ``make run`` starts: interrupts.py, on this machine's board or on a simulated one.

On a simulated board a second port, 8081, plays the outside world: the line "7 1" drives GPIO 7 high.
"""

import os
import runpy
import sys

import RPIO
from RPIO.facade import board

WORLD_PORT = 8081
HELP = 'say "GPIO LEVEL", for example: 7 1 (or: 7 off, to let go of the line)\n'
LEVELS = {"0": 0, "1": 1, "off": None}


def move(line):
    """Carry out one "GPIO LEVEL" and return the answer."""
    match line.split():
        case [gpio, level] if gpio.isdecimal() and level in LEVELS:
            try:
                RPIO.sim.drive(int(gpio), LEVELS[level])
            except ValueError as e:
                return f"GPIO {gpio}: {e}\n"
            return f"GPIO {gpio} is {RPIO.sim.level(int(gpio))}\n"
    return HELP


def move_the_world(socket, message):
    """Drive simulated inputs, a line of the message each."""
    socket.send("".join(move(line) for line in message.splitlines()))


def main():
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    sys.stdout.reconfigure(line_buffering=True)
    simulated = board.backend.name == "sim"
    print(f"Board: {RPIO.describe()}")
    print("GPIO 7 and GPIO 9 (with pull-up) are watched; TCP port 8080 echoes. Ctrl+C ends it.")
    print("Type in another terminal (nc does as well as telnet):")
    print("    telnet localhost 8080     then any text: it comes back")
    if simulated:
        RPIO.sim.drive(7, 0)
        print(
            f"    telnet localhost {WORLD_PORT}     then 7 1, then 7 0: GPIO 7 moves, its callback prints here"
        )
    else:
        print("and connect GPIO 7 or GPIO 9 to ground for a moment.")
    try:
        if simulated:
            RPIO.add_tcp_callback(WORLD_PORT, move_the_world, host="127.0.0.1")
        runpy.run_path(os.path.join(os.path.dirname(os.path.abspath(__file__)), "interrupts.py"))
    except KeyboardInterrupt:
        print("\nbye")
    except OSError as e:
        sys.exit(f"{e.strerror or e}\n{getattr(e, 'hint', '')}".rstrip())


if __name__ == "__main__":
    main()
