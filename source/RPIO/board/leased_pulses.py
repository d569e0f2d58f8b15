# SPDX-License-Identifier: LGPL-3.0-or-later
"""Pulses for those who are not the program itself. See leases."""

from __future__ import annotations

from .. import constants, errors, log
from .declared import NOBODY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import RLock
    from collections.abc import Callable, Iterable, Sequence

    from ..backends.protocol import Clock
    from .book import Book
    from .declared import Owner
    from .edges import WatchedLines
    from .lines import Lines
    from .listeners import Listeners
    from .machine import Machine
    from .safety import Safety

NS_PER_MS = 1_000_000
REST_NS = 10_000
"""What follows the last edge of a pulse: a turn ends after it."""


class LeasedPulses:
    """PWM, waves and limits on the lines of a board, in the name of owners."""

    def __init__(
        self,
        machine: Machine,
        book: Book,
        lines: Lines,
        safety: Safety,
        watched: Callable[[], WatchedLines],
        listeners: Callable[[], Listeners | None],
        lock: RLock,
    ) -> None:
        self._machine, self._book, self._lines, self._safety = machine, book, lines, safety
        self._watched, self._listeners, self._lock = watched, listeners, lock
        self._pwm: set[int] = set()  # lines that have it
        self._waves: dict[int, tuple[Owner, set[int]]] = {}  # number -> whose, and which lines
        self._later: set[int] = set()  # lines that the C timer is to write, as write_later() says
        self._given_back: dict[int, int] = {}  # by owners who had set them up: line -> what it was then

    @property
    def lock(self) -> RLock:
        """The board's."""
        return self._lock

    @property
    def clock(self) -> Clock | None:
        """The time that passes on the board, None where that is the machine's."""
        return self._machine.backend.clock

    @property
    def safety(self) -> Safety:
        """The rules."""
        return self._safety

    def set_output(self, owner: Owner, line: int, level: int | None) -> None:
        """Make a line an output."""
        raise NotImplementedError

    def _have(self, owner: Owner, line: int) -> None:
        """Who drives a line has it: what he leaves behind ends with him. The rules have been asked.

        Raises:
            WrongDirectionException: somebody who has gone has left it, and nobody has set it up since.
        """
        has = self._safety.owners.get(line)
        if has is owner:
            return
        if has is NOBODY:
            raise errors.WrongDirectionException(
                f"GPIO {line} was left by somebody who has gone",
                hint=f"make it an output first: output {line}",
            )
        self._machine.backend.limit_left(line)  # a line that there is
        self._book.owned.add(line)
        self._safety.is_set_up(line, owner)

    # -- PWM -------------------------------------------------------------------------------------

    def has_pulses(self, line: int) -> bool:
        """Whether an owner's pulses are on the line."""
        return line in self._pwm or any(
            line in lines and self._is_playing(number) for number, (_, lines) in list(self._waves.items())
        )

    def _is_playing(self, number: int) -> bool:
        state = self._machine.backend.wave(number)
        if state is None:
            self._waves.pop(number, None)
        return state is not None and state[0]

    def _has_no_pulses(self, line: int) -> None:
        """What has just been done with the line has ended them."""
        self._pwm.discard(line)
        for _, lines in list(self._waves.values()):
            lines.discard(line)

    def pwm(self, owner: Owner, line: int, period_ns: int, high_ns: int) -> None:
        """PWM on an output, or a change of it."""
        with self._lock:
            self._safety.ask_pulses(line, period_ns, high_ns, owner)
            self._have(owner, line)
            self._safety.arm(line)
            self._begin([line], lambda: self._machine.backend.pwm(line, period_ns, high_ns))
            for _, lines in list(self._waves.values()):
                lines.discard(line)

    def _begin(self, lines: Iterable[int], begin: Callable[[], object]) -> None:
        """Have pulses begin that are written down before: who is interrupted in the middle leaves none behind."""
        new = {line for line in lines if line not in self._pwm}
        self._pwm |= new
        try:
            begin()
        except Exception:
            self._pwm -= new
            raise

    def change_pwm(self, owner: Owner, line: int, period_ns: int, high_ns: int) -> None:
        """The same where the line has PWM still; else nothing."""
        with self._lock:
            self._safety.ask_pulses(line, period_ns, high_ns, owner)
            self._machine.backend.change_pwm(line, period_ns, high_ns)

    def end_pwm(self, owner: Owner, line: int) -> None:
        """End it, low."""
        with self._lock:
            self._safety.check_owner(line, owner)
            self._machine.backend.end_pwm(line)
            self._has_no_pulses(line)

    # -- waves -----------------------------------------------------------------------------------

    def play(
        self,
        owner: Owner,
        edges: Sequence[tuple[int, int, int]],
        turn_ns: int,
        turns: int,
        instead_of: int | None = None,
    ) -> int:
        """Play a wave on outputs; return its number."""
        with self._lock:
            if instead_of is not None and not self._has_wave(owner, instead_of):
                raise ValueError(f"there is no wave {instead_of} any more")
            self._safety.ask_wave(edges, turn_ns, turns, owner)
            lines = {line for _, line, _ in edges}
            for line in sorted(lines):
                self._have(owner, line)
            for line in sorted(lines):
                self._safety.arm(line)
            numbers: list[int] = []
            self._begin(
                lines,
                lambda: numbers.append(self._machine.backend.play(list(edges), turn_ns, turns, instead_of)),
            )
            (number,) = numbers
            for _, others in list(self._waves.values()):
                others.difference_update(lines)
            self._waves[number] = owner, set(lines)
            self._pwm -= lines
            self._forget_waves(lambda other: not self._is_playing(other))
            return number

    def pulse(self, owner: Owner, line: int, ms: float, level: int) -> int:
        """Drive an output to a level for so long, then back."""
        width_ns = round(ms * NS_PER_MS)
        return self._play_alone(owner, [(0, line, level), (width_ns, line, 1 - level)], width_ns + REST_NS, 1)

    def blink(self, owner: Owner, line: int, period_ms: float, count: int) -> int:
        """Have an output on for half of each period, so many times, or without end."""
        period_ns = round(period_ms * NS_PER_MS)
        return self._play_alone(owner, [(0, line, 1), (period_ns // 2, line, 0)], period_ns, count)

    def _play_alone(
        self, owner: Owner, edges: Sequence[tuple[int, int, int]], turn_ns: int, turns: int
    ) -> int:
        """Play it on its one line, made an output of the owner's where it is none; what others have left is none."""
        _, line, level = edges[-1]
        shortest, longest = constants.PWM_PERIODS_NS
        if not shortest <= turn_ns <= longest:
            raise ValueError(f"pulses take {shortest / 1e6:g} to {longest / 1e6:g} ms, not {turn_ns / 1e6:g}")
        with self._lock:
            self._safety.ask_wave(edges, turn_ns, turns, owner)  # before the line is touched
            if not self._book.is_output(line) or self._safety.owners.get(line) is not owner:
                self.set_output(owner, line, level)
            return self.play(owner, edges, turn_ns, turns)

    def wave(self, owner: Owner, number: int) -> tuple[bool, int] | None:
        """Whether a wave is played, and how many turns are done; None where it has gone."""
        with self._lock:
            return self._machine.backend.wave(number) if self._has_wave(owner, number) else None

    def stop_wave(self, owner: Owner, number: int) -> None:
        """Stop it, levels as they are."""
        with self._lock:
            if self._has_wave(owner, number):
                self._machine.backend.stop_wave(number)
                self._waves.pop(number, None)

    def _forget_waves(self, are_over: Callable[[int], bool]) -> None:
        for number in list(self._waves):
            if are_over(number):
                self._waves.pop(number, None)

    def _has_wave(self, owner: Owner, number: int) -> bool:
        return number in self._waves and self._waves[number][0] is owner

    def _end_pulses(self, line: int) -> None:
        if self.has_pulses(line):
            self._machine.backend.end_pwm(line)
        self._has_no_pulses(line)

    def end_all_pulses(self) -> None:
        """End them because the program ends, as its own do."""
        for line in sorted(self._pwm.union(*[lines for _, lines in list(self._waves.values())])):
            try:
                self._end_pulses(line)
            except (errors.GPIOError, OSError) as e:
                log.warning("at the end of the program: GPIO %d may have pulses: %s", line, e)

    def forget(self) -> None:
        """Nobody has anything any more: the board is closed."""
        self._pwm.clear()
        self._waves.clear()
        self._later.clear()
        self._given_back.clear()
