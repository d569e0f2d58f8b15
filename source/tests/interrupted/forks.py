# SPDX-License-Identifier: LGPL-3.0-or-later
"""A fork in one thread while another is in the middle of a call: the child has what that one was doing, and not him."""

from __future__ import annotations

import io
import os
import signal
import sys
import traceback

import RPIO
from interrupted.calls import given_away_goes
from interrupted.moments import tripwire
from interrupted.world import World
from waiting import LIMIT_S

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _gpio import Pipe


def open_files() -> dict[int, str]:
    """What the process has open, by number."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            continue  # that of the listing
    return {fd: link for fd, link in found.items() if not link.startswith("/proc")}


class Forks:
    """Forks of a program on that world. *outside* is what was open before RPIO opened anything."""

    def __init__(self, world: World, outside: dict[int, str]) -> None:
        self._world = world
        self._reader, self._writer = os.pipe()
        self._outside = {*outside, self._reader, self._writer}
        self.count = 0

    def fork(self) -> None:
        """Fork; the child works, and has nothing of the parent's."""
        self.count += 1
        streams, said = (sys.stdout, sys.stderr), io.StringIO()
        sys.stdout = sys.stderr = (
            said  # also for what Python's handlers of forks say, which end before fork() does
        )
        pid = os.fork()
        if pid == 0:
            self._child(said)
        sys.stdout, sys.stderr = streams
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if status != 0:
            said = os.read(self._reader, 100_000).decode() if status == 1 else ""
            raise AssertionError(f"the child ended with {status}: {said}")

    def _child(self, said: io.StringIO) -> None:
        try:
            signal.alarm(int(LIMIT_S))  # kills it where it waits for a thread that it has not
            tripwire.tell(None)
            shared = {
                fd: link for fd, link in open_files().items() if fd not in self._outside | self._of_program()
            }
            assert not shared, f"still open in the child: {shared}"
            RPIO.cleanup()
            self._world.begin_anew()
            RPIO.PWM.cleanup()
            RPIO.cleanup()
            assert not said.getvalue(), f"said in the child: {said.getvalue()}"
            os._exit(0)
        except BaseException:
            os.write(self._writer, traceback.format_exc().encode())
        os._exit(1)

    def _of_program(self) -> set[int]:
        """What the program itself has opened, of the things in the table of calls."""
        found: set[int] = set()
        if "client" in self._world.things:
            found.add(self._world.things["client"].fileno())  # type: ignore[attr-defined]
        if "stopper" in self._world.things:
            pipe: Pipe = self._world.things["stopper"]  # type: ignore[assignment]
            found |= {pipe.reader, pipe.writer}
        if given_away_goes in self._world.row.after:
            found.add(self._world.things["number"][0])  # type: ignore[index] # as good as given
        return found

    def close(self) -> None:
        """Close the pipe on which children say what they miss."""
        os.close(self._reader)
        os.close(self._writer)
