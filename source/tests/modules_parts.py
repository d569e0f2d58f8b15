# SPDX-License-Identifier: LGPL-3.0-or-later
"""A process that has modules for this one, as a daemon and ssh start it, without either."""

import contextlib
import os
import socket
import subprocess

from RPIO.programs import process
from RPIO.remote.modules import Modules
from RPIO.remote.places import Place
from RPIO.server.programs import MODULES, Policy

FREE = Policy(True, modules=("*",), has_code=True)


class There(Modules):
    """Modules of a process that is a child of this one."""

    def __init__(self, policy=FREE, idle_s=None, folder=None):
        super().__init__(Place("localhost:1"), "a test", "test.py")
        self.policy, self.idle_s, self.folder = policy, idle_s, folder
        self.process = None

    def _connected(self):
        ours, theirs = socket.socketpair()
        told = self.policy.told((theirs.fileno(), theirs.fileno()), self.idle_s)
        more = {"RPIO_BACKEND": "sim:4B"}
        if self.folder is not None:
            more["PYTHONPATH"] = str(self.folder)
        self.end_process()
        self.process = process.start(
            MODULES, told, process.this_user(), [theirs.fileno()], {**os.environ, **more}
        )
        theirs.close()
        return ours, None

    def end_process(self):
        if self.process is not None:
            self.process.close()
            self.process = None

    def close(self):
        super().close()
        self.end_process()


@contextlib.contextmanager
def there(policy=FREE, **words):
    """Modules there, for a while."""
    made = There(policy, **words)
    try:
        yield made
    finally:
        made.close()


def alive(pid):
    """Whether a process runs; one that has ended and is not waited for does not."""
    found = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return bool(found.stdout.strip()) and not found.stdout.startswith("Z")
