# SPDX-License-Identifier: LGPL-3.0-or-later
"""What pulses the original RPIO makes of a program, and what ours: one model, and the oddities that it may have.

With every oddity it is the original to the slot; with none it is ours. So what differs between the two is what this
list says, and nothing else. A program is a list of calls, as original_runner.py takes them.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

Call = tuple[Any, ...]
Program = tuple[Call, ...]
Waveform = tuple[int | None, ...]
"""The levels of a line in the slots of its channel; one level where they are all the same, None where it may be any."""

SUBCYCLE_MIN_US = 3000
ALIGNED_SLOTS = 8
"""Masks of 4 bytes stand in front of the control blocks, which want 32."""


class Oddity(NamedTuple):
    """*doc* is in doc/differences.rst to the letter, but for line breaks. *example* is a program that shows it."""

    name: str
    doc: str
    example: Program


def example(*pulses: Call, slots: int = 32) -> Program:
    return (("setup", 100), ("init_channel", 0, slots * 100), *pulses)


def add(line: int, start: int, width: int) -> Call:
    return ("add_channel_pulse", 0, line, start, width)


ODDITIES = (
    Oddity(
        "early close",
        "a pulse of width 1 or 2 never goes high, and a wider one takes away what begins two slots before its end",
        example(add(17, 3, 2), add(18, 20, 5), add(17, 15, 7)),
    ),
    Oddity(
        "shared slot",
        "pins cannot set and clear in one slot",
        example(add(17, 3, 7), add(18, 10, 5)),
    ),
    Oddity(
        "one longer",
        "a pulse that is made longer by one slot stays as it is",
        example(add(17, 3, 5), add(17, 3, 6)),
    ),
    Oddity(
        "last slot",
        "a pulse may not reach the end of the subcycle",
        example(add(17, 28, 4)),
    ),
    Oddity(
        "servo beside",
        "the first ``set_servo()`` of a line leaves other pulses of it alone",
        (("Servo", 0, 3200, 100), *example(add(17, 20, 5))[1:], ("set_servo", 17, 1000)),
    ),
    Oddity(
        "servo refused",
        "a ``set_servo()`` that is refused has ended the pulse; a first one makes each later one fail",
        (("Servo", 0, 3200, 100), ("set_servo", 17, 1000), ("set_servo", 17, 9000)),
    ),
    Oddity(
        "unaligned",
        "a subcycle whose number of slots is no multiple of 8",
        example(add(17, 3, 7), slots=33),
    ),
    Oddity(
        "uneven",
        "a subcycle that is no multiple of the increment",
        (("setup", 90), ("init_channel", 0, 3000), add(17, 3, 7)),
    ),
    Oddity(
        "shared pace",
        "channels share one pace, and two of them go at half the speed: ``clear_channel()`` may leave lines high",
        (
            *(("setup", 375), ("init_channel", 0, 3000), ("init_channel", 5, 3000)),
            *(add(4, 0, 5), ("clear_channel", 0)),
        ),
    ),
    Oddity(
        "cleanup",
        "after ``PWM.cleanup()`` calls succeed and nothing is played any more",
        (*example(add(17, 3, 7)), ("cleanup",), add(17, 3, 7)),
    ),
)
ALL = frozenset(oddity.name for oddity in ODDITIES)
NONE: frozenset[str] = frozenset()


class Refused(Exception):
    """The call raises."""


class Channel:
    """The ring of a channel: the lines that change in each slot, and whether up or down."""

    def __init__(self, subcycle_us: int, slot_us: int, odd: frozenset[str]) -> None:
        self.subcycle_us, self._odd = subcycle_us, odd
        self.slots = slots = subcycle_us // slot_us
        self.runs = not ("unaligned" in odd and slots % ALIGNED_SLOTS)
        self.lines: set[int] = set()
        self._changes: list[set[int]] = [set() for _ in range(slots)]
        self._is_up: dict[tuple[int, int], bool] = {}

    def _key(self, slot: int, line: int) -> tuple[int, int]:
        return (slot, 0 if "shared slot" in self._odd else line)

    def _direct(self, slot: int, line: int, is_up: bool) -> None:
        self._is_up[self._key(slot, line)] = is_up

    def _goes_up(self, slot: int, line: int) -> bool:
        return line in self._changes[slot] and self._is_up.get(self._key(slot, line), False)

    def check(self, start: int, width: int) -> None:
        last = self.slots - 1 if "last slot" in self._odd else self.slots
        if start < 0 or width < 0 or start + width > last or start == self.slots:
            raise Refused

    def add(self, line: int, start: int, width: int) -> None:
        self.check(start, width)
        self.lines.add(line)
        self._changes[start].add(line)
        self._direct(start, line, True)
        for slot in range(start + 1, start + width - ("one longer" in self._odd)):
            self._changes[slot].discard(line)
        end = (start + width) % self.slots
        leaves = width and self._goes_up(end, line)
        self._changes[end].add(line)
        if "early close" in self._odd:
            self._direct(start + max(0, width - 2), line, False)
        elif not leaves:
            self._direct(end, line, False)

    def clear_line(self, line: int) -> None:
        for slot in self._changes:
            slot.discard(line)

    def clear(self) -> None:
        self._is_up.clear()
        for line in self.lines:
            self.clear_line(line)

    def turn(self, level: dict[int, int | None]) -> dict[int, list[int | None]]:
        """Play a turn, beginning with those levels; they are those of the end then."""
        found: dict[int, list[int | None]] = {line: [] for line in self.lines}
        for slot, lines in enumerate(self._changes):
            for line in lines:
                level[line] = int(self._goes_up(slot, line))
            for line, levels in found.items():
                levels.append(level.get(line, 0))
        return found


class Pulses:
    """A program's, as far as it has got."""

    def __init__(self, odd: frozenset[str]) -> None:
        self._odd = odd
        self._slot_us = 0
        self._channels: dict[int, Channel] = {}
        self._level: dict[int, int | None] = {}
        self._servo: tuple[int, int, int] | None = None
        self._has_set: set[int] = set()

    def call(self, name: str, *arguments: Any) -> bool:
        """Carry a call out. False: it raises."""
        try:
            getattr(self, f"_{name}")(*arguments)
        except Refused:
            return False
        return True

    def waveforms(self) -> dict[int, Waveform]:
        """Of each line that has had a pulse."""
        found: dict[int, Waveform] = {}
        for channel in self._channels.values():
            if channel.runs:
                channel.turn(self._level)
                for line, levels in channel.turn(self._level).items():
                    found[line] = plain(levels)
            else:
                found.update((line, (self._level.get(line, 0),)) for line in channel.lines)
        return found

    # -- the calls

    def _channel(self, number: int) -> Channel:
        if number not in self._channels:
            raise Refused
        return self._channels[number]

    def _setup(self, slot_us: int = 10, delay_hw: int = 0) -> None:
        if self._slot_us:
            raise Refused
        self._slot_us = slot_us

    def _check_subcycle(self, subcycle_us: int, slot_us: int) -> None:
        if subcycle_us < SUBCYCLE_MIN_US or (subcycle_us % slot_us and "uneven" not in self._odd):
            raise Refused

    def _init_channel(self, number: int, subcycle_us: int = 20_000) -> None:
        if not self._slot_us or number in self._channels:
            raise Refused
        self._check_subcycle(subcycle_us, self._slot_us)
        self._channels[number] = Channel(subcycle_us, self._slot_us, self._odd)

    def _add_channel_pulse(self, number: int, line: int, start: int, width: int) -> None:
        self._channel(number).add(line, start, width)

    def _clear_channel_gpio(self, number: int, line: int) -> None:
        channel = self._channel(number)
        if line not in channel.lines:
            raise Refused
        channel.clear_line(line)
        self._level[line] = 0

    def _clear_channel(self, number: int) -> None:
        channel = self._channel(number)
        is_slow = "shared pace" in self._odd and sum(channel.runs for channel in self._channels.values()) > 1
        highs = {
            line
            for line, levels in channel.turn(dict(self._level)).items()
            if any(level != 0 for level in levels)
        }
        channel.clear()
        if channel.runs:
            self._level.update((line, None if is_slow and line in highs else 0) for line in channel.lines)

    def _cleanup(self) -> None:
        for number, channel in sorted(self._channels.items()):
            self._clear_channel(number)
            channel.runs = False
        if "cleanup" not in self._odd:
            self._channels.clear()
            self._slot_us = 0

    def _Servo(self, number: int, subcycle_us: int, slot_us: int) -> None:
        self._check_subcycle(subcycle_us, slot_us)
        if not self._slot_us:
            self._setup(slot_us)
        elif self._slot_us != slot_us:
            raise Refused
        self._servo, self._has_set = (number, subcycle_us, slot_us), set()

    def _set_servo(self, line: int, width_us: float) -> None:
        if self._servo is None:
            raise Refused
        number, subcycle_us, _ = self._servo
        if not self._slot_us or width_us % self._slot_us:
            raise Refused
        if number not in self._channels:
            self._init_channel(number, subcycle_us)
        elif self._channels[number].subcycle_us != subcycle_us:
            raise Refused
        channel, width = self._channels[number], int(width_us / self._slot_us)
        if "servo refused" not in self._odd:
            channel.check(0, width)
        if line in self._has_set:
            self._clear_channel_gpio(number, line)
        elif "servo beside" not in self._odd:
            channel.clear_line(line)
        self._has_set.add(line)
        channel.add(line, 0, width)

    def _stop_servo(self, line: int) -> None:
        if self._servo is None:
            raise Refused
        self._clear_channel_gpio(self._servo[0], line)


