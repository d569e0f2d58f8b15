# SPDX-License-Identifier: LGPL-3.0-or-later
"""``rpio serve --smbus``, and smbus-proxy's own names under ``rpio run``: its tool, its classes, its example."""

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from ports import free_port
from remote_parts import Program, daemon
from RPIO.i2c import SMBus
from RPIO.i2c.smbus_proxy import Proxy
from RPIO.remote.grpc import Caller, Refused
from RPIO.wire import smbus
from RPIO.wire.grpc import rpio_v1_pb2 as v1
from RPIO.wire.smbus import SmbusCall
from waiting import LIMIT_S, wait_until

RADIO = """
from RPIO import facade as _facade
from RPIO.chips.buses import i2c_bus as _i2c_bus
from RPIO.chips.si4703 import Si4703 as _Si4703
_i2c_bus(_facade.board.backend, 1).add(0x10, _Si4703(_facade.board.backend))
"""
"""A Si4703 on bus 1 of the simulated board."""
AT_START = bytes.fromhex("00 00" * 6 + "1242 1200 0a00" + "0000" * 4 + "0100 0000 0000")
"""Its registers from 0x0A on."""
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "smbus_proxy" / "Si4703_proxy.py"
ANY = ("--smbus", "127.0.0.1:0")


def port_of(served):
    return int(served.says(r"smbus is served at 127\.0\.0\.1:(\d+), by gRPC")[1])


def place(served):
    return f"smbus://127.0.0.1:{port_of(served)}/1"


# -- the daemon ---------------------------------------------------------------------------------


@pytest.mark.slow
def test_its_buses_are_the_daemons(tmp_path):
    with daemon(tmp_path, *ANY, prelude=RADIO) as served, SMBus(place(served)) as bus:
        assert bytes(bus.read_i2c_block_data(0x10, 0x0A, 32)) == AT_START
        with pytest.raises(OSError, match="Remote I/O error"):
            bus.read_byte(0x11)


@pytest.mark.slow
def test_clients_of_both_services_are_sessions(tmp_path):
    with daemon(tmp_path, *ANY, prelude=RADIO) as served, SMBus(place(served)):
        caller = Caller("127.0.0.1", port_of(served))
        proxy = Proxy(caller, 1, LIMIT_S)
        proxy.open()
        assert proxy.smbus(SmbusCall(0x10, True, smbus.I2C_BLOCK_DATA, 10, length=32)) == AT_START
        who = served.rpio("who").stdout
        assert re.search(
            r"^  \S+@\S+, \S+, gRPC \(127\.0\.0\.1:\d+\), for \d s, may read, gpio, i2c$", who, re.MULTILINE
        )
        assert re.search(r"^  smbus-proxy client from (127\.0\.0\.1:\d+), bus 1 \(\1\)", who, re.MULTILINE)
        line = f"smbus: at 127.0.0.1:{port_of(served)}: smbus-proxy's service, and rpio.v1"
        assert line in who.splitlines()
        assert line in served.rpio("serve", "--status").stdout.splitlines()
        proxy.close()
        assert wait_until(lambda: "smbus-proxy client" not in served.rpio("who").stdout)


@pytest.mark.slow
def test_lines_of_a_client_who_vanishes_are_free(tmp_path):
    with daemon(tmp_path, *ANY) as served, served.connect() as line:
        caller = Caller("127.0.0.1", port_of(served))
        request = v1.SetupRequest(line=17, direction=v1.SetupRequest.OUT, level=1)
        caller.ask("/rpio.v1.Gpio/Setup", request, v1.SetupReply, LIMIT_S, {})
        assert line.levels(17) == [1]
        assert "LineBusyError" in line.ask("output 17 0")
        caller.close()
        assert wait_until(lambda: line.ask("output 17 0") == "ok")


@pytest.mark.slow
def test_a_revoked_token_ends_what_it_gave(tmp_path):
    with daemon(
        tmp_path, *ANY, config=f"[access]\nopen = ['read']\ntokens = '{tmp_path}/tokens'\n"
    ) as served:
        secret = served.rpio("token", "new", "--scope", "gpio").stdout.split()[-1]
        caller = Caller("127.0.0.1", port_of(served))
        request = v1.SetupRequest(line=17, direction=v1.SetupRequest.OUT, level=1)

        def setup(**metadata):
            caller.ask("/rpio.v1.Gpio/Setup", request, v1.SetupReply, LIMIT_S, metadata)

        with pytest.raises(Refused, match="needs the scope 'gpio'"):
            setup()
        setup(authorization=f"Bearer {secret}")
        name = re.search(r"^(\w{6})\b", served.rpio("token", "list").stdout, re.MULTILINE)[1]
        served.rpio("token", "revoke", name)
        with pytest.raises(Refused, match="no such token"):
            setup(authorization=f"Bearer {secret}")
        assert "no line is in use" in served.rpio("who").stdout
        caller.close()


