# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio serve --remoteio``, RPIO.remoteio at both ends, and ``import remoteio`` under ``rpio run``: by sockets."""

import contextlib
import json
import re
import signal
import socket
import subprocess
import sys
import textwrap
import threading

import pytest

import RPIO
from ports import free_port
from remote_parts import Program, daemon
from remoteio_parts import ANY, RECORDER, SEED_MAP, port_of, wave
from RPIO import remoteio
from RPIO.remoteio import RemoteServer, ServerGone
from RPIO.wire import remoteio as wire
from waiting import LIMIT_S, wait_until


def connected(served, **options):
    return RemoteServer("127.0.0.1", port_of(served), **options)


def levels(line, *numbers):
    return [line.levels(number)[0] for number in numbers]


@contextlib.contextmanager
def bare(port):
    """A plain connection."""
    with socket.create_connection(("127.0.0.1", port), LIMIT_S) as made:
        made.settimeout(LIMIT_S)
        yield made


def received(made, count):
    data = b""
    while len(data) < count and (more := made.recv(4096)):
        data += more
    return data


# -- the daemon ---------------------------------------------------------------------------------


def test_a_pin_is_driven_and_closed(tmp_path):
    with daemon(tmp_path, *ANY) as served, served.connect() as line, connected(served) as server:
        lamp, fan = server.pin(7), server.pin(17, "g")
        lamp.on()
        fan.on(time_ms=60_000)
        assert levels(line, 4, 17) == [1, 1]
        lamp.off()
        assert levels(line, 4, 17) == [0, 1]
        assert "LineBusyError" in line.ask("output 4 1")
        lamp.close()
        assert line.ask("output 4 1") == "ok"
        lamp.on()  # ignored
        assert levels(line, 4) == [1]
        assert server.pin(4, "g") if line.ask("release 4") == "ok" else False


def test_every_method_is_accepted(tmp_path):
    with daemon(tmp_path, *ANY) as served, connected(served) as server, server.pin(7) as lamp:
        lamp.on(1, 0, 0)
        lamp.off(time_ms=1.5)
        lamp.blink(5, 0.001, arg2=0.001)
        lamp.pulse(5)
        lamp.value(5, arg1=0.5)
        lamp.toggle(5)
        assert lamp.pin_number == 7
        assert repr(server).endswith(", 1 pin>")


@pytest.mark.slow
def test_its_clients_are_sessions(tmp_path):
    with daemon(tmp_path, *ANY) as served, connected(served) as server:
        server.pin(7).on(time_ms=60_000)
        who = served.rpio("who").stdout
        assert re.search(
            r"^  remoteio client from (127\.0\.0\.1:\d+) \(\1\), for \d+ s, may read, gpio, i2c",
            who,
            re.MULTILINE,
        )
        text = f"remoteio: at 127.0.0.1:{port_of(served)}: queues of tasks (wait), and gpiozero's devices"
        assert text in who.splitlines()
        assert text in served.rpio("serve", "--status").stdout.splitlines()
        assert re.search(r"GPIO 4\b.*on.*remoteio client", served.rpio("tasks").stdout)


@pytest.mark.slow
def test_a_client_who_is_killed_has_all_done(tmp_path):
    code = f"""
        from RPIO.remoteio import RemoteServer
        import time
        pin = RemoteServer("127.0.0.1", {{}}).pin(7)
        pin.on(time_ms=300)
        pin.off(time_ms=100)
        pin.on(time_ms=100)
        print("ready", flush=True)
        time.sleep({LIMIT_S})
    """
    with daemon(tmp_path, *ANY) as served, served.connect() as line:
        made = Program(textwrap.dedent(code.format(port_of(served))))
        try:
            made.says("^ready$")
        finally:
            made.close()
        assert "LineBusyError" in line.ask("output 4 0")
        assert wait_until(lambda: line.ask("output 4 0") == "ok")
        assert "no line is in use" not in served.rpio("who").stdout


@pytest.mark.slow
def test_clients_of_the_published_packages_are_served(tmp_path):
    with daemon(tmp_path, *ANY) as served, served.connect() as line, bare(port_of(served)) as made:
        made.sendall(b"b 7 on 0 ")
        assert wait_until(lambda: line.levels(4) == [1])
        made.sendall(b"b 7 off 0 b 11 on 0 ")
        assert wait_until(lambda: levels(line, 4, 17) == [0, 1])
        with bare(port_of(served)) as other:
            other.sendall(b"g 27 on 0")
            assert wait_until(lambda: line.levels(27) == [1])
            other.sendall(b"g 27 off 0")
            assert wait_until(lambda: line.levels(27) == [0])
        made.setblocking(False)
        with pytest.raises(BlockingIOError):
            made.recv(1)


