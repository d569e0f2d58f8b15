# SPDX-License-Identifier: LGPL-3.0-or-later
"""Where ``rpio run --on`` finds lines in these tests: a daemon's socket, and a machine that is logged in to by ssh.

At both there is a simulated board, and a door behind it: what stands for a program that changes lines without asking
the server, as one that writes to /sys on the device does.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys

import pytest

import remote_parts
import ssh_parts
from waiting import LIMIT_S

HOSTS = ["socket", "ssh"]
BEHIND = """
import os, socket, threading
from RPIO.backends import opening
from RPIO.backends.sim import SimBackend

def opened(hardware, argument):
    board = SimBackend(hardware)
    def listen():
        with socket.socket(socket.AF_UNIX) as door:
            if os.path.exists({path!r}):
                os.unlink({path!r})
            door.bind({path!r})
            door.listen()
            while True:
                with door.accept()[0] as who:
                    board.set_output(int(who.recv(100)), None)
    threading.Thread(target=listen, daemon=True).start()
    return board

opening.REGISTRY["sim"] = opened
"""


def make_output_behind(line: int) -> None:
    """Have a line be an output, by somebody who asks nobody; it is when this returns."""
    with socket.socket(socket.AF_UNIX) as door:
        door.settimeout(LIMIT_S)
        door.connect(os.environ["RPIO_BEHIND"])
        door.sendall(b"%d" % line)
        assert door.recv(1) == b""


class Host:
    """A machine with a simulated board, *name* for --on. *environment* is what who looks for it has."""

    def __init__(self, name: str, environment: dict[str, str]) -> None:
        self.name, self.environment = name, environment

    def run(self, *words: object, timeout_s: float = LIMIT_S, before=(), **more):
        """``rpio run --on HOST WORDS``, all output in one."""
        return subprocess.run(
            [*before, sys.executable, "-m", "RPIO", "run", "--on", self.name, *map(str, words)],
            timeout=timeout_s,
            check=False,
            **{"env": {**os.environ, **self.environment}, "text": True, **more},
        )


@contextlib.contextmanager
def host(kind: str, folder, model: str = "4B"):
    """A Host of that kind; skips, saying what to do, where there can be none."""
    behind = str(folder / "behind")
    prelude = BEHIND.format(path=behind)
    own = {"RPIO_BEHIND": behind, "RPIO_BACKEND": "", "PYTHONUNBUFFERED": "1"}
    if kind == "socket":
        with remote_parts.daemon(folder, "--no-tcp", backend=f"sim:{model}", prelude=prelude) as served:
            yield Host("localhost", {**own, "XDG_RUNTIME_DIR": served.env["XDG_RUNTIME_DIR"]})
        return
    if reason := ssh_parts.why_not():
        pytest.skip(reason)
    far = ssh_parts.Far(backend=f"sim:{model}")
    try:
        (far.folder / "rpio.py").write_text(prelude + ssh_parts.RPIO_THERE)
        yield Host("far", {**own, **far.environment})
    finally:
        far.close()
