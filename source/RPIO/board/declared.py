# SPDX-License-Identifier: LGPL-3.0-or-later
"""The rules that are in force, where they come from, and whose lines are whose. What they say of a call: see safety."""

from __future__ import annotations

from time import monotonic

from .. import threads
from .manners import place_of_caller
from .rules import Rules

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import RLock
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from .book import Book
    from .declaring import Draft
    from .grants import Grants
    from .machine import Machine


class Owner:
    """Who has set up lines of a board, and is not the program itself. Two of the same name are two."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __str__(self) -> str:
        return self.name


NOBODY = Owner("nobody")
"""Has the lines of those who have gone: they stay as they were left, and anybody may take them."""

PROGRAM = Owner("this program")
"""Has the lines that are nobody else's."""


class Declared:
    """The rules of a board, and who owns its lines. *grants* are asked again when a line begins or ends to have any."""

    def __init__(
        self,
        machine: Machine,
        book: Book,
        files: Callable[[], list[str]],
        lock: RLock,
    ) -> None:
        self._machine, self._book, self._lock = machine, book, lock
        self._files, self._is_read, self._is_changing = files, False, False
        self.grants: Grants
        """Set by the board."""
        self.rules = Rules()
        self.changes = 0
        """Counts on with each change of rules, owners and directions: what was found out before is to be asked anew."""
        self.owners: dict[int, Owner] = {}
        """Line -> who has set it up, where that is not the program itself."""
        self._since_s: dict[int, float] = {}
        self.on_rules: Callable[[], object] = lambda: None
        """Called before others are in force."""

    # -- what there is ---------------------------------------------------------------------------

    def has_a_say(self, line: int) -> bool:
        """Whether what is done with a line has to be asked."""
        return (
            self._is_changing
            or line in self.rules.lines
            or line in self.owners
            or self.rules.interlock_of(line) is not None
        )

    def use(self, rules: Rules) -> None:
        """Have these be the rules from now on.

        Raises:
            RuleError: lines are in a state that they forbid.
        """
        with self._lock:
            self.on_rules()
            self._check_now(rules)
            # Interrupted in the middle, C has nothing granted, and all of it comes here.
            self._is_changing = True
            self.changes += 1
            self.grants.renew()
            self.rules = rules
            self._is_changing = False
            self.grants.renew()

    def read(self, files: Iterable[str]) -> None:
        """Add what files declare; all of them, or none. Raises ConfigError."""
        with self._lock:
            rules = self._draft()
            threads.load("RPIO.config")
            from .. import config

            for file in files:
                rules.read(config.read(file))
            self.use(rules)

    def declare(self, line: int, values: Mapping[str, object]) -> None:
        """Add to the rules of a line, or change them, for the program. See RPIO.protect()."""
        with self._lock:
            self.prepare()
            rules = self._draft()
            rules.declare(line, place_of_caller(), values)
            self.use(rules)

    def interlock(self, lines: Sequence[int], name: str) -> None:
        """Let one of these at most be on, for the program. See RPIO.interlock()."""
        with self._lock:
            self.prepare()
            rules = self._draft()
            rules.interlock(tuple(lines), name, place_of_caller())
            self.use(rules)

    def _draft(self) -> Draft:
        threads.load("RPIO.board.declaring")
        from .declaring import Draft

        return Draft(self.rules)

    def prepare(self) -> None:
        """Read the files, once. What cannot be read or understood is told again by the next call."""
        if self._is_read:
            return
        files = self._files()
        if files:
            self.read(files)
        self._is_read = True

    def _check_now(self, rules: Rules) -> None:
        """Raise where lines are in a state that these rules forbid."""
        raise NotImplementedError

    def forget(self) -> None:
        """No rules, no owners: the board is closed."""
        self.changes += 1
        self.rules, self._is_read, self._is_changing = Rules(), False, False
        self.owners.clear()

    # -- who owns what ---------------------------------------------------------------------------

    def is_set_up(self, line: int, owner: Owner | None = None) -> None:
        """The line is this owner's now; None: the program's own."""
        self.changes += 1
        if owner is None:
            self.owners.pop(line, None)
        else:
            if self.owners.get(line) is not owner:
                self._since_s[line] = monotonic()
            self.owners[line] = owner

    def seconds_held(self, line: int) -> int | None:
        """For how long its owner has it; None for a line of the program's."""
        return int(monotonic() - self._since_s[line]) if line in self.owners else None

    def holder(self, line: int) -> Owner | None:
        """Who has the line; None where it is free."""
        owner = self.owners.get(line)
        if owner is None and (line in self._book.directions or line in self._book.owned):
            return PROGRAM
        return None if owner is NOBODY else owner

    def held(self) -> list[tuple[int, str, int | None]]:
        """Each line that somebody has, who that is, and for how many seconds, where that is known."""
        with self._lock:
            pairs = [
                (line, self.holder(line)) for line in sorted({*self._book.directions, *self._book.owned})
            ]
            return _told(pairs, self.seconds_held)

    def lines_of(self, owner: Owner) -> list[int]:
        """The lines that an owner has."""
        return sorted(line for line, who in self.owners.items() if who is owner)

    def is_released(self, line: int) -> None:
        """The line is free."""
        self.changes += 1
        self.owners.pop(line, None)

    @property
    def is_asked(self) -> bool:
        """Whether there is anything to be asked. Raises ConfigError."""
        self.prepare()
        return bool(self.rules or self.owners)


def _told(
    pairs: Sequence[tuple[int, Owner | None]], seconds_held: Callable[[int], int | None]
) -> list[tuple[int, str, int | None]]:
    return [(line, holder.name, seconds_held(line)) for line, holder in pairs if holder is not None]