@pytest.mark.slow
def test_without_it_nothing_is_served_and_nothing_loaded(tmp_path):
    look = "import atexit, sys; atexit.register(lambda: print('grpclib' in sys.modules, flush=True))"
    with daemon(tmp_path, prelude=look) as served:
        assert "smbus" not in served.look()
        assert json.loads(served.rpio("who", "--json").stdout)["fronts"] == []
        served.kill(signal.SIGTERM)
        served.says("^False$")


@pytest.mark.slow
def test_the_configuration_says_the_same(tmp_path):
    with daemon(tmp_path, config="[smbus]\non = true\nport = 0\n", prelude=RADIO) as served:
        with SMBus(place(served)) as bus:
            assert bus.read_byte_data(0x10, 0) == 0
        shown = served.rpio("serve", "--show-config", "--smbus", "127.0.0.2:7").stdout
        assert re.search(r'\[smbus\]\non = true .*\naddress = "127\.0\.0\.2" .*option.*\nport = 7 ', shown)


@pytest.mark.slow
def test_insecure_says_so_each_time(tmp_path):
    with daemon(tmp_path, "--smbus", "0.0.0.0:0", "--insecure") as served:
        told = "smbus: --insecure: whoever reaches this port has the buses and lines of this machine"
        served.says(told)
        for words in (("who",), ("serve", "--status")):
            assert re.search("smbus: at 0.0.0.0:.*; --insecure: whoever", served.rpio(*words).stdout)


@pytest.mark.slow
def test_a_port_that_is_taken_is_named_and_takes_nothing_else_down(tmp_path):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with daemon(tmp_path, "--smbus", f"127.0.0.1:{port}") as served, served.connect() as line:
            served.says(rf"smbus is not served: port {port} on 127\.0\.0\.1 is in use already")
            assert line.ask("ping") == "ok"
            assert f"smbus: not served: port {port}" in served.rpio("who").stdout


@pytest.mark.slow
def test_without_grpclib_one_sentence_has_the_command(tmp_path):
    hide = "import sys; sys.modules['grpclib'] = None"
    with daemon(tmp_path, *ANY, prelude=hide) as served, served.connect() as line:
        served.says(
            r"smbus is not served: gRPC needs grpclib, which is not installed: \S+ -m pip install 'grpclib"
        )
        assert line.ask("ping") == "ok"
    code = f"{hide}\nfrom RPIO.i2c import SMBus\nSMBus('smbus://127.0.0.1/1')"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    assert "NotSupportedError: gRPC needs grpclib, which is not installed: " in done.stderr


# -- smbus-proxy's names ------------------------------------------------------------------------