@pytest.mark.slow
def test_the_last_record_of_one_who_closes_at_once_is_done(tmp_path):
    with daemon(tmp_path, *ANY) as served, served.connect() as line:
        with bare(port_of(served)) as made:
            made.sendall(b"g 4 on 200")
        assert wait_until(lambda: line.levels(4) == [1])
        assert wait_until(lambda: line.levels(4) == [0])


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", rb"\? a record begins with b or g, not 'GET'"),
        (b"b 7 create 0 0.0 0.0 7 on 0 0 0 b ", rb"!\? a record is b and five words more"),
        (b"b 7 on 600 b 7 off off ", rb""),
        (b"b " + b"7" * 100, rb"\? a word of more than 64 bytes"),
    ],
)
@pytest.mark.slow
def test_what_is_no_record_closes_the_connection_at_once(tmp_path, sent, answer):
    with daemon(tmp_path, *ANY) as served, bare(port_of(served)) as made:
        made.sendall(sent)
        assert re.match(answer, received(made, 1 << 20))
        assert wait_until(lambda: "client from" not in served.rpio("who").stdout)


@pytest.mark.slow
def test_two_hundred_clients_at_once_and_none_is_in_the_way(tmp_path):
    with daemon(tmp_path, *ANY) as served, contextlib.ExitStack() as stack:
        port = port_of(served)
        clients = [stack.enter_context(bare(port)) for _ in range(200)]
        for made in clients:
            made.sendall(b"b 7 create 0 0.0 0.0 b 7 on 0 0.0 0.0 ")
        failure = b"? 7 Led creation failure? command ignored: on"
        answers = [
            received(made, len(failure)) if at else received(made, 29) for at, made in enumerate(clients)
        ]
        assert answers == [wire.CREATED + wire.QUEUED, *[failure] * 199]
        lamps = [line for line in range(28) if line != 4]
        for made, line in zip(clients[1:], lamps, strict=False):
            made.sendall(b"b %d create 0 0 0 " % SEED_MAP[line])
            assert received(made, 1) == b"!"


def test_one_who_does_not_listen_stops_himself_alone(tmp_path):
    with daemon(tmp_path, *ANY) as served, bare(port_of(served)) as deaf, connected(served) as server:
        deaf.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            for _ in range(100_000):
                deaf.send(b"b 7 on 0 0.0 0.0 " * 500)
        lamp = server.pin(11)
        lamp.on()
        lamp.off()


@pytest.mark.slow
def test_ten_thousand_records_of_one_send_are_answered_in_order(tmp_path):
    with daemon(tmp_path, *ANY) as served, bare(port_of(served)) as made:
        data = b"b 7 create 0 0.0 0.0 " + b"b 7 on 0 0.0 0.0 b 9 off 0 0.0 0.0 " * 5000
        threading.Thread(target=made.sendall, args=(data,)).start()
        expected = wire.CREATED + (wire.QUEUED + wire.ignored("off")) * 5000
        assert received(made, len(expected)) == expected


@pytest.mark.slow
def test_without_it_nothing_is_served_and_nothing_loaded(tmp_path):
    name = "RPIO.server.remoteio.guests"
    look = f"import atexit, sys; atexit.register(lambda: print('{name}' in sys.modules, flush=True))"
    with daemon(tmp_path, prelude=look) as served:
        assert "remoteio" not in served.look()
        assert json.loads(served.rpio("who", "--json").stdout)["fronts"] == []
        served.kill(signal.SIGTERM)
        served.says("^False$")


@pytest.mark.slow
def test_the_configuration_says_the_same(tmp_path):
    config = "[remoteio]\non = true\nport = 0\nmode = 'nowait'\n"
    with daemon(tmp_path, config=config) as served, served.connect() as line, connected(served) as server:
        lamp = server.pin(7)
        lamp.on(time_ms=60_000)
        lamp.off()
        assert wait_until(lambda: line.levels(4) == [0])
        words = ("--remoteio", "127.0.0.2:7", "--remoteio-mode", "wait")
        shown = served.rpio("serve", "--show-config", *words).stdout
        assert re.search(
            r'\[remoteio\]\non = true .*\naddress = "127\.0\.0\.2" .*option.*\nport = 7 .*\nmode = "wait" .*option',
            shown,
        )


