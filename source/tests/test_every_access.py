# SPDX-License-Identifier: LGPL-3.0-or-later
"""Every scope with everything that can be asked, at every front end: allowed and refused as the scope says.

What can be asked is taken from the tables that the front ends are made of. So an operation, a method of gRPC or a path
of HTTP that is new is asked here, and fails until a row says whom it is for.
"""

import contextlib
import http.client
from contextlib import closing

import pytest

import rraspy_parts
from further_parts import config_of
from grpc_parts import Rpio
from remote_parts import Daemon, Line, World
from RPIO.remote.grpc import Caller, Refused
from RPIO.remote.places import hosts
from RPIO.remote.places.places import Place
from RPIO.server.further import access as further_access
from RPIO.server.further.routes import Site
from RPIO.server.grpc.smbus_rcp import CALLS
from RPIO.server.programs.processes import Programs
from RPIO.server.rights.access import Access, Rights, Token, digest_of
from RPIO.server.settings import settings
from RPIO.server.tunnels.tunnels import Tunnels
from RPIO.wire import remoteio as wire_remoteio
from RPIO.wire.fronts import FRONTS
from RPIO.wire.grpc import rpio_v1_pb2 as pb
from RPIO.wire.operations import ROWS
from RPIO.wire.rraspy import EXECUTE, IMPORT, OK, Message
from RPIO.wire.terms import ANY, GPIO, I2C, READ, RUN, SCOPES
from test_access import request_of
from tls_parts import Device, environment
from waiting import LIMIT_S

FOR_ALL = {"hello", "token", "ping", "fate", "tokens", "lend", "bye"}
"""Operations that everybody may who is a client: they tell nothing, and change nothing but his own session."""
MORE = dict.fromkeys(("tunnel", "tunnel_back"), FRONTS["rraspy"].scopes)
"""What an operation takes besides, with the values of said(): who tunnels is somebody of that machine there."""
EACH = [(), *[(scope,) for scope in SCOPES], SCOPES]
"""No scope, each alone, and all."""
LINE = 26


def said(operation):
    """A request of that operation, as it is typed; the values are the least that it takes."""
    values = request_of(operation, LINE).values
    return " ".join([operation.name, *operation.words(values)])


def is_refused(answer):
    """Whether it is for want of a scope that something was not done."""
    return answer.startswith("error NotAllowedError") and "needs the scope" in answer


def test_every_operation_has_a_scope_and_those_for_all_are_listed():
    assert {row.name for row in ROWS if row.scope == ANY} == FOR_ALL
    assert {row.scope for row in ROWS} == {ANY, *SCOPES}


def check_natively(scopes, come):
    """Ask each operation on a connection of *come*: of a new one, where the one before has become something else."""
    with contextlib.ExitStack() as stack:
        asker = stack.enter_context(come())
        for row in ROWS:
            answer = asker(said(row))
            assert answer.startswith(("ok", "error ")), (row.name, answer)
            wanted = set(MORE.get(row.name, ())) | ({row.scope} - {ANY})
            assert is_refused(answer) is not wanted.issubset(scopes), (row.name, answer)
            if row.name in ("bye", "lend") or (row.name in ("modules", "runs", "tunnel") and answer == "ok"):
                asker = stack.enter_context(come())
            if row.name == "token":
                assert answer.startswith("error NotAllowedError")  # it is none


# -- RPIO's own ---------------------------------------------------------------------------------


@pytest.mark.parametrize("scopes", EACH, ids="+".join)
def test_of_a_talk(board, sim, scopes):
    defaults = settings.read({}, [])
    programs = Programs(board.dispatcher, defaults.policy(), dict)
    programs.tunnels = Tunnels(None, defaults, dict.fromkeys(FRONTS, lambda: None))
    world = World(board, sim, access=Access(scopes, list), programs=programs)

    @contextlib.contextmanager
    def come():
        peer = world.come("anna")
        yield lambda text: (peer.feed(f"{text}\n".encode()) or ["ok later"])[0]

    check_natively(scopes, come)


