# SPDX-License-Identifier: LGPL-3.0-or-later
"""What carries the channels of RPIO.PWM out: the DMA engine, or the C timer where DMA cannot be."""

from __future__ import annotations

from time import monotonic, sleep

from . import dma, errors, log, model

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .backends import Backend

    Edge = tuple[int, int, int]

CHANNEL_MAX = dma.CHANNEL_MAX
NS_PER_US = 1000
SETTLE_S = 0.05


class Channel:
    """What was asked of one channel: *pulses* are line -> {start: width}, in slots."""

    def __init__(self, number: int, subcycle_time_us: int, increment_us: int) -> None:
        self.number, self.subcycle_time_us, self.increment_us = number, subcycle_time_us, increment_us
        self.slots = subcycle_time_us // increment_us
        self.pulses: dict[int, dict[int, int]] = {}
        self.is_over = False  # for good
        self.held_low: set[int] = (
            set()
        )  # lines whose last pulse, before they were cleared, ended with the subcycle

    def note_clear(self, line: int) -> None:
        """Forget the pulses of a line."""
        if any(start + width == self.slots for start, width in self.pulses[line].items()):
            self.held_low.add(line)
        self.pulses[line] = {}

    def overlapping(self, line: int, start: int, width: int) -> tuple[int, int] | None:
        """Return the start and width of a pulse that shares a slot with this one."""
        for other, its_width in self.pulses.get(line, {}).items():
            if other < start + width and start < other + its_width:
                return other, its_width
        return None

    def edges(self, is_driven: Callable[[int], bool]) -> list[Edge]:
        """Return (at_ns, line, level) of a turn for lines that are driven, in order; falling ones first."""
        slot_ns = self.increment_us * NS_PER_US
        found: set[Edge] = set()
        for line, pulses in self.pulses.items():
            if not is_driven(line):
                continue
            rises = set(pulses)
            ends = {(start + width) % self.slots for start, width in pulses.items()}
            found.update((end * slot_ns, line, 0) for end in ends - rises)
            found.update((start * slot_ns, line, 1) for start in rises - (ends - {0}))
            if not pulses and line in self.held_low:
                found.add((0, line, 0))
        return sorted(found, key=lambda edge: (edge[0], edge[2], edge[1]))


class DmaMeans:
    """Channels that are channels of the DMA engine."""

    name = "dma"

    def __init__(self, engine: dma.Engine, delay_hw: int, increment_us: int) -> None:
        self.engine = engine
        self.pace = dma.PACES[engine.set_pace(delay_hw, increment_us)]

    def pick(self, taken: set[int]) -> int:
        """Return the number of a channel that is free."""
        return self.engine.pick()

    def check_line(self, line: int) -> None:
        """Raise for a line that cannot be reached."""
        if line >= dma.LINES:
            raise errors.PulseError(
                f"GPIO {line} is out of reach of the DMA engine's pulses",
                hint=f"use GPIO 0 to {dma.LINES - 1}",
            )

    def start(self, channel: Channel) -> None:
        """Begin a channel without a pulse."""
        self.engine.start(channel.number, channel.slots)

    def add(self, channel: Channel, line: int, start: int, width: int) -> None:
        """Add a pulse."""
        self.engine.change("add", channel.number, line, start, width)

    def replace(self, channel: Channel, line: int, start: int, width: int) -> None:
        """Make this the line's only pulse."""
        self.engine.change("replace", channel.number, line, start, width)

    def clear(self, channel: Channel, line: int) -> None:
        """Returns when the line's last pulse is over: the program may drive it then."""
        self.engine.change("clear_line", channel.number, line)
        end_s = monotonic() + 2 * channel.subcycle_time_us / 1e6 + SETTLE_S
        while slots := self.engine.settle(channel.number):
            if monotonic() > end_s:
                log.warning(
                    "DMA channel %d does not advance: a driver may have taken what paces it", channel.number
                )
                return
            sleep(slots * channel.increment_us / 1e6)

    lose = clear

    def resume(self, channel: Channel) -> None:
        """Nothing: setting a line up does not stop the engine."""

    def stop(self, channel: Channel) -> None:
        """End a channel, its lines low."""
        self.engine.stop(channel.number)

    def close(self) -> None:
        """Give everything back."""
        self.engine.close()

    def describe(self, channel: Channel) -> str:
        """Return what carries the channel out, as text."""
        info = self.engine.info(channel.number)
        if not info:
            return "DMA, which has ended"
        state = "running" if info["is_active"] else f"stopped by the hardware (error {info['error']})"
        return f"DMA, paced by {self.pace}, {info['pages']} pages of memory, {state}"


