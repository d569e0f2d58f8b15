# SPDX-License-Identifier: LGPL-3.0-or-later
"""Far ends that are older, newer, full, forbidden or gone: what is said, what to type next, and that lines are safe.

What a single part says of what it is given stands with that part: test_daemon.py, test_ssh.py, test_access.py,
test_hold.py, test_audit.py, test_remote_strangers.py.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import threading

import pytest

import RPIO
from nets import is_asleep
from ports import free_port
from remote_parts import Daemon, daemon, serving
from RPIO.wire import native
from waiting import LIMIT_S, wait_until


def rpio(*words, **env):
    """``rpio WORDS``: its status, what it says, its errors."""
    done = subprocess.run(
        [sys.executable, "-m", "RPIO", *map(str, words)],
        env={**os.environ, "RPIO_BACKEND": "", "PYTHONUNBUFFERED": "1", **env},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def fails(*words, **env):
    """The errors of one that fails without a traceback."""
    status, said, errors = rpio(*words, **env)
    assert status == 1, (said, errors)
    assert "Traceback" not in errors
    return errors


# -- another version at the far end --------------------------------------------------------------------------

BEFORE = (
    "ping input output read write pull set_pull function consumer release watch unwatch pwm fate hello bye"
)
"""Some of what the first one that served knew, before there was a daemon."""


class Other:
    """A server of another version at a unix socket: *operations* pass on to a real one, others are none there.

    *change* is given each answer of the real one, a line, and returns the bytes that are sent in its place.
    """

    def __init__(self, path, real, operations=None, change=lambda line: line):
        self.path, self._real = path, real
        self._operations, self._change = operations, change
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._serve, args=[self._listener.accept()[0]], daemon=True).start()

    def _serve(self, client):
        real = socket.socket(socket.AF_UNIX)
        real.connect(self._real)
        with client, real, contextlib.suppress(OSError):
            back = threading.Thread(target=self._answer, args=(real, client), daemon=True)
            back.start()
            for line in client.makefile("rb"):
                name = line.split()[0].decode() if line.strip() else ""
                if name and self._operations is not None and name not in self._operations:
                    number = line.rpartition(b" #")[2].strip()
                    client.sendall(
                        b"error ValueError \"there is no operation '%b'\" #%b\n" % (name.encode(), number)
                    )
                else:
                    real.sendall(line)
            real.shutdown(socket.SHUT_WR)
            back.join(LIMIT_S)

    def _answer(self, real, client):
        with contextlib.suppress(OSError):
            for line in real.makefile("rb"):
                client.sendall(self._change(line))

    def close(self):
        self._listener.close()


@pytest.fixture
def real(tmp_path):
    with serving('RPIO.protect(17, safe="low")', path=str(tmp_path / "real")) as made:
        yield made


@pytest.fixture
def other(real, tmp_path):
    """A call that makes one; returns where it is."""
    made = []

    def make(**keywords):
        made.append(Other(str(tmp_path / f"other{len(made)}"), real.path, **keywords))
        return made[-1].path

    yield make
    for one in made:
        one.close()


@pytest.fixture
def older(other):
    return other(operations=set(BEFORE.split()))


def test_the_words_of_who_does_not_know_an_operation_are_those_that_are_recognized(real):
    from RPIO.remote.sessions import answers

    with real.connect() as line:
        assert line.ask("ping") == "ok"
        name, text, *_ = native.split(line.ask("nothing"))[1:]
    assert (name, text.startswith(answers.NO_OPERATION)) == ("ValueError", True)


@pytest.mark.parametrize(
    "words",
    [["who"], ["audit"], ["hold"], ["hold", "17=1"], ["release", "17"], ["serve", "--status"]],
    ids=" ".join,
)
def test_an_older_far_end_does_not_know_a_verb_and_the_error_says_which_side_to_upgrade(older, words):
    on = ["--backend", f"remote+unix://{older}"] if words[0] == "serve" else ["--on", older]
    said = fails(*words, *on)
    assert "the RPIO at the other end is older than this one" in said
    assert "upgrade that one: pip install --upgrade RPIO" in said


def test_a_token_is_shown_to_an_older_far_end_and_it_says_so(older, tmp_path):
    token = tmp_path / "token"
    token.write_text("rpio_abc_def\n")
    token.chmod(0o600)
    said = fails("read", "17", "--on", older, RPIO_TOKEN_FILE=str(token))
    assert "older than this one" in said and "'token'" in said


def test_what_an_older_far_end_knows_works(older):
    assert rpio("write", "--output", "17=1", "--on", older)[0] == 0
    status, said, errors = rpio("read", "17", "--on", older)
    assert (status, errors) == (0, "") and said in ("0\n", "1\n")


def test_a_newer_far_end_with_words_that_nobody_knows_works(other):
    """More features, more words behind an answer, lines that answer nothing."""

    def newer(line):
        if line.startswith(b"ok 1 ") and b"Raspberry" in line:
            head, _, number = line.rpartition(b" #")
            return head + b" time-travel quantum-pwm #" + number
        return b'news 17 "of things to come"\n' + line

    there = other(change=newer)
    with RPIO.connect(f"remote+unix://{there}") as board:
        board.setup(17, RPIO.OUT, initial=1)
        heard = []
        board.setup(27, RPIO.IN, pull_up_down=RPIO.PUD_DOWN)
        board.add_interrupt_callback(27, lambda line, level: heard.append(level))
        board.wait_for_interrupts(threaded=True)
        board.set_pullupdn(27, RPIO.PUD_UP)
        assert wait_until(lambda: heard == [1])
        assert board.input(17) == 1


def test_a_newer_far_end_that_speaks_this_version_no_more_says_which_side_to_upgrade(other):
    there = other(change=lambda line: line.replace(b"ok 1 ", b"ok 2 ", 1))
    said = fails("read", "17", "--on", there)
    assert "speaks version 2 of the protocol, and this RPIO version 1" in said
    assert "upgrade this one: pip install --upgrade RPIO" in said


def test_a_newer_far_end_that_refuses_this_version_is_quoted(other):
    def newer(line):
        number = line.rpartition(b" #")[2]
        return (
            b'error NotSupportedError "version 1 is spoken no more" "pip install --upgrade RPIO" #' + number
        )

    said = fails("read", "17", "--on", other(change=newer))
    assert "version 1 is spoken no more" in said and "pip install --upgrade RPIO" in said


# -- nobody there --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", [["read", "17"], ["who"], ["hold", "17=1"], ["run", __file__]], ids=" ".join)
def test_nobody_at_the_port_says_what_to_start(verb, tmp_path):
    port = free_port()
    said = fails(verb[0], "--on", f"localhost:{port}", *verb[1:])
    assert f"no board answers at localhost:{port}: Connection refused" in said
    assert "RPIO.serve_remote()" in said


def test_a_host_that_nobody_knows_says_what_to_try():
    said = fails("read", "17", "--backend", "remote://nobody.invalid:8510")
    assert "no board answers at nobody.invalid:8510: " in said


# -- the disk is full ----------------------------------------------------------------------------------------


@pytest.fixture
def full(tmp_path):
    """A folder on a disk of a few pages, and a call that fills it."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("root alone can mount a small disk: run the tests as root")
    folder = tmp_path / "small"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs", folder], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip(f"needs mount: {done.stderr.decode().strip()}")

    def fill():
        with contextlib.suppress(OSError), open(folder / "filler", "wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))

    yield folder, fill
    subprocess.run(["umount", folder], check=True, timeout=LIMIT_S)


@pytest.mark.slow
def test_a_full_disk_under_the_audit_is_told_of_once_and_nothing_waits(full, tmp_path):
    folder, fill = full
    fill()
    with daemon(tmp_path, config=f"\n[audit]\nfile = '{folder}/audit.jsonl'\n") as served:
        with served.connect() as line:
            assert line.ask("output 17 1") == "ok"
            served.says(r"audit.jsonl.*(full|No space)")
            assert line.ask("write 17 0") == "ok"
            assert line.levels(17) == [0]
        assert "GPIO 17: output 1" in served.rpio("audit").stdout
        assert served.look().count("audit.jsonl") == 1


@pytest.mark.slow
def test_a_full_disk_under_what_is_held_holds_nothing_and_says_so(full, tmp_path):
    folder, fill = full
    config = "\n[line.17]\nsafe = 'low'\n"
    with Served(tmp_path, folder, config) as served:
        assert served.rpio("hold", "27=1").returncode == 0
        fill()
        done = served.rpio("hold", "17=1")
        assert done.returncode == 1 and "Traceback" not in done.stderr
        assert "No space left on device" in done.stderr
        with served.connect() as line:
            assert line.levels(17) == [0]
            assert line.ask("holds").startswith("ok 27 1")
        (folder / "filler").unlink()
        assert served.rpio("hold", "17=1").returncode == 0


class Served(Daemon):
    """A daemon that remembers elsewhere what is held."""

    def __init__(self, folder, state, config):
        super().__init__(folder, "--socket", f"{folder}/run/rpio/rpio.sock", config=config, state=state)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()


# -- tokens --------------------------------------------------------------------------------------------------

READ_ALONE = "\n[access]\nopen = ['read']\ntokens = '{folder}/tokens'\n[line.17]\nsafe = 'low'\n"
WRITES = """
import time
import RPi.GPIO as GPIO
GPIO.setmode(GPIO.BCM)
GPIO.setup(17, GPIO.OUT, initial=1)
print("on")
while True:
    GPIO.output(17, 1)
    time.sleep(0.01)
"""


@pytest.mark.slow
def test_a_token_that_is_revoked_ends_the_program_with_the_reason_and_the_line_is_safe(tmp_path):
    with daemon(tmp_path, config=READ_ALONE.format(folder=tmp_path)) as served:
        token = tmp_path / "class.token"
        assert served.rpio("token", "new", "class", "--scope", "gpio", "--to", str(token)).returncode == 0
        with running(served, WRITES, RPIO_TOKEN_FILE=str(token)) as program, served.connect() as line:
            assert program.stdout.readline() == "on\n"
            assert line.levels(17) == [1]
            assert served.rpio("token", "revoke", "class").returncode == 0
            _, errors = program.communicate(timeout=LIMIT_S)
            assert line.levels(17) == [0]
    assert program.returncode == 1
    assert "token" in errors.splitlines()[-1] or "token" in errors.splitlines()[-2], errors


WAITS = """
import RPIO

with RPIO.connect("localhost") as there:
    there.setup(27, RPIO.IN)
    there.add_interrupt_callback(27, print)
    try:
        {call}
    except RPIO.ConnectionLost as e:
        print("lost:", e, e.hint)
"""


def revoked_in_the_middle(served, *words):
    """What a program says that has a token, which is revoked when it has come to wait for edges; and its errors."""
    token = served.folder / "class.token"
    made = served.rpio("token", "new", "class", "--scope", "gpio", "--to", str(token))
    assert made.returncode == 0, made.stderr
    env = {**os.environ, **served.env, "RPIO_TOKEN_FILE": str(token), "RPIO_BACKEND": ""}
    with (
        subprocess.Popen(
            [sys.executable, *words], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as program,
        served.connect() as line,
    ):
        try:
            assert wait_until(lambda: line.ask("holders") != "ok" or program.poll() is not None)
            assert wait_until(lambda: program.poll() is not None or is_asleep(program.pid, 0.2))  # it waits
            assert served.rpio("token", "revoke", "class").returncode == 0
            return program.communicate(timeout=LIMIT_S)
        finally:
            program.kill()


@pytest.mark.slow
def test_a_watch_of_one_who_is_revoked_ends_with_the_reason_and_not_for_want_of_a_chip(tmp_path):
    with daemon(tmp_path, config=READ_ALONE.format(folder=tmp_path)) as served:
        _, errors = revoked_in_the_middle(served, "-m", "RPIO", "watch", "27", "--on", "localhost")
    assert "\nrpio watch: GPIO 27: no more edges: there is no connection to " in errors
    assert "it was revoked" in errors and "rpio token list" in errors
    assert "chip" not in errors


@pytest.mark.parametrize("call", ["there.wait_for_interrupts()", "there.wait_for_edge(27, RPIO.RISING)"])
@pytest.mark.slow
def test_a_program_that_waits_for_edges_and_is_revoked_reads_why(tmp_path, call):
    with daemon(tmp_path, config=READ_ALONE.format(folder=tmp_path)) as served:
        said, errors = revoked_in_the_middle(served, "-c", WAITS.format(call=call))
    assert said.startswith("lost: ") and "there is no connection to " in said, errors
    assert "it was revoked" in said and "rpio token list" in said
    assert "chip" not in said + errors


@pytest.mark.slow
def test_a_token_file_that_others_can_read_is_refused_with_the_command(tmp_path):
    token = tmp_path / "token"
    token.write_text("rpio_abc_def\n")
    token.chmod(0o644)
    with daemon(tmp_path) as served:
        done = served.rpio("read", "17", "--on", "localhost", RPIO_TOKEN_FILE=str(token))
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert f"others can read or change {token}" in done.stderr
    assert f"chmod 600 {token}" in done.stderr


# -- programs that are run -----------------------------------------------------------------------------------


@contextlib.contextmanager
def running(served, code, **env):
    """``rpio run --on localhost`` with that program."""
    script = served.folder / "program.py"
    script.write_text(code)
    with subprocess.Popen(
        [sys.executable, "-m", "RPIO", "run", "--on", "localhost", str(script)],
        env={**os.environ, **served.env, "PYTHONUNBUFFERED": "1", **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        try:
            yield program
        finally:
            program.kill()


def test_a_script_that_is_not_there_is_told_before_anybody_is_asked():
    status, said, errors = rpio("run", "--on", "localhost:1", "no-such-program.py")
    assert (status, said) == (2, "")
    assert "there is no file 'no-such-program.py'" in errors and "rpio run --help" in errors


FORKS = """
import os
import RPi.GPIO as GPIO
GPIO.setmode(GPIO.BCM)
GPIO.setwarnings(False)
GPIO.setup(17, GPIO.OUT, initial=1)
pid = os.fork()
if pid == 0:
    GPIO.setup(27, GPIO.OUT, initial=1)
    try:
        GPIO.setup(17, GPIO.OUT)
    except OSError as e:
        print("child:", type(e).__name__)
    print("child:", GPIO.input(27))
    os._exit(0)
print("status", os.waitpid(pid, 0)[1])
GPIO.output(17, 1)
print("parent:", GPIO.input(17))
GPIO.cleanup()
"""


@pytest.mark.slow
def test_a_program_that_forks_has_a_session_for_each_and_neither_takes_the_others_lines(tmp_path):
    with daemon(tmp_path) as served:
        with running(served, FORKS) as program:
            said, errors = program.communicate(timeout=LIMIT_S)
        assert (program.returncode, errors) == (0, "")
        assert said.splitlines() == ["child: LineBusyError", "child: 1", "status 0", "parent: 1"]
        with served.connect() as line:
            assert wait_until(lambda: line.ask("consumer 27") == 'ok "" left')
            assert line.ask("consumer 17") in ('ok ""', 'ok "" left')


@pytest.mark.slow
def test_a_program_that_is_killed_leaves_its_lines_safe(tmp_path):
    with daemon(tmp_path, config="\n[line.17]\nsafe = 'low'\n") as served, served.connect() as line:
        with running(served, WRITES) as program:
            assert program.stdout.readline() == "on\n"
            program.send_signal(signal.SIGKILL)
        assert wait_until(lambda: line.levels(17) == [0])


CRASHES = textwrap.dedent("""
    import RPi.GPIO as GPIO
    GPIO.setmode(GPIO.BCM)
    GPIO.setup(17, GPIO.OUT, initial=1)
    print(1 / 0)
""")


@pytest.mark.slow
def test_a_program_that_crashes_shows_its_own_traceback_and_the_line_is_safe(tmp_path):
    with daemon(tmp_path, config="\n[line.17]\nsafe = 'low'\n") as served, served.connect() as line:
        with running(served, CRASHES) as program:
            _, errors = program.communicate(timeout=LIMIT_S)
        assert program.returncode == 1
        assert errors.splitlines()[-1] == "ZeroDivisionError: division by zero"
        assert "program.py" in errors and "RPIO" not in errors
        assert wait_until(lambda: line.levels(17) == [0])
