# SPDX-License-Identifier: LGPL-3.0-or-later
"""Reading arguments: what RPi.GPIO and the original RPIO accept, and their texts for what they do not.

Each function returns one normal form, or raises. Integers are whatever has ``__index__``, bool included; floats
and strings are none. Source: RPi.GPIO 0.7.1; the documentation of RPIO 0.10.
"""

from __future__ import annotations

from _operator import index

from . import constants, errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import CodeType, FunctionType
    from typing import Any, TypeVar

    F = TypeVar("F", bound=Callable[..., Any])

Channels = int | list[int] | tuple[int, ...]


class _All(tuple[int, ...]):
    """A type of its own for ALL, so that nobody passes it by accident."""

    def __repr__(self) -> str:
        return "ALL"


ALL = _All()
"""All channels: what cleanup() has for its default. None is no channel, and an error."""

EDGE_NAMES = {"none": 0, "rising": 1, "falling": 2, "both": 3}
EDGES = {"rising": constants.RISING, "falling": constants.FALLING, "both": constants.BOTH}
DIRECTIONS = {"in": constants.IN, "out": constants.OUT}
PULL_NAMES = {name: pull for pull, name in constants.PULL_NAMES.items()}
PULLS = {0: constants.PUD_OFF, 1: constants.PUD_DOWN, 2: constants.PUD_UP} | constants.PULLS
"""Every number of a pull, the original RPIO's 0, 1 and 2 too."""
HOLDOFF_MAX_MS = 86_400_000
FILTER_MAX_US = 10_000_000
DUTY_BOUNDS = (-(2.0**-150), 100.0 + 2.0**-18)
"""What is 0.0 and 100.0 to RPi.GPIO, which keeps a C float; 100 * (0.1 + 0.2) / 0.3 is a little more than 100."""
TIMEOUT_MAX_MS = 2**31 - 1
"""What RPi.GPIO's int holds, and poll(2)."""


def _integer(number: object) -> int | None:
    """Return an integer, None for what is none, such as numpy's arrays, whose ``__index__`` raises."""
    try:
        return index(number)  # type: ignore[arg-type]
    except TypeError:
        return None


def integer(name: str, value: object) -> int:
    """Return the int of that parameter; whatever has ``__index__`` is one. TypeError."""
    number = _integer(value)
    if number is None:
        raise TypeError(f"{name} is an int, not {value!r}")
    return number


def channel_list(channels: Channels) -> Sequence[int]:
    """Return one channel or a list or tuple of channels as a sequence."""
    if isinstance(channels, (list, tuple)):
        return channels
    channel = _integer(channels)
    if channel is None:
        raise ValueError("Channel must be an integer or list/tuple of integers")
    return (channel,)


def channel_in_list(channel: object) -> int:
    """Return one channel of a list."""
    number = _integer(channel)
    if number is None:
        raise ValueError("Channel must be an integer")
    return number


def value_list(values: object) -> Sequence[int]:
    """Return one value or a list or tuple of values as a sequence."""
    if isinstance(values, (list, tuple)):
        return values
    value = _level(values)
    if value is None:
        raise ValueError("Value must be an integer/boolean or a list/tuple of integers/booleans")
    return (value,)


def level_in_list(value: object) -> int:
    """Return 0 or 1 for one value of a list."""
    level = _level(value)
    if level is None:
        raise ValueError("Value must be an integer or boolean")
    return level


def _level(value: object) -> int | None:
    """Return 0 or 1, None for what is no integer; numpy's bool is one here, which has no ``__index__``."""
    kind = type(value)
    if kind.__module__ == "numpy" and kind.__name__ in ("bool", "bool_"):
        return 1 if value else 0
    number = _integer(value)
    return None if number is None else 1 if number else 0


def number_of(name: str, value: object, words: dict[str, int]) -> int:
    """Return the constant for one of the words; an int as it is. TypeError."""
    if not isinstance(value, str):
        return integer(name, value)
    number = words.get(value)
    if number is None:
        raise TypeError(f"{name} is a constant or {_or(words)}, not {value!r}")
    return number


