# SPDX-License-Identifier: LGPL-3.0-or-later
"""The Board: the one place with rules.

What a channel means (numbering), what may be done with it (direction), who set it up (ownership: this process,
or not), which callbacks get an edge (union of edges, hold-off, order, what was lost), and what cleanup does.
A Board opens nothing until a line is touched.

Order of checks and texts of errors are RPi.GPIO's (0.7.1), whose programs rely on them; where the original RPIO
differs, doc/differences says so. ``hint`` of an error says what to do.
"""

from __future__ import annotations

import sys
from _thread import RLock
from time import monotonic

from .. import arguments, errors, log, threads
from .. import constants as model
from ..backends import Backend, opening
from ..loop.callbacks import Worker
from ..loop.dispatcher import JOIN_TIMEOUT_S, Dispatcher
from ..processes import hooks
from ..pulses.drives import Pulses
from ..pulses.hardware import HardwareLines
from .edges import Subscription, WatchedLines
from .event_detect import Detections
from .numbering import Numbering
from .undoing import Undoing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import ModuleType

    from ..arguments import Channels
    from ..loop.tcp import TcpServer
    from ..loop.tcp_client import TcpClient
    from ..loop.tcp_ports import Ports
    from ..loop.tcp_turns import Turns
    from ..machine.boards import Hardware
    from ..pulses.subcycles import PulseChannels
    from ..pulses.waves import Player
    from .edges import EdgeCallback

IN_USE_WARNING = (
    "This channel is already in use, continuing anyway.  Use GPIO.setwarnings(False) to disable warnings."
)
FIXED_PULL_WARNING = "A physical pull up resistor is fitted on this channel!"
OFF_HEADER_WARNING = "GPIO {} is on no pin of the {}: it may belong to WiFi, the SD card or an LED"
NOTHING_TO_CLEAN_WARNING = (
    "No channels have been set up yet - nothing to clean up!  "
    "Try cleaning up at the end of your program instead!"
)


