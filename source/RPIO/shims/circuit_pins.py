# SPDX-License-Identifier: LGPL-3.0-or-later
"""CircuitPython's pins, as digitalio and board have them, on RPIO's lines. Under ``rpio run``, without Blinka.

Source: CircuitPython's documentation of digitalio and board; Adafruit-Blinka 10.0.0 for what is an AttributeError.
"""

from __future__ import annotations

from RPIO import facade
from RPIO.constants import BCM, IN, OUT, PUD_DOWN, PUD_OFF, PUD_UP


class Pin:
    """A line, by its GPIO number: ``id``."""

    __slots__ = ("id",)

    def __init__(self, id: int) -> None:
        self.id = id

    def __repr__(self) -> str:
        return f"board.D{self.id}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pin) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)


class _Name:
    """One of the things that an attribute may be."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return f"digitalio.{self._text}"


class Direction:
    """INPUT or OUTPUT."""

    INPUT, OUTPUT = _Name("Direction.INPUT"), _Name("Direction.OUTPUT")


class Pull:
    """UP or DOWN; None is neither."""

    UP, DOWN = _Name("Pull.UP"), _Name("Pull.DOWN")


class DriveMode:
    """PUSH_PULL, or OPEN_DRAIN, which drives low alone."""

    PUSH_PULL, OPEN_DRAIN = _Name("DriveMode.PUSH_PULL"), _Name("DriveMode.OPEN_DRAIN")


PULLS = {Pull.UP: PUD_UP, Pull.DOWN: PUD_DOWN, None: PUD_OFF}
driven_low: set[int] = set()
"""Outputs of DigitalInOut that are low: a chip select among them says which device an SPI bus means."""


class DigitalInOut:
    """A line as an input or an output; an input to begin with.

    Raises:
        AttributeError: what inputs have is asked of an output, or the other way round.
    """

    def __init__(self, pin: Pin) -> None:
        self._line: int | None = pin.id
        self._direction: _Name = Direction.INPUT
        self._pull: _Name | None = None
        self._mode: _Name = DriveMode.PUSH_PULL
        self._level = False
        facade.setmode(BCM)
        self.switch_to_input()

    def __enter__(self) -> DigitalInOut:
        return self

    def __exit__(self, *error: object) -> None:
        self.deinit()

    def deinit(self) -> None:
        """Give up the line. Twice is fine."""
        line, self._line = self._line, None
        if line is not None:
            driven_low.discard(line)
            facade.cleanup(line)

    def _opened(self) -> int:
        if self._line is None:
            raise ValueError("Object has been deinitialized and can no longer be used. Create a new object.")
        return self._line

    def switch_to_input(self, pull: _Name | None = None) -> None:
        """Make it an input with that pull."""
        if pull not in PULLS:
            raise AttributeError("Not a Pull")
        line = self._opened()
        driven_low.discard(line)
        facade.setup(line, IN, PULLS[pull])
        self._direction, self._pull = Direction.INPUT, pull

    def switch_to_output(self, value: bool = False, drive_mode: _Name = DriveMode.PUSH_PULL) -> None:
        """Make it an output with that level."""
        self._opened()
        self._direction, self._mode = Direction.OUTPUT, drive_mode
        self._set(bool(value))

    def _set(self, value: bool) -> None:
        line = self._opened()
        self._level = value
        if value and self._mode is DriveMode.OPEN_DRAIN:
            facade.setup(line, IN)
        else:
            facade.setup(line, OUT, initial=value)
        (driven_low.discard if value else driven_low.add)(line)

    @property
    def direction(self) -> _Name:
        """Direction.INPUT or OUTPUT."""
        return self._direction

    @direction.setter
    def direction(self, value: _Name) -> None:
        """Make it one."""
        if value is Direction.OUTPUT:
            self.switch_to_output()
        elif value is Direction.INPUT:
            self.switch_to_input()
        else:
            raise AttributeError("Not a Direction")

    @property
    def value(self) -> bool:
        """The level."""
        return bool(facade.forceinput(self._opened()))

    @value.setter
    def value(self, value: bool) -> None:
        """Drive it."""
        if self._direction is not Direction.OUTPUT:
            raise AttributeError("Not an output")
        if self._mode is DriveMode.OPEN_DRAIN:
            self._set(bool(value))
            return
        line = self._opened()
        facade.output(line, bool(value))
        self._level = bool(value)
        (driven_low.discard if value else driven_low.add)(line)

    @property
    def pull(self) -> _Name | None:
        """The pull of an input."""
        if self._direction is not Direction.INPUT:
            raise AttributeError("Not an input")
        return self._pull

    @pull.setter
    def pull(self, value: _Name | None) -> None:
        """Set it."""
        if self._direction is not Direction.INPUT:
            raise AttributeError("Not an input")
        self.switch_to_input(value)

    @property
    def drive_mode(self) -> _Name:
        """How an output is driven."""
        if self._direction is not Direction.OUTPUT:
            raise AttributeError("Not an output")
        return self._mode

    @drive_mode.setter
    def drive_mode(self, value: _Name) -> None:
        """Drive it so."""
        if self._direction is not Direction.OUTPUT:
            raise AttributeError("Not an output")
        self._mode = value
        self._set(self._level)
