# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio serve --rraspy``: a device in a process of its own, whose lines are the daemon's."""

import json
import os
import pwd
import re
import signal
import socket

import pytest

import rraspy_parts
from ports import free_port
from remote_parts import daemon
from RPIO.wire.rraspy import EXECUTE, IMPORT, OK, VALUES, Message
from rraspy_parts import PYTHONS, say
from waiting import LIMIT_S, wait_until

HOST = ("--rraspy-host", "127.0.0.1")
RUN = f"[run]\nuser = {json.dumps(pwd.getpwuid(os.geteuid()).pw_name)}\n"
ANY = ("--rraspy", "127.0.0.1:0", *HOST)


def place(served):
    """The port and the process of its device."""
    found = served.says(r"rraspy is served at 127\.0\.0\.1:(\d+) to the host 127\.0\.0\.1, by process (\d+)")
    return int(found[1]), int(found[2])


def execute(port, command, handle=None):
    return rraspy_parts.answer(port, Message(EXECUTE, handle, None, command))


def begin(port):
    assert rraspy_parts.answer(port, Message(IMPORT, ".GPIO", "GPIO", "RPi")) == Message(OK)
    assert execute(port, "GPIO.setmode(11)") == Message(OK)


def is_there(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        return file.read().rpartition(")")[2].split()[0] != "Z"


def test_its_lines_are_the_daemons(tmp_path):
    with daemon(tmp_path, *ANY) as served:
        port, pid = place(served)
        assert pid != served.pid
        begin(port)
        assert execute(port, "GPIO.setup(17, 0, initial=1)") == Message(OK)
        with served.connect() as line:
            assert line.levels(17) == [1]
            assert "LineBusyError" in line.ask("output 17 0")
            assert line.ask("output 4 1") == "ok"
            assert "in use" in execute(port, "GPIO.setup(4, 0)").values[0]
        assert execute(port, "GPIO.input(17)") == Message(VALUES, 1)


@pytest.mark.parametrize("python", PYTHONS)
def test_a_host_of_the_originals_kind_sets_a_line_and_hears_of_an_edge(tmp_path, python):
    with (
        rraspy_parts.original_host(python) as host,
        daemon(tmp_path, "--rraspy", "127.0.0.1:0", "--rraspy-host", f"127.0.0.1:{host.port}") as served,
    ):
        host.use(place(served)[0])
        host.do('ImportModule(".GPIO", "GPIO", "RPi")')
        host.do('Execute("GPIO.setmode(11)")')
        host.do('Execute("GPIO.setup(6, 1, pull_up_down=21)")')
        event = '("evtDetect6", heard)'
        assert host.do(f'Execute("GPIO.add_event_detect(6, 31, CB_FUNCT, 5)", None, {event})') == "None"
        with served.connect() as line:
            assert line.ask("drive 6 1") == "ok"
        assert host.do("Events(1)") == "[(6,)]"


@pytest.mark.slow
def test_it_is_shown_by_who_and_status_and_config(tmp_path):
    with daemon(tmp_path, *ANY, "--open-run", config=RUN) as served:
        port, pid = place(served)
        served.says("rraspy: --open-run: whoever reaches this port")
        line = f"rraspy: at 127.0.0.1:{port}, process {pid}, for the host 127.0.0.1: any Python (open-run)"
        assert line in served.rpio("who").stdout.splitlines()
        assert line in served.rpio("serve", "--status").stdout.splitlines()
        assert json.loads(served.rpio("who", "--json").stdout)["fronts"] == [line]
        assert execute(port, "1 + 1") == Message(VALUES, 2)
        shown = served.rpio("serve", "--show-config", *ANY, "--open-run").stdout
        assert re.search(r"\[rraspy\]\non = true .*\naddress = \"127\.0\.0\.1\"", shown)
        assert re.search(r"open_run = true +# .*\(by an option\)", shown)
        assert re.search(r"insecure = false +# .*\(by default\)", shown)


@pytest.mark.slow
def test_without_it_nothing_is_said_of_it(tmp_path):
    with daemon(tmp_path) as served:
        assert "rraspy" not in served.look()
        assert json.loads(served.rpio("who", "--json").stdout)["fronts"] == []


def test_the_configuration_says_the_same(tmp_path):
    config = "[rraspy]\non = true\nport = 0\nhost = '127.0.0.1'\nhost_port = 7171\n"
    with daemon(tmp_path, config=config) as served:
        begin(place(served)[0])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.slow
def test_it_ends_with_the_daemon(tmp_path, number):
    with daemon(tmp_path, *ANY) as served:
        port, pid = place(served)
        begin(port)
        served.kill(number)
        assert wait_until(lambda: not is_there(pid))
        with pytest.raises(ConnectionError):
            say(port, b"\x90")


@pytest.mark.slow
def test_when_it_dies_that_is_told_and_the_daemon_goes_on(tmp_path):
    with daemon(tmp_path, *ANY) as served:
        port, pid = place(served)
        begin(port)
        assert execute(port, "GPIO.setup(17, 0, initial=1)") == Message(OK)
        os.kill(pid, signal.SIGKILL)
        served.says("rraspy is not served: its process has ended with signal 9")
        assert "rraspy: not served: its process has ended with signal 9" in served.rpio("who").stdout
        with served.connect() as line:
            assert wait_until(lambda: line.ask("output 17 0") == "ok")
        with pytest.raises(ConnectionError):
            say(port, b"\x90")


def test_a_port_that_is_taken_is_named_and_the_rest_is_served(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with daemon(tmp_path, "--rraspy", f"127.0.0.1:{port}", *HOST) as served:
            served.says(
                rf"rraspy is not served: port {port} on 127\.0\.0\.1 is in use already: by process {os.getpid()}, "
            )
            with served.connect() as line:
                assert line.ask("ping") == "ok"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--rraspy"], "none is named"),
        (["--rraspy", "0.0.0.0", *HOST], "--insecure serves it all the same"),
        (["--rraspy", "0.0.0.0", *HOST, "--insecure", "--open-run"], "own address alone"),
        (["--rraspy", "a b", *HOST], "no ADDRESS or ADDRESS:PORT"),
        (["--rraspy", "127.0.0.1:99999", *HOST], "a port is a number from 1 to 65535"),
        (["--open-run"], "about --rraspy and --further"),
        (["--insecure"], "about --address, --rraspy"),
    ],
)
def test_what_cannot_be_is_told_and_no_daemon_starts(tmp_path, words, text):
    with daemon(tmp_path, *words, runs=False) as served:
        served.says(re.escape(text))
        assert served.process.wait(LIMIT_S) in (1, 2)


def test_insecure_is_said_at_each_start(tmp_path):
    with daemon(tmp_path, "--rraspy", f"0.0.0.0:{free_port()}", *HOST, "--insecure") as served:
        served.says("rraspy: --insecure: without TLS and access")


@pytest.mark.slow
def test_a_module_that_ends_its_process_leaves_the_daemon_as_it_was(tmp_path):
    with daemon(tmp_path, *ANY, "--open-run", config=RUN) as served:
        port, _ = place(served)
        rraspy_parts.answer(port, Message(IMPORT, "os", "os", None))
        try:
            say(port, Message(EXECUTE, None, None, "os._exit(3)").to_bytes())
        except ConnectionError:
            pass  # it was reset
        served.says("its process has ended with status 3")
        with served.connect() as line:
            assert line.ask("ping") == "ok"
