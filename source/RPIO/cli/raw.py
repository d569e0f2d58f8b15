# SPDX-License-Identifier: LGPL-3.0-or-later
"""This terminal as a window on one of another machine: keys go there as they are typed, and nothing is done here."""

from __future__ import annotations

import os
import sys
from collections import deque

from .. import log
from ..processes import hooks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

STDIN, STDOUT, STDERR = 0, 1, 2
CTRL_P, CTRL_Q = b"\x10", b"\x11"
HELD_S = 0.8
"""How long a Ctrl+P is kept back, which may be the first half of the two keys that detach."""
ROWS_COLUMNS = (24, 80)
"""Of a terminal that does not tell."""


def are_terminals() -> bool:
    """Whether standard input and output are, so that a program there may have one."""
    return is_terminal(STDIN) and is_terminal(STDOUT)


def is_terminal(fd: int) -> bool:
    """Whether a descriptor is a terminal; a closed one is none."""
    try:
        return os.isatty(fd)
    except OSError:
        return False


def size() -> tuple[int, int]:
    """Rows and columns of this terminal."""
    try:
        columns, rows = os.get_terminal_size(STDOUT)
    except OSError:
        return ROWS_COLUMNS
    return (rows, columns) if rows and columns else ROWS_COLUMNS


class Raw:
    """The terminal of standard input, raw between begin() and end(), which puts it back as it was. Twice is fine."""

    def __init__(self) -> None:
        self._before: list[Any] | None = None

    @property
    def is_on(self) -> bool:
        """Whether it is raw now."""
        return self._before is not None

    def begin(self) -> None:
        """Make it raw; once more where another program has changed it meanwhile. Raises OSError where it has gone."""
        import termios
        import tty

        try:
            if self._before is None:
                self._before = termios.tcgetattr(STDIN)
            tty.setraw(STDIN, termios.TCSADRAIN)
        except termios.error as e:
            raise OSError(*e.args) from None

    def end(self) -> None:
        """Put it back."""
        import termios

        before = self._before
        if before is None:
            return
        try:
            termios.tcsetattr(STDIN, termios.TCSADRAIN, before)
        except termios.error:
            pass  # it has been closed
        self._before = None


class DetachKeys:
    """Ctrl+P Ctrl+Q, found in what is typed, however that is split; all else goes on as it is.

    Source: of docker attach, whose keys these are, "--detach-keys".
    """

    def __init__(self) -> None:
        self.is_held = False
        """A Ctrl+P is kept back."""

    def feed(self, typed: bytes) -> tuple[bytes, bool]:
        """Return what goes there now, and whether the keys have been found: what is behind them is nobody's."""
        typed = self.release() + typed
        before, keys, _ = typed.partition(CTRL_P + CTRL_Q)
        if keys:
            return before, True
        if typed.endswith(CTRL_P):
            self.is_held = True
            return typed[:-1], False
        return typed, False

    def release(self) -> bytes:
        """What was kept back, which goes there after all: no Ctrl+Q has come in time."""
        held, self.is_held = (CTRL_P if self.is_held else b""), False
        return held


class Output:
    """Standard output and error, written to without ever waiting for who reads them; what they do not take is kept, in
    the order in which it came: as a program of this machine would wait for its reader.
    """

    FULL = 1 << 17
    AT_ONCE = 4096
    """A pipe and a socket that poll(2) calls ready take so much. Source: Linux, pipe(7), PIPE_BUF."""

    def __init__(self) -> None:
        self._left: deque[tuple[int, memoryview]] = deque()
        self._bytes = 0
        self._opened: dict[int, int] = {}
        self.errors: dict[int, OSError] = {}
        """Why one of them takes nothing any more: a BrokenPipeError where its reader has gone."""

    def begin(self) -> None:
        """A terminal may stand still, and so would this program: terminals are opened anew, and never wait.

        Those of the shell are left as they are: O_NONBLOCK is all programs' that have them.
        """
        for fd in filter(is_terminal, (STDOUT, STDERR)):
            try:
                with hooks.making:
                    self._opened[fd] = os.open(
                        os.ttyname(fd), os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC
                    )
            except OSError as e:
                log.debug("%s is not opened anew: %s", fd, e)  # another user's, as after su

    @property
    def is_full(self) -> bool:
        """Whether nothing more should be given to it."""
        return self._bytes >= self.FULL

    @property
    def is_empty(self) -> bool:
        """Whether all has been taken."""
        return not self._left

    @property
    def waits_for(self) -> int:
        """The descriptor that is to be ready next; negative where there is none."""
        return self._opened.get(self._left[0][0], self._left[0][0]) if self._left else -1

    def take(self, fd: int, data: bytes) -> None:
        """Have that written to one of them; nothing where that one takes nothing any more."""
        if fd not in self.errors and data:
            self._left.append((fd, memoryview(data)))
            self._bytes += len(data)

    def write(self) -> None:
        """Write some, for it is ready."""
        fd, data = self._left.popleft()
        most = self.FULL if fd in self._opened else self.AT_ONCE
        count = 0
        try:
            count = os.write(self._opened.get(fd, fd), data[:most])
        except BlockingIOError:
            pass
        except OSError as e:
            self.errors[fd] = e
            self._left = deque(row for row in self._left if row[0] != fd)
            self._bytes = sum(len(row[1]) for row in self._left)
            return
        self._bytes -= count
        if count < len(data):
            self._left.appendleft((fd, data[count:]))

    def close(self) -> None:
        """Leave them. Twice is fine."""
        while self._opened:
            os.close(self._opened.popitem()[1])


def flush_own() -> None:
    """Write what this program has printed itself, before others' bytes come on the same files."""
    for file in (sys.stdout, sys.stderr):
        if file is not None:
            file.flush()
