# SPDX-License-Identifier: LGPL-3.0-or-later
"""Lines through the kernel's gpiochip character device, version 2.

Each line that is set up is one request, and its descriptor is what its edges are read from. A line that is
not held is only looked at: the kernel may switch a line to input when a request for it ends, so nothing here
takes an output of somebody else just to read it.
"""

from __future__ import annotations

import errno
import os

from .. import constants, errors, log
from .._gpio import (
    Line,
    Registers,
    SoftPwm,
    chip_info,
    events_read,
    line_configure,
    line_info,
    line_read,
    line_request,
    line_write,
    lines_after_fork,
)
from .cdev_chips import open_chip, speaks_v2
from .checks import check_edge, check_limit, check_pull, check_pwm, check_pwm_change, check_wave
from .descriptors import HoldingBackend, RemovalWatch, busy, locked
from .protocol import check_line

CONSUMER = "RPIO"
AS_IS = -1


class _Held:
    """A line that this process has requested, or is about to."""

    __slots__ = ("bits", "debounce_us", "direction", "line", "pull")

    def __init__(self, direction: int, pull: int, bits: int, debounce_us: int) -> None:
        self.line = Line()
        self.direction = direction
        self.pull = pull
        self.bits = bits
        self.debounce_us = debounce_us

    @property
    def fd(self) -> int:
        """Of the request; -1 before, and after it."""
        return self.line.fd


