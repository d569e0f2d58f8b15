# SPDX-License-Identifier: LGPL-3.0-or-later
"""One rig per backend: the backend, and the outside of the lines that it drives.

A rig says only what a wire and a voltmeter could say. Where its outside cannot tell, it answers None, and a test
then asks something else. `open_rig` makes one from its name; `NAMES` are those that can be made here.
"""

from __future__ import annotations

import atexit
import errno
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache, cached_property
from importlib.machinery import ExtensionFileLoader
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import cffi
import pytest

from c import compiling, soc_build
from c.core import MODULE, PARTS, broken
from RPIO import _gpio, constants, errors
from RPIO.backends import Backend
from RPIO.backends.cdev import CdevBackend
from RPIO.backends.joined import JoinedBackend
from RPIO.backends.regs import RegsBackend
from RPIO.backends.remote import RemoteBackend
from RPIO.backends.sim import SimBackend
from RPIO.backends.sim_time import ManualClock
from RPIO.backends.sysfs import SysfsBackend
from RPIO.backends.sysfs_chips import ROOT, find_chip, find_device
from RPIO.board.board import Board
from RPIO.loop.kernel import readable
from RPIO.machine import boards
from RPIO.machine.files import text_of, write_file
from RPIO.server import serving
from RPIO.server.connections.front import Front
from ssh_parts import Far, why_not
from tls_parts import environment, paired
from waiting import wait_until

BCM_ALTS = frozenset(
    {constants.ALT0, constants.ALT1, constants.ALT2, constants.ALT3, constants.ALT4, constants.ALT5}
)
"""BCM2835 ARM Peripherals, 6.1, GPFSELn; the BCM2711's table is the same."""
RP1_ALTS = frozenset(
    {
        constants.ALT0,
        constants.ALT1,
        constants.ALT2,
        constants.ALT3,
        constants.ALT4,
        constants.ALT6,
        constants.ALT7,
        constants.ALT8,
    }
)
"""RP1 Peripherals, 3.1, FUNCSEL 0 to 8; 5 is plain GPIO."""

ALTERNATES = (
    constants.ALT0,
    constants.ALT1,
    constants.ALT2,
    constants.ALT3,
    constants.ALT4,
    constants.ALT5,
    constants.ALT6,
    constants.ALT7,
    constants.ALT8,
)

Shown = tuple[int, "bool | None"]
"""What a line shows: its level, and whether its output driver is on (None: cannot tell)."""
Wave = list[tuple[int, int]]
"""What a line shows in time: (nanoseconds since the start, level), the first level and every other one."""


