# SPDX-License-Identifier: LGPL-3.0-or-later
"""Lines for those who are not the program itself: by number, each call in the name of an Owner.

What a Backend promises to a Board is promised here to an owner, with the board's rules before it. A line that one of
them has set up is busy to all others; reading and watching are shared. Who goes leaves his lines in their safe states:
where none is declared, as they are.
"""

from __future__ import annotations

from functools import partial

from .. import constants, errors, log
from .declared import NOBODY, Owner
from .leased_limits import LeasedLimits
from .rules import HIGH, INPUT, KEEP, LOW
from .safety import AS_BEFORE, AS_INPUT, WITH_PULSES
from .undoing import do_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..backends.protocol import Outside
    from .subscriptions import Subscription


class Leases(LeasedLimits):
    """The lines of a board, in the name of owners."""

    # -- what changes nothing --------------------------------------------------------------------

    def read(self, line: int) -> int:
        """The level."""
        return self._lines.look_at(line)

    def peek(self, line: int) -> int | None:
        """The level, where looking at it disturbs nobody; else None."""
        return self._lines.peek(line)

    def pull(self, line: int) -> int | None:
        """The pull; None where nothing tells."""
        return self._machine.backend.pull(line)

    def function(self, line: int) -> int:
        """What the line is."""
        return self._machine.backend.function(line)

    def consumer(self, owner: Owner, line: int) -> str:
        """Who has the line, "RPIO" for the owner himself; "" for nobody."""
        told = self._machine.backend.consumer(line)
        with self._lock:
            holder = self._safety.holder(line)
            if holder is not None:
                return "RPIO" if holder is owner else holder.name
            return "" if line in self._safety.owners else told

    def is_left(self, line: int) -> bool:
        """Whether the line is as somebody has left it who has gone; nobody has it then. One that was given back another
        process may have by now, but where the board is here alone; and there it is whoever has made it something else.
        """
        with self._lock:
            if self._safety.holder(line) is not None:
                return False
            if line in self._safety.owners:
                return True
            backend = self._machine.backend
            is_ours_alone = line in self._given_back and backend.outside() is not None
            return is_ours_alone and backend.function(line) == self._given_back[line]

    # -- the world outside -----------------------------------------------------------------------

    def outside(self) -> Outside:
        """What plays the world outside. Raises NotSupportedError where that is real."""
        found = self._machine.backend.outside()
        if found is None:
            raise errors.NotSupportedError(
                f"this is no simulated board but {self._machine.backend.describe()}: nobody can play its outside world"
            )
        return found

    # -- in a hurry: what may be done as long as ``safety.changes`` stays as it is ------------------

    def plain_read(self, line: int) -> Callable[[], int] | None:
        """What reads a line that is set up; None for others."""
        if line not in self._book.directions:
            return None
        return partial(self._machine.backend.read, line)

    def plain_write(self, owner: Owner, line: int, level: int) -> Callable[[], object] | None:
        """What writes an output of the owner's, of which no rule says anything; None for others."""
        rules = self._safety.rules
        is_ruled = line in rules.lines or rules.interlock_of(line) is not None
        if is_ruled or self._safety.owners.get(line) is not owner or not self._book.is_output(line):
            return None
        return partial(self._machine.backend.write, line, level)

    # -- setting up ------------------------------------------------------------------------------

    def set_input(self, owner: Owner, line: int, pull: int | None) -> None:
        """Make it an input; a None leaves the pull."""
        with self._lock:
            self._safety.ask([(line, AS_INPUT)], owner)
            self._lines.take(line, constants.IN, pull, None, owner)
            self._has_no_pulses(line)

    def set_output(self, owner: Owner, line: int, level: int | None) -> None:
        """Make it an output of that level; None: of the one that was written last."""
        with self._lock:
            self._safety.ask([(line, AS_BEFORE if level is None else level)], owner)
            self.take_output(owner, line, level)

    def take_output(self, owner: Owner, line: int, level: int | None) -> None:
        """The same for who has asked the rules himself."""
        with self._lock:
            self._lines.take(line, constants.OUT, None, level, owner)
            self._has_no_pulses(line)

    def set_pull(self, owner: Owner, line: int, pull: int) -> None:
        """Set the pull of an input."""
        with self._lock:
            self._safety.check_owner(line, owner)
            self._machine.backend.set_pull(line, pull)

    def set_function(self, owner: Owner, line: int, function: int) -> None:
        """Switch it to another function. What that does to the level nobody can tell: for the rules it is on."""
        with self._lock:
            self._safety.ask([(line, AS_INPUT if function == constants.IN else WITH_PULSES)], owner)
            if function != constants.IN:
                self._check_switch(line, function)
            self._machine.backend.set_function(line, function)
            self._has_no_pulses(line)
            self._book.owned.add(line)
            known = function if function in (constants.IN, constants.OUT) else None
            self._lines.set_direction(line, known)
            self._safety.is_set_up(line, owner)

    def _check_switch(self, line: int, function: int) -> None:
        """Raise RuleError where a rule has to know when the line is on: no backend tells that of another function."""
        rules, interlock = self._safety.rules.of(line), self._safety.rules.interlock_of(line)
        place = rules.place("longest_on_s") if rules.longest_on_s is not None else ""
        if place or (interlock is not None and function != constants.OUT):
            raise errors.RuleError(
                f"GPIO {line} would be on at times that nothing tells ({place or interlock})",
                hint="have it be an output",
            )

    # -- levels ----------------------------------------------------------------------------------

    def write(self, owner: Owner, pairs: Sequence[tuple[int, int]]) -> None:
        """Write levels one after the other: all of them, or none where a rule forbids one."""
        with self._lock:
            self._safety.ask(pairs, owner)
            for line in dict.fromkeys([line for line, _ in pairs]):
                self._have(owner, line)
            backend = self._machine.backend
            for line, level in pairs:
                backend.write(line, level)

    def write_masks(self, owner: Owner, high: int, low: int) -> None:
        """Write the lines of these bits: first those that go low."""
        if high & low:
            raise ValueError(f"the bits {high & low:#x} are to go high and low")
        pairs = [(line, level) for level, mask in enumerate((low, high)) for line in _lines_of(mask)]
        self.write(owner, pairs)

    # -- edges -----------------------------------------------------------------------------------

    def watch(
        self, line: int, subscription: Subscription, filter_us: int, before: Subscription | None
    ) -> int | None:
        """Subscribe to an input, in the place of another subscription where there is one.

        Return how many edges the line has lost so far, None where the other one has counted them.
        """
        with self._lock:
            watched = self._watched()
            known = watched.get(line)
            if before is not None and known is not None and known.filter_us != filter_us:
                if len(known.subscriptions) > 1:
                    watched.check_filter(line, filter_us)  # the others want it as it is
                watched.discard(line, before)
            watched.add(line, subscription, filter_us)
            if before is not None:
                watched.discard(line, before)
            now = watched.get(line)
            return None if now is None or (before is not None and now is known) else now.lost

    def unwatch(self, line: int, subscription: Subscription) -> None:
        """End it."""
        with self._lock:
            self._watched().discard(line, subscription)

    def is_watching(self, line: int, subscription: Subscription) -> bool:
        """Whether that is so still."""
        watched = self._watched().get(line)
        return watched is not None and subscription in watched.subscriptions

    # -- giving back -----------------------------------------------------------------------------

    def release(self, owner: Owner, line: int) -> None:
        """Give a line back, in its safe state; nothing where it is not the owner's."""
        with self._lock:
            self._machine.backend.limit_left(line)  # a line that there is
            if self._safety.owners.get(line) is not owner:
                return
            self._end_pulses(line)
            try:
                self._go_safe(line)
            except errors.LineGoneError:
                pass  # nothing is left to be in any state
            if not self._is_watched(line):
                self._watched().let_go(line)
                self._machine.backend.release(line)
            self._book.owned.discard(line)
            self._lines.set_direction(line, None)
            if self._machine.backend.outside() is not None:
                self._given_back[line] = self._machine.backend.function(line)

    def _is_watched(self, line: int) -> bool:
        listeners = self._listeners()
        return listeners is not None and line in listeners.watched

    def _go_safe(self, line: int) -> None:
        """Bring it into its safe state; others watch it perhaps."""
        rules = self._safety.rules.of(line)
        state = rules.safe if rules.place("safe") else KEEP
        if state in (LOW, HIGH) and self._is_watched(line) and not self._machine.backend.watches_outputs:
            self._watched().end_with_input(line)
            self._watched().suspend(line)
        if state in (LOW, HIGH):
            self._safety.end_limit(line)
        self._safety.go_safe(line)
        if state != KEEP:
            self._book.directions[line] = constants.IN if state == INPUT else constants.OUT

    def end(self, owner: Owner) -> None:
        """The owner has gone: his lines go into their safe states, stay in them, and are free."""
        with self._lock:
            do_all(*[lambda line=line: self.leave(line) for line in self._safety.lines_of(owner)])
            self._forget_waves(lambda number: self._has_wave(owner, number))

    def leave(self, line: int) -> None:
        """Who had the line has gone: it goes into its safe state, stays in it, and is free."""
        try:
            do_all(lambda: self._end_pulses(line), lambda: self._go_safe(line))
        except errors.LineGoneError:
            pass
        except (errors.GPIOError, OSError) as e:  # and cleanup() and the end of the program try again
            log.warning("GPIO %d is not in its safe state: %s", line, e)
        self._safety.is_set_up(line, NOBODY)


def _lines_of(mask: int) -> list[int]:
    return [line for line in range(mask.bit_length()) if mask >> line & 1]
