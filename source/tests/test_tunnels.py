# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio tunnel``, and the operation: a connection of RPIO's own becomes one to a front end of another protocol."""

import contextlib
import hashlib
import http.client
import json
import os
import re
import signal
import socket
import ssl
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

import rraspy_parts
import ssh_parts
from further_parts import config_of
from remote_parts import Daemon, Line, Program, daemon, error, serving
from remoteio_parts import ANY
from RPIO import errors
from RPIO.i2c.smbus_proxy import Proxy
from RPIO.remote.grpc import Caller
from RPIO.remote.places.places import Place
from RPIO.remote.tunnels import handed, tunnels
from RPIO.remote.tunnels.piped import Relay
from RPIO.remote.tunnels.tunnels import Tunnel
from RPIO.remoteio import RemoteServer
from RPIO.wire import smbus
from RPIO.wire.fronts import FRONTS
from RPIO.wire.rraspy import EXECUTE, IMPORT, OK, Message
from RPIO.wire.smbus import SmbusCall
from support import IS_WHOLE
from test_smbus_serve import AT_START, RADIO
from tls_parts import Device, environment
from waiting import LIMIT_S, wait_until

SIZE = 20_000_000 if IS_WHOLE else 4_000_000
BOUND = 64_000_000
"""More than kernels keep for who does not read, of all the connections in a row."""
GROWTH_KB = 8_000
"""More than the daemon needs for one who does not."""


class Echo:
    """What stands in the place of a front end: it sends back what comes, and notes who has gone. *says* is said first,
    without end where that is so.
    """

    def __init__(self, floods=False):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.floods, self.sent, self.over, self.clients, self.lost = floods, 0, [], [], []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                made, _ = self.listener.accept()
                self.clients.append(made)
                threading.Thread(target=self._serve, args=(made,), daemon=True).start()

    def _serve(self, made):
        try:
            with made:
                while self.floods:
                    self.sent += made.send(b"x" * 65536)
                while data := made.recv(65536):
                    made.sendall(data)
                made.sendall(b"that was all")
        except OSError as e:
            self.lost.append(e)
        self.over.append(made)

    def close(self):
        for made in (self.listener, *self.clients):
            made.close()


class Served:
    """A daemon of which the front end remoteio is an Echo; *place* is how this process comes there."""

    def __init__(self, folder, is_sealed, floods=False, **options):
        self.echo = Echo(floods)
        prelude = (
            "import RPIO.server.tunnels.tunnels as t;"
            f"t.Tunnels._place = lambda self, name: ('127.0.0.1', {self.echo.port})"
        )
        self.device = Device(folder)
        self.daemon = Daemon(folder, *["--address", "any"] * is_sealed, prelude=prelude, **options)
        port = self.daemon.says(r"serving .*:(\d+)$")[1]
        if is_sealed:
            self.device.pair()
        self.place = Place(f"127.0.0.1:{port}")

    def close(self):
        self.daemon.close()
        self.echo.close()


@contextlib.contextmanager
def served_at(folder, is_sealed, **options):
    made = Served(folder, is_sealed, **options)
    with environment(made.device.environment):
        try:
            yield made
        finally:
            made.close()


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "tls"])
def served(request, tmp_path_factory):
    with served_at(tmp_path_factory.mktemp("tunnels"), request.param) as made:
        yield made


@pytest.fixture(params=[False, True], ids=["plain", "tls"])
def flooded(request, tmp_path):
    with served_at(tmp_path, request.param, floods=True) as made:
        yield made


@contextlib.contextmanager
def tunnel(place, name="remoteio"):
    """A port here that leads there, in this process; what it says is in ``said``."""
    said = []
    made = Tunnel(place, name, "anna", said.append)
    made.said = said
    made.open(0)
    thread = threading.Thread(target=made.serve)
    thread.start()
    try:
        yield made
    finally:
        made.close()
        thread.join(LIMIT_S)


@contextlib.contextmanager
def through(place, name="remoteio"):
    """A connection through such a port."""
    with tunnel(place, name) as made, socket.create_connection(("127.0.0.1", made.port), LIMIT_S) as client:
        client.settimeout(LIMIT_S)
        yield client


def rest_of(made):
    found = []
    while data := made.recv(1 << 16):
        found.append(data)
    return b"".join(found)