class Rig:
    """A backend and its outside. `drive`, `level`, `pull` and `driving` are what a wire and a voltmeter do.

    `alternates` are the functions that the chip has. `unset_function` is whether its lines wake up with no function
    and their input off. `tells_pull` is whether its pulls can be read back at all.
    `shared` is whether `reopen` gives a second backend on the *same* lines. `falls_back` is whether an output that
    nobody holds any more shows the outside's level. `stays_taken` is whether an output is still taken when its backend
    has been closed, `lingers` whether anything is left of a process that has not closed it.
    `tells_function` is whether a line that nobody has set up has a known direction, `tells_holder` whether a holder's
    name is known, `tells_removal` whether there is a descriptor for a chip that goes.
    `reads_are_shared` is whether a line that somebody holds can be read and watched all the same, `lines_are_files`
    whether one that is held has a descriptor open, `seen_by_children` whether the outside is the same for the child of
    a fork, `has_work` whether gone_fd() is more than a notice, and `gone_says` and `gone_errno` what a chip that has
    gone is told by.
    `is_simulated` is whether the backend is a simulated board, `tells_who_left` whether it tells that a line is as
    somebody has left it.
    `has_registers` is whether lines are mapped registers, `has_descriptors` whether one that is set up is a descriptor,
    `has_clock` whether time is the test's. `label` is what the kernel calls the chip.
    `quiet_ms` is how long an edge may take to arrive.
    `exact` is whether PWM runs in the test's time, to the nanosecond; else `blind_ns` is how long a wave was not
    looked at.
    """

    alternates: frozenset[int] = frozenset()
    unset_function = False
    tells_pull = True
    shared = True
    falls_back = False
    exact = True
    blind_ns = 0
    stays_taken = False
    lingers = False
    tells_function = True
    tells_holder = True
    tells_removal = True
    reads_are_shared = False
    lines_are_files = True
    holds_alone = False
    seen_by_children = True
    has_work = False
    is_simulated = False
    tells_who_left = False
    gone_says = "GPIO {line}: its chip has been removed"
    gone_errno = errno.ENODEV
    has_registers = False
    has_descriptors = False
    has_clock = False
    label: str | None = None
    quiet_ms = 0
    backend: Backend

    def drive(self, line: int, value: int | None) -> None:
        """Hold the line at 0 or 1 from outside; None lets go, where the outside can."""
        raise NotImplementedError

    def level(self, line: int) -> int | None:
        """What a voltmeter shows."""
        raise NotImplementedError

    def pull(self, line: int) -> int | None:
        """The pull in effect, found from outside; None: cannot tell. The line must not be driving."""
        return None

    def driving(self, line: int) -> bool | None:
        """Whether the line's own driver is on; None: cannot tell."""
        return None

    def busy(self, line: int, name: str) -> Any:
        """A context in which somebody else holds the line under that name; None: there is no such thing."""
        return None

    def remove(self) -> bool:
        """Take the chip away; False where it cannot go, and has not."""
        return False

    @contextmanager
    def another_chip(self) -> Iterator[None]:
        """Have one more chip in the machine, where there can be one."""
        yield

    def reopen(self) -> Backend:
        """Another backend like this rig's; on the same lines where `shared`. The caller closes it."""
        raise NotImplementedError

    def shows_during(self, line: int, action: Callable[[], object]) -> list[Shown]:
        """Everything that the line shows from before the action until after it, as far as it can be seen."""
        before = self.level(line)
        action()
        after = self.level(line)
        assert before is not None
        assert after is not None
        return [(before, None), (after, self.driving(line))]

    def wave_during(self, line: int, action: Callable[[], object]) -> Wave:
        """What the line shows while the action runs. Of several levels at one time it has the last."""
        raise NotImplementedError

    def writes(self) -> int | None:
        """How often the backend has changed a register so far; None: cannot tell."""
        return None

    def now_ns(self) -> int:
        """The clock of event times."""
        return time.monotonic_ns()

    def pass_us(self, microseconds: int) -> None:
        """Let time pass."""
        time.sleep(microseconds / 1e6)

    def let_arrive(self, line: int, number: int) -> None:
        """Wait until the edge of that number is there."""
        time.sleep(self.quiet_ms / 1000)

    def close(self) -> None:
        """End, and check that no rule of the hardware was broken."""
        self.backend.close()


class _Wave:
    """A wave that is being recorded."""

    def __init__(self, level: int) -> None:
        self.levels: Wave = [(0, level)]

    def add(self, at_ns: int, level: int) -> None:
        if self.levels[-1][0] == at_ns:
            self.levels.pop()
        if not self.levels or self.levels[-1][1] != level:
            self.levels.append((at_ns, level))


# -- the simulated board --------------------------------------------------------------------------------


class SimRig(Rig):
    """A simulated 4B, whose time the test moves. What is wired to its lines is part of the backend."""

    alternates = BCM_ALTS
    shared = False
    has_clock = is_simulated = True
    PROBE = 26

    def __init__(self) -> None:
        self.clock = ManualClock(1_000_000_000)
        self.backend: SimBackend = SimBackend(boards.by_name("4B"), self.clock)

    def drive(self, line: int, value: int | None) -> None:
        self.backend.drive(line, value)

    def level(self, line: int) -> int:
        return self.backend.read(line)

    def pull(self, line: int) -> int:
        """Drive the line up and down, and look where it goes when let go of."""
        held = self.backend.driven(line)
        rests = set()
        for value in (0, 1, self.level(line)):
            self.drive(line, value)
            self.drive(line, None)
            rests.add((value, self.level(line)))
        self.drive(line, held)
        if all(value == rest for value, rest in rests):
            return constants.PUD_OFF
        return constants.PUD_UP if (0, 1) in rests else constants.PUD_DOWN

    def shows_during(self, line: int, action: Callable[[], object]) -> list[Shown]:
        """A second line, joined by a wire, records the edges."""
        self.backend.set_input(self.PROBE, constants.PUD_OFF)
        self.backend.wire(line, self.PROBE)
        recorder = self.backend.watch(self.PROBE, constants.BOTH)
        levels = [self.level(self.PROBE)]
        action()
        levels += [event.value for event in _gpio.events_read(recorder)]
        assert levels[-1] == self.level(self.PROBE)
        self.backend.unwatch(self.PROBE)
        self.backend.unwire(self.PROBE)
        return [(level, None) for level in levels]

    def wave_during(self, line: int, action: Callable[[], object]) -> Wave:
        """As shows_during(), with the times of the recorder."""
        self.backend.set_input(self.PROBE, constants.PUD_OFF)
        self.backend.wire(line, self.PROBE)
        recorder = self.backend.watch(self.PROBE, constants.BOTH)
        start_ns, wave = self.now_ns(), _Wave(self.level(self.PROBE))
        action()
        while events := _gpio.events_read(recorder):
            for event in events:
                wave.add(event.timestamp_ns - start_ns, event.value)
        self.backend.unwatch(self.PROBE)
        self.backend.unwire(self.PROBE)
        return wave.levels

    def reopen(self) -> Backend:
        return SimBackend(boards.by_name("4B"), ManualClock())

    def now_ns(self) -> int:
        return self.clock.now_ns()

    def pass_us(self, microseconds: int) -> None:
        self.clock.advance(microseconds * 1000)


