# SPDX-License-Identifier: LGPL-3.0-or-later
"""Programs by way of a daemon, and by a login: who may have them, as whom they run, what they may, what ends them."""

import json
import os
import pwd
import signal
import socket
import subprocess
import sys
import time

import pytest

from keeper_parts import FOREVER, Client, code
from modules_parts import alive, starter_of_another
from nets import is_asleep
from remote_parts import Daemon
from RPIO.programs import starter
from RPIO.server.settings.policy import Policy
from waiting import LIMIT_S, wait_until

ME = pwd.getpwuid(os.geteuid()).pw_name
HOLDS = "import RPIO, time\nRPIO.setup(17, RPIO.OUT, initial=1)\nprint('on', flush=True)\ntime.sleep(1000)"


@pytest.fixture
def serve(tmp_path):
    """Start a daemon; return it with a connection that has shown a token."""
    made = []

    def start(config="", scopes=("run",), **more):
        on = (
            f"[run]\nenabled = true\nuser = {json.dumps(ME)}\nwork = '{tmp_path}/work'\ngrace_s = 1\n{config}"
        )
        daemon = Daemon(tmp_path, config=on, **more)
        made.append(daemon)
        daemon.token_file = str(tmp_path / f"token-{len(made)}")
        words = [word for scope in scopes for word in ("--scope", scope)]
        assert daemon.rpio("token", "new", *words, "--to", daemon.token_file).returncode == 0
        return daemon

    yield start
    for daemon in made:
        daemon.close()


def connect(daemon, shows=True):
    line = daemon.connect()
    assert line.ask('hello 1 "a test" t.py 0 "" #1').startswith("ok 1 ")
    if shows:
        with open(daemon.token_file, encoding="utf-8") as file:
            assert line.ask(f"token {file.read().strip()} #2") == "ok #2"
    return line


def programs(daemon):
    line = connect(daemon)
    assert line.ask("runs #3") == "ok #3"
    return Client(line.socket)


def keepers(daemon):
    """The children of the daemon that are keepers."""
    found = subprocess.run(
        ["pgrep", "-f", "-P", str(daemon.process.pid), "programs.keeper"],
        capture_output=True,
        text=True,
        check=False,
    )
    return [int(word) for word in found.stdout.split()]


def who(daemon):
    return json.loads(daemon.rpio("who", "--json", "--on", f"remote+unix://{daemon.socket}").stdout)


# -- by a daemon ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_program_runs_and_has_the_lines_of_the_daemon_with_a_token_of_its_own(serve):
    daemon = serve()
    with connect(daemon, shows=False) as other:
        client = programs(daemon)
        started = client.ask("start", "p", **code(HOLDS))
        assert client.line() == b"on\n"
        assert other.levels(17) == [1]
        holder = next(each for each in who(daemon)["lines"] if each["line"] == 17)
        assert f"process {started.data['pid']}" in json.dumps(who(daemon))
        assert "1.py" in holder["holder"]
        client.say("stop", "p")
        assert client.rest()[0] == -signal.SIGTERM
        assert wait_until(lambda: who(daemon)["lines"] == [])
        client.close()


@pytest.mark.slow
def test_a_program_may_what_needs_a_token_by_its_own(serve, tmp_path):
    daemon = serve(f"[access]\nopen = []\ntokens = '{tmp_path}/tokens'\n")
    client = programs(daemon)
    text = "import RPIO\nRPIO.setup(17, RPIO.OUT, initial=1)\nprint(RPIO.input(17))"
    assert client.run(**code(text)) == (0, b"1\n", b"")
    client.close()


@pytest.mark.slow
def test_what_a_program_starts_without_its_descriptors_has_no_token_and_what_is_open(serve):
    daemon = serve()
    client = programs(daemon)
    text = """\
import subprocess, sys
words = [sys.executable, "-m", "RPIO", "read", "17"]
print(subprocess.run(words, capture_output=True, text=True))
print(subprocess.run(words, capture_output=True, text=True, close_fds=False).returncode)"""
    status, out, _ = client.run(**code(text))
    assert status == 0
    assert b"returncode=0, stdout='0\\n'" in out
    assert out.endswith(b"\n0\n")
    client.close()


