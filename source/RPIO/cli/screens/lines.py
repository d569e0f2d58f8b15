# SPDX-License-Identifier: LGPL-3.0-or-later
"""All lines of the board and what is done to them, without a terminal: for ``rpio-curses`` and ``rpio tui``.

Only inputs that were set up here are watched: a watch of another line would take it.
"""

from __future__ import annotations

from dataclasses import dataclass
from logging import Handler, LogRecord

from ... import PWM, constants, errors, facade
from ...board.subscriptions import Subscription
from ...doctor import board as killed
from ...doctor.patient import Patient
from ..options import gpios

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    from ..._gpio import EdgeEvent
    from ...board.subscriptions import WatchedLine

    T = TypeVar("T")

REFRESH_S = 1.0
"""How often lines are read of which no edge tells."""

REST_S = 0.05
"""How long edges wait after some have been handled: a line that oscillates redraws the screen no more often."""

PWM_HZ = 100
DUTY_FIRST, DUTY_STEP = 50, 5

FAILURES = (errors.GPIOError, OSError, ValueError, RuntimeError)

OUTPUT, INPUT, UP, DOWN, OFF, HIGH, LOW = "output", "input", "up", "down", "off", "high", "low"
PULSES, MORE, LESS, NO_PWM, BACK = "pwm", "more", "less", "no pwm", "back"
PRESS, DRIVE_HIGH, DRIVE_LOW, LET_GO = "press", "drive high", "drive low", "let go"
"""What the world outside of a simulated board does."""
OUTSIDE = "outside"
"""Stands among the features where that can be played."""

LABELS = {
    OUTPUT: "Set to OUTPUT",
    INPUT: "Set to INPUT",
    UP: "Pull-up",
    DOWN: "Pull-down",
    OFF: "Pull off",
    HIGH: "Set to High",
    LOW: "Set to Low",
    PULSES: f"Start PWM ({PWM_HZ} Hz, {DUTY_FIRST} %)",
    MORE: f"Duty + {DUTY_STEP} %",
    LESS: f"Duty - {DUTY_STEP} %",
    NO_PWM: "Stop PWM",
    PRESS: "Outside: press (0.2 s)",
    DRIVE_HIGH: "Outside: drive high",
    DRIVE_LOW: "Outside: drive low",
    LET_GO: "Outside: let go",
    BACK: "Back",
}
"""Action -> what the menu calls it."""

MOST_ACTIONS = 9
"""The longest menu."""

PRESS_NS = 200_000_000

LEVELS = {0: ("Low", "low"), 1: ("High", "high")}

KEY_HELP = (
    "Up, Down     move",
    "PgUp, PgDn   move by a page",
    "Home, End    first, last",
    "Enter        open the menu; do it",
    "Right        open the menu",
    "Left, Esc    close the menu",
    "+, -         duty of a PWM",
    "r            look at all lines now",
    "h            this help",
    "q, Ctrl+C    quit",
)
LIVE_HELP = (
    "Inputs set here are live, by edges;",
    "other lines are read once a second,",
    "for watching would take them.",
)
"""What both programs say in their help."""


@dataclass
class Line:
    """What is known of one GPIO. *level* and *pull* None: it cannot be told."""

    gpio: int
    pin: int | None = None
    function: int = constants.IN
    level: int | None = 0
    pull: int | None = None
    holder: str = ""
    duty: int | None = None  # of the PWM that was started here
    is_ours: bool = False
    is_live: bool = False  # edges tell of its level
    driven: int | None = None  # from outside, on a simulated board


# -- in words -------------------------------------------------------------------------------------------------


def actions(line: Line, features: frozenset[str]) -> tuple[str, ...]:
    """The menu of a line."""
    if line.function == constants.OUT:
        if line.duty is not None:
            return MORE, LESS, NO_PWM, HIGH, LOW, INPUT, BACK
        return INPUT, HIGH, LOW, *([PULSES] if "pwm" in features else []), BACK
    if line.function == constants.IN:
        outside = [PRESS, DRIVE_HIGH, DRIVE_LOW, LET_GO] if OUTSIDE in features else []
        if line.holder and outside:
            return *outside, BACK
        return OUTPUT, *([UP, DOWN, OFF] if "pulls" in features else []), *outside, BACK
    return INPUT, OUTPUT, BACK


def function_of(line: Line) -> str:
    """The name of the function."""
    return constants.FUNCTION_NAMES.get(line.function, "-")


def level_of(line: Line) -> tuple[str, str]:
    """The level as people read it, and the name of its style."""
    if line.duty is not None:
        return f"{line.duty} %", "pwm"
    return LEVELS.get(-1 if line.level is None else line.level, ("-", "plain"))


