# SPDX-License-Identifier: LGPL-3.0-or-later
"""What each task does to its line: a course of shares of full power, 0.0 to 1.0, and for how long each."""

from __future__ import annotations

from math import isfinite

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Step = tuple[float, int | None]
    """(share, for how many nanoseconds); None for as long as it is let."""
    Course = Iterator[Step]

NS_PER_S, NS_PER_MS = 1_000_000_000, 1_000_000
TIME_MAX_MS = 1e9
"""The longest time of a task, eleven days."""
ARGUMENT_MAX_S = 1e6
TURN_MIN_S = 0.001
"""The shortest turn of a blink: what is quicker is PWM, and ``value``."""
FADE_S, FADE_STEP_NS = 1.0, 40_000_000
"""gpiozero's: a second up and one down, 25 steps in each."""
CLOSE = "close"


def _on(share: float, arg1: float, arg2: float) -> Course:
    yield 1.0, None


def _off(share: float, arg1: float, arg2: float) -> Course:
    yield 0.0, None


def _value(share: float, arg1: float, arg2: float) -> Course:
    yield arg1, None


def _toggle(share: float, arg1: float, arg2: float) -> Course:
    yield 0.0 if share else 1.0, None


def _blink(share: float, on_s: float, off_s: float) -> Course:
    turn = [(1.0, round(on_s * NS_PER_S)), (0.0, round(off_s * NS_PER_S))]
    turn = [step for step in turn if step[1]]
    while True:
        yield from turn


def _pulse(share: float, in_s: float, out_s: float) -> Course:
    turn = [*_fade(0.0, 1.0, in_s or FADE_S), *_fade(1.0, 0.0, out_s or FADE_S)]
    while True:
        yield from turn


def _fade(begin: float, end: float, time_s: float) -> list[tuple[float, int]]:
    """Steps from one share to just before the other, in so long."""
    whole_ns = max(1, round(time_s * NS_PER_S))
    count = max(1, min(MOST_STEPS, whole_ns // FADE_STEP_NS))
    return [(begin + (end - begin) * n / count, whole_ns // count) for n in range(count)]


MOST_STEPS = 1000
"""Of a fade that takes long: its share changes by a thousandth then."""


def _no_arguments(arg1: float, arg2: float) -> None:
    """Whatever they are, they mean nothing."""


def _a_share(arg1: float, arg2: float) -> None:
    if arg1 > 1:
        raise ValueError(f"value takes a share of full power, 0 to 1, not {arg1:g}")


def _two_times(arg1: float, arg2: float) -> None:
    if arg1 + arg2 < TURN_MIN_S:
        raise ValueError(
            f"blink takes two times in seconds, {TURN_MIN_S:g} in all at least, not {arg1:g} and {arg2:g}"
        )


def _two_fades(arg1: float, arg2: float) -> None:
    for time_s in (arg1, arg2):
        if 0 < time_s < TURN_MIN_S:
            raise ValueError(f"pulse takes {TURN_MIN_S:g} s at least for each fade, not {time_s:g}")


COURSES: dict[
    str, tuple[Callable[[float, float, float], Course], tuple[float, float], Callable[[float, float], None]]
] = {
    "on": (_on, (0.0, 0.0), _no_arguments),
    "off": (_off, (0.0, 0.0), _no_arguments),
    "toggle": (_toggle, (0.0, 0.0), _no_arguments),
    "value": (_value, (1.0, 0.0), _a_share),
    "blink": (_blink, (1.0, 1.0), _two_times),
    "pulse": (_pulse, (0.0, 0.0), _two_fades),
}
"""Name -> its course, made of the share before and two arguments; their defaults; what checks them."""

NAMES = (*COURSES, CLOSE)


def checked(name: str, time_ms: float, arg1: float | None, arg2: float | None) -> tuple[int, float, float]:
    """Return the time of a task in nanoseconds, and its arguments. Raises ValueError, TypeError."""
    if name not in NAMES:
        raise ValueError(f"a task is one of {', '.join(NAMES)}, not {name[:40]!r}")
    time_ms = _number("time_ms", time_ms, TIME_MAX_MS, "milliseconds")
    if name == CLOSE:
        return 0, 0.0, 0.0
    _, defaults, check = COURSES[name]
    first, second = [
        default if given is None else _number(which, given, ARGUMENT_MAX_S, "seconds, or a share")
        for which, given, default in zip(("arg1", "arg2"), (arg1, arg2), defaults, strict=True)
    ]
    check(first, second)
    return round(time_ms * NS_PER_MS), first, second


def _number(which: str, value: float, most: float, unit: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{which} is a number of {unit}, not {type(value).__name__}")
    if not (isfinite(value) and 0 <= value <= most):
        raise ValueError(f"{which} is 0 to {most:g} {unit}, not {value:g}")
    return float(value)
