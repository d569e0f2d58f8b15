# SPDX-License-Identifier: LGPL-3.0-or-later
"""gRPC with grpclib at both ends: smbus-proxy's service and rpio.v1, and the bus that is a client of either."""

import asyncio
import gc
import os
import signal
import sys
import threading
from errno import ECONNREFUSED, EDEADLK, EOPNOTSUPP, EREMOTEIO, ETIMEDOUT

import pytest
from grpclib.client import Channel, UnaryStreamMethod, UnaryUnaryMethod
from grpclib.const import Cardinality, Status
from grpclib.exceptions import GRPCError
from grpclib.utils import Wrapper

from grpc_parts import ADDRESS, Proxied, Rpio, closing
from remote_parts import worlds
from RPIO import errors
from RPIO.i2c import SMBus, i2c_msg
from RPIO.i2c.grpc import GrpcBus, place_of
from RPIO.i2c.smbus_proxy import Proxy
from RPIO.loop import corked
from RPIO.loop.tcp_options import OPTIONS
from RPIO.remote.grpc import Caller, Refused, _unary
from RPIO.server.grpc import rpio_v1, smbus_rcp
from RPIO.server.grpc.proxy_server import ProxyServer
from RPIO.server.rights.access import Access, Token, digest_of
from RPIO.server.sessions import sessions
from RPIO.wire import smbus
from RPIO.wire.grpc import rpio_v1_pb2 as v1
from RPIO.wire.grpc import smbus_rcp_pb2 as rcp
from RPIO.wire.smbus import SmbusCall
from waiting import LIMIT_S, wait_until


def read_byte_data(register, address=ADDRESS):
    return SmbusCall(address, True, smbus.BYTE_DATA, register)


@pytest.fixture
def proxy():
    with closing(Proxied()) as made:
        yield made


@pytest.fixture
def world():
    with worlds() as made:
        yield made


@pytest.fixture(params=[True, False], ids=["quick", "slow"])
def rpio(world, monkeypatch, request):
    with closing(Rpio(world, monkeypatch, request.param)) as made:
        yield made


@pytest.fixture
def bus_of():
    """Makes buses of a server, which are closed at the end."""
    made = []

    def make(server, number=1, **more):
        made.append(GrpcBus("127.0.0.1", server.port, number, **more))
        return made[-1]

    yield make
    for bus in made:
        bus.close()


@pytest.fixture
def caller_of():
    """Makes connections to a server, which are closed at the end."""
    made = []

    def make(server):
        made.append(Caller("127.0.0.1", server.port))
        return made[-1]

    yield make
    for caller in made:
        caller.close()


@pytest.fixture
def ask():
    """Asks a server's method; what it answers, and the trailing metadata."""
    callers = {}

    def ask(server, path, request, reply, **metadata):
        caller = callers.setdefault(server.port, Caller("127.0.0.1", server.port))
        metadata = {
            key.replace("_", "-") if key != "client_id" else key: value for key, value in metadata.items()
        }
        return caller.ask(path, request, reply, LIMIT_S, metadata)

    yield ask
    for caller in callers.values():
        caller.close()


# -- what is sent -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "data"),
    [
        (rcp.open_request(i2c_bus=1), "08 01"),
        (rcp.operation_status(), ""),
        (
            rcp.operation_status(code=1, exception="proxy server: x"),
            "08 01 12 0f 70726f7879207365727665723a2078",
        ),
        (rcp.read_byte_request(i2c_addr=0x50), "08 50"),
        (rcp.read_byte_response(status=rcp.operation_status(), data=0xFE), "0a 00 10 fe 01"),
        (rcp.write_byte_data_request(i2c_addr=0x50, register=1, value=3), "08 50 10 01 18 03"),
        (rcp.read_i2c_block_data_request(i2c_addr=0x10, register=0x0A), "08 10 10 0a"),
        (
            rcp.read_i2c_block_data_response(status=rcp.operation_status(), data=b"\x10\x45\x17"),
            "0a 00 12 03 10 45 17",
        ),
        (rcp.write_i2c_block_data_request(i2c_addr=0x50, data=b"\x10\x45\x17"), "08 50 1a 03 10 45 17"),
        (rcp.keep_alive(info="request"), "0a 07 72657175657374"),
    ],
)
def test_messages_of_smbus_proxy_have_its_bytes(message, data):
    assert message.SerializeToString() == bytes.fromhex(data)


class Raw:
    """Stands for a message: the very bytes that came."""

    @staticmethod
    def FromString(data):
        return data


def test_a_status_that_is_ok_is_there_and_empty(proxy, ask):
    _, trailing = ask(proxy, "/SmbusRcp/open", rcp.open_request(i2c_bus=1), Raw)
    id = trailing["client_id"]
    assert len(id) == 32 and int(id, 16)
    request = rcp.read_byte_data_request(i2c_addr=ADDRESS, register=7)
    assert ask(proxy, "/SmbusRcp/read_byte_data", request, Raw, client_id=id)[0] == b"\x0a\x00\x10\x07"
    request = rcp.write_byte_data_request(i2c_addr=ADDRESS, register=7, value=9)
    assert ask(proxy, "/SmbusRcp/write_byte_data", request, Raw, client_id=id)[0] == b""


# -- smbus-proxy's service ----------------------------------------------------------------------


def test_every_call_that_smbus_proxy_has(proxy, bus_of):
    bus = bus_of(proxy)
    assert not bus.is_of_rpio
    for call, answer in [
        (SmbusCall(ADDRESS, False, smbus.BYTE, 5), b""),
        (SmbusCall(ADDRESS, True, smbus.BYTE), b"\x05"),
        (read_byte_data(7), b"\x07"),
        (SmbusCall(ADDRESS, False, smbus.BYTE_DATA, 7, b"\xff"), b""),
        (SmbusCall(ADDRESS, True, smbus.WORD_DATA, 7), b"\xff\x08"),
        (SmbusCall(ADDRESS, False, smbus.WORD_DATA, 7, b"\x12\xfe"), b""),
        (SmbusCall(ADDRESS, True, smbus.I2C_BLOCK_DATA, 7, length=3), b"\x12\xfe\x09"),
        (SmbusCall(ADDRESS, False, smbus.I2C_BLOCK_DATA, 1, bytes(32)), b""),
        (SmbusCall(ADDRESS, True, smbus.I2C_BLOCK_DATA, 0, length=32), bytes(32)),
    ]:
        assert bus.smbus(call) == answer
        assert proxy.bus.calls[-1].data == call.data


