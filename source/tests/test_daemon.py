# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio serve`` as its users meet it: sockets, signals, who and audit and hold, tokens, what goes wrong."""

import json
import os
import random
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time

import pytest

from remote_parts import daemon, program
from RPIO.server.rights.tokens import TokenFile
from waiting import LIMIT_S, wait_until


def ok(done):
    """What a command printed, which has gone well."""
    assert done.returncode == 0, (done.stdout, done.stderr)
    return done.stdout.strip()


# -- where it listens ---------------------------------------------------------------------------


@pytest.mark.slow
def test_it_serves_its_users_socket_and_a_port_of_this_machine(tmp_path):
    with daemon(tmp_path) as served:
        assert stat.S_IMODE(os.stat(served.socket).st_mode) == 0o600
        assert stat.S_IMODE(os.stat(os.path.dirname(served.socket)).st_mode) == 0o700
        with served.connect() as line:
            assert line.ask("output 17 1") == "ok"
            with socket.create_connection(("127.0.0.1", served.port), LIMIT_S) as other:
                other.sendall(b"read 17\noutput 17 0\n")
                text = b""
                while text.count(b"\n") < 2:
                    text += other.recv(1000)
            assert text.startswith(b"ok 1\nerror LineBusyError ")
        assert ok(served.rpio("read", "17", "--on", "localhost")) == "1"
        served.kill(signal.SIGTERM)
        assert served.process.returncode == 0 and not os.path.exists(served.socket)


def test_without_tcp_it_serves_its_socket_alone(tmp_path):
    with daemon(tmp_path, "--no-tcp") as served:
        assert "127.0.0.1" not in served.look()
        with open(f"/proc/{served.pid}/net/tcp", encoding="utf-8") as file:
            listening = {line.split()[9] for line in file.readlines()[1:] if line.split()[3] == "0A"}
        opened = [os.readlink(f"/proc/{served.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{served.pid}/fd")]
        assert not [name for name in opened if name[8:-1] in listening and name.startswith("socket:")]
        with served.connect() as line:
            assert line.ask("ping") == "ok"


def test_a_group_may_use_the_socket(tmp_path):
    group = os.getgid()
    from grp import getgrgid

    with daemon(tmp_path, "--group", getgrgid(group).gr_name) as served:
        found = os.stat(served.socket)
        assert (stat.S_IMODE(found.st_mode), found.st_gid) == (0o660, group)


@pytest.mark.slow
def test_there_is_one_daemon_at_a_socket(tmp_path):
    with daemon(tmp_path) as served, daemon(tmp_path, runs=False) as second:
        second.says("a daemon runs already: it listens at .*rpio.sock")
        assert second.process.wait(LIMIT_S) == 1
        with served.connect() as line:
            assert line.ask("ping") == "ok"


@pytest.mark.slow
def test_a_socket_that_a_killed_daemon_left_is_replaced(tmp_path):
    with daemon(tmp_path) as served:
        served.kill()
        assert os.path.exists(served.socket)
        done = served.rpio("read", "17", "--on", "localhost")
        assert done.returncode == 1 and "no board answers on this machine" in done.stderr
        assert "rpio serve" in done.stderr
    with daemon(tmp_path) as served, served.connect() as line:
        assert line.ask("ping") == "ok"