def _or(words: dict[str, int]) -> str:
    *most, last = map(repr, words)
    return f"{', '.join(most)} or {last}"


def direction_of(direction: object) -> int:
    """Return a direction, IN and OUT by word too; whether it is one shows later."""
    return number_of("direction", direction, DIRECTIONS)


def check_direction(direction: int) -> None:
    """Raise InvalidDirectionException for what is neither IN nor OUT."""
    if direction not in (constants.IN, constants.OUT):
        raise errors.InvalidDirectionException(
            "An invalid direction was passed to setup()", hint=f"use IN (1) or OUT (0), not {direction}"
        )


def pull_of(pull_up_down: object, historic: bool = True) -> int:
    """Return PUD_OFF, PUD_DOWN or PUD_UP, by word too.

    *historic*: take the original RPIO's 0, 1 and 2 for them as well.
    """
    known = PULLS if historic else constants.PULLS
    if isinstance(pull_up_down, str):
        pull = PULL_NAMES.get(pull_up_down)
    else:
        pull = known.get(index(pull_up_down)) if hasattr(pull_up_down, "__index__") else None
    if pull is None:
        raise errors.InvalidPullException(
            "Invalid value for pull_up_down - should be either PUD_OFF, PUD_UP or PUD_DOWN",
            hint=f"or {_or(PULL_NAMES)}; it is {pull_up_down!r}",
        )
    return pull


def pull_or_none(pull_up_down: object) -> int | None:
    """Return PUD_OFF, PUD_DOWN or PUD_UP, or None, which leaves the pull as it is."""
    return None if pull_up_down is None else pull_of(pull_up_down)


def edge_bits(edge: str | int) -> int:
    """Return the C core's bits of an edge: 1 rising, 2 falling, 3 both, 0 none."""
    bits = EDGE_NAMES.get(edge) if isinstance(edge, str) else constants.edge_bits(edge)
    if bits is None:
        raise errors.InvalidEdgeException(
            f"'{edge}' is not a valid edge.",
            hint="use 'rising', 'falling', 'both' or 'none', or RISING, FALLING, BOTH",
        )
    return bits


def holdoff_ns_of(holdoff_ms: float | None) -> int:
    """Return a hold-off in nanoseconds; None is no hold-off."""
    if holdoff_ms is None:
        return 0
    if not isinstance(holdoff_ms, (int, float)):
        raise TypeError(
            f"debounce_timeout_ms must be a number of milliseconds, not {type(holdoff_ms).__name__}"
        )
    if not 0 <= holdoff_ms <= HOLDOFF_MAX_MS:
        raise ValueError(f"debounce_timeout_ms must be from 0 to {HOLDOFF_MAX_MS} (a day), not {holdoff_ms}")
    return int(holdoff_ms * 1_000_000)


def check_callback(
    callback: object, parameters: str, text: str = "Parameter must be callable", is_awaited: bool = False
) -> None:
    """Raise InvalidCallbackException (a TypeError) for what cannot be called, or does nothing when it is.

    *parameters* are what it is called with, such as "gpio_id, value"; *is_awaited*: a coroutine function will do.
    """
    if not callable(callback):
        raise errors.InvalidCallbackException(text, hint=f"a function of ({parameters}), not {callback!r}")
    kind = _kind_that_waits(callback)
    if kind is None or (is_awaited and kind == COROUTINE):
        return
    raise errors.InvalidCallbackException(
        f"{name_of(callback)} is a {kind} function: a call of it runs nothing",
        hint="let a plain function do its work"
        if kind != COROUTINE
        else "asyncio.run_coroutine_threadsafe(), called in a plain function, runs one"
        if parameters.startswith("socket") or not parameters
        else "RPIO.aio.on_edge(channel, callback) awaits a coroutine function",
    )


