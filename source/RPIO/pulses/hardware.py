# SPDX-License-Identifier: LGPL-3.0-or-later
"""The lines that the hardware's PWM can drive on this board: which do now, what the others lack, and their channels.

What the hardware is like is in machine/pwm_lines and pwmchip, which are loaded when the first line asks.
"""

from __future__ import annotations

from .. import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import RLock
    from collections.abc import Callable, Container

    from ..backends import Backend
    from ..machine.boards import Hardware
    from .pwmchip import PwmChannel


OF_THIS_MACHINE = ("regs", "cdev", "sysfs")
"""Backends that drive this machine's own lines. The pwmchips in /sys are no others'."""


class HardwareLines:
    """*directions* has the lines that are set up, as plain inputs and outputs that is; *check_free* raises where a
    channel of RPIO.PWM has taken the hardware's PWM to pace DMA.
    """

    def __init__(
        self,
        hardware: Callable[[], Hardware],
        backend: Callable[[], Backend],
        directions: Container[int],
        lock: RLock,
        check_free: Callable[[int], object],
    ) -> None:
        self._hardware, self._backend, self._directions = hardware, backend, directions
        self._lock, self._check_free = lock, check_free
        self._taken: list[PwmChannel] = []

    def has(self, line: int) -> bool:
        """Whether an overlay has connected the line to the hardware's PWM, and it is set up as nothing else."""
        from ..machine import pwm_lines

        if line in self._directions:
            return False
        if self._has_own_chip(line):
            return True
        if not pwm_lines.lines(self._hardware()).get(line):
            return False
        return pwm_lines.is_muxed(self._backend().function(line), line, self._hardware())

    def check(self, line: int) -> None:
        """Raise NotSupportedError for a line that the hardware's PWM cannot drive now; the text says what to do."""
        if advice := self._missing(line):
            raise errors.NotSupportedError(f"GPIO {line} is not connected to its hardware PWM: {advice}")
        if line in self._directions:
            raise errors.NotSupportedError(
                f"GPIO {line} was set up, which takes it from its hardware PWM: leave setup() out"
            )

    def advice(self, line: int) -> str:
        """What a line that has hardware PWM needs to be connected to it; "" for any other."""
        try:
            return self._missing(line)
        except errors.NotSupportedError:
            return ""

    def _missing(self, line: int) -> str:
        from ..machine import pwm_lines

        if self._has_own_chip(line):
            return ""
        return pwm_lines.missing(line, self._hardware(), self._backend().function)

    def _has_own_chip(self, line: int) -> bool:
        """Whether an overlay has given the line a pwmchip of its own; never so for a board that is simulated."""
        from ..machine import pwm_lines

        return self._backend().name in OF_THIS_MACHINE and line in pwm_lines.own_chips()

    def _open_ones(self) -> list[PwmChannel]:
        return [channel for channel in self._taken if channel.is_open]

    def take(self, line: int) -> PwmChannel:
        """Return the line's channel of the hardware's PWM, taken for this program.

        Raises:
            what pwmchip.find() and PwmChannel.export() raise.
        """
        from . import pwmchip

        with self._lock:
            self._taken = self._open_ones()
            self._check_free(line)
            channel = pwmchip.find(line, self._hardware(), held=self._taken)
            channel.export()
            self._taken.append(channel)
            return channel

    def close(self) -> None:
        """Give all channels back."""
        for channel in self._taken:
            channel.close()
        self._taken.clear()

    def forget(self) -> None:
        """In the child of a fork: the channels are the parent's."""
        self._taken.clear()
