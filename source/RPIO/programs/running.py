# SPDX-License-Identifier: LGPL-3.0-or-later
"""One program: what it writes and reads, and its end.

It is read while nobody who reads it is too far behind, and else not: so it waits, and nothing is lost. What it has
written before its end is read before that is told.
"""

from __future__ import annotations

import errno
import os
import signal
from collections import deque
from time import monotonic

from .. import log
from ..loop.masks import ERROR, HANGUP, READ, WRITE
from ..wire.runs import DATA_MAX, STDERR, STDOUT
from . import strays
from .rings import Ring
from .spawning import resize

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from ..loop.dispatcher import Dispatcher
    from ..loop.soon import Later, Soon
    from .recipe import Recipe
    from .spawning import Started
    from .streams import Streams

    class Home(Protocol):
        """Where programs are."""

        loop: Dispatcher
        soon: Soon
        grace_s: float

        @property
        def has_strays(self) -> bool:
            """Whether some are left of programs that have ended."""

        def takes_back(self, program: Program) -> None:
            """It is not started any more."""

        def is_over(self, program: Program) -> None:
            """It has ended."""

        def has_room(self) -> None:
            """It can take more."""

    class Reader(Protocol):
        """Who has a program: a client, by an id of his own."""

        def has_output(self) -> None:
            """It has written something."""

        def has_picture(self, program: Program, picture: bytes) -> None:
            """It has sent a picture, which takes the place of one that has not been sent on."""

        def listens(self, program: Program, key: str) -> None:
            """It listens for a key."""

        def has_started(self, program: Program) -> None:
            """It had to wait, and runs now; or cannot be started."""

        def has_ended(self, program: Program) -> None:
            """It has ended; what it has written comes before that."""


RING_BYTES = 1 << 20
"""So much of what was written is kept."""
AHEAD_BYTES = 1 << 18
"""So much may it have written that somebody who reads has not read: then it waits."""
STDIN_BYTES = 1 << 18
"""So much may wait for it to be read, before who sends it waits."""
WAITS, RUNS, ENDS, IS_OVER = "waits", "runs", "ends", "over"
SHORT_BYTES, MORE_S = 1 << 12, 1e-3
"""After less than that which ends in the middle of a line more is waited for: print() writes its end apart."""
READS_AT_ONCE = 16
"""So often is read what a program has left, before others have their turn."""
LOOK_S = 0.02
"""How often it is looked whether those are gone who may still write to what a program has left."""
REOPEN_S = 0.1
"""How often it is looked whether a program that has closed its terminal has opened it again, by /dev/tty."""
LISTENED_MAX = 256
"""For so many keys may one program listen."""