@pytest.mark.parametrize(
    ("act", "what"),
    [
        (lambda bus: bus.smbus(SmbusCall(ADDRESS, True, smbus.QUICK)), "quick"),
        (lambda bus: bus.smbus(SmbusCall(ADDRESS, False, smbus.PROCESS_CALL, 1, b"ab")), "process call"),
        (lambda bus: bus.smbus(SmbusCall(ADDRESS, True, smbus.BLOCK_DATA, 1)), "block data"),
        (lambda bus: bus.smbus(SmbusCall(ADDRESS, True, smbus.BYTE_DATA, 1, has_pec=True)), "PEC"),
        (lambda bus: bus.transfer([]), "plain I2C"),
        (lambda bus: bus.hold(0), "hold a bus"),
    ],
)
def test_what_smbus_proxy_has_not_is_told(proxy, bus_of, act, what):
    with pytest.raises(OSError, match=what) as e:
        act(bus_of(proxy))
    assert e.value.errno == EOPNOTSUPP


@pytest.mark.parametrize("size", [smbus.BYTE, smbus.BYTE_DATA, smbus.WORD_DATA, smbus.I2C_BLOCK_DATA])
def test_what_fails_at_the_bus_has_its_number(proxy, bus_of, size):
    with pytest.raises(OSError, match="Remote I/O error") as e:
        bus_of(proxy).smbus(SmbusCall(0x51, True, size, 0, length=4))
    assert e.value.errno == EREMOTEIO


def test_a_block_read_that_fails_is_code_1(proxy, ask):
    id = ask(proxy, "/SmbusRcp/open", rcp.open_request(i2c_bus=1), rcp.operation_status)[1]["client_id"]
    request = rcp.read_i2c_block_data_request(i2c_addr=0x51)
    reply = rcp.read_i2c_block_data_response
    answer, _ = ask(proxy, "/SmbusRcp/read_i2c_block_data", request, reply, client_id=id)
    assert (answer.status.code, answer.status.exception) == (1, "proxy server: [Errno 121] Remote I/O error")


def test_a_bus_that_cannot_be_opened_is_code_1_and_has_no_id(proxy, ask):
    status, trailing = ask(proxy, "/SmbusRcp/open", rcp.open_request(i2c_bus=2), rcp.operation_status)
    assert status.code == 1 and status.exception.startswith("proxy server: [Errno 2] No such file")
    assert "client_id" not in trailing
    assert proxy.guests[0].has_ended and not proxy.rcp.clients


@pytest.mark.parametrize("name", ["read_byte", "write_byte", "close"])
def test_without_a_client_id_or_with_one_that_is_none_it_is_code_1(proxy, ask, name):
    request, reply = getattr(rcp, f"{name}_request")(), getattr(rcp, f"{name}_response", rcp.operation_status)
    for metadata, text in [({}, "client id not found"), ({"client_id": "nobody"}, "'nobody'")]:
        answer, _ = ask(proxy, f"/SmbusRcp/{name}", request, reply, **metadata)
        status = getattr(answer, "status", answer)
        assert (status.code, status.exception) == (1, f"proxy server: {text}")
    status, _ = ask(proxy, "/SmbusRcp/ping", rcp.keep_alive(), rcp.operation_status, client_id="nobody")
    assert status.exception == "proxy server: 'nobody'"


@pytest.mark.parametrize(
    ("name", "values", "text"),
    [
        ("read_byte", {"i2c_addr": 128}, "the address is 0 to 0x7f, not 0x80"),
        ("read_byte", {"i2c_addr": -1}, "the address is 0 to 0x7f, not -0x1"),
        ("read_byte_data", {"i2c_addr": 80, "register": 256}, "the register is 0 to 0xff, not 0x100"),
        ("write_byte_data", {"i2c_addr": 80, "value": 256}, "the value is 0 to 0xff, not 0x100"),
        ("write_word_data", {"i2c_addr": 80, "value": 65536}, "the value is 0 to 0xffff, not 0x10000"),
        ("read_i2c_block_data", {"i2c_addr": 80, "length": 33}, "a block has 1 to 32 bytes, not 33"),
        ("write_i2c_block_data", {"i2c_addr": 80, "data": bytes(33)}, "a block has 1 to 32 bytes, not 33"),
    ],
)
def test_values_that_no_bus_could_have_are_code_1(proxy, ask, name, values, text):
    id = ask(proxy, "/SmbusRcp/open", rcp.open_request(i2c_bus=1), rcp.operation_status)[1]["client_id"]
    request, reply = (
        getattr(rcp, f"{name}_request")(**values),
        getattr(rcp, f"{name}_response", rcp.operation_status),
    )
    answer, _ = ask(proxy, f"/SmbusRcp/{name}", request, reply, client_id=id)
    status = getattr(answer, "status", answer)
    assert (status.code, status.exception) == (1, f"proxy server: {text}")
    assert not proxy.bus.calls


def test_who_is_silent_for_long_is_forgotten_and_a_call_counts_as_well_as_a_ping(proxy, ask):
    def opened():
        return ask(proxy, "/SmbusRcp/open", rcp.open_request(i2c_bus=1), rcp.operation_status)[1]["client_id"]

    silent, pinging, calling = opened(), opened(), opened()
    for _ in range(3):
        proxy.now_s += 4
        ask(proxy, "/SmbusRcp/ping", rcp.keep_alive(info="request"), rcp.operation_status, client_id=pinging)
        request = rcp.read_byte_request(i2c_addr=ADDRESS)
        ask(proxy, "/SmbusRcp/read_byte", request, rcp.read_byte_response, client_id=calling)
    proxy.wait(1)
    assert sorted(proxy.rcp.clients) == sorted([pinging, calling])
    assert [guest.has_ended for guest in proxy.guests] == [True, False, False]
    answer, _ = ask(proxy, "/SmbusRcp/read_byte", request, rcp.read_byte_response, client_id=silent)
    assert answer.status.exception == f"proxy server: '{silent}'"


