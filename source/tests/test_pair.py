# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio pair`` at both machines, with a daemon between, over real TLS: as people and programs use it."""

import json
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest

from remote_parts import Program, daemon
from RPIO import cli
from RPIO.machine import folders
from RPIO.server.outside.offers import OfferFile
from waiting import LIMIT_S, wait_until

CODE = r"^code: ([0-9A-Z]{4}-[0-9A-Z]{4})$"


class Machines:
    """A device with a daemon that is open to others, and another machine: of both the folders."""

    def __init__(self, served, folder):
        self.daemon, self.folder = served, folder
        self.host = f"127.0.0.1:{served.port}"
        self.known = folder / "laptop/rpio/hosts/127.0.0.1"
        self.laptop = {"XDG_CONFIG_HOME": f"{folder}/laptop", "XDG_RUNTIME_DIR": f"{folder}/laptop-run"}

    def show(self, *words, prelude=""):
        """`rpio pair` on the device."""
        code = f"{prelude}\nimport sys; from RPIO.cli import main; sys.exit(main({['pair', *words]!r}))"
        return Program(code, **{**self.daemon.env, "RPIO_BACKEND": ""})

    def rpio(self, *words, stdin="", **env):
        """`rpio WORDS` on the other machine."""
        return subprocess.run(
            [sys.executable, "-m", "RPIO", *words],
            env={**os.environ, **self.daemon.env, **self.laptop, "RPIO_BACKEND": "", **env},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )

    def pair(self, *words, **more):
        """All of it: the code is shown, and typed."""
        shown = self.show(*words)
        try:
            code = shown.says(CODE)[1]
            done = self.rpio("pair", self.host, "--code", code, **more)
            assert done.returncode == 0, done.stderr
            shown.says("^paired: ")
            assert shown.process.wait(LIMIT_S) == 0
            return done
        finally:
            shown.close()

    def write(self, line, level):
        """Set an output, from the other machine."""
        return self.rpio("write", "--output", "--backend", f"remote://{self.host}", f"{line}={level}")


@pytest.fixture
def machines(tmp_path):
    with daemon(tmp_path, "--address", "any") as served:
        yield Machines(served, tmp_path)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """The same for tests that leave it as it was."""
    folder = tmp_path_factory.mktemp("machines")
    with daemon(folder, "--address", "any") as served:
        yield Machines(served, folder)


def files(folder):
    return sorted(os.listdir(folder))


# -- as it is meant -------------------------------------------------------------------------------


@pytest.mark.slow
def test_from_typing_to_the_first_pin_in_ten_seconds(machines):
    begin_s = time.monotonic()
    done = machines.pair()
    written = machines.write(17, 1)
    took_s = time.monotonic() - begin_s
    assert written.returncode == 0, written.stderr
    assert took_s < 10
    assert done.stdout == "127.0.0.1: paired: read, gpio, i2c\n"
    assert f"RPIO.connect('{machines.host}')" in done.stderr
    assert files(machines.known) == ["ca.pem", "client.key", "client.pem", "host.json"]
    assert files(machines.known.parent) == ["127.0.0.1"]
    assert OfferFile(f"{machines.folder}/state/tls").read() is None  # nothing is left of it


@pytest.mark.slow
def test_what_it_is_for_is_said_on_the_device(machines):
    machines.pair("--scope", "gpio", "--lines", "17,18", "--for", "8h", "--name", "guest")
    assert machines.write(17, 1).returncode == 0
    done = machines.write(4, 1)
    assert done.returncode == 1 and "this session has 'gpio' for 17,18 alone" in done.stderr
    listed = machines.daemon.rpio("pair", "--list").stdout
    assert re.fullmatch(r"[0-9a-f]{6} guest: gpio \(GPIO 17,18\), for 7 h\n", listed)
    there = machines.rpio("pair", "--list")
    assert "127.0.0.1: a device that this machine is paired with: gpio (GPIO 17,18)" in there.stdout
    (row,) = json.loads(machines.daemon.rpio("pair", "--list", "--json").stdout)["clients"]
    assert (row["name"], row["scopes"], row["lines"]) == ("guest", ["gpio"], [17, 18])


