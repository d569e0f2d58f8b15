# SPDX-License-Identifier: LGPL-3.0-or-later
"""Run cases on the original RPIO or on ours: from stdin as JSON, what became of them to stdout, as runner.py does.

Beside the module's names a line may use preset(line, code), level(line, value), edge(line, level) of GPIO 17 and 18,
talk(), until(condition), Index(17), Float() and `calls`.
What it prints and logs is told with its warnings, as of the kinds "printed" and "logged". The argument is the folder of
the original, on the fake Pi; or RPIO, anywhere. Run by test_original_api.py and by nobody else.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import logging
import os
import signal
import socket
import sys
import tempfile
from functools import partial
from types import ModuleType
from typing import Any

from runner import CASE_TIME_LIMIT_S, Float, Index, World, run_line, until

MEMORY, GPIO_AT, GPIO_BYTES = "/dev/mem", 0x20200000, 0x100
VALUE_FILES = ("rcu_expedited", "rcu_normal", "fscaps", "profiling")
"""Of /sys/kernel: files of sysfs, so that epoll takes them, as it does a GPIO's value."""
LOADED_ONCE = (
    "RPIO.facade",
    "RPIO.PWM",
    "RPIO.sim",
    "RPIO.backends.sim",
    "RPIO.machine.boards",
    "RPIO.machine.detect",
    "RPIO.loop.tcp",
)
"""Of ours, so that each case need not; no board is opened by it."""
PULLED_UP = range(9)
"""After power-on, on every board; it is what the simulated one has."""
EDGE_FILES = {17: "hostname", 18: "domainname"}
"""Of /proc/sys/kernel: names of the machine, in a namespace of their own. Who polls one gets EPOLLPRI for a new one."""
MS_BIND, CLONE_NEWUTS = 4096, 0x0400_0000
TALK_S = 5
ALTERNATES = {4: "ALT0", 5: "ALT1", 6: "ALT2", 7: "ALT3", 3: "ALT4", 2: "ALT5", 0: "IN", 1: "OUT"}


class OriginalWorld(World):
    """Its registers are in the fake /dev/mem."""

    memory, registers_at = MEMORY, GPIO_AT

    def blank(self) -> None:
        """All of it is 0 again."""
        with open(MEMORY, "r+b") as file:
            file.seek(GPIO_AT)
            file.write(bytes(GPIO_BYTES))
        for line in PULLED_UP:
            self.level(line, 1)
        for line in EDGE_FILES:
            self.edge(line, 0)

    def bind_values(self) -> None:
        """Let the values of GPIOs be files that can be polled."""
        value = next(f"/sys/kernel/{name}" for name in VALUE_FILES if os.path.exists(f"/sys/kernel/{name}"))
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(CLONE_NEWUTS):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), "unshare(CLONE_NEWUTS)")
        for gpio in os.listdir("/sys/class/gpio"):
            target = f"/sys/class/gpio/{gpio}/value"
            source = next(
                (f"/proc/sys/kernel/{EDGE_FILES[n]}" for n in EDGE_FILES if gpio == f"gpio{n}"), value
            )
            if os.path.exists(target) and libc.mount(source.encode(), target.encode(), None, MS_BIND, None):
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), target)

    def edge(self, line: int, level: int) -> None:
        with open(f"/proc/sys/kernel/{EDGE_FILES[line]}", "w") as file:
            file.write(str(level))


class OurWorld(World):
    """A simulated board."""

    def preset(self, line: int, code: int) -> None:
        import RPIO

        RPIO.facade.board.backend.set_function(line, getattr(RPIO, ALTERNATES[code]))

    def level(self, line: int, value: int) -> None:
        import RPIO

        RPIO.sim.drive(line, value)

    def edge(self, line: int, level: int) -> None:
        self.level(line, level)

    def blank(self) -> None:
        """Each case has a board of its own."""


