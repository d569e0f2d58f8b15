# SPDX-License-Identifier: LGPL-3.0-or-later
"""Which lines the hardware's PWM can drive, by which overlay, and which the kernel shows. Nothing here drives one.

Which line hangs on which channel of the hardware is a table for each SoC. The kernel's *pwmchips* are numbered as they
come (RP1's was 2, then 0), so a chip is known by the device that it stands for. A channel reaches its line only where
the line has the right function: an overlay in config.txt gives it that at boot, and setup() takes it away. Two more
overlays, pwm-pio and pwm-gpio, make a pwmchip for one line, which may be any. Everything is below *root*, so that a
directory can stand in for a machine.

Sources: Raspberry Pi's kernel, drivers/pwm/pwm-rp1.c, drivers/pinctrl/pinctrl-rp1.c (what each line can do, and the
numbers that overlays have for that) and overlays/README (pwm, pwm-2chan, pwm-pio, pwm-gpio); drivers/pwm/
pwm-pio-rp1.c and pwm-gpio.c, which have one channel.
"""

from __future__ import annotations

import os
import re

from .. import constants, errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from .boards import Hardware

    Lines = dict[int, tuple[int, int, int | None]]

CLASS = "sys/class/pwm"

# Line -> channel, the line's function that leads there, and the number of that function in an overlay. On RP1 overlays
# still count as BCM2835 does (LEGACY_MAP of pinctrl-rp1.c), where 14 and 15 have no PWM: no overlay gives them theirs.
# Left out: 40 and 41 of BCM2711, which are another block's, and 52 and 53, which are the SD card's.
BCM2711_LINES: Lines = {
    12: (0, constants.ALT0, 4),
    13: (1, constants.ALT0, 4),
    18: (0, constants.ALT5, 2),
    19: (1, constants.ALT5, 2),
    45: (1, constants.ALT0, 4),
}
BCM2835_LINES: Lines = {**BCM2711_LINES, 40: (0, constants.ALT0, 4), 41: (1, constants.ALT0, 4)}
RP1_LINES: Lines = {
    12: (0, constants.ALT0, 4),
    13: (1, constants.ALT0, 4),
    14: (2, constants.ALT0, None),
    15: (3, constants.ALT0, None),
    18: (2, constants.ALT3, 2),
    19: (3, constants.ALT3, 2),
}
BLOCKS: dict[str, tuple[str, Lines]] = {
    "BCM2835": ("20c000.pwm", BCM2835_LINES),
    "BCM2836": ("20c000.pwm", BCM2835_LINES),
    "BCM2837": ("20c000.pwm", BCM2835_LINES),
    "BCM2711": ("20c000.pwm", BCM2711_LINES),
    "BCM2712": ("1f00098000.pwm", RP1_LINES),
}
"""SoC -> how the device of its PWM block ends ("3f20c000.pwm", "fe20c000.pwm"), and its lines."""

ANY_LINE = re.compile(r"pwm[_-](pio|gpio)(?:@([0-9a-f]+))?")
"""The device of a chip that is one line's own; behind the "@" is the line, in hexadecimal."""
LAST_PIO_LINE = 27


def lines(hardware: Hardware) -> Lines:
    """Return the lines of this board that hardware can drive -> channel, function, the function's overlay number.

    On a board with a header those are lines of the header: 40, 41 and 45 are the headphone output there.
    """
    table = BLOCKS[hardware.soc][1] if hardware.is_pi and hardware.soc in BLOCKS else {}
    has_header = bool(hardware.p1_revision)
    return {line: row for line, row in table.items() if line in hardware.header_lines or not has_header}


def is_muxed(function: int, line: int, hardware: Hardware) -> bool:
    """Whether a line whose function is that one (constants.ALT0...) is connected to its PWM channel."""
    row = lines(hardware).get(line)
    return row is not None and row[1] == function


def overlay(wanted: tuple[int, ...], hardware: Hardware) -> str:
    """Return the line for config.txt that connects one line, or two, to their channels: "dtoverlay=pwm,pin=18,func=2".

    Raises:
        NotSupportedError: there is no such overlay. Two lines of one channel are in order: they get the same pulses.
    """
    table = lines(hardware)
    numbers = [(line, table[line][2] if line in table else None) for line in sorted(wanted)]
    if not 1 <= len(numbers) <= 2 or any(number is None for _, number in numbers):
        named = ", ".join(f"GPIO {line}" for line, _ in numbers) or "no line"
        raise errors.NotSupportedError(f"There is no overlay that connects {named} to hardware PWM")
    settings = (
        f"pin{i}={line},func{i}={number}" for i, (line, number) in zip(("", "2"), numbers, strict=False)
    )
    return f"dtoverlay={'pwm' if len(numbers) == 1 else 'pwm-2chan'},{','.join(settings)}"


