# SPDX-License-Identifier: LGPL-3.0-or-later
"""The keeper and who means it ill, or goes at a bad moment: it stays small, hears the others, and leaves nothing."""

import fcntl
import json
import os
import socket
import subprocess
import sys
import tempfile

import pytest

from keeper_parts import FOREVER, Client, Keeper, code, keeping
from RPIO.programs import clients
from RPIO.programs.rings import Ring
from RPIO.wire import runs
from RPIO.wire.runs import ID_MAX, Message, is_id
from waiting import LIMIT_S, wait_until

AT_ITS_END = "import os, sys\nprint('on', flush=True)\nsys.stdin.readline()\nprint(os.path.exists(__file__))"


@pytest.fixture
def keeper(tmp_path):
    with keeping(tmp_path) as made:
        yield made


@pytest.fixture
def client(keeper):
    made = keeper.client()
    yield made
    made.close()


def memory(pid):
    """In kB."""
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


# -- too much ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", [Message("ping"), Message("resize", "p", {"rows": 4, "cols": 4})])
@pytest.mark.slow
def test_who_asks_on_and_on_and_reads_no_answer_is_heard_no_more(keeper, client, asked):
    other = keeper.client()
    assert other.ask("start", "p", **code(FOREVER)).type == "started"
    before = memory(keeper.process.pid)
    other.socket.settimeout(1)
    asked = asked.written() * 1000
    with pytest.raises(TimeoutError):
        while memory(keeper.process.pid) < before + 65536:
            other.socket.sendall(asked)
    assert client.ask("ping").type == "pong"
    other.close()


@pytest.mark.slow
def test_what_was_asked_is_answered_when_the_answers_are_read(client):
    client.socket.settimeout(1)
    sent, asked = 0, Message("ping").written() * 100
    left = asked
    with pytest.raises(TimeoutError):
        while True:
            left = left[client.socket.send(left) :]
            if not left:
                sent, left = sent + 100, asked
    client.socket.settimeout(20)
    for _ in range(sent):
        assert client.hear().type == "pong"


def test_one_connection_has_so_many_programs_and_no_more(client):
    number = client.ask("start", "p", **code(FOREVER)).data["number"]
    for count in range(clients.HELD_MAX - 1):
        assert client.ask("attach", f"a{count}", number=number).type == "attached"
    assert client.ask("attach", "one more", number=number).type == "error"


def test_an_id_is_text_that_can_be_written():
    assert is_id("x" * ID_MAX)
    assert not is_id("x" * ID_MAX + "x")
    assert not is_id("\ud800")


def test_an_id_that_is_half_a_character_is_refused(client):
    client.socket.sendall(Message("start", "\ud800", code("print(1)")).written())
    assert client.hear().type == "error"
    assert client.run(**code("print(2)"))[1] == b"2\n"


# -- bad moments ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_who_writes_on_when_his_program_has_ended_holds_nobody_up(client):
    text = "#!/bin/sh\n(trap '' TERM; exec cat /dev/zero) &\n"
    started = client.ask("start", "p", runner="exec", code=text, detached=True)
    client.say("detach", "p")
    client.until("detached", "p")
    assert wait_until(lambda: [each["state"] for each in client.ask("list").data["programs"]] == ["over"])
    assert not os.path.exists(f"/proc/{started.data['pid']}")


def test_a_program_may_close_its_terminal_and_go_on_and_open_it_again(client, keeper):
    text = f"#!/bin/sh\nexec <&- >&- 2>&-\nsleep 0.3\necho >{keeper.folder}/done\necho still >/dev/tty\nsleep 0.3\n"
    assert client.run(runner="exec", code=text, pty=True)[:2] == (0, b"still\r\n")
    assert os.path.exists(keeper.folder / "done")


def test_a_program_runs_where_the_path_is_too_long_for_its_sockets(tmp_path, monkeypatch):
    folder = tmp_path / ("x" * 90)
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    with keeping(tmp_path) as keeper:
        client = keeper.client()
        assert client.run(**code("print(1)"))[:2] == (0, b"1\n")
        client.close()


