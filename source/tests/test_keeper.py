# SPDX-License-Identifier: LGPL-3.0-or-later
"""The keeper: programs start, are heard to the last byte, hear what they are sent, and end with all they have begun."""

import hashlib
import os
import signal
import tempfile

import pytest

from keeper_parts import FOREVER, code, keeping
from RPIO.wire import runs
from RPIO.wire.runs import Data, Message
from waiting import wait_until

DEAF = "import signal, time\nsignal.signal(15, signal.SIG_IGN)\nprint('on', flush=True)\nwhile True: time.sleep(100)"


@pytest.fixture
def keeper(tmp_path):
    with keeping(tmp_path) as made:
        yield made


@pytest.fixture
def client(keeper):
    made = keeper.client()
    yield made
    made.close()


def is_there(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


# -- what starts ------------------------------------------------------------------------------------


def test_a_program_is_started_and_heard_and_its_exit_code_told(client):
    text = "import sys\nprint('out')\nprint('err', file=sys.stderr)\nsys.exit(3)"
    assert client.run(**code(text)) == (3, b"out\n", b"err\n")


def test_its_number_is_that_of_its_group_and_session(client):
    status, out, _ = client.run(**code("import os\nprint(os.getpid(), os.getpgrp(), os.getsid(0))"))
    assert status == 0
    assert len(set(out.split())) == 1


def test_a_script_has_a_fresh_folder_which_goes_with_it(client, keeper):
    _, out, _ = client.run(**code("import os\nopen('x', 'w')\nprint(os.getcwd())"))
    folder = out.decode().strip()
    assert folder.startswith(f"{keeper.work}/.run/")
    assert wait_until(lambda: not os.path.exists(folder))


def test_a_directory_is_made_and_stays_without_the_script(client, keeper):
    _, out, _ = client.run(**code("open('kept', 'w')\nprint(__file__)", directory="mine/deep"))
    assert os.listdir(keeper.work / "mine/deep") == ["kept"]
    assert out.decode().startswith(f"{keeper.work}/mine/deep/")


def test_a_path_is_below_the_work_directory_and_its_folder_is_where_it_runs(client, keeper):
    (keeper.work / "there").mkdir()
    (keeper.work / "there/prog.py").write_text("import os, sys\nprint(os.getcwd(), sys.argv)")
    _, out, _ = client.run(runner="python3", path="there/prog.py", args=["a b", "c"])
    assert out.decode() == f"{keeper.work}/there ['{keeper.work}/there/prog.py', 'a b', 'c']\n"


def test_exec_runs_the_file_itself(client):
    assert client.run(runner="exec", code="#!/bin/sh\necho $0 | tail -c 7; exit 4")[:2] == (4, b"exec-1\n")


@pytest.mark.slow
def test_a_shell_on_a_terminal_knows_its_size_and_hears_of_another(client):
    client.ask("start", "s", runner="shell", pty=True, rows=10, cols=70)
    client.type("s", "stty size\n")
    heard = b""
    while b"10 70" not in heard:
        heard += client.hear().value
    client.say("resize", "s", rows=30, cols=100)
    client.type("s", "stty size; exit 3\n")
    status, out, _ = client.rest("s")
    assert status == 3
    assert b"30 100" in out


def test_the_environment_is_the_users_and_says_where_the_lines_are(client):
    text = "import os\nprint(*[os.environ.get(name) for name in ('TERM', 'RPIO_BACKEND', 'SECRET')])"
    os.environ["SECRET"] = "x"  # of whoever starts a keeper afterwards; this one has none either
    try:
        assert client.run(**code(text))[1] == b"xterm-256color sim None\n"
    finally:
        del os.environ["SECRET"]


def test_a_program_uses_lines_by_rpi_gpio(client):
    text = "import RPi.GPIO as GPIO\nGPIO.setmode(GPIO.BCM)\nGPIO.setup(17, GPIO.OUT, initial=1)\nprint(GPIO.input(17))"
    assert client.run(**code(text))[1] == b"1\n"


def test_a_virtual_environment_is_that_of_the_start(client, tmp_path):
    venv = tmp_path / "venv/bin"
    venv.mkdir(parents=True)
    (venv / "python3").write_text('#!/bin/sh\necho "$VIRTUAL_ENV" "$@"\n')
    (venv / "python3").chmod(0o755)
    status, out, _ = client.run(**code("", venv=str(venv.parent)))
    assert (status, out.split()[:2]) == (0, [str(venv.parent).encode(), b"-u"])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"runner": "python3", "path": "nofile.py"}, "no file"),
        ({"runner": "python3"}, "neither code nor the path"),
        ({"runner": "exec", "path": "/etc/passwd"}, "cannot be executed"),
        ({"runner": "exec", "code": "no first line"}, "Exec format error"),
        ({"runner": "exec", "code": "#!/no/such/program\n"}, "No such file"),
        ({"runner": "python3", "code": "", "path": "nowhere"}, "no directory"),
        ({"runner": "python3", "code": "", "directory": "../beside"}, "no directory of the work directory"),
        ({"runner": "python3", "code": "", "directory": "/etc"}, "no directory of the work directory"),
        ({"runner": "python3", "code": "", "directory": ".run"}, "no directory of the work directory"),
        ({"runner": "python3", "code": "", "venv": "/nowhere"}, "no virtual environment"),
        ({"runner": "python3", "code": "# rpio: lines 5000"}, "BCM numbers"),
        ({"runner": "perl", "code": ""}, "runner cannot be 'perl'"),
        ({"runner": "python3", "code": 3}, "code cannot be 3"),
        ({"runner": "python3", "code": "", "colour": 1}, "there is no 'colour'"),
    ],
)
def test_what_cannot_be_started_is_an_error_and_its_id_is_free(client, data, words):
    refused = client.ask("start", "p", **data)
    assert refused.type == "error"
    assert words in refused.data["message"]
    assert client.run(**code("print('after')")) == (0, b"after\n", b"")


