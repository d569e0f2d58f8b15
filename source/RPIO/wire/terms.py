# SPDX-License-Identifier: LGPL-3.0-or-later
"""What the rows of the table of operations are written in: scopes, features, and the kinds of their words."""

from __future__ import annotations

from .. import constants
from .kinds import Number, Real, Text, Word

VERSION = 1
"""Of the protocol. A client may say a later one; the answer says which is spoken."""

HOLDS_ALONE = "alone"
"""Among the features of a board: nobody can use a line that another process holds."""

OUTSIDE = "outside"
"""Among the features of a board: it is simulated, and its outside world can be played."""

WATCHES_OUTPUTS = "outputs"
"""Among them: edges of any line are told of, whatever it is."""

LEFT = "left"
"""What consumer remarks of a line that is as somebody has left it who has gone."""

ANY, READ, GPIO, I2C, RUN = "any", "read", "gpio", "i2c", "run"
"""Scopes: what everybody may who is connected, what changes nothing, what drives lines, buses, and programs."""
SCOPES = (READ, GPIO, I2C, RUN)
"""Those that are granted."""

# -- kinds --------------------------------------------------------------------------------------

LINES_MAX = 4096
LINE = Number("line", 0, LINES_MAX - 1)
LEVEL = Word("level", {"low": 0, "high": 1, "0": 0, "1": 1})
DRIVEN = Word("level, or - for none", {**LEVEL.values, "-": None})
PRESS_MS_MAX = 86_400_000
ANY_LEVEL = Word("level, or ? for unknown", {"0": 0, "1": 1, "?": None})
PULL = Word("pull", {"off": constants.PUD_OFF, "up": constants.PUD_UP, "down": constants.PUD_DOWN})
ANY_PULL = Word("pull, or - for as it is", {**PULL.values, "-": None})
EDGE = Word("edge", {"rising": constants.RISING, "falling": constants.FALLING, "both": constants.BOTH})
FUNCTION = Word(
    "function",
    {
        "in": constants.IN,
        "out": constants.OUT,
        **{f"alt{number}": getattr(constants, f"ALT{number}") for number in range(9)},
        "unknown": constants.UNKNOWN,
        "none": constants.NO_FUNCTION,
    },
)
YES_OR_NO = Word("answer", {"no": False, "yes": True})
TIME_NS = Number("time in nanoseconds", 0, (1 << 63) - 1)
PERIOD_NS = Number("period in nanoseconds", *constants.PWM_PERIODS_NS)
WAVE = Number("wave", -1, (1 << 31) - 1)
MASK = Number("mask of lines 0 to 63", 0, (1 << 64) - 1)
MS = Real("time in milliseconds", 0.001, 1e9)
COUNT = Number("number", 0, (1 << 63) - 1)
COUNTERS_MAX = 32
"""So many may a session have."""
COUNTER = Number("counter", 0, COUNTERS_MAX - 1)
SIGNED = Number("count", -(1 << 63), (1 << 63) - 1)
FILTER_US = Number("time in microseconds", 0, 10**9)
WINDOW_MS = Real("time in milliseconds", 1, 3_600_000)
NAME = Text("name", 200)
LEND_IDLE_MAX_S = 86400
LIST = Text("list", 1 << 16)
STATE = Word("state", {word: word for word in ("done", "failed", "never", "unknown")})