def test_a_bus_that_was_forgotten_is_opened_again(proxy, bus_of):
    bus = bus_of(proxy)
    proxy.wait(60)
    assert not proxy.rcp.clients
    assert bus.smbus(read_byte_data(3)) == b"\x03"
    assert len(proxy.rcp.clients) == 1


def test_it_pings_each_second_by_itself(proxy, bus_of):
    bus_of(proxy)
    (client,) = proxy.rcp.clients.values()
    proxy.now_s = 3.0
    assert wait_until(lambda: client.seen_s == 3.0)


def test_it_pings_while_a_call_lasts(proxy, bus_of):
    bus, go_on = bus_of(proxy), threading.Event()
    (client,) = proxy.rcp.clients.values()

    async def slow(call, number, work):
        while not go_on.is_set():
            await asyncio.sleep(0.01)
        return work(proxy.bus)

    proxy.guests[0].run = slow
    found = []
    caller = threading.Thread(target=lambda: found.append(bus.smbus(read_byte_data(3))))
    caller.start()
    assert wait_until(lambda: client.calls)
    proxy.now_s = 9.0
    assert wait_until(lambda: client.seen_s == 9.0)  # by a ping: the call has not ended
    go_on.set()
    caller.join(LIMIT_S)
    assert found == [b"\x03"]


def test_close_says_so_and_ends_the_pings(proxy, bus_of):
    before = threading.active_count()
    bus = bus_of(proxy)
    bus.close()
    bus.close()
    assert not proxy.rcp.clients and proxy.guests[0].has_ended
    assert wait_until(lambda: threading.active_count() == before)
    with pytest.raises(ValueError, match="is closed"):
        bus.smbus(read_byte_data(3))


def test_the_servers_lines_are_the_originals(proxy, bus_of, caplog):
    caplog.set_level("INFO", "SmbusRcpServer.of a test")
    bus = bus_of(proxy)
    (id,) = proxy.rcp.clients
    bus.smbus(SmbusCall(ADDRESS, True, smbus.I2C_BLOCK_DATA, 10, length=32))
    bus.smbus(SmbusCall(ADDRESS, True, smbus.BYTE))
    bus.close()
    assert [record.getMessage() for record in caplog.records] == [
        f"New client({id}) requests bus 1",
        f"Client({id}) read_i2c_block_data at 0x50 register 0xa",
        f"Client({id}) read_byte at 0x50",
        f"Client({id}) release bus 1",
    ]


# -- how many there may be ----------------------------------------------------------------------


def test_clients_of_grpc_leave_room_for_others():
    assert smbus_rcp.CLIENTS_MAX + rpio_v1.VISITORS_MAX < sessions.SESSIONS_MAX
    assert smbus_rcp.CLIENTS_OF_ONE_MAX <= smbus_rcp.CLIENTS_MAX // 4


def test_one_connection_has_a_part_of_the_clients_and_all_have_an_end(proxy, monkeypatch, ask, caller_of):
    def opened(**by):
        caller = by.get("by")
        words = "/SmbusRcp/open", rcp.open_request(i2c_bus=1), rcp.operation_status
        return (caller.ask(*words, LIMIT_S, {}) if caller else ask(proxy, *words))[0].exception

    most = smbus_rcp.CLIENTS_OF_ONE_MAX
    assert [opened() for _ in range(most)] == [""] * most
    assert opened() == f"proxy server: {most} clients at most are those of one connection"
    other = caller_of(proxy)
    assert opened(by=other) == ""
    monkeypatch.setattr(smbus_rcp, "CLIENTS_MAX", most + 1)
    assert opened(by=other) == f"proxy server: there are {most + 1} clients, and there may be no more"
    assert len(proxy.rcp.clients) == most + 1 == len(proxy.guests)


def test_those_who_wait_to_be_clients_count_as_such(proxy, monkeypatch):
    monkeypatch.setattr(smbus_rcp, "CLIENTS_OF_ONE_MAX", 3)
    begin, go_on = proxy.rcp._begin, asyncio.Event()

    def begin_slowly(bus, call):
        guest = begin(bus, call)
        run = guest.run

        async def wait(*words):
            await go_on.wait()
            return await run(*words)

        guest.run = wait
        return guest

    proxy.rcp._begin = begin_slowly

    async def program():
        async with Channel("127.0.0.1", proxy.port) as channel:
            method = UnaryUnaryMethod(channel, "/SmbusRcp/open", rcp.open_request, rcp.operation_status)
            asked = [asyncio.create_task(method(rcp.open_request(i2c_bus=1))) for _ in range(5)]
            refused, waiting = await asyncio.wait(asked, timeout=LIMIT_S, return_when="FIRST_COMPLETED")
            while len(refused) < 2:
                more, waiting = await asyncio.wait(waiting, timeout=LIMIT_S, return_when="FIRST_COMPLETED")
                refused |= more
            assert all("at most" in one.result().exception for one in refused)
            proxy.served.do(go_on.set)
            return [(await one).code for one in waiting]

    assert asyncio.run(asyncio.wait_for(program(), LIMIT_S)) == [0, 0, 0]
    assert len(proxy.rcp.clients) == 3 and not proxy.rcp._opening


def test_clients_of_rpio_v1_have_an_end_too(rpio, bus_of, monkeypatch):
    monkeypatch.setattr(rpio_v1, "VISITORS_MAX", 1)
    bus_of(rpio)
    with pytest.raises(OSError, match="1 clients of gRPC, and there may be no more"):
        bus_of(rpio)


# -- an object's buses --------------------------------------------------------------------------


class SlowBus:
    """A bus of a program's own, whose calls last until the test says so."""

    def __init__(self):
        self.said, self.inside, self.go_on = [], threading.Semaphore(0), threading.Semaphore(0)

    def __call__(self, number):
        self.said.append("made")
        return self

    def read_byte(self, address):
        self.said.append("begun")
        self.inside.release()
        assert self.go_on.acquire(timeout=LIMIT_S)
        self.said.append("ended")
        return 7

    def close(self):
        self.said.append("closed")