# -- the pipe -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_much_comes_both_ways_at_once_as_it_was_sent(served):
    data = os.urandom(1 << 16) * (SIZE >> 16)
    with through(served.place) as client:
        sending = threading.Thread(target=lambda: (client.sendall(data), client.shutdown(socket.SHUT_WR)))
        sending.start()
        found = rest_of(client)
        sending.join(LIMIT_S)
    assert found.endswith(b"that was all")  # what is said behind the end of the other side comes, too
    assert hashlib.sha256(found[:-12]).digest() == hashlib.sha256(data).digest()


def test_it_is_answered_as_what_it_was_and_is_that_other_connection_behind_the_answer(served):
    end, _, rest = handed.reached(served.place, "anna", "a test", "tunnel", LIMIT_S, "remoteio")
    with contextlib.closing(end):
        assert rest == b""
        end.setblocking(True)
        end.send(b"ping\nbye\n")  # which is said to no session any more
        assert end.recv(1 << 16) == b"ping\nbye\n"


@pytest.mark.parametrize("who", ["client", "daemon"])
@pytest.mark.slow
def test_one_that_somebody_between_cuts_off_is_lost_and_has_not_ended(tmp_path, who):
    """Who is between can send the end of a TCP connection, and what has come would be taken for the whole."""
    with served_at(tmp_path, True) as served:
        end, _, _ = handed.reached(served.place, "anna", "a test", "tunnel", LIMIT_S, "remoteio")
        with contextlib.closing(end):
            end.setblocking(True)
            end.send(b"rm -r /tmp/a")
            assert end.recv(1 << 16) == b"rm -r /tmp/a"
            if who == "client":
                end._socket.shutdown(socket.SHUT_WR)
            else:
                os.kill(served.daemon.process.pid, signal.SIGKILL)
            with pytest.raises(ConnectionResetError):
                rest_of(end)
            if who == "client":
                assert wait_until(lambda: [type(e) for e in served.echo.lost] == [ConnectionResetError])


def test_a_tunnel_that_is_short_of_something_turns_a_client_away_and_goes_on(served, monkeypatch):
    with tunnel(served.place) as made:
        start, faults = tunnels.threads.start, [RuntimeError("can't start new thread")]

        def start_or_not(*words):
            if faults:
                raise faults.pop()
            return start(*words)

        monkeypatch.setattr(tunnels.threads, "start", start_or_not)
        with socket.create_connection(("127.0.0.1", made.port), LIMIT_S) as client:
            assert client.recv(1) == b""
        with socket.create_connection(("127.0.0.1", made.port), LIMIT_S) as client:
            client.sendall(b"x")
            assert client.recv(1) == b"x"
        assert made.said == ["a client is turned away: can't start new thread"]
        monkeypatch.setattr(tunnels, "AGAIN_S", 0)
        made._accept(Lacking())
        assert made.said[1:] == ["nobody is let in for 0 s: Too many open files"]


class Lacking:
    """A listener of a process that has no descriptor left."""

    def fileno(self):
        return 0

    def accept(self):
        raise OSError(24, "Too many open files")


@pytest.mark.slow
def test_it_is_a_session_of_its_own_that_who_shows_and_ends_with_either_side(served):
    with through(served.place) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        shown = json.loads(served.daemon.rpio("who", "--json").stdout)["sessions"]
        assert "anna, rpio tunnel remoteio" in [row["who"] for row in shown]
        over = len(served.echo.over)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # it is reset
        client.close()
        assert wait_until(lambda: len(served.echo.over) > over)
    assert wait_until(lambda: "rpio tunnel" not in served.daemon.rpio("who").stdout)
    with through(served.place) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        served.echo.clients[-1].shutdown(socket.SHUT_RDWR)
        assert rest_of(client) == b""
    assert wait_until(lambda: "rpio tunnel" not in served.daemon.rpio("who").stdout)


def test_a_client_who_is_killed_is_gone_there_too(served):
    over = len(served.echo.over)
    code = f"""
        from RPIO.remote.tunnels.tunnels import Tunnel
        from RPIO.remote.places.places import Place
        import socket, threading
        made = Tunnel(Place({served.place.text!r}), "remoteio", "", print)
        made.open(0)
        threading.Thread(target=made.serve).start()
        client = socket.create_connection(("127.0.0.1", made.port))
        client.sendall(b"x"); print("got", client.recv(1).decode(), flush=True)
        client.recv(1)
        """
    program = Program("\n".join(line.strip() for line in code.splitlines()))
    try:
        program.says("^got x")
        program.kill()
    finally:
        program.close()
    assert wait_until(lambda: len(served.echo.over) > over)


