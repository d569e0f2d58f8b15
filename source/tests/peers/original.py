# SPDX-License-Identifier: LGPL-3.0-or-later
"""Play programs of calls of RPIO.PWM: on the original RPIO, and on ours, each with a modelled DMA engine below it."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from c.test_dma_rings import Machine
from RPIO import PWM, _gpio, facade
from RPIO.backends.sim import SimBackend
from RPIO.backends.sim_time import ManualClock
from RPIO.constants import OUT
from RPIO.machine import boards
from RPIO.pulses import dma_engine, means
from test_dma_channels import Machine as Root

from . import fakepi, peers
from .original_pulses import CHANNELS, Call, Program, Waveform, plain

RUNNER = Path(__file__).with_name("original_runner.py")
ENGINE = Path(__file__).with_name("engine.c")
MODEL = Path(__file__).parents[1] / "c"
MODEL_PARTS = [MODEL / name for name in ("soc.c", "soc_dma.c", "soc_pace.c")]
MODEL_HEADERS = [MODEL / name for name in ("soc.h", "soc_dma.h", "soc_parts.h")]
REVISION, NAME = "000e", "B"
"""A Model B, revision 2: one of the boards that the original knew."""
ALL_CHANNELS = 0x7FFF


class Step(NamedTuple):
    """What became of a call, and the waveforms after it. *raised* has the names of the error's classes.

    *broken* says which rule of the SoC was broken last, up to then.
    """

    raised: tuple[str, ...]
    text: str
    waveforms: dict[int, Waveform]
    broken: str = ""


def engine() -> Path:
    """Return the library that is preloaded into the original."""
    flags = ("-std=gnu11", f"-I{MODEL}")
    return peers.compiled(ENGINE, *flags, parts=[*MODEL_PARTS, *MODEL_HEADERS])


class Original:
    """The original, in a process that runs one program after the other, each in a fork."""

    def __init__(self) -> None:
        folder, library = peers.original(), engine()
        self._process = subprocess.Popen(
            [
                *(*fakepi.command(REVISION, dev_mem=True), "env", f"LD_PRELOAD={library}"),
                *(sys.executable, "-W", "ignore", str(RUNNER), str(folder)),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def play(self, program: Program) -> list[Step]:
        """Return what became of each call; of fewer, where one ended the program."""
        assert self._process.stdin is not None and self._process.stdout is not None
        print(json.dumps(program), file=self._process.stdin, flush=True)
        return [_step(told) for told in json.loads(self._process.stdout.readline())]

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()


def _step(told: dict[str, Any]) -> Step:
    lines, found = told["lines"], {}
    for channel, its_lines in CHANNELS.items():
        levels = told["levels"].get(str(channel)) or [lines]
        found.update((line, plain(at >> line & 1 for at in levels)) for line in its_lines)
    return Step(tuple(told.get("raises", ())), told.get("text", ""), found, told["broken"])


# -- ours ----------------------------------------------------------------------------------------------


class ModelledDma:
    """_gpio.Dma of a modelled SoC."""

    MARKS = (0, 1)
    """Lines that no program here has, each high in slot 0 of one channel: where a turn begins."""

    def __init__(self) -> None:
        self.machine = Machine("brcm,bcm2835")
        self.slots: dict[int, int] = {}

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: int) -> int:
            result = int(self.machine.call(name, *arguments))
            if result < 0:
                raise OSError(-result, os.strerror(-result))
            return result

        return call

    def set_pace(self, pace: int, slot_us: int) -> int:
        self.machine.slot_ns = slot_us * 1000
        self.machine.ok("set_pace", pace, slot_us)
        return pace

    def start(self, channel: int, slots: int) -> None:
        self.__getattr__("start")(channel, slots)
        self.slots[channel] = slots

    def stop(self, channel: int) -> None:
        self.__getattr__("stop")(channel)
        del self.slots[channel]

    def info(self, channel: int) -> dict[str, Any] | None:
        info = self.machine.ffi.new("struct rpio_dma_info *")
        if self.machine.call("info", channel, info) < 0:
            return None
        names = ("slots", "lines", "edge_slots", "pages", "is_active", "error")
        return {**{name: getattr(info, name) for name in names}, "handles": tuple(info.handles)}

    def guard(self, state_path: str, lock_fd: int) -> tuple[_gpio.File, int]:
        return _gpio.File(os.devnull, os.O_RDONLY), 0

    def close(self) -> None:
        for channel in list(self.slots):
            self.stop(channel)

    def levels(self, channel: int) -> list[int]:
        """The lines that are high in each slot, from now on."""
        machine, slots = self.machine, self.slots[channel]
        line = self.MARKS[list(self.slots).index(channel)]
        if not machine.call("level", channel, line, 0):
            machine.ok("add", channel, line, 0, 1)
        machine.wait((slots + FILL) * machine.slot_ns)
        machine.record()
        machine.wait(2 * slots * machine.slot_ns)
        entries = machine.entries()
        mark = 1 << line
        changes = itertools.pairwise(entries)
        rises = [at for (_, before), (at, after) in changes if after & ~before & mark]
        found = []
        for slot in range(slots):
            middle = rises[0] + slot * machine.slot_ns + machine.slot_ns // 2
            found.append(next(lines for at, lines in reversed(entries) if at <= middle))
        return found


FILL = 130
"""Slots after which the FIFO of either pace has been filled."""


class Ours(ABC):
    """Ours, in this process, on a board of its own for each program."""

    def _new_board(self) -> SimBackend:
        return SimBackend(boards.by_name(NAME))

    @abstractmethod
    def _waveforms(self) -> dict[int, Waveform]:
        """Return what each line plays now."""

    def play(self, program: Program) -> list[Step]:
        """Return what became of each call."""
        facade.new_board()
        board = self._new_board()
        facade.board.use(board, board.hardware)
        self._servo: Any = None
        try:
            return [self._call(call) for call in program]
        finally:
            PWM.cleanup()
            facade.new_board()

    def _call(self, call: Call) -> Step:
        raised: tuple[str, ...] = ()
        text = ""
        name, *arguments = call
        try:
            if name == "Servo":
                self._servo = PWM.Servo(*arguments)
            else:
                getattr(self._servo if "_servo" in name else PWM, name)(*arguments)
        except Exception as e:
            raised, text = tuple(kind.__name__ for kind in type(e).__mro__), str(e)
        return Step(raised, text, self._waveforms())


class OursByDma(Ours):
    """Everything is real but for the registers, the clock and the board."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        Root(folder).node(ALL_CHANNELS).channels(15)
        for name in (dma_engine.MEM, dma_engine.VCIO):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).touch()
        patch.setattr(dma_engine, "ROOT", str(folder))
        patch.setattr(dma_engine, "why_not", lambda *_: None)
        patch.setattr(dma_engine, "Dma", self._made)
        patch.setattr(means, "sleep", self._sleep)
        patch.setattr(means, "monotonic", lambda: self._dma.machine.now / 1e9)
        self._dma = ModelledDma()

    def _sleep(self, seconds: float) -> None:
        self._dma.machine.wait(seconds * 1e9)

    def _made(self, *_: object) -> ModelledDma:
        return self._dma

    def play(self, program: Program) -> list[Step]:
        self._dma = ModelledDma()
        steps = super().play(program)
        self._dma.machine.free()
        return steps

    def _waveforms(self) -> dict[int, Waveform]:
        self._dma.machine.record()
        now = self._dma.machine.entries()[0][1]
        found = {line: (now >> line & 1,) for its_lines in CHANNELS.values() for line in its_lines}
        for channel in self._dma.slots:
            levels, lines = self._dma.levels(channel), self._dma.info(channel)["lines"]
            found.update(
                (line, plain(at >> line & 1 for at in levels)) for line in found if lines >> line & 1
            )
        return found


