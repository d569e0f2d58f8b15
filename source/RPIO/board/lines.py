# SPDX-License-Identifier: LGPL-3.0-or-later
"""What may be done with a line: its direction, its level, its pull.

Order of checks and texts of errors are RPi.GPIO's (0.7.1), whose programs rely on them; where the original RPIO
differs, doc/differences says so. ``hint`` of an error says what to do.
"""

from __future__ import annotations

from .. import arguments, constants, errors, log
from .declared import NOBODY
from .looks import Looks
from .manners import FIXED_PULL_WARNING, IN_USE_WARNING, OFF_HEADER_WARNING
from .safety import AS_BEFORE, AS_INPUT, WITH_PULSES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import RLock
    from collections.abc import Callable, Iterator, Sequence

    from ..arguments import Channels
    from ..backends import Backend
    from ..pulses.pulses import Pulses
    from .book import Book
    from .declared import Owner
    from .grants import Grants
    from .listeners import Listeners
    from .machine import Machine
    from .manners import Manners
    from .numbering import Numbering
    from .safety import Safety, Step


class Lines(Looks):
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
        safety: Safety,
        lock: RLock,
    ) -> None:
        super().__init__(numbering, machine, book, lock)
        self._manners, self._safety = manners, safety
        self._listeners, self._pulses = listeners, pulses
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
            if self._safety.is_asked:
                self._safety.ask(self._setup_steps(many, direction, value))
            for channel in many:
                self._setup_line(self._line_of(arguments.channel_in_list(channel)), direction, pull, value)

    def _setup_steps(self, channels: Sequence[int], direction: int, value: int | None) -> list[Step]:
        """What setup() is about to do, up to the first channel that is none."""
        steps = []
        for channel in channels:
            try:
                line = self._line_of(arguments.channel_in_list(channel))
            except (TypeError, ValueError, errors.GPIOError):
                break
            pulses = self._pulses()
            if direction == constants.IN:
                state = AS_INPUT
            elif value is not None:
                state = value
            elif pulses is not None and pulses.has_pulses(line):
                state = WITH_PULSES
            else:
                state = AS_BEFORE
            steps.append((line, state))
        return steps

    def _setup_line(self, line: int, direction: int, pull: int, value: int | None) -> None:
        if self._manners.warns:
            self._warn_of_use(line, pull if direction == constants.IN else constants.PUD_OFF)
        self._book.until_kept(lambda: self._set_up(line, direction, pull, value))

    def take(self, line: int, direction: int, pull: int | None, value: int | None, owner: Owner) -> None:
        """Set up a line in that name; nothing is asked."""
        self._book.until_kept(lambda: self._set_up(line, direction, pull, value, owner))

    def _set_up(
        self, line: int, direction: int, pull: int | None, value: int | None, owner: Owner | None = None
    ) -> None:
        if (pulses := self._pulses()) is not None:
            pulses.line_is_about_to_be_set_up(line)
        if direction == constants.IN:
            self._book.own(line, lambda: self._machine.backend.set_input(line, pull))
        elif self._book.is_output(line) and pulses is not None and pulses.has_pulses(line):
            if value is not None:  # as RPi.GPIO: shows until the next edge, and PWM goes on
                self._machine.backend.write(line, int(value))
        else:
            is_heard = owner is not None and self._machine.backend.watches_outputs  # by whoever listens
            if (listeners := self._listeners()) is not None and not is_heard:
                listeners.line_is_about_to_be_output(line)
            level = None if value is None else int(value)
            if self._safety.owners.get(line) is NOBODY:
                self._safety.end_limit(line)
            self._book.own(line, lambda: self._safety.drive(line, level))
        self.set_direction(line, direction, owner)
        if direction == constants.IN and (listeners := self._listeners()) is not None:
            listeners.line_is_input(line)
        if (pulses := self._pulses()) is not None:
            pulses.line_is_set_up(line, direction)

    def make_output(self, line: int) -> None:
        """Have a line that is no output be one, low."""
        with self._lock:
            if not self._book.is_output(line):
                self._safety.ask([(line, 0)])
                self._setup_line(line, constants.OUT, constants.PUD_OFF, 0)

    def make_input(self, channel: int, pull_up_down: int | str | None = None) -> None:
        """Have a channel be an input with that pull, as add_interrupt_callback() does; None leaves the pull."""
        pull = arguments.pull_or_none(pull_up_down)
        with self._lock:
            self.make_line_input(self._line_of(channel), pull)

    def make_line_input(self, line: int, pull: int | None) -> None:
        """As the original: an input gets its pull changed, anything else becomes an input."""
        if self._machine.backend.function(line) == constants.IN and line in self._book.directions:
            if pull is not None and line not in self._safety.owners:  # else another's, who has chosen it
                self._machine.backend.set_pull(line, pull)
            return
        self._safety.ask([(line, AS_INPUT)])
        if self._book.is_output(line):
            self._manners.warn(f"GPIO {line} was an output of this program; it is an input now")
        elif self._manners.warns:
            self._warn_of_use(line, pull)
        log.debug("- changing gpio function of GPIO %s to INPUT", line)
        self._book.own(line, lambda: self._machine.backend.set_input(line, pull))
        self.set_direction(line, constants.IN)

    def set_direction(self, line: int, direction: int | None, owner: Owner | None = None) -> None:
        """Remember what a line is set up as, None for not at all, and whose it is; grant it to the C functions
        accordingly.
        """
        if direction is None:
            self._book.directions.pop(line, None)
            self._safety.is_released(line)
        else:
            self._book.directions[line] = direction
            self._safety.is_set_up(line, owner)
        self.grants.set(line)

    def _warn_of_use(self, line: int, pull: int | None) -> None:
        backend, hardware = self._machine.backend, self._machine.hardware
        function = backend.function(line)
        foreign_output = function == constants.OUT and line not in self._book.directions
        # A held line is refused with its holder's name where lines are held; what nobody holds is free there.
        is_used = function not in (constants.IN, constants.OUT) or foreign_output
        if is_used and not backend.holds_alone and not (backend.holds_lines and _is_told_of(backend, line)):
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
            if self._safety.is_asked:
                self._safety.ask(list(self._writes(channels, values, several, is_tried=True)))
            for line, level in self._writes(channels, values, several):
                self._machine.backend.write(line, level)

    def _writes(
        self, channels: Sequence[int], values: Sequence[int], several: bool, is_tried: bool = False
    ) -> Iterator[Step]:
        """What output() writes, up to the first item that cannot be; then its error, unless it *is_tried* alone."""
        try:
            for position, one in enumerate(channels):
                number = arguments.channel_in_list(one)
                level = arguments.level_in_list(values[position if several else 0])
                line = self._line_of(number)
                is_left = self._safety.owners.get(line) is NOBODY  # by somebody who has gone
                if is_left or self._book.directions.get(line) != constants.OUT:
                    raise errors.WrongDirectionException(
                        "The GPIO channel has not been set up as an OUTPUT",
                        hint=self._book.advice(line, number, "OUT"),
                    )
                yield line, level
        except (TypeError, ValueError, errors.GPIOError):
            if not is_tried:
                raise

    # What RPIO.output() cannot do ends there, with this name in the errors of wrong calls.
    output.__qualname__ = "output"

    def force_output(self, channel: int, value: int) -> None:
        """Write without setup()."""
        level = arguments.level_in_list(value)
        with self._lock:
            line = self._line_of(channel)
            self._safety.ask([(line, level)])
            self._book.taken.add(line)
            if _is_left_output(self._machine.backend, line):
                self._machine.backend.set_output(line, level)
            else:
                self._machine.backend.write(line, level)
            self._book.taken.add(line)  # a signal handler may have cleaned up in the middle

    def set_pull(self, channel: int, pull_up_down: int | str) -> None:
        """Set the pull of an input; ignored on an output."""
        pull = arguments.pull_of(pull_up_down)
        with self._lock:
            line = self._line_of(channel)
            self._safety.check_owner(line, None)
            if self._machine.backend.function(line) != constants.OUT:
                self._book.taken.add(line)
                self._machine.backend.set_pull(line, pull)
                self._book.taken.add(line)


def _is_told_of(backend: Backend, line: int) -> bool:
    """Whether it is known who has a line: somebody, or nobody any more."""
    return bool(backend.consumer(line)) or backend.is_left(line)


def _is_left_output(backend: Backend, line: int) -> bool:
    """Whether a line is an output that somebody has left who has gone: who writes to it takes it."""
    return backend.is_left(line) and backend.function(line) == constants.OUT
