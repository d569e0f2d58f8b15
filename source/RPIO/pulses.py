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

    def forget(self) -> None:
        """Nobody drives anything any more."""
        self._owners.clear()

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
            self._drive(line, period_ns, high_ns)
            self._owners[line] = id(owner)

    def change(self, line: int, owner: object, period_ns: int, high_ns: int) -> None:
        """As start(); nothing where the line is no output of this owner any more, as after cleanup()."""
        with self._lock:
            if self._owners.get(line) == id(owner) and self._is_output(line):
                self._drive(line, period_ns, high_ns)

    def _drive(self, line: int, period_ns: int, high_ns: int) -> None:
        backend = self._backend()
        assert backend is not None, "an output has a backend"
        backend.pwm(line, period_ns, high_ns)

    def end(self, line: int, owner: object) -> None:
        """End the pulses of this owner, low. Nothing where it has none; takes no lock: see PWM.__del__()."""
        if self._owners.get(line) == id(owner):
            del self._owners[line]
            backend = self._backend()
            if backend is not None:
                backend.end_pwm(line)
