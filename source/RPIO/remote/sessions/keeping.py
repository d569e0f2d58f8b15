# SPDX-License-Identifier: LGPL-3.0-or-later
"""The thread that sleeps until a connection is lost, and has another one made."""

from __future__ import annotations

from _weakref import ref
from functools import partial
from time import monotonic

from ... import threads
from ..._gpio import PURE, Pipe
from ...loop.kernel import readable
from ...loop.masks import READ

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..places.link import Link

RDHUP = 0x2000
"""POLLRDHUP: the other side has closed. Source: Linux, include/uapi/asm-generic/poll.h."""
LOOK_S = 0.2
"""How often is looked whether a connection has ended, where no kernel tells."""
BEAT_S = 5.0
"""So often a far end that would not notice otherwise that this one has gone is told that it is there."""
BACKOFF_MS = (0, 50, 100, 200, 500, 1000, 2000)


class Kept:
    """A connection that is kept: what the thread asks of it."""

    patience_s: float
    """How long another one is tried for."""

    @property
    def link(self) -> Link | None:
        """The connection, until it is closed."""
        raise NotImplementedError

    @property
    def is_over(self) -> bool:
        """Whether there will be none any more."""
        raise NotImplementedError

    def has_ended(self, link: Link) -> None:
        """The other side has closed it, or this one."""
        raise NotImplementedError

    def try_again(self, until_s: float) -> None:
        """Connect, where that was lost; give up where it is later than that."""
        raise NotImplementedError


def keep(kept: Kept, bell: Pipe) -> threads.Started:
    """Keep it in a thread, until it is over, or nobody has it any more. Who ends it rings the bell."""
    return threads.start(partial(_keep, ref(kept, partial(ring, bell)), bell), "RPIO connection")


def ring(bell: Pipe, *_: object) -> None:
    """Wake the thread."""
    if bell.writer >= 0:
        try:
            bell.put(b"x")
        except BlockingIOError:
            return  # it has been rung


def _keep(me: ref[Kept], bell: Pipe) -> None:
    """While it sleeps the thread has nothing of it but the bell, which is closed with the last who has that."""
    attempt, until_s = 0, 0.0
    while True:
        kept = me()
        if kept is None or kept.is_over:
            return
        link, kept = kept.link, None
        heard = bell.reader
        if heard < 0:
            return  # it is over
        if link is None:
            readable((heard,), BACKOFF_MS[min(attempt, len(BACKOFF_MS) - 1)] / 1000)
        elif link.fd < 0:
            return  # whoever ends it was quicker
        else:
            _sleep_until_ended(link, heard)
        kept = me()
        if link is not None:
            attempt, until_s = 0, 0.0
            if kept is None:
                link.close()
            else:
                kept.has_ended(link)
        elif kept is not None and not kept.is_over:
            until_s = until_s or monotonic() + kept.patience_s
            attempt += 1
            kept.try_again(until_s)


def _sleep_until_ended(link: Link, heard: int) -> None:
    """Until the other side has closed it, or the bell is rung."""
    if PURE:
        until_s = monotonic() + BEAT_S
        while not readable((heard,), LOOK_S) and not link.has_ended():
            if link.beats and monotonic() >= until_s:
                link.beat()
                until_s = monotonic() + BEAT_S
        return
    poll = threads.original("select", "poll")()
    poll.register(heard, READ)
    poll.register(link.fd, RDHUP)
    aside = link.aside
    if aside >= 0:
        poll.register(aside, READ)
    beat_ms = 1000 * BEAT_S if link.beats else None
    while True:
        ready = [fd for fd, _ in poll.poll(beat_ms)]
        if not ready:
            link.beat()
        elif ready != [aside]:
            return
        elif not link.hear_aside():
            poll.unregister(aside)