def pull_of(line: Line) -> str:
    """The name of the pull."""
    return "-" if line.pull is None else constants.PULL_NAMES.get(line.pull, "-")


def facts_of(line: Line, refresh: str) -> Iterator[tuple[str, str]]:
    """What is known of a line; *refresh* says when those are read of which no edge tells."""
    yield "Function", function_of(line)
    if line.duty is not None:
        yield "PWM", f"{PWM_HZ} Hz, {line.duty} % high"
    else:
        yield "Level", level_of(line)[0]
    if line.function == constants.IN:
        yield "Pull", pull_of(line)
        yield "Refresh", "live, by edges" if line.is_live else refresh
    if line.driven is not None:
        yield "Outside", f"drives it {LEVELS[line.driven][0].lower()}"
    if line.is_ours:
        yield "Set up", "here"
    elif line.holder:
        yield "Held by", line.holder


# -- reading and changing -------------------------------------------------------------------------------------


class Lines:
    """The lines, in the order of their numbers.

    *on_edge* is called with a line and each edge of it, in the thread that runs the dispatcher, after the line has its
    new level. Without *is_live* nothing is watched.
    """

    def __init__(
        self, is_live: bool = True, on_edge: Callable[[Line, EdgeEvent], object] | None = None
    ) -> None:
        pins = {line: pin for pin, line in facade.board.hardware.header.items() if isinstance(line, int)}
        self.by_gpio = {gpio: Line(gpio, pins.get(gpio)) for gpio in gpios()}
        self.board_text = facade.describe()
        self._outside = facade.board.backend.outside()
        self.features = facade.board.backend.features | ({OUTSIDE} if self._outside is not None else set())
        self.is_live = is_live
        self.refresh = "once a second" if is_live else "at each key"
        self._on_edge = on_edge
        self._watched: set[int] = set()
        self._pwm: dict[int, PWM] = {}
        self._hears_all = is_live and facade.board.backend.watches_outputs
        if self._hears_all:
            self._listen_to_all()
        self.look()

    @property
    def all(self) -> list[Line]:
        """All of them."""
        return list(self.by_gpio.values())

    def look(self, chosen: Line | None = None) -> str:
        """Read everything; what to say where another program has made the menu of the chosen one that of the past."""
        before = None if chosen is None else actions(chosen, self.features)
        for line in self.by_gpio.values():
            self.look_at(line)
        if chosen is None or actions(chosen, self.features) == before:
            return ""
        return f"GPIO {chosen.gpio} has become {function_of(chosen)} from elsewhere"

    def look_at(self, line: Line) -> None:
        """Read one line. Changes nothing, and leaves lines that others hold to them."""
        board, gpio = facade.board, line.gpio
        line.function = _or(facade.gpio_function, gpio, constants.UNKNOWN)
        line.is_ours = board.lines.direction(gpio) is not None
        line.is_live = gpio in self._watched and (self._hears_all or line.function == constants.IN)
        holder = "" if line.is_ours else _or(board.backend.consumer, gpio, "")
        line.holder = "".join(c if c.isprintable() else "?" for c in holder)
        line.pull = _or(board.backend.pull, gpio, None) if line.function == constants.IN else None
        line.driven = _or(self._outside.driven, gpio, None) if self._outside is not None else None
        line.level = None if line.duty is not None else _or(board.lines.peek, gpio, None)

    def act(self, line: Line, action: str) -> str:
        """Carry out an entry of the menu; the error, "" where there is none."""
        failure = ""
        try:
            if action in DUTY_STEPS:
                self._change_duty(line, DUTY_STEPS[action])
            elif action == PULSES:
                self._start_pwm(line)
            elif action in FINGERS and self._outside is not None:
                self._touch(line, action)
            elif action != BACK:
                self._end_pwm(line)
                ACTIONS[action](line.gpio)
                if self._hears_all:
                    facade.board.watched.resume(line.gpio)
                else:
                    self._watch(line.gpio)
        except FAILURES as e:
            failure = str(e)
        self.look_at(line)
        return failure

    def toggle(self, line: Line) -> str:
        """Turn the level of an output over; what is in the way, "" for nothing."""
        self.look_at(line)
        if line.duty is not None:
            return f"GPIO {line.gpio} has a PWM: stop that first"
        if line.function != constants.OUT:
            return f"GPIO {line.gpio} is {function_of(line)}: only outputs can be toggled"
        return self.act(line, LOW if line.level else HIGH)

    def _watch(self, gpio: int) -> None:
        """Have edges tell of an input that was set up here."""
        if not self.is_live or gpio in self._watched or facade.board.lines.direction(gpio) != constants.IN:
            return
        try:
            facade.board.interrupts.subscribe(gpio, _Edges(self._edge), 0)
        except FAILURES:
            return  # no edges here: it is read with the others
        self._watched.add(gpio)

    def _listen_to_all(self) -> None:
        """Have edges tell of all lines, whoever has them: on the shared board that takes them from nobody."""
        for gpio in self.by_gpio:
            try:
                facade.board.interrupts.listen(gpio, _Edges(self._edge))
            except FAILURES:
                continue  # it is read with the others
            self._watched.add(gpio)

    def _touch(self, line: Line, action: str) -> None:
        """Play the world outside."""
        outside = self._outside
        assert outside is not None
        if action == PRESS:
            outside.press(line.gpio, PRESS_NS, 1 - facade.board.backend.read(line.gpio))
        else:
            outside.drive(line.gpio, FINGERS[action])

    def _edge(self, event: EdgeEvent) -> None:
        line = self.by_gpio[event.line]
        line.level = event.value
        if self._on_edge is not None:
            self._on_edge(line, event)

    def _change_duty(self, line: Line, by: int) -> None:
        """Lengthen or shorten the pulses of a line, if it has some."""
        if line.duty is not None:
            line.duty = max(0, min(100, line.duty + by))
            self._pwm[line.gpio].ChangeDutyCycle(line.duty)

    def _start_pwm(self, line: Line) -> None:
        if facade.board.lines.direction(line.gpio) != constants.OUT:
            facade.setup(line.gpio, constants.OUT)
        pwm = self._pwm[line.gpio] = PWM(line.gpio, PWM_HZ)
        pwm.start(DUTY_FIRST)
        line.duty = DUTY_FIRST

    def _end_pwm(self, line: Line) -> None:
        pwm, line.duty = self._pwm.pop(line.gpio, None), None
        if pwm is not None:
            pwm.stop()

    def last_words(self, program: str) -> list[str]:
        """What becomes of the lines that were set here, now that the program ends."""
        found = []
        mine = [line for line in self.all if facade.board.lines.direction(line.gpio) is not None]
        with_pwm = ", ".join(str(line.gpio) for line in mine if line.duty is not None)
        outputs = ", ".join(
            str(line.gpio) for line in mine if line.function == constants.OUT and line.duty is None
        )
        if with_pwm:
            found.append(f"GPIO {with_pwm}: the PWM ends with {program}")
        if outputs:
            name = facade.board.backend.name
            found.append(f"GPIO {outputs}, set to output: such lines {_fate(name)}")
        return found