# -- registers over a modelled SoC ----------------------------------------------------------------------

CORE = compiling.PROJECT / "source" / "c_gpio"
CORE_SOURCES = [*(CORE / f"{part}.c" for part in (*PARTS, *MODULE)), *soc_build.SOC_SOURCES]
CORE_FLAGS = (
    "-std=c11",
    "-D_GNU_SOURCE",
    *soc_build.WIDE,
    "-DRPIO_MODELLED_SOC",
    "-O1",
    "-g",
    "-fPIC",
    "-Wall",
    "-pthread",
    "-shared",
)


@cache
def modelled_core() -> tuple[ModuleType, Any, cffi.FFI]:
    """The project's extension module over the modelled SoC; the model's own functions; and cffi.

    Built once per content, in a folder of its own that is renamed when it is whole: two processes may build at once.
    """
    headers = sorted({*CORE.glob("*.h"), *soc_build.HERE.glob("*.h")})
    digest = hashlib.sha256(repr((CORE_FLAGS, compiling.compiler(), sys.version)).encode())
    for file in (*CORE_SOURCES, *headers):
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    folder = compiling.CACHE / f"core-{digest.hexdigest()[:20]}"
    library = folder / f"_gpio{sysconfig.get_config_var('EXT_SUFFIX')}"
    if not library.exists():
        _build_core(library)
    spec = importlib.util.spec_from_file_location(
        "_gpio", library, loader=ExtensionFileLoader("_gpio", str(library))
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    ffi = cffi.FFI()
    ffi.cdef(soc_build.SOC_CDEF)
    return module, ffi.dlopen(str(library)), ffi


def _build_core(library: Path) -> None:
    folder = library.parent
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", dir=folder.parent))
    try:
        python = [f"-I{sysconfig.get_path(key)}" for key in ("include", "platinclude")]
        command = [*compiling.compiler(), *CORE_FLAGS, f"-I{CORE}", f"-I{soc_build.HERE}", *python]
        command += [*map(str, CORE_SOURCES), "-o", str(work / library.name)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
        try:
            work.rename(folder)
        except OSError:
            assert library.exists()  # another process was faster, and built the same
    finally:
        shutil.rmtree(work, ignore_errors=True)


class RegsRig(Rig):
    """The registers of a modelled SoC. An output wins over the outside world.

    PWM goes in steps: the model is no place for a thread, and so a wave is exact.
    """

    has_registers = True

    def __init__(self, compatible: str, alternates: frozenset[int], tells_pull: bool) -> None:
        self.core, self.soc, self.ffi = modelled_core()
        self.compatible, self.alternates, self.tells_pull = compatible, alternates, tells_pull
        self.pointer = self.soc.soc_new(compatible.encode())
        assert self.pointer != self.ffi.NULL
        self._driven: list[tuple[int, int, int]] = []  # when (accesses before it), line, level
        self._pwm_ns = 0  # the time of PWM
        self._engines: list[Any] = []
        self._look: Callable[[], object] = lambda: None
        self.backend = self.reopen()

    def reopen(self) -> Backend:
        address = int(self.ffi.cast("uintptr_t", self.pointer))
        block = self.core.Registers(self.compatible, "modelled", address)
        engine = self.core.SoftPwm(stepped=True)
        engine.step(self._pwm_ns)
        self._engines.append(engine)
        return RegsBackend(block, self.compatible, "modelled", engine)

    def pass_us(self, microseconds: int) -> None:
        end_ns = self._pwm_ns + microseconds * 1000
        while self._pwm_ns < end_ns:
            due = [engine.step(self._pwm_ns) for engine in self._engines]
            self._look()
            self._pwm_ns = min([end_ns, *(when for when in due if when is not None)])
        for engine in self._engines:
            engine.step(end_ns)
        self._look()

    def wave_during(self, line: int, action: Callable[[], object]) -> Wave:
        start_ns, wave = self._pwm_ns, _Wave(self.level(line))
        self._look = lambda: wave.add(self._pwm_ns - start_ns, self.level(line))
        action()
        self._look()
        self._look = lambda: None
        return wave.levels

    def drive(self, line: int, value: int | None) -> None:
        level = -1 if value is None else value
        self._driven.append((self.soc.soc_log_count(self.pointer), line, level))
        self.soc.soc_drive(self.pointer, line, level)

    def level(self, line: int) -> int:
        return int(self.soc.soc_level(self.pointer, line))

    def pull(self, line: int) -> int:
        return (
            int(self.soc.soc_pull(self.pointer, line)) + constants.PUD_OFF
        )  # 3, both, is then no pull at all

    def driving(self, line: int) -> bool:
        return bool(self.soc.soc_is_driving(self.pointer, line))

    def writes(self) -> int:
        return sum(is_write for _, _, is_write in self._accesses())

    def _accesses(self) -> list[tuple[int, int, int]]:
        offset, value = self.ffi.new("uint32_t *"), self.ffi.new("uint32_t *")
        is_write = self.ffi.new("int *")
        accesses = []
        for index in range(self.soc.soc_log_count(self.pointer)):
            assert self.soc.soc_log_entry(self.pointer, index, offset, value, is_write) == 0
            accesses.append((offset[0], value[0], is_write[0]))
        return accesses

    def shows_during(self, line: int, action: Callable[[], object]) -> list[Shown]:
        """Do all accesses since power-on again on a second SoC, where one can look after each of them.

        The log has no waits, so the second SoC waits before every access, longer than any pull needs.
        """
        start = self.soc.soc_log_count(self.pointer)
        action()
        second = self.ffi.gc(self.soc.soc_new(self.compatible.encode()), self.soc.soc_free)
        accesses = self._accesses()
        outside = list(self._driven)
        shows = []

        def look() -> None:
            driving = bool(self.soc.soc_is_driving(second, line))
            shows.append((int(self.soc.soc_level(second, line)), driving))

        for index in range(len(accesses) + 1):
            while outside and outside[0][0] <= index:
                _, number, level = outside.pop(0)
                self.soc.soc_drive(second, number, level)
            if index >= start:
                look()
            self.soc.soc_wait_ns(second, 10_000)
            if index >= start:
                look()
            if index < len(accesses) and accesses[index][2]:
                self.soc.soc_write(second, *accesses[index][:2])
        assert shows[-1] == (self.level(line), self.driving(line))
        return shows

    def close(self) -> None:
        super().close()
        minded = broken(SimpleNamespace(lib=self.soc, ffi=self.ffi), self.pointer)
        self.soc.soc_free(self.pointer)
        assert minded == []


def _bcm2835() -> RegsRig:
    return RegsRig("brcm,bcm2835-gpio", BCM_ALTS, False)


class Rp1Rig(RegsRig):
    """RP1, whose lines have no function after power-on. Source: RP1 Peripherals, 3.1.4, reset of FUNCSEL and IE."""

    unset_function = True

    def __init__(self) -> None:
        super().__init__("raspberrypi,rp1-gpio", RP1_ALTS, True)


class AloneRig(RegsRig):
    """Registers joined with nothing: a Raspberry Pi whose kernel has no gpiochip."""

    def reopen(self) -> Backend:
        return JoinedBackend(super().reopen(), None, errors.NoBackendError("there is no gpiochip here"))


# -- the kernel's character device over a simulated chip ------------------------------------------------


class SharedChip:
    """A chip of 54 lines as it comes, for one case after the other, and what is known of it once and for all.

    To make one, and to find it in sysfs, takes hundreds of system calls, and those are what a case in the guest costs.
    """

    def __init__(self) -> None:
        from kernel.gpiosim import Chip

        self.chip = Chip(num_lines=54, label="contract")

    @cached_property
    def folder(self) -> str:
        """Its folder in sysfs."""
        return find_chip(self.chip.label, None)

    @cached_property
    def device(self) -> str | None:
        """Its device file, as a backend for that folder finds it."""
        return find_device(self.folder)

    @cached_property
    def _exports(self) -> dict[str, int]:
        """Name in sysfs -> the kernel's number of that line."""
        base = int(text_of(f"{self.folder}/base"))
        return {f"gpio{number}": number for number in range(base, base + self.chip.num_lines)}

    def unexport(self) -> None:
        """Take back what is exported."""
        for name in os.listdir(ROOT):
            if name in self._exports:
                write_file(f"{ROOT}/unexport", str(self._exports[name]))

    def close(self, has_exports: bool) -> None:
        """Make it a chip that nobody has used, if it is still there. That somebody holds a line of it is an error."""
        if self.chip.is_there():
            if has_exports:
                self.unexport()
            self.chip.reset()


_shared: SharedChip | None = None


def shared_chip() -> SharedChip:
    """Return the chip of the cases, a new one where the last has been removed."""
    global _shared
    if _shared is None or not _shared.chip.is_there():
        _shared = SharedChip()
    return _shared


def remove_shared_chip() -> None:
    """Take it away, where there is one."""
    if _shared is not None:
        _shared.chip.remove()


class _SimulatedChip(Rig):
    """What the rigs with a gpio-sim chip have in common."""

    quiet_ms = 2
    """The kernel has delivered an edge when the write that makes it returns: kernel/test_rig.py."""
    exports = False
    """Whether a backend may leave lines exported."""

    def __init__(self) -> None:
        self.shared_chip = shared_chip()
        self.chip = self.shared_chip.chip
        self.label = self.chip.label

    def remove(self) -> bool:
        self.chip.remove()
        return True

    @contextmanager
    def another_chip(self) -> Iterator[None]:
        from kernel.gpiosim import Chip

        with Chip(num_lines=2, label="another"):
            yield

    @contextmanager
    def busy(self, line: int, name: str) -> Iterator[None]:
        with _held_by(self.chip.path, line, name):
            yield

    def close(self) -> None:
        try:
            super().close()
            self.shared_chip.close(self.exports)
        except BaseException:
            self.chip.remove()  # the next case has nothing to do with that
            raise


class CdevRig(_SimulatedChip):
    """A chip of gpio-sim, in the guest kernel.

    Its outside has one knob, which is the line's pull, the outside's level and what a bias sets, all in one: the
    last one wins. So `drive(line, None)` changes nothing here, and PUD_OFF cannot be seen.
    """

    falls_back = holds_alone = True
    exact = False
    has_descriptors = True
    BLIND_NS = 1_000_000
    """As far apart may two looks at a level be; the machine may be busy with other things."""

    def __init__(self) -> None:
        super().__init__()
        self._look: Callable[[], object] | None = None
        self.backend = self.reopen()

    def reopen(self) -> Backend:
        return CdevBackend(self.chip.path)

    def drive(self, line: int, value: int | None) -> None:
        if value is not None:
            self.chip.drive(line, value)

    def level(self, line: int) -> int:
        return self.chip.level(line)

    def pass_us(self, microseconds: int) -> None:
        """While a wave is recorded nobody sleeps: looking takes the time."""
        end_ns = self.now_ns() + microseconds * 1000
        while self._look is not None and self.now_ns() < end_ns:
            self._look()
        if self._look is None:
            super().pass_us(microseconds)

    def wave_during(self, line: int, action: Callable[[], object]) -> Wave:
        start_ns = seen_ns = self.now_ns()
        wave = _Wave(self.level(line))
        self.blind_ns = 0

        def look() -> None:
            nonlocal seen_ns
            level, now_ns = self.level(line), self.now_ns()
            if now_ns - seen_ns > self.BLIND_NS:
                self.blind_ns += now_ns - seen_ns
            seen_ns = now_ns
            wave.add(now_ns - start_ns, level)

        self._look = look
        action()
        look()
        self._look = None
        return wave.levels


@contextmanager
def _held_by(path: str, line: int, name: str) -> Iterator[None]:
    """Request the line, as it is, under that name. Source: linux/gpio.h, struct gpio_v2_line_request."""
    request = bytearray(592)
    request[:4] = line.to_bytes(4, "little")  # offsets[0]
    request[256:288] = name.encode().ljust(32, b"\0")  # consumer
    request[560:564] = (1).to_bytes(4, "little")  # num_lines
    chip = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        import fcntl

        fcntl.ioctl(chip, 0xC250B407, request)  # GPIO_V2_GET_LINE_IOCTL
    finally:
        os.close(chip)
    held = int.from_bytes(request[588:592], "little")  # fd
    try:
        yield
    finally:
        os.close(held)


class JoinedRig(_SimulatedChip, RegsRig):
    """Modelled registers for the levels, a gpio-sim chip for the edges: the outside moves both."""

    def __init__(self) -> None:
        _SimulatedChip.__init__(self)
        RegsRig.__init__(self, "brcm,bcm2835-gpio", BCM_ALTS, False)

    def reopen(self) -> Backend:
        return JoinedBackend(RegsRig.reopen(self), CdevBackend(self.chip.path))

    def edges(self) -> CdevBackend:
        """The backend that watches this rig's lines."""
        assert isinstance(self.backend, JoinedBackend)
        assert isinstance(self.backend._edges, CdevBackend)
        return self.backend._edges

    def drive(self, line: int, value: int | None) -> None:
        super().drive(line, value)
        if value is not None:
            self.chip.drive(line, value)

    def pass_us(self, microseconds: int) -> None:
        """For the registers, whose time goes in steps, and for the kernel where that watches a line."""
        RegsRig.pass_us(self, microseconds)
        if self.edges()._held:
            Rig.pass_us(self, microseconds)


# -- sysfs over a simulated chip -------------------------------------------------------------------------


class _Paced(_SimulatedChip):
    """An outside that waits, when it has moved a line, until the pump has seen the edge: faster ones count once."""

    WAIT_S = 60.0

    quiet_ms = 5
    exports = True
    hidden = False
    """Whether the chip's device file is not there to tell about lines, as in a container."""

    def open_sysfs(self) -> SysfsBackend:
        return SysfsBackend(self.shared_chip.folder, None if self.hidden else self.shared_chip.device)

    def edges(self) -> SysfsBackend:
        """The backend that watches this rig's lines."""
        raise NotImplementedError

    def move(self, line: int, value: int) -> None:
        backend = self.edges()
        held, pump = backend._held.get(line), backend._pump
        reports = held is not None and held.bits & (1 if value else 2) and self.chip.level(line) != value
        seen = pump.seq(line) if reports and pump else None
        self.chip.drive(line, value)
        end_s = time.monotonic() + self.WAIT_S
        while seen is not None and pump is not None and pump.seq(line) == seen:
            assert time.monotonic() < end_s, "the pump has not seen an edge"
            os.sched_yield()


class SysfsRig(_Paced):
    """A chip of gpio-sim through /sys/class/gpio. Its outside is that of CdevRig."""

    tells_pull = False
    stays_taken = lingers = holds_alone = True

    def __init__(self) -> None:
        super().__init__()
        self.backend: SysfsBackend = self.reopen()

    def reopen(self) -> SysfsBackend:
        return self.open_sysfs()

    def edges(self) -> SysfsBackend:
        return self.backend

    def drive(self, line: int, value: int | None) -> None:
        if value is not None:
            self.move(line, value)

    def level(self, line: int) -> int:
        return self.chip.level(line)


class HiddenSysfsRig(SysfsRig):
    """The same without the chip's device file."""

    hidden = True
    tells_function = False
    tells_removal = False
    tells_holder = False


class JoinedSysfsRig(_Paced, RegsRig):
    """Modelled registers for the levels, /sys/class/gpio for the edges."""

    lingers = True

    def __init__(self) -> None:
        _SimulatedChip.__init__(self)
        RegsRig.__init__(self, "brcm,bcm2835-gpio", BCM_ALTS, False)

    def reopen(self) -> Backend:
        return JoinedBackend(RegsRig.reopen(self), self.open_sysfs())

    def edges(self) -> SysfsBackend:
        assert isinstance(self.backend, JoinedBackend)
        assert isinstance(self.backend._edges, SysfsBackend)
        return self.backend._edges

    def drive(self, line: int, value: int | None) -> None:
        super().drive(line, value)
        if value is not None:
            self.move(line, value)

    def pass_us(self, microseconds: int) -> None:
        """For the registers, whose time goes in steps, and for the kernel where that watches a line."""
        RegsRig.pass_us(self, microseconds)
        if self.edges()._held:
            Rig.pass_us(self, microseconds)


# -- another process's lines, over a socket -------------------------------------------------------------


class Pumped(RemoteBackend):
    """A remote backend with the loop that a Board has: a thread that calls is_gone() when gone_fd() is readable.

    close() waits until the server has closed its side too: tests count this process's descriptors.
    """

    def __init__(self, front: Front, where: str) -> None:
        self.front = front
        self._process = os.getpid()
        super().__init__(where, timeout_s=30.0, patience_s=0.0)
        self._begin_to_pump()

    def _begin_to_pump(self) -> None:
        self._end: _gpio.Pipe | None = _gpio.Pipe()
        self._pump = threading.Thread(target=self._pump_all, args=(self._end, self.gone_fd()), daemon=True)
        self._pump.start()

    def _pump_all(self, end: _gpio.Pipe, fd: int | None) -> None:
        fds = [end.reader] if fd is None else [end.reader, fd]
        while readable(fds, None) and not end.waiting():
            self.is_gone()

    def _ask_anew(self, *request: Any) -> bytes:
        answer = super()._ask_anew(*request)
        self._begin_to_pump()  # of the child of a fork
        return answer

    def close(self) -> None:
        if os.getpid() != self._process:  # a child's, which has no such thread, and no server
            super().close()
        elif self._end is not None:
            self._end.put(b"x")
            self._pump.join()
            self._end.close()
            self._end = None
            own = self._connection.session
            super().close()
            end_s = time.monotonic() + 30.0
            while own in [other.talk.session.name for other in list(self.front.links.values())]:
                assert time.monotonic() < end_s, "the server has not closed the connection"
                time.sleep(0.001)


class RemoteRig(Rig):
    """The lines of another rig: those of a board that is served in this process, in a thread."""

    has_registers = has_descriptors = has_clock = False
    lingers = stays_taken = reads_are_shared = has_work = True
    gone_says = "there is no connection to 127.0.0.1"
    gone_errno = errno.ECONNRESET
    quiet_ms = 30

    def __init__(self, inner: Rig) -> None:
        self.inner = inner
        self.holds_alone = inner.backend.holds_alone
        self.lines_are_files = inner.backend.holds_lines  # of the server, in this process
        self.seen_by_children = isinstance(inner, _SimulatedChip)
        for name in (
            "alternates",
            "unset_function",
            "tells_pull",
            "exact",
            "tells_function",
            "tells_holder",
            "is_simulated",
        ):
            setattr(self, name, getattr(inner, name))
        self.tells_who_left = (
            inner.is_simulated
        )  # that a line was given back; elsewhere another process may have it
        self.board = Board("sim")  # nothing opens that: it is given another
        self.board.use(inner.backend)
        _ = self.board.leases
        self.where = self.serve()
        (self.front,) = self.board.waiting.ports.servers
        self.board.wait_for_interrupts(threaded=True)
        self._others: list[Backend] = []
        self.backend: Pumped = self.reopen()

    def serve(self) -> str:
        """Serve the board; return where."""
        return f"127.0.0.1:{serving.serve(self.board, 0, '127.0.0.1', None)}"

    def reopen(self) -> Pumped:
        other = Pumped(self.front, self.where)
        self._others.append(other)
        return other

    @contextmanager
    def busy(self, line: int, name: str) -> Iterator[None]:
        """Another session has it."""
        holder = Pumped(self.front, self.where)
        session = self.front.sessions.named[holder._connection.session]
        session.owner.name = name
        try:
            holder.set_input(line, None)
            yield
            holder.release(line)
        except errors.LineBusyError as e:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY)) from e
        finally:
            holder.close()

    def remove(self) -> bool:
        """The server goes, and does not come back."""
        self.board.waiting.ports.close()
        return True

    def drive(self, line: int, value: int | None) -> None:
        self.inner.drive(line, value)

    def level(self, line: int) -> int | None:
        return self.inner.level(line)

    def pull(self, line: int) -> int | None:
        return self.inner.pull(line)

    def driving(self, line: int) -> bool | None:
        return self.inner.driving(line)

    def shows_during(self, line: int, action: Callable[[], object]) -> list[Shown]:
        return self.inner.shows_during(line, action)

    def wave_during(self, line: int, action: Callable[[], object]) -> Wave:
        return self.inner.wave_during(line, action)

    def writes(self) -> int | None:
        return self.inner.writes()

    def now_ns(self) -> int:
        return self.inner.now_ns()

    def pass_us(self, microseconds: int) -> None:
        self.inner.pass_us(microseconds)

    def let_arrive(self, line: int, number: int) -> None:
        assert wait_until(lambda: self.backend._watches.routes.last(line) >= number)

    def another_chip(self) -> AbstractContextManager[None]:
        return self.inner.another_chip()

    def close(self) -> None:
        for other in self._others:
            other.close()
        self.board.close()
        self.inner.close()