class Served:
    """A daemon in which nothing is open to anybody; a token and a certificate for each scope."""

    def __init__(self, folder):
        self.device, self.folder = Device(folder), folder
        config = config_of(folder, f"[access]\nopen = []\ntokens = '{folder}/tokens'\n")
        words = ("--remoteio", "127.0.0.1:0", "--further", "127.0.0.1:0", "--address", "any")
        self.daemon = Daemon(folder, *words, config=config)
        self.port = int(self.daemon.says(r"serving .*:(\d+)$")[1])
        self.further = int(self.daemon.says(r"further is served at https://127\.0\.0\.1:(\d+)")[1])
        names = ["-".join(scopes) or "none" for scopes in EACH]
        self.device.list(*[(name, scopes, None) for name, scopes in zip(names, EACH, strict=True)])
        self.tokens = {}
        for scopes in EACH[1:]:
            self.tokens[scopes] = self.daemon.rpio(
                "token", "new", *[f"--scope={scope}" for scope in scopes]
            ).stdout.strip()

    def know(self, scopes, has_certificate=True):
        """Be the machine that has these scopes."""
        self.device.know(("-".join(scopes) or "none") if has_certificate else None)

    def trust(self, scopes, has_certificate=True):
        self.know(scopes, has_certificate)
        with environment(self.device.environment):
            return hosts.find("127.0.0.1").context()


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    made = Served(tmp_path_factory.mktemp("access"))
    yield made
    made.daemon.close()


@contextlib.contextmanager
def by_unix(served, scopes):
    """At the daemon's socket, with a token."""
    with served.daemon.connect() as line:
        if scopes:
            assert line.ask(f"token {served.tokens[scopes]}") == "ok"
        yield line.ask


class Tls:
    """A plain connection by TLS, by Python's own, so that neither end knows the other's code."""

    def __init__(self, served, scopes, has_certificate):
        context = served.trust(scopes, has_certificate)
        made = Place(f"127.0.0.1:{served.port}").connect(LIMIT_S)
        self.line = Line(context.wrap_socket(made))

    def __enter__(self):
        return self.line

    def __exit__(self, *error):
        self.line.close()


@contextlib.contextmanager
def by_certificate(served, scopes):
    """At the port for other machines, with a certificate."""
    with Tls(served, scopes, True) as line:
        yield line.ask


@contextlib.contextmanager
def by_token(served, scopes):
    """The same with a token. There is none that allows nothing: that is who has shown nothing, whom another test is."""
    with Tls(served, scopes, False) as line:
        assert line.ask(f"token {served.tokens[scopes]}") == "ok"
        yield line.ask


@pytest.mark.parametrize(
    ("way", "scopes"),
    [
        (way, scopes)
        for way in (by_unix, by_certificate, by_token)
        for scopes in EACH
        if scopes or way is not by_token
    ],
    ids=lambda value: value.__name__ if callable(value) else "+".join(value),
)
@pytest.mark.slow
def test_of_the_daemon(served, way, scopes):
    check_natively(scopes, lambda: way(served, scopes))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
@pytest.mark.slow
def test_who_has_shown_nothing_is_told_nothing_by_any_operation(served, row):
    if row.name == "token":
        return
    with Tls(served, (), False) as line:
        answer = line.ask(said(row))
        assert answer.startswith("error NotAllowedError") and "rpio pair" in answer
        assert "needs the scope" not in answer and "session" not in answer
        assert line.rest() == b""


# -- gRPC ---------------------------------------------------------------------------------------

METHODS = {
    "/rpio.v1.Board/Info": READ,
    "/rpio.v1.Gpio/Read": READ,
    "/rpio.v1.Gpio/Watch": READ,
    "/rpio.v1.Gpio/Setup": GPIO,
    "/rpio.v1.Gpio/Write": GPIO,
    "/rpio.v1.Gpio/Release": GPIO,
    **{
        f"/rpio.v1.I2c/{name}": I2C
        for name in [
            "Functions",
            "Smbus",
            "Transfer",
            "Hold",
            "Release",
            "ReadByte",
            "WriteByte",
            "ReadByteData",
            "WriteByteData",
            "ReadWordData",
            "WriteWordData",
            "ReadBlock",
            "WriteBlock",
        ]
    },
    "/rpio.v1.I2c/Buses": READ,
    "/SmbusRcp/open": I2C,
}
"""Method -> the scope that it takes."""
OF_AN_OPEN_BUS = [
    f"/SmbusRcp/{name}"
    for name in [
        "close",
        "ping",
        "read_byte",
        "write_byte",
        "read_byte_data",
        "write_byte_data",
        "read_word_data",
        "write_word_data",
        "read_i2c_block_data",
        "write_i2c_block_data",
    ]
]
"""Methods that take the id of a client who has opened a bus; they look at the scope at each call all the same."""
FIELDS = {
    "/rpio.v1.Gpio/Setup": {"line": 17, "direction": 1},
    "/rpio.v1.Gpio/Read": {"lines": [17]},
    "/rpio.v1.Gpio/Watch": {"lines": [4]},
    "/rpio.v1.Gpio/Release": {"lines": [17]},
    "/rpio.v1.Gpio/Write": {"levels": [pb.LineLevel(line=17)]},
    "/rpio.v1.I2c/Transfer": {"messages": [pb.Message(length=1, flags=1)]},
    "/rpio.v1.I2c/ReadBlock": {"length": 1},
    "/rpio.v1.I2c/WriteBlock": {"data": b"x"},
    "/SmbusRcp/open": {"i2c_bus": 1},
}
"""What the requests have that is to be there."""
BLOCK = {"write_i2c_block_data": {"data": b"x"}}
STREAM_S = 0.2
"""So long is one waited for that is allowed, and goes on."""


