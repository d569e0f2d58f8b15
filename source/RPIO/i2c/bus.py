# SPDX-License-Identifier: LGPL-3.0-or-later
"""SMBus: the class of smbus2, on whatever bus there is.

::

    from RPIO.i2c import SMBus

    with SMBus(1) as bus:
        bus.write_i2c_block_data(0x48, 1, [0xC3, 0x83])
        print(bus.read_word_data(0x48, 0))

What it does on a bus of the kernel's is smbus2's own doing; here values are looked at first, and nobody comes between
calls that belong together (``with bus.held(): ...``).
"""

from __future__ import annotations

from contextlib import contextmanager
from errno import EBADF, EBUSY, ETIMEDOUT

from .. import errors, threads
from .._gpio import Held, Turn
from ..wire.smbus import ADDRESS_MAX, BLOCK_MAX, MESSAGES_MAX
from .calls import Calls
from .message import i2c_msg
from .opening import bus_of, number_of, of_backend

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager
    from types import TracebackType
    from typing import Any, Protocol

    from ..backends import Backend
    from ..backends.buses import I2cBus

    class Board(Protocol):
        """Whatever has lines."""

        @property
        def backend(self) -> Backend:
            """Who touches them."""


HOLD_WAIT_S, HOLD_WAIT_MAX_S = 10.0, 86_400.0
SCANNED = range(0x08, 0x78)
"""Addresses that devices have; the others are reserved. Source: NXP UM10204, 3.1.12."""


