# SPDX-License-Identifier: LGPL-3.0-or-later
"""Levels that the C timer writes later, whatever keeps this program then, for those who are not it. See leases."""

from __future__ import annotations

from .. import constants, errors
from .leased_pulses import LeasedPulses

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .declared import Owner


class LeasedLimits(LeasedPulses):
    """Limits on the lines of a board, in the name of owners."""

    def plain_write(self, owner: Owner, line: int, level: int) -> Callable[[], object] | None:
        """What writes an output of the owner's, of which no rule says anything; None for others."""
        raise NotImplementedError

    def limit(self, owner: Owner, line: int, after_ns: int, level: int) -> None:
        """Write a level after so long; where a rule of the line says when, not later than that."""
        with self._lock:
            self._safety.check_owner(line, owner)
            self._have(owner, line)
            backend, rules = self._machine.backend, self._safety.rules.of(line)
            interlock = self._safety.rules.interlock_of(line)
            if interlock is not None and rules.is_on(level):
                raise errors.InterlockError(
                    f"GPIO {line} would be on after {after_ns} ns, whatever is on then: the {interlock} forbids that",
                    hint="its other level is never refused",
                )
            if self._safety.is_limited(line):
                if rules.is_on(level):
                    raise errors.RuleError(
                        f"GPIO {line} would be on after {after_ns} ns ({rules.place('longest_on_s')})",
                        hint="its other level ends it",
                    )
                after_ns = min(after_ns, backend.limit_left(line) or after_ns)
            backend.limit(line, after_ns, level)

    def unlimit(self, owner: Owner, line: int) -> None:
        """Take that back. Raises RuleError where a rule has said it."""
        with self._lock:
            self._safety.check_owner(line, owner)
            if self._safety.is_limited(line):
                place = self._safety.rules.of(line).place("longest_on_s")
                raise errors.RuleError(
                    f"how long GPIO {line} may be on is a rule's ({place})", hint="its other level ends it"
                )
            self._machine.backend.unlimit(line)

    def limit_left(self, line: int) -> int | None:
        """How long that is from now; None where there is no limit."""
        return self._machine.backend.limit_left(line)

    def write_later(self, owner: Owner, line: int, level: int, after_ns: int) -> bool:
        """Write an output of the owner's after so long, in time even where this program is kept from it; whether that
        will be: where no rule has a say, and the line is this machine's. A rule that is declared meanwhile takes it
        back, as unlimit() does.
        """
        with self._lock:
            backend = self._machine.backend
            is_sure = "pwm" in backend.features and backend.revision_code is None
            shortest, longest = constants.PWM_PERIODS_NS
            if not is_sure or not shortest <= after_ns <= longest or not self.plain_write(owner, line, level):
                return False
            backend.limit(line, after_ns, level)
            self._later.add(line)
            return True

    def writes_later(self, line: int) -> bool:
        """Whether that is so, or has been done."""
        return line in self._later

    def take_all_back(self) -> None:
        """Rules are about to change: who counts on none is to ask again."""
        for line in list(self._later):
            self.take_back(line)

    def take_back(self, line: int) -> None:
        """Write nothing later. Twice is fine."""
        with self._lock:
            if line in self._later:
                self._machine.backend.unlimit(line)
                self._later.discard(line)
