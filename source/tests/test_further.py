# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio serve --further``: what the original's clients say and hear, with a daemon of its own process, and programs of
others in another one. Who may come is test_further_access.
"""

import concurrent.futures
import contextlib
import getpass
import json
import os
import re
import select
import signal
import socket
import struct
import time
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from further_parts import further, outputs, plain
from waiting import LIMIT_S, wait_until


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A daemon, without TLS, for who shows no token."""
    with plain(tmp_path_factory.mktemp("further")) as made:
        yield made


@pytest.fixture
def py(served):
    """A WebSocket of /run-py."""
    with served.connect("/run-py") as made:
        yield made


@pytest.fixture
def run(served):
    """A WebSocket of /run."""
    with served.connect("/run?client=abc") as made:
        yield made


def four(type, data=None, process="1"):
    return {"type": type, "data": data, "client": "abc", "process": process}


def start(talk, process="1", runner="python3", **data):
    """Start a program, which is told."""
    talk.send("start", process=process, data={"runner": runner, **data})
    found = talk.receive()
    assert found["type"] == "started", found
    return found


def whole(talk, **data):
    """All that a program says, from its start to its end."""
    talk.send("start", process="1", data={"runner": "python3", **data})
    return talk.until("stopped")


def received(talk, count):
    """The next texts. A line that Python writes in two pieces is one where the machine is not too busy for that."""
    texts = [talk.socket.recv(LIMIT_S) for _ in range(count)]
    pieces = '"output": "hi"', '"output": "\\n"'
    if pieces[0] in texts[1] and pieces[1] in texts[2]:
        texts[1:] = [texts[1].replace(pieces[0], '"output": "hi\\n"'), talk.socket.recv(LIMIT_S)]
    return texts


# -- /run-py --------------------------------------------------------------------------------------


def test_the_captured_session_of_run_py(py):
    py.socket.send('{"type":"start","data":{"sourceScript":"print(\\"hi\\")"}}')
    assert received(py, 3) == [
        '{"type": "started", "data": null}',
        '{"type": "stdout", "data": {"output": "hi\\n"}}',
        '{"type": "stopped", "data": {"exitCode": 0}}',
    ]
    py.socket.send('{"type":"ping"}')
    assert py.socket.recv(LIMIT_S) == '{"type": "pong", "data": null}'


def test_the_captured_upload_of_run_py(py, served):
    py.socket.send(
        '{"type":"upload","data":{"directory":{"name":"proj","files":{"m.py":{"type":"text","content":'
        '{"text":"def f(): return 42\\n"}}}}}}'
    )
    assert py.socket.recv(LIMIT_S) == '{"type": "uploaded", "data": null}'
    assert Path(served.folder, "further/proj/m.py").read_text() == "def f(): return 42\n"
    py.send("start", data={"sourceScript": "import m; print(m.f())", "directoryName": "proj"})
    assert outputs(py.until("stopped")) == "42\n"
    assert sorted(path.name for path in Path(served.folder, "further/proj").glob("*.py")) == ["m.py"]


def test_a_path_that_is_not_there_is_what_python_says(py):
    py.send("start", data={"sourcePath": "nofile.py"})
    found = py.until("stopped")
    assert [each["type"] for each in found] == ["started", "stderr", "stopped"]
    assert "can't open file" in outputs(found, "stderr")
    assert found[-1]["data"] == {"exitCode": 2}
    py.send("start", data={"sourceScript": ""})
    assert py.until("stopped")[-1]["data"] == {"exitCode": 0}


@pytest.mark.parametrize("is_absolute", [False, True])
def test_a_path_is_run_where_it_is(py, served, is_absolute):
    folder = Path(served.folder, "further/here")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.py").write_text("import os, sys; print(os.getcwd(), sys.argv)")
    path = str(folder / "run.py") if is_absolute else "here/run.py"
    py.send("start", data={"sourcePath": path})
    assert outputs(py.until("stopped")) == f"{folder} ['{folder}/run.py']\n"


