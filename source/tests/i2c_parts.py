# SPDX-License-Identifier: LGPL-3.0-or-later
"""What the tests of I2C share: a simulated board with chips, itself and over RPIO's own protocol, and a slow bus."""

import contextlib
import socket
import threading

import RPIO
from RPIO.backends.sim import SimBackend
from RPIO.board.board import Board
from RPIO.chips.buses import i2c_bus
from RPIO.chips.i2c_bus import SimulatedI2cBus
from RPIO.chips.registers import Registers
from RPIO.i2c import SMBus
from RPIO.machine.boards import by_name
from RPIO.server.serving import serve
from waiting import LIMIT_S


class SlowBus(SimulatedI2cBus):
    """One that does not answer at once: each call waits for ``gate``, where that is shut. ``began`` counts them."""

    is_quick = False

    def __init__(self, board, number):
        super().__init__(board, number)
        self.gate = threading.Event()
        self.gate.set()
        self.began = 0
        self.order = []

    def smbus(self, call):
        self.began += 1
        self.order.append(call.command)
        assert self.gate.wait(LIMIT_S)
        return super().smbus(call)


class There:
    """A board with a chip of 256 registers at 0x50 of bus 1, served at a port of this process."""

    def __init__(self, is_slow=False):
        self.sim = SimBackend(by_name("4B"))
        if is_slow:
            self.sim.buses["i2c-1"] = SlowBus(self.sim, 1)
        self.bus = i2c_bus(self.sim, 1)
        self.chip = Registers(values={number: number for number in range(256)})
        self.bus.add(0x50, self.chip)
        self.board = Board()
        self.board.use(self.sim, self.sim.hardware)
        self.port = serve(self.board, 0, "127.0.0.1", None)
        self.board.wait_for_interrupts(threaded=True)
        self._open = contextlib.ExitStack()

    def connect(self, **keywords):
        """Return another session's Board."""
        return self._open.enter_context(
            RPIO.connect(f"localhost:{self.port}", **{"timeout_s": LIMIT_S, "linger_s": 0.0, **keywords})
        )

    def smbus(self, **keywords):
        """Return another session's SMBus."""
        return SMBus(1, board=self.connect(**keywords))

    def here(self):
        """Return one of the program that has the board."""
        return SMBus(1, board=self.board)

    def close(self):
        """End all sessions, and the board."""
        self._open.close()
        self.board.close()

    def waiting(self):
        """How many calls wait for their turn."""
        desks = list(self.front.buses._desks.values())
        return sum(len(queue) for desk in desks for queue in list(desk._queues.values()))

    @property
    def front(self):
        """What serves it."""
        (found,) = [server for server in self.board.waiting.ports.servers if hasattr(server, "buses")]
        return found

    def peer(self):
        """Return another client, who says lines by hand."""
        return self._open.enter_context(contextlib.closing(Peer(self.port)))


class Peer:
    """A client that says lines, and reads them."""

    def __init__(self, port):
        self._socket = socket.create_connection(("127.0.0.1", port), LIMIT_S)
        self._file = self._socket.makefile("r", encoding="utf-8", newline="\n")

    def send(self, line):
        """Say a line."""
        self._socket.sendall(f"{line}\n".encode())

    def lines(self, count):
        """Return so many."""
        return [self._file.readline().rstrip("\n") for _ in range(count)]

    def close(self):
        """Be gone."""
        self._file.close()
        self._socket.close()