class OursByTimer(Ours):
    """By the C timer's plan, on a simulated board whose clock is moved by hand. When a turn begins is not known."""

    def _new_board(self) -> SimBackend:
        self._clock = ManualClock()
        self._board = SimBackend(boards.by_name(NAME), self._clock)
        return self._board

    def _waveforms(self) -> dict[int, Waveform]:
        found: dict[int, Waveform] = {}
        for channel, lines in CHANNELS.items():
            if PWM.is_channel_initialized(channel):
                found.update(self._levels(lines, PWM.get_channel_subcycle_time_us(channel)))
            else:
                found.update((line, (self._level(line),)) for line in lines)
        return found

    def _level(self, line: int) -> int:
        return self._board.read(line) if self._board.function(line) == OUT else 0

    def _levels(self, lines: Iterable[int], subcycle_us: int) -> dict[int, Waveform]:
        slot_ns = PWM.get_pulse_incr_us() * 1000
        slots = subcycle_us * 1000 // slot_ns
        levels: dict[int, list[int]] = {line: [] for line in lines}
        self._clock.advance(2 * slots * slot_ns + slot_ns // 2)
        for _ in range(slots):
            for line, found in levels.items():
                found.append(self._level(line))
            self._clock.advance(slot_ns)
        self._clock.advance(slot_ns - slot_ns // 2)
        return {line: plain(found) for line, found in levels.items()}


def shrunk(program: Program, fails: Callable[[Program], object]) -> Program:
    """Return as few of its calls as still fail."""
    at = 0
    while at < len(program):
        shorter = (*program[:at], *program[at + 1 :])
        if fails(shorter):
            program, at = shorter, 0
        else:
            at += 1
    return program