def check_parameters(callback: Callable[..., object], parameters: str) -> None:
    """Raise InvalidCallbackException for a callback that cannot take those."""
    reason = why_not_with(callback, parameters)
    if reason is not None:
        raise errors.InvalidCallbackException(reason, hint=f"write it as a function of ({parameters})")


def why_not_with(callback: Callable[..., object], parameters: str) -> str | None:
    """Return in a sentence why a callback cannot be called with those; None: it can, or that cannot be known."""
    given = parameters.count(",") + 1
    function, is_method = _function_of(callback)
    code = _code_of(function)
    if function is None or code is None:
        return _why_not_by_signature(callback, parameters, given)
    most = code.co_argcount - is_method
    least = most - len(function.__defaults__ or ())
    if code.co_kwonlyargcount > len(function.__kwdefaults__ or ()):
        return f"{name_of(callback)} has arguments that are given by name alone, and is called with ({parameters})"
    if least <= given and (given <= most or code.co_flags & CO_VARARGS):
        return None
    takes = f"{max(least, 0)} to {most}" if 0 <= least < most else str(most)
    return (
        f"{name_of(callback)} takes {takes} argument{'s' * (takes != '1')}, and is called with ({parameters})"
    )


def _function_of(callback: Callable[..., object]) -> tuple[FunctionType | None, bool]:
    """Return the Python function that a call runs, and whether it gets an object first; None: it is none."""
    function: object = callback
    if type(callback).__name__ == "method":
        function = getattr(callback, "__func__", None)
    elif _code_of(callback) is None:  # an object: of its class's own method, whatever it wraps
        function = next(
            (vars(each)["__call__"] for each in type(callback).__mro__ if "__call__" in vars(each)), None
        )
    if isinstance(function, staticmethod):
        return function.__func__, False  # type: ignore[return-value]
    if type(function).__name__ != "function":
        return None, False
    return function, function is not callback  # type: ignore[return-value]


def _why_not_by_signature(callback: Callable[..., object], parameters: str, given: int) -> str | None:
    from inspect import signature

    try:
        known = signature(callback, follow_wrapped=False)
    except (TypeError, ValueError):
        return None  # a builtin that does not tell, or a proxy
    try:
        known.bind(*range(given))
    except TypeError as e:
        return f"{name_of(callback)} cannot be called with ({parameters}): {e}"
    return None


CO_VARARGS = 0x04
WRAPPERS = {"method": "__func__", "partial": "func"}
"""Class of what is called -> the attribute that has what that calls."""
COROUTINE = "coroutine"
KINDS_THAT_WAIT = {0x80: COROUTINE, 0x200: COROUTINE, 0x20: "generator"}
"""Bits of ``co_flags`` (the inspect module would be one more import)."""


def _kind_that_waits(callback: object) -> str | None:
    while (kind := type(callback).__name__) in WRAPPERS:
        callback = getattr(callback, WRAPPERS[kind])
    flags = _flags_of(callback) | _flags_of(type(callback).__call__)
    return next((kind for bit, kind in KINDS_THAT_WAIT.items() if flags & bit), None)


def _flags_of(function: object) -> int:
    """What the code of a function says of it; 0 for what has none, though it may answer to that name."""
    flags = getattr(getattr(function, "__code__", None), "co_flags", 0)
    return flags if isinstance(flags, int) else 0


def _code_of(function: object) -> CodeType | None:
    """The code of a Python function; of nothing else, though it may answer to that name."""
    code = getattr(function, "__code__", None)
    return code if type(code).__name__ == "code" else None


def name_of(callback: object) -> str:
    """Return what to call a callback in a sentence."""
    name = getattr(callback, "__qualname__", None)
    return f"{name}()" if isinstance(name, str) else repr(callback)


def detection_edge(edge: int) -> int:
    """Return the C core's bits of an edge for RPi.GPIO's functions."""
    bits = constants.edge_bits(edge)
    if bits is None:
        raise errors.InvalidEdgeException(
            "The edge must be set to RISING, FALLING or BOTH", hint=f"or {_or(EDGES)}; it is {edge!r}"
        )
    return bits