@pytest.mark.parametrize("address", ["0.0.0.0", "192.0.2.7"])
@pytest.mark.slow
def test_another_address_than_loopback_is_to_be_asked_for(tmp_path, address):
    with daemon(tmp_path) as served:
        done = served.rpio("serve", "--remoteio", address, "--show-config")
        assert done.returncode
        assert f"remoteio: {address} can be reached by other machines" in done.stderr
        assert "--insecure" in done.stderr
        assert served.rpio("serve", "--remoteio", address, "--insecure", "--show-config").stdout


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--remoteio-mode", "nowait"), "--remoteio-mode is about --remoteio, which is not served"),
        (
            ("--insecure",),
            "--insecure is about --address, --rraspy, --smbus, --remoteio and --further, of which none is served",
        ),
        (("--remoteio", "--remoteio-mode", "later"), "invalid choice: 'later'"),
        (("--remoteio", "pi:http"), "'pi:http' is no ADDRESS or ADDRESS:PORT"),
    ],
)
def test_options_that_mean_nothing_are_refused(words, text):
    done = python("-m", "RPIO", "serve", *words)
    assert done.returncode == 2
    assert text in done.stderr


@pytest.mark.slow
def test_insecure_says_so_each_time(tmp_path):
    with daemon(tmp_path, "--remoteio", "0.0.0.0:0", "--insecure") as served:
        served.says("remoteio: --insecure: whoever reaches this port drives the lines of this machine")
        for words in (("who",), ("serve", "--status")):
            assert re.search("remoteio: at 0.0.0.0:.*; --insecure: whoever", served.rpio(*words).stdout)


@pytest.mark.slow
def test_a_port_that_is_taken_is_named_and_takes_nothing_else_down(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with daemon(tmp_path, "--remoteio", f"127.0.0.1:{port}") as served, served.connect() as line:
            served.says(rf"remoteio is not served: port {port} on 127\.0\.0\.1 is in use already")
            assert line.ask("ping") == "ok"
            assert f"remoteio: not served: port {port}" in served.rpio("who").stdout


# -- the client ---------------------------------------------------------------------------------


def test_the_table_of_pins_is_the_originals():
    assert remoteio.PIN_MAP_gb == SEED_MAP


def loaded_by(module):
    """What of these an import brings along."""
    heavy = (
        "enum",
        "re",
        "typing",
        "threading",
        "logging",
        "dataclasses",
        "socket",
        "RPIO.facade",
        "RPIO.board.board",
    )
    code = f"import sys, {module}; print(*[name for name in {heavy} if name in sys.modules])"
    return set(python("-c", code).stdout.split())


def python(*words):
    return subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, timeout=LIMIT_S, check=False
    )


def test_it_loads_little():
    assert loaded_by("RPIO.remoteio") == loaded_by("RPIO")


def test_a_pin_defined_twice_is_an_error_by_either_number(tmp_path):
    with daemon(tmp_path, *ANY) as served, connected(served) as server:
        server.pin(7, "b")
        for number, numbering in ((7, "b"), (4, "g")):
            with pytest.raises(ValueError, match=r"already created as \(\(b\), 7\)"):
                server.pin(number, numbering)


def test_a_pin_that_another_has_is_a_runtime_error_with_the_servers_words(tmp_path):
    with daemon(tmp_path, *ANY) as served, connected(served) as one, connected(served) as other:
        one.pin(7)
        with pytest.raises(RuntimeError, match=r"^\? 7 Led creation failure$"):
            other.pin(7)
        one.close()
        assert wait_until(lambda: can_have(other, 7))


def can_have(server, number):
    try:
        server.pin(number)
    except RuntimeError:
        return False
    return True


def test_what_the_server_refuses_is_a_runtime_error(tmp_path):
    with daemon(tmp_path, *ANY) as served, connected(served) as server:
        lamp = server.pin(7)
        for time_ms in (1e15, 1e80, 2**70):
            with pytest.raises(RuntimeError, match=r"^\? 7 on: time_ms is 0 to"):
                lamp.on(time_ms=time_ms)
        lamp.on()


@pytest.mark.parametrize(
    ("number", "numbering"),
    [(1, "b"), (41, "b"), (28, "g"), (-1, "g"), ("7", "b"), (True, "b"), (7, "x"), (7.0, "b")],
)
def test_a_pin_that_is_none_is_a_value_error(tmp_path, number, numbering):
    text = "numbering is" if numbering == "x" else "false: that is not"
    with (
        daemon(tmp_path, *ANY) as served,
        connected(served) as server,
        pytest.raises(ValueError, match=text),
    ):
        server.pin(number, numbering)


