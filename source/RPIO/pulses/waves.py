# SPDX-License-Identifier: LGPL-3.0-or-later
"""``RPIO.wave()``: a list of levels and delays, played by DMA or by the C timer."""

from __future__ import annotations

import time

from .. import arguments, errors, log
from ..machine import access
from . import dma_engine
from . import means as channel_means
from .rules import check_means

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import RLock
    from collections.abc import Callable, Sequence

    from ..backends import Backend
    from ..machine.boards import Hardware
    from .drives import Drives
    from .rules import Rules
    from .subcycles import Subcycles

    Step = tuple[int, int, float]

NS_PER_US = 1000
TURN_MAX_US = 1e9
STEPS_MAX = 100_000
POLL_S = 0.002


class Score:
    """Steps as edges: *edges* are (at_ns, line, level), a turn takes *turn_ns*."""

    def __init__(self, steps: Sequence[Step], line_of: Callable[[int], int]) -> None:
        if not isinstance(steps, (list, tuple)) or not 1 <= len(steps) <= STEPS_MAX:
            raise ValueError(f"a wave is a list of 1 to {STEPS_MAX} steps (channel, level, delay_us)")
        levels: dict[tuple[int, int], int] = {}  # of a line at a moment; the last one counts
        now_ns = 0
        for number, step in enumerate(steps):
            line, level, delay_ns = _read(step, number, line_of)
            levels.pop((now_ns, line), None)
            levels[now_ns, line] = level
            now_ns += delay_ns
        self.edges = [(at_ns, line, level) for (at_ns, line), level in levels.items()]
        # An edge at the very end is within the turn as well.
        self.turn_ns = max(now_ns, self.edges[-1][0] + NS_PER_US)
        self.lines = sorted({line for _, line, _ in self.edges})
        if now_ns > TURN_MAX_US * NS_PER_US:
            raise ValueError(f"a wave takes {TURN_MAX_US:.0f} us at most, not {now_ns / NS_PER_US:.0f}")

    def slot_us(self) -> int | None:
        """Return the longest slot, in microseconds, that all its times are multiples of; None where there is none."""
        from math import gcd

        widths = [at_ns for at_ns, _, _ in self.edges] + [self.turn_ns]
        slot_ns = gcd(*widths)
        slots_us = (
            us for us in range(min(slot_ns // NS_PER_US, 100), 0, -1) if not slot_ns % (us * NS_PER_US)
        )
        return next(slots_us, None)

    def steps(self, slot_us: int) -> list[tuple[int, int, int]] | None:
        """Return (lines set, lines cleared, slots) for the DMA engine; None where the slots do not fit."""
        slot_ns = slot_us * NS_PER_US
        if any(at_ns % slot_ns for at_ns, _, _ in self.edges) or self.turn_ns % slot_ns:
            return None
        moments: dict[int, list[int]] = {}
        for at_ns, line, level in self.edges:
            masks = moments.setdefault(at_ns, [0, 0])
            masks[0 if level else 1] |= 1 << line
        times = [*moments, self.turn_ns]
        found = [(0, 0, times[0] // slot_ns)] if times[0] else []
        for (at_ns, masks), then_ns in zip(moments.items(), times[1:], strict=True):
            found.append((masks[0], masks[1], (then_ns - at_ns) // slot_ns))
        return found


def _read(step: object, number: int, line_of: Callable[[int], int]) -> tuple[int, int, int]:
    """Return line, level and delay in nanoseconds of a step."""
    if not isinstance(step, (list, tuple)) or len(step) != 3:
        raise ValueError(f"step {number} of the wave is {step!r}, not (channel, level, delay_us)")
    channel, level, delay_us = step
    if level not in (0, 1):
        raise ValueError(f"the level in step {number} of the wave is {level!r}, not 0 or 1")
    if not isinstance(delay_us, (int, float)) or not 0 <= delay_us <= TURN_MAX_US:
        raise ValueError(
            f"the delay in step {number} of the wave is {delay_us!r}, not 0 to {TURN_MAX_US:.0f} microseconds"
        )
    return line_of(channel), int(level), round(delay_us * NS_PER_US)


class Piece:
    """What is played: a score, so many times (0: without end), by which means, and what that calls it."""

    __slots__ = ("engine", "means", "number", "score", "turns")

    def __init__(self, score: Score, turns: int) -> None:
        self.score, self.turns = score, turns
        self.means = ""
        self.number = -1  # nothing plays it
        self.engine: dma_engine.Engine | None = None


class Wave:
    """A wave that RPIO.wave() has begun to play. In a ``with`` statement it is stopped at the end."""

    def __init__(self, player: Player, piece: Piece) -> None:
        self._player, self._piece = player, piece

    @property
    def means(self) -> str:
        """What plays it: "dma" or "soft"."""
        return self._piece.means

    @property
    def is_playing(self) -> bool:
        """Whether it goes on; the delay of the last step belongs to it."""
        return self._player.is_playing(self._piece)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the end of the wave, for at most *timeout_s* seconds. Whether it has ended."""
        timeout_s = arguments.timeout_s_of(timeout_s)
        waited_s = 0.0
        while self.is_playing:
            if timeout_s is not None and waited_s >= timeout_s:
                return False
            waited_s += self._player.pause(POLL_S)
        self._player.collect()
        return True

    def stop(self) -> None:
        """Stop it, levels as they are. Twice is fine."""
        self._player.stop(self._piece)

    def __enter__(self) -> Wave:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()


class Player:
    """The waves of a board."""

    def __init__(
        self,
        line_of: Callable[[int], int],
        mode: Callable[[], int | None],
        pulses: Drives,
        rules: Rules,
        pulse_channels: Subcycles,
        backend: Callable[[], Backend | None],
        hardware: Callable[[], Hardware],
        lock: RLock,
    ) -> None:
        self._line_of, self._mode, self._rules = line_of, mode, rules
        self._pulses, self._channels = pulses, pulse_channels
        self._lock = lock
        self._backend, self._hardware = backend, hardware
        self._pieces: list[Piece] = []

    def play(self, steps: Sequence[Step], repeat: int | None, means: str | None) -> Wave:
        """Begin a wave. See RPIO.wave()."""
        if means not in (None, "dma", "soft"):
            raise ValueError(f"means is 'dma', 'soft' or None, not {means!r}")
        repeat = None if repeat is None else arguments.integer("repeat", repeat)
        if repeat is not None and not 1 <= repeat <= 2**31:
            raise ValueError(
                f"a wave is repeated 1 time or more, or for ever with None, not {repeat!r} times"
            )
        mode = self._mode()
        score = Score(steps, self._line_of)  # without the lock: a long one takes its time
        with self._lock:
            if mode != self._mode():
                score = Score(steps, self._line_of)
            piece = Piece(score, repeat or 0)
            self.collect()
            self._rules.ask_wave(score.edges, score.turn_ns, piece.turns)
            try:
                self._take_lines(piece, score, means)
                self._pieces.append(piece)
            except MemoryError:  # it may have begun, and nobody has it
                self.stop(piece)
                raise
        return Wave(self, piece)

    def _take_lines(self, piece: Piece, score: Score, means: str | None) -> None:
        taken: list[int] = []
        try:
            for line in score.lines:
                taken.append(line)
                self._pulses.attach(line, piece, "a wave", lambda line: self.stop(piece))
            for line in score.lines:
                self._rules.arm(line)
            self._begin(piece, score, means)
        except BaseException:
            for line in taken:
                self._pulses.detach(line, piece)
            raise
        if not all(self._pulses.has(line, piece) for line in taken):
            # A signal handler has cleaned up meanwhile.
            self.stop(piece)

    @property
    def pieces(self) -> list[Piece]:
        """What has been begun, and not been let go of."""
        return list(self._pieces)

    def collect(self) -> None:
        """Let go of the lines of waves that have ended."""
        with self._lock:
            for piece in list(self._pieces):
                self._stop_if(piece, not self.is_playing(piece))

    def _stop_if(self, piece: Piece, is_over: bool) -> None:
        if is_over:
            self.stop(piece)

    def pause(self, seconds: float) -> float:
        """Let that time pass, where the board has a clock of its own on that. Returns how much has passed."""
        backend = self._backend()
        clock = backend.clock if backend is not None else None
        if clock is None:
            before_s = time.monotonic()
            time.sleep(seconds)
            return time.monotonic() - before_s
        before_ns = clock.now_ns()
        clock.sleep_until(before_ns + round(seconds * 1e9))
        return (clock.now_ns() - before_ns) / 1e9

    def _begin(self, piece: Piece, score: Score, means: str | None) -> None:
        try:
            for line in score.lines:
                check_means(self._rules, line, means)
            if any(map(self._rules.is_limited, score.lines)):
                means = "soft"
            if means != "soft" and self._begin_by_dma(piece, score, means == "dma"):
                return
        except errors.DMAError as e:
            if means == "dma":
                raise
            log.debug("a wave is played by the C timer: %s", e)
        backend = self._backend()
        assert backend is not None, "an output has a backend"
        piece.number = channel_means.play(backend, score.edges, score.turn_ns, piece.turns)
        piece.means = "soft"

    def _begin_by_dma(self, piece: Piece, score: Score, insists: bool) -> bool:
        """Whether the engine plays it."""
        steps, engine = self._dma_steps(score, insists), self._channels.engine
        if steps is None or engine is None:
            return False
        if len(steps) * (piece.turns or 1) > STEPS_MAX:
            raise errors.DMAError("The wave has too many steps for DMA", hint="means='soft' plays it")
        channel = engine.pick()
        engine.play(channel, steps, piece.turns)
        piece.means, piece.number, piece.engine = "dma", channel, engine
        return True

    def _dma_steps(self, score: Score, insists: bool) -> list[tuple[int, int, int]] | None:
        """Return the steps for the DMA engine, which is set up where it was not; None where DMA cannot be."""
        backend = self._backend()
        assert backend is not None, "an output has a backend"
        reason = dma_engine.why_not(self._hardware(), backend)
        slot_us = score.slot_us()
        if reason is None and score.lines[-1] >= dma_engine.LINES:
            reason = f"GPIO {score.lines[-1]} is out of its reach"
        if reason is None and slot_us is None:
            reason = "its delays are no whole microseconds"
        if reason is None and not self._channels.is_setup and (insists or access.ids()[0] == 0):
            assert slot_us is not None
            self._channels.release_waves()
            try:
                self._channels.open_for_waves(slot_us)
            except errors.GPIOError as e:
                reason = str(e)
        if reason is None and self._channels.engine is None:
            reason = "PWM.setup() was not called"
        known_us = self._channels.slot_us
        steps = score.steps(known_us) if reason is None else None
        if reason is None and steps is None:
            reason = f"its delays are no multiples of {known_us} us, which the engine's slots are already"
        if steps is None and insists:
            raise errors.DMAError(
                f"This wave cannot be played by DMA: {reason}", hint="means='soft' plays it"
            )
        if steps is None:
            log.debug("a wave is played by the C timer: %s", reason)
        return steps

    def is_playing(self, piece: Piece) -> bool:
        """Whether a wave goes on."""
        with self._lock:
            number = piece.number
            if number < 0:
                return False
            if piece.means == "dma":
                engine = self._channels.engine
                mine = engine is not None and engine is piece.engine
                return mine and engine is not None and bool(engine.info(number).get("is_active"))
            backend = self._backend()
            state = backend.wave(number) if backend is not None else None
            return state is not None and state[0]

    def _forget(self, piece: Piece) -> None:
        self._pieces = [other for other in self._pieces if other is not piece]

    def stop(self, piece: Piece) -> None:
        """Stop a wave, and let go of its lines."""
        with self._lock:
            number, piece.number = piece.number, -1
            engine, backend = self._channels.engine, self._backend()
            self._forget(piece)
            for line in piece.score.lines:
                self._pulses.detach(line, piece)
            if number >= 0 and piece.means == "dma" and engine is not None and engine is piece.engine:
                engine.stop(number)
            elif number >= 0 and piece.means == "soft" and backend is not None:
                backend.stop_wave(number)
            self._channels.close_unused()

    def stop_all(self, means: str | None = None) -> None:
        """Stop all waves, or those that are played by these means; levels as they are."""
        with self._lock:
            for piece in list(self._pieces):
                self._stop_if(piece, means in (None, piece.means))

    def forget(self) -> None:
        """In the child of a fork: the waves are the parent's."""
        for piece in self._pieces:
            piece.number = -1
        self._pieces.clear()
