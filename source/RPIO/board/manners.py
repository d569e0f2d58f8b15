# SPDX-License-Identifier: LGPL-3.0-or-later
"""How strict a board is, and what it warns of."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

IN_USE_WARNING = (
    "This channel is already in use, continuing anyway.  Use GPIO.setwarnings(False) to disable warnings."
)
FIXED_PULL_WARNING = "A physical pull up resistor is fitted on this channel!"
OFF_HEADER_WARNING = "GPIO {} is on no pin of the {}: it may belong to WiFi, the SD card or an LED"
NOTHING_TO_CLEAN_WARNING = (
    "No channels have been set up yet - nothing to clean up!  "
    "Try cleaning up at the end of your program instead!"
)


class Manners:
    """``is_strict``: RPi.GPIO's rules where the original RPIO differs. ``warns``: what setwarnings() has said."""

    def __init__(self) -> None:
        self.is_strict = False
        self.warns = True

    def warn(self, text: str) -> None:
        """Warn at the line of the program that called RPIO."""
        if not self.warns:
            return
        import warnings

        level, _ = caller()
        warnings.warn(text, RuntimeWarning, stacklevel=level)


def caller() -> tuple[int, FrameType]:
    """The frame of the program that called RPIO, and how many are between it and who asks."""
    level, frame = 0, sys._getframe()
    while frame.f_back is not None and frame.f_globals.get("__name__", "").split(".")[0] == "RPIO":
        level, frame = level + 1, frame.f_back
    return level, frame


def place_of_caller() -> str:
    """The file and line of the program that called RPIO."""
    _, frame = caller()
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