def test_a_link_out_of_the_work_directory_is_no_directory(client, keeper, tmp_path):
    (keeper.work / "out").symlink_to(tmp_path)
    refused = client.ask("start", "p", **code("", directory="out"))
    assert "leads out" in refused.data["message"]


def test_an_id_is_of_one_program_at_a_time(client):
    client.ask("start", "p", **code(FOREVER))
    assert "already" in client.ask("start", "p", **code("")).data["message"]
    client.say("stop", "p")
    assert client.rest()[0] == -signal.SIGTERM
    assert client.run(**code("print(1)")) == (0, b"1\n", b"")


def test_a_client_has_several_and_clients_do_not_share_ids(keeper, client):
    other = keeper.client()
    for who, id in ((client, "a"), (client, "b"), (other, "a")):
        assert who.ask("start", id, **code(f"input()\nprint('{id}')")).type == "started"
    for who, id in ((other, "a"), (client, "b"), (client, "a")):
        who.type(id, "\n")
        assert who.rest(id) == (0, f"{id}\n".encode(), b"")
    other.close()


# -- what is written and read -----------------------------------------------------------------------


def test_what_is_sent_comes_to_standard_input_and_its_end_too(client):
    client.ask("start", "p", **code("import sys\nprint(len(sys.stdin.buffer.read()))"))
    for _ in range(10):
        client.send(runs.STDIN, "p", b"x" * 50_000)
    client.say("eof", "p")
    assert client.rest() == (0, b"500000\n", b"")


@pytest.mark.slow
def test_twenty_megabytes_come_whole_to_who_reads_slowly(client):
    text = "import os\nfor n in range(400): os.write(1, bytes([n % 251]) * 50_000)\nprint('end')"
    client.ask("start", "p", **code(text))
    out = b""
    for n, each in enumerate(iter(client.hear, None)):
        if isinstance(each, Message):
            break
        out += each.value
        if n % 100 == 0:
            wait_until(lambda: False, 0.005)
    assert out == b"".join(bytes([n % 251]) * 50_000 for n in range(400)) + b"end\n"


def test_who_does_not_read_is_waited_for_and_his_program_with_him(client):
    text = "import os\nn = 0\nwhile n < 50_000_000: n += os.write(1, b'x' * 65536)"
    started = client.ask("start", "p", **code(text))

    def state():
        with open(f"/proc/{started.data['pid']}/wchan", encoding="ascii") as file:
            return file.read()

    assert wait_until(lambda: "pipe" in state())
    count = 0
    for each in iter(client.hear, None):
        if isinstance(each, Message):
            break
        count += len(each.value)
    assert count >= 50_000_000


