# SPDX-License-Identifier: LGPL-3.0-or-later
"""What may be done with a line: its direction, its level, its pull.

Order of checks and texts of errors are RPi.GPIO's (0.7.1), whose programs rely on them; where the original RPIO
differs, doc/differences says so. ``hint`` of an error says what to do.
"""

from __future__ import annotations

from .. import arguments, constants, errors, log
from ..machine.headers import is_well_known
from .manners import FIXED_PULL_WARNING, IN_USE_WARNING, OFF_HEADER_WARNING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import RLock
    from collections.abc import Callable, Sequence

    from ..arguments import Channels
    from ..pulses.pulses import Pulses
    from .book import Book
    from .grants import Grants
    from .listeners import Listeners
    from .machine import Machine
    from .manners import Manners
    from .numbering import Numbering


class Lines:
    """The lines of a board. *listeners* returns who hears edges and *pulses* what makes pulses, None where nothing has
    asked for any yet: asked anew each time, for a signal handler may be the first.
    """

    def __init__(
        self,
        numbering: Numbering,
        machine: Machine,
        book: Book,
        manners: Manners,
        listeners: Callable[[], Listeners | None],
        pulses: Callable[[], Pulses | None],
        lock: RLock,
    ) -> None:
        self._line_of, self._machine, self._book, self._manners = numbering.line_of, machine, book, manners
        self._listeners, self._pulses, self._lock = listeners, pulses, lock
        self.grants: Grants
        """Set by the board: it asks these lines for what C cannot do."""

    # -- setting up ------------------------------------------------------------------------------

    def setup(
        self, channels: Channels, direction: int | str, pull_up_down: int | str, initial: int | None
    ) -> None:
        """Set channels up. See RPIO.setup()."""
        is_strict = self._manners.is_strict
        direction = arguments.direction_of(direction)
        if is_strict:
            pull_up_down = arguments.number_of("pull_up_down", pull_up_down, arguments.PULL_NAMES)
        initial = None if initial is None else arguments.integer("initial", initial)
        many = arguments.channel_list(channels)
        arguments.check_direction(direction)
        if is_strict and direction == constants.OUT and pull_up_down != constants.PUD_OFF:
            raise ValueError("pull_up_down parameter is not valid for outputs")
        if direction == constants.IN and initial is not None and initial != -1:
            raise ValueError("initial parameter is not valid for inputs")
        pull = arguments.pull_of(pull_up_down, historic=not is_strict)
        value = initial if initial in (0, 1) else None  # as RPi.GPIO, which ignores other integers
        with self._lock:  # all of them: no other thread sees half a list
            for channel in many:
                self._setup_line(self._line_of(arguments.channel_in_list(channel)), direction, pull, value)

    def _setup_line(self, line: int, direction: int, pull: int, value: int | None) -> None:
        if self._manners.warns:
            self._warn_of_use(line, pull if direction == constants.IN else constants.PUD_OFF)
        self._book.until_kept(lambda: self._set_up(line, direction, pull, value))

    def _set_up(self, line: int, direction: int, pull: int, value: int | None) -> None:
        if (pulses := self._pulses()) is not None:
            pulses.line_is_about_to_be_set_up(line)
        if direction == constants.IN:
            self._book.own(line, lambda: self._machine.backend.set_input(line, pull))
        elif self._book.is_output(line) and pulses is not None and pulses.has_pulses(line):
            if value is not None:  # as RPi.GPIO: shows until the next edge, and PWM goes on
                self._machine.backend.write(line, int(value))
        else:
            if (listeners := self._listeners()) is not None:
                listeners.line_is_about_to_be_output(line)
            level = None if value is None else int(value)
            self._book.own(line, lambda: self._machine.backend.set_output(line, level))
        self.set_direction(line, direction)
        if direction == constants.IN and (listeners := self._listeners()) is not None:
            listeners.line_is_input(line)
        if (pulses := self._pulses()) is not None:
            pulses.line_is_set_up(line, direction)

    def make_output(self, line: int) -> None:
        """Have a line that is no output be one, low."""
        with self._lock:
            if not self._book.is_output(line):
                self._setup_line(line, constants.OUT, constants.PUD_OFF, 0)

    def make_input(self, channel: int, pull_up_down: int | str | None = None) -> None:
        """Have a channel be an input with that pull, as add_interrupt_callback() does; None leaves the pull."""
        pull = arguments.pull_or_none(pull_up_down)
        with self._lock:
            self.make_line_input(self._line_of(channel), pull)

    def make_line_input(self, line: int, pull: int | None) -> None:
        """As the original: an input gets its pull changed, anything else becomes an input."""
        if self._machine.backend.function(line) == constants.IN and line in self._book.directions:
            if pull is not None:
                self._machine.backend.set_pull(line, pull)
            return
        if self._book.is_output(line):
            self._manners.warn(f"GPIO {line} was an output of this program; it is an input now")
        elif self._manners.warns:
            self._warn_of_use(line, pull)
        log.debug("- changing gpio function of GPIO %s to INPUT", line)
        self._book.own(line, lambda: self._machine.backend.set_input(line, pull))
        self.set_direction(line, constants.IN)

    def set_direction(self, line: int, direction: int | None) -> None:
        """Remember what a line is set up as, None for not at all; grant it to the C functions accordingly."""
        if direction is None:
            self._book.directions.pop(line, None)
        else:
            self._book.directions[line] = direction
        self.grants.set(line)

    def _warn_of_use(self, line: int, pull: int | None) -> None:
        backend, hardware = self._machine.backend, self._machine.hardware
        function = backend.function(line)
        foreign_output = function == constants.OUT and line not in self._book.directions
        # A held line is refused with its holder's name where lines are held; what nobody holds is free there.
        if not backend.holds_lines and (function not in (constants.IN, constants.OUT) or foreign_output):
            self._manners.warn(IN_USE_WARNING)
        if pull in (constants.PUD_DOWN, constants.PUD_UP) and line in hardware.fixed_pull_ups:
            self._manners.warn(FIXED_PULL_WARNING)
        if not self._manners.is_strict and hardware.board_channels and not hardware.has_pin(line):
            self._manners.warn(OFF_HEADER_WARNING.format(line, hardware.name))

    # -- levels ----------------------------------------------------------------------------------

    def output(self, channel: Channels, value: int | Sequence[int]) -> None:
        """Set outputs. See RPIO.output()."""
        channels = arguments.channel_list(channel)
        values = arguments.value_list(value)
        several = isinstance(value, (list, tuple))
        if several and (len(values) != len(channels) or not isinstance(channel, (list, tuple))):
            raise RuntimeError("Number of channels != number of values")
        with self._lock:
            for position, one in enumerate(channels):
                number = arguments.channel_in_list(one)
                level = arguments.level_in_list(values[position if several else 0])
                line = self._line_of(number)
                if self._book.directions.get(line) != constants.OUT:
                    raise errors.WrongDirectionException(
                        "The GPIO channel has not been set up as an OUTPUT", hint=f"setup({one}, OUT) first"
                    )
                self._machine.backend.write(line, level)

    def input(self, channel: int) -> int:
        """Read a channel. See RPIO.input()."""
        with self._lock:
            line = self._line_of(channel)
            if line not in self._book.directions:
                raise errors.WrongDirectionException(
                    "You must setup() the GPIO channel first",
                    hint=f"setup({channel}, IN), or forceinput({channel})",
                )
            return self._machine.backend.read(line)

    # What RPIO.output() and RPIO.input() cannot do ends there, with this name in the errors of wrong calls.
    output.__qualname__, input.__qualname__ = "output", "input"

    def force_output(self, channel: int, value: int) -> None:
        """Write without setup()."""
        level = arguments.level_in_list(value)
        with self._lock:
            line = self._line_of(channel)
            self._book.taken.add(line)
            self._machine.backend.write(line, level)
            self._book.taken.add(line)  # a signal handler may have cleaned up in the middle

    def force_input(self, channel: int) -> int:
        """Read without setup()."""
        with self._lock:
            return self._look_at(self._line_of(channel))

    def _look_at(self, line: int) -> int:
        with self._lock:
            was_taken = line in self._book.taken
            self._book.taken.add(line)  # while it is looked at: interrupted in that, cleanup() lets go of it
            level = self._machine.backend.read(line)
            if not was_taken:
                self._book.taken.discard(line)
            return level

    def set_pull(self, channel: int, pull_up_down: int | str) -> None:
        """Set the pull of an input; ignored on an output."""
        pull = arguments.pull_of(pull_up_down)
        with self._lock:
            line = self._line_of(channel)
            if self._machine.backend.function(line) != constants.OUT:
                self._book.taken.add(line)
                self._machine.backend.set_pull(line, pull)
                self._book.taken.add(line)

    # -- questions -------------------------------------------------------------------------------

    def may_peek(self, line: int) -> bool:
        """Whether reading the line disturbs nobody.

        Where the kernel is asked (cdev, sysfs) a level is read by taking the line for a moment. One that a driver has
        as SCL or TXD, say, may lose that function when it is given back, and the kernel does not tell the function: so
        lines that are well known for another use than GPIO are not taken.
        """
        return (
            "functions" in self._machine.backend.features  # the registers tell
            or not self._machine.hardware.is_pi
            or not is_well_known(line)
            or line in self._book.directions  # it is this program's
        )

    def peek(self, line: int) -> int | None:
        """The level of a line that nobody has asked for; None where it cannot be read, or not without a risk."""
        if not self.may_peek(line):
            return None
        try:
            return self._look_at(line)
        except (errors.NotSupportedError, errors.LineBusyError, errors.InvalidChannelException):
            return None

    def function(self, channel: int) -> int:
        """The function of a channel, set up or not."""
        with self._lock:
            return self._machine.backend.function(self._line_of(channel))

    def direction(self, channel: int) -> int | None:
        """IN or OUT as set up here; None where it was not."""
        with self._lock:
            return self._book.directions.get(self._line_of(channel))

    def input_line(self, channel: int) -> int:
        """The line of a channel that has been set up as an input."""
        line = self._line_of(channel)
        if self._book.directions.get(line) != constants.IN:
            raise errors.WrongDirectionException(
                "You must setup() the GPIO channel as an input first", hint=f"setup({channel}, IN) first"
            )
        return line
