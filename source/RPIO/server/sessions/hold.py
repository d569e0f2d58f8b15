# SPDX-License-Identifier: LGPL-3.0-or-later
"""Levels that outlive programs: lines that the server holds, and sets again when it begins anew.

A line that has its level already has no edge: where it is an output of that level it stays as it is, and else the level
is there before the direction is.
"""

from __future__ import annotations

import json
import os

from ... import errors, log
from ...board.declared import NOBODY, Owner
from ...board.undoing import do_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from ...board.leases import Leases

SIZE_MAX = 1 << 20


class Holds:
    """What is held. *path* is the file that remembers it; "" for none."""

    def __init__(self, leases: Leases, path: str = "") -> None:
        self._leases, self._path = leases, path
        self.owner = Owner("rpio hold")
        self._held: dict[int, int] = {}
        self._missed: dict[int, int] = {}
        """What could not be held again: it is remembered, until it is held otherwise or released."""

    def held(self) -> list[tuple[int, int]]:
        """Lines and levels."""
        return sorted(self._held.items())

    def hold(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Hold these as well, or at other levels: all of them, or none.

        Raises:
            LineBusyError, RuleError: a line is another's, or a rule forbids it. OSError: it could not be remembered, or
                the system has not given a line.
        """
        wanted = dict(pairs)
        with self._leases.lock:
            for line, level in wanted.items():
                self._check_for_ever(line, level)
            self._leases.safety.ask(list(wanted.items()), self.owner)
            before = dict(self._held)
            # First: who is killed in the middle holds all of it when he begins anew.
            self._remember({**before, **wanted})
            try:
                self._hold(wanted)
            except BaseException:
                do_all(
                    *[lambda line=line: self._as_before(line, before) for line in wanted],
                    lambda: self._remember(before),
                )
                raise
            self._missed = _without(self._missed, wanted)

    def _hold(self, wanted: Mapping[int, int]) -> None:
        for line, level in wanted.items():
            self._leases.take_output(self.owner, line, level)
            self._held[line] = level

    def _as_before(self, line: int, before: Mapping[int, int]) -> None:
        """It has not become what was wanted, or not for long."""
        if line in before:
            self._leases.take_output(self.owner, line, before[line])
            self._held[line] = before[line]
        elif line in self._leases.safety.lines_of(self.owner):
            self._let_go(line)

    def _check_for_ever(self, line: int, level: int) -> None:
        rules = self._leases.safety.rules.of(line)
        if rules.longest_on_s is not None and rules.is_on(level):
            raise errors.RuleError(
                f"GPIO {line} is not held at {level}: it would not be for longer than {rules.longest_on_s:g} s "
                f"({rules.place('longest_on_s')})",
                hint="its other level can be held",
            )

    def release(self, lines: Sequence[int]) -> None:
        """Hold them no longer: they go into their safe states. Raises ValueError for one that is not held."""
        missing = [line for line in lines if line not in self._held and line not in self._missed]
        if missing:
            names = ", ".join(map(str, missing))
            raise ValueError(f"GPIO {names} is not held; {self._told() or 'nothing is'}")
        with self._leases.lock:
            self._release(lines)

    def _release(self, lines: Sequence[int]) -> None:
        missed = _without(self._missed, lines)
        self._write({**missed, **_without(self._held, lines)})
        self._missed = missed
        do_all(*[lambda line=line: self._let_go(line) for line in lines if line in self._held])

    def _let_go(self, line: int) -> None:
        self._leases.leave(line)
        self._leases.safety.is_set_up(line, NOBODY)
        self._held.pop(line, None)

    def _told(self) -> str:
        return ", ".join(f"{line}={level}" for line, level in self.held())

    # -- from one start to the next --------------------------------------------------------------

    def set_again(self) -> None:
        """Hold what was held. What cannot be held any more is told of, and the rest is held."""
        for line, level in self._remembered().items():
            try:
                self._check_for_ever(line, level)
                self._leases.set_output(self.owner, line, level)
            except (errors.GPIOError, ValueError, OSError) as e:
                log.warning(
                    "GPIO %s is not held at %s: %s (it is tried again at the next start; rpio release %s ends that)",
                    line,
                    level,
                    e,
                    line,
                )
                self._missed[line] = level
            else:
                self._held[line] = level

    def _remembered(self) -> Mapping[int, int]:
        try:
            with open(self._path, encoding="utf-8") as file:
                found = json.loads(file.read(SIZE_MAX))
            return {int(line): int(bool(level)) for line, level in found.items()}
        except FileNotFoundError:
            return {}
        except (ValueError, AttributeError, OSError) as e:
            if self._path:
                log.warning("%s: what was held is not known: %s", self._path, e)
            return {}

    def _remember(self, held: Mapping[int, int]) -> None:
        self._write({**self._missed, **held})

    def _write(self, held: Mapping[int, int]) -> None:
        if not self._path:
            return
        os.makedirs(os.path.dirname(self._path), 0o755, exist_ok=True)
        draft = f"{self._path}.new"
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        with open(fd, "w", encoding="utf-8") as file:
            json.dump({str(line): level for line, level in sorted(held.items())}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, self._path)


def _without(held: Mapping[int, int], lines: Collection[int]) -> dict[int, int]:
    return {line: level for line, level in held.items() if line not in lines}