def test_stdin_and_stderr_and_the_status(py):
    py.send(
        "start",
        data={"sourceScript": "import sys\nname = input()\nprint('hi', name, file=sys.stderr)\nsys.exit(3)"},
    )
    assert py.receive() == {"type": "started", "data": None}
    py.send("stdin", data={"input": "Zoë\n"})
    found = py.until("stopped")
    assert outputs(found, "stderr") == "hi Zoë\n"
    assert found[-1] == {"type": "stopped", "data": {"exitCode": 3}}


def test_stop_ends_the_program(py):
    py.send("start", data={"sourceScript": "print('up'); import time; time.sleep(1000)"})
    assert py.receive()["type"] == "started"
    py.output_until("up\n")
    py.send("stop")
    assert py.until("stopped")[-1]["data"] == {"exitCode": -signal.SIGTERM}


def test_a_script_without_a_directory_leaves_nothing_behind(py, served):
    py.send("start", data={"sourceScript": "import os; open('x', 'w'); print(os.getcwd())"})
    folder = outputs(py.until("stopped")).strip()
    assert folder.startswith(f"{served.folder}/further/.run/")
    assert wait_until(lambda: not os.path.exists(folder))


BAD = {"type": "error", "data": {"message": "Bad message"}}


def test_bad_input_of_run_py_is_a_bad_message_and_the_socket_goes_on(py):
    for text in (
        "nonsense",
        "[]",
        '{"type": "nonsense"}',
        '{"type": "start"}',
        '{"type": "stdin"}',
        '{"type": "stop"}',
    ):
        py.socket.send(text)
        assert py.receive() == BAD, text
    py.send("start", data={"sourceScript": "input()"})
    assert py.receive()["type"] == "started"
    assert py.ask("start", data={"sourceScript": ""}) == BAD
    assert py.ask("stdin", data={"input": 7}) == BAD
    py.socket.send(b"\x00\xff")
    assert py.receive() == BAD
    assert py.ask("ping")["type"] == "pong"


@pytest.mark.parametrize("name", ["", "..", "../further2", "/etc", "a/../../b", ".run"])
def test_a_directory_that_is_none_of_the_work_directory_is_refused(py, served, name):
    other = Path(served.folder, "further2")
    other.mkdir(exist_ok=True)
    (other / "kept").write_text("")
    files = {"x.py": {"type": "text", "content": {"text": ""}}}
    assert py.ask("upload", data={"directory": {"name": name, "files": files}}) == {
        "type": "error",
        "data": {"message": "Bad upload"},
    }
    assert (other / "kept").exists()
    if name:
        found = py.ask("start", data={"sourceScript": "", "directoryName": name})
        assert found["data"]["message"] == "Bad message"


# -- /run -----------------------------------------------------------------------------------------


def test_the_captured_session_of_run(run):
    run.socket.send('{"type":"ping"}')
    assert run.socket.recv(LIMIT_S) == '{"type": "pong", "data": null, "client": "abc", "process": null}'
    run.socket.send('{"type":"start","process":"1","data":{"runner":"python3","code":"print(\\"hi\\")"}}')
    assert received(run, 3) == [
        '{"type": "started", "data": null, "client": "abc", "process": "1"}',
        '{"type": "stdout", "data": {"output": "hi\\n"}, "client": "abc", "process": "1"}',
        '{"type": "stopped", "data": {"exitCode": 0}, "client": "abc", "process": "1"}',
    ]


def test_a_shell_reads_what_is_sent(run, served):
    start(run, runner="shell", path=str(served.folder))
    run.send("stdin", process="1", data={"input": "echo $0 $PWD $TERM; exit 3\n"})
    found = run.until("stopped")
    shell = os.environ.get("SHELL") or "/bin/sh"
    assert re.fullmatch(rf"\S+ {served.folder} xterm-256color\n", outputs(found)), (found, shell)
    assert found[-1] == four("stopped", {"exitCode": 3})


def test_exec_runs_the_file_itself(run, served):
    folder = str(served.folder)
    code = "#!/bin/bash\npwd; echo $0; echo err >&2"
    run.send("start", process="1", data={"runner": "exec", "code": code, "path": folder})
    found = run.until("stopped")
    assert re.fullmatch(rf"{folder}\n{folder}/exec-\d+\n", outputs(found))
    assert outputs(found, "stderr") == "err\n"
    assert not list(Path(folder).glob("exec-*"))


