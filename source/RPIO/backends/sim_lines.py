# SPDX-License-Identifier: LGPL-3.0-or-later
"""What a simulated board is made of: lines with pulls, wires between them, and an outside world that drives them.

A line's level is what its *net* has: the lines that wires join. Whatever drives the net decides (an output's
latch, the outside world); where nothing does, a pull decides; where there is none, the net floats and keeps
its level. Two drivers that disagree are a short circuit: it is counted, reported once, and reads as low.
"""

from __future__ import annotations

from _thread import RLock

from .. import constants, log
from .event_pipe import EventPipe
from .protocol import Backend, check_line
from .sim_time import ManualClock, RealClock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..machine.boards import Hardware
    from .buses import I2cBus, SpiBus

POWER_ON_PULL_UPS = range(9)
"""GPIO 0 to 8 wake up with a pull-up, the rest of the header with a pull-down.
Source: BCM2835 ARM Peripherals, 6.2, "Alternative Function Assignments", column Pull."""


class Watch:
    """The pipe of a watched line."""

    __slots__ = ("bits", "filter_ns", "pending", "pipe")

    def __init__(self) -> None:
        self.pipe = EventPipe()
        self.bits = 0
        self.filter_ns = 0
        self.pending: object = None


class Line:
    """A line: what it is, what drives it, and what else is on the same wire."""

    __slots__ = (
        "drive",
        "function",
        "is_alone",
        "latch",
        "level",
        "listeners",
        "net",
        "pull",
        "stable",
        "watch",
    )

    def __init__(self, number: int, fixed_pull_up: bool) -> None:
        self.function = constants.IN
        self.latch = 0
        self.pull = constants.PUD_UP if number in POWER_ON_PULL_UPS else constants.PUD_DOWN
        self.drive: int | None = None
        self.level = 1 if fixed_pull_up or self.pull == constants.PUD_UP else 0
        self.stable = self.level  # what the kernel's filter has let through
        self.net = {number}
        self.listeners: tuple[Callable[[int], object], ...] = ()
        self.is_alone = True  # nothing else is on its net, and nobody listens
        self.watch: Watch | None = None

    def look(self) -> None:
        """See whether it is alone."""
        self.is_alone = len(self.net) == 1 and not self.listeners