def test_who_never_reads_is_dropped_and_his_program_told(tmp_path):
    with keeping(
        tmp_path, prelude="import RPIO.programs.clients as clients; clients.STALL_S = 0.3"
    ) as keeper:
        client, other = keeper.client(), keeper.client()
        text = """\
import os, signal, sys
signal.signal(signal.SIGTERM, lambda *_: (open('told', 'w').close(), os._exit(0)))
while True: os.write(1, b'x' * 65536)"""
        client.say("start", "p", **code(text, directory="d"))
        assert wait_until((keeper.work / "d/told").exists)
        assert wait_until(lambda: other.ask("list").data["programs"] == [])
        other.close()
        client.close()


def test_who_says_something_now_and_then_is_not_dropped(tmp_path):
    with keeping(
        tmp_path, prelude="import RPIO.programs.clients as clients; clients.STALL_S = 0.1"
    ) as keeper:
        client = keeper.client()
        client.say("start", "p", **code("import os\nos.write(1, b'x' * 1_000_000)"))
        for _ in range(30):
            client.say("ping")
            wait_until(lambda: False, 0.02)
        found = client.until("stopped", "p")
        assert sum(len(each.value) for each in found if isinstance(each, Data)) == 1_000_000
        client.close()


def test_the_last_line_always_comes(client):
    for _ in range(int(os.environ.get("RPIO_LAST_LINES", "20"))):
        assert client.run(runner="exec", code="#!/bin/sh\necho one\necho two\n") == (0, b"one\ntwo\n", b"")


def test_bytes_that_are_no_text_come_as_they_are(client):
    text = "import sys\nsys.stdout.buffer.write(bytes(range(256)) + '\u20ac'.encode()[:2])"
    assert client.run(**code(text))[1] == bytes(range(256)) + b"\xe2\x82"


def test_what_print_writes_in_two_comes_in_one(client):
    """As a rule: a busy machine may take its time between the two."""
    client.ask("start", "p", **code("while True:\n input()\n print('hi')"))
    found = set()
    for _ in range(100):
        client.type("p", "\n")
        found.add(client.hear().value)
        if b"hi\n" in found:
            return
    raise AssertionError(found)


def test_standard_input_that_nobody_reads_is_refused_and_harms_nobody(client):
    client.ask("start", "p", **code("import os, time\nos.close(0)\nprint('closed')\ntime.sleep(100)"))
    assert client.line() == b"closed\n"

    def refused():
        client.type("p", "x\n")
        client.say("ping")
        found = client.hear()
        if found.type == "error":
            assert client.hear().type == "pong"
        return found.type == "error"

    assert wait_until(refused)
    client.say("stop", "p")
    assert client.rest()[0] == -signal.SIGTERM


@pytest.mark.parametrize(
    "type", ["stop", "eof", "resize", "signal", "keyevent", "detach", "end", "forget", "attach"]
)
def test_what_is_of_no_program_is_an_error(client, type):
    data = {
        "resize": {"rows": 1, "cols": 1},
        "signal": {"signal": "INT"},
        "keyevent": {"key": "a", "event": "keyup"},
        "end": {"number": 9},
        "forget": {"number": 9},
        "attach": {"number": 9},
    }.get(type, {})
    refused = client.ask(type, "" if type in ("end", "forget") else "p", **data)
    assert (refused.type, refused.data["about"]) == ("error", type)
    assert "there is no program" in refused.data["message"]


def test_a_program_on_pipes_has_no_size(client):
    client.ask("start", "p", **code(FOREVER))
    assert "no terminal" in client.ask("resize", "p", rows=1, cols=1).data["message"]
    client.say("stop", "p")
    client.rest()


# -- how they end -----------------------------------------------------------------------------------


def test_stop_is_sigterm_and_sigkill_for_who_does_not_hear_it(client):
    for text, status in ((FOREVER, -signal.SIGTERM), (DEAF, -signal.SIGKILL)):
        client.ask("start", "p", **code(text))
        assert client.line() == b"on\n"
        client.say("stop", "p")
        assert client.rest()[0] == status


