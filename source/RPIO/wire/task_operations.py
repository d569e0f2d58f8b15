# SPDX-License-Identifier: LGPL-3.0-or-later
"""What can be asked of the queues of timed tasks from afar: rows of the table of operations."""

from __future__ import annotations

from .kinds import Maybe, Real, Repeated, Text, Word
from .rows import Argument, Operation
from .terms import COUNT, GPIO, LINE, NAME, READ, YES_OR_NO

TASK_MS = Real("time in milliseconds", 0, 1e9)
TASK_NUMBERS_MAX = 4096
TASK_ARGUMENT = Maybe(Real("argument", 0, 1e6))
TASKS_MAX = 1 << 22
"""A queue of 1024 at each line that there may be."""

TASK_ROWS = (
    Operation(
        "task",
        (
            Argument("line", LINE),
            Argument("task", Text("task", 40)),
            Argument("ms", TASK_MS, 0.0),
            Argument("arg1", TASK_ARGUMENT, None),
            Argument("arg2", TASK_ARGUMENT, None),
            Argument("mode", Word("mode", {"wait": "wait", "nowait": "nowait"}), "wait"),
            Argument("tell", YES_OR_NO, False),
        ),
        (COUNT,),
        GPIO,
        False,
        "Add a timed task to the queue of a line: ``on``, ``off``, ``toggle``, ``blink`` (seconds on, seconds off), "
        "``pulse`` (seconds up, seconds down), ``value`` (0 to 1) or ``close``. Answers its number. The first one "
        "takes the line as an output that is off, which has a queue until ``close``, ``release`` or the end of the "
        "session: what was accepted is done still then. MODE is that of a new queue: in ``nowait`` a task ends the one "
        "that runs. TELL: say with ``task`` how it has ended.",
    ),
    Operation(
        "tasks",
        (),
        (
            Repeated(
                "number, line, task, state, ms, left_ms, client",
                (
                    COUNT,
                    LINE,
                    NAME,
                    Word("state", {word: word for word in ("waits", "runs", "goes-on")}),
                    COUNT,
                    COUNT,
                    NAME,
                ),
                TASKS_MAX,
                least=0,
            ),
        ),
        READ,
        True,
        "The tasks that have not ended: where, what, whether it waits, runs or goes on, its time and what is left of "
        "it, and whose it is.",
    ),
    Operation(
        "cancel",
        (Argument("tasks", Repeated("tasks", (COUNT,), TASK_NUMBERS_MAX)),),
        (Repeated("tasks", (COUNT,), TASK_NUMBERS_MAX, least=0),),
        GPIO,
        True,
        "Take tasks back, anybody's: one that waits is never begun, one that runs ends. Answers those that there were.",
    ),
)
