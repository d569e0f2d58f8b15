# SPDX-License-Identifier: LGPL-3.0-or-later
"""How people name pins: 17, GPIO17, BCM17, BOARD11, J8:11, P5:3; lists and ranges of them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..boards import Hardware

LINE_PREFIXES = ("GPIO", "BCM")
PIN_PREFIXES = ("BOARD", "J8:", "P1:", "PIN")


class PinError(ValueError):
    """What was typed names no line of this board; the text says why, and what would."""


def parse(text: str, hardware: Hardware) -> list[int]:
    """Return the lines that "17", "4,17", "2-8" or "GPIO17,J8:12" name, each once, in that order.

    A range leaves out lines that the header does not have; in a list every one has to be there.
    """
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if dash:
            found += _range(first, last, part, hardware)
        else:
            found.append(one(part, hardware))
    return list(dict.fromkeys(found))


def _range(first: str, last: str, text: str, hardware: Hardware) -> list[int]:
    low, high = one(first, hardware, in_range=True), one(last, hardware, in_range=True)
    if low > high:
        raise PinError(f"the range {text} runs backwards; did you mean {last}-{first}?")
    found = [line for line in lines_of(hardware) if low <= line <= high]
    if not found:
        raise PinError(f"the header of a {hardware.name} has none of GPIO {low} to {high}; see: rpio pinout")
    return found


def one(text: str, hardware: Hardware, in_range: bool = False) -> int:
    """Return the line of one name. *in_range*: as the end of a range it need not be on the header."""
    name = text.strip().upper().replace(" ", "")
    for prefix in PIN_PREFIXES:
        if name.startswith(prefix):
            return _on_header(name.removeprefix(prefix), text, hardware)
    for prefix in LINE_PREFIXES:
        name = name.removeprefix(prefix)
    if not (name.isascii() and name.isdigit()):
        raise PinError(f"{text.strip()!r} names no pin; GPIO 17 is 17, GPIO17, BOARD11 or J8:11")
    line = int(name)
    if line not in lines_of(hardware) and not in_range:
        raise PinError(f"GPIO {line} is not on the header of a {hardware.name}; see: rpio pinout")
    return line


def _on_header(number: str, text: str, hardware: Hardware) -> int:
    if not (number.isascii() and number.isdigit()) or int(number) not in hardware.header:
        raise PinError(
            f"{text.strip()!r}: the header of a {hardware.name} has {_pins(hardware)}; see: rpio pinout"
        )
    line = hardware.header[int(number)]
    if not isinstance(line, int):
        raise PinError(f"{text.strip()!r}: pin {number} is {line}, no GPIO; see: rpio pinout")
    if line not in lines_of(hardware):
        raise PinError(f"{text.strip()!r}: pin {number} is for the ID EEPROM of a HAT; see: rpio pinout")
    return line


def _pins(hardware: Hardware) -> str:
    return f"pins 1 to {max(hardware.header)}" if hardware.header else "no pins that are known"


def lines_of(hardware: Hardware) -> tuple[int, ...]:
    """The lines that a program may use: those of the headers, or all where there is no header."""
    return hardware.header_lines or tuple(range(hardware.line_count))
