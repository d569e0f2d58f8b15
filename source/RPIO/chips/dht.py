# SPDX-License-Identifier: LGPL-3.0-or-later
"""DHT22 and DHT11: temperature and humidity as 40 pulses on one wire."""

from __future__ import annotations

from .part import Part

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..backends.sim import SimBackend

WAKE_UP_MS = {22: 0.8, 11: 18.0}
"""How long the wire is to be low, by the kind."""
WAIT_US, FIRST_US, LOW_US, ZERO_US, ONE_US = 30, 80, 50, 26, 70


class Dht(Part):
    """A DHT22, or, with *kind* 11, a DHT11: it answers when the wire was low long enough and is let go of.

    ``temperature_c`` and ``humidity_percent`` may be changed at any time; ``data``, where it is not None, are the five
    bytes that it sends instead. ``answers`` counts. Its pulses are too short for Python in real time: it is for a clock
    that a test moves, or for programs that look at the times of edges.
    Source: Aosong AM2302 and DHT11 data sheets, "Single-bus communication": typical times.
    """

    def __init__(
        self,
        board: SimBackend,
        line: int,
        temperature_c: float = 20.0,
        humidity_percent: float = 50.0,
        kind: int = 22,
    ) -> None:
        super().__init__(board)
        if kind not in WAKE_UP_MS:
            raise ValueError(f"there are kinds 11 and 22, not {kind!r}")
        self._line, self._kind = line, kind
        self.temperature_c, self.humidity_percent = temperature_c, humidity_percent
        self.data: bytes | None = None
        self.answers = 0
        self._is_talking = False
        self._low_since_ms: float | None = None
        board.pull_up(line)  # of its module
        board.on_change(line, self._changed)

    @staticmethod
    def reading(humidity_percent: float, temperature_c: float, kind: int = 22) -> bytes:
        """The five bytes of those values."""
        if kind == 11:
            data = bytes([round(humidity_percent), 0, round(temperature_c) & 0xFF, 0])
        else:
            tenths = round(abs(temperature_c) * 10) | (0x8000 if temperature_c < 0 else 0)
            data = round(humidity_percent * 10).to_bytes(2, "big") + tenths.to_bytes(2, "big")
        return data + bytes([sum(data) & 0xFF])

    def _changed(self, level: int) -> None:
        if self._is_talking:
            return
        since_ms, now_ms = self._low_since_ms, self._now_ms
        self._low_since_ms = None if level else now_ms
        if level and since_ms is not None and round(now_ms - since_ms, 6) >= WAKE_UP_MS[self._kind]:
            self._answer()

    def _answer(self) -> None:
        self._is_talking = True
        self.answers += 1
        data = self.data
        if data is None:
            data = self.reading(self.humidity_percent, self.temperature_c, self._kind)
        bits = [byte >> bit & 1 for byte in data for bit in range(7, -1, -1)]
        at_us = WAIT_US
        self._pulse(at_us, FIRST_US)
        at_us += 2 * FIRST_US
        for bit in bits:
            self._pulse(at_us, LOW_US)
            at_us += LOW_US + (ONE_US if bit else ZERO_US)
        self._pulse(at_us, LOW_US)
        self._after((at_us + LOW_US) / 1000, self._end)

    def _pulse(self, at_us: int, low_us: int) -> None:
        """Pull the wire low, then let go of it."""
        self._after(at_us / 1000, lambda: self._board.drive(self._line, 0))
        self._after((at_us + low_us) / 1000, lambda: self._board.drive(self._line, None))

    def _end(self) -> None:
        self._is_talking = False