class SshRig(RemoteRig):
    """The same by ssh: its far end finds the server of this process where a daemon's is."""

    gone_says = "there is no connection to ssh://far"
    _far: Far | None = None

    def __init__(self, inner: Rig) -> None:
        reason = why_not()
        if reason:
            inner.close()
            pytest.skip(reason)
        if SshRig._far is None:  # for all of them: their logins are shared
            SshRig._far = Far(backend="cdev:/nowhere")  # when the server has gone, there is no other board
            atexit.register(SshRig._far.close)
        environment = SshRig._far.environment
        self._before = {name: os.environ.get(name) for name in environment}
        os.environ.update(environment)
        super().__init__(inner)

    def serve(self) -> str:
        assert self._far is not None
        serving.serve(self.board, 0, "127.0.0.1", self._far.socket)
        return "ssh://far"

    def close(self) -> None:
        super().close()
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


class TlsRig(RemoteRig):
    """The same by TLS, with a certificate: the port is open to other machines."""

    def __init__(self, inner: Rig) -> None:
        self._environment = environment(paired().environment)
        self._environment.__enter__()
        super().__init__(inner)

    def serve(self) -> str:
        return f"127.0.0.1:{serving.serve(self.board, 0, 'any', None)}"

    def close(self) -> None:
        super().close()
        self._environment.__exit__(None, None, None)