@pytest.mark.parametrize("by_query", [True, False])
def test_a_terminal_has_a_size_which_changes(served, by_query):
    code = "import os, sys\nwhile True:\n x = input('> ')\n print(repr(x), sys.stdout.isatty(), os.get_terminal_size())"
    with served.connect("/run?client=abc&pty=1" if by_query else "/run?client=abc") as run:
        start(run, code=code, **({} if by_query else {"pty": True}))
        run.output_until("> ")
        run.send("stdin", process="1", data={"input": "a\n"})
        assert "'a' True os.terminal_size(columns=60, lines=4)\r\n> " in run.output_until("4)\r\n> ")
        run.send("resize", process="1", data={"rows": 30, "cols": 100})
        run.send("stdin", process="1", data={"input": "b\n"})
        assert "columns=100, lines=30" in run.output_until("0)\r\n> ")
        run.send("stop", process="1")
        assert run.until("stopped")[-1] == four("stopped", {"exitCode": -signal.SIGTERM})


def test_what_ignores_sigterm_is_killed(run):
    start(
        run, code="import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up')\nsignal.pause()"
    )
    run.output_until("up\n")
    run.send("stop", process="1")
    assert run.until("stopped")[-1] == four("stopped", {"exitCode": -signal.SIGKILL})


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"runner": "python3", "path": "nofile.py"}, "there is no file"),
        ({"runner": "python3"}, "neither code nor the path"),
        ({"runner": "python3", "code": "", "path": "nowhere"}, "there is no directory"),
        ({"runner": "exec", "code": "no interpreter"}, "Exec format error"),
        ({"runner": "python3", "code": "", "venv": "/nowhere"}, "no virtual environment"),
    ],
)
def test_a_start_that_fails_says_why_and_frees_its_id(run, data, reason):
    found = run.ask("start", process="1", data=data)
    assert found["type"] == "error" and found["process"] is None
    assert found["data"]["message"] == "Bad message" and found["data"]["of"] == "1"
    assert reason in found["data"]["reason"]
    assert outputs(whole(run, code="print(1)")) == "1\n"


def test_bad_input_of_run_is_told_and_the_socket_goes_on(run):
    start(run, code="input()")
    for type, keys in (
        ("start", {"process": "1", "data": {"runner": "shell"}}),
        ("resize", {"process": "1", "data": {"rows": 1, "cols": 1}}),
        ("stdin", {"process": "2", "data": {"input": "x"}}),
        ("stop", {"process": "2"}),
        ("stop", {}),
    ):
        found = run.ask(type, **keys)
        assert (found["type"], found["data"]["message"]) == ("error", "Bad message"), (type, keys)
    run.socket.send("[]")
    assert run.receive()["data"]["message"] == "Bad message"
    run.send("stdin", process="1", data={"input": "\n"})
    assert run.until("stopped")[-1] == four("stopped", {"exitCode": 0})


def test_several_programs_at_once_and_ids_again(run):
    for id in ("a", "b", "c"):
        start(run, id, code=f"print(input() + {id!r})")
    for id in ("c", "a", "b"):
        run.send("stdin", process=id, data={"input": f"{id}\n"})
        found = run.until("stopped")
        assert {each["process"] for each in found} == {id} and outputs(found) == f"{id}{id}\n"
    start(run, "a", code="")
    run.until("stopped")


def test_the_end_of_input_and_signals(run):
    start(run, code="import sys; print(len(sys.stdin.read()))")
    run.send("stdin", process="1", data={"input": "x" * 300_000})
    run.send("eof", process="1")
    assert outputs(run.until("stopped")) == "300000\n"
    start(run, code="import time\nprint('up')\ntime.sleep(1000)")
    run.output_until("up\n")
    run.send("signal", process="1", data={"signal": "INT"})
    found = run.until("stopped")
    assert "KeyboardInterrupt" in outputs(found, "stderr")


def test_arguments_and_a_name(run):
    found = whole(run, code="import sys; print(sys.argv[1:])", args=["-x", "é", ""], name="mine")
    assert outputs(found) == "['-x', 'é', '']\n"


