# SPDX-License-Identifier: LGPL-3.0-or-later
"""What a backend promises. Which ones there are is in opening.

A backend touches lines and knows no rules; the Board has the rules and touches nothing. Every sentence of the
protocol below ends with the names of the contract tests that hold it; each backend passes all of them.
"""

from __future__ import annotations

from .. import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from typing import Protocol

    from .._gpio import Registers
    from ..remote.sessions.counts import Counts

    class Clock(Protocol):
        """A time of its own, for what happens on a board that is simulated."""

        def now_ns(self) -> int:
            """The time in nanoseconds."""

        def call_at(self, when_ns: int, action: Callable[[], object]) -> int:
            """Call action() when the clock gets there."""

        def sleep_until(self, when_ns: int) -> None:
            """Wait until the clock gets there."""

    class Time(Protocol):
        """As a Clock, for who waits alone."""

        def now_ns(self) -> int:
            """The time in nanoseconds."""

        def sleep_until(self, when_ns: int) -> None:
            """Wait until the clock gets there."""

    class Outside(Protocol):
        """The world outside of a simulated board: fingers, wires and a voltmeter."""

        @property
        def clock(self) -> Time:
            """The time that passes there."""

        @property
        def short_circuits(self) -> int:
            """How many times drivers on one wire have disagreed."""

        def drive(self, line: int, value: int | None) -> None:
            """Drive the line to 0 or 1; None lets go of it."""

        def driven(self, line: int) -> int | None:
            """What it is driven to; None for nothing."""

        def press(self, line: int, ns: int, value: int) -> None:
            """Drive the line so long, then let go of it. Does not wait."""

        def is_watched(self, line: int) -> bool:
            """Whether edges of the line are heard."""

        def wire(self, a: int, b: int) -> None:
            """Join two lines with a wire."""

        def unwire(self, line: int) -> None:
            """Take every wire off the line."""