@pytest.fixture
def slow():
    """A SlowBus, and the server of it."""
    bus = SlowBus()
    server = ProxyServer("127.0.0.1:0", bus, log_level=50)
    server.serve()
    yield bus, server
    bus.go_on.release(100)
    server.stop()


def aside(act):
    """Begin it in a thread; what waits for its result."""
    found = []

    def run():
        found.append(act())

    thread = threading.Thread(target=run)
    thread.start()

    def result():
        thread.join(LIMIT_S)
        return found[0]

    return result


def read_with(caller, id):
    """Read a byte as the client of that id."""
    request, reply = rcp.read_byte_request(i2c_addr=ADDRESS), rcp.read_byte_response
    return caller.ask("/SmbusRcp/read_byte", request, reply, LIMIT_S, {"client_id": id})[0]


def test_a_bus_is_closed_when_its_last_call_has_ended_and_not_before(slow, caller_of):
    bus, server = slow
    callers = [caller_of(server) for _ in range(3)]
    opened = callers[0].ask("/SmbusRcp/open", rcp.open_request(i2c_bus=1), rcp.operation_status, LIMIT_S, {})
    id = opened[1]["client_id"]
    first = aside(lambda: read_with(callers[0], id))
    assert bus.inside.acquire(timeout=LIMIT_S)
    second = aside(lambda: read_with(callers[1], id))
    closed = callers[2].ask(
        "/SmbusRcp/close", rcp.close_request(), rcp.operation_status, LIMIT_S, {"client_id": id}
    )
    assert closed[0].code == 0
    assert "closed" not in bus.said
    bus.go_on.release(2)
    assert first().data == 7
    assert second().data == 7 or "'" in second().status.exception  # it may have come after the close
    assert wait_until(lambda: bus.said[-1] == "closed")
    calls = (len(bus.said) - 2) // 2
    assert bus.said == ["made", *["begun", "ended"] * calls, "closed"]


def test_a_call_that_is_given_up_keeps_others_out_until_it_has_ended(slow, caller_of):
    bus, server = slow
    one, other = [Proxy(caller_of(server), 1, s) for s in (0.3, LIMIT_S)]
    one.open()
    other.open()
    with pytest.raises(TimeoutError):
        one.smbus(SmbusCall(ADDRESS, True, smbus.BYTE))
    read = aside(lambda: other.smbus(SmbusCall(ADDRESS, True, smbus.BYTE)))
    assert bus.inside.acquire(timeout=LIMIT_S) and not bus.inside.acquire(timeout=0.2)
    bus.go_on.release(2)
    assert read() == b"\x07"
    assert bus.said == ["made", *["begun", "ended"] * 2]
    one.close()
    other.close()
    assert wait_until(lambda: bus.said[-1] == "closed")


def test_a_server_that_ends_closes_its_buses(slow, caller_of):
    bus, server = slow
    made = Proxy(caller_of(server), 1, LIMIT_S)
    made.open()
    server.stop()
    assert bus.said == ["made", "closed"]
    made.close()


# -- the client ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("smbus://pi:50052/3", ("pi", 50052, 3)),
        ("smbus://pi", ("pi", 50051, 1)),
        ("smbus://[::1]:7/0", ("::1", 7, 0)),
        ("smbus://127.0.0.1/2", ("127.0.0.1", 50051, 2)),
    ],
)
def test_places_of_buses(url, place):
    assert place_of(url) == place


@pytest.mark.parametrize(
    "url", ["smbus://", "smbus://pi:0/1", "smbus://pi:99999/1", "smbus://pi/x", "smbus:pi"]
)
def test_what_is_no_place_of_a_bus_is_an_error(url):
    with pytest.raises(ValueError, match="is no smbus://HOST:PORT/BUS"):
        place_of(url)


def test_nobody_there_is_told_with_what_to_do():
    with closing(Proxied()) as proxy:
        port = proxy.port
    with pytest.raises(ConnectionRefusedError, match=f"nobody listens at 127.0.0.1:{port}") as e:
        GrpcBus("127.0.0.1", port)
    assert e.value.errno == ECONNREFUSED
    assert "rpio serve --smbus" in e.value.hint


def test_each_call_has_a_deadline(proxy, bus_of):
    bus = bus_of(proxy, timeout_s=0.3)

    async def never(call, number, work):
        await asyncio.Event().wait()

    proxy.guests[0].run = never
    with pytest.raises(TimeoutError, match=r"has not answered within 0\.3 s") as e:
        bus.smbus(read_byte_data(3))
    assert e.value.errno == ETIMEDOUT
    del proxy.guests[0].run
    assert bus.smbus(read_byte_data(4)) == b"\x04"


@pytest.mark.slow
def test_a_deadline_is_one_where_asyncio_runs_too(proxy, bus_of, recwarn):
    bus = bus_of(proxy, timeout_s=0.3)
    caller = bus._spoken._caller
    made = caller._transport().get_extra_info("socket")

    async def never(call, number, work):
        await asyncio.Event().wait()

    async def program():
        with pytest.raises(TimeoutError) as e:
            bus.smbus(read_byte_data(3))
        return e.value.errno

    proxy.guests[0].run = never
    assert asyncio.run(program()) == ETIMEDOUT
    assert caller.connection() is None and made.fileno() == -1
    del proxy.guests[0].run
    assert bus.smbus(read_byte_data(4)) == b"\x04"
    gc.collect()
    assert not [str(one.message) for one in recwarn if "never awaited" in str(one.message)]


def test_a_connection_that_another_thread_has_made_meanwhile_is_not_dropped(proxy, bus_of):
    caller = bus_of(proxy)._spoken._caller
    before = caller._channel
    caller.drop()
    caller.run(lambda channel: channel.__connect__())
    made = caller.connection()
    caller.drop(before)
    assert caller.connection() is made