def test_who_goes_on_without_its_client_is_found_again(served):
    code = "print('begin', flush=True)\nfor line in iter(input, 'end'): print(line.upper())"
    with served.connect("/run") as run:
        number = start(run, code=code, detached=True, name="long")["data"]["number"]
        run.output_until("begin\n")
    with served.connect("/run") as run:
        listed = run.ask("list")["data"]["programs"]
        (row,) = [each for each in listed if each["number"] == number]
        assert row["name"] == "long" and row["state"] == "runs"
        found = run.ask("attach", process="x", data={"number": number})
        assert found["type"] == "attached" and found["process"] == "x" and found["data"]["number"] == number
        assert run.output_until("begin\n") == "begin\n"
        run.send("stdin", process="x", data={"input": "now\n"})
        assert run.output_until("NOW\n") == "NOW\n"
        assert run.ask("detach", process="x")["data"] == {"number": number}
        assert run.ask("end", data={"number": number})["type"] == "ending"

        def is_over():
            rows = run.ask("list")["data"]["programs"]
            return all(each["state"] == "over" for each in rows if each["number"] == number)

        assert wait_until(is_over)
        assert run.ask("forget", data={"number": number})["type"] == "forgotten"


def test_lines_that_others_have_are_waited_for_or_refused(served):
    with served.connect("/run") as first, served.connect("/run") as second:
        start(first, code="input()", lines=[17, 18])
        refused = second.ask(
            "start", process="1", data={"runner": "python3", "code": "", "lines": [18], "whenBusy": "refuse"}
        )
        assert refused["type"] == "error" and "GPIO 18" in refused["data"]["reason"]
        code = "# rpio: lines 17\nprint('mine')"
        waits = second.ask("start", process="1", data={"runner": "python3", "code": code})
        assert waits["type"] == "waiting" and "GPIO 17" in waits["data"]["why"]
        first.send("stdin", process="1", data={"input": "\n"})
        found = second.until("stopped")
        assert found[0]["type"] == "started" and outputs(found) == "mine\n"


def test_a_program_has_the_lines_of_the_daemon(run, served):
    found = whole(
        run,
        code="import RPIO; RPIO.setup(17, RPIO.OUT, initial=1); print(RPIO.input(17)); print(RPIO.describe())",
    )
    assert outputs(found).splitlines()[0] == "1", outputs(found, "stderr")
    with served.daemon.connect() as line:
        assert wait_until(lambda: "ok" in line.ask("output 17 0"))  # it is free again


# -- the shell, and pictures ----------------------------------------------------------------------


def test_the_shell_has_a_terminal_and_its_end_is_the_sockets(served):
    with served.connect("/shell?rows=30&cols=90") as shell:
        assert shell.receive()["type"] == "started"
        shell.send("stdin", process="shell", data={"input": "stty size; exit 4\n"})
        found = shell.until("stopped")
        assert "30 90" in outputs(found)
        assert found[-1]["data"] == {"exitCode": 4}
        assert shell.end_of() == (1000, "")


@pytest.mark.parametrize("query", ["rows=0", "rows=x", "cols=-1", "cols=100000", "rows=" + "9" * 5000])
def test_a_size_that_is_none_is_refused(served, query):
    assert served.get(f"/shell?{query}", **UPGRADE).status in (400, 414)


UPGRADE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}

CAMERA = """
import base64, os, socket, sys, time
made = socket.socket(socket.AF_UNIX)
made.connect(f"{os.environ['FURTHER_LINK_TEMP_DIR']}/{os.getpgid(0)}.video.sock")
jpeg = b"\\xff\\xd8" + os.urandom(%d)
for number in range(%d):
    made.sendall(base64.b64encode(jpeg) + b" endvideo ")
    time.sleep(%f)
input()
"""