def resident_kb(pid):
    return int(re.search(r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)[1])


@pytest.mark.slow
def test_who_does_not_read_stops_himself_alone(flooded):
    """The device keeps no more for him than kernels do, and others are served at once."""
    before_kb = resident_kb(flooded.daemon.pid)
    with through(flooded.place) as slow:
        sent = []

        def has_stopped():
            sent.append(flooded.echo.sent)
            return len(sent) > 20 and sent[-20] == sent[-1]

        assert wait_until(has_stopped, most_pause_s=0.02)
        assert sent[-1] < BOUND and resident_kb(flooded.daemon.pid) - before_kb < GROWTH_KB
        with flooded.daemon.connect() as line:
            assert line.ask("output 17 1") == "ok"
        assert slow.recv(1) == b"x"


@pytest.mark.slow
def test_a_pipe_that_is_full_ends_with_its_session_all_the_same(flooded):
    _end_by_revocation(flooded, lambda client: None)


def _end_by_revocation(served, before):
    """Have a session end whose pipe is in use."""
    file = f"{served.daemon.folder}/token"
    made = served.daemon.rpio(
        "token", "new", "anna", "--to", file, *[f"--scope={s}" for s in FRONTS["remoteio"].scopes]
    )
    assert made.returncode == 0
    with environment({"RPIO_TOKEN_FILE": file}), through(served.place) as client:
        before(client)
        assert wait_until(lambda: "rpio tunnel" in served.daemon.rpio("who").stdout)
        over = len(served.echo.over)
        done = served.daemon.rpio("token", "revoke", "anna")
        assert "1 session ended" in done.stderr
        assert wait_until(lambda: len(served.echo.over) > over)
        with contextlib.suppress(ConnectionResetError):
            while client.recv(1 << 16):
                pass


@pytest.mark.slow
def test_a_token_that_is_revoked_in_mid_stream_ends_it_at_once(served):
    def talk(client):
        client.sendall(b"x")
        assert client.recv(1) == b"x"

    _end_by_revocation(served, talk)


@pytest.mark.slow
def test_a_certificate_that_is_taken_off_the_list_in_mid_stream_ends_it_at_once(tmp_path):
    with served_at(tmp_path, True) as served, through(served.place) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        served.device.list()
        with served.daemon.connect() as line:
            assert line.ask("tokens") == "ok 1"
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(1) == b""
        assert wait_until(lambda: served.echo.over)
        with pytest.raises(errors.NotAllowedError):
            Tunnel(served.place, "remoteio", "", print).open(0)


def test_an_idle_one_wakes_nobody(served):
    status = Path(f"/proc/{served.daemon.pid}/status")

    def switches():
        return re.findall(r"^voluntary_ctxt_switches:\t(\d+)", status.read_text(), re.MULTILINE)

    with through(served.place) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        seen = []

        def is_asleep():
            seen.append(switches())
            return len(seen) > 20 and seen[-20] == seen[-1]

        assert wait_until(is_asleep, most_pause_s=0.02)


@pytest.mark.slow
def test_a_daemon_that_ends_ends_them(tmp_path):
    with served_at(tmp_path, True) as served, through(served.place) as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        served.daemon.kill(signal.SIGTERM)
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(1) == b""
        assert wait_until(lambda: served.echo.over)


# -- who may --------------------------------------------------------------------------------------


