# SPDX-License-Identifier: LGPL-3.0-or-later
"""Edge events, and their records: those of the kernel's own format, as everywhere in RPIO.

Source: Linux, include/uapi/linux/gpio.h, struct gpio_v2_line_event.
"""

from __future__ import annotations

import struct
from errno import EBADMSG, EPROTO

from .sources import pipe_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

RECORD = struct.Struct("=QIIII24x")
"""timestamp_ns, id, offset, seqno, line_seqno; padding."""
RISING, FALLING = 1, 2
BATCH = 64
"""Records that one read takes, as in the C core."""
FIELDS = ("line", "value", "timestamp_ns", "seq")


class EdgeEvent(tuple[int, int, int, int]):
    """One edge on one line: (line, value, timestamp_ns, seq)."""

    n_fields, n_sequence_fields, n_unnamed_fields = 5, 4, 0
    __match_args__ = ("line", "value", "timestamp_ns", "seq")
    token = 0
    """What Poller.add_edges() was given; no part of the tuple."""

    def __new__(cls, sequence: Iterable[int], dict: dict[str, int] | None = None, /) -> EdgeEvent:
        """*sequence* has four numbers; a fifth one is the token, which *dict* may have, too."""
        numbers = tuple(sequence)
        if not cls.n_sequence_fields <= len(numbers) <= cls.n_fields:
            raise TypeError(f"RPIO.EdgeEvent() takes a 4 or 5-sequence ({len(numbers)}-sequence given)")
        made = super().__new__(cls, numbers[:4])
        made.token = numbers[4] if len(numbers) > 4 else (dict or {}).get("token", 0)
        return made

    @property
    def line(self) -> int:
        """The number of the line on its chip."""
        return self[0]

    @property
    def value(self) -> int:
        """1 after a rising edge, 0 after a falling one."""
        return self[1]

    @property
    def timestamp_ns(self) -> int:
        """The monotonic clock in nanoseconds."""
        return self[2]

    @property
    def seq(self) -> int:
        """The number of the event on its line, from 1; a gap is what was lost."""
        return self[3]

    def __reduce__(self) -> tuple[type[EdgeEvent], tuple[tuple[int, ...], dict[str, int]]]:
        return EdgeEvent, (tuple(self), {"token": self.token})

    def __repr__(self) -> str:
        return f"RPIO.EdgeEvent({', '.join(f'{n}={v}' for n, v in zip(FIELDS, self, strict=True))})"


EdgeEvent.__module__ = "RPIO"  # where pickle finds it


def event_encode(line: int, value: int, timestamp_ns: int, seq: int, /) -> bytes:
    """The record of an edge."""
    return RECORD.pack(timestamp_ns, RISING if value else FALLING, line, seq, seq)


def events_decode(data: bytes, /) -> list[EdgeEvent]:
    """The edges of records."""
    if len(data) % RECORD.size:
        raise OSError(EBADMSG, "these are no whole records")
    return [_event(*fields) for fields in RECORD.iter_unpack(data[: BATCH * RECORD.size])]


def _event(timestamp_ns: int, kind: int, line: int, _: int, seq: int) -> EdgeEvent:
    if kind not in (RISING, FALLING):
        raise OSError(EPROTO, f"an edge of kind {kind}")
    return EdgeEvent((line, int(kind == RISING), timestamp_ns, seq))


def events_read(fd: int, /) -> list[EdgeEvent]:
    """The edges that wait in a pipe."""
    try:
        return events_decode(pipe_of(fd).get(BATCH * RECORD.size))
    except BlockingIOError:
        return []
