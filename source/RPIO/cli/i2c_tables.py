# SPDX-License-Identifier: LGPL-3.0-or-later
"""The tables that i2cdetect, i2cdump, i2cget and i2ctransfer print. Source: i2c-tools 4.3, to the blank."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

COLUMNS = "".join(f"  {column:x}" for column in range(16))[1:]
WORD_COLUMNS = "     0,8  1,9  2,a  3,b  4,c  5,d  6,e  7,f"


def grid(found: Mapping[int, str]) -> list[str]:
    """The rows of a scan: address -> what stands there; one that was not asked is not in it."""
    rows = [f"    {COLUMNS}"]
    for row in range(0, 0x80, 16):
        cells = [f"{found[at]} " if at in found else "   " for at in range(row, row + 16)]
        rows.append(f"{row:02x}: {''.join(cells)}")
    return rows


def _letter(value: int | None) -> str:
    if value is None:
        return "X"
    if value in (0x00, 0xFF):
        return "."
    return chr(value) if 32 <= value < 127 else "?"


def dump(found: Mapping[int, int | None], first: int, last: int) -> list[str]:
    """The rows of registers of a byte: None where one could not be read."""
    rows = [f"    {COLUMNS}    0123456789abcdef"]
    for row in range(first & 0xF0, last + 1, 16):
        places = range(row, row + 16)
        cells = [_cell(found[at], 2) if at in found else "   " for at in places]
        letters = [_letter(found[at]) if at in found else " " for at in places]
        rows.append(f"{row:02x}: {''.join(cells)}   {''.join(letters)}")
    return rows


def dump_words(found: Mapping[int, int | None], first: int, last: int) -> list[str]:
    """The rows of registers of a word."""
    rows = [WORD_COLUMNS]
    for row in range(first & 0xF8, last + 1, 8):
        cells = [_cell(found[at], 4) if at in found else "     " for at in range(row, row + 8)]
        rows.append(f"{row:02x}: {''.join(cells)}")
    return rows


def _cell(value: int | None, digits: int) -> str:
    return f"{'X' * digits} " if value is None else f"{value:0{digits}x} "


def values(found: Sequence[int]) -> str:
    """Bytes in a line."""
    return " ".join(f"0x{value:02x}" for value in found)


def value(found: int | Sequence[int], is_word: bool = False) -> str:
    """A byte, a word, or the bytes of a block."""
    if not isinstance(found, int):
        return values(found)
    return f"0x{found:04x}" if is_word else f"0x{found:02x}"
