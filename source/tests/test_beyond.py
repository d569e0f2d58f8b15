# SPDX-License-Identifier: LGPL-3.0-or-later
"""HTTP and gRPC where other machines reach them: TLS by the device's own authority, and a certificate or a token."""

import contextlib
import http.client
import socket
import ssl
from contextlib import closing

import pytest

from further_parts import config_of
from remote_parts import Daemon, Line
from RPIO.i2c.smbus_proxy import Proxy
from RPIO.remote.grpc import Caller, Refused
from RPIO.remote.places import hosts
from RPIO.wire import smbus
from RPIO.wire.grpc import rpio_v1_pb2 as pb
from RPIO.wire.smbus import SmbusCall
from RPIO.wire.terms import GPIO, I2C, READ, RUN
from test_smbus_serve import AT_START, RADIO
from tls_parts import Device, environment
from waiting import LIMIT_S, wait_until

FAR = (
    "import RPIO.server.settings.beyond as b; import RPIO.server.further.routes as h;"
    "b.is_loopback = h.is_loopback = lambda address: False\n"
)
"""Has a daemon take whoever comes for another machine."""


class Served:
    """A daemon with both, for other machines."""

    def __init__(self, folder):
        self.device = Device(folder)
        words = ("--smbus", "0.0.0.0:0", "--further", "0.0.0.0:0", "--address", "any")
        self.daemon = Daemon(folder, *words, config=config_of(folder), prelude=FAR + RADIO)
        self.grpc = int(self.daemon.says(r"smbus is served at 0\.0\.0\.0:(\d+)")[1])
        self.further = int(self.daemon.says(r"further is served at https://0\.0\.0\.0:(\d+)")[1])
        self.list()

    def list(self, *more):
        self.device.list(("laptop", (READ, GPIO, I2C, RUN), None), ("reader", (READ,), None), *more)
        self.daemon.process.send_signal(1)  # as `rpio pair` and `rpio token` have it

    def trust(self, name):
        """What a client has who is that machine; None for one that shows no certificate."""
        self.device.know(name)
        with environment(self.device.environment):
            return hosts.find("127.0.0.1").context()

    @contextlib.contextmanager
    def caller(self, name):
        context = self.trust(name)
        context.set_alpn_protocols(["h2"])
        with closing(Caller("127.0.0.1", self.grpc, context)) as made:
            yield made

    def status(self, path, name, **headers):
        """The answer's status and body."""
        with closing(
            http.client.HTTPSConnection("127.0.0.1", self.further, timeout=LIMIT_S, context=self.trust(name))
        ) as made:
            made.request("GET", path, headers=headers)
            answer = made.getresponse()
            return answer.status, answer.read().decode()


@pytest.mark.slow
def test_any_is_every_address_at_each_port(tmp_path):
    """Of IPv4 and of IPv6, whatever asyncio and the system mean by ::."""
    device = Device(tmp_path)
    words = ("--smbus", "any:0", "--further", "any:0", "--address", "any")
    daemon = Daemon(tmp_path, *words, config=config_of(tmp_path), prelude=FAR + RADIO)
    try:
        ports = [
            int(daemon.says(rf"{name} is served at \S*\[::\]:(\d+)")[1]) for name in ("smbus", "further")
        ]
        for port in ports:
            for address in ("127.0.0.1", "::1"):
                with socket.create_connection((address, port), LIMIT_S) as made:
                    assert made.getpeername()[1] == port
    finally:
        daemon.close()
    assert device is not None


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    made = Served(tmp_path_factory.mktemp("beyond"))
    yield made
    made.daemon.close()


def info(caller, **metadata):
    return caller.ask("/rpio.v1.Board/Info", pb.InfoRequest(), pb.InfoReply, LIMIT_S, metadata)[0]


@pytest.mark.slow
def test_a_certificate_stands_in_the_place_of_a_token(served):
    with served.caller("laptop") as caller:
        assert info(caller).lines == 58
        setup = pb.SetupRequest(line=17, direction=pb.SetupRequest.OUT)
        caller.ask("/rpio.v1.Gpio/Setup", setup, pb.SetupReply, LIMIT_S, {})
        proxy = Proxy(caller, 1, LIMIT_S)
        proxy.open()
        assert proxy.smbus(SmbusCall(0x10, True, smbus.I2C_BLOCK_DATA, 10, length=32)) == AT_START
        proxy.close()
    assert served.status("/status.json", "laptop")[0] == 200
    assert served.status("/version", "laptop")[0] == 200


def test_it_allows_what_the_list_says(served):
    with served.caller("reader") as caller:
        assert info(caller).lines == 58
        setup = pb.SetupRequest(line=4, direction=pb.SetupRequest.OUT)
        with pytest.raises(Refused, match=r"needs the scope 'gpio'; this session has read$"):
            caller.ask("/rpio.v1.Gpio/Setup", setup, pb.SetupReply, LIMIT_S, {})
        with pytest.raises(OSError, match="needs the scope 'i2c'"):
            Proxy(caller, 1, LIMIT_S).open()
    assert served.status("/status.json", "reader")[0] == 200
    assert served.status("/video/1", "reader")[0] == 403


def test_a_token_does_without_a_certificate(served):
    token = served.daemon.rpio("token", "new", "--scope", "read").stdout.strip()
    with served.caller(None) as caller:
        assert info(caller, authorization=f"Bearer {token}").lines == 58
    assert served.status("/status.json", None, Authorization=f"Bearer {token}")[0] == 200


