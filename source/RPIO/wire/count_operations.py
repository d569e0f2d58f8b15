# SPDX-License-Identifier: LGPL-3.0-or-later
"""The rows of the table of operations that count: see operations."""

from __future__ import annotations

from .. import constants
from .kinds import Number, Real
from .rows import Argument, Operation
from .terms import COUNT, COUNTER, EDGE, FILTER_US, LINE, READ, SIGNED, WINDOW_MS

COUNT_ROWS = (
    Operation(
        "counter",
        (
            Argument("counter", COUNTER),
            Argument("line", LINE),
            Argument("edge", EDGE, constants.RISING),
            Argument("filter_us", FILTER_US, 0),
            Argument("holdoff_us", FILTER_US, 0),
            Argument("window_ms", WINDOW_MS, 1000.0),
        ),
        (),
        READ,
        True,
        "Count edges of an input, under a number that the client chooses; they are not told of. FILTER_US and "
        "HOLDOFF_US as with ``watch``; WINDOW_MS is the time over which the rate is taken. Asked again for the same it "
        "changes nothing; for something else, it takes the place of the other. It ends with the session.",
    ),
    Operation(
        "encoder",
        (
            Argument("counter", COUNTER),
            Argument("a", LINE),
            Argument("b", LINE),
            Argument("filter_us", FILTER_US, 0),
            Argument("window_ms", WINDOW_MS, 1000.0),
        ),
        (),
        READ,
        True,
        "The same for the steps of two lines in quadrature, four for a cycle, forwards where A changes before B.",
    ),
    Operation(
        "count",
        (Argument("counter", COUNTER),),
        (
            SIGNED,
            COUNT,
            COUNT,
            COUNT,
            COUNT,
            Real("rate", -1e12, 1e12),
            Number("direction", -1, 1),
        ),
        READ,
        True,
        "What has come of a counter: the count, how many edges were lost, how many made no step (of an encoder), when "
        "the last one was (0: none yet) and how long after the one before (0: none), in nanoseconds of that machine's "
        "clock; how many there are a second; and the direction of the last step.",
    ),
    Operation(
        "recount",
        (Argument("counter", COUNTER), Argument("count", SIGNED, 0)),
        (SIGNED,),
        READ,
        False,
        "Count on from COUNT. Answers what the count was until then: no edge is missing from both.",
    ),
    Operation("uncount", (Argument("counter", COUNTER),), (), READ, True, "Count no more."),
)
