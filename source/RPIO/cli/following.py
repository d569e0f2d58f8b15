# SPDX-License-Identifier: LGPL-3.0-or-later
"""A program of another machine as if it ran here: its streams, signals, terminal, and how it ends. One loop, no thread.

Bytes go through as they are. Who does not read is waited for, here as there: while standard output takes nothing the
connection is not read, and the keeper pauses the program.
"""

from __future__ import annotations

import errno
import os
import signal
from time import monotonic

from .. import errors
from ..loop.masks import READ, WRITE
from ..processes import hooks
from ..remote.programs import data_frames
from ..wire.runs import DATA_MAX, STDERR, STDIN, STDOUT, Data, Message
from . import raw

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from collections.abc import Callable, Mapping
    from types import FrameType
    from typing import Any

    from ..remote.programs import Line

ID = "p"
"""The program's id on its connection, where it is the only one."""
LOST = 255
"""The exit status where the connection is lost, as that of ssh(1)."""
AGAIN_S = 3.0
"""Ctrl+C once more within so many seconds ends the program."""
END_S = 15.0
"""How long is waited for the end of a program that was told to end; the connection is closed then, which ends it."""
STDIN_WINDOW = 1 << 17
"""Bytes of standard input that are under way, before the keeper has said that they are with him."""
FORWARDED = ("INT", "QUIT", "TERM", "HUP", "WINCH", "CONT", "USR1", "USR2")
"""Signals that are noticed while a program is followed. QUIT, Ctrl+\\, detaches where Ctrl+P Ctrl+Q cannot be typed."""


class Left(Exception):
    """This side has left the program; it goes on."""


class Noticing:
    """Signals, as bytes on a socket that can be waited for, between begin() and end(). They do nothing else."""

    def __init__(self) -> None:
        self._reader: _socket.socket | None = None
        self._writer: _socket.socket | None = None
        self._before: dict[int, Any] = {}
        self._wakeup_before = -1

    def begin(self) -> None:
        """Notice them; what this process ignores, as under nohup, stays ignored."""
        from _socket import socketpair

        with hooks.making:
            self._reader, self._writer = socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._wakeup_before = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for name in FORWARDED:
            number = getattr(signal, f"SIG{name}", None)
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, _nothing)

    def fileno(self) -> int:
        """What is readable when one has come."""
        assert self._reader is not None
        return self._reader.fileno()

    def take(self) -> list[int]:
        """The numbers of those that have come."""
        assert self._reader is not None
        try:
            return list(self._reader.recv(4096))
        except BlockingIOError:
            return []

    def end(self) -> None:
        """Be as before. Twice is fine."""
        if self._writer is None or self._reader is None:
            return
        while self._before:
            number, handler = self._before.popitem()
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        signal.set_wakeup_fd(self._wakeup_before)
        self._reader.close()
        self._writer.close()
        self._reader = self._writer = None


def _nothing(number: int, frame: FrameType | None) -> None:
    """A handler: the byte that Python writes is what counts."""