@pytest.mark.slow
def test_a_token_of_a_program_is_none_when_its_client_has_gone(serve, tmp_path):
    daemon = serve(f"[access]\nopen = []\ntokens = '{tmp_path}/tokens'\n")
    client = programs(daemon)
    text = "import os; print(open(os.environ['RPIO_TOKEN_FILE']).read())"
    token = client.run(**code(text))[1].decode().strip()

    def answer():
        with connect(daemon, shows=False) as line:
            return line.ask(f"token {token} #2")

    assert answer() == "ok #2"
    client.close()
    assert wait_until(lambda: answer().startswith("error NotAllowedError"))


@pytest.mark.slow
def test_a_detached_program_keeps_its_token_and_its_lines_until_it_ends(serve):
    daemon = serve()
    client = programs(daemon)
    client.ask("start", "p", **code(HOLDS, detached=True))
    client.line()
    client.close()
    other = programs(daemon)
    (found,) = other.ask("list").data["programs"]
    assert [each["line"] for each in who(daemon)["lines"]] == [17]
    other.ask("end", number=found["number"])
    assert wait_until(lambda: who(daemon)["lines"] == [])
    other.close()


@pytest.mark.slow
def test_who_has_waited_for_lines_finds_them_free(serve):
    daemon = serve()
    client = programs(daemon)
    client.ask("start", "p", **code(HOLDS, lines=[17]))
    assert client.line() == b"on\n"
    text = "import RPIO\nRPIO.setup(17, RPIO.OUT)\nprint('mine')"
    assert client.ask("start", "q", **code(text, lines=[17])).type == "waiting"
    client.say("signal", "p", signal="KILL")
    client.until("stopped", "p")
    assert client.rest("q") == (0, b"mine\n", b"")
    client.close()


@pytest.mark.slow
def test_without_the_scope_or_where_it_is_off_nothing_runs(serve):
    daemon = serve()
    with connect(daemon, shows=False) as line:
        assert line.ask("runs #3").startswith("error NotAllowedError \"runs needs the scope 'run'")
    assert keepers(daemon) == []


@pytest.mark.slow
def test_where_it_is_off_nothing_runs(tmp_path):
    daemon = Daemon(tmp_path)
    daemon.token_file = str(tmp_path / "token")
    daemon.rpio("token", "new", "--scope", "run", "--to", daemon.token_file)
    with connect(daemon) as line:
        assert line.ask("runs #3").startswith('error NotAllowedError "programs of others do not run here"')
        assert line.ask("ping #4") == "ok #4"
    daemon.close()


@pytest.mark.slow
def test_a_token_that_is_revoked_ends_its_programs(serve):
    daemon = serve()
    client = programs(daemon)
    started = client.ask("start", "p", **code(FOREVER))
    client.line()
    (session,) = [each for each in who(daemon)["sessions"] if "run" in each["scopes"]]
    assert "a test" in session["who"]
    listed = daemon.rpio("token", "list").stdout
    assert daemon.rpio("token", "revoke", listed.split(":")[0]).returncode == 0
    said = client.hear()
    assert said.type == "error" and said.data["about"] == "token" and "revoked" in said.data["message"]
    assert client.hear() is None
    assert wait_until(lambda: not alive(started.data["pid"]))
    client.close()


@pytest.mark.slow
def test_a_token_that_is_revoked_ends_what_was_detached_and_nobody_elses(serve, tmp_path):
    """Also where who had it has gone long ago."""
    daemon = serve()
    client = programs(daemon)
    gone = client.ask("start", "p", **code(HOLDS, detached=True))
    client.line()
    client.close()
    mine, daemon.token_file = daemon.token_file, str(tmp_path / "another")
    listed = daemon.rpio("token", "list").stdout
    assert daemon.rpio("token", "new", "another", "--scope", "run", "--to", daemon.token_file).returncode == 0
    other = programs(daemon)
    stays = other.ask("start", "q", **code(FOREVER, detached=True))
    assert mine != daemon.token_file
    assert daemon.rpio("token", "revoke", listed.split(":")[0]).returncode == 0
    assert wait_until(lambda: not alive(gone.data["pid"]))
    assert wait_until(lambda: who(daemon)["lines"] == [])
    assert alive(stays.data["pid"])
    assert {each["name"] for each in other.ask("list").data["programs"] if each["state"] == "runs"}
    other.close()


