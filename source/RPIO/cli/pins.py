# SPDX-License-Identifier: LGPL-3.0-or-later
"""Lines as people type them: 17, GPIO17, BOARD11, J8:11, pin11, SDA1, lists (4,17) and ranges (2-8)."""

from __future__ import annotations

import re

from .told import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..machine.boards import Hardware

WORD = re.compile(r"(?:(?:GPIO|BCM)?\s*(?P<line>\d+)|(?:BOARD|PIN|J8:|P1:)\s*(?P<pin>\d+))", re.IGNORECASE)
FORMS = "write 17 or GPIO17, BOARD11, J8:11 or pin11, a name as in rpio pinout (SDA1), a list (4,17) or a range (2-8)"


class PinError(UsageError, ValueError):
    """What was typed names no line of this board; the text says why, and what would."""


def parse(text: str, hardware: Hardware) -> list[int]:
    """Return the lines that a list means, each once, in the order in which they were typed.

    Raises:
        PinError: a word that is none, a line that the board does not have, a pin of the supply, a range backwards.
    """
    found: dict[int, None] = {}
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not dash or not first:  # "-1" is a word
            found[_line(part, hardware)] = None
            continue
        low, high = _line(first, hardware), _line(last, hardware)
        if low > high:
            raise PinError(f"the range {part.strip()} runs backwards; did you mean {last}-{first}?")
        found.update(dict.fromkeys(line for line in lines_of(hardware) if low <= line <= high))
    return list(found)


def parse_one(text: str, hardware: Hardware) -> int:
    """Return the one line that a word means. Raises PinError."""
    return _line(text, hardware)


def lines_of(hardware: Hardware) -> tuple[int, ...]:
    """The lines that can be named: those of the header, or all where there is none that is known."""
    return hardware.header_lines if hardware.board_channels else tuple(range(hardware.line_count))


def _line(word: str, hardware: Hardware) -> int:
    match = WORD.fullmatch(word.strip())
    if match is None:
        return _line_of_name(word.strip(), hardware)
    if match["pin"] is not None:
        return _line_of_pin(int(match["pin"]), hardware)
    line = int(match["line"])
    usable = lines_of(hardware)
    if line not in usable:
        raise PinError(
            f"there is no GPIO {line} on this {hardware.name}: it has {usable[0]} to {usable[-1]}"
            if line < usable[0] or line > usable[-1]
            else f"GPIO {line} is not on the header of this {hardware.name}"
        )
    return line


def _line_of_name(word: str, hardware: Hardware) -> int:
    """The line of the header that is well known by that name."""
    from ..machine import pinout

    wanted = word.upper()
    named = {
        line
        for header in pinout.rows(hardware)
        for row in header.rows
        for line in lines_of(hardware)
        if row.line == line and wanted in row.names
    }
    if not named:
        raise PinError(f"{word!r} is not a line: {FORMS}")
    if len(named) > 1:
        raise PinError(f"{word!r} is GPIO {' and GPIO '.join(map(str, sorted(named)))}: name one")
    return named.pop()


def _line_of_pin(pin: int, hardware: Hardware) -> int:
    if not hardware.board_channels:
        raise PinError(f"{hardware.name} has no header whose pins are known: use line numbers")
    if pin in hardware.board_channels:
        return hardware.board_channels[pin]
    what = hardware.header.get(pin)
    if what is None:
        raise PinError(f"there is no pin {pin}: the header has pins 1 to {max(hardware.header)}")
    if isinstance(what, int):
        raise PinError(f"pin {pin} is for the ID EEPROM of HATs (GPIO {what})")
    raise PinError(f"pin {pin} of the header is {what}, no GPIO")