def test_pictures_are_told_and_shown_as_a_stream(served):
    import base64
    import http.client

    with served.connect("/run") as run:
        number = start(run, code=CAMERA % (30_000, 1_000_000, 0.03), detached=True)["data"]["number"]
        found = run.receive()
        assert found["type"] == "video"
        picture = base64.b64decode(found["data"]["output"], validate=True)
        assert picture[:2] == b"\xff\xd8" and len(picture) == 30_002
        made = http.client.HTTPConnection("localhost", served.port, timeout=LIMIT_S)
        made.request("GET", f"/video/{number}")
        answer = made.getresponse()
        assert answer.headers["Content-Type"] == "multipart/x-mixed-replace; boundary=rpio-picture"
        for _ in range(3):
            head = [answer.readline() for _ in range(4)]
            assert head == [
                b"--rpio-picture\r\n",
                b"Content-Type: image/jpeg\r\n",
                b"Content-Length: 30002\r\n",
                b"\r\n",
            ]
            assert answer.read(30_002) == picture
            assert answer.readline() == b"\r\n"
        made.close()
        run.send("end", data={"number": number})
        assert run.until("stopped")
    assert served.get("/video/123456").status == 404


def test_what_is_large_has_a_turn_of_the_loop_each_also_where_one_has_gone():
    import asyncio

    from RPIO.server.further.websocket import Turns

    async def main():
        turns, done = Turns(), []

        async def one(name):
            await turns.take()
            done.append(name)

        tasks = [asyncio.ensure_future(one(name)) for name in "abcdef"]
        for count in range(1, 3):
            while len(done) < count:
                await asyncio.sleep(0)
            assert len(done) == count
        tasks[2].cancel()  # whose turn it may be already
        tasks[4].cancel()
        await asyncio.wait(tasks)
        assert done == [name for name, task in zip("abcdef", tasks, strict=True) if not task.cancelled()]
        await asyncio.wait_for(one("last"), LIMIT_S)
        assert done[-1] == "last"

    asyncio.run(main())


# -- nothing is lost ------------------------------------------------------------------------------


def test_characters_and_bytes_that_are_none_survive(py):
    script = r"""
import os, time
for byte in "ä€😀".encode():
    os.write(1, bytes([byte])); time.sleep(0.01)
os.write(1, b"\xff\n")
"""
    py.send("start", data={"sourceScript": script})
    assert outputs(py.until("stopped")) == "ä€😀\ufffd\n"


def test_the_last_line_always_arrives(py):
    script = (
        "import os; os.write(1, b'one\\n'); os.write(2, b'two\\n'); os.write(1, b'three\\n'); os._exit(0)"
    )
    for _ in range(20):
        py.send("start", data={"sourceScript": script})
        found = py.until("stopped")
        assert outputs(found) == "one\nthree\n" and outputs(found, "stderr") == "two\n"


def rss_kb(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1])


def test_much_output_arrives_complete_from_behind_a_client_who_dawdles(served):
    """20 MB, of which the daemon keeps next to nothing."""
    script = "import os\nfor n in range(2500): os.write(1, (f'{n:07d}' + 'x' * 992 + '\\n').encode() * 8)"
    before_kb = rss_kb(served.daemon.pid)
    with served.connect("/run-py", max_queue=4) as py:
        py.send("start", data={"sourceScript": script})
        assert py.receive()["type"] == "started"
        time.sleep(0.3)  # the program writes as far as it may
        size, most_kb, message = 0, 0, {"type": ""}
        while message["type"] != "stopped":
            message = py.receive()
            if message["type"] == "stdout":
                size += len(message["data"]["output"])
                most_kb = max(most_kb, rss_kb(served.daemon.pid)) if size % 16 == 0 else most_kb
        assert size == 20_000_000
        assert most_kb - before_kb < 32_000


def stalled(served):
    """A client who reads nothing that he is not asked for, and does not say good-bye."""
    return served.connect("/run-py", max_queue=1, close_timeout=0.1)


@pytest.mark.slow
def test_who_takes_nothing_is_dropped_and_the_program_ended(tmp_path):
    prelude = "import RPIO.server.further.websocket as s; s.STALL_S = 1.0; s.Patience.__init__.__defaults__ = (1.0,)"
    script = "import os\nopen('up', 'w').write(str(os.getpid()))\nwhile True: os.write(1, b'y' * 1000)"
    with plain(tmp_path, prelude=prelude) as served, stalled(served) as py:
        py.send("start", data={"sourceScript": script, "directoryName": "here"})
        up = Path(tmp_path, "further/here/up")
        assert wait_until(lambda: up.exists() and up.read_text())
        pid = up.read_text()
        assert wait_until(lambda: not os.path.exists(f"/proc/{pid}"))
        served.daemon.says("has taken nothing for")
        assert rss_kb(served.daemon.pid) < 90_000
        assert wait_until(lambda: "0 other sessions" in served.daemon.rpio("who").stdout)


