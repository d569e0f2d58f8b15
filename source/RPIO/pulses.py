# SPDX-License-Identifier: LGPL-3.0-or-later
"""The rules of PWM objects: one of them drives a channel, which has to be an output."""

from __future__ import annotations

from . import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import RLock
    from collections.abc import Callable

    from .backends import Backend
    from .dma_lines import DmaLines
    from .hardware_pwm import Channel as HardwareChannel
    from .numbering import Numbering


class NoLines:
    """The lines that DMA drives, where no program has asked for any."""

    lines: tuple[int, ...] = ()

    def drives(self, line: int) -> bool:
        """No."""
        return False

    def fits(self, line: int, period_ns: int) -> bool:
        """No."""
        return False

    def drive(self, line: int, period_ns: int, high_ns: int) -> bool:
        """No."""
        return False

    def leave(self, line: int) -> bool:
        """There were none."""
        return False

    def forget(self) -> None:
        """Nothing to forget."""


class Pulses:
    """Who drives which line with pulses. *is_output* says whether a line is set up as one here, *backend* returns the
    backend, or None where it is closed. *has_hardware* says whether an overlay has connected a line to the hardware's
    PWM, whose channel *open_hardware* takes. ``by_dma`` are the lines that DMA drives, set by who has the channels.
    """

    by_dma: DmaLines | NoLines = NoLines()

    def __init__(
        self,
        numbering: Numbering,
        is_output: Callable[[int], bool],
        backend: Callable[[], Backend | None],
        lock: RLock,
        has_hardware: Callable[[int], bool],
        open_hardware: Callable[[int], HardwareChannel],
    ) -> None:
        self._numbering, self._is_output, self._backend, self._lock = numbering, is_output, backend, lock
        self._has_hardware, self._open_hardware = has_hardware, open_hardware
        self._hardware: dict[int, HardwareChannel] = {}  # of lines that it drives
        self._owners: dict[int, int] = {}  # line -> id() of the PWM object that has it
        self._waves: dict[int, tuple[int, int]] = {}  # line -> period and high time, from start() to stop()
        self._enders: dict[int, Callable[[int], object]] = {}  # line -> what ends the pulses of attach()
        self._resumers: dict[int, Callable[[], object]] = {}  # line -> what goes on with them after setup()
        self.collect: Callable[[], object] = lambda: (
            None
        )  # lets go of lines whose pulses have ended by themselves

    def forget(self) -> None:
        """Nobody drives anything any more."""
        self._owners.clear()
        self._waves.clear()
        self._enders.clear()
        self._resumers.clear()
        self._hardware.clear()
        self.by_dma.forget()

    def check_free(self, line: int, owner: object) -> None:
        """Raise PWMExistsError for a line that another one than *owner* drives."""
        with self._lock:
            self._check_owner(line, owner)

    def attach(
        self,
        line: int,
        owner: object,
        end: Callable[[int], object],
        resume: Callable[[], object] = lambda: None,
        by_hardware: bool = False,
    ) -> None:
        """Let *owner* drive an output by means of its own, or a line *by_hardware*.

        *end* is called when the line is cleaned up, *resume* when it has been set up, as an input or an output.

        Raises:
            PWMExistsError, WrongDirectionException: as claim().
        """
        with self._lock:
            self._check_owner(line, owner)
            if not by_hardware:
                self._check_output(line)
            self._owners[line] = id(owner)
            self._enders[line], self._resumers[line] = end, resume

    def detach(self, line: int, owner: object) -> None:
        """The line is nobody's again. Nothing where it is not this owner's."""
        with self._lock:
            if self._owners.get(line) == id(owner):
                self._owners.pop(line, None)
                self._enders.pop(line, None)
                self._resumers.pop(line, None)

    def drives(self, line: int) -> bool:
        """Whether a PWM object has been started on the line, and not been stopped; or something is attached to it."""
        return line in self._waves or line in self._enders

    def leave_hardware(self, line: int) -> None:
        """The line is being set up, which takes it from the hardware's PWM: others go on with its pulses."""
        hardware = self._hardware.pop(line, None)
        if hardware is not None:
            hardware.close()

    def claim(self, channel: int, owner: object) -> int:
        """Return the line of an output that the PWM object *owner* is going to drive. See RPIO.PWM."""
        line = self._numbering.line_of(channel)
        self._check_owner(line, owner)
        self._check_driven(line)
        self._owners[line] = id(owner)
        return line

    def means_of(self, line: int, period_ns: int) -> str:
        """What drives the line, or would with that period: "hardware", "dma" or "soft"."""
        if self._by_hardware(line):
            return "hardware"
        if self.by_dma.drives(line):
            return "dma"
        return "soft" if line in self._waves or not self.by_dma.fits(line, period_ns) else "dma"

    def _by_hardware(self, line: int) -> bool:
        return line in self._hardware or self._has_hardware(line)

    def _check_driven(self, line: int) -> None:
        """Raise for a line that is no output, where the hardware does not drive it either."""
        if not self._by_hardware(line):
            self._check_output(line)

    def _check_owner(self, line: int, owner: object) -> None:
        if self._owners.get(line, id(owner)) != id(owner):
            self.collect()
        if self._owners.get(line, id(owner)) != id(owner):
            raise errors.PWMExistsError(
                "A PWM object already exists for this GPIO channel",
                hint="stop() the other one, or use it: ChangeDutyCycle(), ChangeFrequency()",
            )

    def _check_output(self, line: int) -> None:
        if not self._is_output(line):
            raise errors.WrongDirectionException(
                "You must setup() the GPIO channel as an output first",
                hint=f"setup({self._numbering.channel_of(line)}, OUT) first",
            )

    def start(self, line: int, owner: object, period_ns: int, high_ns: int) -> None:
        """Drive an output with pulses; with others from its next period on where it has some already."""
        with self._lock:
            self._check_owner(line, owner)
            self._check_driven(line)
            self._drive(line, (period_ns, high_ns))
            self._owners[line] = id(owner)

    def change(self, line: int, owner: object, period_ns: int, high_ns: int) -> None:
        """As start(); nothing shows where the line is no output of this owner any more, as after cleanup()."""
        with self._lock:
            if self._owners.get(line) != id(owner):
                return
            if self._is_output(line) or self._by_hardware(line):
                self._drive(line, (period_ns, high_ns))
            elif line in self._waves:
                self._waves[line] = period_ns, high_ns  # to go on with

    def _drive(self, line: int, wave: tuple[int, int]) -> None:
        may_take_dma = line not in self._waves or self.by_dma.drives(line)  # the C timer keeps what it has
        if self._by_hardware(line):
            self._drive_hardware(line, wave)
        elif not may_take_dma or not self.by_dma.drive(line, *wave):
            backend = self._backend()
            assert backend is not None, "an output has a backend"
            backend.pwm(line, *wave)
        self._waves[line] = wave

    def _drive_hardware(self, line: int, wave: tuple[int, int]) -> None:
        if line not in self._hardware:
            self._hardware[line] = self._open_hardware(line)
        self._hardware[line].set(*wave)
        self._hardware[line].enable()

    def resume(self, line: int) -> None:
        """The line is an output again: go on, as RPi.GPIO, whose thread has never noticed."""
        if line in self._waves:
            self._drive(line, self._waves[line])
        self.interrupt(line)

    def interrupt(self, line: int) -> None:
        """The line has been set up: what is attached to it goes on as far as it can."""
        resume = self._resumers.get(line)
        if resume is not None:
            resume()

    def end(self, line: int, owner: object) -> None:
        """End the pulses of this owner, low. Nothing where it has none; takes no lock: see PWM.__del__()."""
        if self._owners.get(line) == id(owner):
            self._owners.pop(line, None)
            self._end(line)

    def end_of(self, line: int) -> None:
        """End what drives the line, for good: it is being cleaned up. Its owner keeps it from others until stop()."""
        end = self._enders.pop(line, None)
        self._resumers.pop(line, None)
        if end is not None:
            self._owners.pop(line, None)
            end(line)
        if line in self._waves:
            self._end(line)

    def end_all(self) -> bool:
        """The same for all lines. Whether there were any."""
        lines = [*self._waves, *self._enders]
        for line in lines:
            self.end_of(line)
        return bool(lines)

    def end_lent(self) -> None:
        """End the lines that DMA drives, low: it is about to be given back."""
        for line in self.by_dma.lines:
            self.end_of(line)

    def _end(self, line: int) -> None:
        self._waves.pop(line, None)
        if self.by_dma.leave(line):
            return
        hardware = self._hardware.pop(line, None)
        if hardware is not None:
            hardware.set_low()
            hardware.close()
            return
        backend = self._backend()
        if backend is not None:
            backend.end_pwm(line)