class CdevBackend(HoldingBackend):
    """The lines of the gpiochip at *path*."""

    name = "cdev"
    features = frozenset({"edges", "filter", "consumers", "pulls", "pwm"})

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path
        self._held: dict[int, _Held] = {}
        self._latch: dict[int, int] = {}
        self._limited: dict[int, int] = {}  # line -> what its limit writes
        self._soft_pwm: SoftPwm | None = None  # made when PWM needs it
        self._waves: dict[int, int] = {}  # number -> its first line, which errors name
        self._removal = RemovalWatch(path)
        self._chip = open_chip(path)
        try:
            if not speaks_v2(self._chip.fd):
                raise errors.NoBackendError(
                    f"{path} is of a kernel before 5.10, which has version 1 of the interface only",
                    hint="RPIO_BACKEND=sysfs drives lines on such a kernel",
                )
            _, self.label, self.line_count = chip_info(self._chip.fd)
        except BaseException:
            self.close()
            raise

    def describe(self) -> str:
        return f"{self._path} ({self.label}, {self.line_count} lines)"

    # -- requests --------------------------------------------------------------------------------

    def _explain(self, error: OSError, line: int) -> OSError:
        """The kernel's error with the line, its holder and what to do."""
        if error.errno == errno.EBUSY and self._holding(line) is None:
            return busy(line, self.consumer(line), self._path, self.label)
        if error.errno == errno.ENODEV:
            return errors.LineGoneError.of(line, self._path)
        number = error.errno if error.errno is not None else errno.EIO
        return OSError(number, f"GPIO {line}: {os.strerror(number)}", self._path)

    def _holding(self, line: int) -> _Held | None:
        """The line where it is held; a signal handler may look while it is being requested."""
        held = self._held.get(line)
        return held if held is not None and held.fd >= 0 else None

    def _request(
        self, line: int, direction: int, value: int, pull: int, bits: int = 0, debounce_us: int = 0
    ) -> _Held:
        """Request the line; again, where a signal handler has released it in the middle: as if it had come before."""
        size = constants.EVENT_BUFFER_SIZE
        held = _Held(direction, pull, bits, debounce_us)
        while True:
            self._held[line] = held  # before it is: so that a handler finds it
            try:
                line_request(
                    held.line, self._chip.fd, line, size, direction, value, pull, bits, debounce_us, CONSUMER
                )
            except OSError as e:
                if self._held.get(line) is held:
                    self._held.pop(line, None)
                raise self._explain(e, line) from None
            if self._held.get(line) is held:
                return held
            held.line.close()

    def _configure(
        self,
        line: int,
        held: _Held,
        direction: int,
        value: int,
        pull: int,
        bits: int,
        debounce_us: int,
        is_read: bool = False,
    ) -> None:
        try:
            line_configure(held.fd, direction, value, pull, bits, debounce_us)
        except OSError as e:
            raise self._explain(e, line) from None
        waits = held.bits and not bits and not is_read
        held.direction, held.pull, held.bits, held.debounce_us = direction, pull, bits, debounce_us
        while waits and events_read(held.fd):
            pass  # what waits is dropped

    def _take(self, line: int, direction: int, value: int, pull: int) -> None:
        while True:
            held = self._holding(line)
            if held is None:
                self._request(line, direction, value, pull)
                return
            bits, debounce_us = (held.bits, held.debounce_us) if direction == constants.IN else (0, 0)
            try:
                self._configure(line, held, direction, value, pull, bits, debounce_us)
            except OSError:
                if self._held.get(line) is held:  # else a signal handler has released it in the middle
                    raise
            else:
                return

    def _info(self, line: int) -> dict[str, object]:
        try:
            return line_info(self._chip.fd, line)
        except OSError as e:
            raise self._explain(e, line) from None

    @locked
    def line_fd(self, line: int) -> int | None:
        check_line(self, line)
        held = self._holding(line)
        return held.fd if held is not None else None

    # -- the protocol ----------------------------------------------------------------------------

    @locked
    def function(self, line: int) -> int:
        check_line(self, line)
        held = self._holding(line)
        if held is not None:
            return held.direction
        return constants.OUT if self._info(line)["is_output"] else constants.IN

    @locked
    def set_input(self, line: int, pull: int | None) -> None:
        check_line(self, line)
        if pull is None:
            held = self._holding(line)
            code = held.pull if held else AS_IS
        else:
            check_pull(pull)
            code = pull - constants.PUD_OFF
        self._end_pwm(line, 0)
        self._keep_latch(line)
        self._take(line, constants.IN, 0, code)
        self._end_limit(line)

    def _keep_latch(self, line: int) -> None:
        """Remember what an output drives: the C functions write to its descriptor without a word to us."""
        held = self._holding(line)
        if held is not None and held.direction == constants.OUT:
            try:
                self._latch[line] = line_read(held.fd)
            except OSError as e:
                if self._held.get(line) is held:  # else a signal handler has released it
                    raise self._explain(e, line) from None

    @locked
    def set_output(self, line: int, value: int | None) -> None:
        check_line(self, line)
        self._end_pwm(line, value or 0)
        held = self._holding(line)
        if value is None:
            if held is not None and held.direction == constants.OUT:
                self._keep_latch(line)  # an error, where the chip has gone
                return
            value = self._level_to_drive(line, held)
        self._take(line, constants.OUT, 1 if value else 0, 0)
        self._latch[line] = 1 if value else 0

    def _level_to_drive(self, line: int, held: _Held | None) -> int:
        """What an output that nobody holds drives now; of an input what was last written to it, 0 for nothing.

        An output is requested as it is for that.
        """
        if held is not None or self.function(line) != constants.OUT:
            return self._latch.get(line, 0)
        held = self._request(line, AS_IS, 0, AS_IS)
        held.direction = constants.OUT
        self._keep_latch(line)
        return self._latch.get(line, 0)

    @locked
    def read(self, line: int) -> int:
        check_line(self, line)
        held = self._holding(line)
        try:
            if held is not None:
                return line_read(held.fd)
        except OSError as e:
            raise self._explain(e, line) from None
        if self.function(line) == constants.OUT and not self.consumer(line):
            raise errors.NotSupportedError(
                f"GPIO {line} is an output that this program does not hold; the kernel gives its level only to "
                "its holder",
                hint=f"setup({line}, OUT) takes it over without a change of level",
            )
        try:
            return line_read(self._request(line, AS_IS, 0, AS_IS).fd)
        finally:
            self._let_go(line)

    @locked
    def write(self, line: int, value: int) -> None:
        check_line(self, line)
        bit = 1 if value else 0
        held = self._holding(line)
        if self.function(line) == constants.OUT:
            if held is None:
                self._request(line, constants.OUT, bit, AS_IS)
            else:
                try:
                    line_write(held.fd, bit)
                except OSError as e:
                    raise self._explain(e, line) from None
        self._latch[line] = bit

    @locked
    def set_pull(self, line: int, pull: int) -> None:
        check_line(self, line)
        check_pull(pull)
        if self.function(line) != constants.OUT:
            self._take(line, constants.IN, 0, pull - constants.PUD_OFF)

    @locked
    def pull(self, line: int) -> int | None:
        check_line(self, line)
        held = self._holding(line)
        code = held.pull if held is not None else self._info(line)["pull"]
        return None if code == AS_IS else code + constants.PUD_OFF  # type: ignore[operator]

    @locked
    def watch(self, line: int, edge: int, filter_us: int = 0) -> int:
        check_line(self, line)
        bits = check_edge(edge)
        held = self._holding(line)
        if self.function(line) != constants.IN:
            raise errors.WrongDirectionException(f"GPIO {line} is no input", hint=f"setup({line}, IN) first")
        pull = held.pull if held is not None else AS_IS
        if held is None:
            return self._request(line, constants.IN, 0, pull, bits, filter_us).fd
        self._configure(line, held, constants.IN, 0, pull, bits, filter_us)
        return held.fd

    @locked
    def unwatch(self, line: int, is_read: bool = False) -> None:
        check_line(self, line)
        held = self._holding(line)
        if held is not None and held.bits:
            try:
                self._configure(line, held, constants.IN, 0, held.pull, 0, 0, is_read)
            except errors.LineGoneError:
                pass

    @locked
    def held(self) -> list[int]:
        return list(self._held)

    @locked
    def release(self, line: int) -> None:
        check_line(self, line)
        self._end_pwm(line, 0)
        self._end_limit(line)
        self._let_go(line)

    def _let_go(self, line: int) -> None:
        """Close the request. What was last written is remembered: the line drives it when it is an output again."""
        held = self._held.get(line)
        if held is not None:
            held.line.close()
            if self._held.get(line) is held:
                self._held.pop(line, None)

    @locked
    def pwm(self, line: int, period_ns: int, high_ns: int) -> None:
        check_pwm(self, line, period_ns, high_ns)
        held = self._holding(line) or self._request(line, constants.OUT, 0, AS_IS)
        try:
            self._pulses.start_fd(held.fd, line, period_ns, high_ns)
        except OSError as e:
            raise self._explain(e, line) from None

    @locked
    def change_pwm(self, line: int, period_ns: int, high_ns: int) -> None:
        check_pwm_change(self, line, period_ns, high_ns)
        try:
            self._pulses.change(line, period_ns, high_ns)
        except OSError as e:
            raise self._explain(e, line) from None

    @locked
    def limit(self, line: int, after_ns: int, level: int) -> None:
        check_limit(self, line, after_ns)
        held = self._holding(line) or self._request(line, constants.OUT, 0, AS_IS)
        self._limited[line] = level
        self._pulses.limit_fd(held.fd, line, after_ns, level)

    @locked
    def unlimit(self, line: int) -> None:
        check_line(self, line)
        self._end_limit(line)

    @locked
    def limit_left(self, line: int) -> int | None:
        check_line(self, line)
        try:
            return self._soft_pwm.limit_left(line) if self._soft_pwm is not None else None
        except OSError as e:
            raise self._explain(e, line) from None

    def _end_limit(self, line: int) -> None:
        """The line is given back, or drives nothing. What it was written when its time was over was written last."""
        level, soft_pwm = self._limited.get(line), self._soft_pwm
        if soft_pwm is None:
            return
        try:
            if level is not None and soft_pwm.limit_left(line) == 0:
                self._latch[line] = level
        except OSError as e:
            log.debug("- GPIO %s: its chip had gone when its time was over: %s", line, e)
        soft_pwm.unlimit(line)  # also where a signal handler has forgotten it in the middle of limit()
        self._limited.pop(line, None)

    @property
    def _pulses(self) -> SoftPwm:
        if self._soft_pwm is None:
            self._soft_pwm = SoftPwm()
        return self._soft_pwm

    @locked
    def play(
        self, edges: list[tuple[int, int, int]], period_ns: int, turns: int, instead_of: int | None = None
    ) -> int:
        lines = check_wave(self, edges, period_ns, instead_of)
        held = {line: self._holding(line) or self._request(line, constants.OUT, 0, AS_IS) for line in lines}
        outputs: dict[int, Registers | int] = {line: held[line].fd for line in lines}
        try:
            wave = self._pulses.play(
                outputs, edges, period_ns, turns, -1 if instead_of is None else instead_of
            )
        except OSError as e:
            raise self._explain(e, lines[0]) from None
        self._waves.pop(instead_of or 0, None)
        self._waves[wave] = lines[0]
        return wave

    @locked
    def wave(self, wave: int) -> tuple[bool, int] | None:
        try:
            return self._pulses.wave(wave)
        except OSError as e:
            raise self._explain(e, self._waves[wave]) from None

    @locked
    def stop_wave(self, wave: int) -> None:
        self._waves.pop(wave, None)
        self._pulses.stop_wave(wave)

    @locked
    def end_pwm(self, line: int) -> None:
        check_line(self, line)
        self._end_pwm(line, 0)

    def _end_pwm(self, line: int, value: int) -> None:
        """End the line's PWM with this level; what a chip that has gone says to it is of no use."""
        try:
            if self._soft_pwm is not None and self._soft_pwm.stop(line, value):
                self._latch[line] = 1 if value else 0
        except OSError:
            self._latch[line] = 0

    @locked
    def consumer(self, line: int) -> str:
        check_line(self, line)
        info = self._info(line)
        return str(info["consumer"] or "?") if info["used"] else ""

    def _chip_is_gone(self) -> bool:
        try:
            chip_info(self._chip.fd)
        except OSError as e:
            return e.errno == errno.ENODEV
        return False

    def after_fork(self) -> None:
        super().after_fork()
        lines_after_fork()
        if self._soft_pwm is not None:
            self._soft_pwm.abandon()
        for line in list(self._held):
            self.release(line)  # this process's copy of the descriptor: the parent's request lives on

    @locked
    def close(self) -> None:
        for line in list(self._held):
            self.release(line)
        if self._soft_pwm is not None:
            self._soft_pwm.close()
        self._removal.close()
        self._chip.close()
