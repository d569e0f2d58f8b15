# SPDX-License-Identifier: LGPL-3.0-or-later
"""A client's connection that has become a pipe to something else on this machine, in the board's loop.

That is how a front end of another protocol is reached through RPIO's own port (``tunnels``), and how the keeper of
programs has a connection with TLS between, whose keys no other process can be given. Nothing is stored here but what
one side has sent and the other has not taken yet, at most AT_ONCE each way; who takes nothing is not read for.
"""

from __future__ import annotations

from time import monotonic_ns

from ... import log
from ...board.undoing import do_all
from ...loop.masks import ERROR, HANGUP
from ...remote.tunnels.piping import Pipe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..connections.links import House

NS_PER_S = 1_000_000_000
LAST_S = 2.0
"""So long may the last words take which were said before the end, to a client who takes them slowly."""


class Piped:
    """One connection and what it leads to, *there*: in the loop of *house* from begin() on, among its links. *on_end*
    is called at the end, by whichever side.
    """

    def __init__(self, house: House, there: Any, on_end: Callable[[], object] = int) -> None:
        self._house, self._there, self.on_end = house, there, on_end
        self._pipe: Pipe | None = None
        self._masks: dict[int, int] = {}
        self._gone: list[int] = []  # who has hung up, and is not watched any more
        self._fd = -1
        self._due_ns: int | None = None
        self.is_closed = False

    def begin(self, made: Any) -> None:
        """Hand on what comes from now on, between *made* and the other one."""
        self._pipe = Pipe(made, self._there)
        self._fd = made.fileno()
        self._house.links[self._fd] = self
        self._house.lent.append(self)
        try:
            made.setblocking(False)
            self._there.setblocking(False)
            self._go_on()
        except BaseException:
            self.close()
            raise

    def _go_on(self) -> None:
        """Move what can be moved, and wait for what is wanted then."""
        pipe = self._pipe
        if pipe is None or self.is_closed:
            return
        try:
            has_more = pipe.go_on()
        except OSError as e:
            log.debug("- a pipe has ended: %s", e.strerror or e)
            self._cut_off()
            return
        if pipe.is_over:
            self.close()
            return
        self._watch()
        if has_more:
            self._house.soon(self._go_on)  # when others have had their turn

    def _watch(self) -> None:
        assert self._pipe is not None
        for end, mask in zip((self._pipe.one, self._pipe.other), self._pipe.masks(), strict=True):
            self._want(end, mask)

    def _want(self, end: Any, mask: int) -> None:
        """Have the loop wait for that."""
        fd, loop = end.fileno(), self._house.loop
        before = self._masks.get(fd)
        if before == mask or fd in self._gone:
            return
        if before is None:
            loop.add(fd, lambda events: self._on_ready(end, events), mask, lambda: self.is_closed)
        else:
            loop.modify(fd, mask)
        self._masks[fd] = mask

    def _on_ready(self, end: Any, events: int) -> None:
        """One side says something, or takes more. The loop's thread."""
        try:
            if events & (ERROR | HANGUP):
                self._has_hung_up(end)
            self._go_on()
        except BaseException:
            self.close()
            raise

    def _has_hung_up(self, end: Any) -> None:
        """He takes nothing more, and says nothing but what has come from him already. He is watched no more: the kernel
        would say for ever that he has hung up.
        """
        assert self._pipe is not None
        self._pipe.has_hung_up(end)
        self._gone.append(end.fileno())
        self._leave_loop(end.fileno())
        if self._due_ns is None:
            self._due_ns = monotonic_ns() + round(LAST_S * NS_PER_S)
            self._house.sessions.on_time()

    def _leave_loop(self, fd: int) -> None:
        if fd in self._masks and self._house.loop.has(fd):
            self._house.loop.remove(fd)
        self._masks.pop(fd, None)

    def due_ns(self) -> int | None:
        """When it is over at the latest; None where nothing says so."""
        return self._due_ns

    def tick(self) -> None:
        """That time may have come."""
        if self._due_ns is not None and self._due_ns <= monotonic_ns():
            self.close()

    def _cut_off(self) -> None:
        """One side is lost."""
        for fd in list(self._masks):
            self._leave_loop(fd)
        try:
            if self._pipe is not None:
                self._pipe.cut_off()
        finally:
            self.close()

    def close(self) -> None:
        """Close both sides. Twice is fine."""
        was_closed, self.is_closed = self.is_closed, True
        pipe = self._pipe
        do_all(
            *[lambda fd=fd: self._leave_loop(fd) for fd in list(self._masks)],
            pipe.close if pipe is not None else self._there.close,
            self._leave_house,
            *([] if was_closed else [self.on_end]),
        )

    def _leave_house(self) -> None:
        if self._house.links.get(self._fd) is self:
            self._house.links.pop(self._fd)
        if self in self._house.lent:
            self._house.lent.remove(self)

    def abandon(self) -> None:
        """Close the descriptors alone, in the child of a fork."""
        if self._pipe is not None:
            self._pipe.close()
