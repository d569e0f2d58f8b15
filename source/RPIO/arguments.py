# SPDX-License-Identifier: LGPL-3.0-or-later
"""Reading arguments: what RPi.GPIO and the original RPIO accept, and their texts for what they do not.

Each function returns one normal form, or raises. Integers are whatever has ``__index__``, bool included; floats
and strings are none. Source: RPi.GPIO 0.7.1; the documentation of RPIO 0.10.
"""

from __future__ import annotations

from _operator import index

from . import errors, model

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    Channels = int | list[int] | tuple[int, ...]

EDGE_NAMES = {"none": 0, "rising": 1, "falling": 2, "both": 3}
PULLS = {0: model.PUD_OFF, 1: model.PUD_DOWN, 2: model.PUD_UP} | {pull: pull for pull in model.PULL_NAMES}
"""Every spelling of a pull, the original RPIO's 0, 1 and 2 too."""
HOLDOFF_MAX_MS = 86_400_000
FILTER_MAX_US = 10_000_000


def channel_list(channels: Channels) -> Sequence[int]:
    """Return one channel or a list or tuple of channels as a sequence."""
    if isinstance(channels, (list, tuple)):
        return channels
    if hasattr(channels, "__index__"):
        return (channels,)
    raise ValueError("Channel must be an integer or list/tuple of integers")


def channel_in_list(channel: object) -> int:
    """Return one channel of a list."""
    if not hasattr(channel, "__index__"):
        raise ValueError("Channel must be an integer")
    return index(channel)


def value_list(values: object) -> Sequence[int]:
    """Return one value or a list or tuple of values as a sequence."""
    if isinstance(values, (list, tuple)):
        return values
    if hasattr(values, "__index__"):
        return (values,)  # type: ignore[return-value]
    raise ValueError("Value must be an integer/boolean or a list/tuple of integers/booleans")


def level_in_list(value: object) -> int:
    """Return 0 or 1 for one value of a list."""
    if not hasattr(value, "__index__"):
        raise ValueError("Value must be an integer or boolean")
    return 1 if index(value) else 0


def pull_of(pull_up_down: object) -> int:
    """Return PUD_OFF, PUD_DOWN or PUD_UP."""
    pull = PULLS.get(pull_up_down) if hasattr(pull_up_down, "__index__") else None  # type: ignore[call-overload]
    if pull is None:
        raise errors.InvalidPullException(
            "Invalid value for pull_up_down - should be either PUD_OFF, PUD_UP or PUD_DOWN"
        )
    return pull  # type: ignore[no-any-return]


def pull_or_none(pull_up_down: object) -> int | None:
    """Return PUD_OFF, PUD_DOWN or PUD_UP, or None, which leaves the pull as it is."""
    return None if pull_up_down is None else pull_of(pull_up_down)


def edge_bits(edge: str | int) -> int:
    """Return the C core's bits of an edge: 1 rising, 2 falling, 3 both, 0 none."""
    if isinstance(edge, str):
        bits = EDGE_NAMES.get(edge)
    else:
        bits = model.EDGE_BITS.get(edge) if isinstance(edge, int) else None
    if bits is not None:
        return bits
    raise errors.InvalidEdgeException(
        f"'{edge}' is not a valid edge.", hint="use 'rising', 'falling', 'both' or 'none'"
    )


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


def filter_us_of(filter_us: int) -> int:
    """Return the kernel's filter in microseconds."""
    if not hasattr(filter_us, "__index__"):
        raise TypeError(f"filter_us must be an int of microseconds, not {type(filter_us).__name__}")
    if not 0 <= filter_us <= FILTER_MAX_US:
        raise ValueError(f"filter_us must be from 0 to {FILTER_MAX_US} (ten seconds), not {filter_us}")
    return index(filter_us)
