# SPDX-License-Identifier: LGPL-3.0-or-later
"""rpio serve --stdio: the protocol on standard input and output, of a board of its own or for the daemon that runs."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

from remote_parts import serving
from ssh_parts import RPIO_THERE
from waiting import LIMIT_S, wait_until

RULES = """
[line.17]
safe = "low"
"""


class Stdio:
    """The program, and what it says."""

    def __init__(self, folder, *words, sockets=False, **environment):
        kept = {**os.environ, "RPIO_BACKEND": "sim:4B", "XDG_RUNTIME_DIR": str(folder), **environment}
        ours = theirs = None
        if sockets:
            ours, theirs = socket.socketpair()
        self.process = subprocess.Popen(
            [sys.executable, "-c", RPIO_THERE, "serve", "--stdio", *words],
            stdin=theirs or subprocess.PIPE,
            stdout=theirs or subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=kept,
            bufsize=0,
        )
        if ours is not None:
            theirs.close()
            self._in = ours.makefile("wb", buffering=0)
            self._out = ours.makefile("rb")
            self._socket = ours
        else:
            self._in, self._out, self._socket = (
                self.process.stdin,
                os.fdopen(os.dup(self.process.stdout.fileno()), "rb"),
                None,
            )

    def send(self, text):
        self._in.write(f"{text}\n".encode())

    def ask(self, text):
        """Ask; return the answer."""
        self.send(text)
        return self.read()

    def read(self):
        return self._out.readline().decode().rstrip("\n")

    def hang_up(self):
        """End its standard input."""
        if self._socket is not None:
            self._socket.shutdown(socket.SHUT_WR)
        self._in.close()

    def end(self):
        """Wait for its end; return its status, the rest of its output and what it has said beside that."""
        rest = self._out.read()
        status = self.process.wait(LIMIT_S)
        return status, rest, self.process.stderr.read().decode()

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(LIMIT_S)
        self._out.close()
        for file in (self._in, self.process.stdout, self.process.stderr, self._socket):
            if file is not None:
                file.close()


@contextlib.contextmanager
def stdio(folder, *words, **keywords):
    made = Stdio(folder, *words, **keywords)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def daemon(tmp_path):
    """A program that serves at the socket of this user's daemon."""
    (tmp_path / "rpio").mkdir(mode=0o700)
    path = str(tmp_path / "rpio" / "rpio.sock")
    with serving('RPIO.protect(17, safe="low")', path=path) as made:
        yield made


BOTH = pytest.mark.parametrize("sockets", [False, True], ids=["pipes", "a socket"])


@BOTH
def test_it_serves_a_board_of_its_own_until_goodbye(tmp_path, sockets):
    with stdio(tmp_path, sockets=sockets) as far:
        assert far.ask('hello 1 "me" "" 5.0 "" #1').startswith("ok 1 ")
        assert far.ask("output 17 1 #2") == "ok #2"
        assert far.ask("read 17 #3") == "ok 1 #3"
        assert far.ask("bye #4") == "ok #4"
        assert far.end() == (0, b"", "")


@BOTH
def test_it_is_a_client_of_the_daemon_that_runs(tmp_path, daemon, sockets):
    with daemon.connect() as other, stdio(tmp_path, sockets=sockets) as far:
        assert far.ask('hello 1 "me" "" 0.0 "" #1').startswith("ok 1 ")
        assert far.ask("output 17 1 #2") == "ok #2"
        assert other.levels(17) == [1]
        assert other.ask("consumer 17") == "ok me"
        far.hang_up()
        assert far.end() == (0, b"", "")
        assert wait_until(lambda: other.ask("consumer 17") == 'ok "" left')
        assert other.levels(17) == [0]  # its safe state


def test_a_board_that_is_asked_for_is_not_the_daemons(tmp_path, daemon):
    with daemon.connect() as other, stdio(tmp_path, "--backend", "sim:2B") as far:
        assert "2 Model B" in far.ask('hello 1 "me" "" 0.0 "" #1')
        assert far.ask("output 17 1 #2") == "ok #2"
        assert other.ask("consumer 17") in ('ok ""', 'ok "" left')


def test_a_daemon_that_was_killed_is_none(tmp_path):
    (tmp_path / "rpio").mkdir(mode=0o700)
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(tmp_path / "rpio" / "rpio.sock"))
    stale.close()
    with stdio(tmp_path) as far:
        assert far.ask("ping #1") == "ok #1"


def test_it_ends_when_the_daemon_does(tmp_path, daemon):
    with stdio(tmp_path) as far:
        assert far.ask("ping #1") == "ok #1"
        daemon.kill()
        assert far.end() == (0, b"", "")


@pytest.mark.parametrize("sockets", [False, True], ids=["pipes", "a socket"])
@pytest.mark.parametrize("with_daemon", [False, True], ids=["own", "daemon"])
@pytest.mark.slow
def test_who_asks_without_listening_loses_nothing(tmp_path, sockets, with_daemon, request):
    if with_daemon:
        request.getfixturevalue("daemon")
    count = 30_000
    with stdio(tmp_path, sockets=sockets) as far:
        assert far.ask('hello 1 "me" "" 0.0 "" #1').startswith("ok 1 ")
        pid = os.fork()
        if not pid:
            try:
                for first in range(2, count + 2, 100):
                    far._in.write(b"".join(b"ping #%d\n" % n for n in range(first, first + 100)))
            finally:
                os._exit(0)
        assert [far.read() for _ in range(count)] == [f"ok #{n}" for n in range(2, count + 2)]
        os.waitpid(pid, 0)


