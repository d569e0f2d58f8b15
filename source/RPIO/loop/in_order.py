# SPDX-License-Identifier: LGPL-3.0-or-later
"""Edges of several lines in the order of time."""

from __future__ import annotations

from _operator import itemgetter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .._gpio import EdgeEvent, Poller

READS_MAX = 64
"""How often more edges are read before the first is dispatched: all that the buffers of lines hold, four times."""

BY_TIME = itemgetter(2)
"""``timestamp_ns`` of an EdgeEvent."""


def read_on(poller: Poller, edges: list[EdgeEvent], ready: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Read until no earlier edge can come than the first of *edges*; return what is ready by then.

    Lines are read one after the other. Where one had several edges, the last of them may be younger than the first
    of a line that had been looked at before; a quadrature encoder counts wrong then.
    """
    if len({event.token for event in edges}) == len(edges):
        return ready  # each was there when all lines were looked at
    found = dict(ready)
    for _ in range(READS_MAX):
        count = len(edges)
        found.update(poller.wait(0, edges))
        if len(edges) == count:
            break
    edges.sort(key=BY_TIME)
    return list(found.items())