class SimLines(Backend):
    """The lines of a board of the given hardware that exists only here, and the world outside."""

    def __init__(self, hardware: Hardware, clock: RealClock | ManualClock | None = None) -> None:
        self.hardware = hardware
        self.clock: RealClock | ManualClock = clock if clock is not None else RealClock()
        self.line_count = hardware.line_count
        self._fixed_pull_ups = frozenset(hardware.fixed_pull_ups)
        self._lines = [Line(n, n in self._fixed_pull_ups) for n in range(self.line_count)]
        self._lock = RLock()
        self._presses: dict[int, object] = {}  # line -> the last one, which lets go of it in the end
        self.short_circuits = 0
        self.observer: Callable[[int, int, int], object] | None = None
        """Called as observer(line, level, now_ns) at each change of a level."""
        self.buses: dict[str, I2cBus | SpiBus] = {}
        """Those that somebody has asked for, by name: see chips/buses."""

    def describe(self) -> str:
        return f"simulated {self.hardware.name} ({self.line_count} lines)"

    def _line(self, line: int) -> Line:
        check_line(self, line)
        return self._lines[line]

    # -- physics ---------------------------------------------------------------------------------

    def _net_level(self, net: set[int]) -> int:
        drivers: set[int] = set()
        ups = downs = False
        for number in net:
            line = self._lines[number]
            if line.function == constants.OUT:
                drivers.add(line.latch)
            if line.drive is not None:
                drivers.add(line.drive)
            ups = (
                ups
                or number in self._fixed_pull_ups
                or (line.function != constants.OUT and line.pull == constants.PUD_UP)
            )
            downs = downs or (line.function != constants.OUT and line.pull == constants.PUD_DOWN)
        if len(drivers) == 1:
            return drivers.pop()
        if drivers:
            self._short_circuit(net)
            return 0
        if ups != downs:
            return int(ups)
        fixed = ups and any(number in self._fixed_pull_ups for number in net)
        return 1 if fixed else self._lines[min(net)].level

    def _short_circuit(self, net: set[int]) -> None:
        self.short_circuits += 1
        if self.short_circuits == 1:
            lines = ", ".join(str(n) for n in sorted(net))
            log.warning(
                "simulated short circuit: drivers of GPIO %s disagree; on a real board that can do harm",
                lines,
            )

    def _settle(self, net: set[int]) -> None:
        """Bring the lines of a net to its level, and report the edges."""
        level = self._net_level(net)
        changed = [number for number in net if self._lines[number].level != level]
        for number in changed:
            line = self._lines[number]
            line.level = level
            if line.watch is not None:
                self._edge(number, line, line.watch)
            else:
                line.stable = level
        if self.observer is not None:
            for number in changed:
                self.observer(number, level, self.clock.now_ns())  # it may drive a line, one of these too
        for number in changed:
            for listener in self._lines[number].listeners:
                listener(level)

    def _edge(self, number: int, line: Line, watch: Watch) -> None:
        if watch.filter_ns == 0:
            self._report(number, line, watch)
            return
        watch.pending = token = object()

        def settle() -> None:
            with self._lock:
                if watch.pending is token and line.watch is watch:
                    self._report(number, line, watch)

        self.clock.call_at(self.clock.now_ns() + watch.filter_ns, settle)

    def _report(self, number: int, line: Line, watch: Watch) -> None:
        if watch.filter_ns and line.stable == line.level:
            return
        line.stable = line.level
        if not watch.bits & (1 if line.level else 2):
            return
        watch.pipe.put(number, line.level, self.clock.now_ns())

    # -- the outside world -----------------------------------------------------------------------

    def outside(self) -> SimLines:
        return self

    def drive(self, line: int, value: int | None) -> None:
        """Drive the line from outside to 0 or 1; None lets go of it."""
        with self._lock:
            self._presses.pop(line, None)
            self._line(line).drive = None if value is None else 1 if value else 0
            self._settle(self._lines[line].net)

    def driven(self, line: int) -> int | None:
        """What the outside world drives the line to; None for nothing."""
        return self._line(line).drive

    def press(self, line: int, ns: int, value: int) -> None:
        """Drive the line so long, then let go of it, unless something else is done to it meanwhile. Does not wait."""
        with self._lock:
            self.drive(line, value)
            self._presses[line] = token = object()
            self.clock.call_at(self.clock.now_ns() + ns, lambda: self._end_press(line, token))

    def _end_press(self, line: int, token: object) -> None:
        with self._lock:
            if self._presses.get(line) is token:
                self.drive(line, None)

    def on_change(self, line: int, action: Callable[[int], object]) -> None:
        """Call action(level) at each change of a line, at its moment, in the thread that causes it: for what hangs
        on it. It may drive lines.
        """
        with self._lock:
            state = self._line(line)
            state.listeners = (*state.listeners, action)
            state.look()

    def whole(self) -> RLock:
        """Return the lock over the lines: what is done within it comes as a whole, and no line changes meanwhile."""
        return self._lock

    def pull_up(self, line: int, is_there: bool = True) -> None:
        """Put a resistor from the line to 3.3 V, stronger than the chip's pulls, or take it away."""
        with self._lock:
            net = self._line(line).net
            stays = is_there or line in self.hardware.fixed_pull_ups
            self._fixed_pull_ups = self._fixed_pull_ups | {line} if stays else self._fixed_pull_ups - {line}
            self._settle(net)

    def is_watched(self, line: int) -> bool:
        """Whether edges of the line are heard: what is driven from now on is reported."""
        with self._lock:
            watch = self._line(line).watch
            return watch is not None and watch.bits != 0

    def wire(self, a: int, b: int) -> None:
        """Join two lines with a wire."""
        with self._lock:
            net = self._line(a).net | self._line(b).net
            for number in net:
                self._lines[number].net = net
                self._lines[number].look()
            self._settle(net)

    def unwire(self, line: int) -> None:
        """Take every wire off the line."""
        with self._lock:
            rest = self._line(line).net - {line}
            for number in rest:
                self._lines[number].net = rest
                self._lines[number].look()
            self._lines[line].net = {line}
            self._lines[line].look()
            if rest:
                self._settle(rest)
            self._settle({line})
