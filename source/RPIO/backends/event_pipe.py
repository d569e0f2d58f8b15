# SPDX-License-Identifier: LGPL-3.0-or-later
"""A pipe of edges, as records of the kernel's own format: the loop that reads them cannot tell the difference.

Like the kernel's buffer it drops its *oldest* record when it is full, and the numbers of the others show that.
"""

from __future__ import annotations

from .. import constants
from .._gpio import Pipe, event_encode

RECORD_BYTES = 48
"""Of struct gpio_v2_line_event. Source: Linux, include/uapi/linux/gpio.h."""


class EventPipe:
    """The edges of one watched line. Closed with its object."""

    __slots__ = ("_pipe", "_room", "seq")

    def __init__(self) -> None:
        self._pipe = Pipe()
        self._room = constants.EVENT_BUFFER_SIZE  # as many fit in any case: who reads makes more
        self.seq = 0
        """The number of the last edge; the first has 1."""

    @property
    def reader(self) -> int:
        """The descriptor that delivers them; -1 when closed."""
        return self._pipe.reader

    def put(self, line: int, level: int, when_ns: int) -> None:
        """Report an edge; never blocks."""
        self.seq += 1
        record = event_encode(line, level, when_ns, self.seq)
        while True:
            if self._room <= 0:
                self._room = constants.EVENT_BUFFER_SIZE - self._pipe.waiting() // RECORD_BYTES
            if self._room > 0:
                try:
                    self._pipe.put(record)
                    self._room -= 1
                    return
                except BlockingIOError:
                    pass  # the pipe is full before the buffer is: drop the oldest, as below
            try:
                self._pipe.get(RECORD_BYTES)
            except BlockingIOError:
                pass  # the loop has just read it all

    def close(self) -> None:
        """Close both ends. Twice is fine."""
        self._pipe.close()
