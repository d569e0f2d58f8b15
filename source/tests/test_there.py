# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio run --there``, ``ps``, ``attach``, ``logs`` and ``kill``: with a real daemon, and by a real sshd."""

import contextlib
import json
import os
import pwd
import select
import signal
import subprocess
import sys
import time

import pytest

import ssh_parts
from on_terminal import OnTerminal
from remote_parts import Daemon
from RPIO import errors
from RPIO.backends import opening
from RPIO.remote import uploads
from RPIO.remote.places.places import Place
from RPIO.remote.programs import Line
from support import IS_WHOLE
from tls_parts import Device
from waiting import LIMIT_S, wait_until

ME = pwd.getpwuid(os.geteuid()).pw_name
ON = f"[run]\nenabled = true\nuser = {json.dumps(ME)}\ngrace_s = 1\nprocesses = 0\nwork = "
RPIO = (sys.executable, "-m", "RPIO")


class There:
    """A machine that has programs run: *host* is how the command line names it, *env* that of who types."""

    def __init__(self, host, env, folder):
        self.host, self.env, self.folder = host, {**os.environ, "RPIO_BACKEND": "", **env}, folder
        folder.mkdir(exist_ok=True)

    def words(self, verb, *words):
        where = "--there" if verb == "run" else "--on"
        return [*RPIO, verb, where, self.host, *map(str, words)]

    def keywords(self, **more):
        return {"env": self.env, "cwd": self.folder, **more}

    def rpio(self, verb, *words, stdin=b"", status=0):
        """Type a command, to its end; what it has printed on both."""
        done = subprocess.run(
            self.words(verb, *words),
            input=stdin,
            capture_output=True,
            timeout=LIMIT_S,
            check=False,
            **self.keywords(),
        )
        assert done.returncode == status, done
        return done.stdout, done.stderr

    def out(self, verb, *words, **more):
        """The same, where there is nothing to complain of."""
        out, err = self.rpio(verb, *words, **more)
        assert err == b""
        return out

    @contextlib.contextmanager
    def started(self, verb, *words, stdin=subprocess.PIPE):
        """Type a command that goes on meanwhile."""
        process = subprocess.Popen(
            self.words(verb, *words),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            **self.keywords(),
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def on_terminal(self, verb, *words, **more):
        return OnTerminal(self.words(verb, *words), **self.keywords(**more))

    def rows(self):
        """What runs, or has run."""
        return json.loads(self.out("ps", "--json"))

    def row(self, number):
        return next((row for row in self.rows() if row["number"] == number), None)

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def detached(self, code, *words):
        """Start a program that stays there; its number."""
        out, _ = self.rpio("run", "--detach", *words, "-c", code)
        return int(out)

    def ends(self, number):
        """Wait until a program has ended; its row."""
        assert wait_until(
            lambda: (self.row(number) or {"state": "over"})["state"] == "over", most_pause_s=0.1
        )
        return self.row(number)


def by_daemon(tmp_path_factory):
    folder = tmp_path_factory.mktemp("daemon")
    daemon = Daemon(folder, config=f"{ON}'{folder}/work'\n")
    token = f"{folder}/token"
    assert daemon.rpio("token", "new", "--scope", "run", "--to", token).returncode == 0
    yield There("localhost", {**daemon.env, "RPIO_TOKEN_FILE": token}, folder / "here")
    daemon.close()


def by_ssh(tmp_path_factory):
    if ssh_parts.why_not():
        pytest.skip(ssh_parts.why_not())
    far = ssh_parts.Far()
    config = far.home / ".config" / "rpio"
    config.mkdir(parents=True)
    (config / "rpio.toml").write_text("[run]\ngrace_s = 1\n")
    there = There("far", far.environment, tmp_path_factory.mktemp("ssh"))
    there.far = far
    yield there
    far.close()


def by_tls(tmp_path_factory):
    """A daemon whose port is open to others, with which the other side is paired."""
    folder = tmp_path_factory.mktemp("tls")
    device = Device(folder)
    device.pair()
    daemon = Daemon(folder, "--address", "any", config=f"{ON}'{folder}/work'\n")
    port = daemon.says(r"serving .*:(\d+)$")[1]
    env = {**daemon.env, "XDG_CONFIG_HOME": device.settings}
    there = There(f"127.0.0.1:{port}", env, folder / "here")
    there.device, there.daemon = device, daemon
    yield there
    daemon.close()


WAYS = {"daemon": by_daemon, "tls": by_tls, "ssh": by_ssh}


@pytest.fixture(autouse=True)
def signals():
    """None of them is ignored by what is started: nohup, or a shell that runs the tests aside, may have that."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in (signal.SIGQUIT, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="module", params=list(WAYS))
def there(request, tmp_path_factory):
    """Another machine, in all ways."""
    yield from WAYS[request.param](tmp_path_factory)


@pytest.fixture(scope="module")
def far(tmp_path_factory):
    """Another machine, by ssh."""
    yield from by_ssh(tmp_path_factory)


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """The daemon of this one."""
    yield from by_daemon(tmp_path_factory)


def alive(pid):
    return os.path.exists(f"/proc/{pid}") and ") Z " not in _stat(pid)


def _stat(pid):
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        return file.read()
    return ") Z "


def line_of(process):
    """The next line that a process prints."""
    assert select.select([process.stdout], [], [], LIMIT_S)[0]
    return process.stdout.readline()


# -- streams and how it ends ----------------------------------------------------------------------


@pytest.mark.slow
def test_a_program_runs_there_with_its_arguments(there):
    code = "import sys, os; print(sys.argv[1:], os.environ['RPIO_PROGRAM'].isdecimal())"
    assert there.out("run", "-c", code, "a b", "--detach", "ü") == "['a b', '--detach', 'ü'] True\n".encode()


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("raise SystemExit(3)", 3),
        ("import os; os._exit(255)", 255),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 128 + 9),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", 128 + 11),
    ],
)
def test_the_exit_status_is_the_programs(there, code, status):
    assert there.rpio("run", "-c", code, status=status) == (b"", b"")


def test_its_tracebacks_are_on_standard_error_and_its_output_is_not(there):
    out, err = there.rpio("run", "-c", "print('x'); 1/0", status=1)
    assert out == b"x\n" and err.rstrip().endswith(b"ZeroDivisionError: division by zero")


def test_standard_input_comes_there_as_it_is_and_so_does_its_end(there):
    code = "import sys; data = sys.stdin.buffer.read(); sys.stdout.buffer.write(data[::-1])"
    data = bytes(range(256)) * 2000
    assert there.out("run", "-c", code, stdin=data) == data[::-1]


def test_a_program_that_comes_on_standard_input(there):
    assert there.out("run", "-", "x", stdin=b"import sys; print(sys.argv[1], sys.stdin.read())") == b"x \n"


def test_bytes_that_are_no_text_come_as_they_are_and_as_they_are_split(there):
    code = "import os, time; [(os.write(1, bytes([b])), os.write(2, bytes([255 - b]))) for b in range(256)]"
    assert there.rpio("run", "-c", code) == (bytes(range(256)), bytes(range(255, -1, -1)))


@pytest.mark.slow
def test_what_was_written_before_the_end_always_comes(there):
    for number in range(100 if IS_WHOLE else 6):
        assert there.out("run", "-c", f"print('first'); print({number})") == b"first\n%d\n" % number


BIG = "import sys\nfor n in range(20):\n sys.stdout.buffer.write(b'%07d\\n' % n * (1 << 17))"


@pytest.mark.slow
def test_20_mb_come_complete_to_a_reader_who_takes_his_time(there):
    with there.started("run", "-c", BIG, stdin=subprocess.DEVNULL) as process:
        assert wait_until(lambda: select.select([process.stdout], [], [], 0)[0])
        time.sleep(0.3)  # nothing is read at all, and the program has to wait
        got = bytearray()
        while data := process.stdout.read(1 << 16):
            got += data
            time.sleep(len(data) / 50e6)
        assert got == b"".join(b"%07d\n" % n * (1 << 17) for n in range(20))
        assert process.wait(LIMIT_S) == 0


def test_this_side_does_not_grow_with_what_is_written_there(here):
    code = "import os\nwhile True: os.write(1, b'x' * 65536)"
    with here.started("run", "-c", code, stdin=subprocess.DEVNULL) as process:
        for _ in range(200):
            process.stdout.read(1 << 16)
        time.sleep(0.3)  # it goes on writing as long as anybody takes it
        with open(f"/proc/{process.pid}/statm", encoding="utf-8") as file:
            resident = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        assert resident < 64 << 20


def test_a_reader_who_has_enough_ends_the_program(here):
    code = "import os\nprint(os.getpid(), flush=True)\nwhile True: os.write(1, b'x' * 100 + b'\\n')"
    with here.started("run", "-c", code, stdin=subprocess.DEVNULL) as process:
        pid = int(line_of(process))
        process.stdout.close()
        assert process.wait(LIMIT_S) == 128 + signal.SIGPIPE
        process.stdout = None
        assert wait_until(lambda: not alive(pid))


def test_a_program_that_reads_nothing_of_much_input_gets_ctrl_c_all_the_same(here):
    code = "import time\ntry: print('ready', flush=True); time.sleep(99)\nexcept KeyboardInterrupt: print('got it')"
    with open("/dev/zero", "rb") as zeros, here.started("run", "-c", code, stdin=zeros) as process:
        assert line_of(process) == b"ready\n"
        time.sleep(0.3)  # all buffers on the way are full
        process.send_signal(signal.SIGINT)
        assert line_of(process) == b"got it\n"
        assert process.wait(LIMIT_S) == 0


# -- signals --------------------------------------------------------------------------------------

WAITING = """
import signal
import time
signal.signal(signal.SIGINT, lambda *_: print("no", flush=True))
print("ready", flush=True)
while True:
    time.sleep(0.05)
"""
"""A program that Ctrl+C does not end. Python's pause() would sleep on over a signal that comes right before it."""


def test_ctrl_c_is_the_programs(there):
    code = "import time\ntry: print('ready', flush=True); time.sleep(9)\nexcept KeyboardInterrupt: raise SystemExit(7)"
    with there.started("run", "-c", code) as process:
        assert line_of(process) == b"ready\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(LIMIT_S) == 7


def test_ctrl_c_twice_ends_a_program_that_goes_on(there):
    with there.started("run", "-c", WAITING) as process:
        assert line_of(process) == b"ready\n"
        process.send_signal(signal.SIGINT)
        assert line_of(process) == b"no\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(LIMIT_S) == 128 + signal.SIGINT


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_who_is_told_to_end_ends_the_program_and_all_of_it(there, number):
    code = (
        "import subprocess, os, signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen(['sleep', '1000'], start_new_session=True)\n"
        "print(os.getpid(), child.pid, flush=True)\ntime.sleep(1000)"
    )
    with there.started("run", "-c", code) as process:
        pids = [int(word) for word in line_of(process).split()]
        process.send_signal(number)
        assert process.wait(LIMIT_S) == 128 + number, process.stderr.read()
        assert wait_until(lambda: not any(map(alive, pids)))


def test_other_signals_are_sent_on(here):
    code = (
        "import signal, time\nsignal.signal(signal.SIGUSR1, lambda *_: print('usr1', flush=True))\n"
        "print('ready', flush=True)\ntime.sleep(0.1)\nsignal.pause()"
    )
    with here.started("run", "-c", code) as process:
        assert line_of(process) == b"ready\n"
        process.send_signal(signal.SIGUSR1)
        assert line_of(process) == b"usr1\n"


def test_a_program_ends_with_the_connection_however_that_ends(there):
    with there.started(
        "run", "-c", "import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(1000)"
    ) as process:
        pid = int(line_of(process))
        process.kill()
        assert wait_until(lambda: not alive(pid))


# -- detached -------------------------------------------------------------------------------------

ECHO = "import sys\nprint('ready', flush=True)\nfor line in sys.stdin: print('got', line.strip(), flush=True)"


@pytest.mark.slow
def test_a_detached_program_stays_and_is_met_again(there):
    out, err = there.rpio("run", "--detach", "-c", ECHO)
    number = int(out)
    assert f"rpio attach {number} --on {there.host}".encode() in err
    assert wait_until(lambda: there.out("logs", number) == b"ready\n")
    assert there.row(number)["detached"]
    with there.started("attach", number) as process:
        assert line_of(process) == b"ready\n"
        process.stdin.write(b"one\n")
        assert line_of(process) == b"got one\n"
        process.kill()
    assert there.out("logs", number) == b"ready\ngot one\n"
    there.rpio("kill", number)
    assert there.ends(number)["exitCode"] == -signal.SIGTERM
    assert there.rpio("attach", number, status=128 + signal.SIGTERM)[0] == b"ready\ngot one\n"
    assert f"{number}  -c ".encode() in there.out("ps") and b"ended by SIGTERM" in there.out("ps")
    there.rpio("ps", "--forget", number)
    assert there.row(number) is None


@pytest.mark.slow
def test_ctrl_backslash_leaves_a_program_there_and_a_hang_up_one_that_was(here):
    with here.started("run", "-c", ECHO) as process:
        assert line_of(process) == b"ready\n"
        process.send_signal(signal.SIGQUIT)
        assert process.wait(LIMIT_S) == 0
        said = process.stderr.read()
    (row,) = [row for row in here.rows() if row["state"] == "runs"]
    assert said.decode().endswith(
        f"program {row['number']} goes on; rpio attach {row['number']} --on localhost is there again\n"
    )
    with here.started("attach", row["number"]) as process:
        assert line_of(process) == b"ready\n"
        process.send_signal(signal.SIGHUP)
        assert process.wait(LIMIT_S) == 128 + signal.SIGHUP
    assert here.row(row["number"])["state"] == "runs"
    here.rpio("kill", row["number"])
    here.ends(row["number"])


@pytest.mark.slow
def test_who_leaves_another_ones_program_leaves_it_as_it_is(here):
    with here.started("run", "-c", ECHO) as process:
        assert line_of(process) == b"ready\n"
        (row,) = [row for row in here.rows() if row["state"] == "runs"]
        for number, status in ((signal.SIGQUIT, 0), (signal.SIGTERM, 128 + signal.SIGTERM)):
            with here.started("attach", row["number"]) as other:
                assert line_of(other) == b"ready\n"
                other.send_signal(number)
                assert other.wait(LIMIT_S) == status
        assert not here.row(row["number"])["detached"]
        process.stdin.write(b"one\n")
        assert line_of(process) == b"got one\n"
        process.stdin.close()
        assert process.wait(LIMIT_S) == 0
        process.stdin = None


@pytest.mark.slow
def test_logs_are_followed_to_the_end_or_ctrl_c(here):
    number = here.detached("import time\nfor n in range(3): print(n, flush=True)\ntime.sleep(1000)")
    with here.started("logs", "-f", number) as process:
        assert [line_of(process) for _ in range(3)] == [b"0\n", b"1\n", b"2\n"]
        process.send_signal(signal.SIGINT)
        assert process.wait(LIMIT_S) == 0
    with here.started("logs", "-f", number) as process:
        assert line_of(process) == b"0\n"
        here.rpio("kill", number)
        assert process.wait(LIMIT_S) == 0


@pytest.mark.slow
def test_kill_sends_a_signal_that_is_named(here):
    handler = "signal.signal(2, lambda *_: print('int', flush=True))"
    number = here.detached(f"import signal\n{handler}\nprint(1, flush=True)\nwhile True: signal.pause()")
    assert wait_until(lambda: here.out("logs", number) == b"1\n")
    here.out("kill", number, "--signal", "INT")
    assert wait_until(lambda: here.out("logs", number) == b"1\nint\n")
    here.out("kill", number, "-s", "kill")
    assert here.ends(number)["exitCode"] == -signal.SIGKILL
    assert (
        here.rpio("kill", number, status=1)[1] == f"rpio kill: program {number} has ended already\n".encode()
    )


@pytest.mark.slow
def test_a_program_that_is_not_there(here):
    for verb in ("attach", "logs", "kill"):
        _, err = here.rpio(verb, 9999, status=1)
        assert err.startswith(f"rpio {verb}: there is no program '9999' on ".encode())
    assert b"there is no program 9999" in here.rpio("ps", "--forget", 9999, status=1)[1]


# -- lines ----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_programs_with_the_same_lines_wait_for_each_other_or_are_refused(here):
    first = here.detached("import time; time.sleep(1000)", "--lines", "17,18")
    busy = f"program {first} (-c) has GPIO 17"
    assert here.rpio("run", "--refuse", "--lines", "17", "-c", "1", status=1)[1].startswith(
        f"rpio run: {busy}".encode()
    )
    with here.started("run", "--lines", "17", "-c", "print('now')") as process:
        assert process.stderr.readline().decode() == f"rpio run: waits: {busy}\n"
        here.rpio("kill", first)
        assert line_of(process) == b"now\n"
        assert process.wait(LIMIT_S) == 0


@pytest.mark.slow
def test_who_looks_at_a_program_that_waits_sees_it_begin_and_takes_nothing_from_it(here):
    first = here.detached("import time; time.sleep(1000)", "--lines", "5")
    second = here.detached(ECHO, "--lines", "5")
    with here.started("logs", "-f", second) as looking, here.started("attach", second) as process:
        assert (
            process.stderr.readline().decode().startswith(f"rpio attach: it waits: program {first} (-c) has")
        )
        here.rpio("kill", first)
        assert line_of(looking) == line_of(process) == b"ready\n"
        process.stdin.write(b"one\n")
        assert line_of(looking) == line_of(process) == b"got one\n"
    here.rpio("kill", second)
    here.ends(second)


@pytest.mark.slow
def test_a_program_says_itself_which_lines_it_has(here):
    code = "# rpio: lines 22\nimport time; time.sleep(1000)"
    first = here.detached(code)
    assert here.row(first)["lines"] == [22]
    with here.started("run", "-c", code) as process:
        assert process.stderr.readline().decode() == f"rpio run: waits: program {first} (-c) has GPIO 22\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(LIMIT_S) == 128 + signal.SIGINT
    assert wait_until(
        lambda: len(here.rows()) == len([row for row in here.rows() if row["state"] != "waits"])
    )
    here.rpio("kill", first)
    here.ends(first)


# -- uploads --------------------------------------------------------------------------------------


def test_a_script_runs_in_a_directory_of_its_own(there):
    there.write(
        "hello.py",
        "import os, sys, glob; print(os.path.basename(os.getcwd()), *glob.glob('*'), sys.argv[1:])",
    )
    assert there.out("run", "hello.py", "a") == b"hello hello.py ['a']\n"
    assert there.out("run", "--as", "other", "hello.py") == b"other hello.py []\n"


@pytest.mark.slow
def test_a_folder_runs_its_main_and_finds_what_is_beside_it(there):
    there.write(
        "robot/main.py", "import lib.arm, sys; print(lib.arm.NAME, open('data/x.txt').read(), sys.argv[1:])"
    )
    there.write("robot/lib/arm.py", "NAME = 'arm'")
    there.write("robot/data/x.txt", "x")
    there.write("robot/other.py", "print('other')")
    there.write("robot/.git/HEAD", "ref")
    assert there.out("run", "robot", "a", "b") == b"arm x ['a', 'b']\n"
    assert there.out("run", "--main", "other.py", "robot/") == b"other\n"
    code = "import os; print(sorted(os.listdir()))"
    there.write("robot/main.py", code)
    (there.folder / "robot" / "other.py").unlink()
    found = there.out("run", "robot").decode()
    assert "'main.py'" in found and "other" not in found and ".git" not in found


@pytest.mark.slow
def test_only_what_has_changed_is_brought_again(there):
    there.write("big/main.py", "print(open('a.txt').read(), len(open('b.bin', 'rb').read()))")
    there.write("big/a.txt", "one")
    (there.folder / "big" / "b.bin").write_bytes(bytes(range(256)) * 8192)
    assert there.out("run", "big") == b"one 2097152\n"
    with line_to(there) as line:
        plan = uploads.of_folder(str(there.folder / "big"))
        assert line.upload("big", plan, lambda sent, total: None) == 0
        there.write("big/a.txt", "two")
        sent = []
        plan = uploads.of_folder(str(there.folder / "big"))
        assert line.upload("big", plan, lambda *far: sent.append(far)) == 1
        assert sent == [(0, 3), (3, 3)]
    assert there.out("run", "big") == b"two 2097152\n"


@contextlib.contextmanager
def line_to(there):
    """A connection of this process."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in there.env.items():
            patch.setenv(name, value)
        line = Line(Place(opening.at_host(there.host)), "a test", "test.py")
        try:
            line.open()
            yield line
        finally:
            line.close()


@pytest.mark.slow
def test_a_file_that_changes_while_it_is_sent_leaves_there_what_was_there(there):
    there.write("moving/main.py", "print(1)")
    assert there.out("run", "moving") == b"1\n"
    there.write("moving/main.py", "print(2)")
    with line_to(there) as line:
        plan = uploads.of_folder(str(there.folder / "moving"))
        there.write("moving/main.py", "print(3)")
        with pytest.raises(errors.CommandError):
            line.upload("moving", plan, lambda sent, total: None)
    assert there.out("run", "-c", "print(open('../../../moving/main.py').read())") == b"print(1)\n"


def test_what_cannot_be_uploaded_is_told(here):
    here.write("bad/main.py", "")
    (here.folder / "bad" / "out").symlink_to("/etc/passwd")
    _, err = here.rpio("run", "bad", status=1)
    assert err.startswith(b"rpio run: links of bad lead out of it, or nowhere: out\n")
    here.write("hello.py", "")
    assert b"rpio run: " in here.rpio("run", "--as", ".run", "hello.py", status=1)[1]


# -- on a terminal --------------------------------------------------------------------------------

SIZE = """
import os, signal, sys
show = lambda *_: print("size", *os.get_terminal_size(), flush=True)
signal.signal(signal.SIGWINCH, show)
show()
while (line := input()) != "end":
    print("<", line, ">", flush=True)
"""


KEYS = """
import sys
try:
    print("ready", flush=True)
    sys.stdin.read()
except KeyboardInterrupt:
    print("int", flush=True)
print(repr(sys.stdin.read()), flush=True)
"""


def test_a_program_on_a_terminal_has_the_size_of_this_one_and_its_keys(there):
    with there.on_terminal("run", "-c", SIZE, rows=33, cols=101) as terminal:
        terminal.says(rb"size 101 33\r\n")
        assert wait_until(lambda: terminal.is_raw)
        terminal.type(b"hello\r")
        terminal.says(rb"hello\r\n< hello >\r\n")
        terminal.resize(20, 70)
        terminal.says(rb"size 70 20\r\n")
        terminal.type(b"x\x7fend\r")
        terminal.end(0)


def test_ctrl_c_and_ctrl_d_are_keys_there(there):
    with there.on_terminal("run", "-c", KEYS) as terminal:
        terminal.says(rb"ready\r\n")
        terminal.type(b"\x03")
        terminal.says(rb"\^Cint\r\n")
        terminal.type(b"a\r\x04")
        terminal.says(rb"'a\\n'\r\n")
        terminal.end(0)


@pytest.mark.slow
def test_the_keys_that_leave_a_program_there(there):
    with there.on_terminal("run", "-c", SIZE) as terminal:
        terminal.says(rb"size 80 24\r\n")
        terminal.type(b"\x10x\r")
        terminal.says(rb"< \x10x >\r\n")
        terminal.type(b"\x10")
        terminal.type(b"\x11")
        number = int(terminal.says(rb"program (\d+) goes on; rpio attach")[1])
        terminal.end(0)
    with there.on_terminal("attach", number, rows=10, cols=40) as terminal:
        terminal.says(rb"size 80 24\r\n(.|\r|\n)*size 40 10\r\n")
        terminal.type(b"end\r")
        terminal.end(0)


def test_a_window_that_is_closed_ends_the_program(there):
    code = "import os\nprint('pid', os.getpid(), flush=True)\ninput()"
    with there.on_terminal("run", "-c", code) as terminal:
        pid = int(terminal.says(rb"pid (\d+)\r\n")[1])
        terminal.hang_up()
        assert wait_until(lambda: not alive(pid))
        assert terminal.process.wait(LIMIT_S) == 128 + signal.SIGHUP


def test_a_terminal_is_as_it_was_when_this_side_is_told_to_end(here):
    with here.on_terminal("run", "-c", SIZE) as terminal:
        terminal.says(rb"size 80 24\r\n")
        assert wait_until(lambda: terminal.is_raw)
        terminal.process.send_signal(signal.SIGTERM)
        terminal.end(128 + signal.SIGTERM)


@pytest.mark.slow
def test_no_terminal_there_where_that_is_asked_for_or_output_is_no_terminal(here):
    code = "import sys, os; print(sys.stdin.isatty(), sys.stdout.isatty())"
    with here.on_terminal("run", "--no-pty", "-c", code) as terminal:
        terminal.says(rb"False False\r\n")
        terminal.end(0)
    assert here.out("run", "-c", code) == b"False False\n"
    assert here.out("run", "--pty", "-c", code) == b"True True\r\n"


def test_the_shell_of_the_user_there(there):
    with there.on_terminal("run", "--shell") as terminal:
        assert wait_until(lambda: terminal.is_raw)
        terminal.type(b"echo it is $((6*7))\r")
        terminal.says(rb"it is 42\r\n")
        terminal.type(b"exit 5\r")
        terminal.end(5)


# -- what is wrong --------------------------------------------------------------------------------


def test_without_a_token_the_hint_says_how_one_is_made(here):
    env = {name: value for name, value in here.env.items() if name != "RPIO_TOKEN_FILE"}
    done = subprocess.run(
        here.words("run", "-c", "1"), env=env, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    assert (
        done.returncode == 1 and "scope 'run'" in done.stderr and "rpio token new --scope run" in done.stderr
    )


@pytest.mark.slow
def test_where_programs_are_not_enabled(tmp_path):
    daemon = Daemon(tmp_path)
    try:
        assert daemon.rpio("token", "new", "--scope", "run", "--to", f"{tmp_path}/token").returncode == 0
        done = daemon.rpio("run", "--there", "localhost", "-c", "1", RPIO_TOKEN_FILE=f"{tmp_path}/token")
        assert done.returncode == 1 and "enabled = true in [run]" in done.stderr
    finally:
        daemon.close()


@pytest.mark.slow
def test_more_than_can_be_said_is_told_and_nothing_waits(here):
    for words in (["x"] * 2000, ["x" * 70_000]):
        _, err = here.rpio("run", "-c", "1", *words, status=2)
        assert err.startswith(b"rpio run: start: args cannot be ['x")
    _, err = here.rpio("run", "-", stdin=b"#" + b"\\" * 3_000_000, status=1)
    assert err.startswith(b"rpio run: start is too long for ")
    assert b"no virtual environment" in here.rpio("run", "--venv", "/nowhere", "-c", "1", status=1)[1]


@pytest.mark.parametrize(
    ("rpio", "text"),
    [
        ("echo usage: rpio serve >&2; exit 2", "the RPIO there is older than this one"),
        ("echo there is no RPIO here >&2; exit 127", "RPIO is not installed there"),
        ("echo hello; exec cat", "what answers there is no RPIO"),
        ("kill -9 $$", "no board answers at"),
    ],
)
def test_a_far_end_without_programs(far, rpio, text):
    with far.far.having(rpio):
        _, err = far.rpio("run", "-c", "1", status=1)
    assert text in err.decode() and b"Traceback" not in err


@pytest.mark.slow
def test_a_machine_that_ssh_does_not_know(far):
    words = [*RPIO, "ps", "--on", "nobody.invalid"]
    done = subprocess.run(
        words, capture_output=True, text=True, timeout=LIMIT_S, check=False, **far.keywords()
    )
    assert done.returncode == 1 and "no board answers at ssh://nobody.invalid" in done.stderr


@pytest.mark.parametrize("is_detached", [False, True])
@pytest.mark.slow
def test_a_connection_that_is_lost_is_told_with_what_becomes_of_the_program(far, is_detached):
    code = f"import os\nprint(os.getpid(), flush=True)\n{ECHO}"
    words = ("attach", far.detached(code)) if is_detached else ("run", "-c", code)
    with far.started(*words) as process:
        pid = int(line_of(process))
        assert line_of(process) == b"ready\n"
        (row,) = [row for row in far.rows() if row["pid"] == pid]
        for child in ssh_parts.ssh_children(process.pid):
            os.kill(child, signal.SIGKILL)
        assert process.wait(LIMIT_S) == 255
        err = process.stderr.read().decode()
    fate = "goes on" if is_detached else "ends with it, for it was not detached"
    assert "the connection to ssh://far is lost" in err and f"program {row['number']} {fate}" in err
    assert wait_until(lambda: alive(pid) is is_detached)
    if is_detached:
        far.rpio("kill", row["number"])
        far.ends(row["number"])


@pytest.mark.slow
def test_who_is_taken_off_the_list_in_mid_stream_is_out_at_once_and_so_is_his_program(tmp_path_factory):
    with contextlib.contextmanager(by_tls)(tmp_path_factory) as there:
        endless = (
            "import os, time\nprint(os.getpid(), flush=True)\nwhile 1: print(1, flush=True); time.sleep(0.01)"
        )
        with there.started("run", "-c", endless) as process:
            pid = int(line_of(process))
            assert alive(pid)
            there.device.list()
            with there.daemon.connect() as line:
                assert line.ask("tokens") == "ok 1"
            _, err = process.communicate(timeout=LIMIT_S)
            assert process.returncode == 255
            assert b"has ended the connection: what was shown there" in err and b"has been revoked" in err
            assert f"`rpio pair {there.host}` here".encode() in err and b"is lost" not in err
        assert wait_until(lambda: not alive(pid))
        _, err = there.rpio("ps", status=1)
        assert b"rpio pair" in err


@pytest.mark.slow
def test_who_reads_a_program_hears_that_its_owner_was_revoked(tmp_path):
    """And who is revoked himself, what to type; what he has started is ended, detached as it was."""
    daemon = Daemon(tmp_path, config=f"{ON}'{tmp_path}/work'\n")
    try:
        made = [f"{tmp_path}/{name}" for name in ("owner", "reader")]
        ids = []
        for path in made:
            assert daemon.rpio("token", "new", "--scope", "run", "--to", path).returncode == 0
            listed = {line.split(":")[0] for line in daemon.rpio("token", "list").stdout.splitlines()}
            ids.append((listed - set(ids)).pop())
        owner, reader = (
            There("localhost", {**daemon.env, "RPIO_TOKEN_FILE": path}, tmp_path / "here") for path in made
        )
        number = owner.detached(ECHO)
        with owner.started("attach", number) as his, reader.started("attach", number) as process:
            assert line_of(process) == line_of(his) == b"ready\n"
            assert daemon.rpio("token", "revoke", ids[0]).returncode == 0
            _, err = process.communicate(timeout=LIMIT_S)
            assert process.returncode == 128 + signal.SIGTERM
            assert b"it is ended: what was shown by who has started it has been revoked" in err
            _, err = his.communicate(timeout=LIMIT_S)
            assert his.returncode == 255
            assert b"has been revoked" in err and b"detached programs too" in err and b"goes on" not in err
            assert b"rpio token new --scope run" in err and b"rpio pair" not in err
    finally:
        daemon.close()


@pytest.mark.slow
def test_programs_end_with_their_daemon_and_who_is_there_is_told_how(tmp_path):
    daemon = Daemon(tmp_path, config=f"{ON}'{tmp_path}/work'\n")
    try:
        token = f"{tmp_path}/token"
        assert daemon.rpio("token", "new", "--scope", "run", "--to", token).returncode == 0
        there = There("localhost", {**daemon.env, "RPIO_TOKEN_FILE": token}, tmp_path / "here")
        with there.started("run", "-c", ECHO) as process:
            assert line_of(process) == b"ready\n"
            daemon.kill()
            assert process.wait(LIMIT_S) == 128 + signal.SIGTERM
    finally:
        daemon.close()


@pytest.mark.slow
def test_nobody_there(tmp_path):
    env = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    words = [*RPIO, "ps", "--on", f"{tmp_path}/no.sock"]
    done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 1 and "no board answers at" in done.stderr and "Traceback" not in done.stderr