@pytest.mark.parametrize("time_ms", [-1, float("nan"), float("inf"), "soon", None, []])
def test_a_time_that_is_none_is_an_error_here(tmp_path, time_ms):
    with daemon(tmp_path, *ANY) as served, connected(served) as server:
        lamp = server.pin(7)
        with pytest.raises((ValueError, TypeError), match="time_ms must be a number"):
            lamp.on(time_ms)
        lamp.off()


@pytest.mark.slow
def test_from_many_threads_at_once(tmp_path):
    with daemon(tmp_path, *ANY) as served, connected(served) as server:
        lamps = [server.pin(number) for number in (7, 11, 13, 15)]
        failed = []

        def work(lamp):
            try:
                for _ in range(100):
                    lamp.on()
                    lamp.off()
            except BaseException as e:
                failed.append(e)

        threads = [threading.Thread(target=work, args=(lamp,)) for lamp in lamps * 2]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failed


def test_a_signal_handler_in_the_middle_of_a_call_is_refused_and_the_call_goes_on(tmp_path):
    with daemon(tmp_path, *ANY) as served, connected(served) as server:
        lamp, fan = server.pin(7), server.pin(11)
        received, told = server._received, []

        def interrupted(made):
            with pytest.raises(RuntimeError, match="off of pin 11: a signal handler") as caught:
                fan.off()
            told.append(caught.value)
            return received(made)

        server._received = interrupted  # as a handler that runs there
        lamp.on()
        server._received = received
        fan.off()
        assert len(told) == 1


def test_nobody_there_is_told_with_the_command():
    port = free_port()
    with pytest.raises(ConnectionRefusedError, match=rf"127\.0\.0\.1:{port}: `rpio serve --remoteio` there"):
        RemoteServer("127.0.0.1", port)


def test_a_machine_that_does_not_answer_is_given_up(monkeypatch):
    monkeypatch.setattr(remoteio, "CONNECT_S", 0.05)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, contextlib.ExitStack() as stack:
        for _ in range(8):
            made = stack.enter_context(socket.socket())
            made.setblocking(False)
            made.connect_ex(full.getsockname())
        with pytest.raises(TimeoutError, match=r"does not answer within 0\.05 s"):
            RemoteServer(*full.getsockname())


class Fake:
    """A server that answers each record with the next of these; a tuple comes in pieces."""

    def __init__(self, *answers):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._answers = answers
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self):
        made, _ = self._listener.accept()
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with made:
            for answer in self._answers:
                made.recv(4096)
                for piece in answer if isinstance(answer, tuple) else (answer,):
                    made.sendall(piece)
            while made.recv(4096):
                pass

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._thread.join(LIMIT_S)
        self._listener.close()


def test_replies_come_in_pieces_of_any_size():
    pieces = tuple(bytes([byte]) for byte in wire.QUEUED)
    with (
        Fake(b"!", pieces, b"? command ignored: off") as fake,
        RemoteServer("127.0.0.1", fake.port) as server,
    ):
        lamp = server.pin(7)
        lamp.on()
        lamp.off()


def test_a_reply_in_words_of_its_own_ends_with_silence():
    with Fake(b"!", (b"? the lamp ", b"is broken")) as fake, RemoteServer("127.0.0.1", fake.port) as server:
        lamp = server.pin(7)
        with pytest.raises(RuntimeError, match=r"^\? the lamp is broken$"):
            lamp.on()


def test_a_server_that_answers_nothing_is_given_up_with_the_reason(monkeypatch):
    monkeypatch.setattr(remoteio, "REPLY_S", 0.05)
    with Fake(b"") as fake, RemoteServer("127.0.0.1", fake.port) as server:
        with pytest.raises(ServerGone, match=r"does not reply within 0\.05 s") as raised:
            server.pin(7)
        assert "published packages" in raised.value.hint
        assert server.is_closed


def test_a_server_that_closes_is_a_connection_error_and_a_runtime_error(tmp_path):
    with daemon(tmp_path, *ANY) as served, connected(served) as server:
        lamp = server.pin(7)
        served.kill(signal.SIGTERM)
        with pytest.raises(RuntimeError, match="the connection to remoteio's server"):
            lamp.on()
        with pytest.raises(ConnectionError, match="it is closed"):
            lamp.on()
        server.close()


