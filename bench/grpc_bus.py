# SPDX-License-Identifier: LGPL-3.0-or-later
"""A byte of a simulated chip over gRPC, at the daemon, beside a bare call from grpcio to grpcio.

    bench/grpc_bus.py                 the figures as JSON
    bench/grpc_bus.py grpcio FOLDER   the peer, which says its port and serves until its input ends
    bench/grpc_bus.py serve FOLDER    a daemon with a chip of registers

Calls take turns, one by one; servers and this program have one processor between them. The bare call has the same
messages, and does nothing. The memory is that of this program and of the daemon, before and after 100,000 calls.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import fetched
from remote import ROUNDS, TAILS, middle
from table import blank, filled

CALLS, WARM = 400, 100
FIRST, MANY = 5_000, 100_000
"""Calls until memory is what it stays, and those after which it is looked at again."""
ADDRESS, REGISTER = 0x50, 3
GRPCIO = ("grpcio==1.85.3",)
METHOD = "/SmbusRcp/read_byte_data"
ROWS = [
    *(
        blank(f"grpc: read_byte_data: {tail}", "grpcio", "us", 1.7 if tail == "p50" else None)
        for tail in TAILS
    ),
    blank("grpc: the same, smbus-proxy's protocol: median", "grpcio", "us", 1.7),
    blank("grpc: 32 bytes, one round trip: median", "a byte", "us", 1.5),
    blank("grpc: memory after 100,000 calls: here", "before", "MB", 1.02),
    blank("grpc: memory after 100,000 calls: there", "before", "MB", 1.02),
]


def why_not():
    """Why it is not there; empty where it is."""
    return fetched.why_not(GRPCIO)


def folder():
    """Its folder, fetched once."""
    return fetched.folder(GRPCIO)


def serve_grpcio(where):
    """grpcio's own server, with a method that answers a number."""
    sys.path.append(where)
    from concurrent.futures import ThreadPoolExecutor

    import grpc

    from RPIO.wire.grpc import smbus_rcp_pb2 as pb

    def answer(request, context):
        return pb.read_byte_data_response(status=pb.operation_status(), data=request.register)

    handler = grpc.unary_unary_rpc_method_handler(
        answer,
        request_deserializer=pb.read_byte_data_request.FromString,
        response_serializer=pb.read_byte_data_response.SerializeToString,
    )
    server = grpc.server(ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("SmbusRcp", {"read_byte_data": handler}),)
    )
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    sys.stdin.read()
    server.stop(0)


def serve(where):
    """A daemon on a simulated board with the chip, which says on standard error where."""
    os.environ.update(RPIO_BACKEND="sim:4B", RPIO_CONFIG="", XDG_RUNTIME_DIR=where, XDG_STATE_HOME=where)
    from RPIO import facade
    from RPIO.chips.buses import i2c_bus
    from RPIO.chips.registers import Registers
    from RPIO.cli import main

    i2c_bus(facade.board.backend, 1).add(ADDRESS, Registers())
    words = ["serve", "--no-tcp", "--socket", f"{where}/rpio.sock", "--group", "", "--smbus", "127.0.0.1:0"]
    sys.exit(main(words))


@contextlib.contextmanager
def peer():
    """grpcio's server, and its port."""
    command = [sys.executable, __file__, "grpcio", str(folder())]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield int(process.stdout.readline())
        process.stdin.close()


@contextlib.contextmanager
def daemon():
    """The daemon's port, and its process."""
    with tempfile.TemporaryDirectory(prefix="rpio-bench-") as where:
        command = [sys.executable, __file__, "serve", where]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            try:
                yield int(process.stderr.readline().partition("127.0.0.1:")[2].partition(",")[0]), process.pid
            finally:
                process.terminate()


def in_turn(*acts, calls=CALLS, rounds=ROUNDS):
    """Rounds of so many calls, one by one; of each round the times of each act."""
    found = []
    for _ in range(rounds):
        times = tuple([] for _ in acts)
        for _ in range(calls):
            for act, took in zip(acts, times, strict=True):
                begin = time.perf_counter_ns()
                act()
                took.append(time.perf_counter_ns() - begin)
        found.append(times)
    return found


def resident_mb(process):
    """What a process has of the memory. Source: proc_pid_statm(5)."""
    pages = int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 1e6


def memories(act, *processes):
    """The memory of processes before and after many calls, a pair of each."""
    found = []
    for calls in (FIRST, MANY):
        for _ in range(calls):
            act()
        found.append([resident_mb(process) for process in processes])
    return list(zip(*found, strict=True))


def run():
    """All figures."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    sys.path[:] = [*sys.path[1:], str(folder())]
    import grpc

    from RPIO.i2c.grpc import GrpcBus
    from RPIO.i2c.smbus_proxy import Proxy
    from RPIO.remote.grpc import Caller
    from RPIO.wire.grpc import smbus_rcp_pb2 as pb
    from RPIO.wire.smbus import BYTE_DATA, I2C_BLOCK_DATA, SmbusCall

    byte, block = (
        SmbusCall(ADDRESS, True, BYTE_DATA, REGISTER),
        SmbusCall(ADDRESS, True, I2C_BLOCK_DATA, REGISTER, length=32),
    )
    with (
        peer() as bare_port,
        daemon() as (port, process),
        grpc.insecure_channel(f"127.0.0.1:{bare_port}") as channel,
    ):
        ask = channel.unary_unary(
            METHOD,
            request_serializer=pb.read_byte_data_request.SerializeToString,
            response_deserializer=pb.read_byte_data_response.FromString,
        )
        me = (("client_id", "0123456789abcdef0123456789abcdef"),)

        def bare():
            ask(pb.read_byte_data_request(i2c_addr=ADDRESS, register=REGISTER), timeout=10, metadata=me)

        bus, proxy = GrpcBus("127.0.0.1", port), Proxy(Caller("127.0.0.1", port), 1, 10.0)
        proxy.open()
        acts = (bare, lambda: bus.smbus(byte), lambda: proxy.smbus(byte), lambda: bus.smbus(block))
        in_turn(*acts, calls=WARM, rounds=1)  # everything is loaded, and every table of HTTP/2 is filled
        rounds = in_turn(*acts)
        ours = middle([(times[0], times[1]) for times in rounds])
        theirs = middle([(times[0], times[2]) for times in rounds])["p50"]
        blocks = middle([(times[1], times[3]) for times in rounds])["p50"]
        proxy.close()
        kept = memories(lambda: bus.smbus(byte), os.getpid(), process)
        bus.close()
    return [*(ours[tail] for tail in TAILS), theirs, blocks, *kept]


def rows():
    """Each beside its peer."""
    done = subprocess.run([sys.executable, __file__], capture_output=True, text=True, check=True)
    return filled(ROWS, json.loads(done.stdout))


if __name__ == "__main__":
    if sys.argv[1:2] == ["grpcio"]:
        sys.path.pop(0)
        serve_grpcio(sys.argv[2])
    elif sys.argv[1:2] == ["serve"]:
        serve(sys.argv[2])
    else:
        print(json.dumps(run()))
