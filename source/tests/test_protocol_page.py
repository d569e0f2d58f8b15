# SPDX-License-Identifier: LGPL-3.0-or-later
"""doc/protocol: its session is replayed, its client runs, its limits are those of the code."""

import contextlib
import importlib.util
import os
import re
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from RPIO.server.sessions import sessions, talks
from RPIO.wire import native, operations, terms
from waiting import LIMIT_S

DOC = Path(__file__).resolve().parents[2] / "doc"
PAGE = (DOC / "protocol.rst").read_text(encoding="utf-8")
CLIENT = DOC / "reference_client.py"
SERVER = "import RPIO; print(RPIO.serve_remote(0), flush=True); RPIO.wait_for_interrupts()"


# The client leaves a lost socket to Python.
pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture
def port():
    """That of a program of its own that serves a simulated board."""
    environment = {**os.environ, "RPIO_BACKEND": "sim:4B"}
    with subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, env=environment) as process:
        yield int(process.stdout.readline())
        process.kill()


@pytest.fixture
def client(port):
    spec = importlib.util.spec_from_file_location("reference_client", CLIENT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    client = module.Client(port)
    yield client
    with contextlib.suppress(ConnectionError):  # the answer to the last word may be lost with the connection
        client.ask("bye")
    client.lines.close()
    client.socket.close()


def blocks(before):
    """What stands indented below a line."""
    text = PAGE.partition(before)[2]
    return textwrap.dedent(re.match(r"\n+((?:    .*\n|\n)+)", text)[1]).strip().splitlines()


SAID = ("ok", "error", "edge", "ended", "lost", "task")
"""What a server's lines begin with; all others are typed."""


def without_times(line):
    return re.sub(r"^(edge \d+ \d) \d+ ", r"\1 NS ", line)


def test_the_session_in_the_page_is_what_happens(port):
    with socket.create_connection(("127.0.0.1", port), LIMIT_S) as person:
        heard = person.makefile("r", encoding="utf-8")
        typed = 0
        for line in blocks("    :caption: telnet localhost 8510"):
            if line.split()[0] not in SAID:
                person.sendall(f"{line}\r\n".encode())
                typed += 1
            else:
                assert without_times(heard.readline().rstrip("\n")) == without_times(line)
        assert (typed, heard.read()) == (13, "")
        heard.close()


def test_who_speaks_something_else_hears_what_the_page_says(port):
    with socket.create_connection(("127.0.0.1", port), LIMIT_S) as browser:
        browser.sendall(b"GET / HTTP/1.1\r\n")
        with browser.makefile("r", encoding="utf-8") as heard:
            assert [heard.read().strip()] == blocks("behind it is read::")


def test_hello_answers_as_the_page_says(port):
    said, answer = blocks("a session ends with its connection.\n\n::")
    with socket.create_connection(("127.0.0.1", port), LIMIT_S) as client:
        client.sendall(f"{said}\n".encode())
        with client.makefile("r", encoding="utf-8") as heard:
            words, wanted = native.split(heard.readline()), native.split(answer)
    assert [*words[:2], *words[3:]] == [*wanted[:2], *wanted[3:]]
    assert len(words[2]) == len(wanted[2])


def test_the_limits_are_those_of_the_code():
    table = PAGE.partition(".. _protocol-limits:")[2].partition("A client has to read")[0]
    found = [int(number) for number in re.findall(r"  +(\d+)$", table, re.MULTILINE)]
    (hello,) = [row for row in operations.ROWS if row.name == "hello"]
    (linger,) = [argument.kind for argument in hello.arguments if argument.name == "linger_s"]
    assert found == [
        native.FIRST_MAX,
        native.LINE_MAX,
        terms.NAME.most,
        sessions.KNOWN_FATES,
        sessions.KNOWN_ANSWERS,
        talks.OUT_BYTES,
        sessions.RING_BYTES,
        sessions.SESSIONS_MAX,
        linger.high,
    ]
    assert "2^63 - 1" in table and native.ID_MAX == 2**63 - 1
    assert f"This is version {terms.VERSION}." in PAGE


# -- the client -------------------------------------------------------------------------------------------------


def test_the_client_is_short_and_knows_nothing_of_rpio():
    text = CLIENT.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 60
    assert not re.search(r"^\s*(import|from) RPIO", text, re.MULTILINE)


def test_the_client_runs(port):
    done = subprocess.run(
        [sys.executable, "-I", CLIENT, str(port)],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    shown = blocks(".. literalinclude:: reference_client.py\n    :lines: 2-\n\n::")
    assert (done.stderr, done.stdout.splitlines()) == ("", shown[1:])


def test_the_client_reads_any_word_and_keeps_events(client):
    client.ask("hello", 1, 'a "b" #5')
    client.ask("input", 4, "up")
    client.ask("watch", 4)
    client.ask("set_pull", 4, "down")
    assert client.ask("read", 4) == ["0"]
    assert client.ask("consumer", 5) == [""]
    (edge,) = client.events
    assert (edge[:3], edge[4:]) == (["edge", "4", "0"], ["1", "0"])
    with pytest.raises(RuntimeError, match="error ValueError"):
        client.ask("read", 4096)


def test_the_client_goes_on_after_a_lost_connection(client):
    client.ask("output", 17, 1)
    for lose in (
        lambda: client.socket.shutdown(socket.SHUT_WR),  # before the request has gone
        lambda: client.socket.shutdown(socket.SHUT_RD),  # before its answer can come
    ):
        lose()
        client.ask("write", 17, 0)
        assert client.ask("read", 17) == ["0"]
        assert client.ask("consumer", 17) == ["RPIO"]


def test_the_client_says_so_when_its_session_is_over(port, client):
    client.ask("hello", 1, "me", "", 0)
    client.ask("output", 17, 1)
    client.socket.shutdown(socket.SHUT_RDWR)
    client.linger_s = 0
    with pytest.raises(ConnectionError, match="set the lines up again"):
        client.ask("write", 17, 0)