def _fate(name: str) -> str:
    """What the backend of that name does with outputs that are left as they are."""
    if name == "cdev":
        return f"are the program's only while it runs; {killed.when_killed(name, killed.persists(Patient()))}"
    return killed.when_killed(name, None).partition(";")[0]


class _Edges(Subscription):
    """Every edge of a line, with its time."""

    __slots__ = ("_tell",)

    def __init__(self, tell: Callable[[EdgeEvent], object]) -> None:
        super().__init__(3, None, 0)
        self._tell = tell

    def deliver(self, event: EdgeEvent, watched: WatchedLine) -> None:
        """Tell of it."""
        self._tell(event)


class Messages(Handler):
    """What is logged goes onto the screen, not across it."""

    def __init__(self, tell: Callable[[str], object]) -> None:
        super().__init__()
        self._tell = tell

    def emit(self, record: LogRecord) -> None:
        """Tell of it, in whatever thread it happens."""
        self._tell(record.getMessage())


def _or(ask: Callable[[int], T], gpio: int, otherwise: T) -> T:
    """What the board says of a line, or *otherwise* where it cannot be told."""
    try:
        return ask(gpio)
    except FAILURES:
        return otherwise


FINGERS = {PRESS: None, DRIVE_HIGH: 1, DRIVE_LOW: 0, LET_GO: None}

DUTY_STEPS = {MORE: DUTY_STEP, LESS: -DUTY_STEP}

ACTIONS: dict[str, Callable[[int], object]] = {
    OUTPUT: lambda gpio: facade.setup(gpio, constants.OUT),
    INPUT: lambda gpio: facade.setup(gpio, constants.IN),
    UP: lambda gpio: facade.setup(gpio, constants.IN, constants.PUD_UP),
    DOWN: lambda gpio: facade.setup(gpio, constants.IN, constants.PUD_DOWN),
    OFF: lambda gpio: facade.setup(gpio, constants.IN, constants.PUD_OFF),
    HIGH: lambda gpio: facade.forceoutput(gpio, 1),
    LOW: lambda gpio: facade.forceoutput(gpio, 0),
    NO_PWM: lambda gpio: None,
}
"""Action -> what it does to a line, whose PWM has been ended."""
