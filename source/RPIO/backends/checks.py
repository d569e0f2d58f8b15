# SPDX-License-Identifier: LGPL-3.0-or-later
"""What is wrong with what a backend is asked for: the errors that the protocol promises."""

from __future__ import annotations

from .. import constants, errors
from .protocol import Backend, check_line


def check_pull(pull: int) -> None:
    """Raise InvalidPullException for what is no pull."""
    if pull not in constants.PULL_NAMES:
        raise errors.InvalidPullException(f"{pull!r} is no pull", hint="use PUD_OFF, PUD_DOWN or PUD_UP")


def check_edge(edge: int) -> int:
    """Return the bits of an edge for the C core; raise InvalidEdgeException for what is no edge."""
    bits = constants.edge_bits(edge)
    if bits is None:
        raise errors.InvalidEdgeException(f"{edge!r} is no edge", hint="use RISING, FALLING or BOTH")
    return bits


def check_pwm_change(backend: Backend, line: int, period_ns: int, high_ns: int) -> None:
    """Raise for times that no line can have: what Backend.pwm() says."""
    check_line(backend, line)
    shortest, longest = constants.PWM_PERIODS_NS
    if not shortest <= period_ns <= longest:
        raise ValueError(f"a period of PWM is {shortest} to {longest} ns, not {period_ns}")
    if not 0 <= high_ns <= period_ns:
        raise ValueError(f"a pulse in a period of {period_ns} ns is 0 to {period_ns} ns, not {high_ns}")


def check_pwm(backend: Backend, line: int, period_ns: int, high_ns: int) -> None:
    """Raise for a line that cannot have this PWM: what Backend.pwm() says."""
    check_pwm_change(backend, line, period_ns, high_ns)
    if backend.function(line) != constants.OUT:
        raise errors.WrongDirectionException(f"GPIO {line} is no output", hint=f"setup({line}, OUT) first")


def check_limit(backend: Backend, line: int, after_ns: int) -> None:
    """Raise for what Backend.limit() says."""
    check_line(backend, line)
    shortest, longest = constants.PWM_PERIODS_NS
    if not shortest <= after_ns <= longest:
        raise ValueError(f"a line may be on for {shortest} to {longest} ns, not {after_ns}")
    if backend.function(line) != constants.OUT:
        raise errors.WrongDirectionException(f"GPIO {line} is no output", hint=f"setup({line}, OUT) first")


def check_wave(
    backend: Backend, edges: list[tuple[int, int, int]], period_ns: int, instead_of: int | None
) -> list[int]:
    """Return the lines of a wave; raise for what Backend.play() says."""
    shortest, longest = constants.PWM_PERIODS_NS
    if not shortest <= period_ns <= longest:
        raise ValueError(f"a turn of a wave is {shortest} to {longest} ns, not {period_ns}")
    if not edges or len(edges) > constants.WAVE_EDGES_MAX:
        raise ValueError(f"a wave has 1 to {constants.WAVE_EDGES_MAX} edges, not {len(edges)}")
    before_ns = 0
    for at_ns, _, _ in edges:
        if not before_ns <= at_ns < period_ns:
            raise ValueError(f"an edge at {at_ns} ns is out of order, or not within a turn of {period_ns} ns")
        before_ns = at_ns
    if instead_of is not None and backend.wave(instead_of) is None:
        raise ValueError(f"there is no wave {instead_of} any more")
    lines = sorted({line for _, line, _ in edges})
    for line in lines:
        check_line(backend, line)
        if backend.function(line) != constants.OUT:
            raise errors.WrongDirectionException(
                f"GPIO {line} is no output", hint=f"setup({line}, OUT) first"
            )
    return lines