class Board:
    """The lines of one machine, or of a simulated one.

    *spec* names the backend: "auto", "regs", "cdev", "sim", with an argument behind a colon ("sim:3B+",
    "cdev:/dev/gpiochip1"). *default_mode* is the numbering before setmode(): BCM, or None to require it.
    *fast* is the C module whose output() and input() serve the channels of this board that are granted to them;
    there is one such table, so only one Board can have it. *on_hardware* is called with what the machine is when
    the board has been opened, and with None when it has been closed. *make_dispatcher* is for loops of another kind,
    such as that of tests with a clock of their own.
    """

    def __init__(
        self,
        spec: str | None = None,
        default_mode: int | None = model.BCM,
        fast: ModuleType | None = None,
        on_hardware: Callable[[Hardware | None], object] | None = None,
        make_dispatcher: Callable[..., Dispatcher] = Dispatcher,
    ) -> None:
        self._make_dispatcher = make_dispatcher
        self._fast = fast
        self._on_hardware = on_hardware
        if fast is not None:
            fast.revoke_all()
            fast.on_miss(self.output, self.input)
        self._spec = spec
        self._strict = False
        self._warnings = True
        self._lock = RLock()
        self._backend: Backend | None = None
        self._hardware: Hardware | None = None
        self._expected: Hardware | None = None
        self._dispatcher: Dispatcher | None = None
        self._directions: dict[int, int] = {}
        self._owned: set[int] = set()
        self._releases = 0  # how often a line was given back: who sets one up looks whether it was meanwhile
        self._closing = Undoing()
        self._leaving: list[Callable[[], object]] = []  # of what is being closed, for the child of a fork
        self._taken: set[int] = set()  # used without setup(): cleanup() changes nothing there but lets go
        self._numbering = numbering = Numbering(lambda: self.hardware, default_mode)
        self.line_of, self.channel_of = numbering.line_of, numbering.channel_of
        self._watched = WatchedLines(self._arm, self._disarm, lambda: self.dispatcher)
        self._watched.lasting_fd = self._lasting_fd
        self._watched.gone_fd = self._gone_fd
        self._watched.look_whether_gone = self._look_whether_gone
        self._watched.on_lost = self._end_wait
        self._waits_here = False  # wait_for_interrupts() blocks its caller
        self._has_own_backend = False  # which use() was given
        self.detections = Detections(
            self._watched,
            numbering,
            self._input_line,
            self._check_still_input,
            lambda: self.dispatcher,
            self._lock,
            self._warn,
        )
        self.hardware_lines = HardwareLines(
            lambda: self.hardware,
            lambda: self.backend,
            self._directions,
            self._lock,
            self._check_hardware_free,
        )
        self.pulses = Pulses(
            numbering.channel_of, self._is_output, lambda: self._backend, self._lock, self.hardware_lines
        )
        self._pulse_makers: tuple[PulseChannels, Player] | None = None  # most programs need neither
        self._ports: Ports | None = None  # made with the first

    # -- opening and closing ---------------------------------------------------------------------

    def use(self, spec: str | Backend, hardware: Hardware | None = None) -> None:
        """Choose the backend, before any line is touched.

        Raises:
            RuntimeError: lines are in use; call cleanup() and close() first.
        """
        if isinstance(spec, str):
            opening.check_name(spec.partition(":")[0])
        elif not isinstance(spec, Backend):
            raise TypeError(f"the backend is a word such as 'sim', or a Backend, not {spec!r}")
        with self._lock:
            if self.is_waiting or self._directions or self._taken or self._watched or self.has_ports:
                raise RuntimeError("the board is in use: choose the backend before the first line is set up")
            self.close()
            self._has_own_backend = not isinstance(spec, str)
            if isinstance(spec, str):
                self._spec = spec
            else:
                self._backend, self._hardware = spec, hardware or opening.unknown(spec)
                hooks.look_after(self)
                self._tell(self._hardware)

    @property
    def backend(self) -> Backend:
        """The backend; opens it."""
        backend = self._backend  # once: another thread may close the board
        if backend is not None:
            return backend
        with self._lock:
            if self._backend is None:
                self._open()
            assert self._backend is not None
            return self._backend

    @property
    def hardware(self) -> Hardware:
        """What machine this is; opens the backend where the machine is no Raspberry Pi."""
        hardware = self._hardware  # once: another thread may close the board
        if hardware is not None:
            return hardware
        with self._lock:
            if self._hardware is None:
                self._hardware = opening.look(self._spec)
            if self._hardware is None:
                _ = self.backend
            assert self._hardware is not None
            return self._hardware

    @property
    def expected_hardware(self) -> Hardware:
        """What machine this is, or will be once a line is touched; opens nothing, and raises nothing."""
        found = self._hardware or self._expected
        if found is None:
            found = self._expected = opening.expect(self._spec)
        return found

    def _open(self) -> None:
        hooks.look_after(self)
        with hooks.making:
            self._backend, self._hardware = opening.open_board(self._spec)
        self._tell(self._hardware)

    def _tell(self, hardware: Hardware | None) -> None:
        if self._on_hardware is not None:
            self._on_hardware(hardware)

    def workers(self) -> list[Worker]:
        """The threads of threaded callbacks."""
        return self._watched.workers()

    def after_fork(self) -> None:
        """Drop in the child of a fork what the parent goes on using."""
        self._lock._at_fork_reinit()  # type: ignore[attr-defined] # another thread may have held it
        if self._dispatcher is not None:
            self._dispatcher.abandon()
            self._dispatcher = None
        if self._ports is not None:
            self._ports.abandon()
        self._closing.steps, leaving, self._leaving = [], self._leaving, []
        for abandon in leaving:
            abandon()
        self._watched.forget()
        self._owned.clear()
        self._taken.clear()
        self.pulses.forget()
        if self._pulse_makers is not None:
            self.player.forget()
            self.channels.abandon()
        self.hardware_lines.forget()
        if self._backend is not None:
            self._backend.after_fork()
            if self._backend.holds_lines:
                self._directions.clear()
                self._grant_all()
        from .. import _gpio

        _gpio.close_after_fork()  # the last, for some are known to nobody yet

    def close(self) -> None:
        """End the loop and its threads, close sockets and descriptors, set no line. Twice is fine."""
        _do_all(self._take_leave, self._finish_closing)  # which waits for threads, and they for the lock

    def _finish_closing(self) -> None:
        self._closing.finish()
        self._leaving = []

    def _take_leave(self) -> None:
        """End everything, and write down what has to be waited for or closed then."""
        with self._lock:
            workers: list[Worker | Turns] = [*self._watched.workers()]
            if self._ports is not None:
                workers += self._ports.workers()
            self._closing.steps += [lambda: _join(workers)]
            _do_all(
                self.end_pulses,
                self.hardware_lines.close,
                self._close_interrupts,
                self._forget_lines,
                self._close_dispatcher,
                self._close_backend,
            )

    def _forget_lines(self) -> None:
        self._directions.clear()
        self._grant_all()
        self._owned.clear()
        self._taken.clear()
        self.pulses.forget()

    def _close_dispatcher(self) -> None:
        if self._dispatcher is not None:
            self._leaving += [self._dispatcher.abandon]
            self._closing.steps = [self._dispatcher.close, *self._closing.steps]
            self._dispatcher = None

    def _close_backend(self) -> None:
        if self._backend is not None:
            self._leaving += [self._backend.after_fork, self._backend.close]
            self._closing.steps += [self._backend.close]
            self._backend = None
        self._hardware = self._expected = None
        self._tell(None)

    def shut_down(self) -> None:
        """End the loop and all PWM because the program ends, and set no other line.

        What is set up stays so: functions of atexit that are older than this one, daemon threads and the ``__del__``
        of globals may still switch their lines off. The kernel closes the descriptors.
        """
        dispatcher = self._dispatcher
        if dispatcher is not None:
            dispatcher.shut_down()
        self.end_pulses()
        self.pulses.end_all()
        self.hardware_lines.close()
        if self._backend is not None and self._backend.close_at_exit:
            try:
                self._backend.close()
            except OSError as e:
                log.warning("at the end of the program: %s", e)

    def be_strict(self) -> None:
        """Follow RPi.GPIO where the original RPIO differs: setmode() required, pulls on inputs only."""
        with self._lock:
            self._numbering.default_mode, self._strict = None, True
            self._grant_all()

    # -- numbering: see numbering.py -------------------------------------------------------------

    @property
    def mode(self) -> int | None:
        """The numbering mode: BOARD, BCM or None."""
        return self._numbering.mode

    def setmode(self, mode: int) -> None:
        """Choose the numbering. See RPIO.setmode()."""
        with self._lock:
            self._numbering.setmode(mode)
            self._grant_all()

    # -- levels and directions -------------------------------------------------------------------

    def setwarnings(self, on: int) -> None:
        """Switch the three warnings on or off."""
        self._warnings = bool(arguments.integer("enabled", on))

    def _warn(self, text: str) -> None:
        """Warn at the line of the program that called RPIO."""
        if not self._warnings:
            return
        import warnings

        level, frame = 1, sys._getframe()
        while frame.f_back is not None and frame.f_globals.get("__name__", "").split(".")[0] == "RPIO":
            level, frame = level + 1, frame.f_back
        warnings.warn(text, RuntimeWarning, stacklevel=level)

    def setup(
        self, channels: Channels, direction: int | str, pull_up_down: int | str, initial: int | None
    ) -> None:
        """Set channels up. See RPIO.setup()."""
        direction = arguments.direction_of(direction)
        if self._strict:
            pull_up_down = arguments.number_of("pull_up_down", pull_up_down, arguments.PULL_NAMES)
        initial = None if initial is None else arguments.integer("initial", initial)
        many = arguments.channel_list(channels)
        arguments.check_direction(direction)
        if self._strict and direction == model.OUT and pull_up_down != model.PUD_OFF:
            raise ValueError("pull_up_down parameter is not valid for outputs")
        if direction == model.IN and initial is not None and initial != -1:
            raise ValueError("initial parameter is not valid for inputs")
        pull = arguments.pull_of(pull_up_down, historic=not self._strict)
        value = initial if initial in (0, 1) else None  # as RPi.GPIO, which ignores other integers
        with self._lock:  # all of them: no other thread sees half a list
            for channel in many:
                self._setup_line(self.line_of(arguments.channel_in_list(channel)), direction, pull, value)

    def _setup_line(self, line: int, direction: int, pull: int, value: int | None) -> None:
        """Set a line up; once more where a signal handler has cleaned up in the middle: as if it had come before."""
        if self._warnings:
            self._warn_of_use(line, pull if direction == model.IN else model.PUD_OFF)
        before = -1
        while before != self._releases:
            before = self._releases
            self._set_up(line, direction, pull, value)

    def _set_up(self, line: int, direction: int, pull: int, value: int | None) -> None:
        self.pulses.leave_hardware(line)
        if self._pulse_makers is not None:
            self.channels.stop_hardware_servo(line)
        if direction == model.IN:
            self._own(line, lambda: self.backend.set_input(line, pull))
        elif self._is_output(line) and self.pulses.drives(line):
            if value is not None:  # as RPi.GPIO: shows until the next edge, and PWM goes on
                self.backend.write(line, int(value))
        else:
            self._watched.suspend(line)
            self._own(line, lambda: self.backend.set_output(line, None if value is None else int(value)))
        self._set_direction(line, direction)
        if direction == model.IN:
            self._watched.resume(line)
            self.pulses.interrupt(line)
        else:
            self.pulses.resume(line)

    def _own(self, line: int, take: Callable[[], object]) -> None:
        """Take a line, which cleanup() gives back from now on, also where a signal's exception comes out of this.

        What the system refuses is not ours.
        """
        was_owned = line in self._owned
        self._owned.add(line)
        try:
            take()
        except Exception as e:
            if not was_owned and errors.is_refusal(e):
                self._owned.discard(line)
            raise
        self._owned.add(line)  # a signal handler may have cleaned up in the middle

    @property
    def channels(self) -> PulseChannels:
        """The channels of RPIO.PWM; made on first use."""
        return (self._pulse_makers or self._make_pulse_makers())[0]

    @property
    def player(self) -> Player:
        """What plays waves; made on first use."""
        return (self._pulse_makers or self._make_pulse_makers())[1]

    def _make_pulse_makers(self) -> tuple[PulseChannels, Player]:
        with self._lock:
            if self._pulse_makers is None:
                for name in ("RPIO.pulses.subcycles", "RPIO.pulses.pwm_by_dma", "RPIO.pulses.waves"):
                    threads.load(name)
                from ..pulses.pwm_by_dma import DmaLines
                from ..pulses.subcycles import PulseChannels
                from ..pulses.waves import Player

                pulses, opened, hardware = self.pulses, lambda: self._backend, lambda: self.hardware
                channels = PulseChannels(
                    pulses,
                    self._make_output,
                    lambda: self.backend,
                    opened,
                    hardware,
                    self.hardware_lines.take,
                    self._lock,
                )
                player = Player(
                    self.line_of, lambda: self.mode, pulses, channels, opened, hardware, self._lock
                )
                pulses.by_dma, pulses.collect = DmaLines(channels), player.collect
                self._pulse_makers = channels, player
            return self._pulse_makers

    def end_pulses(self) -> None:
        """End waves, levels as they are, and channels, their lines low."""
        if self._pulse_makers is not None:
            with self._lock:
                self.player.stop_all()
                self.channels.cleanup()

    def end_channels(self) -> None:
        """End all channels, and waves that DMA plays. See RPIO.PWM.cleanup()."""
        with self._lock:
            self.player.stop_all("dma")
            self.channels.cleanup()

    def _check_hardware_free(self, line: int) -> None:
        if self._pulse_makers is not None:
            self.channels.check_hardware_free(line)

    def _make_output(self, line: int) -> None:
        """Have a line that is no output be one, low."""
        with self._lock:
            if not self._is_output(line):
                self._setup_line(line, model.OUT, model.PUD_OFF, 0)

    def _set_direction(self, line: int, direction: int | None) -> None:
        """Remember what a line is set up as, None for not at all; grant it to the C functions accordingly."""
        if direction is None:
            self._directions.pop(line, None)
        else:
            self._directions[line] = direction
        self._grant(line)

    def _grant(self, line: int) -> None:
        if self._fast is None:
            return
        channel, direction = self.channel_of(line), self._directions.get(line)
        block = self.backend.block if direction is not None else None
        line_fd = self.backend.line_fd if direction is not None else None
        if block is not None:
            self._fast.grant(channel, block, line, direction == model.OUT)
        elif line_fd is not None and (fd := line_fd(line)) is not None:
            self._fast.grant_line(channel, fd, direction == model.OUT)
        else:
            self._fast.revoke(channel)

    def _revoke(self, line: int) -> None:
        if self._fast is not None:
            self._fast.revoke(self.channel_of(line))

    def _grant_all(self) -> None:
        """After a change of what channels mean, or of what is set up."""
        if self._fast is not None:
            self._fast.revoke_all()
            for line in list(self._directions):
                self._grant(line)

    def _warn_of_use(self, line: int, pull: int | None) -> None:
        function = self.backend.function(line)
        foreign_output = function == model.OUT and line not in self._directions
        # A held line is refused with its holder's name where lines are held; what nobody holds is free there.
        if not self.backend.holds_lines and (function not in (model.IN, model.OUT) or foreign_output):
            self._warn(IN_USE_WARNING)
        if pull in (model.PUD_DOWN, model.PUD_UP) and line in self.hardware.fixed_pull_ups:
            self._warn(FIXED_PULL_WARNING)
        if not self._strict and self.hardware.board_channels and not self.hardware.has_pin(line):
            self._warn(OFF_HEADER_WARNING.format(line, self.hardware.name))

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
                line = self.line_of(number)
                if self._directions.get(line) != model.OUT:
                    raise errors.WrongDirectionException(
                        "The GPIO channel has not been set up as an OUTPUT", hint=f"setup({one}, OUT) first"
                    )
                self.backend.write(line, level)

    def input(self, channel: int) -> int:
        """Read a channel. See RPIO.input()."""
        with self._lock:
            line = self.line_of(channel)
            if line not in self._directions:
                raise errors.WrongDirectionException(
                    "You must setup() the GPIO channel first",
                    hint=f"setup({channel}, IN), or forceinput({channel})",
                )
            return self.backend.read(line)

    # What RPIO.output() and RPIO.input() cannot do ends there, with this name in the errors of wrong calls.
    output.__qualname__, input.__qualname__ = "output", "input"

    def force_output(self, channel: int, value: int) -> None:
        """Write without setup()."""
        level = arguments.level_in_list(value)
        with self._lock:
            line = self.line_of(channel)
            self._taken.add(line)
            self.backend.write(line, level)
            self._taken.add(line)  # a signal handler may have cleaned up in the middle

    def force_input(self, channel: int) -> int:
        """Read without setup()."""
        with self._lock:
            line = self.line_of(channel)
            was_taken = line in self._taken
            self._taken.add(
                line
            )  # as long as it is looked at: where that is interrupted, cleanup() lets go of it
            level = self.backend.read(line)
            if not was_taken:
                self._taken.discard(line)
            return level

    def set_pull(self, channel: int, pull_up_down: int | str) -> None:
        """Set the pull of an input; ignored on an output."""
        pull = arguments.pull_of(pull_up_down)
        with self._lock:
            line = self.line_of(channel)
            if self.backend.function(line) != model.OUT:
                self._taken.add(line)
                self.backend.set_pull(line, pull)
                self._taken.add(line)

    def function(self, channel: int) -> int:
        """The function of a channel, set up or not."""
        with self._lock:
            return self.backend.function(self.line_of(channel))

    def direction(self, channel: int) -> int | None:
        """IN or OUT as set up here; None where it was not."""
        with self._lock:
            return self._directions.get(self.line_of(channel))

    def _is_output(self, line: int) -> bool:
        return self._directions.get(line) == model.OUT

    def _input_line(self, channel: int) -> int:
        """The line of a channel that has been set up as an input."""
        line = self.line_of(channel)
        if self._directions.get(line) != model.IN:
            raise errors.WrongDirectionException(
                "You must setup() the GPIO channel as an input first", hint=f"setup({channel}, IN) first"
            )
        return line

    # -- edges -----------------------------------------------------------------------------------

    @property
    def dispatcher(self) -> Dispatcher:
        """The loop; made on first use."""
        with self._lock:
            if self._dispatcher is None:
                from .. import _gpio

                make = self._make_dispatcher
                if make is Dispatcher and threads.patched_by():
                    from ..loop.green import GreenDispatcher as make
                self._dispatcher = make(_gpio.Poller(), self._watched.dispatch)
                hooks.look_after(self)
            return self._dispatcher

    def add_interrupt(
        self,
        channel: int,
        callback: EdgeCallback,
        edge: str | int,
        pull_up_down: int | str | None,
        threaded: bool,
        holdoff_ms: float | None,
        filter_us: int,
    ) -> None:
        """Add a callback to a channel. See RPIO.add_interrupt_callback()."""
        self.line_of(channel)  # its errors come first, as ever
        bits = arguments.edge_bits(edge)
        pull = arguments.pull_or_none(pull_up_down)
        arguments.check_callback(callback, "gpio_id, value")
        arguments.check_parameters(callback, "gpio_id, value")
        holdoff_ns = arguments.holdoff_ns_of(holdoff_ms)
        filter_us = arguments.filter_us_of(filter_us)
        with self._lock:
            line = self.line_of(channel)
            log.debug("Adding callback for GPIO %s", line)
            self._watched.check_filter(line, filter_us)
            if bits and "edges" not in self.backend.features:
                self._arm(line, model.BOTH, filter_us)  # says why not, before the line is touched
            self._watch_input(
                line,
                pull,
                lambda: Subscription(
                    bits, callback, holdoff_ns, Worker(callback, f"RPIO GPIO {line}") if threaded else None
                ),
                filter_us,
            )

    def _watch_input(
        self, line: int, pull: int | None, subscribe: Callable[[], Subscription], filter_us: int
    ) -> None:
        before = -1
        while before != self._releases:  # as in _setup_line()
            before = self._releases
            self._make_input(line, pull)
            self._watched.add(line, subscribe(), filter_us)

    def subscribe(
        self,
        channel: int,
        subscription: Subscription,
        filter_us: int,
        begin: Callable[[], object] = lambda: None,
    ) -> int:
        """Add a subscription of the caller's own making to an input; return its line. begin() has the loop run: in one
        with the rest, so that a cleanup() comes before or after both.
        """
        filter_us = arguments.filter_us_of(filter_us)
        with self._lock:
            line = self._input_line(channel)
            self._watched.add(line, subscription, filter_us)
            self._check_still_input(channel, line)
            try:
                begin()
            except BaseException:
                self._watched.discard(line, subscription)
                raise
        return line

    def _check_still_input(self, channel: int, line: int) -> None:
        """Raise what _input_line() raises where a signal handler has cleaned the line up since, and end its watch."""
        if self._directions.get(line) != model.IN:
            self._watched.drop(line)
            self._input_line(channel)

    def unsubscribe(self, line: int, subscription: Subscription) -> None:
        """End it; nothing where it has ended already."""
        with self._lock:
            self._watched.discard(line, subscription)

    def make_input(self, channel: int, pull_up_down: int | str) -> None:
        """Have a channel be an input with that pull, as add_interrupt() does."""
        pull = arguments.pull_of(pull_up_down)
        with self._lock:
            self._make_input(self.line_of(channel), pull)

    def _make_input(self, line: int, pull: int | None) -> None:
        """As the original: an input gets its pull changed, anything else becomes an input."""
        if self.backend.function(line) == model.IN and line in self._directions:
            if pull is not None:
                self.backend.set_pull(line, pull)
            return
        if self._directions.get(line) == model.OUT:
            self._warn(f"GPIO {line} was an output of this program; it is an input now")
        elif self._warnings:
            self._warn_of_use(line, pull)
        log.debug("- changing gpio function of GPIO %s to INPUT", line)
        self._own(line, lambda: self.backend.set_input(line, pull))
        self._set_direction(line, model.IN)

    def _arm(self, line: int, edge: int, filter_us: int) -> int:
        """Ask the backend for edges, and to notice that the chip has gone."""
        if self.hardware.soc == "BCM2712":
            self._leave_alternate(line)
        gone_fd = self.backend.gone_fd()  # first: a chip that goes in between is noticed
        try:
            fd = self.backend.watch(line, edge, filter_us)
        except PermissionError as e:
            from ..machine import access

            raise access.no_access(e) from None
        if gone_fd is not None and not self.dispatcher.has(gone_fd):
            self.dispatcher.add(gone_fd, lambda events: self._look_whether_gone())
        self._grant(line)  # the descriptor may be another now
        return fd

    def _leave_alternate(self, line: int) -> None:
        """RP1 reports edges of plain inputs alone; an overlay may have taken what setup() had made one."""
        function = self.backend.function(line)
        if function not in (model.IN, model.OUT, model.UNKNOWN):
            log.warning(
                "GPIO %s worked as %s, where RP1 reports no edges: it is an input again.",
                line,
                model.FUNCTION_NAMES.get(function, f"function {function}"),
            )
            self.backend.set_input(line, None)

    def _disarm(self, line: int, is_read: bool) -> None:
        self.backend.unwatch(line, is_read)

    def _lasting_fd(self, line: int) -> int | None:
        return self.backend.line_fd(line)

    def _gone_fd(self) -> int | None:
        return self.backend.gone_fd()

    def _look_whether_gone(self) -> None:
        """The chip's device file has changed; the kernel does not wake those who wait for edges of a lost chip."""
        if self.backend.is_gone():
            with self._lock:
                for line in self._watched:
                    self._watched.lose(line)

    def events_lost(self, channel: int | None = None) -> int:
        """How many edges were lost, on one channel or on all, since the callbacks were first added."""
        with self._lock:
            counts = self._watched.lost()
            return sum(counts.values()) if channel is None else counts.get(self.line_of(channel), 0)

    def del_interrupt(self, channel: int) -> None:
        """Remove all callbacks of add_interrupt() from a channel."""
        with self._lock:
            line = self.line_of(channel)
            if not self._watched.remove(line, Subscription):
                raise errors.NotWatchedError(
                    f"there is no callback on GPIO {line}", hint="add one with add_interrupt_callback()"
                )

    # -- TCP -------------------------------------------------------------------------------------

    @property
    def ports(self) -> Ports:
        """The TCP ports; made on first use."""
        with self._lock:
            if self._ports is None:
                threads.load("RPIO.loop.tcp_ports")
                from ..loop.tcp_ports import Ports

                self._ports = Ports(lambda: self.dispatcher, self._lock)
            return self._ports

    @property
    def has_ports(self) -> bool:
        """Whether a TCP port is open."""
        return self._ports is not None and bool(self._ports.servers)

    def add_tcp(self, port: int, callback: Callable[..., object], threaded: bool, host: str) -> TcpServer:
        """Open a port. See RPIO.add_tcp_callback()."""
        return self.ports.add(port, callback, threaded, host)

    def tcp_clients(self, port: int | None) -> list[TcpClient]:
        """The clients that are connected. See RPIO.tcp_clients()."""
        return self.ports.clients(port)

    def close_tcp_client(self, fileno: int) -> None:
        """Close the connection of one TCP client."""
        self.ports.close_client(fileno)

    # -- the loop --------------------------------------------------------------------------------

    def wait(self, threaded: bool) -> None:
        """Run the loop, here or in a thread; in a thread, nothing changes where it runs already."""
        if not threaded:
            if not self.is_waiting and not self.has_ports and not self.dispatcher.has_handlers:
                log.warning(
                    "wait_for_interrupts() has nothing to wait for: no callback has been added, and no TCP port"
                )
            self._wait_here()
        elif not self.is_waiting:
            try:
                self.dispatcher.start_thread()
            except errors.AlreadyRunningError:
                if self.dispatcher.in_loop or self.dispatcher.is_nested:
                    raise  # else another thread was quicker

    def _wait_here(self) -> None:
        """Run the loop in this thread. LineGoneError, at once, where the chip of a watched line goes or has gone."""
        before, self._waits_here = self._waits_here, True
        try:
            self._watched.check_there()
            self.dispatcher.run()
        finally:
            self._waits_here = before
        self._watched.check_there()

    def _end_wait(self) -> None:
        """A line is lost. A loop in a thread has nobody to tell that, and goes on for the others."""
        if self._waits_here:
            self.stop()

    @property
    def is_waiting(self) -> bool:
        """Whether wait_for_interrupts() runs, and has not been told to stop."""
        return self._dispatcher is not None and self._dispatcher.running

    def stop(self) -> None:
        """End the loop; takes no lock, so a signal handler may call it at any moment."""
        dispatcher = self._dispatcher
        if dispatcher is not None:
            dispatcher.stop()

    # -- cleanup ---------------------------------------------------------------------------------

    def cleanup_interrupts(self) -> None:
        """Close all TCP ports and connections and remove the callbacks of add_interrupt()."""
        log.debug("Cleaning up interfaces...")
        with self._lock:
            _do_all(
                self._ports.close if self._ports is not None else lambda: None,
                *[lambda line=line: self._watched.remove(line, Subscription) for line in self._watched],
            )

    def _close_interrupts(self) -> None:
        _do_all(
            self.cleanup_interrupts,
            *[lambda line=line: self._watched.drop(line) for line in self._watched],
            self._watched.finish,
            self._watched.let_go_all,
            self.detections.forget_waits,
        )
        if self._dispatcher is not None:
            self._dispatcher.end_background()

    def cleanup(self, channels: Channels) -> None:
        """Make channels of this process inputs without pull; all of them, and forget the mode, for ALL.

        What fails, or is interrupted, keeps nothing else from being given back, and is tried again by the next call.
        """
        found = False
        if channels is arguments.ALL:
            with self._lock:
                found = bool(self._directions or self._owned)
                driven: list[bool] = []
                _do_all(
                    self._close_interrupts,
                    self._forget_numbering,
                    lambda: driven.append(self.pulses.end_all()),
                    *[
                        lambda line=line: self._release(line)
                        for line in sorted({*self._directions, *self._owned})
                    ],
                    *[lambda line=line: self._let_go(line) for line in sorted(self._taken)],
                    self._let_go_of_others,
                    self._leave_gone_chip,
                )
                found = found or any(driven)
        else:
            lines: list[int] = []
            done: list[bool] = []
            with self._lock:
                try:
                    for channel in arguments.channel_list(channels):
                        lines.append(self.line_of(arguments.channel_in_list(channel)))
                finally:  # those before a bad one are cleaned up
                    _do_all(
                        *[lambda line=line: done.append(self._release(line)) for line in lines],
                        self._leave_gone_chip,
                    )
            found = any(done)
        if not found and self._strict:
            self._warn(NOTHING_TO_CLEAN_WARNING)

    def _leave_gone_chip(self) -> None:
        """Have the next line look for a chip anew, once nothing is used of one that has gone."""
        backend = self._backend
        if backend is None or self._has_own_backend or self._directions or self._taken or self._watched:
            return
        if not backend.is_gone():
            return
        gone_fd = backend.gone_fd()
        if gone_fd is not None and self._dispatcher is not None and self._dispatcher.has(gone_fd):
            self._dispatcher.remove(gone_fd)
        self._close_backend()
        self._finish_closing()

    def _forget_numbering(self) -> None:
        if self._backend is not None:
            self._numbering.forget()  # as RPi.GPIO, which keeps it as long as no line has been touched
        self._grant_all()

    def _let_go(self, line: int) -> None:
        """Of a line that was used without setup()."""
        self.backend.release(line)
        self._taken.discard(line)

    def _let_go_of_others(self) -> None:
        """Of lines that the backend holds and we do not: a signal handler has cleaned up in the middle of a call."""
        backend = self._backend
        if backend is not None:
            others = [line for line in backend.held() if line not in self._directions]
            _do_all(*[lambda line=line: backend.release(line) for line in others])

    def _release(self, line: int) -> bool:
        """Undo setup() of a line; False where this process did not set it up. Forgotten when it is done."""
        self._releases += 1
        driven = self.pulses.drives(line)
        self._revoke(line)
        _do_all(
            lambda: self._watched.drop(line),
            lambda: self._watched.let_go(line),
            lambda: self.pulses.end_of(line),
        )
        is_owned = line in self._owned
        if is_owned:
            try:
                self.backend.set_input(line, model.PUD_OFF)
            except errors.LineGoneError:
                pass  # nothing is left to be an input
            finally:
                self.backend.release(line)
        self._owned.discard(line)
        self._set_direction(line, None)
        return driven or is_owned


def _join(workers: list[Worker | Turns]) -> None:
    deadline_s = monotonic() + JOIN_TIMEOUT_S
    for worker in workers:
        worker.join(max(0.0, deadline_s - monotonic()))


def _do_all(*steps: Callable[[], object]) -> None:
    """Do all, one that fails too; raise the first error then. What is no error comes through at once."""
    first: Exception | None = None
    for step in steps:
        try:
            step()
        except Exception as e:
            first = first or e
    if first is not None:
        raise first