def test_the_end_of_the_socket_is_the_programs(served):
    with served.connect("/run-py") as py:
        py.send("start", data={"sourceScript": "import os; print(os.getpid()); input()"})
        assert py.receive()["type"] == "started"
        pid = int(py.output_until("\n"))
    assert wait_until(lambda: not os.path.exists(f"/proc/{pid}"))


def test_a_program_that_reads_nothing_is_ended_too_when_its_client_goes(served):
    with served.connect("/run", close_timeout=0.1) as run:
        start(run, code="import os, time; print(os.getpid()); time.sleep(1000)")
        pid = int(run.output_until("\n"))
        made = run.socket.socket
        for _ in range(50):
            run.send("stdin", process="1", data={"input": "x" * 100_000})
            if not select.select([], [made], [], 0.2)[1]:
                break  # nothing is taken any more
        made.setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )  # it resets the connection
        made.close()
    assert wait_until(lambda: not os.path.exists(f"/proc/{pid}"))


def test_several_users_at_once(served):
    def user(number):
        with served.connect(f"/run?client=user{number}") as run:
            for id in ("a", "b"):
                code = f"for n in range(200): print({number}, {id!r}, n)"
                run.send("start", process=id, data={"runner": "python3", "code": code})
            found = []
            while sum(each["type"] == "stopped" for each in found) < 2:
                found.append(run.receive())
            assert {each["client"] for each in found} == {f"user{number}"}
            return {id: outputs([each for each in found if each["process"] == id]) for id in ("a", "b")}

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for number, found in enumerate(pool.map(user, range(8))):
            assert found == {id: "".join(f"{number} {id} {n}\n" for n in range(200)) for id in ("a", "b")}


# -- HTTP -----------------------------------------------------------------------------------------


def test_status_and_version(served):
    import RPIO

    status = served.get("/status")
    assert (status.status, status.text) == (200, "OK")
    assert status.headers["Content-Type"] == "text/plain; charset=utf-8"
    version = served.get("/version")
    assert version.json == {"version": RPIO.VERSION}
    assert version.headers["Content-Type"].startswith("text/plain")
    assert version.headers["Server"] == f"RPIO/{RPIO.VERSION}"
    assert served.get("/nowhere").status == 404
    assert served.http("POST", "/status").status == 405


def test_versions_of_packages(served, tmp_path):
    assert served.get("/version/apt/no-such-package-of-anybodys").json == {"version": None}
    for name in ("-o", "a%20b", "a;b", "A", "x", "a" * 200, "%2e%2e", "a%0a"):
        assert served.get(f"/version/apt/{name}").status == 400, name


@pytest.mark.slow
def test_a_version_is_the_one_of_apt_cache(tmp_path):
    (tmp_path / "bin").mkdir()
    apt = tmp_path / "bin/apt-cache"
    apt.write_text('#!/bin/sh\nprintf "$3:\\n  Installed: 1.2-3\\n  Candidate: 9\\n"\n')
    apt.chmod(0o755)
    prelude = f"import subprocess as s; r = s.run\ndef f(w, **k): return r(['{apt}', *w[1:]], **k)\ns.run = f"
    with plain(tmp_path, prelude=prelude) as served:
        assert served.get("/version/apt/bash").json == {"version": "1.2-3"}


def test_the_machine_says_how_it_is(served):
    found = served.get("/status.json")
    assert found.headers["Content-Type"].startswith("application/json")
    assert "load" in found.json


@pytest.mark.slow
def test_and_goes_on_saying_so_to_who_listens(tmp_path):
    import http.client

    prelude = "import RPIO.server.further.status as s; s.EVERY_S = 0.01"
    with plain(tmp_path, prelude=prelude) as served:
        for path, headers in (
            ("/status.json", {"Accept": "text/event-stream"}),
            ("/status.json?stream=1", {}),
        ):
            made = http.client.HTTPConnection("localhost", served.port, timeout=LIMIT_S)
            made.request("GET", path, headers=headers)
            answer = made.getresponse()
            assert answer.headers["Content-Type"] == "text/event-stream"
            for _ in range(3):
                line = answer.readline()
                assert line.startswith(b"data: ") and "load" in json.loads(line[6:])
                assert answer.readline() == b"\n"
            made.close()
        assert wait_until(lambda: "0 other sessions" in served.daemon.rpio("who").stdout)


