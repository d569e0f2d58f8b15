# SPDX-License-Identifier: LGPL-3.0-or-later
"""Which line changes when: the plan of the simulated board's PWM, as soft_plan.c and soft_place.c make it.

Times are absolute: an edge that is carried out late moves no later one. Only a pulse that begins late by more than half
its width ends late as well. The lines that share edges are found as there, so that a simulated board has the very wave
of the real ones.
"""

from __future__ import annotations

from errno import EINVAL, ENOENT, ENOSPC

from .waves import NEVER, PERIODS_NS, PlayedWave

LINES, WAVES = 64, 16
"""That run at the same time."""
JOIN_MAX_NS = 20_000_000
"""The period of a servo: lines of longer ones do not wait for each other."""
LATE_SHARE = 2
SAME_NS = 1000
"""Closer edges are one."""
LOOK_AHEAD_MAX = 8


class _Channel:
    """A line. *level* is what was written last, -1 for nothing; the others are as struct channel has them."""

    def __init__(self) -> None:
        self.level = -1
        self.period_ns = self.high_ns = 0  # of the running period
        self.next_period_ns = self.next_high_ns = 0  # from the next one on
        self.begin_ns = self.fall_ns = NEVER

    @property
    def is_steady(self) -> bool:
        """Whether the running period has no edges."""
        return self.high_ns in (0, self.period_ns)

    @property
    def will_be_steady(self) -> bool:
        """Whether the next one has none."""
        return self.next_high_ns in (0, self.next_period_ns)

    @property
    def due_ns(self) -> int:
        """When it changes."""
        return 0 if self.level < 0 else min(self.fall_ns, self.begin_ns)

    def advance(self, now_ns: int) -> int:
        """The level from now on."""
        if self.begin_ns <= now_ns:
            return self._begin_period(now_ns)
        if self.fall_ns <= now_ns:
            self.fall_ns = NEVER
            return 0
        return int(self.level > 0)

    def _begin_period(self, now_ns: int) -> int:
        self.period_ns, self.high_ns = self.next_period_ns, self.next_high_ns
        self.fall_ns = NEVER
        if self.is_steady:
            self.begin_ns = NEVER
            return int(self.high_ns != 0)
        late_ns = (now_ns - self.begin_ns) % self.period_ns  # whole periods are left out
        start_ns = now_ns - late_ns
        fall_ns = (start_ns if late_ns <= self.high_ns // LATE_SHARE else now_ns) + self.high_ns
        self.begin_ns = start_ns + self.period_ns
        if fall_ns >= self.begin_ns:
            return 0
        self.fall_ns = fall_ns
        return 1


class PwmPlan:
    """Which line of a PWM changes when, without a clock of its own."""

    def __init__(self) -> None:
        self._channels: dict[int, _Channel] = {}
        self._waves: list[tuple[int, PlayedWave] | None] = [
            None
        ] * WAVES  # with their numbers; in places, as in C
        self._last_wave = 0

    def set(self, line: int, period_ns: int, high_ns: int, now_ns: int, /) -> None:
        """Begin PWM on a line, or change it from the next period on."""
        if not PERIODS_NS[0] <= period_ns <= PERIODS_NS[1] or not 0 <= high_ns <= period_ns:
            raise OSError(EINVAL, "no such period, or no such pulse in it")
        if line not in self._channels and len(self._channels) == LINES:
            raise OSError(ENOSPC, f"PWM runs on {LINES} lines")
        channel = self._channels.setdefault(line, _Channel())
        channel.next_period_ns, channel.next_high_ns = period_ns, high_ns
        if channel.is_steady:  # a new one, too
            channel.begin_ns = self._begin_of(channel, now_ns)

    def _begin_of(self, starting: _Channel, now_ns: int) -> int:
        """When a line that is at rest begins: now, or where it shares the edges of lines of the same period."""
        period_ns = starting.next_period_ns
        if starting.will_be_steady or period_ns > JOIN_MAX_NS:
            return now_ns
        others = [
            ((channel.begin_ns - now_ns) % period_ns, channel.next_high_ns)
            for channel in self._channels.values()
            if channel is not starting and not channel.will_be_steady and channel.next_period_ns == period_ns
        ]
        return now_ns + _place(others, period_ns, starting.next_high_ns)

    def change(self, line: int, period_ns: int, high_ns: int, now_ns: int, /) -> bool:
        """The same, where the line has PWM; whether it has."""
        has_it = line in self._channels
        if has_it:
            self.set(line, period_ns, high_ns, now_ns)
        return has_it

    def end(self, line: int, /) -> bool:
        """End it; whether there was any."""
        return self._channels.pop(line, None) is not None

    def _wave(self, number: int) -> PlayedWave | None:
        return next((item[1] for item in self._waves if item is not None and item[0] == number), None)

    # -- waves -----------------------------------------------------------------------------------

    def play(
        self, edges: list[tuple[int, int, int]], period_ns: int, turns: int, instead_of: int, now_ns: int, /
    ) -> int:
        """Play a wave, or have it follow another one, whose number is not negative; return its number."""
        if instead_of >= 0:
            wave = self._wave(instead_of)
            if wave is None:
                raise OSError(ENOENT, f"there is no wave {instead_of}")
            wave.follow(edges, period_ns, turns, now_ns)
            return instead_of
        if None not in self._waves:
            raise OSError(ENOSPC, f"{WAVES} waves are there")
        made = PlayedWave(edges, period_ns, turns, now_ns)
        self._last_wave += 1
        self._waves[self._waves.index(None)] = self._last_wave, made
        return self._last_wave

    def stop_wave(self, wave: int, /) -> bool:
        """Stop it; whether there was such a wave."""
        is_there = self._wave(wave) is not None
        self._waves = [None if item is not None and item[0] == wave else item for item in self._waves]
        return is_there

    def drop_line(self, wave: int, line: int, /) -> bool:
        """Leave out a line of a wave from now on; whether there is such a wave."""
        of = self._wave(wave)
        if of is not None:
            of.drop(line)
        return of is not None

    def wave(self, wave: int, now_ns: int, /) -> tuple[bool, int] | None:
        """Whether it is being played, and how many turns are done; None where it has gone."""
        of = self._wave(wave)
        return None if of is None else (of.end_ns > now_ns, of.turns(now_ns))

    # -- what is next ----------------------------------------------------------------------------

    def next(self) -> int | None:
        """When something is due; None for never."""
        due_ns = min(
            [NEVER]
            + [channel.due_ns for channel in self._channels.values()]
            + [item[1].next_ns for item in self._waves if item is not None]
        )
        return None if due_ns == NEVER else due_ns

    def advance(self, now_ns: int, /) -> list[tuple[int, int]]:
        """What is written now, (line, level): falling ones first."""
        changed: list[tuple[int, int]] = []
        for line, channel in self._channels.items():
            level = channel.advance(now_ns) if channel.due_ns <= now_ns else channel.level
            if level != channel.level:
                channel.level = level
                changed.append((line, level))
        changed.sort(key=lambda edge: edge[1])
        for item in self._waves:
            changed += [] if item is None else item[1].advance(now_ns)
        return changed


# -- where a line begins that shares a period with others -----------------------------------------------------


class _Moments:
    """The edges of a period."""

    def __init__(self, period_ns: int) -> None:
        self.period_ns = period_ns
        self.at_ns: list[int] = []

    def way(self, from_ns: int, to_ns: int) -> int:
        """From one moment to the next time that it is the other one."""
        return to_ns - from_ns if to_ns >= from_ns else self.period_ns - from_ns + to_ns

    def has(self, at_ns: int) -> bool:
        """Whether there is an edge as good as then."""
        return any(
            self.way(edge_ns, at_ns) <= SAME_NS or self.way(at_ns, edge_ns) <= SAME_NS
            for edge_ns in self.at_ns
        )

    def add(self, at_ns: int) -> None:
        """One more."""
        if not self.has(at_ns):
            self.at_ns.append(at_ns)

    def ways_added(self, at_ns: int) -> int:
        """How many ways between two edges another one would add."""
        added = _Moments(self.period_ns)
        for edge_ns in self.at_ns:
            for way_ns in (self.way(edge_ns, at_ns), self.way(at_ns, edge_ns)):
                if not any(self.has((other_ns + way_ns) % self.period_ns) for other_ns in self.at_ns):
                    added.add(way_ns)
        return len(added.at_ns)


def _place(others: list[tuple[int, int]], period_ns: int, high_ns: int) -> int:
    """How long after now a line begins; *others* are (rise_ns from now, high_ns)."""
    if not others:
        return 0
    edges = _Moments(period_ns)
    for rise_ns, its_high_ns in others:
        edges.add(rise_ns % period_ns)
        edges.add((rise_ns + its_high_ns) % period_ns)
    for edge_ns in edges.at_ns:
        if edges.has((edge_ns + high_ns) % period_ns):
            return edge_ns
    most, best_ns = 0, edges.at_ns[0]
    for edge_ns in edges.at_ns if len(edges.at_ns) <= LOOK_AHEAD_MAX else []:
        fall_ns, rise_ns = (edge_ns + high_ns) % period_ns, (edge_ns + period_ns - high_ns) % period_ns
        for added, begin_ns in ((edges.ways_added(fall_ns), edge_ns), (edges.ways_added(rise_ns), rise_ns)):
            if added > most:
                most, best_ns = added, begin_ns
    return best_ns