def test_the_kernel_looks_whether_the_other_side_is_there_still(rpio, bus_of):
    here = bus_of(rpio)._spoken._caller._transport()
    (there,) = rpio.service._visitors
    for transport in (here, there.flush.__self__._transport):
        made = transport.get_extra_info("socket")
        for level, option, value in OPTIONS:
            assert made.getsockopt(level, option) == value


def test_many_threads_ask_one_bus(proxy, bus_of):
    bus, found = bus_of(proxy), []

    def ask(register):
        found.extend(bus.smbus(read_byte_data(register))[0] == register for _ in range(20))

    threads = [threading.Thread(target=ask, args=(register,)) for register in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT_S)
    assert found == [True] * 160


def test_it_may_be_asked_where_asyncio_runs(proxy, bus_of):
    bus = bus_of(proxy)

    async def program():
        return bus.smbus(read_byte_data(6))

    assert asyncio.run(program()) == b"\x06"


def test_a_signal_handler_in_the_middle_of_a_call_is_refused(proxy, bus_of):
    bus, refused = bus_of(proxy), []
    caller = bus._spoken._caller

    async def handler(channel):
        try:
            caller.run(lambda channel: asyncio.sleep(0))
        except OSError as e:
            refused.append(e.errno)

    caller.run(handler)
    assert refused == [EDEADLK]
    assert bus.smbus(read_byte_data(6)) == b"\x06"


def test_control_c_in_the_middle_of_a_call_leaves_a_bus_that_works(proxy, bus_of):
    bus = bus_of(proxy)

    async def never(call, number, work):
        await asyncio.Event().wait()

    def interrupt(number, frame):
        raise KeyboardInterrupt

    proxy.guests[0].run = never
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(KeyboardInterrupt):
            bus.smbus(read_byte_data(3))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    del proxy.guests[0].run
    assert bus.smbus(read_byte_data(4)) == b"\x04"


def test_calls_that_are_done_are_not_kept(rpio, bus_of, monkeypatch):
    monkeypatch.setattr(corked, "CLOSED_STREAMS_MAX", 20)
    bus = bus_of(rpio)
    for _ in range(60):
        bus.smbus(read_byte_data(4))
    (there,) = rpio.service._visitors
    here = bus._spoken._caller.connection()
    assert len(here.connection._connection._closed_streams) <= 20
    assert not here.processor.streams
    assert rpio.served.do(lambda: [task for task in there._tasks.values() if not task.done()]) == []


@pytest.mark.slow
def test_nothing_is_kept_of_a_call(rpio, bus_of, monkeypatch):
    """At either end: both are in this process. bench/grpc_bus.py has 100,000 of them, and peers/ 5,000."""
    monkeypatch.setattr(corked, "CLOSED_STREAMS_MAX", 50)
    bus, call = bus_of(rpio), read_byte_data(4)

    def blocks_after(calls):
        for _ in range(calls):
            bus.smbus(call)
        rpio.bus.calls.clear()
        gc.collect()
        return sys.getallocatedblocks()

    before = blocks_after(200)  # every table is filled
    assert blocks_after(1000) - before < 500


def test_a_connection_that_is_lost_between_calls_is_made_anew(proxy, bus_of):
    bus = bus_of(proxy)
    caller = bus._spoken._caller
    caller._transport()._transport.get_extra_info("socket")._sock.shutdown(2)
    caller._last_s = 0.0
    assert bus.smbus(read_byte_data(6)) == b"\x06"


@pytest.mark.parametrize("of", ["proxy", "rpio"])
def test_the_child_of_a_fork_has_a_connection_of_its_own(of, proxy, world, monkeypatch, bus_of):
    with closing(Rpio(world, monkeypatch)) as rpio:
        server = {"proxy": proxy, "rpio": rpio}[of]
        bus = bus_of(server)
        child = os.fork()
        if not child:
            try:
                found = bus.smbus(read_byte_data(9))
                bus.close()
                os._exit(found != b"\x09")
            finally:
                os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert bus.smbus(read_byte_data(8)) == b"\x08"


# -- rpio.v1 ------------------------------------------------------------------------------------


def test_smbus2s_calls_by_rpio_v1(rpio):
    with SMBus(f"smbus://127.0.0.1:{rpio.port}/1") as bus:
        bus.write_quick(ADDRESS)
        bus.write_byte(ADDRESS, 5)
        assert bus.read_byte(ADDRESS) == 5
        bus.write_byte_data(ADDRESS, 7, 0xFF)
        assert bus.read_word_data(ADDRESS, 7) == 0x08FF
        assert bus.process_call(ADDRESS, 1, 0x1234) == 0x3412
        assert bus.read_block_data(ADDRESS, 2) == [2, 3, 4, 5]
        assert bus.block_process_call(ADDRESS, 2, [1, 2, 3]) == [3, 2, 1]
        assert bus.read_i2c_block_data(ADDRESS, 4, 3) == [4, 5, 6]
        read = i2c_msg.read(ADDRESS, 4)
        bus.i2c_rdwr(i2c_msg.write(ADDRESS, [1]), read)
        assert list(read) == [0, 1, 2, 3]
        assert bus.funcs == rpio.bus.functions()
        with pytest.raises(OSError, match="Remote I/O error") as e:
            bus.read_byte(0x51)
        assert e.value.errno == EREMOTEIO


def test_named_calls_have_values(rpio, ask):
    def named(name, request, reply):
        return ask(rpio, f"/rpio.v1.I2c/{name}", request, reply)[0]

    of = {"bus": 1, "address": ADDRESS}
    named("WriteByteData", v1.ValueRequest(**of, register=3, value=0xEE), v1.WriteReply)
    assert named("ReadByteData", v1.RegisterRequest(**of, register=3), v1.ValueReply).value == 0xEE
    named("WriteWordData", v1.ValueRequest(**of, register=3, value=0x1234), v1.WriteReply)
    assert named("ReadWordData", v1.RegisterRequest(**of, register=3), v1.ValueReply).value == 0x1234
    named("WriteByte", v1.ByteRequest(**of, value=9), v1.WriteReply)
    assert named("ReadByte", v1.AddressRequest(**of), v1.ValueReply).value == 9
    named("WriteBlock", v1.WriteBlockRequest(**of, register=1, data=b"abc"), v1.WriteReply)
    assert named("ReadBlock", v1.ReadBlockRequest(**of, register=1, length=3), v1.DataReply).data == b"abc"
    assert len(named("ReadBlock", v1.ReadBlockRequest(**of, register=1), v1.DataReply).data) == 32