def test_what_a_program_has_begun_ends_with_the_next_keeper_when_the_last_was_killed(tmp_path):
    keeper = Keeper(tmp_path)
    client = keeper.client()
    client.ask("start", "p", runner="exec", code="#!/bin/sh\nsleep 1000 &\necho $!\nwait")
    left = int(client.line())
    keeper.process.kill()
    keeper.process.wait()
    client.close()
    os.unlink(keeper.path)
    with keeping(tmp_path) as again:
        assert wait_until(lambda: not os.path.exists(f"/proc/{left}"))
        assert len(os.listdir(again.work / ".run")) == 1


def test_a_keeper_goes_when_nobody_is_there_and_nobody_is_about_to_come(tmp_path):
    with open(tmp_path / "programs.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # as who connects by programs/own
        keeper = Keeper(tmp_path, prelude="import RPIO.programs.keeper as k; k.IDLE_S = 0.05")
        client = keeper.client()
        assert client.ask("ping").type == "pong"
        client.close()
        with pytest.raises(subprocess.TimeoutExpired):
            keeper.process.wait(0.5)
        assert os.path.exists(keeper.path)
    assert keeper.process.wait(LIMIT_S) == 0
    assert not os.path.exists(keeper.path)


# -- two keepers of one user ------------------------------------------------------------------------


@pytest.mark.slow
def test_two_keepers_with_one_work_directory_leave_each_others_programs_alone(keeper, client, tmp_path):
    fresh, named = code(AT_ITS_END), code(AT_ITS_END, directory="same")
    for process, data in (("fresh", fresh), ("named", named)):
        client.ask("start", process, **data)
        assert client.line() == b"on\n"
    (tmp_path / "other").mkdir()
    with keeping(tmp_path / "other", work=str(keeper.work)) as other:
        one = other.client()
        one.run(**code("print(1)"))
        one.run(**code("print(1)", directory="same"))
        one.close()
    for process in ("fresh", "named"):
        client.type(process, "\n")
        assert client.rest(process)[:2] == (0, b"True\n")


def test_a_script_takes_the_place_of_no_file(client, keeper):
    folder = keeper.work / "mine"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.py").write_text("mine")
    assert client.run(**code("print(1)", directory="mine"))[1] == b"1\n"
    assert sorted(os.listdir(folder)) == ["0.py", "1.py", "2.py"]
    assert {path.read_text() for path in folder.iterdir()} == {"mine"}


# -- handed on by another user's daemon -------------------------------------------------------------


@pytest.fixture
def stranger_folder():
    """One that anybody may write to, which pytest's are not."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        os.chmod(folder, 0o777)
        yield folder


@pytest.mark.skipif(os.geteuid() != 0, reason="to become somebody else needs root")
def test_a_program_of_another_user_than_the_daemons_reads_its_token(stranger_folder):
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    text = (
        "import json, os, pwd, resource, sys; from RPIO.programs.keeper import main; "
        "os.setgroups([]); os.setgid(4711); "
        f"os.setuid(4711); os.environ['TMPDIR'] = '{stranger_folder}'; main(sys.argv[1])"
    )
    told = {
        "control": its.fileno(),
        "listen": "",
        "work": f"{stranger_folder}/work",
        "temp": "",
        "venv": "",
        "limits": {},
    }
    words = json.dumps({**told, "grace_s": 1, "cpu_percent": 0, "url_hosts": []})
    with subprocess.Popen([sys.executable, "-c", text, words], pass_fds=[its.fileno()]) as process:
        its.close()
        token = os.memfd_create("rpio-token")
        os.fchmod(token, 0o600)
        os.write(token, b"the-token")
        mine, theirs = socket.socketpair()
        socket.send_fds(ours, [b'{"number": 1, "peer": "me"}'], [theirs.fileno(), token])
        os.close(token)
        theirs.close()
        client = Client(mine)
        assert client.run(runner="exec", code="#!/bin/sh\ncat $RPIO_TOKEN_FILE")[:2] == (0, b"the-token")
        client.close()
        ours.close()
        assert process.wait(20) == 0


@pytest.mark.slow
def test_a_ring_of_small_pieces_is_no_larger_than_another():
    ring = Ring(1 << 20)
    cursor = ring.cursor()
    before = memory("self")
    for count in range(1 << 18):
        ring.add(runs.STDOUT if count % 2 else runs.STDERR, b"x")
        assert ring.take(cursor, 10) is not None
    assert memory("self") - before < 8192
    assert ring.behind == 0
