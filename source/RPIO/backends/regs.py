# SPDX-License-Identifier: LGPL-3.0-or-later
"""Levels, functions and pulls through the mapped registers of a Raspberry Pi. No edges: see joined."""

from __future__ import annotations

import errno
import os

from .. import constants, errors
from .._gpio import Registers, SoftPwm
from .checks import check_limit, check_pull, check_pwm, check_pwm_change, check_wave
from .protocol import Backend, check_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..machine.boards import Hardware

GPIO_OFFSET = {"brcm,bcm2835-gpio": 0x200000, "brcm,bcm2711-gpio": 0x200000, "raspberrypi,rp1-gpio": 0xD0000}
"""Where the GPIO block lies behind the peripheral base. Source: the device trees of the Raspberry Pi kernel."""


def candidates(hardware: Hardware) -> list[tuple[str, int]]:
    """Return the (device file, offset) pairs through which the block may be reached, the best first."""
    found = [(path, 0) for path in (hardware.gpiomem, "/dev/gpiomem") if path]
    if hardware.peripheral_base is not None and hardware.gpio_compatible is not None:
        found.append(("/dev/mem", hardware.peripheral_base + GPIO_OFFSET[hardware.gpio_compatible]))
    return list(dict.fromkeys(found))


def usable(hardware: Hardware) -> bool:
    """Whether one of the device files may be opened by this user."""
    return any(os.access(path, os.R_OK | os.W_OK) for path, _ in candidates(hardware))


def map_block(hardware: Hardware, path: str = "") -> tuple[Registers, str]:
    """Map the block, through *path* or the first file that works; return it and the file.

    Raises:
        OSError: of the first file that exists, where none works.
    """
    compatible = hardware.gpio_compatible or ""
    first: OSError | None = None
    for candidate, offset in [(path, 0)] if path else candidates(hardware):
        try:
            return Registers(compatible, candidate, offset), candidate
        except OSError as e:
            if first is None or first.errno == errno.ENOENT:
                first = e
    raise first or OSError(errno.ENODEV, "this board has no registers that are known", hardware.name)


class RegsBackend(Backend):
    """A mapped register *block*; *chip* and *path* name it for people. *soft_pwm* is made when PWM needs it."""

    name = "regs"
    features = frozenset({"functions", "pulls", "pwm"})

    def __init__(self, block: Registers, chip: str, path: str, soft_pwm: SoftPwm | None = None) -> None:
        self.block: Registers = block
        self._chip, self._path = chip, path
        self.line_count = block.line_count
        self._soft_pwm = soft_pwm

    def describe(self) -> str:
        return f"registers of {self._chip} through {self._path}"

    def function(self, line: int) -> int:
        check_line(self, line)
        return self.block.function(line)

    def set_function(self, line: int, function: int) -> None:
        check_line(self, line)
        try:
            self.block.set_function(line, function)
        except OSError:
            raise ValueError(f"{self._chip} has no function {function} for a line") from None
        self._end_pwm(line, 0)
        self._end_limit(line)

    def set_input(self, line: int, pull: int | None) -> None:
        check_line(self, line)
        if pull is not None:
            self.set_pull(line, pull)
        self._end_pwm(line, 0)
        self.block.set_function(line, constants.IN)
        self._end_limit(line)

    def set_output(self, line: int, value: int | None) -> None:
        check_line(self, line)
        self._end_pwm(line, value or 0)
        if value is not None:
            self.block.write(line, value)
        self.block.set_pull(line, 0)
        self.block.set_function(line, constants.OUT)

    def read(self, line: int) -> int:
        check_line(self, line)
        try:
            return self.block.read(line)
        except OSError as e:
            if e.errno != errno.ENODATA:
                raise
            raise errors.NotSupportedError(
                f"GPIO {line}: the input buffer of its pad is off, so it has no level to read",
                hint=f"setup({line}, IN) switches it on",
            ) from None

    def write(self, line: int, value: int) -> None:
        check_line(self, line)
        self.block.write(line, 1 if value else 0)

    def set_pull(self, line: int, pull: int) -> None:
        check_line(self, line)
        check_pull(pull)
        self.block.set_pull(line, pull - constants.PUD_OFF)

    def pull(self, line: int) -> int | None:
        check_line(self, line)
        try:
            return self.block.pull(line) + constants.PUD_OFF
        except OSError as e:
            if e.errno == errno.ENOTSUP:
                return None
            raise

    @property
    def _pulses(self) -> SoftPwm:
        if self._soft_pwm is None:
            self._soft_pwm = SoftPwm()
        return self._soft_pwm

    def pwm(self, line: int, period_ns: int, high_ns: int) -> None:
        check_pwm(self, line, period_ns, high_ns)
        self._pulses.start_regs(self.block, line, period_ns, high_ns)

    def change_pwm(self, line: int, period_ns: int, high_ns: int) -> None:
        check_pwm_change(self, line, period_ns, high_ns)
        self._pulses.change(line, period_ns, high_ns)

    def end_pwm(self, line: int) -> None:
        check_line(self, line)
        self._end_pwm(line, 0)

    def _end_pwm(self, line: int, value: int) -> None:
        if self._soft_pwm is not None:
            self._soft_pwm.stop(line, value)

    def limit(self, line: int, after_ns: int, level: int) -> None:
        check_limit(self, line, after_ns)
        self._pulses.limit_regs(self.block, line, after_ns, level)

    def unlimit(self, line: int) -> None:
        check_line(self, line)
        self._end_limit(line)

    def limit_left(self, line: int) -> int | None:
        check_line(self, line)
        return self._soft_pwm.limit_left(line) if self._soft_pwm is not None else None

    def _end_limit(self, line: int) -> None:
        if self._soft_pwm is not None:
            self._soft_pwm.unlimit(line)

    def play(
        self, edges: list[tuple[int, int, int]], period_ns: int, turns: int, instead_of: int | None = None
    ) -> int:
        outputs: dict[int, Registers | int]
        outputs = dict.fromkeys(check_wave(self, edges, period_ns, instead_of), self.block)
        return self._pulses.play(outputs, edges, period_ns, turns, -1 if instead_of is None else instead_of)

    def wave(self, wave: int) -> tuple[bool, int] | None:
        return self._pulses.wave(wave)

    def stop_wave(self, wave: int) -> None:
        self._pulses.stop_wave(wave)

    def release(self, line: int) -> None:
        self.end_pwm(line)
        self._end_limit(line)

    def after_fork(self) -> None:
        if self._soft_pwm is not None:
            self._soft_pwm.abandon()

    def close(self) -> None:
        if self._soft_pwm is not None:
            for line in range(self.line_count):
                self._soft_pwm.stop(line)
            self._soft_pwm.close()
