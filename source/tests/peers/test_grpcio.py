# SPDX-License-Identifier: LGPL-3.0-or-later
"""Stock grpcio against ours, in both roles, and Node's @grpc/grpc-js; the old protoc, and every protobuf since.

The judge is generated when the test runs, from a .proto written after the tables of smbus-proxy's protocol, by the
package index's grpcio-tools. It runs in a process of its own, with packages of its own.
"""

import os
import re
import shutil
import ssl
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import protos
from grpc_parts import ADDRESS, Proxied, Rpio, closing
from remote_parts import Program, daemon, worlds
from RPIO.i2c import SMBus
from RPIO.i2c.grpc import GrpcBus
from RPIO.wire import smbus
from RPIO.wire.grpc import extra
from RPIO.wire.smbus import SmbusCall
from test_smbus_serve import RADIO, port_of
from waiting import LIMIT_S

from . import peers

GRPCIO = (
    "grpcio==1.85.3",
    "grpcio-tools==1.85.1",
    "grpcio-health-checking==1.85.1",
    "grpcio-reflection==1.85.1",
)
NODE = shutil.which("node") and shutil.which("npm")
GRPC_JS = ("@grpc/grpc-js@1.14.0", "@grpc/proto-loader@0.8.0")
RUNTIMES = ("3.20.3", "4.21.12", "4.25.9", "5.29.5", "6.33.6", "7.36.2")
"""Of protobuf: the last of each line, and those of Debian."""

PROTO = """
syntax = "proto3";
service SmbusRcp {
  rpc open(open_request) returns (operation_status);
  rpc close(close_request) returns (operation_status);
  rpc read_byte(read_byte_request) returns (read_byte_response);
  rpc write_byte(write_byte_request) returns (operation_status);
  rpc read_byte_data(read_byte_data_request) returns (read_byte_data_response);
  rpc write_byte_data(write_byte_data_request) returns (operation_status);
  rpc read_word_data(read_word_data_request) returns (read_word_data_response);
  rpc write_word_data(write_word_data_request) returns (operation_status);
  rpc read_i2c_block_data(read_i2c_block_data_request) returns (read_i2c_block_data_response);
  rpc write_i2c_block_data(write_i2c_block_data_request) returns (operation_status);
  rpc ping(keep_alive) returns (operation_status);
}
message operation_status { int32 code = 1; string exception = 2; }
message open_request { int32 i2c_bus = 1; }
message close_request { }
message read_byte_request { int32 i2c_addr = 1; }
message read_byte_response { operation_status status = 1; int32 data = 2; }
message write_byte_request { int32 i2c_addr = 1; int32 value = 2; }
message read_byte_data_request { int32 i2c_addr = 1; int32 register = 2; }
message read_byte_data_response { operation_status status = 1; int32 data = 2; }
message write_byte_data_request { int32 i2c_addr = 1; int32 register = 2; int32 value = 3; }
message read_word_data_request { int32 i2c_addr = 1; int32 register = 2; }
message read_word_data_response { operation_status status = 1; int32 data = 2; }
message write_word_data_request { int32 i2c_addr = 1; int32 register = 2; int32 value = 3; }
message read_i2c_block_data_request { int32 i2c_addr = 1; int32 register = 2; int32 length = 3; }
message read_i2c_block_data_response { operation_status status = 1; bytes data = 2; int32 length = 3; }
message write_i2c_block_data_request { int32 i2c_addr = 1; int32 register = 2; bytes data = 3; }
message keep_alive { string info = 1; }
"""
"""Written after the tables, and not after ours."""


@pytest.fixture(scope="session")
def grpcio(fetch):
    """The folder of grpcio and its tools."""
    return fetch(peers.with_needs, *GRPCIO)


@pytest.fixture(scope="session")
def stubs(grpcio, tmp_path_factory):
    """A folder with the judge's stubs, and those of our own .proto, by grpcio's own protoc."""
    folder = tmp_path_factory.mktemp("stubs")
    (folder / "judge.proto").write_text(PROTO)
    shutil.copy(protos.FOLDER / "rpio_v1.proto", folder)
    words = ("-W", "ignore", "-m", "grpc_tools.protoc", f"-I{folder}", f"--python_out={folder}")
    files = ("judge.proto", "rpio_v1.proto")
    peers.run(sys.executable, *words, f"--grpc_python_out={folder}", *files, PYTHONPATH=str(grpcio))
    return folder


