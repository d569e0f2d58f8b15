# SPDX-License-Identifier: LGPL-3.0-or-later
"""How often lines have changed, and whether they may do so once more. Going off counts, and is never refused."""

from __future__ import annotations

from collections import deque

from .. import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .rules import Rules


class Rates:
    """The changes of the last second."""

    def __init__(self) -> None:
        self._times: dict[int, deque[float]] = {}

    def check(
        self, rules: Rules, steps: Iterable[tuple[int, bool]], before: Mapping[int, bool], now_s: float
    ) -> None:
        """Raise RateError where one of (line, is on) comes too early; else all of them count, as from now.

        *before* says whether each line is on before the first.
        """
        counted: dict[int, list[float]] = {}
        is_on = dict(before)
        for line, turns_on in steps:
            limit = rules.of(line).changes_per_s
            if limit is None or turns_on == is_on[line]:
                continue
            is_on[line] = turns_on
            times, new = self._since(line, now_s - 1), counted.setdefault(line, [])
            if turns_on and len(times) + len(new) + 1 > limit:
                left_ms = (1 - (now_s - times[0])) * 1e3 if times else 1e3
                _refuse(rules, line, f"now, but in {left_ms:.0f} ms")
            new.append(now_s)
        for line, new in counted.items():
            self._times[line].extend(new)

    def _since(self, line: int, since_s: float) -> deque[float]:
        """When a line has changed since then; what was before is forgotten."""
        times = self._times.get(line)
        if times is None:
            times = self._times[line] = deque()
        while times and times[0] <= since_s:
            times.popleft()
        return times

    def check_turns(self, rules: Rules, line: int, times_ns: Sequence[int], turn_ns: int, turns: int) -> None:
        """Raise RateError where a line that changes at these times of each turn does so too often.

        *turns* is 0 where there is no end of them.
        """
        limit = rules.of(line).changes_per_s
        if limit is None:
            return
        in_a_second = int(1e9 // turn_ns) + 2
        count = min(turns or in_a_second, in_a_second)
        all_ns = [at_ns + turn * turn_ns for turn in range(count) for at_ns in times_ns]
        for first_ns, last_ns in zip(all_ns, all_ns[int(limit) :], strict=False):
            if last_ns - first_ns < 1e9:
                _refuse(rules, line, "as often as that")


def _refuse(rules: Rules, line: int, what: str) -> None:
    of_line = rules.of(line)
    raise errors.RateError(
        f"GPIO {line} may not change {what}: {of_line.changes_per_s:g} times a second at most "
        f"({of_line.place('changes_per_s')})"
    )