def test_who_shows_nothing_is_told_nothing(served):
    from RPIO.wire.grpc import smbus_rcp_pb2 as rcp

    with served.caller(None) as caller:
        with pytest.raises(Refused, match="not open to whom it does not know") as e:
            info(caller)
        assert "rpio pair" in e.value.metadata["rpio-hint"]
        request = rcp.open_request(i2c_bus=1)
        reply, _ = caller.ask("/SmbusRcp/open", request, rcp.operation_status, LIMIT_S, {})
        assert reply.code == 1 and "not open to whom it does not know" in reply.exception
        with pytest.raises(Refused) as e:  # not even which services there are
            caller.ask("/grpc.health.v1.Health/Check", pb.InfoRequest(), pb.InfoReply, LIMIT_S, {})
        assert e.value.status == 12
    for path in ("/version", "/status.json", "/video/1", "/version/apt/rpio"):
        assert served.status(path, None)[0] == 401
    assert served.status("/status", None) == (200, "OK")


def test_who_shows_a_certificate_that_is_not_listed_is_refused(served):
    with served.caller("stranger") as caller, pytest.raises(Refused, match=r"certificate|paired"):
        info(caller)
    assert served.status("/status.json", "stranger")[0] in (401, 403)


def test_a_certificate_of_another_device_ends_the_handshake(served, tmp_path):
    other = Device(tmp_path)
    certificate, key = other.certificate("laptop")
    for name, text in (("c", certificate), ("k", key)):
        (tmp_path / name).write_text(text)
    context = served.trust(None)
    context.load_cert_chain(tmp_path / "c", tmp_path / "k")
    for port in (served.grpc, served.further):
        made = socket.create_connection(("127.0.0.1", port), LIMIT_S)
        with pytest.raises((ssl.SSLError, ConnectionError)), context.wrap_socket(made) as tls:
            tls.sendall(b"GET /status HTTP/1.0\r\n\r\n")
            if not tls.recv(1):
                raise ConnectionResetError


def test_what_is_plain_is_not_answered(served):
    for port in (served.grpc, served.further):
        with socket.create_connection(("127.0.0.1", port), LIMIT_S) as made:
            made.sendall(b"GET /status HTTP/1.0\r\n\r\n")
            with contextlib.suppress(ConnectionResetError):
                assert b"OK" not in made.recv(1000)


@pytest.mark.slow
def test_one_that_is_taken_off_the_list_is_out_at_once(served):
    served.list(("guest", (READ,), None))
    with served.caller("guest") as caller:
        assert info(caller).lines == 58
        served.list()
        assert wait_until(lambda: "1 session(s)" in served.daemon.look())
        with pytest.raises(Refused):
            info(caller)
    assert served.status("/status.json", "guest")[0] in (401, 403)


@pytest.mark.slow
def test_handshakes_that_stall_keep_nobody_out_and_have_an_end(tmp_path):
    prelude = (
        "from RPIO.server.outside import arrivals as a, strangers as s; a.SHOWN_S = 1.0; s.OF_ADDRESS_MAX = 4\n"
        "import RPIO.server.grpc.port as g; g.CONNECTIONS_MAX = 6; g.FIRST_S = 1.0\n"
    )
    device = Device(tmp_path)
    device.pair()
    made = Daemon(tmp_path, "--smbus", "0.0.0.0:0", prelude=prelude)
    with closing(made):
        port = int(made.says(r"smbus is served at 0\.0\.0\.0:(\d+)")[1])
        for _ in range(2):  # what has gone is counted no more: 8 are more than there may be
            idle = [socket.create_connection(("127.0.0.1", port), LIMIT_S) for _ in range(4)]
            with socket.create_connection(("127.0.0.1", port), LIMIT_S) as late:
                assert idle[0].recv(1) == b""  # who has come first makes room, before his time is over
                assert late.recv(1) == b""  # and then that of all of them is
            for each in idle:
                assert each.recv(1) == b""
                each.close()
        with environment(device.environment):
            context = hosts.find("127.0.0.1").context()
        context.set_alpn_protocols(["h2"])
        come = []

        def is_let_in():
            with contextlib.suppress(OSError):
                come.append(context.wrap_socket(socket.create_connection(("127.0.0.1", port), LIMIT_S)))
            return come

        assert wait_until(is_let_in)
        silent = come[0]
        with silent, closing(Caller("127.0.0.1", port, context)) as caller:
            assert info(caller).lines == 58
            silent.settimeout(LIMIT_S)
            with contextlib.suppress(ssl.SSLError, ConnectionError):
                while silent.recv(1 << 16):  # who says nothing to the end of his time is out
                    pass
            assert info(caller).lines == 58


# -- RPIO's own port, without ---------------------------------------------------------------------


@pytest.mark.parametrize("is_insecure", [False, True])
@pytest.mark.slow
def test_the_port_for_other_machines_is_plain_to_them_where_that_was_said(tmp_path, is_insecure):
    far = "import RPIO.server.outside.lobby as l; l.is_loopback = lambda address: False"
    words = ["--address", "any", *["--insecure"] * is_insecure]
    with closing(Daemon(tmp_path, *words, prelude=far)) as made:
        port = int(made.says(r"serving .*:(\d+)$")[1])
        with Line(socket.create_connection(("127.0.0.1", port), LIMIT_S)) as line:
            answer = line.ask("output 17 1")
            assert (answer == "ok") is is_insecure
            assert is_insecure or "this port speaks TLS to other machines" in answer
        warning = "--insecure: whoever reaches this port has the lines of this machine"
        for text in (made.look(), made.rpio("who").stdout, made.rpio("serve", "--status").stdout):
            assert ("--insecure" in text) is is_insecure
        assert (warning in made.look()) is is_insecure
