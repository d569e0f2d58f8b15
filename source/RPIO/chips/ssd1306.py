# SPDX-License-Identifier: LGPL-3.0-or-later
"""SSD1306: a display of 128 x 64 dots, or of its upper 32 rows, whose picture can be read back.

It is mounted as the modules have it: with segment remap and reversed scan (A1, C8), which every driver sends, the first
byte's lowest bit is the upper left corner.

Source: Solomon Systech SSD1306 data sheet (rev. 1.1), 8.1.5 (control byte), 9 and 10 (commands).
"""

from __future__ import annotations

from .chip import I2cChip
from .pictures import as_blocks, as_png, as_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..backends.sim import SimBackend

COLUMNS, PAGES, ROWS = 128, 8, 64
MORE, IS_DATA = 0x80, 0x40
"""Of a control byte: one byte follows, not all of the rest; it is data."""
HORIZONTAL, VERTICAL, BY_PAGE = 0, 1, 2
MODE, COLUMN_RANGE, PAGE_RANGE, CONTRAST, MULTIPLEX, OFFSET = 0x20, 0x21, 0x22, 0x81, 0xA8, 0xD3
ARGUMENTS = {
    **{MODE: 1, COLUMN_RANGE: 2, PAGE_RANGE: 2, CONTRAST: 1, MULTIPLEX: 1, OFFSET: 1},
    **{0x26: 6, 0x27: 6, 0x29: 5, 0x2A: 5, 0xA3: 2, 0x8D: 1, 0xD5: 1, 0xD9: 1, 0xDA: 1, 0xDB: 1},
}
"""Command -> how many bytes follow it. The scrolling ones are taken and change nothing."""


class Ssd1306(I2cChip):
    """*height* is 64 or 32 rows. ``is_on`` says whether it shows anything, ``contrast`` is 0 to 255."""

    def __init__(self, board: SimBackend, height: int = 64) -> None:
        if height not in (32, 64):
            raise ValueError(f"height is 32 or 64, not {height}")
        self.height = height
        self.is_on = self.is_inverse = self.is_all_on = False
        self.contrast = 0x7F
        self._memory = [bytearray(COLUMNS) for _ in range(PAGES)]  # by page and segment
        self._mode = BY_PAGE
        self._columns, self._pages = (0, COLUMNS - 1), (0, PAGES - 1)
        self._column = self._page = 0
        self._first_row = self._offset = 0
        self._rows = ROWS
        self._is_remapped = self._is_reversed = False
        self._control: int | None = None
        self._command: list[int] = []  # with arguments, as far as they have come

    # -- bytes -----------------------------------------------------------------------------------

    def start(self, is_read: bool) -> bool:
        self._control = None
        return True

    def write(self, byte: int) -> bool:
        control = self._control
        if control is None:
            self._control = byte
            return True
        if control & MORE:
            self._control = None
        if control & IS_DATA:
            self._put(byte)
        else:
            self._instruct(byte)
        return True

    def read(self) -> int:
        return 0x00 if self.is_on else 0x40  # 8.1.5.2: the status register

    # -- data ------------------------------------------------------------------------------------

    def _put(self, byte: int) -> None:
        column, page = self._column, self._page
        self._memory[page][COLUMNS - 1 - column if self._is_remapped else column] = byte
        if self._mode == BY_PAGE:
            self._column = (column + 1) % COLUMNS
            return
        across, down = (self._columns, column), (self._pages, page)
        if self._mode == HORIZONTAL:
            self._column, has_turned = _next(*across)
            self._page = _next(*down)[0] if has_turned else page
        else:
            self._page, has_turned = _next(*down)
            self._column = _next(*across)[0] if has_turned else column

    # -- commands --------------------------------------------------------------------------------

    def _instruct(self, byte: int) -> None:
        self._command.append(byte)
        first, *arguments = self._command
        if len(arguments) < ARGUMENTS.get(first, 0):
            return
        self._command = []
        if arguments:
            self._with_arguments(first, arguments)
        elif first < 0x20:
            upper = first & 0x10
            self._column = (self._column & 0x0F | (first & 7) << 4) if upper else self._column & 0x70 | first
        elif 0x40 <= first <= 0x7F:
            self._first_row = first & 0x3F
        elif 0xB0 <= first <= 0xB7:
            self._page = first & 7
        else:
            self._switch(first)

    def _with_arguments(self, command: int, arguments: list[int]) -> None:
        if command == MODE:
            self._mode = min(arguments[0] & 3, BY_PAGE)
        elif command == COLUMN_RANGE:
            self._columns = (arguments[0] & 0x7F, arguments[1] & 0x7F)
            self._column = self._columns[0]
        elif command == PAGE_RANGE:
            self._pages = (arguments[0] & 7, arguments[1] & 7)
            self._page = self._pages[0]
        elif command == CONTRAST:
            self.contrast = arguments[0]
        elif command == MULTIPLEX:
            self._rows = max(16, (arguments[0] & 0x3F) + 1)
        elif command == OFFSET:
            self._offset = arguments[0] & 0x3F

    def _switch(self, command: int) -> None:
        if command in (0xA0, 0xA1):
            self._is_remapped = command == 0xA1  # for what is written from now on
        elif command in (0xA4, 0xA5):
            self.is_all_on = command == 0xA5
        elif command in (0xA6, 0xA7):
            self.is_inverse = command == 0xA7
        elif command in (0xAE, 0xAF):
            self.is_on = command == 0xAF
        elif command & 0xF0 == 0xC0:
            self._is_reversed = command & 8 != 0

    # -- the picture -----------------------------------------------------------------------------

    def rows(self) -> list[list[int]]:
        """What is to be seen: *height* rows of 128 bits, 1 for a dot that is lit."""
        if not self.is_on:
            return [[0] * COLUMNS for _ in range(self.height)]
        if self.is_all_on:
            return [[1] * COLUMNS for _ in range(self.height)]
        return [self._row(row) for row in range(self.height)]

    def _row(self, row: int) -> list[int]:
        if row >= self._rows:
            return [0] * COLUMNS
        output = row if self._is_reversed else self._rows - 1 - row
        at = (output + self._offset + self._first_row) % ROWS
        page, bit = self._memory[at // 8], at % 8
        flip = int(self.is_inverse)
        return [page[COLUMNS - 1 - column] >> bit & 1 ^ flip for column in range(COLUMNS)]

    def text(self, marks: str = ".#") -> str:
        """The picture with a character for each dot."""
        return as_text(self.rows(), marks)

    def blocks(self) -> str:
        """The picture in half as many lines of block characters, for a terminal."""
        return as_blocks(self.rows())

    def png(self, scale: int = 1) -> bytes:
        """The picture as a PNG file, each dot a square of *scale* pixels."""
        return as_png(self.rows(), scale)

    def image(self) -> Any:
        """The picture as an image of Pillow, mode "1". ModuleNotFoundError where that is not installed."""
        from importlib import import_module

        data = b"".join(int("".join(map(str, row)), 2).to_bytes(COLUMNS // 8, "big") for row in self.rows())
        return import_module("PIL.Image").frombytes("1", (COLUMNS, self.height), data)


def _next(limits: tuple[int, int], now: int) -> tuple[int, bool]:
    """The one that follows, and whether it is the first again."""
    first, last = limits
    return (first, True) if now == last else ((now + 1) & 0x7F, False)
