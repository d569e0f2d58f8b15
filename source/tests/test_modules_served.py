# SPDX-License-Identifier: LGPL-3.0-or-later
"""Modules by way of a daemon: who may have them, as whom they run, what ends them, and what others see of it."""

import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

import pytest

import RPIO
from modules_parts import alive, starter_of_another
from remote_parts import Daemon
from RPIO import errors
from RPIO.programs import process, starter
from RPIO.programs.process import Limits
from RPIO.server.settings import settings
from tls_parts import Device, environment
from waiting import wait_until

IS_ROOT = os.geteuid() == 0
ME = pwd.getpwuid(os.geteuid()).pw_name
ON = f"[run]\nenabled = true\nuser = {json.dumps(ME)}\nmodules = ['*']\ncode = true\n"


@pytest.fixture
def serve(tmp_path, monkeypatch):
    """Start a daemon; return it, with a token of the scope run that this process shows."""
    made = []

    def start(config=ON, scopes=("run",), **more):
        daemon = Daemon(tmp_path, config=config, **more)
        made.append(daemon)
        if scopes:
            file = tmp_path / f"token-{len(made)}"
            words = [word for scope in scopes for word in ("--scope", scope)]
            assert daemon.rpio("token", "new", *words, "--to", str(file)).returncode == 0
            monkeypatch.setenv("RPIO_TOKEN_FILE", str(file))
        return daemon

    yield start
    for daemon in made:
        daemon.close()


def connect(daemon, **words):
    return RPIO.connect(f"remote+unix://{daemon.socket}", **words)


@pytest.mark.slow
def test_modules_by_tls_whose_end_is_that_of_their_process(tmp_path):
    device = Device(tmp_path)
    device.pair()
    daemon = Daemon(tmp_path, "--address", "any", config=ON)
    try:
        port = daemon.says(r"serving .*:(\d+)$")[1]
        with environment(device.environment), RPIO.connect(f"127.0.0.1:{port}", scope="run") as pi:
            there = pi.module("os")
            pid = there.getpid()
            data = b"x" * 5_000_000
            assert pi.module("zlib").crc32(data) == zlib.crc32(data)
            assert alive(pid)
        assert wait_until(lambda: not alive(pid))
    finally:
        daemon.close()


@pytest.mark.slow
def test_modules_and_lines_of_one_daemon(serve):
    daemon = serve()
    with connect(daemon, scope="run") as pi:
        GPIO = pi.module("RPi.GPIO")
        GPIO.setmode(GPIO.BCM)
        GPIO.setup(17, GPIO.OUT, initial=1)
        with daemon.connect() as line:
            assert line.levels(17) == [1]
        pi.setup(4, RPIO.IN)
        assert pi.input(4) in (0, 1)

        @pi.task
        def add(a, b):
            return a + b

        assert add(1, 2) == 3


@pytest.mark.slow
def test_without_the_scope_nothing_is_run(serve, monkeypatch):
    daemon = serve(scopes=("gpio",))
    with pytest.raises(errors.NotAllowedError, match="modules needs the scope 'run'"):
        connect(daemon, scope="run")
    monkeypatch.delenv("RPIO_TOKEN_FILE")
    with connect(daemon) as pi:
        with pytest.raises(errors.NotAllowedError) as caught:
            pi.module("math")
        assert "token new --scope run" in caught.value.hint
        with pytest.raises(ValueError, match="a scope is one of"):
            connect(daemon, scope="root")


@pytest.mark.slow
def test_where_it_is_not_switched_on_no_token_helps(serve):
    daemon = serve(config="")
    with connect(daemon) as pi, pytest.raises(errors.NotAllowedError, match="do not run here") as caught:
        pi.module("math")
    assert "enabled = true in [run]" in caught.value.hint


def test_a_program_that_serves_its_board_runs_nothing(rpio):
    port = rpio.serve_remote(port=0)
    rpio.wait_for_interrupts(threaded=True)
    with RPIO.connect(f"localhost:{port}") as pi, pytest.raises(errors.GPIOError):
        pi.module("math")