class SMBus:
    """A bus. *bus* is its number, a path ("/dev/i2c-1": this machine's in any case), or "smbus://HOST:50051/1", a bus
    of a gRPC server; None opens nothing. A number is a bus of the machine whose lines the program has in use
    (RPIO_BACKEND, RPIO.use()): this one's, a simulated board's, or another one's. *force* is what calls have that say
    nothing else: also to an address that a driver of the kernel has.

    Addresses are of 7 bits, 0 to 127; values bytes (0 to 255) and words (0 to 65535), or as two's complement from -128
    and -32768 on; blocks have 32 bytes at most. Every call raises OSError where the bus says no (EREMOTEIO or ENXIO:
    nobody at that address; ETIMEDOUT: the bus is stuck), ValueError and TypeError for what no bus could do.

    *board* is a Board whose machine's bus it is, in the place of the one in use: RPIO.connect("ssh://pi"), say.
    """

    def __init__(self, bus: int | str | None = None, force: bool = False, board: Board | None = None) -> None:
        self._board = board
        self.force = force
        self._calls: Any = CLOSED
        self._bus: I2cBus | None = None
        self._lock = NOBODYS
        if bus is not None:
            self.open(bus)

    @classmethod
    def on(cls, bus: I2cBus, force: bool = False) -> SMBus:
        """Return one on a bus that somebody has at hand."""
        made = cls(None, force)
        made._take(bus)
        return made

    def open(self, bus: int | str) -> None:
        """Open a bus, where the constructor has not, or after close().

        Raises:
            NoBusError: there is none. (A FileNotFoundError.)
            NoAccessError: it may not be opened. (A PermissionError.)
            NotSupportedError: smbus2 is missing, or the gRPC library.
        """
        self.close()
        if self._board is not None:
            self._take(of_backend(self._board.backend, number_of(bus)))
        else:
            self._take(bus_of(bus))

    def _take(self, bus: I2cBus) -> None:
        self._bus, self._lock = bus, bus.lock
        self._calls = bus.calls(self.force) or Calls(bus, self.force)

    def close(self) -> None:
        """Close it. Twice is fine."""
        calls, self._calls = self._calls, CLOSED
        bus, self._bus = self._bus, None
        calls.close()
        if bus is not None:
            bus.close()

    def __enter__(self) -> SMBus:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<SMBus {self._bus.name if self._bus is not None else 'closed'}>"

    # -- what it is ------------------------------------------------------------------------------

    @property
    def fd(self) -> int | None:
        """The descriptor of a bus of the kernel's; None for others, and when it is closed."""
        return self._calls.fd  # type: ignore[no-any-return]

    @property
    def funcs(self) -> int:
        """What the bus can do: bits, those of smbus2's I2cFunc."""
        return self._calls.funcs  # type: ignore[no-any-return]

    @property
    def address(self) -> int | None:
        """The address of the last call."""
        return self._calls.address  # type: ignore[no-any-return]

    def enable_pec(self, enable: bool = True) -> None:
        """Have a check byte with each call, or no more. Raises OSError where the bus cannot."""
        with self._lock:
            self._calls.enable_pec(enable)

    def _pec(self) -> int:
        return int(self._calls.pec)

    pec = property(_pec, enable_pec, doc="Whether calls have a check byte (SMBus 1.1); to be set too.")

    # -- calls -----------------------------------------------------------------------------------

    def write_quick(self, i2c_addr: int, force: bool | None = None) -> None:
        """Send the address alone, with the bit for writing."""
        if not 0 <= i2c_addr <= ADDRESS_MAX:
            raise _no_address(i2c_addr)
        with self._lock:
            self._calls.write_quick(i2c_addr, force)

    def read_byte(self, i2c_addr: int, force: bool | None = None) -> int:
        """Return a byte of the device, without saying which."""
        if not 0 <= i2c_addr <= ADDRESS_MAX:
            raise _no_address(i2c_addr)
        with self._lock:
            return self._calls.read_byte(i2c_addr, force)  # type: ignore[no-any-return]

    def write_byte(self, i2c_addr: int, value: int, force: bool | None = None) -> None:
        """Write a byte."""
        if not (0 <= i2c_addr <= ADDRESS_MAX and 0 <= value <= 0xFF):
            value = _checked(i2c_addr, 0, value, 0xFF)
        with self._lock:
            self._calls.write_byte(i2c_addr, value, force)

    def read_byte_data(self, i2c_addr: int, register: int, force: bool | None = None) -> int:
        """Return the byte of a register."""
        if not (0 <= i2c_addr <= ADDRESS_MAX and 0 <= register <= 0xFF):
            raise _not_there(i2c_addr, register)
        with self._lock:
            return self._calls.read_byte_data(i2c_addr, register, force)  # type: ignore[no-any-return]

    def write_byte_data(self, i2c_addr: int, register: int, value: int, force: bool | None = None) -> None:
        """Write a byte to a register."""
        if not (0 <= i2c_addr <= ADDRESS_MAX and 0 <= register <= 0xFF and 0 <= value <= 0xFF):
            value = _checked(i2c_addr, register, value, 0xFF)
        with self._lock:
            self._calls.write_byte_data(i2c_addr, register, value, force)

    def read_word_data(self, i2c_addr: int, register: int, force: bool | None = None) -> int:
        """Return the word of a register, whose first byte is the lower one."""
        if not (0 <= i2c_addr <= ADDRESS_MAX and 0 <= register <= 0xFF):
            raise _not_there(i2c_addr, register)
        with self._lock:
            return self._calls.read_word_data(i2c_addr, register, force)  # type: ignore[no-any-return]

    def write_word_data(self, i2c_addr: int, register: int, value: int, force: bool | None = None) -> None:
        """Write a word to a register, the lower byte first."""
        if not (0 <= i2c_addr <= ADDRESS_MAX and 0 <= register <= 0xFF and 0 <= value <= 0xFFFF):
            value = _checked(i2c_addr, register, value, 0xFFFF)
        with self._lock:
            self._calls.write_word_data(i2c_addr, register, value, force)

    def process_call(self, i2c_addr: int, register: int, value: int, force: bool | None = None) -> int:
        """Write a word to a register, and return the word that comes back."""
        if not (0 <= i2c_addr <= ADDRESS_MAX and 0 <= register <= 0xFF and 0 <= value <= 0xFFFF):
            value = _checked(i2c_addr, register, value, 0xFFFF)
        with self._lock:
            return self._calls.process_call(i2c_addr, register, value, force)  # type: ignore[no-any-return]

    def read_block_data(self, i2c_addr: int, register: int, force: bool | None = None) -> list[int]:
        """Return a block whose length the device says, 32 bytes at most."""
        if not (0 <= i2c_addr <= ADDRESS_MAX and 0 <= register <= 0xFF):
            raise _not_there(i2c_addr, register)
        with self._lock:
            return self._calls.read_block_data(i2c_addr, register, force)  # type: ignore[no-any-return]

    def write_block_data(
        self, i2c_addr: int, register: int, data: Sequence[int], force: bool | None = None
    ) -> None:
        """Write a block, and before it its length."""
        data = _block(i2c_addr, register, data)
        with self._lock:
            self._calls.write_block_data(i2c_addr, register, data, force)

    def block_process_call(
        self, i2c_addr: int, register: int, data: Sequence[int], force: bool | None = None
    ) -> list[int]:
        """Write a block to a register, and return the block that comes back."""
        data = _block(i2c_addr, register, data)
        with self._lock:
            return self._calls.block_process_call(i2c_addr, register, data, force)  # type: ignore[no-any-return]

    def read_i2c_block_data(
        self, i2c_addr: int, register: int, length: int = BLOCK_MAX, force: bool | None = None
    ) -> list[int]:
        """Return so many bytes from a register on, 1 to 32."""
        if length > BLOCK_MAX:
            raise ValueError(f"Desired block length over {BLOCK_MAX} bytes")
        if not (0 <= i2c_addr <= ADDRESS_MAX and 0 <= register <= 0xFF and length >= 0):
            raise _not_there(i2c_addr, register)
        with self._lock:
            return self._calls.read_i2c_block_data(i2c_addr, register, length, force)  # type: ignore[no-any-return]

    def write_i2c_block_data(
        self, i2c_addr: int, register: int, data: Sequence[int], force: bool | None = None
    ) -> None:
        """Write bytes from a register on, 32 at most."""
        data = _block(i2c_addr, register, data)
        with self._lock:
            self._calls.write_i2c_block_data(i2c_addr, register, data, force)

    def i2c_rdwr(self, *i2c_msgs: i2c_msg) -> None:
        """Carry out messages of i2c_msg.read() and i2c_msg.write(), with repeated starts between them and one stop.

        Those that read hold afterwards what has come.
        """
        if len(i2c_msgs) > MESSAGES_MAX:
            raise ValueError(f"a transfer has {MESSAGES_MAX} messages at most, not {len(i2c_msgs)}")
        for msg in i2c_msgs:
            if not hasattr(msg, "buf"):
                raise TypeError(
                    f"a message is made by i2c_msg.read() or .write(), and no {type(msg).__name__}"
                )
        with self._lock:
            self._calls.i2c_rdwr(*i2c_msgs)

    # -- beyond smbus2 ---------------------------------------------------------------------------

    def scan(self) -> list[int]:
        """Return the addresses where somebody answers, of 0x08 to 0x77, those that a kernel driver has among them.

        A quick write asks for it, or a byte read where that might change something, or the bus has no quick write.
        """
        return [address for address, is_there, _ in self.probe() if is_there]

    def probe(self, addresses: Sequence[int] = SCANNED) -> Iterator[tuple[int, bool, bool]]:
        """Ask at each of these addresses: yield it, whether somebody is there, and whether a kernel driver has it."""
        threads.load("RPIO.i2c.probing")
        from .probing import probed

        return probed(self, addresses)

    def held(self, wait_s: float = HOLD_WAIT_S) -> AbstractContextManager[SMBus]:
        """Have the bus alone for what is done within::

            with bus.held():
                bus.write_byte(0x50, 0)
                value = bus.read_byte(0x50)

        Other threads, and at a daemon other programs and machines, wait meanwhile. On a bus of this machine's kernel
        those programs wait that hold it in the same way. A daemon lets go of one after a minute. *wait_s* is how long
        to wait for who has it.

        Raises:
            BusError: somebody has it still; the text says who. (An OSError, EBUSY.) At the end: it was held for too
                long, and has been let go of (ETIMEDOUT).
        """
        if self._bus is None:
            raise _closed()
        if not 0 <= wait_s <= HOLD_WAIT_MAX_S:  # a NaN is neither
            raise ValueError(f"wait_s is 0 to {HOLD_WAIT_MAX_S:g} seconds, not {wait_s!r}")
        return _hold(self, self._bus, wait_s)