@pytest.fixture
def judge(grpcio, stubs, tmp_path):
    """Runs lines of Python with grpcio and the stubs; what they print."""

    def run(code, *words):
        path = tmp_path / "judge.py"
        path.write_text("import sys, grpc\n" + textwrap.dedent(code))
        done = subprocess.run(
            [sys.executable, str(path), *map(str, words)],
            env={**os.environ, "PYTHONPATH": f"{stubs}{os.pathsep}{grpcio}", "GRPC_VERBOSITY": "NONE"},
            capture_output=True,
            text=True,
            timeout=2 * LIMIT_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A key and a certificate for localhost, made by openssl."""
    folder = tmp_path_factory.mktemp("tls")
    words = "req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost"
    san = ("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl: sudo apt install openssl")
    subprocess.run(["openssl", *words.split(), *san], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture(params=["plaintext", "TLS"])
def contexts(request):
    """The contexts of a server and of a client, and the folder of the certificate; None for plaintext."""
    if request.param == "plaintext":
        return None, None, ""
    folder = request.getfixturevalue("certificate")
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    client = ssl.create_default_context(cafile=folder / "cert.pem")
    for context in (server, client):
        context.set_alpn_protocols(["h2"])
    return server, client, folder


# -- grpcio is the client -----------------------------------------------------------------------

CHANNEL = """
port, tls = sys.argv[1:3]
if tls:
    credentials = grpc.ssl_channel_credentials(open(tls + "/cert.pem", "rb").read())
    channel = grpc.secure_channel("localhost:" + port, credentials)
else:
    channel = grpc.insecure_channel("127.0.0.1:" + port)
"""
OLD_CLIENT = (
    CHANNEL
    + """
import judge_pb2 as pb, judge_pb2_grpc
stub = judge_pb2_grpc.SmbusRcpStub(channel)
status, call = stub.open.with_call(pb.open_request(i2c_bus=1))
assert (status.code, status.exception) == (0, "")
id = dict(call.trailing_metadata())["client_id"]
assert len(id) == 32 and int(id, 16)
me = (("client_id", id),)

def ask(name, metadata=me, **values):
    request = pb.keep_alive if name == "ping" else getattr(pb, name + "_request")
    return getattr(stub, name)(request(**values), metadata=metadata)

assert ask("ping", info="request").code == 0
assert ask("write_byte", i2c_addr=0x50, value=9).code == 0
assert ask("read_byte", i2c_addr=0x50).data == 9
assert ask("write_byte_data", i2c_addr=0x50, register=1, value=3).code == 0
assert ask("read_byte_data", i2c_addr=0x50, register=1).data == 3
assert ask("write_word_data", i2c_addr=0x50, register=1, value=0xFE12).code == 0
assert ask("read_word_data", i2c_addr=0x50, register=1).data == 0xFE12
assert ask("write_i2c_block_data", i2c_addr=0x50, register=0, data=bytes([0x10, 0x45, 0x17])).code == 0
block = ask("read_i2c_block_data", i2c_addr=0x50, register=0)
assert len(block.data) == 32 and block.data[:3] == bytes([0x10, 0x45, 0x17]) and block.length == 0
assert block.HasField("status") and block.status.code == 0
failed = ask("read_i2c_block_data", i2c_addr=0x51, register=0).status
assert (failed.code, failed.exception) == (1, "proxy server: [Errno 121] Remote I/O error")
failed = ask("write_byte", i2c_addr=0x51, value=0)
assert (failed.code, failed.exception) == (1, "proxy server: [Errno 121] Remote I/O error")
assert ask("read_byte", ()).status.exception == "proxy server: client id not found"
assert ask("read_byte", (("client_id", "x"),)).status.exception == "proxy server: 'x'"
status, call = stub.open.with_call(pb.open_request(i2c_bus=9))
assert status.code == 1 and status.exception.startswith("proxy server: [Errno 2]")
assert "client_id" not in dict(call.trailing_metadata())
assert ask("close").code == 0
assert ask("ping").exception == f"proxy server: '{id}'"
print("all of it")
"""
)


def test_a_client_of_grpcio_at_our_proxy(judge, contexts):
    server, _, folder = contexts
    with closing(Proxied(server)) as proxy:
        assert judge(OLD_CLIENT, proxy.port, folder) == "all of it\n"


SILENT = (
    CHANNEL
    + """
import judge_pb2 as pb, judge_pb2_grpc
stub = judge_pb2_grpc.SmbusRcpStub(channel)
_, call = stub.open.with_call(pb.open_request(i2c_bus=1))
print(dict(call.trailing_metadata())["client_id"])
"""
)


def test_who_is_silent_is_forgotten_and_told_so(judge):
    with closing(Proxied()) as proxy:
        id = judge(SILENT, proxy.port, "").strip()
        proxy.wait(6)
        assert not proxy.rcp.clients
        code = f"""
print(stub.ping(pb.keep_alive(info="request"), metadata=(("client_id", "{id}"),)).exception)
"""
        assert judge(SILENT + code, proxy.port, "").splitlines()[1] == f"proxy server: '{id}'"


NEW_CLIENT = (
    CHANNEL
    + """
import rpio_v1_pb2 as pb, rpio_v1_pb2_grpc
i2c, gpio = rpio_v1_pb2_grpc.I2cStub(channel), rpio_v1_pb2_grpc.GpioStub(channel)
of = dict(bus=1, address=0x50)
i2c.WriteByteData(pb.ValueRequest(**of, register=3, value=7))
assert i2c.ReadByteData(pb.RegisterRequest(**of, register=3)).value == 7
request = pb.SmbusRequest(**of, size=pb.SmbusRequest.BLOCK_PROCESS_CALL, command=1, data=b"abc")
assert i2c.Smbus(request).data == b"cba"
messages = [pb.Message(address=0x50, data=b"a"), pb.Message(address=0x50, flags=1, length=3)]
assert list(i2c.Transfer(pb.TransferRequest(bus=1, messages=messages)).data) == [bytes([0, 1, 2])]
i2c.Hold(pb.HoldRequest(bus=1))
assert i2c.Release(pb.BusRequest(bus=1)).was_held
try:
    i2c.ReadByte(pb.AddressRequest(bus=1, address=0x51))
except grpc.RpcError as e:
    assert e.code() is grpc.StatusCode.NOT_FOUND and e.details() == "Remote I/O error"
    assert dict(e.trailing_metadata())["rpio-errno"] == "121"
else:
    raise AssertionError("there is nobody")
try:
    i2c.ReadByte(pb.AddressRequest(bus=1, address=0x50), timeout=0.2, metadata=(("authorization", "Bearer x"),))
except grpc.RpcError as e:
    assert e.code() is grpc.StatusCode.PERMISSION_DENIED, e
gpio.Setup(pb.SetupRequest(line=4, pull=pb.SetupRequest.UP))
edges = gpio.Watch(pb.WatchRequest(lines=[4]))
edges.initial_metadata()
print("watching", flush=True)
print([next(edges).level for _ in range(2)], flush=True)
edges.cancel()

from grpc_health.v1 import health_pb2, health_pb2_grpc
health = health_pb2_grpc.HealthStub(channel)
for service in ("", "rpio.v1.I2c", "rpio.v1.Gpio"):
    assert health.Check(health_pb2.HealthCheckRequest(service=service)).status == 1, service
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
database = ProtoReflectionDescriptorDatabase(channel)
print(*sorted(database.get_services()))
assert database.FindFileContainingSymbol("rpio.v1.SmbusRequest").name == "rpio_v1.proto"
"""
)


def test_a_client_of_grpcio_at_rpio_v1(judge, contexts, monkeypatch):
    server, _, folder = contexts
    with worlds() as world, closing(Rpio(world, monkeypatch, ssl=server)) as rpio:
        rpio.sessions.access._tokens = list  # there is a file, and no token in it

        def play_when_watched():
            listeners = rpio.sessions.leases._listeners()
            if listeners is not None and 4 in listeners.watched:
                world.play(4, [0, 1])
            else:
                rpio.served.loop.call_later(0.01, play_when_watched)

        rpio.served.do(play_when_watched)
        said = judge(NEW_CLIENT, rpio.port, folder).splitlines()
    assert said[:2] == ["watching", "[0, 1]"]
    assert {"rpio.v1.Board", "rpio.v1.Gpio", "rpio.v1.I2c", "grpc.health.v1.Health"} <= set(said[2].split())


FIFTY = """
import threading, time, rpio_v1_pb2 as pb, rpio_v1_pb2_grpc
port, clients, calls = sys.argv[1], 50, 20
times, failed, ready = [0.0] * clients, [], threading.Barrier(clients)

def one(at):
    try:
        options = [("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel("127.0.0.1:" + port, options) as channel:
            stub = rpio_v1_pb2_grpc.I2cStub(channel)
            request = pb.SmbusRequest(bus=1, address=0x50, size=2, read=True, command=at)
            assert stub.Smbus(request).data == bytes([at])
            ready.wait()
            begin = time.monotonic()
            for _ in range(calls):
                assert stub.Smbus(request).data == bytes([at])
            times[at] = time.monotonic() - begin
    except BaseException as e:
        failed.append(e)
        ready.abort()

threads = [threading.Thread(target=one, args=(at,)) for at in range(clients)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert not failed, failed
times.sort()
print(times[-1] / times[clients // 2])
"""


@pytest.mark.parametrize("is_quick", [True, False], ids=["quick", "slow"])
def test_fifty_clients_are_served_in_turn_and_none_waits_three_times_as_long(judge, monkeypatch, is_quick):
    with worlds() as world, closing(Rpio(world, monkeypatch, is_quick)) as rpio:
        assert float(judge(FIFTY, rpio.port)) < 3
        assert rpio.bus.were_alone and len(rpio.bus.calls) == 50 * 21


MANY = """
import os, rpio_v1_pb2 as pb, rpio_v1_pb2_grpc
channel = grpc.insecure_channel("127.0.0.1:" + sys.argv[1])
stub, request = rpio_v1_pb2_grpc.I2cStub(channel), pb.RegisterRequest(bus=1, address=0x10, register=1)

def resident():
    return int(open(f"/proc/{sys.argv[2]}/statm").read().split()[1]) * os.sysconf("SC_PAGESIZE")

for calls in (2500, 5000):
    for _ in range(calls):
        stub.ReadByteData(request)
    print(resident())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks in /proc")
def test_a_daemon_keeps_nothing_of_5000_calls(judge, tmp_path):
    """A few KiB for each call that is kept would be tens of MiB. bench/grpc_bus.py has 100,000, and both ends."""
    with daemon(tmp_path, "--smbus", "127.0.0.1:0", prelude=RADIO) as served:
        before, after = map(int, judge(MANY, port_of(served), served.process.pid).split())
    assert after - before < 1 << 20


VANISHING = """
import os, rpio_v1_pb2 as pb, rpio_v1_pb2_grpc
channel = grpc.insecure_channel("127.0.0.1:" + sys.argv[1])
stub = rpio_v1_pb2_grpc.I2cStub(channel)
stub.Hold(pb.HoldRequest(bus=1, most_s=60))
stub.ReadByte(pb.AddressRequest(bus=1, address=0x50))
print("holds", flush=True)
os.kill(os.getpid(), 9)
"""


def test_a_client_who_is_killed_in_a_transaction_releases_the_bus(grpcio, stubs, monkeypatch, tmp_path):
    with worlds() as world, closing(Rpio(world, monkeypatch)) as rpio:
        (tmp_path / "it.py").write_text("import sys, grpc\n" + VANISHING)
        env = {"PYTHONPATH": f"{stubs}{os.pathsep}{grpcio}"}
        made = Program("", words=[str(tmp_path / "it.py"), str(rpio.port)], **env)
        try:
            made.says("^holds$")
            bus = GrpcBus("127.0.0.1", rpio.port)
            bus.hold(LIMIT_S)
            assert bus.smbus(SmbusCall(ADDRESS, True, smbus.BYTE_DATA, 3)) == b"\x03"
            bus.close()
        finally:
            made.close()


WAITING = """
import rpio_v1_pb2 as pb, rpio_v1_pb2_grpc
one, other, third = [
    grpc.insecure_channel("127.0.0.1:" + sys.argv[1], [("grpc.use_local_subchannel_pool", 1)]) for _ in range(3)
]
hold = lambda channel, wait_s: rpio_v1_pb2_grpc.I2cStub(channel).Hold.future(
    pb.HoldRequest(bus=1, wait_s=wait_s), timeout=0.5 if wait_s else 30
)
hold(one, 0).result()
waiting = hold(other, 60)
if sys.argv[2] == "deadline":
    assert waiting.exception().code() is grpc.StatusCode.DEADLINE_EXCEEDED
else:
    rpio_v1_pb2_grpc.BoardStub(other).Info(pb.InfoRequest())
    waiting.cancel()
rpio_v1_pb2_grpc.BoardStub(other).Info(pb.InfoRequest())  # what ends the other call has come before this
assert rpio_v1_pb2_grpc.I2cStub(one).Release(pb.BusRequest(bus=1)).was_held
hold(third, 0).result()
print("free")
"""


@pytest.mark.parametrize("how", ["deadline", "cancelled"])
def test_a_hold_of_grpcio_that_is_given_up_is_never_had(judge, monkeypatch, how):
    with worlds() as world, closing(Rpio(world, monkeypatch)) as rpio:
        assert judge(WAITING, rpio.port, how) == "free\n"


# -- grpcio is the server -----------------------------------------------------------------------

OLD_SERVER = """
import hashlib, time, judge_pb2 as pb, judge_pb2_grpc
from concurrent import futures

memory, clients = bytearray(range(256)), {}

class Service(judge_pb2_grpc.SmbusRcpServicer):
    def open(self, request, context):
        if request.i2c_bus != 1:
            return pb.operation_status(code=1, exception="proxy server: [Errno 2] No such file or directory")
        id = hashlib.md5(str((time.time(), context.peer())).encode()).hexdigest()
        clients[id] = 0
        context.set_trailing_metadata((("client_id", id),))
        print("opened", flush=True)
        return pb.operation_status()

    def known(self, context):
        id = dict(context.invocation_metadata())["client_id"]
        clients[id]
        return id

    def close(self, request, context):
        del clients[self.known(context)]
        print("closed", flush=True)
        return pb.operation_status()

    def ping(self, request, context):
        assert request.info == "request"
        clients[self.known(context)] += 1
        print("pinged", flush=True)
        return pb.operation_status()

def method(name, reply, act):
    def call(self, request, context):
        try:
            self.known(context)
            if request.i2c_addr == 0x52:
                clients.clear()  # they are all forgotten
                request.i2c_addr = 0x50
            elif request.i2c_addr != 0x50:
                raise OSError(121, "Remote I/O error")
            data = act(request)
        except Exception as e:
            status = pb.operation_status(code=1, exception="proxy server: " + str(e))
            if name == "read_i2c_block_data":
                raise  # as the original's does
            return status if reply is pb.operation_status else reply(status=status)
        return reply() if reply is pb.operation_status else reply(status=pb.operation_status(), data=data)
    setattr(Service, name, call)

def put(request, data):
    memory[request.register:request.register + len(data)] = data

method("read_byte", pb.read_byte_response, lambda r: memory[0])
method("write_byte", pb.operation_status, lambda r: memory.__setitem__(0, r.value))
method("read_byte_data", pb.read_byte_data_response, lambda r: memory[r.register])
method("write_byte_data", pb.operation_status, lambda r: put(r, bytes([r.value])))
method("read_word_data", pb.read_word_data_response, lambda r: memory[r.register] | memory[r.register + 1] << 8)
method("write_word_data", pb.operation_status, lambda r: put(r, r.value.to_bytes(2, "little")))
method("read_i2c_block_data", pb.read_i2c_block_data_response, lambda r: bytes(memory[r.register:r.register + 32]))
method("write_i2c_block_data", pb.operation_status, lambda r: put(r, r.data))
server = grpc.server(futures.ThreadPoolExecutor(4))
judge_pb2_grpc.add_SmbusRcpServicer_to_server(Service(), server)
tls = sys.argv[1]
if tls:
    pair = [open(tls + "/" + name, "rb").read() for name in ("key.pem", "cert.pem")]
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
else:
    port = server.add_insecure_port("127.0.0.1:0")
server.start()
print("at", port, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def original(grpcio, stubs, tmp_path, contexts):
    """A server as the original's is, by grpcio."""
    (tmp_path / "server.py").write_text("import sys, grpc\n" + OLD_SERVER)
    env = {"PYTHONPATH": f"{stubs}{os.pathsep}{grpcio}", "GRPC_VERBOSITY": "NONE"}
    made = Program("", words=[str(tmp_path / "server.py"), str(contexts[2])], **env)
    try:
        made.port = int(made.says(r"^at (\d+)$")[1])
        yield made
    finally:
        made.close()


def test_our_bus_at_a_server_of_grpcio(original, contexts):
    bus = GrpcBus("localhost", original.port, ssl=contexts[1])
    assert not bus.is_of_rpio
    with SMBus.on(bus) as made:
        made.write_byte(0x50, 9)
        assert made.read_byte(0x50) == 9
        made.write_byte_data(0x50, 3, 7)
        assert made.read_byte_data(0x50, 3) == 7
        made.write_word_data(0x50, 3, 0xFE12)
        assert made.read_word_data(0x50, 3) == 0xFE12
        made.write_i2c_block_data(0x50, 1, [1, 2, 3])
        assert made.read_i2c_block_data(0x50, 1, 3) == [1, 2, 3]
        assert len(made.read_i2c_block_data(0x50, 1, 32)) == 32
        for fails in (
            lambda: made.read_byte(0x51),
            lambda: made.write_word_data(0x51, 0, 0),
            lambda: made.read_i2c_block_data(0x51, 0, 4),  # where the original's server answers with UNKNOWN
        ):
            with pytest.raises(OSError, match="Remote I/O error") as e:
                fails()
            assert e.value.errno == 121
        original.says("^pinged$")
        assert made.read_byte_data(0x52, 5) == 5  # which has it forget all clients
        assert made.read_byte_data(0x50, 5) == 5
        assert original.look().count("opened") == 2
    original.says("^closed$")


def test_a_bus_that_a_server_of_grpcio_has_not(original, contexts):
    with pytest.raises(FileNotFoundError, match="No such file or directory"):
        GrpcBus("localhost", original.port, 2, ssl=contexts[1])


# -- another language ---------------------------------------------------------------------------

DOC = Path(__file__).resolve().parents[3] / "doc"


@pytest.mark.skipif(not NODE, reason="needs Node and npm: sudo apt install nodejs npm")
def test_the_client_in_javascript_says_what_the_page_shows(fetch, tmp_path):
    def install(folder):
        peers.run("npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", folder, *GRPC_JS)

    page = (DOC / "grpc.rst").read_text(encoding="utf-8")
    words, _, shown = page.partition("    $ node grpc_client.js ")[2].partition("\n\n")[0].partition("\n")
    assert words == "127.0.0.1:50051 rpio_v1.proto"
    *before, last = textwrap.dedent(shown).splitlines()
    modules = fetch(peers.cached, "-".join(GRPC_JS).replace("/", "-"), install) / "node_modules"
    with daemon(tmp_path, "--smbus", "127.0.0.1:0", prelude=RADIO) as served, served.connect() as line:
        place = f"127.0.0.1:{port_of(served)}"
        words = ["node", str(DOC / "grpc_client.js"), place, str(protos.FOLDER / "rpio_v1.proto")]
        env = {**os.environ, "NODE_PATH": str(modules)}
        client = subprocess.Popen(words, env=env, stdout=subprocess.PIPE, text=True)
        try:
            assert [client.stdout.readline().rstrip("\n") for _ in before] == before
            assert line.ask("drive 4 0") == "ok"
            assert client.stdout.readline().rstrip("\n") == last
            assert client.wait(LIMIT_S) == 0
        finally:
            client.stdout.close()
            client.kill()
            client.wait(LIMIT_S)


# -- protoc and protobuf ------------------------------------------------------------------------


def test_the_code_of_the_messages_is_what_the_old_protoc_makes(fetch):
    for name, text in fetch(protos.made).items():
        assert (protos.FOLDER / name).read_text("utf-8") == text, f"{name}: make proto"


ROUND_TRIP = f"""
import sys
sys.path.insert(0, {str(protos.FOLDER)!r})
import google.protobuf, rpio_v1_pb2 as v1, smbus_rcp_pb2 as rcp
assert google.protobuf.__version__ == sys.argv[1], google.protobuf.__version__
message = v1.SetupRequest(line=4, direction=v1.SetupRequest.OUT, level=0)
again = v1.SetupRequest.FromString(message.SerializeToString())
assert again == message and again.HasField("level") and not v1.SetupRequest().HasField("level")
assert v1.TransferRequest(bus=1, messages=[v1.Message(address=80, data=b"a")]).SerializeToString()
status = rcp.operation_status()
assert rcp.read_byte_response(status=status, data=0xFE).SerializeToString() == bytes.fromhex("0a0010fe01")
"""


@pytest.mark.parametrize("kind", ["", "python"])
@pytest.mark.parametrize("version", RUNTIMES)
def test_the_code_runs_on_every_protobuf(fetch, version, kind):
    folder = fetch(peers.installed, f"protobuf=={version}")
    env = {"PYTHONPATH": str(folder)} | ({"PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": kind} if kind else {})
    peers.run(sys.executable, "-c", ROUND_TRIP, version, **env)


def test_the_extra_asks_for_what_the_sentence_says():
    text = (Path(__file__).resolve().parents[3] / "pyproject.toml").read_text(encoding="utf-8")
    remote = re.search(r"^remote = \[(.*)\]$", text, re.MULTILINE)[1]
    assert all(f'"{word}"' in remote for word in extra.WANTED)
