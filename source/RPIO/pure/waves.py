# SPDX-License-Identifier: LGPL-3.0-or-later
"""A wave that is being played, as soft_wave.c does it: turn after turn, and perhaps another one that follows."""

from __future__ import annotations

from errno import EINVAL

NEVER = (1 << 64) - 1
PERIODS_NS = (1_000, 1_000_000_000_000_000)
EDGES_MAX, AT_ONCE_MAX = 100_000, 64
LATE_SHARE = 2

TYPE_CHECKING = False
if TYPE_CHECKING:
    Edges = list[tuple[int, int, int]]


class _Score:
    """The edges of a turn, (at_ns, line, level) in the order of their times. *turns*: 0 is for ever."""

    def __init__(self, edges: Edges, period_ns: int, turns: int) -> None:
        if not _is_valid(edges, period_ns):
            raise OSError(EINVAL, "no edges, too many, or times out of order or of bounds")
        self.edges, self.period_ns, self.turns = list(edges), period_ns, turns
        self.dropped: set[int] = set()


def _is_valid(edges: Edges, period_ns: int) -> bool:
    if not 0 < len(edges) <= EDGES_MAX or not PERIODS_NS[0] <= period_ns <= PERIODS_NS[1]:
        return False
    before_ns, same = -1, 0
    for at_ns, _, _ in edges:
        same = same + 1 if at_ns == before_ns else 1
        if not max(0, before_ns) <= at_ns < period_ns or same > AT_ONCE_MAX:
            return False
        before_ns = at_ns
    return True


class PlayedWave:
    """A wave from *begin_ns* on."""

    def __init__(self, edges: Edges, period_ns: int, turns: int, begin_ns: int) -> None:
        self._playing = _Score(edges, period_ns, turns)
        self._following: _Score | None = None
        self._place = 0  # of the edge that comes next
        self._begin_ns, self._shift_ns = begin_ns, 0  # of the turn
        self._follow_ns = 0  # a turn that begins from then on is that of what follows
        self._turns_done = 0

    @property
    def is_done(self) -> bool:
        """Whether no edge comes any more."""
        turns = self._playing.turns
        return turns != 0 and self._turns_done == turns and self._following is None

    @property
    def end_ns(self) -> int:
        """When its last turn has ended; NEVER where that has not begun to."""
        return self._begin_ns if self.is_done else NEVER

    def turns(self, now_ns: int) -> int:
        """How many are done."""
        is_ending = self._place == 0 and self._turns_done > 0 and now_ns < self._begin_ns
        return self._turns_done - is_ending

    def follow(self, edges: Edges, period_ns: int, turns: int, now_ns: int) -> None:
        """What is played from the next turn on, or at once where it is done."""
        was_done, self._following = self.is_done, _Score(edges, period_ns, turns)
        if was_done:
            self._begin_ns = max(self._begin_ns, now_ns)
        self._follow_ns = now_ns

    def drop(self, line: int) -> None:
        """Leave out all edges of the line from now on."""
        self._playing.dropped.add(line)
        if self._following is not None:
            self._following.dropped.add(line)

    @property
    def _next_score(self) -> _Score:
        """Of the edge that comes next: of what follows, where its first turn begins."""
        following = self._following
        if self._place == 0 and following is not None and self._begin_ns >= self._follow_ns:
            return following
        return self._playing

    @property
    def next_ns(self) -> int:
        """When an edge comes."""
        if self._place == 0 and self.is_done:
            return NEVER
        return self._begin_ns + self._shift_ns + self._next_score.edges[self._place][0]

    def advance(self, now_ns: int) -> list[tuple[int, int]]:
        """The edges of the moment that is due, (line, level); later ones that are due come with the next call."""
        due_ns = self.next_ns
        if due_ns > now_ns:
            return []
        if self._next_score is not self._playing:
            self._playing, self._following, self._turns_done = self._next_score, None, 0
        score, first = self._playing, self._place
        at_ns = score.edges[first][0]
        while self._place < len(score.edges) and score.edges[self._place][0] == at_ns:
            self._place += 1
        moment = score.edges[first : self._place]
        is_last = self._place == len(score.edges)
        then_ns = score.period_ns + score.edges[0][0] if is_last else score.edges[self._place][0]
        late_ns = now_ns - due_ns
        if late_ns > (then_ns - at_ns) // LATE_SHARE:
            self._shift_ns += late_ns
        if is_last:
            self._end_turn(score)
        return [(line, int(bool(level))) for _, line, level in moment if line not in score.dropped]

    def _end_turn(self, score: _Score) -> None:
        behind = -(-self._shift_ns // score.period_ns) * score.period_ns
        self._place = 0
        self._turns_done += 1
        self._begin_ns += score.period_ns + (self._shift_ns if score.turns else behind)
        self._shift_ns = 0