def test_a_signal_goes_to_the_group_and_is_not_ignored_from_birth(client):
    client.ask("start", "p", **code(FOREVER))
    client.line()
    client.say("signal", "p", signal="INT")
    status, _, err = client.rest()
    assert status == -signal.SIGINT
    assert b"KeyboardInterrupt" in err


DAEMON = """\
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        {deaf}
        open('pid', 'w').write(str(os.getpid()))
        time.sleep(1000)
    os._exit(0)
os.wait()
while not os.path.exists('pid') or not open('pid').read(): time.sleep(0.01)
print('on', flush=True)
{rest}
"""


@pytest.mark.parametrize("deaf", ["pass", "import signal; signal.signal(15, signal.SIG_IGN)"])
@pytest.mark.parametrize(("rest", "status"), [("time.sleep(1000)", -signal.SIGTERM), ("pass", 0)])
def test_who_has_daemonised_himself_ends_with_his_program(client, keeper, deaf, rest, status):
    client.ask("start", "p", **code(DAEMON.format(deaf=deaf, rest=rest), directory="d"))
    assert client.line() == b"on\n"
    pid = int((keeper.work / "d/pid").read_text())
    if status:
        assert is_there(pid)
        client.say("stop", "p")
    assert client.rest()[0] == status
    assert wait_until(lambda: not is_there(pid))


def test_what_it_has_left_behind_does_not_hold_up_its_end(client):
    assert client.run(runner="exec", code="#!/bin/sh\nsleep 1000 &\necho out\n")[:2] == (0, b"out\n")


def test_programs_end_with_the_connection(client, keeper):
    started = client.ask("start", "p", **code(DEAF))
    client.line()
    client.close()
    assert wait_until(lambda: not is_there(started.data["pid"]))
    other = keeper.client()
    assert wait_until(lambda: other.ask("list").data["programs"] == [])
    other.close()


def test_programs_end_with_the_keeper_and_he_waits_for_them(client, keeper):
    started = client.ask("start", "p", **code(DEAF))
    client.line()
    assert keeper.end() == 0
    assert not is_there(started.data["pid"])
    assert not os.path.exists(keeper.path)


def test_a_program_does_not_outlive_a_keeper_that_is_killed(client, keeper):
    started = client.ask("start", "p", **code(DEAF))
    client.line()
    keeper.process.kill()
    keeper.process.wait()
    assert wait_until(lambda: not is_there(started.data["pid"]))


# -- detached ---------------------------------------------------------------------------------------


def test_a_detached_program_goes_on_and_is_heard_by_who_comes_later(client, keeper):
    client.ask("start", "p", **code("print('one')\ninput()\nprint('two')", detached=True, name="mine"))
    client.line()
    client.close()
    other = keeper.client()
    (found,) = other.ask("list").data["programs"]
    assert (found["name"], found["state"], found["detached"], found["clients"]) == ("mine", "runs", True, 0)
    assert other.ask("attach", "x", number=found["number"]).data == {
        "number": found["number"],
        "name": "mine",
        "pty": False,
        "lost": 0,
    }
    other.type("x", "\n")
    assert other.rest("x") == (0, b"one\ntwo\n", b"")
    assert other.ask("attach", "y", number=found["number"]).type == "attached"
    assert other.rest("y") == (0, b"one\ntwo\n", b"")
    assert other.ask("forget", number=found["number"]).type == "forgotten"
    assert other.ask("list").data["programs"] == []
    other.close()


def test_a_program_is_detached_while_it_runs(client, keeper):
    started = client.ask("start", "p", **code(FOREVER))
    client.line()
    assert client.ask("detach", "p").type == "detached"
    client.close()
    other = keeper.client()
    assert other.ask("attach", "q", number=started.data["number"], follow=False).type == "attached"
    found = other.until("detached", "q")
    assert found[0].value == b"on\n"
    assert other.ask("end", number=started.data["number"]).type == "ending"
    assert wait_until(lambda: other.ask("list").data["programs"][0]["exitCode"] == -signal.SIGTERM)
    other.close()