def rules(tmp_path):
    path = tmp_path / "rules.toml"
    path.write_text(RULES)
    return str(path)


def touched(tmp_path):
    """A program whose simulated board says on standard error what becomes of its lines."""
    (tmp_path / "shown.py").write_text(SHOWN)
    return str(tmp_path / "shown.py")


SHOWN = """
import sys
from RPIO.backends.sim import SimBackend
from RPIO.cli import main

plain_write, plain_output = SimBackend.write, SimBackend.set_output

def write(self, line, value):
    print("write", line, value, file=sys.stderr, flush=True)
    plain_write(self, line, value)

def set_output(self, line, value):
    print("output", line, value, flush=True)  # which goes to standard error
    plain_output(self, line, value)

SimBackend.write, SimBackend.set_output = write, set_output
sys.exit(main(["serve", "--stdio", "--backend", "sim:4B"]))
"""


@contextlib.contextmanager
def shown(tmp_path, linger_s):
    """A session whose line 17 is high, and safe when low; what becomes of that is told on standard error."""
    environment = {**os.environ, "RPIO_CONFIG": rules(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, touched(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        text=True,
        bufsize=1,
    )
    try:
        process.stdin.write(f'hello 1 "me" "" {linger_s} "" #1\noutput 17 1 #2\n')
        assert process.stdout.readline().startswith("ok 1 ")
        assert process.stdout.readline() == "ok #2\n"
        yield process
    finally:
        process.kill()
        process.wait(LIMIT_S)
        for file in (process.stdin, process.stdout, process.stderr):
            file.close()


def last_level(text):
    """What line 17 was set to last."""
    return re.findall(r"^(?:write|output) 17 (\w+)$", text, re.MULTILINE)[-1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_bring_the_lines_into_their_safe_states(tmp_path, number):
    with shown(tmp_path, 600.0) as process:
        process.send_signal(number)
        out, told = process.communicate(timeout=LIMIT_S)
        assert (process.returncode, out, last_level(told)) == (128 + number, "", "0")


def test_a_lost_connection_leaves_the_lines_for_the_linger_and_then_safe(tmp_path):
    with shown(tmp_path, 0.3) as process:
        process.stdin.close()
        assert process.stdout.read() == ""
        assert process.wait(LIMIT_S) == 0
        assert last_level(process.stderr.read()) == "0"


def test_a_lost_connection_keeps_its_lines_while_it_lingers(tmp_path):
    with shown(tmp_path, 600.0) as process:
        process.stdin.close()
        assert process.stdout.read() == ""  # it has noticed
        assert process.poll() is None
        process.terminate()
        told = process.stderr.read()
        assert process.wait(LIMIT_S) == 128 + signal.SIGTERM
        assert re.findall(r"^(?:write|output) 17 (\w+)$", told, re.MULTILINE) == ["0", "1", "0"]


def test_what_is_no_stream_is_an_error(tmp_path):
    (tmp_path / "requests").write_text("ping #1\n")
    with open(tmp_path / "requests") as file:
        done = subprocess.run(
            [sys.executable, "-m", "RPIO", "serve", "--stdio", "--backend", "sim:4B"],
            stdin=file,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
    assert (done.returncode, done.stdout) == (1, "")
    assert "no pipes" in done.stderr


def test_a_far_end_that_would_call_itself_is_an_error(tmp_path):
    with stdio(tmp_path, RPIO_BACKEND="ssh://localhost") as far:
        status, out, told = far.end()
        assert (status, out) == (1, b"")
        assert "without end" in told


# -- a client whose cable is pulled, which nobody else notices --------------------------------------


@pytest.mark.parametrize("with_daemon", [False, True], ids=["a board of its own", "the daemon's"])
@pytest.mark.slow
def test_who_says_nothing_for_so_long_has_gone_and_lines_are_safe(tmp_path, with_daemon, request):
    if with_daemon:
        daemon = request.getfixturevalue("daemon")
    with stdio(tmp_path, "--idle-timeout", "2") as far:
        assert far.ask('hello 1 "me" "" 0.0 "" #1').startswith("ok 1 ")
        assert far.ask("output 17 1 #2") == "ok #2"
        status, rest, said = far.end()
    assert (status, rest) == (0, b"")
    assert "nothing has come from the other machine for 2 s" in said
    if with_daemon:
        with daemon.connect() as other:
            assert wait_until(lambda: other.ask("consumer 17") == 'ok "" left')
            assert other.levels(17) == [0]


@pytest.mark.parametrize("with_daemon", [False, True], ids=["a board of its own", "the daemon's"])
@pytest.mark.slow
def test_who_says_an_empty_line_now_and_then_is_there(tmp_path, with_daemon, request):
    if with_daemon:
        request.getfixturevalue("daemon")
    with stdio(tmp_path, "--idle-timeout", "3") as far:
        assert far.ask('hello 1 "me" "" 0.0 "" #1').startswith("ok 1 ")
        assert far.ask("output 17 1 #2") == "ok #2"
        began = time.monotonic()
        while time.monotonic() < began + 4:
            far.send("")
            assert not wait_until(lambda: far.process.poll() is not None, timeout_s=0.2)
        assert far.ask("read 17 #3") == "ok 1 #3"