@pytest.mark.slow
def test_it_gives_all_that_is_open_there_and_so_takes_all_of_that(tmp_path):
    """To the front end who comes by it is somebody of its own machine."""
    config = (
        f"[access]\nopen = []\ntokens = '{tmp_path}/tokens'\n[rraspy]\nopen_run = true\nhost = '127.0.0.1'\n"
    )
    with daemon(tmp_path, *ANY, config=config) as served:
        for name, front in FRONTS.items():
            wanted = {*front.scopes, *(["run"] if name == "rraspy" else [])}
            for left_out in sorted(wanted):
                scopes = [word for scope in sorted(wanted - {left_out}) for word in ("--scope", scope)]
                text = served.rpio("token", "new", *(scopes or ["--scope", "run"])).stdout.strip()
                with served.connect() as line:
                    assert line.ask(f"token {text}") == "ok"
                    answer = line.ask(f"tunnel {name}")
                    assert error(answer) == "NotAllowedError" and f"needs the scope '{left_out}'" in answer
        some = served.rpio("token", "new", "--lines", "17").stdout.strip()
        with served.connect() as line:
            assert line.ask(f"token {some}") == "ok"
            answer = line.ask("tunnel remoteio")
            assert error(answer) == "NotAllowedError" and "gives all lines" in answer
        text = served.rpio("token", "new").stdout.strip()  # read and gpio
        with served.connect() as line:
            assert line.ask(f"token {text}") == "ok"
            assert line.ask("tunnel remoteio") == "ok"


@pytest.mark.parametrize(
    ("words", "name", "text"),
    [
        ((), "remoteio", "remoteio is not served there"),
        (("--rraspy", "127.0.0.1:0", "--rraspy-host", "192.0.2.1"), "rraspy", "to the host 192.0.2.1 alone"),
        ((), "nothing", "nothing"),
        (("--smbus", "0.0.0.0:0"), "smbus", "smbus is served by TLS there"),
    ],
)
def test_what_there_is_no_tunnel_to_is_told_and_the_connection_goes_on(tmp_path, words, name, text):
    with daemon(tmp_path, *words) as served, served.connect() as line:
        answer = line.ask(f"tunnel {name} #1")
        assert answer.startswith("error ") and text in answer
        assert line.ask("ping #2") == "ok #2"


def test_a_front_end_that_has_gone_is_told(tmp_path):
    prelude = (
        "import RPIO.server.tunnels.tunnels as t; t.Tunnels._place = lambda self, name: ('127.0.0.1', 1)"
    )
    with daemon(tmp_path, prelude=prelude) as served, served.connect() as line:
        assert "Connection refused" in line.ask("tunnel remoteio")
        assert line.ask("ping") == "ok"


def test_a_program_that_serves_its_lines_has_none():
    with serving() as served, served.connect() as line:
        assert error(line.ask("tunnel remoteio")) == "NotSupportedError"
        assert line.ask("ping") == "ok"


# -- rpio tunnel ----------------------------------------------------------------------------------


@contextlib.contextmanager
def typed(*words, **env):
    """``rpio tunnel`` as it is typed, which goes on meanwhile."""
    made = Program("", words=("-m", "RPIO", "tunnel", *map(str, words)), RPIO_BACKEND="", **env)
    try:
        yield made
    finally:
        made.close()


def port_of(made):
    return int(made.says(r"^rpio tunnel: 127\.0\.0\.1:(\d+) leads to ")[1])


def test_typed_it_says_where_and_to_what_and_ends_with_ctrl_c(served):
    with typed(served.place.text, 8509) as made:
        port = port_of(made)
        how = "encrypted" if os.path.exists(served.device.clients) else "on this machine"
        made.says(f"leads to remoteio of {re.escape(str(served.place))}, {how}")
        made.says("it is for clients of remoteio")
        with socket.create_connection(("127.0.0.1", port), LIMIT_S) as client:
            client.sendall(b"x")
            assert client.recv(1) == b"x"
            made.process.send_signal(signal.SIGINT)
            assert made.process.wait(LIMIT_S) == 0
            with contextlib.suppress(ConnectionResetError):
                assert client.recv(1) == b""
        assert "Traceback" not in made.look()


@pytest.mark.slow
def test_another_port_is_taken_where_the_usual_one_is_not_free(served):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with typed(served.place.text, "remoteio", "--port", port) as made:
            made.says(f"port {port} on 127.0.0.1 is in use|Address already in use")
            assert made.process.wait(LIMIT_S) == 1
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            made = stack.enter_context(typed(served.place.text, "remoteio"))
            port = port_of(made)
        assert port != 8509
        made.says("8509, the usual port, is taken here")


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        (["localhost", "8510"], 2, "invalid choice: '8510'"),
        (["localhost", "remoteio", "--port", "0"], 2, "'0' is no port"),
        (["a b", "remoteio"], 2, "is no place of a board"),
        (["192.0.2.1", "remoteio", "--port", "x"], 2, "'x' is no port"),
        (["127.0.0.1:1", "remoteio"], 1, "no board answers"),
    ],
)
def test_what_is_wrong_is_told_with_what_to_type(words, status, text, tmp_path):
    with typed(*words, XDG_CONFIG_HOME=str(tmp_path), XDG_RUNTIME_DIR=str(tmp_path)) as made:
        assert made.process.wait(LIMIT_S) == status
        assert text in made.look() and "Traceback" not in made.look()