def test_what_is_closed_says_so(tmp_path):
    with daemon(tmp_path, *ANY) as served:
        server = connected(served)
        lamp = server.pin(7)
        server.close()
        server.close()
        with pytest.raises(ServerGone, match="it is closed"):
            lamp.off()
        assert repr(server).endswith("closed>")


@pytest.mark.slow
def test_the_child_of_a_fork_has_no_pin_of_its_parents_and_a_connection_of_its_own(tmp_path):
    code = """
        import os, threading
        from RPIO.remoteio import RemoteServer, ServerGone
        server = RemoteServer("127.0.0.1", {port})
        lamp = server.pin(7)
        lamp.on()
        with server._lock:  # as where a thread of the parent's is in the middle of a call
            pid = os.fork()
        if pid == 0:
            try:
                lamp.off()
            except ServerGone as e:
                print("child:", e, e.applied, flush=True)
            lamp.close()  # nothing, as where its connection has ended
            fan = server.pin(11)
            fan.on()
            print("child:", server, flush=True)
            fan.close()
            server.close()
            server.close()
            os._exit(0)
        print("ended", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
        lamp.off()
        lamp.on()
        print("parent:", server, flush=True)
        input()
    """
    with daemon(tmp_path, *ANY) as served, served.connect() as line:
        made = Program(textwrap.dedent(code.format(port=port_of(served))))
        try:
            made.says("^parent: .*, 1 pin>$")
            assert "pin 7 is the parent's: this process is the child of a fork False\n" in made.text
            assert "child: <RemoteServer 127.0.0.1:" in made.text and "ended 0\n" in made.text
            assert levels(line, 4, 17) == [1, 0]
            assert wait_until(lambda: line.ask("output 17 0") == "ok")  # the child's
            assert "LineBusyError" in line.ask("output 4 0")
        finally:
            made.close()


@pytest.mark.slow
def test_a_child_of_a_fork_that_asks_for_nothing_ends_nothing(tmp_path):
    code = """
        import os
        from RPIO.remoteio import RemoteServer
        with RemoteServer("127.0.0.1", {port}) as server:
            lamp = server.pin(7)
            if os.fork() == 0:
                server.close()
                print("closed", server.is_closed, flush=True)
                os._exit(0)
            os.wait()
            lamp.on()
            print("parent:", server, flush=True)
            input()
    """
    with daemon(tmp_path, *ANY) as served, served.connect() as line:
        made = Program(textwrap.dedent(code.format(port=port_of(served))))
        try:
            made.says("^parent: .*, 1 pin>$")
            assert "closed True\n" in made.text
            assert line.levels(4) == [1]
        finally:
            made.close()


def test_after_a_server_has_been_started_anew_it_is_told_what_to_do(tmp_path):
    with daemon(tmp_path, *ANY) as served:
        server = connected(served)
        lamp = server.pin(7)
        served.kill(signal.SIGTERM)
        for _ in range(2):
            with pytest.raises(ServerGone, match="is lost") as caught:
                lamp.on()
            assert "RemoteServer() makes another one, pin() its pins" in caught.value.hint
        lamp.close()
        server.close()


# -- a server within a program ------------------------------------------------------------------

SERVER = """
from RPIO.remoteio import run_server
try:
    run_server(port={port}{more})
    print("returned", flush=True)
except Exception as e:
    print(type(e).__name__, e, getattr(e, "hint", ""), flush=True)
"""


def run_server(port, more=""):
    return Program(SERVER.format(port=port, more=more))


def retried(port):
    found = []

    def look():
        with contextlib.suppress(ConnectionRefusedError):
            found.append(RemoteServer("127.0.0.1", port))
        return found

    assert wait_until(look)
    return found[0]


def test_run_server_serves_until_ctrl_c():
    port = free_port()
    with contextlib.closing(run_server(port)) as served, retried(port) as server:
        lamp = server.pin(7)
        lamp.on(time_ms=60_000)
        lamp.off()
        served.kill(signal.SIGINT)
        served.says("^returned$")
        assert served.process.returncode == 0


def test_run_server_goes_on_where_the_loop_runs_in_a_thread():
    port = free_port()
    code = """
import RPIO
RPIO.add_tcp_callback(0, lambda s, m: 0, host="127.0.0.1")
RPIO.wait_for_interrupts(threaded=True)
"""
    with (
        contextlib.closing(Program(code + SERVER.format(port=port, more=""))) as served,
        retried(port) as server,
    ):
        server.pin(7).on()
        served.kill(signal.SIGINT)
        served.says("^returned$")


