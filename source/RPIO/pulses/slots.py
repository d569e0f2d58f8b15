# SPDX-License-Identifier: LGPL-3.0-or-later
"""Pulses in a subcycle, in slots of one width: what may be asked of a channel, and how pulses are laid over each other.

Texts are the original RPIO's where it had one.
"""

from __future__ import annotations

from .. import errors
from .dma_engine import CHANNEL_MAX, SLOTS_MAX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    class Means(Protocol):
        """What carries a channel out."""

        name: str

        def check_line(self, line: int) -> None:
            """Raise for a line that cannot be reached."""

        def add(self, channel: Slots, line: int, start: int, width: int) -> None:
            """Lay a pulse over what there is."""

        def replace(self, channel: Slots, line: int, start: int, width: int) -> None:
            """Make this the line's only pulse."""

        def clear(self, channel: Slots, line: int) -> None:
            """Remove all pulses of a line."""

        def lose(self, channel: Slots, line: int) -> None:
            """Go on without a line, which is not the channel's any more."""

        def resume(self, channel: Slots) -> None:
            """Go on after a line of the channel has been set up."""

        def stop(self, channel: Slots) -> None:
            """End a channel, its lines low."""

        def describe(self, channel: Slots) -> str:
            """Return what carries the channel out, as text."""

    Edge = tuple[int, int, int]

NS_PER_US = 1000
SUBCYCLE_MIN_US = 3000
INCREMENT_MAX_US = 1000


def check_increment(increment_us: int) -> None:
    """Raise PulseError for what cannot be the width of a slot."""
    if not 1 <= increment_us <= INCREMENT_MAX_US:
        raise errors.PulseError(f"pulse_incr_us is 1 to {INCREMENT_MAX_US} us, not {increment_us}")


def check_number(number: int) -> None:
    """Raise PulseError for what is no channel's number."""
    if not 0 <= number <= CHANNEL_MAX:
        raise errors.PulseError(
            f"maximum channel is {CHANNEL_MAX} (requested channel {number})",
            hint=f"take one from 0 to {CHANNEL_MAX}: it is a name, and any DMA channel that is free serves it",
        )


def check_subcycle(subcycle_time_us: int, increment_us: int) -> None:
    """Raise PulseError for what cannot be a subcycle, in slots of that width."""
    if subcycle_time_us < SUBCYCLE_MIN_US:
        raise errors.PulseError(f"subcycle time {subcycle_time_us}us is too small (min={SUBCYCLE_MIN_US}us)")
    slots, rest = divmod(subcycle_time_us, increment_us)
    if rest:
        raise errors.PulseError(
            f"subcycle time {subcycle_time_us}us is no multiple of the increment, {increment_us}us"
        )
    if slots > SLOTS_MAX:
        raise errors.PulseError(
            f"subcycle time {subcycle_time_us}us is too long: {slots} increments (max={SLOTS_MAX})"
        )


def is_subcycle(subcycle_time_us: int, increment_us: int) -> bool:
    """Whether a channel with slots of that width may have this subcycle."""
    try:
        check_subcycle(subcycle_time_us, increment_us)
    except errors.PulseError:
        return False
    return True


def check_times(subcycle_time_us: int, increment_us: int) -> None:
    """Raise PulseError for what cannot be the times of a servo."""
    check_increment(increment_us)
    check_subcycle(subcycle_time_us, increment_us)


class Slots:
    """What was asked of one channel: *pulses* are line -> {start: width}, in slots."""

    means: Means
    """What carries it out, once it has been started."""

    def __init__(self, number: int, subcycle_time_us: int, increment_us: int) -> None:
        self.number, self.subcycle_time_us, self.increment_us = number, subcycle_time_us, increment_us
        self.slots = subcycle_time_us // increment_us
        self.pulses: dict[int, dict[int, int]] = {}
        self.is_over = False  # for good
        self.held_low: set[int] = set()
        """Lines that had a pulse which ended with the subcycle: its end is written in the next one."""

    def note(self, line: int, pulses: dict[int, int]) -> None:
        """These are the line's pulses now."""
        if any(start + width == self.slots for start, width in self.pulses.get(line, {}).items()):
            self.held_low.add(line)
        if line in self.pulses:  # else a signal handler has cleaned it up meanwhile
            self.pulses[line] = pulses

    def laid(self, line: int, start: int, width: int) -> dict[int, int]:
        """Return the line's pulses with one more.

        It takes the place of those that begin in it, and of the rest of one that reaches into it; width 0 is low from
        *start* on. So did the original's control blocks: a slot sets a line, clears it, or does nothing about it.
        """
        end = start + width
        pulses = {
            other: min(its_width, start - other) if other < start else its_width
            for other, its_width in self.pulses.get(line, {}).items()
            if not start <= other < max(end, start + 1)
        }
        if width:
            pulses[start] = width
        return pulses

    def edges(self, is_driven: Callable[[int], bool]) -> list[Edge]:
        """Return (at_ns, line, level) of a turn for lines that are driven, in order; falling ones first."""
        slot_ns = self.increment_us * NS_PER_US
        found: set[Edge] = set()
        for line, pulses in self.pulses.items():
            if not is_driven(line):
                continue
            rises = set(pulses)
            ends = {(start + width) % self.slots for start, width in pulses.items()}
            found.update((end * slot_ns, line, 0) for end in ends - rises)
            found.update((start * slot_ns, line, 1) for start in rises - (ends - {0}))
            if line in self.held_low and 0 not in rises:
                found.add((0, line, 0))
        return sorted(found, key=lambda edge: (edge[0], edge[2], edge[1]))

    def as_wave(self, line: int, pulses: dict[int, int]) -> tuple[list[Edge], int]:
        """Return the edges of a turn, in order, were these the line's pulses; and what a turn takes."""
        slot_ns = self.increment_us * NS_PER_US
        edges = [(start * slot_ns, line, 1) for start in pulses]
        edges += [((start + width) * slot_ns, line, 0) for start, width in pulses.items()]
        return sorted(edges), self.subcycle_time_us * NS_PER_US

    def describe(self) -> str:
        """Return it and its pulses as text."""
        lines = [
            f"channel {self.number}: {self.slots} slots of {self.increment_us} us "
            f"({self.subcycle_time_us} us), by {self.means.describe(self)}"
        ]
        for line, pulses in sorted(self.pulses.items()):
            shown = (f"{start}+{width}" for start, width in sorted(pulses.items()))
            lines.append(f"  GPIO {line:2}: {', '.join(shown) or 'no pulse'}")
        return "\n".join(lines)
