# SPDX-License-Identifier: LGPL-3.0-or-later
"""What the tests of remote control share: who talks to a server, without sockets and with them; server processes."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import textwrap

from RPIO.backends.sim import SimBackend
from RPIO.backends.sim_time import ManualClock
from RPIO.board.board import Board
from RPIO.constants import OUT
from RPIO.machine.boards import by_name
from RPIO.server.sessions.sessions import Sessions
from RPIO.server.sessions.talks import Talk
from support import drain
from tls_parts import paired
from waiting import LIMIT_S, wait_until

OVER_TLS = os.environ.get("RPIO_OVER_TLS") == "1"
"""Everybody who connects to a port comes by TLS, with a certificate: `make test-tls`."""
if OVER_TLS:
    os.environ.update(paired().environment)

# -- without sockets ----------------------------------------------------------------------------


class Peer:
    """One connection, fed by hand as a socket would feed it. What it is told unasked is in ``events``."""

    def __init__(self, sessions, name="10.0.0.1:5000", reads=True):
        self.talk = Talk(sessions, name, lambda: None)
        self.reads, self.begun, self.events = reads, b"", []

    def feed(self, data):
        """Say these bytes; return the lines that answer."""
        talk = self.talk
        if not talk.is_over and talk.has_room:
            *lines, self.begun = (self.begun + data).split(b"\n")
            answers = talk.hear(lines, b"" if talk.codec.is_known else self.begun)
            if answers:
                talk.say(answers)
        return self.read() if self.reads else []

    def read(self):
        """Take what has been said; return the answers of it, and put the events aside."""
        answers, talk = [], self.talk
        while talk.out:
            data = talk.take()
            talk.sent(len(data))
            assert data.endswith(b"\n")
            for line in data.decode().splitlines():
                is_event = line.split()[0] in ("edge", "ended", "lost", "task")
                (self.events if is_event else answers).append(line)
        return answers

    def ask(self, text):
        """Ask one thing; return its answer."""
        (answer,) = self.feed(f"{text}\n".encode())
        return answer

    def hello(self, who="", linger_s=0.0, session=""):
        """Introduce oneself; return the name of the session."""
        answer = self.ask(f'hello 1 "{who}" "" {linger_s} "{session}"')
        assert answer.startswith("ok 1 "), answer
        return answer.split()[2]

    def heard(self):
        """What was told unasked since the last time."""
        self.read()
        events, self.events = self.events, []
        return events


def error(answer):
    """The class of an error that answers; other answers as they are."""
    return answer.split()[1] if answer.startswith("error ") else answer


def drives(sim, line):
    """The level of a line that is an output; None for others."""
    return sim.read(line) if sim.function(line) == OUT else None


@contextlib.contextmanager
def worlds():
    """A World of its own, for the examples of Hypothesis."""
    sim, board = SimBackend(by_name("4B"), ManualClock()), Board()
    board.use(sim, sim.hardware)
    try:
        yield World(board, sim)
    finally:
        board.close()
        sim.close()


class World:
    """Sessions on a simulated board, and a time that the test moves."""

    def __init__(self, board, sim, **parts):
        self.board, self.sim, self.now_ns = board, sim, 0
        hello = ("a board", "c03111", 54, ["edges"])
        self.sessions = Sessions(board.leases, lambda: hello, self.now, int, **parts)

    def now(self):
        return self.now_ns

    def come(self, who="", linger_s=0.0, session="", reads=True):
        """Somebody who connects; *who* introduces himself, and has then the name of his session."""
        peer = Peer(self.sessions, f"10.0.0.{len(who)}:5000", reads)
        peer.name = peer.hello(who, linger_s, session) if who or session else ""
        return peer

    def wait(self, s):
        """Let so much time pass for sessions; tick() comes when they have asked for it, and not before."""
        end_ns = self.now_ns + round(s * 1e9)
        while (due_ns := self.sessions.due_ns()) is not None and due_ns <= end_ns:
            self.now_ns = max(self.now_ns, due_ns)
            self.sessions.tick()
        self.now_ns = end_ns

    def play(self, line, levels):
        for at, level in enumerate(levels):
            self.sim.drive(line, level)
            if at % 500 == 499:
                drain(self.board)
        drain(self.board)


# -- server processes ---------------------------------------------------------------------------

SERVER = """
import os, sys, threading
import RPIO
{prelude}
def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())
say("at", RPIO.serve_remote(port=0, **{keywords!r}))
RPIO.wait_for_interrupts()
"""


class Program:
    """A process, and what it has printed so far. *before* is the beginning of its command line."""

    def __init__(self, code, before=(), words=(), stdin=subprocess.PIPE, **env):
        environment = {**os.environ, "RPIO_BACKEND": "sim:4B", "PYTHONUNBUFFERED": "1", **env}
        self.process = subprocess.Popen(
            [*before, sys.executable, *(["-c", code] if code else words)],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            bufsize=0,
        )
        os.set_blocking(self.process.stdout.fileno(), False)
        self.pid, self.text = self.process.pid, ""

    def look(self):
        """Return what it has printed."""
        with contextlib.suppress(OSError):
            self.text += (self.process.stdout.read() or b"").decode(errors="replace")
        return self.text

    def says(self, pattern):
        """Wait for it to print that; return the match. Printed as a whole line."""
        found = []

        def look():
            found[:] = [m for m in [re.search(pattern, self.look(), re.MULTILINE)] if m]
            return found or self.process.poll() is not None

        assert wait_until(look), f"it does not say {pattern!r}: {self.text}"
        found = found or [re.search(pattern, self.look(), re.MULTILINE)]
        assert found[0], f"it has ended ({self.process.returncode}) without {pattern!r}: {self.text}"
        return found[0]

    def tell(self, line):
        """Give it a line to read."""
        self.process.stdin.write(f"{line}\n".encode())

    def kill(self, number=signal.SIGKILL):
        """Send a signal, and wait for its end."""
        self.process.send_signal(number)
        self.process.wait(LIMIT_S)

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.kill()
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.stdout.close()


@contextlib.contextmanager
def program(code, **env):
    """A program that runs."""
    made = Program(textwrap.dedent(code), **env)
    try:
        yield made
    finally:
        made.close()


class Server(Program):
    """A program that serves its simulated board; its lines of Python in *prelude* come first."""

    def __init__(self, prelude="", port=0, path=None):
        keywords = {"path": path} if path else {"host": "any"} if OVER_TLS else {}
        code = SERVER.format(prelude=textwrap.dedent(prelude), keywords=keywords)
        super().__init__(code.replace("port=0", f"port={port}"))
        self.port = int(self.says(r"^at (\d+)$")[1])
        self.path = path

    def connect(self):
        """A plain socket to it, and a reader of its lines."""
        if self.path is not None:
            made = socket.socket(socket.AF_UNIX)
            made.settimeout(LIMIT_S)
            made.connect(self.path)
        else:
            made = socket.create_connection(("127.0.0.1", self.port), LIMIT_S)
        return Line(made)


@contextlib.contextmanager
def serving(prelude="", port=0, path=None):
    """A Server that runs."""
    made = Server(prelude, port, path)
    try:
        yield made
    finally:
        made.close()


class Line:
    """A plain connection: a person with telnet."""

    def __init__(self, made):
        self.socket, self.file = made, made.makefile("rb")

    def send(self, data):
        self.socket.sendall(data)

    def read(self):
        """The next line; empty at the end."""
        try:
            return self.file.readline().decode().rstrip("\n")
        except ConnectionResetError:
            return ""

    def ask(self, text):
        """Ask, and return the answer; events before it are passed over."""
        self.send(f"{text}\n".encode())
        return self.answer()

    def answer(self):
        while (line := self.read()).split(" ", 1)[0] in ("edge", "ended", "lost", "task"):
            pass
        return line

    def levels(self, *lines):
        """The levels of lines."""
        ok, *levels = self.ask("peek " + " ".join(map(str, lines))).split()
        assert ok == "ok"
        return [int(level) for level in levels]

    def rest(self):
        """Everything up to the end."""
        try:
            return self.file.read()
        except ConnectionResetError:
            return b""

    def close(self):
        self.file.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()


# -- the daemon ---------------------------------------------------------------------------------


class Daemon(Program):
    """``rpio serve`` on a simulated board, with a folder of its own for all that it has; lines of Python in *prelude*
    come first.
    """

    def __init__(
        self,
        folder,
        *words,
        backend="sim:4B",
        config="",
        runs=True,
        prelude="",
        before=(),
        state=None,
        stdin=subprocess.PIPE,
        **env,
    ):
        self.folder = folder
        self.socket = f"{folder}/run/rpio/rpio.sock"
        self.env = {
            "XDG_RUNTIME_DIR": f"{folder}/run",
            "XDG_STATE_HOME": f"{folder}/state",
            "HOME": str(folder),
            "RPIO_BACKEND": backend,
            "RPIO_CONFIG": f"{folder}/daemon.toml",
            **env,
        }
        text = (
            f"[serve]\nsocket = {self.socket!r}\ngroup = ''\nstate = '{state or f'{folder}/state'}'\n{config}"
        )
        if "tokens =" not in config:
            text += f"\n[access]\ntokens = '{folder}/tokens'\n"
        os.makedirs(f"{folder}/run", exist_ok=True)
        with open(f"{folder}/daemon.toml", "w", encoding="utf-8") as file:
            file.write(text)
        words = words if {"--no-tcp", "--port"} & set(words) else (*words, "--port", "0")
        if OVER_TLS and "--no-tcp" not in words and "--address" not in words:
            words = (*words, "--address", "any")
            device = f"{state or f'{folder}/state'}/tls"
            if not os.path.exists(device):
                shutil.copytree(f"{paired().state}/tls", device)
        super().__init__(
            f"{prelude}\nimport sys; from RPIO.cli import main; sys.exit(main({['serve', *words]!r}))",
            before,
            stdin=stdin,
            **self.env,
        )
        if runs:
            self.says("^rpio serve: serving ")

    @property
    def port(self):
        """Its port."""
        return int(self.says(r"(?:127\.0\.0\.1|0\.0\.0\.0|\[::\]):(\d+)")[1])

    def connect(self):
        """A plain connection to its socket."""
        made = socket.socket(socket.AF_UNIX)
        made.settimeout(LIMIT_S)
        made.connect(self.socket)
        return Line(made)

    def rpio(self, *words, **env):
        """``rpio WORDS`` as this user; what it says, its errors, its status."""
        environment = {**os.environ, **self.env, "RPIO_BACKEND": "", **env}
        return subprocess.run(
            [sys.executable, "-m", "RPIO", *words],
            env=environment,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )


@contextlib.contextmanager
def daemon(folder, *words, **options):
    """A Daemon that runs."""
    made = Daemon(folder, *words, **options)
    try:
        yield made
    finally:
        made.close()