@pytest.mark.parametrize(
    ("name", "request_", "text"),
    [
        ("Smbus", v1.SmbusRequest(bus=1, address=128), "an address is 0 to 127, not 128"),
        ("Smbus", v1.SmbusRequest(bus=1, size=6), "there is no SMBus call of size 6"),
        ("Smbus", v1.SmbusRequest(bus=1, size=2, command=256), "a command is 0 to 255, not 256"),
        ("Smbus", v1.SmbusRequest(bus=1, size=2, data=b"ab"), "2 bytes of data"),
        ("Smbus", v1.SmbusRequest(bus=1, size=8, data=bytes(33)), "a block has 1 to 32 bytes, not 33"),
        ("Smbus", v1.SmbusRequest(bus=1 << 31), "a bus is 0 to"),
        ("Transfer", v1.TransferRequest(bus=1), "a transfer has 1 to 42 messages, not 0"),
        ("Transfer", v1.TransferRequest(bus=1, messages=[v1.Message()] * 43), "1 to 42 messages, not 43"),
        (
            "Transfer",
            v1.TransferRequest(bus=1, messages=[v1.Message(flags=1, length=8193)]),
            "the length of a message is 0 to 8192",
        ),
        ("Hold", v1.HoldRequest(bus=1, most_s=61), "a bus is held for up to 60 s"),
        ("WriteByteData", v1.ValueRequest(bus=1, value=256), "the value is 0 to 255, not 256"),
    ],
)
def test_values_that_no_bus_could_have_are_invalid_arguments(rpio, ask, name, request_, text):
    with pytest.raises(Refused, match=text) as e:
        ask(rpio, f"/rpio.v1.I2c/{name}", request_, v1.DataReply)
    assert (e.value.status, e.value.metadata["rpio-error"]) == (Status.INVALID_ARGUMENT.value, "ValueError")
    assert not rpio.bus.calls


def test_errors_have_their_number_in_the_trailing_metadata(rpio, ask):
    with pytest.raises(Refused, match="Remote I/O error") as e:
        ask(rpio, "/rpio.v1.I2c/ReadByte", v1.AddressRequest(bus=1, address=0x51), v1.ValueReply)
    assert e.value.status == Status.NOT_FOUND.value
    assert (e.value.metadata["rpio-error"], e.value.metadata["rpio-errno"]) == ("OSError", "121")
    with pytest.raises(Refused) as e:
        ask(rpio, "/rpio.v1.I2c/Functions", v1.BusRequest(bus=7), v1.FunctionsReply)
    assert (e.value.status, e.value.metadata["rpio-errno"]) == (Status.NOT_FOUND.value, "2")


def test_who_holds_a_bus_has_it_alone_until_he_lets_go(rpio, bus_of):
    one, other = bus_of(rpio), bus_of(rpio)
    one.hold(0)
    assert one.smbus(read_byte_data(1)) == b"\x01"
    with pytest.raises(OSError, match=r"is held by .*, gRPC"):
        other.hold(0)
    assert one.release() and not one.release()
    other.hold(0)


def test_a_client_who_vanishes_releases_what_he_held(rpio, bus_of):
    one, other = bus_of(rpio), bus_of(rpio)
    one.hold(0)
    one.smbus(read_byte_data(1))
    caller = one._spoken._caller
    caller._transport()._transport.get_extra_info("socket")._sock.shutdown(2)
    other.hold(LIMIT_S)
    caller._last_s = 0.0  # it looks, as after a rest
    with pytest.raises(errors.ConnectionLost, match="what was held by it") as e:
        one.smbus(read_byte_data(1))
    assert e.value.applied is False
    assert other.release()
    assert one.smbus(read_byte_data(2)) == b"\x02"


def test_who_does_not_say_who_he_is_goes_by_his_address(rpio, bus_of, ask):
    assert ask(rpio, "/rpio.v1.I2c/Hold", v1.HoldRequest(bus=1), v1.HoldReply)
    with pytest.raises(OSError, match=r"is held by gRPC client from 127\.0\.0\.1:\d+"):
        bus_of(rpio).hold(0)


def hold_without_patience(caller):
    """Say a deadline, and leave it to the server."""
    path, wrapper = "/rpio.v1.I2c/Hold", Wrapper()

    async def act(channel):
        protocol = await channel.__connect__()
        headers = caller._headers(path, 0.5, {})
        await _unary(protocol, wrapper, headers, v1.HoldRequest(bus=1, wait_s=60), v1.HoldReply)

    with pytest.raises(Refused, match="the deadline of the call is over"):
        caller.run(act)


def hold_and_give_up(caller, is_closed=False):
    """Ask, and reset the stream once the server has it, or close the connection."""

    async def act(channel):
        call = channel.request("/rpio.v1.I2c/Hold", Cardinality.UNARY_UNARY, v1.HoldRequest, v1.HoldReply)
        async with call as stream:
            await stream.send_message(v1.HoldRequest(bus=1, wait_s=60), end=True)
            method = UnaryUnaryMethod(channel, "/rpio.v1.Board/Info", v1.InfoRequest, v1.InfoReply)
            await method(v1.InfoRequest())  # the other one has been read, too
            await stream.cancel()
            if not is_closed:
                await method(v1.InfoRequest())

    caller.run(act)


@pytest.mark.parametrize("how", ["deadline", "reset", "closed"])
def test_a_hold_that_is_given_up_while_it_waits_is_never_had(rpio, bus_of, caller_of, how):
    one, third, caller = bus_of(rpio), bus_of(rpio), caller_of(rpio)
    one.hold(0)
    if how == "deadline":
        hold_without_patience(caller)
    else:
        hold_and_give_up(caller, how == "closed")
    if how == "closed":
        caller.close()
        assert wait_until(lambda: len(rpio.service._visitors) == 2)
    assert one.release()
    third.hold(0)
    assert third.smbus(read_byte_data(3)) == b"\x03"


