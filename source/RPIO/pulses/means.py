# SPDX-License-Identifier: LGPL-3.0-or-later
"""What carries the channels of RPIO.PWM out: the DMA engine, or the C timer where DMA cannot be."""

from __future__ import annotations

from time import monotonic

from .. import constants as model
from .. import errors, log, threads
from . import dma_engine as dma

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..backends import Backend

    Edge = tuple[int, int, int]

CHANNEL_MAX = dma.CHANNEL_MAX
NS_PER_US = 1000
SETTLE_S = 0.05
CLOCKS_APART, MARGIN_S = 1.002, 0.001
"""How much slower than the machine's clock the pace may be (NTP slews by 500 ppm), and what a wait is rounded up by."""

sleep = threads.original("time", "sleep")  # holding the board's lock, so that no greenlet may come in between


class Channel:
    """What was asked of one channel: *pulses* are line -> {start: width}, in slots."""

    means: DmaMeans | SoftMeans
    """What carries it out, once it has been started."""

    def __init__(self, number: int, subcycle_time_us: int, increment_us: int) -> None:
        self.number, self.subcycle_time_us, self.increment_us = number, subcycle_time_us, increment_us
        self.slots = subcycle_time_us // increment_us
        self.pulses: dict[int, dict[int, int]] = {}
        self.is_over = False  # for good
        self.held_low: set[int] = set()
        """Lines that had a pulse which ended with the subcycle: its end is written in the next one."""

    def note(self, line: int, pulses: dict[int, int]) -> None:
        """These are the line's pulses now."""
        if any(start + width == self.slots for start, width in self.pulses.get(line, {}).items()):
            self.held_low.add(line)
        if line in self.pulses:  # else a signal handler has cleaned it up meanwhile
            self.pulses[line] = pulses

    def laid(self, line: int, start: int, width: int) -> dict[int, int]:
        """Return the line's pulses with one more.

        It takes the place of those that begin in it, and of the rest of one that reaches into it; width 0 is low from
        *start* on. So did the original's control blocks: a slot sets a line, clears it, or does nothing about it.
        """
        end = start + width
        pulses = {
            other: min(its_width, start - other) if other < start else its_width
            for other, its_width in self.pulses[line].items()
            if not start <= other < max(end, start + 1)
        }
        if width:
            pulses[start] = width
        return pulses

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
            if line in self.held_low and 0 not in rises:
                found.add((0, line, 0))
        return sorted(found, key=lambda edge: (edge[0], edge[2], edge[1]))


class DmaMeans:
    """Channels that are channels of the DMA engine."""

    name = "dma"

    def __init__(self, engine: dma.Engine, delay_hw: int, increment_us: int) -> None:
        self.engine = engine
        self.pace = dma.PACES[engine.set_pace(delay_hw, increment_us)]
        self._dma_channels: dict[int, int] = {}  # of RPIO.PWM -> of the engine

    def check_line(self, line: int) -> None:
        """Raise for a line that cannot be reached."""
        if line >= dma.LINES:
            raise errors.PulseError(
                f"GPIO {line} is out of reach of the DMA engine's pulses",
                hint=f"use GPIO 0 to {dma.LINES - 1}",
            )

    def start(self, channel: Channel, is_named: bool) -> None:
        """Begin a channel without a pulse. *is_named*: on the DMA channel of its number, if that is free.

        Raises:
            NoChannelError: none is free. DMAError: there is no memory.
        """
        reason = self.engine.why_taken(channel.number) if is_named else "any will do"
        number = channel.number if reason is None else self.engine.pick()
        self.engine.start(number, channel.slots)
        self._dma_channels[channel.number] = number
        if reason is not None:
            log.info("Channel %d of RPIO.PWM runs on DMA channel %d: %s", channel.number, number, reason)

    def _change(self, name: str, channel: Channel, *numbers: int) -> None:
        self.engine.change(name, self._dma_channels[channel.number], *numbers)

    def add(self, channel: Channel, line: int, start: int, width: int) -> None:
        """Lay a pulse over what there is."""
        self._change("add", channel, line, start, width)

    def replace(self, channel: Channel, line: int, start: int, width: int) -> None:
        """Make this the line's only pulse."""
        self._change("replace", channel, line, start, width)

    def clear(self, channel: Channel, line: int) -> None:
        """Returns when the line's last pulse is over: the program may drive it then."""
        self._change("clear_line", channel, line)
        number = self._dma_channels[channel.number]
        end_s = monotonic() + 2 * channel.subcycle_time_us / 1e6 + SETTLE_S
        slots, tries = self.engine.settle(number, has_waited=False), 0
        while slots:
            if monotonic() > end_s:
                log.warning("DMA channel %d does not advance: a driver may have taken what paces it", number)
                return
            # Longer is harmless, as nothing begins any more; the machine's clock may run faster than that of the pace.
            # Each time by another fraction of a turn: after whole turns the engine would seem to stand still.
            sleep((slots + 1.5 * tries) * channel.increment_us / 1e6 * CLOCKS_APART + MARGIN_S)
            tries += 1
            slots = self.engine.settle(number, has_waited=True)

    lose = clear

    def resume(self, channel: Channel) -> None:
        """Nothing: setting a line up does not stop the engine."""

    def stop(self, channel: Channel) -> None:
        """End a channel, its lines low."""
        self.engine.stop(self._dma_channels.pop(channel.number))

    def close(self) -> None:
        """Give everything back."""
        self.engine.close()

    def describe(self, channel: Channel) -> str:
        """Return what carries the channel out, as text."""
        number = self._dma_channels[channel.number]
        info = self.engine.info(number)
        if not info:
            return f"DMA channel {number}, which has ended"
        state = "running" if info["is_active"] else f"stopped by the hardware (error {info['error']})"
        return f"DMA channel {number}, paced by {self.pace}, {info['pages']} pages of memory, {state}"


class SoftMeans:
    """Channels that the C timer plays as waves."""

    name = "soft"

    def __init__(self, backend: Callable[[], Backend | None]) -> None:
        self._backend = backend
        self._waves: dict[int, int] = {}  # channel -> number of its wave

    def check_line(self, line: int) -> None:
        """Raise for a line that cannot be reached."""
        pass  # the C timer reaches every output

    def start(self, channel: Channel, is_named: bool) -> None:
        """Begin a channel without a pulse."""
        pass  # there is nothing to play yet

    def add(self, channel: Channel, line: int, start: int, width: int) -> None:
        """Lay a pulse over what there is."""
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