class Run(Program):
    """A program under ``rpio run``, on the simulated board with the radio."""

    def __init__(self, folder, name, *words, code=None, **env):
        self.folder = folder
        if code is not None:
            (folder / name).write_text(RADIO + textwrap.dedent(code))
        os.chdir(folder)
        super().__init__("", words=["-W", "error", "-m", "RPIO.cli", "run", name, *words], **env)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs a program; it is ended at the end."""
    monkeypatch.chdir(tmp_path)
    made = []

    def run(name, *words, code=None, **env):
        made.append(Run(tmp_path, name, *words, code=code, **env))
        return made[-1]

    yield run
    for program in made:
        program.close()


TOOL = """
import runpy, sys
runpy.run_module("smbus_server", run_name="__main__")
"""
TIME = r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} :: INFO :: "


@pytest.mark.slow
def test_both_listings_of_smbus_proxys_page_come_out_as_printed(run):
    port = free_port()
    server = run("test_server3.py", "-i", f"127.0.0.1:{port}", code=TOOL)
    server.says(rf"{TIME}Server started$")
    client = run(str(EXAMPLE), f"127.0.0.1:{port}")
    client.process.wait(LIMIT_S)
    rows = [f"0x{(10 + at) % 16:02X} = {AT_START[2 * at]:02x} {AT_START[2 * at + 1]:02x}" for at in range(16)]
    assert client.look().splitlines() == rows
    id = server.says(rf"{TIME}New client\((\w{{32}})\) requests bus 1$")[1]
    server.says(rf"{TIME}Client\({id}\) read_i2c_block_data at 0x10 register 0xa$")
    server.says(rf"{TIME}No activity from client {id} since 5 sec delete it$")
    assert len(server.look().splitlines()) == 4


@pytest.mark.slow
def test_the_tool_is_ours_where_there_is_no_such_file(run):
    server = run("smbus_server.py", "-i", f"127.0.0.1:{free_port()}")
    server.says("Server started")
    server.kill(signal.SIGINT)
    assert server.process.returncode == 130


def test_a_file_of_that_name_is_the_programs_own(run, tmp_path):
    (tmp_path / "smbus_server.py").write_text("print('mine')")
    run("smbus_server.py").says("^mine$")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ((), "required: -i/--ip"),
        (("-i", "50051"), "'50051' is no ADDRESS:PORT, such as 127.0.0.1:50051"),
        (("-i", "0.0.0.0:50051"), "0.0.0.0 can be reached by other machines"),
    ],
)
def test_what_the_tool_cannot_do_is_told(run, words, text):
    program = run("smbus_server.py", *words)
    program.says(re.escape(text))
    assert program.process.wait(LIMIT_S)


SERVER = """
from smbus_proxy.proxy_server import ProxyServer

class Bus:
    opened = []
    def __init__(self, number):
        if number != 1:
            raise OSError(2, "No such file or directory")
        self.opened.append(number)
    def read_byte(self, address):
        if address == 0x51:
            raise OSError(121, "Remote I/O error")
        return 0xFE
    def read_word_data(self, address, register):
        return 0x1234 + register
    def read_i2c_block_data(self, address, register):
        return list(range(32))
    def write_byte(self, address, value):
        print("wrote", address, value, flush=True)
    def write_word_data(self, address, register, value):
        print("wrote", address, register, value, flush=True)
    def write_i2c_block_data(self, address, register, data):
        print("wrote", address, register, data, flush=True)
    def close(self):
        print("closed", flush=True)

server = ProxyServer("127.0.0.1:0", Bus)
server.serve()
print("at", server.port, flush=True)
import sys
sys.stdin.read()
print("opened", Bus.opened, flush=True)
server.stop()
server.stop()
"""
CLIENT = """
import sys
from smbus_proxy.proxy_client import ProxyClient
bus = ProxyClient(f"127.0.0.1:{sys.argv[1]}", 1)
print(bus.read_byte(0x50), bus.read_word_data(0x50, 1), bus.read_i2c_block_data(0x50, 0)[-1])
print(bus.write_byte(0x50, 7), bus.write_word_data(0x50, 1, 0x1234), bus.write_i2c_block_data(0x50, 1, [1, 2]))
for wrong in (
    lambda: bus.read_byte(0x51),
    lambda: bus.read_byte_data(0x50, 1),
    lambda: bus.write_i2c_block_data(0x50, 0, [256]),
    lambda: ProxyClient(f"127.0.0.1:{sys.argv[1]}", 2),
):
    try:
        wrong()
    except Exception as e:
        print(type(e).__name__, isinstance(e, OSError) and e.errno, e)
bus.close()
print("done")
"""


@pytest.mark.slow
def test_proxy_client_and_proxy_server_by_name(run):
    server = run("server.py", code=SERVER)
    client = run("client.py", server.says(r"^at (\d+)$")[1], code=CLIENT)
    client.says("^done$")
    assert client.look().splitlines() == [
        "254 4661 31",
        "None None None",
        "ProxyError 121 proxy server: [Errno 121] Remote I/O error",
        "ProxyError 121 proxy server: [Errno 121] Remote I/O error: 'Bus' object has no attribute 'read_byte_data'",
        "ValueError False bytes must be in range(0, 256)",
        "ProxyError 2 proxy server: [Errno 2] No such file or directory",
        "done",
    ]
    server.says(r"Client\(\w+\) release bus 1$")
    server.says("^closed$")
    server.process.stdin.close()
    server.says(r"^opened \[1\]$")
    assert server.process.wait(LIMIT_S) == 0
    assert [line for line in server.look().splitlines() if line.startswith("wrote")] == [
        "wrote 80 7",
        "wrote 80 1 4660",
        "wrote 80 1 [1, 2]",
    ]
