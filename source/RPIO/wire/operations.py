# SPDX-License-Identifier: LGPL-3.0-or-later
"""All that can be asked of lines from afar: one table, for codecs, dispatch, the remote backend and doc/protocol.

Lines are BCM numbers. A new operation is a row; nothing that is no row can be asked.
"""

from __future__ import annotations

from .. import constants
from .bus_operations import BUS_ROWS
from .count_operations import COUNT_ROWS
from .fronts import FRONTS
from .kinds import Maybe, Number, Real, Repeated, Text, Word
from .rows import Argument, Operation
from .task_operations import TASK_ROWS
from .terms import (
    ANY,
    ANY_LEVEL,
    ANY_PULL,
    COUNT,
    DRIVEN,
    EDGE,
    FILTER_US,
    FUNCTION,
    GPIO,
    LEND_IDLE_MAX_S,
    LEVEL,
    LINE,
    LINES_MAX,
    LIST,
    MASK,
    MS,
    NAME,
    PERIOD_NS,
    PRESS_MS_MAX,
    PULL,
    READ,
    RUN,
    STATE,
    TIME_NS,
    WAVE,
    YES_OR_NO,
)

ROWS = (
    Operation(
        "hello",
        (
            Argument("version", Number("version", 1, 1 << 16)),
            Argument("who", NAME, ""),
            Argument("program", NAME, ""),
            Argument("linger_s", Real("time in seconds", 0, 3600), 5.0),
            Argument("session", NAME, ""),
        ),
        (Number("version", 1, 1 << 16), NAME, NAME, NAME, COUNT, Repeated("features", (NAME,), 64, least=0)),
        ANY,
        True,
        "Who calls, and with what program. LINGER_S is how long lines are kept for who has lost the connection, and "
        "comes back with the name of his SESSION. Answers the version that is spoken, the session, the board, its "
        "revision code (0 for none), how many lines it has, and what they can.",
    ),
    Operation(
        "info",
        (),
        (NAME, NAME, COUNT, Repeated("features", (NAME,), 64, least=0)),
        READ,
        True,
        "The board, its revision code (0 for none), how many lines it has, and what they can.",
    ),
    Operation(
        "token",
        (Argument("token", Text("token", 200)),),
        (),
        ANY,
        True,
        "Show a token, which allows what `rpio token new` has said of it. Once is enough for a session.",
    ),
    Operation("ping", (), (), ANY, True, "Nothing, answered."),
    Operation(
        "input",
        (Argument("line", LINE), Argument("pull", ANY_PULL, None)),
        (),
        GPIO,
        True,
        "Make the line an input, with that pull.",
    ),
    Operation(
        "output",
        (Argument("line", LINE), Argument("level", ANY_LEVEL, None)),
        (),
        GPIO,
        True,
        "Make the line an output of that level; without one, of the level that was written last.",
    ),
    Operation(
        "read",
        (Argument("lines", Repeated("lines", (LINE,), LINES_MAX)),),
        (Repeated("levels", (LEVEL,), LINES_MAX),),
        READ,
        True,
        "The levels of lines.",
    ),
    Operation(
        "peek",
        (Argument("lines", Repeated("lines", (LINE,), LINES_MAX)),),
        (Repeated("levels", (ANY_LEVEL,), LINES_MAX),),
        READ,
        True,
        "The same where it disturbs nobody, ? elsewhere.",
    ),
    Operation(
        "write",
        (Argument("pairs", Repeated("lines and levels", (LINE, LEVEL), LINES_MAX)),),
        (),
        GPIO,
        True,
        "Write levels, one after the other: all of them, or, where a rule forbids one, none.",
    ),
    Operation(
        "mask",
        (Argument("set", MASK), Argument("clear", MASK)),
        (),
        GPIO,
        True,
        "Write lines by their bits: first those that go low, then those that go high.",
    ),
    Operation("pull", (Argument("line", LINE),), (ANY_PULL,), READ, True, "The pull, - where nothing tells."),
    Operation(
        "set_pull",
        (Argument("line", LINE), Argument("pull", PULL)),
        (),
        GPIO,
        True,
        "Set the pull of an input.",
    ),
    Operation("function", (Argument("line", LINE),), (FUNCTION,), READ, True, "What the line is."),
    Operation(
        "set_function",
        (Argument("line", LINE), Argument("function", FUNCTION)),
        (),
        GPIO,
        True,
        "Switch the line to another function.",
    ),
    Operation(
        "consumer",
        (Argument("line", LINE),),
        (NAME, Repeated("remarks", (NAME,), 64, least=0)),
        READ,
        True,
        "Who has the line; empty for nobody, and then ``left`` behind it where the line is as somebody has left it who "
        "has gone.",
    ),
    Operation(
        "release",
        (Argument("lines", Repeated("lines", (LINE,), LINES_MAX)),),
        (),
        GPIO,
        True,
        "Give lines back, in their safe states.",
    ),
    Operation(
        "watch",
        (
            Argument("line", LINE),
            Argument("edge", EDGE, constants.BOTH),
            Argument("filter_us", FILTER_US, 0),
            Argument("holdoff_us", FILTER_US, 0),
            Argument("initial", YES_OR_NO, False),
        ),
        (COUNT,),
        READ,
        True,
        "Be told of edges of an input; a second time is a change. FILTER_US: only of levels that last as long; "
        "HOLDOFF_US: of none so soon after another; INITIAL: of the level now, first, with the number 0. Answers the "
        "number of the last edge so far.",
    ),
    *COUNT_ROWS,
    Operation("unwatch", (Argument("line", LINE),), (), READ, True, "Be told no more."),
    Operation(
        "pulse",
        (Argument("line", LINE), Argument("ms", MS), Argument("level", LEVEL, 1)),
        (),
        GPIO,
        False,
        "Drive an output to the level for so long, then back; timed on the device.",
    ),
    Operation(
        "blink",
        (
            Argument("line", LINE),
            Argument("period_ms", MS),
            Argument("count", Number("number", 0, 1 << 31), 0),
        ),
        (),
        GPIO,
        False,
        "Have an output on for half of each period, so many times, or without end.",
    ),
    Operation(
        "pwm",
        (Argument("line", LINE), Argument("period_ns", PERIOD_NS), Argument("high_ns", TIME_NS)),
        (),
        GPIO,
        True,
        "PWM on an output, or a change of it.",
    ),
    Operation(
        "change_pwm",
        (Argument("line", LINE), Argument("period_ns", PERIOD_NS), Argument("high_ns", TIME_NS)),
        (),
        GPIO,
        True,
        "The same where the line has PWM still; else nothing.",
    ),
    Operation(
        "servo",
        (Argument("line", LINE), Argument("pulse_us", Number("pulse in microseconds", 0, 20_000))),
        (),
        GPIO,
        True,
        "PWM for a servo on an output: a pulse of that width every 20 ms.",
    ),
    Operation("end_pwm", (Argument("line", LINE),), (), GPIO, True, "End PWM, low."),
    Operation(
        "play",
        (
            Argument("period_ns", PERIOD_NS),
            Argument("turns", Number("number", 0, (1 << 32) - 1)),
            Argument("instead_of", WAVE),
            Argument("edges", Repeated("edges", (TIME_NS, LINE, LEVEL), constants.WAVE_EDGES_MAX)),
        ),
        (WAVE,),
        GPIO,
        False,
        "Play a wave, (at_ns, line, level) of a turn, in place of another one or (-1) of none. Answers its number.",
    ),
    Operation(
        "wave",
        (Argument("wave", WAVE),),
        (Word("state", {"gone": None, "over": False, "playing": True}), COUNT),
        READ,
        True,
        "Whether a wave is being played, and how many turns are done.",
    ),
    Operation("stop_wave", (Argument("wave", WAVE),), (), GPIO, True, "Stop a wave, levels as they are."),
    Operation(
        "limit",
        (Argument("line", LINE), Argument("after_ns", PERIOD_NS), Argument("level", LEVEL)),
        (),
        GPIO,
        True,
        "Have an output go to a level after so long, whatever becomes of who asked.",
    ),
    Operation("unlimit", (Argument("line", LINE),), (), GPIO, True, "Take that back."),
    Operation(
        "limit_left",
        (Argument("line", LINE),),
        (Maybe(TIME_NS),),
        READ,
        True,
        "How long that is from now; 0 when it is over, - where there is none.",
    ),
    Operation(
        "drive",
        (Argument("line", LINE), Argument("level", DRIVEN)),
        (),
        GPIO,
        True,
        "Of a simulated board, as all down to ``short_circuits``: drive the line from outside, - lets go of it.",
    ),
    Operation(
        "driven",
        (Argument("lines", Repeated("lines", (LINE,), LINES_MAX)),),
        (Repeated("levels", (DRIVEN,), LINES_MAX),),
        READ,
        True,
        "What lines are driven to from outside.",
    ),
    Operation(
        "press",
        (
            Argument("line", LINE),
            Argument("ms", Real("time in milliseconds", 0, PRESS_MS_MAX)),
            Argument("level", LEVEL, 0),
        ),
        (),
        GPIO,
        False,
        "Drive the line from outside for so long, then let go of it; without a level a button to ground. Answered at "
        "once.",
    ),
    Operation(
        "wire", (Argument("a", LINE), Argument("b", LINE)), (), GPIO, True, "Join two lines with a wire."
    ),
    Operation("unwire", (Argument("line", LINE),), (), GPIO, True, "Take every wire off the line."),
    Operation(
        "watched", (Argument("line", LINE),), (YES_OR_NO,), READ, True, "Whether edges of the line are heard."
    ),
    Operation("short_circuits", (), (COUNT,), READ, True, "How often drivers on one wire have disagreed."),
    Operation(
        "losses", (Argument("line", LINE),), (COUNT,), READ, True, "How many edges of the line were lost."
    ),
    Operation(
        "fate",
        (Argument("id", COUNT),),
        (STATE, Repeated("words", (Text("word", 1 << 16),), 1 << 16, least=0)),
        ANY,
        True,
        "What became of a request of this session, for who has lost the connection before the answer: done, with the "
        "words of the answer where they are known still; failed, with the error; never (it has not come); unknown.",
    ),
    Operation(
        "sessions",
        (),
        (
            Repeated(
                "number, name, peer, seconds, scopes, lines",
                (COUNT, NAME, NAME, COUNT, NAME, LIST),
                1 << 16,
                least=0,
            ),
        ),
        READ,
        True,
        "Who is there, from where, since when, with what scopes, and with which lines.",
    ),
    Operation(
        "holders",
        (),
        (Repeated("line, holder, seconds", (LINE, NAME, Maybe(COUNT)), LINES_MAX, least=0),),
        READ,
        True,
        "Who has which line, and since when.",
    ),
    Operation(
        "rules",
        (),
        (Repeated("rules", (Text("rule", 1000),), 1 << 16, least=0),),
        READ,
        True,
        "The rules that are in force, in words.",
    ),
    Operation(
        "fronts",
        (),
        (Repeated("fronts", (Text("front", 1000),), 64, least=0),),
        READ,
        True,
        "What else is served here, by which protocol, to whom, and what it may do, in words.",
    ),
    Operation(
        "audit",
        (Argument("since", COUNT, 0), Argument("most", Number("number", 1, 10_000), 1000)),
        (
            Repeated(
                "number, second, who, line, what, level, times",
                (COUNT, COUNT, NAME, LINE, NAME, ANY_LEVEL, COUNT),
                10_000,
                least=0,
            ),
        ),
        READ,
        True,
        "Who has set what: one record for a session, a line and a second. Records from number SINCE on, the first of "
        "which may be another where that is forgotten.",
    ),
    Operation(
        "hold",
        (Argument("pairs", Repeated("lines and levels", (LINE, LEVEL), LINES_MAX)),),
        (),
        GPIO,
        True,
        "Have the server hold lines as outputs of these levels when the session has ended, and after a new start.",
    ),
    Operation(
        "unhold",
        (Argument("lines", Repeated("lines", (LINE,), LINES_MAX)),),
        (),
        GPIO,
        True,
        "Hold them no longer: they go into their safe states.",
    ),
    Operation(
        "holds",
        (),
        (Repeated("lines and levels", (LINE, LEVEL), LINES_MAX, least=0),),
        READ,
        True,
        "What is held.",
    ),
    Operation(
        "tokens",
        (),
        (COUNT,),
        ANY,
        True,
        "Look at the file of tokens again, for one that was revoked. Answers how many sessions that has ended.",
    ),
    *BUS_ROWS,
    *TASK_ROWS,
    Operation(
        "modules",
        (),
        (),
        RUN,
        False,
        "Have a process with the modules of this machine, which speaks for itself on this connection from here on: see "
        "below.",
    ),
    Operation(
        "runs",
        (),
        (),
        RUN,
        False,
        "Have programs run on this machine: this connection speaks frames from here on, see below.",
    ),
    Operation(
        "tunnel",
        (Argument("front", Word("front end", {name: name for name in FRONTS})),),
        (),
        READ,
        False,
        "Have this connection be one to a front end of another protocol from here on, at its port there. It takes all "
        "the scopes that are open to who comes to that port from its own machine, for all lines.",
    ),
    Operation(
        "tunnel_back",
        (Argument("front", Word("front end", {"rraspy": "rraspy"})),),
        (),
        READ,
        False,
        "The same for one that calls its host, with the next call: answered when that comes.",
    ),
    Operation(
        "lend",
        (Argument("idle_s", Real("time in seconds", 0.001, LEND_IDLE_MAX_S)),),
        (),
        ANY,
        True,
        "At a unix socket: one byte comes next, and with it, by SCM_RIGHTS, the end of a pipe to read at, and that of "
        "another one to write to. When that is answered a session begins there, and this connection says nothing more: "
        "either of the two ends with the other. Who says nothing there for IDLE_S has gone.",
    ),
    Operation("bye", (), (), ANY, True, "End the session, and give its lines back."),
)

OPERATIONS = {operation.name: operation for operation in ROWS}
"""By name."""