def load(subject: str) -> tuple[ModuleType, OriginalWorld | OurWorld]:
    """Return the module, and its world."""
    if not os.path.isdir(subject):
        for name in LOADED_ONCE:
            importlib.import_module(name)
        return importlib.import_module("RPIO"), OurWorld()
    from original_runner import make_pagemap

    world = OriginalWorld()
    world.bind_values()
    make_pagemap()
    sys.path.insert(0, subject)
    module = importlib.import_module("RPIO")
    importlib.import_module("RPIO.PWM")
    return module, world


class Talk:
    """A port whose callback decodes each message and sends it back, as programs for Python 3 do, and clients of it."""

    def __init__(self, module: ModuleType, closes: bool = False, threaded: bool = False) -> None:
        self.heard: list[str] = []
        self._module, self._closes, self._clients = module, closes, []
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        module.add_tcp_callback(self._port, self._on_message, threaded)
        module.wait_for_interrupts(threaded=True)

    def _on_message(self, client: Any, message: Any) -> None:
        text = message.decode()
        self.heard.append(text)
        client.send(f"echo: {text}\n".encode())
        if self._closes:
            self._module.close_tcp_client(client.fileno())

    def say(self, chunk: bytes, who: int = 0) -> bytes:
        """Send it as that client, and return what comes back; b"" is the end."""
        while len(self._clients) <= who:
            self._clients.append(socket.create_connection(("127.0.0.1", self._port), TALK_S))
        self._clients[who].sendall(chunk)
        return self._clients[who].recv(1024)

    def lengths(self, chunk: bytes, count: int) -> list[int]:
        """Send it at once, and return how long so many messages of it were."""
        self.say(chunk)
        until(lambda: len(self.heard) >= count)
        return [len(text) for text in self.heard]

    def hang_up(self, who: int = 0) -> None:
        self._clients[who].close()


class Told:
    """What a line prints, in C or in Python, and what it logs."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None)
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 (it is the process's stdout)
        os.dup2(self._file.fileno(), 1)
        self._logged: list[list[str]] = []
        handler = logging.Handler(logging.WARNING)
        handler.emit = lambda record: self._logged.append(["logged", record.getMessage()])  # type: ignore[method-assign]
        logging.getLogger().addHandler(handler)

    def take(self) -> list[list[str]]:
        sys.stdout.flush()
        self._libc.fflush(None)
        self._file.seek(0)
        printed = [["printed", line] for line in self._file.read().decode(errors="replace").splitlines()]
        self._file.seek(0)
        self._file.truncate()
        logged, self._logged[:] = list(self._logged), []
        return printed + logged


def run_case(
    lines: list[str], module: ModuleType, world: OriginalWorld | OurWorld
) -> list[dict[str, object]]:
    """Run a case in a child; one that dies or hangs tells that in place of the line it did so in."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        signal.alarm(CASE_TIME_LIMIT_S)
        if isinstance(world, OriginalWorld):
            from original_runner import take_pagemap

            take_pagemap()
        told = Told()
        names: dict[str, object] = {name: getattr(module, name) for name in dir(module) if name[0] != "_"}
        names |= {
            "preset": world.preset,
            "level": world.level,
            "edge": world.edge,
            "until": until,
            "GPIO": module,
        }
        names |= {"Index": Index, "Float": Float, "calls": [], "talk": partial(Talk, module)}
        told.take()
        with open(writer, "w") as out:
            for line in lines:
                outcome = run_line(line, names)
                outcome["warnings"] += told.take()  # type: ignore[operator]
                print(json.dumps(outcome), file=out, flush=True)
        os._exit(0)
    os.close(writer)
    with open(reader) as answers:
        outcomes = [json.loads(answer) for answer in answers]
    os.waitpid(pid, 0)
    if len(outcomes) < len(lines):
        outcomes.append({"raises": ["ended"], "text": "", "warnings": [], "stores": None})
    return outcomes


def main() -> None:
    """Run what stdin says."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    module, world = load(sys.argv[1])
    results = []
    for lines in json.load(sys.stdin):
        world.blank()
        results.append(run_case(lines, module, world))
    json.dump(results, answers)
    answers.close()


if __name__ == "__main__":
    main()
