# SPDX-License-Identifier: LGPL-3.0-or-later
"""A process that has modules for this one, as a daemon and ssh start it, without either."""

import contextlib
import os
import socket
import subprocess
import sys

from RPIO.programs import process, starter
from RPIO.remote.modules.modules import Modules
from RPIO.remote.places.places import Place
from RPIO.server.programs.processes import MODULES
from RPIO.server.settings.policy import Policy
from waiting import wait_until

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


@contextlib.contextmanager
def starter_of_another(path, monkeypatch):
    """A starter at that path; for this process it is that of another user, whom it cannot become. Him."""
    text = f"import sys; from RPIO.cli import main; sys.exit(main(['serve', '--starter', {path!r}]))"
    with subprocess.Popen([sys.executable, "-c", text], stderr=subprocess.PIPE, text=True) as served:
        try:
            assert "starting programs" in served.stderr.readline()
            assert wait_until(lambda: os.path.exists(path))
            monkeypatch.setattr(starter, "path_of", lambda name: path)
            monkeypatch.setattr(os, "geteuid", lambda: 4711)
            yield process.User("somebody", os.getuid(), os.getgid(), [], "/")
        finally:
            served.terminate()


def alive(pid):
    """Whether a process runs; one that has ended and is not waited for does not."""
    found = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return bool(found.stdout.strip()) and not found.stdout.startswith("Z")