@pytest.mark.slow
def test_programs_read_json_at_both_sides(machines):
    shown = machines.show("--json")
    try:
        told = json.loads(shown.says(r"^\{.*\}$")[0])
        assert told["valid_s"] == 120 and told["port"] == machines.daemon.port and told["hosts"]
        done = machines.rpio(
            "pair", machines.host, "--json", "--name", "laptop", stdin=f"{told['code'].lower()}\n"
        )
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        assert found["name"] == "127.0.0.1" and found["is_paired"] and found["port"] == told["port"]
        assert json.loads(shown.says(r"^\{\"paired.*\}$")[0])["paired"] == "laptop"
    finally:
        shown.close()


@pytest.mark.slow
def test_a_revocation_ends_what_runs(machines):
    machines.pair("--name", "laptop")
    code = f"""
import sys, RPIO
board = RPIO.connect("remote://{machines.host}")
board.setup(17, RPIO.OUT, initial=1)
print("ready", flush=True)
sys.stdin.readline()
try:
    board.output(17, 0)
except Exception as e:
    print("ended:", type(e).__name__, flush=True)
"""
    program = Program(code, **{**machines.daemon.env, **machines.laptop})
    try:
        program.says("^ready$")
        done = machines.daemon.rpio("pair", "--revoke", "laptop")
        assert (done.returncode, done.stderr) == (0, "revoked; 1 session ended\n")
        program.tell("")
        program.says("^ended: ")
    finally:
        program.close()
    done = machines.write(17, 1)
    assert done.returncode == 1 and "not paired with that one any more" in done.stderr
    done = machines.daemon.rpio("pair", "--revoke", "laptop")
    assert done.returncode == 1 and "nobody of the name laptop is paired" in done.stderr


@pytest.mark.slow
def test_forgotten_it_has_to_be_paired_anew(machines):
    machines.pair()
    done = machines.rpio("pair", "--forget", "127.0.0.1")
    assert done.returncode == 0 and "rpio pair --revoke" in done.stderr
    assert files(machines.known.parent) == []
    done = machines.rpio("pair", "--forget", "127.0.0.1")
    assert done.returncode == 1 and "127.0.0.1 is not known here; known are: none" in done.stderr


@pytest.mark.slow
def test_who_has_a_token_needs_the_authority_alone(machines):
    authority = f"{machines.folder}/state/tls/ca.pem"
    done = machines.rpio("pair", machines.host, "--authority", authority)
    assert done.returncode == 0, done.stderr
    assert re.search(r"known by its authority, SHA-256 [0-9a-f]{64}", done.stdout)
    assert files(machines.known) == ["ca.pem", "host.json"]
    done = machines.write(17, 1)
    assert done.returncode == 1 and "has shown no token" in done.stderr
    token = str(machines.folder / "token")
    assert machines.daemon.rpio("token", "new", "--scope", "gpio", "--to", token).returncode == 0
    words = ("write", "--output", "--backend", f"remote://{machines.host}", "17=1")
    done = machines.rpio(*words, RPIO_TOKEN_FILE=token)
    assert done.returncode == 0, done.stderr
    assert "for who shows a token" in machines.rpio("pair", "--list").stdout


