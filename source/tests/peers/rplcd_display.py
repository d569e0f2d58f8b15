# SPDX-License-Identifier: LGPL-3.0-or-later
"""Run RPLCD's testsuite_16x2 on RPIO, with a display on the simulated lines; print what it asks, and what it shows.

The display is as much of an HD44780 as the suite uses, wired for 4 bits: it takes a nibble from D4 to D7 when E
falls. Source: Hitachi HD44780U data sheet, tables 6 (instructions) and figure 24 (4 bits, and how to get there).
"""

from __future__ import annotations

import builtins
import importlib
import sys
from pathlib import Path

import RPIO
from RPIO.backends.sim import SimBackend
from RPIO.machine.boards import by_name

sys.path.append(str(Path(__file__).parents[1]))
import behind

RS, E, DATA = 22, 23, (25, 24, 17, 18)
COLUMNS, SECOND_ROW = 16, 0x40


class Display:
    """What the controller makes of nibbles."""

    def __init__(self) -> None:
        self._four_bits = False
        self._upper: int | None = None
        self._memory = {}
        self._address, self._step, self._shift = 0, 1, 0
        self._shifts_on_write = False
        self._font = False  # data goes to the characters that users draw
        self.on = False

    def take(self, rs: int, nibble: int) -> None:
        """E has fallen."""
        if not self._four_bits:
            self._instruct(nibble << 4)
        elif self._upper is None:
            self._upper = nibble
        else:
            byte, self._upper = self._upper << 4 | nibble, None
            if rs:
                self._write(byte)
            else:
                self._instruct(byte)

    def _write(self, byte: int) -> None:
        if self._font:
            return
        self._memory[self._address] = byte
        self._address = self._next(self._address)
        if self._shifts_on_write:
            self._shift += self._step

    def _next(self, address: int) -> int:
        row, column = address & SECOND_ROW, (address & ~SECOND_ROW) + self._step
        if 0 <= column < 40:  # a row has 40 places, of which 16 are seen
            return row | column
        return (row ^ SECOND_ROW) | column % 40

    def _instruct(self, byte: int) -> None:
        if byte & 0x80:
            self._address, self._font = byte & 0x7F, False
        elif byte & 0x40:
            self._font = True
        elif byte & 0x20:
            self._four_bits = not byte & 0x10
        elif byte & 0x10:
            if byte & 0x08:
                self._shift += -1 if byte & 0x04 else 1
        elif byte & 0x08:
            self.on = bool(byte & 0x04)
        elif byte & 0x04:
            self._step, self._shifts_on_write = (1 if byte & 0x02 else -1), bool(byte & 0x01)
        elif byte & 0x03:
            self._address, self._shift, self._font = 0, 0, False
            if byte & 0x01:
                self._memory.clear()
                self._step = 1

    def rows(self) -> list[str]:
        """What is to be read on it."""
        if not self.on:
            return [" " * COLUMNS] * 2
        return [
            "".join(chr(self._memory.get(row | (column + self._shift) % 40, 32)) for column in range(COLUMNS))
            for row in (0, SECOND_ROW)
        ]


class BoardWithDisplay(SimBackend):
    """A simulated Pi 3B+ whose lines go to the display."""

    def __init__(self, display: Display) -> None:
        super().__init__(by_name("3B+"))
        self._display = display

    def write(self, line: int, value: int) -> None:
        falls = line == E and self.read(E) and not value
        super().write(line, value)
        if falls:
            nibble = sum(self.read(data) << bit for bit, data in enumerate(DATA))
            self._display.take(self.read(RS), nibble)


def main() -> None:
    """Print a line for each question of the suite: the question, and the two rows."""
    display = Display()
    board = BoardWithDisplay(display)
    behind.use(board)
    RPIO.install_as_rpi_gpio()
    sys.path.insert(0, sys.argv[1])
    suite = importlib.import_module("RPLCD_Tests.testsuite_16x2")
    gpio, GPIO = importlib.import_module("RPLCD.gpio"), importlib.import_module("RPi.GPIO")

    def answer(question: str = "") -> str:
        print(question.strip(), *display.rows(), sep="|")
        return ""

    builtins.input = answer
    suite.run(
        gpio.CharLCD(
            numbering_mode=GPIO.BCM,
            pin_rs=RS,
            pin_e=E,
            pins_data=list(DATA),
            cols=COLUMNS,
            rows=2,
            charmap="A00",
        )
    )


if __name__ == "__main__":
    main()