def fits(waveform: Waveform, real: Waveform) -> bool:
    """Whether a waveform is what the model says."""
    return len(real) == 1 if waveform == (None,) else real == waveform


def turned(waveforms: dict[int, Waveform], real: dict[int, Waveform]) -> dict[int, Waveform]:
    """Return what is real as if each channel had begun when it does in the model, if there is such a time."""
    found = dict(real)
    for lines in CHANNELS.values():
        moving = [line for line in lines if len(real[line]) > 1 and line in waveforms]
        for by in range(max((len(real[line]) for line in moving), default=0)):
            then = {line: real[line][by:] + real[line][:by] for line in moving}
            if all(then[line] == waveforms[line] for line in moving):
                found.update(then)
                break
    return found


def plain(levels: Iterable[int | None]) -> Waveform:
    """Return levels, one of them where they are all the same."""
    found = tuple(levels)
    return found[:1] if len(set(found)) == 1 else found


def drawn(waveform: Waveform) -> str:
    """Return "__###__"."""
    return "".join("?" if level is None else "_#"[level] for level in waveform)


# -- random programs -----------------------------------------------------------------------------------

CHANNELS = {0: (4, 17, 18), 5: (22, 27)}
"""And their lines: few, so that they meet."""
SLOTS = (8, 16, 24, 32, 40, 64)
ODD_SLOTS = (9, 30, 33)
PCM_SLOT_MAX_US = 102
"""Its frame of 1024 clocks, of 10 MHz."""