FILES = {
    "a.py": {"type": "text", "content": {"text": "print('a')\n"}},
    "d/b.txt": {"type": "text", "content": {"text": "é"}},
}


def test_an_upload_by_http(served):
    found = served.http("POST", "/upload", {"name": "up", "files": FILES, "username": "a@b"})
    assert (found.status, found.text) == (200, '{"success": true, "fetched_urls": true}')
    assert found.headers["Content-Type"].startswith("text/plain")
    assert Path(served.folder, "further/up/d/b.txt").read_text() == "é"
    again = served.http("POST", "/upload", {"name": "up", "files": {"a.py": FILES["a.py"]}})
    assert again.status == 200
    assert [path.name for path in Path(served.folder, "further/up").iterdir()] == ["a.py"]


@pytest.mark.parametrize(
    "raw",
    ["", "{", "[]", "null", "{}", '{"name": 1, "files": {}}', '{"name": "x", "files": []}', "[" * 10_000],
)
def test_an_upload_of_another_shape_is_a_bad_request(served, raw):
    found = served.http("POST", "/upload", raw=raw)
    assert (found.status, found.text) == (400, "400: Bad Request")


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("../further2", FILES),
        ("", FILES),
        ("x", {"../y": FILES["a.py"]}),
        ("x", {"a": {"type": "nonsense"}}),
        ("x", {"a": {"type": "text", "content": {}}}),
        (
            "x",
            {
                "a": {
                    "type": "url",
                    "content": {"url": "http://localhost:1/x", "bucketName": "b", "fileName": "f"},
                }
            },
        ),
    ],
)
def test_an_upload_that_cannot_be_is_the_originals_error_and_says_why(served, name, files):
    found = served.http("POST", "/upload", {"name": name, "files": files})
    assert (found.status, found.text) == (500, "500: Internal Server Error")
    assert found.headers["X-RPIO-Reason"]


@pytest.mark.slow
def test_an_upload_that_is_too_large_is_refused_by_its_size(tmp_path):
    with plain(tmp_path, more="[further]\nupload_mb = 0.01\n") as served:
        found = served.http("POST", "/upload", {"name": "x", "files": {"a": "x" * 20_000}})
        assert found.status == 413
        assert served.http("POST", "/upload", {"name": "x", "files": FILES}).status == 200


def test_a_message_that_is_too_long_ends_the_socket(served):
    with served.connect("/run-py") as py:
        with contextlib.suppress(ConnectionClosed):  # which may come before all of it has been sent
            py.socket.send("x" * (5 << 20))
        assert py.end_of()[0] in (1009, None)  # that what it has sent was not read may be noticed first


# -- the daemon -----------------------------------------------------------------------------------


def children(pid):
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


@pytest.mark.slow
def test_no_process_is_started_before_somebody_wants_programs(tmp_path):
    with plain(tmp_path) as served:
        with served.connect("/run-py") as py:
            assert py.ask("ping")["type"] == "pong"
            assert py.ask("stop") == BAD
            assert served.get("/status").status == 200
            assert children(served.daemon.pid) == []
            py.send("start", data={"sourceScript": ""})
            py.until("stopped")
            assert len(children(served.daemon.pid)) == 1
        assert wait_until(lambda: "0 other sessions" in served.daemon.rpio("who").stdout)


def test_who_is_there_is_told(served):
    with served.connect("/run?client=abc") as run:
        run.ask("ping")
        who = served.daemon.rpio("who").stdout
        assert re.search(
            r"^  abc, HTTP, /run \(127\.0\.0\.1:\d+\), for \d s, may read, gpio, i2c, run$", who, re.MULTILINE
        )
        line = f"further: at http://127.0.0.1:{served.port}: programs, by HTTP and WebSocket"
        assert line in who.splitlines()
        assert line in served.daemon.rpio("serve", "--status").stdout.splitlines()


