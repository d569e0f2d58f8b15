# SPDX-License-Identifier: LGPL-3.0-or-later
"""A socket of this process in the place of a connection with TLS between, whose other end a thread hands on to that.

What reads and writes descriptors, by whatever loop, need not know of TLS then. The thread waits for both, and for
nothing else; it ends with either.
"""

from __future__ import annotations

import socket

from ... import log, threads
from ...loop.masks import ERROR, HANGUP
from ...processes import hooks
from .piping import Pipe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LAST_S = 2.0
"""So long may the last words take which were said before the end, to one who takes them slowly."""


class Relay:
    """Two connections, each of which gets what comes from the other, in the thread that calls run(). *first* has come
    from *one* already.
    """

    def __init__(self, one: Any, other: Any, first: bytes = b"") -> None:
        self._pipe = Pipe(one, other, first)
        one.setblocking(False)
        other.setblocking(False)
        hooks.look_after(self)

    def run(self) -> None:
        """Hand on what comes, until both have ended, or one is lost. Both are closed then."""
        poll = threads.original("select", "poll")()
        try:
            _hand_on(self._pipe, poll)
        except OSError as e:
            log.debug("- a pipe has ended: %s", e.strerror or e)
            self._pipe.cut_off()
        finally:
            self._pipe.close()

    def after_fork(self) -> None:
        """In the child of a fork: both are the parent's."""
        self._pipe.close()

    def shut_down(self) -> None:
        """At the end of the program: they end with the descriptors."""


def _hand_on(pipe: Pipe, poll: Any) -> None:
    ends = {end.fileno(): end for end in (pipe.one, pipe.other)}
    gone: list[int] = []
    while True:
        has_more = pipe.go_on()
        if pipe.is_over:
            return
        for (fd, end), mask in zip(ends.items(), pipe.masks(), strict=True):
            if fd not in gone:
                poll.register(fd, mask)
            elif not has_more and _is_left_alone(pipe, end):
                return
        timeout_s = 0.0 if has_more else LAST_S if gone else None
        ready = poll.poll(None if timeout_s is None else timeout_s * 1000)
        if not ready and timeout_s:
            return  # he takes nothing of what is left
        for fd, events in ready:
            if events & (
                ERROR | HANGUP
            ):  # what has come is on its way still; he is not watched, for that is for ever
                gone.append(fd)
                poll.unregister(fd)
                pipe.has_hung_up(ends[fd])


def _is_left_alone(pipe: Pipe, end: Any) -> bool:
    """Whether all is done that had come from one who has hung up."""
    return (pipe.forth if end is pipe.one else pipe.back).is_over


def plain(channel: Any, first: bytes = b"") -> socket.socket:
    """Return a socket that leads to a channel, by a thread of its own. Who closes it ends the connection. *first* has
    come already.
    """
    with hooks.making:
        ours, its = socket.socketpair()
    try:
        relay = Relay(channel, its, first)
        threads.start(relay.run, "RPIO relay")
    except BaseException:
        ours.close()
        its.close()
        channel.close()
        raise
    return ours
