# SPDX-License-Identifier: LGPL-3.0-or-later
"""What remoteio's clients of lines may ask of gpiozero's devices: values as text, and the table of what there is.

::

    dev_0 LED _create args=(17,)                              !C
    dev_0 LED get property=('value', 'is_lit')                !G{'value' : 0,'is_lit' : False}
    dev_0 LED blink on_time=0.4;off_time=0;n=1                !E
    dev_4 RGBLED set color=Color('red')                       !S

Nothing is evaluated: ``remoteio_values`` reads values. A class, method, property or parameter that is not in the table
does not exist, and each value is checked for what it is for. Names that are looked up in gpiozero are those of the
table, never those that came.

Source: schech1/remoteio 711c38e; gpiozero 2.0.1, whose parameters these are.
"""

from __future__ import annotations

from math import isfinite

from .remoteio_values import Made

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

CREATE, GET, SET, CLOSE = "_create", "get", "set", "close"
ARGS = "args"
"""The parameter that has those without a name."""
NUMBER_MAX = 1e9
SECONDS_MAX = 1e6
HERTZ_MAX = 10_000


# -- what values are for ------------------------------------------------------------------------


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and isfinite(value) and abs(value) <= NUMBER_MAX


def _within(least: float, most: float) -> Callable[[object], bool]:
    return lambda value: _is_number(value) and least <= value <= most  # type: ignore[operator]


def _is_flag(value: object) -> bool:
    return value in (0, 1) and isinstance(value, (int, float))


def _is_count(value: object) -> bool:
    return type(value) is int and 1 <= value <= NUMBER_MAX


def _is_whole(value: object) -> bool:
    return type(value) is int and abs(value) <= NUMBER_MAX


def _is_pin(value: object) -> bool:
    if isinstance(value, str):
        return 0 < len(value) <= 16 and value.isascii() and value.isprintable()
    return type(value) is int and 0 <= value < 1000


def _is_color(value: object) -> bool:
    if isinstance(value, Made):
        return value.name == "Color" and 0 < len(value.args) <= 3 and all(map(_is_plain, value.args))
    return isinstance(value, tuple) and len(value) == 3 and all(map(_within(0, 1), value))


def _is_tone(value: object) -> bool:
    if isinstance(value, Made):
        return value.name == "Tone" and len(value.args) == 1 and _is_plain(value.args[0])
    return _within(1, 20_000)(value) or (isinstance(value, str) and 0 < len(value) <= 4)


def _is_plain(value: object) -> bool:
    return _is_number(value) or (isinstance(value, str) and len(value) <= 40)


def _is_shares(value: object) -> bool:
    return isinstance(value, tuple) and all(map(_within(0, 1), value))


def _is_names(value: object) -> bool:
    return isinstance(value, tuple) and all(isinstance(name, str) and name.isidentifier() for name in value)


def _is_steps(value: object) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and all(map(_is_whole, value))


KINDS: dict[str, tuple[Callable[[object], bool], str]] = {
    "pin": (_is_pin, "a pin: 17, 'GPIO17', 'BOARD11'"),
    "flag": (_is_flag, "True or False"),
    "share": (_within(0, 1), "a number from 0 to 1"),
    "signed": (_within(-1, 1), "a number from -1 to 1"),
    "seconds": (_within(0, SECONDS_MAX), "seconds"),
    "width": (_within(0.00001, 1), "seconds, 0.00001 to 1"),
    "hertz": (_within(1, HERTZ_MAX), f"hertz, 1 to {HERTZ_MAX}"),
    "number": (_is_number, "a number"),
    "angle": (_within(-3600, 3600), "degrees"),
    "whole": (_is_whole, "a whole number"),
    "count": (_is_count, "a whole number from 1 on"),
    "few": (lambda value: _is_count(value) and value <= 1000, "1 to 1000"),  # type: ignore[operator]
    "color": (_is_color, "Color('red') or three numbers from 0 to 1"),
    "tone": (_is_tone, "Tone('A4'), 'A4' or a frequency in hertz"),
    "shares": (_is_shares, "a tuple of numbers from 0 to 1"),
    "names": (_is_names, "a tuple of names"),
    "steps": (_is_steps, "two whole numbers"),
}
"""Word -> whether a value is that, and what it is in words. A ``?`` behind the word: or None."""


