# SPDX-License-Identifier: LGPL-3.0-or-later
"""A simulated I2C bus: it carries bytes between who calls it and the chips on it, and what is broken breaks there."""

from __future__ import annotations

import os
from errno import EINVAL, EOPNOTSUPP, EREMOTEIO, ETIMEDOUT

from .._gpio import Turn
from ..backends.buses import I2cBus
from ..backends.sim_time import ManualClock
from ..wire.smbus import (
    ADDRESS_MAX,
    FUNC_I2C,
    FUNC_SMBUS_EMUL_ALL,
    M_RD,
    M_RECV_LEN,
    MESSAGE_MAX,
    MESSAGES_MAX,
)
from ..wire.smbus_messages import answer_of, check_count, messages_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..backends.sim import SimBackend
    from ..wire.smbus import Message, SmbusCall
    from .chip import I2cChip
    from .faults import Fault

STRETCH_LIMIT_US = 35_000
"""The longest that SCL may be held low. Source: SMBus specification 3.2, 3.1.1, T_TIMEOUT,MAX."""
KNOWN_FLAGS = M_RD | M_RECV_LEN


def error(number: int) -> OSError:
    """The error of that number as the system tells it."""
    return OSError(number, os.strerror(number))


class SimulatedI2cBus(I2cBus):
    """An I2C bus of a simulated board. *chips*: 7-bit address -> who is there; see add().

    Everything of the kernel's that is made of plain I2C goes, SMBus blocks included; 10-bit addresses do not.
    """

    is_quick = True

    def __init__(self, board: SimBackend, number: int) -> None:
        self.name = f"simulated I2C bus {number}"
        self.number = number
        self.clock = board.clock
        self.chips: dict[int, I2cChip] = {}
        self.stretch_limit_us = STRETCH_LIMIT_US
        """Longer than this makes a call fail with ETIMEDOUT; microseconds."""
        self._faults: list[Fault] = []
        self._is_stuck = False
        self.bit_ns = 10_000
        """How long a bit takes where a test moves the clock: that of a standard bus, 100 kHz."""
        self._is_timed = isinstance(board.clock, ManualClock)
        self._stretched_ns = 0  # of the transfer that goes on
        self.lock = Turn()  # a chip's line may be somebody's reason to call

    def add(self, address: int, chip: I2cChip) -> None:
        """Put a chip on the bus.

        Raises:
            ValueError: the address is none of a chip (0x03 to 0x77), or somebody else's.
        """
        if not 0x03 <= address <= 0x77:
            raise ValueError(f"chips have addresses from 0x03 to 0x77, not 0x{address:02x}")
        with self.lock:
            if self.chips.setdefault(address, chip) is not chip:
                other = type(self.chips[address]).__name__
                raise ValueError(f"0x{address:02x} of {self.name} is taken: {other}")

    def remove(self, address: int) -> None:
        """Take the chip away; nothing where there is none."""
        with self.lock:
            self.chips.pop(address, None)

    def functions(self) -> int:
        """What it can do, the FUNC_ bits of wire.smbus."""
        return FUNC_I2C | FUNC_SMBUS_EMUL_ALL

    def smbus(self, call: SmbusCall) -> bytes:
        """Carry out a call, made of messages: see I2cBus."""
        if not 0 <= call.address <= ADDRESS_MAX:
            raise error(EINVAL)
        messages = messages_of(call)
        if self._is_timed:
            return answer_of(call, messages, self._carry_in_time(messages))
        with self.lock:
            answers = self._carry(messages)
        return answer_of(call, messages, answers)

    def transfer(self, messages: Sequence[Message]) -> list[bytes]:
        """Carry out messages: see I2cBus."""
        _check(messages)
        if self._is_timed:
            return self._carry_in_time(messages)
        with self.lock:
            return self._carry(messages)

    def _carry_in_time(self, messages: Sequence[Message]) -> list[bytes]:
        """Carry them, and let the time go by that they take, nine bits a byte, with addresses, and that of a stretched
        clock. Not under the lock, which a callback may want meanwhile.
        """
        count = len(messages) + sum(len(message.data) + message.length for message in messages)
        taken_ns = (9 * count + len(messages) + 1) * self.bit_ns
        try:
            with self.lock:
                return self._carry(messages)
        finally:
            stretched_ns, self._stretched_ns = self._stretched_ns, 0
            self.clock.spend(taken_ns + stretched_ns)

    def _carry(self, messages: Sequence[Message]) -> list[bytes]:
        answers: list[bytes] = []
        if self._is_stuck:
            self._stretched_ns = round(self.stretch_limit_us * 1000)
            raise error(ETIMEDOUT)
        addressed: I2cChip | None = None
        try:
            for message in messages:
                chip = self.chips.get(message.address)
                if chip is not addressed:
                    if addressed is not None:
                        addressed.stop()  # a repeated start for somebody else is a stop for this one
                    addressed = chip
                if self._faults:
                    chip = self._broken(message.address, chip)
                flags = message.flags
                if chip is None or not chip.start(flags & M_RD != 0):
                    raise error(EREMOTEIO)
                if not flags & M_RD:
                    write = chip.write
                    for byte in message.data:
                        if not write(byte):
                            raise error(EREMOTEIO)
                elif flags & M_RECV_LEN:
                    answers.append(_block(chip, message.length))
                else:
                    read = chip.read
                    answers.append(bytes([read() for _ in range(message.length)]))
        finally:
            if addressed is not None:
                addressed.stop()
        return answers

    # -- what is broken --------------------------------------------------------------------------

    def nack(self, address: int, times: int = 1, at_byte: int | None = None) -> None:
        """Have the next *times* transfers to an address fail: its chip does not acknowledge, with EREMOTEIO for the
        caller.

        *at_byte*: it acknowledges its address and so many written bytes, from 0; a message without that byte passes.
        """
        from .faults import Nack

        with self.lock:
            self._faults.append(Nack(address, times, at_byte))

    def stretch(self, address: int, us: float, times: int | None = None) -> None:
        """Have a chip hold the clock for so many microseconds at each of its bytes, *times* bytes long or for ever.

        The simulated time goes on meanwhile. Above ``stretch_limit_us`` the call fails with ETIMEDOUT.
        """
        from .faults import Stretch

        if us < 0:
            raise ValueError(f"a clock is held for 0 us or more, not {us}")
        self.is_quick = self._is_timed
        with self.lock:
            self._faults.append(Stretch(address, times, lambda: self._hold(us)))

    def _hold(self, us: float) -> None:
        """Let so much time go by. OSError ETIMEDOUT where it is longer than the bus waits."""
        waited_us = min(us, self.stretch_limit_us)
        if self._is_timed:
            self._stretched_ns += round(waited_us * 1000)
        else:
            self.clock.sleep_until(self.clock.now_ns() + round(waited_us * 1000))
        if us > waited_us:
            raise error(ETIMEDOUT)

    def stick(self) -> None:
        """Have SDA held low: every call fails with ETIMEDOUT, until recover()."""
        self._is_stuck = True

    def recover(self) -> None:
        """End everything that nack(), stretch() and stick() have begun: the nine clock pulses, or a new chip."""
        with self.lock:
            self._is_stuck = False
            self._faults.clear()
        self.is_quick = True

    def _broken(self, address: int, chip: I2cChip | None) -> I2cChip | None:
        """The chip with what is broken at its address around it; what is over is forgotten."""
        self._faults = [fault for fault in self._faults if not fault.is_over]
        for fault in self._faults:
            if chip is not None and fault.address == address:
                chip = fault.around(chip)
        return chip

    # -- its life --------------------------------------------------------------------------------

    def after_fork(self) -> None:
        """Make it usable in the child, where another thread may have held it."""
        self.lock._at_fork_reinit()
        self.is_held = False

    def close(self) -> None:
        """Nothing: it is the board's, and there for the next one."""


def _check(messages: Sequence[Message]) -> None:
    """Refuse what the kernel refuses: EINVAL, and EOPNOTSUPP for flags of what it cannot do."""
    if len(messages) > MESSAGES_MAX:
        raise error(EINVAL)
    for message in messages:
        length = message.length if message.flags & M_RD else len(message.data)
        if not 0 <= message.address <= ADDRESS_MAX or not 0 <= length <= MESSAGE_MAX:
            raise error(EINVAL)
        if message.flags & ~KNOWN_FLAGS:
            raise error(EOPNOTSUPP)
        if message.flags & M_RECV_LEN and not (message.flags & M_RD and length):
            raise error(EINVAL)


def _block(chip: I2cChip, extra: int) -> bytes:
    """A count, as many bytes, and what else there is behind them: *extra* counts the count itself too."""
    count = chip.read()
    check_count(count)
    return bytes([count, *[chip.read() for _ in range(count + extra - 1)]])