@pytest.mark.slow
def test_who_is_revoked_and_takes_nothing_is_cut_off_all_the_same(serve):
    """And starts nothing meanwhile, for he is heard no more."""
    daemon = serve()
    client = programs(daemon)
    started = client.ask("start", "p", **code("while True: print('x' * 1000)"))
    pid = started.data["pid"]
    (keeper,) = keepers(daemon)
    opened = {each: len(os.listdir(f"/proc/{each}/fd")) for each in (daemon.process.pid, keeper)}
    assert wait_until(lambda: blocked(pid))
    listed = daemon.rpio("token", "list").stdout
    assert daemon.rpio("token", "revoke", listed.split(":")[0]).returncode == 0
    assert wait_until(lambda: not alive(pid))
    for each, most in opened.items():
        assert wait_until(lambda each=each, most=most: len(os.listdir(f"/proc/{each}/fd")) < most)
    client.close()


def blocked(pid):
    """Whether a program waits until somebody takes what it writes."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        return file.read().rpartition(")")[2].split()[0] == "S" and is_asleep(pid, 0.2)


@pytest.mark.slow
def test_programs_end_with_the_daemon(serve):
    daemon = serve()
    client = programs(daemon)
    started = client.ask("start", "p", **code(FOREVER))
    detached = client.ask("start", "q", **code(FOREVER, detached=True))
    (keeper,) = keepers(daemon)
    daemon.kill(signal.SIGTERM)
    daemon.process.wait(LIMIT_S)
    for pid in (started.data["pid"], detached.data["pid"], keeper):
        assert wait_until(lambda pid=pid: not alive(pid))
    client.close()


@pytest.mark.slow
def test_programs_end_with_a_daemon_that_is_killed(serve):
    daemon = serve()
    client = programs(daemon)
    started = client.ask("start", "p", **code(FOREVER))
    (keeper,) = keepers(daemon)
    daemon.kill()
    for pid in (started.data["pid"], keeper):
        assert wait_until(lambda pid=pid: not alive(pid))
    client.close()


@pytest.mark.slow
def test_a_keeper_that_is_killed_ends_its_clients_and_another_one_comes(serve):
    daemon = serve()
    client = programs(daemon)
    started = client.ask("start", "p", **code(FOREVER))
    (keeper,) = keepers(daemon)
    os.kill(keeper, signal.SIGKILL)
    assert None in iter(client.hear, 0)  # after what it has written, if need be
    assert wait_until(lambda: not alive(started.data["pid"]))
    other = programs(daemon)
    assert other.run(**code("print(1)"))[1] == b"1\n"
    client.close()
    other.close()


@pytest.mark.slow
def test_the_keeper_goes_when_nobody_wants_it(serve):
    daemon = serve(prelude="import RPIO.server.programs.runs as runs; runs.IDLE_S = 0.05")
    client = programs(daemon)
    assert client.run(**code("print(1)"))[1] == b"1\n"
    assert len(keepers(daemon)) == 1
    client.close()
    assert wait_until(lambda: not keepers(daemon))
    again = programs(daemon)
    assert again.run(**code("print(2)"))[1] == b"2\n"
    again.close()


@pytest.mark.slow
def test_the_daemon_does_not_wait_for_a_keeper_that_is_to_go(serve):
    daemon = serve(prelude="import RPIO.server.programs.runs as runs; runs.IDLE_S = 1.0; runs.END_S = 1000")
    client = programs(daemon)
    keeper = keepers(daemon)[0]
    folder = f"/proc/{keeper}/fd"
    assert client.run(**code("print(1)"))[1] == b"1\n"
    with_client = len(os.listdir(folder))
    client.close()
    assert wait_until(lambda: len(os.listdir(folder)) < with_client)
    os.kill(keeper, signal.SIGSTOP)
    try:
        until_s = time.monotonic() + 1.5
        while time.monotonic() < until_s:
            before_s = time.monotonic()
            connect(daemon).close()
            assert time.monotonic() - before_s < LIMIT_S / 2
    finally:
        os.kill(keeper, signal.SIGCONT)
    assert wait_until(lambda: keeper not in keepers(daemon))


@pytest.mark.parametrize("sent", [b"\xff" * 100, b"\0\0\0\1\2\xff"])
@pytest.mark.slow
def test_who_speaks_something_else_is_over(serve, sent):
    daemon = serve()
    client = programs(daemon)
    client.socket.sendall(sent)
    assert client.hear() is None
    assert wait_until(lambda: len(who(daemon)["sessions"]) == 1)
    client.close()


# -- by another user's starter ------------------------------------------------------------------------


def test_a_keeper_of_another_user_comes_by_his_starter(tmp_path, monkeypatch):
    path = str(tmp_path / "starter.sock")
    with starter_of_another(path, monkeypatch) as who:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        told = {**Policy(True).of_keeper(str(tmp_path)), "control": theirs.fileno(), "listen": ""}
        started = starter.start("RPIO.programs.keeper.main", told, who, [theirs.fileno()], {})
        theirs.close()
        mine, its = socket.socketpair()
        asked = json.dumps({"number": 1, "peer": "me"}).encode()
        socket.send_fds(ours, [asked], [its.fileno()])
        its.close()
        client = Client(mine)
        assert client.run(**code("print('there')"))[1] == b"there\n"
        client.close()
        assert json.loads(ours.recv(4096)) == {"over": [1], "is_idle": True}
        ours.close()
        assert started.wait() == 0
        started.close()


# -- by a login ---------------------------------------------------------------------------------------


class Login:
    """``rpio serve --stdio --programs``, as sshd starts it."""

    def __init__(self, folder, idle_s="3", prelude=""):
        environment = {
            **os.environ,
            "HOME": str(folder),
            "STATE_DIRECTORY": f"{folder}/state",
            "XDG_RUNTIME_DIR": str(folder),
            "RPIO_BACKEND": "",
            "RPIO_CONFIG": f"{folder}/c.toml",
        }
        (folder / "c.toml").write_text("[run]\ngrace_s = 1\n")
        text = "import sys; from RPIO.cli import main; sys.exit(main())"
        ours, its = socket.socketpair()
        self.process = subprocess.Popen(
            [sys.executable, "-c", text, "serve", "--stdio", "--programs", "--idle-timeout", idle_s],
            env=environment,
            stdin=its,
            stdout=its,
        )
        its.close()
        self.client = Client(ours)

    def close(self):
        self.client.close()
        assert self.process.wait(LIMIT_S) == 0


@pytest.fixture
def login(tmp_path):
    made = []

    def come(**more):
        made.append(Login(tmp_path, **more))
        return made[-1]

    yield come
    for each in made:
        each.close()
    found = subprocess.run(
        ["pgrep", "-f", f"{tmp_path}/state/programs.sock"], capture_output=True, check=False
    )
    for word in found.stdout.split():
        os.kill(int(word), signal.SIGTERM)


def test_a_login_has_programs_of_its_own_user(login, tmp_path):
    client = login().client
    assert client.ask("hello").data == {"version": 1, "user": ME, "work": f"{tmp_path}/further"}
    status, out, _ = client.run(**code("import os; print(os.getuid(), os.getcwd())"))
    assert (status, out.decode().split()[0]) == (0, str(os.getuid()))


@pytest.mark.slow
def test_a_detached_program_outlives_the_login(login):
    first = login()
    started = first.client.ask("start", "p", **code("print('one')\ninput()\nprint('two')", detached=True))
    assert first.client.line() == b"one\n"
    other = first.client.ask("start", "q", **code(FOREVER))
    first.close()
    assert wait_until(lambda: not alive(other.data["pid"]))
    assert alive(started.data["pid"])
    again = login().client
    assert again.ask("attach", "x", number=started.data["number"]).type == "attached"
    again.type("x", "\n")
    assert again.rest("x") == (0, b"one\ntwo\n", b"")


def test_two_logins_at_once_have_one_keeper(login):
    first, second = login().client, login().client
    first.say("hello")
    second.say("hello")
    assert first.hear().type == second.hear().type == "hello"
    started = first.ask("start", "p", **code("input()"))
    assert [each["number"] for each in second.ask("list").data["programs"]] == [started.data["number"]]
    first.say("eof", "p")
    first.rest()


def test_who_says_nothing_has_gone(login):
    here = login(idle_s="1")
    started = here.client.ask("start", "p", **code(FOREVER))
    assert here.process.wait(LIMIT_S) == 0
    assert wait_until(lambda: not alive(started.data["pid"]))


def test_a_keeper_that_cannot_begin_says_why_and_at_once(tmp_path):
    (tmp_path / "c.toml").write_text(f"[run]\nwork = '{tmp_path}/c.toml'\n")
    text = "import sys; from RPIO.cli import main; sys.exit(main())"
    environment = {
        "HOME": str(tmp_path),
        "STATE_DIRECTORY": f"{tmp_path}/state",
        "RPIO_CONFIG": f"{tmp_path}/c.toml",
    }
    done = subprocess.run(
        [sys.executable, "-c", text, "serve", "--stdio", "--programs"],
        env={**os.environ, **environment, "RPIO_BACKEND": ""},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
    )
    assert done.returncode != 0
    assert "the keeper of programs has ended: FileExistsError" in done.stderr