def own_chips(root: str = "/") -> dict[int, tuple[str, str]]:
    """Return the lines that an overlay has given a pwmchip of their own -> its folder, the overlay."""
    found = {}
    for folder, device in _chips(root):
        match = ANY_LINE.fullmatch(os.path.basename(device))
        line = _line_of(device, match[2]) if match is not None else None
        if match is not None and line is not None:
            found[line] = folder, f"pwm-{match[1]}"
    return found


def _line_of(device: str, address: str | None) -> int | None:
    """The line of such a device: of its property "gpios", which is phandle, line and flags, else of its name."""
    try:
        with open(os.path.join(device, "of_node/gpios"), "rb") as file:
            cells = file.read(12)
    except OSError:
        cells = b""
    if len(cells) == 12:
        return int.from_bytes(cells[4:8], "big")
    return int(address, 16) if address is not None else None


def overlay_for_any(line: int, hardware: Hardware) -> str:
    """Return the line for config.txt that gives a line a pwmchip of its own; "" where there is no such overlay."""
    if not hardware.is_pi:
        return ""
    by_pio = hardware.soc == "BCM2712" and line <= LAST_PIO_LINE
    return f"dtoverlay={'pwm-pio' if by_pio else 'pwm-gpio'},gpio={line}"


def advice(line: int, hardware: Hardware, connected: Collection[int] = ()) -> str:
    """Return in one sentence how a line that has hardware PWM is connected to it, and another one that is stays so."""
    table = lines(hardware)
    channel, function, number = table[line]
    others = [other for other in connected if table[other][0] != channel and table[other][2] is not None]
    if number is not None:
        return f"put {overlay((line, *others[:1]), hardware)} into config.txt and reboot"
    twin = next(other for other in table if other != line and table[other][0] == channel)
    name = constants.FUNCTION_NAMES[function].replace("ALT", "a")
    return (
        f"put {overlay((twin,), hardware)} into config.txt, reboot and use GPIO {twin}, which has the same channel; "
        f"no overlay knows GPIO {line}: after each boot, 'sudo pinctrl set {line} {name}' connects it as well"
    )


def missing(line: int, hardware: Hardware, function: Callable[[int], int]) -> str:
    """Return advice() for a line that is not connected, *function* of each being known; "" where nothing is missing.

    Raises:
        NotSupportedError: the line has no hardware PWM.
    """
    connected = [other for other in table_with(line, hardware) if is_muxed(function(other), other, hardware)]
    return "" if line in connected else advice(line, hardware, connected)


def table_with(line: int, hardware: Hardware) -> Lines:
    """lines(), where this one is among them."""
    table = lines(hardware)
    if line not in table:
        named = ", ".join(str(other) for other in sorted(table))
        setting = overlay_for_any(line, hardware)
        own = (
            f"put {setting} into config.txt and reboot, which gives it PWM of the kernel's" if setting else ""
        )
        hint = "; ".join(text for text in (f"lines that have: {named}" if named else "", own) if text)
        raise errors.NotSupportedError(f"GPIO {line} has no hardware PWM on {hardware.name}", hint=hint)
    return table


def is_bound(hardware: Hardware, root: str = "/") -> bool:
    """Whether the kernel drives the board's PWM hardware: an overlay has given it to it."""
    return bool(lines(hardware)) and find_chip(BLOCKS[hardware.soc][0], root) is not None


def find_chip(device: str, root: str) -> str | None:
    """The folder of the pwmchip whose device has a name with that end."""
    return next((folder for folder, found in _chips(root) if found.endswith(device)), None)


def _chips(root: str) -> list[tuple[str, str]]:
    """The folders of all pwmchips, each with that of its device."""
    folder = os.path.join(root, CLASS)
    try:
        names = sorted(name for name in os.listdir(folder) if name.startswith("pwmchip"))
    except OSError:
        return []
    folders = [os.path.join(folder, name) for name in names]
    return [(chip, os.path.realpath(os.path.join(chip, "device"))) for chip in folders]