def test_a_ring_keeps_the_end_of_what_was_written_and_says_what_is_gone(client, keeper):
    text = "import os\nfor n in range(3000): os.write(1, b'%06d ' % n * 150 + b'\\n')\n"
    client.ask("start", "p", **code(text, detached=True))
    client.say("detach", "p")
    client.until("detached", "p")
    client.close()
    other = keeper.client()
    assert wait_until(lambda: other.ask("list").data["programs"][0]["state"] == "over")
    lost = other.ask("attach", "q", number=1).data["lost"]
    _, out, _ = other.rest("q")
    assert lost > 0
    assert lost + len(out) == 3000 * (7 * 150 + 1)
    assert out.endswith(b"002999 \n")
    other.close()


def test_several_watch_one_program(client, keeper):
    started = client.ask("start", "p", **code("input()\nprint('seen')"))
    others = [keeper.client() for _ in range(3)]
    for other in others:
        other.ask("attach", "w", number=started.data["number"])
    client.type("p", "\n")
    assert client.rest()[1] == b"seen\n"
    for other in others:
        assert other.rest("w") == (0, b"seen\n", b"")
        other.close()


def test_who_watches_does_not_keep_a_program_whose_client_has_gone(client, keeper):
    started = client.ask("start", "p", **code(FOREVER))
    other = keeper.client()
    other.ask("attach", "w", number=started.data["number"])
    client.close()
    assert other.rest("w")[0] == -signal.SIGTERM
    other.close()


# -- lines ------------------------------------------------------------------------------------------


def test_a_program_waits_for_lines_that_another_has(client):
    client.ask("start", "a", **code(FOREVER, lines=[17, 18], name="first"))
    waiting = client.ask("start", "b", **code("# rpio: lines 4, 17\nprint('now')"))
    assert (waiting.type, waiting.data["why"]) == ("waiting", "program 1 (first) has GPIO 17")
    assert client.ask("start", "c", **code("input()", lines=[27])).type == "started"
    third = client.ask("start", "d", **code("", lines=[4]))
    assert third.data["why"].startswith("program 2")
    assert third.data["why"].endswith("waits for GPIO 4")
    client.say("stop", "a")
    found = client.until("stopped", "b")
    assert "started" in [each.type for each in found if isinstance(each, Message)]
    client.until("stopped", "d")
    client.say("eof", "c")
    client.until("stopped", "c")


def test_a_program_may_be_refused_instead(client):
    client.ask("start", "a", **code(FOREVER, lines=[17]))
    refused = client.ask("start", "b", **code("", lines=[17], when_busy="refuse"))
    assert refused.type == "error"
    assert "program 1 (1.py) has GPIO 17" in refused.data["message"]
    client.say("stop", "a")
    client.rest("a")


def test_one_that_waits_is_taken_back(client):
    client.ask("start", "a", **code(FOREVER, lines=[17]))
    client.ask("start", "b", **code("print('never')", lines=[17]))
    assert client.ask("stop", "b").type == "error"
    client.say("stop", "a")
    client.rest("a")
    assert client.ask("list").data["programs"] == []


# -- strangers --------------------------------------------------------------------------------------


def test_bad_messages_are_errors_and_the_connection_goes_on(client):
    for body in (
        b"[]",
        b"{",
        b'{"type": 3}',
        b'{"type": "nonsense"}',
        b'{"type": "start"}',
        b'{"type": "stop", "process": 1}',
    ):
        client.socket.sendall(runs.HEAD.pack(len(body), runs.MESSAGE) + body)
        assert client.hear().type == "error"
    assert client.ask("ping").type == "pong"


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\n\r\n", b"\0\0\0\0\x09", b"\xff\xff\xff\xff\x01", b"\0\0\0\0\x02"]
)
def test_who_speaks_something_else_is_left(keeper, data):
    client = keeper.client()
    client.socket.sendall(data)
    assert client.hear() is None
    client.close()


@pytest.mark.slow
def test_fifty_programs_at_once(client):
    for n in range(50):
        client.say("start", f"p{n}", **code(f"input()\nprint({n})"))
    for n in range(50):
        client.type(f"p{n}", "\n")
    out, left = {}, 50
    while left:
        each = client.hear()
        if isinstance(each, Data):
            out[each.process] = out.get(each.process, b"") + each.value
        elif each.type == "stopped":
            left -= 1
    assert out == {f"p{n}": f"{n}\n".encode() for n in range(50)}


