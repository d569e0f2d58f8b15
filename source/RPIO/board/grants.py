# SPDX-License-Identifier: LGPL-3.0-or-later
"""Which lines the C functions output() and input() serve by themselves.

What is granted there goes past the Board, its lock and its rules. So this is the one place that grants: a line that is
set up, and whose every level nobody else has a say in.
"""

from __future__ import annotations

from .. import constants

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import RLock
    from collections.abc import Callable, Mapping
    from types import ModuleType

    from ..backends import Backend


def _always(line: int) -> bool:
    """Nothing has a say."""
    return True


class Grants:
    """*fast* is the module of those functions, or None: there is one such table, so only one Board can have it.

    *directions* are the lines that are set up. What the functions cannot do, they ask *output* and *input* for.
    """

    def __init__(
        self,
        fast: ModuleType | None,
        output: Callable[..., object],
        input: Callable[..., object],
        channel_of: Callable[[int], int],
        backend: Callable[[], Backend],
        directions: Mapping[int, int],
        lock: RLock,
    ) -> None:
        self._lock = lock
        self._fast, self._channel_of, self._backend, self._directions = fast, channel_of, backend, directions
        self._may_grant: Callable[[int], bool] = _always
        self.granted: dict[int, tuple[int, bool]] = {}
        """Channel -> (line, may it be written?), where C has no such table: what Board need not ask anybody about."""
        if fast is not None:
            fast.revoke_all()
            fast.on_miss(output, input)

    def ask(self, may_grant: Callable[[int], bool]) -> None:
        """Ask this of each line before it is granted, from here on. Those that it refuses are taken back: whatever is
        done with them comes to the Board.
        """
        with self._lock:
            self._may_grant = may_grant
            self.renew()

    def set(self, line: int) -> None:
        """Grant a line as it is set up now; take it back where it is not."""
        if self._fast is None:
            self._set_here(line)
            return
        channel, direction = self._channel_of(line), self._directions.get(line)
        if direction is None or not self._may_grant(line):
            self._fast.revoke(channel)
            return
        backend = self._backend()
        block = backend.block
        if block is not None:
            self._fast.grant(channel, block, line, direction == constants.OUT)
        elif (fd := backend.line_fd(line)) is not None:
            self._fast.grant_line(channel, fd, direction == constants.OUT)
        else:
            self._fast.revoke(channel)

    def _set_here(self, line: int) -> None:
        channel, direction = self._channel_of(line), self._directions.get(line)
        if direction is None or not self._may_grant(line):
            self.granted.pop(channel, None)
        else:
            self.granted[channel] = line, direction == constants.OUT

    def revoke(self, line: int) -> None:
        """Take a line back."""
        if self._fast is not None:
            self._fast.revoke(self._channel_of(line))
        else:
            self.granted.pop(self._channel_of(line), None)

    def renew(self) -> None:
        """After a change of what channels mean, of what is set up, or of what may be granted."""
        self.granted.clear()
        if self._fast is not None:
            self._fast.revoke_all()
        for line in list(self._directions):
            self.set(line)