class _Closed:
    """The calls of a bus that is closed."""

    fd = address = None
    funcs = pec = 0

    def close(self) -> None:
        """Nothing."""

    def __getattr__(self, name: str) -> Any:
        raise _closed()


CLOSED = _Closed()
NOBODYS = Turn()
"""The lock of those that are closed."""


def _closed() -> OSError:
    return OSError(EBADF, "the bus is closed: open() opens one")


def _no_address(address: int) -> ValueError:
    if not isinstance(address, int):
        raise TypeError(f"an address is a number, not {type(address).__name__}")
    return ValueError(f"an I2C address is 0x00 to 0x7f, not {address:#x}")


def _not_there(address: int, register: int) -> ValueError:
    if not 0 <= address <= ADDRESS_MAX:
        return _no_address(address)
    return ValueError(f"a register is 0 to 255, and a length 1 to {BLOCK_MAX}: {register!r} is neither")


def _checked(address: int, register: int, value: int, most: int) -> int:
    """Return the value without its sign. Raises ValueError for what is out of range."""
    if not 0 <= address <= ADDRESS_MAX or not 0 <= register <= 0xFF:
        raise _not_there(address, register)
    if not -(most // 2) - 1 <= value <= most:
        raise ValueError(f"a value is 0 to {most} (or {-(most // 2) - 1} to -1), not {value!r}")
    return value & most


def _block(address: int, register: int, data: Sequence[int]) -> list[int]:
    """Return the bytes without their signs. Raises ValueError for what is out of range."""
    if len(data) > BLOCK_MAX:
        raise ValueError(f"Data length cannot exceed {BLOCK_MAX} bytes")
    if not (0 <= address <= ADDRESS_MAX and 0 <= register <= 0xFF):
        raise _not_there(address, register)
    return [byte if 0 <= byte <= 0xFF else _checked(address, register, byte, 0xFF) for byte in data]


@contextmanager
def _hold(smbus: SMBus, bus: I2cBus, wait_s: float) -> Iterator[SMBus]:
    """What SMBus.held() returns. A generator: who is interrupted on his way out drops it, and it is closed then."""
    with Held(bus.lock, wait_s) as is_mine:
        if not is_mine:
            raise errors.BusError(EBUSY, f"{bus.name} is held by another thread of this program")
        if bus.is_held:  # further out, by this thread
            yield smbus
            return
        was_held = True
        try:
            bus.is_held = True
            bus.hold(wait_s)
            yield smbus
        finally:
            bus.is_held = False
            # Here, and in no function of its own: a signal handler's exception comes at the beginning of one, before
            # its try.
            try:
                was_held = bus.release()
            except (OSError, errors.GPIOError):
                raise
            except BaseException:
                bus.release()
                raise
        if not was_held:
            raise errors.BusError(ETIMEDOUT, f"{bus.name} was held for too long, and has been let go of")