@pytest.fixture
def stranger_folder():
    """One that anybody may write to, which pytest's are not."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        os.chmod(folder, 0o777)
        yield folder


@pytest.mark.skipif(os.geteuid() != 0, reason="as another user: run the tests as root")
def test_a_fork_bomb_is_stopped_by_the_limits(stranger_folder):
    text = "#!/bin/sh\nwhile :; do sleep 1000 & done\n"
    with keeping(
        stranger_folder, limits={"memory_mb": 0, "processes": 30, "files": 64}, as_user=65534
    ) as keeper:
        client = keeper.client()
        status, _, err = client.run(runner="exec", code=text)
        assert status > 0
        assert b"fork" in err
        assert client.ask("ping").type == "pong"
        assert wait_until(lambda: not keeper.descendants())
        client.close()


@pytest.mark.parametrize(
    ("limits", "text", "words"),
    [
        ({"memory_mb": 200}, "x = bytearray(400 << 20)", b"MemoryError"),
        ({"files": 20}, "f = [open('/dev/null') for _ in range(30)]", b"Too many open files"),
    ],
)
def test_limits_hold(tmp_path, limits, text, words):
    with keeping(tmp_path, limits={"memory_mb": 0, "processes": 0, "files": 0, **limits}) as keeper:
        client = keeper.client()
        status, _, err = client.run(**code(text))
        assert status == 1
        assert words in err
        client.close()


# -- uploads ----------------------------------------------------------------------------------------


def content_of(path):
    data = path if isinstance(path, bytes) else path.read_bytes()
    return [len(data), hashlib.sha256(data).hexdigest(), 0o644]


def test_a_directory_is_uploaded_and_a_program_runs_in_it(client, keeper):
    files = {"m.py": {"type": "text", "content": {"text": "def f(): return 42\n"}}}
    assert client.ask("upload", name="proj", files=files).type == "uploaded"
    assert client.run(**code("import m\nprint(m.f())", directory="proj"))[1] == b"42\n"
    refused = client.ask("upload", name="../proj2", files=files)
    assert (refused.type, refused.data["about"]) == ("error", "upload")
    assert (keeper.work / "proj/m.py").exists()
    assert not (keeper.work / "../proj2").exists()


def test_a_directory_is_brought_up_to_date_with_what_differs_alone(client, keeper):
    files = {"a.py": b"print('a')\n", "sub/b.bin": bytes(range(256)) * 4000}
    for change in ({}, {"a.py": b"print('b')\n"}, {}):
        wanted = sorted(change or (files if not (keeper.work / "p").exists() else ()))
        files.update(change)
        answer = client.ask("sync", name="p", files={path: content_of(data) for path, data in files.items()})
        assert (answer.type, sorted(answer.data["files"])) == ("wanted", wanted)
        for path in answer.data["files"]:
            client.say("file", path=path)
            for at in range(0, len(files[path]), 1 << 16):
                client.send(runs.CONTENT, "", files[path][at : at + (1 << 16)])
        assert client.ask("commit").type == "uploaded"
        assert (keeper.work / "p/sub/b.bin").read_bytes() == files["sub/b.bin"]
        assert client.run(runner="python3", path="p/a.py")[1] == files["a.py"][7:8] + b"\n"


def test_an_upload_that_fails_is_told_once_and_leaves_what_was_there(client, keeper):
    files = {"a.py": content_of(b"abc")}
    client.ask("sync", name="p", files=files)
    client.say("file", path="a.py")
    client.send(runs.CONTENT, "", b"abX")
    client.say("commit")
    found = client.hear()
    assert (found.type, found.data["about"]) == ("error", "commit")
    assert client.ask("ping").type == "pong"
    assert not (keeper.work / "p/a.py").exists()


def test_who_goes_in_the_middle_of_an_upload_leaves_it_to_the_next(client, keeper):
    files = {"a.py": content_of(b"abc")}
    client.ask("sync", name="p", files=files)
    client.say("file", path="a.py")
    client.send(runs.CONTENT, "", b"ab")
    client.close()
    other = keeper.client()
    assert other.ask("sync", name="p", files=files).data["files"] == ["a.py"]
    other.say("file", path="a.py")
    other.send(runs.CONTENT, "", b"abc")
    assert other.ask("commit").type == "uploaded"
    other.close()
