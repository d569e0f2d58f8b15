# SPDX-License-Identifier: LGPL-3.0-or-later
"""What carries the channels of RPIO.PWM out: the DMA engine, or the C timer where DMA cannot be.

Which one drives a PWM object is decided in drives, and which one a servo in servos.
"""

from __future__ import annotations

from time import monotonic

from .. import constants, errors, log, threads
from . import dma_engine
from .slots import NS_PER_US, Slots

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..backends import Backend
    from ..machine.boards import Hardware
    from .slots import Edge

SETTLE_S = 0.05
CLOCKS_APART, MARGIN_S = 1.002, 0.001
"""How much slower than the machine's clock the pace may be (NTP slews by 500 ppm), and what a wait is rounded up by."""

sleep = threads.original("time", "sleep")  # holding the board's lock, so that no greenlet may come in between


class DmaMeans:
    """Channels that are channels of the DMA engine."""

    name = "dma"

    def __init__(self, engine: dma_engine.Engine, delay_hw: int, increment_us: int) -> None:
        self.engine = engine
        self.pace = dma_engine.PACES[engine.set_pace(delay_hw, increment_us)]
        self._dma_channels: dict[int, int] = {}  # of RPIO.PWM -> of the engine

    def check_line(self, line: int) -> None:
        """Raise for a line that cannot be reached."""
        if line >= dma_engine.LINES:
            raise errors.PulseError(
                f"GPIO {line} is out of reach of the DMA engine's pulses",
                hint=f"use GPIO 0 to {dma_engine.LINES - 1}",
            )

    def start(self, channel: Slots, is_named: bool) -> None:
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

    def _change(self, name: str, channel: Slots, *numbers: int) -> None:
        self.engine.change(name, self._dma_channels[channel.number], *numbers)

    def add(self, channel: Slots, line: int, start: int, width: int) -> None:
        """Lay a pulse over what there is."""
        self._change("add", channel, line, start, width)

    def replace(self, channel: Slots, line: int, start: int, width: int) -> None:
        """Make this the line's only pulse."""
        self._change("replace", channel, line, start, width)

    def clear(self, channel: Slots, line: int) -> None:
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

    def resume(self, channel: Slots) -> None:
        """Nothing: setting a line up does not stop the engine."""

    def stop(self, channel: Slots) -> None:
        """End a channel, its lines low."""
        self.engine.stop(self._dma_channels.pop(channel.number))

    def close(self) -> None:
        """Give everything back."""
        self.engine.close()

    def describe(self, channel: Slots) -> str:
        """Return what carries the channel out, as text."""
        number = self._dma_channels[channel.number]
        info = self.engine.info(number)
        if not info:
            return f"DMA channel {number}, which has ended"
        state = "running" if info["is_active"] else f"stopped by the hardware (error {info['error']})"
        return f"DMA channel {number}, paced by {self.pace}, {info['pages']} pages of memory, {state}"


def paced(engine: dma_engine.Engine, delay_hw: int, increment_us: int) -> DmaMeans:
    """Return the means of an engine that has just been opened; closed where that fails."""
    try:
        return DmaMeans(engine, delay_hw, increment_us)
    except BaseException:
        engine.close()
        raise


def open_dma(
    hardware: Hardware,
    backend: Backend,
    increment_us: int,
    delay_hw: int,
    fall_back: bool,
    asked: str | None,
) -> DmaMeans | None:
    """Open the engine; None, with a warning, where the C timer has to do. *fall_back*: also where DMA is refused.

    Raises:
        GPIOError: it is refused, or cannot be and is *asked* for.
    """
    reason = dma_engine.why_not(hardware, backend)
    if reason is None:
        try:
            engine = dma_engine.Engine(hardware)
        except errors.GPIOError as e:
            if not fall_back or asked:
                raise
            reason = str(e)
        else:
            return paced(engine, delay_hw, increment_us)
    if asked:
        raise errors.DMAError(f"PWM by DMA is not possible here: {reason}")
    log.warning("PWM by DMA is not possible here: %s. The C timer makes the pulses instead.", reason)
    return None


class SoftMeans:
    """Channels that the C timer plays as waves."""

    name = "soft"

    def __init__(self, backend: Callable[[], Backend | None]) -> None:
        self._backend = backend
        self._waves: dict[int, int] = {}  # channel -> number of its wave

    def check_line(self, line: int) -> None:
        """Raise for a line that cannot be reached."""
        pass  # the C timer reaches every output

    def start(self, channel: Slots, is_named: bool) -> None:
        """Begin a channel without a pulse."""
        pass  # there is nothing to play yet

    def add(self, channel: Slots, line: int, start: int, width: int) -> None:
        """Lay a pulse over what there is."""
        self._play(channel)

    replace = add

    def clear(self, channel: Slots, line: int) -> None:
        """Remove all pulses of a line."""
        self._play(channel)

    def _play(self, channel: Slots) -> None:
        backend = self._backend()
        if backend is None:
            return
        wave = self._waves.get(channel.number)
        if wave is not None and backend.wave(wave) is None:
            wave = None  # a line of it was set up anew, or its chip has gone
        edges = channel.edges(lambda line: backend.function(line) == constants.OUT)
        if edges:
            turn_ns = channel.slots * channel.increment_us * NS_PER_US
            self._waves[channel.number] = play(backend, edges, turn_ns, 0, wave)
            if channel.is_over:  # a signal handler has ended it meanwhile
                self._end(channel, backend, {line for _, line, _ in edges})
        elif wave is not None:
            self._end(channel, backend, channel.pulses)
        else:
            self._waves.pop(channel.number, None)

    def _end(self, channel: Slots, backend: Backend, lines: Iterable[int]) -> None:
        """End what is played, and lines low."""
        wave = self._waves.pop(channel.number, None)
        if wave is not None:
            backend.stop_wave(wave)
        for line in lines:
            if backend.function(line) == constants.OUT:
                backend.write(line, 0)

    def lose(self, channel: Slots, line: int) -> None:
        """Go on without a line, which is not the channel's any more."""
        backend = self._backend()
        if backend is None:
            return
        backend.end_pwm(line)
        if channel.number in self._waves:
            self._play(channel)

    def resume(self, channel: Slots) -> None:
        """Go on after a line of the channel has been set up, which has ended what was played."""
        self._play(channel)

    def stop(self, channel: Slots) -> None:
        """End a channel, its lines low."""
        backend = self._backend()
        if backend is not None:
            self._end(channel, backend, channel.pulses)

    def close(self) -> None:
        """Give everything back."""
        self._waves.clear()

    def describe(self, channel: Slots) -> str:
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
