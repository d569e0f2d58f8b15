# SPDX-License-Identifier: LGPL-3.0-or-later
"""What is typed to ``rpio i2c``, in the habits of i2c-tools: numbers, modes, and the messages of i2ctransfer.

Source: i2c-tools 4.3, the manual pages i2cget(8), i2cset(8), i2cdump(8), i2ctransfer(8).
"""

from __future__ import annotations

import re

from ..wire.smbus import BLOCK_MAX, MESSAGE_MAX, MESSAGES_MAX
from .told import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FIRST, LAST = 0x08, 0x77
"""Addresses that are no special ones."""

NUMBER = re.compile(r"0[xX]([0-9a-fA-F]{1,8})|(0[0-7]{1,11})|(\d{1,10})")
MESSAGE = re.compile(r"([rw])(\w+|\?)(?:@(\w+))?")


def number(text: str, what: str, least: int, most: int) -> int:
    """Read 0x48, 72 or 0110, which has eight fingers."""
    match = NUMBER.fullmatch(text)
    if match is None:
        raise UsageError(f"{what} {text!r} is not a number; for example 0x48 or 72")
    value = int(match[1] or match[2] or match[3], 16 if match[1] else 8 if match[2] else 10)
    if not least <= value <= most:
        raise UsageError(f"{what} {text} is not in 0x{least:02x} to 0x{most:02x}")
    return value


def address(text: str, allows_all: bool) -> int:
    """Read the address of a device: 0x08 to 0x77, or any of seven bits."""
    least, most = (0, 0x7F) if allows_all else (FIRST, LAST)
    try:
        return number(text, "the address", least, most)
    except UsageError as e:
        if not allows_all and text and NUMBER.fullmatch(text):
            raise UsageError(f"{e}; with -a it is 0x00 to 0x7f") from None
        raise


def register(text: str) -> int:
    """Read the number of a register."""
    return number(text, "the register", 0, 0xFF)


def mode_of(text: str, modes: str) -> tuple[str, bool]:
    """Read a mode, one letter of *modes*, and whether a p behind it asks for a PEC."""
    letter, pec = text[:1], text[1:]
    if not letter or letter not in modes or pec not in ("", "p"):
        raise UsageError(f"{text!r} is not a mode: one of {', '.join(modes)}, and p behind it for a PEC")
    return letter, bool(pec)


def is_mode(text: str, modes: str) -> bool:
    """Whether it can be no number."""
    return text[:1].isalpha() and text[:1] in modes


def length(text: str) -> int:
    """Read how many bytes a block has."""
    return number(text, "the length", 1, BLOCK_MAX)


def span(text: str) -> tuple[int, int]:
    """Read FIRST-LAST, of registers."""
    first, dash, last = text.partition("-")
    if not dash:
        raise UsageError(f"{text!r} is not a range; for example 0x10-0x2f")
    low, high = register(first), register(last)
    if low > high:
        raise UsageError(f"the range {text} runs backwards; did you mean {last}-{first}?")
    return low, high


class Wanted:
    """A message of ``rpio i2c transfer``: *data* is written, or *length* bytes are read, -1 for as many as it says."""

    __slots__ = ("address", "data", "length")

    def __init__(self, address: int, data: bytes | None, length: int) -> None:
        self.address, self.data, self.length = address, data, length


def _series(text: str, left: int) -> Iterator[int]:
    """The bytes that a word stands for, of a message with so many to come."""
    suffix = text[-1:] if text[-1:] in "=+-p" else ""
    value = number(text.removesuffix(suffix), "the byte", 0, 0xFF)
    yield value
    for _ in range(left - 1 if suffix else 0):
        if suffix == "p":
            value = ((value ^ 27) + 13) << 1
        else:
            value += {"=": 0, "+": 1, "-": -1}[suffix]
        value &= 0xFF
        yield value


def messages(words: Sequence[str], allows_all: bool) -> list[Wanted]:
    """Read ``w2@0x50 0x00 0x01 r16``."""
    found: list[Wanted] = []
    left, at = list(words), None
    while left:
        word = left.pop(0)
        match = MESSAGE.fullmatch(word)
        if match is None:
            raise UsageError(f"{word!r} is not a message; for example w1@0x50 or r16")
        at = address(match[3], allows_all) if match[3] else at
        if at is None:
            raise UsageError(f"{word!r}: the first message needs an address: {word}@0x50")
        if match[1] == "r":
            count = -1 if match[2] == "?" else number(match[2], "the length", 0, MESSAGE_MAX)
            found.append(Wanted(at, None, count))
            continue
        wanted, data = number(match[2], "the length", 0, MESSAGE_MAX), bytearray()
        while len(data) < wanted:
            if not left:
                raise UsageError(f"{word!r} is followed by {len(data)} of its {wanted} bytes")
            data += bytes(_series(left.pop(0), wanted - len(data)))
        found.append(Wanted(at, bytes(data), wanted))
    if not found:
        raise UsageError("which messages? for example: rpio i2c transfer 1 w1@0x50 0x00 r16")
    if len(found) > MESSAGES_MAX:
        raise UsageError(f"a transfer has at most {MESSAGES_MAX} messages, not {len(found)}")
    return found
