# SPDX-License-Identifier: LGPL-3.0-or-later
"""All that can be asked of lines from afar: one table, for codecs, dispatch, the remote backend and doc/protocol.

Lines are BCM numbers. A new operation is a row; nothing that is no row can be asked.
"""

from __future__ import annotations

from .. import constants
from .kinds import Kind, Maybe, Number, Real, Repeated, Text, Word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

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

READ, GPIO = "read", "gpio"
"""Scopes: what changes nothing, and what drives lines."""

REQUIRED = object()
"""Stands for the default of an argument that has none."""


class Argument:
    """One argument of an operation."""

    __slots__ = ("default", "kind", "name")

    def __init__(self, name: str, kind: Kind, default: object = REQUIRED) -> None:
        self.name, self.kind, self.default = name, kind, default


class Operation:
    """What can be asked. *is_repeatable*: done twice is the same as done once, so who does not know may ask again."""

    __slots__ = ("arguments", "is_repeatable", "least", "name", "result", "scope", "text")

    def __init__(
        self,
        name: str,
        arguments: Sequence[Argument],
        result: Sequence[Kind],
        scope: str,
        is_repeatable: bool,
        text: str,
    ) -> None:
        self.name, self.arguments, self.result = name, tuple(arguments), tuple(result)
        self.scope, self.is_repeatable, self.text = scope, is_repeatable, text
        self.least = sum(argument.default is REQUIRED for argument in arguments)

    def values(self, words: Sequence[str]) -> tuple[object, ...]:
        """Return the value of each argument, from words. Raises ValueError, which names the argument."""
        arguments = self.arguments
        if len(words) < self.least:
            raise ValueError(f"{self.name} needs {arguments[len(words)].name.upper()}; {self.usage()}")
        found: list[object] = []
        for at, argument in enumerate(arguments):
            kind = argument.kind
            try:
                if isinstance(kind, Repeated):
                    found.append(kind.read_all(words[at:]) if len(words) > at else argument.default)
                    return tuple(found)
                found.append(kind.read(words[at]) if at < len(words) else argument.default)
            except ValueError as e:
                raise ValueError(f"{argument.name.upper()} of {self.name}: {e}") from None
        if len(words) > len(arguments):
            raise ValueError(f"{self.name} has no {words[len(arguments)][:40]!r}; {self.usage()}")
        return tuple(found)

    def words(self, values: Sequence[object]) -> list[str]:
        """The words of these values, without those at the end that are defaults."""
        given = list(values)
        while given and len(given) > self.least and given[-1] == self.arguments[len(given) - 1].default:
            given.pop()
        return written([argument.kind for argument in self.arguments], given)

    def result_words(self, result: Sequence[object]) -> list[str]:
        """The words of a result."""
        return written(self.result, result)

    def usage(self) -> str:
        """How it is written."""
        words = [self.name]
        for argument in self.arguments:
            word = argument.name.upper() + ("..." if isinstance(argument.kind, Repeated) else "")
            words.append(word if argument.default is REQUIRED else f"[{word}]")
        return " ".join(words)


def written(kinds: Sequence[Kind], values: Sequence[object]) -> list[str]:
    """The words of values of these kinds, of which the last may be repeated."""
    words: list[str] = []
    for kind, value in zip(kinds, values, strict=False):
        if isinstance(kind, Repeated):
            words += kind.all_written(value)  # type: ignore[arg-type]
        else:
            words.append(kind.written(value))
    return words


def read(kinds: Sequence[Kind], words: Sequence[str]) -> tuple[object, ...]:
    """Return the values of words of these kinds, which are all there. Raises ValueError."""
    found: list[object] = []
    for at, kind in enumerate(kinds):
        if isinstance(kind, Repeated):
            found.append(kind.read_all(words[at:]))
            return tuple(found)
        if at >= len(words):
            raise ValueError(f"{kind.text} is missing")
        found.append(kind.read(words[at]))
    if len(words) > len(kinds):
        raise ValueError(f"{len(words) - len(kinds)} words too many")
    return tuple(found)


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
NAME = Text("name", 200)
STATE = Word("state", {word: word for word in ("done", "failed", "never", "unknown")})

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
        READ,
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
    Operation("ping", (), (), READ, True, "Nothing, answered."),
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
            Argument("filter_us", Number("time in microseconds", 0, 10**9), 0),
            Argument("holdoff_us", Number("time in microseconds", 0, 10**9), 0),
            Argument("initial", YES_OR_NO, False),
        ),
        (COUNT,),
        READ,
        True,
        "Be told of edges of an input; a second time is a change. FILTER_US: only of levels that last as long; "
        "HOLDOFF_US: of none so soon after another; INITIAL: of the level now, first, with the number 0. Answers the "
        "number of the last edge so far.",
    ),
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
        READ,
        True,
        "What became of a request of this session, for who has lost the connection before the answer: done, with the "
        "words of the answer where they are known still; failed, with the error; never (it has not come); unknown.",
    ),
    Operation("bye", (), (), READ, True, "End the session, and give its lines back."),
)

OPERATIONS = {operation.name: operation for operation in ROWS}
"""By name."""
