# SPDX-License-Identifier: LGPL-3.0-or-later
"""What drives the line of a queue: levels, and PWM between them, in the name of its owner."""

from __future__ import annotations

from ..board.declared import Owner
from ..board.rules import LOW

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..board.leases import Leases

PERIOD_NS = 10_000_000
"""gpiozero's 100 Hz."""


class LeasedLine:
    """One line, taken as an output that is off. ``on`` is the level that is declared to mean that, else high.

    Raises, to make one:
        LineBusyError: somebody has it. InvalidChannelException, NotSupportedError, RuleError.
    """

    def __init__(self, leases: Leases, owner: Owner, line: int) -> None:
        self._leases, self._owner, self._line = leases, owner, line
        leases.safety.prepare()  # what the files declare
        self._on = 0 if leases.safety.rules.of(line).active == LOW else 1
        self._has_pwm = False
        self._plain: tuple[Callable[[], object] | None, ...] = ()
        self._changes = -1
        leases.set_output(owner, line, 1 - self._on)

    def drive(self, share: float) -> None:
        """Have it be so much of full power, 0.0 to 1.0. With the lock. Raises what the board and its backend raise."""
        if 0 < share < 1:
            high = share if self._on else 1 - share
            self._has_pwm = True  # first: who is interrupted ends what there is
            self._leases.pwm(self._owner, self._line, PERIOD_NS, round(PERIOD_NS * high))
            return
        level = self._on if share else 1 - self._on
        if self._has_pwm:
            self._leases.set_output(
                self._owner, self._line, level
            )  # which ends PWM with no other level on the way
            self._has_pwm = False
            return
        changes = self._leases.safety.changes
        if self._changes != changes:
            self._plain = tuple([self._leases.plain_write(self._owner, self._line, to) for to in (0, 1)])
            self._changes = changes
        write = self._plain[level]
        if write is not None:  # no rule has a say
            write()
        else:
            self._leases.write(self._owner, [(self._line, level)])

    def foresee(self, share: float | None, after_ns: int) -> None:
        """Have it be so much of full power after so long, even where nobody comes then; None for nothing."""
        is_sure = share in (0.0, 1.0) and self._leases.write_later(
            self._owner, self._line, self._on if share else 1 - self._on, after_ns
        )
        if not is_sure:
            self._leases.take_back(self._line)

    @property
    def is_sure(self) -> bool:
        """Whether that is done, where its time has come."""
        return self._leases.writes_later(self._line)

    def give_back(self) -> None:
        """It is free, in its safe state. Twice is fine."""
        self._leases.take_back(self._line)
        self._leases.release(self._owner, self._line)