@pytest.fixture
def grpc(board, sim, monkeypatch):
    """The services, for a world in which nothing is open; tokens are called as their scopes."""
    rows = [
        Token("-".join(scopes), digest_of("-".join(scopes)), scopes, None, "", 0.0, None)
        for scopes in EACH[1:]
    ]
    with closing(Rpio(World(board, sim), monkeypatch, access=Access((), lambda: rows))) as made:
        yield made


def test_every_method_of_grpc_has_a_row(grpc):
    there = {method.path for method in (*grpc.service.methods(), *grpc.rcp.methods())}
    assert there == {*METHODS, *OF_AN_OPEN_BUS}


def called(caller, method, scopes):
    """What a call fails with; "" where it does not."""
    more = {"authorization": f"Bearer {'-'.join(scopes)}"} if scopes else {}
    request = method.request(**FIELDS.get(method.path, {}))
    try:
        wait_s = STREAM_S if method.is_streamed and METHODS[method.path] in scopes else LIMIT_S
        reply, _ = caller.ask(method.path, request, method.reply, wait_s, more)
    except (Refused, OSError) as e:
        return str(e)
    return getattr(getattr(reply, "status", reply), "exception", "")


@pytest.mark.parametrize("scopes", EACH, ids="+".join)
def test_of_grpc(grpc, scopes):
    with closing(Caller("127.0.0.1", grpc.port)) as caller:
        for method in (*grpc.service.methods(), *grpc.rcp.methods()):
            text = called(caller, method, scopes)
            if method.path in OF_AN_OPEN_BUS:
                assert "client id not found" in text, method.path
                continue
            is_refused = "needs the scope" in text
            assert is_refused is (METHODS[method.path] not in scopes), (method.path, text)
            assert is_refused or "is" not in text.split()[:1], (method.path, text)


def test_who_has_opened_a_bus_and_lost_the_scope_has_it_no_more(grpc):
    """The bus is the session's, and its rights are looked at at each call."""
    from RPIO.wire.grpc import smbus_rcp_pb2 as rcp

    with closing(Caller("127.0.0.1", grpc.port)) as caller:
        more = {"authorization": f"Bearer {I2C}"}
        _, said = caller.ask(
            "/SmbusRcp/open", rcp.open_request(i2c_bus=1), rcp.operation_status, LIMIT_S, more
        )
        (client,) = grpc.rcp.clients.values()
        client.guest._session.rights = Rights({})
        for name in CALLS:
            request, reply = (
                getattr(rcp, f"{name}_request"),
                getattr(rcp, f"{name}_response", rcp.operation_status),
            )
            answer, _ = caller.ask(
                f"/SmbusRcp/{name}",
                request(**BLOCK.get(name, {})),
                reply,
                LIMIT_S,
                {"client_id": said["client_id"]},
            )
            assert "needs the scope" in getattr(answer, "status", answer).exception, name


# -- HTTP ---------------------------------------------------------------------------------------

ROUTES = {
    ("GET", "/status"): ANY,
    ("GET", "/version"): ANY,
    ("GET", "/version/apt/{package}"): READ,
    ("GET", "/status.json"): READ,
    ("POST", "/login"): ANY,
    ("POST", "/logout"): ANY,
    ("POST", "/upload"): RUN,
    ("GET", "/run-py"): RUN,
    ("GET", "/run"): RUN,
    ("GET", "/shell"): RUN,
    ("GET", "/video/{number}"): RUN,
}
"""Route -> the scope that it takes; for ANY nothing of this machine is told or done, but to who comes from it."""
UPGRADE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}


