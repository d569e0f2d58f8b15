# SPDX-License-Identifier: LGPL-3.0-or-later
"""A keeper of programs in a process of its own, and a client of it that hears what it says."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from RPIO.programs import strays
from RPIO.wire import runs
from RPIO.wire.runs import Data, Message
from waiting import LIMIT_S, wait_until

NO_LIMITS = {"memory_mb": 0, "processes": 0, "files": 0}
PROGRAM = "import sys; from RPIO.programs.keeper import main; main(sys.argv[1])"
AS_USER = (
    "import os, pwd, resource, sys; from RPIO.programs.keeper import main; "
    "os.setgroups([]); os.setgid({0}); os.setuid({0}); main(sys.argv[1])"
)
"""By somebody who may perhaps not read Python's own files: they are loaded before."""


FOREVER = "import time\nprint('on', flush=True)\nwhile True: time.sleep(100)"
"""A program that ends when it is told to."""


def code(text, **more):
    """The data of a start of Python."""
    return {"runner": "python3", "code": text, **more}


class Client:
    """A connection that speaks wire/runs."""

    def __init__(self, made):
        self.socket = made
        self.socket.settimeout(LIMIT_S)
        self._reader = runs.Reader(runs.TOLD)
        self._come = []

    def say(self, type, process="", /, **data):
        self.socket.sendall(Message(type, process, data).written())

    def send(self, kind, process, value):
        self.socket.sendall(Data(kind, process, value).written())

    def type(self, process, text):
        self.send(runs.STDIN, process, text.encode())

    def hear(self):
        """The next that is said; None when the connection is closed."""
        while not self._come:
            try:
                data = self.socket.recv(1 << 16)
            except ConnectionResetError:
                data = b""
            if not data:
                return None
            self._come += self._reader.feed(data)
        return self._come.pop(0)

    def line(self):
        """The next line that a program writes."""
        found = self.hear().value
        while not found.endswith(b"\n"):
            found += self.hear().value
        return found

    def ask(self, type, process="", /, **data):
        """The first message that answers; what a program writes before that is dropped."""
        self.say(type, process, **data)
        while True:
            found = self.hear()
            if not isinstance(found, Data):
                return found

    def until(self, type, process=""):
        """All that is said until that, the last one being it."""
        found = []
        while True:
            found.append(self.hear())
            assert found[-1] is not None, f"the connection was closed after {found}"
            if isinstance(found[-1], Message) and (found[-1].type, found[-1].process) == (type, process):
                return found

    def run(self, process="p", /, **data):
        """Start a program, and return (exit code, output, error output) of it."""
        started = self.ask("start", process, **data)
        assert started.type == "started", started
        return self.rest(process)

    def rest(self, process="p"):
        """The same of one that runs."""
        found = self.until("stopped", process)
        return (found[-1].data["exitCode"], *(text_of(found, kind) for kind in (runs.STDOUT, runs.STDERR)))

    def close(self):
        self.socket.close()


def text_of(found, kind):
    return b"".join(each.value for each in found if isinstance(each, Data) and each.kind == kind)


class Keeper:
    """The process, with lines of Python in *prelude* first; *more* is what it is told otherwise."""

    def __init__(self, folder, as_user=None, prelude="", **more):
        self.folder = Path(folder)
        self.work = self.folder / "work"
        self.path = str(self.folder / "k.sock")
        told = {
            "control": None,
            "listen": self.path,
            "work": str(self.work),
            "temp": "",
            "venv": "",
            "limits": NO_LIMITS,
            "grace_s": 1.0,
            "cpu_percent": 0,
            "url_hosts": [],
            **more,
        }
        environment = {**os.environ, "XDG_RUNTIME_DIR": str(self.folder), "RPIO_BACKEND": "sim"}
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                f"{prelude}\n{PROGRAM if as_user is None else AS_USER.format(as_user)}",
                json.dumps(told),
            ],
            env=environment,
            start_new_session=True,
        )
        assert wait_until(lambda: os.path.exists(self.path) or self.process.poll() is not None)
        assert self.process.poll() is None

    def client(self):
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        made.connect(self.path)
        return Client(made)

    def descendants(self):
        """All processes that it has started, and they, and so on."""
        return [pid for pid in strays.below([self.process.pid]) if pid != self.process.pid]

    def end(self):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGTERM)
        return self.process.wait(LIMIT_S)


@contextlib.contextmanager
def keeping(folder, **more):
    keeper = Keeper(folder, **more)
    try:
        yield keeper
    finally:
        if keeper.process.poll() is None:
            assert keeper.end() == 0
