# SPDX-License-Identifier: LGPL-3.0-or-later
"""SSD1306, by its data sheet (rev. 1.1): where bytes go, what commands do to them, the picture that is read back."""

import struct
import zlib

import pytest

from chip_parts import Caller, manual_board
from RPIO.chips import pictures
from RPIO.chips.ssd1306 import Ssd1306


class Display(Caller):
    """What a driver says."""

    def __init__(self, height=64):
        board = manual_board()
        self.chip = Ssd1306(board, height)
        super().__init__(board, 0x3C, self.chip)

    def command(self, *data):
        self.write(0x00, *data)

    def data(self, *data):
        self.write(0x40, *data)

    def lit(self):
        """Where dots are lit, (x, y)."""
        return {(x, y) for y, row in enumerate(self.chip.rows()) for x, bit in enumerate(row) if bit}


@pytest.fixture
def display():
    made = Display()
    made.command(0xA1, 0xC8, 0xAF)
    return made


def test_it_is_dark_and_off_at_first():
    display = Display()
    display.data(0xFF)
    assert not display.lit() and display.read(1) == b"\x40"
    display.command(0xAF)
    assert display.lit() and display.read(1) == b"\x00"


def test_page_mode_stays_in_its_page(display):
    """10.1.3: the column goes round, the page stays; 10.1.1, 10.1.2, 10.1.13 set both."""
    display.command(0xB2, 0x0F, 0x17)
    display.data(0x01, 0x80)
    assert display.lit() == {(127, 16), (0, 23)}


def test_horizontal_mode_goes_on_with_the_next_page(display):
    """10.1.3, figure 10-3, within the range of 10.1.4 and 10.1.5."""
    display.command(0x20, 0, 0x21, 10, 11, 0x22, 1, 2)
    display.data(1, 2, 4, 8, 16)
    assert display.lit() == {(11, 9), (10, 18), (11, 19), (10, 12)}  # the fifth is where the first was


def test_vertical_mode_goes_down_first(display):
    display.command(0x20, 1, 0x21, 10, 11, 0x22, 6, 7)
    display.data(1, 1, 1)
    assert display.lit() == {(10, 48), (10, 56), (11, 48)}


def test_a_command_may_come_in_pieces_and_both_kinds_in_one_message(display):
    """8.1.5.2: Co = 1, one byte, then another control byte."""
    display.command(0x21)
    display.command(5)
    display.command(6)
    display.write(0x80, 0xB3, 0x80, 0x05, 0x80, 0x10, 0x40, 0x01)
    assert display.lit() == {(5, 24)}


def test_remap_is_for_what_is_written_and_scan_for_what_is_there(display):
    """10.1.8 and 10.1.14."""
    display.data(0x01)
    display.command(0xA0)
    assert display.lit() == {(0, 0)}
    display.command(0x00, 0x10)
    display.data(0x02)
    assert display.lit() == {(0, 0), (127, 1)}
    display.command(0xC0)
    assert display.lit() == {(0, 63), (127, 62)}


def test_the_first_row_and_the_offset_move_the_picture(display):
    """10.1.6 and 10.1.15."""
    display.data(0x01)
    display.command(0x40 + 5)
    assert display.lit() == {(0, 59)}
    display.command(0x40, 0xD3, 10)
    assert display.lit() == {(0, 54)}


def test_inverse_all_on_contrast_and_scrolling_are_taken(display):
    display.data(0x01)
    display.command(0x81, 0x33, 0x26, 0, 0, 0, 7, 0, 0xFF, 0x2F, 0x2E, 0xA3, 0, 64, 0xE3)
    assert display.lit() == {(0, 0)} and display.chip.contrast == 0x33
    display.command(0xA7)
    assert len(display.lit()) == 128 * 64 - 1
    display.command(0xA6, 0xA5)
    assert len(display.lit()) == 128 * 64
    display.command(0xA4, 0xAE)
    assert not display.lit() and not display.chip.is_on


def test_a_display_of_32_rows_shows_those():
    display = Display(32)
    display.command(0xA8, 31, 0xA1, 0xC8, 0xAF, 0x20, 0, 0x21, 0, 127, 0x22, 0, 3)
    display.data(*[0xFF] * 512)
    assert len(display.lit()) == 128 * 32 and len(display.chip.rows()) == 32
    with pytest.raises(ValueError, match="32 or 64"):
        Ssd1306(display.board, 48)


def test_the_picture_is_text_blocks_and_a_file(display):
    display.data(0b00000011, 0b00000001)
    assert display.chip.text().splitlines()[:3] == ["##" + "." * 126, "#" + "." * 127, "." * 128]
    assert display.chip.blocks().splitlines()[0].rstrip() == "█▀"
    assert read_png(display.chip.png(scale=3)) == [
        [bit for bit in row for _ in range(3)] for row in thrice(display)
    ]


def thrice(display):
    return [row for row in display.chip.rows() for _ in range(3)]


def read_png(data):
    """The bits of a PNG of one bit, by W3C's specification."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + length]
        assert struct.unpack(">I", data[at + 8 + length : at + 12 + length])[0] == zlib.crc32(kind + body)
        chunks[kind], at = body, at + 12 + length
    width, height, *rest = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert rest == [1, 0, 0, 0, 0] and list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    raw, stride = zlib.decompress(chunks[b"IDAT"]), 1 + (width + 7) // 8
    assert len(raw) == stride * height and not any(raw[::stride])
    lines = [raw[at + 1 : at + stride] for at in range(0, len(raw), stride)]
    return [[line[x // 8] >> 7 - x % 8 & 1 for x in range(width)] for line in lines]


def test_a_picture_whose_width_is_no_whole_byte():
    rows = [[1, 0, 1], [0, 1, 1], [1, 1, 1]]
    assert read_png(pictures.as_png(rows)) == rows
    assert pictures.as_blocks(rows) == "▀▄█\n▀▀▀"
    with pytest.raises(ValueError, match="1 to 64"):
        pictures.as_png(rows, 0)
