# SPDX-License-Identifier: LGPL-3.0-or-later
"""The level of a line over the last seconds, as one row of characters, however fast it moves.

Time is cut into columns at its round multiples, so that what has been drawn moves left and does not flicker. Only
columns in which something happened are kept, and only so many of them.
"""

from __future__ import annotations

from collections import deque

from ...recordings.formats import column_mark
from ...recordings.recording import UNKNOWN

COLUMN_NS = 200_000_000
"""A character: a light that blinks once a second is seen to, and some seconds are on any screen."""

COLUMNS = 400
"""How many columns of a line are kept: more than any screen is wide."""

PULSES = 2
"""A level: that of a line with a PWM, which is too fast to be drawn."""

DRAWN = "▁▆│▒  "
"""As MARKS of recordings/formats, but rows are close above each other: high is a bar that leaves a gap."""


class Trace:
    """What is known of one line's level, and since when."""

    __slots__ = ("_columns", "_oldest", "level")

    def __init__(self) -> None:
        self.level = self._oldest = UNKNOWN
        self._columns: deque[list[int]] = deque(maxlen=COLUMNS)  # [number, edges, level at its end]

    def see(self, time_ns: int, level: int | None) -> None:
        """Note a level; None: it cannot be told.

        What is as before is no news; what comes late is of the last column.
        """
        level = UNKNOWN if level is None else level
        if level == self.level:
            return
        number, columns = time_ns // COLUMN_NS, self._columns
        if not columns or number > columns[-1][0]:
            if len(columns) == COLUMNS:
                self._oldest = columns[0][2]
            columns.append([number, 0, level])
        if {level, self.level} <= {0, 1}:
            columns[-1][1] += 1
        columns[-1][2] = self.level = level

    def moves(self, now_ns: int, width: int) -> bool:
        """Whether the drawing will be another in the next column."""
        return bool(self._columns) and self._columns[-1][0] >= now_ns // COLUMN_NS - width

    def text(self, now_ns: int, width: int) -> str:
        """Draw the last *width* columns, the present one at the right."""
        first, level = now_ns // COLUMN_NS - width + 1, self._oldest
        row = ""
        for number, edges, after in self._columns:
            if number - first >= width:
                break
            if number >= first:
                row += _mark(0, level) * (number - first - len(row)) + _mark(edges, level if edges else after)
            level = after
        return row + _mark(0, level) * (width - len(row))


def _mark(edges: int, level: int) -> str:
    return column_mark(DRAWN, 2, 0) if level == PULSES else column_mark(DRAWN, edges, level)
