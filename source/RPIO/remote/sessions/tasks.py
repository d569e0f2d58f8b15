# SPDX-License-Identifier: LGPL-3.0-or-later
"""Timed tasks that a server does for this program: asked for, taken back, and how they have ended."""

from __future__ import annotations

from ... import errors, threads
from ...wire.task_operations import TASK_NUMBERS_MAX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ...wire.native import TaskEnded
    from .connection import Connection

KEPT_MAX = 1 << 16
"""Ends that nobody has asked about; the oldest are forgotten."""
NAP_S = 0.05
"""How long somebody who waits sleeps at once: another thread may hear what he waits for."""


class TaskEnds:
    """How tasks have ended, as the server says of its own accord, by their numbers. *connection* returns the one that
    there is now.
    """

    def __init__(self, connection: Callable[[], Connection]) -> None:
        self._connection = connection
        self._ends: dict[int, TaskEnded] = {}

    def hear(self, end: TaskEnded) -> None:
        """The server has said it."""
        self._ends[end.number] = end
        if len(self._ends) > KEPT_MAX:
            self._ends.pop(next(iter(self._ends)))

    @property
    def session(self) -> str:
        """The name of the session that is told how tasks end."""
        return self._connection().session

    def wait(
        self, number: int, timeout_s: float | None = None, session: str | None = None
    ) -> TaskEnded | None:
        """Wait until a task has ended that was asked for with *tell*, in that *session*, else in the one that there is
        now; None after the timeout. One alone is told of each.

        Raises:
            ConnectionLost: the session has ended that it was told to.
        """
        threads.load("RPIO.loop.kernel")
        from ...loop.kernel import readable

        session = self.session if session is None else session
        for nap_s in threads.naps(timeout_s):
            connection = self._connection()
            connection.pump()
            end = self._ends.pop(number, None)
            if end is not None:
                return end
            fd = connection.fd
            if connection.gone or connection.session != session or fd is None:
                raise errors.ConnectionLost(
                    f"the connection to {connection.place} was lost: nobody tells how task {number} ends",
                    None,
                    "`rpio tasks` shows whether it is there still",
                )
            readable([fd], NAP_S if nap_s is None else min(nap_s, NAP_S))
        return self._ends.pop(number, None)


class RemoteTask:
    """One task. ``number`` is by what everybody there calls it."""

    def __init__(self, tasks: RemoteTasks, number: int) -> None:
        self._tasks, self.number = tasks, number
        self._session = tasks.ends.session  # which may be another one by the time that somebody waits
        self._end: TaskEnded | None = None

    def __repr__(self) -> str:
        return f"<task {self.number}{f': {self._end.how}' if self._end is not None else ''}>"

    def wait(self, timeout_s: float | None = None) -> str | None:
        """Wait for its end: "done", "cancelled" or "failed"; None where it has none yet after the timeout.

        Raises:
            ConnectionLost: nobody tells any more.
        """
        for nap_s in threads.naps(timeout_s):
            if self._end is not None:
                break  # another thread has been told
            short_s = NAP_S if nap_s is None else min(nap_s, NAP_S)
            self._end = self._tasks.ends.wait(self.number, short_s, self._session) or self._end
        return None if self._end is None else self._end.how

    @property
    def why(self) -> str:
        """Why it has failed or was cancelled; "" before and otherwise."""
        return self._end.text if self._end is not None else ""

    def cancel(self) -> bool:
        """Take it back; False where it has ended already."""
        return bool(self._tasks.cancel(self.number))


class RemoteTasks:
    """The tasks of a server. *ask* asks it for an operation, *line_of* knows the channels of this program."""

    def __init__(
        self, ask: Callable[..., tuple[Any, ...]], ends: TaskEnds, line_of: Callable[[int], int]
    ) -> None:
        self._ask, self.ends, self._line_of = ask, ends, line_of

    def add(
        self,
        channel: int,
        name: str,
        time_ms: float = 0.0,
        arg1: float | None = None,
        arg2: float | None = None,
        mode: str = "wait",
    ) -> RemoteTask:
        """Add a task to the queue of a line: it is done there, whatever becomes of this program.

        *name* is "on", "off", "toggle", "blink" (*arg1* and *arg2* are seconds on and off, 1.0 each), "pulse" (seconds
        up and down), "value" (*arg1* is a share of full power, 0.0 to 1.0, by PWM) or "close". With *time_ms* it takes
        so long, and the line is off behind it unless the next task begins at once; without, it goes on until the next.
        *mode* is that of a new queue: in "nowait" a task ends the one that runs.

        Raises:
            ValueError: it is none. LineBusyError: somebody has the line, or this program itself: release it first.
            OSError (ENOBUFS): 1024 tasks wait there. NotAllowedError: the scope gpio is missing.
        """
        (number,) = self._ask("task", self._line_of(channel), name, time_ms, arg1, arg2, mode, True)
        return RemoteTask(self, number)

    def listed(self) -> list[tuple[int, int, str, str, int, int, str]]:
        """Return what has not ended, anybody's: number, line (BCM), name, "waits", "runs" or "goes-on", its time and
        what is left of that in milliseconds, and whose it is.
        """
        (rows,) = self._ask("tasks")
        return [tuple(row) for row in rows]

    def cancel(self, *numbers: int) -> list[int]:
        """Take tasks back, anybody's; return those that there were."""
        gone: list[int] = []
        left = sorted(set(numbers))
        while left:  # the last ones first: none begins that is about to be taken back
            some, left = left[-TASK_NUMBERS_MAX:], left[:-TASK_NUMBERS_MAX]
            gone += self._ask("cancel", some)[0]
        return sorted(gone)
