# SPDX-License-Identifier: LGPL-3.0-or-later
"""Run two commands at once and show the output of one after that of the other.

    side_by_side.py LOG COMMAND OTHER_COMMAND

Both are shell commands. What the first says is shown as it comes, what the other says goes to the file LOG; when the
first has ended it is shown from there, as it comes from then on. With one processor they run one after the other.

Exits with the status of the first that failed. A signal that ends this program ends both commands with all that
they have started.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LOOK_S = 0.2
"""So often is there a look at what has come to the log."""
PATIENCE_S = 10
"""So long may a command take to end when it is told to."""


class Stopped(Exception):
    """A signal has come. Raised where this program waits, and nowhere else, so that nothing is left half done."""

    def __init__(self, number: int) -> None:
        self.number = number


class Bell:
    """A descriptor that is readable when a signal has come."""

    def __init__(self) -> None:
        self.reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer)
        for number in SIGNALS:
            signal.signal(number, lambda number, frame: None)


@contextmanager
def running(command: str, output: BinaryIO | None) -> Iterator[subprocess.Popen[bytes]]:
    """A command in a process group of its own, which has ended afterwards."""
    process = subprocess.Popen(
        ["sh", "-c", command],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT if output else None,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """As Ctrl+C does, which lets it tidy up; and if that does not help, for good."""
    for number in (signal.SIGINT, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(PATIENCE_S)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue
        return


def has_ended(process: subprocess.Popen[bytes], bell: Bell, within_s: float | None = None) -> bool:
    """Wait for that; without a time, for as long as it takes.

    Raises:
        Stopped: a signal came first.
    """
    with open(os.pidfd_open(process.pid), "rb", buffering=0) as ended:
        ready = select.select([ended, bell.reader], [], [], within_s)[0]
    if bell.reader in ready:
        raise Stopped(os.read(bell.reader, 1)[0])
    return bool(ready)


def show(log: BinaryIO) -> None:
    """Show what has come to the log since the last time."""
    while data := log.read(65536):
        sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def both(bell: Bell, log: Path, command: str, other_command: str) -> int:
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        log.open("wb") as written,
        log.open("rb", buffering=0) as shown,
        running(other_command, written) as other,
        running(command, None) as first,
    ):
        has_ended(first, bell)
        while not has_ended(other, bell, LOOK_S):
            show(shown)
        show(shown)
        return first.wait() or other.wait()


def one_after_the_other(bell: Bell, command: str, other_command: str) -> int:
    statuses = []
    for each in (command, other_command):
        with running(each, None) as process:
            has_ended(process, bell)
            statuses.append(process.wait())
    return statuses[0] or statuses[1]


def main(log: str, command: str, other_command: str) -> int:
    bell = Bell()
    try:
        if len(os.sched_getaffinity(0)) > 1:
            status = both(bell, Path(log), command, other_command)
        else:
            status = one_after_the_other(bell, command, other_command)
    except Stopped as stopped:
        signal.signal(stopped.number, signal.SIG_DFL)
        os.kill(os.getpid(), stopped.number)  # so that the caller sees what ended this program
        raise
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: side_by_side.py LOG COMMAND OTHER_COMMAND")
    sys.exit(main(*sys.argv[1:]))
