# SPDX-License-Identifier: LGPL-3.0-or-later
"""What the rules of lines say of what is about to be done. Asked before anything is done: all of it, or none.

Who changes a line says so here first, in the order in which it will be done: a list is refused whole where one of its
items is, or a moment between them. What is asked counts as done, so that who is interrupted behind it finds a rule
that is stricter than need be, and never one that has forgotten something. Going off is never refused: a rule that
keeps a relay from being switched off is none.
"""

from __future__ import annotations

from time import monotonic

from .. import constants, errors, threads
from .declared import PROGRAM, Declared, Owner
from .rules import HIGH, INPUT, KEEP, LOW, Rules

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import RLock
    from collections.abc import Callable, Sequence

    from ..backends import Backend
    from .book import Book
    from .machine import Machine
    from .rates import Rates

    Step = tuple[int, int]
    """A line, and what becomes of it: a level, or one of those below."""

AS_INPUT, AS_BEFORE, WITH_PULSES = -1, -2, -3
"""It drives nothing; it drives what was last written to it; it may have either level at any moment."""


class Safety(Declared):
    """The rules of a board, and what they say."""

    def __init__(
        self,
        machine: Machine,
        book: Book,
        has_pulses: Callable[[int], bool],
        files: Callable[[], list[str]],
        lock: RLock,
    ) -> None:
        super().__init__(machine, book, files, lock)
        self._has_pulses = has_pulses
        self._made_rates: Rates | None = None

    def _check_now(self, rules: Rules) -> None:
        """Raise where lines are in a state that these rules forbid."""
        for interlock in rules.interlocks:
            on = [line for line in interlock.lines if self._is_on(line, rules)]
            if len(on) > 1:
                raise errors.InterlockError(f"{_names(on)} are on, which the {interlock} forbids")
        for line, of_line in rules.lines.items():
            if of_line.is_read_only and self._book.is_output(line):
                place = of_line.place("read_only")
                raise errors.ReadOnlyError(f"GPIO {line} is an output; {place} forbids that")

    # -- asking ----------------------------------------------------------------------------------

    def ask(self, steps: Sequence[Step], owner: Owner | None = None) -> None:
        """Raise where one of these may not be done in that name, None: the program's; else they count as done.

        Raises:
            LineBusyError: a line is another's. ReadOnlyError, InterlockError, RateError.
        """
        if not self.is_asked and owner is None:
            return
        with self._lock:
            for line, _ in steps:
                self.check_owner(line, owner)
            is_on = self._check_interlocks(steps)
            if self.rules:
                turns = ((line, self._turns_on(line, state)) for line, state in steps)
                self._rates.check(self.rules, turns, is_on, self._now_s())
            for line, state in steps:
                self._arm_if(line, state)

    def _arm_if(self, line: int, state: int) -> None:
        if state not in (AS_INPUT, AS_BEFORE) and self._turns_on(line, state):
            self.arm(line)

    def ask_pulses(self, line: int, period_ns: int, high_ns: int, owner: Owner | None = None) -> None:
        """The same for pulses that go on and on."""
        if not self.is_asked and owner is None:
            return
        is_steady = high_ns in (0, period_ns)
        with self._lock:
            self.check_owner(line, owner)
            self._check_interlocks([(line, int(high_ns > 0) if is_steady else WITH_PULSES)])
            if not is_steady and self.rules:
                self._rates.check_turns(self.rules, line, [0, high_ns], period_ns, 0)

    def ask_wave(
        self, edges: Sequence[tuple[int, int, int]], turn_ns: int, turns: int, owner: Owner | None = None
    ) -> None:
        """The same for a wave, (at_ns, line, level) in the order of time; *turns* is 0 where it has no end."""
        if not self.is_asked and owner is None:
            return
        steps = [(line, level) for _, line, level in edges]
        times_ns: dict[int, list[int]] = {}
        for at_ns, line, _ in edges:
            times_ns.setdefault(line, []).append(at_ns)
        with self._lock:
            for line in times_ns:
                self.check_owner(line, owner)
            self._check_interlocks([*steps, *steps] if turns != 1 else steps)
            for line, of_line_ns in times_ns.items() if self.rules else ():
                self._rates.check_turns(self.rules, line, of_line_ns, turn_ns, turns)

    @property
    def _rates(self) -> Rates:
        if self._made_rates is None:
            threads.load("RPIO.board.rates")
            from .rates import Rates

            self._made_rates = Rates()
        return self._made_rates

    def _now_s(self) -> float:
        backend = self._machine.opened
        clock = backend.clock if backend is not None else None
        return clock.now_ns() / 1e9 if clock is not None else monotonic()

    # -- the longest time ------------------------------------------------------------------------

    def is_limited(self, line: int) -> bool:
        """Whether a line may be on only so long: then the C timer alone makes its pulses, and ends them."""
        return self.rules.of(line).longest_on_s is not None

    def arm(self, line: int) -> None:
        """An output is about to be switched on, or to have pulses: end that in time. Nothing where it is on already.
        It may be one that somebody else has given back as it was, and that is nobody's now.

        Raises:
            NotSupportedError: nothing could end it here.
        """
        rules = self.rules.of(line)
        if rules.longest_on_s is None:
            return
        backend, is_ours = self._machine.backend, self._book.is_output(line)
        if not is_ours and not _is_seen_as_output(backend, line):
            return
        if backend.limit_left(line) and self._is_on(line, self.rules):
            return
        backend.limit(line, round(rules.longest_on_s * 1e9), int(rules.active == LOW))
        if is_ours and not self._book.is_output(line):  # a signal handler has cleaned up in the middle
            backend.release(line)

    def end_limit(self, line: int) -> None:
        """End a limit that was set by somebody who has gone: it is none of whoever takes the line. A rule's stays."""
        backend = self._machine.backend
        if not self.is_limited(line) and backend.limit_left(line):
            backend.set_input(line, None)

    def drive(self, line: int, level: int | None) -> None:
        """Make the line an output. One that may be on only so long begins off: then its end is sure before it is on."""
        backend = self._machine.backend
        rules = self.rules.of(line)
        if rules.longest_on_s is not None and not self._book.is_output(line):
            off = int(rules.active == LOW)
            backend.set_output(line, off)
            self._book.directions[line] = constants.OUT
            if level in (None, off):
                return
            self.arm(line)
        backend.set_output(line, level)

    # -- the rules -------------------------------------------------------------------------------

    def check_owner(self, line: int, owner: Owner | None) -> None:
        """Raise LineBusyError for a line that somebody else has; *owner* None: else than the program."""
        holder = self.holder(line)
        if holder is not None and holder is not (owner or PROGRAM):
            from errno import EBUSY

            text = f"GPIO {line} is in use by {holder}"
            raise errors.LineBusyError(EBUSY, text, hint="wait until it is given back, or take another one")

    def _check_read_only(self, line: int, state: int) -> None:
        rules = self.rules.lines.get(line)
        if rules is not None and rules.is_read_only and state != AS_INPUT:
            raise errors.ReadOnlyError(
                f"GPIO {line} may only be read ({rules.place('read_only')})", hint="setup() it as an input"
            )

    def _check_interlocks(self, steps: Sequence[Step]) -> dict[int, bool]:
        """Go through them one after the other. Returns whether each line is on now, before the first."""
        before: dict[int, bool] = {}

        def is_on(line: int) -> bool:
            if line not in now:
                now[line] = before[line] = self._is_on(line, self.rules)
            return now[line]

        now: dict[int, bool] = {}
        for line, state in steps:
            self._check_read_only(line, state)
            is_on(line)
            now[line] = self._turns_on(line, state)
            if not now[line]:
                continue
            for interlock in self.rules.interlocks:
                if line in interlock.lines:
                    on = [other for other in interlock.lines if other != line and is_on(other)]
                    if on:
                        text = f"GPIO {line} would be on while {_names(on)} is: the {interlock} forbids that"
                        raise errors.InterlockError(text, hint=f"switch {_names(on)} off first")
        return before

    # -- safe states -----------------------------------------------------------------------------

    def go_safe(self, line: int, otherwise: str = KEEP) -> None:
        """Bring a line into its declared safe state, or into another one where none is declared."""
        rules = self.rules.of(line)
        state = rules.safe if rules.place("safe") else otherwise
        backend = self._machine.backend
        if state == INPUT:
            backend.set_input(line, constants.PUD_OFF)
        elif state != KEEP:
            backend.set_output(line, int(state == HIGH))

    # -- lines as they are -----------------------------------------------------------------------

    def _turns_on(self, line: int, state: int) -> bool:
        """Whether a line is on after a step; where that cannot be told, it is."""
        if state == AS_INPUT:
            return False
        return state in (AS_BEFORE, WITH_PULSES) or self.rules.of(line).is_on(state)

    def _is_on(self, line: int, rules: Rules) -> bool:
        """Whether a line is on now, as far as can be seen: driven by this program, or by whoever else has it."""
        backend = self._machine.opened
        if backend is None:
            return False
        if self._has_pulses(line):
            return True
        try:
            is_driven = self._book.is_output(line) or _is_seen_as_output(backend, line)
            return is_driven and rules.of(line).is_on(backend.read(line))
        except (errors.NotSupportedError, errors.LineBusyError):
            return False  # somebody else's, and nothing tells


def _is_seen_as_output(backend: Backend, line: int) -> bool:
    return "functions" in backend.features and backend.function(line) == constants.OUT


def _names(lines: Sequence[int]) -> str:
    return " and ".join(f"GPIO {line}" for line in lines)