# -- which there are ------------------------------------------------------------------------------------

BCM_LINES = (4, 9, 10, 17, 27, 31, 32, 53)
"""Both sides of every seam: GPFSEL at 10, GPSET and GPLEV at 32, the pulls of a BCM2711 at 16, the last line."""

_HOST: dict[str, tuple[Callable[[], Rig], tuple[int, ...]]] = {
    "sim": (SimRig, (4, 9, 10, 17, 27, 31, 32, 53)),
    "regs-bcm2835": (_bcm2835, BCM_LINES),
    "regs-bcm2711": (lambda: RegsRig("brcm,bcm2711-gpio", BCM_ALTS, True), (*BCM_LINES, 57)),
    "regs-rp1": (Rp1Rig, (4, 9, 10, 17, 27, 28, 33, 34, 53)),
    "remote-sim": (lambda: RemoteRig(SimRig()), (4, 9, 10, 17, 27, 31, 32, 53)),
    "remote-tls": (lambda: TlsRig(SimRig()), (4, 17, 31, 53)),
    "remote-regs": (lambda: RemoteRig(RegsRig("brcm,bcm2711-gpio", BCM_ALTS, True)), (*BCM_LINES, 57)),
    "remote-rp1": (lambda: RemoteRig(Rp1Rig()), (4, 9, 10, 17, 27, 28, 33, 34, 53)),
    "ssh-sim": (lambda: SshRig(SimRig()), (4, 9, 10, 17, 27, 31, 32, 53)),
    "regs-alone": (lambda: AloneRig("brcm,bcm2835-gpio", BCM_ALTS, False), BCM_LINES),
}
_GUEST: dict[str, tuple[Callable[[], Rig], tuple[int, ...]]] = {
    "cdev": (CdevRig, BCM_LINES),
    "remote-cdev": (lambda: RemoteRig(CdevRig()), BCM_LINES),
    "joined": (JoinedRig, BCM_LINES),
    "sysfs": (SysfsRig, BCM_LINES),
    "sysfs-hidden": (HiddenSysfsRig, BCM_LINES),
    "joined-sysfs": (JoinedSysfsRig, BCM_LINES),
}
IN_GUEST = os.environ.get("RPIO_RIG") == "1"
RIGS = _GUEST if IN_GUEST else _HOST
if os.environ.get("RPIO_LINES") != "all":  # as `make test-every` has it: over a socket one is like another
    RIGS = {
        name: rig
        for name, rig in RIGS.items()
        if name not in ("remote-regs", "remote-rp1", "remote-cdev", "ssh-sim")
    }

if _gpio.PURE:
    RIGS = {
        name: (RIGS[name][0], (4, 17, 27, 53)) for name in ("sim", "remote-sim")
    }  # no registers, no seams

NAMES = tuple(RIGS)
LINES = {name: lines for name, (_, lines) in RIGS.items()}
"""Rig -> lines that are free to use."""


def open_rig(name: str) -> Rig:
    """Make the rig of that name, on hardware after power-on."""
    return RIGS[name][0]()
