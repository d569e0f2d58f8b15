# SPDX-License-Identifier: LGPL-3.0-or-later
"""What of waiting is the system's: epoll and poll where the C core is, RPIO.pure where that is not."""

from __future__ import annotations

from .. import threads
from .._gpio import PURE
from .masks import READ

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Protocol

    class Epoll(Protocol):
        """Descriptors under one, which is readable when one of them is ready: select.epoll."""

        @property
        def closed(self) -> bool:
            """Whether close() was called."""

        def fileno(self) -> int:
            """The one. ValueError when closed."""

        def register(self, fd: int, mask: int, /) -> None:
            """Add one."""

        def modify(self, fd: int, mask: int, /) -> None:
            """Change what it is watched for."""

        def unregister(self, fd: int, /) -> None:
            """Take it out. OSError where it is not in it."""

        def poll(self, timeout_s: float, most: int, /) -> list[tuple[int, int]]:
            """Wait; what is ready, and for what."""

        def close(self) -> None:
            """Close it. Twice is fine."""


def gathering() -> Epoll:
    """Return an empty one. To be called, and given its name, under hooks.making."""
    if PURE:
        from ..pure.polling import Gathering

        return Gathering()
    made: Epoll = threads.original("select", "epoll")()
    return made


def readable(fds: Sequence[int], timeout_s: float | None) -> bool:
    """Sleep until one of them is readable, or for that time; None is for ever."""
    if PURE:
        from ..pure import looking

        return looking.readable(fds, timeout_s)
    poll = threads.original("select", "poll")()
    for fd in fds:
        poll.register(fd, READ)  # POLLIN is the same
    return bool(poll.poll(None if timeout_s is None else timeout_s * 1000))
