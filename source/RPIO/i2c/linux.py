# SPDX-License-Identifier: LGPL-3.0-or-later
"""The kernel's I2C buses, /dev/i2c-N, by smbus2."""

from __future__ import annotations

import os
from _io import FileIO
from errno import EACCES, EBUSY, ENODEV, ENOENT, EPERM
from time import monotonic, sleep

from .. import errors, threads
from .._gpio import Turn
from ..backends.buses import I2cBus
from ..processes import hooks
from ..wire import smbus

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from ..wire.smbus import Message, SmbusCall

ENABLE = "switch it on with `sudo raspi-config nonint do_i2c 0`, or by dtparam=i2c_arm=on in config.txt, and boot again"
NAP_S = 0.002


def smbus2() -> Any:
    """The library. Raises NotSupportedError where it is not installed."""
    threads.load("RPIO.stand_ins")
    from ..stand_ins import installed

    try:
        return installed("smbus2")
    except ImportError:
        raise errors.NotSupportedError(
            "this machine's own I2C buses need smbus2", hint='pip install "RPIO[i2c]"'
        ) from None


def numbers() -> list[int]:
    """The buses that there are."""
    try:
        names = os.listdir("/dev")
    except OSError:
        return []
    return sorted(int(name[4:]) for name in names if name.startswith("i2c-") and name[4:].isdigit())


def opened(path: str, force: bool) -> Any:
    """Open a bus; return an smbus2.SMBus. Raises BusError, NoAccessError."""
    smbus2()  # which says what is missing
    threads.load("RPIO.i2c.kernel")
    from .kernel import KernelCalls

    made = KernelCalls(None, force)
    try:
        with hooks.making:
            made.open(path)
    except BaseException as e:
        made.close()
        raise _explained(e, path) from (None if isinstance(e, OSError) else e.__cause__)
    return made


def _explained(error: BaseException, path: str) -> BaseException:
    if not isinstance(error, OSError):
        return error
    if error.errno in (EACCES, EPERM):
        hint = "sudo usermod -a -G i2c $USER, then log in again"
        return errors.NoAccessError(error.errno, f"{path} may not be opened by this user", hint=hint)
    if error.errno == ENOENT:
        others = ", ".join(f"/dev/i2c-{number}" for number in numbers())
        text = f"there is no I2C bus {path}" + (f"; there is {others}" if others else "")
        return errors.NoBusError(ENOENT, text, hint=ENABLE)
    return error


class LinuxBus(I2cBus):
    """A bus of the kernel's, for who carries calls of others. Opened when it is used."""

    def __init__(self, path: str) -> None:
        self.name = path
        self._shared = _shared_by_all(path)
        self.lock = self._shared.lock
        self._opened: dict[bool, Any] = {}

    def _smbus(self, is_forced: bool = False) -> Any:
        made = self._opened.get(is_forced)
        if made is None:
            made = self._opened[is_forced] = opened(self.name, is_forced)
        return made

    def functions(self) -> int:
        return int(self._smbus().funcs)

    def smbus(self, call: SmbusCall) -> bytes:
        bus = self._smbus(call.is_forced)
        if bool(bus.pec) != call.has_pec:
            bus.enable_pec(call.has_pec)
        try:
            return CARRIED[call.size, call.is_read](bus, call)
        except OSError as e:
            if e.errno == ENODEV:  # the adapter has been unplugged, and may come back
                self.close()
            raise

    def transfer(self, messages: Sequence[Message]) -> list[bytes]:
        msgs = [_msg(message) for message in messages]
        self._smbus().i2c_rdwr(*msgs)
        return [bytes(msg) for msg in msgs if msg.flags & smbus.M_RD]

    @property
    def is_held(self) -> bool:
        """Whether this process holds it."""
        return self._shared.is_held

    @is_held.setter
    def is_held(self, is_so: bool) -> None:
        self._shared.is_held = is_so

    def calls(self, force: bool) -> Any:
        return self._smbus(force)

    def hold(self, wait_s: float) -> None:
        self._shared.hold(wait_s)

    def release(self) -> bool:
        self._shared.release()
        return True

    def close(self) -> None:
        for made in list(self._opened.values()):
            made.close()
        self._opened.clear()


def _msg(message: Message) -> Any:
    make = smbus2().i2c_msg
    if message.flags & smbus.M_RECV_LEN:  # the device says how many; *length* are what comes beside those
        made = make.read(message.address, smbus.BLOCK_MAX + message.length)
        made.buf[0] = message.length
    elif message.flags & smbus.M_RD:
        made = make.read(message.address, message.length)
    else:
        made = make.write(message.address, message.data)
    made.flags = message.flags
    return made