@pytest.mark.slow
def test_a_revoked_token_ends_the_process(serve):
    daemon = serve()
    with connect(daemon) as pi:
        pid = pi.module("os").getpid()
        os.unlink(f"{daemon.folder}/tokens")
        with daemon.connect() as line:
            assert line.ask("tokens").startswith("ok 2")  # the session of the lines, and that of the modules
        assert wait_until(lambda: not alive(pid))
        with pytest.raises(errors.GPIOError, match=r"gone|revoked|no such token"):
            pi.module("os").getpid()


@pytest.mark.slow
def test_others_see_the_session_and_it_is_gone_afterwards(serve):
    daemon = serve()
    with daemon.connect() as line:
        with connect(daemon) as pi:
            pid = pi.module("os").getpid()
            assert line.ask("sessions").count(", run") == 2
        assert wait_until(lambda: not alive(pid))
        assert wait_until(lambda: ", run" not in line.ask("sessions"))


@pytest.mark.slow
def test_a_process_that_dies_is_told_of_and_the_daemon_goes_on(serve):
    daemon = serve()
    with connect(daemon) as pi:
        system = pi.module("os")
        with pytest.raises(errors.ConnectionLost, match="SIGSEGV"):
            system.kill(system.getpid(), 11)
        with pytest.raises(errors.ConnectionLost, match="status 3"):
            pi.module("builtins").exec("import os; os._exit(3)", {})
        pi.setup(4, RPIO.IN)
        assert pi.input(4) in (0, 1) and pi.module("math").sqrt(4) == 2


@pytest.mark.slow
def test_a_process_ends_with_its_daemon(serve):
    daemon = serve()
    with connect(daemon, patience_s=0.1) as pi:
        pid = pi.module("os").getpid()
        daemon.kill(signal.SIGKILL)
        assert wait_until(lambda: not alive(pid))


@pytest.mark.slow
def test_a_caller_that_is_killed_in_the_middle_of_a_call(serve, tmp_path):
    daemon = serve()
    code = (
        f"import RPIO; pi = RPIO.connect('remote+unix://{daemon.socket}'); "
        "print(pi.module('os').getpid(), flush=True); pi.module('time').sleep(600)"
    )
    caller = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    pid = int(caller.stdout.readline())
    caller.kill()
    caller.communicate()
    assert wait_until(lambda: not alive(pid))


@pytest.mark.slow
def test_what_speaks_something_else_after_that_ends_its_own_process_alone(serve):
    daemon = serve()
    token = Path(os.environ["RPIO_TOKEN_FILE"]).read_text().strip()
    with daemon.connect() as line:
        assert line.ask(f"token {token}") == "ok"
        assert line.ask("modules") == "ok"
        line.send(b"GET / HTTP/1.1\r\n\r\n")
        line.rest()
    with connect(daemon) as pi:
        assert pi.module("math").sqrt(9) == 3


@pytest.mark.slow
def test_a_module_has_none_of_the_callers_or_the_daemons_secrets(serve, monkeypatch):
    daemon = serve(RPIO_TOKEN_FILE="/secret/file", SECRET="x")
    with connect(daemon) as pi:
        environment = dict(pi.module("os").environ.items())
        assert not {"SECRET", "RPIO_TOKEN_FILE", "NOTIFY_SOCKET"} & set(environment)
        assert environment["RPIO_BACKEND"] == f"remote+unix://{daemon.socket}" and environment["USER"] == ME


# -- as whom ------------------------------------------------------------------------------------


@pytest.mark.skipif(not IS_ROOT, reason="only root becomes another user; run the tests as root")
@pytest.mark.slow
def test_it_runs_as_the_user_that_is_named(serve, monkeypatch):
    python = f"/usr/bin/python3.{sys.version_info[1]}"
    if not os.path.exists(python):
        pytest.skip(f"there is no {python}, which other users may run")
    with tempfile.TemporaryDirectory(prefix="rpio-of-all-") as folder:
        os.chmod(folder, 0o755)
        shutil.copytree(os.path.dirname(RPIO.__file__), f"{folder}/RPIO")
        monkeypatch.setattr(sys, "executable", python)
        _runs_as_nobody(serve(ON.replace(json.dumps(ME), '"nobody"'), PYTHONPATH=folder))