def programs(seed: int) -> Iterator[Program]:
    """Yield programs without end, always the same ones of a seed."""
    for number in range(1 << 62):
        yield program(random.Random(f"{seed}/{number}"))


def program(source: random.Random) -> Program:
    """Make one."""
    slots = source.choice(SLOTS if source.random() < 0.9 else ODD_SLOTS)
    slot_us = -(-SUBCYCLE_MIN_US // slots)
    subcycle_us = slots * slot_us + (source.randrange(1, slot_us) if source.random() < 0.03 else 0)
    if source.random() < 0.3:
        return _servo_program(source, slots, slot_us, subcycle_us)
    numbers = source.sample(tuple(CHANNELS), source.choice((1, 1, 1, 2)))
    by_pcm = int(slot_us <= PCM_SLOT_MAX_US and source.random() < 0.3)
    calls: list[Call] = [("setup", slot_us, by_pcm)]
    calls += [("init_channel", number, subcycle_us) for number in numbers]
    for _ in range(source.randrange(1, 13)):
        calls.append(_change(source, source.choice(numbers), slots, calls))
    if source.random() < 0.1:
        calls += [("cleanup",), _change(source, numbers[0], slots, calls)]
    return tuple(calls)


def _change(source: random.Random, number: int, slots: int, before: list[Call]) -> Call:
    line = source.choice(CHANNELS[number])
    kind = source.random()
    if kind < 0.05:
        return ("clear_channel", number)
    if kind < 0.2:
        return ("clear_channel_gpio", number, line)
    known = [call for call in before if call[:3] == ("add_channel_pulse", number, line)]
    if known and kind < 0.5:  # the same again: off, longer, shorter
        start, width = source.choice(known)[3:]
        width = max(0, source.choice((0, width + 1, width - 1, width + source.randrange(-8, 9))))
    else:
        start, width = source.randrange(slots), source.choice((0, 1, 2, 3, source.randrange(slots + 1)))
    if kind > 0.6:  # most fit
        width = min(width, slots - start)
    return ("add_channel_pulse", number, line, start, width)


def _servo_program(source: random.Random, slots: int, slot_us: int, subcycle_us: int) -> Program:
    number = source.choice(tuple(CHANNELS))
    calls: list[Call] = [("Servo", number, subcycle_us, slot_us)]
    for _ in range(source.randrange(1, 10)):
        line, width = source.choice(CHANNELS[number]), source.randrange(slots)
        kind = source.random()
        if kind < 0.7:
            width_us = source.choice(
                (width * slot_us, width * slot_us, float(width * slot_us), width * slot_us + 1)
            )
            calls.append(("set_servo", line, width_us))
        elif kind < 0.85:
            calls.append(("stop_servo", line))
        else:
            calls.append(_change(source, number, slots, calls))
    if source.random() < 0.1:
        calls += [("cleanup",), ("stop_servo", line)]
    return tuple(calls)
