# SPDX-License-Identifier: LGPL-3.0-or-later
"""The board that gpiozero's tests for real pins want, with two lines that are wired: for the plugins beside."""

import sys
import time
from pathlib import Path

import RPIO
from RPIO.backends.remote import RemoteBackend
from RPIO.backends.sim import SimBackend
from RPIO.machine.boards import by_name

sys.path.append(str(Path(__file__).parents[1]))
import behind

TEST_PIN, INPUT_PIN = 22, 27  # what test_real_pins.py has for a default
READ_S = 10e-6


class Board(SimBackend):
    """A simulated Pi 3B+ that is no faster than a real one: who reads 20000 times sees some hundred pulses of PWM."""

    def read(self, line: int) -> int:
        time.sleep(READ_S)
        return super().read(line)


def use_wired_board() -> str:
    """Have it be the board of ``import RPIO``; under ``rpio run --on``, have the host's be wired so.

    Returns the word for it where it is served by this process.
    """
    where = ""
    if not isinstance(RPIO.facade.board.backend, RemoteBackend):
        where = behind.use(Board(by_name("3B+")))
    RPIO.sim.wire(TEST_PIN, INPUT_PIN)
    return where