class Backend:
    """The lines of one board.

    ``name`` is the word that chooses the backend. [name_is_registered]
    ``line_count`` is the number of lines, and lines count from 0. [line_count_bounds]
    ``features`` is a frozenset of the optional abilities named below. [features_are_known]
    A line that is out of range raises InvalidChannelException. [line_out_of_range, line_negative]
    A feature that is missing raises NotSupportedError, whose text says what is. [missing_feature_is_refused]
    ``holds_lines`` is true where a line that is set up is a descriptor, which a fork's child drops. [fork_drops_lines]
    ``holds_alone`` is true where nobody can use a line that another one holds: elsewhere its function alone may tell
    that it is used. [line_is_busy, holds_alone]
    ``label`` is what the kernel calls the chip, None where it does not tell. [label_is_the_chips]
    ``revision_code`` is that of another machine's Raspberry Pi, 0 of one that is none, and None for this machine.
    [revision_code_is_anothers]
    ``block`` is the mapped registers that have the lines, for the C functions, and None where there are none.
    [block_has_the_lines]
    ``clock`` is the time that passes on the board, None where that is the machine's. [clock_goes_on]
    ``close_at_exit`` is true where something of it outlives the process unless close() is called. [close_at_exit]
    ``watches_outputs`` is true where a line is watched whatever it is. [watches_outputs]
    Opening a backend changes no line. [open_changes_nothing]
    When the chip has been removed, to read, write, set up or watch a line of it raises LineGoneError, which names the
    line and says what to do. [gone_is_told]
    """

    name = ""
    line_count = 0
    features: frozenset[str] = frozenset()
    holds_lines = False
    holds_alone = False
    close_at_exit = False
    watches_outputs = False
    label: str | None = None
    revision_code: int | None = None
    block: Registers | None = None
    clock: Clock | None = None

    def outside(self) -> Outside | None:
        """Return what plays the world outside of a simulated board, None where that is real. [outside_drives]"""
        return None

    def counts(self) -> Counts | None:
        """Return what counts edges where the lines are, None where who reads them does. [counts_are_exact]"""
        return None

    def describe(self) -> str:
        """Return one line that says by what means lines are touched, for people. [describe_is_one_line]"""
        raise errors.NotSupportedError("describe")

    def function(self, line: int) -> int:
        """Return the function of the line: IN, OUT, ALTn or NO_FUNCTION. [function_of_input, function_of_output]

        With the feature "functions" alternate functions are told apart. [function_of_alternate]
        Where the kernel tells a line's direction to its holder alone it is UNKNOWN for the others. [function_untold]
        """
        raise errors.NotSupportedError("function")

    def set_function(self, line: int, function: int) -> None:
        """Switch the line to an alternate function (feature "functions"). [function_of_alternate]

        A function that the chip does not have raises ValueError. [function_unknown]
        Neither the level that was last written nor the pull changes. [function_keeps_latch, function_keeps_pull]
        """
        raise errors.NotSupportedError(f"{self.name} cannot choose alternate functions")

    def set_input(self, line: int, pull: int | None) -> None:
        """Make the line an input with this pull: PUD_OFF, PUD_DOWN or PUD_UP. [input_with_pull, pull_shows]

        None leaves the pull as it is. [input_keeps_pull]
        Without the feature "pulls" PUD_OFF does so too, the others raise NotSupportedError. [pull_is_refused]
        Twice is the same as once. [input_twice]
        An output becomes an input and stops driving. [input_after_output]
        A watched line stays watched. [input_while_watched]
        """
        raise errors.NotSupportedError("set_input")

    def set_output(self, line: int, value: int | None) -> None:
        """Make the line an output that drives this level, 0 or 1, from its first moment. [output_drives]

        The other level never shows on the way. [output_without_glitch]
        None keeps the level of an output, its own or another's; an input drives what was last written to it, by this
        backend at least, whatever has been done with it since. [output_keeps_latch]
        The pull is turned off. [output_turns_pull_off]
        A watched line is no longer watched. [output_ends_watch]
        """
        raise errors.NotSupportedError("set_output")

    def read(self, line: int) -> int:
        """Return the level of the line, the int 0 or 1. [read_levels, read_is_int]

        The level of an output is what it drives; one that must be taken over for it is NotSupportedError. [read_output]
        A line that nobody has set up can be read too; a pad whose input is off is NotSupportedError. [read_untouched]
        Reading changes nothing, nor what was last written. [read_changes_nothing, output_keeps_latch]
        """
        raise errors.NotSupportedError("read")

    def write(self, line: int, value: int) -> None:
        """Drive an output to the level; any value but 0 is high. [write_levels, write_truthy]

        On an input it changes no level, and the line drives it when it becomes an output. [write_on_input]
        The other lines do not change. [write_is_alone]
        """
        raise errors.NotSupportedError("write")

    def set_pull(self, line: int, pull: int) -> None:
        """Set the pull of an input. [pull_shows, pull_changes]

        Without the feature "pulls" it is as with set_input(). [pull_is_refused]
        The function and the other lines stay as they are. [pull_is_alone]
        A value that is no pull raises InvalidPullException. [pull_unknown]
        """
        raise errors.NotSupportedError("set_pull")

    def pull(self, line: int) -> int | None:
        """Return the pull, or None where the hardware cannot tell. [pull_read_back]"""
        raise errors.NotSupportedError("pull")

    def watch(self, line: int, edge: int, filter_us: int = 0) -> int:
        """Watch an input for RISING, FALLING or BOTH edges (feature "edges"). [watch_edges]

        It returns a non-blocking descriptor that delivers gpio_v2_line_event records. [watch_descriptor]
        The initial level is not reported. [watch_starts_silent]
        Each record has the line, the level after the edge, and a monotonic time. [watch_record, watch_time]
        Events of a line are numbered from 1 without a gap. [watch_numbers]
        When more than EVENT_BUFFER_SIZE wait the oldest are dropped, and the numbers show it. [watch_overflow]
        A second watch changes the edges in place and returns the same descriptor. [watch_again]
        Numbers go on and waiting events stay when it does. [watch_again_keeps_events]
        With filter_us a level must last that long to be reported (feature "filter"). [watch_filter]
        Watching one line does not report another. [watch_is_alone]
        A line that is no input raises WrongDirectionException. [watch_output_is_refused]
        A value that is no edge raises InvalidEdgeException. [watch_unknown_edge]
        """
        raise errors.NotSupportedError(
            f"{self.name} cannot report edges here",
            hint="edges need a gpiochip (/dev/gpiochip*) of Linux 5.10 or later, or /sys/class/gpio",
        )

    def unwatch(self, line: int, is_read: bool = False) -> None:
        """Stop watching; the line stays an input with its pull. [unwatch_keeps_input, unwatch_keeps_pull]

        What waits in its descriptor is dropped, and the next watch numbers from 1. [unwatch_drops]
        With *is_read* somebody goes on reading a descriptor that stays, and it need not be done here: the next watch
        reports nothing from before, and numbers from 1. [unwatch_is_read]
        Where lines are held this one stays so: nobody can take it before the next watch. [unwatch_holds]
        A line that is not watched is left alone. [unwatch_unwatched]
        """
        check_line(self, line)

    def line_fd(self, line: int) -> int | None:
        """Return the descriptor of a line that is set up, for the C functions to read and write. [line_fd_is_the_line]

        It is closed when the line is given back. [line_fd_is_the_line]
        None where lines are no descriptors of the gpiochip's, or this one is not set up. [line_fd_is_the_line]
        """
        check_line(self, line)
        return None

    def held(self) -> list[int]:
        """Return the lines that it holds, and that release() gives back. [held_lines]

        More than are set up, where a signal handler has cleaned up in the middle of another call. [held_lines]
        """
        return []

    def release(self, line: int) -> None:
        """Give the line back: others may take it. [release_frees]

        An input stays an input. [release_keeps_input]
        What was last written is not forgotten: set_output() with None drives it, unless another has made an output of
        the line meanwhile, whose level stays. [output_keeps_latch, release_yields]
        It can be set up again. [release_and_again]
        A line whose chip has been removed is given back without an error. [gone_is_noticed, gone_is_told]
        A line that was never taken is left alone. [release_untaken]
        """
        check_line(self, line)

    def pwm(self, line: int, period_ns: int, high_ns: int) -> None:
        """Begin PWM on an output: in each period it is high for high_ns, then low (feature "pwm"). [pwm_wave]

        It begins at once, or with the next period of a line that has the same one. [pwm_begins, pwm_shares]
        On a line that has PWM it is a change, which counts from the next period on. [pwm_changes]
        No pulse is neither as wide as before nor as after. [pwm_changes]
        A high_ns of 0 and of period_ns are steady levels, and after them the next period begins at once. [pwm_steady]
        What write() writes shows until the next edge, and the PWM goes on. [pwm_write]
        A line that is no output raises WrongDirectionException. [pwm_needs_output]
        A period outside of PWM_PERIODS_NS, or a high_ns outside of it, raises ValueError. [pwm_bounds]
        """
        raise errors.NotSupportedError(f"{self.name} cannot do PWM")

    def change_pwm(self, line: int, period_ns: int, high_ns: int) -> None:
        """Change the PWM of a line, as pwm() does, with its bounds. [pwm_wave, pwm_bounds]

        A line without PWM is left alone, also one whose PWM a signal handler has just ended. [pwm_change_without]
        """
        self.pwm(line, period_ns, high_ns)

    def end_pwm(self, line: int) -> None:
        """End the line's PWM and drive it low; nothing is written to it afterwards. [pwm_end]

        It stays an output. [pwm_end]
        A line without PWM is left alone. [pwm_end_without]
        set_input(), set_function() and release() end it too, and so does close() for all lines. [pwm_ends_otherwise]
        set_output() ends it with its own level, which is low where it is None. [pwm_ends_with_output]
        """
        check_line(self, line)

    def play(
        self, edges: list[tuple[int, int, int]], period_ns: int, turns: int, instead_of: int | None = None
    ) -> int:
        """Play a wave, (at_ns, line, level) in the order of time, on outputs (feature "pwm"). [wave_plays]

        A turn takes period_ns, and there are so many turns, or with 0 no end of them. [wave_turns, wave_for_ever]
        It begins at once, or in the place of the wave *instead_of* when that one's turn has ended. [wave_replaces]
        It returns a number, by which it is stopped or replaced. [wave_stops]
        PWM that the lines have ends. [wave_ends_pwm]
        What ends the PWM of one of its lines takes it out of the wave, which ends with its last one. [wave_loses_lines]
        A line that is no output raises WrongDirectionException. [wave_needs_outputs]
        No edges, times out of order or beyond the turn, and a wave to replace that has gone raise ValueError.
        [wave_bounds]
        """
        raise errors.NotSupportedError(f"{self.name} cannot play waves")

    def wave(self, wave: int) -> tuple[bool, int] | None:
        """Return whether a wave is being played and how many turns are done, or None for one that has gone.

        [wave_turns, wave_stops]
        When the chip has been removed it may raise LineGoneError, which names a line. [gone_is_told]
        """
        raise errors.NotSupportedError(f"{self.name} cannot play waves")

    def stop_wave(self, wave: int) -> None:
        """Stop a wave, levels as they are; one that has gone is left alone. [wave_stops]"""
        raise errors.NotSupportedError(f"{self.name} cannot play waves")

    def limit(self, line: int, after_ns: int, level: int) -> None:
        """Write *level* to an output after so long, and end what pulses it has then (feature "pwm").

        [limit_ends, limit_ends_pulses, limit_ends_and_is_what_was_written_last]
        It comes also where the program does nothing any more, and where it has written in the meantime. [limit_ends]
        Anew it begins anew. [limit_again]
        set_input(), set_function(), release() and close() end it; writing, set_output() and pulses do not.
        [limit_stays]
        A line that is no output raises WrongDirectionException, a time outside of PWM_PERIODS_NS ValueError.
        [limit_bounds]
        """
        raise errors.NotSupportedError(f"{self.name} cannot limit how long a line is on")

    def unlimit(self, line: int) -> None:
        """Take the limit of a line back; nothing where there is none, or it is over. [limit_taken_back]"""
        check_line(self, line)

    def limit_left(self, line: int) -> int | None:
        """Return how long that is from now, 0 when it is over, None where there is no limit. [limit_ends]"""
        check_line(self, line)
        return None

    def consumer(self, line: int) -> str:
        """Return the name of the program or driver that holds the line, "" for none. [consumer_of_free_line]

        With the feature "consumers" a line that this backend holds says "RPIO". [consumer_is_named]
        A line that somebody else holds raises LineBusyError with his name, and does not change. [line_is_busy]
        """
        check_line(self, line)
        return ""

    def is_left(self, line: int) -> bool:
        """Return whether it is known that who had the line has gone and left it as it is. [left_is_known]"""
        check_line(self, line)
        return False

    def gone_fd(self) -> int | None:
        """Return a descriptor that is readable when is_gone() has something to do, None where it never has.
        [gone_is_noticed]

        That is to see that the chip has gone, or, where edges come from afar, to fetch them.
        [gone_is_noticed, watch_record]
        """
        return None

    def is_gone(self) -> bool:
        """Whether the chip has been removed; makes gone_fd() unreadable again. [gone_is_noticed, gone_is_false]"""
        return False

    def gone_error(self, line: int) -> errors.LineGoneError:
        """Return the error of a line whose edges have ended because is_gone(): it says why, and what to do.
        [gone_is_told]
        """
        return errors.LineGoneError.of(line)

    def batch(self) -> AbstractContextManager[object]:
        """Return a context in which calls of this thread that only change something may wait, to be done together.
        [batch_is_done]

        They are done in order, at its end at the latest, and before any call that returns something. [batch_is_done]
        What one of them would raise is raised then, the first of all, and the others are done. [batch_tells]
        """
        from contextlib import nullcontext

        return nullcontext()

    def close(self) -> None:
        """Close every descriptor, and change no line that has no PWM. [close_closes, close_keeps_levels]

        Twice is fine. [close_twice]
        """

    def after_fork(self) -> None:
        """Close, in the child of a fork, the descriptors of lines that the parent goes on using. [fork_drops_lines]

        No line changes, and the backend goes on working. [fork_keeps_levels, fork_works_on]
        PWM goes on in the parent, and not in the child. [pwm_after_fork]
        """


FEATURES = frozenset({"edges", "functions", "filter", "consumers", "pulls", "pwm"})


def check_line(backend: Backend, line: int) -> None:
    """Raise InvalidChannelException for a line that the backend does not have."""
    if not 0 <= line < backend.line_count:
        raise errors.InvalidChannelException(
            f"there is no line {line} on this chip", hint=f"lines are 0 to {backend.line_count - 1}"
        )