class Program:
    """A program of the keeper's."""

    def __init__(
        self,
        house: Home,
        number: int,
        recipe: Recipe,
        size: tuple[int, int] | None,
        is_kept: bool,
        owner: int = 0,
        token: int = -1,
    ) -> None:
        self._house, self._loop = house, house.loop
        self.number, self.recipe, self.size = number, recipe, size
        self.name, self.lines = recipe.name, recipe.lines
        self.token = token
        """The descriptor of its token, until it has begun; -1 for none."""
        self.state = WAITS
        self.is_kept = is_kept
        """It goes on without a client, and is listed when it has ended."""
        self.owner = owner
        """The number of who has started it."""
        self.readers: list[Reader] = []
        self.ring = Ring(RING_BYTES)
        self.status: int | None = None
        """How it has ended."""
        self.why = ""
        """What it waits for, or why it could not be started."""
        self.made_s, self.ended_s = monotonic(), 0.0
        self.is_seen = False
        """Somebody has looked at it since it has ended."""
        self.keys: list[str] = []
        """What it listens for."""
        self._started: Started | None = None
        self._streams: Streams | None = None
        self._open: dict[int, int] = {}  # what is read -> the kind of what comes there
        self._is_paused = False
        self._stdin: deque[bytes] = deque()
        self._stdin_bytes = 0
        self._is_stdin_over = False
        self._kill_at: Later | None = None
        self._look_at: Later | None = None
        self._tell_at: Later | None = None

    # -- its beginning ---------------------------------------------------------------------------

    @property
    def pid(self) -> int:
        """Its number; 0 before it runs."""
        return self._started.pid if self._started is not None else 0

    def begin(self, started: Started, streams: Streams) -> None:
        """It runs."""
        self._started, self._streams = started, streams
        self.state = RUNS
        self._close_token()
        kinds = {started.stdout: STDOUT, **({started.stderr: STDERR} if started.stderr >= 0 else {})}
        for fd, kind in kinds.items():
            self._open[fd] = kind
            self._loop.add(fd, lambda events, fd=fd: self._on_ready(fd, events), READ)  # type: ignore[misc]
        if started.stdin != started.stdout:
            self._loop.add(started.stdin, self._on_stdin, 0)
        if self._stdin or self._is_stdin_over:
            self._flush_stdin()

    # -- what it writes --------------------------------------------------------------------------

    def _on_ready(self, fd: int, events: int) -> None:
        if events & (READ | HANGUP | ERROR) and not self._is_paused:
            self._read(fd)
        if events & WRITE:
            self._flush_stdin()

    def _read(self, fd: int) -> bool:
        """Read once; whether something has come."""
        kind = self._open[fd]
        try:
            data = os.read(fd, DATA_MAX)
        except BlockingIOError:
            return False
        except OSError as e:
            if e.errno != errno.EIO:  # of a terminal that nobody has open any more. Source: Linux, pty(7)
                log.warning("program %d cannot be read: %s", self.number, e)
            elif self.state == RUNS:  # to close it would be a hang-up for one that goes on without it
                self._loop.remove(fd)
                self._house.soon.after(REOPEN_S, lambda: self._look_whether_open(fd))
                return False
            data = b""
        if not data:
            self._close_output(fd)
            return False
        self.ring.add(kind, data)
        if data.endswith(b"\n") or len(data) > SHORT_BYTES or self.size is not None:
            self._tell()
        elif self._tell_at is None:
            self._tell_at = self._house.soon.after(MORE_S, self._tell)
        return True

    def _look_whether_open(self, fd: int) -> None:
        """It may have opened its terminal again."""
        if fd in self._open and self.state == RUNS:
            self._watch(fd)

    def _tell(self) -> None:
        """Tell those who read it that there is something."""
        if self._tell_at is not None:
            self._tell_at.cancel()
            self._tell_at = None
        for reader in list(self.readers):
            reader.has_output()
        self.look()

    def _close_output(self, fd: int) -> None:
        del self._open[fd]
        started = self._started
        if started is not None and fd == started.stdin:
            return self._close_stdin()
        self._loop.remove(fd)
        os.close(fd)
        self._house.soon.call(self._look_at_end)
        return None

    def look(self) -> None:
        """Read on, or do not, by how far those are who read."""
        is_paused = self.ring.behind > AHEAD_BYTES
        if is_paused != self._is_paused:
            self._is_paused = is_paused
            for fd in self._open:
                self._watch(fd)
            if self.state == ENDS and not is_paused:
                self._house.soon.call(self._look_at_end)

    def _watch(self, fd: int) -> None:
        started = self._started
        assert started is not None
        writes = WRITE if fd == started.stdin and self._stdin else 0
        # A hang-up is told whatever is asked for, again and again: who is paused is not asked at all.
        mask = writes | (READ if fd in self._open and not self._is_paused else 0)
        if self._is_paused and fd in self._open and not writes:
            if self._loop.has(fd):
                self._loop.remove(fd)
        elif self._loop.has(fd):
            self._loop.modify(fd, mask)
        else:
            self._loop.add(fd, lambda events: self._on_ready(fd, events), mask)

    # -- what it reads ---------------------------------------------------------------------------

    @property
    def has_room(self) -> bool:
        """Whether more may be sent to it."""
        return self._stdin_bytes < STDIN_BYTES

    def write(self, data: bytes) -> bool:
        """Send to its standard input. False where nothing is read there any more."""
        if self._is_stdin_over or self.state in (ENDS, IS_OVER):
            return False
        self._stdin.append(data)
        self._stdin_bytes += len(data)
        if self._started is not None:
            self._flush_stdin()
        return True

    def end_stdin(self) -> None:
        """Nothing more comes: the end of a pipe, and on a terminal the character that stands for it."""
        if self.size is not None:
            self.write(b"\x04")
        else:
            self._is_stdin_over = True
            if self._started is not None:
                self._flush_stdin()

    def _on_stdin(self, events: int) -> None:
        if events & (ERROR | HANGUP) and not self._stdin:
            self._close_stdin()  # it has closed its end
        else:
            self._flush_stdin()

    def _flush_stdin(self) -> None:
        started = self._started
        if started is None or started.stdin < 0:
            return
        had_room = self.has_room
        try:
            while self._stdin:
                count = os.write(started.stdin, self._stdin[0])
                self._stdin_bytes -= count
                if count == len(self._stdin[0]):
                    self._stdin.popleft()
                else:
                    self._stdin[0] = self._stdin[0][count:]
        except BlockingIOError:
            pass  # it goes on when there is room
        except OSError:  # nobody reads it
            if self.size is None:
                return self._close_stdin()
            self._stdin.clear()  # of a terminal, which has its last output still
            self._stdin_bytes = 0
        if not self._stdin and self._is_stdin_over:
            self._close_stdin()
        elif self._loop.has(started.stdin) or started.stdin in self._open:
            if started.stdin in self._open:
                self._watch(started.stdin)
            else:
                self._loop.modify(started.stdin, WRITE if self._stdin else 0)
        if not had_room and self.has_room:
            self._house.has_room()
        return None

    def _close_stdin(self) -> None:
        """Also the end of a terminal, which is one descriptor."""
        started = self._started
        self._stdin.clear()
        self._stdin_bytes = 0
        self._is_stdin_over = True
        if started is None or started.stdin < 0:
            return
        if self._loop.has(started.stdin):
            self._loop.remove(started.stdin)
        self._open.pop(started.stdin, None)
        os.close(started.stdin)
        started.stdin = -1
        self._house.has_room()
        self._house.soon.call(self._look_at_end)

    def resize(self, rows: int, columns: int) -> bool:
        """Tell its terminal; False where it has none."""
        if self.size is None:
            return False
        self.size = rows, columns
        if self._started is not None and self._started.stdin >= 0:
            resize(self._started.stdin, rows, columns)
        return True

    # -- pictures and keys -----------------------------------------------------------------------

    def send_picture(self, picture: bytes) -> None:
        """It has sent one."""
        for reader in list(self.readers):
            reader.has_picture(self, picture)

    def listen(self, key: str) -> None:
        """It listens for a key."""
        if key not in self.keys and len(self.keys) < LISTENED_MAX:
            self.keys.append(key)
            for reader in list(self.readers):
                reader.listens(self, key)

    def send_key(self, key: str, event: str) -> None:
        """Tell it of a key."""
        if self._streams is not None:
            self._streams.send_key(key, event)

    # -- its end ---------------------------------------------------------------------------------

    def signal(self, number: int) -> None:
        """Send a signal to its group."""
        if self.state == RUNS:
            try:
                os.killpg(self.pid, number)
            except ProcessLookupError:
                return  # it has ended, which is noticed soon

    def stop(self) -> None:
        """End it and all that it has started, with a grace time. Twice is fine."""
        if self.state == WAITS:
            self._house.takes_back(self)
        elif self.state == RUNS and self._kill_at is None:
            self._kill_at = self._house.soon.after(self._house.grace_s, self.kill)
            self.signal(signal.SIGTERM)
            self.signal(signal.SIGCONT)
            strays.tell([pid for pid in strays.below([self.pid]) if pid != self.pid], signal.SIGTERM)

    def kill(self) -> None:
        """End all of it now. Twice is fine."""
        if self.state == RUNS:
            strays.end([self.pid])

    def has_exited(self, status: int) -> None:
        """It has been waited for."""
        self.status = status
        self.state = ENDS
        if self._kill_at is not None:
            self._kill_at.cancel()
        self._look_at_end()

    def _look_at_end(self) -> None:
        """Tell of the end when all has been read that was written before it."""
        if self.state != ENDS:
            return
        if self._is_paused or any(self._read_rest(fd) for fd in list(self._open)) or self._is_paused:
            return
        if self._open and self._house.has_strays:  # they may write still
            if self._look_at is None:
                self._look_at = self._house.soon.after(LOOK_S, self._look_again)
            return
        self._end()

    def _read_rest(self, fd: int) -> bool:
        """Read what is there; whether there is more: who was left behind may write without end."""
        for _ in range(READS_AT_ONCE):
            if fd not in self._open or self._is_paused or not self._read(fd):
                return False
        self._house.soon.call(self._look_at_end)
        return True

    def _look_again(self) -> None:
        self._look_at = None
        self._look_at_end()

    def could_not_start(self, why: str) -> None:
        """It has waited, and cannot be started."""
        self.why, self.status = why, None
        self._end()

    def _end(self) -> None:
        for fd in list(self._open):
            if self._started is None or fd != self._started.stdin:
                self._close_output(fd)
        self._close_stdin()
        if self._streams is not None:
            self._streams.close()
        self.state = IS_OVER
        self.ended_s = monotonic()
        self.clean_up()
        for reader in list(self.readers):
            reader.has_ended(self)
        self._house.is_over(self)

    def clean_up(self) -> None:
        """Take away what was made for it. Twice is fine."""
        self._close_token()
        self.recipe.clean_up()

    def _close_token(self) -> None:
        token, self.token = self.token, -1
        if token >= 0:
            os.close(token)

    def listed(self) -> dict[str, object]:
        """What is told of it."""
        until_s = self.ended_s or monotonic()
        return {
            "number": self.number,
            "name": self.name,
            "state": self.state,
            "pid": self.pid,
            "seconds": round(until_s - self.made_s, 3),
            "ended_s": round(monotonic() - self.ended_s, 3) if self.ended_s else None,
            "exitCode": self.status,
            "why": self.why,
            "lines": list(self.lines),
            "pty": self.size is not None,
            "detached": self.is_kept,
            "clients": len(self.readers),
            "bytes": self.ring.size + self.ring.lost,
            "keys": list(self.keys),
        }