def _runs_as_nobody(daemon):
    with connect(daemon) as pi:
        system = pi.module("os")
        who = pwd.getpwnam("nobody")
        assert (system.getuid(), system.geteuid(), system.getgid()) == (who.pw_uid, who.pw_uid, who.pw_gid)
        assert system.environ["HOME"] == who.pw_dir
        with pytest.raises(PermissionError):
            pi.module("builtins").open("/etc/shadow")


@pytest.mark.skipif(not IS_ROOT, reason="it is root's question; run the tests as root")
def test_root_runs_nothing_as_itself_unless_that_is_named(serve, monkeypatch):
    monkeypatch.setattr(process, "USER", "no such user")
    with pytest.raises(errors.ConfigError, match="do not run as root unless"):
        process.user()
    assert process.user("root").uid == 0


def test_a_user_that_is_none(serve):
    with pytest.raises(errors.ConfigError, match="there is no user 'nobody at all'"):
        process.user("nobody at all")


@pytest.mark.slow
def test_the_starter_of_another_user(tmp_path, monkeypatch):
    path = str(tmp_path / "starter.sock")
    with starter_of_another(path, monkeypatch) as who:
        ours, theirs = socket.socketpair()
        told = {
            "reader": theirs.fileno(),
            "writer": theirs.fileno(),
            "modules": ["*"],
            "code": False,
            "idle_s": None,
            "limits": Limits().words(),
            "stand_ins": [],
        }
        started = starter.start("RPIO.programs.modules.main", told, who, [theirs.fileno()], {})
        theirs.close()
        assert alive(started.pid)
        ours.sendall(bytes.fromhex("00000001 07 00000001 00000001") + b"N")
        assert ours.recv(13)[4] == 21  # None is no name of a module
        ours.close()
        assert started.wait() == 0
        started.close()
        for request in (
            b"",
            b"x",
            b"{}",
            b'{"function": "os.system", "told": {}, "descriptors": [], "more": {}}',
        ):
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asking:
                asking.connect(path)
                asking.send(request or b" ")
                assert not asking.recv(1000).isdigit()
        ours, theirs = socket.socketpair()
        told.update(reader=theirs.fileno(), writer=theirs.fileno())
        started = starter.start("RPIO.programs.modules.main", told, who, [theirs.fileno()], {})
        theirs.close()
        started.close()  # who closes the connection ends it
        assert wait_until(lambda: not alive(started.pid))
        ours.close()


# -- settings -----------------------------------------------------------------------------------


def test_settings_of_what_may_run(tmp_path):
    file = tmp_path / "c.toml"
    file.write_text('[run]\nenabled = true\nmodules = ["smbus2", "luma.*"]\nmemory_mb = 100\nprocesses = 0\n')
    policy = settings.read({}, [str(file)]).policy()
    assert (
        policy.is_on and policy.modules == ("smbus2", "luma.*") and not policy.has_code and policy.user == ""
    )
    assert policy.limits.words() == {"memory_mb": 100, "processes": 0, "files": 64}
    assert not settings.read({}, []).policy().is_on


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("enabled = 1", "true or false"),
        ("modules = 'smbus2'", "a list of names of modules"),
        ("modules = ['smbus2; os']", "a list of names of modules"),
        ("memory_mb = -1", "a number up to"),
        ("files = true", "a number up to"),
        ("usr = 'pi'", "did you mean 'user'"),
    ],
)
def test_settings_that_cannot_be_say_where(tmp_path, line, text):
    file = tmp_path / "c.toml"
    file.write_text(f"[run]\n{line}\n")
    with pytest.raises(errors.ConfigError, match=rf"c\.toml:2:1: .*{text}"):
        settings.read({}, [str(file)])