class Method:
    """A method of a class, or what makes one. *kinds* are its parameters in order, of which the first *most* may come
    without their names; *rest* is the kind of any more without a name.
    """

    __slots__ = ("kinds", "most", "name", "rest")

    def __init__(self, name: str, kinds: Mapping[str, str], rest: str = "") -> None:
        self.name, self.kinds, self.rest, self.most = name, kinds, rest, len(kinds)

    def checked(self, given: Mapping[str, object]) -> tuple[list[object], dict[str, object]]:
        """Return the values for parameters without and with names. Raises ValueError."""
        named = {name: value for name, value in given.items() if name != ARGS}
        args = given.get(ARGS, ())
        positional = list(args) if isinstance(args, (tuple, list)) else [args]
        names = list(self.kinds)[: self.most]
        if not self.rest:
            if len(positional) > len(names):
                raise ValueError(
                    f"{self.name} takes {len(names)} values without names at most, not {len(positional)}"
                )
            for name, value in zip(names, positional, strict=False):
                if name in named:
                    raise ValueError(f"{name} is given twice")
                named[name] = value
            positional = []
        for value in positional:
            check(self.rest, value, self.name)
        return positional, {name: self._check(name, value) for name, value in named.items()}

    def _check(self, name: str, value: object) -> object:
        if name not in self.kinds and "**" not in self.kinds:
            raise ValueError(f"{self.name} has no {name!r}")
        return check(self.kinds[name if name in self.kinds else "**"], value, name)


def pins_of(kind: Kind, positional: Iterable[object], named: Mapping[str, object]) -> list[object]:
    """The pins among the checked values of what makes a device."""
    kinds = kind.create.kinds
    found = [value for name, value in named.items() if kinds.get(name, kinds.get("**", "")).startswith("pin")]
    return [value for value in (*positional, *found) if value is not None]


def check(kind: str, value: object, name: str) -> object:
    """Return a value that is of a kind. Raises ValueError."""
    if kind.endswith("?") and value is None:
        return value
    is_one, words = KINDS[kind.rstrip("?")]
    if not is_one(value):
        raise ValueError(f"{name} is {words}, not {str(value)[:40]!r}")
    return value


class Kind:
    """A class: how one is made, its methods, what may be read, and of which kind that is which may be set."""

    __slots__ = ("create", "methods", "name", "reads", "writes")

    def __init__(self, name: str, create: str, methods: str, reads: str, writes: str) -> None:
        self.name = name
        self.create = _method(f"{name} {create}")
        self.create.most = list(self.create.kinds.values()).count("pin")
        self.methods = {made.name: made for made in map(_method, methods.split(";"))}
        self.writes = dict(_pairs(writes.split()))
        self.reads = {word: word for word in (*reads.split(), *OF_ALL.split(), *self.writes)}


def _method(text: str) -> Method:
    name, *words = text.split()
    rest = [word[1:] for word in words if word[0] == "*" and word[1] != "*"]
    return Method(name, dict(_pairs(word for word in words if word[:1] != "*" or word[:2] == "**")), *rest)


def _pairs(words: Iterable[str]) -> Iterable[tuple[str, str]]:
    for word in words:
        name, _, kind = word.partition(":")
        if kind.rstrip("?") not in KINDS:
            raise ValueError(word)
        yield name, kind


OF_ALL = "value is_active closed pin_factory"
ON_OFF = "on;off;toggle"
BLINK = "on_time:seconds off_time:seconds"
FADES = "fade_in_time:seconds fade_out_time:seconds"
TIMES = "n:count? background:flag"
WAITS = "wait_for_active timeout:seconds?;wait_for_inactive timeout:seconds?"
TIMED = "active_time inactive_time"
SMOOTHED = f"{TIMED} pin pull_up queue_len partial"
SERVO = "min_pulse_width:width max_pulse_width:width frame_width:width"
OF_SERVO = "frame_width min_pulse_width max_pulse_width"
MOTOR = "forward speed:share;backward speed:share;reverse;stop"
COLORS = "on_color:color off_color:color"


def _sensor(name: str, more: str, waits: str, reads: str) -> Kind:
    waiting = ";".join(f"wait_for_{word} timeout:seconds?" for word in waits.split())
    return Kind(
        name,
        f"pin:pin {more} queue_len:few threshold:number partial:flag",
        f"{WAITS};{waiting}",
        f"{SMOOTHED} {reads}",
        "threshold:number",
    )


OF_LED = ("pin:pin active_high:flag initial_value:flag?", "active_high:flag source_delay:seconds value:share")
PULLED = "pull_up:flag? active_state:flag? sample_rate:hertz"