def waiting_call(rpio, act):
    """Begin a call that waits for its bus; what waits for its answer."""
    answer = aside(act)
    assert wait_until(lambda: rpio.served.do(lambda: any(d._queues for d in rpio.buses._desks.values())))
    return answer


def test_a_call_that_waits_is_answered_when_its_client_is_ended_by_another_connection(
    rpio, bus_of, ask, caller_of
):
    opened = ask(rpio, "/SmbusRcp/open", rcp.open_request(i2c_bus=1), rcp.operation_status)
    id, caller = opened[1]["client_id"], caller_of(rpio)
    bus_of(rpio).hold(0)
    answer = waiting_call(rpio, lambda: read_with(caller, id))
    closed, _ = ask(rpio, "/SmbusRcp/close", rcp.close_request(), rcp.operation_status, client_id=id)
    status = answer().status
    assert (closed.code, status.code) == (0, 1)
    assert status.exception.startswith("proxy server: ")
    assert not rpio.rcp.clients


def test_a_call_that_waits_is_answered_when_its_session_ends(rpio, bus_of):
    bus_of(rpio).hold(0)
    other = bus_of(rpio)

    def read():
        with pytest.raises(OSError) as e:
            other.smbus(read_byte_data(3))
        return e.value

    answer = waiting_call(rpio, read)

    def end():
        for visitors in rpio.service._visitors.values():
            for visitor in visitors.values():
                if visitor.waiting._tasks:
                    visitor.session.end()

    rpio.served.do(end)
    assert not isinstance(answer(), TimeoutError)


def test_clients_never_interleave(rpio, bus_of):
    buses = [bus_of(rpio) for _ in range(5)]
    found = []

    def ask(bus, register):
        found.extend(bus.smbus(read_byte_data(register))[0] == register for _ in range(20))

    threads = [threading.Thread(target=ask, args=(bus, at)) for at, bus in enumerate(buses)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT_S)
    assert found == [True] * 100 and rpio.bus.were_alone


def token(*scopes, lines=None):
    return Token("aaaaaa", digest_of("secret"), scopes, lines, "a test's", 0.0, None)


def test_scopes_and_tokens_are_the_daemons(world, monkeypatch, ask):
    tokens = [token("i2c")]
    access = Access(("read",), lambda: tokens)
    with closing(Rpio(world, monkeypatch, access=access)) as rpio:
        request = v1.RegisterRequest(bus=1, address=ADDRESS, register=3)

        def read(**metadata):
            return ask(rpio, "/rpio.v1.I2c/ReadByteData", request, v1.ValueReply, **metadata)[0].value

        with pytest.raises(Refused, match="smbus needs the scope 'i2c'; this session has read") as e:
            read()
        assert e.value.status == Status.PERMISSION_DENIED.value
        assert "rpio token new --scope i2c" in e.value.metadata["rpio-hint"]
        assert read(authorization="Bearer secret") == 3
        with pytest.raises(Refused, match="needs the scope"):
            read()  # the token is that call's alone
        with pytest.raises(Refused, match="there is no such token"):
            read(authorization="Bearer secrets")
        with pytest.raises(Refused, match="authorization is `Bearer`"):
            read(authorization="Basic secret")
        with pytest.raises(Refused, match="needs the scope 'gpio'"):
            ask(rpio, "/rpio.v1.Gpio/Setup", v1.SetupRequest(line=4), v1.SetupReply)
        tokens.clear()
        rpio.served.do(rpio.sessions.check_tokens)
        with pytest.raises(Refused, match="there is no such token"):
            read(authorization="Bearer secret")


def test_a_bus_shows_a_token(world, monkeypatch, bus_of):
    access = Access((), lambda: [token("i2c")])
    with closing(Rpio(world, monkeypatch, access=access)) as rpio:
        with pytest.raises(errors.NotAllowedError, match="needs the scope 'i2c'") as e:
            bus_of(rpio)
        assert "rpio token new" in e.value.hint
        assert bus_of(rpio, token="secret").smbus(read_byte_data(3)) == b"\x03"


# -- lines --------------------------------------------------------------------------------------


def test_lines_are_set_up_read_and_written(rpio, ask, world):
    def gpio(name, request, reply):
        return ask(rpio, f"/rpio.v1.Gpio/{name}", request, reply)[0]

    out = v1.SetupRequest(line=17, direction=v1.SetupRequest.OUT, level=1)
    gpio("Setup", out, v1.SetupReply)
    gpio("Setup", v1.SetupRequest(line=4, pull=v1.SetupRequest.UP), v1.SetupReply)
    assert list(gpio("Read", v1.LinesRequest(lines=[17, 4]), v1.ReadReply).levels) == [1, 1]
    gpio("Write", v1.WriteLinesRequest(levels=[v1.LineLevel(line=17, level=0)]), v1.WriteLinesReply)
    assert world.sim.read(17) == 0
    with pytest.raises(Refused, match="5000"):
        gpio("Write", v1.WriteLinesRequest(levels=[v1.LineLevel(line=5000, level=0)]), v1.WriteLinesReply)
    with pytest.raises(Refused, match="is no level") as e:
        gpio("Write", v1.WriteLinesRequest(levels=[v1.LineLevel(line=17, level=2)]), v1.WriteLinesReply)
    assert e.value.status == Status.INVALID_ARGUMENT.value
    other = Caller("127.0.0.1", rpio.port)
    with pytest.raises(Refused, match="gRPC") as e:
        other.ask("/rpio.v1.Gpio/Setup", out, v1.SetupReply, LIMIT_S, {})
    other.close()
    assert (e.value.status, e.value.metadata["rpio-error"]) == (9, "LineBusyError")
    gpio("Release", v1.LinesRequest(lines=[17]), v1.ReleaseReply)
    info = ask(rpio, "/rpio.v1.Board/Info", v1.InfoRequest(), v1.InfoReply)[0]
    assert (info.board, info.revision, info.lines, info.version) == ("a board", "c03111", 54, "1.0")