def test_every_route_of_http_has_a_row(board):
    names = further_access.Names((), (), "https")
    routes = Site(None, None, names, "https", str).application().router.routes()
    there = {(route.method, route.resource.canonical) for route in routes if route.method != "HEAD"}
    assert there == set(ROUTES)


def answered(served, route, context, headers):
    """The status that a request of a route is answered with, by TLS."""
    method, path = route
    path = path.replace("{package}", "rpio").replace("{number}", "1")
    more = UPGRADE if path in ("/run-py", "/run", "/shell") else {}
    with closing(
        http.client.HTTPSConnection("localhost", served.further, timeout=LIMIT_S, context=context)
    ) as made:
        made.request(method, path, "{}" if method == "POST" else None, {**headers, **more})
        return made.getresponse().status


@pytest.mark.parametrize("scopes", EACH, ids="+".join)
@pytest.mark.parametrize("has_certificate", [True, False], ids=["certificate", "token"])
def test_of_http(served, scopes, has_certificate):
    context = served.trust(scopes, has_certificate)
    token = served.tokens.get(scopes) if not has_certificate else None
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    for route, scope in ROUTES.items():
        status = answered(served, route, context, headers)
        is_allowed = scope == ANY or scope in scopes
        assert (status in (401, 403)) is not is_allowed, (route, status)


def test_a_certificate_of_nobody_does_not_do_by_http(served):
    served.device.know("stranger")
    with environment(served.device.environment):
        context = hosts.find("127.0.0.1").context()
    for route, scope in ROUTES.items():
        if scope != ANY:
            assert answered(served, route, context, {}) in (401, 403), route


# -- the protocols that know nobody -------------------------------------------------------------

COMMANDS = ("create", "on", "off", "blink", "pulse", "value", "toggle", "close")
"""Of remoteio: all of them drive a line."""


def test_every_command_of_remoteio_has_a_row():
    from RPIO.server.remoteio.guests import NAMES

    assert {*NAMES, wire_remoteio.CREATE} == set(COMMANDS)


@pytest.mark.parametrize("scopes", EACH, ids="+".join)
@pytest.mark.slow
def test_of_remoteio(board, sim, scopes):
    """Who comes may what is open where it listens, and lines of this machine are not his without the scope."""
    from RPIO.server.remoteio.guests import Guest, Way
    from RPIO.tasks.engine import Tasks

    tasks = Tasks(board.leases, lambda: board.dispatcher)
    world = World(board, sim, access=Access(scopes), tasks=tasks)
    guest = Guest(world.sessions, "127.0.0.1:5000", lambda: None, lambda call: None, Way(board))
    answer = guest.hear_bytes(b"b 11 create 0 0 0 ")
    assert (answer == wire_remoteio.CREATED) is (GPIO in scopes)
    for command in COMMANDS[1:]:
        answer = guest.hear_bytes(f"b 11 {command} 10 0.1 0.1 ".encode())
        assert (answer == wire_remoteio.QUEUED) is (GPIO in scopes), command
    guest.end()
    tasks.close()
    assert (sim.function(17) == 0) is (GPIO in scopes)


@pytest.mark.parametrize("scopes", [(READ,), (READ, GPIO)], ids="+".join)
@pytest.mark.slow
def test_of_rraspy(tmp_path, scopes):
    """Its process is a client of the daemon's socket, and shows nothing there."""
    config = f"[access]\nopen = {list(scopes)!r}\ntokens = '{tmp_path}/tokens'\n"
    made = Daemon(tmp_path, "--rraspy", "127.0.0.1:0", "--rraspy-host", "127.0.0.1", config=config)
    with closing(made):
        port = int(made.says(r"rraspy is served at 127\.0\.0\.1:(\d+)")[1])

        def said(*words):
            return rraspy_parts.answer(port, Message(*words))

        assert said(IMPORT, ".GPIO", "GPIO", "RPi") == Message(OK)
        assert said(EXECUTE, None, None, "GPIO.setmode(11)") == Message(OK)
        found = said(EXECUTE, None, None, "GPIO.setup(17, 0)")
        assert (found == Message(OK)) is ("needs the scope" not in str(found.values)) is (GPIO in scopes)
