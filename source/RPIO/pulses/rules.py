# SPDX-License-Identifier: LGPL-3.0-or-later
"""What pulses ask before they begin. A line has rules, which are the board's; it answers."""

from __future__ import annotations

from .. import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Protocol

    class Rules(Protocol):
        """Raises RuleError, or LineBusyError, where a rule forbids it; nothing has been done then."""

        def ask_pulses(self, line: int, period_ns: int, high_ns: int) -> None:
            """A line is to be high for high_ns in each period."""

        def is_limited(self, line: int) -> bool:
            """Whether the line may be on only so long: nothing but the C timer may make its pulses."""

        def arm(self, line: int) -> None:
            """An output is about to have pulses, which end in time."""

        def ask_wave(self, edges: Sequence[tuple[int, int, int]], turn_ns: int, turns: int) -> None:
            """A wave, (at_ns, line, level), is to be played so many times, or with 0 without end."""


def check_means(rules: Rules, line: int, means: str | None) -> None:
    """Raise RuleError for a line that may be on only so long, where something else than the C timer would drive it."""
    if means in ("hardware", "dma") and rules.is_limited(line):
        raise errors.RuleError(
            f"GPIO {line} may be on only so long, which nothing could hold pulses by {means} to",
            hint="without means= the C timer makes its pulses, and ends them",
        )