@pytest.mark.slow
def test_clients_are_told_that_the_daemon_ends(tmp_path):
    with plain(tmp_path) as served, served.connect("/run-py") as py:
        py.send("start", data={"sourceScript": "import os; print(os.getpid()); input()"})
        assert py.receive()["type"] == "started"
        pid = int(py.output_until("\n"))
        served.daemon.process.send_signal(signal.SIGTERM)
        assert py.end_of() == (1001, "the daemon ends")
        served.daemon.process.wait(LIMIT_S)
        assert wait_until(lambda: not os.path.exists(f"/proc/{pid}"))
        assert "Traceback" not in served.daemon.look() and "destroyed" not in served.daemon.look()


@pytest.mark.slow
def test_the_daemon_ends_also_where_a_client_takes_nothing(tmp_path):
    with plain(tmp_path) as served, stalled(served) as py:
        py.send("start", data={"sourceScript": "import os\nwhile True: os.write(1, b'y' * 1000)"})
        assert py.receive()["type"] == "started"
        made, sizes = py.socket.socket, [0] * 20

        def is_full():
            """Nothing more comes."""
            sizes.append(len(made.recv(1 << 24, socket.MSG_PEEK)))
            return sizes[-1] and len(set(sizes[-20:])) == 1

        assert wait_until(is_full)
        served.daemon.kill(signal.SIGTERM)
        assert "Traceback" not in served.daemon.look()


@pytest.mark.slow
def test_the_originals_variables_are_heeded(tmp_path):
    work, temp = tmp_path / "elsewhere", tmp_path / "temp"
    temp.mkdir()
    user = json.dumps(getpass.getuser())
    env = {"FURTHER_LINK_WORK_DIR": str(work), "FURTHER_LINK_TEMP_DIR": str(temp)}
    with plain(tmp_path, config=f"[run]\nuser = {user}\n", **env) as served, served.connect("/run-py") as py:
        py.send("start", data={"sourceScript": "import os; print(os.getcwd(), __file__)"})
        folder, file = outputs(py.until("stopped")).split()
        assert (folder, os.path.dirname(file)) == (str(temp), str(temp))
        assert wait_until(lambda: not os.path.exists(file))
        py.send("start", data={"sourceScript": "import os; print(os.getcwd())", "directoryName": "proj"})
        assert outputs(py.until("stopped")) == f"{work}/proj\n"


@pytest.mark.slow
def test_where_nobody_is_named_to_run_programs_the_reason_is_told(tmp_path):
    config = "[run]\nuser = 'nobody-of-that-name'\n"
    with further(tmp_path, config=config) as served:
        served.daemon.says(r"further: no programs run here: there is no user 'nobody-of-that-name'")
        with served.connect("/run", served.token("run")) as run:
            found = run.ask("start", process="1", data={"runner": "shell"})
            assert "nobody-of-that-name" in found["data"]["reason"]


@pytest.mark.slow
def test_without_it_nothing_is_served_and_nothing_loaded(tmp_path):
    from remote_parts import daemon

    look = "import atexit, sys; atexit.register(lambda: print('aiohttp' in sys.modules, flush=True))"
    with daemon(tmp_path, prelude=look) as made:
        assert "further" not in made.look()
        made.kill(signal.SIGTERM)
        made.says("^False$")


@pytest.mark.slow
def test_without_aiohttp_one_sentence_has_the_command(tmp_path):
    from remote_parts import daemon

    hide = "import sys; sys.modules['aiohttp'] = None"
    with daemon(tmp_path, "--further", "127.0.0.1:0", prelude=hide) as made, made.connect() as line:
        made.says(
            r"further is not served: HTTP needs aiohttp, which is not installed: \S+ -m pip install 'aiohttp>=3.9'"
        )
        assert line.ask("ping") == "ok"


@pytest.mark.slow
def test_a_port_that_is_taken_is_named_and_takes_nothing_else_down(tmp_path):
    from remote_parts import daemon

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with daemon(tmp_path, "--further", f"127.0.0.1:{port}") as made, made.connect() as line:
            made.says(rf"further is not served: port {port} on 127\.0\.0\.1 is in use already")
            assert line.ask("ping") == "ok"
            assert f"further: not served: port {port}" in made.rpio("who").stdout
