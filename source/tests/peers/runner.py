# SPDX-License-Identifier: LGPL-3.0-or-later
"""Run cases against one module on the fake Pi: cases as JSON from stdin, what became of them to stdout.

A case is a list of lines of Python, run in a fork of its own on fresh registers. Each line is told as
{"is": kind of its value, "repr": ...} or {"raises": classes, "text": ...}, with its warnings and the stores into
registers that it made. Run by test_differential.py and test_stores.py, within fakepi.py, and by nobody else.
"""

from __future__ import annotations

import ctypes
import fcntl
import importlib
import json
import os
import select
import signal
import sys
import termios
import threading
import time
import warnings
from types import ModuleType

MEMORY = "/dev/gpiomem"
CASE_TIME_LIMIT_S = 60
LEVEL_AT = 0x34
STORES_MAX = 1 << 16
READ_WITHIN_S = 1
TOLD_IN_FULL = (bool, int, float, str, bytes, type(None), list, tuple, dict)


class Index:
    """An integer that is no int, as numpy's are."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __index__(self) -> int:
        return self.value


class Float:
    """A number that is no float."""

    def __float__(self) -> float:
        return 50.0


class Array:
    """As numpy's of several numbers: it has __index__, which raises."""

    def __index__(self) -> int:
        raise TypeError("only integer scalar arrays can be converted to a scalar index")


