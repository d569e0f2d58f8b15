# SPDX-License-Identifier: LGPL-3.0-or-later
"""A descriptor that is readable when a signal has come, for a loop in the main thread.

Python runs a handler there, between two instructions. A signal that comes after the last look for one, and before the
system call that waits, does not end that call: its handler, Ctrl+C's too, would wait for the next edge.
"""

from __future__ import annotations

from _signal import set_wakeup_fd  # type: ignore[import-not-found]

from .._gpio import PURE, Pipe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..pure.looking import SocketPipe


class Bell:
    """What Python's wakeup descriptor leads to. It may hang on after the loop: nobody hears it then."""

    def __init__(self) -> None:
        self._pipe = _pipe_of_kernel()

    @property
    def reader(self) -> int:
        """What becomes readable; -1 when closed."""
        return self._pipe.reader

    def hang(self) -> None:
        """Hear of signals, unless another loop of the program does."""
        try:
            before = set_wakeup_fd(self._pipe.writer, warn_on_full_buffer=False)
        except ValueError:
            return  # a thread that gets no signals: the wait does without
        if before not in (-1, self._pipe.writer):
            set_wakeup_fd(before)

    def take_down(self) -> None:
        """Hear of signals no longer. Twice is fine."""
        try:
            now = set_wakeup_fd(-1)
        except ValueError:
            return  # a thread that gets no signals has set none
        if now not in (-1, self._pipe.writer):
            set_wakeup_fd(now)

    def heard(self, events: int) -> None:
        """Make room for the next signal. The handler has run, or will when this returns."""
        try:
            self._pipe.get(4096)
        except BlockingIOError:
            pass  # a handler that waited for edges itself has made it

    def close(self) -> None:
        """Give the descriptors back. Twice is fine."""
        self.take_down()
        self._pipe.close()


def _pipe_of_kernel() -> Pipe | SocketPipe:
    if PURE:
        from ..pure.looking import SocketPipe

        return SocketPipe()
    return Pipe()