class Following:
    """A program that was asked for by ``start`` or ``attach``. *says* tells the person at the terminal something.

    *has_pty*: it has a terminal, whose window is this one where this is one. *has_stdin*: what is typed here is its
    standard input. *is_detached*: it goes on when this side has gone. *is_watched*: nothing goes there, and no signal.
    """

    def __init__(
        self,
        line: Line,
        says: Callable[[str], object],
        has_pty: bool = False,
        has_stdin: bool = True,
        is_detached: bool = False,
        is_watched: bool = False,
    ) -> None:
        self._line, self._says = line, says
        self._has_pty = has_pty and has_stdin and raw.are_terminals()
        self._reads_stdin, self._is_watched = has_stdin, is_watched
        self.is_detached = is_detached
        self._output = raw.Output()
        self._raw, self._keys, self._noticing = raw.Raw(), raw.DetachKeys(), Noticing()
        self._held_until_s = self._until_s = 0.0
        self.is_running = False
        self.number = 0
        """That of the program there, once it is told."""
        self.status: int | None = None
        """The exit status, once it has ended."""
        self._interrupted_s = -AGAIN_S
        self._ends_as: int | None = None  # the status of this process, which was told to end

    # -- the loop --------------------------------------------------------------------------------

    def run(self) -> int:
        """Follow it to its end; return the exit status for this process.

        Raises:
            CommandError: it has not been started; the text says why.
            Left: this side was to leave it, and it goes on.
            GPIOError: the connection is lost.
        """
        raw.flush_own()
        try:
            self._output.begin()
            self._noticing.begin()
            while not self._is_over:
                self._step()
            assert self.status is not None
            return self.status if self._ends_as is None else self._ends_as
        except Left:
            if self._ends_as is None:
                raise
            return self._ends_as
        finally:
            self._raw.end()
            self._noticing.end()
            self._output.close()

    @property
    def _is_over(self) -> bool:
        """Whether it has ended, and all is written that it has."""
        return self.status is not None and self._output.is_empty

    def _step(self) -> None:
        line, output = self._line, self._output
        while line.heard and not output.is_full:
            self._hear(line.heard.popleft())
        if line.lost is not None and not line.heard and self.status is None and output.is_empty:
            raise line.lost
        if self._is_over:
            return
        self._look_at_time()
        line.is_paused = output.is_full
        ready = line.turn(self._patience_s(), self._wanted())
        if ready.get(self._noticing.fileno()):
            for number in self._noticing.take():
                self._on_signal(number)
        if ready.get(output.waits_for):
            output.write()
            self._look_after_output()
        if ready.get(raw.STDIN) and self._wants_stdin():
            self._read_stdin()

    def _wanted(self) -> dict[int, int]:
        wanted = {self._noticing.fileno(): READ}
        if not self._output.is_empty:
            wanted[self._output.waits_for] = WRITE
        if self._wants_stdin():
            wanted[raw.STDIN] = READ
        return wanted

    def _wants_stdin(self) -> bool:
        is_open = self._reads_stdin and self.is_running and self.status is None
        return is_open and self._line.has_room and self._line.under_way < STDIN_WINDOW

    def _patience_s(self) -> float | None:
        until_s = min(filter(None, (self._until_s, self._held_until_s)), default=0.0)
        return max(0.0, until_s - monotonic()) if until_s else None

    def _look_at_time(self) -> None:
        if self._until_s and monotonic() >= self._until_s:
            raise Left  # closed, the connection takes the program with it
        if self._held_until_s and monotonic() >= self._held_until_s:
            self._held_until_s = 0.0
            self._send_stdin(self._keys.release())

    # -- what comes ------------------------------------------------------------------------------

    def _hear(self, what: Message | Data) -> None:
        if isinstance(what, Data):
            if what.kind in OUTPUTS:
                self._output.take(OUTPUTS[what.kind], what.value)
            return
        heard = HEARD.get(what.type)
        if heard is not None:
            heard(self, what.data)

    def _on_started(self, data: Mapping[str, Any]) -> None:
        self.number, self.is_running = data["number"], True
        if self._has_pty:
            self._take_terminal()
        if not self._reads_stdin and not self.is_detached:  # else it is for others to end that
            self._line.send(Message("eof", ID))

    def _on_attached(self, data: Mapping[str, Any]) -> None:
        self.number, self.is_running = data["number"], True
        if data["lost"]:
            self._says(f"{data['lost']} bytes that it wrote before this are not kept any more")
        self._has_pty = self._has_pty and data["pty"]
        if self._has_pty:
            self._take_terminal()

    def _on_waiting(self, data: Mapping[str, Any]) -> None:
        self.number = data["number"]
        self._says(f"waits: {data['why']}")

    def _on_stopped(self, data: Mapping[str, Any]) -> None:
        code = data["exitCode"]
        self.status = 128 - code if code < 0 else code & 0xFF
        if self._is_watched:
            self.status = 0

    def _on_detached(self, data: Mapping[str, Any]) -> None:
        if self._is_watched:  # that was all of it
            self.status = 0
            return
        self.is_detached = True
        raise Left

    def _on_error(self, data: Mapping[str, Any]) -> None:
        if not self.is_running or data["about"] in ("start", "attach"):
            raise errors.CommandError(data["message"])
        if data["about"] not in ASKED_BY_THE_WAY:
            self._says(f"{data['message']}{chr(13) if self._raw.is_on else ''}")

    # -- what goes -------------------------------------------------------------------------------

    def _read_stdin(self) -> None:
        try:
            data = os.read(raw.STDIN, DATA_MAX)
        except BlockingIOError:
            return
        except OSError:
            data = b""  # closed, a directory, or a terminal that has gone
        if not data:
            self._reads_stdin = False
            if self._raw.is_on:  # which has no end but that its window is closed
                self._end(128 + signal.SIGHUP)
            elif not self.is_detached or raw.is_terminal(raw.STDIN):  # else it is this side's alone
                self._line.send(Message("eof", ID))
            return
        if not self._raw.is_on:
            self._send_stdin(data)
            return
        data, is_detach = self._keys.feed(data)
        self._held_until_s = monotonic() + raw.HELD_S if self._keys.is_held else 0.0
        self._send_stdin(data)
        if is_detach:
            self._detach()

    def _send_stdin(self, data: bytes) -> None:
        for frame in data_frames(STDIN, ID, data):
            self._line.send(frame)
            self._line.send_mark(len(data))

    def _detach(self) -> None:
        """Leave it: one that goes on anyway with the connection, another one when it is told so."""
        if self.is_detached:
            raise Left
        self._reads_stdin = False
        self._line.send(Message("detach", ID), is_first=True)

    def _take_terminal(self) -> None:
        """Have it raw, and tell its size, which may have changed meanwhile."""
        try:
            self._raw.begin()
        except OSError:  # its window is closed, which SIGCONT tells as well, and may tell before SIGHUP
            self._end(128 + signal.SIGHUP)
        else:
            self._resize()

    def _resize(self) -> None:
        rows, columns = raw.size()
        self._line.send(Message("resize", ID, {"rows": rows, "cols": columns}), is_first=True)

    def _look_after_output(self) -> None:
        """Where the reader of its output has gone the program ends, as it would here."""
        error = self._output.errors.get(raw.STDOUT)
        if error is None:
            return
        gone = {errno.EPIPE: 128 + signal.SIGPIPE, errno.EIO: 128 + signal.SIGHUP}
        self._end(gone.get(error.errno or 0, 1))  # EIO: of a terminal that has gone. Source: Linux, tty_io.c

    # -- signals ---------------------------------------------------------------------------------

    def _on_signal(self, number: int) -> None:
        name = signal.Signals(number).name.removeprefix("SIG")
        if name in ("WINCH", "CONT"):
            self._on_window(name)
        elif name in ("TERM", "HUP"):
            self._end(128 + number)
        elif self._is_watched or not self.is_running:
            self._ends_as = 0 if self._is_watched else 128 + number
            raise Left
        elif name == "INT":
            self._interrupt()
        elif name == "QUIT":
            self._detach()
        else:
            self._signal(name)

    def _on_window(self, name: str) -> None:
        if self._raw.is_on and self._ends_as is None:
            if name == "CONT":
                self._take_terminal()
            else:
                self._resize()

    def _interrupt(self) -> None:
        """Ctrl+C: the program gets it; once more, it is ended; and once more, nobody waits for that."""
        if self._ends_as is not None:
            raise Left
        if monotonic() - self._interrupted_s < AGAIN_S:
            self._end(128 + signal.SIGINT)
            return
        self._interrupted_s = monotonic()
        self._signal("INT")

    def _signal(self, name: str) -> None:
        self._line.send(Message("signal", ID, {"signal": name}), is_first=True)

    def _end(self, status: int) -> None:
        """End this process with that status, and the program, unless it is to go on without this side."""
        if self._ends_as is not None:
            return
        self._ends_as, self._until_s = status, monotonic() + END_S
        if self._is_watched or self.is_detached or not self.is_running:
            raise Left
        self._line.send(Message("stop", ID), is_first=True)


OUTPUTS = {STDOUT: raw.STDOUT, STDERR: raw.STDERR}
ASKED_BY_THE_WAY = ("signal", "stop", "resize", "eof", "stdin", "detach")
"""What may come too late for a program that is about to end, which is told next."""
HEARD: dict[str, Callable[[Following, Mapping[str, Any]], object]] = {
    "started": Following._on_started,
    "attached": Following._on_attached,
    "waiting": Following._on_waiting,
    "stopped": Following._on_stopped,
    "detached": Following._on_detached,
    "error": Following._on_error,
}