class SoftMeans:
    """Channels that the C timer plays as waves."""

    name = "soft"

    def __init__(self, backend: Callable[[], Backend | None]) -> None:
        self._backend = backend
        self._waves: dict[int, int] = {}  # channel -> number of its wave

    def pick(self, taken: set[int]) -> int:
        """Return the number of a channel that is free."""
        free = [number for number in range(CHANNEL_MAX + 1) if number not in taken]
        if not free:
            raise errors.PulseError(f"all {CHANNEL_MAX + 1} channels are initialized", hint="cleanup() first")
        return free[0]

    def check_line(self, line: int) -> None:
        """Raise for a line that cannot be reached."""
        pass  # the C timer reaches every output

    def start(self, channel: Channel) -> None:
        """Begin a channel without a pulse."""
        pass  # there is nothing to play yet

    def add(self, channel: Channel, line: int, start: int, width: int) -> None:
        """Add a pulse."""
        self._play(channel)

    replace = add

    def clear(self, channel: Channel, line: int) -> None:
        """Remove all pulses of a line."""
        self._play(channel)

    def _play(self, channel: Channel) -> None:
        backend = self._backend()
        if backend is None:
            return
        wave = self._waves.get(channel.number)
        if wave is not None and backend.wave(wave) is None:
            wave = None  # a line of it was set up anew, or its chip has gone
        edges = channel.edges(lambda line: backend.function(line) == model.OUT)
        if edges:
            turn_ns = channel.slots * channel.increment_us * NS_PER_US
            self._waves[channel.number] = play(backend, edges, turn_ns, 0, wave)
            if channel.is_over:  # a signal handler has ended it meanwhile
                self._end(channel, backend, {line for _, line, _ in edges})
        elif wave is not None:
            self._end(channel, backend, channel.pulses)
        else:
            self._waves.pop(channel.number, None)

    def _end(self, channel: Channel, backend: Backend, lines: Iterable[int]) -> None:
        """End what is played, and lines low."""
        wave = self._waves.pop(channel.number, None)
        if wave is not None:
            backend.stop_wave(wave)
        for line in lines:
            if backend.function(line) == model.OUT:
                backend.write(line, 0)

    def lose(self, channel: Channel, line: int) -> None:
        """Go on without a line, which is not the channel's any more."""
        backend = self._backend()
        if backend is None:
            return
        backend.end_pwm(line)
        if channel.number in self._waves:
            self._play(channel)

    def resume(self, channel: Channel) -> None:
        """Go on after a line of the channel has been set up, which has ended what was played."""
        self._play(channel)

    def stop(self, channel: Channel) -> None:
        """End a channel, its lines low."""
        backend = self._backend()
        if backend is not None:
            self._end(channel, backend, channel.pulses)

    def close(self) -> None:
        """Give everything back."""
        self._waves.clear()

    def describe(self, channel: Channel) -> str:
        """Return what carries the channel out, as text."""
        return "the C timer"


def play(backend: Backend, edges: list[Edge], turn_ns: int, turns: int, instead_of: int | None = None) -> int:
    """Have the C timer play a wave."""
    try:
        return backend.play(edges, turn_ns, turns, instead_of)
    except OSError as e:
        from errno import ENOSPC

        if e.errno != ENOSPC:
            raise
        raise errors.PulseError(
            "the C timer plays 16 waves and channels, on 64 lines, at a time",
            hint="stop() some of them first",
        ) from None
