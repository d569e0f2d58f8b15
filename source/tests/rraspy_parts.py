# SPDX-License-Identifier: LGPL-3.0-or-later
"""What the tests of RRaspPY's protocol share: devices and hosts as processes, ours and of the original's kind."""

import contextlib
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ports import free_port
from RPIO.wire.rraspy import ANSWERS, Reader
from waiting import LIMIT_S

HERE = Path(__file__).parent
MODULES, ORIGINAL = HERE / "rraspy_modules", HERE / "rraspy_original"


def python2():
    """The path of a Python 2.7, or None: RPIO_PYTHON2, python2.7 on the PATH, or one of pyenv's."""
    named = os.environ.get("RPIO_PYTHON2")
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = [named] if named else ["python2.7", *map(str, sorted(versions.glob("2.7*/bin/python2.7")))]
    for path in found:
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            told = subprocess.run([path, "--version"], capture_output=True, timeout=60, check=False)
            if told.returncode == 0 and b"2.7" in told.stdout + told.stderr:
                return path
    return None


PYTHON2 = python2()
WITHOUT = "no Python 2.7 here: RPIO_PYTHON2=PATH names one (pyenv install 2.7.18 builds it)"
PYTHONS = [
    pytest.param(sys.executable, id="python3"),
    pytest.param(PYTHON2, id="python2.7", marks=pytest.mark.skipif(PYTHON2 is None, reason=WITHOUT)),
]
"""With which those of the original's kind are run."""


def environment(**more):
    """That of a process of the tests, whose board is simulated."""
    return {**os.environ, "RPIO_BACKEND": "sim:4B", "PYTHONUNBUFFERED": "1", **more}


@contextlib.contextmanager
def process(*words, **options):
    """A process that is killed in the end; its output can be read."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, **options}
    with subprocess.Popen([str(word) for word in words], **pipes) as made:
        try:
            yield made
        finally:
            made.kill()
            made.stdin.close()


@contextlib.contextmanager
def our_device(*words, host="127.0.0.1", host_port=7070, **options):
    """Our device on a simulated board; yields its port, and its process as ``.process`` of that."""
    options.setdefault("env", environment())
    command = (sys.executable, MODULES / "device_process.py", host, "127.0.0.1", host_port, 0, *words)
    with process(*command, **options) as made:
        line = made.stdout.readline()
        assert line.startswith("Server started on 127.0.0.1:"), line
        yield int(line.rpartition(":")[2]), made


@contextlib.contextmanager
def original_device(python, host_port):
    """A device of the original's kind; yields its port."""
    with process(python, ORIGINAL / "device.py", host_port) as made:
        yield int(made.stdout.readline())


@contextlib.contextmanager
def some_device(kind):
    """A device: "ours", or that of the original's kind under this Python. Yields its place, as behind "rraspy:"."""
    port = free_port()
    if kind == "ours":
        with our_device(host_port=port) as (device, _):
            yield f"//127.0.0.1:{device}/127.0.0.1:{port}"
    else:
        with original_device(kind, port) as device:
            yield f"//127.0.0.1:{device}/127.0.0.1:{port}"


DEVICES = [*PYTHONS, pytest.param("ours", id="ours")]
"""For some_device()."""


class OriginalHost:
    """A host of the original's kind, in a process of its own."""

    def __init__(self, made):
        self._process = made
        self.port = int(made.stdout.readline())
        """Where it is called back."""

    def use(self, port):
        """The device from now on."""
        assert self._say(f"device {port}") == "None"

    def do(self, text):
        """Have it do a line of Python; return the repr of the result, or the error."""
        return self._say(text)

    def _say(self, text):
        self._process.stdin.write(f"{text}\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().rstrip("\n")


@contextlib.contextmanager
def original_host(python):
    """One; use() tells it where the device is."""
    with process(python, ORIGINAL / "host.py", 0) as made:
        yield OriginalHost(made)


def say(port, *pieces, closes=False):
    """Send these pieces to a device; return its answer, b"" where it has only closed."""
    with socket.create_connection(("127.0.0.1", port), LIMIT_S) as made:
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            made.sendall(piece)
        if closes:
            made.shutdown(socket.SHUT_WR)
        answer = b""
        while data := made.recv(65536):
            answer += data
        return answer


def answer(port, message, **options):
    """Ask a device; return the Message that answers."""
    data = say(port, message.to_bytes(), **options)
    reader = Reader(ANSWERS)
    reader.feed(data)
    reader.end()
    return reader.message()
