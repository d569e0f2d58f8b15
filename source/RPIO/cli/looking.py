# SPDX-License-Identifier: LGPL-3.0-or-later
"""Levels of lines that nobody has asked for one by one: only where a look disturbs nobody.

Where the kernel is asked (cdev, sysfs) a level is read by taking the line for a moment. A line that a driver has as SCL
or TXD, say, may lose that function when it is given back, and the kernel does not tell the function: so lines that are
well known for another use than GPIO are not taken.
"""

from __future__ import annotations

from .. import errors, facade
from ..machine import headers

WHY_NOT = (
    "-: not looked at, since the line may have another function, which a look would end; "
    "rpio read N looks all the same"
)
"""Why there is no level."""


def may_look(line: int) -> bool:
    """Whether reading the line disturbs nobody."""
    board = facade.board
    return (
        "functions" in board.backend.features  # the registers tell
        or not board.hardware.is_pi
        or not headers.is_well_known(line)
        or board.lines.direction(board.channel_of(line)) is not None  # it is this program's
    )


def level_of(line: int) -> int | None:
    """The level; None where it cannot be read, or not without a risk."""
    if not may_look(line):
        return None
    try:
        return facade.forceinput(line)
    except (errors.NotSupportedError, errors.LineBusyError, errors.InvalidChannelException):
        return None