@pytest.mark.slow
def test_by_ssh(tmp_path):
    if ssh_parts.why_not():
        pytest.skip(ssh_parts.why_not())
    far = ssh_parts.Far()
    try:
        with typed("ssh://far", "remoteio", **far.environment) as made:
            made.says("no daemon runs there")
            assert made.process.wait(LIMIT_S) == 1
        where = f"{far.there}/rpio/rpio.sock"
        with (
            daemon(tmp_path, *ANY, "--socket", where),
            typed("ssh://far", "remoteio", **far.environment) as made,
            socket.create_connection(("127.0.0.1", port_of(made)), LIMIT_S) as client,
        ):
            client.sendall(b"b 11 create 0 0 0 ")
            assert client.recv(100) == b"!"
            with contextlib.closing(Place(f"remote+unix://{where}").connect(LIMIT_S)) as asking:
                assert "rpio tunnel remoteio, by ssh" in Line(asking).ask("sessions")
    finally:
        far.close()


# -- whose programs know nothing of it ------------------------------------------------------------


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    """A daemon with all of its front ends on this machine alone, and its own port open to others by TLS."""
    folder = tmp_path_factory.mktemp("old")
    fronts = [
        word for name in ("remoteio", "smbus", "rraspy", "further") for word in (f"--{name}", "127.0.0.1:0")
    ]
    device = Device(folder)
    device.pair()
    words = ("--address", "any", *fronts, "--rraspy-host", "127.0.0.1")
    made = Daemon(folder, *words, prelude=RADIO, config=config_of(folder))
    port = made.says(r"serving .*:(\d+)$")[1]
    made.place = Place(f"127.0.0.1:{port}")
    with environment(device.environment):
        yield made
    made.close()


def test_a_client_of_remoteio_is_encrypted_without_knowing_it(old):
    with tunnel(old.place, "remoteio") as made, closing(RemoteServer("127.0.0.1", made.port)) as server:
        server.pin(11).on()
        with old.connect() as line:
            assert wait_until(lambda: line.levels(17) == [1])


def test_a_client_of_smbus_proxy(old):
    with tunnel(old.place, "smbus") as made, closing(Caller("127.0.0.1", made.port)) as caller:
        proxy = Proxy(caller, 1, LIMIT_S)
        proxy.open()
        assert proxy.smbus(SmbusCall(0x10, True, smbus.I2C_BLOCK_DATA, 10, length=32)) == AT_START
        proxy.close()


def test_no_client_waits_for_the_next_one(old):
    """Of hosts of RRaspPY each request is a connection of its own."""
    with tunnel(old.place, "rraspy") as made:
        times = []
        for _ in range(5):
            begin = time.monotonic()
            assert rraspy_parts.answer(made.port, Message(IMPORT, ".GPIO", "GPIO", "RPi")) == Message(OK)
            times.append(time.monotonic() - begin)
    assert min(times[1:]) < tunnels.NAP_S / 2


@pytest.mark.slow
def test_a_host_of_rraspys(old):
    with tunnel(old.place, "rraspy") as made:
        assert rraspy_parts.answer(made.port, Message(IMPORT, ".GPIO", "GPIO", "RPi")) == Message(OK)
        for command in ("GPIO.setmode(11)", "GPIO.setup(27, 0, initial=1)"):
            assert rraspy_parts.answer(made.port, Message(EXECUTE, None, None, command)) == Message(OK)
    with old.connect() as line:
        assert line.levels(27) == [1]


