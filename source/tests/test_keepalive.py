# SPDX-License-Identifier: LGPL-3.0-or-later
"""A cable is pulled between two machines: both sides notice within 5 s, and nobody wakes up to look meanwhile."""

import getpass
import json
import os
import socket
import time
from pathlib import Path

import pytest

from hostile_parts import needs_openssl, opened
from modules_parts import alive
from nets import DEVICE, LAPTOP, is_asleep, net
from remote_parts import Line, program, serving
from RPIO.loop import tcp_options
from RPIO.remote.places import hosts
from RPIO.remote.places.places import Place
from waiting import LIMIT_S, wait_until

NOTICED_S = 5.0
SAFE = "[line.17]\nname = 'heater'\nsafe = 'low'\n"

CLIENT = """
import os, sys, time
import RPIO

def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

there = RPIO.connect({where!r}, linger_s=0.0, on_change=lambda state: say("state", state, time.monotonic()))
there.setup(17, RPIO.OUT, initial=1)
say("ready")
for line in sys.stdin:
    try:
        say("read", there.input(17))
    except RPIO.ConnectionLost as e:
        say("lost", e)
"""


@needs_openssl
@pytest.mark.parametrize("is_asking", [False, True], ids=["idle", "asking"])
@pytest.mark.slow
def test_a_cable_that_is_pulled_is_noticed_by_both_sides(tmp_path, monkeypatch, is_asking):
    """Over TLS, which has no part in it: it is the kernel that looks."""
    with net(__file__) as between, opened(tmp_path / "device", before=between.device, config=SAFE) as device:
        own = device.ca(tmp_path / "own").sign()
        device.list(own)
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
        texts = [Path(path).read_text() for path in (device.authority, own.certificate, own.key)]
        hosts.store(DEVICE, *texts, time.time())
        where = f"{DEVICE}:{device.port}"
        with program(CLIENT.format(where=where), before=between.laptop, RPIO_TOKEN_FILE="") as client:
            client.says("^ready$")
            client.tell("")
            client.says("^read 1$")
            opened_there = len(os.listdir(f"/proc/{device.pid}/fd"))
            # Probes come and go, each 2 s, and neither side hears of them.
            if not is_asking:
                assert wait_until(lambda: is_asleep(device.pid, 2.5))
                assert is_asleep(client.pid, 2.5)
            between.cut()
            cut_s = time.monotonic()
            if is_asking:
                client.tell("")
            assert wait_until(lambda: len(os.listdir(f"/proc/{device.pid}/fd")) < opened_there, NOTICED_S)
            away_s = float(client.says(r"^state away (\S+)$")[1])
            assert away_s - cut_s < NOTICED_S
            with device.connect() as here:
                assert here.ask("read 17") == "ok 0"  # what is safe


BY_WEBSOCKET = """
import asyncio, json, ssl, sys
import websockets
from hostile_parts import context

async def main():
    there = websockets.connect(
        "wss://{host}:{further}/run", ssl=context({authority!r}, Signed), ping_interval=None, proxy=None
    )
    async with there as made:
        await made.send(json.dumps(
            {{"type": "start", "process": "1", "data": {{"runner": "python3", "code": {code!r}}}}}
        ))
        while (found := json.loads(await made.recv()))["type"] != "stdout":
            assert found["type"] == "started", found
        print("ready", found["data"]["output"], flush=True)
        await made.recv()

asyncio.run(main())
"""
BY_GRPC = """
from hostile_parts import context
from RPIO.remote.grpc import Caller
from RPIO.wire.grpc import rpio_v1_pb2 as pb
import sys

trust = context({authority!r}, Signed)
trust.set_alpn_protocols(["h2"])
there = Caller("{host}", {smbus}, trust)
setup = pb.SetupRequest(line=17, direction=pb.SetupRequest.OUT, level=1)
there.ask("/rpio.v1.Gpio/Setup", setup, pb.SetupReply, 10, {{}})
print("ready 0", flush=True)
sys.stdin.readline()
"""
SIGNED = """
class Signed:
    certificate, key = {certificate!r}, {key!r}
"""
PROGRAM = "import os, time\nprint(os.getpid(), flush=True)\nwhile True: time.sleep(100)"


@needs_openssl
@pytest.mark.parametrize("client", [BY_WEBSOCKET, BY_GRPC], ids=["websocket", "grpc"])
@pytest.mark.slow
def test_a_cable_that_is_pulled_is_noticed_at_the_ports_of_http_and_grpc(tmp_path, client):
    """By who serves there, though nothing is said and nothing asked: the program of a WebSocket has ended then, and the
    line of a caller of gRPC is safe.
    """
    for name in ("aiohttp", "websockets", "grpclib", "google.protobuf"):
        pytest.importorskip(name, reason=f"needs {name}, which `make dev` installs")
    config = f"{SAFE}[run]\nuser = {json.dumps(getpass.getuser())}\nwork = '{tmp_path}/work'\ngrace_s = 0.2\n"
    words = ("--further", "any:0", "--smbus", "any:0")
    with (
        net(__file__) as between,
        opened(tmp_path / "device", *words, before=between.device, config=config) as device,
    ):
        ports = {
            name: int(device.says(rf"{name} is served at \S*(?:\]|0\.0):(\d+)")[1])
            for name in ("further", "smbus")
        }
        own = device.ca(tmp_path / "own").sign()
        device.list(own, scopes=("read", "gpio", "run"))
        code = SIGNED.format(certificate=own.certificate, key=own.key)
        code += client.format(host=DEVICE, authority=device.authority, code=PROGRAM, **ports)
        with program(code, before=between.laptop, PYTHONPATH=os.path.dirname(__file__)) as away:
            pid = int(away.says(r"^ready (\d+)")[1])
            assert device_is_idle(device.pid)
            opened_there = len(os.listdir(f"/proc/{device.pid}/fd"))
            between.cut()
            cut_s = time.monotonic()
            assert wait_until(lambda: len(os.listdir(f"/proc/{device.pid}/fd")) < opened_there, NOTICED_S)
            if pid:
                left_s = NOTICED_S + 1.0 - (time.monotonic() - cut_s)
                assert wait_until(lambda: not alive(pid), left_s)
            else:
                with device.connect() as here:
                    assert wait_until(lambda: here.levels(17) == [0])


def device_is_idle(pid):
    """Whether nothing goes on there: what is opened for a moment is closed again."""
    return wait_until(lambda: is_asleep(pid, 0.5))


def options_of(made):
    """What the kernel has been told of a connection."""
    names = ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT")
    found = [made.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)]
    return [*found, *[made.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in names]]


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_what_does_not_leave_the_machine_needs_none(peer):
    with socket.socket() as made:
        before = options_of(made)
        assert not tcp_options.look_after(made, peer)
        assert options_of(made) == before


@pytest.mark.parametrize("peer", [LAPTOP, "fd00::2", "fe80::1%eth0", "::ffff:192.168.1.2"])
def test_what_leaves_the_machine_is_looked_after_by_the_kernel(peer):
    with socket.socket() as made:
        assert tcp_options.look_after(made, peer)
        assert options_of(made) == [1, 2, 1, 2, 4000]


def test_one_that_has_ended_meanwhile_is_left_alone():
    made = socket.socket()
    made.close()
    assert not tcp_options.look_after(made, LAPTOP)


def test_a_client_of_this_machine_is_not_probed():
    with serving() as server:
        made = Place(f"127.0.0.1:{server.port}").connect(LIMIT_S)
        with Line(made) as line:
            assert line.ask("ping") == "ok"
            assert options_of(made)[0] == 0
