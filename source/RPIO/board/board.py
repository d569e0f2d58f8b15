# SPDX-License-Identifier: LGPL-3.0-or-later
"""The Board: what a program may do with the lines of a machine, by the names that RPIO has for it.

The rules are in what it is made of (parts): numbering (what a channel means), lines (what may be done with one), book
(who set it up), grants (what C may do by itself); subscriptions (who gets an edge, and when it holds off), edges (what
is asked of the kernel for them), interrupts, event_detect, waits; waiting (the loop); cleanup (lines given back) and
ending (closed, exit, fork). A Board opens nothing until a line is touched.
"""

from __future__ import annotations

from .. import arguments, constants
from ..arguments import ALL
from ..backends import Backend, opening
from .counting import Counting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from ..arguments import Channels
    from ..loop.tcp_client import Message, TcpClient
    from ..machine.boards import Hardware
    from ..pulses.waves import Wave


NOT_GRANTED = (-1, False)


class Board(Counting):
    """The lines of one machine, or of a simulated one. In a ``with`` statement it is cleaned up and closed at the end.

    *spec* names the backend: "auto", "regs", "cdev", "sysfs", "sim", with an argument behind a colon ("sim:3B+",
    "cdev:/dev/gpiochip1"). *default_mode* is the numbering before setmode(): BCM, or None to require it.
    *fast* is the C module whose output() and input() serve the channels of this board that are granted to them;
    there is one such table, so only one Board can have it. *on_hardware* is called with what the machine is when
    the board has been opened, and with None when it has been closed. *make_dispatcher* is for loops of another kind,
    such as that of tests with a clock of their own.

    The methods are the functions of RPIO, which call those of one Board: what ``RPIO.setup()`` says goes for setup().
    Several boards can be used at once, each with its own numbering and callbacks, and a loop of its own; or, with
    *within*, in the loop of that board, whose wait_for_interrupts() then serves both.
    """

    def __enter__(self) -> Board:
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self.cleanup()
        finally:
            self.close()

    # -- the machine -----------------------------------------------------------------------------

    def use(self, backend: str | Backend, hardware: Hardware | None = None) -> None:
        """As RPIO.use(); *hardware* is what machine a Backend of your own drives, where that is known."""
        if isinstance(backend, str):
            opening.check_name(backend.partition(":")[0])
        elif not isinstance(backend, Backend):
            raise TypeError(f"the backend is a word such as 'sim', or a Backend, not {backend!r}")
        with self.lock:
            if not self.is_idle:
                raise RuntimeError("the board is in use: choose the backend before the first line is set up")
            self.close()
            self.machine.use(backend, hardware)

    def describe(self) -> str:
        """As RPIO.describe()."""
        name, means = self.hardware.name, self.backend.describe()
        return means if name in means else f"{name}: {means}"

    def sysinfo(self) -> tuple[str, str, str, int, str]:
        """As RPIO.sysinfo()."""
        return self.hardware.sysinfo

    def batch(self) -> AbstractContextManager[object]:
        """Return a context, in which what is written by this thread may be sent together: ``with board.batch(): ...``.

        Where the lines are another process's, that saves a way there and back for each call. Errors of such calls come
        at the end of it, the first of them; here, where nothing is saved, they come at once.
        """
        return self.backend.batch()

    # -- channels --------------------------------------------------------------------------------

    def setmode(self, mode: int) -> None:
        """As RPIO.setmode()."""
        with self.lock:
            self.numbering.setmode(mode)
            self.grants.renew()

    def getmode(self) -> int | None:
        """As RPIO.getmode()."""
        return self.numbering.mode

    def setwarnings(self, enabled: int = True) -> None:
        """As RPIO.setwarnings()."""
        self.manners.warns = bool(arguments.integer("enabled", enabled))

    def setup(
        self,
        channel: Channels,
        direction: int | str,
        pull_up_down: int | str = constants.PUD_OFF,
        initial: int | None = -1,
    ) -> None:
        """As RPIO.setup()."""
        self.lines.setup(channel, direction, pull_up_down, initial)

    def output(self, channel: Channels, value: int | Sequence[int]) -> None:
        """As RPIO.output()."""
        if type(channel) is int and (type(value) is int or type(value) is bool) and 0 <= value <= 1:
            line, may_write = self.grants.granted.get(channel, NOT_GRANTED)
            backend = self.machine.opened
            if may_write and backend is not None:
                backend.write(line, value)
                return
        self.lines.output(channel, value)

    def input(self, channel: int) -> int:
        """As RPIO.input()."""
        if type(channel) is int and channel in self.grants.granted:
            backend = self.machine.opened
            if backend is not None:
                return backend.read(self.grants.granted[channel][0])
        return self.lines.input(channel)

    # RPIO.output() and RPIO.input() say so in the errors of wrong calls, and tests put these in their place.
    output.__qualname__, input.__qualname__ = "output", "input"

    def forceoutput(self, gpio_id: int, value: int) -> None:
        """As RPIO.forceoutput()."""
        self.lines.force_output(gpio_id, value)

    def forceinput(self, gpio_id: int) -> int:
        """As RPIO.forceinput()."""
        return self.lines.force_input(gpio_id)

    def set_pullupdn(self, gpio_id: int, pud: int | str = constants.PUD_OFF) -> None:
        """As RPIO.set_pullupdn()."""
        self.lines.set_pull(gpio_id, pud)

    def gpio_function(self, gpio_id: int) -> int:
        """As RPIO.gpio_function()."""
        return self.lines.function(gpio_id)

    def channel_to_gpio(self, channel: int) -> int:
        """As RPIO.channel_to_gpio()."""
        return self.numbering.line_of(channel)

    def cleanup(self, channel: Channels = ALL) -> None:
        """As RPIO.cleanup()."""
        self.cleaner.cleanup(channel)

    def protect(self, channel: int, **rules: object) -> None:
        """As RPIO.protect()."""
        self.safety.declare(self.line_of(channel), rules)

    def interlock(self, channels: list[int] | tuple[int, ...], name: str = "") -> None:
        """As RPIO.interlock()."""
        self.safety.interlock([self.line_of(channel) for channel in arguments.channel_list(channels)], name)

    # -- edges -----------------------------------------------------------------------------------

    def add_interrupt_callback(
        self,
        gpio_id: int,
        callback: Callable[[int, int], object],
        edge: str | int = "both",
        pull_up_down: int | str | None = constants.PUD_OFF,
        threaded_callback: bool = False,
        debounce_timeout_ms: float | None = None,
        filter_us: int = 0,
    ) -> None:
        """As RPIO.add_interrupt_callback()."""
        self.interrupts.add(
            gpio_id, callback, edge, pull_up_down, threaded_callback, debounce_timeout_ms, filter_us
        )

    def del_interrupt_callback(self, gpio_id: int) -> None:
        """As RPIO.del_interrupt_callback()."""
        self.interrupts.remove(gpio_id)

    def add_event_detect(
        self,
        channel: int,
        edge: int | str,
        callback: Callable[[int], object] | None = None,
        bouncetime: int | None = None,
    ) -> None:
        """As RPIO.add_event_detect()."""
        self.detections.add(channel, edge, callback, bouncetime)

    def add_event_callback(self, channel: int, callback: Callable[[int], object]) -> None:
        """As RPIO.add_event_callback()."""
        self.detections.add_callback(channel, callback)

    def remove_event_detect(self, channel: int) -> None:
        """As RPIO.remove_event_detect()."""
        self.detections.remove(channel)

    def event_detected(self, channel: int) -> bool:
        """As RPIO.event_detected()."""
        return self.detections.detected(channel)

    def wait_for_edge(
        self, channel: int, edge: int | str, bouncetime: int | None = None, timeout: int | None = None
    ) -> int | None:
        """As RPIO.wait_for_edge()."""
        return self.detections.wait_for_edge(channel, edge, bouncetime, timeout)

    def events_lost(self, gpio_id: int | None = None) -> int:
        """As RPIO.events_lost()."""
        return self.interrupts.lost(gpio_id)

    # -- TCP, and the loop -----------------------------------------------------------------------

    def add_tcp_callback(
        self,
        port: int,
        callback: Callable[[TcpClient, Message], object],
        threaded_callback: bool = False,
        host: str = "0.0.0.0",
    ) -> int:
        """As RPIO.add_tcp_callback()."""
        return self.waiting.ports.add(port, callback, threaded_callback, host).port

    def tcp_clients(self, port: int | None = None) -> list[TcpClient]:
        """As RPIO.tcp_clients()."""
        return self.waiting.ports.clients(port)

    def close_tcp_client(self, fileno: int) -> None:
        """As RPIO.close_tcp_client()."""
        self.waiting.ports.close_client(fileno)

    def wait_for_interrupts(self, threaded: bool = False, epoll_timeout: float = 1) -> None:
        """As RPIO.wait_for_interrupts()."""
        self.waiting.wait(threaded)

    def stop_waiting_for_interrupts(self, *_: object) -> None:
        """As RPIO.stop_waiting_for_interrupts()."""
        self.waiting.stop()

    def cleanup_interrupts(self) -> None:
        """As RPIO.cleanup_interrupts()."""
        self.ending.cleanup_interrupts()

    # -- pulses ----------------------------------------------------------------------------------

    def wave(
        self, steps: Sequence[tuple[int, int, float]], repeat: int | None = 1, means: str | None = None
    ) -> Wave:
        """As RPIO.wave()."""
        return self.pulses.player.play(steps, repeat, means)