def _byte(value: int) -> bytes:
    return bytes((value,))


def _word(value: int) -> bytes:
    return value.to_bytes(2, "little")


def _read_quick(bus: Any, call: SmbusCall) -> bytes:
    from .kernel import library

    asked = library.i2c_smbus_ioctl_data.create(library.I2C_SMBUS_READ, 0, library.I2C_SMBUS_QUICK)
    bus._set_address(call.address)
    library.ioctl(bus.fd, library.I2C_SMBUS, asked)
    return b""


CARRIED: dict[tuple[int, bool], Callable[[Any, SmbusCall], bytes]] = {
    (smbus.QUICK, False): lambda b, c: b.write_quick(c.address) or b"",
    (smbus.QUICK, True): _read_quick,
    (smbus.BYTE, True): lambda b, c: _byte(b.read_byte(c.address)),
    (smbus.BYTE, False): lambda b, c: b.write_byte(c.address, c.command) or b"",
    (smbus.BYTE_DATA, True): lambda b, c: _byte(b.read_byte_data(c.address, c.command)),
    (smbus.BYTE_DATA, False): lambda b, c: b.write_byte_data(c.address, c.command, c.data[0]) or b"",
    (smbus.WORD_DATA, True): lambda b, c: _word(b.read_word_data(c.address, c.command)),
    (smbus.WORD_DATA, False): lambda b, c: (
        b.write_word_data(c.address, c.command, int.from_bytes(c.data, "little")) or b""
    ),
    (smbus.PROCESS_CALL, False): lambda b, c: _word(
        b.process_call(c.address, c.command, int.from_bytes(c.data, "little"))
    ),
    (smbus.BLOCK_DATA, True): lambda b, c: bytes(b.read_block_data(c.address, c.command)),
    (smbus.BLOCK_DATA, False): lambda b, c: b.write_block_data(c.address, c.command, list(c.data)) or b"",
    (smbus.BLOCK_PROC_CALL, False): lambda b, c: bytes(
        b.block_process_call(c.address, c.command, list(c.data))
    ),
    (smbus.I2C_BLOCK_DATA, True): lambda b, c: bytes(b.read_i2c_block_data(c.address, c.command, c.length)),
    (smbus.I2C_BLOCK_DATA, False): lambda b, c: (
        b.write_i2c_block_data(c.address, c.command, list(c.data)) or b""
    ),
}
"""Size and direction of a call -> how smbus2 does it."""


# -- who holds a bus ----------------------------------------------------------------------------


class _Shared:
    """A bus, for all who use it in this process: their lock, and that of its file for other programs that hold it."""

    def __init__(self, path: str) -> None:
        self.lock = Turn()
        self._path, self.is_held = path, False
        self._file: FileIO | None = None
        hooks.look_after(self)

    def hold(self, wait_s: float) -> None:
        """Take it among the programs that hold it. The caller has the lock. Raises BusError, which says who has it."""
        self.release()  # who was interrupted left it
        with hooks.making:
            self._file = FileIO(self._path, "r+")
        self._lock_file(self._file.fileno(), wait_s)

    def release(self) -> None:
        """Let others have it. Twice is fine."""
        if self._file is not None:
            self._file.close()

    def _lock_file(self, fd: int, wait_s: float) -> None:
        from fcntl import LOCK_EX, LOCK_NB, flock

        until_s = monotonic() + wait_s
        while True:
            try:
                flock(fd, LOCK_EX | LOCK_NB)
            except BlockingIOError:
                if monotonic() >= until_s:
                    text = f"{self._path} is held by {_holder(self._path)}"
                    raise errors.BusError(EBUSY, text, hint="it is free when that has done") from None
                sleep(NAP_S)
            else:
                return

    def after_fork(self) -> None:
        """In the child of a fork: who held it is not here."""
        self.lock._at_fork_reinit()
        self.is_held = False
        self.release()

    def shut_down(self) -> None:
        """At the end of the program: the kernel lets go of it."""


_shared: dict[str, _Shared] = {}


def _shared_by_all(path: str) -> _Shared:
    return _shared.setdefault(os.path.realpath(path), _Shared(path))


def _holder(path: str) -> str:
    """Who has the lock of a file, for people. Source: proc_locks(5)."""
    found = os.stat(path)
    place = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    try:
        with open("/proc/locks", encoding="ascii") as file:
            pid = next(
                (words[4] for words in map(str.split, file) if words[1:2] == ["FLOCK"] and words[5] == place),
                "",
            )
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return f"process {pid}, {file.read().strip()}"
    except OSError:
        return "another program"
