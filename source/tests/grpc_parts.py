# SPDX-License-Identifier: LGPL-3.0-or-later
"""What the tests of gRPC share: a memory on a bus, and servers of both services in a thread."""

import asyncio
import contextlib
import logging
import os
import threading
from errno import EREMOTEIO
from time import monotonic_ns

from RPIO._gpio import Turn
from RPIO.backends.buses import I2cBus
from RPIO.i2c import opening
from RPIO.server.grpc.front import ProxyClient
from RPIO.server.grpc.port import GrpcPort
from RPIO.server.grpc.rpio_v1 import RpioV1, begin_session, token_of
from RPIO.server.grpc.smbus_rcp import SmbusRcp
from RPIO.server.sessions.buses import Buses
from RPIO.server.sessions.sessions import Sessions
from RPIO.wire import smbus
from waiting import LIMIT_S

ADDRESS = 0x50


class MemoryBus(I2cBus):
    """A bus with a memory of 256 bytes at 0x50, which counts on by itself from the register that was said last."""

    def __init__(self, is_quick=True):
        self.name, self.is_quick, self.lock = "a bus of the test", is_quick, Turn()
        self.memory, self.at, self.is_closed = bytearray(range(256)), 0, False
        self.calls, self.inside, self.were_alone = [], 0, True
        self.before = lambda call: None

    def functions(self):
        return smbus.FUNC_I2C | smbus.FUNC_SMBUS_EMUL

    def smbus(self, call):
        self.inside += 1
        self.were_alone &= self.inside == 1
        try:
            self.before(call)
            self.calls.append(call)
            if call.address != ADDRESS:
                raise OSError(EREMOTEIO, os.strerror(EREMOTEIO))
            return self._answer(call)
        finally:
            self.inside -= 1

    def _answer(self, call):
        if call.size != smbus.BYTE or not call.is_read:
            self.at = call.command
        if call.size in (smbus.PROCESS_CALL, smbus.BLOCK_PROC_CALL):
            return call.data[::-1]
        if call.size == smbus.QUICK:
            return b""
        if call.is_read:
            sizes = {smbus.BYTE: 1, smbus.BYTE_DATA: 1, smbus.WORD_DATA: 2, smbus.BLOCK_DATA: 4}
            size = sizes.get(call.size, call.length)
            found = bytes(self.memory[(self.at + i) % 256] for i in range(size))
            self.at += size
            return found
        self.memory[self.at : self.at + len(call.data)] = call.data
        return b""

    def transfer(self, messages):
        return [bytes(range(m.length)) for m in messages if m.flags & smbus.M_RD]

    def close(self):
        self.is_closed = True


class Guest:
    """A client of smbus-proxy's service with a bus of the test's own."""

    def __init__(self, bus):
        self.bus, self.has_ended = bus, False

    async def run(self, call, bus, work):
        if bus != 1:
            raise FileNotFoundError(2, "No such file or directory", f"/dev/i2c-{bus}")
        return work(self.bus)

    def end(self):
        self.has_ended = True


class Served:
    """A server of gRPC in a thread; *port* is where."""

    def __init__(self, methods, ssl=None):
        self._methods, self._ssl, self.port = methods, ssl, 0
        self._is_ready = threading.Event()
        self.loop = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._thread.start()
        assert self._is_ready.wait(LIMIT_S)

    async def _serve(self):
        self.loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        port = GrpcPort(self._methods())
        try:
            await port.listen("127.0.0.1", 0, self._ssl)
            self.port = port.address[1]
            self._is_ready.set()
            await self._over.wait()
        finally:
            port.end()
            await asyncio.sleep(0.01)
            self._is_ready.set()

    def do(self, act, *arguments):
        """Call something in the loop; what it returns."""

        async def called():
            return act(*arguments)

        return asyncio.run_coroutine_threadsafe(called(), self.loop).result(LIMIT_S)

    def close(self):
        self.loop.call_soon_threadsafe(self._over.set)
        self._thread.join(LIMIT_S)


class Proxied:
    """smbus-proxy's service, with a time that the test moves."""

    def __init__(self, ssl=None):
        self.bus, self.now_s, self.guests = MemoryBus(), 0.0, []
        self.log = logging.getLogger("SmbusRcpServer.of a test")
        self.rcp = SmbusRcp(self._begin, self.log, lambda: self.now_s)
        self.served = Served(self.rcp.methods, ssl)
        self.port = self.served.port

    def _begin(self, bus, call):
        self.guests.append(Guest(self.bus))
        return self.guests[-1]

    def wait(self, s):
        """Let so much time pass, and have the server look."""
        self.now_s += s
        self.served.do(self.rcp._look)

    def close(self):
        self.served.do(self.rcp.end_all)
        self.served.close()


class Rpio:
    """rpio.v1 and smbus-proxy's service by sessions, on a World; the bus is a test's."""

    def __init__(self, world, monkeypatch, is_quick=True, ssl=None, **parts):
        self.world, self.bus = world, MemoryBus(is_quick)
        monkeypatch.setitem(opening.BESIDE, "sim", self._bus)
        self.buses = Buses(lambda: world.board.backend, self._later, world.now, lambda: None)
        hello = ("a board", "c03111", 54, ["edges"])
        self.sessions = Sessions(world.board.leases, lambda: hello, world.now, int, buses=self.buses, **parts)
        self.service = RpioV1(self.sessions, "1.0")
        self.rcp = SmbusRcp(self._begin)
        self.served = Served(lambda: [*self.service.methods(), *self.rcp.methods()], ssl)
        self.port = self.served.port

    def _begin(self, bus, call):
        session = begin_session(self.sessions, call, "smbus-proxy", token_of(call), f", bus {bus}")
        return ProxyClient(session, self.rcp.forget)

    def _bus(self, backend, number):
        if number != 1:
            raise FileNotFoundError(2, "No such file or directory", f"/dev/i2c-{number}")
        return self.bus

    def _later(self, call):
        self.served.loop.call_soon_threadsafe(call)

    def close(self):
        self.served.do(self.rcp.end_all)
        self.served.do(self.sessions.end_all)
        self.served.close()


class OfBoard:
    """rpio.v1 of a board of the test's own; *place* is that of its bus 1."""

    def __init__(self, board):
        buses = Buses(lambda: board.backend, self._later, monotonic_ns, int)
        hello = ("a board", "c03111", 58, ["edges"])
        self._sessions = Sessions(board.leases, lambda: hello, monotonic_ns, int, buses=buses)
        self._served = Served(RpioV1(self._sessions, "1.0").methods)
        self.place = f"smbus://127.0.0.1:{self._served.port}/1"

    def _later(self, call):
        self._served.loop.call_soon_threadsafe(call)

    def close(self):
        self._served.do(self._sessions.end_all)
        self._served.close()


@contextlib.contextmanager
def closing(made):
    try:
        yield made
    finally:
        made.close()