@pytest.mark.slow
def test_another_authority_is_not_written_down(shared, tmp_path):
    from RPIO.server.outside.authority import Authority

    other = Authority(str(tmp_path / "tls"))
    other.make()
    done = shared.rpio("pair", shared.host, "--authority", other.path)
    assert done.returncode == 1 and "its certificate is signed by somebody else" in done.stderr
    for text in ("", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
        (tmp_path / "no.pem").write_text(text)
        done = shared.rpio("pair", shared.host, "--authority", f"{tmp_path}/no.pem")
        assert done.returncode == 2 and "no authority's certificate" in done.stderr
    assert not shared.known.exists()


@pytest.mark.slow
def test_a_program_that_serves_other_machines_pairs_too(tmp_path):
    code = """
import RPIO
print("at", RPIO.serve_remote(port=0, host="0.0.0.0"), flush=True)
RPIO.wait_for_interrupts()
"""
    env = {"HOME": str(tmp_path), "STATE_DIRECTORY": f"{tmp_path}/state", "RPIO_CONFIG": ""}
    served = Program(code, **env)
    try:
        served.env, served.port = env, int(served.says(r"^at (\d+)$")[1])
        machines = Machines(served, tmp_path)
        machines.pair()
        done = machines.write(17, 1)
        assert done.returncode == 0, done.stderr
    finally:
        served.close()


# -- codes ----------------------------------------------------------------------------------------


def wrong(code):
    """A code that is another one."""
    return ("1" if code[0] != "1" else "2") + code[1:]


@pytest.mark.slow
def test_three_that_are_wrong_and_the_next_code_is_shown(machines):
    shown = machines.show()
    try:
        code = shown.says(CODE)[1]
        for attempt in range(1, 4):
            done = machines.rpio("pair", machines.host, "--code", wrong(code))
            assert done.returncode == 1 and "that is not the code" in done.stderr
            assert "type the code that `rpio pair` shows there now" in done.stderr
            shown.says(rf"^127\.0\.0\.1:\d+ has failed: {attempt} of 3 attempts$")
        shown.says("^that code is over; here is the next one$")
        assert wait_until(lambda: len(re.findall(CODE, shown.look(), re.MULTILINE)) == 2)
        done = machines.rpio("pair", machines.host, "--code", code)
        assert done.returncode == 1 and "that is not the code" in done.stderr
        newer = re.findall(CODE, shown.look(), re.MULTILINE)[1]
        assert machines.rpio("pair", machines.host, "--code", newer).returncode == 0
        shown.says("^paired: ")
    finally:
        shown.close()
    log = machines.daemon.look()
    assert len(re.findall("it has tried a code that is wrong", log)) == 1  # of an address and minute
    assert code not in log and newer not in log


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT], ids=lambda number: number.name
)
@pytest.mark.slow
def test_a_code_that_nobody_sees_any_more_is_none(machines, number):
    shown = machines.show()
    try:
        code = shown.says(CODE)[1]
        shown.process.send_signal(number)
        assert shown.process.wait(LIMIT_S) == 128 + number
        done = machines.rpio("pair", machines.host, "--code", code)
        assert done.returncode == 1 and "there is no code there to pair with" in done.stderr
    finally:
        shown.close()


@pytest.mark.slow
def test_a_code_is_over_after_its_time(machines):
    shown = machines.show(prelude="from RPIO.wire import pairing; pairing.VALID_S = 0.5")
    try:
        code = shown.says(CODE)[1]
        shown.says("^that code is over; here is the next one$")
        done = machines.rpio("pair", machines.host, "--code", code)
        assert done.returncode == 1 and re.search("not the code|no code there", done.stderr)
    finally:
        shown.close()


@pytest.mark.parametrize("code", ["", "123", "7K3M-9QXTT", "7K3M-9QXU"])
def test_what_cannot_be_a_code_reaches_nobody(shared, code):
    done = shared.rpio("pair", "192.0.2.1", "--code", code)
    assert done.returncode == 2 and "a code has 8 letters and digits, such as 7K3M-9QXT" in done.stderr


def test_without_a_code_on_stdin_it_says_where_it_is(shared):
    done = shared.rpio("pair", shared.host)
    assert done.returncode == 2 and "the code is missing: `rpio pair` on the device shows it" in done.stderr
    assert not shared.known.exists()


def test_where_no_code_is_shown_it_says_what_to_type(shared):
    done = shared.rpio("pair", shared.host, "--code", "7K3M9QXT")
    assert done.returncode == 1
    assert "there is no code there to pair with\nrun `rpio pair` there" in done.stderr


@pytest.mark.slow
def test_interrupted_the_code_is_over(machines):
    shown = machines.show()
    try:
        code = shown.says(CODE)[1]
        shown.kill(signal.SIGINT)
        assert shown.process.returncode == 130
        assert "Traceback" not in shown.look()
    finally:
        shown.close()
    done = machines.rpio("pair", machines.host, "--code", code)
    assert done.returncode == 1 and "there is no code there" in done.stderr


