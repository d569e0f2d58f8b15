# SPDX-License-Identifier: LGPL-3.0-or-later
"""Run RPi.GPIO's own test/test.py, unmodified, on RPIO and a simulated board with the circuit that it asks for.

    python rpigpio_own.py PATH/test.py [arguments of unittest]

The circuit, from the text at its head: pin 12 has an LED, pin 18 a switch to ground, pins 16 and 22 are joined. The
test looks into /sys/class/gpio, where RPi.GPIO exports a line that it watches, and takes lines away from itself
there; what it means is asked of the simulated board. Who answers its questions looks at that board, too.

Under `rpio run --on HOST` the board is that of the host, and what is done in /sys is done there.
"""

from __future__ import annotations

import builtins
import io
import os
import re
import runpy
import signal
import sys
import threading
import time
import unittest
from collections.abc import Callable
from pathlib import Path

import RPIO
from RPIO.backends.remote import RemoteBackend
from RPIO.backends.sim import SimBackend
from RPIO.machine.boards import by_name

sys.path += [str(Path(__file__).parents[1]), str(Path(__file__).parent)]
import behind

LED, SWITCH, LOOP_IN, LOOP_OUT = 18, 24, 23, 25
PRESS_EVERY_S = 0.3
SYSFS = "/sys/class/gpio/"


class WatchedBoard(SimBackend):
    """A simulated Pi 3B+ that knows which of its lines are watched."""

    def __init__(self) -> None:
        super().__init__(by_name("3B+"))
        self.watched: set[int] = set()

    def watch(self, line: int, edge: int, filter_us: int = 0) -> int:
        self.watched.add(line)
        return super().watch(line, edge, filter_us)

    def unwatch(self, line: int, is_read: bool = False) -> None:
        self.watched.discard(line)
        super().unwatch(line, is_read)

    def is_watched(self, line: int) -> bool:
        return line in self.watched

    def make_output(self, line: int) -> None:
        """Have it be an output, without asking anybody."""
        self.set_output(line, None)


class FarBoard:
    """The board of `rpio run --on`, as it is seen from here."""

    def read(self, line: int) -> int:
        """The level."""
        return RPIO.sim.level(line)

    def is_watched(self, line: int) -> bool:
        """Whether somebody hears its edges."""
        return RPIO.sim.is_watched(line)

    def make_output(self, line: int) -> None:
        """Have it be an output, without asking anybody."""
        import far_ends

        far_ends.make_output_behind(line)


class Sysfs:
    """As much of /sys/class/gpio as the test uses, in front of a simulated board."""

    def __init__(self, board: WatchedBoard | FarBoard) -> None:
        self._board = board
        self._exported: set[int] = set()
        self._really_exists = os.path.exists

    def exists(self, path: str) -> bool:
        """os.path.exists(): "gpio24" is there while the line is watched, or exported by the test."""
        line = re.fullmatch(SYSFS + r"gpio(\d+)", path)
        if line is None:
            return self._really_exists(path)
        return int(line[1]) in self._exported or self._board.is_watched(int(line[1]))

    def open(self, path: str, mode: str = "r", *more, **options):
        """builtins.open(): what is written is understood when the file is closed."""
        if not str(path).startswith(SYSFS):
            return builtins.open(path, mode, *more, **options)
        return _SysfsFile(lambda text: self._write(path.removeprefix(SYSFS), text))

    def _write(self, name: str, text: str) -> None:
        if name == "export":
            self._exported.add(int(text))
        elif name == "unexport":
            self._exported.discard(int(text))
        else:
            line = re.fullmatch(r"gpio(\d+)/direction", name)
            assert line and int(line[1]) in self._exported and text == "out", (name, text)
            self._board.make_output(int(line[1]))


class _SysfsFile(io.BytesIO):
    def __init__(self, understand) -> None:
        super().__init__()
        self._understand = understand

    def close(self) -> None:
        if not self.closed:
            self._understand(self.getvalue().decode())
        super().close()


class Person:
    """Presses the switch now and then, looks at the LED, and answers."""

    def __init__(self, board: WatchedBoard | FarBoard) -> None:
        self._board = board
        self._changes = 0
        threading.Thread(target=self._press, daemon=True).start()
        threading.Thread(target=self._look, daemon=True).start()

    def _press(self) -> None:
        while True:
            time.sleep(PRESS_EVERY_S)
            RPIO.sim.press(SWITCH, ms=20, bounces=2)

    def _look(self) -> None:
        level = 0
        while True:
            time.sleep(0.001)
            if self._board.read(LED) != level:
                level = 1 - level
                self._changes += 1

    def answer(self, question: str) -> str:
        """input(): "y" or "n"; what cannot be seen on the board is believed."""
        print(question)
        if "LED" not in question and "work" not in question:
            return "y"
        time.sleep(0.05)
        changes, self._changes = self._changes, 0
        if "work" in question:
            return "y" if changes > 100 else "n"
        return "y" if self._board.read(LED) == ("on" in question) else "n"


TEST_LIMIT_S = 120


def limited(run: Callable[..., object]) -> Callable[..., object]:
    """The run() of a test, which fails where it does not end: one of them misses its second edge, and waits for ever,
    where 50 ms between two edges are not enough for the machine.
    """

    def over(number: int, frame: object) -> None:
        raise AssertionError(f"it has not ended within {TEST_LIMIT_S} s")

    def run_limited(*arguments: object) -> object:
        signal.signal(signal.SIGALRM, over)
        signal.alarm(TEST_LIMIT_S)
        try:
            return run(*arguments)
        finally:
            signal.alarm(0)

    return run_limited


def main() -> None:
    """Wire the board and run the test as a program."""
    unittest.TestCase.run = limited(unittest.TestCase.run)  # type: ignore[method-assign,assignment]
    board: WatchedBoard | FarBoard = FarBoard()
    if not isinstance(RPIO.facade.board.backend, RemoteBackend):
        board = WatchedBoard()
        behind.use(board)
        RPIO.install_as_rpi_gpio()
    RPIO.sim.wire(LOOP_IN, LOOP_OUT)
    sysfs, person = Sysfs(board), Person(board)
    os.path.exists = sysfs.exists
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], {"open": sysfs.open, "input": person.answer}, "__main__")


if __name__ == "__main__":
    main()
