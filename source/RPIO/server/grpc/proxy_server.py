# SPDX-License-Identifier: LGPL-3.0-or-later
"""smbus-proxy's ProxyServer: its service by itself, on objects like smbus.SMBus, in a thread of its own.

What the daemon serves is ``server/grpc/front``. Here the buses are those of a class that the program gives.
"""

from __future__ import annotations

import asyncio
import logging
import os
from errno import EOPNOTSUPP

from ... import log, threads
from ...backends.buses import I2cBus
from ...wire.grpc.extra import missing
from ...wire.smbus import BLOCK_MAX, BYTE, BYTE_DATA, I2C_BLOCK_DATA, WORD_DATA

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import ThreadPoolExecutor
    from typing import Any

    from ...wire.smbus import SmbusCall
    from .port import Call

LOGGER = "SmbusRcpServer"
FORMAT = "%(asctime)s :: %(levelname)s :: %(message)s"
READY_S, END_S, END_LOOK_S = 30.0, 5.0, 0.01
NAMES = {BYTE: "byte", BYTE_DATA: "byte_data", WORD_DATA: "word_data", I2C_BLOCK_DATA: "i2c_block_data"}


def address_of(text: str) -> tuple[str, int]:
    """The address and the port of "ADDRESS:PORT". Raises ValueError."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 <= int(port) < 65536:
        raise ValueError(f"{text!r} is no ADDRESS:PORT, such as 127.0.0.1:50051")
    return host.strip("[]"), int(port)


class ObjectBus(I2cBus):
    """An object with the methods of smbus.SMBus."""

    def __init__(self, bus: Any) -> None:
        self._bus = bus

    def functions(self) -> int:
        """Nothing that would be asked for."""
        return 0

    def smbus(self, call: SmbusCall) -> bytes:
        """Call the method that it is."""
        size, name = call.size, NAMES.get(call.size)
        if name is None:
            raise OSError(EOPNOTSUPP, os.strerror(EOPNOTSUPP))
        method = getattr(self._bus, f"{'read' if call.is_read else 'write'}_{name}")
        where = (call.address,) if size == BYTE else (call.address, call.command)
        if not call.is_read:
            return self._write(method, call, where)
        if size == I2C_BLOCK_DATA:
            return bytes(self._block(method, where, call.length))
        value: int = method(*where)
        return (value & 0xFFFF).to_bytes(2, "little")[: 2 if size == WORD_DATA else 1]

    @staticmethod
    def _write(method: Callable[..., object], call: SmbusCall, where: tuple[int, ...]) -> bytes:
        if call.size == BYTE:
            method(*where, call.command)
        elif call.size == I2C_BLOCK_DATA:
            method(*where, list(call.data))
        else:
            method(*where, int.from_bytes(call.data, "little"))
        return b""

    @staticmethod
    def _block(method: Callable[..., Any], where: tuple[int, ...], length: int) -> Any:
        try:
            return method(*where, length)
        except TypeError:
            if length != BLOCK_MAX:
                raise
            return method(
                *where
            )  # a class of the program's own, which has no length, as smbus-proxy asks for none

    def close(self) -> None:
        """Close it, where it can be."""
        close = getattr(self._bus, "close", None)
        if close is not None:
            close()


class _Place:
    """A bus of the shelf. *users* are those who have it open, and the calls that wait for it or are carried out."""

    __slots__ = ("bus", "lock", "users")

    def __init__(self) -> None:
        self.bus: ObjectBus | None = None
        self.lock = asyncio.Lock()
        self.users = 0


class _Shelf:
    """The buses: made once, one call at a time each, and closed when nobody has them open and no call is left."""

    def __init__(self, make: Callable[[int], Any], pool: ThreadPoolExecutor) -> None:
        self._make, self._pool = make, pool
        self._places: dict[int, _Place] = {}
        self._closing: set[asyncio.Task[None]] = set()

    async def run(self, number: int, work: Callable[[I2cBus], Any]) -> Any:
        """Do *work* with a bus, in another thread. What has begun there goes on where the call is given up."""
        place = self.opened(number)
        try:
            await place.lock.acquire()
        except BaseException:
            self.closed(number)
            raise
        loop = asyncio.get_running_loop()
        answer = loop.create_future()

        def has_ended(done: asyncio.Future[Any]) -> None:
            """The next one may begin."""
            place.lock.release()
            self.closed(number)
            error = done.exception()
            if answer.done():
                return  # nobody wants to know any more
            if error is not None:
                answer.set_exception(error)
            else:
                answer.set_result(done.result())

        loop.run_in_executor(self._pool, self._do, number, place, work).add_done_callback(has_ended)
        return await answer

    def _do(self, number: int, place: _Place, work: Callable[[I2cBus], Any]) -> Any:
        if place.bus is None:
            place.bus = ObjectBus(self._make(number))
        return work(place.bus)

    def opened(self, number: int) -> _Place:
        """One more has it open."""
        place = self._places.setdefault(number, _Place())
        place.users += 1
        return place

    def closed(self, number: int) -> None:
        """One has closed it."""
        place = self._places[number]
        if place.users == 1 and place.bus is not None:
            closing = asyncio.get_running_loop().create_task(self._close(number, place))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
        else:
            self._leave(number, place)

    def _leave(self, number: int, place: _Place) -> None:
        place.users -= 1
        if not place.users:
            del self._places[number]

    async def _close(self, number: int, place: _Place) -> None:
        """Close a bus, unless somebody has come meanwhile. Who comes in the middle of it has it made anew after it."""
        async with place.lock:
            bus = place.bus
            if place.users == 1 and bus is not None:
                place.bus = None
                await asyncio.get_running_loop().run_in_executor(self._pool, _close, bus)
            self._leave(number, place)

    async def end(self) -> None:
        """Wait until all calls have ended, and their buses are closed: when nobody has one open any more."""
        while self._places:
            await asyncio.sleep(END_LOOK_S)


def _close(bus: ObjectBus) -> None:
    try:
        bus.close()
    except Exception:  # of the program's class: it hears of it, and the server goes on
        log.callback_failed(bus.close)


class _Guest:
    """A client."""

    def __init__(self, shelf: _Shelf, number: int) -> None:
        self._shelf, self._number, self._is_open = shelf, number, True
        shelf.opened(number)

    async def run(self, call: str, bus: int, work: Callable[[I2cBus], Any]) -> Any:
        """Do *work* with its bus."""
        return await self._shelf.run(bus, work)

    def end(self) -> None:
        """It has gone."""
        if self._is_open:
            self._is_open = False
            self._shelf.closed(self._number)


class ProxyServer:
    """A server at *ip*, "ADDRESS:PORT". *smbus_cls* is called with the number of a bus, and has the methods of
    smbus.SMBus; calls are made in up to *max_workers* threads, one at a time for each bus.
    """

    def __init__(
        self, ip: str, smbus_cls: Callable[[int], Any], max_workers: int = 4, log_level: int = logging.INFO
    ) -> None:
        self._address, self._port = address_of(ip)
        self._make, self._workers = smbus_cls, max_workers
        self._log = logger(log_level)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over: asyncio.Event | None = None
        self._failed: list[Exception] = []
        self._ready = threads.allocate_lock()
        self._thread: threads.Started | None = None
        self.port = 0
        """The one that it listens at, while it serves."""

    def serve(self) -> None:
        """Begin, and return. Raises OSError where nothing can listen there; NotSupportedError without grpclib."""
        if self._thread is not None:
            return
        try:
            threads.load("RPIO.server.grpc.smbus_rcp")
        except ImportError as e:
            raise missing(e) from None
        from ...wire.fronts import is_here

        if not is_here(self._address):
            log.warning("whoever reaches %s:%d has these I2C buses, unencrypted", self._address, self._port)
        self._failed.clear()
        self._ready.acquire()
        self._thread = threads.start(self._run, "RPIO smbus server")
        if not self._ready.acquire(timeout=READY_S):
            raise TimeoutError("the server does not start")
        self._ready.release()
        if self._failed:
            self._thread = None
            raise self._failed[0]
        self._log.info("Server started")

    def stop(self) -> None:
        """End it. Twice is fine."""
        thread, self._thread = self._thread, None
        loop, over = self._loop, self._over
        if thread is None or loop is None or over is None:
            return
        try:
            loop.call_soon_threadsafe(over.set)
        except RuntimeError:
            return  # it has ended
        thread.join(END_S)

    def _run(self) -> None:
        loop = asyncio.new_event_loop()
        try:
            loop.run_until_complete(self._serve())
        except Exception as e:
            self._failed.append(e)
        finally:
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()
            if self._ready.locked():
                self._ready.release()

    async def _serve(self) -> None:
        from concurrent.futures import ThreadPoolExecutor

        from .port import GrpcPort
        from .smbus_rcp import SmbusRcp

        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        with ThreadPoolExecutor(self._workers, "RPIO smbus") as pool:
            shelf = _Shelf(self._make, pool)

            def begin(number: int, call: Call) -> _Guest:
                """Somebody opens a bus."""
                return _Guest(shelf, number)

            rcp = SmbusRcp(begin, self._log)
            port = GrpcPort(rcp.methods())
            try:
                await port.listen(self._address, self._port)
                self.port = int(port.address[1])
                self._ready.release()
                await self._over.wait()
            finally:
                port.end()
                rcp.end_all()
                await shelf.end()


def logger(level: int) -> logging.Logger:
    """The original's logger, with its format, once."""
    found = logging.getLogger(LOGGER)
    found.setLevel(level)
    if not any(getattr(handler, "is_of_rpio", False) for handler in found.handlers):
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter(FORMAT))
        handler.is_of_rpio = True  # type: ignore[attr-defined]
        found.addHandler(handler)
        found.propagate = False
    return found
