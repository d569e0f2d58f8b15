# SPDX-License-Identifier: LGPL-3.0-or-later
"""The rules of PWM objects: one of them drives a channel, which has to be an output."""

from __future__ import annotations

from . import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import RLock
    from collections.abc import Callable

    from .backends import Backend
    from .numbering import Numbering


class Pulses:
    """Who drives which line with pulses. *is_output* says whether a line is set up as one here, *backend* returns the
    backend, or None where it is closed.
    """

    def __init__(
        self,
        numbering: Numbering,
        is_output: Callable[[int], bool],
        backend: Callable[[], Backend | None],
        lock: RLock,
    ) -> None:
        self._numbering, self._is_output, self._backend, self._lock = numbering, is_output, backend, lock
        self._owners: dict[int, int] = {}  # line -> id() of the PWM object that has it
        self._waves: dict[int, tuple[int, int]] = {}  # line -> period and high time, from start() to stop()

    def forget(self) -> None:
        """Nobody drives anything any more."""
        self._owners.clear()
        self._waves.clear()

    def drives(self, line: int) -> bool:
        """Whether a PWM object has been started on the line, and not been stopped."""
        return line in self._waves

    def claim(self, channel: int, owner: object) -> int:
        """Return the line of an output that the PWM object *owner* is going to drive. See RPIO.PWM."""
        line = self._numbering.line_of(channel)
        self._check_owner(line, owner)
        self._check_output(line)
        self._owners[line] = id(owner)
        return line

    def _check_owner(self, line: int, owner: object) -> None:
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
            self._check_output(line)
            self._drive(line, (period_ns, high_ns))
            self._owners[line] = id(owner)

    def change(self, line: int, owner: object, period_ns: int, high_ns: int) -> None:
        """As start(); nothing shows where the line is no output of this owner any more, as after cleanup()."""
        with self._lock:
            if self._owners.get(line) != id(owner):
                return
            if self._is_output(line):
                self._drive(line, (period_ns, high_ns))
            elif line in self._waves:
                self._waves[line] = period_ns, high_ns  # to go on with

    def _drive(self, line: int, wave: tuple[int, int]) -> None:
        backend = self._backend()
        assert backend is not None, "an output has a backend"
        backend.pwm(line, *wave)
        self._waves[line] = wave

    def resume(self, line: int) -> None:
        """The line is an output again: go on, as RPi.GPIO, whose thread has never noticed."""
        if line in self._waves:
            self._drive(line, self._waves[line])

    def end(self, line: int, owner: object) -> None:
        """End the pulses of this owner, low. Nothing where it has none; takes no lock: see PWM.__del__()."""
        if self._owners.get(line) == id(owner):
            self._owners.pop(line, None)
            self._end(line)

    def end_of(self, line: int) -> None:
        """End what drives the line, for good: it is being cleaned up. Its owner keeps it from others until stop()."""
        if line in self._waves:
            self._end(line)

    def end_all(self) -> None:
        """The same for all lines."""
        for line in list(self._waves):
            self._end(line)

    def _end(self, line: int) -> None:
        self._waves.pop(line, None)
        backend = self._backend()
        if backend is not None:
            backend.end_pwm(line)