@pytest.mark.slow
def test_of_two_who_show_codes_the_first_one_ends(machines):
    first = machines.show()
    try:
        old = first.says(CODE)[1]
        second = machines.show()
        try:
            code = second.says(CODE)[1]
            first.says("another `rpio pair` shows a code now")
            assert first.process.wait(LIMIT_S) == 1
            assert machines.rpio("pair", machines.host, "--code", old).returncode == 1
            assert machines.rpio("pair", machines.host, "--code", code).returncode == 0
        finally:
            second.close()
    finally:
        first.close()


@pytest.mark.slow
def test_a_device_that_cannot_sign_says_why_and_nothing_is_kept(machines):
    shown = machines.show()
    try:
        code = shown.says(CODE)[1]
        os.chmod(f"{machines.folder}/state/tls/ca.key", 0o644)
        done = machines.rpio("pair", machines.host, "--code", code)
        assert (
            done.returncode == 1 and "pairing has failed there, and `rpio pair` says there why" in done.stderr
        )
        assert str(machines.folder) not in done.stderr
        shown.says(r"knew the code, but: others may read the key .*ca\.key")
        assert shown.process.wait(LIMIT_S) == 1
    finally:
        shown.close()
    assert not machines.known.exists() and files(machines.known.parent) == []


# -- at a terminal --------------------------------------------------------------------------------


class Terminal:
    """`rpio pair` at a terminal."""

    def __init__(self, env, *words):
        here, there = pty.openpty()
        self.here, self.text = here, ""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "RPIO", "pair", *words],
            env={**os.environ, **env, "RPIO_BACKEND": "", "PYTHONIOENCODING": "utf-8"},
            stdin=there,
            stdout=there,
            stderr=there,
        )
        os.close(there)
        os.set_blocking(here, False)

    def look(self):
        try:
            self.text += os.read(self.here, 1 << 16).decode(errors="replace")
        except (BlockingIOError, OSError):
            pass
        return self.text

    def says(self, pattern):
        assert wait_until(lambda: re.search(pattern, self.look()) or self.process.poll() is not None)
        found = re.search(pattern, self.look())
        assert found, self.text
        return found

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(LIMIT_S)
        os.close(self.here)


@pytest.mark.slow
def test_people_see_the_code_its_time_and_a_drawing_of_it(machines):
    pytest.importorskip("segno", reason="needs segno, as `make dev` installs it")
    shown = Terminal(machines.daemon.env)
    try:
        port = machines.daemon.port
        host = shown.says(rf"on the other machine:  rpio pair (\S+):{port}\r\n")[1]
        assert host
        code = shown.says(r"and there, the code:   ([0-9A-Z]{4}-[0-9A-Z]{4})\r\n")[1]
        shown.says("[▀▄█]{20}")
        shown.says(r"good for 1(20|1\d) s still; Ctrl\+C ends it")
        typing = Terminal({**machines.daemon.env, **machines.laptop}, machines.host)
        try:
            typing.says("code: ")
            os.write(typing.here, b"what?\n")
            typing.says("a code has 8 letters and digits")
            os.write(typing.here, code.replace("-", " ").lower().replace("0", "o").encode() + b"\n")
            typing.says(r"127\.0\.0\.1: paired: read, gpio, i2c")
            assert typing.process.wait(LIMIT_S) == 0
        finally:
            typing.close()
        shown.says("paired: ")
        assert shown.process.wait(LIMIT_S) == 0
    finally:
        shown.close()


@pytest.mark.slow
def test_without_the_package_nothing_is_drawn(machines, tmp_path):
    (tmp_path / "none").mkdir()
    (tmp_path / "none/segno.py").write_text("raise ImportError('no segno')\n")
    shown = Terminal({**machines.daemon.env, "PYTHONPATH": f"{tmp_path}/none"})
    try:
        shown.says(r"good for \d+ s still")
        assert "▀" not in shown.text and "and there, the code:" in shown.text
        assert shown.text.count("pip install 'RPIO[qr]'") == 1
    finally:
        shown.close()


# -- what cannot be -------------------------------------------------------------------------------


@pytest.mark.slow
def test_where_nobody_is_open_to_others_it_says_what_to_type(tmp_path):
    with daemon(tmp_path, "--address", "127.0.0.1") as served:
        done = served.rpio("pair")
        assert done.returncode == 1 and done.stdout == ""
        assert "is open to other machines, so nobody can come to be paired" in done.stderr
        assert "rpio serve --address any" in done.stderr