CLASSES = {
    kind.name: kind
    for kind in (
        Kind("LED", OF_LED[0], f"{ON_OFF};blink {BLINK} {TIMES}", "is_lit pin", OF_LED[1]),
        Kind(
            "PWMLED",
            "pin:pin active_high:flag initial_value:share? frequency:hertz",
            f"{ON_OFF};blink {BLINK} {FADES} {TIMES};pulse {FADES} {TIMES}",
            "is_lit pin",
            f"{OF_LED[1]} frequency:hertz",
        ),
        Kind(
            "RGBLED",
            "red:pin green:pin blue:pin active_high:flag initial_value:color pwm:flag",
            f"{ON_OFF};blink {BLINK} {FADES} {COLORS} {TIMES};pulse {FADES} {COLORS} {TIMES}",
            "is_lit",
            "color:color value:color red:share green:share blue:share source_delay:seconds",
        ),
        Kind(
            "Buzzer",
            OF_LED[0],
            f"{ON_OFF};blink {BLINK} {TIMES};beep {BLINK} {TIMES}",
            "pin",
            OF_LED[1],
        ),
        Kind(
            "TonalBuzzer",
            "pin:pin initial_value:tone? mid_tone:tone octaves:few",
            "play tone:tone?;stop",
            "all max_tone mid_tone min_tone namedtuple octaves",
            "tone:tone? value:signed? source_delay:seconds",
        ),
        Kind(
            "LEDBoard",
            "*pin pwm:flag active_high:flag initial_value:share? _order:names **:pin",
            f"on *whole;off *whole;toggle *whole;blink {BLINK} {FADES} {TIMES};pulse {FADES} {TIMES}",
            "active_high all is_lit leds namedtuple",
            "value:shares source_delay:seconds",
        ),
        Kind(
            "LEDBarGraph",
            "*pin pwm:flag active_high:flag initial_value:signed",
            ON_OFF,
            "active_high all leds namedtuple",
            "value:signed lit_count:whole source_delay:seconds",
        ),
        Kind(
            "Button",
            "pin:pin pull_up:flag? active_state:flag? bounce_time:seconds? hold_time:seconds hold_repeat:flag",
            f"{WAITS};wait_for_press timeout:seconds?;wait_for_release timeout:seconds?",
            f"{TIMED} held_time is_held is_pressed pin pressed_time pull_up",
            "hold_time:seconds hold_repeat:flag",
        ),
        _sensor("MotionSensor", PULLED, "motion no_motion", "motion_detected"),
        _sensor("LineSensor", PULLED, "line no_line", "line_detected"),
        _sensor("LightSensor", "charge_time_limit:seconds", "light dark", "light_detected charge_time_limit"),
        Kind(
            "DistanceSensor",
            "echo:pin trigger:pin queue_len:few max_distance:number threshold_distance:number partial:flag",
            f"{WAITS};wait_for_in_range timeout:seconds?;wait_for_out_of_range timeout:seconds?",
            f"{SMOOTHED} distance echo in_range trigger",
            "max_distance:number threshold:number threshold_distance:number",
        ),
        Kind(
            "RotaryEncoder",
            "a:pin b:pin bounce_time:seconds? max_steps:whole threshold_steps:steps wrap:flag",
            f"{WAITS};wait_for_rotate timeout:seconds?;wait_for_rotate_clockwise timeout:seconds?;"
            "wait_for_rotate_counter_clockwise timeout:seconds?",
            f"{TIMED} all max_steps namedtuple threshold_steps wrap",
            "steps:whole value:signed",
        ),
        Kind(
            "Servo",
            f"pin:pin initial_value:signed? {SERVO}",
            "min;mid;max;detach",
            f"all namedtuple {OF_SERVO}",
            "value:signed? pulse_width:width? source_delay:seconds",
        ),
        Kind(
            "AngularServo",
            f"pin:pin initial_angle:angle? min_angle:angle max_angle:angle {SERVO}",
            "min;mid;max;detach",
            f"all namedtuple min_angle max_angle {OF_SERVO}",
            "angle:angle? value:signed? pulse_width:width? source_delay:seconds",
        ),
        Kind(
            "Motor",
            "forward:pin backward:pin enable:pin? pwm:flag",
            MOTOR,
            "all namedtuple",
            "value:signed source_delay:seconds",
        ),
        Kind(
            "PhaseEnableMotor",
            "phase:pin enable:pin pwm:flag",
            MOTOR,
            "all namedtuple",
            "value:signed source_delay:seconds",
        ),
    )
}

# -- replies ------------------------------------------------------------------------------------

CREATED, DONE, FAILED, IS_SET, NOT_SET, NOT_GOT, CLOSED, IGNORED = (
    b"!C",
    b"!E",
    b"?E",
    b"!S",
    b"?S",
    b"?G",
    b"!F",
    b"?I",
)
OF_FAILURE = {GET: NOT_GOT, SET: NOT_SET}


def creation_failed(ident: str, why: str = "") -> bytes:
    """The device cannot be made."""
    return f"?? {ident} Led creation failure{f': {why}' if why else ''}".encode()


def timed_out(ident: str, command: str) -> bytes:
    """It takes longer than a client waits."""
    return f"?? pipe connection timed out {ident} {command}".encode()


def got(values: Mapping[str, object]) -> bytes:
    """Values of properties, as a text that the client evaluates."""
    return f"!G{{{','.join(f'{name!r} : {_written(value)}' for name, value in values.items())}}}".encode()


def _written(value: object) -> str:
    if value is None or isinstance(value, bool):
        return str(value)
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float) and isfinite(value):
        return repr(float(value))
    text = str(value).replace("\\", "/").replace('"', "'")
    return f'"{"".join(c if c.isprintable() else " " for c in text)}"'