@pytest.mark.slow
def test_a_client_of_further_link_whose_tls_is_his_own(old):
    trust = ssl.create_default_context(cafile=f"{old.folder}/state/tls/ca.pem")
    with (
        tunnel(old.place, "further") as made,
        closing(
            http.client.HTTPSConnection("localhost", made.port, timeout=LIMIT_S, context=trust)
        ) as client,
    ):
        client.request("GET", "/status")
        assert client.getresponse().read() == b"OK"


@pytest.mark.parametrize("python", rraspy_parts.PYTHONS)
@pytest.mark.slow
def test_events_of_rraspys_come_back_the_same_way(tmp_path, python):
    """The device calls its host at its own machine, and the tunnel brings that to the host's."""
    with rraspy_parts.original_host(python) as host, contextlib.ExitStack() as stack:
        there = (
            rraspy_parts.free_port()
        )  # the host's port is taken here, as the device's is, by the host itself
        device = Device(tmp_path)
        device.pair()
        words = ("--address", "any", "--rraspy", "127.0.0.1:0", "--rraspy-host", f"127.0.0.1:{there}")
        served = stack.enter_context(daemon(tmp_path, *words))
        port = served.says(r"serving .*:(\d+)$")[1]
        made = stack.enter_context(
            typed(f"127.0.0.1:{port}", "rraspy", "--host-port", host.port, XDG_CONFIG_HOME=device.settings)
        )
        host.use(port_of(made))
        host.do('ImportModule(".GPIO", "GPIO", "RPi")')
        host.do('Execute("GPIO.setmode(11)")')
        host.do('Execute("GPIO.setup(6, 1, pull_up_down=21)")')
        event = '("evtDetect6", heard)'
        assert host.do(f'Execute("GPIO.add_event_detect(6, 31, CB_FUNCT)", None, {event})') == "None"
        assert wait_until(lambda: "rpio tunnel rraspy, calls" in served.rpio("who").stdout)
        with served.connect() as line:
            for _ in range(3):
                assert line.ask("drive 6 1") == "ok"
                assert host.do("Events(1)") == "[(6,)]"
                assert line.ask("drive 6 0") == "ok"
        assert "rpio tunnel rraspy, calls" in served.rpio("who").stdout
        made.kill(signal.SIGINT)
        assert wait_until(lambda: "rpio tunnel" not in served.rpio("who").stdout)


@pytest.mark.slow
def test_calls_are_waited_for_by_who_may_and_given_back_with_the_connection(tmp_path):
    port = rraspy_parts.free_port()
    words = ("--rraspy", "127.0.0.1:0", "--rraspy-host", f"127.0.0.1:{port}")
    prelude = "import RPIO.server.tunnels.back as t; t.KEPT_S = 0.5"
    with (
        daemon(tmp_path, *words, prelude=prelude) as served,
        served.connect() as one,
        served.connect() as two,
    ):
        for line in (one, two):
            line.send(b"ping #1\ntunnel_back rraspy #2\nping #3\n")
            assert [line.read(), line.read()] == ["ok #1", "ok #3"]
        one.close()
        assert wait_until(lambda: served.rpio("who").stdout.startswith("simulated"))
        with socket.create_connection(("127.0.0.1", port), LIMIT_S) as call:
            assert two.read() == "ok #2"
            call.sendall(b"event")
            assert two.file.read(5) == b"event"
            two.send(b"heard")
            assert call.recv(5) == b"heard"
        assert two.rest() == b""

        def is_free():
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), LIMIT_S):
                return False
            return True

        assert wait_until(is_free)
        with socket.create_server(("127.0.0.1", port)), served.connect() as three:
            assert "in use" in three.ask("tunnel_back rraspy")
            assert three.ask("ping") == "ok"


# -- the last words ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("says_more", [False, True], ids=["silent", "goes on"])
def test_why_it_ends_arrives_though_something_was_left_unread(says_more):
    """The kernel tells of who has closed with something unread as of an error, before what he has said is read."""
    ours, one = socket.socketpair()
    other, its = socket.socketpair()
    with ours:
        other.sendall(b"never read")
        its.sendall(b"why")
        its.close()
        if says_more:
            ours.sendall(b"more")
        relay = threading.Thread(target=Relay(one, other).run)
        relay.start()
        ours.settimeout(LIMIT_S)
        assert ours.recv(100) == b"why" and ours.recv(100) == b""
        relay.join(LIMIT_S)
        assert not relay.is_alive() and one.fileno() == other.fileno() == -1
