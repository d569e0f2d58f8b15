# SPDX-License-Identifier: LGPL-3.0-or-later
"""The keeper of a user's own: for who has logged in as him. It is there as long as something is running."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import subprocess
import sys
from contextlib import contextmanager
from time import monotonic, sleep

from .. import errors
from ..machine import folders
from ..processes import hooks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SOCKET, LOCK, LOG = "programs.sock", "programs.lock", "programs.log"
START_S, PAUSE_S = 15.0, 0.01


def connect(told: Mapping[str, object]) -> socket.socket:
    """Return a connection to it; where there is none it is started, with what a keeper is *told*.

    Not in XDG_RUNTIME_DIR, which goes with the last login: what was detached does not.

    Raises:
        NoBackendError: it does not come. OSError: nothing is left for one more.
    """
    folder = folders.state_folder()
    os.makedirs(folder, 0o700, exist_ok=True)
    path = os.path.join(folder, SOCKET)
    with hooks.making:
        lock = os.open(os.path.join(folder, LOCK), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two who come at once start one
        made = _connected(path)
        if made is None:
            made = _wait(path, _start(path, told))
        return made
    finally:
        os.close(lock)


@contextmanager
def nobody_connecting(path: str) -> Iterator[bool]:
    """Whether nobody is about to connect to the keeper at that path; and nobody does meanwhile."""
    with hooks.making:
        lock = os.open(
            os.path.join(os.path.dirname(path), LOCK), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
    try:
        yield _has(lock)
    finally:
        os.close(lock)


def _has(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _connected(path: str) -> socket.socket | None:
    with hooks.making:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made.connect(path)
    except (FileNotFoundError, ConnectionRefusedError):
        made.close()
        return None
    except BaseException:
        made.close()
        raise
    return made


def _start(path: str, told: Mapping[str, object]) -> subprocess.Popen[bytes]:
    """Start it, in a session of its own: it has nothing of who has logged in. What it says is in a file."""
    folder = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    program = (
        f"import sys; sys.path.append({folder!r}); from RPIO.programs.keeper import main; main(sys.argv[1])"
    )
    words = {**told, "control": None, "listen": path}
    environment = {name: value for name, value in os.environ.items() if name != "RPIO_BACKEND"}
    with hooks.making:
        said = os.open(
            _log_of(path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600
        )
    try:
        return subprocess.Popen(
            [sys.executable, "-c", program, json.dumps(words)],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            cwd="/",
            env=environment,
            start_new_session=True,
        )
    finally:
        os.close(said)


def _log_of(path: str) -> str:
    return os.path.join(os.path.dirname(path), LOG)


def _wait(path: str, started: subprocess.Popen[bytes]) -> socket.socket:
    until_s = monotonic() + START_S
    try:
        while monotonic() < until_s:
            made = _connected(path)
            if made is not None:
                return made
            if started.poll() is not None:
                raise errors.NoBackendError(f"the keeper of programs has ended: {_last_words(path)}")
            sleep(PAUSE_S)
    finally:
        if started.returncode is None:
            started.returncode = 0  # nobody waits for it: it outlives this process
    raise errors.NoBackendError(f"no keeper of programs comes at {path} within {START_S:g} s")


def _last_words(path: str) -> str:
    try:
        with open(_log_of(path), encoding="utf-8", errors="replace") as file:
            return (file.read().strip().splitlines() or ["it has said nothing"])[-1][:500]
    except OSError as e:
        return str(e)