def test_who_is_not_root_is_told_where_the_daemon_is_the_systems(tmp_path, monkeypatch, capsys):
    for name in ("STATE_DIRECTORY", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(folders, "OF_SYSTEM", str(tmp_path / "run"))
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    (tmp_path / "run").mkdir()
    assert cli.main(["token", "new", "one"]) == 0 and "sudo" not in capsys.readouterr().err
    (tmp_path / "run/rpio.sock").touch()
    assert cli.main(["token", "new", "two"]) == 0 and "(sudo rpio token new)" in capsys.readouterr().err
    assert cli.main(["pair"]) == 1 and "sudo rpio pair, since the daemon" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("pi.local", "--scope", "read"), "--scope: that is said on the device"),
        (("pi.local", "--lines", "17"), "--lines: that is said on the device"),
        (("pi.local", "--for", "8h"), "--for: that is said on the device"),
        (("--code", "7K3M9QXT"), "--code: of which device? rpio pair HOST --code ..."),
        (("--authority", "x"), "--authority: of which device? rpio pair HOST --authority ..."),
        (("pi.local", "--authority", "x", "--code", "7K3M9QXT"), "nothing is paired"),
        (("--list", "pi.local"), "--list, --revoke and --forget stand alone"),
        (("--revoke", "x", "--name", "y"), "--list, --revoke and --forget stand alone"),
        (("--list", "--revoke", "x"), "not allowed with argument"),
        (("--name", "a\x1b[2J"), "is no name"),
        (("--name", ""), "is no name"),
        (("--name", "x" * 65), "is no name"),
        (("--scope", "read", "--lines", "17"), "--lines are those of the scope gpio"),
        (("--scope", "nonsense"), "invalid choice"),
        (("a b",), "is no machine: that is pi.local"),
        (("pi.local:99999",), "is no machine"),
        (("http://pi.local",), "is no machine"),
        (("--forget", "../x"), "is no name or address of a machine"),
    ],
)
def test_what_cannot_be_read_is_said_to_be_so(tmp_path, words, says):
    env = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": f"{tmp_path}/c", "XDG_STATE_HOME": f"{tmp_path}/s"}
    done = subprocess.run(
        [sys.executable, "-m", "RPIO", "pair", *words],
        env={**os.environ, **env, "RPIO_BACKEND": ""},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 2 and says in done.stderr, done.stderr
    assert files(tmp_path) == []


@pytest.mark.slow
def test_a_device_that_is_not_there_says_what_to_look_at(shared):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{taken.getsockname()[1]}"
        done = shared.rpio("pair", host, "--code", "7K3M9QXT")
    assert done.returncode == 1 and f"{host}: Connection refused" in done.stderr
    assert f"is it port {host.partition(':')[2]}? `rpio serve --address any` there opens 8510" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("words", [["ps", "--on"], ["read", "17", "--on"], ["tunnel"]], ids=" ".join)
def test_who_comes_by_ssh_to_a_port_that_is_not_sshs_is_told_of_the_pairing(shared, words):
    """Which is where what was not paired goes that has a port: HOST:8510."""
    if shutil.which("ssh") is None:
        pytest.skip("needs ssh: sudo apt install openssh-client")
    front = ["remoteio"] if words == ["tunnel"] else []
    done = shared.rpio(*words, f"ssh://{shared.host}", *front)
    assert done.returncode == 1 and f"no board answers at ssh://{shared.host}, for ssh says" in done.stderr
    assert "try by hand: ssh -p" in done.stderr
    assert "without ssh: `rpio pair` there, and `rpio pair 127.0.0.1` here" in done.stderr


@pytest.mark.slow
def test_where_nothing_is_known_the_list_says_so(tmp_path, shared):
    env = {"XDG_CONFIG_HOME": f"{tmp_path}/c", "RPIO_CONFIG": "", "XDG_STATE_HOME": f"{tmp_path}/s"}
    done = shared.rpio("pair", "--list", STATE_DIRECTORY=f"{tmp_path}/s", **env)
    assert done.returncode == 0 and done.stdout == ""
    assert "nobody is paired with this machine, and it knows no device" in done.stderr