class World:
    """What is around the program: the registers from outside, and who makes edges."""

    memory, registers_at = MEMORY, 0
    """The file that the registers are in, and the first one's byte in it."""

    def preset(self, line: int, code: int) -> None:
        """Have the function of a line be what another program chose: 0 in, 1 out, 4 to 7, 3, 2 are ALT0 to ALT5."""
        self._change(line // 10 * 4, 7 << line % 10 * 3, code << line % 10 * 3)

    def level(self, line: int, value: int) -> None:
        """Have the register of levels say this."""
        self._change(LEVEL_AT + line // 32 * 4, 1 << line % 32, value << line % 32)

    def _change(self, at: int, mask: int, bits: int) -> None:
        with open(self.memory, "r+b") as file:
            file.seek(self.registers_at + at)
            word = int.from_bytes(file.read(4), "little") & ~mask | bits
            file.seek(self.registers_at + at)
            file.write(word.to_bytes(4, "little"))

    def function_code(self, line: int) -> int:
        """Return the code of a line's function from the register."""
        with open(self.memory, "rb") as file:
            file.seek(self.registers_at + line // 10 * 4)
            return int.from_bytes(file.read(4), "little") >> line % 10 * 3 & 7

    def prime(self, line: int) -> None:
        """Get over the first thing that a fresh watch reports, where it reports one."""

    def edge(self, line: int, level: int) -> None:
        """Have the level of a line change to this."""

    def edge_soon(self, line: int, level: int) -> None:
        """Have it change while the program waits, a few times: nobody knows when the wait has begun."""

        def make_edges() -> None:
            for _ in range(20):
                time.sleep(0.05)
                self.edge(line, level)

        threading.Thread(target=make_edges, daemon=True).start()


class SysfsWorld(World):
    """Edges for RPi.GPIO: bytes into the FIFO that it polls."""

    def __init__(self) -> None:
        self._fifos: dict[int, int] = {}

    def prime(self, line: int) -> None:
        self.edge(line, 0)

    def edge(self, line: int, level: int) -> None:
        if line not in self._fifos:
            self._fifos[line] = os.open(f"/sys/class/gpio/gpio{line}/value", os.O_RDWR | os.O_NONBLOCK)
        os.write(self._fifos[line], b"%d" % level)
        until(lambda: _bytes_in(self._fifos[line]) == 0, READ_WITHIN_S)


class SimulatedWorld(World):
    """Edges for RPIO: registers for the levels, as on a Pi, and a simulated board in place of the gpiochip."""

    def __init__(self) -> None:
        import RPIO.backends.opening
        from RPIO.backends.joined import JoinedBackend
        from RPIO.backends.regs import RegsBackend, map_block
        from RPIO.backends.sim import SimBackend
        from RPIO.machine.boards import Hardware

        def opened(hardware: Hardware | None, argument: str) -> JoinedBackend:
            assert hardware is not None and hardware.gpio_compatible is not None
            block, path = map_block(hardware, argument)
            self._sim = SimBackend(hardware)
            return JoinedBackend(RegsBackend(block, hardware.gpio_compatible, path), self._sim)

        RPIO.backends.opening.REGISTRY["regs"] = opened

    def edge(self, line: int, level: int) -> None:
        if self._sim.read(line) == level:
            self._sim.drive(line, 1 - level)
        self._sim.drive(line, level)


def _bytes_in(fd: int) -> int:
    return int.from_bytes(fcntl.ioctl(fd, termios.FIONREAD, b"\0\0\0\0"), "little")


def until(done, timeout_s: float = 2.0) -> bool:
    """Wait until done() says something true, and return whether it did."""
    end = time.monotonic() + timeout_s
    while not done() and time.monotonic() < end:
        select.select([], [], [], 0.001)
    return bool(done())


def load(subject: str) -> tuple[ModuleType, World]:
    """Return the module that is called RPi.GPIO here, and its world."""
    if os.path.isdir(subject):  # the real one
        sys.path.insert(0, subject)
        return importlib.import_module("RPi.GPIO"), SysfsWorld()
    import RPIO

    if subject == "RPIO":
        return RPIO, SimulatedWorld()
    RPIO.install_as_rpi_gpio()
    return importlib.import_module("RPi.GPIO"), SimulatedWorld()


# -- one case ------------------------------------------------------------------------------------------


class _Store(ctypes.Structure):
    _fields_ = (("offset", ctypes.c_uint32), ("value", ctypes.c_uint32))


def take_stores() -> list[tuple[int, int]] | None:
    """Return the stores into registers since the last call; None where nobody notes them."""
    taker = getattr(ctypes.CDLL(None), "take_stores", None)
    if taker is None:
        return None
    array = (_Store * STORES_MAX)()
    return [(store.offset, store.value) for store in array[: taker(array, STORES_MAX)]]


def tell(value: object) -> dict[str, object]:
    """Return what can be compared of a value."""
    kind = type(value).__name__
    return {"is": kind, "repr": repr(value) if isinstance(value, TOLD_IN_FULL) else ""}


def run_line(line: str, names: dict[str, object]) -> dict[str, object]:
    """Run one line and return what became of it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            try:
                code = compile(line, "<case>", "eval")
            except SyntaxError:
                exec(compile(line, "<case>", "exec"), names)
                outcome = tell(None)
            else:
                outcome = tell(eval(code, names))
        except Exception as e:
            outcome = {"raises": [kind.__name__ for kind in type(e).__mro__], "text": str(e)}
    outcome["warnings"] = [[warning.category.__name__, str(warning.message)] for warning in caught]
    outcome["stores"] = take_stores()
    return outcome


def run_case(lines: list[str], module: ModuleType, world: World) -> list[dict[str, object]]:
    """Run a case in a child; one that dies or hangs tells that in place of the line it did so in."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        signal.alarm(CASE_TIME_LIMIT_S)
        names: dict[str, object] = {name: getattr(module, name) for name in dir(module) if name[0] != "_"}
        names |= {name: getattr(world, name) for name in dir(world) if name[0] != "_"}
        names |= {"GPIO": module, "Index": Index, "Array": Array, "Float": Float, "until": until, "calls": []}
        with open(writer, "w") as out:
            for line in lines:
                print(json.dumps(run_line(line, names)), file=out, flush=True)
        os._exit(0)
    os.close(writer)
    with open(reader) as answers:
        outcomes = [json.loads(answer) for answer in answers]
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if len(outcomes) < len(lines):
        how = signal.Signals(-status).name if status < 0 else f"status {status}"
        outcomes.append({"raises": ["ended"], "text": how, "warnings": [], "stores": None})
    return outcomes


def main() -> None:
    """Run what stdin says."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a module prints is no answer
    module, world = load(sys.argv[1])
    with open(MEMORY, "rb") as file:
        blank = file.read()
    results = []
    for lines in json.load(sys.stdin):
        with open(MEMORY, "r+b") as file:
            file.write(blank)
        results.append(run_case(lines, module, world))
    json.dump(results, answers)
    answers.close()


if __name__ == "__main__":
    main()