def watching(rpio, act, **request):
    """Watch with grpclib's own client; *act* is called with what waits for so many edges when it has begun."""

    async def watch():
        async with Channel("127.0.0.1", rpio.port) as channel:
            setup = UnaryUnaryMethod(channel, "/rpio.v1.Gpio/Setup", v1.SetupRequest, v1.SetupReply)
            await setup(v1.SetupRequest(line=4))
            method = UnaryStreamMethod(channel, "/rpio.v1.Gpio/Watch", v1.WatchRequest, v1.Edge)
            async with method.open() as stream:
                await stream.send_message(v1.WatchRequest(**request), end=True)
                await stream.recv_initial_metadata()
                await act(stream, setup)

    asyncio.run(asyncio.wait_for(watch(), LIMIT_S))


async def in_loop(rpio, act, *arguments):
    """Have the server's loop do something."""
    await asyncio.get_running_loop().run_in_executor(None, rpio.served.do, act, *arguments)


def test_edges_are_streamed(rpio, world):
    async def act(stream, setup):
        await in_loop(rpio, world.play, 4, [0, 1, 0])
        edges = [await stream.recv_message() for _ in range(3)]
        assert [(e.line, e.level, e.seq, e.lost) for e in edges] == [(4, 0, 1, 0), (4, 1, 2, 0), (4, 0, 3, 0)]
        await stream.cancel()

    watching(rpio, act, lines=[4])
    assert wait_until(lambda: world.board.waiting is None or not rpio.sessions.listed())


@pytest.mark.slow
def test_edges_of_a_slow_client_are_counted(rpio, world):
    async def act(stream, setup):
        await in_loop(rpio, world.play, 4, [0, 1] * 5_000)
        found = [await stream.recv_message() for _ in range(4096)]
        await in_loop(rpio, world.play, 4, [0])
        while found[-1].seq < 10_001:
            found.append(await stream.recv_message())
        assert len(found) + sum(edge.lost for edge in found) == 10_001
        assert len(found) < 10_001
        await stream.cancel()

    watching(rpio, act, lines=[4])


def test_a_watch_ends_when_the_line_becomes_something_else(rpio):
    async def act(stream, setup):
        await setup(v1.SetupRequest(line=4, direction=v1.SetupRequest.OUT))
        assert await stream.recv_message() is None

    with pytest.raises(GRPCError, match="GPIO 4 has been given another use") as e:
        watching(rpio, act, lines=[4])
    assert e.value.status is Status.ABORTED


@pytest.mark.parametrize("request_", [{}, {"lines": [5000]}, {"lines": [4], "filter_us": 4_000_000_000}])
def test_what_cannot_be_watched_is_told(rpio, request_):
    async def act(stream, setup):
        raise AssertionError("it has begun")

    with pytest.raises(GRPCError) as e:
        watching(rpio, act, **request_)
    assert e.value.status is Status.INVALID_ARGUMENT


# -- strangers ----------------------------------------------------------------------------------


class Junk:
    """A message of any bytes."""

    def __init__(self, data):
        self._data = data

    def SerializeToString(self):
        return self._data


def test_what_is_no_message_is_refused_and_the_next_call_served(rpio, ask):
    path = "/rpio.v1.I2c/Functions"
    with pytest.raises(Refused, match="no message of this method") as e:
        ask(rpio, path, Junk(b"\xff\xff"), v1.FunctionsReply)
    assert e.value.status == Status.INVALID_ARGUMENT.value
    with pytest.raises(Refused, match="a message of 1048577 bytes; 1048576 are the most") as e:
        ask(rpio, path, Junk(bytes((1 << 20) + 1)), v1.FunctionsReply)
    assert e.value.status == Status.RESOURCE_EXHAUSTED.value
    assert ask(rpio, path, v1.BusRequest(bus=1), v1.FunctionsReply)[0].functions
    with pytest.raises(Refused) as e:
        ask(rpio, "/rpio.v1.I2c/Nothing", v1.BusRequest(bus=1), v1.FunctionsReply)
    assert e.value.status == Status.UNIMPLEMENTED.value


@pytest.mark.parametrize("comes_at_once", [True, False])
def test_a_call_that_is_given_up_at_once_is_no_trouble(rpio, comes_at_once):
    caller = Caller("127.0.0.1", rpio.port)

    async def give_up(channel):
        call = channel.request(
            "/rpio.v1.I2c/Functions", Cardinality.UNARY_UNARY, v1.BusRequest, v1.FunctionsReply
        )
        async with call as stream:
            await stream.send_request()
            if not comes_at_once:
                channel._protocol.flush()
            await stream.send_message(v1.BusRequest(bus=1), end=True)
            await stream.cancel()

    path, request = "/rpio.v1.I2c/Functions", v1.BusRequest(bus=1)
    assert caller.ask(path, request, v1.FunctionsReply, LIMIT_S, {})[0].functions
    connection = caller.connection()
    for _ in range(3):
        caller.run(give_up)
        assert caller.ask(path, request, v1.FunctionsReply, LIMIT_S, {})[0].functions
    assert caller.connection() is connection
    caller.close()


def test_who_speaks_something_else_is_no_trouble(rpio, ask):
    import socket

    for said in (
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x00" * 5000,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 100,
    ):
        with socket.create_connection(("127.0.0.1", rpio.port), LIMIT_S) as made:
            made.sendall(said)
            made.shutdown(socket.SHUT_WR)
            try:
                while made.recv(4096):
                    pass
            except ConnectionError:
                continue  # it has closed it
    path = "/rpio.v1.I2c/Functions"
    assert ask(rpio, path, v1.BusRequest(bus=1), v1.FunctionsReply)[0].functions


def test_a_server_of_something_else_is_told_of():
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer():
            made, _ = listener.accept()
            with made:
                made.recv(4096)
                made.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises((errors.ConnectionLost, errors.ProtocolError)):
            GrpcBus("127.0.0.1", listener.getsockname()[1], timeout_s=LIMIT_S)
        thread.join(LIMIT_S)