@pytest.mark.parametrize(
    ("more", "text"),
    [
        (', mode="later"', "ValueError mode is 'wait' or 'nowait', not 'later'"),
        (
            ', host="0.0.0.0"',
            "NotAllowedError '0.0.0.0' can be reached by other machines.* insecure=True serves it",
        ),
        (', host="example.org"', "NotAllowedError 'example.org' can be reached.*insecure=True"),
        (", host=7", "TypeError host must be an address"),
    ],
)
def test_what_run_server_cannot_do_is_told(more, text):
    with contextlib.closing(run_server(0, more)) as served:
        served.says(f"^{text}")


def test_run_server_for_other_machines_says_so():
    with contextlib.closing(run_server(0, ', host="0.0.0.0", insecure=True')) as served:
        served.says("insecure: whoever reaches port 0 of 0.0.0.0 drives the lines of this machine")


def test_a_port_in_use_is_told():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with contextlib.closing(run_server(port)) as served:
            served.says(rf"^OSError \[Errno \d+\] port {port} on 127\.0\.0\.1 is in use already")


# -- the seed's page ----------------------------------------------------------------------------

LISTING_OF_SERVER = """
from remoteio import run_server

if __name__ == "__main__":
    run_server(port=1234)
"""
LISTING_OF_CLIENT = """
from remoteio import RemoteServer

if __name__ == "__main__":
    server_ip = "192.168.1.38"
    server_port = 1234

    remote_server = RemoteServer(server_ip, server_port)
    remote_pin = remote_server.pin(7, 'b')
    remote_pin.on(time_ms=2000) # (Optional) Time until switch off
    remote_pin.blink() # Blink LED
    remote_pin.pulse() # Pulse LED
    remote_pin.off()
    remote_server.close()
"""


@pytest.mark.parametrize("numbering", ["(7, 'b')", "(4, 'g')"])
@pytest.mark.slow
def test_the_listings_of_the_page_run_as_they_stand(tmp_path, numbering):
    """But for the address, which is this machine's."""
    port = str(free_port())
    (tmp_path / "server.py").write_text(RECORDER + LISTING_OF_SERVER.replace("1234", port))
    client = LISTING_OF_CLIENT.replace("192.168.1.38", "127.0.0.1").replace("1234", port)
    (tmp_path / "client.py").write_text(client.replace("(7, 'b')", numbering))
    with contextlib.closing(Program("", words=("-m", "RPIO", "run", str(tmp_path / "server.py")))) as served:
        retried(int(port)).close()
        done = python("-m", "RPIO", "run", str(tmp_path / "client.py"))
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert wait_until(lambda: len(wave(served, 4)) == 2)
        (high, begin_ms), (low, end_ms) = wave(served, 4)
        assert (high, low) == (1, 0)
        assert end_ms - begin_ms >= 2000
        served.kill(signal.SIGINT)


def test_its_modules_have_its_names(tmp_path):
    code = """
        import remoteio, RPIO.remoteio
        from remoteio.remoteio_client import RemotePin, RemoteServer
        from remoteio.remoteio_server import run_server
        from remoteio.remoteio_constants import PORT, PIN_MAP_gb
        assert (RemoteServer, run_server) == (RPIO.remoteio.RemoteServer, RPIO.remoteio.run_server)
        print(remoteio.PORT, PORT, len(PIN_MAP_gb), RPIO.__name__)
    """
    (tmp_path / "names.py").write_text(textwrap.dedent(code))
    done = python("-m", "RPIO", "run", str(tmp_path / "names.py"))
    assert (done.stdout, done.stderr) == ("8509 8509 28 RPIO\n", "")
    assert RPIO.remoteio is remoteio


def test_without_gpiozero_one_sentence_has_the_command(tmp_path):
    prelude = "import sys; sys.modules['gpiozero'] = None"
    with daemon(tmp_path, *ANY, prelude=prelude) as served, bare(port_of(served)) as made:
        made.sendall(b"dev_0 LED _create args=(17,)\n")
        expected = (
            b"?? dev_0 Led creation failure: gpiozero is not installed on this device: sudo apt install"
        )
        assert received(made, len(expected)).startswith(expected)
        made.sendall(b"dev_0 LED on \n")
        assert received(made, 2) == b"?I"