def test_a_port_that_is_taken_is_named_and_the_socket_is_served(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        with daemon(tmp_path, "--port", str(number)) as served, served.connect() as line:
            assert "the port is not served: " in served.look() and f"port {number} on" in served.look()
            assert line.ask("ping") == "ok"


SOMEBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
SOMEBODY += ["--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"]
"""Somebody who is not root, and may read all the same what Python is made of."""


def as_somebody(home, *words, **env):
    """``rpio WORDS`` as him."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("root alone can be somebody else, by setpriv: run the tests as root")
    return subprocess.run(
        [*SOMEBODY, sys.executable, "-m", "RPIO", *words],
        env={**os.environ, "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1", **env},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


@pytest.mark.slow
def test_no_rights_to_the_socket_says_whose_it_is(tmp_path):
    with daemon(tmp_path) as served:
        os.chmod(served.socket, 0o660)
        os.chown(served.socket, 0, 20)
        done = as_somebody(tmp_path, "read", "17", "--on", served.socket)
        assert done.returncode == 1
        assert f"No access to {served.socket}" in done.stderr and "sudo usermod -aG" in done.stderr


def test_systemd_is_told_when_it_is_ready_and_that_it_lives(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "notify"))
        heard.settimeout(LIMIT_S)
        with daemon(tmp_path, NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="200000") as served:
            assert [heard.recv(100) for _ in range(3)] == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"]
            served.process.send_signal(signal.SIGTERM)
            while heard.recv(100) != b"STOPPING=1":
                pass
            assert served.process.wait(LIMIT_S) == 0


@pytest.mark.slow
def test_idle_it_sleeps(tmp_path):
    with daemon(tmp_path) as served:
        assert served.rpio("read", "17", "--on", "localhost").returncode == 0

        def wake_ups():
            with open(f"/proc/{served.pid}/status", encoding="utf-8") as file:
                return [line for line in file if line.startswith("voluntary_ctxt")]

        time.sleep(0.5)
        before = wake_ups()
        time.sleep(2)
        assert wake_ups() == before


# -- the configuration --------------------------------------------------------------------------


def test_what_is_set_and_where_that_was_said(tmp_path):
    with daemon(tmp_path, "--show-config", "--audit", "log", runs=False) as shown:
        assert shown.process.wait(LIMIT_S) == 0
        text = shown.look()
    assert "daemon.toml:2:1)" in text and "(by default)" in text
    assert f'file = "{os.getcwd()}/log"' in text and "(by an option)" in text
    (tmp_path / "again.toml").write_text(text.replace("port = 0", "port = 8599"))
    with daemon(tmp_path, "--show-config", "--config", f"{tmp_path}/again.toml", runs=False) as again:
        assert again.process.wait(LIMIT_S) == 0
        assert f"{tmp_path}/again.toml:" in again.look()


@pytest.mark.parametrize(
    "config, error",
    [
        ("prot = 1", r"daemon\.toml:5:1: there is no 'prot' in \[serve\]; did you mean 'port'\?"),
        ("tcp = 1", r"daemon\.toml:5:1: it is true or false, not 1"),
        ("port = 70000", r"daemon\.toml:5:1: a port is a number from 1 to 65535"),
        (
            '[access]\ntokens = "/tokens"\nopen = ["run"]',
            r"daemon\.toml:7:1: it is a list of read, gpio, i2c, not \['run'\]",
        ),
        ("[acces]", r"there is no 'acces' here; did you mean 'access'\?"),
        ("[audit]\nfile = 'here'", r"daemon\.toml:6:1: it is the path of a file, from / on"),
    ],
)
def test_a_mistake_in_the_configuration_has_its_place(tmp_path, config, error):
    with daemon(tmp_path, config=config + "\n", runs=False) as served:
        served.says(error)
        assert served.process.wait(LIMIT_S) == 1


# -- verbs --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_who_is_there_and_has_which_line(tmp_path):
    rules = "[line.17]\nsafe = 'low'\nname = 'pump'\n"
    with daemon(tmp_path, config=rules) as served, served.connect() as line:
        line.ask("hello 1 anna blink.py 5")
        line.ask("output 17 1")
        text = ok(served.rpio("who"))
        assert "1 other session\n  anna, blink.py (" in text and ", has GPIO 17" in text
        assert "GPIO 17: anna, blink.py, for " in text
        assert "rule: GPIO 17: safe low (" in text and "daemon.toml:" in text
        found = json.loads(ok(served.rpio("who", "--json")))
        assert found["lines"] == [
            {"line": 17, "holder": "anna, blink.py", "seconds": found["lines"][0]["seconds"]}
        ]
        assert ok(served.rpio("serve", "--status")).startswith("a daemon is there: ")
        done = served.rpio("who", "--backend", "sim")
        assert done.returncode == 1 and "--on localhost" in done.stderr


@pytest.mark.slow
def test_who_and_status_ask_the_daemon_that_the_configuration_names(tmp_path):
    """At its socket, whatever lines RPIO_BACKEND chooses for programs here."""
    named = f"{tmp_path}/daemon.toml"
    with daemon(tmp_path) as served:

        def rpio(*words, config=named, backend=""):
            other = {"XDG_RUNTIME_DIR": f"{tmp_path}/none", "RPIO_CONFIG": config, "RPIO_BACKEND": backend}
            return served.rpio(*words, **other)

        for words in (["who"], ["audit"], ["hold"], ["serve", "--status"]):
            ok(rpio(*words))
        for backend in ("sim", "cdev"):
            assert served.socket in ok(rpio("who", backend=backend))
            assert served.socket in ok(
                rpio("serve", "--status", "--config", named, config="", backend=backend)
            )
        assert served.socket in ok(rpio("serve", "--status", "--socket", served.socket, config=""))
        done = rpio("hold", backend="sim")
        assert done.returncode == 1 and "is used by this program alone" in done.stderr
        served.kill(signal.SIGTERM)
        done = rpio("serve", "--status")
        assert done.returncode == 1 and served.socket in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("front", ["smbus", "remoteio", "further", "rraspy"])
def test_an_address_that_is_none_is_an_error_of_usage_by_an_option_and_in_a_file(tmp_path, front):
    for words in ([f"--{front}", "foo"], [f"--{front}", "foo:80"]):
        done = subprocess.run(
            [sys.executable, "-m", "RPIO", "serve", *words], capture_output=True, text=True, check=False
        )
        assert done.returncode == 2 and "'foo' is no address: " in done.stderr
    config = f"[{front}]\naddress = 'foo'\n"
    with daemon(tmp_path, config=config, runs=False) as served:
        served.says(r"daemon.toml:\d+:\d+: .*'foo' is no address")
        assert served.process.wait(LIMIT_S) == 1


@pytest.mark.slow
def test_audit_says_who_has_set_what_and_follows(tmp_path):
    with daemon(tmp_path, "--audit", f"{tmp_path}/audit.jsonl") as served:
        ok(served.rpio("write", "-o", "17=1", "--on", "localhost"))
        ok(served.rpio("write", "-o", "18=1", "--on", "localhost"))
        shown = ok(served.rpio("audit"))
        assert [row.split("  ", 1)[1].split(" by ")[0] for row in shown.splitlines()] == [
            "GPIO 17: output 1",
            "GPIO 18: output 1",
        ]
        (row,) = ok(served.rpio("audit", "--line", "18", "--json")).splitlines()
        assert json.loads(row)["line"] == 18
        assert wait_until((tmp_path / "audit.jsonl").exists)
        served.kill(signal.SIGTERM)
        written = (tmp_path / "audit.jsonl").read_text().splitlines()
        assert [json.loads(line)["line"] for line in written] == [17, 18]


@pytest.mark.slow
def test_audit_follows_and_tells_of_a_second_when_it_is_over(tmp_path):
    with daemon(tmp_path) as served, served.connect() as line:
        words = ["audit", "--follow", "--json", "--line", "17", "--on", "localhost"]
        with program("", words=["-m", "RPIO", *words], **{**served.env, "RPIO_BACKEND": ""}) as follower:
            line.ask("output 17 1")
            line.ask("output 18 1")
            for level in (0, 1) * 50:
                line.ask(f"write 17 {level}")
            follower.says(r'"what": "output", "level": 1, "times": 1}$')
            follower.says(r'"what": "write"')
            told = lambda: [json.loads(row) for row in follower.look().splitlines()]  # noqa: E731
            assert wait_until(lambda: sum(row["times"] for row in told()) == 101)
            assert {row["line"] for row in told()} == {17}
            follower.kill(signal.SIGINT)
            assert follower.process.returncode == 0


@pytest.mark.slow
def test_hold_outlives_who_has_said_it_and_the_daemon(tmp_path):
    with daemon(tmp_path) as served:
        assert ok(served.rpio("hold", "17=1", "27=0")) == "17=1 27=0"
        assert ok(served.rpio("read", "17", "27", "--on", "localhost")).split() == [
            "GPIO",
            "17:",
            "1",
            "GPIO",
            "27:",
            "0",
        ]
        served.kill()
    with daemon(tmp_path) as served:
        assert ok(served.rpio("hold")) == "17=1 27=0"
        done = served.rpio("write", "17=0", "--on", "localhost")
        assert done.returncode == 1 and "in use by rpio hold" in done.stderr
        ok(served.rpio("release", "--all"))
        assert ok(served.rpio("hold")) == "nothing is held"
        done = served.rpio("release", "17")
        assert done.returncode == 1 and "is not held" in done.stderr


@pytest.mark.slow
def test_two_daemons_of_a_user_remember_each_what_it_holds(tmp_path):
    folders = [tmp_path / name for name in ("a", "b")]
    state = str(tmp_path / "state")
    with daemon(folders[0], state=state) as a, daemon(folders[1], state=state) as b:
        ok(a.rpio("hold", "17=1", "--on", "localhost"))
        ok(b.rpio("hold", "27=0", "--on", "localhost"))
    for folder, held in zip(folders, ("ok 17 1", "ok 27 0"), strict=True):
        with daemon(folder, state=state) as served, served.connect() as line:
            assert line.ask("holds") == held


@pytest.mark.slow
def test_a_hold_that_a_rule_forbids_is_refused(tmp_path):
    with daemon(tmp_path, config="[[interlock]]\nlines = [17, 27]\n") as served:
        done = served.rpio("hold", "17=1", "27=1")
        assert done.returncode == 1 and "interlock" in done.stderr and "daemon.toml" in done.stderr
        assert ok(served.rpio("hold")) == "nothing is held"


def test_a_unit_holds_without_a_daemon(tmp_path):
    os.chown(tmp_path, 65534, 65534)
    done = as_somebody(tmp_path, "hold", "17=1", "--unit", RPIO_BACKEND="sim:4B")
    assert ok(done) == f"{tmp_path}/.config/systemd/user/rpio-hold.service"
    with open(ok(done), encoding="utf-8") as file:
        text = file.read()
    assert "write --output --hold 17=1\n" in text and "Restart=always" in text
    assert "systemctl --user enable --now rpio-hold" in done.stderr
    done = as_somebody(tmp_path, "hold", "17=0", "--unit", "--backend", "sim:4B")
    with open(ok(done), encoding="utf-8") as file:
        assert "write --output --hold --backend sim:4B 17=0\n" in file.read()


def test_a_unit_for_another_machine_is_not_written_on_this_one(tmp_path):
    os.chown(tmp_path, 65534, 65534)
    done = as_somebody(tmp_path, "hold", "17=1", "--unit", "--on", "pi")
    assert done.returncode == 2 and "for lines of this machine" in done.stderr
    assert not os.path.exists(f"{tmp_path}/.config")


# -- tokens -------------------------------------------------------------------------------------

READ_ALONE = "[access]\nopen = ['read']\ntokens = '{folder}/tokens'\n"


@pytest.mark.slow
def test_tokens_from_beginning_to_end(tmp_path):
    with daemon(tmp_path, config=READ_ALONE.format(folder=tmp_path)) as served:
        done = served.rpio("write", "-o", "17=1", "--on", "localhost")
        assert done.returncode == 1 and "needs the scope 'gpio'" in done.stderr
        assert "rpio token new --scope gpio" in done.stderr
        path = f"{tmp_path}/anna.token"
        made = served.rpio(
            "token", "new", "anna", "--scope", "gpio", "--lines", "17,18", "--for", "8h", "--to", path
        )
        assert made.returncode == 0 and stat.S_IMODE(os.stat(path).st_mode) == 0o600
        anna = {"RPIO_TOKEN_FILE": path}
        ok(served.rpio("write", "-o", "17=1", "--on", "localhost", **anna))
        done = served.rpio("write", "-o", "4=1", "--on", "localhost", **anna)
        assert done.returncode == 1 and "for 17,18 alone" in done.stderr
        assert "anna: gpio (GPIO 17,18), for 7 h" in ok(served.rpio("token", "list"))
        (listed,) = json.loads(ok(served.rpio("token", "list", "--json")))
        assert listed["lines"] == [17, 18]
        code = """
            import RPIO
            there = RPIO.connect("localhost", on_change=lambda state: print(state, flush=True))
            there.setup(17, RPIO.OUT, initial=1)
            print("has it", flush=True)
            import sys; sys.stdin.readline()
            try:
                there.output(17, 0)
            except RPIO.ConnectionLost as e:
                print("lost:", e, flush=True)
        """
        with program(code, **{**served.env, **anna, "RPIO_BACKEND": ""}) as client:
            client.says("^has it")
            assert "1 session ended" in served.rpio("token", "revoke", "anna").stderr
            client.says("^gone")
            client.tell("")
            client.says("^lost: .*no such token here")
        done = served.rpio("read", "17", "--on", "localhost", **anna)
        assert done.returncode == 1 and "no such token" in done.stderr
        done = served.rpio("token", "revoke", "anna")
        assert done.returncode == 1 and "there is no token anna" in done.stderr


def test_a_token_ends_its_running_session_at_its_time(tmp_path):
    config = READ_ALONE.format(folder=tmp_path) + "[line.17]\nsafe = 'low'\n"
    with daemon(tmp_path, config=config) as served, served.connect() as line, served.connect() as other:
        now_s = time.time()
        file = TokenFile(f"{tmp_path}/tokens")
        _, text = file.add(["i2c"], None, "", now_s, now_s + 4e9)  # longer than a timer takes
        assert other.ask(f"token {text}") == "ok"
        _, text = file.add(["gpio"], None, "", now_s, now_s + 1)
        assert line.ask(f"token {text}") == line.ask("output 17 1") == "ok"
        assert "its time is over" in line.read() and line.read() == ""
        assert wait_until(lambda: other.levels(17) == [0])


@pytest.mark.parametrize("words", [(), ("--no-tcp", "--socket")], ids=["by default", "elsewhere"])
@pytest.mark.slow
def test_revoking_ends_sessions_wherever_its_caller_has_lines(tmp_path, words):
    """With the token in RPIO_TOKEN_FILE that is none any more, with a simulated board in RPIO_BACKEND."""
    elsewhere = f"{tmp_path}/elsewhere.sock"
    config = READ_ALONE.format(folder=tmp_path)
    with daemon(tmp_path, *words, *([elsewhere] if words else []), config=config) as served:
        path = f"{tmp_path}/anna.token"
        assert served.rpio("token", "new", "anna", "--scope", "gpio", "--to", path).returncode == 0
        if words:
            served.socket = elsewhere
            with open(f"{tmp_path}/daemon.toml", encoding="utf-8") as file:
                text = file.read()
            with open(f"{tmp_path}/daemon.toml", "w", encoding="utf-8") as file:
                file.write(text.replace(f"{tmp_path}/run/rpio/rpio.sock", elsewhere))
        with served.connect() as line, open(path, encoding="utf-8") as file:
            assert line.ask(f"token {file.read().strip()}") == "ok"
            done = served.rpio("token", "revoke", "anna", RPIO_TOKEN_FILE=path, RPIO_BACKEND="sim:4B")
            assert done.returncode == 0 and "1 session ended" in done.stderr, done.stderr
            assert line.read().startswith("error NotAllowedError")


@pytest.mark.slow
def test_a_token_for_a_file_that_is_there_is_not_made(tmp_path):
    with daemon(tmp_path) as served:
        (tmp_path / "anna.token").write_text("anna's")
        done = served.rpio("token", "new", "anna", "--to", f"{tmp_path}/anna.token")
        assert done.returncode == 1 and "anna.token" in done.stderr
        assert ok(served.rpio("token", "list")) == "" and (tmp_path / "anna.token").read_text() == "anna's"


@pytest.mark.slow
def test_a_token_stands_in_no_environment_and_no_log(tmp_path):
    with daemon(tmp_path, "-v", config=READ_ALONE.format(folder=tmp_path)) as served:
        text = ok(served.rpio("token", "new", "--scope", "gpio"))
        with served.connect() as line:
            assert line.ask(f"token {text}") == "ok"
            assert line.ask("output 17 1") == "ok"
            assert line.ask(f"token {text}x").startswith("error NotAllowedError")
        served.kill(signal.SIGTERM)
        assert text[5:] not in served.look()


@pytest.mark.slow
def test_sighup_looks_at_the_tokens_again(tmp_path):
    with daemon(tmp_path, config=READ_ALONE.format(folder=tmp_path)) as served:
        text = ok(served.rpio("token", "new", "bert", "--scope", "gpio"))
        with served.connect() as line:
            line.ask(f"token {text}")
            os.unlink(f"{tmp_path}/tokens")
            served.process.send_signal(signal.SIGHUP)
            served.says(r"ended 1 session\(s\)")
            assert line.answer().startswith("error NotAllowedError")


def test_one_that_was_started_in_a_terminal_ends_with_it(tmp_path):
    ours, theirs = os.openpty()
    try:
        with daemon(tmp_path, stdin=theirs) as served:
            served.process.send_signal(signal.SIGHUP)
            assert served.process.wait(LIMIT_S) == 0 and not os.path.exists(served.socket)
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_file_of_tokens_that_others_can_read_is_told_of(tmp_path):
    (tmp_path / "tokens").write_text("")
    (tmp_path / "tokens").chmod(0o644)
    with daemon(tmp_path, config=READ_ALONE.format(folder=tmp_path)) as served:
        assert "chmod 600" in served.look()
        with served.connect() as line:
            assert line.ask("token x").startswith("error NotAllowedError")


# -- killed at any moment -----------------------------------------------------------------------

KILLS = int(os.environ.get("RPIO_KILLS", "3"))


@pytest.mark.slow
def test_killed_at_any_moment_what_is_held_is_held_and_files_are_whole(tmp_path):
    """A program writes, holds change, the audit is written; what the daemon has said is so, it remembers."""
    rng = random.Random(9)
    said, began = {}, dict.fromkeys((17, 27))
    for _ in range(KILLS):
        with daemon(tmp_path, "--audit", f"{tmp_path}/audit.jsonl") as served, served.connect() as line:
            held = line.ask("holds").split()[1:]
            found = {int(k): int(v) for k, v in zip(held[::2], held[1::2], strict=True)}
            for number, level in said.items():
                assert found.get(number) in (level, began[number])
            end = time.monotonic() + rng.uniform(0.0, 0.3)
            line.ask("output 4 0")
            while time.monotonic() < end:
                number, level = rng.choice((17, 27)), rng.randrange(2)
                began[number] = level
                line.ask(f"write 4 {level}")
                assert line.ask(f"hold {number} {level}") == "ok"
                said[number] = level
            began[17], began[27] = rng.randrange(2), rng.randrange(2)
            line.send(f"hold 17 {began[17]} 27 {began[27]}\n".encode())
            served.kill()
    for text in (
        (tmp_path / "audit.jsonl").read_text().splitlines() if (tmp_path / "audit.jsonl").exists() else ()
    ):
        json.loads(text)
