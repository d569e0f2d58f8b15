# SPDX-License-Identifier: LGPL-3.0-or-later
"""What the tests of simulated chips share: a board whose clock they move, and short words for SMBus calls."""

from RPIO.backends.sim import SimBackend
from RPIO.backends.sim_time import ManualClock
from RPIO.chips.buses import i2c_bus
from RPIO.machine.boards import by_name
from RPIO.wire import smbus
from RPIO.wire.smbus import M_RD, Message, SmbusCall

MS = 1_000_000


def manual_board(model="4B"):
    return SimBackend(by_name(model), ManualClock())


class Caller:
    """Calls to one address of a board's bus 1, where *chip* is."""

    def __init__(self, board, address, chip=None):
        self.board, self.address, self.bus = board, address, i2c_bus(board, 1)
        if chip is not None:
            self.bus.add(address, chip)

    def call(self, is_read, size, command=0, data=b"", **more):
        return self.bus.smbus(SmbusCall(self.address, is_read, size, command, bytes(data), **more))

    def write(self, *data):
        """Plain bytes."""
        self.bus.transfer([Message(self.address, 0, bytes(data))])

    def read(self, count, *first):
        """Plain bytes, written *first*, with a repeated start before those that are read."""
        messages = [Message(self.address, 0, bytes(first))] if first else []
        return self.bus.transfer([*messages, Message(self.address, M_RD, length=count)])[0]

    def word(self, register, value=None):
        """A register of 16 bits, the higher byte first: read it, or write it."""
        if value is None:
            return int.from_bytes(self.read(2, register), "big")
        return self.write(register, value >> 8, value & 0xFF)

    def byte(self, register, value=None):
        """A register of 8 bits: read it, or write it."""
        if value is None:
            return self.call(True, smbus.BYTE_DATA, register)[0]
        return self.write(register, value)

    def wait(self, ms):
        self.board.clock.advance(round(ms * MS))