def ms_or_none(name: str, ms: int | None, absent: int) -> int | None:
    """Return milliseconds; None where *absent*, RPi.GPIO's default for it, stands there."""
    return None if ms is None or integer(name, ms) == absent else index(ms)


def bouncetime_ns(bouncetime_ms: int | None) -> int:
    """Return a bouncetime in nanoseconds; 0 for none."""
    if bouncetime_ms is None:
        return 0
    if bouncetime_ms <= 0:
        raise ValueError("Bouncetime must be greater than 0")
    return bouncetime_ms * 1_000_000


def timeout_s(timeout_ms: int | None) -> float | None:
    """Return a timeout in seconds; None for none."""
    if timeout_ms is None:
        return None
    if timeout_ms <= 0:
        raise ValueError("Timeout must be greater than 0")
    if timeout_ms > TIMEOUT_MAX_MS:
        raise ValueError(f"Timeout must be at most {TIMEOUT_MAX_MS} ms (24 days), not {timeout_ms}")
    return timeout_ms / 1000


def period_ns_of(frequency_hz: float) -> int:
    """Return the period of a PWM frequency in nanoseconds."""
    frequency_hz = real(frequency_hz)
    if not frequency_hz > 0.0:
        raise ValueError("frequency must be greater than 0.0")
    period_ns = 1e9 / frequency_hz
    shortest, longest = constants.PWM_PERIODS_NS
    if not shortest <= period_ns <= longest:
        raise ValueError(
            f"the frequency of software PWM is {1e9 / longest:.6f} to {1e9 / shortest:.0f} Hz, not {frequency_hz:.12g}"
        )
    return round(period_ns)


def duty_of(duty_percent: float) -> float:
    """Return a duty cycle, 0.0 to 1.0, from RPi.GPIO's 0.0 to 100.0."""
    duty_percent = real(duty_percent)
    lowest, highest = DUTY_BOUNDS
    if not lowest <= duty_percent <= highest:
        raise ValueError("dutycycle must have a value from 0.0 to 100.0")
    return min(max(duty_percent, 0.0), 100.0) / 100.0


def real(number: object) -> float:
    """Return a number as a float; a string is a TypeError, as in C."""
    if not hasattr(number, "__float__") and not hasattr(number, "__index__"):
        raise TypeError(f"must be real number, not {type(number).__name__}")
    return float(number)  # type: ignore[arg-type]


def timeout_s_of(timeout_s: float | None) -> float | None:
    """Check a timeout in seconds; None is none."""
    if timeout_s is not None and not isinstance(timeout_s, (int, float)):
        raise TypeError(f"the timeout must be a number of seconds or None, not {type(timeout_s).__name__}")
    return timeout_s


def filter_us_of(filter_us: int) -> int:
    """Return the kernel's filter in microseconds."""
    if not hasattr(filter_us, "__index__"):
        raise TypeError(f"filter_us must be an int of microseconds, not {type(filter_us).__name__}")
    if not 0 <= filter_us <= FILTER_MAX_US:
        raise ValueError(f"filter_us must be from 0 to {FILTER_MAX_US} (ten seconds), not {filter_us}")
    return index(filter_us)


def also_called(**other_names: str) -> Callable[[F], F]:
    """Let keyword arguments have another name too: RPi.GPIO says ``gpio`` here and ``channel`` there."""

    def decorate(function: F) -> F:
        def call(*args: object, **keywords: object) -> object:
            for other, name in other_names.items():
                if other in keywords and name not in keywords:
                    keywords[name] = keywords.pop(other)
            return function(*args, **keywords)

        call.__name__ = call.__qualname__ = function.__name__
        call.__module__, call.__doc__ = function.__module__, function.__doc__
        call.__annotations__ = function.__annotations__
        call.__wrapped__ = function  # type: ignore[attr-defined]
        return call  # type: ignore[return-value]

    return decorate
